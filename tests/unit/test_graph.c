/*
 * test_graph.c -- walking and changing the graph: what the public interface cannot show one by one.
 */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

#include "index/internal.h"
#include "index_data.h"
#include "test.h"

#define DIM 24 /* not a whole number of lines: padding is at work */

static struct sl_index *make_index(int count, enum sl_metric metric)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, metric);
    struct sl_batch *batch;
    struct sl_error err;
    float vector[DIM];
    char key[16];

    if (sl_batch_begin(index, &batch, &err) != SL_OK)
        abort();
    for (int i = 0; i < count; i++) {
        struct test_document document = {.key = key, .text = key, .offset = 1, .vectors = vector};
        snprintf(key, sizeof key, "%d", i);
        test_cluster_vector(20, DIM, vector);
        test_apply(index, batch, &document);
    }
    if (sl_batch_commit(batch, &err) != SL_OK)
        abort();
    return index;
}

/* A query as the index compares it: with f16 and bf16, rounded as its vectors are. */
static void as_kept(const struct sl_graph *graph, float *vector)
{
    _Alignas(SL_LINE_BYTES) char kept[SL_LINE_BYTES * 4];

    sl_codec_encode(&graph->exact, vector, kept);
    sl_codec_decode(&graph->exact, kept, vector);
}

/* Exact search against a plain loop. */
static void check_exact(struct sl_index *index, enum sl_metric metric)
{
    struct sl_snapshot *snapshot = test_snapshot(index);
    struct sl_hit hits[10];
    struct sl_error err;
    float query[DIM];
    uint32_t count, better = 0;

    test_cluster_vector(20, DIM, query);
    as_kept(index->graph, query);
    REQUIRE(sl_snapshot_nearest(snapshot, query, 10, 10, true, NULL, hits, &count, NULL, &err) ==
            SL_OK);
    CHECK(count == 10);
    for (uint32_t slot = 0; slot < index->graph->slot_end; slot++) {
        float vector[DIM];
        double ip = 0, l2 = 0;
        sl_graph_vector_get(index->graph, slot, vector);
        for (int i = 0; i < DIM; i++) {
            ip += (double)vector[i] * (double)query[i];
            l2 += ((double)vector[i] - (double)query[i]) * ((double)vector[i] - (double)query[i]);
        }
        better += (metric == SL_METRIC_L2 ? -l2 : ip) > (double)hits[9].score - 1e-6;
    }
    CHECK_THAT(better == 10, "%u are as good as the tenth", better);
    for (uint32_t i = 1; i < count; i++)
        CHECK(hits[i - 1].score >= hits[i].score);
    sl_snapshot_close(snapshot);
}

TEST(nearest_exact_is_exact_in_each_metric)
{
    static const enum sl_metric metrics[] = {SL_METRIC_IP, SL_METRIC_COSINE, SL_METRIC_L2};

    test_seed(2);
    for (int i = 0; i < 3; i++) {
        struct sl_index *index = make_index(500, metrics[i]);
        check_exact(index, metrics[i]);
        CHECK(test_verify(index, NULL) == 0);
        sl_index_close(index);
    }
}

TEST(nearest_equal_vectors_do_not_hide_each_other)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct sl_snapshot *snapshot;
    struct sl_batch *batch;
    struct sl_hit hits[300];
    struct sl_error err;
    float same[DIM], other[DIM];
    char key[16], line[320];
    uint32_t count;

    test_vector(SL_VIEW("same"), DIM, same);
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    for (int i = 0; i < 300; i++) {
        struct test_document document = {.key = key, .text = key, .offset = 1,
                                         .vectors = i % 10 == 0 ? other : same};
        snprintf(key, sizeof key, "%d", i);
        test_vector(sl_view_of(key), DIM, other);
        test_apply(index, batch, &document);
    }
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    snapshot = test_snapshot(index);
    CHECK(sl_snapshot_nearest(snapshot, same, 300, 300, false, NULL, hits, &count, NULL, &err) ==
          SL_OK);
    CHECK_THAT(count == 300, "%u", count);
    for (uint32_t i = 1; i < 270 && i < count; i++)
        CHECK(hits[i].doc > hits[i - 1].doc); /* equal scores: by document */
    sl_snapshot_close(snapshot);
    CHECK_THAT(test_verify(index, line) == 0, "%s", line);
    sl_index_close(index);
}

