/*
 * test_select.c -- filters inside the index select what sl_filter_matches() says, document by document.
 */
#include <sluice/arena.h>

#include "index_data.h"
#include "test.h"

#define DOCUMENTS 400

static const char *const speakers[] = {"YELLEN", "POWELL", "BERNANKE", "a\0b"};
static const char *const dates[] = {"2015-12-16", "2016",    "2019-07",  "2019-07-31",
                                    "2020-01-29", "not one", "2015-12"};
static char long_text[2][400];

struct made {
    struct sl_field fields[6];
    struct sl_day_range valid[2];
};

/* A document of random attributes, the same for the same number. */
static struct test_document make(int number, struct made *made)
{
    struct test_document document = {.offset = 1 + number, .fields = made->fields,
                                     .valid = made->valid};
    uint32_t n = 0;

    test_seed((unsigned long long)number + 99);
    for (int i = 0; i < 2 && test_random() % 3 > 0; i++) {
        size_t which = test_random() % 4;
        made->fields[n++] = (struct sl_field){
            .name = SL_VIEW("speaker"), .type = SL_FIELD_STRING, .in_array = true,
            .string = {speakers[which], which == 3 ? 3 : strlen(speakers[which])}};
    }
    if (test_random() % 4 > 0)
        made->fields[n++] = (struct sl_field){.name = SL_VIEW("size"), .type = SL_FIELD_NUMBER,
                                              .number = (double)(test_random() % 9) - 4.5};
    if (test_random() % 2 > 0)
        made->fields[n++] = (struct sl_field){.name = SL_VIEW("open"), .type = SL_FIELD_BOOL,
                                              .boolean = test_random() % 2 > 0};
    if (test_random() % 2 > 0)
        made->fields[n++] =
            (struct sl_field){.name = SL_VIEW("note"), .type = SL_FIELD_STRING,
                              .string = sl_view_of(test_random() % 3 == 0
                                                       ? "short"
                                                       : long_text[test_random() % 2])};
    document.field_count = n;
    document.date = test_random() % 5 > 0 ? dates[test_random() % 7] : NULL;
    document.lang = test_random() % 2 > 0 ? "en" : "ko";
    for (uint32_t i = 0; i < 2 && test_random() % 2 > 0; i++) {
        sl_day from = 10000 + (sl_day)(test_random() % 2000);
        made->valid[document.valid_count++] =
            (struct sl_day_range){from, from + (sl_day)(test_random() % 1000)};
    }
    return document;
}

static struct sl_index *make_index(void)
{
    struct sl_index *index = test_index_open(test_directory(), 0, SL_METRIC_COSINE);
    struct sl_batch *batch;
    struct sl_error err;
    struct made made;
    char key[16];

    memset(long_text, 'x', sizeof long_text);
    for (int i = 0; i < 2; i++) {
        long_text[i][300] = (char)('a' + i); /* differ behind what a key holds */
        long_text[i][399] = '\0';
    }
    if (sl_batch_begin(index, &batch, &err) != SL_OK)
        abort();
    for (int i = 0; i < DOCUMENTS; i++) {
        struct test_document document = make(i, &made);
        snprintf(key, sizeof key, "k%d", i);
        document.key = key;
        document.text = "some words";
        test_apply(index, batch, &document);
    }
    for (int i = 0; i < DOCUMENTS; i += 5) { /* replaced by the attributes of another, and deleted */
        struct test_document document = make(i + 1000, &made);
        enum sl_applied applied;
        snprintf(key, sizeof key, "k%d", i);
        document.key = key;
        document.text = "other words";
        document.offset = 5000;
        if (i % 2 == 0)
            test_apply(index, batch, &document);
        else
            sl_batch_delete(batch, TEST_TOPIC, sl_view_of(key), 0, 5000, &applied, &err);
    }
    if (sl_batch_commit(batch, &err) != SL_OK)
        abort();
    return index;
}

/* Does the selection hold exactly the documents that match? Returns how many, or -1. */
static int64_t agree(struct sl_snapshot *snapshot, const struct sl_filter *filter)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_selection *selection;
    struct sl_term_count term = {SL_VIEW("words"), 1, 0};
    struct sl_hit hits[SL_K_MAX];
    struct sl_error err;
    sl_doc_id doc = 0;
    uint64_t matching = 0, wrong = 0;
    uint32_t count;

    if (sl_snapshot_select(snapshot, filter, arena, &selection, &err) != SL_OK ||
        sl_snapshot_lexical(snapshot, &term, 1, SL_K_MAX, selection, hits, &count, NULL, &err) !=
            SL_OK)
        return -1;
    while (sl_snapshot_next(snapshot, doc, &doc, &err) == SL_OK) {
        struct sl_document document;
        bool expected, found = false;
        if (sl_snapshot_document(snapshot, doc, arena, &document, NULL, &err) != SL_OK)
            return -1;
        expected = sl_filter_matches(filter, &document);
        matching += expected;
        for (uint32_t i = 0; i < count; i++)
            found = found || hits[i].doc == doc;
        wrong += found != expected;
    }
    wrong += matching != sl_selection_count(selection) || matching != count;
    sl_arena_close(arena);
    return wrong == 0 ? (int64_t)matching : -1;
}

