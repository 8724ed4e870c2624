/*
 * base64.c -- keys that are no text, in JSON: Kafka's keys are bytes, JSON's strings are not.
 *
 * RFC 4648, with padding. Reading is strict: what is not exactly what writing gives is refused, so that one key has
 * one line.
 */
#include <string.h>

#include "ctl.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void add(struct sl_buffer *out, char c)
{
    sl_buffer_view(out, (struct sl_view){&c, 1});
}

void ctl_base64_write(struct sl_buffer *out, struct sl_view bytes)
{
    add(out, '"');
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t count = bytes.size - i < 3 ? bytes.size - i : 3;
        uint32_t group = 0;

        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < count ? (unsigned char)bytes.data[i + j] : 0);
        for (size_t j = 0; j < 4; j++)
            add(out, j <= count ? digits[group >> (18 - 6 * j) & 63] : '=');
    }
    add(out, '"');
}

bool ctl_base64_read(const char *text, struct sl_buffer *out)
{
    size_t size = strlen(text);
    size_t padding = 0;
    uint32_t group = 0;

    if (size == 0 || size % 4 != 0)
        return false;
    while (padding < 2 && text[size - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < size; i++) {
        const char *digit = i < size - padding ? strchr(digits, text[i]) : digits;

        if (digit == NULL)
            return false;
        group = group << 6 | (uint32_t)(digit - digits);
        if (i % 4 != 3)
            continue;
        for (size_t j = 0; j < (i + 1 == size ? 3 - padding : 3); j++)
            add(out, (char)(group >> (16 - 8 * j) & 0xFF));
        if (i + 1 == size && (group & ((1u << 8 * padding) - 1)) != 0)
            return false; /* bits that no byte has */
        group = 0;
    }
    return true;
}
