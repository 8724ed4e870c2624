/*
 * embed_client.c -- texts to a server, vectors back, whatever the server does meanwhile.
 *
 *     encode -> parts of at most batch_tokens -> endpoint (its turn, the breaker) -> pool -> read,
 * check, scale
 *
 * What a failure means is decided by what the server does with another text. Refused for its
 * content (400, 413, 422) or answered with nonsense, a text is only to blame when a harmless one is
 * served right after; when that fails too it is the server: the breaker opens, and documents wait.
 * A probe of an open breaker is that harmless text as well, for the batch at hand may be what the
 * server died of.
 *
 * Rejected: believing the status. A wrong model name, an expired key or a proxy's error page say
 * 400 and 200 too, and whole topics would end as dead letters. Known weakness: a server that serves
 * "a" and nothing else.
 */
#include "embed_client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sluice/hash.h>
#include <sluice/limits.h>

#include "api_key.h"
#include "embed/embedder_internal.h"
#include "embed_count.h"
#include "embed_wire.h"
#include "endpoint.h"
#include "http_pool.h"

#define ATTEMPTS_MAX     4u
#define BAD_ATTEMPTS_MAX 3u
#define TOGETHER_US      INT64_C(60000000) /* attempts of one call */
#define PATIENCE_US      INT64_C(30000000) /* waiting for a turn */
#define LIMIT_SLACK      7u / 8u /* of the token limit, for what the estimate is too low */

static const struct sl_view HARMLESS = {"a", 1};

struct client {
    struct sl_embedder base;         /* first: a struct sl_embedder * is a struct client * */
    struct sl_embed_options options; /* strings are this one's own */
    enum sl_embed_api api;
    char *url;
    struct sl_http_pool *pool;
    struct sl_endpoint *endpoint;
    struct sl_api_key key;
};

/* What became of one request. */
enum fate {
    SERVED = 0,
    REFUSED, /* for what the texts are */
    NONSENSE,
    FAILED, /* perhaps over the texts */
    AWAY,   /* not over the texts */
    HOPELESS
};

struct outcome {
    enum fate fate;
    char status[24]; /* for the metric */
    uint64_t tokens; /* 0: it does not say */
    int64_t retry_after_ms;
    struct sl_error why;
};

static const struct sl_embedder_ops http_ops;

static struct client *client_of(const struct sl_embedder *embedder)
{
    return (struct client *)(uintptr_t)embedder;
}

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct sl_view prefix_of(const struct client *client, enum sl_embed_role role)
{
    const char *prefix =
        role == SL_EMBED_QUESTION ? client->options.query_prefix : client->options.passage_prefix;

    return sl_view_of(prefix);
}

/* ------------------------------------------------------------------------------ one request */

static void set_fate(struct outcome *outcome, enum fate fate, const char *status,
                     const char *reason)
{
    outcome->fate = fate;
    (void)snprintf(outcome->status, sizeof outcome->status, "%s", status);
    (void)snprintf(outcome->why.reason, sizeof outcome->why.reason, "%s", reason);
}

/* There was no response. A connection that ends or hangs may be the text's doing. */
static void judge_transport(enum sl_err e, struct outcome *outcome)
{
    bool away = outcome->why.foreign_code == CURLE_COULDNT_CONNECT ||
                outcome->why.foreign_code == CURLE_COULDNT_RESOLVE_HOST;

    if (e == SL_REJECT && strcmp(outcome->why.reason, "http_too_large") == 0)
        set_fate(outcome, NONSENSE, "too_large", "bad_response");
    else if (e == SL_REJECT)
        set_fate(outcome, AWAY, "refused", "embed_unavailable");
    else if (away)
        set_fate(outcome, AWAY, "no_connection", "embed_unavailable");
    else
        set_fate(outcome, FAILED, "no_response", "embed_failed");
}

static void judge_status(long status, struct outcome *outcome)
{
    char word[24];

    (void)snprintf(word, sizeof word, "http_%ld", status);
    if (status == 400 || status == 413 || status == 422)
        set_fate(outcome, REFUSED, word, "embed_rejected");
    else if (status == 500)
        set_fate(outcome, FAILED, word, "embed_failed");
    else if (status == 408 || status == 429 || status > 500)
        set_fate(outcome, AWAY, word, "embed_unavailable");
    else
        set_fate(outcome, HOPELESS, word, "embed_unavailable");
    (void)snprintf(outcome->why.message, sizeof outcome->why.message,
                   "the embedding server said %ld%s", status,
                   status == 401 || status == 403  ? "; see [embed] api_key_credential"
                   : status == 404                 ? "; see [embed] url and model"
                   : status >= 300 && status < 400 ? "; redirects are not followed"
                                                   : "");
}

