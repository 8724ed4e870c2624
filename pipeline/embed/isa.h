/*
 * isa.h -- instruction sets that code is compiled for beside the one of the whole program: their
 * attributes, and whether the processor this runs on has them.
 */
#ifndef SLUICE_EMBED_ISA_H
#define SLUICE_EMBED_ISA_H

#include <stdbool.h>

#if defined(__x86_64__)

#define SL_ISA_AVX2   "avx2,fma"
#define SL_ISA_AVX512 "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"

static inline bool sl_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static inline bool sl_has_avx512(void)
{
    return sl_has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

#endif
#endif
