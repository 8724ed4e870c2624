/* measure.h -- how good and how fast searches are. */
#ifndef SLUICE_BENCH_MEASURE_H
#define SLUICE_BENCH_MEASURE_H

#include "client.h"

struct measure {
    const struct vectors *queries;
    const uint32_t *truth; /* [queries][truth_dim], the first BENCH_K count */
    uint32_t truth_dim;
    uint32_t *found; /* [queries][BENCH_K] */
    double *seconds; /* [queries]          */
};

struct measure_result {
    double recall, qps, cpu_qps, p50_us, p99_us, distances;
};

/* Room for `queries`; measure_fini() frees it. 0, or an exit code. */
int measure_init(const struct vectors *queries, struct measure *ret_measure);
void measure_fini(struct measure *measure);

/* Every query once, by `threads`, each with a snapshot it renews after `hold` queries. */
void measure_search(struct measure *measure, struct sl_index *index, uint32_t ef, uint32_t threads,
                    uint32_t hold, struct measure_result *ret_result);

/* The true nearest of each query by comparing all, into ret_truth [queries][BENCH_K]. */
void measure_truth(struct sl_index *index, const struct vectors *queries, uint32_t *ret_truth);

/* The value `share` (0 to 1) of them are not above; sorts. */
double measure_quantile(double *values, uint32_t count, double share);

#endif
