/*
 * runs.c -- runs of postings: finding the one a posting is in, changing its blocks, moving them up.
 *
 * The problem: with a row a term and segment, an insert touches few pages, but a search looks its
 * terms up in every segment; with the postings of a term together, it is the other way round
 * (measured: 18 KB written an insert instead of 0.2). So new postings go to their segment's run,
 * and eight whole runs of one level are merged, term after term, into one of the next. Each posting
 * is written once a level.
 *
 * Merging never takes long at once: a commit moves as many postings a level as twice what came
 * since, in the order of terms, and keeps the term it got to. Terms before it are in the larger
 * run, the others still in the eight. Deleting and replacing change blocks where they are, and
 * never move anything.
 *
 * Rejected: marks for deleted postings (frequencies would no longer be exact), merging aside and
 * swapping (twice the space, and changes meanwhile would have to be made twice).
 *
 * Known weakness: blocks that lost most of their postings are filled up only when their run moves.
 */
#include "index/runs.h"

#include <stdlib.h>

#define SHIFT       3u /* a run is eight of the level below */
#define SOURCES     (1u << SHIFT)
#define LEVEL_SHIFT 28u
#define SLICE       65536u /* changes of postings before runs are worked on */

static uint32_t run_id(uint32_t level, uint32_t number)
{
    return level << LEVEL_SHIFT | number;
}

uint32_t sl_run_at(uint32_t level, uint32_t segment)
{
    return run_id(level, segment >> (SHIFT * level));
}

/* A term as it stands in keys: its length, then its bytes. */
struct name {
    char bytes[SL_RUN_NAME_BYTES];
    uint32_t size;
};

static struct name name_of(struct sl_view term)
{
    struct name name = {.size = (uint32_t)term.size + 1};

    name.bytes[0] = (char)term.size;
    memcpy(name.bytes + 1, term.data, term.size);
    return name;
}

static bool moved(const struct sl_run_level *level, const struct name *name)
{
    uint32_t common = name->size < level->moving_bytes ? name->size : level->moving_bytes;

    return level->moving_bytes > 0 && memcmp(name->bytes, level->moving, common) < 0;
}

/* The highest level that has a segment's postings of a term. */
static uint32_t level_of(const struct sl_state *state, uint32_t segment, const struct name *name)
{
    for (uint32_t level = SL_RUN_LEVELS; level > 0; level--) {
        const struct sl_run_level *runs = &state->runs[level - 1];
        uint32_t number = segment >> (SHIFT * level);
        if (number < runs->whole || (number == runs->whole && moved(runs, name)))
            return level;
    }
    return 0;
}

uint32_t sl_run_of(const struct sl_state *state, uint32_t segment, struct sl_view term)
{
    struct name name = name_of(term);

    return sl_run_at(level_of(state, segment, &name), segment);
}

uint64_t sl_run_first(uint32_t run)
{
    uint32_t level = run >> LEVEL_SHIFT, number = run & ((1u << LEVEL_SHIFT) - 1);

    return ((uint64_t)number << (SHIFT * level)) * SL_SEGMENT_CHUNKS;
}

uint64_t sl_run_end(uint32_t run)
{
    return sl_run_first(run) + ((uint64_t)SL_SEGMENT_CHUNKS << (SHIFT * (run >> LEVEL_SHIFT)));
}

bool sl_post_key_read(struct sl_view key, struct sl_post_key *ret_key)
{
    size_t size = key.size > 5 ? (uint8_t)key.data[4] : 0, rest;

    if (size == 0 || size > SL_TERM_KEY_BYTES || key.size < 5 + size)
        return false;
    rest = key.size - 5 - size;
    ret_key->run = sl_get_be32(key.data);
    ret_key->term = (struct sl_view){key.data + 5, size};
    if ((rest != 0 && rest != 4) || ret_key->run >> LEVEL_SHIFT > SL_RUN_LEVELS ||
        sl_run_end(ret_key->run) > (uint64_t)UINT32_MAX + 1)
        return false;
    ret_key->from =
        rest == 0 ? (uint32_t)sl_run_first(ret_key->run) : sl_get_be32(key.data + 5 + size);
    return ret_key->from >= sl_run_first(ret_key->run) && ret_key->from < sl_run_end(ret_key->run);
}

static bool starts_with(struct sl_view key, const struct sl_key *start)
{
    return key.size >= start->size && memcmp(key.data, start->bytes, start->size) == 0;
}

