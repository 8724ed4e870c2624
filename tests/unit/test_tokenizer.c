/* test_tokenizer.c -- WordPiece on a small vocabulary written here; the real one is in tests/embed.
 */
#include "../support/test.h"

#include <stdint.h>

#include "embed/tokenizer.h"

/* Ids are line numbers: [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4, then from 5 on. */
static const char vocabulary[] =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
    "tide\n##s\n##table\na\nb\n"                            /*  5 to  9 */
    "ab\n##b\n##c\ncafe\n,\n"                               /* 10 to 14 */
    "-\n中\n\xe1\x84\x92\n##\xe1\x85\xa1\n##\xe1\x86\xab\n" /* 15 to 19 */
    "Tide\ncaf\xc3\xa9\n[\n]\ntides\n";                     /* 20 to 24 */

static struct sl_tokenizer *open_with(const char *text, struct sl_tokenizer_casing casing,
                                      struct sl_error *err)
{
    struct sl_tokenizer *tokenizer = NULL;
    const char *directory = test_directory();
    char path[4200];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/vocab.txt", directory);
    file = fopen(path, "w");
    if (file == NULL)
        abort();
    (void)fputs(text, file);
    (void)fclose(file);
    (void)sl_tokenizer_open(directory, &casing, NULL, &tokenizer, err);
    return tokenizer;
}

static const struct sl_tokenizer_casing uncased;

/* The ids as "5 6 7". */
static const char *ids_of(const struct sl_tokenizer *tokenizer, struct sl_view text)
{
    static char out[512];
    uint32_t ids[64], count = sl_tokenizer_ids(tokenizer, text, ids, 64);
    size_t at = 0;

    out[0] = '\0';
    for (uint32_t i = 0; i < count && at < sizeof out - 12; i++)
        at += (size_t)snprintf(out + at, sizeof out - at, i ? " %u" : "%u", ids[i]);
    return out;
}

#define CHECK_IDS(text, expected)                                                                  \
    CHECK_THAT(strcmp(ids_of(tokenizer, SL_VIEW(text)), expected) == 0, "%s gives %s", text,       \
               ids_of(tokenizer, SL_VIEW(text)))

TEST(words_become_their_longest_pieces)
{
    struct sl_tokenizer *tokenizer = open_with(vocabulary, uncased, NULL);

    REQUIRE(tokenizer != NULL);
    CHECK(sl_tokenizer_vocabulary_count(tokenizer) == 25);
    CHECK(sl_tokenizer_first_id(tokenizer) == 2 && sl_tokenizer_last_id(tokenizer) == 3);
    CHECK_IDS("", "");
    CHECK_IDS(" \t\r\n ", "");
    CHECK_IDS("tide", "5");
    CHECK_IDS("tides", "24");
    CHECK_IDS("tidetables", "5 7 6");
    CHECK_IDS("TIDE Tides", "5 24");
    CHECK_IDS("abc", "10 12");
    CHECK_IDS("abbc", "10 11 12");
    CHECK_IDS("tidex", "1");
    CHECK_IDS("tide,tide-tide", "5 14 5 15 5");
    CHECK_IDS(",,", "14 14");
    sl_tokenizer_close(tokenizer);
}

TEST(text_is_cleaned_and_stripped_of_accents)
{
    struct sl_tokenizer *tokenizer = open_with(vocabulary, uncased, NULL);

    REQUIRE(tokenizer != NULL);
    CHECK_IDS("caf\u00e9", "13");
    CHECK_IDS("CAF\u00c9", "13");
    CHECK_IDS("cafe\u0301", "13");
    CHECK_IDS("ti\0de", "5");
    CHECK_IDS("ti\a\u200b\ufffd\ue000de", "5");
    CHECK_IDS("tide\u3000tide\u00a0tide\u2028tide", "5 5 5 5");
    CHECK_IDS("\u4e2d\u4e2dtide", "16 16 5");
    CHECK_IDS("\ud55c", "17 18 19"); /* one Hangul syllable, three jamo */
    CHECK_IDS("\U0001F44D", "1");
    CHECK_IDS("ti\xff\xc3(de", "1 1 1"); /* bytes that are not UTF-8 are skipped */
    sl_tokenizer_close(tokenizer);
}

TEST(special_tokens_written_out_are_special_tokens)
{
    struct sl_tokenizer *tokenizer = open_with(vocabulary, uncased, NULL);

    REQUIRE(tokenizer != NULL);
    CHECK_IDS("[SEP]", "3");
    CHECK_IDS("tide[MASK]s [sep]", "5 4 1 22 1 23");
    CHECK_IDS("[[CLS]]", "22 2 23");
    CHECK_IDS("[SEP", "22 1");
    sl_tokenizer_close(tokenizer);
}

