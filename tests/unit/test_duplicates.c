/* test_duplicates.c -- copies of what was found already leave the results, and nothing else does. */
#include "small_index.h"

#include "retrieve/duplicates.h"

static const struct sl_retrieve_options DEFAULTS = {.mode = SL_MODE_LEXICAL, .k = 5, .ef = 64,
                                                    .fusion = SL_FUSION_RRF, .weight_lexical = 1,
                                                    .weight_vector = 1, .coverage_min = 0.5};

#define REPORT                                                                                    \
    "The harbour office keeps the register of moorings. Every boat longer than six metres is "    \
    "entered with its owner, its length and the berth that it was given. The register is open "   \
    "to the public on Mondays, and a copy of an entry costs two crowns."

static void put(struct small_index *small, const char *key, const char *title, const char *text)
{
    char json[2048];

    (void)snprintf(json, sizeof json, "{\"title\": \"%s\", \"text\": \"%s\"}", title, text);
    small_put(small, key, json);
}

static struct sl_retrieved *find(struct small_index *small, const char *text, bool duplicates)
{
    struct sl_question question = {
        .text = sl_view_of(text), .asked_ms = -1, .duplicates = duplicates};
    struct sl_retrieved *retrieved = NULL;
    struct sl_error err = {0};

    small_check(sl_retrieve(small->snapshot, &question, &DEFAULTS, NULL, &small->clock,
                            small->arena, &retrieved, &err), &err);
    return retrieved;
}

TEST(exact_copies_are_one_result_and_are_counted)
{
    struct small_index *small = small_open(false);
    struct sl_retrieved *r;

    for (int i = 0; i < 8; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "copy-%d", i);
        put(small, key, "Register", REPORT);
    }
    put(small, "other", "Berths", "A berth in the harbour is given by the register of moorings.");
    r = find(small, "register of moorings", false);
    REQUIRE(r->count == 2);
    CHECK(r->results[0].duplicates + r->results[1].duplicates == 7);
    r = find(small, "register of moorings", true);
    CHECK(r->count == 5 && r->results[0].duplicates == 0);
    small_close(small);
}

/* More copies than a search goes deep: it has to look deeper. */
TEST(copies_never_fill_the_results)
{
    struct small_index *small = small_open(false);
    struct sl_retrieved *r;

    for (int i = 0; i < 130; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "copy-%d", i);
        put(small, key, "Register", "The register of moorings, moorings register, register.");
    }
    put(small, "a", "Boats", "Boats are in a register that is kept by an office far away, and so on.");
    put(small, "b", "Fees", "The fee for an entry is two crowns, says the register, among others.");
    r = find(small, "register of moorings", false);
    CHECK_THAT(r->count == 3, "%u results", r->count);
    CHECK(r->results[0].duplicates == 129);
    small_close(small);
}

/* ------------------------------------------------------------------ copies that are stored, not indexed */

static void put_at(struct small_index *small, const char *key, const char *text)
{
    char json[2048];

    (void)snprintf(json, sizeof json, "{\"title\": \"Register\", \"url\": \"http://%s.example/\", \"text\": \"%s\"}",
                   key, text);
    small_put(small, key, json);
}

/* The keys found, in order; each result's chunk is read, and lies in its document's text. */
static const char *keys_found(struct small_index *small, const char *filter_text, bool duplicates, bool judged)
{
    static char keys[256];
    struct sl_retrieve_options options = DEFAULTS;
    struct sl_question question = {.text = SL_VIEW("register of moorings"), .asked_ms = -1,
                                   .duplicates = duplicates};
    struct sl_retrieved *r = NULL;
    struct sl_error err = {0};

    options.judged = judged;
    if (filter_text != NULL) {
        question.filter_text = sl_view_of(filter_text);
        small_check(sl_filter_parse(question.filter_text, small->arena, &question.filter, &err), &err);
    }
    small_check(sl_retrieve(small->snapshot, &question, &options, NULL, &small->clock, small->arena, &r, &err),
                &err);
    keys[0] = '\0';
    for (uint32_t i = 0; i < r->count; i++) {
        struct sl_document document;
        struct sl_chunk chunk;
        size_t used = strlen(keys);
        small_check(sl_snapshot_document(small->snapshot, r->results[i].doc, small->arena, &document, NULL, &err),
                    &err);
        small_check(sl_snapshot_chunk(small->snapshot, r->results[i].doc, r->results[i].chunk, small->arena, &chunk,
                                      &err), &err);
        CHECK(judged || (chunk.byte_end <= document.text.size && chunk.byte_end > 0));
        (void)snprintf(keys + used, sizeof keys - used, "%s%.*s", i > 0 ? " " : "", SL_VIEW_ARG(document.key));
        if (r->results[i].duplicates > 0)
            (void)snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "+%u", r->results[i].duplicates);
    }
    return keys;
}

#define CHECK_FOUND(wanted, ...)                                                                  \
    do {                                                                                          \
        const char *found = keys_found(small, __VA_ARGS__);                                       \
        CHECK_THAT(strcmp(found, wanted) == 0, "found %s, not %s", found, wanted);                \
    } while (0)

