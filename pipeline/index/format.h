/*
 * format.h -- records on disk: keys, and payloads to and from structs. docs/DISK_FORMAT.md describes them.
 *
 * Keys are big-endian, so that LMDB's byte order is the numbers' order. Payloads are in native byte order
 * (the format record says which) and unaligned.
 */
#ifndef SLUICE_INDEX_FORMAT_H
#define SLUICE_INDEX_FORMAT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <sluice/arena.h>
#include <sluice/chunk.h>
#include <sluice/document.h>
#include <sluice/error.h>
#include <sluice/limits.h>
#include <sluice/view.h>

#define SL_FORMAT_VERSION   5u
#define SL_FORMAT_OLDEST    4u /* it has no copies; before it postings were of segments only */
#define SL_SLAB_BYTES_MAX   (256u << 10) /* of vectors */
#define SL_LINK_PAGES       1u /* of a slab of links */
#define SL_SEGMENT_CHUNKS   1024u /* chunk numbers in one postings segment; documents in one block */
#define SL_SLOT_NONE        UINT32_MAX
#define SL_KEY_TABLE_BYTES  511u  /* LMDB's bound */

/* ------------------------------------------------------------------------ reading and writing */

/* Reads past the end give zeros and set `bad`. */
struct sl_reader {
    const char *at;
    const char *end;
    bool bad;
};

static inline struct sl_reader sl_reader_of(struct sl_view view)
{
    return (struct sl_reader){view.data, view.data + view.size, false};
}

static inline const char *sl_read_bytes(struct sl_reader *reader, size_t size)
{
    const char *at = reader->at;

    if ((size_t)(reader->end - reader->at) < size) {
        reader->bad = true;
        reader->at = reader->end;
        return NULL;
    }
    reader->at += size;
    return at;
}

static inline void sl_read(struct sl_reader *reader, void *ret_value, size_t size)
{
    const char *at = sl_read_bytes(reader, size);

    if (at != NULL)
        memcpy(ret_value, at, size);
    else
        memset(ret_value, 0, size);
}

static inline uint8_t sl_read_u8(struct sl_reader *reader)
{
    uint8_t value;

    sl_read(reader, &value, sizeof value);
    return value;
}

static inline uint32_t sl_read_u32(struct sl_reader *reader)
{
    uint32_t value;

    sl_read(reader, &value, sizeof value);
    return value;
}

static inline uint64_t sl_read_u64(struct sl_reader *reader)
{
    uint64_t value;

    sl_read(reader, &value, sizeof value);
    return value;
}

