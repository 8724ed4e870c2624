/*
 * pages.c -- the pages of an LMDB file, checked before LMDB trusts them.
 *
 * The problem: records carry checksums, the pages that lead to them do not. LMDB follows page numbers and
 * offsets as it finds them: a flipped bit there is a crash, or a record that is silently not found, or,
 * with a bit of the root's transaction number, the state of one commit ago.
 *
 * The idea: read the file once before LMDB maps it, with pread(), so that a bad sector is an error and not
 * a signal. Every page has one owner: a tree, a long value, or the free list. A page number that changed
 * leads to a page that somebody else has too, or that says it is another. Keys are in order and between
 * those of the branch above, so a key that changed either is still found, or breaks the order, or is that
 * of a record whose checksum covers it. Of the two roots the newer must hold the higher sequence of
 * commits. What remains unseen cannot change an answer: unused bytes, and fields LMDB does not read.
 *
 * Rejected: a checksum for each page kept beside the file (LMDB writes pages by itself, and the two would
 * have to move together); only catching the signals (a wrong turn mostly ends on a page of good form).
 *
 * Known weakness: it knows the file format of LMDB 0.9 (data version 1); another is refused. What rots
 * after the start is met by the checksums of records and by the daemon's handler of memory faults.
 */
#include "index/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/hash.h>

#define MAGIC         0xBEEFC0DEu
#define DATA_VERSION  1u
#define PAGE_BRANCH   0x01u
#define PAGE_LEAF     0x02u
#define PAGE_OVERFLOW 0x04u
#define PAGE_META     0x08u
#define NODE_BIG      0x01u /* the value has pages of its own */
#define NODE_TREE     0x02u /* the value is a tree            */
#define INTEGER_KEYS  0x08u
#define PAGE_HEADER   16u
#define NODE_HEADER   8u
#define PAGE_SIZE_MIN 512u
#define PAGE_SIZE_MAX 65536u
#define DEPTH_MAX     32u
#define TABLES_MAX    64u
#define NAME_BYTES    32u
#define CRC_BYTES     4u
#define NO_ROOT       UINT64_MAX

struct tree { /* as stored */
    uint32_t pad;
    uint16_t flags, depth;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};

struct meta { /* as stored */
    uint32_t magic, version;
    uint64_t address, map_bytes;
    struct tree trees[2]; /* free list, tables */
    uint64_t last_page, commit;
};

struct page_header { /* as stored */
    uint64_t number;
    uint16_t pad, flags;
    uint16_t lower, upper; /* of a long value: its pages, as one number */
};

struct node {
    struct sl_view key;
    const char *value; /* in the page; NODE_BIG: the number of its first page */
    uint32_t size;     /* of the value */
    uint64_t child;    /* of a branch */
    uint16_t flags;
    size_t bytes; /* it takes in the page */
};

enum kind { FREE_LIST, TABLES, RECORDS };

struct walk { /* of one tree */
    const struct tree *tree;
    enum kind kind;
    struct sl_view name;
    bool slabs;
    uint64_t branch_pages, leaf_pages, overflow_pages, entries;
};

struct table {
    char name[NAME_BYTES];
    size_t name_bytes;
    struct tree tree;
};

struct check {
    const struct sl_pages_options *options;
    struct sl_error *err;
    int fd;
    size_t page_bytes;
    struct meta meta;
    uint8_t *claimed;   /* a bit a page */
    char *pages;        /* one for each level */
    char *value;        /* a long one */
    size_t value_bytes; /* room for it */
    uint64_t claims;
    struct table tables[TABLES_MAX];
    uint32_t table_count;
};

/* ----------------------------------------------------------------------------------- reading */

static enum sl_err corrupt(struct check *check, uint64_t page, const char *what)
{
    return sl_stop(check->err, SL_EXIT_DATA, 0, "corrupt",
                   "%s: page %llu: %s; put a copy in its place, or empty the directory and the index "
                   "is built again",
                   check->options->file, (unsigned long long)page, what);
}

