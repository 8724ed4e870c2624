/*
 * cmd_chunk.c -- `sluicectl chunk`: how a file would be cut, without an index.
 */
#include <stdio.h>

#include <sluice/json.h>

#include "source.h"

struct cutting {
    struct ctl *ctl;
    const struct ctl_item *item;
    struct sl_ingest_options ingest;
    struct sl_arena *arena;
    struct sl_document document;
    struct sl_chunk *chunks;
    uint32_t chunk_count;
};

static enum sl_err cut(struct cutting *cutting, struct sl_error *err)
{
    const struct ctl_item *item = cutting->item;
    struct sl_header header = {SL_VIEW("content-type"), sl_view_of(item->content_type)};
    struct sl_message message = {
        .topic = SL_VIEW("docs"),
        .offset = -1,
        .timestamp_ms = -1,
        .key = {item->key.data, item->key.size},
        .value = {item->value.data, item->value.size},
        .headers = &header,
        .header_count = item->content_type != NULL ? 1 : 0,
    };
    enum sl_decoded decoded;
    enum sl_err code = sl_decode(&message, &cutting->ingest.decode, cutting->arena,
                                 &cutting->document, &decoded, err);

    if (code == SL_OK)
        code = sl_chunk_document(&cutting->document, &cutting->ingest.chunk, cutting->arena,
                                 &cutting->chunks, &cutting->chunk_count, err);
    if (code == SL_OK && cutting->ingest.embedder != NULL)
        code = sl_chunk_windows(&cutting->document, cutting->chunks, cutting->chunk_count,
                                cutting->ingest.embedder, cutting->arena, err);
    return code;
}

static void print_chunk(struct sl_buffer *out, const struct cutting *cutting, uint32_t i)
{
    const struct sl_chunk *chunk = &cutting->chunks[i];
    struct sl_view text = sl_view_range(cutting->document.text, chunk->byte_start, chunk->byte_end);

    if (!cutting->ctl->json) {
        sl_buffer_format(out, "--- chunk %u: bytes %u to %u, %u words", i, chunk->byte_start,
                         chunk->byte_end, chunk->word_count);
        if (chunk->window_count > 0)
            sl_buffer_format(out, ", %u windows", chunk->window_count);
        if (chunk->section.data != NULL)
            sl_buffer_format(out, ", %.*s", SL_VIEW_ARG(chunk->section));
        sl_buffer_format(out, "\n");
        sl_buffer_view(out, text);
        sl_buffer_format(out, "\n");
        return;
    }
    sl_buffer_format(out, "{\"chunk\": %u, \"byte_start\": %u, \"byte_end\": %u, \"words\": %u", i,
                     chunk->byte_start, chunk->byte_end, chunk->word_count);
    sl_json_name(out, "section");
    sl_json_string(out, chunk->section);
    sl_json_name(out, "prefix");
    sl_json_string(out, sl_chunk_prefix(&cutting->document, chunk, cutting->arena));
    sl_json_name(out, "windows");
    sl_buffer_format(out, "[");
    for (uint32_t w = 0; w < chunk->window_count; w++)
        sl_buffer_format(out, "%s[%u, %u]", w > 0 ? ", " : "", chunk->windows[w].byte_start,
                         chunk->windows[w].byte_end);
    sl_buffer_format(out, "]");
    sl_json_name(out, "text");
    sl_json_string(out, text);
    sl_buffer_format(out, "}\n");
}

static int chunk_item(struct cutting *cutting)
{
    struct sl_buffer out = {0};
    struct sl_error err = {0};

    if (cut(cutting, &err) != SL_OK)
        return ctl_fail(cutting->ctl, err.exit_code != 0 ? err.exit_code : SL_EXIT_DATA,
                        "%s: %s: %s", cutting->item->where, err.reason, err.message);
    for (uint32_t i = 0; i < cutting->chunk_count; i++)
        print_chunk(&out, cutting, i);
    return ctl_print(cutting->ctl, &out);
}

static int chunk_run(struct cutting *cutting, struct ctl_source *source)
{
    struct ctl_item item;
    struct sl_error err = {0};
    enum sl_err code = ctl_source_next(source, &item, &err);
    int exit_code;

    if (code != SL_OK)
        return ctl_fail_error(cutting->ctl, &err, SL_EXIT_DATA);
    cutting->item = &item;
    cutting->arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    exit_code = cutting->arena != NULL ? chunk_item(cutting)
                                       : ctl_fail(cutting->ctl, SL_EXIT_OS, "no memory to read it");
    sl_arena_close(cutting->arena);
    ctl_item_fini(&item);
    return exit_code;
}

int cmd_chunk(struct ctl *ctl, int argc, char **argv)
{
    uint32_t words = 0, overlap = UINT32_MAX;
    bool windows = false;
    const struct ctl_option options[] = {
        {"words", CTL_COUNT, &words, "N", "words a chunk has at most; default: as configured",
         SL_CHUNK_WORDS_MIN, SL_CHUNK_WORDS_MAX},
        {"overlap", CTL_COUNT, &overlap, "N",
         "words neighbours share at most; default: as configured", 0, SL_CHUNK_WORDS_MAX},
        {"windows", CTL_FLAG, &windows, NULL, "cut windows for the configured encoder too", 0, 0},
    };
    const struct ctl_usage usage = {
        "chunk FILE",
        "Show how a file is cut into chunks: byte ranges of the stored text, words, section. "
        "Without -c and\n"
        "without the default configuration the built-in settings are used.\n"
        "Exit: 65 the file cannot be used as a document, 66 there is no such file.",
        options,
        CTL_OPTION_COUNT(options),
        1,
        1};
    struct ctl_list paths = {0};
    struct ctl_list lines = {0};
    struct ctl_source_options source_options = {&paths, &lines, NULL};
    struct ctl_source *source = NULL;
    struct sl_embedder *embedder = NULL;
    struct cutting cutting = {.ctl = ctl};
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &paths);
    int exit_code;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    exit_code = ctl_config_or_defaults(ctl);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_source_open(ctl, &source_options, &source);
    if (exit_code == SL_EXIT_OK && windows)
        exit_code = ctl_embedder(ctl, &embedder);
    if (exit_code == SL_EXIT_OK) {
        sl_config_ingest(ctl->config, embedder, &cutting.ingest);
        if (words != 0)
            cutting.ingest.chunk.words = words;
        if (overlap != UINT32_MAX)
            cutting.ingest.chunk.overlap_words = overlap;
        exit_code =
            cutting.ingest.chunk.overlap_words < cutting.ingest.chunk.words
                ? chunk_run(&cutting, source)
                : ctl_fail(ctl, SL_EXIT_USAGE, "--overlap %u: allowed is less than --words, %u",
                           cutting.ingest.chunk.overlap_words, cutting.ingest.chunk.words);
    }
    sl_embedder_close(embedder);
    ctl_source_close(source);
    return exit_code;
}
