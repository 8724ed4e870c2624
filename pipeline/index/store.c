/*
 * store.c -- LMDB behind tables of checksummed records; the only file that says mdb_*.
 *
 * The problem: everything the daemon knows must move together or not at all, survive kill -9 and a full
 * disk, be read without waiting for the writer, and be noticed when the disk hands back other bytes than
 * it was given. LMDB gives all but the last; it has no page checksums, so each record carries its own.
 *
 * The idea: one directory holds `lock` (flock: one writer), `CURRENT` (a name) and that environment. A
 * rewrite of the whole builds the next one beside it and swaps CURRENT by rename (directory.c); transactions
 * own the environment they read, so those begun before go on, and the last of them removes it. The map is as large as it may ever become and never moves, so pointers into it stay good for as
 * long as LMDB keeps the pages.
 *
 * Rejected: NOSYNC, NOMETASYNC and WRITEMAP (they lose or tear commits), DUPSORT (0.9.24 has bugs there),
 * set_mapsize while open (it succeeds beside our own readers and moves the map under them).
 *
 * Known weakness: LMDB reports a full disk as EIO when the last write was cut short, so the free space is
 * asked for; a disk that filled and was emptied within that instant counts as broken.
 */
#include "index/store.h"

#include <errno.h>
#include <lmdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/hash.h>
#include <sluice/limits.h>

#include "index/damage.h"
#include "index/directory.h"
#include "index/holes.h"
#include "index/format.h"
#include "index/pages.h"

#define MAP_BYTES_DEFAULT (64ull << 30)
#define READERS_MAX       (SL_SNAPSHOTS_MAX + 130u)
#define CRC_BYTES         4u
#define FOLLOW_TRIES      5

static const char *const table_names[SL_STORE_TABLES] = {
    "meta",    "pos",  "key",  "doc",  "chunk",  "term", "post",   "segment",
    "attr",    "vec",  "link", "uplink", "log",  "outbox", "reply", "note",
    "original", "copy", "band", "spare"};

struct sl_store {
    MDB_env *env;
    MDB_dbi tables[SL_STORE_TABLES];
    struct sl_directory directory;
    struct sl_damage damage;
    atomic_uint owners;
    bool read_only;
    bool discarded; /* another has taken its place: its files go with its last owner */
    struct sl_error found; /* the first damaged record that belongs to no document */
};

struct sl_txn {
    MDB_txn *txn;
    struct sl_store *store;
};

const char *sl_store_table_name(enum sl_store_table table)
{
    return table_names[table];
}

/* ------------------------------------------------------------------------------------ errors */

static enum sl_err fail(const struct sl_store *store, int rc, const char *doing,
                        enum sl_store_table table, struct sl_error *err)
{
    const char *name = table < SL_STORE_TABLES ? table_names[table] : "environment";

    switch (rc) {
    case MDB_NOTFOUND:
        return sl_fail(err, SL_REJECT, "not_found", "index: nothing under this key in %s", name);
    case MDB_READERS_FULL:
        return sl_fail(err, SL_AGAIN, "busy", "index: all %u reader places are taken", READERS_MAX);
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return sl_stop(err, SL_EXIT_IO, rc, "map_full",
                       "index %s: %s: the map is full; raise [index] map_size_max", store->directory.path,
                       doing);
    case ENOMEM:
        return sl_stop(err, SL_EXIT_OS, rc, "memory", "index: %s %s: out of memory", doing, name);
    case ENOSPC:
    case EDQUOT:
        return sl_stop(err, SL_EXIT_IO, rc, "disk_full", "index %s: %s: no space left on the disk",
                       store->directory.path, doing);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_BAD_TXN:
        return sl_stop(err, SL_EXIT_DATA, rc, "corrupt", "index %s: %s %s: %s", store->directory.path, doing,
                       name, mdb_strerror(rc));
    default:
        if (rc == EIO && sl_directory_is_full(&store->directory))
            return sl_stop(err, SL_EXIT_IO, rc, "disk_full",
                           "index %s: %s: no space left on the disk", store->directory.path, doing);
        return sl_stop(err, SL_EXIT_IO, rc, "io", "index %s: %s %s: %s", store->directory.path, doing, name,
                       mdb_strerror(rc));
    }
}

