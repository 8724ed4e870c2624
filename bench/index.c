/*
 * index.c -- `sluice-bench index`: build an index from a vector file with durable commits, then measure
 * recall, speed and latency of searches for each ef.
 *
 * With more threads than one, neighbours are looked for by all of them and applied by the first, block by
 * block; searches are divided among them. Truth is the file's; without one it is found by exact search.
 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vectors.h"

#define BLOCK 256u /* prepared side by side before they are applied */

struct build {
    struct sl_index *index;
    const struct vectors *base;
    uint32_t first, count;
    atomic_uint next;
    struct sl_prepared *prepared[BLOCK];
};

static void *prepare_some(void *context)
{
    struct build *build = context;
    uint32_t i;

    while ((i = atomic_fetch_add(&build->next, 1)) < build->count) {
        uint32_t at = build->first + i;
        build->prepared[i] = bench_prepare(build->index, vector_at(build->base, at), at, 1);
    }
    return NULL;
}

/* Run `work` in `threads` threads, this one included. */
static void together(uint32_t threads, void *(*work)(void *), void *context)
{
    pthread_t others[256];
    uint32_t started = 0;

    while (started + 1 < threads && pthread_create(&others[started], NULL, work, context) == 0)
        started++;
    (void)work(context);
    for (uint32_t i = 0; i < started; i++)
        (void)pthread_join(others[i], NULL);
}

static void build_index(struct sl_index *index, const struct vectors *base, uint32_t count,
                        const struct bench_options *options)
{
    struct build build = {.index = index, .base = base};
    uint32_t block = options->threads > 1 ? BLOCK : 1;

    for (uint32_t at = 0; at < count;) {
        struct sl_batch *batch;
        uint32_t end = count - at < options->commit ? count : at + options->commit;
        bench_begin(index, &batch);
        for (; at < end; at += build.count) {
            build.first = at;
            build.count = end - at < block ? end - at : block;
            atomic_store(&build.next, 0);
            together(build.count > 1 ? options->threads : 1, prepare_some, &build);
            for (uint32_t i = 0; i < build.count; i++)
                bench_apply(batch, build.prepared[i]);
        }
        bench_commit(batch);
    }
}

struct measure {
    struct sl_index *index;
    const struct vectors *queries;
    uint32_t ef;
    atomic_uint next;
    uint32_t *found; /* [queries][10] */
    double *seconds; /* [queries]     */
    atomic_ullong distances;
};

static void *search_some(void *context)
{
    struct measure *measure = context;
    uint32_t i;

    while ((i = atomic_fetch_add(&measure->next, 1)) < measure->queries->count) {
        struct sl_search_stats stats;
        double from = bench_seconds();
        struct sl_snapshot *snapshot = bench_snapshot(measure->index);
        (void)bench_search(snapshot, vector_at(measure->queries, i), measure->ef, false,
                           measure->found + i * 10, &stats);
        sl_snapshot_close(snapshot);
        measure->seconds[i] = bench_seconds() - from;
        atomic_fetch_add(&measure->distances, stats.distances);
    }
    return NULL;
}

static double recall_of(const uint32_t *found, const struct vectors *truth, uint32_t queries)
{
    uint64_t hits = 0;

    for (uint32_t q = 0; q < queries; q++)
        for (uint32_t i = 0; i < 10; i++)
            for (uint32_t j = 0; j < 10; j++)
                hits += found[q * 10 + i] ==
                        ((const uint32_t *)truth->values)[(size_t)q * truth->dim + j];
    return (double)hits / (10.0 * queries);
}

