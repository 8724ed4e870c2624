/*
 * config_pipeline.c -- the one place where configuration words become the pipeline's options.
 *
 * It stands apart from config.c because that knows nothing of the pipeline. The pipeline's
 * fingerprint, stored with the index, notices when two programs would still treat a document
 * differently.
 */
#include "daemon/config_pipeline.h"

#include <stdio.h>
#include <string.h>

#include "net/rerank_client.h"

#define COVERAGE_MIN     0.5 /* below it a question's language is not the encoder's */
#define RERANK_MS_MIN    50u /* with less, a reranking server is not asked, unless it never has more */

static struct sl_view text_or_null(const char *text)
{
    return text[0] != '\0' ? sl_view_of(text) : SL_VIEW_NULL;
}

void sl_config_ingest(const struct sl_config *config, const struct sl_embedder *embedder,
                      struct sl_ingest_options *ret_options)
{
    const char *header = config->queries.tenant_header;

    *ret_options = (struct sl_ingest_options){
        .decode = {.tenant = text_or_null(config->queries.tenant),
                   .tenant_header = header[0] != '\0' ? header : NULL},
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

static enum sl_expand expand_of(const char *name)
{
    if (strcmp(name, "neighbours") == 0)
        return SL_EXPAND_NEIGHBOURS;
    return strcmp(name, "section") == 0 ? SL_EXPAND_SECTION : SL_EXPAND_OFF;
}

void sl_config_retrieve(const struct sl_config *config, struct sl_retrieve_options *ret_options)
{
    bool ranks = strcmp(config->retrieve.fusion, "rrf") == 0;

    *ret_options = (struct sl_retrieve_options){
        .mode = mode_of(config->retrieve.mode),
        .k = config->retrieve.k,
        .ef = config->index.ef_search,
        .fusion = ranks ? SL_FUSION_RRF : SL_FUSION_MINMAX,
        .weight_lexical = config->retrieve.weight_lexical,
        .weight_vector = config->retrieve.weight_vector,
        .coverage_min = COVERAGE_MIN,
        .expand = expand_of(config->retrieve.expand),
        .keep_duplicates = strcmp(config->retrieve.duplicates, "keep") == 0,
        .half_life_days = config->retrieve.half_life_days,
        .expansion = strcmp(config->retrieve.expansion, "rm3") == 0 ? SL_EXPANSION_RM3
                                                                    : SL_EXPANSION_NONE,
        .rerank_depth = config->retrieve.rerank_depth,
        .rerank_deadline_ms = config->retrieve.rerank_deadline_ms,
        .rerank_weight = config->retrieve.rerank_weight,
        .diversity = config->retrieve.diversity,
    };
}

const char *sl_config_prefix(const char *text, char *inner, size_t size)
{
    size_t length = strlen(text);

    if (length == 0)
        return NULL;
    if (length < 2 || text[0] != '"' || text[length - 1] != '"')
        return text;
    (void)snprintf(inner, size, "%.*s", (int)length - 2, text + 1);
    return inner;
}

enum sl_err sl_config_lists(const struct sl_config *config, struct sl_word_lists **ret_lists,
                            struct sl_error *err)
{
    return sl_word_lists_open(config->text.words, config->text.stop_words, ret_lists, err);
}

enum sl_err sl_config_synonyms(const struct sl_config *config, const struct sl_word_lists *lists,
                               struct sl_synonyms **ret_synonyms, struct sl_error *err)
{
    *ret_synonyms = NULL;
    if (config->text.synonyms[0] == '\0')
        return SL_OK;
    return sl_synonyms_open(config->text.synonyms, lists, ret_synonyms, err);
}

enum sl_err sl_config_embedder(const struct sl_config *config, struct sl_embedder **ret_embedder,
                               struct sl_error *err)
{
    char inner[2][SL_CONFIG_PREFIX_BYTES_MAX + 1];
    const char *query = sl_config_prefix(config->embed.query_prefix, inner[0], sizeof inner[0]);
    const char *passage = sl_config_prefix(config->embed.passage_prefix, inner[1], sizeof inner[1]);
    struct sl_bert_options bert = {.directory = config->embed.model,
                                   .precision = config->embed.precision,
                                   .batch_max = config->embed.batch,
                                   .query_prefix = query,
                                   .passage_prefix = passage};
    struct sl_static_options table = {
        .directory = config->embed.model, .query_prefix = query, .passage_prefix = passage};

    switch (config->embed.backend) {
    case SL_EMBED_BACKEND_NONE:
        *ret_embedder = NULL;
        return SL_OK;
    case SL_EMBED_BACKEND_HTTP:
        return sl_config_embed_server(config, NULL, NULL, ret_embedder, err);
    case SL_EMBED_BACKEND_STATIC:
        return sl_static_open(&table, ret_embedder, err);
    case SL_EMBED_BACKEND_BERT:
        return sl_bert_open(&bert, ret_embedder, err);
    }
    return SL_STOP;
}

static enum sl_err open_rerank_server(const struct sl_config *config, const atomic_bool *cancelled,
                                      const struct sl_endpoint_watch *watch, struct sl_reranker **ret_reranker,
                                      struct sl_error *err)
{
    uint32_t most_ms = config->retrieve.rerank_deadline_ms;
    struct sl_rerank_options options = {.api = config->retrieve.rerank_api,
                                        .url = config->retrieve.rerank_url,
                                        .model = config->retrieve.rerank_model,
                                        .time_min_ms = most_ms / 2 < RERANK_MS_MIN ? most_ms / 2 : RERANK_MS_MIN,
                                        .breaker_wait_ms = config->retrieve.rerank_breaker_wait_ms,
                                        .cancelled = cancelled};
    char *key = NULL;
    enum sl_err e = SL_OK;

    if (watch != NULL)
        options.watch = *watch;
    if (config->retrieve.rerank_api_key_credential[0] != '\0')
        e = sl_secret_read(config->retrieve.rerank_api_key_credential, &key, err);
    options.api_key = key;
    if (!e)
        e = sl_rerank_client_open(&options, ret_reranker, err);
    sl_secret_free(key);
    return e;
}

enum sl_err sl_config_rerank_renew(const struct sl_config *config, const struct sl_reranker *reranker,
                                   struct sl_error *err)
{
    char *key = NULL;
    enum sl_err e;

    if (!sl_rerank_is_remote(reranker) || config->retrieve.rerank_api_key_credential[0] != '/')
        return SL_OK;
    e = sl_secret_read(config->retrieve.rerank_api_key_credential, &key, err);
    if (!e)
        e = sl_rerank_renew(reranker, key, err);
    sl_secret_free(key);
    return e;
}

enum sl_err sl_config_heads_open(const struct sl_config *config, const atomic_bool *cancelled,
                                 const struct sl_endpoint_watch *watch, struct sl_config_heads *ret_heads, struct sl_error *err)
{
    struct sl_config_heads heads = {0};
    enum sl_err e = SL_OK;

    if (config->retrieve.rerank == SL_RERANK_BERT)
        e = sl_cross_encoder_open(config->retrieve.rerank_model, config->embed.precision,
                                  &heads.reranker, err);
    else if (config->retrieve.rerank == SL_RERANK_HTTP)
        e = open_rerank_server(config, cancelled, watch, &heads.reranker, err);
    if (!e && config->answer.reader[0] != '\0')
        e = sl_reader_open(config->answer.reader, config->embed.precision, &heads.reader, err);
    if (!e)
        *ret_heads = heads;
    else
        sl_config_heads_close(&heads);
    return e;
}

void sl_config_heads_close(struct sl_config_heads *heads)
{
    heads->reranker = sl_reranker_close(heads->reranker);
    heads->reader = sl_reader_close(heads->reader);
}
