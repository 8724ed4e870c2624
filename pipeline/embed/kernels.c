/*
 * kernels.c -- GELU, softmax, layer norm and the conversions between precisions, over vectors of 16
 * floats.
 *
 * GCC's vector extension gives one source for AVX-512, AVX2 and everything else; the compiler
 * splits the vector where the registers are smaller. e^x is 2^n times a polynomial. GELU is x times
 * an odd polynomial around a half: beyond 5 (4.5 in the lower precisions) the normal distribution
 * is taken as it is there. Both polynomials were fitted to the largest error; fitted in 2 x^2 / c^2
 * - 1, GELU's keeps its coefficients small and so its rounding. libm's functions are exact but one
 * value at a time: ten times slower. Rejected: trusting the compiler to vectorise plain loops,
 * which gcc does at -O3 only; erf by Abramowitz and Stegun 7.1.26, as exact, but with a division
 * and an exponential.
 */
#include "embed/kernels.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "embed/isa.h"
#include "embed/tile_rows.h"
#include "embed/tiles.h"

/* Vectors are returned by inlined functions only, so how they would be returned otherwise does not
 * matter. They are passed by pointer: gcc remarks on every other way. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define LANES 16u

typedef float floats __attribute__((vector_size(LANES * 4)));
typedef int32_t ints __attribute__((vector_size(LANES * 4)));
typedef uint32_t words __attribute__((vector_size(LANES * 4)));
typedef uint16_t halves __attribute__((vector_size(LANES * 2)));
typedef uint8_t bytes __attribute__((vector_size(LANES)));

#define INLINE static inline __attribute__((always_inline))

/* Lane by lane: `yes` where the mask is all ones, `no` where it is 0. */
#define CHOOSE(mask, yes, no) ((floats)(((ints)(yes) & (mask)) | ((ints)(no) & ~(mask))))

INLINE floats load(const float *from)
{
    floats v;

    memcpy(&v, from, sizeof v);
    return v;
}

INLINE void store(float *to, const floats *v)
{
    memcpy(to, v, sizeof *v);
}

/* The first `count` values, `otherwise` in the other lanes. */
INLINE floats load_part(const float *from, uint32_t count, float otherwise)
{
    floats v = otherwise - (floats){0};

    memcpy(&v, from, count * sizeof *from);
    return v;
}

/* The lanes, moved round by 8, 4, 2 or 1: sums and largest values of all lanes in four steps. */
#define ROTATED(v, n)                                                                              \
    __builtin_shufflevector(v, v, (n) % 16, (1 + (n)) % 16, (2 + (n)) % 16, (3 + (n)) % 16,        \
                            (4 + (n)) % 16, (5 + (n)) % 16, (6 + (n)) % 16, (7 + (n)) % 16,        \
                            (8 + (n)) % 16, (9 + (n)) % 16, (10 + (n)) % 16, (11 + (n)) % 16,      \
                            (12 + (n)) % 16, (13 + (n)) % 16, (14 + (n)) % 16, (15 + (n)) % 16)

INLINE float sum_lanes(const floats *sums)
{
    floats v = *sums;

    v += ROTATED(v, 8);
    v += ROTATED(v, 4);
    v += ROTATED(v, 2);
    v += ROTATED(v, 1);
    return v[0];
}

INLINE floats larger(const floats *a, const floats *b)
{
    return CHOOSE(*a > *b, *a, *b);
}

INLINE float max_lanes(const floats *most)
{
    floats v = *most, other;

    other = ROTATED(v, 8);
    v = larger(&v, &other);
    other = ROTATED(v, 4);
    v = larger(&v, &other);
    other = ROTATED(v, 2);
    v = larger(&v, &other);
    other = ROTATED(v, 1);
    return larger(&v, &other)[0];
}

INLINE const float *row_at(const float *values, size_t stride, uint32_t r)
{
    return (const float *)(const void *)((const unsigned char *)values + r * stride);
}

INLINE float *mutable_row_at(float *values, size_t stride, uint32_t r)
{
    return (float *)(void *)((unsigned char *)values + r * stride);
}

