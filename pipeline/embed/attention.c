/*
 * attention.c -- a head at a time: its keys and values are packed as panels, then a few queries go
 * through both products while their scores stay in the first-level cache.
 *
 * Packing costs one pass over keys and values; the products are then the same tiles as everywhere.
 * The exponentials are not divided by their sum: the few results are.
 */
#include "embed/attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/error.h>

#define ALIGNMENT 64u

static uint32_t panels_of(uint32_t columns)
{
    return (columns + SL_TILE_COLUMNS - 1) / SL_TILE_COLUMNS;
}

static size_t panel_bytes(uint32_t depth)
{
    return (size_t)depth * SL_TILE_COLUMNS * SL_TILE_GROUP_BYTES;
}

static size_t scores_stride(uint32_t length)
{
    return panels_of(length) * SL_TILE_COLUMNS * sizeof(float);
}

bool sl_attention_space_init(struct sl_attention_space *space, const struct sl_attention *attention,
                             uint32_t length_max)
{
    const uint32_t group = sl_tile_group(attention->machine.tile->precision);

    SL_PRE(attention->width % group == 0);
    space->keys =
        aligned_alloc(ALIGNMENT, panels_of(length_max) * panel_bytes(attention->width / group));
    space->values = aligned_alloc(ALIGNMENT, panels_of(attention->width) *
                                                 panel_bytes((length_max + group - 1) / group));
    space->scores = aligned_alloc(ALIGNMENT, SL_TILE_ROWS_MAX * scores_stride(length_max));
    return space->keys != NULL && space->values != NULL && space->scores != NULL;
}

void sl_attention_space_fini(struct sl_attention_space *space)
{
    free(space->keys);
    free(space->values);
    free(space->scores);
    *space = (struct sl_attention_space){0};
}

/* ---- packing ---- */

/* Keys as panels of 32 keys, [depth][32] groups each; keys behind the last are 0. */
static void pack_keys(const unsigned char *keys, size_t stride, uint32_t length, uint32_t depth,
                      uint32_t *panels)
{
    const uint32_t columns = panels_of(length) * SL_TILE_COLUMNS;

    for (uint32_t k = 0; k < columns; k++) {
        uint32_t *panel = panels + (size_t)(k / SL_TILE_COLUMNS) * depth * SL_TILE_COLUMNS;
        panel += k % SL_TILE_COLUMNS;
        for (uint32_t d = 0; d < depth; d++)
            if (k < length)
                memcpy(panel + (size_t)d * SL_TILE_COLUMNS, keys + k * stride + d * sizeof *panel,
                       sizeof *panel);
            else
                panel[(size_t)d * SL_TILE_COLUMNS] = 0;
    }
}

/* Values as panels of 32 of a head's columns, [length][32] floats each. */
static void pack_values_f32(const unsigned char *values, size_t stride, uint32_t length,
                            uint32_t width, uint32_t *panels)
{
    for (uint32_t c = 0; c < width; c += SL_TILE_COLUMNS) {
        const uint32_t count = width - c < SL_TILE_COLUMNS ? width - c : SL_TILE_COLUMNS;
        for (uint32_t r = 0; r < length; r++, panels += SL_TILE_COLUMNS) {
            memcpy(panels, values + r * stride + c * sizeof(float), count * sizeof(float));
            memset(panels + count, 0, (SL_TILE_COLUMNS - count) * sizeof *panels);
        }
    }
}

/* The same in pairs of rows: [pairs][32] groups. */
static void pack_values_bf16(const unsigned char *values, size_t stride, uint32_t length,
                             uint32_t width, uint32_t *panels)
{
    static const uint16_t zeros[SL_TILE_COLUMNS];

    for (uint32_t c = 0; c < width; c += SL_TILE_COLUMNS) {
        const uint32_t count = width - c < SL_TILE_COLUMNS ? width - c : SL_TILE_COLUMNS;
        for (uint32_t r = 0; r < length; r += 2, panels += SL_TILE_COLUMNS) {
            const void *row = values + r * stride + c * sizeof(uint16_t);
            const uint16_t *low = row;
            const uint16_t *high =
                r + 1 < length ? (const void *)((const unsigned char *)row + stride) : zeros;
            for (uint32_t i = 0; i < count; i++)
                panels[i] = (uint32_t)high[i] << 16 | low[i];
            memset(panels + count, 0, (SL_TILE_COLUMNS - count) * sizeof *panels);
        }
    }
}

