/* qrels.h -- judgements: which documents answer which question. */
#ifndef SLUICECTL_QRELS_H
#define SLUICECTL_QRELS_H

#include "ctl.h"

struct ctl_judgement {
    char *query;
    char *doc;
    int32_t grade;
    uint32_t line;
};

struct ctl_qrels {
    struct ctl_judgement *items; /* by query, then greatest grade first */
    uint32_t count;
};

/*
 * Read BEIR's three columns (query-id, corpus-id, score), with or without the heading, or TREC's
 * four.
 *
 * Owns:    free with ctl_qrels_free().
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  the exit code after saying why: 65 with file:line, 66
 */
int ctl_qrels_read(const struct ctl *ctl, const char *path, struct ctl_qrels *ret_qrels);
void ctl_qrels_free(struct ctl_qrels *qrels);

/* The judgements of one question; *ret_count is 0 when there are none. Those of grade 0 are among
 * them. */
const struct ctl_judgement *ctl_qrels_of(const struct ctl_qrels *qrels, const char *query,
                                         uint32_t *ret_count);

#endif