/* Over the pool. SL_OK: there is a response with some status. */
static enum sl_err post(struct client *client, struct sl_view body, uint32_t count, bool question,
                        struct sl_http_reply *ret_reply, struct sl_buffer *response,
                        struct sl_error *err)
{
    uint32_t timeout_ms =
        question ? client->options.question_timeout_ms : client->options.timeout_ms;
    char *key = sl_api_key_copy(&client->key);
    struct sl_http_post request = {
        .url = client->url,
        .bearer = key,
        .ca_file = client->options.ca_file,
        .content_type = "application/json",
        .body = body,
        .timeout_ms = timeout_ms,
        .stall_s = timeout_ms / 2000 > 0 ? timeout_ms / 2000 : 1,
        .response_bytes_max = sl_embed_wire_bytes_max(count, client->base.dim),
        .cancelled = client->options.cancelled,
    };
    enum sl_err e = sl_http_pool_send(client->pool, &request, ret_reply, response, err);

    sl_api_key_wipe(key);
    return e;
}

/* vectors NULL and dim 0: only *ret_dim is wanted. */
static void request(struct client *client, const struct sl_embed_batch *batch, bool question,
                    float *vectors, uint32_t *ret_dim, struct outcome *ret)
{
    struct sl_buffer body = {0}, response = {0};
    struct sl_http_reply reply = {0};
    const struct sl_embed_watch *watch = &client->options.watch;
    int64_t start = now_us();
    enum sl_err e;

    *ret = (struct outcome){0};
    sl_embed_wire_write(batch, &body);
    e = body.failed ? sl_fail(&ret->why, SL_AGAIN, "memory", "embedding: out of memory")
                    : post(client, (struct sl_view){body.data, body.size}, batch->count, question,
                           &reply, &response, &ret->why);
    ret->retry_after_ms = reply.retry_after_ms;
    if (e)
        judge_transport(e, ret);
    else if (reply.status != 200)
        judge_status(reply.status, ret);
    else if (sl_embed_wire_read(
                 client->api, (struct sl_view){response.data ? response.data : "", response.size},
                 batch->count, client->base.dim, vectors, ret_dim, &ret->tokens, &ret->why))
        set_fate(ret, NONSENSE, "bad_response", "bad_response");
    else
        set_fate(ret, SERVED, "ok", "");
    sl_buffer_fini(&body);
    sl_buffer_fini(&response);
    if (watch->requested != NULL)
        watch->requested(watch->context, ret->status, batch->count,
                         (double)(now_us() - start) / 1e6);
}

static struct sl_embed_batch batch_of(const struct client *client, enum sl_embed_role role,
                                      const struct sl_view *texts, uint32_t count)
{
    return (struct sl_embed_batch){
        .api = client->api,
        .model = client->options.model,
        .dimensions = client->options.asks_dim ? client->options.dim : 0,
        .prefix = prefix_of(client, role),
        .texts = texts,
        .count = count,
    };
}

/* ------------------------------------------------------------------------------ in turn */

static enum sl_endpoint_outcome concern_of(const struct outcome *outcome)
{
    switch (outcome->fate) {
    case SERVED:
    case REFUSED:
        return SL_ENDPOINT_SERVED;
    case HOPELESS:
        return SL_ENDPOINT_BROKEN;
    default:
        return SL_ENDPOINT_FAILED;
    }
}

static void leave(struct client *client, const struct sl_endpoint_ask *ask,
                  const struct outcome *outcome, enum sl_endpoint_outcome concern)
{
    bool busy = outcome->fate == AWAY && outcome->retry_after_ms > 0;
    uint64_t tokens = outcome->fate == SERVED ? outcome->tokens ? outcome->tokens : ask->tokens : 0;

    if (tokens > 0 && client->options.watch.counted != NULL)
        client->options.watch.counted(client->options.watch.context, tokens);
    sl_endpoint_leave(client->endpoint, ask, concern, tokens, busy ? outcome->retry_after_ms : 0,
                      outcome->why.message);
}

