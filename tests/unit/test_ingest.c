/* test_ingest.c -- one record's way to the index: what is embedded, what is kept, what is refused.
 */
#include "test.h"

#include "fake_embedder.h"

#include <sluice/hash.h>
#include <sluice/ingest.h>
#include <sluice/limits.h>
#include <sluice/text.h>

#include <math.h>

enum { DIM = 16 };

struct bench {
    struct sl_embedder *embedder;
    struct sl_index *index;
    struct sl_arena *arena;
    struct sl_ingest_options options;
    struct sl_error err;
    int64_t offset;
};

static void bench_open(struct bench *b, const char *name)
{
    static char path[512];
    struct sl_index_options options = {.path = path, .map_size_bytes = 64u << 20, .dim = DIM};

    memset(b, 0, sizeof *b);
    (void)snprintf(path, sizeof path, "%s/%s", test_directory(), name);
    b->embedder = fake_embedder_open(DIM, 40);
    b->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    b->options = (struct sl_ingest_options){.chunk = {60, 10, true}, .embedder = b->embedder};
    if (sl_index_open(&options, &b->index, &b->err) != SL_OK)
        TEST_REPORT_("sl_index_open:", "%s", b->err.message);
}

static void bench_close(struct bench *b)
{
    sl_index_close(b->index);
    sl_embedder_close(b->embedder);
    sl_arena_close(b->arena);
}

/* Read a record; NULL when it was refused. */
static struct sl_ingest *read_record(struct bench *b, const char *key, struct sl_view value)
{
    struct sl_message message = {.topic = SL_VIEW("docs"),
                                 .partition = 0,
                                 .offset = b->offset,
                                 .timestamp_ms = -1,
                                 .key = sl_view_of(key),
                                 .value = value};
    struct sl_ingest *ingest = NULL;

    sl_arena_reset(b->arena);
    memset(&b->err, 0, sizeof b->err);
    return sl_ingest_read(&message, &b->options, b->index, b->arena, &ingest, &b->err) == SL_OK
               ? ingest
               : NULL;
}

static void embed(struct bench *b, struct sl_ingest *ingest)
{
    float *vectors = SL_NEW_ARRAY(b->arena, float, ingest->text_count *DIM);

    if (ingest->text_count > 0)
        CHECK(b->embedder->ops->encode(b->embedder, SL_EMBED_PASSAGE, ingest->texts,
                                       ingest->text_count, vectors, &b->err) == SL_OK);
    for (uint32_t i = 0; i < ingest->text_count; i++)
        ingest->vectors[i] = vectors + i * DIM;
}

/* Embed, prepare, apply, commit. */
static enum sl_applied apply(struct bench *b, struct sl_ingest *ingest)
{
    struct sl_prepared *prepared = NULL;
    struct sl_batch *batch = NULL;
    enum sl_applied applied = 0;

    embed(b, ingest);
    if (sl_ingest_finish(ingest, b->index, &prepared, &b->err) != SL_OK ||
        sl_batch_begin(b->index, &batch, &b->err) != SL_OK ||
        sl_batch_apply(batch, prepared, &applied, &b->err) != SL_OK ||
        sl_batch_commit(batch, &b->err) != SL_OK)
        TEST_REPORT_("apply:", "%s %s", b->err.reason, b->err.message);
    b->offset++;
    return applied;
}

static struct sl_buffer story(int changed)
{
    struct sl_buffer text = {0};

    for (int i = 0; i < 12; i++)
        sl_buffer_format(&text,
                         "Paragraph %d%s tells of things that happened in the harbour town long "
                         "ago, as people said, "
                         "and of what the keeper of the light saw that night.\n\n",
                         i, i == changed ? " (corrected)" : "");
    return text;
}

static struct sl_view view(struct sl_buffer buffer)
{
    return (struct sl_view){buffer.data, buffer.size};
}

