/*
 * kernels_x86.c -- how far two codes are apart, in the widths an x86-64 processor may have.
 *
 * Memory is what limits a walk over many vectors, not arithmetic; what counts here is that there is no tail
 * to branch on, that no load crosses a line, and that enough sums are under way at once to keep the loads
 * coming. Each function is compiled for its own instruction set, and the table says what a processor must
 * have to run it.
 *
 * Rejected: -march=native (the package must run on any x86-64); ifunc (not on every libc); the f16
 * arithmetic of AVX512-FP16 (sums of halves lose what half storage still has); f16 in 512 bits (Zen 4 needs
 * 1.5 times as long as in 256, for the conversion); bf16 l2 by dot products (they need three, and near vectors
 * cancel); VPSADBW for the correction that VNNI's unsigned operand needs (the code carries its sum).
 */
#include "index/kernels.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2,fma,f16c,popcnt")))
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,popcnt")))
#define VNNI                                                                                       \
    __attribute__((target("avx512vnni,avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,popcnt")))
#define BF16                                                                                       \
    __attribute__((target("avx512bf16,avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,popcnt")))
#define POPCNT                                                                                     \
    __attribute__((target("avx512vpopcntdq,avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,"      \
                          "popcnt")))

/* Not every compiler's __builtin_cpu_supports knows the name. */
static bool has_f16c(void)
{
    unsigned int eax, ebx, ecx, edx;

    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("popcnt") && has_f16c();
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static bool has_vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}

static bool has_bf16(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}

static bool has_popcnt(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vpopcntdq");
}

/* ---------------------------------------------------------------------------- sums of a register */

AVX2 static inline float sum4(__m128 v)
{
    v = _mm_add_ps(v, _mm_movehl_ps(v, v));
    return _mm_cvtss_f32(_mm_add_ss(v, _mm_movehdup_ps(v)));
}

AVX2 static inline float sum8(__m256 v)
{
    return sum4(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)));
}

AVX512 static inline float sum16(__m512 v)
{
    return sum8(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
}

AVX2 static inline int32_t sum8_i32(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return _mm_cvtsi128_si32(s);
}

AVX512 static inline int32_t sum16_i32(__m512i v)
{
    return sum8_i32(_mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1)));
}

/* ------------------------------------------------------- f32, f16, bf16: how a register of floats comes */

#define F16_AVX2(at) _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(const void *)(at)))

/* A bf16 is the upper half of a float: of each pair, one is shifted up and the other's neighbour cut off. */
AVX2 static inline __m256 bf16_even_avx2(const uint16_t *at)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_load_si256((const void *)at), 16));
}

AVX2 static inline __m256 bf16_odd_avx2(const uint16_t *at)
{
    return _mm256_castsi256_ps(
        _mm256_and_si256(_mm256_load_si256((const void *)at), _mm256_set1_epi32((int)0xffff0000)));
}

AVX512 static inline __m512 bf16_even_avx512(const uint16_t *at)
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_load_si512(at), 16));
}

AVX512 static inline __m512 bf16_odd_avx512(const uint16_t *at)
{
    return _mm512_castsi512_ps(
        _mm512_and_si512(_mm512_load_si512(at), _mm512_set1_epi32((int)0xffff0000)));
}

/* One step of a sum, by metric. */
#define IP_AVX2(sum, a, b)   _mm256_fmadd_ps(a, b, sum)
#define IP_AVX512(sum, a, b) _mm512_fmadd_ps(a, b, sum)

AVX2 static inline __m256 l2_step_avx2(__m256 sum, __m256 a, __m256 b)
{
    __m256 d = _mm256_sub_ps(a, b);

    return _mm256_fmadd_ps(d, d, sum);
}

AVX512 static inline __m512 l2_step_avx512(__m512 sum, __m512 a, __m512 b)
{
    __m512 d = _mm512_sub_ps(a, b);

    return _mm512_fmadd_ps(d, d, sum);
}

