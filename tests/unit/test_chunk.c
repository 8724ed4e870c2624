/* test_chunk.c -- C1 to C6 of chunk.h, on written texts and on random ones. */
#include "test.h"

#include "decode/markdown.h"
#include "text/text_internal.h"

#include <sluice/chunk.h>
#include <sluice/limits.h>
#include <sluice/text.h>

static struct sl_arena *arena;
static struct sl_error err;

static void arena_fresh(void)
{
    if (arena == NULL)
        arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    sl_arena_reset(arena);
}

__attribute__((destructor)) static void arena_end(void)
{
    arena = sl_arena_close(arena);
}

struct result {
    struct sl_document document;
    struct sl_chunk *chunks;
    uint32_t count;
};

static struct result cut(struct sl_view text, enum sl_media media, uint32_t words, uint32_t overlap)
{
    struct result r = {.document = {.text = text, .text_media = media}};
    struct sl_chunk_options options = {words, overlap, true};

    arena_fresh();
    if (sl_chunk_document(&r.document, &options, arena, &r.chunks, &r.count, &err) != SL_OK)
        TEST_REPORT_("sl_chunk_document:", "%s %s", err.reason, err.message);
    return r;
}

static struct sl_view chunk_view(const struct result *r, uint32_t i)
{
    return sl_view_range(r->document.text, r->chunks[i].byte_start, r->chunks[i].byte_end);
}

/* Everything chunk.h promises of any text. */
static void check_promises(const struct result *r, uint32_t words)
{
    struct sl_view text = r->document.text;
    uint32_t covered = 0;

    for (uint32_t i = 0; i < r->count; i++) {
        const struct sl_chunk *chunk = &r->chunks[i];

        CHECK(chunk->byte_start < chunk->byte_end && chunk->byte_end <= text.size);
        CHECK(sl_utf8_floor(text, chunk->byte_start) == chunk->byte_start);
        CHECK(sl_utf8_floor(text, chunk->byte_end) == chunk->byte_end);
        CHECK(i == 0 || chunk->byte_start > r->chunks[i - 1].byte_start);
        CHECK(i == 0 || chunk->byte_end > r->chunks[i - 1].byte_end);
        CHECK_THAT(chunk->word_count <= words, "%u words", chunk->word_count);
        for (uint32_t at = covered; at < chunk->byte_start;
             at++) { /* a gap holds white space only */
            size_t next = at;
            if (sl_utf8_floor(text, at) == at)
                CHECK(sl_char_space(sl_utf8_next(text, &next)));
        }
        covered = chunk->byte_end;
    }
    CHECK(sl_view_trim(sl_view_range(text, covered, text.size)).size == 0);
}

static struct sl_buffer sentences(uint32_t count, uint32_t words_each)
{
    struct sl_buffer text = {0};

    for (uint32_t s = 0; s < count; s++) {
        for (uint32_t w = 0; w + 1 < words_each; w++)
            sl_buffer_format(&text, "%s%c%u", w > 0 ? " " : "", w == 0 ? 'S' : 'w', s * 100 + w);
        sl_buffer_format(&text, " end%u. ", s);
    }
    return text;
}

static struct sl_view view(const struct sl_buffer *buffer)
{
    return (struct sl_view){buffer->data, buffer->size};
}

TEST(a_short_text_is_one_chunk)
{
    struct result r = cut(SL_VIEW("  Hello world. It is me.\n"), SL_MEDIA_TEXT, 220, 30);

    REQUIRE(r.count == 1);
    CHECK(sl_view_is(chunk_view(&r, 0), "Hello world. It is me."));
    CHECK(r.chunks[0].word_count == 5 && r.chunks[0].section.data == NULL &&
          r.chunks[0].window_count == 0);
}

