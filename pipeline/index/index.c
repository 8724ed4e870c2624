/*
 * index.c -- opening and closing an index, and snapshots of it.
 *
 * A snapshot is an LMDB read transaction plus the graph. Documents, chunks and postings are read in that
 * transaction and need no further care; the graph in RAM moves on, so a snapshot remembers the commit it
 * shows and takes from the graph what was born before and has not died by then.
 *
 * Opened read only beside a running daemon, there is no graph until someone searches vectors: then it is
 * loaded from the snapshot's own commit, and shared by later snapshots for as long as nothing was written.
 */
#include "index/internal.h"

#include <stdlib.h>

#define DEFAULT_M               16u
#define DEFAULT_EF_CONSTRUCTION 200u
#define DEFAULT_MAP_BYTES       (64ull << 30)

enum sl_err sl_corrupt(struct sl_error *err, const char *table, uint64_t number, const char *what)
{
    return sl_stop(err, SL_EXIT_DATA, 0, "corrupt", "table %s, number %llu: %s", table,
                   (unsigned long long)number, what);
}

enum sl_err sl_batch_memory(struct sl_error *err)
{
    return sl_stop(err, SL_EXIT_OS, 0, "memory", "index: out of memory");
}

enum sl_err sl_index_state(struct sl_txn *txn, struct sl_state *ret_state, struct sl_error *err)
{
    struct sl_view payload;
    enum sl_err rc = sl_txn_get(txn, SL_STORE_META, SL_VIEW("state"), &payload, err);

    if (rc == SL_REJECT || (rc == SL_OK && payload.size != sizeof *ret_state))
        return sl_stop(err, SL_EXIT_DATA, 0, "corrupt", "table meta, key state: %s",
                       rc == SL_OK ? "wrong length" : "missing");
    if (rc == SL_OK)
        memcpy(ret_state, payload.data, sizeof *ret_state);
    return rc;
}

/* ----------------------------------------------------------------------------------- opening */

enum sl_err sl_index_create(struct sl_index *index, const struct sl_index_options *options,
                            struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_state state = {.entry = SL_SLOT_NONE, .root = SL_SLOT_NONE, .document_end = 1};
    struct sl_format format = {
        .version = SL_FORMAT_VERSION,
        .dim = options->dim,
        .metric = options->metric != 0 ? (uint32_t)options->metric : (uint32_t)SL_METRIC_COSINE,
        .m = options->m != 0 ? options->m : DEFAULT_M,
        .storage = options->storage != 0 ? (uint32_t)options->storage : (uint32_t)SL_STORAGE_F32,
        .fingerprint = sl_view_of(options->fingerprint != NULL ? options->fingerprint : "")};
    struct sl_txn *txn;
    enum sl_err rc = sl_txn_begin(index->store, true, &txn, err);

    if (rc != SL_OK)
        return rc;
    sl_format_write(&buffer, &format);
    rc = buffer.failed ? sl_batch_memory(err)
                       : sl_txn_put(txn, SL_STORE_META, SL_VIEW("format"),
                                    sl_buffer_as_view(&buffer), err);
    if (rc == SL_OK)
        rc = sl_txn_put(txn, SL_STORE_META, SL_VIEW("state"),
                        (struct sl_view){(const char *)&state, sizeof state}, err);
    if (rc != SL_OK) {
        (void)sl_txn_abort(txn);
        return rc;
    }
    return sl_txn_commit(txn, err);
}

/* Bytes of the words that both texts begin with. */
static size_t same_words(const char *a, const char *b)
{
    size_t same = 0;

    for (size_t i = 0; a[i] != '\0' && a[i] == b[i]; i++)
        if (a[i] == ' ')
            same = i + 1;
    return same;
}

#define REMEDY "`sluicectl reindex` makes it anew from the stored texts, or put the setting back"

static enum sl_err differs(const char *what, uint32_t here, uint32_t wanted, struct sl_error *err)
{
    return sl_stop(err, SL_EXIT_CONFIG, 0, "fingerprint",
                   "the index was made with %s %u, the configuration says %u; " REMEDY, what, here,
                   wanted);
}

