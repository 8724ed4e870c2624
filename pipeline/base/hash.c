/* hash.c -- CRC32C by table or SSE 4.2; SHA-1/SHA-256 through libcrypto; UUIDv5. */
#include <sluice/error.h>
#include <sluice/hash.h>

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(__x86_64__)
#include <immintrin.h>

/*
 * An instruction takes three cycles, and one can begin every cycle: so three lanes go side by side,
 * and what the first two give is multiplied by x^(bits behind them) modulo the polynomial. The
 * product of carries with x^(bits - 33) is that, once it went through the instruction itself.
 */
#define CRC      __attribute__((target("sse4.2,pclmul")))
#define LANE     64u
#define BY_ONE   0x9e4addf8u /* x^(8 LANE - 33), bits reversed */
#define BY_TWO   0x0d3b6092u /* x^(16 LANE - 33) */
#define LONG     512u
#define LONG_ONE 0xdd7e3b0cu
#define LONG_TWO 0x170076fau

CRC static inline uint64_t word_at(const unsigned char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return word;
}

CRC static inline uint64_t shifted(uint64_t crc, uint32_t by)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc),
                                           _mm_cvtsi64_si128((int64_t)(uint64_t)by), 0);

    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

CRC static inline uint64_t crc_lanes(uint64_t crc, const unsigned char *p, size_t lane,
                                     uint32_t by_one, uint32_t by_two)
{
    uint64_t second = 0, third = 0;

    for (size_t at = 0; at < lane; at += 8) {
        crc = _mm_crc32_u64(crc, word_at(p + at));
        second = _mm_crc32_u64(second, word_at(p + lane + at));
        third = _mm_crc32_u64(third, word_at(p + 2 * lane + at));
    }
    return shifted(crc, by_two) ^ shifted(second, by_one) ^ third;
}

CRC static uint32_t crc_sse42(uint32_t crc, const unsigned char *p, size_t size)
{
    uint64_t wide = crc;

    for (; size >= 3 * LONG; p += 3 * LONG, size -= 3 * LONG)
        wide = crc_lanes(wide, p, LONG, LONG_ONE, LONG_TWO);
    for (; size >= 3 * LANE; p += 3 * LANE, size -= 3 * LANE)
        wide = crc_lanes(wide, p, LANE, BY_ONE, BY_TWO);
    for (; size >= 8; p += 8, size -= 8)
        wide = _mm_crc32_u64(wide, word_at(p));
    crc = (uint32_t)wide;
    for (; size > 0; p++, size--)
        crc = _mm_crc32_u8(crc, *p);
    return crc;
}
#endif

static uint32_t crc_table[256];
static atomic_bool crc_table_ready;

static uint32_t crc_by_table(uint32_t crc, const unsigned char *p, size_t size)
{
    if (!atomic_load_explicit(&crc_table_ready, memory_order_acquire)) {
        for (uint32_t i = 0; i < 256; i++) { /* racing threads write the same values */
            uint32_t c = i;
            for (int bit = 0; bit < 8; bit++)
                c = (c & 1) ? (c >> 1) ^ 0x82F63B78u : c >> 1;
            crc_table[i] = c;
        }
        atomic_store_explicit(&crc_table_ready, true, memory_order_release);
    }
    for (; size > 0; p++, size--)
        crc = (crc >> 8) ^ crc_table[(crc ^ *p) & 0xFF];
    return crc;
}

uint32_t sl_crc32c(uint32_t crc, const void *data, size_t size)
{
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
        return ~crc_sse42(crc, data, size);
#endif
    return ~crc_by_table(crc, data, size);
}

static void digest(const EVP_MD *kind, const struct sl_view *parts, size_t part_count,
                   uint8_t *ret_digest)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context != NULL && EVP_DigestInit_ex(context, kind, NULL) == 1;

    for (size_t i = 0; good && i < part_count; i++)
        good = EVP_DigestUpdate(context, parts[i].data, parts[i].size) == 1;
    good = good && EVP_DigestFinal_ex(context, ret_digest, NULL) == 1;
    EVP_MD_CTX_free(context);
    SL_INVARIANT(good);
}

void sl_sha256(struct sl_view data, uint8_t ret_digest[32])
{
    digest(EVP_sha256(), &data, 1, ret_digest);
}

struct sl_sha256 *sl_sha256_begin(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    SL_INVARIANT(context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    return (struct sl_sha256 *)(void *)context;
}

void sl_sha256_add(struct sl_sha256 *state, const void *data, size_t size)
{
    SL_INVARIANT(EVP_DigestUpdate((EVP_MD_CTX *)(void *)state, data, size) == 1);
}

void sl_sha256_end(struct sl_sha256 *state, uint8_t ret_digest[32])
{
    EVP_MD_CTX *context = (EVP_MD_CTX *)(void *)state;

    SL_INVARIANT(EVP_DigestFinal_ex(context, ret_digest, NULL) == 1);
    EVP_MD_CTX_free(context);
}

void sl_uuid5_bytes(const uint8_t *space, struct sl_view name, uint8_t ret_uuid[16])
{
    static const uint8_t nil[16] = {0};
    struct sl_view parts[2] = {{(const char *)(space ? space : nil), 16}, name};
    uint8_t sha1[20];

    digest(EVP_sha1(), parts, 2, sha1);
    memcpy(ret_uuid, sha1, 16);
    ret_uuid[6] = (uint8_t)((ret_uuid[6] & 0x0F) | 0x50);
    ret_uuid[8] = (uint8_t)((ret_uuid[8] & 0x3F) | 0x80);
}

void sl_uuid5(const uint8_t *space, struct sl_view name, char *ret_text)
{
    uint8_t u[16];

    sl_uuid5_bytes(space, name, u);
    (void)snprintf(ret_text, 37,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[0],
                   u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13],
                   u[14], u[15]);
}

void sl_hex(const uint8_t *data, size_t size, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        ret_text[2 * i] = digits[data[i] >> 4];
        ret_text[2 * i + 1] = digits[data[i] & 15];
    }
    ret_text[2 * size] = '\0';
}
