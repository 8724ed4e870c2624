/*
 * goldens.c -- golden questions, asked on a schedule by a thread of its own.
 *
 * Answers get worse without any error: a topic is filled with something else, a model is exchanged, a setting is
 * changed. So questions whose documents a person has named are asked again and again, as anybody's would be,
 * but at the lowest priority, each from a snapshot of its own (one held for all of them would keep the index from
 * reusing its pages), and only while the index is caught up, for a half-read topic finds half. A run is held
 * against the best one of the same file since the start: against the one before, a slow decline would never show.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sluice/hash.h>
#include <sluice/json.h>

#include "daemon/engine_internal.h"
#include "daemon/goldens.h"
#include "daemon/log.h"

#define FILE_BYTES_MAX (16u << 20)
#define READY_STEP_MS  1000u
#define NICENESS       19

struct asking {
    struct sl_engine *engine;
    uint8_t file_hash[32];
    struct sl_golden_result *before; /* [count] of the last run; NULL: none of this file */
    struct sl_goldens_result best;   /* count 0: none */
};

static bool read_file(const char *path, struct sl_buffer *content)
{
    char block[16384];
    size_t got;
    FILE *file = fopen(path, "re");
    bool whole;

    if (file == NULL) {
        sl_log(SL_LOG_WARNING, "golden_unreadable", "golden questions: %s: %s", path, strerror(errno));
        return false;
    }
    while ((got = fread(block, 1, sizeof(block), file)) > 0 && content->size <= FILE_BYTES_MAX)
        sl_buffer_add(content, block, got);
    whole = !ferror(file) && !content->failed && content->size <= FILE_BYTES_MAX;
    fclose(file);
    if (!whole)
        sl_log(SL_LOG_WARNING, "golden_unreadable",
               "golden questions: %s cannot be read, or is larger than %u bytes", path, FILE_BYTES_MAX);
    return whole;
}

static enum sl_err ask_one(struct sl_engine *engine, const struct sl_golden *golden,
                           struct sl_golden_result *ret, struct sl_error *err)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    SL_CLEANUP(sl_synonyms_closep) struct sl_synonyms *synonyms = NULL;
    struct settings settings;
    enum sl_err e;

    if (arena == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "golden questions: no memory");
    engine_retrieve(engine, &settings, &synonyms);
    if ((e = sl_snapshot_open(engine->index, &snapshot, err)))
        return e;
    return sl_golden_ask(golden, snapshot, &settings.retrieve, engine->embedder, &sl_daemon_clock, arena,
                         ret, err);
}

/* All of them; false when the engine stops meanwhile or one cannot be asked: such a run does not count. */
static bool ask_all(struct sl_engine *engine, const struct sl_goldens *goldens,
                    struct sl_golden_result *results)
{
    for (uint32_t i = 0; i < goldens->count; i++) {
        struct sl_error err = {0};
        if (engine->stopping)
            return false;
        if (ask_one(engine, &goldens->items[i], &results[i], &err) != SL_OK) {
            sl_log(SL_LOG_WARNING, "golden_unreadable", "golden question %u cannot be asked: %s: %s",
                   i + 1, err.reason, err.message);
            return false;
        }
    }
    return true;
}

static void publish(struct asking *asking, const struct sl_goldens_result *now)
{
    struct sl_engine *engine = asking->engine;
    double drop_max = engine->config->golden.drop_max;
    bool fell = sl_goldens_worse(&asking->best, now, drop_max), had_fallen;

    pthread_mutex_lock(&engine->mutex);
    had_fallen = engine->goldens.fell;
    engine->goldens = (struct goldens_state){*now, engine->goldens.runs + 1, fell};
    pthread_mutex_unlock(&engine->mutex);
    sl_metric_set(SL_METRIC_GOLDEN_QUESTIONS, now->count);
    sl_metric_set(SL_METRIC_GOLDEN_RECALL, now->recall);
    sl_metric_set(SL_METRIC_GOLDEN_RECIPROCAL_RANK, now->reciprocal);
    sl_metric_set(SL_METRIC_GOLDEN_CHANGED, now->changed);
    sl_metric_add(SL_METRIC_GOLDEN_RUNS, 1);
    if (fell)
        sl_log(SL_LOG_WARNING, "golden_fell",
               "golden questions: recall %.3f (best %.3f), reciprocal rank %.3f (best %.3f), %.0f %% "
               "have another first document than before",
               now->recall, asking->best.recall, now->reciprocal, asking->best.reciprocal,
               100 * now->changed);
    else if (had_fallen)
        sl_log(SL_LOG_NOTICE, "golden_recovered", "golden questions: recall %.3f, reciprocal rank %.3f",
               now->recall, now->reciprocal);
    if (asking->best.count == 0 || now->recall > asking->best.recall)
        asking->best.recall = now->recall;
    if (asking->best.count == 0 || now->reciprocal > asking->best.reciprocal)
        asking->best.reciprocal = now->reciprocal;
    asking->best.count = now->count;
}

