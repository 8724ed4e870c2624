/*
 * signals.c -- signalfd() around the few signals the daemon knows.
 *
 * A handler may do almost nothing safely, and which thread runs it is chance. Blocked everywhere and read from a
 * descriptor, a signal is one more event of main's loop.
 */
#include "daemon/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum sl_err sl_signals_open(int *ret_descriptor, struct sl_error *err)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;
    int descriptor;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaction(SIGPIPE, &ignore, NULL);
    descriptor = pthread_sigmask(SIG_BLOCK, &set, NULL) != 0
                     ? -1
                     : signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor < 0)
        return sl_stop(err, SL_EXIT_OS, errno, "signals", "signals: %s", strerror(errno));
    *ret_descriptor = descriptor;
    return SL_OK;
}

int sl_signals_next(int descriptor, uint32_t wait_ms)
{
    struct pollfd polled = {.fd = descriptor, .events = POLLIN};
    struct signalfd_siginfo info;

    if (poll(&polled, 1, (int)wait_ms) <= 0)
        return 0;
    if (read(descriptor, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    return (int)info.ssi_signo;
}
