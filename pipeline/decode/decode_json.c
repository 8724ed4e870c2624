/*
 * decode_json.c -- the members of a JSON document.
 *
 * Known names go to their places, every other scalar or array of scalars becomes metadata; an
 * object inside becomes metadata with dotted names ("metadata.source"), for catalogues such as
 * BEIR's carry one. null is the same as absent everywhere. Names compare by bytes: "Text" is
 * metadata, "text" is the text.
 *
 * What does not fit is refused (bad_field, bad_vector) rather than dropped: a document without the
 * date its producer gave it would be found wrongly, silently. `_id` is BEIR's name for the key and
 * is not stored twice.
 */
#include "decode_internal.h"
#include "text/text_internal.h"

#include <sluice/dates.h>
#include <sluice/limits.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

enum {
    SPEAKERS_MAX = 64 /* of them kept as metadata */
};

struct reader {
    struct sl_arena *arena;
    struct sl_document *document;
    struct sl_field *fields; /* [SL_FIELDS_MAX], made at the first one */
    const cJSON *root;
    const cJSON *turns;      /* the member that is the text; NULL: text or body is */
    struct sl_error *err;
};

static enum sl_err full(struct reader *r)
{
    return sl_fail(r->err, SL_REJECT, "too_large",
                   "the document needs more memory than one may take");
}

/* Names come from outside: shown only as far as they are plain. */
static enum sl_err bad(struct reader *r, const char *name, const char *what)
{
    char shown[48];
    size_t i;

    for (i = 0; name[i] != '\0' && i < sizeof shown - 1; i++)
        shown[i] = name[i] > ' ' && name[i] < 0x7F ? name[i] : '?';
    shown[i] = '\0';
    return sl_fail(r->err, SL_REJECT, "bad_field", "%s: %s", shown, what);
}

static enum sl_err copy_string(struct reader *r, const char *name, const cJSON *item,
                               size_t bytes_max, struct sl_view *ret_text)
{
    struct sl_view text;

    if (!cJSON_IsString(item))
        return bad(r, name, "must be a string");
    text = sl_view_of(item->valuestring);
    if (text.size > bytes_max)
        return sl_fail(r->err, SL_REJECT,
                       bytes_max == SL_TEXT_BYTES_MAX ? "too_large" : "bad_field",
                       "a string member of %zu bytes; at most %zu", text.size, bytes_max);
    *ret_text = sl_arena_copy(r->arena, text);
    return ret_text->data == NULL ? full(r) : SL_OK;
}

static struct sl_field *next_field(struct reader *r)
{
    if (r->fields == NULL) {
        r->fields = SL_NEW_ARRAY(r->arena, struct sl_field, SL_FIELDS_MAX);
        r->document->fields = r->fields;
    }
    return r->fields == NULL ? NULL : &r->fields[r->document->field_count++];
}

/* Who speaks becomes metadata, where the producer gave no such field. */
static enum sl_err read_turns(struct reader *r)
{
    struct sl_view *speakers;
    uint32_t count;
    enum sl_err e = sl_decode_turns(r->turns, SPEAKERS_MAX, r->arena, &r->document->text, &speakers,
                                    &count, r->err);

    if (e || cJSON_GetObjectItemCaseSensitive(r->root, "speaker") != NULL)
        return e;
    for (uint32_t i = 0; i < count; i++) {
        struct sl_field *field = next_field(r);
        if (field == NULL)
            return full(r);
        *field = (struct sl_field){.name = SL_VIEW("speaker"),
                                   .type = SL_FIELD_STRING,
                                   .string = speakers[i],
                                   .in_array = true};
    }
    return SL_OK;
}

static enum sl_err read_text(struct reader *r, const cJSON *root)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(root, "text");
    const cJSON *body = cJSON_GetObjectItemCaseSensitive(root, "body");
    bool has_text = text != NULL && !cJSON_IsNull(text);
    bool has_body = body != NULL && !cJSON_IsNull(body);

    r->turns = sl_decode_turns_find(root);
    if (r->turns != NULL && (has_text || has_body))
        return bad(r, r->turns->string, "stands beside text or body; a document has one of them");
    if (r->turns != NULL)
        return read_turns(r);
    if (has_text && has_body)
        return bad(r, "body", "stands beside text; a document has one of them");
    if (!has_text && !has_body)
        return sl_fail(r->err, SL_REJECT, "no_text", "a JSON document needs a string member text, or turns");
    return copy_string(r, has_text ? "text" : "body", has_text ? text : body, SL_TEXT_BYTES_MAX,
                       &r->document->text);
}

