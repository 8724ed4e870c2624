/*
 * cmd_reindex.c -- `sluicectl reindex`: the index made anew for the configured model and settings, from the stored
 * texts.
 *
 * A running daemon does it in the background, and is watched with --wait; without one it is done here, as the
 * index's only writer. Interrupted, either goes on where it was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/decode.h>
#include <sluice/goldens.h>
#include <sluice/json.h>
#include <sluice/reindex.h>

#include "control_client.h"
#include "ctl.h"
#include "reindexing.h"

#define LOOK_MS   200
#define BATCH     16u
#define TRIES_MAX 5

#define GOLDENS_BYTES_MAX (16u << 20)

struct here {
    struct ctl *ctl;
    bool hold, forced;
    struct ctl_progress bar;
    const struct sl_embedder *embedder;
    const volatile sig_atomic_t *stop; /* NULL: never */
};

/* ------------------------------------------------------------------------------ encoding */

struct encoding {
    const struct sl_embedder *embedder;
    const struct sl_view *texts;
    uint32_t count;
    float *vectors;
    enum sl_err *codes; /* [batches] */
    struct sl_error *errs;
};

static void encode_batch(void *context, uint32_t thread, uint32_t i)
{
    const struct timespec wait = {.tv_sec = 1};
    struct encoding *encoding = context;
    uint32_t first = i * BATCH;
    uint32_t left = encoding->count - first;
    int tries = 0;

    (void)thread;
    do {
        if (tries > 0)
            (void)nanosleep(&wait, NULL);
        encoding->codes[i] = encoding->embedder->ops->encode(
            encoding->embedder, SL_EMBED_PASSAGE, encoding->texts + first,
            left < BATCH ? left : BATCH, encoding->vectors + (size_t)first * encoding->embedder->dim,
            &encoding->errs[i]);
    } while (encoding->codes[i] == SL_AGAIN && ++tries < TRIES_MAX);
}

static enum sl_err encode(void *context, const struct sl_view *texts, uint32_t count,
                          float *vectors, struct sl_error *err)
{
    struct here *here = context;
    uint32_t batches = (count + BATCH - 1) / BATCH;
    struct encoding encoding = {.embedder = here->embedder, .texts = texts, .count = count,
                                .vectors = vectors,
                                .codes = calloc(batches, sizeof(*encoding.codes)),
                                .errs = calloc(batches, sizeof(*encoding.errs))};
    enum sl_err r = SL_OK;

    SL_INVARIANT(encoding.codes != NULL && encoding.errs != NULL);
    ctl_parallel(ctl_threads(here->ctl->config), batches, encode_batch, &encoding);
    for (uint32_t i = 0; r == SL_OK && i < batches; i++)
        if (encoding.codes[i] != SL_OK) {
            r = encoding.codes[i];
            *err = encoding.errs[i];
        }
    free(encoding.codes);
    free(encoding.errs);
    return r;
}

/* ---------------------------------------------------------------------------------- here */

static bool progress(void *context, const struct sl_reindex_counts *counts)
{
    struct here *here = context;
    double total = (double)counts->keys_total;
    double fraction = total > 0 ? (double)counts->keys / total : -1;

    ctl_progress_move(&here->bar, counts->keys, fraction < 1 ? fraction : 1);
    return here->stop == NULL || *here->stop == 0;
}

static void left_out(void *context, struct sl_view topic, struct sl_view key,
                     const struct sl_error *why)
{
    struct sl_buffer line = {0};

    (void)context;
    sl_buffer_format(&line, "left out: %.*s/", SL_VIEW_ARG(topic));
    ctl_show(&line, key, false);
    sl_buffer_format(&line, ": %s\n", why->message);
    if (!line.failed)
        fwrite(line.data, 1, line.size, stderr);
    sl_buffer_fini(&line);
}

