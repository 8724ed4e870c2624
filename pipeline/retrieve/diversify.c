/*
 * diversify.c -- results that say something else than those before them (maximal marginal relevance).
 *
 *     next = the greatest of (1 - diversity) x relevance - diversity x likeness to the most alike one taken
 *
 * Relevance is a result's score between those of the best and the worst looked at. Likeness is the cosine of the
 * stored vectors; without vectors, the share of distinct terms two passages have in common, from the terms stored with
 * them. Only a few times k are looked at, and only k places are given: diversity from far down the list is noise.
 *
 * Likeness to the most alike one only grows with each one taken, so a value from an earlier look is a bound: the
 * greatest bound is brought up to date, and when it stays the greatest it is the next one. Most results are never
 * compared with most others, and the terms of many are never read. The order is exactly that of looking at all.
 *
 * Known weakness: a chunk of several windows is judged by its first.
 */
#include <math.h>
#include <stdlib.h>

#include "retrieve_internal.h"
#include "text/text_internal.h"

#define FNV_OFFSET 0xCBF29CE484222325u
#define FNV_PRIME  0x100000001B3u

struct item {
    struct sl_result result;
    bool read;
    const float *vector; /* NULL: none stored */
    uint64_t *terms;     /* [term_count] hashes, rising; NULL: not read yet */
    uint32_t term_count;
    uint32_t seen; /* how many of those taken it was compared with */
    double relevance;
    double likeness; /* to the most alike one of these */
    bool taken;
};

struct diversifying {
    const struct sl_snapshot *snapshot;
    struct sl_arena *arena;
    struct sl_error *err;
    double diversity;
    uint32_t dim;
    struct item *items;
    uint32_t count;
    struct item **taken; /* [taken_count] */
    uint32_t taken_count;
};

uint32_t sl_diversify_count(uint32_t k)
{
    uint32_t more = SL_DIVERSIFY_TIMES * k < SL_DIVERSIFY_MAX ? SL_DIVERSIFY_TIMES * k : SL_DIVERSIFY_MAX;

    return more > k ? more : k;
}

static enum sl_err no_memory(struct diversifying *d)
{
    return sl_fail(d->err, SL_REJECT, "too_large", "search: needs more memory than one question has");
}

/* ------------------------------------------------------------------------------------- reading */

static uint64_t hash_of(struct sl_view term)
{
    uint64_t hash = FNV_OFFSET;

    for (size_t i = 0; i < term.size; i++)
        hash = (hash ^ (unsigned char)term.data[i]) * FNV_PRIME;
    return hash;
}

static enum sl_err read_terms(struct diversifying *d, struct item *item)
{
    struct sl_term_count *terms;
    uint32_t count, length;
    enum sl_err e = sl_snapshot_terms(d->snapshot, item->result.doc, item->result.chunk, d->arena, &terms,
                                      &count, &length, d->err);

    if (e)
        return e;
    item->terms = SL_NEW_ARRAY(d->arena, uint64_t, count + 1);
    if (item->terms == NULL)
        return no_memory(d);
    for (uint32_t i = 0; i < count; i++)
        item->terms[i] = hash_of(terms[i].term);
    qsort(item->terms, count, sizeof *item->terms, sl_compare_hashes);
    item->term_count = count;
    return SL_OK;
}

static enum sl_err read_vector(struct diversifying *d, struct item *item)
{
    struct sl_chunk chunk;
    float *vector;
    enum sl_err e = sl_snapshot_chunk(d->snapshot, item->result.doc, item->result.chunk, d->arena, &chunk,
                                      d->err);

    if (e || chunk.window_count == 0)
        return e;
    vector = SL_NEW_ARRAY(d->arena, float, d->dim);
    if (vector == NULL)
        return no_memory(d);
    item->vector = vector;
    return sl_snapshot_vector(d->snapshot, item->result.doc, chunk.windows[0].hash, vector, d->err);
}

static enum sl_err read_item(struct diversifying *d, struct item *item)
{
    if (item->read || d->dim == 0)
        return SL_OK;
    item->read = true;
    return read_vector(d, item);
}

/* ------------------------------------------------------------------------------------ likeness */