#define RESULT_IP(sum) (1.0f - (sum))
#define RESULT_L2(sum) (sum)

/* A turn takes 32 values: one line of halves, or two of floats, of which one may be left over. */
#define AVX2_KERNEL(name, type, load, step, result)                                                \
    AVX2 static float name(const void *a, const void *b, uint32_t units)                           \
    {                                                                                              \
        const type *x = a, *y = b;                                                                 \
        __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;                                \
        uint32_t i = 0;                                                                            \
                                                                                                   \
        for (; i + 32 <= units; i += 32) {                                                         \
            s0 = step(s0, load(x + i), load(y + i));                                               \
            s1 = step(s1, load(x + i + 8), load(y + i + 8));                                       \
            s2 = step(s2, load(x + i + 16), load(y + i + 16));                                     \
            s3 = step(s3, load(x + i + 24), load(y + i + 24));                                     \
        }                                                                                          \
        if (i < units) {                                                                           \
            s0 = step(s0, load(x + i), load(y + i));                                               \
            s1 = step(s1, load(x + i + 8), load(y + i + 8));                                       \
        }                                                                                          \
        return result(sum8(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3))));          \
    }

/* f32 is read one or four codes at a time; what a code's sums are does not depend on that. */
#define INLINED static inline __attribute__((always_inline))

struct sums_avx2 {
    __m256 s0, s1, s2, s3;
};

struct sums_avx512 {
    __m512 s0, s1, s2, s3;
};

AVX2 INLINED struct sums_avx2 sums_zero_avx2(void)
{
    __m256 zero = _mm256_setzero_ps();

    return (struct sums_avx2){zero, zero, zero, zero};
}

AVX512 INLINED struct sums_avx512 sums_zero_avx512(void)
{
    __m512 zero = _mm512_setzero_ps();

    return (struct sums_avx512){zero, zero, zero, zero};
}

#define F32_AVX512_KERNELS(name, step, result)                                                     \
    AVX512 INLINED void name##_turn(struct sums_avx512 *s, const float *x, const float *y)         \
    {                                                                                              \
        s->s0 = step(s->s0, _mm512_load_ps(x), _mm512_load_ps(y));                                 \
        s->s1 = step(s->s1, _mm512_load_ps(x + 16), _mm512_load_ps(y + 16));                       \
        s->s2 = step(s->s2, _mm512_load_ps(x + 32), _mm512_load_ps(y + 32));                       \
        s->s3 = step(s->s3, _mm512_load_ps(x + 48), _mm512_load_ps(y + 48));                       \
    }                                                                                              \
                                                                                                   \
    /* The last lines, and all in one. */                                                          \
    AVX512 INLINED float name##_rest(struct sums_avx512 *s, const float *x, const float *y,        \
                                     uint32_t i, uint32_t units)                                   \
    {                                                                                              \
        for (; i < units; i += 16)                                                                 \
            s->s0 = step(s->s0, _mm512_load_ps(x + i), _mm512_load_ps(y + i));                     \
        return result(                                                                             \
            sum16(_mm512_add_ps(_mm512_add_ps(s->s0, s->s1), _mm512_add_ps(s->s2, s->s3))));       \
    }                                                                                              \
                                                                                                   \
    AVX512 static float name(const void *a, const void *b, uint32_t units)                         \
    {                                                                                              \
        const float *x = a, *y = b;                                                                \
        struct sums_avx512 s = sums_zero_avx512();                                                 \
        uint32_t i = 0;                                                                            \
                                                                                                   \
        for (; i + 64 <= units; i += 64)                                                           \
            name##_turn(&s, x + i, y + i);                                                         \
        return name##_rest(&s, x, y, i, units);                                                    \
    }                                                                                              \
                                                                                                   \
    AVX512 static void name##_four(const void *a, const void *const b[4], uint32_t units,          \
                                   float ret[4])                                                   \
    {                                                                                              \
        const float *x = a, *y0 = b[0], *y1 = b[1], *y2 = b[2], *y3 = b[3];                        \
        struct sums_avx512 s0 = sums_zero_avx512(), s1 = s0, s2 = s0, s3 = s0;                     \
        uint32_t i = 0;                                                                            \
                                                                                                   \
        for (; i + 64 <= units; i += 64) {                                                         \
            name##_turn(&s0, x + i, y0 + i);                                                       \
            name##_turn(&s1, x + i, y1 + i);                                                       \
            name##_turn(&s2, x + i, y2 + i);                                                       \
            name##_turn(&s3, x + i, y3 + i);                                                       \
        }                                                                                          \
        ret[0] = name##_rest(&s0, x, y0, i, units);                                                \
        ret[1] = name##_rest(&s1, x, y1, i, units);                                                \
        ret[2] = name##_rest(&s2, x, y2, i, units);                                                \
        ret[3] = name##_rest(&s3, x, y3, i, units);                                                \
    }

