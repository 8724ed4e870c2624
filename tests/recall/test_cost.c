/*
 * test_cost.c -- what one change costs does not grow with the index: nodes and vectors looked at, and bytes
 * written.
 *
 * Bytes are what the process hands to write(2) and its kin (wchar of /proc/self/io): on a machine without
 * load LMDB's pages are all there is. Visits are counted by the graph itself.
 */
#include <unistd.h>

#include "index/internal.h"
#include "index_data.h"
#include "test.h"

#define DIM 32

/* -------------------------------------------------------------------------------------- visits */

static void fill(struct sl_index *index, int from, int to)
{
    struct sl_batch *batch = NULL;
    struct sl_error err;
    float vector[DIM];
    char key[16];

    for (int i = from; i < to; i++) {
        struct test_document document = {.key = key, .text = key, .offset = 1, .vectors = vector};
        snprintf(key, sizeof key, "%d", i);
        test_cluster_vector(100, DIM, vector);
        if ((i - from) % 1000 == 0 && sl_batch_begin(index, &batch, &err) != SL_OK)
            abort();
        test_apply(index, batch, &document);
        if (((i - from) % 1000 == 999 || i + 1 == to) && sl_batch_commit(batch, &err) != SL_OK)
            abort();
    }
}

struct visits {
    double put, remove;
};

/* Nodes and vectors looked at by a put and by a delete, the search for candidates included. */
static struct visits count_visits(struct sl_index *index, int size, int64_t offset)
{
    struct sl_graph *graph = index->graph;
    struct visits visits = {0};
    float vector[DIM];
    char key[24];

    for (int i = 0; i < 60; i++) {
        struct test_document document = {.key = "probe", .text = key, .offset = offset + 2 * i,
                                         .vectors = vector};
        struct sl_walk *walk;
        uint64_t before;
        test_cluster_vector(100, DIM, vector);
        snprintf(key, sizeof key, "probe%d", i);
        walk = sl_walk_begin(graph, vector); /* what prepare does */
        if (walk == NULL || !sl_walk_search(graph, walk, graph->ef_construction))
            abort();
        visits.put += (double)(walk->distances + walk->visited);
        sl_walk_end(graph, walk);
        before = graph->visits;
        CHECK(test_put(index, &document) == SL_APPLIED_INSERTED);
        visits.put += (double)(graph->visits - before);
        before = graph->visits;
        CHECK(test_delete(index, "probe", offset + 2 * i + 1) == SL_APPLIED_DELETED);
        visits.remove += (double)(graph->visits - before);
    }
    printf("%d vectors: a put looks at %.0f, a delete at %.0f\n", size, visits.put / 60,
           visits.remove / 60);
    return visits;
}

TEST(cost_of_put_and_delete_hardly_grows_with_vectors)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    struct visits small, large;

    test_seed(5);
    fill(index, 0, 5000);
    small = count_visits(index, 5000, 10);
    fill(index, 5000, 20000);
    large = count_visits(index, 20000, 1000);
    CHECK_THAT(large.put <= 2 * small.put, "%f, %f", small.put, large.put);
    CHECK_THAT(large.remove <= 2 * small.remove, "%f, %f", small.remove, large.remove);
    CHECK(small.put > 6000 && small.remove > 600); /* the counters count */
    sl_index_close(index);
}

/* --------------------------------------------------------------------------------------- bytes */

static uint64_t bytes_written(void)
{
    FILE *file = fopen("/proc/self/io", "r");
    unsigned long long value = 0;
    char name[32];

    if (file == NULL)
        return 0;
    while (fscanf(file, "%31s %llu", name, &value) == 2)
        if (strcmp(name, "wchar:") == 0)
            break;
    fclose(file);
    return value;
}

/* 120 words, frequent ones often, from a vocabulary of 20,000. */
static void write_text(char *text, size_t size)
{
    size_t used = 0;

    for (int i = 0; i < 120; i++) {
        double u = test_uniform();
        used += (size_t)snprintf(text + used, size - used, "%sw%d", i > 0 ? " " : "",
                                 (int)(u * u * u * 20000));
    }
}

static void put_texts(struct sl_index *index, int from, int to)
{
    struct sl_batch *batch = NULL;
    struct sl_error err;
    float vector[DIM];
    char key[16], text[2000];

    for (int i = from; i < to; i++) {
        struct test_document document = {.key = key, .text = text, .offset = 1, .vectors = vector};
        snprintf(key, sizeof key, "%d", i);
        write_text(text, sizeof text);
        test_cluster_vector(100, DIM, vector);
        if ((i - from) % 1000 == 0 && sl_batch_begin(index, &batch, &err) != SL_OK)
            abort();
        test_apply(index, batch, &document);
        if (((i - from) % 1000 == 999 || i + 1 == to) && sl_batch_commit(batch, &err) != SL_OK)
            abort();
    }
}

/* Bytes of one replacement, each in a commit of its own, over enough of them to meet checkpoints. */
static double replace_some(struct sl_index *index, int documents, int64_t offset)
{
    const int rounds = 300;
    uint64_t before;
    float vector[DIM];
    char key[16], text[2000];

    before = bytes_written();
    for (int i = 0; i < rounds; i++) {
        struct test_document document = {.key = key, .text = text, .offset = offset + i,
                                         .vectors = vector};
        snprintf(key, sizeof key, "%d", (int)(test_random() % (unsigned)documents));
        write_text(text, sizeof text);
        test_cluster_vector(100, DIM, vector);
        CHECK(test_put(index, &document) == SL_APPLIED_REPLACED);
    }
    return (double)(bytes_written() - before) / rounds;
}

TEST(cost_in_bytes_of_a_replacement_hardly_grows_with_documents)
{
    struct sl_index *index = test_index_open(test_directory(), DIM, SL_METRIC_COSINE);
    double small, middle, large;

    if (bytes_written() == 0)
        SKIP("no /proc/self/io");
    test_seed(6);
    put_texts(index, 0, 1000);
    small = replace_some(index, 1000, 100);
    put_texts(index, 1000, 20000);
    middle = replace_some(index, 20000, 1000);
    put_texts(index, 20000, 100000);
    large = replace_some(index, 100000, 2000);
    printf("bytes written for one replacement: %.0f at 1,000 documents, %.0f at 20,000, %.0f at 100,000\n",
           small, middle, large);
    CHECK_THAT(large <= 1.25 * middle, "%f, %f", middle, large); /* at most a page a changed term */
    CHECK_THAT(large <= 2 * small, "%f, %f", small, large);
    CHECK(small > 4096);
    sl_index_close(index);
}
