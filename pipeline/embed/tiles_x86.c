/*
 * tiles_x86.c -- products by the instructions that x86-64 processors have for bf16 and 8-bit
 * values.
 *
 * VDPBF16PS and VPDPBUSD do a whole group of 4 bytes in each lane: two products of bf16, or four of
 * unsigned with signed bytes, added to a sum of 32 bits that never saturates.
 *
 * Known weakness: AMX, whose tiles are wider still, is not used; processors that have it have
 * AVX512_BF16 too.
 */
#include "embed/tiles.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#include <string.h>

#include "embed/isa.h"
#include "embed/tile_rows.h"

#define ROWS_512 14 /* of 32 registers: 28 sums, two groups of the panel, one of a row */
#define ROWS_256 6  /* of 16: 12 sums */

static inline __attribute__((always_inline)) int group_at(const unsigned char *at)
{
    int group;

    memcpy(&group, at, sizeof group);
    return group;
}

/* One product: `rows` rows of two registers that begin at `from`, `bytes` bytes each. */
#define BLOCK(name, target_words, most, sum_type, ZERO, word_type, LOAD, SPREAD, SUM, STORE,       \
              bytes)                                                                               \
    __attribute__((target(target_words), always_inline)) static inline void name##_block(          \
        const unsigned char *a, size_t a_stride, const unsigned char *panel, uint32_t depth,       \
        uint32_t rows, unsigned char *ret, size_t ret_stride)                                      \
    {                                                                                              \
        sum_type sums[most][2];                                                                    \
        SL_UNROLL for (uint32_t r = 0; r < rows; r++) sums[r][0] = sums[r][1] = ZERO();            \
        for (uint32_t d = 0; d < depth; d++) {                                                     \
            const word_type first = LOAD(panel), second = LOAD(panel + bytes);                     \
            SL_UNROLL for (uint32_t r = 0; r < rows; r++)                                          \
            {                                                                                      \
                const word_type x = SPREAD(group_at(a + r * a_stride));                            \
                sums[r][0] = SUM(sums[r][0], x, first);                                            \
                sums[r][1] = SUM(sums[r][1], x, second);                                           \
            }                                                                                      \
            a += SL_TILE_GROUP_BYTES;                                                              \
            panel += SL_TILE_COLUMNS * SL_TILE_GROUP_BYTES;                                        \
        }                                                                                          \
        SL_UNROLL for (uint32_t r = 0; r < rows; r++)                                              \
        {                                                                                          \
            STORE(ret + r * ret_stride, sums[r][0]);                                               \
            STORE(ret + r * ret_stride + bytes, sums[r][1]);                                       \
        }                                                                                          \
    }

#define MULTIPLY(name, target_words, FOR_ROWS, bytes)                                              \
    __attribute__((target(target_words))) static void name(                                        \
        const void *a, size_t a_stride, const void *panel, uint32_t depth, uint32_t rows,          \
        void *ret, size_t ret_stride)                                                              \
    {                                                                                              \
        for (size_t byte = 0; byte < SL_TILE_COLUMNS * SL_TILE_GROUP_BYTES; byte += 2 * (bytes)) { \
            const unsigned char *from = (const unsigned char *)panel + byte;                       \
            unsigned char *to = (unsigned char *)ret + byte;                                       \
            switch (rows) {                                                                        \
                FOR_ROWS(name##_block)                                                             \
            }                                                                                      \
        }                                                                                          \
    }

#define LOAD_512(at)        _mm512_loadu_si512((const void *)(at))
#define STORE_I512(at, sum) _mm512_storeu_si512((void *)(at), sum)
#define STORE_F512(at, sum) _mm512_storeu_ps((void *)(at), sum)
#define LOAD_256(at)        _mm256_loadu_si256((const __m256i *)(const void *)(at))
#define STORE_I256(at, sum) _mm256_storeu_si256((__m256i *)(void *)(at), sum)
#define SUM_BF16(sum, x, y) _mm512_dpbf16_ps(sum, (__m512bh)(x), (__m512bh)(y))

#define BF16_512 "avx512bf16," SL_ISA_AVX512
#define VNNI_512 "avx512vnni," SL_ISA_AVX512
#define VNNI_256 "avxvnni," SL_ISA_AVX2

BLOCK(bf16_512, BF16_512, ROWS_512, __m512, _mm512_setzero_ps, __m512i, LOAD_512, _mm512_set1_epi32,
      SUM_BF16, STORE_F512, 64)
MULTIPLY(bf16_512, BF16_512, SL_ROWS_14, 64)

BLOCK(vnni_512, VNNI_512, ROWS_512, __m512i, _mm512_setzero_si512, __m512i, LOAD_512,
      _mm512_set1_epi32, _mm512_dpbusd_epi32, STORE_I512, 64)
MULTIPLY(vnni_512, VNNI_512, SL_ROWS_14, 64)

/* The same in 256 bits, twice: as AVX_VNNI encodes it, and as AVX512_VL does. The second is never
 * the best, but shows on more processors that both are right. */
BLOCK(vnni_256, VNNI_256, ROWS_256, __m256i, _mm256_setzero_si256, __m256i, LOAD_256,
      _mm256_set1_epi32, _mm256_dpbusd_avx_epi32, STORE_I256, 32)
MULTIPLY(vnni_256, VNNI_256, SL_ROWS_6, 32)

BLOCK(vnni_vl, VNNI_512, ROWS_256, __m256i, _mm256_setzero_si256, __m256i, LOAD_256,
      _mm256_set1_epi32, _mm256_dpbusd_epi32, STORE_I256, 32)
MULTIPLY(vnni_vl, VNNI_512, SL_ROWS_6, 32)

static bool has_bf16_512(void)
{
    return sl_has_avx512() && __builtin_cpu_supports("avx512bf16");
}

static bool has_vnni_512(void)
{
    return sl_has_avx512() && __builtin_cpu_supports("avx512vnni");
}

/* Not every compiler's __builtin_cpu_supports knows the name: leaf 7.1, EAX bit 4. */
static bool has_vnni_256(void)
{
    unsigned int eax, ebx, ecx, edx;

    return sl_has_avx2() && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax & 1u << 4);
}

const struct sl_tile sl_tiles_x86[] = {
    {"avx512_bf16", SL_PRECISION_BF16, true, ROWS_512, has_bf16_512, bf16_512},
    {"avx512_vnni", SL_PRECISION_INT8, true, ROWS_512, has_vnni_512, vnni_512},
    {"avx_vnni", SL_PRECISION_INT8, true, ROWS_256, has_vnni_256, vnni_256},
    {"avx512_vnni in 256 bits", SL_PRECISION_INT8, true, ROWS_256, has_vnni_512, vnni_vl},
    {.name = NULL},
};
#endif
