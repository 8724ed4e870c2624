/*
 * cross_encoder.c -- a question and a passage read together by one network, and one number out: how well the passage
 * answers. Slower than comparing vectors by the number of passages, so only the best few are looked at.
 *
 *     pair --encoder--> row of the first token --tanh(dense)--> --classifier--> 1 or 2 labels --> score
 *
 * The first dense layer is BERT's pooler or RoBERTa's classifier.dense: other names, the same arithmetic. Pairs share a
 * pass; time is looked at between passes, for one cannot be stopped. Models of three labels and more (entailment) are
 * refused: which label means "answers" is not written anywhere.
 */
#include <sluice/embed.h>

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "embed/pairs.h"

#define CONFIG_BYTES_MAX (1u << 20)
#define PATH_BYTES_MAX   4096
#define LABELS_MAX       2u

struct cross_encoder {
    struct sl_reranker base; /* first */
    struct sl_model_parts parts;
    float *dense, *dense_bias;   /* [hidden][hidden], [hidden] */
    float *labels, *labels_bias; /* [label_count][hidden], [label_count] */
    uint32_t label_count;
    bool identity; /* one label's score goes out as it is */
};

static struct cross_encoder *of(const struct sl_reranker *reranker)
{
    return (struct cross_encoder *)(uintptr_t)reranker;
}

/* ----------------------------------------------------------------------------------- the head */

static double dot(const float *a, const float *b, uint32_t count)
{
    double sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* The score of a first token's row; `scratch` is float[hidden]. */
static float classify(const struct cross_encoder *cross, const float *row, float *scratch)
{
    const uint32_t hidden = cross->parts.config.hidden;
    double label[LABELS_MAX] = {0};

    for (uint32_t i = 0; i < hidden; i++)
        scratch[i] = (float)tanh(dot(cross->dense + (size_t)i * hidden, row, hidden) +
                                 (double)cross->dense_bias[i]);
    for (uint32_t l = 0; l < cross->label_count; l++)
        label[l] = dot(cross->labels + (size_t)l * hidden, scratch, hidden) +
                   (double)cross->labels_bias[l];
    if (cross->label_count == 2)
        return (float)(1.0 / (1.0 + exp(label[0] - label[1])));
    return (float)(cross->identity ? label[0] : 1.0 / (1.0 + exp(-label[0])));
}

/* ------------------------------------------------------------------------------------ scoring */

/* Lay pairs down while there is room. Returns how many. */
static uint32_t fill(const struct cross_encoder *cross, struct sl_encoder_pass *pass,
                     struct sl_view question, const struct sl_view *passages, uint32_t count,
                     uint32_t *ids)
{
    const uint32_t limit = cross->parts.config.sequence_max;
    uint32_t done = 0;

    pass->count = 0;
    pass->starts[0] = 0;
    while (done < count && sl_encoder_pass_room(pass) >= limit) {
        uint32_t size = sl_tokenizer_ids(cross->parts.tokenizer, passages[done++], ids, limit);
        (void)sl_pair_add(&cross->parts, pass, question, ids, size, false);
    }
    return done;
}

static enum sl_err score_passes(const struct cross_encoder *cross, struct sl_encoder_pass *pass,
                                struct sl_view question, const struct sl_view *passages,
                                uint32_t count, const struct sl_time_limit *limit, uint32_t *ids,
                                float *scratch, float *scores, uint32_t *ret_scored,
                                struct sl_error *err)
{
    const uint32_t hidden = cross->parts.config.hidden;

    *ret_scored = 0;
    for (uint32_t done = 0, size; done < count; *ret_scored = done += size) {
        if (sl_time_over(limit))
            return done > 0 ? SL_OK
                            : sl_fail(err, SL_AGAIN, "rerank_late",
                                      "rerank: none of %u passages in time", count);
        size = fill(cross, pass, question, passages + done, count - done, ids);
        sl_encoder_run(cross->parts.encoder, pass, SL_ENCODER_ROWS_FIRST);
        for (uint32_t i = 0; i < size; i++)
            scores[done + i] = classify(cross, pass->rows + (size_t)i * hidden, scratch);
    }
    return SL_OK;
}

static enum sl_err score(const struct sl_reranker *reranker, struct sl_view question,
                         const struct sl_view *passages, uint32_t count,
                         const struct sl_time_limit *limit, float *scores, uint32_t *ret_scored,
                         struct sl_error *err)
{
    const struct cross_encoder *cross = of(reranker);
    struct sl_encoder_pass *pass = sl_encoder_pass_take(cross->parts.encoder);
    uint32_t *ids = malloc(cross->parts.config.sequence_max * sizeof *ids);
    float *scratch = malloc(cross->parts.config.hidden * sizeof *scratch);
    enum sl_err e;

    if (pass == NULL || ids == NULL || scratch == NULL)
        e = sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for reranking");
    else
        e = score_passes(cross, pass, question, passages, count, limit, ids, scratch, scores,
                         ret_scored, err);
    if (pass != NULL)
        sl_encoder_pass_give(cross->parts.encoder, pass);
    free(ids);
    free(scratch);
    return e;
}

/* ------------------------------------------------------------------------------------ opening */

static void close_cross(struct sl_reranker *reranker)
{
    struct cross_encoder *cross = of(reranker);

    sl_model_parts_close(&cross->parts);
    free(cross->dense);
    free(cross->dense_bias);
    free(cross->labels);
    free(cross->labels_bias);
    free(cross);
}

/* How many labels, and whether one label's score is squeezed, from config.json. */
static enum sl_err read_labels(struct cross_encoder *cross, const char *directory,
                               struct sl_error *err)
{
    char path[PATH_BYTES_MAX], *data = NULL;
    size_t size = 0;
    cJSON *root;
    const cJSON *labels, *activation;
    enum sl_err e = sl_model_path(directory, "config.json", path, sizeof path, err);

    if (e || (e = sl_model_file_read(path, CONFIG_BYTES_MAX, &data, &size, err)))
        return e;
    root = cJSON_ParseWithLength(data, size);
    free(data);
    labels = cJSON_GetObjectItemCaseSensitive(root, "id2label");
    activation = cJSON_GetObjectItemCaseSensitive(root, "sbert_ce_default_activation_function");
    if (activation == NULL)
        activation = cJSON_GetObjectItemCaseSensitive(
            cJSON_GetObjectItemCaseSensitive(root, "sentence_transformers"), "activation_fn");
    cross->label_count = labels != NULL ? (uint32_t)cJSON_GetArraySize(labels) : LABELS_MAX;
    cross->identity =
        cJSON_IsString(activation) && strstr(activation->valuestring, "Identity") != NULL;
    cJSON_Delete(root);
    if (cross->label_count < 1 || cross->label_count > LABELS_MAX)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "%s: \"id2label\" has %u labels; a model that ranks has 1 or 2", path,
                       cross->label_count);
    return SL_OK;
}

