/*
 * tool_disk_work.c -- an index at work, to be run with disk_shim.c preloaded: a history from where the directory
 * stands to its end, compacted in the middle.
 *
 * Each batch that is acknowledged is said on standard output and marked. No room is tried again, as the daemon
 * does; after any other failure it ends with the exit code the error asks for. DISK_WORK names the directory.
 */
#include <unistd.h>

#include "disk_work.h"
#include "test.h"

#define TRIES 3

static bool is_full(const struct sl_error *err)
{
    return strcmp(err->reason, "disk_full") == 0 || strcmp(err->reason, "map_full") == 0;
}

static int give_up(const struct sl_error *err)
{
    printf("failed %s: %s\n", err->reason, err->message);
    return err->exit_code;
}

static void acknowledge(int64_t done)
{
    char mark[64];

    snprintf(mark, sizeof mark, "/MARK/%lld", (long long)done);
    (void)access(mark, F_OK);
    printf("acked %lld\n", (long long)done);
    (void)fflush(stdout);
}

static enum sl_err apply(struct sl_index *index, int64_t first, struct sl_error *err)
{
    enum sl_err rc = SL_STOP;

    for (int i = 0; rc != SL_OK && i < TRIES; i++) {
        rc = history_apply(&work_history, index, first, err);
        if (rc != SL_OK && !is_full(err))
            break;
    }
    return rc;
}

static int work(const char *path)
{
    struct sl_index_options options = {
        .path = path, .map_size_bytes = 1u << 28, .dim = WORK_DIM};
    struct sl_index *index = NULL;
    struct sl_error err = {0};
    int64_t next = 0;

    if (sl_index_open(&options, &index, &err) != SL_OK ||
        history_next(index, &next, &err) != SL_OK)
        return give_up(&err);
    while (next < work_history.records) {
        if (next == work_history.records / 2 &&
            sl_index_compact(index, NULL, NULL, NULL, &err) == SL_STOP && !is_full(&err))
            return give_up(&err);
        if (apply(index, next, &err) != SL_OK)
            return give_up(&err);
        next += work_history.batch;
        acknowledge(next);
    }
    sl_index_close(index);
    return 0;
}

TEST(work_on_the_directory)
{
    const char *path = getenv("DISK_WORK");

    exit(path != NULL ? work(path) : SL_EXIT_USAGE);
}
