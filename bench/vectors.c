/*
 * vectors.c -- vector files, options, and the index as a benchmark uses it.
 *
 * Vectors go in through the public calls: each is a document of one chunk with one window and a two-letter
 * text, so the figures include documents, attributes, the version row and durable commits.
 */
#include "vectors.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_TOPIC SL_VIEW("bench")

int vectors_read(const char *path, struct vectors *ret_vectors)
{
    FILE *file = fopen(path, "rb");
    struct vectors vectors = {0};
    uint32_t dim, capacity = 0;
    int code = SL_EXIT_DATA;

    if (file == NULL) {
        (void)fprintf(stderr, "sluice-bench: cannot open %s\n", path);
        return SL_EXIT_NOINPUT;
    }
    while (fread(&dim, sizeof dim, 1, file) == 1) {
        if (dim == 0 || dim > SL_DIM_MAX || (vectors.count > 0 && dim != vectors.dim))
            goto out;
        vectors.dim = dim;
        if (vectors.count == capacity) {
            void *values;
            capacity = capacity * 2 + 1024;
            values = realloc(vectors.values, (size_t)capacity * dim * 4);
            if (values == NULL)
                goto out;
            vectors.values = values;
        }
        if (fread((char *)vectors.values + (size_t)vectors.count * dim * 4, 4, dim, file) != dim)
            goto out;
        vectors.count++;
    }
    code = vectors.count > 0 ? 0 : SL_EXIT_DATA;
out:
    (void)fclose(file);
    if (code != 0) {
        (void)fprintf(stderr, "sluice-bench: %s: not a vector file (row %u)\n", path,
                      vectors.count);
        free(vectors.values);
        return code;
    }
    *ret_vectors = vectors;
    return 0;
}

int vectors_read_both(const struct bench_options *options, struct vectors *ret_base,
                      struct vectors *ret_queries)
{
    int code = vectors_read(options->base, ret_base);

    if (code == 0)
        code = vectors_read(options->query, ret_queries);
    if (code == 0 && ret_base->dim != ret_queries->dim) {
        (void)fprintf(stderr, "sluice-bench: base has dim %u, queries have %u\n", ret_base->dim,
                      ret_queries->dim);
        code = SL_EXIT_DATA;
    }
    return code;
}

static bool read_efs(char *text, struct bench_options *options)
{
    options->ef_count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        long ef = strtol(part, NULL, 10);
        if (ef < 1 || ef > (long)SL_EF_MAX || options->ef_count == 16)
            return false;
        options->efs[options->ef_count++] = (uint32_t)ef;
    }
    return options->ef_count > 0;
}

static bool read_metric(const char *text, enum sl_metric *ret_metric)
{
    if (strcmp(text, "ip") == 0)
        *ret_metric = SL_METRIC_IP;
    else if (strcmp(text, "l2") == 0)
        *ret_metric = SL_METRIC_L2;
    else if (strcmp(text, "cos") == 0)
        *ret_metric = SL_METRIC_COSINE;
    else
        return false;
    return true;
}

static bool read_number(const char *text, uint32_t most, uint32_t *ret_number)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    *ret_number = (uint32_t)number;
    return *end == '\0' && number >= 1 && number <= most;
}

static bool read_option(int name, char *text, struct bench_options *options)
{
    switch (name) {
    case 'b':
        options->base = text;
        return true;
    case 'q':
        options->query = text;
        return true;
    case 't':
        options->truth = text;
        return true;
    case 'd':
        options->directory = text;
        return true;
    case 's':
        return strcmp(text, "f32") == 0;
    case 'x':
        return read_metric(text, &options->metric);
    case 'm':
        return read_number(text, SL_M_MAX, &options->m);
    case 'c':
        return read_number(text, SL_EF_MAX, &options->ef_construction);
    case 'e':
        return read_efs(text, options);
    case 'n':
        return read_number(text, 256, &options->threads);
    case 'k':
        return read_number(text, 1000000, &options->commit);
    case 'l':
        return read_number(text, UINT32_MAX, &options->limit);
    case 'r':
        return read_number(text, 100000, &options->rounds);
    case 'f':
        options->fraction = strtod(text, NULL);
        return options->fraction > 0 && options->fraction <= 0.5;
    default:
        return false;
    }
}

int bench_options_read(int argc, char **argv, struct bench_options *ret_options)
{
    static const struct option names[] = {
        {"base", 1, NULL, 'b'},     {"query", 1, NULL, 'q'},    {"truth", 1, NULL, 't'},
        {"metric", 1, NULL, 'x'},   {"m", 1, NULL, 'm'},        {"ef-construction", 1, NULL, 'c'},
        {"ef", 1, NULL, 'e'},       {"threads", 1, NULL, 'n'},  {"storage", 1, NULL, 's'},
        {"dir", 1, NULL, 'd'},      {"commit", 1, NULL, 'k'},   {"limit", 1, NULL, 'l'},
        {"rounds", 1, NULL, 'r'},   {"fraction", 1, NULL, 'f'}, {0}};
    int name;

    *ret_options = (struct bench_options){.metric = SL_METRIC_COSINE,
                                          .m = 16,
                                          .ef_construction = 200,
                                          .threads = 1,
                                          .commit = 1000,
                                          .limit = UINT32_MAX,
                                          .rounds = 20,
                                          .fraction = 0.05,
                                          .efs = {16, 32, 64, 128},
                                          .ef_count = 4};
    optind = 1;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1)
        if (name == '?' || !read_option(name, optarg, ret_options)) {
            if (name != '?')
                (void)fprintf(stderr,
                              "sluice-bench: bad value \"%s\" (metric: ip, l2, cos; storage: f32; "
                              "numbers from 1; fraction: up to 0.5)\n",
                              optarg);
            return SL_EXIT_USAGE;
        }
    if (ret_options->base == NULL || ret_options->query == NULL ||
        ret_options->directory == NULL || optind != argc) {
        (void)fprintf(stderr, "sluice-bench: --base, --query and --dir are needed\n");
        return SL_EXIT_USAGE;
    }
    return 0;
}