#define F32_AVX2_KERNELS(name, step, result)                                                       \
    AVX2 INLINED void name##_turn(struct sums_avx2 *s, const float *x, const float *y)             \
    {                                                                                              \
        s->s0 = step(s->s0, _mm256_load_ps(x), _mm256_load_ps(y));                                 \
        s->s1 = step(s->s1, _mm256_load_ps(x + 8), _mm256_load_ps(y + 8));                         \
        s->s2 = step(s->s2, _mm256_load_ps(x + 16), _mm256_load_ps(y + 16));                       \
        s->s3 = step(s->s3, _mm256_load_ps(x + 24), _mm256_load_ps(y + 24));                       \
    }                                                                                              \
                                                                                                   \
    AVX2 INLINED float name##_rest(struct sums_avx2 *s, const float *x, const float *y,            \
                                   uint32_t i, uint32_t units)                                     \
    {                                                                                              \
        if (i < units) {                                                                           \
            s->s0 = step(s->s0, _mm256_load_ps(x + i), _mm256_load_ps(y + i));                     \
            s->s1 = step(s->s1, _mm256_load_ps(x + i + 8), _mm256_load_ps(y + i + 8));             \
        }                                                                                          \
        return result(                                                                             \
            sum8(_mm256_add_ps(_mm256_add_ps(s->s0, s->s1), _mm256_add_ps(s->s2, s->s3))));        \
    }                                                                                              \
                                                                                                   \
    AVX2 static float name(const void *a, const void *b, uint32_t units)                           \
    {                                                                                              \
        const float *x = a, *y = b;                                                                \
        struct sums_avx2 s = sums_zero_avx2();                                                     \
        uint32_t i = 0;                                                                            \
                                                                                                   \
        for (; i + 32 <= units; i += 32)                                                           \
            name##_turn(&s, x + i, y + i);                                                         \
        return name##_rest(&s, x, y, i, units);                                                    \
    }                                                                                              \
                                                                                                   \
    /* Registers suffice for two side by side. */                                                  \
    AVX2 static void name##_four(const void *a, const void *const b[4], uint32_t units,            \
                                 float ret[4])                                                     \
    {                                                                                              \
        const float *x = a;                                                                        \
                                                                                                   \
        for (int two = 0; two < 4; two += 2) {                                                     \
            const float *y0 = b[two], *y1 = b[two + 1];                                            \
            struct sums_avx2 s0 = sums_zero_avx2(), s1 = s0;                                       \
            uint32_t i = 0;                                                                        \
                                                                                                   \
            for (; i + 32 <= units; i += 32) {                                                     \
                name##_turn(&s0, x + i, y0 + i);                                                   \
                name##_turn(&s1, x + i, y1 + i);                                                   \
            }                                                                                      \
            ret[two] = name##_rest(&s0, x, y0, i, units);                                          \
            ret[two + 1] = name##_rest(&s1, x, y1, i, units);                                      \
        }                                                                                          \
    }

