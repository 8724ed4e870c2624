/*
 * config_embed.c -- from [embed] to an embedding server.
 *
 * The length of the vectors is needed before anything else can open. It comes from the
 * configuration, else from the index, which was made with it; only a new index has to ask the
 * server, so that only a first start needs it.
 */
#include "daemon/config_pipeline.h"

#include <sluice/index.h>

static uint32_t index_dim(const struct sl_config *config)
{
    struct sl_index_options options = {.path = config->index.path, .read_only = true};
    struct sl_index *index = NULL;
    uint32_t dim = 0;

    if (config->index.path[0] != '\0' && sl_index_open(&options, &index, NULL) == SL_OK)
        dim = sl_index_dim(index);
    (void)sl_index_close(index);
    return dim;
}

uint64_t sl_config_tokens_max_per_day(const struct sl_config *config)
{
    uint64_t tokens = config->embed.tokens_max_per_day;
    double paid = 0;

    if (config->embed.cost_max_per_day <= 0)
        return tokens;
    paid = config->embed.cost_max_per_day / config->embed.price * 1e6;
    paid = paid < 1 ? 1 : paid < 1e18 ? paid : 1e18;
    return tokens == 0 || paid < (double)tokens ? (uint64_t)paid : tokens;
}

enum sl_err sl_config_embed_server(const struct sl_config *config,
                                   const struct sl_embed_watch *watch, const atomic_bool *cancelled,
                                   struct sl_embedder **ret_embedder, struct sl_error *err)
{
    char inner[2][SL_CONFIG_PREFIX_BYTES_MAX + 1];
    struct sl_embed_options options = {
        .api = config->embed.api,
        .url = config->embed.url,
        .model = config->embed.model,
        .ca_file = config->embed.ca_file,
        .query_prefix = sl_config_prefix(config->embed.query_prefix, inner[0], sizeof inner[0]),
        .passage_prefix = sl_config_prefix(config->embed.passage_prefix, inner[1], sizeof inner[1]),
        .dim = config->embed.dimensions ? config->embed.dimensions : index_dim(config),
        .asks_dim = config->embed.dimensions > 0,
        .token_limit = config->embed.token_limit,
        .batch_tokens = config->embed.batch_tokens,
        .in_flight = config->embed.in_flight,
        .timeout_ms = config->embed.timeout_ms,
        .question_timeout_ms = config->embed.question_timeout_ms,
        .requests_per_minute = config->embed.requests_per_minute,
        .tokens_per_minute = config->embed.tokens_per_minute,
        .tokens_max_per_day = sl_config_tokens_max_per_day(config),
        .breaker_wait_ms = config->embed.breaker_wait_ms,
        .cancelled = cancelled,
    };
    char *key = NULL;
    enum sl_err e = SL_OK;

    if (watch != NULL)
        options.watch = *watch;
    if (config->embed.api_key_credential[0] != '\0')
        e = sl_secret_read(config->embed.api_key_credential, &key, err);
    options.api_key = key;
    if (!e)
        e = sl_embed_open(&options, ret_embedder, err);
    sl_secret_free(key);
    return e;
}

enum sl_err sl_config_embed_renew(const struct sl_config *config,
                                  const struct sl_embedder *embedder, struct sl_error *err)
{
    char *key = NULL;
    enum sl_err e = SL_OK;

    if (!sl_embed_is_remote(embedder))
        return SL_OK;
    if (config->embed.api_key_credential[0] == '/')
        e = sl_secret_read(config->embed.api_key_credential, &key, err);
    if (!e)
        e = sl_embed_renew(embedder, key, sl_config_tokens_max_per_day(config), err);
    else
        (void)sl_embed_renew(embedder, NULL, sl_config_tokens_max_per_day(config), NULL);
    sl_secret_free(key);
    return e;
}
