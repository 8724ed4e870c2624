/* error.c -- filling struct sl_error, and the end of the process when a contract is broken. */
#include <sluice/error.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill(struct sl_error *err, enum sl_err code, int exit_code, int foreign_code,
                 const char *reason, const char *format, va_list arguments)
{
    if (err == NULL)
        return;
    err->code = code;
    err->exit_code = exit_code;
    err->foreign_code = foreign_code;
    (void)snprintf(err->reason, sizeof err->reason, "%s", reason);
    (void)vsnprintf(err->message, sizeof err->message, format, arguments);
}

enum sl_err sl_fail(struct sl_error *err, enum sl_err code, const char *reason, const char *format,
                    ...)
{
    va_list arguments;

    SL_PRE(code != SL_OK);
    va_start(arguments, format);
    fill(err, code, 0, 0, reason, format, arguments);
    va_end(arguments);
    return code;
}

enum sl_err sl_stop(struct sl_error *err, enum sl_exit exit_code, int foreign_code,
                    const char *reason, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(err, SL_STOP, (int)exit_code, foreign_code, reason, format, arguments);
    va_end(arguments);
    return SL_STOP;
}

_Noreturn void sl_assert_fail_(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "sluice: %s:%d: broken contract: %s\n", file, line, condition);
    abort();
}
