/*
 * failing_calls.c -- what the linker's --wrap puts between libsluice and LMDB, and between it and the allocator.
 *
 * A call that is to fail is not made; of a commit only the end of its transaction. Blocks are counted, so that
 * a leak shows without a sanitizer.
 */
#include "failing_calls.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum failing failing_what;
static long nth_call, seen_calls, blocks;
static int failing_error;
static bool failing_forever;

void failing_begin(enum failing what, long nth, int error, bool forever)
{
    nth_call = nth;
    seen_calls = 0;
    failing_error = error;
    failing_forever = forever;
    failing_what = what;
}

long failing_end(void)
{
    failing_what = FAIL_NOTHING;
    return seen_calls;
}

long failing_blocks(void)
{
    return blocks;
}

static bool fails(enum failing what)
{
    if (failing_what != what)
        return false;
    seen_calls++;
    return nth_call > 0 && (failing_forever ? seen_calls >= nth_call : seen_calls == nth_call);
}

/* ------------------------------------------------------------------------------------- memory */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);
void __wrap_free(void *block);

static void *counted(void *block)
{
    blocks += block != NULL;
    return block;
}

static void *refused(void)
{
    errno = ENOMEM;
    return NULL;
}

void *__wrap_malloc(size_t size)
{
    return fails(FAIL_MEMORY) ? refused() : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(FAIL_MEMORY) ? refused() : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    void *moved;

    if (fails(FAIL_MEMORY))
        return refused();
    moved = __real_realloc(block, size);
    blocks += block == NULL && moved != NULL;
    return moved;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails(FAIL_MEMORY) ? refused() : counted(__real_aligned_alloc(alignment, size));
}

char *__wrap_strdup(const char *text)
{
    return fails(FAIL_MEMORY) ? refused() : counted(__real_strdup(text));
}

char *__wrap_strndup(const char *text, size_t size)
{
    return fails(FAIL_MEMORY) ? refused() : counted(__real_strndup(text, size));
}

void __wrap_free(void *block)
{
    blocks -= block != NULL;
    __real_free(block);
}

/* --------------------------------------------------------------------------------------- LMDB */

#define WRAP(name, parameters, arguments)                                                          \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return fails(FAIL_LMDB) ? failing_error : __real_##name arguments;                         \
    }

WRAP(mdb_env_create, (MDB_env * *env), (env))
WRAP(mdb_env_set_userctx, (MDB_env * env, void *context), (env, context))
WRAP(mdb_env_set_maxdbs, (MDB_env * env, MDB_dbi count), (env, count))
WRAP(mdb_env_set_maxreaders, (MDB_env * env, unsigned count), (env, count))
WRAP(mdb_env_set_mapsize, (MDB_env * env, size_t size), (env, size))
WRAP(mdb_env_open, (MDB_env * env, const char *path, unsigned flags, mdb_mode_t mode),
     (env, path, flags, mode))
WRAP(mdb_env_stat, (MDB_env * env, MDB_stat *stat), (env, stat))
WRAP(mdb_env_info, (MDB_env * env, MDB_envinfo *info), (env, info))
WRAP(mdb_env_get_fd, (MDB_env * env, mdb_filehandle_t *fd), (env, fd))
WRAP(mdb_reader_check, (MDB_env * env, int *dead), (env, dead))
WRAP(mdb_txn_begin, (MDB_env * env, MDB_txn *parent, unsigned flags, MDB_txn **txn),
     (env, parent, flags, txn))
WRAP(mdb_dbi_open, (MDB_txn * txn, const char *name, unsigned flags, MDB_dbi *dbi),
     (txn, name, flags, dbi))
WRAP(mdb_stat, (MDB_txn * txn, MDB_dbi dbi, MDB_stat *stat), (txn, dbi, stat))
WRAP(mdb_get, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value), (txn, dbi, key, value))
WRAP(mdb_put, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value, unsigned flags),
     (txn, dbi, key, value, flags))
WRAP(mdb_del, (MDB_txn * txn, MDB_dbi dbi, MDB_val *key, MDB_val *value), (txn, dbi, key, value))
WRAP(mdb_cursor_open, (MDB_txn * txn, MDB_dbi dbi, MDB_cursor **cursor), (txn, dbi, cursor))
WRAP(mdb_cursor_get, (MDB_cursor * cursor, MDB_val *key, MDB_val *value, MDB_cursor_op op),
     (cursor, key, value, op))

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);

/* A commit that fails has ended its transaction all the same. */
int __wrap_mdb_txn_commit(MDB_txn *txn)
{
    if (!fails(FAIL_LMDB))
        return __real_mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return failing_error;
}
