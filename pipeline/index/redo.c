/*
 * redo.c -- the graph to and from the store: redo log, rolling checkpoint, loading.
 *
 * Writing each changed link list as a record of its own would copy some sixteen pages an insertion. So a
 * commit appends one stream to the log: every slot it changed as it is now, new vectors included, but for slabs
 * that changed so much that writing them at once costs no more (half of the links; a slab that is full now). Slabs of
 * links and of vectors are images written from RAM later, those first that have waited longest, a few with
 * each commit, so that the log stays shorter than an eighth of them; its head is cut off as they go. All of it happens inside the
 * transaction that also holds documents and positions, so there is nothing to reconcile after a crash.
 *
 * Loading reads the link slabs, notes where the vector slabs lie in the map, and applies the log. Applying
 * is idempotent: the log is a suffix of history and holds whole slots; what is older than its slab is
 * passed over.
 *
 * Known weakness: a commit that logs more than the limit has to write many slabs at once.
 */
#include "index/graph.h"

#include <stdlib.h>

#define LOG_BYTES_MIN  (1u << 20)
#define HEADER_PAYLOAD (SL_SLAB_HEADER - 4u) /* the checksum comes before it */

/* ------------------------------------------------------------------------------------ saving */

static void write_lists(const struct sl_graph *graph, uint32_t slot, uint32_t first_level,
                        struct sl_buffer *buffer)
{
    for (uint32_t level = first_level; level <= graph->slots[slot].level; level++) {
        const uint32_t *list = sl_graph_list(graph, slot, level);
        sl_write_u8(buffer, (uint8_t)list[0]);
        sl_buffer_add(buffer, list + 1, list[0] * sizeof *list);
    }
}

static void write_slot(struct sl_graph *graph, uint32_t number, bool vector,
                       struct sl_buffer *buffer)
{
    const struct sl_slot *slot = &graph->slots[number];
    bool live = slot->state == SL_SLOT_LIVE;

    sl_write_u32(buffer, number);
    sl_write_u8(buffer, live ? 1 : 0);
    if (!live)
        return;
    sl_write_u8(buffer, slot->level);
    sl_write_u8(buffer, vector ? 1 : 0);
    sl_write_u32(buffer, slot->chunk);
    sl_write_u32(buffer, slot->document);
    sl_write_u32(buffer, slot->parent);
    write_lists(graph, number, 0, buffer);
    if (vector)
        sl_buffer_add(buffer, sl_graph_full(graph, number), sl_graph_kept_bytes(graph));
}

static void note_dirty(struct sl_slab *slab, uint64_t commit)
{
    if (slab->dirty_since == 0)
        slab->dirty_since = commit;
}

/* How many slots of each slab this batch changed. */
static void count_touched(struct sl_graph *graph)
{
    for (uint32_t i = 0; i < graph->dirty_count; i++) {
        uint32_t slot = graph->dirty[i];
        graph->link_slabs[slot / graph->link_slab_slots].touched++;
        if (graph->slots[slot].fresh)
            graph->vector_slabs[slot >> graph->slab_shift].touched++;
    }
}

/* Is a slab of links written at once rather than logged? When logging it would cost about as much. */
static bool links_at_once(const struct sl_graph *graph, uint32_t slab)
{
    return graph->link_slabs[slab].touched * 2 >= graph->link_slab_slots;
}

/* A slab of vectors is, when it got its last new one: nothing else will come for it to wait for. */
static bool vectors_at_once(const struct sl_graph *graph, uint32_t slab)
{
    return graph->vector_slabs[slab].touched > 0 && slab != graph->alloc_slab;
}

