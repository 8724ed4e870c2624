/*
 * embed.c -- `sluice-bench embed`: texts a second through the encoder, on any file of lines.
 *
 * Threads take the next batch from a shared counter, as workers of the daemon would; one pass over
 * a part of the texts before the clock starts warms the caches and the workspaces. The line's
 * `tokens` counts what was encoded: cut at the model's limit, special tokens included.
 */
#include "bench.h"
#include "client.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/embed.h>
#include <sluice/json.h>

#define THREADS_MAX 256u
#define BATCH_MAX   1024u

struct lines {
    struct sl_buffer text;
    struct sl_view *views;
    uint32_t count;
};

struct job {
    const struct sl_embedder *embedder;
    const struct lines *lines;
    float *vectors; /* [count][dim] */
    uint32_t batch;
    uint32_t count; /* lines to encode */
    atomic_uint next;
    atomic_int failed;
    struct sl_error err; /* of the first thread that failed */
};

struct embed_arguments {
    const char *model, *input, *out, *precision, *backend;
    uint32_t threads, batch;
};

static int read_lines(const char *path, struct lines *lines)
{
    FILE *file = fopen(path, "r");
    char block[65536];
    size_t size, start = 0;

    if (file == NULL) {
        fprintf(stderr, "sluice-bench: %s: %s\n", path, strerror(errno));
        return SL_EXIT_NOINPUT;
    }
    while ((size = fread(block, 1, sizeof block, file)) > 0)
        sl_buffer_add(&lines->text, block, size);
    (void)fclose(file);
    for (size_t i = 0; i < lines->text.size; i++)
        lines->count += lines->text.data[i] == '\n' || i + 1 == lines->text.size;
    lines->views = calloc(lines->count + (size_t)1, sizeof *lines->views);
    if (lines->text.failed || lines->views == NULL || lines->count == 0) {
        fprintf(stderr, "sluice-bench: %s: %s\n", path,
                lines->count == 0 ? "no lines in it" : "out of memory");
        return lines->count == 0 ? SL_EXIT_DATA : SL_EXIT_OS;
    }
    for (uint32_t n = 0; n < lines->count; n++) {
        const char *end = memchr(lines->text.data + start, '\n', lines->text.size - start);
        size_t stop = end ? (size_t)(end - lines->text.data) : lines->text.size;
        lines->views[n] = (struct sl_view){lines->text.data + start, stop - start};
        start = stop + 1;
    }
    return SL_EXIT_OK;
}

static void *encode_batches(void *argument)
{
    struct job *job = argument;
    struct sl_error err = {0};

    for (;;) {
        uint32_t first = atomic_fetch_add(&job->next, job->batch);
        uint32_t count;
        if (first >= job->count || atomic_load(&job->failed))
            return NULL;
        count = job->count - first < job->batch ? job->count - first : job->batch;
        if (job->embedder->ops->encode(job->embedder, SL_EMBED_PASSAGE, job->lines->views + first,
                                       count, job->vectors + (size_t)first * job->embedder->dim,
                                       &err) != SL_OK &&
            !atomic_exchange(&job->failed, 1))
            job->err = err;
    }
}

struct taken {
    double seconds, cpu_seconds;
};

/* Encode the first `count` lines with that many threads. */
static struct taken run(struct job *job, uint32_t threads, uint32_t count)
{
    pthread_t ids[THREADS_MAX];
    uint32_t started = 0;
    const double start = bench_seconds(), cpu = bench_cpu_seconds();

    job->count = count;
    atomic_store(&job->next, 0);
    while (started < threads - 1 && pthread_create(&ids[started], NULL, encode_batches, job) == 0)
        started++;
    (void)encode_batches(job);
    for (uint32_t i = 0; i < started; i++)
        (void)pthread_join(ids[i], NULL);
    return (struct taken){bench_seconds() - start, bench_cpu_seconds() - cpu};
}

static int write_vectors(const char *path, const struct job *job)
{
    FILE *file = fopen(path, "wb");
    int32_t dim = (int32_t)job->embedder->dim;
    size_t good = 0;

    for (uint32_t i = 0; file != NULL && i < job->lines->count; i++) {
        good += fwrite(&dim, sizeof dim, 1, file);
        good += fwrite(job->vectors + (size_t)i * (size_t)dim, sizeof(float), (size_t)dim, file) ==
                (size_t)dim;
    }
    if (file == NULL || fclose(file) != 0 || good != 2 * (size_t)job->lines->count) {
        fprintf(stderr, "sluice-bench: %s: %s\n", path, strerror(errno));
        return SL_EXIT_IO;
    }
    return SL_EXIT_OK;
}

static void report(const struct job *job, const struct embed_arguments *arguments,
                   struct taken taken)
{
    struct sl_buffer line = {0};
    uint64_t tokens = 0;

