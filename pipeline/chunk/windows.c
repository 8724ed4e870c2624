/*
 * windows.c -- a chunk to the windows the encoder can read whole.
 *
 * A chunk that fits with its prefix is one window. A longer one is shared out over as few windows
 * as will do, of about the same size each, so that the last is no stub; cuts are made between
 * sentences, inside one between words, inside a word between characters. Tokens add up over white
 * space, so each piece is counted once; a piece of a cut word starts a window of its own, since
 * what it would count together with its neighbour is not known.
 *
 * A window's hash covers exactly what is embedded. The same hash under the same pipeline
 * fingerprint means the same vector, so an edit to one paragraph costs a few embeddings, not the
 * document's.
 */
#include "text/text_internal.h"

#include <sluice/chunk.h>
#include <sluice/embed.h>
#include <sluice/hash.h>

struct cutter {
    const struct sl_document *document;
    const struct sl_embedder *embedder;
    struct sl_arena *arena;
    struct sl_chunk *chunk;
    struct sl_view prefix;
    uint32_t budget;          /* tokens a window's text may have */
    uint32_t target;          /* tokens after which a window is closed */
    struct sl_buffer windows; /* struct sl_window each */
    uint32_t start, end;      /* of the window under way; end == start: empty */
    uint32_t tokens;
};

static uint32_t count(const struct cutter *c, struct sl_view text)
{
    return c->embedder->ops->count_tokens(c->embedder, text);
}

struct sl_view sl_chunk_window_prefix(const struct sl_document *document,
                                      const struct sl_chunk *chunk,
                                      const struct sl_embedder *embedder, struct sl_arena *arena)
{
    struct sl_view prefix = sl_chunk_prefix(document, chunk, arena);
    uint32_t half = embedder->token_limit / 2;
    char *shorter;

    if (prefix.data == NULL || prefix.size == 0)
        return prefix;
    while (prefix.size > 1 && embedder->ops->count_tokens(embedder, prefix) > half) {
        size_t size = sl_utf8_floor(prefix, prefix.size * 3 / 4);

        shorter = sl_arena_alloc(arena, size + 2);
        if (shorter == NULL)
            return SL_VIEW_NULL;
        memcpy(shorter, prefix.data, size);
        shorter[size] = '\n';
        prefix = (struct sl_view){shorter, size + 1};
    }
    if (prefix.size <= 1)
        prefix.size = 0;
    return prefix;
}

static void close_window(struct cutter *c)
{
    struct sl_window window = {.byte_start = c->start, .byte_end = c->end};

    if (c->end > c->start)
        sl_buffer_add(&c->windows, &window, sizeof window);
    c->start = c->end;
    c->tokens = 0;
}

/* Put [start, end) of the document's text, `tokens` long, into the window under way or a new one.
 */
static void add_piece(struct cutter *c, uint32_t start, uint32_t end, uint32_t tokens)
{
    bool empty = c->end == c->start;

    if (!empty && (c->tokens + tokens > c->budget || c->tokens >= c->target)) {
        close_window(c);
        empty = true;
    }
    if (empty)
        c->start = start;
    c->end = end;
    c->tokens += tokens;
}

/* A word the encoder cannot read whole: halves, until each piece fits. */
static void add_long_word(struct cutter *c, uint32_t start, uint32_t end)
{
    struct sl_view word = sl_view_range(c->document->text, start, end);
    uint32_t tokens = count(c, word);
    size_t middle = sl_grapheme_floor(word, 0, word.size / 2 > 0 ? word.size / 2 : 1);

    if (tokens <= c->budget || middle == 0 || middle >= word.size) {
        close_window(c);
        add_piece(c, start, end, tokens);
        close_window(c);
        return;
    }
    add_long_word(c, start, start + (uint32_t)middle);
    add_long_word(c, start + (uint32_t)middle, end);
}

/* A sentence longer than a window: word by word. */
static void add_words(struct cutter *c, uint32_t start, uint32_t end)
{
    struct sl_view text = c->document->text;

    for (size_t at = start; at < end;) {
        size_t word_start, word_end = at;
        uint32_t tokens;

        while (at < end && sl_char_space(sl_utf8_next(text, &word_end)))
            at = word_end;
        if (at >= end)
            break;
        word_start = at;
        while (at < end) {
            word_end = at;
            if (sl_char_space(sl_utf8_next(text, &word_end)))
                break;
            at = word_end;
        }
        tokens = count(c, sl_view_range(text, word_start, at));
        if (tokens > c->budget)
            add_long_word(c, (uint32_t)word_start, (uint32_t)at);
        else
            add_piece(c, (uint32_t)word_start, (uint32_t)at, tokens);
    }
}

