/*
 * rerank_client.h -- struct sl_reranker over a server's /rerank.
 */
#ifndef SLUICE_RERANK_CLIENT_H
#define SLUICE_RERANK_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include <sluice/embed.h>

struct sl_rerank_options {
    const char *api;     /* auto, tei, jina, cohere, llamacpp */
    const char *url;     /* base ("https://host") or whole (".../rerank") */
    const char *model;   /* as the server calls it; TEI has only one: NULL or "" */
    const char *api_key; /* sent as bearer token; NULL or "": none */
    const char *ca_file; /* NULL or "": the system's certificates */
    bool allow_plain_http;
    size_t response_bytes_max;    /* 0 = 1 MiB */
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
 * score(): SL_AGAIN rerank_unavailable (no connection, too late, 408, 429, 5xx); SL_REJECT rerank_rejected (any other
 * status but 200; redirects are never followed), rerank_broken (not the JSON expected, a passage without a score or
 * with two, too large).
 */
enum sl_err sl_rerank_client_open(const struct sl_rerank_options *options, struct sl_reranker **ret_reranker,
                                  struct sl_error *err);

#endif
