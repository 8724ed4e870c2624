/*
 * progress.c -- one line on standard error that says how far the work is, how fast, and how long it
 * will take. Only on a terminal: in a log the same line a thousand times is noise.
 */
#include <stdio.h>
#include <unistd.h>

#include "ctl.h"

#define BAR_CELLS 24

void ctl_progress_begin(struct ctl_progress *progress, const struct ctl *ctl, const char *what,
                        const char *unit)
{
    *progress = (struct ctl_progress){.shown = !ctl->json && isatty(STDERR_FILENO),
                                      .what = what,
                                      .unit = unit,
                                      .started = ctl_seconds()};
}

void ctl_progress_move(struct ctl_progress *progress, uint64_t done, double fraction)
{
    char bar[BAR_CELLS + 1];
    double now;
    double seconds;

    if (!progress->shown)
        return;
    now = ctl_seconds();
    if (now - progress->drawn < 0.1)
        return;
    progress->drawn = now;
    seconds = now - progress->started;
    fprintf(stderr, "\r\033[K%s ", progress->what);
    if (fraction >= 0) {
        int filled = (int)(fraction * BAR_CELLS);

        for (int i = 0; i < BAR_CELLS; i++)
            bar[i] = i < filled ? '#' : '.';
        bar[BAR_CELLS] = '\0';
        fprintf(stderr, "[%s] %3.0f %%  ", bar, fraction * 100);
    }
    fprintf(stderr, "%llu %s", (unsigned long long)done, progress->unit);
    if (seconds > 0.5)
        fprintf(stderr, ", %.0f/s", (double)done / seconds);
    if (fraction > 0.01 && seconds > 1) {
        unsigned left = (unsigned)(seconds * (1 - fraction) / fraction + 0.5);

        fprintf(stderr, ", %u:%02u left", left / 60, left % 60);
    }
    fflush(stderr);
}

void ctl_progress_end(struct ctl_progress *progress)
{
    if (progress->shown && progress->drawn > 0)
        fputs("\r\033[K", stderr);
    progress->shown = false;
}
