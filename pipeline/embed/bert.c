/*
 * bert.c -- an encoder of the BERT family: token rows through attention and feed-forward layers to
 * one vector.
 *
 * Texts of a pass are laid end to end, row by row, without padding: every linear layer is one
 * product over all the rows, and only attention looks at one text at a time. A pass holds at most
 * ROWS_MAX rows (or one longer text), which keeps the activations near the caches and a thread's
 * memory small; a larger pass was not faster, since the products are at the processor's limit from
 * a dozen rows on. Texts go in the order they come: without padding there is nothing to gain from
 * sorting them.
 *
 * A pass needs a workspace. They are pooled, one per thread that encodes at the same time, and grow
 * never: in steady state nothing is allocated.
 */
#include <sluice/embed.h>

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/hash.h>
#include <sluice/limits.h>

#include "embed/bert_weights.h"
#include "embed/gemm.h"
#include "embed/kernels.h"
#include "embed/model_config.h"
#include "embed/tokenizer.h"

#define ROWS_MAX           1024u
#define SCORE_ROWS         256u
#define BATCH_DEFAULT      32u
#define BATCH_MAX          1024u
#define PATH_BYTES_MAX     4096
#define NORM_MIN           1e-12f
#define FINGERPRINT_FORMAT 1u

struct workspace {
    struct workspace *next;
    uint32_t *ids;    /* [rows]                      */
    uint32_t *starts; /* [batch + 1] first row of each text */
    float *rows;      /* [rows][hidden]              */
    float *wide;      /* [rows][max(3 hidden, intermediate)] */
    float *mixed;     /* [rows][hidden]              */
    float *scores;    /* [SCORE_ROWS][sequence_max] */
};

struct bert {
    struct sl_embedder base; /* first: a struct sl_embedder * is a struct bert * */
    struct sl_model_config config;
    struct sl_bert_weights weights;
    struct sl_tokenizer *tokenizer;
    const struct sl_kernels *kernels;
    uint32_t batch_max;
    uint32_t rows_max;
    pthread_mutex_t lock; /* guards idle */
    struct workspace *idle;
};

static struct bert *bert_of(const struct sl_embedder *embedder)
{
    return (struct bert *)(uintptr_t)embedder;
}

/* ---- workspaces ---- */

static struct workspace *workspace_close(struct workspace *space)
{
    if (space == NULL)
        return NULL;
    free(space->ids);
    free(space->starts);
    free(space->rows);
    free(space->wide);
    free(space->mixed);
    free(space->scores);
    free(space);
    return NULL;
}

static float *new_floats(size_t count)
{
    return aligned_alloc(64, (count * sizeof(float) + 63) / 64 * 64);
}

static struct workspace *workspace_open(const struct bert *bert)
{
    const size_t rows = bert->rows_max, hidden = bert->config.hidden;
    const size_t longest = bert->config.sequence_max;
    const size_t wide =
        bert->config.intermediate > 3 * hidden ? bert->config.intermediate : 3 * hidden;
    struct workspace *space = calloc(1, sizeof *space);

    if (space == NULL)
        return NULL;
    space->ids = malloc(rows * sizeof *space->ids);
    space->starts = malloc((bert->batch_max + (size_t)1) * sizeof *space->starts);
    space->rows = new_floats(rows * hidden);
    space->wide = new_floats(rows * wide);
    space->mixed = new_floats(rows * hidden);
    space->scores = new_floats((longest < SCORE_ROWS ? longest : SCORE_ROWS) * longest);
    if (space->ids == NULL || space->starts == NULL || space->rows == NULL || space->wide == NULL ||
        space->mixed == NULL || space->scores == NULL)
        return workspace_close(space);
    return space;
}

static struct workspace *workspace_take(struct bert *bert)
{
    struct workspace *space;

    (void)pthread_mutex_lock(&bert->lock);
    space = bert->idle;
    if (space != NULL)
        bert->idle = space->next;
    (void)pthread_mutex_unlock(&bert->lock);
    return space != NULL ? space : workspace_open(bert);
}

static void workspace_give(struct bert *bert, struct workspace *space)
{
    (void)pthread_mutex_lock(&bert->lock);
    space->next = bert->idle;
    bert->idle = space;
    (void)pthread_mutex_unlock(&bert->lock);
}

