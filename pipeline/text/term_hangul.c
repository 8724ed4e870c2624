/*
 * term_hangul.c -- the terms of one eojeol, Korean's space-delimited unit.
 *
 * Its runs of Hangul give character bigrams, which find a noun whatever particle or compound it
 * stands in; the eojeol with its particle stripped is a second, sharper term. Digits and Latin
 * letters in it ("제23조", "12월", "AI가") are terms of their own too. A morphological analyser was
 * rejected: a dictionary of megabytes for a gain smaller than that of the bigrams over words.
 *
 * A stem of two syllables is written with a '_' behind it, which no other term holds: standing as a
 * word of its own says more than being two syllables of a longer one. Runs of one syllable between
 * digits ("4월") are no term, for they are units of dates and numbers. The particles are stripped
 * without knowing the word, so "회의가" and "회의" meet, but "고양이" loses its last syllable; its
 * bigrams keep it findable.
 */
#include "term_internal.h"

#include <sluice/limits.h>
#include <uchar.h>

/* Longer ones first: the first that fits is taken. */
static const char16_t *const particles[] = {
    u"에서부터", u"으로부터", u"에게서는", u"으로서의", u"으로써의", u"에서의", u"에서는",
    u"에서도",   u"에게는",   u"에게도",   u"으로는",   u"으로도",   u"으로의", u"으로서",
    u"으로써",   u"까지는",   u"까지의",   u"부터는",   u"이라는",   u"이라고", u"입니다",
    u"에게서",   u"한테서",   u"이라도",   u"이라면",   u"에서",     u"에게",   u"한테",
    u"께서",     u"부터",     u"까지",     u"마다",     u"처럼",     u"보다",   u"으로",
    u"로서",     u"로써",     u"로는",     u"로의",     u"에는",     u"에도",   u"에의",
    u"이나",     u"이란",     u"라는",     u"라고",     u"와의",     u"과의",   u"와는",
    u"과는",     u"만이",     u"만을",     u"만은",     u"조차",     u"밖에",   u"이며",
    u"이고",     u"이다",     u"하고",     u"들은",     u"들이",     u"들을",   u"들의",
    u"은",       u"는",       u"이",       u"가",       u"을",       u"를",     u"의",
    u"에",       u"와",       u"과",       u"도",       u"로",       u"만",
};

static int32_t length(const char16_t *text)
{
    int32_t count = 0;

    while (text[count] != 0)
        count++;
    return count;
}

static bool ends_with(const UChar *units, int32_t count, const char16_t *particle)
{
    int32_t size = length(particle);

    return count > size &&
           memcmp(units + count - size, particle, (size_t)size * sizeof *units) == 0;
}

/* Units of the eojeol that stay when its particle goes; not less than a word of the user's it
 * begins with. */
static int32_t stem_length(const UChar *units, int32_t count, int32_t word)
{
    for (size_t i = 0; word < count && i < sizeof particles / sizeof particles[0]; i++)
        if (ends_with(units, count, particles[i]) && count - length(particles[i]) >= word)
            return count - length(particles[i]);
    return count;
}

size_t sl_text_without_particle(struct sl_view eojeol)
{
    UChar units[SL_TERM_BYTES_MAX];
    size_t ends[SL_TERM_BYTES_MAX], at = 0;
    int32_t count = 0;

    while (at < eojeol.size) {
        uint32_t c = sl_utf8_next(eojeol, &at);
        if (count == SL_TERM_BYTES_MAX || c > 0xFFFF)
            return eojeol.size;
        ends[count] = at;
        units[count++] = (UChar)c;
    }
    return count > 0 ? ends[stem_length(units, count, 0) - 1] : 0;
}

static bool hangul(UChar unit)
{
    return sl_char_hangul(unit);
}

/* The end of the run, of Hangul or of anything else, that starts at `start`. */
static int32_t run_end(const UChar *units, int32_t count, int32_t start)
{
    int32_t at = start;

    while (at < count && hangul(units[at]) == hangul(units[start]))
        at++;
    return at;
}

/* Two syllables standing alone are marked, see above; 3,000 and 3000 are one number. */
static void add_stem(struct sl_term_sink *sink, const UChar *units, int32_t count, bool mixed)
{
    UChar plain[SL_TERM_BYTES_MAX];
    int32_t size = 0;

    if (mixed && count <= (int32_t)SL_TERM_BYTES_MAX) {
        for (int32_t i = 0; i < count; i++)
            if (units[i] != ',')
                plain[size++] = units[i];
        sl_terms_add_units(sink, plain, size);
    } else if (!mixed && count == 2) {
        UChar marked[3] = {units[0], units[1], '_'};
        sl_terms_add_units(sink, marked, 3);
    } else {
        sl_terms_add_units(sink, units, count);
    }
}

/* The user's words inside an eojeol, as if they stood alone. */
static void add_words(struct sl_term_sink *sink, const UChar *units, int32_t count, int32_t stem)
{
    for (int32_t at = 0, size; at<count; at += size> 0 ? size : 1) {
        size = sl_word_at(sink->lists, units + at, count - at);
        if (size > 0 && (at > 0 || size != stem))
            add_stem(sink, units + at, size, run_end(units + at, size, 0) < size);
    }
}

/* Articles of laws are written as one: "제23조제2항" is found by "제23조" and by "제2항", too. */
static void add_articles(struct sl_term_sink *sink, const UChar *units, int32_t stem)
{
    int32_t start = 0;

    for (int32_t i = 1; i <= stem; i++)
        if (i == stem ? start > 0 : units[i] == u'제' && i + 1 < stem && !hangul(units[i + 1])) {
            add_stem(sink, units + start, i - start, true);
            start = i;
        }
}

enum sl_err sl_terms_eojeol(struct sl_term_sink *sink, const UChar *units, int32_t count,
                            struct sl_error *err)
{
    int32_t stem = stem_length(units, count, sl_word_at(sink->lists, units, count));
    bool mixed = run_end(units, count, 0) < count;

    if (sl_word_stopped(sink->lists, units, count) || sl_word_stopped(sink->lists, units, stem))
        return SL_OK;

    for (int32_t at = 0, end; at < count; at = end) {
        end = run_end(units, count, at);
        if (!hangul(units[at])) {
            enum sl_err code = sl_terms_words(sink, units + at, end - at, err);
            if (code != SL_OK)
                return code;
        } else if (end - at > 1 || !mixed) {
            sl_terms_bigrams(sink, units + at, end - at);
        }
    }
    if (count > 1)
        add_stem(sink, units, stem, mixed);
    if (mixed)
        add_articles(sink, units, stem);
    add_words(sink, units, count, stem);
    return SL_OK;
}