static enum sl_err senseless(struct sl_view key, struct sl_error *err)
{
    return sl_corrupt(err, sl_store_table_name(SL_STORE_POST),
                      key.size >= 4 ? sl_get_be32(key.data) : 0, "a row of senseless values");
}

/* ----------------------------------------------------------------------------------- walking */

enum sl_err sl_term_walk_open(struct sl_term_walk *walk, struct sl_txn *txn,
                              const struct sl_state *state, uint32_t segments, struct sl_error *err)
{
    *walk = (struct sl_term_walk){.state = state, .segments = segments, .segment = segments};
    return sl_cursor_open(txn, SL_STORE_POST, false, &walk->cursor, err);
}

void sl_term_walk_start(struct sl_term_walk *walk, struct sl_view term)
{
    walk->term = term;
    walk->segment = 0;
    walk->inside = false;
}

/* To the first block of the next run that has any. */
static enum sl_err enter_run(struct sl_term_walk *walk, struct sl_error *err)
{
    while (walk->segment < walk->segments) {
        uint32_t run = sl_run_of(walk->state, walk->segment, walk->term);
        enum sl_err rc;
        walk->key = sl_key_post(run, walk->term);
        walk->segment = (uint32_t)(sl_run_end(run) / SL_SEGMENT_CHUNKS);
        rc = sl_cursor_seek(&walk->cursor, sl_key_view(&walk->key), err);
        if (rc == SL_STOP)
            return rc;
        if (rc == SL_OK && starts_with(walk->cursor.key, &walk->key))
            return SL_OK;
    }
    return SL_REJECT;
}

enum sl_err sl_term_walk_next(struct sl_term_walk *walk, struct sl_error *err)
{
    enum sl_err rc = walk->inside ? sl_cursor_next(&walk->cursor, err) : SL_REJECT;

    if (rc == SL_STOP)
        return rc;
    if (rc == SL_REJECT || !starts_with(walk->cursor.key, &walk->key))
        rc = enter_run(walk, err);
    walk->inside = rc == SL_OK;
    if (rc == SL_OK && !sl_post_key_read(walk->cursor.key, &walk->at))
        return senseless(walk->cursor.key, err);
    return rc;
}

void sl_term_walk_close(struct sl_term_walk *walk)
{
    sl_cursor_close(&walk->cursor);
}

/* ---------------------------------------------------------------------------------- changing */

/* What one block becomes. */
struct edit {
    struct sl_txn *txn;
    struct sl_cursor cursor;
    struct sl_buffer buffer;
    struct sl_key start; /* of the term's first block in the run */
    struct sl_key key;   /* of the block */
    uint32_t from;
    uint64_t limit; /* the next block's `from`; UINT64_MAX: there is none */
    bool exists;
    struct sl_occurrence old[SL_BLOCK_POSTINGS];
    uint32_t old_count;
    struct sl_occurrence *list;
    uint32_t capacity;
};

static void set_key(struct edit *edit, struct sl_view key)
{
    memcpy(edit->key.bytes, key.data, key.size);
    edit->key.size = key.size;
}

/* The block a number belongs into, and where the one behind it begins. */
static enum sl_err find_block(struct edit *edit, uint32_t number, struct sl_error *err)
{
    struct sl_key wanted = edit->start;
    struct sl_post_key at;
    enum sl_err rc;

    sl_key_post_from(&wanted, number);
    rc = sl_cursor_floor(&edit->cursor, sl_key_view(&wanted), err);
    edit->exists = rc == SL_OK && starts_with(edit->cursor.key, &edit->start);
    edit->old_count = 0;
    set_key(edit, sl_key_view(&edit->start));
    edit->from = (uint32_t)sl_run_first(sl_get_be32(edit->start.bytes));
    if (edit->exists) {
        if (!sl_post_key_read(edit->cursor.key, &at) ||
            !sl_block_read(edit->cursor.payload, at.from, edit->old, &edit->old_count))
            return senseless(edit->cursor.key, err);
        set_key(edit, edit->cursor.key);
        edit->from = at.from;
    }
    if (rc != SL_STOP)
        rc = rc == SL_OK ? sl_cursor_next(&edit->cursor, err)
                         : sl_cursor_seek(&edit->cursor, sl_key_view(&edit->start), err);
    edit->limit = UINT64_MAX;
    if (rc == SL_OK && starts_with(edit->cursor.key, &edit->start)) {
        if (!sl_post_key_read(edit->cursor.key, &at))
            return senseless(edit->cursor.key, err);
        edit->limit = at.from;
    }
    return rc == SL_REJECT ? SL_OK : rc;
}

