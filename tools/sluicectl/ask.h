/*
 * ask.h -- questions asked of the index by hand: made from options or from a line of a file.
 */
#ifndef SLUICECTL_ASK_H
#define SLUICECTL_ASK_H

#include "ctl.h"

/*
 * Whether a text may be asked at all.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_REJECT  empty_query, bad_utf8, too_large
 */
enum sl_err ctl_question_text(struct sl_view text, struct sl_error *err);

/*
 * A question as sl_retrieve() takes it.
 *
 * Owns:    the question points into `text`, `filter` and `arena`.
 * Thread:  any, one arena each.
 * Blocks:  no.
 * Errors:  SL_REJECT  empty_query, bad_utf8, too_large, bad_filter
 */
enum sl_err ctl_question(struct sl_view text, struct sl_view filter, int64_t asked_ms,
                         struct sl_arena *arena, struct sl_question *ret_question,
                         struct sl_error *err);

/* One line of a file of questions: BEIR's {"_id", "text"}, with "query" for "text", and "filter" and "now"
 * if wanted. */
struct ctl_query {
    char *id;
    char *text;
    char *filter; /* NULL: none */
    int64_t asked_ms; /* the end of the day "now" names; -1: none */
    char *line;   /* all of it, as JSON */
    uint32_t number; /* of the line */
    bool refused; /* in an evaluation: it cannot be asked, and finds nothing */
};

struct ctl_queries {
    struct ctl_query *items;
    uint32_t count;
};

/*
 * Read a file of questions.
 *
 * Owns:    free with ctl_queries_free().
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  the exit code after saying why: 65 with file:line, 66
 */
int ctl_queries_read(const struct ctl *ctl, const char *path, struct ctl_queries *ret_queries);
/* Each has an _id, and no two the same? Exit code 65 after saying which lines. */
int ctl_queries_distinct(const struct ctl *ctl, const char *path, const struct ctl_queries *queries);
void ctl_query_fini(struct ctl_query *query);
void ctl_queries_free(struct ctl_queries *queries);

/* The part of a chunk that says most about the question, on one line. */
struct ctl_snippet {
    struct sl_view text;         /* white space made single spaces */
    const struct sl_span *marks; /* words of `text` that match the question */
    uint32_t mark_count;
};

/*
 * Choose the sentences of a chunk that hold most of the question's terms.
 *
 * Owns:    *ret_snippet lives in `arena`.
 * Thread:  any, one arena each.
 * Blocks:  CPU.
 * Errors:  SL_REJECT  too_large; SL_STOP ICU or Snowball data missing
 */
enum sl_err ctl_snippet(struct sl_view question, const struct sl_document *document,
                        const struct sl_chunk *chunk, struct sl_arena *arena,
                        struct ctl_snippet *ret_snippet, struct sl_error *err);

#endif
