/*
 * fuzz_decode.c -- any bytes as a record, then the whole way to chunks and terms. The first byte
 * picks the content type.
 */
#include "text/text_internal.h"

#include <sluice/chunk.h>
#include <sluice/decode.h>
#include <sluice/limits.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
    if (!holds)
        abort();
}

static void check_chunks(const struct sl_document *document, struct sl_arena *arena)
{
    struct sl_chunk_options options = {.words = 20, .overlap_words = 5, .boilerplate = true};
    struct sl_view text = document->text;
    struct sl_chunk *chunks;
    uint32_t count, last = 0;
    struct sl_error err = {0};

    if (sl_chunk_document(document, &options, arena, &chunks, &count, &err) != SL_OK) {
        demand(err.code == SL_REJECT && err.reason[0] != '\0');
        return;
    }
    demand(count > 0);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_view prefix = sl_chunk_prefix(document, &chunks[i], arena);
        struct sl_term_count *terms;
        uint32_t term_count, length;

        demand(chunks[i].byte_start < chunks[i].byte_end && chunks[i].byte_end <= text.size);
        demand(chunks[i].byte_end > last);
        demand(sl_utf8_floor(text, chunks[i].byte_start) == chunks[i].byte_start);
        demand(sl_utf8_floor(text, chunks[i].byte_end) == chunks[i].byte_end);
        demand(chunks[i].word_count <= options.words);
        last = chunks[i].byte_end;
        text = sl_chunk_text(document, &chunks[i], prefix, chunks[i].byte_start, chunks[i].byte_end,
                             arena);
        demand(text.data != NULL && sl_utf8_bad(text) == text.size);
        demand(sl_text_terms(text, NULL, arena, &terms, &term_count, &length, &err) == SL_OK);
        text = document->text;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"", "application/json", "text/plain", "text/markdown",
                                        "text/html"};
    struct sl_header header = {SL_VIEW("content-type"), SL_VIEW_NULL};
    struct sl_message message = {
        .topic = SL_VIEW("docs"), .key = SL_VIEW("k"), .headers = &header, .header_count = 1};
    struct sl_decode_options options = {0};
    struct sl_document document;
    enum sl_decoded decoded;
    struct sl_error err = {0};
    struct sl_arena *arena = sl_arena_open(64u << 20);

    if (arena == NULL)
        abort();
    if (size > 0) {
        header.value = sl_view_of(types[data[0] % 5]);
        message.value = (struct sl_view){(const char *)data + 1, size - 1};
    }
    if (sl_decode(&message, &options, arena, &document, &decoded, &err) != SL_OK) {
        demand(err.code == SL_REJECT && err.reason[0] != '\0' && err.message[0] != '\0');
    } else if (decoded == SL_DECODED_DOCUMENT) {
        demand(sl_utf8_bad(document.text) == document.text.size && sl_text_visible(document.text));
        check_chunks(&document, arena);
    }
    sl_arena_close(arena);
    return 0;
}