/* Records of a document begin their keys with its number: it can be named, and made again. */
static bool names_document(enum sl_store_table table, struct sl_view key)
{
    return key.size >= 4 && (table == SL_STORE_DOC || table == SL_STORE_CHUNK ||
                             table == SL_STORE_TERM || table == SL_STORE_SPARE);
}

static enum sl_err damaged(struct sl_store *store, enum sl_store_table table, struct sl_view key,
                           struct sl_error *err)
{
    char text[80];

    if (names_document(table, key))
        sl_damage_note(&store->damage, sl_get_be32(key.data));
    sl_damage_describe(key, text, sizeof text);
    return sl_stop(err, SL_EXIT_DATA, 0, "corrupt", "index %s: table %s, key %s: wrong checksum",
                   store->directory.path, table_names[table], text);
}

/* ------------------------------------------------------------------------------- environment */

static enum sl_err open_environment(struct sl_store *store, uint64_t map_size_bytes,
                                    struct sl_error *err)
{
    char path[PATH_MAX];
    unsigned flags = MDB_NOTLS | (store->read_only ? MDB_RDONLY : 0u);
    int dead, rc;

    sl_directory_environment(&store->directory, store->directory.name, NULL, path);
    if (!store->read_only && mkdir(path, 0700) != 0 && errno != EEXIST)
        return sl_path_error(path, "mkdir", err);
    rc = mdb_env_create(&store->env);
    if (rc == 0)
        rc = mdb_env_set_userctx(store->env, store);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(store->env, SL_STORE_TABLES);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(store->env, READERS_MAX);
    if (rc == 0)
        rc = mdb_env_set_mapsize(store->env,
                                 map_size_bytes != 0 ? map_size_bytes : MAP_BYTES_DEFAULT);
    if (rc == 0)
        rc = mdb_env_open(store->env, path, flags, 0600);
    if (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH)
        return sl_stop(err, SL_EXIT_CONFIG, rc, "bad_format", "%s: not an index: %s", path,
                       mdb_strerror(rc));
    if (rc == EACCES || rc == EPERM || rc == EROFS || rc == ENOENT) {
        errno = rc;
        return sl_path_error(path, "open", err);
    }
    if (rc == 0)
        rc = mdb_reader_check(store->env, &dead);
    return rc == 0 ? SL_OK : fail(store, rc, "opening", SL_STORE_TABLES, err);
}

static bool is_slabs(struct sl_view table)
{
    return sl_view_is(table, table_names[SL_STORE_VECTOR]) ||
           sl_view_is(table, table_names[SL_STORE_LINK]);
}

static void found_damage(void *context, struct sl_view name, struct sl_view key)
{
    struct sl_store *store = context;
    struct sl_error err;

    for (enum sl_store_table table = 0; table < SL_STORE_TABLES; table++)
        if (sl_view_is(name, table_names[table]) &&
            damaged(store, table, key, &err) == SL_STOP && !names_document(table, key) &&
            store->found.code == SL_OK)
            store->found = err;
}

/*
 * Before LMDB maps the file. A writer's file was checked when it started, and changes under our hands; so a
 * reader beside one leaves it at that.
 */
static enum sl_err check_pages(struct sl_store *store, struct sl_error *err)
{
    char path[PATH_MAX];
    struct sl_pages_options options = {.file = path, .commit = SL_PAGES_NEWEST, .is_slabs = is_slabs,
                                       .damaged = found_damage, .context = store};
    enum sl_err rc;

    sl_directory_environment(&store->directory, store->directory.name, "data.mdb", path);
    if (store->read_only && sl_directory_is_held(&store->directory))
        return SL_OK;
    rc = sl_pages_check(&options, err);
    if (rc != SL_OK && store->read_only && sl_directory_is_held(&store->directory))
        return SL_OK; /* one has begun to write meanwhile */
    return rc;
}

/* Tables that format 4 lacks: a writer adds them. */
#define TABLES_FORMAT_4 ((int)SL_STORE_ORIGINAL)