/* A text nobody can object to, the endpoint being entered. True: it was served. */
static bool send_harmless(struct client *client, const struct sl_endpoint_ask *ask, bool verdict)
{
    struct sl_embed_batch batch = batch_of(client, SL_EMBED_PASSAGE, &HARMLESS, 1);
    float *vector = calloc(client->base.dim, sizeof *vector);
    struct outcome outcome;

    SL_INVARIANT(vector != NULL);
    request(client, &batch, ask->urgent, vector, NULL, &outcome);
    free(vector);
    leave(client, ask, &outcome,
          outcome.fate == SERVED                                      ? SL_ENDPOINT_SERVED
          : verdict && outcome.fate != FAILED && outcome.fate != AWAY ? SL_ENDPOINT_BROKEN
                                                                      : SL_ENDPOINT_FAILED);
    return outcome.fate == SERVED;
}

/* Wait for a turn; when the server was away, see whether it is back. */
static enum sl_err enter(struct client *client, const struct sl_endpoint_ask *ask,
                         struct sl_error *err)
{
    bool probe = false;
    enum sl_err e;

    while (!(e = sl_endpoint_enter(client->endpoint, ask, &probe, err)) && probe)
        if (!send_harmless(client, ask, true))
            return sl_fail(err, SL_AGAIN, "embed_breaker", "the embedding server is still away");
    return e;
}

/* The server objects to these texts. Does it to others? */
static enum sl_err verdict(struct client *client, const struct outcome *outcome,
                           struct sl_error *err)
{
    struct sl_endpoint_ask ask = {.tokens = 1 + SL_EMBED_TOKENS_AROUND, .patience_us = PATIENCE_US};
    enum sl_err e = enter(client, &ask, err);

    if (e)
        return e;
    if (!send_harmless(client, &ask, true))
        return sl_fail(err, SL_AGAIN, "embed_unavailable", "%s, and to a harmless text too",
                       outcome->why.message);
    return sl_fail(err, SL_REJECT, outcome->why.reason, "%s", outcome->why.message);
}

static uint32_t attempts_of(const struct outcome *outcome, enum sl_embed_role role)
{
    if (role == SL_EMBED_QUESTION || outcome->fate == HOPELESS)
        return 1;
    return outcome->fate == NONSENSE ? BAD_ATTEMPTS_MAX : ATTEMPTS_MAX;
}

/* What a request that was not served comes to, when there are no more attempts. */
static enum sl_err conclude(struct client *client, enum sl_embed_role role, uint32_t count,
                            const struct outcome *outcome, struct sl_error *err)
{
    bool objects = outcome->fate == REFUSED || outcome->fate == NONSENSE;

    if (objects && role == SL_EMBED_PASSAGE && (count == 1 || outcome->fate == NONSENSE))
        return verdict(client, outcome, err);
    return sl_fail(err, objects && role == SL_EMBED_PASSAGE ? SL_REJECT : SL_AGAIN,
                   outcome->why.reason, "%s", outcome->why.message);
}

/* Texts that fit into one request. */
static enum sl_err encode_part(struct client *client, enum sl_embed_role role,
                               const struct sl_view *texts, uint32_t count, float *vectors,
                               struct sl_error *err)
{
    struct sl_embed_batch batch = batch_of(client, role, texts, count);
    bool question = role == SL_EMBED_QUESTION;
    struct sl_endpoint_ask ask = {.tokens = sl_embed_tokens(&client->base, role, texts, count),
                                  .urgent = question,
                                  .patience_us = PATIENCE_US};
    int64_t start = now_us();

    for (;;) {
        struct outcome outcome;
        enum sl_err e = enter(client, &ask, err);

        if (e)
            return e;
        request(client, &batch, question, vectors, NULL, &outcome);
        leave(client, &ask, &outcome, concern_of(&outcome));
        if (outcome.fate == SERVED)
            return SL_OK;
        if (outcome.fate == REFUSED || ++ask.attempt >= attempts_of(&outcome, role) ||
            now_us() - start > TOGETHER_US)
            return conclude(client, role, count, &outcome, err);
        ask.asked_us = outcome.retry_after_ms * 1000;
        if (client->options.watch.retried != NULL)
            client->options.watch.retried(client->options.watch.context, outcome.why.reason);
    }
}

/* How many of the texts, at least one, a request may hold. */
static uint32_t part_count(const struct client *client, enum sl_embed_role role,
                           const struct sl_view *texts, uint32_t count)
{
    uint64_t tokens = 0;
    uint32_t i = 0;

    if (client->options.batch_tokens == 0)
        return count;
    while (i < count) {
        tokens += sl_embed_tokens(&client->base, role, &texts[i], 1);
        if (i > 0 && tokens > client->options.batch_tokens)
            break;
        i++;
    }
    return i;
}

