/*
 * cmd_eval.c -- `sluicectl eval`: how good retrieval is on questions whose documents are known.
 *
 * A document counts with its best chunk: of several chunks of one document the first found stays
 * and the others fall out of the ranking. Only questions with at least one relevant document count.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/eval.h>
#include <sluice/json.h>

#include "ask.h"
#include "qrels.h"

#define ROUND_QUESTIONS 64u
#define CHUNKS_PER_RESULT                                                                          \
    10u /* how far to look beyond the depth for chunks of the same document                        \
         */

enum metric { NDCG_10 = 0, RECALL_10, RECALL_100, MRR_10, HIT_1, METRIC_COUNT };

static const char *const metric_names[METRIC_COUNT] = {"ndcg@10", "recall@10", "recall@100",
                                                       "mrr@10", "hit@1"};

struct evaluation {
    struct ctl *ctl;
    const struct ctl_opened *opened;
    struct ctl_queries queries; /* only those with judgements */
    struct ctl_qrels qrels;
    struct sl_retrieve_options retrieve;
    uint32_t depth;
    bool exact;
    int64_t asked_ms;
    uint32_t first; /* of this round */
    double *values[METRIC_COUNT];
    bool run_wanted;
    struct sl_buffer run[ROUND_QUESTIONS];
    enum sl_err results[ROUND_QUESTIONS];
    struct sl_error errs[ROUND_QUESTIONS];
};

/* The keys of the documents found, best first, each once. */
struct ranking {
    struct sl_view *keys;
    float *scores;
    uint32_t count;
};

static enum sl_err rank_documents(const struct sl_snapshot *snapshot,
                                  const struct sl_retrieved *retrieved, uint32_t depth,
                                  struct sl_arena *arena, struct ranking *ret_ranking,
                                  struct sl_error *err)
{
    sl_doc_id *docs = SL_NEW_ARRAY(arena, sl_doc_id, depth);
    struct ranking ranking = {SL_NEW_ARRAY(arena, struct sl_view, depth),
                              SL_NEW_ARRAY(arena, float, depth), 0};

    if (docs == NULL || ranking.keys == NULL || ranking.scores == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a ranking");
    for (uint32_t i = 0; i < retrieved->count && ranking.count < depth; i++) {
        const struct sl_result *result = &retrieved->results[i];
        struct sl_document document;
        uint32_t chunk_count;
        uint32_t seen = 0;
        enum sl_err code;

        while (seen < ranking.count && docs[seen] != result->doc)
            seen++;
        if (seen < ranking.count)
            continue;
        code = sl_snapshot_document(snapshot, result->doc, arena, &document, &chunk_count, err);
        if (code != SL_OK)
            return code;
        docs[seen] = result->doc;
        ranking.keys[seen] = document.key;
        ranking.scores[seen] = result->score;
        ranking.count++;
    }
    *ret_ranking = ranking;
    return SL_OK;
}

static enum sl_err score(struct evaluation *evaluation, uint32_t query,
                         const struct ranking *ranking, struct sl_arena *arena,
                         struct sl_error *err)
{
    uint32_t judged;
    const struct ctl_judgement *judgements =
        ctl_qrels_of(&evaluation->qrels, evaluation->queries.items[query].id, &judged);
    int32_t *grades = SL_NEW_ARRAY(arena, int32_t, ranking->count + 1);
    int32_t *ideal = SL_NEW_ARRAY(arena, int32_t, judged + 1);
    uint32_t relevant = 0;

