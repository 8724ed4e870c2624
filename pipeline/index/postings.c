/*
 * postings.c -- what a batch changes of terms and attributes; and the rows of attributes.
 *
 *     row = count, then for each: difference to the number before, value (all variable length)
 *
 * A batch collects its changes and merges them row by row when it commits, sorted by key: each row is read
 * and written once however many documents of the batch share it. Terms are runs.c's. For attributes, documents
 * are cut into blocks of 1,024, and the block is part of the key: a document that changes touches one row an
 * attribute, however large the index is.
 *
 * Rejected: one row an attribute (a frequent one is rewritten whole with each document), DUPSORT (see store.c).
 */
#include "index/internal.h"

#include <stdlib.h>

void sl_deltas_add(struct sl_deltas *deltas, enum sl_store_table table, struct sl_view key,
                   uint32_t local, uint32_t value, uint32_t length)
{
    if (deltas->count == deltas->capacity) {
        uint32_t capacity = deltas->capacity * 2 + 1024;
        struct sl_delta *list = realloc(deltas->list, capacity * sizeof *list);
        if (list == NULL) {
            deltas->failed = true;
            return;
        }
        deltas->list = list;
        deltas->capacity = capacity;
    }
    deltas->list[deltas->count] = (struct sl_delta){.key_at = (uint32_t)deltas->keys.size,
                                                    .key_size = (uint16_t)key.size,
                                                    .local = local,
                                                    .value = value,
                                                    .order = deltas->count,
                                                    .table = (uint8_t)table,
                                                    .length = (uint8_t)length};
    deltas->count++;
    sl_buffer_view(&deltas->keys, key);
    deltas->failed = deltas->failed || deltas->keys.failed;
}

void sl_deltas_fini(struct sl_deltas *deltas)
{
    free(deltas->list);
    sl_buffer_fini(&deltas->keys);
    *deltas = (struct sl_deltas){0};
}

static struct sl_view key_of(const struct sl_deltas *deltas, const struct sl_delta *delta)
{
    return (struct sl_view){deltas->keys.data + delta->key_at, delta->key_size};
}

struct sl_view sl_delta_key(const struct sl_deltas *deltas, uint32_t at)
{
    return key_of(deltas, &deltas->list[at]);
}

static int compare_keys(struct sl_view a, struct sl_view b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.data, b.data, common);

    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_deltas(const void *a, const void *b, void *context)
{
    const struct sl_delta *x = a, *y = b;
    int order;

    if (x->table != y->table)
        return x->table < y->table ? -1 : 1;
    order = compare_keys(key_of(context, x), key_of(context, y));
    if (order != 0)
        return order;
    if (x->local != y->local)
        return x->local < y->local ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

bool sl_postings_read(struct sl_view payload, struct sl_posting *ret_postings, uint32_t *ret_count)
{
    struct sl_reader reader = sl_reader_of(payload);
    uint32_t count = sl_read_varint(&reader), local = 0;

    if (reader.bad || count == 0 || count > SL_SEGMENT_CHUNKS)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t step = sl_read_varint(&reader);
        local += step;
        if ((i > 0 && step == 0) || local >= SL_SEGMENT_CHUNKS)
            return false;
        ret_postings[i].local = local;
        ret_postings[i].value = sl_read_varint(&reader);
        if (ret_postings[i].value == 0)
            return false;
    }
    *ret_count = count;
    return !reader.bad && reader.at == reader.end;
}

/* Changes of one row (sorted; the last of one number counts) into the row. */
static uint32_t merge(const struct sl_posting *old, uint32_t old_count,
                      const struct sl_delta *deltas, uint32_t delta_count,
                      struct sl_posting *ret_merged)
{
    uint32_t at = 0, count = 0;

    for (uint32_t i = 0; i < delta_count; i++) {
        if (i + 1 < delta_count && deltas[i + 1].local == deltas[i].local)
            continue;
        while (at < old_count && old[at].local < deltas[i].local)
            ret_merged[count++] = old[at++];
        if (at < old_count && old[at].local == deltas[i].local)
            at++;
        if (deltas[i].value > 0)
            ret_merged[count++] = (struct sl_posting){deltas[i].local, deltas[i].value};
    }
    while (at < old_count)
        ret_merged[count++] = old[at++];
    return count;
}

static enum sl_err merge_row(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                             const struct sl_delta *deltas, uint32_t delta_count,
                             struct sl_buffer *buffer, struct sl_error *err)
{
    struct sl_posting old[SL_SEGMENT_CHUNKS], merged[SL_SEGMENT_CHUNKS];
    struct sl_view payload;
    uint32_t old_count = 0, count, before = 0;
    enum sl_err rc = sl_txn_get(txn, table, key, &payload, err);

    if (rc == SL_STOP)
        return rc;
    if (rc == SL_OK && !sl_postings_read(payload, old, &old_count))
        return sl_corrupt(err, sl_store_table_name(table), 0, "a row of senseless values");
    count = merge(old, old_count, deltas, delta_count, merged);
    if (count == 0)
        return rc == SL_OK ? sl_txn_delete(txn, table, key, NULL, err) : SL_OK;
    buffer->size = 0;
    sl_write_varint(buffer, count);
    for (uint32_t i = 0; i < count; i++) {
        sl_write_varint(buffer, merged[i].local - before);
        sl_write_varint(buffer, merged[i].value);
        before = merged[i].local;
    }
    if (buffer->failed)
        return sl_batch_memory(err);
    return sl_txn_put(txn, table, key, sl_buffer_as_view(buffer), err);
}

/* From `first` to before `end`: changes of attributes. */
static enum sl_err merge_rows(struct sl_deltas *deltas, uint32_t first, uint32_t end,
                              struct sl_txn *txn, struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    enum sl_err rc = SL_OK;

    for (uint32_t at = first, next; rc == SL_OK && at < end; at = next) {
        struct sl_view key = sl_delta_key(deltas, at);
        for (next = at + 1; next < end && sl_view_equal(sl_delta_key(deltas, next), key); next++)
            ;
        rc = merge_row(txn, (enum sl_store_table)deltas->list[at].table, key, deltas->list + at,
                       next - at, &buffer, err);
    }
    return rc;
}

enum sl_err sl_deltas_flush(struct sl_deltas *deltas, struct sl_txn *txn, uint64_t *changes,
                            struct sl_error *err)
{
    uint32_t terms = 0;
    enum sl_err rc;

    if (deltas->failed)
        return sl_batch_memory(err);
    if (deltas->count == 0)
        return SL_OK;
    qsort_r(deltas->list, deltas->count, sizeof *deltas->list, compare_deltas, deltas);
    _Static_assert(SL_STORE_POST < SL_STORE_ATTR, "terms are sorted before attributes");
    while (terms < deltas->count && deltas->list[terms].table == SL_STORE_POST)
        terms++;
    rc = sl_runs_change(deltas, 0, terms, txn, err);
    if (rc == SL_OK)
        rc = merge_rows(deltas, terms, deltas->count, txn, err);
    *changes += terms;
    deltas->count = 0;
    deltas->keys.size = 0;
    return rc;
}