/* ---- products ---- */

/* One head while its panels are packed. */
struct head {
    const struct sl_attention *attention;
    const struct sl_attention_space *space;
    uint32_t length;
    bool halved;
    size_t mixed_stride;
};

/* A tile's worth of queries: scores, exponentials, and the values they weigh. */
static void attend_rows(const struct head *head, const unsigned char *queries, size_t stride,
                        uint32_t rows, unsigned char *mixed)
{
    _Alignas(ALIGNMENT) float sums[SL_TILE_ROWS_MAX * SL_TILE_COLUMNS];
    float factors[SL_TILE_ROWS_MAX];
    const struct sl_tile *tile = head->attention->machine.tile;
    const struct sl_kernels *kernels = head->attention->machine.kernels;
    const bool bf16 = tile->precision == SL_PRECISION_BF16;
    const uint32_t group = sl_tile_group(tile->precision), width = head->attention->width;
    const uint32_t keys_depth = width / group, values_depth = (head->length + group - 1) / group;
    const size_t scores = scores_stride(head->length), out = head->halved ? 2 : 4;

    for (uint32_t p = 0; p < panels_of(head->length); p++)
        tile->multiply(queries, stride,
                       (const unsigned char *)head->space->keys + p * panel_bytes(keys_depth),
                       keys_depth, rows, head->space->scores + (size_t)p * SL_TILE_COLUMNS, scores);
    (bf16 ? kernels->exps_bf16 : kernels->exps)(head->space->scores, scores, rows, head->length,
                                                1.0f / sqrtf((float)width), factors);
    for (uint32_t p = 0; p < panels_of(width); p++) {
        const uint32_t first = p * SL_TILE_COLUMNS;
        const uint32_t count = width - first < SL_TILE_COLUMNS ? width - first : SL_TILE_COLUMNS;
        tile->multiply(head->space->scores, scores,
                       (const unsigned char *)head->space->values + p * panel_bytes(values_depth),
                       values_depth, rows, sums, SL_TILE_COLUMNS * sizeof *sums);
        (head->halved ? kernels->scale_rows_bf16
                      : kernels->scale_rows)(sums, SL_TILE_COLUMNS * sizeof *sums, rows, count,
                                             factors, mixed + first * out, head->mixed_stride);
    }
}

void sl_attend(const struct sl_attention *attention, struct sl_attention_space *space,
               const void *qkv, size_t qkv_stride, uint32_t length, uint32_t query_count,
               void *mixed, size_t mixed_stride, bool halved)
{
    const struct sl_tile *tile = attention->machine.tile;
    const bool bf16 = tile->precision == SL_PRECISION_BF16;
    const size_t head_bytes = attention->width * (bf16 ? sizeof(uint16_t) : sizeof(float));
    const struct head head = {attention, space, length, halved, mixed_stride};
    const size_t out_bytes = attention->width * (halved ? sizeof(uint16_t) : sizeof(float));

    for (uint32_t h = 0; h < attention->head_count; h++) {
        const unsigned char *queries = (const unsigned char *)qkv + h * head_bytes;
        const unsigned char *keys = queries + attention->head_count * head_bytes;
        const unsigned char *values = keys + attention->head_count * head_bytes;
        uint32_t first, rows;
        pack_keys(keys, qkv_stride, length, attention->width / sl_tile_group(tile->precision),
                  space->keys);
        (bf16 ? pack_values_bf16 : pack_values_f32)(values, qkv_stride, length, attention->width,
                                                    space->values);
        for (uint32_t n = 0; (rows = sl_tile_cut(tile, query_count, n, &first)) > 0; n++)
            attend_rows(&head, queries + first * qkv_stride, qkv_stride, rows,
                        (unsigned char *)mixed + h * out_bytes + first * mixed_stride);
    }
}
