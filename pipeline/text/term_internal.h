/* term_internal.h -- what the term files share: where terms are collected. */
#ifndef SLUICE_TERM_INTERNAL_H
#define SLUICE_TERM_INTERNAL_H

#include "text_internal.h"

struct sl_term_place {
    uint32_t offset, size; /* in the pool */
};

struct sl_term_sink {
    struct sl_text_tools *tools;
    uint32_t language;       /* index into the languages */
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

/* Pairs of neighbouring characters; a single character stands for itself. */
void sl_terms_bigrams(struct sl_term_sink *sink, const UChar *units, int32_t count);

/* The terms of one eojeol (term_hangul.c), and of a stretch without Hangul, Han and kana
 * (term_words.c). The units are folded. Errors: SL_STOP icu. */
enum sl_err sl_terms_eojeol(struct sl_term_sink *sink, const UChar *units, int32_t count,
                            struct sl_error *err);
enum sl_err sl_terms_words(struct sl_term_sink *sink, const UChar *units, int32_t count,
                           struct sl_error *err);

#endif
