/*
 * unpack.h -- numbers of a fixed width, packed without gaps, least bit first.
 */
#ifndef SLUICE_INDEX_UNPACK_H
#define SLUICE_INDEX_UNPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sluice/view.h>

/* Bytes that sl_unpack_ascending() may read behind the last it needs. */
#define SL_UNPACK_BEYOND 32u

/*
 * Numbers from their differences: ret_list[0] is `first`, and each further one is the one before it
 * + 1 + the next difference. There is room for `count` rounded up to a multiple of 8.
 *
 * Pre: 1 <= count <= 128, bits <= 32.
 * Returns false: they go beyond 32 bits.
 */
bool sl_unpack_ascending(const char *bytes, uint32_t bits, uint32_t first, uint32_t count,
                         uint32_t *ret_list);
/* The same without vector instructions. */
bool sl_unpack_ascending_scalar(const char *bytes, uint32_t bits, uint32_t first, uint32_t count,
                                uint32_t *ret_list);

/* One number, wherever it lies. Pre: bits <= 32; 8 bytes can be read. */
static inline uint32_t sl_unpack(const char *bytes, uint32_t at, uint32_t bits)
{
    uint64_t word;

    memcpy(&word, bytes + at / 8, sizeof word);
    return (uint32_t)(word >> (at % 8) & (((uint64_t)1 << bits) - 1));
}

/* One number of a payload, of which nothing beyond its end is read. Pre: it has 8 bytes or more,
 * and the number lies in it. */
static inline uint32_t sl_unpack_within(struct sl_view payload, size_t at, uint32_t bits)
{
    size_t byte = at / 8, shift = at % 8, last = payload.size - sizeof(uint64_t);
    uint64_t word;

    if (byte > last) {
        shift += (byte - last) * 8;
        byte = last;
    }
    memcpy(&word, payload.data + byte, sizeof word);
    return (uint32_t)(word >> (shift & 63) & (((uint64_t)1 << bits) - 1));
}

#endif /* SLUICE_INDEX_UNPACK_H */
