/*
 * retrieve_internal.h -- what the files of a search share.
 *
 *     retrieve.c   a question to its best chunks: the legs, fused
 *     when.c       what a question's time makes of filter and weights
 *     versions.c   of versions of one text, the one in force
 *     rerank.c     the best looked at again
 *     diversify.c  what says something else first
 */
#ifndef SLUICE_RETRIEVE_INTERNAL_H
#define SLUICE_RETRIEVE_INTERNAL_H

#include <sluice/message.h>
#include <sluice/retrieve.h>

/* A question's time, as far as it names one. */
struct sl_when {
    bool date_read;
    struct sl_date_found date;
    bool newest;      /* "latest", 최근: newer documents first */
    bool versions;    /* asked is about versions: none is left out */
    bool has_validity; /* some document has bounds that touch these days; set by sl_when_select() */
};

void sl_when_read(struct sl_view question, sl_day today, struct sl_when *ret);

/*
 * What a question's time selects: documents of the dates, or in force on them; with "as of" what is in force
 * or was published by then; with "current" what is in force today.
 *
 * Post:    *ret_filter is NULL when the time selects nothing away.
 * Owns:    *ret_filter lives in `arena`.
 * Thread:  any.
 * Blocks:  page faults.
 * Errors:  SL_REJECT  too_large; SL_STOP corrupt
 */
enum sl_err sl_when_select(const struct sl_snapshot *snapshot, struct sl_when *when, sl_day today,
                           struct sl_arena *arena, const struct sl_filter **ret_filter,
                           struct sl_error *err);

/* The same as text that the filter parser reads; nothing when there is none. */
void sl_when_write(const struct sl_when *when, sl_day today, struct sl_buffer *out);

/* The weight of a document that is `age_days` older than the newest found, when the newest are asked for. */
double sl_when_weight(double age_days, double half_life_days);

/*
 * Leave one version of each text among the first results: the one in force at `at`, else the newest. It takes
 * the best place of its versions. Versions are documents of one topic and title that have bounds of validity
 * and mostly the same words; nothing else is touched.
 *
 * Shape:   results is [*count], best first, and stays so.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  page faults.
 * Errors:  SL_REJECT  too_large; SL_STOP corrupt
 */
enum sl_err sl_versions_collapse(const struct sl_snapshot *snapshot, sl_day at, uint32_t wanted,
                                 struct sl_arena *arena, struct sl_result *results, uint32_t *count,
                                 struct sl_error *err);

/*
 * Order the first options->rerank_depth results again by options->reranker; without one nothing happens. When it
 * fails the order stays, when it is late what it has not looked at; retrieved->rerank_failure says why.
 *
 * Pre:     retrieved->results are sorted, best first.
 * Post:    sorted; what was not looked at follows, in its order.
 * Owns:    nothing; works in `arena`.
 * Thread:  the snapshot's.
 * Blocks:  the reranker: CPU or network, at most options->rerank_deadline_ms.
 * Errors:  SL_REJECT too_large; SL_STOP corrupt, the reranker's
 */
enum sl_err sl_rerank(const struct sl_snapshot *snapshot, struct sl_view question,
                      const struct sl_retrieve_options *options, const struct sl_clock *clock,
                      struct sl_arena *arena, struct sl_retrieved *retrieved, struct sl_error *err);

#define SL_DIVERSIFY_TIMES 4u /* k: results looked at ... */
#define SL_DIVERSIFY_MAX   256u /* ... but not more, unless k is */

/* How many results are looked at for k. */
uint32_t sl_diversify_count(uint32_t k);

/*
 * Order results so that each of the first k says something else than those before it: `diversity` 0 leaves them as
 * they are, 1 looks at nothing but difference. `dim` 0: the index has no vectors.
 *
 * Pre:     results[count] are sorted, best first.
 * Post:    the same results, those behind the k-th in their order; scores never rise down the list.
 * Owns:    nothing; works in `arena`.
 * Thread:  the snapshot's.
 * Blocks:  page faults; CPU.
 * Errors:  SL_REJECT too_large; SL_STOP corrupt
 */
enum sl_err sl_diversify(const struct sl_snapshot *snapshot, double diversity, uint32_t dim, uint32_t k,
                         struct sl_arena *arena, struct sl_result *results, uint32_t count,
                         struct sl_error *err);

#endif
