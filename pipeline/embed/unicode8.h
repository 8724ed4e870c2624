/*
 * unicode8.h -- properties of code points as the reference tokenizer sees them.
 *
 * Hugging Face's fast tokenizer takes its categories and decompositions from tables of Unicode 8.0,
 * whatever the rest of the world has moved to. ICU is newer, so: what was assigned later counts as
 * unassigned here, and the few code points whose category changed since are listed in unicode8.c.
 */
#ifndef SLUICE_EMBED_UNICODE8_H
#define SLUICE_EMBED_UNICODE8_H

#include <stdbool.h>
#include <stdint.h>

#include <unicode/utypes.h>

#define SL_DECOMPOSED_MAX                                                                          \
    8 /* code points of the longest full canonical decomposition, and room to spare */

bool sl_u8_is_removed(UChar32 c);     /* NUL, U+FFFD, control, format and private-use characters */
bool sl_u8_is_mark(UChar32 c);        /* non-spacing mark: what "strip accents" strips */
bool sl_u8_is_punctuation(UChar32 c); /* punctuation, and every ASCII symbol */
bool sl_u8_is_chinese(UChar32 c);     /* the ideograph blocks that BERT puts spaces around */

/* The normalizers StripAccents and NF* come from other tables, of Unicode 9.0. */
bool sl_u9_is_any_mark(UChar32 c); /* a mark of any kind: what StripAccents strips */

/* Full canonical decomposition of one code point into ret[SL_DECOMPOSED_MAX]; returns how many. */
uint32_t sl_u8_decompose(UChar32 c, UChar32 *ret);

#endif
