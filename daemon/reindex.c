/*
 * reindex.c -- the index made anew in the background, while the engine works on.
 *
 * A pass over all keys (pipeline/reindex.c) brings the new generation in line with the old one as it was during the
 * pass; the stream goes on into the old one. Passes get short, and when one leaves little the engine stops its stages,
 * one last pass is made with nobody writing, and CURRENT is swapped. Then the engine starts as it would after any
 * stop: positions, outbox and cached replies came along. When the stream is faster than the passes, the last one is
 * made after LAST_PASSES all the same: records wait in Kafka meanwhile.
 *
 * Its threads are nice, and wait while documents or questions are under way, but never longer than YIELD_MS a
 * batch: a stream without a gap must not stop it for good.
 *
 * When the pipeline that made the old generation cannot be had again (its model's directory is gone, or this program
 * cuts or analyses otherwise) documents wait until the new one is in use: writing them by another pipeline would mix
 * two. Questions are answered all the while, without vectors when it is the model that is gone.
 *
 * Rejected: changing the pipeline under running threads (every document, question and encoder under way would have
 * to know which of two it belongs to, for one moment in months). Known weakness: that moment takes as long as a
 * restart does, a few seconds in which questions wait.
 */
#include "daemon/reindex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <sluice/json.h>

#include "daemon/config_pipeline.h"
#include "daemon/goldens.h"
#include "daemon/indexer.h"
#include "daemon/log.h"

#define SLICE       16u /* texts a helper takes at once */
#define NICE        10
#define YIELD_MS    500
#define STEP_MS     5
#define PAUSE_MS    1000u
#define HELD_MS     2000u
#define LITTLE      256u /* keys that may be carried over while the engine stands still */
#define LAST_PASSES 12u
#define FAILED_MS   30000u /* longer each time changing over failed */

static _Atomic uint32_t failures; /* to change over, in this process */

void reindex_init(struct sl_engine *engine)
{
    struct reindexing *reindex = &engine->reindex;

    pthread_mutex_init(&reindex->lock, NULL);
    pthread_cond_init(&reindex->moved, NULL);
    reindex->drop = UINT32_MAX;
    reindex->rollback = -1;
}

void reindex_fini(struct sl_engine *engine)
{
    struct reindexing *reindex = &engine->reindex;

    reindex->building = sl_index_close(reindex->building);
    if (reindex->embedder != engine->embedder)
        (void)sl_embedder_close(reindex->embedder);
    reindex->embedder = NULL;
    reindex->lists = sl_word_lists_close(reindex->lists);
}

/* ------------------------------------------------------------------------------ beginning */

static void note(struct sl_engine *engine, enum reindex_state state, const struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;

    pthread_mutex_lock(&reindex->lock);
    snprintf(reindex->error, sizeof(reindex->error), "%s", err != NULL ? err->message : "");
    pthread_mutex_unlock(&reindex->lock);
    reindex->state = state;
}

static void give_up(struct sl_engine *engine, const struct sl_error *err)
{
    sl_log_error(SL_LOG_ERROR, "reindex_failed", err);
    note(engine, REINDEX_FAILED, err);
    if (engine->reindex.frozen) /* documents would wait for ever */
        engine_fail(engine, err);
}

/* Thread: the indexer's, or main before all others. */
static enum sl_err begin(struct sl_engine *engine, struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;
    uint64_t room = 0;
    bool resumed = false;
    enum sl_err r = sl_reindex_room(engine->index, &room, err);

    if (r == SL_OK)
        r = sl_generation_begin(engine->index, &reindex->options, room, &reindex->building, &resumed,
                                err);
    if (r == SL_OK)
        r = sl_config_remember(reindex->config, reindex->building, err);
    if (r == SL_OK && resumed)
        reindex->hold = reindex->hold || sl_generation_is_held(reindex->building);
    if (r == SL_OK)
        r = sl_generation_hold(reindex->building, reindex->hold, err);
    if (r != SL_OK)
        return r;
    sl_log(SL_LOG_NOTICE, "reindex_started",
           "%s for \"%s\" from the stored texts; the old generation answers%s",
           resumed ? "going on with the index made anew" : "the index is being made anew",
           reindex->fingerprint,
           reindex->frozen ? ", documents wait: what made it cannot be had any more" : "");
    note(engine, REINDEX_BUILDING, NULL);
    return SL_OK;
}

