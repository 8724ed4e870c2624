/*
 * source.c -- documents from files.
 *
 * A folder is listed before anything is sent, in byte order of the names, so that the same folder
 * gives the same documents in the same order; hidden files and links to folders are left out. JSON
 * lines are parsed here only for their key: the line itself, byte for byte, is the document.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sluice/decode.h>
#include <sluice/json.h>

#include "source.h"

#define DEPTH_MAX       32
#define REFUSALS_LISTED 1000u

struct entry {
    char *path;
    bool lines;
};

struct ctl_source {
    struct entry *entries;
    uint32_t entry_count;
    uint32_t entry_next;
    struct ctl_lines *lines; /* open while in the middle of one */
    const char *lines_path;
    const char *key;
    uint64_t bytes_total;
    uint64_t bytes_done; /* of entries finished */
    bool bytes_unknown;
};

static const struct {
    const char *extension;
    const char *content_type;
} content_types[] = {
    {".md", "text/markdown"},
    {".markdown", "text/markdown"},
    {".txt", "text/plain"},
    {".json", "application/json"},
};

static const char *content_type_of(const char *path)
{
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot != NULL && i < sizeof(content_types) / sizeof(content_types[0]); i++) {
        if (strcasecmp(dot, content_types[i].extension) == 0)
            return content_types[i].content_type;
    }
    return NULL;
}

static bool entry_add(struct ctl_source *source, const char *path, bool lines)
{
    struct entry *entries =
        realloc(source->entries, sizeof(*entries) * ((size_t)source->entry_count + 1));

    if (entries == NULL)
        return false;
    source->entries = entries;
    entries[source->entry_count] = (struct entry){strdup(path), lines};
    if (entries[source->entry_count].path == NULL)
        return false;
    source->entry_count++;
    return true;
}

static int keep_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_folder(const struct ctl *ctl, struct ctl_source *source, const char *path,
                      int depth);

/* Add one file or what a folder holds; `named` paths must exist and may be links. */
static int add_path(const struct ctl *ctl, struct ctl_source *source, const char *path, bool named,
                    int depth)
{
    struct stat status;
    bool link = !named && lstat(path, &status) == 0 && S_ISLNK(status.st_mode);

    if (stat(path, &status) != 0) {
        if (link)
            return SL_EXIT_OK; /* a link to nowhere inside a folder */
        return ctl_fail(ctl, errno == EACCES ? SL_EXIT_PERMISSION : SL_EXIT_NOINPUT, "%s: %s", path,
                        strerror(errno));
    }
    if (S_ISDIR(status.st_mode))
        return link ? SL_EXIT_OK : add_folder(ctl, source, path, depth);
    if (!S_ISREG(status.st_mode) && !named)
        return SL_EXIT_OK;
    if (!entry_add(source, path, false))
        return ctl_fail(ctl, SL_EXIT_OS, "no memory for the list of files");
    source->bytes_total += (uint64_t)status.st_size;
    return SL_EXIT_OK;
}

static int add_folder(const struct ctl *ctl, struct ctl_source *source, const char *path, int depth)
{
    struct dirent **names = NULL;
    size_t path_bytes = strlen(path);
    int exit_code = SL_EXIT_OK;
    int count;

    if (depth >= DEPTH_MAX)
        return ctl_fail(ctl, SL_EXIT_DATA, "%s: folders are read to a depth of %d", path,
                        DEPTH_MAX);
    count = scandir(path, &names, keep_visible, by_name);
    if (count < 0)
        return ctl_fail(ctl, SL_EXIT_PERMISSION, "%s: cannot list it: %s", path, strerror(errno));
    while (path_bytes > 1 && path[path_bytes - 1] == '/')
        path_bytes--;
    for (int i = 0; i < count; i++) {
        struct sl_buffer child = {0};

        sl_buffer_format(&child, "%.*s/%s", (int)path_bytes, path, names[i]->d_name);
        if (exit_code == SL_EXIT_OK && child.failed)
            exit_code = ctl_fail(ctl, SL_EXIT_OS, "no memory for the list of files");
        if (exit_code == SL_EXIT_OK)
            exit_code = add_path(ctl, source, child.data, false, depth + 1);
        sl_buffer_fini(&child);
        free(names[i]);
    }
    free(names);
    return exit_code;
}