static enum sl_err write_log(struct sl_graph *graph, struct sl_txn *txn, struct sl_state *state,
                             struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    uint64_t commit = sl_txn_id(txn);
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; i < graph->dirty_count; i++) {
        uint32_t slot = graph->dirty[i];
        bool vector = graph->slots[slot].fresh &&
                      !vectors_at_once(graph, slot >> graph->slab_shift);
        if (vector || !links_at_once(graph, slot / graph->link_slab_slots))
            write_slot(graph, slot, vector, &buffer);
    }
    if (buffer.failed)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "index: out of memory for the log");
    for (size_t at = 0; rc == SL_OK && at < buffer.size; at += SL_STORE_PAGE_PAYLOAD) {
        struct sl_key key = sl_key_log(commit, (uint32_t)(at / SL_STORE_PAGE_PAYLOAD));
        size_t size = buffer.size - at;
        if (size > SL_STORE_PAGE_PAYLOAD)
            size = SL_STORE_PAGE_PAYLOAD;
        rc = sl_txn_put(txn, SL_STORE_LOG, sl_key_view(&key),
                        (struct sl_view){buffer.data + at, size}, err);
    }
    state->log_bytes += buffer.size;
    return rc;
}

size_t sl_graph_vector_slab_bytes(const struct sl_graph *graph)
{
    return SL_STORE_SLAB_BYTES(SL_SLAB_HEADER + sl_graph_slab_bytes(graph)) - 4;
}

size_t sl_graph_link_slab_bytes(const struct sl_graph *graph)
{
    size_t bytes = (size_t)graph->link_slab_slots * (4 + 2 * graph->m) * sizeof(uint32_t);

    return SL_STORE_SLAB_BYTES(SL_SLAB_HEADER + bytes) - 4;
}

static void write_header(char *payload, uint32_t slab, uint64_t commit)
{
    memset(payload, 0, HEADER_PAYLOAD);
    memcpy(payload, &slab, sizeof slab);
    memcpy(payload + 4, &commit, sizeof commit);
}

enum sl_err sl_graph_write_vectors(struct sl_graph *graph, uint32_t slab, struct sl_txn *txn,
                                   struct sl_error *err)
{
    struct sl_key key = sl_key_number(slab);
    size_t size = sl_graph_vector_slab_bytes(graph);
    size_t bytes = sl_graph_slab_bytes(graph);
    void *room;
    enum sl_err rc = sl_txn_reserve(txn, SL_STORE_VECTOR, sl_key_view(&key), size, &room, err);

    if (rc != SL_OK)
        return rc;
    write_header(room, slab, sl_txn_id(txn));
    memcpy((char *)room + HEADER_PAYLOAD, graph->slabs[slab], bytes);
    memset((char *)room + HEADER_PAYLOAD + bytes, 0, size - HEADER_PAYLOAD - bytes);
    if (graph->full_at != 0) {
        uint32_t sum = sl_graph_codes_sum(room, graph->slabs[slab], graph->full_at);
        memcpy((char *)room + SL_SLAB_CODES_SUM - 4, &sum, sizeof sum);
    }
    sl_record_seal(sl_key_view(&key), room, size);
    return SL_OK;
}

/* The levels above 0 of a slab's slots; no row when there are none. */
static enum sl_err checkpoint_uplinks(struct sl_graph *graph, uint32_t slab, struct sl_txn *txn,
                                      struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_key key = sl_key_number(slab);
    uint32_t first = slab * graph->link_slab_slots;

    for (uint32_t i = 0; i < graph->link_slab_slots && first + i < graph->slot_end; i++)
        if (graph->slots[first + i].state == SL_SLOT_LIVE && graph->slots[first + i].level > 0) {
            sl_write_u32(&buffer, first + i);
            write_lists(graph, first + i, 1, &buffer);
        }
    if (buffer.failed)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "index: out of memory for a checkpoint");
    if (buffer.size == 0)
        return sl_txn_delete(txn, SL_STORE_UPLINK, sl_key_view(&key), NULL, err);
    return sl_txn_put(txn, SL_STORE_UPLINK, sl_key_view(&key), sl_buffer_as_view(&buffer), err);
}

enum sl_err sl_graph_write_links(struct sl_graph *graph, uint32_t slab, struct sl_txn *txn,
                                 struct sl_error *err)
{
    struct sl_key key = sl_key_number(slab);
    size_t size = sl_graph_link_slab_bytes(graph), record = (4 + 2 * graph->m) * sizeof(uint32_t);
    uint32_t first = slab * graph->link_slab_slots;
    void *room;
    char *at;
    enum sl_err rc = sl_txn_reserve(txn, SL_STORE_LINK, sl_key_view(&key), size, &room, err);

