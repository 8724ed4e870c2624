/*
 * bert.c -- texts to unit vectors with an encoder of the BERT family in this process: tokenize,
 * encode (encoder.c), pool, scale to length 1.
 *
 * Texts are tokenized straight into the pass they are encoded in, as many as have room.
 */
#include <sluice/embed.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/hash.h>
#include <sluice/limits.h>

#include "embed/embedder_internal.h"
#include "embed/model_parts.h"

#define BATCH_DEFAULT      32u
#define BATCH_MAX          1024u
#define FINGERPRINT_FORMAT 2u

struct bert {
    struct sl_embedder base; /* first: a struct sl_embedder * is a struct bert * */
    struct sl_model_parts parts;
    uint32_t batch_max;
};

static struct bert *bert_of(const struct sl_embedder *embedder)
{
    return (struct bert *)(uintptr_t)embedder;
}

/* ---- one pass ---- */

/* Tokenize texts while there is room for a longest one. Returns how many. */
static uint32_t fill(const struct bert *bert, struct sl_encoder_pass *pass, struct sl_view prefix,
                     const struct sl_view *texts, uint32_t count)
{
    uint32_t done = 0, row = 0;

    pass->count = 0;
    while (done < count && done < bert->batch_max &&
           sl_encoder_pass_room(pass) >= bert->parts.config.sequence_max) {
        pass->ids[row++] = sl_tokenizer_first_id(bert->parts.tokenizer);
        row += sl_tokenizer_ids_after(bert->parts.tokenizer, prefix, texts[done], pass->ids + row,
                                      bert->parts.config.sequence_max - 2);
        pass->ids[row++] = sl_tokenizer_last_id(bert->parts.tokenizer);
        pass->starts[++pass->count] = row;
        done++;
    }
    return done;
}

/* The rows of one text to its vector. A mean needs no division: the length is scaled to 1 anyway.
 */
static void pool(const float *rows, uint32_t count, uint32_t hidden, float *vector)
{
    memcpy(vector, rows, hidden * sizeof *vector);
    for (uint32_t r = 1; r < count; r++)
        for (uint32_t i = 0; i < hidden; i++)
            vector[i] += rows[(size_t)r * hidden + i];
    sl_embedder_scale(vector, hidden);
}

static uint32_t run_pass(const struct bert *bert, struct sl_encoder_pass *pass,
                         struct sl_view prefix, const struct sl_view *texts, uint32_t count,
                         float *vectors)
{
    const bool mean = bert->parts.config.pooling == SL_POOLING_MEAN;
    const size_t hidden = bert->parts.config.hidden;

    count = fill(bert, pass, prefix, texts, count);
    sl_encoder_run(bert->parts.encoder, pass, mean ? SL_ENCODER_ROWS_ALL : SL_ENCODER_ROWS_FIRST);
    for (uint32_t t = 0; t < count; t++)
        pool(pass->rows + (mean ? pass->starts[t] : t) * hidden,
             mean ? pass->starts[t + 1] - pass->starts[t] : 1, bert->parts.config.hidden,
             vectors + t * hidden);
    return count;
}

/* ---- the table ---- */

static enum sl_err encode(const struct sl_embedder *embedder, enum sl_embed_role role,
                          const struct sl_view *texts, uint32_t count, float *vectors,
                          struct sl_error *err)
{
    struct bert *bert = bert_of(embedder);
    struct sl_encoder_pass *pass = sl_encoder_pass_take(bert->parts.encoder);
    struct sl_view prefix =
        sl_view_of(role == SL_EMBED_QUESTION ? bert->parts.config.query_prefix
                                             : bert->parts.config.passage_prefix);

    if (pass == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "out of memory for encoding");
    for (uint32_t done = 0; done < count;)
        done += run_pass(bert, pass, prefix, texts + done, count - done,
                         vectors + (size_t)done * embedder->dim);
    sl_encoder_pass_give(bert->parts.encoder, pass);
    return SL_OK;
}

static uint32_t count_tokens(const struct sl_embedder *embedder, struct sl_view text)
{
    return sl_tokenizer_ids(bert_of(embedder)->parts.tokenizer, text, NULL, UINT32_MAX);
}

