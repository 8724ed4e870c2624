/*
 * tune_search.c -- which settings are best together, and what choosing them gains on questions that had no part in it.
 *
 * Every combination that is looked at answers every question once, and is remembered. The choice goes round by axis,
 * from the configuration on, until nothing moves any more; what belongs together (how the two lists become one, and
 * what the lexical one is searched for) is gone through in all combinations, so that neither is caught where the
 * other stands. A move is made only when its gain on the questions of the choice is more than chance for the best of
 * so many; in the end each setting that changed has to show that it cannot go back.
 *
 * Whatever is best by some questions looks better than it is by these. So the whole choice is made again without each
 * fold of the questions, and judged by that fold. Rejected: all combinations of all axes, which takes hours and, on a
 * few hundred questions, finds mostly noise.
 */
#include <stdlib.h>
#include <string.h>

#include <sluice/hash.h>

#include "trial.h"
#include "tuning.h"

#define ROUNDS_MAX 6u
#define NONE       TUNE_AXES

/* Axes that are gone through together. */
static const enum tune_axis groups[][2] = {
    {TUNE_FUSION, TUNE_EXPANSION}, {TUNE_RECENCY, NONE}, {TUNE_RERANK, NONE}, {TUNE_DIVERSITY, NONE}};

bool tune_is_real(const struct sl_paired *gain, uint32_t alternatives)
{
    return gain->difference > 0 && gain->low > 0 &&
           gain->p < TUNE_P_MAX / (alternatives > 1 ? alternatives : 1);
}

/* ------------------------------------------------------------------------------------- asking */

int tune_ask(struct tuning *tuning, const struct sl_retrieve_options *options, double *ret)
{
    struct ctl_evaluation *evaluation = &tuning->evaluation;
    struct sl_index_stats stats;
    int exit_code;

    evaluation->retrieve = *options;
    exit_code = ctl_evaluation_run(evaluation, &stats);
    if (exit_code == SL_EXIT_OK)
        memcpy(ret, evaluation->values[tuning->metric], evaluation->queries.count * sizeof *ret);
    if (exit_code == SL_EXIT_OK && ctl_trial_stopped())
        exit_code = ctl_fail(evaluation->ctl, SL_EXIT_TEMPORARY, "stopped by a signal");
    return exit_code;
}