TEST(chunk_C3_C4_sentences_are_packed_with_overlap)
{
    struct sl_buffer text = sentences(100, 10);
    struct result r = cut(view(&text), SL_MEDIA_TEXT, 100, 25);
    uint32_t overlaps = 0;

    check_promises(&r, 100);
    for (uint32_t i = 1; i < r.count; i++) {
        struct sl_view shared;

        if (r.chunks[i].byte_start >= r.chunks[i - 1].byte_end) {
            CHECK(r.chunks[i].word_count > 90); /* no room for one more sentence */
            continue;
        }
        shared = sl_view_range(view(&text), r.chunks[i].byte_start, r.chunks[i - 1].byte_end);
        CHECK(sl_text_words(shared) == 10 || sl_text_words(shared) == 20); /* 30 are too many */
        CHECK(shared.data[0] == 'S' && shared.data[shared.size - 1] == '.');
        overlaps += sl_text_words(shared) == 20;
    }
    CHECK(overlaps >= r.count / 2);
    CHECK(r.count >= 10 && r.count <= 20);
    r = cut(view(&text), SL_MEDIA_TEXT, 100, 0);
    check_promises(&r, 100);
    for (uint32_t i = 1; i < r.count; i++)
        CHECK(r.chunks[i].byte_start > r.chunks[i - 1].byte_end);
    sl_buffer_fini(&text);
}

TEST(whole_documents_when_words_say_so)
{
    struct sl_buffer text = sentences(150, 10);
    struct result r = cut(view(&text), SL_MEDIA_TEXT, 2000, 30);

    CHECK(r.count == 1 && r.chunks[0].word_count == 1500);
    sl_buffer_fini(&text);
}

TEST(paragraphs_are_better_places)
{
    struct sl_buffer text = {0}, part = sentences(7, 10);
    struct result r;

    sl_buffer_format(&text, "%s\n\n%s", part.data, part.data); /* 70 words, empty line, 70 words */
    r = cut(view(&text), SL_MEDIA_TEXT, 100, 0);
    REQUIRE(r.count == 2);
    CHECK(r.chunks[0].word_count == 70 && r.chunks[1].word_count == 70);
    sl_buffer_fini(&text);
    sl_buffer_fini(&part);
}

TEST(headings_give_sections_and_cuts)
{
    struct sl_buffer text = {0}, part = sentences(6, 10);
    struct result r;

    sl_buffer_format(
        &text, "# Guide\n\nIntro text here.\n\n## Setup\n%s\n\n### Linux\n%s\n\n## Use ##\n%s",
        part.data, part.data, part.data);
    r = cut(view(&text), SL_MEDIA_MARKDOWN, 100, 20);
    check_promises(&r, 100);
    REQUIRE(r.count == 3);
    CHECK(sl_view_is(r.chunks[0].section, "Guide"));
    CHECK(sl_view_is(r.chunks[1].section, "Guide > Setup > Linux"));
    CHECK(strncmp(chunk_view(&r, 1).data, "### Linux", 9) == 0);
    CHECK(sl_view_is(r.chunks[2].section, "Guide > Use"));
    r.document.title = SL_VIEW("Guide"); /* the title stands in the prefix already */
    arena_fresh();
    REQUIRE(sl_chunk_document(&r.document, &(struct sl_chunk_options){100, 20, true}, arena,
                              &r.chunks, &r.count, &err) == SL_OK);
    CHECK(r.chunks[0].section.data == NULL && sl_view_is(r.chunks[2].section, "Use"));
    sl_buffer_fini(&text);
    sl_buffer_fini(&part);
}

TEST(a_heading_never_ends_a_chunk)
{
    struct sl_buffer text = {0}, part = sentences(4, 10);

    for (int i = 0; i < 20; i++)
        sl_buffer_format(&text, "## Part %d\n%s\n\n", i, part.data);
    for (uint32_t words = 20; words < 130; words += 7) {
        struct result r = cut(view(&text), SL_MEDIA_MARKDOWN, words, 10);
        check_promises(&r, words);
        for (uint32_t i = 0; i < r.count; i++) {
            struct sl_view chunk = chunk_view(&r, i);
            CHECK_THAT(chunk.data[chunk.size - 1] == '.', "%u words, chunk %u", words, i);
        }
    }
    sl_buffer_fini(&text);
    sl_buffer_fini(&part);
}