/* Open every table, making them in a new environment. Nothing is written to one that has them. */
static enum sl_err open_tables(struct sl_store *store, struct sl_error *err)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn);
    bool fresh = false;
    int found = 0;

    for (; rc == 0 && found < SL_STORE_TABLES; found += rc == 0)
        rc = mdb_dbi_open(txn, table_names[found], 0, &store->tables[found]);
    fresh = rc == MDB_NOTFOUND && !store->read_only;
    if (fresh) {
        MDB_stat stat;
        mdb_txn_abort(txn);
        txn = NULL;
        rc = mdb_env_stat(store->env, &stat);
        if (rc == 0 && stat.ms_entries != 0 && found < TABLES_FORMAT_4)
            return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_format",
                           "%s/%s: holds other tables than an index of this version", store->directory.path,
                           store->directory.name);
        if (rc == 0)
            rc = mdb_txn_begin(store->env, NULL, 0, &txn);
        for (int i = 0; rc == 0 && i < SL_STORE_TABLES; i++)
            rc = mdb_dbi_open(txn, table_names[i], MDB_CREATE, &store->tables[i]);
    }
    if (rc == 0) {
        rc = mdb_txn_commit(txn);
        txn = NULL;
    }
    if (txn != NULL)
        mdb_txn_abort(txn);
    if (rc == MDB_NOTFOUND)
        return sl_stop(err, SL_EXIT_CONFIG, rc, "bad_format",
                       "%s/%s: lacks tables of an index of this version", store->directory.path, store->directory.name);
    return rc == 0 ? SL_OK : fail(store, rc, "opening", SL_STORE_TABLES, err);
}

static struct sl_store *store_new(bool read_only, struct sl_error *err)
{
    struct sl_store *store = calloc(1, sizeof *store);

    if (store == NULL) {
        (void)sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "index: out of memory");
        return NULL;
    }
    atomic_init(&store->owners, 1);
    sl_damage_init(&store->damage);
    store->directory.lock_fd = -1;
    store->read_only = read_only;
    return store;
}

static enum sl_err open_current(struct sl_store *store, uint64_t map_size_bytes,
                                struct sl_error *err)
{
    enum sl_err rc = sl_directory_check(&store->directory, err);

    if (rc == SL_OK)
        rc = check_pages(store, err);
    if (rc == SL_OK)
        rc = open_environment(store, map_size_bytes, err);
    return rc == SL_OK ? open_tables(store, err) : rc;
}

/* A reader may find that the writer replaced the environment since CURRENT was read. */
static enum sl_err open_following(struct sl_store *store, uint64_t map_size_bytes,
                                  struct sl_error *err)
{
    enum sl_err rc = SL_OK;

    for (int tries = 0; tries < FOLLOW_TRIES; tries++) {
        char before[SL_ENVIRONMENT_NAME_BYTES];
        memcpy(before, store->directory.name, sizeof before);
        rc = open_current(store, map_size_bytes, err);
        if (rc == SL_OK || !store->read_only ||
            sl_directory_read_current(&store->directory, err) != SL_OK ||
            strcmp(before, store->directory.name) == 0)
            break;
        if (store->env != NULL)
            mdb_env_close(store->env);
        store->env = NULL;
    }
    return rc;
}

/* env.new in the store's directory, with all tables and nothing in them. */
static enum sl_err make_new(struct sl_store *store, uint64_t map_size_bytes, struct sl_error *err)
{
    enum sl_err rc;

    sl_directory_remove(&store->directory, SL_ENVIRONMENT_NEW);
    (void)strcpy(store->directory.name, SL_ENVIRONMENT_NEW);
    rc = open_environment(store, map_size_bytes, err);
    return rc == SL_OK ? open_tables(store, err) : rc;
}

/*
 * In a directory without CURRENT. env.0 is there already when a creation was killed between naming it and
 * naming it in CURRENT; before that it was env.new, and what is there of that is begun again.
 */
static enum sl_err create(struct sl_store *store, uint64_t map_size_bytes, struct sl_error *err)
{
    char path[PATH_MAX];
    bool unsure;
    enum sl_err rc;

