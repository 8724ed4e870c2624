/*
 * spans.c -- the runs of words in a sentence that may be what a question asks for, and their features.
 *
 * No parser and no trained reader: a run is described by the kind of thing it looks like (a date, an amount, a
 * name), by what stands beside it and by how near the question's own words are; a linear model over that,
 * fitted on SQuAD 1.1 (tests/quality/fit_spans.py), picks the run. Runs never start or end with a word that
 * only joins others. Tokens of Korean end before their particle, and numbers after their unit.
 *
 * A dictionary of names was rejected: capitals do as well for English, and every collection has its own.
 * Known weakness: what is said in a clause of its own (reasons, ways) is no span; the sentence stands for it.
 */
#include <stdlib.h>

#include "spans.h"

#define TOKENS_MAX     96u
#define RUN_TOKENS_MAX 8u
#define NEAR_WORDS     3u
#define AROUND_WORDS   8u

struct token {
    uint32_t start, end; /* bytes in the sentence; punctuation and particle taken off */
    enum sl_side side;   /* what it is to its neighbours */
    double weight;       /* of the needs it meets */
    bool number, capital, hangul;
    bool clause_before; /* punctuation that ends a clause stands before it */
    bool comma_before;
    bool quote_before, quote_after;
    bool particle; /* taken off */
    bool ending;   /* ... and it is Korean: nothing more belongs to the run */
    bool copula;   /* ... and says that something is this */
};

struct sentence {
    const struct sl_needs *needs;
    struct sl_view text;
    struct token tokens[TOKENS_MAX];
    uint32_t count;
};

#define ARTICLES     " a an the "
#define PREPOSITIONS " about after against among around as at before between by during for from in into near of " \
                     "off on onto over per since through throughout to toward towards under until upon with within "
#define FUNCTIONS    " also although am and are be because been being both but can could did do does either even " \
                     "had has have he her him his how however i if is it its itself just many may might more most " \
                     "much must nor not only or our she should so some such than that their them then there these " \
                     "they this those though thus too was we were what when where whether which while who whom " \
                     "whose why will would you your "
#define NUMBER_WORDS " one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen " \
                     "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety " \
                     "hundred thousand million billion trillion dozen half twice 한 두 세 네 하나 둘 셋 넷 다섯 " \
                     "여섯 일곱 여덟 아홉 열 열한 열두 스물 스무 서른 마흔 쉰 예순 일흔 여든 아흔 백 천 만 "
#define MONTHS       " january february march april june july august september october november december monday " \
                     "tuesday wednesday thursday friday saturday sunday century centuries spring summer autumn "
#define MONEY        " dollar dollars euro euros pound pounds cent cents yen won 원 만원 억원 "

/* Units that stand right behind a Korean number; longer ones first. */
static const char *const UNITS[] = {
    "퍼센트", "킬로미터", "킬로그램", "센티미터", "미터", "시간", "개월", "년간", "일간", "주일", "만원",
    "억원",   "만명",     "분의",     "달러",     "년",   "월",   "일",   "시",   "분",   "초",   "명",
    "개",     "원",       "회",       "번",       "살",   "세",   "건",   "곳",   "대",   "권",   "배",
    "주",     "조",       "항",       "호",       "층",   "인",   "만",   "억"};

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "answer: needs more memory than one question has");
}

/* -------------------------------------------------------------------------------------- tokens */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool starts_hangul(struct sl_view text)
{
    return text.size >= 3 && (unsigned char)text.data[0] >= 0xEA && (unsigned char)text.data[0] <= 0xED;
}

/* Bytes of the punctuation that `text` starts with; 0 when it starts with none. */
static uint32_t punctuation_at(struct sl_view text)
{
    static const char *const marks[] = {"“", "”", "‘", "’", "–", "—", "…", "「", "」", "·", "、", "。"};

    if (text.size > 0 && strchr(",.;:!?\"'()[]{}/", text.data[0]) != NULL && text.data[0] != '\0')
        return 1;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (sl_word_starts(text, marks[i]))
            return (uint32_t)strlen(marks[i]);
    return 0;
}

