/*
 * outline.c -- a text as the units that chunks are packed from.
 *
 * Units are sentences, and the rows of tables; one that is longer than a chunk may be is cut at
 * words, and a "word" longer than SL_WORD_BYTES_MAX between two characters. Excluded spans part the
 * sentences they stand in and belong to no unit. Each unit knows how good a place its start is to
 * begin a chunk: heading, speaker's turn, paragraph, sentence, or the middle of one.
 */
#include "chunk_internal.h"
#include "decode/clean.h"
#include "text/text_internal.h"

#include <sluice/limits.h>

struct builder {
    struct sl_view text;
    const struct sl_chunk_options *options;
    struct sl_outline *outline;
    struct sl_buffer units; /* struct sl_unit each */
    uint32_t heading_at;    /* first heading not yet passed */
    uint32_t excluded_at;   /* first excluded span not yet passed */
    uint32_t table_at;      /* first table not yet passed */
    uint32_t row_of;        /* table + 1 while its body's rows are added */
    bool header;            /* while a table's first lines are added */
    bool goes_on;           /* while the rest of a sentence is added */
    uint32_t previous_end;
};

/* Line ends between two units, those of excluded lines aside: 2 or more make a paragraph. */
static uint32_t newlines(const struct builder *b, uint32_t start, uint32_t end)
{
    const struct sl_outline *outline = b->outline;
    uint32_t count = 0, i = b->excluded_at;

    for (uint32_t at = start; at < end; at++)
        count += b->text.data[at] == '\n';
    while (i > 0 && outline->excluded[i - 1].byte_start >= start)
        i--;
    for (; i < outline->excluded_count && outline->excluded[i].byte_start < end; i++)
        count -= count > 0 && outline->excluded[i].byte_start >= start;
    return count;
}

/* How the sentence at [start, end) begins, and whether it clings to what follows. */
static void judge_start(struct builder *b, struct sl_unit *unit)
{
    const struct sl_outline *outline = b->outline;
    struct sl_view sentence = sl_view_range(b->text, unit->byte_start, unit->byte_end);
    uint32_t lines = newlines(b, b->previous_end, unit->byte_start);
    bool line_start = lines > 0 || b->previous_end == 0;
    size_t label = sl_speaker_label(sentence, line_start);
    size_t turn = line_start ? sl_turn_label(sentence) : 0;

    unit->before = lines >= 2 ? SL_BREAK_PARAGRAPH : SL_BREAK_SENTENCE;
    if (b->goes_on && lines == 0) {
        unit->before = SL_BREAK_PART;
        return;
    }
    while (b->heading_at < outline->heading_count &&
           outline->headings[b->heading_at].byte_end <= unit->byte_start)
        b->heading_at++;
    if (b->heading_at < outline->heading_count &&
        outline->headings[b->heading_at].byte_start < unit->byte_end) {
        unit->before = SL_BREAK_HEADING;
        unit->level = (uint8_t)outline->headings[b->heading_at].level;
        unit->clings = true;
    } else if (label > 0 && line_start) {
        unit->before = SL_BREAK_SPEAKER;
        unit->clings = label == sentence.size;
    }
    if (unit->before != SL_BREAK_HEADING && turn <= UINT8_MAX)
        unit->label = (uint8_t)turn;
}

static struct sl_view label_of(const struct builder *b, const struct sl_unit *unit)
{
    return sl_view_range(b->text, unit->byte_start, unit->byte_start + unit->label);
}

/* In a transcript speakers take turns: many a label is the same as the last but one. "Note:" and
 * "Title:" are no speakers. */
static void judge_labels(struct builder *b)
{
    struct sl_unit *units = (struct sl_unit *)(void *)(uintptr_t)b->units.data;
    uint32_t count = (uint32_t)(b->units.size / sizeof *units), labels = 0, turns = 0;
    const struct sl_unit *last[2] = {NULL, NULL};
    bool transcript;

    for (uint32_t i = 0; i < count; i++) {
        if (units[i].label == 0)
            continue;
        turns += last[0] != NULL && sl_view_equal(label_of(b, last[0]), label_of(b, &units[i]));
        last[0] = last[1];
        last[1] = &units[i];
        labels++;
    }
    transcript = turns >= 2 && turns >= labels / 4;
    for (uint32_t i = 0; i < count; i++) {
        if (!transcript)
            units[i].label = 0;
        else if (units[i].label > 0)
            units[i].before = SL_BREAK_SPEAKER;
    }
}

static void add_unit(struct builder *b, struct sl_unit unit)
{
    unit.table = b->row_of;
    if (b->header || b->row_of > 0)
        unit.label = 0;
    unit.clings = unit.clings || b->header;
    sl_buffer_add(&b->units, &unit, sizeof unit);
    b->previous_end = unit.byte_end;
}

/* The end of the part of a long sentence that starts at `start`: at most `words` words. */
static size_t part_end(struct sl_view text, size_t start, size_t end, uint32_t words)
{
    size_t at = start, run = 0, bytes_max = start + SL_CHUNK_BYTES_MAX / 2;
    uint32_t count = 0;

    while (at < end) {
        size_t before = at;
        uint32_t c = sl_utf8_next(text, &at);

        if (sl_char_space(c)) {
            run = 0;
            continue;
        }
        if (sl_char_han_kana(c) || run == 0 || run + (at - before) > SL_WORD_BYTES_MAX) {
            if (count == words || before >= bytes_max)
                return run > 0 ? sl_grapheme_floor(text, start, before) : before;
            count++;
            run = 0;
        }
        run = sl_char_han_kana(c) ? 0 : run + (at - before);
    }
    return end;
}

