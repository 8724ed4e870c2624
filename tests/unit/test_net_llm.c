/*
 * test_net_llm.c -- the chat client against a scripted server: good, slow, broken, huge, redirecting and lying.
 * The server is a thread with a socket on the loopback interface; it plays one script per connection.
 */
#include <net/llm_client.h>
#include <pthread.h>
#include <sluice/error.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../support/test.h"
#include "../support/test_server.h"

enum script { GOOD, SLOW, SILENT, BROKEN_JSON, NO_CONTENT, HUGE, HUGE_LIE, REDIRECT, BUSY, DENIED, CUT };

struct server {
    int listener;
    uint16_t port;
    enum script script;
    pthread_t thread;
    char request[16384];
    int connections;
};

static void send_body(int peer, const char *status, const char *headers, const char *body)
{
    char head[512];

    (void)snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n%s\r\n",
                   status, strlen(body), headers);
    (void)test_send_text(peer, head);
    (void)test_send_text(peer, body);
}

static void send_huge(int peer, bool lie)
{
    static char block[65536];

    memset(block, ' ', sizeof block - 1);
    (void)test_send_text(peer, "HTTP/1.1 200 OK\r\nConnection: close\r\n");
    (void)test_send_text(peer, lie ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 1073741824\r\n\r\n");
    for (int i = 0; i < 64; i++) { /* 4 MiB, four times what is allowed */
        if (lie)
            (void)test_send_text(peer, "ffff\r\n");
        (void)test_send_text(peer, block);
        if (lie)
            (void)test_send_text(peer, "\r\n");
    }
}

static void play(struct server *server, int peer)
{
    static const char good[] =
        "{\"choices\": [{\"message\": {\"role\": \"assistant\", \"content\": \"hi \\u00e9\"}}]}";

    char byte[1];

    switch (server->script) {
    case GOOD:
        send_body(peer, "200 OK", "", good);
        break;
    case SLOW:
        for (int i = 0; i < 100; i++) { /* a byte now and then: no silence, and no end */
            if (!test_send_text(peer, i == 0 ? "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" : " "))
                break;
            (void)usleep(50000);
        }
        break;
    case SILENT:
        (void)recv(peer, byte, sizeof byte, 0); /* until the client gives up */
        break;
    case BROKEN_JSON:
        send_body(peer, "200 OK", "", "{\"choices\": [{\"message\": {\"content\": \"hi\"}");
        break;
    case NO_CONTENT:
        send_body(peer, "200 OK", "", "{\"choices\": [{\"message\": {\"content\": null}}]}");
        break;
    case HUGE:
    case HUGE_LIE:
        send_huge(peer, server->script == HUGE_LIE);
        break;
    case REDIRECT:
        send_body(peer, "302 Found", "Location: http://127.0.0.1:1/elsewhere\r\n", "");
        break;
    case BUSY:
        send_body(peer, "503 Service Unavailable", "", "later");
        break;
    case DENIED:
        send_body(peer, "401 Unauthorized", "", "{\"error\": \"no\"}");
        break;
    case CUT:
        (void)test_send_text(peer, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"choices\"");
        break;
    }
}

static void *serve(void *context)
{
    struct server *server = context;
    int peer = accept(server->listener, NULL, NULL);

    if (peer < 0)
        return NULL;
    server->connections++;
    test_read_request(peer, server->request, sizeof server->request);
    play(server, peer);
    (void)shutdown(peer, SHUT_RDWR);
    (void)close(peer);
    return NULL;
}

static bool server_start(struct server *server, enum script script)
{
    *server = (struct server){.script = script};
    server->listener = test_listen(&server->port);
    return server->listener >= 0 && pthread_create(&server->thread, NULL, serve, server) == 0;
}

static void server_stop(struct server *server)
{
    (void)shutdown(server->listener, SHUT_RDWR);
    (void)pthread_join(server->thread, NULL);
    (void)close(server->listener);
}

static int64_t monotonic_us(void *context)
{
    struct timespec now;

    (void)context;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static const struct sl_clock CLOCK = {NULL, monotonic_us, NULL};

struct reply {
    enum sl_err e;
    struct sl_error err;
    char text[256];
};

static atomic_bool cancelled;

static struct reply ask_url(const char *url, int64_t timeout_ms)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(8 << 20);
    struct sl_llm_options options = {.url = url, .model = "small", .api_key = "s3cret",
                                     .max_tokens = 99, .clock = &CLOCK, .cancelled = &cancelled};
    struct sl_generator *generator = NULL;
    struct sl_view text = SL_VIEW_NULL;
    struct reply reply = {0};

    reply.e = sl_llm_open(&options, &generator, &reply.err);
    if (reply.e)
        return reply;
    reply.e = generator->generate(generator, SL_VIEW("be \"good\""), SL_VIEW("what?\n"),
                                  monotonic_us(NULL) + timeout_ms * 1000, arena, &text, &reply.err);
    (void)snprintf(reply.text, sizeof reply.text, "%.*s", SL_VIEW_ARG(text));
    (void)sl_llm_close(generator);
    return reply;
}

static struct reply ask(struct server *server, const char *path, int64_t timeout_ms)
{
    char url[128];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server->port, path);
    return ask_url(url, timeout_ms);
}

