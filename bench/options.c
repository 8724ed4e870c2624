/*
 * options.c -- the options of `index`, `churn`, `ingest`, `delete` and `open`: one list, read in
 * one place.
 *
 * A benchmark ignores what it has no use for, so that a script can give all of them the same words.
 */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/error.h>

struct word {
    const char *name;
    int value;
};

static const struct word metrics[] = {
    {"ip", SL_METRIC_IP}, {"l2", SL_METRIC_L2}, {"cos", SL_METRIC_COSINE}, {NULL, 0}};
static const struct word storages[] = {{"f32", SL_STORAGE_F32},   {"f16", SL_STORAGE_F16},
                                       {"bf16", SL_STORAGE_BF16}, {"i8", SL_STORAGE_I8},
                                       {"bit", SL_STORAGE_BIT},   {NULL, 0}};
static const struct word kinds[] = {
    {"random", PLAN_RANDOM}, {"clustered", PLAN_CLUSTERED}, {"drifting", PLAN_DRIFTING}, {NULL, 0}};

const char *bench_storage_name(enum sl_storage storage)
{
    for (const struct word *word = storages; word->name != NULL; word++)
        if (word->value == (int)storage)
            return word->name;
    return "?";
}

/* The word's value, 0 when it is none of them. */
static int find_word(const struct word *words, const char *text)
{
    while (words->name != NULL && strcmp(words->name, text) != 0)
        words++;
    return words->value;
}

static bool read_efs(char *text, struct bench_options *options)
{
    options->ef_count = 0;
    for (char *part = strtok(text, ","); part != NULL; part = strtok(NULL, ",")) {
        long ef = strtol(part, NULL, 10);
        if (ef < 1 || ef > (long)SL_EF_MAX || options->ef_count == BENCH_EFS_MAX)
            return false;
        options->efs[options->ef_count++] = (uint32_t)ef;
    }
    return options->ef_count > 0;
}

static bool read_number(const char *text, uint32_t most, uint32_t *ret_number)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    *ret_number = (uint32_t)number;
    return *text >= '0' && *text <= '9' && *end == '\0' && number >= 1 && number <= most;
}

static bool read_choice(int name, const char *text, struct bench_options *options)
{
    switch (name) {
    case 's':
        options->storage = (enum sl_storage)find_word(storages, text);
        return options->storage != 0;
    case 'x':
        options->metric = (enum sl_metric)find_word(metrics, text);
        return options->metric != 0;
    default:
        options->kind = (enum plan_kind)find_word(kinds, text);
        return options->kind != 0;
    }
}

static bool read_count(int name, const char *text, struct bench_options *options)
{
    switch (name) {
    case 'm':
        return read_number(text, SL_M_MAX, &options->m);
    case 'c':
        return read_number(text, SL_EF_MAX, &options->ef_construction);
    case 'n':
        return read_number(text, 256, &options->threads);
    case 'k':
        return read_number(text, SL_BATCH_OPS_MAX, &options->commit);
    case 'l':
        return read_number(text, UINT32_MAX, &options->limit);
    case 'r':
        return read_number(text, 100000, &options->rounds);
    case 'v':
        return read_number(text, 100000, &options->every);
    case 'p':
        return read_number(text, 1000, &options->repeat);
    default:
        return read_number(text, 1000000, &options->hold);
    }
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
    case 'o':
        options->plan = text;
        return true;
    case 'i':
        options->session = true;
        return true;
    case 'g':
        options->existing = true;
        return true;
    case 'e':
        return read_efs(text, options);
    case 'f':
        options->fraction = strtod(text, NULL);
        return options->fraction > 0 && options->fraction <= 0.2;
    case 's':
    case 'x':
    case 'y':
        return read_choice(name, text, options);
    default:
        return read_count(name, text, options);
    }
}

int bench_options_read(int argc, char **argv, struct bench_options *ret_options)
{
    static const struct option names[] = {
        {"base", 1, NULL, 'b'},   {"query", 1, NULL, 'q'},    {"truth", 1, NULL, 't'},
        {"metric", 1, NULL, 'x'}, {"m", 1, NULL, 'm'},        {"ef-construction", 1, NULL, 'c'},
        {"ef", 1, NULL, 'e'},     {"threads", 1, NULL, 'n'},  {"storage", 1, NULL, 's'},
        {"dir", 1, NULL, 'd'},    {"commit", 1, NULL, 'k'},   {"limit", 1, NULL, 'l'},
        {"rounds", 1, NULL, 'r'}, {"fraction", 1, NULL, 'f'}, {"kind", 1, NULL, 'y'},
        {"every", 1, NULL, 'v'},  {"plan", 1, NULL, 'o'},     {"queries-repeat", 1, NULL, 'p'},
        {"hold", 1, NULL, 'h'},   {"session", 0, NULL, 'i'},
        {"existing", 0, NULL, 'g'},  {0}};
    int name;

    *ret_options = (struct bench_options){.metric = SL_METRIC_COSINE,
                                          .storage = SL_STORAGE_F32,
                                          .kind = PLAN_RANDOM,
                                          .m = 16,
                                          .ef_construction = 200,
                                          .threads = 1,
                                          .commit = 1000,
                                          .limit = UINT32_MAX,
                                          .rounds = 60,
                                          .every = 5,
                                          .repeat = 1,
                                          .hold = 100,
                                          .fraction = 0.05,
                                          .efs = {16, 32, 64, 128},
                                          .ef_count = 4};
    optind = 1;
    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1)
        if (name == '?' || !read_option(name, optarg, ret_options)) {
            if (name != '?')
                (void)fprintf(
                    stderr,
                    "sluice-bench: bad value \"%s\" (metric: ip, l2, cos; storage: f32, f16, bf16, "
                    "i8, bit; kind: random, clustered, drifting; numbers from 1; commit: up to %u; "
                    "fraction: up to 0.2)\n",
                    optarg, SL_BATCH_OPS_MAX);
            return SL_EXIT_USAGE;
        }
    if (ret_options->base == NULL || ret_options->query == NULL || ret_options->directory == NULL ||
        optind != argc) {
        (void)fprintf(stderr, "sluice-bench: --base, --query and --dir are needed\n");
        return SL_EXIT_USAGE;
    }
    return 0;
}

int bench_read_vectors(const struct bench_options *options, struct vectors *ret_base,
                       struct vectors *ret_queries)
{
    int code = vectors_read(options->base, options->limit, ret_base);

    if (code == 0)
        code = vectors_read(options->query, UINT32_MAX, ret_queries);
    if (code == 0 && ret_base->dim != ret_queries->dim) {
        (void)fprintf(stderr, "sluice-bench: base has dim %u, queries have %u\n", ret_base->dim,
                      ret_queries->dim);
        code = SL_EXIT_DATA;
    }
    return code;
}
