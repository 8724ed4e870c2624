/*
 * evaluate.c -- judged questions to figures.
 *
 * A document counts with its best chunk: of several chunks of one document the first found stays
 * and the others fall out of the ranking. Only questions with at least one relevant document count.
 * One that cannot be asked (too long, empty) counts as one that found nothing: leaving it out would
 * make the figures better than they are, and stopping would lose those of all others. Questions are
 * asked in rounds, so that what is written comes out in their order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/eval.h>
#include <sluice/json.h>

#include "evaluate.h"

#define ROUND_QUESTIONS 64u
#define CHUNKS_PER_RESULT                                                                          \
    10u /* how far to look beyond the depth for chunks of the same document                        \
         */
#define KEYS_SHOWN 10u /* of a question's ranking */

const char *const ctl_metric_names[CTL_METRIC_COUNT] = {"ndcg@10", "recall@10", "recall@100",
                                                        "mrr@10", "hit@1"};

int ctl_metric_named(const struct ctl *ctl, const char *name)
{
    for (int m = 0; m < CTL_METRIC_COUNT; m++)
        if (strcmp(name, ctl_metric_names[m]) == 0)
            return m;
    ctl_fail(ctl, SL_EXIT_USAGE,
             "--metric '%s': allowed is ndcg@10, recall@10, recall@100, mrr@10, hit@1", name);
    return -1;
}

/* The keys of the documents found, best first, each once. */
struct ranking {
    struct sl_view *keys;
    float *scores;
    uint32_t count;
};

struct round {
    struct ctl_evaluation *evaluation;
    uint32_t first;
    struct sl_buffer run[ROUND_QUESTIONS];
    struct sl_buffer per_question[ROUND_QUESTIONS];
    enum sl_err results[ROUND_QUESTIONS];
    struct sl_error errs[ROUND_QUESTIONS];
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

/* A ranking's figures, judged as question `query`: ret[CTL_METRIC_COUNT]. */
static enum sl_err score_as(const struct ctl_evaluation *evaluation, uint32_t query,
                            const struct ranking *ranking, struct sl_arena *arena, double *ret,
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
            if (!sl_view_is(ranking->keys[i], judgements[j].doc))
                continue;
            grades[i] = judgements[j].grade;
            break; /* the same key in another topic is not found a second time */
        }
    }
    ret[CTL_NDCG_10] = sl_eval_ndcg(grades, ranking->count, ideal, judged, 10);
    ret[CTL_RECALL_10] = sl_eval_recall(grades, ranking->count, relevant, 10);
    ret[CTL_RECALL_100] = sl_eval_recall(grades, ranking->count, relevant, 100);
    ret[CTL_MRR_10] = sl_eval_mrr(grades, ranking->count, 10);
    ret[CTL_HIT_1] = sl_eval_mrr(grades, ranking->count, 1);
    return SL_OK;
}

/* As itself, and as a question far from it in the file. */
static enum sl_err score(struct ctl_evaluation *evaluation, uint32_t query,
                         const struct ranking *ranking, struct sl_arena *arena,
                         struct sl_error *err)
{
    uint32_t count = evaluation->queries.count;
    double figures[CTL_METRIC_COUNT];
    enum sl_err code = score_as(evaluation, query, ranking, arena, figures, err);

    for (int m = 0; code == SL_OK && m < CTL_METRIC_COUNT; m++)
        evaluation->values[m][query] = figures[m];
    if (code != SL_OK || evaluation->chance == NULL)
        return code;
    code = score_as(evaluation, (query + (count + 1) / 2) % count, ranking, arena, figures, err);
    if (code == SL_OK)
        evaluation->chance[query] = figures[evaluation->chance_metric];
    return code;
}

/* An id in a run file, whose columns end at white space: each such byte of it as %20, %09, ... */
static void write_id(struct sl_buffer *out, struct sl_view id)
{
    size_t written = 0;

    for (size_t i = 0; i < id.size; i++) {
        if (id.data[i] != ' ' && (id.data[i] < '\t' || id.data[i] > '\r'))
            continue;
        sl_buffer_view(out, sl_view_range(id, written, i));
        sl_buffer_format(out, "%%%02X", (unsigned)id.data[i]);
        written = i + 1;
    }
    sl_buffer_view(out, sl_view_range(id, written, id.size));
}

static void write_run(struct sl_buffer *out, const char *query, const struct ranking *ranking)
{
    for (uint32_t i = 0; i < ranking->count; i++) {
        write_id(out, sl_view_of(query));
        sl_buffer_view(out, SL_VIEW(" Q0 "));
        write_id(out, ranking->keys[i]);
        sl_buffer_format(out, " %u %.6f sluice\n", i + 1, (double)ranking->scores[i]);
    }
}

