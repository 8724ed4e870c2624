/*
 * sluice/ingest.h -- the way of one record into the index, up to the batch.
 *
 *     sl_ingest_read()    record  -> document, chunks, windows, terms; which windows need a vector
 *     (the caller embeds the texts listed: the daemon through its embedder stage, `import` directly)
 *     sl_ingest_finish()  vectors -> struct sl_prepared
 *
 * The same functions serve sluiced and `sluicectl import`, so a document is the same whichever way it came.
 */
#ifndef SLUICE_INGEST_H
#define SLUICE_INGEST_H

#include <sluice/arena.h>
#include <sluice/chunk.h>
#include <sluice/decode.h>
#include <sluice/embed.h>
#include <sluice/index.h>
#include <sluice/message.h>

struct sl_ingest_options {
    struct sl_decode_options decode;
    struct sl_chunk_options chunk;
    const struct sl_embedder *embedder; /* NULL: no vectors */
    const struct sl_word_lists *lists;  /* words kept whole, stop words; NULL: none */
};

/* One record under way. Everything it points to lives in `arena` and in the message. */
struct sl_ingest {
    struct sl_arena *arena;
    enum sl_decoded decoded; /* SL_DECODED_DELETE: only document.topic, key, partition, offset are set */
    bool unchanged;          /* the index holds this content already: nothing to embed, chunks are set */
    bool copy;               /* it is to be a copy of another document: no chunks, nothing to embed */
    struct sl_document document;
    struct sl_chunk *chunks;
    uint32_t chunk_count;
    struct sl_view *texts; /* [text_count]: what to embed, prefix included, in order */
    float **vectors;       /* [text_count]: the caller points each to its float[dim] */
    struct sl_window **windows; /* [text_count]: whose text it is */
    uint32_t text_count;
    uint32_t kept; /* windows that keep the vector they have */
};

/*
 * Decode, clean, chunk, cut windows, analyse; look up in the index which windows keep their vector.
 *
 * Pre:     arena is fresh; index may be NULL (then every window is embedded).
 * Owns:    *ret_ingest lives in `arena` and points into it and into `message`.
 * Thread:  any, one arena each.
 * Blocks:  CPU; page faults. Opens a snapshot for the look-up.
 * Errors:  SL_REJECT  a dead-letter reason
 *          SL_AGAIN   busy (no snapshot free)
 *          SL_STOP    memory, corrupt
 */
enum sl_err sl_ingest_read(const struct sl_message *message, const struct sl_ingest_options *options,
                           struct sl_index *index, struct sl_arena *arena,
                           struct sl_ingest **ret_ingest, struct sl_error *err);

/*
 * The same for a document as one generation stores it, on its way into another: its text is cut anew, as `options`
 * say. Windows keep the vector that `from` has of the same text (copies_vectors), or `to`.
 *
 * Pre:     arena is fresh. copies_vectors: both generations have one embedder.
 * Owns:    *ret_ingest lives in `arena` and points into it and into `from`.
 * Thread:  that of both snapshots.
 * Blocks:  CPU; page faults.
 * Errors:  SL_REJECT  a dead-letter reason: it cannot be a document there
 *          SL_STOP    memory, corrupt
 */
enum sl_err sl_ingest_stored(const struct sl_snapshot *from, sl_doc_id doc, bool copies_vectors,
                             const struct sl_snapshot *to, const struct sl_ingest_options *options,
                             struct sl_arena *arena, struct sl_ingest **ret_ingest,
                             struct sl_error *err);

/*
 * With the vectors in place, get the document ready for a batch.
 *
 * Pre:     ingest->decoded is SL_DECODED_DOCUMENT; every ingest->vectors[i] is set.
 * Owns:    caller gets *ret_prepared (see sl_index_prepare()).
 * Thread:  any.
 * Blocks:  CPU: neighbour search.
 * Errors:  as sl_index_prepare()
 */
enum sl_err sl_ingest_finish(struct sl_ingest *ingest, struct sl_index *index,
                             struct sl_prepared **ret_prepared, struct sl_error *err);

/*
 * After SL_AGAIN window_gone from sl_batch_apply(): list every window's text for embedding anew; chunk what was to be
 * a copy.
 *
 * Owns:    as sl_ingest_read().
 * Thread:  any.
 * Blocks:  CPU.
 * Errors:  as sl_ingest_read()
 */
enum sl_err sl_ingest_again(struct sl_ingest *ingest, const struct sl_ingest_options *options,
                            struct sl_error *err);

#define SL_FINGERPRINT_BYTES 256u
/*
 * The pipeline fingerprint stored with the index: embedder, chunk and clean settings, analyser version.
 *
 * Owns:    written to ret_text, char[SL_FINGERPRINT_BYTES], NUL-terminated.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
void sl_ingest_fingerprint(const struct sl_ingest_options *options, char *ret_text);

#define SL_PIPELINE_BYTES 13u
/*
 * The fingerprint's short form, for answers and status: 12 hexadecimal digits, of SHA-256.
 *
 * Owns:    nothing changes hands. Thread: any. Blocks: no. Errors: none.
 */
void sl_ingest_pipeline(const char *fingerprint, char ret_hash[SL_PIPELINE_BYTES]);

/*
 * Do the two say that texts become vectors in the same way? Whatever the encoder's directory is called.
 *
 * Owns:    nothing changes hands. Thread: any. Blocks: no. Errors: none.
 */
bool sl_ingest_same_embedder(const char *fingerprint, const char *other);

/*
 * The settings a fingerprint was made of, into options->chunk; the rest of *options stays.
 *
 * Post:    true does not mean that this program can still do the same: make the fingerprint anew, and compare.
 * Owns:    nothing changes hands. Thread: any. Blocks: no.
 * Errors:  false: it is not one of this program's
 */
bool sl_ingest_settings(const char *fingerprint, struct sl_ingest_options *options);

/*
 * The word lists to read questions to an index of this fingerprint with: `lists` if it was made with them, else NULL.
 * A stop word left in a question finds nothing where there is none, one taken out of it may be missed.
 *
 * Owns:    nothing changes hands. Thread: any. Blocks: no. Errors: none.
 */
const struct sl_word_lists *sl_ingest_lists_for(const char *fingerprint,
                                                const struct sl_word_lists *lists);

#endif /* SLUICE_INGEST_H */
