/*
 * http_exchange.c -- what a request of ours may do, and what a response may do to us.
 *
 * The addresses are looked at when a socket is about to be opened, after the name was resolved: a
 * name that pointed to a good address a minute ago may point to the cloud's metadata service now.
 * Private addresses are not refused: an embedding server on the own network is the usual case, and
 * with TLS a wrong machine has not the certificate. Without TLS nothing leaves this machine,
 * whatever name was written.
 *
 * The size of the response is limited while it arrives, because Content-Length may be missing or
 * lie, and no compression is offered, so that a small response cannot become a large one. Names are
 * resolved in a thread of libcurl's that is left behind when time is up (QUICK_EXIT): waiting for
 * it would hold up everything else.
 *
 * Rejected: a list of allowed networks in the configuration (one more thing to get wrong; the
 * firewall of the unit file, IPAddressAllow=, does it better).
 */
#include "http_exchange.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define CONNECT_TIMEOUT_MS 5000L
#define LIFETIME_S         300L /* of a connection: names are looked up again now and then */
#define IDLE_S             60L
#define NAMES_S               1L /* a name is looked up for each new connection; the system caches */
#define STALL_BYTES_PER_S  64L
#define RETRY_AFTER_MS_MAX INT64_C(300000)

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void)
{
    SL_INVARIANT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void sl_http_begin(void)
{
    (void)pthread_once(&curl_once, curl_begin);
}

/* ------------------------------------------------------------------------------- addresses */

static bool is_loopback4(uint32_t host)
{
    return host >> 24 == 127;
}

static const char *refused4(uint32_t host)
{
    if (host >> 16 == 0xA9FE)
        return "a link-local address (169.254.0.0/16)";
    if (host >> 24 == 0)
        return "an unspecified address (0.0.0.0/8)";
    if (host >> 28 >= 0xE)
        return "a multicast, reserved or broadcast address";
    return NULL;
}

/* The IPv4 address inside: mapped (::ffff:a.b.c.d), compatible (::a.b.c.d) or translated
 * (64:ff9b::a.b.c.d). */
static bool inner4(const struct in6_addr *address, uint32_t *ret_host)
{
    static const uint8_t translated[12] = {0, 0x64, 0xFF, 0x9B};
    const uint8_t *b = address->s6_addr;

    if (!IN6_IS_ADDR_V4MAPPED(address) && !IN6_IS_ADDR_V4COMPAT(address) &&
        memcmp(b, translated, sizeof translated) != 0)
        return false;
    *ret_host = (uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 | b[15];
    return true;
}

static const char *refused6(const struct in6_addr *address)
{
    static const struct in6_addr metadata = {{{0xFD, 0, 0x0E, 0xC2, [14] = 0x02, [15] = 0x54}}};

    if (IN6_IS_ADDR_LINKLOCAL(address))
        return "a link-local address (fe80::/10)";
    if (IN6_IS_ADDR_UNSPECIFIED(address))
        return "the unspecified address (::)";
    if (IN6_IS_ADDR_MULTICAST(address))
        return "a multicast address";
    if (IN6_ARE_ADDR_EQUAL(address, &metadata))
        return "a cloud's metadata address";
    return NULL;
}

const char *sl_http_address_refused(const struct sockaddr *address, bool plain_http_anywhere)
{
    const char *refused = NULL;
    bool is_loopback = false;
    uint32_t host = 0;

    if (address->sa_family == AF_INET) {
        host = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
        refused = refused4(host);
        is_loopback = is_loopback4(host);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *six =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

        is_loopback = IN6_IS_ADDR_LOOPBACK(six);
        if (!is_loopback && inner4(six, &host)) {
            refused = refused4(host);
            is_loopback = is_loopback4(host);
        } else if (!is_loopback) {
            refused = refused6(six);
        }
    } else {
        return "neither an IPv4 nor an IPv6 address";
    }
    if (refused == NULL && !is_loopback && !plain_http_anywhere)
        refused = "another machine's address, and without TLS nothing is sent to one";
    return refused;
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct sl_http_exchange *exchange = context;
    const char *refused = sl_http_address_refused(&address->addr, exchange->plain_http_anywhere);

    (void)purpose;
    if (refused != NULL) {
        exchange->refused = refused;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ------------------------------------------------------------------------------- headers */

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

static struct curl_slist *add_bearer(struct curl_slist *list, const char *bearer)
{
    char *value = NULL;

    if (asprintf(&value, "Bearer %s", bearer) < 0) {
        curl_slist_free_all(list);
        return NULL;
    }
    list = add_header(list, "Authorization", value);
    explicit_bzero(value, strlen(value));
    free(value);
    return list;
}

static struct curl_slist *headers_of(const struct sl_http_post *request)
{
    struct curl_slist *list = add_header(NULL, "Content-Type", request->content_type);

    if (list != NULL)
        list = add_header(list, "Accept", "application/json");
    if (list != NULL) /* no wait for "100 Continue" */
        list = add_header(list, "Expect", "");
    if (list != NULL && request->bearer != NULL && request->bearer[0] != '\0')
        list = add_bearer(list, request->bearer);
    return list;
}

static void wipe_headers(struct curl_slist *list)
{
    for (struct curl_slist *item = list; item != NULL; item = item->next)
        explicit_bzero(item->data, strlen(item->data));
    curl_slist_free_all(list);
}

/* ------------------------------------------------------------------------------- the handle */

static size_t receive(char *data, size_t size, size_t count, void *context)
{
    struct sl_http_exchange *exchange = context;

    size *= count;
    if (size > exchange->response_end - exchange->response->size) {
        exchange->too_large = true;
        return 0;
    }
    sl_buffer_add(exchange->response, data, size);
    return exchange->response->failed ? 0 : size;
}

/* Called by curl about once a second while it waits. Not 0: end it. */
static int on_progress(void *context, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    const atomic_bool *cancelled = context;

    (void)down_total, (void)down, (void)up_total, (void)up;
    return atomic_load(cancelled);
}

static void set_guards(CURL *curl, struct sl_http_exchange *exchange)
{
    (void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    (void)curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(curl, CURLOPT_PROXY, "");
    (void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    (void)curl_easy_setopt(curl, CURLOPT_MAXLIFETIME_CONN, LIFETIME_S);
    (void)curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, IDLE_S);
    (void)curl_easy_setopt(curl, CURLOPT_DNS_CACHE_TIMEOUT, NAMES_S);
    (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    (void)curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, exchange);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
    (void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
}

static void set_times(CURL *curl, const struct sl_http_post *request)
{
    int64_t connect_ms =
        CONNECT_TIMEOUT_MS < request->timeout_ms ? CONNECT_TIMEOUT_MS : request->timeout_ms;

    (void)curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    (void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    if (request->stall_s > 0) {
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES_PER_S);
        (void)curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)request->stall_s);
    }
}

static void set_request(CURL *curl, const struct sl_http_post *request, struct curl_slist *headers)
{
    (void)curl_easy_setopt(curl, CURLOPT_URL, request->url);
    (void)curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(curl, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
    (void)curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.data);
    (void)curl_easy_setopt(curl, CURLOPT_USERAGENT, "sluice/" SLUICE_VERSION);
    if (request->ca_file != NULL && request->ca_file[0] != '\0')
        (void)curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file);
    if (request->cancelled != NULL) {
        (void)curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        (void)curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
        (void)curl_easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)request->cancelled);
    }
}

enum sl_err sl_http_exchange_init(struct sl_http_exchange *exchange,
                                  const struct sl_http_post *request, struct sl_buffer *response,
                                  struct sl_error *err)
{
    SL_PRE(request->timeout_ms > 0);
    sl_http_begin();
    *exchange = (struct sl_http_exchange){
        .response = response,
        .response_end = response->size + request->response_bytes_max,
        .plain_http_anywhere =
            request->allow_plain_http || strncasecmp(request->url, "https:", 6) == 0,
    };
    exchange->headers = headers_of(request);
    exchange->curl = exchange->headers != NULL ? curl_easy_init() : NULL;
    if (exchange->curl == NULL)
        return sl_fail(err, SL_AGAIN, "http_unavailable", "http: out of memory");
    set_guards(exchange->curl, exchange);
    set_times(exchange->curl, request);
    set_request(exchange->curl, request, exchange->headers);
    return SL_OK;
}

void sl_http_exchange_fini(struct sl_http_exchange *exchange)
{
    curl_easy_cleanup(exchange->curl);
    wipe_headers(exchange->headers);
    *exchange = (struct sl_http_exchange){0};
}

/* ------------------------------------------------------------------------------- the outcome */

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

/* libcurl 7.88 gives what was written, negative or beyond all measure, or the difference to a date.
 */
static int64_t retry_after_ms(CURL *curl)
{
    curl_off_t seconds = 0;

    if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0)
        return 0;
    return seconds > RETRY_AFTER_MS_MAX / 1000 ? RETRY_AFTER_MS_MAX : (int64_t)seconds * 1000;
}

