/*
 * cmd_tune.c -- `sluicectl tune`: which settings of the search are best for the caller's own questions, and is the
 * gain real?
 *
 * Every candidate answers every question once. Whichever is best on all questions looks better than it is, for
 * it was chosen by the same questions. So the gain is told from a split: the questions are dealt into folds;
 * for each fold the candidate is chosen by the others and judged by this one. What comes out is what choosing in
 * this way gains on questions it has not seen, and only when that is more than chance is anything written.
 *
 * Candidates differ from the configuration in one thing at a time; a grid over all things at once would take
 * hours and, on a few hundred questions, find mostly noise.
 *
 * What costs time with every question (reranking, expansion, diversity) has to win to be there at all: when it is
 * configured, its gain over doing without is told too. That pair was not chosen among many, so it needs no folds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/eval.h>
#include <sluice/hash.h>
#include <sluice/json.h>

#include "evaluate.h"
#include "trial.h"

#define CANDIDATES_MAX 48u
#define FOLDS_MAX      20u
#define CHUNKS_MAX     8u
#define STEPS_MAX      3u /* expansion, diversity, rerank */
#define P_MAX          0.05

struct candidate {
    char name[80];
    char settings[160]; /* lines of the configuration; empty: as it is */
    uint32_t chunk_words; /* they are lines of [chunk], and a trial is made; 0: of [retrieve] */
    struct sl_retrieve_options options;
    double *values; /* [questions] */
};

/* What is configured to be done beside the search. */
struct step {
    const char *name;
    uint32_t without;      /* the candidate */
    struct sl_paired gain; /* of the configuration over it */
};

struct tuning {
    struct ctl_evaluation evaluation;
    struct candidate candidates[CANDIDATES_MAX]; /* the first: as configured */
    uint32_t count;
    const char *work; /* where trials are made; NULL: beside the index */
    uint32_t chunks[CHUNKS_MAX];
    uint32_t chunk_count;
    struct step steps[STEPS_MAX];
    uint32_t step_count;
    uint32_t folds;
    enum ctl_metric metric;
    double *held_out; /* of each question, by the candidate that the other folds chose */
    uint32_t chosen[FOLDS_MAX];
    uint32_t best; /* by all questions */
    struct sl_paired gain;
};

/* --------------------------------------------------------------------------------- candidates */

static struct candidate *add(struct tuning *tuning, const struct sl_retrieve_options *from)
{
    struct candidate *candidate = &tuning->candidates[tuning->count];

    SL_PRE(tuning->count < CANDIDATES_MAX);
    candidate->options = *from;
    tuning->count++;
    return candidate;
}

/* A step that is configured, and the candidate that does without it. */
static void without(struct tuning *tuning, const char *name, const struct candidate *candidate)
{
    SL_PRE(tuning->step_count < STEPS_MAX);
    tuning->steps[tuning->step_count++] =
        (struct step){.name = name, .without = (uint32_t)(candidate - tuning->candidates)};
}

static void add_fusion(struct tuning *tuning, enum sl_fusion fusion, double lexical, double vector)
{
    struct candidate *candidate = add(tuning, &tuning->evaluation.retrieve);
    const char *name = fusion == SL_FUSION_RRF ? "rrf" : "minmax";

    candidate->options.mode = SL_MODE_HYBRID;
    candidate->options.fusion = fusion;
    candidate->options.weight_lexical = lexical;
    candidate->options.weight_vector = vector;
    (void)snprintf(candidate->name, sizeof candidate->name, "hybrid, %s %g : %g", name, lexical, vector);
    (void)snprintf(candidate->settings, sizeof candidate->settings,
                   "mode = hybrid\nfusion = %s\nweights = %g, %g\n", name, lexical, vector);
}

static void add_mode(struct tuning *tuning, enum sl_mode mode)
{
    struct candidate *candidate = add(tuning, &tuning->evaluation.retrieve);

    candidate->options.mode = mode;
    (void)snprintf(candidate->name, sizeof candidate->name, "%s alone", ctl_mode_name(mode));
    (void)snprintf(candidate->settings, sizeof candidate->settings, "mode = %s\n", ctl_mode_name(mode));
}

