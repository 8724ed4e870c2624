/*
 * decode.c -- one Kafka record to a document, or the one word why not.
 *
 * In order: key, value there or null, size, framing, content type, bytes, then the members of a
 * JSON object (decode_json.c) or the text as it stands. What the record's headers say (title, date,
 * lang, url) fills what the body leaves open; the tenant comes from the topic, a trusted header, or
 * last the body.
 *
 * The stored text is the source's bytes: only a byte order mark goes. A text with a NUL byte is
 * refused, for it is nearly always something binary under the wrong name.
 *
 * The content hash covers what is stored of the document but not where and when the record stood,
 * so that the same document sent again is recognised as unchanged.
 */
#include "decode_internal.h"
#include "markdown.h"
#include "text/text_internal.h"

#include <sluice/dates.h>
#include <sluice/hash.h>
#include <sluice/limits.h>

#include <strings.h>

static bool starts_with(struct sl_view view, const char *prefix, size_t size)
{
    return view.size >= size && memcmp(view.data, prefix, size) == 0;
}

static struct sl_view skip_bom(struct sl_view value)
{
    return starts_with(value, "\xEF\xBB\xBF", 3) ? sl_view_range(value, 3, value.size) : value;
}

/* Does the first byte that is not white space open a JSON object? */
static bool looks_like_json(struct sl_view value)
{
    value = skip_bom(value);
    for (size_t i = 0; i < value.size; i++)
        if (strchr(" \t\r\n", value.data[i]) == NULL || value.data[i] == '\0')
            return value.data[i] == '{';
    return false;
}

/* One part of a content type, up to `stop`, without spaces and quotes. */
static struct sl_view type_part(struct sl_view *rest, char stop)
{
    const char *end = memchr(rest->data, stop, rest->size);
    size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    struct sl_view part = sl_view_trim(sl_view_range(*rest, 0, size));

    *rest = sl_view_range(*rest, end == NULL ? rest->size : size + 1, rest->size);
    while (part.size > 0 && part.data[0] == '"')
        part = sl_view_range(part, 1, part.size);
    while (part.size > 0 && part.data[part.size - 1] == '"')
        part.size--;
    return part;
}

static bool same_word(struct sl_view a, const char *b)
{
    return a.size == strlen(b) && strncasecmp(a.data, b, a.size) == 0;
}

static enum sl_err unsupported(struct sl_error *err, const char *what, struct sl_view found)
{
    char shown[64];
    size_t size = found.size < sizeof shown - 1 ? found.size : sizeof shown - 1;

    for (size_t i = 0; i < size; i++) /* a header may hold anything */
        shown[i] = found.data[i] > ' ' && found.data[i] < 0x7F ? found.data[i] : '?';
    shown[size] = '\0';
    return sl_fail(
        err, SL_REJECT, "unsupported_content_type",
        "%s '%s'; supported are text/plain, text/markdown and application/json, in UTF-8", what,
        shown);
}

/* The kind of document a content type names; parameters other than charset are ignored. */
static enum sl_err read_content_type(struct sl_view header, enum sl_media *ret_media,
                                     struct sl_error *err)
{
    struct sl_view rest = header, type = type_part(&rest, ';');
    enum sl_media media;

    if (same_word(type, "text/plain"))
        media = SL_MEDIA_TEXT;
    else if (same_word(type, "text/markdown") || same_word(type, "text/x-markdown"))
        media = SL_MEDIA_MARKDOWN;
    else if (same_word(type, "application/json") || same_word(type, "text/json"))
        media = SL_MEDIA_JSON;
    else
        return unsupported(err, "content type", type);
    while (rest.size > 0) {
        struct sl_view value = type_part(&rest, ';');
        struct sl_view name = type_part(&value, '=');

        value = type_part(&value, '\0');
        if (same_word(name, "charset") && !same_word(value, "utf-8") && !same_word(value, "utf8") &&
            !same_word(value, "us-ascii"))
            return unsupported(err, "charset", value);
    }
    *ret_media = media;
    return SL_OK;
}

/* The kind of this record, and its payload without framing. */
static enum sl_err find_media(const struct sl_message *message, struct sl_view *payload,
                              enum sl_media *ret_media, struct sl_error *err)
{
    struct sl_view type = sl_message_header(message, "content-type");

    if (payload->data[0] == '\0') { /* a schema registry's framing: 0, then a four-byte schema id */
        struct sl_view inner =
            sl_view_range(*payload, payload->size < 5 ? payload->size : 5, payload->size);
        if (!looks_like_json(inner))
            return sl_fail(err, SL_REJECT, "schema_framing",
                           "schema registry framing with something else than JSON inside; "
                           "only JSON can be read");
        *payload = inner;
        *ret_media = SL_MEDIA_JSON;
        return SL_OK;
    }
    if (type.data != NULL && type.size > 0)
        return read_content_type(type, ret_media, err);
    *ret_media = looks_like_json(*payload) ? SL_MEDIA_JSON : SL_MEDIA_TEXT;
    return SL_OK;
}