/* Does punctuation at `at` stand inside a number ("1,234.5", "12:30") or a word ("it's", "U.S.")? */
static bool joins(struct sl_view text, uint32_t at)
{
    char before = at > 0 ? text.data[at - 1] : ' ';
    char after = at + 1 < text.size ? text.data[at + 1] : ' ';

    if (strchr(",.:/", text.data[at]) != NULL)
        return (sl_is_digit(before) && sl_is_digit(after)) ||
               (text.data[at] == '.' && before >= 'A' && before <= 'Z' &&
                (after == ' ' || (after >= 'A' && after <= 'Z')) &&
                (at < 2 || text.data[at - 2] == ' ' || text.data[at - 2] == '.'));
    return text.data[at] == '\'' && !is_space(before) && !is_space(after) && after != 's';
}

static void read_gap(struct sl_view text, uint32_t from, uint32_t to, struct token *token)
{
    for (uint32_t at = from; at < to; at++) {
        struct sl_view rest = sl_view_range(text, at, to);
        char c = text.data[at];
        token->clause_before |= strchr(".;:!?()", c) != NULL || sl_word_starts(rest, "–") ||
                                sl_word_starts(rest, "—");
        token->comma_before |= c == ',';
        token->quote_before |= c == '"' || sl_word_starts(rest, "“") || sl_word_starts(rest, "「");
    }
}

/* Where the number in `word` ends, with the unit behind it; 0 when it starts with none. */
static uint32_t number_end(struct sl_view word)
{
    uint32_t end = 0;

    while (end < word.size && (sl_is_digit(word.data[end]) || strchr(",.", word.data[end]) != NULL))
        end++;
    if (end == 0 || !sl_is_digit(word.data[0]))
        return 0;
    for (bool more = true; more && end < word.size;) { /* "3만명", "2년간" */
        more = false;
        for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS && !more; i++)
            if (sl_word_starts(sl_view_range(word, end, word.size), UNITS[i])) {
                end += (uint32_t)strlen(UNITS[i]);
                more = true;
            }
    }
    return end;
}

static bool is_copula(struct sl_view ending)
{
    static const char *const starts[] = {"이다", "이고", "이며", "이었", "이라", "입니", "였"};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (sl_word_starts(ending, starts[i]))
            return true;
    return false;
}

/* Take off what does not belong to the thing itself: a particle, a possessive. */
static void trim_token(struct sl_view text, struct token *token)
{
    struct sl_view word = sl_view_range(text, token->start, token->end);
    uint32_t number = number_end(word);
    size_t stem = word.size;

    if (number > 0 && number < word.size && starts_hangul(sl_view_range(word, number, word.size)))
        stem = number;
    else if (number == 0 && starts_hangul(word))
        stem = sl_text_without_particle(word);
    else if (word.size > 2 && word.data[word.size - 1] == 's' && word.data[word.size - 2] == '\'')
        stem = word.size - 2;
    else if (word.size > 4 && memcmp(word.data + word.size - 4, "’s", 4) == 0)
        stem = word.size - 4;
    token->particle = stem < word.size;
    token->ending = token->particle && starts_hangul(sl_view_range(word, stem, word.size));
    token->copula = token->ending && is_copula(sl_view_range(word, stem, word.size));
    token->end = token->start + (uint32_t)stem;
}

static void class_token(struct sl_view text, struct token *token)
{
    struct sl_view word = sl_view_range(text, token->start, token->end);

    token->hangul = starts_hangul(word);
    token->capital = word.data[0] >= 'A' && word.data[0] <= 'Z';
    token->number = sl_word_among(word, NUMBER_WORDS);
    for (size_t i = 0; i < word.size && i < 4; i++)
        token->number = token->number || sl_is_digit(word.data[i]);
    if (sl_word_among(word, ARTICLES))
        token->side = SL_SIDE_ARTICLE;
    else if (sl_word_among(word, PREPOSITIONS))
        token->side = SL_SIDE_PREPOSITION;
    else if (sl_word_among(word, FUNCTIONS))
        token->side = SL_SIDE_FUNCTION;
    else if (token->weight > 0)
        token->side = SL_SIDE_TERM;
    else if (token->number)
        token->side = SL_SIDE_NUMBER;
    else
        token->side = token->capital ? SL_SIDE_CAPITAL : SL_SIDE_WORD;
}

/* The end of the word that starts at `at`. */
static uint32_t word_end(struct sl_view text, uint32_t at)
{
    while (at < text.size && !is_space(text.data[at])) {
        uint32_t mark = punctuation_at(sl_view_range(text, at, text.size));
        bool possessive = mark > 0 && at + mark < text.size && text.data[at + mark] == 's';
        if (mark > 0 && !joins(text, at) &&
            !(possessive && (text.data[at] == '\'' || sl_word_starts(sl_view_range(text, at, text.size), "’"))))
            return at;
        at += mark > 0 ? mark : 1;
    }
    return at;
}

