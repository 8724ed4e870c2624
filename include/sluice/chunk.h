/*
 * sluice/chunk.h -- a document's text cut into what is cited, and into what the encoder reads.
 *
 * WHERE IT SITS    decode -> clean -> CHUNK -> embed -> index
 *
 *     chunk    what is cited and searched lexically. A byte range of the stored text.
 *     window   what one vector stands for. A chunk owns 1..n windows, each within the encoder's
 *              token limit less the prefix, cut at sentences. A chunk's score is its best window's.
 *     prefix   title, section path, date, table header. Put before what is indexed and embedded, never cited.
 *
 * WHAT IS ALWAYS TRUE (tests/unit/test_chunk.c proves each line by number)
 *
 *     C1  Offsets are bytes into document->text; no chunk or window cuts a code point.
 *     C2  Chunks are in order of byte_start, not empty, and every byte of the text that is not white
 *         space or excluded boilerplate lies in at least one chunk.
 *     C3  A chunk has at most `words` words, unless it is a single unbreakable sentence part.
 *     C4  Overlap between neighbours is whole sentences, at most `overlap_words` words.
 *     C5  Time and memory are linear in the text, whatever it holds.
 *     C6  The same text and options give the same chunks, on every machine.
 *     C7  Where a text is parted depends on the text near by: an edit of one sentence changes the chunks
 *         it touches and few beside them, however long the document is.
 */
#ifndef SLUICE_CHUNK_H
#define SLUICE_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/arena.h>
#include <sluice/document.h>
#include <sluice/error.h>
#include <sluice/view.h>

struct sl_embedder;

#define SL_HASH_BYTES 16

/* Of everything that decides where chunks begin and end and what stands in a prefix. Part of the
 * pipeline fingerprint: raise it with every change of those. */
#define SL_CHUNKER_VERSION 5u

/* Bytes [byte_start, byte_end) of a text. */
struct sl_span {
    uint32_t byte_start;
    uint32_t byte_end;
};

/* One term of a chunk and how often it stands there (sluice/text.h makes them). */
struct sl_term_count {
    struct sl_view term;
    uint32_t count;
    float boost; /* of a question's term: how often it counts, instead of `count`; 0: as `count` says */
};

struct sl_window {
    uint32_t byte_start;
    uint32_t byte_end;
    uint8_t hash[SL_HASH_BYTES]; /* of the exact text embedded, prefix included */
    const float *vector;         /* float[dim]; NULL = keep the stored vector of the same hash */
};

struct sl_chunk {
    uint32_t byte_start;
    uint32_t byte_end;
    uint32_t word_count;
    struct sl_view section; /* "Heading > Sub-heading > who speaks longest"; data == NULL: none of them */
    struct sl_window *windows; /* [window_count]; 0 when the index holds no vectors */
    uint32_t window_count;
    const struct sl_term_count *terms; /* sorted by term, unique; filled for the index */
    uint32_t term_count;
    uint32_t length_terms; /* BM25 document length: sum of counts */
    const struct sl_span *excluded; /* boilerplate inside the range: cited, not indexed or embedded */
    uint32_t excluded_count;        /* set by sl_chunk_document(); not stored */
    struct sl_view table_header; /* of the table whose rows the chunk begins with; as above */
};

struct sl_chunk_options {
    uint32_t words;         /* [SL_CHUNK_WORDS_MIN, SL_CHUNK_WORDS_MAX]; default 220 */
    uint32_t overlap_words; /* < words; default 30 */
    bool boilerplate;       /* leave running headers, page numbers and the like out of chunks */
};

/*
 * Cut document->text into chunks on sentence, row, paragraph, turn and heading boundaries. Sets ranges, sections
 * and word counts; leaves windows and terms empty.
 *
 * Pre:     document->text is valid UTF-8 of at most SL_TEXT_BYTES_MAX bytes.
 * Post:    C1..C6.
 * Owns:    everything made lives in `arena`.
 * Shape:   *ret_chunks is struct sl_chunk[*ret_count].
 * Thread:  any, one arena each.
 * Blocks:  CPU: linear in the text.
 * Errors:  SL_REJECT  no_text (nothing but white space, controls, invisible characters);
 *                     too_many_chunks; too_large (the arena's ceiling)
 */
enum sl_err sl_chunk_document(const struct sl_document *document,
                              const struct sl_chunk_options *options, struct sl_arena *arena,
                              struct sl_chunk **ret_chunks, uint32_t *ret_count,
                              struct sl_error *err);

/*
 * What is put before a chunk's text when it is indexed and embedded: title, section (with the speaker of a
 * transcript), date and the header row of a table, one line each, ending with a newline; empty when there is
 * none of them. At most 560 bytes, cut at a code point.
 *
 * Owns:    the result lives in `arena`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  data == NULL when the arena is full
 */
struct sl_view sl_chunk_prefix(const struct sl_document *document, const struct sl_chunk *chunk,
                               struct sl_arena *arena);

/*
 * Cut each chunk into windows that fit the encoder, and set each window's hash.
 *
 * Pre:     chunks come from sl_chunk_document() for this document.
 * Post:    prefix + window text is within embedder->token_limit for every window; C1 holds.
 * Owns:    windows live in `arena`.
 * Thread:  any.
 * Blocks:  CPU: linear in the text.
 * Errors:  SL_REJECT  too_large
 */
enum sl_err sl_chunk_windows(const struct sl_document *document, struct sl_chunk *chunks,
                             uint32_t chunk_count, const struct sl_embedder *embedder,
                             struct sl_arena *arena, struct sl_error *err);

/*
 * The exact text to embed for one window, or to index for a whole chunk: `prefix`, then the range
 * without the chunk's excluded spans.
 *
 * Pre:     [byte_start, byte_end) lies within the chunk.
 * Owns:    the result lives in `arena`.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  data == NULL when the arena is full
 */
struct sl_view sl_chunk_text(const struct sl_document *document, const struct sl_chunk *chunk,
                             struct sl_view prefix, uint32_t byte_start, uint32_t byte_end,
                             struct sl_arena *arena);

/*
 * The prefix as the encoder gets it: sl_chunk_prefix() cut to at most half of the token limit.
 *
 * Owns:    the result lives in `arena`.
 * Thread:  any.
 * Blocks:  CPU: a few tokenisations of at most 400 bytes.
 * Errors:  data == NULL when the arena is full
 */
struct sl_view sl_chunk_window_prefix(const struct sl_document *document,
                                      const struct sl_chunk *chunk,
                                      const struct sl_embedder *embedder, struct sl_arena *arena);

#endif /* SLUICE_CHUNK_H */
