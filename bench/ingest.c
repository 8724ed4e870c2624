/*
 * ingest.c -- `sluice-bench ingest`: what searches feel of ingestion.
 *
 * The first half of the base is in the index. The queries go round and round in this thread, each
 * with a snapshot of its own: first alone, then while another thread puts in the second half as
 * fast as it can with durable commits. Both passes see the same index but for what comes in
 * meanwhile. On a machine with fewer cores than threads the figure is of the scheduler, not of the
 * index.
 */
#include "bench.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/error.h>

#include "fill.h"
#include "measure.h"

#define SAMPLES_MAX (1u << 20)

struct ingest {
    const struct bench_options *options;
    struct sl_index *index;
    const struct vectors *base, *queries;
    uint32_t first;
    cpu_set_t cores;
    atomic_bool done;
    double *seconds; /* [SAMPLES_MAX] */
};

/* Keep this thread, and what it starts, on the last of the program's cores or on all others. */
static void stay_on(const cpu_set_t *all, bool last_core)
{
    cpu_set_t chosen;
    size_t last = CPU_SETSIZE - 1;

    if (CPU_COUNT(all) < 2)
        return;
    CPU_ZERO(&chosen);
    while (!CPU_ISSET(last, all))
        last--;
    CPU_SET(last, &chosen);
    if (!last_core)
        CPU_XOR(&chosen, all, &chosen);
    (void)pthread_setaffinity_np(pthread_self(), sizeof chosen, &chosen);
}

static void *ingest_rest(void *context)
{
    struct ingest *ingest = context;

    stay_on(&ingest->cores, false);
    fill_vectors(ingest->index, ingest->base, ingest->first, ingest->base->count - ingest->first,
                 ingest->options->threads, ingest->options->commit);
    atomic_store(&ingest->done, true);
    return NULL;
}

/* Search until `done`, at least `least` times; how often. */
static uint32_t search_on(struct ingest *ingest, uint32_t least)
{
    uint32_t count = 0, found[BENCH_K];

    while (count < SAMPLES_MAX && (count < least || !atomic_load(&ingest->done))) {
        struct sl_search_stats stats;
        double from = bench_seconds();
        struct sl_snapshot *snapshot = bench_snapshot(ingest->index);
        (void)bench_search(snapshot, vector_at(ingest->queries, count % ingest->queries->count),
                           ingest->options->efs[0], false, found, &stats);
        sl_snapshot_close(snapshot);
        ingest->seconds[count++] = bench_seconds() - from;
    }
    return count;
}

static double print_pass(struct ingest *ingest, const char *pass, uint32_t count, double rate)
{
    double p99 = measure_quantile(ingest->seconds, count, 0.99) * 1e6;

    printf("{\"phase\": \"ingest\", \"pass\": \"%s\", \"searches\": %u, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"max_us\": %.1f, \"inserts_per_s\": %.0f}\n",
           pass, count, ingest->seconds[count / 2] * 1e6, p99, ingest->seconds[count - 1] * 1e6,
           rate);
    return p99;
}

static int run(struct ingest *ingest)
{
    uint32_t half = ingest->base->count / 2, least = 2 * ingest->queries->count, count;
    double idle, busy, from;
    pthread_t writer;

    ingest->seconds = calloc(SAMPLES_MAX, sizeof *ingest->seconds);
    if (ingest->seconds == NULL)
        return SL_EXIT_OS;
    fill_vectors(ingest->index, ingest->base, 0, half, 2, ingest->options->commit);
    ingest->first = half;
    stay_on(&ingest->cores, true);
    atomic_store(&ingest->done, true);
    (void)search_on(ingest, ingest->queries->count); /* to warm up */
    count = search_on(ingest, least);
    idle = print_pass(ingest, "idle", count, 0);
    atomic_store(&ingest->done, false);
    from = bench_seconds();
    if (pthread_create(&writer, NULL, ingest_rest, ingest) != 0)
        return SL_EXIT_OS;
    count = search_on(ingest, 1);
    (void)pthread_join(writer, NULL);
    busy =
        print_pass(ingest, "busy", count, (ingest->base->count - half) / (bench_seconds() - from));
    printf("{\"phase\": \"ingest\", \"pass\": \"ratio\", \"p99_ratio\": %.2f}\n", busy / idle);
    return 0;
}

int bench_ingest(int argc, char **argv)
{
    struct bench_options options;
    struct vectors base = {0}, queries = {0};
    struct ingest ingest = {.options = &options, .base = &base, .queries = &queries};
    int code = bench_options_read(argc, argv, &options);

    if (code == 0)
        code = bench_read_vectors(&options, &base, &queries);
    if (code == 0)
        code = bench_create(&options, NULL, base.dim, &ingest.index);
    if (sched_getaffinity(0, sizeof ingest.cores, &ingest.cores) != 0)
        CPU_ZERO(&ingest.cores);
    if (code == 0)
        code = run(&ingest);
    sl_index_close(ingest.index);
    free(ingest.seconds);
    free(base.values);
    free(queries.values);
    return code;
}