/* {"_id", "query", metrics, "found": [keys], "relevant": [keys], "milliseconds"} */
static void write_question(struct sl_buffer *out, const struct ctl_evaluation *evaluation,
                           uint32_t query, const struct ranking *ranking, double milliseconds)
{
    const struct ctl_query *asked = &evaluation->queries.items[query];
    uint32_t judged;
    const struct ctl_judgement *judgements =
        ctl_qrels_of(&evaluation->qrels, asked->id, &judged);

    sl_buffer_format(out, "{");
    sl_json_name(out, "_id");
    sl_json_string(out, sl_view_of(asked->id));
    sl_json_name(out, "query");
    sl_json_string(out, sl_view_of(asked->text));
    for (int m = 0; m < CTL_METRIC_COUNT; m++) {
        sl_json_name(out, ctl_metric_names[m]);
        sl_json_number(out, evaluation->values[m][query]);
    }
    sl_json_name(out, "found");
    sl_buffer_format(out, "[");
    for (uint32_t i = 0; i < ranking->count && i < KEYS_SHOWN; i++) {
        sl_buffer_format(out, i > 0 ? ", " : "");
        sl_json_string(out, ranking->keys[i]);
    }
    sl_buffer_format(out, "]");
    sl_json_name(out, "relevant");
    sl_buffer_format(out, "[");
    for (uint32_t j = 0; j < judged && judgements[j].grade > 0; j++) {
        sl_buffer_format(out, j > 0 ? ", " : "");
        sl_json_string(out, sl_view_of(judgements[j].doc));
    }
    sl_buffer_format(out, "]");
    sl_json_name(out, "milliseconds");
    sl_buffer_format(out, "%.3f}\n", milliseconds);
}

/* Ask one question. The keys of the ranking are the snapshot's. */
static enum sl_err find(struct ctl_evaluation *evaluation, const struct ctl_query *query,
                        const struct sl_snapshot *snapshot, struct sl_arena *arena,
                        struct ranking *ret_ranking, struct sl_error *err)
{
    struct sl_question question;
    struct sl_retrieved *retrieved;
    enum sl_err code = ctl_question(sl_view_of(query->text), sl_view_of(query->filter),
                                    query->asked_ms >= 0 ? query->asked_ms : evaluation->asked_ms,
                                    arena, &question, err);

    if (code != SL_OK)
        return code;
    question.exact = evaluation->exact;
    code = sl_retrieve(snapshot, &question, &evaluation->retrieve,
                       evaluation->embedder != NULL ? evaluation->embedder : evaluation->opened->embedder,
                       &ctl_clock, arena, &retrieved, err);
    if (code == SL_OK && retrieved->rerank_reason.data != NULL)
        (void)atomic_fetch_add(&evaluation->not_reranked, 1);
    if (code == SL_OK)
        code = rank_documents(snapshot, retrieved, evaluation->depth, arena, ret_ranking, err);
    return code;
}

/* A question's ranking as another program made it. */
static enum sl_err take_ranking(const struct ctl_evaluation *evaluation, const struct ctl_query *query,
                                struct sl_arena *arena, struct ranking *ret_ranking, struct sl_error *err)
{
    uint32_t count;
    const struct ctl_ranked *ranked = ctl_rankings_of(&evaluation->rankings, query->id, &count);
    uint32_t kept = count < evaluation->depth ? count : evaluation->depth;

    *ret_ranking = (struct ranking){SL_NEW_ARRAY(arena, struct sl_view, kept + 1),
                                    SL_NEW_ARRAY(arena, float, kept + 1), kept};
    if (ret_ranking->keys == NULL || ret_ranking->scores == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a ranking");
    for (uint32_t i = 0; i < kept; i++) {
        ret_ranking->keys[i] = sl_view_of(ranked[i].doc);
        ret_ranking->scores[i] = (float)ranked[i].score;
    }
    return SL_OK;
}

static enum sl_err evaluate(struct round *round, uint32_t i, struct sl_arena *arena,
                            struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    struct ctl_evaluation *evaluation = round->evaluation;
    uint32_t number = round->first + i;
    const struct ctl_query *query = &evaluation->queries.items[number];
    double started = ctl_seconds();
    struct ranking ranking = {0};
    enum sl_err code = sl_snapshot_open(evaluation->opened->index, &snapshot, err);

    if (code == SL_OK && evaluation->rankings.count > 0)
        code = take_ranking(evaluation, query, arena, &ranking, err);
    else if (code == SL_OK && !query->refused)
        code = find(evaluation, query, snapshot, arena, &ranking, err);
    if (code == SL_OK)
        code = score(evaluation, number, &ranking, arena, err);
    if (code == SL_OK && evaluation->run != NULL)
        write_run(&round->run[i], query->id, &ranking);
    if (code == SL_OK && evaluation->per_question != NULL)
        write_question(&round->per_question[i], evaluation, number, &ranking,
                       (ctl_seconds() - started) * 1000);
    return code;
}

static void evaluate_item(void *context, uint32_t thread, uint32_t i)
{
    struct round *round = context;
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);

