/*
 * versions.c -- of versions of one text, the one in force.
 *
 * A statute that was amended twelve times is twelve documents that hold nearly the same words, and a search
 * finds all of them: the answer to one question would be twelve times the same article. What makes documents
 * versions of each other is told by what every such collection has: bounds of validity, one title, and mostly
 * the same words (Jaccard over distinct words; a title alone is not enough, for all articles of a statute may
 * bear its name). Documents without bounds are never versions here: this month's report is not an amendment
 * of last month's.
 *
 * Known weakness: a version so rewritten that most words differ stays beside the others.
 */
#include <stdlib.h>

#include "retrieve_internal.h"

#define ALIKE_MIN    0.5
#define WORDS_MAX    2048u /* of one text; more are not looked at */
#define LOOKED_AT    4u    /* times the results wanted */

struct version {
    sl_doc_id doc;
    uint32_t first;  /* its best result */
    uint32_t leader; /* of the group, an index of versions; its own when alone */
    bool bounded;
    bool in_force;
    sl_day since;
    struct sl_view topic, title;
    uint64_t *words; /* sorted, distinct */
    uint32_t word_count;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Distinct words as FNV-1a hashes. */
static bool words_of(struct sl_view text, struct sl_arena *arena, struct version *version)
{
    uint64_t hash = 0;
    uint32_t count = 0, distinct = 0;
    size_t room = text.size / 2 + 1;

    version->words = SL_NEW_ARRAY(arena, uint64_t, room < WORDS_MAX ? room : WORDS_MAX);
    if (version->words == NULL)
        return false;
    for (size_t i = 0; i <= text.size && count < WORDS_MAX; i++) {
        unsigned char c = i < text.size ? (unsigned char)text.data[i] : ' ';
        if (c > ' ') {
            hash = ((hash != 0 ? hash : UINT64_C(0xCBF29CE484222325)) ^ c) * UINT64_C(0x100000001B3);
        } else if (hash != 0) {
            version->words[count++] = hash;
            hash = 0;
        }
    }
    qsort(version->words, count, sizeof *version->words, by_value);
    for (uint32_t i = 0; i < count; i++)
        if (distinct == 0 || version->words[distinct - 1] != version->words[i])
            version->words[distinct++] = version->words[i];
    version->word_count = distinct;
    return true;
}

static bool alike(const struct version *a, const struct version *b)
{
    uint32_t i = 0, j = 0, both = 0;

    if (!sl_view_equal(a->title, b->title) || !sl_view_equal(a->topic, b->topic))
        return false;
    while (i < a->word_count && j < b->word_count) {
        both += a->words[i] == b->words[j];
        if (a->words[i] <= b->words[j])
            j += a->words[i++] == b->words[j];
        else
            j++;
    }
    return both >= ALIKE_MIN * (a->word_count + b->word_count - both);
}

static enum sl_err read_version(const struct sl_snapshot *snapshot, sl_day at,
                                struct sl_arena *arena, struct version *version,
                                struct sl_error *err)
{
    struct sl_document document;
    uint32_t chunk_count;
    enum sl_err e =
        sl_snapshot_document(snapshot, version->doc, arena, &document, &chunk_count, err);

    if (e || document.valid_count == 0 || document.title.size == 0)
        return e;
    version->bounded = true;
    version->topic = document.topic;
    version->title = document.title;
    version->since = SL_DAY_NONE;
    for (uint32_t i = 0; i < document.valid_count; i++) {
        struct sl_day_range valid = document.valid[i];
        version->in_force = version->in_force || (valid.from <= at && at <= valid.to);
        version->since = valid.from > version->since ? valid.from : version->since;
    }
    if (!words_of(document.text, arena, version))
        return sl_fail(err, SL_REJECT, "too_large", "search: no memory to compare versions");
    return SL_OK;
}

static bool is_better(const struct version *a, const struct version *b)
{
    if (a->in_force != b->in_force)
        return a->in_force;
    return a->since > b->since;
}

/* The documents of the first results, each put to the first it is a version of. */
static enum sl_err group(const struct sl_snapshot *snapshot, sl_day at, struct sl_arena *arena,
                         const struct sl_result *results, uint32_t looked_at,
                         struct version *versions, uint32_t *ret_count, struct sl_error *err)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < looked_at; i++) {
        struct version version = {.doc = results[i].doc, .first = i, .leader = count};
        uint32_t seen = 0;
        while (seen < count && versions[seen].doc != version.doc)
            seen++;
        if (seen < count)
            continue;
        enum sl_err e = read_version(snapshot, at, arena, &version, err);
        if (e)
            return e;
        for (uint32_t j = 0; version.bounded && j < count; j++)
            if (versions[j].bounded && versions[j].leader == j && alike(&versions[j], &version)) {
                version.leader = j;
                break;
            }
        versions[count++] = version;
    }
    *ret_count = count;
    return SL_OK;
}

/* The version of a group that stays. */
static uint32_t chosen(const struct version *versions, uint32_t count, uint32_t leader)
{
    uint32_t best = leader;

    for (uint32_t i = leader + 1; i < count; i++)
        if (versions[i].leader == leader && is_better(&versions[i], &versions[best]))
            best = i;
    return best;
}

enum sl_err sl_versions_collapse(const struct sl_snapshot *snapshot, sl_day at, uint32_t wanted,
                                 struct sl_arena *arena, struct sl_result *results, uint32_t *count,
                                 struct sl_error *err)
{
    uint32_t looked_at = *count < wanted * LOOKED_AT ? *count : wanted * LOOKED_AT;
    struct version *versions = SL_NEW_ARRAY(arena, struct version, looked_at + 1);
    uint32_t version_count = 0, kept = 0;
    enum sl_err e;

    if (versions == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "search: no memory to compare versions");
    if ((e = group(snapshot, at, arena, results, looked_at, versions, &version_count, err)))
        return e;
    for (uint32_t v = 0; v < version_count; v++) {
        uint32_t stays = chosen(versions, version_count, versions[v].leader);
        struct sl_result best = results[versions[stays].first];
        if (versions[v].leader != v || stays == v)
            continue;
        best.score = results[versions[v].first].score; /* the best place of its versions */
        results[versions[stays].first].doc = versions[v].doc;
        results[versions[v].first] = best;
    }
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t v = 0;
        while (v < version_count && versions[v].doc != results[i].doc)
            v++;
        if (v == version_count || chosen(versions, version_count, versions[v].leader) == v)
            results[kept++] = results[i];
    }
    *count = kept;
    return SL_OK;
}
