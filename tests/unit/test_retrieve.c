/* test_retrieve.c -- both legs, filters and dates inside the search, widening, weights by age. */
#include "small_index.h"

static const struct sl_retrieve_options DEFAULTS = {.mode = SL_MODE_HYBRID, .k = 5, .ef = 64,
                                                    .fusion = SL_FUSION_RRF, .weight_lexical = 1,
                                                    .weight_vector = 1, .coverage_min = 0.5};

static struct small_index *rates_open(bool vectors)
{
    struct small_index *small = small_open(vectors);

    small_put(small, "a", "{\"title\": \"Statement\", \"date\": \"2015-12-16\", \"tenant\": \"hr\", "
                          "\"text\": \"The committee raised the target range for the rate.\"}");
    small_put(small, "b", "{\"title\": \"Statement\", \"date\": \"2016-12-14\", \"tenant\": \"law\", "
                          "\"text\": \"The committee raised the target range for the rate again.\"}");
    small_put(small, "c", "{\"title\": \"Harbour\", \"date\": \"2015-12\", \"kind\": \"log\", "
                          "\"text\": \"The tide gauge was cleaned and the buoys were painted.\"}");
    small_put(small, "d", "{\"title\": \"Letter\", \"text\": \"A letter without a date says that the "
                          "rate was raised in the harbour.\"}");
    return small;
}

static struct sl_retrieved *search(struct small_index *small, const struct sl_question *question,
                                   const struct sl_retrieve_options *options)
{
    struct sl_retrieved *retrieved = NULL;
    struct sl_error err = {0};

    small_check(sl_retrieve(small->snapshot, question, options, small->embedder, &small->clock,
                            small->arena, &retrieved, &err), &err);
    return retrieved;
}

static struct sl_retrieved *find(struct small_index *small, const char *text)
{
    struct sl_question question = {.text = sl_view_of(text), .asked_ms = -1};

    return search(small, &question, &DEFAULTS);
}

/* Keys found, in order: "a b". */
static const char *keys(struct small_index *small, const struct sl_retrieved *retrieved)
{
    static char text[256];
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < retrieved->count; i++) {
        struct sl_document document;
        struct sl_error err = {0};
        uint32_t chunks;
        small_check(sl_snapshot_document(small->snapshot, retrieved->results[i].doc, small->arena,
                                         &document, &chunks, &err), &err);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s", i > 0 ? " " : "",
                                 SL_VIEW_ARG(document.key));
    }
    return text;
}

TEST(hits_are_fused_from_both_legs_and_say_from_which)
{
    struct small_index *small = rates_open(true);
    struct sl_retrieved *r = find(small, "Who raised the target range?");

    REQUIRE(r->count == 4);
    CHECK(r->mode == SL_MODE_HYBRID && r->coverage > 0.5 && r->vector != NULL);
    CHECK(r->results[0].lexical_rank > 0 && r->results[0].vector_rank > 0);
    CHECK(r->results[0].score > r->results[3].score);
    CHECK(!r->date_read && !r->widened && r->selected_documents == UINT64_MAX);
    for (uint32_t i = 0; i < r->count; i++)
        CHECK(r->results[i].lexical_rank > 0 || r->results[i].lexical_score == 0);
    small_close(small);
}

TEST(a_date_in_the_question_is_a_filter_inside_the_search)
{
    struct small_index *small = rates_open(true);
    struct sl_retrieved *r = find(small, "What was raised in December 2015?");

    CHECK(r->date_read && !r->widened);
    CHECK_THAT(strcmp(keys(small, r), "a c") == 0, "%s", keys(small, r));
    CHECK(sl_view_is(r->search_text, "What was raised ?"));
    CHECK(sl_view_is(r->filter_expression,
                     "date >= \"2015-12-01\" and date <= \"2015-12-31\""));
    CHECK(r->selected_documents == 2);
    r = find(small, "In 2016, was the rate raised?");
    CHECK(strcmp(keys(small, r), "b") == 0 && sl_view_is(r->search_text, "was the rate raised?"));
    small_close(small);
}

TEST(a_date_without_documents_is_widened_and_said)
{
    struct small_index *small = rates_open(true);
    struct sl_retrieved *r = find(small, "What was raised in 1999?");

    CHECK(r->date_read && r->widened && r->count > 0);
    CHECK(r->filter_expression.data == NULL && r->selected_documents == UINT64_MAX);
    CHECK(sl_view_is(r->search_text, "What was raised in 1999?"));
    small_close(small);
}