TEST(speakers_begin_chunks)
{
    struct sl_buffer text = {0}, part = sentences(6, 10);
    struct result r;

    for (int i = 0; i < 6; i++)
        sl_buffer_format(&text, "%s %s\n\n", i % 2 == 0 ? "QUESTION." : "CHAIR YELLEN.", part.data);
    r = cut(view(&text), SL_MEDIA_TEXT, 110, 20);
    check_promises(&r, 110);
    CHECK(r.count == 6);
    for (uint32_t i = 0; i < r.count; i++)
        CHECK(strncmp(chunk_view(&r, i).data, i % 2 == 0 ? "QUESTION." : "CHAIR YEL", 9) == 0);
    sl_buffer_fini(&text);
    sl_buffer_fini(&part);
}

TEST(long_sentences_are_cut_at_words)
{
    struct sl_buffer text = {0};
    struct result r;

    for (int i = 0; i < 1000; i++)
        sl_buffer_format(&text, "word%d ", i);
    r = cut(view(&text), SL_MEDIA_TEXT, 220, 30);
    check_promises(&r, 220);
    CHECK(r.count == 5);
    for (uint32_t i = 0; i < r.count; i++)
        CHECK(strncmp(chunk_view(&r, i).data, "word", 4) == 0);
    sl_buffer_fini(&text);
}

static struct sl_buffer repeated(const char *piece, size_t bytes)
{
    struct sl_buffer text = {0};

    while (text.size + strlen(piece) <= bytes)
        sl_buffer_add(&text, piece, strlen(piece));
    return text;
}

/* Quadratic work would take minutes here; the test's time limit is the judge. */
TEST(chunk_C5_B22_one_word_of_five_megabytes)
{
    struct sl_buffer text = repeated("x", 5u << 20);
    struct result r = cut(view(&text), SL_MEDIA_TEXT, 220, 30);

    check_promises(&r, 220);
    CHECK(r.count > 40 && r.count < 90); /* at most 220 pieces of 512 bytes each */
    sl_buffer_fini(&text);
    text = repeated("한", 5u << 20);
    r = cut(view(&text), SL_MEDIA_TEXT, 220, 30);
    check_promises(&r, 220);
    sl_buffer_fini(&text);
}

TEST(chunk_C5_ten_megabytes)
{
    struct sl_buffer text =
        repeated("The committee met today. It raised the rate by a quarter point.\n\n", 10u << 20);
    struct result r = cut(view(&text), SL_MEDIA_TEXT, 220, 30);

    CHECK(r.count > 8000);
    sl_buffer_fini(&text);
}

TEST(chunk_C5_hostile_texts)
{
    static const char *const pieces[] = {"# h\n", "a\n\n", "CHAIR A. ", "```\n", "\xCC\x81",
                                         "- \n",  "東",    "A: b\n",    "=\n\n", "12\n"};

    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct sl_buffer text = repeated(pieces[i], 512u << 10);
        struct result r = cut(view(&text), i % 2 ? SL_MEDIA_TEXT : SL_MEDIA_MARKDOWN, 220, 30);

        CHECK(r.count > 0);
        sl_buffer_fini(&text);
    }
}

TEST(graphemes_stay_whole)
{
    struct sl_buffer text =
        repeated("e\xCC\x81", 20000); /* é as two code points, no break anywhere */
    struct result r = cut(view(&text), SL_MEDIA_TEXT, 10, 0);

    check_promises(&r, 10);
    for (uint32_t i = 0; i < r.count; i++)
        CHECK(chunk_view(&r, i).data[0] == 'e');
    sl_buffer_fini(&text);
}

static const char *refusal(struct sl_view text, uint32_t words)
{
    struct sl_document document = {.text = text, .text_media = SL_MEDIA_TEXT};
    struct sl_chunk_options options = {words, 0, true};
    struct sl_chunk *chunks;
    uint32_t count;

    arena_fresh();
    return sl_chunk_document(&document, &options, arena, &chunks, &count, &err) == SL_REJECT
               ? err.reason
               : "";
}

TEST(B21_nothing_to_see)
{
    CHECK(strcmp(refusal(SL_VIEW("  \n\t"), 220), "no_text") == 0);
    CHECK(strcmp(refusal(SL_VIEW("\xE2\x80\x8B\x01"), 220), "no_text") == 0);
    CHECK(strcmp(refusal(SL_VIEW("x"), 220), "") == 0);
}

