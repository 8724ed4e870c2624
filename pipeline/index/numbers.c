/*
 * numbers.c -- which document and chunk numbers are in use.
 *
 * A bit each; the lowest free number goes out first, so that numbers stay dense and what is written
 * together lies together in the segments of postings. Rejected: a stack of freed numbers, which scatters
 * the next documents over all segments after a large delete.
 */
#include "index/internal.h"

#include <stdlib.h>

static bool reach(struct sl_numbers *numbers, uint32_t word)
{
    uint32_t words = word + word / 2 + 64;
    uint64_t *bits;

    if (word < numbers->words)
        return true;
    bits = realloc(numbers->bits, words * sizeof *bits);
    if (bits == NULL)
        return false;
    memset(bits + numbers->words, 0, (words - numbers->words) * sizeof *bits);
    numbers->bits = bits;
    numbers->words = words;
    return true;
}

bool sl_numbers_use(struct sl_numbers *numbers, uint32_t number)
{
    if (!reach(numbers, number / 64))
        return false;
    numbers->bits[number / 64] |= (uint64_t)1 << (number % 64);
    return true;
}

uint32_t sl_numbers_take(struct sl_numbers *numbers)
{
    uint32_t word = numbers->hint, number;

    while (word < numbers->words && numbers->bits[word] == UINT64_MAX)
        word++;
    if (!reach(numbers, word))
        return UINT32_MAX;
    numbers->hint = word;
    number = word * 64 + (uint32_t)__builtin_ctzll(~numbers->bits[word]);
    numbers->bits[word] |= (uint64_t)1 << (number % 64);
    return number;
}

void sl_numbers_give(struct sl_numbers *numbers, uint32_t number)
{
    uint32_t word = number / 64;

    SL_PRE(word < numbers->words && (numbers->bits[word] >> (number % 64) & 1) != 0);
    numbers->bits[word] &= ~((uint64_t)1 << (number % 64));
    if (word < numbers->hint)
        numbers->hint = word;
}

void sl_numbers_fini(struct sl_numbers *numbers)
{
    free(numbers->bits);
    *numbers = (struct sl_numbers){0};
}
