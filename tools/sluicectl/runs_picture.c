/*
 * runs_picture.c -- kept evaluations as a picture: better or worse than before, and is the difference more than the
 * intervals?
 *
 * Plain SVG written here: a library for one chart of points would be larger than this program. Runs of one pipeline
 * stand on one band of background, for a difference across bands has more than one cause. Everything that is asked
 * often stands in the picture; the rest shows when the pointer rests on a run.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "runs.h"

#define WIDTH      960.0
#define HEIGHT     460.0
#define LEFT       64.0
#define RIGHT      28.0
#define TOP        92.0
#define BOTTOM     110.0
#define LABEL_SIZE 26u /* letters of a label under the picture */
#define LABELS_MAX 24u /* of more runs every second, third, ... has one */
#define DATE_BYTES 10

#define SHADE  "#eef3f8"
#define LINE   "#1f6f8b"
#define BEST   "#c8553d"
#define INK    "#22303c"
#define FAINT  "#7b8894"

struct frame {
    const struct ctl_run *runs;
    uint32_t count, best;
    double least, most, step; /* of the scale */
};

static double x_of(const struct frame *frame, double i)
{
    double width = WIDTH - LEFT - RIGHT;

    return LEFT + width * (i + 0.5) / (frame->count > 0 ? frame->count : 1);
}

static double y_of(const struct frame *frame, double value)
{
    return TOP + (HEIGHT - TOP - BOTTOM) * (frame->most - value) / (frame->most - frame->least);
}

/* Text of others as text of XML, at most so many letters of it. */
static void add_text(struct sl_buffer *out, const char *text, uint32_t letters_max)
{
    uint32_t letters = 0;

    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        bool begins = (c & 0xC0) != 0x80;
        if (begins && letters++ == letters_max) {
            sl_buffer_format(out, "\xE2\x80\xA6");
            return;
        }
        if (c == '&' || c == '<' || c == '>' || c == '"')
            sl_buffer_format(out, "&#%d;", c);
        else
            sl_buffer_add(out, c < 0x20 || c == 0x7F ? "?" : text, 1);
    }
}

/* A scale with round numbers around all intervals. */
static struct frame make_frame(const struct ctl_run *runs, uint32_t count)
{
    struct frame frame = {.runs = runs, .count = count, .least = 1, .most = 0};
    double span;

    for (uint32_t i = 0; i < count; i++) {
        frame.least = runs[i].low < frame.least ? runs[i].low : frame.least;
        frame.most = runs[i].high > frame.most ? runs[i].high : frame.most;
        frame.best = runs[i].mean > runs[frame.best].mean ? i : frame.best;
    }
    span = frame.most - frame.least > 0.02 ? frame.most - frame.least : 0.02;
    frame.step = span > 0.5 ? 0.2 : span > 0.25 ? 0.1 : span > 0.1 ? 0.05 : span > 0.05 ? 0.02 : 0.01;
    frame.least = frame.step * floor(frame.least / frame.step - 0.2);
    frame.most = frame.step * ceil(frame.most / frame.step + 0.2);
    frame.least = frame.least > 0 ? frame.least : 0;
    return frame;
}

static void draw_head(const struct frame *frame, const char *metric, struct sl_buffer *out)
{
    const struct ctl_run *last = &frame->runs[frame->count - 1], *best = &frame->runs[frame->best];
    char date[DATE_BYTES + 1];

    (void)snprintf(date, sizeof date, "%s", last->time);
    sl_buffer_format(out,
                     "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\" height=\"%g\" "
                     "font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"" INK "\">\n"
                     "<rect width=\"%g\" height=\"%g\" fill=\"white\"/>\n"
                     "<text x=\"%g\" y=\"30\" font-size=\"20\" font-weight=\"600\">%s: %.3f</text>\n"
                     "<text x=\"%g\" y=\"50\" fill=\"" FAINT "\">the last of %u evaluation%s, of ",
                     WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, metric, last->mean, LEFT, frame->count,
                     frame->count == 1 ? "" : "s");
    add_text(out, date, UINT32_MAX);
    sl_buffer_format(out, "; the best was %.3f (", best->mean);
    add_text(out, best->label[0] != '\0' ? best->label : best->time, LABEL_SIZE);
    sl_buffer_format(out, "). Bars are 95 %% intervals; each band is one pipeline.</text>\n");
}

