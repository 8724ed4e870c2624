/*
 * cmd_export.c -- `sluicectl export`: the documents as stored, one JSON object a line.
 *
 * A line can go back in by `import --jsonl` or `put --jsonl` and gives the same document under its
 * key. A key that is no text (binary, or with a NUL) goes into _id_base64, and _id shows what can be shown of it. The
 * order is the index's own and the same for the same content. Written line by line: an
 * index may be larger than memory.
 */
#include <stdio.h>
#include <string.h>

#include <sluice/json.h>
#include <sluice/text.h>

#include "ctl.h"

struct exporting {
    struct ctl *ctl;
    const struct sl_snapshot *snapshot;
    struct sl_view topic; /* data == NULL: all */
    bool origin;
    bool chunks;
};

static void add_text(struct sl_buffer *out, const char *name, struct sl_view text)
{
    if (text.data == NULL)
        return;
    sl_json_name(out, name);
    sl_json_string(out, text);
}

/* A key that is no text. Controls become '?' in what is shown: a line with a NUL would not be read again. */
static void add_binary_key(struct sl_buffer *out, struct sl_view key)
{
    struct sl_buffer shown = {0};

    ctl_show(&shown, key, true);
    add_text(out, "_id", (struct sl_view){shown.data, shown.size});
    sl_buffer_fini(&shown);
    sl_json_name(out, "_id_base64");
    ctl_base64_write(out, key);
}

static void add_value(struct sl_buffer *out, const struct sl_field *field)
{
    switch (field->type) {
    case SL_FIELD_STRING:
        sl_json_string(out, field->string);
        break;
    case SL_FIELD_NUMBER:
        sl_json_number(out, field->number);
        break;
    case SL_FIELD_BOOL:
        sl_buffer_format(out, field->boolean ? "true" : "false");
        break;
    }
}

/* Metadata; values of one name follow each other, and those of an array become one again. */
static void add_fields(struct sl_buffer *out, const struct sl_document *document)
{
    for (uint32_t i = 0; i < document->field_count;) {
        const struct sl_field *field = &document->fields[i];
        struct sl_buffer name = {0};

        sl_buffer_view(&name, field->name);
        sl_json_name(out, name.data != NULL ? name.data : "");
        sl_buffer_fini(&name);
        if (!field->in_array) {
            add_value(out, field);
            i++;
            continue;
        }
        sl_buffer_format(out, "[");
        for (uint32_t first = i; i < document->field_count && document->fields[i].in_array &&
                                 sl_view_equal(document->fields[i].name, field->name);
             i++) {
            if (i > first)
                sl_buffer_format(out, ", ");
            add_value(out, &document->fields[i]);
        }
        sl_buffer_format(out, "]");
    }
}

static void add_day(struct sl_buffer *out, sl_day day)
{
    char text[11];

    if (day == SL_DAY_NONE || day == SL_DAY_MAX) {
        sl_buffer_format(out, "null");
        return;
    }
    sl_day_format(day, text);
    sl_json_string(out, sl_view_of(text));
}

static void add_valid(struct sl_buffer *out, const struct sl_document *document)
{
    if (document->valid_count == 0)
        return;
    sl_json_name(out, "valid");
    sl_buffer_format(out, "[");
    for (uint32_t i = 0; i < document->valid_count; i++) {
        sl_buffer_format(out, i > 0 ? ", [" : "[");
        add_day(out, document->valid[i].from);
        sl_buffer_format(out, ", ");
        add_day(out, document->valid[i].to);
        sl_buffer_format(out, "]");
    }
    sl_buffer_format(out, "]");
}

static void add_document(struct sl_buffer *out, const struct sl_document *document, bool origin)
{
    sl_buffer_format(out, "{");
    if (sl_utf8_bad(document->key) == document->key.size &&
        memchr(document->key.data, 0, document->key.size) == NULL)
        add_text(out, "_id", document->key);
    else
        add_binary_key(out, document->key);
    if (origin) {
        add_text(out, "_topic", document->topic);
        sl_buffer_format(out, ", \"_partition\": %d, \"_offset\": %lld, \"_timestamp\": %lld",
                         document->partition, (long long)document->offset,
                         (long long)document->timestamp_ms);
    }
    add_text(out, "title", document->title);
    add_text(out, "date", document->date);
    add_text(out, "lang", document->lang);
    add_text(out, "url", document->url);
    add_text(out, "tenant", document->tenant);
    add_valid(out, document);
    add_fields(out, document);
    add_text(out, "text", document->text);
}

