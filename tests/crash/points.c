/* points.c -- see points.h. */
#include "points.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static bool armed;
static int fatal, passed;
static enum points_way fatal_way;

void points_arm(int n, enum points_way way)
{
    armed = true;
    fatal = n;
    fatal_way = way;
    passed = 0;
}

int points_passed(void)
{
    return passed;
}

static bool is_the_end(void)
{
    return armed && ++passed == fatal;
}

static _Noreturn void end(void)
{
    (void)kill(getpid(), SIGKILL);
    abort();
}

/* As much as is still written; a kill is looked for by the kernel between pages. */
static size_t some_of(size_t size)
{
    return fatal_way == POINTS_AFTER ? size : size / 2 / 4096 * 4096;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    if (fd > STDERR_FILENO && is_the_end()) {
        (void)syscall(SYS_write, fd, bytes, some_of(size));
        end();
    }
    return syscall(SYS_write, fd, bytes, size);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at)
{
    if (is_the_end()) {
        (void)syscall(SYS_pwrite64, fd, bytes, some_of(size), at);
        end();
    }
    return syscall(SYS_pwrite64, fd, bytes, size, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    size_t left = 0;

    if (fd <= STDERR_FILENO || !is_the_end())
        return syscall(SYS_writev, fd, parts, count);
    for (int i = 0; i < count; i++)
        left += parts[i].iov_len;
    left = some_of(left);
    for (int i = 0; i < count && left > 0; i++) {
        size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
        (void)syscall(SYS_write, fd, parts[i].iov_base, size);
        left -= size;
    }
    end();
}

/* A call that is done whole or not at all. */
static int whole(long number, long a, long b, long c, long d)
{
    bool last = is_the_end();
    long rc;

    if (last && fatal_way == POINTS_HALF)
        end();
    rc = syscall(number, a, b, c, d);
    if (last)
        end();
    return (int)rc;
}

int ftruncate(int fd, off_t size)
{
    return whole(SYS_ftruncate, fd, size, 0, 0);
}

int fallocate(int fd, int mode, off_t at, off_t size)
{
    return whole(SYS_fallocate, fd, mode, at, size);
}

int fsync(int fd)
{
    return whole(SYS_fsync, fd, 0, 0, 0);
}

int fdatasync(int fd)
{
    return whole(SYS_fdatasync, fd, 0, 0, 0);
}

int msync(void *address, size_t size, int flags)
{
    return whole(SYS_msync, (long)address, (long)size, flags, 0);
}

int rename(const char *from, const char *to)
{
    return whole(SYS_renameat, AT_FDCWD, (long)from, AT_FDCWD, (long)to);
}

int unlink(const char *path)
{
    return whole(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0);
}

int rmdir(const char *path)
{
    return whole(SYS_unlinkat, AT_FDCWD, (long)path, AT_REMOVEDIR, 0);
}

int mkdir(const char *path, mode_t mode)
{
    return whole(SYS_mkdirat, AT_FDCWD, (long)path, (long)mode, 0);
}
