/*
 * sluice/question.h -- a question record to what it asks: text, filter, limits.
 */
#ifndef SLUICE_QUESTION_H
#define SLUICE_QUESTION_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/arena.h>
#include <sluice/dates.h>
#include <sluice/error.h>
#include <sluice/filter.h>
#include <sluice/message.h>

enum sl_mode { SL_MODE_DEFAULT = 0, SL_MODE_HYBRID, SL_MODE_VECTOR, SL_MODE_LEXICAL };

struct sl_min_position {
    struct sl_view topic;
    int32_t partition;
    int64_t offset; /* answer only once this offset is in the index */
};

struct sl_question {
    struct sl_view text;           /* as asked */
    uint32_t k;                    /* 0 = the configured one */
    struct sl_view filter_text;    /* the caller's expression; data == NULL: none */
    const struct sl_filter *filter;
    enum sl_mode mode;
    bool exact;
    bool return_hits;
    bool stream;
    bool widened;                  /* set by who asks again: search without the date it names */
    bool duplicates;               /* keep copies of better results */
    struct sl_view session;
    uint32_t deadline_ms;          /* 0 = none; counted from the record's timestamp */
    const struct sl_min_position *min_positions;
    uint32_t min_position_count;
    struct sl_view tenant;         /* mandatory filter from topic or header; data == NULL: none */
    int64_t asked_ms;              /* record timestamp, or -1: "last year" is relative to it */
    struct sl_view *warnings;      /* e.g. "k clamped to 100" */
    uint32_t warning_count;
};

struct sl_question_options {
    struct sl_view tenant;     /* of the topic; data == NULL: none */
    const char *tenant_header; /* NULL: none. When set, a question without it is refused */
};

/*
 * Read a question: plain text, or a JSON object with "query" (docs/FLOW.md). Unknown members are refused.
 * Too great a k is clamped with a warning.
 *
 * Owns:    *ret_question points into `message` and `arena`. On SL_REJECT ret_question->text is set when it
 *          could be read, so that the error answer can name it.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_REJECT  empty_query, bad_json (and the other JSON words), bad_field, bad_k, bad_filter,
 *                     bad_mode, too_large, bad_utf8, no_tenant
 */
enum sl_err sl_question_parse(const struct sl_message *message,
                              const struct sl_question_options *options, struct sl_arena *arena,
                              struct sl_question *ret_question, struct sl_error *err);

#endif /* SLUICE_QUESTION_H */
