/*
 * tokenizer_internal.h -- the parts a tokenizer is put together from.
 *
 *     text -> added tokens cut out -> normalizer -> added tokens again -> splitter -> model -> ids
 *
 * tokenizer.c runs them one after the other over bounded segments of the text; WordPiece with
 * BERT's own normalizer and splitter needs none of that and reads the text in one pass
 * (tokenizer_wordpiece.c). What a tokenizer.json asks for is read in tokenizer_json.c.
 *
 * All of it: Thread: any once opened. Errors: SL_STOP, exit 78 bad_model, naming file and member.
 */
#ifndef SLUICE_EMBED_TOKENIZER_INTERNAL_H
#define SLUICE_EMBED_TOKENIZER_INTERNAL_H

#include <cjson/cJSON.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <unicode/uchar.h>
#include <unicode/utf8.h>
#include <unicode/utypes.h>

#include <sluice/error.h>
#include <sluice/view.h>

#include "embed/tokenizer.h"

#define SL_NO_TOKEN          UINT32_MAX
#define SL_TOKEN_BYTES_MAX   1024u       /* one entry of a vocabulary */
#define SL_TOKEN_ID_MAX      4000000u    /* ids are below it          */
#define SL_SEGMENT_BYTES_MAX (64u << 10) /* raw text that is worked on at once */
#define SL_RAW_BYTES_MAX     (3u * SL_SEGMENT_BYTES_MAX + SL_PREFIX_BYTES_MAX)
#define SL_WORK_BYTES_MAX    (256u << 10) /* what a segment may grow to         */

/* ---- characters ---- */

/* The character at *at, which moves behind it; U+FFFD for what is no UTF-8. Pre: *at < size. */
static inline UChar32 sl_next_char(struct sl_view text, size_t *at)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    UChar32 c;

    U8_NEXT_OR_FFFD(bytes, *at, text.size, c);
    return c;
}

/* The character before *at, which moves to its start. Pre: 0 < *at <= size < 2^31. */
static inline UChar32 sl_previous_char(struct sl_view text, size_t *at)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    int32_t i = (int32_t)*at;
    UChar32 c;

    U8_PREV_OR_FFFD(bytes, 0, i, c);
    *at = (size_t)i;
    return c;
}

/* A word character, as \w has it in regular expressions. */
static inline bool sl_is_word_char(UChar32 c)
{
    return u_hasBinaryProperty(c, UCHAR_ALPHABETIC) || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL) ||
           (U_GET_GC_MASK(c) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}

/* ---- trie: byte strings to numbers ---- */

struct sl_trie_key {
    const char *bytes;
    uint32_t size;
    uint32_t value;
};

struct sl_trie_unit {
    uint32_t base;  /* a child for byte b stands at base + b ... */
    uint32_t check; /* ... if its check is this node */
    uint32_t value; /* SL_NO_TOKEN: no key ends here */
};

struct sl_trie {
    struct sl_trie_unit *units; /* NULL: empty */
    uint32_t count;
};

/* Build from keys, which get sorted; of equal ones the greatest value counts. False: out of memory.
 */
bool sl_trie_init(struct sl_trie *trie, struct sl_trie_key *keys, uint32_t count);
void sl_trie_fini(struct sl_trie *trie);

/* From node 0 (the root) along one byte; false when there is no such way. */
static inline bool sl_trie_step(const struct sl_trie *trie, uint32_t *node, char byte)
{
    uint32_t next = trie->units[*node].base + (unsigned char)byte;

    if (trie->units[next].check != *node)
        return false;
    *node = next;
    return true;
}

/* The value of exactly this key, or SL_NO_TOKEN. */
uint32_t sl_trie_find(const struct sl_trie *trie, struct sl_view key);

/* Size of the longest key that `text` begins with, or 0. */
size_t sl_trie_longest(const struct sl_trie *trie, struct sl_view text, uint32_t *ret_value);

/* ---- where ids go ---- */

struct sl_token_sink {
    uint32_t *ids; /* NULL: only counted */
    uint32_t ids_max;
    uint32_t count;
    bool covering; /* the two below are counted */
    uint64_t letters;
    uint64_t letters_covered;
};

static inline bool sl_sink_full(const struct sl_token_sink *sink)
{
    return sink->count == sink->ids_max;
}

static inline void sl_sink_put(struct sl_token_sink *sink, uint32_t id)
{
    if (sl_sink_full(sink))
        return;
    if (sink->ids != NULL)
        sink->ids[sink->count] = id;
    sink->count++;
}

/* The same for a piece of text, with its letters: `known` when the vocabulary holds it. */
void sl_sink_put_piece(struct sl_token_sink *sink, uint32_t id, struct sl_view piece, bool known);

/* ---- added tokens ---- */

/* Tokens that are cut out of the text before anything else happens to it. */
struct sl_added_token {
    uint32_t id;
    bool single_word; /* only where no word character touches it */
    bool strip_left;  /* takes the white space before it along */
    bool strip_right;
};

