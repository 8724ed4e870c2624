/* test_daemon_control.c -- the socket sluicectl asks. */
#include "test.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control.h"

static char answer[1 << 20];
static size_t big_bytes;

static bool fake_ready(void *context, char *reason, size_t size)
{
    (void)context;
    (void)snprintf(reason, size, "no");
    return false;
}

static void fake_status(void *context, struct sl_buffer *out)
{
    (void)context;
    sl_buffer_view(out, SL_VIEW("{\"documents\": 63"));
    if (big_bytes > 0) {
        sl_buffer_view(out, SL_VIEW(", \"big\": \""));
        for (size_t i = 0; i < big_bytes; i++)
            sl_buffer_view(out, SL_VIEW("x"));
        sl_buffer_view(out, SL_VIEW("\""));
    }
    sl_buffer_view(out, SL_VIEW("}"));
}

static int compactions;

static enum sl_err fake_compact(void *context, struct sl_error *err)
{
    (void)context;
    if (compactions++ > 0)
        return sl_fail(err, SL_AGAIN, "busy", "a \"compaction\" is under way");
    return SL_OK;
}

static const struct sl_status_source source = {fake_ready, fake_status, NULL, fake_compact, NULL};

static int dial(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 20};
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(client, (struct sockaddr *)&to, sizeof to) != 0) {
        (void)close(client);
        return -1;
    }
    return client;
}

static void ask(const char *path, const char *bytes, size_t size)
{
    int client = dial(path);
    size_t got = 0;
    ssize_t more;

    answer[0] = '\0';
    if (client < 0)
        return;
    (void)send(client, bytes, size, MSG_NOSIGNAL);
    while ((more = recv(client, answer + got, sizeof answer - 1 - got, 0)) > 0)
        got += (size_t)more;
    answer[got] = '\0';
    (void)close(client);
}

static struct sl_control *open_control(char path[256])
{
    struct sl_control *control = NULL;
    struct sl_error err = {0};

    (void)snprintf(path, 256, "%s/control.sock", test_directory());
    CHECK_THAT(sl_control_start(path, &source, &control, &err) == SL_OK, "%s", err.message);
    return control;
}

TEST(compaction_is_asked_for)
{
    char path[256];
    struct sl_control *control = open_control(path);

    ask(path, "compact\n", 8);
    CHECK_THAT(strcmp(answer, "{\"compaction\": \"wanted\"}\n") == 0, "%s", answer);
    ask(path, "compact\n", 8);
    CHECK_THAT(strstr(answer, "a \\\"compaction\\\" is under way") != NULL &&
                   strstr(answer, "\"reason\": \"busy\"") != NULL,
               "%s", answer);
    ask(path, "compact now\n", 12);
    CHECK(compactions == 2 && strstr(answer, "unknown request") != NULL);
    (void)sl_control_stop(control);
}

TEST(one_question_one_line)
{
    char path[256];
    struct sl_control *control = open_control(path);
    struct stat at;

    REQUIRE(control != NULL);
    CHECK(stat(path, &at) == 0 && (at.st_mode & 0777) == 0660);
    ask(path, "status\n", 7);
    CHECK_THAT(strcmp(answer, "{\"documents\": 63}\n") == 0, "%s", answer);
    ask(path, "shutdown\n", 9);
    CHECK(strcmp(answer, "{\"error\": \"unknown request; allowed: compact, generation, reindex, status\"}\n") == 0);
    ask(path, "\n", 1);
    CHECK(strstr(answer, "\"error\"") != NULL);
    ask(path, "status\0x\n", 9);
    CHECK(strstr(answer, "\"error\"") != NULL);
    control = sl_control_stop(control);
    CHECK(control == NULL && stat(path, &at) != 0);
}

TEST(a_long_request_is_refused_and_a_large_answer_arrives)
{
    char path[256], request[4096];
    struct sl_control *control = open_control(path);

    REQUIRE(control != NULL);
    memset(request, 'a', sizeof request);
    ask(path, request, sizeof request);
    CHECK(strstr(answer, "documents") == NULL);
    big_bytes = 500000;
    ask(path, "status\n", 7);
    CHECK(strlen(answer) > 500000 && answer[strlen(answer) - 1] == '\n');
    big_bytes = 0;
    sl_control_stop(control);
}

TEST(a_client_that_leaves_does_no_harm)
{
    char path[256];
    struct sl_control *control = open_control(path);
    int client;

    REQUIRE(control != NULL);
    for (int i = 0; i < 20; i++) {
        client = dial(path);
        CHECK(client >= 0 && send(client, "sta", 3, MSG_NOSIGNAL) == 3);
        (void)close(client);
    }
    client = dial(path);
    CHECK(client >= 0 && send(client, "status\n", 7, MSG_NOSIGNAL) == 7);
    (void)close(client);
    ask(path, "status\n", 7);
    CHECK(strstr(answer, "documents") != NULL);
    sl_control_stop(control);
}

/* A silent client holds its turn for two seconds at most, and stopping does not wait for it. */
TEST(a_silent_client_does_not_hold_up_the_stop)
{
    char path[256];
    struct sl_control *control = open_control(path);
    int client;

    REQUIRE(control != NULL);
    client = dial(path);
    CHECK(client >= 0);
    control = sl_control_stop(control);
    CHECK(control == NULL);
    (void)close(client);
}

TEST(the_socket_of_a_dead_daemon_is_replaced)
{
    char path[256];
    struct sl_control *first, *control = NULL;
    struct sl_error err = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(path, sizeof path, "%s/control.sock", test_directory());
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path);
    CHECK(bind(dead, (struct sockaddr *)&address, sizeof address) == 0);
    (void)close(dead);
    REQUIRE(sl_control_start(path, &source, &control, &err) == SL_OK);
    ask(path, "status\n", 7);
    CHECK(strstr(answer, "documents") != NULL);
    sl_control_stop(control);
    first = NULL;
    CHECK(sl_control_start("/nonexistent/control.sock", &source, &first, &err) == SL_STOP);
    CHECK(err.exit_code == SL_EXIT_OS && first == NULL && strstr(err.message, "/nonexistent/") != NULL);
}
