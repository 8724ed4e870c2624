/*
 * llm_client.h -- struct sl_generator over an OpenAI-compatible chat endpoint.
 */
#ifndef SLUICE_LLM_CLIENT_H
#define SLUICE_LLM_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>

#include <sluice/respond.h>

struct sl_llm_options {
    const char *url;     /* base ("https://host/v1") or whole (".../chat/completions") */
    const char *model;   /* as the endpoint calls it */
    const char *api_key; /* sent as bearer token; NULL or "": none */
    uint32_t max_tokens; /* of one answer; 0 = 512 */
    bool allow_plain_http;     /* http beyond loopback: keys and documents in the clear */
    size_t response_bytes_max; /* 0 = 1 MiB */
    const struct sl_clock *clock;
    const atomic_bool *cancelled; /* true: requests under way are given up; NULL: never. Must outlive it */
};

/*
 * Make a generator that posts to the endpoint. Nothing is sent yet.
 *
 * Owns:    caller gets *ret_generator; close it with sl_llm_close(). Strings are copied; `clock` must
 *          outlive it.
 * Thread:  any; generate() may then be called by several threads at once.
 * Blocks:  no.
 * Errors:  SL_STOP  exit 78: not a URL, another scheme than http(s), plain http to another machine, a
 *                   name or password in the URL, no model, a key that fits no header; memory
 *
 * generate(): SL_AGAIN llm_unavailable (no connection, too late, 408, 429, 5xx); SL_REJECT llm_rejected
 * (any other status but 200; redirects are never followed), llm_broken (not the JSON expected, too large).
 */
enum sl_err sl_llm_open(const struct sl_llm_options *options, struct sl_generator **ret_generator,
                        struct sl_error *err);

/* Free it, wiping the key. NULL is fine. Always returns NULL. */
struct sl_generator *sl_llm_close(struct sl_generator *generator);

#endif