/* ---- one pass ---- */

/* Tokenize texts while there is room for a longest one, and say where each begins. Returns how
 * many. */
static uint32_t fill(const struct bert *bert, struct workspace *space, const struct sl_view *texts,
                     uint32_t count)
{
    uint32_t row = 0, done = 0;

    while (done < count && done < bert->batch_max &&
           bert->rows_max - row >= bert->config.sequence_max) {
        space->starts[done] = row;
        space->ids[row++] = sl_tokenizer_first_id(bert->tokenizer);
        row += sl_tokenizer_ids(bert->tokenizer, texts[done], space->ids + row,
                                bert->base.token_limit);
        space->ids[row++] = sl_tokenizer_last_id(bert->tokenizer);
        done++;
    }
    space->starts[done] = row;
    return done;
}

static void embed_tokens(const struct bert *bert, struct workspace *space, uint32_t count)
{
    const struct sl_bert_weights *weights = &bert->weights;
    const uint32_t hidden = bert->config.hidden;

    for (uint32_t t = 0; t < count; t++)
        for (uint32_t row = space->starts[t]; row < space->starts[t + 1]; row++) {
            memcpy(space->rows + (size_t)row * hidden,
                   weights->tokens + (size_t)space->ids[row] * hidden, hidden * sizeof(float));
            memcpy(space->mixed + (size_t)row * hidden,
                   weights->positions + (size_t)(row - space->starts[t]) * hidden,
                   hidden * sizeof(float));
        }
    bert->kernels->add_norm(space->rows, space->mixed, space->starts[count], hidden, weights->zeros,
                            weights->embedding_norm.scale, weights->embedding_norm.shift,
                            bert->config.layer_norm_epsilon);
}

/* One head over one text: the rows of `query` in blocks, so that the scores stay small for long
 * texts. */
static void attend_head(const struct bert *bert, struct workspace *space, struct sl_block query,
                        struct sl_block mixed, uint32_t length)
{
    const uint32_t hidden = bert->config.hidden, width = hidden / bert->config.head_count;
    const struct sl_block key = {query.values + hidden, query.stride};
    const struct sl_block value = {query.values + 2 * (size_t)hidden, query.stride};
    const struct sl_block scores = {space->scores, length};
    const float factor = 1.0f / sqrtf((float)width);

    for (uint32_t done = 0; done < length;) {
        uint32_t rows = length - done < SCORE_ROWS ? length - done : SCORE_ROWS;
        sl_gemm_dot(query, key, scores, rows, length, width);
        bert->kernels->softmax(scores.values, rows, length, length, factor);
        sl_gemm_mix(scores, value, mixed, rows, width, length);
        query.values += (size_t)rows * query.stride;
        mixed.values += (size_t)rows * mixed.stride;
        done += rows;
    }
}

/* Attention within one text: `wide` holds query, key and value side by side, the result goes to
 * `mixed`. */
static void attend(const struct bert *bert, struct workspace *space, uint32_t first,
                   uint32_t length)
{
    const uint32_t hidden = bert->config.hidden, width = hidden / bert->config.head_count;

    for (uint32_t h = 0; h < bert->config.head_count; h++) {
        size_t column = (size_t)h * width;
        struct sl_block query = {space->wide + (size_t)first * 3 * hidden + column, 3 * hidden};
        struct sl_block mixed = {space->mixed + (size_t)first * hidden + column, hidden};
        attend_head(bert, space, query, mixed, length);
    }
}

static void run_layer(const struct bert *bert, const struct sl_bert_layer *layer,
                      struct workspace *space, uint32_t count)
{
    const struct sl_kernels *kernels = bert->kernels;
    const uint32_t rows = space->starts[count], hidden = bert->config.hidden;
    const float epsilon = bert->config.layer_norm_epsilon;