TEST(too_many_chunks)
{
    struct sl_buffer text = repeated("a b c d e f g h i j. ", 20u * 70000u);

    CHECK(strcmp(refusal(view(&text), 10), "too_many_chunks") == 0);
    sl_buffer_fini(&text);
}

TEST(chunk_C6_the_same_twice)
{
    struct sl_buffer text = sentences(300, 13);
    struct result first = cut(view(&text), SL_MEDIA_TEXT, 90, 20);
    uint32_t *starts = malloc(sizeof(uint32_t) * first.count);

    for (uint32_t i = 0; i < first.count; i++)
        starts[i] = first.chunks[i].byte_start;
    struct result second = cut(view(&text), SL_MEDIA_TEXT, 90, 20);
    REQUIRE(second.count == first.count);
    for (uint32_t i = 0; i < first.count; i++)
        CHECK(second.chunks[i].byte_start == starts[i]);
    free(starts);
    sl_buffer_fini(&text);
}

/* Random texts made of everything that has a meaning somewhere. */
TEST(chunk_C1_C2_random_texts)
{
    static const char *const pieces[] = {"word ",
                                         "Another. ",
                                         "\n",
                                         "\n\n",
                                         "# Title\n",
                                         "한국어는 ",
                                         "갔다. ",
                                         "東京",
                                         "é",
                                         "e\xCC\x81",
                                         "😀",
                                         "\xE2\x80\x8B",
                                         "CHAIR YELLEN. ",
                                         "Mr. ",
                                         "1. ",
                                         "- item\n",
                                         "```\n",
                                         "| a |\n",
                                         "2015. 12. 16. ",
                                         "[3] ",
                                         "\t",
                                         "===\n",
                                         "\r\n",
                                         "\f",
                                         "Page 3\n",
                                         "longwordlongwordlongword"};

    test_seed(42);
    for (int round = 0; round < 300; round++) {
        struct sl_buffer text = {0};
        uint32_t words = 10 + (uint32_t)(test_random() % 40);

        sl_buffer_view(&text, SL_VIEW("x "));
        for (uint64_t n = test_random() % 400; n > 0; n--) {
            const char *piece = pieces[test_random() % (sizeof pieces / sizeof pieces[0])];
            sl_buffer_add(&text, piece, strlen(piece));
        }
        struct result r = cut(view(&text), round % 2 ? SL_MEDIA_TEXT : SL_MEDIA_MARKDOWN, words,
                              (uint32_t)(test_random() % words));
        check_promises(&r, words);
        sl_buffer_fini(&text);
    }
}

TEST(boilerplate_is_left_out_but_may_be_spanned)
{
    struct sl_buffer text = {0};
    struct sl_document document = {.text_media = SL_MEDIA_TEXT};
    struct sl_chunk_options options = {400, 0, true};
    struct sl_chunk *chunks;
    uint32_t count, excluded = 0;

    for (int page = 1; page <= 8; page++) {
        for (int s = 0; s < 40; s++)
            sl_buffer_format(&text, "Page text number %d goes on here and there. ", page * 100 + s);
        sl_buffer_format(&text, "\nACME Corp Confidential\n");
    }
    document.text = view(&text);
    arena_fresh();
    REQUIRE(sl_chunk_document(&document, &options, arena, &chunks, &count, &err) == SL_OK);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_view whole = sl_chunk_text(&document, &chunks[i], SL_VIEW("P\n"),
                                             chunks[i].byte_start, chunks[i].byte_end, arena);
        CHECK(memmem(whole.data, whole.size, "Confidential", 12) == NULL);
        CHECK(strncmp(whole.data, "P\nPage text", 11) == 0);
        CHECK(chunks[i].word_count == sl_text_words(sl_view_range(whole, 2, whole.size)));
        excluded += chunks[i].excluded_count;
    }
    CHECK(excluded > 0);
    options.boilerplate = false;
    REQUIRE(sl_chunk_document(&document, &options, arena, &chunks, &count, &err) == SL_OK);
    CHECK(chunks[0].excluded_count == 0);
    CHECK(memmem(document.text.data + chunks[0].byte_start,
                 chunks[0].byte_end - chunks[0].byte_start, "Confidential", 12) != NULL);
    sl_buffer_fini(&text);
}

