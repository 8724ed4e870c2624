/*
 * sluice/index.h -- the durable index: documents, chunks, vectors, postings and stream positions in one
 * LMDB environment that has one writer.
 *
 * WHERE IT SITS    decode -> clean -> chunk -> embed ->  INDEX  -> retrieve -> answer
 *
 *     Nothing here knows about Kafka's protocol or systemd; a position is a number that moves with data.
 *
 * FOUR NOUNS
 *
 *     index     One directory. CURRENT names the environment in use (env.N/).
 *     prepared  One document ready to go in: neighbours found, records encoded. Made by any thread.
 *     batch     One write transaction. At most one exists per index.
 *     snapshot  One frozen, read-only view. Many may exist at once.
 *
 * WHAT IS ALWAYS TRUE (tests that bear the number, as TEST(index_I2_...), prove each line)
 *
 *     I1  A document, its chunks, vectors, links, postings and attributes become visible together, at
 *         commit, or never. A replaced or deleted document is gone in the same instant.
 *     I2  A position becomes visible in the same instant as the documents it accounts for.
 *     I3  Every stored vector has exactly `dim` finite floats; with cosine, an L2 norm within 1e-3 of 1.
 *     I4  What a snapshot may return never changes while it is open. Exact search on it is repeatable;
 *         the order approximate search walks in may differ, for the graph may be newer.
 *     I5  A record applied twice changes nothing: same partition and an offset not above the stored one
 *         is SL_APPLIED_STALE (unless what is stored is in doubt: sl_batch_doubt()).
 *     I6  Every record and slab carries a CRC32C, checked before its content is used.
 *     I7  A live vector is never unreachable from the entry point.
 *     I8  BM25 statistics (documents, lengths, document frequencies) are exact after any history.
 *     I9  A directory of a newer format is refused without a write.
 *     I10 Scores are of the full vectors, also where the walk is on small codes (i8, bit); with f16 and bf16
 *         of the halves that are kept.
 *     I11 Killed at any moment, the directory opens as it was before or after a commit, a compaction or its
 *         creation, and goes on from there.
 *     I12 A search in a selection finds nothing else, and min(k, what is selected) of it.
 *     I13 Compaction and backup keep documents, tombstones, positions, rows, and what a search finds.
 *     I14 A batch that fails or is aborted changes nothing; after map_full and disk_full the index goes on.
 *     I15, I16, I17  see generation.h
 *     I18 A copy has an original of the same digest that is indexed. When that one goes, a copy is in its place at
 *         the same instant: each text of a stored document is found, and found once where copies are collapsed.
 *
 * SHAPES AND UNITS
 *
 *     vector    float[dim], dense, native byte order.
 *     score     greater is better: inner product, cosine, or minus squared L2; BM25 for the lexical leg.
 *
 * THREADS
 *
 *     struct sl_index     share freely between threads of one process.
 *     struct sl_prepared  belongs to one thread at a time.
 *     struct sl_batch     belongs to the thread that began it.
 *     struct sl_snapshot  belongs to one thread at a time.
 *     Snapshots never wait for a batch's disk writes. LMDB cannot recycle pages an open snapshot can see:
 *     close it within one question.
 *
 * CONTRACTS    Where a function says nothing else: Owns: nothing changes hands. Thread: that of the handle it
 *     takes. Blocks: page faults only. Errors: SL_REJECT not_found where something is looked up; SL_STOP
 *     corrupt, memory.
 */
#ifndef SLUICE_INDEX_H
#define SLUICE_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/arena.h>
#include <sluice/chunk.h>
#include <sluice/document.h>
#include <sluice/error.h>
#include <sluice/filter.h>
#include <sluice/generation.h>
#include <sluice/limits.h>
#include <sluice/view.h>

struct sl_index;
struct sl_prepared;
struct sl_batch;
struct sl_snapshot;
struct sl_selection;

enum sl_metric { SL_METRIC_IP = 1, SL_METRIC_COSINE, SL_METRIC_L2 };

/*
 * What of a vector is kept, and what the graph is walked on. i8 and bit walk on small codes that lie beside
 * the full vectors, and compare the best of what they found again on those; f16 and bf16 keep nothing else.
 */