    if (grades == NULL || ideal == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for the judgements of a question");
    for (uint32_t j = 0; j < judged; j++) {
        ideal[j] = judgements[j].grade;
        relevant += judgements[j].grade > 0;
        for (uint32_t i = 0; i < ranking->count; i++) {
            if (sl_view_is(ranking->keys[i], judgements[j].doc))
                grades[i] = judgements[j].grade;
        }
    }
    evaluation->values[NDCG_10][query] = sl_eval_ndcg(grades, ranking->count, ideal, judged, 10);
    evaluation->values[RECALL_10][query] = sl_eval_recall(grades, ranking->count, relevant, 10);
    evaluation->values[RECALL_100][query] = sl_eval_recall(grades, ranking->count, relevant, 100);
    evaluation->values[MRR_10][query] = sl_eval_mrr(grades, ranking->count, 10);
    evaluation->values[HIT_1][query] = sl_eval_mrr(grades, ranking->count, 1);
    return SL_OK;
}

static void write_run(struct sl_buffer *out, const char *query, const struct ranking *ranking)
{
    for (uint32_t i = 0; i < ranking->count; i++)
        sl_buffer_format(out, "%s Q0 %.*s %u %.6f sluice\n", query, SL_VIEW_ARG(ranking->keys[i]),
                         i + 1, (double)ranking->scores[i]);
}

static enum sl_err evaluate(struct evaluation *evaluation, uint32_t i, struct sl_arena *arena,
                            struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    const struct ctl_query *query = &evaluation->queries.items[evaluation->first + i];
    struct sl_question question;
    struct sl_retrieved *retrieved;
    struct ranking ranking = {0};
    enum sl_err code = sl_snapshot_open(evaluation->opened->index, &snapshot, err);

    if (code == SL_OK)
        code = ctl_question(sl_view_of(query->text), sl_view_of(query->filter),
                            query->asked_ms >= 0 ? query->asked_ms : evaluation->asked_ms, arena,
                            &question, err);
    if (code != SL_OK)
        return code;
    question.exact = evaluation->exact;
    code = sl_retrieve(snapshot, &question, &evaluation->retrieve, evaluation->opened->embedder,
                       &ctl_clock, arena, &retrieved, err);
    if (code == SL_OK)
        code = rank_documents(snapshot, retrieved, evaluation->depth, arena, &ranking, err);
    if (code != SL_OK)
        return code;
    if (evaluation->run_wanted)
        write_run(&evaluation->run[i], query->id, &ranking);
    return score(evaluation, evaluation->first + i, &ranking, arena, err);
}

static void evaluate_item(void *context, uint32_t thread, uint32_t i)
{
    struct evaluation *evaluation = context;
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);

