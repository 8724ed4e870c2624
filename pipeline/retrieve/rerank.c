/*
 * rerank.c -- the best results looked at again by something that reads question and passage together.
 *
 *     first order --> texts of the best few --> scores --> mixed with the first order --> new order, the rest behind
 *
 * A reranker that fails or says nonsense costs the better order and nothing else: the first one stays, and the
 * answer says why. One that is late has looked at the first few, and the depth was less, that is all. Scores are scaled by the best and the worst of the few, so that they can be mixed with the
 * first order's, whatever either's scale is. Known weakness: what the first order left beyond the depth stays there.
 */
#include <sluice/limits.h>
#include <sluice/respond.h>
#include <sluice/text.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "retrieve_internal.h"

#define TEXT_BYTES_MAX 8192u
#define TITLE_BYTES_MAX 300u
#define BEHIND_STEP    1e-4f /* between results that were not looked at: below all that were */

struct reranking {
    const struct sl_snapshot *snapshot;
    const struct sl_retrieve_options *options;
    const struct sl_clock *clock;
    struct sl_arena *arena;
    struct sl_retrieved *retrieved;
    struct sl_error *err;
    uint32_t count; /* to be looked at; in the end, looked at */
};

static enum sl_err no_memory(struct reranking *r)
{
    return sl_fail(r->err, SL_REJECT, "too_large", "rerank: needs more memory than one question has");
}

static struct sl_view cut(struct sl_view text, size_t most)
{
    return text.size <= most ? text : sl_view_range(text, 0, sl_utf8_floor(text, most));
}

/* The title on a line, then the passage. */
static enum sl_err read_text(struct reranking *r, const struct sl_result *result, struct sl_view *ret)
{
    struct sl_document document;
    struct sl_chunk chunk;
    struct sl_buffer text = {0};
    uint32_t chunks;
    enum sl_err e;

    if ((e = sl_snapshot_document(r->snapshot, result->doc, r->arena, &document, &chunks, r->err)) ||
        (e = sl_snapshot_chunk(r->snapshot, result->doc, result->chunk, r->arena, &chunk, r->err)))
        return e;
    if (document.title.size > 0) {
        sl_buffer_view(&text, cut(document.title, TITLE_BYTES_MAX));
        sl_buffer_view(&text, SL_VIEW("\n"));
    }
    sl_buffer_view(&text, cut(sl_view_range(document.text, chunk.byte_start, chunk.byte_end),
                              TEXT_BYTES_MAX));
    *ret = sl_arena_copy(r->arena, (struct sl_view){text.data ? text.data : "", text.size});
    bool failed = text.failed || ret->data == NULL;
    sl_buffer_fini(&text);
    return failed ? no_memory(r) : SL_OK;
}

/* Half of what the question has left, so that an answer is still in time, but not more than the configured time. */
static int64_t deadline_us(const struct reranking *r, int64_t now)
{
    int64_t configured = now + (int64_t)r->options->rerank_deadline_ms * 1000;
    int64_t until = r->options->answer_until_us;
    int64_t own = until > 0 ? now + (until - now) / 2 : INT64_MAX;

    return own < configured ? own : configured;
}

static enum sl_err score_texts(struct reranking *r, struct sl_view question, const struct sl_view *texts,
                               float *scores, struct sl_error *why)
{
    const struct sl_reranker *reranker = r->options->reranker;
    int64_t now = r->clock->monotonic_us(r->clock->context);
    struct sl_time_limit limit = {r->clock->monotonic_us, r->clock->context, deadline_us(r, now)};
    uint32_t scored = 0;
    enum sl_err e = reranker->ops->score(reranker, question, texts, r->count, &limit, scores, &scored, why);

    for (uint32_t i = 0; !e && i < scored; i++)
        if (!isfinite(scores[i]))
            e = sl_fail(why, SL_REJECT, "rerank_broken", "rerank: a score that is no number");
    SL_INVARIANT(e || (scored > 0 && scored <= r->count));
    r->retrieved->rerank_scored = e ? 0 : scored;
    if (e == SL_OK)
        r->retrieved->rerank_late = r->count - scored;
    else if (strcmp(why->reason, "rerank_late") == 0)
        r->retrieved->rerank_late = r->count;
    return e;
}

