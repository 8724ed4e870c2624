/*
 * attention.h -- softmax(query * transposed key / sqrt(width)) * value, for each head of one
 * sequence.
 */
#ifndef SLUICE_EMBED_ATTENTION_H
#define SLUICE_EMBED_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "embed/linear.h"

/* The shape of a model's attention, and what computes it. */
struct sl_attention {
    struct sl_machine machine; /* f32, or bf16 when a head's width is even */
    uint32_t head_count;
    uint32_t width; /* of a head */
};

/* What attention needs beside its input and output, for sequences up to a length. */
struct sl_attention_space {
    void *keys;    /* panels of one head */
    void *values;  /* panels of one head */
    float *scores; /* [SL_TILE_ROWS_MAX][length, filled up to whole panels] */
};

/* False when out of memory; release with sl_attention_space_fini(), also after a failure. */
bool sl_attention_space_init(struct sl_attention_space *space, const struct sl_attention *attention,
                             uint32_t length_max);
void sl_attention_space_fini(struct sl_attention_space *space);

/*
 * One sequence of `length` rows. A row of `qkv` holds the queries of all heads, then the keys, then
 * the values, in the machine's precision; the first `query_count` rows ask. A row of `mixed` gets
 * the heads' results side by side: as bf16 with `halved`, else as float.
 *
 * Thread:  any; the space is one thread's at a time.
 * Blocks:  CPU.
 */
void sl_attend(const struct sl_attention *attention, struct sl_attention_space *space,
               const void *qkv, size_t qkv_stride, uint32_t length, uint32_t query_count,
               void *mixed, size_t mixed_stride, bool halved);

#endif
