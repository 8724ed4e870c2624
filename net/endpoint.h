/*
 * endpoint.h -- one server as all threads that ask it see it: its limits, whether it works, what
 * was spent on it. pace.h has the arithmetic; here are the lock, the clock and the waiting.
 */
#ifndef SLUICE_ENDPOINT_H
#define SLUICE_ENDPOINT_H

#include <stdatomic.h>

#include <sluice/error.h>

#include "pace.h"

/* What is worth telling; every member may be NULL. Called by the threads that ask, never under a
 * lock. */
struct sl_endpoint_watch {
    void *context;
    void (*breaker)(void *context, enum sl_breaker_state state, const char *why); /* it changed */
    void (*waited)(void *context, const char *what, int64_t us); /* rate, retry_after, backoff */
    void (*retried)(void *context, const char *reason);
};

struct sl_endpoint_options {
    const char *name; /* a word: reasons are NAME_breaker, NAME_throttled, NAME_budget; see
                         docs/REASONS.md */
    uint64_t requests_per_minute; /* 0: no limit */
    uint64_t tokens_per_minute;
    uint64_t tokens_max_per_day;
    uint32_t breaker_wait_ms;
    uint32_t failed_in_row_max;   /* that open the breaker; 0: as pace.h has it */
    uint32_t probe_ms;            /* how long a probe may take */
    const atomic_bool *cancelled; /* true: nobody waits any more; NULL: never */
    struct sl_endpoint_watch watch;
};

struct sl_endpoint;

/* How a request ended, as the server's concern. */
enum sl_endpoint_outcome {
    SL_ENDPOINT_SERVED = 1, /* it works, whatever it thinks of this request */
    SL_ENDPOINT_FAILED,     /* it did not */
    SL_ENDPOINT_BROKEN      /* nor will it: nothing is sent before the breaker's time is over */
};

/* What one request is. */
struct sl_endpoint_ask {
    uint64_t tokens;     /* an estimate */
    bool urgent;         /* a question: it never waits long */
    uint32_t attempt;    /* 0: the first */
    int64_t asked_us;    /* wait before a further attempt that the server asked for */
    int64_t patience_us; /* how long this call may wait in all */
};

/*
 * Owns:    caller gets *ret_endpoint; free it with sl_endpoint_close(). Strings are copied; clock
 * and cancelled must outlive it. Thread:  any; everything below too. Blocks:  no. Errors:  SL_STOP
 * memory
 */
enum sl_err sl_endpoint_open(const struct sl_endpoint_options *options,
                             struct sl_endpoint **ret_endpoint, struct sl_error *err);

/*
 * Wait until the server may be asked. On SL_OK the caller sends, and tells the end with
 * sl_endpoint_leave(). With *ret_probe the server was away: what is sent must be harmless, and
 * small.
 *
 * Blocks:  at most ask->patience_us.
 * Errors:  SL_AGAIN  NAME_breaker (open), NAME_budget (the day's ceiling), NAME_throttled (its turn
 * did not come)
 */
enum sl_err sl_endpoint_enter(struct sl_endpoint *endpoint, const struct sl_endpoint_ask *ask,
                              bool *ret_probe, struct sl_error *err);

/* `tokens` is what the server counted, or the estimate; `why` is kept to say why the breaker is
 * open. */
void sl_endpoint_leave(struct sl_endpoint *endpoint, const struct sl_endpoint_ask *ask,
                       enum sl_endpoint_outcome outcome, uint64_t tokens, int64_t retry_after_ms,
                       const char *why);

/* Why documents have to wait: "breaker", "budget", or NULL. */
const char *sl_endpoint_paused(struct sl_endpoint *endpoint);
enum sl_breaker_state sl_endpoint_state(struct sl_endpoint *endpoint);
uint64_t sl_endpoint_tokens_today(struct sl_endpoint *endpoint);

/* A new ceiling; what was spent today stays counted. */
void sl_endpoint_set_tokens_max(struct sl_endpoint *endpoint, uint64_t tokens_max_per_day);

/* NULL is fine. Always returns NULL. */
struct sl_endpoint *sl_endpoint_close(struct sl_endpoint *endpoint);

#endif
