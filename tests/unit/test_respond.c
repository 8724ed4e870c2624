/* test_respond.c -- one question to one answer: found, not found, refused, late, written by a chat model. */
#include "small_index.h"

static struct sl_responder responder_of(struct small_index *small)
{
    return (struct sl_responder){
        .retrieve = {.mode = SL_MODE_HYBRID, .k = 2, .ef = 64, .fusion = SL_FUSION_RRF,
                     .weight_lexical = 1, .weight_vector = 1, .coverage_min = 0.5},
        .embedder = small->embedder, .clock = &small->clock, .generate_deadline_ms = 1000};
}

static struct small_index *harbour_open(bool vectors)
{
    struct small_index *small = small_open(vectors);

    small_put(small, "lamp", "{\"title\": \"The east lamp\", \"date\": \"2018-09-30\", \"text\": "
                             "\"The east lamp burns oil since 1962. Its keeper, Tobias Renn, "
                             "polishes the lens of the east lamp every Friday.\"}");
    small_put(small, "ferry", "{\"title\": \"Ferry rules\", \"date\": \"2016-03-11\", \"text\": "
                              "\"The ferry to Skarne leaves every forty minutes. Dogs travel "
                              "free, bicycles cost two crowns.\"}");
    small_put(small, "bridge",
              "{\"title\": \"\xEC\x9D\x80\xED\x95\x98\xEA\xB5\x90\", \"text\": "
              "\"\xEC\x9D\x80\xED\x95\x98\xEA\xB5\x90\xEC\x9D\x98 "
              "\xEC\x84\xA4\xEA\xB3\x84\xEC\x9E\x90\xEB\x8A\x94 \xED\x95\x9C\xEB\xB3\x84\xEC\x9D\xB4"
              "\xEB\x8B\xA4. \xEA\xB8\xB8\xEC\x9D\xB4\xEB\x8A\x94 412\xEB\xAF\xB8\xED\x84\xB0\xEC\x9D"
              "\xB4\xEB\x8B\xA4.\"}");
    return small;
}

static struct sl_answer respond(struct small_index *small, const struct sl_responder *responder,
                                const struct sl_question *question)
{
    struct sl_answer answer = {0};
    struct sl_error err = {0};

    small_check(sl_respond(responder, question, small->snapshot, small->arena, &answer, &err), &err);
    for (uint32_t i = 0; i < answer.citation_count; i++) { /* of every answer in this file */
        const struct sl_citation *c = &answer.citations[i];
        struct sl_document document;
        uint32_t chunks;
        small_check(sl_snapshot_document(small->snapshot, c->doc, small->arena, &document, &chunks,
                                         &err), &err);
        CHECK(c->n == i + 1 && c->byte_start < c->byte_end);
        CHECK(sl_view_equal(c->quote, sl_view_range(document.text, c->byte_start, c->byte_end)));
    }
    return answer;
}

static struct sl_answer ask(struct small_index *small, const char *text)
{
    struct sl_responder responder = responder_of(small);
    struct sl_question question = {.text = sl_view_of(text), .asked_ms = -1};

    return respond(small, &responder, &question);
}

TEST(an_answer_is_made_of_stored_sentences)
{
    for (int vectors = 0; vectors < 2; vectors++) {
        struct small_index *small = harbour_open(vectors == 1);
        struct sl_answer a = ask(small, "Who is the keeper of the east lamp?");
        REQUIRE(a.status == SL_STATUS_ANSWERED && a.citation_count >= 1);
        CHECK(sl_view_is(a.citations[0].key, "lamp") && sl_view_is(a.citations[0].topic, "docs"));
        CHECK(memmem(a.text.data, a.text.size, "Tobias Renn", 11) != NULL);
        CHECK(memmem(a.text.data, a.text.size, "[1]", 3) != NULL);
        CHECK(a.citations[0].score >= 0.5f && a.citations[0].score <= 1);
        CHECK(sl_view_is(a.answer_model, "extract") && a.total_ms > 0);
        CHECK(a.hits == NULL && a.retrieved->count <= 2);
        small_close(small);
    }
}

