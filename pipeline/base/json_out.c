/*
 * json_out.c -- JSON text, valid whatever the input. It never holds a character that ends a line, not
 * even those JSON would allow (U+0085, U+2028, U+2029): readers of JSON lines differ in what a line is.
 */
#include <sluice/json.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Length of the valid UTF-8 sequence at p, or 0. */
static size_t sequence(const unsigned char *p, size_t left)
{
    unsigned char a = p[0];

    if (a < 0x80)
        return 1;
    if (a >= 0xC2 && a <= 0xDF)
        return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
    if (a >= 0xE0 && a <= 0xEF) {
        if (left < 3 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80)
            return 0;
        if ((a == 0xE0 && p[1] < 0xA0) || (a == 0xED && p[1] > 0x9F))
            return 0;
        return 3;
    }
    if (a >= 0xF0 && a <= 0xF4) {
        if (left < 4 || (p[1] & 0xC0) != 0x80 || (p[2] & 0xC0) != 0x80 || (p[3] & 0xC0) != 0x80)
            return 0;
        if ((a == 0xF0 && p[1] < 0x90) || (a == 0xF4 && p[1] > 0x8F))
            return 0;
        return 4;
    }
    return 0;
}

/* The escape of the character at p when it ends a line for some reader, and is no ASCII; else NULL. */
static const char *line_end(const unsigned char *p, size_t size)
{
    if (size == 2 && p[0] == 0xC2 && p[1] == 0x85)
        return "\\u0085";
    if (size == 3 && p[0] == 0xE2 && p[1] == 0x80 && (p[2] == 0xA8 || p[2] == 0xA9))
        return p[2] == 0xA8 ? "\\u2028" : "\\u2029";
    return NULL;
}

void sl_json_string(struct sl_buffer *buffer, struct sl_view text)
{
    const unsigned char *p = (const unsigned char *)text.data;
    size_t start = 0, i = 0;

    if (text.data == NULL) {
        sl_buffer_view(buffer, SL_VIEW("null"));
        return;
    }
    sl_buffer_view(buffer, SL_VIEW("\""));
    while (i < text.size) {
        size_t size = sequence(p + i, text.size - i);
        const char *escape = line_end(p + i, size);

        if (size == 1 && p[i] >= 0x20 && p[i] != '"' && p[i] != '\\' && p[i] != 0x7F) {
            i++;
            continue;
        }
        if (size > 1 && escape == NULL) {
            i += size;
            continue;
        }
        sl_buffer_add(buffer, text.data + start, i - start);
        if (size == 0)
            sl_buffer_view(buffer, SL_VIEW("\xEF\xBF\xBD"));
        else if (escape != NULL)
            sl_buffer_view(buffer, sl_view_of(escape));
        else if (p[i] == '"' || p[i] == '\\')
            sl_buffer_format(buffer, "\\%c", p[i]);
        else if (p[i] == '\n')
            sl_buffer_view(buffer, SL_VIEW("\\n"));
        else if (p[i] == '\t')
            sl_buffer_view(buffer, SL_VIEW("\\t"));
        else if (p[i] == '\r')
            sl_buffer_view(buffer, SL_VIEW("\\r"));
        else
            sl_buffer_format(buffer, "\\u%04x", p[i]);
        i += size > 0 ? size : 1;
        start = i;
    }
    sl_buffer_add(buffer, text.data + start, i - start);
    sl_buffer_view(buffer, SL_VIEW("\""));
}

void sl_json_name(struct sl_buffer *buffer, const char *name)
{
    if (buffer->size > 0 && buffer->data[buffer->size - 1] != '{' &&
        buffer->data[buffer->size - 1] != '[')
        sl_buffer_view(buffer, SL_VIEW(", "));
    sl_json_string(buffer, sl_view_of(name));
    sl_buffer_view(buffer, SL_VIEW(": "));
}

void sl_json_number(struct sl_buffer *buffer, double number)
{
    char text[40];

    if (!isfinite(number)) {
        sl_buffer_view(buffer, SL_VIEW("null"));
        return;
    }
    for (int digits = 6; digits <= 17; digits += digits == 6 ? 9 : 2) {
        (void)snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    for (char *c = text; *c != '\0'; c++)
        if (*c == ',')
            *c = '.';
    sl_buffer_view(buffer, sl_view_of(text));
}
