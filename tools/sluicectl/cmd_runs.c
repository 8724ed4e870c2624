/*
 * cmd_runs.c -- `sluicectl runs`: the evaluations that `eval --record` has kept, as a list or a picture.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/decode.h>
#include <sluice/json.h>

#include "runs.h"

#define LINE_BYTES_MAX (1u << 20)

struct runs {
    struct ctl_run *items;
    uint32_t count;
};

static char *copy_text(const cJSON *object, const char *name)
{
    const cJSON *member = cJSON_GetObjectItemCaseSensitive(object, name);

    return strdup(cJSON_IsString(member) ? member->valuestring : "");
}

static bool run_parse(struct sl_view line, const char *metric, struct ctl_run *run)
{
    cJSON *root = NULL;
    const cJSON *mean, *interval, *queries;
    bool good;

    if (sl_json_parse(line, &root, NULL) != SL_OK)
        return false;
    mean = cJSON_GetObjectItemCaseSensitive(root, metric);
    queries = cJSON_GetObjectItemCaseSensitive(root, "queries");
    interval = cJSON_GetObjectItemCaseSensitive(
        cJSON_GetObjectItemCaseSensitive(root, "intervals"), metric);
    good = cJSON_IsNumber(mean) && cJSON_IsNumber(queries) && cJSON_GetArraySize(interval) == 2;
    if (good)
        *run = (struct ctl_run){.time = copy_text(root, "time"),
                                .label = copy_text(root, "label"),
                                .fingerprint = copy_text(root, "fingerprint"),
                                .queries = (uint32_t)queries->valuedouble,
                                .mean = mean->valuedouble,
                                .low = cJSON_GetArrayItem(interval, 0)->valuedouble,
                                .high = cJSON_GetArrayItem(interval, 1)->valuedouble};
    cJSON_Delete(root);
    return good && run->time != NULL && run->label != NULL && run->fingerprint != NULL;
}

static int runs_read(const struct ctl *ctl, const char *path, const char *metric, struct runs *runs)
{
    struct ctl_lines *lines = NULL;
    struct sl_error err = {0};
    struct sl_view line;
    enum sl_err code = ctl_lines_open(path, LINE_BYTES_MAX, &lines, &err);
    int exit_code = SL_EXIT_OK;

    while (code == SL_OK && (code = ctl_lines_next(lines, &line, &err)) == SL_OK) {
        struct ctl_run *items = reallocarray(runs->items, (size_t)runs->count + 1, sizeof(*items));
        if (items == NULL) {
            exit_code = ctl_fail(ctl, SL_EXIT_OS, "no memory for the runs of %s", path);
            break;
        }
        runs->items = items;
        if (!run_parse(line, metric, &items[runs->count++])) {
            runs->count--;
            exit_code = ctl_fail(ctl, SL_EXIT_DATA, "%s:%llu: no line of eval --record", path,
                                 (unsigned long long)ctl_lines_number(lines));
            break;
        }
    }
    ctl_lines_close(lines);
    if (exit_code == SL_EXIT_OK && code != SL_AGAIN)
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_IO);
    return exit_code;
}

static int draw(const struct ctl *ctl, const struct runs *runs, const char *metric, const char *path)
{
    struct sl_buffer picture = {0};
    FILE *file;
    int exit_code = SL_EXIT_OK;

    if (runs->count == 0)
        return ctl_fail(ctl, SL_EXIT_DATA, "there is no run to draw");
    file = fopen(path, "we");
    ctl_runs_draw(runs->items, runs->count, metric, &picture);
    if (file == NULL || picture.failed ||
        fwrite(picture.data, 1, picture.size, file) != picture.size)
        exit_code = ctl_fail(ctl, SL_EXIT_IO, "%s: %s", path, strerror(errno));
    if (file != NULL && fclose(file) != 0 && exit_code == SL_EXIT_OK)
        exit_code = ctl_fail(ctl, SL_EXIT_IO, "%s: %s", path, strerror(errno));
    sl_buffer_fini(&picture);
    return exit_code;
}

static void write_json(const struct ctl_run *run, const char *metric, struct sl_buffer *out)
{
    sl_buffer_format(out, "{");
    sl_json_name(out, "time");
    sl_json_string(out, sl_view_of(run->time));
    sl_json_name(out, "label");
    sl_json_string(out, sl_view_of(run->label));
    sl_json_name(out, "fingerprint");
    sl_json_string(out, sl_view_of(run->fingerprint));
    sl_buffer_format(out, ", \"queries\": %u, \"%s\": %.6f, \"ci95\": [%.4f, %.4f]}\n", run->queries,
                     metric, run->mean, run->low, run->high);
}

static int list(const struct ctl *ctl, const struct runs *runs, const char *metric)
{
    struct sl_buffer out = {0};

    for (uint32_t i = 0; i < runs->count; i++) {
        const struct ctl_run *run = &runs->items[i];
        bool other = i > 0 && strcmp(runs->items[i - 1].fingerprint, run->fingerprint) != 0;
        if (ctl->json) {
            write_json(run, metric, &out);
            continue;
        }
        sl_buffer_format(&out, "%s  %s %.4f  (%.4f - %.4f)  %u questions  ", run->time, metric,
                         run->mean, run->low, run->high, run->queries);
        ctl_show(&out, sl_view_of(run->label), false);
        sl_buffer_format(&out, "%s\n", other ? "  [another pipeline]" : "");
    }
    return ctl_print(ctl, &out);
}

int cmd_runs(struct ctl *ctl, int argc, char **argv)
{
    const char *given = NULL, *picture = NULL, *metric = ctl_metric_names[CTL_NDCG_10];
    const struct ctl_option options[] = {
        {"runs", CTL_TEXT, &given, "FILE", "where they are kept; default: INDEX.runs.jsonl", 0, 0},
        {"metric", CTL_TEXT, &metric, "NAME",
         "ndcg@10 (default), recall@10, recall@100, mrr@10 or hit@1", 0, 0},
        {"svg", CTL_TEXT, &picture, "FILE", "draw them there instead", 0, 0},
    };
    const struct ctl_usage usage = {
        "runs [--runs FILE] [--metric NAME] [--svg FILE]",
        "List the evaluations that `eval --record` has kept, or draw them: means with intervals, and "
        "where the\n"
        "pipeline became another. Exit: 65 a line is none of eval's, 66 nothing is kept.",
        options, CTL_OPTION_COUNT(options), 0, 0};
    struct ctl_list args = {0};
    struct runs runs = {0};
    char *path;
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &args, &exit_code))
        return exit_code;
    if (ctl_metric_named(ctl, metric) < 0)
        return SL_EXIT_USAGE;
    path = ctl_runs_path(ctl, given);
    exit_code = path != NULL ? runs_read(ctl, path, metric, &runs)
                             : ctl_fail(ctl, SL_EXIT_OS, "no memory for a path");
    if (exit_code == SL_EXIT_OK)
        exit_code = picture != NULL ? draw(ctl, &runs, metric, picture) : list(ctl, &runs, metric);
    for (uint32_t i = 0; i < runs.count; i++) {
        free(runs.items[i].time);
        free(runs.items[i].label);
        free(runs.items[i].fingerprint);
    }
    free(runs.items);
    free(path);
    return exit_code;
}
