/* embedder.c -- what every encoder shares: the end of it. */
#include <sluice/embed.h>

#include <stddef.h>

struct sl_embedder *sl_embedder_close(struct sl_embedder *embedder)
{
    if (embedder != NULL)
        embedder->ops->close(embedder);
    return NULL;
}
