/*
 * gemm.c -- the only file that calls oneDNN.
 *
 * dnnl_sgemm on weights stored [in][out] runs within a few per cent of this processor's peak from
 * 12 rows on, without a primitive to build or cache per shape; the [out][in] order of checkpoints
 * was 5 to 15 % slower. Debian's build parallelises with OpenMP: threads that spin beside other
 * work made everything four times slower, so each caller tells OpenMP to keep to one thread.
 */
#include "embed/gemm.h"

#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>

#include <sluice/error.h>

#define ALIGNMENT 64

/* Of the OpenMP runtime that oneDNN is linked with. Declared here because omp.h comes with a
 * compiler's own runtime, and that need not be the same one. */
void omp_set_num_threads(int count);

void sl_gemm_enter(void)
{
    omp_set_num_threads(1);
}

bool sl_weights_init(struct sl_weights *weights, const float *values, uint32_t out, uint32_t in)
{
    size_t bytes = (size_t)in * out * sizeof(float);

    weights->in = in;
    weights->out = out;
    weights->values = aligned_alloc(ALIGNMENT, (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    if (weights->values == NULL)
        return false;
    for (uint32_t o = 0; o < out; o++)
        for (uint32_t i = 0; i < in; i++)
            weights->values[(size_t)i * out + o] = values[(size_t)o * in + i];
    return true;
}

void sl_weights_fini(struct sl_weights *weights)
{
    free(weights->values);
    weights->values = NULL;
}

static void multiply(char b_order, struct sl_block a, struct sl_block b, struct sl_block ret,
                     uint32_t m, uint32_t n, uint32_t k)
{
    dnnl_status_t status = dnnl_sgemm('N', b_order, m, n, k, 1.0f, a.values, a.stride, b.values,
                                      b.stride, 0.0f, ret.values, ret.stride);

    SL_INVARIANT(status == dnnl_success); /* fails on bad arguments only */
}

void sl_gemm_linear(const struct sl_weights *weights, const float *x, uint32_t rows, float *ret)
{
    multiply('N', (struct sl_block){(float *)(uintptr_t)x, weights->in},
             (struct sl_block){weights->values, weights->out}, (struct sl_block){ret, weights->out},
             rows, weights->out, weights->in);
}

void sl_gemm_dot(struct sl_block a, struct sl_block b, struct sl_block ret, uint32_t m, uint32_t n,
                 uint32_t k)
{
    multiply('T', a, b, ret, m, n, k);
}

void sl_gemm_mix(struct sl_block a, struct sl_block b, struct sl_block ret, uint32_t m, uint32_t n,
                 uint32_t k)
{
    multiply('N', a, b, ret, m, n, k);
}
