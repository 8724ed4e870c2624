/*
 * tokenizer.h -- text to token ids, the same ids as Hugging Face's tokenizers give.
 *
 * A model directory's tokenizer.json decides when it is there: WordPiece, Unigram and BPE models
 * with the normalizers and splitters that encoders are published with. Its truncation and padding
 * are not read. Without it vocab.txt is the vocabulary of a WordPiece model with BERT's normalizer.
 */
#ifndef SLUICE_EMBED_TOKENIZER_H
#define SLUICE_EMBED_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/hash.h>
#include <sluice/view.h>

#define SL_PREFIX_BYTES_MAX 1024u /* text put before another in sl_tokenizer_ids() */

struct sl_tokenizer;

enum sl_choice { SL_CHOICE_FILE = 0, SL_CHOICE_NO, SL_CHOICE_YES };

/* What tokenizer_config.json says over the tokenizer's own file; for BERT's normalizer. A vocab.txt
 * alone lower-cases, strips accents when it does, and splits Chinese. */
struct sl_tokenizer_casing {
    enum sl_choice lower_case;
    enum sl_choice strip_accents;
    enum sl_choice split_chinese;
};

/*
 * Load the tokenizer of a model directory. The bytes of its file are added to `digest` unless that
 * is NULL; casing NULL leaves all to the file.
 *
 * Owns:    caller gets *ret_tokenizer; close it with sl_tokenizer_close().
 * Thread:  any; the tokenizer may then be shared.
 * Blocks:  disk, CPU.
 * Errors:  SL_STOP  exit 78 bad_model, naming file and member and what is allowed; out of memory
 */
enum sl_err sl_tokenizer_open(const char *directory, const struct sl_tokenizer_casing *casing,
                              struct sl_sha256 *digest, struct sl_tokenizer **ret_tokenizer,
                              struct sl_error *err);

/* The greatest id + 1. */
uint32_t sl_tokenizer_vocabulary_count(const struct sl_tokenizer *tokenizer);

/*
 * Ids of `prefix` and `text` as if they were one text, without the special ones around it, at most
 * `ids_max` of them: the first ones. Bytes that are not UTF-8 count as U+FFFD. ret_ids == NULL only
 * counts.
 *
 * Pre:     prefix.size <= SL_PREFIX_BYTES_MAX; SL_VIEW_NULL is none.
 * Returns the number of ids written, or counted (never more than ids_max).
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  CPU: linear in the text read. For another thread's work space, when memory is short.
 * Errors:  none.
 */
uint32_t sl_tokenizer_ids_after(const struct sl_tokenizer *tokenizer, struct sl_view prefix,
                                struct sl_view text, uint32_t *ret_ids, uint32_t ids_max);

/* The same without a prefix. */
uint32_t sl_tokenizer_ids(const struct sl_tokenizer *tokenizer, struct sl_view text,
                          uint32_t *ret_ids, uint32_t ids_max);

/* The special token before a text and the one behind it: [CLS] and [SEP], <s> and </s>. UINT32_MAX
 * when the tokenizer's file does not put exactly one on each side. */
uint32_t sl_tokenizer_first_id(const struct sl_tokenizer *tokenizer);
uint32_t sl_tokenizer_last_id(const struct sl_tokenizer *tokenizer);

/* Stands for what the vocabulary cannot spell; UINT32_MAX when there is none. */
uint32_t sl_tokenizer_unknown_id(const struct sl_tokenizer *tokenizer);

/* Characters of the vocabulary's tokens: the median, rounded down. */
uint32_t sl_tokenizer_token_chars_median(const struct sl_tokenizer *tokenizer);

/*
 * Share [0, 1] of the letters of `text` that the vocabulary knows as more than letters. WordPiece:
 * in words it holds whole, or in pieces of one and a half letters or more on average. Others: in
 * pieces of two letters or more. Single letters count only in ASCII, and where one is a word or a
 * syllable (ideographs, Hangul) for the others. A text without letters gives 1.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  as sl_tokenizer_ids().
 * Errors:  none.
 */
double sl_tokenizer_coverage(const struct sl_tokenizer *tokenizer, struct sl_view text);

/* Free. NULL is fine. */
void sl_tokenizer_close(struct sl_tokenizer *tokenizer);

#endif
