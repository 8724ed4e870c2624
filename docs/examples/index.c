/* index.c -- the index by itself: notes with vectors go in, are found, replaced and deleted. */
#include <stdio.h>
#include <stdlib.h>
#include <sluice/index.h>
static struct sl_index *notes;
static struct sl_batch *batch;
static struct sl_error err;
static enum sl_applied applied; /* inserted, replaced, unchanged, stale ... */
#define CHECK(call) ((call) == SL_OK ? (void)0 : exit((fputs(err.message, stderr), err.exit_code)))

/* A note of one chunk with one vector. Versions grow: an old one never wins over a newer one. */
static void put(struct sl_view key, uint8_t version, struct sl_view colour, const float vector[2])
{
    struct sl_field field = {SL_VIEW("colour"), SL_FIELD_STRING, .string = colour};
    struct sl_window window = {0, (uint32_t)colour.size, .hash = {version}, .vector = vector};
    struct sl_chunk chunk = {0, window.byte_end, .windows = &window, .window_count = 1};
    struct sl_document note = {.topic = SL_VIEW("notes"), .key = key, .offset = version,
        .text = colour, .text_media = SL_MEDIA_TEXT, .date_days = {SL_DAY_NONE, SL_DAY_NONE},
        .fields = &field, .field_count = 1, .content_hash = {version}}; /* same hash: no change */
    struct sl_prepared *prepared;
    CHECK(sl_index_prepare(notes, &note, &chunk, 1, &prepared, &err)); /* in any thread */
    CHECK(sl_batch_apply(batch, prepared, &applied, &err));
}

static void search(const float vector[2], const char *expression)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    const struct sl_filter *filter;
    struct sl_selection *selection;
    struct sl_document note;
    struct sl_hit hits[3];
    uint32_t count;
    CHECK(sl_snapshot_open(notes, &snapshot, &err));
    CHECK(sl_filter_parse(sl_view_of(expression), arena, &filter, &err));
    CHECK(sl_snapshot_select(snapshot, filter, arena, &selection, &err));
    CHECK(sl_snapshot_nearest(snapshot, vector, 3, 64, false, selection, hits, &count, NULL, &err));
    for (uint32_t i = 0; i < count; i++) {
        CHECK(sl_snapshot_document(snapshot, hits[i].doc, arena, &note, NULL, &err));
        printf("%s: %.*s %.2f\n", expression, SL_VIEW_ARG(note.key), (double)hits[i].score);
    }
}

int main(int argc, char **argv)
{
    struct sl_index_options options = {.path = argc > 1 ? argv[1] : "notes.index", .dim = 2};
    CHECK(sl_index_open(&options, &notes, &err));
    CHECK(sl_batch_begin(notes, &batch, &err));
    put(SL_VIEW("a"), 1, SL_VIEW("red"), (float[]){1, 0});
    put(SL_VIEW("b"), 1, SL_VIEW("red"), (float[]){0, 1});
    put(SL_VIEW("c"), 1, SL_VIEW("blue"), (float[]){0.8f, 0.6f});
    CHECK(sl_batch_commit(batch, &err)); /* on disk, and seen by every snapshot from now on */
    search((float[]){1, 0}, "colour = \"red\"");
    CHECK(sl_batch_begin(notes, &batch, &err));
    put(SL_VIEW("b"), 2, SL_VIEW("red"), (float[]){0.6f, 0.8f});
    CHECK(sl_batch_delete(batch, SL_VIEW("notes"), SL_VIEW("a"), 0, 2, &applied, &err));
    CHECK(sl_batch_commit(batch, &err));
    search((float[]){1, 0}, "exists(colour)");
    notes = sl_index_close(notes);
}
