/* test_tokenizer_json.c -- small tokenizer.json files: what each part does to a text, and how each
 * kind of bad file is refused by member. The reference's own word on real ones is in tests/embed.
 */
#include "../support/test.h"

#include "embed/tokenizer_internal.h"

#define WORDPIECE                                                                                  \
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"vocab\":{\"[UNK]\":0,\"[CLS]\":"  \
    "1,"                                                                                           \
    "\"[SEP]\":2,\"pier\":3,\"##s\":4,\"a\":5,\"_\":6,\"7\":7}}"
#define UNIGRAM(more)                                                                              \
    "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"\u2581\",-3],"       \
    "[\"\u2581pier\",-4],[\"s\",-3],[\"pier\",-9],[\"<0xC3>\",-9],[\"<0xA9>\",-9]]" more "}"

static struct sl_tokenizer *open_text(const char *text, struct sl_error *err)
{
    struct sl_tokenizer *tokenizer = NULL;

    (void)sl_tokenizer_open_json("tokenizer.json", text, strlen(text), &tokenizer, err);
    return tokenizer;
}

/* The ids of `text` under that file, as "5 6 7". */
static void check_ids(const char *file, const char *text, const char *expected)
{
    struct sl_error err = {0};
    struct sl_tokenizer *tokenizer = open_text(file, &err);
    uint32_t ids[64], count;
    char given[512] = "";
    size_t at = 0;

    CHECK_THAT(tokenizer != NULL, "%s", err.message);
    if (tokenizer == NULL)
        return;
    count = sl_tokenizer_ids(tokenizer, sl_view_of(text), ids, 64);
    for (uint32_t i = 0; i < count && at < sizeof given - 12; i++)
        at += (size_t)snprintf(given + at, sizeof given - at, i ? " %u" : "%u", ids[i]);
    CHECK_THAT(strcmp(given, expected) == 0, "\"%s\" gives %s, not %s", text, given, expected);
    sl_tokenizer_close(tokenizer);
}

static void check_refused(const char *file, const char *member, const char *word)
{
    struct sl_error err = {0};
    struct sl_tokenizer *tokenizer = open_text(file, &err);

    CHECK_THAT(tokenizer == NULL && err.code == SL_STOP && err.exit_code == SL_EXIT_CONFIG,
               "taken: %s", file);
    CHECK_THAT(strncmp(err.message, "tokenizer.json: ", 16) == 0, "%s", err.message);
    CHECK_THAT(strstr(err.message, member) != NULL && strstr(err.message, word) != NULL,
               "%s: no %s, %s", err.message, member, word);
    sl_tokenizer_close(tokenizer);
}

TEST(added_tokens_are_cut_out_before_and_after_normalizing)
{
    static const char file[] =
        "{\"added_tokens\":[{\"id\":2,\"content\":\"[SEP]\",\"normalized\":false,\"lstrip\":true},"
        "{\"id\":8,\"content\":\"PIER 7\",\"normalized\":true},"
        "{\"id\":9,\"content\":\"a\",\"normalized\":false,\"single_word\":true}],"
        "\"normalizer\":{\"type\":\"BertNormalizer\"},"
        "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"}," WORDPIECE "}";

    check_ids(file, "pier [SEP]piers", "3 2 3 4");
    check_ids(file, "Pier 7 piers", "8 3 4");
    check_ids(file, "a xa", "9 0");
    check_ids(file, "a\u200d", "5"); /* the joiner is cleaned away after it was a word character */
}

TEST(splitters_cut_as_they_are_told)
{
    check_ids("{\"pre_tokenizer\":{\"type\":\"Whitespace\"}," WORDPIECE "}", "pier_a a!", "0 5 0");
    check_ids("{\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":true}," WORDPIECE "}",
              "a77", "5 7 7");
    check_ids("{\"pre_tokenizer\":{\"type\":\"Digits\",\"individual_digits\":false}," WORDPIECE "}",
              "a77", "5 0");
    check_ids("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"_\"},"
              "\"behavior\":\"Isolated\"}," WORDPIECE "}",
              "a_pier", "5 6 3");
    check_ids("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a-z]+\"},"
              "\"behavior\":\"Removed\",\"invert\":true}," WORDPIECE "}",
              "a _ pier!", "5 3");
    check_ids("{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"s\"},"
              "\"behavior\":\"MergedWithPrevious\"}," WORDPIECE "}",
              "piersa", "3 4 5");
    check_ids("{\"pre_tokenizer\":{\"type\":\"Punctuation\",\"behavior\":\"Removed\"}," WORDPIECE
              "}",
              "pier,a", "3 5");
}

TEST(marks_go_before_words_as_the_scheme_says)
{
    const char *always =
        "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\"},"
        "\"added_tokens\":[{\"id\":7,\"content\":\"|\",\"normalized\":false}]," UNIGRAM("") "}";
    const char *first =
        "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\","
        "\"prepend_scheme\":\"first\"},"
        "\"added_tokens\":[{\"id\":7,\"content\":\"|\",\"normalized\":false}]," UNIGRAM("") "}";
    const char *never = "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\","
                        "\"add_prefix_space\":false}," UNIGRAM("") "}";

    check_ids(always, "pier piers", "2 2 3");
    check_ids(always, "pier|pier", "2 7 2");
    check_ids(first, "pier|pier", "2 7 4");
    check_ids(never, "pier pier", "4 2");
}

