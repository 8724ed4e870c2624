/*
 * safetensors.c -- weights from disk, checked before they are believed.
 *
 * The header is JSON written by somebody else, so nothing in it is used before it is bounded:
 * header size, tensor count, rank, and data offsets, which must tile the rest of the file exactly.
 * Tensors are then read straight to where they are used. Mapping the file was rejected: a file cut
 * short under a running daemon would be SIGBUS instead of an error, and the weights are rearranged
 * on load anyway.
 */
#include "embed/safetensors.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES_MAX (16u << 20)
#define TENSORS_MAX      65536u
#define RANK_MAX         8
#define READ_BYTES       (1u << 20)

enum dtype {
    DTYPE_OTHER = 0,
    DTYPE_F32,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_F64,
    DTYPE_I8,
    DTYPE_I64,
    DTYPE_I32
};

struct tensor {
    char *name;
    enum dtype dtype;
    uint64_t shape[RANK_MAX];
    uint32_t rank;
    uint64_t begin, end; /* bytes from the start of the file */
};

struct sl_safetensors {
    char *path;
    int fd;
    uint64_t size_bytes;
    struct tensor *tensors; /* sorted by name */
    uint32_t count;
    uint8_t *scratch; /* READ_BYTES */
};

static const struct {
    const char *name;
    uint32_t bytes;
    enum dtype dtype;
} dtypes[] = {{"F32", 4, DTYPE_F32},   {"F16", 2, DTYPE_F16},   {"BF16", 2, DTYPE_BF16},
              {"F64", 8, DTYPE_F64},   {"I64", 8, DTYPE_I64},   {"I32", 4, DTYPE_I32},
              {"I16", 2, DTYPE_OTHER}, {"I8", 1, DTYPE_I8},     {"U64", 8, DTYPE_OTHER},
              {"U32", 4, DTYPE_OTHER}, {"U16", 2, DTYPE_OTHER}, {"U8", 1, DTYPE_OTHER},
              {"BOOL", 1, DTYPE_OTHER}};

#define BAD(file, err, ...) bad_model((file)->path, err, __VA_ARGS__)

__attribute__((format(printf, 3, 4))) static enum sl_err
bad_model(const char *path, struct sl_error *err, const char *format, ...)
{
    char what[200];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model", "%s: %s", path, what);
}

static enum sl_err read_at(struct sl_safetensors *file, uint64_t at, void *data, size_t size,
                           struct sl_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = pread(file->fd, (char *)data + done, size - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return BAD(file, err, "cannot read %zu bytes at %llu: %s", size, (unsigned long long)at,
                       n < 0 ? strerror(errno) : "the file ends there");
        done += (size_t)n;
    }
    return SL_OK;
}

/* A whole number in [0, 2^53], or false. */
static bool whole_number(const cJSON *item, uint64_t *ret)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 0x1p53))
        return false;
    *ret = (uint64_t)item->valuedouble;
    return (double)*ret == item->valuedouble;
}

/* Bytes that the shape and type ask for; false when they are not given properly or too many. */
static bool read_shape(const cJSON *entry, struct tensor *tensor, uint64_t *ret_bytes)
{
    const cJSON *shape = cJSON_GetObjectItemCaseSensitive(entry, "shape");
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(entry, "dtype");
    const cJSON *length;
    uint64_t bytes = 0;

    if (!cJSON_IsArray(shape) || !cJSON_IsString(dtype))
        return false;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtype->valuestring, dtypes[i].name) == 0) {
            tensor->dtype = dtypes[i].dtype;
            bytes = dtypes[i].bytes;
        }
    cJSON_ArrayForEach(length, shape)
    {
        if (tensor->rank == RANK_MAX || !whole_number(length, &tensor->shape[tensor->rank]) ||
            __builtin_mul_overflow(bytes, tensor->shape[tensor->rank], &bytes))
            return false;
        tensor->rank++;
    }
    *ret_bytes = bytes;
    return true;
}

