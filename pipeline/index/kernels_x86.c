/*
 * kernels_x86.c -- how far two codes are apart, in the widths an x86-64 processor may have.
 *
 * Memory is what limits a walk over many vectors, not arithmetic; a few sums at once are enough to keep up
 * with it. Each function is compiled for its own instruction set, and the tables say what the processor
 * must have.
 *
 * Rejected: -march=native (the package must run on any x86-64) and ifunc (not on every libc).
 */
#include "index/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2,fma,f16c,popcnt")))
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,f16c,popcnt")))

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

AVX2 static inline float sum8(__m256 v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

AVX2 static float f32_ip_avx2(const void *a, const void *b, uint32_t units)
{
    const float *x = a, *y = b;
    __m256 s0 = _mm256_setzero_ps(), s1 = s0;

    for (uint32_t i = 0; i < units; i += 16) {
        s0 = _mm256_fmadd_ps(_mm256_load_ps(x + i), _mm256_load_ps(y + i), s0);
        s1 = _mm256_fmadd_ps(_mm256_load_ps(x + i + 8), _mm256_load_ps(y + i + 8), s1);
    }
    return 1.0f - sum8(_mm256_add_ps(s0, s1));
}

AVX2 static float f32_l2_avx2(const void *a, const void *b, uint32_t units)
{
    const float *x = a, *y = b;
    __m256 s0 = _mm256_setzero_ps(), s1 = s0;

    for (uint32_t i = 0; i < units; i += 16) {
        __m256 d0 = _mm256_sub_ps(_mm256_load_ps(x + i), _mm256_load_ps(y + i));
        __m256 d1 = _mm256_sub_ps(_mm256_load_ps(x + i + 8), _mm256_load_ps(y + i + 8));
        s0 = _mm256_fmadd_ps(d0, d0, s0);
        s1 = _mm256_fmadd_ps(d1, d1, s1);
    }
    return sum8(_mm256_add_ps(s0, s1));
}

AVX512 static inline float sum16(__m512 v)
{
    return sum8(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
}

AVX512 static float f32_ip_avx512(const void *a, const void *b, uint32_t units)
{
    const float *x = a, *y = b;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    uint32_t i = 0;

    for (; i + 64 <= units; i += 64) {
        s0 = _mm512_fmadd_ps(_mm512_load_ps(x + i), _mm512_load_ps(y + i), s0);
        s1 = _mm512_fmadd_ps(_mm512_load_ps(x + i + 16), _mm512_load_ps(y + i + 16), s1);
        s2 = _mm512_fmadd_ps(_mm512_load_ps(x + i + 32), _mm512_load_ps(y + i + 32), s2);
        s3 = _mm512_fmadd_ps(_mm512_load_ps(x + i + 48), _mm512_load_ps(y + i + 48), s3);
    }
    for (; i < units; i += 16)
        s0 = _mm512_fmadd_ps(_mm512_load_ps(x + i), _mm512_load_ps(y + i), s0);
    return 1.0f - sum16(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

AVX512 static float f32_l2_avx512(const void *a, const void *b, uint32_t units)
{
    const float *x = a, *y = b;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;

    for (uint32_t i = 0; i < units; i += 16) {
        __m512 d = _mm512_sub_ps(_mm512_load_ps(x + i), _mm512_load_ps(y + i));
        if ((i & 16) == 0)
            s0 = _mm512_fmadd_ps(d, d, s0);
        else
            s1 = _mm512_fmadd_ps(d, d, s1);
    }
    return sum16(_mm512_add_ps(s0, s1));
}

const struct sl_kernel sl_kernels_x86[] = {
    {"avx2", SL_CODE_F32, has_avx2, f32_ip_avx2, f32_l2_avx2},
    {"avx512", SL_CODE_F32, has_avx512, f32_ip_avx512, f32_l2_avx512},
    {0},
};
#endif
