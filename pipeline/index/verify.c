/*
 * verify.c -- every record for itself, and all of them against each other.
 *
 * First each record's checksum, table by table, on a cursor that goes on after damage, so that one fault is
 * named and the rest is still looked at. Then the graph (verify_graph.c). Then the documents: from each to
 * its key, chunks, terms, segments, slots and attributes. For the way back, sums: what the chunks say about
 * terms is hashed and added up by segment, and so is what the postings say; equal sums mean that neither
 * side has anything the other lacks, and cost no look-up a term.
 */
#include "index/runs.h"
#include "index/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <sluice/hash.h>

/* Sums by segment, grown on demand. */
struct sums {
    uint64_t *values;
    uint32_t count;
};

struct totals {
    struct sums terms, postings;         /* by segment */
    struct sums attributes, attr_rows;   /* by block   */
    uint64_t documents, copies, spares, chunks, length_terms, keys_live;
    uint64_t segment_entries;
    struct sl_key post; /* the term and run of the block before */
    uint32_t post_last;
};

void sl_verify_fault(struct sl_verify *verify, enum sl_store_table table, const char *format, ...)
{
    char line[320];
    size_t used;
    va_list arguments;

    used = (size_t)snprintf(line, sizeof line, "table %s, ", sl_store_table_name(table));
    va_start(arguments, format);
    (void)vsnprintf(line + used, sizeof line - used, format, arguments);
    va_end(arguments);
    verify->faults++;
    verify->report(verify->context, line);
}

static void sums_add(struct sl_verify *verify, struct sums *sums, uint32_t at, uint64_t value)
{
    if (at >= sums->count) {
        uint32_t count = at + at / 2 + 16;
        uint64_t *values = realloc(sums->values, count * sizeof *values);
        if (values == NULL) {
            verify->no_memory = true;
            return;
        }
        memset(values + sums->count, 0, (count - sums->count) * sizeof *values);
        sums->values = values;
        sums->count = count;
    }
    sums->values[at] += value;
}

static uint64_t sum_at(const struct sums *sums, uint32_t at)
{
    return at < sums->count ? sums->values[at] : 0;
}

/* What one entry of a row adds to the sums. */
static uint64_t entry_hash(struct sl_view name, uint32_t local, uint32_t value)
{
    uint32_t low = sl_crc32c(0, name.data, name.size);
    uint64_t mixed = (uint64_t)sl_crc32c(0x5EED, name.data, name.size) << 32 | low;

    mixed += ((uint64_t)local << 32 | value) * 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

/* ------------------------------------------------------------------------------ each record */

static void name_key(struct sl_view key, char *ret_text, size_t size)
{
    size_t used = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < key.size && i < 40 && used + 5 < size; i++) {
        unsigned char c = (unsigned char)key.data[i];
        used += (size_t)snprintf(ret_text + used, size - used, c > ' ' && c < 0x7F ? "%c" : "\\%02x",
                                 c);
    }
}

typedef void (*record_fn)(struct sl_verify *verify, struct totals *totals, struct sl_view key,
                          struct sl_view payload);

static void each_record(struct sl_verify *verify, enum sl_store_table table, record_fn each,
                        struct totals *totals)
{
    struct sl_cursor cursor = {.handle = NULL};
    struct sl_error err;
    enum sl_err rc = sl_cursor_open(verify->snapshot->txn, table, true, &cursor, &err);

    for (rc = rc == SL_OK ? sl_cursor_seek(&cursor, SL_VIEW_NULL, &err) : rc; rc == SL_OK;
         rc = sl_cursor_next(&cursor, &err)) {
        if (!cursor.intact) {
            char name[128];
            name_key(cursor.key, name, sizeof name);
            sl_verify_fault(verify, table, "key %s: wrong checksum", name);
        } else if (each != NULL) {
            each(verify, totals, cursor.key, cursor.payload);
        }
    }
    if (rc == SL_STOP)
        sl_verify_fault(verify, table, "cannot be read: %s", err.message);
    sl_cursor_close(&cursor);
}

static void check_key(struct sl_verify *verify, struct totals *totals, struct sl_view key,
                      struct sl_view payload)
{
    struct sl_key_row row;
    struct sl_key expected, number;
    struct sl_view document;
    char name[128];

