/*
 * test_codec.c -- codes hold what they say, and every kernel this machine has agrees with the scalar one and
 * with arithmetic in doubles.
 *
 * Built and run on other processors too (tests/kernels), so it needs nothing but the codec.
 */
#include <float.h>
#include <math.h>
#include <stdint.h>

#include "index/codec.h"
#include "test.h"

static const enum sl_code codes[] = {SL_CODE_F32, SL_CODE_F16, SL_CODE_BF16, SL_CODE_I8,
                                     SL_CODE_BIT};
static const char *const code_names[] = {"", "f32", "f16", "bf16", "i8", "bit"};
static const enum sl_metric metrics[] = {SL_METRIC_IP, SL_METRIC_COSINE, SL_METRIC_L2};

#define CODE_COUNT (sizeof codes / sizeof *codes)

/* 1..130, and what encoders make. */
static uint32_t dim_after(uint32_t dim)
{
    static const uint32_t more[] = {256, 384, 768, 1024, 1536, SL_DIM_MAX};

    if (dim < 130)
        return dim + 1;
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (more[i] > dim)
            return more[i];
    return 0;
}

/* What vectors are made of. Sums of integers are exact in any order. */
enum shape { INTEGERS, RANDOM, UNIT, ZERO, ONE_LAST, EQUAL, OPPOSITE, LARGE, SMALL, TINY, SHAPES };

static void fill(enum shape shape, uint32_t dim, bool second, float *ret_vector)
{
    float norm = 0;

    for (uint32_t i = 0; i < dim; i++) {
        float random = (float)(2 * test_uniform() - 1);
        float values[SHAPES] = {[INTEGERS] = (float)(test_random() % 17) - 8,
                                [RANDOM] = random,
                                [UNIT] = random,
                                [ONE_LAST] = i == dim - 1 ? 1 : 0,
                                [EQUAL] = 1,
                                [OPPOSITE] = second ? -1 : 1,
                                [LARGE] = random < 0 ? -65504 : 65504,
                                [SMALL] = random * 1e-6f,
                                [TINY] = random * 1e-40f};
        ret_vector[i] = values[shape];
        norm += random * random;
    }
    for (uint32_t i = 0; shape == UNIT && i < dim; i++)
        ret_vector[i] /= sqrtf(norm);
}

/* Two vectors, and what a codec makes of them. */
struct pair {
    struct sl_codec codec;
    float a[SL_DIM_MAX], b[SL_DIM_MAX];
    float a_decoded[SL_DIM_MAX], b_decoded[SL_DIM_MAX];
    void *a_code, *b_code; /* of exactly `stride` bytes */
};

static void pair_make(struct pair *pair, struct sl_codec codec, enum shape shape)
{
    pair->codec = codec;
    fill(shape, codec.dim, false, pair->a);
    fill(shape, codec.dim, true, pair->b);
    pair->a_code = aligned_alloc(SL_LINE_BYTES, codec.stride);
    pair->b_code = aligned_alloc(SL_LINE_BYTES, codec.stride);
    sl_codec_encode(&codec, pair->a, pair->a_code);
    sl_codec_encode(&codec, pair->b, pair->b_code);
    sl_codec_decode(&codec, pair->a_code, pair->a_decoded);
    sl_codec_decode(&codec, pair->b_code, pair->b_decoded);
}

static void pair_free(struct pair *pair)
{
    free(pair->a_code);
    free(pair->b_code);
}

/* The distance of two vectors in doubles, and the sum of the terms' magnitudes. */
static double reference(enum sl_metric metric, const float *a, const float *b, uint32_t dim,
                        double *ret_magnitude)
{
    double sum = 0, magnitude = 0;

    for (uint32_t i = 0; i < dim; i++) {
        double d = (double)a[i] - (double)b[i];
        double term = metric == SL_METRIC_L2 ? d * d : (double)a[i] * (double)b[i];
        sum += term;
        magnitude += fabs(term);
    }
    *ret_magnitude = magnitude;
    return metric == SL_METRIC_L2 ? sum : 1 - sum;
}

/*
 * Is `distance` right for this pair? Floats: no farther from the truth than `units` / 4 additions in a row
 * can bring it, and exact where every sum is. i8 and bit: what the scalar kernel says, to the bit.
 */