/* Whatever a question says, in text, filter or mode: of another tenant it sees nothing. */
TEST(no_question_sees_another_tenant)
{
    static const char *const texts[] = {
        "Who raised the target range?", "What was raised in December 2016?", "What was raised in 1999?",
        "the latest target range", "the target range as of 2016-12-31", "all versions of the target range",
        "tenant = law", "\" or tenant = \"law\" or \"", "again"};
    static const char *const filters[] = {
        NULL, "tenant = \"law\"", "tenant = \"law\" or tenant = \"hr\"", "not tenant = \"hr\"",
        "exists(tenant) or not exists(tenant)", "not (tenant = \"hr\" and date > \"2000\")",
        "tenant in (\"law\", \"hr\")", "tenant != \"hr\"", "valid_at(\"2016-12-31\")",
        "not valid_in(\"2016\")", "key = \"b\"", "date >= \"1900\"", "title = \"Statement\""};
    struct small_index *small = rates_open(true);
    struct sl_error err = {0};

    CHECK(strstr(keys(small, find(small, texts[0])), "b") != NULL); /* it is there to be seen */
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
        for (size_t f = 0; f < sizeof filters / sizeof *filters; f++)
            for (int variant = 0; variant < 12; variant++) {
                struct sl_question question = {
                    .text = sl_view_of(texts[t]), .asked_ms = -1, .tenant = SL_VIEW("hr"), .k = 100,
                    .filter_text = sl_view_of(filters[f]), .mode = (enum sl_mode)(variant % 3 + 1),
                    .exact = variant / 3 % 2 == 1, .widened = variant / 6 == 1};
                sl_arena_reset(small->arena);
                if (filters[f] != NULL)
                    small_check(sl_filter_parse(question.filter_text, small->arena, &question.filter,
                                                &err), &err);
                const char *found = keys(small, search(small, &question, &DEFAULTS));
                CHECK_THAT(found[0] == '\0' || strcmp(found, "a") == 0, "'%s', filter %s: %s", texts[t],
                           filters[f] ? filters[f] : "none", found);
            }
    small_close(small);
}

static struct small_index *rules_open(void)
{
    struct small_index *small = small_open(false);

    small_put(small, "old", "{\"title\": \"Article 7\", \"valid_from\": \"1998-01-01\", \"valid_to\": "
                            "\"2003-06-30\", \"text\": \"The working week of lamplighters is "
                            "forty-eight hours and of keepers fifty.\"}");
    small_put(small, "new", "{\"title\": \"Article 7\", \"valid_from\": \"2003-07-01\", \"text\": \"The "
                            "working week of lamplighters is forty hours and of keepers fifty.\"}");
    small_put(small, "other", "{\"title\": \"Article 7\", \"valid_from\": \"1998-01-01\", \"text\": "
                              "\"Lamplighters receive oil, wicks, a ladder and two pairs of gloves.\"}");
    small_put(small, "memo", "{\"title\": \"Memo\", \"date\": \"2002-01-10\", \"text\": \"A memo on the "
                             "week of lamplighters.\"}");
    small_put(small, "note", "{\"title\": \"Note\", \"date\": \"2012-01-10\", \"text\": \"A note on the "
                             "week of lamplighters.\"}");
    return small;
}

TEST(asked_as_of_a_day_only_what_was_in_force_or_known_then_is_found)
{
    struct small_index *small = rules_open();
    struct sl_retrieved *r = find(small, "What was the week of lamplighters as of 2003-06-30?");

    CHECK(r->date_read && r->date.as_of && !r->widened);
    CHECK_THAT(strcmp(keys(small, r), "memo old other") == 0, "%s", keys(small, r));
    CHECK_THAT(sl_view_is(r->filter_expression,
                          "valid_at(\"2003-06-30\") and (date <= \"2003-06-30\" or "
                          "valid_in(\"2003-06-30\", \"2003-06-30\"))"),
               "%.*s", SL_VIEW_ARG(r->filter_expression));
    r = find(small, "What was the week of lamplighters in force on 2012-06-30?");
    CHECK_THAT(strcmp(keys(small, r), "memo note new other") == 0 ||
                   strcmp(keys(small, r), "note memo new other") == 0, "%s", keys(small, r));
    r = find(small, "What was the week of lamplighters in 2002?"); /* in force then, or dated so */
    CHECK_THAT(strcmp(keys(small, r), "memo old other") == 0, "%s", keys(small, r));
    small_close(small);
}