    sl_gemm_linear(&layer->qkv, space->rows, rows, space->wide);
    kernels->bias(space->wide, rows, 3 * hidden, layer->qkv_bias);
    for (uint32_t t = 0; t < count; t++)
        attend(bert, space, space->starts[t], space->starts[t + 1] - space->starts[t]);
    sl_gemm_linear(&layer->attention, space->mixed, rows, space->wide);
    kernels->add_norm(space->rows, space->wide, rows, hidden, layer->attention_bias,
                      layer->attention_norm.scale, layer->attention_norm.shift, epsilon);
    sl_gemm_linear(&layer->up, space->rows, rows, space->wide);
    kernels->bias_gelu(space->wide, rows, bert->config.intermediate, layer->up_bias);
    sl_gemm_linear(&layer->down, space->wide, rows, space->mixed);
    kernels->add_norm(space->rows, space->mixed, rows, hidden, layer->down_bias,
                      layer->output_norm.scale, layer->output_norm.shift, epsilon);
}

/* The rows of one text to its vector. A mean needs no division: the length is scaled to 1 anyway.
 */
static void pool(const struct bert *bert, const float *rows, uint32_t count, float *vector)
{
    const uint32_t hidden = bert->config.hidden;
    double norm = 0;
    float factor;

    memcpy(vector, rows, hidden * sizeof *vector);
    if (bert->config.pooling == SL_POOLING_MEAN)
        for (uint32_t r = 1; r < count; r++)
            for (uint32_t i = 0; i < hidden; i++)
                vector[i] += rows[(size_t)r * hidden + i];
    for (uint32_t i = 0; i < hidden; i++)
        norm += (double)vector[i] * (double)vector[i];
    factor = 1.0f / fmaxf((float)sqrt(norm), NORM_MIN);
    for (uint32_t i = 0; i < hidden; i++)
        vector[i] *= factor;
}

static uint32_t run_pass(const struct bert *bert, struct workspace *space,
                         const struct sl_view *texts, uint32_t count, float *vectors)
{
    const uint32_t hidden = bert->config.hidden;

    count = fill(bert, space, texts, count);
    embed_tokens(bert, space, count);
    for (uint32_t i = 0; i < bert->config.layer_count; i++)
        run_layer(bert, &bert->weights.layers[i], space, count);
    for (uint32_t t = 0; t < count; t++)
        pool(bert, space->rows + (size_t)space->starts[t] * hidden,
             space->starts[t + 1] - space->starts[t], vectors + (size_t)t * hidden);
    return count;
}

/* ---- the table ---- */

static enum sl_err encode(const struct sl_embedder *embedder, enum sl_embed_role role,
                          const struct sl_view *texts, uint32_t count, float *vectors,
                          struct sl_error *err)
{
    struct bert *bert = bert_of(embedder);
    struct workspace *space = workspace_take(bert);

    (void)role; /* BERT models without prompts encode both alike */
    if (space == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for encoding");
    sl_gemm_enter();
    for (uint32_t done = 0; done < count;)
        done += run_pass(bert, space, texts + done, count - done,
                         vectors + (size_t)done * embedder->dim);
    workspace_give(bert, space);
    return SL_OK;
}

static uint32_t count_tokens(const struct sl_embedder *embedder, struct sl_view text)
{
    return sl_tokenizer_ids(bert_of(embedder)->tokenizer, text, NULL, UINT32_MAX);
}

static double coverage(const struct sl_embedder *embedder, struct sl_view text)
{
    return sl_tokenizer_coverage(bert_of(embedder)->tokenizer, text);
}

static void close_bert(struct sl_embedder *embedder)
{
    struct bert *bert = bert_of(embedder);

    while (bert->idle != NULL) {
        struct workspace *space = bert->idle;
        bert->idle = space->next;
        (void)workspace_close(space);
    }
    sl_bert_weights_fini(&bert->weights);
    sl_tokenizer_close(bert->tokenizer);
    (void)pthread_mutex_destroy(&bert->lock);
    free(bert);
}

/* ---- opening ---- */

/* The last component of the directory's path. */
static void set_name(struct sl_embedder *embedder, const char *directory)
{
    size_t end = strlen(directory), start;

    while (end > 1 && directory[end - 1] == '/')
        end--;
    for (start = end; start > 0 && directory[start - 1] != '/'; start--)
        ;
    (void)snprintf(embedder->name, sizeof embedder->name, "%.*s", (int)(end - start),
                   directory + start);
}

/* Everything that changes vectors and is not in the weights or the vocabulary. */
static void digest_settings(const struct bert *bert, struct sl_sha256 *digest)
{
    const struct sl_model_config *config = &bert->config;
    char text[256];
    int size = snprintf(text, sizeof text,
                        "%u bert f32 heads %u epsilon %a sequence %u pooling %d lower %d strip %d "
                        "chinese %d\n",
                        FINGERPRINT_FORMAT, config->head_count, (double)config->layer_norm_epsilon,
                        config->sequence_max, (int)config->pooling, config->lower_case,
                        config->strip_accents, config->split_chinese);

    sl_sha256_add(digest, text, (size_t)size);
}

static enum sl_err load(struct bert *bert, const char *directory, struct sl_sha256 *digest,
                        struct sl_error *err)
{
    char path[PATH_BYTES_MAX];
    enum sl_err r = sl_model_config_read(directory, &bert->config, err);
    struct sl_tokenizer_options options = {bert->config.lower_case, bert->config.strip_accents,
                                           bert->config.split_chinese};

