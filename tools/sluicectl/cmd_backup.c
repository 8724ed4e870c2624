/*
 * cmd_backup.c -- `sluicectl backup DIR`: a whole, compacted, checked copy of the index, beside a running
 * daemon too.
 */
#include "ctl.h"
#include "rewritten.h"

int cmd_backup(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = {
        "backup DIR",
        "Copy the index to DIR, which must be empty or absent: the last committed state, whole, also while a "
        "daemon\nwrites. Every checksum is compared on the way. A daemon started on the copy goes on from its "
        "positions.\nExit: 64 DIR is not empty, 65 the index is damaged, 66 there is none, 74 no room or a "
        "disk error.",
        NULL,
        0,
        1,
        1};
    struct ctl_list args = {0};
    struct ctl_opened opened;
    struct ctl_progress progress;
    struct sl_rewritten rewritten;
    struct sl_error err = {0};
    double started = ctl_seconds();
    enum sl_err r;
    int exit_code;

    if (!ctl_begin_reading(ctl, argc, argv, &usage, &args, &opened, &exit_code))
        return exit_code;
    ctl_progress_begin(&progress, ctl, "copying", "bytes");
    r = sl_index_backup(opened.index, args.items[0], ctl_rewrite_progress, &progress, &rewritten,
                        &err);
    ctl_progress_end(&progress);
    exit_code = r == SL_OK ? ctl_rewritten_print(ctl, &rewritten, ctl_seconds() - started)
                           : ctl_fail_error(ctl, &err, SL_EXIT_IO);
    ctl_close(&opened);
    return exit_code;
}