    (void)thread;
    evaluation->errs[i] = (struct sl_error){0};
    if (arena == NULL)
        evaluation->results[i] =
            sl_stop(&evaluation->errs[i], SL_EXIT_OS, 0, "memory", "no memory for a question");
    else
        evaluation->results[i] = evaluate(evaluation, i, arena, &evaluation->errs[i]);
    sl_arena_close(arena);
}

static int evaluate_all(struct evaluation *evaluation, FILE *run)
{
    const struct ctl *ctl = evaluation->ctl;
    uint32_t count = evaluation->queries.count;
    struct ctl_progress progress;
    int exit_code = SL_EXIT_OK;

    ctl_progress_begin(&progress, ctl, "eval", "questions");
    for (uint32_t at = 0; at < count && exit_code == SL_EXIT_OK; at += ROUND_QUESTIONS) {
        uint32_t items = count - at < ROUND_QUESTIONS ? count - at : ROUND_QUESTIONS;

        evaluation->first = at;
        ctl_parallel(ctl_threads(ctl->config), items, evaluate_item, evaluation);
        for (uint32_t i = 0; i < items; i++) {
            struct sl_buffer *lines = &evaluation->run[i];

            if (exit_code == SL_EXIT_OK && evaluation->results[i] != SL_OK)
                exit_code = ctl_fail(ctl, SL_EXIT_DATA, "question %s: %s: %s",
                                     evaluation->queries.items[at + i].id,
                                     evaluation->errs[i].reason, evaluation->errs[i].message);
            if (run != NULL && lines->size > 0 &&
                fwrite(lines->data, 1, lines->size, run) != lines->size && exit_code == SL_EXIT_OK)
                exit_code = ctl_fail(ctl, SL_EXIT_IO, "cannot write the run: %s", strerror(errno));
            sl_buffer_fini(lines);
        }
        ctl_progress_move(&progress, at + items, (double)(at + items) / count);
    }
    ctl_progress_end(&progress);
    return exit_code;
}

static int print_result(const struct evaluation *evaluation, const struct sl_index_stats *stats,
                        double seconds)
{
    uint32_t count = evaluation->queries.count;
    struct sl_buffer out = {0};
    double low, high;

    sl_buffer_format(&out, "{\"queries\": %u", count);
    for (int m = 0; m < METRIC_COUNT; m++) {
        sl_json_name(&out, metric_names[m]);
        sl_json_number(&out, sl_eval_mean(evaluation->values[m], count));
    }
    sl_eval_ci95(evaluation->values[NDCG_10], count, &low, &high);
    sl_buffer_format(&out, ", \"ci95\": [%.4f, %.4f], \"intervals\": {", low, high);
    for (int m = 0; m < METRIC_COUNT; m++) {
        sl_eval_ci95(evaluation->values[m], count, &low, &high);
        sl_json_name(&out, metric_names[m]);
        sl_buffer_format(&out, "[%.4f, %.4f]", low, high);
    }
    sl_buffer_format(&out,
                     "}, \"mode\": \"%s\", \"depth\": %u, \"documents\": %llu, \"chunks\": %llu, "
                     "\"seconds\": %.3f}\n",
                     ctl_mode_name(evaluation->retrieve.mode), evaluation->depth,
                     (unsigned long long)stats->documents, (unsigned long long)stats->chunks,
                     seconds);
    return ctl_print(evaluation->ctl, &out);
}

/* Drop the questions that nothing relevant is known for. */
static void keep_judged(struct evaluation *evaluation)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < evaluation->queries.count; i++) {
        struct ctl_query *query = &evaluation->queries.items[i];
        uint32_t judged = 0;
        const struct ctl_judgement *judgements =
            query->id != NULL ? ctl_qrels_of(&evaluation->qrels, query->id, &judged) : NULL;

        if (judged > 0 && judgements[0].grade > 0) {
            struct ctl_query moved = *query;

            *query = evaluation->queries.items[kept];
            evaluation->queries.items[kept++] = moved;
        }
    }
    for (uint32_t i = kept; i < evaluation->queries.count; i++)
        ctl_query_fini(&evaluation->queries.items[i]);
    evaluation->queries.count = kept;
}

/* Figures of the index; they say how many chunks to ask for so that `depth` documents are among
 * them. */
static enum sl_err fit_depth(struct evaluation *evaluation, struct sl_index_stats *ret_stats,
                             struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    enum sl_err code = sl_snapshot_open(evaluation->opened->index, &snapshot, err);
    uint64_t per_document;
    uint64_t k;

    if (code == SL_OK)
        code = sl_snapshot_stats(snapshot, ret_stats, err);
    if (code != SL_OK)
        return code;
    per_document = ret_stats->documents > 0
                       ? (ret_stats->chunks + ret_stats->documents - 1) / ret_stats->documents
                       : 1;
    if (per_document > CHUNKS_PER_RESULT)
        per_document = CHUNKS_PER_RESULT;
    k = evaluation->depth * (per_document > 0 ? per_document : 1);
    evaluation->retrieve.k = k < SL_K_MAX ? (uint32_t)k : SL_K_MAX;
    return SL_OK;
}

static int eval_run(struct evaluation *evaluation, FILE *run)
{
    struct sl_index_stats stats;
    struct sl_error err = {0};
    double started = ctl_seconds();
    int exit_code = SL_EXIT_OK;

    if (evaluation->queries.count == 0)
        return ctl_fail(evaluation->ctl, SL_EXIT_DATA,
                        "no question has a relevant document in the judgements");
    if (fit_depth(evaluation, &stats, &err) != SL_OK)
        return ctl_fail_error(evaluation->ctl, &err, SL_EXIT_IO);
    for (int m = 0; m < METRIC_COUNT; m++) {
        evaluation->values[m] = calloc(evaluation->queries.count, sizeof(double));
        if (evaluation->values[m] == NULL)
            exit_code = ctl_fail(evaluation->ctl, SL_EXIT_OS, "no memory for the figures");
    }
    if (exit_code == SL_EXIT_OK)
        exit_code = evaluate_all(evaluation, run);
    if (exit_code == SL_EXIT_OK)
        exit_code = print_result(evaluation, &stats, ctl_seconds() - started);
    for (int m = 0; m < METRIC_COUNT; m++)
        free(evaluation->values[m]);
    return exit_code;
}

