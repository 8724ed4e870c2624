/*
 * embed_count.h -- how many tokens a text will be to a model whose tokenizer is not here.
 */
#ifndef SLUICE_EMBED_COUNT_H
#define SLUICE_EMBED_COUNT_H

#include <stdint.h>

#include <sluice/view.h>

#define SL_EMBED_TOKENS_AROUND 2u /* the special ones a model puts around each text */

/*
 * An estimate, the special ones not counted. Additive over texts joined by white space, but for
 * rounding up.
 *
 * Thread:  any.
 * Blocks:  CPU: linear in the text.
 */
uint32_t sl_embed_count(struct sl_view text);

#endif