    name_key(key, name, sizeof name);
    if (!sl_key_row_read(payload, &row)) {
        sl_verify_fault(verify, SL_STORE_KEY, "key %s: wrong lengths", name);
        return;
    }
    expected = sl_key_document(row.topic, row.key);
    if (!sl_view_equal(sl_key_view(&expected), key))
        sl_verify_fault(verify, SL_STORE_KEY, "key %s: belongs under another key", name);
    if (row.document == 0)
        return;
    totals->keys_live++;
    number = sl_key_number(row.document);
    if (sl_txn_get_unchecked(verify->snapshot->txn, SL_STORE_DOC, sl_key_view(&number), &document,
                             NULL) != SL_OK)
        sl_verify_fault(verify, SL_STORE_KEY, "key %s: document %u is not there", name,
                        row.document);
}

/* Blocks of one term in one run follow each other: keys, and so calls, are in order. */
static void check_order(struct sl_verify *verify, struct totals *totals,
                        const struct sl_post_key *at, uint32_t last, const char *name)
{
    struct sl_key start = sl_key_post(at->run, at->term);

    if (sl_view_equal(sl_key_view(&start), sl_key_view(&totals->post)) &&
        at->from <= totals->post_last)
        sl_verify_fault(verify, SL_STORE_POST, "key %s: overlaps the block before it", name);
    totals->post = start;
    totals->post_last = last;
}

static uint64_t posting_hash(struct sl_view term, uint32_t chunk, uint32_t count, uint32_t length)
{
    return entry_hash(term, chunk % SL_SEGMENT_CHUNKS, count * SL_LENGTH_CODES + length);
}

static void check_post(struct sl_verify *verify, struct totals *totals, struct sl_view key,
                       struct sl_view payload)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer again = {0};
    struct sl_occurrence list[SL_BLOCK_POSTINGS];
    struct sl_post_key at;
    uint32_t count;
    char name[128];

    name_key(key, name, sizeof name);
    if (!sl_post_key_read(key, &at) || !sl_block_read(payload, at.from, list, &count)) {
        sl_verify_fault(verify, SL_STORE_POST, "key %s: senseless values", name);
        return;
    }
    sl_block_write(&again, at.from, list, count);
    verify->no_memory = verify->no_memory || again.failed;
    if (!again.failed && !sl_view_equal(sl_buffer_as_view(&again), payload))
        sl_verify_fault(verify, SL_STORE_POST, "key %s: bounds are not those of its postings",
                        name);
    check_order(verify, totals, &at, list[count - 1].chunk, name);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t segment = list[i].chunk / SL_SEGMENT_CHUNKS;
        if (sl_run_of(&verify->snapshot->state, segment, at.term) != at.run)
            sl_verify_fault(verify, SL_STORE_POST, "key %s: chunk %u belongs into another run",
                            name, list[i].chunk);
        sums_add(verify, &totals->postings, segment,
                 posting_hash(at.term, list[i].chunk, list[i].count, list[i].length));
    }
}

static void check_attr(struct sl_verify *verify, struct totals *totals, struct sl_view key,
                       struct sl_view payload)
{
    struct sl_posting postings[SL_SEGMENT_CHUNKS];
    uint32_t count, block = key.size > 5 ? sl_get_be32(key.data + key.size - 4) : UINT32_MAX;
    char name[128];

    if (block > UINT32_MAX / SL_SEGMENT_CHUNKS || !sl_postings_read(payload, postings, &count)) {
        name_key(key, name, sizeof name);
        sl_verify_fault(verify, SL_STORE_ATTR, "key %s: senseless values", name);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        sums_add(verify, &totals->attr_rows, block,
                 entry_hash(sl_view_range(key, 0, key.size - 4), postings[i].local, 1));
}

static void check_segment(struct sl_verify *verify, struct totals *totals, struct sl_view key,
                          struct sl_view payload)
{
    struct sl_segment segment;

