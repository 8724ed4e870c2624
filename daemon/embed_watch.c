/*
 * embed_watch.c -- what an embedding server does, as metrics, log lines and a trouble people see.
 */
#include "daemon/config_pipeline.h"
#include "daemon/engine_internal.h"
#include "daemon/log.h"

#define TEND_MS 200u

static void on_request(void *context, const char *status, uint32_t texts, double seconds)
{
    (void)context;
    sl_metric_add_label(SL_METRIC_EMBED_REQUESTS, status, 1);
    sl_metric_observe(SL_METRIC_EMBED_REQUEST_DURATION, seconds);
    sl_metric_observe(SL_METRIC_EMBED_BATCH_SIZE, texts);
}

static void on_tokens(void *context, uint64_t tokens)
{
    (void)context;
    sl_metric_add(SL_METRIC_EMBED_TOKENS, tokens);
}

static void on_breaker(void *context, enum sl_breaker_state state, const char *why)
{
    static const struct engine_server server = {SL_TROUBLE_EMBED, "embed", "embedding server",
                                                "Documents wait, questions are answered by words"};

    engine_breaker(context, &server, state, "embed_unavailable", why);
}

static void on_wait(void *context, const char *what, int64_t us)
{
    (void)context;
    sl_metric_add_seconds(SL_METRIC_EMBED_THROTTLE, what, (double)us / 1e6);
}

static void on_retry(void *context, const char *reason)
{
    (void)context;
    sl_metric_add_labels(SL_METRIC_RETRIES, "embed", reason, 1);
}

static enum sl_err open_here(struct sl_engine *engine, struct sl_error *err)
{
    enum sl_err r = sl_config_embedder(engine->config, &engine->embedder, err);

    if (r == SL_OK && engine->embedder != NULL)
        sl_log(SL_LOG_INFO, "model_ready", "%s: %s%s%s", engine->embedder->name,
               engine->embedder->about, engine->embedder->arithmetic[0] != '\0' ? ", " : "",
               engine->embedder->arithmetic);
    return r;
}

enum sl_err embed_open(struct sl_engine *engine, struct sl_error *err)
{
    struct sl_embed_watch watch = {.context = engine,
                                   .requested = on_request,
                                   .counted = on_tokens,
                                   .breaker = on_breaker,
                                   .waited = on_wait,
                                   .retried = on_retry};

    if (engine->config->embed.backend != SL_EMBED_BACKEND_HTTP)
        return open_here(engine, err);
    sl_metric_set_label(SL_METRIC_BREAKER_STATE, "embed", SL_BREAKER_CLOSED);
    return sl_config_embed_server(engine->config, &watch, &engine->ending, &engine->embedder, err);
}

void embed_reload(struct sl_engine *engine, const struct sl_config *config)
{
    struct sl_error err = {0};

    if (sl_config_embed_renew(config, engine->embedder, &err) != SL_OK)
        sl_log_error(SL_LOG_ERROR, "credential_kept", &err);
}

static void look(struct sl_engine *engine)
{
    const char *paused;

    sl_embed_tend(engine->embedder);
    paused = sl_embed_paused(engine->embedder);
    if (paused != NULL && strcmp(paused, "embed_budget") == 0)
        engine_trouble(engine, SL_TROUBLE_BUDGET, "", "embed_budget",
                       "the tokens that [embed] allows for a day are spent; documents wait for "
                       "midnight (UTC) or a "
                       "reload with more");
    else
        engine_trouble_over(engine, SL_TROUBLE_BUDGET, "");
    sl_metric_set(SL_METRIC_EMBED_TOKENS_TODAY, (double)sl_embed_tokens_today(engine->embedder));
}

/* Questions and documents may all have stopped asking: somebody has to see that the server is back.
 */
void *embed_tend_run(void *context)
{
    struct sl_engine *engine = context;
    struct sl_heartbeat *heartbeat = sl_heartbeat_open("tender", ENGINE_HEARTBEAT_MS * 5);

    while (!engine->ending) {
        sl_heartbeat_beat(heartbeat);
        look(engine);
        engine_sleep(engine, TEND_MS);
    }
    sl_heartbeat_close(heartbeat);
    return NULL;
}
