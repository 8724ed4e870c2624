/*
 * config_generation.c -- what the configuration asks of an index, and what one that is there was made with.
 *
 * The fingerprint says how an index was made, and cannot be undone to a directory of weights. So a row of the index
 * remembers where its encoder was read from. That, the settings in the fingerprint and a try at each precision may
 * give the old pipeline again; whether they did is told by its fingerprint alone.
 *
 * With `precision = auto` a machine takes what it is best at. An index made on another is met halfway: of the
 * precisions this processor can do, the one the index was made with is taken.
 */
#include "daemon/config_pipeline.h"

#include <stdio.h>
#include <string.h>

#include <sluice/reindex.h>

#define ROW  "generation encoder" /* the directory of a local encoder; empty: none, or a server */
#define HELD "generation held"    /* of one that is building: there, it waits to be promoted */

void sl_config_index_options(const struct sl_config *config, const struct sl_ingest_options *ingest,
                             char *fingerprint, struct sl_index_options *ret_options)
{
    sl_ingest_fingerprint(ingest, fingerprint);
    *ret_options = (struct sl_index_options){
        .path = config->index.path,
        .map_size_bytes = config->index.map_size_max,
        .dim = ingest->embedder != NULL ? ingest->embedder->dim : 0,
        .storage = sl_storage_named(config->index.storage),
        .m = config->index.m,
        .ef_construction = config->index.ef_construction,
        .fingerprint = fingerprint,
        .duplicates = config->clean.duplicates,
    };
}

/* Does the encoder make vectors as the fingerprint says? */
static bool is_encoder_of(const struct sl_embedder *embedder, const char *fingerprint)
{
    struct sl_ingest_options options = {.embedder = embedder};
    char own[SL_FINGERPRINT_BYTES];

    sl_ingest_fingerprint(&options, own);
    return sl_ingest_same_embedder(own, fingerprint);
}

struct sl_embedder *sl_config_embedder_like(const struct sl_config *config, const char *fingerprint)
{
    static const char *const precisions[] = {"auto", "f32", "bf16", "int8"};
    struct sl_config tried = *config;
    bool any = strcmp(config->embed.precision, "auto") == 0;

    for (size_t i = 0; i < (any ? sizeof precisions / sizeof *precisions : 1); i++) {
        struct sl_embedder *embedder = NULL;
        if (any)
            tried.embed.precision = (char *)(uintptr_t)precisions[i];
        if (sl_config_embedder(&tried, &embedder, NULL) != SL_OK)
            continue;
        if (is_encoder_of(embedder, fingerprint))
            return embedder;
        (void)sl_embedder_close(embedder);
        if (config->embed.backend != SL_EMBED_BACKEND_BERT)
            break;
    }
    return NULL;
}

static const char *directory_of(const struct sl_config *config)
{
    return config->embed.backend == SL_EMBED_BACKEND_BERT ? config->embed.model : "";
}

/* One row of the index's own, unless it is so already. Null value: not there. */
static enum sl_err put_row(struct sl_index *index, struct sl_view key, struct sl_view value,
                           struct sl_error *err)
{
    struct sl_snapshot *snapshot = NULL;
    struct sl_batch *batch = NULL;
    struct sl_view found = SL_VIEW_NULL;
    enum sl_err r = sl_snapshot_open(index, &snapshot, err);
    bool same;

    if (r != SL_OK)
        return r;
    if (sl_snapshot_row(snapshot, SL_TABLE_NOTE, key, &found, NULL) != SL_OK)
        found = SL_VIEW_NULL;
    same = (found.data == NULL) == (value.data == NULL) && sl_view_equal(found, value);
    (void)sl_snapshot_close(snapshot);
    if (same)
        return SL_OK;
    r = sl_batch_begin(index, &batch, err);
    if (r != SL_OK)
        return r;
    r = sl_batch_row(batch, SL_TABLE_NOTE, key, value, err);
    if (r == SL_OK)
        return sl_batch_commit(batch, err);
    (void)sl_batch_abort(batch);
    return r;
}

enum sl_err sl_config_remember(const struct sl_config *config, struct sl_index *index,
                               struct sl_error *err)
{
    return put_row(index, SL_VIEW(ROW), sl_view_of(directory_of(config)), err);
}

