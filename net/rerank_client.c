/*
 * rerank_client.c -- one question and its passages to a server, a score for each back.
 *
 *     tei                      {"query", "texts", "truncate"}              -> [{"index", "score"}]
 *     jina, cohere, llamacpp   {"model", "query", "documents", "top_n"}    -> {"results": [{"index", "relevance_score"}]}
 *
 * Servers sort by score and say which passage each is by its index; what comes back is believed only when every
 * passage has exactly one finite score. Connections are kept open: each question asks. Nothing is tried twice and
 * nothing waits for its turn, for a question waits; the order it has already is good enough.
 *
 * A server that hangs costs a few questions the time they have for this, then the breaker (endpoint.h) is open and
 * they cost nothing; now and then one question finds out whether it is back. That one asks what it has to ask: a
 * harmless probe, as for embedding, would say of a server that is merely too slow that all is well. Few failures open
 * the breaker, for each was a question that waited in vain. One that comes with next to no time is not sent: nobody
 * could tell a slow server by it.
 */
#include "rerank_client.h"

#include <sluice/decode.h>
#include <sluice/json.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_key.h"
#include "endpoint.h"
#include "http_pool.h"

#define RESPONSE_BYTES_MAX (1u << 20)
#define CONNECTIONS        8u
#define FAILED_IN_ROW_MAX  3u
#define BREAKER_WAIT_MS    5000u
#define PROBE_MS           60000u /* [retrieve] rerank_deadline_ms at most */

struct client {
    struct sl_reranker base; /* first */
    struct sl_http_pool *pool;
    struct sl_endpoint *endpoint;
    struct sl_api_key key;
    bool tei;
    char *url, *model, *ca_file; /* NULL: none */
    int64_t time_min_ms;
    size_t response_bytes_max;
    bool allow_plain_http;
    const atomic_bool *cancelled;
};

static struct client *of(const struct sl_reranker *reranker)
{
    return (struct client *)(uintptr_t)reranker;
}

/* ---------------------------------------------------------------------------------- request */

static void write_request(const struct client *client, struct sl_view question,
                          const struct sl_view *passages, uint32_t count, struct sl_buffer *body)
{
    sl_buffer_view(body, SL_VIEW("{"));
    if (client->model != NULL) {
        sl_json_name(body, "model");
        sl_json_string(body, sl_view_of(client->model));
    }
    sl_json_name(body, "query");
    sl_json_string(body, question);
    sl_json_name(body, client->tei ? "texts" : "documents");
    sl_buffer_view(body, SL_VIEW("["));
    for (uint32_t i = 0; i < count; i++) {
        sl_buffer_view(body, i > 0 ? SL_VIEW(", ") : SL_VIEW(""));
        sl_json_string(body, passages[i]);
    }
    sl_buffer_view(body, SL_VIEW("]"));
    if (client->tei) {
        sl_json_name(body, "truncate");
        sl_buffer_view(body, SL_VIEW("true"));
    } else {
        sl_json_name(body, "top_n");
        sl_json_number(body, count);
    }
    sl_buffer_view(body, SL_VIEW("}"));
}

/* --------------------------------------------------------------------------------- response */

static enum sl_err broken(struct sl_error *err, const char *why)
{
    return sl_fail(err, SL_REJECT, "rerank_broken", "rerank: the server's response %s", why);
}

/* NAN marks a passage that has no score yet. */
static enum sl_err read_scores(const struct client *client, const cJSON *root, uint32_t count,
                               float *scores, struct sl_error *err)
{
    const cJSON *list = client->tei ? root : cJSON_GetObjectItemCaseSensitive(root, "results"), *item;

    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != (int)count)
        return broken(err, "has not one entry for each passage");
    for (uint32_t i = 0; i < count; i++)
        scores[i] = NAN;
    cJSON_ArrayForEach(item, list)
    {
        const cJSON *index = cJSON_GetObjectItemCaseSensitive(item, "index");
        const cJSON *score =
            cJSON_GetObjectItemCaseSensitive(item, client->tei ? "score" : "relevance_score");
        if (!cJSON_IsNumber(index) || !cJSON_IsNumber(score))
            return broken(err, "has an entry without index or score");
        if (!(index->valuedouble >= 0 && index->valuedouble < count) ||
            index->valuedouble != floor(index->valuedouble))
            return broken(err, "names a passage that was not sent");
        if (!isnan(scores[(uint32_t)index->valuedouble]))
            return broken(err, "names a passage twice");
        if (!isfinite((float)score->valuedouble))
            return broken(err, "has a score that is no number");
        scores[(uint32_t)index->valuedouble] = (float)score->valuedouble;
    }
    return SL_OK;
}