    if (key.size != 4 || payload.size != sizeof segment) {
        sl_verify_fault(verify, SL_STORE_SEGMENT, "wrong length");
        return;
    }
    memcpy(&segment, payload.data, sizeof segment);
    for (uint32_t i = 0; i < SL_SEGMENT_CHUNKS; i++)
        totals->segment_entries += segment.document[i] != 0;
}

/* Is there a document that is no copy, and has this digest? */
static bool is_original(struct sl_verify *verify, uint32_t number, const uint8_t *digest)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_key key = sl_key_number(number);
    struct sl_document document = {0};
    struct sl_view payload, *attributes;
    struct sl_doc_head head;
    uint8_t own[SL_HASH_BYTES];
    uint32_t count;

    verify->no_memory = verify->no_memory || arena == NULL;
    if (arena == NULL || sl_txn_get(verify->snapshot->txn, SL_STORE_DOC, sl_key_view(&key), &payload,
                                    NULL) != SL_OK ||
        sl_doc_read(payload, arena, &document, &head, NULL) != SL_OK)
        return false;
    attributes = sl_attr_keys(&document, arena, &count);
    verify->no_memory = verify->no_memory || attributes == NULL;
    return attributes != NULL && sl_doc_head_original(&head) == 0 &&
           sl_copy_digest(&document, attributes, count, own) &&
           memcmp(own, digest, sizeof own) == 0;
}

static void check_original(struct sl_verify *verify, struct totals *totals, struct sl_view key,
                           struct sl_view payload)
{
    uint32_t number = payload.size == 4 ? sl_get_be32(payload.data) : 0;

    (void)totals;
    if (key.size != SL_HASH_BYTES || number == 0)
        sl_verify_fault(verify, SL_STORE_ORIGINAL, "senseless values");
    else if (!is_original(verify, number, (const uint8_t *)key.data))
        sl_verify_fault(verify, SL_STORE_ORIGINAL,
                        "document %u: is not there, or not what copies of it are", number);
}

static void check_position(struct sl_verify *verify, struct totals *totals, struct sl_view key,
                           struct sl_view payload)
{
    struct sl_reader reader = sl_reader_of(payload);
    int64_t next = (int64_t)sl_read_u64(&reader);
    char name[128];
    uint32_t count;

    (void)totals;
    (void)sl_read_bytes(&reader, 28);
    count = sl_read_u32(&reader);
    if (!reader.bad && next >= 0 && (size_t)(reader.end - reader.at) == count * (size_t)16)
        return;
    name_key(key, name, sizeof name);
    sl_verify_fault(verify, SL_STORE_POSITION, "key %s: senseless values", name);
}

/* --------------------------------------------------------------------------- each document */

static void check_windows(struct sl_verify *verify, struct sl_reader *reader, uint32_t document,
                          const struct sl_chunk_head *head)
{
    const struct sl_graph *graph = verify->graph;

    for (uint32_t i = 0; i < head->window_count; i++) {
        struct sl_window_row window = sl_window_read(reader);
        verify->windows++;
        if (graph == NULL)
            continue;
        if (window.slot >= graph->slot_end || graph->slots[window.slot].state != SL_SLOT_LIVE ||
            graph->slots[window.slot].chunk != head->number ||
            graph->slots[window.slot].document != document)
            sl_verify_fault(verify, SL_STORE_CHUNK,
                            "document %u: slot %u of a window holds no vector of it", document,
                            window.slot);
    }
}

static void check_terms(struct sl_verify *verify, struct totals *totals, uint32_t document,
                        uint32_t ordinal, const struct sl_chunk_head *head)
{
    struct sl_key key = sl_key_pair(document, ordinal);
    struct sl_view payload;
    struct sl_reader reader;
    struct sl_term_row row;
    uint64_t length = 0;

    if (sl_txn_get(verify->snapshot->txn, SL_STORE_TERM, sl_key_view(&key), &payload, NULL) !=
        SL_OK) {
        sl_verify_fault(verify, SL_STORE_TERM, "document %u, chunk %u: missing or damaged",
                        document, ordinal);
        return;
    }
    reader = sl_reader_of(payload);
    while (sl_terms_next(&reader, &row)) {
        length += row.count;
        sums_add(verify, &totals->terms, head->number / SL_SEGMENT_CHUNKS,
                 posting_hash(row.term, head->number, row.count,
                              sl_length_code(head->length_terms)));
    }
    if (reader.bad || reader.at != reader.end || length != head->length_terms)
        sl_verify_fault(verify, SL_STORE_TERM, "document %u, chunk %u: does not add up to %u terms",
                        document, ordinal, head->length_terms);
}