static enum sl_err check_text(struct sl_view text, struct sl_error *err)
{
    size_t bad = sl_utf8_bad(text);
    const char *nul;

    if (bad < text.size)
        return sl_fail(err, SL_REJECT, "bad_utf8", "the text is not UTF-8 at byte %zu", bad);
    nul = text.size > 0 ? memchr(text.data, '\0', text.size) : NULL;
    if (nul != NULL)
        return sl_fail(err, SL_REJECT, "nul_in_string", "the text holds a NUL at byte %zu",
                       (size_t)(nul - text.data));
    if (!sl_text_visible(text))
        return sl_fail(err, SL_REJECT, "no_text", "nothing in the text can be seen");
    if (text.size > SL_TEXT_BYTES_MAX)
        return sl_fail(err, SL_REJECT, "too_large", "a text of %zu bytes; at most %u are stored",
                       text.size, SL_TEXT_BYTES_MAX);
    return SL_OK;
}

enum sl_err sl_decode_date(struct sl_view date, struct sl_document *document, struct sl_error *err)
{
    struct sl_day_range days;

    if (!sl_date_iso(date, &days))
        return sl_fail(err, SL_REJECT, "bad_field",
                       "date: not an ISO 8601 date (2015, 2015-12, 2015-12-16, or with a time)");
    document->date = date;
    document->date_days = days;
    return SL_OK;
}

/* A record header as text; data == NULL when there is none or an empty one. */
static enum sl_err header_text(const struct sl_message *message, const char *name,
                               struct sl_view *ret_text, struct sl_error *err)
{
    struct sl_view value = sl_message_header(message, name);

    *ret_text = SL_VIEW_NULL;
    if (value.data == NULL || value.size == 0)
        return SL_OK;
    if (value.size > SL_FIELD_BYTES_MAX || sl_utf8_bad(value) < value.size ||
        memchr(value.data, '\0', value.size) != NULL)
        return sl_fail(err, SL_REJECT, "bad_field",
                       "header %s: must be UTF-8 of at most %u bytes without NUL", name,
                       SL_FIELD_BYTES_MAX);
    *ret_text = value;
    return SL_OK;
}

/* What the body left open may stand in the record's headers. */
static enum sl_err fill_from_headers(const struct sl_message *message, struct sl_document *document,
                                     struct sl_error *err)
{
    struct {
        const char *name;
        struct sl_view *target;
    } texts[] = {{"title", &document->title}, {"lang", &document->lang}, {"url", &document->url}};
    struct sl_view value;
    enum sl_err code;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i].target->data != NULL)
            continue;
        if ((code = header_text(message, texts[i].name, texts[i].target, err)) != SL_OK)
            return code;
    }
    if (document->date.data != NULL)
        return SL_OK;
    if ((code = header_text(message, "date", &value, err)) != SL_OK || value.data == NULL)
        return code;
    return sl_decode_date(value, document, err);
}

/* The key as a file's name: what stands behind the last slash. */
static struct sl_view name_of(struct sl_view key)
{
    size_t start = key.size;

    while (start > 0 && key.data[start - 1] != '/')
        start--;
    return sl_view_range(key, start, key.size);
}

/* A date that neither body nor headers give may stand in the title, or else in the key. Never in the text:
 * dates there are what it speaks of. */
static enum sl_err fill_date(struct sl_arena *arena, struct sl_document *document,
                             struct sl_error *err)
{
    struct sl_day_range days;
    char text[11];

    if (document->date.data != NULL)
        return SL_OK;
    if (!sl_date_of_name(document->title, &days) && !sl_date_of_name(name_of(document->key), &days))
        return SL_OK;
    sl_day_format(days.from, text);
    if (days.from != days.to)
        text[7] = '\0'; /* a month */
    document->date = sl_arena_copy(arena, sl_view_of(text));
    document->date_days = days;
    return document->date.data != NULL
               ? SL_OK
               : sl_fail(err, SL_REJECT, "too_large", "no memory for the document's date");
}

static enum sl_err fill_tenant(const struct sl_message *message,
                               const struct sl_decode_options *options,
                               struct sl_document *document, struct sl_error *err)
{
    struct sl_view value;
    enum sl_err code;

    if (options->tenant.data != NULL) {
        document->tenant = options->tenant;
        return SL_OK;
    }
    if (options->tenant_header == NULL)
        return SL_OK;
    if (sl_message_header_count(message, options->tenant_header) > 1)
        return sl_fail(err, SL_REJECT, "bad_field", "header %.60s stands there twice; allowed: once",
                       options->tenant_header);
    if ((code = header_text(message, options->tenant_header, &value, err)) != SL_OK)
        return code;
    document->tenant = value.data != NULL ? value : document->tenant;
    return SL_OK;
}

static enum sl_err read_value(const struct sl_message *message,
                              const struct sl_decode_options *options, struct sl_arena *arena,
                              struct sl_document *document, struct sl_error *err)
{
    struct sl_view payload = message->value;
    enum sl_media media = SL_MEDIA_TEXT;
    enum sl_err code;

