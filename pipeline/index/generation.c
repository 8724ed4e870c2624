/*
 * generation.c -- a second generation beside the one in use, and the switch to it.
 *
 * The problem: other chunks, another model or other words than those an index was made with need all of it to be
 * made anew from the stored texts. That takes hours, and all the while the old one has to answer, and to take in
 * what comes.
 *
 * The idea: the new one is an index of its own beside the old one. A comparison of the two tables of keys, which are
 * sorted alike, says what it lacks: documents of another version, tombstones, keys that are gone. So nothing has to be
 * remembered of what was written to the old one meanwhile, and of what a killed process had done: whoever compares
 * again finds what is left. When a comparison leaves little, writing to the old one pauses, the rest is carried over,
 * and CURRENT is swapped. Whoever holds a struct sl_index goes on with it, as after a compaction.
 *
 * Rejected: writing both from the stream (each record would be cut and embedded twice and committed twice, for hours,
 * and documents that are not in the log any more still had to be carried over); a list of changed keys (a second
 * truth, to be lost in a crash: comparing a million keys takes a second); reading the log again from its beginning
 * (deleted by retention, and imported documents were never in it).
 *
 * Known weakness: two graphs in memory and two files on the disk until the old one is dropped.
 */
#include "index/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "index/directory.h"

#define KEYS_A_STEP 65536u
#define OWN_ROWS    "generation" /* rows of the note table that stay with their generation */

const char *sl_generation_word(enum sl_generation_state state)
{
    static const char *const words[] = {"", "current", "building", "retired"};

    return words[state];
}

enum sl_err sl_generation_list(const char *path, struct sl_generation *ret_list,
                               uint32_t *ret_count, struct sl_error *err)
{
    struct sl_directory directory;
    uint32_t count = 0;
    enum sl_err rc = sl_directory_open(path, true, &directory, err);

    if (rc == SL_OK && directory.name[0] == '\0')
        rc = sl_stop(err, SL_EXIT_NOINPUT, 0, "not_found", "%s: no index there", path);
    if (rc == SL_OK) {
        ret_list[count++] = (struct sl_generation){sl_directory_number(directory.name),
                                                   SL_GENERATION_CURRENT};
        if (directory.building[0] != '\0')
            ret_list[count++] = (struct sl_generation){sl_directory_number(directory.building),
                                                       SL_GENERATION_BUILDING};
        for (uint32_t i = 0; i < directory.retired_count; i++)
            ret_list[count++] = (struct sl_generation){
                sl_directory_number(directory.retired[i]), SL_GENERATION_RETIRED};
        *ret_count = count;
    }
    sl_directory_fini(&directory);
    return rc;
}

uint64_t sl_generation_bytes(const char *path, enum sl_generation_state state)
{
    struct sl_generation list[SL_GENERATIONS_MAX];
    uint32_t count = 0;
    uint64_t bytes = 0;

    if (sl_generation_list(path, list, &count, NULL) != SL_OK)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        char file[PATH_MAX];
        struct stat status;
        (void)snprintf(file, sizeof file, "%s/env.%u/data.mdb", path, list[i].number);
        if (list[i].state == state && stat(file, &status) == 0)
            bytes += (uint64_t)status.st_blocks * 512u;
    }
    return bytes;
}

const char *sl_snapshot_fingerprint(const struct sl_snapshot *snapshot)
{
    return snapshot->fingerprint;
}

/* ------------------------------------------------------------------------------------- begin */

/* Go on with the one there is. SL_AGAIN: it was begun by other settings, or cannot be read. */
static enum sl_err resume(struct sl_index *index, const struct sl_index_options *options,
                          struct sl_index *building, struct sl_error *err)
{
    struct sl_error local = {0};
    struct sl_store_options beside = {.map_size_bytes = building->map_bytes,
                                      .beside = index->store};
    enum sl_err rc = sl_store_open(&beside, &building->store, &local);

    if (rc == SL_OK)
        rc = sl_index_read_format(building, &local);
    if (rc == SL_OK)
        rc = sl_index_matches(building, options, &local);
    if (rc == SL_OK)
        rc = sl_store_check(building->store, &local);
    if (rc == SL_OK)
        rc = sl_index_upgrade(building, &local);
    if (rc == SL_OK)
        rc = sl_index_reload(building, &local);
    if (rc == SL_OK && sl_index_damaged(building) == 0)
        return SL_OK;
    if (rc == SL_STOP && local.exit_code == SL_EXIT_OS) {
        *err = local;
        return rc;
    }
    building->store = sl_store_close(building->store);
    return SL_AGAIN;
}

