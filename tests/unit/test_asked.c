/* test_asked.c -- what kind of thing questions ask for, in English and Korean. */
#include "../support/test.h"

#include "answer/answer_internal.h"

static const struct {
    enum sl_asked asked;
    const char *question;
} CASES[] = {
    {SL_ASKED_WHO, "Who keeps the lamp?"},
    {SL_ASKED_WHO, "By whom was the bridge built?"},
    {SL_ASKED_WHO, "What is the name of the keeper?"},
    {SL_ASKED_WHO, "Which architect drew the tower?"},
    {SL_ASKED_WHO, "은하교의 설계자는 누구인가요?"},
    {SL_ASKED_WHO, "누가 등대를 지었나?"},
    {SL_ASKED_WHEN, "When did the ferry start?"},
    {SL_ASKED_WHEN, "In what year was the tower finished?"},
    {SL_ASKED_WHEN, "시장은 언제 열리나요?"},
    {SL_ASKED_WHEN, "다리는 몇 년에 완공되었나?"},
    {SL_ASKED_WHERE, "Where is the archive?"},
    {SL_ASKED_WHERE, "Which city has the oldest tower?"},
    {SL_ASKED_WHERE, "기록 보관소는 어디에 있나요?"},
    {SL_ASKED_COUNT, "How many traders are there?"},
    {SL_ASKED_COUNT, "상인은 몇 명인가요?"},
    {SL_ASKED_COUNT, "휴가는 몇 년간 쌓이나요?"},
    {SL_ASKED_AMOUNT, "How much is a ticket?"},
    {SL_ASKED_AMOUNT, "How long is the bridge?"},
    {SL_ASKED_AMOUNT, "What percentage of the sand is lost?"},
    {SL_ASKED_AMOUNT, "다리의 길이는 얼마인가요?"},
    {SL_ASKED_WHAT, "What does the keeper polish?"},
    {SL_ASKED_WHAT, "상인은 무엇을 파나요?"},
    {SL_ASKED_WHY, "Why was the ferry late?"},
    {SL_ASKED_WHY, "왜 다리를 닫았나요?"},
    {SL_ASKED_HOW, "How does the lamp turn?"},
    {SL_ASKED_HOW, "휴가는 어떻게 신청하나요?"},
    {SL_ASKED_YES_NO, "Is the bridge open on Mondays?"},
    {SL_ASKED_YES_NO, "개는 무료로 탈 수 있나요?"},
    {SL_ASKED_LIST, "What are the duties of the keeper?"},
    {SL_ASKED_LIST, "List the duties of the keeper"},
    {SL_ASKED_LIST, "휴가의 종류를 알려 주세요"},
    {SL_ASKED_OTHER, "ferry timetable"},
    {SL_ASKED_OTHER, "배 시간표"},
    {SL_ASKED_OTHER, "???"},
    {SL_ASKED_OTHER, ""},
};

TEST(each_kind_is_told_by_its_word)
{
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        enum sl_asked asked = sl_asked_read(sl_view_of(CASES[i].question));
        CHECK_THAT(asked == CASES[i].asked, "\"%s\": kind %d, expected %d", CASES[i].question,
                   (int)asked, (int)CASES[i].asked);
    }
}

TEST(scripts_are_told_apart)
{
    CHECK(sl_text_hangul(SL_VIEW("은하교는 길다")));
    CHECK(sl_text_hangul(SL_VIEW("AI가 무엇인가요")));
    CHECK(!sl_text_hangul(SL_VIEW("The lamp has a keeper.")));
    CHECK(!sl_text_hangul(SL_VIEW("1962")));
}
