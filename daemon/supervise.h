/*
 * supervise.h -- the life of the daemon between start and exit: what main's loop does besides the engine's work.
 *
 *     starting -> READY -> { reload | status line | watchdog } -> STOPPING -> drained -> exit code
 */
#ifndef SLUICE_SUPERVISE_H
#define SLUICE_SUPERVISE_H

#include "daemon/config.h"

/* How long a stop may finish what is under way. The unit's TimeoutStopSec is longer. */
#define SL_DRAIN_MS 60000u

/*
 * Start engine, control socket and HTTP, run until a signal or a failure ends it, stop everything.
 *
 * Owns:    consumes `config`.
 * Thread:  main, signals already blocked; `signals` from sl_signals_open().
 * Blocks:  for the life of the daemon.
 * Errors:  returns the exit code.
 */
int sl_supervise(struct sl_config *config, int signals);

#endif
