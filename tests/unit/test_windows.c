/* test_windows.c -- chunks to windows an encoder can read: sizes, coverage, hashes. */
#include "test.h"

#include "fake_embedder.h"

#include <sluice/hash.h>
#include <sluice/limits.h>
#include <sluice/text.h>

static struct sl_arena *arena;
static struct sl_error err;

__attribute__((destructor)) static void arena_end(void)
{
    arena = sl_arena_close(arena);
}

/* An encoder whose token is a byte that is not white space: the hardest on cutting. */
static uint32_t count_bytes(const struct sl_embedder *embedder, struct sl_view text)
{
    uint32_t count = 0;

    (void)embedder;
    for (size_t i = 0; i < text.size; i++)
        count += (unsigned char)text.data[i] > ' ';
    return count;
}

static const struct sl_embedder_ops byte_ops = {.count_tokens = count_bytes};

struct result {
    struct sl_document document;
    struct sl_chunk *chunks;
    uint32_t count;
};

static struct result cut(struct sl_document document, uint32_t words,
                         const struct sl_embedder *embedder)
{
    struct result r = {.document = document};
    struct sl_chunk_options options = {words, 0, true};

    if (arena == NULL)
        arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    sl_arena_reset(arena);
    if (sl_chunk_document(&r.document, &options, arena, &r.chunks, &r.count, &err) != SL_OK ||
        sl_chunk_windows(&r.document, r.chunks, r.count, embedder, arena, &err) != SL_OK)
        TEST_REPORT_("cut:", "%s %s", err.reason, err.message);
    return r;
}

static bool covers(const struct sl_chunk *chunk, uint32_t at)
{
    for (uint32_t w = 0; w < chunk->window_count; w++)
        if (chunk->windows[w].byte_start <= at && at < chunk->windows[w].byte_end)
            return true;
    for (uint32_t i = 0; i < chunk->excluded_count; i++)
        if (chunk->excluded[i].byte_start <= at && at < chunk->excluded[i].byte_end)
            return true;
    return false;
}

static void check_windows(const struct result *r, const struct sl_embedder *embedder)
{
    struct sl_view text = r->document.text;

    for (uint32_t c = 0; c < r->count; c++) {
        const struct sl_chunk *chunk = &r->chunks[c];
        struct sl_view prefix = sl_chunk_window_prefix(&r->document, chunk, embedder, arena);

        CHECK(chunk->window_count > 0);
        for (uint32_t w = 0; w < chunk->window_count; w++) {
            const struct sl_window *window = &chunk->windows[w];
            struct sl_view whole;
            uint8_t digest[32];

            CHECK(window->byte_start >= chunk->byte_start && window->byte_end <= chunk->byte_end);
            CHECK(window->byte_start < window->byte_end && window->vector == NULL);
            CHECK(w == 0 || window->byte_start >= chunk->windows[w - 1].byte_end);
            CHECK(sl_utf8_floor(text, window->byte_start) == window->byte_start);
            CHECK(sl_utf8_floor(text, window->byte_end) == window->byte_end);
            whole = sl_chunk_text(&r->document, chunk, prefix, window->byte_start, window->byte_end,
                                  arena);
            CHECK_THAT(embedder->ops->count_tokens(embedder, whole) <= embedder->token_limit,
                       "%u tokens", embedder->ops->count_tokens(embedder, whole));
            sl_sha256(whole, digest);
            CHECK(memcmp(digest, window->hash, SL_HASH_BYTES) == 0);
        }
        for (uint32_t at = chunk->byte_start; at < chunk->byte_end; at++)
            if ((unsigned char)text.data[at] > ' ')
                CHECK(covers(chunk, at));
    }
}

TEST(a_chunk_that_fits_is_one_window)
{
    struct sl_embedder *embedder = fake_embedder_open(8, 50);
    struct result r =
        cut((struct sl_document){.text = SL_VIEW("One two. Three four."), .title = SL_VIEW("T")},
            220, embedder);

    REQUIRE(r.count == 1 && r.chunks[0].window_count == 1);
    CHECK(r.chunks[0].windows[0].byte_start == 0 && r.chunks[0].windows[0].byte_end == 20);
    check_windows(&r, embedder);
    sl_embedder_close(embedder);
}

TEST(sentences_are_shared_out_evenly)
{
    struct sl_embedder *embedder = fake_embedder_open(8, 42); /* 2 of the prefix leave 40 */
    struct sl_buffer text = {0};
    struct result r;

    for (int i = 0; i < 9; i++)
        sl_buffer_format(&text, "Sentence number %d of the text is this one here. ", i);
    r = cut((struct sl_document){.text = {text.data, text.size}, .title = SL_VIEW("Two words")},
            220, embedder);
    REQUIRE(r.count == 1);
    check_windows(&r, embedder);
    REQUIRE(r.chunks[0].window_count == 3); /* 90 tokens: three of three sentences, not 4 + 4 + 1 */
    for (uint32_t w = 0; w < 3; w++)
        CHECK(sl_text_words(sl_view_range(r.document.text, r.chunks[0].windows[w].byte_start,
                                          r.chunks[0].windows[w].byte_end)) == 30);
    sl_buffer_fini(&text);
    sl_embedder_close(embedder);
}