static double coverage(const struct sl_embedder *embedder, struct sl_view text)
{
    return sl_tokenizer_coverage(bert_of(embedder)->parts.tokenizer, text);
}

static void close_bert(struct sl_embedder *embedder)
{
    struct bert *bert = bert_of(embedder);

    sl_model_parts_close(&bert->parts);
    free(bert);
}

/* ---- opening ---- */

/* Everything that changes vectors and is not in the weights or the tokenizer's file. */
static void digest_settings(const struct bert *bert, struct sl_sha256 *digest)
{
    const struct sl_model_config *config = &bert->parts.config;
    char text[256];
    int size =
        snprintf(text, sizeof text,
                 "%u bert %s heads %u epsilon %a sequence %u positions %u pooling %d lower "
                 "%d strip %d chinese %d\n",
                 FINGERPRINT_FORMAT, sl_precision_name(bert->parts.precision), config->head_count,
                 (double)config->layer_norm_epsilon, config->sequence_max, config->position_first,
                 (int)config->pooling, (int)config->casing.lower_case,
                 (int)config->casing.strip_accents, (int)config->casing.split_chinese);

    sl_sha256_add(digest, text, (size_t)size);
    sl_sha256_add(digest, config->query_prefix, strlen(config->query_prefix) + 1);
    sl_sha256_add(digest, config->passage_prefix, strlen(config->passage_prefix) + 1);
}

/* Prefixes given with the options go over those of the directory; they take from the limit. */
static enum sl_err set_prefixes(struct bert *bert, const struct sl_bert_options *options,
                                struct sl_error *err)
{
    const struct {
        const char *given, *name;
        char *prefix;
    } prefixes[] = {{options->query_prefix, "query_prefix", bert->parts.config.query_prefix},
                    {options->passage_prefix, "passage_prefix", bert->parts.config.passage_prefix}};
    const uint32_t room = bert->parts.config.sequence_max - 2;
    uint32_t count = 0;

    for (int i = 0; i < 2; i++) {
        if (prefixes[i].given != NULL)
            (void)snprintf(prefixes[i].prefix, SL_PREFIX_BYTES_MAX + 1, "%s", prefixes[i].given);
        count = sl_tokenizer_ids(bert->parts.tokenizer, sl_view_of(prefixes[i].prefix), NULL, room);
        if (count > room / 2)
            return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config",
                           "[embed] %s: %u tokens or more of the model's %u; allowed is half of "
                           "them",
                           prefixes[i].name, count, room);
    }
    bert->base.token_limit = room - count;
    return SL_OK;
}

static enum sl_err check_options(const struct sl_bert_options *options, struct sl_error *err)
{
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
    bert->batch_max = options->batch_max != 0 ? options->batch_max : BATCH_DEFAULT;
    sl_model_name(options->directory, bert->base.name, sizeof bert->base.name);
    return bert;
}

static void set_about(struct bert *bert)
{
    char kind[96];

    (void)snprintf(kind, sizeof kind, "%s, %s",
                   bert->parts.config.position_first > 0 ? "RoBERTa encoder" : "BERT encoder",
                   bert->parts.config.pooling == SL_POOLING_MEAN ? "mean of all tokens"
                                                                 : "first token");
    sl_embedder_set_about(&bert->base, kind, bert->parts.config.query_prefix,
                          bert->parts.config.passage_prefix);
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
    r = sl_model_parts_open(options->directory, options->precision, digest, &bert->parts, NULL,
                            err);
    if (r == SL_OK)
        r = set_prefixes(bert, options, err);
    if (r == SL_OK)
        digest_settings(bert, digest);
    sl_sha256_end(digest, bytes);
    if (r != SL_OK) {
        close_bert(&bert->base);
        return r;
    }
    sl_hex(bytes, sizeof bytes, bert->base.fingerprint);
    (void)snprintf(bert->base.arithmetic, sizeof bert->base.arithmetic, "%s by %s",
                   sl_precision_name(bert->parts.precision),
                   sl_encoder_instructions(bert->parts.encoder));
    bert->base.dim = bert->parts.config.hidden;
    set_about(bert);
    *ret_embedder = &bert->base;
    return SL_OK;
}