TEST(stored_copies_are_results_of_their_own_where_asked_for)
{
    struct small_index *small = small_open_copies(false, SL_DUPLICATES_EXACT);
    const char *const keys[] = {"a", "b", "c"};

    for (int i = 0; i < 3; i++)
        put_at(small, keys[i], REPORT);
    put_at(small, "other", "A berth is given by the register.");
    CHECK_FOUND("a+2 other", NULL, false, false);
    CHECK_FOUND("a b c other", NULL, true, false);
    CHECK_FOUND("a b c other", NULL, false, true);
    CHECK_FOUND("a b c", "url = \"http://a.example/\" or url = \"http://b.example/\" or key = \"c\"", true, false);
    small_close(small);
}

TEST(a_filter_shows_the_copy_that_it_selects)
{
    struct small_index *small = small_open_copies(false, SL_DUPLICATES_EXACT);
    const char *const keys[] = {"a", "b", "c"};

    for (int i = 0; i < 3; i++)
        put_at(small, keys[i], REPORT);
    CHECK_FOUND("b+2", "key = \"b\"", false, false);
    CHECK_FOUND("c+2", "url = \"http://c.example/\"", false, false);
    CHECK_FOUND("a+2", "title = \"Register\"", false, false);
    CHECK_FOUND("b+1 c", "key != \"a\"", true, false);
    CHECK_FOUND("", "key = \"d\"", true, false);
    small_close(small);
}

TEST(of_another_text_no_copy_is_quoted)
{
    struct small_index *small = small_open_copies(false, SL_DUPLICATES_NEAR);

    put_at(small, "a", REPORT " It is long.");
    put_at(small, "b", REPORT);
    CHECK_FOUND("a+1", NULL, false, false);
    CHECK_FOUND("a+1", NULL, true, false);
    CHECK_FOUND("a b", NULL, false, true);
    CHECK_FOUND("a+1", "key = \"b\"", false, false);
    small_close(small);
}

TEST(versions_are_one_result_unless_asked_for)
{
    struct small_index *small = small_open(false);

    put(small, "v1", "Register", REPORT);
    put(small, "v2", "Register", REPORT " It is kept for ten years.");
    CHECK(find(small, "Who may read the register of moorings?", false)->count == 1);
    CHECK(find(small, "Which versions of the register of moorings are there?", false)->count == 2);
    CHECK(find(small, "register of moorings 차이", false)->count == 2);
    small_close(small);
}

TEST(the_same_short_answer_to_another_question_stays)
{
    struct small_index *small = small_open(false);

    put(small, "a", "May I fish in the harbour?", "Yes, with a permit.");
    put(small, "b", "May I swim in the harbour?", "Yes, with a permit.");
    CHECK(find(small, "permit in the harbour", false)->count == 2);
    put(small, "c", "Harbour council of March", REPORT " The fee is 14 crowns.");
    put(small, "d", "Harbour council of June", REPORT " The fee is 16 crowns, as agreed.");
    CHECK(find(small, "harbour register fee crowns", false)->count == 4);
    small_close(small);
}

static double likeness(const char *a, const char *b)
{
    struct sl_arena *arena = sl_arena_open(1 << 20);
    double value = sl_duplicates_likeness(sl_view_of(a), sl_view_of(b), arena);

    (void)sl_arena_close(arena);
    return value;
}

/* One word changed in an article of a Korean act; another article of the same act. */
TEST(likeness_of_words_in_order)
{
    const char *article = "사용자는 1년간 80퍼센트 이상 출근한 근로자에게 15일의 유급휴가를 주어야 한다. "
                          "사용자는 계속하여 근로한 기간이 1년 미만인 근로자에게 1개월 개근 시 1일의 "
                          "유급휴가를 주어야 한다.";
    const char *version = "사용자는 1년간 90퍼센트 이상 출근한 근로자에게 15일의 유급휴가를 주어야 한다. "
                          "사용자는 계속하여 근로한 기간이 1년 미만인 근로자에게 1개월 개근 시 1일의 "
                          "유급휴가를 주어야 한다.";
    const char *other = "사용자는 근로자에게 1주에 평균 1회 이상의 유급휴일을 보장하여야 한다. 사용자는 "
                        "근로자에게 대통령령으로 정하는 휴일을 유급으로 보장하여야 한다.";

    CHECK(likeness(article, article) == 1);
    CHECK_THAT(likeness(article, version) > 0.8, "%f", likeness(article, version));
    CHECK_THAT(likeness(article, other) < 0.2, "%f", likeness(article, other));
    CHECK(likeness("The  RATE, was raised!", "the rate was raised") == 1);
    CHECK(likeness("the rate was raised", "raised was rate the") < 0.2);
    CHECK(likeness("東京都", "東京府") > 0 && likeness("東京都", "東京府") < 1);
    CHECK(likeness("", "") == 0);
}

/* Where there are no copies nothing changes, whatever is kept. */
TEST(without_copies_results_are_as_they_were)
{
    struct small_index *small = small_open(false);
    struct sl_retrieved *with, *without;

    for (int i = 0; i < 40; i++) {
        char key[16], text[256];
        (void)snprintf(key, sizeof key, "k%d", i);
        (void)snprintf(text, sizeof text, "The harbour has %d berths on pier %d, number %d is %s.", i,
                       i * 7 % 11, i * 13, i % 3 ? "free" : "taken by a boat from the harbour");
        put(small, key, "Pier", text);
    }
    with = find(small, "harbour berths free", false);
    without = find(small, "harbour berths free", true);
    REQUIRE(with->count == without->count);
    for (uint32_t i = 0; i < with->count; i++)
        CHECK(with->results[i].doc == without->results[i].doc &&
              with->results[i].duplicates == 0);
    small_close(small);
}
