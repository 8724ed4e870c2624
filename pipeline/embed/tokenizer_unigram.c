/*
 * tokenizer_unigram.c -- SentencePiece's unigram model: the split of a piece into vocabulary
 * entries whose scores add up to the most.
 *
 * One pass from left to right keeps, for every place, the best way to get there (Viterbi); ties go
 * to the way found first, as in the reference. A character that no entry spells alone may always be
 * passed as unknown, at ten below the worst score; neighbouring unknowns become one token, or the
 * tokens of their bytes where the file says so.
 */
#include "embed/tokenizer_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_PENALTY 10.0

struct sl_unigram {
    struct sl_trie trie;
    double *scores; /* [id_end] */
    double unknown_score;
    uint32_t unknown_id;
    bool byte_fallback;
    uint32_t byte_ids[256]; /* "<0x41>"; SL_NO_TOKEN: not in the vocabulary */
};

static uint32_t char_size(char first)
{
    unsigned char byte = (unsigned char)first;

    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

static enum sl_err set_scores(struct sl_unigram *unigram, const struct sl_vocabulary *vocabulary,
                              const struct sl_json_place *place, struct sl_error *err)
{
    double least = INFINITY;

    unigram->scores = malloc((vocabulary->id_end + (size_t)1) * sizeof *unigram->scores);
    if (unigram->scores == NULL)
        return sl_json_refuse(place, err, "out of memory");
    for (uint32_t i = 0; i < vocabulary->id_end; i++) {
        unigram->scores[i] = vocabulary->scores[i];
        if (!isfinite(vocabulary->scores[i]))
            return sl_json_refuse(place, err, "entry %u: its score must be a finite number", i);
        if (vocabulary->scores[i] < least)
            least = vocabulary->scores[i];
    }
    unigram->unknown_score = least - UNKNOWN_PENALTY;
    return SL_OK;
}

enum sl_err sl_unigram_open(const struct sl_vocabulary *vocabulary, uint32_t unknown_id,
                            bool byte_fallback, const struct sl_json_place *place,
                            struct sl_unigram **ret_unigram, struct sl_error *err)
{
    struct sl_unigram *unigram = calloc(1, sizeof *unigram);
    enum sl_err r;

    if (unigram == NULL)
        return sl_json_refuse(place, err, "out of memory");
    unigram->unknown_id = unknown_id;
    unigram->byte_fallback = byte_fallback;
    r = set_scores(unigram, vocabulary, place, err);
    if (r == SL_OK && !sl_trie_init(&unigram->trie, vocabulary->keys, vocabulary->count))
        r = sl_json_refuse(place, err, "out of memory for %u entries", vocabulary->count);
    if (r != SL_OK) {
        (void)sl_unigram_close(unigram);
        return r;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[8];
        (void)snprintf(name, sizeof name, "<0x%02X>", byte);
        unigram->byte_ids[byte] = sl_trie_find(&unigram->trie, sl_view_of(name));
        unigram->byte_fallback = unigram->byte_fallback && unigram->byte_ids[byte] != SL_NO_TOKEN;
    }
    *ret_unigram = unigram;
    return SL_OK;
}

struct sl_unigram *sl_unigram_close(struct sl_unigram *unigram)
{
    if (unigram == NULL)
        return NULL;
    sl_trie_fini(&unigram->trie);
    free(unigram->scores);
    free(unigram);
    return NULL;
}

static inline void offer(struct sl_unigram_node *node, double score, uint32_t start, uint32_t id)
{
    if (node->other != SL_NO_TOKEN && !(score > node->score))
        return;
    *node = (struct sl_unigram_node){score, start, id};
}

/* The best way to every place of the piece. */
static void find_ways(const struct sl_unigram *unigram, struct sl_view piece,
                      struct sl_unigram_node *nodes)
{
    const struct sl_trie *trie = &unigram->trie;

    for (size_t i = 1; i <= piece.size; i++)
        nodes[i].other = SL_NO_TOKEN;
    nodes[0] = (struct sl_unigram_node){0, SL_NO_TOKEN, 0};
    for (uint32_t start = 0, size; start < piece.size; start += size) {
        double score = nodes[start].score;
        uint32_t node = 0, end = start;
        bool alone = false;

        size = char_size(piece.data[start]);
        if (size > piece.size - start)
            size = (uint32_t)piece.size - start;
        while (end < piece.size && sl_trie_step(trie, &node, piece.data[end])) {
            uint32_t id = trie->units[node].value;
            end++;
            if (id == SL_NO_TOKEN)
                continue;
            offer(&nodes[end], score + unigram->scores[id], start, id);
            alone = alone || end == start + size;
        }
        if (!alone)
            offer(&nodes[start + size], score + unigram->unknown_score, start, unigram->unknown_id);
    }
}

/* Turn the links from "where the piece that ends here starts" to "where the next one ends". */
static void turn_links(struct sl_unigram_node *nodes, uint32_t end)
{
    uint32_t next = SL_NO_TOKEN;

    for (uint32_t at = end;;) {
        uint32_t start = nodes[at].other;
        nodes[at].other = next;
        next = at;
        if (at == 0)
            return;
        at = start;
    }
}

/* Neighbouring unknown characters: what they are together, their bytes, or unknown. */
static void put_unknown(const struct sl_unigram *unigram, struct sl_view text,
                        struct sl_token_sink *sink)
{
    uint32_t id = sl_trie_find(&unigram->trie, text);

    if (id != SL_NO_TOKEN || !unigram->byte_fallback) {
        sl_sink_put_piece(sink, id != SL_NO_TOKEN ? id : unigram->unknown_id, text, false);
        return;
    }
    for (size_t i = 0; i < text.size; i++)
        sl_sink_put(sink, unigram->byte_ids[(unsigned char)text.data[i]]);
    if (sink->covering) {
        struct sl_token_sink letters = {.ids_max = 1, .covering = true};
        sl_sink_put_piece(&letters, 0, text, false);
        sink->letters += letters.letters;
    }
}

void sl_unigram_run(const struct sl_unigram *unigram, struct sl_view piece,
                    struct sl_scratch *scratch, struct sl_token_sink *sink)
{
    struct sl_unigram_node *nodes = scratch->nodes;
    uint32_t unknown_from = SL_NO_TOKEN;

    if (piece.size == 0)
        return;
    find_ways(unigram, piece, nodes);
    turn_links(nodes, (uint32_t)piece.size);
    for (uint32_t start = 0, end; start < piece.size; start = end) {
        end = nodes[start].other;
        if (nodes[end].id == unigram->unknown_id) {
            unknown_from = unknown_from == SL_NO_TOKEN ? start : unknown_from;
            continue;
        }
        if (unknown_from != SL_NO_TOKEN)
            put_unknown(unigram, sl_view_range(piece, unknown_from, start), sink);
        unknown_from = SL_NO_TOKEN;
        sl_sink_put_piece(sink, nodes[end].id, sl_view_range(piece, start, end), true);
    }
    if (unknown_from != SL_NO_TOKEN)
        put_unknown(unigram, sl_view_range(piece, unknown_from, piece.size), sink);
}
