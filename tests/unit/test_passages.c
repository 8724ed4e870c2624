/* test_passages.c -- chunks found side by side are one passage, and what stands around them can come along. */
#include "small_index.h"

#include "answer/answer_internal.h"

enum { SECTIONS = 4, SENTENCES = 24 };

/* A guide of four sections, each longer than three chunks; every sentence has words of its own. */
static struct small_index *guide_open(void)
{
    struct small_index *small = small_open(false);
    struct sl_buffer json = {0};

    sl_buffer_format(&json, "{\"title\": \"Guide\", \"text\": \"");
    for (int s = 0; s < SECTIONS; s++) {
        sl_buffer_format(&json, "## Section%d\\n\\n", s);
        for (int i = 0; i < SENTENCES; i++)
            sl_buffer_format(&json, "Sentence s%dn%d tells about the matter m%d of it all. ", s, i,
                             s * SENTENCES + i);
        sl_buffer_format(&json, "\\n\\n");
    }
    sl_buffer_format(&json, "\"}");
    sl_buffer_add(&json, "", 1);
    small_put(small, "guide", json.data);
    sl_buffer_fini(&json);
    return small;
}

static uint32_t chunk_count(struct small_index *small)
{
    struct sl_document document;
    struct sl_error err = {0};
    uint32_t count = 0;

    small_check(sl_snapshot_document(small->snapshot, 1, small->arena, &document, &count, &err), &err);
    return count;
}

static uint32_t read(struct small_index *small, const uint32_t *chunks, uint32_t count,
                     struct sl_passage **ret)
{
    struct sl_result *results = SL_NEW_ARRAY(small->arena, struct sl_result, count);
    struct sl_retrieved retrieved = {.results = results, .count = count};
    struct sl_error err = {0};
    uint32_t passages = 0;

    for (uint32_t i = 0; i < count; i++)
        results[i] = (struct sl_result){.doc = 1, .chunk = chunks[i], .lexical_rank = i + 1,
                                        .lexical_score = (float)(10 - i)};
    small_check(sl_passages_read(small->snapshot, &retrieved, 10, small->arena, ret, &passages, &err),
                &err);
    return passages;
}

static uint32_t expand(struct small_index *small, enum sl_expand how, const struct sl_passage *passages,
                       uint32_t count, struct sl_passage **ret)
{
    struct sl_error err = {0};
    uint32_t expanded = 0;

    small_check(sl_passages_expand(small->snapshot, how, passages, count, small->arena, ret, &expanded,
                                   &err), &err);
    return expanded;
}

TEST(chunks_side_by_side_are_one_passage)
{
    struct small_index *small = guide_open();
    struct sl_passage *p;

    REQUIRE(chunk_count(small) >= 12);
    REQUIRE(read(small, (uint32_t[]){4, 9, 6, 5}, 4, &p) == 2); /* 5 joins 4 and 6 */
    CHECK(p[0].result->chunk == 4 && p[0].part_count == 3 && p[1].result->chunk == 9);
    CHECK(p[0].byte_start == p[0].parts[0].byte_start && p[0].byte_end == p[0].parts[2].byte_end);
    CHECK(p[0].result->lexical_rank == 1 && p[0].result->lexical_score == 10);
    for (uint32_t i = 0; i < p[0].part_count; i++) {
        const struct sl_part *part = &p[0].parts[i];
        struct sl_citation cited =
            sl_citation_of(&p[0], 1, part->byte_end - 20, part->byte_end, 1);
        CHECK(part->chunk == 4 + i && cited.chunk == part->chunk);
        CHECK(sl_view_equal(cited.quote, sl_view_range(p[0].document->text, part->byte_end - 20,
                                                       part->byte_end)));
    }
    REQUIRE(read(small, (uint32_t[]){2, 4, 8}, 3, &p) == 3);
    small_close(small);
}

TEST(a_section_comes_along_and_no_more)
{
    struct small_index *small = guide_open();
    struct sl_passage *p, *wide;

    for (uint32_t chunk = 0; chunk < chunk_count(small); chunk++) {
        REQUIRE(read(small, &chunk, 1, &p) == 1);
        REQUIRE(expand(small, SL_EXPAND_OFF, p, 1, &wide) == 1);
        CHECK(wide->byte_start == p->byte_start && wide->byte_end == p->byte_end);
        REQUIRE(expand(small, SL_EXPAND_NEIGHBOURS, p, 1, &wide) == 1);
        CHECK(wide->part_count >= 3 && wide->part_count <= 5);
        REQUIRE(expand(small, SL_EXPAND_SECTION, p, 1, &wide) == 1);
        CHECK(wide->byte_start <= p->byte_start && wide->byte_end >= p->byte_end);
        CHECK(wide->part_count >= 2); /* sections are longer than a chunk */
        CHECK(wide->byte_end - wide->byte_start <= SL_PASSAGE_BYTES_MAX);
        for (uint32_t i = 0; i < wide->part_count; i++) {
            struct sl_chunk read_chunk;
            struct sl_error err = {0};
            small_check(sl_snapshot_chunk(small->snapshot, 1, wide->parts[i].chunk, small->arena,
                                          &read_chunk, &err), &err);
            CHECK(sl_view_equal(read_chunk.section, p->section));
        }
    }
    small_close(small);
}

TEST(expanded_passages_grow_together_within_bounds)
{
    struct small_index *small = guide_open();
    struct sl_passage *p, *wide;
    uint32_t all[10], count = 0, bytes = 0;

    REQUIRE(read(small, (uint32_t[]){1, 3}, 2, &p) == 2);
    CHECK(expand(small, SL_EXPAND_NEIGHBOURS, p, 2, &wide) == 1);
    for (uint32_t i = 0; i < chunk_count(small) && count < 10; i += 3)
        all[count++] = i;
    count = read(small, all, count, &p);
    count = expand(small, SL_EXPAND_NEIGHBOURS, p, count, &wide);
    for (uint32_t i = 0; i < count; i++) {
        bytes += wide[i].byte_end - wide[i].byte_start;
        CHECK(wide[i].byte_end - wide[i].byte_start <= SL_PASSAGE_BYTES_MAX);
    }
    CHECK(bytes <= SL_EXPANDED_BYTES_MAX);
    small_close(small);
}