    if (rc != SL_OK)
        return rc;
    memset(room, 0, size);
    write_header(room, slab, sl_txn_id(txn));
    at = (char *)room + HEADER_PAYLOAD;
    for (uint32_t i = 0; i < graph->link_slab_slots && first + i < graph->slot_end; i++) {
        const struct sl_slot *slot = &graph->slots[first + i];
        const uint32_t *list = sl_graph_list(graph, first + i, 0);
        uint32_t head[4] = {slot->chunk, slot->document, slot->parent,
                            1u << 31 | (uint32_t)slot->level << 8 | list[0]};
        if (slot->state == SL_SLOT_LIVE) {
            memcpy(at + i * record, head, sizeof head);
            memcpy(at + i * record + sizeof head, list + 1, list[0] * sizeof *list);
        }
    }
    sl_record_seal(sl_key_view(&key), room, size);
    return checkpoint_uplinks(graph, slab, txn, err);
}

struct waiting {
    uint64_t since;
    uint32_t slab;
    bool vectors;
};

static int compare_waiting(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;

    if (x->since != y->since)
        return x->since < y->since ? -1 : 1;
    return x->vectors != y->vectors ? x->vectors - y->vectors
                                    : (x->slab > y->slab) - (x->slab < y->slab);
}

/* All slabs that wait to be written, the longest first. NULL when out of memory. */
static struct waiting *list_waiting(const struct sl_graph *graph, uint32_t *ret_count)
{
    uint32_t vectors = sl_graph_slabs(graph), links = sl_graph_link_slabs(graph), count = 0;
    struct waiting *list = malloc((vectors + links + 1) * sizeof *list);

    for (uint32_t i = 0; list != NULL && i < vectors; i++)
        if (graph->vector_slabs[i].dirty_since != 0)
            list[count++] = (struct waiting){graph->vector_slabs[i].dirty_since, i, true};
    for (uint32_t i = 0; list != NULL && i < links; i++)
        if (graph->link_slabs[i].dirty_since != 0)
            list[count++] = (struct waiting){graph->link_slabs[i].dirty_since, i, false};
    if (list != NULL)
        qsort(list, count, sizeof *list, compare_waiting);
    *ret_count = count;
    return list;
}

/* Delete the log of commits before `oldest`. */
static enum sl_err trim(struct sl_txn *txn, uint64_t oldest, struct sl_state *state,
                        struct sl_error *err)
{
    enum sl_err rc = SL_OK;

    while (rc == SL_OK) {
        struct sl_cursor cursor;
        char bytes[12];
        size_t size = 0;
        struct sl_view key = {bytes, sizeof bytes};

        rc = sl_cursor_open(txn, SL_STORE_LOG, true, &cursor, err);
        if (rc != SL_OK)
            return rc;
        rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, err);
        if (rc == SL_OK && cursor.key.size == sizeof bytes) {
            memcpy(bytes, cursor.key.data, sizeof bytes);
            size = cursor.payload.size;
        }
        sl_cursor_close(&cursor);
        if (rc != SL_OK || size == 0 || sl_get_be64(bytes) >= oldest)
            return rc == SL_STOP ? rc : SL_OK;
        rc = sl_txn_delete(txn, SL_STORE_LOG, key, NULL, err);
        state->log_bytes -= size < state->log_bytes ? size : state->log_bytes;
    }
    return rc;
}

static size_t bytes_of(const struct sl_graph *graph, const struct waiting *one)
{
    return one->vectors ? sl_graph_vector_slab_bytes(graph) : sl_graph_link_slab_bytes(graph);
}

/* Write one slab; what it had waiting is in it now. */
static enum sl_err write_slab(struct sl_graph *graph, const struct waiting *one,
                              struct sl_txn *txn, struct sl_error *err)
{
    struct sl_slab *slab =
        one->vectors ? &graph->vector_slabs[one->slab] : &graph->link_slabs[one->slab];

