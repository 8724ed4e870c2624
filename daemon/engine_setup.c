/*
 * engine_setup.c -- from the configuration to what the pipeline's functions are told.
 *
 * sluicectl makes the same options from the same file, so that a document imported by hand and one
 * read from Kafka end up alike; the pipeline's fingerprint, stored with the index, catches it when
 * they would not.
 */
#include <string.h>

#include "daemon/engine_internal.h"
#include "net/llm_client.h"

static int64_t now_ms(void *context)
{
    (void)context;
    return clock_wall_ms();
}

static int64_t monotonic_us(void *context)
{
    (void)context;
    return clock_us();
}

const struct sl_clock sl_daemon_clock = {now_ms, monotonic_us, NULL};

void setup_ingest(const struct sl_config *config, const struct sl_embedder *embedder,
                  struct sl_ingest_options *ret)
{
    *ret = (struct sl_ingest_options){
        .decode = {.tenant = config->queries.tenant[0] ? sl_view_of(config->queries.tenant)
                                                       : SL_VIEW_NULL,
                   .tenant_header =
                       config->queries.tenant_header[0] ? config->queries.tenant_header : NULL},
        .chunk = {.words = config->chunk.words,
                  .overlap_words = config->chunk.overlap_words,
                  .boilerplate = config->clean.boilerplate},
        .embedder = embedder,
    };
}

static enum sl_mode mode_of(const char *name)
{
    if (strcmp(name, "vector") == 0)
        return SL_MODE_VECTOR;
    return strcmp(name, "lexical") == 0 ? SL_MODE_LEXICAL : SL_MODE_HYBRID;
}

void setup_settings(const struct sl_config *config, struct settings *ret)
{
    *ret = (struct settings){
        .retrieve = {.mode = mode_of(config->retrieve.mode),
                     .k = config->retrieve.k,
                     .ef = config->index.ef_search,
                     .fusion = strcmp(config->retrieve.fusion, "rrf") == 0 ? SL_FUSION_RRF
                                                                           : SL_FUSION_MINMAX,
                     .weight_lexical = config->retrieve.weight_lexical,
                     .weight_vector = config->retrieve.weight_vector,
                     .coverage_min = 0.5,
                     .half_life_days = config->retrieve.half_life_days},
        .answer_tokens_max = config->answer.max_tokens,
        .generate_deadline_ms = config->answer.deadline_ms,
        .on_gap = config->documents.on_gap,
    };
}

enum sl_err setup_embedder(const struct sl_config *config, struct sl_embedder **ret,
                           struct sl_error *err)
{
    struct sl_bert_options options = {.directory = config->embed.model,
                                      .precision = config->embed.precision,
                                      .batch_max = config->embed.batch};

    *ret = NULL;
    if (config->embed.backend == SL_EMBED_BACKEND_NONE)
        return SL_OK;
    return sl_bert_open(&options, ret, err);
}

enum sl_err setup_index(struct sl_engine *engine, struct sl_error *err)
{
    const struct sl_config *config = engine->config;
    char fingerprint[256];
    struct sl_index_options options = {
        .path = config->index.path,
        .map_size_bytes = config->index.map_size_max,
        .dim = engine->embedder ? engine->embedder->dim : 0,
        .m = config->index.m,
        .ef_construction = config->index.ef_construction,
        .fingerprint = fingerprint,
    };

    sl_ingest_fingerprint(&engine->ingest, fingerprint);
    return sl_index_open(&options, &engine->index, err);
}

enum sl_err setup_generator(const struct sl_config *config, struct sl_generator **ret,
                            struct sl_error *err)
{
    struct sl_llm_options options = {.url = config->answer.url,
                                     .model = config->answer.model,
                                     .max_tokens = config->answer.max_tokens,
                                     .clock = &sl_daemon_clock};
    char *secret = NULL;
    enum sl_err r = SL_OK;

    *ret = NULL;
    if (config->answer.backend != SL_ANSWER_LLM)
        return SL_OK;
    if (config->answer.api_key_credential[0])
        r = sl_secret_read(config->answer.api_key_credential, &secret, err);
    options.api_key = secret;
    if (r == SL_OK)
        r = sl_llm_open(&options, ret, err);
    sl_secret_free(secret);
    return r;
}

struct sl_generator *setup_generator_close(struct sl_generator *generator)
{
    return sl_llm_close(generator);
}
