/* client.h -- the index as a benchmark uses it. Any failure of the library ends the program. */
#ifndef SLUICE_BENCH_CLIENT_H
#define SLUICE_BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

#define BENCH_K 10u

/* A new index in options->directory (or in its subdirectory `name`); 0, or an exit code. */
int bench_create(const struct bench_options *options, const char *name, uint32_t dim,
                 struct sl_index **ret_index);

/* A benchmark as a whole: read options and vectors, make the index, `run` it, free all of it. */
typedef int (*bench_run_fn)(const struct bench_options *options, struct sl_index *index,
                            const struct vectors *base, const struct vectors *queries);
int bench_on_index(int argc, char **argv, bench_run_fn run);
/* One that is there. */
struct sl_index *bench_reopen(const struct bench_options *options, uint32_t dim);

/* One document a vector: one chunk, one window, key = a number as text. */
struct sl_prepared *bench_prepare(struct sl_index *index, const float *vector, uint32_t key,
                                  uint32_t version);
void bench_apply(struct sl_batch *batch, struct sl_prepared *prepared);
void bench_remove(struct sl_batch *batch, uint32_t key, uint32_t version);
void bench_begin(struct sl_index *index, struct sl_batch **ret_batch);
void bench_commit(struct sl_batch *batch);
struct sl_snapshot *bench_snapshot(struct sl_index *index);

/* The BENCH_K nearest, as documents in the order they came, from 0; returns how many. */
uint32_t bench_search(const struct sl_snapshot *snapshot, const float *query, uint32_t ef,
                      bool exact, uint32_t ret_numbers[BENCH_K], struct sl_search_stats *ret_stats);

void bench_stats(struct sl_index *index, struct sl_index_stats *ret_stats);

double bench_seconds(void);     /* of the wall's clock                        */
double bench_cpu_seconds(void); /* of all threads of this process             */

/*
 * What /proc knows of this process; bench_growth() is what came since `before`. Written bytes are
 * those handed to write calls: /proc's own count of bytes on their way to the disk takes a whole
 * large folio of the page cache for each page written in it, and is many times too high.
 */
struct bench_usage {
    uint64_t rss_bytes;  /* resident: its own memory and pages of files */
    uint64_t anon_bytes; /* its own memory alone                        */
    uint64_t peak_bytes; /* the most that was ever resident           */
    uint64_t written_bytes;
};
struct bench_usage bench_usage(void);
struct bench_usage bench_growth(const struct bench_usage *before);

#endif
