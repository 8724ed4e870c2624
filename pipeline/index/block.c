/*
 * block.c -- blocks of postings: written whole, read whole or by their head.
 *
 *     few (under 8)   count, then for each: difference to the chunk before, occurrences (variable
 * length), code of the length more            count, bits of a difference, of occurrences, of a
 * code; least code; bounds; then all differences, all occurrences, all codes, each with its number
 * of bits
 *
 * Most terms are rare: their rows are a few bytes, and a head would double them. A long row has a
 * head, so that a search learns what the block can give without unpacking it; bits of a fixed width
 * a block unpack with one load, shift and mask a value.
 *
 * The bounds are those postings that no other beats in both occurrences and shortness, at most
 * four; where there are more, the last one stands for the rest and is a little too high. They are
 * made anew whenever the block is written, so they hold exactly after replacing and deleting, too.
 *
 * Rejected: one bound of most occurrences and least length (half as many blocks passed over where
 * texts are long), exceptions for wide gaps (a seventh smaller, twice the code).
 */
#include "index/block.h"

#include <sluice/error.h>

#define FEW         SL_BLOCK_FEW
#define CODES_EXACT 16u

uint32_t sl_length_code(uint32_t length)
{
    uint32_t exponent;

    if (length < CODES_EXACT)
        return length;
    exponent = 31u - (uint32_t)__builtin_clz(length);
    return CODES_EXACT + (exponent - 4) * 8 + (length >> (exponent - 3) & 7);
}

uint32_t sl_length_floor(uint32_t code)
{
    if (code < CODES_EXACT)
        return code;
    return (8 + (code - CODES_EXACT) % 8) << ((code - CODES_EXACT) / 8 + 1);
}

/* ------------------------------------------------------------------------------------ bounds */

static bool beats(struct sl_bound a, struct sl_bound b)
{
    return a.count >= b.count && a.length <= b.length;
}

/* Keep those that no other beats, by descending occurrences. */
static void add_bound(struct sl_bound *bounds, uint32_t *count, struct sl_bound fresh)
{
    uint32_t kept = 0, at = 0;

    for (uint32_t i = 0; i < *count; i++)
        if (beats(bounds[i], fresh))
            return;
    for (uint32_t i = 0; i < *count; i++)
        if (!beats(fresh, bounds[i]))
            bounds[kept++] = bounds[i];
    while (at < kept && bounds[at].count > fresh.count)
        at++;
    memmove(bounds + at + 1, bounds + at, (kept - at) * sizeof *bounds);
    bounds[at] = fresh;
    *count = kept + 1;
}

static void find_bounds(const struct sl_occurrence *list, uint32_t count,
                        struct sl_block_head *ret_head)
{
    struct sl_bound bounds[SL_BLOCK_POSTINGS + 1];
    uint32_t found = 0;

    for (uint32_t i = 0; i < count; i++)
        add_bound(bounds, &found, (struct sl_bound){list[i].count, list[i].length});
    ret_head->count = count;
    ret_head->bound_count = found < SL_BLOCK_BOUNDS ? found : SL_BLOCK_BOUNDS;
    memcpy(ret_head->bounds, bounds, ret_head->bound_count * sizeof *bounds);
    ret_head->bounds[ret_head->bound_count - 1].length = bounds[found - 1].length;
}

/* -------------------------------------------------------------------------------------- bits */

struct packer {
    uint64_t word;
    uint32_t used;
    struct sl_buffer *buffer;
};

static uint32_t bits_of(uint32_t value)
{
    return value == 0 ? 0 : 32u - (uint32_t)__builtin_clz(value);
}

static void pack(struct packer *packer, uint32_t value, uint32_t bits)
{
    packer->word |= (uint64_t)value << packer->used;
    packer->used += bits;
    while (packer->used >= 8) {
        sl_write_u8(packer->buffer, (uint8_t)packer->word);
        packer->word >>= 8;
        packer->used -= 8;
    }
}

static void pack_end(struct packer *packer)
{
    if (packer->used > 0)
        sl_write_u8(packer->buffer, (uint8_t)packer->word);
}

/* ----------------------------------------------------------------------------------- writing */

static void write_few(struct sl_buffer *buffer, uint32_t base, const struct sl_occurrence *list,
                      uint32_t count)
{
    sl_write_u8(buffer, (uint8_t)count);
    for (uint32_t i = 0; i < count; i++) {
        sl_write_varint(buffer, list[i].chunk - base);
        sl_write_varint(buffer, list[i].count);
        sl_write_u8(buffer, (uint8_t)list[i].length);
        base = list[i].chunk + 1;
    }
}

static struct sl_block_layout measure(uint32_t base, const struct sl_occurrence *list,
                                      uint32_t count)
{
    uint32_t gaps = 0, counts = 0, most = 0, least = UINT8_MAX;

    for (uint32_t i = 0; i < count; i++) {
        gaps |= list[i].chunk - base;
        counts |= list[i].count - 1;
        most = list[i].length > most ? list[i].length : most;
        least = list[i].length < least ? list[i].length : least;
        base = list[i].chunk + 1;
    }
    return (struct sl_block_layout){.gap = (uint8_t)bits_of(gaps),
                                    .count = (uint8_t)bits_of(counts),
                                    .length = (uint8_t)bits_of(most - least),
                                    .least = (uint8_t)least};
}

