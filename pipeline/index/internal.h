/*
 * internal.h -- what the files of pipeline/index know of each other's handles.
 */
#ifndef SLUICE_INDEX_INTERNAL_H
#define SLUICE_INDEX_INTERNAL_H

#include <pthread.h>

#include <sluice/index.h>

#include "index/format.h"
#include "index/graph.h"
#include "index/store.h"

#define SL_TOPIC_BYTES_MAX 249u /* Kafka's bound */

/* Numbers in use; the lowest free one is handed out next. */
struct sl_numbers {
    uint64_t *bits;
    uint32_t words;
    uint32_t hint; /* no free number in words below */
};

bool sl_numbers_use(struct sl_numbers *numbers, uint32_t number); /* false: out of memory */
uint32_t sl_numbers_take(struct sl_numbers *numbers);             /* UINT32_MAX: out of memory */
void sl_numbers_give(struct sl_numbers *numbers, uint32_t number);
void sl_numbers_fini(struct sl_numbers *numbers);

struct sl_name {
    struct sl_name *older;
    char text[];
};

/* A stored window of one document. */
struct sl_window_place {
    uint8_t hash[SL_HASH_BYTES];
    uint32_t slot;
};

struct sl_index {
    struct sl_store *store;
    struct sl_format format; /* changes with a switch: the lock, but for the writer */
    const char *fingerprint;
    struct sl_name *names; /* this fingerprint, and those before */
    uint32_t switches;     /* generations that took this one's place */
    uint32_t ef_construction;
    uint64_t map_bytes;
    enum sl_duplicates duplicates; /* of documents that come */
    bool read_only;
    bool batch_open;
    uint64_t freed_pages; /* let go by commits since the file was last looked over */
    bool broken; /* a commit's outcome is unknown: only closing is left */

    pthread_mutex_t lock; /* graph pointer, list of snapshots */
    struct sl_graph *graph; /* NULL: no vectors; read only: until one is asked for */
    struct sl_snapshot *snapshots;
    uint32_t snapshot_count;

    struct sl_numbers documents; /* the writer's */
    struct sl_numbers chunks;
    uint32_t quarantined; /* documents taken out as damaged, and not come again */
};

struct sl_snapshot {
    struct sl_index *index;
    struct sl_txn *txn;
    struct sl_graph *graph;
    struct sl_state state;
    uint64_t epoch;
    struct sl_snapshot *next;
    struct sl_snapshot **link; /* what points to this one */
    struct sl_format format;
    const char *fingerprint;
    uint32_t windows_of;             /* the document whose windows are below; 0: none */
    struct sl_window_place *windows; /* sorted by hash */
    uint32_t window_count;
};

/* index.c */
struct sl_index *sl_index_new(const struct sl_index_options *options, struct sl_error *err);
/* The first commit of a new index: what it is, and that it is empty. */
enum sl_err sl_index_create(struct sl_index *index, const struct sl_index_options *options,
                            struct sl_error *err);
/* Read what the index is. SL_REJECT: it is new and empty. */
enum sl_err sl_index_read_format(struct sl_index *index, struct sl_error *err);
enum sl_err sl_index_state(struct sl_txn *txn, struct sl_state *ret_state, struct sl_error *err);
/* A writer's: what an older program made is from now on of this format. */
enum sl_err sl_index_upgrade(struct sl_index *index, struct sl_error *err);
/* Read graph and numbers anew from the last commit. */
enum sl_err sl_index_reload(struct sl_index *index, struct sl_error *err);
/* The graph a snapshot searches, loading it when the index was opened read only. */
enum sl_err sl_snapshot_graph(const struct sl_snapshot *snapshot, struct sl_graph **ret_graph,
                              struct sl_error *err);
/* A segment's record, of the length it must have. */
enum sl_err sl_snapshot_segment(const struct sl_snapshot *snapshot, uint32_t number,
                                struct sl_view *ret_segment, struct sl_error *err);
enum sl_err sl_corrupt(struct sl_error *err, const char *table, uint64_t number,
                       const char *what);

/* attributes.c: what filters see of a document, as keys of the attr table without their block */
enum sl_attr_type { /* enum sl_field_type for values, and: */
    SL_ATTR_LIVE = 0,  /* every document; no field, no value  */
    SL_ATTR_VALID = 16 /* a validity interval; no field       */
};
#define SL_ATTR_VALUE_BYTES 160u /* of a string in a key; longer ones: head and digest */

