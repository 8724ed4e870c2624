/*
 * chunk.c -- units put together to chunks.
 *
 * A text that is no longer than a chunk may be is one chunk. Else it is parted at places that an
 * edit elsewhere does not move (cuts.c), and where a chunk has room left it starts with the last
 * whole sentences of the stretch before, as many as the overlap allows, unless a heading or a turn
 * parts them.
 */
#include "chunk_internal.h"
#include "text/text_internal.h"

#include <sluice/limits.h>

enum {
    SECTION_BYTES_MAX = 300,
    PREFIX_BYTES_MAX = 560,
    TITLE_BYTES_MAX = 240,
    PATH_BYTES_MAX = 120,
    HEADER_BYTES_MAX = 160
};

struct packer {
    const struct sl_document *document;
    const struct sl_chunk_options *options;
    struct sl_outline outline;
    struct sl_arena *arena;
    struct sl_buffer chunks; /* struct sl_chunk each */
    uint32_t heading_at;     /* headings before it start before the chunk under way */
    uint32_t path[7];        /* heading index + 1 of each level */
    struct sl_view speaker;  /* of the turn under way; data == NULL: none */
    uint32_t excluded_at;
};

/* Where the chunk of the units [cut, end) starts: back over whole sentences of the stretch before,
 * which begins at `before`, as far as the overlap and the chunk's own length allow. */
static uint32_t overlap_start(const struct packer *p, uint32_t before, uint32_t cut, uint32_t end)
{
    const struct sl_unit *units = p->outline.units;
    uint32_t start = cut, words = 0, own = 0;

    for (uint32_t i = cut; i < end; i++)
        own += units[i].words;
    while (start > before + 1 && units[start].before < SL_BREAK_SPEAKER &&
           units[start].before != SL_BREAK_PART && units[start - 1].whole &&
           words + units[start - 1].words <= p->options->overlap_words &&
           own + words + units[start - 1].words <= p->options->words &&
           units[end - 1].byte_end - units[start - 1].byte_start <= SL_CHUNK_BYTES_MAX) {
        words += units[start - 1].words;
        start--;
    }
    return start;
}

/* The label the unit begins with, without its marks. */
static struct sl_view label_of(const struct packer *p, const struct sl_unit *unit)
{
    struct sl_view label =
        sl_view_range(p->document->text, unit->byte_start, unit->byte_start + unit->label);

    while (label.size > 0 && strchr("*_", label.data[0]) != NULL)
        label = sl_view_range(label, 1, label.size);
    while (label.size > 0 && strchr("*_.:", label.data[label.size - 1]) != NULL)
        label.size--;
    return label;
}

/* Who speaks longest in the units [first, end); a heading ends what was said before it. Chunks come
 * in order, and an overlap is of the turn that the chunk before ended with. */
static struct sl_view main_speaker(struct packer *p, uint32_t first, uint32_t end)
{
    struct sl_view longest = SL_VIEW_NULL;
    uint32_t words = 0, words_max = 0;

    for (uint32_t i = first; i < end; i++) {
        const struct sl_unit *unit = &p->outline.units[i];
        struct sl_view label = label_of(p, unit);

        if (label.size > 0 || unit->before == SL_BREAK_HEADING) {
            p->speaker = label.size > 0 ? label : SL_VIEW_NULL;
            words = 0;
        }
        words += unit->words;
        if (words > words_max) {
            words_max = words;
            longest = p->speaker;
        }
    }
    return longest;
}

/* "A > B" for the headings above a chunk, without the one that is the document's title, and in a
 * transcript for who speaks. */
static struct sl_view section_path(struct packer *p, uint32_t byte_start, struct sl_view speaker)
{
    const struct sl_outline *outline = &p->outline;
    struct sl_buffer path = {0};
    struct sl_view section = SL_VIEW_NULL;

    while (p->heading_at < outline->heading_count &&
           outline->headings[p->heading_at].byte_start <= byte_start) {
        uint32_t level = outline->headings[p->heading_at].level;

        p->path[level] = ++p->heading_at;
        for (uint32_t deeper = level + 1; deeper < 7; deeper++)
            p->path[deeper] = 0;
    }
    for (uint32_t level = 1; level < 7; level++) {
        const struct sl_heading *heading;

        if (p->path[level] == 0)
            continue;
        heading = &outline->headings[p->path[level] - 1];
        if (path.size == 0 && sl_view_equal(heading->text, p->document->title))
            continue;
        if (path.size > 0)
            sl_buffer_view(&path, SL_VIEW(" > "));
        sl_buffer_view(&path, heading->text);
    }
    if (speaker.size > 0) {
        if (path.size > 0)
            sl_buffer_view(&path, SL_VIEW(" > "));
        sl_buffer_view(&path, speaker);
    }
    if (path.size > 0) {
        section = (struct sl_view){path.data, path.size};
        section.size = sl_utf8_floor(section, SECTION_BYTES_MAX);
        section = sl_arena_copy(p->arena, section);
    }
    sl_buffer_fini(&path);
    return section;
}

/* The excluded spans inside the chunk; chunks come in order, but may overlap. */
static void find_excluded(struct packer *p, struct sl_chunk *chunk)
{
    const struct sl_outline *outline = &p->outline;
    uint32_t end;

    while (p->excluded_at < outline->excluded_count &&
           outline->excluded[p->excluded_at].byte_end <= chunk->byte_start)
        p->excluded_at++;
    end = p->excluded_at;
    while (end < outline->excluded_count && outline->excluded[end].byte_start < chunk->byte_end)
        end++;
    if (end == p->excluded_at)
        return;
    chunk->excluded = outline->excluded + p->excluded_at;
    chunk->excluded_count = end - p->excluded_at;
}