static enum sl_err run_passes(struct here *here, struct sl_index *index, struct sl_index *building,
                              const struct sl_ingest_options *ingest,
                              struct sl_reindex_counts *counts, struct sl_error *err)
{
    struct sl_reindex reindex = {.from = index, .to = building, .ingest = *ingest, .context = here,
                                 .encode = encode, .progress = progress, .left_out = left_out};
    uint64_t changed = 1;
    enum sl_err r = SL_OK;

    ctl_progress_begin(&here->bar, here->ctl, "reindexing", "documents");
    while (r == SL_OK && changed > 0)
        r = sl_reindex_pass(&reindex, counts, &changed, err);
    ctl_progress_end(&here->bar);
    return r;
}

enum sl_err ctl_reindex_into(struct ctl *ctl, const struct sl_ingest_options *ingest,
                             struct sl_index *from, struct sl_index *to,
                             const volatile sig_atomic_t *stop, struct sl_error *err)
{
    struct here here = {.ctl = ctl, .embedder = ingest->embedder, .stop = stop};
    struct sl_reindex_counts counts = {0};

    return run_passes(&here, from, to, ingest, &counts, err);
}

static int print(const struct ctl *ctl, const struct sl_reindex_counts *counts, const char *state,
                 const char *fingerprint, double seconds)
{
    char pipeline[SL_PIPELINE_BYTES];
    struct sl_buffer out = {0};

    sl_ingest_pipeline(fingerprint, pipeline);
    sl_buffer_format(&out,
                     ctl->json ? "{\"state\": \"%s\", \"pipeline\": \"%s\", \"documents\": %llu, "
                                 "\"left_out\": %llu, \"texts_embedded\": %llu, "
                                 "\"vectors_kept\": %llu, \"seconds\": %.3f}\n"
                               : "%s: pipeline %s; %llu documents made anew, %llu left out, %llu texts "
                                 "embedded, %llu vectors kept, %.1f s\n",
                     state, pipeline, (unsigned long long)counts->documents,
                     (unsigned long long)counts->left_out, (unsigned long long)counts->texts,
                     (unsigned long long)counts->kept, seconds);
    return ctl_print(ctl, &out);
}

/* As the daemon does: golden questions, of the old generation with its own encoder where that can be had. */
static enum sl_err judge(const struct here *here, struct sl_index *index, struct sl_index *building,
                         const struct sl_ingest_options *ingest, struct sl_error *err)
{
    const struct sl_config *config = here->ctl->config;
    struct sl_goldens_gate gate = {.clock = &ctl_clock, .drop_max = config->golden.drop_max};
    SL_CLEANUP(sl_synonyms_closep) struct sl_synonyms *synonyms = NULL, *theirs = NULL;
    const struct sl_word_lists *lists = sl_ingest_lists_for(sl_index_fingerprint(index), ingest->lists);
    struct sl_retrieve_options options, before;
    struct sl_config_heads heads = {0};
    struct sl_embedder *embedder = NULL;
    struct sl_buffer content = {0};
    enum sl_err r;

    if (config->golden.file[0] == '\0' || here->forced)
        return SL_OK;
    r = ctl_read_file(config->golden.file, GOLDENS_BYTES_MAX, &content, err);
    if (r == SL_OK)
        r = sl_config_synonyms(config, ingest->lists, &synonyms, err);
    if (r == SL_OK)
        r = sl_config_synonyms(config, lists, &theirs, err);
    if (r == SL_OK)
        r = sl_config_heads_open(config, NULL, NULL, &heads, err);
    if (r == SL_OK) {
        ctl_retrieve_options(config, SL_MODE_DEFAULT, 0, 0, &options);
        options.lists = ingest->lists;
        options.synonyms = synonyms;
        options.reranker = heads.reranker;
        before = options;
        before.lists = lists;
        before.synonyms = theirs;
        embedder = sl_config_embedder_of(config, index);
        r = sl_goldens_judge((struct sl_view){content.data != NULL ? content.data : "", content.size},
                             &gate, &(struct sl_goldens_side){index, &before, embedder},
                             &(struct sl_goldens_side){building, &options, here->embedder}, err);
    }
    (void)sl_embedder_close(embedder);
    sl_config_heads_close(&heads);
    sl_buffer_fini(&content);
    return r;
}