/* Sorted, unique. NULL: the arena is full. */
struct sl_view *sl_attr_keys(const struct sl_document *document, struct sl_arena *arena,
                             uint32_t *ret_count);
struct sl_view sl_attr_key(struct sl_view field, int type, struct sl_view value,
                           struct sl_arena *arena);
/* The beginning of all keys of a field. */
struct sl_view sl_attr_prefix(struct sl_view field, struct sl_arena *arena);
struct sl_view sl_attr_field_key(const struct sl_field *field, struct sl_arena *arena);
/* Take a key (without its block) apart. *ret_long: only the value's beginning is in `ret_field`. */
bool sl_attr_key_read(struct sl_view key, struct sl_arena *arena, struct sl_field *ret_field,
                      int *ret_type, bool *ret_long);
void sl_attr_days_write(struct sl_day_range days, char bytes[8]);
struct sl_day_range sl_attr_days_read(const char *bytes);

/* postings.c: changes of rows that say which numbers have an attribute or a term, collected by a batch */
struct sl_posting {
    uint32_t local;
    uint32_t value;
};
struct sl_delta {
    uint32_t key_at;
    uint16_t key_size;
    uint8_t table;
    uint8_t length; /* of terms: code of the chunk's length */
    uint32_t local; /* attributes: within the block; terms: the chunk's number */
    uint32_t value; /* 0: taken out */
    uint32_t order;
};
struct sl_deltas {
    struct sl_delta *list;
    uint32_t count;
    uint32_t capacity;
    struct sl_buffer keys;
    bool failed;
};
void sl_deltas_add(struct sl_deltas *deltas, enum sl_store_table table, struct sl_view key,
                   uint32_t local, uint32_t value, uint32_t length);
struct sl_view sl_delta_key(const struct sl_deltas *deltas, uint32_t at);
/* *changes grows by those of terms. */
enum sl_err sl_deltas_flush(struct sl_deltas *deltas, struct sl_txn *txn, uint64_t *changes,
                            struct sl_error *err);
/* runs.c: the changes of terms among them, from `first` to before `end`, sorted. */
enum sl_err sl_runs_change(const struct sl_deltas *deltas, uint32_t first, uint32_t end,
                           struct sl_txn *txn, struct sl_error *err);
void sl_deltas_fini(struct sl_deltas *deltas);
/* Decode a row into room for SL_SEGMENT_CHUNKS postings. false: senseless. */
bool sl_postings_read(struct sl_view payload, struct sl_posting *ret_postings,
                      uint32_t *ret_count);

/* BM25 as in Lucene, but for its quantised lengths: what a term adds to a chunk's score. */
#define SL_BM25_K1 0.9f
#define SL_BM25_B  0.4f
static inline float sl_bm25_norm(float length, float average)
{
    return SL_BM25_K1 * (1 - SL_BM25_B + SL_BM25_B * length / average);
}
static inline float sl_bm25_part(float weight, float occurrences, float norm)
{
    return weight * occurrences / (occurrences + norm);
}
static inline float sl_term_boost(const struct sl_term_count *term)
{
    return term->boost > 0 ? term->boost : (float)term->count;
}

/* hits.c: the k best, sorted; equal scores by (doc, chunk) */
bool sl_hit_before(const struct sl_hit *a, const struct sl_hit *b);
/* `unique`: a chunk may come several times, the best counts. */
void sl_hits_add(struct sl_hit *hits, uint32_t *count, uint32_t k, struct sl_hit hit, bool unique);

/* select.c */
struct sl_selection {
    const struct sl_snapshot *snapshot;
    uint64_t *bits; /* by document number */
    uint32_t words;
    uint64_t count;
};
static inline bool sl_selection_has(const struct sl_selection *selection, uint32_t document)
{
    return document / 64 < selection->words &&
           (selection->bits[document / 64] >> (document % 64) & 1) != 0;
}

/* near.c: what texts that are nearly the same have in common */
#define SL_NEAR_BANDS 16u
#define SL_LIKENESS_NEAR 0.9
struct sl_sketch {
    uint64_t bands[SL_NEAR_BANDS];
    bool is_set; /* false: it is nearly the same as nothing */
};