TEST(of_versions_the_one_in_force_is_found_unless_versions_are_asked_for)
{
    struct small_index *small = rules_open();
    struct sl_retrieved *r = find(small, "working week hours of lamplighters");

    CHECK_THAT(strstr(keys(small, r), "old") == NULL && strstr(keys(small, r), "new") != NULL &&
                   strstr(keys(small, r), "other") != NULL,
               "%s", keys(small, r));
    for (uint32_t i = 1; i < r->count; i++)
        CHECK(r->results[i - 1].score >= r->results[i].score);
    r = find(small, "working week hours of lamplighters, all versions");
    CHECK(strstr(keys(small, r), "old") != NULL && strstr(keys(small, r), "new") != NULL);
    r = find(small, "the current working week hours of lamplighters");
    CHECK(r->newest && strstr(keys(small, r), "old") == NULL);
    CHECK(strstr(keys(small, r), "note") != NULL);
    small_close(small);
}

TEST(the_latest_are_preferred_when_asked_for_and_only_then)
{
    struct small_index *small = rates_open(false);
    struct sl_retrieved *r = find(small, "the statement on the target range");

    CHECK(!r->newest && strncmp(keys(small, r), "a b", 3) == 0); /* a is the shorter text */
    r = find(small, "the latest statement on the target range");
    CHECK_THAT(r->newest && strncmp(keys(small, r), "b a", 3) == 0, "%s", keys(small, r));
    r = find(small, "\xEC\xB5\x9C\xEA\xB7\xBC statement on the target range");
    CHECK_THAT(r->newest && strncmp(keys(small, r), "b a", 3) == 0, "%s", keys(small, r));
    CHECK(!find(small, "the current account")->newest);
    CHECK(!find(small, "electric currents")->newest);
    small_close(small);
}

/* Scores, too: whether documents have dates and bounds says nothing to a question that names none. */
TEST(undated_rankings_are_the_same_bits_with_and_without_dates)
{
    static const char *const texts[] = {"The committee raised the target range for the rate.",
                                        "The rate was raised again by the committee in the harbour.",
                                        "The tide gauge was cleaned and the buoys were painted."};
    float scores[2][3];
    char found[2][64];

    for (int dated = 0; dated < 2; dated++) {
        struct small_index *small = small_open(true);
        for (int i = 0; i < 3; i++) {
            struct sl_buffer json = {0};
            char key[2] = {(char)('a' + i), '\0'};
            sl_buffer_format(&json, "{\"title\": \"T%d\", \"text\": \"%s\"", i, texts[i]);
            if (dated)
                sl_buffer_format(&json, ", \"date\": \"201%d-05-06\", \"valid_from\": \"200%d-01-01\"", i, i);
            sl_buffer_format(&json, "}");
            small_put(small, key, json.data);
            sl_buffer_fini(&json);
        }
        struct sl_retrieved *r = find(small, "Who raised the rate in the harbour?");
        REQUIRE(r->count == 3);
        for (uint32_t i = 0; i < 3; i++)
            scores[dated][i] = r->results[i].score;
        (void)snprintf(found[dated], sizeof found[dated], "%s", keys(small, r));
        small_close(small);
    }
    CHECK(memcmp(scores[0], scores[1], sizeof scores[0]) == 0);
    CHECK_THAT(strcmp(found[0], found[1]) == 0, "%s, %s", found[0], found[1]);
}

TEST(widening_never_drops_tenant_or_the_callers_filter)
{
    struct small_index *small = rates_open(true);
    struct sl_error err = {0};
    struct sl_question question = {.text = SL_VIEW("What was raised in 1999?"), .asked_ms = -1,
                                   .tenant = SL_VIEW("hr"),
                                   .filter_text = SL_VIEW("exists(date)")};

    small_check(sl_filter_parse(question.filter_text, small->arena, &question.filter, &err), &err);
    struct sl_retrieved *r = search(small, &question, &DEFAULTS);
    CHECK(r->widened);
    CHECK_THAT(strcmp(keys(small, r), "a") == 0, "%s", keys(small, r));
    CHECK(sl_view_is(r->filter_expression, "(exists(date)) and tenant = \"hr\""));
    question.tenant = SL_VIEW("nobody");
    r = search(small, &question, &DEFAULTS);
    CHECK(r->count == 0);
    question.tenant = SL_VIEW("x\" or \"\" = \"");
    r = search(small, &question, &DEFAULTS);
    CHECK(r->count == 0);
    CHECK(sl_view_is(r->filter_expression,
                     "(exists(date)) and tenant = \"x\\\" or \\\"\\\" = \\\"\""));
    small_close(small);
}