/* The engine works on with what made the index that is there. */
static void take_old_pipeline(struct sl_engine *engine)
{
    struct reindexing *reindex = &engine->reindex;
    const char *theirs = sl_index_fingerprint(engine->index);
    char own[SL_FINGERPRINT_BYTES];

    if (!sl_ingest_same_embedder(theirs, reindex->fingerprint))
        engine->embedder = sl_config_embedder_of(engine->config, engine->index);
    engine->ingest.embedder = engine->embedder;
    engine->encoder_gone = engine->embedder == NULL && sl_index_dim(engine->index) > 0;
    reindex->frozen = !sl_ingest_settings(theirs, &engine->ingest);
    sl_ingest_fingerprint(&engine->ingest, own);
    reindex->frozen = reindex->frozen || strcmp(own, theirs) != 0 || engine->encoder_gone;
}

/* The new generation's encoder of its own when a server's model may have another length than the old one had. */
static enum sl_err open_remote(const struct sl_config *config, struct sl_embedder **ret,
                               struct sl_error *err)
{
    struct sl_config asks = *config;
    char nowhere[] = "";

    asks.index.path = nowhere; /* ask the server, not the index */
    return sl_config_embedder(&asks, ret, err);
}

static void set_target(struct reindexing *reindex, const struct sl_config *config,
                       struct sl_embedder *embedder, const struct sl_word_lists *lists)
{
    reindex->config = config;
    reindex->embedder = embedder;
    sl_config_ingest(config, embedder, &reindex->ingest);
    reindex->ingest.lists = lists;
    sl_config_index_options(config, &reindex->ingest, reindex->fingerprint, &reindex->options);
}

static enum sl_err begin_at_start(struct sl_engine *engine, const struct sl_error *differs,
                                  struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;
    struct sl_embedder *embedder = engine->embedder;

    if (sl_embed_is_remote(embedder)) {
        struct sl_embedder *other = NULL;
        enum sl_err r = open_remote(engine->config, &other, err);
        if (r != SL_OK)
            return r;
        (void)sl_embedder_close(engine->embedder);
        engine->embedder = embedder = other;
    }
    set_target(reindex, engine->config, embedder, engine->lists);
    if (!engine->config->index.reindex && !sl_config_is_building(engine->config, &reindex->options)) {
        reindex->embedder = NULL;
        *err = *differs;
        return SL_STOP;
    }
    take_old_pipeline(engine);
    return begin(engine, err);
}

enum sl_err reindex_open_index(struct sl_engine *engine, struct sl_error *err)
{
    char fingerprint[SL_FINGERPRINT_BYTES];
    struct sl_index_options options;
    struct sl_error differs = {0};
    enum sl_err r = sl_config_open_existing(engine->config, &engine->ingest, fingerprint,
                                            &engine->embedder, &engine->index, &differs, err);

    if (r == SL_STOP && err->exit_code == SL_EXIT_NOINPUT) {
        sl_config_index_options(engine->config, &engine->ingest, fingerprint, &options);
        r = sl_index_open(&options, &engine->index, err);
    }
    if (r != SL_OK)
        return r;
    if (differs.reason[0] != '\0')
        return begin_at_start(engine, &differs, err);
    return sl_config_remember(engine->config, engine->index, err);
}

/* Asked of a running daemon: the configuration file was read again. */
static void make_target(struct sl_engine *engine)
{
    struct reindexing *reindex = &engine->reindex;
    struct sl_embedder *embedder = NULL;
    struct sl_error err = {0};
    enum sl_err r;

    if (reindex->config->embed.backend == SL_EMBED_BACKEND_HTTP)
        r = open_remote(reindex->config, &embedder, &err);
    else
        r = sl_config_embedder(reindex->config, &embedder, &err);
    if (r == SL_OK)
        r = sl_config_lists(reindex->config, &reindex->lists, &err);
    if (r != SL_OK) {
        (void)sl_embedder_close(embedder);
        give_up(engine, &err);
        return;
    }
    set_target(reindex, reindex->config, embedder, reindex->lists);
    if (sl_index_matches(engine->index, &reindex->options, NULL) == SL_OK) {
        (void)sl_fail(&err, SL_REJECT, "fingerprint", "the index is what the configuration asks for");
        reindex->embedder = sl_embedder_close(reindex->embedder);
        reindex->lists = sl_word_lists_close(reindex->lists);
        note(engine, REINDEX_IDLE, &err);
        return;
    }
    reindex->state = REINDEX_BEGINNING;
}