    sl_directory_environment(&store->directory, "env.0", "data.mdb", path);
    if (access(path, F_OK) != 0) {
        rc = make_new(store, map_size_bytes, err);
        return rc == SL_OK ? sl_directory_adopt(&store->directory, &unsure, err) : rc;
    }
    (void)strcpy(store->directory.name, "env.0");
    rc = open_current(store, map_size_bytes, err);
    return rc == SL_OK ? sl_directory_write_current(&store->directory, &unsure, err) : rc;
}

enum sl_err sl_store_open(const struct sl_store_options *options, struct sl_store **ret_store,
                          struct sl_error *err)
{
    bool read_only = options->read_only;
    uint64_t map_size_bytes = options->map_size_bytes;
    struct sl_store *store = store_new(read_only, err);
    enum sl_err rc;

    if (store == NULL)
        return SL_STOP;
    if (options->beside != NULL) {
        store->directory = options->beside->directory;
        store->directory.lock_fd = -1;
        memcpy(store->directory.name, store->directory.building, sizeof store->directory.name);
        rc = open_current(store, map_size_bytes, err);
    } else if ((rc = sl_directory_open(options->path, read_only, &store->directory, err)) == SL_OK &&
               options->generation != NULL) {
        sl_directory_name(options->generation->number, store->directory.name);
        rc = open_current(store, map_size_bytes, err);
    } else if (rc == SL_OK && store->directory.name[0] == '\0') {
        errno = ENOENT;
        rc = read_only || options->existing ? sl_path_error(options->path, "open", err)
                                            : create(store, map_size_bytes, err);
    } else if (rc == SL_OK) {
        rc = open_following(store, map_size_bytes, err);
    }
    if (rc == SL_OK)
        *ret_store = SL_TAKE(store);
    (void)sl_store_close(store);
    return rc;
}

struct sl_store *sl_store_take(struct sl_store *store)
{
    atomic_fetch_add(&store->owners, 1);
    return store;
}

struct sl_store *sl_store_close(struct sl_store *store)
{
    if (store == NULL || atomic_fetch_sub(&store->owners, 1) > 1)
        return NULL;
    if (store->env != NULL)
        mdb_env_close(store->env);
    if (store->discarded)
        sl_directory_remove(&store->directory, store->directory.name);
    sl_directory_fini(&store->directory);
    sl_damage_fini(&store->damage);
    free(store);
    return NULL;
}

enum sl_err sl_store_check(const struct sl_store *store, struct sl_error *err)
{
    if (store->found.code != SL_OK && err != NULL)
        *err = store->found;
    return store->found.code;
}

struct sl_damage *sl_store_damage(struct sl_store *store)
{
    return &store->damage;
}

/* ---------------------------------------------------------------------------------- replacing */

enum sl_err sl_store_beside(const struct sl_store *store, uint64_t map_size_bytes,
                            uint64_t needed_bytes, struct sl_store **ret_fresh,
                            struct sl_error *err)
{
    struct sl_store *fresh = store_new(false, err);
    enum sl_err rc;

    if (fresh == NULL)
        return SL_STOP;
    fresh->directory = store->directory;
    fresh->directory.lock_fd = -1;
    rc = sl_directory_room(&fresh->directory, needed_bytes, err);
    if (rc == SL_OK)
        rc = make_new(fresh, map_size_bytes, err);
    if (rc == SL_OK)
        *ret_fresh = fresh;
    else
        (void)sl_store_discard(fresh);
    return rc;
}

enum sl_err sl_store_elsewhere(const char *path, uint64_t map_size_bytes, uint64_t needed_bytes,
                               struct sl_store **ret_fresh, struct sl_error *err)
{
    struct sl_store *fresh = store_new(false, err);
    bool ours = false;
    enum sl_err rc;

    if (fresh == NULL)
        return SL_STOP;
    rc = sl_directory_open(path, false, &fresh->directory, err);
    if (rc == SL_OK)
        rc = sl_directory_empty(&fresh->directory, err);
    ours = rc == SL_OK;
    if (rc == SL_OK)
        rc = sl_directory_room(&fresh->directory, needed_bytes, err);
    if (rc == SL_OK)
        rc = make_new(fresh, map_size_bytes, err);
    if (rc == SL_OK)
        *ret_fresh = fresh;
    else if (ours)
        (void)sl_store_discard(fresh);
    else
        (void)sl_store_close(fresh);
    return rc;
}

