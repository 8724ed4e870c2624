/* test_extract.c -- which sentences are taken, how they are joined, and that quotes are the document's bytes. */
#include "small_index.h"

#include <sluice/text.h>

#include "answer_internal.h"

static struct sl_arena *arena;

/* Extract from passages that are whole documents; needs weigh as if every term were equally rare. */
static struct sl_extracted extract_from(const char *question, const char *const *texts, uint32_t count)
{
    static struct sl_document documents[8];
    static struct sl_result results[8];
    static struct sl_passage passages[8];
    static struct sl_extracted extracted;
    struct sl_meaning meaning = {NULL, NULL};
    struct sl_term_count *terms = NULL;
    struct sl_needs needs = {.language = "en"};
    struct sl_error err = {0};
    uint32_t length;

    small_check(sl_text_terms(sl_view_of(question), "en", arena, &terms, &needs.count, &length, &err),
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
    CHECK(x.evidence.sentence_cover > 0.999 && x.evidence.passage_cover > 0.999);
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
    small_check(sl_needs_read(small->snapshot, SL_VIEW("How many?"), small->arena, &needs, &err),
                &err);
    CHECK(needs.count > 0 && needs.asked == SL_ASKED_COUNT); /* nothing else is there */
    small_check(sl_needs_read(small->snapshot, SL_VIEW("lamp zeppelin"), small->arena, &needs, &err),
                &err);
    REQUIRE(needs.count == 2);
    CHECK(needs.weights[1] > needs.weights[0]); /* what no chunk holds weighs most */
    small_close(small);
}