static int add_lines(const struct ctl *ctl, struct ctl_source *source, const char *path)
{
    struct stat status;

    if (strcmp(path, "-") == 0)
        source->bytes_unknown = true;
    else if (stat(path, &status) != 0)
        return ctl_fail(ctl, errno == EACCES ? SL_EXIT_PERMISSION : SL_EXIT_NOINPUT, "%s: %s", path,
                        strerror(errno));
    else if (S_ISREG(status.st_mode))
        source->bytes_total += (uint64_t)status.st_size;
    else
        source->bytes_unknown = true;
    if (!entry_add(source, path, true))
        return ctl_fail(ctl, SL_EXIT_OS, "no memory for the list of files");
    return SL_EXIT_OK;
}

static int source_fill(const struct ctl *ctl, const struct ctl_source_options *options,
                       struct ctl_source *source)
{
    int exit_code = SL_EXIT_OK;

    for (uint32_t i = 0; i < options->paths->count && exit_code == SL_EXIT_OK; i++) {
        const char *path = options->paths->items[i];
        size_t bytes = strlen(path);

        if (bytes > 6 && strcasecmp(path + bytes - 6, ".jsonl") == 0)
            return ctl_fail(ctl, SL_EXIT_USAGE, "%s: for one document a line say --jsonl %s", path,
                            path);
        exit_code = add_path(ctl, source, path, true, 0);
    }
    for (uint32_t i = 0; i < options->lines->count && exit_code == SL_EXIT_OK; i++)
        exit_code = add_lines(ctl, source, options->lines->items[i]);
    if (exit_code == SL_EXIT_OK && source->key != NULL &&
        (source->entry_count != 1 || options->lines->count != 0))
        return ctl_fail(ctl, SL_EXIT_USAGE, "--key goes with exactly one file; here are %u",
                        source->entry_count);
    return exit_code;
}

int ctl_source_open(const struct ctl *ctl, const struct ctl_source_options *options,
                    struct ctl_source **ret_source)
{
    struct ctl_source *source;
    int exit_code;

    if (options->paths->count == 0 && options->lines->count == 0)
        return ctl_fail(ctl, SL_EXIT_USAGE, "what documents? Give PATH... or --jsonl FILE");
    source = calloc(1, sizeof(*source));
    if (source == NULL)
        return ctl_fail(ctl, SL_EXIT_OS, "no memory for the list of files");
    source->key = options->key;
    exit_code = source_fill(ctl, options, source);
    if (exit_code != SL_EXIT_OK) {
        ctl_source_close(source);
        return exit_code;
    }
    *ret_source = source;
    return SL_EXIT_OK;
}

struct ctl_source *ctl_source_close(struct ctl_source *source)
{
    if (source != NULL) {
        ctl_lines_close(source->lines);
        for (uint32_t i = 0; i < source->entry_count; i++)
            free(source->entries[i].path);
        free(source->entries);
        free(source);
    }
    return NULL;
}

static enum sl_err next_file(struct ctl_source *source, const char *path, struct ctl_item *ret_item,
                             struct sl_error *err)
{
    struct sl_buffer content = {0};
    enum sl_err result;

    snprintf(ret_item->where, sizeof(ret_item->where), "%s", path);
    result = ctl_read_file(path, SL_RECORD_BYTES_MAX, &content, err);
    if (result == SL_STOP && err->exit_code == SL_EXIT_PERMISSION) {
        err->code = SL_REJECT; /* one file of many: told, counted, passed over */
        result = SL_REJECT;
    }
    if (result != SL_OK)
        return result;
    source->bytes_done += content.size;
    ret_item->value = content;
    ret_item->content_type = content_type_of(path);
    sl_buffer_view(&ret_item->key, sl_view_of(source->key != NULL ? source->key : path));
    return SL_OK;
}

/* The document's key: bytes in base64, a string, or a whole number as its digits. */
static enum sl_err key_of(const cJSON *root, struct sl_buffer *ret_key, struct sl_error *err)
{
    const cJSON *bytes = cJSON_GetObjectItemCaseSensitive(root, "_id_base64");
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(root, "_id");