static enum sl_err read_response(const struct client *client, const struct sl_buffer *response,
                                 uint32_t count, float *scores, struct sl_error *err)
{
    struct sl_error why = {0};
    cJSON *root = NULL;
    enum sl_err e;

    if (sl_json_parse((struct sl_view){response->data ? response->data : "", response->size}, &root,
                      &why) != SL_OK)
        return broken(err, "is not valid JSON");
    e = read_scores(client, root, count, scores, err);
    cJSON_Delete(root);
    return e;
}

static enum sl_err check_status(long status, struct sl_error *err)
{
    if (status == 200)
        return SL_OK;
    if (status == 408 || status == 429 || status >= 500)
        return sl_fail(err, SL_AGAIN, "rerank_unavailable", "rerank: the server said %ld", status);
    return sl_fail(err, SL_REJECT, "rerank_rejected", "rerank: the server said %ld%s", status,
                   status >= 300 && status < 400 ? "; redirects are not followed" : "");
}

/* ------------------------------------------------------------------------------------ asking */

static enum sl_err send_request(struct client *client, const struct sl_buffer *body, int64_t timeout_ms,
                                struct sl_http_reply *ret_reply, struct sl_buffer *response,
                                struct sl_error *err)
{
    char *key = sl_api_key_copy(&client->key);
    struct sl_http_post request = {.url = client->url,
                                   .bearer = key,
                                   .ca_file = client->ca_file,
                                   .content_type = "application/json",
                                   .body = {body->data, body->size},
                                   .timeout_ms = timeout_ms,
                                   .allow_plain_http = client->allow_plain_http,
                                   .response_bytes_max = client->response_bytes_max,
                                   .cancelled = client->cancelled};
    struct sl_error why = {0};
    enum sl_err e = sl_http_pool_send(client->pool, &request, ret_reply, response, &why);

    sl_api_key_wipe(key);
    if (e)
        return sl_fail(err, e, e == SL_AGAIN ? "rerank_unavailable" : "rerank_broken", "rerank: %s",
                       why.message);
    return check_status(ret_reply->status, err);
}

/* The server's concern. A request it objects to says nothing about the next. */
static enum sl_endpoint_outcome concern_of(enum sl_err e, long status)
{
    if (e == SL_OK || status == 400 || status == 413 || status == 422)
        return SL_ENDPOINT_SERVED;
    return e == SL_AGAIN || status == 200 || status == 0 ? SL_ENDPOINT_FAILED : SL_ENDPOINT_BROKEN;
}

/* One request, the endpoint being entered. */
static enum sl_err ask_server(struct client *client, const struct sl_endpoint_ask *ask,
                              const struct sl_buffer *body, int64_t timeout_ms, uint32_t count, float *scores,
                              struct sl_error *err)
{
    struct sl_buffer response = {0};
    struct sl_http_reply reply = {0};
    struct sl_error why = {0};
    enum sl_err e = send_request(client, body, timeout_ms, &reply, &response, &why);

    if (!e)
        e = read_response(client, &response, count, scores, &why);
    sl_endpoint_leave(client->endpoint, ask, concern_of(e, reply.status), 0,
                      e == SL_AGAIN ? reply.retry_after_ms : 0, why.message);
    sl_buffer_fini(&response);
    return e ? sl_fail(err, e, why.reason, "%s", why.message) : SL_OK;
}

static enum sl_err score(const struct sl_reranker *reranker, struct sl_view question,
                         const struct sl_view *passages, uint32_t count,
                         const struct sl_time_limit *limit, float *scores, uint32_t *ret_scored,
                         struct sl_error *err)
{
    struct client *client = of(reranker);
    int64_t left_ms = (limit->deadline_us - limit->monotonic_us(limit->context)) / 1000;
    struct sl_endpoint_ask ask = {.urgent = true};
    struct sl_buffer body = {0};
    bool probe;
    enum sl_err e;

    *ret_scored = 0;
    if (left_ms < client->time_min_ms)
        return sl_fail(err, SL_AGAIN, "rerank_late", "rerank: no time left to ask");
    write_request(client, question, passages, count, &body);
    e = body.failed ? sl_fail(err, SL_REJECT, "too_large", "rerank: no room for the request")
                    : sl_endpoint_enter(client->endpoint, &ask, &probe, err);
    if (!e)
        e = ask_server(client, &ask, &body, left_ms, count, scores, err);
    *ret_scored = e ? 0 : count;
    sl_buffer_fini(&body);
    return e;
}

