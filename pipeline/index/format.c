/*
 * format.c -- records on disk, written and read field by field.
 *
 * A struct written as it lies in memory would be shorter, but its padding and order would become the
 * format. Reading never trusts a length: the reader stops at the record's end and says so, since a record
 * with a good checksum may still be one that another program wrote.
 */
#include "index/format.h"

#include <sluice/hash.h>
#include <sluice/index.h>

#define MAGIC       "sluice\r\n"
#define COPY_MARK       "is a copy of" /* no digest is like it but by chance of 2^-96 */
#define COPY_MARK_BYTES 12u
#define MAGIC_BYTES 8u
#define BYTE_ORDER_MARK_VALUE 0x01020304u

struct sl_view sl_read_view(struct sl_reader *reader)
{
    uint32_t size = sl_read_u32(reader);
    const char *data;

    if (size == UINT32_MAX)
        return SL_VIEW_NULL;
    data = sl_read_bytes(reader, size);
    return data == NULL ? SL_VIEW_NULL : (struct sl_view){data, size};
}

void sl_write_varint(struct sl_buffer *buffer, uint32_t value)
{
    uint8_t bytes[5];
    size_t size = 0;

    while (value >= 0x80) {
        bytes[size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[size++] = (uint8_t)value;
    sl_buffer_add(buffer, bytes, size);
}

void sl_write_view(struct sl_buffer *buffer, struct sl_view view)
{
    sl_write_u32(buffer, view.data == NULL ? UINT32_MAX : (uint32_t)view.size);
    if (view.data != NULL)
        sl_buffer_add(buffer, view.data, view.size);
}

/* -------------------------------------------------------------------------------------- keys */

static void key_add(struct sl_key *key, const void *data, size_t size)
{
    SL_PRE(key->size + size <= SL_KEY_TABLE_BYTES);
    if (size > 0)
        memcpy(key->bytes + key->size, data, size);
    key->size += size;
}

static void key_add_be32(struct sl_key *key, uint32_t number)
{
    char bytes[4];

    sl_put_be32(bytes, number);
    key_add(key, bytes, sizeof bytes);
}

struct sl_key sl_key_number(uint32_t number)
{
    struct sl_key key = {.size = 0};

    key_add_be32(&key, number);
    return key;
}

struct sl_key sl_key_pair(uint32_t first, uint32_t second)
{
    struct sl_key key = sl_key_number(first);

    key_add_be32(&key, second);
    return key;
}

struct sl_key sl_key_log(uint64_t commit, uint32_t part)
{
    struct sl_key key = {.size = 8};

    sl_put_be64(key.bytes, commit);
    key_add_be32(&key, part);
    return key;
}

struct sl_key sl_key_post(uint32_t run, struct sl_view term)
{
    struct sl_key key = sl_key_number(run);
    uint8_t size = (uint8_t)term.size;

    SL_PRE(term.size <= SL_TERM_KEY_BYTES);
    key_add(&key, &size, 1);
    key_add(&key, term.data, term.size);
    return key;
}

void sl_key_post_from(struct sl_key *key, uint32_t from)
{
    key_add_be32(key, from);
}

struct sl_key sl_key_document(struct sl_view topic, struct sl_view name)
{
    struct sl_key key = {.size = 1};

    if (topic.size + name.size + 2 <= SL_KEY_TABLE_BYTES) {
        key.bytes[0] = 0;
        key_add(&key, topic.data, topic.size);
        key_add(&key, "", 1);
        key_add(&key, name.data, name.size);
    } else {
        struct sl_sha256 *state = sl_sha256_begin();
        uint8_t digest[32];
        key.bytes[0] = 1;
        sl_sha256_add(state, topic.data, topic.size);
        sl_sha256_add(state, "", 1);
        sl_sha256_add(state, name.data, name.size);
        sl_sha256_end(state, digest);
        key_add(&key, digest, sizeof digest);
    }
    return key;
}

struct sl_key sl_key_position(struct sl_view topic, int32_t partition)
{
    struct sl_key key = {.size = 0};

    SL_PRE(topic.size <= 256);
    key_add(&key, topic.data, topic.size);
    key_add(&key, "", 1);
    key_add_be32(&key, (uint32_t)partition);
    return key;
}

struct sl_view sl_term_key(struct sl_view term, char room[SL_TERM_KEY_BYTES])
{
    uint8_t digest[32];

    if (term.size < SL_TERM_KEY_BYTES)
        return term;
    sl_sha256(term, digest);
    memcpy(room, term.data, SL_TERM_KEY_BYTES - 16);
    memcpy(room + SL_TERM_KEY_BYTES - 16, digest, 16);
    return (struct sl_view){room, SL_TERM_KEY_BYTES};
}

/* ---------------------------------------------------------------------------------- payloads */

void sl_format_write(struct sl_buffer *buffer, const struct sl_format *format)
{
    sl_buffer_add(buffer, MAGIC, MAGIC_BYTES);
    sl_write_u32(buffer, format->version);
    sl_write_u32(buffer, BYTE_ORDER_MARK_VALUE);
    sl_write_u32(buffer, format->dim);
    sl_write_u32(buffer, format->metric);
    sl_write_u32(buffer, format->m);
    sl_write_view(buffer, format->fingerprint);
    sl_write_u32(buffer, format->storage);
}

enum sl_err sl_format_read(struct sl_view payload, struct sl_format *ret_format,
                           struct sl_error *err)
{
    struct sl_reader reader = sl_reader_of(payload);
    const char *magic = sl_read_bytes(&reader, MAGIC_BYTES);
    struct sl_format format = {.version = sl_read_u32(&reader)};
    uint32_t order = sl_read_u32(&reader);

    if (magic == NULL || memcmp(magic, MAGIC, MAGIC_BYTES) != 0)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_format", "not an index of sluice");
    if (order != BYTE_ORDER_MARK_VALUE)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_format",
                       "the index was made on a machine of the other byte order");
    if (format.version > SL_FORMAT_VERSION)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_format",
                       "the index has format %u, this program knows formats up to %u",
                       format.version, SL_FORMAT_VERSION);
    if (format.version < SL_FORMAT_OLDEST)
        return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_format",
                       "the index has format %u, this program knows formats from %u on: let it be "
                       "built again from the topic in an empty directory",
                       format.version, SL_FORMAT_OLDEST);
    format.dim = sl_read_u32(&reader);
    format.metric = sl_read_u32(&reader);
    format.m = sl_read_u32(&reader);
    format.fingerprint = sl_read_view(&reader);
    format.storage = sl_read_u32(&reader);
    if (reader.bad || format.dim > SL_DIM_MAX || format.m == 0 || format.m > SL_M_MAX ||
        format.metric == 0 || format.metric > 3 || format.storage == 0 ||
        format.storage > SL_STORAGE_BIT)
        return sl_stop(err, SL_EXIT_DATA, 0, "corrupt", "table meta, key format: senseless values");
    *ret_format = format;
    return SL_OK;
}