TEST(the_expression_reported_selects_the_same_again)
{
    struct small_index *small = rates_open(false);
    struct sl_question question = {.text = SL_VIEW("raised in December 2015"), .asked_ms = -1,
                                   .tenant = SL_VIEW("hr")};
    struct sl_retrieved *r = search(small, &question, &DEFAULTS);
    struct sl_question again = {.text = SL_VIEW("raised"), .asked_ms = -1,
                                .filter_text = r->filter_expression};
    struct sl_error err = {0};

    small_check(sl_filter_parse(again.filter_text, small->arena, &again.filter, &err), &err);
    CHECK(strcmp(keys(small, r), "a") == 0);
    CHECK(strcmp(keys(small, search(small, &again, &DEFAULTS)), "a") == 0);
    small_close(small);
}

TEST(without_encoder_or_coverage_only_words_are_searched)
{
    struct small_index *small = rates_open(false);
    struct sl_retrieved *r = find(small, "raised rate");

    CHECK(r->mode == SL_MODE_LEXICAL && r->vector == NULL && r->count == 3);
    CHECK(r->results[0].vector_rank == 0 && r->results[0].score == r->results[0].lexical_score);
    small_close(small);
    small = rates_open(true);
    uint64_t before = fake_embedder_encoded(small->embedder);
    r = find(small, "\xEA\xB8\x88\xEB\xA6\xAC \xEC\x9D\xB8\xEC\x83\x81"); /* the fake knows ASCII only */
    CHECK(r->mode == SL_MODE_LEXICAL && r->coverage < 0.5);
    CHECK(fake_embedder_encoded(small->embedder) == before);
    small_close(small);
}

TEST(mode_vector_needs_vectors)
{
    struct small_index *small = rates_open(false);
    struct sl_question question = {.text = SL_VIEW("raised"), .asked_ms = -1, .mode = SL_MODE_VECTOR};
    struct sl_retrieved *retrieved = NULL;
    struct sl_error err = {0};

    CHECK(sl_retrieve(small->snapshot, &question, &DEFAULTS, NULL, &small->clock, small->arena,
                      &retrieved, &err) == SL_REJECT);
    CHECK(strcmp(err.reason, "no_vectors") == 0);
    /* an encoder, and an index made without: hybrid falls back, vector cannot */
    struct sl_embedder *embedder = fake_embedder_open(64, 256);
    CHECK(sl_retrieve(small->snapshot, &question, &DEFAULTS, embedder, &small->clock, small->arena,
                      &retrieved, &err) == SL_REJECT);
    CHECK(strcmp(err.reason, "no_vectors") == 0);
    question.mode = SL_MODE_HYBRID;
    CHECK(sl_retrieve(small->snapshot, &question, &DEFAULTS, embedder, &small->clock, small->arena,
                      &retrieved, &err) == SL_OK);
    CHECK(retrieved->mode == SL_MODE_LEXICAL && retrieved->count == 3);
    (void)sl_embedder_close(embedder);
    small_close(small);
}

TEST(k_bounds_the_hits)
{
    struct small_index *small = rates_open(true);
    struct sl_question question = {.text = SL_VIEW("raised rate"), .asked_ms = -1, .k = 2};

    CHECK(search(small, &question, &DEFAULTS)->count == 2);
    small_close(small);
}

TEST(age_halves_a_score_each_half_life)
{
    struct small_index *small = rates_open(false);
    struct sl_retrieve_options options = DEFAULTS;
    struct sl_retrieved *plain, *aged;

    /* today is 2016-11-07; document a is 327 days old, b lies in the future and keeps its weight */
    struct sl_question question = {.text = SL_VIEW("committee raised target"), .asked_ms = -1};
    plain = search(small, &question, &options);
    options.half_life_days = 327;
    aged = search(small, &question, &options);
    REQUIRE(plain->count >= 2 && aged->count >= 2);
    CHECK_THAT(strncmp(keys(small, plain), "a b", 3) == 0, "%s", keys(small, plain));
    float a_score = plain->results[0].score, b_score = plain->results[1].score;
    CHECK_THAT(strncmp(keys(small, aged), "b a", 3) == 0, "%s", keys(small, aged));
    CHECK(aged->results[0].score == b_score);
    CHECK(aged->results[1].score > a_score * 0.499f && aged->results[1].score < a_score * 0.501f);
    small_close(small);
}

TEST(a_question_that_is_only_a_date_finds_by_meaning)
{
    struct small_index *small = rates_open(true);
    struct sl_retrieved *r = find(small, "December 2015");

    CHECK(r->date_read && r->count == 2);
    small_close(small);
}
