/*
 * respond.c -- one question to one answer.
 *
 *     deadline -> retrieve -> passages -> extract -> relevant enough? -> [write with a chat model] -> answer
 *
 * The extractive answer is always made first: it decides whether the documents say anything at all, and it
 * is what goes out when the chat model fails, is late or cites what is not there. What is wrong with a
 * question becomes an error answer; only what is wrong with the index ends the program.
 */
#include <sluice/limits.h>
#include <sluice/ingest.h>
#include <sluice/respond.h>

#include "answer_internal.h"

enum { WARNINGS_MAX = 8 };

struct answering {
    const struct sl_responder *responder;
    const struct sl_question *question;
    const struct sl_snapshot *snapshot;
    struct sl_arena *arena;
    struct sl_error *err;
    struct sl_answer *answer;
    int64_t start_us;
    int64_t deadline_us; /* INT64_MAX: none */
};

static int64_t now_us(const struct answering *a)
{
    return a->responder->clock->monotonic_us(a->responder->clock->context);
}

static enum sl_err no_memory(struct answering *a)
{
    return sl_fail(a->err, SL_REJECT, "too_large", "answer: needs more memory than one question has");
}

void sl_answer_refuse(const struct sl_error *reason, struct sl_arena *arena,
                      struct sl_answer *ret_answer)
{
    *ret_answer = (struct sl_answer){.status = SL_STATUS_ERROR,
                                     .text = SL_VIEW(""),
                                     .embed_model = SL_VIEW(""),
                                     .answer_model = SL_VIEW("extract")};
    ret_answer->error_code = sl_arena_copy(arena, sl_view_of(reason->reason));
    ret_answer->error_message = sl_arena_copy(arena, sl_view_of(reason->message));
    if (ret_answer->error_code.data == NULL)
        ret_answer->error_code = SL_VIEW("too_large");
    if (ret_answer->error_message.data == NULL)
        ret_answer->error_message = SL_VIEW("");
}

static enum sl_err add_warning(struct answering *a, struct sl_view text)
{
    struct sl_answer *answer = a->answer;

    if (answer->warning_count == WARNINGS_MAX)
        return SL_OK;
    text = sl_arena_copy(a->arena, text);
    if (text.data == NULL)
        return no_memory(a);
    answer->warnings[answer->warning_count++] = text;
    return SL_OK;
}

/* The deadline runs from when the question was written; without that time, from now. */
static void set_deadline(struct answering *a)
{
    const struct sl_clock *clock = a->responder->clock;
    int64_t left_ms = a->question->deadline_ms;

    a->deadline_us = INT64_MAX;
    if (a->question->deadline_ms == 0)
        return;
    if (a->question->asked_ms >= 0)
        left_ms -= clock->now_ms(clock->context) - a->question->asked_ms;
    a->deadline_us = a->start_us + left_ms * 1000;
}

static enum sl_err check_deadline(struct answering *a)
{
    if (now_us(a) < a->deadline_us)
        return SL_OK;
    return sl_fail(a->err, SL_REJECT, "deadline_exceeded",
                   "question: its deadline of %u ms has passed", a->question->deadline_ms);
}

static uint32_t wanted_k(const struct answering *a)
{
    uint32_t k = a->question->k ? a->question->k : a->responder->retrieve.k;

    return k > 0 ? k : 1;
}

/*
 * Search deep enough for a good answer, whatever k the hits are cut to later. An encoder that is busy or away
 * costs the vector leg, not the answer.
 */
static enum sl_err retrieve(struct answering *a, bool widened)
{
    const struct sl_responder *r = a->responder;
    struct sl_retrieve_options options = r->retrieve;
    struct sl_question question = *a->question;
    enum sl_err e;

    if (a->answer->rerank_reason.data != NULL) /* this question has waited for it once */
        options.reranker = NULL;
    question.widened = widened;
    question.k = wanted_k(a) > SL_PASSAGES_MAX ? wanted_k(a) : SL_PASSAGES_MAX;
    options.answer_until_us = a->deadline_us == INT64_MAX ? 0 : a->deadline_us;
    e = sl_retrieve(a->snapshot, &question, &options, r->embedder, r->clock, a->arena,
                    &a->answer->retrieved, a->err);
    if (e != SL_AGAIN)
        return e;
    if (a->question->mode == SL_MODE_VECTOR)
        return sl_fail(a->err, SL_REJECT, "embedder_unavailable",
                       "search: mode vector, and the encoder cannot be reached");
    question.mode = SL_MODE_LEXICAL;
    if ((e = add_warning(a, SL_VIEW("embedder_unavailable: searched without vectors"))))
        return e;
    return sl_retrieve(a->snapshot, &question, &options, NULL, r->clock, a->arena,
                       &a->answer->retrieved, a->err);
}

