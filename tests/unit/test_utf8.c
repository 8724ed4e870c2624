/* test_utf8.c -- strict UTF-8, character classes, words. */
#include "test.h"

#include "text/text_internal.h"

#include <sluice/limits.h>

static size_t bad_at(const char *text, size_t size)
{
    return sl_utf8_bad((struct sl_view){text, size});
}
#define BAD_AT(literal) bad_at(literal, sizeof(literal) - 1)
#define GOOD(literal)   CHECK(BAD_AT(literal) == sizeof(literal) - 1)

TEST(utf8_accepts_what_is_well_formed)
{
    GOOD("");
    GOOD("plain");
    GOOD("한국어 2015년");
    GOOD("\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF");
    GOOD("\xF0\x90\x80\x80 \xF4\x8F\xBF\xBF");
    GOOD("eight bytes of ASCII and then é and more of it to come");
}

TEST(utf8_refuses_and_says_where)
{
    CHECK(BAD_AT("\xFF\xFE") == 0);
    CHECK(BAD_AT("abc\x80") == 3);
    CHECK(BAD_AT("12345678\xC0\x80") == 8); /* overlong NUL */
    CHECK(BAD_AT("\xC1\xBF") == 0);         /* overlong */
    CHECK(BAD_AT("\xE0\x9F\xBF") == 0);     /* overlong */
    CHECK(BAD_AT("\xF0\x8F\xBF\xBF") == 0); /* overlong */
    CHECK(BAD_AT("x\xED\xA0\x80") == 1);    /* surrogate (CESU-8) */
    CHECK(BAD_AT("\xF4\x90\x80\x80") == 0); /* above U+10FFFF */
    CHECK(BAD_AT("\xF5\x80\x80\x80") == 0);
    CHECK(BAD_AT("ab\xE2\x82") == 2); /* cut short */
    CHECK(BAD_AT("\xE2\x82\x28") == 0);
}

/* Every two-byte and three-byte start against a decoder written the long way round. */
static bool slow_good(const unsigned char *p, size_t size)
{
    uint32_t code;

    if (size == 2 && (p[0] & 0xE0) == 0xC0 && (p[1] & 0xC0) == 0x80) {
        code = (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F);
        return code >= 0x80;
    }
    if (size == 3 && (p[0] & 0xF0) == 0xE0 && (p[1] & 0xC0) == 0x80 && (p[2] & 0xC0) == 0x80) {
        code = (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F);
        return code >= 0x800 && (code < 0xD800 || code > 0xDFFF);
    }
    return false;
}

TEST(utf8_agrees_with_a_slow_decoder)
{
    unsigned char p[3];

    for (int a = 0x80; a < 0x100; a++)
        for (int b = 0; b < 0x100; b++) {
            p[0] = (unsigned char)a;
            p[1] = (unsigned char)b;
            p[2] = 0xBF;
            if (b >= 0x80)
                CHECK((bad_at((char *)p, 2) == 2) == slow_good(p, 2));
            CHECK((bad_at((char *)p, 3) == 3) == slow_good(p, 3));
        }
}

TEST(utf8_floor_never_cuts)
{
    struct sl_view text = SL_VIEW("aé한😀");
    size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        CHECK_THAT(sl_utf8_floor(text, i) == expected[i], "at %zu: %zu", i, sl_utf8_floor(text, i));
}

TEST(grapheme_floor_keeps_marks_with_their_letter)
{
    struct sl_view accent = SL_VIEW("abe\xCC\x81"
                                    "c"); /* e + combining acute */
    struct sl_view family =
        SL_VIEW("x\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7y"); /* woman ZWJ girl */

    CHECK(sl_grapheme_floor(accent, 0, 3) == 2);
    CHECK(sl_grapheme_floor(accent, 0, 4) == 2);
    CHECK(sl_grapheme_floor(accent, 0, 5) == 5);
    CHECK(sl_grapheme_floor(family, 0, 5) == 1);
    CHECK(sl_grapheme_floor(family, 0, 8) == 1);
    CHECK(sl_grapheme_floor(family, 0, 12) == 12);
}

TEST(visible_and_trim)
{
    CHECK(!sl_text_visible(SL_VIEW("")));
    CHECK(!sl_text_visible(SL_VIEW(" \t\r\n\xC2\xA0\xE3\x80\x80")));
    CHECK(!sl_text_visible(SL_VIEW("\xE2\x80\x8B\xE2\x80\x8F\xEF\xBB\xBF\x01\x7F")));
    CHECK(!sl_text_visible(SL_VIEW("\xF3\xA0\x81\x81\xF3\xA0\x81\x82"))); /* tag characters */
    CHECK(sl_text_visible(SL_VIEW("\xE2\x80\x8Bx")));
    CHECK(sl_view_is(sl_view_trim(SL_VIEW("\xC2\xA0 a b\xE3\x80\x80\n")), "a b"));
    CHECK(sl_view_trim(SL_VIEW("  ")).size == 0);
}

TEST(words_are_counted)
{
    struct sl_view long_word;
    char *x = malloc(5 * SL_WORD_BYTES_MAX);

    memset(x, 'x', 5 * SL_WORD_BYTES_MAX);
    long_word = (struct sl_view){x, 5 * SL_WORD_BYTES_MAX};
    CHECK(sl_text_words(SL_VIEW("")) == 0);
    CHECK(sl_text_words(SL_VIEW("  two\n words ")) == 2);
    CHECK(sl_text_words(SL_VIEW("제1조 이 법은")) == 3);
    CHECK(sl_text_words(SL_VIEW("東京都")) == 3);
    CHECK(sl_text_words(SL_VIEW("AB漢字CD")) == 4);
    CHECK(sl_text_words(SL_VIEW("漢。字")) == 2);
    CHECK(sl_text_words(long_word) == 5);
    free(x);
}
