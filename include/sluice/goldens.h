/*
 * sluice/goldens.h -- golden questions: asked again and again, they tell whether answers are still found.
 *
 * WHERE IT SITS    A file of JSON lines that a person has accepted (`sluicectl golden` drafts them). The daemon asks
 *                  them on a schedule; whoever wants to put another index or other settings in place of the present
 *                  ones asks them of both and compares (sl_goldens_worse()).
 */
#ifndef SLUICE_GOLDENS_H
#define SLUICE_GOLDENS_H

#include <sluice/retrieve.h>

#define SL_GOLDENS_MAX 10000u
#define SL_GOLDENS_K   10u /* documents looked at */

struct sl_golden {
    struct sl_view query;
    struct sl_view filter;          /* data == NULL: none */
    struct sl_view tenant;          /* data == NULL: none */
    int64_t asked_ms;               /* the end of the day "now"; -1: none */
    const struct sl_view *relevant; /* keys of documents, [relevant_count], at least one */
    uint32_t relevant_count;
};

struct sl_goldens {
    const struct sl_golden *items;
    uint32_t count;
};

/*
 * Read JSON lines: {"query" (or "text"), "relevant": [keys], "filter", "tenant", "now", "status"}. Lines whose
 * status is there and not "accepted" are passed over; other members are left alone.
 *
 * Owns:    *ret_goldens lives in `arena`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_REJECT  bad_json, bad_field (with the line's number), too_large
 */
enum sl_err sl_goldens_read(struct sl_view text, struct sl_arena *arena,
                            struct sl_goldens *ret_goldens, struct sl_error *err);

/* What came of one question. */
struct sl_golden_result {
    double recall;     /* of its relevant documents among the first SL_GOLDENS_K */
    double reciprocal; /* 1 / rank of the first of them; 0: none */
    uint64_t top;      /* tells one first document from another; 0: nothing was found */
};

/*
 * Ask one golden question.
 *
 * Owns:    nothing; `arena` is used up meanwhile.
 * Thread:  any, one snapshot and arena each.
 * Blocks:  CPU: encoding, search. Page faults.
 * Errors:  as sl_retrieve(), and bad_filter
 */
enum sl_err sl_golden_ask(const struct sl_golden *golden, const struct sl_snapshot *snapshot,
                          const struct sl_retrieve_options *options,
                          const struct sl_embedder *embedder, const struct sl_clock *clock,
                          struct sl_arena *arena, struct sl_golden_result *ret,
                          struct sl_error *err);

/* All of them together. */
struct sl_goldens_result {
    uint32_t count;
    double recall, reciprocal; /* means */
    double changed;            /* share of questions whose first document is another than in the run before */
};

/*
 * Sum up a run.
 *
 * Shape:   results and `before` (NULL: no run before) are [count].
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
struct sl_goldens_result sl_goldens_sum(const struct sl_golden_result *results,
                                        const struct sl_golden_result *before, uint32_t count);

/*
 * Is `now` worse than `before`: recall or reciprocal rank lower by more than `drop_max` (0.05: by five
 * hundredths)? What was never asked is not worse.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
bool sl_goldens_worse(const struct sl_goldens_result *before, const struct sl_goldens_result *now,
                      double drop_max);

/* One of two generations of an index, asked with what it was made with. */
struct sl_goldens_side {
    struct sl_index *index;
    const struct sl_retrieve_options *options;
    const struct sl_embedder *embedder; /* NULL: there is none, or it cannot be had: asked by words */
};

struct sl_goldens_gate {
    const struct sl_clock *clock;
    double drop_max;
    bool (*goes_on)(void *context); /* asked before each question; false: stop. May be NULL */
    void *context;
};

/*
 * May `now` take the place of `before`? All golden questions of `text` (as sl_goldens_read()) are asked of both.
 *
 * Post:    SL_OK: it is not worse, by sl_goldens_worse(), or there is no question. golden_worse: the message has the
 *          figures of both.
 * Owns:    nothing. Each question has a snapshot of its own.
 * Thread:  any, while others write either.
 * Blocks:  CPU: encoding, search, twice for each question. Page faults.
 * Errors:  SL_AGAIN   cancelled (goes_on() said stop); what the encoder says
 *          SL_REJECT  golden_worse (65); as sl_goldens_read() and sl_golden_ask()
 *          SL_STOP    as sl_golden_ask()
 */
enum sl_err sl_goldens_judge(struct sl_view text, const struct sl_goldens_gate *gate,
                             const struct sl_goldens_side *before,
                             const struct sl_goldens_side *now, struct sl_error *err);

#endif /* SLUICE_GOLDENS_H */
