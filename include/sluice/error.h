/*
 * sluice/error.h -- what a function says when it cannot carry on.
 *
 * The return code tells the caller what to DO; struct sl_error tells a person what happened.
 *
 *     SL_OK      carry on
 *     SL_AGAIN   full, busy or not there yet: wait, then repeat the same call
 *     SL_REJECT  this input can never work: set it aside (dead letter, error answer), carry on
 *     SL_STOP    state cannot be trusted, or cannot grow: shut down with `exit_code`
 *
 * On anything but SL_OK no `ret_...` argument has been touched, unless its contract says otherwise.
 */
#ifndef SLUICE_ERROR_H
#define SLUICE_ERROR_H

#include <stdarg.h>
#include <stddef.h>

enum sl_err { SL_OK = 0, SL_AGAIN, SL_REJECT, SL_STOP };

/* Exit codes of every program, after sysexits.h. */
enum sl_exit {
    SL_EXIT_OK = 0,
    SL_EXIT_USAGE = 64,
    SL_EXIT_DATA = 65,
    SL_EXIT_NOINPUT = 66,
    SL_EXIT_UNAVAILABLE = 69,
    SL_EXIT_SOFTWARE = 70,
    SL_EXIT_OS = 71,
    SL_EXIT_LOCKED = 73,
    SL_EXIT_IO = 74,
    SL_EXIT_TEMPORARY = 75,
    SL_EXIT_PERMISSION = 77,
    SL_EXIT_CONFIG = 78
};

/* Filled on failure. May be NULL wherever it is a parameter. */
struct sl_error {
    enum sl_err code;
    int exit_code;     /* enum sl_exit to leave with if this ends the program; 0 = not decided    */
    int foreign_code;  /* errno, MDB_*, rd_kafka_resp_err_t, CURLcode; 0 = none                   */
    char reason[40];   /* one fixed lower-case word from docs/REASONS.md: a metric label, a header */
    char message[320]; /* one line for a person: what, where, what is allowed. Never message text  */
};

/*
 * Fill `err` (if not NULL) and return `code`, so that `return sl_fail(...)` is one line.
 *
 * Pre:     code is not SL_OK; reason is a fixed word, not NULL.
 * Owns:    nothing; the strings are copied and cut to fit.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
enum sl_err sl_fail(struct sl_error *err, enum sl_err code, const char *reason, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

/*
 * As sl_fail, with SL_STOP, an exit code and the code of the library that failed.
 *
 * Owns:    nothing.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
enum sl_err sl_stop(struct sl_error *err, enum sl_exit exit_code, int foreign_code,
                    const char *reason, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Kept in every build: a caller that breaks a `Pre:` line has a bug, and the process ends. */
#define SL_PRE(condition)       sl_assert_((condition), #condition, __FILE__, __LINE__)
#define SL_POST(condition)      sl_assert_((condition), #condition, __FILE__, __LINE__)
#define SL_INVARIANT(condition) sl_assert_((condition), #condition, __FILE__, __LINE__)

_Noreturn void sl_assert_fail_(const char *condition, const char *file, int line);

static inline void sl_assert_(int holds, const char *condition, const char *file, int line)
{
    if (__builtin_expect(!holds, 0))
        sl_assert_fail_(condition, file, line);
}

/* `SL_CLEANUP(fn) T *p = NULL;` calls fn(&p) when p leaves scope. */
#define SL_CLEANUP(fn) __attribute__((cleanup(fn)))
/* Hand a pointer on: the value moves out, the variable becomes NULL. */
#define SL_TAKE(p)                                                                                 \
    __extension__({                                                                                \
        __typeof__(p) taken_ = (p);                                                                \
        (p) = NULL;                                                                                \
        taken_;                                                                                    \
    })

#endif /* SLUICE_ERROR_H */
