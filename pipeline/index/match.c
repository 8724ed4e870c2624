/*
 * match.c -- the chunks of a stored version, and which of them the next version's take over.
 *
 * A new chunk takes over the number of an old one: first of one that shares a window, for its
 * vector and its place in the graph are then kept; then of one with the same terms, for no posting
 * changes; then of any.
 */
#include "index/change.h"

#include <stdlib.h>

#include <sluice/hash.h>

/* ----------------------------------------------------------------------------- what is there */

static struct sl_view keep(struct sl_batch *batch, struct sl_view payload)
{
    return sl_arena_copy(batch->arena, payload);
}

static enum sl_err load_chunk(struct sl_change *change, uint32_t ordinal)
{
    struct sl_batch *batch = change->batch;
    struct sl_key key = sl_key_pair(change->document, ordinal);
    struct sl_old_chunk *old = &change->old[ordinal];
    struct sl_view row, terms;
    struct sl_reader reader;
    enum sl_err rc = sl_txn_get(batch->txn, SL_STORE_CHUNK, sl_key_view(&key), &row, change->err);

    if (rc == SL_OK)
        rc = sl_txn_get(batch->txn, SL_STORE_TERM, sl_key_view(&key), &terms, change->err);
    if (rc == SL_REJECT)
        return sl_corrupt(change->err, "chunk", change->document, "a chunk is missing");
    if (rc != SL_OK)
        return rc;
    old->row = keep(batch, row);
    old->terms = keep(batch, terms);
    if (old->row.data == NULL || old->terms.data == NULL)
        return sl_batch_memory(change->err);
    reader = sl_reader_of(old->row);
    old->head = sl_chunk_head_read(&reader);
    old->windows = SL_NEW_ARRAY(batch->arena, struct sl_window_row, old->head.window_count + 1);
    old->kept = SL_NEW_ARRAY(batch->arena, bool, old->head.window_count + 1);
    if (old->windows == NULL || old->kept == NULL)
        return sl_batch_memory(change->err);
    for (uint32_t i = 0; i < old->head.window_count; i++)
        old->windows[i] = sl_window_read(&reader);
    old->signature =
        (uint64_t)sl_crc32c(0, old->terms.data, old->terms.size) << 32 | (uint32_t)old->terms.size;
    change->window_count += old->head.window_count;
    return reader.bad ? sl_corrupt(change->err, "chunk", change->document, "wrong lengths") : SL_OK;
}

static int compare_windows(const void *a, const void *b)
{
    const struct sl_old_window *x = a, *y = b;
    int order = memcmp(x->hash, y->hash, SL_HASH_BYTES);

    if (order != 0)
        return order;
    return x->chunk != y->chunk ? (x->chunk < y->chunk ? -1 : 1)
                                : (x->window > y->window) - (x->window < y->window);
}

enum sl_err sl_change_load(struct sl_change *change, uint32_t chunk_count)
{
    uint32_t at = 0;
    enum sl_err rc = SL_OK;

    change->old_count = chunk_count;
    change->old = SL_NEW_ARRAY(change->batch->arena, struct sl_old_chunk, chunk_count + 1);
    if (change->old == NULL)
        return sl_batch_memory(change->err);
    for (uint32_t i = 0; i < chunk_count && rc == SL_OK; i++)
        rc = load_chunk(change, i);
    if (rc != SL_OK)
        return rc;
    change->windows =
        SL_NEW_ARRAY(change->batch->arena, struct sl_old_window, change->window_count + 1);
    if (change->windows == NULL)
        return sl_batch_memory(change->err);
    for (uint32_t i = 0; i < chunk_count; i++)
        for (uint32_t w = 0; w < change->old[i].head.window_count; w++) {
            memcpy(change->windows[at].hash, change->old[i].windows[w].hash, SL_HASH_BYTES);
            change->windows[at].chunk = i;
            change->windows[at++].window = w;
        }
    qsort(change->windows, at, sizeof *change->windows, compare_windows);
    return SL_OK;
}

const struct sl_old_window *sl_change_window(const struct sl_change *change,
                                             const uint8_t hash[SL_HASH_BYTES])
{
    uint32_t low = 0, high = change->window_count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (memcmp(change->windows[middle].hash, hash, SL_HASH_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == change->window_count || memcmp(change->windows[low].hash, hash, SL_HASH_BYTES) != 0)
        return NULL;
    return &change->windows[low];
}

/* ---------------------------------------------------------------------------------- matching */

struct signed_chunk {
    uint64_t signature;
    uint32_t index;
};

static int compare_signed(const void *a, const void *b)
{
    const struct signed_chunk *x = a, *y = b;

    if (x->signature != y->signature)
        return x->signature < y->signature ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

static void take(struct sl_change *change, uint32_t fresh, uint32_t old)
{
    change->match[fresh] = old;
    change->old[old].taken = true;
}

static void match_by_window(struct sl_change *change, const struct sl_prepared *prepared)
{
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        for (uint32_t w = 0;
             w < prepared->chunks[i].head.window_count && change->match[i] == SL_CHUNK_NONE; w++) {
            const uint8_t *hash = prepared->chunks[i].windows[w].row.hash;
            const struct sl_old_window *found = sl_change_window(change, hash);
            const struct sl_old_window *end = change->windows + change->window_count;
            for (; found != NULL && found < end && memcmp(found->hash, hash, SL_HASH_BYTES) == 0;
                 found++)
                if (!change->old[found->chunk].taken) {
                    take(change, i, found->chunk);
                    break;
                }
        }
}

static bool match_by_terms(struct sl_change *change, const struct sl_prepared *prepared)
{
    uint32_t count = 0, spare = 0;
    struct signed_chunk *list =
        SL_NEW_ARRAY(change->batch->arena, struct signed_chunk, change->old_count + 1);

    if (list == NULL)
        return false;
    for (uint32_t i = 0; i < change->old_count; i++)
        if (!change->old[i].taken)
            list[count++] = (struct signed_chunk){change->old[i].signature, i};
    qsort(list, count, sizeof *list, compare_signed);
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++) {
        struct sl_view terms = prepared->chunks[i].terms;
        uint64_t signature =
            (uint64_t)sl_crc32c(0, terms.data, terms.size) << 32 | (uint32_t)terms.size;
        uint32_t low = 0, high = count;
        while (change->match[i] == SL_CHUNK_NONE && low < high) {
            uint32_t middle = (low + high) / 2;
            if (list[middle].signature < signature)
                low = middle + 1;
            else
                high = middle;
        }
        for (; change->match[i] == SL_CHUNK_NONE && low < count && list[low].signature == signature;
             low++)
            if (!change->old[list[low].index].taken)
                take(change, i, list[low].index);
    }
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++) {
        while (spare < change->old_count && change->old[spare].taken)
            spare++;
        if (change->match[i] == SL_CHUNK_NONE && spare < change->old_count)
            take(change, i, spare);
    }
    return true;
}

enum sl_err sl_change_match(struct sl_change *change, const struct sl_prepared *prepared)
{
    change->match = SL_NEW_ARRAY(change->batch->arena, uint32_t, prepared->head.chunk_count + 1);
    if (change->match == NULL)
        return sl_batch_memory(change->err);
    for (uint32_t i = 0; i < prepared->head.chunk_count; i++)
        change->match[i] = SL_CHUNK_NONE;
    if (change->leaves)
        return SL_OK;
    match_by_window(change, prepared);
    return match_by_terms(change, prepared) ? SL_OK : sl_batch_memory(change->err);
}