    if (bytes != NULL && (!cJSON_IsString(bytes) || !ctl_base64_read(bytes->valuestring, ret_key)))
        return sl_fail(err, SL_REJECT, "bad_field", "_id_base64: must be a string of base64 with its padding");
    if (bytes != NULL)
        return SL_OK;
    if (id == NULL)
        id = cJSON_GetObjectItemCaseSensitive(root, "id");
    if (cJSON_IsString(id) && id->valuestring[0] != '\0')
        sl_buffer_view(ret_key, sl_view_of(id->valuestring));
    else if (cJSON_IsNumber(id) && floor(id->valuedouble) >= id->valuedouble)
        sl_buffer_format(ret_key, "%.0f", id->valuedouble);
    else
        return sl_fail(err, SL_REJECT, id == NULL ? "null_key" : "empty_key",
                       "a line needs \"_id\" or \"id\": a string that is not empty, or a whole number");
    return SL_OK;
}

static enum sl_err next_line(struct ctl_source *source, struct ctl_item *ret_item,
                             struct sl_error *err)
{
    struct sl_view line;
    cJSON *root = NULL;
    enum sl_err result = ctl_lines_next(source->lines, &line, err);

    snprintf(ret_item->where, sizeof(ret_item->where), "%s:%llu", source->lines_path,
             (unsigned long long)ctl_lines_number(source->lines));
    if (result != SL_OK)
        return result;
    result = sl_json_parse(line, &root, err);
    if (result != SL_OK)
        return result;
    if (!cJSON_IsObject(root))
        result = sl_fail(err, SL_REJECT, "bad_json", "a line must be one JSON object");
    if (result == SL_OK)
        result = key_of(root, &ret_item->key, err);
    if (result == SL_OK) {
        ret_item->is_delete = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(root, "_delete"));
        ret_item->content_type = "application/json";
        sl_buffer_view(&ret_item->value, line);
    }
    cJSON_Delete(root);
    return result;
}

enum sl_err ctl_source_next(struct ctl_source *source, struct ctl_item *ret_item,
                            struct sl_error *err)
{
    enum sl_err result = SL_AGAIN;

    *ret_item = (struct ctl_item){0};
    for (;;) {
        const struct entry *entry;

        if (source->lines != NULL) {
            result = next_line(source, ret_item, err);
            if (result != SL_AGAIN)
                break;
            source->bytes_done += ctl_lines_position(source->lines);
            source->lines = ctl_lines_close(source->lines);
        }
        if (source->entry_next >= source->entry_count)
            return SL_AGAIN;
        entry = &source->entries[source->entry_next++];
        if (!entry->lines) {
            result = next_file(source, entry->path, ret_item, err);
            break;
        }
        source->lines_path = entry->path;
        result = ctl_lines_open(entry->path, SL_RECORD_BYTES_MAX, &source->lines, err);
        if (result != SL_OK)
            break;
    }
    if (result == SL_OK && (ret_item->key.failed || ret_item->value.failed))
        result =
            sl_stop(err, SL_EXIT_OS, ENOMEM, "memory", "%s: no memory to read it", ret_item->where);
    if (result != SL_OK)
        ctl_item_fini(ret_item);
    return result;
}

double ctl_source_fraction(const struct ctl_source *source)
{
    uint64_t done = source->bytes_done;

    if (source->bytes_unknown || source->bytes_total == 0)
        return -1;
    if (source->lines != NULL)
        done += ctl_lines_position(source->lines);
    return done < source->bytes_total ? (double)done / (double)source->bytes_total : 1;
}

void ctl_item_fini(struct ctl_item *item)
{
    sl_buffer_fini(&item->key);
    sl_buffer_fini(&item->value);
}

void ctl_refuse(const struct ctl *ctl, struct ctl_refusals *refusals, const char *where,
                const struct sl_error *err)
{
    refusals->count++;
    if (!ctl->json) {
        fprintf(stderr, "%s%s: %s: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", where,
                err->reason, err->message);
        return;
    }
    if (refusals->count > REFUSALS_LISTED)
        return;
    if (refusals->json.size > 0)
        sl_buffer_view(&refusals->json, SL_VIEW(", "));
    sl_buffer_view(&refusals->json, SL_VIEW("{\"where\": "));
    sl_json_string(&refusals->json, sl_view_of(where));
    sl_buffer_view(&refusals->json, SL_VIEW(", \"reason\": "));
    sl_json_string(&refusals->json, sl_view_of(err->reason));
    sl_buffer_view(&refusals->json, SL_VIEW(", \"message\": "));
    sl_json_string(&refusals->json, sl_view_of(err->message));
    sl_buffer_view(&refusals->json, SL_VIEW("}"));
}