/* Changes (sorted; the last of one number counts) into the block's postings. */
static uint32_t merge(struct edit *edit, const struct sl_delta *deltas, uint32_t count)
{
    uint32_t at = 0, merged = 0;

    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 < count && deltas[i + 1].local == deltas[i].local)
            continue;
        while (at < edit->old_count && edit->old[at].chunk < deltas[i].local)
            edit->list[merged++] = edit->old[at++];
        if (at < edit->old_count && edit->old[at].chunk == deltas[i].local)
            at++;
        if (deltas[i].value > 0)
            edit->list[merged++] =
                (struct sl_occurrence){deltas[i].local, deltas[i].value, deltas[i].length};
    }
    while (at < edit->old_count)
        edit->list[merged++] = edit->old[at++];
    return merged;
}

static enum sl_err put_block(struct edit *edit, const struct sl_occurrence *list, uint32_t count,
                             bool first, struct sl_error *err)
{
    struct sl_key key = first ? edit->key : edit->start;

    if (!first)
        sl_key_post_from(&key, list[0].chunk);
    edit->buffer.size = 0;
    sl_block_write(&edit->buffer, first ? edit->from : list[0].chunk, list, count);
    if (edit->buffer.failed)
        return sl_batch_memory(err);
    return sl_txn_put(edit->txn, SL_STORE_POST, sl_key_view(&key), sl_buffer_as_view(&edit->buffer),
                      err);
}

/* The last block of a term fills up, for more will come behind it; others are cut into equal parts.
 */
static enum sl_err put_blocks(struct edit *edit, uint32_t count, struct sl_error *err)
{
    uint32_t parts = (count + SL_BLOCK_POSTINGS - 1) / SL_BLOCK_POSTINGS;
    uint32_t each = edit->limit == UINT64_MAX ? SL_BLOCK_POSTINGS : (count + parts - 1) / parts;
    enum sl_err rc = SL_OK;

    for (uint32_t at = 0; rc == SL_OK && at < count; at += each)
        rc = put_block(edit, edit->list + at, count - at < each ? count - at : each, at == 0, err);
    return rc;
}

static enum sl_err change_block(struct edit *edit, const struct sl_delta *deltas, uint32_t count,
                                uint32_t *ret_done, struct sl_error *err)
{
    uint32_t done = 0, merged;
    enum sl_err rc = find_block(edit, deltas[0].local, err);

    if (rc != SL_OK)
        return rc;
    while (done < count && deltas[done].local < edit->limit)
        done++;
    if (edit->old_count + done > edit->capacity) {
        uint32_t capacity = edit->capacity * 2 + edit->old_count + done;
        struct sl_occurrence *list = realloc(edit->list, capacity * sizeof *list);
        if (list == NULL)
            return sl_batch_memory(err);
        edit->list = list;
        edit->capacity = capacity;
    }
    merged = merge(edit, deltas, done);
    *ret_done = done;
    if (merged > 0)
        return put_blocks(edit, merged, err);
    return edit->exists
               ? sl_txn_delete(edit->txn, SL_STORE_POST, sl_key_view(&edit->key), NULL, err)
               : SL_OK;
}

/* The changes of one term in one run. */
static enum sl_err change_term(struct edit *edit, struct sl_view key, const struct sl_delta *deltas,
                               uint32_t count, struct sl_error *err)
{
    enum sl_err rc = SL_OK;

    memcpy(edit->start.bytes, key.data, key.size);
    edit->start.size = key.size;
    for (uint32_t at = 0, done = 0; rc == SL_OK && at < count; at += done)
        rc = change_block(edit, deltas + at, count - at, &done, err);
    return rc;
}

enum sl_err sl_runs_change(const struct sl_deltas *deltas, uint32_t first, uint32_t end,
                           struct sl_txn *txn, struct sl_error *err)
{
    struct edit *edit = calloc(1, sizeof *edit);
    enum sl_err rc = edit == NULL ? sl_batch_memory(err)
                                  : sl_cursor_open(txn, SL_STORE_POST, false, &edit->cursor, err);

    if (rc == SL_OK)
        edit->txn = txn;
    for (uint32_t at = first, next; rc == SL_OK && at < end; at = next) {
        struct sl_view key = sl_delta_key(deltas, at);
        for (next = at + 1; next < end && sl_view_equal(sl_delta_key(deltas, next), key); next++)
            ;
        rc = change_term(edit, key, deltas->list + at, next - at, err);
    }
    if (edit != NULL) {
        sl_cursor_close(&edit->cursor);
        sl_buffer_fini(&edit->buffer);
        free(edit->list);
    }
    free(edit);
    return rc;
}

