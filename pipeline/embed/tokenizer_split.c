/*
 * tokenizer_split.c -- "pre_tokenizer" of a tokenizer.json: the text into pieces, which the model
 * then sees one at a time.
 *
 * A step reads the pieces of one work text and writes pieces into the other, bytes copied: some
 * steps change the text (Metaspace), and a copy costs nothing beside the look-ups that follow.
 * Known weakness: letters assigned after the Unicode of the ICU in use are no word characters here.
 */
#include "embed/tokenizer_internal.h"

#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#include "embed/tokenizer_regex.h"
#include "embed/unicode8.h"

#define STEPS_MAX      16u
#define DEPTH_MAX      8u
#define MARK_BYTES_MAX 8u

/* How byte-level models split when their file gives no pattern of its own. */
#define BYTES_PATTERN                                                                              \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"

enum kind {
    SPLIT_BERT = 0,
    SPLIT_WORDS,       /* "Whitespace": runs of word characters, runs of others */
    SPLIT_WHITE_SPACE, /* "WhitespaceSplit" */
    SPLIT_PUNCTUATION,
    SPLIT_DIGITS,
    SPLIT_METASPACE,
    SPLIT_PATTERN,
    SPLIT_BYTES /* "ByteLevel" */
};

/* What becomes of a match. */
enum behavior {
    MATCH_REMOVED = 0,
    MATCH_ISOLATED,
    MATCH_TO_PREVIOUS,
    MATCH_TO_NEXT,
    MATCH_CONTIGUOUS
};

enum prepend { PREPEND_ALWAYS = 0, PREPEND_FIRST, PREPEND_NEVER };

struct step {
    enum kind kind;
    enum behavior behavior;
    enum prepend prepend;
    bool split;      /* metaspace */
    bool one_by_one; /* digits */
    bool add_space;  /* bytes */
    bool invert;
    char mark[MARK_BYTES_MAX + 1]; /* metaspace */
    char *pattern;                 /* a plain string; or: */
    struct sl_regex *regex;
};

struct sl_splitter {
    struct step steps[STEPS_MAX];
    uint32_t count;
};

/* ---- reading ---- */

static const struct {
    const char *name;
    enum kind kind;
} kinds[] = {{"BertPreTokenizer", SPLIT_BERT},
             {"Whitespace", SPLIT_WORDS},
             {"WhitespaceSplit", SPLIT_WHITE_SPACE},
             {"Punctuation", SPLIT_PUNCTUATION},
             {"Digits", SPLIT_DIGITS},
             {"Metaspace", SPLIT_METASPACE},
             {"Split", SPLIT_PATTERN},
             {"ByteLevel", SPLIT_BYTES}};

static bool flag(const cJSON *item, const char *name, bool otherwise)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, name);

    return cJSON_IsBool(value) ? cJSON_IsTrue(value) : otherwise;
}

static enum sl_err read_behavior(struct step *step, const cJSON *item, enum behavior otherwise,
                                 const struct sl_json_place *place, struct sl_error *err)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, "behavior");

    step->behavior = otherwise;
    if (value == NULL)
        return SL_OK;
    for (size_t i = 0; cJSON_IsString(value) && i < sizeof names / sizeof *names; i++)
        if (strcmp(value->valuestring, names[i]) == 0) {
            step->behavior = (enum behavior)i;
            return SL_OK;
        }
    return sl_json_refuse(place, err,
                          "\"behavior\" must be Removed, Isolated, MergedWithPrevious, "
                          "MergedWithNext or Contiguous");
}