    if (r == SL_OK)
        r = sl_model_path(directory, "vocab.txt", path, sizeof path, err);
    if (r == SL_OK)
        r = sl_tokenizer_open(path, &options, digest, &bert->tokenizer, err);
    if (r == SL_OK &&
        sl_tokenizer_vocabulary_count(bert->tokenizer) > bert->config.vocabulary_count)
        r = sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                    "%s: %u tokens, but vocab_size in config.json allows %u", path,
                    sl_tokenizer_vocabulary_count(bert->tokenizer), bert->config.vocabulary_count);
    if (r == SL_OK)
        r = sl_model_path(directory, "model.safetensors", path, sizeof path, err);
    if (r == SL_OK)
        r = sl_bert_weights_load(path, &bert->config, digest, &bert->weights, err);
    return r;
}

static enum sl_err check_options(const struct sl_bert_options *options, struct sl_error *err)
{
    const char *precision = options->precision;

    if (precision != NULL && strcmp(precision, "auto") != 0 && strcmp(precision, "f32") != 0)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config",
                       "[embed] precision = %.40s: this build's encoder computes in f32; allowed "
                       "are auto and f32",
                       precision);
    if (options->batch_max > BATCH_MAX)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config",
                       "[embed] batch = %u: at most %u are allowed", options->batch_max, BATCH_MAX);
    return SL_OK;
}

static struct bert *new_bert(const struct sl_bert_options *options)
{
    static const struct sl_embedder_ops ops = {
        .count_tokens = count_tokens, .coverage = coverage, .encode = encode, .close = close_bert};
    struct bert *bert = calloc(1, sizeof *bert);

    if (bert == NULL)
        return NULL;
    bert->base.ops = &ops;
    bert->kernels = sl_kernels_best();
    bert->batch_max = options->batch_max != 0 ? options->batch_max : BATCH_DEFAULT;
    (void)pthread_mutex_init(&bert->lock, NULL);
    set_name(&bert->base, options->directory);
    return bert;
}

enum sl_err sl_bert_open(const struct sl_bert_options *options, struct sl_embedder **ret_embedder,
                         struct sl_error *err)
{
    struct bert *bert;
    struct sl_sha256 *digest;
    uint8_t bytes[32];
    enum sl_err r = check_options(options, err);

    if (r != SL_OK)
        return r;
    bert = new_bert(options);
    if (bert == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for the encoder");
    digest = sl_sha256_begin();
    r = load(bert, options->directory, digest, err);
    if (r == SL_OK)
        digest_settings(bert, digest);
    sl_sha256_end(digest, bytes);
    if (r != SL_OK) {
        close_bert(&bert->base);
        return r;
    }
    sl_hex(bytes, sizeof bytes, bert->base.fingerprint);
    bert->base.dim = bert->config.hidden;
    bert->base.token_limit = bert->config.sequence_max - 2;
    bert->rows_max = bert->config.sequence_max > ROWS_MAX ? bert->config.sequence_max : ROWS_MAX;
    *ret_embedder = &bert->base;
    return SL_OK;
}
