/* mender.h -- damaged documents: taken out by the indexer, read again from Kafka by a thread of their own. */
#ifndef SLUICE_MENDER_H
#define SLUICE_MENDER_H

#include "daemon/indexer.h"

/*
 * Take every document out that is known to be damaged, in a commit of its own.
 *
 * Post:    SL_OK: none is left. SL_AGAIN: there was none.
 * Thread:  the indexer's, or the one that starts the engine.
 * Blocks:  CPU and disk.
 * Errors:  SL_STOP  as sl_batch_quarantine() and sl_batch_commit()
 */
enum sl_err mender_take_out(struct sl_engine *engine, struct sl_error *err);

/*
 * A read failed. Will it go better once the indexer has taken out what is damaged? Then wait until it has.
 *
 * Post:    true: repeat it. *tries counts how often that was said.
 * Thread:  any but the indexer's.
 * Blocks:  until the indexer is through, seconds at most.
 */
bool mender_wait(struct sl_engine *engine, const struct sl_error *err, uint32_t *tries);

/* Reads the records of quarantined documents again. The context is the engine. */
void *mender_run(void *context);

#endif