    slab->dirty_since = 0;
    slab->written = true;
    return one->vectors ? sl_graph_write_vectors(graph, one->slab, txn, err)
                        : sl_graph_write_links(graph, one->slab, txn, err);
}

/* Slabs this batch touched: written, or noted as waiting. */
static enum sl_err write_touched(struct sl_graph *graph, struct sl_txn *txn, struct sl_error *err)
{
    uint64_t commit = sl_txn_id(txn);
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < sl_graph_slabs(graph); i++) {
        if (vectors_at_once(graph, i))
            rc = write_slab(graph, &(struct waiting){0, i, true}, txn, err);
        else if (graph->vector_slabs[i].touched > 0)
            note_dirty(&graph->vector_slabs[i], commit);
        graph->vector_slabs[i].touched = 0;
    }
    for (uint32_t i = 0; rc == SL_OK && i < sl_graph_link_slabs(graph); i++) {
        if (links_at_once(graph, i))
            rc = write_slab(graph, &(struct waiting){0, i, false}, txn, err);
        else if (graph->link_slabs[i].touched > 0)
            note_dirty(&graph->link_slabs[i], commit);
        graph->link_slabs[i].touched = 0;
    }
    return rc;
}

/* Slabs of vectors with none in use are not kept. They are made again when their slots are. */
static enum sl_err drop_empty(struct sl_graph *graph, struct sl_txn *txn, struct sl_error *err)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < sl_graph_slabs(graph); i++) {
        struct sl_slab *slab = &graph->vector_slabs[i];
        struct sl_key key = sl_key_number(i);
        if (slab->free < 1u << graph->slab_shift || i == graph->alloc_slab ||
            graph->slabs[i] == NULL)
            continue;
        slab->dirty_since = 0;
        slab->dropped = true;
        rc = sl_txn_delete(txn, SL_STORE_VECTOR, sl_key_view(&key), NULL, err);
    }
    return rc;
}

/*
 * Past half of the log's limit a commit writes waiting slabs, the longest first, in proportion to what it
 * logged: all of them have been written when the log has grown by the other half. Past the limit slabs are
 * written until it is below.
 */
static enum sl_err checkpoint(struct sl_graph *graph, struct sl_txn *txn, struct sl_state *state,
                              uint64_t logged_bytes, struct sl_error *err)
{
    uint64_t total = (uint64_t)sl_graph_slabs(graph) * sl_graph_vector_slab_bytes(graph) +
                     (uint64_t)sl_graph_link_slabs(graph) * sl_graph_link_slab_bytes(graph);
    uint64_t limit = total / 8 > LOG_BYTES_MIN ? total / 8 : LOG_BYTES_MIN, waiting = 0;
    uint32_t count;
    struct waiting *list = list_waiting(graph, &count);
    enum sl_err rc = SL_OK;

    if (list == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "index: out of memory for a checkpoint");
    for (uint32_t i = 0; i < count; i++)
        waiting += bytes_of(graph, &list[i]);
    rc = trim(txn, count > 0 ? list[0].since : UINT64_MAX, state, err);
    if (state->log_bytes > limit / 2)
        graph->checkpoint_credit +=
            (uint64_t)((double)logged_bytes * (double)waiting / (double)(limit / 2));
    for (uint32_t i = 0; rc == SL_OK && i < count && state->log_bytes > limit / 2; i++) {
        uint64_t bytes = bytes_of(graph, &list[i]);
        if (state->log_bytes <= limit && graph->checkpoint_credit < bytes)
            break;
        graph->checkpoint_credit -=
            bytes < graph->checkpoint_credit ? bytes : graph->checkpoint_credit;
        rc = write_slab(graph, &list[i], txn, err);
        if (rc == SL_OK && (i + 1 == count || list[i + 1].since != list[i].since))
            rc = trim(txn, i + 1 == count ? UINT64_MAX : list[i + 1].since, state, err);
    }
    free(list);
    return rc;
}

enum sl_err sl_graph_save(struct sl_graph *graph, struct sl_txn *txn, struct sl_state *state,
                          struct sl_error *err)
{
    uint64_t before = state->log_bytes;
    enum sl_err rc;

