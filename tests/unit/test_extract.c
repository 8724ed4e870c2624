/* test_extract.c -- which sentences are taken, how they are joined, and that quotes are the document's bytes. */
#include "small_index.h"

#include <sluice/text.h>

#include "answer/answer_internal.h"

static struct sl_arena *arena;

/* Extract from passages that are whole documents; needs weigh as if every term were equally rare. */
static struct sl_extracted extract_from(const char *question, const char *const *texts, uint32_t count)
{
    static struct sl_document documents[8];
    static struct sl_result results[8];
    static struct sl_passage passages[8];
    static struct sl_extracted extracted;
    struct sl_meaning meaning = {0};
    struct sl_term_count *terms = NULL;
    struct sl_needs needs = {.question = sl_view_of(question),
                             .language = sl_text_language(sl_view_of(question)),
                             .asked = sl_asked_read(sl_view_of(question)),
                             .hangul = sl_text_hangul(sl_view_of(question))};
    struct sl_error err = {0};
    uint32_t length;

    small_check(sl_text_terms(sl_view_of(question), needs.language, arena, &terms, &needs.count, &length, &err),
                &err);
    needs.terms = SL_NEW_ARRAY(arena, struct sl_view, needs.count);
    needs.weights = SL_NEW_ARRAY(arena, double, needs.count);
    for (uint32_t i = 0; i < needs.count; i++) {
        needs.terms[i] = terms[i].term;
        needs.weights[i] = 1;
        needs.total += 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        documents[i] = (struct sl_document){.text = sl_view_of(texts[i]), .key = SL_VIEW("k")};
        results[i] = (struct sl_result){.doc = i + 1, .lexical_rank = i + 1, .lexical_score = 1};
        passages[i] = (struct sl_passage){.result = &results[i], .document = &documents[i],
                                          .byte_end = (uint32_t)strlen(texts[i])};
    }
    small_check(sl_extract(&needs, &meaning, passages, count, arena, &extracted, &err), &err);
    for (uint32_t i = 0; i < extracted.citation_count; i++) {
        const struct sl_citation *c = &extracted.citations[i];
        CHECK(c->quote.data == texts[c->doc - 1] + c->byte_start);
        CHECK(c->quote.size == c->byte_end - c->byte_start);
        CHECK(sl_utf8_bad(c->quote) == c->quote.size);
    }
    if (extracted.span.n > 0) { /* the span stands in its citation */
        const struct sl_citation *c = &extracted.citations[extracted.span.n - 1];
        CHECK(extracted.span.n <= extracted.citation_count && c->byte_start <= extracted.span.byte_start &&
              extracted.span.byte_end <= c->byte_end);
        CHECK(extracted.span.text.data == texts[c->doc - 1] + extracted.span.byte_start);
    }
    return extracted;
}

static struct sl_extracted extract(const char *question, const char *text)
{
    return extract_from(question, &text, 1);
}

static void begin(void)
{
    arena = sl_arena_open(64 << 20);
}

static void end(void)
{
    arena = sl_arena_close(arena);
}

TEST(the_sentence_that_meets_most_is_quoted)
{
    begin();
    struct sl_extracted x = extract("lamp keeper", "The ferry leaves. The lamp has a keeper. The "
                                                   "keeper sleeps.");
    REQUIRE(x.citation_count == 1);
    CHECK(sl_view_is(x.citations[0].quote, "The lamp has a keeper."));
    CHECK(sl_view_is(x.text, "The lamp has a keeper. [1]"));
    CHECK(x.evidence.first_cover > 0.999 && x.evidence.around_cover > 0.999);
    CHECK(x.evidence.cosine < 0 && x.relevance > SL_RELEVANCE_MIN);
    end();
}

TEST(neighbours_that_add_become_one_quote)
{
    begin();
    struct sl_extracted x = extract("lamp keeper oil price", "Hello there. The lamp has a keeper.\n"
                                                             "The oil has a price. Bye now.");
    REQUIRE(x.citation_count == 1);
    CHECK(sl_view_is(x.citations[0].quote, "The lamp has a keeper.\nThe oil has a price."));
    CHECK(sl_view_is(x.text, "The lamp has a keeper. The oil has a price. [1]"));
    end();
}

