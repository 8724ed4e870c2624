/*
 * history.h -- a fixed history of records for an index, so that what must be in it follows from the stored
 * position alone: whatever interrupted it, and however often.
 */
#ifndef SLUICE_TEST_HISTORY_H
#define SLUICE_TEST_HISTORY_H

#include "index_data.h"

struct history {
    int keys;            /* records are of that many */
    int64_t batch;       /* records a batch          */
    int64_t records;     /* in all; a multiple of batch */
    int64_t texts;       /* different ones there are; 0: each record has its own */
};

/* What record number n does: to which key (char[16]), with which text (char[200]; "" deletes). */
void history_record(const struct history *history, int64_t n, char *ret_key, char *ret_text);

/* How many of them the index holds. */
enum sl_err history_next(struct sl_index *index, int64_t *ret_next, struct sl_error *err);

/* One batch, position included. On failure the batch is aborted. */
enum sl_err history_apply(const struct history *history, struct sl_index *index, int64_t first,
                          struct sl_error *err);

/* How far the index is from what `done` records leave behind; 0: it holds that and nothing else. */
int history_compare(const struct history *history, struct sl_index *index, int64_t done);

#endif
