/*
 * cmd_tune.c -- `sluicectl tune`: which settings are best for the caller's own questions, is the gain real, and
 * into the configuration with those that are.
 *
 * tune_search.c finds what is best together, tune_sizes.c how much has to be looked at. Questions are asked as
 * somebody's would be, as deep, so that what is found is what they will find.
 *
 * Copies of the index with other chunks cost as much as a reindex each. Without being asked to, they are made only
 * where that is a matter of minutes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kept_vectors.h"
#include "trial.h"
#include "tuning.h"

#define COPIED_CHUNKS_MAX 1000u   /* that are encoded, for each size, unasked */
#define COPIED_WORDS_ONLY 20000u  /* and where nothing is encoded */

struct wanted {
    const char *queries, *qrels, *metric, *chunks, *write, *now;
    struct ctl_list keep;
    bool dry;
};

/* ------------------------------------------------------------------------------------- settings */

static void set(struct tuning *tuning, const char *section, struct sl_view key, struct sl_view value)
{
    struct ctl_setting *setting = &tuning->settings[tuning->setting_count++];

    SL_PRE(tuning->setting_count <= TUNE_SETTINGS_MAX);
    (void)snprintf(setting->section, sizeof setting->section, "%s", section);
    (void)snprintf(setting->key, sizeof setting->key, "%.*s", SL_VIEW_ARG(key));
    (void)snprintf(setting->value, sizeof setting->value, "%.*s", SL_VIEW_ARG(value));
}

static void set_count(struct tuning *tuning, const char *section, const char *key, uint32_t value)
{
    char text[16];

    (void)snprintf(text, sizeof text, "%u", value);
    set(tuning, section, sl_view_of(key), sl_view_of(text));
}

/* "key = value" lines */
static void set_lines(struct tuning *tuning, const char *lines)
{
    while (*lines != '\0') {
        const char *equals = strstr(lines, " = "), *end = strchr(lines, '\n');
        set(tuning, "retrieve", (struct sl_view){lines, (size_t)(equals - lines)},
            (struct sl_view){equals + 3, (size_t)(end - equals) - 3});
        lines = end + 1;
    }
}

/* What is to change, in the order of the sections. */
static void list_settings(struct tuning *tuning)
{
    const struct tune_tried *best = tune_chosen(tuning);

    if (!tuning->fits)
        return;
    if (best->chunk != 0) {
        uint32_t words = tuning->chunks[best->chunk];
        struct sl_chunk_options chunk = ctl_trial_chunk(&tuning->evaluation.opened->ingest.chunk, words);
        set_count(tuning, "chunk", "words", words);
        set_count(tuning, "chunk", "overlap_words", chunk.overlap_words);
    }
    if (tuning->ef.chosen != 0 && tuning->ef.chosen != tuning->ef.configured)
        set_count(tuning, "index", "ef_search", tuning->ef.chosen);
    for (int axis = 0; axis < TUNE_AXES; axis++)
        if (best->point.at[axis] != 0)
            set_lines(tuning, tuning->alternatives[axis][best->point.at[axis]].lines);
    if (tuning->k.chosen != 0 && tuning->k.chosen != tuning->k.configured)
        set_count(tuning, "retrieve", "k", tuning->k.chosen);
}

static void say_what_follows(const struct tuning *tuning, const char *path)
{
    bool chunk = tuning->setting_count > 0 && strcmp(tuning->settings[0].section, "chunk") == 0;
    bool restart = false;

    for (uint32_t i = 0; i < tuning->setting_count; i++)
        restart |= strcmp(tuning->settings[i].section, "index") == 0;
    fprintf(stderr, "sluicectl tune: a running daemon takes %s over with %s%s\n", path,
            restart ? "a restart" : "a reload",
            chunk ? "; the size of chunks takes a `sluicectl reindex`, without which a start is refused" : "");
}

/* ------------------------------------------------------------------------------------- options */

/* "160,220,300" */
static int read_chunks(struct tuning *tuning, const char *list)
{
    char *end = NULL;

    tuning->chunk_count = 1;
    if (list == NULL || strcmp(list, "none") == 0)
        return SL_EXIT_OK;
    for (const char *at = list; at != NULL; at = *end == ',' ? end + 1 : NULL) {
        unsigned long words = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 0;
        if (words < SL_CHUNK_WORDS_MIN || words > SL_CHUNK_WORDS_MAX || (*end != ',' && *end != '\0') ||
            tuning->chunk_count == TUNE_CHUNKS_MAX)
            return ctl_fail(tuning->evaluation.ctl, SL_EXIT_USAGE,
                            "--chunks '%s': allowed is none, or up to %u whole numbers from %u to %u with commas "
                            "between them",
                            list, TUNE_CHUNKS_MAX - 1, SL_CHUNK_WORDS_MIN, SL_CHUNK_WORDS_MAX);
        tuning->chunks[tuning->chunk_count++] = (uint32_t)words;
    }
    return SL_EXIT_OK;
}

