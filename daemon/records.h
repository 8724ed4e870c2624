/*
 * records.h -- records the daemon keeps: a copy of one read, and one to be produced, in memory and
 * as stored in the outbox and the reply cache (docs/FLOW.md has the bytes).
 */
#ifndef SLUICE_RECORDS_H
#define SLUICE_RECORDS_H

#include <sluice/arena.h>
#include <sluice/error.h>
#include <sluice/message.h>

/* One record read from Kafka, all of it in one allocation: free() it. */
struct sl_record {
    struct sl_message message; /* points into this allocation */
    size_t bytes;              /* of the allocation */
};

/*
 * Copy a record out of the consumer's memory.
 *
 * Owns:    caller gets it; free() it. NULL: no memory.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  NULL
 */
struct sl_record *sl_record_copy(const struct sl_message *message);

/* SHA-256 over key, value and headers, each with its length: is this the same question? */
void sl_record_digest(const struct sl_message *message, uint8_t ret_digest[32]);

/* One record to produce. */
struct sl_outgoing {
    const char *topic;
    int32_t partition;    /* -1: by key */
    int64_t timestamp_ms; /* -1: now    */
    struct sl_view key;
    struct sl_view value;
    const struct sl_header *headers;
    uint32_t header_count;
};

/* Append it as bytes. */
void sl_outgoing_encode(const struct sl_outgoing *outgoing, struct sl_buffer *out);

/*
 * Read such bytes back.
 *
 * Owns:    *ret_outgoing points into `bytes`; topic and header list live in `arena`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_STOP  corrupt: not what sl_outgoing_encode() writes; memory
 */
enum sl_err sl_outgoing_decode(struct sl_view bytes, struct sl_arena *arena,
                               struct sl_outgoing *ret_outgoing, struct sl_error *err);

/* What a reply cache row holds: whose answer it is, and the record sent. */
struct sl_reply_row {
    uint8_t question_digest[32];
    int64_t question_timestamp_ms;
    struct sl_view topic; /* of the question */
    int32_t partition;
    int64_t offset;
    struct sl_view status; /* of the answer */
    struct sl_view record; /* an encoded struct sl_outgoing */
};

void sl_reply_row_encode(const struct sl_reply_row *row, struct sl_buffer *out);
enum sl_err sl_reply_row_decode(struct sl_view bytes, struct sl_reply_row *ret_row,
                                struct sl_error *err);

#endif
