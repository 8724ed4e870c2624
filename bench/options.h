/* options.h -- what the benchmarks of the index take on the command line. */
#ifndef SLUICE_BENCH_OPTIONS_H
#define SLUICE_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/index.h>

#include "plan.h"
#include "vectors.h"

#define BENCH_EFS_MAX 16u

struct bench_options {
    const char *base, *query, *truth, *directory, *plan;
    enum sl_metric metric;
    enum sl_storage storage;
    enum plan_kind kind;
    uint32_t m, ef_construction, threads, commit, limit, rounds, every, repeat, hold;
    uint32_t efs[BENCH_EFS_MAX], ef_count;
    double fraction;
    bool session;  /* an ef a line on standard input, after the build */
    bool existing; /* `open` what is there; fill nothing               */
};

/* 0, or an exit code; the message has gone to standard error. */
int bench_options_read(int argc, char **argv, struct bench_options *ret_options);

/* The base and the queries, of one dimension. */
int bench_read_vectors(const struct bench_options *options, struct vectors *ret_base,
                       struct vectors *ret_queries);

const char *bench_storage_name(enum sl_storage storage);

#endif
