/*
 * copies.c -- documents that are the same but for their key: one of them is indexed, the others hang on it.
 *
 * The problem: files are mailed around, pages are mirrored. Each copy would be cut, embedded and indexed, and the
 * copies of one text can fill the candidates of a question. But every one of them is a document of its own that may
 * be replaced or deleted, the first no later than the others.
 *
 * The idea: a copy is stored whole (its record, its key's row, its attributes) and has no chunks; its record says
 * whose it shares. What a filter or an answer's date could see is the same by definition: text, title, date,
 * validity, language, tenant, topic and metadata; only key and url may differ. When the original goes, its NUMBER goes
 * to a copy: record, row and attributes of the copy move under that number. Chunks, vectors, links and postings refer
 * to the number, so none of them is touched, nothing is embedded, and it happens in the transaction of the deletion.
 * The rows of the other copies name the number, so they stay as they are.
 *
 *     original   digest of what copies have in common -> number of the document they hang on
 *     copy       (number, number of a copy) -> nothing
 *
 * What is nearly a copy hangs on another in the same way, and brings chunks of its own when it takes over (near.c).
 *
 * Both are kept by the writer alone. A worker's look at a snapshot only saves work: the batch decides.
 *
 * Rejected: one node of the graph with several owners, as pgvector has for equal vectors (chunks, postings and
 * lengths would still be stored for each, BM25 would count a text as often as it is mirrored, and the results are
 * full of copies); a table of vectors by the hash of their text (saves embedding, nothing else); dropping the copy
 * (its deletion, or the original's, loses the text).
 *
 * Known weakness: the copy that takes over is the one of the least number, which is the oldest unless numbers were
 * used again. Documents stored while collapsing was off are nobody's originals until they come again.
 */
#include "index/internal.h"

#include <stdlib.h>

#include <sluice/hash.h>

/* -------------------------------------------------------------------------------------- digest */

static bool is_of_field(struct sl_view attribute, struct sl_view field)
{
    return attribute.size > field.size && (size_t)(unsigned char)attribute.data[0] == field.size &&
           memcmp(attribute.data + 1, field.data, field.size) == 0;
}

bool sl_copy_digest(const struct sl_document *document, const struct sl_view *attributes,
                    uint32_t count, uint8_t ret_digest[SL_HASH_BYTES])
{
    uint32_t media = (uint32_t)document->text_media;
    struct sl_sha256 *state;
    uint8_t digest[32];

    if (document->vector != NULL)
        return false;
    state = sl_sha256_begin();
    sl_sha256_add(state, &media, sizeof media);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t size = attributes[i].size;
        if (is_of_field(attributes[i], SL_VIEW("key")) || is_of_field(attributes[i], SL_VIEW("url")))
            continue;
        sl_sha256_add(state, &size, sizeof size);
        sl_sha256_add(state, attributes[i].data, attributes[i].size);
    }
    sl_sha256_add(state, "", 1);
    sl_sha256_add(state, document->text.data, document->text.size);
    sl_sha256_end(state, digest);
    memcpy(ret_digest, digest, SL_HASH_BYTES);
    return true;
}

static struct sl_view digest_view(const uint8_t digest[SL_HASH_BYTES])
{
    return (struct sl_view){(const char *)digest, SL_HASH_BYTES};
}

/* ---------------------------------------------------------------------------------------- names */

static enum sl_err get_name(struct sl_txn *txn, const uint8_t digest[SL_HASH_BYTES],
                            uint32_t *ret_document, struct sl_error *err)
{
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(txn, SL_STORE_ORIGINAL, digest_view(digest), &payload, err);

    if (rc == SL_OK && payload.size != 4)
        return sl_corrupt(err, "original", 0, "wrong length");
    if (rc == SL_OK)
        *ret_document = sl_get_be32(payload.data);
    return rc;
}

