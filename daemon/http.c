/*
 * http.c -- /metrics, /healthz, /readyz, /status.json and the page, by libmicrohttpd.
 *
 * One thread serves few and small requests; each answer is made whole in memory before it is sent, so that a slow
 * reader holds a buffer and nothing else. The library's own limits do the bounding: connections, memory of a request,
 * seconds of silence.
 */
#include "daemon/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/metrics.h"
#include "daemon/page.h"

#define CONNECTIONS_MAX     16u
#define CONNECTIONS_PER_IP  8u
#define TIMEOUT_S           5u
#define REQUEST_BYTES_MAX   8192u
#define REASON_BYTES_MAX    256u

struct sl_http {
    struct sl_status_source source;
    struct MHD_Daemon *server;
    uint16_t port;
};

/* A request's answer before it is handed to the library. */
struct reply {
    unsigned code;
    const char *type;
    struct sl_buffer body;
};

static void make_ready(const struct sl_http *http, struct reply *reply)
{
    char reason[REASON_BYTES_MAX] = "";

    if (http->source.ready(http->source.context, reason, sizeof reason)) {
        sl_buffer_view(&reply->body, SL_VIEW("ready\n"));
        return;
    }
    reply->code = MHD_HTTP_SERVICE_UNAVAILABLE;
    sl_buffer_format(&reply->body, "not ready: %s\n", reason);
}

static void make_reply(const struct sl_http *http, const char *path, struct reply *reply)
{
    reply->code = MHD_HTTP_OK;
    reply->type = "text/plain; charset=utf-8";
    if (strcmp(path, "/metrics") == 0) {
        reply->type = "text/plain; version=0.0.4; charset=utf-8";
        sl_metrics_render(&reply->body);
    } else if (strcmp(path, "/healthz") == 0) {
        sl_buffer_view(&reply->body, SL_VIEW("ok\n"));
    } else if (strcmp(path, "/readyz") == 0) {
        make_ready(http, reply);
    } else if (strcmp(path, "/status.json") == 0) {
        reply->type = "application/json";
        http->source.status_json(http->source.context, &reply->body);
        sl_buffer_view(&reply->body, SL_VIEW("\n"));
    } else if (strcmp(path, "/") == 0) {
        reply->type = "text/html; charset=utf-8";
        sl_buffer_view(&reply->body, sl_status_page());
    } else {
        reply->code = MHD_HTTP_NOT_FOUND;
        sl_buffer_view(&reply->body,
                       SL_VIEW("not here; allowed: / /metrics /healthz /readyz /status.json\n"));
    }
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, struct reply *reply)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    if (reply->body.failed) {
        sl_buffer_fini(&reply->body);
        return MHD_NO;
    }
    /* The library frees the body from here on. */
    response = MHD_create_response_from_buffer(reply->body.size, reply->body.data,
                                               MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        sl_buffer_fini(&reply->body);
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, reply->type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Content-Security-Policy", SL_STATUS_PAGE_POLICY);
    if (reply->code == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(connection, reply->code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *upload, size_t *upload_size, void **state)
{
    const struct sl_http *http = context;
    struct reply reply = {0};

    (void)version;
    (void)upload;
    (void)upload_size;
    (void)state;
    if (strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0) {
        make_reply(http, path, &reply);
    } else {
        reply.code = MHD_HTTP_METHOD_NOT_ALLOWED;
        reply.type = "text/plain; charset=utf-8";
        sl_buffer_view(&reply.body, SL_VIEW("allowed: GET, HEAD\n"));
    }
    return send_reply(connection, &reply);
}

/* ADDRESS:PORT, the address numeric, an IPv6 one in brackets. */
static bool address_parse(const char *listen, struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
    const char *colon = strrchr(listen, ':');
    char host[64];
    char *end;
    unsigned long port;
    size_t size;

    if (colon == NULL || colon[1] < '0' || colon[1] > '9')
        return false;
    port = strtoul(colon + 1, &end, 10);
    size = (size_t)(colon - listen);
    if (*end != '\0' || port > 65535 || size == 0 || size >= sizeof host)
        return false;
    memset(ret_address, 0, sizeof *ret_address);
    memcpy(host, listen, size);
    host[size] = '\0';
    if (host[0] == '[' && host[size - 1] == ']') {
        host[size - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1;
    }
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    return inet_pton(AF_INET, host, &v4->sin_addr) == 1;
}

static void quiet(void *context, const char *format, va_list arguments)
{
    (void)context;
    (void)format;
    (void)arguments;
}

/* A listening socket of our own: the library would set SO_REUSEPORT with SO_REUSEADDR, and then two daemons could
 * share a port without either noticing. Negative with errno set when it cannot be had. */
static int listener_open(const struct sockaddr_storage *address)
{
    socklen_t size = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                    : sizeof(struct sockaddr_in);
    int listener = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, saved;

    if (listener < 0)
        return -1;
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ss_family == AF_INET6)
        (void)setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(listener, (const struct sockaddr *)address, size) == 0 &&
        listen(listener, (int)CONNECTIONS_MAX) == 0)
        return listener;
    saved = errno;
    (void)close(listener);
    errno = saved;
    return -1;
}

static uint16_t port_of(int listener)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;

    if (getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

/* The library closes the listener when it stops; when it cannot start, the program ends. */
static struct MHD_Daemon *server_start(struct sl_http *http, int listener, bool v6)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC |
                     MHD_USE_ERROR_LOG | (v6 ? MHD_USE_IPv6 : 0u);

    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, quiet, NULL,
        MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_IP, MHD_OPTION_CONNECTION_TIMEOUT,
        TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES_MAX, MHD_OPTION_END);
}

enum sl_err sl_http_start(const char *listen, const struct sl_status_source *source,
                          struct sl_http **ret_http, struct sl_error *err)
{
    struct sockaddr_storage address;
    struct sl_http *http;
    int listener, saved;

    if (!address_parse(listen, &address))
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_config",
                       "[http] listen: '%s' is no address and port; allowed: 127.0.0.1:9464, "
                       "[::1]:9464", listen);
    http = calloc(1, sizeof *http);
    listener = http == NULL ? -1 : listener_open(&address);
    saved = errno;
    if (listener >= 0) {
        http->source = *source;
        http->port = port_of(listener);
        http->server = server_start(http, listener, address.ss_family == AF_INET6);
        saved = errno;
    }
    if (listener < 0 || http->server == NULL) {
        free(http);
        return sl_stop(err, SL_EXIT_OS, saved, "http_listen", "[http] listen = %s: %s", listen,
                       strerror(saved));
    }
    *ret_http = http;
    return SL_OK;
}

uint16_t sl_http_port(const struct sl_http *http)
{
    return http->port;
}

struct sl_http *sl_http_stop(struct sl_http *http)
{
    if (http == NULL)
        return NULL;
    MHD_stop_daemon(http->server);
    free(http);
    return NULL;
}
