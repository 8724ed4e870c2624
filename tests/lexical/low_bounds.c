/*
 * low_bounds.c -- blocks whose bounds are as if they had not been raised when postings came in: a
 * control for test_lexical.c.
 */
#include "index/block.h"

void __real_sl_block_write(struct sl_buffer *buffer, uint32_t base,
                           const struct sl_occurrence *list, uint32_t count);
void __wrap_sl_block_write(struct sl_buffer *buffer, uint32_t base,
                           const struct sl_occurrence *list, uint32_t count);

void __wrap_sl_block_write(struct sl_buffer *buffer, uint32_t base,
                           const struct sl_occurrence *list, uint32_t count)
{
    size_t at = buffer->size;

    __real_sl_block_write(buffer, base, list, count);
    if (count < 8 || buffer->failed)
        return;
    for (uint32_t i = 0; i < ((uint8_t)buffer->data[at + 3] & 7u); i++) {
        buffer->data[at + 5 + 2 * i] = 1;                           /* occurrences */
        buffer->data[at + 6 + 2 * i] = (char)(SL_LENGTH_CODES - 1); /* the longest */
    }
}
