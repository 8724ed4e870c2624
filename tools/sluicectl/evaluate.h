/* evaluate.h -- asking judged questions, all cores at once, and what each came to. */
#ifndef SLUICECTL_EVALUATE_H
#define SLUICECTL_EVALUATE_H

#include <stdatomic.h>
#include <stdio.h>

#include "ask.h"
#include "qrels.h"
#include "rankings.h"

enum ctl_metric {
    CTL_NDCG_10 = 0,
    CTL_RECALL_10,
    CTL_RECALL_100,
    CTL_MRR_10,
    CTL_HIT_1,
    CTL_METRIC_COUNT
};

extern const char *const ctl_metric_names[CTL_METRIC_COUNT];

/* -1 after saying what is allowed when there is no such metric; exit code 64. */
int ctl_metric_named(const struct ctl *ctl, const char *name);

struct ctl_evaluation {
    struct ctl *ctl;
    const struct ctl_opened *opened;
    struct ctl_queries queries; /* only those with a relevant document */
    uint32_t refused; /* of them; cannot be asked, and find nothing */
    uint32_t unjudged; /* left out: nothing relevant is known for them */
    struct ctl_qrels qrels;
    struct ctl_rankings rankings; /* of others, to be measured instead of asking; count 0: none */
    struct sl_retrieve_options retrieve;
    const struct sl_embedder *embedder; /* NULL: the one that was opened */
    uint32_t depth; /* documents looked at */
    uint32_t passages; /* asked for; 0: as many as that takes */
    double *chance; /* [queries.count]: the metric below of each ranking, judged as another question's; NULL: not wanted */
    enum ctl_metric chance_metric;
    bool exact;
    bool quiet; /* no progress bar */
    int64_t asked_ms;
    atomic_uint not_reranked; /* questions whose reranker failed or was late, of all runs */
    FILE *run;          /* rankings in TREC's form go there; NULL: nowhere */
    FILE *per_question; /* a JSON object a question goes there */
    double *values[CTL_METRIC_COUNT]; /* [queries.count] each, in their order */
};

/*
 * Read questions and judgements; drop the questions that nothing relevant is known for, and say which
 * cannot be asked: that is no error here.
 *
 * Owns:    free with ctl_evaluation_free(), also after an error.
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  the exit code after saying why: 65 a line is wrong or no question is judged, 66
 */
int ctl_evaluation_read(struct ctl_evaluation *evaluation, const char *queries, const char *qrels);

/*
 * Ask them all, after evaluation->retrieve, and fill `values`.
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  CPU, all cores; disk.
 * Errors:  the exit code after saying why
 */
int ctl_evaluation_run(struct ctl_evaluation *evaluation, struct sl_index_stats *ret_stats);

/* Append ", \"ndcg@10\": 0.68, ..., \"ci95\": [..], \"intervals\": {...}" of the questions listed (all: NULL). */
void ctl_evaluation_write(const struct ctl_evaluation *evaluation, const uint32_t *questions,
                          uint32_t count, struct sl_buffer *out);

void ctl_evaluation_free(struct ctl_evaluation *evaluation);

#endif