    (void)thread;
    round->errs[i] = (struct sl_error){0};
    if (arena == NULL)
        round->results[i] =
            sl_stop(&round->errs[i], SL_EXIT_OS, 0, "memory", "no memory for a question");
    else
        round->results[i] = evaluate(round, i, arena, &round->errs[i]);
    sl_arena_close(arena);
}

/* Write what a question left, and free it. */
static int hand_on(const struct ctl *ctl, struct sl_buffer *lines, FILE *file)
{
    int exit_code = SL_EXIT_OK;

    if (lines->failed)
        exit_code = ctl_fail(ctl, SL_EXIT_OS, "no memory for a question's line");
    else if (file != NULL && lines->size > 0 &&
             fwrite(lines->data, 1, lines->size, file) != lines->size)
        exit_code = ctl_fail(ctl, SL_EXIT_IO, "cannot write: %s", strerror(errno));
    sl_buffer_fini(lines);
    return exit_code;
}

static int finish_question(struct round *round, uint32_t i)
{
    const struct ctl_evaluation *evaluation = round->evaluation;
    int run = hand_on(evaluation->ctl, &round->run[i], evaluation->run);
    int each = hand_on(evaluation->ctl, &round->per_question[i], evaluation->per_question);

    if (round->results[i] != SL_OK)
        return ctl_fail(evaluation->ctl, SL_EXIT_DATA, "question %s: %s: %s",
                        evaluation->queries.items[round->first + i].id, round->errs[i].reason,
                        round->errs[i].message);
    return run != SL_EXIT_OK ? run : each;
}

static int evaluate_all(struct ctl_evaluation *evaluation)
{
    const struct ctl *ctl = evaluation->ctl;
    uint32_t count = evaluation->queries.count;
    struct round round = {.evaluation = evaluation};
    struct ctl_progress progress = {0};
    int exit_code = SL_EXIT_OK;

    if (!evaluation->quiet)
        ctl_progress_begin(&progress, ctl, "eval", "questions");
    for (uint32_t at = 0; at < count && exit_code == SL_EXIT_OK; at += ROUND_QUESTIONS) {
        uint32_t items = count - at < ROUND_QUESTIONS ? count - at : ROUND_QUESTIONS;

        round.first = at;
        ctl_parallel(ctl_threads(ctl->config), items, evaluate_item, &round);
        for (uint32_t i = 0; i < items; i++) {
            int finished = finish_question(&round, i);
            exit_code = exit_code == SL_EXIT_OK ? finished : exit_code;
        }
        if (!evaluation->quiet)
            ctl_progress_move(&progress, at + items, (double)(at + items) / count);
    }
    if (!evaluation->quiet)
        ctl_progress_end(&progress);
    return exit_code;
}

/* Drop the questions that nothing relevant is known for. */
static void keep_judged(struct ctl_evaluation *evaluation)
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
    evaluation->unjudged = evaluation->queries.count - kept;
    for (uint32_t i = kept; i < evaluation->queries.count; i++)
        ctl_query_fini(&evaluation->queries.items[i]);
    evaluation->queries.count = kept;
}

/* Say which questions cannot be asked. */
static void find_refused(struct ctl_evaluation *evaluation)
{
    for (uint32_t i = 0; i < evaluation->queries.count; i++) {
        struct ctl_query *query = &evaluation->queries.items[i];
        struct sl_error err = {0};

        query->refused = ctl_question_text(sl_view_of(query->text), &err) != SL_OK;
        evaluation->refused += query->refused;
        if (query->refused)
            ctl_fail(evaluation->ctl, SL_EXIT_DATA, "question %s: %s: %s; it counts as one that finds nothing",
                     query->id, err.reason, err.message);
    }
}

/* Figures of the index; they say how many chunks to ask for so that `depth` documents are among
 * them. */
