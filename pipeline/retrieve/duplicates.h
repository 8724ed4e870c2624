/* duplicates.h -- copies of what was found already. */
#ifndef SLUICE_DUPLICATES_H
#define SLUICE_DUPLICATES_H

#include <sluice/retrieve.h>

/* What counts as a copy of a better result. */
enum sl_copies {
    SL_COPIES_NONE = 0, /* nothing: all are kept */
    SL_COPIES_EXACT,    /* the same words in the same order, title included */
    SL_COPIES_NEAR      /* most of the same pairs of words */
};

/*
 * Drop each result that is a copy of a better one, and count it there (`duplicates`), with the copies
 * that are stored of each (sl_snapshot_copies()). Looks at results until `wanted` are kept; what comes after is cut off.
 *
 * Pre:     results[*count] are sorted, best first.
 * Post:    *count <= wanted; order is kept; without copies the first `wanted` results are as they
 * were. Owns:    nothing; works in `arena`. Thread:  the snapshot's. Blocks:  page faults; CPU:
 * about 10 us a result. Errors:  SL_REJECT too_large; SL_STOP corrupt
 */
enum sl_err sl_duplicates_drop(const struct sl_snapshot *snapshot, enum sl_copies copies,
                               uint32_t wanted, struct sl_arena *arena, struct sl_result *results,
                               uint32_t *count, struct sl_error *err);

/* Which of the stored copies of a result are results themselves. */
struct sl_listing {
    const struct sl_filter *filter;       /* each must match it, the original too; NULL: all do */
    const struct sl_selection *selection; /* what it selects, and the originals of that; NULL with `filter` */
    bool all;     /* all that match; else one, and that only where the original does not */
    bool judged;  /* also those whose text is only nearly the original's: they are counted, not quoted */
};

/*
 * Put the copies that are stored of each result (sl_snapshot_copies()) after it, with its scores and chunk, and the
 * result itself away where the filter selects only copies of it. What is listed is not counted (`duplicates`).
 *
 * Post:    *ret_results has room for k; *count <= k. A result that no listed copy can stand for stays.
 * Owns:    nothing; works in `arena`. Thread: the snapshot's. Blocks: page faults.
 * Errors:  SL_REJECT too_large; SL_STOP corrupt
 */
enum sl_err sl_duplicates_list(const struct sl_snapshot *snapshot, const struct sl_listing *listing,
                               uint32_t k, struct sl_arena *arena, struct sl_result **results,
                               uint32_t *count, struct sl_error *err);

/* For tests: the share of word pairs two texts have in common, 0 to 1. -1: no memory. */
double sl_duplicates_likeness(struct sl_view a, struct sl_view b, struct sl_arena *arena);

#endif