TEST(sentences_apart_are_numbered)
{
    begin();
    struct sl_extracted x = extract("lamp keeper oil price",
                                    "The lamp has a keeper. A dog barks. The oil has a price.");
    REQUIRE(x.citation_count == 2);
    CHECK_THAT(sl_view_is(x.text, "The lamp has a keeper. [1] The oil has a price. [2]"), "%.*s",
               SL_VIEW_ARG(x.text));
    CHECK(x.citations[0].n == 1 && x.citations[1].n == 2);
    CHECK(x.citations[0].score >= x.citations[1].score);
    end();
}

TEST(the_same_sentence_is_not_quoted_twice)
{
    static const char *const texts[] = {"The lamp has a keeper. One.", "The lamp has a keeper. Two."};

    begin();
    CHECK(extract_from("lamp keeper oil", texts, 2).citation_count == 1);
    end();
}

TEST(a_question_does_not_answer_a_question)
{
    begin();
    struct sl_extracted x = extract("lamp keeper", "Who is the keeper of the lamp? Our lamp keeper "
                                                   "is Tobias.");
    REQUIRE(x.citation_count == 1);
    CHECK(sl_view_is(x.citations[0].quote, "Our lamp keeper is Tobias."));
    end();
}

TEST(a_sentence_too_long_to_quote_is_cut_at_a_space_or_a_character)
{
    struct sl_buffer words = {0}, run = {0};
    struct sl_extracted x;

    begin();
    for (int i = 0; i < 400; i++)
        sl_buffer_view(&words, SL_VIEW("filler "));
    sl_buffer_view(&words, SL_VIEW("lamp keeper "));
    for (int i = 0; i < 400; i++)
        sl_buffer_view(&words, SL_VIEW("filler "));
    x = extract("lamp keeper", words.data);
    REQUIRE(x.citation_count == 1);
    CHECK(x.citations[0].quote.size <= SL_QUOTE_BYTES_MAX);
    CHECK(memmem(x.citations[0].quote.data, x.citations[0].quote.size, "lamp", 4) != NULL);
    for (int i = 0; i < 2000; i++)
        sl_buffer_view(&run, SL_VIEW("\xEA\xB0\x80"));
    x = extract("\xEA\xB0\x80\xEA\xB0\x80", run.data); /* no space anywhere: quotes are checked above */
    for (uint32_t i = 0; i < x.citation_count; i++)
        CHECK(x.citations[i].quote.size <= SL_CITATIONS_MAX * SL_QUOTE_BYTES_MAX);
    sl_buffer_fini(&words);
    sl_buffer_fini(&run);
    end();
}

TEST(nothing_met_is_nothing_quoted)
{
    begin();
    struct sl_extracted x = extract("lamp keeper", "The ferry leaves. Dogs travel free.");
    CHECK(x.citation_count == 0 && x.text.size == 0 && x.relevance < SL_RELEVANCE_MIN);
    x = extract("lamp keeper", "");
    CHECK(x.citation_count == 0);
    x = extract_from("lamp keeper", NULL, 0);
    CHECK(x.citation_count == 0 && x.relevance < SL_RELEVANCE_MIN);
    end();
}

