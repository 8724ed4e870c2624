/*
 * kernels.h -- the arithmetic of an encoder that is not a matrix product.
 *
 * Each is written once, over vectors of 16 floats, and compiled for several instruction sets; the
 * table for this processor is chosen when a model is opened. Results differ between the sets in the
 * last bits only.
 */
#ifndef SLUICE_EMBED_KERNELS_H
#define SLUICE_EMBED_KERNELS_H

#include <stdint.h>

struct sl_kernels {
    /* rows[count][width] = gelu(rows + bias), the erf form. */
    void (*bias_gelu)(float *rows, uint32_t count, uint32_t width, const float *bias);
    /* rows[count][width] += bias */
    void (*bias)(float *rows, uint32_t count, uint32_t width, const float *bias);
    /* rows = layer_norm(rows + added + bias) * scale + shift */
    void (*add_norm)(float *rows, const float *added, uint32_t count, uint32_t width,
                     const float *bias, const float *scale, const float *shift, float epsilon);
    /* rows[count][width], `stride` apart, = softmax(rows * factor) */
    void (*softmax)(float *rows, uint32_t count, uint32_t width, uint32_t stride, float factor);
    const char *name; /* of the instruction set */
};

/* For the processor this runs on. Thread: any. */
const struct sl_kernels *sl_kernels_best(void);

/* Every variant this processor can run, NULL at the end: for tests that compare them. */
const struct sl_kernels *const *sl_kernels_all(void);

#endif
