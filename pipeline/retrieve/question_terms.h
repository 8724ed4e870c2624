/* question_terms.h -- a question as weighted terms: in which language, with which synonyms,
 * expanded or not. */
#ifndef SLUICE_QUESTION_TERMS_H
#define SLUICE_QUESTION_TERMS_H

#include <sluice/retrieve.h>

/*
 * The terms a question is searched for, without expansion.
 *
 * Owns:    the result lives in `arena`; views into the synonyms.
 * Thread:  the snapshot's.
 * Blocks:  CPU; page faults: looks terms up where the language is not told by the text.
 * Errors:  as sl_text_terms_listed(), sl_snapshot_idf()
 */
enum sl_err sl_question_terms(const struct sl_snapshot *snapshot, struct sl_view text,
                              const struct sl_retrieve_options *options, struct sl_arena *arena,
                              struct sl_term_count **ret_terms, uint32_t *ret_count,
                              struct sl_error *err);

/*
 * RM3: the question's terms (half the weight) and those its best chunks have in common (the other
 * half).
 *
 * Pre:     hits are what the terms found, best first.
 * Owns:    as above; views into the map.
 * Errors:  SL_REJECT  too_large
 *          SL_STOP    corrupt
 */
enum sl_err sl_question_expand(const struct sl_snapshot *snapshot, const struct sl_hit *hits,
                               uint32_t hit_count, struct sl_arena *arena,
                               struct sl_term_count **terms, uint32_t *count, struct sl_error *err);

#endif
