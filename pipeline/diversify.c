/*
 * diversify.c -- results that say something else than those before them (maximal marginal relevance).
 *
 *     next = the greatest of (1 - diversity) x relevance - diversity x likeness to the most alike one taken
 *
 * Relevance is a result's score between those of the best and the worst looked at. Likeness is the cosine of the
 * stored vectors; without vectors, the share of distinct terms two passages have in common. Only a few times k are
 * looked at: diversity from far down the list is noise. Known weakness: a chunk of several windows is judged by its
 * first.
 */
#include <sluice/text.h>

#include <stdlib.h>

#include "retrieve_internal.h"

struct item {
    struct sl_result result;
    const float *vector; /* NULL: none stored */
    struct sl_term_count *terms;
    uint32_t term_count;
    double relevance;
    double likeness; /* to the most alike one taken */
    bool taken;
};

struct diversifying {
    const struct sl_snapshot *snapshot;
    struct sl_arena *arena;
    struct sl_error *err;
    uint32_t dim;
    struct item *items;
    uint32_t count;
};

static enum sl_err no_memory(struct diversifying *d)
{
    return sl_fail(d->err, SL_REJECT, "too_large", "search: needs more memory than one question has");
}

static enum sl_err read_terms(struct diversifying *d, struct item *item, const struct sl_chunk *chunk)
{
    struct sl_document document;
    uint32_t chunks, length;
    enum sl_err e = sl_snapshot_document(d->snapshot, item->result.doc, d->arena, &document, &chunks,
                                         d->err);

    if (e)
        return e;
    return sl_text_terms(sl_view_range(document.text, chunk->byte_start, chunk->byte_end), NULL, d->arena,
                         &item->terms, &item->term_count, &length, d->err);
}

static enum sl_err read_item(struct diversifying *d, struct item *item)
{
    struct sl_chunk chunk;
    float *vector;
    enum sl_err e = sl_snapshot_chunk(d->snapshot, item->result.doc, item->result.chunk, d->arena, &chunk,
                                      d->err);

    if (e)
        return e;
    if (d->dim == 0 || chunk.window_count == 0)
        return read_terms(d, item, &chunk);
    vector = SL_NEW_ARRAY(d->arena, float, d->dim);
    if (vector == NULL)
        return no_memory(d);
    item->vector = vector;
    return sl_snapshot_vector(d->snapshot, item->result.doc, chunk.windows[0].hash, vector, d->err);
}

static double cosine(const float *a, const float *b, uint32_t dim)
{
    double sum = 0;

    for (uint32_t i = 0; i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static int compare_view(struct sl_view a, struct sl_view b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Share of the distinct terms of both that both have. */
static double overlap(const struct item *a, const struct item *b)
{
    uint32_t i = 0, j = 0, common = 0;

    while (i < a->term_count && j < b->term_count) {
        int order = compare_view(a->terms[i].term, b->terms[j].term);
        common += order == 0 ? 1 : 0;
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
    return a->term_count + b->term_count > common
               ? (double)common / (double)(a->term_count + b->term_count - common)
               : 0;
}

static double likeness_of(const struct diversifying *d, const struct item *a, const struct item *b)
{
    return a->vector != NULL && b->vector != NULL ? cosine(a->vector, b->vector, d->dim) : overlap(a, b);
}

static struct item *next_item(struct diversifying *d, double diversity)
{
    struct item *best = NULL;
    double most = 0;

    for (uint32_t i = 0; i < d->count; i++) {
        struct item *item = &d->items[i];
        double value = (1 - diversity) * item->relevance - diversity * item->likeness;
        if (!item->taken && (best == NULL || value > most)) {
            best = item;
            most = value;
        }
    }
    return best;
}

static enum sl_err read_items(struct diversifying *d, const struct sl_result *results)
{
    const float first = results[0].score, last = results[d->count - 1].score;
    enum sl_err e = SL_OK;

    for (uint32_t i = 0; !e && i < d->count; i++) {
        d->items[i].result = results[i];
        d->items[i].relevance =
            first > last ? (double)(results[i].score - last) / (double)(first - last) : 1;
        e = read_item(d, &d->items[i]);
    }
    return e;
}

enum sl_err sl_diversify(const struct sl_snapshot *snapshot, double diversity, uint32_t dim, uint32_t k,
                         struct sl_arena *arena, struct sl_result *results, uint32_t *count,
                         struct sl_error *err)
{
    struct diversifying d = {snapshot, arena, err, dim, NULL, *count};
    float score;
    enum sl_err e;

    SL_PRE(diversity >= 0 && diversity <= 1);
    if (!(diversity > 0) || d.count < 3)
        return SL_OK;
    score = results[0].score;
    d.count = d.count < SL_DIVERSIFY_TIMES * k ? d.count : SL_DIVERSIFY_TIMES * k;
    d.items = SL_NEW_ARRAY(arena, struct item, d.count);
    if (d.items == NULL)
        return no_memory(&d);
    if ((e = read_items(&d, results)))
        return e;
    for (uint32_t place = 0; place < d.count; place++) {
        struct item *item = next_item(&d, diversity);
        item->taken = true;
        results[place] = item->result;
        score = results[place].score < score ? results[place].score : score; /* scores never rise down the list */
        results[place].score = score;
        for (uint32_t i = 0; i < d.count; i++)
            if (!d.items[i].taken) {
                double likeness = likeness_of(&d, &d.items[i], item);
                if (likeness > d.items[i].likeness)
                    d.items[i].likeness = likeness;
            }
    }
    for (uint32_t i = d.count; i < *count; i++)
        results[i].score = results[i].score < score ? results[i].score : score;
    return SL_OK;
}
