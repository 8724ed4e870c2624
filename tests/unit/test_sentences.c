/* test_sentences.c -- sentences, English and Korean. '|' in a case is where a cut is expected. */
#include "test.h"

#include "text/text_internal.h"

#include <sluice/limits.h>

/* The marked text without its marks; sentences joined by '|' again must give it back, white space
 * at the cuts aside. */
static void expect(int line, const char *marked)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_buffer text = {0}, found = {0}, wanted = {0};
    struct sl_span *spans;
    struct sl_error err = {0};
    uint32_t count = 0;

    for (const char *p = marked; *p != '\0'; p++)
        if (*p != '|')
            sl_buffer_add(&text, p, 1);
    for (const char *p = marked; *p != '\0'; p++) {
        if (*p == '|')
            while (wanted.size > 0 && strchr(" \r\n", wanted.data[wanted.size - 1]) != NULL)
                wanted.size--;
        sl_buffer_add(&wanted, p, 1);
        if (*p == '|')
            while (p[1] == ' ' || p[1] == '\n' || p[1] == '\r')
                p++;
    }
    if (sl_text_sentences((struct sl_view){text.data, text.size}, arena, &spans, &count, &err) !=
        SL_OK)
        TEST_REPORT_("sentences:", "%s", err.message);
    for (uint32_t i = 0; i < count; i++)
        sl_buffer_format(&found, "%s%.*s", i > 0 ? "|" : "",
                         (int)(spans[i].byte_end - spans[i].byte_start),
                         text.data + spans[i].byte_start);
    CHECK_THAT(strcmp(found.data ? found.data : "", wanted.data ? wanted.data : "") == 0,
               "line %d\n  found    %s\n  expected %s", line, found.data, wanted.data);
    sl_buffer_fini(&text);
    sl_buffer_fini(&found);
    sl_buffer_fini(&wanted);
    sl_arena_close(arena);
}
#define CUTS(marked) expect(__LINE__, marked)

TEST(plain_english)
{
    CUTS("One sentence.");
    CUTS("One sentence.| Another one!| And a third?| Yes");
    CUTS("Prices rose 3.5 percent.| They fell after.");
    CUTS("He said \"Stop.\"| She went on.");
    CUTS("(All of it.)| Then more.");
    CUTS("Wait ... what?| No.");
    CUTS("\"Really?\" he asked.| \"Yes!\" she said.");
}

TEST(abbreviations_and_titles)
{
    CUTS("Mr. Chairman, thank you.| Next.");
    CUTS("Mrs. Kim and Dr. Lee met Prof. Park.| They talked.");
    CUTS("Gov. Brown met Sen. White vs. Rep. Green.| It was short.");
    CUTS("See Fig. 3 and Sec. 4.| Then No. 5 of the list.");
    CUTS("Smith et al. Nature of things.| The end.");
    CUTS("They met on Dec. 16 and Jan. 3.| Nobody came.");
    CUTS("Use e.g. Apples or i.e. Pears.| Fine.");
    CUTS("St. Louis and Ft. Worth grew.| Others did not.");
}

TEST(acronyms_and_companies)
{
    CUTS("The U.S. Treasury rose.| It fell later.");
    CUTS("He lives in the U.S.| The economy grew.");
    CUTS("Acme Inc. Holdings grew.| Acme Inc.| The others fell.");
    CUTS("At 5 p.m. Eastern it began.| At 6 p.m.| He left.");
    CUTS("She has a Ph.D. from there.| He has none.");
    CUTS("Apples, pears, etc.| The rest is gone.");
}

TEST(initials)
{
    CUTS("J. Powell spoke.| He was brief.");
    CUTS("John F. Kennedy and J. R. R. Tolkien wrote.| They did.");
    CUTS("We have a plan B.| The plan failed.");
}

TEST(numbering)
{
    CUTS("1. First item.| 2. Second item.");
    CUTS("A. First.| B. Second.| IV. Fourth.");
    CUTS("1.2. Scope of it.| 1.3. Terms.");
}

TEST(speaker_labels)
{
    CUTS("CHAIR YELLEN. Good afternoon.| Today we met.");
    CUTS("MS. KIM. Thank you.| MR. POWELL. Yes.| I agree.");
    CUTS("VICE CHAIRMAN DUDLEY. I do.| We all do.");
    CUTS("QUESTION. Mr. Chairman, how?|\n\nCHAIRMAN BERNANKE. You are right.| It is so.");
    CUTS("YLAN MUI. Hi.| Ylan Mui, Washington Post.");
    CUTS("He met NATO.| They spoke."); /* capitals alone are no speaker */
    CUTS("He said STOP.| They stopped.");
}