static void add_chunk(struct packer *p, uint32_t first, uint32_t end)
{
    const struct sl_unit *units = p->outline.units;
    struct sl_chunk chunk = {.byte_start = units[first].byte_start,
                             .byte_end = units[end - 1].byte_end};

    for (uint32_t i = first; i < end; i++)
        chunk.word_count += units[i].words;
    chunk.section = section_path(p, chunk.byte_start, main_speaker(p, first, end));
    if (units[first].table > 0)
        chunk.table_header = p->outline.tables[units[first].table - 1].header;
    find_excluded(p, &chunk);
    sl_buffer_add(&p->chunks, &chunk, sizeof chunk);
}

static enum sl_err pack(struct packer *p, struct sl_error *err)
{
    uint32_t *cuts, cut_count;

    if (!sl_cuts_make(&p->outline, p->document->text, p->options->words, p->arena, &cuts,
                      &cut_count))
        return sl_fail(err, SL_REJECT, "too_large", "the chunks do not fit into memory");
    if (cut_count > SL_CHUNKS_MAX)
        return sl_fail(err, SL_REJECT, "too_many_chunks",
                       "more than %u chunks; raise [chunk] words", SL_CHUNKS_MAX);
    add_chunk(p, 0, cuts[0]);
    for (uint32_t i = 1; i < cut_count; i++)
        add_chunk(p, overlap_start(p, i > 1 ? cuts[i - 2] : 0, cuts[i - 1], cuts[i]), cuts[i]);
    if (p->chunks.failed)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory cutting a document");
    return SL_OK;
}

enum sl_err sl_chunk_document(const struct sl_document *document,
                              const struct sl_chunk_options *options, struct sl_arena *arena,
                              struct sl_chunk **ret_chunks, uint32_t *ret_count,
                              struct sl_error *err)
{
    struct packer packer = {.document = document, .options = options, .arena = arena};
    struct sl_view copy;
    enum sl_err code;

    SL_PRE(options->words >= 1 && options->overlap_words < options->words);
    if (!sl_text_visible(document->text))
        return sl_fail(err, SL_REJECT, "no_text", "nothing in the text can be seen");
    if ((code = sl_outline_make(document, options, arena, &packer.outline, err)) != SL_OK)
        return code;
    if (packer.outline.unit_count == 0)
        return sl_fail(err, SL_REJECT, "no_text", "the text is nothing but boilerplate");
    code = pack(&packer, err);
    if (code == SL_OK) {
        copy = sl_arena_copy(arena, (struct sl_view){packer.chunks.data, packer.chunks.size});
        if (copy.data == NULL)
            code = sl_fail(err, SL_REJECT, "too_large", "the chunks do not fit into memory");
    }
    if (code == SL_OK) {
        *ret_chunks = (struct sl_chunk *)(void *)(uintptr_t)copy.data;
        *ret_count = (uint32_t)(copy.size / sizeof(struct sl_chunk));
    }
    sl_buffer_fini(&packer.chunks);
    return code;
}

/* ------------------------------------------------------------------ prefix, text */

/* Append one line of at most `bytes_max` bytes, its white space and controls as spaces. */
static size_t add_line(char *out, size_t size, struct sl_view line, size_t bytes_max)
{
    line = sl_view_trim(line);
    line.size = sl_utf8_floor(line, bytes_max);
    if (line.size == 0)
        return size;
    for (size_t i = 0; i < line.size; i++)
        out[size++] = (unsigned char)line.data[i] < ' ' ? ' ' : line.data[i];
    out[size++] = '\n';
    return size;
}

struct sl_view sl_chunk_prefix(const struct sl_document *document, const struct sl_chunk *chunk,
                               struct sl_arena *arena)
{
    char lines[PREFIX_BYTES_MAX];
    size_t size = 0;

    size = add_line(lines, size, document->title, TITLE_BYTES_MAX);
    size = add_line(lines, size, chunk->section, PATH_BYTES_MAX);
    size = add_line(lines, size, document->date, 32);
    size = add_line(lines, size, chunk->table_header, HEADER_BYTES_MAX);
    return sl_arena_copy(arena, (struct sl_view){lines, size});
}

struct sl_view sl_chunk_text(const struct sl_document *document, const struct sl_chunk *chunk,
                             struct sl_view prefix, uint32_t byte_start, uint32_t byte_end,
                             struct sl_arena *arena)
{
    char *text = sl_arena_alloc(arena, prefix.size + (byte_end - byte_start) + 1);
    size_t size = prefix.size;
    uint32_t at = byte_start;

    SL_PRE(chunk->byte_start <= byte_start && byte_start < byte_end && byte_end <= chunk->byte_end);
    if (text == NULL)
        return SL_VIEW_NULL;
    if (prefix.size > 0)
        memcpy(text, prefix.data, prefix.size);
    for (uint32_t i = 0; i <= chunk->excluded_count; i++) {
        uint32_t stop = i < chunk->excluded_count ? chunk->excluded[i].byte_start : byte_end;

        stop = stop < byte_end ? stop : byte_end;
        if (stop > at) {
            memcpy(text + size, document->text.data + at, stop - at);
            size += stop - at;
        }
        if (i < chunk->excluded_count && chunk->excluded[i].byte_end > at)
            at = chunk->excluded[i].byte_end;
    }
    return (struct sl_view){text, size};
}
