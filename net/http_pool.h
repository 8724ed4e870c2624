/*
 * http_pool.h -- many posts at once to a server that is asked all the time: one thread drives all
 * of them over connections that stay open; whoever posts waits for its own response only.
 */
#ifndef SLUICE_HTTP_POOL_H
#define SLUICE_HTTP_POOL_H

#include "http_client.h"

struct sl_http_pool;

/*
 * Begin a pool with at most `connections` open at once; what is beyond waits, and its time runs.
 *
 * Owns:    caller gets *ret_pool; end it with sl_http_pool_close().
 * Thread:  any. The pool's own thread takes over the signal mask of the caller's.
 * Blocks:  no.
 * Errors:  SL_STOP  memory, threads
 */
enum sl_err sl_http_pool_open(uint32_t connections, struct sl_http_pool **ret_pool,
                              struct sl_error *err);

/*
 * As sl_http_send(), over the pool.
 *
 * Owns:    response bytes are appended to *response; the caller frees it.
 * Thread:  any; several at once.
 * Blocks:  network, at most request->timeout_ms; a tenth of a second once request->cancelled is
 * set. Errors:  as sl_http_send()
 */
enum sl_err sl_http_pool_send(struct sl_http_pool *pool, const struct sl_http_post *request,
                              struct sl_http_reply *ret_reply, struct sl_buffer *response,
                              struct sl_error *err);

/* Close the connections and free it, once nobody posts any more. NULL is fine. Always returns NULL.
 */
struct sl_http_pool *sl_http_pool_close(struct sl_http_pool *pool);

#endif
