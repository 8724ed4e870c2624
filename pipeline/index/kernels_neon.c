/*
 * kernels_neon.c -- how far two codes are apart on AArch64. Every such processor has NEON; the dot product
 * of bytes is an extension that most have, and the kernel of Linux says which.
 *
 * Rejected: SVE (its width is not known at compile time, and our lines are four NEON registers), the bf16
 * extension (a bf16 becomes a float by one shift).
 *
 * Weakness: proved right under an emulator, never measured on a processor.
 */
#include "index/kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>

static bool has_neon(void)
{
    return true;
}

/* ------------------------------------------------------------------------------- f32, f16, bf16 */

static inline float32x4_t f32_load(const float *at)
{
    return vld1q_f32(at);
}

static inline float32x4_t f16_load(const uint16_t *at)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(at)));
}

static inline float32x4_t bf16_load(const uint16_t *at)
{
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(at), 16));
}

static inline float32x4_t ip_step(float32x4_t sum, float32x4_t a, float32x4_t b)
{
    return vfmaq_f32(sum, a, b);
}

static inline float32x4_t l2_step(float32x4_t sum, float32x4_t a, float32x4_t b)
{
    float32x4_t d = vsubq_f32(a, b);

    return vfmaq_f32(sum, d, d);
}

#define RESULT_IP(sum) (1.0f - (sum))
#define RESULT_L2(sum) (sum)

#define FLOAT_KERNEL(name, type, load, step, result)                                               \
    static float name(const void *a, const void *b, uint32_t units)                                \
    {                                                                                              \
        const type *x = a, *y = b;                                                                 \
        float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0;                                \
                                                                                                   \
        for (uint32_t i = 0; i < units; i += 16) {                                                 \
            s0 = step(s0, load(x + i), load(y + i));                                               \
            s1 = step(s1, load(x + i + 4), load(y + i + 4));                                       \
            s2 = step(s2, load(x + i + 8), load(y + i + 8));                                       \
            s3 = step(s3, load(x + i + 12), load(y + i + 12));                                     \
        }                                                                                          \
        return result(vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3))));                \
    }

FLOAT_KERNEL(f32_ip_neon, float, f32_load, ip_step, RESULT_IP)
FLOAT_KERNEL(f32_l2_neon, float, f32_load, l2_step, RESULT_L2)
FLOAT_KERNEL(f16_ip_neon, uint16_t, f16_load, ip_step, RESULT_IP)
FLOAT_KERNEL(f16_l2_neon, uint16_t, f16_load, l2_step, RESULT_L2)
FLOAT_KERNEL(bf16_ip_neon, uint16_t, bf16_load, ip_step, RESULT_IP)
FLOAT_KERNEL(bf16_l2_neon, uint16_t, bf16_load, l2_step, RESULT_L2)

/* ------------------------------------------------------------------------------------------ i8 */

/* Values are -127..127, so two products are less than 2^15. */
static inline int32x4_t i8_step(int32x4_t sum, const int8_t *x, const int8_t *y)
{
    int8x16_t a = vld1q_s8(x), b = vld1q_s8(y);
    int16x8_t pairs = vmull_s8(vget_low_s8(a), vget_low_s8(b));

    return vpadalq_s16(sum, vmlal_high_s8(pairs, a, b));
}

/* A line and its last 16 bytes apart: those of the last line are the tail. */
#define I8_DOT(target, name, step)                                                                 \
    target static int32_t i8_dot_##name(const int8_t *a, const int8_t *b, uint32_t units)          \
    {                                                                                              \
        int32x4_t s0 = vdupq_n_s32(0), s1 = s0, s2 = s0, s3 = s0;                                  \
        uint32_t i = 0;                                                                            \
                                                                                                   \
        for (;; i += SL_LINE_BYTES) {                                                              \
            s0 = step(s0, a + i, b + i);                                                           \
            s1 = step(s1, a + i + 16, b + i + 16);                                                 \
            s2 = step(s2, a + i + 32, b + i + 32);                                                 \
            if (i + SL_LINE_BYTES == units)                                                        \
                break;                                                                             \
            s3 = step(s3, a + i + 48, b + i + 48);                                                 \
        }                                                                                          \
        return vaddvq_s32(vaddq_s32(vaddq_s32(s0, s1), vaddq_s32(s2, s3)));                        \
    }                                                                                              \
                                                                                                   \
    static float i8_ip_##name(const void *a, const void *b, uint32_t units)                        \
    {                                                                                              \
        return sl_i8_ip(a, b, units, i8_dot_##name(a, b, units));                                  \
    }                                                                                              \
                                                                                                   \
    static float i8_l2_##name(const void *a, const void *b, uint32_t units)                        \
    {                                                                                              \
        return sl_i8_l2(a, b, units, i8_dot_##name(a, b, units));                                  \
    }

I8_DOT(, neon, i8_step)

/* clang before 16 offers the intrinsic only when the whole file is compiled for it. */
#if defined(__ARM_FEATURE_DOTPROD) || !defined(__clang__)
#define HAS_DOT_KERNEL 1
#define DOT            __attribute__((target("arch=armv8.2-a+dotprod")))

static bool has_dot(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
}

DOT static inline int32x4_t i8_step_dot(int32x4_t sum, const int8_t *x, const int8_t *y)
{
    return vdotq_s32(sum, vld1q_s8(x), vld1q_s8(y));
}

I8_DOT(DOT, neondot, i8_step_dot)
#endif

/* ----------------------------------------------------------------------------------------- bit */

/* At most 8 a byte and 4 bytes at once: no byte overflows before it is widened. */
static float bit_neon(const void *a, const void *b, uint32_t units)
{
    const uint8_t *x = a, *y = b;
    uint32x4_t sum = vdupq_n_u32(0);

    for (uint32_t i = 0; i < sl_bit_lines(units) * SL_LINE_BYTES; i += SL_LINE_BYTES) {
        uint8x16_t c = vcntq_u8(veorq_u8(vld1q_u8(x + i), vld1q_u8(y + i)));
        c = vaddq_u8(c, vcntq_u8(veorq_u8(vld1q_u8(x + i + 16), vld1q_u8(y + i + 16))));
        c = vaddq_u8(c, vcntq_u8(veorq_u8(vld1q_u8(x + i + 32), vld1q_u8(y + i + 32))));
        c = vaddq_u8(c, vcntq_u8(veorq_u8(vld1q_u8(x + i + 48), vld1q_u8(y + i + 48))));
        sum = vpadalq_u16(sum, vpaddlq_u8(c));
    }
    return sl_bit_distance(vaddvq_u32(sum), units);
}

const struct sl_kernel sl_kernels_neon[] = {
    {"neon", SL_CODE_F32, has_neon, f32_ip_neon, f32_l2_neon, NULL, NULL},
    {"neon", SL_CODE_F16, has_neon, f16_ip_neon, f16_l2_neon, NULL, NULL},
    {"neon", SL_CODE_BF16, has_neon, bf16_ip_neon, bf16_l2_neon, NULL, NULL},
    {"neon", SL_CODE_I8, has_neon, i8_ip_neon, i8_l2_neon, NULL, NULL},
    {"neon", SL_CODE_BIT, has_neon, bit_neon, bit_neon, NULL, NULL},
#if defined(HAS_DOT_KERNEL)
    {"neondot", SL_CODE_I8, has_dot, i8_ip_neondot, i8_l2_neondot, NULL, NULL},
#endif
    {0},
};
#endif
