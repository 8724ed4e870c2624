/*
 * http_client.c -- one POST through libcurl.
 *
 * A handle per request: what is sent takes seconds to answer, a connection kept open would save
 * milliseconds, and handles shared by threads need locks. The size of the answer is limited while it
 * arrives, because Content-Length may be missing or lie.
 */
#include "http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#define CONNECT_TIMEOUT_MS 5000L

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void)
{
    SL_INVARIANT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

struct receiver {
    struct sl_buffer *buffer;
    size_t limit;
    bool too_large;
};

static size_t receive(char *data, size_t size, size_t count, void *context)
{
    struct receiver *r = context;

    size *= count;
    if (size > r->limit - r->buffer->size) {
        r->too_large = true;
        return 0;
    }
    sl_buffer_add(r->buffer, data, size);
    return r->buffer->failed ? 0 : size;
}

/* ---------------------------------------------------------------------------------------- URLs */

static bool is_loopback(const char *host)
{
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

static char *part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL;

    return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

static enum sl_err check_parts(CURLU *url, bool allow_plain_http, struct sl_error *err)
{
    char *scheme = part_of(url, CURLUPART_SCHEME), *host = part_of(url, CURLUPART_HOST);
    char *user = part_of(url, CURLUPART_USER);
    const char *wrong = NULL;

    if (scheme == NULL || (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0))
        wrong = "must begin with https:// (or http:// for this machine)";
    else if (host == NULL || host[0] == '\0')
        wrong = "names no host";
    else if (user != NULL)
        wrong = "must not hold a name or password; use api_key_credential";
    else if (strcmp(scheme, "http") == 0 && !allow_plain_http && !is_loopback(host))
        wrong = "must be https unless the host is this machine (localhost, 127.0.0.1, [::1])";
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    if (wrong != NULL)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_url", "url: %s", wrong);
    return SL_OK;
}

enum sl_err sl_http_check_url(const char *url, bool allow_plain_http, bool *ret_path_empty,
                              struct sl_error *err)
{
    CURLU *parsed;
    char *path;
    enum sl_err e;

    (void)pthread_once(&curl_once, curl_begin);
    parsed = curl_url();
    if (parsed == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "url: out of memory");
    if (curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
        curl_url_cleanup(parsed);
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_url",
                       "url: cannot be read as one; expected https://host[:port]/path");
    }
    e = check_parts(parsed, allow_plain_http, err);
    path = part_of(parsed, CURLUPART_PATH);
    *ret_path_empty = path == NULL || strcmp(path, "/") == 0 || path[0] == '\0';
    curl_free(path);
    curl_url_cleanup(parsed);
    return e;
}

/* --------------------------------------------------------------------------------------- sending */

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
    struct curl_slist *longer = NULL;
    char *line = NULL;

    if (asprintf(&line, "%s: %s", name, value) >= 0) {
        longer = curl_slist_append(list, line);
        explicit_bzero(line, strlen(line));
        free(line);
    }
    if (longer == NULL)
        curl_slist_free_all(list);
    return longer;
}

static struct curl_slist *headers_of(const struct sl_http_post *request)
{
    struct curl_slist *list = add_header(NULL, "Content-Type", request->content_type);

    if (list != NULL)
        list = add_header(list, "Accept", "application/json");
    if (list != NULL) /* no wait for "100 Continue" */
        list = curl_slist_append(list, "Expect:");
    if (list != NULL && request->bearer != NULL && request->bearer[0] != '\0') {
        char *value = NULL;
        if (asprintf(&value, "Bearer %s", request->bearer) < 0) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = add_header(list, "Authorization", value);
        explicit_bzero(value, strlen(value));
        free(value);
    }
    return list;
}

static void wipe_headers(struct curl_slist *list)
{
    for (struct curl_slist *item = list; item != NULL; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    curl_slist_free_all(list);
}

/* Called by curl about once a second while it waits. Not 0: end it. */
static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const atomic_bool *cancelled = context;

    (void)down_total, (void)down, (void)up_total, (void)up;
    return atomic_load(cancelled);
}

static void set_options(CURL *curl, const struct sl_http_post *request, struct curl_slist *headers,
                        struct receiver *receiver)
{
    (void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, receiver);
    if (request->cancelled != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)request->cancelled);
    }
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
}

static bool is_passing(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_ABORTED_BY_CALLBACK:
        return true;
    default:
        return false;
    }
}

static enum sl_err perform(CURL *curl, const struct receiver *receiver, long *ret_status,
                           struct sl_error *err)
{
    CURLcode code = curl_easy_perform(curl);
    enum sl_err e = SL_OK;

    if (receiver->too_large)
        e = sl_fail(err, SL_REJECT, "http_too_large", "http: the response is longer than %zu bytes",
                    receiver->limit);
    else if (code != CURLE_OK)
        e = sl_fail(err, is_passing(code) ? SL_AGAIN : SL_REJECT,
                    is_passing(code) ? "http_unavailable" : "http_failed", "http: %s",
                    curl_easy_strerror(code));
    if (e && err != NULL)
        err->foreign_code = (int)code;
    if (!e)
        (void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    return e;
}

enum sl_err sl_http_send(const struct sl_http_post *request, long *ret_status,
                         struct sl_buffer *response, struct sl_error *err)
{
    struct receiver receiver = {response, response->size + request->response_bytes_max, false};
    struct curl_slist *headers;
    CURL *curl;
    enum sl_err e;

    SL_PRE(request->timeout_ms > 0);
    (void)pthread_once(&curl_once, curl_begin);
    headers = headers_of(request);
    curl = headers != NULL ? curl_easy_init() : NULL;
    if (curl == NULL) {
        wipe_headers(headers);
        return sl_fail(err, SL_AGAIN, "http_unavailable", "http: out of memory");
    }
    set_options(curl, request, headers, &receiver);
    e = perform(curl, &receiver, ret_status, err);
    curl_easy_cleanup(curl);
    wipe_headers(headers);
    return e;
}