enum sl_err sl_index_matches(const struct sl_index *index, const struct sl_index_options *options,
                             struct sl_error *err)
{
    const struct sl_format *format = &index->format;
    bool any = options->read_only || options->existing;

    if ((!any || options->dim != 0) && options->dim != format->dim)
        return differs("dim", format->dim, options->dim, err);
    if (options->metric != 0 && (uint32_t)options->metric != format->metric)
        return differs("metric", format->metric, (uint32_t)options->metric, err);
    if (options->m != 0 && options->m != format->m)
        return differs("m", format->m, options->m, err);
    if (options->storage != 0 && (uint32_t)options->storage != format->storage)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "fingerprint",
                       "the index was made with storage %s, the configuration says %s; " REMEDY,
                       sl_storage_name((enum sl_storage)format->storage),
                       sl_storage_name(options->storage));
    if (options->fingerprint != NULL && strcmp(options->fingerprint, index->fingerprint) != 0) {
        size_t same = same_words(index->fingerprint, options->fingerprint);
        return sl_stop(err, SL_EXIT_CONFIG, 0, "fingerprint",
                       "the index was made by other settings: " REMEDY "; it has \"%.80s\", the "
                       "configuration gives \"%.80s\"",
                       index->fingerprint + same, options->fingerprint + same);
    }
    return SL_OK;
}

/* The text lives as long as the index: whoever asked for it may still hold it after a switch. */
static enum sl_err keep_fingerprint(struct sl_index *index, struct sl_view text,
                                    struct sl_error *err)
{
    struct sl_name *name = malloc(sizeof *name + text.size + 1);

    if (name == NULL)
        return sl_batch_memory(err);
    name->older = index->names;
    memcpy(name->text, text.data, text.size);
    name->text[text.size] = '\0';
    index->names = name;
    index->fingerprint = name->text;
    return SL_OK;
}

enum sl_err sl_index_read_format(struct sl_index *index, struct sl_error *err)
{
    struct sl_txn *txn;
    struct sl_view payload;
    uint64_t rows;
    enum sl_err rc = sl_txn_begin(index->store, false, &txn, err);

    if (rc != SL_OK)
        return rc;
    rc = sl_txn_get_unchecked(txn, SL_STORE_META, SL_VIEW("format"), &payload, err);
    if (rc == SL_OK) {
        rc = sl_format_read(payload, &index->format, err);
        if (rc == SL_OK) /* only now: a newer format may use another checksum */
            rc = sl_txn_get(txn, SL_STORE_META, SL_VIEW("format"), &payload, err);
        if (rc == SL_OK)
            rc = keep_fingerprint(index, index->format.fingerprint, err);
        index->format.fingerprint = SL_VIEW_NULL;
    } else if (rc == SL_REJECT && sl_txn_count(txn, SL_STORE_META, &rows, err) == SL_OK &&
               rows > 0) {
        rc = sl_stop(err, SL_EXIT_DATA, 0, "corrupt", "table meta, key format: missing");
    }
    (void)sl_txn_abort(txn);
    return rc;
}

enum sl_err sl_index_upgrade(struct sl_index *index, struct sl_error *err)
{
    SL_CLEANUP(sl_buffer_fini) struct sl_buffer buffer = {0};
    struct sl_format format = index->format;
    struct sl_txn *txn;
    enum sl_err rc;

    if (format.version == SL_FORMAT_VERSION)
        return SL_OK;
    format.version = SL_FORMAT_VERSION;
    format.fingerprint = sl_view_of(index->fingerprint);
    sl_format_write(&buffer, &format);
    if (buffer.failed)
        return sl_batch_memory(err);
    rc = sl_txn_begin(index->store, true, &txn, err);
    if (rc != SL_OK)
        return rc;
    rc = sl_txn_put(txn, SL_STORE_META, SL_VIEW("format"), sl_buffer_as_view(&buffer), err);
    if (rc != SL_OK) {
        (void)sl_txn_abort(txn);
        return rc;
    }
    index->format.version = SL_FORMAT_VERSION;
    return sl_txn_commit(txn, err);
}

