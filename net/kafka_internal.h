/* kafka_internal.h -- between the net/kafka_*.c files only: librdkafka's types, and what both
 * clients share. */
#ifndef SLUICE_KAFKA_INTERNAL_H
#define SLUICE_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>

#include "net/kafka_conf.h"

struct kafka_property {
    const char *name;
    const char *value;
};

/* [kafka], then its credentials, then `owned` (which wins), as a librdkafka configuration. The
 * caller owns it until rd_kafka_new() has taken it. Properties of the other kind of client are left
 * out: one section serves both. */
enum sl_err kafka_conf_make(const struct sl_config *config, rd_kafka_type_t type,
                            const struct kafka_property *owned, size_t owned_count,
                            const struct sl_kafka_watch *watch, rd_kafka_conf_t **ret_conf,
                            struct sl_error *err);

/* Called by librdkafka with its statistics: tells watch->broker and watch->waiting. */
void kafka_stats_read(const char *json, size_t size, const struct sl_kafka_watch *watch);

/* rd_kafka_destroy(), for a few seconds. False: its threads are still there, and so must be what they call back. */
bool kafka_destroy(rd_kafka_t *rk);

/* SL_AGAIN `kafka` with the code's text. */
enum sl_err kafka_again(struct sl_error *err, rd_kafka_resp_err_t code, const char *what);

/* Is this the word for "the cluster has no such topic or partition"? */
bool kafka_is_no_topic(rd_kafka_resp_err_t code);
bool kafka_is_denied(rd_kafka_resp_err_t code);

#endif