enum sl_storage { SL_STORAGE_F32 = 1, SL_STORAGE_F16, SL_STORAGE_BF16, SL_STORAGE_I8, SL_STORAGE_BIT };

/* Documents that come and are the same as one stored, but for their key and url. */
enum sl_duplicates {
    SL_DUPLICATES_KEEP = 0, /* each is indexed */
    SL_DUPLICATES_EXACT,    /* they are stored, and found through the one that is indexed */
    SL_DUPLICATES_NEAR      /* so are those whose text is nearly the same, with the same numbers in it */
};

struct sl_index_options {
    const char *path;         /* directory; created (0700) unless read_only  */
    uint64_t map_size_bytes;  /* ceiling of the file, mapped once; 0 = 64 GiB */
    uint32_t dim;             /* 0 = no vectors                               */
    enum sl_metric metric;    /* 0 = cosine                                   */
    enum sl_storage storage;  /* 0 = f32                                      */
    uint32_t m;               /* 0 = 16; layer 0 holds 2 m links              */
    uint32_t ef_construction; /* 0 = 200                                      */
    const char *fingerprint;  /* how texts became chunks, terms and vectors; stored at creation, and a
                                 different one is refused. NULL: accept what is there, "" when new */
    bool read_only;           /* beside a running daemon; dim, metric, m come from the file when 0 */
    bool existing;            /* only what is there: nothing is made, and dim comes from the file when 0 */
    enum sl_duplicates duplicates; /* not part of the fingerprint: it is about what comes from now on */
    const struct sl_generation *generation; /* read_only: this one; NULL: the one in use */
};

/*
 * Open the index, creating it when the directory holds none.
 *
 * Owns:    caller gets *ret_index; close it with sl_index_close(). Nothing in `options` is kept.
 * Thread:  any, once per path and process.
 * Blocks:  disk: maps the file, checks meta, reads links and replays the log's tail.
 * Errors:  SL_STOP  locked (73): another process writes here; bad_format (78): newer or foreign format;
 *                   fingerprint (78): made by other settings, naming both; not_found (66): read_only or
 *                   existing, and nothing there; permission (77); corrupt (65); io (74); memory (71)
 */
enum sl_err sl_index_open(const struct sl_index_options *options, struct sl_index **ret_index,
                          struct sl_error *err);

/*
 * Was the index made with what the options ask for: dim, metric, m, storage (0: whatever), fingerprint (NULL:
 * whatever)? For one that was opened as `existing`.
 *
 * Owns:    nothing changes hands.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  SL_STOP  fingerprint (78), naming both
 */
enum sl_err sl_index_matches(const struct sl_index *index, const struct sl_index_options *options,
                             struct sl_error *err);

/*
 * Close and free. NULL is fine. Always returns NULL.
 *
 * Pre:     no batch, snapshot or prepared document of this index is still open.
 * Owns:    consumes `index`.
 * Thread:  the last one to use it.
 * Blocks:  disk: unmaps. Nothing committed is lost.
 * Errors:  none.
 */
struct sl_index *sl_index_close(struct sl_index *index);

/* What the index was made with. The text lives as long as the index. */
uint32_t sl_index_dim(const struct sl_index *index);
const char *sl_index_fingerprint(const struct sl_index *index);
/* "f32", "f16", "bf16", "i8", "bit". */
const char *sl_storage_name(enum sl_storage storage);
/* The storage of that name; 0: there is none. */
enum sl_storage sl_storage_named(const char *name);

/* ---------------------------------------------------------------------------------- writing */

/*
 * Get one document ready: encode its records, and search the neighbours of its new vectors. The batch
 * that applies it only edits links and writes.
 *
 * Pre:     document and chunks as made by decode, chunk and embed; windows with vector == NULL are those
 *          sl_snapshot_has_window() knew. chunks == NULL: it is to be a copy, as sl_snapshot_same() said.
 * Owns:    caller gets *ret_prepared; consumed by sl_batch_apply() or freed by sl_prepared_free(). All
 *          bytes are copied: the document's arena may go.
 * Thread:  any; several at once.
 * Blocks:  CPU: O(log n * ef_construction * dim) a new vector.
 * Errors:  SL_REJECT  bad_vector, too_many_chunks, key_too_long
 *          SL_STOP    memory, corrupt
 */
