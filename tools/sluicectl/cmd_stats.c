/*
 * cmd_stats.c -- `sluicectl stats`: figures of the index, read beside whoever writes it.
 */
#include <stdio.h>

#include <sluice/json.h>

#include "ctl.h"

struct printing {
    bool json;
    struct sl_buffer out;
    uint64_t positions;
};

static void figure(struct printing *printing, const char *name, uint64_t value)
{
    if (printing->json) {
        sl_json_name(&printing->out, name);
        sl_buffer_format(&printing->out, "%llu", (unsigned long long)value);
    } else {
        sl_buffer_format(&printing->out, "%-16s %llu\n", name, (unsigned long long)value);
    }
}

static void word(struct printing *printing, const char *name, const char *value)
{
    if (printing->json) {
        sl_json_name(&printing->out, name);
        sl_json_string(&printing->out, sl_view_of(value));
    } else {
        sl_buffer_format(&printing->out, "%-16s %s\n", name, value);
    }
}

static void print_figures(struct printing *printing, const struct sl_index_stats *stats)
{
    figure(printing, "documents", stats->documents);
    figure(printing, "copies", stats->copies);
    figure(printing, "tombstones", stats->tombstones);
    figure(printing, "quarantined", stats->quarantined);
    figure(printing, "chunks", stats->chunks);
    figure(printing, "vectors_live", stats->vectors_live);
    figure(printing, "vectors_dead", stats->vectors_dead);
    figure(printing, "unreachable", stats->unreachable);
    figure(printing, "terms_total", stats->terms_total);
    figure(printing, "outbox", stats->outbox);
    figure(printing, "replies", stats->replies);
    figure(printing, "disk_bytes", stats->disk_bytes);
    figure(printing, "used_bytes", stats->used_bytes);
    figure(printing, "map_bytes", stats->map_bytes);
    figure(printing, "free_pages", stats->free_pages);
    figure(printing, "readers", stats->readers);
    figure(printing, "dim", stats->dim);
    figure(printing, "m", stats->m);
    figure(printing, "level_max", stats->level_max);
    figure(printing, "format", stats->format);
    figure(printing, "sequence", stats->sequence);
}

static bool print_position(void *context, struct sl_view topic, int32_t partition,
                           const struct sl_position *position)
{
    struct printing *printing = context;
    uint64_t ahead = 0;

    for (uint32_t i = 0; i < position->completed_count; i++)
        ahead += (uint64_t)(position->completed[i].last - position->completed[i].first + 1);
    if (!printing->json) {
        sl_buffer_format(&printing->out, "position         %.*s/%d next %lld", SL_VIEW_ARG(topic),
                         partition, (long long)position->next_offset);
        if (ahead > 0)
            sl_buffer_format(&printing->out, ", %llu done beyond it", (unsigned long long)ahead);
        sl_buffer_format(&printing->out, "\n");
        return true;
    }
    sl_buffer_format(&printing->out, "%s{\"topic\": ", printing->positions++ > 0 ? ", " : "");
    sl_json_string(&printing->out, topic);
    sl_buffer_format(&printing->out,
                     ", \"partition\": %d, \"next_offset\": %lld, \"completed_beyond\": %llu, "
                     "\"wall_ms\": %lld}",
                     partition, (long long)position->next_offset, (unsigned long long)ahead,
                     (long long)position->wall_ms);
    return true;
}

static enum sl_err print_all(struct printing *printing, const struct ctl *ctl,
                             struct sl_index *index, struct sl_arena *arena, struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    struct sl_index_stats stats;
    enum sl_err code = sl_snapshot_open(index, &snapshot, err);

    if (code == SL_OK)
        code = sl_snapshot_stats(snapshot, &stats, err);
    if (code != SL_OK)
        return code;
    if (printing->json)
        sl_buffer_format(&printing->out, "{");
    word(printing, "path", ctl->config->index.path);
    word(printing, "model",
         ctl->config->embed.backend == SL_EMBED_BACKEND_NONE ? "none" : ctl->config->embed.model);
    word(printing, "fingerprint", sl_index_fingerprint(index));
    print_figures(printing, &stats);
    if (printing->json) {
        sl_json_name(&printing->out, "positions");
        sl_buffer_format(&printing->out, "[");
    }
    code = sl_snapshot_positions(snapshot, arena, print_position, printing, err);
    if (printing->json)
        sl_buffer_format(&printing->out, "]}\n");
    return code;
}

int cmd_stats(struct ctl *ctl, int argc, char **argv)
{
    const struct ctl_usage usage = {"stats",
                                    "Print the figures of the index, also beside a running "
                                    "daemon.\nExit: 66 there is no index.",
                                    NULL,
                                    0,
                                    0,
                                    0};
    struct ctl_list args = {0};
    struct ctl_opened opened;
    struct printing printing = {0};
    struct sl_arena *arena;
    struct sl_error err = {0};
    int exit_code;

    if (!ctl_begin_reading(ctl, argc, argv, &usage, &args, &opened, &exit_code))
        return exit_code;
    printing.json = ctl->json;
    arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    if (arena == NULL) {
        exit_code = ctl_fail(ctl, SL_EXIT_OS, "no memory for the positions");
    } else if (print_all(&printing, ctl, opened.index, arena, &err) != SL_OK) {
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_IO);
        sl_buffer_fini(&printing.out);
    } else {
        exit_code = ctl_print(ctl, &printing.out);
    }
    sl_arena_close(arena);
    ctl_close(&opened);
    return exit_code;
}
