/* chunk_internal.h -- the pieces chunks are packed from. */
#ifndef SLUICE_CHUNK_INTERNAL_H
#define SLUICE_CHUNK_INTERNAL_H

#include "decode/markdown.h"

#include <sluice/chunk.h>

/* How good a place the start of a unit is to begin a chunk. */
enum sl_break {
    SL_BREAK_PART = 0, /* inside a sentence */
    SL_BREAK_SENTENCE,
    SL_BREAK_PARAGRAPH,
    SL_BREAK_SPEAKER,
    SL_BREAK_HEADING
};

/* A sentence, or a part of one that is too long. Units follow each other in the text. */
struct sl_unit {
    uint32_t byte_start;
    uint32_t byte_end;
    uint32_t words;
    uint8_t before; /* enum sl_break at its start */
    uint8_t level;  /* of the heading it begins with; 0: none */
    uint8_t label;  /* bytes of the speaker's label it begins with; 0: none, or no transcript */
    bool whole;     /* a whole sentence, or row */
    bool clings;    /* a heading, a speaker's label, a header row: must not end a chunk */
    uint32_t table; /* index + 1 of the table whose body the unit is a row of; 0: none */
};

/* Lines of cells. */
struct sl_table {
    uint32_t byte_start, byte_end;
    struct sl_view header; /* the first row */
    uint32_t body_start;   /* the first line after header and rule */
};

/*
 * All tables of a text, in order.
 *
 * Owns:    *ret_tables lives in `arena`.
 * Errors:  false: the arena is full
 */
bool sl_tables_find(struct sl_view text, struct sl_arena *arena, struct sl_table **ret_tables,
                    uint32_t *ret_count);

struct sl_outline {
    struct sl_unit *units;
    uint32_t unit_count;
    struct sl_heading *headings;
    uint32_t heading_count;
    struct sl_table *tables;
    uint32_t table_count;
    struct sl_span *excluded;
    uint32_t excluded_count;
};

/*
 * Everything about the text that packing needs: units with their breaks, headings, excluded spans.
 *
 * Owns:    lives in `arena`.
 * Errors:  SL_REJECT too_large; SL_STOP icu, memory
 */
enum sl_err sl_outline_make(const struct sl_document *document,
                            const struct sl_chunk_options *options, struct sl_arena *arena,
                            struct sl_outline *ret_outline, struct sl_error *err);

/*
 * Part the units into stretches of at most `words_max` words (a single longer unit stays whole), at
 * places that depend on the text around them alone.
 *
 * Shape:   stretch i is units [(*ret_cuts)[i - 1], (*ret_cuts)[i]), the first from 0.
 * Owns:    *ret_cuts lives in `arena`.
 * Errors:  false: the arena is full
 */
bool sl_cuts_make(const struct sl_outline *outline, struct sl_view text, uint32_t words_max,
                  struct sl_arena *arena, uint32_t **ret_cuts, uint32_t *ret_count);

#endif