enum sl_err sl_generation_hold(struct sl_index *building, bool held, struct sl_error *err)
{
    return put_row(building, SL_VIEW(HELD), held ? SL_VIEW("yes") : SL_VIEW_NULL, err);
}

bool sl_generation_is_held(struct sl_index *building)
{
    struct sl_snapshot *snapshot = NULL;
    struct sl_view found;
    bool held;

    if (sl_snapshot_open(building, &snapshot, NULL) != SL_OK)
        return false;
    held = sl_snapshot_row(snapshot, SL_TABLE_NOTE, SL_VIEW(HELD), &found, NULL) == SL_OK;
    (void)sl_snapshot_close(snapshot);
    return held;
}

/* Where the index's encoder was read from; "" : not known. */
static void remembered(struct sl_index *index, char *ret_directory, size_t size)
{
    struct sl_snapshot *snapshot = NULL;
    struct sl_view found;

    ret_directory[0] = '\0';
    if (sl_snapshot_open(index, &snapshot, NULL) != SL_OK)
        return;
    if (sl_snapshot_row(snapshot, SL_TABLE_NOTE, SL_VIEW(ROW), &found, NULL) == SL_OK &&
        found.size < size)
        (void)snprintf(ret_directory, size, "%.*s", SL_VIEW_ARG(found));
    (void)sl_snapshot_close(snapshot);
}

struct sl_embedder *sl_config_embedder_of(const struct sl_config *config, struct sl_index *index)
{
    struct sl_config before = *config;
    char directory[4096], precision[] = "auto";

    remembered(index, directory, sizeof directory);
    if (directory[0] == '\0')
        return sl_config_embedder_like(config, sl_index_fingerprint(index));
    before.embed.backend = SL_EMBED_BACKEND_BERT;
    before.embed.model = directory;
    before.embed.precision = precision;
    return sl_config_embedder_like(&before, sl_index_fingerprint(index));
}

bool sl_config_is_building(const struct sl_config *config, const struct sl_index_options *options)
{
    struct sl_generation list[SL_GENERATIONS_MAX];
    struct sl_index_options reading = *options;
    struct sl_index *index = NULL;
    uint32_t count = 0;
    bool same = false;

    if (sl_generation_list(config->index.path, list, &count, NULL) != SL_OK)
        return false;
    reading.read_only = true;
    for (uint32_t i = 0; i < count && !same; i++)
        if (list[i].state == SL_GENERATION_BUILDING) {
            reading.generation = &list[i];
            same = sl_index_open(&reading, &index, NULL) == SL_OK;
            (void)sl_index_close(index);
        }
    return same;
}

enum sl_err sl_config_open_existing(const struct sl_config *config,
                                    struct sl_ingest_options *ingest, char *fingerprint,
                                    struct sl_embedder **embedder, struct sl_index **ret_index,
                                    struct sl_error *ret_differs, struct sl_error *err)
{
    struct sl_index_options options, existing;
    struct sl_embedder *like;
    enum sl_err r;

    sl_config_index_options(config, ingest, fingerprint, &options);
    existing = (struct sl_index_options){.path = options.path,
                                         .map_size_bytes = options.map_size_bytes,
                                         .ef_construction = options.ef_construction,
                                         .existing = true,
                                         .duplicates = options.duplicates};
    *ret_differs = (struct sl_error){0};
    r = sl_index_open(&existing, ret_index, err);
    if (r != SL_OK || sl_index_matches(*ret_index, &options, ret_differs) == SL_OK ||
        config->embed.backend != SL_EMBED_BACKEND_BERT ||
        is_encoder_of(*embedder, sl_index_fingerprint(*ret_index)))
        return r;
    like = sl_config_embedder_like(config, sl_index_fingerprint(*ret_index));
    if (like == NULL)
        return SL_OK;
    (void)sl_embedder_close(*embedder);
    *embedder = like;
    ingest->embedder = like;
    sl_config_index_options(config, ingest, fingerprint, &options);
    if (sl_index_matches(*ret_index, &options, ret_differs) == SL_OK)
        *ret_differs = (struct sl_error){0};
    return SL_OK;
}
