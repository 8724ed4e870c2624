/* test_clean.c -- what counts as running header, footer, page number, and what must not. */
#include "test.h"

#include "decode/clean.h"

static struct sl_buffer text;

/* A page: header line, `body_bytes` of prose that differs from page to page, footer line. */
static void page(int number, const char *header, const char *footer_format, int body_bytes)
{
    sl_buffer_format(&text, "%s\n", header);
    for (int i = 0; i * 40 < body_bytes; i++)
        sl_buffer_format(&text, "Words of page %05d and line %05d are there.\n", number * 7919,
                         i * 31 + number);
    sl_buffer_format(&text, footer_format, number);
    sl_buffer_view(&text, SL_VIEW("\n"));
}

/* Bytes excluded and how many spans; also checks order and that spans are whole lines. */
static uint32_t excluded(uint32_t *ret_bytes)
{
    struct sl_arena *arena = sl_arena_open(64u << 20);
    struct sl_span *spans;
    uint32_t count, bytes = 0, last = 0;

    CHECK(sl_clean_boilerplate((struct sl_view){text.data, text.size}, arena, &spans, &count));
    for (uint32_t i = 0; i < count; i++) {
        CHECK(spans[i].byte_start >= last && spans[i].byte_end <= text.size);
        CHECK(spans[i].byte_start == 0 || text.data[spans[i].byte_start - 1] == '\n');
        CHECK(text.data[spans[i].byte_end] == '\n');
        bytes += spans[i].byte_end - spans[i].byte_start;
        last = spans[i].byte_end;
    }
    sl_arena_close(arena);
    sl_buffer_fini(&text);
    if (ret_bytes != NULL)
        *ret_bytes = bytes;
    return count;
}

TEST(headers_and_page_numbers)
{
    uint32_t bytes;

    for (int i = 1; i <= 6; i++)
        page(i, "ACME Annual Report", "Page %d of 6", 2000);
    CHECK(excluded(&bytes) == 12);
    CHECK(bytes == 6 * (18 + 11));
    for (int i = 1; i <= 5; i++)
        page(i, "연차 보고서 2015", "- %d -", 2000);
    CHECK(excluded(NULL) == 10);
}

TEST(three_pages_have_numbers_but_no_header)
{
    for (int i = 1; i <= 3; i++)
        page(i, "ACME Annual Report", "%d", 2000);
    CHECK(excluded(NULL) == 3);
}

TEST(two_pages_are_not_enough)
{
    for (int i = 1; i <= 2; i++)
        page(i, "ACME Annual Report", "%d", 2000);
    CHECK(excluded(NULL) == 0);
}

TEST(repetition_without_rhythm_stays)
{
    for (int i = 0; i < 40; i++)
        sl_buffer_format(&text, "None\n%d\n", i);
    CHECK(excluded(NULL) == 0); /* close together: a table */
    for (int i = 0; i < 6; i++) {
        page(i, "Common line", "Common line", 2000); /* twice in a row at every turn of the page */
    }
    CHECK(excluded(NULL) == 0);
}

TEST(structure_stays)
{
    for (int i = 1; i <= 6; i++)
        page(i, "## Notes", "- item", 2000);
    CHECK(excluded(NULL) == 0);
    for (int i = 1; i <= 6; i++)
        page(i, "| a | b |", "```", 2000);
    CHECK(excluded(NULL) == 0);
}

TEST(prose_stays)
{
    for (int i = 0; i < 200; i++)
        sl_buffer_format(&text,
                         "This sentence number %c%c is not like the others, nor is it short.\n\n",
                         'a' + i % 26, 'a' + i / 26);
    CHECK(excluded(NULL) == 0);
    sl_buffer_view(&text, SL_VIEW("x"));
    CHECK(excluded(NULL) == 0);
}

/* Pages whose head was joined into the sentence that crosses them. */
static void joined_pages(int count, const char *head_format, int body_words)
{
    for (int page = 1, word = 0; page <= count; page++) {
        for (int i = 0; i < body_words; i++, word++)
            sl_buffer_format(&text, "%s%d%s", i % 17 == 8 ? "Word" : "word", word * 7919 % 10007,
                             i % 17 == 7 ? ". " : " ");
        sl_buffer_format(&text, head_format, page);
        sl_buffer_format(&text, page % 5 == 0 ? "" : " "); /* one is not quite the same */
    }
}

static uint32_t joined(bool (*find)(struct sl_view, struct sl_arena *, struct sl_span **, uint32_t *))
{
    struct sl_arena *arena = sl_arena_open(64u << 20);
    struct sl_span *spans;
    uint32_t count;

    CHECK(find((struct sl_view){text.data, text.size}, arena, &spans, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct sl_view span =
            sl_view_range((struct sl_view){text.data, text.size}, spans[i].byte_start, spans[i].byte_end);
        CHECK_THAT(memmem(span.data, span.size, "word", 4) == NULL &&
                       memmem(span.data, span.size, "Word", 4) == NULL,
                   "%.*s", SL_VIEW_ARG(span));
    }
    sl_arena_close(arena);
    sl_buffer_fini(&text);
    return count;
}

TEST(heads_joined_into_sentences)
{
    joined_pages(20, "December 16, 2015 Chair Yellen's Press Conference FINAL Page %d of 26", 300);
    CHECK(joined(sl_clean_boilerplate) >= 15);
    joined_pages(5, "Chair Yellen's Press Conference FINAL", 300); /* too few */
    CHECK(joined(sl_clean_boilerplate) == 0);
    joined_pages(20, "Chair Yellen's Press Conference FINAL", 30); /* too close to each other */
    CHECK(joined(sl_clean_boilerplate) == 0);
}

TEST(names_that_come_again_and_again_stay)
{
    test_seed(5);
    for (int i = 0; i < 40; i++)
        joined_pages(1, "Federal Open Market Committee", 100 + (int)(test_random() % 400));
    CHECK(joined(sl_clean_boilerplate) == 0);
}