struct sl_store *sl_store_discard(struct sl_store *fresh)
{
    if (fresh != NULL) {
        (void)strcpy(fresh->directory.name, SL_ENVIRONMENT_NEW);
        fresh->discarded = true;
    }
    return sl_store_close(fresh);
}

enum sl_err sl_store_adopt(struct sl_store *fresh, struct sl_store *old, bool *ret_unsure,
                           struct sl_error *err)
{
    struct sl_directory directory = old != NULL ? old->directory : fresh->directory;
    enum sl_err rc;

    if (old == NULL)
        directory.name[0] = '\0';
    rc = sl_directory_adopt(&directory, ret_unsure, err);
    if (rc != SL_OK)
        return rc;
    fresh->directory = directory; /* the lock goes with it */
    if (old != NULL) {
        old->directory.lock_fd = -1;
        old->discarded = true;
    }
    return SL_OK;
}

/* ------------------------------------------------------------------------------- generations */

struct sl_directory *sl_store_directory(struct sl_store *store)
{
    return &store->directory;
}

enum sl_err sl_store_building(struct sl_store *fresh, struct sl_store *current, bool *ret_unsure,
                              struct sl_error *err)
{
    enum sl_err rc = sl_directory_build(&current->directory, ret_unsure, err);

    if (rc == SL_OK)
        memcpy(fresh->directory.name, current->directory.building, sizeof fresh->directory.name);
    return rc;
}

enum sl_err sl_store_promote(struct sl_store *building, struct sl_store *current, bool *ret_unsure,
                             struct sl_error *err)
{
    enum sl_err rc = sl_directory_promote(&current->directory, ret_unsure, err);

    if (rc == SL_OK) {
        struct sl_directory after = current->directory;
        memcpy(current->directory.name, after.retired[after.retired_count - 1], sizeof after.name);
        current->directory.lock_fd = -1;
        building->directory = after; /* the lock goes with it */
    }
    return rc;
}

void sl_store_clean(const struct sl_store *store)
{
    SL_PRE(!store->read_only);
    sl_directory_clean(&store->directory);
}

/* ------------------------------------------------------------------------------ transactions */

enum sl_err sl_txn_begin(struct sl_store *store, bool write, struct sl_txn **ret_txn,
                         struct sl_error *err)
{
    struct sl_txn *txn = calloc(1, sizeof *txn);
    int rc;

    SL_PRE(!write || !store->read_only);
    if (txn == NULL)
        return fail(store, ENOMEM, "transaction", SL_STORE_TABLES, err);
    txn->store = sl_store_take(store);
    rc = mdb_txn_begin(store->env, NULL, write ? 0 : MDB_RDONLY, &txn->txn);
    if (rc != 0) {
        free(txn);
        (void)sl_store_close(store);
        return fail(store, rc, "beginning a transaction", SL_STORE_TABLES, err);
    }
    *ret_txn = txn;
    return SL_OK;
}

uint64_t sl_txn_id(const struct sl_txn *txn)
{
    return mdb_txn_id(txn->txn);
}

struct sl_store *sl_txn_store(const struct sl_txn *txn)
{
    return txn->store;
}

enum sl_err sl_txn_commit(struct sl_txn *txn, struct sl_error *err)
{
    struct sl_store *store = txn->store;
    int failure = mdb_txn_commit(txn->txn);
    enum sl_err rc =
        failure == 0 ? SL_OK : fail(store, failure, "committing", SL_STORE_TABLES, err);

    free(txn);
    (void)sl_store_close(store);
    return rc;
}

struct sl_txn *sl_txn_abort(struct sl_txn *txn)
{
    struct sl_store *store;

    if (txn == NULL)
        return NULL;
    store = txn->store;
    mdb_txn_abort(txn->txn);
    free(txn);
    (void)sl_store_close(store);
    return NULL;
}

/* ----------------------------------------------------------------------------------- records */

static MDB_val val_of(struct sl_view view)
{
    return (MDB_val){view.size, (void *)(uintptr_t)view.data};
}