enum sl_err sl_copy_original(struct sl_batch *batch, const uint8_t digest[SL_HASH_BYTES],
                             uint32_t *ret_original, struct sl_error *err)
{
    enum sl_err rc = get_name(batch->txn, digest, ret_original, err);

    if (rc == SL_REJECT)
        *ret_original = 0;
    return rc == SL_REJECT ? SL_OK : rc;
}

enum sl_err sl_copy_name(struct sl_batch *batch, const uint8_t digest[SL_HASH_BYTES],
                         uint32_t document, struct sl_error *err)
{
    struct sl_key number = sl_key_number(document);

    return sl_txn_put(batch->txn, SL_STORE_ORIGINAL, digest_view(digest), sl_key_view(&number), err);
}

enum sl_err sl_copy_unname(struct sl_batch *batch, const struct sl_stored *stored,
                           struct sl_error *err)
{
    uint32_t named = 0;
    enum sl_err rc = SL_REJECT;

    if (stored->has_digest)
        rc = get_name(batch->txn, stored->digest, &named, err);
    if (rc == SL_OK && named == stored->number)
        rc = sl_txn_delete(batch->txn, SL_STORE_ORIGINAL, digest_view(stored->digest), NULL, err);
    return rc == SL_STOP ? rc : sl_near_unname(batch, stored->number, err);
}

/* --------------------------------------------------------------------------------------- copies */

enum sl_err sl_copy_drop(struct sl_batch *batch, uint32_t original, uint32_t document,
                         struct sl_error *err)
{
    struct sl_key key = sl_key_pair(original, document), spare = sl_key_number(document);
    enum sl_err rc = sl_txn_delete(batch->txn, SL_STORE_COPY, sl_key_view(&key), NULL, err);

    return rc == SL_OK ? sl_txn_delete(batch->txn, SL_STORE_SPARE, sl_key_view(&spare), NULL, err) : rc;
}

enum sl_err sl_copy_next(struct sl_txn *txn, uint32_t original, uint32_t after, uint32_t *ret_copy,
                         struct sl_error *err)
{
    struct sl_key first = sl_key_pair(original, after + 1);
    struct sl_cursor cursor;
    enum sl_err rc = sl_cursor_open(txn, SL_STORE_COPY, false, &cursor, err);

    if (rc != SL_OK)
        return rc;
    rc = sl_cursor_seek(&cursor, sl_key_view(&first), err);
    if (rc == SL_OK && cursor.key.size != 8)
        rc = sl_corrupt(err, "copy", original, "a key of another length");
    else if (rc == SL_OK && sl_get_be32(cursor.key.data) != original)
        rc = SL_REJECT;
    if (rc == SL_OK)
        *ret_copy = sl_get_be32(cursor.key.data + 4);
    sl_cursor_close(&cursor);
    return rc;
}

enum sl_err sl_copy_is_near(struct sl_txn *txn, uint32_t copy, bool *ret_near, struct sl_error *err)
{
    struct sl_key key = sl_key_number(copy);
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(txn, SL_STORE_SPARE, sl_key_view(&key), &payload, err);

    *ret_near = rc == SL_OK;
    return rc == SL_REJECT ? SL_OK : rc;
}

enum sl_err sl_copy_heir(struct sl_txn *txn, uint32_t original, uint32_t *ret_copy, bool *ret_near,
                         struct sl_error *err)
{
    uint32_t first, at;
    enum sl_err rc = sl_copy_next(txn, original, 0, &first, err);

    *ret_near = false;
    if (rc != SL_OK)
        return rc;
    *ret_copy = first;
    for (at = first; rc == SL_OK; rc = sl_copy_next(txn, original, at, &at, err)) {
        rc = sl_copy_is_near(txn, at, ret_near, err);
        if (rc != SL_OK)
            return rc;
        if (!*ret_near) {
            *ret_copy = at;
            return SL_OK;
        }
    }
    return rc == SL_REJECT ? SL_OK : rc;
}

