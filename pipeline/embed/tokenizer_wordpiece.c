/*
 * tokenizer_wordpiece.c -- WordPiece, and BERT's basic tokenizer before it in one pass over the
 * text.
 *
 * The reference normalises the whole text, then splits, then looks pieces up. Here each code point
 * is cleaned, decomposed, lower-cased and put into the word being built; the word is looked up when
 * it ends. A word over 100 characters is [UNK], so nothing longer is ever kept: a 5 MB "word" costs
 * no memory. Decomposing one code point at a time leaves out the reordering of several marks on one
 * letter; non-spacing marks are stripped anyway, and no vocabulary we know holds the spacing ones.
 *
 * Pieces are found greedily, longest first: one pass forward hashes every prefix of what is left
 * and remembers the longest that is in the vocabulary.
 * Words are short and mostly in the vocabulary whole, so a hash table does as well here as a trie.
 */
#include "embed/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#include "embed/unicode8.h"

#define WORD_CHARS_MAX 100u
#define WORD_BYTES_MAX (WORD_CHARS_MAX * 4u)
#define NO_ID          SL_NO_TOKEN
#define HASH_START     0xCBF29CE484222325u
#define HASH_FACTOR    0x100000001B3u

struct entry {
    uint64_t hash;
    uint32_t id; /* NO_ID: empty */
    uint32_t size;
    const char *bytes; /* without the prefix; into the text */
};

/* Open addressing; `mask` + 1 entries, at most half of them used. */
struct table {
    struct entry *entries;
    size_t mask;
};

struct sl_wordpiece {
    char *text;             /* all pieces end to end */
    struct table starts;    /* pieces at the start of a word */
    struct table continues; /* the "##" ones */
    uint32_t piece_bytes_max;
    uint32_t unknown_id;
};

/* The word being built, and what becomes of its pieces. */
struct scan {
    const struct sl_wordpiece *wordpiece;
    const struct sl_bert_normal *options;
    struct sl_token_sink *sink;
    uint8_t word[WORD_BYTES_MAX];
    uint32_t word_size;
    uint32_t word_chars; /* counts on past WORD_CHARS_MAX, when nothing more is kept */
    uint32_t word_letters;
};

/* ---- vocabulary ---- */

static uint64_t hash_bytes(const char *bytes, size_t size)
{
    uint64_t hash = HASH_START;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * HASH_FACTOR;
    return hash;
}

static size_t slot_of(const struct table *table, uint64_t hash)
{
    return (size_t)(hash ^ hash >> 29) & table->mask;
}

static uint32_t table_find(const struct table *table, uint64_t hash, const char *bytes, size_t size)
{
    for (size_t at = slot_of(table, hash);; at = (at + 1) & table->mask) {
        const struct entry *entry = &table->entries[at];
        if (entry->id == NO_ID)
            return NO_ID;
        if (entry->hash == hash && entry->size == size && memcmp(entry->bytes, bytes, size) == 0)
            return entry->id;
    }
}

/* A token that stands there twice has the id given last, as in the reference. */
static void table_put(struct table *table, const char *bytes, uint32_t size, uint32_t id)
{
    uint64_t hash = hash_bytes(bytes, size);
    size_t at = slot_of(table, hash);

    while (table->entries[at].id != NO_ID &&
           !(table->entries[at].hash == hash && table->entries[at].size == size &&
             memcmp(table->entries[at].bytes, bytes, size) == 0))
        at = (at + 1) & table->mask;
    table->entries[at] = (struct entry){hash, id, size, bytes};
}

static bool table_init(struct table *table, uint32_t count)
{
    size_t size = 16;

    while (size < 2 * (size_t)count + 2)
        size *= 2;
    table->mask = size - 1;
    table->entries = malloc(size * sizeof *table->entries);
    for (size_t i = 0; table->entries != NULL && i < size; i++)
        table->entries[i].id = NO_ID;
    return table->entries != NULL;
}

