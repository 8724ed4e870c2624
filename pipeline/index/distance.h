/* distance.h -- how far two vectors are apart; smaller is nearer. */
#ifndef SLUICE_DISTANCE_H
#define SLUICE_DISTANCE_H

#include <stdint.h>

#include <sluice/index.h>

/* Vectors are padded with zeros to a multiple of this many floats, and aligned to 64 bytes. */
#define SL_VECTOR_FLOATS 16u

/* Pre: both aligned to 64 bytes; `floats` is a multiple of SL_VECTOR_FLOATS. */
typedef float (*sl_distance_fn)(const float *a, const float *b, uint32_t floats);

/* The fastest this processor can do. IP and cosine: 1 - a.b; L2: squared Euclid. */
sl_distance_fn sl_distance_choose(enum sl_metric metric);

/* One variant, for tests: "scalar", "avx2", "avx512"; NULL when this processor or build lacks it. */
sl_distance_fn sl_distance_named(enum sl_metric metric, const char *name);

#endif /* SLUICE_DISTANCE_H */
