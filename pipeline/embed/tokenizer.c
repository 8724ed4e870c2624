/*
 * tokenizer.c -- BERT's basic tokenizer and WordPiece, in one pass over the text.
 *
 * The reference normalises the whole text, then splits, then looks pieces up. Here each code point
 * is cleaned, decomposed, lower-cased and put into the word being built; the word is looked up when
 * it ends. A word over 100 characters is [UNK], so nothing longer is ever kept: a 5 MB "word" costs
 * no memory. Decomposing one code point at a time leaves out the reordering of several marks on one
 * letter; non-spacing marks are stripped anyway, and no vocabulary we know holds the spacing ones.
 *
 * Pieces are found greedily, longest first: one pass forward hashes every prefix of what is left
 * and remembers the longest that is in the vocabulary. Known weakness: a vocabulary whose special
 * tokens have other names than BERT's is refused.
 */
#include "embed/tokenizer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include "embed/model_config.h"
#include "embed/unicode8.h"

#define VOCABULARY_BYTES_MAX (64u << 20)
#define WORD_CHARS_MAX       100u
#define WORD_BYTES_MAX       (WORD_CHARS_MAX * 4u)
#define NO_ID                UINT32_MAX
#define HASH_START           0xCBF29CE484222325u
#define HASH_FACTOR          0x100000001B3u

enum special {
    SPECIAL_UNK = 0,
    SPECIAL_CLS,
    SPECIAL_SEP,
    SPECIAL_PAD,
    SPECIAL_MASK,
    SPECIAL_COUNT
};

static const char *const special_names[SPECIAL_COUNT] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]",
                                                         "[MASK]"};

struct entry {
    uint64_t hash;
    uint32_t id; /* NO_ID: empty */
    uint32_t size;
    const char *bytes; /* without "##"; into the vocabulary's text */
};

/* Open addressing; `mask` + 1 entries, at most half of them used. */
struct table {
    struct entry *entries;
    size_t mask;
};

struct sl_tokenizer {
    struct sl_tokenizer_options options;
    char *text; /* the vocabulary file */
    uint32_t count;
    struct table starts;    /* pieces at the start of a word */
    struct table continues; /* the "##" ones */
    uint32_t piece_bytes_max;
    uint32_t special_ids[SPECIAL_COUNT]; /* NO_ID: not in this vocabulary */
};

/* The word being built, and what becomes of its pieces. */
struct scan {
    const struct sl_tokenizer *tokenizer;
    uint32_t *ids; /* NULL: count only */
    uint32_t ids_max;
    uint32_t count;
    uint8_t word[WORD_BYTES_MAX];
    uint32_t word_size;
    uint32_t word_chars; /* counts on past WORD_CHARS_MAX, when nothing more is kept */
    /* for the coverage */
    bool covering;
    uint32_t word_letters;
    uint64_t letters;
    uint64_t letters_covered;
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

/* A token that stands there twice has the id of its last line, as in the reference. */
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

static void add_token(struct sl_tokenizer *tokenizer, const char *bytes, size_t size, uint32_t id)
{
    bool continues = size > 2 && bytes[0] == '#' && bytes[1] == '#';

    if (size == 0 || size > UINT32_MAX / 2)
        return;
    if (continues)
        table_put(&tokenizer->continues, bytes + 2, (uint32_t)size - 2, id);
    else
        table_put(&tokenizer->starts, bytes, (uint32_t)size, id);
    if (size > tokenizer->piece_bytes_max)
        tokenizer->piece_bytes_max = (uint32_t)size;
}

static void add_lines(struct sl_tokenizer *tokenizer, size_t text_size)
{
    const char *at = tokenizer->text, *end = at + text_size;
    uint32_t id = 0;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        size_t size = (size_t)(stop - at);
        if (size > 0 && at[size - 1] == '\r')
            size--;
        add_token(tokenizer, at, size, id++);
        at = stop + 1;
    }
}

static enum sl_err find_specials(struct sl_tokenizer *tokenizer, const char *path,
                                 struct sl_error *err)
{
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        size_t size = strlen(special_names[i]);
        tokenizer->special_ids[i] = table_find(
            &tokenizer->starts, hash_bytes(special_names[i], size), special_names[i], size);
        if (tokenizer->special_ids[i] == NO_ID && i <= SPECIAL_SEP)
            return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                           "%s: no line %s: not the vocabulary of a BERT model", path,
                           special_names[i]);
    }
    return SL_OK;
}

enum sl_err sl_tokenizer_open(const char *path, const struct sl_tokenizer_options *options,
                              struct sl_sha256 *digest, struct sl_tokenizer **ret_tokenizer,
                              struct sl_error *err)
{
    struct sl_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);
    size_t size = 0;
    enum sl_err r;

    if (tokenizer == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", path);
    tokenizer->options = *options;
    r = sl_model_file_read(path, VOCABULARY_BYTES_MAX, &tokenizer->text, &size, err);
    if (r == SL_OK) {
        for (size_t i = 0; i < size; i++)
            tokenizer->count += tokenizer->text[i] == '\n' || i + 1 == size;
        if (!table_init(&tokenizer->starts, tokenizer->count) ||
            !table_init(&tokenizer->continues, tokenizer->count))
            r = sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", path);
    }
    if (r == SL_OK) {
        add_lines(tokenizer, size);
        r = find_specials(tokenizer, path, err);
    }
    if (r != SL_OK) {
        sl_tokenizer_close(tokenizer);
        return r;
    }
    if (digest != NULL)
        sl_sha256_add(digest, tokenizer->text, size);
    *ret_tokenizer = tokenizer;
    return SL_OK;
}

