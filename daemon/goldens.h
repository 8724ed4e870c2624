/* goldens.h -- golden questions, asked on a schedule: whether what was found is still found. */
#ifndef SLUICE_DAEMON_GOLDENS_H
#define SLUICE_DAEMON_GOLDENS_H

#include <sluice/goldens.h>

/* What the status says; the engine's mutex guards it. */
struct goldens_state {
    struct sl_goldens_result last; /* count 0: not asked yet */
    uint64_t runs;
    bool fell; /* lower than the best run of this file by more than is allowed */
};

struct sl_engine;

/*
 * May the generation that is building take the place of the one in use? Without [golden] file it may.
 *
 * Owns:    nothing.
 * Thread:  the one that fills it.
 * Blocks:  CPU, disk: as sl_goldens_judge().
 * Errors:  as sl_goldens_judge(); SL_REJECT not_found: the file cannot be read
 */
enum sl_err goldens_judge(struct sl_engine *engine, struct sl_error *err);

/* Append {"questions": ..} or null. */
void goldens_json(struct sl_engine *engine, struct sl_buffer *out);

/* Asks the questions of [golden] file until the engine stops. The context is the engine. */
void *goldens_run(void *context);

#endif
