/* rankings.h -- rankings that another program made, in TREC's form. */
#ifndef SLUICECTL_RANKINGS_H
#define SLUICECTL_RANKINGS_H

#include "ctl.h"

struct ctl_ranked {
    char *query, *doc;
    double score;
    uint32_t line;
};

struct ctl_rankings {
    struct ctl_ranked *items; /* by question, then greatest score first, then as they stand in the file */
    uint32_t count;
};

/*
 * Read lines of six columns: question, Q0, document, rank, score, name of the run. As trec_eval does, what counts is
 * the score, not the rank. %20 and what else stands for white space in an id is taken back.
 *
 * Owns:    free with ctl_rankings_free().
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  the exit code after saying why: 65 with file:line, 66
 */
int ctl_rankings_read(const struct ctl *ctl, const char *path, struct ctl_rankings *ret_rankings);
void ctl_rankings_free(struct ctl_rankings *rankings);

/* Those of one question, best first; *ret_count is 0 when there are none. */
const struct ctl_ranked *ctl_rankings_of(const struct ctl_rankings *rankings, const char *query,
                                         uint32_t *ret_count);

#endif