F32_AVX2_KERNELS(f32_ip_avx2, IP_AVX2, RESULT_IP)
F32_AVX2_KERNELS(f32_l2_avx2, l2_step_avx2, RESULT_L2)
AVX2_KERNEL(f16_ip_avx2, uint16_t, F16_AVX2, IP_AVX2, RESULT_IP)
AVX2_KERNEL(f16_l2_avx2, uint16_t, F16_AVX2, l2_step_avx2, RESULT_L2)
F32_AVX512_KERNELS(f32_ip_avx512, IP_AVX512, RESULT_IP)
F32_AVX512_KERNELS(f32_l2_avx512, l2_step_avx512, RESULT_L2)

#define BF16_AVX2_KERNEL(name, step, result)                                                       \
    AVX2 static float name(const void *a, const void *b, uint32_t units)                           \
    {                                                                                              \
        const uint16_t *x = a, *y = b;                                                             \
        __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;                                \
                                                                                                   \
        for (uint32_t i = 0; i < units; i += 32) {                                                 \
            s0 = step(s0, bf16_even_avx2(x + i), bf16_even_avx2(y + i));                           \
            s1 = step(s1, bf16_odd_avx2(x + i), bf16_odd_avx2(y + i));                             \
            s2 = step(s2, bf16_even_avx2(x + i + 16), bf16_even_avx2(y + i + 16));                 \
            s3 = step(s3, bf16_odd_avx2(x + i + 16), bf16_odd_avx2(y + i + 16));                   \
        }                                                                                          \
        return result(sum8(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3))));          \
    }

#define BF16_AVX512_KERNEL(name, step, result)                                                     \
    AVX512 static float name(const void *a, const void *b, uint32_t units)                         \
    {                                                                                              \
        const uint16_t *x = a, *y = b;                                                             \
        __m512 s0 = _mm512_setzero_ps(), s1 = s0;                                                  \
                                                                                                   \
        for (uint32_t i = 0; i < units; i += 32) {                                                 \
            s0 = step(s0, bf16_even_avx512(x + i), bf16_even_avx512(y + i));                       \
            s1 = step(s1, bf16_odd_avx512(x + i), bf16_odd_avx512(y + i));                         \
        }                                                                                          \
        return result(sum16(_mm512_add_ps(s0, s1)));                                               \
    }

BF16_AVX2_KERNEL(bf16_ip_avx2, IP_AVX2, RESULT_IP)
BF16_AVX2_KERNEL(bf16_l2_avx2, l2_step_avx2, RESULT_L2)
BF16_AVX512_KERNEL(bf16_ip_avx512, IP_AVX512, RESULT_IP)
BF16_AVX512_KERNEL(bf16_l2_avx512, l2_step_avx512, RESULT_L2)

BF16 static inline __m512 bf16_step(__m512 sum, const uint16_t *x, const uint16_t *y)
{
    return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_load_si512(x), (__m512bh)_mm512_load_si512(y));
}

