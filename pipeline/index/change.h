/* change.h -- a document on its way from one version to the next: what apply.c and match.c share.
 */
#ifndef SLUICE_INDEX_CHANGE_H
#define SLUICE_INDEX_CHANGE_H

#include "index/internal.h"

#define SL_CHUNK_NONE UINT32_MAX

struct sl_old_chunk {
    struct sl_chunk_head head;
    struct sl_window_row *windows;
    bool *kept; /* [window_count] */
    struct sl_view row;
    struct sl_view terms;
    uint64_t signature;
    bool taken;
};

/* Where an old window is, to be found by hash. */
struct sl_old_window {
    uint8_t hash[SL_HASH_BYTES];
    uint32_t chunk;
    uint32_t window;
};

struct sl_change {
    struct sl_batch *batch;
    uint32_t document;
    struct sl_old_chunk *old;
    uint32_t old_count;
    struct sl_old_window *windows; /* sorted by hash */
    uint32_t window_count;
    uint32_t *match; /* per new chunk: the old one whose number it takes over */
    bool same_text;  /* what copies hang on stays what it was */
    bool leaves;     /* the old chunks stay, for `heir` */
    uint32_t heir;
    bool near; /* the heir's are others */
    struct sl_error *err;
};

/* Read the chunks of the version that is stored under change->document. */
enum sl_err sl_change_load(struct sl_change *change, uint32_t chunk_count);
/* The first of their windows that has this hash, or NULL. */
const struct sl_old_window *sl_change_window(const struct sl_change *change,
                                             const uint8_t hash[SL_HASH_BYTES]);
/* Which old chunk's number each new one takes over. */
enum sl_err sl_change_match(struct sl_change *change, const struct sl_prepared *prepared);

#endif /* SLUICE_INDEX_CHANGE_H */
