/*
 * trial.c -- how would the same documents be found, were they cut otherwise?
 *
 * Only an index that is cut that way can tell. It is made in a directory of its own from the texts the index stores,
 * by the way `reindex` takes, and is gone afterwards, also when a signal ends it. Rejected: a generation beside the
 * index's own, for which `tune` would have to be its only writer. Known weakness: SIGKILL leaves the directory.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reindexing.h"
#include "trial.h"

#define SIGNALS 3

static const int signals[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
static struct sigaction before[SIGNALS];
static volatile sig_atomic_t stopped;

static void stop(int number)
{
    stopped = number;
}

bool ctl_trial_stopped(void)
{
    return stopped != 0;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};

    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &action, &before[i]);
}

static void release_signals(void)
{
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
}

struct sl_chunk_options ctl_trial_chunk(const struct sl_chunk_options *chunk, uint32_t words)
{
    struct sl_chunk_options other = *chunk;

    other.words = words;
    other.overlap_words = (uint32_t)((uint64_t)chunk->overlap_words * words / chunk->words);
    return other;
}

static int make_directory(const struct ctl *ctl, const char *work, struct ctl_trial *trial)
{
    const char *index = ctl->config->index.path;
    size_t size = strlen(index);
    struct sl_buffer path = {0};

    while (size > 1 && index[size - 1] == '/')
        size--;
    if (work != NULL)
        sl_buffer_format(&path, "%s/tune-XXXXXX", work);
    else
        sl_buffer_format(&path, "%.*s.tune-XXXXXX", (int)size, index);
    if (path.failed || mkdtemp(path.data) == NULL) {
        int exit_code =
            ctl_fail(ctl, SL_EXIT_IO, "no directory %s for an index to try: %s; --work DIR names another place",
                     path.failed ? "" : path.data, strerror(errno));
        sl_buffer_fini(&path);
        return exit_code;
    }
    trial->path = path.data;
    return SL_EXIT_OK;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

int ctl_trial_open(struct ctl *ctl, const struct ctl_opened *of, const char *work, uint32_t words,
                   struct ctl_trial *ret_trial)
{
    struct sl_index_options options;
    struct sl_error err = {0};
    enum sl_err code;
    int exit_code;

    *ret_trial = (struct ctl_trial){.opened = *of};
    ret_trial->opened.index = NULL;
    ret_trial->opened.ingest.chunk = ctl_trial_chunk(&of->ingest.chunk, words);
    catch_signals();
    exit_code = make_directory(ctl, work, ret_trial);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    sl_config_index_options(ctl->config, &ret_trial->opened.ingest, ret_trial->opened.fingerprint,
                            &options);
    options.path = ret_trial->path;
    code = sl_index_open(&options, &ret_trial->opened.index, &err);
    if (code == SL_OK)
        code = ctl_reindex_into(ctl, &ret_trial->opened.ingest, of->index, ret_trial->opened.index,
                                &stopped, &err);
    if (ctl_trial_stopped())
        return ctl_fail(ctl, SL_EXIT_TEMPORARY, "stopped by signal %d", (int)stopped);
    return code == SL_OK ? SL_EXIT_OK : ctl_fail_error(ctl, &err, SL_EXIT_IO);
}

void ctl_trial_close(struct ctl_trial *trial)
{
    sl_index_close(trial->opened.index);
    if (trial->path != NULL)
        nftw(trial->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(trial->path);
    *trial = (struct ctl_trial){0};
    release_signals();
}