static enum sl_err read_entry(struct sl_safetensors *file, const cJSON *entry, uint64_t data_start,
                              struct tensor *tensor, struct sl_error *err)
{
    const cJSON *offsets = cJSON_GetObjectItemCaseSensitive(entry, "data_offsets");
    uint64_t bytes, data_bytes = file->size_bytes - data_start;

    tensor->name = strdup(entry->string);
    if (tensor->name == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", file->path);
    if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
        !whole_number(cJSON_GetArrayItem(offsets, 0), &tensor->begin) ||
        !whole_number(cJSON_GetArrayItem(offsets, 1), &tensor->end) ||
        !read_shape(entry, tensor, &bytes))
        return BAD(file, err,
                   "tensor %.80s: dtype, shape and data_offsets must be a type, a list "
                   "of whole numbers and two whole numbers",
                   tensor->name);
    if (tensor->begin > tensor->end || tensor->end > data_bytes)
        return BAD(file, err,
                   "tensor %.80s: bytes %llu to %llu, but the file holds %llu bytes of "
                   "data: truncated?",
                   tensor->name, (unsigned long long)tensor->begin, (unsigned long long)tensor->end,
                   (unsigned long long)data_bytes);
    if (bytes != 0 && tensor->end - tensor->begin != bytes)
        return BAD(file, err, "tensor %.80s: its shape and type need %llu bytes, it has %llu",
                   tensor->name, (unsigned long long)bytes,
                   (unsigned long long)(tensor->end - tensor->begin));
    tensor->begin += data_start;
    tensor->end += data_start;
    return SL_OK;
}

