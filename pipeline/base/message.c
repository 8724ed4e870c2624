/* message.c -- looking into an envelope. */
#include <sluice/limits.h>
#include <sluice/message.h>

struct sl_view sl_message_header(const struct sl_message *message, const char *name)
{
    struct sl_view found = SL_VIEW_NULL;
    uint32_t count = message->header_count < SL_HEADERS_MAX ? message->header_count : SL_HEADERS_MAX;

    for (uint32_t i = 0; i < count; i++)
        if (sl_view_is(message->headers[i].name, name))
            found = message->headers[i].value;
    return found;
}

uint32_t sl_message_header_count(const struct sl_message *message, const char *name)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < message->header_count; i++)
        found += sl_view_is(message->headers[i].name, name);
    return found;
}
