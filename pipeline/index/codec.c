/*
 * codec.c -- chooses kernels, and writes and reads codes.
 *
 * Which code is right is a matter of memory: a walk waits for lines to arrive, so it is as fast as its
 * codes are short. i8 keeps its scale, its norm and its sum in the code itself, behind the values: kept in
 * an array beside the codes they would cost one more line that must arrive. One scale a vector and not one
 * for all, so that no vector decides how coarse another is.
 *
 * f16 and bf16 round to nearest even; what is too large becomes the largest they hold, for an infinity
 * would poison every distance. i8 rounds to nearest, bit keeps signs, and both forget the rest.
 *
 * Rejected: a rotation before i8 and bit (helps where few dimensions carry all; those of text encoders do
 * not), and -128 (an even range keeps sums symmetric and spares AVX2 a case).
 *
 * Weakness: bit knows nothing of lengths, so with l2 and unequal norms it is a coarse estimate.
 */
#include "index/codec.h"

#include <math.h>

#include <sluice/error.h>

#include "index/kernels.h"

/* What chooses: the last name of these that has a kernel for the code and that the processor can run. */
static const char *const names[] = {"scalar",     "neon",       "neondot",      "avx2", "avx512",
                                    "avx512vnni", "avx512bf16", "avx512popcnt", NULL};

const char *const *sl_codec_kernels(void)
{
    return names;
}

static const struct sl_kernel *kernel_find(enum sl_code code, const char *name)
{
    static const struct sl_kernel *const tables[] = {
#if defined(__x86_64__)
        sl_kernels_x86,
#elif defined(__aarch64__)
        sl_kernels_neon,
#endif
        sl_kernels_scalar
    };

    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct sl_kernel *kernel = tables[t]; kernel->name != NULL; kernel++)
            if (kernel->code == code && strcmp(kernel->name, name) == 0 && kernel->supported())
                return kernel;
    return NULL;
}

static uint32_t round_up(uint32_t number, uint32_t multiple)
{
    return (number + multiple - 1) / multiple * multiple;
}

static uint32_t code_stride(enum sl_code code, uint32_t dim)
{
    switch (code) {
    case SL_CODE_F32:
        return round_up(dim * 4, SL_LINE_BYTES);
    case SL_CODE_F16:
    case SL_CODE_BF16:
        return round_up(dim * 2, SL_LINE_BYTES);
    case SL_CODE_I8:
        return round_up(dim + (uint32_t)sizeof(struct sl_i8_tail), SL_LINE_BYTES);
    case SL_CODE_BIT:
        break;
    }
    return sl_bit_lines(dim) * SL_LINE_BYTES;
}

static uint32_t code_units(enum sl_code code, uint32_t dim, uint32_t stride)
{
    switch (code) {
    case SL_CODE_F32:
        return stride / 4;
    case SL_CODE_F16:
    case SL_CODE_BF16:
        return stride / 2;
    case SL_CODE_I8:
        return stride;
    case SL_CODE_BIT:
        break;
    }
    return dim;
}

bool sl_codec_named(enum sl_code code, enum sl_metric metric, uint32_t dim, const char *kernel,
                    struct sl_codec *ret_codec)
{
    const struct sl_kernel *found = kernel_find(code, kernel);
    uint32_t stride = code_stride(code, dim);

    SL_PRE(dim >= 1 && dim <= SL_DIM_MAX);
    if (found == NULL)
        return false;
    *ret_codec = (struct sl_codec){.code = code,
                                   .metric = metric,
                                   .dim = dim,
                                   .stride = stride,
                                   .units = code_units(code, dim, stride),
                                   .distance = metric == SL_METRIC_L2 ? found->l2 : found->ip,
                                   .four = metric == SL_METRIC_L2 ? found->l2_four : found->ip_four,
                                   .kernel = found->name};
    return true;
}

struct sl_codec sl_codec_choose(enum sl_code code, enum sl_metric metric, uint32_t dim)
{
    struct sl_codec codec = {0};

    for (size_t i = 0; names[i] != NULL; i++)
        (void)sl_codec_named(code, metric, dim, names[i], &codec);
    SL_INVARIANT(codec.distance != NULL);
    return codec;
}

/* Nearest even; 65520 and above become 65504. */
static uint16_t half_of(float value)
{
    uint32_t bits = sl_float_bits(value), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;

    if (magnitude >= sl_float_bits(65520.0f))
        magnitude = 0x7bff;
    else if (magnitude >= sl_float_bits(0x1p-14f))
        magnitude = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
    else /* less than the least normal half: the addition rounds to its last bit, 2^-24 */
        magnitude = sl_float_bits(sl_bits_float(magnitude) + 0.5f) - sl_float_bits(0.5f);
    return (uint16_t)(sign | magnitude);
}