/* Pre: [start, end) holds nothing excluded. */
static enum sl_err add_sentences(struct cutter *c, uint32_t start, uint32_t end,
                                 struct sl_error *err)
{
    struct sl_view text = sl_view_range(c->document->text, start, end);
    struct sl_span *sentences;
    uint32_t sentence_count;
    enum sl_err code = sl_text_sentences(text, c->arena, &sentences, &sentence_count, err);

    if (code != SL_OK)
        return code;
    for (uint32_t i = 0; i < sentence_count; i++) {
        uint32_t from = start + sentences[i].byte_start, to = start + sentences[i].byte_end;
        uint32_t tokens = count(c, sl_view_range(c->document->text, from, to));

        if (tokens > c->budget)
            add_words(c, from, to);
        else
            add_piece(c, from, to, tokens);
    }
    return SL_OK;
}

/* Call add_sentences() for each stretch between excluded spans. */
static enum sl_err add_stretches(struct cutter *c, struct sl_error *err)
{
    const struct sl_chunk *chunk = c->chunk;
    uint32_t at = chunk->byte_start;

    for (uint32_t i = 0; i <= chunk->excluded_count; i++) {
        bool last = i == chunk->excluded_count;
        uint32_t stop = last ? chunk->byte_end : chunk->excluded[i].byte_start;

        if (stop > at) {
            enum sl_err code = add_sentences(c, at, stop, err);
            if (code != SL_OK)
                return code;
        }
        if (!last && chunk->excluded[i].byte_end > at)
            at = chunk->excluded[i].byte_end;
    }
    close_window(c);
    return SL_OK;
}

static enum sl_err full(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "the document's windows do not fit into memory");
}

/* Move the windows into the arena and set their hashes. */
static enum sl_err finish_chunk(struct cutter *c, struct sl_error *err)
{
    struct sl_chunk *chunk = c->chunk;
    struct sl_view copy = sl_arena_copy(
        c->arena, (struct sl_view){c->windows.data ? c->windows.data : "", c->windows.size});

    if (copy.data == NULL || c->windows.failed)
        return full(err);
    chunk->windows = (struct sl_window *)(void *)(uintptr_t)copy.data;
    chunk->window_count = (uint32_t)(copy.size / sizeof(struct sl_window));
    for (uint32_t i = 0; i < chunk->window_count; i++) {
        struct sl_window *window = &chunk->windows[i];
        struct sl_view text = sl_chunk_text(c->document, chunk, c->prefix, window->byte_start,
                                            window->byte_end, c->arena);
        uint8_t digest[32];

        if (text.data == NULL)
            return full(err);
        sl_sha256(text, digest);
        memcpy(window->hash, digest, SL_HASH_BYTES);
    }
    return SL_OK;
}

static enum sl_err cut_chunk(struct cutter *c, struct sl_error *err)
{
    struct sl_chunk *chunk = c->chunk;
    struct sl_view text;
    uint32_t tokens, parts;
    enum sl_err code = SL_OK;

    c->prefix = sl_chunk_window_prefix(c->document, chunk, c->embedder, c->arena);
    text = sl_chunk_text(c->document, chunk, SL_VIEW_NULL, chunk->byte_start, chunk->byte_end,
                         c->arena);
    if (c->prefix.data == NULL || text.data == NULL)
        return full(err);
    tokens = count(c, text);
    c->budget = c->embedder->token_limit - count(c, c->prefix);
    c->start = c->end = chunk->byte_start;
    c->tokens = 0;
    c->windows.size = 0;
    if (tokens <= c->budget) {
        c->end = chunk->byte_end;
        close_window(c);
    } else {
        parts = (tokens + c->budget - 1) / c->budget;
        c->target = (tokens + parts - 1) / parts;
        code = add_stretches(c, err);
    }
    return code == SL_OK ? finish_chunk(c, err) : code;
}

enum sl_err sl_chunk_windows(const struct sl_document *document, struct sl_chunk *chunks,
                             uint32_t chunk_count, const struct sl_embedder *embedder,
                             struct sl_arena *arena, struct sl_error *err)
{
    struct cutter cutter = {.document = document, .embedder = embedder, .arena = arena};
    enum sl_err code = SL_OK;

    SL_PRE(embedder->token_limit >= 2);
    for (uint32_t i = 0; i < chunk_count && code == SL_OK; i++) {
        cutter.chunk = &chunks[i];
        code = cut_chunk(&cutter, err);
    }
    sl_buffer_fini(&cutter.windows);
    return code;
}
