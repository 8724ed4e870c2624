/*
 * kernels.h -- what codec.c and the kernel files share: the tables of kernels, how a code is laid out, and
 * the rounding every kernel must agree on. Nobody else includes this.
 *
 *     f32           float[]           padded with zeros to a line; units: padded dimensions
 *     f16, bf16     uint16_t[]        the same
 *     i8            int8_t[] + tail   zeros between values and tail; units: bytes, tail included. The last
 *                                     line is shared: a kernel takes all 64 bytes of the lines before it,
 *                                     and 48 of it
 *     bit           1 = negative      padded with 0; units: dimensions, not padded, for the share
 */
#ifndef SLUICE_INDEX_KERNELS_H
#define SLUICE_INDEX_KERNELS_H

#include <string.h>

#include "index/codec.h"

struct sl_kernel {
    const char *name;
    enum sl_code code;
    bool (*supported)(void); /* by this processor */
    sl_distance_fn ip, l2;
    sl_distance_four_fn ip_four, l2_four; /* NULL: there is none */
};

/* One table a kernel file; each ends with a row whose name is NULL. */
extern const struct sl_kernel sl_kernels_scalar[];
#if defined(__x86_64__)
extern const struct sl_kernel sl_kernels_x86[];
#elif defined(__aarch64__)
extern const struct sl_kernel sl_kernels_neon[];
#endif

/* ------------------------------------------------------------------------------------------ i8 */

/* The last bytes of an i8 code. Values are -127..127. */
struct sl_i8_tail {
    float scale;     /* vector = scale x values */
    float norm2;     /* scale^2 x sum of value^2: the squared norm of what the code stands for */
    int32_t sum;     /* of the values */
    uint32_t unused; /* 0 */
};

_Static_assert(sizeof(struct sl_i8_tail) == 16, "kernels leave out 16 bytes");
_Static_assert(SL_DIM_MAX * 255u * 127u < INT32_MAX, "sums of i8 products fit in an int");

static inline const struct sl_i8_tail *sl_i8_tail(const void *code, uint32_t units)
{
    return (const void *)((const char *)code + units - sizeof(struct sl_i8_tail));
}

/*
 * Scales times the integer dot. Every kernel ends here, and no statement can be contracted to a fused
 * multiply-add, so that all give the same bits.
 */
static inline float sl_i8_product(const struct sl_i8_tail *x, const struct sl_i8_tail *y,
                                  int32_t dot)
{
    float scale = x->scale * y->scale;

    return scale * (float)dot;
}

static inline float sl_i8_ip(const void *a, const void *b, uint32_t units, int32_t dot)
{
    float product = sl_i8_product(sl_i8_tail(a, units), sl_i8_tail(b, units), dot);

    return 1.0f - product;
}

/* |a|^2 + |b|^2 - 2 a.b: exactly 0 for equal codes, and never below. */
static inline float sl_i8_l2(const void *a, const void *b, uint32_t units, int32_t dot)
{
    const struct sl_i8_tail *x = sl_i8_tail(a, units), *y = sl_i8_tail(b, units);
    float product = sl_i8_product(x, y, dot);
    float norms = x->norm2 + y->norm2, twice = product + product;
    float squared = norms - twice;

    return squared > 0.0f ? squared : 0.0f;
}

/* ----------------------------------------------------------------------------------------- bit */

#define SL_LINE_BITS (8u * SL_LINE_BYTES)

static inline uint32_t sl_bit_lines(uint32_t units)
{
    return (units + SL_LINE_BITS - 1) / SL_LINE_BITS;
}

static inline float sl_bit_distance(uint64_t differing, uint32_t units)
{
    return 2.0f * (float)differing / (float)units;
}

/* ----------------------------------------------------------------------------------- f16, bf16 */

static inline uint32_t sl_float_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float sl_bits_float(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Codes hold finite values only, so an exponent of all ones needs no care. */
static inline float sl_half_float(uint16_t half)
{
    float magnitude = sl_bits_float((uint32_t)(half & 0x7fff) << 13) * 0x1p112f;

    return sl_bits_float(sl_float_bits(magnitude) | (uint32_t)(half & 0x8000) << 16);
}

static inline float sl_bf16_float(uint16_t bf16)
{
    return sl_bits_float((uint32_t)bf16 << 16);
}

#endif /* SLUICE_INDEX_KERNELS_H */
