/*
 * retrieve.c -- a question to its best chunks.
 *
 *     question -> date range, filter -> selection -+-> lexical leg --+-> fuse -> weight by age -> k best
 *                                                  +-> vector leg  --+
 *
 * The date phrase becomes a filter inside both searches (when.c) and leaves the text: as text it only rewards
 * chunks that repeat the date. When the dated search finds nothing the range was wrong, or not meant as
 * one; it is then done again on the whole question without the date, and the result says so. Rejected:
 * mixing both searches, which lets documents of other dates into an answer that names a date.
 */
#include <sluice/limits.h>
#include <sluice/respond.h>
#include <sluice/retrieve.h>
#include <sluice/text.h>

#include "duplicates.h"
#include "question_terms.h"
#include "retrieve_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define LEG_DEPTH_MIN   100u
#define MS_PER_DAY_F    86400000.0

struct search {
    const struct sl_snapshot *snapshot;
    const struct sl_question *question;
    const struct sl_retrieve_options *options;
    const struct sl_embedder *embedder;
    const struct sl_clock *clock;
    struct sl_arena *arena;
    struct sl_retrieved *retrieved;
    struct sl_error *err;
    uint32_t k;
    uint32_t depth;
    struct sl_hit *lexical, *vector; /* [depth] */
    uint32_t lexical_count, vector_count;
    struct sl_when when;
    const struct sl_filter *filter;   /* all that selects; NULL: nothing does */
    struct sl_selection *selection;   /* of it */
    const struct sl_filter *when_filter; /* NULL: the question's time selects nothing away */
};

static enum sl_err no_memory(struct search *s)
{
    return sl_fail(s->err, SL_REJECT, "too_large", "search: needs more memory than one question has");
}

static double elapsed_ms(const struct search *s, int64_t since_us)
{
    return (double)(s->clock->monotonic_us(s->clock->context) - since_us) / 1000.0;
}

static int64_t now_us(const struct search *s)
{
    return s->clock->monotonic_us(s->clock->context);
}

/* ------------------------------------------------------------------------------- date and filter */

static sl_day today(const struct search *s)
{
    int64_t ms = s->question->asked_ms;

    return sl_day_of_ms(ms >= 0 ? ms : s->clock->now_ms(s->clock->context));
}

/* The question without its date phrase, and without the comma that went with it. */
static enum sl_err cut_phrase(struct search *s)
{
    struct sl_view text = s->question->text, head, tail;
    char *joined;

    s->retrieved->search_text = text;
    if (!s->retrieved->date_read)
        return SL_OK;
    head = sl_view_range(text, 0, s->retrieved->date.byte_start);
    tail = sl_view_range(text, s->retrieved->date.byte_end, text.size);
    while (tail.size > 0 && memchr(" ,:;", tail.data[0], 4) != NULL)
        tail = sl_view_range(tail, 1, tail.size);
    while (head.size > 0 && memchr(" ,([", head.data[head.size - 1], 4) != NULL)
        head.size--;
    joined = sl_arena_alloc(s->arena, head.size + tail.size + 1);
    if (joined == NULL)
        return no_memory(s);
    if (head.size > 0)
        memcpy(joined, head.data, head.size);
    joined[head.size] = ' ';
    if (tail.size > 0)
        memcpy(joined + head.size + 1, tail.data, tail.size);
    s->retrieved->search_text =
        sl_view_range((struct sl_view){joined, head.size + tail.size + 1}, head.size > 0 ? 0 : 1,
                      head.size + tail.size + 1);
    return SL_OK;
}

static void quote_into(struct sl_buffer *out, struct sl_view text)
{
    sl_buffer_view(out, SL_VIEW("\""));
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            sl_buffer_view(out, SL_VIEW("\\"));
        sl_buffer_add(out, text.data + i, 1);
    }
    sl_buffer_view(out, SL_VIEW("\""));
}

/* The whole filter as text that the parser reads back. */
static enum sl_err write_expression(struct search *s, bool dated)
{
    struct sl_buffer out = {0};
    bool timed = dated && s->when_filter != NULL, alone = s->question->tenant.data == NULL && !timed;