static enum sl_err read_bytes(struct check *check, uint64_t page, void *ret_bytes, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(check->fd, (char *)ret_bytes + done, size - done,
                            (off_t)(page * check->page_bytes + done));
        if (got == 0)
            return corrupt(check, page, "beyond the end: the file has been cut short");
        if (got < 0 && errno != EINTR)
            return sl_stop(check->err, SL_EXIT_IO, errno, "io", "%s: page %llu: %s",
                           check->options->file, (unsigned long long)page, strerror(errno));
        done += got > 0 ? (size_t)got : 0;
    }
    return SL_OK;
}

static enum sl_err claim(struct check *check, uint64_t first, uint64_t count)
{
    for (uint64_t page = first; page < first + count; page++) {
        if (page < 2 || page > check->meta.last_page)
            return corrupt(check, page, "there is no such page");
        if ((check->claimed[page / 8] >> (page % 8) & 1) != 0)
            return corrupt(check, page, "it is used twice");
        check->claimed[page / 8] |= (uint8_t)(1u << (page % 8));
        check->claims++;
    }
    return SL_OK;
}

static struct page_header header_of(const char *page)
{
    struct page_header header;

    memcpy(&header, page, sizeof header);
    return header;
}

/* The value's own pages, whole or only the first, as one piece after their header. */
static enum sl_err read_long(struct check *check, uint64_t page, uint64_t count, uint64_t read,
                             const char **ret_value)
{
    size_t size = read * check->page_bytes;
    struct page_header header;
    enum sl_err rc;

    if (size > check->value_bytes) {
        free(check->value);
        check->value = malloc(size);
        check->value_bytes = check->value != NULL ? size : 0;
        if (check->value == NULL)
            return sl_stop(check->err, SL_EXIT_OS, ENOMEM, "memory", "index: out of memory");
    }
    rc = read_bytes(check, page, check->value, size);
    if (rc != SL_OK)
        return rc;
    header = header_of(check->value);
    if (header.number != page || header.flags != PAGE_OVERFLOW ||
        ((uint64_t)header.upper << 16 | header.lower) != count)
        return corrupt(check, page, "is not the first page of a long value");
    *ret_value = check->value + PAGE_HEADER;
    return SL_OK;
}

/* A node of a page whose `lower` and `upper` are good. false: it does not lie in the page. */
static bool read_node(const struct check *check, const char *page, unsigned at, bool branch,
                      struct node *ret_node)
{
    struct page_header header = header_of(page);
    uint16_t place, parts[4];
    size_t size;

    memcpy(&place, page + PAGE_HEADER + 2u * at, sizeof place);
    if (place < header.upper || place + NODE_HEADER > check->page_bytes)
        return false;
    memcpy(parts, page + place, sizeof parts);
    *ret_node = (struct node){.key = {page + place + NODE_HEADER, parts[3]}};
    size = NODE_HEADER + parts[3];
    if (branch) {
        ret_node->child = (uint64_t)parts[2] << 32 | (uint64_t)parts[1] << 16 | parts[0];
    } else {
        ret_node->flags = parts[2];
        ret_node->size = (uint32_t)parts[1] << 16 | parts[0];
        ret_node->value = page + place + size;
        size += (parts[2] & NODE_BIG) != 0 ? sizeof(uint64_t) : ret_node->size;
    }
    ret_node->bytes = (size + 1) & ~(size_t)1;
    return place + ret_node->bytes <= check->page_bytes;
}

static enum sl_err read_page(struct check *check, uint64_t number, uint16_t flags, char *ret_page,
                             unsigned *ret_nodes)
{
    enum sl_err rc = read_bytes(check, number, ret_page, check->page_bytes);
    struct page_header header;

    if (rc != SL_OK)
        return rc;
    header = header_of(ret_page);
    if (header.number != number || header.flags != flags)
        return corrupt(check, number, "is not the page that is looked for");
    if (header.lower <= PAGE_HEADER || header.lower % 2 != 0 || header.upper < header.lower ||
        header.upper > check->page_bytes)
        return corrupt(check, number, "senseless bounds");
    *ret_nodes = (header.lower - PAGE_HEADER) / 2u;
    return SL_OK;
}

/* ----------------------------------------------------------------------------------- records */

