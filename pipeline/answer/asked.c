/*
 * asked.c -- what kind of thing a question asks for: a person, a time, a place, a number, a reason, ...
 *
 * The first word that asks decides, with the noun it asks by ("what year", "which city", "몇 명"). No parse is
 * made: in both languages the asking word and its noun stand side by side, and a kind that is wrong costs a
 * little of the ranking and no answer. Known weakness: "what" with any other noun is just that, a thing.
 */
#include <strings.h>

#include "answer_internal.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_edge(char c) /* punctuation that hangs on a word */
{
    return strchr(",.;:!?\"'()[]{}", c) != NULL && c != '\0';
}

struct sl_view sl_word_next(struct sl_view text, size_t *at)
{
    size_t start, end;

    while (*at < text.size) {
        while (*at < text.size && (is_space(text.data[*at]) || is_edge(text.data[*at])))
            ++*at;
        start = *at;
        while (*at < text.size && !is_space(text.data[*at]))
            ++*at;
        end = *at;
        while (end > start && is_edge(text.data[end - 1]))
            end--;
        if (end > start)
            return sl_view_range(text, start, end);
    }
    return (struct sl_view){"", 0};
}

bool sl_word_is(struct sl_view word, const char *text)
{
    return word.size == strlen(text) && strncasecmp(word.data, text, word.size) == 0;
}

bool sl_word_starts(struct sl_view word, const char *start)
{
    size_t size = strlen(start);

    return word.size >= size && memcmp(word.data, start, size) == 0;
}

/* Is `word` one of the words in `list`, which has one space between them and at each end? */
bool sl_word_among(struct sl_view word, const char *list)
{
    for (const char *at = list + 1; *at != '\0'; at += strcspn(at, " ") + 1)
        if (strcspn(at, " ") == word.size && strncasecmp(at, word.data, word.size) == 0)
            return true;
    return false;
}

#define MEASURES   " big deep far fast heavy high large long often old tall wide "
#define HELPERS    " am are can could did do does had has have is may might must shall should was were will would "
#define PEOPLE     " actor actress architect artist author chair chairman chairwoman composer director emperor " \
                   "governor king leader man member minister name person philosopher player president queen " \
                   "reporter scientist singer speaker woman writer "
#define TIMES      " century date day decade month period season time weekday year years "
#define PLACES     " area building city continent country county district island location nation place region " \
                   "river state street town university village "
#define SHARES     " amount fraction number percent percentage portion proportion rate "
#define LIST_WORDS " are were "
#define BETWEEN    " a an are his her is its the their was were "

enum { AHEAD = 4 }; /* words looked at behind the one that asks */

/* What the noun after "what" or "which" says: the first word that tells something, or the one behind it. */
static enum sl_asked by_noun(const struct sl_view next[AHEAD])
{
    int first = 0;

    while (first < AHEAD - 2 && sl_word_among(next[first], BETWEEN))
        first++;
    for (int i = first; i < first + 2; i++) {
        if (sl_word_among(next[i], TIMES))
            return SL_ASKED_WHEN;
        if (sl_word_among(next[i], PEOPLE))
            return SL_ASKED_WHO;
        if (sl_word_among(next[i], PLACES))
            return SL_ASKED_WHERE;
        if (sl_word_among(next[i], SHARES))
            return SL_ASKED_AMOUNT;
    }
    return sl_word_among(next[0], LIST_WORDS) ? SL_ASKED_LIST : SL_ASKED_WHAT;
}

static enum sl_asked english_word(struct sl_view word, const struct sl_view next[AHEAD])
{
    if (sl_word_among(word, " who whom whose who's "))
        return SL_ASKED_WHO;
    if (sl_word_is(word, "when"))
        return SL_ASKED_WHEN;
    if (sl_word_is(word, "where"))
        return SL_ASKED_WHERE;
    if (sl_word_is(word, "why"))
        return SL_ASKED_WHY;
    if (sl_word_is(word, "how") && sl_word_is(next[0], "many"))
        return SL_ASKED_COUNT;
    if (sl_word_is(word, "how") && (sl_word_is(next[0], "much") || sl_word_among(next[0], MEASURES)))
        return SL_ASKED_AMOUNT;
    if (sl_word_is(word, "how"))
        return SL_ASKED_HOW;
    if (sl_word_among(word, " what which what's "))
        return by_noun(next);
    return SL_ASKED_OTHER;
}

