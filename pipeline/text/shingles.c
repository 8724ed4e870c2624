/*
 * shingles.c -- a text as the set of its runs of three words, to tell how much of two texts is the same.
 *
 * A word is letters and digits, case aside; a Han or Kana character is a word. Three words in a row are rare enough that
 * texts about one subject share few, and a changed word costs three of them. Numbers are looked at for themselves: "fee 5 %"
 * and "fee 6 %" say another thing in texts that are otherwise the same.
 */
#include "text/text_internal.h"

#include <stdlib.h>
#include <unicode/uchar.h>

#define WORDS_IN_ROW 3u

uint64_t sl_hash_stir(uint64_t hash)
{
    hash = (hash ^ hash >> 31) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 29;
}

uint64_t sl_word_hash(struct sl_view text, size_t *at)
{
    uint64_t hash = 0;

    while (*at < text.size) {
        size_t before = *at;
        uint32_t c = sl_utf8_next(text, at);

        if (!u_isalnum((UChar32)c)) {
            if (hash != 0 && !sl_char_extends(c))
                return hash;
            continue;
        }
        if (sl_char_han_kana(c) && hash != 0) {
            *at = before;
            return hash;
        }
        hash = sl_hash_stir(hash + (uint64_t)u_tolower((UChar32)c) + 1) | 1;
        if (sl_char_han_kana(c))
            return hash;
    }
    return hash;
}

int sl_compare_hashes(const void *left, const void *right)
{
    const uint64_t *a = left, *b = right;

    return (*a > *b) - (*a < *b);
}

uint32_t sl_hashes_unique(uint64_t *hashes, uint32_t count)
{
    uint32_t kept = 0;

    if (count > 0)
        qsort(hashes, count, sizeof *hashes, sl_compare_hashes);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || hashes[kept - 1] != hashes[i])
            hashes[kept++] = hashes[i];
    return kept;
}

static uint32_t count_words(struct sl_view text)
{
    uint32_t count = 0;

    for (size_t at = 0; at < text.size; count++)
        if (sl_word_hash(text, &at) == 0)
            break;
    return count;
}

uint64_t *sl_text_shingles(struct sl_view text, struct sl_arena *arena, uint32_t *ret_count)
{
    uint32_t words = count_words(text), count = 0;
    uint64_t *hashes = SL_NEW_ARRAY(arena, uint64_t, (size_t)words + 1);
    uint64_t last[WORDS_IN_ROW - 1] = {0};
    size_t at = 0;

    for (uint32_t i = 0; hashes != NULL && i < words; i++) {
        uint64_t word = sl_word_hash(text, &at);
        if (i + 1 >= WORDS_IN_ROW)
            hashes[count++] = sl_hash_stir(sl_hash_stir(last[0] * 3 + last[1]) * 5 + word);
        last[0] = last[1];
        last[1] = word;
    }
    *ret_count = hashes != NULL ? sl_hashes_unique(hashes, count) : 0;
    return hashes;
}

double sl_shingles_likeness(const uint64_t *a, uint32_t a_count, const uint64_t *b, uint32_t b_count)
{
    uint32_t i = 0, j = 0, common = 0;

    while (i < a_count && j < b_count) {
        common += a[i] == b[j];
        if (a[i] <= b[j])
            j += b[j] == a[i], i++;
        else
            j++;
    }
    return a_count + b_count > common ? (double)common / (a_count + b_count - common) : 0;
}

uint64_t sl_text_numbers(struct sl_view text)
{
    uint64_t hash = 1;
    bool within = false;

    for (size_t at = 0; at < text.size;) {
        int32_t digit = u_charDigitValue((UChar32)sl_utf8_next(text, &at));
        if (digit >= 0)
            hash = sl_hash_stir(hash * 16 + (uint64_t)digit + (within ? 1 : 64));
        within = digit >= 0;
    }
    return hash;
}