/* Where golden questions find less, or are wrong, it is held. */
static enum sl_err change_over(const struct here *here, struct sl_index *index,
                               struct sl_index *building, const struct sl_ingest_options *ingest,
                               struct sl_error *err)
{
    enum sl_err r = judge(here, index, building, ingest, err);

    if (r == SL_OK)
        return sl_generation_switch(index, building, err);
    if (r != SL_REJECT)
        return r;
    err->exit_code = SL_EXIT_DATA;
    return sl_generation_hold(building, true, NULL) == SL_OK ? r : SL_STOP;
}

/* The new generation beside the one that is there: begun or gone on with, filled, and put in its place. */
static enum sl_err reindex_index(struct here *here, struct sl_index *index,
                                 const struct sl_index_options *options,
                                 const struct sl_ingest_options *ingest,
                                 struct sl_reindex_counts *counts, struct sl_error *err)
{
    struct sl_index *building = NULL;
    uint64_t room = 0;
    bool resumed;
    enum sl_err r = sl_reindex_room(index, &room, err);

    if (r == SL_OK)
        r = sl_generation_begin(index, options, room, &building, &resumed, err);
    if (r == SL_OK)
        r = sl_config_remember(here->ctl->config, building, err);
    if (r == SL_OK)
        r = sl_generation_hold(building, here->hold, err);
    if (r == SL_OK)
        r = run_passes(here, index, building, ingest, counts, err);
    if (r == SL_OK && !here->hold)
        r = change_over(here, index, building, ingest, err);
    if (r != SL_OK || here->hold)
        sl_index_close(building);
    return r;
}

int ctl_reindex_here(struct ctl *ctl, bool hold, bool forced)
{
    struct ctl_opened opened = {0};
    struct sl_index_options options;
    struct sl_reindex_counts counts = {0};
    struct here here = {.ctl = ctl, .hold = hold, .forced = forced};
    struct sl_error err = {0}, differs = {0};
    double started = ctl_seconds();
    int exit_code = ctl_embedder(ctl, &opened.embedder);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    sl_config_ingest(ctl->config, opened.embedder, &opened.ingest);
    if (sl_config_lists(ctl->config, &opened.lists, &err) != SL_OK) {
        ctl_close(&opened);
        return ctl_fail_error(ctl, &err, SL_EXIT_CONFIG);
    }
    opened.ingest.lists = opened.lists;
    if (sl_config_open_existing(ctl->config, &opened.ingest, opened.fingerprint, &opened.embedder,
                                &opened.index, &differs, &err) != SL_OK) {
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_IO);
    } else if (differs.reason[0] == '\0') {
        exit_code = print(ctl, &counts, "nothing to do", opened.fingerprint, 0);
    } else {
        here.embedder = opened.embedder;
        sl_config_index_options(ctl->config, &opened.ingest, opened.fingerprint, &options);
        if (reindex_index(&here, opened.index, &options, &opened.ingest, &counts, &err) != SL_OK)
            exit_code = ctl_fail_error(ctl, &err, SL_EXIT_IO);
        else
            exit_code = print(ctl, &counts, hold ? "held" : "done", opened.fingerprint,
                              ctl_seconds() - started);
    }
    ctl_close(&opened);
    return exit_code;
}

/* -------------------------------------------------------------------------- beside a daemon */

static int print_state(struct ctl *ctl, const cJSON *reindex)
{
    struct sl_view error = ctl_json_text(reindex, "error"), state = ctl_json_text(reindex, "state");
    struct sl_buffer out = {0};

    if (error.size > 0 && sl_view_is(state, "held"))
        return ctl_fail(ctl, SL_EXIT_DATA, "the new generation is held: %.*s", SL_VIEW_ARG(error));
    if (error.size > 0)
        return ctl_fail(ctl, SL_EXIT_TEMPORARY, "the daemon could not: %.*s", SL_VIEW_ARG(error));
    if (ctl->json)
        sl_buffer_format(&out, "{\"state\": \"%.*s\"}\n", SL_VIEW_ARG(state));
    else
        sl_buffer_format(&out, "%.*s\n", SL_VIEW_ARG(state));
    return ctl_print(ctl, &out);
}

