/*
 * safetensors.h -- named tensors out of one .safetensors file.
 *
 * Layout: 8 bytes little-endian header size, a JSON object {name: {dtype, shape, data_offsets}},
 * then the tensors' bytes back to back. Everything is checked before a byte of data is read.
 */
#ifndef SLUICE_EMBED_SAFETENSORS_H
#define SLUICE_EMBED_SAFETENSORS_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/hash.h>

struct sl_safetensors;

/*
 * Open the file and check its header: sizes, types, and that the tensors cover the data without
 * overlap or gap.
 *
 * Owns:    caller gets *ret_file; close it with sl_safetensors_close().
 * Thread:  any.
 * Blocks:  disk: the header.
 * Errors:  SL_STOP  exit 78 bad_model, naming the file and what is wrong; out of memory
 */
enum sl_err sl_safetensors_open(const char *path, struct sl_safetensors **ret_file,
                                struct sl_error *err);

/* As it was opened, for messages. */
const char *sl_safetensors_path(const struct sl_safetensors *file);

/* Is there a tensor of that name? */
bool sl_safetensors_has(const struct sl_safetensors *file, const char *name);

/* Rows and columns of a tensor; columns 0: it is a vector. False: not there, or of another rank. */
bool sl_safetensors_shape(const struct sl_safetensors *file, const char *name, uint32_t *ret_rows,
                          uint32_t *ret_columns);

/*
 * Read a vector of whole numbers (I64 or I32), each below `below`.
 *
 * Owns:    writes uint32_t[count].
 * Thread:  any, not the same file at once.
 * Blocks:  disk.
 * Errors:  as sl_safetensors_read(), and SL_STOP for a number out of range
 */
enum sl_err sl_safetensors_read_indices(struct sl_safetensors *file, const char *name,
                                        uint32_t count, uint32_t below, uint32_t *ret_indices,
                                        struct sl_error *err);

/*
 * Read one tensor as float32 (stored as F64, F32, F16, BF16 or I8), checking its shape. `columns` 0
 * means a vector of `rows`.
 *
 * Owns:    writes float[rows * max(columns, 1)].
 * Thread:  any, not the same file at once.
 * Blocks:  disk.
 * Errors:  SL_STOP  exit 78 bad_model: missing, other shape, other type, short read
 */
enum sl_err sl_safetensors_read(struct sl_safetensors *file, const char *name, uint32_t rows,
                                uint32_t columns, float *ret_values, struct sl_error *err);

/*
 * Add every byte of the file to a digest.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  disk, CPU.
 * Errors:  SL_STOP  exit 78 bad_model: short read
 */
enum sl_err sl_safetensors_digest(struct sl_safetensors *file, struct sl_sha256 *digest,
                                  struct sl_error *err);

/* Close and free. NULL is fine. */
void sl_safetensors_close(struct sl_safetensors *file);

#endif
