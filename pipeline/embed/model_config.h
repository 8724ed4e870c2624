/*
 * model_config.h -- what the small files of a model directory say about the encoder.
 *
 *     config.json                 shape and kind of the network; its positions are the last word on
 *                                 length
 *     sentence_bert_config.json   max_seq_length: the token limit, when the file is there
 *     tokenizer_config.json       casing; model_max_length, when the file above does not say
 *     1_Pooling/config.json       mean or first token; mean without the file
 *     modules.json                only refused when it asks for a step we do not have
 *     config_sentence_transformers.json
 *                                 prompts: what is put before questions and passages
 *
 * The tokenizer itself is read in tokenizer.h.
 */
#ifndef SLUICE_EMBED_MODEL_CONFIG_H
#define SLUICE_EMBED_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>

#include "embed/tokenizer.h"

enum sl_pooling { SL_POOLING_MEAN = 0, SL_POOLING_FIRST };

struct sl_model_config {
    uint32_t vocabulary_count;
    uint32_t hidden; /* width of a token's row, and of the vector */
    uint32_t layer_count;
    uint32_t head_count;
    uint32_t intermediate; /* width inside the feed-forward part */
    uint32_t position_count;
    uint32_t position_first; /* of a sequence's first token: 0, but 2 for RoBERTa */
    uint32_t type_count;
    float layer_norm_epsilon;
    uint32_t sequence_max; /* tokens in one pass, special ones included */
    enum sl_pooling pooling;
    struct sl_tokenizer_casing casing;
    char query_prefix[SL_PREFIX_BYTES_MAX + 1]; /* "": none */
    char passage_prefix[SL_PREFIX_BYTES_MAX + 1];
};

/*
 * Read the files of `directory`.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  disk.
 * Errors:  SL_STOP  exit 78 bad_model, naming file and member and what is allowed
 */
enum sl_err sl_model_config_read(const char *directory, struct sl_model_config *ret_config,
                                 struct sl_error *err);

/*
 * "directory/name" into ret_path, char[size].
 *
 * Errors:  SL_STOP  exit 78: too long
 */
enum sl_err sl_model_path(const char *directory, const char *name, char *ret_path, size_t size,
                          struct sl_error *err);

/*
 * A whole file of at most `size_max` bytes, NUL behind it.
 *
 * Owns:    caller frees *ret_data.
 * Thread:  any.
 * Blocks:  disk.
 * Errors:  SL_STOP  exit 78 bad_model; err->foreign_code is ENOENT when it is not there
 */
enum sl_err sl_model_file_read(const char *path, size_t size_max, char **ret_data, size_t *ret_size,
                               struct sl_error *err);

#endif
