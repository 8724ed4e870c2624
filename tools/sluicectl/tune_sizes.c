/*
 * tune_sizes.c -- how much has to be looked at: `ef_search` in the graph, `k` passages.
 *
 * More is never worse here, and costs time with every question, so nothing can win: what is sought is the least that
 * loses next to nothing against the most. For ef the most is comparing every vector, judged by the metric; for k it
 * is twenty-five passages, judged by the share of the relevant documents among them. "Next to nothing" is said of
 * the worse end of the loss's interval: few questions give a wide one, and then nothing is taken away. Where only the
 * most itself is near enough, more would find more still: then it is left as it is.
 *
 * Judgements that have nothing to do with the questions would let anything pass. So what is found must fit the
 * questions' own judgements better than those of other questions, or nothing is changed at all. Both are looked at in
 * the index as it is, also where other chunks won: their copy is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "tuning.h"

#define EF_LOSS_MAX     0.005
#define K_LOSS_MAX      0.02
#define LEG_DEPTH_MIN   100u /* below it ef changes nothing: sl_retrieve() */

static const uint32_t ef_values[] = {100, 200, 400, 800, 1600}, k_values[] = {3, 5, 8, 10, 15, 20, 25};

struct asking {
    struct tuning *tuning;
    struct sl_retrieve_options options;
    double *most, *values; /* [questions] */
};

static int ask_ef(struct asking *asking, uint32_t ef, double *ret)
{
    asking->options.ef = ef;
    return tune_ask(asking->tuning, &asking->options, ret);
}

static int ask_k(struct asking *asking, uint32_t k, double *ret)
{
    struct ctl_evaluation *evaluation = &asking->tuning->evaluation;
    uint32_t passages = evaluation->passages;
    int exit_code;

    evaluation->passages = k;
    exit_code = tune_ask(asking->tuning, &asking->options, ret);
    evaluation->passages = passages;
    memcpy(ret, evaluation->values[CTL_RECALL_100], evaluation->queries.count * sizeof *ret);
    return exit_code;
}

static void add_size(struct asking *asking, struct tune_sizes *sizes, uint32_t value, double loss_max)
{
    uint32_t questions = asking->tuning->evaluation.queries.count;
    struct tune_size *size = &sizes->items[sizes->count++];

    size->value = value;
    size->mean = sl_eval_mean(asking->values, questions);
    sl_eval_compare(asking->values, asking->most, questions, &size->loss);
    if (value < sizes->most_value && size->loss.high <= loss_max && (sizes->chosen == 0 || value < sizes->chosen))
        sizes->chosen = value;
}

/* The values listed, and the configured one where it is none of them. */
static int ask_sizes(struct asking *asking, struct tune_sizes *sizes, const uint32_t *values,
                     uint32_t count, uint32_t most_value, double loss_max,
                     int (*ask)(struct asking *asking, uint32_t value, double *ret))
{
    bool listed = false;
    int exit_code = SL_EXIT_OK;

    sizes->most = sl_eval_mean(asking->most, asking->tuning->evaluation.queries.count);
    sizes->most_value = most_value;
    for (uint32_t i = 0; exit_code == SL_EXIT_OK && i < count; i++) {
        listed |= values[i] == sizes->configured;
        exit_code = ask(asking, values[i], asking->values);
        add_size(asking, sizes, values[i], loss_max);
    }
    if (exit_code == SL_EXIT_OK && !listed) {
        exit_code = ask(asking, sizes->configured, asking->values);
        add_size(asking, sizes, sizes->configured, loss_max);
    }
    return exit_code;
}

static int find_ef(struct asking *asking)
{
    struct tuning *tuning = asking->tuning;
    int exit_code;

    if (tuning->keeps_ef || asking->options.mode == SL_MODE_LEXICAL || tuning->evaluation.opened->embedder == NULL)
        return SL_EXIT_OK;
    tuning->ef.configured = tuning->base.ef > LEG_DEPTH_MIN ? tuning->base.ef : LEG_DEPTH_MIN;
    tuning->evaluation.exact = true;
    exit_code = ask_ef(asking, tuning->base.ef, asking->most);
    tuning->evaluation.exact = false;
    if (exit_code == SL_EXIT_OK)
        exit_code = ask_sizes(asking, &tuning->ef, ef_values, sizeof ef_values / sizeof *ef_values,
                              UINT32_MAX, EF_LOSS_MAX, ask_ef);
    asking->options.ef = tuning->ef.chosen != 0 ? tuning->ef.chosen : tuning->base.ef;
    return exit_code;
}

static int find_k(struct asking *asking)
{
    struct tuning *tuning = asking->tuning;
    uint32_t most = tuning->base.k > TUNE_PASSAGES ? tuning->base.k : TUNE_PASSAGES;
    int exit_code;

    if (tuning->keeps_k)
        return SL_EXIT_OK;
    tuning->k.configured = tuning->base.k;
    exit_code = ask_k(asking, most, asking->most);
    return exit_code == SL_EXIT_OK ? ask_sizes(asking, &tuning->k, k_values, sizeof k_values / sizeof *k_values,
                                               most, K_LOSS_MAX, ask_k)
                                   : exit_code;
}

int tune_sizes(struct tuning *tuning)
{
    uint32_t questions = tuning->evaluation.queries.count;
    struct asking asking = {tuning, tune_options(tuning, &tune_chosen(tuning)->point),
                            calloc(questions, sizeof(double)), calloc(questions, sizeof(double))};
    int exit_code = SL_EXIT_OK;

    if (asking.most == NULL || asking.values == NULL)
        exit_code = ctl_fail(tuning->evaluation.ctl, SL_EXIT_OS, "no memory for the figures");
    if (exit_code == SL_EXIT_OK && tuning->fits)
        exit_code = find_ef(&asking);
    if (exit_code == SL_EXIT_OK && tuning->fits)
        exit_code = find_k(&asking);
    free(asking.most);
    free(asking.values);
    return exit_code;
}