/* Of the bits of a bf16, the nearest, ties to even. Not for infinities and NaN, which no checked
 * weights lead to. */
INLINE halves bf16_of(const floats *v)
{
    const words bits = (words)*v;

    return __builtin_convertvector((bits + 0x7fff + (bits >> 16 & 1)) >> 16, halves);
}

/* 2^x for x <= 0; 2^-126 below that. */
INLINE floats exp2_negative(const floats *argument)
{
    const floats least = (floats){0} - 126.0f;
    const floats x = CHOOSE(*argument > least, *argument, least);
    const floats whole = x + 12582912.0f; /* 1.5 * 2^23: the last bits are now x, rounded */
    const floats f = x - (whole - 12582912.0f);
    floats p = f * 1.327647245e-03f + 9.675541893e-03f;

    p = p * f + 5.550713092e-02f;
    p = p * f + 2.402212024e-01f;
    p = p * f + 6.931469440e-01f;
    p = p * f + 1.000000119e+00f;
    return (floats)((ints)p + ((ints)whole << 23));
}

INLINE floats clamp(const floats *argument, float most)
{
    const floats top = (floats){0} + most, bottom = -top;
    const floats x = CHOOSE(*argument < top, *argument, top);

    return CHOOSE(x > bottom, x, bottom);
}

INLINE floats gelu(const floats *argument, bool exact)
{
    static const float fine[] = {4.929692950e-04f,  -1.514154137e-03f, 2.001860877e-03f,
                                 -2.915672259e-03f, 6.165429950e-03f,  -1.097323280e-02f,
                                 1.649765670e-02f,  -2.333673090e-02f, 3.142622858e-02f,
                                 -4.043294862e-02f, 5.152142048e-02f,  -7.029665262e-02f,
                                 1.413637847e-01f};
    static const float coarse[] = {3.353690263e-03f,  -9.328536689e-03f, 1.220852416e-02f,
                                   -1.674404554e-02f, 2.762940340e-02f,  -4.055576771e-02f,
                                   5.481856689e-02f,  -7.717195898e-02f, 1.569021195e-01f};
    const float most = exact ? 5.0f : 4.5f;
    const float *const factors = exact ? fine : coarse;
    const uint32_t degree = (uint32_t)((exact ? sizeof fine : sizeof coarse) / sizeof *fine) - 1;
    const floats x = clamp(argument, most), u = x * x * (2 / (most * most)) - 1.0f;
    floats p = u * factors[0] + factors[1];

    SL_UNROLL for (uint32_t i = 2; i <= degree; i++) p = p * u + factors[i];
    return *argument * (x * p + 0.5f);
}

/* ---- out of a tile ---- */

/* The sums of row r from column c on, as floats. */
INLINE floats load_sums(const struct sl_finish_job *job, enum sl_precision precision, uint32_t r,
                        uint32_t c)
{
    const float *from = (const float *)job->sums + (size_t)r * SL_TILE_COLUMNS + c;
    floats v = load(from);

    if (precision == SL_PRECISION_INT8)
        v = __builtin_convertvector((ints)v, floats) * load(job->scales + c) * job->row_scales[r] +
            load(job->shares + c) * job->row_minima[r];
    return v;
}

INLINE void finish_body(const struct sl_finish_job *job, enum sl_precision precision,
                        enum sl_finish finish)
{
    const bool gelus = finish == SL_FINISH_GELU || finish == SL_FINISH_GELU_BF16;
    const bool halved = finish == SL_FINISH_BIAS_BF16 || finish == SL_FINISH_GELU_BF16;

    for (uint32_t r = 0; r < job->rows; r++)
        for (uint32_t c = 0; c < SL_TILE_COLUMNS; c += LANES) {
            unsigned char *to = (unsigned char *)job->ret + r * job->ret_stride +
                                c * (halved ? sizeof(uint16_t) : sizeof(float));
            floats v = load_sums(job, precision, r, c);
            if (finish != SL_FINISH_RAW)
                v += load(job->bias + c);
            if (gelus)
                v = gelu(&v, precision == SL_PRECISION_F32);
            if (halved) {
                const halves h = bf16_of(&v);
                memcpy(to, &h, sizeof h);
            } else {
                memcpy(to, &v, sizeof v);
            }
        }
}

