/*
 * disk_shim.c -- preloaded into a program: what happens between it and its index on disk goes wrong as told, or
 * is written down.
 *
 * DISK_FAIL=CALL:N:ERROR:HOW   the Nth CALL (pwrite, writev, fdatasync, fsync, rename, or "any" of them) on a file
 *                              of the index fails with ERROR (EIO or ENOSPC), HOW: once or forever
 * DISK_RECORD=FILE             every write, sync, rename, creation and removal below DISK_ROOT goes into FILE
 *
 * A file of the index is one below a directory "env.<something>", or CURRENT beside it. LMDB's lock.mdb is left
 * alone: it holds nothing that must survive. `mark` is recorded for access("/MARK/<number>").
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);
FILE *fopen(const char *path, const char *mode);
FILE *fopen64(const char *path, const char *mode);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --------------------------------------------------------------------------------- which files */

static bool is_index_path(const char *path)
{
    const char *last = strrchr(path, '/');

    if (last == NULL || strcmp(last, "/lock.mdb") == 0 || strcmp(last, "/lock") == 0)
        return false;
    return strstr(path, "/env.") != NULL || strncmp(last, "/CURRENT", 8) == 0;
}

/* The path of an open file; false when it is none of the index. */
static bool path_of(int fd, char ret_path[PATH_MAX])
{
    char link[64];
    ssize_t size;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, ret_path, PATH_MAX - 1);
    if (size < 0)
        return false;
    ret_path[size] = '\0';
    return true;
}

static bool is_below_root(const char *path)
{
    const char *root = getenv("DISK_ROOT");

    return root != NULL && strncmp(path, root, strlen(root)) == 0;
}

/* ------------------------------------------------------------------------------------- failing */

static long failing_number, calls;
static int failing_error;
static bool failing_forever;
static char failing_call[16];

static void read_orders(void)
{
    const char *text = getenv("DISK_FAIL");
    char error[16], how[16];

    if (failing_number != 0)
        return;
    failing_number = -1;
    if (text == NULL ||
        sscanf(text, "%15[^:]:%ld:%15[^:]:%15s", failing_call, &failing_number, error, how) != 4)
        return;
    failing_error = strcmp(error, "ENOSPC") == 0 ? ENOSPC : EIO;
    failing_forever = strcmp(how, "forever") == 0;
}

static bool fails(const char *call, const char *path)
{
    bool failing;

    if (!is_index_path(path))
        return false;
    (void)pthread_mutex_lock(&lock);
    read_orders();
    if (failing_number > 0 && (strcmp(failing_call, "any") == 0 || strcmp(failing_call, call) == 0))
        calls++;
    failing = failing_number > 0 && calls > 0 &&
              (strcmp(failing_call, "any") == 0 || strcmp(failing_call, call) == 0) &&
              (failing_forever ? calls >= failing_number : calls == failing_number);
    (void)pthread_mutex_unlock(&lock);
    if (failing)
        errno = failing_error;
    return failing;
}

static bool fd_fails(const char *call, int fd)
{
    char path[PATH_MAX];

    return getenv("DISK_FAIL") != NULL && path_of(fd, path) && fails(call, path);
}

/* ----------------------------------------------------------------------------------- recording */

/* One event: type, synchronous, offset, sizes, then path, second path or data. */
struct event {
    uint32_t type, synchronous;
    int64_t offset;
    uint32_t path_bytes, data_bytes;
};

static void put(int fd, const void *data, size_t size)
{
    if (syscall(SYS_write, fd, data, size) != (long)size)
        abort();
}

