/*
 * compact.c -- the index written anew as a whole: beside itself (compaction), or elsewhere (a backup).
 *
 * The problem: LMDB never gives pages back to the file system, deleted documents and vectors stay on free pages
 * and in dead slots until something is written over them, and pages filled in random order are two thirds full.
 *
 * The idea: copy one snapshot, record by record in key order, into an environment of its own. Each record's
 * checksum is compared on the way, so damage is found and never copied. Live slots are numbered anew without
 * gaps: chunks name the new numbers, link slabs hold the new links, vector slabs hold live vectors and zeros,
 * and there is no log. What was deleted is not in what is copied; nothing has to be wiped.
 *
 * A compaction loads the graph from the new environment before it is put into use, so what was written has been
 * read once. Then CURRENT is swapped, and index->store and index->graph with it. Snapshots begun before own the
 * old ones, and the last of them removes the old files.
 *
 * Rejected: mdb_env_copy2 (copies dead slots and damage alike, and compacting it starts a thread), wiping in
 * place (each wiped page is copied first: the bytes would lie on another free page).
 *
 * Known weakness: the copy takes as much disk again while it is made, and the snapshot it reads keeps LMDB from
 * using pages again: a backup during heavy writing grows the file.
 */
#include "index/internal.h"

#include <stdlib.h>

#define COMMIT_BYTES   (32u << 20) /* dirty pages are held in memory until then */
#define PROGRESS_BYTES (1u << 20)
#define SPARE_BYTES    (4u << 20) /* of a new environment: tables' roots, pages freed between commits */

struct rewrite {
    struct sl_index *index;
    struct sl_txn *from;
    struct sl_store *to;
    struct sl_txn *txn;     /* of `to` */
    struct sl_graph *graph; /* as `from` sees it; NULL: no vectors */
    uint32_t *numbers;      /* per slot of it: the new number, or SL_SLOT_NONE */
    struct sl_state state;
    uint64_t done_bytes;
    uint64_t total_bytes;
    uint64_t since_commit_bytes;
    uint64_t since_progress_bytes;
    sl_progress_fn progress;
    void *context;
    struct sl_error *err;
};

/* ----------------------------------------------------------------------------------- writing */

/* `bytes` more are written: tell, and commit from time to time. */
static enum sl_err advance(struct rewrite *rewrite, size_t bytes)
{
    enum sl_err rc;
    bool first = rewrite->done_bytes == 0;

    rewrite->done_bytes += bytes;
    rewrite->since_commit_bytes += bytes;
    rewrite->since_progress_bytes += bytes;
    if (first || rewrite->since_progress_bytes >= PROGRESS_BYTES) {
        rewrite->since_progress_bytes = 0;
        if (rewrite->progress != NULL &&
            !rewrite->progress(rewrite->context, rewrite->done_bytes, rewrite->total_bytes))
            return sl_fail(rewrite->err, SL_AGAIN, "cancelled", "the index was not written anew: "
                           "stopped on request");
    }
    if (rewrite->since_commit_bytes < COMMIT_BYTES)
        return SL_OK;
    rewrite->since_commit_bytes = 0;
    rc = sl_txn_commit(SL_TAKE(rewrite->txn), rewrite->err);
    return rc == SL_OK ? sl_txn_begin(rewrite->to, true, &rewrite->txn, rewrite->err) : rc;
}

static enum sl_err append(struct rewrite *rewrite, enum sl_store_table table, struct sl_view key,
                          struct sl_view payload)
{
    enum sl_err rc = sl_txn_append(rewrite->txn, table, key, payload, rewrite->err);

    return rc == SL_OK ? advance(rewrite, key.size + payload.size) : rc;
}

/* ------------------------------------------------------------------------------------ tables */

