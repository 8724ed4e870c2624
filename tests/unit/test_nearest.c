/*
 * test_nearest.c -- searches among what a filter selects, from half of all documents to none.
 */
#include "index_data.h"
#include "test.h"

#define DIM       24
#define DOCUMENTS 1200
#define CLUSTERS  12
#define K         20

/* Of `share` documents one is selected: at random, or all those of some clusters. */
static const struct {
    int share;
    bool by_cluster;
} filters[] = {{2, false}, {10, false}, {100, false}, {400, false}, {2, true}, {12, true}};

#define FILTERS (int)(sizeof filters / sizeof *filters)

static bool is_selected(int filter, int number)
{
    int cluster = number % CLUSTERS;

    if (filters[filter].by_cluster)
        return cluster < CLUSTERS / filters[filter].share;
    return (number * 7919 + 13) % DOCUMENTS < DOCUMENTS / filters[filter].share;
}

static void cluster_vector(int cluster, float *ret_vector)
{
    char name[24];

    snprintf(name, sizeof name, "cluster %d", cluster);
    test_vector(sl_view_of(name), DIM, ret_vector);
    for (int i = 0; i < DIM; i++)
        ret_vector[i] += 0.3f * (float)(test_uniform() - 0.5);
    test_vector_unit(ret_vector, DIM);
}

static struct sl_index *make_index(enum sl_storage storage)
{
    struct sl_index_options options = {
        .path = test_directory(), .map_size_bytes = 1ull << 32, .dim = DIM, .storage = storage};
    struct sl_index *index;
    struct sl_batch *batch;
    struct sl_error err;

    test_seed(11);
    if (sl_index_open(&options, &index, &err) != SL_OK ||
        sl_batch_begin(index, &batch, &err) != SL_OK)
        abort();
    for (int number = 0; number < DOCUMENTS; number++) {
        char key[16], names[FILTERS][24];
        float vector[DIM];
        struct sl_field fields[FILTERS];
        struct test_document document = {
            .key = key, .text = key, .offset = 1, .vectors = vector, .fields = fields};
        snprintf(key, sizeof key, "%d", number);
        cluster_vector(number % CLUSTERS, vector);
        for (int f = 0; f < FILTERS; f++) {
            snprintf(names[f], sizeof names[f], "filter%d", f);
            fields[document.field_count] =
                (struct sl_field){sl_view_of(names[f]), SL_FIELD_BOOL, .boolean = true};
            document.field_count += is_selected(f, number);
        }
        test_apply(index, batch, &document);
    }
    if (sl_batch_commit(batch, &err) != SL_OK)
        abort();
    return index;
}

/* Only what is selected, as many as there are, none twice. */
static void check_hits(struct sl_snapshot *snapshot, int filter, const struct sl_hit *hits,
                       uint32_t count, const char *what)
{
    uint32_t matching = 0;

    for (int number = 0; number < DOCUMENTS; number++)
        matching += is_selected(filter, number);
    CHECK_THAT(count == (matching < K ? matching : K), "%s, filter %d: %u of %u", what, filter,
               count, matching);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(is_selected(filter, atoi(test_key_of(snapshot, hits[i].doc))));
        for (uint32_t j = 0; j < i; j++)
            CHECK(hits[i].doc != hits[j].doc);
        CHECK(i == 0 || hits[i].score <= hits[i - 1].score);
    }
}

static void check_filter(struct sl_snapshot *snapshot, int filter, const char *what)
{
    struct sl_arena *arena = sl_arena_open(1u << 20);
    const struct sl_filter *tree;
    struct sl_selection *selection;
    struct sl_error err;
    char expression[32];

    snprintf(expression, sizeof expression, "filter%d = true", filter);
    CHECK(sl_filter_parse(sl_view_of(expression), arena, &tree, &err) == SL_OK);
    REQUIRE(sl_snapshot_select(snapshot, tree, arena, &selection, &err) == SL_OK);
    for (int q = 0; q < 2 * CLUSTERS; q++) {
        struct sl_hit hits[K];
        float query[DIM];
        uint32_t count;
        cluster_vector(q % CLUSTERS, query); /* near what is selected, and far from it */
        CHECK(sl_snapshot_nearest(snapshot, query, K, q < CLUSTERS ? K : 100, q % 5 == 0, selection,
                                  hits, &count, NULL, &err) == SL_OK);
        check_hits(snapshot, filter, hits, count, what);
    }
    sl_arena_close(arena);
}

TEST(nearest_I12_a_selection_is_kept_to_and_exhausted)
{
    static const enum sl_storage storages[] = {SL_STORAGE_F32, SL_STORAGE_I8, SL_STORAGE_BIT};

    for (int s = 0; s < 3; s++) {
        struct sl_index *index = make_index(storages[s]);
        struct sl_snapshot *snapshot = test_snapshot(index);
        for (int filter = 0; filter < FILTERS; filter++)
            check_filter(snapshot, filter, sl_storage_name(storages[s]));
        sl_snapshot_close(snapshot);
        sl_index_close(index);
    }
}

TEST(nearest_I12_nothing_selected_is_nothing_found)
{
    struct sl_index *index = make_index(SL_STORAGE_F32);
    struct sl_arena *arena = sl_arena_open(1u << 20);
    struct sl_snapshot *snapshot = test_snapshot(index);
    const struct sl_filter *filter;
    struct sl_selection *selection;
    struct sl_hit hit;
    struct sl_error err;
    float query[DIM];
    uint32_t count = 1;

    cluster_vector(0, query);
    CHECK(sl_filter_parse(SL_VIEW("filter0 = 1"), arena, &filter, &err) == SL_OK);
    REQUIRE(sl_snapshot_select(snapshot, filter, arena, &selection, &err) == SL_OK);
    CHECK(sl_snapshot_nearest(snapshot, query, 1, 10, false, selection, &hit, &count, NULL, &err) ==
          SL_OK);
    CHECK(count == 0 && selection != NULL && sl_selection_count(selection) == 0);
    sl_snapshot_close(snapshot);
    sl_arena_close(arena);
    sl_index_close(index);
}
