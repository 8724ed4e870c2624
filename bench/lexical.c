/*
 * lexical.c -- `sluice-bench lexical`: a million short texts, and what a question of a few words
 * costs.
 *
 * Texts come from a file of JSON lines ("text") or of plain lines. Past its end they are made of
 * the first half of one and the second half of another, so that words stay as frequent as they are.
 * Questions are words that stand together in one of the texts. With several rounds all are asked
 * again, and the quickest of each counts: on a busy machine the others are of its other work.
 */
#include "bench.h"

#include <cjson/cJSON.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/arena.h>
#include <sluice/error.h>
#include <sluice/text.h>

#include "client.h"
#include "measure.h"

#define WORDS_MAX 16u
#define TEXT_MAX  4096u

struct lexical {
    struct bench_options options; /* directory, commit */
    const char *input;
    uint32_t documents, questions, words, k, rounds;
    char **lines;
    uint32_t line_count;
    uint64_t random;
};

static uint32_t draw(struct lexical *lexical, uint32_t below)
{
    lexical->random = lexical->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((lexical->random >> 33) % below);
}

/* ------------------------------------------------------------------------------------- texts */

static char *text_of(const char *line)
{
    cJSON *json = line[0] == '{' ? cJSON_Parse(line) : NULL;
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(json, "text"));
    char *copy = strndup(text != NULL ? text : line, TEXT_MAX);

    cJSON_Delete(json);
    return copy;
}

static int read_lines(struct lexical *lexical)
{
    FILE *file = fopen(lexical->input, "r");
    char *line = NULL;
    size_t room = 0, capacity = 0;
    ssize_t size;

    if (file == NULL) {
        (void)fprintf(stderr, "sluice-bench: %s cannot be read\n", lexical->input);
        return SL_EXIT_NOINPUT;
    }
    while ((size = getline(&line, &room, file)) > 0) {
        line[size - 1] = '\0';
        if (lexical->line_count == capacity) {
            capacity = capacity * 2 + 1024;
            lexical->lines = realloc(lexical->lines, capacity * sizeof *lexical->lines);
        }
        lexical->lines[lexical->line_count++] = text_of(line);
    }
    free(line);
    (void)fclose(file);
    return lexical->line_count > 1 ? 0 : SL_EXIT_DATA;
}

/* The middle of a text, at a space where there is one. */
static size_t middle(const char *text)
{
    size_t half = strlen(text) / 2;
    const char *space = strchr(text + half, ' ');

    return space != NULL ? (size_t)(space - text) : 0;
}

static void write_text(struct lexical *lexical, uint32_t number, char *ret_text)
{
    const char *first = lexical->lines[number % lexical->line_count], *second;

    if (number < lexical->line_count) {
        (void)snprintf(ret_text, TEXT_MAX, "%s", first);
        return;
    }
    second = lexical->lines[draw(lexical, lexical->line_count)];
    (void)snprintf(ret_text, TEXT_MAX, "%.*s %s", (int)middle(first), first,
                   second + middle(second));
}

/* ---------------------------------------------------------------------------------- building */

static void put(struct lexical *lexical, struct sl_index *index, struct sl_batch *batch,
                uint32_t number, struct sl_arena *arena)
{
    char text[TEXT_MAX], key[16];
    struct sl_document document = {.topic = SL_VIEW("bench"),
                                   .offset = 1 + (int64_t)number,
                                   .date_days = {SL_DAY_NONE, SL_DAY_NONE}};
    struct sl_chunk chunk = {.byte_start = 0};
    struct sl_term_count *terms;
    struct sl_prepared *prepared;
    struct sl_error err;
    enum sl_err rc;

    write_text(lexical, number, text);
    (void)snprintf(key, sizeof key, "%u", number);
    document.key = sl_view_of(key);
    document.text = sl_view_of(text);
    chunk.byte_end = (uint32_t)document.text.size;
    rc = sl_text_terms(document.text, NULL, arena, &terms, &chunk.term_count, &chunk.length_terms,
                       &err);
    chunk.terms = terms;
    if (rc == SL_OK)
        rc = sl_index_prepare(index, &document, &chunk, 1, &prepared, &err);
    if (rc != SL_OK) {
        (void)fprintf(stderr, "sluice-bench: %s\n", err.message);
        exit(SL_EXIT_SOFTWARE);
    }
    bench_apply(batch, prepared);
}