/* A chunk's row with the slots of its windows numbered anew. */
static enum sl_err append_chunk(struct rewrite *rewrite, struct sl_view key, struct sl_view payload)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_reader reader = sl_reader_of(payload);
    struct sl_chunk_head head = sl_chunk_head_read(&reader);
    uint32_t document = key.size == 8 ? sl_get_be32(key.data) : 0;

    sl_chunk_head_write(&buffer, &head);
    for (uint32_t i = 0; i < head.window_count; i++) {
        struct sl_window_row window = sl_window_read(&reader);
        if (window.slot >= rewrite->graph->slot_end ||
            rewrite->numbers[window.slot] == SL_SLOT_NONE)
            return sl_corrupt(rewrite->err, "chunk", document,
                              "a window names a slot without vector");
        window.slot = rewrite->numbers[window.slot];
        sl_window_write(&buffer, &window);
    }
    if (buffer.failed)
        return sl_batch_memory(rewrite->err);
    if (reader.bad || buffer.size != payload.size)
        return sl_corrupt(rewrite->err, "chunk", document, "wrong lengths");
    return append(rewrite, SL_STORE_CHUNK, key, sl_buffer_as_view(&buffer));
}

static enum sl_err copy_table(struct rewrite *rewrite, enum sl_store_table table)
{
    bool number_anew = table == SL_STORE_CHUNK && rewrite->graph != NULL;
    struct sl_cursor cursor;
    enum sl_err rc = sl_cursor_open(rewrite->from, table, false, &cursor, rewrite->err);

    if (rc != SL_OK)
        return rc;
    rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, rewrite->err);
    while (rc == SL_OK) {
        rc = number_anew ? append_chunk(rewrite, cursor.key, cursor.payload)
                         : append(rewrite, table, cursor.key, cursor.payload);
        if (rc != SL_OK)
            break;
        rc = sl_cursor_next(&cursor, rewrite->err);
        if (rc == SL_REJECT) {
            sl_cursor_close(&cursor);
            return SL_OK;
        }
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

/* Everything but the graph, and meta, which comes last. */
static enum sl_err copy_tables(struct rewrite *rewrite)
{
    static const enum sl_store_table tables[] = {
        SL_STORE_POSITION, SL_STORE_KEY,  SL_STORE_DOC,    SL_STORE_CHUNK, SL_STORE_TERM, SL_STORE_POST,
        SL_STORE_SEGMENT,  SL_STORE_ATTR, SL_STORE_OUTBOX, SL_STORE_REPLY, SL_STORE_NOTE,
        SL_STORE_ORIGINAL, SL_STORE_COPY, SL_STORE_BAND, SL_STORE_SPARE};
    enum sl_err rc = SL_OK;

    for (size_t i = 0; rc == SL_OK && i < sizeof tables / sizeof *tables; i++)
        rc = copy_table(rewrite, tables[i]);
    return rc;
}

static enum sl_err copy_meta(struct rewrite *rewrite)
{
    struct sl_view format;
    enum sl_err rc =
        sl_txn_get(rewrite->from, SL_STORE_META, SL_VIEW("format"), &format, rewrite->err);

    if (rc == SL_OK)
        rc = append(rewrite, SL_STORE_META, SL_VIEW("format"), format);
    if (rc == SL_OK)
        rc = append(rewrite, SL_STORE_META, SL_VIEW("state"),
                    (struct sl_view){(const char *)&rewrite->state, sizeof rewrite->state});
    return rc;
}

/* ------------------------------------------------------------------------------------- graph */

/* The live slots, in their order, without the gaps. */
static bool number_slots(struct rewrite *rewrite)
{
    const struct sl_graph *graph = rewrite->graph;
    uint32_t count = 0;

    rewrite->numbers = malloc((graph->slot_end + 1u) * sizeof *rewrite->numbers);
    if (rewrite->numbers == NULL)
        return false;
    for (uint32_t i = 0; i < graph->slot_end; i++)
        rewrite->numbers[i] = graph->slots[i].state == SL_SLOT_LIVE ? count++ : SL_SLOT_NONE;
    rewrite->state.slot_end = count;
    rewrite->state.entry =
        graph->entry != SL_SLOT_NONE ? rewrite->numbers[graph->entry] : SL_SLOT_NONE;
    rewrite->state.root =
        graph->root != SL_SLOT_NONE ? rewrite->numbers[graph->root] : SL_SLOT_NONE;
    rewrite->state.log_bytes = 0;
    return true;
}

/* Slot `from` of the old graph as slot `to` of the new one, but for its vector. */
static bool copy_slot(const struct rewrite *rewrite, struct sl_graph *fresh, uint32_t from,
                      uint32_t to)
{
    struct sl_graph *graph = rewrite->graph;
    const struct sl_slot *old = &graph->slots[from];

    fresh->slots[to] = (struct sl_slot){
        .chunk = old->chunk,
        .document = old->document,
        .parent = old->parent != SL_SLOT_NONE ? rewrite->numbers[old->parent] : SL_SLOT_NONE,
        .death = SL_EPOCH_NEVER,
        .state = SL_SLOT_LIVE};
    if (!sl_graph_upper_make(fresh, to, old->level))
        return false;
    for (uint32_t level = 0; level <= old->level; level++) {
        const uint32_t *list = sl_graph_list(graph, from, level);
        uint32_t *links = sl_graph_list(fresh, to, level);
        links[0] = list[0];
        for (uint32_t i = 1; i <= list[0]; i++)
            links[i] = rewrite->numbers[list[i]];
    }
    return true;
}

static enum sl_err write_links(struct rewrite *rewrite, struct sl_graph *fresh)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; i < rewrite->graph->slot_end; i++)
        if (rewrite->numbers[i] != SL_SLOT_NONE &&
            !copy_slot(rewrite, fresh, i, rewrite->numbers[i]))
            return sl_batch_memory(rewrite->err);
    for (uint32_t slab = 0; rc == SL_OK && slab < sl_graph_link_slabs(fresh); slab++) {
        rc = sl_graph_write_links(fresh, slab, rewrite->txn, rewrite->err);
        if (rc == SL_OK)
            rc = advance(rewrite, sl_graph_link_slab_bytes(fresh));
    }
    return rc;
}

