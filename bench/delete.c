/*
 * delete.c -- `sluice-bench delete`: what taking a document out costs.
 *
 * A fifth of the documents, spread evenly, goes in durable batches. Counted are the call alone (the
 * document's records, postings and attributes, and its vector out of the graph) and the call with
 * its share of the commit.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include <sluice/error.h>

#include "fill.h"
#include "measure.h"

#define EVERY 5u

static int run(const struct bench_options *options, struct sl_index *index,
               const struct vectors *base, const struct vectors *queries)
{
    uint32_t count = base->count / EVERY;
    double *seconds = calloc(count + (size_t)1, sizeof *seconds), calls = 0, all = 0, cpu;
    struct sl_index_stats stats;
    struct sl_batch *batch = NULL;

    (void)queries;
    if (seconds == NULL || count == 0)
        return seconds == NULL ? SL_EXIT_OS : SL_EXIT_DATA;
    fill_vectors(index, base, 0, base->count, options->threads, options->commit);
    all = bench_seconds();
    cpu = bench_cpu_seconds();
    for (uint32_t i = 0; i < count; i++) {
        double from;
        if (i % options->commit == 0)
            bench_begin(index, &batch);
        from = bench_seconds();
        bench_remove(batch, i * EVERY, 2);
        calls += seconds[i] = bench_seconds() - from;
        if (i % options->commit == options->commit - 1 || i + 1 == count)
            bench_commit(batch);
    }
    all = bench_seconds() - all;
    cpu = bench_cpu_seconds() - cpu;
    bench_stats(index, &stats);
    printf("{\"phase\": \"delete\", \"vectors\": %u, \"deleted\": %u, \"call_us\": %.1f, "
           "\"call_p50_us\": %.1f, \"call_p99_us\": %.1f, \"with_commit_us\": %.1f, "
           "\"cpu_us\": %.1f, \"unreachable\": %llu, \"commit\": %u}\n",
           base->count, count, calls / count * 1e6, measure_quantile(seconds, count, 0.5) * 1e6,
           measure_quantile(seconds, count, 0.99) * 1e6, all / count * 1e6, cpu / count * 1e6,
           (unsigned long long)stats.unreachable, options->commit);
    free(seconds);
    return 0;
}

int bench_delete(int argc, char **argv)
{
    return bench_on_index(argc, argv, run);
}