TEST(select_agrees_with_the_reference)
{
    static const char *const filters[] = {
        "speaker = \"YELLEN\"", "speaker != \"YELLEN\"", "not speaker = \"YELLEN\"",
        "speaker in (\"POWELL\", \"BERNANKE\")", "speaker > \"B\" and speaker < \"Q\"",
        "size >= 0", "size = 2.5", "size < -1 or size > 3", "size != 0.5", "size in (1.5, -4.5)",
        "open = true", "open != true", "not exists(open)", "exists(speaker) and open = false",
        "date = \"2019-07\"", "date <= \"2019-07\"", "date < \"2016\"", "date > \"2015-12\"",
        "date >= \"2016\" and date < \"2020\"", "date != \"2019-07\"", "not exists(date)",
        "date > \"2999\"", "lang = \"ko\"", "topic = \"docs\"", "topic = \"other\"",
        "key in (\"k7\", \"k8\", \"k5\", \"k399\")", "key > \"k39\"", "missing = 1",
        "not missing = 1", "valid_at(\"1999-06-01\")", "not valid_at(\"1999-06-01\")",
        "valid_in(\"1999\")", "valid_in(\"1990\", \"2030\")", "not valid_in(\"1995\", \"1999-06-01\")",
        "valid_at(\"1990-01-01\")", "note = \"short\"", "note != \"short\"", "note > \"w\"",
        "exists(note) and (lang = \"en\" or not size > 0)", "size = \"text\"", "speaker = 3"};
    struct sl_index *index = make_index();
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_arena *arena = sl_arena_open(1u << 20);
    int some = 0;

    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        const struct sl_filter *filter;
        struct sl_error err;
        int64_t count;
        CHECK_THAT(sl_filter_parse(sl_view_of(filters[i]), arena, &filter, &err) == SL_OK, "%s",
                   filters[i]);
        count = agree(snapshot, filter);
        CHECK_THAT(count >= 0, "%s", filters[i]);
        some += count > 0 && count < 300;
    }
    CHECK(some > 25); /* the filters do tell documents apart */
    sl_arena_close(arena);
    sl_snapshot_close(snapshot);
    CHECK(test_verify(index, NULL) == 0);
    sl_index_close(index);
}

TEST(select_compares_long_strings_whole)
{
    struct sl_index *index = make_index();
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_arena *arena = sl_arena_open(1u << 20);
    static const enum sl_filter_op ops[] = {SL_FILTER_EQ, SL_FILTER_NE, SL_FILTER_LT,
                                            SL_FILTER_LE, SL_FILTER_GT, SL_FILTER_GE};

    for (size_t i = 0; i < 6; i++) {
        struct sl_filter_value value = {.type = SL_FIELD_STRING,
                                        .string = sl_view_of(long_text[0])};
        struct sl_filter filter = {
            .op = ops[i], .field = SL_VIEW("note"), .values = &value, .value_count = 1};
        int64_t count = agree(snapshot, &filter);
        CHECK_THAT(count >= 0, "operator %d", (int)ops[i]);
        CHECK(ops[i] == SL_FILTER_LT || count > 0);
    }
    {
        struct sl_filter_value value = {.type = SL_FIELD_STRING, .string = {"a\0b", 3}};
        struct sl_filter filter = {
            .op = SL_FILTER_EQ, .field = SL_VIEW("speaker"), .values = &value, .value_count = 1};
        CHECK(agree(snapshot, &filter) > 0);
    }
    sl_arena_close(arena);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
}

TEST(select_without_filter_is_everything)
{
    struct sl_index *index = make_index();
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_arena *arena = sl_arena_open(1u << 20);
    struct sl_selection *selection = (struct sl_selection *)1;
    struct sl_error err;

    CHECK(sl_snapshot_select(snapshot, NULL, arena, &selection, &err) == SL_OK);
    CHECK(selection == NULL);
    sl_arena_close(arena);
    sl_snapshot_close(snapshot);
    sl_index_close(index);
}