static void check_place(struct sl_verify *verify, uint32_t document, uint32_t ordinal,
                        const struct sl_chunk_head *head)
{
    struct sl_key key = sl_key_number(head->number / SL_SEGMENT_CHUNKS);
    uint32_t local = head->number % SL_SEGMENT_CHUNKS;
    struct sl_segment segment;
    struct sl_view payload;

    if (sl_txn_get_unchecked(verify->snapshot->txn, SL_STORE_SEGMENT, sl_key_view(&key), &payload,
                             NULL) != SL_OK ||
        payload.size != sizeof segment) {
        sl_verify_fault(verify, SL_STORE_SEGMENT, "number %u: missing",
                        head->number / SL_SEGMENT_CHUNKS);
        return;
    }
    memcpy(&segment, payload.data, sizeof segment);
    if (segment.document[local] != document || segment.ordinal[local] != ordinal ||
        segment.length[local] != head->length_terms)
        sl_verify_fault(verify, SL_STORE_SEGMENT,
                        "number %u: chunk %u is not chunk %u of document %u there",
                        head->number / SL_SEGMENT_CHUNKS, head->number, ordinal, document);
}

static void check_chunk(struct sl_verify *verify, struct totals *totals, uint32_t document,
                        uint32_t ordinal, size_t text_bytes)
{
    struct sl_key key = sl_key_pair(document, ordinal);
    struct sl_chunk_head head;
    struct sl_reader reader;
    struct sl_view payload;

    if (sl_txn_get(verify->snapshot->txn, SL_STORE_CHUNK, sl_key_view(&key), &payload, NULL) !=
        SL_OK) {
        sl_verify_fault(verify, SL_STORE_CHUNK, "document %u, chunk %u: missing or damaged",
                        document, ordinal);
        return;
    }
    reader = sl_reader_of(payload);
    head = sl_chunk_head_read(&reader);
    check_windows(verify, &reader, document, &head);
    if (reader.bad || reader.at != reader.end || head.byte_start > head.byte_end ||
        head.byte_end > text_bytes)
        sl_verify_fault(verify, SL_STORE_CHUNK, "document %u, chunk %u: senseless values",
                        document, ordinal);
    check_place(verify, document, ordinal, &head);
    check_terms(verify, totals, document, ordinal, &head);
    totals->length_terms += head.length_terms;
}

static void check_attributes(struct sl_verify *verify, struct totals *totals, uint32_t number,
                             const struct sl_document *document, struct sl_arena *arena)
{
    uint32_t count;
    struct sl_view *keys = sl_attr_keys(document, arena, &count);

    verify->no_memory = verify->no_memory || keys == NULL;
    for (uint32_t i = 0; keys != NULL && i < count; i++)
        sums_add(verify, &totals->attributes, number / SL_SEGMENT_CHUNKS,
                 entry_hash(keys[i], number % SL_SEGMENT_CHUNKS, 1));
}

static bool is_near_original(struct sl_verify *verify, uint32_t number, uint32_t original)
{
    struct sl_key key = sl_key_number(original);
    struct sl_view payload;
    struct sl_doc_head head;
    bool like = false;

    return sl_txn_get(verify->snapshot->txn, SL_STORE_DOC, sl_key_view(&key), &payload, NULL) == SL_OK &&
           sl_doc_head_read(payload, &head) && sl_doc_head_original(&head) == 0 &&
           sl_near_are_like(verify->snapshot->txn, original, number, &like, NULL) == SL_OK && like;
}

static void check_band(struct sl_verify *verify, struct totals *totals, struct sl_view key,
                       struct sl_view payload)
{
    struct sl_key number = {.size = 4};
    struct sl_doc_head head;
    struct sl_view document;

