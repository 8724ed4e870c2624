/* test_daemon_http.c -- pages, codes, methods and bounds, over a real socket on loopback. */
#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/http.h"
#include "daemon/metrics.h"

static bool caught_up;
static char answer[1 << 18];

static bool fake_ready(void *context, char *reason, size_t size)
{
    CHECK(context == &caught_up);
    (void)snprintf(reason, size, "docs/0 is 17 records behind");
    return caught_up;
}

static void fake_status(void *context, struct sl_buffer *out)
{
    CHECK(context == &caught_up);
    sl_buffer_view(out, SL_VIEW("{\"documents\": 63}"));
}

static const struct sl_status_source source = {fake_ready, fake_status, &caught_up, NULL, NULL};

static int dial(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {.tv_sec = 20};
    int socket_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(socket_fd, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(socket_fd);
        return -1;
    }
    return socket_fd;
}

/* Send bytes, read until the end. The whole answer, headers too, is in `answer`. */
static void exchange(uint16_t port, const char *bytes, size_t size)
{
    int socket_fd = dial(port);
    size_t got = 0;
    ssize_t more;

    answer[0] = '\0';
    if (socket_fd < 0)
        return;
    (void)send(socket_fd, bytes, size, MSG_NOSIGNAL);
    while ((more = recv(socket_fd, answer + got, sizeof answer - 1 - got, 0)) > 0)
        got += (size_t)more;
    answer[got] = '\0';
    (void)close(socket_fd);
}

static void request(uint16_t port, const char *method, const char *path)
{
    char bytes[512];
    int size = snprintf(bytes, sizeof bytes, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                        method, path);

    exchange(port, bytes, (size_t)size);
}

static bool code(int expected)
{
    char line[32];

    (void)snprintf(line, sizeof line, "HTTP/1.1 %d ", expected);
    return strncmp(answer, line, strlen(line)) == 0;
}

static struct sl_http *open_http(uint16_t *ret_port)
{
    struct sl_http *http = NULL;
    struct sl_error err = {0};

    CHECK_THAT(sl_http_start("127.0.0.1:0", &source, &http, &err) == SL_OK, "%s", err.message);
    *ret_port = http != NULL ? sl_http_port(http) : 0;
    return http;
}

TEST(pages_and_codes)
{
    uint16_t port;
    struct sl_http *http = open_http(&port);

    REQUIRE(http != NULL && port != 0);
    request(port, "GET", "/healthz");
    CHECK(code(200) && strstr(answer, "\r\n\r\nok\n") != NULL);
    caught_up = false;
    request(port, "GET", "/readyz");
    CHECK(code(503) && strstr(answer, "not ready: docs/0 is 17 records behind\n") != NULL);
    caught_up = true;
    request(port, "GET", "/readyz");
    CHECK(code(200) && strstr(answer, "\r\n\r\nready\n") != NULL);
    request(port, "GET", "/status.json");
    CHECK(code(200) && strstr(answer, "application/json") != NULL);
    CHECK(strstr(answer, "\r\n\r\n{\"documents\": 63}\n") != NULL);
    request(port, "GET", "/nothing");
    CHECK(code(404) && strstr(answer, "allowed: /") != NULL);
    sl_metric_add(SL_METRIC_EMBED_TOKENS, 5);
    request(port, "GET", "/metrics");
    CHECK(code(200) && strstr(answer, "text/plain; version=0.0.4") != NULL);
    CHECK(strstr(answer, "\nsluice_embed_tokens_total 5\n") != NULL);
    http = sl_http_stop(http);
    CHECK(http == NULL && dial(port) < 0);
    sl_metrics_reset();
}

TEST(reading_only)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"};
    uint16_t port;
    struct sl_http *http = open_http(&port);

    REQUIRE(http != NULL);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        request(port, methods[i], "/metrics");
        CHECK_THAT(code(405) && strstr(answer, "Allow: GET, HEAD") != NULL, "%s", methods[i]);
    }
    request(port, "HEAD", "/healthz");
    CHECK(code(200) && strstr(answer, "Content-Length: 3") != NULL && strstr(answer, "ok\n") == NULL);
    sl_http_stop(http);
}

TEST(the_page_needs_nobody_else)
{
    uint16_t port;
    struct sl_http *http = open_http(&port);

    REQUIRE(http != NULL);
    request(port, "GET", "/");
    CHECK(code(200) && strstr(answer, "text/html") != NULL && strstr(answer, "</html>") != NULL);
    CHECK(strstr(answer, "Content-Security-Policy: default-src 'none'") != NULL);
    CHECK(strstr(answer, "http://") == NULL && strstr(answer, "https://") == NULL);
    CHECK(strstr(answer, "innerHTML") == NULL);
    sl_http_stop(http);
}

TEST(rubbish_and_huge_requests_are_bounded)
{
    uint16_t port;
    struct sl_http *http = open_http(&port);
    char *huge = malloc(65536);

    REQUIRE(http != NULL && huge != NULL);
    memset(huge, 'a', 65536);
    memcpy(huge, "GET /", 5);
    exchange(port, huge, 65536);
    CHECK(!code(200));
    exchange(port, "\x16\x03\x01\x02\r\n\r\n", 8);
    CHECK(!code(200));
    request(port, "GET", "/healthz");
    CHECK(code(200));
    free(huge);
    sl_http_stop(http);
}

TEST(connections_are_bounded)
{
    uint16_t port;
    struct sl_http *http = open_http(&port);
    int held[20];

    REQUIRE(http != NULL);
    for (int i = 0; i < 20; i++) {
        held[i] = dial(port);
        CHECK(held[i] < 0 || send(held[i], "GET /he", 7, MSG_NOSIGNAL) >= -1);
    }
    request(port, "GET", "/healthz");
    CHECK(!code(200)); /* all places are taken by silent clients */
    for (int i = 0; i < 20; i++)
        if (held[i] >= 0)
            (void)close(held[i]);
    for (int i = 0; i < 100 && !code(200); i++) {
        (void)usleep(20000);
        request(port, "GET", "/healthz");
    }
    CHECK(code(200));
    sl_http_stop(http);
}

TEST(addresses)
{
    static const char *const wrong[] = {"9464", "x:1", "127.0.0.1:", "127.0.0.1:99999", ":1", "[::1:1",
                                        "::1:1", "127.0.0.1:1x", "127.0.0.1: 1"};
    struct sl_http *http = NULL, *second = NULL;
    struct sl_error err = {0};
    char listen[64];

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK_THAT(sl_http_start(wrong[i], &source, &http, &err) == SL_STOP, "%s", wrong[i]);
        CHECK(err.exit_code == SL_EXIT_CONFIG && http == NULL);
    }
    REQUIRE(sl_http_start("127.0.0.1:0", &source, &http, &err) == SL_OK);
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", sl_http_port(http));
    CHECK(sl_http_start(listen, &source, &second, &err) == SL_STOP && err.exit_code == SL_EXIT_OS);
    CHECK_THAT(strstr(err.message, listen) != NULL && strstr(err.message, "in use") != NULL, "%s", err.message);
    sl_http_stop(http);
    if (sl_http_start("[::1]:0", &source, &http, &err) == SL_OK)
        sl_http_stop(http);
}
