/*
 * tokenizer_bpe.c -- byte-pair encoding: characters of a piece are joined pair by pair, the pair of
 * the lowest rank first, until no pair is in the list of merges.
 *
 * Pairs under way wait in a heap; one whose parts have changed meanwhile is noticed when it comes
 * up. Models of the Llama kind have no splitter: a whole text is one piece, with marks for spaces.
 * Where no merge joins anything to a mark behind it, the marks cut it into words, which gives the
 * same result from small heaps; whether that is so is found at opening.
 */
#include "embed/tokenizer_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK       "\xE2\x96\x81" /* U+2581 */
#define MARK_BYTES 3u

/* A pair that may be joined. Open addressing. */
struct pair {
    uint64_t key;  /* left id, right id */
    uint32_t rank; /* SL_NO_TOKEN: empty */
    uint32_t id;
};

struct sl_bpe {
    struct sl_trie trie;
    struct pair *pairs;
    size_t mask;
    uint32_t unknown_id; /* SL_NO_TOKEN: unknown characters are left out */
    bool fuse_unknown;
    bool byte_fallback;
    bool whole_first; /* "ignore_merges": a piece that is an entry is that entry */
    bool marks_cut;
    uint32_t byte_ids[256];
};

/* ---- reading ---- */

static uint64_t key_of(uint32_t left, uint32_t right)
{
    return (uint64_t)left << 32 | right;
}

static size_t slot_of(const struct sl_bpe *bpe, uint64_t key)
{
    key *= 0x9E3779B97F4A7C15u;
    return (size_t)(key >> 29) & bpe->mask;
}

static const struct pair *find_pair(const struct sl_bpe *bpe, uint32_t left, uint32_t right)
{
    uint64_t key = key_of(left, right);

    for (size_t at = slot_of(bpe, key);; at = (at + 1) & bpe->mask) {
        if (bpe->pairs[at].rank == SL_NO_TOKEN)
            return NULL;
        if (bpe->pairs[at].key == key)
            return &bpe->pairs[at];
    }
}

static void put_pair(struct sl_bpe *bpe, struct pair pair)
{
    size_t at = slot_of(bpe, pair.key);

    while (bpe->pairs[at].rank != SL_NO_TOKEN && bpe->pairs[at].key != pair.key)
        at = (at + 1) & bpe->mask;
    bpe->pairs[at] = pair;
}

static bool new_pairs(struct sl_bpe *bpe, uint32_t count)
{
    size_t size = 16;

    while (size < 2 * (size_t)count + 2)
        size *= 2;
    bpe->mask = size - 1;
    bpe->pairs = malloc(size * sizeof *bpe->pairs);
    for (size_t i = 0; bpe->pairs != NULL && i < size; i++)
        bpe->pairs[i].rank = SL_NO_TOKEN;
    return bpe->pairs != NULL;
}

/* "left right" or ["left", "right"] */
static bool split_merge(const cJSON *item, struct sl_view *left, struct sl_view *right)
{
    const cJSON *first = cJSON_IsArray(item) ? item->child : NULL;
    const char *space;

    if (first != NULL) {
        if (!cJSON_IsString(first) || !cJSON_IsString(first->next) || first->next->next != NULL)
            return false;
        *left = sl_view_of(first->valuestring);
        *right = sl_view_of(first->next->valuestring);
        return true;
    }
    space = cJSON_IsString(item) ? strchr(item->valuestring, ' ') : NULL;
    if (space == NULL)
        return false;
    *left = (struct sl_view){item->valuestring, (size_t)(space - item->valuestring)};
    *right = sl_view_of(space + 1);
    return true;
}

static enum sl_err add_merge(struct sl_bpe *bpe, const cJSON *item, uint32_t rank,
                             const struct sl_json_place *place, struct sl_error *err)
{
    struct sl_view left, right;
    char joined[2 * SL_TOKEN_BYTES_MAX];
    uint32_t left_id, right_id, id;

    if (!split_merge(item, &left, &right) || left.size + right.size > sizeof joined)
        return sl_json_refuse(place, err, "entry %u must be \"left right\" or [left, right]", rank);
    memcpy(joined, left.data, left.size);
    memcpy(joined + left.size, right.data, right.size);
    left_id = sl_trie_find(&bpe->trie, left);
    right_id = sl_trie_find(&bpe->trie, right);
    id = sl_trie_find(&bpe->trie, (struct sl_view){joined, left.size + right.size});
    if (left_id == SL_NO_TOKEN || right_id == SL_NO_TOKEN || id == SL_NO_TOKEN)
        return sl_json_refuse(
            place, err, "entry %u: both parts, and both joined, must be in model.vocab", rank);
    if (right.size >= MARK_BYTES && memcmp(right.data, MARK, MARK_BYTES) == 0 &&
        !(left.size >= MARK_BYTES &&
          memcmp(left.data + left.size - MARK_BYTES, MARK, MARK_BYTES) == 0))
        bpe->marks_cut = false;
    put_pair(bpe, (struct pair){key_of(left_id, right_id), rank, id});
    return SL_OK;
}

