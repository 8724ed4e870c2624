/*
 * distance.c -- the innermost loop, in the widths a processor may have, chosen when the index opens.
 *
 * Vectors are padded to whole 64-byte lines, so no variant has a tail. Memory is what limits a walk over
 * many vectors, not arithmetic; four sums at once are enough to keep up with it. Sums are added up in
 * another order in each variant, so results differ in the last bits: what is compared must come from one.
 *
 * Rejected: -march=native (the package must run on any x86-64) and ifunc (not on every libc).
 */
#include "index/distance.h"

#include <string.h>

static float ip_scalar(const float *a, const float *b, uint32_t floats)
{
    float sum[4] = {0};

    for (uint32_t i = 0; i < floats; i += 4)
        for (uint32_t j = 0; j < 4; j++)
            sum[j] += a[i + j] * b[i + j];
    return 1.0f - ((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

static float l2_scalar(const float *a, const float *b, uint32_t floats)
{
    float sum[4] = {0};

    for (uint32_t i = 0; i < floats; i += 4)
        for (uint32_t j = 0; j < 4; j++) {
            float d = a[i + j] - b[i + j];
            sum[j] += d * d;
        }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2   __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512dq,avx2,fma")))

AVX2 static inline float sum8(__m256 v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

AVX2 static float ip_avx2(const float *a, const float *b, uint32_t floats)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0;

    for (uint32_t i = 0; i < floats; i += 16) {
        s0 = _mm256_fmadd_ps(_mm256_load_ps(a + i), _mm256_load_ps(b + i), s0);
        s1 = _mm256_fmadd_ps(_mm256_load_ps(a + i + 8), _mm256_load_ps(b + i + 8), s1);
    }
    return 1.0f - sum8(_mm256_add_ps(s0, s1));
}

AVX2 static float l2_avx2(const float *a, const float *b, uint32_t floats)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0;

    for (uint32_t i = 0; i < floats; i += 16) {
        __m256 d0 = _mm256_sub_ps(_mm256_load_ps(a + i), _mm256_load_ps(b + i));
        __m256 d1 = _mm256_sub_ps(_mm256_load_ps(a + i + 8), _mm256_load_ps(b + i + 8));
        s0 = _mm256_fmadd_ps(d0, d0, s0);
        s1 = _mm256_fmadd_ps(d1, d1, s1);
    }
    return sum8(_mm256_add_ps(s0, s1));
}

AVX512 static inline float sum16(__m512 v)
{
    return sum8(_mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)));
}

AVX512 static float ip_avx512(const float *a, const float *b, uint32_t floats)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    uint32_t i = 0;

    for (; i + 64 <= floats; i += 64) {
        s0 = _mm512_fmadd_ps(_mm512_load_ps(a + i), _mm512_load_ps(b + i), s0);
        s1 = _mm512_fmadd_ps(_mm512_load_ps(a + i + 16), _mm512_load_ps(b + i + 16), s1);
        s2 = _mm512_fmadd_ps(_mm512_load_ps(a + i + 32), _mm512_load_ps(b + i + 32), s2);
        s3 = _mm512_fmadd_ps(_mm512_load_ps(a + i + 48), _mm512_load_ps(b + i + 48), s3);
    }
    for (; i < floats; i += 16)
        s0 = _mm512_fmadd_ps(_mm512_load_ps(a + i), _mm512_load_ps(b + i), s0);
    return 1.0f - sum16(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

AVX512 static float l2_avx512(const float *a, const float *b, uint32_t floats)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;

    for (uint32_t i = 0; i < floats; i += 16) {
        __m512 d = _mm512_sub_ps(_mm512_load_ps(a + i), _mm512_load_ps(b + i));
        if ((i & 16) == 0)
            s0 = _mm512_fmadd_ps(d, d, s0);
        else
            s1 = _mm512_fmadd_ps(d, d, s1);
    }
    return sum16(_mm512_add_ps(s0, s1));
}
#endif

sl_distance_fn sl_distance_named(enum sl_metric metric, const char *name)
{
    bool l2 = metric == SL_METRIC_L2;

    if (strcmp(name, "scalar") == 0)
        return l2 ? l2_scalar : ip_scalar;
#if defined(__x86_64__)
    if (strcmp(name, "avx2") == 0 && __builtin_cpu_supports("avx2") &&
        __builtin_cpu_supports("fma"))
        return l2 ? l2_avx2 : ip_avx2;
    if (strcmp(name, "avx512") == 0 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512dq"))
        return l2 ? l2_avx512 : ip_avx512;
#endif
    return NULL;
}

sl_distance_fn sl_distance_choose(enum sl_metric metric)
{
    static const char *const names[] = {"avx512", "avx2", "scalar"};
    sl_distance_fn chosen = NULL;

    for (size_t i = 0; chosen == NULL && i < sizeof names / sizeof *names; i++)
        chosen = sl_distance_named(metric, names[i]);
    return chosen;
}