struct sl_added {
    struct sl_trie trie; /* to an index into tokens */
    struct sl_added_token *tokens;
    uint32_t count;
    bool starts[256]; /* bytes that a token begins with */
};

/*
 * The first added token of `text` at or after *at: false when there is none. *at becomes its start
 * (white space it takes along included), *ret_end its end, *ret_id its id. `from`: where the text
 * not yet dealt with begins.
 */
bool sl_added_next(const struct sl_added *added, struct sl_view text, size_t from, size_t *at,
                   size_t *ret_end, uint32_t *ret_id);
void sl_added_fini(struct sl_added *added);

/* ---- one member of a JSON file, for messages ---- */

struct sl_json_place {
    const char *path;
    const char *member; /* "model.vocab" */
};

__attribute__((format(printf, 3, 4))) enum sl_err
sl_json_refuse(const struct sl_json_place *place, struct sl_error *err, const char *format, ...);

/* ---- work space of one call ---- */

struct sl_piece {
    uint32_t start, size;
    bool first; /* begins where the whole text begins */
};

/* A text and the pieces it has been split into. */
struct sl_work_text {
    char *bytes;             /* [SL_WORK_BYTES_MAX] */
    struct sl_piece *pieces; /* [SL_WORK_BYTES_MAX] */
    uint32_t size;
    uint32_t piece_count;
    bool overflow; /* did not fit: do it again with a shorter segment */
};

