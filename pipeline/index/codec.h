/*
 * codec.h -- vectors as bytes (codes), and how far two codes are apart.
 *
 *     f32   as given
 *     f16   IEEE half; bf16  the upper half of a float. Both rounded to nearest even
 *     i8    one scale a vector (largest magnitude / 127), so that each vector uses all of its eight bits
 *     bit   signs
 *
 * A code lies on 64-byte lines and is padded so that no kernel has a tail. Kernels are chosen when an index
 * opens: the fastest this processor has. Each sums in its own order, so results of two kernels of one code
 * differ in the last bits (i8 and bit: not at all): what is compared must come from one.
 */
#ifndef SLUICE_INDEX_CODEC_H
#define SLUICE_INDEX_CODEC_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/index.h>

#define SL_LINE_BYTES 64u /* codes are aligned to, and as long as, a multiple of this */

enum sl_code { SL_CODE_F32 = 1, SL_CODE_F16, SL_CODE_BF16, SL_CODE_I8, SL_CODE_BIT };

/*
 * Smaller is nearer. ip and cosine: 1 - a.b; l2: squared Euclid. bit: an estimate from the share of
 * differing signs, 2 x share, whatever the metric.
 *
 * Pre: both aligned to SL_LINE_BYTES, encoded alike; `units` is the codec's.
 */
typedef float (*sl_distance_fn)(const void *a, const void *b, uint32_t units);

/*
 * The same from one code to four, which are read side by side: memory answers several at once sooner than one
 * after the other. To the bit what `distance` gives.
 */
typedef void (*sl_distance_four_fn)(const void *from, const void *const codes[4], uint32_t units,
                                    float ret_distances[4]);

struct sl_codec {
    enum sl_code code;
    enum sl_metric metric;
    uint32_t dim;
    uint32_t stride; /* bytes of one code, padding and what i8 keeps beside its values included */
    uint32_t units;  /* what distance() counts in; differs with the code */
    sl_distance_fn distance;
    sl_distance_four_fn four; /* NULL: short codes gain nothing by it */
    const char *kernel; /* "avx512vnni", "avx2", "neon", "scalar", ... */
};

/* The fastest this processor can do. Pre: 1 <= dim <= SL_DIM_MAX. */
struct sl_codec sl_codec_choose(enum sl_code code, enum sl_metric metric, uint32_t dim);

/* With one kernel, for tests and benchmarks. false: this processor or build lacks it. */
bool sl_codec_named(enum sl_code code, enum sl_metric metric, uint32_t dim, const char *kernel,
                    struct sl_codec *ret_codec);
/* Names of all kernels there can be, slowest ("scalar") first; ends with NULL. */
const char *const *sl_codec_kernels(void);

/*
 * Writes all `stride` bytes. What is too large for f16 or bf16 becomes the largest they hold; a zero vector
 * is a code like any other.
 *
 * Pre: `vector` is float[dim], finite, as is its squared norm; `code` aligned to SL_LINE_BYTES.
 */
void sl_codec_encode(const struct sl_codec *codec, const float *vector, void *code);
/* float[dim] back: f32 exactly, the others as far as they hold it. */
void sl_codec_decode(const struct sl_codec *codec, const void *code, float *ret_vector);

#endif /* SLUICE_INDEX_CODEC_H */