/* A document's record with another head. */
static enum sl_err put_record(struct sl_batch *batch, uint32_t number, struct sl_view record,
                              const struct sl_doc_head *head, struct sl_error *err)
{
    struct sl_key key = sl_key_number(number);
    char *bytes = sl_arena_alloc(batch->arena, record.size);

    if (bytes == NULL)
        return sl_batch_memory(err);
    memcpy(bytes, record.data, record.size);
    sl_doc_head_set(bytes, head);
    return sl_txn_put(batch->txn, SL_STORE_DOC, sl_key_view(&key),
                      (struct sl_view){bytes, record.size}, err);
}

enum sl_err sl_copy_insert(struct sl_batch *batch, struct sl_prepared *prepared, uint32_t original,
                           uint32_t number, struct sl_error *err)
{
    struct sl_doc_head head = prepared->head;
    struct sl_key key = sl_key_pair(original, number);
    enum sl_err rc;

    sl_doc_head_copy(&head, original);
    rc = put_record(batch, number, prepared->document, &head, err);
    if (rc == SL_OK)
        rc = sl_batch_attributes(batch, number, NULL, 0, prepared->attributes,
                                 prepared->attribute_count, err);
    if (rc == SL_OK)
        rc = sl_txn_put(batch->txn, SL_STORE_COPY, sl_key_view(&key), SL_VIEW(""), err);
    prepared->row.document = number;
    return rc == SL_OK ? sl_batch_put_row(batch, &prepared->row, err) : rc;
}

/* The row of the copy's key leads to the number it has now. */
static enum sl_err move_row(struct sl_batch *batch, const struct sl_document *document,
                            uint32_t number, struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_key key = sl_key_document(document->topic, document->key);
    struct sl_key_row row;
    enum sl_err rc = sl_txn_find_row(batch->txn, document->topic, document->key, &row, err);

    if (rc == SL_REJECT)
        return sl_corrupt(err, "key", number, "of a copy: missing");
    if (rc != SL_OK)
        return rc;
    row.document = number;
    sl_key_row_write(&buffer, &row);
    if (buffer.failed)
        return sl_batch_memory(err);
    return sl_txn_put(batch->txn, SL_STORE_KEY, sl_key_view(&key), sl_buffer_as_view(&buffer), err);
}

enum sl_err sl_copy_promote(struct sl_batch *batch, const struct sl_stored *gone, uint32_t copy,
                            struct sl_error *err)
{
    struct sl_doc_head head = gone->head;
    struct sl_document document = {0};
    struct sl_stored stored;
    struct sl_key key = sl_key_number(copy);
    struct sl_view record;
    enum sl_err rc = sl_batch_load(batch, copy, &stored, err);

    if (rc == SL_OK)
        rc = sl_txn_get(batch->txn, SL_STORE_DOC, sl_key_view(&key), &record, err);
    if (rc != SL_OK)
        return rc;
    record = sl_arena_copy(batch->arena, record);
    if (record.data == NULL)
        return sl_batch_memory(err);
    rc = sl_doc_read(record, batch->arena, &document, NULL, err);
    if (rc != SL_OK)
        return rc;
    memcpy(head.content_hash, stored.head.content_hash, sizeof head.content_hash);
    rc = put_record(batch, gone->number, record, &head, err);
    if (rc == SL_OK)
        rc = sl_batch_attributes(batch, gone->number, gone->attributes, gone->attribute_count,
                                 stored.attributes, stored.attribute_count, err);
    if (rc == SL_OK)
        rc = move_row(batch, &document, gone->number, err);
    if (rc == SL_OK)
        rc = sl_copy_drop(batch, gone->number, copy, err);
    return rc == SL_OK ? sl_batch_drop_document(batch, &stored, err) : rc;
}

/* -------------------------------------------------------------------------------------- reading */

