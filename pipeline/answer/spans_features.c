/*
 * spans_features.c -- what speaks for a run of words: how it looks, what stands around it, and how
 * that fits the question.
 *
 * Every feature has one weight, fitted on SQuAD 1.1 (tests/quality/fit_spans.py); most are two
 * small classes taken together, such as the kind of question and what stands before the run, so
 * that a linear sum can say "a name after 'by' answers who did it". Words themselves are no
 * features but for a closed list of small ones: what was learnt from an encyclopedia should hold
 * for a company's rules. Known weakness: which of two things of a kind is meant is told by nearness
 * alone.
 */
#include <math.h>

#include "spans_internal.h"

#define MONTHS                                                                                     \
    " january february march april june july august september october november december monday "   \
    "tuesday wednesday thursday friday saturday sunday century centuries spring summer autumn "
#define MONEY " dollar dollars euro euros pound pounds cent cents yen won 원 만원 억원 "

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
        plain += s->tokens[i].capital || sl_token_joins(&s->tokens[i]) ? 0 : 1;
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

/* ------------------------------------------------------------------------------------- beside */

/* Small words that tell much when they stand beside a run; the place in the list is the feature. */
static const char *const SMALL_WORDS[SL_SMALL_WORDS - 1] = {
    "by",     "in",      "of",    "from",    "at",     "on",    "to",    "for",  "with",
    "as",     "is",      "was",   "are",     "were",   "and",   "or",    "than", "about",
    "called", "named",   "known", "between", "into",   "the",   "a",     "an",   "that",
    "which",  "who",     "such",  "over",    "during", "since", "until", "near", "after",
    "before", "because", "has",   "had",     "also"};

static uint32_t small_word(const struct sl_tokens *s, uint32_t i)
{
    for (uint32_t w = 0; w < SL_SMALL_WORDS - 1; w++)
        if (sl_word_is(sl_token_text(s, i), SMALL_WORDS[w]))
            return w;
    return SL_SMALL_WORDS - 1;
}

static bool ends_in(struct sl_view word, const char *const *ends)
{
    for (; *ends != NULL; ends++) {
        size_t size = strlen(*ends);
        if (word.size > size + 1 && memcmp(word.data + word.size - size, *ends, size) == 0)
            return true;
    }
    return false;
}

/* What a word may be, by its last letters. */
static enum sl_look look_of(const struct sl_tokens *s, uint32_t i)
{
    static const char *const things[] = {"tion", "sion", "ment", "ness", "ity",
                                         "ism",  "ist",  "ship", "ance", "ence",
                                         "er",   "or",   "logy", "ure",  NULL};
    static const char *const kinds[] = {"al",   "ous",  "ive", "ic",   "ful",
                                        "able", "ible", "ary", "less", NULL};
    const struct sl_token *token = &s->tokens[i];
    struct sl_view word = sl_token_text(s, i);