static void add_half_life(struct tuning *tuning, double days)
{
    struct candidate *candidate = add(tuning, &tuning->evaluation.retrieve);

    candidate->options.half_life_days = days;
    (void)snprintf(candidate->name, sizeof candidate->name, "half_life_days %g", days);
    if (days > 0)
        (void)snprintf(candidate->settings, sizeof candidate->settings, "half_life_days = %g\n", days);
    else
        (void)snprintf(candidate->settings, sizeof candidate->settings, "half_life_days = off\n");
}

static void add_expansion(struct tuning *tuning)
{
    struct candidate *candidate = add(tuning, &tuning->evaluation.retrieve);
    bool now = candidate->options.expansion != SL_EXPANSION_NONE;

    candidate->options.expansion = now ? SL_EXPANSION_NONE : SL_EXPANSION_RM3;
    (void)snprintf(candidate->name, sizeof candidate->name, "expansion %s", now ? "none" : "rm3");
    (void)snprintf(candidate->settings, sizeof candidate->settings, "expansion = %s\n",
                   now ? "none" : "rm3");
    if (now)
        without(tuning, "expansion", candidate);
}

static void add_diversity(struct tuning *tuning, double diversity)
{
    double configured = tuning->evaluation.retrieve.diversity;
    struct candidate *candidate = add(tuning, &tuning->evaluation.retrieve);

    candidate->options.diversity = diversity;
    (void)snprintf(candidate->name, sizeof candidate->name, "diversity %g", diversity);
    (void)snprintf(candidate->settings, sizeof candidate->settings, "diversity = %g\n", diversity);
    if (configured > 0 && diversity <= 0)
        without(tuning, "diversity", candidate);
}

static void add_rerank_off(struct tuning *tuning)
{
    struct candidate *candidate = add(tuning, &tuning->evaluation.retrieve);

    candidate->options.reranker = NULL;
    (void)snprintf(candidate->name, sizeof candidate->name, "rerank none");
    (void)snprintf(candidate->settings, sizeof candidate->settings, "rerank = none\n");
    without(tuning, "rerank", candidate);
}

static void add_rerank_weight(struct tuning *tuning, double weight)
{
    struct candidate *candidate = add(tuning, &tuning->evaluation.retrieve);

    candidate->options.rerank_weight = weight;
    (void)snprintf(candidate->name, sizeof candidate->name, "rerank_weight %g", weight);
    (void)snprintf(candidate->settings, sizeof candidate->settings, "rerank_weight = %g\n", weight);
}

static void add_chunk(struct tuning *tuning, uint32_t words)
{
    struct candidate *candidate = add(tuning, &tuning->evaluation.retrieve);
    struct sl_chunk_options chunk =
        ctl_trial_chunk(&tuning->evaluation.opened->ingest.chunk, words);

    candidate->chunk_words = words;
    (void)snprintf(candidate->name, sizeof candidate->name, "chunks of %u words", words);
    (void)snprintf(candidate->settings, sizeof candidate->settings,
                   "words = %u\noverlap_words = %u\n", words, chunk.overlap_words);
}

