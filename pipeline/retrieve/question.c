/*
 * question.c -- a question record to struct sl_question.
 *
 * A value that starts with `{` is a JSON object, unless its content-type says it is text; all else is the
 * question itself. The tenant comes from the topic or a trusted header and never from the body: `tenant` in
 * a question is an unknown member like any other, and unknown members are refused, because a misspelt
 * "filtr" that is ignored would answer from documents the asker meant to leave out.
 */
#include <sluice/decode.h>
#include <sluice/limits.h>
#include <sluice/question.h>
#include <sluice/text.h>

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>

enum { WARNINGS_MAX = 4 };

struct reader {
    struct sl_question *question;
    struct sl_arena *arena;
    struct sl_error *err;
};

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "question: needs more memory than one question has");
}

static enum sl_err add_warning(struct reader *r, const char *text)
{
    struct sl_question *question = r->question;

    if (question->warnings == NULL)
        question->warnings = SL_NEW_ARRAY(r->arena, struct sl_view, WARNINGS_MAX);
    if (question->warnings == NULL)
        return no_memory(r->err);
    SL_INVARIANT(question->warning_count < WARNINGS_MAX);
    question->warnings[question->warning_count++] = sl_view_of(text);
    return SL_OK;
}

static struct sl_view trimmed(struct sl_view text)
{
    if (text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        text = sl_view_range(text, 3, text.size);
    while (text.size > 0 && memchr(" \t\r\n", text.data[0], 4) != NULL)
        text = sl_view_range(text, 1, text.size);
    while (text.size > 0 && memchr(" \t\r\n", text.data[text.size - 1], 4) != NULL)
        text.size--;
    return text;
}

/* The question's text, from either form. Points into the arena or the message. */
static enum sl_err set_text(struct reader *r, struct sl_view text)
{
    text = trimmed(text);
    if (text.size == 0)
        return sl_fail(r->err, SL_REJECT, "empty_query", "question: no text in it");
    if (text.size > SL_QUERY_BYTES_MAX) {
        size_t size = text.size;
        r->question->text = sl_view_range(text, 0, sl_utf8_floor(text, SL_QUERY_BYTES_MAX));
        return sl_fail(r->err, SL_REJECT, "too_large",
                       "question: %zu bytes of text; at most %u are allowed", size,
                       SL_QUERY_BYTES_MAX);
    }
    r->question->text = text;
    return SL_OK;
}

static enum sl_err bad_field(struct reader *r, const char *name, const char *allowed)
{
    return sl_fail(r->err, SL_REJECT, "bad_field", "question: \"%.40s\" must be %s", name, allowed);
}

static bool whole_number(const cJSON *item, double min, double max)
{
    return cJSON_IsNumber(item) && item->valuedouble >= min && item->valuedouble <= max &&
           floor(item->valuedouble) == item->valuedouble;
}

static enum sl_err copy_string(struct reader *r, const char *text, struct sl_view *ret)
{
    *ret = sl_arena_copy(r->arena, sl_view_of(text));
    return ret->data != NULL ? SL_OK : no_memory(r->err);
}

static enum sl_err read_query(struct reader *r, const cJSON *item)
{
    struct sl_view text;
    enum sl_err e;

    if (!cJSON_IsString(item))
        return bad_field(r, "query", "a string");
    if ((e = copy_string(r, item->valuestring, &text)))
        return e;
    return set_text(r, text);
}

static enum sl_err read_k(struct reader *r, const cJSON *item)
{
    static const char clamped[] = "k clamped to 100";

    _Static_assert(SL_QUESTION_K_MAX == 100, "the warning names the limit");
    if (!whole_number(item, 1, 0x1p53))
        return sl_fail(r->err, SL_REJECT, "bad_k", "question: \"k\" must be a whole number from 1");
    if (item->valuedouble > SL_QUESTION_K_MAX) {
        r->question->k = SL_QUESTION_K_MAX;
        return add_warning(r, clamped);
    }
    r->question->k = (uint32_t)item->valuedouble;
    return SL_OK;
}

static enum sl_err read_filter(struct reader *r, const cJSON *item)
{
    enum sl_err e;

    if (!cJSON_IsString(item))
        return bad_field(r, "filter", "a string");
    if ((e = copy_string(r, item->valuestring, &r->question->filter_text)))
        return e;
    return sl_filter_parse(r->question->filter_text, r->arena, &r->question->filter, r->err);
}

static enum sl_err read_mode(struct reader *r, const cJSON *item)
{
    static const struct {
        const char *name;
        enum sl_mode mode;
    } modes[] = {{"hybrid", SL_MODE_HYBRID}, {"vector", SL_MODE_VECTOR}, {"lexical", SL_MODE_LEXICAL}};

