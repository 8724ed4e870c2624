/*
 * cmd_verify.c -- `sluicectl verify`: every record of the index checked; each fault on a line of
 * its own.
 */
#include <stdio.h>

#include <sluice/json.h>

#include "ctl.h"

#define FAULTS_LISTED 1000u

struct listing {
    bool json;
    uint64_t count;
    struct sl_buffer out;
};

static void add_fault(void *context, const char *line)
{
    struct listing *listing = context;

    if (!listing->json) {
        printf("%s\n", line);
        return;
    }
    if (listing->count++ >= FAULTS_LISTED)
        return;
    if (listing->out.size > 0)
        sl_buffer_format(&listing->out, ", ");
    sl_json_string(&listing->out, sl_view_of(line));
}

static int print_result(const struct ctl *ctl, struct listing *listing, uint64_t fault_count,
                        double seconds)
{
    struct sl_buffer out = {0};

    if (ctl->json) {
        sl_buffer_format(&out, "{\"faults\": %llu, \"lines\": [", (unsigned long long)fault_count);
        sl_buffer_add(&out, listing->out.data, listing->out.size);
        sl_buffer_format(&out, "], \"seconds\": %.3f}\n", seconds);
    } else if (fault_count == 0) {
        sl_buffer_format(&out, "no fault found\n");
    } else {
        sl_buffer_format(&out, "%llu faults\n", (unsigned long long)fault_count);
    }
    return ctl_print(ctl, &out);
}

int cmd_verify(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = {
        "verify",
        "Check every record: checksums, graph and reachability, postings, positions. Reads one "
        "snapshot, also\n"
        "beside a running daemon.\nExit: 0 nothing is wrong, 65 with what is.",
        NULL,
        0,
        0,
        0};
    struct ctl_list args = {0};
    struct ctl_opened opened;
    struct listing listing = {0};
    struct sl_error err = {0};
    uint64_t fault_count = 0;
    double started = ctl_seconds();
    int exit_code;

    if (!ctl_begin_reading(ctl, argc, argv, &usage, &args, &opened, &exit_code))
        return exit_code;
    listing.json = ctl->json;
    if (sl_index_verify(opened.index, add_fault, &listing, &fault_count, &err) != SL_OK)
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_DATA);
    else
        exit_code = print_result(ctl, &listing, fault_count, ctl_seconds() - started);
    sl_buffer_fini(&listing.out);
    ctl_close(&opened);
    return exit_code == SL_EXIT_OK && fault_count > 0 ? SL_EXIT_DATA : exit_code;
}
