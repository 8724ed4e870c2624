/*
 * goldens.c -- golden questions: read, asked, summed up.
 *
 * Each is asked as anybody's question would be, through sl_retrieve(). What is kept of an answer is little: how much
 * of what is relevant was found, where, and which document came first, so that two runs can be laid beside each
 * other: figures fall when answers get worse, the share of changed first documents rises before that.
 */
#include <sluice/dates.h>
#include <sluice/decode.h>
#include <sluice/eval.h>
#include <sluice/goldens.h>
#include <sluice/hash.h>

#include <cjson/cJSON.h>

#define MS_PER_DAY      INT64_C(86400000)
#define CHUNKS_A_RESULT 4u /* how far to look for SL_GOLDENS_K documents */

struct reader {
    struct sl_arena *arena;
    struct sl_error *err;
    uint32_t line;
    struct sl_golden *items;
    uint32_t count;
};

static enum sl_err bad(const struct reader *r, const char *what)
{
    return sl_fail(r->err, SL_REJECT, "bad_field", "golden questions, line %u: %s", r->line, what);
}

static enum sl_err text_member(const struct reader *r, const cJSON *root, const char *name,
                               struct sl_view *ret)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(root, name);

    *ret = SL_VIEW_NULL;
    if (!cJSON_IsString(member) || member->valuestring[0] == '\0')
        return SL_OK;
    *ret = sl_arena_copy(r->arena, sl_view_of(member->valuestring));
    return ret->data != NULL
               ? SL_OK
               : sl_fail(r->err, SL_REJECT, "too_large", "golden questions: no memory for them");
}

static bool is_among(const struct sl_view *keys, uint32_t count, struct sl_view key)
{
    for (uint32_t i = 0; i < count; i++)
        if (sl_view_equal(keys[i], key))
            return true;
    return false;
}

static enum sl_err relevant_member(const struct reader *r, const cJSON *root,
                                   struct sl_golden *golden)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "relevant"), *key;
    int count = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    struct sl_view *keys = SL_NEW_ARRAY(r->arena, struct sl_view, (size_t)count + 1);

    if (keys == NULL)
        return sl_fail(r->err, SL_REJECT, "too_large", "golden questions: no memory for them");
    cJSON_ArrayForEach(key, list)
    {
        if (!cJSON_IsString(key))
            return bad(r, "relevant: allowed is a list of keys, each a string");
        if (is_among(keys, golden->relevant_count, sl_view_of(key->valuestring)))
            continue;
        keys[golden->relevant_count] = sl_arena_copy(r->arena, sl_view_of(key->valuestring));
        if (keys[golden->relevant_count++].data == NULL)
            return sl_fail(r->err, SL_REJECT, "too_large", "golden questions: no memory for them");
    }
    golden->relevant = keys;
    return golden->relevant_count > 0 ? SL_OK : bad(r, "needs relevant, a list of at least one key");
}

static enum sl_err read_line(struct reader *r, const cJSON *root)
{
    struct sl_golden golden = {.asked_ms = -1};
    struct sl_view status, now;
    struct sl_day_range days;
    enum sl_err e;

    if ((e = text_member(r, root, "status", &status)) ||
        (status.data != NULL && !sl_view_is(status, "accepted")))
        return e;
    if ((e = text_member(r, root, "query", &golden.query)) ||
        (golden.query.data == NULL && (e = text_member(r, root, "text", &golden.query))) ||
        (e = text_member(r, root, "filter", &golden.filter)) ||
        (e = text_member(r, root, "tenant", &golden.tenant)) ||
        (e = text_member(r, root, "now", &now)))
        return e;
    if (golden.query.data == NULL)
        return bad(r, "needs \"query\"");
    if (now.data != NULL && !sl_date_iso(now, &days))
        return bad(r, "now: allowed is an ISO date, such as 2019-07-31");
    if (now.data != NULL)
        golden.asked_ms = ((int64_t)days.to + 1) * MS_PER_DAY - 1;
    if ((e = relevant_member(r, root, &golden)))
        return e;
    r->items[r->count++] = golden;
    return SL_OK;
}

static uint32_t count_lines(struct sl_view text)
{
    uint32_t count = 1;

    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '\n';
    return count;
}

static bool is_blank(struct sl_view line)
{
    size_t i = 0;

    while (i < line.size && memchr(" \t\r", line.data[i], 3) != NULL)
        i++;
    return i == line.size;
}

enum sl_err sl_goldens_read(struct sl_view text, struct sl_arena *arena,
                            struct sl_goldens *ret_goldens, struct sl_error *err)
{
    struct reader r = {.arena = arena, .err = err};
    uint32_t lines = count_lines(text);
    enum sl_err e = SL_OK;

