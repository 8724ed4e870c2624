/*
 * cmd_estimate.c -- `sluicectl estimate`: what embedding would take, before anything is sent.
 *
 * Documents go the daemon's own way up to the texts it would embed; nothing is guessed but a
 * server's tokens. With
 * --sample some of the texts are sent, spread over all of them, and the server's own count corrects
 * the estimate: vocabularies differ, by a factor where a model does not know the script.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/json.h>

#include "net/embed_client.h"
#include "source.h"

#define SAMPLE_MAX 256u

struct estimate {
    struct ctl *ctl;
    struct ctl_opened *opened; /* index NULL: none is there yet */
    struct sl_arena *arena;
    struct ctl_refusals refusals;
    uint64_t documents, unchanged, deletes, chunks, texts, tokens, requests;
    uint64_t batch_texts, batch_tokens; /* of the request being filled */
    uint32_t sample_max, sample_count;
    struct sl_buffer sample[SAMPLE_MAX];
    uint64_t sample_tokens; /* as the server counts them */
    double factor;          /* the server's tokens to ours; 1: not asked */
    double seconds_each;    /* of a text, as sampled; 0: unknown */
};

/* ------------------------------------------------------------------------------ counting */

/* Keep each text with the same chance, however many come (reservoir), from a sequence that repeats.
 */
static void maybe_sample(struct estimate *e, struct sl_view text)
{
    uint64_t place = e->sample_count;

    if (e->sample_max == 0)
        return;
    if (place == e->sample_max)
        place = (e->texts * 0x9E3779B97F4A7C15u >> 20) % e->texts;
    else
        e->sample_count++;
    if (place >= e->sample_max)
        return;
    e->sample[place].size = 0;
    sl_buffer_view(&e->sample[place], text);
}

static void add_text(struct estimate *e, struct sl_view text)
{
    const struct sl_config *config = e->ctl->config;
    uint64_t tokens = sl_embed_tokens(e->opened->embedder, SL_EMBED_PASSAGE, &text, 1);

    e->texts++;
    e->tokens += tokens;
    maybe_sample(e, text);
    if (e->requests == 0 || e->batch_texts == config->embed.batch ||
        (sl_embed_is_remote(e->opened->embedder) &&
         e->batch_tokens + tokens > config->embed.batch_tokens)) {
        e->requests++;
        e->batch_texts = e->batch_tokens = 0;
    }
    e->batch_texts++;
    e->batch_tokens += tokens;
}

static enum sl_err add_document(struct estimate *e, const struct ctl_item *item,
                                struct sl_view topic, struct sl_error *err)
{
    struct sl_header header = {SL_VIEW("content-type"), sl_view_of(item->content_type)};
    struct sl_message message = {
        .topic = topic,
        .offset = -1,
        .timestamp_ms = -1,
        .key = {item->key.data != NULL ? item->key.data : "", item->key.size},
        .value = {item->value.data != NULL ? item->value.data : "", item->value.size},
        .headers = &header,
        .header_count = item->content_type != NULL ? 1 : 0,
    };
    struct sl_ingest *ingest = NULL;
    enum sl_err code;

    if (item->is_delete) {
        e->deletes++;
        return SL_OK;
    }
    sl_arena_reset(e->arena);
    code = sl_ingest_read(&message, &e->opened->ingest, e->opened->index, e->arena, &ingest, err);
    if (code != SL_OK)
        return code;
    e->documents++;
    e->unchanged += ingest->unchanged;
    e->chunks += ingest->chunk_count;
    for (uint32_t i = 0; i < ingest->text_count; i++)
        add_text(e, ingest->texts[i]);
    return SL_OK;
}

static enum sl_err read_all(struct estimate *e, struct ctl_source *source, struct sl_view topic,
                            struct sl_error *err)
{
    struct ctl_progress progress;
    struct ctl_item item;
    enum sl_err code = SL_OK;
    uint64_t seen = 0;

    ctl_progress_begin(&progress, e->ctl, "estimate", "documents");
    while (code == SL_OK && (code = ctl_source_next(source, &item, err)) != SL_AGAIN) {
        bool read = code == SL_OK;

        if (read)
            code = add_document(e, &item, topic, err);
        if (code == SL_REJECT) {
            ctl_refuse(e->ctl, &e->refusals, item.where, err);
            code = SL_OK;
        }
        if (read)
            ctl_item_fini(&item);
        ctl_progress_move(&progress, ++seen, ctl_source_fraction(source));
    }
    ctl_progress_end(&progress);
    return code == SL_AGAIN ? SL_OK : code;
}

/* ------------------------------------------------------------------------------ asking */

static void on_tokens(void *context, uint64_t tokens)
{
    struct estimate *e = context;

    e->sample_tokens += tokens;
}