TEST(korean_is_answered_by_words)
{
    struct small_index *small = harbour_open(true);
    struct sl_answer a = ask(small, "\xEC\x9D\x80\xED\x95\x98\xEA\xB5\x90\xEC\x9D\x98 "
                                    "\xEC\x84\xA4\xEA\xB3\x84\xEC\x9E\x90\xEB\x8A\x94 "
                                    "\xEB\x88\x84\xEA\xB5\xAC\xEC\x9D\xB8\xEA\xB0\x80\xEC\x9A\x94?");

    REQUIRE(a.status == SL_STATUS_ANSWERED);
    CHECK(sl_view_is(a.citations[0].key, "bridge") && a.retrieved->mode == SL_MODE_LEXICAL);
    small_close(small);
}

TEST(what_the_documents_do_not_say_is_not_found)
{
    for (int vectors = 0; vectors < 2; vectors++) {
        struct small_index *small = harbour_open(vectors == 1);
        struct sl_answer a = ask(small, "What is the capital of Mongolia?");
        CHECK(a.status == SL_STATUS_NOT_FOUND && a.citation_count == 0 && a.text.size == 0);
        a = ask(small, "How deep is the harbour of Skarne on Mars?");
        REQUIRE(a.status == SL_STATUS_NOT_FOUND && a.nearest_count > 0);
        CHECK(a.nearest[0].title.size > 0 && a.nearest[0].byte_start < a.nearest[0].byte_end);
        a = ask(small, "???");
        CHECK(a.status == SL_STATUS_NOT_FOUND);
        small_close(small);
    }
}

TEST(three_documents_are_enough_to_tell_what_they_say)
{
    static const struct {
        const char *question;
        bool said;
    } cases[] = {
        {"연차는 며칠인가요?", true},      {"육아휴직은 누가 신청할 수 있나요?", true},
        {"법인카드는 어디서 발급하나요?", true}, {"구내식당 메뉴는 무엇인가요?", false},
        {"주차장은 어디에 있나요?", false},     {"스마트폰 수리 비용은 얼마인가요?", false},
    };
    struct small_index *small = small_open(false);

    small_put(small, "a", "{\"title\": \"연차 규정\", \"text\": \"1년간 출근한 직원에게 15일의 연차유급휴가를 준다.\"}");
    small_put(small, "b", "{\"title\": \"육아휴직 안내\", \"text\": \"만 8세 이하의 자녀를 둔 직원은 육아휴직을 "
                          "신청할 수 있다.\"}");
    small_put(small, "c", "{\"title\": \"출장\", \"text\": \"법인카드는 재무팀에서 발급한다.\"}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sl_answer a = ask(small, cases[i].question);
        CHECK_THAT((a.status == SL_STATUS_ANSWERED) == cases[i].said, "%s: %.*s", cases[i].question,
                   SL_VIEW_ARG(a.text));
    }
    small_close(small);
}

TEST(an_answer_from_other_dates_says_so)
{
    struct small_index *small = harbour_open(false);
    struct sl_answer a = ask(small, "How often does the ferry to Skarne leave?");

    CHECK(a.status == SL_STATUS_ANSWERED && a.warning_count == 0);
    a = ask(small, "How often did the ferry to Skarne leave in March 1931?");
    CHECK(a.retrieved->widened && a.warning_count == 1);
    CHECK(a.warning_count == 1 && strncmp(a.warnings[0].data, "widened", 7) == 0);
    small_close(small);
}

TEST(when_documents_of_the_dates_do_not_say_it_others_are_asked_and_the_answer_says_so)
{
    struct small_index *small = harbour_open(false);
    struct sl_answer a;

    small_put(small, "log", "{\"title\": \"Log\", \"text\": \"In September 2018 the ferry to Skarne left "
                            "only on a Friday, twice.\"}");
    a = ask(small, "How often did the ferry to Skarne leave on a Friday in September 2018?");
    CHECK_THAT(a.status == SL_STATUS_ANSWERED && a.retrieved->widened && a.warning_count == 1,
               "status %d, widened %d, %u results, %u warnings", (int)a.status, a.retrieved->widened,
               a.retrieved->count, a.warning_count);
    a = ask(small, "Who climbs mountains on a Friday in September 2018?");
    CHECK_THAT(a.status == SL_STATUS_NOT_FOUND && !a.retrieved->widened && a.warning_count == 0, "%.*s", SL_VIEW_ARG(a.text));
    small_close(small);
}

