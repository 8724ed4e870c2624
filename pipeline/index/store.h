/*
 * store.h -- tables of checksummed records in one LMDB environment, with one writer.
 *
 * Every value on disk is [crc32c u32][payload]; the checksum covers key and payload, so that a record that
 * lies under the wrong key is noticed too. What is handed out here is the payload.
 */
#ifndef SLUICE_STORE_H
#define SLUICE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/view.h>

enum sl_store_table {
    SL_STORE_META = 0, /* "format", "state"                             */
    SL_STORE_POSITION, /* topic 0 partition -> where the stream stands  */
    SL_STORE_KEY,      /* topic 0 key -> document number and version    */
    SL_STORE_DOC,      /* document number -> the document               */
    SL_STORE_CHUNK,    /* document, ordinal -> ranges, windows, slots   */
    SL_STORE_TERM,     /* document, ordinal -> terms and counts         */
    SL_STORE_POST,     /* segment, term -> chunks and counts            */
    SL_STORE_SEGMENT,  /* segment -> document, ordinal, length by chunk */
    SL_STORE_ATTR,     /* field, value, block -> documents              */
    SL_STORE_VECTOR,   /* slab -> vectors                               */
    SL_STORE_LINK,     /* slab -> slots with their level 0 links        */
    SL_STORE_UPLINK,   /* slab -> links of the levels above             */
    SL_STORE_LOG,      /* commit, part -> slots as they were then       */
    SL_STORE_OUTBOX,
    SL_STORE_REPLY,
    SL_STORE_NOTE,
    SL_STORE_ORIGINAL, /* digest of a text -> the document that copies of it hang on */
    SL_STORE_COPY,     /* original, document -> nothing: it is a copy of it          */
    SL_STORE_BAND,     /* part of a sketch, document -> nothing: what may be nearly the same */
    SL_STORE_SPARE,    /* document, nearly a copy -> its chunks, should it need them */
    SL_STORE_TABLES
};

/* The largest payload that still fits one 4 KiB page of its own. */
#define SL_STORE_PAGE_PAYLOAD 4076u
/* Bytes of one value that takes whole 4 KiB pages with no waste: LMDB's page header is 16 bytes. */
#define SL_STORE_SLAB_BYTES(bytes) ((((bytes) + 16u + 4095u) & ~(size_t)4095u) - 16u)

struct sl_damage;
struct sl_generation;
struct sl_store;
struct sl_txn;

struct sl_store_stats {
    uint64_t map_bytes;
    uint64_t used_bytes;
    uint64_t disk_bytes;
    uint64_t free_pages;
    uint32_t readers;
};

/*
 * Open the environment that CURRENT names under `path`, making all of it when there is none (existing: then that
 * is not_found).
 *
 * Post:    without read_only this process holds the directory's lock until close.
 * Owns:    caller gets *ret_store.
 * Thread:  any.
 * Blocks:  disk.
 * Errors:  SL_STOP  locked, not_found, permission, bad_format, corrupt, io, memory
 */
struct sl_store_options {
    const char *path;
    uint64_t map_size_bytes;
    bool read_only;
    bool existing;
    const struct sl_generation *generation; /* read_only: this one, whatever CURRENT names; or NULL */
    const struct sl_store *beside; /* the one that is being built beside this store; or NULL */
};
enum sl_err sl_store_open(const struct sl_store_options *options, struct sl_store **ret_store,
                          struct sl_error *err);
/* One more owner; one less: the last closes it. Each transaction is an owner. */
struct sl_store *sl_store_take(struct sl_store *store);
struct sl_store *sl_store_close(struct sl_store *store);

/* What opening found: SL_STOP corrupt when a record is damaged that belongs to no document. */
enum sl_err sl_store_check(const struct sl_store *store, struct sl_error *err);
/* Documents whose records were found damaged: at open, or by a read that failed with `corrupt`. */
struct sl_damage *sl_store_damage(struct sl_store *store);

/*
 * An empty environment to take another's place: beside the one in use, or in a directory of its own (absent or
 * empty; its lock is taken).
 *
 * Owns:    caller gets *ret_fresh; sl_store_adopt() puts it into use, sl_store_discard() removes it.
 * Errors:  SL_STOP  disk_full naming the bytes needed and free; not_empty (64); locked, permission, io, memory
 */
enum sl_err sl_store_beside(const struct sl_store *store, uint64_t map_size_bytes,
                            uint64_t needed_bytes, struct sl_store **ret_fresh,
                            struct sl_error *err);
enum sl_err sl_store_elsewhere(const char *path, uint64_t map_size_bytes, uint64_t needed_bytes,
                               struct sl_store **ret_fresh, struct sl_error *err);
struct sl_store *sl_store_discard(struct sl_store *fresh);

/*
 * CURRENT names `fresh` from now on. `old` (NULL: there is none) gives up the lock, goes on for those who hold
 * it, and its files go with its last owner.
 *
 * Pre:     all of fresh is committed, no transaction of it is open.
 * Errors:  SL_STOP  io, disk_full, permission: old is still in use; with *ret_unsure nobody knows which of the
 *                   two (both are whole), and the directory must be opened anew
 */
enum sl_err sl_store_adopt(struct sl_store *fresh, struct sl_store *old, bool *ret_unsure,
                           struct sl_error *err);