/* Slab after slab: filled with live vectors on the heap, written, let go. */
static enum sl_err write_vectors(struct rewrite *rewrite, struct sl_graph *fresh)
{
    struct sl_graph *graph = rewrite->graph;
    uint32_t from = 0, in_slab = 1u << fresh->slab_shift;
    enum sl_err rc = SL_OK;

    for (uint32_t slab = 0; rc == SL_OK && slab < sl_graph_slabs(fresh); slab++) {
        uint32_t end = (slab + 1) * in_slab < fresh->slot_end ? (slab + 1) * in_slab : fresh->slot_end;
        if (sl_graph_slab_edit(fresh, slab) == NULL)
            return sl_batch_memory(rewrite->err);
        for (uint32_t to = slab * in_slab; to < end; from++)
            if (rewrite->numbers[from] == to)
                sl_graph_vector_copy(graph, from, fresh, to++);
        if (atomic_load(&graph->damaged) != 0)
            return sl_corrupt(rewrite->err, "vec", atomic_load(&graph->damaged) - 1,
                              "wrong checksum");
        rc = sl_graph_write_vectors(fresh, slab, rewrite->txn, rewrite->err);
        sl_graph_slab_release(fresh, slab);
        if (rc == SL_OK)
            rc = advance(rewrite, sl_graph_vector_slab_bytes(fresh));
    }
    return rc;
}

static enum sl_err write_graph(struct rewrite *rewrite)
{
    struct sl_index *index = rewrite->index;
    struct sl_graph *fresh =
        sl_graph_new(&index->format, index->ef_construction, index->map_bytes);
    enum sl_err rc;

    if (fresh == NULL || !sl_graph_grow(fresh, rewrite->state.slot_end)) {
        (void)sl_graph_drop(fresh);
        return sl_batch_memory(rewrite->err);
    }
    fresh->slot_end = rewrite->state.slot_end;
    rc = write_vectors(rewrite, fresh);
    if (rc == SL_OK)
        rc = write_links(rewrite, fresh);
    (void)sl_graph_drop(fresh);
    return rc;
}

/* ------------------------------------------------------------------------------------- whole */

/* Copy all of `from` into `to`, committed and synced. */
static enum sl_err rewrite_all(struct rewrite *rewrite)
{
    enum sl_err rc;

