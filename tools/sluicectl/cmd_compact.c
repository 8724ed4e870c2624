/*
 * cmd_compact.c -- `sluicectl compact`: the index written anew, without what was deleted.
 *
 * A running daemon is asked to do it over its control socket, and watched until it is done; without one the
 * index is opened here, as its only writer.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sluice/decode.h>
#include <sluice/json.h>

#include "control_client.h"
#include "ctl.h"
#include "rewritten.h"

#define LOOK_MS 100

static bool is_idle(const cJSON *compaction)
{
    struct sl_view state = ctl_json_text(compaction, "state");

    return state.data == NULL || sl_view_is(state, "idle");
}

static int show_end(struct ctl *ctl, const cJSON *compaction)
{
    struct sl_view error = ctl_json_text(compaction, "error");
    struct sl_rewritten rewritten = {
        .before_bytes = (uint64_t)ctl_json_number(compaction, "before_bytes"),
        .after_bytes = (uint64_t)ctl_json_number(compaction, "after_bytes"),
        .slots_dropped = (uint64_t)ctl_json_number(compaction, "slots_dropped")};

    if (error.size > 0)
        return ctl_fail(ctl, SL_EXIT_IO, "the daemon could not: %.*s", SL_VIEW_ARG(error));
    return ctl_rewritten_print(ctl, &rewritten, ctl_json_number(compaction, "seconds"));
}

/* Look at the status until it is over. */
static int watch(struct ctl *ctl)
{
    const struct timespec wait = {.tv_nsec = LOOK_MS * 1000000L};
    struct ctl_progress progress;
    struct sl_error err = {0};

    ctl_progress_begin(&progress, ctl, "compacting", "bytes");
    for (;;) {
        cJSON *status = ctl_control_json(ctl, "status", &err);
        const cJSON *compaction = cJSON_GetObjectItemCaseSensitive(status, "compaction");
        double done = ctl_json_number(compaction, "done_bytes"), total = ctl_json_number(compaction, "total_bytes");
        int exit_code;

        if (status != NULL && !is_idle(compaction)) {
            ctl_progress_move(&progress, (uint64_t)done, total > 0 ? done / total : -1);
            cJSON_Delete(status);
            (void)nanosleep(&wait, NULL);
            continue;
        }
        ctl_progress_end(&progress);
        exit_code = status == NULL ? ctl_fail_error(ctl, &err, SL_EXIT_UNAVAILABLE)
                                   : show_end(ctl, compaction);
        cJSON_Delete(status);
        return exit_code;
    }
}

static int compact_here(struct ctl *ctl)
{
    struct ctl_opened opened;
    struct ctl_progress progress;
    struct sl_rewritten rewritten;
    struct sl_error err = {0};
    double started = ctl_seconds();
    int exit_code = ctl_open(ctl, CTL_ACCESS_UPKEEP, false, &opened);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    ctl_progress_begin(&progress, ctl, "compacting", "bytes");
    if (sl_index_compact(opened.index, ctl_rewrite_progress, &progress, &rewritten, &err) != SL_OK)
        exit_code = SL_EXIT_IO;
    ctl_progress_end(&progress);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_rewritten_print(ctl, &rewritten, ctl_seconds() - started);
    else
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_IO);
    ctl_close(&opened);
    return exit_code;
}

int cmd_compact(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = {
        "compact",
        "Write the index anew, beside itself, without what was deleted, and use that from then on. A running "
        "daemon\ndoes it while it answers questions; documents wait. Needs as much disk again as is in use.\n"
        "Exit: 66 there is no index, 74 no room or a disk error, 75 one is under way.",
        NULL,
        0,
        0,
        0};
    struct ctl_list args = {0};
    struct sl_error err = {0};
    cJSON *answer;
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &args, &exit_code))
        return exit_code;
    answer = ctl_control_json(ctl, "compact", &err);
    if (answer == NULL)
        return strcmp(err.reason, "unavailable") == 0 ? compact_here(ctl)
                                                      : ctl_fail_error(ctl, &err, SL_EXIT_UNAVAILABLE);
    if (ctl_json_text(answer, "error").data != NULL)
        exit_code = ctl_fail(ctl, SL_EXIT_TEMPORARY, "the daemon says: %.*s",
                             SL_VIEW_ARG(ctl_json_text(answer, "error")));
    else
        exit_code = watch(ctl);
    cJSON_Delete(answer);
    return exit_code;
}