/* Newer files name a scheme, older ones only whether a mark is put before the text. */
static enum sl_err read_metaspace(struct step *step, const cJSON *item,
                                  const struct sl_json_place *place, struct sl_error *err)
{
    const cJSON *mark = cJSON_GetObjectItemCaseSensitive(item, "replacement");
    const cJSON *scheme = cJSON_GetObjectItemCaseSensitive(item, "prepend_scheme");

    if (!cJSON_IsString(mark) || mark->valuestring[0] == '\0' ||
        strlen(mark->valuestring) > MARK_BYTES_MAX)
        return sl_json_refuse(place, err, "Metaspace: \"replacement\" must be one character");
    memcpy(step->mark, mark->valuestring, strlen(mark->valuestring) + 1);
    step->split = flag(item, "split", true);
    step->behavior = MATCH_TO_NEXT;
    step->prepend = flag(item, "add_prefix_space", true) ? PREPEND_ALWAYS : PREPEND_NEVER;
    if (scheme == NULL || step->prepend == PREPEND_NEVER)
        return SL_OK;
    if (cJSON_IsString(scheme) && strcmp(scheme->valuestring, "first") == 0)
        step->prepend = PREPEND_FIRST;
    else if (cJSON_IsString(scheme) && strcmp(scheme->valuestring, "never") == 0)
        step->prepend = PREPEND_NEVER;
    else if (!cJSON_IsString(scheme) || strcmp(scheme->valuestring, "always") != 0)
        return sl_json_refuse(place, err,
                              "Metaspace: \"prepend_scheme\" must be always, first or never");
    return SL_OK;
}

static enum sl_err read_pattern(struct step *step, const cJSON *item,
                                const struct sl_json_place *place, struct sl_error *err)
{
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(item, "pattern");
    const cJSON *plain = cJSON_GetObjectItemCaseSensitive(pattern, "String");
    const cJSON *regex = cJSON_GetObjectItemCaseSensitive(pattern, "Regex");
    enum sl_err r = read_behavior(step, item, MATCH_REMOVED, place, err);

    step->invert = flag(item, "invert", false);
    if (r != SL_OK)
        return r;
    if (regex != NULL)
        return sl_regex_open(regex, place, &step->regex, err);
    if (!cJSON_IsString(plain) || plain->valuestring[0] == '\0')
        return sl_json_refuse(place, err, "Split: \"pattern\" must hold a String or a Regex");
    step->pattern = strdup(plain->valuestring);
    return step->pattern != NULL ? SL_OK : sl_json_refuse(place, err, "out of memory");
}

static enum sl_err read_step(struct step *step, const cJSON *item,
                             const struct sl_json_place *place, struct sl_error *err)
{
    switch (step->kind) {
    case SPLIT_METASPACE:
        return read_metaspace(step, item, place, err);
    case SPLIT_PATTERN:
        return read_pattern(step, item, place, err);
    case SPLIT_PUNCTUATION:
        return read_behavior(step, item, MATCH_ISOLATED, place, err);
    case SPLIT_DIGITS:
        step->one_by_one = flag(item, "individual_digits", false);
        step->behavior = step->one_by_one ? MATCH_ISOLATED : MATCH_CONTIGUOUS;
        return SL_OK;
    case SPLIT_BYTES:
        step->add_space = flag(item, "add_prefix_space", true);
        step->behavior = MATCH_ISOLATED;
        return flag(item, "use_regex", true)
                   ? sl_regex_open_text(BYTES_PATTERN, place, &step->regex, err)
                   : SL_OK;
    case SPLIT_BERT:
    case SPLIT_WORDS:
    case SPLIT_WHITE_SPACE:
        return SL_OK;
    }
    return SL_OK;
}

static enum sl_err add_steps(struct sl_splitter *splitter, const cJSON *item,
                             const struct sl_json_place *place, uint32_t depth,
                             struct sl_error *err)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(item, "type"), *one;
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(item, "pretokenizers");
    const char *name = cJSON_IsString(type) ? type->valuestring : "";
    enum sl_err r = SL_OK;

    if (depth > DEPTH_MAX || splitter->count == STEPS_MAX)
        return sl_json_refuse(place, err, "more than %u steps, or deeper than %u", STEPS_MAX,
                              DEPTH_MAX);
    if (strcmp(name, "Sequence") == 0 && cJSON_IsArray(list)) {
        cJSON_ArrayForEach(one, list)
        {
            r = add_steps(splitter, one, place, depth + 1, err);
            if (r != SL_OK)
                return r;
        }
        return SL_OK;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            struct step *step = &splitter->steps[splitter->count++];
            step->kind = kinds[i].kind;
            return read_step(step, item, place, err);
        }
    return sl_json_refuse(place, err,
                          "type \"%.40s\"; allowed are BertPreTokenizer, ByteLevel, Digits, "
                          "Metaspace, Punctuation, Sequence, Split, Whitespace and "
                          "WhitespaceSplit",
                          name);
}

