/*
 * cmd_compare.c -- `sluicectl compare`: is one run better than another, or was it chance?
 *
 * Both runs are files of `eval --per-question`. What is compared is each question with itself: two means with
 * intervals of their own overlap long after the difference between them is plain.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/eval.h>
#include <sluice/json.h>

#include "evaluate.h"

struct pair {
    const struct ctl_query *query; /* of the second run */
    double first, second;
};

struct comparison {
    struct ctl *ctl;
    const char *metric;
    struct ctl_queries runs[2];
    struct pair *pairs;
    uint32_t count;
    uint32_t unmatched[2];
};

static int by_id(const void *a, const void *b)
{
    const struct ctl_query *x = a, *y = b;

    return strcmp(x->id, y->id);
}

static int by_loss(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    double left = x->second - x->first, right = y->second - y->first;

    if (left < right || left > right)
        return left < right ? -1 : 1;
    return by_id(x->query, y->query);
}

static bool value_of(const struct ctl_query *query, const char *metric, double *ret)
{
    cJSON *line = cJSON_Parse(query->line);
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(line, metric);
    bool found = cJSON_IsNumber(member);

    *ret = found ? member->valuedouble : 0;
    cJSON_Delete(line);
    return found;
}

/* Questions of both runs, joined by _id. */
static int join(struct comparison *c, const struct ctl_list *paths)
{
    struct ctl_queries *first = &c->runs[0], *second = &c->runs[1];
    uint32_t i = 0, j = 0;

    c->pairs = calloc((size_t)second->count + 1, sizeof(*c->pairs));
    if (c->pairs == NULL)
        return ctl_fail(c->ctl, SL_EXIT_OS, "no memory for %u questions", second->count);
    for (int run = 0; run < 2; run++)
        if (c->runs[run].count > 0)
            qsort(c->runs[run].items, c->runs[run].count, sizeof(struct ctl_query), by_id);
    while (i < first->count && j < second->count) {
        int order = by_id(&first->items[i], &second->items[j]);
        struct pair pair = {.query = &second->items[j]};
        if (order != 0) {
            c->unmatched[order > 0]++;
            i += order < 0;
            j += order > 0;
            continue;
        }
        for (int run = 0; run < 2; run++)
            if (!value_of(run == 0 ? &first->items[i] : &second->items[j], c->metric,
                          run == 0 ? &pair.first : &pair.second))
                return ctl_fail(c->ctl, SL_EXIT_DATA, "%s: question %s has no %s; is it a file of "
                                "eval --per-question?", paths->items[run], pair.query->id, c->metric);
        c->pairs[c->count++] = pair;
        i++, j++;
    }
    c->unmatched[0] += first->count - i;
    c->unmatched[1] += second->count - j;
    if (c->count == 0)
        return ctl_fail(c->ctl, SL_EXIT_DATA, "%s and %s have no question in common",
                        paths->items[0], paths->items[1]);
    return SL_EXIT_OK;
}

static void write_json(const struct comparison *c, const struct sl_paired *paired, double first,
                       double second, uint32_t worst, struct sl_buffer *out)
{
    sl_buffer_format(out,
                     "{\"metric\": \"%s\", \"questions\": %u, \"first\": %.6f, \"second\": %.6f, "
                     "\"difference\": %.6f, \"ci95\": [%.6f, %.6f], \"p\": %.4f, \"wins\": %u, "
                     "\"losses\": %u, \"ties\": %u, \"only_first\": %u, \"only_second\": %u, "
                     "\"worst\": [",
                     c->metric, c->count, first, second, paired->difference, paired->low,
                     paired->high, paired->p, paired->wins, paired->losses, paired->ties,
                     c->unmatched[0], c->unmatched[1]);
    for (uint32_t i = 0; i < worst; i++) {
        sl_buffer_format(out, "%s{", i > 0 ? ", " : "");
        sl_json_name(out, "_id");
        sl_json_string(out, sl_view_of(c->pairs[i].query->id));
        sl_json_name(out, "query");
        sl_json_string(out, sl_view_of(c->pairs[i].query->text));
        sl_buffer_format(out, ", \"first\": %.6f, \"second\": %.6f}", c->pairs[i].first,
                         c->pairs[i].second);
    }
    sl_buffer_format(out, "]}\n");
}