static bool agrees(const struct pair *pair, enum shape shape, sl_distance_fn distance)
{
    const struct sl_codec *codec = &pair->codec;
    float got = distance(pair->a_code, pair->b_code, codec->units);
    double magnitude, wanted, bound;
    struct sl_codec scalar;

    if (codec->code == SL_CODE_I8 || codec->code == SL_CODE_BIT)
        return sl_codec_named(codec->code, codec->metric, codec->dim, "scalar", &scalar) &&
               got == scalar.distance(pair->a_code, pair->b_code, codec->units);
    wanted = reference(codec->metric, pair->a_decoded, pair->b_decoded, codec->dim, &magnitude);
    bound = shape == INTEGERS ? 0 : (codec->units / 4 + 8) * 0x1p-24 * (magnitude + 1);
    return fabs((double)got - wanted) <= bound;
}

TEST(codec_every_kernel_agrees_with_scalar_and_with_doubles)
{
    static struct pair pair;
    int kernels = 0;

    for (size_t c = 0; c < CODE_COUNT; c++)
        for (const char *const *name = sl_codec_kernels(); *name != NULL; name++) {
            struct sl_codec codec;
            if (!sl_codec_named(codes[c], SL_METRIC_IP, 1, *name, &codec))
                continue;
            printf("%s: %s\n", code_names[codes[c]], *name);
            kernels++;
            for (uint32_t dim = 1; dim != 0; dim = dim_after(dim))
                for (size_t m = 0; m < 3; m++)
                    for (int shape = 0; shape < SHAPES; shape++) {
                        CHECK(sl_codec_named(codes[c], metrics[m], dim, *name, &codec));
                        pair_make(&pair, codec, (enum shape)shape);
                        CHECK_THAT(agrees(&pair, (enum shape)shape, codec.distance),
                                   "%s %s, metric %d, dim %u, shape %d", code_names[codes[c]],
                                   *name, metrics[m], dim, shape);
                        pair_free(&pair);
                    }
        }
    CHECK(kernels >= 5);
}

/* Kernels with the faults that kernels have, each on top of the right one. */
static struct sl_codec right;

static float short_by_one(const void *a, const void *b, uint32_t units)
{
    static _Alignas(SL_LINE_BYTES) char copy[SL_DIM_MAX * sizeof(float)];
    static const uint32_t value_bytes[] = {0, 4, 2, 2, 1};
    uint32_t last = right.dim - 1, bytes = value_bytes[right.code % SL_CODE_BIT];

    memcpy(copy, a, right.stride);
    if (right.code == SL_CODE_BIT)
        copy[last / 8] = (char)((copy[last / 8] & ~(1 << last % 8)) |
                                (((const char *)b)[last / 8] & 1 << last % 8));
    else
        memset(copy + last * bytes, 0, bytes);
    return right.distance(copy, b, units);
}

/* Takes the scale, the norm and the sum behind i8 values for values. */
static float into_the_tail(const void *a, const void *b, uint32_t units)
{
    const int8_t *x = a, *y = b;
    float scales[2];
    int32_t dot = 0;

    for (uint32_t i = 0; i < units; i++)
        dot += x[i] * y[i];
    memcpy(&scales[0], x + units - 16, 4);
    memcpy(&scales[1], y + units - 16, 4);
    return 1 - scales[0] * scales[1] * (float)dot;
}

/* Or a vector's distance would depend on how many were compared with it. */
TEST(codec_four_at_once_give_the_same_bits)
{
    static const uint32_t dims[] = {1, 16, 17, 63, 64, 80, 100, 384, 1000, 4096};
    static struct pair pairs[4];
    int compared = 0;

    test_seed(21);
    for (const char *const *name = sl_codec_kernels(); *name != NULL; name++)
        for (int metric = SL_METRIC_IP; metric <= SL_METRIC_L2; metric++)
            for (size_t d = 0; d < sizeof dims / sizeof *dims; d++) {
                const void *others[4];
                float got[4];
                struct sl_codec codec;
                if (!sl_codec_named(SL_CODE_F32, (enum sl_metric)metric, dims[d], *name, &codec) ||
                    codec.four == NULL)
                    continue;
                for (int i = 0; i < 4; i++) {
                    pair_make(&pairs[i], codec, RANDOM);
                    others[i] = pairs[i].b_code;
                }
                codec.four(pairs[0].a_code, others, codec.units, got);
                for (int i = 0; i < 4; i++) {
                    float one = codec.distance(pairs[0].a_code, others[i], codec.units);
                    CHECK_THAT(memcmp(&one, &got[i], sizeof one) == 0, "%s, %u dimensions", *name,
                               dims[d]);
                    compared++;
                }
                for (int i = 0; i < 4; i++)
                    pair_free(&pairs[i]);
            }
    printf("%d distances\n", compared);
}

