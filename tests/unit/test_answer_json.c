/* test_answer_json.c -- the JSON of an answer: every key, its order, and that it is always valid. */
#include "../support/test.h"

#include <cjson/cJSON.h>
#include <sluice/decode.h>
#include <sluice/respond.h>

static const struct sl_index_state STATE = {.positions_json = {"{\"docs/0\": 18}", 14},
                                            .lag_records = 0, .documents = 63, .chunks = 4100};

static const char *write_json(const struct sl_answer *answer, const struct sl_question *question,
                              const struct sl_index_state *state)
{
    static char text[65536];
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(8 << 20);
    struct sl_view json = SL_VIEW_NULL;
    cJSON *root = NULL;

    CHECK(sl_answer_json(answer, question, SL_VIEW("id-1"), state, arena, &json, NULL) == SL_OK);
    CHECK(sl_json_parse(json, &root, NULL) == SL_OK); /* the strict check of documents */
    cJSON_Delete(root);
    (void)snprintf(text, sizeof text, "%.*s", SL_VIEW_ARG(json));
    return text;
}

static void check_equal(const char *got, const char *expected)
{
    CHECK_THAT(strcmp(got, expected) == 0, "\n got      %s\n expected %s", got, expected);
}

TEST(an_answer_has_every_key_in_its_order)
{
    struct sl_citation citation = {.n = 1, .doc = 7, .chunk = 3, .topic = SL_VIEW("docs"),
                                   .key = SL_VIEW("k\"1"), .title = SL_VIEW("T"),
                                   .date = SL_VIEW("2015-12"), .partition = 0, .offset = 17,
                                   .byte_start = 1201, .byte_end = 1206, .quote = SL_VIEW("a\nb c"),
                                   .score = 0.83F};
    struct sl_result result = {.doc = 7, .chunk = 3, .score = 0.5F, .lexical_score = 12.25F,
                               .lexical_rank = 1, .rank_before = 3, .rerank_rank = 1, .rerank_score = -2.5F,
                               .rerank_share = 1};
    struct sl_retrieved retrieved = {.results = &result, .count = 1, .date_read = true,
                                     .date = {.days = {0, SL_DAY_MAX}},
                                     .filter_expression = SL_VIEW("date >= \"1970-01-01\"")};
    struct sl_view warnings[] = {SL_VIEW("k clamped to 100"), SL_VIEW("x")};
    struct sl_answer answer = {.status = SL_STATUS_ANSWERED, .text = SL_VIEW("a b c [1]"),
                               .span = {.n = 1, .byte_start = 1203, .byte_end = 1204, .text = SL_VIEW("b")},
                               .citations = &citation, .citation_count = 1, .retrieved = &retrieved,
                               .hits = &citation, .hit_count = 1, .warnings = warnings,
                               .warning_count = 2, .embed_ms = 1.23456, .total_ms = 2,
                               .embed_model = SL_VIEW("m"), .answer_model = SL_VIEW("extract")};
    struct sl_question question = {.text = SL_VIEW("why?"), .return_hits = true};

    check_equal(write_json(&answer, &question, &STATE),
        "{\"id\": \"id-1\", \"query\": \"why?\", \"status\": \"answered\", \"error\": null, "
        "\"answer\": \"a b c [1]\", \"span\": {\"n\": 1, \"text\": \"b\", \"byte_start\": 1203, "
        "\"byte_end\": 1204}, \"citations\": [{\"n\": 1, \"doc\": \"k\\\"1\", \"topic\": "
        "\"docs\", \"partition\": 0, \"offset\": 17, \"chunk\": 3, \"title\": \"T\", \"date\": "
        "\"2015-12\", \"byte_start\": 1201, \"byte_end\": 1206, \"quote\": \"a\\nb c\", \"score\": "
        "0.83}], \"hits\": [{\"doc\": \"k\\\"1\", \"topic\": \"docs\", \"partition\": 0, "
        "\"offset\": 17, \"chunk\": 3, \"title\": \"T\", \"date\": \"2015-12\", \"byte_start\": "
        "1201, \"byte_end\": 1206, \"text\": \"a\\nb c\", \"score\": 0.5, \"lexical_score\": 12.25, "
        "\"lexical_rank\": 1, \"vector_score\": null, \"vector_rank\": null, \"rank_before\": 3, "
        "\"rerank_score\": -2.5, \"rerank_rank\": 1, \"rerank_share\": 1, \"duplicates\": 0}], \"filter\": "
        "{\"expression\": \"date >= \\\"1970-01-01\\\"\", \"from_query\": true, \"date_from\": "
        "\"1970-01-01\", \"date_to\": null, \"widened\": false}, \"index\": {\"position\": "
        "{\"docs/0\": 18}, \"lag_records\": 0, \"documents\": 63, \"chunks\": 4100}, \"warnings\": "
        "[\"k clamped to 100\", \"x\"], \"timing_ms\": {\"embed\": 1.235, \"search\": 0, "
        "\"dates\": 0, \"lexical\": 0, \"vector\": 0, \"fusion\": 0, "
        "\"rerank\": 0, \"generate\": 0, \"total\": 2}, \"model\": {\"embed\": \"m\", \"answer\": "
        "\"extract\"}}");
}

