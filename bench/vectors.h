/* vectors.h -- vector files, and an index filled from one, for the benchmarks of the index. */
#ifndef SLUICE_BENCH_VECTORS_H
#define SLUICE_BENCH_VECTORS_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/index.h>

/* An .fvecs or .ivecs file: per row a length and so many 4-byte values. */
struct vectors {
    void *values; /* float or int32_t [count][dim] */
    uint32_t count;
    uint32_t dim;
};

/* What both benchmarks take. */
struct bench_options {
    const char *base, *query, *truth, *directory, *storage;
    enum sl_metric metric;
    uint32_t m, ef_construction, threads, commit, limit, rounds;
    uint32_t efs[16], ef_count;
    double fraction;
};

/* 0, or an exit code; the message has gone to standard error. */
int vectors_read(const char *path, struct vectors *ret_vectors);
/* The base and the queries, of one dimension. */
int vectors_read_both(const struct bench_options *options, struct vectors *ret_base,
                      struct vectors *ret_queries);
int bench_options_read(int argc, char **argv, struct bench_options *ret_options);
int bench_open(const struct bench_options *options, uint32_t dim, struct sl_index **ret_index);

static inline const float *vector_at(const struct vectors *vectors, uint32_t at)
{
    return (const float *)vectors->values + (size_t)at * vectors->dim;
}

/* One document a vector, key = its number as text. Aborts the program on any failure: it is a benchmark. */
struct sl_prepared *bench_prepare(struct sl_index *index, const float *vector, uint32_t key,
                                  uint32_t version);
void bench_apply(struct sl_batch *batch, struct sl_prepared *prepared);
void bench_begin(struct sl_index *index, struct sl_batch **ret_batch);
void bench_commit(struct sl_batch *batch);
struct sl_snapshot *bench_snapshot(struct sl_index *index);
/* The ten nearest as vector numbers; returns how many. */
uint32_t bench_search(const struct sl_snapshot *snapshot, const float *query, uint32_t ef,
                      bool exact, uint32_t ret_numbers[10], struct sl_search_stats *ret_stats);
double bench_seconds(void);
uint64_t bench_rss_bytes(void);
uint64_t bench_disk_bytes(struct sl_index *index, uint64_t *ret_unreachable);

#endif
