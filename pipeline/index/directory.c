/*
 * directory.c -- the directory of an index: its lock, CURRENT, and the environments in it.
 *
 * The problem: an index is sometimes written anew as a whole (compaction, a backup), and a process may die at
 * any moment of that. The idea: what is being built is called env.new, and gets its number only when it is whole
 * and synced; CURRENT, replaced by rename, says which number is in use. So whatever is found under a number is
 * whole, whatever CURRENT does not name is rubbish, and the next writer to open the directory removes it.
 *
 * Rejected: symbolic links (some tools copy what they point to), locking by a file's existence (it outlives its
 * owner).
 */
#include "index/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum sl_err sl_path_error(const char *path, const char *doing, struct sl_error *err)
{
    int code = errno;
    bool denied = code == EACCES || code == EPERM || code == EROFS;

    if (code == ENOENT)
        return sl_stop(err, SL_EXIT_NOINPUT, code, "not_found", "%s: no index there", path);
    if (code == ENOSPC || code == EDQUOT)
        return sl_stop(err, SL_EXIT_IO, code, "disk_full", "%s: %s: no space left on the disk", path,
                       doing);
    return sl_stop(err, denied ? SL_EXIT_PERMISSION : SL_EXIT_IO, code,
                   denied ? "permission" : "io", "%s: %s: %s", path, doing, strerror(code));
}

/* LMDB needs a coherent map: file systems over the network are refused. */
static enum sl_err check_file_system(const char *path, struct sl_error *err)
{
    static const unsigned long remote[] = {0x6969, 0x517B, 0xFF534D42, 0xFE534D42, 0x01021997};
    struct statfs kind;

    if (statfs(path, &kind) != 0)
        return sl_path_error(path, "statfs", err);
    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++)
        if (((unsigned long)kind.f_type & 0xFFFFFFFFul) == remote[i])
            return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_format",
                           "%s: on a network file system; the index must lie on a local one", path);
    return SL_OK;
}

static enum sl_err take_lock(struct sl_directory *directory, struct sl_error *err)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/lock", directory->path);
    directory->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (directory->lock_fd < 0)
        return sl_path_error(path, "open", err);
    if (flock(directory->lock_fd, LOCK_EX | LOCK_NB) == 0) {
        (void)fcntl(directory->lock_fd, F_OFD_SETLK, &whole); /* one that can be asked about */
        return SL_OK;
    }
    if (errno == EWOULDBLOCK)
        return sl_stop(err, SL_EXIT_LOCKED, errno, "locked",
                       "%s: another process writes to this index (is sluiced running?)",
                       directory->path);
    return sl_path_error(path, "flock", err);
}

bool sl_directory_is_held(const struct sl_directory *directory)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    char path[PATH_MAX];
    bool held;
    int fd;

    (void)snprintf(path, sizeof path, "%s/lock", directory->path);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    held = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    (void)close(fd);
    return held;
}

/* Without CURRENT there is nothing, or an env.0 whose creation was cut short; any other has been in use. */
static enum sl_err check_lost(const struct sl_directory *directory, struct sl_error *err)
{
    DIR *entries = opendir(directory->path);
    const struct dirent *entry;
    unsigned number, lost = 0;

    if (entries == NULL)
        return sl_path_error(directory->path, "open", err);
    while ((entry = readdir(entries)) != NULL)
        if (sscanf(entry->d_name, "env.%u", &number) == 1 && number > lost)
            lost = number;
    (void)closedir(entries);
    return lost == 0 ? SL_OK
                     : sl_stop(err, SL_EXIT_DATA, 0, "corrupt",
                               "%s/CURRENT is not there, but env.%u is: make it with that name as "
                               "its one line, or empty the directory to begin anew",
                               directory->path, lost);
}

enum sl_err sl_directory_read_current(struct sl_directory *directory, struct sl_error *err)
{
    char path[PATH_MAX];
    char text[SL_ENVIRONMENT_NAME_BYTES] = "";
    unsigned number;
    int used = 0;
    FILE *file;

    directory->name[0] = '\0';
    (void)snprintf(path, sizeof path, "%s/CURRENT", directory->path);
    file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? check_lost(directory, err) : sl_path_error(path, "open", err);
    if (fgets(text, sizeof text, file) == NULL)
        text[0] = '\0';
    (void)fclose(file);
    if (sscanf(text, "env.%u%n", &number, &used) != 1 || strcmp(text + used, "\n") != 0)
        return sl_stop(err, SL_EXIT_DATA, 0, "corrupt", "%s: must hold one line, env.<number>",
                       path);
    text[used] = '\0';
    memcpy(directory->name, text, sizeof text);
    return SL_OK;
}

/* What is named in a directory is sure to be found after a power cut only once the directory is synced. */
static int sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync(fd);

    if (fd >= 0)
        (void)close(fd);
    return rc;
}

static enum sl_err make_directory(const char *path, struct sl_error *err)
{
    char parent[PATH_MAX];

    if (mkdir(path, 0700) != 0)
        return errno == EEXIST ? SL_OK : sl_path_error(path, "mkdir", err);
    (void)snprintf(parent, sizeof parent, "%s/..", path);
    if (sync_directory(parent) != 0 && errno != EACCES)
        return sl_path_error(parent, "sync", err);
    return SL_OK;
}

enum sl_err sl_directory_open(const char *path, bool read_only,
                              struct sl_directory *ret_directory, struct sl_error *err)
{
    enum sl_err rc = SL_OK;