static uint64_t long_pages(const struct check *check, uint32_t size)
{
    return (PAGE_HEADER - 1 + (uint64_t)size) / check->page_bytes + 1;
}

/* The value of a node, its pages claimed. Of a slab only the first page is read. */
static enum sl_err value_of(struct check *check, struct walk *walk, const struct node *node,
                            const char **ret_value)
{
    uint64_t first, count;
    enum sl_err rc;

    *ret_value = node->value;
    if ((node->flags & NODE_BIG) == 0)
        return SL_OK;
    memcpy(&first, node->value, sizeof first);
    count = long_pages(check, node->size);
    walk->overflow_pages += count;
    rc = claim(check, first, count);
    return rc == SL_OK ? read_long(check, first, count, walk->slabs ? 1 : count, ret_value) : rc;
}

static bool is_intact(const struct node *node, const char *value)
{
    uint32_t stored;

    if (node->size < CRC_BYTES)
        return false;
    memcpy(&stored, value, sizeof stored);
    return stored == sl_crc32c(sl_crc32c(0, node->key.data, node->key.size), value + CRC_BYTES,
                               node->size - CRC_BYTES);
}

/* Does the slab say the number it lies under? */
static bool is_slab(const struct node *node, const char *value)
{
    const unsigned char *key = (const unsigned char *)node->key.data;
    uint32_t slab;

    if (node->size < CRC_BYTES + sizeof slab || node->key.size != sizeof slab)
        return false;
    memcpy(&slab, value + CRC_BYTES, sizeof slab);
    return slab == ((uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3]);
}

static enum sl_err check_record(struct check *check, struct walk *walk, uint64_t page,
                                const struct node *node)
{
    const char *value;
    enum sl_err rc;

    if ((node->flags & ~NODE_BIG) != 0)
        return corrupt(check, page, "a record of another kind");
    rc = value_of(check, walk, node, &value);
    if (rc == SL_OK && !(walk->slabs ? is_slab(node, value) : is_intact(node, value)))
        check->options->damaged(check->options->context, walk->name, node->key);
    return rc;
}

/* Pages that a commit gave back: how many, and their numbers. */
static enum sl_err check_free(struct check *check, struct walk *walk, uint64_t page,
                              const struct node *node)
{
    uint64_t count, number;
    const char *value;
    enum sl_err rc;

    if ((node->flags & ~NODE_BIG) != 0 || node->size < sizeof count)
        return corrupt(check, page, "senseless free list");
    rc = value_of(check, walk, node, &value);
    if (rc != SL_OK)
        return rc;
    memcpy(&count, value, sizeof count);
    if (count > node->size / sizeof count - 1)
        return corrupt(check, page, "senseless free list");
    for (uint64_t i = 0; rc == SL_OK && i < count; i++) {
        memcpy(&number, value + (i + 1) * sizeof number, sizeof number);
        rc = claim(check, number, 1);
    }
    return rc;
}

static enum sl_err check_table(struct check *check, uint64_t page, const struct node *node)
{
    struct table *table = &check->tables[check->table_count];

    if (node->flags != NODE_TREE || node->size != sizeof table->tree ||
        check->table_count == TABLES_MAX || node->key.size > sizeof table->name)
        return corrupt(check, page, "senseless list of tables");
    memcpy(table->name, node->key.data, node->key.size);
    memcpy(&table->tree, node->value, sizeof table->tree);
    table->name_bytes = node->key.size;
    check->table_count++;
    return SL_OK;
}

/* ------------------------------------------------------------------------------------- trees */

