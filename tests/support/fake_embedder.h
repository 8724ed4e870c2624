/*
 * fake_embedder.h -- an encoder for tests: no model, no files, the same vectors on every machine.
 *
 * A text's vector is the sum of a fixed pseudo-random direction per word (lower-cased ASCII, split
 * at white space and ASCII punctuation), scaled to length 1: texts that share words are close,
 * texts that share none are nearly orthogonal. A text without words gets the direction of the empty
 * word.
 */
#ifndef SLUICE_FAKE_EMBEDDER_H
#define SLUICE_FAKE_EMBEDDER_H

#include <stdint.h>

#include <sluice/embed.h>

/*
 * Open a fake encoder. Words past `token_limit` are cut, as a real one does. Tokens are words split
 * at white space; coverage is the share of letters that are ASCII.
 *
 * Pre:     dim in [1, SL_DIM_MAX].
 * Owns:    caller closes it with sl_embedder_close(). Aborts when out of memory.
 * Thread:  any; may be shared.
 * Blocks:  no.
 * Errors:  none.
 */
struct sl_embedder *fake_embedder_open(uint32_t dim, uint32_t token_limit);

/* Texts encoded so far, by all threads: for tests of "never embedded twice". */
uint64_t fake_embedder_encoded(const struct sl_embedder *embedder);

/* Let the next `count` calls of encode() fail with `code` (SL_AGAIN, SL_REJECT or SL_STOP). */
void fake_embedder_fail(struct sl_embedder *embedder, uint32_t count, enum sl_err code);

#endif
