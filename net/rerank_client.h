/*
 * rerank_client.h -- struct sl_reranker over a server's /rerank.
 */
#ifndef SLUICE_RERANK_CLIENT_H
#define SLUICE_RERANK_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include <sluice/embed.h>

#include "endpoint.h"

struct sl_rerank_options {
    const char *api;     /* auto, tei, jina, cohere, llamacpp */
    const char *url;     /* base ("https://host") or whole (".../rerank") */
    const char *model;   /* as the server calls it; TEI has only one: NULL or "" */
    const char *api_key; /* sent as bearer token; NULL or "": none */
    const char *ca_file; /* NULL or "": the system's certificates */
    bool allow_plain_http;
    size_t response_bytes_max;    /* 0 = 1 MiB */
    uint32_t time_min_ms;         /* with less, it is not asked */
    uint32_t breaker_wait_ms;     /* 0 = 5 s */
    struct sl_endpoint_watch watch;
    const atomic_bool *cancelled; /* true: requests under way are given up; NULL: never. Must outlive it */
};

/*
 * Make a reranker that asks the server. Nothing is sent yet.
 *
 * Owns:    caller gets *ret_reranker; close it with sl_reranker_close(). Strings are copied.
 * Thread:  any; score() may then be called by several threads at once.
 * Blocks:  no.
 * Errors:  SL_STOP  exit 78: not a URL, plain http to another machine, an unknown api, no model where one is needed,
 *                   a key that fits no header; 71 memory, threads
 *
 * score(): SL_AGAIN rerank_unavailable (no connection, too late, 408, 429, 5xx), rerank_late (no time to ask),
 * rerank_breaker (it failed three times in a row, or refused us once, and is left alone), rerank_throttled (it asked
 * to be left alone); SL_REJECT rerank_rejected (any other status but 200; redirects are never followed), rerank_broken
 * (not the JSON expected, a passage without a score or with two, too large).
 */
enum sl_err sl_rerank_client_open(const struct sl_rerank_options *options, struct sl_reranker **ret_reranker,
                                  struct sl_error *err);

/* Both accept any reranker, NULL too. Thread: any. */

bool sl_rerank_is_remote(const struct sl_reranker *reranker);

/* What a reload changes. `api_key` NULL: as it was. Errors: SL_STOP exit 78, and the old key stays. */
enum sl_err sl_rerank_renew(const struct sl_reranker *reranker, const char *api_key, struct sl_error *err);

#endif