/* A moment without a daemon is part of it: when it changes over it begins anew. */
static int watch(struct ctl *ctl)
{
    const struct timespec wait = {.tv_nsec = LOOK_MS * 1000000L};
    struct ctl_progress bar;
    struct sl_error err = {0};
    int absent = 0;

    ctl_progress_begin(&bar, ctl, "reindexing", "documents");
    for (;;) {
        cJSON *status = ctl_control_json(ctl, "status", &err);
        const cJSON *reindex = cJSON_GetObjectItemCaseSensitive(status, "reindex");
        struct sl_view state = ctl_json_text(reindex, "state");
        double done = ctl_json_number(reindex, "keys"), total = ctl_json_number(reindex, "keys_total");
        bool waits = sl_view_is(state, "idle") || sl_view_is(state, "held") ||
                     sl_view_is(state, "failed");

        absent = status != NULL ? 0 : absent + 1;
        if (absent < 100 && !waits) {
            ctl_progress_move(&bar, (uint64_t)done, total > 0 ? done / total : -1);
            cJSON_Delete(status);
            (void)nanosleep(&wait, NULL);
            continue;
        }
        ctl_progress_end(&bar);
        int exit_code = status == NULL ? ctl_fail_error(ctl, &err, SL_EXIT_UNAVAILABLE)
                                       : print_state(ctl, reindex);
        cJSON_Delete(status);
        return exit_code;
    }
}

int ctl_ask_daemon(struct ctl *ctl, const char *request, bool *ret_absent)
{
    struct sl_error err = {0};
    cJSON *answer = ctl_control_json(ctl, request, &err);
    int exit_code = SL_EXIT_OK;

    *ret_absent = answer == NULL && strcmp(err.reason, "unavailable") == 0;
    if (*ret_absent)
        return SL_EXIT_OK;
    if (answer == NULL)
        return ctl_fail_error(ctl, &err, SL_EXIT_UNAVAILABLE);
    if (ctl_json_text(answer, "error").data != NULL)
        exit_code = ctl_fail(ctl, SL_EXIT_TEMPORARY, "the daemon says: %.*s",
                             SL_VIEW_ARG(ctl_json_text(answer, "error")));
    cJSON_Delete(answer);
    return exit_code;
}

int cmd_reindex(struct ctl *ctl, int argc, char **argv)
{
    bool wait = false, hold = false, absent;
    const struct ctl_option options[] = {
        {"wait", CTL_FLAG, &wait, NULL, "until a running daemon is done with it", 0, 0},
        {"hold", CTL_FLAG, &hold, NULL,
         "keep the new generation in line, but change over by `generation promote` only", 0, 0},
    };
    const struct ctl_usage usage = {
        "reindex [--wait] [--hold]",
        "Make the index anew, from the texts it holds, for the model and settings the configuration file names "
        "now.\nThe old generation answers meanwhile, and is kept: see `sluicectl generation`. A running daemon does "
        "it in\nthe background; stopped and started, it goes on. Vectors of unchanged texts are kept when the model "
        "is.\nWith [golden] file set, one in which golden questions find less is held; `generation promote --force` overrides.\n"
        "Exit: 65 it is held, 66 there is no index, 74 no room or a disk error, 75 the daemon refuses or could not.",
        options, CTL_OPTION_COUNT(options), 0, 0};
    struct ctl_list args = {0};
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &args, &exit_code))
        return exit_code;
    exit_code = ctl_ask_daemon(ctl, hold ? "reindex hold" : "reindex", &absent);
    if (absent)
        return ctl_reindex_here(ctl, hold, false);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    return wait ? watch(ctl) : SL_EXIT_OK;
}
