/*
 * runs.c -- evaluations kept.
 *
 * A line is appended for each, in one write, so that two evaluations at once leave two lines.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/json.h>

#include "runs.h"

char *ctl_runs_path(const struct ctl *ctl, const char *given)
{
    struct sl_buffer path = {0};
    size_t size = strlen(ctl->config->index.path);

    if (given != NULL)
        return strdup(given);
    while (size > 1 && ctl->config->index.path[size - 1] == '/')
        size--;
    sl_buffer_format(&path, "%.*s.runs.jsonl", (int)size, ctl->config->index.path);
    return path.data;
}

static void write_run(const struct ctl_evaluation *evaluation, const char *label,
                      struct sl_buffer *line)
{
    const struct sl_retrieve_options *options = &evaluation->retrieve;
    char when[32];
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    sl_buffer_format(line, "{\"time\": \"%s\"", when);
    sl_json_name(line, "label");
    sl_json_string(line, sl_view_of(label));
    sl_json_name(line, "fingerprint");
    sl_json_string(line, sl_view_of(sl_index_fingerprint(evaluation->opened->index)));
    sl_buffer_format(line,
                     ", \"settings\": {\"mode\": \"%s\", \"fusion\": \"%s\", \"weights\": [%g, %g], "
                     "\"ef\": %u, \"half_life_days\": %g}, \"queries\": %u",
                     ctl_mode_name(options->mode),
                     options->fusion == SL_FUSION_RRF ? "rrf" : "minmax", options->weight_lexical,
                     options->weight_vector, options->ef, options->half_life_days,
                     evaluation->queries.count);
    ctl_evaluation_write(evaluation, NULL, evaluation->queries.count, line);
    sl_buffer_format(line, "}\n");
}

int ctl_runs_add(const struct ctl_evaluation *evaluation, const char *given, const char *label)
{
    const struct ctl *ctl = evaluation->ctl;
    char *path = ctl_runs_path(ctl, given);
    FILE *file = path != NULL ? fopen(path, "ae") : NULL;
    struct sl_buffer line = {0};
    int exit_code = SL_EXIT_OK;

    write_run(evaluation, label, &line);
    if (file == NULL || line.failed || fwrite(line.data, 1, line.size, file) != line.size)
        exit_code = ctl_fail(ctl, SL_EXIT_IO, "%s: %s", path != NULL ? path : "runs", strerror(errno));
    if (file != NULL && fclose(file) != 0 && exit_code == SL_EXIT_OK)
        exit_code = ctl_fail(ctl, SL_EXIT_IO, "%s: %s", path, strerror(errno));
    sl_buffer_fini(&line);
    free(path);
    return exit_code;
}