enum sl_err sl_engine_reindex(struct sl_engine *engine, const struct sl_config *config, bool hold,
                              struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;
    enum sl_err r = SL_OK;

    pthread_mutex_lock(&engine->mutex);
    if (engine->stopping || engine->ending)
        r = sl_fail(err, SL_AGAIN, "busy", "the daemon is stopping");
    else if (reindex->state != REINDEX_IDLE)
        r = sl_fail(err, SL_AGAIN, "busy",
                    reindex->state == REINDEX_FAILED
                        ? "a reindex failed; start the daemon again to go on with it"
                        : "a reindex is under way");
    else {
        reindex->config = config;
        reindex->hold = hold;
        reindex->state = REINDEX_WANTED;
    }
    pthread_mutex_unlock(&engine->mutex);
    return r;
}

enum sl_err sl_engine_promote(struct sl_engine *engine, bool forced, struct sl_error *err)
{
    enum reindex_state state = engine->reindex.state;

    if (state == REINDEX_IDLE || state == REINDEX_FAILED)
        return sl_fail(err, SL_REJECT, "not_found", "no generation is building");
    engine->reindex.forced = forced;
    engine->reindex.hold = false;
    return SL_OK;
}

/* ------------------------------------------------------------------------------ encoding */

static bool is_ending(struct sl_engine *engine)
{
    return engine->stopping || engine->ending;
}

static void nap(struct sl_engine *engine, uint32_t ms)
{
    for (uint32_t slept = 0; slept < ms && !is_ending(engine); slept += 20)
        engine_sleep(engine, 20);
}

/* Documents and questions go first. */
static void yield(struct sl_engine *engine)
{
    for (int waited = 0; waited < YIELD_MS && !is_ending(engine) &&
                         (sl_budget_documents(&engine->budget) > 0 || engine->questions_open > 0);
         waited += STEP_MS)
        engine_sleep(engine, STEP_MS * 2);
}

/* Until it works, is refused, or the engine stops. */
static enum sl_err encode_slice(struct sl_engine *engine, const struct sl_view *texts,
                                uint32_t count, float *vectors, struct sl_error *err)
{
    const struct sl_embedder *embedder = engine->reindex.embedder;
    enum sl_err r;

    yield(engine);
    while ((r = embedder->ops->encode(embedder, SL_EMBED_PASSAGE, texts, count, vectors, err)) ==
               SL_AGAIN &&
           !engine->ending && !(engine->stopping && engine->reindex.state != REINDEX_READY)) {
        sl_embed_tend(embedder);
        nap(engine, PAUSE_MS);
    }
    if (r == SL_OK)
        sl_metric_add_label(SL_METRIC_EMBED_TEXTS, "reindex", count);
    return r;
}

/* The next texts of the group; with the lock held, let go of while they are encoded. false: none are left. */
static bool take_slice(struct sl_engine *engine)
{
    struct reindexing *reindex = &engine->reindex;
    struct reindex_slices *slices = &reindex->slices;
    uint32_t first = slices->next, count = slices->count - first;
    struct sl_error err = {0};
    enum sl_err r;

    if (count == 0)
        return false;
    count = count < SLICE ? count : SLICE;
    slices->next += count;
    pthread_mutex_unlock(&reindex->lock);
    r = encode_slice(engine, slices->texts + first, count,
                     slices->vectors + (size_t)first * reindex->embedder->dim, &err);
    pthread_mutex_lock(&reindex->lock);
    if (r != SL_OK && slices->code == SL_OK) {
        slices->code = r;
        slices->err = err;
    }
    slices->open -= count;
    if (slices->open == 0)
        pthread_cond_broadcast(&reindex->moved);
    return true;
}