static inline uint32_t sl_read_varint(struct sl_reader *reader)
{
    uint32_t value = 0;

    for (unsigned shift = 0; shift < 32; shift += 7) {
        uint8_t byte = sl_read_u8(reader);
        value |= (uint32_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    reader->bad = true;
    return value;
}

/* A length and its bytes; length UINT32_MAX stands for data == NULL. */
struct sl_view sl_read_view(struct sl_reader *reader);

static inline void sl_write_u8(struct sl_buffer *buffer, uint8_t value)
{
    sl_buffer_add(buffer, &value, sizeof value);
}

static inline void sl_write_u32(struct sl_buffer *buffer, uint32_t value)
{
    sl_buffer_add(buffer, &value, sizeof value);
}

static inline void sl_write_u64(struct sl_buffer *buffer, uint64_t value)
{
    sl_buffer_add(buffer, &value, sizeof value);
}

void sl_write_varint(struct sl_buffer *buffer, uint32_t value);
void sl_write_view(struct sl_buffer *buffer, struct sl_view view);

static inline struct sl_view sl_buffer_as_view(const struct sl_buffer *buffer)
{
    return (struct sl_view){buffer->data != NULL ? buffer->data : "", buffer->size};
}

static inline void sl_put_be32(void *to, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(to, &value, sizeof value);
}

static inline uint32_t sl_get_be32(const void *from)
{
    uint32_t value;

    memcpy(&value, from, sizeof value);
    return __builtin_bswap32(value);
}

static inline void sl_put_be64(void *to, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(to, &value, sizeof value);
}

static inline uint64_t sl_get_be64(const void *from)
{
    uint64_t value;

    memcpy(&value, from, sizeof value);
    return __builtin_bswap64(value);
}

/* -------------------------------------------------------------------------------------- keys */

/* Room for any key. */
struct sl_key {
    char bytes[SL_KEY_TABLE_BYTES + 1];
    size_t size;
};

static inline struct sl_view sl_key_view(const struct sl_key *key)
{
    return (struct sl_view){key->bytes, key->size};
}

struct sl_key sl_key_number(uint32_t number);                      /* doc, segment, vec, link */
struct sl_key sl_key_pair(uint32_t first, uint32_t second);        /* chunk, term            */
struct sl_key sl_key_log(uint64_t commit, uint32_t part);          /* log                    */
struct sl_key sl_key_post(uint32_t run, struct sl_view term);      /* post: a term's first block */
/* A further block of it: `from` is the least chunk number it may hold. */
void sl_key_post_from(struct sl_key *key, uint32_t from);
struct sl_key sl_key_document(struct sl_view topic, struct sl_view key);    /* key           */
struct sl_key sl_key_position(struct sl_view topic, int32_t partition);     /* pos           */

/* ---------------------------------------------------------------------------------- payloads */

/* What never changes, and when it was made. */
struct sl_format {
    uint32_t version;
    uint32_t dim;
    uint32_t metric;
    uint32_t m;
    uint32_t storage; /* enum sl_storage */
    struct sl_view fingerprint;
};

void sl_format_write(struct sl_buffer *buffer, const struct sl_format *format);
/* Errors: bad_format (78) for a foreign or newer one, corrupt. */
enum sl_err sl_format_read(struct sl_view payload, struct sl_format *ret_format,
                           struct sl_error *err);

/* Runs of postings (runs.h). On level l a run is of 8^l segments; on level 0, of one. */
#define SL_RUN_LEVELS     7u
#define SL_RUN_NAME_BYTES 65u /* of a term, as post's keys hold it */

struct sl_run_level {
    uint32_t whole;        /* runs there are */
    uint32_t moving_bytes; /* 0: the next one is not begun */
    char moving[SL_RUN_NAME_BYTES + 3]; /* terms before this one have moved there */
};

/* What changes with each commit. */
struct sl_state {
    uint64_t sequence;
    uint64_t chunks;
    uint64_t terms_total;
    uint64_t log_bytes;
    uint32_t slot_end; /* slots ever used */
    uint32_t entry;    /* SL_SLOT_NONE: no vectors */
    uint32_t root;     /* of the tree that proves reachability */
    uint32_t document_end; /* document numbers ever used; 0 is none */
    uint64_t run_changes;  /* of postings, since runs were last worked on */
    struct sl_run_level runs[SL_RUN_LEVELS]; /* levels 1.. */
};

/* (topic, key) -> which document, which version. document 0: a tombstone. On disk the partition of a doubtful
 * row is stored as its complement. */
struct sl_key_row {
    uint32_t document;
    bool doubtful; /* of an earlier history of its partition, and not yet found in this one */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct sl_view topic;
    struct sl_view key;
};

void sl_key_row_write(struct sl_buffer *buffer, const struct sl_key_row *row);
bool sl_key_row_read(struct sl_view payload, struct sl_key_row *ret_row);

/* What stands before the document itself in its record. */
struct sl_doc_head {
    uint8_t content_hash[32];
    uint8_t chunk_hash[16]; /* over everything the chunks store */
    uint32_t chunk_count;
};

void sl_doc_write(struct sl_buffer *buffer, const struct sl_doc_head *head,
                  const struct sl_document *document);
bool sl_doc_head_read(struct sl_view payload, struct sl_doc_head *ret_head);
/* Put another head before a document that was written. */
void sl_doc_head_set(char *payload, const struct sl_doc_head *head);
/* A copy has no chunks; what would be their digest says which document it is a copy of. */
void sl_doc_head_copy(struct sl_doc_head *head, uint32_t original);
/* 0: it is no copy. */
uint32_t sl_doc_head_original(const struct sl_doc_head *head);
/* Arrays in `arena`, views into `payload`; partition, offset and time are left alone (they are in the
 * key's row). Errors: SL_STOP corrupt; SL_REJECT too_large */
enum sl_err sl_doc_read(struct sl_view payload, struct sl_arena *arena,
                        struct sl_document *document, struct sl_doc_head *ret_head,
                        struct sl_error *err);

/* One chunk. Windows follow the head, one after the other. */
struct sl_chunk_head {
    uint32_t number; /* the chunk's own, unique in the index */
    uint32_t byte_start;
    uint32_t byte_end;
    uint32_t word_count;
    uint32_t length_terms;
    uint32_t window_count;
    struct sl_view section;
};

struct sl_window_row {
    uint32_t byte_start;
    uint32_t byte_end;
    uint8_t hash[SL_HASH_BYTES];
    uint32_t slot;
};

void sl_chunk_head_write(struct sl_buffer *buffer, const struct sl_chunk_head *head);
void sl_window_write(struct sl_buffer *buffer, const struct sl_window_row *window);
struct sl_chunk_head sl_chunk_head_read(struct sl_reader *reader);
struct sl_window_row sl_window_read(struct sl_reader *reader);

/* Which document, ordinal and length a chunk number has; document 0: free. */
struct sl_segment {
    uint32_t document[SL_SEGMENT_CHUNKS];
    uint32_t length[SL_SEGMENT_CHUNKS];
    uint16_t ordinal[SL_SEGMENT_CHUNKS];
};

/* A term as it is written into keys: long ones become their head and a digest. */
#define SL_TERM_KEY_BYTES 64u
struct sl_view sl_term_key(struct sl_view term, char room[SL_TERM_KEY_BYTES]);


#endif /* SLUICE_INDEX_FORMAT_H */
