/*
 * term_words.c -- words and numbers of a stretch of text that is neither Hangul nor Han nor kana.
 *
 * ICU cuts (UAX 29; a dictionary for Thai). A word loses its possessive, is dropped when the
 * language stops it, and is stemmed by Snowball; with Lucene's 33 English stop words and Porter's
 * stemmer this is what BM25 figures are usually published for.
 *
 * A number is kept whole with its inner punctuation and given again part by part, so that
 * "2015-12-16" meets "2015". Digits grouped by commas become the plain number.
 *
 * What people write in two ways gets a second term: a word with accents the one without ("café",
 * "cafe"), and a number of parts, models and standards the one without hyphens ("ISO-9001",
 * "ISO9001"; "e-mail", "email"). An emoji is a term.
 */
#include "term_internal.h"

#include <libstemmer.h>
#include <unicode/uchar.h>

enum { STEM_UNITS_MAX = 128, ACCENTS_MAX = 4 };

static bool digit(UChar c)
{
    return c >= '0' && c <= '9';
}

static bool apostrophe(UChar c)
{
    return c == '\'' || c == 0x2019;
}

/* Latin and Greek lose their accents; the letters of other scripts are others without them. */
static bool has_accents(const UChar *units, int32_t count)
{
    bool any = false;

    for (int32_t i = 0; i < count; i++) {
        if (units[i] > 0x3FF && (units[i] < 0x1E00 || units[i] > 0x1FFF) && !apostrophe(units[i]))
            return false;
        any |= units[i] >= 0x80 && !apostrophe(units[i]);
    }
    return any;
}

/* Letters that Unicode does not take apart. */
static UChar plain_letter(UChar c)
{
    switch (c) {
    case 0x131: /* i without its dot */
        return 'i';
    case 0xF8:
        return 'o';
    case 0x111:
        return 'd';
    case 0x142:
        return 'l';
    default:
        return c;
    }
}

/* Units of the word without accents; 0: it is the same. Room for ACCENTS_MAX units each. */
static int32_t without_accents(const UChar *units, int32_t count, UChar *ret_plain)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfd = unorm2_getNFDInstance(&status);
    int32_t size = 0, apart;

    if (!has_accents(units, count))
        return 0;
    apart = unorm2_normalize(nfd, units, count, ret_plain, count * ACCENTS_MAX, &status);
    if (U_FAILURE(status))
        return 0;
    for (int32_t i = 0; i < apart; i++)
        if (u_getCombiningClass(ret_plain[i]) == 0)
            ret_plain[size++] = plain_letter(ret_plain[i]);
    return size == count && memcmp(units, ret_plain, (size_t)size * sizeof *units) == 0 ? 0 : size;
}

static bool speaks(const struct sl_term_sink *sink, const char *code)
{
    return strcmp(sl_language_at(sink->language)->code, code) == 0;
}

/* Where a word begins behind an article or the like that it swallowed: l'entreprise, qu'elle,
 * dell'anno. */
static int32_t elided(const struct sl_term_sink *sink, const UChar *units, int32_t count)
{
    if (!speaks(sink, "fr") && !speaks(sink, "it") && !speaks(sink, "ca"))
        return 0;
    for (int32_t i = 1; i + 1 < count; i++)
        if (apostrophe(units[i]))
            return i <= 2 || (units[i - 1] == 'u' && units[i - 2] == 'q') ||
                           (units[i - 1] == 'l' && units[i - 2] == 'l')
                       ? i + 1
                       : 0;
    return 0;
}

/* The word without what an apostrophe joins to it: the possessive, and suffixes of Turkish names.
 */
static int32_t without_suffix(const struct sl_term_sink *sink, const UChar *units, int32_t count)
{
    if (speaks(sink, "tr"))
        for (int32_t i = 2; i < count; i++)
            if (apostrophe(units[i]))
                return i;
    return count > 2 && apostrophe(units[count - 2]) && units[count - 1] == 's' ? count - 2 : count;
}

static void add_stem(struct sl_term_sink *sink, const char *word, size_t size)
{
    struct sb_stemmer *stemmer = sl_text_stemmer(sink->tools, sink->language);
    const sb_symbol *stem =
        stemmer == NULL ? NULL : sb_stemmer_stem(stemmer, (const sb_symbol *)word, (int)size);
    int stem_size = stem == NULL ? 0 : sb_stemmer_length(stemmer);

    if (stem_size > 0)
        sl_terms_add(sink, (const char *)stem, (size_t)stem_size);
    else
        sl_terms_add(sink, word, size);
}

/* Of two terms that are one, the second goes: a word is counted once. */
static void drop_twin(struct sl_term_sink *sink)
{
    struct sl_term_place *end =
        (struct sl_term_place *)(void *)(sink->places.data + sink->places.size);

    if (!sink->places.failed && !sink->pool.failed && end[-1].size == end[-2].size &&
        memcmp(sink->pool.data + end[-1].offset, sink->pool.data + end[-2].offset, end[-1].size) ==
            0) {
        sink->pool.size -= end[-1].size;
        sink->places.size -= sizeof *end;
    }
}

/* A word, folded: possessive off, stop words out, stem; the user's words as they are. */
static void add_word(struct sl_term_sink *sink, const UChar *units, int32_t count)
{
    const struct sl_language *language = sl_language_at(sink->language);
    UChar plain[STEM_UNITS_MAX * ACCENTS_MAX];
    char word[STEM_UNITS_MAX * 3];
    int32_t start = elided(sink, units, count), plain_count;
    size_t size;

    units += start;
    count = without_suffix(sink, units, count - start);
    if (sl_word_stopped(sink->lists, units, count))
        return;
    if (count > STEM_UNITS_MAX || sl_word_kept(sink->lists, units, count)) {
        sl_terms_add_units(sink, units, count);
        return;
    }
    size = sl_units_to_utf8(units, count, word);
    if (sl_language_stop_word(language, word, size))
        return;
    add_stem(sink, word, size);
    plain_count = without_accents(units, count, plain);
    if (plain_count > 0 && plain_count <= STEM_UNITS_MAX) {
        add_stem(sink, word, sl_units_to_utf8(plain, plain_count, word));
        drop_twin(sink);
    }
}