enum sl_err sl_index_prepare(struct sl_index *index, const struct sl_document *document,
                             const struct sl_chunk *chunks, uint32_t chunk_count,
                             struct sl_prepared **ret_prepared, struct sl_error *err);

/* Bytes it holds, for the byte budget. */
size_t sl_prepared_bytes(const struct sl_prepared *prepared);

/* Free one that was not applied. NULL is fine. Always returns NULL. */
struct sl_prepared *sl_prepared_free(struct sl_prepared *prepared);

/*
 * Begin the one write transaction.
 *
 * Pre:     no batch of this index is open.
 * Owns:    caller gets *ret_batch; end it with commit or abort, exactly once.
 * Thread:  the indexer thread.
 * Blocks:  no (the process holds the directory's lock).
 * Errors:  SL_STOP  memory, io
 */
enum sl_err sl_batch_begin(struct sl_index *index, struct sl_batch **ret_batch,
                           struct sl_error *err);

enum sl_applied {
    SL_APPLIED_INSERTED = 1,
    SL_APPLIED_REPLACED,
    SL_APPLIED_COPIED,    /* inserted, or replaced, as a copy of another document */
    SL_APPLIED_UNCHANGED, /* same content: only the version (partition, offset) moved */
    SL_APPLIED_DELETED,
    SL_APPLIED_ABSENT,    /* a delete of an unknown key; a tombstone row keeps the version */
    SL_APPLIED_STALE      /* an older or equal version: nothing changed */
};

/*
 * Put or replace the prepared document. Records from Kafka win over imported ones (offset -1), and an
 * import wins over an import.
 *
 * Owns:    consumes `prepared` on SL_OK and on SL_REJECT; not on SL_AGAIN.
 * Thread:  the one that began the batch.
 * Blocks:  CPU: link edits; may read disk.
 * Errors:  SL_AGAIN   window_gone: a window it wanted to reuse, or what it was to be a copy of, is no
 *                     longer stored; embed and prepare it again. The batch is still good. generation_gone: it was prepared for a
 *                     generation that is no longer in use: begin anew, from its chunks
 *          SL_STOP    map_full (74), io (74), corrupt, memory: only abort is left
 */
enum sl_err sl_batch_apply(struct sl_batch *batch, struct sl_prepared *prepared,
                           enum sl_applied *ret_applied, struct sl_error *err);

/*
 * Delete every chunk of (topic, key) and keep a tombstone row with the version.
 *
 * Owns:    the views are copied.
 * Thread:  the one that began the batch.
 * Blocks:  CPU: unlinks and reconnects; may read disk.
 * Errors:  SL_STOP  map_full (74), io (74), corrupt, memory
 */
enum sl_err sl_batch_delete(struct sl_batch *batch, struct sl_view topic, struct sl_view key,
                            int32_t partition, int64_t offset, enum sl_applied *ret_applied,
                            struct sl_error *err);

/*
 * When the log of a partition may be another than the one its documents came from, it is read again from its
 * beginning: doubt all that came from it, apply its records (whatever comes wins over what is doubtful), then
 * sweep what is still doubtful, for the log does not hold it any more. All the while every document is found.
 */
#define SL_SWEEP_BYTES_MAX 512u

/* How far a walk over a topic's documents has come. Zeroed: at the beginning. May be stored as it is. */
struct sl_sweep {
    char after[SL_SWEEP_BYTES_MAX]; /* opaque */
    uint32_t after_size;
    uint32_t changed; /* documents and tombstones the last step doubted, or swept */
    bool done;
};

/*
 * One step of doubting all documents and tombstones of the partition, or of sweeping those that are doubtful
 * still. What was imported, or came from another partition, is left alone.
 *
 * Post:    *sweep is where the next step goes on; at most `rows_max` were changed.
 * Owns:    nothing changes hands.
 * Thread:  the one that began the batch.
 * Blocks:  CPU: reads at most 16 rows_max rows; may read disk.
 * Errors:  SL_STOP  map_full (74), io (74), corrupt, memory
 */
