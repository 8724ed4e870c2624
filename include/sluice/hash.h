/*
 * sluice/hash.h -- checksums and digests, and ids made of them. SHA comes from libcrypto.
 *
 * All of them: Owns: nothing. Thread: any. Blocks: no. Errors: none; without memory the process ends.
 */
#ifndef SLUICE_HASH_H
#define SLUICE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <sluice/view.h>

/* CRC32C (Castagnoli), hardware where there is some. Start with crc = 0; chain by passing the last result. */
uint32_t sl_crc32c(uint32_t crc, const void *data, size_t size);

struct sl_sha256;

/* SHA-256 of one view, 32 bytes. */
void sl_sha256(struct sl_view data, uint8_t ret_digest[32]);

/* The same piece by piece; the caller has the state from begin to end. */
struct sl_sha256 *sl_sha256_begin(void);
void sl_sha256_add(struct sl_sha256 *state, const void *data, size_t size);
void sl_sha256_end(struct sl_sha256 *state, uint8_t ret_digest[32]); /* frees state */

/* UUID version 5 (RFC 9562) as text: char[37]. `space` is 16 bytes; NULL is the nil UUID. */
void sl_uuid5(const uint8_t *space, struct sl_view name, char *ret_text);
/* ... and as 16 bytes. */
void sl_uuid5_bytes(const uint8_t *space, struct sl_view name, uint8_t ret_uuid[16]);

/* Lower-case hex: char[2 * size + 1]. */
void sl_hex(const uint8_t *data, size_t size, char *ret_text);

#endif /* SLUICE_HASH_H */