    count_touched(graph);
    rc = write_log(graph, txn, state, err);
    if (rc == SL_OK)
        rc = write_touched(graph, txn, err);
    if (rc == SL_OK)
        rc = drop_empty(graph, txn, err);
    state->slot_end = graph->slot_end;
    state->entry = graph->entry;
    state->root = graph->root;
    return rc == SL_OK ? checkpoint(graph, txn, state, state->log_bytes - before, err) : rc;
}

/* A slab that was written is read from the map from now on, but for the one that fills up next. */
static enum sl_err settle(struct sl_graph *graph, uint32_t slab, struct sl_txn *read_txn,
                          struct sl_error *err)
{
    struct sl_key key = sl_key_number(slab);
    struct sl_view payload;
    char *heap = graph->slabs[slab];
    enum sl_err rc;

    graph->vector_slabs[slab].written = false;
    if (slab == graph->alloc_slab || !graph->vector_slabs[slab].on_heap ||
        graph->vector_slabs[slab].dirty_since != 0)
        return SL_OK;
    rc = sl_txn_get_unchecked(read_txn, SL_STORE_VECTOR, sl_key_view(&key), &payload, err);
    if (rc != SL_OK)
        return rc;
    if (!sl_graph_retire(graph, heap))
        return SL_OK; /* it stays on the heap */
    sl_graph_slab_place(graph, slab, payload.data + HEADER_PAYLOAD, true);
    return SL_OK;
}

/* No snapshot and no walk can come upon a slot of it. */
static void forget(struct sl_graph *graph, uint32_t slab)
{
    graph->vector_slabs[slab].dropped = false;
    if (graph->vector_slabs[slab].on_heap && !sl_graph_retire(graph, graph->slabs[slab]))
        return;
    sl_graph_slab_place(graph, slab, NULL, false);
}

enum sl_err sl_graph_saved(struct sl_graph *graph, struct sl_txn *read_txn, struct sl_error *err)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; i < graph->dirty_count; i++)
        graph->slots[graph->dirty[i]].dirty = graph->slots[graph->dirty[i]].fresh = 0;
    graph->dirty_count = 0;
    for (uint32_t i = 0; i < sl_graph_link_slabs(graph); i++)
        graph->link_slabs[i].written = false;
    for (uint32_t i = 0; rc == SL_OK && read_txn != NULL && i < sl_graph_slabs(graph); i++)
        if (graph->vector_slabs[i].written)
            rc = settle(graph, i, read_txn, err);
    for (uint32_t i = 0; i < sl_graph_slabs(graph); i++)
        if (graph->vector_slabs[i].dropped)
            forget(graph, i);
    return rc;
}

/* ----------------------------------------------------------------------------------- loading */

struct loading {
    struct sl_graph *graph;
    uint64_t *link_commits;   /* per slab: what it holds already */
    uint64_t *vector_commits;
};

static enum sl_err bad(struct sl_error *err, enum sl_store_table table, uint64_t number)
{
    return sl_stop(err, SL_EXIT_DATA, 0, "corrupt", "table %s, number %llu: senseless values",
                   sl_store_table_name(table), (unsigned long long)number);
}

static bool read_list(struct sl_graph *graph, struct sl_reader *reader, uint32_t slot,
                      uint32_t level, uint32_t count)
{
    uint32_t *list = sl_graph_list(graph, slot, level);

    if (count > sl_graph_cap(graph, level))
        return false;
    sl_read(reader, list + 1, count * sizeof *list);
    list[0] = count;
    for (uint32_t i = 1; i <= count; i++)
        if (list[i] >= graph->slot_end || list[i] == slot)
            return false;
    return !reader->bad;
}

static enum sl_err load_link_slab(struct loading *load, uint32_t number, struct sl_view payload,
                                  struct sl_error *err)
{
    struct sl_graph *graph = load->graph;
    uint32_t first = number * graph->link_slab_slots;
    size_t record = (4 + 2 * graph->m) * sizeof(uint32_t);