TEST(a_new_document_embeds_every_window)
{
    struct bench b;
    struct sl_buffer text = story(-1);
    struct sl_ingest *ingest;
    uint32_t windows = 0;

    bench_open(&b, "new");
    ingest = read_record(&b, "k1", view(text));
    REQUIRE(ingest != NULL);
    CHECK(ingest->decoded == SL_DECODED_DOCUMENT && !ingest->unchanged && ingest->chunk_count > 3);
    for (uint32_t i = 0; i < ingest->chunk_count; i++) {
        windows += ingest->chunks[i].window_count;
        CHECK(ingest->chunks[i].term_count > 0 &&
              ingest->chunks[i].length_terms >= ingest->chunks[i].term_count);
    }
    REQUIRE(ingest->text_count == windows && windows > ingest->chunk_count);
    for (uint32_t i = 0; i < windows; i++) {
        uint8_t digest[32];
        sl_sha256(ingest->texts[i], digest);
        CHECK(memcmp(digest, ingest->windows[i]->hash, SL_HASH_BYTES) == 0);
    }
    CHECK(apply(&b, ingest) == SL_APPLIED_INSERTED);
    sl_buffer_fini(&text);
    bench_close(&b);
}

TEST(the_same_again_embeds_nothing)
{
    struct bench b;
    struct sl_buffer text = story(-1);
    struct sl_ingest *ingest;

    bench_open(&b, "same");
    ingest = read_record(&b, "k1", view(text));
    REQUIRE(ingest != NULL);
    apply(&b, ingest);
    ingest = read_record(&b, "k1", view(text));
    REQUIRE(ingest != NULL);
    CHECK(ingest->unchanged && ingest->text_count == 0 && ingest->chunk_count > 3);
    CHECK(apply(&b, ingest) == SL_APPLIED_UNCHANGED);
    ingest = read_record(&b, "another key", view(text));
    REQUIRE(ingest != NULL);
    CHECK(!ingest->unchanged && ingest->text_count > 0);
    sl_buffer_fini(&text);
    bench_close(&b);
}

TEST(a_correction_embeds_only_what_changed)
{
    struct bench b;
    struct sl_buffer text = story(-1), corrected = story(10);
    struct sl_ingest *ingest;
    uint32_t all;

    bench_open(&b, "correction");
    ingest = read_record(&b, "k1", view(text));
    REQUIRE(ingest != NULL);
    all = ingest->text_count;
    apply(&b, ingest);
    ingest = read_record(&b, "k1", view(corrected));
    REQUIRE(ingest != NULL);
    CHECK_THAT(!ingest->unchanged && ingest->text_count > 0 && ingest->text_count <= 3 && all >= 10,
               "%u of %u", ingest->text_count, all);
    for (uint32_t i = 0; i < ingest->text_count; i++)
        CHECK(ingest->windows[i]->vector == NULL);
    CHECK(sl_ingest_again(ingest, &b.options, &b.err) == SL_OK);
    CHECK_THAT(ingest->text_count >= all - 1, "%u of %u", ingest->text_count, all);
    CHECK(apply(&b, ingest) == SL_APPLIED_REPLACED);
    sl_buffer_fini(&text);
    sl_buffer_fini(&corrected);
    bench_close(&b);
}

TEST(a_delete_has_no_document)
{
    struct bench b;
    struct sl_ingest *ingest;

    bench_open(&b, "delete");
    ingest = read_record(&b, "k1", SL_VIEW_NULL);
    REQUIRE(ingest != NULL);
    CHECK(ingest->decoded == SL_DECODED_DELETE && ingest->chunk_count == 0 &&
          sl_view_is(ingest->document.key, "k1"));
    bench_close(&b);
}

