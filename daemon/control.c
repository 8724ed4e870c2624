/*
 * control.c -- one question, one line, closed.
 *
 * A client at a time is enough for a person at a terminal; each has two seconds, so that a silent one cannot keep
 * the others out. Framing is a newline: anything that can open a unix socket can speak it.
 *
 * Rejected: D-Bus (a dependency and a policy file for one command); HTTP on the socket (the same numbers are on
 * [http] already).
 */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <sluice/json.h>

#include "daemon/notify.h"

#define CLIENT_MS 2000

_Static_assert(SL_CONTROL_PATH_BYTES_MAX == sizeof((struct sockaddr_un *)NULL)->sun_path,
               "the limit is the system's");

struct sl_control {
    struct sl_status_source source;
    char path[SL_CONTROL_PATH_BYTES_MAX];
    int listener;
    int stop; /* eventfd */
    pthread_t thread;
};

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until the client may be read or written, the deadline passes, or the daemon stops. */
static bool client_wait(const struct sl_control *control, int client, short events,
                        int64_t deadline_ms)
{
    for (;;) {
        struct pollfd polled[2] = {{.fd = client, .events = events},
                                   {.fd = control->stop, .events = POLLIN}};
        int64_t left = deadline_ms - now_ms();
        int ready = left <= 0 ? 0 : poll(polled, 2, (int)left);

        if (ready < 0 && errno == EINTR)
            continue;
        return ready > 0 && polled[1].revents == 0;
    }
}

/* The request line without its newline; false when none came in time or it is too long. */
static bool request_read(const struct sl_control *control, int client, int64_t deadline_ms,
                         char request[SL_CONTROL_REQUEST_BYTES_MAX + 1])
{
    size_t size = 0;

    while (size < SL_CONTROL_REQUEST_BYTES_MAX) {
        ssize_t got;
        char *end;

        if (!client_wait(control, client, POLLIN, deadline_ms))
            return false;
        got = read(client, request + size, SL_CONTROL_REQUEST_BYTES_MAX - size);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return false;
        size += (size_t)got;
        request[size] = '\0';
        end = memchr(request, '\n', size);
        if (end != NULL) {
            *end = '\0';
            return memchr(request, '\0', (size_t)(end - request)) == NULL;
        }
    }
    return false;
}

static void answer_write(const struct sl_control *control, int client, int64_t deadline_ms,
                         struct sl_view answer)
{
    while (answer.size > 0 && client_wait(control, client, POLLOUT, deadline_ms)) {
        ssize_t sent = send(client, answer.data, answer.size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR && errno != EAGAIN)
            return;
        if (sent > 0)
            answer = sl_view_range(answer, (size_t)sent, answer.size);
    }
}

static void answer_error(const struct sl_error *err, struct sl_buffer *answer)
{
    sl_buffer_view(answer, SL_VIEW("{\"error\": "));
    sl_json_string(answer, sl_view_of(err->message));
    sl_buffer_view(answer, SL_VIEW(", \"reason\": "));
    sl_json_string(answer, sl_view_of(err->reason));
    sl_buffer_view(answer, SL_VIEW("}"));
}

static void begin_compaction(const struct sl_control *control, struct sl_buffer *answer)
{
    struct sl_error err = {.reason = "unavailable", .message = "not to be had here"};

    if (control->source.compact != NULL &&
        control->source.compact(control->source.context, &err) == SL_OK)
        sl_buffer_view(answer, SL_VIEW("{\"compaction\": \"wanted\"}"));
    else
        answer_error(&err, answer);
}

static bool is_change(const char *request)
{
    return strncmp(request, "reindex", 7) == 0 || strncmp(request, "generation ", 11) == 0;
}