static void list_candidates(struct tuning *tuning, bool vectors)
{
    static const double diversities[] = {0, 0.2, 0.4};
    static const double half_lives[] = {0, 90, 365, 1825, 7300};
    static const double ratios[][2] = {{1, 0.3}, {1, 0.5}, {1, 1}, {0.5, 1}, {0.3, 1}};

    (void)snprintf(add(tuning, &tuning->evaluation.retrieve)->name,
                   sizeof tuning->candidates[0].name, "as configured");
    if (vectors) {
        add_mode(tuning, SL_MODE_LEXICAL);
        add_mode(tuning, SL_MODE_VECTOR);
        for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++)
            add_fusion(tuning, SL_FUSION_RRF, ratios[i][0], ratios[i][1]);
        for (int share = 1; share <= 9; share++)
            add_fusion(tuning, SL_FUSION_MINMAX, 1 - share / 10.0, share / 10.0);
    }
    for (size_t i = 0; i < sizeof half_lives / sizeof *half_lives; i++)
        add_half_life(tuning, half_lives[i]);
    add_expansion(tuning);
    for (size_t i = 0; i < sizeof diversities / sizeof *diversities; i++)
        add_diversity(tuning, diversities[i]);
    if (tuning->evaluation.retrieve.reranker != NULL) {
        add_rerank_off(tuning);
        add_rerank_weight(tuning, 0.5);
    }
    for (uint32_t i = 0; i < tuning->chunk_count; i++)
        add_chunk(tuning, tuning->chunks[i]);
}

static int ask(struct tuning *tuning, const struct candidate *candidate)
{
    struct ctl_evaluation *evaluation = &tuning->evaluation;
    const struct ctl_opened *opened = evaluation->opened;
    struct sl_index_stats stats;
    struct ctl_trial trial;
    int exit_code;

    evaluation->retrieve = candidate->options;
    if (candidate->chunk_words == 0)
        return ctl_evaluation_run(evaluation, &stats);
    exit_code =
        ctl_trial_open(evaluation->ctl, opened, tuning->work, candidate->chunk_words, &trial);
    evaluation->opened = &trial.opened;
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_evaluation_run(evaluation, &stats);
    evaluation->opened = opened;
    ctl_trial_close(&trial);
    if (exit_code == SL_EXIT_OK && ctl_trial_stopped())
        exit_code = ctl_fail(evaluation->ctl, SL_EXIT_TEMPORARY, "stopped by a signal");
    return exit_code;
}

static int measure(struct tuning *tuning)
{
    struct ctl_evaluation *evaluation = &tuning->evaluation;
    uint32_t questions = evaluation->queries.count;
    struct ctl_progress progress;
    int exit_code = SL_EXIT_OK;

    evaluation->quiet = true;
    ctl_progress_begin(&progress, evaluation->ctl, "tune", "candidates");
    for (uint32_t c = 0; c < tuning->count && exit_code == SL_EXIT_OK; c++) {
        struct candidate *candidate = &tuning->candidates[c];
        exit_code = ask(tuning, candidate);
        candidate->values = calloc(questions, sizeof(double));
        if (candidate->values == NULL)
            exit_code = ctl_fail(evaluation->ctl, SL_EXIT_OS, "no memory for the figures");
        else
            memcpy(candidate->values, evaluation->values[tuning->metric], questions * sizeof(double));
        ctl_progress_move(&progress, c + 1, (double)(c + 1) / tuning->count);
    }
    ctl_progress_end(&progress);
    return exit_code;
}

/* ------------------------------------------------------------------------------------- choice */

/* Where a question falls does not depend on the others. */
static uint32_t fold_of(const struct tuning *tuning, uint32_t question)
{
    uint8_t digest[32];

    sl_sha256(sl_view_of(tuning->evaluation.queries.items[question].id), digest);
    return (digest[0] * 256u + digest[1]) % tuning->folds;
}

/* The best by the questions outside `fold` (all: folds); the configuration unless another is really above it. */
static uint32_t choose(const struct tuning *tuning, uint32_t fold)
{
    uint32_t best = 0;
    double best_sum = -1;

    for (uint32_t c = 0; c < tuning->count; c++) {
        double sum = 0;
        for (uint32_t q = 0; q < tuning->evaluation.queries.count; q++)
            if (fold_of(tuning, q) != fold)
                sum += tuning->candidates[c].values[q];
        if (sum > best_sum + 1e-9) {
            best_sum = sum;
            best = c;
        }
    }
    return best;
}

