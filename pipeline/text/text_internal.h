/* text_internal.h -- what the text files share: code points, scripts, languages, per-thread tools.
 */
#ifndef SLUICE_TEXT_INTERNAL_H
#define SLUICE_TEXT_INTERNAL_H

#include <sluice/text.h>

#include <unicode/ubrk.h>
#include <unicode/unorm2.h>

/* ------------------------------------------------------------------ code points (utf8.c) */

/* Decode the code point at *at of valid UTF-8 and move *at past it. Pre: *at < text.size. */
uint32_t sl_utf8_next(struct sl_view text, size_t *at);

bool sl_char_space(uint32_t c);     /* Unicode white space */
bool sl_char_invisible(uint32_t c); /* controls, zero width, bidi, tags, variation selectors */
bool sl_char_hangul(uint32_t c);    /* syllables and jamo */
bool sl_char_han_kana(uint32_t c);
bool sl_char_extends(uint32_t c); /* may not be parted from the character before it */

/* The greatest index in (start, at] that parts two grapheme clusters, near enough; `at` itself cut
 * at a code point when there is none within 64 bytes. Pre: start < at <= text.size. */
size_t sl_grapheme_floor(struct sl_view text, size_t start, size_t at);

/* ------------------------------------------------------------------ likeness (shingles.c) */

uint64_t sl_hash_stir(uint64_t hash);
/* The next word's hash, case aside; a Han or Kana character is a word. 0: no more words. */
uint64_t sl_word_hash(struct sl_view text, size_t *at);
int sl_compare_hashes(const void *left, const void *right);
/* Sorted, each once; how many are left. */
uint32_t sl_hashes_unique(uint64_t *hashes, uint32_t count);
/* The runs of three words, sorted, each once. NULL: the arena is full. */
uint64_t *sl_text_shingles(struct sl_view text, struct sl_arena *arena, uint32_t *ret_count);
/* The share of both sets that is in both (Jaccard). */
double sl_shingles_likeness(const uint64_t *a, uint32_t a_count, const uint64_t *b, uint32_t b_count);
/* Of all numbers in their order. */
uint64_t sl_text_numbers(struct sl_view text);

/* `view` without white space at both ends. */
struct sl_view sl_view_trim(struct sl_view view);

/* True when something in it can be seen. */
bool sl_text_visible(struct sl_view text);

/* ------------------------------------------------------------------ languages (language.c) */

struct sl_language {
    char code[3];
    const char *stemmer;    /* Snowball's name; NULL: none */
    const char *stop_words; /* separated by one space, one at each end too */
};

enum { SL_LANGUAGES = 19 };

/* Index into the table for a code ("en", "en-US", "EN"); English when it is unknown or NULL. */
uint32_t sl_language_index(const char *code);
const struct sl_language *sl_language_at(uint32_t index);
bool sl_language_stop_word(const struct sl_language *language, const char *word, size_t size);

/* ------------------------------------------------------------------ per thread (tools.c) */

struct sb_stemmer;

/* What ICU and Snowball need, opened once per thread and freed when the thread ends. */
struct sl_text_tools {
    UBreakIterator *words;
    UBreakIterator *sentences;
    const UNormalizer2 *fold; /* NFKC_Casefold; a singleton of ICU */
    struct sb_stemmer *stemmers[SL_LANGUAGES];
    UChar *units;         /* scratch: a block as UTF-16          */
    UChar *folded;        /* scratch: the same, folded           */
    uint32_t *unit_bytes; /* scratch: byte offset of each unit   */
    int32_t units_capacity;
    int32_t folded_capacity;
};

enum { SL_TEXT_BLOCK_BYTES = 64 << 10 }; /* texts are looked at block by block: bounded scratch */

/*
 * This thread's tools, opened at the first call.
 *
 * Errors:  SL_STOP  icu (78): data missing; memory (71)
 */
enum sl_err sl_text_tools(struct sl_text_tools **ret_tools, struct sl_error *err);

/* This thread's stemmer of a language; NULL when Snowball has none. */
struct sb_stemmer *sl_text_stemmer(struct sl_text_tools *tools, uint32_t language);

/* ------------------------------------------------------------------ sentences */

/* Is the newline that ends [line_start, line_end) the end of a sentence too (sentence_lines.c)?
 * `next` is the start of the following line, not blank. */
bool sl_line_ends_sentence(struct sl_view text, size_t line_start, size_t line_end, size_t next);

/* Does the boundary that ICU found at `boundary` part nothing (sentence_joins.c)? The sentence so
 * far is [start, boundary); the block it stands in [block_start, block_end). */
bool sl_sentence_joins(struct sl_view text, size_t block_start, size_t start, size_t boundary,
                       size_t block_end);

/* Bytes of the speaker label ("CHAIR YELLEN.", "Ms. Kim:") that `sentence` starts with; 0 when
 * none. `line_start`: the sentence starts a line, which says more than capitals do. */
size_t sl_speaker_label(struct sl_view sentence, bool line_start);

/* The same of a line of a transcript, where more may be a label: "민원인:", "**Q:**". Marks included. */
size_t sl_turn_label(struct sl_view sentence);

#endif
