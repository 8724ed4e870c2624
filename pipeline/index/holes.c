/*
 * holes.c -- blocks of free pages go back to the file system.
 *
 * LMDB's file never shrinks: its free pages wait to be used again. After a large delete, or when one batch let go
 * much of the file, that is space nobody has. A hole in the file gives it back at once, and the bytes of what was
 * deleted with it; the page costs an allocation when it is used again.
 *
 * Short runs are used again first (LMDB takes the lowest numbers), so only long ones become holes; and each hole
 * may wait for the file system's journal, so only so many are made at once.
 *
 * Rejected: truncating the file (its last page is in use as a rule), a hole for each free page (a thousand calls a
 * batch, and a file in as many pieces).
 */
#include "index/holes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define RUN_PAGES_MIN 4u
#define HOLES_AT_ONCE 256u

static int compare_pages(const void *a, const void *b)
{
    const size_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

struct run {
    size_t first;
    size_t count;
};

static int compare_runs(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    return x->count != y->count ? (x->count < y->count) - (x->count > y->count)
                                : (x->first > y->first) - (x->first < y->first);
}

/* Runs of free pages that are worth a hole, the longest first. NULL: out of memory. */
static struct run *find_runs(struct sl_free_pages *pages, size_t *ret_count)
{
    struct run *runs = malloc((pages->count / RUN_PAGES_MIN + 1) * sizeof *runs);

    *ret_count = 0;
    if (runs == NULL || pages->count == 0)
        return runs;
    qsort(pages->list, pages->count, sizeof *pages->list, compare_pages);
    for (size_t at = 0, end; at < pages->count; at = end) {
        for (end = at + 1; end < pages->count && pages->list[end] == pages->list[end - 1] + 1;)
            end++;
        if (end - at >= RUN_PAGES_MIN)
            runs[(*ret_count)++] = (struct run){pages->list[at], end - at};
    }
    qsort(runs, *ret_count, sizeof *runs, compare_runs);
    return runs;
}

bool sl_holes_punch(int fd, struct sl_free_pages *pages, size_t page_bytes)
{
    size_t count, holes = 0;
    struct run *runs = find_runs(pages, &count);

    for (size_t i = 0; i < count && holes < HOLES_AT_ONCE; i++) {
        off_t from = (off_t)(runs[i].first * page_bytes);
        off_t bytes = (off_t)(runs[i].count * page_bytes);
        off_t data = lseek(fd, from, SEEK_DATA);
        if (data < 0 || data >= from + bytes)
            continue; /* a hole already */
        if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, bytes) != 0)
            break; /* this file system cannot */
        holes++;
    }
    free(runs);
    return holes == HOLES_AT_ONCE;
}