TEST(prefix)
{
    struct sl_document document = {.title = SL_VIEW("The\nTitle"), .date = SL_VIEW("2015-12-16")};
    struct sl_chunk chunk = {.section = SL_VIEW("A > B")};
    char wide[2000];

    arena_fresh();
    CHECK(sl_view_is(sl_chunk_prefix(&document, &chunk, arena), "The Title\nA > B\n2015-12-16\n"));
    CHECK(sl_chunk_prefix(&(struct sl_document){0}, &(struct sl_chunk){0}, arena).size == 0);
    for (int i = 0; i + 3 <= 1998; i += 3)
        memcpy(wide + i, "한", 3);
    document.title = (struct sl_view){wide, 1998};
    chunk.section = (struct sl_view){wide, 1998};
    struct sl_view prefix = sl_chunk_prefix(&document, &chunk, arena);
    CHECK(prefix.size <= 560 && sl_utf8_bad(prefix) == prefix.size);
    CHECK(memmem(prefix.data, prefix.size, "2015-12-16\n", 11) != NULL);
}

TEST(markdown_headings)
{
    struct sl_heading *headings;
    uint32_t count;

    arena_fresh();
    REQUIRE(sl_markdown_headings(SL_VIEW("# One #\ntext\n\nTwo\n===\n\n```\n# not\n```\n####### "
                                         "seven\n#none\n   ## Three\n\nFour\n---\n\n| a |\n---\n"),
                                 arena, &headings, &count));
    REQUIRE(count == 4);
    CHECK(sl_view_is(headings[0].text, "One") && headings[0].level == 1);
    CHECK(sl_view_is(headings[1].text, "Two") && headings[1].level == 1);
    CHECK(sl_view_is(headings[2].text, "Three") && headings[2].level == 2);
    CHECK(sl_view_is(headings[3].text, "Four") && headings[3].level == 2);
}

/* Turns of two speakers, each longer than a chunk. */
static struct sl_buffer transcript(const char *first, const char *second)
{
    struct sl_buffer text = {0}, part = sentences(14, 10);

    for (int i = 0; i < 8; i++)
        sl_buffer_format(&text, "%s %s\n\n", i % 2 == 0 ? first : second, part.data);
    sl_buffer_fini(&part);
    return text;
}

TEST(chunks_of_a_transcript_know_who_speaks)
{
    static const char *const labels[][4] = {
        {"QUESTION.", "CHAIR YELLEN.", "QUESTION", "CHAIR YELLEN"},
        {"Q:", "A:", "Q", "A"},
        {"민원인:", "상담원 김철수:", "민원인", "상담원 김철수"},
        {"**Ruth Hahn:**", "**Lee:**", "Ruth Hahn", "Lee"}};

    for (size_t l = 0; l < sizeof labels / sizeof *labels; l++) {
        struct sl_buffer text = transcript(labels[l][0], labels[l][1]);
        struct result r = cut(view(&text), SL_MEDIA_TEXT, 60, 10);
        uint32_t inside = 0;

        check_promises(&r, 60);
        for (uint32_t i = 0; i < r.count; i++) {
            bool first = sl_view_is(r.chunks[i].section, labels[l][2]);
            CHECK_THAT(first || sl_view_is(r.chunks[i].section, labels[l][3]), "%s: %.*s",
                       labels[l][0], SL_VIEW_ARG(r.chunks[i].section));
            inside += chunk_view(&r, i).data[0] == 'S' ? 1 : 0;
        }
        CHECK(inside >= 8); /* chunks that begin in the middle of a turn */
        sl_buffer_fini(&text);
    }
}

/* Questions of 37 words, long replies. */
static struct sl_buffer interview(const char *question_end)
{
    struct sl_buffer text = {0}, reply = sentences(14, 10);

    for (int i = 0; i < 8; i++)
        sl_buffer_format(&text,
                         "MR. LEE. This was said to be on the way, at least in the notes that were "
                         "handed out before we came in here, and so let me ask you, if I may, when "
                         "is it due%s\n\nCHAIR YELLEN. %s\n\n",
                         question_end, reply.data);
    sl_buffer_fini(&reply);
    return text;
}