/* prepare.c */
struct sl_prepared_window {
    struct sl_window_row row;
    const float *vector; /* NULL: keep the stored one */
    const float *moved;  /* the stored one, when its chunk changed: the batch's */
    struct sl_candidates candidates;
};

struct sl_prepared_chunk {
    struct sl_chunk_head head;
    struct sl_prepared_window *windows;
    struct sl_view terms; /* as stored */
};

struct sl_prepared {
    struct sl_arena *arena;
    struct sl_graph *graph; /* whose slots the candidates are */
    struct sl_format format;
    uint32_t switches;
    struct sl_key_row row;
    struct sl_view document; /* as stored, head included */
    struct sl_doc_head head;
    struct sl_prepared_chunk *chunks;
    struct sl_view *attributes;
    uint32_t attribute_count;
    uint8_t digest[SL_HASH_BYTES]; /* sl_copy_digest() */
    bool has_digest;
    struct sl_sketch sketch;
    bool collapses; /* it becomes a copy where there is an original, and an original where there is none */
    bool as_copy;   /* it has no chunks, for it is to be one */
};

/* One term of a stored list; false at its end. */
struct sl_term_row {
    struct sl_view term;
    uint32_t count;
};
bool sl_terms_next(struct sl_reader *reader, struct sl_term_row *ret_row);

/* batch.c, apply.c */
struct sl_segment_edit {
    uint32_t number;
    struct sl_segment segment;
};

struct sl_batch {
    struct sl_index *index;
    struct sl_txn *txn;
    struct sl_graph *graph;
    struct sl_state state;
    uint32_t epoch;
    struct sl_deltas deltas;
    struct sl_segment_edit **segments;
    uint32_t segment_count;
    uint32_t segment_capacity;
    struct sl_arena *arena; /* one operation's */
    bool failed;
    bool touched; /* RAM differs from the last commit */
    uint32_t *cleaned; /* documents taken out as damaged */
    uint32_t cleaned_count;
};

/* quarantine.c */
enum sl_err sl_quarantine_count(struct sl_txn *txn, uint32_t *ret_count, struct sl_error *err);
/* When records were found damaged: note documents that lack one, too. */
enum sl_err sl_quarantine_find(struct sl_index *index, struct sl_error *err);
/* The batch failed: what it took out is as damaged as before. */
void sl_quarantine_undo(struct sl_batch *batch);
/* A version of this key is being applied: no longer quarantined. */
enum sl_err sl_batch_came_again(struct sl_batch *batch, struct sl_view topic, struct sl_view name,
                                struct sl_error *err);

/* stored.c: what is stored of a key */
struct sl_stored {
    uint32_t number; /* 0: nothing */
    struct sl_doc_head head;
    struct sl_view *attributes;
    uint32_t attribute_count;
    uint8_t digest[SL_HASH_BYTES];
    bool has_digest;
};

/* SL_REJECT: the key is not known. */
enum sl_err sl_txn_find_row(struct sl_txn *txn, struct sl_view topic, struct sl_view name,
                            struct sl_key_row *ret_stored, struct sl_error *err);
enum sl_err sl_batch_put_row(struct sl_batch *batch, const struct sl_key_row *row,
                             struct sl_error *err);
/* Is `row` a later version than the one stored? */
bool sl_key_row_is_newer(const struct sl_key_row *row, const struct sl_key_row *stored);
enum sl_err sl_batch_load(struct sl_batch *batch, uint32_t number, struct sl_stored *ret_stored,
                          struct sl_error *err);
/* From one sorted list of attributes to another. */
enum sl_err sl_batch_attributes(struct sl_batch *batch, uint32_t document, const struct sl_view *old,
                                uint32_t old_count, const struct sl_view *fresh,
                                uint32_t new_count, struct sl_error *err);
/* Record, attributes and number. Its chunks are gone already, and its key's row is the caller's. */
enum sl_err sl_batch_drop_document(struct sl_batch *batch, const struct sl_stored *stored,
                                   struct sl_error *err);

/* copies.c. digest: of what copies have in common; false: the document is never one (it brought a vector) */
bool sl_copy_digest(const struct sl_document *document, const struct sl_view *attributes,
                    uint32_t count, uint8_t ret_digest[SL_HASH_BYTES]);