TEST(needs_leave_out_what_only_asks)
{
    struct small_index *small = small_open(false);
    struct sl_needs needs = {0};
    struct sl_error err = {0};

    small_put(small, "a", "{\"text\": \"The lamp has a keeper.\"}");
    small_check(sl_needs_read(small->snapshot, SL_VIEW("Who is the keeper of the lamp?"),
                              small->arena, &needs, &err), &err);
    CHECK_THAT(needs.count == 2, "%u needs", needs.count);
    CHECK(needs.asked == SL_ASKED_WHO);
    small_check(sl_needs_read(small->snapshot, SL_VIEW("Who is currently the latest lamp's keeper?"),
                              small->arena, &needs, &err), &err);
    CHECK_THAT(needs.count == 2 && needs.words == 2, "%u needs, %u words", needs.count, needs.words);
    small_check(sl_needs_read(small->snapshot, SL_VIEW("How many?"), small->arena, &needs, &err),
                &err);
    CHECK(needs.count > 0 && needs.asked == SL_ASKED_COUNT); /* nothing else is there */
    small_check(sl_needs_read(small->snapshot, SL_VIEW("lamp zeppelin"), small->arena, &needs, &err),
                &err);
    REQUIRE(needs.count == 2);
    CHECK(needs.weights[1] > needs.weights[0]); /* what no chunk holds weighs most */
    small_close(small);
}

/* A reporter's question of forty telling words is not answered by a passage that says them all. */
TEST(less_is_expected_of_an_answer_to_a_longer_question)
{
    struct sl_evidence e = {.first_cover = 0.10, .around_cover = 0.18, .passage_cover = 0.27, .missing = 0.06,
                            .cosine = -1, .sentence_cosine = -1, .words = 40};
    struct sl_evidence other = e, whole = {.first_cover = 1, .around_cover = 1, .passage_cover = 1, .cosine = -1,
                                           .sentence_cosine = -1, .words = 40};
    double before = 0;

    CHECK(sl_relevance(&e) > SL_RELEVANCE_MIN);
    other.first_cover = 0.04, other.around_cover = 0.09, other.passage_cover = 0.12; /* of another subject */
    CHECK(sl_relevance(&other) < SL_RELEVANCE_MIN);
    for (e.words = 0; e.words < 60; e.words++) {
        double now = sl_relevance(&e);
        CHECK_THAT(now >= before, "%u words: %f after %f", e.words, now, before);
        CHECK(e.words > 6 || now < SL_RELEVANCE_MIN); /* a short one is not met by so little */
        before = now;
    }
    e = whole, e.words = 3;
    CHECK(sl_relevance(&whole) <= sl_relevance(&e)); /* no share is more than all */
}

/* ---------------------------------------------------------------------------------------- spans */

TEST(the_span_is_the_kind_of_thing_asked_for)
{
    static const char text[] = "The ferry leaves at noon. The east lamp was lit by Tobias Renn in March 1962 and cost "
                               "$4,200. The lamp has 48 lenses and stands in Skarne.";
    static const struct {
        const char *question, *span;
    } cases[] = {
        {"Who lit the east lamp?", "Tobias Renn"},
        {"When was the east lamp lit?", "March 1962"},
        {"How much did the east lamp cost?", "$4,200"},
        {"How many lenses has the lamp?", "48"},
        {"Where does the lamp stand?", "Skarne"},
    };

    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_extracted x = extract(cases[i].question, text);
        CHECK_THAT(x.span.n == 1 && sl_view_is(x.span.text, cases[i].span), "%s: %.*s", cases[i].question,
                   SL_VIEW_ARG(x.span.text));
        CHECK(!x.evidence.kind_missing);
    }
    end();
}

TEST(spans_keep_to_what_unusual_spaces_part_and_join)
{
    begin();
    struct sl_extracted x = extract("How tall is the lamp?", "The lamp is 48\u00A0metres\u202Ftall.");
    CHECK_THAT(sl_view_is(x.span.text, "48\u00A0metres"), "%.*s", SL_VIEW_ARG(x.span.text));
    x = extract("Who is the keeper of the lamp?", "The keeper of the lamp is Tilda\tRole\tLead");
    CHECK_THAT(sl_view_is(x.span.text, "Tilda"), "%.*s", SL_VIEW_ARG(x.span.text));
    x = extract("Where does the lamp stand?", "The lamp stands in St. Lawrence.");
    CHECK_THAT(sl_view_is(x.span.text, "St. Lawrence"), "%.*s", SL_VIEW_ARG(x.span.text));
    x = extract("Who lit the lamp?", "\uFEFFThe lamp was lit by Tobias Renn.");
    REQUIRE(x.citation_count == 1);
    CHECK(sl_view_is(x.citations[0].quote, "The lamp was lit by Tobias Renn."));
    CHECK(x.citations[0].byte_start == 3);
    end();
}

