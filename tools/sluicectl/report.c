/*
 * report.c -- messages and output. Errors go to standard error, results to standard output, so that
 * a result can be piped while its troubles are seen. With --json an error is one object, for
 * scripts that read it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <sluice/json.h>

#include "ctl.h"

static void say(const struct ctl *ctl, int exit_code, const char *reason, const char *message)
{
    struct sl_buffer line = {0};

    if (!ctl->json) {
        fprintf(stderr, "sluicectl %s: %s%s%s%s\n", ctl->command, message, reason[0] ? " (" : "",
                reason, reason[0] ? ")" : "");
        return;
    }
    sl_buffer_format(&line, "{");
    sl_json_name(&line, "error");
    sl_json_string(&line, sl_view_of(message));
    if (reason[0] != '\0') {
        sl_json_name(&line, "reason");
        sl_json_string(&line, sl_view_of(reason));
    }
    sl_json_name(&line, "exit_code");
    sl_buffer_format(&line, "%d}\n", exit_code);
    if (!line.failed)
        fwrite(line.data, 1, line.size, stderr);
    sl_buffer_fini(&line);
}

int ctl_fail(const struct ctl *ctl, int exit_code, const char *format, ...)
{
    char message[1024];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    say(ctl, exit_code, "", message);
    return exit_code;
}

int ctl_fail_error(const struct ctl *ctl, const struct sl_error *err, int otherwise)
{
    int exit_code = err->exit_code != 0 ? err->exit_code : otherwise;

    say(ctl, exit_code, err->reason, err->message);
    return exit_code;
}

void ctl_show(struct sl_buffer *out, struct sl_view text, bool lines)
{
    size_t shown = 0;

    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        unsigned char next = i + 1 < text.size ? (unsigned char)text.data[i + 1] : 0;
        bool wide = c == 0xC2 && next >= 0x80 && next < 0xA0; /* U+0080 to U+009F */

        if (!wide && c != 0x7F && (c >= 0x20 || (lines && (c == '\n' || c == '\t'))))
            continue;
        sl_buffer_view(out, sl_view_range(text, shown, i));
        sl_buffer_format(out, "?");
        i += wide;
        shown = i + 1;
    }
    sl_buffer_view(out, sl_view_range(text, shown, text.size));
}

int ctl_print(const struct ctl *ctl, struct sl_buffer *buffer)
{
    int exit_code = SL_EXIT_OK;

    if (buffer->failed)
        exit_code = ctl_fail(ctl, SL_EXIT_OS, "no memory for the output");
    else if (buffer->size > 0 && fwrite(buffer->data, 1, buffer->size, stdout) != buffer->size)
        exit_code =
            ctl_fail(ctl, SL_EXIT_IO, "cannot write to standard output: %s", strerror(errno));
    else if (fflush(stdout) != 0)
        exit_code =
            ctl_fail(ctl, SL_EXIT_IO, "cannot write to standard output: %s", strerror(errno));
    sl_buffer_fini(buffer);
    return exit_code;
}
