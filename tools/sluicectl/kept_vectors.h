/* kept_vectors.h -- an encoder that remembers the vectors of questions. */
#ifndef SLUICECTL_KEPT_VECTORS_H
#define SLUICECTL_KEPT_VECTORS_H

#include <sluice/embed.h>

struct ctl_kept_vectors;

/*
 * An encoder as `of`, whose questions are each encoded once.
 *
 * Owns:    *ret_kept is closed with ctl_kept_vectors_close(); `of` must outlive it.
 * Thread:  main; the encoder may be shared by threads.
 * Blocks:  no.
 * Errors:  NULL: no memory
 */
struct ctl_kept_vectors *ctl_kept_vectors_open(const struct sl_embedder *of);
const struct sl_embedder *ctl_kept_vectors_embedder(const struct ctl_kept_vectors *kept);
struct ctl_kept_vectors *ctl_kept_vectors_close(struct ctl_kept_vectors *kept);

#endif
