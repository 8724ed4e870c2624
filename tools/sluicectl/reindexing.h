/* reindexing.h -- what `reindex` and `generation` share. */
#ifndef SLUICECTL_REINDEXING_H
#define SLUICECTL_REINDEXING_H

#include "ctl.h"

/*
 * Make the index anew for the configuration, as its only writer; with `hold` the new generation is left beside it.
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  CPU and disk, for long.
 * Errors:  the exit code, after saying why
 */
int ctl_reindex_here(struct ctl *ctl, bool hold);

/* Send a request to the daemon. *ret_absent: there is none. Errors: the exit code, after saying why */
int ctl_ask_daemon(struct ctl *ctl, const char *request, bool *ret_absent);

#endif
