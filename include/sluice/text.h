/*
 * sluice/text.h -- text as the index sees it: terms, language, sentences.
 *
 * Terms are chosen by script, run by run, so mixed text needs no decision for the whole:
 *     Latin and others  ICU words, NFKC case fold, possessive stripped, stop words of the language
 *                       dropped, Snowball stem of the language (English: Porter; also used for the
 *                       Latin words of languages Snowball does not know)
 *     Hangul            NFC; character bigrams of each eojeol, and the eojeol with particles stripped, also
 *                       where digits or Latin letters are part of it (제23조); a stem of two
 *                       syllables is marked with '_', to differ from the same bigram in a longer word
 *     Han, kana, Thai   bigrams (Han, kana); ICU words (Thai)
 *     digits            kept with inner punctuation (3.5, 2015-12-16) and also part by part
 *
 * Where a function says nothing else: Owns: nothing. Thread: any. Blocks: no. Errors: none.
 */
#ifndef SLUICE_TEXT_H
#define SLUICE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/arena.h>
#include <sluice/chunk.h> /* struct sl_term_count, struct sl_span */
#include <sluice/error.h>
#include <sluice/lexicon.h>
#include <sluice/view.h>

/* Changes whenever the same text could give other terms; part of the pipeline fingerprint. */
#define SL_ANALYZER_VERSION 2u

/* Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. Returns the index of the first
 * bad byte, or text.size when all is well. */
size_t sl_utf8_bad(struct sl_view text);

/* The greatest index <= `at` that does not cut a code point of valid UTF-8 `text`. */
size_t sl_utf8_floor(struct sl_view text, size_t at);

/*
 * A guess of the language as a two-letter code: "ko" by script, else by stop words among the languages
 * that Snowball knows, "en" when nothing tells.
 *
 * Owns:    the result is a constant.
 * Thread:  any.
 * Blocks:  CPU: looks at the first 4,096 bytes.
 * Errors:  none.
 */
const char *sl_text_language(struct sl_view text);

/* The same, but NULL when too little tells: a few words without a script of their own language or two of its
 * commonest words. */
const char *sl_text_language_told(struct sl_view text);

/* The languages whose words differ by stemmer and are written in Latin letters, "en" first; NULL ends them. */
const char *const *sl_text_languages_latin(void);

/*
 * Terms of `text` with their counts, sorted by bytes, unique. Invisible characters are skipped.
 *
 * Pre:     valid UTF-8. `language` is a two-letter code or NULL (found from the text).
 * Post:    sum of counts == *ret_length.
 * Owns:    the result lives in `arena`.
 * Thread:  any.
 * Blocks:  CPU: linear in the text, plus the sort.
 * Errors:  SL_REJECT  too_large (the arena's ceiling)
 *          SL_STOP    ICU or Snowball data missing
 */
enum sl_err sl_text_terms(struct sl_view text, const char *language, struct sl_arena *arena,
                          struct sl_term_count **ret_terms, uint32_t *ret_count,
                          uint32_t *ret_length, struct sl_error *err);

/* The same with a user's lists of words (or NULL). Documents and questions must be given the same. */
enum sl_err sl_text_terms_listed(struct sl_view text, const char *language,
                                 const struct sl_word_lists *lists, struct sl_arena *arena,
                                 struct sl_term_count **ret_terms, uint32_t *ret_count,
                                 uint32_t *ret_length, struct sl_error *err);

/*
 * Sentences of `text`: ICU boundaries with the joins ICU lacks: abbreviations and titles,
 * initials, Korean dates ("2015. 12. 16."), numbering, speaker labels ("CHAIR YELLEN. "). Spans carry no
 * white space at either end. A sentence never crosses an empty line.
 *
 * Pre:     valid UTF-8, at most UINT32_MAX bytes.
 * Owns:    the result lives in `arena`.
 * Thread:  any.
 * Blocks:  CPU: linear in the text.
 * Errors:  SL_REJECT  too_large
 *          SL_STOP    ICU data missing
 */
enum sl_err sl_text_sentences(struct sl_view text, struct sl_arena *arena,
                              struct sl_span **ret_spans, uint32_t *ret_count,
                              struct sl_error *err);

/* Bytes of an eojeol that stay when its particle goes; all of them when it has none or is long. */
size_t sl_text_without_particle(struct sl_view eojeol);

/*
 * Words in the sense of the chunk options: runs of non-space; a run of Han or kana counts its characters,
 * and a longer run counts one for each SL_WORD_BYTES_MAX bytes begun.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
uint32_t sl_text_words(struct sl_view text);

#endif /* SLUICE_TEXT_H */