/* Why not all were looked at, for the answer. */
static enum sl_err say_why(struct reranking *r, const char *reason, const char *message, const char *result)
{
    struct sl_retrieved *retrieved = r->retrieved;
    struct sl_buffer text = {0};

    sl_buffer_format(&text, "%s: %s; %s", reason, message, result);
    retrieved->rerank_reason = sl_arena_copy(r->arena, sl_view_of(reason));
    retrieved->rerank_failure =
        sl_arena_copy(r->arena, (struct sl_view){text.data ? text.data : "", text.size});
    sl_buffer_fini(&text);
    return retrieved->rerank_failure.data == NULL || retrieved->rerank_reason.data == NULL ? no_memory(r)
                                                                                           : SL_OK;
}

static enum sl_err say_late(struct reranking *r)
{
    char message[64];

    (void)snprintf(message, sizeof message, "rerank: %u of %u passages in time",
                   r->retrieved->rerank_scored, r->count);
    return say_why(r, "rerank_late", message, "the others follow in their first order");
}

static int by_score(const void *a, const void *b)
{
    const struct sl_result *x = a, *y = b;

    if (x->score < y->score || x->score > y->score)
        return x->score < y->score ? 1 : -1;
    if (x->doc != y->doc)
        return x->doc < y->doc ? -1 : 1;
    return (x->chunk > y->chunk) - (x->chunk < y->chunk);
}

/* 0 for the least, 1 for the greatest; all are 1 when they are alike. */
static double share_of(float value, float least, float greatest)
{
    return greatest > least ? (double)(value - least) / (double)(greatest - least) : 1;
}

/* The first r->count are those that have scores. */
static void reorder(struct reranking *r, const float *scores)
{
    struct sl_result *results = r->retrieved->results;
    const float first = results[0].score, last = results[r->count - 1].score;
    float least = scores[0], greatest = scores[0];

    for (uint32_t i = 1; i < r->count; i++) {
        least = fminf(least, scores[i]);
        greatest = fmaxf(greatest, scores[i]);
    }
    for (uint32_t i = 0; i < r->count; i++) {
        double again = share_of(scores[i], least, greatest);
        double before = share_of(results[i].score, last, first);
        results[i].rerank_score = scores[i];
        results[i].rerank_share = (float)again;
        results[i].score =
            (float)(r->options->rerank_weight * again + (1 - r->options->rerank_weight) * before);
    }
    qsort(results, r->count, sizeof *results, by_score);
    for (uint32_t i = 0; i < r->count; i++)
        results[i].rerank_rank = i + 1;
    for (uint32_t i = r->count; i < r->retrieved->count; i++)
        results[i].score = -BEHIND_STEP * (float)(i - r->count + 1);
}

enum sl_err sl_rerank(const struct sl_snapshot *snapshot, struct sl_view question,
                      const struct sl_retrieve_options *options, const struct sl_clock *clock,
                      struct sl_arena *arena, struct sl_retrieved *retrieved, struct sl_error *err)
{
    struct reranking r = {snapshot, options, clock, arena, retrieved, err, retrieved->count};
    int64_t start = clock->monotonic_us(clock->context);
    struct sl_error why = {0};
    struct sl_view *texts;
    float *scores;
    enum sl_err e = SL_OK;

    r.count = r.count < options->rerank_depth ? r.count : options->rerank_depth;
    if (options->reranker == NULL || r.count < 2)
        return SL_OK;
    texts = SL_NEW_ARRAY(arena, struct sl_view, r.count);
    scores = SL_NEW_ARRAY(arena, float, r.count);
    if (texts == NULL || scores == NULL)
        return no_memory(&r);
    for (uint32_t i = 0; !e && i < r.count; i++)
        e = read_text(&r, &retrieved->results[i], &texts[i]);
    if (e)
        return e;
    e = score_texts(&r, question, texts, scores, &why);
    if (e == SL_STOP && err != NULL)
        *err = why;
    if (e == SL_AGAIN || e == SL_REJECT)
        e = say_why(&r, why.reason, why.message, "ranked without");
    else if (e == SL_OK && retrieved->rerank_late > 0)
        e = say_late(&r);
    r.count = retrieved->rerank_scored;
    if (e == SL_OK && r.count > 0)
        reorder(&r, scores);
    retrieved->rerank_ms += (double)(clock->monotonic_us(clock->context) - start) / 1000.0;
    return e;
}