static enum sl_err begin_new(struct sl_index *index, const struct sl_index_options *options,
                             uint64_t needed_bytes, struct sl_index *building, struct sl_error *err)
{
    bool unsure = false;
    enum sl_err rc;

    if (sl_store_directory(index->store)->retired_count == SL_RETIRED_MAX)
        return sl_stop(err, SL_EXIT_TEMPORARY, 0, "retired",
                       "%u retired generations are kept already: drop one "
                       "(`sluicectl generation list`)", SL_RETIRED_MAX);
    rc = sl_store_beside(index->store, building->map_bytes, needed_bytes, &building->store, err);
    if (rc != SL_OK)
        return rc;
    rc = sl_index_create(building, options, err);
    if (rc == SL_OK)
        rc = sl_store_building(building->store, index->store, &unsure, err);
    if (rc != SL_OK && !unsure) {
        building->store = sl_store_discard(building->store);
        return rc;
    }
    index->broken = index->broken || unsure;
    if (rc == SL_OK)
        rc = sl_index_read_format(building, err);
    return rc == SL_OK ? sl_index_reload(building, err) : rc;
}

static enum sl_err drop(struct sl_index *index, uint32_t number, struct sl_error *err)
{
    bool unsure = false;
    enum sl_err rc = sl_directory_drop(sl_store_directory(index->store), number, &unsure, err);

    index->broken = index->broken || unsure;
    return rc;
}

enum sl_err sl_generation_begin(struct sl_index *index, const struct sl_index_options *options,
                                uint64_t needed_bytes, struct sl_index **ret_building,
                                bool *ret_resumed, struct sl_error *err)
{
    struct sl_index_options wanted = *options;
    struct sl_index *building;
    const struct sl_directory *directory = sl_store_directory(index->store);
    enum sl_err rc = SL_AGAIN;

    SL_PRE(!index->batch_open && !index->read_only && options->fingerprint != NULL);
    wanted.read_only = wanted.existing = false;
    wanted.generation = NULL;
    building = sl_index_new(&wanted, err);
    if (building == NULL)
        return SL_STOP;
    *ret_resumed = directory->building[0] != '\0';
    if (*ret_resumed)
        rc = resume(index, &wanted, building, err);
    if (rc == SL_AGAIN && *ret_resumed)
        rc = drop(index, sl_directory_number(directory->building), err) == SL_OK ? SL_AGAIN : SL_STOP;
    if (rc == SL_AGAIN) {
        *ret_resumed = false;
        rc = begin_new(index, &wanted, needed_bytes, building, err);
    }
    if (rc == SL_OK)
        *ret_building = SL_TAKE(building);
    (void)sl_index_close(building);
    return rc;
}

struct sl_index *sl_generation_abandon(struct sl_index *index, struct sl_index *building)
{
    uint32_t number;

    if (building == NULL)
        return NULL;
    number = sl_directory_number(sl_store_directory(building->store)->name);
    (void)sl_index_close(building);
    (void)drop(index, number, NULL);
    return NULL;
}

enum sl_err sl_generation_rollback(struct sl_index *index, uint32_t number, struct sl_error *err)
{
    bool unsure = false;
    enum sl_err rc;

    SL_PRE(!index->batch_open && !index->read_only);
    rc = sl_directory_rollback(sl_store_directory(index->store), number, &unsure, err);
    index->broken = index->broken || unsure || rc == SL_OK;
    return rc;
}

enum sl_err sl_generation_drop(struct sl_index *index, uint32_t number, struct sl_error *err)
{
    SL_PRE(!index->batch_open && !index->read_only);
    return drop(index, number, err);
}

/* ----------------------------------------------------------------------------------- compare */

struct comparing {
    const struct sl_snapshot *from, *to;
    struct sl_cursor old, fresh;
    bool old_end, fresh_end;
    struct sl_arena *arena;
    struct sl_difference *list;
    uint32_t count;
    struct sl_error *err;
};

static enum sl_err at_end(enum sl_err rc, bool *ret_end)
{
    *ret_end = rc == SL_REJECT;
    return rc == SL_REJECT ? SL_OK : rc;
}