static bool same(const struct tune_point *a, const struct tune_point *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* The number of this point among those tried; asked now if it is none of them. */
static int try_point(struct tuning *tuning, uint32_t chunk, const struct tune_point *point,
                     uint32_t *ret)
{
    struct sl_retrieve_options options = tune_options(tuning, point);
    uint32_t questions = tuning->evaluation.queries.count;
    struct tune_tried *tried;
    int exit_code;

    for (*ret = 0; *ret < tuning->tried_count; ++*ret)
        if (tuning->tried[*ret].chunk == chunk && same(&tuning->tried[*ret].point, point))
            return SL_EXIT_OK;
    tried = reallocarray(tuning->tried, (size_t)tuning->tried_count + 1, sizeof *tried);
    if (tried == NULL)
        return ctl_fail(tuning->evaluation.ctl, SL_EXIT_OS, "no memory for the figures");
    tuning->tried = tried;
    tried += tuning->tried_count;
    *tried = (struct tune_tried){chunk, *point, calloc(questions, sizeof(double)), calloc(questions, sizeof(double))};
    tuning->tried_count++;
    if (tried->values == NULL || tried->chance == NULL)
        return ctl_fail(tuning->evaluation.ctl, SL_EXIT_OS, "no memory for the figures");
    ctl_progress_move(&tuning->progress, tuning->tried_count, -1);
    tuning->evaluation.chance = tried->chance;
    tuning->evaluation.chance_metric = tuning->metric;
    exit_code = tune_ask(tuning, &options, tried->values);
    tuning->evaluation.chance = NULL;
    return exit_code;
}

/* ------------------------------------------------------------------------------------- choosing */

static double mean_without(const struct tuning *tuning, uint32_t tried, uint32_t fold)
{
    double sum = 0;

    for (uint32_t q = 0; q < tuning->evaluation.queries.count; q++)
        if (tuning->folds[q] != fold)
            sum += tuning->tried[tried].values[q];
    return sum;
}

/* Does it gain, on the questions outside the fold, more than chance would for the best of so many? */
static bool gains(const struct tuning *tuning, uint32_t from, uint32_t to, uint32_t fold,
                  uint32_t alternatives)
{
    uint32_t questions = tuning->evaluation.queries.count, count = 0;
    double *values = calloc((size_t)questions * 2, sizeof *values);
    struct sl_paired gain = {0};

    for (uint32_t q = 0; values != NULL && q < questions; q++) {
        if (tuning->folds[q] == fold)
            continue;
        values[count] = tuning->tried[from].values[q];
        values[questions + count++] = tuning->tried[to].values[q];
    }
    if (count > 0)
        sl_eval_compare(values, values + questions, count, &gain);
    free(values);
    return tune_is_real(&gain, alternatives);
}

/* Move `*at` to the best of a group's combinations, if that is worth it. */
static int move_group(struct tuning *tuning, uint32_t chunk, const enum tune_axis *group,
                      uint32_t fold, uint32_t *at, bool *moved)
{
    uint32_t seconds = group[1] != NONE ? tuning->alternative_counts[group[1]] : 1;
    uint32_t count = tuning->alternative_counts[group[0]] * seconds, best = *at;
    double best_mean = mean_without(tuning, *at, fold);

    for (uint32_t i = 0; i < count; i++) {
        struct tune_point point = tuning->tried[*at].point;
        uint32_t tried = 0;
        int exit_code;
        point.at[group[0]] = (uint8_t)(i / seconds);
        if (group[1] != NONE)
            point.at[group[1]] = (uint8_t)(i % seconds);
        if ((exit_code = try_point(tuning, chunk, &point, &tried)) != SL_EXIT_OK)
            return exit_code;
        if (mean_without(tuning, tried, fold) > best_mean + 1e-9) {
            best_mean = mean_without(tuning, tried, fold);
            best = tried;
        }
    }
    if (best != *at && gains(tuning, *at, best, fold, count - 1)) {
        *at = best;
        *moved = true;
    }
    return SL_EXIT_OK;
}

/* Back to the configuration on each axis where that is no real loss. */
static int prune(struct tuning *tuning, uint32_t chunk, uint32_t fold, uint32_t *at)
{
    for (int axis = TUNE_AXES - 1; axis >= 0; axis--) {
        struct tune_point point = tuning->tried[*at].point;
        uint32_t back = 0;
        int exit_code;
        if (point.at[axis] == 0)
            continue;
        point.at[axis] = 0;
        if ((exit_code = try_point(tuning, chunk, &point, &back)) != SL_EXIT_OK)
            return exit_code;
        if (!gains(tuning, back, *at, fold, 1))
            *at = back;
    }
    return SL_EXIT_OK;
}

/* The choice within one size of chunks, by the questions outside `fold`. */
static int choose_settings(struct tuning *tuning, uint32_t chunk, uint32_t fold)
{
    const struct tune_point configured = {{0}};
    uint32_t *at = &tuning->choices[fold].of_chunk[chunk];
    int exit_code = try_point(tuning, chunk, &configured, at);
    bool moved = true;

    for (uint32_t round = 0; exit_code == SL_EXIT_OK && moved && round < ROUNDS_MAX; round++) {
        moved = false;
        for (size_t g = 0; exit_code == SL_EXIT_OK && g < sizeof groups / sizeof *groups; g++)
            exit_code = move_group(tuning, chunk, groups[g], fold, at, &moved);
    }
    return exit_code == SL_EXIT_OK ? prune(tuning, chunk, fold, at) : exit_code;
}

/* All that has to be asked of one index. */
static int choose_of_chunk(struct tuning *tuning, uint32_t chunk)
{
    int exit_code = SL_EXIT_OK;

    for (uint32_t fold = 0; exit_code == SL_EXIT_OK && fold <= tuning->fold_count; fold++)
        exit_code = choose_settings(tuning, chunk, fold);
    return exit_code;
}

static int choose_of_copy(struct tuning *tuning, uint32_t chunk)
{
    struct ctl_evaluation *evaluation = &tuning->evaluation;
    const struct ctl_opened *opened = evaluation->opened;
    struct ctl_trial trial;
    int exit_code;

    ctl_progress_end(&tuning->progress);
    exit_code = ctl_trial_open(evaluation->ctl, opened, tuning->work, tuning->chunks[chunk], &trial);
    ctl_progress_begin(&tuning->progress, evaluation->ctl, "tune", "combinations");
    evaluation->opened = &trial.opened;
    if (exit_code == SL_EXIT_OK)
        exit_code = choose_of_chunk(tuning, chunk);
    evaluation->opened = opened;
    ctl_trial_close(&trial);
    return exit_code;
}

/* Of the choices at each size of chunks: another than the configured size has to be worth it. */
static void choose_chunk(struct tuning *tuning, uint32_t fold)
{
    struct tune_choice *choice = &tuning->choices[fold];
    uint32_t best = choice->of_chunk[0];

    for (uint32_t chunk = 1; chunk < tuning->chunk_count; chunk++)
        if (mean_without(tuning, choice->of_chunk[chunk], fold) > mean_without(tuning, best, fold) + 1e-9)
            best = choice->of_chunk[chunk];
    choice->tried = best != choice->of_chunk[0] &&
                            gains(tuning, choice->of_chunk[0], best, fold, tuning->chunk_count - 1)
                        ? best
                        : choice->of_chunk[0];
}

/* Where a question falls does not depend on the others. */
static int deal(struct tuning *tuning)
{
    uint32_t questions = tuning->evaluation.queries.count;

    tuning->folds = calloc(questions, sizeof *tuning->folds);
    tuning->held_out = calloc(questions, sizeof *tuning->held_out);
    if (tuning->folds == NULL || tuning->held_out == NULL)
        return ctl_fail(tuning->evaluation.ctl, SL_EXIT_OS, "no memory for the figures");
    for (uint32_t q = 0; q < questions; q++) {
        uint8_t digest[32];
        sl_sha256(sl_view_of(tuning->evaluation.queries.items[q].id), digest);
        tuning->folds[q] = (uint8_t)((digest[0] * 256u + digest[1]) % tuning->fold_count);
    }
    return SL_EXIT_OK;
}

/* Expansion, diversity and reranking, where configured, against doing without. */
static int judge_steps(struct tuning *tuning)
{
    static const struct {
        enum tune_axis axis;
        const char *name, *without;
    } steps[] = {{TUNE_EXPANSION, "expansion", "expansion none"},
                 {TUNE_DIVERSITY, "diversity", "diversity off"},
                 {TUNE_RERANK, "rerank", "rerank none"}};
    bool configured[] = {tuning->base.expansion != SL_EXPANSION_NONE, tuning->base.diversity > 0,
                         tuning->base.reranker != NULL};

    for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
        struct tune_point point = {{0}};
        uint32_t without = 0, as_configured = tuning->tried_count;
        int exit_code;
        for (uint8_t i = 1; i < tuning->alternative_counts[steps[s].axis]; i++)
            if (strcmp(tuning->alternatives[steps[s].axis][i].name, steps[s].without) == 0)
                point.at[steps[s].axis] = i;
        if (!configured[s] || point.at[steps[s].axis] == 0)
            continue;
        if ((exit_code = try_point(tuning, 0, &point, &without)) != SL_EXIT_OK ||
            (exit_code = try_point(tuning, 0, &(struct tune_point){{0}}, &as_configured)) != SL_EXIT_OK)
            return exit_code;
        tuning->steps[tuning->step_count].name = steps[s].name;
        sl_eval_compare(tuning->tried[without].values, tuning->tried[as_configured].values,
                        tuning->evaluation.queries.count, &tuning->steps[tuning->step_count++].gain);
    }
    return SL_EXIT_OK;
}