/* Nearest even; what would become infinite does not. */
static uint16_t bf16_of(float value)
{
    uint32_t bits = sl_float_bits(value), rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;

    return (uint16_t)((rounded & 0x7fff) == 0x7f80 ? rounded - 1 : rounded);
}

static void encode_16(const struct sl_codec *codec, const float *vector, uint16_t *values)
{
    if (codec->code == SL_CODE_F16)
        for (uint32_t i = 0; i < codec->dim; i++)
            values[i] = half_of(vector[i]);
    else
        for (uint32_t i = 0; i < codec->dim; i++)
            values[i] = bf16_of(vector[i]);
}

static float magnitude_max(const float *vector, uint32_t dim)
{
    float max = 0.0f;

    for (uint32_t i = 0; i < dim; i++) {
        float magnitude = fabsf(vector[i]);
        max = magnitude > max ? magnitude : max;
    }
    return max;
}

/* Vectors so small that their scale is not a normal float count as zero. */
static void encode_i8(const struct sl_codec *codec, const float *vector, int8_t *values)
{
    float scale = magnitude_max(vector, codec->dim) / 127.0f;
    struct sl_i8_tail tail = {0};
    int32_t squares = 0;

    if (scale >= 0x1p-126f) {
        float factor = 1.0f / scale;
        for (uint32_t i = 0; i < codec->dim; i++) {
            int32_t value = (int32_t)lrintf(vector[i] * factor);
            values[i] = (int8_t)(value > 127 ? 127 : value < -127 ? -127 : value);
            tail.sum += values[i];
            squares += values[i] * values[i];
        }
        tail.scale = scale;
    }
    tail.norm2 = sl_i8_product(&tail, &tail, squares);
    memcpy((char *)values + codec->stride - sizeof tail, &tail, sizeof tail);
}

static void encode_bits(const struct sl_codec *codec, const float *vector, uint8_t *bits)
{
    for (uint32_t i = 0; i < codec->dim; i++)
        bits[i / 8] = (uint8_t)(bits[i / 8] | (vector[i] < 0.0f) << i % 8);
}

void sl_codec_encode(const struct sl_codec *codec, const float *vector, void *code)
{
    SL_PRE((uintptr_t)code % SL_LINE_BYTES == 0);
    memset(code, 0, codec->stride);
    switch (codec->code) {
    case SL_CODE_F32:
        memcpy(code, vector, codec->dim * sizeof *vector);
        break;
    case SL_CODE_F16:
    case SL_CODE_BF16:
        encode_16(codec, vector, code);
        break;
    case SL_CODE_I8:
        encode_i8(codec, vector, code);
        break;
    case SL_CODE_BIT:
        encode_bits(codec, vector, code);
        break;
    }
}

static void decode_16(const struct sl_codec *codec, const uint16_t *values, float *ret_vector)
{
    if (codec->code == SL_CODE_F16)
        for (uint32_t i = 0; i < codec->dim; i++)
            ret_vector[i] = sl_half_float(values[i]);
    else
        for (uint32_t i = 0; i < codec->dim; i++)
            ret_vector[i] = sl_bf16_float(values[i]);
}

static void decode_i8(const struct sl_codec *codec, const int8_t *values, float *ret_vector)
{
    float scale = sl_i8_tail(values, codec->units)->scale;

    for (uint32_t i = 0; i < codec->dim; i++)
        ret_vector[i] = scale * (float)values[i];
}

/* A vector of length one in the orthant the signs name. */
static void decode_bits(const struct sl_codec *codec, const uint8_t *bits, float *ret_vector)
{
    float magnitude = 1.0f / sqrtf((float)codec->dim);

    for (uint32_t i = 0; i < codec->dim; i++)
        ret_vector[i] = (bits[i / 8] >> i % 8 & 1) != 0 ? -magnitude : magnitude;
}

void sl_codec_decode(const struct sl_codec *codec, const void *code, float *ret_vector)
{
    switch (codec->code) {
    case SL_CODE_F32:
        memcpy(ret_vector, code, codec->dim * sizeof *ret_vector);
        break;
    case SL_CODE_F16:
    case SL_CODE_BF16:
        decode_16(codec, code, ret_vector);
        break;
    case SL_CODE_I8:
        decode_i8(codec, code, ret_vector);
        break;
    case SL_CODE_BIT:
        decode_bits(codec, code, ret_vector);
        break;
    }
}