static uint32_t checksum(struct sl_view key, const void *payload, size_t size)
{
    return sl_crc32c(sl_crc32c(0, key.data, key.size), payload, size);
}

bool sl_record_intact(struct sl_view key, struct sl_view payload)
{
    uint32_t stored;

    memcpy(&stored, payload.data - CRC_BYTES, CRC_BYTES);
    return stored == checksum(key, payload.data, payload.size);
}

void sl_record_seal(struct sl_view key, void *payload, size_t payload_bytes)
{
    uint32_t crc = checksum(key, payload, payload_bytes);

    memcpy((char *)payload - CRC_BYTES, &crc, CRC_BYTES);
}

enum sl_err sl_txn_get_unchecked(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                                 struct sl_view *ret_payload, struct sl_error *err)
{
    MDB_val k = val_of(key), v;
    int rc = mdb_get(txn->txn, txn->store->tables[table], &k, &v);

    if (rc != 0)
        return fail(txn->store, rc, "reading", table, err);
    if (v.mv_size < CRC_BYTES)
        return damaged(txn->store, table, key, err);
    *ret_payload = (struct sl_view){(char *)v.mv_data + CRC_BYTES, v.mv_size - CRC_BYTES};
    return SL_OK;
}

enum sl_err sl_txn_get(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                       struct sl_view *ret_payload, struct sl_error *err)
{
    struct sl_view payload;
    enum sl_err rc = sl_txn_get_unchecked(txn, table, key, &payload, err);

    if (rc != SL_OK)
        return rc;
    if (!sl_record_intact(key, payload))
        return damaged(txn->store, table, key, err);
    *ret_payload = payload;
    return SL_OK;
}

enum sl_err sl_txn_reserve(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                           size_t payload_bytes, void **ret_payload, struct sl_error *err)
{
    MDB_val k = val_of(key), v = {payload_bytes + CRC_BYTES, NULL};
    int rc = mdb_put(txn->txn, txn->store->tables[table], &k, &v, MDB_RESERVE);

    if (rc != 0)
        return fail(txn->store, rc, "writing", table, err);
    *ret_payload = (char *)v.mv_data + CRC_BYTES;
    return SL_OK;
}

enum sl_err sl_txn_put(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                       struct sl_view payload, struct sl_error *err)
{
    void *room;
    enum sl_err rc = sl_txn_reserve(txn, table, key, payload.size, &room, err);

    if (rc != SL_OK)
        return rc;
    if (payload.size > 0)
        memcpy(room, payload.data, payload.size);
    sl_record_seal(key, room, payload.size);
    return SL_OK;
}

enum sl_err sl_txn_append(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                          struct sl_view payload, struct sl_error *err)
{
    MDB_val k = val_of(key), v = {payload.size + CRC_BYTES, NULL};
    int rc = mdb_put(txn->txn, txn->store->tables[table], &k, &v, MDB_RESERVE | MDB_APPEND);

    if (rc != 0)
        return fail(txn->store, rc, "writing", table, err);
    if (payload.size > 0)
        memcpy((char *)v.mv_data + CRC_BYTES, payload.data, payload.size);
    sl_record_seal(key, (char *)v.mv_data + CRC_BYTES, payload.size);
    return SL_OK;
}

enum sl_err sl_txn_delete(struct sl_txn *txn, enum sl_store_table table, struct sl_view key,
                          bool *ret_found, struct sl_error *err)
{
    MDB_val k = val_of(key);
    int rc = mdb_del(txn->txn, txn->store->tables[table], &k, NULL);

    if (rc != 0 && rc != MDB_NOTFOUND)
        return fail(txn->store, rc, "deleting from", table, err);
    if (ret_found != NULL)
        *ret_found = rc == 0;
    return SL_OK;
}

enum sl_err sl_txn_delete_range(struct sl_txn *txn, enum sl_store_table table, struct sl_view from,
                                struct sl_view end, struct sl_error *err)
{
    MDB_dbi where = txn->store->tables[table];
    MDB_val key = val_of(from), stop = val_of(end), value;
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn->txn, where, &cursor);

    if (rc != 0)
        return fail(txn->store, rc, "deleting from", table, err);
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && mdb_cmp(txn->txn, where, &key, &stop) < 0) {
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0) /* it stands on the row behind the one that went */
            rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? SL_OK
                                         : fail(txn->store, rc, "deleting from", table, err);
}

