/*
 * tune_report.c -- what `tune` found, for a person and as JSON.
 *
 * Of what was tried only the best are listed for a person; the others differ by less than their intervals.
 */
#include <stdlib.h>
#include <string.h>

#include <sluice/json.h>

#include "tuning.h"

#define BEST_LISTED 8u

struct listed {
    uint32_t tried;
    double mean;
};

static int by_mean(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;

    if (x->mean < y->mean || x->mean > y->mean)
        return x->mean < y->mean ? 1 : -1;
    return (x->tried > y->tried) - (x->tried < y->tried);
}

/* All that was tried, best first. Caller frees. */
static struct listed *list(const struct tuning *tuning)
{
    struct listed *listed = calloc((size_t)tuning->tried_count + 1, sizeof *listed);

    for (uint32_t i = 0; listed != NULL && i < tuning->tried_count; i++)
        listed[i] = (struct listed){i, sl_eval_mean(tuning->tried[i].values, tuning->evaluation.queries.count)};
    if (listed != NULL)
        qsort(listed, tuning->tried_count, sizeof *listed, by_mean);
    return listed;
}

/* ------------------------------------------------------------------------------------- JSON */

static void name_json(const struct tuning *tuning, uint32_t tried, struct sl_buffer *out)
{
    struct sl_buffer name = {0};

    tune_name(tuning, &tuning->tried[tried], &name);
    sl_json_string(out, (struct sl_view){name.data, name.size});
    sl_buffer_fini(&name);
}

static void gain_json(const struct sl_paired *gain, struct sl_buffer *out)
{
    sl_buffer_format(out, "\"gain\": %.6f, \"ci95\": [%.6f, %.6f], \"p\": %.4f", gain->difference, gain->low,
                     gain->high, gain->p);
}

static void candidates_json(const struct tuning *tuning, struct sl_buffer *out)
{
    struct listed *listed = list(tuning);

    out->failed |= listed == NULL;
    sl_buffer_format(out, ", \"candidates\": [");
    for (uint32_t i = 0; listed != NULL && i < tuning->tried_count; i++) {
        sl_buffer_format(out, "%s{\"name\": ", i > 0 ? ", " : "");
        name_json(tuning, listed[i].tried, out);
        sl_buffer_format(out, ", \"mean\": %.6f}", listed[i].mean);
    }
    sl_buffer_format(out, "]");
    free(listed);
}

static void steps_json(const struct tuning *tuning, struct sl_buffer *out)
{
    sl_buffer_format(out, ", \"steps\": [");
    for (uint32_t s = 0; s < tuning->step_count; s++) {
        sl_buffer_format(out, "%s{\"name\": \"%s\", ", s > 0 ? ", " : "", tuning->steps[s].name);
        gain_json(&tuning->steps[s].gain, out);
        sl_buffer_format(out, ", \"wins\": %s}", tune_is_real(&tuning->steps[s].gain, 1) ? "true" : "false");
    }
    sl_buffer_format(out, "]");
}

static void sizes_json(const char *name, const struct tune_sizes *sizes, struct sl_buffer *out)
{
    if (sizes->count == 0)
        return;
    sl_buffer_format(out, ", \"%s\": {\"configured\": %u, \"chosen\": ", name, sizes->configured);
    sl_buffer_format(out, sizes->chosen != 0 ? "%u" : "null", sizes->chosen);
    sl_buffer_format(out, ", \"most\": %.6f, \"tried\": [", sizes->most);
    for (uint32_t i = 0; i < sizes->count; i++)
        sl_buffer_format(out, "%s{\"value\": %u, \"mean\": %.6f, \"loss\": %.6f, \"loss_at_most\": %.6f}",
                         i > 0 ? ", " : "", sizes->items[i].value, sizes->items[i].mean,
                         sizes->items[i].loss.difference, sizes->items[i].loss.high);
    sl_buffer_format(out, "]}");
}

void tune_write_json(const struct tuning *tuning, struct sl_buffer *out)
{
    uint32_t questions = tuning->evaluation.queries.count;

    sl_buffer_format(out, "{\"queries\": %u, \"metric\": \"%s\", \"configured\": %.6f", questions,
                     ctl_metric_names[tuning->metric], sl_eval_mean(tuning->tried[0].values, questions));
    candidates_json(tuning, out);
    sl_buffer_format(out, ", \"folds\": [");
    for (uint32_t fold = 0; fold < tuning->fold_count; fold++) {
        sl_buffer_format(out, fold > 0 ? ", " : "");
        name_json(tuning, tuning->choices[fold].tried, out);
    }
    sl_buffer_format(out, "], \"best\": ");
    name_json(tuning, tuning->choices[tuning->fold_count].tried, out);
    sl_buffer_format(out, ", \"held_out\": %.6f, ", sl_eval_mean(tuning->held_out, questions));
    gain_json(&tuning->gain, out);
    sl_buffer_format(out, ", \"won\": %s, \"judgements\": {\"fit\": %s, \"gain_over_others\": %.6f}",
                     tune_won(tuning) && tuning->fits ? "true" : "false", tuning->fits ? "true" : "false",
                     tuning->fit.difference);
    steps_json(tuning, out);
    sizes_json("ef_search", &tuning->ef, out);
    sizes_json("k", &tuning->k, out);
    sl_buffer_format(out, ", \"settings\": [");
    for (uint32_t i = 0; i < tuning->setting_count; i++)
        sl_buffer_format(out, "%s{\"section\": \"%s\", \"key\": \"%s\", \"value\": \"%s\"}", i > 0 ? ", " : "",
                         tuning->settings[i].section, tuning->settings[i].key, tuning->settings[i].value);
    sl_buffer_format(out, "]}\n");
}

