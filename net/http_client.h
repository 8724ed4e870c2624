/*
 * http_client.h -- one HTTP POST that cannot run away: a deadline, a byte cap, no redirects, no
 * proxy from the environment, certificates checked.
 */
#ifndef SLUICE_HTTP_CLIENT_H
#define SLUICE_HTTP_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/view.h>

struct sl_http_post {
    const char *url;
    const char *bearer;  /* NULL: none */
    const char *ca_file; /* certificates to trust instead of the system's; NULL: those */
    const char *content_type;
    struct sl_view body;
    int64_t timeout_ms; /* for all of it; > 0 */
    uint32_t
        stall_s; /* give up when less than 64 bytes a second came or went for that long; 0: never */
    bool allow_plain_http; /* http beyond this machine */
    size_t response_bytes_max;
    const atomic_bool *cancelled; /* true: give up within a second; NULL: never */
};

struct sl_http_reply {
    long status;            /* 0: none */
    int64_t retry_after_ms; /* what the server asked for, [0, 5 minutes]; 0: nothing */
};

/*
 * Check that a URL is one this client would use: http or https, a host, no name or password in it,
 * plain http only to this machine unless allowed.
 *
 * Owns:    *ret_path_empty tells whether the URL has no path of its own.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_STOP  exit 78, saying what is wrong with it
 */
enum sl_err sl_http_check_url(const char *url, bool allow_plain_http, bool *ret_path_empty,
                              struct sl_error *err);

/*
 * The whole address from a base: without a path `from_root` is added ("/v1/embeddings"), with one
 * `from_base`
 * ("/embeddings") unless it ends so; one with parameters is left alone. Caller frees; NULL: memory.
 */
char *sl_http_whole_url(const char *url, bool path_empty, const char *from_root,
                        const char *from_base);

/* A key becomes part of a header line, and a line break in it would begin another one. NULL is
 * fine. Errors: SL_STOP exit 78 */
enum sl_err sl_http_check_key(const char *key, struct sl_error *err);

/*
 * Post `request` and wait for the whole response. The address is looked at before a socket is
 * opened (http_exchange.h).
 *
 * Post:    on SL_OK ret_reply->status is the HTTP status, whatever it is.
 * Owns:    response bytes are appended to *response; the caller frees it.
 * Thread:  any; several at once.
 * Blocks:  network, at most timeout_ms; 5 s for the connection.
 * Errors:  SL_AGAIN   http_unavailable: no connection, not in time, or cancelled
 *          SL_REJECT  http_too_large: more than response_bytes_max; http_failed: certificate,
 * protocol, an address that is never connected to
 */
enum sl_err sl_http_send(const struct sl_http_post *request, struct sl_http_reply *ret_reply,
                         struct sl_buffer *response, struct sl_error *err);

#endif