enum sl_err sl_batch_doubt(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                           uint32_t rows_max, struct sl_sweep *sweep, struct sl_error *err);
enum sl_err sl_batch_sweep(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                           uint32_t rows_max, struct sl_sweep *sweep, struct sl_error *err);

/* Offsets [first, last] that are done although an earlier one is not. */
struct sl_offset_range {
    int64_t first;
    int64_t last;
};

/* Where one partition stands. Everything below next_offset is done, and so is `completed`. */
struct sl_position {
    int64_t next_offset;
    const struct sl_offset_range *completed;
    uint32_t completed_count;
    int64_t wall_ms; /* all that was written before it is accounted for: to notice a long outage */
    int64_t record_offset; /* fingerprint of a record already done: -1 = none */
    int64_t record_timestamp_ms;
    uint32_t record_crc;
};

/*
 * Store a partition's position in the batch.
 *
 * Owns:    copied.
 * Thread:  the one that began the batch.
 * Blocks:  no.
 * Errors:  SL_STOP  map_full, io, memory
 */
enum sl_err sl_batch_position(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                              const struct sl_position *position, struct sl_error *err);

/* Small tables the daemon keeps beside the data, in the same transactions. Values are opaque. */
enum sl_table {
    SL_TABLE_OUTBOX = 1, /* records waiting to be published: key = 8-byte big-endian sequence */
    SL_TABLE_REPLY,      /* answers already given: key = answer id                            */
    SL_TABLE_NOTE        /* cluster id and other facts: key = short name                      */
};

/*
 * Put (value.data != NULL) or delete (value.data == NULL) one row.
 *
 * Pre:     1 <= key.size <= 400.
 * Owns:    copied.
 * Thread:  the one that began the batch.
 * Blocks:  no.
 * Errors:  SL_STOP  map_full, io, memory
 */
enum sl_err sl_batch_row(struct sl_batch *batch, enum sl_table table, struct sl_view key,
                         struct sl_view value, struct sl_error *err);

/*
 * Take every document out of the index of which a record was found damaged (sl_index_damaged()), with
 * whatever of it is left. Its key takes the same record again, and a note of where that record lies is
 * kept until any version of the key is applied.
 *
 * Pre:     the first thing done in the batch.
 * Post:    SL_OK: *ret_count documents are out once the batch is committed. A batch that fails or is
 *          aborted leaves them noted as damaged.
 * Thread:  the one that began the batch.
 * Blocks:  CPU and disk: walks the tables that refer to documents, for each of them.
 * Errors:  SL_STOP  corrupt: a record is damaged that belongs to many documents; map_full, io, memory
 */
enum sl_err sl_batch_quarantine(struct sl_batch *batch, uint32_t *ret_count, struct sl_error *err);

/*
 * Make the batch durable and visible.
 *
 * Post:    SL_OK    on disk, synced, and seen by every snapshot opened from now on.
 *          SL_STOP  map_full (74) or disk_full (74): nothing of it happened, the index still works
 *                   and the same work may be done again in a new batch; io (74): all or nothing of it
 *                   is on disk, and the index must be closed.
 * Owns:    consumes `batch`, on success and on failure alike.
 * Thread:  the one that began the batch.
 * Blocks:  disk: two syncs.
 * Errors:  SL_STOP  as above
 */
enum sl_err sl_batch_commit(struct sl_batch *batch, struct sl_error *err);

/* Throw the batch away; the index is as before it. NULL is fine. Always returns NULL. Thread: the one
 * that began it. */
struct sl_batch *sl_batch_abort(struct sl_batch *batch);

/*
 * How many documents have a record that was found damaged, by opening the index or by any call since that
 * ended in `corrupt`, and wait for sl_batch_quarantine(). 0 after `corrupt`: what is damaged belongs to no
 * single document.
 *
 * Owns:    nothing changes hands.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none
 */
uint32_t sl_index_damaged(struct sl_index *index);

