/*
 * model_parts.h -- a model directory opened: its settings, its tokenizer, its network.
 */
#ifndef SLUICE_EMBED_MODEL_PARTS_H
#define SLUICE_EMBED_MODEL_PARTS_H

#include "embed/encoder.h"
#include "embed/model_config.h"
#include "embed/safetensors.h"
#include "embed/tokenizer.h"

struct sl_model_parts {
    struct sl_model_config config;
    enum sl_precision precision;
    struct sl_tokenizer *tokenizer;
    struct sl_encoder *encoder;
};

/*
 * Open `directory` and check that its parts go together. The bytes of the tokenizer's file and of
 * the weights are added to `digest` unless that is NULL.
 *
 * Owns:    caller closes *ret_parts with sl_model_parts_close(), and *ret_file, for tensors of a
 *          head, with sl_safetensors_close(); ret_file NULL: it is closed here.
 * Thread:  any.
 * Blocks:  disk, CPU.
 * Errors:  SL_STOP  exit 78 bad_model, bad_config; out of memory
 */
enum sl_err sl_model_parts_open(const char *directory, const char *precision,
                                struct sl_sha256 *digest, struct sl_model_parts *ret_parts,
                                struct sl_safetensors **ret_file, struct sl_error *err);

/* Close what is open, of parts half opened too. */
void sl_model_parts_close(struct sl_model_parts *parts);

/* The last component of the directory's path into ret_name, char[size]. */
void sl_model_name(const char *directory, char *ret_name, size_t size);

#endif
