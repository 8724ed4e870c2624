/* process.h -- what the process itself uses: memory, processor time, descriptors. */
#ifndef SLUICE_PROCESS_H
#define SLUICE_PROCESS_H

#include <sluice/view.h>

/*
 * Append the process_* metrics as Prometheus text. What /proc does not say is left out.
 *
 * Owns:    appends to `out`.
 * Thread:  any.
 * Blocks:  reads /proc/self.
 * Errors:  out->failed
 */
void sl_process_render(struct sl_buffer *out);

#endif