/* ------------------------------------------------------------------- writing it anew as a whole */

/* Told now and then how far it is; false: stop. */
typedef bool (*sl_progress_fn)(void *context, uint64_t done_bytes, uint64_t total_bytes);

struct sl_rewritten {
    uint64_t before_bytes; /* of the file read, free pages included */
    uint64_t after_bytes;
    uint64_t slots_dropped; /* places of deleted vectors */
};

/*
 * Build a new environment beside the one in use, holding only what is alive, and put it into use: pages, slots
 * and log of what was deleted are gone from the directory.
 *
 * Pre:     no batch of this index is open, and none is begun until this returns. Prepared documents stay good.
 * Post:    SL_OK: snapshots opened from now on read the new one. Those open go on with the old one, whose file
 *          goes with the last of them. Documents, tombstones, positions, rows and the sequence are the same.
 *          Not SL_OK: as before the call; after io the index may have to be closed.
 *          Killed at any moment, the directory opens as it was before or after.
 * Owns:    ret_rewritten may be NULL.
 * Thread:  the indexer thread; snapshots are opened, read and closed meanwhile by others.
 * Blocks:  disk and CPU: reads all of the index and writes what is alive of it.
 * Errors:  SL_AGAIN  cancelled: progress() said stop
 *          SL_STOP   disk_full (74), naming the bytes needed and free; corrupt (65): a record is damaged, the
 *                    old index is left as it is; io (74); memory (71)
 */
enum sl_err sl_index_compact(struct sl_index *index, sl_progress_fn progress, void *context,
                             struct sl_rewritten *ret_rewritten, struct sl_error *err);

/*
 * Copy the last committed state to a directory of its own, that is absent or empty: an index like this one,
 * compacted, each record's checksum compared.
 *
 * Post:    SL_OK: the directory holds the whole copy, synced. Not SL_OK: no CURRENT in it, hence no index.
 * Owns:    ret_rewritten may be NULL.
 * Thread:  any; beside a writer too, of this process or another (it reads one snapshot). Pages that writer
 *          frees meanwhile are not used again until this is done: its file may grow.
 * Blocks:  disk and CPU, as sl_index_compact().
 * Errors:  SL_AGAIN  cancelled; busy (snapshots)
 *          SL_STOP   not_empty (64); locked (73); disk_full, io (74); permission (77); corrupt (65); memory (71)
 */
enum sl_err sl_index_backup(struct sl_index *index, const char *path, sl_progress_fn progress,
                            void *context, struct sl_rewritten *ret_rewritten,
                            struct sl_error *err);

/* ---------------------------------------------------------------------------------- reading */

/*
 * Freeze a view of the last committed state.
 *
 * Owns:    caller gets *ret_snapshot; close it before the question is answered.
 * Thread:  any.
 * Blocks:  briefly, on a mutex. Never on a batch's disk writes.
 * Errors:  SL_AGAIN  busy: SL_SNAPSHOTS_MAX are open
 *          SL_STOP   io, memory
 */
enum sl_err sl_snapshot_open(struct sl_index *index, struct sl_snapshot **ret_snapshot,
                             struct sl_error *err);

/* Close the view. NULL is fine. Always returns NULL. Every view taken from it is now invalid. */
struct sl_snapshot *sl_snapshot_close(struct sl_snapshot *snapshot);

static inline void sl_snapshot_closep(struct sl_snapshot **snapshot)
{
    *snapshot = sl_snapshot_close(*snapshot);
}

/* A document inside one snapshot. 0 is no document. */
typedef uint64_t sl_doc_id;

struct sl_hit {
    sl_doc_id doc;
    uint32_t chunk; /* ordinal within the document */
    float score;    /* of the chunk: its best window's */
};

enum sl_search_path {
    SL_PATH_NONE = 0, /* nothing to search                     */
    SL_PATH_GRAPH,    /* HNSW, no filter                       */
    SL_PATH_FILTERED, /* HNSW, filter applied while walking    */
    SL_PATH_EXACT     /* every (selected) vector compared      */
};

