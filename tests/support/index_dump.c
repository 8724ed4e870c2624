/* index_dump.c -- all that can be read through a snapshot, as one digest; and what lies in files. */
#include "index_dump.h"

#include <dirent.h>
#include <sluice/arena.h>
#include <sluice/hash.h>
#include <sys/stat.h>

#include "test.h"

struct dump {
    struct sl_buffer out;
};

static void add(struct dump *dump, const char *what, struct sl_view bytes)
{
    sl_buffer_format(&dump->out, "%s %zu ", what, bytes.size);
    sl_buffer_view(&dump->out, bytes);
}

static bool add_row(void *context, struct sl_view key, struct sl_view value)
{
    add(context, "row", key);
    add(context, "=", value);
    return true;
}

static bool add_position(void *context, struct sl_view topic, int32_t partition,
                         const struct sl_position *position)
{
    struct dump *dump = context;

    add(dump, "position", topic);
    sl_buffer_format(&dump->out, "%d %lld %lld %u", (int)partition,
                     (long long)position->next_offset, (long long)position->wall_ms,
                     position->completed_count);
    for (uint32_t i = 0; i < position->completed_count; i++)
        sl_buffer_format(&dump->out, " %lld-%lld", (long long)position->completed[i].first,
                         (long long)position->completed[i].last);
    return true;
}

static void add_chunks(struct dump *dump, struct sl_snapshot *snapshot, sl_doc_id doc,
                       uint32_t count, struct sl_arena *arena)
{
    struct sl_error err;

    for (uint32_t i = 0; i < count; i++) {
        struct sl_chunk chunk = {0};
        if (sl_snapshot_chunk(snapshot, doc, i, arena, &chunk, &err) != SL_OK) {
            TEST_REPORT_("chunk:", "%s", err.message);
            return;
        }
        sl_buffer_format(&dump->out, "chunk %u-%u %u windows", chunk.byte_start, chunk.byte_end,
                         chunk.window_count);
        for (uint32_t w = 0; w < chunk.window_count; w++)
            sl_buffer_add(&dump->out, chunk.windows[w].hash, SL_HASH_BYTES);
    }
}

static void add_documents(struct dump *dump, struct sl_snapshot *snapshot)
{
    struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_error err;
    sl_doc_id doc = 0;

    while (sl_snapshot_next(snapshot, doc, &doc, &err) == SL_OK) {
        struct sl_document document;
        struct sl_hit hits[5];
        uint32_t chunks, count = 0;
        sl_arena_reset(arena);
        if (sl_snapshot_document(snapshot, doc, arena, &document, &chunks, &err) != SL_OK) {
            TEST_REPORT_("document:", "%s", err.message);
            break;
        }
        sl_buffer_format(&dump->out, "\n%llu %d/%lld ", (unsigned long long)doc,
                         (int)document.partition, (long long)document.offset);
        add(dump, "key", document.key);
        add(dump, "text", document.text);
        add(dump, "title", document.title);
        add_chunks(dump, snapshot, doc, chunks, arena);
        if (document.text.size > 0) { /* by its first word */
            size_t end = 0;
            while (end < document.text.size && document.text.data[end] != ' ')
                end++;
            struct sl_term_count term = {sl_view_range(document.text, 0, end), 1, 0};
            (void)sl_snapshot_lexical(snapshot, &term, 1, 5, NULL, hits, &count, NULL, &err);
        }
        for (uint32_t i = 0; i < count; i++)
            sl_buffer_format(&dump->out, " %llu.%u:%.5f", (unsigned long long)hits[i].doc,
                             hits[i].chunk, (double)hits[i].score);
    }
    sl_arena_close(arena);
}

unsigned long long test_dump(struct sl_snapshot *snapshot)
{
    struct sl_arena *arena = sl_arena_open(1u << 20);
    struct dump dump = {0};
    struct sl_index_stats stats;
    struct sl_error err;
    uint8_t digest[32];
    unsigned long long first;

    add_documents(&dump, snapshot);
    (void)sl_snapshot_positions(snapshot, arena, add_position, &dump, &err);
    for (int table = SL_TABLE_OUTBOX; table <= SL_TABLE_NOTE; table++)
        (void)sl_snapshot_rows(snapshot, (enum sl_table)table, SL_VIEW_NULL, add_row, &dump, &err);
    if (sl_snapshot_stats(snapshot, &stats, &err) != SL_OK)
        TEST_REPORT_("stats:", "%s", err.message);
    sl_buffer_format(&dump.out, "\n%llu documents %llu tombstones %llu chunks %llu",
                     (unsigned long long)stats.documents, (unsigned long long)stats.tombstones,
                     (unsigned long long)stats.chunks,
                     (unsigned long long)stats.terms_total);
    sl_sha256((struct sl_view){dump.out.data, dump.out.size}, digest);
    memcpy(&first, digest, sizeof first);
    sl_buffer_fini(&dump.out);
    sl_arena_close(arena);
    return first;
}

unsigned long long test_dump_index(struct sl_index *index)
{
    struct sl_snapshot *snapshot = NULL;
    struct sl_error err;
    unsigned long long digest = 0;

    if (sl_snapshot_open(index, &snapshot, &err) != SL_OK)
        TEST_REPORT_("snapshot:", "%s", err.message);
    else
        digest = test_dump(snapshot);
    sl_snapshot_close(snapshot);
    return digest;
}

/* ------------------------------------------------------------------------------------- files */

typedef void (*file_fn)(const char *path, void *context);

static void each_file(const char *directory, file_fn each, void *context)
{
    DIR *entries = opendir(directory);
    struct dirent *entry;
    char path[4096];

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        struct stat stat;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (lstat(path, &stat) != 0)
            continue;
        if (S_ISDIR(stat.st_mode))
            each_file(path, each, context);
        else if (S_ISREG(stat.st_mode))
            each(path, context);
    }
    if (entries != NULL)
        closedir(entries);
}

struct needle {
    const void *bytes;
    size_t size;
    unsigned found;
};

static void grep_file(const char *path, void *context)
{
    struct needle *needle = context;
    FILE *file = fopen(path, "rb");
    size_t size;
    char *all;

    if (file == NULL)
        return;
    fseek(file, 0, SEEK_END);
    size = (size_t)ftell(file);
    rewind(file);
    all = malloc(size + 1);
    if (all == NULL || fread(all, 1, size, file) != size)
        abort();
    for (char *at = all; (at = memmem(at, size - (size_t)(at - all), needle->bytes,
                                      needle->size)) != NULL;
         at++)
        needle->found++;
    free(all);
    fclose(file);
}

unsigned test_grep(const char *directory, const void *bytes, size_t size)
{
    struct needle needle = {bytes, size, 0};

    each_file(directory, grep_file, &needle);
    return needle.found;
}

static void add_size(const char *path, void *context)
{
    struct stat file;

    if (stat(path, &file) == 0)
        *(unsigned long long *)context += (unsigned long long)file.st_size;
}

unsigned long long test_directory_bytes(const char *directory)
{
    unsigned long long bytes = 0;

    each_file(directory, add_size, &bytes);
    return bytes;
}