    for (size_t i = 0; cJSON_IsString(item) && i < sizeof modes / sizeof *modes; i++)
        if (strcmp(item->valuestring, modes[i].name) == 0) {
            r->question->mode = modes[i].mode;
            return SL_OK;
        }
    return sl_fail(r->err, SL_REJECT, "bad_mode",
                   "question: \"mode\" must be \"hybrid\", \"vector\" or \"lexical\"");
}

static enum sl_err read_flag(struct reader *r, const cJSON *item, bool *ret)
{
    if (!cJSON_IsBool(item))
        return bad_field(r, item->string, "true or false");
    *ret = cJSON_IsTrue(item);
    return SL_OK;
}

static enum sl_err read_session(struct reader *r, const cJSON *item)
{
    if (!cJSON_IsString(item) || strlen(item->valuestring) > SL_CORRELATION_BYTES_MAX)
        return bad_field(r, "session", "a string of at most 1024 bytes");
    return copy_string(r, item->valuestring, &r->question->session);
}

static enum sl_err read_stream(struct reader *r, const cJSON *item)
{
    enum sl_err e = read_flag(r, item, &r->question->stream);

    if (e != SL_OK || !r->question->stream)
        return e;
    return add_warning(r, "stream is not in this version: the answer comes whole");
}

static enum sl_err read_deadline(struct reader *r, const cJSON *item)
{
    static const char clamped[] = "deadline_ms clamped to 600000";

    _Static_assert(SL_DEADLINE_MS_MAX == 600000, "the warning names the limit");
    if (!whole_number(item, 0, 0x1p53))
        return bad_field(r, "deadline_ms", "a whole number of milliseconds, 0 for none");
    if (item->valuedouble > SL_DEADLINE_MS_MAX) {
        r->question->deadline_ms = SL_DEADLINE_MS_MAX;
        return add_warning(r, clamped);
    }
    r->question->deadline_ms = (uint32_t)item->valuedouble;
    return SL_OK;
}

/* "docs/0" to topic and partition. */
static bool read_partition_name(const char *name, struct sl_view *ret_topic, int32_t *ret_partition)
{
    const char *slash = strrchr(name, '/');
    int64_t partition = 0;

    if (slash == NULL || slash == name || slash[1] == '\0' || strlen(slash + 1) > 10)
        return false;
    for (const char *c = slash + 1; *c != '\0'; c++) {
        if (*c < '0' || *c > '9')
            return false;
        partition = partition * 10 + (*c - '0');
    }
    if (partition > INT32_MAX)
        return false;
    *ret_topic = (struct sl_view){name, (size_t)(slash - name)};
    *ret_partition = (int32_t)partition;
    return true;
}

static enum sl_err read_min_position(struct reader *r, const cJSON *item)
{
    static const char allowed[] = "an object such as {\"docs/0\": 1234}";
    struct sl_min_position *positions;
    struct sl_view topic;
    const cJSON *member;
    int count;

    if (!cJSON_IsObject(item))
        return bad_field(r, "min_position", allowed);
    count = cJSON_GetArraySize(item);
    positions = SL_NEW_ARRAY(r->arena, struct sl_min_position, count);
    if (positions == NULL)
        return no_memory(r->err);
    cJSON_ArrayForEach(member, item)
    {
        struct sl_min_position *position = &positions[r->question->min_position_count];
        if (!whole_number(member, 0, 0x1p53) ||
            !read_partition_name(member->string, &topic, &position->partition))
            return bad_field(r, "min_position", allowed);
        position->topic = sl_arena_copy(r->arena, topic);
        if (position->topic.data == NULL)
            return no_memory(r->err);
        position->offset = (int64_t)member->valuedouble;
        r->question->min_position_count++;
    }
    r->question->min_positions = positions;
    return SL_OK;
}

static enum sl_err read_member(struct reader *r, const cJSON *item)
{
    const char *name = item->string;