static enum sl_err encode(const struct sl_embedder *embedder, enum sl_embed_role role,
                          const struct sl_view *texts, uint32_t count, float *vectors,
                          struct sl_error *err)
{
    struct client *client = client_of(embedder);
    enum sl_err e = SL_OK;

    for (uint32_t done = 0, part; !e && done < count; done += part) {
        part = part_count(client, role, texts + done, count - done);
        e = encode_part(client, role, texts + done, part, vectors + (size_t)done * embedder->dim,
                        err);
    }
    return e;
}

/* ------------------------------------------------------------------------------ its other calls */

static uint32_t count_tokens(const struct sl_embedder *embedder, struct sl_view text)
{
    (void)embedder;
    return sl_embed_count(text);
}

/* Nobody here knows its vocabulary. Servers are asked for many languages. */
static double coverage(const struct sl_embedder *embedder, struct sl_view text)
{
    (void)embedder;
    (void)text;
    return 1;
}

bool sl_embed_is_remote(const struct sl_embedder *embedder)
{
    return embedder != NULL && embedder->ops == &http_ops;
}

const char *sl_embed_paused(const struct sl_embedder *embedder)
{
    const char *paused =
        sl_embed_is_remote(embedder) ? sl_endpoint_paused(client_of(embedder)->endpoint) : NULL;

    if (paused == NULL)
        return NULL;
    return strcmp(paused, "breaker") == 0 ? "embed_breaker" : "embed_budget";
}

bool sl_embed_is_away(const struct sl_error *err)
{
    static const char *const reasons[] = {"embed_unavailable", "embed_breaker", "embed_throttled",
                                          "embed_budget"};

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (strcmp(err->reason, reasons[i]) == 0)
            return true;
    return false;
}

void sl_embed_tend(const struct sl_embedder *embedder)
{
    struct sl_endpoint_ask ask = {.tokens = 1 + SL_EMBED_TOKENS_AROUND, .urgent = true};
    struct client *client = client_of(embedder);
    bool probe = false;

    if (!sl_embed_is_remote(embedder) || sl_endpoint_state(client->endpoint) == SL_BREAKER_CLOSED)
        return;
    if (sl_endpoint_enter(client->endpoint, &ask, &probe, NULL) == SL_OK)
        (void)send_harmless(client, &ask, true);
}

uint64_t sl_embed_tokens_today(const struct sl_embedder *embedder)
{
    return sl_embed_is_remote(embedder) ? sl_endpoint_tokens_today(client_of(embedder)->endpoint)
                                        : 0;
}

uint64_t sl_embed_tokens(const struct sl_embedder *embedder, enum sl_embed_role role,
                         const struct sl_view *texts, uint32_t count)
{
    uint64_t each = SL_EMBED_TOKENS_AROUND, tokens = 0;

    if (sl_embed_is_remote(embedder))
        each += sl_embed_count(prefix_of(client_of(embedder), role));
    for (uint32_t i = 0; i < count; i++)
        tokens += each + embedder->ops->count_tokens(embedder, texts[i]);
    return tokens;
}

enum sl_err sl_embed_renew(const struct sl_embedder *embedder, const char *api_key,
                           uint64_t tokens_max_per_day, struct sl_error *err)
{
    struct client *client = client_of(embedder);

    if (!sl_embed_is_remote(embedder))
        return SL_OK;
    sl_endpoint_set_tokens_max(client->endpoint, tokens_max_per_day);
    return api_key != NULL ? sl_api_key_replace(&client->key, api_key, err) : SL_OK;
}

/* ------------------------------------------------------------------------------ open, close */

static void close_client(struct sl_embedder *embedder)
{
    struct client *client = client_of(embedder);

    (void)sl_http_pool_close(client->pool);
    (void)sl_endpoint_close(client->endpoint);
    sl_api_key_fini(&client->key);
    free((void *)(uintptr_t)client->options.model);
    free((void *)(uintptr_t)client->options.ca_file);
    free((void *)(uintptr_t)client->options.query_prefix);
    free((void *)(uintptr_t)client->options.passage_prefix);
    free(client->url);
    free(client);
}

static const struct sl_embedder_ops http_ops = {
    .count_tokens = count_tokens, .coverage = coverage, .encode = encode, .close = close_client};

/* All that decides a vector, as far as it can be known from here. Not the address: servers move. */
static void set_fingerprint(struct client *client)
{
    struct sl_buffer text = {0};
    uint8_t digest[32];

    sl_buffer_format(&text, "http %s\n%s\n%u\n%s\n%s\n", sl_embed_api_name(client->api),
                     client->options.model, client->base.dim, client->options.query_prefix,
                     client->options.passage_prefix);
    SL_INVARIANT(!text.failed);
    sl_sha256((struct sl_view){text.data, text.size}, digest);
    sl_hex(digest, sizeof digest, client->base.fingerprint);
    sl_buffer_fini(&text);
}