static int judge(struct tuning *tuning)
{
    uint32_t questions = tuning->evaluation.queries.count;

    tuning->held_out = calloc(questions, sizeof(double));
    if (tuning->held_out == NULL)
        return ctl_fail(tuning->evaluation.ctl, SL_EXIT_OS, "no memory for the figures");
    for (uint32_t fold = 0; fold < tuning->folds; fold++) {
        tuning->chosen[fold] = choose(tuning, fold);
        for (uint32_t q = 0; q < questions; q++)
            if (fold_of(tuning, q) == fold)
                tuning->held_out[q] = tuning->candidates[tuning->chosen[fold]].values[q];
    }
    tuning->best = choose(tuning, tuning->folds);
    sl_eval_compare(tuning->candidates[0].values, tuning->held_out, questions, &tuning->gain);
    for (uint32_t s = 0; s < tuning->step_count; s++)
        sl_eval_compare(tuning->candidates[tuning->steps[s].without].values,
                        tuning->candidates[0].values, questions, &tuning->steps[s].gain);
    return SL_EXIT_OK;
}

static const char *section_of(const struct candidate *candidate)
{
    return candidate->chunk_words != 0 ? "chunk" : "retrieve";
}

/* More than chance. */
static bool real(const struct sl_paired *gain)
{
    return gain->difference > 0 && gain->low > 0 && gain->p < P_MAX;
}

static bool won(const struct tuning *tuning)
{
    return tuning->best != 0 && real(&tuning->gain);
}

/* ------------------------------------------------------------------------------------- output */

static void write_steps_json(const struct tuning *tuning, struct sl_buffer *out)
{
    sl_buffer_format(out, ", \"steps\": [");
    for (uint32_t s = 0; s < tuning->step_count; s++) {
        const struct step *step = &tuning->steps[s];
        sl_buffer_format(out,
                         "%s{\"name\": \"%s\", \"gain\": %.6f, \"ci95\": [%.6f, %.6f], \"p\": %.4f, "
                         "\"wins\": %s}",
                         s > 0 ? ", " : "", step->name, step->gain.difference, step->gain.low,
                         step->gain.high, step->gain.p, real(&step->gain) ? "true" : "false");
    }
    sl_buffer_format(out, "]");
}

static void write_steps_text(const struct tuning *tuning, struct sl_buffer *out)
{
    for (uint32_t s = 0; s < tuning->step_count; s++) {
        const struct step *step = &tuning->steps[s];
        sl_buffer_format(out, "%s, as configured, gains %+.4f (95 %% %+.4f to %+.4f, p = %.4f)%s\n",
                         step->name, step->gain.difference, step->gain.low, step->gain.high,
                         step->gain.p,
                         real(&step->gain) ? "" : ": no more than chance, do without it");
    }
}

static void write_json(const struct tuning *tuning, struct sl_buffer *out)
{
    uint32_t questions = tuning->evaluation.queries.count;

    sl_buffer_format(out, "{\"queries\": %u, \"metric\": \"%s\", \"candidates\": [", questions,
                     ctl_metric_names[tuning->metric]);
    for (uint32_t c = 0; c < tuning->count; c++) {
        double low, high;
        sl_eval_ci95(tuning->candidates[c].values, questions, &low, &high);
        sl_buffer_format(out, "%s{\"name\": \"%s\", \"mean\": %.6f, \"ci95\": [%.4f, %.4f]}",
                         c > 0 ? ", " : "", tuning->candidates[c].name,
                         sl_eval_mean(tuning->candidates[c].values, questions), low, high);
    }
    sl_buffer_format(out, "], \"folds\": [");
    for (uint32_t fold = 0; fold < tuning->folds; fold++)
        sl_buffer_format(out, "%s\"%s\"", fold > 0 ? ", " : "",
                         tuning->candidates[tuning->chosen[fold]].name);
    sl_buffer_format(out,
                     "], \"best\": \"%s\", \"held_out\": %.6f, \"gain\": %.6f, \"ci95\": [%.6f, "
                     "%.6f], \"p\": %.4f, \"won\": %s, \"section\": \"%s\", \"settings\": ",
                     tuning->candidates[tuning->best].name,
                     sl_eval_mean(tuning->held_out, questions), tuning->gain.difference,
                     tuning->gain.low, tuning->gain.high, tuning->gain.p,
                     won(tuning) ? "true" : "false",
                     section_of(&tuning->candidates[tuning->best]));
    sl_json_string(out, won(tuning) ? sl_view_of(tuning->candidates[tuning->best].settings)
                                    : SL_VIEW_NULL);
    write_steps_json(tuning, out);
    sl_buffer_format(out, "}\n");
}

