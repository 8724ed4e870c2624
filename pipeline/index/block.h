/*
 * block.h -- up to 128 postings of one term as bytes.
 *
 * A posting is a chunk's number, how often the term stands in it, and the chunk's length, rounded
 * down to one of 240 codes: exact to 15, then in steps of an eighth. What the score of a posting
 * can be at most follows from the last two, so a block knows its bounds without asking for the
 * lengths of its chunks.
 */
#ifndef SLUICE_INDEX_BLOCK_H
#define SLUICE_INDEX_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/view.h>

#include "index/format.h"

#define SL_BLOCK_POSTINGS 128u
#define SL_BLOCK_BOUNDS   4u
#define SL_LENGTH_CODES   240u

struct sl_occurrence {
    uint32_t chunk;
    uint32_t count;
    uint32_t length; /* code */
};

/* No posting of the block has more occurrences in a shorter chunk than one of these. */
struct sl_bound {
    uint32_t count;
    uint32_t length; /* code */
};

struct sl_block_head {
    uint32_t count;
    uint32_t bound_count;
    struct sl_bound bounds[SL_BLOCK_BOUNDS];
};

uint32_t sl_length_code(uint32_t length);
/* The smallest length of this code. */
uint32_t sl_length_floor(uint32_t code);

/* Pre: 1 <= count <= SL_BLOCK_POSTINGS; chunks ascend and none is below `base`. The bytes follow
 * from the postings alone. */
void sl_block_write(struct sl_buffer *buffer, uint32_t base, const struct sl_occurrence *list,
                    uint32_t count);
/* The same block read: all of it into room for SL_BLOCK_POSTINGS, or its head. false: senseless. */
bool sl_block_read(struct sl_view payload, uint32_t base, struct sl_occurrence *ret_list,
                   uint32_t *ret_count);
bool sl_block_head_read(struct sl_view payload, struct sl_block_head *ret_head);

#endif /* SLUICE_INDEX_BLOCK_H */
