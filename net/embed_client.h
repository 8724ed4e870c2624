/*
 * embed_client.h -- struct sl_embedder over an embedding server.
 */
#ifndef SLUICE_EMBED_CLIENT_H
#define SLUICE_EMBED_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include <sluice/embed.h>

#include "pace.h"

/* What is worth telling; every member may be NULL. Called by whoever encodes. */
struct sl_embed_watch {
    void *context;
    /* A request ended: ok, http_429, bad_response, ... */
    void (*requested)(void *context, const char *status, uint32_t texts, double seconds);
    void (*counted)(void *context, uint64_t tokens); /* that were read by the server */
    void (*breaker)(void *context, enum sl_breaker_state state, const char *why);
    void (*waited)(void *context, const char *what, int64_t us); /* rate, retry_after, backoff */
    void (*retried)(void *context, const char *reason);
};

struct sl_embed_options {
    const char *api; /* auto, openai, ollama, tei */
    const char *url;
    const char *model;                         /* as the server calls it */
    const char *api_key;                       /* NULL or "": none */
    const char *ca_file;                       /* NULL or "": the system's certificates */
    const char *query_prefix, *passage_prefix; /* NULL: none */
    uint32_t dim;                              /* of the vectors; 0: ask the server now */
    bool asks_dim;                             /* tell the server how long vectors should be */
    uint32_t token_limit;                      /* of a text, everything counted */
    uint32_t batch_tokens;                     /* of a request; 0: no limit */
    uint32_t in_flight;                        /* requests at once */
    uint32_t timeout_ms;                       /* of a request */
    uint32_t question_timeout_ms;
    uint64_t requests_per_minute, tokens_per_minute, tokens_max_per_day; /* 0: no limit */
    uint32_t breaker_wait_ms;
    const atomic_bool
        *cancelled; /* true: requests under way are given up; NULL: never. Must outlive it */
    struct sl_embed_watch watch;
};

/*
 * Make an embedder that asks the server. It is asked at once only when the length of its vectors is
 * not known.
 *
 * Owns:    caller gets *ret_embedder; close it with sl_embedder_close(). Strings are copied.
 * Thread:  any; encode() may then be called by several threads at once.
 * Blocks:  network, when dim is 0.
 * Errors:  SL_STOP  exit 78: not a URL, plain http to another machine, no model's name, a key that
 * fits no header; 69 embed_unavailable: dim is 0 and the server says nothing; 71 memory, threads
 *
 * encode() of passages tries again by itself, for a minute at most; of a question once. What came
 * back is checked, and of length 1. SL_REJECT  embed_rejected (400, 413, 422), bad_response: on
 * these texts, while it serves another. With several texts it may be one of them SL_AGAIN
 * embed_failed: an error or no answer in time, which may be the texts'; embed_unavailable: it
 * cannot be reached, refuses us, or is not what it should be; embed_breaker, embed_throttled,
 *                embed_budget: nothing was sent
 */
enum sl_err sl_embed_open(const struct sl_embed_options *options, struct sl_embedder **ret_embedder,
                          struct sl_error *err);

/* All below accept any embedder, NULL too, and say or do nothing for those that are not this one.
 * Thread: any. */

/* Is it a server? */
bool sl_embed_is_remote(const struct sl_embedder *embedder);

/* Why documents wait: embed_breaker, embed_budget; NULL: they do not. */
const char *sl_embed_paused(const struct sl_embedder *embedder);

/* Was it the server that failed, and not possibly a text? For an error of encode(). */
bool sl_embed_is_away(const struct sl_error *err);

/* See whether a server that was away is back, when it is time for it. Blocks: network, one request.
 */
void sl_embed_tend(const struct sl_embedder *embedder);

uint64_t sl_embed_tokens_today(const struct sl_embedder *embedder);

/* Tokens that a request with these texts is taken for. */
uint64_t sl_embed_tokens(const struct sl_embedder *embedder, enum sl_embed_role role,
                         const struct sl_view *texts, uint32_t count);

/* What a reload changes. `api_key` NULL: as it was. Errors: SL_STOP exit 78, and the old key stays.
 */
enum sl_err sl_embed_renew(const struct sl_embedder *embedder, const char *api_key,
                           uint64_t tokens_max_per_day, struct sl_error *err);

#endif
