/*
 * llm_client.c -- one chat request, one answer text.
 *
 * Only what every OpenAI-compatible server knows is sent: model, messages, temperature 0,
 * max_tokens. What comes back is not trusted: the strict JSON check of documents reads it, and
 * whoever asked checks the text.
 */
#include "llm_client.h"

#include <sluice/decode.h>
#include <sluice/json.h>

#include <cjson/cJSON.h>
#include <stdlib.h>

#include "http_client.h"

#define RESPONSE_BYTES_MAX (1u << 20)
#define MAX_TOKENS         512u
#define TIMEOUT_MS_MAX     INT64_C(600000)

struct llm {
    struct sl_generator generator;
    char *url;
    char *api_key; /* NULL: none */
    uint32_t max_tokens;
    size_t response_bytes_max;
    bool allow_plain_http;
    const struct sl_clock *clock;
    const atomic_bool *cancelled;
};

static void add_message(struct sl_buffer *body, const char *role, struct sl_view content)
{
    sl_buffer_view(body, SL_VIEW("{"));
    sl_json_name(body, "role");
    sl_json_string(body, sl_view_of(role));
    sl_json_name(body, "content");
    sl_json_string(body, content);
    sl_buffer_view(body, SL_VIEW("}"));
}

static void write_request(const struct llm *llm, struct sl_view system, struct sl_view user,
                          struct sl_buffer *body)
{
    sl_buffer_view(body, SL_VIEW("{"));
    sl_json_name(body, "model");
    sl_json_string(body, sl_view_of(llm->generator.model));
    sl_json_name(body, "messages");
    sl_buffer_view(body, SL_VIEW("["));
    add_message(body, "system", system);
    sl_buffer_view(body, SL_VIEW(", "));
    add_message(body, "user", user);
    sl_buffer_view(body, SL_VIEW("]"));
    sl_json_name(body, "temperature");
    sl_json_number(body, 0);
    sl_json_name(body, "max_tokens");
    sl_json_number(body, llm->max_tokens);
    sl_json_name(body, "stream");
    sl_buffer_view(body, SL_VIEW("false}"));
}

/* choices[0].message.content */
static enum sl_err read_response(struct sl_view body, struct sl_arena *arena,
                                 struct sl_view *ret_text, struct sl_error *err)
{
    struct sl_error why = {0};
    cJSON *root = NULL;
    const cJSON *content;

    if (sl_json_parse(body, &root, &why) != SL_OK)
        return sl_fail(err, SL_REJECT, "llm_broken", "chat: the response is not valid JSON (%s)",
                       why.reason);
    content = cJSON_GetObjectItemCaseSensitive(root, "choices");
    content = cJSON_GetArrayItem(content, 0);
    content = cJSON_GetObjectItemCaseSensitive(content, "message");
    content = cJSON_GetObjectItemCaseSensitive(content, "content");
    if (!cJSON_IsString(content)) {
        cJSON_Delete(root);
        return sl_fail(err, SL_REJECT, "llm_broken",
                       "chat: the response has no text at choices[0].message.content");
    }
    *ret_text = sl_arena_copy(arena, sl_view_of(content->valuestring));
    cJSON_Delete(root);
    if (ret_text->data == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "chat: no room for the response");
    return SL_OK;
}

static enum sl_err check_status(long status, struct sl_error *err)
{
    if (status == 200)
        return SL_OK;
    if (status == 408 || status == 429 || status >= 500)
        return sl_fail(err, SL_AGAIN, "llm_unavailable", "chat: the server said %ld", status);
    return sl_fail(err, SL_REJECT, "llm_rejected", "chat: the server said %ld%s", status,
                   status >= 300 && status < 400 ? "; redirects are not followed" : "");
}

