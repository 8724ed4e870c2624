/*
 * kernels_scalar.c -- how far two codes are apart, in plain C: what every processor can do, and what the
 * other kernels are compared with.
 *
 * Four sums at once where floats are added up: the compiler may not reorder them itself, and one chain of
 * additions would wait for each. Half floats are converted by a multiplication, not by a table: 256 KiB of
 * table would push out of the cache what is compared.
 */
#include "index/kernels.h"

static bool always(void)
{
    return true;
}

/* An ip and an l2 over anything that turns into floats. */
#define FLOAT_KERNELS(name, type, to_float)                                                        \
    static float name##_ip(const void *a, const void *b, uint32_t units)                           \
    {                                                                                              \
        const type *x = a, *y = b;                                                                 \
        float sum[4] = {0};                                                                        \
                                                                                                   \
        for (uint32_t i = 0; i < units; i += 4)                                                    \
            for (uint32_t j = 0; j < 4; j++)                                                       \
                sum[j] += to_float(x[i + j]) * to_float(y[i + j]);                                 \
        return 1.0f - ((sum[0] + sum[1]) + (sum[2] + sum[3]));                                     \
    }                                                                                              \
                                                                                                   \
    static float name##_l2(const void *a, const void *b, uint32_t units)                           \
    {                                                                                              \
        const type *x = a, *y = b;                                                                 \
        float sum[4] = {0};                                                                        \
                                                                                                   \
        for (uint32_t i = 0; i < units; i += 4)                                                    \
            for (uint32_t j = 0; j < 4; j++) {                                                     \
                float d = to_float(x[i + j]) - to_float(y[i + j]);                                 \
                sum[j] += d * d;                                                                   \
            }                                                                                      \
        return (sum[0] + sum[1]) + (sum[2] + sum[3]);                                              \
    }

#define AS_IS(value) (value)

FLOAT_KERNELS(f32, float, AS_IS)
FLOAT_KERNELS(f16, uint16_t, sl_half_float)
FLOAT_KERNELS(bf16, uint16_t, sl_bf16_float)

static int32_t i8_dot(const int8_t *a, const int8_t *b, uint32_t units)
{
    int32_t dot = 0;

    for (uint32_t i = 0; i < units - sizeof(struct sl_i8_tail); i++)
        dot += a[i] * b[i];
    return dot;
}

static float i8_ip(const void *a, const void *b, uint32_t units)
{
    return sl_i8_ip(a, b, units, i8_dot(a, b, units));
}

static float i8_l2(const void *a, const void *b, uint32_t units)
{
    return sl_i8_l2(a, b, units, i8_dot(a, b, units));
}

static float bit(const void *a, const void *b, uint32_t units)
{
    const uint64_t *x = a, *y = b;
    uint64_t differing = 0;

    for (uint32_t i = 0; i < sl_bit_lines(units) * (SL_LINE_BITS / 64); i++)
        differing += (uint64_t)__builtin_popcountll(x[i] ^ y[i]);
    return sl_bit_distance(differing, units);
}

const struct sl_kernel sl_kernels_scalar[] = {
    {"scalar", SL_CODE_F32, always, f32_ip, f32_l2, NULL, NULL},
    {"scalar", SL_CODE_F16, always, f16_ip, f16_l2, NULL, NULL},
    {"scalar", SL_CODE_BF16, always, bf16_ip, bf16_l2, NULL, NULL},
    {"scalar", SL_CODE_I8, always, i8_ip, i8_l2, NULL, NULL},
    {"scalar", SL_CODE_BIT, always, bit, bit, NULL, NULL},
    {0},
};
