/*
 * encoder.c -- token rows through attention and feed-forward layers.
 *
 * Sequences of a pass are laid end to end, row by row, without padding: linear layers see rows, and
 * only attention looks at one sequence at a time. Rows go through all linear layers between two
 * attentions a block at a time, so that what lies between stays in the second-level cache; a
 * layer's weights are read once for each block, which at 56 rows is cheap. A pass holds at most
 * ROWS_MAX rows (or one longer sequence): larger ones were not faster. Sequences go in the order
 * they come: without padding there is nothing to gain from sorting them.
 *
 * The residual is float in every precision; each product's input is made from it, or from what the
 * step before left, just before the product. In int8 attention itself runs in bf16, where the
 * processor has instructions for that, or in float.
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

#include "embed/attention.h"
#include "embed/bert_weights.h"
#include "embed/kernels.h"
#include "embed/linear.h"

#define ROWS_MAX  1024u
#define ALIGNMENT 64u

struct workspace {
    struct sl_encoder_pass pass; /* first: a struct sl_encoder_pass * is a struct workspace * */
    struct workspace *next;
    void *qkv;                       /* [rows] queries, keys and values side by side */
    void *mixed;                     /* [rows] what attention made of them */
    void *wide;                      /* [block] out of GELU */
    float *sums;                     /* [block] out of the other products */
    struct sl_operand_space operand; /* [block] what goes into a product */
    struct sl_attention_space attention;
};

struct sl_encoder {
    struct sl_model_config config;
    struct sl_bert_weights weights;
    struct sl_machine machine; /* of the linear layers */
    struct sl_attention attention;
    size_t qkv_stride, mixed_stride, wide_stride, sums_stride; /* bytes of a row */
    uint32_t rows_max;
    pthread_mutex_t lock; /* guards idle */
    struct workspace *idle;
};

/* ---- passes ---- */

static struct workspace *workspace_close(struct workspace *space)
{
    if (space == NULL)
        return NULL;
    free(space->pass.ids);
    free(space->pass.types);
    free(space->pass.starts);
    free(space->pass.rows);
    free(space->qkv);
    free(space->mixed);
    free(space->wide);
    free(space->sums);
    sl_operand_space_fini(&space->operand);
    sl_attention_space_fini(&space->attention);
    free(space);
    return NULL;
}