TEST(what_cannot_be_used_says_why)
{
    struct bench b;

    bench_open(&b, "refused");
    CHECK(read_record(&b, "k", SL_VIEW("{\"text\":\"a\"}x")) == NULL &&
          strcmp(b.err.reason, "trailing_data") == 0);
    CHECK(read_record(&b, "k", SL_VIEW(" ")) == NULL && strcmp(b.err.reason, "no_text") == 0);
    CHECK(read_record(&b, "k", SL_VIEW("{\"text\":\"a\",\"vector\":[1,0]}")) == NULL &&
          strcmp(b.err.reason, "bad_vector") == 0);
    CHECK(read_record(&b, "k",
                      SL_VIEW("{\"text\":\"a\",\"vector\":[1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"
                              "\"vector_model\":\"other\"}")) == NULL &&
          strcmp(b.err.reason, "bad_vector") == 0);
    bench_close(&b);
}

TEST(an_own_vector_is_taken_as_it_is)
{
    struct bench b;
    struct sl_ingest *ingest;

    bench_open(&b, "own");
    ingest = read_record(
        &b, "k",
        SL_VIEW("{\"text\":\"Some text here.\",\"vector\":[3,4,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}"));
    REQUIRE(ingest != NULL);
    CHECK(ingest->text_count == 0 && ingest->chunk_count == 1 &&
          ingest->chunks[0].window_count == 1);
    CHECK(fabs((double)ingest->chunks[0].windows[0].vector[0] - 0.6) < 1e-6);
    CHECK(apply(&b, ingest) == SL_APPLIED_INSERTED);
    bench_close(&b);
}

TEST(without_an_encoder_there_are_no_windows)
{
    struct bench b;
    struct sl_ingest *ingest;

    bench_open(&b, "lexical");
    b.options.embedder = NULL;
    ingest = read_record(&b, "k", SL_VIEW("Some text here."));
    REQUIRE(ingest != NULL);
    CHECK(ingest->text_count == 0 && ingest->chunks[0].window_count == 0 &&
          ingest->chunks[0].term_count == 3);
    bench_close(&b);
}

static bool has_term(const struct sl_chunk *chunk, const char *term)
{
    for (uint32_t i = 0; i < chunk->term_count; i++)
        if (sl_view_is(chunk->terms[i].term, term))
            return true;
    return false;
}

TEST(title_section_and_date_are_indexed)
{
    struct bench b;
    struct sl_ingest *ingest;

    bench_open(&b, "prefix");
    ingest =
        read_record(&b, "k",
                    SL_VIEW("{\"title\":\"Harbour report\",\"date\":\"2015-12-16\",\"text\":\"## "
                            "Storms\\nIt blew.\"}"));
    REQUIRE(ingest != NULL);
    CHECK(has_term(ingest->chunks, "harbour") && has_term(ingest->chunks, "2015-12-16") &&
          has_term(ingest->chunks, "storm"));
    CHECK(strncmp(ingest->texts[0].data, "Harbour report\nStorms\n2015-12-16\n## Storms\nIt blew.",
                  40) == 0);
    CHECK(ingest->chunks[0].byte_start == 0 &&
          ingest->chunks[0].byte_end == ingest->document.text.size);
    ingest = read_record(&b, "k", SL_VIEW("{\"lang\":\"de-AT\",\"text\":\"die Katzen\"}"));
    REQUIRE(ingest != NULL);
    CHECK(has_term(ingest->chunks, "katz") && !has_term(ingest->chunks, "die"));
    bench_close(&b);
}

TEST(fingerprint_tells_settings_apart)
{
    struct bench b;
    char first[256], second[256];

    bench_open(&b, "fingerprint");
    sl_ingest_fingerprint(&b.options, first);
    CHECK(strstr(first, b.embedder->fingerprint) != NULL);
    b.options.chunk.words = 61;
    sl_ingest_fingerprint(&b.options, second);
    CHECK(strcmp(first, second) != 0);
    b.options.embedder = NULL;
    sl_ingest_fingerprint(&b.options, first);
    CHECK(strstr(first, "none") != NULL && strcmp(first, second) != 0);
    bench_close(&b);
}
