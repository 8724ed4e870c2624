/*
 * encoder.c -- token rows through attention and feed-forward layers.
 *
 * Sequences of a pass are laid end to end, row by row, without padding: every linear layer is one
 * product over all the rows, and only attention looks at one sequence at a time. A pass holds at
 * most ROWS_MAX rows (or one longer sequence), which keeps the activations near the caches and a
 * thread's memory small; a larger pass was not faster, since the products are at the processor's
 * limit from a dozen rows on. Sequences go in the order they come: without padding there is nothing
 * to gain from sorting them.
 *
 * A pass is its own workspace. They are pooled, one per thread that encodes at the same time, and
 * never grow: in steady state nothing is allocated.
 */
#include "embed/encoder.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "embed/bert_weights.h"
#include "embed/gemm.h"
#include "embed/kernels.h"

#define ROWS_MAX   1024u
#define SCORE_ROWS 256u

struct workspace {
    struct sl_encoder_pass pass; /* first: a struct sl_encoder_pass * is a struct workspace * */
    struct workspace *next;
    float *wide;   /* [rows][max(3 hidden, intermediate)] */
    float *mixed;  /* [rows][hidden] */
    float *scores; /* [SCORE_ROWS][sequence_max] */
};

struct sl_encoder {
    struct sl_model_config config;
    struct sl_bert_weights weights;
    const struct sl_kernels *kernels;
    uint32_t rows_max;
    pthread_mutex_t lock; /* guards idle */
    struct workspace *idle;
};

/* ---- precisions ---- */

const char *sl_precision_name(enum sl_precision precision)
{
    (void)precision;
    return "f32";
}

enum sl_err sl_precision_choose(const char *word, enum sl_precision *ret_precision,
                                struct sl_error *err)
{
    if (word != NULL && strcmp(word, "auto") != 0 && strcmp(word, "f32") != 0)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config",
                       "[embed] precision = %.40s: this build's encoder computes in f32; allowed "
                       "are auto and f32",
                       word);
    *ret_precision = SL_PRECISION_F32;
    return SL_OK;
}

/* ---- passes ---- */

static struct workspace *workspace_close(struct workspace *space)
{
    if (space == NULL)
        return NULL;
    free(space->pass.ids);
    free(space->pass.types);
    free(space->pass.starts);
    free(space->pass.rows);
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

static struct workspace *workspace_open(const struct sl_encoder *encoder)
{
    const size_t rows = encoder->rows_max, hidden = encoder->config.hidden;
    const size_t longest = encoder->config.sequence_max;
    const size_t wide =
        encoder->config.intermediate > 3 * hidden ? encoder->config.intermediate : 3 * hidden;
    struct workspace *space = calloc(1, sizeof *space);
    struct sl_encoder_pass *pass;

    if (space == NULL)
        return NULL;
    pass = &space->pass;
    pass->rows_max = encoder->rows_max;
    pass->hidden = encoder->config.hidden;
    pass->ids = malloc(rows * sizeof *pass->ids);
    pass->types = malloc(rows * sizeof *pass->types);
    pass->starts = malloc((rows + 1) * sizeof *pass->starts);
    pass->rows = new_floats(rows * hidden);
    space->wide = new_floats(rows * wide);
    space->mixed = new_floats(rows * hidden);
    space->scores = new_floats((longest < SCORE_ROWS ? longest : SCORE_ROWS) * longest);
    if (pass->ids == NULL || pass->types == NULL || pass->starts == NULL || pass->rows == NULL ||
        space->wide == NULL || space->mixed == NULL || space->scores == NULL)
        return workspace_close(space);
    return space;
}

struct sl_encoder_pass *sl_encoder_pass_take(struct sl_encoder *encoder)
{
    struct workspace *space;

