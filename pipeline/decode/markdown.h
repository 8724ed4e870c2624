/* markdown.h -- the headings of a Markdown text; nothing else of Markdown is interpreted. */
#ifndef SLUICE_MARKDOWN_H
#define SLUICE_MARKDOWN_H

#include <sluice/arena.h>
#include <sluice/view.h>

struct sl_heading {
    uint32_t byte_start; /* the heading's line or, when underlined, lines */
    uint32_t byte_end;
    uint32_t level;      /* 1..6 */
    struct sl_view text; /* without marks; a view into the source */
};

/*
 * All headings in order: ATX (`## Text ##`) and underlined ones, outside of fenced code.
 *
 * Owns:    the result lives in `arena`, its texts in `text`.
 * Thread:  any.
 * Blocks:  CPU: linear in the text.
 * Errors:  false when the arena is full
 */
bool sl_markdown_headings(struct sl_view text, struct sl_arena *arena,
                          struct sl_heading **ret_headings, uint32_t *ret_count);

/* Has the text an ATX heading at a line start? */
bool sl_markdown_looks_like(struct sl_view text);

/* The text of a level-1 heading on the first line that is not blank; data == NULL when there is
 * none. */
struct sl_view sl_markdown_title(struct sl_view text);

#endif