TEST(korean_spans_end_before_their_particle)
{
    static const char text[] = "은하교는 2015년 12월에 완공되었다. 다리의 길이는 412미터이고 설계자는 한별이다. "
                               "통행료는 3,000원이며 상인은 예순 명이다.";
    static const struct {
        const char *question, *span;
    } cases[] = {
        {"은하교는 언제 완공되었나요?", "2015년 12월"},
        {"다리의 길이는 얼마인가요?", "412미터"},
        {"통행료는 얼마인가요?", "3,000원"},
        {"상인은 몇 명인가요?", "예순 명"},
        {"다리의 설계자는 누구인가요?", "한별"},
    };

    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_extracted x = extract(cases[i].question, text);
        CHECK_THAT(x.span.n > 0 && sl_view_is(x.span.text, cases[i].span), "%s: %.*s (%.*s)",
                   cases[i].question, SL_VIEW_ARG(x.span.text), SL_VIEW_ARG(x.text));
    }
    end();
}

TEST(korean_questions_are_answered_by_what_their_asking_word_wants)
{
    static const char text[] =
        "육아휴직 기간은 자녀 1명당 최대 1년이다. 휴직 급여는 고용센터에서 지급하며, 통상임금의 80퍼센트로 월 상한액은 "
        "150만원이다. 만 8세 이하의 자녀를 둔 직원은 휴직을 신청할 수 있다. 해외 출장은 사전에 대표이사의 승인을 받아야 "
        "한다. 휴직이 끝나기 7일 전까지 복직원을 인사팀에 내야 한다. 반차는 4시간 단위로 쓸 수 있다.";
    static const struct {
        const char *question, *span;
    } cases[] = {
        {"휴직을 누가 신청할 수 있나요?", "만 8세 이하의 자녀를 둔 직원"},
        {"육아휴직 기간은 얼마나 되나요?", "최대 1년"},
        {"휴직 급여의 월 상한액은 얼마인가요?", "150만원"},
        {"휴직 급여는 어디에서 지급하나요?", "고용센터"},
        {"해외 출장은 누구의 승인을 받나요?", "대표이사"},
        {"복직원은 언제까지 내야 하나요?", "7일 전"},
        {"반차는 몇 시간인가요?", "4시간"},
    };

    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_extracted x = extract(cases[i].question, text);
        CHECK_THAT(x.span.n > 0 && sl_view_is(x.span.text, cases[i].span), "%s: %.*s (%.*s)",
                   cases[i].question, SL_VIEW_ARG(x.span.text), SL_VIEW_ARG(x.text));
    }
    end();
}

/* --------------------------------------------------------------------- lines that are no sentences */

TEST(a_heading_is_not_cited_and_says_what_is_below_it)
{
    begin();
    struct sl_extracted x = extract("lamp keeper wages", "# Keepers\n\n## Wages of the lamp keeper\n\nForty crowns are "
                                                         "paid in May.\n\n## Food\n\nSoup is paid for the keeper.");
    REQUIRE(x.citation_count >= 1);
    CHECK_THAT(sl_view_is(x.citations[0].quote, "Forty crowns are paid in May."), "%.*s",
               SL_VIEW_ARG(x.citations[0].quote));
    for (uint32_t i = 0; i < x.citation_count; i++)
        CHECK(x.citations[i].quote.data[0] != '#');
    end();
}