enum sl_err sl_snapshot_original(const struct sl_snapshot *snapshot, sl_doc_id doc,
                                 sl_doc_id *ret_original, struct sl_error *err)
{
    struct sl_key key = sl_key_number((uint32_t)doc);
    struct sl_doc_head head;
    struct sl_view payload;
    uint32_t original;
    enum sl_err rc = sl_txn_get(snapshot->txn, SL_STORE_DOC, sl_key_view(&key), &payload, err);

    if (rc == SL_OK && !sl_doc_head_read(payload, &head))
        rc = sl_corrupt(err, "doc", doc, "wrong lengths");
    if (rc != SL_OK)
        return rc;
    original = sl_doc_head_original(&head);
    *ret_original = original != 0 ? original : doc;
    return SL_OK;
}

enum sl_err sl_snapshot_copies(const struct sl_snapshot *snapshot, sl_doc_id doc,
                               uint32_t *ret_count, struct sl_error *err)
{
    struct sl_key first = sl_key_pair((uint32_t)doc, 0);
    struct sl_cursor cursor;
    enum sl_err rc = sl_cursor_open(snapshot->txn, SL_STORE_COPY, false, &cursor, err);

    *ret_count = 0;
    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, sl_key_view(&first), err);
         rc == SL_OK && cursor.key.size == 8 && memcmp(cursor.key.data, first.bytes, 4) == 0;
         rc = sl_cursor_next(&cursor, err))
        ++*ret_count;
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

enum sl_err sl_snapshot_copy_next(const struct sl_snapshot *snapshot, sl_doc_id doc,
                                  const struct sl_selection *selection, sl_doc_id after,
                                  sl_doc_id *ret_copy, struct sl_error *err)
{
    uint32_t copy = (uint32_t)after;
    enum sl_err rc;

    do
        rc = sl_copy_next(snapshot->txn, (uint32_t)doc, copy, &copy, err);
    while (rc == SL_OK && selection != NULL && !sl_selection_has(selection, copy));
    if (rc == SL_REJECT)
        return sl_fail(err, SL_REJECT, "not_found", "index: no more copies");
    *ret_copy = copy;
    return rc;
}

enum sl_err sl_copy_get(const struct sl_snapshot *snapshot, enum sl_store_table table,
                        sl_doc_id doc, uint32_t chunk, struct sl_view *ret_payload,
                        struct sl_error *err)
{
    struct sl_key key = sl_key_pair((uint32_t)doc, chunk);
    enum sl_err rc = sl_txn_get(snapshot->txn, table, sl_key_view(&key), ret_payload, err);
    sl_doc_id original;

    if (rc != SL_REJECT)
        return rc;
    rc = sl_snapshot_original(snapshot, doc, &original, err);
    if (rc != SL_OK || original == doc)
        return rc == SL_OK ? SL_REJECT : rc;
    key = sl_key_pair((uint32_t)original, chunk);
    return sl_txn_get(snapshot->txn, table, sl_key_view(&key), ret_payload, err);
}

enum sl_err sl_snapshot_same(const struct sl_snapshot *snapshot, const struct sl_document *document,
                             struct sl_arena *arena, sl_doc_id *ret_doc, struct sl_error *err)
{
    uint8_t digest[SL_HASH_BYTES];
    struct sl_view *attributes;
    uint32_t count, found = 0;
    enum sl_err rc = SL_REJECT;

    if (snapshot->index->duplicates != SL_DUPLICATES_KEEP) {
        attributes = sl_attr_keys(document, arena, &count);
        if (attributes == NULL)
            return sl_fail(err, SL_REJECT, "too_large",
                           "the document needs more memory than one may take");
        if (sl_copy_digest(document, attributes, count, digest))
            rc = get_name(snapshot->txn, digest, &found, err);
    }
    if (rc == SL_REJECT)
        return sl_fail(err, SL_REJECT, "not_found", "index: no document is the same");
    *ret_doc = found;
    return rc;
}