/* ----------------------------------------------------------------------------------- opening */

static void close_client(struct sl_reranker *reranker)
{
    struct client *client = of(reranker);

    client->pool = sl_http_pool_close(client->pool);
    client->endpoint = sl_endpoint_close(client->endpoint);
    sl_api_key_fini(&client->key);
    free(client->url);
    free(client->model);
    free(client->ca_file);
    free(client);
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);

    return size >= tail && strcmp(text + size - tail, end) == 0;
}

/* TEI's path has no version in it; all others' do. */
static enum sl_err choose_api(const char *api, const char *url, bool *ret_tei, const char **ret_path,
                              struct sl_error *err)
{
    if (api == NULL || strcmp(api, "auto") == 0)
        api = ends_with(url, "/v2/rerank")  ? "cohere"
              : strstr(url, "/v1") != NULL ? "jina"
                                            : "tei";
    *ret_tei = strcmp(api, "tei") == 0;
    *ret_path = *ret_tei ? "/rerank" : strcmp(api, "cohere") == 0 ? "/v2/rerank" : "/v1/rerank";
    if (*ret_tei || strcmp(api, "cohere") == 0 || strcmp(api, "jina") == 0 ||
        strcmp(api, "llamacpp") == 0)
        return SL_OK;
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config",
                   "[retrieve] rerank_api = %s: allowed are auto, tei, jina, cohere, llamacpp", api);
}

static bool copy_text(const char *text, char **ret)
{
    if (text == NULL || text[0] == '\0')
        return true;
    *ret = strdup(text);
    return *ret != NULL;
}

static const struct sl_reranker_ops http_ops = {.score = score, .close = close_client};

bool sl_rerank_is_remote(const struct sl_reranker *reranker)
{
    return reranker != NULL && reranker->ops == &http_ops;
}

enum sl_err sl_rerank_renew(const struct sl_reranker *reranker, const char *api_key, struct sl_error *err)
{
    if (!sl_rerank_is_remote(reranker) || api_key == NULL)
        return SL_OK;
    return sl_api_key_replace(&of(reranker)->key, api_key, err);
}

static enum sl_err open_parts(struct client *client, const struct sl_rerank_options *options,
                              struct sl_error *err)
{
    struct sl_endpoint_options endpoint = {
        .name = "rerank",
        .breaker_wait_ms = options->breaker_wait_ms ? options->breaker_wait_ms : BREAKER_WAIT_MS,
        .failed_in_row_max = FAILED_IN_ROW_MAX,
        .probe_ms = PROBE_MS,
        .cancelled = options->cancelled,
        .watch = options->watch};
    enum sl_err e = sl_endpoint_open(&endpoint, &client->endpoint, err);

    return e ? e : sl_http_pool_open(CONNECTIONS, &client->pool, err);
}

enum sl_err sl_rerank_client_open(const struct sl_rerank_options *options, struct sl_reranker **ret_reranker,
                                  struct sl_error *err)
{
    bool path_empty = false, tei = false;
    const char *path = NULL;
    struct client *client;
    enum sl_err e = sl_http_check_url(options->url, options->allow_plain_http, &path_empty, err);

    if (e || (e = choose_api(options->api, options->url, &tei, &path, err)))
        return e;
    if (!tei && (options->model == NULL || options->model[0] == '\0'))
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config",
                       "[retrieve] rerank_model: this server needs the model's name");
    client = calloc(1, sizeof *client);
    if (client == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "rerank: out of memory");
    e = sl_api_key_init(&client->key, options->api_key, err);
    client->base.ops = &http_ops;
    client->tei = tei;
    client->time_min_ms = options->time_min_ms > 0 ? options->time_min_ms : 1;
    client->allow_plain_http = options->allow_plain_http;
    client->cancelled = options->cancelled;
    client->response_bytes_max =
        options->response_bytes_max ? options->response_bytes_max : RESPONSE_BYTES_MAX;
    (void)snprintf(client->base.name, sizeof client->base.name, "%s",
                   options->model != NULL && options->model[0] != '\0' ? options->model : "rerank");
    client->url = sl_http_whole_url(options->url, path_empty, path, "/rerank");
    if (!e && (client->url == NULL || !copy_text(options->model, &client->model) ||
               !copy_text(options->ca_file, &client->ca_file)))
        e = sl_stop(err, SL_EXIT_OS, 0, "memory", "rerank: out of memory");
    if (!e)
        e = open_parts(client, options, err);
    if (e) {
        close_client(&client->base);
        return e;
    }
    *ret_reranker = &client->base;
    return SL_OK;
}