static void write_text(const struct tuning *tuning, struct sl_buffer *out)
{
    uint32_t questions = tuning->evaluation.queries.count;

    sl_buffer_format(out, "%s over %u questions\n", ctl_metric_names[tuning->metric], questions);
    for (uint32_t c = 0; c < tuning->count; c++) {
        double low, high;
        sl_eval_ci95(tuning->candidates[c].values, questions, &low, &high);
        sl_buffer_format(out, "%c %.4f  %.4f - %.4f  %s\n", c == tuning->best ? '*' : ' ',
                         sl_eval_mean(tuning->candidates[c].values, questions), low, high,
                         tuning->candidates[c].name);
    }
    sl_buffer_format(out,
                     "chosen by %u folds and judged by the one left out: %.4f, gain %+.4f (95 %% "
                     "%+.4f to %+.4f, p = %.4f)\n",
                     tuning->folds - 1, sl_eval_mean(tuning->held_out, questions),
                     tuning->gain.difference, tuning->gain.low, tuning->gain.high, tuning->gain.p);
    write_steps_text(tuning, out);
    if (won(tuning))
        sl_buffer_format(out, "\n[%s]\n%s", section_of(&tuning->candidates[tuning->best]),
                         tuning->candidates[tuning->best].settings);
    else
        sl_buffer_format(out, "nothing is better than the configuration by more than chance\n");
}

static int write_fragment(const struct tuning *tuning, const char *path)
{
    const struct ctl *ctl = tuning->evaluation.ctl;
    FILE *file;

    if (path == NULL || !won(tuning))
        return SL_EXIT_OK;
    if ((file = fopen(path, "we")) == NULL)
        return ctl_fail(ctl, SL_EXIT_IO, "%s: %s", path, strerror(errno));
    fprintf(file,
            "# By sluicectl tune: %s %+.4f (95 %% %+.4f to %+.4f) on %u questions, each judged by a\n"
            "# choice it had no part in.\n[%s]\n%s",
            ctl_metric_names[tuning->metric], tuning->gain.difference, tuning->gain.low,
            tuning->gain.high, tuning->evaluation.queries.count,
            section_of(&tuning->candidates[tuning->best]), tuning->candidates[tuning->best].settings);
    return fclose(file) == 0 ? SL_EXIT_OK
                             : ctl_fail(ctl, SL_EXIT_IO, "%s: %s", path, strerror(errno));
}

static int tune(struct tuning *tuning, const char *path)
{
    struct ctl *ctl = tuning->evaluation.ctl;
    struct ctl_opened opened;
    struct sl_buffer out = {0};
    int exit_code = ctl_open(ctl, CTL_ACCESS_SEARCH, true, &opened);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    tuning->evaluation.opened = &opened;
    ctl_retrieve_words(&opened, &tuning->evaluation.retrieve);
    tuning->evaluation.retrieve.reranker = opened.heads.reranker;
    list_candidates(tuning, opened.embedder != NULL);
    exit_code = measure(tuning);
    if (exit_code == SL_EXIT_OK)
        exit_code = judge(tuning);
    if (exit_code == SL_EXIT_OK)
        exit_code = write_fragment(tuning, path);
    if (exit_code == SL_EXIT_OK) {
        if (ctl->json)
            write_json(tuning, &out);
        else
            write_text(tuning, &out);
        exit_code = ctl_print(ctl, &out);
    }
    for (uint32_t c = 0; c < tuning->count; c++)
        free(tuning->candidates[c].values);
    free(tuning->held_out);
    ctl_close(&opened);
    return exit_code;
}

