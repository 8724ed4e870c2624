/*
 * kernels.h -- the arithmetic of an encoder that is not a product: what happens to sums on the way
 * out of a tile, and to rows between products.
 *
 * Each is written once, over vectors of 16 floats, and compiled for several instruction sets; the
 * table for this processor is chosen when a model is opened. Results differ between the sets in the
 * last bits only. Strides are in bytes.
 */
#ifndef SLUICE_EMBED_KERNELS_H
#define SLUICE_EMBED_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "embed/precision.h"

/* What becomes of the sums of a tile. */
enum sl_finish {
    SL_FINISH_RAW = 0,   /* float */
    SL_FINISH_BIAS,      /* float, bias added */
    SL_FINISH_BIAS_BF16, /* the same, as bf16 */
    SL_FINISH_GELU,      /* float, bias added, GELU in the erf form */
    SL_FINISH_GELU_BF16
};

#define SL_FINISH_COUNT 5

/* Sums [rows][SL_TILE_COLUMNS], without gaps, on their way to `ret`. */
struct sl_finish_job {
    const void *sums;
    uint32_t rows;
    const float *bias;                    /* [SL_TILE_COLUMNS] */
    const float *scales, *shares;         /* int8: [SL_TILE_COLUMNS], see struct sl_weights */
    const float *row_scales, *row_minima; /* int8: [rows] */
    void *ret;
    size_t ret_stride;
};

struct sl_kernels {
    const char *name; /* of the instruction set */
    /* By the precision the sums come from. GELU is exact to 1e-6 in f32, to 5e-5 in the others. */
    void (*finish[SL_PRECISION_COUNT][SL_FINISH_COUNT])(const struct sl_finish_job *job);
    /* rows[count][width] = layer_norm(rows + added + bias) * scale + shift */
    void (*add_norm)(float *rows, const float *added, size_t added_stride, uint32_t count,
                     uint32_t width, const float *bias, const float *scale, const float *shift,
                     float epsilon);
    /* scores[count][width] = e^(factor * (scores - the row's largest)); ret_factors[count] is what
     * makes a row's sum 1. With `_bf16` the results are bf16 from each row's first byte on. Rows
     * have room up to the next multiple of 16; what is there comes out as nearly 0. */
    void (*exps)(float *scores, size_t stride, uint32_t count, uint32_t width, float factor,
                 float *ret_factors);
    void (*exps_bf16)(float *scores, size_t stride, uint32_t count, uint32_t width, float factor,
                      float *ret_factors);
    /* ret[count][width] = values, each row times its factor */
    void (*scale_rows)(const float *values, size_t stride, uint32_t count, uint32_t width,
                       const float *factors, void *ret, size_t ret_stride);
    void (*scale_rows_bf16)(const float *values, size_t stride, uint32_t count, uint32_t width,
                            const float *factors, void *ret, size_t ret_stride);
    void (*to_bf16)(const float *values, size_t stride, uint32_t count, uint32_t width, void *ret,
                    size_t ret_stride);
    /* value = minimum + scale * code, by row */
    void (*to_int8)(const float *values, size_t stride, uint32_t count, uint32_t width, void *ret,
                    size_t ret_stride, float *ret_scales, float *ret_minima);
};

/* For the processor this runs on. Thread: any. */
const struct sl_kernels *sl_kernels_best(void);

/* Every variant this processor can run, NULL at the end: for tests that compare them. */
const struct sl_kernels *const *sl_kernels_all(void);

#endif