static int compare(enum kind kind, struct sl_view a, struct sl_view b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    uint64_t x, y;
    int order;

    if (kind == FREE_LIST) {
        memcpy(&x, a.data, sizeof x);
        memcpy(&y, b.data, sizeof y);
        return (x > y) - (x < y);
    }
    order = memcmp(a.data, b.data, size);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* low <= key < high, where an end without data is open. */
static bool is_between(enum kind kind, struct sl_view key, struct sl_view low, struct sl_view high)
{
    if (kind == FREE_LIST && key.size != sizeof(uint64_t))
        return false;
    return (low.data == NULL || compare(kind, low, key) <= 0) &&
           (high.data == NULL || compare(kind, key, high) < 0);
}

static enum sl_err check_leaf_node(struct check *check, struct walk *walk, uint64_t page,
                                   const struct node *node)
{
    walk->entries++;
    if (walk->kind == FREE_LIST)
        return check_free(check, walk, page, node);
    return walk->kind == TABLES ? check_table(check, page, node)
                                : check_record(check, walk, page, node);
}

/* All nodes lie in the page, one beside the other, and their keys in order between the branch's. */
static enum sl_err check_nodes(struct check *check, const struct walk *walk, uint64_t number,
                               const char *page, unsigned count, bool branch, struct sl_view low,
                               struct sl_view high)
{
    size_t bytes = 0;
    struct node node;

    for (unsigned i = 0; i < count; i++) {
        if (!read_node(check, page, i, branch, &node))
            return corrupt(check, number, "a record lies outside of it");
        bytes += node.bytes;
        if (branch && i == 0)
            continue; /* stands for the lower bound, whatever it says */
        if (!is_between(walk->kind, node.key, low, high) ||
            (i > (branch ? 1u : 0u) && compare(walk->kind, low, node.key) == 0))
            return corrupt(check, number, "keys are out of order");
        low = node.key;
    }
    return bytes == check->page_bytes - header_of(page).upper
               ? SL_OK
               : corrupt(check, number, "records lie over each other");
}

static enum sl_err check_subtree(struct check *check, struct walk *walk, uint64_t number,
                                 unsigned level, struct sl_view low, struct sl_view high)
{
    bool branch = level < walk->tree->depth;
    char *page = check->pages + (level - 1) * check->page_bytes;
    unsigned count;
    struct node node;
    enum sl_err rc = claim(check, number, 1);

    if (rc == SL_OK)
        rc = read_page(check, number, branch ? PAGE_BRANCH : PAGE_LEAF, page, &count);
    if (rc == SL_OK)
        rc = check_nodes(check, walk, number, page, count, branch, low, high);
    if (rc != SL_OK)
        return rc;
    walk->branch_pages += branch;
    walk->leaf_pages += !branch;
    for (unsigned i = 0; rc == SL_OK && i < count; i++) {
        struct node next = {.key = high};
        (void)read_node(check, page, i, branch, &node);
        if (branch && i + 1 < count)
            (void)read_node(check, page, i + 1, branch, &next);
        rc = branch ? check_subtree(check, walk, node.child, level + 1, i > 0 ? node.key : low,
                                    next.key)
                    : check_leaf_node(check, walk, number, &node);
    }
    return rc;
}

static enum sl_err check_tree(struct check *check, const struct tree *tree, enum kind kind,
                              struct sl_view name)
{
    struct walk walk = {.tree = tree, .kind = kind, .name = name,
                        .slabs = kind == RECORDS && check->options->is_slabs(name)};
    uint16_t flags = kind == FREE_LIST ? INTEGER_KEYS : 0;
    enum sl_err rc = SL_OK;

    if (tree->flags != flags || tree->depth > DEPTH_MAX ||
        (tree->depth == 0) != (tree->root == NO_ROOT))
        return corrupt(check, tree->root, "senseless tree");
    if (tree->depth > 0)
        rc = check_subtree(check, &walk, tree->root, 1, SL_VIEW_NULL, SL_VIEW_NULL);
    if (rc == SL_OK && (walk.branch_pages != tree->branch_pages ||
                        walk.leaf_pages != tree->leaf_pages ||
                        walk.overflow_pages != tree->overflow_pages || walk.entries != tree->entries))
        rc = corrupt(check, tree->root, "the tree has another size than it says");
    return rc;
}

/* ------------------------------------------------------------------------------------- roots */

static bool is_meta(const char *bytes, uint64_t number, struct meta *ret_meta)
{
    struct page_header header = header_of(bytes);

    memcpy(ret_meta, bytes + PAGE_HEADER, sizeof *ret_meta);
    return header.number == number && header.flags == PAGE_META && ret_meta->magic == MAGIC;
}

/* The value under a key, by the way LMDB goes; NULL when the way is blocked. */
static const char *look_up(struct check *check, const struct tree *tree, struct sl_view key,
                           struct node *ret_node)
{
    struct sl_error *err = check->err, ignored;
    uint64_t at = tree->root;
    bool good = tree->depth > 0 && tree->depth <= DEPTH_MAX;

    check->err = &ignored;
    for (unsigned level = 1; good && level <= tree->depth; level++) {
        bool branch = level < tree->depth;
        unsigned count = 0, i = 0;
        struct node node = {0};
        good = read_page(check, at, branch ? PAGE_BRANCH : PAGE_LEAF, check->pages, &count) == SL_OK;
        for (; good && i < count; i++) {
            good = read_node(check, check->pages, i, branch, &node);
            if (good && (branch ? i > 0 && compare(RECORDS, key, node.key) < 0
                                : compare(RECORDS, key, node.key) == 0))
                break;
            if (good && branch)
                at = node.child;
        }
        good = good && (branch || i < count);
        *ret_node = node;
    }
    check->err = err;
    return good ? ret_node->value : NULL;
}

/* How many commits the index has had, as seen from a root; false when it cannot be seen. */
static bool sequence_of(struct check *check, const struct meta *meta, uint64_t *ret_sequence)
{
    struct tree table;
    struct node node;
    const char *value = look_up(check, &meta->trees[1], SL_VIEW("meta"), &node);

    if (value == NULL || node.flags != NODE_TREE || node.size != sizeof table)
        return false;
    memcpy(&table, value, sizeof table);
    value = look_up(check, &table, SL_VIEW("state"), &node);
    if (value == NULL || node.flags != 0 || node.size < CRC_BYTES + sizeof *ret_sequence ||
        !is_intact(&node, value))
        return false;
    memcpy(ret_sequence, value + CRC_BYTES, sizeof *ret_sequence);
    return true;
}

/* The last commit as LMDB noted it beside the file, for its readers; 0: there is no telling. */
static uint64_t noted_commit(const struct check *check)
{
    struct {
        uint32_t magic, format;
        pthread_mutex_t readers;
        uint64_t commit;
    } lock = {0};
    char path[PATH_MAX];
    const char *name = strrchr(check->options->file, '/');
    int fd;

    if (name == NULL || (size_t)snprintf(path, sizeof path, "%.*s/lock.mdb",
                                         (int)(name - check->options->file),
                                         check->options->file) >= sizeof path)
        return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || pread(fd, &lock, sizeof lock, 0) != (ssize_t)sizeof lock || lock.magic != MAGIC)
        lock.commit = 0;
    if (fd >= 0)
        (void)close(fd);
    return lock.commit;
}