    if (sl_token_joins(token))
        return SL_LOOK_JOINING;
    if (token->number)
        return SL_LOOK_NUMBER;
    if (token->capital)
        return SL_LOOK_CAPITAL;
    if (ends_in(word, (const char *const[]){"ly", NULL}))
        return SL_LOOK_LY;
    if (ends_in(word, (const char *const[]){"ing", NULL}))
        return SL_LOOK_ING;
    if (ends_in(word, (const char *const[]){"ed", NULL}))
        return SL_LOOK_ED;
    if (ends_in(word, things))
        return SL_LOOK_THING;
    if (ends_in(word, kinds))
        return SL_LOOK_KIND;
    return word.data[word.size - 1] == 's' ? SL_LOOK_S : SL_LOOK_OTHER;
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

/* How many tokens away the next word of the question stands, in seven steps. */
static uint32_t distance(const struct sl_tokens *s, uint32_t from, uint32_t to, bool left)
{
    static const uint32_t steps[SL_SPAN_DISTANCES - 1] = {1, 2, 3, 5, 8, 13};
    uint32_t away = 1, step = 0;

    if (left)
        while (away <= from && !(s->tokens[from - away].weight > 0))
            away++;
    else
        while (to + away <= s->count && !(s->tokens[to + away - 1].weight > 0))
            away++;
    if (left ? away > from : to + away > s->count)
        return SL_SPAN_DISTANCES - 1;
    while (step < SL_SPAN_DISTANCES - 1 && away > steps[step])
        step++;
    return step;
}

static double weight_between(const struct sl_tokens *s, uint32_t from, uint32_t to)
{
    double weight = 0;

    for (uint32_t i = from; i < to; i++)
        weight += s->tokens[i].weight;
    return s->needs->total > 0 ? weight / s->needs->total : 0;
}

/* Is it the noun of "what NOUN", or nearly? */
static bool is_focus(const struct sl_tokens *s, const struct sl_frame *frame, uint32_t i)
{
    struct sl_view word = sl_token_text(s, i), focus = frame->focus;
    size_t common = word.size < focus.size ? word.size : focus.size;

    return common > 2 && word.size + focus.size - 2 * common <= 2 &&
           strncasecmp(word.data, focus.data, common) == 0;
}

static double share_in_title(const struct sl_tokens *s, const struct sl_span_sentence *sentence,
                             uint32_t from, uint32_t to)
{
    uint32_t held = 0;

    if (sentence->title.size == 0)
        return 0;
    for (uint32_t i = from; i < to; i++) {
        struct sl_view word = sl_token_text(s, i);
        held += memmem(sentence->title.data, sentence->title.size, word.data, word.size) != NULL
                    ? 1
                    : 0;
    }
    return held / (double)(to - from);
}

/* ------------------------------------------------------------------------------------ features */

static const float WEIGHTS[SL_SPAN_FEATURES] = {
#include "span_weights.h"
};

static void add(struct sl_candidate *candidate, uint32_t feature, double value)
{
    SL_INVARIANT(candidate->feature_count < SL_SPAN_FEATURES_EACH && feature < SL_SPAN_FEATURES);
    candidate->features[candidate->feature_count] = (uint16_t)feature;
    candidate->values[candidate->feature_count++] = (float)value;
    candidate->score += (double)WEIGHTS[feature] * value;
}

static void add_if(struct sl_candidate *candidate, bool holds, uint32_t feature)
{
    if (holds)
        add(candidate, feature, 1);
}

static void describe_looks(const struct sl_tokens *s, const struct sl_frame *frame, uint32_t from,
                           uint32_t to, struct sl_candidate *c)
{
    uint32_t shape = (uint32_t)shape_of(s, from, to), kind = (uint32_t)frame->kind;
    uint32_t length = to - from < 6 ? to - from - 1 : 5;
    uint32_t first = (uint32_t)look_of(s, from), last = (uint32_t)look_of(s, to - 1);
    bool comma = false;

    for (uint32_t i = from + 1; i < to; i++)
        comma = comma || s->tokens[i].comma_before;
    add(c, SL_SPAN_SHAPES + kind * SL_SHAPES + shape, 1);
    c->of_kind = c->score > 0;
    add(c, SL_SPAN_LENGTHS + kind * 6 + length, 1);
    add(c, SL_SPAN_SHAPE_LENGTHS + shape * 6 + length, 1);
    add(c, SL_SPAN_FIRST + first, 1);
    add(c, SL_SPAN_LAST + kind * SL_LOOKS + last, 1);
    add_if(c, comma, SL_SPAN_COMMA);
    add_if(c, s->tokens[from].quote_before && s->tokens[to - 1].quote_after, SL_SPAN_QUOTED + kind);
}

static void describe_sides(const struct sl_tokens *s, const struct sl_frame *frame, uint32_t from,
                           uint32_t to, struct sl_candidate *c)
{
    uint32_t shape = (uint32_t)shape_of(s, from, to), kind = (uint32_t)frame->kind;
    uint32_t left = (uint32_t)left_of(s, from), right = (uint32_t)right_of(s, to);
    uint32_t before = from > 1 && s->tokens[from - 1].side == SL_SIDE_ARTICLE ? from - 2 : from - 1;

    add(c, SL_SPAN_BOTH + left * SL_SIDES + right, 1);
    add(c, SL_SPAN_LEFT + kind * SL_SIDES + left, 1);
    add(c, SL_SPAN_RIGHT + kind * SL_SIDES + right, 1);
    add(c, SL_SPAN_SHAPE_LEFT + shape * SL_SIDES + left, 1);
    add(c, SL_SPAN_SHAPE_RIGHT + shape * SL_SIDES + right, 1);
    if (from > 0 && left != SL_SIDE_PUNCTUATION)
        add(c, SL_SPAN_BEFORE + kind * SL_SMALL_WORDS + small_word(s, before), 1);
    if (to < s->count && right != SL_SIDE_PUNCTUATION) {
        add(c, SL_SPAN_AFTER + small_word(s, to), 1);
        add(c, SL_SPAN_NEXT + (uint32_t)look_of(s, to), 1);
    }
    add_if(c, from > 0 && s->tokens[from].comma_before && s->tokens[from - 1].weight > 0,
           SL_SPAN_APPOSITION);
}

static void describe_nearness(const struct sl_tokens *s, const struct sl_frame *frame,
                              uint32_t from, uint32_t to, struct sl_candidate *c)
{
    uint32_t kind = (uint32_t)frame->kind, terms = 0;

    for (uint32_t i = from; i < to; i++)
        terms += s->tokens[i].weight > 0 ? 1 : 0;
    add(c, SL_SPAN_INSIDE, sl_tokens_weight(s, from, to, 0));
    add(c, SL_SPAN_INSIDE_WORDS, terms / (double)(to - from));
    add_if(c, terms == to - from, SL_SPAN_INSIDE_ALL);
    add(c, SL_SPAN_NEAR, sl_tokens_weight(s, from, to, 3));
    add(c, SL_SPAN_AROUND, sl_tokens_weight(s, from, to, 8));
    add(c, SL_SPAN_WEIGHT_LEFT + kind, weight_between(s, 0, from));
    add(c, SL_SPAN_WEIGHT_RIGHT + kind, weight_between(s, to, s->count));
    add(c, SL_SPAN_DISTANCE_LEFT + distance(s, from, to, true), 1);
    add(c, SL_SPAN_DISTANCE_RIGHT + distance(s, from, to, false), 1);
    add_if(c, frame->counts && s->tokens[to - 1].number && right_of(s, to) == SL_SIDE_TERM,
           SL_SPAN_COUNTED);
    if (frame->focus.size == 0)
        return;
    add_if(c, is_focus(s, frame, to - 1), SL_SPAN_FOCUS_LAST);
    add_if(c, to < s->count && is_focus(s, frame, to), SL_SPAN_FOCUS_AFTER);
    add_if(c, from > 0 && is_focus(s, frame, from - 1), SL_SPAN_FOCUS_BEFORE);
    add_if(c, from > 1 && is_focus(s, frame, from - 2), SL_SPAN_FOCUS_BEFORE + 1);
}

void sl_span_describe(const struct sl_tokens *s, const struct sl_frame *frame,
                      const struct sl_span_sentence *sentence, uint32_t from, uint32_t to,
                      struct sl_candidate *c)
{
    *c = (struct sl_candidate){.byte_start = sentence->byte_start + s->tokens[from].start,
                               .byte_end = sentence->byte_start + s->tokens[to - 1].end};
    describe_looks(s, frame, from, to, c);
    describe_sides(s, frame, from, to, c);
    describe_nearness(s, frame, from, to, c);
    add(c, SL_SPAN_TITLE, share_in_title(s, sentence, from, to));
    add(c, SL_SPAN_SENTENCE, sentence->score);
    add(c, SL_SPAN_COVER, sentence->cover);
    add(c, SL_SPAN_BEHIND, sentence->behind);
    add(c, SL_SPAN_RANK, 1.0 / (1.0 + sentence->rank));
    add_if(c, sentence->best, SL_SPAN_BEST);
}
