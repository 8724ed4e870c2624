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
#include "index/unpack.h"

#define SL_BLOCK_POSTINGS 128u
#define SL_BLOCK_BOUNDS   4u
#define SL_LENGTH_CODES   240u
#define SL_BLOCK_FEW      8u /* fewer than that many have no head */

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

/* Where the columns of a block lie. None: it has few postings. */
struct sl_block_layout {
    uint32_t first;             /* number of the first chunk, less the base */
    uint16_t packed;            /* byte the columns begin with */
    uint8_t gap, count, length; /* bits of a value of each */
    uint8_t least;              /* code, to be added */
};

struct sl_block_head {
    uint32_t count;
    struct sl_block_layout layout;
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

/* Only the chunk numbers, into room for SL_BLOCK_POSTINGS; and what one posting has beside its own.
 * Pre: layout and count are of this payload's head, count >= SL_BLOCK_FEW; i < count. */
bool sl_block_chunks(struct sl_view payload, const struct sl_block_layout *layout, uint32_t count,
                     uint32_t base, uint32_t *ret_chunks);
static inline struct sl_bound sl_block_value(struct sl_view payload,
                                             const struct sl_block_layout *layout, uint32_t count,
                                             uint32_t i)
{
    size_t at = layout->packed * 8u + (count - 1) * layout->gap;
    struct sl_bound value = {1, layout->least};

    if (layout->count > 0)
        value.count += sl_unpack_within(payload, at + i * layout->count, layout->count);
    value.length +=
        sl_unpack_within(payload, at + count * layout->count + i * layout->length, layout->length);
    return value;
}

#endif /* SLUICE_INDEX_BLOCK_H */