static void *new_rows(size_t count, size_t row_bytes)
{
    return aligned_alloc(ALIGNMENT, (count * row_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static bool pass_init(struct sl_encoder_pass *pass, uint32_t rows, uint32_t hidden)
{
    pass->rows_max = rows;
    pass->hidden = hidden;
    pass->ids = malloc(rows * sizeof *pass->ids);
    pass->types = malloc(rows * sizeof *pass->types);
    pass->starts = malloc((rows + (size_t)1) * sizeof *pass->starts);
    pass->rows = new_rows(rows, hidden * sizeof *pass->rows);
    return pass->ids != NULL && pass->types != NULL && pass->starts != NULL && pass->rows != NULL;
}

static struct workspace *workspace_open(const struct sl_encoder *encoder)
{
    const struct sl_model_config *config = &encoder->config;
    const uint32_t widest =
        config->intermediate > config->hidden ? config->intermediate : config->hidden;
    struct workspace *space = calloc(1, sizeof *space);

    if (space == NULL)
        return NULL;
    space->qkv = new_rows(encoder->rows_max, encoder->qkv_stride);
    space->mixed = new_rows(encoder->rows_max, encoder->mixed_stride);
    space->wide = new_rows(SL_LINEAR_ROWS_MAX, encoder->wide_stride);
    space->sums = new_rows(SL_LINEAR_ROWS_MAX, encoder->sums_stride);
    if (!pass_init(&space->pass, encoder->rows_max, config->hidden) || space->qkv == NULL ||
        space->mixed == NULL || space->wide == NULL || space->sums == NULL ||
        !sl_operand_space_init(&space->operand, encoder->machine.tile->precision, widest) ||
        !sl_attention_space_init(&space->attention, &encoder->attention, config->sequence_max))
        return workspace_close(space);
    memset(space->mixed, 0, encoder->rows_max * encoder->mixed_stride); /* its last group, too */
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

/* rows = layer_norm(rows + added + bias) */
static void add_norm(const struct sl_encoder *encoder, float *rows, const float *added,
                     size_t added_stride, uint32_t count, const float *bias,
                     const struct sl_layer_norm *norm)
{
    encoder->machine.kernels->add_norm(rows, added, added_stride, count, encoder->config.hidden,
                                       bias, norm->scale, norm->shift,
                                       encoder->config.layer_norm_epsilon);
}

/* A token's row, its position's and its type's, summed and normalized. */
static void embed_token(const struct sl_encoder *encoder, uint32_t id, uint32_t type,
                        uint32_t position, float *row)
{
    const struct sl_bert_weights *weights = &encoder->weights;
    const size_t hidden = encoder->config.hidden;

    SL_PRE(id < encoder->config.vocabulary_count && type < encoder->config.type_count);
    memcpy(row, weights->tokens + id * hidden, hidden * sizeof *row);
    add_norm(encoder, row, weights->positions + position * hidden, 0, 1,
             weights->types + type * hidden, &weights->embedding_norm);
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

static uint32_t block_rows(uint32_t rows_left)
{
    return rows_left < SL_LINEAR_ROWS_MAX ? rows_left : SL_LINEAR_ROWS_MAX;
}

/* Query, key and value of every row. */
static void project(const struct sl_encoder *encoder, const struct sl_bert_layer *layer,
                    struct workspace *space)
{
    const uint32_t rows = space->pass.starts[space->pass.count], hidden = encoder->config.hidden;
    const bool halved = encoder->attention.machine.tile->precision == SL_PRECISION_BF16;

    for (uint32_t first = 0; first < rows; first += SL_LINEAR_ROWS_MAX) {
        const uint32_t count = block_rows(rows - first);
        const struct sl_operand x = sl_operand_of(&encoder->machine, &space->operand,
                                                  space->pass.rows + (size_t)first * hidden,
                                                  hidden * sizeof(float), count, hidden);
        sl_linear(&encoder->machine, &layer->qkv, &x, count,
                  halved ? SL_FINISH_BIAS_BF16 : SL_FINISH_BIAS,
                  (unsigned char *)space->qkv + first * encoder->qkv_stride, encoder->qkv_stride);
    }
}

/* Attention within each sequence: of all its rows, or of its first. */
static void attend(const struct sl_encoder *encoder, struct workspace *space,
                   enum sl_encoder_rows wanted)
{
    const bool halved = encoder->machine.tile->precision == SL_PRECISION_BF16;

    for (uint32_t s = 0; s < space->pass.count; s++) {
        const uint32_t first = space->pass.starts[s];
        const uint32_t length = space->pass.starts[s + 1] - first;
        const bool all = wanted == SL_ENCODER_ROWS_ALL;
        sl_attend(&encoder->attention, &space->attention,
                  (const unsigned char *)space->qkv + first * encoder->qkv_stride,
                  encoder->qkv_stride, length, all ? length : 1,
                  (unsigned char *)space->mixed + (all ? first : s) * encoder->mixed_stride,
                  encoder->mixed_stride, halved);
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

/* What a block of rows becomes after attention: its output layer, then the feed-forward part. */
static void run_block(const struct sl_encoder *encoder, const struct sl_bert_layer *layer,
                      struct workspace *space, uint32_t first, uint32_t count)
{
    const struct sl_machine *machine = &encoder->machine;
    const uint32_t hidden = encoder->config.hidden, wide = encoder->config.intermediate;
    const bool halved = machine->tile->precision == SL_PRECISION_BF16;
    const void *mixed = (unsigned char *)space->mixed + first * encoder->mixed_stride;
    float *rows = space->pass.rows + (size_t)first * hidden;
    struct sl_operand x = {.values = mixed, .stride = encoder->mixed_stride};

    if (!halved)
        x = sl_operand_of(machine, &space->operand, mixed, encoder->mixed_stride, count, hidden);
    sl_linear(machine, &layer->attention, &x, count, SL_FINISH_RAW, space->sums,
              encoder->sums_stride);
    add_norm(encoder, rows, space->sums, encoder->sums_stride, count, layer->attention.bias,
             &layer->attention_norm);
    x = sl_operand_of(machine, &space->operand, rows, hidden * sizeof *rows, count, hidden);
    sl_linear(machine, &layer->up, &x, count, halved ? SL_FINISH_GELU_BF16 : SL_FINISH_GELU,
              space->wide, encoder->wide_stride);
    x = (struct sl_operand){.values = space->wide, .stride = encoder->wide_stride};
    if (!halved)
        x = sl_operand_of(machine, &space->operand, space->wide, encoder->wide_stride, count, wide);
    sl_linear(machine, &layer->down, &x, count, SL_FINISH_RAW, space->sums, encoder->sums_stride);
    add_norm(encoder, rows, space->sums, encoder->sums_stride, count, layer->down.bias,
             &layer->output_norm);
}

static void run_layer(const struct sl_encoder *encoder, const struct sl_bert_layer *layer,
                      struct workspace *space, enum sl_encoder_rows wanted)
{
    uint32_t rows = space->pass.starts[space->pass.count];

    project(encoder, layer, space);
    attend(encoder, space, wanted);
    if (wanted == SL_ENCODER_ROWS_FIRST)
        rows = keep_first_rows(&space->pass);
    for (uint32_t first = 0; first < rows; first += SL_LINEAR_ROWS_MAX)
        run_block(encoder, layer, space, first, block_rows(rows - first));
}

void sl_encoder_run(struct sl_encoder *encoder, struct sl_encoder_pass *pass,
                    enum sl_encoder_rows wanted)
{
    const uint32_t layer_count = encoder->config.layer_count;

    SL_PRE(pass->count >= 1 && pass->count <= pass->rows_max && pass->starts[0] == 0);
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

const char *sl_encoder_instructions(const struct sl_encoder *encoder)
{
    return encoder->machine.tile->name;
}

/* What computes, and how wide rows are on the way. */
static void choose_machine(struct sl_encoder *encoder, enum sl_precision precision)
{
    const struct sl_model_config *config = &encoder->config;
    const uint32_t width = config->hidden / config->head_count;
    const struct sl_tile *halves = sl_tile_best(SL_PRECISION_BF16);
    const bool halved =
        width % sl_tile_group(SL_PRECISION_BF16) == 0 &&
        (precision == SL_PRECISION_BF16 || (precision == SL_PRECISION_INT8 && halves->native));

    encoder->machine = (struct sl_machine){sl_tile_best(precision), sl_kernels_best()};
    encoder->attention = (struct sl_attention){
        .machine = {halved ? halves : sl_tile_best(SL_PRECISION_F32), sl_kernels_best()},
        .head_count = config->head_count,
        .width = width};
    encoder->qkv_stride = sl_linear_out_bytes(3 * config->hidden) / (halved ? 2 : 1);
    encoder->mixed_stride = precision == SL_PRECISION_BF16
                                ? sl_operand_bytes(precision, config->hidden)
                                : config->hidden * sizeof(float);
    encoder->wide_stride =
        sl_linear_out_bytes(config->intermediate) / (precision == SL_PRECISION_BF16 ? 2 : 1);
    encoder->sums_stride = sl_linear_out_bytes(config->hidden);
}

enum sl_err sl_encoder_open(struct sl_safetensors *file, const struct sl_model_config *config,
                            enum sl_precision precision, struct sl_encoder **ret_encoder,
                            struct sl_error *err)
{
    struct sl_encoder *encoder = calloc(1, sizeof *encoder);
    enum sl_err r;

    SL_PRE(config->sequence_max + config->position_first <= config->position_count);
    if (encoder == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for the encoder");
    encoder->config = *config;
    choose_machine(encoder, precision);
    encoder->rows_max = config->sequence_max > ROWS_MAX ? config->sequence_max : ROWS_MAX;
    (void)pthread_mutex_init(&encoder->lock, NULL);
    r = sl_bert_weights_load(file, config, precision, &encoder->weights, err);
    if (r != SL_OK) {
        (void)sl_encoder_close(encoder);
        return r;
    }
    *ret_encoder = encoder;
    return SL_OK;
}