TEST(a_row_is_told_with_its_columns)
{
    static const char text[] = "Fees of the ferry.\n\n| Who | Summer | Winter |\n| --- | --- | --- |\n| Keeper | 4 | 7 |\n"
                               "| Child | 2 | 3 |\n\nNobody pays twice.";

    begin();
    struct sl_extracted x = extract("How much does a child pay in winter?", text);
    REQUIRE(x.citation_count >= 1);
    CHECK_THAT(sl_view_is(x.citations[0].quote, "| Child | 2 | 3 |"), "%.*s", SL_VIEW_ARG(x.citations[0].quote));
    CHECK_THAT(memmem(x.text.data, x.text.size, "Who: Child, Summer: 2, Winter: 3 [1]", 36) != NULL, "%.*s",
               SL_VIEW_ARG(x.text));
    CHECK_THAT(sl_view_is(x.span.text, "3"), "%.*s", SL_VIEW_ARG(x.span.text));
    end();
}

TEST(a_label_that_is_asked_for_answers)
{
    begin();
    struct sl_extracted x = extract("담당은 누구인가요?", "담당: 김민지 과장 (내선 2314)\n\n담당 업무는 매년 바뀐다.");
    REQUIRE(x.citation_count >= 1);
    CHECK_THAT(sl_view_is(x.span.text, "김민지 과장"), "%.*s (%.*s)", SL_VIEW_ARG(x.span.text), SL_VIEW_ARG(x.text));
    end();
}

TEST(a_sentence_that_says_a_list_follows_brings_it_along)
{
    begin();
    struct sl_extracted x = extract("제출 서류는 무엇인가요?", "제출 서류는 다음과 같다.\n- 신청서\n- 통장 사본\n\n끝이다.");
    REQUIRE(x.citation_count >= 1);
    CHECK_THAT(sl_view_is(x.text, "제출 서류는 다음과 같다. 신청서; 통장 사본 [1]") && x.span.n == 0, "%.*s",
               SL_VIEW_ARG(x.text));
    end();
}

TEST(questions_for_reasons_and_ways_have_no_span)
{
    begin();
    CHECK(extract("Why does the keeper of the lamp sleep?", "The keeper of the lamp sleeps because he is "
                                                            "tired.").span.n == 0);
    CHECK(extract("keeper lamp", "The keeper of the lamp sleeps.").span.n == 0);
    end();
}

TEST(a_kind_that_is_nowhere_is_noticed)
{
    begin();
    struct sl_extracted with = extract("How many lenses has the lamp?", "The lamp has 48 lenses.");
    struct sl_extracted without = extract("How many lenses has the lamp?", "The lamp has fine lenses.");
    CHECK(!with.evidence.kind_missing && without.evidence.kind_missing);
    CHECK(with.relevance > without.relevance);
    end();
}

/* ------------------------------------------------------------------------------ sentences whole */

TEST(a_list_is_answered_as_a_whole)
{
    static const char text[] = "The harbour is old.\nThe duties of the keeper are:\n- polish the lens\n- fill the "
                               "oil\n- wind the clock\nNobody helps.";

    begin();
    struct sl_extracted x = extract("What are the duties of the keeper?", text);
    REQUIRE(x.citation_count >= 1);
    CHECK_THAT(sl_view_is(x.citations[0].quote, "The duties of the keeper are:\n- polish the lens\n- fill the "
                                                "oil\n- wind the clock"), "%.*s", SL_VIEW_ARG(x.citations[0].quote));
    CHECK_THAT(memmem(x.text.data, x.text.size, "are: polish the lens; fill the oil; wind the clock [1]", 52) != NULL,
               "%.*s", SL_VIEW_ARG(x.text));
    end();
}

TEST(a_sentence_that_leans_on_the_one_before_brings_it_along)
{
    begin();
    struct sl_extracted x = extract("Who polishes the lens in Skarne?", "Dogs bark. Tobias Renn lives in Skarne. He "
                                                                        "polishes the lens.");
    REQUIRE(x.citation_count >= 1);
    CHECK_THAT(sl_view_is(x.citations[0].quote, "Tobias Renn lives in Skarne. He polishes the lens."), "%.*s",
               SL_VIEW_ARG(x.citations[0].quote));
    end();
}
