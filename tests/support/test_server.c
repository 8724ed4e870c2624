/* test_server.c -- see test_server.h. */
#include "test_server.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int test_listen(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (listener < 0)
        return -1;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        (void)close(listener);
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return listener;
}

void test_read_request(int peer, char *request, size_t size)
{
    size_t used = 0, wanted = SIZE_MAX;

    while (used < size - 1 && used < wanted) {
        ssize_t got = recv(peer, request + used, size - 1 - used, 0);
        if (got <= 0)
            break;
        used += (size_t)got;
        request[used] = '\0';
        const char *end = strstr(request, "\r\n\r\n");
        const char *length = strcasestr(request, "content-length: ");
        if (end != NULL && length != NULL)
            wanted = (size_t)(end - request) + 4 + strtoul(length + 16, NULL, 10);
    }
}

bool test_send_text(int peer, const char *text)
{
    size_t size = strlen(text);

    while (size > 0) {
        ssize_t sent = send(peer, text, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        text += sent;
        size -= (size_t)sent;
    }
    return true;
}