static int read_keep(struct tuning *tuning, const struct ctl_list *names)
{
    static const char *const axes[TUNE_AXES] = {"weights", "expansion", "half_life_days", "diversity", "rerank"};

    for (uint32_t i = 0; i < names->count; i++) {
        int axis = 0;
        while (axis < TUNE_AXES && strcmp(axes[axis], names->items[i]) != 0)
            axis++;
        if (axis < TUNE_AXES)
            tuning->kept[axis] = true;
        else if (strcmp(names->items[i], "ef_search") == 0)
            tuning->keeps_ef = true;
        else if (strcmp(names->items[i], "k") == 0)
            tuning->keeps_k = true;
        else
            return ctl_fail(tuning->evaluation.ctl, SL_EXIT_USAGE,
                            "--keep '%s': allowed is weights, expansion, half_life_days, diversity, rerank, "
                            "ef_search, k; for chunks --chunks none", names->items[i]);
    }
    return SL_EXIT_OK;
}

/* The configured size first; others unasked only where they cost little. */
static enum sl_err fill_chunks(struct tuning *tuning, bool asked, struct sl_error *err)
{
    static const uint32_t usual[] = {100, 220, 400};
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    const struct ctl_opened *opened = tuning->evaluation.opened;
    struct sl_index_stats stats;
    enum sl_err e;

    tuning->chunks[0] = opened->ingest.chunk.words;
    if (asked)
        return SL_OK;
    if ((e = sl_snapshot_open(opened->index, &snapshot, err)) || (e = sl_snapshot_stats(snapshot, &stats, err)))
        return e;
    if (stats.chunks > (opened->embedder != NULL ? COPIED_CHUNKS_MAX : COPIED_WORDS_ONLY)) {
        if (!tuning->evaluation.ctl->json)
            fprintf(stderr, "sluicectl tune: other sizes of chunks are not tried, as %llu chunks would be made anew "
                    "for each; --chunks 100,400 does\n", (unsigned long long)stats.chunks);
        return SL_OK;
    }
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (usual[i] != tuning->chunks[0])
            tuning->chunks[tuning->chunk_count++] = usual[i];
    return SL_OK;
}

/* ------------------------------------------------------------------------------------- work */

/* Figures that look at ten documents are told from what a question is given; that of a hundred needs more. */
static uint32_t passages_for(enum ctl_metric metric)
{
    return metric == CTL_RECALL_100 ? 0 : TUNE_PASSAGES;
}

static int print(const struct tuning *tuning)
{
    struct sl_buffer out = {0};

    if (tuning->evaluation.ctl->json)
        tune_write_json(tuning, &out);
    else
        tune_write_text(tuning, &out);
    return ctl_print(tuning->evaluation.ctl, &out);
}

static int work(struct tuning *tuning, bool chunks_asked)
{
    struct sl_error err = {0};
    int exit_code;

    if (fill_chunks(tuning, chunks_asked, &err) != SL_OK)
        return ctl_fail_error(tuning->evaluation.ctl, &err, SL_EXIT_IO);
    tune_space(tuning, tuning->evaluation.opened->embedder != NULL);
    if ((exit_code = tune_search(tuning)) != SL_EXIT_OK || (exit_code = tune_sizes(tuning)) != SL_EXIT_OK)
        return exit_code;
    list_settings(tuning);
    return print(tuning);
}

static int tune(struct tuning *tuning, bool chunks_asked)
{
    struct ctl_evaluation *evaluation = &tuning->evaluation;
    struct ctl_kept_vectors *kept = NULL;
    struct ctl_opened opened;
    int exit_code = ctl_open(evaluation->ctl, CTL_ACCESS_SEARCH, true, &opened);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    ctl_retrieve_options(evaluation->ctl->config, SL_MODE_DEFAULT, 0, 0, &tuning->base);
    ctl_retrieve_words(&opened, &tuning->base);
    tuning->base.reranker = opened.heads.reranker;
    if (opened.embedder != NULL && (kept = ctl_kept_vectors_open(opened.embedder)) == NULL)
        exit_code = ctl_fail(evaluation->ctl, SL_EXIT_OS, "no memory for the questions' vectors");
    evaluation->opened = &opened;
    evaluation->embedder = ctl_kept_vectors_embedder(kept);
    evaluation->quiet = true;
    evaluation->passages = passages_for(tuning->metric);
    if (exit_code == SL_EXIT_OK)
        exit_code = work(tuning, chunks_asked);
    ctl_kept_vectors_close(kept);
    ctl_close(&opened);
    return exit_code;
}

