/*
 * sluice/generation.h -- several generations of one index in one directory: one that answers, one that is being
 * filled to take its place, and those that were in use before.
 *
 * WHERE IT SITS    index.h reads and writes one generation. Here a second one is begun beside it, brought in line
 *     with it step by step, and put in its place. reindex.h makes its documents; nothing here knows how.
 *
 *     current   answers, and is written. CURRENT names it first.
 *     building  has another format or fingerprint; filled while the current one goes on.
 *     retired   was current. Never opened for writing; kept until it is dropped, or current again.
 *
 * WHAT IS ALWAYS TRUE (continued from index.h; tests bear the numbers)
 *
 *     I15 A generation has one fingerprint, that of all its documents, and a switch changes it in one step together
 *         with all of them: a snapshot never sees documents of two.
 *     I16 After a switch the new generation holds the keys, versions, texts, tombstones, positions and rows that the
 *         old one had, and nothing else, whatever was written to the old one meanwhile.
 *     I17 Killed at any moment of begin, carrying, switch, rollback or drop, the directory opens with the generation
 *         that was current before or after; what was carried into the building one by then is kept.
 */
#ifndef SLUICE_GENERATION_H
#define SLUICE_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/arena.h>
#include <sluice/error.h>
#include <sluice/view.h>

struct sl_batch;
struct sl_index;
struct sl_index_options;
struct sl_prepared;
struct sl_snapshot;
struct sl_sweep;

#define SL_RETIRED_MAX     6u /* kept at once */
#define SL_GENERATIONS_MAX (SL_RETIRED_MAX + 2u)

enum sl_generation_state { SL_GENERATION_CURRENT = 1, SL_GENERATION_BUILDING, SL_GENERATION_RETIRED };

struct sl_generation {
    uint32_t number; /* of its environment: 4 is env.4 */
    enum sl_generation_state state;
};

/* Owns: static text. Thread: any. Blocks: no. Errors: none. "current", "building", "retired". */
const char *sl_generation_word(enum sl_generation_state state);

/*
 * The generations in a directory: current, building, retired (oldest first).
 *
 * Owns:    nothing changes hands.
 * Shape:   ret_list is struct sl_generation[SL_GENERATIONS_MAX].
 * Thread:  any, of any process.
 * Blocks:  disk, briefly.
 * Errors:  SL_STOP  not_found (66), corrupt (65), permission (77), io (74)
 */
enum sl_err sl_generation_list(const char *path, struct sl_generation *ret_list, uint32_t *ret_count,
                               struct sl_error *err);

/*
 * Bytes of disk that the generations of that state take.
 *
 * Owns:    nothing changes hands. Thread: any. Blocks: disk, briefly.
 * Errors:  0
 */
uint64_t sl_generation_bytes(const char *path, enum sl_generation_state state);

/*
 * Begin a generation by `options` (dim, metric, m, storage, fingerprint; path and read_only are not looked at), or
 * go on with the one that is there when it was begun by the same. One that was begun by others is thrown away.
 *
 * Pre:     no batch of `index` is open, and none is begun until this returns.
 * Post:    SL_OK: *ret_building may be written by a thread of its own. *ret_resumed: it may hold documents.
 * Owns:    caller gets *ret_building: sl_generation_switch(), sl_generation_abandon() or sl_index_close(), which
 *          keeps it on disk. Before `index` is closed.
 * Thread:  the indexer's.
 * Blocks:  disk; to go on: reads the building one's file.
 * Errors:  SL_STOP  disk_full (74): fewer than needed_bytes are free; retired (75): SL_RETIRED_MAX are kept already;
 *                   io (74), memory (71)
 */
enum sl_err sl_generation_begin(struct sl_index *index, const struct sl_index_options *options,
                                uint64_t needed_bytes, struct sl_index **ret_building,
                                bool *ret_resumed, struct sl_error *err);

/*
 * Throw it away, files and all. NULL is fine. Always returns NULL.
 *
 * Owns:    consumes `building`.
 * Thread:  the indexer's, nobody else using it.
 * Blocks:  disk.
 * Errors:  none: what cannot be removed goes when the directory is next opened.
 */
struct sl_index *sl_generation_abandon(struct sl_index *index, struct sl_index *building);

enum sl_difference_kind {
    SL_DIFFERS_DOCUMENT = 1, /* is to be made anew from the old one's `doc` */
    SL_DIFFERS_VERSION,      /* its content is there: only its version moved */
    SL_DIFFERS_DELETED,      /* a tombstone is to be left */
    SL_DIFFERS_GONE          /* the old one does not know the key */
};

