/*
 * tune_space.c -- the settings that `tune` tries: five axes, on each of which the first place is the configuration.
 *
 * Mode, fusion and weights are one axis: weights mean nothing without a fusion, and nothing of either where one leg
 * is asked alone.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tuning.h"

static struct tune_alternative *add(struct tuning *tuning, enum tune_axis axis)
{
    uint32_t i = tuning->alternative_counts[axis];

    SL_PRE(i < TUNE_ALTERNATIVES_MAX);
    if (tuning->kept[axis])
        i = TUNE_ALTERNATIVES_MAX - 1; /* out of the count */
    else
        tuning->alternative_counts[axis]++;
    tuning->alternatives[axis][i] = (struct tune_alternative){.options = tuning->base};
    return &tuning->alternatives[axis][i];
}

static void add_fusion(struct tuning *tuning, enum sl_fusion fusion, double lexical, double vector)
{
    const struct sl_retrieve_options *base = &tuning->base;
    struct tune_alternative *one;
    const char *name = fusion == SL_FUSION_RRF ? "rrf" : "minmax";

    if (base->mode == SL_MODE_HYBRID && base->fusion == fusion &&
        fabs(base->weight_lexical * vector - base->weight_vector * lexical) < 1e-9)
        return; /* as configured */
    one = add(tuning, TUNE_FUSION);
    one->options.mode = SL_MODE_HYBRID;
    one->options.fusion = fusion;
    one->options.weight_lexical = lexical;
    one->options.weight_vector = vector;
    (void)snprintf(one->name, sizeof one->name, "hybrid, %s %g : %g", name, lexical, vector);
    (void)snprintf(one->lines, sizeof one->lines, "mode = hybrid\nfusion = %s\nweights = %g, %g\n", name, lexical,
                   vector);
}

static void add_mode(struct tuning *tuning, enum sl_mode mode)
{
    struct tune_alternative *one;

    if (tuning->base.mode == mode)
        return;
    one = add(tuning, TUNE_FUSION);
    one->options.mode = mode;
    (void)snprintf(one->name, sizeof one->name, "%s alone", ctl_mode_name(mode));
    (void)snprintf(one->lines, sizeof one->lines, "mode = %s\n", ctl_mode_name(mode));
}

static void add_expansion(struct tuning *tuning, enum sl_expansion expansion)
{
    struct tune_alternative *one = add(tuning, TUNE_EXPANSION);
    const char *name = expansion == SL_EXPANSION_RM3 ? "rm3" : "none";

    one->options.expansion = expansion;
    (void)snprintf(one->name, sizeof one->name, "expansion %s", name);
    (void)snprintf(one->lines, sizeof one->lines, "expansion = %s\n", name);
}

/* A number, of which 0 is called "off"; NULL: it is the configured one. */
static struct tune_alternative *add_number(struct tuning *tuning, enum tune_axis axis, const char *key,
                                           double configured, double number)
{
    struct tune_alternative *one;
    char value[32] = "off";

    if (fabs(configured - number) < 1e-9)
        return NULL;
    one = add(tuning, axis);
    if (number > 0)
        (void)snprintf(value, sizeof value, "%g", number);
    (void)snprintf(one->name, sizeof one->name, "%s %s", key, value);
    (void)snprintf(one->lines, sizeof one->lines, "%s = %s\n", key, value);
    return one;
}

static void add_numbers(struct tuning *tuning)
{
    static const double half_lives[] = {0, 90, 365, 1825, 7300}, diversities[] = {0, 0.2, 0.4};
    const struct sl_retrieve_options *base = &tuning->base;
    struct tune_alternative *one;

    for (size_t i = 0; i < sizeof half_lives / sizeof *half_lives; i++)
        if ((one = add_number(tuning, TUNE_RECENCY, "half_life_days", base->half_life_days, half_lives[i])))
            one->options.half_life_days = half_lives[i];
    for (size_t i = 0; i < sizeof diversities / sizeof *diversities; i++)
        if ((one = add_number(tuning, TUNE_DIVERSITY, "diversity", base->diversity, diversities[i])))
            one->options.diversity = diversities[i];
}

static void add_rerank(struct tuning *tuning)
{
    struct tune_alternative *one = add(tuning, TUNE_RERANK);

    one->options.reranker = NULL;
    (void)snprintf(one->name, sizeof one->name, "rerank none");
    (void)snprintf(one->lines, sizeof one->lines, "rerank = none\n");
    one = add(tuning, TUNE_RERANK);
    one->options.rerank_weight = 0.5;
    (void)snprintf(one->name, sizeof one->name, "rerank_weight 0.5");
    (void)snprintf(one->lines, sizeof one->lines, "rerank_weight = 0.5\n");
}

void tune_space(struct tuning *tuning, bool vectors)
{
    static const double ratios[][2] = {{1, 0.3}, {1, 0.5}, {1, 1}, {0.5, 1}, {0.3, 1}};

    for (int axis = 0; axis < TUNE_AXES; axis++) {
        tuning->alternatives[axis][0] = (struct tune_alternative){.options = tuning->base};
        tuning->alternative_counts[axis] = 1;
    }
    if (vectors) {
        add_mode(tuning, SL_MODE_LEXICAL);
        add_mode(tuning, SL_MODE_VECTOR);
        for (size_t i = 0; i < sizeof ratios / sizeof *ratios; i++)
            add_fusion(tuning, SL_FUSION_RRF, ratios[i][0], ratios[i][1]);
        for (int share = 1; share <= 9; share++)
            add_fusion(tuning, SL_FUSION_MINMAX, 1 - share / 10.0, share / 10.0);
    }
    add_expansion(tuning, tuning->base.expansion == SL_EXPANSION_NONE ? SL_EXPANSION_RM3 : SL_EXPANSION_NONE);
    add_numbers(tuning);
    if (tuning->base.reranker != NULL)
        add_rerank(tuning);
}

struct sl_retrieve_options tune_options(const struct tuning *tuning, const struct tune_point *point)
{
    const struct sl_retrieve_options *of[TUNE_AXES];
    struct sl_retrieve_options options = tuning->base;

    for (int axis = 0; axis < TUNE_AXES; axis++)
        of[axis] = &tuning->alternatives[axis][point->at[axis]].options;
    options.mode = of[TUNE_FUSION]->mode;
    options.fusion = of[TUNE_FUSION]->fusion;
    options.weight_lexical = of[TUNE_FUSION]->weight_lexical;
    options.weight_vector = of[TUNE_FUSION]->weight_vector;
    options.expansion = of[TUNE_EXPANSION]->expansion;
    options.half_life_days = of[TUNE_RECENCY]->half_life_days;
    options.diversity = of[TUNE_DIVERSITY]->diversity;
    options.reranker = of[TUNE_RERANK]->reranker;
    options.rerank_weight = of[TUNE_RERANK]->rerank_weight;
    return options;
}

void tune_name(const struct tuning *tuning, const struct tune_tried *tried, struct sl_buffer *out)
{
    bool any = tried->chunk != 0;

    if (any)
        sl_buffer_format(out, "chunks of %u words", tuning->chunks[tried->chunk]);
    for (int axis = 0; axis < TUNE_AXES; axis++) {
        if (tried->point.at[axis] == 0)
            continue;
        sl_buffer_format(out, "%s%s", any ? "; " : "", tuning->alternatives[axis][tried->point.at[axis]].name);
        any = true;
    }
    if (!any)
        sl_buffer_format(out, "as configured");
}