static void check_fails(enum script script, int64_t timeout_ms, enum sl_err e, const char *reason)
{
    struct server server;
    struct reply reply;

    REQUIRE(server_start(&server, script));
    reply = ask(&server, "/v1", timeout_ms);
    CHECK_THAT(reply.e == e && strcmp(reply.err.reason, reason) == 0, "script %d: %d %s: %s",
               (int)script, (int)reply.e, reply.err.reason, reply.err.message);
    CHECK(strstr(reply.err.message, "s3cret") == NULL);
    server_stop(&server);
    CHECK(server.connections == 1);
}

TEST(one_request_holds_what_every_server_knows)
{
    struct server server;
    struct reply reply;

    REQUIRE(server_start(&server, GOOD));
    reply = ask(&server, "/v1/", 5000);
    server_stop(&server);
    CHECK_THAT(reply.e == SL_OK && strcmp(reply.text, "hi \xC3\xA9") == 0, "%s %s", reply.text,
               reply.err.message);
    CHECK(strncmp(server.request, "POST /v1/chat/completions HTTP/", 31) == 0);
    CHECK(strstr(server.request, "Authorization: Bearer s3cret\r\n") != NULL);
    CHECK(strstr(server.request, "Content-Type: application/json\r\n") != NULL);
    CHECK(strstr(server.request, "{\"model\": \"small\", \"messages\": [{\"role\": \"system\", "
                                 "\"content\": \"be \\\"good\\\"\"}, {\"role\": \"user\", "
                                 "\"content\": \"what?\\n\"}], \"temperature\": 0, \"max_tokens\": "
                                 "99, \"stream\": false}") != NULL);
}

TEST(base_and_whole_addresses_lead_to_the_same_place)
{
    static const char *const paths[] = {"", "/", "/v1", "/v1/chat/completions"};
    struct server server;

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        REQUIRE(server_start(&server, GOOD));
        CHECK(ask(&server, paths[i], 5000).e == SL_OK);
        server_stop(&server);
        CHECK(strncmp(server.request, "POST /v1/chat/completions HTTP/", 31) == 0);
    }
}

TEST(bad_servers_cost_an_error_and_not_the_program)
{
    check_fails(BROKEN_JSON, 5000, SL_REJECT, "llm_broken");
    check_fails(NO_CONTENT, 5000, SL_REJECT, "llm_broken");
    check_fails(HUGE, 5000, SL_REJECT, "llm_broken");
    check_fails(HUGE_LIE, 5000, SL_REJECT, "llm_broken");
    check_fails(BUSY, 5000, SL_AGAIN, "llm_unavailable");
    check_fails(DENIED, 5000, SL_REJECT, "llm_rejected");
    check_fails(CUT, 5000, SL_AGAIN, "llm_unavailable");
}