/* The numbers in use: documents from the attribute that all have, chunks from the segments. */
static enum sl_err load_documents(struct sl_index *index, struct sl_txn *txn, struct sl_error *err)
{
    struct sl_posting postings[SL_SEGMENT_CHUNKS];
    struct sl_cursor cursor;
    struct sl_view live = {"\0\0", 2};
    uint32_t count;
    enum sl_err rc = sl_cursor_open(txn, SL_STORE_ATTR, false, &cursor, err);

    if (rc != SL_OK)
        return rc;
    if (!sl_numbers_use(&index->documents, 0))
        rc = sl_batch_memory(err);
    else
        rc = sl_cursor_seek(&cursor, live, err);
    while (rc == SL_OK && cursor.key.size == 6 && memcmp(cursor.key.data, live.data, 2) == 0) {
        uint32_t block = sl_get_be32(cursor.key.data + 2);
        if (block > UINT32_MAX / SL_SEGMENT_CHUNKS ||
            !sl_postings_read(cursor.payload, postings, &count)) {
            rc = sl_corrupt(err, "attr", block, "a row of senseless values");
            break;
        }
        for (uint32_t i = 0; i < count && rc == SL_OK; i++)
            if (!sl_numbers_use(&index->documents, block * SL_SEGMENT_CHUNKS + postings[i].local))
                rc = sl_batch_memory(err);
        if (rc == SL_OK)
            rc = sl_cursor_next(&cursor, err);
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

static enum sl_err load_chunks(struct sl_index *index, struct sl_txn *txn, struct sl_error *err)
{
    struct sl_cursor cursor;
    enum sl_err rc = sl_cursor_open(txn, SL_STORE_SEGMENT, false, &cursor, err);

    if (rc != SL_OK)
        return rc;
    for (rc = sl_cursor_seek(&cursor, SL_VIEW_NULL, err); rc == SL_OK;
         rc = sl_cursor_next(&cursor, err)) {
        uint32_t number = cursor.key.size == 4 ? sl_get_be32(cursor.key.data) : UINT32_MAX;
        struct sl_segment segment;
        if (number > UINT32_MAX / SL_SEGMENT_CHUNKS || cursor.payload.size != sizeof segment) {
            rc = sl_corrupt(err, "segment", number, "wrong length");
            break;
        }
        memcpy(&segment, cursor.payload.data, sizeof segment);
        for (uint32_t i = 0; i < SL_SEGMENT_CHUNKS && rc == SL_OK; i++)
            if (segment.document[i] != 0 &&
                !sl_numbers_use(&index->chunks, number * SL_SEGMENT_CHUNKS + i))
                rc = sl_batch_memory(err);
        if (rc != SL_OK)
            break;
    }
    sl_cursor_close(&cursor);
    return rc == SL_REJECT ? SL_OK : rc;
}

enum sl_err sl_index_reload(struct sl_index *index, struct sl_error *err)
{
    struct sl_graph *graph = NULL, *old;
    struct sl_state state;
    struct sl_txn *txn;
    enum sl_err rc = sl_txn_begin(index->store, false, &txn, err);

    if (rc != SL_OK)
        return rc;
    sl_numbers_fini(&index->documents);
    sl_numbers_fini(&index->chunks);
    rc = sl_index_state(txn, &state, err);
    if (rc == SL_OK)
        rc = load_documents(index, txn, err);
    if (rc == SL_OK)
        rc = load_chunks(index, txn, err);
    if (rc == SL_OK)
        rc = sl_quarantine_count(txn, &index->quarantined, err);
    if (rc == SL_OK && index->format.dim > 0)
        rc = sl_graph_load(txn, &index->format, &state, index->ef_construction, index->map_bytes,
                           &graph, err);
    (void)sl_txn_abort(txn);
    if (rc != SL_OK)
        return rc;
    (void)pthread_mutex_lock(&index->lock);
    old = index->graph;
    index->graph = graph;
    (void)pthread_mutex_unlock(&index->lock);
    (void)sl_graph_drop(old);
    return SL_OK;
}

struct sl_index *sl_index_new(const struct sl_index_options *options, struct sl_error *err)
{
    struct sl_index *index = calloc(1, sizeof *index);

    if (index == NULL) {
        (void)sl_batch_memory(err);
        return NULL;
    }
    (void)pthread_mutex_init(&index->lock, NULL);
    index->read_only = options->read_only;
    index->duplicates = options->duplicates;
    index->map_bytes =
        options->map_size_bytes != 0 ? options->map_size_bytes : DEFAULT_MAP_BYTES;
    index->ef_construction =
        options->ef_construction != 0 ? options->ef_construction : DEFAULT_EF_CONSTRUCTION;
    return index;
}

enum sl_err sl_index_open(const struct sl_index_options *options, struct sl_index **ret_index,
                          struct sl_error *err)
{
    struct sl_index *index;
    enum sl_err rc;

    SL_PRE(options->path != NULL && options->dim <= SL_DIM_MAX && options->m <= SL_M_MAX &&
           options->ef_construction <= SL_EF_MAX);
    SL_PRE(options->generation == NULL || options->read_only);
    index = sl_index_new(options, err);
    if (index == NULL)
        return SL_STOP;
    rc = sl_store_open(&(struct sl_store_options){.path = options->path,
                                                  .map_size_bytes = index->map_bytes,
                                                  .read_only = options->read_only,
                                                  .existing = options->existing,
                                                  .generation = options->generation},
                       &index->store, err);
    if (rc == SL_OK) {
        rc = sl_index_read_format(index, err);
        if (rc == SL_REJECT && !index->read_only) {
            rc = sl_index_create(index, options, err);
            if (rc == SL_OK)
                rc = sl_index_read_format(index, err);
        } else if (rc == SL_REJECT) {
            rc = sl_stop(err, SL_EXIT_NOINPUT, 0, "not_found", "%s: no index there",
                         options->path);
        }
    }
    if (rc == SL_OK)
        rc = sl_index_matches(index, options, err);
    if (rc == SL_OK && !index->read_only)
        rc = sl_store_check(index->store, err);
    if (rc == SL_OK && !index->read_only)
        rc = sl_index_upgrade(index, err);
    if (rc == SL_OK && !index->read_only) {
        sl_store_clean(index->store);
        rc = sl_index_reload(index, err);
        if (rc == SL_OK)
            rc = sl_quarantine_find(index, err);
    }
    if (rc == SL_OK)
        *ret_index = SL_TAKE(index);
    (void)sl_index_close(index);
    return rc;
}

struct sl_index *sl_index_close(struct sl_index *index)
{
    if (index == NULL)
        return NULL;
    SL_PRE(!index->batch_open && index->snapshots == NULL);
    (void)sl_graph_drop(index->graph);
    sl_numbers_fini(&index->documents);
    sl_numbers_fini(&index->chunks);
    (void)sl_store_close(index->store);
    while (index->names != NULL) {
        struct sl_name *name = index->names;
        index->names = name->older;
        free(name);
    }
    (void)pthread_mutex_destroy(&index->lock);
    free(index);
    return NULL;
}

uint32_t sl_index_dim(const struct sl_index *index)
{
    return index->format.dim;
}

static const char *const storage_names[] = {
    [SL_STORAGE_F32] = "f32", [SL_STORAGE_F16] = "f16", [SL_STORAGE_BF16] = "bf16",
    [SL_STORAGE_I8] = "i8",   [SL_STORAGE_BIT] = "bit"};

const char *sl_storage_name(enum sl_storage storage)
{
    SL_PRE(storage >= SL_STORAGE_F32 && storage <= SL_STORAGE_BIT);
    return storage_names[storage];
}

enum sl_storage sl_storage_named(const char *name)
{
    for (enum sl_storage storage = SL_STORAGE_F32; storage <= SL_STORAGE_BIT; storage++)
        if (strcmp(name, storage_names[storage]) == 0)
            return storage;
    return 0;
}

const char *sl_index_fingerprint(const struct sl_index *index)
{
    return index->fingerprint;
}

/* --------------------------------------------------------------------------------- snapshots */

static enum sl_err open_locked(struct sl_index *index, struct sl_snapshot *snapshot,
                               struct sl_error *err)
{
    enum sl_err rc;

    if (index->snapshot_count >= SL_SNAPSHOTS_MAX)
        return sl_fail(err, SL_AGAIN, "busy", "index: %u snapshots are open, no more are allowed",
                       SL_SNAPSHOTS_MAX);
    rc = sl_txn_begin(index->store, false, &snapshot->txn, err);
    if (rc != SL_OK)
        return rc;
    snapshot->epoch = sl_txn_id(snapshot->txn);
    snapshot->format = index->format;
    snapshot->fingerprint = index->fingerprint;
    if (!index->read_only)
        snapshot->graph = sl_graph_take(index->graph);
    snapshot->next = index->snapshots;
    snapshot->link = &index->snapshots;
    if (snapshot->next != NULL)
        snapshot->next->link = &snapshot->next;
    index->snapshots = snapshot;
    index->snapshot_count++;
    return SL_OK;
}

enum sl_err sl_snapshot_open(struct sl_index *index, struct sl_snapshot **ret_snapshot,
                             struct sl_error *err)
{
    struct sl_snapshot *snapshot = calloc(1, sizeof *snapshot);
    enum sl_err rc;

    if (snapshot == NULL)
        return sl_batch_memory(err);
    snapshot->index = index;
    (void)pthread_mutex_lock(&index->lock);
    rc = open_locked(index, snapshot, err);
    (void)pthread_mutex_unlock(&index->lock);
    if (rc != SL_OK) {
        free(snapshot);
        return rc;
    }
    rc = sl_index_state(snapshot->txn, &snapshot->state, err);
    if (rc != SL_OK) {
        (void)sl_snapshot_close(snapshot);
        return rc;
    }
    *ret_snapshot = snapshot;
    return SL_OK;
}

struct sl_snapshot *sl_snapshot_close(struct sl_snapshot *snapshot)
{
    if (snapshot == NULL)
        return NULL;
    (void)pthread_mutex_lock(&snapshot->index->lock);
    *snapshot->link = snapshot->next;
    if (snapshot->next != NULL)
        snapshot->next->link = snapshot->link;
    snapshot->index->snapshot_count--;
    (void)pthread_mutex_unlock(&snapshot->index->lock);
    (void)sl_txn_abort(snapshot->txn);
    (void)sl_graph_drop(snapshot->graph);
    free(snapshot->windows);
    free(snapshot);
    return NULL;
}

enum sl_err sl_snapshot_graph(const struct sl_snapshot *snapshot, struct sl_graph **ret_graph,
                              struct sl_error *err)
{
    struct sl_index *index = snapshot->index;
    struct sl_snapshot *own = (struct sl_snapshot *)(uintptr_t)snapshot;
    enum sl_err rc = SL_OK;

    if (own->graph == NULL) {
        (void)pthread_mutex_lock(&index->lock);
        if (index->graph == NULL || index->graph->epoch_base != snapshot->epoch) {
            struct sl_graph *graph = NULL;
            rc = sl_graph_load(own->txn, &own->format, &own->state, index->ef_construction,
                               index->map_bytes, &graph, err);
            if (rc == SL_OK) {
                (void)sl_graph_drop(index->graph);
                index->graph = graph;
            }
        }
        if (rc == SL_OK)
            own->graph = sl_graph_take(index->graph);
        (void)pthread_mutex_unlock(&index->lock);
    }
    if (rc == SL_OK)
        *ret_graph = own->graph;
    return rc;
}
