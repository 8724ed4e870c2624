/*
 * linear.c -- a panel of 32 outputs at a time, all rows against it, tile by tile.
 *
 * A panel is read once for the rows of a call and stays in the first-level cache meanwhile; the
 * rows come from the second level again for each panel. Sums leave the registers for a small
 * buffer, from which they are finished (scaled, biased, bent, narrowed) while they are warm: cheap
 * beside the hundreds of steps that made them, and tiles need not know what becomes of their sums.
 *
 * Eight bits: a weight is scale * code by output (-127 to 127), a value minimum + scale * code by
 * row (0 to 255, which is what VPDPBUSD wants), so
 *
 *     sum over i of value_i * weight_i = row scale * output scale * (sum of code products)
 *                                        + minimum * (sum of the output's weights)
 *
 * where the last sum, a share, is made from the codes when they are packed. Scales by row rather
 * than by matrix keep one loud token from flattening the others, and a text's vector its own.
 */
#include "embed/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/error.h>

#define ALIGNMENT 64u
#define CODE_MAX  127

static void *new_zeros(size_t bytes)
{
    void *memory;

    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memory = aligned_alloc(ALIGNMENT, bytes);
    if (memory != NULL)
        memset(memory, 0, bytes);
    return memory;
}

static uint32_t groups_of(enum sl_precision precision, uint32_t width)
{
    const uint32_t group = sl_tile_group(precision);

    return (width + group - 1) / group;
}

size_t sl_operand_bytes(enum sl_precision precision, uint32_t width)
{
    return (size_t)groups_of(precision, width) * SL_TILE_GROUP_BYTES;
}

size_t sl_linear_out_bytes(uint32_t width)
{
    return (size_t)(width + SL_TILE_COLUMNS - 1) / SL_TILE_COLUMNS * SL_TILE_COLUMNS *
           sizeof(float);
}

/* ---- packing ---- */

static uint16_t bf16_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Where input i of output o lies, in values. */
static size_t place_of(const struct sl_weights *weights, uint32_t group, uint32_t o, uint32_t i)
{
    const size_t panel = (size_t)(o / SL_TILE_COLUMNS) * weights->depth;

    return ((panel + i / group) * SL_TILE_COLUMNS + o % SL_TILE_COLUMNS) * group + i % group;
}

/* One output in eight bits, with its scale and its share. */
static void pack_codes(struct sl_weights *weights, const float *values, uint32_t o)
{
    int8_t *codes = weights->panels;
    float most = 0, scale;
    int64_t sum = 0;

    for (uint32_t i = 0; i < weights->in; i++)
        most = fmaxf(most, fabsf(values[i]));
    scale = most / CODE_MAX;
    for (uint32_t i = 0; i < weights->in && scale > 0; i++) {
        long code = lrintf(values[i] / scale);
        code = code > CODE_MAX ? CODE_MAX : code < -CODE_MAX ? -CODE_MAX : code;
        codes[place_of(weights, 4, o, i)] = (int8_t)code;
        sum += code;
    }
    weights->scales[o] = scale;
    weights->shares[o] = scale * (float)sum;
}

static void pack(struct sl_weights *weights, enum sl_precision precision, const float *values)
{
    for (uint32_t o = 0; o < weights->out; o++, values += weights->in) {
        if (precision == SL_PRECISION_INT8)
            pack_codes(weights, values, o);
        for (uint32_t i = 0; i < weights->in && precision == SL_PRECISION_BF16; i++)
            ((uint16_t *)weights->panels)[place_of(weights, 2, o, i)] = bf16_of(values[i]);
        for (uint32_t i = 0; i < weights->in && precision == SL_PRECISION_F32; i++)
            ((float *)weights->panels)[place_of(weights, 1, o, i)] = values[i];
    }
}

bool sl_weights_init(struct sl_weights *weights, enum sl_precision precision, const float *values,
                     const float *bias, uint32_t out, uint32_t in)
{
    const uint32_t panel_count = (out + SL_TILE_COLUMNS - 1) / SL_TILE_COLUMNS;
    const size_t columns = (size_t)panel_count * SL_TILE_COLUMNS;

    *weights = (struct sl_weights){.in = in, .out = out, .panel_count = panel_count};
    weights->depth = groups_of(precision, in);
    weights->panels = new_zeros(columns * weights->depth * SL_TILE_GROUP_BYTES);
    weights->bias = new_zeros(columns * sizeof(float));
    weights->scales = new_zeros(columns * sizeof(float));
    weights->shares = new_zeros(columns * sizeof(float));
    if (weights->panels == NULL || weights->bias == NULL || weights->scales == NULL ||
        weights->shares == NULL)
        return false;
    memcpy(weights->bias, bias, out * sizeof *bias);
    pack(weights, precision, values);
    return true;
}