    if (lines > SL_GOLDENS_MAX + 1)
        return sl_fail(err, SL_REJECT, "too_large", "golden questions: %u lines; allowed are %u",
                       lines, SL_GOLDENS_MAX);
    r.items = SL_NEW_ARRAY(arena, struct sl_golden, lines);
    if (r.items == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "golden questions: no memory for them");
    for (size_t at = 0; e == SL_OK && at < text.size;) {
        const char *end = memchr(text.data + at, '\n', text.size - at);
        size_t stop = end != NULL ? (size_t)(end - text.data) : text.size;
        struct sl_view line = sl_view_range(text, at, stop);
        cJSON *root = NULL;
        at = stop + 1;
        r.line++;
        if (is_blank(line))
            continue;
        if ((e = sl_json_parse(line, &root, err)) == SL_OK)
            e = read_line(&r, root);
        cJSON_Delete(root);
    }
    if (e == SL_OK)
        *ret_goldens = (struct sl_goldens){r.items, r.count};
    return e;
}

/* ---------------------------------------------------------------------------------------- asking */

static uint64_t name_of(struct sl_view topic, struct sl_view key)
{
    struct sl_sha256 *state = sl_sha256_begin();
    uint8_t digest[32];
    uint64_t name = 0;

    sl_sha256_add(state, topic.data, topic.size);
    sl_sha256_add(state, "", 1);
    sl_sha256_add(state, key.data, key.size);
    sl_sha256_end(state, digest);
    for (int i = 0; i < 8; i++)
        name = name << 8 | digest[i];
    return name != 0 ? name : 1;
}

static enum sl_err judge(const struct sl_golden *golden, const struct sl_snapshot *snapshot,
                         const struct sl_retrieved *retrieved, struct sl_arena *arena,
                         struct sl_golden_result *ret, struct sl_error *err)
{
    sl_doc_id seen[SL_GOLDENS_K];
    struct sl_view keys[SL_GOLDENS_K];
    int32_t grades[SL_GOLDENS_K];
    uint32_t count = 0;

    *ret = (struct sl_golden_result){0};
    for (uint32_t i = 0; i < retrieved->count && count < SL_GOLDENS_K; i++) {
        struct sl_document document;
        uint32_t chunk_count, known = 0;
        enum sl_err e;
        while (known < count && seen[known] != retrieved->results[i].doc)
            known++;
        if (known < count)
            continue;
        e = sl_snapshot_document(snapshot, retrieved->results[i].doc, arena, &document, &chunk_count,
                                 err);
        if (e)
            return e;
        if (count == 0)
            ret->top = name_of(document.topic, document.key);
        seen[count] = retrieved->results[i].doc;
        keys[count] = document.key;
        grades[count] = is_among(golden->relevant, golden->relevant_count, document.key) &&
                        !is_among(keys, count, document.key); /* in another topic, and found already */
        count++;
    }
    ret->recall = sl_eval_recall(grades, count, golden->relevant_count, SL_GOLDENS_K);
    ret->reciprocal = sl_eval_mrr(grades, count, SL_GOLDENS_K);
    return SL_OK;
}

enum sl_err sl_golden_ask(const struct sl_golden *golden, const struct sl_snapshot *snapshot,
                          const struct sl_retrieve_options *options,
                          const struct sl_embedder *embedder, const struct sl_clock *clock,
                          struct sl_arena *arena, struct sl_golden_result *ret, struct sl_error *err)
{
    struct sl_question question = {.text = golden->query, .filter_text = golden->filter,
                                   .tenant = golden->tenant, .asked_ms = golden->asked_ms,
                                   .k = SL_GOLDENS_K * CHUNKS_A_RESULT};
    struct sl_retrieve_options judged = *options;
    struct sl_retrieved *retrieved = NULL;
    enum sl_err e;

    judged.judged = true; /* a golden names one of several copies */
    if (golden->filter.data != NULL &&
        (e = sl_filter_parse(golden->filter, arena, &question.filter, err)))
        return e;
    if ((e = sl_retrieve(snapshot, &question, &judged, embedder, clock, arena, &retrieved, err)))
        return e;
    return judge(golden, snapshot, retrieved, arena, ret, err);
}

struct sl_goldens_result sl_goldens_sum(const struct sl_golden_result *results,
                                        const struct sl_golden_result *before, uint32_t count)
{
    struct sl_goldens_result sum = {.count = count};

    if (count == 0)
        return sum;
    for (uint32_t i = 0; i < count; i++) {
        sum.recall += results[i].recall;
        sum.reciprocal += results[i].reciprocal;
        sum.changed += before != NULL && before[i].top != results[i].top;
    }
    sum.recall /= count;
    sum.reciprocal /= count;
    sum.changed /= count;
    return sum;
}

bool sl_goldens_worse(const struct sl_goldens_result *before, const struct sl_goldens_result *now,
                      double drop_max)
{
    if (before->count == 0 || now->count == 0)
        return false;
    return before->recall - now->recall > drop_max || before->reciprocal - now->reciprocal > drop_max;
}