static enum sl_err read_tensor(struct sl_safetensors *file, const char *name, uint32_t rows,
                               uint32_t columns, float **ret, struct sl_error *err)
{
    *ret = calloc((size_t)rows * (columns > 0 ? columns : 1), sizeof **ret);
    if (*ret == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for the model's head");
    return sl_safetensors_read(file, name, rows, columns, *ret, err);
}

static enum sl_err read_head(struct cross_encoder *cross, struct sl_safetensors *file,
                             struct sl_error *err)
{
    const uint32_t hidden = cross->parts.config.hidden;
    const bool roberta = sl_safetensors_has(file, "classifier.dense.weight");
    const bool bare = sl_safetensors_has(file, "pooler.dense.weight");
    enum sl_err e;

    if ((e = read_tensor(file,
                         roberta ? "classifier.dense.weight"
                         : bare  ? "pooler.dense.weight"
                                 : "bert.pooler.dense.weight",
                         hidden, hidden, &cross->dense, err)) ||
        (e = read_tensor(file,
                         roberta ? "classifier.dense.bias"
                         : bare  ? "pooler.dense.bias"
                                 : "bert.pooler.dense.bias",
                         hidden, 0, &cross->dense_bias, err)) ||
        (e = read_tensor(file, roberta ? "classifier.out_proj.weight" : "classifier.weight",
                         cross->label_count, hidden, &cross->labels, err)))
        return e;
    return read_tensor(file, roberta ? "classifier.out_proj.bias" : "classifier.bias",
                       cross->label_count, 0, &cross->labels_bias, err);
}

enum sl_err sl_cross_encoder_open(const char *directory, const char *precision,
                                  struct sl_reranker **ret_reranker, struct sl_error *err)
{
    static const struct sl_reranker_ops ops = {.score = score, .close = close_cross};
    struct cross_encoder *cross = calloc(1, sizeof *cross);
    struct sl_safetensors *file = NULL;
    enum sl_err e;

    if (cross == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for the reranker");
    cross->base.ops = &ops;
    sl_model_name(directory, cross->base.name, sizeof cross->base.name);
    e = sl_model_parts_open(directory, precision, NULL, &cross->parts, &file, err);
    if (!e)
        e = read_labels(cross, directory, err);
    if (!e)
        e = read_head(cross, file, err);
    sl_safetensors_close(file);
    if (e) {
        close_cross(&cross->base);
        return e;
    }
    *ret_reranker = &cross->base;
    return SL_OK;
}

struct sl_reranker *sl_reranker_close(struct sl_reranker *reranker)
{
    if (reranker != NULL)
        reranker->ops->close(reranker);
    return NULL;
}