static int run(struct tuning *tuning, const struct wanted *wanted)
{
    struct ctl *ctl = tuning->evaluation.ctl;
    const char *path = wanted->write != NULL ? wanted->write : ctl->config_file;
    struct ctl_config_writer writer = {-1, -1};
    int exit_code = wanted->dry ? SL_EXIT_OK : ctl_config_writer_open(ctl, path, &writer), written;

    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_config(ctl);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_evaluation_read(&tuning->evaluation, wanted->queries, wanted->qrels);
    if (exit_code == SL_EXIT_OK)
        exit_code = tune(tuning, wanted->chunks != NULL);
    written = ctl_config_writer_close(&writer, tuning->settings,
                                      exit_code == SL_EXIT_OK ? tuning->setting_count : 0);
    exit_code = exit_code == SL_EXIT_OK ? written : exit_code;
    if (exit_code == SL_EXIT_OK && tuning->setting_count > 0 && !wanted->dry && !ctl->json)
        say_what_follows(tuning, path);
    return exit_code;
}

static void free_all(struct tuning *tuning)
{
    for (uint32_t i = 0; i < tuning->tried_count; i++) {
        free(tuning->tried[i].values);
        free(tuning->tried[i].chance);
    }
    free(tuning->tried);
    free(tuning->folds);
    free(tuning->held_out);
    ctl_evaluation_free(&tuning->evaluation);
}

int cmd_tune(struct ctl *ctl, int argc, char **argv)
{
    struct wanted wanted = {.metric = ctl_metric_names[CTL_NDCG_10]};
    struct tuning tuning = {.evaluation = {.ctl = ctl, .depth = 100}, .fold_count = 5};
    const struct ctl_option options[] = {
        {"queries", CTL_TEXT, &wanted.queries, "FILE", "questions, as for eval", 0, 0},
        {"qrels", CTL_TEXT, &wanted.qrels, "FILE", "judgements, as for eval", 0, 0},
        {"metric", CTL_TEXT, &wanted.metric, "NAME",
         "what is made greatest: ndcg@10 (default), recall@10, recall@100, mrr@10 or hit@1", 0, 0},
        {"folds", CTL_COUNT, &tuning.fold_count, "N", "parts of the questions; default: 5", 2, TUNE_FOLDS_MAX},
        {"chunks", CTL_TEXT, &wanted.chunks, "WORDS,...",
         "try chunks of so many words: each makes a copy of the index, for as long as it is asked; none: "
         "leave them. Default: 100, 220 and 400 where the index is small", 0, 0},
        {"work", CTL_TEXT, &tuning.work, "DIR", "where copies are made; default: beside the index", 0, 0},
        {"keep", CTL_LIST, &wanted.keep, "NAME",
         "leave this as configured: weights (and mode and fusion), expansion, half_life_days, diversity, "
         "rerank, ef_search or k", 0, 0},
        {"dry-run", CTL_FLAG, &wanted.dry, NULL, "write nothing", 0, 0},
        {"write", CTL_TEXT, &wanted.write, "FILE", "write there instead of into the configuration", 0, 0},
        {"now", CTL_TEXT, &wanted.now, "DATE", "the day \"last year\" is counted from; default: today", 0, 0},
    };
    const struct ctl_usage usage = {
        "tune --queries FILE --qrels FILE [--dry-run] [--chunks WORDS,...] [--keep NAME]",
        "Find the settings of [retrieve], the size of chunks and ef_search that are best for these questions, and what "
        "choosing\nthem gains on questions that had no part in the choice. What is better by more than chance is put into "
        "the\nconfiguration, whose comments stay; as it was before it is kept beside it.\n"
        "Exit: 65 a line is wrong or no question is judged, 66 no such file or index, 75 a signal came, 77 the file may "
        "not be\nwritten.",
        options, CTL_OPTION_COUNT(options), 0, 0};
    struct ctl_list args = {0};
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &args);
    int exit_code, named;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    if (wanted.queries == NULL || wanted.qrels == NULL)
        return ctl_fail(ctl, SL_EXIT_USAGE, "both are needed: --queries FILE and --qrels FILE");
    if ((named = ctl_metric_named(ctl, wanted.metric)) < 0)
        return SL_EXIT_USAGE;
    tuning.metric = (enum ctl_metric)named;
    if ((exit_code = read_chunks(&tuning, wanted.chunks)) != SL_EXIT_OK ||
        (exit_code = read_keep(&tuning, &wanted.keep)) != SL_EXIT_OK ||
        (exit_code = ctl_now(ctl, wanted.now, &tuning.evaluation.asked_ms)) != SL_EXIT_OK)
        return exit_code;
    exit_code = run(&tuning, &wanted);
    free_all(&tuning);
    return exit_code;
}
