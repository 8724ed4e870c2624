/* test_base.c -- arena, buffer, hashes. */
#include "../support/test.h"

#include <sluice/arena.h>
#include <sluice/error.h>
#include <sluice/hash.h>

TEST(arena_stops_at_its_ceiling)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(1 << 20);
    size_t total = 0;

    REQUIRE(arena != NULL);
    while (sl_arena_alloc(arena, 1000) != NULL)
        total += 1000;
    CHECK(total > (1 << 20) * 9 / 10 && total <= 1 << 20);
    CHECK(sl_arena_alloc(arena, SIZE_MAX - 8) == NULL);
    sl_arena_reset(arena);
    CHECK(sl_arena_bytes(arena) <= 64 << 10);
    CHECK(sl_arena_alloc(arena, 500000) != NULL);
}

TEST(arena_hands_out_zeroed_aligned_bytes_that_do_not_overlap)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(64 << 20);
    unsigned char *kept[500];
    size_t sizes[500];

    for (int i = 0; i < 500; i++) {
        sizes[i] = (size_t)(test_random() % 70000);
        kept[i] = sl_arena_alloc(arena, sizes[i]);
        REQUIRE(kept[i] != NULL);
        CHECK((uintptr_t)kept[i] % 16 == 0);
        for (size_t j = 0; j < sizes[i]; j++)
            if (kept[i][j] != 0) {
                CHECK_THAT(false, "byte %zu of block %d is not zeroed", j, i);
                break;
            }
        memset(kept[i], i & 0xFF, sizes[i]);
    }
    for (int i = 0; i < 500; i++)
        for (size_t j = 0; j < sizes[i]; j++)
            if (kept[i][j] != (i & 0xFF)) {
                CHECK_THAT(false, "byte %zu of block %d lost its value", j, i);
                break;
            }
}

TEST(buffer_grows_and_stays_terminated)
{
    struct sl_buffer buffer = {0};

    for (int i = 0; i < 1000; i++)
        sl_buffer_format(&buffer, "%d,", i);
    CHECK(!buffer.failed && buffer.size == 3890 && buffer.data[buffer.size] == '\0');
    sl_buffer_fini(&buffer);
    CHECK(buffer.data == NULL);
}

TEST(crc32c_equals_the_published_values)
{
    char zeros[32] = {0};

    CHECK(sl_crc32c(0, "123456789", 9) == 0xE3069283u);
    CHECK(sl_crc32c(0, zeros, 32) == 0x8A9136AAu); /* RFC 3720 B.4 */
    CHECK(sl_crc32c(sl_crc32c(0, "1234", 4), "56789", 5) == 0xE3069283u);
}

TEST(crc32c_of_a_whole_is_that_of_its_bytes_one_by_one)
{
    char bytes[4000];
    uint32_t crc = 0;

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)test_random();
    for (size_t size = 0; size <= sizeof bytes; size++) {
        CHECK_THAT(sl_crc32c(0, bytes, size) == crc, "%zu", size);
        if (size < sizeof bytes)
            crc = sl_crc32c(crc, bytes + size, 1);
    }
}

TEST(uuid5_equals_the_published_value)
{
    static const uint8_t dns[16] = {0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                                    0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
    char text[37];

    sl_uuid5(dns, SL_VIEW("www.example.com"), text); /* RFC 9562 A.4 */
    CHECK_THAT(strcmp(text, "2ed6657d-e927-568b-95e1-2665a8aea6a2") == 0, "%s", text);
}
