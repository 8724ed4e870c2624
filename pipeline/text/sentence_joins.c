/*
 * sentence_joins.c -- boundaries that ICU sees and a reader does not.
 *
 * ICU ends a sentence after any full stop followed by a capital, a digit or a letter without case:
 * after titles and abbreviations, initials, numbering, parts of Korean dates, speaker labels. Each
 * rule here looks at the few characters around one boundary and answers "this parts nothing"; none
 * can make a new boundary.
 *
 * ICU's own list of English suppressions (ss=standard) is not used: it matches the end of a longer
 * word too, so that "He met NATO. They spoke." becomes one sentence (ICU 72).
 *
 * After an abbreviation that may end a sentence ("Inc.", "U.S.", "p.m."), the next word decides:
 * one of the words that most sentences start with begins a new one. Known weakness: "He moved to
 * the U.S. Congress ...".
 */
#include "text_internal.h"

#include <strings.h>

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool letter(char c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Is `word` one of `words`, which have one space around each? Case as given. */
static bool listed(const char *words, struct sl_view word)
{
    char padded[24];

    if (word.size == 0 || word.size > sizeof padded - 3)
        return false;
    padded[0] = ' ';
    memcpy(padded + 1, word.data, word.size);
    padded[word.size + 1] = ' ';
    padded[word.size + 2] = '\0';
    return strcasestr(words, padded) != NULL;
}

/* The word of ASCII letters at the start of `rest`. */
static struct sl_view first_word(struct sl_view rest)
{
    size_t size = 0;

    while (size < rest.size && letter(rest.data[size]))
        size++;
    return sl_view_range(rest, 0, size);
}

/* What stands before the last full stop: letters, digits and inner full stops, back to a space or
 * bracket. */
static struct sl_view last_token(struct sl_view sentence)
{
    size_t end = sentence.size, start;

    while (end > 0 && sentence.data[end - 1] == '.')
        end--;
    if (end == sentence.size)
        return SL_VIEW_NULL;
    start = end;
    while (start > 0 && (unsigned char)sentence.data[start - 1] > ' ' &&
           strchr("([\"'-/", sentence.data[start - 1]) == NULL)
        start--;
    return sl_view_range(sentence, start, end);
}

static bool starts_sentences(struct sl_view rest)
{
    static const char starters[] =
        " the a an in it its he she they we i you this that these those but and however on at as "
        "for if "
        "when there then so after before while although since because our his her their my to with "
        "what "
        "who why how no yes under over by from also both many some most all each another such "
        "other one "
        "meanwhile moreover thus therefore during today yesterday officials ";

    return listed(starters, first_word(rest));
}

/* Never the end of a sentence. */
static bool titles(struct sl_view token)
{
    static const char words[] = " mr mrs ms dr prof rev hon st gov sen rep gen col lt capt sgt adm "
                                "maj pres messrs mt ft vs e.g i.e "
                                "cf viz al approx dept est assn univ ave blvd rd bldg cmdr cpl sgt "
                                "msgr fig figs eq eqs ref refs vol nos pp ch art arts sec secs cap "
                                "jan feb mar apr jun jul aug sep sept oct nov dec ";

    return listed(words, token);
}

/* Abbreviations only before a number: "no. 5", "p. 12". */
static bool before_number(struct sl_view token)
{
    return listed(" no nos p pp vol ch art sec fig eq para cl reg § ", token);
}

/* May end a sentence or not: company forms, times of day, acronyms with full stops. */
static bool may_end(struct sl_view token)
{
    bool dotted = token.size >= 3;

    if (listed(" inc ltd co corp llc plc bros jr sr etc a.m p.m ph.d b.a m.a ", token))
        return true;
    for (size_t i = 0; i < token.size && dotted; i++)
        dotted = i % 2 == 0 ? letter(token.data[i]) : token.data[i] == '.';
    return dotted && token.size % 2 == 1;
}

static bool abbreviation(struct sl_view sentence, struct sl_view rest)
{
    struct sl_view token = last_token(sentence);

    if (token.size == 0)
        return false;
    if (titles(token) || (before_number(token) && digit(rest.data[0])))
        return true;
    if (token.size == 1 && upper(token.data[0])) /* an initial */
        return letter(rest.data[0]) && !starts_sentences(rest);
    return may_end(token) && (letter(rest.data[0]) || digit(rest.data[0])) &&
           !starts_sentences(rest);
}

/* ------------------------------------------------------------------ dates, numbering */

/* Digits at the start of `view`. */
static size_t digits(struct sl_view view)
{
    size_t count = 0;

    while (count < view.size && digit(view.data[count]))
        count++;
    return count;
}

/* "12." or "2015. 12." at the end of `sentence`: how many numbers, and whether the first has four
 * digits. */
static uint32_t dotted_numbers(struct sl_view sentence, bool *ret_year)
{
    size_t at = sentence.size;
    uint32_t count = 0;

    *ret_year = false;
    while (count < 3 && at > 0 && sentence.data[at - 1] == '.') {
        size_t end = at - 1, start = end;

        while (start > 0 && digit(sentence.data[start - 1]))
            start--;
        if (end - start != 1 && end - start != 2 && end - start != 4)
            break;
        count++;
        at = start;
        if (end - start == 4) {
            *ret_year = true;
            break;
        }
        while (at > 0 && sentence.data[at - 1] == ' ')
            at--;
    }
    return count;
}

static bool hangul_follows(struct sl_view rest)
{
    size_t at = 0;

    return sl_char_hangul(sl_utf8_next(rest, &at));
}

/* "2015. | 12. | 16. | 시행": years, months and days with full stops, as Korean writes them. */
static bool korean_date(struct sl_view sentence, struct sl_view rest)
{
    bool year;
    uint32_t numbers = dotted_numbers(sentence, &year);
    size_t next = digits(rest);

    if (!year)
        return false;
    if (numbers < 3 && next >= 1 && next <= 2 && next < rest.size && rest.data[next] == '.')
        return true;
    return numbers >= 2 && (hangul_follows(rest) || strchr("(~-,", rest.data[0]) != NULL);
}

/* Does the sentence end with 제N조. or the like? */
static bool korean_article(struct sl_view sentence)
{
    static const char *const kinds[] = {"조", "항", "호", "장", "절", "관", "편"};
    static const char ordinal[] = "제";
    size_t at = sentence.size > 0 ? sentence.size - 1 : 0, end;

    if (sentence.size < 8 || sentence.data[at] != '.')
        return false;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (at >= 3 && memcmp(sentence.data + at - 3, kinds[i], 3) == 0) {
            end = at -= 3;
            while (at > 0 && digit(sentence.data[at - 1]))
                at--;
            return at < end && at >= 3 && memcmp(sentence.data + at - 3, ordinal, 3) == 0;
        }
    return false;
}

/* "안녕." 하고 말했다: what follows a quotation in Korean and belongs to it. */
static bool korean_quoting(struct sl_view sentence, struct sl_view rest)
{
    static const char *const quoting[] = {"하고 ", "라고 ",   "이라고 ", "고 ",
                                          "라며 ", "이라며 ", "하며 ",   "라는 "};
    static const char *const quotes[] = {"\"", "'", "”", "’"};
    bool quoted = false;

    for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++) {
        size_t size = strlen(quotes[i]);
        quoted |= sentence.size > size &&
                  memcmp(sentence.data + sentence.size - size, quotes[i], size) == 0;
    }
    for (size_t i = 0; quoted && i < sizeof quoting / sizeof quoting[0]; i++)
        if (rest.size > strlen(quoting[i]) &&
            memcmp(rest.data, quoting[i], strlen(quoting[i])) == 0)
            return true;
    return false;
}

