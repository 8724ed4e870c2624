/*
 * embed_wire.h -- what embedding servers are sent, and what they send back: OpenAI's
 * /v1/embeddings, Ollama's /api/embed, the text-embeddings-inference server's /embed.
 */
#ifndef SLUICE_EMBED_WIRE_H
#define SLUICE_EMBED_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/view.h>

enum sl_embed_api { SL_EMBED_API_OPENAI = 0, SL_EMBED_API_OLLAMA, SL_EMBED_API_TEI };

/*
 * Which one: by its name, or with "auto" by the end of the URL's path: /api/embed is Ollama's,
 * /embed is TEI's, everything else OpenAI's.
 *
 * Pre:     name is auto, openai, ollama or tei.
 */
enum sl_embed_api sl_embed_api_of(const char *name, const char *url);
const char *sl_embed_api_name(enum sl_embed_api api);

/* The whole address from a base. Caller frees; NULL: memory. */
char *sl_embed_api_url(enum sl_embed_api api, const char *url, bool path_empty);

struct sl_embed_batch {
    enum sl_embed_api api;
    const char *model;
    uint32_t dimensions;   /* asked for; 0: the model's own */
    struct sl_view prefix; /* before each text */
    const struct sl_view *texts;
    uint32_t count;
};

/* Append the request's body. Errors: body->failed */
void sl_embed_wire_write(const struct sl_embed_batch *batch, struct sl_buffer *body);

/* No response to `count` texts is longer. */
size_t sl_embed_wire_bytes_max(uint32_t count, uint32_t dim);

/*
 * Read a response: as many vectors as texts, each once and in its place, of `dim` finite numbers
 * that are not all zero; floats or, from OpenAI-compatible servers, base64. They are scaled to
 * length 1.
 *
 * Shape:   vectors is float[count][dim]. With dim 0, count 1: *ret_dim is what came, and vectors
 * NULL. Owns:    nothing. *ret_tokens is what the server counted; 0: it does not say. Thread:  any.
 * Blocks:  CPU: linear. Memory: about 64 bytes a number, and no more numbers than there may be.
 * Errors:  SL_REJECT  bad_response, saying what is wrong with it
 */
enum sl_err sl_embed_wire_read(enum sl_embed_api api, struct sl_view body, uint32_t count,
                               uint32_t dim, float *vectors, uint32_t *ret_dim,
                               uint64_t *ret_tokens, struct sl_error *err);

#endif
