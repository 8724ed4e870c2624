/*
 * http_exchange.h -- one request and its response as a libcurl handle with every guard set; whoever
 * drives it (http_client.c alone, http_pool.c many at once) adds nothing of its own.
 */
#ifndef SLUICE_HTTP_EXCHANGE_H
#define SLUICE_HTTP_EXCHANGE_H

#include <curl/curl.h>

#include "http_client.h"

struct sl_http_exchange {
    CURL *curl;
    struct curl_slist *headers;
    struct sl_buffer *response;
    size_t response_end; /* response->size may grow up to here */
    bool plain_http_anywhere;
    const char *refused; /* why no socket was opened, or why no more is read; NULL */
    bool too_large;
};

/* libcurl ready for use, once a process. */
void sl_http_begin(void);

/*
 * May a connection be made to this address? Never to link-local ones (where clouds keep their
 * metadata), multicast, unspecified or broadcast ones; without TLS only to this machine, unless
 * `plain_http_anywhere`.
 *
 * Returns why not, or NULL.
 * Thread:  any.
 */
const char *sl_http_address_refused(const struct sockaddr *address, bool plain_http_anywhere);

/*
 * Make the handle. `request` and `response` must outlive it.
 *
 * Owns:    end with sl_http_exchange_fini(), also after a failure.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_AGAIN  http_unavailable: out of memory
 */
enum sl_err sl_http_exchange_init(struct sl_http_exchange *exchange,
                                  const struct sl_http_post *request, struct sl_buffer *response,
                                  struct sl_error *err);

/* What libcurl's code means. SL_OK: *ret_reply is set. Errors: as sl_http_send(). */
enum sl_err sl_http_exchange_end(const struct sl_http_exchange *exchange, CURLcode code,
                                 struct sl_http_reply *ret_reply, struct sl_error *err);

void sl_http_exchange_fini(struct sl_http_exchange *exchange);

#endif