/* A string member, null or empty meaning absent. */
static enum sl_err read_string(struct reader *r, const cJSON *root, const char *name,
                               struct sl_view *ret_text)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, name);
    struct sl_view text;
    enum sl_err code;

    if (item == NULL || cJSON_IsNull(item))
        return SL_OK;
    if ((code = copy_string(r, name, item, SL_FIELD_BYTES_MAX, &text)) != SL_OK)
        return code;
    if (text.size > 0)
        *ret_text = text;
    return SL_OK;
}

static enum sl_err read_date(struct reader *r, const cJSON *root)
{
    struct sl_view date = SL_VIEW_NULL;
    enum sl_err code = read_string(r, root, "date", &date);

    if (code != SL_OK || date.data == NULL)
        return code;
    return sl_decode_date(date, r->document, r->err);
}

/* One end of a validity interval: an ISO date, or null for open. */
static enum sl_err read_end(struct reader *r, const cJSON *item, bool to, sl_day *ret_day)
{
    struct sl_day_range days;

    *ret_day = to ? SL_DAY_MAX : SL_DAY_NONE;
    if (item == NULL || cJSON_IsNull(item) || (cJSON_IsString(item) && !item->valuestring[0]))
        return SL_OK;
    if (!cJSON_IsString(item) || !sl_date_iso(sl_view_of(item->valuestring), &days))
        return bad(r, to ? "valid_to" : "valid_from", "must be an ISO 8601 date or null");
    *ret_day = to ? days.to : days.from;
    return SL_OK;
}

static enum sl_err read_interval(struct reader *r, const cJSON *from, const cJSON *to,
                                 struct sl_day_range *ret_days)
{
    enum sl_err code;

    if ((code = read_end(r, from, false, &ret_days->from)) != SL_OK ||
        (code = read_end(r, to, true, &ret_days->to)) != SL_OK)
        return code;
    if (ret_days->from > ret_days->to)
        return bad(r, "valid", "an interval that ends before it starts");
    return SL_OK;
}

static enum sl_err read_valid_list(struct reader *r, const cJSON *list)
{
    int count = cJSON_GetArraySize(list);
    struct sl_day_range *valid = SL_NEW_ARRAY(r->arena, struct sl_day_range, count);
    const cJSON *item;
    uint32_t filled = 0;

    if (!cJSON_IsArray(list) || count > (int)SL_VALID_RANGES_MAX)
        return bad(r, "valid", "must be a list of at most 64 [from, to] pairs");
    if (valid == NULL)
        return full(r);
    cJSON_ArrayForEach(item, list)
    {
        enum sl_err code;
        if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) != 2)
            return bad(r, "valid", "must be a list of [from, to] pairs");
        code = read_interval(r, cJSON_GetArrayItem(item, 0), cJSON_GetArrayItem(item, 1),
                             &valid[filled++]);
        if (code != SL_OK)
            return code;
    }
    r->document->valid = valid;
    r->document->valid_count = filled;
    return SL_OK;
}

static enum sl_err read_valid(struct reader *r, const cJSON *root)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "valid");
    const cJSON *from = cJSON_GetObjectItemCaseSensitive(root, "valid_from");
    const cJSON *to = cJSON_GetObjectItemCaseSensitive(root, "valid_to");
    struct sl_day_range *days;
    enum sl_err code;

    if (list != NULL && !cJSON_IsNull(list)) {
        if (from != NULL || to != NULL)
            return bad(r, "valid", "stands beside valid_from or valid_to; use one way");
        return read_valid_list(r, list);
    }
    if (from == NULL && to == NULL)
        return SL_OK;
    days = SL_NEW(r->arena, struct sl_day_range);
    if (days == NULL)
        return full(r);
    if ((code = read_interval(r, from, to, days)) != SL_OK)
        return code;
    if (days->from == SL_DAY_NONE && days->to == SL_DAY_MAX)
        return SL_OK;
    r->document->valid = days;
    r->document->valid_count = 1;
    return SL_OK;
}

static enum sl_err bad_vector(struct reader *r, const char *what)
{
    return sl_fail(r->err, SL_REJECT, "bad_vector", "vector: %s", what);
}

static enum sl_err read_vector(struct reader *r, const cJSON *root)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "vector"), *item;
    int count = cJSON_GetArraySize(list);
    float *vector;
    double norm = 0;
    uint32_t filled = 0;

    if (list == NULL || cJSON_IsNull(list))
        return SL_OK;
    if (!cJSON_IsArray(list) || count < 1 || count > (int)SL_DIM_MAX)
        return bad_vector(r, "must be a list of 1 to 4096 numbers");
    vector = SL_NEW_ARRAY(r->arena, float, count);
    if (vector == NULL)
        return full(r);
    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsNumber(item))
            return bad_vector(r, "holds something that is not a number");
        vector[filled] = (float)item->valuedouble;
        norm += (double)vector[filled] * (double)vector[filled];
        filled++;
    }
    norm = sqrt(norm);
    if (!isfinite(norm) || norm < 1e-6 || norm > 1e6)
        return bad_vector(r, "its length must lie between 1e-6 and 1e6");
    r->document->vector = vector;
    r->document->vector_dim = filled;
    return SL_OK;
}

