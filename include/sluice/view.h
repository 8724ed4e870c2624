/*
 * sluice/view.h -- bytes that belong to somebody else, and buffers of one's own.
 *
 * A view is not NUL-terminated and is never freed. data == NULL means "not there" (a Kafka null);
 * data != NULL with size 0 means "there, and empty". The two are different everywhere.
 */
#ifndef SLUICE_VIEW_H
#define SLUICE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sl_view {
    const char *data;
    size_t size;
};

#define SL_VIEW_NULL       ((struct sl_view){NULL, 0})
#define SL_VIEW(literal)   ((struct sl_view){("" literal ""), sizeof(literal) - 1})
#define SL_VIEW_ARG(view)  (int)(view).size, (view).data /* for "%.*s" */

static inline struct sl_view sl_view_of(const char *text)
{
    return (struct sl_view){text, text ? strlen(text) : 0};
}

static inline struct sl_view sl_view_range(struct sl_view whole, size_t start, size_t end)
{
    return (struct sl_view){whole.data + start, end - start};
}

static inline bool sl_view_equal(struct sl_view a, struct sl_view b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool sl_view_is(struct sl_view a, const char *text)
{
    return sl_view_equal(a, sl_view_of(text));
}

/* A growable byte buffer. {0} is an empty one. data is always NUL-terminated once not NULL. */
struct sl_buffer {
    char *data;
    size_t size;
    size_t capacity;
    bool failed; /* an allocation failed: contents are incomplete; checked once, at the end */
};

/*
 * Append bytes, a formatted text, or one character. After an allocation failure the call does nothing
 * and `failed` stays set.
 *
 * Owns:    the bytes are copied; the buffer owns its memory until sl_buffer_fini().
 * Thread:  one at a time.
 * Blocks:  no.
 * Errors:  buffer->failed
 */
void sl_buffer_add(struct sl_buffer *buffer, const void *data, size_t size);
void sl_buffer_view(struct sl_buffer *buffer, struct sl_view view);
void sl_buffer_format(struct sl_buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Free the memory and make the buffer empty again.
 *
 * Owns:    releases what the buffer owned.
 * Thread:  one at a time.
 * Blocks:  no.
 * Errors:  none.
 */
void sl_buffer_fini(struct sl_buffer *buffer);

#endif /* SLUICE_VIEW_H */