    (void)pthread_mutex_lock(&encoder->lock);
    space = encoder->idle;
    if (space != NULL)
        encoder->idle = space->next;
    (void)pthread_mutex_unlock(&encoder->lock);
    if (space == NULL)
        space = workspace_open(encoder);
    if (space == NULL)
        return NULL;
    memset(space->pass.types, 0, encoder->rows_max * sizeof *space->pass.types);
    space->pass.starts[0] = 0;
    space->pass.count = 0;
    return &space->pass;
}

static struct workspace *workspace_of(struct sl_encoder_pass *pass)
{
    return (struct workspace *)(void *)pass;
}

void sl_encoder_pass_give(struct sl_encoder *encoder, struct sl_encoder_pass *pass)
{
    struct workspace *space = workspace_of(pass);

    (void)pthread_mutex_lock(&encoder->lock);
    space->next = encoder->idle;
    encoder->idle = space;
    (void)pthread_mutex_unlock(&encoder->lock);
}

/* ---- one pass ---- */

/* A token's row, its position's and its type's, summed and normalized. */
static void embed_token(const struct sl_encoder *encoder, uint32_t id, uint32_t type,
                        uint32_t position, float *row)
{
    const struct sl_bert_weights *weights = &encoder->weights;
    const size_t hidden = encoder->config.hidden;

    SL_PRE(id < encoder->config.vocabulary_count && type < encoder->config.type_count);
    memcpy(row, weights->tokens + id * hidden, hidden * sizeof *row);
    encoder->kernels->add_norm(row, weights->positions + position * hidden, 1,
                               encoder->config.hidden, weights->types + type * hidden,
                               weights->embedding_norm.scale, weights->embedding_norm.shift,
                               encoder->config.layer_norm_epsilon);
}

static void embed_tokens(const struct sl_encoder *encoder, struct sl_encoder_pass *pass)
{
    const struct sl_model_config *config = &encoder->config;

    for (uint32_t s = 0; s < pass->count; s++) {
        const uint32_t first = pass->starts[s], end = pass->starts[s + 1];
        SL_PRE(end > first && end - first <= config->sequence_max && end <= pass->rows_max);
        for (uint32_t row = first; row < end; row++)
            embed_token(encoder, pass->ids[row], pass->types[row],
                        config->position_first + row - first,
                        pass->rows + (size_t)row * config->hidden);
    }
}

/* One head over one sequence of `length` rows: its first `query_count` rows ask, in blocks, so that
 * the scores stay small for long texts. */
static void attend_head(const struct sl_encoder *encoder, struct workspace *space,
                        struct sl_block query, uint32_t query_count, struct sl_block mixed,
                        uint32_t length)
{
    const uint32_t hidden = encoder->config.hidden, width = hidden / encoder->config.head_count;
    const struct sl_block key = {query.values + hidden, query.stride};
    const struct sl_block value = {query.values + 2 * (size_t)hidden, query.stride};
    const struct sl_block scores = {space->scores, length};
    const float factor = 1.0f / sqrtf((float)width);

    for (uint32_t done = 0; done < query_count;) {
        uint32_t rows = query_count - done < SCORE_ROWS ? query_count - done : SCORE_ROWS;
        sl_gemm_dot(query, key, scores, rows, length, width);
        encoder->kernels->softmax(scores.values, rows, length, length, factor);
        sl_gemm_mix(scores, value, mixed, rows, width, length);
        query.values += (size_t)rows * query.stride;
        mixed.values += (size_t)rows * mixed.stride;
        done += rows;
    }
}

/* Attention within each sequence: `wide` holds query, key and value side by side, the result goes
 * to `mixed`: of all its rows, or of the first row of each sequence. */
static void attend(const struct sl_encoder *encoder, struct workspace *space,
                   enum sl_encoder_rows wanted)
{
    const uint32_t hidden = encoder->config.hidden, width = hidden / encoder->config.head_count;

