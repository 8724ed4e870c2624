/* print_ids.c -- print_ids MODEL_DIR: the ids of every line of the standard input, a line each.
 * What make_models.py compares with the reference. */
#include <stdio.h>
#include <stdlib.h>

#include "embed/tokenizer.h"

#define IDS_MAX 2000000u

int main(int argc, char **argv)
{
    struct sl_tokenizer *tokenizer = NULL;
    struct sl_error err = {0};
    uint32_t *ids = malloc(IDS_MAX * sizeof *ids);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;

    if (argc != 2 || ids == NULL ||
        sl_tokenizer_open(argv[1], NULL, NULL, &tokenizer, &err) != SL_OK) {
        fprintf(stderr, "print_ids MODEL_DIR: %s\n", err.message);
        return 1;
    }
    while ((size = getline(&line, &capacity, stdin)) > 0) {
        struct sl_view text = {line, (size_t)size - (line[size - 1] == '\n')};
        uint32_t count = sl_tokenizer_ids(tokenizer, text, ids, IDS_MAX);
        for (uint32_t i = 0; i < count; i++)
            printf(i ? " %u" : "%u", ids[i]);
        putchar('\n');
    }
    free(line);
    free(ids);
    sl_tokenizer_close(tokenizer);
    return 0;
}
