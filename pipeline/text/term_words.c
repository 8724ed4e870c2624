/*
 * term_words.c -- words and numbers of a stretch of text that is neither Hangul nor Han nor kana.
 *
 * ICU cuts (UAX 29; a dictionary for Thai). A word loses its possessive, is dropped when the
 * language stops it, and is stemmed by Snowball; with Lucene's 33 English stop words and Porter's
 * stemmer this is what BM25 figures are usually published for.
 *
 * A number is kept whole with its inner punctuation and given again part by part, so that
 * "2015-12-16" meets "2015". Digits grouped by commas become the plain number.
 */
#include "term_internal.h"

#include <libstemmer.h>

enum { STEM_UNITS_MAX = 128 };

static bool digit(UChar c)
{
    return c >= '0' && c <= '9';
}

static bool apostrophe(UChar c)
{
    return c == '\'' || c == 0x2019;
}

/* A word, folded: possessive off, stop words out, stem; the user's words as they are. */
static void add_word(struct sl_term_sink *sink, const UChar *units, int32_t count)
{
    const struct sl_language *language = sl_language_at(sink->language);
    struct sb_stemmer *stemmer = sl_text_stemmer(sink->tools, sink->language);
    char word[STEM_UNITS_MAX * 3];
    size_t size;

    if (count > 2 && apostrophe(units[count - 2]) && units[count - 1] == 's')
        count -= 2;
    if (sl_word_stopped(sink->lists, units, count))
        return;
    if (count > STEM_UNITS_MAX || sl_word_kept(sink->lists, units, count)) {
        sl_terms_add_units(sink, units, count);
        return;
    }
    size = sl_units_to_utf8(units, count, word);
    if (sl_language_stop_word(language, word, size))
        return;
    if (stemmer != NULL) {
        const sb_symbol *stem = sb_stemmer_stem(stemmer, (const sb_symbol *)word, (int)size);
        int stem_size = stem == NULL ? 0 : sb_stemmer_length(stemmer);

        if (stem_size > 0) {
            sl_terms_add(sink, (const char *)stem, (size_t)stem_size);
            return;
        }
    }
    sl_terms_add(sink, word, size);
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

enum sl_err sl_terms_words(struct sl_term_sink *sink, const UChar *units, int32_t count,
                           struct sl_error *err)
{
    UBreakIterator *words = sink->tools->words;
    UErrorCode status = U_ZERO_ERROR;
    int32_t start, end, chained = 0; /* numbers before `chained` are in a chain given already */

    ubrk_setText(words, units, count, &status);
    if (U_FAILURE(status))
        return sl_stop(err, SL_EXIT_SOFTWARE, (int)status, "icu", "ICU cannot cut words: %s",
                       u_errorName(status));
    start = ubrk_first(words);
    while ((end = ubrk_next(words)) != UBRK_DONE) {
        int32_t kind = ubrk_getRuleStatus(words);

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
