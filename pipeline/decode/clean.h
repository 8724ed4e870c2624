/* clean.h -- boilerplate of one document: what is kept and cited, but neither indexed nor embedded.
 */
#ifndef SLUICE_CLEAN_H
#define SLUICE_CLEAN_H

#include <sluice/arena.h>
#include <sluice/chunk.h>
#include <sluice/view.h>

/*
 * Spans of running headers, footers and page numbers, in order: whole lines, and what was joined into
 * sentences.
 *
 * Owns:    the result lives in `arena`.
 * Thread:  any.
 * Blocks:  CPU: linear in the text, plus a sort of its short lines.
 * Errors:  false when the arena is full
 */
bool sl_clean_boilerplate(struct sl_view text, struct sl_arena *arena, struct sl_span **ret_spans,
                          uint32_t *ret_count);

/* Of these the ones inside sentences, in no order; they may overlap. As above. */
bool sl_clean_running(struct sl_view text, struct sl_arena *arena, struct sl_span **ret_spans,
                      uint32_t *ret_count);

#endif