/* Nothing is sent unless it is wanted: not even to learn how long vectors are. */
static int open_embedder(struct estimate *e)
{
    struct sl_config *config = e->ctl->config;
    struct sl_embed_watch watch = {.context = e, .counted = on_tokens};
    struct sl_error err = {0};

    if (config->embed.backend != SL_EMBED_BACKEND_HTTP)
        return ctl_embedder(e->ctl, &e->opened->embedder);
    if (e->sample_max == 0 && config->embed.dimensions == 0)
        config->embed.dimensions = 1;
    if (sl_config_embed_server(config, &watch, NULL, &e->opened->embedder, &err) != SL_OK)
        return ctl_fail_error(e->ctl, &err, SL_EXIT_UNAVAILABLE);
    return SL_EXIT_OK;
}

/* The index, when there is one made by these settings: what it holds need not be embedded. */
static void open_index(struct estimate *e)
{
    const struct sl_config *config = e->ctl->config;
    char fingerprint[256];
    struct sl_index_options options = {
        .path = config->index.path, .read_only = true, .fingerprint = fingerprint};

    sl_ingest_fingerprint(&e->opened->ingest, fingerprint);
    if (config->index.path[0] == '\0' || sl_index_open(&options, &e->opened->index, NULL) != SL_OK)
        e->opened->index = NULL;
}

static enum sl_err send_sample(struct estimate *e, struct sl_error *err)
{
    const struct sl_embedder *embedder = e->opened->embedder;
    struct sl_view texts[SAMPLE_MAX];
    float *vectors = calloc((size_t)e->sample_count * embedder->dim + 1, sizeof *vectors);
    double start = ctl_seconds();
    enum sl_err code;