static void build(struct lexical *lexical, struct sl_index *index)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct bench_usage before = bench_usage(), grown;
    struct sl_index_stats stats;
    struct sl_batch *batch = NULL;
    double from = bench_seconds(), cpu = bench_cpu_seconds();

    for (uint32_t i = 0; i < lexical->documents; i++) {
        if (batch == NULL)
            bench_begin(index, &batch);
        sl_arena_reset(arena);
        put(lexical, index, batch, i, arena);
        if ((i + 1) % lexical->options.commit == 0 || i + 1 == lexical->documents)
            bench_commit(SL_TAKE(batch));
    }
    grown = bench_growth(&before);
    bench_stats(index, &stats);
    printf("{\"phase\": \"build\", \"documents\": %u, \"terms\": %llu, \"seconds\": %.1f, "
           "\"cpu_us\": %.1f, \"written_bytes\": %.0f, \"used_bytes\": %.0f, \"commit\": %u}\n",
           lexical->documents, (unsigned long long)stats.terms_total, bench_seconds() - from,
           (bench_cpu_seconds() - cpu) / lexical->documents * 1e6,
           (double)grown.written_bytes / lexical->documents,
           (double)stats.used_bytes / lexical->documents, lexical->options.commit);
    (void)fflush(stdout);
    (void)sl_arena_close(arena);
}

/* --------------------------------------------------------------------------------- questions */

/* Words of one text, in their order; false: it has too few. */
static bool write_question(struct lexical *lexical, char *ret_question)
{
    char text[TEXT_MAX], *words[TEXT_MAX / 2], *rest;
    uint32_t count = 0, at = 0;
    size_t used = 0;

    (void)snprintf(text, sizeof text, "%s", lexical->lines[draw(lexical, lexical->line_count)]);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    if (count < lexical->words)
        return false;
    for (uint32_t i = 0; i < lexical->words; i++, at++) {
        at += draw(lexical, count - lexical->words + i + 1 - at);
        used += (size_t)snprintf(ret_question + used, TEXT_MAX - used, "%s%s", i > 0 ? " " : "",
                                 words[at]);
    }
    return true;
}

struct asked {
    double blocks, decoded, scored, terms;
    double *seconds, *cpu_seconds;
};

static void keep_least(double *least, double value)
{
    if (*least == 0 || value < *least)
        *least = value;
}

static void ask(const struct lexical *lexical, struct sl_index *index, const char *question,
                uint32_t number, struct asked *asked)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_snapshot *snapshot;
    struct sl_search_stats stats = {0};
    struct sl_hit hits[SL_K_MAX];
    struct sl_term_count *terms;
    struct sl_error err;
    uint32_t count, length, found;
    double from = bench_seconds(), cpu = bench_cpu_seconds();
    enum sl_err rc =
        sl_text_terms(sl_view_of(question), NULL, arena, &terms, &count, &length, &err);

    snapshot = bench_snapshot(index);
    if (rc == SL_OK)
        rc = sl_snapshot_lexical(snapshot, terms, count, lexical->k, NULL, hits, &found, &stats,
                                 &err);
    if (rc != SL_OK) {
        (void)fprintf(stderr, "sluice-bench: %s\n", err.message);
        exit(SL_EXIT_SOFTWARE);
    }
    (void)sl_snapshot_close(snapshot);
    keep_least(&asked->seconds[number], bench_seconds() - from);
    keep_least(&asked->cpu_seconds[number], bench_cpu_seconds() - cpu);
    asked->decoded += (double)stats.visited;
    asked->blocks += (double)(stats.visited + stats.skipped);
    asked->scored += (double)stats.distances;
    asked->terms += count;
    (void)sl_arena_close(arena);
}

