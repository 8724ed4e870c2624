/*
 * test_power.c -- the power goes at any moment: what was acknowledged is there, and whole.
 *
 * tool_disk_work runs once with every write, sync, rename and creation written down (disk_shim.c). Then its disk
 * is made anew as it may look after a power cut at each moment: what was synced is there, and of what was not
 * each write is there, or not, or in part (whole sectors), in any mixture; a name is sure only once its directory
 * was synced. Each such disk must open, hold exactly what some number of batches leave behind, not fewer than
 * were acknowledged by then, verify without a fault, and take the next batch.
 *
 * The control pretends that syncs do nothing, and must see losses.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk_work.h"
#include "test.h"

#define SECTOR      512u
#define IMAGES      240
#define FILES_MAX   64
#define EVENTS_MAX  20000

/* As disk_shim.c writes them. */
struct event_head {
    uint32_t type, synchronous;
    int64_t offset;
    uint32_t path_bytes, data_bytes;
};

struct event {
    char type;
    char *path;
    char *data; /* of R: the new path */
    uint32_t data_bytes;
    int64_t offset;
    int inode;     /* what it is about */
    int parent;    /* of C, K, R, U: the directory */
    int durable_at; /* the event after which it is sure; INT_MAX: never */
};

/* A file or directory of the disk that is made anew. */
struct inode {
    bool is_directory, exists;
    int parent;
    char name[NAME_MAX + 1];
    char *data;
    size_t size, room;
};

struct disk {
    struct inode inodes[FILES_MAX];
    int count;
};

static struct event events[EVENTS_MAX];
static int event_count;
static char root[1024];

/* ------------------------------------------------------------------------------------- reading */

static bool read_one(FILE *file, struct event *event)
{
    struct event_head head;

    if (fread(&head, sizeof head, 1, file) != 1)
        return false;
    *event = (struct event){.type = (char)head.type, .offset = head.offset,
                            .data_bytes = head.data_bytes, .durable_at = INT_MAX,
                            .inode = -1, .parent = -1};
    event->path = calloc(1, head.path_bytes + 1u);
    event->data = calloc(1, head.data_bytes + 1u);
    if ((head.path_bytes > 0 && fread(event->path, head.path_bytes, 1, file) != 1) ||
        (head.data_bytes > 0 && fread(event->data, head.data_bytes, 1, file) != 1))
        abort();
    if (head.synchronous != 0)
        event->durable_at = event_count;
    return true;
}

static const char *base_of(const char *path)
{
    return strrchr(path, '/') + 1;
}

static int find(const struct disk *disk, const char *path)
{
    char folder[PATH_MAX];
    int parent;

    if (strcmp(path, root) == 0)
        return 0;
    if (strlen(path) <= strlen(root))
        return -1;
    snprintf(folder, sizeof folder, "%.*s", (int)(base_of(path) - 1 - path), path);
    parent = find(disk, folder);
    for (int i = 1; parent >= 0 && i < disk->count; i++)
        if (disk->inodes[i].exists && disk->inodes[i].parent == parent &&
            strcmp(disk->inodes[i].name, base_of(path)) == 0)
            return i;
    return -1;
}

static int parent_of(const struct disk *disk, const char *path)
{
    char folder[PATH_MAX];

    snprintf(folder, sizeof folder, "%.*s", (int)(base_of(path) - 1 - path), path);
    return find(disk, folder);
}

/* With everything applied, say what each event is about: later ones may find other names. */
static void name_event(struct disk *disk, struct event *event)
{
    int other;

    if (event->type == 'M')
        return;
    event->inode = find(disk, event->path);
    event->parent = strcmp(event->path, root) == 0 ? -1 : parent_of(disk, event->path);
    if (event->type == 'C' || event->type == 'K') {
        event->inode = disk->count++;
        if (disk->count > FILES_MAX)
            abort();
        disk->inodes[event->inode] = (struct inode){
            .is_directory = event->type == 'K', .exists = true, .parent = event->parent};
        snprintf(disk->inodes[event->inode].name, sizeof disk->inodes[0].name, "%s",
                 base_of(event->path));
    } else if (event->type == 'R') {
        other = find(disk, event->data);
        if (other >= 0)
            disk->inodes[other].exists = false;
        snprintf(disk->inodes[event->inode].name, sizeof disk->inodes[0].name, "%s",
                 base_of(event->data));
    } else if (event->type == 'U' && event->inode >= 0) {
        disk->inodes[event->inode].exists = false;
    }
}

static void settle(const struct event *sync, int at)
{
    for (int i = 0; i < at; i++) {
        struct event *event = &events[i];
        bool content = event->type == 'W' || event->type == 'T';
        bool name = event->type == 'C' || event->type == 'K' || event->type == 'R' ||
                    event->type == 'U';
        if (event->durable_at == INT_MAX && ((content && event->inode == sync->inode) ||
                                             (name && event->parent == sync->inode)))
            event->durable_at = at;
    }
}