static double cosine(const float *a, const float *b, uint32_t dim)
{
    double sum = 0;

    for (uint32_t i = 0; i < dim; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Share of the distinct terms of both that both have. */
static double overlap(const struct item *a, const struct item *b)
{
    uint32_t i = 0, j = 0, common = 0;

    while (i < a->term_count && j < b->term_count) {
        const uint64_t x = a->terms[i], y = b->terms[j];
        common += x == y;
        i += x <= y;
        j += y <= x;
    }
    return a->term_count + b->term_count > common
               ? (double)common / (double)(a->term_count + b->term_count - common)
               : 0;
}

static enum sl_err compare(struct diversifying *d, struct item *a, struct item *b, double *ret)
{
    enum sl_err e;

    if ((e = read_item(d, a)) || (e = read_item(d, b)))
        return e;
    if (a->vector != NULL && b->vector != NULL) {
        *ret = cosine(a->vector, b->vector, d->dim);
        return SL_OK;
    }
    if ((a->terms == NULL && (e = read_terms(d, a))) || (b->terms == NULL && (e = read_terms(d, b))))
        return e;
    *ret = overlap(a, b);
    return SL_OK;
}

/* ------------------------------------------------------------------------------------ choosing */

/* What an item is worth, or more: as of its last look at those taken. */
static double bound_of(const struct diversifying *d, const struct item *item)
{
    return (1 - d->diversity) * item->relevance - d->diversity * item->likeness;
}

/* The greatest bound, the first of equals; *ret_rest is the greatest of the others. */
static struct item *greatest(const struct diversifying *d, double *ret_rest)
{
    struct item *best = NULL;
    double most = 0;

    *ret_rest = -INFINITY;
    for (uint32_t i = 0; i < d->count; i++) {
        double value = d->items[i].taken ? 0 : bound_of(d, &d->items[i]);
        if (d->items[i].taken)
            continue;
        if (best == NULL || value > most) {
            *ret_rest = best != NULL ? most : *ret_rest;
            best = &d->items[i];
            most = value;
        } else if (value > *ret_rest) {
            *ret_rest = value;
        }
    }
    return best;
}

/* Compare it with those taken since, as long as it may still be the next. */
static enum sl_err look_again(struct diversifying *d, struct item *item, double rest)
{
    enum sl_err e = SL_OK;

    while (!e && item->seen < d->taken_count && bound_of(d, item) >= rest) {
        double likeness = 0;
        e = compare(d, item, d->taken[item->seen++], &likeness);
        item->likeness = likeness > item->likeness ? likeness : item->likeness;
    }
    return e;
}

static enum sl_err take_next(struct diversifying *d)
{
    double rest;
    struct item *item = greatest(d, &rest);
    enum sl_err e = SL_OK;

    while (!e && item->seen < d->taken_count) {
        e = look_again(d, item, rest);
        item = greatest(d, &rest);
    }
    item->taken = true;
    d->taken[d->taken_count++] = item;
    return e;
}

static void read_relevance(struct diversifying *d, const struct sl_result *results)
{
    const float first = results[0].score, last = results[d->count - 1].score;

    for (uint32_t i = 0; i < d->count; i++)
        d->items[i] = (struct item){
            .result = results[i],
            .relevance = first > last ? (double)(results[i].score - last) / (double)(first - last) : 1};
}

/* Those taken, then the others in their order. */
static void write_order(const struct diversifying *d, struct sl_result *results, uint32_t count)
{
    uint32_t place = d->taken_count;
    float score = results[0].score;

    for (uint32_t i = 0; i < d->taken_count; i++)
        results[i] = d->taken[i]->result;
    for (uint32_t i = 0; i < d->count; i++)
        if (!d->items[i].taken)
            results[place++] = d->items[i].result;
    for (uint32_t i = 0; i < count; i++) { /* scores never rise down the list */
        score = results[i].score < score ? results[i].score : score;
        results[i].score = score;
    }
}

enum sl_err sl_diversify(const struct sl_snapshot *snapshot, double diversity, uint32_t dim, uint32_t k,
                         struct sl_arena *arena, struct sl_result *results, uint32_t count,
                         struct sl_error *err)
{
    struct diversifying d = {.snapshot = snapshot, .arena = arena, .err = err, .diversity = diversity, .dim = dim};
    enum sl_err e = SL_OK;

    SL_PRE(diversity >= 0 && diversity <= 1);
    if (!(diversity > 0) || count < 3)
        return SL_OK;
    d.count = count < sl_diversify_count(k) ? count : sl_diversify_count(k);
    d.items = SL_NEW_ARRAY(arena, struct item, d.count);
    d.taken = SL_NEW_ARRAY(arena, struct item *, d.count);
    if (d.items == NULL || d.taken == NULL)
        return no_memory(&d);
    read_relevance(&d, results);
    while (!e && d.taken_count < k && d.taken_count < d.count)
        e = take_next(&d);
    if (!e)
        write_order(&d, results, count);
    return e;
}
