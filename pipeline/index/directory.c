/*
 * directory.c -- the directory of an index: its lock, CURRENT, and the environments in it.
 *
 * The problem: an index is sometimes written anew as a whole (compaction, a backup), and a process may die at
 * any moment of that. The idea: what is being built is called env.new, and gets its number only when it is whole
 * and synced; CURRENT, replaced by rename, says which number is in use. So whatever is found under a number is
 * whole, whatever CURRENT does not name is rubbish, and the next writer to open the directory removes it.
 *
 * A generation that is filled for hours has to outlive its process. It gets a number as soon as it exists, and a line
 * of its own in CURRENT; so has every one that was in use before. As all lines are one file, one rename changes who
 * is what.
 *
 * Rejected: symbolic links (some tools copy what they point to), locking by a file's existence (it outlives its
 * owner), states in the names of the directories (two renames are no single step).
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

void sl_directory_name(uint32_t number, char ret_name[SL_ENVIRONMENT_NAME_BYTES])
{
    (void)snprintf(ret_name, SL_ENVIRONMENT_NAME_BYTES, "env.%u", number);
}

uint32_t sl_directory_number(const char *name)
{
    unsigned number;
    int used = 0;

    return sscanf(name, "env.%u%n", &number, &used) == 1 && name[used] == '\0' ? number : UINT32_MAX;
}

/* One line of CURRENT, without its newline. */
static bool read_line(struct sl_directory *directory, char *line, bool first)
{
    static const char building[] = "building ", retired[] = "retired ";
    char *to = directory->name;

    if (!first && strncmp(line, building, sizeof building - 1) == 0) {
        line += sizeof building - 1;
        to = directory->building;
    } else if (!first && strncmp(line, retired, sizeof retired - 1) == 0 &&
               directory->retired_count < SL_RETIRED_MAX) {
        line += sizeof retired - 1;
        to = directory->retired[directory->retired_count++];
    } else if (!first) {
        return false;
    }
    if (sl_directory_number(line) == UINT32_MAX || to[0] != '\0')
        return false;
    sl_directory_name(sl_directory_number(line), to);
    return true;
}

enum sl_err sl_directory_read_current(struct sl_directory *directory, struct sl_error *err)
{
    char path[PATH_MAX], line[2 * SL_ENVIRONMENT_NAME_BYTES];
    uint32_t lines = 0;
    bool good = true;
    FILE *file;

    directory->name[0] = directory->building[0] = '\0';
    memset(directory->retired, 0, sizeof directory->retired);
    directory->retired_count = 0;
    (void)snprintf(path, sizeof path, "%s/CURRENT", directory->path);
    file = fopen(path, "re");
    if (file == NULL)
        return errno == ENOENT ? check_lost(directory, err) : sl_path_error(path, "open", err);
    while (good && fgets(line, sizeof line, file) != NULL) {
        char *end = strchr(line, '\n');
        good = end != NULL;
        if (good) {
            *end = '\0';
            good = read_line(directory, line, lines++ == 0);
        }
    }
    (void)fclose(file);
    if (!good || lines == 0)
        return sl_stop(err, SL_EXIT_DATA, 0, "corrupt",
                       "%s: must hold one line, env.<number>; then at most one \"building "
                       "env.<number>\" and %u \"retired env.<number>\"",
                       path, SL_RETIRED_MAX);
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

/* CURRENT is written last, so what it names was whole once: a new one in its place would hide the loss. */
enum sl_err sl_directory_check(const struct sl_directory *directory, struct sl_error *err)
{
    char path[PATH_MAX];