static void change(const struct sl_control *control, const char *request, struct sl_buffer *answer)
{
    struct sl_error err = {.reason = "unavailable", .message = "not to be had here"};

    if (control->source.change == NULL ||
        control->source.change(control->source.context, request, &err) != SL_OK) {
        answer_error(&err, answer);
        return;
    }
    sl_buffer_view(answer, SL_VIEW("{\"done\": "));
    sl_json_string(answer, sl_view_of(request));
    sl_buffer_view(answer, SL_VIEW("}"));
}

static void client_serve(const struct sl_control *control, int client)
{
    int64_t deadline_ms = now_ms() + CLIENT_MS;
    char request[SL_CONTROL_REQUEST_BYTES_MAX + 1] = "";
    struct sl_buffer answer = {0};

    bool read = request_read(control, client, deadline_ms, request);

    if (read && strcmp(request, "status") == 0)
        control->source.status_json(control->source.context, &answer);
    else if (read && strcmp(request, "compact") == 0)
        begin_compaction(control, &answer);
    else if (read && is_change(request))
        change(control, request, &answer);
    else
        sl_buffer_view(&answer,
                       SL_VIEW("{\"error\": \"unknown request; allowed: compact, generation, reindex, status\"}"));
    sl_buffer_add(&answer, "\n", 1);
    if (!answer.failed)
        answer_write(control, client, deadline_ms, (struct sl_view){answer.data, answer.size});
    sl_buffer_fini(&answer);
}

static void *control_loop(void *argument)
{
    struct sl_control *control = argument;
    struct sl_heartbeat *heartbeat = sl_heartbeat_open("control", 15000);

    for (;;) {
        struct pollfd polled[2] = {{.fd = control->listener, .events = POLLIN},
                                   {.fd = control->stop, .events = POLLIN}};
        int client;

        sl_heartbeat_idle(heartbeat);
        if (poll(polled, 2, -1) < 0)
            continue;
        sl_heartbeat_beat(heartbeat);
        if (polled[1].revents != 0)
            break;
        client = accept4(control->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0)
            continue;
        client_serve(control, client);
        (void)close(client);
    }
    sl_heartbeat_close(heartbeat);
    return NULL;
}

static enum sl_err listener_open(const char *path, int *ret_listener, struct sl_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int bound;

    SL_PRE(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    (void)unlink(path);
    bound = listener < 0 ? -1 : bind(listener, (struct sockaddr *)&address, sizeof address);
    if (bound < 0 || chmod(path, 0660) < 0 || listen(listener, 8) < 0) {
        int saved = errno;
        if (listener >= 0)
            (void)close(listener);
        return sl_stop(err, SL_EXIT_OS, saved, "control_socket", "%s: %s", path, strerror(saved));
    }
    *ret_listener = listener;
    return SL_OK;
}

enum sl_err sl_control_start(const char *path, const struct sl_status_source *source,
                             struct sl_control **ret_control, struct sl_error *err)
{
    struct sl_control *control = calloc(1, sizeof *control);
    enum sl_err result;

    if (control == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "control socket: out of memory");
    control->source = *source;
    (void)snprintf(control->path, sizeof control->path, "%s", path);
    result = listener_open(path, &control->listener, err);
    if (result != SL_OK) {
        free(control);
        return result;
    }
    control->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (control->stop < 0 || pthread_create(&control->thread, NULL, control_loop, control) != 0) {
        if (control->stop >= 0)
            (void)close(control->stop);
        (void)close(control->listener);
        (void)unlink(path);
        free(control);
        return sl_stop(err, SL_EXIT_OS, EAGAIN, "thread", "control socket: no thread");
    }
    *ret_control = control;
    return SL_OK;
}

struct sl_control *sl_control_stop(struct sl_control *control)
{
    uint64_t one = 1;

    if (control == NULL)
        return NULL;
    while (write(control->stop, &one, sizeof one) < 0 && errno == EINTR)
        continue;
    (void)pthread_join(control->thread, NULL);
    (void)unlink(control->path);
    (void)close(control->listener);
    (void)close(control->stop);
    free(control);
    return NULL;
}
