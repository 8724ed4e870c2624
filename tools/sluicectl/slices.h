/* slices.h -- the figures of an evaluation once more, for each kind of question. */
#ifndef SLUICECTL_SLICES_H
#define SLUICECTL_SLICES_H

#include "evaluate.h"

/*
 * Append ", \"slices\": {\"VALUE\": {\"queries\": N, figures}, ...}", in the order in which values first come: of a
 * member of the questions' own lines, or, with "doc." before its name, of a field of the relevant documents, of which
 * a date counts by its year. A question with relevant documents of several values is in the slice of each.
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  disk: with "doc." all documents are looked at.
 * Errors:  the exit code after saying why
 */
int ctl_slices_write(const struct ctl_evaluation *evaluation, const char *field, struct sl_buffer *out);

#endif