/* Is all of it numbering: "1." "(12)." "IV." "A." "가." "1.2."? */
static bool numbering(struct sl_view sentence)
{
    struct sl_view inner = sentence;
    size_t at = 0;

    if (inner.size < 2 || inner.size > 10 || inner.data[inner.size - 1] != '.')
        return false;
    inner.size--;
    if (hangul_follows(inner))
        return (void)sl_utf8_next(inner, &at), at == inner.size;
    for (at = 0; at < inner.size; at++)
        if (!digit(inner.data[at]) && strchr("().", inner.data[at]) == NULL)
            break;
    if (at == inner.size)
        return true;
    for (at = 0; at < inner.size; at++)
        if (strchr("IVXLC", inner.data[at]) == NULL)
            break;
    return at == inner.size || (inner.size == 1 && upper(inner.data[0]));
}

/* ------------------------------------------------------------------ speakers */

static const char ranks[] =
    " chair chairman chairwoman chairperson vice mr mrs ms miss dr governor gov president pres "
    "speaker "
    "senator sen secretary judge justice question questioner answer moderator operator q a ";

/* Bytes of a label in capitals ending with a full stop, 0 when there is none: at most six words. */
static size_t capital_label(struct sl_view sentence, bool line_start)
{
    size_t at = 0, word_start = 0, letters = 0, longest = 0;
    uint32_t words = 0;
    bool rank = false;

    for (; at < sentence.size && at < 64 && words < 6; at++) {
        char c = sentence.data[at];

        if (upper(c)) {
            letters++;
            continue;
        }
        if (c != ' ' && c != '.' && c != '\'' && c != '-')
            return 0;
        if (c == '\'' || c == '-')
            continue;
        rank |= listed(ranks, sl_view_range(sentence, word_start, at));
        longest = letters > longest ? letters : longest;
        words += letters > 0;
        if (c == '.' && letters > 1 && (at + 1 == sentence.size || sentence.data[at + 1] == ' ') &&
            !listed(" mr mrs ms dr gov sen pres jr ", sl_view_range(sentence, word_start, at)))
            return longest >= 2 && (rank || line_start) ? at + 1 : 0;
        letters = 0;
        word_start = at + 1;
    }
    return 0;
}