    if (s->question->filter != NULL)
        sl_buffer_format(&out, alone ? "%.*s" : "(%.*s)", SL_VIEW_ARG(s->question->filter_text));
    if (s->question->tenant.data != NULL) {
        sl_buffer_format(&out, "%stenant = ", out.size > 0 ? " and " : "");
        quote_into(&out, s->question->tenant);
    }
    if (timed) {
        sl_buffer_format(&out, "%s", out.size > 0 ? " and " : "");
        sl_when_write(&s->when, today(s), &out);
    }
    s->retrieved->filter_expression = SL_VIEW_NULL;
    if (out.size > 0)
        s->retrieved->filter_expression =
            sl_arena_copy(s->arena, (struct sl_view){out.data, out.size});
    bool failed = out.failed || (out.size > 0 && s->retrieved->filter_expression.data == NULL);
    sl_buffer_fini(&out);
    return failed ? no_memory(s) : SL_OK;
}

/* Caller's filter, tenant and date as one selection; NULL when there is none of them. */
static enum sl_err select_documents(struct search *s, bool dated)
{
    const struct sl_filter *filter = s->question->filter, *part;
    enum sl_err e;

    s->filter = NULL;
    s->selection = NULL;
    if (s->question->tenant.data != NULL) { /* never left out for want of memory */
        part = sl_filter_equals(s->arena, "tenant", s->question->tenant);
        if (part == NULL || (filter = sl_filter_and(s->arena, filter, part)) == NULL)
            return no_memory(s);
    }
    if (dated && s->when_filter != NULL &&
        (filter = sl_filter_and(s->arena, filter, s->when_filter)) == NULL)
        return no_memory(s);
    s->retrieved->selected_documents = UINT64_MAX;
    if ((e = write_expression(s, dated)) || filter == NULL)
        return e;
    s->filter = filter;
    if ((e = sl_snapshot_select(s->snapshot, filter, s->arena, &s->selection, s->err)))
        return e;
    s->retrieved->selected_documents = sl_selection_count(s->selection);
    return SL_OK;
}

/* ------------------------------------------------------------------------------------- the legs */

/* What is searched in the end: hybrid only with an encoder that knows the question's language. */
static enum sl_err decide_mode(struct search *s)
{
    enum sl_mode mode = s->question->mode ? s->question->mode : s->options->mode;

    s->retrieved->coverage = -1;
    if (mode == SL_MODE_VECTOR && s->embedder == NULL)
        return sl_fail(s->err, SL_REJECT, "no_vectors",
                       "search: mode vector needs an encoder; [embed] backend is none");
    if (mode == SL_MODE_HYBRID || mode == SL_MODE_DEFAULT) {
        mode = SL_MODE_LEXICAL;
        if (s->embedder != NULL && s->options->weight_vector > 0) {
            s->retrieved->coverage =
                s->embedder->ops->coverage(s->embedder, s->retrieved->search_text);
            if (s->retrieved->coverage >= s->options->coverage_min)
                mode = s->options->weight_lexical > 0 ? SL_MODE_HYBRID : SL_MODE_VECTOR;
        }
    }
    s->retrieved->mode = mode;
    return SL_OK;
}

static enum sl_err search_lexical(struct search *s)
{
    struct sl_retrieved *found = s->retrieved;
    enum sl_err e = sl_question_terms(s->snapshot, found->search_text, s->options, s->arena,
                                      &found->terms, &found->term_count, s->err);

    if (e || found->term_count == 0)
        return e;
    e = sl_snapshot_lexical(s->snapshot, found->terms, found->term_count, s->depth, s->selection,
                            s->lexical, &s->lexical_count, &found->lexical_stats, s->err);
    if (e || s->options->expansion == SL_EXPANSION_NONE || s->lexical_count == 0)
        return e;
    e = sl_question_expand(s->snapshot, s->lexical, s->lexical_count, s->arena, &found->terms,
                           &found->term_count, s->err);
    return e ? e
             : sl_snapshot_lexical(s->snapshot, found->terms, found->term_count, s->depth,
                                   s->selection, s->lexical, &s->lexical_count,
                                   &found->lexical_stats, s->err);
}

