/* holes.h -- blocks of free pages go back to the file system. */
#ifndef SLUICE_HOLES_H
#define SLUICE_HOLES_H

#include <stdbool.h>
#include <stddef.h>

struct sl_free_pages {
    size_t *list;
    size_t count;
    size_t capacity;
};

/*
 * Make holes of the longest runs of these pages, a bounded number of them; a file system that cannot is left alone.
 * Sorts the list. true: there are more.
 *
 * Pre: nobody reads these pages before they are written again.
 */
bool sl_holes_punch(int fd, struct sl_free_pages *pages, size_t page_bytes);

#endif /* SLUICE_HOLES_H */
