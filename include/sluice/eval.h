/*
 * sluice/eval.h -- how good a ranking or an answer is: the arithmetic, and nothing else.
 *
 * A ranking is given as the grade of each document found, best first: 0 is not relevant, more is better. Gains
 * are linear and discounts log2(rank + 1), as trec_eval and BEIR have them.
 */
#ifndef SLUICE_EVAL_H
#define SLUICE_EVAL_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/view.h>

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

/* Two runs over the same questions, as the second minus the first. */
struct sl_paired {
    double difference; /* of the means */
    double low, high;  /* its bootstrap 95 % interval */
    double p;          /* two-sided: how often chance alone, by exchanging the runs question by question,
                          makes as great a difference */
    uint32_t wins, losses, ties; /* of the second */
};

/*
 * Compare two runs: 2,000 resamples of questions and 10,000 exchanges, from a fixed seed.
 *
 * Shape:   both are [count], in the order of the questions.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  CPU: 12,000 x count.
 * Errors:  none.
 */
void sl_eval_compare(const double *first, const double *second, uint32_t count,
                     struct sl_paired *ret);

/*
 * How well a score tells two groups apart: the chance that one of `positives` is above one of `negatives`,
 * ties counting half. 0.5 is guessing.
 *
 * Pre:     both counts > 0. Scores are finite.
 * Shape:   both arrays are sorted in place.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  CPU: n log n.
 * Errors:  none.
 */
double sl_eval_auroc(double *positives, uint32_t positive_count, double *negatives,
                     uint32_t negative_count);

/*
 * The threshold at which the two groups are told apart with the greatest mean of the two rates.
 *
 * Pre:     as sl_eval_auroc(), whose sorting is expected.
 * Post:    *ret_accuracy is that mean; scores >= the result are taken as positive.
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  CPU: linear.
 * Errors:  none.
 */
double sl_eval_threshold(const double *positives, uint32_t positive_count, const double *negatives,
                         uint32_t negative_count, double *ret_accuracy);

/*
 * SQuAD's measures of an answer against one accepted answer: lower case, no ASCII punctuation, no articles,
 * single spaces; then equality, or F1 of the words. Take the greatest over all accepted answers.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  CPU: words of the answer x words of the accepted one.
 * Errors:  none.
 */
bool sl_eval_exact(struct sl_view answer, struct sl_view accepted);
double sl_eval_f1(struct sl_view answer, struct sl_view accepted);

#endif