/* ------------------------------------------------------------------------------------- text */

static void candidates_text(const struct tuning *tuning, struct sl_buffer *out)
{
    uint32_t questions = tuning->evaluation.queries.count, shown = 0, same = 0;
    struct listed *listed = list(tuning);

    out->failed |= listed == NULL;
    for (uint32_t i = 0; listed != NULL && i < tuning->tried_count; i++) {
        uint32_t tried = listed[i].tried;
        bool chosen = tried == tuning->choices[tuning->fold_count].tried;
        double low, high;
        if (tried != 0 && !chosen &&
            memcmp(tuning->tried[tried].values, tuning->tried[0].values, questions * sizeof(double)) == 0) {
            same++;
            continue;
        }
        if (shown >= BEST_LISTED && tried != 0 && !chosen)
            continue;
        shown++;
        sl_eval_ci95(tuning->tried[tried].values, questions, &low, &high);
        sl_buffer_format(out, "%c %.4f  %.4f - %.4f  ", chosen ? '*' : ' ', listed[i].mean, low, high);
        tune_name(tuning, &tuning->tried[tried], out);
        sl_buffer_format(out, "\n");
    }
    if (same > 0)
        sl_buffer_format(out, "  %u combinations find just what the configuration finds\n", same);
    if (tuning->tried_count > shown + same)
        sl_buffer_format(out, "  and %u more combinations\n", tuning->tried_count - shown - same);
    free(listed);
}

static void choice_text(const struct tuning *tuning, struct sl_buffer *out)
{
    const struct tune_tried *best = &tuning->tried[tuning->choices[tuning->fold_count].tried];
    uint32_t agreed = 0;

    for (uint32_t fold = 0; fold < tuning->fold_count; fold++)
        agreed += tuning->choices[fold].tried == tuning->choices[tuning->fold_count].tried;
    sl_buffer_format(out, "\nChosen: ");
    tune_name(tuning, best, out);
    sl_buffer_format(out, "; the same without %u of the %u parts of the questions.\n", agreed, tuning->fold_count);
    sl_buffer_format(out,
                     "Each part judged by the choice of the others: %.4f, as configured %.4f; gain %+.4f (95 %% "
                     "%+.4f to %+.4f, p = %.4f).\n",
                     sl_eval_mean(tuning->held_out, tuning->evaluation.queries.count),
                     sl_eval_mean(tuning->tried[0].values, tuning->evaluation.queries.count),
                     tuning->gain.difference, tuning->gain.low, tuning->gain.high, tuning->gain.p);
    if (!tune_won(tuning))
        sl_buffer_format(out, "Nothing is better than the configuration by more than chance.\n");
}

static void sizes_text(const char *name, const char *of, const struct tune_sizes *sizes, struct sl_buffer *out)
{
    if (sizes->count == 0)
        return;
    sl_buffer_format(out, "\n%s: loss against %s (%.4f)\n", name, of, sizes->most);
    for (uint32_t i = 0; i < sizes->count; i++)
        sl_buffer_format(out, "%c %5u  %+.4f, at most %+.4f%s\n", sizes->items[i].value == sizes->chosen ? '*' : ' ',
                         sizes->items[i].value, sizes->items[i].loss.difference, sizes->items[i].loss.high,
                         sizes->items[i].value == sizes->configured ? "  (as configured)" : "");
}

void tune_write_text(const struct tuning *tuning, struct sl_buffer *out)
{
    const char *section = "";

    sl_buffer_format(out, "%s over %u questions\n", ctl_metric_names[tuning->metric], tuning->evaluation.queries.count);
    candidates_text(tuning, out);
    choice_text(tuning, out);
    for (uint32_t s = 0; s < tuning->step_count; s++) {
        const struct sl_paired *gain = &tuning->steps[s].gain;
        sl_buffer_format(out, "%s, as configured, gains %+.4f (95 %% %+.4f to %+.4f, p = %.4f)%s\n",
                         tuning->steps[s].name, gain->difference, gain->low, gain->high, gain->p,
                         tune_is_real(gain, 1) ? "" : ": no more than chance, do without it");
    }
    if (!tuning->fits)
        sl_buffer_format(out,
                         "What is found fits the questions' own judgements no better than those of other questions "
                         "(%+.4f): are these the judgements of these questions? Nothing is changed.\n",
                         tuning->fit.difference);
    sizes_text("ef_search", "comparing every vector", &tuning->ef, out);
    sizes_text("k", "the most passages, of the relevant documents", &tuning->k, out);
    if (tuning->setting_count == 0)
        sl_buffer_format(out, "\nThe configuration stays as it is.\n");
    for (uint32_t i = 0; i < tuning->setting_count; i++) {
        const struct ctl_setting *setting = &tuning->settings[i];
        if (strcmp(section, setting->section) != 0)
            sl_buffer_format(out, "\n[%s]\n", setting->section);
        section = setting->section;
        sl_buffer_format(out, "%s = %s\n", setting->key, setting->value);
    }
}