/* The length of the server's vectors. */
static enum sl_err ask_dim(struct client *client, struct sl_error *err)
{
    struct sl_embed_batch batch = batch_of(client, SL_EMBED_PASSAGE, &HARMLESS, 1);
    struct outcome outcome;
    uint32_t dim = 0;

    if (client->base.dim > 0)
        return SL_OK;
    request(client, &batch, false, NULL, &dim, &outcome);
    if (outcome.fate != SERVED)
        return sl_stop(
            err, SL_EXIT_UNAVAILABLE, 0, "embed_unavailable",
            "[embed] url: the length of the server's vectors is not known, and it cannot be asked: "
            "%s. With [embed] dimensions the daemon starts all the same",
            outcome.why.message);
    client->base.dim = dim;
    return SL_OK;
}

static enum sl_err open_parts(struct client *client, const struct sl_embed_options *options,
                              struct sl_error *err)
{
    struct sl_endpoint_options endpoint = {
        .name = "embed",
        .requests_per_minute = options->requests_per_minute,
        .tokens_per_minute = options->tokens_per_minute,
        .tokens_max_per_day = options->tokens_max_per_day,
        .breaker_wait_ms = options->breaker_wait_ms,
        .probe_ms = options->timeout_ms,
        .cancelled = options->cancelled,
        .watch = {.context = options->watch.context,
                  .breaker = options->watch.breaker,
                  .waited = options->watch.waited},
    };
    /* two more than documents take: questions do not wait behind them */
    enum sl_err e = sl_http_pool_open(options->in_flight + 2, &client->pool, err);

    if (!e)
        e = sl_endpoint_open(&endpoint, &client->endpoint, err);
    if (!e)
        e = ask_dim(client, err);
    return e;
}

static bool copy_strings(struct client *client, const struct sl_embed_options *options,
                         bool path_empty)
{
    client->options = *options;
    client->url = sl_embed_api_url(client->api, options->url, path_empty);
    client->options.url = client->url;
    client->options.model = strdup(options->model);
    client->options.ca_file = strdup(options->ca_file ? options->ca_file : "");
    client->options.query_prefix = strdup(options->query_prefix ? options->query_prefix : "");
    client->options.passage_prefix = strdup(options->passage_prefix ? options->passage_prefix : "");
    client->options.api_key = NULL;
    return client->url && client->options.model && client->options.ca_file &&
           client->options.query_prefix && client->options.passage_prefix;
}

static void describe(struct client *client)
{
    uint32_t prefix = sl_embed_count(sl_view_of(client->options.passage_prefix));
    uint32_t limit = client->options.token_limit * LIMIT_SLACK;
    char kind[32];

    client->base.token_limit =
        limit > prefix + SL_EMBED_TOKENS_AROUND + 2 ? limit - prefix - SL_EMBED_TOKENS_AROUND : 2;
    (void)snprintf(client->base.name, sizeof client->base.name, "%s", client->options.model);
    (void)snprintf(kind, sizeof kind, "%s server", sl_embed_api_name(client->api));
    sl_embedder_set_about(&client->base, kind, client->options.query_prefix,
                          client->options.passage_prefix);
    set_fingerprint(client);
}

enum sl_err sl_embed_open(const struct sl_embed_options *options, struct sl_embedder **ret_embedder,
                          struct sl_error *err)
{
    bool path_empty = false;
    struct client *client;
    enum sl_err e = sl_http_check_url(options->url, false, &path_empty, err);

    if (e)
        return e;
    if (strlen(options->model) >= sizeof client->base.name)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "[embed] model: the name has more than %zu bytes",
                       sizeof client->base.name - 1);
    client = calloc(1, sizeof *client);
    if (client == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "embedding: out of memory");
    e = sl_api_key_init(&client->key, options->api_key, err);
    client->base = (struct sl_embedder){.ops = &http_ops, .dim = options->dim};
    client->api = sl_embed_api_of(options->api, options->url);
    if (!e && !copy_strings(client, options, path_empty))
        e = sl_stop(err, SL_EXIT_OS, 0, "memory", "embedding: out of memory");
    if (!e)
        e = open_parts(client, options, err);
    if (e) {
        close_client(&client->base);
        return e;
    }
    describe(client);
    *ret_embedder = &client->base;
    return SL_OK;
}
