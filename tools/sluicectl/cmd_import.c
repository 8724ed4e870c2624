/*
 * cmd_import.c -- `sluicectl import`: documents straight into the index, without Kafka.
 */
#include <stdio.h>

#include <sluice/json.h>

#include "import.h"

static void print_text(struct sl_buffer *out, const struct import_counts *counts,
                       const struct ctl_refusals *refusals, double seconds)
{
    uint64_t in = counts->inserted + counts->replaced + counts->copied + counts->unchanged;

    sl_buffer_format(out, "%llu documents in %.1f s: %llu new, %llu replaced, %llu unchanged",
                     (unsigned long long)in, seconds, (unsigned long long)counts->inserted,
                     (unsigned long long)counts->replaced, (unsigned long long)counts->unchanged);
    if (counts->copied > 0)
        sl_buffer_format(out, ", %llu copies", (unsigned long long)counts->copied);
    if (counts->deleted + counts->absent > 0)
        sl_buffer_format(out, ", %llu deleted", (unsigned long long)counts->deleted);
    if (counts->stale > 0)
        sl_buffer_format(out, ", %llu left as they came from Kafka",
                         (unsigned long long)counts->stale);
    sl_buffer_format(out, "; %llu chunks, %llu vectors made\n", (unsigned long long)counts->chunks,
                     (unsigned long long)counts->embedded);
    if (refusals->count > 0)
        sl_buffer_format(out, "%llu refused, see above\n", (unsigned long long)refusals->count);
}

static void print_json(struct sl_buffer *out, const struct import_counts *counts,
                       const struct ctl_refusals *refusals, double seconds)
{
    sl_buffer_format(
        out,
        "{\"inserted\": %llu, \"replaced\": %llu, \"copied\": %llu, \"unchanged\": %llu, "
        "\"deleted\": %llu, "
        "\"absent\": %llu, \"stale\": %llu, \"chunks\": %llu, \"embedded\": %llu, "
        "\"refused\": %llu, \"refusals\": [",
        (unsigned long long)counts->inserted, (unsigned long long)counts->replaced,
        (unsigned long long)counts->copied, (unsigned long long)counts->unchanged,
        (unsigned long long)counts->deleted,
        (unsigned long long)counts->absent, (unsigned long long)counts->stale,
        (unsigned long long)counts->chunks, (unsigned long long)counts->embedded,
        (unsigned long long)refusals->count);
    sl_buffer_add(out, refusals->json.data, refusals->json.size);
    sl_buffer_format(out, "], \"seconds\": %.3f}\n", seconds);
}

/* Read everything into rounds. SL_AGAIN never leaves here: it means the end. */
static enum sl_err import_all(const struct ctl *ctl, struct ctl_source *source,
                              struct import_round *round, struct ctl_refusals *refusals,
                              struct import_counts *counts, struct sl_error *err)
{
    struct ctl_progress progress;
    struct ctl_item item;
    enum sl_err result = SL_OK;
    uint64_t seen = 0;

    ctl_progress_begin(&progress, ctl, "import", "documents");
    while (result == SL_OK) {
        result = ctl_source_next(source, &item, err);
        if (result == SL_AGAIN)
            break;
        if (result == SL_REJECT) {
            ctl_refuse(ctl, refusals, item.where, err);
            result = SL_OK;
            continue;
        }
        if (result == SL_OK && !import_round_take(round, &item)) {
            result = import_round_finish(round, ctl, refusals, counts, err);
            if (result != SL_OK || !import_round_take(round, &item))
                ctl_item_fini(&item);
        }
        ctl_progress_move(&progress, ++seen, ctl_source_fraction(source));
    }
    if (result == SL_AGAIN)
        result = import_round_finish(round, ctl, refusals, counts, err);
    ctl_progress_end(&progress);
    return result;
}

static int import_run(struct ctl *ctl, struct ctl_source *source, const char *topic)
{
    struct ctl_opened opened;
    struct import_round *round;
    struct import_counts counts = {0};
    struct ctl_refusals refusals = {0};
    struct sl_buffer out = {0};
    struct sl_error err = {0};
    double started = ctl_seconds();
    int exit_code = ctl_open(ctl, CTL_ACCESS_WRITE, true, &opened);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    round = import_round_open(&opened, topic, ctl_threads(ctl->config), ctl->config->embed.batch);
    if (round == NULL)
        exit_code = ctl_fail(ctl, SL_EXIT_OS, "no memory to import");
    else if (import_all(ctl, source, round, &refusals, &counts, &err) != SL_OK)
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_IO);
    import_round_close(round);
    ctl_close(&opened);
    if (ctl->json)
        print_json(&out, &counts, &refusals, ctl_seconds() - started);
    else
        print_text(&out, &counts, &refusals, ctl_seconds() - started);
    sl_buffer_fini(&refusals.json);
    if (ctl_print(ctl, &out) != SL_EXIT_OK && exit_code == SL_EXIT_OK)
        exit_code = SL_EXIT_IO;
    return exit_code == SL_EXIT_OK && refusals.count > 0 ? SL_EXIT_DATA : exit_code;
}

int cmd_import(struct ctl *ctl, int argc, char **argv)
{
    struct ctl_list paths = {0};
    struct ctl_list lines = {0};
    const char *topic = NULL;
    const char *key = NULL;
    const struct ctl_option options[] = {
        {"jsonl", CTL_LIST, &lines, "FILE",
         "one document a line, key = _id or id; - is standard input", 0, 0},
        {"key", CTL_TEXT, &key, "KEY", "key of the one file, instead of its path", 0, 0},
        {"topic", CTL_TEXT, &topic, "TOPIC",
         "put them under this topic; default: the first of [documents]", 0, 0},
    };
    const struct ctl_usage usage = {
        "import PATH... [--jsonl FILE]...",
        "Put files, folders of files, or JSON lines into the index, the same way the daemon would. "
        "Records of\n"
        "the same key from Kafka win over imported ones. A line {\"_id\": \"KEY\", \"_delete\": "
        "true} deletes.\n"
        "Exit: 65 some documents were refused (the others are in), 73 a daemon holds the index.",
        options,
        CTL_OPTION_COUNT(options),
        0,
        UINT32_MAX};
    struct ctl_source *source = NULL;
    struct ctl_source_options source_options = {&paths, &lines, NULL};
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &paths, &exit_code))
        return exit_code;
    source_options.key = key;
    exit_code = ctl_source_open(ctl, &source_options, &source);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_documents_topic(ctl, &topic);
    if (exit_code == SL_EXIT_OK)
        exit_code = import_run(ctl, source, topic);
    ctl_source_close(source);
    return exit_code;
}