/* Nobody should take what was said in another year for what was asked. */
static enum sl_err warn_if_widened(struct answering *a)
{
    static const char *const WIDENED =
        "widened: no document of the dates asked for says it; searched without them";

    return a->answer->retrieved->widened ? add_warning(a, sl_view_of(WIDENED)) : SL_OK;
}

static enum sl_err list_hits(struct answering *a)
{
    struct sl_retrieved *retrieved = a->answer->retrieved;
    struct sl_citation *hits = SL_NEW_ARRAY(a->arena, struct sl_citation, retrieved->count);
    enum sl_err e;

    if (hits == NULL)
        return no_memory(a);
    for (uint32_t i = 0; i < retrieved->count; i++) {
        struct sl_retrieved one = {.results = &retrieved->results[i], .count = 1};
        struct sl_passage *passage = NULL;
        uint32_t count = 0;
        if ((e = sl_passages_read(a->snapshot, &one, 1, a->arena, &passage, &count, a->err)))
            return e;
        hits[i] = sl_citation_of(passage, i + 1, passage->byte_start, passage->byte_end,
                                 retrieved->results[i].score);
    }
    a->answer->hits = hits;
    a->answer->hit_count = retrieved->count;
    return SL_OK;
}

/* The last look before an answer leaves: each quote is what the document holds there. */
static enum sl_err check_quotes(struct answering *a)
{
    for (uint32_t i = 0; i < a->answer->citation_count; i++) {
        const struct sl_citation *citation = &a->answer->citations[i];
        struct sl_document document;
        uint32_t chunk_count;
        enum sl_err e = sl_snapshot_document(a->snapshot, citation->doc, a->arena, &document,
                                             &chunk_count, a->err);
        if (e)
            return e;
        SL_INVARIANT(citation->byte_start <= citation->byte_end &&
                     citation->byte_end <= document.text.size);
        SL_INVARIANT(sl_view_equal(citation->quote,
                                   sl_view_range(document.text, citation->byte_start,
                                                 citation->byte_end)));
    }
    return SL_OK;
}

/* A reader may take half of what is left, and no more than a chat model may. */
static int64_t reading_deadline_us(const struct answering *a, int64_t now)
{
    int64_t configured = a->responder->generate_deadline_ms
                             ? now + (int64_t)a->responder->generate_deadline_ms * 1000
                             : INT64_MAX;
    int64_t own = a->deadline_us == INT64_MAX ? INT64_MAX : now + (a->deadline_us - now) / 2;

    return configured < own ? configured : own;
}

static enum sl_err extract(struct answering *a, const struct sl_needs *needs,
                           const struct sl_passage *passages, uint32_t count,
                           struct sl_extracted *ret)
{
    const struct sl_clock *clock = a->responder->clock;
    int64_t start = now_us(a);
    struct sl_meaning meaning = {.embedder = a->responder->embedder,
                                 .vector = a->answer->retrieved->vector,
                                 .reader = a->responder->reader,
                                 .question = a->answer->retrieved->search_text,
                                 .limit = {clock->monotonic_us, clock->context,
                                           reading_deadline_us(a, start)}};
    enum sl_err e = sl_extract(needs, &meaning, passages, count, a->arena, ret, a->err);

    a->answer->generate_ms += (double)(now_us(a) - start) / 1000.0;
    return e;
}

/* Of a question's own time the last eighth is kept back, so that the extracted answer is still in time. */
static int64_t generate_deadline_us(const struct answering *a, int64_t now)
{
    int64_t configured = a->responder->generate_deadline_ms
                             ? now + (int64_t)a->responder->generate_deadline_ms * 1000
                             : INT64_MAX;
    int64_t own = a->deadline_us == INT64_MAX ? INT64_MAX
                                              : a->deadline_us - (a->deadline_us - now) / 8;

    return configured < own ? configured : own;
}

/* Let the chat model write; whatever goes wrong leaves the extracted answer, with the reason as warning. */
static enum sl_err generate(struct answering *a, const struct sl_passage *passages, uint32_t count)
{
    struct sl_generator *generator = a->responder->generator;
    struct sl_extracted written = {0};
    struct sl_passage *expanded = NULL;
    struct sl_error why = {0};
    int64_t start = now_us(a);
    bool declined = false;
    enum sl_err e = sl_passages_expand(a->snapshot, a->responder->retrieve.expand, passages, count,
                                       a->arena, &expanded, &count, &why);