static enum sl_err fit_depth(struct ctl_evaluation *evaluation, struct sl_index_stats *ret_stats,
                             struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    enum sl_err code = sl_snapshot_open(evaluation->opened->index, &snapshot, err);
    uint64_t per_document, indexed, k;

    if (code == SL_OK)
        code = sl_snapshot_stats(snapshot, ret_stats, err);
    if (code != SL_OK)
        return code;
    indexed = ret_stats->documents - ret_stats->copies;
    per_document = indexed > 0 ? (ret_stats->chunks + indexed - 1) / indexed : 1;
    if (per_document > CHUNKS_PER_RESULT)
        per_document = CHUNKS_PER_RESULT;
    k = evaluation->depth * (per_document > 0 ? per_document : 1);
    evaluation->retrieve.k = k < SL_K_MAX ? (uint32_t)k : SL_K_MAX;
    evaluation->retrieve.judged = true;
    if (evaluation->passages != 0)
        evaluation->retrieve.k = evaluation->passages;
    return SL_OK;
}

int ctl_evaluation_read(struct ctl_evaluation *evaluation, const char *queries, const char *qrels)
{
    const struct ctl *ctl = evaluation->ctl;
    int exit_code = ctl_queries_read(ctl, queries, &evaluation->queries);

    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_queries_distinct(ctl, queries, &evaluation->queries);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_qrels_read(ctl, qrels, &evaluation->qrels);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    keep_judged(evaluation);
    if (evaluation->queries.count == 0)
        return ctl_fail(ctl, SL_EXIT_DATA,
                        "no question of %s has a relevant document in %s (%u questions, %u judgements): do their ids agree?",
                        queries, qrels, evaluation->unjudged, evaluation->qrels.count);
    find_refused(evaluation);
    for (int m = 0; m < CTL_METRIC_COUNT; m++) {
        evaluation->values[m] = calloc(evaluation->queries.count, sizeof(double));
        if (evaluation->values[m] == NULL)
            return ctl_fail(ctl, SL_EXIT_OS, "no memory for the figures");
    }
    return SL_EXIT_OK;
}

/* Figures of a reranker that was not there are those of the first order. */
static void warn_of_reranker(const struct ctl_evaluation *evaluation, unsigned before)
{
    unsigned failed = atomic_load(&evaluation->not_reranked) - before;

    if (failed > 0)
        fprintf(stderr,
                "sluicectl %s: the reranker failed or was late for %u of %u questions, which keep their first order; "
                "see [retrieve] rerank_deadline_ms\n",
                evaluation->ctl->command, failed, evaluation->queries.count);
}

int ctl_evaluation_run(struct ctl_evaluation *evaluation, struct sl_index_stats *ret_stats)
{
    unsigned before = atomic_load(&evaluation->not_reranked);
    struct sl_error err = {0};
    int exit_code;

    if (fit_depth(evaluation, ret_stats, &err) != SL_OK)
        return ctl_fail_error(evaluation->ctl, &err, SL_EXIT_IO);
    exit_code = evaluate_all(evaluation);
    warn_of_reranker(evaluation, before);
    return exit_code;
}

void ctl_evaluation_write(const struct ctl_evaluation *evaluation, const uint32_t *questions,
                          uint32_t count, struct sl_buffer *out)
{
    double *values = calloc(count + 1, sizeof(*values)), low[CTL_METRIC_COUNT],
           high[CTL_METRIC_COUNT];

    if (values == NULL) {
        out->failed = true;
        return;
    }
    for (int m = 0; m < CTL_METRIC_COUNT; m++) {
        for (uint32_t i = 0; i < count; i++)
            values[i] = evaluation->values[m][questions != NULL ? questions[i] : i];
        sl_json_name(out, ctl_metric_names[m]);
        sl_json_number(out, sl_eval_mean(values, count));
        sl_eval_ci95(values, count, &low[m], &high[m]);
    }
    sl_buffer_format(out, ", \"ci95\": [%.4f, %.4f], \"intervals\": {", low[CTL_NDCG_10],
                     high[CTL_NDCG_10]);
    for (int m = 0; m < CTL_METRIC_COUNT; m++) {
        sl_json_name(out, ctl_metric_names[m]);
        sl_buffer_format(out, "[%.4f, %.4f]", low[m], high[m]);
    }
    sl_buffer_format(out, "}");
    if (questions == NULL && evaluation->retrieve.reranker != NULL)
        sl_buffer_format(out, ", \"not_reranked\": %u", atomic_load(&evaluation->not_reranked));
    free(values);
}

void ctl_evaluation_free(struct ctl_evaluation *evaluation)
{
    for (int m = 0; m < CTL_METRIC_COUNT; m++)
        free(evaluation->values[m]);
    ctl_qrels_free(&evaluation->qrels);
    ctl_queries_free(&evaluation->queries);
}
