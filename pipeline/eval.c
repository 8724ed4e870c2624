/*
 * eval.c -- the arithmetic of rankings.
 *
 * Kept apart from whoever asks the questions, so that the same figures come out of `sluicectl
 * eval`, the quality tests and the unit test, which holds it to values worked out by hand.
 */
#include <sluice/error.h>
#include <sluice/eval.h>

#include <math.h>
#include <stdlib.h>

#define RESAMPLES 2000u

static double discounted_gain(const int32_t *grades, uint32_t count, uint32_t k)
{
    double gain = 0;

    for (uint32_t i = 0; i < count && i < k; i++) {
        if (grades[i] > 0)
            gain += grades[i] / log2(i + 2.0);
    }
    return gain;
}

double sl_eval_ndcg(const int32_t *grades, uint32_t count, const int32_t *ideal,
                    uint32_t ideal_count, uint32_t k)
{
    double best = discounted_gain(ideal, ideal_count, k);

    return best > 0 ? discounted_gain(grades, count, k) / best : 0;
}

double sl_eval_recall(const int32_t *grades, uint32_t count, uint32_t relevant_count, uint32_t k)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < count && i < k; i++)
        found += grades[i] > 0;
    return relevant_count > 0 ? (double)found / relevant_count : 0;
}

double sl_eval_mrr(const int32_t *grades, uint32_t count, uint32_t k)
{
    for (uint32_t i = 0; i < count && i < k; i++) {
        if (grades[i] > 0)
            return 1.0 / (i + 1);
    }
    return 0;
}

double sl_eval_mean(const double *values, uint32_t count)
{
    double sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += values[i];
    return count > 0 ? sum / count : 0;
}

/* SplitMix64: good enough to draw with replacement, the same everywhere. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

void sl_eval_ci95(const double *values, uint32_t count, double *ret_low, double *ret_high)
{
    double means[RESAMPLES];
    uint64_t state = 20151216;

    *ret_low = *ret_high = sl_eval_mean(values, count);
    if (count < 2)
        return;
    for (uint32_t r = 0; r < RESAMPLES; r++) {
        double sum = 0;

        for (uint32_t i = 0; i < count; i++)
            sum += values[next_random(&state) % count];
        means[r] = sum / count;
    }
    qsort(means, RESAMPLES, sizeof(*means), ascending);
    *ret_low = means[RESAMPLES * 25 / 1000];
    *ret_high = means[RESAMPLES * 975 / 1000 - 1];
}
