/*
 * tiles.c -- the product that every processor can do, and which one is the best here.
 *
 * A tile keeps its sums in registers while it runs down the inner dimension: each group of the
 * panel is loaded once and used for all rows, each group of a row is spread over a register and
 * used for all columns. With two dozen sums under way the multipliers never wait: measured, within
 * two per cent of what they can do, for every depth an encoder has, so nothing is gained by cutting
 * the depth or by a library's generated code (oneDNN was here before: 5 to 20 % slower, and it
 * brought OpenMP's threads and memory that is writable and executable).
 *
 * bf16 and int8 without instructions for them are widened on the way: right, and slower than f32.
 */
#include "embed/tiles.h"

#include <string.h>

#include "embed/isa.h"
#include "embed/tile_rows.h"

#define INLINE static inline __attribute__((always_inline))

INLINE float float_at(const unsigned char *at)
{
    float value;

    memcpy(&value, at, sizeof value);
    return value;
}

INLINE float bf16_at(const unsigned char *at)
{
    uint16_t half;
    uint32_t bits;
    float value;

    memcpy(&half, at, sizeof half);
    bits = (uint32_t)half << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#if defined(__aarch64__)
#define BASELINE_ROWS 6 /* 32 registers */
#define FOR_ROWS      SL_ROWS_6
#else
#define BASELINE_ROWS 2
#define FOR_ROWS      SL_ROWS_2
#endif
#define SET baseline
#define TARGET
#define LANES   4
#define VECTORS 4
#define ROWS    BASELINE_ROWS
#include "embed/tile_body.h"

static bool always(void)
{
    return true;
}

#if defined(__x86_64__)
#define AVX2_ROWS   6
#define AVX512_ROWS 14

#define SET      avx2
#define TARGET   __attribute__((target(SL_ISA_AVX2)))
#define LANES    8
#define VECTORS  2
#define ROWS     AVX2_ROWS
#define FOR_ROWS SL_ROWS_6
#include "embed/tile_body.h"

#define SET      avx512
#define TARGET   __attribute__((target(SL_ISA_AVX512)))
#define LANES    16
#define VECTORS  2
#define ROWS     AVX512_ROWS
#define FOR_ROWS SL_ROWS_14
#include "embed/tile_body.h"

#endif

#define OF(set, rows, runs_here)                                                                   \
    {#set, SL_PRECISION_F32, true, rows, runs_here, f32_##set},                                    \
        {#set, SL_PRECISION_BF16, false, rows, runs_here, bf16_##set},                             \
    {                                                                                              \
#set, SL_PRECISION_INT8, false, rows, runs_here, int8_##set                                \
    }

/* The best of each precision first. */
static const struct sl_tile tiles[] = {
#if defined(__x86_64__)
    OF(avx512, AVX512_ROWS, sl_has_avx512),
    OF(avx2, AVX2_ROWS, sl_has_avx2),
#endif
    OF(baseline, BASELINE_ROWS, always),
    {.name = NULL},
};

const struct sl_tile *sl_tile_at(enum sl_precision precision, uint32_t number)
{
    const struct sl_tile *const lists[] = {
#if defined(__x86_64__)
        sl_tiles_x86,
#endif
        tiles
    };

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (const struct sl_tile *tile = lists[i]; tile->name != NULL; tile++)
            if (tile->precision == precision && tile->runs_here() && number-- == 0)
                return tile;
    return NULL;
}

const struct sl_tile *sl_tile_best(enum sl_precision precision)
{
    return sl_tile_at(precision, 0);
}
