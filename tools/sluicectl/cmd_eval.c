/*
 * cmd_eval.c -- `sluicectl eval`: how good retrieval is on questions whose documents are known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/json.h>

#include "runs.h"
#include "slices.h"

/* ----------------------------------------------------------------------------------- evaluate */

struct wanted {
    const char *queries, *qrels, *rankings, *run, *per_question, *slice, *record, *runs;
};

static int print_result(const struct ctl_evaluation *evaluation, const struct wanted *wanted,
                        const struct sl_index_stats *stats, double seconds)
{
    struct sl_buffer out = {0};
    enum sl_mode mode =
        evaluation->opened->embedder != NULL ? evaluation->retrieve.mode : SL_MODE_LEXICAL;
    int exit_code = SL_EXIT_OK;

    sl_buffer_format(&out, "{\"queries\": %u", evaluation->queries.count);
    ctl_evaluation_write(evaluation, NULL, evaluation->queries.count, &out);
    if (wanted->slice != NULL)
        exit_code = ctl_slices_write(evaluation, wanted->slice, &out);
    if (evaluation->unjudged > 0)
        sl_buffer_format(&out, ", \"unjudged\": %u", evaluation->unjudged);
    if (evaluation->refused > 0)
        sl_buffer_format(&out, ", \"refused\": %u", evaluation->refused);
    sl_buffer_format(&out,
                     ", \"mode\": \"%s\", \"depth\": %u, \"documents\": %llu, \"chunks\": %llu, "
                     "\"seconds\": %.3f}\n",
                     wanted->rankings != NULL ? "rankings" : ctl_mode_name(mode), evaluation->depth,
                     (unsigned long long)stats->documents, (unsigned long long)stats->chunks,
                     seconds);
    if (exit_code != SL_EXIT_OK)
        sl_buffer_fini(&out);
    return exit_code == SL_EXIT_OK ? ctl_print(evaluation->ctl, &out) : exit_code;
}

static int open_output(const struct ctl *ctl, const char *path, FILE **ret_file)
{
    if (path != NULL && (*ret_file = fopen(path, "we")) == NULL)
        return ctl_fail(ctl, SL_EXIT_IO, "%s: %s", path, strerror(errno));
    return SL_EXIT_OK;
}

static int close_output(const struct ctl *ctl, const char *path, FILE *file, int exit_code)
{
    if (file != NULL && fclose(file) != 0 && exit_code == SL_EXIT_OK)
        return ctl_fail(ctl, SL_EXIT_IO, "%s: %s", path, strerror(errno));
    return exit_code;
}

static int eval_open(struct ctl_evaluation *evaluation, const struct wanted *wanted)
{
    struct ctl *ctl = evaluation->ctl;
    struct ctl_opened opened;
    struct sl_index_stats stats;
    double started = ctl_seconds();
    int exit_code =
        ctl_open(ctl, CTL_ACCESS_SEARCH,
                 evaluation->retrieve.mode != SL_MODE_LEXICAL && wanted->rankings == NULL, &opened);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    evaluation->opened = &opened;
    ctl_retrieve_words(&opened, &evaluation->retrieve);
    evaluation->retrieve.reranker = opened.heads.reranker;
    if (wanted->rankings != NULL)
        exit_code = ctl_rankings_read(ctl, wanted->rankings, &evaluation->rankings);
    if (exit_code == SL_EXIT_OK)
        exit_code = open_output(ctl, wanted->run, &evaluation->run);
    if (exit_code == SL_EXIT_OK)
        exit_code = open_output(ctl, wanted->per_question, &evaluation->per_question);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_evaluation_run(evaluation, &stats);
    exit_code = close_output(ctl, wanted->run, evaluation->run, exit_code);
    exit_code = close_output(ctl, wanted->per_question, evaluation->per_question, exit_code);
    if (exit_code == SL_EXIT_OK && wanted->record != NULL)
        exit_code = ctl_runs_add(evaluation, wanted->runs, wanted->record);
    if (exit_code == SL_EXIT_OK)
        exit_code = print_result(evaluation, wanted, &stats, ctl_seconds() - started);
    if (exit_code == SL_EXIT_OK && evaluation->refused > 0)
        exit_code = SL_EXIT_DATA;
    ctl_rankings_free(&evaluation->rankings);
    ctl_close(&opened);
    return exit_code;
}

