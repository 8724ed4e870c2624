/*
 * client.c -- the index as a benchmark uses it.
 *
 * Vectors go in through the public calls: each is a document of one chunk with one window and a
 * two-letter text, so the figures include documents, attributes, the version row and durable
 * commits.
 */
#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/error.h>

#define BENCH_TOPIC SL_VIEW("bench")

static void must(enum sl_err rc, const struct sl_error *err)
{
    if (rc == SL_OK)
        return;
    (void)fprintf(stderr, "sluice-bench: %s\n", err->message);
    exit(err->exit_code != 0 ? err->exit_code : SL_EXIT_SOFTWARE);
}

static struct sl_index *open_index(const struct bench_options *options, const char *path,
                                   uint32_t dim)
{
    struct sl_index_options index = {.path = path,
                                     .dim = dim,
                                     .metric = options->metric,
                                     .storage = options->storage,
                                     .m = options->m,
                                     .ef_construction = options->ef_construction};
    struct sl_index *opened;
    struct sl_error err;

    must(sl_index_open(&index, &opened, &err), &err);
    return opened;
}

struct sl_index *bench_reopen(const struct bench_options *options, uint32_t dim)
{
    return open_index(options, options->directory, dim);
}

int bench_create(const struct bench_options *options, const char *name, uint32_t dim,
                 struct sl_index **ret_index)
{
    struct sl_index_stats stats;
    char path[4096];
    int size = snprintf(path, sizeof path, "%s%s%s", options->directory, name ? "/" : "",
                        name ? name : "");

    if (size < 0 || (size_t)size >= sizeof path)
        return SL_EXIT_USAGE;
    *ret_index = open_index(options, path, dim);
    bench_stats(*ret_index, &stats);
    if (stats.documents == 0)
        return 0;
    (void)fprintf(stderr, "sluice-bench: %s holds an index already; name an empty directory\n",
                  path);
    *ret_index = sl_index_close(*ret_index);
    return SL_EXIT_USAGE;
}

struct sl_prepared *bench_prepare(struct sl_index *index, const float *vector, uint32_t key,
                                  uint32_t version)
{
    char name[16];
    struct sl_window window = {.byte_end = 2, .vector = vector};
    struct sl_chunk chunk = {.byte_end = 2, .word_count = 1, .windows = &window, .window_count = 1};
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

void bench_remove(struct sl_batch *batch, uint32_t key, uint32_t version)
{
    char name[16];
    struct sl_view key_view = {name, (size_t)snprintf(name, sizeof name, "%u", key)};
    enum sl_applied applied;
    struct sl_error err;

    must(sl_batch_delete(batch, BENCH_TOPIC, key_view, 0, version, &applied, &err), &err);
    if (applied != SL_APPLIED_DELETED) {
        (void)fprintf(stderr, "sluice-bench: document %u was not there to delete\n", key);
        exit(SL_EXIT_SOFTWARE);
    }
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
                      bool exact, uint32_t ret_numbers[BENCH_K], struct sl_search_stats *ret_stats)
{
    struct sl_hit hits[BENCH_K];
    struct sl_error err;
    uint32_t count;

    must(sl_snapshot_nearest(snapshot, query, BENCH_K, ef < BENCH_K ? BENCH_K : ef, exact, NULL,
                             hits, &count, ret_stats, &err),
         &err);
    for (uint32_t i = 0; i < count; i++) /* documents are numbered from 1 as they came */
        ret_numbers[i] = (uint32_t)hits[i].doc - 1;
    return count;
}

void bench_stats(struct sl_index *index, struct sl_index_stats *ret_stats)
{
    struct sl_snapshot *snapshot = bench_snapshot(index);
    struct sl_error err;

    must(sl_snapshot_stats(snapshot, ret_stats, &err), &err);
    sl_snapshot_close(snapshot);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double bench_seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

double bench_cpu_seconds(void)
{
    return seconds_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* The number behind `name` in a file of /proc, 0 when it is not there. */
static uint64_t proc_number(const char *path, const char *name)
{
    FILE *file = fopen(path, "r");
    size_t size = strlen(name);
    uint64_t number = 0;
    char line[256];

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, size) == 0) {
            number = strtoull(line + size, NULL, 10);
            break;
        }
    if (file != NULL)
        (void)fclose(file);
    return number;
}

struct bench_usage bench_usage(void)
{
    return (struct bench_usage){.rss_bytes = proc_number("/proc/self/status", "VmRSS:") * 1024,
                                .anon_bytes = proc_number("/proc/self/status", "RssAnon:") * 1024,
                                .peak_bytes = proc_number("/proc/self/status", "VmHWM:") * 1024,
                                .written_bytes = proc_number("/proc/self/io", "wchar:")};
}

struct bench_usage bench_growth(const struct bench_usage *before)
{
    struct bench_usage now = bench_usage();

    now.rss_bytes -= before->rss_bytes < now.rss_bytes ? before->rss_bytes : now.rss_bytes;
    now.anon_bytes -= before->anon_bytes < now.anon_bytes ? before->anon_bytes : now.anon_bytes;
    now.written_bytes -= before->written_bytes;
    return now;
}

int bench_on_index(int argc, char **argv, bench_run_fn run)
{
    struct bench_options options;
    struct vectors base = {0}, queries = {0};
    struct sl_index *index = NULL;
    int code = bench_options_read(argc, argv, &options);

    if (code == 0)
        code = bench_read_vectors(&options, &base, &queries);
    if (code == 0)
        code = bench_create(&options, NULL, base.dim, &index);
    if (code == 0)
        code = run(&options, index, &base, &queries);
    sl_index_close(index);
    free(base.values);
    free(queries.values);
    return code;
}
