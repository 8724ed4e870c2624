/* embedder.c -- what every encoder shares: what it says of itself, the length of its vectors, the
 * end of it. */
#include <sluice/embed.h>

#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "embed/embedder_internal.h"

#define NORM_MIN 1e-12

struct sl_embedder *sl_embedder_close(struct sl_embedder *embedder)
{
    if (embedder != NULL)
        embedder->ops->close(embedder);
    return NULL;
}

void sl_embedder_set_about(struct sl_embedder *embedder, const char *kind, const char *query_prefix,
                           const char *passage_prefix)
{
    (void)snprintf(embedder->about, sizeof embedder->about,
                   "%s, %u dimensions, %u tokens a window, query prefix \"%.60s\", passage prefix "
                   "\"%.60s\"",
                   kind, embedder->dim, embedder->token_limit, query_prefix, passage_prefix);
}

void sl_embedder_scale(float *vector, uint32_t dim)
{
    double norm = 0;
    float factor;

    for (uint32_t i = 0; i < dim; i++)
        norm += (double)vector[i] * (double)vector[i];
    norm = sqrt(norm);
    factor = (float)(1.0 / norm);
    for (uint32_t i = 0; i < dim; i++)
        vector[i] = norm > NORM_MIN ? vector[i] * factor : (float)(1.0 / sqrt(dim));
}