TEST(a_tenant_does_not_learn_how_much_others_have)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_question question = {.text = SL_VIEW("q")};
    struct sl_index_state state = {.lag_records = -1, .documents = 63, .chunks = 4100, .of_tenant = true};
    struct sl_error err = {.reason = "bad_k", .message = "wrong"};
    struct sl_answer answer;
    const char *json;

    sl_answer_refuse(&err, arena, &answer);
    json = write_json(&answer, &question, &state);
    CHECK(strstr(json, "\"documents\"") == NULL);
    CHECK(strstr(json, "4100") == NULL);
    state.of_tenant = false;
    json = write_json(&answer, &question, &state);
    CHECK(strstr(json, "\"chunks\": 4100") != NULL);
}

TEST(an_error_answer_has_the_same_keys)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    struct sl_question question = {.text = SL_VIEW_NULL};
    struct sl_index_state unknown = {.lag_records = -1};
    struct sl_error err = {.reason = "bad_k", .message = "question: \"k\" is wrong"};
    struct sl_answer answer;

    sl_answer_refuse(&err, arena, &answer);
    check_equal(write_json(&answer, &question, &unknown),
        "{\"id\": \"id-1\", \"query\": null, \"status\": \"error\", \"error\": {\"code\": \"bad_k\", "
        "\"message\": \"question: \\\"k\\\" is wrong\"}, \"answer\": \"\", \"span\": null, \"citations\": [], "
        "\"filter\": {\"expression\": null, \"from_query\": false, \"date_from\": null, \"date_to\": "
        "null, \"widened\": false}, \"index\": {\"position\": {}, \"lag_records\": null, "
        "\"documents\": 0, \"chunks\": 0}, \"warnings\": [], \"timing_ms\": {\"embed\": 0, "
        "\"search\": 0, \"dates\": 0, \"lexical\": 0, \"vector\": 0, \"fusion\": 0, "
        "\"rerank\": 0, \"generate\": 0, \"total\": 0}, \"model\": {\"embed\": \"\", "
        "\"answer\": \"extract\"}}");
}

TEST(bytes_that_are_not_utf8_never_leave)
{
    struct sl_citation citation = {.n = 1, .key = SL_VIEW("\xFFk"), .quote = SL_VIEW("x")};
    struct sl_answer answer = {.status = SL_STATUS_ANSWERED, .text = SL_VIEW("x\x01"),
                               .citations = &citation, .citation_count = 1,
                               .embed_model = SL_VIEW(""), .answer_model = SL_VIEW("extract")};
    struct sl_question question = {.text = SL_VIEW("q")};
    const char *json = write_json(&answer, &question, &STATE);

    CHECK(strstr(json, "\"doc\": \"\xEF\xBF\xBDk\"") != NULL && strstr(json, "x\\u0001") != NULL);
}

TEST(long_hits_share_a_bounded_room_and_are_cut_at_a_character)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(64 << 20);
    struct sl_result results[4] = {{.doc = 1}, {.doc = 2}, {.doc = 3}, {.doc = 4}};
    struct sl_citation hits[4] = {{0}};
    struct sl_retrieved retrieved = {.results = results, .count = 4};
    struct sl_question question = {.text = SL_VIEW("q"), .return_hits = true};
    struct sl_answer answer = {.status = SL_STATUS_NOT_FOUND, .hits = hits, .hit_count = 4,
                               .retrieved = &retrieved, .embed_model = SL_VIEW(""),
                               .answer_model = SL_VIEW("extract")};
    struct sl_view json = SL_VIEW_NULL;
    struct sl_buffer text = {0};
    cJSON *root = NULL;

    for (int i = 0; i < 300000; i++)
        sl_buffer_view(&text, SL_VIEW("\xEA\xB0\x80"));
    for (int i = 0; i < 4; i++)
        hits[i].quote = (struct sl_view){text.data, text.size};
    CHECK(sl_answer_json(&answer, &question, SL_VIEW("i"), &STATE, arena, &json, NULL) == SL_OK);
    CHECK(json.size < 600000 && sl_json_parse(json, &root, NULL) == SL_OK);
    cJSON_Delete(root);
    sl_buffer_fini(&text);
}

TEST(no_room_is_an_error_and_not_half_an_answer)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(64);
    struct sl_question question = {.text = SL_VIEW("q")};
    struct sl_answer answer = {.status = SL_STATUS_NOT_FOUND};
    struct sl_view json = SL_VIEW_NULL;
    struct sl_error err;

    CHECK(sl_answer_json(&answer, &question, SL_VIEW("i"), &STATE, arena, &json, &err) == SL_REJECT);
    CHECK(strcmp(err.reason, "too_large") == 0 && json.data == NULL);
}
