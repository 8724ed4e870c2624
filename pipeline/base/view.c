/* view.c -- growable byte buffers. */
#include <sluice/view.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool reserve(struct sl_buffer *buffer, size_t more)
{
    size_t needed, capacity;
    char *data;

    if (buffer->failed || __builtin_add_overflow(buffer->size, more, &needed) ||
        __builtin_add_overflow(needed, (size_t)1, &needed)) {
        buffer->failed = true;
        return false;
    }
    if (needed <= buffer->capacity)
        return true;
    capacity = buffer->capacity ? buffer->capacity : 256;
    while (capacity < needed && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    if (capacity < needed)
        capacity = needed;
    data = realloc(buffer->data, capacity);
    if (data == NULL) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void sl_buffer_add(struct sl_buffer *buffer, const void *data, size_t size)
{
    if (!reserve(buffer, size))
        return;
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

void sl_buffer_view(struct sl_buffer *buffer, struct sl_view view)
{
    sl_buffer_add(buffer, view.data, view.size);
}

void sl_buffer_format(struct sl_buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    int size;

    va_start(arguments, format);
    va_copy(again, arguments);
    size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (size >= 0 && reserve(buffer, (size_t)size)) {
        (void)vsnprintf(buffer->data + buffer->size, (size_t)size + 1, format, again);
        buffer->size += (size_t)size;
    }
    va_end(again);
}

void sl_buffer_fini(struct sl_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct sl_buffer){0};
}