TEST(nearest_with_many_windows_a_chunk_still_finds_k_chunks)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot;
    struct sl_batch *batch;
    struct sl_hit hits[20];
    struct sl_error err;
    float query[DIM];
    uint32_t count;

    test_seed(4);
    REQUIRE(sl_batch_begin(index, &batch, &err) == SL_OK);
    for (uint32_t d = 0; d < 30; d++) { /* 30 documents of one chunk with 40 windows near each other */
        struct sl_window *windows = SL_NEW_ARRAY(arena, struct sl_window, 40);
        struct sl_chunk chunk = {.byte_end = 4, .windows = windows, .window_count = 40};
        struct sl_document document = {.topic = TEST_TOPIC, .text = SL_VIEW("text"),
                                       .text_media = SL_MEDIA_TEXT, .offset = 1};
        struct sl_prepared *prepared;
        enum sl_applied applied;
        char key[8];
        document.key = (struct sl_view){key, (size_t)snprintf(key, sizeof key, "%u", d)};
        for (uint32_t w = 0; w < 40; w++) {
            float *vector = SL_NEW_ARRAY(arena, float, DIM);
            test_vector(document.key, DIM, vector);
            for (int i = 0; i < DIM; i++)
                vector[i] += 0.02f * (float)test_uniform();
            test_vector_unit(vector, DIM);
            windows[w] = (struct sl_window){0, 4, {(uint8_t)w, (uint8_t)d}, vector};
        }
        REQUIRE(sl_index_prepare(index, &document, &chunk, 1, &prepared, &err) == SL_OK);
        REQUIRE(sl_batch_apply(batch, prepared, &applied, &err) == SL_OK);
    }
    REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    snapshot = test_snapshot(index);
    test_vector(SL_VIEW("7"), DIM, query);
    CHECK(sl_snapshot_nearest(snapshot, query, 20, 20, false, NULL, hits, &count, NULL, &err) ==
          SL_OK);
    CHECK(count == 20 && strcmp(test_key_of(snapshot, hits[0].doc), "7") == 0);
    sl_snapshot_close(snapshot);
    CHECK(test_verify(index, NULL) == 0);
    sl_arena_close(arena);
    sl_index_close(index);
}

/* --------------------------------------------------------------------- a filter inside the walk */

static bool one_in_ten(const void *context, uint32_t slot)
{
    (void)context;
    return slot % 10 == 3;
}

TEST(walk_filtered_finds_what_passes_by_itself)
{
    struct sl_index *index;
    struct sl_graph *graph;
    uint32_t found = 0, wanted = 0;
    float query[DIM];

    test_seed(8);
    index = make_index(4000, SL_METRIC_COSINE);
    graph = index->graph;
    for (int q = 0; q < 50; q++) {
        struct sl_walk *walk;
        struct sl_near best[10];
        uint32_t count = 0;
        uint64_t compared;
        bool gave_up;
        test_cluster_vector(20, DIM, query);
        walk = sl_walk_begin(graph, query);
        REQUIRE(sl_walk_filtered(graph, walk, 64, 0.1, one_in_ten, NULL, UINT64_MAX, &gave_up));
        CHECK(!gave_up);
        compared = walk->distances;
        for (uint32_t slot = 3; slot < graph->slot_end; slot += 10) {
            struct sl_near item = {0, slot};
            uint32_t at = count < 10 ? count++ : 9;
            sl_walk_exact(graph, walk, &item, 1);
            if (at == 9 && count == 10 && best[9].distance <= item.distance && slot > 93)
                continue;
            for (; at > 0 && best[at - 1].distance > item.distance; at--)
                best[at] = best[at - 1];
            best[at] = item;
        }
        wanted += 10;
        for (uint32_t i = 0; i < 10; i++)
            for (uint32_t j = 0; j < walk->result_count; j++)
                found += best[i].slot == walk->results[j].slot;
        for (uint32_t j = 0; j < walk->result_count; j++)
            CHECK(one_in_ten(NULL, walk->results[j].slot));
        CHECK_THAT(compared < 1500, "%d", (int)compared);
        sl_walk_end(graph, walk);
    }
    /* signs of 24 dimensions tell little */
    CHECK_THAT(found >= wanted * (test_storage() == SL_STORAGE_BIT ? 85 : 97) / 100, "%u of %u",
               found, wanted);
    sl_index_close(index);
}

struct halves {
    float *distances; /* by slot */
    float border;
    bool far;
};

static bool in_half(const void *context, uint32_t slot)
{
    const struct halves *halves = context;

    return (halves->distances[slot] > halves->border) == halves->far;
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;

    return (x > y) - (x < y);
}