    if (!e)
        e = sl_llm_answer(generator, a->question->text, expanded, count,
                          generate_deadline_us(a, start), a->arena, &written, &declined, &why);
    a->answer->generate_ms += (double)(now_us(a) - start) / 1000.0;
    if (e == SL_STOP) {
        *a->err = why;
        return e;
    }
    if (e) {
        struct sl_buffer text = {0};
        sl_buffer_format(&text, "%s: %s", why.reason, why.message);
        e = add_warning(a, (struct sl_view){text.data ? text.data : "", text.size});
        sl_buffer_fini(&text);
        return e;
    }
    a->answer->answer_model = sl_arena_copy(a->arena, sl_view_of(generator->model));
    if (a->answer->answer_model.data == NULL)
        return no_memory(a);
    a->answer->span = (struct sl_answer_span){0};
    if (declined) {
        a->answer->status = SL_STATUS_NOT_FOUND;
        a->answer->text = SL_VIEW("");
        a->answer->citations = NULL;
        a->answer->citation_count = 0;
        return SL_OK;
    }
    a->answer->text = written.text;
    a->answer->citations = written.citations;
    a->answer->citation_count = written.citation_count;
    return SL_OK;
}

static enum sl_err count_rerank(struct answering *a, const struct sl_retrieved *retrieved)
{
    struct sl_answer *answer = a->answer;

    answer->rerank_ms += retrieved->rerank_ms;
    answer->rerank_scored += retrieved->rerank_scored;
    answer->rerank_late += retrieved->rerank_late;
    if (retrieved->rerank_reason.data == NULL)
        return SL_OK;
    answer->rerank_reason = retrieved->rerank_reason;
    return add_warning(a, retrieved->rerank_failure);
}

/* Search, and take out what the passages say to `asked`; data == NULL: to what was searched for. */
static enum sl_err find(struct answering *a, bool widened, struct sl_view asked, struct sl_passage **ret_passages,
                        uint32_t *ret_count, struct sl_extracted *ret)
{
    struct sl_answer *answer = a->answer;
    struct sl_needs needs = {0};
    enum sl_err e = retrieve(a, widened);

    *ret = (struct sl_extracted){0};
    if (e || (e = check_deadline(a)))
        return e;
    answer->embed_ms += answer->retrieved->embed_ms;
    answer->search_ms += answer->retrieved->search_ms;
    if ((e = count_rerank(a, answer->retrieved)))
        return e;
    if ((e = sl_passages_read(a->snapshot, answer->retrieved, SL_PASSAGES_MAX, a->arena,
                              ret_passages, ret_count, a->err)) ||
        (e = sl_needs_read(a->snapshot, asked.data != NULL ? asked : answer->retrieved->search_text, a->arena,
                           &needs, a->err)))
        return e;
    return extract(a, &needs, *ret_passages, *ret_count, ret);
}

static bool is_listed(const struct sl_answer *answer, sl_doc_id doc)
{
    for (uint32_t i = 0; i < answer->nearest_count; i++)
        if (answer->nearest[i].doc == doc)
            return true;
    return false;
}

/* Who asks for what is not there may want to look at what comes nearest. */
static enum sl_err list_nearest(struct answering *a, const struct sl_passage *passages, uint32_t count)
{
    struct sl_answer *answer = a->answer;

    answer->nearest = SL_NEW_ARRAY(a->arena, struct sl_citation, SL_NEAREST_MAX);
    if (answer->nearest == NULL)
        return no_memory(a);
    for (uint32_t i = 0; i < count && answer->nearest_count < SL_NEAREST_MAX; i++) {
        const struct sl_passage *passage = &passages[i];
        if (is_listed(answer, passage->result->doc))
            continue;
        answer->nearest[answer->nearest_count] =
            sl_citation_of(passage, 0, passage->byte_start, passage->byte_end, passage->result->score);
        answer->nearest_count++;
    }
    return SL_OK;
}

/* A passage of the dates asked for has met a part of the question by that alone. */
static bool says_enough(const struct answering *a, const struct sl_extracted *extracted)
{
    const struct sl_retrieved *retrieved = a->answer->retrieved;
    bool dated = retrieved->date_read && !retrieved->widened;

    return extracted->citation_count > 0 &&
           extracted->relevance >= (dated ? SL_RELEVANCE_DATED_MIN : SL_RELEVANCE_MIN);
}

