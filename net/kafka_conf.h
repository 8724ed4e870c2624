/*
 * kafka_conf.h -- what consumers and producers share: the properties of [kafka], and an ear for
 * what librdkafka has to say beside its records.
 */
#ifndef SLUICE_KAFKA_CONF_H
#define SLUICE_KAFKA_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/message.h>

#include "daemon/config.h"

/* What one client reports beside its records. Each member may be NULL. Called from whichever thread
 * polls the client; `log` from any of librdkafka's. */
struct sl_kafka_watch {
    /* A client error by librdkafka's name for it ("_ALL_BROKERS_DOWN"). Of certificates from any thread. */
    void (*error)(void *context, const char *code, const char *text);
    /* Once per broker and statistics interval. Round trips in seconds, 0 when there were none. */
    void (*broker)(void *context, const char *broker, bool up, double rtt_mean, double rtt_p99);
    /* Once per statistics interval: operations waiting for the client to be polled. */
    void (*waiting)(void *context, int64_t replies);
    /* A log line of librdkafka, with syslog's level. Never message text. */
    void (*log)(void *context, int level, const char *text);
    void *context;
};

/*
 * The value of a [kafka] property, NULL when the configuration does not set it.
 *
 * Owns:    stays with the configuration.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
const char *sl_kafka_property(const struct sl_config *config, const char *name);

/* What this machine is called among its equals: [queries] instance, else the host name. char[128].
 * */
void sl_kafka_instance(const struct sl_config *config, char *ret_name);

/*
 * Read password and token again and hand them to every client of this process. Connections that are
 * up stay up; the next ones use what is new.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  disk.
 * Errors:  SL_AGAIN  bad_token, bad_property: the file holds nothing usable; SL_STOP  credential: it cannot be
 *                    read. What was known before stays in use.
 */
enum sl_err sl_kafka_login_renew(const struct sl_config *config, struct sl_error *err);

/* Is this failure one of reaching a broker, rather than of what it said? */
bool sl_kafka_is_away(const struct sl_error *err);

/* Of a code that watch->error() was told: the broker refused us or we refused it; look whether one answers. */
bool sl_kafka_is_login(const char *code);
bool sl_kafka_is_doubtful(const char *code);

/* Did a client not let itself be freed? Then the process must end by _exit(). */
bool sl_kafka_left_behind(void);

/* Version of the librdkafka in use, "2.0.2". */
const char *sl_kafka_version(void);

#endif
