/*
 * precision.h -- what numbers an encoder multiplies: chosen once, when it is opened.
 *
 *     f32    weights and activations as float32.
 *     bf16   both as bfloat16, sums in float32.
 *     int8   weights in 8 bits with a scale for each output, activations in 8 bits with a scale and
 *            a minimum for each row, sums in int32.
 *
 * Layer norm, softmax and the residual are float32 in all of them. Each can be computed on every
 * processor; where the processor has no instructions for it, bf16 and int8 are slower than f32.
 */
#ifndef SLUICE_EMBED_PRECISION_H
#define SLUICE_EMBED_PRECISION_H

#include <sluice/error.h>

enum sl_precision { SL_PRECISION_F32 = 0, SL_PRECISION_BF16, SL_PRECISION_INT8 };

#define SL_PRECISION_COUNT 3

/*
 * The precision that `word` asks for: "f32", "bf16", "int8", or "auto" (or NULL): bf16 where the
 * processor multiplies it (AVX512_BF16), else int8 where it does that (AVX512_VNNI, AVX_VNNI), else
 * f32.
 *
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_STOP  exit 78 bad_config: another word
 */
enum sl_err sl_precision_choose(const char *word, enum sl_precision *ret_precision,
                                struct sl_error *err);

/* The word for it, as it stands in the configuration. */
const char *sl_precision_name(enum sl_precision precision);

#endif