    if (number >= sl_graph_link_slabs(graph) || payload.size != sl_graph_link_slab_bytes(graph))
        return bad(err, SL_STORE_LINK, number);
    memcpy(&load->link_commits[number], payload.data + 4, sizeof(uint64_t));
    for (uint32_t i = 0; i < graph->link_slab_slots && first + i < graph->slot_end; i++) {
        struct sl_reader reader =
            sl_reader_of(sl_view_range(payload, HEADER_PAYLOAD + i * record, payload.size));
        struct sl_slot *slot = &graph->slots[first + i];
        uint32_t head[4], level;
        sl_read(&reader, head, sizeof head);
        level = head[3] >> 8 & 0xFF;
        if (head[3] == 0)
            continue;
        *slot = (struct sl_slot){.chunk = head[0], .document = head[1], .parent = head[2],
                                 .death = SL_EPOCH_NEVER, .state = SL_SLOT_LIVE};
        if (level > SL_LEVEL_MAX || !read_list(graph, &reader, first + i, 0, head[3] & 0xFF))
            return bad(err, SL_STORE_LINK, number);
        if (!sl_graph_upper_make(graph, first + i, level))
            return sl_stop(err, SL_EXIT_OS, 0, "memory", "index: out of memory");
    }
    return SL_OK;
}

static enum sl_err load_uplink_slab(struct loading *load, uint32_t number, struct sl_view payload,
                                    struct sl_error *err)
{
    struct sl_graph *graph = load->graph;
    struct sl_reader reader = sl_reader_of(payload);

    while (reader.at < reader.end) {
        uint32_t slot = sl_read_u32(&reader);
        if (reader.bad || slot >= graph->slot_end || slot / graph->link_slab_slots != number ||
            graph->slots[slot].state != SL_SLOT_LIVE)
            return bad(err, SL_STORE_UPLINK, number);
        for (uint32_t level = 1; level <= graph->slots[slot].level; level++)
            if (!read_list(graph, &reader, slot, level, sl_read_u8(&reader)))
                return bad(err, SL_STORE_UPLINK, number);
    }
    return SL_OK;
}

typedef enum sl_err (*load_row_fn)(struct loading *load, uint32_t number, struct sl_view payload,
                                   struct sl_error *err);

