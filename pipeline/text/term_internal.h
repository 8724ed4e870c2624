/* term_internal.h -- what the term files share: where terms are collected. */
#ifndef SLUICE_TERM_INTERNAL_H
#define SLUICE_TERM_INTERNAL_H

#include <sluice/lexicon.h>

#include "text_internal.h"

struct sl_term_place {
    uint32_t offset, size; /* in the pool */
};

struct sl_term_sink {
    struct sl_text_tools *tools;
    uint32_t language;       /* index into the languages */
    const struct sl_word_lists *lists; /* the user's; NULL: none */
    struct sl_buffer pool;   /* bytes of all terms, one after another */
    struct sl_buffer places; /* struct sl_term_place each */
};

/* Add one term, UTF-8; longer ones than SL_TERM_BYTES_MAX are shortened to a head and a digest. */
void sl_terms_add(struct sl_term_sink *sink, const char *term, size_t size);
void sl_terms_add_units(struct sl_term_sink *sink, const UChar *units, int32_t count);

/* The code point at *at of UTF-16, moving past it; a lone surrogate comes as itself. Pre: *at <
 * count. */
static inline uint32_t sl_utf16_next(const UChar *units, int32_t count, int32_t *at)
{
    uint32_t c = units[(*at)++];

    if ((c & 0xFC00) == 0xD800 && *at < count && (units[*at] & 0xFC00) == 0xDC00)
        c = 0x10000u + ((c & 0x3FF) << 10) + (units[(*at)++] & 0x3FFu);
    return c;
}

/* UTF-16 to UTF-8 without lone surrogates; ret_text has room for 3 * count bytes. */
size_t sl_units_to_utf8(const UChar *units, int32_t count, char *ret_text);

/* A text of at most a block as folded UTF-16, in tools->folded. Errors: SL_STOP icu, memory. */
enum sl_err sl_terms_fold(struct sl_text_tools *tools, struct sl_view text, int32_t *ret_count,
                          struct sl_error *err);

/* Of a user's lists (word_lists.c; NULL: empty ones), folded: is the word kept whole, or stopped; and the
 * longest word of at least two units that begins where `units` does, 0: none. */
bool sl_word_kept(const struct sl_word_lists *lists, const UChar *units, int32_t count);
bool sl_word_stopped(const struct sl_word_lists *lists, const UChar *units, int32_t count);
int32_t sl_word_at(const struct sl_word_lists *lists, const UChar *units, int32_t count);

/* Pairs of neighbouring characters; a single character stands for itself. */
void sl_terms_bigrams(struct sl_term_sink *sink, const UChar *units, int32_t count);

/* The terms of one eojeol (term_hangul.c), and of a stretch without Hangul, Han and kana
 * (term_words.c). The units are folded. Errors: SL_STOP icu. */
enum sl_err sl_terms_eojeol(struct sl_term_sink *sink, const UChar *units, int32_t count,
                            struct sl_error *err);
enum sl_err sl_terms_words(struct sl_term_sink *sink, const UChar *units, int32_t count,
                           struct sl_error *err);

#endif