void *reindex_help(void *context)
{
    struct sl_engine *engine = context;
    struct reindexing *reindex = &engine->reindex;

    (void)setpriority(PRIO_PROCESS, 0, NICE); /* of this thread alone */
    pthread_mutex_lock(&reindex->lock);
    while (!is_ending(engine))
        if (!take_slice(engine))
            pthread_cond_wait(&reindex->moved, &reindex->lock);
    pthread_mutex_unlock(&reindex->lock);
    return NULL;
}

void reindex_end(struct sl_engine *engine)
{
    pthread_mutex_lock(&engine->reindex.lock);
    pthread_cond_broadcast(&engine->reindex.moved);
    pthread_mutex_unlock(&engine->reindex.lock);
}

static enum sl_err encode(void *context, const struct sl_view *texts, uint32_t count,
                          float *vectors, struct sl_error *err)
{
    struct sl_engine *engine = context;
    struct reindexing *reindex = &engine->reindex;
    struct reindex_slices *slices = &reindex->slices;

    pthread_mutex_lock(&reindex->lock);
    *slices = (struct reindex_slices){.texts = texts, .vectors = vectors, .count = count,
                                      .open = count};
    pthread_cond_broadcast(&reindex->moved);
    while (take_slice(engine))
        continue;
    while (slices->open > 0)
        pthread_cond_wait(&reindex->moved, &reindex->lock);
    if (slices->code != SL_OK)
        *err = slices->err;
    pthread_mutex_unlock(&reindex->lock);
    return slices->code;
}

/* ------------------------------------------------------------------------------ passes */

static bool show_progress(void *context, const struct sl_reindex_counts *counts)
{
    struct sl_engine *engine = context;
    struct reindexing *reindex = &engine->reindex;

    pthread_mutex_lock(&reindex->lock);
    reindex->counts = *counts;
    pthread_mutex_unlock(&reindex->lock);
    sl_metric_set(SL_METRIC_REINDEX_KEYS, (double)counts->keys);
    sl_metric_set(SL_METRIC_REINDEX_KEYS_TOTAL, (double)counts->keys_total);
    return reindex->state == REINDEX_READY || !is_ending(engine);
}

static void log_left_out(void *context, struct sl_view topic, struct sl_view key,
                         const struct sl_error *why)
{
    char name[256];

    (void)context;
    (void)key; /* keys are other people's: not for a log */
    snprintf(name, sizeof(name), "%.*s", SL_VIEW_ARG(topic));
    sl_log_with(SL_LOG_WARNING, "document_left_out",
                &(struct sl_log_fields){.topic = name, .reason = why->reason},
                "a document of %s cannot be in the new generation: %s", name, why->message);
}

static enum sl_err make_pass(struct sl_engine *engine, uint64_t *ret_changed, struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;
    struct sl_reindex pass = {.from = engine->index, .to = reindex->building,
                              .ingest = reindex->ingest, .context = engine, .encode = encode,
                              .progress = show_progress, .left_out = log_left_out};
    struct sl_reindex_counts counts = reindex->counts;

    return sl_reindex_pass(&pass, &counts, ret_changed, err);
}

static bool is_full(const struct sl_error *err)
{
    return strcmp(err->reason, "map_full") == 0 || strcmp(err->reason, "disk_full") == 0;
}

/* Golden questions first. Not SL_OK: it is held, or they could not be asked just now. */
static enum sl_err judge(struct sl_engine *engine, struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;
    enum sl_err r = reindex->forced ? SL_OK : goldens_judge(engine, err);

    reindex->judged = r == SL_OK;
    if (r != SL_REJECT)
        return r;
    reindex->refused = *err;
    reindex->hold = true;
    sl_log_with(SL_LOG_WARNING, "generation_held", &(struct sl_log_fields){.reason = err->reason},
                "the new generation waits for `sluicectl generation promote --force`: %s%s", err->message,
                reindex->frozen ? "; documents wait with it" : "");
    note(engine, REINDEX_HELD, err);
    r = sl_generation_hold(reindex->building, true, err);
    return r == SL_OK ? SL_REJECT : r;
}