static void write_text(const struct comparison *c, const struct sl_paired *paired, double first,
                       double second, uint32_t worst, struct sl_buffer *out)
{
    const char *verdict = paired->p >= 0.05      ? "no difference that chance would not make"
                          : paired->difference > 0 ? "the second is better"
                                                   : "the second is worse";

    sl_buffer_format(out,
                     "%s over %u questions: %.4f, then %.4f\n"
                     "difference %+.4f, 95 %% interval %+.4f to %+.4f, p = %.4f: %s\n"
                     "%u better, %u worse, %u the same\n",
                     c->metric, c->count, first, second, paired->difference, paired->low,
                     paired->high, paired->p, verdict, paired->wins, paired->losses, paired->ties);
    if (c->unmatched[0] + c->unmatched[1] > 0)
        sl_buffer_format(out, "left out: %u questions only of the first, %u only of the second\n",
                         c->unmatched[0], c->unmatched[1]);
    for (uint32_t i = 0; i < worst; i++) {
        sl_buffer_format(out, "%s%.4f -> %.4f  %s  ", i == 0 ? "worst:\n" : "", c->pairs[i].first,
                         c->pairs[i].second, c->pairs[i].query->id);
        ctl_show(out, sl_view_of(c->pairs[i].query->text), false);
        sl_buffer_format(out, "\n");
    }
}

static int print(const struct comparison *c, uint32_t shown)
{
    double *values = calloc((size_t)c->count * 2, sizeof(*values)), first, second;
    struct sl_buffer out = {0};
    struct sl_paired paired;
    uint32_t worst = 0;

    if (values == NULL)
        return ctl_fail(c->ctl, SL_EXIT_OS, "no memory for %u questions", c->count);
    for (uint32_t i = 0; i < c->count; i++) {
        values[i] = c->pairs[i].first;
        values[c->count + i] = c->pairs[i].second;
    }
    sl_eval_compare(values, values + c->count, c->count, &paired);
    first = sl_eval_mean(values, c->count);
    second = sl_eval_mean(values + c->count, c->count);
    free(values);
    qsort(c->pairs, c->count, sizeof(*c->pairs), by_loss);
    while (worst < shown && worst < c->count && c->pairs[worst].second < c->pairs[worst].first)
        worst++;
    if (c->ctl->json)
        write_json(c, &paired, first, second, worst, &out);
    else
        write_text(c, &paired, first, second, worst, &out);
    return ctl_print(c->ctl, &out);
}

int cmd_compare(struct ctl *ctl, int argc, char **argv)
{
    struct comparison comparison = {.ctl = ctl, .metric = ctl_metric_names[CTL_NDCG_10]};
    uint32_t worst = 10;
    const struct ctl_option options[] = {
        {"metric", CTL_TEXT, &comparison.metric, "NAME",
         "ndcg@10 (default), recall@10, recall@100, mrr@10 or hit@1", 0, 0},
        {"worst", CTL_COUNT, &worst, "N", "how many of the questions that lost are listed; default: 10",
         0, 1000},
    };
    const struct ctl_usage usage = {
        "compare FIRST SECOND [--metric NAME]",
        "Compare two files of `eval --per-question`: the difference with its bootstrap 95 % interval, "
        "the chance that\n"
        "exchanging the runs question by question makes as great a one (p), and the questions that "
        "lost most.\n"
        "Needs no configuration. Exit: 65 a line is wrong or no question is in both.",
        options, CTL_OPTION_COUNT(options), 2, 2};
    struct ctl_list args = {0};
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &args);
    int exit_code;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    if (ctl_metric_named(ctl, comparison.metric) < 0)
        return SL_EXIT_USAGE;
    exit_code = ctl_queries_read(ctl, args.items[0], &comparison.runs[0]);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_queries_read(ctl, args.items[1], &comparison.runs[1]);
    for (int run = 0; exit_code == SL_EXIT_OK && run < 2; run++)
        exit_code = ctl_queries_distinct(ctl, args.items[run], &comparison.runs[run]);
    if (exit_code == SL_EXIT_OK)
        exit_code = join(&comparison, &args);
    if (exit_code == SL_EXIT_OK)
        exit_code = print(&comparison, worst);
    free(comparison.pairs);
    ctl_queries_free(&comparison.runs[0]);
    ctl_queries_free(&comparison.runs[1]);
    return exit_code;
}