/* Are the commas those of 1,234,567? */
static bool grouped(const UChar *units, int32_t count)
{
    int32_t comma = -1;

    for (int32_t i = 0; i < count; i++) {
        if (units[i] == ',') {
            if (comma < 0 ? i > 3 : i - comma != 4)
                return false;
            comma = i;
        } else if (!digit(units[i])) {
            return false;
        }
    }
    return comma > 0 && count - comma == 4;
}

static void add_number_parts(struct sl_term_sink *sink, const UChar *units, int32_t count)
{
    int32_t start = 0;

    for (int32_t i = 0; i <= count; i++) {
        if (i < count && units[i] != '.' && units[i] != ',')
            continue;
        if (i > start && i - start < count)
            sl_terms_add_units(sink, units + start, i - start);
        start = i + 1;
    }
}

static void add_number(struct sl_term_sink *sink, const UChar *units, int32_t count)
{
    if (grouped(units, count) && count < STEM_UNITS_MAX) {
        UChar plain[STEM_UNITS_MAX];
        int32_t size = 0;

        for (int32_t i = 0; i < count; i++)
            if (units[i] != ',')
                plain[size++] = units[i];
        sl_terms_add_units(sink, plain, size);
        return;
    }
    sl_terms_add_units(sink, units, count);
    add_number_parts(sink, units, count);
}

/* From the number at `start`: the end of digits joined by single '-', '/', ':' or '.', as in
 * 2015-12-16; `start` when no such joint but '.' is there. */
static int32_t chain_end(const UChar *units, int32_t count, int32_t start)
{
    int32_t at = start, end = start;
    bool joined = false;

    while (at < count && digit(units[at])) {
        while (at < count && digit(units[at]))
            at++;
        end = at;
        if (at + 1 >= count || !digit(units[at + 1]) ||
            (units[at] != '-' && units[at] != '/' && units[at] != ':' && units[at] != '.'))
            break;
        joined |= units[at] != '.';
        at++;
    }
    return joined ? end : start;
}

static bool letter(UChar c)
{
    return c >= 'a' && c <= 'z';
}

/* From `start`: the end of letters and digits joined by single hyphens, and the same without them.
 * `start` when that is not one name: no hyphen, only digits, or only words but for a letter that
 * comes first. */
static int32_t joined_end(const UChar *units, int32_t count, int32_t start,
                          UChar ret_joined[STEM_UNITS_MAX], int32_t *ret_count)
{
    bool digits = false, letters = false;
    int32_t at = start, hyphens = 0, size = 0;

    for (; at < count && size < STEM_UNITS_MAX; at++) {
        if (units[at] == '-' && at > start && at + 1 < count && units[at - 1] != '-') {
            hyphens++;
            continue;
        }
        if (!letter(units[at]) && !digit(units[at]))
            break;
        digits |= digit(units[at]);
        letters |= letter(units[at]);
        ret_joined[size++] = units[at];
    }
    if (at < count && size == STEM_UNITS_MAX)
        return start;
    *ret_count = size;
    if (hyphens == 0 || units[at - 1] == '-' || !letters ||
        (!digits && (hyphens > 1 || units[start + 1] != '-')))
        return start;
    return at;
}

static bool emoji(const UChar *units, int32_t count)
{
    int32_t at = 0;
    UChar32 c = (UChar32)sl_utf16_next(units, count, &at);

    return c >= 0x2190 && u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC);
}

enum sl_err sl_terms_words(struct sl_term_sink *sink, const UChar *units, int32_t count,
                           struct sl_error *err)
{
    UBreakIterator *words = sink->tools->words;
    UErrorCode status = U_ZERO_ERROR;
    UChar joined[STEM_UNITS_MAX];
    int32_t start, end, joined_count;
    int32_t chained = 0; /* numbers before `chained` are in a chain given already */
    int32_t named = 0;   /* likewise of names with hyphens */

    ubrk_setText(words, units, count, &status);
    if (U_FAILURE(status))
        return sl_stop(err, SL_EXIT_SOFTWARE, (int)status, "icu", "ICU cannot cut words: %s",
                       u_errorName(status));
    start = ubrk_first(words);
    while ((end = ubrk_next(words)) != UBRK_DONE) {
        int32_t kind = ubrk_getRuleStatus(words);

        if (kind >= UBRK_WORD_NUMBER && start >= named && (start == 0 || units[start - 1] != '-')) {
            named = joined_end(units, count, start, joined, &joined_count);
            if (named > start)
                add_word(sink, joined, joined_count);
        } else if (kind < UBRK_WORD_NUMBER && emoji(units + start, end - start)) {
            sl_terms_add_units(sink, units + start, end - start);
        }
        if (kind >= UBRK_WORD_NUMBER && kind < UBRK_WORD_NUMBER_LIMIT) {
            if (start >= chained && digit(units[start])) {
                chained = chain_end(units, count, start);
                if (chained > end)
                    sl_terms_add_units(sink, units + start, chained - start);
            }
            add_number(sink, units + start, end - start);
        } else if (kind >= UBRK_WORD_LETTER) {
            add_word(sink, units + start, end - start);
        }
        start = end;
    }
    return SL_OK;
}
