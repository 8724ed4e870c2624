/*
 * bert_weights.c -- from the tensor names of a checkpoint to struct sl_bert_weights.
 *
 * Done once here so that the encoder need not: query, key and value become one matrix. A file that
 * holds the encoder inside a larger model (a classifier, a masked language model) names its tensors
 * with a prefix, which is found by looking for the first tensor.
 */
#include "embed/bert_weights.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What one load carries about. */
struct loader {
    struct sl_safetensors *file;
    const struct sl_model_config *config;
    enum sl_precision precision;
    char prefix[48]; /* before each tensor's name */
    char name[160];  /* the tensor being read */
    float *scratch;  /* room for the largest weight matrix */
    float *bias;     /* and for the longest bias */
    struct sl_error *err;
};

static enum sl_err no_memory(struct loader *loader)
{
    return sl_stop(loader->err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory",
                   sl_safetensors_path(loader->file));
}

/* A weight that is not finite would make every vector NaN; say which tensor has it. */
static enum sl_err check_finite(struct loader *loader, const float *values, size_t count)
{
    float sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += values[i] * 0.0f;
    if (sum == 0.0f)
        return SL_OK;
    return sl_stop(loader->err, SL_EXIT_CONFIG, 0, "bad_model",
                   "%s: tensor %s holds infinities or NaN", sl_safetensors_path(loader->file),
                   loader->name);
}

/* "<prefix><part><kind>"; older checkpoints call a layer norm's weight and bias gamma and beta. */
static void set_name(struct loader *loader, const char *part, const char *kind)
{
    (void)snprintf(loader->name, sizeof loader->name, "%s%s.%s", loader->prefix, part, kind);
    if (sl_safetensors_has(loader->file, loader->name) || strstr(part, "LayerNorm") == NULL)
        return;
    (void)snprintf(loader->name, sizeof loader->name, "%s%s.%s", loader->prefix, part,
                   strcmp(kind, "weight") == 0 ? "gamma" : "beta");
}

static enum sl_err read_into(struct loader *loader, const char *part, const char *kind,
                             uint32_t rows, uint32_t columns, float *values)
{
    enum sl_err r;

    set_name(loader, part, kind);
    r = sl_safetensors_read(loader->file, loader->name, rows, columns, values, loader->err);
    if (r != SL_OK)
        return r;
    return check_finite(loader, values, (size_t)rows * (columns ? columns : 1));
}

static enum sl_err read_new(struct loader *loader, const char *part, const char *kind,
                            uint32_t rows, uint32_t columns, float **ret)
{
    *ret = malloc((size_t)rows * (columns ? columns : 1) * sizeof **ret);
    if (*ret == NULL)
        return no_memory(loader);
    return read_into(loader, part, kind, rows, columns, *ret);
}

static enum sl_err read_norm(struct loader *loader, const char *part, struct sl_layer_norm *norm)
{
    enum sl_err r = read_new(loader, part, "weight", loader->config->hidden, 0, &norm->scale);

    if (r == SL_OK)
        r = read_new(loader, part, "bias", loader->config->hidden, 0, &norm->shift);
    return r;
}

/* Pack what lies in scratch and bias. */
static enum sl_err pack(struct loader *loader, uint32_t out, uint32_t in,
                        struct sl_weights *weights)
{
    return sl_weights_init(weights, loader->precision, loader->scratch, loader->bias, out, in)
               ? SL_OK
               : no_memory(loader);
}

static enum sl_err read_linear(struct loader *loader, const char *part, uint32_t out, uint32_t in,
                               struct sl_weights *weights)
{
    enum sl_err r = read_into(loader, part, "weight", out, in, loader->scratch);

    if (r == SL_OK)
        r = read_into(loader, part, "bias", out, 0, loader->bias);
    return r == SL_OK ? pack(loader, out, in, weights) : r;
}

static enum sl_err read_qkv(struct loader *loader, uint32_t number, struct sl_bert_layer *layer)
{
    static const char *const roles[3] = {"query", "key", "value"};
    const uint32_t hidden = loader->config->hidden;
    enum sl_err r = SL_OK;
    char part[96];

    for (uint32_t i = 0; i < 3 && r == SL_OK; i++) {
        (void)snprintf(part, sizeof part, "encoder.layer.%u.attention.self.%s", number, roles[i]);
        r = read_into(loader, part, "weight", hidden, hidden,
                      loader->scratch + (size_t)i * hidden * hidden);
        if (r == SL_OK)
            r = read_into(loader, part, "bias", hidden, 0, loader->bias + (size_t)i * hidden);
    }
    return r == SL_OK ? pack(loader, 3 * hidden, hidden, &layer->qkv) : r;
}