/* Korean asks in the word itself, particles and endings behind it. */
static enum sl_asked korean_word(struct sl_view word, struct sl_view next)
{
    if (sl_word_starts(word, "누구") || sl_word_starts(word, "누가"))
        return SL_ASKED_WHO;
    if (sl_word_starts(word, "언제") || sl_word_is(word, "며칠에") || sl_word_is(word, "며칠날"))
        return SL_ASKED_WHEN;
    if (sl_word_starts(word, "며칠"))
        return SL_ASKED_COUNT;
    if (sl_word_starts(word, "어디"))
        return SL_ASKED_WHERE;
    if (sl_word_starts(word, "얼마"))
        return SL_ASKED_AMOUNT;
    if (sl_word_starts(word, "몇")) {
        struct sl_view unit = word.size > strlen("몇") ? sl_view_range(word, strlen("몇"), word.size) : next;
        return (sl_word_starts(unit, "년") && !sl_word_starts(unit, "년간")) ||
                       sl_word_starts(unit, "월") || sl_word_starts(unit, "시에")
                   ? SL_ASKED_WHEN
                   : SL_ASKED_COUNT;
    }
    if (sl_word_is(word, "왜") || sl_word_starts(word, "이유") || sl_word_starts(word, "까닭"))
        return SL_ASKED_WHY;
    if (sl_word_starts(word, "어떻게") || sl_word_starts(word, "방법"))
        return SL_ASKED_HOW;
    if (sl_word_starts(word, "종류") || sl_word_starts(word, "목록") || sl_word_starts(word, "나열") ||
        (sl_word_starts(word, "무엇") && sl_word_starts(next, "있")))
        return SL_ASKED_LIST;
    if (sl_word_starts(word, "무엇") || sl_word_starts(word, "뭐") || sl_word_starts(word, "무슨") ||
        sl_word_starts(word, "어떤") || sl_word_starts(word, "어느"))
        return SL_ASKED_WHAT;
    return SL_ASKED_OTHER;
}

static bool ends_asking_korean(struct sl_view word)
{
    static const char *const endings[] = {"까", "나요", "가요", "는가", "인가", "은가"};

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t size = strlen(endings[i]);
        if (word.size > size && memcmp(word.data + word.size - size, endings[i], size) == 0)
            return true;
    }
    return false;
}

enum sl_asked sl_asked_read(struct sl_view question)
{
    struct sl_view word, last = SL_VIEW(""), first = SL_VIEW("");
    size_t at = 0;

    while ((word = sl_word_next(question, &at)).size > 0) {
        size_t ahead = at;
        struct sl_view next[AHEAD];
        for (int i = 0; i < AHEAD; i++)
            next[i] = sl_word_next(question, &ahead);
        enum sl_asked asked = english_word(word, next);
        if (asked == SL_ASKED_OTHER)
            asked = korean_word(word, next[0]);
        if (asked != SL_ASKED_OTHER)
            return asked;
        if (first.size == 0)
            first = word;
        last = word;
    }
    if (sl_word_among(first, " list name enumerate "))
        return SL_ASKED_LIST;
    return sl_word_among(first, HELPERS) || ends_asking_korean(last) ? SL_ASKED_YES_NO : SL_ASKED_OTHER;
}

bool sl_text_hangul(struct sl_view text)
{
    size_t hangul = 0, latin = 0, limit = text.size < 4096 ? text.size : 4096;

    for (size_t at = 0; at < limit; at++) {
        unsigned char c = (unsigned char)text.data[at];
        hangul += c >= 0xEA && c <= 0xED ? 1 : 0;
        latin += (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ? 1 : 0;
    }
    return hangul > 0 && hangul * 2 >= latin; /* a syllable says what two letters do */
}