static enum sl_err encode_question(struct search *s)
{
    float *vector = SL_NEW_ARRAY(s->arena, float, s->embedder->dim);
    int64_t start = now_us(s);
    enum sl_err e;

    if (vector == NULL)
        return no_memory(s);
    e = s->embedder->ops->encode(s->embedder, SL_EMBED_QUESTION, &s->retrieved->search_text, 1,
                                 vector, s->err);
    s->retrieved->embed_ms += elapsed_ms(s, start);
    if (!e)
        s->retrieved->vector = vector;
    return e;
}

static enum sl_err search_vector(struct search *s)
{
    uint32_t ef = s->options->ef > s->depth ? s->options->ef : s->depth;
    struct sl_error failure = {0};
    int64_t start;
    enum sl_err e = s->retrieved->vector != NULL ? SL_OK : encode_question(s);

    if (e)
        return e;
    start = now_us(s);
    e = sl_snapshot_nearest(s->snapshot, s->retrieved->vector, s->depth, ef, s->question->exact,
                            s->selection, s->vector, &s->vector_count, &s->retrieved->vector_stats, &failure);
    s->retrieved->vector_ms += elapsed_ms(s, start);
    s->retrieved->search_ms += elapsed_ms(s, start);
    if (e == SL_REJECT && s->retrieved->mode == SL_MODE_HYBRID &&
        strcmp(failure.reason, "no_vectors") == 0) { /* an index made without an encoder */
        s->retrieved->mode = SL_MODE_LEXICAL;
        s->retrieved->vector = NULL;
        return SL_OK;
    }
    if (e && s->err != NULL)
        *s->err = failure;
    return e;
}

static enum sl_err search_legs(struct search *s)
{
    int64_t start = now_us(s);
    enum sl_err e;

    s->lexical_count = s->vector_count = 0;
    if ((e = decide_mode(s)))
        return e;
    if (s->retrieved->mode != SL_MODE_VECTOR) {
        e = search_lexical(s);
        s->retrieved->lexical_ms += elapsed_ms(s, start);
        s->retrieved->search_ms += elapsed_ms(s, start);
        if (e)
            return e;
    }
    return s->retrieved->mode == SL_MODE_LEXICAL ? SL_OK : search_vector(s);
}

/* ------------------------------------------------------------------------------------- fusing */

static int by_place(const void *a, const void *b)
{
    const struct sl_result *x = a, *y = b;

    if (x->doc != y->doc)
        return x->doc < y->doc ? -1 : 1;
    return (x->chunk > y->chunk) - (x->chunk < y->chunk);
}

static int by_score(const void *a, const void *b)
{
    const struct sl_result *x = a, *y = b;

    if (x->score < y->score || x->score > y->score)
        return x->score < y->score ? 1 : -1;
    return by_place(a, b);
}

/* Both legs' hits as results by place, each chunk once, with the scores and ranks of both. */
static uint32_t merge_legs(const struct search *s, struct sl_result *all)
{
    uint32_t count = 0, unique = 0;

    for (uint32_t i = 0; i < s->lexical_count; i++)
        all[count++] = (struct sl_result){.doc = s->lexical[i].doc,
                                          .chunk = s->lexical[i].chunk,
                                          .lexical_score = s->lexical[i].score,
                                          .lexical_rank = i + 1};
    for (uint32_t i = 0; i < s->vector_count; i++)
        all[count++] = (struct sl_result){.doc = s->vector[i].doc,
                                          .chunk = s->vector[i].chunk,
                                          .vector_score = s->vector[i].score,
                                          .vector_rank = i + 1};
    qsort(all, count, sizeof *all, by_place);
    for (uint32_t i = 0; i < count; i++) {
        if (unique > 0 && by_place(&all[unique - 1], &all[i]) == 0) {
            struct sl_result *same = &all[unique - 1];
            if (all[i].lexical_rank > 0)
                same->lexical_rank = all[i].lexical_rank, same->lexical_score = all[i].lexical_score;
            else
                same->vector_rank = all[i].vector_rank, same->vector_score = all[i].vector_score;
        } else {
            all[unique++] = all[i];
        }
    }
    return unique;
}