static enum sl_err add_chunks(struct sl_buffer *out, const struct exporting *exporting,
                              sl_doc_id doc, uint32_t chunk_count, struct sl_arena *arena,
                              struct sl_error *err)
{
    sl_json_name(out, "_chunks");
    sl_buffer_format(out, "[");
    for (uint32_t i = 0; i < chunk_count; i++) {
        struct sl_chunk chunk;
        enum sl_err code = sl_snapshot_chunk(exporting->snapshot, doc, i, arena, &chunk, err);

        if (code != SL_OK)
            return code;
        sl_buffer_format(out, "%s[%u, %u]", i > 0 ? ", " : "", chunk.byte_start, chunk.byte_end);
    }
    sl_buffer_format(out, "]");
    return SL_OK;
}

static enum sl_err export_one(const struct exporting *exporting, sl_doc_id doc,
                              struct sl_arena *arena, struct sl_buffer *line, struct sl_error *err)
{
    struct sl_document document;
    uint32_t chunk_count;
    enum sl_err code =
        sl_snapshot_document(exporting->snapshot, doc, arena, &document, &chunk_count, err);

    if (code != SL_OK ||
        (exporting->topic.data != NULL && !sl_view_equal(document.topic, exporting->topic)))
        return code;
    add_document(line, &document, exporting->origin);
    if (exporting->chunks)
        code = add_chunks(line, exporting, doc, chunk_count, arena, err);
    sl_buffer_format(line, "}\n");
    return code;
}

static int export_all(struct exporting *exporting, struct sl_index *index)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_error err = {0};
    sl_doc_id doc = 0;

    if (arena == NULL)
        return ctl_fail(exporting->ctl, SL_EXIT_OS, "no memory for a document");
    if (sl_snapshot_open(index, &snapshot, &err) != SL_OK)
        return ctl_fail_error(exporting->ctl, &err, SL_EXIT_IO);
    exporting->snapshot = snapshot;
    for (;;) {
        struct sl_buffer line = {0};
        enum sl_err code = sl_snapshot_next(snapshot, doc, &doc, &err);
        int exit_code;

        if (code == SL_REJECT)
            return SL_EXIT_OK;
        if (code == SL_OK)
            code = export_one(exporting, doc, arena, &line, &err);
        if (code != SL_OK) {
            sl_buffer_fini(&line);
            return ctl_fail_error(exporting->ctl, &err, SL_EXIT_DATA);
        }
        exit_code = ctl_print(exporting->ctl, &line);
        if (exit_code != SL_EXIT_OK)
            return exit_code;
        sl_arena_reset(arena);
    }
}

int cmd_export(struct ctl *ctl, int argc, char **argv)
{
    bool jsonl = false, origin = false, chunks = false;
    const char *topic = NULL;
    const struct ctl_option options[] = {
        {"jsonl", CTL_FLAG, &jsonl, NULL, "one document a line (the only form there is)", 0, 0},
        {"topic", CTL_TEXT, &topic, "TOPIC", "only documents of this topic", 0, 0},
        {"origin", CTL_FLAG, &origin, NULL, "add _topic, _partition, _offset, _timestamp", 0, 0},
        {"chunks", CTL_FLAG, &chunks, NULL, "add _chunks: each chunk's first and last byte", 0, 0},
    };
    const struct ctl_usage usage = {
        "export --jsonl",
        "Print every document as stored, one JSON object a line, also beside a running daemon.\n"
        "Exit: 65 a record is damaged, 66 there is no index.",
        options,
        CTL_OPTION_COUNT(options),
        0,
        0};
    struct ctl_list args = {0};
    struct ctl_opened opened;
    struct exporting exporting = {.ctl = ctl};
    int exit_code;

    if (!ctl_begin_reading(ctl, argc, argv, &usage, &args, &opened, &exit_code))
        return exit_code;
    exporting.topic = sl_view_of(topic);
    exporting.origin = origin;
    exporting.chunks = chunks;
    exit_code = export_all(&exporting, opened.index);
    ctl_close(&opened);
    return exit_code;
}