TEST(codec_a_wrong_kernel_is_noticed)
{
    static struct pair pair;

    for (size_t c = 0; c < CODE_COUNT; c++)
        for (uint32_t dim = 1; dim != 0; dim = dim_after(dim)) {
            enum shape shape = codes[c] == SL_CODE_BIT ? OPPOSITE : EQUAL;
            right = sl_codec_choose(codes[c], SL_METRIC_IP, dim);
            pair_make(&pair, right, shape);
            CHECK(agrees(&pair, shape, right.distance));
            CHECK_THAT(!agrees(&pair, shape, short_by_one), "%s, dim %u", code_names[codes[c]],
                       dim);
            if (codes[c] == SL_CODE_I8)
                CHECK_THAT(!agrees(&pair, shape, into_the_tail), "dim %u", dim);
            pair_free(&pair);
        }
}

TEST(codec_choose_takes_the_last_kernel_that_runs)
{
    for (size_t c = 0; c < CODE_COUNT; c++) {
        struct sl_codec chosen = sl_codec_choose(codes[c], SL_METRIC_L2, 100), named, last = {0};
        for (const char *const *name = sl_codec_kernels(); *name != NULL; name++)
            if (sl_codec_named(codes[c], SL_METRIC_L2, 100, *name, &named))
                last = named;
        CHECK(strcmp(chosen.kernel, last.kernel) == 0 && chosen.distance == last.distance);
        CHECK(chosen.code == codes[c] && chosen.metric == SL_METRIC_L2 && chosen.dim == 100);
        CHECK(chosen.stride % SL_LINE_BYTES == 0);
        printf("%s is compared by %s\n", code_names[codes[c]], chosen.kernel);
        CHECK(!sl_codec_named(codes[c], SL_METRIC_L2, 100, "unheard of", &named));
    }
    CHECK(strcmp(sl_codec_kernels()[0], "scalar") == 0);
}

TEST(codec_strides_are_whole_lines_and_no_more_than_needed)
{
    static const uint32_t wanted[][6] = {{1, 64, 64, 64, 64, 64},
                                         {100, 448, 256, 256, 128, 64},
                                         {384, 1536, 768, 768, 448, 64},
                                         {768, 3072, 1536, 1536, 832, 128},
                                         {1536, 6144, 3072, 3072, 1600, 192}};

    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        for (size_t c = 0; c < CODE_COUNT; c++) {
            struct sl_codec codec = sl_codec_choose(codes[c], SL_METRIC_IP, wanted[i][0]);
            CHECK_THAT(codec.stride == wanted[i][c + 1], "%s, dim %u: %u", code_names[codes[c]],
                       wanted[i][0], codec.stride);
        }
}

/* ---------------------------------------------------------------------------- what codes hold */

TEST(codec_f32_is_exact)
{
    static struct pair pair;

    for (int shape = 0; shape < SHAPES; shape++) {
        pair_make(&pair, sl_codec_choose(SL_CODE_F32, SL_METRIC_IP, 100), (enum shape)shape);
        CHECK(memcmp(pair.a, pair.a_decoded, 100 * sizeof(float)) == 0);
        pair_free(&pair);
    }
}

/* One value through a code of 16 bits. */
static uint16_t encoded(enum sl_code code, float value, float *ret_decoded)
{
    static _Alignas(64) uint16_t line[32];
    const struct sl_codec codec = {.code = code, .dim = 1, .stride = sizeof line};

    sl_codec_encode(&codec, &value, line);
    sl_codec_decode(&codec, line, ret_decoded);
    return line[0];
}

/* What 16 bits mean, by their definition. */
static double meaning(enum sl_code code, uint16_t bits)
{
    int fraction_bits = code == SL_CODE_F16 ? 10 : 7, bias = code == SL_CODE_F16 ? 15 : 127;
    int exponent = (bits & 0x7fff) >> fraction_bits, fraction = bits & ((1 << fraction_bits) - 1);
    double value = exponent == 0
                       ? ldexp(fraction, 1 - bias - fraction_bits)
                       : ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);

    return bits & 0x8000 ? -value : value;
}

static uint16_t largest(enum sl_code code)
{
    return code == SL_CODE_F16 ? 0x7bff : 0x7f7f;
}

/* The nearest of all codes by definition, even when two are; found among the neighbours of `near_to`. */
static uint16_t nearest(enum sl_code code, float value, uint16_t near_to)
{
    int best = near_to & 0x7fff, sign = near_to & 0x8000;
    double wanted = fabs((double)value);

    for (int candidate = best - 2; candidate <= best + 2; candidate++) {
        double away, least = fabs(meaning(code, (uint16_t)best) - wanted);
        if (candidate < 0 || candidate > largest(code))
            continue;
        away = fabs(meaning(code, (uint16_t)candidate) - wanted);
        if (away < least || (away == least && candidate % 2 == 0))
            best = candidate;
    }
    return (uint16_t)(sign | best);
}