int cmd_eval(struct ctl *ctl, int argc, char **argv)
{
    const char *mode_name = NULL, *now = NULL;
    struct wanted wanted = {0};
    struct ctl_evaluation evaluation = {.ctl = ctl, .depth = 100};
    uint32_t ef = 0;
    const struct ctl_option options[] = {
        {"queries", CTL_TEXT, &wanted.queries, "FILE",
         "questions: {\"_id\", \"text\" or \"query\", \"filter\", \"now\"} a line", 0, 0},
        {"qrels", CTL_TEXT, &wanted.qrels, "FILE",
         "judgements: question, document (_id = key), score", 0, 0},
        {"mode", CTL_TEXT, &mode_name, "MODE", "hybrid, vector or lexical; default: as configured",
         0, 0},
        {"k", CTL_COUNT, &evaluation.depth, "N", "how many documents to look at; default: 100", 1,
         SL_K_MAX},
        {"ef", CTL_COUNT, &ef, "N", "how hard to look in the graph; default: as configured", 1,
         SL_EF_MAX},
        {"exact", CTL_FLAG, &evaluation.exact, NULL,
         "compare every vector instead of walking the graph", 0, 0},
        {"rankings", CTL_TEXT, &wanted.rankings, "FILE",
         "ask nothing: measure the rankings of this file, in TREC's form, of another program or run", 0, 0},
        {"run", CTL_TEXT, &wanted.run, "FILE", "write the rankings there, in TREC's form", 0, 0},
        {"per-question", CTL_TEXT, &wanted.per_question, "FILE",
         "write each question's figures there, a JSON object a line, for compare", 0, 0},
        {"slice", CTL_TEXT, &wanted.slice, "FIELD",
         "also the figures for each value of this member of the questions, or, as doc.FIELD, of this field of the "
         "relevant documents: doc.lang, doc.tenant, doc.date (its year), ...", 0, 0},
        {"record", CTL_TEXT, &wanted.record, "LABEL",
         "keep the figures, with the time and the pipeline's fingerprint, for runs", 0, 0},
        {"runs", CTL_TEXT, &wanted.runs, "FILE", "where --record keeps them; default: INDEX.runs.jsonl",
         0, 0},
        {"now", CTL_TEXT, &now, "DATE", "the day \"last year\" is counted from; default: today", 0,
         0},
    };
    const struct ctl_usage usage = {
        "eval --queries FILE --qrels FILE",
        "Measure retrieval: nDCG@10, recall@10, recall@100, MRR@10 and hit@1 over the questions that "
        "have a relevant\n"
        "document, with bootstrap 95 % intervals (ci95 is that of nDCG@10). One JSON object on "
        "standard output.\n"
        "Exit: 65 a line is wrong, a question cannot be asked (the figures are printed all the same) or none "
        "is judged, 66 no such\n"
        "file or index.",
        options,
        CTL_OPTION_COUNT(options),
        0,
        0};
    struct ctl_list args = {0};
    enum sl_mode mode;
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &args);
    int exit_code;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    if (wanted.queries == NULL || wanted.qrels == NULL)
        return ctl_fail(ctl, SL_EXIT_USAGE, "both are needed: --queries FILE and --qrels FILE");
    exit_code = ctl_mode(ctl, mode_name, &mode);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_now(ctl, now, &evaluation.asked_ms);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_config(ctl);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_evaluation_read(&evaluation, wanted.queries, wanted.qrels);
    if (exit_code == SL_EXIT_OK) {
        ctl_retrieve_options(ctl->config, mode, 0, ef, &evaluation.retrieve);
        exit_code = eval_open(&evaluation, &wanted);
    }
    ctl_evaluation_free(&evaluation);
    return exit_code;
}