TEST(long_sentences_are_cut_at_words_and_words_at_characters)
{
    struct sl_embedder bytes = {.ops = &byte_ops, .dim = 8, .token_limit = 40};
    struct sl_embedder *words = fake_embedder_open(8, 7);
    struct result r =
        cut((struct sl_document){.text = SL_VIEW(
                                     "one two three four five six seven eight nine ten eleven")},
            220, words);

    check_windows(&r, words);
    CHECK(r.chunks[0].window_count == 2);
    r = cut(
        (struct sl_document){
            .text = SL_VIEW("대한민국헌법은대한국민의유구한역사와전통에빛나는법이다 짧은 말 "
                            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz end.")},
        220, &bytes);
    check_windows(&r, &bytes);
    CHECK(r.chunks[0].window_count >= 4);
    sl_embedder_close(words);
}

TEST(a_long_prefix_leaves_half)
{
    struct sl_embedder bytes = {.ops = &byte_ops, .dim = 8, .token_limit = 40};
    struct sl_document document = {
        .text = SL_VIEW("Body text. More of it follows here and now."),
        .title = SL_VIEW("한국어로 된 아주 긴 제목이라서 다 들어가지 않는다 정말로")};
    struct result r = cut(document, 220, &bytes);
    struct sl_view prefix = sl_chunk_window_prefix(&r.document, &r.chunks[0], &bytes, arena);

    CHECK(prefix.size > 0 && count_bytes(&bytes, prefix) <= 20);
    CHECK(sl_utf8_bad(prefix) == prefix.size && prefix.data[prefix.size - 1] == '\n');
    check_windows(&r, &bytes);
}

TEST(hashes_follow_what_is_embedded)
{
    struct sl_embedder *embedder = fake_embedder_open(8, 50);
    struct sl_document document = {.text = SL_VIEW("Same text.")};
    struct result a = cut(document, 220, embedder);
    uint8_t first[SL_HASH_BYTES];

    memcpy(first, a.chunks[0].windows[0].hash, SL_HASH_BYTES);
    a = cut(document, 220, embedder);
    CHECK(memcmp(first, a.chunks[0].windows[0].hash, SL_HASH_BYTES) == 0);
    document.title = SL_VIEW("A title");
    a = cut(document, 220, embedder);
    CHECK(memcmp(first, a.chunks[0].windows[0].hash, SL_HASH_BYTES) != 0);
    sl_embedder_close(embedder);
}

TEST(boilerplate_is_not_embedded)
{
    struct sl_embedder *embedder = fake_embedder_open(8, 100);
    struct sl_buffer text = {0};
    struct result r;
    uint32_t spanning = 0;

    for (int page = 1; page <= 6; page++) {
        for (int s = 0; s < 40; s++)
            sl_buffer_format(&text, "Page text number %d goes on here and there. ", page * 100 + s);
        sl_buffer_format(&text, "\nACME Corp Confidential\n");
    }
    r = cut((struct sl_document){.text = {text.data, text.size}}, 400, embedder);
    check_windows(&r, embedder);
    for (uint32_t c = 0; c < r.count; c++)
        for (uint32_t w = 0; w < r.chunks[c].window_count; w++) {
            const struct sl_window *window = &r.chunks[c].windows[w];
            struct sl_view whole = sl_chunk_text(&r.document, &r.chunks[c], SL_VIEW(""),
                                                 window->byte_start, window->byte_end, arena);
            CHECK(memmem(whole.data, whole.size, "Confidential", 12) == NULL);
            spanning += whole.size < window->byte_end - window->byte_start;
        }
    CHECK(spanning > 0); /* some window did lie across one */
    sl_buffer_fini(&text);
    sl_embedder_close(embedder);
}

TEST(random_texts)
{
    static const char *const pieces[] = {
        "word ", "Another. ", "\n\n", "한국어는갔다 ",
        "東京",  "é",         "😀",    "longwordlongwordlongwordlongword ",
        "? ",    "1. "};
    struct sl_embedder bytes = {.ops = &byte_ops, .dim = 8, .token_limit = 24};

    test_seed(11);
    for (int round = 0; round < 100; round++) {
        struct sl_buffer text = {0};

        sl_buffer_view(&text, SL_VIEW("x "));
        for (uint64_t n = test_random() % 200; n > 0; n--) {
            const char *piece = pieces[test_random() % (sizeof pieces / sizeof pieces[0])];
            sl_buffer_add(&text, piece, strlen(piece));
        }
        struct result r =
            cut((struct sl_document){.text = {text.data, text.size}, .title = SL_VIEW("Ti tle")},
                60, &bytes);
        check_windows(&r, &bytes);
        sl_buffer_fini(&text);
    }
}

/* Quadratic work would take minutes here; the test's time limit is the judge. */
TEST(five_megabytes_without_a_break)
{
    struct sl_embedder bytes = {.ops = &byte_ops, .dim = 8, .token_limit = 256};
    size_t size = 5u << 20;
    char *word = malloc(size);
    struct result r;

    memset(word, 'w', size);
    r = cut((struct sl_document){.text = {word, size}}, 220, &bytes);
    for (uint32_t c = 0; c < r.count; c++)
        CHECK(r.chunks[c].window_count >= (r.chunks[c].byte_end - r.chunks[c].byte_start) / 256);
    free(word);
}