static void ask_all(struct lexical *lexical, struct sl_index *index)
{
    uint32_t n = lexical->questions;
    struct asked asked = {.seconds = calloc(n, sizeof(double)),
                          .cpu_seconds = calloc(n, sizeof(double))};
    double answers = (double)n * lexical->rounds;
    uint64_t random = lexical->random;
    char question[TEXT_MAX];

    for (uint32_t round = 0; round < lexical->rounds; round++) {
        lexical->random = random;
        for (uint32_t i = 0; asked.seconds != NULL && asked.cpu_seconds != NULL && i < n;)
            if (write_question(lexical, question))
                ask(lexical, index, question, i++, &asked);
    }
    printf("{\"phase\": \"questions\", \"questions\": %u, \"words\": %u, \"k\": %u, "
           "\"p50_us\": %.0f, \"p99_us\": %.0f, \"cpu_p50_us\": %.0f, \"cpu_p99_us\": %.0f, "
           "\"terms\": %.1f, \"blocks\": %.0f, "
           "\"decoded\": %.0f, \"scored\": %.0f}\n",
           n, lexical->words, lexical->k, measure_quantile(asked.seconds, n, 0.5) * 1e6,
           measure_quantile(asked.seconds, n, 0.99) * 1e6,
           measure_quantile(asked.cpu_seconds, n, 0.5) * 1e6,
           measure_quantile(asked.cpu_seconds, n, 0.99) * 1e6, asked.terms / answers,
           asked.blocks / answers, asked.decoded / answers, asked.scored / answers);
    free(asked.seconds);
    free(asked.cpu_seconds);
}

/* ----------------------------------------------------------------------------------- options */

static bool read_options(int argc, char **argv, struct lexical *lexical)
{
    static const struct option names[] = {
        {"input", required_argument, NULL, 'i'},     {"dir", required_argument, NULL, 'd'},
        {"documents", required_argument, NULL, 'n'}, {"questions", required_argument, NULL, 'q'},
        {"words", required_argument, NULL, 'w'},     {"k", required_argument, NULL, 'k'},
        {"commit", required_argument, NULL, 'c'},    {"rounds", required_argument, NULL, 'r'},
        {"existing", no_argument, NULL, 'e'},        {NULL, 0, NULL, 0}};
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        uint32_t number = optarg != NULL ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
        switch (option) {
        case 'i':
            lexical->input = optarg;
            break;
        case 'd':
            lexical->options.directory = optarg;
            break;
        case 'n':
            lexical->documents = number;
            break;
        case 'q':
            lexical->questions = number;
            break;
        case 'w':
            lexical->words = number;
            break;
        case 'k':
            lexical->k = number;
            break;
        case 'c':
            lexical->options.commit = number;
            break;
        case 'r':
            lexical->rounds = number;
            break;
        case 'e':
            lexical->options.existing = true;
            break;
        default:
            return false;
        }
    }
    return optind == argc && lexical->input != NULL && lexical->options.directory != NULL &&
           lexical->documents > 0 && lexical->questions > 0 && lexical->options.commit > 0 &&
           lexical->words >= 1 && lexical->words <= WORDS_MAX && lexical->k >= 1 &&
           lexical->rounds > 0 && lexical->k <= SL_K_MAX;
}

int bench_lexical(int argc, char **argv)
{
    struct lexical lexical = {.options = {.commit = 1000, .metric = SL_METRIC_COSINE},
                              .documents = 1000000,
                              .questions = 2000,
                              .words = 3,
                              .k = 10,
                              .rounds = 1,
                              .random = 1};
    struct sl_index *index;
    int code;

    if (!read_options(argc, argv, &lexical)) {
        (void)fprintf(stderr, "sluice-bench: lexical --input FILE --dir D [--documents 1000000] "
                              "[--commit 1000] [--questions 2000] [--words 3] [--k 10] "
                              "[--rounds 1] [--existing]\n");
        return SL_EXIT_USAGE;
    }
    code = read_lines(&lexical);
    if (code == 0 && lexical.options.existing)
        index = bench_reopen(&lexical.options, 0);
    else if (code == 0)
        code = bench_create(&lexical.options, NULL, 0, &index);
    if (code == 0) {
        if (!lexical.options.existing)
            build(&lexical, index);
        ask_all(&lexical, index);
        (void)sl_index_close(index);
    }
    for (uint32_t i = 0; i < lexical.line_count; i++)
        free(lexical.lines[i]);
    free(lexical.lines);
    return code;
}
