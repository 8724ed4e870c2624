/*
 * signals.h -- signals as something to wait for, never as interrupts: no handler runs in this program.
 *
 *     SIGTERM, SIGINT   stop; a second one while stopping: leave at once
 *     SIGHUP            read the configuration again
 *     SIGPIPE           ignored: a closed socket is a return code
 */
#ifndef SLUICE_SIGNALS_H
#define SLUICE_SIGNALS_H

#include <stdint.h>

#include <sluice/error.h>

/*
 * Block them in this thread, and so in each it starts from here on; *ret_descriptor becomes readable when one comes.
 *
 * Owns:    caller closes *ret_descriptor.
 * Thread:  main, before any other is started.
 * Blocks:  no.
 * Errors:  SL_STOP  exit 71
 */
enum sl_err sl_signals_open(int *ret_descriptor, struct sl_error *err);

/*
 * The next signal, or 0 when none came in `wait_ms`.
 *
 * Owns:    nothing.
 * Thread:  one at a time.
 * Blocks:  up to wait_ms.
 * Errors:  0
 */
int sl_signals_next(int descriptor, uint32_t wait_ms);

#endif
