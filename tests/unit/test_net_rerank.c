/*
 * test_net_rerank.c -- the reranking client against a server that plays one reply: good ones of each dialect, and
 * broken, lying, slow and refusing ones.
 */
#include <net/rerank_client.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../support/test.h"
#include "../support/test_server.h"

struct server {
    int listener;
    uint16_t port;
    const char *status, *body; /* body NULL: silence */
    pthread_t thread;
    char request[8192];
};

static void *serve(void *context)
{
    struct server *server = context;
    int peer = accept(server->listener, NULL, NULL);
    char head[256], byte[1];

    if (peer < 0)
        return NULL;
    test_read_request(peer, server->request, sizeof server->request);
    if (server->body == NULL) {
        (void)recv(peer, byte, sizeof byte, 0); /* until the client gives up */
    } else {
        (void)snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                       server->status, strlen(server->body));
        (void)test_send_text(peer, head);
        (void)test_send_text(peer, server->body);
    }
    (void)shutdown(peer, SHUT_RDWR);
    (void)close(peer);
    return NULL;
}

static void server_start(struct server *server, const char *status, const char *body)
{
    *server = (struct server){.status = status, .body = body};
    server->listener = test_listen(&server->port);
    REQUIRE(server->listener >= 0);
    REQUIRE(pthread_create(&server->thread, NULL, serve, server) == 0);
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

struct outcome {
    enum sl_err e;
    struct sl_error err;
    float scores[3];
};

static struct outcome ask_url(const char *api, const char *url, int64_t timeout_ms)
{
    const struct sl_view passages[] = {SL_VIEW("one \"1\""), SL_VIEW("two"), SL_VIEW("three")};
    struct sl_rerank_options options = {.api = api, .url = url, .model = "small", .api_key = "s3cret"};
    struct sl_time_limit limit = {monotonic_us, NULL, monotonic_us(NULL) + timeout_ms * 1000};
    struct sl_reranker *reranker = NULL;
    struct outcome out = {0};
    uint32_t scored = 0;

    out.e = sl_rerank_client_open(&options, &reranker, &out.err);
    if (!out.e)
        out.e = reranker->ops->score(reranker, SL_VIEW("who?"), passages, 3, &limit, out.scores, &scored, &out.err);
    (void)sl_reranker_close(reranker);
    return out;
}

static struct outcome ask(struct server *server, const char *api, const char *path, int64_t timeout_ms)
{
    char url[128];

    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server->port, path);
    return ask_url(api, url, timeout_ms);
}

#define RESULTS \
    "{\"model\": \"small\", \"results\": [{\"index\": 2, \"relevance_score\": 0.9}, {\"index\": 0, " \
    "\"relevance_score\": 0.5}, {\"index\": 1, \"relevance_score\": -1.5}]}"

static void check_dialect(const char *api, const char *path, const char *line, const char *list,
                          const char *body)
{
    struct server server;
    struct outcome out;

    server_start(&server, "200 OK", body);
    out = ask(&server, api, path, 5000);
    server_stop(&server);
    CHECK_THAT(out.e == SL_OK, "%s %s: %s", api, path, out.err.message);
    CHECK(out.scores[0] > 0.4f && out.scores[0] < 0.6f && out.scores[1] < -1.4f && out.scores[2] > 0.8f);
    CHECK_THAT(strncmp(server.request, line, strlen(line)) == 0, "%.40s", server.request);
    CHECK(strstr(server.request, "Authorization: Bearer s3cret\r\n") != NULL);
    CHECK(strstr(server.request, "\"query\": \"who?\"") != NULL);
    CHECK_THAT(strstr(server.request, list) != NULL, "%s", server.request);
}

TEST(each_dialect_is_spoken)
{
    static const char tei[] = "[{\"index\": 2, \"score\": 0.9}, {\"index\": 0, \"score\": 0.5}, {\"index\": 1, "
                              "\"score\": -1.5}]";
    static const char texts[] = "\"texts\": [\"one \\\"1\\\"\", \"two\", \"three\"]";
    static const char documents[] = "\"documents\": [\"one \\\"1\\\"\", \"two\", \"three\"], \"top_n\": 3";

    check_dialect("tei", "", "POST /rerank HTTP", texts, tei);
    check_dialect("auto", "/", "POST /rerank HTTP", texts, tei);
    check_dialect("jina", "", "POST /v1/rerank HTTP", documents, RESULTS);
    check_dialect("auto", "/v1", "POST /v1/rerank HTTP", documents, RESULTS);
    check_dialect("cohere", "", "POST /v2/rerank HTTP", documents, RESULTS);
    check_dialect("auto", "/v2/rerank", "POST /v2/rerank HTTP", documents, RESULTS);
    check_dialect("llamacpp", "/v1/rerank", "POST /v1/rerank HTTP", documents, RESULTS);
}

