/* runs.h -- evaluations kept: a JSON object a line, beside the index. */
#ifndef SLUICECTL_RUNS_H
#define SLUICECTL_RUNS_H

#include "evaluate.h"

/* Where they are kept: `given`, else the index's directory with ".runs.jsonl" behind it. Caller frees. */
char *ctl_runs_path(const struct ctl *ctl, const char *given);

/*
 * Append one evaluation: when, label, fingerprint of the pipeline, settings of the search, figures.
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  the exit code after saying why: 74
 */
int ctl_runs_add(const struct ctl_evaluation *evaluation, const char *given, const char *label);

/* One run as it is listed and drawn. */
struct ctl_run {
    char *time, *label, *fingerprint;
    uint32_t queries;
    double mean, low, high; /* of the metric asked for */
};

/*
 * Draw runs as SVG: means with their intervals, in order, on a band of background for each pipeline (runs_picture.c).
 *
 * Pre:     count > 0.
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  no.
 * Errors:  none but out->failed.
 */
void ctl_runs_draw(const struct ctl_run *runs, uint32_t count, const char *metric,
                   struct sl_buffer *out);

#endif