/* ---- layer norm ---- */

/* rows += added + bias; the mean of the result. */
INLINE float add_row(float *row, const float *added, const float *bias, uint32_t width)
{
    floats sums = {0};
    float rest = 0;
    uint32_t i = 0;

    for (; i + LANES <= width; i += LANES) {
        floats v = load(row + i) + load(added + i) + load(bias + i);
        store(row + i, &v);
        sums += v;
    }
    for (; i < width; i++) {
        row[i] += added[i] + bias[i];
        rest += row[i];
    }
    return (sum_lanes(&sums) + rest) / (float)width;
}

INLINE float row_variance(const float *row, uint32_t width, float mean)
{
    floats sums = {0};
    float rest = 0;
    uint32_t i = 0;

    for (; i + LANES <= width; i += LANES) {
        floats d = load(row + i) - mean;
        sums += d * d;
    }
    for (; i < width; i++)
        rest += (row[i] - mean) * (row[i] - mean);
    return (sum_lanes(&sums) + rest) / (float)width;
}

INLINE void add_norm_body(float *rows, const float *added, size_t added_stride, uint32_t count,
                          uint32_t width, const float *bias, const float *scale, const float *shift,
                          float epsilon)
{
    for (uint32_t r = 0; r < count; r++, rows += width) {
        float mean = add_row(rows, row_at(added, added_stride, r), bias, width);
        float factor = 1.0f / sqrtf(row_variance(rows, width, mean) + epsilon);
        uint32_t i = 0;
        for (; i + LANES <= width; i += LANES) {
            floats v = (load(rows + i) - mean) * factor * load(scale + i) + load(shift + i);
            store(rows + i, &v);
        }
        for (; i < width; i++)
            rows[i] = (rows[i] - mean) * factor * scale[i] + shift[i];
    }
}

/* ---- softmax ---- */

/* Scores i to i + 15 of a row of `width`: those behind it count as nothing. */
INLINE floats load_scores(const float *row, uint32_t i, uint32_t width)
{
    const ints lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const floats v = load(row + i), nothing = (floats){0} - INFINITY;

    return width - i >= LANES ? v : CHOOSE(lane < (int32_t)(width - i), v, nothing);
}

INLINE float row_max(const float *row, uint32_t width)
{
    floats most = (floats){0} - INFINITY;

    for (uint32_t i = 0; i < width; i += LANES) {
        const floats v = load_scores(row, i, width);
        most = larger(&most, &v);
    }
    return max_lanes(&most);
}

/* Results go over scores that have been read: they are never wider. */
INLINE float exps_row(float *row, uint32_t width, float factor, bool halved)
{
    const float factor_2 = factor * 1.44269504088896341f, top = row_max(row, width) * factor_2;
    uint16_t *half_row = (uint16_t *)(void *)row;
    floats sums = {0};

    for (uint32_t i = 0; i < width; i += LANES) {
        floats v = load_scores(row, i, width) * factor_2 - top;
        v = exp2_negative(&v);
        if (halved) {
            const halves h = bf16_of(&v);
            memcpy(half_row + i, &h, sizeof h);
        } else {
            store(row + i, &v);
        }
        sums += v;
    }
    return 1.0f / sum_lanes(&sums);
}

INLINE void exps_body(float *scores, size_t stride, uint32_t count, uint32_t width, float factor,
                      float *ret_factors, bool halved)
{
    for (uint32_t r = 0; r < count; r++)
        ret_factors[r] = exps_row(mutable_row_at(scores, stride, r), width, factor, halved);
}

/* ---- conversions ---- */

INLINE void store_as(void *ret, uint32_t i, const floats *v, uint32_t count, bool halved)
{
    if (halved) {
        const halves h = bf16_of(v);
        memcpy((uint16_t *)ret + i, &h, count * sizeof(uint16_t));
    } else {
        memcpy((float *)ret + i, v, count * sizeof(float));
    }
}

