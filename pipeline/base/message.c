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