static int eval_open(struct evaluation *evaluation, const char *run_path)
{
    struct ctl *ctl = evaluation->ctl;
    struct ctl_opened opened;
    FILE *run = NULL;
    int exit_code =
        ctl_open(ctl, CTL_ACCESS_SEARCH, evaluation->retrieve.mode != SL_MODE_LEXICAL, &opened);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    evaluation->opened = &opened;
    if (run_path != NULL && (run = fopen(run_path, "we")) == NULL)
        exit_code = ctl_fail(ctl, SL_EXIT_IO, "%s: %s", run_path, strerror(errno));
    evaluation->run_wanted = run != NULL;
    if (exit_code == SL_EXIT_OK)
        exit_code = eval_run(evaluation, run);
    if (run != NULL && fclose(run) != 0 && exit_code == SL_EXIT_OK)
        exit_code = ctl_fail(ctl, SL_EXIT_IO, "%s: %s", run_path, strerror(errno));
    ctl_close(&opened);
    return exit_code;
}

int cmd_eval(struct ctl *ctl, int argc, char **argv)
{
    const char *queries = NULL, *qrels = NULL, *mode_name = NULL, *run = NULL, *now = NULL;
    struct evaluation evaluation = {.ctl = ctl, .depth = 100};
    uint32_t ef = 0;
    const struct ctl_option options[] = {
        {"queries", CTL_TEXT, &queries, "FILE",
         "questions: {\"_id\", \"text\" or \"query\", \"filter\"} a line", 0, 0},
        {"qrels", CTL_TEXT, &qrels, "FILE", "judgements: question, document (_id = key), score", 0,
         0},
        {"mode", CTL_TEXT, &mode_name, "MODE", "hybrid, vector or lexical; default: as configured",
         0, 0},
        {"k", CTL_COUNT, &evaluation.depth, "N", "how many documents to look at; default: 100", 1,
         SL_K_MAX},
        {"ef", CTL_COUNT, &ef, "N", "how hard to look in the graph; default: as configured", 1,
         SL_EF_MAX},
        {"exact", CTL_FLAG, &evaluation.exact, NULL,
         "compare every vector instead of walking the graph", 0, 0},
        {"run", CTL_TEXT, &run, "FILE", "write the rankings there, in TREC's form", 0, 0},
        {"now", CTL_TEXT, &now, "DATE", "the day \"last year\" is counted from; default: today", 0,
         0},
    };
    const struct ctl_usage usage = {
        "eval --queries FILE --qrels FILE",
        "Measure retrieval: nDCG@10, recall@10, recall@100 and MRR@10 over the questions that have "
        "a relevant\n"
        "document, with bootstrap 95 % intervals (ci95 is that of nDCG@10). One JSON object on "
        "standard output.\n"
        "Exit: 65 a line is wrong or no question is judged, 66 no such file or index.",
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
    if (queries == NULL || qrels == NULL)
        return ctl_fail(ctl, SL_EXIT_USAGE, "both are needed: --queries FILE and --qrels FILE");
    exit_code = ctl_mode(ctl, mode_name, &mode);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_now(ctl, now, &evaluation.asked_ms);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_config(ctl);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_queries_read(ctl, queries, &evaluation.queries);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_qrels_read(ctl, qrels, &evaluation.qrels);
    if (exit_code == SL_EXIT_OK) {
        ctl_retrieve_options(ctl->config, mode, 0, ef, &evaluation.retrieve);
        keep_judged(&evaluation);
        exit_code = eval_open(&evaluation, run);
    }
    ctl_qrels_free(&evaluation.qrels);
    ctl_queries_free(&evaluation.queries);
    return exit_code;
}
