/*
 * spans_tokens.c -- a sentence as tokens: words without the punctuation, particle or possessive
 * that hangs on them.
 *
 * Punctuation is kept as what stands before a token; the words of the question are marked by what
 * finding them is worth. Tokens of Korean end before their particle, and numbers after their unit.
 */
#include "spans_internal.h"

#define ARTICLES " a an the "
#define PREPOSITIONS                                                                               \
    " about after against among around as at before between by during for from in into near of "   \
    "off on onto over per since through throughout to toward towards under until upon with "       \
    "within "
#define FUNCTIONS                                                                                  \
    " also although am and are be because been being both but can could did do does either even "  \
    "had has have he her him his how however i if is it its itself just many may might more most " \
    "much must nor not only or our she should so some such than that their them then there these " \
    "they this those though thus too was we were what when where whether which while who whom "    \
    "whose why will would you your "
#define NUMBER_WORDS                                                                                        \
    " one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "            \
    "sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety "            \
    "hundred thousand million billion trillion dozen half twice 한 두 세 네 하나 둘 셋 넷 다섯 " \
    "여섯 일곱 여덟 아홉 열 열한 열두 스물 스무 서른 마흔 쉰 예순 일흔 여든 아흔 백 천 만 "
/* Units that stand right behind a Korean number; longer ones first. */
static const char *const UNITS[] = {
    "퍼센트", "킬로미터", "킬로그램", "센티미터", "미터", "시간", "개월", "년간", "일간",
    "주일",   "만원",     "억원",     "만명",     "분의", "달러", "년",   "월",   "일",
    "시",     "분",       "초",       "명",       "개",   "원",   "회",   "번",   "살",
    "세",     "건",       "곳",       "대",       "권",   "배",   "주",   "조",   "항",
    "호",     "층",       "인",       "만",       "억"};

/* -------------------------------------------------------------------------------------- tokens */

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

bool sl_starts_hangul(struct sl_view text)
{
    return text.size >= 3 && (unsigned char)text.data[0] >= 0xEA &&
           (unsigned char)text.data[0] <= 0xED;
}

/* Bytes of the punctuation or no-break space that `text` starts with; 0 when it starts with none. */
static uint32_t punctuation_at(struct sl_view text)
{
    static const char *const marks[] = {"“", "”",  "‘",  "’", "–",  "—",
                                        "…", "「", "」", "·", "、", "。",
                                        "\u00A0", "\u202F"};

    if (text.size > 0 && strchr(",.;:!?\"'()[]{}/*|\\", text.data[0]) != NULL &&
        text.data[0] != '\0')
        return 1;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (sl_word_starts(text, marks[i]))
            return (uint32_t)strlen(marks[i]);
    return sl_circled_number(text);
}

/* Does the dot at `at` only shorten the name before it, and a name follows? */
static bool shortens(struct sl_view text, uint32_t at)
{
    uint32_t start = at;

    while (start > 0 && !is_space(text.data[start - 1]))
        start--;
    return at + 2 < text.size && text.data[at + 1] == ' ' && text.data[at + 2] >= 'A' && text.data[at + 2] <= 'Z' &&
           sl_word_among(sl_view_range(text, start, at), " st mt ft dr mr mrs ms ");
}

/* Does punctuation at `at` stand inside a number ("1,234.5", "12:30") or a word ("it's", "U.S.")?
 */
static bool joins(struct sl_view text, uint32_t at)
{
    char before = at > 0 ? text.data[at - 1] : ' ';
    char after = at + 1 < text.size ? text.data[at + 1] : ' ';

    if (text.data[at] == '.' && shortens(text, at))
        return true;
    if (strchr(",.:/", text.data[at]) != NULL)
        return (sl_is_digit(before) && sl_is_digit(after)) ||
               (text.data[at] == '.' && before >= 'A' && before <= 'Z' &&
                (after == ' ' || (after >= 'A' && after <= 'Z')) &&
                (at < 2 || text.data[at - 2] == ' ' || text.data[at - 2] == '.'));
    return text.data[at] == '\'' && !is_space(before) && !is_space(after) && after != 's';
}