static void read_events(const char *path, bool syncs_count)
{
    static struct disk disk;
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        abort();
    memset(&disk, 0, sizeof disk);
    disk.count = 1;
    disk.inodes[0] = (struct inode){.is_directory = true, .exists = true, .parent = -1};
    for (event_count = 0; event_count < EVENTS_MAX && read_one(file, &events[event_count]);
         event_count++) {
        name_event(&disk, &events[event_count]);
        if (!syncs_count)
            events[event_count].durable_at = INT_MAX;
        else if (events[event_count].type == 'S')
            settle(&events[event_count], event_count);
    }
    (void)fclose(file);
}

/* -------------------------------------------------------------------------------- making anew */

static void write_bytes(struct inode *inode, const struct event *event, size_t size)
{
    size_t end = (size_t)event->offset + size;

    if (end > inode->room) {
        inode->data = realloc(inode->data, end * 2);
        memset(inode->data + inode->room, 0, end * 2 - inode->room);
        inode->room = end * 2;
    }
    memcpy(inode->data + event->offset, event->data, size);
    inode->size = end > inode->size ? end : inode->size;
}

/* A write that was under way: each sector is there or not. */
static void write_torn(struct inode *inode, const struct event *event)
{
    struct event part = *event;

    for (size_t at = 0; at < event->data_bytes; at += SECTOR) {
        size_t size = event->data_bytes - at < SECTOR ? event->data_bytes - at : SECTOR;
        part.offset = event->offset + (int64_t)at;
        part.data = event->data + at;
        if (test_random() % 2 == 0)
            write_bytes(inode, &part, size);
    }
}

static void apply(struct disk *disk, const struct event *event, bool torn)
{
    struct inode *inode = event->inode >= 0 ? &disk->inodes[event->inode] : NULL;

    if (event->type == 'C' || event->type == 'K') {
        inode->is_directory = event->type == 'K';
        inode->exists = true;
        inode->parent = event->parent;
        snprintf(inode->name, sizeof inode->name, "%s", base_of(event->path));
    } else if (event->type == 'R') {
        for (int i = 1; i < FILES_MAX; i++)
            if (disk->inodes[i].exists && disk->inodes[i].parent == event->parent &&
                strcmp(disk->inodes[i].name, base_of(event->data)) == 0)
                disk->inodes[i].exists = false;
        snprintf(inode->name, sizeof inode->name, "%s", base_of(event->data));
    } else if (event->type == 'U' && inode != NULL) {
        inode->exists = false;
    } else if (event->type == 'T' && inode != NULL) {
        inode->size = 0;
    } else if (event->type == 'W' && inode != NULL) {
        if (torn)
            write_torn(inode, event);
        else
            write_bytes(inode, event, event->data_bytes);
    }
}

/* The disk after a power cut behind event `at`; the one after it may have been under way. */
static void make_disk(struct disk *disk, int at)
{
    unsigned kept = (unsigned)(test_random() % 5); /* of what is not sure: none, a quarter, ... all */

    memset(disk, 0, sizeof *disk);
    disk->inodes[0] = (struct inode){.is_directory = true, .exists = true, .parent = -1};
    for (int i = 0; i <= at + 1 && i < event_count; i++) {
        bool sure = events[i].durable_at <= at;
        /* one sector is written whole or not at all: so are names, and LMDB's roots */
        bool torn = !sure && test_random() % 4 == 0;
        if (sure || test_random() % 4 < kept)
            apply(disk, &events[i], torn);
    }
}

static void path_in(const struct disk *disk, int inode, const char *target, char ret_path[PATH_MAX])
{
    char parent[PATH_MAX];

    if (inode == 0) {
        snprintf(ret_path, PATH_MAX, "%s", target);
        return;
    }
    path_in(disk, disk->inodes[inode].parent, target, parent);
    if ((size_t)snprintf(ret_path, PATH_MAX, "%s/%s", parent, disk->inodes[inode].name) >= PATH_MAX)
        abort();
}

static bool is_reachable(const struct disk *disk, int inode)
{
    while (inode > 0 && disk->inodes[inode].exists)
        inode = disk->inodes[inode].parent;
    return inode == 0;
}

static void write_disk(const struct disk *disk, const char *target)
{
    char path[PATH_MAX];

    for (int pass = 0; pass < 2; pass++) /* directories, then files */
        for (int i = 1; i < FILES_MAX; i++) {
            const struct inode *inode = &disk->inodes[i];
            int fd;
            if (!inode->exists || inode->is_directory != (pass == 0) || !is_reachable(disk, i))
                continue;
            path_in(disk, i, target, path);
            if (pass == 0) {
                (void)mkdir(path, 0700);
                continue;
            }
            fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
            if (fd < 0 || write(fd, inode->data, inode->size) != (ssize_t)inode->size)
                abort();
            (void)close(fd);
        }
}

/* ------------------------------------------------------------------------------------- looking */

