/*
 * tiles.h -- the innermost product: a few rows times 32 columns, at the processor's limit.
 *
 * Both sides come in groups of 4 bytes along the inner dimension: one float, two bf16 or four 8-bit
 * values, so that one geometry serves all precisions:
 *
 *     a       [rows][depth] groups, rows `stride` bytes apart; int8: unsigned
 *     panel   [depth][32] groups: group d of column c at d * 32 + c; int8: signed
 *     ret     [rows][32] sums, rows `stride` bytes apart; float, for int8 int32_t
 *
 * Every row's sums are made in the same order, whatever rows are beside it.
 */
#ifndef SLUICE_EMBED_TILES_H
#define SLUICE_EMBED_TILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "embed/precision.h"

#define SL_TILE_COLUMNS     32u
#define SL_TILE_ROWS_MAX    14u /* of any tile */
#define SL_TILE_GROUP_BYTES 4u

struct sl_tile {
    const char *name; /* of the instruction set */
    enum sl_precision precision;
    bool native;       /* the processor has instructions made for the precision */
    uint32_t rows_max; /* at most SL_TILE_ROWS_MAX */
    bool (*runs_here)(void);
    /* Pre: 1 <= rows <= rows_max. */
    void (*multiply)(const void *a, size_t a_stride, const void *panel, uint32_t depth,
                     uint32_t rows, void *ret, size_t ret_stride);
};

/* Values in one group. */
static inline uint32_t sl_tile_group(enum sl_precision precision)
{
    return precision == SL_PRECISION_F32 ? 1 : precision == SL_PRECISION_BF16 ? 2 : 4;
}

/* The fastest for the processor this runs on. Thread: any. */
const struct sl_tile *sl_tile_best(enum sl_precision precision);

/* Every tile of the precision that this processor can run, best first: for tests. NULL behind the
 * last. */
const struct sl_tile *sl_tile_at(enum sl_precision precision, uint32_t number);

/* tiles_x86.c's, the best of each precision first; its end has no name. */
extern const struct sl_tile sl_tiles_x86[];

#endif