TEST(codec_f16_and_bf16_hold_every_value_they_can)
{
    for (int code = SL_CODE_F16; code <= SL_CODE_BF16; code++)
        for (int bits = 0; bits <= 0xffff; bits++) {
            float decoded, again;
            uint16_t back;
            if ((bits & 0x7fff) > largest((enum sl_code)code))
                continue; /* infinities and what is no number are never written */
            decoded = (float)meaning((enum sl_code)code, (uint16_t)bits);
            back = encoded((enum sl_code)code, decoded, &again);
            CHECK_THAT(back == bits && again == decoded, "%s %04x: %04x", code_names[code],
                       (unsigned)bits, back);
        }
}

TEST(codec_f16_and_bf16_round_to_nearest_even)
{
    int even = 0;

    for (int code = SL_CODE_F16; code <= SL_CODE_BF16; code++)
        for (int bits = 0; bits < largest((enum sl_code)code); bits++) {
            double low = meaning((enum sl_code)code, (uint16_t)bits);
            double high = meaning((enum sl_code)code, (uint16_t)(bits + 1));
            float middle = (float)((low + high) / 2), decoded;
            float around[] = {middle, nextafterf(middle, FLT_MAX), nextafterf(middle, 0),
                              (float)(low + (high - low) * test_uniform())};
            for (int i = 0; i < 8; i++) {
                float value = i % 2 ? -around[i / 2] : around[i / 2];
                uint16_t got = encoded((enum sl_code)code, value, &decoded);
                CHECK_THAT(got == nearest((enum sl_code)code, value, got), "%s %a: %04x",
                           code_names[code], (double)value, got);
                CHECK((got & 0x7fff) == bits || (got & 0x7fff) == bits + 1);
            }
            even += encoded((enum sl_code)code, middle, &decoded) % 2 == 0;
        }
    CHECK(even == largest(SL_CODE_F16) + largest(SL_CODE_BF16));
}

TEST(codec_f16_and_bf16_never_become_infinite)
{
    static const float large[] = {65504, 65519.99f, 65520, 65536, 1e9f, FLT_MAX};
    float decoded;

    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        CHECK(encoded(SL_CODE_F16, large[i], &decoded) == 0x7bff && decoded == 65504);
        CHECK(encoded(SL_CODE_F16, -large[i], &decoded) == 0xfbff && decoded == -65504);
    }
    CHECK(encoded(SL_CODE_BF16, FLT_MAX, &decoded) == 0x7f7f && isfinite(decoded));
    CHECK(encoded(SL_CODE_BF16, -FLT_MAX, &decoded) == 0xff7f && isfinite(decoded));
    CHECK(encoded(SL_CODE_F16, FLT_TRUE_MIN, &decoded) == 0 && decoded == 0);
    CHECK(encoded(SL_CODE_F16, -0x1p-25f, &decoded) == 0x8000);
}

static float magnitude_max(const float *vector, uint32_t dim)
{
    float max = 0;

    for (uint32_t i = 0; i < dim; i++)
        max = fmaxf(max, fabsf(vector[i]));
    return max;
}

TEST(codec_i8_is_within_half_a_step)
{
    static struct pair pair;

    for (uint32_t dim = 1; dim != 0; dim = dim_after(dim))
        for (int shape = 0; shape < TINY; shape++) {
            double step;
            pair_make(&pair, sl_codec_choose(SL_CODE_I8, SL_METRIC_IP, dim), (enum shape)shape);
            step = (double)magnitude_max(pair.a, dim) / 127;
            for (uint32_t i = 0; i < dim; i++)
                CHECK_THAT(fabs((double)pair.a[i] - (double)pair.a_decoded[i]) <= step * 0.50001,
                           "dim %u, shape %d, %u: %g became %g", dim, shape, i, (double)pair.a[i],
                           (double)pair.a_decoded[i]);
            pair_free(&pair);
        }
}

static double distance_between(const float *a, const float *b, uint32_t dim)
{
    double squared;
    double magnitude;

    squared = reference(SL_METRIC_L2, a, b, dim, &magnitude);
    return sqrt(squared);
}

