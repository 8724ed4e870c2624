/*
 * answer_json.c -- an answer as JSON, keys in a fixed order.
 *
 * Written straight into a buffer and not through a tree: the order is the contract, and numbers are rounded
 * so that the same answer gives the same bytes on every machine.
 */
#include <sluice/json.h>
#include <sluice/limits.h>
#include <sluice/respond.h>
#include <sluice/text.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define HIT_TEXT_BYTES_MAX (512u << 10) /* all hits together */

static void add_text(struct sl_buffer *out, const char *name, struct sl_view text)
{
    sl_json_name(out, name);
    sl_json_string(out, text);
}

static void add_number(struct sl_buffer *out, const char *name, double number)
{
    sl_json_name(out, name);
    sl_json_number(out, number);
}

static void add_rounded(struct sl_buffer *out, const char *name, double number, double unit)
{
    double rounded = round(number / unit) * unit;
    char text[48];

    sl_json_name(out, name);
    if (!isfinite(rounded)) {
        sl_buffer_view(out, SL_VIEW("null"));
        return;
    }
    (void)snprintf(text, sizeof text, "%.*f", unit < 1e-4 ? 6 : 3, rounded);
    sl_json_number(out, strtod(text, NULL));
}

static void add_bool(struct sl_buffer *out, const char *name, bool value)
{
    sl_json_name(out, name);
    sl_buffer_view(out, value ? SL_VIEW("true") : SL_VIEW("false"));
}

static void add_day(struct sl_buffer *out, const char *name, bool known, sl_day day)
{
    char text[11];

    if (!known || day == SL_DAY_NONE || day == SL_DAY_MAX) {
        add_text(out, name, SL_VIEW_NULL);
        return;
    }
    sl_day_format(day, text);
    add_text(out, name, sl_view_of(text));
}

static const char *status_name(enum sl_status status)
{
    return status == SL_STATUS_ANSWERED    ? "answered"
           : status == SL_STATUS_NOT_FOUND ? "not_found"
                                           : "error";
}

static void add_place(struct sl_buffer *out, const struct sl_citation *place)
{
    add_text(out, "doc", place->key);
    add_text(out, "topic", place->topic);
    add_number(out, "partition", place->partition);
    add_number(out, "offset", (double)place->offset);
    add_number(out, "chunk", place->chunk);
    add_text(out, "title", place->title);
    add_text(out, "date", place->date);
    add_number(out, "byte_start", place->byte_start);
    add_number(out, "byte_end", place->byte_end);
}

static void add_citations(struct sl_buffer *out, const struct sl_answer *answer)
{
    sl_json_name(out, "citations");
    sl_buffer_view(out, SL_VIEW("["));
    for (uint32_t i = 0; i < answer->citation_count; i++) {
        sl_buffer_view(out, i > 0 ? SL_VIEW(", {") : SL_VIEW("{"));
        add_number(out, "n", answer->citations[i].n);
        add_place(out, &answer->citations[i]);
        add_text(out, "quote", answer->citations[i].quote);
        add_rounded(out, "score", (double)answer->citations[i].score, 1e-6);
        sl_buffer_view(out, SL_VIEW("}"));
    }
    sl_buffer_view(out, SL_VIEW("]"));
}

/* Where a person may look on who did not get an answer. */
static void add_nearest(struct sl_buffer *out, const struct sl_answer *answer)
{
    sl_json_name(out, "nearest");
    sl_buffer_view(out, SL_VIEW("["));
    for (uint32_t i = 0; i < answer->nearest_count; i++) {
        sl_buffer_view(out, i > 0 ? SL_VIEW(", {") : SL_VIEW("{"));
        add_place(out, &answer->nearest[i]);
        sl_buffer_view(out, SL_VIEW("}"));
    }
    sl_buffer_view(out, SL_VIEW("]"));
}

/* The few words asked for; null where a sentence has to do. */
static void add_span(struct sl_buffer *out, const struct sl_answer_span *span)
{
    sl_json_name(out, "span");
    if (span->n == 0) {
        sl_buffer_view(out, SL_VIEW("null"));
        return;
    }
    sl_buffer_view(out, SL_VIEW("{"));
    add_number(out, "n", span->n);
    add_text(out, "text", span->text);
    add_number(out, "byte_start", span->byte_start);
    add_number(out, "byte_end", span->byte_end);
    sl_buffer_view(out, SL_VIEW("}"));
}

/* A leg's rank and score; null when that leg did not return the chunk. */
static void add_leg(struct sl_buffer *out, const char *score_name, const char *rank_name,
                    float score, uint32_t rank)
{
    add_rounded(out, score_name, rank > 0 ? (double)score : NAN, 1e-6);
    if (rank > 0)
        add_number(out, rank_name, rank);
    else
        add_text(out, rank_name, SL_VIEW_NULL);
}

static void add_hits(struct sl_buffer *out, const struct sl_answer *answer)
{
    sl_json_name(out, "hits");
    sl_buffer_view(out, SL_VIEW("["));
    for (uint32_t i = 0; i < answer->hit_count; i++) {
        const struct sl_result *result = &answer->retrieved->results[i];
        struct sl_view text = answer->hits[i].quote;
        size_t room = HIT_TEXT_BYTES_MAX / answer->hit_count;
        if (text.size > room)
            text.size = sl_utf8_floor(text, room);
        sl_buffer_view(out, i > 0 ? SL_VIEW(", {") : SL_VIEW("{"));
        add_place(out, &answer->hits[i]);
        add_text(out, "text", text);
        add_rounded(out, "score", (double)result->score, 1e-6);
        add_leg(out, "lexical_score", "lexical_rank", result->lexical_score, result->lexical_rank);
        add_leg(out, "vector_score", "vector_rank", result->vector_score, result->vector_rank);
        add_number(out, "rank_before", result->rank_before);
        add_leg(out, "rerank_score", "rerank_rank", result->rerank_score, result->rerank_rank);
        add_rounded(out, "rerank_share", result->rerank_rank > 0 ? (double)result->rerank_share : NAN, 1e-6);
        add_number(out, "duplicates", result->duplicates);
        sl_buffer_view(out, SL_VIEW("}"));
    }
    sl_buffer_view(out, SL_VIEW("]"));
}