    if (strcmp(name, "query") == 0 || cJSON_IsNull(item))
        return SL_OK; /* read before the others; null is as good as not there */
    if (strcmp(name, "k") == 0)
        return read_k(r, item);
    if (strcmp(name, "filter") == 0)
        return read_filter(r, item);
    if (strcmp(name, "mode") == 0)
        return read_mode(r, item);
    if (strcmp(name, "exact") == 0)
        return read_flag(r, item, &r->question->exact);
    if (strcmp(name, "return_hits") == 0)
        return read_flag(r, item, &r->question->return_hits);
    if (strcmp(name, "duplicates") == 0)
        return read_flag(r, item, &r->question->duplicates);
    if (strcmp(name, "stream") == 0)
        return read_stream(r, item);
    if (strcmp(name, "session") == 0)
        return read_session(r, item);
    if (strcmp(name, "deadline_ms") == 0)
        return read_deadline(r, item);
    if (strcmp(name, "min_position") == 0)
        return read_min_position(r, item);
    return sl_fail(r->err, SL_REJECT, "bad_field",
                   "question: unknown member \"%.*s\"; allowed: query, k, filter, mode, exact, session, "
                   "deadline_ms, min_position, return_hits, stream",
                   (int)sl_utf8_floor(sl_view_of(name), 40), name);
}

static enum sl_err read_json(struct reader *r, struct sl_view value)
{
    cJSON *root = NULL;
    const cJSON *query, *item;
    enum sl_err e = sl_json_parse(value, &root, r->err);

    if (e)
        return e;
    if (!cJSON_IsObject(root)) {
        cJSON_Delete(root);
        return sl_fail(r->err, SL_REJECT, "bad_json", "question: must be an object with \"query\"");
    }
    query = cJSON_GetObjectItemCaseSensitive(root, "query");
    if (query == NULL)
        e = sl_fail(r->err, SL_REJECT, "empty_query", "question: no \"query\" in it");
    else
        e = read_query(r, query);
    for (item = root->child; !e && item != NULL; item = item->next)
        e = read_member(r, item);
    cJSON_Delete(root);
    return e;
}

static bool is_json(const struct sl_message *message)
{
    struct sl_view type = sl_message_header(message, "content-type");
    struct sl_view start = trimmed(message->value);

    if (type.size >= 5 && memcmp(type.data, "text/", 5) == 0)
        return false;
    if (type.size >= 16 && memcmp(type.data, "application/json", 16) == 0)
        return true;
    return start.size > 0 && start.data[0] == '{';
}

/* Topic and header must agree when both name a tenant. */
static enum sl_err read_tenant(struct reader *r, const struct sl_message *message,
                               const struct sl_question_options *options)
{
    struct sl_view header = SL_VIEW_NULL;

    r->question->tenant = options->tenant;
    if (options->tenant_header == NULL)
        return SL_OK;
    if (sl_message_header_count(message, options->tenant_header) > 1)
        return sl_fail(r->err, SL_REJECT, "no_tenant",
                       "question: header %.60s stands there twice; allowed: once",
                       options->tenant_header);
    header = sl_message_header(message, options->tenant_header);
    if (header.size == 0 || header.size > SL_FIELD_BYTES_MAX || sl_utf8_bad(header) != header.size)
        return sl_fail(r->err, SL_REJECT, "no_tenant",
                       "question: header %.60s must name the tenant", options->tenant_header);
    if (options->tenant.data != NULL && !sl_view_equal(options->tenant, header))
        return sl_fail(r->err, SL_REJECT, "no_tenant",
                       "question: header %.60s names another tenant than the topic's",
                       options->tenant_header);
    r->question->tenant = header;
    return SL_OK;
}

enum sl_err sl_question_parse(const struct sl_message *message,
                              const struct sl_question_options *options, struct sl_arena *arena,
                              struct sl_question *ret_question, struct sl_error *err)
{
    struct reader r = {ret_question, arena, err};
    enum sl_err e;

    *ret_question = (struct sl_question){.asked_ms = message->timestamp_ms};
    if (message->value.data == NULL || message->value.size == 0)
        return sl_fail(err, SL_REJECT, "empty_query", "question: the record has no value");
    if (message->value.size > SL_QUESTION_BYTES_MAX)
        return sl_fail(err, SL_REJECT, "too_large",
                       "question: %zu bytes; at most %u are allowed", message->value.size,
                       SL_QUESTION_BYTES_MAX);
    if (sl_utf8_bad(message->value) != message->value.size)
        return sl_fail(err, SL_REJECT, "bad_utf8", "question: byte %zu is not UTF-8",
                       sl_utf8_bad(message->value));
    e = is_json(message) ? read_json(&r, message->value) : set_text(&r, message->value);
    return e ? e : read_tenant(&r, message, options);
}