void sl_key_row_write(struct sl_buffer *buffer, const struct sl_key_row *row)
{
    sl_write_u32(buffer, row->document);
    sl_write_u32(buffer, (uint32_t)(row->doubtful ? ~row->partition : row->partition));
    sl_write_u64(buffer, (uint64_t)row->offset);
    sl_write_u64(buffer, (uint64_t)row->timestamp_ms);
    sl_write_view(buffer, row->topic);
    sl_write_view(buffer, row->key);
}

bool sl_key_row_read(struct sl_view payload, struct sl_key_row *ret_row)
{
    struct sl_reader reader = sl_reader_of(payload);
    struct sl_key_row row;

    row.document = sl_read_u32(&reader);
    row.partition = (int32_t)sl_read_u32(&reader);
    row.offset = (int64_t)sl_read_u64(&reader);
    row.timestamp_ms = (int64_t)sl_read_u64(&reader);
    row.topic = sl_read_view(&reader);
    row.key = sl_read_view(&reader);
    if (reader.bad || reader.at != reader.end)
        return false;
    row.doubtful = row.partition < 0 && row.offset >= 0;
    if (row.doubtful)
        row.partition = ~row.partition;
    *ret_row = row;
    return true;
}

static void field_write(struct sl_buffer *buffer, const struct sl_field *field)
{
    sl_write_view(buffer, field->name);
    sl_write_u8(buffer, (uint8_t)field->type);
    sl_write_u8(buffer, field->in_array ? 1 : 0);
    if (field->type == SL_FIELD_STRING)
        sl_write_view(buffer, field->string);
    else if (field->type == SL_FIELD_NUMBER)
        sl_buffer_add(buffer, &field->number, sizeof field->number);
    else
        sl_write_u8(buffer, field->boolean ? 1 : 0);
}