/* One sentence, or what excluded spans left of it, as one unit or several parts. */
static void add_sentence(struct builder *b, uint32_t start, uint32_t end, bool whole)
{
    struct sl_view view = sl_view_trim(sl_view_range(b->text, start, end));
    struct sl_unit unit = {.whole = whole};
    uint32_t words_max = b->options->words;

    if (view.size == 0)
        return;
    unit.byte_start = (uint32_t)(view.data - b->text.data);
    unit.byte_end = unit.byte_start + (uint32_t)view.size;
    unit.words = sl_text_words(view);
    judge_start(b, &unit);
    if (unit.words <= words_max && view.size <= SL_CHUNK_BYTES_MAX / 2) {
        add_unit(b, unit);
        return;
    }
    end = unit.byte_end;
    unit.whole = false;
    unit.clings = false;
    for (size_t at = unit.byte_start, next; at < end; at = next) {
        struct sl_view part;

        next = part_end(b->text, at, end, words_max);
        part = sl_view_trim(sl_view_range(b->text, at, next));
        if (part.size == 0)
            continue;
        unit.byte_start = (uint32_t)(part.data - b->text.data);
        unit.byte_end = unit.byte_start + (uint32_t)part.size;
        unit.words = sl_text_words(part);
        add_unit(b, unit);
        unit.before = SL_BREAK_PART;
        unit.label = 0;
    }
}

/* A sentence without the excluded spans in it. */
static void add_around_excluded(struct builder *b, struct sl_span sentence)
{
    const struct sl_outline *outline = b->outline;
    uint32_t start = sentence.byte_start;
    bool whole = true;

    while (b->excluded_at < outline->excluded_count &&
           outline->excluded[b->excluded_at].byte_end <= start)
        b->excluded_at++;
    for (uint32_t i = b->excluded_at; i < outline->excluded_count; i++) {
        struct sl_span gap = outline->excluded[i];

        if (gap.byte_start >= sentence.byte_end)
            break;
        whole = false;
        if (gap.byte_start > start)
            add_sentence(b, start, gap.byte_start, false);
        start = gap.byte_end;
        b->goes_on = b->previous_end > sentence.byte_start;
    }
    if (start < sentence.byte_end)
        add_sentence(b, start, sentence.byte_end, whole);
    b->goes_on = false;
}

/* Each line of a table. */
static void add_rows(struct builder *b, const struct sl_table *table)
{
    for (uint32_t at = table->byte_start; at < table->byte_end;) {
        const char *newline = memchr(b->text.data + at, '\n', table->byte_end - at);
        uint32_t end = newline != NULL ? (uint32_t)(newline - b->text.data) : table->byte_end;

        b->header = at < table->body_start;
        b->row_of = b->header ? 0 : b->table_at + 1;
        add_around_excluded(b, (struct sl_span){at, end});
        at = end + 1;
    }
    b->header = false;
    b->row_of = 0;
}

/* A sentence, or what tables left of it: those are added row by row when they are reached. */
static void add_around_tables(struct builder *b, struct sl_span sentence)
{
    const struct sl_outline *outline = b->outline;

    if (sentence.byte_start < b->previous_end)
        sentence.byte_start = b->previous_end;
    while (b->table_at < outline->table_count &&
           outline->tables[b->table_at].byte_start < sentence.byte_end) {
        const struct sl_table *table = &outline->tables[b->table_at];

        if (sentence.byte_start < table->byte_start)
            add_around_excluded(b, (struct sl_span){sentence.byte_start, table->byte_start});
        add_rows(b, table);
        b->table_at++;
        sentence.byte_start = table->byte_end;
    }
    if (sentence.byte_start < sentence.byte_end)
        add_around_excluded(b, sentence);
}

static enum sl_err full(struct sl_error *err)
{
    return sl_fail(err, SL_REJECT, "too_large",
                   "cutting the document needs more memory than one may take");
}

static enum sl_err make_units(struct builder *b, struct sl_arena *arena, struct sl_error *err)
{
    struct sl_span *sentences;
    struct sl_view copy;
    uint32_t count;
    enum sl_err code = sl_text_sentences(b->text, arena, &sentences, &count, err);

    if (code != SL_OK)
        return code;
    for (uint32_t i = 0; i < count; i++)
        add_around_tables(b, sentences[i]);
    judge_labels(b);
    if (b->units.failed)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory cutting a document");
    copy =
        sl_arena_copy(arena, (struct sl_view){b->units.data ? b->units.data : "", b->units.size});
    if (copy.data == NULL)
        return full(err);
    b->outline->units = (struct sl_unit *)(void *)(uintptr_t)copy.data;
    b->outline->unit_count = (uint32_t)(copy.size / sizeof(struct sl_unit));
    return SL_OK;
}

enum sl_err sl_outline_make(const struct sl_document *document,
                            const struct sl_chunk_options *options, struct sl_arena *arena,
                            struct sl_outline *ret_outline, struct sl_error *err)
{
    struct sl_outline outline = {0};
    struct builder builder = {.text = document->text, .options = options, .outline = &outline};
    enum sl_err code;

    if (document->text_media == SL_MEDIA_MARKDOWN &&
        !sl_markdown_headings(document->text, arena, &outline.headings, &outline.heading_count))
        return full(err);
    if (options->boilerplate &&
        !sl_clean_boilerplate(document->text, arena, &outline.excluded, &outline.excluded_count))
        return full(err);
    if (!sl_tables_find(document->text, arena, &outline.tables, &outline.table_count))
        return full(err);
    code = make_units(&builder, arena, err);
    sl_buffer_fini(&builder.units);
    if (code == SL_OK)
        *ret_outline = outline;
    return code;
}
