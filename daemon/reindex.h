/*
 * reindex.h -- another generation of the index filled in the background: between the engine's files only.
 *
 *     begun     at a start on an index made by other settings ([index] reindex = auto, or begun before), or when
 *               `sluicectl reindex` asks a running daemon, which then reads its configuration file again
 *     filled    by a thread of its own and helpers, nice, while the engine works on with the old pipeline
 *     finished  when the engine has stopped all stages for it: what is left is carried over, and CURRENT swapped.
 *               main then starts the engine again, on the new generation
 */
#ifndef SLUICE_REINDEX_DAEMON_H
#define SLUICE_REINDEX_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <sluice/reindex.h>

#include "daemon/config.h"

struct sl_engine;
struct indexer;

enum reindex_state {
    REINDEX_IDLE = 0,
    REINDEX_WANTED,    /* asked for: its pipeline is being made */
    REINDEX_BEGINNING, /* the indexer has to begin the generation */
    REINDEX_BUILDING,
    REINDEX_HELD,      /* in line, and waits to be promoted */
    REINDEX_READY,     /* in line but for a little: the engine may stop for it */
    REINDEX_FAILED
};

/* Texts that helpers encode. */
struct reindex_slices {
    const struct sl_view *texts;
    float *vectors;
    uint32_t count, next, open; /* texts; the next not taken; not done */
    enum sl_err code;
    struct sl_error err;
};

struct reindexing {
    _Atomic(enum reindex_state) state;
    atomic_bool hold;       /* as asked, or because golden questions found less in it */
    atomic_bool forced;     /* promoted whatever golden questions say */
    bool judged;            /* golden questions let it pass; the filling thread's */
    struct sl_error refused; /* why they did not; reason "": they were not asked. The filling thread's */
    atomic_bool frozen;     /* the old pipeline cannot be had: documents wait */
    atomic_bool restart;    /* the engine is to stop, and be started again */
    atomic_int rollback;    /* to this generation, when it stops; -1: no */
    const struct sl_config *config; /* of the new generation; main's */
    struct sl_embedder *embedder;   /* the new generation's; may be the engine's own */
    struct sl_word_lists *lists; /* its own when not the engine's */
    struct sl_ingest_options ingest;
    char fingerprint[SL_FINGERPRINT_BYTES];
    struct sl_index_options options;
    struct sl_index *building;
    uint32_t passes;
    pthread_mutex_t lock; /* all below */
    pthread_cond_t moved;
    struct reindex_slices slices;
    struct sl_reindex_counts counts;
    char error[sizeof(((struct sl_error *)0)->message)];
    uint32_t drop; /* generation to be dropped by the indexer; UINT32_MAX: none */
    bool dropped;  /* it was tried: */
    enum sl_err drop_code;
    struct sl_error drop_error;
};

void reindex_init(struct sl_engine *engine);
void reindex_fini(struct sl_engine *engine);

/*
 * Open the index by the configuration, or as it is when it is to be made anew: then the engine's encoder and ingest
 * options become those of the pipeline it was made with, as far as that can be had.
 *
 * Pre:     engine->embedder and engine->ingest are the configured ones.
 * Owns:    engine->index is the engine's.
 * Thread:  main, before all others.
 * Blocks:  disk and CPU.
 * Errors:  as sl_index_open(), sl_generation_begin()
 */
enum sl_err reindex_open_index(struct sl_engine *engine, struct sl_error *err);

/* The thread that walks, and those that help it to encode. `engine` is the context. */
void *reindex_run(void *engine);
void *reindex_help(void *engine);
/* Let the helpers end. Any thread. */
void reindex_end(struct sl_engine *engine);

/* What only the indexer may do: begin a generation, drop one. Thread: the indexer's, no batch being open. */
void reindex_upkeep(struct indexer *indexer);

/* All stages have ended: carry over the rest and change over, or go back, if that is what the engine stopped for. */
void reindex_finish(struct sl_engine *engine);

/* Append the status object's member. Any thread. */
void reindex_json(struct sl_engine *engine, struct sl_buffer *out);

#endif