TEST(a_cased_vocabulary_keeps_case_and_accents)
{
    struct sl_tokenizer *tokenizer =
        open_with(vocabulary, (struct sl_tokenizer_casing){.lower_case = SL_CHOICE_NO}, NULL);

    REQUIRE(tokenizer != NULL);
    CHECK_IDS("Tide tide TIDE", "20 5 1");
    CHECK_IDS("caf\u00e9 cafe", "21 13");
    sl_tokenizer_close(tokenizer);
}

TEST(words_over_100_characters_are_unknown)
{
    struct sl_tokenizer *tokenizer = open_with(vocabulary, uncased, NULL);
    char word[205], accents[303];

    REQUIRE(tokenizer != NULL);
    memset(word, 'b', sizeof word);
    CHECK(sl_tokenizer_ids(tokenizer, (struct sl_view){word, 100}, NULL, UINT32_MAX) == 100);
    CHECK(sl_tokenizer_ids(tokenizer, (struct sl_view){word, 101}, NULL, UINT32_MAX) == 1);
    word[102] = '-';
    CHECK(sl_tokenizer_ids(tokenizer, (struct sl_view){word, 204}, NULL, UINT32_MAX) == 3);
    for (size_t i = 0; i < 303; i += 3) /* "b" and an acute: the accent is not counted */
        memcpy(accents + i, "b\xcc\x81", 3);
    CHECK(sl_tokenizer_ids(tokenizer, (struct sl_view){accents, 300}, NULL, UINT32_MAX) == 100);
    CHECK(sl_tokenizer_ids(tokenizer, (struct sl_view){accents, 303}, NULL, UINT32_MAX) == 1);
    sl_tokenizer_close(tokenizer);
}

TEST(a_word_of_megabytes_takes_no_memory_and_no_time)
{
    struct sl_tokenizer *tokenizer = open_with(vocabulary, uncased, NULL);
    size_t size = 5u << 20;
    char *text = malloc(size);

    REQUIRE(tokenizer != NULL && text != NULL);
    memset(text, 'a', size);
    CHECK(sl_tokenizer_ids(tokenizer, (struct sl_view){text, size}, NULL, UINT32_MAX) == 1);
    memset(text, ',', size);
    CHECK(sl_tokenizer_ids(tokenizer, (struct sl_view){text, size}, NULL, UINT32_MAX) == size);
    CHECK(sl_tokenizer_ids(tokenizer, (struct sl_view){text, size}, NULL, 7) == 7);
    free(text);
    sl_tokenizer_close(tokenizer);
}

TEST(counts_add_up_over_texts_joined_by_space)
{
    static const char *const parts[] = {"tide",  "tides,", "\u4e2d", "\ud55c",
                                        "[SEP]", "",       "x",      "ab-"};
    struct sl_tokenizer *tokenizer = open_with(vocabulary, uncased, NULL);

    REQUIRE(tokenizer != NULL);
    for (int round = 0; round < 200; round++) {
        char text[256] = "";
        uint32_t sum = 0;
        for (int i = 0; i < 6; i++) {
            const char *part = parts[test_random() % (sizeof parts / sizeof *parts)];
            strcat(strcat(text, i ? " " : ""), part);
            sum += sl_tokenizer_ids(tokenizer, sl_view_of(part), NULL, UINT32_MAX);
        }
        CHECK_THAT(sl_tokenizer_ids(tokenizer, sl_view_of(text), NULL, UINT32_MAX) == sum, "%s",
                   text);
    }
    sl_tokenizer_close(tokenizer);
}

TEST(coverage_is_the_share_of_letters_in_whole_words_and_long_pieces)
{
    struct sl_tokenizer *tokenizer = open_with(vocabulary, uncased, NULL);

    REQUIRE(tokenizer != NULL);
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("tide tidetables")) == 1.0);
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("tide wxyz")) == 0.5);
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("bbbb")) == 0.0); /* a letter a piece */
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("\ud55c\ud55c \u4e2d")) == 0.0);
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("2015-12-16")) == 1.0);
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("")) == 1.0);
    sl_tokenizer_close(tokenizer);
}

TEST(a_vocabulary_without_special_tokens_is_refused)
{
    struct sl_error err = {0};

    CHECK(open_with("a\nb\n[CLS]\n[UNK]\n", uncased, &err) == NULL);
    CHECK(err.code == SL_STOP && err.exit_code == SL_EXIT_CONFIG);
    CHECK_THAT(strstr(err.message, "vocab.txt: no line [SEP]") != NULL, "%s", err.message);
    CHECK(open_with("", uncased, &err) == NULL);
}

TEST(line_ends_of_windows_and_a_missing_last_one_are_fine)
{
    struct sl_tokenizer *tokenizer = open_with("[UNK]\r\n[CLS]\r\n[SEP]\r\ntide", uncased, NULL);

    REQUIRE(tokenizer != NULL);
    CHECK(sl_tokenizer_vocabulary_count(tokenizer) == 4);
    CHECK_IDS("tide x", "3 0");
    sl_tokenizer_close(tokenizer);
}
