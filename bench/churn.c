/*
 * churn.c -- `sluice-bench churn`: what replacing documents round after round does to recall, speed, size
 * and reachability.
 *
 * Four fifths of the file's vectors are live at first. Each round replaces a share of the live documents,
 * drawn at random, by vectors that are not in the index. Recall is against exact search of that round.
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "vectors.h"

#define QUERIES_MAX 300u

struct churn {
    struct sl_index *index;
    const struct vectors *base, *queries;
    uint32_t *vector_of; /* per document: which vector it has now */
    uint32_t *spare;     /* vectors not in the index */
    uint32_t live, spare_count;
    uint64_t random;
};

static uint32_t draw(struct churn *churn, uint32_t below)
{
    uint64_t z = (churn->random += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ (z >> 31)) % below);
}

static void put(struct churn *churn, struct sl_batch *batch, uint32_t document, uint32_t version)
{
    const float *vector = vector_at(churn->base, churn->vector_of[document]);

    bench_apply(batch, bench_prepare(churn->index, vector, document, version));
}

static void fill(struct churn *churn, uint32_t commit)
{
    for (uint32_t at = 0; at < churn->live;) {
        struct sl_batch *batch;
        bench_begin(churn->index, &batch);
        for (uint32_t i = 0; i < commit && at < churn->live; i++, at++)
            put(churn, batch, at, 1);
        bench_commit(batch);
    }
}

static void replace(struct churn *churn, uint32_t count, uint32_t commit, uint32_t round)
{
    for (uint32_t done = 0; done < count;) {
        struct sl_batch *batch;
        bench_begin(churn->index, &batch);
        for (uint32_t i = 0; i < commit && done < count; i++, done++) {
            uint32_t document = draw(churn, churn->live), at = draw(churn, churn->spare_count);
            uint32_t old = churn->vector_of[document];
            churn->vector_of[document] = churn->spare[at];
            churn->spare[at] = old;
            put(churn, batch, document, round * churn->live + done + 2);
        }
        bench_commit(batch);
    }
}

static void report(struct churn *churn, uint32_t round, uint32_t ef, double rate)
{
    struct sl_snapshot *snapshot = bench_snapshot(churn->index);
    uint32_t queries =
        churn->queries->count < QUERIES_MAX ? churn->queries->count : QUERIES_MAX;
    uint32_t found[10], truth[10];
    uint64_t hits = 0, wanted = 0, distances = 0, unreachable, disk;
    double seconds = 0;

    for (uint32_t q = 0; q < queries; q++) {
        const float *query = vector_at(churn->queries, q);
        struct sl_search_stats stats;
        uint32_t have, true_count = bench_search(snapshot, query, ef, true, truth, NULL);
        double from = bench_seconds();
        have = bench_search(snapshot, query, ef, false, found, &stats);
        seconds += bench_seconds() - from;
        distances += stats.distances;
        wanted += true_count;
        for (uint32_t i = 0; i < have; i++)
            for (uint32_t j = 0; j < true_count; j++)
                hits += found[i] == truth[j];
    }
    sl_snapshot_close(snapshot);
    disk = bench_disk_bytes(churn->index, &unreachable);
    printf("{\"phase\": \"churn\", \"round\": %u, \"recall@10\": %.4f, \"unreachable\": %llu, "
           "\"disk_bytes\": %llu, \"rate\": %.0f, \"search_us\": %.1f, \"distances\": %.0f}\n",
           round, (double)hits / (double)wanted, (unsigned long long)unreachable,
           (unsigned long long)disk, rate, seconds / queries * 1e6,
           (double)distances / queries);
    (void)fflush(stdout);
}

static int run(const struct bench_options *options, struct churn *churn)
{
    uint32_t total = churn->base->count < options->limit ? churn->base->count : options->limit;
    uint32_t count;
    double from = bench_seconds();

    churn->live = total - total / 5;
    churn->spare_count = total - churn->live;
    if (total < 50) {
        (void)fprintf(stderr, "sluice-bench: %u vectors; churn needs 50 at least\n", total);
        return SL_EXIT_DATA;
    }
    churn->vector_of = calloc(churn->live + 1, sizeof *churn->vector_of);
    churn->spare = calloc(churn->spare_count + 1, sizeof *churn->spare);
    if (churn->vector_of == NULL || churn->spare == NULL)
        return SL_EXIT_OS;
    for (uint32_t i = 0; i < churn->live; i++)
        churn->vector_of[i] = i;
    for (uint32_t i = 0; i < churn->spare_count; i++)
        churn->spare[i] = churn->live + i;
    fill(churn, options->commit);
    report(churn, 0, options->efs[0], churn->live / (bench_seconds() - from));
    count = (uint32_t)(options->fraction * churn->live);
    for (uint32_t round = 1; round <= options->rounds; round++) {
        from = bench_seconds();
        replace(churn, count > 0 ? count : 1, options->commit, round);
        report(churn, round, options->efs[0], count / (bench_seconds() - from));
    }
    return 0;
}

int bench_churn(int argc, char **argv)
{
    struct bench_options options;
    struct vectors base = {0}, queries = {0};
    struct churn churn = {.base = &base, .queries = &queries, .random = 1};
    int code = bench_options_read(argc, argv, &options);

    if (code == 0)
        code = vectors_read_both(&options, &base, &queries);
    if (code == 0)
        code = bench_open(&options, base.dim, &churn.index);
    if (code == 0)
        code = run(&options, &churn);
    sl_index_close(churn.index);
    free(churn.vector_of);
    free(churn.spare);
    free(base.values);
    free(queries.values);
    return code;
}