static void record(char type, bool synchronous, const char *path, int64_t offset, const void *data,
                   size_t size)
{
    static int fd = -1;
    struct event event = {(uint32_t)type, synchronous, offset, (uint32_t)strlen(path),
                          (uint32_t)size};
    int code = errno;

    (void)pthread_mutex_lock(&lock);
    if (fd < 0)
        fd = (int)syscall(SYS_openat, AT_FDCWD, getenv("DISK_RECORD"),
                          O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    put(fd, &event, sizeof event);
    put(fd, path, event.path_bytes);
    put(fd, data, size);
    (void)pthread_mutex_unlock(&lock);
    errno = code;
}

static bool is_recorded(const char *path)
{
    return getenv("DISK_RECORD") != NULL && is_below_root(path) &&
           strstr(path, "/lock") == NULL;
}

static bool is_recorded_fd(int fd, char ret_path[PATH_MAX])
{
    return getenv("DISK_RECORD") != NULL && path_of(fd, ret_path) && is_recorded(ret_path);
}

static bool is_synchronous(int fd)
{
    return (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
}

/* -------------------------------------------------------------------------------------- writes */

static void wrote(int fd, const void *data, ssize_t size, off_t offset)
{
    char path[PATH_MAX];

    if (size > 0 && is_recorded_fd(fd, path))
        record('W', is_synchronous(fd), path, offset, data, (size_t)size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t done;

    if (fd_fails("pwrite", fd))
        return -1;
    done = REAL(pwrite)(fd, data, size, offset);
    wrote(fd, data, done, offset);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return pwrite(fd, data, size, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done;

    if (fd_fails("writev", fd))
        return -1;
    done = REAL(writev)(fd, parts, count);
    for (int i = 0; done > 0 && i < count; i++) {
        wrote(fd, parts[i].iov_base, (ssize_t)parts[i].iov_len, offset);
        offset += (off_t)parts[i].iov_len;
    }
    return done;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    ssize_t done;

    if (fd_fails("writev", fd))
        return -1;
    done = REAL(pwritev)(fd, parts, count, offset);
    for (int i = 0; done > 0 && i < count; i++) {
        wrote(fd, parts[i].iov_base, (ssize_t)parts[i].iov_len, offset);
        offset += (off_t)parts[i].iov_len;
    }
    return done;
}

/* --------------------------------------------------------------------------------------- syncs */

/* What stdio wrote never passed here: at a sync the whole of a small file is written down. */
static void synced(int fd)
{
    char path[PATH_MAX], content[4096];
    struct stat file;

    if (!is_recorded_fd(fd, path))
        return;
    if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && strstr(path, "/CURRENT") != NULL) {
        int own = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
        ssize_t size = own >= 0 ? pread(own, content, sizeof content, 0) : 0;
        if (size > 0)
            record('W', false, path, 0, content, (size_t)size);
        if (own >= 0)
            (void)close(own);
    }
    record('S', false, path, 0, "", 0);
}

int fdatasync(int fd)
{
    int rc;

    if (fd_fails("fdatasync", fd))
        return -1;
    rc = REAL(fdatasync)(fd);
    if (rc == 0)
        synced(fd);
    return rc;
}

int fsync(int fd)
{
    int rc;

    if (fd_fails("fsync", fd))
        return -1;
    rc = REAL(fsync)(fd);
    if (rc == 0)
        synced(fd);
    return rc;
}

/* --------------------------------------------------------------------------------------- names */

static int opened(const char *path, int flags, mode_t mode, int (*real)(const char *, int, ...))
{
    bool fresh = (flags & O_CREAT) != 0 && is_recorded(path) && faccessat(AT_FDCWD, path, F_OK, 0) != 0;
    int fd = real(path, flags, mode);

    if (fd >= 0 && fresh)
        record('C', false, path, 0, "", 0);
    return fd;
}

int open(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;

    va_start(more, flags);
    mode = (mode_t)va_arg(more, int);
    va_end(more);
    return opened(path, flags, mode, REAL(open));
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    mode_t mode;

    va_start(more, flags);
    mode = (mode_t)va_arg(more, int);
    va_end(more);
    return opened(path, flags, mode, REAL(open64));
}

static void created(const char *path, const char *mode, bool fresh, const FILE *file)
{
    if (file != NULL && mode[0] == 'w' && is_recorded(path))
        record(fresh ? 'C' : 'T', false, path, 0, "", 0);
}

FILE *fopen(const char *path, const char *mode)
{
    bool fresh = faccessat(AT_FDCWD, path, F_OK, 0) != 0;
    FILE *file = REAL(fopen)(path, mode);

    created(path, mode, fresh, file);
    return file;
}

FILE *fopen64(const char *path, const char *mode)
{
    bool fresh = faccessat(AT_FDCWD, path, F_OK, 0) != 0;
    FILE *file = REAL(fopen64)(path, mode);

    created(path, mode, fresh, file);
    return file;
}

int mkdir(const char *path, mode_t mode)
{
    int rc = REAL(mkdir)(path, mode);

    if (rc == 0 && is_recorded(path))
        record('K', false, path, 0, "", 0);
    return rc;
}

int rename(const char *from, const char *to)
{
    int rc;

    if (getenv("DISK_FAIL") != NULL && fails("rename", to))
        return -1;
    rc = REAL(rename)(from, to);
    if (rc == 0 && is_recorded(from))
        record('R', false, from, 0, to, strlen(to));
    return rc;
}

int unlink(const char *path)
{
    int rc = REAL(unlink)(path);

    if (rc == 0 && is_recorded(path))
        record('U', false, path, 0, "", 0);
    return rc;
}

int rmdir(const char *path)
{
    int rc = REAL(rmdir)(path);

    if (rc == 0 && is_recorded(path))
        record('U', false, path, 0, "", 0);
    return rc;
}

int access(const char *path, int mode)
{
    if (strncmp(path, "/MARK/", 6) == 0 && getenv("DISK_RECORD") != NULL) {
        record('M', false, "", atoll(path + 6), "", 0);
        return 0;
    }
    return REAL(access)(path, mode);
}
