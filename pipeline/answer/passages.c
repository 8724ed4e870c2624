/*
 * passages.c -- the chunks that were found, with the text of their documents and what stands around.
 *
 *     results -> read -> chunks that touch are one passage -> [more of the section] -> reader
 *
 * What is searched is small, so that it is found for what it says; what is read may be larger. Chunks that
 * overlap or follow each other are put together, or a reader would see the same sentences twice and a quote
 * across both nowhere. Measured at a fixed number of words (docs/QUALITY.md): the rest of the section helps
 * where a text has sections longer than a chunk and costs little elsewhere; blind neighbours help dialogue
 * and cost a twentieth of the recall of facts, so they are not the default.
 */
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
                                 struct sl_arena *arena, struct sl_passage *passage,
                                 struct sl_error *err)
{
    struct sl_document *document, original;
    sl_doc_id with_chunks;
    enum sl_err e;

    for (uint32_t i = 0; i < count; i++)
        if (passages[i].result->doc == doc) {
            passage->document = passages[i].document;
            passage->document_chunks = passages[i].document_chunks;
            return SL_OK;
        }
    document = SL_NEW(arena, struct sl_document);
    if (document == NULL)
        return no_memory(err);
    e = sl_snapshot_document(snapshot, doc, arena, document, &passage->document_chunks, err);
    if (!e)
        e = sl_snapshot_original(snapshot, doc, &with_chunks, err);
    if (!e && with_chunks != doc)
        e = sl_snapshot_document(snapshot, with_chunks, arena, &original, &passage->document_chunks, err);
    passage->document = document;
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

/* ------------------------------------------------------------------------------- joining */

/* Do two passages of one document overlap or follow each other, and is there room for both in one? */
static bool joins(const struct sl_passage *a, const struct sl_passage *b)
{
    uint32_t start = a->byte_start < b->byte_start ? a->byte_start : b->byte_start;
    uint32_t end = a->byte_end > b->byte_end ? a->byte_end : b->byte_end;

    return a->document == b->document && end - start <= SL_PASSAGE_BYTES_MAX &&
           a->parts[0].chunk <= b->parts[b->part_count - 1].chunk + 1 &&
           b->parts[0].chunk <= a->parts[a->part_count - 1].chunk + 1;
}

/* Both results as one: the place of the better, the best of each leg. */
static struct sl_result joined_result(const struct sl_result *a, const struct sl_result *b)
{
    struct sl_result both = *a;

    if (b->lexical_rank > 0 && (both.lexical_rank == 0 || b->lexical_rank < both.lexical_rank)) {
        both.lexical_rank = b->lexical_rank;
        both.lexical_score = b->lexical_score;
    }
    if (b->vector_rank > 0 && (both.vector_rank == 0 || b->vector_rank < both.vector_rank)) {
        both.vector_rank = b->vector_rank;
        both.vector_score = b->vector_score;
    }
    return both;
}

/* Put the parts of `b` to those of `a`, in order, each once. */
static enum sl_err join(struct sl_passage *a, const struct sl_passage *b, struct sl_arena *arena,
                        struct sl_error *err)
{
    struct sl_part *parts = SL_NEW_ARRAY(arena, struct sl_part, a->part_count + b->part_count);
    struct sl_result *result = SL_NEW(arena, struct sl_result);
    uint32_t i = 0, j = 0, count = 0;

    if (parts == NULL || result == NULL)
        return no_memory(err);
    while (i < a->part_count || j < b->part_count) {
        bool from_a = j == b->part_count ||
                      (i < a->part_count && a->parts[i].chunk <= b->parts[j].chunk);
        struct sl_part part = from_a ? a->parts[i++] : b->parts[j++];
        if (count == 0 || parts[count - 1].chunk != part.chunk)
            parts[count++] = part;
    }
    *result = joined_result(a->result, b->result);
    a->result = result;
    a->parts = parts;
    a->part_count = count;
    a->byte_start = a->byte_start < b->byte_start ? a->byte_start : b->byte_start;
    a->byte_end = a->byte_end > b->byte_end ? a->byte_end : b->byte_end;
    return SL_OK;
}

/* Join passages until none touch; the better of two keeps its place. */
static enum sl_err join_all(struct sl_passage *passages, uint32_t *count, struct sl_arena *arena,
                            struct sl_error *err)
{
    for (uint32_t i = 0; i < *count; i++)
        for (uint32_t j = i + 1; j < *count; j++) {
            enum sl_err e;

            if (!joins(&passages[i], &passages[j]))
                continue;
            if ((e = join(&passages[i], &passages[j], arena, err)))
                return e;
            memmove(&passages[j], &passages[j + 1], (*count - j - 1) * sizeof *passages);
            --*count;
            i = UINT32_MAX; /* the longer one may touch any other: from the start */
            break;
        }
    return SL_OK;
}

/* ------------------------------------------------------------------------------- reading */

static enum sl_err read_part(const struct sl_snapshot *snapshot, const struct sl_passage *passage,
                             uint32_t number, struct sl_arena *arena, struct sl_part *ret_part,
                             struct sl_view *ret_section, struct sl_error *err)
{
    struct sl_chunk chunk;
    enum sl_err e = sl_snapshot_chunk(snapshot, passage->result->doc, number, arena, &chunk, err);

    if (e)
        return e;
    if (chunk.byte_start > chunk.byte_end || chunk.byte_end > passage->document->text.size)
        return sl_stop(err, SL_EXIT_DATA, 0, "corrupt",
                       "answer: chunk %u of document %llu lies outside its text", number,
                       (unsigned long long)passage->result->doc);
    *ret_part = (struct sl_part){number, chunk.byte_start, chunk.byte_end};
    *ret_section = chunk.section;
    return SL_OK;
}

/* The passage of one result. */
static enum sl_err read_passage(const struct sl_snapshot *snapshot, const struct sl_result *result,
                                const struct sl_passage *passages, uint32_t count,
                                struct sl_arena *arena, struct sl_passage *ret, struct sl_error *err)
{
    struct sl_part *part = SL_NEW(arena, struct sl_part);
    enum sl_err e;