static void check_fails(const char *status, const char *body, enum sl_err e, const char *reason)
{
    struct server server;
    struct outcome out;

    server_start(&server, status, body);
    out = ask(&server, "jina", "", body == NULL ? 200 : 5000);
    server_stop(&server);
    CHECK_THAT(out.e == e && strcmp(out.err.reason, reason) == 0, "%s %s: %d %s: %s", status, body ? body : "",
               (int)out.e, out.err.reason, out.err.message);
    CHECK(strstr(out.err.message, "s3cret") == NULL);
}

#define ENTRY(index, score) "{\"index\": " index ", \"relevance_score\": " score "}"
#define LIST(a, b, c)       "{\"results\": [" a ", " b ", " c "]}"

TEST(bad_servers_cost_an_error)
{
    check_fails("200 OK", "{\"results\": [", SL_REJECT, "rerank_broken");
    check_fails("200 OK", "[]", SL_REJECT, "rerank_broken");
    check_fails("200 OK", "{\"results\": [" ENTRY("0", "1") "]}", SL_REJECT, "rerank_broken");
    check_fails("200 OK", LIST(ENTRY("0", "1"), ENTRY("0", "1"), ENTRY("1", "1")), SL_REJECT, "rerank_broken");
    check_fails("200 OK", LIST(ENTRY("0", "1"), ENTRY("3", "1"), ENTRY("1", "1")), SL_REJECT, "rerank_broken");
    check_fails("200 OK", LIST(ENTRY("0", "1"), ENTRY("-1", "1"), ENTRY("1", "1")), SL_REJECT, "rerank_broken");
    check_fails("200 OK", LIST(ENTRY("0", "1"), ENTRY("1.5", "1"), ENTRY("1", "1")), SL_REJECT, "rerank_broken");
    check_fails("200 OK", LIST(ENTRY("0", "1"), ENTRY("2", "1e300"), ENTRY("1", "1")), SL_REJECT, "rerank_broken");
    check_fails("200 OK", LIST(ENTRY("0", "1"), ENTRY("2", "\"high\""), ENTRY("1", "1")), SL_REJECT,
                "rerank_broken");
    check_fails("503 Service Unavailable", "later", SL_AGAIN, "rerank_unavailable");
    check_fails("429 Too Many Requests", "slower", SL_AGAIN, "rerank_unavailable");
    check_fails("401 Unauthorized", "{}", SL_REJECT, "rerank_rejected");
    check_fails("302 Found", "", SL_REJECT, "rerank_rejected");
}

TEST(silence_ends_with_the_time)
{
    struct outcome out;

    check_fails("", NULL, SL_AGAIN, "rerank_unavailable");
    out = ask_url("jina", "http://127.0.0.1:1", 2000);
    CHECK(out.e == SL_AGAIN && strcmp(out.err.reason, "rerank_unavailable") == 0);
    out = ask_url("jina", "http://127.0.0.1:1", 0);
    CHECK(out.e == SL_AGAIN && strstr(out.err.message, "no time") != NULL);
}

TEST(a_response_over_its_size_is_given_up)
{
    char body[4096];
    struct server server;
    struct sl_rerank_options options = {.api = "tei", .response_bytes_max = 1024};
    struct sl_time_limit limit = {monotonic_us, NULL, monotonic_us(NULL) + 5000000};
    struct sl_reranker *reranker = NULL;
    struct sl_view passage = SL_VIEW("x");
    struct sl_error err = {0};
    char url[64];
    uint32_t scored = 0;
    float score;

    memset(body, ' ', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    server_start(&server, "200 OK", body);
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", server.port);
    options.url = url;
    REQUIRE(sl_rerank_client_open(&options, &reranker, &err) == SL_OK);
    CHECK(reranker->ops->score(reranker, SL_VIEW("q"), &passage, 1, &limit, &score, &scored, &err) == SL_REJECT);
    CHECK(strcmp(err.reason, "rerank_broken") == 0);
    (void)sl_reranker_close(reranker);
    server_stop(&server);
}

TEST(what_cannot_work_is_refused_at_the_start)
{
    static const struct {
        const char *api, *url, *model, *key;
    } cases[] = {{"tei", "ftp://x", "m", NULL},
                 {"tei", "http://192.0.2.1", "m", NULL},
                 {"yours", "https://x", "m", NULL},
                 {"jina", "https://x", "", NULL},
                 {"jina", "https://x", "m", "a\nb"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_rerank_options options = {.api = cases[i].api, .url = cases[i].url, .model = cases[i].model,
                                            .api_key = cases[i].key};
        struct sl_reranker *reranker = NULL;
        struct sl_error err = {0};
        CHECK(sl_rerank_client_open(&options, &reranker, &err) == SL_STOP && err.exit_code == SL_EXIT_CONFIG);
    }
}
