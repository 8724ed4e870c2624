/*
 * spans.c -- the runs of words in a sentence that may be what a question asks for, and their
 * features.
 *
 * No parser and no trained reader: a run is described by the kind of thing it looks like (a date,
 * an amount, a name), by what stands beside it and by how near the question's own words are; a
 * linear model over that, fitted on SQuAD 1.1 (tests/quality/fit_spans.py), picks the run. Runs
 * never start or end with a word that only joins others. Korean has its own rules (spans_korean.c).
 *
 * A dictionary of names was rejected: capitals do as well for English, and every collection has its
 * own. Known weakness: what is said in a clause of its own (reasons, ways) is no span; the sentence
 * stands for it.
 */
#include <stdlib.h>

#include "spans_internal.h"

#define RUN_TOKENS_MAX 8u

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "answer: needs more memory than one question has");
}

/* ---------------------------------------------------------------------------------------- runs */

/* May token `i` continue a run that token i - 1 is in? */
static bool continues(const struct sl_tokens *s, uint32_t i)
{
    const struct sl_token *token = &s->tokens[i], *before = &s->tokens[i - 1];

    if (token->clause_before || before->ending)
        return false;
    if (i > 1 && before->side == SL_SIDE_FUNCTION && before[-1].number && !token->number)
        return false; /* "in 1962 and cost" */
    return !token->comma_before || token->number || (token->capital && before->capital);
}

static bool asks_for_words(enum sl_asked asked)
{
    return asked != SL_ASKED_WHY && asked != SL_ASKED_HOW && asked != SL_ASKED_YES_NO &&
           asked != SL_ASKED_OTHER;
}

enum sl_err sl_spans_of(const struct sl_needs *needs, const struct sl_span_sentence *sentence,
                        struct sl_arena *arena, struct sl_candidate **ret_candidates,
                        uint32_t *ret_count, struct sl_error *err)
{
    struct sl_tokens s = {
        .needs = needs,
        .text = sl_view_range(sentence->text, sentence->byte_start, sentence->byte_end)};
    struct sl_candidate *candidates;
    struct sl_frame frame;
    uint32_t count = 0;
    enum sl_err e;

    *ret_count = 0;
    *ret_candidates = NULL;
    if (!asks_for_words(needs->asked))
        return SL_OK;
    if ((e = sl_tokens_read(&s, arena, err)))
        return e;
    if (needs->hangul && sl_text_hangul(s.text))
        return sl_spans_korean(&s, sentence, arena, ret_candidates, ret_count, err);
    sl_frame_read(needs, &frame);
    candidates = SL_NEW_ARRAY(arena, struct sl_candidate, (size_t)s.count * RUN_TOKENS_MAX);
    if (candidates == NULL)
        return no_memory(err);
    for (uint32_t from = 0; from < s.count; from++) {
        if (sl_token_joins(&s.tokens[from]))
            continue;
        for (uint32_t to = from + 1; to <= s.count && to - from <= RUN_TOKENS_MAX; to++) {
            if (to - from > 1 && !continues(&s, to - 1))
                break;
            if (!sl_token_joins(&s.tokens[to - 1]))
                sl_span_describe(&s, &frame, sentence, from, to, &candidates[count++]);
        }
    }
    *ret_candidates = candidates;
    *ret_count = count;
    return SL_OK;
}