static void add_filter(struct sl_buffer *out, const struct sl_answer *answer,
                       const struct sl_question *question)
{
    const struct sl_retrieved *retrieved = answer->retrieved;
    bool dated = retrieved != NULL && retrieved->date_read;

    sl_json_name(out, "filter");
    sl_buffer_view(out, SL_VIEW("{"));
    add_text(out, "expression",
             retrieved != NULL ? retrieved->filter_expression : question->filter_text);
    add_bool(out, "from_query", dated);
    add_day(out, "date_from", dated, dated ? retrieved->date.days.from : 0);
    add_day(out, "date_to", dated, dated ? retrieved->date.days.to : 0);
    add_bool(out, "widened", retrieved != NULL && retrieved->widened);
    sl_buffer_view(out, SL_VIEW("}"));
}

static void add_index(struct sl_buffer *out, const struct sl_index_state *state)
{
    sl_json_name(out, "index");
    sl_buffer_view(out, SL_VIEW("{"));
    sl_json_name(out, "position");
    sl_buffer_view(out, state->positions_json.data != NULL ? state->positions_json : SL_VIEW("{}"));
    sl_json_name(out, "lag_records");
    if (state->lag_records >= 0)
        sl_json_number(out, (double)state->lag_records);
    else
        sl_buffer_view(out, SL_VIEW("null"));
    if (!state->of_tenant) {
        add_number(out, "documents", (double)state->documents);
        add_number(out, "chunks", (double)state->chunks);
    }
    sl_buffer_view(out, SL_VIEW("}"));
}

static void add_error(struct sl_buffer *out, const struct sl_answer *answer)
{
    sl_json_name(out, "error");
    if (answer->status != SL_STATUS_ERROR) {
        sl_buffer_view(out, SL_VIEW("null"));
        return;
    }
    sl_buffer_view(out, SL_VIEW("{"));
    add_text(out, "code", answer->error_code);
    add_text(out, "message", answer->error_message);
    sl_buffer_view(out, SL_VIEW("}"));
}

static void add_warnings(struct sl_buffer *out, const struct sl_answer *answer)
{
    sl_json_name(out, "warnings");
    sl_buffer_view(out, SL_VIEW("["));
    for (uint32_t i = 0; i < answer->warning_count; i++) {
        sl_buffer_view(out, i > 0 ? SL_VIEW(", ") : SL_VIEW(""));
        sl_json_string(out, answer->warnings[i]);
    }
    sl_buffer_view(out, SL_VIEW("]"));
}

static void add_tail(struct sl_buffer *out, const struct sl_answer *answer)
{
    static const struct sl_retrieved none;
    const struct sl_retrieved *search = answer->retrieved != NULL ? answer->retrieved : &none;

    sl_json_name(out, "timing_ms");
    sl_buffer_view(out, SL_VIEW("{"));
    add_rounded(out, "embed", answer->embed_ms, 1e-3);
    add_rounded(out, "search", answer->search_ms, 1e-3);
    add_rounded(out, "dates", search->dates_ms, 1e-3);
    add_rounded(out, "lexical", search->lexical_ms, 1e-3);
    add_rounded(out, "vector", search->vector_ms, 1e-3);
    add_rounded(out, "fusion", search->fusion_ms, 1e-3);
    add_rounded(out, "rerank", answer->rerank_ms, 1e-3);
    add_rounded(out, "generate", answer->generate_ms, 1e-3);
    add_rounded(out, "total", answer->total_ms, 1e-3);
    sl_buffer_view(out, SL_VIEW("}"));
    sl_json_name(out, "model");
    sl_buffer_view(out, SL_VIEW("{"));
    add_text(out, "embed", answer->embed_model);
    if (answer->pipeline.data != NULL)
        add_text(out, "pipeline", answer->pipeline);
    add_text(out, "answer", answer->answer_model);
    sl_buffer_view(out, SL_VIEW("}"));
}

enum sl_err sl_answer_json(const struct sl_answer *answer, const struct sl_question *question,
                           struct sl_view answer_id, const struct sl_index_state *state,
                           struct sl_arena *arena, struct sl_view *ret_json, struct sl_error *err)
{
    struct sl_buffer out = {0};
    struct sl_view json;

    sl_buffer_view(&out, SL_VIEW("{"));
    add_text(&out, "id", answer_id);
    add_text(&out, "query", question->text);
    add_text(&out, "status", sl_view_of(status_name(answer->status)));
    add_error(&out, answer);
    add_text(&out, "answer", answer->text.data != NULL ? answer->text : SL_VIEW(""));
    add_span(&out, &answer->span);
    add_citations(&out, answer);
    if (answer->status == SL_STATUS_NOT_FOUND)
        add_nearest(&out, answer);
    if (question->return_hits && answer->retrieved != NULL)
        add_hits(&out, answer);
    add_filter(&out, answer, question);
    add_index(&out, state);
    add_warnings(&out, answer);
    add_tail(&out, answer);
    sl_buffer_view(&out, SL_VIEW("}"));
    json = out.failed ? SL_VIEW_NULL
                      : sl_arena_copy(arena, (struct sl_view){out.data, out.size});
    sl_buffer_fini(&out);
    if (json.data == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "answer: no room for its JSON");
    *ret_json = json;
    return SL_OK;
}