static uint32_t char_count(struct sl_view text)
{
    uint32_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

static void add_pieces(struct sl_wordpiece *wordpiece, const struct sl_vocabulary *vocabulary,
                       const char *prefix)
{
    const size_t prefix_size = strlen(prefix);
    char *at = wordpiece->text;

    for (uint32_t i = 0; i < vocabulary->count; i++) {
        const struct sl_trie_key *key = &vocabulary->keys[i];
        bool continues = key->size > prefix_size && prefix_size > 0 &&
                         memcmp(key->bytes, prefix, prefix_size) == 0;
        uint32_t size = key->size - (continues ? (uint32_t)prefix_size : 0);
        if (key->size == 0)
            continue;
        memcpy(at, key->bytes + key->size - size, size);
        table_put(continues || prefix_size == 0 ? &wordpiece->continues : &wordpiece->starts, at,
                  size, key->value);
        if (prefix_size == 0)
            table_put(&wordpiece->starts, at, size, key->value);
        at += size;
        if (size > wordpiece->piece_bytes_max)
            wordpiece->piece_bytes_max = size;
    }
}

struct sl_wordpiece *sl_wordpiece_open(const struct sl_vocabulary *vocabulary, const char *prefix,
                                       uint32_t unknown_id)
{
    struct sl_wordpiece *wordpiece = calloc(1, sizeof *wordpiece);
    size_t bytes = 1;

    if (wordpiece == NULL)
        return NULL;
    for (uint32_t i = 0; i < vocabulary->count; i++)
        bytes += vocabulary->keys[i].size;
    wordpiece->unknown_id = unknown_id;
    wordpiece->text = malloc(bytes);
    if (wordpiece->text == NULL || !table_init(&wordpiece->starts, vocabulary->count) ||
        !table_init(&wordpiece->continues, vocabulary->count))
        return sl_wordpiece_close(wordpiece);
    add_pieces(wordpiece, vocabulary, prefix);
    return wordpiece;
}

struct sl_wordpiece *sl_wordpiece_close(struct sl_wordpiece *wordpiece)
{
    if (wordpiece == NULL)
        return NULL;
    free(wordpiece->starts.entries);
    free(wordpiece->continues.entries);
    free(wordpiece->text);
    free(wordpiece);
    return NULL;
}

uint32_t sl_wordpiece_find(const struct sl_wordpiece *wordpiece, struct sl_view token)
{
    return table_find(&wordpiece->starts, hash_bytes(token.data, token.size), token.data,
                      token.size);
}

/* ---- words to pieces ---- */

static bool starts_char(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

/* The longest piece that `text` begins with; its size, or 0. */
static uint32_t longest_piece(const struct sl_wordpiece *wordpiece, const struct table *table,
                              const char *text, uint32_t size, uint32_t *ret_id)
{
    uint64_t hash = HASH_START;
    uint32_t found = 0;

    if (size > wordpiece->piece_bytes_max)
        size = wordpiece->piece_bytes_max;
    for (uint32_t i = 0; i < size;) {
        uint32_t id;
        do
            hash = (hash ^ (unsigned char)text[i++]) * HASH_FACTOR;
        while (i < size && !starts_char(text[i]));
        id = table_find(table, hash, text, i);
        if (id != NO_ID) {
            *ret_id = id;
            found = i;
        }
    }
    return found;
}

static void count_coverage(struct sl_view word, uint32_t chars, uint32_t letters,
                           uint32_t piece_count, struct sl_token_sink *sink)
{
    bool covered = false;

    if (piece_count > 0 && chars == 1)
        covered = word.size == 1;
    else if (piece_count > 0)
        covered = piece_count == 1 || 2 * chars >= 3 * piece_count;
    sink->letters += letters;
    if (covered)
        sink->letters_covered += letters;
}

/* Split a word into pieces[WORD_CHARS_MAX]; their number, or 0 when it is too long or the
 * vocabulary cannot spell it. */
static uint32_t split_word(const struct sl_wordpiece *wordpiece, struct sl_view word,
                           uint32_t chars, uint32_t *pieces)
{
    uint32_t count = 0;

    if (chars > WORD_CHARS_MAX)
        return 0;
    for (uint32_t at = 0; at < word.size;) {
        uint32_t size =
            longest_piece(wordpiece, at == 0 ? &wordpiece->starts : &wordpiece->continues,
                          word.data + at, (uint32_t)word.size - at, &pieces[count]);
        if (size == 0)
            return 0;
        at += size;
        count++;
    }
    return count;
}

static void put_word(const struct sl_wordpiece *wordpiece, struct sl_view word, uint32_t chars,
                     uint32_t letters, struct sl_token_sink *sink)
{
    uint32_t pieces[WORD_CHARS_MAX];
    uint32_t count = split_word(wordpiece, word, chars, pieces);

    if (sink->covering)
        count_coverage(word, chars, letters, count, sink);
    if (count == 0)
        sl_sink_put(sink, wordpiece->unknown_id);
    for (uint32_t i = 0; i < count; i++)
        sl_sink_put(sink, pieces[i]);
}

void sl_wordpiece_run(const struct sl_wordpiece *wordpiece, struct sl_view word,
                      struct sl_token_sink *sink)
{
    uint32_t letters = 0;

    for (size_t at = 0; sink->covering && at < word.size;) {
        UChar32 c;
        c = sl_next_char(word, &at);
        letters += u_isalpha(c) != 0;
    }
    put_word(wordpiece, word, char_count(word), letters, sink);
}

/* ---- BERT's words ---- */

static void end_word(struct scan *scan)
{
    if (scan->word_chars == 0)
        return;
    put_word(scan->wordpiece, (struct sl_view){(const char *)scan->word, scan->word_size},
             scan->word_chars, scan->word_letters, scan->sink);
    scan->word_letters = 0;
    scan->word_size = 0;
    scan->word_chars = 0;
}

static void add_char(struct scan *scan, UChar32 c)
{
    if (scan->word_chars < WORD_CHARS_MAX)
        U8_APPEND_UNSAFE(scan->word, scan->word_size, (uint32_t)c);
    if (scan->word_chars <= WORD_CHARS_MAX)
        scan->word_chars++;
}

/* One normalised character: part of the word, or its end. */
static void add_normal(struct scan *scan, UChar32 c)
{
    if (sl_u8_is_punctuation(c)) {
        end_word(scan);
        add_char(scan, c);
        end_word(scan);
    } else {
        add_char(scan, c);
    }
}

static void add_lowered(struct scan *scan, UChar32 c)
{
    if (!scan->options->lower_case) {
        add_normal(scan, c);
    } else if (c == 0x130) { /* the one letter whose lower case is two code points */
        add_normal(scan, 'i');
        add_normal(scan, 0x307);
    } else {
        add_normal(scan, u_tolower(c));
    }
}

static void add_code_point(struct scan *scan, UChar32 c)
{
    bool alone = scan->options->split_chinese && sl_u8_is_chinese(c);
    UChar32 parts[SL_DECOMPOSED_MAX] = {c};
    uint32_t count = 1;

    if (u_isUWhiteSpace(c) && !sl_u8_is_removed(c)) {
        end_word(scan);
        return;
    }
    if (sl_u8_is_removed(c))
        return;
    if (alone)
        end_word(scan);
    if (scan->sink->covering && u_isalpha(c))
        scan->word_letters++;
    if (scan->options->strip_accents)
        count = sl_u8_decompose(c, parts);
    for (uint32_t i = 0; i < count; i++)
        if (!scan->options->strip_accents || !sl_u8_is_mark(parts[i]))
            add_lowered(scan, parts[i]);
    if (alone)
        end_word(scan);
}

static void add_ascii(struct scan *scan, char byte)
{
    if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
        end_word(scan);
    } else if (byte > ' ' && byte < 0x7F) {
        bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
        if (letter && scan->options->lower_case)
            byte |= 0x20;
        scan->word_letters += letter && scan->sink->covering;
        add_normal(scan, byte);
    }
}

static void scan_text(struct scan *scan, const struct sl_added *added, struct sl_view text)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    size_t at = 0;

    while (at < text.size && !sl_sink_full(scan->sink)) {
        uint32_t token;
        size_t size =
            added->starts[bytes[at]]
                ? sl_trie_longest(&added->trie, sl_view_range(text, at, text.size), &token)
                : 0;
        if (size > 0) { /* a special token written out in the text is that token */
            end_word(scan);
            sl_sink_put(scan->sink, added->tokens[token].id);
            at += size;
        } else if (bytes[at] < 0x80) {
            add_ascii(scan, text.data[at++]);
        } else {
            UChar32 c;
            c = sl_next_char(text, &at);
            add_code_point(scan, c);
        }
    }
}

void sl_wordpiece_scan(const struct sl_wordpiece *wordpiece, const struct sl_bert_normal *options,
                       const struct sl_added *added, struct sl_view prefix, struct sl_view text,
                       struct sl_token_sink *sink)
{
    struct scan scan;

    scan.wordpiece = wordpiece;
    scan.options = options;
    scan.sink = sink;
    scan.word_size = 0;
    scan.word_chars = 0;
    scan.word_letters = 0;
    scan_text(&scan, added, prefix);
    scan_text(&scan, added, text);
    end_word(&scan);
}