static int by_begin(const void *a, const void *b)
{
    const struct tensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

/* The tensors must tile the data: in order of offset each begins where the one before ended. */
static enum sl_err check_tiling(struct sl_safetensors *file, uint64_t data_start,
                                struct sl_error *err)
{
    uint64_t at = data_start;

    qsort(file->tensors, file->count, sizeof *file->tensors, by_begin);
    for (uint32_t i = 0; i < file->count; i++) {
        if (file->tensors[i].begin != at)
            return BAD(file, err, "tensor %.80s %s", file->tensors[i].name,
                       file->tensors[i].begin < at ? "overlaps the one before it"
                                                   : "leaves a gap before it");
        at = file->tensors[i].end;
    }
    if (at != file->size_bytes)
        return BAD(file, err, "%llu bytes after the last tensor",
                   (unsigned long long)(file->size_bytes - at));
    qsort(file->tensors, file->count, sizeof *file->tensors, by_name);
    for (uint32_t i = 1; i < file->count; i++)
        if (strcmp(file->tensors[i - 1].name, file->tensors[i].name) == 0)
            return BAD(file, err, "tensor %.80s stands there twice", file->tensors[i].name);
    return SL_OK;
}

static enum sl_err read_entries(struct sl_safetensors *file, const cJSON *root, uint64_t data_start,
                                struct sl_error *err)
{
    uint32_t count = cJSON_IsObject(root) ? (uint32_t)cJSON_GetArraySize(root) : 0;
    const cJSON *entry;
    enum sl_err r;

    if (count == 0 || count > TENSORS_MAX)
        return BAD(file, err, "the header must be a JSON object of 1 to %u tensors", TENSORS_MAX);
    file->tensors = calloc(count, sizeof *file->tensors);
    if (file->tensors == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", file->path);
    cJSON_ArrayForEach(entry, root)
    {
        if (strcmp(entry->string, "__metadata__") == 0)
            continue;
        r = read_entry(file, entry, data_start, &file->tensors[file->count++], err);
        if (r != SL_OK)
            return r;
    }
    return check_tiling(file, data_start, err);
}

static enum sl_err read_header(struct sl_safetensors *file, struct sl_error *err)
{
    uint8_t prefix[8];
    uint64_t header_bytes = 0;
    char *text;
    cJSON *root;
    enum sl_err r;

    r = read_at(file, 0, prefix, sizeof prefix, err);
    if (r != SL_OK)
        return r;
    for (int i = 7; i >= 0; i--)
        header_bytes = header_bytes << 8 | prefix[i];
    if (header_bytes > HEADER_BYTES_MAX || header_bytes > file->size_bytes - 8)
        return BAD(file, err,
                   "header of %llu bytes in a file of %llu; at most %u are allowed: not a "
                   "safetensors file, or truncated",
                   (unsigned long long)header_bytes, (unsigned long long)file->size_bytes,
                   HEADER_BYTES_MAX);
    text = malloc((size_t)header_bytes + 1);
    if (text == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", file->path);
    r = read_at(file, 8, text, (size_t)header_bytes, err);
    if (r == SL_OK) {
        root = cJSON_ParseWithLength(text, (size_t)header_bytes);
        r = read_entries(file, root, 8 + header_bytes, err);
        cJSON_Delete(root);
    }
    free(text);
    return r;
}

enum sl_err sl_safetensors_open(const char *path, struct sl_safetensors **ret_file,
                                struct sl_error *err)
{
    struct sl_safetensors *file = calloc(1, sizeof *file);
    struct stat status;
    enum sl_err r;

    if (file == NULL || (file->path = strdup(path)) == NULL ||
        (file->scratch = malloc(READ_BYTES)) == NULL) {
        if (file != NULL)
            free(file->path);
        free(file);
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", path);
    }
    file->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &status) != 0) {
        r = sl_stop(err, SL_EXIT_CONFIG, errno, "bad_model", "%s: %s", path, strerror(errno));
    } else if (!S_ISREG(status.st_mode) || status.st_size < 8) {
        r = BAD(file, err, "not a safetensors file: a regular file of 8 bytes or more is needed");
    } else {
        file->size_bytes = (uint64_t)status.st_size;
        r = read_header(file, err);
    }
    if (r != SL_OK) {
        sl_safetensors_close(file);
        return r;
    }
    *ret_file = file;
    return SL_OK;
}

static const struct tensor *find(const struct sl_safetensors *file, const char *name)
{
    struct tensor key = {.name = (char *)(uintptr_t)name};

    return bsearch(&key, file->tensors, file->count, sizeof key, by_name);
}

const char *sl_safetensors_path(const struct sl_safetensors *file)
{
    return file->path;
}

bool sl_safetensors_has(const struct sl_safetensors *file, const char *name)
{
    return find(file, name) != NULL;
}

static float float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16, exponent = (half >> 10) & 31u;
    uint32_t fraction = half & 1023u;

    if (exponent == 31)
        return float_of_bits(sign | 0x7F800000u | fraction << 13);
    if (exponent == 0)
        return (sign ? -1.0f : 1.0f) * (float)fraction * 0x1p-24f;
    return float_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static float float_of(enum dtype dtype, const uint8_t *bytes)
{
    double value;

    switch (dtype) {
    case DTYPE_F16:
        return float_of_half((uint16_t)(bytes[0] | bytes[1] << 8));
    case DTYPE_BF16:
        return float_of_bits((uint32_t)(bytes[0] | bytes[1] << 8) << 16);
    case DTYPE_I8:
        return (float)(int8_t)bytes[0];
    default:
        memcpy(&value, bytes, sizeof value);
        return (float)value;
    }
}

static size_t size_of(enum dtype dtype)
{
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (dtypes[i].dtype == dtype)
            return dtypes[i].bytes;
    return 1;
}

/* Values that are no float32, a block at a time. */
static enum sl_err read_converted(struct sl_safetensors *file, const struct tensor *tensor,
                                  float *ret_values, struct sl_error *err)
{
    const size_t one = size_of(tensor->dtype);
    uint64_t at = tensor->begin;

    while (at < tensor->end) {
        size_t size = tensor->end - at < READ_BYTES ? (size_t)(tensor->end - at) : READ_BYTES;
        enum sl_err r = read_at(file, at, file->scratch, size, err);
        if (r != SL_OK)
            return r;
        for (size_t i = 0; i < size; i += one)
            *ret_values++ = float_of(tensor->dtype, file->scratch + i);
        at += size;
    }
    return SL_OK;
}

bool sl_safetensors_shape(const struct sl_safetensors *file, const char *name, uint32_t *ret_rows,
                          uint32_t *ret_columns)
{
    const struct tensor *tensor = find(file, name);

    if (tensor == NULL || tensor->rank < 1 || tensor->rank > 2 || tensor->shape[0] > UINT32_MAX ||
        (tensor->rank == 2 && tensor->shape[1] > UINT32_MAX))
        return false;
    *ret_rows = (uint32_t)tensor->shape[0];
    *ret_columns = tensor->rank == 2 ? (uint32_t)tensor->shape[1] : 0;
    return true;
}

/* A 64-bit or 32-bit whole number, little endian; negative ones come out huge. */
static uint64_t index_of(const uint8_t *bytes, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes[i] << 8 * i;
    return value;
}

enum sl_err sl_safetensors_read_indices(struct sl_safetensors *file, const char *name,
                                        uint32_t count, uint32_t below, uint32_t *ret_indices,
                                        struct sl_error *err)
{
    const struct tensor *tensor = find(file, name);
    size_t one;

    if (tensor == NULL || tensor->rank != 1 || tensor->shape[0] != count ||
        (tensor->dtype != DTYPE_I64 && tensor->dtype != DTYPE_I32))
        return BAD(file, err, "tensor %.80s: must be a vector of %u I64 or I32 numbers", name,
                   count);
    one = size_of(tensor->dtype);
    for (uint64_t at = tensor->begin; at < tensor->end;) {
        size_t size = tensor->end - at < READ_BYTES ? (size_t)(tensor->end - at) : READ_BYTES;
        enum sl_err r = read_at(file, at, file->scratch, size, err);
        if (r != SL_OK)
            return r;
        for (size_t i = 0; i < size; i += one) {
            uint64_t value = index_of(file->scratch + i, one);
            if (value >= below)
                return BAD(file, err, "tensor %.80s: its numbers must be from 0 to %u", name,
                           below - 1);
            *ret_indices++ = (uint32_t)value;
        }
        at += size;
    }
    return SL_OK;
}

enum sl_err sl_safetensors_read(struct sl_safetensors *file, const char *name, uint32_t rows,
                                uint32_t columns, float *ret_values, struct sl_error *err)
{
    const struct tensor *tensor = find(file, name);
    uint32_t rank = columns == 0 ? 1 : 2;

    if (tensor == NULL)
        return BAD(file, err, "no tensor %.80s", name);
    if (tensor->dtype == DTYPE_OTHER || tensor->dtype == DTYPE_I64 || tensor->dtype == DTYPE_I32)
        return BAD(file, err, "tensor %.80s: allowed types are F64, F32, F16, BF16 and I8", name);
    if (tensor->rank != rank || tensor->shape[0] != rows ||
        (rank == 2 && tensor->shape[1] != columns))
        return BAD(file, err, "tensor %.80s: shape [%llu, %llu], but config.json needs [%u, %u]",
                   name, (unsigned long long)tensor->shape[0],
                   (unsigned long long)(tensor->rank > 1 ? tensor->shape[1] : 0), rows, columns);
    if (tensor->dtype != DTYPE_F32)
        return read_converted(file, tensor, ret_values, err);
    return read_at(file, tensor->begin, ret_values, (size_t)(tensor->end - tensor->begin), err);
}

enum sl_err sl_safetensors_digest(struct sl_safetensors *file, struct sl_sha256 *digest,
                                  struct sl_error *err)
{
    for (uint64_t at = 0; at < file->size_bytes;) {
        uint64_t left = file->size_bytes - at;
        size_t size = left < READ_BYTES ? (size_t)left : READ_BYTES;
        enum sl_err r = read_at(file, at, file->scratch, size, err);
        if (r != SL_OK)
            return r;
        sl_sha256_add(digest, file->scratch, size);
        at += size;
    }
    return SL_OK;
}

void sl_safetensors_close(struct sl_safetensors *file)
{
    if (file == NULL)
        return;
    for (uint32_t i = 0; i < file->count; i++)
        free(file->tensors[i].name);
    free(file->tensors);
    free(file->scratch);
    free(file->path);
    if (file->fd >= 0)
        (void)close(file->fd);
    free(file);
}
