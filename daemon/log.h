/*
 * log.h -- one event, one line, one stable name.
 *
 * Every line names its event by a fixed lower-case word ("partition_paused", "config_rejected"); the event gives
 * the journal's MESSAGE_ID and the JSON member "event", so that scripts hold on to names, not to sentences.
 * Texts of documents, questions and answers are never logged: no function here takes one, and a caller puts a
 * key or a text into `format` never. Topics, partitions, offsets, reasons and codes are what is logged.
 *
 * At most 10 lines per second of one event get through; the next line of that event that does carries the number
 * suppressed before it.
 */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/view.h>

#include "daemon/config.h"

/* The numbers are syslog's. */
enum sl_log_level {
    SL_LOG_ERROR = 3,
    SL_LOG_WARNING = 4,
    SL_LOG_NOTICE = 5,
    SL_LOG_INFO = 6,
    SL_LOG_DEBUG = 7
};

/* Fields beside the sentence. What is zero or NULL is left out. */
struct sl_log_fields {
    const char *topic;      /* SLUICE_TOPIC; with it, partition counts too unless < 0 */
    int32_t partition;      /* SLUICE_PARTITION   */
    bool has_offset;
    int64_t offset;         /* SLUICE_OFFSET      */
    const char *reason;     /* SLUICE_REASON: a word of docs/REASONS.md */
    const char *stage;      /* SLUICE_STAGE: decode, chunk, embed, ... */
    const char *answer_id;  /* SLUICE_ANSWER_ID   */
    const char *kafka_code; /* SLUICE_KAFKA_ERR: librdkafka's name of the code */
    const char *trace;      /* TRACEPARENT        */
    uint32_t attempt;       /* SLUICE_ATTEMPT     */
    uint64_t duration_us;   /* SLUICE_DURATION_US */
    uint64_t key_hash;      /* SLUICE_KEY_HASH: 16 hex digits, instead of the key itself */
    int system_errno;       /* ERRNO              */
    int http_status;        /* SLUICE_HTTP_STATUS */
};

/*
 * Choose the format and the least serious level that is written. SL_LOG_AUTO: the journal when standard error is
 * the journal's stream ($JOURNAL_STREAM), text otherwise. Before the first call: text, info. May be called again
 * (reload).
 *
 * Owns:    `instance` is copied (SLUICE_INSTANCE; "" = none).
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none; an unknown level name means info (the configuration has refused it before).
 */
void sl_log_configure(enum sl_log_format format, const char *level, const char *instance);

/*
 * Write a line. `event` is a string literal: a fixed word. Control bytes in the sentence are written as '?'; it
 * is cut at 1 KiB.
 *
 * Owns:    nothing.
 * Thread:  any; one line is written whole.
 * Blocks:  like a write to standard error or the journal's socket.
 * Errors:  none: what cannot be written is lost.
 */
void sl_log(enum sl_log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void sl_log_with(enum sl_log_level level, const char *event, const struct sl_log_fields *fields,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A failure: its sentence, its reason and its foreign code. */
void sl_log_error(enum sl_log_level level, const char *event, const struct sl_error *err);

/* Would a line of this level be written? For callers that would have to work for the sentence. */
bool sl_log_wants(enum sl_log_level level);

/* MESSAGE_ID of an event: 32 hex digits and a NUL. Always the same for the same word. */
void sl_log_message_id(const char *event, char ret_id[33]);

/*
 * Tests: lines go to `sink` (whole, in the chosen format, the journal's fields joined by newlines) instead of
 * outside, and `now_ms` (NULL = the real clock) says the time to the rate limit. sink NULL ends it.
 *
 * Owns:    `context` stays the caller's.
 * Thread:  not while other threads log.
 * Blocks:  no.
 * Errors:  none.
 */
void sl_log_capture(void (*sink)(void *context, struct sl_view line), void *context,
                    uint64_t (*now_ms)(void));

#endif
