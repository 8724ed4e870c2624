/*
 * http_client.c -- one POST through libcurl.
 *
 * A handle per request: what is sent takes seconds to answer, a connection kept open would save
 * milliseconds. Who asks all the time uses http_pool.h. The guards are in http_exchange.c.
 */
#include "http_client.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#include "http_exchange.h"

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

    sl_http_begin();
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

static bool ends_with(struct sl_view text, struct sl_view end)
{
    return text.size >= end.size &&
           memcmp(text.data + text.size - end.size, end.data, end.size) == 0;
}

char *sl_http_whole_url(const char *url, bool path_empty, const char *from_root,
                        const char *from_base)
{
    bool is_whole = strchr(url, '?') != NULL; /* with its own parameters: not touched */
    struct sl_view base = sl_view_of(url);
    struct sl_buffer whole = {0};

    while (!is_whole && ends_with(base, SL_VIEW("/")))
        base.size--;
    sl_buffer_view(&whole, base);
    if (!is_whole && path_empty)
        sl_buffer_view(&whole, sl_view_of(from_root));
    else if (!is_whole && !ends_with(base, sl_view_of(from_base)))
        sl_buffer_view(&whole, sl_view_of(from_base));
    if (whole.failed) {
        sl_buffer_fini(&whole);
        return NULL;
    }
    return whole.data;
}

enum sl_err sl_http_check_key(const char *key, struct sl_error *err)
{
    for (const char *c = key; c != NULL && *c != '\0'; c++)
        if (*c <= ' ' || *c > '~')
            return sl_stop(err, SL_EXIT_CONFIG, 0, "credential",
                           "the server's key has a line break, a space or another character that "
                           "no header may hold; allowed: visible ASCII");
    return SL_OK;
}

/* --------------------------------------------------------------------------------------- sending
 */

enum sl_err sl_http_send(const struct sl_http_post *request, struct sl_http_reply *ret_reply,
                         struct sl_buffer *response, struct sl_error *err)
{
    struct sl_http_exchange exchange;
    enum sl_err e = sl_http_exchange_init(&exchange, request, response, err);

    if (!e)
        e = sl_http_exchange_end(&exchange, curl_easy_perform(exchange.curl), ret_reply, err);
    sl_http_exchange_fini(&exchange);
    return e;
}