static void read_tokens(struct sentence *s)
{
    uint32_t at = 0, gap = 0;

    while (at < s->text.size && s->count < TOKENS_MAX) {
        struct token token = {.start = at};
        uint32_t mark = punctuation_at(sl_view_range(s->text, at, s->text.size));
        if (is_space(s->text.data[at]) || mark > 0) {
            at += mark > 0 ? mark : 1;
            continue;
        }
        token.end = at = word_end(s->text, at);
        read_gap(s->text, gap, token.start, &token);
        gap = at;
        if (token.end == token.start)
            continue;
        token.quote_after = at < s->text.size &&
                            (s->text.data[at] == '"' ||
                             sl_word_starts(sl_view_range(s->text, at, s->text.size), "”") ||
                             sl_word_starts(sl_view_range(s->text, at, s->text.size), "」"));
        trim_token(s->text, &token);
        s->tokens[s->count++] = token;
    }
}

/* What each token weighs among the needs. */
static enum sl_err weigh_tokens(struct sentence *s, struct sl_arena *arena, struct sl_error *err)
{
    enum sl_err e;

    for (uint32_t i = 0; i < s->count; i++) {
        struct sl_term_count *terms = NULL;
        uint32_t count = 0, length = 0;
        struct token *token = &s->tokens[i];
        if ((e = sl_text_terms(sl_view_range(s->text, token->start, token->end), s->needs->language,
                               arena, &terms, &count, &length, err)))
            return e;
        for (uint32_t t = 0; t < count; t++)
            token->weight += sl_needs_weight(s->needs, terms[t].term);
        class_token(s->text, token);
    }
    return SL_OK;
}

/* ---------------------------------------------------------------------------------------- runs */

static bool is_joining(const struct token *token)
{
    return token->side == SL_SIDE_ARTICLE || token->side == SL_SIDE_PREPOSITION ||
           token->side == SL_SIDE_FUNCTION;
}

/* May token `i` continue a run that token i - 1 is in? */
static bool continues(const struct sentence *s, uint32_t i)
{
    const struct token *token = &s->tokens[i], *before = &s->tokens[i - 1];

    if (token->clause_before || before->ending)
        return false;
    if (i > 1 && before->side == SL_SIDE_FUNCTION && before[-1].number && !token->number)
        return false; /* "in 1962 and cost" */
    return !token->comma_before || token->number || (token->capital && before->capital);
}

static bool any_word(const struct sentence *s, uint32_t from, uint32_t to, const char *list)
{
    for (uint32_t i = from; i < to; i++)
        if (sl_word_among(sl_view_range(s->text, s->tokens[i].start, s->tokens[i].end), list))
            return true;
    return false;
}

static bool holds(struct sl_view text, const char *part)
{
    return memmem(text.data, text.size, part, strlen(part)) != NULL;
}

static bool is_year(struct sl_view word)
{
    bool digits = word.size >= 4 && (word.data[0] == '1' || word.data[0] == '2');

    for (size_t i = 0; digits && i < 4; i++)
        digits = sl_is_digit(word.data[i]);
    return digits && (word.size == 4 || (word.size == 5 && word.data[4] == 's'));
}

static bool is_money(const struct sentence *s, uint32_t from, uint32_t to, struct sl_view text)
{
    return memchr(text.data, '$', text.size) != NULL || holds(text, "€") || holds(text, "£") ||
           holds(text, "₩") || holds(text, "원") || holds(text, "달러") || any_word(s, from, to, MONEY);
}

static enum sl_shape number_shape(const struct sentence *s, uint32_t from, uint32_t to, struct sl_view text)
{
    if (to - from == 1 && is_year(text))
        return SL_SHAPE_YEAR;
    if (any_word(s, from, to, MONTHS) || any_word(s, from, to, " may ") ||
        ((holds(text, "년") || holds(text, "월")) && !holds(text, "년간") && !holds(text, "개월")))
        return SL_SHAPE_DATE;
    if (is_money(s, from, to, text))
        return SL_SHAPE_MONEY;
    if (memchr(text.data, '%', text.size) != NULL || holds(text, "퍼센트") ||
        any_word(s, from, to, " percent percentage "))
        return SL_SHAPE_PERCENT;
    return to - from > 1 || number_end(text) < text.size || starts_hangul(text) ||
                   starts_hangul(sl_view_range(text, text.size >= 3 ? text.size - 3 : 0, text.size))
               ? SL_SHAPE_QUANTITY
               : SL_SHAPE_NUMBER;
}