struct sl_search_stats {
    uint64_t distances; /* vectors compared; lexical: chunks scored */
    uint64_t visited;   /* nodes expanded; lexical: blocks of postings decoded */
    uint64_t skipped;   /* lexical: blocks passed over */
    enum sl_search_path path;
};

/*
 * The documents a filter selects, as a set the searches apply INSIDE. filter == NULL gives NULL: all.
 *
 * Owns:    *ret_selection lives in `arena`, and belongs to this snapshot.
 * Thread:  the snapshot's.
 * Blocks:  CPU and page faults: reads the attribute index.
 * Errors:  SL_REJECT  too_large
 *          SL_STOP    corrupt
 */
enum sl_err sl_snapshot_select(const struct sl_snapshot *snapshot, const struct sl_filter *filter,
                               struct sl_arena *arena, struct sl_selection **ret_selection,
                               struct sl_error *err);

/* Documents in a selection. */
uint64_t sl_selection_count(const struct sl_selection *selection);

/*
 * The k chunks whose best window lies closest to `query`. ef is how hard to look; exact compares all.
 *
 * Pre:     1 <= k <= SL_K_MAX; ret_hits has room for k; selection is of this snapshot, or NULL.
 * Post:    sorted, best first; equal scores by (doc, chunk). At least min(k, matching chunks) hits when
 *          a selection is given: the walk falls back to exact.
 * Owns:    nothing changes hands.
 * Shape:   query is float[dim]; ret_hits is struct sl_hit[k].
 * Thread:  the snapshot's.
 * Blocks:  CPU: O(log n * ef * dim), or O(n * dim) when exact. Page faults.
 * Errors:  SL_REJECT  bad_vector (not finite; with cosine not unit norm), no_vectors (dim is 0)
 *          SL_STOP    corrupt
 */
enum sl_err sl_snapshot_nearest(const struct sl_snapshot *snapshot, const float *query, uint32_t k,
                                uint32_t ef, bool exact, const struct sl_selection *selection,
                                struct sl_hit *ret_hits, uint32_t *ret_count,
                                struct sl_search_stats *ret_stats, struct sl_error *err);

/*
 * The k best chunks by BM25 (k1 0.9, b 0.4; Lucene's idf). Statistics are of the whole index, selection
 * or not.
 *
 * Pre:     terms as made by sl_text_terms() from the question; their counts weigh.
 * Post:    sorted, best first; equal scores by (doc, chunk); only chunks holding a term.
 * Owns:    nothing changes hands.
 * Shape:   ret_hits is struct sl_hit[k].
 * Thread:  the snapshot's.
 * Blocks:  CPU: linear in the blocks of the terms' postings, of which few are decoded. Page faults.
 * Errors:  SL_STOP  corrupt, memory
 */
enum sl_err sl_snapshot_lexical(const struct sl_snapshot *snapshot,
                                const struct sl_term_count *terms, uint32_t term_count, uint32_t k,
                                const struct sl_selection *selection, struct sl_hit *ret_hits,
                                uint32_t *ret_count, struct sl_search_stats *ret_stats,
                                struct sl_error *err);

/* Lucene's BM25 idf of one term over chunks; 0 when no chunk holds it (then *ret_chunks is 0). */
enum sl_err sl_snapshot_idf(const struct sl_snapshot *snapshot, struct sl_view term, float *ret_idf,
                            uint64_t *ret_chunks, struct sl_error *err);

/*
 * The terms of a chunk, sorted by bytes, with how often they stand in it. One of 64 bytes or more is its first 48
 * and a digest.
 *
 * Owns:    the array lives in `arena`; terms are views, valid until the snapshot closes.
 * Blocks:  page faults.
 * Errors:  SL_REJECT  not_found, too_large
 *          SL_STOP    corrupt
 */
enum sl_err sl_snapshot_terms(const struct sl_snapshot *snapshot, sl_doc_id doc, uint32_t chunk,
                              struct sl_arena *arena, struct sl_term_count **ret_terms,
                              uint32_t *ret_count, uint32_t *ret_length, struct sl_error *err);