/* Fused scores into `all`; an item's id in the lists is its index there. */
static enum sl_err fuse_scores(struct search *s, struct sl_result *all, uint32_t count)
{
    struct sl_scored *lexical = SL_NEW_ARRAY(s->arena, struct sl_scored, s->depth);
    struct sl_scored *vector = SL_NEW_ARRAY(s->arena, struct sl_scored, s->depth);
    struct sl_scored *fused = SL_NEW_ARRAY(s->arena, struct sl_scored, 2 * (size_t)s->depth);
    uint32_t fused_count = 0;
    enum sl_err e;

    if (lexical == NULL || vector == NULL || fused == NULL)
        return no_memory(s);
    for (uint32_t i = 0; i < count; i++) {
        if (all[i].lexical_rank > 0)
            lexical[all[i].lexical_rank - 1] = (struct sl_scored){i, all[i].lexical_score};
        if (all[i].vector_rank > 0)
            vector[all[i].vector_rank - 1] = (struct sl_scored){i, all[i].vector_score};
    }
    e = sl_fuse(s->options->fusion, lexical, s->lexical_count, s->options->weight_lexical, vector,
                s->vector_count, s->options->weight_vector, s->arena, fused, &fused_count, s->err);
    for (uint32_t i = 0; !e && i < fused_count; i++)
        all[fused[i].id].score = (float)fused[i].score;
    return e;
}

/* Days since a document's date, else since it came into force, else since it was produced; NAN: unknown. */
static double age_of(const struct sl_document *document, double now)
{
    sl_day since = SL_DAY_NONE;

    if (document->date_days.from != SL_DAY_NONE)
        return now - (double)document->date_days.to;
    for (uint32_t i = 0; i < document->valid_count; i++)
        since = document->valid[i].from > since ? document->valid[i].from : since;
    if (since != SL_DAY_NONE)
        return now - (double)since;
    return document->timestamp_ms >= 0 ? now - (double)document->timestamp_ms / MS_PER_DAY_F : NAN;
}

/* The age of each result's document; *ret_least is that of the newest of those whose age is known. */
static enum sl_err read_ages(struct search *s, const struct sl_result *all, uint32_t count,
                             double *ages, double *ret_least)
{
    struct sl_document document;
    uint32_t chunk_count;
    enum sl_err e;

    *ret_least = HUGE_VAL;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0 && all[i].doc == all[i - 1].doc) { /* sorted by document */
            ages[i] = ages[i - 1];
            continue;
        }
        if ((e = sl_snapshot_document(s->snapshot, all[i].doc, s->arena, &document, &chunk_count,
                                      s->err)))
            return e;
        ages[i] = age_of(&document, (double)today(s));
        if (ages[i] < *ret_least) /* not of NAN */
            *ret_least = ages[i];
    }
    return SL_OK;
}

/* Halve a score for every half-life of the document's age; faster, and from the newest on, when asked for. */
static enum sl_err weigh_by_age(struct search *s, struct sl_result *all, uint32_t count)
{
    double *ages = SL_NEW_ARRAY(s->arena, double, count + 1), least;
    double half_life = s->options->half_life_days;
    enum sl_err e;

    if (ages == NULL)
        return no_memory(s);
    if ((e = read_ages(s, all, count, ages, &least)))
        return e;
    for (uint32_t i = 0; i < count; i++) {
        double weight = ages[i] > 0 && half_life > 0 ? exp2(-ages[i] / half_life) : 1;
        if (s->when.newest)
            weight = isnan(ages[i]) ? 0.5 : sl_when_weight(ages[i] - least, half_life);
        if (all[i].score > 0)
            all[i].score = (float)(all[i].score * weight);
    }
    return SL_OK;
}