TEST(unknown_letters_are_one_token_or_their_bytes)
{
    check_ids("{" UNIGRAM("") "}", "\u2581pier\u00e9\u00e9s", "2 0 3");
    check_ids("{" UNIGRAM(",\"byte_fallback\":true") "}", "\u2581pier\u00e9s", "2 0 3");
}

TEST(a_template_with_one_token_on_each_side_is_known)
{
    struct sl_tokenizer *tokenizer = open_text(
        "{\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",1],\"sep\":[\"[SEP]\","
        "2]}," WORDPIECE "}",
        NULL);
    struct sl_tokenizer *bare = open_text("{" WORDPIECE "}", NULL);

    REQUIRE(tokenizer != NULL && bare != NULL);
    CHECK(sl_tokenizer_first_id(tokenizer) == 1 && sl_tokenizer_last_id(tokenizer) == 2);
    CHECK(sl_tokenizer_first_id(bare) == UINT32_MAX && sl_tokenizer_last_id(bare) == UINT32_MAX);
    CHECK(sl_tokenizer_token_chars_median(bare) == 3); /* 1 1 1 3 4 5 5 5: between 3 and 4 */
    sl_tokenizer_close(tokenizer);
    sl_tokenizer_close(bare);
}

TEST(letters_in_longer_pieces_and_syllables_are_covered)
{
    struct sl_tokenizer *tokenizer = open_text(
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"ab\",-1],"
        "[\"\u00e9\",-2],[\"\ud55c\",-2]]}}",
        NULL);

    REQUIRE(tokenizer != NULL);
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("abab")) == 1.0);
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("\ud55c\ud55c")) == 1.0);
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("\u00e9\u00e9")) == 0.0);
    CHECK(sl_tokenizer_coverage(tokenizer, SL_VIEW("ab\u0434\u0435")) == 0.5);
    sl_tokenizer_close(tokenizer);
}

TEST(bad_files_are_refused_by_member)
{
    check_refused("{", "not valid", "JSON");
    check_refused("[]", "\"\"", "object");
    check_refused("{}", "\"model\"", "object");
    check_refused("{\"model\":{\"type\":\"WordLevel\"}}", "model.type", "WordPiece");
    check_refused("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{}}}", "model.vocab", "0 entries");
    check_refused("{\"model\":{\"type\":\"WordPiece\",\"vocab\":[]}}", "model.vocab", "object");
    check_refused("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":-1}}}", "model.vocab",
                  "whole number");
    check_refused("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":1e9}}}", "model.vocab",
                  "below");
    check_refused("{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":1}}}", "model.unk_token",
                  "must name");
    check_refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", "model.vocab",
                  "entry 0");
    check_refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0]],\"unk_id\":1}}",
                  "model.unk_id", "index");
    check_refused("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",1e999]],\"unk_id\":0}}",
                  "model.vocab", "finite");
    check_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}",
                  "model.merges", "entry 0");
    check_refused("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[],"
                  "\"end_of_word_suffix\":\"</w>\"}}",
                  "model", "end_of_word_suffix");
    check_refused("{\"normalizer\":{\"type\":\"Other\"}," WORDPIECE "}", "normalizer",
                  "Precompiled");
    check_refused(
        "{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"AAA\"}," WORDPIECE
        "}",
        "normalizer", "base64");
    check_refused("{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":"
                  "\"/////w==\"}," WORDPIECE "}",
                  "normalizer", "trie");
    check_refused("{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},"
                  "\"content\":\"\"}," WORDPIECE "}",
                  "normalizer", "pattern");
    check_refused("{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\"}," WORDPIECE "}",
                  "pre_tokenizer", "replacement");
    check_refused("{\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}," WORDPIECE "}",
                  "pre_tokenizer", "Metaspace");
    check_refused("{\"added_tokens\":[{\"content\":\"x\"}]," WORDPIECE "}", "added_tokens", "id");
    check_refused("{\"post_processor\":{\"type\":\"Other\"}," WORDPIECE "}", "post_processor",
                  "TemplateProcessing");
    check_refused("{\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"x\",90],\"sep\":"
                  "[\"y\",91]}," WORDPIECE "}",
                  "post_processor", "vocabulary");
}

TEST(deep_and_long_lists_of_steps_are_refused)
{
    char text[4096] = "{\"normalizer\":";
    size_t at = strlen(text);

    for (int i = 0; i < 20; i++)
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "{\"type\":\"Sequence\",\"normalizers\":[");
    at += (size_t)snprintf(text + at, sizeof text - at, "{\"type\":\"Nmt\"}");
    for (int i = 0; i < 20; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "]}");
    (void)snprintf(text + at, sizeof text - at, "," WORDPIECE "}");
    check_refused(text, "normalizer", "deeper");
}

/* A normalizer that writes 200 times what it reads: the segment is done again in parts. */
TEST(text_that_grows_in_the_normalizer_comes_out_whole)
{
    char file[2048], text[4001];
    struct sl_tokenizer *tokenizer;
    size_t at = (size_t)snprintf(file, sizeof file,
                                 "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":"
                                 "\"x\"},\"content\":\"");

    for (int i = 0; i < 100; i++)
        at += (size_t)snprintf(file + at, sizeof file - at, "a ");
    (void)snprintf(file + at, sizeof file - at,
                   "\"},\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}," WORDPIECE "}");
    memset(text, 'x', 4000);
    text[4000] = '\0';
    tokenizer = open_text(file, NULL);
    REQUIRE(tokenizer != NULL);
    CHECK(sl_tokenizer_ids(tokenizer, sl_view_of(text), NULL, UINT32_MAX) == 400000);
    sl_tokenizer_close(tokenizer);
}
