/* vectors.h -- files of vectors: .fvecs and .ivecs, rows of a length and so many 4-byte values. */
#ifndef SLUICE_BENCH_VECTORS_H
#define SLUICE_BENCH_VECTORS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Rows of one length. */
struct vectors {
    void *values; /* float or int32_t [count][dim] */
    uint32_t count;
    uint32_t dim;
};

/* 0, or an exit code; the message has gone to standard error. At most `limit` rows. */
int vectors_read(const char *path, uint32_t limit, struct vectors *ret_vectors);

/* Append a row of numbers to an .ivecs file. */
void vectors_write_row(FILE *file, const uint32_t *numbers, uint32_t count);

static inline const float *vector_at(const struct vectors *vectors, uint32_t at)
{
    return (const float *)vectors->values + (size_t)at * vectors->dim;
}

#endif