/* What one term of a question adds to the BM25 score of a chunk. */
struct sl_term_part {
    struct sl_view term;
    float boost;          /* how often it counts        */
    float idf;
    uint32_t occurrences; /* in the chunk; 0: none      */
    float part;           /* of the score               */
};

/*
 * The parts of a chunk's score, one for each term, in their order; their sum is the score that
 * sl_snapshot_lexical() gives. *ret_length: of the chunk, in terms; *ret_average: of all.
 *
 * Shape:   ret_parts has room for term_count.
 * Owns:    views into `terms`.
 * Blocks:  page faults.
 * Errors:  as sl_snapshot_terms()
 */
enum sl_err sl_snapshot_explain(const struct sl_snapshot *snapshot, sl_doc_id doc, uint32_t chunk,
                                const struct sl_term_count *terms, uint32_t term_count,
                                struct sl_arena *arena, struct sl_term_part *ret_parts,
                                uint32_t *ret_length, float *ret_average, struct sl_error *err);

/*
 * Read a document as stored. Text and strings are views into the map.
 *
 * Owns:    arrays live in `arena`; views are valid until the snapshot closes.
 * Thread:  the snapshot's.
 * Blocks:  page faults; CPU: checks the record's CRC.
 * Errors:  SL_REJECT  not_found
 *          SL_STOP    corrupt
 */
enum sl_err sl_snapshot_document(const struct sl_snapshot *snapshot, sl_doc_id doc,
                                 struct sl_arena *arena, struct sl_document *ret_document,
                                 uint32_t *ret_chunk_count, struct sl_error *err);

/* The document of (topic, key); SL_REJECT not_found when it is not there or deleted. */
enum sl_err sl_snapshot_find(const struct sl_snapshot *snapshot, struct sl_view topic,
                             struct sl_view key, sl_doc_id *ret_doc, struct sl_error *err);

/* Read one chunk: ranges, section, window ranges (without vectors), term counts are left empty. A copy's are its
 * original's; of a text that is only nearly the same the ranges mean nothing in the copy's. */
enum sl_err sl_snapshot_chunk(const struct sl_snapshot *snapshot, sl_doc_id doc, uint32_t chunk,
                              struct sl_arena *arena, struct sl_chunk *ret_chunk,
                              struct sl_error *err);

/* The document whose chunks stand for this one's, when it is a copy; else the document itself. */
enum sl_err sl_snapshot_original(const struct sl_snapshot *snapshot, sl_doc_id doc,
                                 sl_doc_id *ret_original, struct sl_error *err);

/* How many copies hang on the document. Blocks: page faults; linear in their number. */
enum sl_err sl_snapshot_copies(const struct sl_snapshot *snapshot, sl_doc_id doc,
                               uint32_t *ret_count, struct sl_error *err);

/* The copy after `after` (0 to start) that hangs on the document; with a selection, of those it holds. SL_REJECT: no
 * more. Blocks: page faults. */
enum sl_err sl_snapshot_copy_next(const struct sl_snapshot *snapshot, sl_doc_id doc,
                                  const struct sl_selection *selection, sl_doc_id after,
                                  sl_doc_id *ret_copy, struct sl_error *err);

/*
 * The document this one would be a copy of, were it put now; its own earlier version, if that is the one.
 *
 * Owns:    `arena` is worked in.
 * Blocks:  CPU: a digest of the text; page faults.
 * Errors:  SL_REJECT  not_found: there is none, or the index keeps duplicates; too_large
 *          SL_STOP    corrupt
 */
enum sl_err sl_snapshot_same(const struct sl_snapshot *snapshot, const struct sl_document *document,
                             struct sl_arena *arena, sl_doc_id *ret_doc, struct sl_error *err);

/* The same of a document that would be nearly a copy: its windows of the same text have its vectors. */
enum sl_err sl_snapshot_near(const struct sl_snapshot *snapshot, const struct sl_document *document,
                             struct sl_arena *arena, sl_doc_id *ret_doc, struct sl_error *err);

/* The document after `doc` in a fixed order (0 to start); SL_REJECT not_found at the end. */
enum sl_err sl_snapshot_next(const struct sl_snapshot *snapshot, sl_doc_id doc, sl_doc_id *ret_doc,
                             struct sl_error *err);