bool tune_won(const struct tuning *tuning)
{
    const struct tune_choice *choice = &tuning->choices[tuning->fold_count];

    return choice->tried != 0 && tune_is_real(&tuning->gain, 1);
}

const struct tune_tried *tune_chosen(const struct tuning *tuning)
{
    return &tuning->tried[tune_won(tuning) ? tuning->choices[tuning->fold_count].tried : 0];
}

/* What is found in the end, judged by the questions' own judgements and by those of others. */
static void judge_fit(struct tuning *tuning)
{
    const struct tune_tried *chosen = tune_chosen(tuning);

    sl_eval_compare(chosen->chance, chosen->values, tuning->evaluation.queries.count, &tuning->fit);
    tuning->fits = tune_is_real(&tuning->fit, 1);
}

int tune_search(struct tuning *tuning)
{
    uint32_t questions = tuning->evaluation.queries.count;
    int exit_code = deal(tuning);

    ctl_progress_begin(&tuning->progress, tuning->evaluation.ctl, "tune", "combinations");
    if (exit_code == SL_EXIT_OK)
        exit_code = choose_of_chunk(tuning, 0);
    for (uint32_t chunk = 1; exit_code == SL_EXIT_OK && chunk < tuning->chunk_count; chunk++)
        exit_code = choose_of_copy(tuning, chunk);
    if (exit_code == SL_EXIT_OK)
        exit_code = judge_steps(tuning);
    ctl_progress_end(&tuning->progress);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    for (uint32_t fold = 0; fold <= tuning->fold_count; fold++)
        choose_chunk(tuning, fold);
    for (uint32_t q = 0; q < questions; q++)
        tuning->held_out[q] = tuning->tried[tuning->choices[tuning->folds[q]].tried].values[q];
    sl_eval_compare(tuning->tried[0].values, tuning->held_out, questions, &tuning->gain);
    judge_fit(tuning);
    return SL_EXIT_OK;
}
