/*
 * pairs.h -- a question and a passage as one sequence, for heads that look at both.
 *
 *     [CLS] question [SEP] passage [SEP]     types 0 and 1
 *     <s> question </s> </s> passage </s>    RoBERTa's way, one type
 */
#ifndef SLUICE_EMBED_PAIRS_H
#define SLUICE_EMBED_PAIRS_H

#include <sluice/embed.h>

#include "embed/model_parts.h"

struct sl_pair {
    uint32_t passage_row;   /* of the pass: the passage's first token */
    uint32_t passage_count; /* tokens of the passage */
};

/*
 * Lay a pair behind the sequences of the pass. What is too long is cut at its end: the longer of the two texts
 * first, as tokenizers' "longest first" does it, or the passage alone.
 *
 * Pre:     sl_encoder_pass_room(pass) >= the configuration's sequence_max.
 * Owns:    nothing; `passage_ids` are the passage's tokens, made by sl_tokenizer_ids().
 * Thread:  the one that has the pass.
 * Blocks:  CPU.
 * Errors:  none.
 */
struct sl_pair sl_pair_add(const struct sl_model_parts *parts, struct sl_encoder_pass *pass,
                           struct sl_view question, const uint32_t *passage_ids,
                           uint32_t passage_count, bool passage_only);

/* Has the time passed? */
static inline bool sl_time_over(const struct sl_time_limit *limit)
{
    return limit->monotonic_us(limit->context) >= limit->deadline_us;
}

#endif
