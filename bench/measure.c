/*
 * measure.c -- how good and how fast searches are.
 *
 * A snapshot is held for a run of queries, as a caller with a stream of them may do; per query
 * there is the search, two readings of the clock and nothing else. The CPU's seconds are counted
 * beside the wall's: on a machine that does other work too they are what can be compared.
 */
#include "measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <sluice/error.h>

#define THREADS_MAX 256u
#define RUN         32u /* queries a thread takes at once */

int measure_init(const struct vectors *queries, struct measure *ret_measure)
{
    *ret_measure = (struct measure){
        .queries = queries,
        .found = calloc((size_t)queries->count * BENCH_K, sizeof *ret_measure->found),
        .seconds = calloc(queries->count, sizeof *ret_measure->seconds)};
    return ret_measure->found != NULL && ret_measure->seconds != NULL ? 0 : SL_EXIT_OS;
}

void measure_fini(struct measure *measure)
{
    free(measure->found);
    free(measure->seconds);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double measure_quantile(double *values, uint32_t count, double share)
{
    uint32_t at = (uint32_t)(share * count);

    qsort(values, count, sizeof *values, compare_doubles);
    return values[at < count ? at : count - 1];
}

struct pass {
    struct measure *measure;
    struct sl_index *index;
    uint32_t ef, hold;
    atomic_uint next;
    atomic_ullong distances;
};

static uint64_t search_run(struct pass *pass, const struct sl_snapshot *snapshot, uint32_t from,
                           uint32_t to)
{
    struct measure *measure = pass->measure;
    uint64_t distances = 0;

    for (uint32_t i = from; i < to; i++) {
        struct sl_search_stats stats;
        double start = bench_seconds();
        uint32_t *found = measure->found + (size_t)i * BENCH_K;
        uint32_t have =
            bench_search(snapshot, vector_at(measure->queries, i), pass->ef, false, found, &stats);
        measure->seconds[i] = bench_seconds() - start;
        distances += stats.distances;
        while (have < BENCH_K)
            found[have++] = UINT32_MAX;
    }
    return distances;
}

static void *search_some(void *context)
{
    struct pass *pass = context;
    uint32_t count = pass->measure->queries->count, held = 0, from;
    struct sl_snapshot *snapshot = NULL;
    uint64_t distances = 0;

    while ((from = atomic_fetch_add(&pass->next, RUN)) < count) {
        uint32_t to = from + RUN < count ? from + RUN : count;
        if (snapshot == NULL)
            snapshot = bench_snapshot(pass->index);
        distances += search_run(pass, snapshot, from, to);
        held += to - from;
        if (held >= pass->hold) {
            snapshot = sl_snapshot_close(snapshot);
            held = 0;
        }
    }
    sl_snapshot_close(snapshot);
    atomic_fetch_add(&pass->distances, distances);
    return NULL;
}

static double recall_of(const struct measure *measure)
{
    uint64_t hits = 0;

    for (uint32_t q = 0; q < measure->queries->count; q++)
        for (uint32_t i = 0; i < BENCH_K; i++)
            for (uint32_t j = 0; j < BENCH_K; j++)
                hits += measure->found[q * BENCH_K + i] ==
                        measure->truth[(size_t)q * measure->truth_dim + j];
    return (double)hits / ((double)BENCH_K * measure->queries->count);
}

void measure_search(struct measure *measure, struct sl_index *index, uint32_t ef, uint32_t threads,
                    uint32_t hold, struct measure_result *ret_result)
{
    struct pass pass = {.measure = measure, .index = index, .ef = ef, .hold = hold};
    uint32_t count = measure->queries->count, started = 0;
    pthread_t others[THREADS_MAX];
    double from = bench_seconds(), cpu = bench_cpu_seconds();

    while (started + 1 < threads && started < THREADS_MAX &&
           pthread_create(&others[started], NULL, search_some, &pass) == 0)
        started++;
    (void)search_some(&pass);
    for (uint32_t i = 0; i < started; i++)
        (void)pthread_join(others[i], NULL);
    ret_result->qps = count / (bench_seconds() - from);
    ret_result->cpu_qps = count / (bench_cpu_seconds() - cpu);
    ret_result->recall = recall_of(measure);
    ret_result->distances = (double)atomic_load(&pass.distances) / count;
    ret_result->p99_us = measure_quantile(measure->seconds, count, 0.99) * 1e6;
    ret_result->p50_us = measure->seconds[count / 2] * 1e6;
}

void measure_truth(struct sl_index *index, const struct vectors *queries, uint32_t *ret_truth)
{
    struct sl_snapshot *snapshot = bench_snapshot(index);

    for (uint32_t q = 0; q < queries->count; q++) {
        uint32_t *row = ret_truth + (size_t)q * BENCH_K;
        uint32_t have = bench_search(snapshot, vector_at(queries, q), BENCH_K, true, row, NULL);
        while (have < BENCH_K)
            row[have++] = UINT32_MAX - 1;
    }
    sl_snapshot_close(snapshot);
}
