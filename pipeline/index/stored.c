/*
 * stored.c -- what a batch finds stored of a key, and changes of it: its row, its document, its attributes.
 *
 * Which version is newer: of one partition, the higher offset; of two (the topic grew, and the key moved),
 * the later timestamp, then partition, then offset. A deletion carries no timestamp and counts as later.
 * What came from Kafka is never undone by an import. A doubtful version (sweep.c) loses to whatever comes
 * from the log: its offset belongs to another history.
 */
#include "index/internal.h"

/* -------------------------------------------------------------------------------- attributes */

static bool attribute_delta(struct sl_batch *batch, uint32_t document, struct sl_view attribute,
                            bool add)
{
    char *key = sl_arena_alloc(batch->arena, attribute.size + 4);

    if (key == NULL)
        return false;
    memcpy(key, attribute.data, attribute.size);
    sl_put_be32(key + attribute.size, document / SL_SEGMENT_CHUNKS);
    sl_deltas_add(&batch->deltas, SL_STORE_ATTR, (struct sl_view){key, attribute.size + 4},
                  document % SL_SEGMENT_CHUNKS, add ? 1 : 0, 0);
    return true;
}

enum sl_err sl_batch_attributes(struct sl_batch *batch, uint32_t document, const struct sl_view *old,
                                uint32_t old_count, const struct sl_view *fresh,
                                uint32_t new_count, struct sl_error *err)
{
    uint32_t i = 0, j = 0;
    bool good = true;

    while (good && (i < old_count || j < new_count)) {
        int order = i == old_count ? 1 : j == new_count ? -1 : 0;
        if (order == 0) {
            size_t common = old[i].size < fresh[j].size ? old[i].size : fresh[j].size;
            order = memcmp(old[i].data, fresh[j].data, common);
            if (order == 0)
                order = (old[i].size > fresh[j].size) - (old[i].size < fresh[j].size);
        }
        if (order < 0)
            good = attribute_delta(batch, document, old[i], false);
        else if (order > 0)
            good = attribute_delta(batch, document, fresh[j], true);
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
    return good ? SL_OK : sl_batch_memory(err);
}

/* ------------------------------------------------------------------------------- documents */

enum sl_err sl_batch_load(struct sl_batch *batch, uint32_t number, struct sl_stored *ret_stored,
                          struct sl_error *err)
{
    struct sl_key key = sl_key_number(number);
    struct sl_document document = {0};
    struct sl_stored stored = {.number = number};
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(batch->txn, SL_STORE_DOC, sl_key_view(&key), &payload, err);

    if (rc == SL_REJECT)
        return sl_corrupt(err, "doc", number, "missing");
    if (rc == SL_OK)
        rc = sl_doc_read(payload, batch->arena, &document, &stored.head, err);
    if (rc == SL_REJECT)
        return sl_batch_memory(err);
    if (rc != SL_OK)
        return rc;
    stored.attributes = sl_attr_keys(&document, batch->arena, &stored.attribute_count);
    if (stored.attributes == NULL)
        return sl_batch_memory(err);
    stored.has_digest = sl_copy_digest(&document, stored.attributes, stored.attribute_count,
                                       stored.digest);
    *ret_stored = stored;
    return SL_OK;
}

/* ---------------------------------------------------------------------------------- versions */

bool sl_key_row_is_newer(const struct sl_key_row *row, const struct sl_key_row *stored)
{
    if (row->offset < 0 || stored->offset < 0)
        return stored->offset < 0;
    if (stored->doubtful)
        return true;
    if (row->partition == stored->partition)
        return row->offset > stored->offset;
    if (row->timestamp_ms < 0 || stored->timestamp_ms < 0)
        return true;
    if (row->timestamp_ms != stored->timestamp_ms)
        return row->timestamp_ms > stored->timestamp_ms;
    return row->partition > stored->partition;
}

enum sl_err sl_txn_find_row(struct sl_txn *txn, struct sl_view topic, struct sl_view name,
                            struct sl_key_row *ret_stored, struct sl_error *err)
{
    struct sl_key key = sl_key_document(topic, name);
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(txn, SL_STORE_KEY, sl_key_view(&key), &payload, err);

    if (rc == SL_OK && !sl_key_row_read(payload, ret_stored))
        return sl_corrupt(err, "key", 0, "wrong lengths");
    return rc;
}

enum sl_err sl_batch_put_row(struct sl_batch *batch, const struct sl_key_row *row,
                             struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_key key = sl_key_document(row->topic, row->key);
    enum sl_err rc = sl_batch_came_again(batch, row->topic, row->key, err);

    sl_key_row_write(&buffer, row);
    if (rc == SL_OK && buffer.failed)
        return sl_batch_memory(err);
    return rc == SL_OK ? sl_txn_put(batch->txn, SL_STORE_KEY, sl_key_view(&key),
                                    sl_buffer_as_view(&buffer), err)
                       : rc;
}

enum sl_err sl_batch_drop_document(struct sl_batch *batch, const struct sl_stored *stored,
                                   struct sl_error *err)
{
    struct sl_key key = sl_key_number(stored->number);
    enum sl_err rc = sl_batch_attributes(batch, stored->number, stored->attributes,
                                         stored->attribute_count, NULL, 0, err);

    batch->touched = true;
    if (rc == SL_OK)
        rc = sl_txn_delete(batch->txn, SL_STORE_DOC, sl_key_view(&key), NULL, err);
    if (rc == SL_OK)
        sl_numbers_give(&batch->index->documents, stored->number);
    return rc;
}
