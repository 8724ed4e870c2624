/* passages.c -- the chunks that were found, with the text of their documents. */
#include <sluice/index.h>
#include <sluice/limits.h>

#include "answer_internal.h"

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large", "answer: needs more memory than one question has");
}

/* The document of a result; shared with an earlier passage of the same document. */
static enum sl_err read_document(const struct sl_snapshot *snapshot, sl_doc_id doc,
                                 const struct sl_passage *passages, uint32_t count,
                                 struct sl_arena *arena, const struct sl_document **ret,
                                 struct sl_error *err)
{
    struct sl_document *document;
    uint32_t chunk_count;
    enum sl_err e;

    for (uint32_t i = 0; i < count; i++)
        if (passages[i].result->doc == doc) {
            *ret = passages[i].document;
            return SL_OK;
        }
    document = SL_NEW(arena, struct sl_document);
    if (document == NULL)
        return no_memory(err);
    e = sl_snapshot_document(snapshot, doc, arena, document, &chunk_count, err);
    *ret = document;
    return e;
}

static struct sl_view passage_text(const struct sl_passage *passage)
{
    return sl_view_range(passage->document->text, passage->byte_start, passage->byte_end);
}

static bool is_repeated(const struct sl_passage *passages, uint32_t count,
                        const struct sl_passage *passage)
{
    for (uint32_t i = 0; i < count; i++)
        if (sl_view_equal(passage_text(&passages[i]), passage_text(passage)))
            return true;
    return false;
}

enum sl_err sl_passages_read(const struct sl_snapshot *snapshot,
                             const struct sl_retrieved *retrieved, uint32_t max,
                             struct sl_arena *arena, struct sl_passage **ret_passages,
                             uint32_t *ret_count, struct sl_error *err)
{
    struct sl_passage *passages = SL_NEW_ARRAY(arena, struct sl_passage, max);
    uint32_t count = 0;
    enum sl_err e;

    if (passages == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < retrieved->count && count < max; i++) {
        struct sl_passage *passage = &passages[count];
        struct sl_chunk chunk;
        *passage = (struct sl_passage){.result = &retrieved->results[i]};
        if ((e = read_document(snapshot, passage->result->doc, passages, count, arena,
                               &passage->document, err)) ||
            (e = sl_snapshot_chunk(snapshot, passage->result->doc, passage->result->chunk, arena,
                                   &chunk, err)))
            return e;
        if (chunk.byte_start > chunk.byte_end || chunk.byte_end > passage->document->text.size)
            return sl_stop(err, SL_EXIT_DATA, 0, "corrupt",
                           "answer: chunk %u of document %llu lies outside its text",
                           passage->result->chunk, (unsigned long long)passage->result->doc);
        passage->byte_start = chunk.byte_start;
        passage->byte_end = chunk.byte_end;
        passage->section = chunk.section;
        count += is_repeated(passages, count, passage) ? 0 : 1;
    }
    *ret_passages = passages;
    *ret_count = count;
    return SL_OK;
}

struct sl_citation sl_citation_of(const struct sl_passage *passage, uint32_t n, uint32_t byte_start,
                                  uint32_t byte_end, float score)
{
    const struct sl_document *document = passage->document;

    SL_PRE(byte_start <= byte_end && byte_end <= document->text.size);
    return (struct sl_citation){.n = n,
                                .doc = passage->result->doc,
                                .chunk = passage->result->chunk,
                                .topic = document->topic,
                                .key = document->key,
                                .title = document->title,
                                .date = document->date,
                                .partition = document->partition,
                                .offset = document->offset,
                                .byte_start = byte_start,
                                .byte_end = byte_end,
                                .quote = sl_view_range(document->text, byte_start, byte_end),
                                .score = score};
}
