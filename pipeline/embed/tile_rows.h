/*
 * tile_rows.h -- how a tile gets a body for every number of rows, each with its loops unrolled and
 * its sums in registers: FOR_ROWS(block) is the cases of a switch over `rows`.
 */
#ifndef SLUICE_EMBED_TILE_ROWS_H
#define SLUICE_EMBED_TILE_ROWS_H

#if defined(__clang__)
#define SL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define SL_UNROLL _Pragma("GCC unroll 16")
#endif

#define SL_ROWS_CASE(n, block)                                                                     \
    case n:                                                                                        \
        block(a, a_stride, from, depth, n, to, ret_stride);                                        \
        break;
#define SL_ROWS_2(block) SL_ROWS_CASE(1, block) SL_ROWS_CASE(2, block)
#define SL_ROWS_6(block)                                                                           \
    SL_ROWS_2(block)                                                                               \
    SL_ROWS_CASE(3, block) SL_ROWS_CASE(4, block) SL_ROWS_CASE(5, block) SL_ROWS_CASE(6, block)
#define SL_ROWS_14(block)                                                                          \
    SL_ROWS_6(block)                                                                               \
    SL_ROWS_CASE(7, block)                                                                         \
    SL_ROWS_CASE(8, block)                                                                         \
    SL_ROWS_CASE(9, block)                                                                         \
    SL_ROWS_CASE(10, block)                                                                        \
    SL_ROWS_CASE(11, block)                                                                        \
    SL_ROWS_CASE(12, block) SL_ROWS_CASE(13, block) SL_ROWS_CASE(14, block)

#endif