/* The first key behind `after`. */
static enum sl_err seek(struct sl_cursor *cursor, struct sl_view after, bool *ret_end,
                        struct sl_error *err)
{
    enum sl_err rc = sl_cursor_seek(cursor, after, err);

    if (rc == SL_OK && after.data != NULL && sl_view_equal(cursor->key, after))
        rc = sl_cursor_next(cursor, err);
    return at_end(rc, ret_end);
}

/* As LMDB sorts them. */
static int compare_keys(const struct comparing *comparing)
{
    struct sl_view a = comparing->old.key, b = comparing->fresh.key;
    size_t common = a.size < b.size ? a.size : b.size;
    int order;

    if (comparing->old_end || comparing->fresh_end)
        return comparing->old_end ? 1 : -1;
    order = memcmp(a.data, b.data, common);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Have the two documents one content? Their texts are not read: what makes one of them does that. */
static enum sl_err is_same_content(const struct comparing *comparing, uint32_t old, uint32_t fresh,
                                   bool *ret_same)
{
    struct sl_key keys[2] = {sl_key_number(old), sl_key_number(fresh)};
    struct sl_txn *txns[2] = {comparing->from->txn, comparing->to->txn};
    struct sl_doc_head heads[2];

    for (int i = 0; i < 2; i++) {
        struct sl_view payload;
        enum sl_err rc = sl_txn_get_unchecked(txns[i], SL_STORE_DOC, sl_key_view(&keys[i]), &payload,
                                              comparing->err);
        if (rc == SL_REJECT || (rc == SL_OK && !sl_doc_head_read(payload, &heads[i]))) {
            *ret_same = false;
            return SL_OK;
        }
        if (rc != SL_OK)
            return rc;
    }
    *ret_same = memcmp(heads[0].content_hash, heads[1].content_hash, sizeof heads[0].content_hash) == 0;
    return SL_OK;
}

static bool is_same_version(const struct sl_key_row *a, const struct sl_key_row *b)
{
    return a->partition == b->partition && a->offset == b->offset &&
           a->timestamp_ms == b->timestamp_ms && a->doubtful == b->doubtful;
}

/* What the new generation needs to have `old` as the old one has it; 0: nothing. */
static enum sl_err kind_of(const struct comparing *comparing, const struct sl_key_row *old,
                           const struct sl_key_row *fresh, int *ret_kind)
{
    bool same = is_same_version(old, fresh), content = true;
    enum sl_err rc = SL_OK;

    if (old->document == 0) {
        *ret_kind = same && fresh->document == 0 ? 0 : SL_DIFFERS_DELETED;
        return SL_OK;
    }
    if (fresh->document == 0) { /* the same version was tried, and cannot be a document there */
        *ret_kind = same ? 0 : SL_DIFFERS_DOCUMENT;
        return SL_OK;
    }
    if (!same || old->offset < 0)
        rc = is_same_content(comparing, old->document, fresh->document, &content);
    *ret_kind = !content ? SL_DIFFERS_DOCUMENT : same ? 0 : SL_DIFFERS_VERSION;
    return rc;
}

static enum sl_err add(struct comparing *comparing, int kind, const struct sl_key_row *row)
{
    struct sl_difference *difference = &comparing->list[comparing->count++];

    *difference = (struct sl_difference){.kind = (enum sl_difference_kind)kind,
                                         .doc = row->document,
                                         .topic = sl_arena_copy(comparing->arena, row->topic),
                                         .key = sl_arena_copy(comparing->arena, row->key),
                                         .partition = row->partition,
                                         .offset = row->offset,
                                         .timestamp_ms = row->timestamp_ms,
                                         .doubtful = row->doubtful};
    return difference->topic.data == NULL || difference->key.data == NULL
               ? sl_batch_memory(comparing->err)
               : SL_OK;
}

/* The next key of either, and past it. */
static enum sl_err visit(struct comparing *comparing, struct sl_sweep *walk)
{
    int order = compare_keys(comparing), kind = 0;
    const struct sl_cursor *cursor = order <= 0 ? &comparing->old : &comparing->fresh;
    struct sl_key_row old = {0}, fresh = {0};
    enum sl_err rc = SL_OK;

    if ((order <= 0 && !sl_key_row_read(comparing->old.payload, &old)) ||
        (order >= 0 && !sl_key_row_read(comparing->fresh.payload, &fresh)))
        return sl_corrupt(comparing->err, "key", 0, "wrong lengths");
    if (order == 0)
        rc = kind_of(comparing, &old, &fresh, &kind);
    else if (order < 0)
        kind = old.document != 0 ? SL_DIFFERS_DOCUMENT : SL_DIFFERS_DELETED;
    else
        kind = SL_DIFFERS_GONE;
    if (rc == SL_OK && kind != 0)
        rc = add(comparing, kind, order <= 0 ? &old : &fresh);
    memcpy(walk->after, cursor->key.data, cursor->key.size);
    walk->after_size = (uint32_t)cursor->key.size;
    if (rc == SL_OK && order <= 0)
        rc = at_end(sl_cursor_next(&comparing->old, comparing->err), &comparing->old_end);
    if (rc == SL_OK && order >= 0)
        rc = at_end(sl_cursor_next(&comparing->fresh, comparing->err), &comparing->fresh_end);
    return rc;
}

static enum sl_err compare(struct comparing *comparing, struct sl_sweep *walk, uint32_t most,
                           uint64_t *ret_keys)
{
    struct sl_view after = {walk->after_size > 0 ? walk->after : NULL, walk->after_size};
    char from[SL_SWEEP_BYTES_MAX];
    enum sl_err rc;

    if (after.data != NULL) { /* it moves while it is read */
        memcpy(from, walk->after, walk->after_size);
        after.data = from;
    }
    rc = seek(&comparing->old, after, &comparing->old_end, comparing->err);
    if (rc == SL_OK)
        rc = seek(&comparing->fresh, after, &comparing->fresh_end, comparing->err);
    *ret_keys = 0;
    while (rc == SL_OK && !(comparing->old_end && comparing->fresh_end) &&
           comparing->count < most && *ret_keys < KEYS_A_STEP) {
        rc = visit(comparing, walk);
        ++*ret_keys;
    }
    walk->done = rc == SL_OK && comparing->old_end && comparing->fresh_end;
    walk->changed = comparing->count;
    return rc;
}

enum sl_err sl_generation_compare(const struct sl_snapshot *from, const struct sl_snapshot *to,
                                  struct sl_sweep *walk, struct sl_arena *arena, uint32_t most,
                                  struct sl_difference *ret_list, uint32_t *ret_count,
                                  uint64_t *ret_keys, struct sl_error *err)
{
    struct comparing comparing = {.from = from, .to = to, .arena = arena, .list = ret_list,
                                  .err = err};
    enum sl_err rc = sl_cursor_open(from->txn, SL_STORE_KEY, false, &comparing.old, err);

    SL_PRE(!walk->done && most > 0);
    if (rc != SL_OK)
        return rc;
    rc = sl_cursor_open(to->txn, SL_STORE_KEY, false, &comparing.fresh, err);
    if (rc == SL_OK) {
        rc = compare(&comparing, walk, most, ret_keys);
        sl_cursor_close(&comparing.fresh);
    }
    sl_cursor_close(&comparing.old);
    *ret_count = comparing.count;
    return rc;
}

/* ------------------------------------------------------------------------------------ switch */

static bool is_own(enum sl_store_table table, struct sl_view key)
{
    return table == SL_STORE_NOTE && key.size >= sizeof OWN_ROWS - 1 &&
           memcmp(key.data, OWN_ROWS, sizeof OWN_ROWS - 1) == 0;
}

/* One row after the other: a cursor does not outlive a change. */
static enum sl_err empty_table(struct sl_txn *txn, enum sl_store_table table, struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer after = {0};
    enum sl_err rc = SL_OK;

    while (rc == SL_OK) {
        struct sl_cursor cursor;
        bool own;
        rc = sl_cursor_open(txn, table, false, &cursor, err);
        if (rc != SL_OK)
            break;
        rc = sl_cursor_seek(&cursor, sl_buffer_as_view(&after), err);
        if (rc == SL_OK && after.size > 0 && sl_view_equal(cursor.key, sl_buffer_as_view(&after)))
            rc = sl_cursor_next(&cursor, err);
        own = rc == SL_OK && is_own(table, cursor.key);
        after.size = 0;
        if (rc == SL_OK)
            sl_buffer_view(&after, cursor.key);
        sl_cursor_close(&cursor);
        if (rc == SL_OK && !own)
            rc = sl_txn_delete(txn, table, sl_buffer_as_view(&after), NULL, err);
    }
    if (after.failed)
        return sl_batch_memory(err);
    return rc == SL_REJECT ? SL_OK : rc;
}

static enum sl_err copy_table(struct sl_txn *from, struct sl_txn *to, enum sl_store_table table,
                              struct sl_error *err)
{
    struct sl_cursor cursor;
    enum sl_err rc = empty_table(to, table, err);

    if (rc == SL_OK)
        rc = sl_cursor_open(from, table, false, &cursor, err);
    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, err); rc == SL_OK;
         rc = sl_cursor_next(&cursor, err)) {
        if (!is_own(table, cursor.key))
            rc = sl_txn_put(to, table, cursor.key, cursor.payload, err);
        if (rc != SL_OK)
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

/* The state's sequence goes on from the old one's. */
static enum sl_err copy_rest(struct sl_txn *from, struct sl_txn *to, struct sl_error *err)
{
    static const enum sl_store_table tables[] = {SL_STORE_POSITION, SL_STORE_OUTBOX, SL_STORE_REPLY,
                                                 SL_STORE_NOTE};
    struct sl_state old, state;
    enum sl_err rc = sl_index_state(from, &old, err);

    if (rc == SL_OK)
        rc = sl_index_state(to, &state, err);
    for (size_t i = 0; rc == SL_OK && i < sizeof tables / sizeof *tables; i++)
        rc = copy_table(from, to, tables[i], err);
    if (rc != SL_OK)
        return rc;
    state.sequence = (old.sequence > state.sequence ? old.sequence : state.sequence) + 1;
    return sl_txn_put(to, SL_STORE_META, SL_VIEW("state"),
                      (struct sl_view){(const char *)&state, sizeof state}, err);
}

static enum sl_err bring_rest(struct sl_index *index, struct sl_index *building,
                              struct sl_error *err)
{
    struct sl_txn *from = NULL, *to = NULL;
    enum sl_err rc = sl_txn_begin(index->store, false, &from, err);

    if (rc == SL_OK)
        rc = sl_txn_begin(building->store, true, &to, err);
    if (rc == SL_OK)
        rc = copy_rest(from, to, err);
    if (rc == SL_OK)
        rc = sl_quarantine_count(to, &building->quarantined, err);
    if (rc == SL_OK)
        rc = sl_txn_commit(SL_TAKE(to), err);
    (void)sl_txn_abort(to);
    (void)sl_txn_abort(from);
    return rc;
}

static void exchange_numbers(struct sl_numbers *a, struct sl_numbers *b)
{
    struct sl_numbers kept = *a;

    *a = *b;
    *b = kept;
}

/* The old one's things are `building`'s then, and go with it. */
static void exchange(struct sl_index *index, struct sl_index *building)
{
    struct sl_store *store = index->store;
    struct sl_graph *graph = index->graph;
    struct sl_name *last = building->names;

    (void)pthread_mutex_lock(&index->lock);
    index->store = building->store;
    index->graph = building->graph;
    index->format = building->format;
    while (last->older != NULL)
        last = last->older;
    last->older = index->names;
    index->names = building->names;
    index->fingerprint = building->fingerprint;
    index->quarantined = building->quarantined;
    index->freed_pages = building->freed_pages;
    index->switches++;
    (void)pthread_mutex_unlock(&index->lock);
    building->store = store;
    building->graph = graph;
    building->names = NULL;
    exchange_numbers(&index->documents, &building->documents);
    exchange_numbers(&index->chunks, &building->chunks);
}

enum sl_err sl_generation_switch(struct sl_index *index, struct sl_index *building,
                                 struct sl_error *err)
{
    bool unsure = false;
    enum sl_err rc;

    SL_PRE(!index->batch_open && !building->batch_open && building->snapshots == NULL);
    if (index->broken || building->broken)
        return sl_stop(err, SL_EXIT_IO, 0, "io",
                       "index: an earlier commit failed in the middle; close and open it again");
    rc = bring_rest(index, building, err);
    if (rc == SL_OK)
        rc = sl_store_promote(building->store, index->store, &unsure, err);
    index->broken = index->broken || unsure;
    if (rc != SL_OK)
        return rc;
    exchange(index, building);
    (void)sl_index_close(building);
    return SL_OK;
}