enum sl_err sl_splitter_read(const cJSON *item, const struct sl_json_place *place,
                             struct sl_splitter **ret_splitter, struct sl_error *err)
{
    struct sl_splitter *splitter;
    enum sl_err r;

    if (item == NULL || cJSON_IsNull(item)) {
        *ret_splitter = NULL;
        return SL_OK;
    }
    splitter = calloc(1, sizeof *splitter);
    if (splitter == NULL)
        return sl_json_refuse(place, err, "out of memory");
    r = add_steps(splitter, item, place, 0, err);
    if (r != SL_OK)
        splitter = sl_splitter_close(splitter);
    else
        *ret_splitter = splitter;
    return r;
}

struct sl_splitter *sl_splitter_close(struct sl_splitter *splitter)
{
    for (uint32_t i = 0; splitter != NULL && i < splitter->count; i++) {
        free(splitter->steps[i].pattern);
        (void)sl_regex_close(splitter->steps[i].regex);
    }
    free(splitter);
    return NULL;
}

bool sl_splitter_is_bert(const struct sl_splitter *splitter)
{
    return splitter != NULL && splitter->count == 1 && splitter->steps[0].kind == SPLIT_BERT;
}

/* ---- running ---- */

/* One step at work: matches come in order, pieces go out. */
struct cut {
    const struct step *step;
    struct sl_view text; /* the piece being split */
    bool first;
    struct sl_work_text *out;
    size_t done;    /* up to here everything is in a piece */
    size_t waiting; /* ... except what lies between here and done: MATCH_TO_NEXT */
    bool last_matched;
};

static void put(struct cut *cut, size_t start, size_t end)
{
    struct sl_work_text *out = cut->out;

    if (end == start || out->overflow)
        return;
    if (end - start > SL_WORK_BYTES_MAX - out->size || out->piece_count == SL_WORK_BYTES_MAX) {
        out->overflow = true;
        return;
    }
    out->pieces[out->piece_count++] =
        (struct sl_piece){out->size, (uint32_t)(end - start), cut->first && start == 0};
    memcpy(out->bytes + out->size, cut->text.data + start, end - start);
    out->size += (uint32_t)(end - start);
}

/* A stretch [start, end) of the piece: a match of the pattern or what lies between two. */
static void put_stretch(struct cut *cut, size_t start, size_t end, bool match)
{
    struct sl_work_text *out = cut->out;

    switch (cut->step->behavior) {
    case MATCH_REMOVED:
        if (!match)
            put(cut, start, end);
        break;
    case MATCH_ISOLATED:
        put(cut, start, end);
        break;
    case MATCH_TO_PREVIOUS:
    case MATCH_CONTIGUOUS: {
        bool joined = cut->step->behavior == MATCH_CONTIGUOUS ? match == cut->last_matched
                                                              : match && !cut->last_matched;
        if (joined && start > 0 && out->piece_count > 0 && !out->overflow) {
            sl_work_add(out, cut->text.data + start, end - start);
            out->pieces[out->piece_count - 1].size += (uint32_t)(end - start);
        } else {
            put(cut, start, end);
        }
        break;
    }
    case MATCH_TO_NEXT:
        if (match) {
            put(cut, cut->waiting, start);
            cut->waiting = start;
        } else {
            put(cut, cut->waiting, end);
            cut->waiting = end;
        }
        break;
    }
    cut->last_matched = match;
}

