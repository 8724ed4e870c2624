/* dead_letter.h -- a record that cannot be used, as a record for the dead-letter topic. */
#ifndef SLUICE_DEAD_LETTER_H
#define SLUICE_DEAD_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/arena.h>
#include <sluice/error.h>
#include <sluice/message.h>

#include "daemon/records.h"

struct sl_dead_letter {
    const char *topic;    /* where it goes */
    const char *instance; /* of this daemon: Connect's task id */
    const uint8_t *space; /* [16]: the cluster's namespace; NULL = nil */
    const struct sl_message *message;
    const char *reason; /* one word of docs/REASONS.md */
    const char *explanation;
    uint32_t attempts;
    bool value_omitted; /* too large to be sent: its size and SHA-256 go instead */
};

/*
 * Make the record: key, value, headers and timestamp as they were, then Connect's headers and
 * sluice's own. Its sluice-dlq-id is the same however often it is made.
 *
 * Owns:    *ret_outgoing refers to letter->message and to `arena`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_STOP  memory
 */
enum sl_err sl_dead_letter_make(const struct sl_dead_letter *letter, struct sl_arena *arena,
                                struct sl_outgoing *ret_outgoing, struct sl_error *err);

/*
 * The same record without its value, once the broker has called it too large; without its key, too, when that is
 * beyond 64 KiB. The headers say how large each was and its SHA-256.
 *
 * Owns:    *ret_outgoing refers to `outgoing` and to `arena`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_STOP  memory
 */
enum sl_err sl_dead_letter_shorten(const struct sl_outgoing *outgoing, struct sl_arena *arena,
                                   struct sl_outgoing *ret_outgoing, struct sl_error *err);

/* UUIDv5 under the cluster's namespace (NULL: nil) of "topic/partition/offset": char[37]. Answers
 * have it too. */
void sl_record_id(const uint8_t *space, const struct sl_message *message, char *ret_text);

#endif
