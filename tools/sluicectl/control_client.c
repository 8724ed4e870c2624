/*
 * control_client.c -- one request to the daemon's unix socket.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <sluice/decode.h>
#include <sluice/json.h>

#include "control_client.h"
#include "daemon/control.h"

#define ANSWER_BYTES_MAX (4u << 20)

static enum sl_err fail_socket(struct sl_error *err, const char *path)
{
    int number = errno;

    if (number == EACCES || number == EPERM)
        return sl_stop(err, SL_EXIT_PERMISSION, number, "permission",
                       "%s: not allowed to ask there", path);
    if (number == ENOENT || number == ECONNREFUSED)
        return sl_stop(err, SL_EXIT_UNAVAILABLE, number, "unavailable",
                       "%s: no daemon is listening there", path);
    return sl_stop(err, SL_EXIT_UNAVAILABLE, number, "unavailable", "%s: %s", path,
                   strerror(number));
}

static int connect_to(const char *path)
{
    const struct timeval patience = {.tv_sec = 5};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) != 0 ||
                    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0 ||
                    connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)) {
        int number = errno;

        close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

/* Read up to the newline or the end. */
static enum sl_err read_answer(int fd, const char *path, struct sl_buffer *answer,
                               struct sl_error *err)
{
    char block[4096];

    for (;;) {
        ssize_t got = recv(fd, block, sizeof(block), 0);
        const char *newline = got > 0 ? memchr(block, '\n', (size_t)got) : NULL;

        if (got < 0)
            return fail_socket(err, path);
        sl_buffer_add(answer, block, newline != NULL ? (size_t)(newline - block) : (size_t)got);
        if (got == 0 || newline != NULL)
            break;
        if (answer->size > ANSWER_BYTES_MAX)
            return sl_stop(err, SL_EXIT_DATA, 0, "too_large", "%s: answered more than %u bytes",
                           path, ANSWER_BYTES_MAX);
    }
    if (answer->failed)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "no memory for the daemon's answer");
    if (answer->size == 0)
        return sl_stop(err, SL_EXIT_UNAVAILABLE, 0, "unavailable", "%s: closed without an answer",
                       path);
    return SL_OK;
}

enum sl_err ctl_control_ask(const struct sl_config *config, const char *request,
                            struct sl_buffer *ret_answer, struct sl_error *err)
{
    char path[SL_CONTROL_PATH_BYTES_MAX];
    struct sl_buffer answer = {0};
    struct sl_buffer line = {0};
    enum sl_err result = sl_control_path(config, path, sizeof(path), err);
    int fd;

    if (result != SL_OK)
        return result;
    fd = connect_to(path);
    if (fd < 0)
        return fail_socket(err, path);
    sl_buffer_format(&line, "%s\n", request);
    if (line.failed || send(fd, line.data, line.size, MSG_NOSIGNAL) != (ssize_t)line.size)
        result = fail_socket(err, path);
    else
        result = read_answer(fd, path, &answer, err);
    sl_buffer_fini(&line);
    close(fd);
    if (result == SL_OK)
        *ret_answer = answer;
    else
        sl_buffer_fini(&answer);
    return result;
}

cJSON *ctl_control_json(const struct ctl *ctl, const char *request, struct sl_error *err)
{
    struct sl_buffer answer = {0};
    cJSON *root = NULL;

    if (ctl_control_ask(ctl->config, request, &answer, err) != SL_OK)
        return NULL;
    if (sl_json_parse((struct sl_view){answer.data, answer.size}, &root, err) != SL_OK)
        root = NULL;
    sl_buffer_fini(&answer);
    return root;
}

double ctl_json_number(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsNumber(member) ? member->valuedouble : 0;
}