/* Where the dates asked for hold few passages, others may say it; many that do not say it are an answer: no. */
static bool may_widen(const struct answering *a)
{
    const struct sl_retrieved *retrieved = a->answer->retrieved;

    return retrieved->date_read && !retrieved->widened && retrieved->count < wanted_k(a);
}

static enum sl_err answer_question(struct answering *a)
{
    struct sl_answer *answer = a->answer;
    struct sl_passage *passages = NULL;
    struct sl_extracted extracted;
    uint32_t passage_count = 0;
    bool enough;
    enum sl_err e;

    if ((e = check_deadline(a)) || (e = find(a, false, SL_VIEW_NULL, &passages, &passage_count, &extracted)))
        return e;
    enough = says_enough(a, &extracted);
    if (!enough && may_widen(a)) {
        struct sl_retrieved *dated = answer->retrieved;
        /* A document that has the date's words says nothing by them alone. */
        if ((e = find(a, true, dated->search_text, &passages, &passage_count, &extracted)))
            return e;
        enough = says_enough(a, &extracted); /* by the measure of the search it comes from */
        if (!enough) /* nor do other dates */
            answer->retrieved = dated;
    }
    if ((e = warn_if_widened(a)))
        return e;
    if (answer->retrieved->count > wanted_k(a))
        answer->retrieved->count = wanted_k(a);
    if (a->question->return_hits && (e = list_hits(a)))
        return e;
    if (!enough)
        return list_nearest(a, passages, passage_count);
    answer->status = SL_STATUS_ANSWERED;
    answer->text = extracted.text;
    answer->span = extracted.span;
    answer->citations = extracted.citations;
    answer->citation_count = extracted.citation_count;
    if ((e = check_deadline(a)))
        return e;
    if (a->responder->generator != NULL && (e = generate(a, passages, passage_count)))
        return e;
    if (answer->status == SL_STATUS_NOT_FOUND)
        return list_nearest(a, passages, passage_count);
    return check_quotes(a);
}

static struct sl_view pipeline_of(const struct sl_snapshot *snapshot, struct sl_arena *arena)
{
    char hash[SL_PIPELINE_BYTES];

    sl_ingest_pipeline(sl_snapshot_fingerprint(snapshot), hash);
    return sl_arena_copy(arena, sl_view_of(hash));
}

enum sl_err sl_respond(const struct sl_responder *responder, const struct sl_question *question,
                       const struct sl_snapshot *snapshot, struct sl_arena *arena,
                       struct sl_answer *ret_answer, struct sl_error *err)
{
    struct sl_error failure = {0};
    struct sl_answer answer = {.status = SL_STATUS_NOT_FOUND,
                               .text = SL_VIEW(""),
                               .embed_model = SL_VIEW(""),
                               .answer_model = SL_VIEW("extract")};
    struct answering a = {responder, question, snapshot, arena, &failure, &answer, 0, 0};
    enum sl_err e = SL_OK;

    a.start_us = now_us(&a);
    set_deadline(&a);
    answer.warnings = SL_NEW_ARRAY(arena, struct sl_view, WARNINGS_MAX);
    if (answer.warnings == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "answer: out of memory");
    if (responder->embedder != NULL)
        answer.embed_model = sl_view_of(responder->embedder->name);
    answer.pipeline = pipeline_of(snapshot, arena);
    for (uint32_t i = 0; !e && i < question->warning_count; i++)
        e = add_warning(&a, question->warnings[i]);
    if (!e && responder->encoder_gone && question->mode != SL_MODE_LEXICAL)
        e = add_warning(&a, SL_VIEW("embedder_unavailable: the encoder this index was made with is "
                                    "not there any more; searched without vectors"));
    if (!e)
        e = answer_question(&a);
    if (e == SL_STOP) {
        if (err != NULL)
            *err = failure;
        return e;
    }
    if (e) {
        struct sl_answer refused;
        sl_answer_refuse(&failure, arena, &refused);
        refused.warnings = answer.warnings;
        refused.warning_count = answer.warning_count;
        refused.embed_model = answer.embed_model;
        refused.pipeline = answer.pipeline;
        answer = refused;
    }
    answer.total_ms = (double)(now_us(&a) - a.start_us) / 1000.0;
    *ret_answer = answer;
    return SL_OK;
}