/* The day whose version counts: the one asked about, else today. */
static sl_day day_in_force(const struct search *s)
{
    bool named = s->when.date_read && !s->retrieved->widened;

    return named && s->when.date.days.to != SL_DAY_MAX ? s->when.date.days.to : today(s);
}

static bool all_copies(const struct search *s)
{
    return s->question->duplicates || s->options->keep_duplicates;
}

/* What is asked about versions, or as of a day, wants to see texts that are nearly the same. */
static enum sl_copies copies_dropped(const struct search *s)
{
    struct sl_view filter = s->question->filter_text;

    if (all_copies(s) || s->options->judged)
        return SL_COPIES_NONE;
    if (s->when.versions ||
        (s->question->filter != NULL && memmem(filter.data, filter.size, "valid_at", 8) != NULL))
        return SL_COPIES_EXACT;
    return SL_COPIES_NEAR;
}

/* How many results are looked at before they are cut to k. */
static uint32_t refined_count(const struct search *s)
{
    uint32_t wanted = s->k;

    if (s->options->reranker != NULL && s->options->rerank_depth > wanted)
        wanted = s->options->rerank_depth;
    if (s->options->diversity > 0 && sl_diversify_count(s->k) > wanted)
        wanted = sl_diversify_count(s->k);
    return wanted;
}

/* Of all that was found, in order: one of each text. */
static enum sl_err drop_copies(struct search *s, struct sl_result *all, uint32_t count)
{
    struct sl_retrieved *retrieved = s->retrieved;
    enum sl_copies copies = copies_dropped(s);
    uint32_t wanted = refined_count(s);
    enum sl_err e;

    if (!all_copies(s) && !s->when.versions &&
        (e = sl_versions_collapse(s->snapshot, day_in_force(s), wanted, s->arena, all, &count, s->err)))
        return e;
    retrieved->results = all;
    retrieved->count = count;
    return sl_duplicates_drop(s->snapshot, copies, wanted, s->arena, all, &retrieved->count, s->err);
}

/* What is handed on, of results in order: looked at again, and different from each other. */
static enum sl_err refine(struct search *s)
{
    struct sl_retrieved *retrieved = s->retrieved;
    struct sl_listing listing = {.filter = s->filter, .selection = s->selection,
                                 .all = all_copies(s) || s->options->judged,
                                 .judged = s->options->judged};
    uint32_t dim = s->embedder != NULL ? s->embedder->dim : 0;
    int64_t start;
    enum sl_err e;

    for (uint32_t i = 0; i < retrieved->count; i++)
        retrieved->results[i].rank_before = i + 1;
    e = sl_rerank(s->snapshot, retrieved->search_text, s->options, s->clock, s->arena, retrieved, s->err);
    start = now_us(s);
    if (!e)
        e = sl_diversify(s->snapshot, s->options->diversity, dim, s->k, s->arena, retrieved->results,
                         retrieved->count, s->err);
    retrieved->search_ms += elapsed_ms(s, start);
    return e ? e : sl_duplicates_list(s->snapshot, &listing, s->k, s->arena, &retrieved->results,
                                      &retrieved->count, s->err);
}

static enum sl_err rank_results(struct search *s)
{
    struct sl_result *all = SL_NEW_ARRAY(s->arena, struct sl_result, 2 * (size_t)s->depth);
    int64_t start = now_us(s);
    uint32_t count;
    enum sl_err e = SL_OK;

    if (all == NULL)
        return no_memory(s);
    count = merge_legs(s, all);
    if (s->retrieved->mode == SL_MODE_HYBRID)
        e = fuse_scores(s, all, count);
    for (uint32_t i = 0; i < count && s->retrieved->mode != SL_MODE_HYBRID; i++)
        all[i].score = all[i].lexical_rank > 0 ? all[i].lexical_score : all[i].vector_score;
    if (!e && (s->options->half_life_days > 0 || s->when.newest))
        e = weigh_by_age(s, all, count);
    if (e)
        return e;
    qsort(all, count, sizeof *all, by_score);
    e = drop_copies(s, all, count);
    s->retrieved->fusion_ms += elapsed_ms(s, start);
    return e;
}