/* ------------------------------------------------------------------------------------ moving */

struct source {
    struct sl_cursor cursor;
    uint32_t run;
    bool ended;
};

/* One slice of a merge: read from eight runs into memory, then taken out of them, then put. */
struct slice {
    struct sl_txn *txn;
    struct sl_run_level *level;
    uint32_t target;
    struct source sources[SOURCES];
    struct sl_buffer out; /* key and payload, each after its length */
    struct sl_buffer block;
    struct name term; /* being merged */
    struct sl_occurrence pending[2 * SL_BLOCK_POSTINGS];
    uint32_t pending_count;
    bool first; /* no block of the term was written yet */
    uint64_t moved;
    struct sl_error *err;
};

static struct sl_view name_in(struct sl_view key)
{
    size_t size = key.size > 4 ? (size_t)(uint8_t)key.data[4] + 1 : 0;

    return sl_view_range(key, 4, key.size < 4 + size ? key.size : 4 + size);
}

/* Is the source still in its run, and its row of sense? */
static enum sl_err look(struct slice *slice, struct source *source, enum sl_err rc)
{
    struct sl_post_key at;

    source->ended =
        rc == SL_REJECT || (rc == SL_OK && sl_get_be32(source->cursor.key.data) != source->run);
    if (rc == SL_OK && !source->ended && !sl_post_key_read(source->cursor.key, &at))
        return senseless(source->cursor.key, slice->err);
    return rc == SL_REJECT ? SL_OK : rc;
}

static struct sl_key run_key(uint32_t run, const char *name, uint32_t name_bytes)
{
    struct sl_key key = sl_key_number(run);

    memcpy(key.bytes + 4, name, name_bytes);
    key.size += name_bytes;
    return key;
}

static enum sl_err open_sources(struct slice *slice)
{
    uint32_t level = slice->target >> LEVEL_SHIFT, number = slice->level->whole << SHIFT;
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < SOURCES; i++) {
        struct source *source = &slice->sources[i];
        struct sl_key key;
        source->run = run_id(level - 1, number + i);
        key = run_key(source->run, slice->level->moving, slice->level->moving_bytes);
        rc = sl_cursor_open(slice->txn, SL_STORE_POST, false, &source->cursor, slice->err);
        if (rc == SL_OK)
            rc =
                look(slice, source, sl_cursor_seek(&source->cursor, sl_key_view(&key), slice->err));
    }
    return rc;
}

/* The least term any source stands on. false: all have ended. */
static bool next_term(struct slice *slice)
{
    struct sl_view least = SL_VIEW_NULL;

    for (uint32_t i = 0; i < SOURCES; i++) {
        struct sl_view name;
        if (slice->sources[i].ended)
            continue;
        name = name_in(slice->sources[i].cursor.key);
        if (least.data == NULL ||
            memcmp(name.data, least.data, name.size < least.size ? name.size : least.size) < 0)
            least = name;
    }
    if (least.data == NULL)
        return false;
    memcpy(slice->term.bytes, least.data, least.size);
    slice->term.size = (uint32_t)least.size;
    return true;
}

/* The first postings that wait become a block. */
static void emit(struct slice *slice, uint32_t count)
{
    struct sl_key key = run_key(slice->target, slice->term.bytes, slice->term.size);
    uint32_t from = slice->first ? (uint32_t)sl_run_first(slice->target) : slice->pending[0].chunk;

    if (!slice->first)
        sl_key_post_from(&key, from);
    slice->block.size = 0;
    sl_block_write(&slice->block, from, slice->pending, count);
    sl_write_view(&slice->out, sl_key_view(&key));
    sl_write_view(&slice->out, sl_buffer_as_view(&slice->block));
    slice->pending_count -= count;
    memmove(slice->pending, slice->pending + count, slice->pending_count * sizeof *slice->pending);
    slice->first = false;
}

/* All blocks of the term in one source. */
static enum sl_err read_source(struct slice *slice, struct source *source)
{
    struct sl_view name = {slice->term.bytes, slice->term.size};
    enum sl_err rc = SL_OK;