    if ((code = find_media(message, &payload, &media, err)) != SL_OK)
        return code;
    if (media == SL_MEDIA_JSON) {
        if ((code = sl_decode_json(payload, arena, document, err)) != SL_OK)
            return code;
        if (document->text.size == 0 && sl_text_visible(document->title)) /* a record of a title alone */
            document->text = document->title;
    } else {
        document->text = skip_bom(payload);
    }
    if ((code = check_text(document->text, err)) != SL_OK ||
        (code = fill_from_headers(message, document, err)) != SL_OK ||
        (code = fill_tenant(message, options, document, err)) != SL_OK)
        return code;
    document->text_media = media == SL_MEDIA_MARKDOWN || sl_markdown_looks_like(document->text)
                               ? SL_MEDIA_MARKDOWN
                               : SL_MEDIA_TEXT;
    if (document->title.data == NULL && document->text_media == SL_MEDIA_MARKDOWN)
        document->title = sl_markdown_title(document->text);
    if (document->title.size > SL_FIELD_BYTES_MAX)
        document->title.size = sl_utf8_floor(document->title, SL_FIELD_BYTES_MAX);
    if ((code = fill_date(arena, document, err)) != SL_OK)
        return code;
    sl_decode_hash(document);
    return SL_OK;
}

static enum sl_err check_envelope(const struct sl_message *message,
                                  const struct sl_decode_options *options, struct sl_error *err)
{
    size_t bytes_max = options->record_bytes_max ? options->record_bytes_max : SL_RECORD_BYTES_MAX;

    if (message->key.data == NULL)
        return sl_fail(err, SL_REJECT, "null_key",
                       "the record has no key; the key is the document's id");
    if (message->key.size == 0)
        return sl_fail(err, SL_REJECT, "empty_key",
                       "the record's key is empty; the key is the document's id");
    if (message->key.size > SL_KEY_BYTES_MAX)
        return sl_fail(err, SL_REJECT, "key_too_long", "a key of %zu bytes; at most %u",
                       message->key.size, SL_KEY_BYTES_MAX);
    if (message->value.data == NULL)
        return SL_OK;
    if (message->value.size == 0)
        return sl_fail(err, SL_REJECT, "empty_value",
                       "the value is empty; a delete is a null value, not an empty one");
    if (message->value.size > bytes_max)
        return sl_fail(err, SL_REJECT, "too_large", "a value of %zu bytes; at most %zu are read",
                       message->value.size, bytes_max);
    return SL_OK;
}

enum sl_err sl_decode(const struct sl_message *message, const struct sl_decode_options *options,
                      struct sl_arena *arena, struct sl_document *ret_document,
                      enum sl_decoded *ret_decoded, struct sl_error *err)
{
    struct sl_document document = {.topic = message->topic,
                                   .key = message->key,
                                   .partition = message->partition,
                                   .offset = message->offset,
                                   .timestamp_ms = message->timestamp_ms,
                                   .date_days = {SL_DAY_NONE, SL_DAY_NONE}};
    enum sl_err code = check_envelope(message, options, err);

    if (code != SL_OK)
        return code;
    if (message->value.data == NULL) {
        *ret_document = document;
        *ret_decoded = SL_DECODED_DELETE;
        return SL_OK;
    }
    if ((code = read_value(message, options, arena, &document, err)) != SL_OK)
        return code;
    *ret_document = document;
    *ret_decoded = SL_DECODED_DOCUMENT;
    return SL_OK;
}

/* Length first, so that no two documents run into each other; an absent view differs from an empty
 * one. */
static void hash_view(struct sl_sha256 *state, struct sl_view view)
{
    uint64_t size = view.data == NULL ? UINT64_MAX : view.size;

    sl_sha256_add(state, &size, sizeof size);
    sl_sha256_add(state, view.data, view.size);
}

static void hash_field(struct sl_sha256 *state, const struct sl_field *field)
{
    uint8_t kind[3] = {(uint8_t)field->type, field->boolean, field->in_array};

    hash_view(state, field->name);
    sl_sha256_add(state, kind, sizeof kind);
    hash_view(state, field->string);
    sl_sha256_add(state, &field->number, sizeof field->number);
}

void sl_decode_hash(struct sl_document *document)
{
    struct sl_sha256 *state = sl_sha256_begin();
    uint32_t counts[4] = {(uint32_t)document->text_media, document->valid_count,
                          document->field_count, document->vector_dim};

    sl_sha256_add(state, counts, sizeof counts);
    hash_view(state, document->text);
    hash_view(state, document->title);
    hash_view(state, document->date);
    hash_view(state, document->lang);
    hash_view(state, document->url);
    hash_view(state, document->tenant);
    for (uint32_t i = 0; i < document->valid_count; i++) {
        sl_day ends[2] = {document->valid[i].from, document->valid[i].to};
        sl_sha256_add(state, ends, sizeof ends);
    }
    for (uint32_t i = 0; i < document->field_count; i++)
        hash_field(state, &document->fields[i]);
    sl_sha256_add(state, document->vector, sizeof(float) * document->vector_dim);
    hash_view(state, document->vector_model);
    sl_sha256_end(state, document->content_hash);
}