static void put_match(struct cut *cut, size_t start, size_t end)
{
    bool match = !cut->step->invert;

    if (start > cut->done)
        put_stretch(cut, cut->done, start, !match);
    if (end > start)
        put_stretch(cut, start, end, match);
    cut->done = end;
}

static void finish(struct cut *cut)
{
    if (cut->done < cut->text.size)
        put_stretch(cut, cut->done, cut->text.size, cut->step->invert);
    if (cut->step->behavior == MATCH_TO_NEXT)
        put(cut, cut->waiting, cut->text.size);
}

static bool is_number(UChar32 c)
{
    return (U_GET_GC_MASK(c) & U_GC_N_MASK) != 0;
}

/* Kinds that go by single characters: which class is this one of? 0: removed. */
static int class_of(const struct step *step, UChar32 c)
{
    switch (step->kind) {
    case SPLIT_BERT:
        return u_isUWhiteSpace(c) ? 0 : sl_u8_is_punctuation(c) ? 1 : 2;
    case SPLIT_WHITE_SPACE:
        return u_isUWhiteSpace(c) ? 0 : 2;
    default:
        return u_isUWhiteSpace(c) ? 0 : sl_is_word_char(c) ? 2 : 3;
    }
}

/* Runs of one class; class 1 stands alone. */
static void cut_classes(struct cut *cut)
{
    size_t start = 0;
    int running = 0;

    for (size_t at = 0; at < cut->text.size;) {
        size_t before = at;
        UChar32 c;
        int class;
        c = sl_next_char(cut->text, &at);
        class = class_of(cut->step, c);
        if (class == running && class != 1)
            continue;
        if (running != 0)
            put(cut, start, before);
        start = before;
        running = class;
    }
    if (running != 0)
        put(cut, start, cut->text.size);
}

/* Matches of one character. */
static void cut_characters(struct cut *cut)
{
    for (size_t at = 0; at < cut->text.size;) {
        size_t before = at;
        UChar32 c;
        c = sl_next_char(cut->text, &at);
        if (cut->step->kind == SPLIT_DIGITS ? is_number(c) : sl_u8_is_punctuation(c))
            put_match(cut, before, at);
    }
    finish(cut);
}

static void cut_string(struct cut *cut, const char *pattern)
{
    size_t size = strlen(pattern);

    for (size_t at = 0; at < cut->text.size;) {
        const char *hit = memmem(cut->text.data + at, cut->text.size - at, pattern, size);
        if (hit == NULL)
            break;
        at = (size_t)(hit - cut->text.data);
        put_match(cut, at, at + size);
        at += size;
    }
    finish(cut);
}

static void cut_regex(struct cut *cut)
{
    struct sl_regex_walk *walk = sl_regex_begin(cut->step->regex, cut->text);
    size_t start, end;

    while (walk != NULL && sl_regex_next(walk, &start, &end))
        put_match(cut, start, end);
    sl_regex_end(walk);
    finish(cut);
}

/* Spaces become the mark, a mark goes before the text, and pieces begin at marks. */
static void cut_metaspace(struct cut *cut)
{
    const struct step *step = cut->step;
    struct sl_work_text *out = cut->out;
    const size_t mark = strlen(step->mark);
    struct sl_view text = cut->text;
    uint32_t start = out->size;
    bool marked =
        text.size > 0 &&
        (text.data[0] == ' ' || (text.size >= mark && memcmp(text.data, step->mark, mark) == 0));
    bool empty = true;

    if (!marked &&
        (step->prepend == PREPEND_ALWAYS || (step->prepend == PREPEND_FIRST && cut->first)))
        sl_work_add(out, step->mark, mark);
    for (size_t at = 0; at < text.size && !out->overflow && out->piece_count < SL_WORK_BYTES_MAX;) {
        bool space = text.data[at] == ' ';
        bool begins =
            space || (text.size - at >= mark && memcmp(text.data + at, step->mark, mark) == 0);
        if (begins && step->split && !(empty && out->size == start)) {
            out->pieces[out->piece_count++] =
                (struct sl_piece){start, out->size - start, cut->first && empty};
            start = out->size;
            empty = false;
        }
        if (begins)
            sl_work_add(out, step->mark, mark);
        else
            sl_work_add(out, text.data + at, 1);
        at += space || !begins ? 1 : mark;
    }
    if (out->size > start && out->piece_count < SL_WORK_BYTES_MAX)
        out->pieces[out->piece_count++] =
            (struct sl_piece){start, out->size - start, cut->first && empty};
}

