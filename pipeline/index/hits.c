/*
 * hits.c -- the k best chunks so far, as a sorted array.
 *
 * k is small and most candidates fall short of the worst kept, so one comparison decides nearly always. A
 * heap would save moves that hardly happen, and its order would have to be made in the end anyway.
 */
#include "index/internal.h"

bool sl_hit_before(const struct sl_hit *a, const struct sl_hit *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    return a->doc != b->doc ? a->doc < b->doc : a->chunk < b->chunk;
}

static void take_out(struct sl_hit *hits, uint32_t *count, uint32_t at)
{
    (*count)--;
    memmove(hits + at, hits + at + 1, (*count - at) * sizeof *hits);
}

void sl_hits_add(struct sl_hit *hits, uint32_t *count, uint32_t k, struct sl_hit hit, bool unique)
{
    uint32_t at;

    if (*count == k && !sl_hit_before(&hit, &hits[k - 1]))
        return;
    for (at = 0; unique && at < *count; at++)
        if (hits[at].doc == hit.doc && hits[at].chunk == hit.chunk) {
            if (!sl_hit_before(&hit, &hits[at]))
                return;
            take_out(hits, count, at);
        }
    if (*count == k)
        (*count)--;
    for (at = *count; at > 0 && sl_hit_before(&hit, &hits[at - 1]); at--)
        hits[at] = hits[at - 1];
    hits[at] = hit;
    (*count)++;
}
