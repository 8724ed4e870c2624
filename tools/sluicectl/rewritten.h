/* rewritten.h -- what compact and backup show: how far they are, and what came of it. */
#ifndef SLUICECTL_REWRITTEN_H
#define SLUICECTL_REWRITTEN_H

#include "ctl.h"

/* A sl_progress_fn: `progress` is a struct ctl_progress that has begun. */
bool ctl_rewrite_progress(void *progress, uint64_t done_bytes, uint64_t total_bytes);

/* Print the figures; exit code 0, or 74 when that fails. */
int ctl_rewritten_print(const struct ctl *ctl, const struct sl_rewritten *rewritten,
                        double seconds);

#endif