static enum sl_shape shape_of(const struct sentence *s, uint32_t from, uint32_t to)
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

static void add_feature(struct sl_candidate *candidate, uint32_t feature, double value)
{
    SL_INVARIANT(candidate->feature_count < SL_SPAN_FEATURES_EACH && feature < SL_SPAN_FEATURES);
    candidate->features[candidate->feature_count] = (uint16_t)feature;
    candidate->values[candidate->feature_count++] = (float)value;
}

static enum sl_side left_of(const struct sentence *s, uint32_t from)
{
    if (from == 0)
        return SL_SIDE_EDGE;
    return s->tokens[from].clause_before || s->tokens[from].comma_before ? SL_SIDE_PUNCTUATION
                                                                         : s->tokens[from - 1].side;
}

static enum sl_side right_of(const struct sentence *s, uint32_t to)
{
    if (s->tokens[to - 1].particle)
        return SL_SIDE_PREPOSITION;
    if (to == s->count)
        return SL_SIDE_EDGE;
    return s->tokens[to].clause_before || s->tokens[to].comma_before ? SL_SIDE_PUNCTUATION
                                                                     : s->tokens[to].side;
}

static bool preposition_fits(const struct sentence *s, uint32_t from)
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

/* Share of the needs met by the tokens within `words` of the run, or inside it for 0. */
static double weight_near(const struct sentence *s, uint32_t from, uint32_t to, uint32_t words)
{
    uint32_t first = from > words ? from - words : 0, last = to + words < s->count ? to + words : s->count;
    double weight = 0;

    for (uint32_t i = first; i < last; i++)
        if (words == 0 || i < from || i >= to)
            weight += s->tokens[i].weight;
    return s->needs->total > 0 ? weight / s->needs->total : 0;
}

static void describe(const struct sentence *s, const struct sl_span_sentence *sentence, uint32_t from,
                     uint32_t to, struct sl_candidate *candidate)
{
    enum sl_asked asked = s->needs->asked;
    enum sl_shape shape = shape_of(s, from, to);
    bool comma = false;

    *candidate = (struct sl_candidate){.byte_start = sentence->byte_start + s->tokens[from].start,
                                       .byte_end = sentence->byte_start + s->tokens[to - 1].end};
    for (uint32_t i = from + 1; i < to; i++)
        comma = comma || s->tokens[i].comma_before;
    add_feature(candidate, SL_SPAN_SHAPES + (uint32_t)asked * SL_SHAPES + (uint32_t)shape, 1);
    add_feature(candidate, SL_SPAN_LENGTHS + (to - from < 6 ? to - from - 1 : 5), 1);
    add_feature(candidate, SL_SPAN_LEFT + (uint32_t)left_of(s, from), 1);
    add_feature(candidate, SL_SPAN_RIGHT + (uint32_t)right_of(s, to), 1);
    add_feature(candidate, SL_SPAN_INSIDE, weight_near(s, from, to, 0));
    add_feature(candidate, SL_SPAN_NEAR, weight_near(s, from, to, NEAR_WORDS));
    add_feature(candidate, SL_SPAN_AROUND, weight_near(s, from, to, AROUND_WORDS));
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
    struct sentence s = {.needs = needs, .text = sl_view_range(sentence->text, sentence->byte_start,
                                                               sentence->byte_end)};
    struct sl_candidate *candidates;
    uint32_t count = 0;
    enum sl_err e;

    *ret_count = 0;
    *ret_candidates = NULL;
    if (!asks_for_words(needs->asked))
        return SL_OK;
    read_tokens(&s);
    if ((e = weigh_tokens(&s, arena, err)))
        return e;
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

/* --------------------------------------------------------------------------------------- score */

static const float WEIGHTS[SL_SPAN_FEATURES] = {
#include "span_weights.h"
};

double sl_span_score(const struct sl_candidate *candidate)
{
    double score = 0;

    for (uint32_t i = 0; i < candidate->feature_count; i++)
        score += (double)(WEIGHTS[candidate->features[i]] * candidate->values[i]);
    return score;
}

bool sl_span_of_kind(const struct sl_candidate *candidate)
{
    SL_PRE(candidate->feature_count > 0);
    return WEIGHTS[candidate->features[0]] > 0; /* asked x shape */
}
