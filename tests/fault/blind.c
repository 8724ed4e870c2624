/*
 * blind.c -- what the control of test_flips.c is linked with: checksums that are always 0, and pages that are
 * never checked. With the linker's --wrap, so that the sources are those of the program.
 */
#include <stddef.h>
#include <stdint.h>

uint32_t __wrap_sl_crc32c(uint32_t crc, const void *data, size_t size);
int __wrap_sl_pages_check(const void *options, void *err);

uint32_t __wrap_sl_crc32c(uint32_t crc, const void *data, size_t size)
{
    (void)crc, (void)data, (void)size;
    return 0;
}

int __wrap_sl_pages_check(const void *options, void *err)
{
    (void)options, (void)err;
    return 0;
}
