/*
 * rerank_watch.c -- what a reranking server does, as metrics, log lines and a trouble people see.
 *
 * Whether one that was away is back is found out by the next question (net/rerank_client.c), so no thread tends it.
 */
#include "daemon/config_pipeline.h"
#include "daemon/engine_internal.h"
#include "daemon/log.h"

static void on_breaker(void *context, enum sl_breaker_state state, const char *why)
{
    static const struct engine_server server = {SL_TROUBLE_RERANK, "rerank", "reranking server",
                                                "Questions are answered with the passages in their first order"};

    engine_breaker(context, &server, state, "rerank_unavailable", why);
}

enum sl_err heads_open(struct sl_engine *engine, struct sl_error *err)
{
    struct sl_endpoint_watch watch = {.context = engine, .breaker = on_breaker};

    if (engine->config->retrieve.rerank == SL_RERANK_HTTP)
        sl_metric_set_label(SL_METRIC_BREAKER_STATE, "rerank", SL_BREAKER_CLOSED);
    return sl_config_heads_open(engine->config, &engine->ending, &watch, &engine->heads, err);
}

void heads_reload(struct sl_engine *engine, const struct sl_config *config)
{
    struct sl_error err = {0};

    if (sl_config_rerank_renew(config, engine->heads.reranker, &err) != SL_OK)
        sl_log_error(SL_LOG_ERROR, "credential_kept", &err);
}