    if (part == NULL)
        return no_memory(err);
    *ret = (struct sl_passage){.result = result, .parts = part, .part_count = 1};
    if ((e = read_document(snapshot, result->doc, passages, count, arena, ret, err)) ||
        (e = read_part(snapshot, ret, result->chunk, arena, part, &ret->section, err)))
        return e;
    ret->byte_start = part->byte_start;
    ret->byte_end = part->byte_end;
    return SL_OK;
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
        if ((e = read_passage(snapshot, &retrieved->results[i], passages, count, arena,
                              &passages[count], err)))
            return e;
        count += is_repeated(passages, count, &passages[count]) ? 0 : 1;
    }
    *ret_passages = passages;
    *ret_count = count;
    return join_all(passages, ret_count, arena, err);
}

/* ------------------------------------------------------------------------------- expanding */

enum { REACH = 2 }; /* chunks on each side */

/* Does the chunk beside the passage belong to it? */
static bool belongs(const struct sl_passage *passage, enum sl_expand expand, struct sl_view section,
                    const struct sl_part *part, uint32_t left)
{
    uint32_t start = part->byte_start < passage->byte_start ? part->byte_start : passage->byte_start;
    uint32_t end = part->byte_end > passage->byte_end ? part->byte_end : passage->byte_end;

    return end - start <= SL_PASSAGE_BYTES_MAX &&
           end - start - (passage->byte_end - passage->byte_start) <= left &&
           (expand == SL_EXPAND_NEIGHBOURS ||
            (section.size > 0 && sl_view_equal(section, passage->section)));
}

/* Take the chunks after (step 1) or before (step -1) the passage, as long as they belong to it. */
static enum sl_err grow(const struct sl_snapshot *snapshot, enum sl_expand expand, int step,
                        uint32_t left, struct sl_arena *arena, struct sl_passage *passage,
                        struct sl_error *err)
{
    for (int i = 0; i < REACH; i++) {
        uint32_t edge = passage->parts[step > 0 ? passage->part_count - 1 : 0].chunk;
        uint32_t own = passage->byte_end - passage->byte_start;
        struct sl_passage one = {.result = passage->result, .document = passage->document,
                                 .part_count = 1, .parts = SL_NEW(arena, struct sl_part)};
        struct sl_view section;
        enum sl_err e;

        if (one.parts == NULL)
            return no_memory(err);
        if (step > 0 ? edge + 1 >= passage->document_chunks : edge == 0)
            return SL_OK;
        e = read_part(snapshot, passage, step > 0 ? edge + 1 : edge - 1, arena, one.parts, &section, err);
        if (e || !belongs(passage, expand, section, one.parts, left))
            return e;
        one.byte_start = one.parts->byte_start;
        one.byte_end = one.parts->byte_end;
        if ((e = join(passage, &one, arena, err)))
            return e;
        left -= passage->byte_end - passage->byte_start - own;
    }
    return SL_OK;
}

enum sl_err sl_passages_expand(const struct sl_snapshot *snapshot, enum sl_expand expand,
                               const struct sl_passage *passages, uint32_t count,
                               struct sl_arena *arena, struct sl_passage **ret_expanded,
                               uint32_t *ret_count, struct sl_error *err)
{
    struct sl_passage *expanded = SL_NEW_ARRAY(arena, struct sl_passage, count + 1);
    uint64_t used = 0;
    enum sl_err e;

    if (expanded == NULL)
        return no_memory(err);
    for (uint32_t i = 0; i < count; i++) {
        expanded[i] = passages[i];
        used += passages[i].byte_end - passages[i].byte_start;
    }
    for (uint32_t i = 0; i < count && expand != SL_EXPAND_OFF; i++)
        for (int step = 1; step >= -1; step -= 2) {
            uint32_t own = expanded[i].byte_end - expanded[i].byte_start;
            uint32_t left = used < SL_EXPANDED_BYTES_MAX ? (uint32_t)(SL_EXPANDED_BYTES_MAX - used) : 0;

            if ((e = grow(snapshot, expand, step, left, arena, &expanded[i], err)))
                return e;
            used += expanded[i].byte_end - expanded[i].byte_start - own;
        }
    *ret_expanded = expanded;
    *ret_count = count;
    return join_all(expanded, ret_count, arena, err);
}

uint32_t sl_passage_chunk(const struct sl_passage *passage, uint32_t byte_start, uint32_t byte_end)
{
    uint32_t chunk = passage->result->chunk, most = 0;

    for (uint32_t i = 0; i < passage->part_count; i++) {
        const struct sl_part *part = &passage->parts[i];
        uint32_t from = part->byte_start > byte_start ? part->byte_start : byte_start;
        uint32_t to = part->byte_end < byte_end ? part->byte_end : byte_end;

        if (from < to && to - from > most) {
            most = to - from;
            chunk = part->chunk;
        }
    }
    return chunk;
}

struct sl_citation sl_citation_of(const struct sl_passage *passage, uint32_t n, uint32_t byte_start,
                                  uint32_t byte_end, float score)
{
    const struct sl_document *document = passage->document;

    SL_PRE(byte_start <= byte_end && byte_end <= document->text.size);
    return (struct sl_citation){.n = n,
                                .doc = passage->result->doc,
                                .chunk = sl_passage_chunk(passage, byte_start, byte_end),
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