/*
 * LMDB takes the root with the higher number; a bit of that number must not bring back an old one. But when
 * writing a root fails, LMDB puts its old number back and leaves the rest: a commit that never was, under the
 * number of the one before the last.
 */
static enum sl_err compare_roots(struct check *check, const struct meta *newer,
                                 const struct meta *older)
{
    uint64_t now, before, noted;

    if (newer->commit - older->commit > 1 ||
        (newer->commit == older->commit && newer->commit != 0))
        return corrupt(check, newer->commit % 2, "the roots do not follow each other");
    if (!sequence_of(check, newer, &now) || !sequence_of(check, older, &before) || now >= before)
        return SL_OK;
    noted = noted_commit(check);
    if (noted > newer->commit || (noted == older->commit && noted != 0))
        return corrupt(check, newer->commit % 2, "the roots are in the wrong order");
    return SL_OK;
}

static enum sl_err read_roots(struct check *check)
{
    char bytes[2][PAGE_HEADER + sizeof(struct meta)];
    struct meta metas[2];
    size_t psize;
    unsigned newest;
    enum sl_err rc = read_bytes(check, 0, bytes[0], sizeof bytes[0]);

    if (rc != SL_OK)
        return rc;
    memcpy(&metas[0], bytes[0] + PAGE_HEADER, sizeof metas[0]);
    psize = metas[0].trees[0].pad;
    if (!is_meta(bytes[0], 0, &metas[0]) || psize < PAGE_SIZE_MIN || psize > PAGE_SIZE_MAX ||
        (psize & (psize - 1)) != 0)
        return corrupt(check, 0, "is not a root");
    check->page_bytes = psize;
    rc = read_bytes(check, 1, bytes[1], sizeof bytes[1]);
    if (rc != SL_OK)
        return rc;
    if (!is_meta(bytes[1], 1, &metas[1]) || metas[1].trees[0].pad != psize)
        return corrupt(check, 1, "is not a root");
    if (metas[0].version != DATA_VERSION && metas[0].version == metas[1].version)
        return sl_stop(check->err, SL_EXIT_CONFIG, 0, "bad_format",
                       "%s: written by another version of LMDB", check->options->file);
    if (metas[0].version != DATA_VERSION || metas[1].version != DATA_VERSION)
        return corrupt(check, metas[0].version != DATA_VERSION ? 0 : 1, "is not a root");
    newest = metas[1].commit > metas[0].commit;
    check->meta = metas[newest];
    check->pages = malloc(DEPTH_MAX * psize);
    if (check->pages == NULL)
        return sl_stop(check->err, SL_EXIT_OS, ENOMEM, "memory", "index: out of memory");
    if (check->options->commit == SL_PAGES_NEWEST)
        return compare_roots(check, &metas[newest], &metas[!newest]);
    if (metas[newest].commit != check->options->commit)
        check->meta = metas[!newest];
    return check->meta.commit == check->options->commit
               ? SL_OK
               : sl_fail(check->err, SL_AGAIN, "busy", "%s: the writer was faster",
                         check->options->file);
}