static enum sl_err read_layer(struct loader *loader, uint32_t number, struct sl_bert_layer *layer)
{
    const uint32_t hidden = loader->config->hidden, intermediate = loader->config->intermediate;
    char part[96];
    enum sl_err r = read_qkv(loader, number, layer);

    if (r == SL_OK) {
        (void)snprintf(part, sizeof part, "encoder.layer.%u.attention.output.dense", number);
        r = read_linear(loader, part, hidden, hidden, &layer->attention);
    }
    if (r == SL_OK) {
        (void)snprintf(part, sizeof part, "encoder.layer.%u.attention.output.LayerNorm", number);
        r = read_norm(loader, part, &layer->attention_norm);
    }
    if (r == SL_OK) {
        (void)snprintf(part, sizeof part, "encoder.layer.%u.intermediate.dense", number);
        r = read_linear(loader, part, intermediate, hidden, &layer->up);
    }
    if (r == SL_OK) {
        (void)snprintf(part, sizeof part, "encoder.layer.%u.output.dense", number);
        r = read_linear(loader, part, hidden, intermediate, &layer->down);
    }
    if (r == SL_OK) {
        (void)snprintf(part, sizeof part, "encoder.layer.%u.output.LayerNorm", number);
        r = read_norm(loader, part, &layer->output_norm);
    }
    return r;
}

static enum sl_err read_embeddings(struct loader *loader, struct sl_bert_weights *weights)
{
    const struct sl_model_config *config = loader->config;
    enum sl_err r;

    r = read_new(loader, "embeddings.word_embeddings", "weight", config->vocabulary_count,
                 config->hidden, &weights->tokens);
    if (r == SL_OK)
        r = read_new(loader, "embeddings.position_embeddings", "weight", config->position_count,
                     config->hidden, &weights->positions);
    if (r == SL_OK)
        r = read_new(loader, "embeddings.token_type_embeddings", "weight", config->type_count,
                     config->hidden, &weights->types);
    if (r != SL_OK)
        return r;
    return read_norm(loader, "embeddings.LayerNorm", &weights->embedding_norm);
}

static void find_prefix(struct loader *loader)
{
    static const char *const prefixes[] = {"", "bert.", "roberta."};

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        (void)snprintf(loader->prefix, sizeof loader->prefix, "%s", prefixes[i]);
        set_name(loader, "embeddings.word_embeddings", "weight");
        if (sl_safetensors_has(loader->file, loader->name))
            return;
    }
    loader->prefix[0] = '\0'; /* none: the first tensor missed is named in full */
}

static enum sl_err load(struct loader *loader, struct sl_bert_weights *weights)
{
    const struct sl_model_config *config = loader->config;
    uint32_t widest =
        config->intermediate > 3 * config->hidden ? config->intermediate : 3 * config->hidden;
    enum sl_err r;

    loader->scratch = malloc((size_t)widest * config->hidden * sizeof(float));
    loader->bias = malloc((size_t)widest * sizeof(float));
    weights->layers = calloc(config->layer_count, sizeof *weights->layers);
    if (loader->scratch == NULL || loader->bias == NULL || weights->layers == NULL)
        return no_memory(loader);
    weights->layer_count = config->layer_count;
    find_prefix(loader);
    r = read_embeddings(loader, weights);
    for (uint32_t i = 0; i < config->layer_count && r == SL_OK; i++)
        r = read_layer(loader, i, &weights->layers[i]);
    return r;
}

enum sl_err sl_bert_weights_load(struct sl_safetensors *file, const struct sl_model_config *config,
                                 enum sl_precision precision, struct sl_bert_weights *weights,
                                 struct sl_error *err)
{
    struct loader loader = {.file = file, .config = config, .precision = precision, .err = err};
    enum sl_err r = load(&loader, weights);

    free(loader.scratch);
    free(loader.bias);
    return r;
}

static void norm_fini(struct sl_layer_norm *norm)
{
    free(norm->scale);
    free(norm->shift);
}

static void layer_fini(struct sl_bert_layer *layer)
{
    sl_weights_fini(&layer->qkv);
    sl_weights_fini(&layer->attention);
    sl_weights_fini(&layer->up);
    sl_weights_fini(&layer->down);
    norm_fini(&layer->attention_norm);
    norm_fini(&layer->output_norm);
}

void sl_bert_weights_fini(struct sl_bert_weights *weights)
{
    for (uint32_t i = 0; i < weights->layer_count; i++)
        layer_fini(&weights->layers[i]);
    free(weights->layers);
    free(weights->tokens);
    free(weights->positions);
    free(weights->types);
    norm_fini(&weights->embedding_norm);
    *weights = (struct sl_bert_weights){0};
}