void sl_weights_fini(struct sl_weights *weights)
{
    free(weights->panels);
    free(weights->bias);
    free(weights->scales);
    free(weights->shares);
    *weights = (struct sl_weights){0};
}

/* ---- operands ---- */

bool sl_operand_space_init(struct sl_operand_space *space, enum sl_precision precision,
                           uint32_t width)
{
    space->stride = sl_operand_bytes(precision, width);
    space->values = new_zeros(space->stride * SL_LINEAR_ROWS_MAX);
    return space->values != NULL;
}

void sl_operand_space_fini(struct sl_operand_space *space)
{
    free(space->values);
    space->values = NULL;
}

struct sl_operand sl_operand_of(const struct sl_machine *machine, struct sl_operand_space *space,
                                const float *values, size_t stride, uint32_t rows, uint32_t width)
{
    const size_t bytes = sl_operand_bytes(machine->tile->precision, width);

    SL_PRE(rows <= SL_LINEAR_ROWS_MAX && bytes <= space->stride);
    switch (machine->tile->precision) {
    case SL_PRECISION_F32:
        break;
    case SL_PRECISION_BF16:
        machine->kernels->to_bf16(values, stride, rows, width, space->values, bytes);
        return (struct sl_operand){.values = space->values, .stride = bytes};
    case SL_PRECISION_INT8:
        machine->kernels->to_int8(values, stride, rows, width, space->values, bytes, space->scales,
                                  space->minima);
        return (struct sl_operand){space->values, bytes, space->scales, space->minima};
    }
    return (struct sl_operand){.values = values, .stride = stride};
}

/* ---- products ---- */

uint32_t sl_tile_cut(const struct sl_tile *tile, uint32_t rows, uint32_t number, uint32_t *first)
{
    const uint32_t count = (rows + tile->rows_max - 1) / tile->rows_max;

    if (number >= count)
        return 0;
    *first = rows * number / count;
    return rows * (number + 1) / count - *first;
}

/* One panel: SL_TILE_COLUMNS outputs of all the rows. */
static void multiply_panel(const struct sl_machine *machine, const struct sl_weights *weights,
                           uint32_t panel, const struct sl_operand *x, uint32_t rows,
                           enum sl_finish finish, unsigned char *ret, size_t ret_stride)
{
    _Alignas(ALIGNMENT) float sums[SL_TILE_ROWS_MAX * SL_TILE_COLUMNS];
    const struct sl_tile *tile = machine->tile;
    const size_t column = (size_t)panel * SL_TILE_COLUMNS;
    const unsigned char *from =
        (const unsigned char *)weights->panels + column * weights->depth * SL_TILE_GROUP_BYTES;
    struct sl_finish_job job = {.sums = sums,
                                .bias = weights->bias + column,
                                .scales = weights->scales + column,
                                .shares = weights->shares + column,
                                .ret_stride = ret_stride};
    uint32_t first;

    for (uint32_t n = 0; (job.rows = sl_tile_cut(tile, rows, n, &first)) > 0; n++) {
        tile->multiply((const unsigned char *)x->values + first * x->stride, x->stride, from,
                       weights->depth, job.rows, sums, SL_TILE_COLUMNS * sizeof *sums);
        job.row_scales = x->scales != NULL ? x->scales + first : NULL;
        job.row_minima = x->minima != NULL ? x->minima + first : NULL;
        job.ret = ret + first * ret_stride;
        machine->kernels->finish[tile->precision][finish](&job);
    }
}

void sl_linear(const struct sl_machine *machine, const struct sl_weights *weights,
               const struct sl_operand *x, uint32_t rows, enum sl_finish finish, void *ret,
               size_t ret_stride)
{
    const bool halved = finish == SL_FINISH_BIAS_BF16 || finish == SL_FINISH_GELU_BF16;
    const size_t panel_bytes = SL_TILE_COLUMNS * (halved ? sizeof(uint16_t) : sizeof(float));

    SL_PRE(rows >= 1 && rows <= SL_LINEAR_ROWS_MAX);
    for (uint32_t p = 0; p < weights->panel_count; p++)
        multiply_panel(machine, weights, p, x, rows, finish, (unsigned char *)ret + p * panel_bytes,
                       ret_stride);
}