/* A band for each pipeline, its name at the top where there is room. */
static void draw_bands(const struct frame *frame, struct sl_buffer *out)
{
    double width = (WIDTH - LEFT - RIGHT) / frame->count;
    bool shaded = true;

    for (uint32_t i = 0, end; i < frame->count; i = end, shaded = !shaded) {
        for (end = i + 1; end < frame->count &&
                          strcmp(frame->runs[end].fingerprint, frame->runs[i].fingerprint) == 0;)
            end++;
        sl_buffer_format(out, "<rect class=\"pipeline\" x=\"%.1f\" y=\"%g\" width=\"%.1f\" height=\"%g\" fill=\"%s\"><title>",
                         LEFT + width * i, TOP - 22, width * (end - i), HEIGHT - TOP - BOTTOM + 22,
                         shaded ? SHADE : "white");
        add_text(out, frame->runs[i].fingerprint, UINT32_MAX);
        sl_buffer_format(out, "</title></rect>\n");
    }
}

static void draw_scale(const struct frame *frame, struct sl_buffer *out)
{
    for (double value = frame->least; value < frame->most + frame->step / 2; value += frame->step) {
        double y = y_of(frame, value);
        sl_buffer_format(out,
                         "<line x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#d4dde5\"/>"
                         "<text x=\"%g\" y=\"%.1f\" text-anchor=\"end\" fill=\"" FAINT "\">%.2f</text>\n",
                         LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, value);
    }
}

static void draw_way(const struct frame *frame, struct sl_buffer *out)
{
    sl_buffer_format(out, "<polyline fill=\"none\" stroke=\"" LINE "\" stroke-width=\"2\" points=\"");
    for (uint32_t i = 0; i < frame->count; i++)
        sl_buffer_format(out, "%.1f,%.1f ", x_of(frame, i), y_of(frame, frame->runs[i].mean));
    sl_buffer_format(out, "\"/>\n");
}

static void draw_run(const struct frame *frame, uint32_t i, struct sl_buffer *out)
{
    const struct ctl_run *run = &frame->runs[i];
    const char *colour = i == frame->best ? BEST : LINE;
    double x = x_of(frame, i), low = y_of(frame, run->low), high = y_of(frame, run->high);

    sl_buffer_format(out,
                     "<g stroke=\"%s\" stroke-width=\"1.5\" opacity=\"0.55\"><line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
                     "y2=\"%.1f\"/><line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><line x1=\"%.1f\" "
                     "x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/></g>\n"
                     "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%g\" fill=\"%s\" stroke=\"white\" stroke-width=\"1.5\"><title>",
                     colour, x, x, low, high, x - 5, x + 5, low, low, x - 5, x + 5, high, high, x,
                     y_of(frame, run->mean), i == frame->best ? 6.5 : 5, colour);
    add_text(out, run->time, UINT32_MAX);
    sl_buffer_format(out, " ");
    add_text(out, run->label, UINT32_MAX);
    sl_buffer_format(out, ": %.4f (%.4f - %.4f), %u questions, ", run->mean, run->low, run->high, run->queries);
    add_text(out, run->fingerprint, UINT32_MAX);
    sl_buffer_format(out, "</title></circle>\n");
}

static void draw_label(const struct frame *frame, uint32_t i, struct sl_buffer *out)
{
    const struct ctl_run *run = &frame->runs[i];
    uint32_t every = (frame->count + LABELS_MAX - 1) / LABELS_MAX;
    double x = x_of(frame, i), y = HEIGHT - BOTTOM + 20;

    if (i % every != 0 && i != frame->best && i + 1 != frame->count)
        return;
    sl_buffer_format(out,
                     "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"start\" font-weight=\"600\" paint-order=\"stroke\" "
                     "stroke=\"white\" stroke-width=\"3\" fill=\"%s\">%.3f</text>\n"
                     "<text x=\"%.1f\" y=\"%g\" text-anchor=\"end\" transform=\"rotate(-32 %.1f %g)\">",
                     x + 8, y_of(frame, run->mean) - 8, i == frame->best ? BEST : INK, run->mean, x, y, x, y);
    add_text(out, run->label[0] != '\0' ? run->label : run->time, LABEL_SIZE);
    sl_buffer_format(out, "</text>\n");
}

void ctl_runs_draw(const struct ctl_run *runs, uint32_t count, const char *metric, struct sl_buffer *out)
{
    struct frame frame = make_frame(runs, count);

    SL_PRE(count > 0);
    draw_head(&frame, metric, out);
    draw_bands(&frame, out);
    draw_scale(&frame, out);
    draw_way(&frame, out);
    for (uint32_t i = 0; i < count; i++)
        draw_run(&frame, i, out);
    for (uint32_t i = 0; i < count; i++)
        draw_label(&frame, i, out);
    sl_buffer_format(out, "</svg>\n");
}