/* A space before the text, and the pattern, if it has one. */
static void cut_bytes(struct cut *cut, struct sl_work_text *in, struct sl_piece *piece)
{
    if (cut->step->add_space && cut->text.data[0] != ' ') {
        uint32_t at = in->size; /* room behind everything that is there */
        sl_work_add(in, " ", 1);
        sl_work_add(in, cut->text.data, cut->text.size);
        if (in->overflow) {
            cut->out->overflow = true;
            return;
        }
        cut->text = (struct sl_view){in->bytes + at, piece->size + 1u};
        in->size = at;
    }
    if (cut->step->regex != NULL)
        cut_regex(cut);
    else
        put(cut, 0, cut->text.size);
}

/* Every byte becomes a letter of its own: printable ones of Latin-1 themselves, the others in order
 * from U+0100 on. */
static UChar32 letter_of(unsigned char byte)
{
    if ((byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD))
        return byte;
    if (byte <= ' ')
        return 0x100 + byte;
    return byte == 0xAD ? 0x143 : 0x121 + (byte - 0x7F);
}

/* The pieces of `in` once more, bytes as letters. */
static void spell_bytes(const struct sl_work_text *in, struct sl_work_text *out)
{
    for (uint32_t i = 0; i < in->piece_count && !out->overflow; i++) {
        uint32_t start = out->size;
        for (uint32_t b = 0; b < in->pieces[i].size; b++)
            sl_work_add_char(out, letter_of((unsigned char)in->bytes[in->pieces[i].start + b]));
        out->pieces[out->piece_count++] =
            (struct sl_piece){start, out->size - start, in->pieces[i].first};
    }
}

static void run_step(const struct step *step, struct sl_work_text *in, struct sl_work_text *out)
{
    for (uint32_t i = 0; i < in->piece_count && !out->overflow; i++) {
        struct sl_piece *piece = &in->pieces[i];
        struct cut cut = {.step = step,
                          .text = {in->bytes + piece->start, piece->size},
                          .first = piece->first,
                          .out = out};
        switch (step->kind) {
        case SPLIT_BERT:
        case SPLIT_WORDS:
        case SPLIT_WHITE_SPACE:
            cut_classes(&cut);
            break;
        case SPLIT_PUNCTUATION:
        case SPLIT_DIGITS:
            cut_characters(&cut);
            break;
        case SPLIT_METASPACE:
            cut_metaspace(&cut);
            break;
        case SPLIT_PATTERN:
            if (step->regex != NULL)
                cut_regex(&cut);
            else
                cut_string(&cut, step->pattern);
            break;
        case SPLIT_BYTES:
            cut_bytes(&cut, in, piece);
            break;
        }
    }
}

static struct sl_work_text *other(struct sl_scratch *scratch, const struct sl_work_text *text)
{
    struct sl_work_text *out = text == &scratch->texts[0] ? &scratch->texts[1] : &scratch->texts[0];

    out->size = out->piece_count = 0;
    out->overflow = false;
    return out;
}

struct sl_work_text *sl_splitter_run(const struct sl_splitter *splitter, struct sl_work_text *text,
                                     struct sl_scratch *scratch)
{
    for (uint32_t i = 0; splitter != NULL && i < splitter->count && !text->overflow; i++) {
        struct sl_work_text *out = other(scratch, text);
        run_step(&splitter->steps[i], text, out);
        text = out;
        if (splitter->steps[i].kind == SPLIT_BYTES && !text->overflow) {
            out = other(scratch, text);
            spell_bytes(text, out);
            text = out;
        }
    }
    return text;
}