static void read_gap(struct sl_view text, uint32_t from, uint32_t to, struct sl_token *token)
{
    for (uint32_t at = from; at < to; at++) {
        struct sl_view rest = sl_view_range(text, at, to);
        char c = text.data[at];
        token->clause_before |=
            strchr(".;:!?()\t", c) != NULL || sl_word_starts(rest, "–") || sl_word_starts(rest, "—");
        token->colon_before |= c == ':';
        token->comma_before |= c == ',';
        token->quote_before |= c == '"' || sl_word_starts(rest, "“") || sl_word_starts(rest, "「");
    }
}

uint32_t sl_number_end(struct sl_view word)
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
static void trim_token(struct sl_view text, struct sl_token *token)
{
    struct sl_view word = sl_view_range(text, token->start, token->end);
    uint32_t number = sl_number_end(word);
    size_t stem = word.size;

    if (number > 0 && number < word.size &&
        sl_starts_hangul(sl_view_range(word, number, word.size)))
        stem = number;
    else if (number == 0 && sl_starts_hangul(word))
        stem = sl_text_without_particle(word);
    else if (word.size > 2 && word.data[word.size - 1] == 's' && word.data[word.size - 2] == '\'')
        stem = word.size - 2;
    else if (word.size > 4 && memcmp(word.data + word.size - 4, "’s", 4) == 0)
        stem = word.size - 4;
    token->particle = stem < word.size;
    token->ending = token->particle && sl_starts_hangul(sl_view_range(word, stem, word.size));
    token->copula = token->ending && is_copula(sl_view_range(word, stem, word.size));
    token->full_end = token->end;
    token->end = token->start + (uint32_t)stem;
}

static void class_token(struct sl_view text, struct sl_token *token)
{
    struct sl_view word = sl_view_range(text, token->start, token->end);

    token->hangul = sl_starts_hangul(word);
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
            !(possessive &&
              (text.data[at] == '\'' || sl_word_starts(sl_view_range(text, at, text.size), "’"))))
            return at;
        at += mark > 0 ? mark : 1;
    }
    return at;
}

static void read_tokens(struct sl_tokens *s)
{
    uint32_t at = 0, gap = 0;

    while (at < s->text.size && s->count < SL_TOKENS_MAX) {
        struct sl_token token = {.start = at};
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
        token.quote_after =
            at < s->text.size && (s->text.data[at] == '"' ||
                                  sl_word_starts(sl_view_range(s->text, at, s->text.size), "”") ||
                                  sl_word_starts(sl_view_range(s->text, at, s->text.size), "」"));
        trim_token(s->text, &token);
        s->tokens[s->count++] = token;
    }
}

enum sl_err sl_tokens_read(struct sl_tokens *s, struct sl_arena *arena, struct sl_error *err)
{
    enum sl_err e;

    s->count = 0;
    read_tokens(s);
    for (uint32_t i = 0; i < s->count; i++) {
        struct sl_term_count *terms = NULL;
        uint32_t count = 0, length = 0;
        struct sl_token *token = &s->tokens[i];
        if ((e = sl_text_terms(sl_view_range(s->text, token->start, token->end), s->needs->language,
                               arena, &terms, &count, &length, err)))
            return e;
        for (uint32_t t = 0; t < count; t++)
            token->weight += sl_needs_weight(s->needs, terms[t].term);
        class_token(s->text, token);
    }
    return SL_OK;
}

double sl_tokens_weight(const struct sl_tokens *s, uint32_t from, uint32_t to, uint32_t words)
{
    uint32_t first = from > words ? from - words : 0,
             last = to + words < s->count ? to + words : s->count;
    double weight = 0;

    for (uint32_t i = first; i < last; i++)
        if (words == 0 || i < from || i >= to)
            weight += s->tokens[i].weight;
    return s->needs->total > 0 ? weight / s->needs->total : 0;
}