/* ------------------------------------------------------------------------------------- whole */

static enum sl_err check_all(struct check *check)
{
    struct stat file;
    enum sl_err rc;

    check->page_bytes = PAGE_SIZE_MIN;
    if (fstat(check->fd, &file) != 0)
        return sl_stop(check->err, SL_EXIT_IO, errno, "io", "%s: %s", check->options->file,
                       strerror(errno));
    rc = read_roots(check);
    if (rc != SL_OK)
        return rc;
    if (check->meta.last_page > (uint64_t)INT64_MAX / check->page_bytes ||
        (check->meta.last_page - 1) / 64 > (uint64_t)file.st_size / check->page_bytes + 64)
        return corrupt(check, check->meta.last_page, "the file has been cut short");
    check->claimed = calloc(check->meta.last_page / 8 + 1, 1);
    if (check->claimed == NULL)
        return sl_stop(check->err, SL_EXIT_OS, ENOMEM, "memory", "index: out of memory");
    rc = check_tree(check, &check->meta.trees[0], FREE_LIST, SL_VIEW_NULL);
    if (rc == SL_OK)
        rc = check_tree(check, &check->meta.trees[1], TABLES, SL_VIEW_NULL);
    for (uint32_t i = 0; rc == SL_OK && i < check->table_count; i++)
        rc = check_tree(check, &check->tables[i].tree, RECORDS,
                        (struct sl_view){check->tables[i].name, check->tables[i].name_bytes});
    if (rc == SL_OK && check->claims + 2 != check->meta.last_page + 1)
        rc = corrupt(check, check->meta.last_page, "pages belong to nobody");
    return rc;
}

enum sl_err sl_pages_check(const struct sl_pages_options *options, struct sl_error *err)
{
    struct check *check = calloc(1, sizeof *check);
    enum sl_err rc;

    if (check == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "index: out of memory");
    check->options = options;
    check->err = err;
    check->fd = open(options->file, O_RDONLY | O_CLOEXEC);
    if (check->fd < 0)
        rc = sl_stop(err, errno == EACCES ? SL_EXIT_PERMISSION : SL_EXIT_IO, errno,
                     errno == EACCES ? "permission" : "io", "%s: open: %s", options->file,
                     strerror(errno));
    else
        rc = check_all(check);
    if (check->fd >= 0)
        (void)close(check->fd);
    free(check->claimed);
    free(check->pages);
    free(check->value);
    free(check);
    return rc;
}
