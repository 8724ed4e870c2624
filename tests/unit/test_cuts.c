/* test_cuts.c -- C7 of chunk.h: what an edit of one sentence changes. */
#include "test.h"

#include <sluice/chunk.h>
#include <sluice/limits.h>
#include <sluice/text.h>

enum {
    SENTENCES = 1100, /* of 13 words on average: about 100 chunks */
    WORDS = 180,
    EDITS = 80,
    CHUNKS_MAX = 400
};

static struct sl_arena *arena;

__attribute__((destructor)) static void arena_end(void)
{
    arena = sl_arena_close(arena);
}

/* A text is the seeds of its sentences; 0 parts paragraphs. */
struct prose {
    uint64_t seeds[2 * SENTENCES];
    uint32_t count;
};

static void add_sentence(struct sl_buffer *out, uint64_t seed)
{
    uint32_t words = 6 + (uint32_t)(seed % 15);

    for (uint32_t i = 0; i < words; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        sl_buffer_format(out, i == 0 ? "W%u" : " w%u", (uint32_t)(seed >> 50));
    }
    sl_buffer_format(out, ". ");
}

static struct sl_buffer write_prose(const struct prose *prose)
{
    struct sl_buffer text = {0};

    for (uint32_t i = 0; i < prose->count; i++)
        if (prose->seeds[i] == 0)
            sl_buffer_format(&text, "\n\n");
        else
            add_sentence(&text, prose->seeds[i]);
    return text;
}

/* Sentences with an empty line after every `paragraph`-th; 0: none. */
static struct prose random_prose(uint32_t paragraph)
{
    struct prose prose = {.count = 0};

    for (uint32_t i = 0; i < SENTENCES; i++) {
        if (paragraph > 0 && i % paragraph == paragraph - 1)
            prose.seeds[prose.count++] = 0;
        prose.seeds[prose.count++] = test_random() | 1;
    }
    return prose;
}

/* One sentence inserted, deleted or replaced. */
static struct prose edited(const struct prose *prose)
{
    struct prose other = *prose;
    uint32_t at;

    do
        at = (uint32_t)(test_random() % prose->count);
    while (prose->seeds[at] == 0);
    switch (test_random() % 3) {
    case 0:
        memmove(other.seeds + at + 1, other.seeds + at, (prose->count - at) * sizeof *other.seeds);
        other.count++;
        other.seeds[at] = test_random() | 1;
        break;
    case 1:
        memmove(other.seeds + at, other.seeds + at + 1,
                (prose->count - at - 1) * sizeof *other.seeds);
        other.count--;
        break;
    default:
        other.seeds[at] = test_random() | 1;
    }
    return other;
}

struct cut {
    struct sl_buffer text;
    struct sl_view chunks[CHUNKS_MAX];
    uint32_t count;
};

/* As the product does it. */
static void cut_stable(struct cut *cut)
{
    struct sl_document document = {.text = {cut->text.data, cut->text.size},
                                   .text_media = SL_MEDIA_TEXT};
    struct sl_chunk_options options = {WORDS, 25, true};
    struct sl_chunk *chunks;
    struct sl_error err;

    REQUIRE(sl_chunk_document(&document, &options, arena, &chunks, &cut->count, &err) == SL_OK);
    REQUIRE(cut->count <= CHUNKS_MAX);
    for (uint32_t i = 0; i < cut->count; i++)
        cut->chunks[i] = sl_view_range(document.text, chunks[i].byte_start, chunks[i].byte_end);
}

/* The control: sentences packed until a chunk is full, one chunk after the other. */
static void cut_greedy(struct cut *cut)
{
    struct sl_view text = {cut->text.data, cut->text.size};
    struct sl_span *sentences;
    struct sl_error err;
    uint32_t count, words = 0, start = 0;

    REQUIRE(sl_text_sentences(text, arena, &sentences, &count, &err) == SL_OK);
    cut->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t own =
            sl_text_words(sl_view_range(text, sentences[i].byte_start, sentences[i].byte_end));

        if (words + own > WORDS) {
            REQUIRE(cut->count < CHUNKS_MAX);
            cut->chunks[cut->count++] = sl_view_range(text, start, sentences[i - 1].byte_end);
            start = sentences[i].byte_start;
            words = 0;
        }
        words += own;
    }
}

static uint32_t changed(const struct cut *before, const struct cut *after)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < after->count; i++) {
        bool known = false;
        for (uint32_t j = 0; j < before->count && !known; j++)
            known = sl_view_equal(after->chunks[i], before->chunks[j]);
        count += known ? 0 : 1;
    }
    return count;
}

/* Of EDITS edits, how many change more than four chunks. */
static uint32_t count_wide(uint32_t paragraph, void (*make)(struct cut *))
{
    struct prose prose = random_prose(paragraph);
    struct cut before = {.text = write_prose(&prose)}, after = {0};
    uint32_t wide = 0;

    if (arena == NULL)
        arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    sl_arena_reset(arena);
    make(&before);
    CHECK_THAT(before.count >= 70 && before.count <= 150, "%u chunks", before.count);
    for (uint32_t i = 0; i < EDITS; i++) {
        struct prose other = edited(&prose);

        sl_arena_reset(arena);
        after.text = write_prose(&other);
        make(&after);
        wide += changed(&before, &after) > 4 ? 1 : 0;
        sl_buffer_fini(&after.text);
    }
    sl_buffer_fini(&before.text);
    return wide;
}

TEST(chunk_C7_an_edit_changes_few_chunks)
{
    for (uint32_t paragraph = 0; paragraph <= 8; paragraph += 8) {
        test_seed(100 + paragraph);
        uint32_t wide = count_wide(paragraph, cut_stable);
        CHECK_THAT(wide <= EDITS / 20, "%u of %u edits changed more than 4 chunks", wide, EDITS);
    }
}

TEST(chunk_C7_control_greedy_packing_changes_many)
{
    test_seed(100);
    uint32_t wide = count_wide(0, cut_greedy);
    CHECK_THAT(wide > EDITS / 4, "%u of %u edits changed more than 4 chunks", wide, EDITS);
}

/* Equal sentences have no place better than another: still linear, and within the limits. */
TEST(equal_sentences_are_shared_out_evenly)
{
    struct cut cut = {0};

    for (uint32_t i = 0; i < 1000; i++)
        sl_buffer_format(&cut.text, "It is the same as ever. ");
    if (arena == NULL)
        arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    sl_arena_reset(arena);
    cut_stable(&cut);
    for (uint32_t i = 0; i + 1 < cut.count; i++)
        CHECK(sl_text_words(cut.chunks[i]) > WORDS / 2);
    sl_buffer_fini(&cut.text);
}