void sl_block_write(struct sl_buffer *buffer, uint32_t base, const struct sl_occurrence *list,
                    uint32_t count)
{
    struct packer packer = {.buffer = buffer};
    struct sl_block_head head;
    struct sl_block_layout widths;
    uint32_t first = list[0].chunk;

    SL_PRE(count >= 1 && count <= SL_BLOCK_POSTINGS && first >= base);
    if (count < FEW) {
        write_few(buffer, base, list, count);
        return;
    }
    widths = measure(first, list, count);
    find_bounds(list, count, &head);
    sl_write_u8(buffer, (uint8_t)count);
    sl_write_u8(buffer, widths.gap);
    sl_write_u8(buffer, widths.count);
    sl_write_u8(buffer, (uint8_t)((uint32_t)widths.length << 3 | head.bound_count));
    sl_write_u8(buffer, widths.least);
    for (uint32_t i = 0; i < head.bound_count; i++) {
        sl_write_varint(buffer, head.bounds[i].count);
        sl_write_u8(buffer, (uint8_t)head.bounds[i].length);
    }
    sl_write_varint(buffer, first - base);
    for (uint32_t i = 1; i < count; i++)
        pack(&packer, list[i].chunk - list[i - 1].chunk - 1, widths.gap);
    for (uint32_t i = 0; i < count; i++)
        pack(&packer, list[i].count - 1, widths.count);
    for (uint32_t i = 0; i < count; i++)
        pack(&packer, list[i].length - widths.least, widths.length);
    pack_end(&packer);
}

/* ----------------------------------------------------------------------------------- reading */

static bool read_few(struct sl_reader *reader, uint32_t base, uint32_t count,
                     struct sl_occurrence *ret_list)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t gap = sl_read_varint(reader);
        ret_list[i].chunk = base + gap;
        ret_list[i].count = sl_read_varint(reader);
        ret_list[i].length = sl_read_u8(reader);
        if (ret_list[i].chunk < base || ret_list[i].count == 0 ||
            ret_list[i].length >= SL_LENGTH_CODES)
            return false;
        base = ret_list[i].chunk + 1;
    }
    return !reader->bad && reader->at == reader->end;
}

/* Post: the columns are as long as they must be. */
static bool read_layout(struct sl_reader *reader, const char *start, struct sl_block_head *head)
{
    struct sl_block_layout *layout = &head->layout;
    size_t bits;

    layout->first = sl_read_varint(reader);
    layout->packed = (uint16_t)(reader->at - start);
    bits = (head->count - 1) * (size_t)layout->gap +
           head->count * ((size_t)layout->count + layout->length);
    return !reader->bad && (size_t)(reader->end - reader->at) == (bits + 7) / 8 &&
           layout->least < SL_LENGTH_CODES;
}

static bool read_head(struct sl_reader *reader, const char *start, struct sl_block_head *head)
{
    struct sl_block_layout *layout = &head->layout;
    uint8_t last;

    layout->gap = sl_read_u8(reader);
    layout->count = sl_read_u8(reader);
    last = sl_read_u8(reader);
    layout->length = last >> 3;
    layout->least = sl_read_u8(reader);
    head->bound_count = last & 7;
    if (layout->gap > 32 || layout->count > 32 || layout->length > 8 || head->bound_count == 0 ||
        head->bound_count > SL_BLOCK_BOUNDS)
        return false;
    for (uint32_t i = 0; i < head->bound_count; i++) {
        head->bounds[i].count = sl_read_varint(reader);
        head->bounds[i].length = sl_read_u8(reader);
        if (head->bounds[i].length >= SL_LENGTH_CODES)
            return false;
    }
    return read_layout(reader, start, head);
}

bool sl_block_chunks(struct sl_view payload, const struct sl_block_layout *layout, uint32_t count,
                     uint32_t base, uint32_t *ret_chunks)
{
    char room[SL_BLOCK_POSTINGS * sizeof(uint32_t) + SL_UNPACK_BEYOND];
    const char *bytes = payload.data + layout->packed;
    size_t size = ((count - 1) * (size_t)layout->gap + 7) / 8;

    if (layout->packed + size + SL_UNPACK_BEYOND > payload.size) {
        memcpy(room, bytes, size);
        memset(room + size, 0, SL_UNPACK_BEYOND);
        bytes = room;
    }
    return base + layout->first >= base &&
           sl_unpack_ascending(bytes, layout->gap, base + layout->first, count, ret_chunks);
}

bool sl_block_read(struct sl_view payload, uint32_t base, struct sl_occurrence *ret_list,
                   uint32_t *ret_count)
{
    struct sl_reader reader = sl_reader_of(payload);
    struct sl_block_head head = {.count = sl_read_u8(&reader)};
    uint32_t chunks[SL_BLOCK_POSTINGS], most = 0;

    if (head.count == 0 || head.count > SL_BLOCK_POSTINGS)
        return false;
    *ret_count = head.count;
    if (head.count < FEW)
        return read_few(&reader, base, head.count, ret_list);
    if (!read_head(&reader, payload.data, &head) ||
        !sl_block_chunks(payload, &head.layout, head.count, base, chunks))
        return false;
    for (uint32_t i = 0; i < head.count; i++) {
        struct sl_bound value = sl_block_value(payload, &head.layout, head.count, i);
        ret_list[i] = (struct sl_occurrence){chunks[i], value.count, value.length};
        most |= value.length >= SL_LENGTH_CODES;
    }
    return most == 0;
}

bool sl_block_head_read(struct sl_view payload, struct sl_block_head *ret_head)
{
    struct sl_reader reader = sl_reader_of(payload);
    struct sl_occurrence list[FEW];

    ret_head->count = sl_read_u8(&reader);
    if (ret_head->count == 0 || ret_head->count > SL_BLOCK_POSTINGS)
        return false;
    if (ret_head->count >= FEW)
        return read_head(&reader, payload.data, ret_head);
    if (!read_few(&reader, 0, ret_head->count, list))
        return false;
    find_bounds(list, ret_head->count, ret_head);
    return true;
}
