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
#define EXCHANGES 10000u

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

/* The interval of the mean of second - first; of second when first is NULL. */
static void bootstrap(const double *first, const double *second, uint32_t count, double *ret_low,
                      double *ret_high)
{
    double means[RESAMPLES];
    uint64_t state = 20151216;

    for (uint32_t r = 0; r < RESAMPLES; r++) {
        double sum = 0;

        for (uint32_t i = 0; i < count; i++) {
            uint64_t drawn = next_random(&state) % count;
            sum += second[drawn] - (first != NULL ? first[drawn] : 0);
        }
        means[r] = sum / count;
    }
    qsort(means, RESAMPLES, sizeof(*means), ascending);
    *ret_low = means[RESAMPLES * 25 / 1000];
    *ret_high = means[RESAMPLES * 975 / 1000 - 1];
}

void sl_eval_ci95(const double *values, uint32_t count, double *ret_low, double *ret_high)
{
    *ret_low = *ret_high = sl_eval_mean(values, count);
    if (count >= 2)
        bootstrap(NULL, values, count, ret_low, ret_high);
}

static double exchanged_p(const double *first, const double *second, uint32_t count,
                          double difference)
{
    double least = fabs(difference) * count - 1e-9;
    uint64_t state = 20151216, bits = 0;
    uint32_t as_great = 1;

    for (uint32_t r = 0; r < EXCHANGES; r++) {
        double sum = 0;

        for (uint32_t i = 0; i < count; i++) {
            bits = i % 64 == 0 ? next_random(&state) : bits >> 1;
            sum += bits & 1 ? second[i] - first[i] : first[i] - second[i];
        }
        as_great += fabs(sum) >= least;
    }
    return as_great / (EXCHANGES + 1.0);
}

void sl_eval_compare(const double *first, const double *second, uint32_t count,
                     struct sl_paired *ret)
{
    *ret = (struct sl_paired){.difference =
                                  sl_eval_mean(second, count) - sl_eval_mean(first, count)};
    ret->low = ret->high = ret->difference;
    ret->p = 1;
    for (uint32_t i = 0; i < count; i++) {
        ret->wins += second[i] > first[i];
        ret->losses += second[i] < first[i];
        ret->ties += !(second[i] > first[i]) && !(second[i] < first[i]);
    }
    if (count < 2)
        return;
    bootstrap(first, second, count, &ret->low, &ret->high);
    ret->p = exchanged_p(first, second, count, ret->difference);
}