static enum sl_err load_table(struct loading *load, struct sl_txn *txn, enum sl_store_table table,
                              load_row_fn each, struct sl_error *err)
{
    struct sl_cursor cursor;
    enum sl_err rc = sl_cursor_open(txn, table, false, &cursor, err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, err); rc == SL_OK;
         rc = sl_cursor_next(&cursor, err)) {
        rc = cursor.key.size == 4
                 ? each(load, sl_get_be32(cursor.key.data), cursor.payload, err)
                 : bad(err, table, 0);
        if (rc != SL_OK)
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

static enum sl_err load_vector_slabs(struct loading *load, struct sl_txn *txn,
                                     struct sl_error *err)
{
    struct sl_graph *graph = load->graph;

    for (uint32_t slab = 0; slab < sl_graph_slabs(graph); slab++) {
        struct sl_key key = sl_key_number(slab);
        struct sl_view payload;
        enum sl_err rc =
            sl_txn_get_unchecked(txn, SL_STORE_VECTOR, sl_key_view(&key), &payload, err);
        if (rc == SL_STOP)
            return rc;
        if (rc != SL_OK)
            continue; /* all of it is in the log */
        if (payload.size != sl_graph_vector_slab_bytes(graph))
            return bad(err, SL_STORE_VECTOR, slab);
        memcpy(&load->vector_commits[slab], payload.data + 4, sizeof(uint64_t));
        sl_graph_slab_place(graph, slab, payload.data + HEADER_PAYLOAD, false);
    }
    return SL_OK;
}

static bool replay_vector(struct loading *load, struct sl_reader *reader, uint32_t number,
                          uint64_t commit)
{
    struct sl_graph *graph = load->graph;
    uint32_t slab = number >> graph->slab_shift;
    const char *vector = sl_read_bytes(reader, sl_graph_kept_bytes(graph));

    if (vector == NULL)
        return false;
    if (commit <= load->vector_commits[slab])
        return true;
    if (sl_graph_slab_edit(graph, slab) == NULL)
        return false;
    sl_graph_kept_put(graph, number, vector);
    note_dirty(&graph->vector_slabs[slab], commit);
    return true;
}

/* A slot whose slab is newer than this record: of use is its vector at most. */
static bool skip_slot(struct loading *load, struct sl_reader *reader, uint32_t number,
                      uint64_t commit)
{
    uint8_t level = sl_read_u8(reader), vector = sl_read_u8(reader);

    (void)sl_read_bytes(reader, 3 * sizeof(uint32_t));
    for (uint32_t l = 0; l <= level && !reader->bad; l++)
        (void)sl_read_bytes(reader, sl_read_u8(reader) * sizeof(uint32_t));
    return !reader->bad && (!vector || replay_vector(load, reader, number, commit));
}

static bool replay_slot(struct loading *load, struct sl_reader *reader, uint64_t commit)
{
    struct sl_graph *graph = load->graph;
    uint32_t number = sl_read_u32(reader);
    uint8_t live = sl_read_u8(reader), level, fresh;
    struct sl_slot *slot;

    if (reader->bad || number >= graph->slot_end)
        return false;
    if (commit <= load->link_commits[number / graph->link_slab_slots])
        return !live || skip_slot(load, reader, number, commit);
    slot = &graph->slots[number];
    note_dirty(&graph->link_slabs[number / graph->link_slab_slots], commit);
    if (!live) {
        *slot = (struct sl_slot){.state = SL_SLOT_FREE};
        return true;
    }
    level = sl_read_u8(reader);
    fresh = sl_read_u8(reader);
    *slot = (struct sl_slot){.death = SL_EPOCH_NEVER, .state = SL_SLOT_LIVE};
    slot->chunk = sl_read_u32(reader);
    slot->document = sl_read_u32(reader);
    slot->parent = sl_read_u32(reader);
    if (reader->bad || level > SL_LEVEL_MAX || !sl_graph_upper_make(graph, number, level))
        return false;
    for (uint32_t l = 0; l <= level; l++)
        if (!read_list(graph, reader, number, l, sl_read_u8(reader)))
            return false;
    return !fresh || replay_vector(load, reader, number, commit);
}

static enum sl_err replay_commit(struct loading *load, const struct sl_buffer *stream,
                                 uint64_t commit, struct sl_error *err)
{
    struct sl_reader reader = sl_reader_of(sl_buffer_as_view(stream));

    if (stream->failed)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "index: out of memory");
    while (reader.at < reader.end)
        if (!replay_slot(load, &reader, commit))
            return bad(err, SL_STORE_LOG, commit);
    return SL_OK;
}

static enum sl_err replay(struct loading *load, struct sl_txn *txn, struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer stream = {0};
    struct sl_cursor cursor;
    uint64_t commit = 0;
    uint32_t parts = 0;
    enum sl_err rc = sl_cursor_open(txn, SL_STORE_LOG, false, &cursor, err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, err); rc == SL_OK;
         rc = sl_cursor_next(&cursor, err)) {
        if (cursor.key.size != 12) {
            rc = bad(err, SL_STORE_LOG, 0);
            break;
        }
        if (sl_get_be64(cursor.key.data) != commit) {
            rc = replay_commit(load, &stream, commit, err);
            if (rc != SL_OK)
                break;
            commit = sl_get_be64(cursor.key.data);
            stream.size = 0;
            parts = 0;
        }
        if (sl_get_be32(cursor.key.data + 8) != parts++) {
            rc = bad(err, SL_STORE_LOG, commit);
            break;
        }
        sl_buffer_view(&stream, cursor.payload);
    }
    sl_cursor_close(&cursor);
    if (rc == SL_REJECT)
        rc = replay_commit(load, &stream, commit, err);
    return rc;
}

