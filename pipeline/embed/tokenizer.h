/*
 * tokenizer.h -- text to WordPiece ids, the same ids as Hugging Face's fast BERT tokenizer gives.
 *
 *     text -> cleaned code points -> words (white space, punctuation, Chinese characters) -> pieces
 *
 * One pass, no allocation, memory bounded by the longest word the vocabulary can hold.
 */
#ifndef SLUICE_EMBED_TOKENIZER_H
#define SLUICE_EMBED_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/hash.h>
#include <sluice/view.h>

struct sl_tokenizer;

struct sl_tokenizer_options {
    bool lower_case;
    bool strip_accents;
    bool split_chinese;
};

/*
 * Load a vocabulary: one token a line, its id is its line number.
 *
 * Post:    [CLS], [SEP] and [UNK] are in it. Its bytes are added to `digest` unless that is NULL.
 * Owns:    caller gets *ret_tokenizer; close it with sl_tokenizer_close().
 * Thread:  any; the tokenizer may then be shared.
 * Blocks:  disk.
 * Errors:  SL_STOP  exit 78 bad_model, naming the file; out of memory
 */
enum sl_err sl_tokenizer_open(const char *path, const struct sl_tokenizer_options *options,
                              struct sl_sha256 *digest, struct sl_tokenizer **ret_tokenizer,
                              struct sl_error *err);

uint32_t sl_tokenizer_vocabulary_count(const struct sl_tokenizer *tokenizer);

/*
 * Ids of `text` without [CLS] and [SEP] around it, at most `ids_max` of them: the first ones. Bytes
 * that are not UTF-8 are skipped. ret_ids == NULL only counts.
 *
 * Returns the number of ids written, or counted (never more than ids_max).
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  CPU: linear in the text read.
 * Errors:  none.
 */
uint32_t sl_tokenizer_ids(const struct sl_tokenizer *tokenizer, struct sl_view text,
                          uint32_t *ret_ids, uint32_t ids_max);

uint32_t sl_tokenizer_first_id(const struct sl_tokenizer *tokenizer); /* [CLS] */
uint32_t sl_tokenizer_last_id(const struct sl_tokenizer *tokenizer);  /* [SEP] */

/*
 * Share [0, 1] of the letters of `text` that stand in words the vocabulary holds whole, or in
 * pieces of one and a half letters or more on average. Single letters count only in ASCII. A text
 * without letters gives 1.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  CPU: linear in the text.
 * Errors:  none.
 */
double sl_tokenizer_coverage(const struct sl_tokenizer *tokenizer, struct sl_view text);

/* Free. NULL is fine. */
void sl_tokenizer_close(struct sl_tokenizer *tokenizer);

#endif
