/*
 * sluice/lexicon.h -- what users know of their words: two lists that shape the terms of documents,
 * and synonyms, which are applied to questions alone.
 *
 *     words       kept whole: a word of the list is neither stopped nor stemmed; a Korean noun of
 * the list is a term wherever it stands in an eojeol, compounds included stop words  no terms,
 * beside those of the language; a Korean one is compared without its particle synonyms    a
 * question that holds one side is searched for the others too
 *
 * Files are UTF-8, one entry a line, `#` at the start of a line or after a space begins a comment.
 * Of synonyms:
 *
 *     연차 = 연차유급휴가 = annual leave     each stands for all others
 *     TF => task force, working group        the left for those on the right, not the other way
 * round
 *
 * An entry matches by its terms, so inflected forms and particles match too; of several words all
 * must be in the question, in any order. What is added counts less than what was asked:
 * SL_SYNONYM_WEIGHT, shared among the terms of an entry that has more of them than the one it
 * stands for.
 *
 * Where a function says nothing else: Owns: nothing, and closing consumes what it is given (NULL is
 * fine; NULL is returned). Thread: any. Blocks: no. Errors: none.
 */
#ifndef SLUICE_LEXICON_H
#define SLUICE_LEXICON_H

#include <sluice/arena.h>
#include <sluice/chunk.h>
#include <sluice/error.h>
#include <sluice/view.h>

#define SL_SYNONYM_WEIGHT    0.8f
#define SL_LEXICON_LINES_MAX 100000u

struct sl_word_lists;
struct sl_synonyms;

/*
 * Read the two lists. A path that is NULL or "" stands for an empty list; both: *ret_lists is NULL.
 *
 * Owns:    caller gets *ret_lists; close it when no text is analysed with it any more.
 * Thread:  any; what was read is never changed.
 * Blocks:  disk.
 * Errors:  SL_STOP  bad_file (78): names file and line; memory (71); icu (78)
 */
enum sl_err sl_word_lists_open(const char *words_path, const char *stop_words_path,
                               struct sl_word_lists **ret_lists, struct sl_error *err);

/* No text is analysed with them any more. */
struct sl_word_lists *sl_word_lists_close(struct sl_word_lists *lists);

/* 16 hex digits that differ when the lists do, for the pipeline's fingerprint; "-" for NULL. */
const char *sl_word_lists_digest(const struct sl_word_lists *lists);

/*
 * Read synonyms. Their terms depend on the lists, so these are given too (or NULL).
 *
 * Owns:    caller gets *ret_synonyms, counted: sl_synonyms_take() is one more owner,
 * sl_synonyms_close() one less. Thread:  any; what was read is never changed. Blocks:  disk.
 * Errors:  SL_STOP  bad_file (78): names file and line; memory (71); icu (78)
 */
enum sl_err sl_synonyms_open(const char *path, const struct sl_word_lists *lists,
                             struct sl_synonyms **ret_synonyms, struct sl_error *err);
struct sl_synonyms *sl_synonyms_take(struct sl_synonyms *synonyms);
struct sl_synonyms *sl_synonyms_close(struct sl_synonyms *synonyms);
static inline void sl_synonyms_closep(struct sl_synonyms **synonyms)
{
    *synonyms = sl_synonyms_close(*synonyms);
}

/*
 * The terms of a question and those its synonyms add, with their boosts, sorted by bytes, unique.
 *
 * Pre:     terms as made by sl_text_terms_listed() with this language and the lists given above.
 * Owns:    the result lives in `arena`; views into the synonyms are valid as long as these.
 * Thread:  any.
 * Blocks:  CPU: linear in the synonyms.
 * Errors:  SL_REJECT  too_large (the arena)
 */
enum sl_err sl_synonyms_apply(const struct sl_synonyms *synonyms, const char *language,
                              struct sl_arena *arena, struct sl_term_count **terms,
                              uint32_t *term_count, struct sl_error *err);

#endif /* SLUICE_LEXICON_H */