/*
 * Generations: `current` is the store in use; its directory (directory.h) says which there are, and no other does.
 * With *ret_unsure nobody knows what CURRENT says after a failure, and the directory must be opened anew.
 *
 * building   a store made by sl_store_beside(), its first commit made, is the one being built
 * promote    it is the one in use and has the lock; `current` goes on for those who hold it, retired
 */
enum sl_err sl_store_building(struct sl_store *fresh, struct sl_store *current, bool *ret_unsure,
                              struct sl_error *err);
enum sl_err sl_store_promote(struct sl_store *building, struct sl_store *current, bool *ret_unsure,
                             struct sl_error *err);
struct sl_directory;
struct sl_directory *sl_store_directory(struct sl_store *store);

/* Remove what earlier rewrites left behind. Pre: not read only. */
void sl_store_clean(const struct sl_store *store);

/* The table's name in messages and in the file. */
const char *sl_store_table_name(enum sl_store_table table);

/*
 * Begin a transaction. A write transaction belongs to its thread, and there is one at a time; a read
 * transaction may move between threads, used by one at a time.
 *
 * Errors:  SL_AGAIN busy (readers); SL_STOP io, memory
 */
enum sl_err sl_txn_begin(struct sl_store *store, bool write, struct sl_txn **ret_txn,
                         struct sl_error *err);

/* The number of the commit this transaction sees; for a writer the number it will become. */
uint64_t sl_txn_id(const struct sl_txn *txn);
struct sl_store *sl_txn_store(const struct sl_txn *txn);

/* Consumes txn. Errors: SL_STOP map_full, disk_full (nothing happened, the store still works), io. */
enum sl_err sl_txn_commit(struct sl_txn *txn, struct sl_error *err);
struct sl_txn *sl_txn_abort(struct sl_txn *txn);

/*
 * The payload under a key. Views are valid until the transaction ends, or, in a write transaction, until
 * it writes again.
 *
 * Errors:  SL_REJECT not_found; SL_STOP corrupt (names table and key), io
 */
enum sl_err sl_txn_get(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                       struct sl_view *ret_payload, struct sl_error *err);

/* The same without looking at the checksum; sl_record_intact() does that later. */
enum sl_err sl_txn_get_unchecked(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                                 struct sl_view *ret_payload, struct sl_error *err);
/* Pre: payload was handed out by this file for this key: the checksum lies before it. */
bool sl_record_intact(struct sl_view key, struct sl_view payload);

enum sl_err sl_txn_put(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                       struct sl_view payload, struct sl_error *err);
/* The same behind the last key of the table, leaving no gaps. */
enum sl_err sl_txn_append(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                          struct sl_view payload, struct sl_error *err);
/* Room for a payload, to be filled and then sealed before the next write. */
enum sl_err sl_txn_reserve(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                           size_t payload_bytes, void **ret_payload, struct sl_error *err);
void sl_record_seal(struct sl_view key, void *payload, size_t payload_bytes);
enum sl_err sl_txn_delete(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                          bool *ret_found, struct sl_error *err);

/* All rows with from <= key < end. */
enum sl_err sl_txn_delete_range(struct sl_txn *txn, enum sl_store_table table, struct sl_view from,
                                struct sl_view end, struct sl_error *err);

/* Rows of a table. */
enum sl_err sl_txn_count(struct sl_txn *txn, enum sl_store_table table, uint64_t *ret_rows,
                         struct sl_error *err);
enum sl_err sl_txn_stats(struct sl_txn *txn, struct sl_store_stats *ret_stats,
                         struct sl_error *err);

/* Pages that the commit this transaction sees let go: the next commit cannot use them yet, the one after it can. 0
 * when it cannot be told. Pre: a read transaction. */
uint64_t sl_txn_freed(struct sl_txn *txn);
/* Pages of the file, free ones included. */
uint64_t sl_store_pages(const struct sl_store *store);
/*
 * Give the file system back the blocks of pages that are free and that no reader can see (holes in the file), where
 * it can take them. true: there are more, that a reader still sees or that would have been too many at once.
 *
 * Thread:  the writer's, no write transaction being open.
 */
bool sl_store_release_free(struct sl_store *store);

/*
 * Walk a table in key order. `lenient` hands out damaged records too, with intact == false (and an empty
 * payload when it has none); otherwise they end the walk with SL_STOP corrupt.
 */
struct sl_cursor {
    struct sl_view key;
    struct sl_view payload;
    bool intact;
    bool lenient;
    enum sl_store_table table;
    void *handle;
};

enum sl_err sl_cursor_open(struct sl_txn *txn, enum sl_store_table table, bool lenient,
                           struct sl_cursor *ret_cursor, struct sl_error *err);
void sl_cursor_close(struct sl_cursor *cursor);
/* The first record with key >= from (data == NULL: the first of all); SL_REJECT not_found: none. */
enum sl_err sl_cursor_seek(struct sl_cursor *cursor, struct sl_view from, struct sl_error *err);
enum sl_err sl_cursor_next(struct sl_cursor *cursor, struct sl_error *err);
/* The last record with key <= at; SL_REJECT not_found: none. */
enum sl_err sl_cursor_floor(struct sl_cursor *cursor, struct sl_view at, struct sl_error *err);

#endif /* SLUICE_STORE_H */