static enum sl_err read_merges(struct sl_bpe *bpe, const cJSON *merges,
                               const struct sl_json_place *place, struct sl_error *err)
{
    int count = cJSON_GetArraySize(merges);
    uint32_t rank = 0;
    const cJSON *item;

    if (!cJSON_IsArray(merges) || (uint32_t)count > SL_TOKEN_ID_MAX)
        return sl_json_refuse(place, err, "must be a list of at most %u pairs", SL_TOKEN_ID_MAX);
    if (!new_pairs(bpe, (uint32_t)count))
        return sl_json_refuse(place, err, "out of memory");
    cJSON_ArrayForEach(item, merges)
    {
        enum sl_err r = add_merge(bpe, item, rank++, place, err);
        if (r != SL_OK)
            return r;
    }
    return SL_OK;
}

static void find_bytes(struct sl_bpe *bpe)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[8];
        (void)snprintf(name, sizeof name, "<0x%02X>", byte);
        bpe->byte_ids[byte] = sl_trie_find(&bpe->trie, sl_view_of(name));
    }
}

enum sl_err sl_bpe_open(const struct sl_vocabulary *vocabulary, uint32_t unknown_id,
                        const cJSON *model, const struct sl_json_place *place,
                        struct sl_bpe **ret_bpe, struct sl_error *err)
{
    struct sl_bpe *bpe = calloc(1, sizeof *bpe);
    enum sl_err r;

    if (bpe == NULL || !sl_trie_init(&bpe->trie, vocabulary->keys, vocabulary->count)) {
        free(bpe);
        return sl_json_refuse(place, err, "out of memory");
    }
    bpe->unknown_id = unknown_id;
    bpe->fuse_unknown = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(model, "fuse_unk"));
    bpe->byte_fallback = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(model, "byte_fallback"));
    bpe->whole_first = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(model, "ignore_merges"));
    bpe->marks_cut = !bpe->whole_first && sl_trie_find(&bpe->trie, SL_VIEW(MARK)) != SL_NO_TOKEN;
    find_bytes(bpe);
    r = read_merges(bpe, cJSON_GetObjectItemCaseSensitive(model, "merges"), place, err);
    if (r != SL_OK)
        (void)sl_bpe_close(bpe);
    else
        *ret_bpe = bpe;
    return r;
}

struct sl_bpe *sl_bpe_close(struct sl_bpe *bpe)
{
    if (bpe == NULL)
        return NULL;
    sl_trie_fini(&bpe->trie);
    free(bpe->pairs);
    free(bpe);
    return NULL;
}

/* ---- running ---- */

/* One word at work. */
struct word {
    const struct sl_bpe *bpe;
    struct sl_view text;
    struct sl_bpe_symbol *symbols;
    uint32_t count;
    struct sl_bpe_merge *heap;
    uint32_t heap_count;
    uint64_t bytes_letters; /* letters that became bytes; covering only */
};

