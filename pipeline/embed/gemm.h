/*
 * gemm.h -- matrix products. Everything is row-major float32 outside; how a weight matrix lies
 * inside is gemm.c's own.
 *
 * Each call runs on the calling thread alone: callers are parallel, products are not.
 */
#ifndef SLUICE_EMBED_GEMM_H
#define SLUICE_EMBED_GEMM_H

#include <stdbool.h>
#include <stdint.h>

/* The weights of a linear layer, arranged for multiplying. */
struct sl_weights {
    uint32_t in;
    uint32_t out;
    float *values;
};

/* Call once in a thread before its products: keeps the library from starting threads of its own for
 * it. */
void sl_gemm_enter(void);

/*
 * Arrange weights float[out][in], as checkpoints store them.
 *
 * Owns:    copies them; release with sl_weights_fini(). False when out of memory.
 * Thread:  any.
 * Blocks:  CPU.
 * Errors:  false
 */
bool sl_weights_init(struct sl_weights *weights, const float *values, uint32_t out, uint32_t in);
void sl_weights_fini(struct sl_weights *weights);

/* ret[rows][out] = x[rows][in] * transposed weights. Post: nothing of ret's old content is left. */
void sl_gemm_linear(const struct sl_weights *weights, const float *x, uint32_t rows, float *ret);

/* One matrix within a wider one: `stride` floats from row to row. */
struct sl_block {
    float *values;
    uint32_t stride;
};

/* ret[m][n] = a[m][k] * transposed b[n][k] */
void sl_gemm_dot(struct sl_block a, struct sl_block b, struct sl_block ret, uint32_t m, uint32_t n,
                 uint32_t k);
/* ret[m][n] = a[m][k] * b[k][n] */
void sl_gemm_mix(struct sl_block a, struct sl_block b, struct sl_block ret, uint32_t m, uint32_t n,
                 uint32_t k);

#endif
