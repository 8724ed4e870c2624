/*
 * bert_weights.h -- the parameters of a BERT encoder, loaded and arranged for use.
 */
#ifndef SLUICE_EMBED_BERT_WEIGHTS_H
#define SLUICE_EMBED_BERT_WEIGHTS_H

#include "embed/linear.h"
#include "embed/model_config.h"
#include "embed/safetensors.h"

#include <sluice/error.h>

struct sl_layer_norm {
    float *scale; /* [hidden] */
    float *shift;
};

struct sl_bert_layer {
    struct sl_weights qkv; /* query, key and value side by side: out = 3 * hidden */
    struct sl_weights attention;
    struct sl_layer_norm attention_norm;
    struct sl_weights up;
    struct sl_weights down;
    struct sl_layer_norm output_norm;
};

struct sl_bert_weights {
    float *tokens;    /* [vocabulary_count][hidden] */
    float *positions; /* [position_count][hidden] */
    float *types;     /* [type_count][hidden] */
    struct sl_layer_norm embedding_norm;
    struct sl_bert_layer *layers; /* [layer_count] */
    uint32_t layer_count;
};

/*
 * Read every tensor the configuration asks for, and pack the layers in the precision. Tensors'
 * names may carry the prefix of a larger model
 * ("bert.", "roberta."); other tensors of the file are not looked at.
 *
 * Owns:    caller releases *weights with sl_bert_weights_fini(), also after a failure. The file
 *          stays the caller's.
 * Thread:  any.
 * Blocks:  disk, CPU.
 * Errors:  SL_STOP  exit 78 bad_model, naming file and tensor; out of memory
 */
enum sl_err sl_bert_weights_load(struct sl_safetensors *file, const struct sl_model_config *config,
                                 enum sl_precision precision, struct sl_bert_weights *weights,
                                 struct sl_error *err);

/* Free. {0} is fine. */
void sl_bert_weights_fini(struct sl_bert_weights *weights);

#endif
