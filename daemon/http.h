/*
 * http.h -- the small window: /metrics, /healthz, /readyz, and a status page at /. Reads only: GET and HEAD.
 *
 * Bounds: 16 connections (8 from one address), 5 s of silence, 8 KiB of request.
 * No TLS and no passwords: it listens on loopback unless told otherwise, and shows numbers, topic names and
 * reasons, never a key or a text.
 */
#ifndef SLUICE_HTTP_H
#define SLUICE_HTTP_H

#include <stdint.h>

#include <sluice/error.h>

#include "daemon/status.h"

struct sl_http;

/*
 * Listen and serve from one thread of its own. `listen` is ADDRESS:PORT ("127.0.0.1:9464", "[::1]:9464"); port 0
 * takes a free one.
 *
 *   /metrics   Prometheus text      /healthz  200 "ok" while the process lives
 *   /readyz    200 "ready", else 503 and the reason     /status.json  the status object
 *   /          the page: one HTML file, nothing fetched from elsewhere
 *
 * Pre:     listen is not empty.
 * Owns:    `source` is copied; its context stays the caller's and outlives the server. Caller gets *ret_http.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_STOP  exit 78 malformed address; exit 71 it cannot be bound (in use, not allowed)
 */
enum sl_err sl_http_start(const char *listen, const struct sl_status_source *source,
                          struct sl_http **ret_http, struct sl_error *err);

/* The port it listens on. */
uint16_t sl_http_port(const struct sl_http *http);

/* Close connections and listener, join the thread. NULL is fine. Always returns NULL. */
struct sl_http *sl_http_stop(struct sl_http *http);

#endif
