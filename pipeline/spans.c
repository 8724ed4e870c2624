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
#define NEAR_WORDS     3u
#define AROUND_WORDS   8u

#define MONTHS                                                                                     \
    " january february march april june july august september october november december monday "   \
    "tuesday wednesday thursday friday saturday sunday century centuries spring summer autumn "
#define MONEY " dollar dollars euro euros pound pounds cent cents yen won 원 만원 억원 "

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "answer: needs more memory than one question has");
}

/* ---------------------------------------------------------------------------------------- runs */

static bool is_joining(const struct sl_token *token)
{
    return token->side == SL_SIDE_ARTICLE || token->side == SL_SIDE_PREPOSITION ||
           token->side == SL_SIDE_FUNCTION;
}

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

static bool any_word(const struct sl_tokens *s, uint32_t from, uint32_t to, const char *list)
{
    for (uint32_t i = from; i < to; i++)
        if (sl_word_among(sl_view_range(s->text, s->tokens[i].start, s->tokens[i].end), list))
            return true;
    return false;
}

static bool is_year(struct sl_view word)
{
    bool digits = word.size >= 4 && (word.data[0] == '1' || word.data[0] == '2');

    for (size_t i = 0; digits && i < 4; i++)
        digits = sl_is_digit(word.data[i]);
    return digits && (word.size == 4 || (word.size == 5 && word.data[4] == 's'));
}

static bool is_money(const struct sl_tokens *s, uint32_t from, uint32_t to, struct sl_view text)
{
    return memchr(text.data, '$', text.size) != NULL || sl_text_holds(text, "€") ||
           sl_text_holds(text, "£") || sl_text_holds(text, "₩") || sl_text_holds(text, "원") ||
           sl_text_holds(text, "달러") || any_word(s, from, to, MONEY);
}

static enum sl_shape number_shape(const struct sl_tokens *s, uint32_t from, uint32_t to,
                                  struct sl_view text)
{
    if (to - from == 1 && is_year(text))
        return SL_SHAPE_YEAR;
    if (any_word(s, from, to, MONTHS) || any_word(s, from, to, " may ") ||
        ((sl_text_holds(text, "년") || sl_text_holds(text, "월")) && !sl_text_holds(text, "년간") &&
         !sl_text_holds(text, "개월")))
        return SL_SHAPE_DATE;
    if (is_money(s, from, to, text))
        return SL_SHAPE_MONEY;
    if (memchr(text.data, '%', text.size) != NULL || sl_text_holds(text, "퍼센트") ||
        any_word(s, from, to, " percent percentage "))
        return SL_SHAPE_PERCENT;
    return to - from > 1 || sl_number_end(text) < text.size || sl_starts_hangul(text) ||
                   sl_starts_hangul(
                       sl_view_range(text, text.size >= 3 ? text.size - 3 : 0, text.size))
               ? SL_SHAPE_QUANTITY
               : SL_SHAPE_NUMBER;
}

static enum sl_shape shape_of(const struct sl_tokens *s, uint32_t from, uint32_t to)
{
    struct sl_view text = sl_view_range(s->text, s->tokens[from].start, s->tokens[to - 1].end);
    uint32_t capitals = 0, plain = 0;
    bool number = false;

    for (uint32_t i = from; i < to; i++) {
        number = number || s->tokens[i].number;
        capitals += s->tokens[i].capital ? 1 : 0;
        plain += s->tokens[i].capital || is_joining(&s->tokens[i]) ? 0 : 1;
    }
    if (number)
        return number_shape(s, from, to, text);
    if (any_word(s, from, to, MONTHS))
        return SL_SHAPE_DATE;
    if (s->tokens[from].hangul)
        return SL_SHAPE_HANGUL;
    if (capitals == 1 && to - from == 1 && from == 0)
        return SL_SHAPE_FIRST;
    return capitals == 0 ? SL_SHAPE_LOWER : plain == 0 ? SL_SHAPE_NAME : SL_SHAPE_MIXED;
}

/* ------------------------------------------------------------------------------------ features */

static const float WEIGHTS[SL_SPAN_FEATURES] = {
#include "span_weights.h"
};

static void add_feature(struct sl_candidate *candidate, uint32_t feature, double value)
{
    SL_INVARIANT(candidate->feature_count < SL_SPAN_FEATURES_EACH && feature < SL_SPAN_FEATURES);
    candidate->features[candidate->feature_count] = (uint16_t)feature;
    candidate->values[candidate->feature_count++] = (float)value;
    candidate->score += (double)WEIGHTS[feature] * value;
}