static bool comes_before(const struct sl_bpe_merge *a, const struct sl_bpe_merge *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void heap_put(struct word *word, struct sl_bpe_merge merge)
{
    uint32_t at = word->heap_count++;

    while (at > 0 && comes_before(&merge, &word->heap[(at - 1) / 2])) {
        word->heap[at] = word->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    word->heap[at] = merge;
}

static struct sl_bpe_merge heap_take(struct word *word)
{
    struct sl_bpe_merge top = word->heap[0], last = word->heap[--word->heap_count];
    uint32_t at = 0;

    for (uint32_t child; (child = 2 * at + 1) < word->heap_count; at = child) {
        if (child + 1 < word->heap_count &&
            comes_before(&word->heap[child + 1], &word->heap[child]))
            child++;
        if (!comes_before(&word->heap[child], &last))
            break;
        word->heap[at] = word->heap[child];
    }
    word->heap[at] = last;
    return top;
}

static void add_symbol(struct word *word, uint32_t id, uint32_t start, uint32_t size)
{
    struct sl_bpe_symbol *symbol = &word->symbols[word->count];

    *symbol = (struct sl_bpe_symbol){id, word->count > 0 ? word->count - 1 : SL_NO_TOKEN,
                                     SL_NO_TOKEN, start, size};
    if (word->count > 0)
        symbol[-1].next = word->count;
    word->count++;
}

static bool has_bytes(const struct sl_bpe *bpe, struct sl_view character)
{
    if (!bpe->byte_fallback)
        return false;
    for (size_t i = 0; i < character.size; i++)
        if (bpe->byte_ids[(unsigned char)character.data[i]] == SL_NO_TOKEN)
            return false;
    return true;
}

/* The characters of the word, unknown ones as bytes or as the unknown token. */
static void add_characters(struct word *word)
{
    const struct sl_bpe *bpe = word->bpe;
    bool after_unknown = false;

    for (size_t at = 0, start; at < word->text.size;) {
        struct sl_view character;
        uint32_t id, size;
        UChar32 c;
        start = at;
        c = sl_next_char(word->text, &at);
        character = sl_view_range(word->text, start, at);
        size = (uint32_t)character.size;
        id = sl_trie_find(&bpe->trie, character);
        if (id != SL_NO_TOKEN) {
            add_symbol(word, id, (uint32_t)start, size);
        } else if (has_bytes(bpe, character)) {
            word->bytes_letters += u_isalpha(c) != 0;
            for (uint32_t i = 0; i < size; i++)
                add_symbol(word, bpe->byte_ids[(unsigned char)character.data[i]],
                           (uint32_t)start + i, 1);
        } else if (bpe->unknown_id != SL_NO_TOKEN && after_unknown && bpe->fuse_unknown) {
            word->symbols[word->count - 1].size += size;
        } else if (bpe->unknown_id != SL_NO_TOKEN) {
            add_symbol(word, bpe->unknown_id, (uint32_t)start, size);
        }
        after_unknown = id == SL_NO_TOKEN && word->count > 0 &&
                        word->symbols[word->count - 1].id == bpe->unknown_id;
    }
}

/* Let the symbol and the one after it wait for their turn, if they may be joined. */
static void offer(struct word *word, uint32_t at)
{
    uint32_t next = word->symbols[at].next;
    const struct pair *pair;

    if (next == SL_NO_TOKEN)
        return;
    pair = find_pair(word->bpe, word->symbols[at].id, word->symbols[next].id);
    if (pair != NULL)
        heap_put(word, (struct sl_bpe_merge){pair->rank, at, pair->id});
}

static void join(struct word *word, struct sl_bpe_merge merge)
{
    struct sl_bpe_symbol *left = &word->symbols[merge.at], *right;
    const struct pair *pair;

    if (left->size == 0 || left->next == SL_NO_TOKEN)
        return;
    right = &word->symbols[left->next];
    pair = find_pair(word->bpe, left->id, right->id);
    if (pair == NULL || pair->id != merge.id) /* they have changed */
        return;
    left->id = merge.id;
    left->size += right->size;
    left->next = right->next;
    right->size = 0;
    if (left->next != SL_NO_TOKEN)
        word->symbols[left->next].previous = merge.at;
    if (left->previous != SL_NO_TOKEN)
        offer(word, left->previous);
    offer(word, merge.at);
}

static void run_word(const struct sl_bpe *bpe, struct sl_view text, struct sl_scratch *scratch,
                     struct sl_token_sink *sink)
{
    struct word word = {
        .bpe = bpe, .text = text, .symbols = scratch->symbols, .heap = scratch->heap};
    uint32_t whole = bpe->whole_first ? sl_trie_find(&bpe->trie, text) : SL_NO_TOKEN;

    if (whole != SL_NO_TOKEN) {
        sl_sink_put_piece(sink, whole, text, true);
        return;
    }
    add_characters(&word);
    for (uint32_t i = 0; i + 1 < word.count; i++)
        offer(&word, i);
    while (word.heap_count > 0)
        join(&word, heap_take(&word));
    for (uint32_t at = 0; word.count > 0 && at != SL_NO_TOKEN; at = word.symbols[at].next) {
        const struct sl_bpe_symbol *symbol = &word.symbols[at];
        sl_sink_put_piece(sink, symbol->id,
                          sl_view_range(text, symbol->start, symbol->start + symbol->size),
                          symbol->id != bpe->unknown_id);
    }
    if (sink->covering)
        sink->letters += word.bytes_letters;
}

/* The start of the next mark that follows something else, or the end. */
static size_t word_end(struct sl_view piece, size_t start)
{
    bool after_mark = true;

    for (size_t at = start; at < piece.size; at++) {
        bool mark = piece.size - at >= MARK_BYTES && memcmp(piece.data + at, MARK, MARK_BYTES) == 0;
        if (mark && !after_mark)
            return at;
        after_mark = mark;
        at += mark ? MARK_BYTES - 1 : 0;
    }
    return piece.size;
}

void sl_bpe_run(const struct sl_bpe *bpe, struct sl_view piece, struct sl_scratch *scratch,
                struct sl_token_sink *sink)
{
    for (size_t start = 0, end; start < piece.size && !sl_sink_full(sink); start = end) {
        end = bpe->marks_cut ? word_end(piece, start) : piece.size;
        run_word(bpe, sl_view_range(piece, start, end), scratch, sink);
    }
}