    (void)totals;
    (void)payload;
    if (key.size != 12) {
        sl_verify_fault(verify, SL_STORE_BAND, "a key of another length");
        return;
    }
    memcpy(number.bytes, key.data + 8, 4);
    if (sl_txn_get_unchecked(verify->snapshot->txn, SL_STORE_DOC, sl_key_view(&number), &document,
                             NULL) != SL_OK ||
        !sl_doc_head_read(document, &head) || sl_doc_head_original(&head) != 0)
        sl_verify_fault(verify, SL_STORE_BAND, "document %u: is not there, or a copy",
                        sl_get_be32(number.bytes));
}

static void check_copy(struct sl_verify *verify, struct totals *totals, uint32_t number,
                       uint32_t original, const struct sl_document *document, struct sl_arena *arena)
{
    struct sl_key key = sl_key_pair(original, number);
    uint8_t digest[SL_HASH_BYTES];
    struct sl_view payload, *attributes;
    uint32_t count;
    bool near = false;

    totals->copies++;
    (void)sl_copy_is_near(verify->snapshot->txn, number, &near, NULL);
    totals->spares += near;
    attributes = sl_attr_keys(document, arena, &count);
    verify->no_memory = verify->no_memory || attributes == NULL;
    if (sl_txn_get(verify->snapshot->txn, SL_STORE_COPY, sl_key_view(&key), &payload, NULL) != SL_OK)
        sl_verify_fault(verify, SL_STORE_COPY, "document %u: no row says it is a copy of %u", number,
                        original);
    if (near ? !is_near_original(verify, number, original)
             : attributes == NULL || !sl_copy_digest(document, attributes, count, digest) ||
                   !is_original(verify, original, digest))
        sl_verify_fault(verify, SL_STORE_DOC,
                        "document %u: a copy of %u, which is not there or not the same", number,
                        original);
}

static void check_document(struct sl_verify *verify, struct totals *totals, struct sl_view key,
                           struct sl_view payload)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_document document = {0};
    struct sl_doc_head head;
    struct sl_key_row row;
    struct sl_key name;
    struct sl_view found;
    uint32_t number = key.size == 4 ? sl_get_be32(key.data) : 0;

    if (arena == NULL) {
        verify->no_memory = true;
        return;
    }
    if (number == 0 || sl_doc_read(payload, arena, &document, &head, NULL) != SL_OK) {
        sl_verify_fault(verify, SL_STORE_DOC, "document %u: senseless values", number);
        return;
    }
    name = sl_key_document(document.topic, document.key);
    if (sl_txn_get(verify->snapshot->txn, SL_STORE_KEY, sl_key_view(&name), &found, NULL) !=
            SL_OK ||
        !sl_key_row_read(found, &row) || row.document != number)
        sl_verify_fault(verify, SL_STORE_KEY, "document %u: its key does not lead to it", number);
    totals->documents++;
    if (sl_doc_head_original(&head) != 0)
        check_copy(verify, totals, number, sl_doc_head_original(&head), &document, arena);
    totals->chunks += head.chunk_count;
    for (uint32_t i = 0; i < head.chunk_count; i++)
        check_chunk(verify, totals, number, i, document.text.size);
    check_attributes(verify, totals, number, &document, arena);
}

/* ---------------------------------------------------------------------------------- together */

static void compare_sums(struct sl_verify *verify, enum sl_store_table table, const struct sums *a,
                         const struct sums *b, const char *what)
{
    uint32_t count = a->count > b->count ? a->count : b->count;

    for (uint32_t i = 0; i < count; i++)
        if (sum_at(a, i) != sum_at(b, i))
            sl_verify_fault(verify, table, "segment %u: does not agree with %s", i, what);
}

static void compare_count(struct sl_verify *verify, enum sl_store_table table, const char *what,
                          uint64_t here, uint64_t expected)
{
    if (here != expected)
        sl_verify_fault(verify, table, "%s: %llu, the documents give %llu", what,
                        (unsigned long long)here, (unsigned long long)expected);
}

static uint64_t rows_of(const struct sl_verify *verify, enum sl_store_table table)
{
    uint64_t rows = 0;

    (void)sl_txn_count(verify->snapshot->txn, table, &rows, NULL);
    return rows;
}