static inline void sl_work_add(struct sl_work_text *text, const char *bytes, size_t size)
{
    if (size > SL_WORK_BYTES_MAX - text->size) {
        text->overflow = true;
        return;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += (uint32_t)size;
}

void sl_work_add_char(struct sl_work_text *text, UChar32 c);

struct sl_unigram_node {
    double score;
    uint32_t other; /* start of the best piece that ends here; later the end of the one after it */
    uint32_t id;    /* of the piece that ends here */
};

struct sl_bpe_symbol {
    uint32_t id;
    uint32_t previous, next; /* SL_NO_TOKEN: none */
    uint32_t start, size;    /* size 0: merged into the one before */
};

struct sl_bpe_merge {
    uint32_t rank, at, id;
};

/* Memory for one call. What is not touched costs nothing. */
struct sl_scratch {
    struct sl_scratch *next;
    char *raw;                     /* [SL_RAW_BYTES_MAX] */
    char *kept;                    /* [SL_WORK_BYTES_MAX] */
    struct sl_work_text texts[2];  /* steps read one and write the other */
    struct sl_unigram_node *nodes; /* [SL_WORK_BYTES_MAX + 1] */
    struct sl_bpe_symbol *symbols; /* [SL_WORK_BYTES_MAX] */
    struct sl_bpe_merge *heap;     /* [3 * SL_WORK_BYTES_MAX] */
};

/* Take one of the tokenizer's, waiting for it if there is no memory for another; and back. */
struct sl_scratch *sl_scratch_take(struct sl_tokenizer *tokenizer);
void sl_scratch_give(struct sl_tokenizer *tokenizer, struct sl_scratch *scratch);

/* ---- normalizer ---- */

struct sl_normalizer; /* NULL: none */

/* What BERT's own does besides cleaning. */
struct sl_bert_normal {
    bool lower_case;
    bool strip_accents;
    bool split_chinese; /* spaces around Chinese characters */
};

/* Where a text stands in the whole one. */
struct sl_stretch {
    bool first;     /* the whole text begins here */
    bool continued; /* it is the middle of a longer text: nothing is put before it */
};

enum sl_err sl_normalizer_read(const cJSON *item, const struct sl_json_place *place,
                               struct sl_normalizer **ret_normalizer, struct sl_error *err);
struct sl_normalizer *sl_normalizer_close(struct sl_normalizer *normalizer);

/* Put choices made elsewhere into a normalizer that is BERT's; no other knows them. */
void sl_normalizer_set_casing(struct sl_normalizer *normalizer,
                              const struct sl_tokenizer_casing *casing);

/* What BERT's normalizer does; false when the normalizer is another or does not clean. */
bool sl_normalizer_is_bert(const struct sl_normalizer *normalizer,
                           struct sl_bert_normal *ret_options);

/* `text` into one of the two work texts, which is returned: no pieces yet. stretch->first is
 * cleared when the first character went away. */
struct sl_work_text *sl_normalizer_run(const struct sl_normalizer *normalizer, struct sl_view text,
                                       struct sl_stretch *stretch, struct sl_scratch *scratch);

/* ---- Precompiled: SentencePiece's table of replacements ---- */

struct sl_charsmap;

enum sl_err sl_charsmap_read(const cJSON *base64, const struct sl_json_place *place,
                             struct sl_charsmap **ret_charsmap, struct sl_error *err);
struct sl_charsmap *sl_charsmap_close(struct sl_charsmap *charsmap);

/* Returns whether the first character is still there. */
bool sl_charsmap_run(const struct sl_charsmap *charsmap, struct sl_view text,
                     struct sl_work_text *out);

/* ---- splitter: "pre_tokenizer" ---- */

struct sl_splitter; /* NULL: none */

enum sl_err sl_splitter_read(const cJSON *item, const struct sl_json_place *place,
                             struct sl_splitter **ret_splitter, struct sl_error *err);
struct sl_splitter *sl_splitter_close(struct sl_splitter *splitter);
bool sl_splitter_is_bert(const struct sl_splitter *splitter);

/* Split the pieces of `text` (one of the two) further; returns the one that holds the result. */
struct sl_work_text *sl_splitter_run(const struct sl_splitter *splitter, struct sl_work_text *text,
                                     struct sl_scratch *scratch);

/* ---- models ---- */

/* A vocabulary as it is read: keys point into the JSON or the file. */
struct sl_vocabulary {
    struct sl_trie_key *keys;
    double *scores; /* [count], by id; Unigram only */
    uint32_t count;
    uint32_t id_end; /* greatest id + 1 */
};

void sl_vocabulary_fini(struct sl_vocabulary *vocabulary);

struct sl_wordpiece;

/* `prefix` stands before pieces inside a word. Bytes are copied. NULL: out of memory. */
struct sl_wordpiece *sl_wordpiece_open(const struct sl_vocabulary *vocabulary, const char *prefix,
                                       uint32_t unknown_id);
struct sl_wordpiece *sl_wordpiece_close(struct sl_wordpiece *wordpiece);
uint32_t sl_wordpiece_find(const struct sl_wordpiece *wordpiece, struct sl_view token);

/* BERT's whole way in one pass: `prefix` and `text` as if they were one. */
void sl_wordpiece_scan(const struct sl_wordpiece *wordpiece, const struct sl_bert_normal *options,
                       const struct sl_added *added, struct sl_view prefix, struct sl_view text,
                       struct sl_token_sink *sink);
/* One piece of a splitter's. */
void sl_wordpiece_run(const struct sl_wordpiece *wordpiece, struct sl_view word,
                      struct sl_token_sink *sink);

struct sl_unigram;

enum sl_err sl_unigram_open(const struct sl_vocabulary *vocabulary, uint32_t unknown_id,
                            bool byte_fallback, const struct sl_json_place *place,
                            struct sl_unigram **ret_unigram, struct sl_error *err);
struct sl_unigram *sl_unigram_close(struct sl_unigram *unigram);
void sl_unigram_run(const struct sl_unigram *unigram, struct sl_view piece,
                    struct sl_scratch *scratch, struct sl_token_sink *sink);

struct sl_bpe;

enum sl_err sl_bpe_open(const struct sl_vocabulary *vocabulary, uint32_t unknown_id,
                        const cJSON *model, const struct sl_json_place *place,
                        struct sl_bpe **ret_bpe, struct sl_error *err);
struct sl_bpe *sl_bpe_close(struct sl_bpe *bpe);
void sl_bpe_run(const struct sl_bpe *bpe, struct sl_view piece, struct sl_scratch *scratch,
                struct sl_token_sink *sink);

/* ---- the tokenizer ---- */

struct sl_tokenizer {
    bool one_pass; /* BERT's normalizer and splitter before WordPiece, nothing else */
    struct sl_bert_normal bert;
    struct sl_added added;            /* cut out of the raw text */
    struct sl_added added_normalized; /* cut out of the normalized text */
    struct sl_normalizer *normalizer;
    struct sl_splitter *splitter;
    struct sl_wordpiece *wordpiece; /* one of these is not NULL */
    struct sl_unigram *unigram;
    struct sl_bpe *bpe;
    uint32_t id_end;
    uint32_t unknown_id;        /* SL_NO_TOKEN: the model has none */
    uint32_t first_id, last_id; /* SL_NO_TOKEN: the file puts none, or more than one */
    uint32_t token_chars_median;
    pthread_mutex_t lock; /* guards idle */
    pthread_cond_t given;
    struct sl_scratch *idle;
};

/* Fill a tokenizer that is zero but for its scratch from the text of a tokenizer.json. */
enum sl_err sl_tokenizer_json_read(const char *path, const char *text, size_t size,
                                   const struct sl_tokenizer_casing *casing,
                                   struct sl_tokenizer *tokenizer, struct sl_error *err);

/* Open from the text of a tokenizer.json; `name` stands in messages. Otherwise as
 * sl_tokenizer_open(). */
enum sl_err sl_tokenizer_open_json(const char *name, const char *text, size_t size,
                                   struct sl_tokenizer **ret_tokenizer, struct sl_error *err);

/* Fill `added` with those of tokens[count] that are given; contents may be freed afterwards. */
struct sl_added_source {
    struct sl_view content;
    struct sl_added_token token;
};

bool sl_added_init(struct sl_added *added, const struct sl_added_source *sources, uint32_t count);

#endif