    for (uint32_t i = 0; i < job->lines->count; i++) {
        uint32_t count = job->embedder->ops->count_tokens(job->embedder, job->lines->views[i]);
        tokens += 2 + (count < job->embedder->token_limit ? count : job->embedder->token_limit);
    }
    sl_buffer_format(&line, "{\"phase\": \"embed\", \"model\": ");
    sl_json_string(&line, sl_view_of(job->embedder->name));
    sl_buffer_format(&line,
                     ", \"threads\": %u, \"batch\": %u, \"texts\": %u, \"tokens\": %llu, "
                     "\"seconds\": %.4f, \"cpu_seconds\": %.4f, \"texts_per_s\": %.1f, "
                     "\"tokens_per_s\": %.0f, \"peak_bytes\": %llu}",
                     arguments->threads, arguments->batch, job->lines->count,
                     (unsigned long long)tokens, taken.seconds, taken.cpu_seconds,
                     job->lines->count / taken.seconds, (double)tokens / taken.seconds,
                     (unsigned long long)bench_usage().peak_bytes);
    if (!line.failed)
        puts(line.data);
    sl_buffer_fini(&line);
}

static int run_job(const struct embed_arguments *arguments, const struct lines *lines,
                   const struct sl_embedder *embedder)
{
    struct job job = {.embedder = embedder, .lines = lines, .batch = arguments->batch};
    uint32_t warm = arguments->batch * arguments->threads;
    int code = SL_EXIT_OK;
    struct taken taken;

    job.vectors = calloc((size_t)lines->count * embedder->dim, sizeof(float));
    if (job.vectors == NULL) {
        fprintf(stderr, "sluice-bench: out of memory for %u vectors\n", lines->count);
        return SL_EXIT_OS;
    }
    (void)run(&job, arguments->threads, warm < lines->count ? warm : lines->count);
    taken = run(&job, arguments->threads, lines->count);
    if (atomic_load(&job.failed)) {
        fprintf(stderr, "sluice-bench: %s\n", job.err.message);
        code = SL_EXIT_SOFTWARE;
    } else {
        report(&job, arguments, taken);
        if (arguments->out != NULL)
            code = write_vectors(arguments->out, &job);
    }
    free(job.vectors);
    return code;
}

static int usage(void)
{
    fprintf(stderr,
            "usage: sluice-bench embed --model DIR --input FILE [--threads N (1 to %u)] "
            "[--batch B (1 to %u)] [--precision auto|f32|bf16|int8] [--backend bert|static] "
            "[--out V.fvecs]\n",
            THREADS_MAX, BATCH_MAX);
    return SL_EXIT_USAGE;
}

static bool read_count(const char *text, uint32_t most, uint32_t *ret)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end != '\0' || value < 1 || value > most)
        return false;
    *ret = (uint32_t)value;
    return true;
}

static bool read_arguments(int argc, char **argv, struct embed_arguments *arguments)
{
    static const struct option options[] = {
        {"model", required_argument, NULL, 'm'},   {"input", required_argument, NULL, 'i'},
        {"threads", required_argument, NULL, 't'}, {"batch", required_argument, NULL, 'b'},
        {"out", required_argument, NULL, 'o'},     {"precision", required_argument, NULL, 'p'},
        {"backend", required_argument, NULL, 'k'}, {NULL, 0, NULL, 0}};
    bool good = true;
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'm':
            arguments->model = optarg;
            break;
        case 'i':
            arguments->input = optarg;
            break;
        case 'o':
            arguments->out = optarg;
            break;
        case 'p':
            arguments->precision = optarg;
            break;
        case 'k':
            arguments->backend = optarg;
            good = good && (strcmp(optarg, "bert") == 0 || strcmp(optarg, "static") == 0);
            break;
        case 't':
            good = good && read_count(optarg, THREADS_MAX, &arguments->threads);
            break;
        case 'b':
            good = good && read_count(optarg, BATCH_MAX, &arguments->batch);
            break;
        default:
            good = false;
        }
    }
    return good && optind == argc && arguments->model != NULL && arguments->input != NULL;
}

static bool is_static(const struct embed_arguments *arguments)
{
    return arguments->backend != NULL && strcmp(arguments->backend, "static") == 0;
}

static enum sl_err open_embedder(const struct embed_arguments *arguments,
                                 struct sl_embedder **ret_embedder, struct sl_error *err)
{
    struct sl_bert_options bert = {.directory = arguments->model,
                                   .precision = arguments->precision,
                                   .batch_max = arguments->batch};
    struct sl_static_options table = {.directory = arguments->model};

    return is_static(arguments) ? sl_static_open(&table, ret_embedder, err)
                                : sl_bert_open(&bert, ret_embedder, err);
}

int bench_embed(int argc, char **argv)
{
    struct embed_arguments arguments = {.threads = 1, .batch = 32};
    struct sl_embedder *embedder = NULL;
    struct lines lines = {0};
    struct sl_error err = {0};
    int code;

    if (!read_arguments(argc, argv, &arguments))
        return usage();
    code = read_lines(arguments.input, &lines);
    if (code == SL_EXIT_OK && open_embedder(&arguments, &embedder, &err) != SL_OK) {
        fprintf(stderr, "sluice-bench: %s\n", err.message);
        code = err.exit_code;
    }
    if (code == SL_EXIT_OK)
        code = run_job(&arguments, &lines, embedder);
    embedder = sl_embedder_close(embedder);
    free(lines.views);
    sl_buffer_fini(&lines.text);
    return code;
}