static enum sl_err add_field(struct reader *r, struct sl_view name, const cJSON *item,
                             bool in_array)
{
    struct sl_field field = {.name = name, .in_array = in_array};
    struct sl_field *place;
    enum sl_err code;

    if (cJSON_IsNull(item))
        return SL_OK;
    if (r->document->field_count == SL_FIELDS_MAX)
        return bad(r, name.data, "one metadata value too many; at most 256");
    if (cJSON_IsString(item)) {
        field.type = SL_FIELD_STRING;
        code = copy_string(r, name.data, item, SL_FIELD_BYTES_MAX, &field.string);
        if (code != SL_OK)
            return code;
    } else if (cJSON_IsNumber(item)) {
        field.type = SL_FIELD_NUMBER;
        field.number = item->valuedouble;
    } else if (cJSON_IsBool(item)) {
        field.type = SL_FIELD_BOOL;
        field.boolean = cJSON_IsTrue(item);
    } else {
        return bad(r, name.data, "an array may hold strings, numbers and booleans only");
    }
    place = next_field(r);
    if (place == NULL)
        return full(r);
    *place = field;
    return SL_OK;
}

/* "outer.inner" in the arena, or just the name. */
static enum sl_err field_name(struct reader *r, struct sl_view outer, const cJSON *item,
                              struct sl_view *ret_name)
{
    size_t length = strlen(item->string);
    size_t size = outer.size + (outer.size > 0) + length;
    char *name;

    if (length == 0 || size > SL_FIELD_NAME_MAX)
        return bad(r, item->string, "a metadata name must have 1 to 128 bytes");
    name = sl_arena_alloc(r->arena, size + 1);
    if (name == NULL)
        return full(r);
    (void)snprintf(name, size + 1, "%.*s%s%s", (int)outer.size, outer.size > 0 ? outer.data : "",
                   outer.size > 0 ? "." : "", item->string);
    *ret_name = (struct sl_view){name, size};
    return SL_OK;
}

static bool known_name(const char *name)
{
    static const char *const names[] = {"_id",   "_id_base64", "text",       "body",     "title",
                                        "date",  "lang",       "url",        "tenant",   "valid",
                                        "valid_from", "valid_to", "vector",  "vector_model"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Metadata of one object; recursion is bounded by SL_JSON_DEPTH_MAX. */
static enum sl_err read_fields(struct reader *r, struct sl_view outer, const cJSON *object)
{
    const cJSON *item, *element;

    cJSON_ArrayForEach(item, object)
    {
        struct sl_view name;
        enum sl_err code;

        if (cJSON_IsNull(item) || item == r->turns ||
            (outer.size == 0 && known_name(item->string)))
            continue;
        if ((code = field_name(r, outer, item, &name)) != SL_OK)
            return code;
        if (cJSON_IsArray(item)) {
            cJSON_ArrayForEach(element, item) if ((code = add_field(r, name, element, true)) !=
                                                  SL_OK) return code;
        } else {
            code =
                cJSON_IsObject(item) ? read_fields(r, name, item) : add_field(r, name, item, false);
            if (code != SL_OK)
                return code;
        }
    }
    return SL_OK;
}

static enum sl_err read_members(struct reader *r, const cJSON *root)
{
    struct sl_document *document = r->document;
    enum sl_err code;

    if (!cJSON_IsObject(root))
        return sl_fail(r->err, SL_REJECT, "bad_json", "a JSON document must be an object");
    if ((code = read_text(r, root)) != SL_OK ||
        (code = read_string(r, root, "title", &document->title)) != SL_OK ||
        (code = read_string(r, root, "lang", &document->lang)) != SL_OK ||
        (code = read_string(r, root, "url", &document->url)) != SL_OK ||
        (code = read_string(r, root, "tenant", &document->tenant)) != SL_OK ||
        (code = read_string(r, root, "vector_model", &document->vector_model)) != SL_OK ||
        (code = read_date(r, root)) != SL_OK || (code = read_valid(r, root)) != SL_OK ||
        (code = read_vector(r, root)) != SL_OK)
        return code;
    return read_fields(r, SL_VIEW_NULL, root);
}

enum sl_err sl_decode_json(struct sl_view json, struct sl_arena *arena,
                           struct sl_document *document, struct sl_error *err)
{
    struct reader reader = {.arena = arena, .document = document, .err = err};
    cJSON *root = NULL;
    enum sl_err code = sl_json_parse(json, &root, err);

    if (code != SL_OK)
        return code;
    reader.root = root;
    code = read_members(&reader, root);
    cJSON_Delete(root);
    return code;
}