    sl_directory_environment(directory, directory->name, "data.mdb", path);
    if (access(path, F_OK) == 0)
        return SL_OK;
    return sl_stop(err, SL_EXIT_DATA, errno, "corrupt",
                   "%s: CURRENT names it, but it is not there; bring it back, or empty the directory "
                   "%s to begin anew", path, directory->path);
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

bool sl_directory_is_full(const struct sl_directory *directory)
{
    struct statvfs room;

    return statvfs(directory->path, &room) == 0 && room.f_bavail < (1u << 20) / (room.f_frsize | 1);
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

static bool write_lines(const struct sl_directory *directory, FILE *file)
{
    bool good = fprintf(file, "%s\n", directory->name) > 0;

    if (directory->building[0] != '\0')
        good = good && fprintf(file, "building %s\n", directory->building) > 0;
    for (uint32_t i = 0; i < directory->retired_count; i++)
        good = good && fprintf(file, "retired %s\n", directory->retired[i]) > 0;
    return good;
}

enum sl_err sl_directory_write_current(const struct sl_directory *directory, bool *ret_unsure,
                                       struct sl_error *err)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    FILE *file;
    bool good;

    *ret_unsure = false;
    sl_directory_environment(directory, directory->name, NULL, path);
    if (sync_directory(path) != 0)
        return sl_path_error(path, "sync", err);
    (void)snprintf(path, sizeof path, "%s/CURRENT", directory->path);
    (void)snprintf(fresh, sizeof fresh, "%s/CURRENT.new", directory->path);
    file = fopen(fresh, "we");
    if (file == NULL)
        return sl_path_error(fresh, "create", err);
    good = write_lines(directory, file) && fflush(file) == 0 && fsync(fileno(file)) == 0;
    good = fclose(file) == 0 && good;
    if (!good || rename(fresh, path) != 0)
        return sl_path_error(path, "write", err);
    *ret_unsure = sync_directory(directory->path) != 0;
    return *ret_unsure ? sl_path_error(path, "sync", err) : SL_OK;
}

/* The number after all that CURRENT names. */
static uint32_t next_number(const struct sl_directory *directory)
{
    uint32_t next = 0;
    const char *names[SL_RETIRED_MAX + 2] = {directory->name, directory->building};

    for (uint32_t i = 0; i < directory->retired_count; i++)
        names[i + 2] = directory->retired[i];
    for (uint32_t i = 0; i < directory->retired_count + 2; i++) {
        uint32_t number = sl_directory_number(names[i]);
        if (number != UINT32_MAX && number >= next)
            next = number + 1;
    }
    return next;
}

enum sl_err sl_directory_settle(const struct sl_directory *directory,
                                char ret_name[SL_ENVIRONMENT_NAME_BYTES], struct sl_error *err)
{
    char from[PATH_MAX], to[PATH_MAX];

    sl_directory_name(next_number(directory), ret_name);
    sl_directory_environment(directory, SL_ENVIRONMENT_NEW, NULL, from);
    sl_directory_environment(directory, ret_name, NULL, to);
    sl_directory_remove(directory, ret_name);
    if (sync_directory(from) != 0 || rename(from, to) != 0 || sync_directory(directory->path) != 0)
        return sl_path_error(to, "rename", err);
    return SL_OK;
}

enum sl_err sl_directory_adopt(struct sl_directory *directory, bool *ret_unsure,
                               struct sl_error *err)
{
    struct sl_directory after = *directory;
    char from[PATH_MAX], to[PATH_MAX];
    enum sl_err rc;

    *ret_unsure = false;
    rc = sl_directory_settle(directory, after.name, err);
    if (rc != SL_OK)
        return rc;
    rc = sl_directory_write_current(&after, ret_unsure, err);
    if (rc == SL_OK) {
        *directory = after;
    } else if (!*ret_unsure) { /* to be discarded under its own name */
        sl_directory_environment(directory, after.name, NULL, from);
        sl_directory_environment(directory, SL_ENVIRONMENT_NEW, NULL, to);
        (void)rename(from, to);
    }
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

static bool is_named(const struct sl_directory *directory, const char *name)
{
    bool named = strcmp(name, directory->name) == 0 || strcmp(name, directory->building) == 0;

    for (uint32_t i = 0; i < directory->retired_count; i++)
        named = named || strcmp(name, directory->retired[i]) == 0;
    return named;
}

void sl_directory_clean(const struct sl_directory *directory)
{
    DIR *entries = opendir(directory->path);
    const struct dirent *entry;

    if (entries == NULL)
        return;
    while ((entry = readdir(entries)) != NULL)
        if (strcmp(entry->d_name, SL_ENVIRONMENT_NEW) == 0 ||
            (sl_directory_number(entry->d_name) != UINT32_MAX &&
             !is_named(directory, entry->d_name)))
            sl_directory_remove(directory, entry->d_name);
    (void)closedir(entries);
}
