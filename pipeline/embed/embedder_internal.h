/*
 * embedder_internal.h -- what the embedders of a model directory share.
 */
#ifndef SLUICE_EMBED_EMBEDDER_INTERNAL_H
#define SLUICE_EMBED_EMBEDDER_INTERNAL_H

#include <sluice/embed.h>

/* Say what it is: "KIND; limit 254 tokens; query prefix "query: "". Pre: dim and token_limit are
 * set. */
void sl_embedder_set_about(struct sl_embedder *embedder, const char *kind, const char *query_prefix,
                           const char *passage_prefix);

/* Divide the vector by its length; one without any direction becomes that of equal components. */
void sl_embedder_scale(float *vector, uint32_t dim);

#endif