enum verdict { GOOD, LOST, TORN, UNUSABLE };

static const char *const verdict_names[] = {"good", "lost", "torn", "unusable"};

static enum verdict look(const char *path, int64_t acked)
{
    struct sl_index_options options = {.path = path, .map_size_bytes = 1u << 28, .dim = WORK_DIM};
    struct sl_index *index;
    struct sl_error err;
    int64_t next = -1;

    if (sl_index_open(&options, &index, &err) != SL_OK) {
        if (getenv("VERBOSE") != NULL)
            fprintf(stderr, "%s\n", err.message);
        return UNUSABLE;
    }
    if (history_next(index, &next, &err) != SL_OK || next % work_history.batch != 0 ||
        test_verify(index, NULL) != 0 || history_compare(&work_history, index, next) != 0)
        return TORN;
    if (next < acked)
        return LOST;
    if (next < work_history.records && history_apply(&work_history, index, next, &err) != SL_OK)
        return UNUSABLE;
    sl_index_close(index);
    return GOOD;
}

static enum verdict look_in_child(const char *path, int64_t acked)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0)
        _exit((int)look(path, acked));
    (void)waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) <= UNUSABLE ? (enum verdict)WEXITSTATUS(status)
                                                                : UNUSABLE;
}

static int64_t acked_by(int at)
{
    int64_t acked = 0;

    for (int i = 0; i <= at; i++)
        if (events[i].type == 'M')
            acked = events[i].offset;
    return acked;
}

static void free_disk(struct disk *disk)
{
    for (int i = 0; i < FILES_MAX; i++)
        free(disk->inodes[i].data);
}

static void cut_at(int at, bool syncs_count, int counts[UNUSABLE + 1])
{
    static struct disk disk;
    char command[PATH_MAX + 32], target[PATH_MAX];
    enum verdict verdict;

    snprintf(target, sizeof target, "%s.cut", root);
    make_disk(&disk, at);
    if (mkdir(target, 0700) != 0)
        abort();
    write_disk(&disk, target);
    (void)strncat(target, "/index", sizeof target - strlen(target) - 1);
    verdict = look_in_child(target, acked_by(at));
    counts[verdict]++;
    if (verdict != GOOD && syncs_count)
        printf("%s after event %d of %d: %c %s\n", verdict_names[verdict], at, event_count,
               events[at].type, events[at].path);
    free_disk(&disk);
    snprintf(command, sizeof command, "rm -rf '%s.cut'", root);
    if (system(command) != 0)
        abort();
}

static void record_work(char trace[PATH_MAX])
{
    char command[8 * PATH_MAX];

    snprintf(root, sizeof root, "%s/disk", test_directory());
    snprintf(trace, PATH_MAX, "%.*s.trace", PATH_MAX - 10, root);
    snprintf(command, sizeof command,
             "mkdir '%s' && LD_PRELOAD='%s' DISK_ROOT='%s' DISK_RECORD='%s' DISK_WORK='%s/index' '%s' > /dev/null",
             root, DISK_SHIM, root, trace, root, TOOL_DISK_WORK);
    if (system(command) != 0)
        abort();
}

static int images_wanted(void)
{
    const char *text = getenv("IMAGES");

    if (text != NULL)
        return atoi(text);
    return getenv("SLUICE_TEST_LONG") != NULL ? 40 * IMAGES : IMAGES;
}

static void cut_everywhere(bool syncs_count, int counts[UNUSABLE + 1])
{
    char trace[PATH_MAX];
    int images = images_wanted();

    record_work(trace);
    read_events(trace, syncs_count);
    test_seed(1);
    /* every moment in turn, then again with other mixtures */
    for (int i = 0; i < images; i++)
        cut_at((int)((uint64_t)i * 7919u % (uint64_t)event_count), syncs_count, counts);
    printf("%d events, %d power cuts: %d good, %d lost, %d torn, %d unusable\n", event_count, images,
           counts[GOOD], counts[LOST], counts[TORN], counts[UNUSABLE]);
}

TEST(power_cuts_lose_nothing_acknowledged)
{
    int counts[UNUSABLE + 1] = {0};

    cut_everywhere(true, counts);
    printf("PROVED {\"promise\": \"disk.power_loss\", \"says\": \"acknowledged commits survive a power cut\", "
           "\"runs\": 1, \"faults\": %d, \"violations\": %d}\n",
           images_wanted(), counts[LOST] + counts[TORN] + counts[UNUSABLE]);
    CHECK(counts[LOST] == 0 && counts[TORN] == 0 && counts[UNUSABLE] == 0);
}

TEST(power_cuts_without_syncs_lose)
{
    int counts[UNUSABLE + 1] = {0};

    cut_everywhere(false, counts);
    printf("PROVED {\"promise\": \"disk.power_loss\", \"control\": true, \"violations\": %d}\n",
           counts[LOST] + counts[TORN] + counts[UNUSABLE]);
    CHECK(counts[LOST] > 0);
}