static enum sl_side left_of(const struct sl_tokens *s, uint32_t from)
{
    if (from == 0)
        return SL_SIDE_EDGE;
    return s->tokens[from].clause_before || s->tokens[from].comma_before ? SL_SIDE_PUNCTUATION
                                                                         : s->tokens[from - 1].side;
}

static enum sl_side right_of(const struct sl_tokens *s, uint32_t to)
{
    if (s->tokens[to - 1].particle)
        return SL_SIDE_PREPOSITION;
    if (to == s->count)
        return SL_SIDE_EDGE;
    return s->tokens[to].clause_before || s->tokens[to].comma_before ? SL_SIDE_PUNCTUATION
                                                                     : s->tokens[to].side;
}

static bool preposition_fits(const struct sl_tokens *s, uint32_t from)
{
    static const char *const fitting[SL_ASKED_KINDS] = {
        [SL_ASKED_WHO] = " by from with ",
        [SL_ASKED_WHEN] = " in on since until during by after before from between ",
        [SL_ASKED_WHERE] = " in at near from to on into through ",
        [SL_ASKED_AMOUNT] = " of for about over by to "};

    if (fitting[s->needs->asked] == NULL || from == 0)
        return false;
    if (from > 1 && s->tokens[from - 1].side == SL_SIDE_ARTICLE)
        from--;
    return any_word(s, from - 1, from, fitting[s->needs->asked]);
}

static void describe(const struct sl_tokens *s, const struct sl_span_sentence *sentence,
                     uint32_t from, uint32_t to, struct sl_candidate *candidate)
{
    enum sl_asked asked = s->needs->asked;
    enum sl_shape shape = shape_of(s, from, to);
    bool comma = false;

    *candidate = (struct sl_candidate){.byte_start = sentence->byte_start + s->tokens[from].start,
                                       .byte_end = sentence->byte_start + s->tokens[to - 1].end};
    for (uint32_t i = from + 1; i < to; i++)
        comma = comma || s->tokens[i].comma_before;
    add_feature(candidate, SL_SPAN_SHAPES + (uint32_t)asked * SL_SHAPES + (uint32_t)shape, 1);
    candidate->of_kind = candidate->score > 0;
    add_feature(candidate, SL_SPAN_LENGTHS + (to - from < 6 ? to - from - 1 : 5), 1);
    add_feature(candidate, SL_SPAN_LEFT + (uint32_t)left_of(s, from), 1);
    add_feature(candidate, SL_SPAN_RIGHT + (uint32_t)right_of(s, to), 1);
    add_feature(candidate, SL_SPAN_INSIDE, sl_tokens_weight(s, from, to, 0));
    add_feature(candidate, SL_SPAN_NEAR, sl_tokens_weight(s, from, to, NEAR_WORDS));
    add_feature(candidate, SL_SPAN_AROUND, sl_tokens_weight(s, from, to, AROUND_WORDS));
    add_feature(candidate, SL_SPAN_SENTENCE, sentence->score);
    if (preposition_fits(s, from))
        add_feature(candidate, SL_SPAN_PREPOSITION, 1);
    if ((asked == SL_ASKED_COUNT || asked == SL_ASKED_AMOUNT) && s->tokens[to - 1].number &&
        right_of(s, to) == SL_SIDE_TERM)
        add_feature(candidate, SL_SPAN_COUNTED, 1);
    if (comma)
        add_feature(candidate, SL_SPAN_COMMA, 1);
    if (s->tokens[from].quote_before && s->tokens[to - 1].quote_after)
        add_feature(candidate, SL_SPAN_QUOTED, 1);
    if (s->tokens[to - 1].copula)
        add_feature(candidate, SL_SPAN_COPULA, 1);
    if (sentence->best)
        add_feature(candidate, SL_SPAN_BEST, 1);
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
    candidates = SL_NEW_ARRAY(arena, struct sl_candidate, (size_t)s.count * RUN_TOKENS_MAX);
    if (candidates == NULL)
        return no_memory(err);
    for (uint32_t from = 0; from < s.count; from++) {
        if (is_joining(&s.tokens[from]))
            continue;
        for (uint32_t to = from + 1; to <= s.count && to - from <= RUN_TOKENS_MAX; to++) {
            if (to - from > 1 && !continues(&s, to - 1))
                break;
            if (!is_joining(&s.tokens[to - 1]))
                describe(&s, sentence, from, to, &candidates[count++]);
        }
    }
    *ret_candidates = candidates;
    *ret_count = count;
    return SL_OK;
}