    if (rewrite->graph != NULL && !number_slots(rewrite))
        return sl_batch_memory(rewrite->err);
    rc = sl_txn_begin(rewrite->to, true, &rewrite->txn, rewrite->err);
    if (rc == SL_OK && rewrite->graph != NULL)
        rc = write_graph(rewrite);
    if (rc == SL_OK)
        rc = copy_tables(rewrite);
    if (rc == SL_OK)
        rc = copy_meta(rewrite);
    if (rc == SL_OK)
        rc = sl_txn_commit(SL_TAKE(rewrite->txn), rewrite->err);
    rewrite->txn = sl_txn_abort(rewrite->txn);
    free(rewrite->numbers);
    rewrite->numbers = NULL;
    return rc;
}

static enum sl_err measure(struct rewrite *rewrite, struct sl_rewritten *ret_rewritten)
{
    struct sl_store_stats stats;
    enum sl_err rc = sl_txn_stats(rewrite->from, &stats, rewrite->err);

    if (rc == SL_OK)
        rc = sl_index_state(rewrite->from, &rewrite->state, rewrite->err);
    if (rc != SL_OK)
        return rc;
    rewrite->total_bytes = stats.used_bytes;
    ret_rewritten->before_bytes = stats.disk_bytes;
    return SL_OK;
}

static enum sl_err measure_after(struct sl_store *store, struct sl_rewritten *ret_rewritten,
                                 struct sl_error *err)
{
    struct sl_store_stats stats;
    struct sl_txn *txn;
    enum sl_err rc = sl_txn_begin(store, false, &txn, err);

    if (rc != SL_OK)
        return rc;
    rc = sl_txn_stats(txn, &stats, err);
    if (rc == SL_OK)
        ret_rewritten->after_bytes = stats.disk_bytes;
    (void)sl_txn_abort(txn);
    return rc;
}

/* --------------------------------------------------------------------------------- compaction */

/* The graph as the new environment has it: proves that it can be read. */
static enum sl_err load_fresh(struct rewrite *rewrite, struct sl_graph **ret_graph)
{
    struct sl_index *index = rewrite->index;
    struct sl_txn *txn;
    enum sl_err rc = sl_txn_begin(rewrite->to, false, &txn, rewrite->err);

    if (rc != SL_OK)
        return rc;
    if (index->format.dim > 0)
        rc = sl_graph_load(txn, &index->format, &rewrite->state, index->ef_construction,
                           index->map_bytes, ret_graph, rewrite->err);
    (void)sl_txn_abort(txn);
    return rc;
}

static void swap(struct sl_index *index, struct sl_store *store, struct sl_graph *graph)
{
    struct sl_store *old_store;
    struct sl_graph *old_graph;

    (void)pthread_mutex_lock(&index->lock);
    old_store = index->store;
    old_graph = index->graph;
    index->store = store;
    index->graph = graph;
    (void)pthread_mutex_unlock(&index->lock);
    (void)sl_graph_drop(old_graph);
    (void)sl_store_close(old_store);
}

static enum sl_err compact(struct rewrite *rewrite, struct sl_rewritten *ret_rewritten)
{
    struct sl_index *index = rewrite->index;
    struct sl_graph *graph = NULL;
    bool unsure = false;
    enum sl_err rc = measure(rewrite, ret_rewritten);

    if (rc == SL_OK)
        rc = sl_store_beside(index->store, index->map_bytes, rewrite->total_bytes + SPARE_BYTES,
                             &rewrite->to, rewrite->err);
    if (rc != SL_OK)
        return rc;
    ret_rewritten->slots_dropped = rewrite->graph != NULL ? rewrite->graph->slot_end : 0;
    rc = rewrite_all(rewrite);
    ret_rewritten->slots_dropped -= rewrite->graph != NULL ? rewrite->state.slot_end : 0;
    if (rc == SL_OK)
        rc = load_fresh(rewrite, &graph);
    if (rc == SL_OK)
        rc = measure_after(rewrite->to, ret_rewritten, rewrite->err);
    if (rc == SL_OK)
        rc = sl_store_adopt(rewrite->to, index->store, &unsure, rewrite->err);
    index->broken = index->broken || unsure;
    if (rc == SL_OK) {
        swap(index, rewrite->to, graph);
        return SL_OK;
    }
    (void)sl_graph_drop(graph);
    if (unsure)
        (void)sl_store_close(rewrite->to);
    else
        (void)sl_store_discard(rewrite->to);
    return rc;
}

