/* small_index.h -- an index of a few documents in a fresh directory, for tests of what reads one. */
#ifndef SLUICE_TEST_SMALL_INDEX_H
#define SLUICE_TEST_SMALL_INDEX_H

#include <sluice/ingest.h>
#include <sluice/respond.h>

#include "../support/fake_embedder.h"
#include "../support/test.h"

struct small_index {
    struct sl_index *index;
    struct sl_snapshot *snapshot;
    struct sl_embedder *embedder; /* NULL: lexical only */
    struct sl_arena *arena;
    int64_t offset;
    int64_t clock_us; /* moves by 1 ms at each look */
    int64_t wall_ms;
    struct sl_clock clock;
};

static int64_t small_wall(void *context)
{
    return ((struct small_index *)context)->wall_ms;
}

static int64_t small_monotonic(void *context)
{
    return ((struct small_index *)context)->clock_us += 1000;
}

static inline void small_check(enum sl_err e, const struct sl_error *err)
{
    if (e == SL_OK)
        return;
    fprintf(stderr, "small index: %s: %s\n", err->reason, err->message);
    abort();
}

/* Put one JSON document. */
static inline void small_put(struct small_index *small, const char *key, const char *json)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(64 << 20);
    struct sl_ingest_options options = {.chunk = {.words = 60, .overlap_words = 10},
                                        .embedder = small->embedder};
    struct sl_message message = {.topic = SL_VIEW("docs"), .offset = small->offset++,
                                 .timestamp_ms = 1450224000000, .key = sl_view_of(key),
                                 .value = sl_view_of(json)};
    struct sl_prepared *prepared = NULL;
    struct sl_ingest *ingest = NULL;
    struct sl_batch *batch = NULL;
    struct sl_error err = {0};
    enum sl_applied applied;

    small_check(sl_ingest_read(&message, &options, small->index, arena, &ingest, &err), &err);
    for (uint32_t i = 0; i < ingest->text_count; i++) {
        ingest->vectors[i] = SL_NEW_ARRAY(arena, float, small->embedder->dim);
        small_check(small->embedder->ops->encode(small->embedder, SL_EMBED_PASSAGE,
                                                 &ingest->texts[i], 1, ingest->vectors[i], &err),
                    &err);
    }
    small_check(sl_ingest_finish(ingest, small->index, &prepared, &err), &err);
    small_check(sl_batch_begin(small->index, &batch, &err), &err);
    small_check(sl_batch_apply(batch, prepared, &applied, &err), &err);
    small_check(sl_batch_commit(batch, &err), &err);
    (void)sl_snapshot_close(small->snapshot);
    small->snapshot = NULL;
    small_check(sl_snapshot_open(small->index, &small->snapshot, &err), &err);
}

static inline struct small_index *small_open_copies(bool vectors, enum sl_duplicates duplicates)
{
    static struct small_index small;
    struct sl_index_options options = {.path = test_directory(), .map_size_bytes = 256 << 20,
                                       .duplicates = duplicates};
    struct sl_error err = {0};

    small = (struct small_index){.arena = sl_arena_open(64 << 20), .wall_ms = 1478476800000};
    small.clock = (struct sl_clock){small_wall, small_monotonic, &small};
    if (vectors) {
        small.embedder = fake_embedder_open(64, 256);
        options.dim = 64;
    }
    small_check(sl_index_open(&options, &small.index, &err), &err);
    return &small;
}

static inline struct small_index *small_open(bool vectors)
{
    return small_open_copies(vectors, SL_DUPLICATES_KEEP);
}

static inline void small_close(struct small_index *small)
{
    (void)sl_snapshot_close(small->snapshot);
    (void)sl_index_close(small->index);
    (void)sl_embedder_close(small->embedder);
    (void)sl_arena_close(small->arena);
}

#endif