TEST(speaker_label_sizes)
{
    CHECK(sl_speaker_label(SL_VIEW("CHAIR YELLEN. Good"), false) == 13);
    CHECK(sl_speaker_label(SL_VIEW("MS. X. Thank"), false) == 0);
    CHECK(sl_speaker_label(SL_VIEW("MS. XU. Thank"), false) == 7);
    CHECK(sl_speaker_label(SL_VIEW("HOWARD SCHNEIDER. Thank"), true) == 17);
    CHECK(sl_speaker_label(SL_VIEW("HOWARD SCHNEIDER. Thank"), false) == 0);
    CHECK(sl_speaker_label(SL_VIEW("Ms. Kim: Hello"), true) == 8);
    CHECK(sl_speaker_label(SL_VIEW("Ms. Kim: Hello"), false) == 0);
    CHECK(sl_speaker_label(SL_VIEW("Note that: Hello"), true) == 0);
    CHECK(sl_speaker_label(SL_VIEW("https://x"), true) == 0);
    CHECK(sl_speaker_label(SL_VIEW("The end."), true) == 0);
    CHECK(sl_speaker_label(SL_VIEW(""), true) == 0);
}

TEST(citation_marks)
{
    CUTS("Rates rose.[3]| Then they fell.");
    CUTS("Rates rose.[3][12]| Then they fell.");
    CUTS("The list [3] is long.| It ends.");
    CUTS("The list [a] is long.| It ends.[b] Here.");
}

TEST(plain_korean)
{
    CUTS("나는 갔다.| 그는 왔다.| 정말?| 네!");
    CUTS("금리는 3.5%이다.| 물가는 내렸다.");
    CUTS("그는 \"안녕.\" 하고 말했다.| 나도 그랬다.");
    CUTS("\"올린다.\"라고 했다.| 그랬다.");
}

TEST(korean_dates_and_articles)
{
    CUTS("이 법은 2015. 12. 16. 시행한다.| 끝이다.");
    CUTS("2015. 12. 16.부터 2016. 1. 2.까지 한다.| 끝.");
    CUTS("시행일은 2015. 12. 이후이다.| 그렇다.");
    CUTS("다만, 제1조. 예외가 있다.| 끝.");
    CUTS("제12조. 이 법은 그렇다.| 제13조. 저 법도 그렇다.");
    CUTS("가. 첫째 항목이다.| 나. 둘째 항목이다.");
}

TEST(other_scripts)
{
    CUTS("東京は首都です。|人口は多い。");
    CUTS("Это так.| И это тоже.");
}

TEST(lines)
{
    CUTS("# Title|\nText follows here\nand goes on.| End.");
    CUTS("Intro:|\n- item one|\n- item two|\n* item three");
    CUTS("The quick brown fox jumps over the lazy dog and then it\nran away from the big bad Wolf "
         "that was following it all\n"
         "day long.| New one.");
    CUTS("First para without a stop|\n\nSecond para");
    CUTS("제1조(목적) 이 법은 한다.|\n① 첫째 항은 이렇다|\n② 둘째 항은 저렇다");
    CUTS("A short line|\nAnother short line|\nA third");
    CUTS("Name: x|\r\nDate: y");
}

static uint32_t count_of(const char *piece, size_t bytes)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    size_t length = strlen(piece), size = bytes / length * length, covered = 0;
    char *text = malloc(size);
    struct sl_span *spans;
    struct sl_error err;
    uint32_t count = 0;

    for (size_t at = 0; at < size; at += length)
        memcpy(text + at, piece, length);
    CHECK(sl_text_sentences((struct sl_view){text, size}, arena, &spans, &count, &err) == SL_OK);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(spans[i].byte_start < spans[i].byte_end && spans[i].byte_end <= size);
        CHECK(i == 0 || spans[i].byte_start >= spans[i - 1].byte_end);
        CHECK(sl_utf8_bad((struct sl_view){text + spans[i].byte_start,
                                           spans[i].byte_end - spans[i].byte_start}) ==
              spans[i].byte_end - spans[i].byte_start);
        covered += spans[i].byte_end - spans[i].byte_start;
    }
    CHECK(covered <= size);
    free(text);
    sl_arena_close(arena);
    return count;
}

TEST(nothing_and_blanks)
{
    CUTS("");
    CUTS("one|\n\n\n\n two");
    CHECK(count_of("  \n \n\t ", 100) == 0);
    CHECK(count_of("\n\n one ", 70) == 10);
}

/* Quadratic work would take minutes; the test's time limit is the judge. */
TEST(hostile_texts_take_linear_time)
{
    CHECK(count_of("x", 1 << 20) > 1); /* blocks bound a sentence */
    CHECK(count_of("A. ", 1 << 20) > 0);
    CHECK(count_of("Mr. ", 1 << 20) > 0);
    CHECK(count_of("2015. ", 1 << 20) > 0);
    CHECK(count_of("a\n", 1 << 20) > 0);
    CHECK(count_of("[1]", 1 << 20) > 0);
    CHECK(count_of(".[1", 1 << 20) > 0);
    CHECK(count_of("한", 3 << 20) > 0);
    CHECK(count_of("\xCC\x81", 1 << 20) > 0);
    CHECK(count_of("A sentence here. ", 1 << 20) == (1 << 20) / 17);
}
