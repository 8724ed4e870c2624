/*
 * unpack.c -- chunk numbers of a block from their packed differences.
 *
 * Eight differences of b bits are b bytes, so all groups of eight look alike. With AVX2, bytes of
 * four of them are shuffled into the four lanes of each half of a register, shifted and masked, and
 * added up across it: a fifth of the time of one after the other.
 *
 * Rejected: AVX-512 (its own shuffles would save two instructions of twenty), gathers (as slow as
 * one after the other on Zen).
 */
#include "index/unpack.h"

bool sl_unpack_ascending_scalar(const char *bytes, uint32_t bits, uint32_t first, uint32_t count,
                                uint32_t *ret_list)
{
    uint64_t number = first;

    ret_list[0] = first;
    for (uint32_t i = 1; i < count; i++) {
        number += 1 + (uint64_t)sl_unpack(bytes, (i - 1) * bits, bits);
        ret_list[i] = (uint32_t)number;
    }
    return number <= UINT32_MAX;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))
#define BITS_MAX                                                                                   \
    24u /* with the 7 before them within 32; 127 of them do not come round to `first` */

/* Where the eight differences of a group lie: bytes for the shuffle in each half, and bits then. */
struct group {
    __m256i bytes, shifts, mask;
    uint32_t upper; /* byte that the upper half begins with */
};

AVX2 static struct group group_of(uint32_t bits)
{
    __m256i place =
        _mm256_mullo_epi32(_mm256_set1_epi32((int)bits), _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3));
    int odd = (int)(4 * bits % 8);

    place = _mm256_add_epi32(place, _mm256_setr_epi32(0, 0, 0, 0, odd, odd, odd, odd));
    return (struct group){
        .bytes = _mm256_add_epi32(
            _mm256_mullo_epi32(_mm256_srli_epi32(place, 3), _mm256_set1_epi32(0x01010101)),
            _mm256_set1_epi32(0x03020100)),
        .shifts = _mm256_and_si256(place, _mm256_set1_epi32(7)),
        .mask = _mm256_set1_epi32((int)((1u << bits) - 1)),
        .upper = bits / 2,
    };
}

/* Each lane plus all before it. */
AVX2 static __m256i add_up(__m256i values)
{
    __m256i carry;

    values = _mm256_add_epi32(values, _mm256_slli_si256(values, 4));
    values = _mm256_add_epi32(values, _mm256_slli_si256(values, 8));
    carry = _mm256_permutevar8x32_epi32(values, _mm256_set1_epi32(3));
    return _mm256_add_epi32(values, _mm256_blend_epi32(_mm256_setzero_si256(), carry, 0xF0));
}

/* Lane 0 of a register is the number before the group's own differences. */
AVX2 static bool unpack_avx2(const char *bytes, uint32_t bits, uint32_t first, uint32_t count,
                             uint32_t *ret_list)
{
    struct group group = group_of(bits);
    __m256i base = _mm256_set1_epi32((int)(first - 1)), one = _mm256_set1_epi32(1);
    uint32_t before = 0; /* difference that the group before ended with */

    for (uint32_t i = 0; i < count; i += 8, bytes += bits) {
        __m128i low = _mm_loadu_si128((const void *)bytes);
        __m128i high = _mm_loadu_si128((const void *)(bytes + group.upper));
        __m256i values = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
        __m256i shifted;
        values = _mm256_srlv_epi32(_mm256_shuffle_epi8(values, group.bytes), group.shifts);
        values = _mm256_and_si256(values, group.mask);
        shifted = _mm256_permutevar8x32_epi32(values, _mm256_setr_epi32(7, 0, 1, 2, 3, 4, 5, 6));
        shifted = _mm256_blend_epi32(shifted, _mm256_set1_epi32((int)before), 1);
        before = (uint32_t)_mm256_extract_epi32(values, 7);
        shifted = _mm256_add_epi32(base, add_up(_mm256_add_epi32(shifted, one)));
        _mm256_storeu_si256((void *)(ret_list + i), shifted);
        base = _mm256_permutevar8x32_epi32(shifted, _mm256_set1_epi32(7));
    }
    return ret_list[count - 1] >= first;
}
#endif

bool sl_unpack_ascending(const char *bytes, uint32_t bits, uint32_t first, uint32_t count,
                         uint32_t *ret_list)
{
#if defined(__x86_64__)
    if (bits <= BITS_MAX && __builtin_cpu_supports("avx2"))
        return unpack_avx2(bytes, bits, first, count, ret_list);
#endif
    return sl_unpack_ascending_scalar(bytes, bits, first, count, ret_list);
}
