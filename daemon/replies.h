/* replies.h -- where an answer goes and which headers it bears: both request-reply dialects. */
#ifndef SLUICE_REPLIES_H
#define SLUICE_REPLIES_H

#include <stdbool.h>

#include <sluice/arena.h>
#include <sluice/message.h>

#include "daemon/config.h"

struct sl_reply_target {
    const char *topic; /* belongs to the configuration */
    int32_t partition; /* -1: by the key */
    bool not_allowed;  /* the question named a topic outside the list: `topic` is the default one */
};

/*
 * Read kafka_replyTopic / REPLY_TOPIC and kafka_replyPartition / REPLY_PARTITION (four bytes, big
 * endian; decimal digits are understood too). The topic must be `answers_topic` or on the list
 * `allowed`.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  ret->not_allowed
 */
void sl_reply_target(const struct sl_message *question, const char *answers_topic,
                     const struct sl_config_list *allowed, struct sl_reply_target *ret);

/*
 * The answer's headers: id, status, content type; correlation ids and traceparent of the question
 * byte for byte, each cut at SL_CORRELATION_BYTES_MAX.
 *
 * Owns:    the list lives in `arena` and refers to the arguments. NULL: no memory.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  NULL
 */
struct sl_header *sl_reply_headers(const struct sl_message *question, struct sl_view id,
                                   struct sl_view status, struct sl_arena *arena,
                                   uint32_t *ret_count);

#endif