/* In line but for a little. */
static enum sl_err move_on(struct sl_engine *engine, struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;

    if (reindex->hold && !reindex->forced) {
        note(engine, REINDEX_HELD, reindex->refused.reason[0] != '\0' ? &reindex->refused : NULL);
        nap(engine, HELD_MS);
        return SL_OK;
    }
    if (!reindex->judged) { /* then another pass: much may have come meanwhile */
        enum sl_err r = judge(engine, err);
        return r == SL_REJECT ? SL_OK : r;
    }
    nap(engine, failures * FAILED_MS);
    if (is_ending(engine))
        return SL_OK;
    note(engine, REINDEX_READY, NULL);
    reindex->restart = true;
    return SL_OK;
}

static void after_pass(struct sl_engine *engine, enum sl_err r, uint64_t changed,
                       struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;

    if (r == SL_OK && changed > LITTLE && ++reindex->passes < LAST_PASSES)
        return;
    if (r == SL_OK)
        r = move_on(engine, err);
    if (r == SL_OK)
        return;
    if (r == SL_AGAIN || sl_index_damaged(engine->index) > 0 || is_full(err)) {
        note(engine, REINDEX_BUILDING, is_ending(engine) ? NULL : err);
        nap(engine, PAUSE_MS);
    } else {
        give_up(engine, err);
    }
}

void *reindex_run(void *context)
{
    struct sl_engine *engine = context;
    struct reindexing *reindex = &engine->reindex;

    (void)setpriority(PRIO_PROCESS, 0, NICE);
    while (!is_ending(engine)) {
        struct sl_error err = {0};
        uint64_t changed = 0;

        if (reindex->state == REINDEX_WANTED)
            make_target(engine);
        else if (reindex->state == REINDEX_BUILDING || reindex->state == REINDEX_HELD)
            after_pass(engine, make_pass(engine, &changed, &err), changed, &err);
        else
            nap(engine, 100);
    }
    return NULL;
}

/* ------------------------------------------------------------------------- the indexer's */

static void drop(struct sl_engine *engine)
{
    struct reindexing *reindex = &engine->reindex;
    struct sl_generation list[SL_GENERATIONS_MAX];
    uint32_t count = 0;
    struct sl_error err = {0};
    enum sl_err r = sl_generation_list(engine->config->index.path, list, &count, &err);

    for (uint32_t i = 0; r == SL_OK && i < count; i++)
        if (list[i].number == reindex->drop && list[i].state == SL_GENERATION_BUILDING &&
            reindex->building != NULL)
            r = sl_fail(&err, SL_REJECT, "in_use", "generation %u is being filled by this daemon",
                        reindex->drop);
    if (r == SL_OK)
        r = sl_generation_drop(engine->index, reindex->drop, &err);
    reindex->drop_code = r;
    reindex->drop_error = err;
    reindex->drop = UINT32_MAX;
    reindex->dropped = true;
}

void reindex_upkeep(struct indexer *indexer)
{
    struct sl_engine *engine = indexer->engine;
    struct reindexing *reindex = &engine->reindex;
    struct sl_error err = {0};

    if (reindex->state == REINDEX_BEGINNING && begin(engine, &err) != SL_OK)
        give_up(engine, &err);
    pthread_mutex_lock(&reindex->lock);
    if (reindex->drop != UINT32_MAX) {
        drop(engine);
        pthread_cond_broadcast(&reindex->moved);
    }
    pthread_mutex_unlock(&reindex->lock);
}

enum sl_err sl_engine_drop(struct sl_engine *engine, uint32_t number, struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;
    struct timespec until;
    enum sl_err r = SL_AGAIN;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&reindex->lock);
    reindex->drop = number;
    reindex->dropped = false;
    while (!reindex->dropped &&
           pthread_cond_timedwait(&reindex->moved, &reindex->lock, &until) == 0)
        continue;
    if (reindex->dropped) {
        r = reindex->drop_code;
        *err = reindex->drop_error;
    } else {
        reindex->drop = UINT32_MAX;
        (void)sl_fail(err, SL_AGAIN, "busy", "the index is busy just now (compaction?): try again");
    }
    pthread_mutex_unlock(&reindex->lock);
    return r;
}