static void must(enum sl_err rc, const struct sl_error *err)
{
    if (rc == SL_OK)
        return;
    (void)fprintf(stderr, "sluice-bench: %s\n", err->message);
    exit(err->exit_code != 0 ? err->exit_code : SL_EXIT_SOFTWARE);
}

int bench_open(const struct bench_options *options, uint32_t dim, struct sl_index **ret_index)
{
    struct sl_index_options index = {.path = options->directory,
                                     .dim = dim,
                                     .metric = options->metric,
                                     .m = options->m,
                                     .ef_construction = options->ef_construction};
    struct sl_index_stats stats;
    struct sl_snapshot *snapshot;
    struct sl_error err;

    if (sl_index_open(&index, ret_index, &err) != SL_OK) {
        (void)fprintf(stderr, "sluice-bench: %s\n", err.message);
        return err.exit_code;
    }
    snapshot = bench_snapshot(*ret_index);
    must(sl_snapshot_stats(snapshot, &stats, &err), &err);
    sl_snapshot_close(snapshot);
    if (stats.documents == 0)
        return 0;
    (void)fprintf(stderr, "sluice-bench: %s holds an index already; name an empty directory\n",
                  options->directory);
    *ret_index = sl_index_close(*ret_index);
    return SL_EXIT_USAGE;
}

struct sl_prepared *bench_prepare(struct sl_index *index, const float *vector, uint32_t key,
                                  uint32_t version)
{
    char name[16];
    struct sl_window window = {.byte_end = 2, .vector = vector};
    struct sl_chunk chunk = {
        .byte_end = 2, .word_count = 1, .windows = &window, .window_count = 1};
    struct sl_document document = {.topic = BENCH_TOPIC,
                                   .key = {name, 0},
                                   .offset = version,
                                   .timestamp_ms = -1,
                                   .text = SL_VIEW("ok"),
                                   .text_media = SL_MEDIA_TEXT,
                                   .date_days = {SL_DAY_NONE, SL_DAY_NONE}};
    struct sl_prepared *prepared;
    struct sl_error err;

    document.key.size = (size_t)snprintf(name, sizeof name, "%u", key);
    memcpy(window.hash, &key, sizeof key);
    memcpy(window.hash + 4, &version, sizeof version);
    memcpy(document.content_hash, window.hash, 8);
    must(sl_index_prepare(index, &document, &chunk, 1, &prepared, &err), &err);
    return prepared;
}

void bench_apply(struct sl_batch *batch, struct sl_prepared *prepared)
{
    enum sl_applied applied;
    struct sl_error err;

    must(sl_batch_apply(batch, prepared, &applied, &err), &err);
}

void bench_begin(struct sl_index *index, struct sl_batch **ret_batch)
{
    struct sl_error err;

    must(sl_batch_begin(index, ret_batch, &err), &err);
}

void bench_commit(struct sl_batch *batch)
{
    struct sl_error err;

    must(sl_batch_commit(batch, &err), &err);
}

struct sl_snapshot *bench_snapshot(struct sl_index *index)
{
    struct sl_snapshot *snapshot;
    struct sl_error err;

    must(sl_snapshot_open(index, &snapshot, &err), &err);
    return snapshot;
}

uint32_t bench_search(const struct sl_snapshot *snapshot, const float *query, uint32_t ef,
                      bool exact, uint32_t ret_numbers[10], struct sl_search_stats *ret_stats)
{
    struct sl_hit hits[10];
    struct sl_error err;
    uint32_t count;

    must(sl_snapshot_nearest(snapshot, query, 10, ef, exact, NULL, hits, &count, ret_stats, &err),
         &err);
    for (uint32_t i = 0; i < count; i++) /* documents are numbered from 1 as they came */
        ret_numbers[i] = (uint32_t)hits[i].doc - 1;
    return count;
}

double bench_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

uint64_t bench_rss_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long size, resident = 0;

    if (file != NULL) {
        if (fscanf(file, "%lu %lu", &size, &resident) != 2)
            resident = 0;
        (void)fclose(file);
    }
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t bench_disk_bytes(struct sl_index *index, uint64_t *ret_unreachable)
{
    struct sl_snapshot *snapshot = bench_snapshot(index);
    struct sl_index_stats stats;
    struct sl_error err;

    must(sl_snapshot_stats(snapshot, &stats, &err), &err);
    sl_snapshot_close(snapshot);
    if (ret_unreachable != NULL)
        *ret_unreachable = stats.unreachable;
    return stats.disk_bytes;
}
