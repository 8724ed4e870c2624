/*
 * vectors.c -- files of vectors.
 *
 * Read whole into memory, in the formats of the TEXMEX sets that most public sets of vectors come
 * in. A file is believed only if every row has the length of the first.
 */
#include "vectors.h"

#include <stdlib.h>

#include <sluice/error.h>
#include <sluice/limits.h>

static int add_row(FILE *file, uint32_t dim, uint32_t *capacity, struct vectors *vectors)
{
    if (dim == 0 || dim > SL_DIM_MAX || (vectors->count > 0 && dim != vectors->dim))
        return SL_EXIT_DATA;
    vectors->dim = dim;
    if (vectors->count == *capacity) {
        void *values;
        *capacity = *capacity * 2 + 1024;
        values = realloc(vectors->values, (size_t)*capacity * dim * 4);
        if (values == NULL)
            return SL_EXIT_OS;
        vectors->values = values;
    }
    if (fread((char *)vectors->values + (size_t)vectors->count * dim * 4, 4, dim, file) != dim)
        return SL_EXIT_DATA;
    vectors->count++;
    return SL_EXIT_OK;
}

int vectors_read(const char *path, uint32_t limit, struct vectors *ret_vectors)
{
    FILE *file = fopen(path, "rb");
    struct vectors vectors = {0};
    uint32_t dim, capacity = 0;
    int code = SL_EXIT_OK;

    if (file == NULL) {
        (void)fprintf(stderr, "sluice-bench: cannot open %s\n", path);
        return SL_EXIT_NOINPUT;
    }
    while (code == SL_EXIT_OK && vectors.count < limit && fread(&dim, sizeof dim, 1, file) == 1)
        code = add_row(file, dim, &capacity, &vectors);
    (void)fclose(file);
    if (code == SL_EXIT_OK && vectors.count > 0) {
        *ret_vectors = vectors;
        return SL_EXIT_OK;
    }
    (void)fprintf(stderr, "sluice-bench: %s: %s (row %u)\n", path,
                  code == SL_EXIT_OS ? "out of memory" : "not a vector file", vectors.count);
    free(vectors.values);
    return code == SL_EXIT_OS ? code : SL_EXIT_DATA;
}

void vectors_write_row(FILE *file, const uint32_t *numbers, uint32_t count)
{
    (void)fwrite(&count, sizeof count, 1, file);
    (void)fwrite(numbers, sizeof *numbers, count, file);
}
