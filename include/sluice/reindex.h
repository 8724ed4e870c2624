/*
 * sluice/reindex.h -- all documents of one generation made anew for another, from the stored texts.
 *
 *     sl_reindex_pass()  compare (generation.h) -> cut, look which vectors can be kept -> encode -> apply, commit
 *
 * A pass does what is left to do: what a pass before it did, in this process or a killed one, is not done again.
 * The same function serves sluiced, which goes on writing the old generation meanwhile, and `sluicectl reindex`.
 */
#ifndef SLUICE_REINDEX_H
#define SLUICE_REINDEX_H

#include <sluice/ingest.h>

/* What passes have done; the caller zeroes it once. */
struct sl_reindex_counts {
    uint64_t keys;      /* looked at by this pass */
    uint64_t keys_total; /* rows of keys in the old generation, about */
    uint64_t documents; /* made anew */
    uint64_t moved;     /* versions, tombstones and removals carried over */
    uint64_t left_out;  /* documents that cannot be in the new generation */
    uint64_t texts;     /* embedded */
    uint64_t kept;      /* windows that kept their vector */
};

struct sl_reindex {
    struct sl_index *from, *to;
    struct sl_ingest_options ingest; /* of the new generation's pipeline */
    void *context;
    /* texts[count] -> vectors float[count][dim], as sl_embedder_ops.encode; SL_REJECT: one of them can never work. */
    enum sl_err (*encode)(void *context, const struct sl_view *texts, uint32_t count, float *vectors,
                          struct sl_error *err);
    /* Told after each commit; false: stop. */
    bool (*progress)(void *context, const struct sl_reindex_counts *counts);
    /* A document that is in the old generation and cannot be in the new one, and why. May be NULL. */
    void (*left_out)(void *context, struct sl_view topic, struct sl_view key,
                     const struct sl_error *why);
};

/*
 * Compare the two generations from one end to the other, and bring what differs into the new one.
 *
 * Pre:     no batch of `to` is open. `from` may be written meanwhile by another thread.
 * Post:    SL_OK: the new one has, of each key, the version that the old one had at some moment during the pass.
 *          *ret_changed keys differed: 0, and nothing written to `from` meanwhile, means that they are in line.
 *          Not SL_OK: what was committed stays, and the next pass goes on.
 * Owns:    nothing changes hands.
 * Thread:  any, one pass at a time; it writes `to` alone.
 * Blocks:  CPU, disk; whatever encode() does.
 * Errors:  SL_AGAIN  cancelled (progress() said stop); what encode() says; busy
 *          SL_STOP   as sl_batch_commit(), of `to`; corrupt, also when a document of `from` is damaged; memory
 */
enum sl_err sl_reindex_pass(const struct sl_reindex *reindex, struct sl_reindex_counts *counts,
                            uint64_t *ret_changed, struct sl_error *err);

/*
 * Bytes of disk to ask for before the first pass.
 *
 * Owns:    nothing changes hands. Thread: any. Blocks: page faults.
 * Errors:  as sl_snapshot_open(), sl_snapshot_stats()
 */
enum sl_err sl_reindex_room(struct sl_index *from, uint64_t *ret_bytes, struct sl_error *err);

#endif /* SLUICE_REINDEX_H */