/* A key whose row in the two generations is not the same. */
struct sl_difference {
    enum sl_difference_kind kind;
    uint64_t doc; /* sl_doc_id in the old one; DOCUMENT only */
    struct sl_view topic, key;
    int32_t partition; /* of the version to be, as the old one has it */
    int64_t offset;
    int64_t timestamp_ms;
    bool doubtful;
};

/*
 * Walk on over the keys of both, and list those that differ: another version, or (imports) another content.
 *
 * Post:    *walk is where the next step goes on; it is done when walk->done. Looks at no more than 65,536 keys.
 * Owns:    texts of the list live in `arena`.
 * Shape:   ret_list is struct sl_difference[most].
 * Thread:  that of both snapshots.
 * Blocks:  CPU, page faults.
 * Errors:  SL_STOP  corrupt, memory
 */
enum sl_err sl_generation_compare(const struct sl_snapshot *from, const struct sl_snapshot *to,
                                  struct sl_sweep *walk, struct sl_arena *arena, uint32_t most,
                                  struct sl_difference *ret_list, uint32_t *ret_count,
                                  uint64_t *ret_keys, struct sl_error *err);

/*
 * Bring one difference into the building generation: for SL_DIFFERS_DOCUMENT the document as `prepared`, or NULL
 * when it cannot be one there: its key gets a tombstone of that version, and differs no more.
 *
 * Owns:    consumes `prepared` on SL_OK; not on SL_AGAIN.
 * Thread:  the one that began the batch.
 * Blocks:  CPU; may read disk.
 * Errors:  SL_AGAIN  window_gone, as sl_batch_apply()
 *          SL_STOP   map_full (74), io (74), corrupt, memory
 */
enum sl_err sl_batch_carry(struct sl_batch *batch, const struct sl_difference *difference,
                           struct sl_prepared *prepared, struct sl_error *err);

/*
 * Put `building` in the place of what `index` is: positions and the small tables are copied (but for the rows of
 * SL_TABLE_NOTE that begin with "generation", which say what each of them is), then CURRENT is swapped.
 *
 * Pre:     no batch of either is open. Every key was compared, and nothing written to `index` since.
 * Post:    SL_OK: `index` is the new generation; snapshots that are open go on with the old one, which is retired.
 *          Prepared documents of the old one get SL_AGAIN from sl_batch_apply(). `building` is freed.
 *          Not SL_OK: as before the call; after io `index` may have to be closed.
 * Owns:    consumes `building` on SL_OK.
 * Thread:  the indexer's; snapshots of `index` are opened, read and closed meanwhile by others.
 * Blocks:  disk: copies the tables, two syncs.
 * Errors:  SL_STOP  disk_full, map_full, io (74); corrupt; memory
 */
enum sl_err sl_generation_switch(struct sl_index *index, struct sl_index *building,
                                 struct sl_error *err);

/*
 * Make a retired generation the current one on disk; the current one is retired. `index` goes on as it is, without
 * writing: it is to be closed, and opened anew.
 *
 * Pre:     no batch is open.
 * Owns:    nothing changes hands.
 * Thread:  the indexer's.
 * Blocks:  disk.
 * Errors:  SL_REJECT  not_found: no retired generation has that number
 *          SL_STOP    io (74)
 */
enum sl_err sl_generation_rollback(struct sl_index *index, uint32_t number, struct sl_error *err);

/*
 * Remove a retired generation, or one that is building and that nobody has open.
 *
 * Pre:     no batch is open.
 * Owns:    nothing changes hands.
 * Thread:  the indexer's.
 * Blocks:  disk.
 * Errors:  SL_REJECT  not_found; in_use: it is the current one
 *          SL_STOP    io (74)
 */
enum sl_err sl_generation_drop(struct sl_index *index, uint32_t number, struct sl_error *err);

/*
 * The fingerprint of what the snapshot sees.
 *
 * Owns:    the text lives as long as the index.
 * Thread:  the snapshot's.
 * Blocks:  no.
 * Errors:  none.
 */
const char *sl_snapshot_fingerprint(const struct sl_snapshot *snapshot);

/*
 * The vector stored for a window of this document, in full: SL_REJECT not_found when it has no such window.
 *
 * Owns:    nothing changes hands.
 * Shape:   ret_vector is float[dim].
 * Thread:  the snapshot's.
 * Blocks:  page faults; a snapshot opened read only loads the graph the first time.
 * Errors:  SL_STOP  corrupt, memory
 */
enum sl_err sl_snapshot_vector(const struct sl_snapshot *snapshot, uint64_t doc, const uint8_t *hash,
                               float *ret_vector, struct sl_error *err);

#endif /* SLUICE_GENERATION_H */
