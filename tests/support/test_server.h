/*
 * test_server.h -- what servers of one scripted reply share: a socket of the loopback interface, and the reading
 * of a request.
 */
#ifndef SLUICE_TEST_SERVER_H
#define SLUICE_TEST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A socket that listens on the loopback interface; *ret_port is its port. Less than 0: it cannot be had. */
int test_listen(uint16_t *ret_port);

/* Head and body of one request into `request`, char[size], NUL behind it; what does not fit is left. */
void test_read_request(int peer, char *request, size_t size);

/* All of the text; false when nobody listens any more. */
bool test_send_text(int peer, const char *text);

#endif
