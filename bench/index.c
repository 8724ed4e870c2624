/*
 * index.c -- `sluice-bench index`: build an index from a vector file with durable commits, then
 * measure recall, speed and latency of searches for each ef.
 *
 * Truth is the file's; without one, or with a part of the base, it is found by exact search. With
 * --session the process stays: each line of standard input is an ef and is answered by one line, so
 * that a script can alternate between engines that all have their index in memory.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <sluice/error.h>

#include "fill.h"
#include "measure.h"

static void build(const struct bench_options *options, struct sl_index *index,
                  const struct vectors *base)
{
    struct bench_usage usage = bench_usage();
    double from = bench_seconds(), cpu = bench_cpu_seconds();
    struct sl_index_stats stats;
    uint32_t count = base->count;

    fill_vectors(index, base, 0, count, options->threads, options->commit);
    from = bench_seconds() - from;
    cpu = bench_cpu_seconds() - cpu;
    usage = bench_growth(&usage);
    bench_stats(index, &stats);
    printf("{\"phase\": \"build\", \"vectors\": %u, \"storage\": \"%s\", \"seconds\": %.3f, "
           "\"cpu_seconds\": %.3f, \"rate\": %.0f, \"disk_bytes\": %llu, \"rss_bytes\": %llu, "
           "\"anon_bytes\": %llu, \"written_bytes\": %llu, \"written_per_insert\": %.0f, "
           "\"threads\": %u, \"commit\": %u}\n",
           count, bench_storage_name(options->storage), from, cpu, count / from,
           (unsigned long long)stats.disk_bytes, (unsigned long long)usage.rss_bytes,
           (unsigned long long)usage.anon_bytes, (unsigned long long)usage.written_bytes,
           (double)usage.written_bytes / count, options->threads, options->commit);
    (void)fflush(stdout);
}

/* Measure `repeat` times after one pass to warm up, and print the run of median speed. */
static void search(const struct bench_options *options, struct sl_index *index, uint32_t ef,
                   uint32_t repeat, struct measure *measure, uint32_t vectors)
{
    double *speeds = calloc(repeat, sizeof *speeds);
    struct measure_result result = {0};
    double qps;

    if (speeds == NULL)
        exit(SL_EXIT_OS);
    if (!options->session)
        measure_search(measure, index, ef, options->threads, options->hold, &result);
    for (uint32_t i = 0; i < repeat; i++) {
        measure_search(measure, index, ef, options->threads, options->hold, &result);
        speeds[i] = result.qps;
    }
    qps = measure_quantile(speeds, repeat, 0.5);
    printf("{\"phase\": \"search\", \"ef\": %u, \"recall@10\": %.4f, \"qps\": %.1f, "
           "\"cpu_qps\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"distances\": %.0f, "
           "\"share\": %.4f}\n",
           ef, result.recall, qps, result.cpu_qps, result.p50_us, result.p99_us, result.distances,
           result.distances / vectors);
    (void)fflush(stdout);
    free(speeds);
}

/* The truth of the file when it is of the whole base, else found here. 0, or an exit code. */
static int find_truth(const struct bench_options *options, struct sl_index *index,
                      const struct vectors *queries, struct vectors *ret_truth)
{
    uint32_t *numbers;

    if (options->truth != NULL && options->limit == UINT32_MAX)
        return vectors_read(options->truth, UINT32_MAX, ret_truth);
    numbers = calloc((size_t)queries->count * BENCH_K, sizeof *numbers);
    if (numbers == NULL)
        return SL_EXIT_OS;
    measure_truth(index, queries, numbers);
    *ret_truth = (struct vectors){numbers, queries->count, BENCH_K};
    return 0;
}

static int run(const struct bench_options *options, struct sl_index *index,
               const struct vectors *base, const struct vectors *queries)
{
    struct vectors truth = {0};
    struct measure measure = {0};
    uint32_t ef;
    int code;

    build(options, index, base);
    code = find_truth(options, index, queries, &truth);
    if (code == 0 &&
        (base->count < BENCH_K || truth.count < queries->count || truth.dim < BENCH_K)) {
        (void)fprintf(
            stderr,
            "sluice-bench: recall@10 needs 10 vectors at least, and 10 neighbours of each of "
            "the %u queries\n",
            queries->count);
        code = SL_EXIT_DATA;
    }
    if (code == 0)
        code = measure_init(queries, &measure);
    measure.truth = truth.values;
    measure.truth_dim = truth.dim;
    for (uint32_t i = 0; code == 0 && !options->session && i < options->ef_count; i++)
        search(options, index, options->efs[i], options->repeat, &measure, base->count);
    while (code == 0 && options->session && scanf("%u", &ef) == 1)
        search(options, index, ef, 1, &measure, base->count);
    measure_fini(&measure);
    free(truth.values);
    return code;
}

int bench_index(int argc, char **argv)
{
    return bench_on_index(argc, argv, run);
}