TEST(walk_filtered_gives_up_where_the_filter_goes_against_the_query)
{
    struct sl_index *index;
    struct sl_graph *graph;
    float query[DIM];

    test_seed(13);
    index = make_index(4000, SL_METRIC_COSINE);
    graph = index->graph;
    for (int q = 0; q < 10; q++)
        for (int far = 0; far < 2; far++) {
            struct halves halves = {.distances = malloc(4000 * sizeof(float)), .far = far == 1};
            float *sorted = malloc(4000 * sizeof *sorted);
            struct sl_walk *walk;
            bool gave_up;
            test_cluster_vector(20, DIM, query);
            walk = sl_walk_begin(graph, query);
            for (uint32_t slot = 0; slot < 4000; slot++) {
                struct sl_near item = {0, slot};
                sl_walk_exact(graph, walk, &item, 1);
                halves.distances[slot] = sorted[slot] = item.distance;
            }
            qsort(sorted, 4000, sizeof *sorted, compare_floats);
            halves.border = sorted[2000];
            REQUIRE(sl_walk_filtered(graph, walk, 64, 0.5, in_half, &halves, UINT64_MAX, &gave_up));
            CHECK_THAT(gave_up == halves.far, "query %d, the %s half", q, far ? "farther" : "nearer");
            sl_walk_end(graph, walk);
            free(halves.distances);
            free(sorted);
        }
    sl_index_close(index);
}

/* -------------------------------------------------------------------------------------- threads */

struct race {
    struct sl_index *index;
    atomic_bool stop;
    atomic_int searches;
    atomic_int prepared;
    atomic_int wrong;
};

/* Each committed state holds every key exactly once; a search for all of them must say so. */
static void *search_on(void *context)
{
    struct race *race = context;
    float query[DIM];

    test_vector(SL_VIEW("any"), DIM, query);
    while (!atomic_load(&race->stop)) {
        struct sl_snapshot *snapshot;
        struct sl_hit walked[100], exact[100];
        struct sl_error err;
        uint32_t walked_count, exact_count;
        if (sl_snapshot_open(race->index, &snapshot, &err) != SL_OK)
            continue;
        if (sl_snapshot_nearest(snapshot, query, 100, 200, false, NULL, walked, &walked_count, NULL,
                                &err) != SL_OK ||
            sl_snapshot_nearest(snapshot, query, 100, 200, true, NULL, exact, &exact_count, NULL,
                                &err) != SL_OK)
            atomic_fetch_add(&race->wrong, 1);
        else if (walked_count != 100 || exact_count != 100)
            atomic_fetch_add(&race->wrong, 1);
        sl_snapshot_close(snapshot);
        atomic_fetch_add(&race->searches, 1);
    }
    return NULL;
}

/* Documents made ready beside the writer; what they plan is out of date at once. */
static void *prepare_on(void *context)
{
    struct race *race = context;

    while (!atomic_load(&race->stop)) {
        struct test_document document = {.key = "ready", .text = "ready", .offset = 1};
        sl_prepared_free(test_prepare(race->index, &document));
        atomic_fetch_add(&race->prepared, 1);
    }
    return NULL;
}

TEST(graph_is_searched_while_it_changes)
{
    struct race race = {.index = make_index(100, SL_METRIC_COSINE)};
    pthread_t threads[3];
    struct sl_error err;
    float vector[DIM];
    char line[320];
    int64_t offset = 1;

    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, search_on, &race);
    pthread_create(&threads[2], NULL, prepare_on, &race);
    test_seed(9);
    for (int round = 0; round < 30; round++) {
        struct sl_batch *batch;
        REQUIRE(sl_batch_begin(race.index, &batch, &err) == SL_OK);
        for (int i = 0; i < 50; i++) {
            char key[16];
            struct test_document document = {.key = key, .text = key, .offset = ++offset,
                                             .vectors = vector};
            snprintf(key, sizeof key, "%d", (int)(test_random() % 100));
            test_cluster_vector(20, DIM, vector);
            test_apply(race.index, batch, &document);
        }
        if (round % 7 == 6)
            sl_batch_abort(batch); /* the graph is exchanged under their feet */
        else
            REQUIRE(sl_batch_commit(batch, &err) == SL_OK);
    }
    atomic_store(&race.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK_THAT(race.wrong == 0, "%d of %d searches", race.wrong, race.searches);
    CHECK(race.searches > 0 && race.prepared > 0);
    CHECK_THAT(test_verify(race.index, line) == 0, "%s", line);
    sl_index_close(race.index);
}
