/*
 * linear.h -- a linear layer: rows times a weight matrix packed for tiles, and what becomes of the
 * sums, in one go.
 *
 *     float rows --sl_operand_of--> operand --sl_linear--> rows, out of a finish
 *
 * Each call runs on the calling thread alone: callers are parallel, products are not. What becomes
 * of a row does not depend on the rows beside it.
 */
#ifndef SLUICE_EMBED_LINEAR_H
#define SLUICE_EMBED_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "embed/kernels.h"
#include "embed/tiles.h"

/* Rows that sl_linear() takes at most: what lies between two layers then fits a second-level
 * cache. */
#define SL_LINEAR_ROWS_MAX 56u

/* What computes: chosen once for a precision. */
struct sl_machine {
    const struct sl_tile *tile;
    const struct sl_kernels *kernels;
};

/* The weights of a layer, packed: panels of 32 outputs, each [depth][32] groups; outputs and inputs
 * that fill the last panel and group up are 0. */
struct sl_weights {
    uint32_t in, out;
    uint32_t depth;       /* groups along the inputs */
    uint32_t panel_count; /* of SL_TILE_COLUMNS outputs */
    void *panels;
    float *bias;   /* [panel_count * 32] */
    float *scales; /* int8: [panel_count * 32] what 1 in a code of this output stands for */
    float *shares; /* int8: [panel_count * 32] the output for a row of ones */
};

/* Rows as tiles read them. */
struct sl_operand {
    const void *values;
    size_t stride;       /* bytes */
    const float *scales; /* int8: [rows] */
    const float *minima; /* int8: [rows] */
};

/* Where sl_operand_of() may put up to SL_LINEAR_ROWS_MAX rows. */
struct sl_operand_space {
    void *values;
    size_t stride;
    float scales[SL_LINEAR_ROWS_MAX];
    float minima[SL_LINEAR_ROWS_MAX];
};

/* Bytes of a row of `width` values as an operand, and of `width` floats on the way out. */
size_t sl_operand_bytes(enum sl_precision precision, uint32_t width);
size_t sl_linear_out_bytes(uint32_t width);

/*
 * Arrange weights float[out][in] and bias[out], as checkpoints store them.
 *
 * Owns:    copies them; release with sl_weights_fini(), also after a failure.
 * Thread:  any.
 * Blocks:  CPU.
 * Errors:  false: out of memory
 */
bool sl_weights_init(struct sl_weights *weights, enum sl_precision precision, const float *values,
                     const float *bias, uint32_t out, uint32_t in);
void sl_weights_fini(struct sl_weights *weights);

/* Room for rows of up to `width` values. False when out of memory. */
bool sl_operand_space_init(struct sl_operand_space *space, enum sl_precision precision,
                           uint32_t width);
void sl_operand_space_fini(struct sl_operand_space *space);

/*
 * Float rows, `stride` bytes apart, as an operand of the machine's precision: f32 points at the
 * values themselves, the others are written to `space`.
 *
 * Pre:     rows <= SL_LINEAR_ROWS_MAX.
 */
struct sl_operand sl_operand_of(const struct sl_machine *machine, struct sl_operand_space *space,
                                const float *values, size_t stride, uint32_t rows, uint32_t width);

/*
 * ret = finish(x * transposed weights), rows `ret_stride` bytes apart. Writes whole panels: each
 * row of ret has room for sl_linear_out_bytes(out), or half of it when the finish gives bf16.
 *
 * Pre:     1 <= rows <= SL_LINEAR_ROWS_MAX.
 * Thread:  any.
 * Blocks:  CPU.
 */
void sl_linear(const struct sl_machine *machine, const struct sl_weights *weights,
               const struct sl_operand *x, uint32_t rows, enum sl_finish finish, void *ret,
               size_t ret_stride);

/* Rows of the tile that is `number` of those that `rows` rows are best cut into; *first is its
 * first row. 0 behind the last. */
uint32_t sl_tile_cut(const struct sl_tile *tile, uint32_t rows, uint32_t number, uint32_t *first);

#endif
