/*
 * sluice/eval.h -- how good a ranking is: the arithmetic, and nothing else.
 *
 * A ranking is given as the grade of each document found, best first: 0 is not relevant, more is better. Gains
 * are linear and discounts log2(rank + 1), as trec_eval and BEIR have them.
 */
#ifndef SLUICE_EVAL_H
#define SLUICE_EVAL_H

#include <stdint.h>

/*
 * Normalised discounted cumulative gain of the first k: [0, 1].
 *
 * Shape:   grades is int32_t[count], in the order found; ideal is int32_t[ideal_count], every judged grade of
 *          the question, greatest first.
 * Post:    0 when nothing is relevant.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
double sl_eval_ndcg(const int32_t *grades, uint32_t count, const int32_t *ideal,
                    uint32_t ideal_count, uint32_t k);

/*
 * Share of the relevant documents that are among the first k.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
double sl_eval_recall(const int32_t *grades, uint32_t count, uint32_t relevant_count, uint32_t k);

/*
 * 1 / rank of the first relevant document among the first k; 0 when there is none.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
double sl_eval_mrr(const int32_t *grades, uint32_t count, uint32_t k);

/*
 * Mean of per-question values.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
double sl_eval_mean(const double *values, uint32_t count);

/*
 * Bootstrap interval of the mean: 2,000 resamples from a fixed seed, so that a run can be repeated.
 *
 * Post:    *ret_low <= mean <= *ret_high up to chance; both are the mean when count < 2.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  CPU: 2,000 x count.
 * Errors:  none.
 */
void sl_eval_ci95(const double *values, uint32_t count, double *ret_low, double *ret_high);

#endif