enum sl_err sl_txn_count(struct sl_txn *txn, enum sl_store_table table, uint64_t *ret_rows,
                         struct sl_error *err)
{
    MDB_stat stat;
    int rc = mdb_stat(txn->txn, txn->store->tables[table], &stat);

    if (rc != 0)
        return fail(txn->store, rc, "counting", table, err);
    *ret_rows = stat.ms_entries;
    return SL_OK;
}

/* Pages on the free list: LMDB keeps them as lists, length first, in its table 0. */
static int count_free(MDB_txn *txn, uint64_t *ret_pages)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    size_t pages;
    int rc = mdb_cursor_open(txn, 0, &cursor);

    if (rc != 0)
        return rc;
    *ret_pages = 0;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        memcpy(&pages, value.mv_data, sizeof pages);
        *ret_pages += pages;
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

enum sl_err sl_txn_stats(struct sl_txn *txn, struct sl_store_stats *ret_stats,
                         struct sl_error *err)
{
    struct sl_store *store = txn->store;
    struct sl_store_stats stats = {0};
    MDB_envinfo info;
    MDB_stat page;
    struct stat file;
    mdb_filehandle_t fd;
    int rc = mdb_env_info(store->env, &info);

    if (rc == 0)
        rc = mdb_env_stat(store->env, &page);
    if (rc == 0)
        rc = mdb_env_get_fd(store->env, &fd);
    if (rc == 0)
        rc = count_free(txn->txn, &stats.free_pages);
    if (rc == 0 && fstat(fd, &file) != 0)
        rc = errno;
    if (rc != 0)
        return fail(store, rc, "measuring", SL_STORE_TABLES, err);
    stats.map_bytes = info.me_mapsize;
    stats.disk_bytes = (uint64_t)file.st_blocks * 512;
    stats.used_bytes = (info.me_last_pgno + 1 - stats.free_pages) * page.ms_psize;
    stats.readers = info.me_numreaders;
    *ret_stats = stats;
    return SL_OK;
}

uint64_t sl_txn_freed(struct sl_txn *txn)
{
    size_t id = mdb_txn_id(txn->txn), freed = 0;
    MDB_val key = {sizeof id, &id}, value;
    MDB_cursor *cursor;

    if (mdb_cursor_open(txn->txn, 0, &cursor) != 0)
        return 0;
    if (mdb_cursor_get(cursor, &key, &value, MDB_SET_KEY) == 0 && value.mv_size >= sizeof freed)
        memcpy(&freed, value.mv_data, sizeof freed);
    mdb_cursor_close(cursor);
    return freed;
}

uint64_t sl_store_pages(const struct sl_store *store)
{
    MDB_envinfo info;

    return mdb_env_info(store->env, &info) == 0 ? info.me_last_pgno + 1 : 0;
}

/* One line a reader: process, thread, the commit it sees or "-". */
static int see_reader(const char *line, void *context)
{
    size_t *oldest = context, id;

    if (sscanf(line, "%*d %*x %zu", &id) == 1 && id < *oldest)
        *oldest = id;
    return 0;
}

static bool add_pages(struct sl_free_pages *pages, const MDB_val *value)
{
    size_t count;

    memcpy(&count, value->mv_data, sizeof count);
    if (pages->count + count > pages->capacity) {
        size_t capacity = (pages->count + count) * 2;
        size_t *list = realloc(pages->list, capacity * sizeof *list);
        if (list == NULL)
            return false;
        pages->list = list;
        pages->capacity = capacity;
    }
    memcpy(pages->list + pages->count, (const size_t *)value->mv_data + 1, count * sizeof count);
    pages->count += count;
    return true;
}