/* The processor multiplies pairs of bf16; it takes subnormal ones for zero. */
BF16 static float bf16_ip_bf16(const void *a, const void *b, uint32_t units)
{
    const uint16_t *x = a, *y = b;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    uint32_t i = 0;

    for (; i + 128 <= units; i += 128) {
        s0 = bf16_step(s0, x + i, y + i);
        s1 = bf16_step(s1, x + i + 32, y + i + 32);
        s2 = bf16_step(s2, x + i + 64, y + i + 64);
        s3 = bf16_step(s3, x + i + 96, y + i + 96);
    }
    for (; i < units; i += 32)
        s0 = bf16_step(s0, x + i, y + i);
    return 1.0f - sum16(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

/* ------------------------------------------------------------------------------------------ i8 */

/*
 * Bytes times bytes in pairs: the instruction takes one operand without sign, so the sign of a goes to b.
 * Values are -127..127, and two products are less than 2^15.
 */
AVX2 static inline __m256i i8_step_avx2(__m256i sum, __m256i x, __m256i y)
{
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(y, x));

    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

AVX2 static int32_t i8_dot_avx2(const char *a, const char *b, uint32_t units)
{
    __m256i s0 = _mm256_setzero_si256(), s1 = s0, last;
    uint32_t i = 0;

    for (; i + SL_LINE_BYTES < units; i += SL_LINE_BYTES) {
        s0 = i8_step_avx2(s0, _mm256_load_si256((const void *)(a + i)),
                          _mm256_load_si256((const void *)(b + i)));
        s1 = i8_step_avx2(s1, _mm256_load_si256((const void *)(a + i + 32)),
                          _mm256_load_si256((const void *)(b + i + 32)));
    }
    s0 = i8_step_avx2(s0, _mm256_load_si256((const void *)(a + i)),
                      _mm256_load_si256((const void *)(b + i)));
    last = _mm256_zextsi128_si256(_mm_load_si128((const void *)(b + i + 32))); /* not the tail */
    s1 = i8_step_avx2(s1, _mm256_load_si256((const void *)(a + i + 32)), last);
    return sum8_i32(_mm256_add_epi32(s0, s1));
}

AVX512 static inline __m512i i8_step_avx512(__m512i sum, __m256i x, __m256i y)
{
    return _mm512_add_epi32(sum,
                            _mm512_madd_epi16(_mm512_cvtepi8_epi16(x), _mm512_cvtepi8_epi16(y)));
}

AVX512 static int32_t i8_dot_avx512(const char *a, const char *b, uint32_t units)
{
    __m512i s0 = _mm512_setzero_si512(), s1 = s0;
    __m256i last;
    uint32_t i = 0;

    for (; i + SL_LINE_BYTES < units; i += SL_LINE_BYTES) {
        s0 = i8_step_avx512(s0, _mm256_load_si256((const void *)(a + i)),
                            _mm256_load_si256((const void *)(b + i)));
        s1 = i8_step_avx512(s1, _mm256_load_si256((const void *)(a + i + 32)),
                            _mm256_load_si256((const void *)(b + i + 32)));
    }
    s0 = i8_step_avx512(s0, _mm256_load_si256((const void *)(a + i)),
                        _mm256_load_si256((const void *)(b + i)));
    last = _mm256_zextsi128_si256(_mm_load_si128((const void *)(b + i + 32)));
    s1 = i8_step_avx512(s1, _mm256_load_si256((const void *)(a + i + 32)), last);
    return sum16_i32(_mm512_add_epi32(s0, s1));
}

/* (x + 128) times y: the instruction wants one operand without sign. */
VNNI static inline __m512i i8_step_vnni(__m512i sum, const char *x, const char *y)
{
    return _mm512_dpbusd_epi32(sum,
                               _mm512_xor_si512(_mm512_load_si512(x), _mm512_set1_epi8((char)0x80)),
                               _mm512_load_si512(y));
}

VNNI static int32_t i8_dot_vnni(const char *a, const char *b, uint32_t units)
{
    __m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0, last;
    uint32_t i = 0;

    for (; i + 4 * SL_LINE_BYTES < units; i += 4 * SL_LINE_BYTES) {
        s0 = i8_step_vnni(s0, a + i, b + i);
        s1 = i8_step_vnni(s1, a + i + 64, b + i + 64);
        s2 = i8_step_vnni(s2, a + i + 128, b + i + 128);
        s3 = i8_step_vnni(s3, a + i + 192, b + i + 192);
    }
    for (; i + SL_LINE_BYTES < units; i += SL_LINE_BYTES)
        s0 = i8_step_vnni(s0, a + i, b + i);
    last = _mm512_maskz_loadu_epi64(0x3f, b + i); /* not the tail */
    s1 = _mm512_dpbusd_epi32(
        s1, _mm512_xor_si512(_mm512_load_si512(a + i), _mm512_set1_epi8((char)0x80)), last);
    s0 = _mm512_add_epi32(_mm512_add_epi32(s0, s1), _mm512_add_epi32(s2, s3));
    return sum16_i32(s0) - 128 * sl_i8_tail(b, units)->sum;
}

#define I8_KERNELS(target, name)                                                                   \
    target static float i8_ip_##name(const void *a, const void *b, uint32_t units)                 \
    {                                                                                              \
        return sl_i8_ip(a, b, units, i8_dot_##name(a, b, units));                                  \
    }                                                                                              \
                                                                                                   \
    target static float i8_l2_##name(const void *a, const void *b, uint32_t units)                 \
    {                                                                                              \
        return sl_i8_l2(a, b, units, i8_dot_##name(a, b, units));                                  \
    }

I8_KERNELS(AVX2, avx2)
I8_KERNELS(AVX512, avx512)
I8_KERNELS(VNNI, vnni)

/* ----------------------------------------------------------------------------------------- bit */

AVX2 static float bit_avx2(const void *a, const void *b, uint32_t units)
{
    const uint64_t *x = a, *y = b;
    uint64_t s0 = 0, s1 = 0;

    for (uint32_t i = 0; i < sl_bit_lines(units) * 8; i += 2) {
        s0 += (uint64_t)_mm_popcnt_u64(x[i] ^ y[i]);
        s1 += (uint64_t)_mm_popcnt_u64(x[i + 1] ^ y[i + 1]);
    }
    return sl_bit_distance(s0 + s1, units);
}

POPCNT static float bit_popcnt(const void *a, const void *b, uint32_t units)
{
    const uint64_t *x = a, *y = b;
    __m512i sum = _mm512_setzero_si512();

    for (uint32_t i = 0; i < sl_bit_lines(units) * 8; i += 8)
        sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(
                                        _mm512_load_si512(x + i), _mm512_load_si512(y + i))));
    return sl_bit_distance((uint64_t)_mm512_reduce_add_epi64(sum), units);
}

const struct sl_kernel sl_kernels_x86[] = {
    {"avx2", SL_CODE_F32, has_avx2, f32_ip_avx2, f32_l2_avx2, f32_ip_avx2_four,
     f32_l2_avx2_four},
    {"avx2", SL_CODE_F16, has_avx2, f16_ip_avx2, f16_l2_avx2, NULL, NULL},
    {"avx2", SL_CODE_BF16, has_avx2, bf16_ip_avx2, bf16_l2_avx2, NULL, NULL},
    {"avx2", SL_CODE_I8, has_avx2, i8_ip_avx2, i8_l2_avx2, NULL, NULL},
    {"avx2", SL_CODE_BIT, has_avx2, bit_avx2, bit_avx2, NULL, NULL},
    {"avx512", SL_CODE_F32, has_avx512, f32_ip_avx512, f32_l2_avx512, f32_ip_avx512_four,
     f32_l2_avx512_four},
    {"avx512", SL_CODE_BF16, has_avx512, bf16_ip_avx512, bf16_l2_avx512, NULL, NULL},
    {"avx512", SL_CODE_I8, has_avx512, i8_ip_avx512, i8_l2_avx512, NULL, NULL},
    {"avx512vnni", SL_CODE_I8, has_vnni, i8_ip_vnni, i8_l2_vnni, NULL, NULL},
    {"avx512bf16", SL_CODE_BF16, has_bf16, bf16_ip_bf16, bf16_l2_avx512, NULL, NULL},
    {"avx512popcnt", SL_CODE_BIT, has_popcnt, bit_popcnt, bit_popcnt, NULL, NULL},
    {0},
};
#endif