/* The document that one of this digest is a copy of; 0: none. */
enum sl_err sl_copy_original(struct sl_batch *batch, const uint8_t digest[SL_HASH_BYTES],
                             uint32_t *ret_original, struct sl_error *err);
/* From now on it is that document; it is no longer (if it was). */
enum sl_err sl_copy_name(struct sl_batch *batch, const uint8_t digest[SL_HASH_BYTES],
                         uint32_t document, struct sl_error *err);
enum sl_err sl_copy_unname(struct sl_batch *batch, const struct sl_stored *stored,
                           struct sl_error *err);
/* The copy of the next number. SL_REJECT: none. */
enum sl_err sl_copy_next(struct sl_txn *txn, uint32_t original, uint32_t after, uint32_t *ret_copy,
                         struct sl_error *err);
/* What the table has of a document's chunk; of a copy, what it has of its original's. SL_REJECT: nothing. */
enum sl_err sl_copy_get(const struct sl_snapshot *snapshot, enum sl_store_table table,
                        sl_doc_id doc, uint32_t chunk, struct sl_view *ret_payload,
                        struct sl_error *err);
enum sl_err sl_copy_is_near(struct sl_txn *txn, uint32_t copy, bool *ret_near, struct sl_error *err);
/* The copy to take its place: one that is the same, else one that is nearly. SL_REJECT: none hangs on it. */
enum sl_err sl_copy_heir(struct sl_txn *txn, uint32_t original, uint32_t *ret_copy, bool *ret_near,
                         struct sl_error *err);
/* The row that says so, alone. */
enum sl_err sl_copy_drop(struct sl_batch *batch, uint32_t original, uint32_t document,
                         struct sl_error *err);
/* The prepared document under a number of its own, hanging on `original`. */
enum sl_err sl_copy_insert(struct sl_batch *batch, struct sl_prepared *prepared, uint32_t original,
                           uint32_t number, struct sl_error *err);
/* The copy takes over number and chunks of the document that goes. The row of that one's key is the caller's. */
enum sl_err sl_copy_promote(struct sl_batch *batch, const struct sl_stored *gone, uint32_t copy,
                            struct sl_error *err);

/* near.c. Errors: memory */
enum sl_err sl_near_sketch(const struct sl_document *document, const struct sl_view *attributes,
                           uint32_t count, struct sl_sketch *ret_sketch, struct sl_error *err);
/* The indexed document that is most like this one, and like enough; 0: none. */
enum sl_err sl_near_original(struct sl_txn *txn, const struct sl_document *document,
                             const struct sl_sketch *sketch, uint32_t *ret_original,
                             struct sl_error *err);
/* Are both stored, and like enough? */
enum sl_err sl_near_are_like(struct sl_txn *txn, uint32_t a, uint32_t b, bool *ret_like,
                             struct sl_error *err);
/* From now on (no longer) it is found by its sketch. */
enum sl_err sl_near_name(struct sl_batch *batch, const struct sl_sketch *sketch, uint32_t document,
                         struct sl_error *err);
enum sl_err sl_near_unname(struct sl_batch *batch, uint32_t document, struct sl_error *err);
/* The prepared chunks, vectors included, kept for a document that is indexed through another. */
enum sl_err sl_near_keep(struct sl_batch *batch, const struct sl_prepared *prepared, uint32_t document,
                         struct sl_error *err);
/* SL_REJECT: nothing is kept of it, for its original has the same chunks. */
enum sl_err sl_near_kept(struct sl_batch *batch, uint32_t document, struct sl_prepared **ret_prepared,
                         struct sl_error *err);

enum sl_err sl_batch_failed(struct sl_batch *batch, enum sl_err rc);
/* The document of a row, and the row itself: as if the key had never been seen. */
enum sl_err sl_batch_forget(struct sl_batch *batch, const struct sl_key_row *row,
                            struct sl_error *err);
enum sl_err sl_batch_memory(struct sl_error *err);
enum sl_err sl_batch_segment(struct sl_batch *batch, uint32_t number,
                             struct sl_segment **ret_segment, struct sl_error *err);

#endif /* SLUICE_INDEX_INTERNAL_H */
