/*
 * cmd_generation.c -- `sluicectl generation`: which generations of the index there are; promote one, go back to one,
 * drop one.
 *
 * Listing opens each read only, also beside a daemon. What changes something is asked of a running daemon, which alone
 * may write; without one it is done here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/json.h>

#include "ctl.h"
#include "reindexing.h"

/* ---------------------------------------------------------------------------------- list */

static enum sl_err look(struct ctl *ctl, const struct sl_generation *generation,
                        struct sl_index_stats *ret_stats, char *ret_fingerprint,
                        struct sl_error *err)
{
    struct sl_index_options options = {.path = ctl->config->index.path,
                                       .map_size_bytes = ctl->config->index.map_size_max,
                                       .read_only = true, .generation = generation};
    struct sl_snapshot *snapshot = NULL;
    struct sl_index *index = NULL;
    enum sl_err r = sl_index_open(&options, &index, err);

    if (r == SL_OK)
        r = sl_snapshot_open(index, &snapshot, err);
    if (r == SL_OK) {
        r = sl_snapshot_stats(snapshot, ret_stats, err);
        snprintf(ret_fingerprint, SL_FINGERPRINT_BYTES, "%s", sl_index_fingerprint(index));
    }
    sl_snapshot_close(snapshot);
    sl_index_close(index);
    return r;
}

static void print_one(const struct ctl *ctl, const struct sl_generation *generation,
                      const struct sl_index_stats *stats, const char *fingerprint,
                      struct sl_buffer *out)
{
    char pipeline[SL_PIPELINE_BYTES];

    sl_ingest_pipeline(fingerprint, pipeline);
    sl_buffer_format(out,
                     ctl->json ? "{\"number\": %u, \"state\": \"%s\", \"pipeline\": \"%s\", "
                                 "\"documents\": %llu, \"chunks\": %llu, \"vectors\": %llu, "
                                 "\"disk_bytes\": %llu, \"storage\": \"%s\", \"fingerprint\": "
                               : "%-3u %-8s  %s  %llu documents, %llu chunks, %llu vectors, %llu "
                                 "bytes, %s  ",
                     generation->number, sl_generation_word(generation->state), pipeline,
                     (unsigned long long)stats->documents, (unsigned long long)stats->chunks,
                     (unsigned long long)stats->vectors_live,
                     (unsigned long long)stats->disk_bytes, sl_storage_name(stats->storage));
    if (ctl->json)
        sl_json_string(out, sl_view_of(fingerprint));
    else
        sl_buffer_format(out, "%s", fingerprint);
    sl_buffer_format(out, ctl->json ? "}" : "\n");
}

static int list(struct ctl *ctl)
{
    struct sl_generation generations[SL_GENERATIONS_MAX];
    struct sl_buffer out = {0};
    struct sl_error err = {0};
    uint32_t count = 0;
    enum sl_err r = sl_generation_list(ctl->config->index.path, generations, &count, &err);

    sl_buffer_format(&out, ctl->json ? "[" : "");
    for (uint32_t i = 0; r == SL_OK && i < count; i++) {
        char fingerprint[SL_FINGERPRINT_BYTES] = "";
        struct sl_index_stats stats = {0};
        r = look(ctl, &generations[i], &stats, fingerprint, &err);
        if (r == SL_OK) {
            sl_buffer_format(&out, ctl->json && i > 0 ? ", " : "");
            print_one(ctl, &generations[i], &stats, fingerprint, &out);
        }
    }
    sl_buffer_format(&out, ctl->json ? "]\n" : "");
    if (r == SL_OK)
        return ctl_print(ctl, &out);
    sl_buffer_fini(&out);
    return ctl_fail_error(ctl, &err, SL_EXIT_IO);
}

/* -------------------------------------------------------------------------------- change */

static int change_here(struct ctl *ctl, bool rolls_back, uint32_t number)
{
    struct ctl_opened opened;
    struct sl_error err = {0};
    enum sl_err r;
    int exit_code = ctl_open(ctl, CTL_ACCESS_UPKEEP, false, &opened);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    r = rolls_back ? sl_generation_rollback(opened.index, number, &err)
                   : sl_generation_drop(opened.index, number, &err);
    ctl_close(&opened);
    return r == SL_OK ? SL_EXIT_OK : ctl_fail_error(ctl, &err, SL_EXIT_USAGE);
}