    while (rc == SL_OK && !source->ended && sl_view_equal(name_in(source->cursor.key), name)) {
        struct sl_post_key at;
        uint32_t count;
        if (!sl_post_key_read(source->cursor.key, &at) ||
            !sl_block_read(source->cursor.payload, at.from, slice->pending + slice->pending_count,
                           &count))
            return senseless(source->cursor.key, slice->err);
        slice->pending_count += count;
        slice->moved += count;
        if (slice->pending_count >= SL_BLOCK_POSTINGS)
            emit(slice, SL_BLOCK_POSTINGS);
        rc = look(slice, source, sl_cursor_next(&source->cursor, slice->err));
    }
    return rc;
}

static enum sl_err read_term(struct slice *slice)
{
    enum sl_err rc = SL_OK;

    slice->first = true;
    slice->pending_count = 0;
    for (uint32_t i = 0; rc == SL_OK && i < SOURCES; i++)
        rc = read_source(slice, &slice->sources[i]);
    if (rc == SL_OK && slice->pending_count > 0)
        emit(slice, slice->pending_count);
    return rc;
}

/* Terms of the slice out of the sources. */
static enum sl_err take_out(struct slice *slice, bool to_end)
{
    enum sl_err rc = SL_OK;

    for (uint32_t i = 0; rc == SL_OK && i < SOURCES; i++) {
        uint32_t run = slice->sources[i].run;
        struct sl_key from = run_key(run, slice->level->moving, slice->level->moving_bytes);
        struct sl_key end =
            to_end ? sl_key_number(run + 1) : run_key(run, slice->term.bytes, slice->term.size);
        sl_cursor_close(&slice->sources[i].cursor);
        rc = sl_txn_delete_range(slice->txn, SL_STORE_POST, sl_key_view(&from), sl_key_view(&end),
                                 slice->err);
    }
    return rc;
}

static enum sl_err put_all(struct slice *slice)
{
    struct sl_reader reader = sl_reader_of(sl_buffer_as_view(&slice->out));
    enum sl_err rc = SL_OK;

    while (rc == SL_OK && reader.at < reader.end) {
        struct sl_view key = sl_read_view(&reader), payload = sl_read_view(&reader);
        rc = sl_txn_put(slice->txn, SL_STORE_POST, key, payload, slice->err);
    }
    return rc;
}

static enum sl_err move(struct slice *slice, uint64_t budget)
{
    bool more = true;
    enum sl_err rc = open_sources(slice);

    while (rc == SL_OK && (more = next_term(slice)) && slice->moved < budget)
        rc = read_term(slice);
    if (rc == SL_OK && (slice->out.failed || slice->block.failed))
        rc = sl_batch_memory(slice->err);
    if (rc == SL_OK)
        rc = take_out(slice, !more);
    if (rc == SL_OK)
        rc = put_all(slice);
    slice->level->whole += more ? 0 : 1;
    slice->level->moving_bytes = more ? slice->term.size : 0;
    if (more)
        memcpy(slice->level->moving, slice->term.bytes, slice->term.size);
    return rc;
}

/* Move on one level, if eight runs of the one below are whole. */
static enum sl_err move_level(struct sl_txn *txn, struct sl_state *state, uint32_t level,
                              uint64_t segments, uint64_t budget, struct sl_error *err)
{
    struct sl_run_level *runs = &state->runs[level - 1];
    uint64_t below = level > 1 ? state->runs[level - 2].whole : segments;
    struct slice *slice;
    enum sl_err rc;

    if (below < ((uint64_t)runs->whole + 1) << SHIFT)
        return SL_OK;
    slice = calloc(1, sizeof *slice);
    if (slice == NULL)
        return sl_batch_memory(err);
    slice->txn = txn;
    slice->level = runs;
    slice->target = run_id(level, runs->whole);
    slice->err = err;
    rc = move(slice, budget);
    for (uint32_t i = 0; i < SOURCES; i++)
        sl_cursor_close(&slice->sources[i].cursor);
    sl_buffer_fini(&slice->out);
    sl_buffer_fini(&slice->block);
    free(slice);
    return rc;
}

enum sl_err sl_runs_settle(struct sl_txn *txn, struct sl_state *state, struct sl_error *err)
{
    uint64_t budget = 2 * state->run_changes, segments;
    enum sl_err rc = SL_OK;

    if (state->run_changes < SLICE)
        return SL_OK;
    state->run_changes = 0;
    rc = sl_txn_count(txn, SL_STORE_SEGMENT, &segments, err);
    for (uint32_t level = 1; rc == SL_OK && level <= SL_RUN_LEVELS && segments > 0; level++)
        rc = move_level(txn, state, level, segments - 1, budget, err);
    return rc;
}