/* "Ms. Kim:" "Operator:" at the start of a line: at most five capitalised words and a colon. */
static size_t colon_label(struct sl_view sentence)
{
    uint32_t words = 0;
    bool starts = true;

    for (size_t at = 0; at < sentence.size && at < 48; at++) {
        char c = sentence.data[at];

        if (c == ':')
            return words > 0 && words <= 5 && at + 1 < sentence.size && sentence.data[at + 1] == ' '
                       ? at + 1
                       : 0;
        if (c == ' ') {
            starts = true;
            continue;
        }
        if (starts && !upper(c))
            return 0;
        if (!letter(c) && c != '.' && c != '\'' && c != '-')
            return 0;
        words += starts;
        starts = false;
    }
    return 0;
}

/* "민원인:" "위원장 김철수:" at the start of a line: at most twelve characters of Hangul. */
static size_t hangul_label(struct sl_view sentence)
{
    uint32_t letters = 0;

    for (size_t at = 0; at < sentence.size && letters <= 12;) {
        size_t before = at;
        uint32_t c = sl_utf8_next(sentence, &at);

        if (c == ':' || c == 0xFF1A)
            return letters > 0 && (at == sentence.size || sentence.data[at] == ' ') ? at : 0;
        if (c != ' ' && !sl_char_hangul(c))
            return 0;
        letters += before < at && c != ' ';
    }
    return 0;
}

size_t sl_speaker_label(struct sl_view sentence, bool line_start)
{
    size_t size = capital_label(sentence, line_start);

    return size > 0 || !line_start ? size : colon_label(sentence);
}

size_t sl_turn_label(struct sl_view sentence)
{
    struct sl_view inner = sentence;
    size_t marks = 0, size;

    while (marks < 2 && marks < sentence.size && strchr("*_", sentence.data[marks]) != NULL)
        marks++;
    inner = sl_view_range(sentence, marks, sentence.size);
    if (marks > 0) { /* "**Q:** ...": the label ends where the marks do */
        const char *close = memchr(inner.data, sentence.data[0], inner.size);
        inner.size = close != NULL ? (size_t)(close - inner.data) : 0;
    }
    size = sl_speaker_label(inner, true);
    if (size == 0)
        size = hangul_label(inner);
    if (size == 0 && marks > 0 && inner.size > 1 && inner.size < 48 &&
        strchr(".:", inner.data[inner.size - 1]) != NULL)
        size = inner.size;
    return size == 0 ? 0 : marks + size + (marks > 0 ? marks : 0);
}

/* ------------------------------------------------------------------ the answer */

bool sl_sentence_joins(struct sl_view text, size_t block_start, size_t start, size_t boundary,
                       size_t block_end)
{
    struct sl_view sentence = sl_view_trim(sl_view_range(text, start, boundary));
    struct sl_view rest = sl_view_trim(sl_view_range(text, boundary, block_end));
    bool line_start = start == block_start || text.data[start - 1] == '\n';
    size_t at = 0;

    if (sentence.size == 0 || rest.size == 0)
        return false;
    if (rest.data[0] >= 'a' && rest.data[0] <= 'z') /* "Really?" he asked. */
        return true;
    if (sentence.data + sentence.size == rest.data && sl_utf8_next(rest, &at) < 0x80 &&
        (unsigned char)sentence.data[sentence.size - 1] < 0x80)
        return true; /* nothing between them: "3.[4]" */
    return abbreviation(sentence, rest) || korean_date(sentence, rest) ||
           korean_article(sentence) || korean_quoting(sentence, rest) || numbering(sentence) ||
           sl_speaker_label(sentence, line_start) == sentence.size;
}
