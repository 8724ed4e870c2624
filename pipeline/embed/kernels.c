/*
 * kernels.c -- GELU, softmax and layer norm over vectors of 16 floats.
 *
 * GCC's vector extension gives one source for AVX-512, AVX2 and everything else; the compiler
 * splits the vector where the registers are smaller. exp is the usual 2^n times a polynomial, good
 * to 2 ulp over the range it is called with; erf is Abramowitz and Stegun 7.1.26 (error under
 * 2e-7), which GELU multiplies by x. libm's own are exact but one value at a time: ten times
 * slower. Rejected: trusting the compiler to vectorise plain loops, which gcc does at -O3 only.
 */
#include "embed/kernels.h"

#include <math.h>
#include <string.h>

/* Vectors are returned by inlined functions only, so how they would be returned otherwise does not
 * matter. They are passed by pointer: gcc remarks on every other way. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define LANES 16u

typedef float floats __attribute__((vector_size(LANES * 4)));
typedef int32_t ints __attribute__((vector_size(LANES * 4)));

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

INLINE void store_part(float *to, const floats *v, uint32_t count)
{
    memcpy(to, v, count * sizeof *to);
}

INLINE float sum_lanes(const floats *v)
{
    float sums[LANES];

    store(sums, v);
    for (uint32_t half = LANES / 2; half > 0; half /= 2)
        for (uint32_t i = 0; i < half; i++)
            sums[i] += sums[i + half];
    return sums[0];
}

INLINE float max_lanes(const floats *v)
{
    float most[LANES];

    store(most, v);
    for (uint32_t half = LANES / 2; half > 0; half /= 2)
        for (uint32_t i = 0; i < half; i++)
            most[i] = most[i + half] > most[i] ? most[i + half] : most[i];
    return most[0];
}

/* e^x for x <= 0; 0 below -87. */
INLINE floats exp_negative(const floats *argument)
{
    const float log2e = 1.44269504088896341f, ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    const floats x = *argument;
    const ints tiny = x < -87.0f;
    floats n = (x * log2e + magic) - magic;
    floats r = x - n * ln2_high - n * ln2_low; /* |r| <= ln 2 / 2 */
    floats p = r * (1.0f / 5040) + 1.0f / 720;
    ints power;

    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    n = CHOOSE(tiny, (floats){0}, n);
    power = (__builtin_convertvector(n, ints) + 127) << 23;
    return CHOOSE(tiny, (floats){0}, p * (floats)power);
}

INLINE floats gelu(const floats *argument)
{
    const floats x = *argument;
    const ints sign_bit = (ints){0} + INT32_MIN;
    const floats z = (floats)((ints)(x * 0.70710678118654752f) & ~sign_bit);
    const floats t = 1.0f / (z * 0.3275911f + 1.0f);
    const floats minus_square = -(z * z);
    floats p = t * 1.061405429f - 1.453152027f;
    floats erf;

    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    erf = 1.0f - p * t * exp_negative(&minus_square);
    erf = (floats)((ints)erf | ((ints)x & sign_bit));
    return x * 0.5f * (erf + 1.0f);
}

INLINE void bias_gelu_body(float *rows, uint32_t count, uint32_t width, const float *bias)
{
    for (uint32_t r = 0; r < count; r++, rows += width) {
        uint32_t i = 0;
        for (; i + LANES <= width; i += LANES) {
            floats v = load(rows + i) + load(bias + i);
            v = gelu(&v);
            store(rows + i, &v);
        }
        if (i < width) {
            floats v = load_part(rows + i, width - i, 0) + load_part(bias + i, width - i, 0);
            v = gelu(&v);
            store_part(rows + i, &v, width - i);
        }
    }
}

INLINE void bias_body(float *rows, uint32_t count, uint32_t width, const float *bias)
{
    for (uint32_t r = 0; r < count; r++, rows += width) {
        uint32_t i = 0;
        for (; i + LANES <= width; i += LANES) {
            floats v = load(rows + i) + load(bias + i);
            store(rows + i, &v);
        }
        for (; i < width; i++)
            rows[i] += bias[i];
    }
}

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

INLINE void add_norm_body(float *rows, const float *added, uint32_t count, uint32_t width,
                          const float *bias, const float *scale, const float *shift, float epsilon)
{
    for (uint32_t r = 0; r < count; r++, rows += width, added += width) {
        float mean = add_row(rows, added, bias, width);
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

INLINE void softmax_row(float *row, uint32_t width, float factor)
{
    const uint32_t whole = width - width % LANES, rest = width - whole;
    floats most = (floats){0} - INFINITY, sums = {0};
    float top, scale;

    for (uint32_t i = 0; i < whole; i += LANES) {
        floats v = load(row + i);
        most = CHOOSE(v > most, v, most);
    }
    if (rest > 0) {
        floats v = load_part(row + whole, rest, -INFINITY);
        most = CHOOSE(v > most, v, most);
    }
    top = max_lanes(&most);
    for (uint32_t i = 0; i < whole; i += LANES) {
        floats v = (load(row + i) - top) * factor;
        v = exp_negative(&v);
        store(row + i, &v);
        sums += v;
    }
    if (rest > 0) {
        floats v = (load_part(row + whole, rest, -INFINITY) - top) * factor;
        v = exp_negative(&v);
        store_part(row + whole, &v, rest);
        sums += v;
    }
    scale = 1.0f / sum_lanes(&sums);
    for (uint32_t i = 0; i < whole; i += LANES) {
        floats v = load(row + i) * scale;
        store(row + i, &v);
    }
    for (uint32_t i = whole; i < width; i++)
        row[i] *= scale;
}

INLINE void softmax_body(float *rows, uint32_t count, uint32_t width, uint32_t stride, float factor)
{
    for (uint32_t r = 0; r < count; r++)
        softmax_row(rows + (size_t)r * stride, width, factor);
}

/* One table of functions, compiled for one instruction set. */
#define KERNELS(set, attribute)                                                                    \
    attribute static void bias_gelu_##set(float *rows, uint32_t count, uint32_t width,             \
                                          const float *bias)                                       \
    {                                                                                              \
        bias_gelu_body(rows, count, width, bias);                                                  \
    }                                                                                              \
    attribute static void bias_##set(float *rows, uint32_t count, uint32_t width,                  \
                                     const float *bias)                                            \
    {                                                                                              \
        bias_body(rows, count, width, bias);                                                       \
    }                                                                                              \
    attribute static void add_norm_##set(float *rows, const float *added, uint32_t count,          \
                                         uint32_t width, const float *bias, const float *scale,    \
                                         const float *shift, float epsilon)                        \
    {                                                                                              \
        add_norm_body(rows, added, count, width, bias, scale, shift, epsilon);                     \
    }                                                                                              \
    attribute static void softmax_##set(float *rows, uint32_t count, uint32_t width,               \
                                        uint32_t stride, float factor)                             \
    {                                                                                              \
        softmax_body(rows, count, width, stride, factor);                                          \
    }                                                                                              \
    static const struct sl_kernels kernels_##set = {bias_gelu_##set, bias_##set, add_norm_##set,   \
                                                    softmax_##set, #set};

KERNELS(baseline, )
#if defined(__x86_64__)
KERNELS(avx2, __attribute__((target("avx2,fma"))))
KERNELS(avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))))
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
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return sets;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return sets + 1;
    return sets + 2;
#else
    return sets;
#endif
}

const struct sl_kernels *sl_kernels_best(void)
{
    return sl_kernels_all()[0];
}