TEST(what_is_of_other_dates_is_held_to_the_whole_measure)
{
    static const char *const questions[] = {
        "How often did the lame ferry to Skarne leave on a Friday in September 2018?",
        "How often did the broken ferry of Skarne leave port on a Friday in September 2018?",
        "Why did the old ferry of Skarne leave so early on a Friday in September 2018?",
        "Who took the ferry to Skarne on a Friday in September 2018?",
        "What did the captain of the ferry to Skarne say in September 2018?",
        "When did the captain paint the ferry to Skarne in September 2018?",
    };
    struct small_index *small = harbour_open(false);

    small_put(small, "log", "{\"title\": \"Log\", \"text\": \"In September 2018 the ferry to Skarne left "
                            "only on a Friday, twice.\"}");
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        struct sl_answer a = ask(small, questions[i]);
        CHECK_THAT(a.status == SL_STATUS_NOT_FOUND || a.retrieved->widened, "%s: %.*s", questions[i],
                   SL_VIEW_ARG(a.text));
    }
    small_close(small);
}

TEST(hits_are_listed_when_asked_for)
{
    struct small_index *small = harbour_open(true);
    struct sl_responder responder = responder_of(small);
    struct sl_question question = {.text = SL_VIEW("east lamp ferry"), .asked_ms = -1,
                                   .return_hits = true, .k = 1};
    struct sl_answer a = respond(small, &responder, &question);

    REQUIRE(a.hit_count == 1 && a.retrieved->count == 1);
    CHECK(a.hits[0].quote.size > 40);
    small_close(small);
}

TEST(a_question_past_its_deadline_is_refused)
{
    struct small_index *small = harbour_open(true);
    struct sl_responder responder = responder_of(small);
    struct sl_question question = {.text = SL_VIEW("east lamp"), .deadline_ms = 1000,
                                   .asked_ms = small->wall_ms - 1001};
    struct sl_answer a = respond(small, &responder, &question);

    CHECK(a.status == SL_STATUS_ERROR && sl_view_is(a.error_code, "deadline_exceeded"));
    question.asked_ms = -1; /* unknown: counts from now, and each look at the clock takes 1 ms */
    question.deadline_ms = 3;
    a = respond(small, &responder, &question);
    CHECK(a.status == SL_STATUS_ERROR && sl_view_is(a.error_code, "deadline_exceeded"));
    question.deadline_ms = 60000;
    CHECK(respond(small, &responder, &question).status == SL_STATUS_ANSWERED);
    small_close(small);
}

TEST(an_encoder_that_is_away_costs_the_vectors_only)
{
    struct small_index *small = harbour_open(true);
    struct sl_responder responder = responder_of(small);
    struct sl_question question = {.text = SL_VIEW("Who is the keeper of the east lamp?"),
                                   .asked_ms = -1};

    fake_embedder_fail(small->embedder, 1, SL_AGAIN);
    struct sl_answer a = respond(small, &responder, &question);
    CHECK(a.status == SL_STATUS_ANSWERED && a.warning_count == 1);
    CHECK(a.retrieved->mode == SL_MODE_LEXICAL);
    question.mode = SL_MODE_VECTOR;
    fake_embedder_fail(small->embedder, 1, SL_AGAIN);
    a = respond(small, &responder, &question);
    CHECK(a.status == SL_STATUS_ERROR && sl_view_is(a.error_code, "embedder_unavailable"));
    small_close(small);
}

TEST(what_is_wrong_with_a_question_is_an_answer)
{
    struct small_index *small = harbour_open(false);
    struct sl_responder responder = responder_of(small);
    struct sl_view warning = SL_VIEW("k clamped to 100");
    struct sl_question question = {.text = SL_VIEW("lamp"), .asked_ms = -1, .mode = SL_MODE_VECTOR,
                                   .warnings = &warning, .warning_count = 1};
    struct sl_answer a = respond(small, &responder, &question);

    CHECK(a.status == SL_STATUS_ERROR && sl_view_is(a.error_code, "no_vectors"));
    CHECK(a.error_message.size > 0 && a.retrieved == NULL);
    CHECK(a.warning_count == 1 && sl_view_is(a.warnings[0], "k clamped to 100"));
    small_close(small);
}

/* ---------------------------------------------------------------------------------- chat model */