/* How a question ends decides whether its reply may begin a chunk. */
static uint32_t replies_cut_off(const char *question_end)
{
    struct sl_buffer text = interview(question_end);
    struct result r = cut(view(&text), SL_MEDIA_TEXT, 60, 10);
    uint32_t count = 0;

    check_promises(&r, 60);
    for (uint32_t i = 0; i < r.count; i++)
        count += strncmp(chunk_view(&r, i).data, "CHAIR YELLEN.", 13) == 0 ? 1 : 0;
    sl_buffer_fini(&text);
    return count;
}

TEST(a_question_stays_with_its_reply)
{
    CHECK(replies_cut_off("?") == 0);
    CHECK(replies_cut_off("?\"") == 0);
    CHECK(replies_cut_off("\uFF1F") == 0);
    CHECK(replies_cut_off("?\u201D)") == 0);
    CHECK(replies_cut_off(".") > 0); /* the control: turns as any others */
}

TEST(a_chunk_is_of_who_speaks_longest)
{
    struct sl_buffer text = interview("?");
    struct result r = cut(view(&text), SL_MEDIA_TEXT, 160, 10);
    uint32_t questions = 0;

    for (uint32_t i = 0; i < r.count; i++) {
        CHECK(sl_view_is(r.chunks[i].section, "CHAIR YELLEN"));
        questions += strncmp(chunk_view(&r, i).data, "MR. LEE.", 8) == 0 ? 1 : 0;
    }
    CHECK(questions == 8);
    sl_buffer_fini(&text);
}

TEST(notes_and_titles_are_no_speakers)
{
    struct sl_buffer text = {0}, part = sentences(14, 10);
    static const char *const labels[] = {
        "Note:", "Title:", "목적:", "Warning:", "시행일:", "Source:"};

    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++)
        sl_buffer_format(&text, "%s %s\n\n", labels[i], part.data);
    struct result r = cut(view(&text), SL_MEDIA_TEXT, 60, 10);
    for (uint32_t i = 0; i < r.count; i++)
        CHECK(r.chunks[i].section.data == NULL);
    sl_buffer_fini(&text);
    sl_buffer_fini(&part);
}

static void check_rows(const char *header, const char *rule, const char *row, enum sl_media media)
{
    struct sl_buffer text = {0};
    struct result r;
    uint32_t inside = 0;

    sl_buffer_format(&text, "Debt. At the end of the year it was as follows.\n\n%s\n%s", header,
                     rule);
    for (int i = 0; i < 60; i++)
        sl_buffer_format(&text, row, i, i * 10, i * 20);
    sl_buffer_format(&text, "\nAfter the table. There is more.");
    r = cut(view(&text), media, 60, 10);
    check_promises(&r, 60);
    for (uint32_t i = 0; i < r.count; i++) {
        struct sl_view chunk = chunk_view(&r, i);
        CHECK(chunk.data == text.data || chunk.data[-1] == '\n'); /* begins with a row */
        CHECK(chunk.data + chunk.size == text.data + text.size || chunk.data[chunk.size] == '\n');
        if (r.chunks[i].table_header.data == NULL)
            continue;
        inside++;
        CHECK(sl_view_is(r.chunks[i].table_header, header));
        struct sl_view prefix = sl_chunk_prefix(&r.document, &r.chunks[i], arena);
        CHECK(memmem(prefix.data, prefix.size, header, strcspn(header, "\t")) != NULL);
    }
    CHECK_THAT(inside >= 5 && inside + 2 >= r.count, "%u of %u", inside, r.count);
    CHECK(r.chunks[0].table_header.data == NULL);
    sl_buffer_fini(&text);
}

TEST(rows_stay_whole_and_know_their_header)
{
    check_rows("| Bond | due. 2015 | due. 2016 |", "|---|---:|---:|\n",
               "| senior notes no. %d. Series B | %d | %d |\n", SL_MEDIA_MARKDOWN);
    check_rows("($in millions) | december 31 2017 | december 31 2016", "",
               "senior notes %d 5.0%% (5.0%%). part | %d | %d\n", SL_MEDIA_TEXT);
    check_rows("name\t2015\t2016", "", "senior notes %d. due\t%d\t%d\n", SL_MEDIA_TEXT);
}
