/*
 * ask.c -- questions made by hand, and files of them.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/decode.h>
#include <sluice/text.h>

#include "ask.h"

enum sl_err ctl_question_text(struct sl_view text, struct sl_error *err)
{
    size_t bad = sl_utf8_bad(text);

    if (text.size == 0)
        return sl_fail(err, SL_REJECT, "empty_query", "the question is empty");
    if (text.size > SL_QUERY_BYTES_MAX)
        return sl_fail(err, SL_REJECT, "too_large", "the question has %zu bytes; allowed are %u",
                       text.size, SL_QUERY_BYTES_MAX);
    if (bad != text.size)
        return sl_fail(err, SL_REJECT, "bad_utf8", "the question is not UTF-8 at byte %zu", bad);
    return SL_OK;
}

enum sl_err ctl_question(struct sl_view text, struct sl_view filter, int64_t asked_ms,
                         struct sl_arena *arena, struct sl_question *ret_question,
                         struct sl_error *err)
{
    const struct sl_filter *tree = NULL;
    enum sl_err result = ctl_question_text(text, err);

    if (result != SL_OK)
        return result;
    if (filter.data != NULL) {
        result = sl_filter_parse(filter, arena, &tree, err);
        if (result != SL_OK)
            return result;
    }
    *ret_question = (struct sl_question){
        .text = text, .filter_text = filter, .filter = tree, .asked_ms = asked_ms};
    return SL_OK;
}

static char *copy_member(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);
    struct sl_buffer digits = {0};

    if (cJSON_IsString(member))
        return strdup(member->valuestring);
    if (cJSON_IsNumber(member)) {
        sl_buffer_format(&digits, "%.17g", member->valuedouble);
        return digits.data;
    }
    return NULL;
}

/* The end of the day that the line's "now" names; -1 without one. */
static bool asked_parse(const cJSON *object, int64_t *ret_ms, struct sl_error *err)
{
    struct sl_view date = ctl_json_text(object, "now");

    *ret_ms = -1;
    if (date.data == NULL || ctl_day_end(date, ret_ms))
        return true;
    sl_fail(err, SL_REJECT, "bad_field", "\"now\": allowed is an ISO date, such as 2019-07-31");
    return false;
}

static bool query_parse(struct sl_view line, uint32_t number, struct ctl_query *ret_query,
                        struct sl_error *err)
{
    struct ctl_query query = {.number = number};
    cJSON *root = NULL;
    bool dated;

    if (sl_json_parse(line, &root, err) != SL_OK)
        return false;
    query.id = copy_member(root, "_id");
    if (query.id == NULL)
        query.id = copy_member(root, "id");
    query.text = copy_member(root, "query");
    if (query.text == NULL)
        query.text = copy_member(root, "text");
    if (query.text == NULL) /* refused as an empty question is, when it is asked */
        query.text = strdup("");
    query.filter = copy_member(root, "filter");
    query.line = strndup(line.data, line.size);
    dated = asked_parse(root, &query.asked_ms, err);
    cJSON_Delete(root);
    *ret_query = query;
    if (!dated)
        return false;
    if (query.text == NULL || query.line == NULL)
        sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a question");
    return query.text != NULL && query.line != NULL;
}

static int queries_fill(const struct ctl *ctl, const char *path, struct ctl_lines *lines,
                        struct ctl_queries *queries)
{
    struct sl_error err = {0};
    struct sl_view line;
    enum sl_err result;

    while ((result = ctl_lines_next(lines, &line, &err)) == SL_OK) {
        struct ctl_query *items =
            reallocarray(queries->items, (size_t)queries->count + 1, sizeof(*items));

        if (items == NULL)
            return ctl_fail(ctl, SL_EXIT_OS, "no memory for the questions of %s", path);
        queries->items = items;
        items[queries->count] = (struct ctl_query){0};
        if (!query_parse(line, (uint32_t)ctl_lines_number(lines), &items[queries->count++], &err))
            return ctl_fail(ctl, SL_EXIT_DATA, "%s:%llu: %s: %s", path,
                            (unsigned long long)ctl_lines_number(lines), err.reason, err.message);
    }
    if (result == SL_AGAIN)
        return SL_EXIT_OK;
    return ctl_fail(ctl, err.exit_code != 0 ? err.exit_code : SL_EXIT_DATA, "%s:%llu: %s: %s", path,
                    (unsigned long long)ctl_lines_number(lines), err.reason, err.message);
}

int ctl_queries_read(const struct ctl *ctl, const char *path, struct ctl_queries *ret_queries)
{
    struct ctl_lines *lines = NULL;
    struct sl_error err = {0};
    int exit_code;

    *ret_queries = (struct ctl_queries){0};
    if (ctl_lines_open(path, SL_QUESTION_BYTES_MAX, &lines, &err) != SL_OK)
        return ctl_fail_error(ctl, &err, SL_EXIT_IO);
    exit_code = queries_fill(ctl, path, lines, ret_queries);
    ctl_lines_close(lines);
    if (exit_code != SL_EXIT_OK)
        ctl_queries_free(ret_queries);
    return exit_code;
}

static int by_id(const void *a, const void *b)
{
    const struct ctl_query *x = *(const struct ctl_query *const *)a, *y = *(const struct ctl_query *const *)b;
    int order = strcmp(x->id, y->id);

    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

int ctl_queries_distinct(const struct ctl *ctl, const char *path, const struct ctl_queries *queries)
{
    const struct ctl_query **sorted = calloc((size_t)queries->count + 1, sizeof(struct ctl_query *));
    int exit_code = sorted != NULL ? SL_EXIT_OK : ctl_fail(ctl, SL_EXIT_OS, "no memory for the questions of %s", path);

    for (uint32_t i = 0; exit_code == SL_EXIT_OK && i < queries->count; i++) {
        sorted[i] = &queries->items[i];
        if (sorted[i]->id == NULL)
            exit_code = ctl_fail(ctl, SL_EXIT_DATA, "%s:%u: a question needs \"_id\", by which it is judged", path,
                                 sorted[i]->number);
    }
    if (exit_code == SL_EXIT_OK && queries->count > 0)
        qsort(sorted, queries->count, sizeof(struct ctl_query *), by_id);
    for (uint32_t i = 1; exit_code == SL_EXIT_OK && i < queries->count; i++)
        if (strcmp(sorted[i]->id, sorted[i - 1]->id) == 0)
            exit_code = ctl_fail(ctl, SL_EXIT_DATA, "%s:%u: question %s was asked before, on line %u", path,
                                 sorted[i]->number, sorted[i]->id, sorted[i - 1]->number);
    free(sorted);
    return exit_code;
}

void ctl_query_fini(struct ctl_query *query)
{
    free(query->id);
    free(query->text);
    free(query->filter);
    free(query->line);
}

void ctl_queries_free(struct ctl_queries *queries)
{
    for (uint32_t i = 0; i < queries->count; i++)
        ctl_query_fini(&queries->items[i]);
    free(queries->items);
    *queries = (struct ctl_queries){0};
}