INLINE void convert_row(const float *row, uint32_t width, float factor, void *ret, bool halved)
{
    uint32_t i = 0;

    for (; i + LANES <= width; i += LANES) {
        const floats v = load(row + i) * factor;
        store_as(ret, i, &v, LANES, halved);
    }
    if (i < width) {
        const floats v = load_part(row + i, width - i, 0) * factor;
        store_as(ret, i, &v, width - i, halved);
    }
}

INLINE void scale_rows_body(const float *values, size_t stride, uint32_t count, uint32_t width,
                            const float *factors, void *ret, size_t ret_stride, bool halved)
{
    for (uint32_t r = 0; r < count; r++)
        convert_row(row_at(values, stride, r), width, factors[r],
                    (unsigned char *)ret + r * ret_stride, halved);
}

INLINE void to_bf16_body(const float *values, size_t stride, uint32_t count, uint32_t width,
                         void *ret, size_t ret_stride)
{
    for (uint32_t r = 0; r < count; r++)
        convert_row(row_at(values, stride, r), width, 1, (unsigned char *)ret + r * ret_stride,
                    true);
}

/* The smallest and the largest of a row. */
INLINE void row_range(const float *row, uint32_t width, float *ret_least, float *ret_most)
{
    floats most = (floats){0} - INFINITY, least = -most;
    uint32_t i = 0;

    for (; i + LANES <= width; i += LANES) {
        const floats v = load(row + i);
        most = larger(&most, &v);
        least = CHOOSE(v < least, v, least);
    }
    least = -least;
    *ret_most = max_lanes(&most);
    *ret_least = -max_lanes(&least);
    for (; i < width; i++) {
        *ret_most = row[i] > *ret_most ? row[i] : *ret_most;
        *ret_least = row[i] < *ret_least ? row[i] : *ret_least;
    }
}

INLINE bytes codes_of(const floats *v, float least, float factor)
{
    return __builtin_convertvector(__builtin_convertvector((*v - least) * factor + 0.5f, ints),
                                   bytes);
}

INLINE void to_int8_row(const float *row, uint32_t width, uint8_t *codes, float *ret_scale,
                        float *ret_minimum)
{
    float least, most, factor;
    uint32_t i = 0;

    row_range(row, width, &least, &most);
    *ret_scale = (most - least) / 255;
    *ret_minimum = least;
    factor = *ret_scale > 0 ? 1 / *ret_scale : 0;
    for (; i + LANES <= width; i += LANES) {
        const floats v = load(row + i);
        const bytes narrow = codes_of(&v, least, factor);
        memcpy(codes + i, &narrow, sizeof narrow);
    }
    if (i < width) {
        const floats v = load_part(row + i, width - i, least);
        const bytes narrow = codes_of(&v, least, factor);
        memcpy(codes + i, &narrow, width - i);
    }
}

INLINE void to_int8_body(const float *values, size_t stride, uint32_t count, uint32_t width,
                         void *ret, size_t ret_stride, float *ret_scales, float *ret_minima)
{
    for (uint32_t r = 0; r < count; r++)
        to_int8_row(row_at(values, stride, r), width, (uint8_t *)ret + r * ret_stride,
                    &ret_scales[r], &ret_minima[r]);
}

/* ---- tables ---- */

#define FINISH(set, attribute, word, precision, finish)                                            \
    attribute static void word##_##set(const struct sl_finish_job *job)                            \
    {                                                                                              \
        finish_body(job, precision, finish);                                                       \
    }