/* A document known to be damaged may lack a record: the copy would not show it any more. */
static enum sl_err refuse_damaged(struct sl_index *index, struct sl_error *err)
{
    uint32_t count = sl_index_damaged(index);

    return count == 0 ? SL_OK
                      : sl_stop(err, SL_EXIT_DATA, 0, "corrupt",
                                "index: %u documents are damaged; sluiced takes them out when it "
                                "starts, and `sluicectl verify` names them", count);
}

enum sl_err sl_index_compact(struct sl_index *index, sl_progress_fn progress, void *context,
                             struct sl_rewritten *ret_rewritten, struct sl_error *err)
{
    struct rewrite rewrite = {.index = index, .graph = index->graph, .progress = progress,
                              .context = context, .err = err};
    struct sl_rewritten rewritten = {0};
    enum sl_err rc;

    SL_PRE(!index->batch_open && !index->read_only);
    if (index->broken)
        return sl_stop(err, SL_EXIT_IO, 0, "io",
                       "index: an earlier commit failed in the middle; close and open it again");
    rc = refuse_damaged(index, err);
    if (rc == SL_OK)
        rc = sl_txn_begin(index->store, false, &rewrite.from, err);
    if (rc != SL_OK)
        return rc;
    rc = compact(&rewrite, &rewritten);
    (void)sl_txn_abort(rewrite.from);
    if (rc == SL_OK && ret_rewritten != NULL)
        *ret_rewritten = rewritten;
    return rc;
}

/* ------------------------------------------------------------------------------------- backup */

static enum sl_err backup(struct rewrite *rewrite, const char *path,
                          struct sl_rewritten *ret_rewritten)
{
    struct sl_index *index = rewrite->index;
    uint32_t slots;
    bool unsure = false;
    enum sl_err rc = measure(rewrite, ret_rewritten);

    if (rc == SL_OK && index->format.dim > 0)
        rc = sl_graph_load(rewrite->from, &index->format, &rewrite->state, index->ef_construction,
                           index->map_bytes, &rewrite->graph, rewrite->err);
    slots = rewrite->state.slot_end;
    if (rc == SL_OK)
        rc = sl_store_elsewhere(path, index->map_bytes, rewrite->total_bytes + SPARE_BYTES,
                                &rewrite->to, rewrite->err);
    if (rc == SL_OK)
        rc = rewrite_all(rewrite);
    ret_rewritten->slots_dropped = slots - rewrite->state.slot_end;
    if (rc == SL_OK)
        rc = measure_after(rewrite->to, ret_rewritten, rewrite->err);
    if (rc == SL_OK)
        rc = sl_store_adopt(rewrite->to, NULL, &unsure, rewrite->err);
    if (rc == SL_OK || unsure)
        (void)sl_store_close(rewrite->to);
    else
        (void)sl_store_discard(rewrite->to);
    (void)sl_graph_drop(rewrite->graph);
    return rc;
}

enum sl_err sl_index_backup(struct sl_index *index, const char *path, sl_progress_fn progress,
                            void *context, struct sl_rewritten *ret_rewritten,
                            struct sl_error *err)
{
    struct rewrite rewrite = {.index = index, .progress = progress, .context = context, .err = err};
    struct sl_rewritten rewritten = {0};
    struct sl_snapshot *snapshot;
    enum sl_err rc = refuse_damaged(index, err);

    if (rc == SL_OK)
        rc = sl_snapshot_open(index, &snapshot, err);
    if (rc != SL_OK)
        return rc;
    rewrite.from = snapshot->txn;
    rc = backup(&rewrite, path, &rewritten);
    (void)sl_snapshot_close(snapshot);
    if (rc == SL_OK && ret_rewritten != NULL)
        *ret_rewritten = rewritten;
    return rc;
}