/* Depths of the tree from the parents. false: a chain leads in a circle or out of the graph. */
static bool measure_depths(struct sl_graph *graph)
{
    uint32_t *path = malloc((graph->slot_end + 1) * sizeof *path);
    bool good = path != NULL;

    for (uint32_t i = 0; i < graph->slot_end; i++)
        graph->slots[i].depth = UINT16_MAX;
    for (uint32_t i = 0; good && i < graph->slot_end; i++) {
        uint32_t length = 0, at = i, depth;
        if (graph->slots[i].state != SL_SLOT_LIVE)
            continue;
        while (good && graph->slots[at].depth == UINT16_MAX && at != graph->root) {
            path[length++] = at;
            at = graph->slots[at].parent;
            good = at < graph->slot_end && graph->slots[at].state == SL_SLOT_LIVE &&
                   length <= graph->slot_end;
        }
        if (!good)
            break;
        depth = at == graph->root ? 0 : graph->slots[at].depth;
        if (at == graph->root)
            graph->slots[at].depth = 0;
        while (length > 0) {
            depth += depth < UINT16_MAX - 1 ? 1 : 0;
            graph->slots[path[--length]].depth = (uint16_t)depth;
        }
    }
    free(path);
    return good;
}

static enum sl_err finish(struct sl_graph *graph, struct sl_error *err)
{
    for (uint32_t i = 0; i < graph->slot_end; i++) {
        uint32_t slab = i >> graph->slab_shift;
        if (graph->slots[i].state == SL_SLOT_FREE)
            graph->vector_slabs[slab].free++;
        else if (graph->slabs[slab] == NULL)
            return bad(err, SL_STORE_VECTOR, slab);
        else
            graph->live++;
    }
    if (graph->live == 0) {
        graph->entry = graph->root = SL_SLOT_NONE;
        return SL_OK;
    }
    if (graph->entry >= graph->slot_end || graph->root >= graph->slot_end ||
        graph->slots[graph->entry].state != SL_SLOT_LIVE ||
        graph->slots[graph->root].state != SL_SLOT_LIVE || !measure_depths(graph))
        return sl_stop(err, SL_EXIT_DATA, 0, "corrupt",
                       "table link: parents do not lead to the root");
    return SL_OK;
}

static enum sl_err load_all(struct loading *load, struct sl_txn *txn, struct sl_error *err)
{
    enum sl_err rc = load_vector_slabs(load, txn, err);

    if (rc == SL_OK)
        rc = load_table(load, txn, SL_STORE_LINK, load_link_slab, err);
    if (rc == SL_OK)
        rc = load_table(load, txn, SL_STORE_UPLINK, load_uplink_slab, err);
    if (rc == SL_OK)
        rc = replay(load, txn, err);
    if (rc == SL_OK)
        rc = finish(load->graph, err);
    return rc;
}

enum sl_err sl_graph_load(struct sl_txn *txn, const struct sl_format *format,
                          const struct sl_state *state, uint32_t ef_construction,
                          uint64_t map_bytes, struct sl_graph **ret_graph, struct sl_error *err)
{
    struct loading load = {.graph = sl_graph_new(format, ef_construction, map_bytes)};
    enum sl_err rc;

    if (load.graph == NULL || !sl_graph_grow(load.graph, state->slot_end)) {
        (void)sl_graph_drop(load.graph);
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "index: no memory for a graph of %u vectors",
                       state->slot_end);
    }
    load.graph->store = sl_store_take(sl_txn_store(txn));
    load.graph->slot_end = state->slot_end;
    load.graph->entry = state->entry;
    load.graph->root = state->root;
    load.graph->epoch_base = sl_txn_id(txn);
    load.link_commits = calloc(sl_graph_link_slabs(load.graph) + 1u, sizeof(uint64_t));
    load.vector_commits = calloc(sl_graph_slabs(load.graph) + 1u, sizeof(uint64_t));
    rc = load.link_commits == NULL || load.vector_commits == NULL
             ? sl_stop(err, SL_EXIT_OS, 0, "memory", "index: out of memory")
             : load_all(&load, txn, err);
    free(load.link_commits);
    free(load.vector_commits);
    if (rc == SL_OK) {
        sl_graph_large_pages(load.graph);
        *ret_graph = load.graph;
    } else {
        (void)sl_graph_drop(load.graph);
    }
    return rc;
}
