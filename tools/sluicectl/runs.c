/*
 * runs.c -- evaluations kept and drawn.
 *
 * A line is appended for each, in one write, so that two evaluations at once leave two lines. The picture is plain SVG
 * written here: a library for one chart of points would be larger than this program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sluice/json.h>

#include "runs.h"

#define WIDTH  860.0
#define HEIGHT 340.0
#define LEFT   60.0
#define RIGHT  20.0
#define TOP    40.0
#define BOTTOM 60.0

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

/* ------------------------------------------------------------------------------------- drawing */

struct frame {
    uint32_t count;
    double least, most; /* of the values shown */
};

static double x_of(const struct frame *frame, uint32_t i)
{
    double width = WIDTH - LEFT - RIGHT;

    return frame->count < 2 ? LEFT + width / 2 : LEFT + width * i / (frame->count - 1);
}

static double y_of(const struct frame *frame, double value)
{
    return TOP + (HEIGHT - TOP - BOTTOM) * (frame->most - value) / (frame->most - frame->least);
}

/* Text of others as text of XML. */
static void add_text(struct sl_buffer *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '&' || c == '<' || c == '>' || c == '"')
            sl_buffer_format(out, "&#%d;", c);
        else
            sl_buffer_add(out, c < 0x20 ? "?" : text, 1);
    }
}

static void draw_grid(const struct frame *frame, const char *metric, struct sl_buffer *out)
{
    sl_buffer_format(out,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" "
                     "font-family=\"sans-serif\" font-size=\"12\">\n"
                     "<rect width=\"%g\" height=\"%g\" fill=\"white\"/>\n"
                     "<text x=\"%g\" y=\"22\" font-size=\"14\">%s, 95 %% intervals</text>\n",
                     WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, metric);
    for (int i = 0; i <= 4; i++) {
        double value = frame->least + (frame->most - frame->least) * i / 4;
        double y = y_of(frame, value);
        sl_buffer_format(out,
                         "<line x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>"
                         "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\">%.3f</text>\n",
                         LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, value);
    }
}

static void draw_run(const struct frame *frame, const struct ctl_run *runs, uint32_t i,
                     struct sl_buffer *out)
{
    const struct ctl_run *run = &runs[i];
    double x = x_of(frame, i);

    if (i > 0 && strcmp(runs[i - 1].fingerprint, run->fingerprint) != 0) {
        double between = (x_of(frame, i - 1) + x) / 2;
        sl_buffer_format(out,
                         "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\" stroke=\"#888\" "
                         "stroke-dasharray=\"4 3\"/>\n",
                         between, between, TOP, HEIGHT - BOTTOM);
    }
    if (i > 0)
        sl_buffer_format(out,
                         "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#2a6f97\"/>\n",
                         x_of(frame, i - 1), y_of(frame, runs[i - 1].mean), x, y_of(frame, run->mean));
    sl_buffer_format(out,
                     "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#2a6f97\"/>"
                     "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"#2a6f97\"><title>",
                     x, x, y_of(frame, run->low), y_of(frame, run->high), x, y_of(frame, run->mean));
    add_text(out, run->time);
    sl_buffer_format(out, " ");
    add_text(out, run->label);
    sl_buffer_format(out, ": %.4f (%.4f - %.4f), %u questions, ", run->mean, run->low, run->high,
                     run->queries);
    add_text(out, run->fingerprint);
    sl_buffer_format(out,
                     "</title></circle><text x=\"%.1f\" y=\"%g\" text-anchor=\"end\" "
                     "transform=\"rotate(-30 %.1f %g)\">",
                     x, HEIGHT - BOTTOM + 18, x, HEIGHT - BOTTOM + 18);
    add_text(out, run->label[0] != '\0' ? run->label : run->time);
    sl_buffer_format(out, "</text>\n");
}

void ctl_runs_draw(const struct ctl_run *runs, uint32_t count, const char *metric,
                   struct sl_buffer *out)
{
    struct frame frame = {.count = count, .least = 1, .most = 0};

    for (uint32_t i = 0; i < count; i++) {
        frame.least = runs[i].low < frame.least ? runs[i].low : frame.least;
        frame.most = runs[i].high > frame.most ? runs[i].high : frame.most;
    }
    if (frame.most - frame.least < 0.01) {
        frame.most += 0.005;
        frame.least = frame.most - 0.01;
    }
    draw_grid(&frame, metric, out);
    for (uint32_t i = 0; i < count; i++)
        draw_run(&frame, runs, i, out);
    sl_buffer_format(out, "</svg>\n");
}