/* Has the stored version of (topic, key) a window of this hash, so that its vector can be kept? */
bool sl_snapshot_has_window(const struct sl_snapshot *snapshot, struct sl_view topic,
                            struct sl_view key, const uint8_t hash[SL_HASH_BYTES]);

/* The stored position. SL_REJECT not_found when the partition was never committed. Arrays in `arena`. */
enum sl_err sl_snapshot_position(const struct sl_snapshot *snapshot, struct sl_view topic,
                                 int32_t partition, struct sl_arena *arena,
                                 struct sl_position *ret_position, struct sl_error *err);

/* Call `each` for every stored position, by topic then partition, until it returns false. */
typedef bool (*sl_position_fn)(void *context, struct sl_view topic, int32_t partition,
                               const struct sl_position *position);
enum sl_err sl_snapshot_positions(const struct sl_snapshot *snapshot, struct sl_arena *arena,
                                  sl_position_fn each, void *context, struct sl_error *err);

/* One row of a table; SL_REJECT not_found. The value is a view into the map. */
enum sl_err sl_snapshot_row(const struct sl_snapshot *snapshot, enum sl_table table,
                            struct sl_view key, struct sl_view *ret_value, struct sl_error *err);

/* Call `each` for rows with key > after (data == NULL: all), in key order, until it returns false. */
typedef bool (*sl_row_fn)(void *context, struct sl_view key, struct sl_view value);
enum sl_err sl_snapshot_rows(const struct sl_snapshot *snapshot, enum sl_table table,
                             struct sl_view after, sl_row_fn each, void *context,
                             struct sl_error *err);

/* A document that was damaged and taken out: the record to read again. offset -1: it was imported. */
struct sl_quarantined {
    struct sl_view topic;
    struct sl_view key;
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
};

/* Call `each` for every one of them until it returns false. */
typedef bool (*sl_quarantined_fn)(void *context, const struct sl_quarantined *document);
enum sl_err sl_snapshot_quarantined(const struct sl_snapshot *snapshot, sl_quarantined_fn each,
                                    void *context, struct sl_error *err);

struct sl_index_stats {
    uint64_t documents;
    uint64_t copies;          /* documents of them that are found through another */
    uint64_t tombstones;
    uint64_t chunks;
    uint64_t vectors_live;
    uint64_t vectors_dead;    /* slots not yet reused */
    uint64_t unreachable;     /* live vectors without a path; 0 (I7) */
    uint64_t terms_total;     /* sum of chunk lengths */
    uint64_t outbox;
    uint64_t replies;
    uint64_t quarantined;     /* documents taken out as damaged, and not come again */
    uint64_t map_bytes;       /* ceiling */
    uint64_t used_bytes;      /* pages in use */
    uint64_t disk_bytes;      /* blocks of the environment's file: its holes take none */
    uint64_t free_pages;
    uint32_t readers;
    uint32_t dim;
    uint32_t m;
    uint32_t level_max;
    uint32_t format;
    enum sl_storage storage;
    uint64_t sequence;        /* grows by one with each commit */
};

/* Figures of this snapshot. Blocks: page faults. */
enum sl_err sl_snapshot_stats(const struct sl_snapshot *snapshot, struct sl_index_stats *ret_stats,
                              struct sl_error *err);

/*
 * Check everything: each record's CRC and form, documents against chunks, vectors, postings, attributes
 * and statistics in both directions, link symmetry, reachability, positions. Calls `report` once a fault
 * with a line that names the table, the key and what is wrong.
 *
 * Owns:    nothing.
 * Thread:  any; beside a writer too (it looks at one snapshot).
 * Blocks:  disk and CPU: reads the whole file.
 * Errors:  SL_STOP  memory; damage is reported, not returned
 */
typedef void (*sl_report_fn)(void *context, const char *line);
enum sl_err sl_index_verify(struct sl_index *index, sl_report_fn report, void *context,
                            uint64_t *ret_faults, struct sl_error *err);

#endif /* SLUICE_INDEX_H */