static struct sl_field field_read(struct sl_reader *reader)
{
    struct sl_field field = {.name = sl_read_view(reader)};

    field.type = (enum sl_field_type)sl_read_u8(reader);
    field.in_array = sl_read_u8(reader) != 0;
    if (field.type == SL_FIELD_STRING)
        field.string = sl_read_view(reader);
    else if (field.type == SL_FIELD_NUMBER)
        sl_read(reader, &field.number, sizeof field.number);
    else if (field.type == SL_FIELD_BOOL)
        field.boolean = sl_read_u8(reader) != 0;
    else
        reader->bad = true;
    return field;
}

void sl_doc_write(struct sl_buffer *buffer, const struct sl_doc_head *head,
                  const struct sl_document *document)
{
    sl_buffer_add(buffer, head->content_hash, sizeof head->content_hash);
    sl_buffer_add(buffer, head->chunk_hash, sizeof head->chunk_hash);
    sl_write_u32(buffer, head->chunk_count);
    sl_write_view(buffer, document->topic);
    sl_write_view(buffer, document->key);
    sl_write_u8(buffer, (uint8_t)document->text_media);
    sl_write_view(buffer, document->title);
    sl_write_view(buffer, document->date);
    sl_write_u32(buffer, (uint32_t)document->date_days.from);
    sl_write_u32(buffer, (uint32_t)document->date_days.to);
    sl_write_view(buffer, document->lang);
    sl_write_view(buffer, document->url);
    sl_write_view(buffer, document->tenant);
    sl_write_u32(buffer, document->valid_count);
    for (uint32_t i = 0; i < document->valid_count; i++) {
        sl_write_u32(buffer, (uint32_t)document->valid[i].from);
        sl_write_u32(buffer, (uint32_t)document->valid[i].to);
    }
    sl_write_u32(buffer, document->field_count);
    for (uint32_t i = 0; i < document->field_count; i++)
        field_write(buffer, &document->fields[i]);
    sl_write_view(buffer, document->vector_model);
    sl_write_u32(buffer, document->vector == NULL ? 0 : document->vector_dim);
    if (document->vector != NULL)
        sl_buffer_add(buffer, document->vector, document->vector_dim * sizeof(float));
    sl_write_view(buffer, document->text);
}

static struct sl_doc_head head_read(struct sl_reader *reader)
{
    struct sl_doc_head head;

    sl_read(reader, head.content_hash, sizeof head.content_hash);
    sl_read(reader, head.chunk_hash, sizeof head.chunk_hash);
    head.chunk_count = sl_read_u32(reader);
    return head;
}

bool sl_doc_head_read(struct sl_view payload, struct sl_doc_head *ret_head)
{
    struct sl_reader reader = sl_reader_of(payload);

    *ret_head = head_read(&reader);
    return !reader.bad;
}

void sl_doc_head_set(char *payload, const struct sl_doc_head *head)
{
    memcpy(payload, head->content_hash, sizeof head->content_hash);
    payload += sizeof head->content_hash;
    memcpy(payload, head->chunk_hash, sizeof head->chunk_hash);
    payload += sizeof head->chunk_hash;
    memcpy(payload, &head->chunk_count, sizeof head->chunk_count);
}

void sl_doc_head_copy(struct sl_doc_head *head, uint32_t original)
{
    head->chunk_count = 0;
    memcpy(head->chunk_hash, COPY_MARK, COPY_MARK_BYTES);
    sl_put_be32(head->chunk_hash + COPY_MARK_BYTES, original);
}

uint32_t sl_doc_head_original(const struct sl_doc_head *head)
{
    if (head->chunk_count != 0 || memcmp(head->chunk_hash, COPY_MARK, COPY_MARK_BYTES) != 0)
        return 0;
    return sl_get_be32(head->chunk_hash + COPY_MARK_BYTES);
}

/* Validity intervals, metadata and vector: the parts that need arrays. false: the arena is full. */
static bool doc_read_arrays(struct sl_reader *reader, struct sl_arena *arena,
                            struct sl_document *document)
{
    struct sl_day_range *valid;
    struct sl_field *fields;
    float *vector;

