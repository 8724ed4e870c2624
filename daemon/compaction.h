/* compaction.h -- the index written anew while the daemon runs: between the engine's files only. */
#ifndef SLUICE_COMPACTION_H
#define SLUICE_COMPACTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/index.h>
#include <sluice/view.h>

struct sl_engine;
struct indexer;

enum compaction_state { COMPACTION_IDLE = 0, COMPACTION_WANTED, COMPACTION_RUNNING };

/* What was asked for and what became of it; the engine's mutex guards what is not atomic. */
struct compaction {
    _Atomic(enum compaction_state) state;
    _Atomic uint64_t done_bytes;
    _Atomic uint64_t total_bytes;
    uint64_t finished; /* grows with each, however it ended */
    struct sl_rewritten last;
    int64_t last_us;
    char last_error[sizeof(((struct sl_error *)0)->message)]; /* "": it went well */
};

bool compaction_is_wanted(struct sl_engine *engine);
/* Do it. Thread: the indexer's, no batch being open. */
void compaction_run(struct indexer *indexer);
/* Append the status object's member. Any thread. */
void compaction_json(struct sl_engine *engine, struct sl_buffer *out);

#endif