TEST(the_deadline_ends_a_slow_and_a_silent_server)
{
    check_fails(SLOW, 300, SL_AGAIN, "llm_unavailable");
    check_fails(SILENT, 300, SL_AGAIN, "llm_unavailable");
}

/* A daemon that stops does not wait for a server that never answers: were it so, this would take ten minutes. */
TEST(a_cancelled_request_ends)
{
    struct server server;
    struct reply reply;

    REQUIRE(server_start(&server, SILENT));
    cancelled = true;
    reply = ask(&server, "/v1", 600000);
    cancelled = false;
    CHECK(reply.e == SL_AGAIN && strcmp(reply.err.reason, "llm_unavailable") == 0);
    server_stop(&server);
}

TEST(redirects_are_not_followed)
{
    check_fails(REDIRECT, 5000, SL_REJECT, "llm_rejected");
}

TEST(no_server_and_no_time_are_said)
{
    struct reply reply = ask_url("http://127.0.0.1:1/v1", 2000);

    CHECK(reply.e == SL_AGAIN && strcmp(reply.err.reason, "llm_unavailable") == 0);
    reply = ask_url("http://127.0.0.1:1/v1", 0);
    CHECK(reply.e == SL_AGAIN && strstr(reply.err.message, "no time") != NULL);
}

TEST(a_proxy_in_the_environment_is_not_used)
{
    struct server server;

    REQUIRE(server_start(&server, GOOD));
    CHECK(setenv("http_proxy", "http://127.0.0.1:1", 1) == 0 &&
          setenv("ALL_PROXY", "http://127.0.0.1:1", 1) == 0);
    CHECK(ask(&server, "", 5000).e == SL_OK);
    (void)unsetenv("http_proxy");
    (void)unsetenv("ALL_PROXY");
    server_stop(&server);
}

static void check_url(const char *url, bool allow_plain, bool good)
{
    struct sl_llm_options options = {.url = url, .model = "m", .allow_plain_http = allow_plain,
                                     .clock = &CLOCK};
    struct sl_generator *generator = NULL;
    struct sl_error err = {0};
    enum sl_err e = sl_llm_open(&options, &generator, &err);

    CHECK_THAT((e == SL_OK) == good, "%s: %s", url, err.message);
    CHECK(good || (e == SL_STOP && err.exit_code == SL_EXIT_CONFIG));
    (void)sl_llm_close(generator);
}

TEST(only_safe_addresses_are_taken)
{
    check_url("https://api.example.org/v1", false, true);
    check_url("http://localhost:8080", false, true);
    check_url("http://127.0.0.2/v1", false, true);
    check_url("http://[::1]:8080/v1", false, true);
    check_url("http://api.example.org/v1", false, false);
    check_url("http://api.example.org/v1", true, true);
    check_url("http://127.example.org/v1", false, false);
    check_url("http://localhost.example.org/v1", false, false);
    check_url("ftp://localhost/v1", true, false);
    check_url("file:///etc/passwd", true, false);
    check_url("https://name:word@example.org/v1", false, false);
    check_url("", false, false);
    check_url("nonsense", false, false);
    struct sl_llm_options options = {.url = "https://example.org", .model = "", .clock = &CLOCK};
    struct sl_generator *generator = NULL;
    CHECK(sl_llm_open(&options, &generator, NULL) == SL_STOP);
}

TEST(a_key_that_would_begin_another_header_is_refused)
{
    static const char *const bad[] = {"key\r\nX-Other: 1", "key\n", "two words", "\xC3\xA9"};
    struct sl_llm_options options = {.url = "https://example.org", .model = "m", .clock = &CLOCK};
    struct sl_generator *generator = NULL;
    struct sl_error err = {0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.api_key = bad[i];
        CHECK(sl_llm_open(&options, &generator, &err) == SL_STOP && err.exit_code == SL_EXIT_CONFIG);
        CHECK(strstr(err.message, "Other") == NULL && strstr(err.message, "words") == NULL);
    }
    options.api_key = "sk-Aa0_-.~+/=";
    REQUIRE(sl_llm_open(&options, &generator, &err) == SL_OK);
    (void)sl_llm_close(generator);
}