/* "160,220,300" */
static int read_chunks(struct tuning *tuning, const char *list)
{
    char *end = NULL;

    for (const char *at = list; at != NULL; at = *end == ',' ? end + 1 : NULL) {
        unsigned long words = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : 0;
        if (words < SL_CHUNK_WORDS_MIN || words > SL_CHUNK_WORDS_MAX || (*end != ',' && *end != '\0') ||
            tuning->chunk_count == CHUNKS_MAX)
            return ctl_fail(tuning->evaluation.ctl, SL_EXIT_USAGE,
                            "--chunks '%s': allowed is up to %u whole numbers from %u to %u with commas "
                            "between them",
                            list, CHUNKS_MAX, SL_CHUNK_WORDS_MIN, SL_CHUNK_WORDS_MAX);
        tuning->chunks[tuning->chunk_count++] = (uint32_t)words;
    }
    return SL_EXIT_OK;
}

int cmd_tune(struct ctl *ctl, int argc, char **argv)
{
    const char *queries = NULL, *qrels = NULL, *now = NULL, *path = NULL, *chunks = NULL;
    const char *metric = ctl_metric_names[CTL_NDCG_10];
    struct tuning tuning = {.evaluation = {.ctl = ctl, .depth = 100}, .folds = 5};
    const struct ctl_option options[] = {
        {"queries", CTL_TEXT, &queries, "FILE", "questions, as for eval", 0, 0},
        {"qrels", CTL_TEXT, &qrels, "FILE", "judgements, as for eval", 0, 0},
        {"metric", CTL_TEXT, &metric, "NAME",
         "what is made greatest: ndcg@10 (default), recall@10, recall@100, mrr@10 or hit@1", 0, 0},
        {"folds", CTL_COUNT, &tuning.folds, "N", "parts of the questions; default: 5", 2, FOLDS_MAX},
        {"chunks", CTL_TEXT, &chunks, "WORDS,...",
         "try chunks of so many words too: each makes a copy of the index, for as long as it is asked", 0, 0},
        {"work", CTL_TEXT, &tuning.work, "DIR", "where copies are made; default: beside the index", 0, 0},
        {"write", CTL_TEXT, &path, "FILE", "write the settings there, if they won", 0, 0},
        {"now", CTL_TEXT, &now, "DATE", "the day \"last year\" is counted from; default: today", 0,
         0},
    };
    const struct ctl_usage usage = {
        "tune --queries FILE --qrels FILE [--chunks WORDS,...] [--write FILE]",
        "Find the settings of [retrieve], and the size of chunks, that are best for these questions, and what choosing them "
        "gains on\n"
        "questions that had no part in the choice. Nothing is written unless that is more than "
        "chance.\n"
        "Exit: 65 a line is wrong or no question is judged, 66 no such file or index, 75 a signal came.",
        options, CTL_OPTION_COUNT(options), 0, 0};
    struct ctl_list args = {0};
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &args);
    int exit_code, named;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    if (queries == NULL || qrels == NULL)
        return ctl_fail(ctl, SL_EXIT_USAGE, "both are needed: --queries FILE and --qrels FILE");
    named = ctl_metric_named(ctl, metric);
    if (named < 0)
        return SL_EXIT_USAGE;
    tuning.metric = (enum ctl_metric)named;
    exit_code = read_chunks(&tuning, chunks);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    exit_code = ctl_now(ctl, now, &tuning.evaluation.asked_ms);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_config(ctl);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_evaluation_read(&tuning.evaluation, queries, qrels);
    if (exit_code == SL_EXIT_OK) {
        ctl_retrieve_options(ctl->config, SL_MODE_DEFAULT, 0, 0, &tuning.evaluation.retrieve);
        exit_code = tune(&tuning, path);
    }
    ctl_evaluation_free(&tuning.evaluation);
    return exit_code;
}