static enum sl_err send_request(const struct llm *llm, struct sl_view body, int64_t timeout_ms,
                                struct sl_buffer *response, struct sl_error *err)
{
    struct sl_http_post request = {.url = llm->url,
                                   .bearer = llm->api_key,
                                   .content_type = "application/json",
                                   .body = body,
                                   .timeout_ms = timeout_ms,
                                   .response_bytes_max = llm->response_bytes_max,
                                   .allow_plain_http = llm->allow_plain_http,
                                   .cancelled = llm->cancelled};
    struct sl_error why = {0};
    struct sl_http_reply reply = {0};
    enum sl_err e = sl_http_send(&request, &reply, response, &why);

    if (e)
        return sl_fail(err, e, e == SL_AGAIN ? "llm_unavailable" : "llm_broken", "chat: %s",
                       why.message);
    return check_status(reply.status, err);
}

static enum sl_err generate(struct sl_generator *generator, struct sl_view system,
                            struct sl_view user, int64_t deadline_us, struct sl_arena *arena,
                            struct sl_view *ret_text, struct sl_error *err)
{
    const struct llm *llm = generator->context;
    int64_t left_ms = (deadline_us - llm->clock->monotonic_us(llm->clock->context)) / 1000;
    struct sl_buffer body = {0}, response = {0};
    enum sl_err e;

    if (left_ms <= 0)
        return sl_fail(err, SL_AGAIN, "llm_unavailable", "chat: no time left to ask");
    left_ms = left_ms < TIMEOUT_MS_MAX ? left_ms : TIMEOUT_MS_MAX;
    write_request(llm, system, user, &body);
    if (body.failed)
        e = sl_fail(err, SL_REJECT, "too_large", "chat: no room for the request");
    else
        e = send_request(llm, (struct sl_view){body.data, body.size}, left_ms, &response, err);
    if (!e)
        e = read_response((struct sl_view){response.data ? response.data : "", response.size},
                          arena, ret_text, err);
    sl_buffer_fini(&body);
    sl_buffer_fini(&response);
    return e;
}

enum sl_err sl_llm_open(const struct sl_llm_options *options, struct sl_generator **ret_generator,
                        struct sl_error *err)
{
    bool path_empty = false;
    struct llm *llm;
    enum sl_err e = sl_http_check_url(options->url, options->allow_plain_http, &path_empty, err);

    if (e || (e = sl_http_check_key(options->api_key, err)))
        return e;
    if (options->model == NULL || options->model[0] == '\0' ||
        strlen(options->model) >= sizeof llm->generator.model)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                       "chat: the model's name must have 1 to %zu bytes",
                       sizeof llm->generator.model - 1);
    llm = calloc(1, sizeof *llm);
    if (llm == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "chat: out of memory");
    llm->generator.generate = generate;
    llm->generator.context = llm;
    memcpy(llm->generator.model, options->model, strlen(options->model) + 1);
    llm->url =
        sl_http_whole_url(options->url, path_empty, "/v1/chat/completions", "/chat/completions");
    llm->api_key = options->api_key != NULL ? strdup(options->api_key) : NULL;
    llm->max_tokens = options->max_tokens ? options->max_tokens : MAX_TOKENS;
    llm->response_bytes_max =
        options->response_bytes_max ? options->response_bytes_max : RESPONSE_BYTES_MAX;
    llm->allow_plain_http = options->allow_plain_http;
    llm->clock = options->clock;
    llm->cancelled = options->cancelled;
    if (llm->url == NULL || (options->api_key != NULL && llm->api_key == NULL)) {
        (void)sl_llm_close(&llm->generator);
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "chat: out of memory");
    }
    *ret_generator = &llm->generator;
    return SL_OK;
}

struct sl_generator *sl_llm_close(struct sl_generator *generator)
{
    struct llm *llm;

    if (generator == NULL)
        return NULL;
    llm = generator->context;
    if (llm->api_key != NULL)
        explicit_bzero(llm->api_key, strlen(llm->api_key));
    free(llm->api_key);
    free(llm->url);
    free(llm);
    return NULL;
}
