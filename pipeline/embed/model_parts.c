/*
 * model_parts.c -- a model directory opened, whatever its network is then used for.
 *
 * Embedding, ranking and reading differ in their heads and in what they lay into a pass; how a
 * directory becomes a tokenizer and an encoder that fit each other is the same for all of them.
 */
#include "embed/model_parts.h"

#include <stdio.h>
#include <string.h>

#define PATH_BYTES_MAX 4096

void sl_model_name(const char *directory, char *ret_name, size_t size)
{
    size_t end = strlen(directory), start;

    while (end > 1 && directory[end - 1] == '/')
        end--;
    for (start = end; start > 0 && directory[start - 1] != '/'; start--)
        ;
    (void)snprintf(ret_name, size, "%.*s", (int)(end - start), directory + start);
}

/* The tokenizer, and whether it goes with the network. */
static enum sl_err open_tokenizer(struct sl_model_parts *parts, const char *directory,
                                  struct sl_sha256 *digest, struct sl_error *err)
{
    enum sl_err r =
        sl_tokenizer_open(directory, &parts->config.casing, digest, &parts->tokenizer, err);
    uint32_t count;

    if (r != SL_OK)
        return r;
    count = sl_tokenizer_vocabulary_count(parts->tokenizer);
    if (count > parts->config.vocabulary_count)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%.200s: the tokenizer has %u tokens, but vocab_size in config.json allows "
                       "%u",
                       directory, count, parts->config.vocabulary_count);
    if (sl_tokenizer_first_id(parts->tokenizer) == UINT32_MAX)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%.200s/tokenizer.json: \"post_processor\" must put one token before a "
                       "text and one behind it",
                       directory);
    return SL_OK;
}

static enum sl_err open_encoder(struct sl_model_parts *parts, const char *directory,
                                struct sl_sha256 *digest, struct sl_safetensors **ret_file,
                                struct sl_error *err)
{
    char path[PATH_BYTES_MAX];
    struct sl_safetensors *file = NULL;
    enum sl_err r = sl_model_path(directory, "model.safetensors", path, sizeof path, err);

    if (r != SL_OK || (r = sl_safetensors_open(path, &file, err)) != SL_OK)
        return r;
    if (digest != NULL)
        r = sl_safetensors_digest(file, digest, err);
    if (r == SL_OK)
        r = sl_encoder_open(file, &parts->config, parts->precision, &parts->encoder, err);
    if (r == SL_OK && ret_file != NULL)
        *ret_file = file;
    else
        sl_safetensors_close(file);
    return r;
}

enum sl_err sl_model_parts_open(const char *directory, const char *precision,
                                struct sl_sha256 *digest, struct sl_model_parts *ret_parts,
                                struct sl_safetensors **ret_file, struct sl_error *err)
{
    struct sl_model_parts parts = {0};
    enum sl_err r = sl_precision_choose(precision, &parts.precision, err);

    if (r == SL_OK)
        r = sl_model_config_read(directory, &parts.config, err);
    if (r == SL_OK)
        r = open_tokenizer(&parts, directory, digest, err);
    if (r == SL_OK)
        r = open_encoder(&parts, directory, digest, ret_file, err);
    if (r == SL_OK)
        *ret_parts = parts;
    else
        sl_model_parts_close(&parts);
    return r;
}

void sl_model_parts_close(struct sl_model_parts *parts)
{
    parts->encoder = sl_encoder_close(parts->encoder);
    sl_tokenizer_close(parts->tokenizer);
    parts->tokenizer = NULL;
}