/* By the triangle inequality: how far the codes are from the vectors bounds what distances can be off. */
TEST(codec_i8_distances_are_as_good_as_the_codes)
{
    static struct pair pair;
    double worst = 0;

    for (uint32_t dim = 1; dim != 0; dim = dim_after(dim))
        for (size_t m = 0; m < 3; m++) {
            double lost_a, lost_b, wanted, magnitude, got;
            pair_make(&pair, sl_codec_choose(SL_CODE_I8, metrics[m], dim), UNIT);
            lost_a = 0.50001 * sqrt(dim) * (double)magnitude_max(pair.a, dim) / 127;
            lost_b = 0.50001 * sqrt(dim) * (double)magnitude_max(pair.b, dim) / 127;
            CHECK(distance_between(pair.a, pair.a_decoded, dim) <= lost_a);
            wanted = reference(metrics[m], pair.a, pair.b, dim, &magnitude);
            got = (double)pair.codec.distance(pair.a_code, pair.b_code, pair.codec.units);
            if (metrics[m] == SL_METRIC_L2)
                CHECK_THAT(fabs(sqrt(got) - sqrt(wanted)) <= lost_a + lost_b + 1e-3,
                           "dim %u: %g for %g", dim, got, wanted);
            else {
                CHECK_THAT(fabs(got - wanted) <= lost_a + lost_b + lost_a * lost_b + 1e-6,
                           "dim %u: %g for %g", dim, got, wanted);
                worst = dim >= 256 ? fmax(worst, fabs(got - wanted)) : worst;
            }
            pair_free(&pair);
        }
    printf("i8: 1 - a.b of unit vectors is off by %g at most from 256 dimensions on\n", worst);
    CHECK(worst < 0.002);
}

TEST(codec_i8_l2_is_never_negative_and_zero_for_equals)
{
    static struct pair pair;

    for (uint32_t dim = 1; dim != 0; dim = dim_after(dim))
        for (int shape = 0; shape < SHAPES; shape++)
            for (const char *const *name = sl_codec_kernels(); *name != NULL; name++) {
                struct sl_codec codec;
                float other;
                if (!sl_codec_named(SL_CODE_I8, SL_METRIC_L2, dim, *name, &codec))
                    continue;
                pair_make(&pair, codec, (enum shape)shape);
                CHECK(codec.distance(pair.a_code, pair.a_code, codec.units) == 0);
                for (uint32_t i = 0; i < dim; i++) /* nearly equal: all but cancels */
                    pair.b[i] = pair.a[i] * 1.0001f;
                sl_codec_encode(&codec, pair.b, pair.b_code);
                other = codec.distance(pair.a_code, pair.b_code, codec.units);
                CHECK_THAT(other >= 0, "dim %u, shape %d: %g", dim, shape, (double)other);
                pair_free(&pair);
            }
}

TEST(codec_zero_vectors_are_codes_like_any_other)
{
    static struct pair pair;
    static const float ones[100] = {1, 1, 1};

    for (size_t c = 0; c < CODE_COUNT - 1; c++)
        for (size_t m = 0; m < 3; m++) {
            struct sl_codec codec = sl_codec_choose(codes[c], metrics[m], 100);
            pair_make(&pair, codec, ZERO);
            CHECK(memcmp(pair.a, pair.a_decoded, 100 * sizeof(float)) == 0);
            CHECK(codec.distance(pair.a_code, pair.b_code, codec.units) ==
                  (metrics[m] == SL_METRIC_L2 ? 0 : 1));
            sl_codec_encode(&codec, ones, pair.b_code);
            CHECK(fabsf(codec.distance(pair.a_code, pair.b_code, codec.units) -
                        (metrics[m] == SL_METRIC_L2 ? 3 : 1)) < 1e-6f);
            pair_free(&pair);
        }
}

TEST(codec_bit_is_twice_the_share_of_differing_signs)
{
    static struct pair pair;

    for (uint32_t dim = 1; dim != 0; dim = dim_after(dim))
        for (size_t m = 0; m < 3; m++) {
            struct sl_codec codec = sl_codec_choose(SL_CODE_BIT, metrics[m], dim);
            uint32_t differing = 0;
            pair_make(&pair, codec, RANDOM);
            for (uint32_t i = 0; i < dim; i++) {
                differing += (pair.a[i] < 0) != (pair.b[i] < 0);
                CHECK((pair.a[i] < 0) == (pair.a_decoded[i] < 0));
            }
            CHECK(fabsf(codec.distance(pair.a_code, pair.b_code, codec.units) -
                        2 * (float)differing / (float)dim) < 1e-6f);
            CHECK(codec.distance(pair.a_code, pair.a_code, codec.units) == 0);
            pair_free(&pair);
            pair_make(&pair, codec, OPPOSITE);
            CHECK(codec.distance(pair.a_code, pair.b_code, codec.units) == 2);
            pair_free(&pair);
        }
}