struct teller {
    const char *reply;
    enum sl_err e;
    int calls;
    int64_t deadline_us;
};

static enum sl_err tell(struct sl_generator *generator, struct sl_view system, struct sl_view user,
                        int64_t deadline_us, struct sl_arena *arena, struct sl_view *ret_text,
                        struct sl_error *err)
{
    struct teller *teller = generator->context;

    (void)system, (void)user;
    teller->calls++;
    teller->deadline_us = deadline_us;
    if (teller->e)
        return sl_fail(err, teller->e, "llm_unavailable", "chat: away");
    *ret_text = sl_arena_copy(arena, sl_view_of(teller->reply));
    return SL_OK;
}

static struct sl_answer ask_teller(struct small_index *small, struct teller *teller, const char *text)
{
    struct sl_responder responder = responder_of(small);
    struct sl_generator generator = {.generate = tell, .model = "small-chat", .context = teller};
    struct sl_question question = {.text = sl_view_of(text), .asked_ms = -1};

    responder.generator = &generator;
    return respond(small, &responder, &question);
}

TEST(a_true_chat_answer_goes_out_and_a_lie_does_not)
{
    struct small_index *small = harbour_open(true);
    static const char question[] = "Who is the keeper of the east lamp?";
    struct teller teller = {.reply = "{\"answer\": \"Tobias Renn keeps it [1].\", \"quotes\": "
                                     "[{\"id\": 1, \"quote\": \"Its keeper, Tobias Renn\"}]}"};
    struct sl_answer a = ask_teller(small, &teller, question);

    CHECK(sl_view_is(a.text, "Tobias Renn keeps it [1].") && a.warning_count == 0);
    CHECK(sl_view_is(a.answer_model, "small-chat") && a.generate_ms > 0);
    CHECK(teller.deadline_us > 0 && teller.deadline_us < small->clock_us + 1000000);
    teller.reply = "{\"answer\": \"Olga keeps it [1].\", \"quotes\": [{\"id\": 1, \"quote\": \"Its "
                   "keeper, Olga Renn\"}]}";
    a = ask_teller(small, &teller, question);
    CHECK(a.status == SL_STATUS_ANSWERED && sl_view_is(a.answer_model, "extract"));
    CHECK(memmem(a.text.data, a.text.size, "Tobias", 6) != NULL);
    REQUIRE(a.warning_count == 1);
    CHECK(strncmp(a.warnings[0].data, "llm_unverified", 14) == 0);
    teller.e = SL_AGAIN;
    a = ask_teller(small, &teller, question);
    REQUIRE(a.status == SL_STATUS_ANSWERED && a.warning_count == 1);
    CHECK(strncmp(a.warnings[0].data, "llm_unavailable", 15) == 0);
    small_close(small);
}

TEST(a_chat_model_leaves_time_for_the_extracted_answer)
{
    struct small_index *small = harbour_open(true);
    struct teller teller = {.e = SL_AGAIN};
    struct sl_responder responder = responder_of(small);
    struct sl_generator generator = {.generate = tell, .model = "small-chat", .context = &teller};
    struct sl_question question = {.text = SL_VIEW("Who is the keeper of the east lamp?"),
                                   .deadline_ms = 800, .asked_ms = -1};
    int64_t start_us = small->clock_us;

    responder.generator = &generator;
    (void)respond(small, &responder, &question);
    CHECK(teller.calls == 1 && teller.deadline_us > start_us);
    CHECK(teller.deadline_us < start_us + 710000);
    question.deadline_ms = 60000;
    start_us = small->clock_us;
    (void)respond(small, &responder, &question);
    CHECK(teller.deadline_us > start_us + 999000 && teller.deadline_us < start_us + 1100000);
    small_close(small);
}

TEST(a_chat_model_is_asked_only_when_the_documents_say_something)
{
    struct small_index *small = harbour_open(true);
    struct teller teller = {.reply = "{\"status\": \"not_found\"}"};
    struct sl_answer a = ask_teller(small, &teller, "What is the capital of Mongolia?");

    CHECK(a.status == SL_STATUS_NOT_FOUND && teller.calls == 0);
    a = ask_teller(small, &teller, "Who is the keeper of the east lamp?");
    CHECK(a.status == SL_STATUS_NOT_FOUND && teller.calls == 1 && a.citation_count == 0);
    small_close(small);
}