void sl_tokenizer_close(struct sl_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    free(tokenizer->starts.entries);
    free(tokenizer->continues.entries);
    free(tokenizer->text);
    free(tokenizer);
}

uint32_t sl_tokenizer_vocabulary_count(const struct sl_tokenizer *tokenizer)
{
    return tokenizer->count;
}

uint32_t sl_tokenizer_first_id(const struct sl_tokenizer *tokenizer)
{
    return tokenizer->special_ids[SPECIAL_CLS];
}

uint32_t sl_tokenizer_last_id(const struct sl_tokenizer *tokenizer)
{
    return tokenizer->special_ids[SPECIAL_SEP];
}

/* ---- words to pieces ---- */

static void put_id(struct scan *scan, uint32_t id)
{
    if (scan->count == scan->ids_max)
        return;
    if (scan->ids != NULL)
        scan->ids[scan->count] = id;
    scan->count++;
}

static bool starts_char(char byte)
{
    return ((unsigned char)byte & 0xC0) != 0x80;
}

/* The longest piece that `text` begins with; its size, or 0. */
static uint32_t longest_piece(const struct sl_tokenizer *tokenizer, const struct table *table,
                              const char *text, uint32_t size, uint32_t *ret_id)
{
    uint64_t hash = HASH_START;
    uint32_t found = 0;

    if (size > tokenizer->piece_bytes_max)
        size = tokenizer->piece_bytes_max;
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

/* Split the word into pieces; their number, or 0 when the vocabulary cannot spell it. */
static uint32_t split_word(const struct scan *scan, uint32_t *pieces)
{
    const struct sl_tokenizer *tokenizer = scan->tokenizer;
    uint32_t count = 0;

    if (scan->word_chars > WORD_CHARS_MAX)
        return 0;
    for (uint32_t at = 0; at < scan->word_size;) {
        uint32_t size =
            longest_piece(tokenizer, at == 0 ? &tokenizer->starts : &tokenizer->continues,
                          (const char *)scan->word + at, scan->word_size - at, &pieces[count]);
        if (size == 0)
            return 0;
        at += size;
        count++;
    }
    return count;
}

static void count_coverage(struct scan *scan, uint32_t piece_count)
{
    bool covered = false;

    if (piece_count > 0 && scan->word_chars == 1)
        covered = scan->word_size == 1;
    else if (piece_count > 0)
        covered = piece_count == 1 || 2 * scan->word_chars >= 3 * piece_count;
    scan->letters += scan->word_letters;
    if (covered)
        scan->letters_covered += scan->word_letters;
    scan->word_letters = 0;
}

static void end_word(struct scan *scan)
{
    uint32_t pieces[WORD_CHARS_MAX], count;

    if (scan->word_chars == 0)
        return;
    count = split_word(scan, pieces);
    if (scan->covering)
        count_coverage(scan, count);
    if (count == 0)
        put_id(scan, scan->tokenizer->special_ids[SPECIAL_UNK]);
    for (uint32_t i = 0; i < count; i++)
        put_id(scan, pieces[i]);
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
    if (!scan->tokenizer->options.lower_case) {
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
    bool alone = scan->tokenizer->options.split_chinese && sl_u8_is_chinese(c);
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
    if (scan->covering && u_isalpha(c))
        scan->word_letters++;
    if (scan->tokenizer->options.strip_accents)
        count = sl_u8_decompose(c, parts);
    for (uint32_t i = 0; i < count; i++)
        if (!scan->tokenizer->options.strip_accents || !sl_u8_is_mark(parts[i]))
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
        if (letter && scan->tokenizer->options.lower_case)
            byte |= 0x20;
        scan->word_letters += letter && scan->covering;
        add_normal(scan, byte);
    }
}

/* A special token written out in the text is that token, as in the reference; its size, or 0. */
static size_t special_at(const struct sl_tokenizer *tokenizer, const char *text, size_t size,
                         uint32_t *ret_id)
{
    for (int i = 0; i < SPECIAL_COUNT; i++) {
        size_t length = strlen(special_names[i]);
        if (tokenizer->special_ids[i] != NO_ID && length <= size &&
            memcmp(text, special_names[i], length) == 0) {
            *ret_id = tokenizer->special_ids[i];
            return length;
        }
    }
    return 0;
}

static void scan_text(struct scan *scan, struct sl_view text)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    size_t at = 0;

    while (at < text.size && scan->count < scan->ids_max) {
        uint32_t id;
        size_t special =
            bytes[at] == '[' ? special_at(scan->tokenizer, text.data + at, text.size - at, &id) : 0;
        if (special > 0) {
            end_word(scan);
            put_id(scan, id);
            at += special;
        } else if (bytes[at] < 0x80) {
            add_ascii(scan, text.data[at++]);
        } else {
            UChar32 c;
            U8_NEXT_OR_FFFD(bytes, at, text.size, c);
            add_code_point(scan, c);
        }
    }
    end_word(scan);
}

uint32_t sl_tokenizer_ids(const struct sl_tokenizer *tokenizer, struct sl_view text,
                          uint32_t *ret_ids, uint32_t ids_max)
{
    struct scan scan;

    scan.tokenizer = tokenizer;
    scan.ids = ret_ids;
    scan.ids_max = ids_max;
    scan.count = 0;
    scan.word_size = 0;
    scan.word_chars = 0;
    scan.covering = false;
    scan.word_letters = 0;
    scan_text(&scan, text);
    return scan.count;
}

double sl_tokenizer_coverage(const struct sl_tokenizer *tokenizer, struct sl_view text)
{
    struct scan scan = {.tokenizer = tokenizer, .ids_max = UINT32_MAX, .covering = true};

    scan_text(&scan, text);
    return scan.letters == 0 ? 1.0 : (double)scan.letters_covered / (double)scan.letters;
}
