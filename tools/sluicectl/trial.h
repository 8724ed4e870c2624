/* trial.h -- the index once more, cut otherwise, for as long as it takes to ask it. */
#ifndef SLUICECTL_TRIAL_H
#define SLUICECTL_TRIAL_H

#include "ctl.h"

struct ctl_trial {
    struct ctl_opened opened; /* its own index and ingest.chunk; everything else is borrowed */
    char *path;
};

/* `chunk` with chunks of so many words, that share as great a part of them with their neighbours. */
struct sl_chunk_options ctl_trial_chunk(const struct sl_chunk_options *chunk, uint32_t words);

/*
 * Make an index of the documents that `of` stores, with chunks of `words` words, in a new directory: in `work`, or
 * (NULL) beside the index. Until it is closed, SIGINT, SIGTERM and SIGHUP only make ctl_trial_stopped() true.
 *
 * Owns:    close with ctl_trial_close(), also after an error: it removes the directory.
 * Thread:  main, one trial at a time; `of` must outlive it.
 * Blocks:  CPU and disk, for long.
 * Errors:  the exit code, after saying why: 75 a signal came
 */
int ctl_trial_open(struct ctl *ctl, const struct ctl_opened *of, const char *work, uint32_t words,
                   struct ctl_trial *ret_trial);
void ctl_trial_close(struct ctl_trial *trial);

/* Has a signal come since the program began? */
bool ctl_trial_stopped(void);

#endif