/* Another file: nothing to hold the next run against. */
static void look_at_file(struct asking *asking, struct sl_view content)
{
    uint8_t hash[32];

    sl_sha256(content, hash);
    if (memcmp(hash, asking->file_hash, sizeof hash) == 0)
        return;
    memcpy(asking->file_hash, hash, sizeof hash);
    free(asking->before);
    asking->before = NULL;
    asking->best = (struct sl_goldens_result){0};
}

static void ask(struct asking *asking, struct sl_view content)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_goldens goldens = {0};
    struct sl_error err = {0};
    struct sl_golden_result *results;

    if (arena == NULL || sl_goldens_read(content, arena, &goldens, &err) != SL_OK) {
        sl_log(SL_LOG_WARNING, "golden_unreadable", "golden questions: %s",
               arena == NULL ? "no memory" : err.message);
        return;
    }
    results = calloc((size_t)goldens.count + 1, sizeof(*results));
    if (results == NULL || goldens.count == 0 || !ask_all(asking->engine, &goldens, results)) {
        free(results);
        return;
    }
    look_at_file(asking, content);
    struct sl_goldens_result now = sl_goldens_sum(results, asking->before, goldens.count);
    publish(asking, &now);
    free(asking->before);
    asking->before = results;
}

static void wait_for(struct sl_engine *engine, uint32_t ms)
{
    for (uint32_t waited = 0; waited < ms && !engine->stopping; waited += READY_STEP_MS)
        engine_sleep(engine, ms - waited < READY_STEP_MS ? ms - waited : READY_STEP_MS);
}

void *goldens_run(void *context)
{
    struct asking asking = {.engine = context};
    struct sl_engine *engine = context;
    char why[300];

    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS); /* of this thread alone */
    while (!engine->stopping) {
        if (sl_engine_ready(engine, why, sizeof(why))) {
            struct sl_buffer content = {0};
            if (read_file(engine->config->golden.file, &content))
                ask(&asking, (struct sl_view){content.data != NULL ? content.data : "", content.size});
            sl_buffer_fini(&content);
            wait_for(engine, engine->config->golden.interval_ms);
        } else {
            wait_for(engine, READY_STEP_MS);
        }
    }
    free(asking.before);
    return NULL;
}

/* ------------------------------------------------------------------------------ another generation */

static bool goes_on(void *context)
{
    const struct sl_engine *engine = context;

    return !engine->stopping && !engine->ending;
}

enum sl_err goldens_judge(struct sl_engine *engine, struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;
    const struct sl_config *config = reindex->config;
    struct sl_goldens_gate gate = {.clock = &sl_daemon_clock, .drop_max = config->golden.drop_max,
                                   .goes_on = goes_on, .context = engine};
    SL_CLEANUP(sl_synonyms_closep) struct sl_synonyms *synonyms = NULL, *theirs = NULL;
    struct sl_retrieve_options options;
    struct settings settings;
    struct sl_buffer content = {0};
    enum sl_err r;

    if (config->golden.file[0] == '\0')
        return SL_OK;
    if ((r = sl_config_synonyms(config, reindex->ingest.lists, &theirs, err)))
        return r;
    engine_retrieve(engine, &settings, &synonyms);
    sl_config_retrieve(config, &options);
    options.lists = reindex->ingest.lists;
    options.synonyms = theirs;
    options.reranker = engine->heads.reranker;
    if (read_file(config->golden.file, &content))
        r = sl_goldens_judge(
            (struct sl_view){content.data != NULL ? content.data : "", content.size}, &gate,
            &(struct sl_goldens_side){engine->index, &settings.retrieve, engine->embedder},
            &(struct sl_goldens_side){reindex->building, &options, reindex->embedder}, err);
    else
        r = sl_fail(err, SL_REJECT, "not_found", "golden questions: %s cannot be read",
                    config->golden.file);
    sl_buffer_fini(&content);
    return r;
}

void goldens_json(struct sl_engine *engine, struct sl_buffer *out)
{
    struct goldens_state state;

    pthread_mutex_lock(&engine->mutex);
    state = engine->goldens;
    pthread_mutex_unlock(&engine->mutex);
    if (state.last.count == 0) {
        sl_buffer_format(out, "null");
        return;
    }
    sl_buffer_format(out,
                     "{\"questions\": %u, \"recall\": %.6f, \"reciprocal_rank\": %.6f, \"changed\": "
                     "%.6f, \"runs\": %llu, \"fell\": %s}",
                     state.last.count, state.last.recall, state.last.reciprocal, state.last.changed,
                     (unsigned long long)state.runs, state.fell ? "true" : "false");
}