static enum sl_err explain(const struct sl_http_exchange *exchange, CURLcode code,
                           struct sl_error *err)
{
    if (exchange->too_large)
        return sl_fail(err, SL_REJECT, "http_too_large",
                       "http: the response is longer than %zu bytes", exchange->response_end);
    if (exchange->refused != NULL && code == CURLE_COULDNT_CONNECT)
        return sl_fail(err, SL_REJECT, "http_failed", "http: the server's name leads to %s",
                       exchange->refused);
    return sl_fail(err, is_passing(code) ? SL_AGAIN : SL_REJECT,
                   is_passing(code) ? "http_unavailable" : "http_failed", "http: %s",
                   curl_easy_strerror(code));
}

enum sl_err sl_http_exchange_end(const struct sl_http_exchange *exchange, CURLcode code,
                                 struct sl_http_reply *ret_reply, struct sl_error *err)
{
    enum sl_err e;

    if (code != CURLE_OK) {
        e = explain(exchange, code, err);
        if (err != NULL)
            err->foreign_code = (int)code;
        return e;
    }
    *ret_reply = (struct sl_http_reply){.retry_after_ms = retry_after_ms(exchange->curl)};
    (void)curl_easy_getinfo(exchange->curl, CURLINFO_RESPONSE_CODE, &ret_reply->status);
    return SL_OK;
}