    document->valid_count = sl_read_u32(reader);
    reader->bad = reader->bad || document->valid_count > SL_VALID_RANGES_MAX;
    document->valid_count = reader->bad ? 0 : document->valid_count;
    valid = SL_NEW_ARRAY(arena, struct sl_day_range, document->valid_count + 1);
    for (uint32_t i = 0; valid != NULL && i < document->valid_count; i++) {
        valid[i].from = (sl_day)sl_read_u32(reader);
        valid[i].to = (sl_day)sl_read_u32(reader);
    }
    document->field_count = sl_read_u32(reader);
    reader->bad = reader->bad || document->field_count > SL_FIELDS_MAX;
    document->field_count = reader->bad ? 0 : document->field_count;
    fields = SL_NEW_ARRAY(arena, struct sl_field, document->field_count + 1);
    for (uint32_t i = 0; fields != NULL && i < document->field_count; i++)
        fields[i] = field_read(reader);
    document->vector_model = sl_read_view(reader);
    document->vector_dim = sl_read_u32(reader);
    reader->bad = reader->bad || document->vector_dim > SL_DIM_MAX;
    document->vector_dim = reader->bad ? 0 : document->vector_dim;
    vector = SL_NEW_ARRAY(arena, float, document->vector_dim + 1);
    if (vector != NULL)
        sl_read(reader, vector, document->vector_dim * sizeof(float));
    document->valid = valid;
    document->fields = fields;
    document->vector = document->vector_dim > 0 ? vector : NULL;
    return valid != NULL && fields != NULL && vector != NULL;
}

enum sl_err sl_doc_read(struct sl_view payload, struct sl_arena *arena,
                        struct sl_document *document, struct sl_doc_head *ret_head,
                        struct sl_error *err)
{
    struct sl_reader reader = sl_reader_of(payload);
    struct sl_doc_head head = head_read(&reader);

    document->topic = sl_read_view(&reader);
    document->key = sl_read_view(&reader);
    document->text_media = (enum sl_media)sl_read_u8(&reader);
    document->title = sl_read_view(&reader);
    document->date = sl_read_view(&reader);
    document->date_days.from = (sl_day)sl_read_u32(&reader);
    document->date_days.to = (sl_day)sl_read_u32(&reader);
    document->lang = sl_read_view(&reader);
    document->url = sl_read_view(&reader);
    document->tenant = sl_read_view(&reader);
    if (!doc_read_arrays(&reader, arena, document))
        return sl_fail(err, SL_REJECT, "too_large", "a stored document does not fit the arena");
    document->text = sl_read_view(&reader);
    memcpy(document->content_hash, head.content_hash, sizeof head.content_hash);
    if (reader.bad || reader.at != reader.end)
        return sl_stop(err, SL_EXIT_DATA, 0, "corrupt", "table doc: a record with wrong lengths");
    if (ret_head != NULL)
        *ret_head = head;
    return SL_OK;
}

void sl_chunk_head_write(struct sl_buffer *buffer, const struct sl_chunk_head *head)
{
    sl_write_u32(buffer, head->number);
    sl_write_u32(buffer, head->byte_start);
    sl_write_u32(buffer, head->byte_end);
    sl_write_u32(buffer, head->word_count);
    sl_write_u32(buffer, head->length_terms);
    sl_write_u32(buffer, head->window_count);
    sl_write_view(buffer, head->section);
}

void sl_window_write(struct sl_buffer *buffer, const struct sl_window_row *window)
{
    sl_write_u32(buffer, window->byte_start);
    sl_write_u32(buffer, window->byte_end);
    sl_buffer_add(buffer, window->hash, sizeof window->hash);
    sl_write_u32(buffer, window->slot);
}

struct sl_chunk_head sl_chunk_head_read(struct sl_reader *reader)
{
    struct sl_chunk_head head;

    head.number = sl_read_u32(reader);
    head.byte_start = sl_read_u32(reader);
    head.byte_end = sl_read_u32(reader);
    head.word_count = sl_read_u32(reader);
    head.length_terms = sl_read_u32(reader);
    head.window_count = sl_read_u32(reader);
    head.section = sl_read_view(reader);
    if ((size_t)(reader->end - reader->at) / 28 < head.window_count)
        reader->bad = true;
    if (reader->bad)
        head.window_count = 0;
    return head;
}

struct sl_window_row sl_window_read(struct sl_reader *reader)
{
    struct sl_window_row window;

    window.byte_start = sl_read_u32(reader);
    window.byte_end = sl_read_u32(reader);
    sl_read(reader, window.hash, sizeof window.hash);
    window.slot = sl_read_u32(reader);
    return window;
}