    if (vectors == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory");
    for (uint32_t i = 0; i < e->sample_count; i++)
        texts[i] = (struct sl_view){e->sample[i].data ? e->sample[i].data : "", e->sample[i].size};
    code = embedder->ops->encode(embedder, SL_EMBED_PASSAGE, texts, e->sample_count, vectors, err);
    free(vectors);
    if (code != SL_OK)
        return code;
    e->seconds_each = (ctl_seconds() - start) / e->sample_count;
    if (sl_embed_is_remote(embedder))
        e->factor = (double)e->sample_tokens /
                    (double)sl_embed_tokens(embedder, SL_EMBED_PASSAGE, texts, e->sample_count);
    return SL_OK;
}

/* ------------------------------------------------------------------------------ telling */

static double at_least(double seconds, double amount, uint32_t per_minute)
{
    double limit = per_minute > 0 ? amount / per_minute * 60 : 0;

    return seconds > limit ? seconds : limit;
}

/* 0: unknown. */
static double seconds_of(const struct estimate *e, double tokens)
{
    const struct sl_config *config = e->ctl->config;
    bool remote = sl_embed_is_remote(e->opened->embedder);
    uint32_t at_once =
        remote ? config->embed.in_flight : 1; /* in the process all cores were sampled */
    double seconds = e->seconds_each * (double)e->texts / at_once;

    if (!remote)
        return seconds;
    seconds = at_least(seconds, (double)e->requests, config->embed.requests_per_minute);
    return at_least(seconds, tokens, config->embed.tokens_per_minute);
}

static void print_json(const struct estimate *e, struct sl_buffer *out)
{
    double tokens = (double)e->tokens * e->factor, seconds = seconds_of(e, tokens);

    sl_buffer_format(
        out,
        "{\"documents\": %llu, \"unchanged\": %llu, \"deletes\": %llu, \"chunks\": %llu, "
        "\"texts\": %llu, \"tokens\": %.0f, \"requests\": %llu, \"sampled\": %u",
        (unsigned long long)e->documents, (unsigned long long)e->unchanged,
        (unsigned long long)e->deletes, (unsigned long long)e->chunks, (unsigned long long)e->texts,
        tokens, (unsigned long long)e->requests, (unsigned)e->sample_count);
    sl_json_name(out, "seconds");
    sl_json_number(out, seconds > 0 ? seconds : NAN);
    sl_json_name(out, "cost");
    sl_json_number(out, e->ctl->config->embed.price > 0 ? tokens / 1e6 * e->ctl->config->embed.price
                                                        : NAN);
    sl_buffer_format(out, ", \"refused\": %llu, \"refusals\": [",
                     (unsigned long long)e->refusals.count);
    sl_buffer_add(out, e->refusals.json.data, e->refusals.json.size);
    sl_buffer_format(out, "]}\n");
}

static void print_text(const struct estimate *e, struct sl_buffer *out)
{
    const struct sl_config *config = e->ctl->config;
    double tokens = (double)e->tokens * e->factor, seconds = seconds_of(e, tokens);

    sl_buffer_format(out,
                     "documents  %llu, of which %llu are in the index unchanged; %llu deletes\n",
                     (unsigned long long)e->documents, (unsigned long long)e->unchanged,
                     (unsigned long long)e->deletes);
    sl_buffer_format(out, "chunks     %llu\n", (unsigned long long)e->chunks);
    sl_buffer_format(out, "to embed   %llu texts, %s%.0f tokens, in %llu requests\n",
                     (unsigned long long)e->texts,
                     sl_embed_is_remote(e->opened->embedder) ? "about " : "", tokens,
                     (unsigned long long)e->requests);
    if (e->sample_count > 0 && sl_embed_is_remote(e->opened->embedder))
        sl_buffer_format(
            out, "sampled    %u texts: the server counts %.2f tokens where the estimate has 1\n",
            (unsigned)e->sample_count, e->factor);
    if (seconds > 0)
        sl_buffer_format(out, "time       about %.0f s\n", seconds);
    if (config->embed.price > 0)
        sl_buffer_format(out, "cost       about %.4f, at %g for a million tokens\n",
                         tokens / 1e6 * config->embed.price, config->embed.price);
    if (e->refusals.count > 0)
        sl_buffer_format(out, "%llu refused, see above\n", (unsigned long long)e->refusals.count);
}

/* ------------------------------------------------------------------------------ the command */

static int estimate_run(struct estimate *e, struct ctl_source *source, const char *topic)
{
    struct sl_buffer out = {0};
    struct sl_error err = {0};
    enum sl_err code;

    e->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    if (e->arena == NULL)
        return ctl_fail(e->ctl, SL_EXIT_OS, "no memory to read documents");
    code = read_all(e, source, sl_view_of(topic), &err);
    if (code == SL_OK && e->sample_count > 0)
        code = send_sample(e, &err);
    sl_arena_close(e->arena);
    if (code != SL_OK)
        return ctl_fail_error(e->ctl, &err, SL_EXIT_UNAVAILABLE);
    if (e->ctl->json)
        print_json(e, &out);
    else
        print_text(e, &out);
    code = ctl_print(e->ctl, &out) == SL_EXIT_OK ? SL_OK : SL_STOP;
    return code != SL_OK ? SL_EXIT_IO : e->refusals.count > 0 ? SL_EXIT_DATA : SL_EXIT_OK;
}

static int estimate_open(struct estimate *e, struct ctl_source *source, const char *topic)
{
    int exit_code = open_embedder(e);

    if (exit_code == SL_EXIT_OK && e->opened->embedder == NULL)
        exit_code = ctl_fail(e->ctl, SL_EXIT_CONFIG,
                             "[embed] backend is none: nothing is embedded; allowed: bert, http");
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    sl_config_ingest(e->ctl->config, e->opened->embedder, &e->opened->ingest);
    open_index(e);
    exit_code = estimate_run(e, source, topic);
    e->opened->index = sl_index_close(e->opened->index);
    e->opened->embedder = sl_embedder_close(e->opened->embedder);
    return exit_code;
}

int cmd_estimate(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_opened opened = {0};
    struct estimate estimate = {.ctl = ctl, .opened = &opened, .factor = 1};
    struct ctl_list paths = {0}, lines = {0};
    const char *topic = NULL;
    const struct ctl_option options[] = {
        {"jsonl", CTL_LIST, &lines, "FILE",
         "one document a line, key = _id or id; - is standard input", 0, 0},
        {"topic", CTL_TEXT, &topic, "TOPIC",
         "as they were under this topic; default: the first of [documents]", 0, 0},
        {"sample", CTL_COUNT, &estimate.sample_max, "N",
         "embed N of the texts, for the server's own count of tokens and for its speed", 1,
         SAMPLE_MAX},
    };
    const struct ctl_usage usage = {
        "estimate PATH... [--jsonl FILE]...",
        "Say what embedding these documents would take: texts, tokens, requests, time and, with "
        "[embed] price, "
        "cost.\nWhat the index holds unchanged is not counted. Nothing is sent, unless --sample is "
        "given.\n"
        "Exit: 65 some documents would be refused, 69 the server cannot be sampled.",
        options,
        CTL_OPTION_COUNT(options),
        0,
        UINT32_MAX};
    struct ctl_source_options source_options = {&paths, &lines, NULL};
    struct ctl_source *source = NULL;
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &paths, &exit_code))
        return exit_code;
    exit_code = ctl_source_open(ctl, &source_options, &source);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_documents_topic(ctl, &topic);
    if (exit_code == SL_EXIT_OK)
        exit_code = estimate_open(&estimate, source, topic);
    ctl_source_close(source);
    for (uint32_t i = 0; i < SAMPLE_MAX; i++)
        sl_buffer_fini(&estimate.sample[i]);
    sl_buffer_fini(&estimate.refusals.json);
    return exit_code;
}