static enum sl_err search_once(struct search *s, bool dated)
{
    int64_t start = now_us(s);
    enum sl_err e;

    s->lexical = SL_NEW_ARRAY(s->arena, struct sl_hit, s->depth);
    s->vector = SL_NEW_ARRAY(s->arena, struct sl_hit, s->depth);
    if (s->lexical == NULL || s->vector == NULL)
        return no_memory(s);
    e = select_documents(s, dated);
    s->retrieved->search_ms += elapsed_ms(s, start);
    if (e)
        return e;
    if (s->retrieved->selected_documents == 0) {
        if ((e = decide_mode(s)))
            return e;
        s->lexical_count = s->vector_count = 0;
    } else if ((e = search_legs(s))) {
        return e;
    }
    return rank_results(s);
}

/* Read the question's time, and what it selects. */
static enum sl_err read_time(struct search *s)
{
    int64_t start = now_us(s);

    sl_when_read(s->question->text, today(s), &s->when);
    s->retrieved->dates_ms = elapsed_ms(s, start);
    s->retrieved->date_read = s->when.date_read;
    s->retrieved->date = s->when.date;
    enum sl_err e = sl_when_select(s->snapshot, &s->when, today(s), s->arena, &s->when_filter, s->err);
    if (s->when.date_read && s->when.date.as_of && !s->when.has_validity)
        s->when.newest = true; /* the last published by then */
    s->retrieved->newest = s->when.newest;
    return e;
}

/* Copies may fill the whole depth: then look deeper, until there are k results or no more hits. */
static enum sl_err search_deep(struct search *s, bool dated)
{
    uint32_t depth = s->depth;
    enum sl_err e = search_once(s, dated);

    while (!e && s->retrieved->count < s->k && s->depth < SL_K_MAX &&
           (s->lexical_count == s->depth || s->vector_count == s->depth)) {
        s->depth = s->depth * 4 < SL_K_MAX ? s->depth * 4 : SL_K_MAX;
        e = search_once(s, dated);
    }
    s->depth = depth;
    return e ? e : refine(s);
}

enum sl_err sl_retrieve(const struct sl_snapshot *snapshot, const struct sl_question *question,
                        const struct sl_retrieve_options *options,
                        const struct sl_embedder *embedder, const struct sl_clock *clock,
                        struct sl_arena *arena, struct sl_retrieved **ret_retrieved,
                        struct sl_error *err)
{
    struct search s = {.snapshot = snapshot, .question = question, .options = options,
                       .embedder = embedder, .clock = clock, .arena = arena, .err = err};
    enum sl_err e;

    s.k = question->k ? question->k : options->k;
    s.k = s.k == 0 ? 1 : s.k > SL_K_MAX ? SL_K_MAX : s.k;
    s.depth = s.k * 4 > LEG_DEPTH_MIN ? s.k * 4 : LEG_DEPTH_MIN;
    s.depth = s.depth > SL_K_MAX ? SL_K_MAX : s.depth;
    s.retrieved = SL_NEW(arena, struct sl_retrieved);
    if (s.retrieved == NULL)
        return no_memory(&s);
    if ((e = read_time(&s)))
        return e;
    if (!question->widened) {
        if ((e = cut_phrase(&s)) || (e = search_deep(&s, true)))
            return e;
        if (s.when_filter == NULL || s.retrieved->count > 0) {
            *ret_retrieved = s.retrieved;
            return SL_OK;
        }
    }
    s.retrieved->widened = s.when_filter != NULL;
    s.retrieved->search_text = question->text;
    s.retrieved->vector = NULL;
    if ((e = search_deep(&s, false)))
        return e;
    *ret_retrieved = s.retrieved;
    return SL_OK;
}