static int compare_seconds(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure_ef(struct measure *measure, uint32_t threads, const struct vectors *truth,
                       uint32_t vectors)
{
    uint32_t count = measure->queries->count;
    double seconds, rest;

    for (int warm = 1; warm >= 0; warm--) {
        atomic_store(&measure->next, 0);
        atomic_store(&measure->distances, 0);
        seconds = bench_seconds();
        together(threads, search_some, measure);
        rest = bench_seconds();
    }
    seconds = rest - seconds;
    qsort(measure->seconds, count, sizeof *measure->seconds, compare_seconds);
    printf("{\"phase\": \"search\", \"ef\": %u, \"recall@10\": %.4f, \"qps\": %.0f, "
           "\"p50_us\": %.1f, \"p99_us\": %.1f, \"distances\": %.0f, \"share\": %.4f}\n",
           measure->ef, recall_of(measure->found, truth, count), count / seconds,
           measure->seconds[count / 2] * 1e6, measure->seconds[count * 99 / 100] * 1e6,
           (double)measure->distances / count, (double)measure->distances / count / vectors);
    (void)fflush(stdout);
}

/* The true ten nearest, by comparing all. */
static int find_truth(struct sl_index *index, const struct vectors *queries,
                      struct vectors *ret_truth)
{
    struct sl_snapshot *snapshot = bench_snapshot(index);
    uint32_t *numbers = calloc((size_t)queries->count * 10, sizeof *numbers);

    for (uint32_t q = 0; numbers != NULL && q < queries->count; q++)
        (void)bench_search(snapshot, vector_at(queries, q), 10, true, numbers + q * 10, NULL);
    sl_snapshot_close(snapshot);
    *ret_truth = (struct vectors){numbers, queries->count, 10};
    return numbers != NULL ? 0 : SL_EXIT_OS;
}

static int run(const struct bench_options *options, struct sl_index *index,
               const struct vectors *base, const struct vectors *queries)
{
    uint32_t count = base->count < options->limit ? base->count : options->limit;
    struct measure measure = {.index = index, .queries = queries};
    struct vectors truth = {0};
    double from = bench_seconds(), seconds;
    int code;

    build_index(index, base, count, options);
    seconds = bench_seconds() - from;
    printf("{\"phase\": \"build\", \"vectors\": %u, \"seconds\": %.2f, \"rate\": %.0f, "
           "\"disk_bytes\": %llu, \"rss_bytes\": %llu, \"threads\": %u, \"commit\": %u}\n",
           count, seconds, count / seconds, (unsigned long long)bench_disk_bytes(index, NULL),
           (unsigned long long)bench_rss_bytes(), options->threads, options->commit);
    (void)fflush(stdout);
    code = options->truth != NULL && count == base->count ? vectors_read(options->truth, &truth)
                                                          : find_truth(index, queries, &truth);
    measure.found = calloc((size_t)queries->count * 10, sizeof *measure.found);
    measure.seconds = calloc(queries->count, sizeof *measure.seconds);
    if (code == 0 && (count < 10 || truth.count < queries->count || truth.dim < 10)) {
        (void)fprintf(stderr, "sluice-bench: recall@10 needs 10 vectors at least, and 10 neighbours of each of "
                              "the %u queries\n", queries->count);
        code = SL_EXIT_DATA;
    }
    if (code == 0 && (measure.found == NULL || measure.seconds == NULL))
        code = SL_EXIT_OS;
    for (uint32_t i = 0; code == 0 && i < options->ef_count; i++) {
        measure.ef = options->efs[i];
        measure_ef(&measure, options->threads, &truth, count);
    }
    free(truth.values);
    free(measure.found);
    free(measure.seconds);
    return code;
}

int bench_index(int argc, char **argv)
{
    struct bench_options options;
    struct vectors base = {0}, queries = {0};
    struct sl_index *index = NULL;
    int code = bench_options_read(argc, argv, &options);

    if (code == 0)
        code = vectors_read_both(&options, &base, &queries);
    if (code == 0)
        code = bench_open(&options, base.dim, &index);
    if (code == 0)
        code = run(&options, index, &base, &queries);
    sl_index_close(index);
    free(base.values);
    free(queries.values);
    return code;
}