/* Pages let go by the commits up to `last`. */
static bool list_free(MDB_txn *txn, size_t last, struct sl_free_pages *ret_pages)
{
    MDB_cursor *cursor;
    MDB_val key, value;
    size_t id;
    bool good = mdb_cursor_open(txn, 0, &cursor) == 0;

    if (!good)
        return false;
    while (good && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        memcpy(&id, key.mv_data, sizeof id);
        if (id > last)
            break;
        good = add_pages(ret_pages, &value);
    }
    mdb_cursor_close(cursor);
    return good;
}

/*
 * A page that a commit let go is seen by that commit's readers no more, only by those of earlier ones; and once
 * another commit followed, by no meta page either. A reader that begins now sees the last commit.
 */
bool sl_store_release_free(struct sl_store *store)
{
    struct sl_free_pages pages = {0};
    size_t oldest = SIZE_MAX, last;
    bool more;
    mdb_filehandle_t fd;
    MDB_stat stat;
    MDB_txn *txn;

    if (mdb_reader_list(store->env, see_reader, &oldest) < 0 ||
        mdb_env_get_fd(store->env, &fd) != 0 || mdb_env_stat(store->env, &stat) != 0 ||
        mdb_txn_begin(store->env, NULL, MDB_RDONLY, &txn) != 0)
        return false;
    last = mdb_txn_id(txn) - 1;
    more = oldest < last;
    if (list_free(txn, last < oldest ? last : oldest, &pages))
        more |= sl_holes_punch(fd, &pages, stat.ms_psize);
    mdb_txn_abort(txn);
    free(pages.list);
    return more;
}

/* ----------------------------------------------------------------------------------- cursors */

enum sl_err sl_cursor_open(struct sl_txn *txn, enum sl_store_table table, bool lenient,
                           struct sl_cursor *ret_cursor, struct sl_error *err)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn->txn, txn->store->tables[table], &cursor);

    if (rc != 0)
        return fail(txn->store, rc, "reading", table, err);
    *ret_cursor = (struct sl_cursor){.lenient = lenient, .table = table, .handle = cursor};
    return SL_OK;
}

void sl_cursor_close(struct sl_cursor *cursor)
{
    if (cursor->handle != NULL)
        mdb_cursor_close(cursor->handle);
    cursor->handle = NULL;
}

static enum sl_err cursor_move(struct sl_cursor *cursor, MDB_val key, MDB_cursor_op op,
                               struct sl_error *err)
{
    MDB_val value;
    MDB_cursor *handle = cursor->handle;
    struct sl_store *store = mdb_env_get_userctx(mdb_txn_env(mdb_cursor_txn(handle)));
    int rc = mdb_cursor_get(handle, &key, &value, op);

    if (rc != 0)
        return fail(store, rc, "reading", cursor->table, err);
    cursor->key = (struct sl_view){key.mv_data, key.mv_size};
    cursor->intact = value.mv_size >= CRC_BYTES;
    cursor->payload = (struct sl_view){"", 0};
    if (cursor->intact) {
        cursor->payload =
            (struct sl_view){(char *)value.mv_data + CRC_BYTES, value.mv_size - CRC_BYTES};
        cursor->intact = sl_record_intact(cursor->key, cursor->payload);
    }
    if (!cursor->intact && !cursor->lenient)
        return damaged(store, cursor->table, cursor->key, err);
    return SL_OK;
}

enum sl_err sl_cursor_seek(struct sl_cursor *cursor, struct sl_view from, struct sl_error *err)
{
    return cursor_move(cursor, val_of(from), from.size == 0 ? MDB_FIRST : MDB_SET_RANGE, err);
}

enum sl_err sl_cursor_next(struct sl_cursor *cursor, struct sl_error *err)
{
    return cursor_move(cursor, (MDB_val){0, NULL}, MDB_NEXT, err);
}

enum sl_err sl_cursor_floor(struct sl_cursor *cursor, struct sl_view at, struct sl_error *err)
{
    enum sl_err rc = cursor_move(cursor, val_of(at), MDB_SET_RANGE, err);

    if (rc == SL_OK && sl_view_equal(cursor->key, at))
        return rc;
    if (rc == SL_STOP)
        return rc;
    return cursor_move(cursor, (MDB_val){0, NULL}, rc == SL_OK ? MDB_PREV : MDB_LAST, err);
}