    *ret_directory = (struct sl_directory){.lock_fd = -1};
    if ((size_t)snprintf(ret_directory->path, sizeof ret_directory->path, "%s", path) >=
        sizeof ret_directory->path) {
        errno = ENAMETOOLONG;
        return sl_path_error(path, "open", err);
    }
    if (!read_only)
        rc = make_directory(path, err);
    if (rc == SL_OK)
        rc = check_file_system(path, err);
    if (rc == SL_OK && !read_only)
        rc = take_lock(ret_directory, err);
    return rc == SL_OK ? sl_directory_read_current(ret_directory, err) : rc;
}

void sl_directory_fini(struct sl_directory *directory)
{
    if (directory->lock_fd >= 0)
        (void)close(directory->lock_fd);
    directory->lock_fd = -1;
}

void sl_directory_environment(const struct sl_directory *directory, const char *name,
                              const char *file, char ret_path[PATH_MAX])
{
    (void)snprintf(ret_path, PATH_MAX, "%s/%s%s%s", directory->path, name, file != NULL ? "/" : "",
                   file != NULL ? file : "");
}

/* -------------------------------------------------------------------------------------- room */

enum sl_err sl_directory_room(const struct sl_directory *directory, uint64_t needed_bytes,
                              struct sl_error *err)
{
    struct statvfs room;
    uint64_t free_bytes;

    if (statvfs(directory->path, &room) != 0)
        return sl_path_error(directory->path, "statvfs", err);
    free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
    if (needed_bytes <= free_bytes)
        return SL_OK;
    return sl_stop(err, SL_EXIT_IO, ENOSPC, "disk_full",
                   "%s: %llu bytes are needed on this disk, %llu are free", directory->path,
                   (unsigned long long)needed_bytes, (unsigned long long)free_bytes);
}

enum sl_err sl_directory_empty(const struct sl_directory *directory, struct sl_error *err)
{
    DIR *entries = opendir(directory->path);
    const struct dirent *entry;
    bool empty = true;

    if (entries == NULL)
        return sl_path_error(directory->path, "open", err);
    while (empty && (entry = readdir(entries)) != NULL)
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                strcmp(entry->d_name, "lock") == 0 || strcmp(entry->d_name, "lost+found") == 0;
    (void)closedir(entries);
    return empty ? SL_OK
                 : sl_stop(err, SL_EXIT_USAGE, 0, "not_empty",
                           "%s: must be an empty directory, or not there", directory->path);
}

/* ------------------------------------------------------------------------------ replacing */

static enum sl_err write_current(const struct sl_directory *directory, bool *ret_unsure,
                                 struct sl_error *err)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    FILE *file;
    bool good;

    (void)snprintf(path, sizeof path, "%s/CURRENT", directory->path);
    (void)snprintf(fresh, sizeof fresh, "%s/CURRENT.new", directory->path);
    file = fopen(fresh, "we");
    if (file == NULL)
        return sl_path_error(fresh, "create", err);
    good = fprintf(file, "%s\n", directory->name) > 0 && fflush(file) == 0 &&
           fsync(fileno(file)) == 0;
    good = fclose(file) == 0 && good;
    if (!good || rename(fresh, path) != 0)
        return sl_path_error(path, "write", err);
    *ret_unsure = sync_directory(directory->path) != 0;
    return *ret_unsure ? sl_path_error(path, "sync", err) : SL_OK;
}

enum sl_err sl_directory_write_current(const struct sl_directory *directory, struct sl_error *err)
{
    char path[PATH_MAX];
    bool unsure;

    sl_directory_environment(directory, directory->name, NULL, path);
    if (sync_directory(path) != 0)
        return sl_path_error(path, "sync", err);
    return write_current(directory, &unsure, err);
}

enum sl_err sl_directory_adopt(struct sl_directory *directory, bool *ret_unsure,
                               struct sl_error *err)
{
    struct sl_directory after = *directory;
    char from[PATH_MAX], to[PATH_MAX];
    unsigned number = 0;
    enum sl_err rc;

    *ret_unsure = false;
    if (sscanf(directory->name, "env.%u", &number) == 1)
        number++;
    (void)snprintf(after.name, sizeof after.name, "env.%u", number);
    sl_directory_environment(directory, SL_ENVIRONMENT_NEW, NULL, from);
    sl_directory_environment(directory, after.name, NULL, to);
    sl_directory_remove(directory, after.name);
    if (sync_directory(from) != 0 || rename(from, to) != 0 || sync_directory(directory->path) != 0)
        return sl_path_error(to, "rename", err);
    rc = write_current(&after, ret_unsure, err);
    if (rc == SL_OK)
        *directory = after;
    else if (!*ret_unsure)
        (void)rename(to, from); /* to be discarded under its own name */
    return rc;
}

/* ------------------------------------------------------------------------------- removing */

void sl_directory_remove(const struct sl_directory *directory, const char *name)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        sl_directory_environment(directory, name, files[i], path);
        (void)unlink(path);
    }
    sl_directory_environment(directory, name, NULL, path);
    (void)rmdir(path);
}

/* "env.new", or "env." and a number. */
static bool is_environment(const char *name)
{
    unsigned number;
    int used = 0;

    return strcmp(name, SL_ENVIRONMENT_NEW) == 0 ||
           (sscanf(name, "env.%u%n", &number, &used) == 1 && name[used] == '\0');
}

void sl_directory_clean(const struct sl_directory *directory)
{
    DIR *entries = opendir(directory->path);
    const struct dirent *entry;

    if (entries == NULL)
        return;
    while ((entry = readdir(entries)) != NULL)
        if (is_environment(entry->d_name) && strcmp(entry->d_name, directory->name) != 0)
            sl_directory_remove(directory, entry->d_name);
    (void)closedir(entries);
}