static void compare_totals(struct sl_verify *verify, const struct totals *totals)
{
    const struct sl_state *state = &verify->snapshot->state;

    compare_sums(verify, SL_STORE_POST, &totals->postings, &totals->terms,
                 "the terms of its chunks");
    compare_sums(verify, SL_STORE_ATTR, &totals->attr_rows, &totals->attributes,
                 "the fields of its documents");
    compare_count(verify, SL_STORE_META, "key state, chunks", state->chunks, totals->chunks);
    compare_count(verify, SL_STORE_META, "key state, terms", state->terms_total,
                  totals->length_terms);
    compare_count(verify, SL_STORE_KEY, "rows of documents", totals->keys_live,
                  totals->documents);
    compare_count(verify, SL_STORE_COPY, "rows", rows_of(verify, SL_STORE_COPY), totals->copies);
    compare_count(verify, SL_STORE_SPARE, "rows", rows_of(verify, SL_STORE_SPARE), totals->spares);
    compare_count(verify, SL_STORE_CHUNK, "rows", rows_of(verify, SL_STORE_CHUNK),
                  totals->chunks);
    compare_count(verify, SL_STORE_TERM, "rows", rows_of(verify, SL_STORE_TERM), totals->chunks);
    compare_count(verify, SL_STORE_SEGMENT, "chunks", totals->segment_entries, totals->chunks);
    if (verify->graph != NULL)
        compare_count(verify, SL_STORE_LINK, "live slots", verify->graph->live, verify->windows);
}

static bool name_quarantined(void *context, const struct sl_quarantined *document)
{
    char name[128];

    name_key(document->key, name, sizeof name);
    sl_verify_fault(context, SL_STORE_NOTE,
                    "document %s: it was damaged and taken out; its record is offset %lld of %.*s/%d",
                    name, (long long)document->offset, SL_VIEW_ARG(document->topic),
                    (int)document->partition);
    return true;
}

static void verify_snapshot(struct sl_verify *verify)
{
    static const struct {
        enum sl_store_table table;
        record_fn each;
    } passes[] = {{SL_STORE_META, NULL},        {SL_STORE_POSITION, check_position},
                  {SL_STORE_KEY, check_key},    {SL_STORE_CHUNK, NULL},
                  {SL_STORE_TERM, NULL},        {SL_STORE_POST, check_post},
                  {SL_STORE_SEGMENT, check_segment}, {SL_STORE_ATTR, check_attr},
                  {SL_STORE_VECTOR, NULL},      {SL_STORE_LINK, NULL},
                  {SL_STORE_UPLINK, NULL},      {SL_STORE_LOG, NULL},
                  {SL_STORE_OUTBOX, NULL},      {SL_STORE_REPLY, NULL},
                  {SL_STORE_NOTE, NULL},        {SL_STORE_ORIGINAL, check_original},
                  {SL_STORE_COPY, NULL},        {SL_STORE_BAND, check_band},
                  {SL_STORE_SPARE, NULL}};
    struct totals totals = {0};

    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        each_record(verify, passes[i].table, passes[i].each, &totals);
    if (verify->snapshot->format.dim > 0)
        sl_verify_graph(verify);
    each_record(verify, SL_STORE_DOC, check_document, &totals);
    compare_totals(verify, &totals);
    (void)sl_snapshot_quarantined(verify->snapshot, name_quarantined, verify, NULL);
    free(totals.terms.values);
    free(totals.postings.values);
    free(totals.attributes.values);
    free(totals.attr_rows.values);
    (void)sl_graph_drop(verify->graph);
}

enum sl_err sl_index_verify(struct sl_index *index, sl_report_fn report, void *context,
                            uint64_t *ret_faults, struct sl_error *err)
{
    struct sl_verify verify = {.report = report, .context = context};
    struct sl_snapshot *snapshot;
    struct sl_error local;
    enum sl_err rc = sl_snapshot_open(index, &snapshot, &local);

    if (rc == SL_STOP && local.exit_code == SL_EXIT_DATA) {
        report(context, local.message); /* not even the state can be read */
        *ret_faults = 1;
        return SL_OK;
    }
    if (rc != SL_OK) {
        if (err != NULL)
            *err = local;
        return rc;
    }
    verify.snapshot = snapshot;
    verify_snapshot(&verify);
    (void)sl_snapshot_close(snapshot);
    if (verify.no_memory)
        return sl_batch_memory(err);
    *ret_faults = verify.faults;
    return SL_OK;
}