/* Would the daemon start on it with the configuration as it is? It asks the same, and ends when not. */
static int check_config(struct ctl *ctl, uint32_t number)
{
    struct sl_generation generation = {number, SL_GENERATION_RETIRED};
    struct sl_ingest_options ingest;
    struct sl_embedder *embedder = NULL;
    struct sl_word_lists *lists = NULL;
    char theirs[SL_FINGERPRINT_BYTES], ours[SL_FINGERPRINT_BYTES];
    struct sl_index_stats stats;
    struct sl_error err = {0};
    int exit_code;

    if (look(ctl, &generation, &stats, theirs, &err) != SL_OK)
        return ctl_fail_error(ctl, &err, SL_EXIT_IO);
    embedder = sl_config_embedder_like(ctl->config, theirs);
    if (embedder == NULL) {
        exit_code = ctl_embedder(ctl, &embedder);
        if (exit_code != SL_EXIT_OK)
            return exit_code;
    }
    sl_config_ingest(ctl->config, embedder, &ingest);
    if (sl_config_lists(ctl->config, &lists, &err) != SL_OK)
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_CONFIG);
    else
        exit_code = SL_EXIT_OK;
    ingest.lists = lists;
    sl_ingest_fingerprint(&ingest, ours);
    sl_word_lists_close(lists);
    sl_embedder_close(embedder);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    if (strcmp(ours, theirs) == 0)
        return SL_EXIT_OK;
    return ctl_fail(ctl, SL_EXIT_CONFIG,
                    "generation %u was made with \"%s\", the configuration gives \"%s\": set the configuration "
                    "back first",
                    number, theirs, ours);
}

static int change(struct ctl *ctl, const char *verb, uint32_t number)
{
    char request[64];
    bool absent, rolls_back = strcmp(verb, "rollback") == 0;
    int exit_code = rolls_back ? check_config(ctl, number) : SL_EXIT_OK;

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    snprintf(request, sizeof(request), "generation %s %u", verb, number);
    exit_code = ctl_ask_daemon(ctl, request, &absent);
    return absent ? change_here(ctl, rolls_back, number) : exit_code;
}

static int promote(struct ctl *ctl, bool forced)
{
    bool absent;
    int exit_code = ctl_ask_daemon(ctl, forced ? "generation promote force" : "generation promote", &absent);

    return absent ? ctl_reindex_here(ctl, false, forced) : exit_code;
}

static bool number_of(const char *text, uint32_t *ret_number)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    *ret_number = (uint32_t)number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && number < UINT32_MAX;
}

int cmd_generation(struct ctl *ctl, int argc, char **argv)
{
    bool forced = false;
    const struct ctl_option options[] = {
        {"force", CTL_FLAG, &forced, NULL, "promote: whatever golden questions say", 0, 0},
    };
    const struct ctl_usage usage = {
        "generation list | promote [--force] | rollback N | drop N",
        "list: the generations of the index: number, state, pipeline, figures, what it was made with.\n"
        "promote: let the one that is building take its place when it is complete (after `reindex --hold`),\n"
        "unless golden questions find less in it than in the one in use.\n"
        "rollback N: go back to a retired one. Set the configuration back before. Its stored positions say from "
        "where\nthe topics are read again; a running daemon changes over to it at once.\n"
        "drop N: remove a retired one, or one that is building and not in use by a daemon.\n"
        "Exit: 64 no such generation, 65 golden questions find less, 66 no index, 75 the daemon refuses, 78 the configuration is not set back.",
        options, CTL_OPTION_COUNT(options), 1, 2};
    struct ctl_list args = {0};
    uint32_t number = 0;
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &args, &exit_code))
        return exit_code;
    if (forced && strcmp(args.items[0], "promote") != 0)
        return ctl_fail(ctl, SL_EXIT_USAGE, "generation: --force is for promote");
    if (args.count == 1 && strcmp(args.items[0], "list") == 0)
        return list(ctl);
    if (args.count == 1 && strcmp(args.items[0], "promote") == 0)
        return promote(ctl, forced);
    if (args.count == 2 && number_of(args.items[1], &number) &&
        (strcmp(args.items[0], "rollback") == 0 || strcmp(args.items[0], "drop") == 0))
        return change(ctl, args.items[0], number);
    return ctl_fail(ctl, SL_EXIT_USAGE, "generation: allowed is list, promote, rollback N, drop N");
}