    for (uint32_t s = 0; s < space->pass.count; s++) {
        const uint32_t first = space->pass.starts[s];
        const uint32_t length = space->pass.starts[s + 1] - first;
        const bool all = wanted == SL_ENCODER_ROWS_ALL;
        for (uint32_t h = 0; h < encoder->config.head_count; h++) {
            size_t column = (size_t)h * width;
            struct sl_block query = {space->wide + (size_t)first * 3 * hidden + column, 3 * hidden};
            struct sl_block mixed = {space->mixed + (size_t)(all ? first : s) * hidden + column,
                                     hidden};
            attend_head(encoder, space, query, all ? length : 1, mixed, length);
        }
    }
}

/* Move the first row of each sequence to the front. Returns how many. */
static uint32_t keep_first_rows(struct sl_encoder_pass *pass)
{
    const size_t hidden = pass->hidden;

    for (uint32_t s = 1; s < pass->count; s++)
        memmove(pass->rows + s * hidden, pass->rows + pass->starts[s] * hidden,
                hidden * sizeof *pass->rows);
    return pass->count;
}

static void run_layer(const struct sl_encoder *encoder, const struct sl_bert_layer *layer,
                      struct workspace *space, enum sl_encoder_rows wanted)
{
    const struct sl_kernels *kernels = encoder->kernels;
    const uint32_t hidden = encoder->config.hidden;
    const float epsilon = encoder->config.layer_norm_epsilon;
    float *values = space->pass.rows;
    uint32_t rows = space->pass.starts[space->pass.count];

    sl_gemm_linear(&layer->qkv, values, rows, space->wide);
    kernels->bias(space->wide, rows, 3 * hidden, layer->qkv_bias);
    attend(encoder, space, wanted);
    if (wanted == SL_ENCODER_ROWS_FIRST)
        rows = keep_first_rows(&space->pass);
    sl_gemm_linear(&layer->attention, space->mixed, rows, space->wide);
    kernels->add_norm(values, space->wide, rows, hidden, layer->attention_bias,
                      layer->attention_norm.scale, layer->attention_norm.shift, epsilon);
    sl_gemm_linear(&layer->up, values, rows, space->wide);
    kernels->bias_gelu(space->wide, rows, encoder->config.intermediate, layer->up_bias);
    sl_gemm_linear(&layer->down, space->wide, rows, space->mixed);
    kernels->add_norm(values, space->mixed, rows, hidden, layer->down_bias,
                      layer->output_norm.scale, layer->output_norm.shift, epsilon);
}

void sl_encoder_run(struct sl_encoder *encoder, struct sl_encoder_pass *pass,
                    enum sl_encoder_rows wanted)
{
    const uint32_t layer_count = encoder->config.layer_count;

    SL_PRE(pass->count >= 1 && pass->count <= pass->rows_max && pass->starts[0] == 0);
    sl_gemm_enter();
    embed_tokens(encoder, pass);
    for (uint32_t i = 0; i < layer_count; i++)
        run_layer(encoder, &encoder->weights.layers[i], workspace_of(pass),
                  i + 1 < layer_count ? SL_ENCODER_ROWS_ALL : wanted);
}

/* ---- opening ---- */

struct sl_encoder *sl_encoder_close(struct sl_encoder *encoder)
{
    if (encoder == NULL)
        return NULL;
    while (encoder->idle != NULL) {
        struct workspace *space = encoder->idle;
        encoder->idle = space->next;
        (void)workspace_close(space);
    }
    sl_bert_weights_fini(&encoder->weights);
    (void)pthread_mutex_destroy(&encoder->lock);
    free(encoder);
    return NULL;
}

enum sl_err sl_encoder_open(struct sl_safetensors *file, const struct sl_model_config *config,
                            enum sl_precision precision, struct sl_encoder **ret_encoder,
                            struct sl_error *err)
{
    struct sl_encoder *encoder = calloc(1, sizeof *encoder);
    enum sl_err r;

    SL_PRE(config->sequence_max + config->position_first <= config->position_count);
    SL_PRE(precision == SL_PRECISION_F32);
    if (encoder == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for the encoder");
    encoder->config = *config;
    encoder->kernels = sl_kernels_best();
    encoder->rows_max = config->sequence_max > ROWS_MAX ? config->sequence_max : ROWS_MAX;
    (void)pthread_mutex_init(&encoder->lock, NULL);
    r = sl_bert_weights_load(file, config, &encoder->weights, err);
    if (r != SL_OK) {
        (void)sl_encoder_close(encoder);
        return r;
    }
    *ret_encoder = encoder;
    return SL_OK;
}
