/* reindexing.h -- what `reindex`, `generation` and `tune` share. */
#ifndef SLUICECTL_REINDEXING_H
#define SLUICECTL_REINDEXING_H

#include <signal.h>

#include "ctl.h"

/*
 * Make the index anew for the configuration, as its only writer; with `hold` the new generation is left beside it,
 * and unless `forced` when golden questions find less in it.
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  CPU and disk, for long.
 * Errors:  the exit code, after saying why
 */
int ctl_reindex_here(struct ctl *ctl, bool hold, bool forced);

/*
 * All documents of `from` into `to`, cut and encoded as `ingest` says. *stop not 0 ends it after a commit (NULL: never).
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  CPU and disk, for long.
 * Errors:  as sl_reindex_pass()
 */
enum sl_err ctl_reindex_into(struct ctl *ctl, const struct sl_ingest_options *ingest,
                             struct sl_index *from, struct sl_index *to,
                             const volatile sig_atomic_t *stop, struct sl_error *err);

/* Send a request to the daemon. *ret_absent: there is none. Errors: the exit code, after saying why */
int ctl_ask_daemon(struct ctl *ctl, const char *request, bool *ret_absent);

#endif