enum sl_err sl_engine_rollback(struct sl_engine *engine, uint32_t number, struct sl_error *err)
{
    struct sl_generation list[SL_GENERATIONS_MAX];
    uint32_t count = 0;
    enum sl_err r = sl_generation_list(engine->config->index.path, list, &count, err);

    for (uint32_t i = 0; r == SL_OK && i < count; i++)
        if (list[i].number == number && list[i].state == SL_GENERATION_RETIRED) {
            engine->reindex.rollback = (int)number;
            engine->reindex.restart = true;
            return SL_OK;
        }
    return r != SL_OK ? r
                      : sl_fail(err, SL_REJECT, "not_found",
                                "generation %u is none of the retired ones", number);
}

bool sl_engine_wants_restart(struct sl_engine *engine)
{
    return engine->reindex.restart;
}

/* ------------------------------------------------------------------------------ finishing */

static enum sl_err change_over(struct sl_engine *engine, struct sl_error *err)
{
    struct reindexing *reindex = &engine->reindex;
    uint64_t changed = 1;
    enum sl_err r = SL_OK;

    while (r == SL_OK && changed > 0)
        r = make_pass(engine, &changed, err);
    if (r == SL_OK)
        r = sl_generation_switch(engine->index, reindex->building, err);
    if (r == SL_OK)
        reindex->building = NULL;
    return r;
}

void reindex_finish(struct sl_engine *engine)
{
    struct reindexing *reindex = &engine->reindex;
    struct sl_error err = {0};
    enum sl_err r = SL_OK;

    if (!reindex->restart || sl_engine_failed(engine, &err))
        return;
    if (reindex->rollback >= 0)
        r = sl_generation_rollback(engine->index, (uint32_t)reindex->rollback, &err);
    else if (reindex->state == REINDEX_READY)
        r = change_over(engine, &err);
    if (r != SL_OK) {
        failures++;
        sl_log_error(SL_LOG_ERROR, "reindex_failed", &err);
        return;
    }
    failures = 0;
    sl_metric_add(SL_METRIC_GENERATION_SWITCHES, 1);
    sl_log(SL_LOG_NOTICE, "generation_switched",
           reindex->rollback >= 0
               ? "a retired generation is in use again; topics are read again from its positions"
               : "the new generation is in use: %llu documents made anew, %llu texts embedded, "
                 "%llu vectors kept, %llu documents left out",
           (unsigned long long)reindex->counts.documents, (unsigned long long)reindex->counts.texts,
           (unsigned long long)reindex->counts.kept, (unsigned long long)reindex->counts.left_out);
}

/* ---------------------------------------------------------------------------------- status */

void reindex_json(struct sl_engine *engine, struct sl_buffer *out)
{
    static const char *const states[] = {"idle", "wanted", "beginning", "building", "held",
                                         "ready", "failed"};
    struct reindexing *reindex = &engine->reindex;
    struct sl_reindex_counts counts;
    char error[sizeof(reindex->error)];
    char pipeline[SL_PIPELINE_BYTES] = "";
    enum reindex_state state = reindex->state;

    pthread_mutex_lock(&reindex->lock);
    counts = reindex->counts;
    memcpy(error, reindex->error, sizeof(error));
    pthread_mutex_unlock(&reindex->lock);
    if (state >= REINDEX_BUILDING)
        sl_ingest_pipeline(reindex->fingerprint, pipeline);
    sl_buffer_format(out,
                     "{\"state\": \"%s\", \"pipeline\": \"%s\", \"documents_wait\": %s, \"keys\": %llu, "
                     "\"keys_total\": %llu, \"documents\": %llu, \"left_out\": %llu, "
                     "\"texts_embedded\": %llu, \"vectors_kept\": %llu, \"error\": ",
                     states[state], pipeline, reindex->frozen ? "true" : "false",
                     (unsigned long long)counts.keys, (unsigned long long)counts.keys_total,
                     (unsigned long long)counts.documents, (unsigned long long)counts.left_out,
                     (unsigned long long)counts.texts, (unsigned long long)counts.kept);
    sl_json_string(out, sl_view_of(error));
    sl_buffer_view(out, SL_VIEW("}"));
}
