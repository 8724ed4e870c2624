/*
 * tile_body.h -- one set of tiles, in vectors of LANES lanes; included by tiles.c once for each
 * instruction set.
 *
 * The compiler's vector extension stands for the registers, so the vectors must be those of the
 * instruction set: wider ones end up in memory. SET names the set, TARGET is its attribute, ROWS
 * and VECTORS shape the block of sums that is kept in registers: ROWS rows of VECTORS vectors.
 */
#define JOIN_(a, b) a##_##b
#define JOIN(a, b)  JOIN_(a, b)
#define NAME(name)  JOIN(name, SET)
#define STEP        (LANES * VECTORS) /* columns done at once */

typedef float NAME(floats) __attribute__((vector_size(LANES * 4)));
typedef int32_t NAME(ints) __attribute__((vector_size(LANES * 4)));
typedef uint32_t NAME(words) __attribute__((vector_size(LANES * 4)));
typedef NAME(words) NAME(loose) __attribute__((aligned(4), may_alias)); /* in memory */

#define floats NAME(floats)
#define ints   NAME(ints)
#define words  NAME(words)
#define loose  NAME(loose)

/* The body of every product: zero sums, `SUM(r, v)` for each group of the depth, sums out. */
#define PRODUCT(type, SPREAD, SUM)                                                                 \
    type sums[ROWS][VECTORS];                                                                      \
    SL_UNROLL for (uint32_t r = 0; r < rows; r++) SL_UNROLL for (uint32_t v = 0; v < VECTORS; v++) \
        sums[r][v] = (type){0};                                                                    \
    for (uint32_t d = 0; d < depth; d++, a += SL_TILE_GROUP_BYTES, panel += SL_TILE_COLUMNS) {     \
        words group[VECTORS];                                                                      \
        SL_UNROLL for (uint32_t v = 0; v < VECTORS; v++) group[v] =                                \
            ((const loose *)(const void *)panel)[v];                                               \
        SL_UNROLL for (uint32_t r = 0; r < rows; r++)                                              \
        {                                                                                          \
            const unsigned char *at = a + r * a_stride;                                            \
            SPREAD;                                                                                \
            SL_UNROLL for (uint32_t v = 0; v < VECTORS; v++) SUM;                                  \
        }                                                                                          \
    }                                                                                              \
    SL_UNROLL for (uint32_t r = 0; r < rows; r++)                                                  \
        SL_UNROLL for (uint32_t v = 0; v < VECTORS;                                                \
                       v++)((loose *)(void *)(ret + r * ret_stride))[v] = (words)sums[r][v]

INLINE void NAME(f32_block)(const unsigned char *a, size_t a_stride, const uint32_t *panel,
                            uint32_t depth, uint32_t rows, unsigned char *ret, size_t ret_stride)
{
    PRODUCT(floats, const float x = float_at(at), sums[r][v] += x * (floats)group[v]);
}

INLINE void NAME(bf16_block)(const unsigned char *a, size_t a_stride, const uint32_t *panel,
                             uint32_t depth, uint32_t rows, unsigned char *ret, size_t ret_stride)
{
    PRODUCT(floats, const float x = bf16_at(at);
            const float y = bf16_at(at + 2),
            sums[r][v] += x * (floats)(group[v] << 16) + y * (floats)(group[v] & 0xffff0000u));
}

INLINE void NAME(int8_block)(const unsigned char *a, size_t a_stride, const uint32_t *panel,
                             uint32_t depth, uint32_t rows, unsigned char *ret, size_t ret_stride)
{
    PRODUCT(ints, ,
            sums[r][v] += ((ints)(group[v] << 24) >> 24) * at[0] +
                          ((ints)(group[v] << 16) >> 24) * at[1] +
                          ((ints)(group[v] << 8) >> 24) * at[2] + ((ints)group[v] >> 24) * at[3]);
}

#define MULTIPLY(precision)                                                                        \
    TARGET static void NAME(precision)(const void *a, size_t a_stride, const void *panel,          \
                                       uint32_t depth, uint32_t rows, void *ret,                   \
                                       size_t ret_stride)                                          \
    {                                                                                              \
        for (uint32_t column = 0; column < SL_TILE_COLUMNS; column += STEP) {                      \
            const uint32_t *from = (const uint32_t *)panel + column;                               \
            unsigned char *to = (unsigned char *)ret + column * sizeof(float);                     \
            switch (rows) {                                                                        \
                FOR_ROWS(NAME(precision##_block))                                                  \
            }                                                                                      \
        }                                                                                          \
    }

MULTIPLY(f32)
MULTIPLY(bf16)
MULTIPLY(int8)

#undef MULTIPLY
#undef PRODUCT
#undef floats
#undef ints
#undef words
#undef loose
#undef STEP
#undef NAME
#undef JOIN
#undef JOIN_
#undef SET
#undef TARGET
#undef LANES
#undef VECTORS
#undef ROWS
#undef FOR_ROWS