#define FINISHES(set, attribute, word, precision)                                                  \
    FINISH(set, attribute, word##_raw, precision, SL_FINISH_RAW)                                   \
    FINISH(set, attribute, word##_bias, precision, SL_FINISH_BIAS)                                 \
    FINISH(set, attribute, word##_bias_bf16, precision, SL_FINISH_BIAS_BF16)                       \
    FINISH(set, attribute, word##_gelu, precision, SL_FINISH_GELU)                                 \
    FINISH(set, attribute, word##_gelu_bf16, precision, SL_FINISH_GELU_BF16)
#define FINISH_ROW(set, word)                                                                      \
    {                                                                                              \
        word##_raw_##set, word##_bias_##set, word##_bias_bf16_##set, word##_gelu_##set,            \
            word##_gelu_bf16_##set                                                                 \
    }

/* One table of functions, compiled for one instruction set. */
#define KERNELS(set, attribute)                                                                    \
    FINISHES(set, attribute, f32, SL_PRECISION_F32)                                                \
    FINISHES(set, attribute, bf16, SL_PRECISION_BF16)                                              \
    FINISHES(set, attribute, int8, SL_PRECISION_INT8)                                              \
    attribute static void add_norm_##set(float *rows, const float *added, size_t added_stride,     \
                                         uint32_t count, uint32_t width, const float *bias,        \
                                         const float *scale, const float *shift, float epsilon)    \
    {                                                                                              \
        add_norm_body(rows, added, added_stride, count, width, bias, scale, shift, epsilon);       \
    }                                                                                              \
    attribute static void exps_##set(float *scores, size_t stride, uint32_t count, uint32_t width, \
                                     float factor, float *ret_factors)                             \
    {                                                                                              \
        exps_body(scores, stride, count, width, factor, ret_factors, false);                       \
    }                                                                                              \
    attribute static void exps_bf16_##set(float *scores, size_t stride, uint32_t count,            \
                                          uint32_t width, float factor, float *ret_factors)        \
    {                                                                                              \
        exps_body(scores, stride, count, width, factor, ret_factors, true);                        \
    }                                                                                              \
    attribute static void scale_rows_##set(const float *values, size_t stride, uint32_t count,     \
                                           uint32_t width, const float *factors, void *ret,        \
                                           size_t ret_stride)                                      \
    {                                                                                              \
        scale_rows_body(values, stride, count, width, factors, ret, ret_stride, false);            \
    }                                                                                              \
    attribute static void scale_rows_bf16_##set(                                                   \
        const float *values, size_t stride, uint32_t count, uint32_t width, const float *factors,  \
        void *ret, size_t ret_stride)                                                              \
    {                                                                                              \
        scale_rows_body(values, stride, count, width, factors, ret, ret_stride, true);             \
    }                                                                                              \
    attribute static void to_bf16_##set(const float *values, size_t stride, uint32_t count,        \
                                        uint32_t width, void *ret, size_t ret_stride)              \
    {                                                                                              \
        to_bf16_body(values, stride, count, width, ret, ret_stride);                               \
    }                                                                                              \
    attribute static void to_int8_##set(const float *values, size_t stride, uint32_t count,        \
                                        uint32_t width, void *ret, size_t ret_stride,              \
                                        float *ret_scales, float *ret_minima)                      \
    {                                                                                              \
        to_int8_body(values, stride, count, width, ret, ret_stride, ret_scales, ret_minima);       \
    }                                                                                              \
    static const struct sl_kernels kernels_##set = {                                               \
        .name = #set,                                                                              \
        .finish = {FINISH_ROW(set, f32), FINISH_ROW(set, bf16), FINISH_ROW(set, int8)},            \
        .add_norm = add_norm_##set,                                                                \
        .exps = exps_##set,                                                                        \
        .exps_bf16 = exps_bf16_##set,                                                              \
        .scale_rows = scale_rows_##set,                                                            \
        .scale_rows_bf16 = scale_rows_bf16_##set,                                                  \
        .to_bf16 = to_bf16_##set,                                                                  \
        .to_int8 = to_int8_##set};

KERNELS(baseline, )
#if defined(__x86_64__)
KERNELS(avx2, __attribute__((target(SL_ISA_AVX2))))
KERNELS(avx512, __attribute__((target(SL_ISA_AVX512))))
#endif

const struct sl_kernels *const *sl_kernels_all(void)
{
    static const struct sl_kernels *const sets[] = {
#if defined(__x86_64__)
        &kernels_avx512,
        &kernels_avx2,
#endif
        &kernels_baseline,
        NULL
    };

#if defined(__x86_64__)
    return sets + (sl_has_avx512() ? 0 : sl_has_avx2() ? 1 : 2);
#else
    return sets;
#endif
}

const struct sl_kernels *sl_kernels_best(void)
{
    return sl_kernels_all()[0];
}
