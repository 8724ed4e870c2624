/*
 * tokenizer_normal.c -- "normalizer" of a tokenizer.json: a list of steps over the text.
 *
 * Sequences in the file are laid flat. Each step reads one work text and writes the other. BERT's
 * own normalizer is a step here too, for tokenizers that BERT's one pass does not cover. Canonical
 * forms come from ICU, with what Unicode assigned after the reference's tables left alone.
 */
#include "embed/tokenizer_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uset.h>
#include <unicode/ustring.h>

#include "embed/tokenizer_regex.h"
#include "embed/unicode8.h"

#define STEPS_MAX         32u
#define DEPTH_MAX         8u
#define CONTENT_BYTES_MAX 256u

enum kind {
    STEP_BERT = 0,
    STEP_STRIP,
    STEP_STRIP_ACCENTS,
    STEP_FORM,
    STEP_LOWERCASE,
    STEP_NMT,
    STEP_PREPEND,
    STEP_REPLACE,
    STEP_PRECOMPILED
};

struct step {
    enum kind kind;
    struct sl_bert_normal bert;
    bool clean;            /* bert */
    bool strips_as_lowers; /* bert: the file does not say whether accents go */
    bool left, right;      /* strip */
    UNormalizer2 *form;
    USet *known;            /* form: characters it looks at */
    char *content;          /* prepend, replace: what comes in */
    char *pattern;          /* replace: a plain string */
    struct sl_regex *regex; /* replace: instead of it */
    struct sl_charsmap *charsmap;
};

struct sl_normalizer {
    struct step steps[STEPS_MAX];
    uint32_t count;
};

/* ---- reading ---- */

static enum sl_err add_steps(struct sl_normalizer *normalizer, const cJSON *item,
                             const struct sl_json_place *place, uint32_t depth,
                             struct sl_error *err);

static enum sl_err copy_text(const cJSON *item, const struct sl_json_place *place, char **ret,
                             struct sl_error *err)
{
    if (!cJSON_IsString(item) || strlen(item->valuestring) > CONTENT_BYTES_MAX)
        return sl_json_refuse(place, err, "its texts must be strings of at most %u bytes",
                              CONTENT_BYTES_MAX);
    *ret = strdup(item->valuestring);
    return *ret != NULL ? SL_OK : sl_json_refuse(place, err, "out of memory");
}

static bool flag(const cJSON *item, const char *name, bool otherwise)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(item, name);

    return cJSON_IsBool(value) ? cJSON_IsTrue(value) : otherwise;
}

static enum sl_err read_bert(struct step *step, const cJSON *item)
{
    step->clean = flag(item, "clean_text", true);
    step->bert.lower_case = flag(item, "lowercase", true);
    step->bert.strip_accents = flag(item, "strip_accents", step->bert.lower_case);
    step->strips_as_lowers = !cJSON_IsBool(cJSON_GetObjectItemCaseSensitive(item, "strip_accents"));
    step->bert.split_chinese = flag(item, "handle_chinese_chars", true);
    return SL_OK;
}

static enum sl_err read_replace(struct step *step, const cJSON *item,
                                const struct sl_json_place *place, struct sl_error *err)
{
    const cJSON *pattern = cJSON_GetObjectItemCaseSensitive(item, "pattern");
    const cJSON *plain = cJSON_GetObjectItemCaseSensitive(pattern, "String");
    const cJSON *regex = cJSON_GetObjectItemCaseSensitive(pattern, "Regex");
    enum sl_err r =
        copy_text(cJSON_GetObjectItemCaseSensitive(item, "content"), place, &step->content, err);

    if (r != SL_OK)
        return r;
    if (regex != NULL)
        return sl_regex_open(regex, place, &step->regex, err);
    r = copy_text(plain, place, &step->pattern, err);
    if (r == SL_OK && step->pattern[0] == '\0')
        return sl_json_refuse(place, err, "Replace: its pattern must not be empty");
    return r;
}

static const UNormalizer2 *form_of(const char *name, UErrorCode *status)
{
    if (strcmp(name, "NFC") == 0)
        return unorm2_getNFCInstance(status);
    if (strcmp(name, "NFD") == 0)
        return unorm2_getNFDInstance(status);
    return strcmp(name, "NFKC") == 0 ? unorm2_getNFKCInstance(status)
                                     : unorm2_getNFKDInstance(status);
}

/* The form, with all that is newer than the reference's tables left as it is. */
static enum sl_err read_form(struct step *step, const char *name, const struct sl_json_place *place,
                             struct sl_error *err)
{
    static const UChar known[] = u"[:age=9.0:]";
    UErrorCode status = U_ZERO_ERROR;

    step->known = uset_openPattern(known, -1, &status);
    if (U_SUCCESS(status)) {
        uset_freeze(step->known);
        step->form = unorm2_openFiltered(form_of(name, &status), step->known, &status);
    }
    return U_SUCCESS(status) ? SL_OK
                             : sl_json_refuse(place, err, "%s: %s", name, u_errorName(status));
}

static const struct {
    const char *name;
    enum kind kind;
} kinds[] = {{"BertNormalizer", STEP_BERT},
             {"Strip", STEP_STRIP},
             {"StripAccents", STEP_STRIP_ACCENTS},
             {"NFC", STEP_FORM},
             {"NFD", STEP_FORM},
             {"NFKC", STEP_FORM},
             {"NFKD", STEP_FORM},
             {"Lowercase", STEP_LOWERCASE},
             {"Nmt", STEP_NMT},
             {"Prepend", STEP_PREPEND},
             {"Replace", STEP_REPLACE},
             {"Precompiled", STEP_PRECOMPILED}};

static enum sl_err read_step(struct step *step, const cJSON *item, const char *name,
                             const struct sl_json_place *place, struct sl_error *err)
{
    switch (step->kind) {
    case STEP_BERT:
        return read_bert(step, item);
    case STEP_STRIP:
        step->left = flag(item, "strip_left", false);
        step->right = flag(item, "strip_right", false);
        return SL_OK;
    case STEP_FORM:
        return read_form(step, name, place, err);
    case STEP_PREPEND:
        return copy_text(cJSON_GetObjectItemCaseSensitive(item, "prepend"), place, &step->content,
                         err);
    case STEP_REPLACE:
        return read_replace(step, item, place, err);
    case STEP_PRECOMPILED:
        return sl_charsmap_read(cJSON_GetObjectItemCaseSensitive(item, "precompiled_charsmap"),
                                place, &step->charsmap, err);
    case STEP_STRIP_ACCENTS:
    case STEP_LOWERCASE:
    case STEP_NMT:
        return SL_OK;
    }
    return SL_OK;
}

static enum sl_err add_sequence(struct sl_normalizer *normalizer, const cJSON *item,
                                const struct sl_json_place *place, uint32_t depth,
                                struct sl_error *err)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(item, "normalizers"), *one;

    if (!cJSON_IsArray(list))
        return sl_json_refuse(place, err, "Sequence needs a list \"normalizers\"");
    cJSON_ArrayForEach(one, list)
    {
        enum sl_err r = add_steps(normalizer, one, place, depth + 1, err);
        if (r != SL_OK)
            return r;
    }
    return SL_OK;
}

static enum sl_err add_steps(struct sl_normalizer *normalizer, const cJSON *item,
                             const struct sl_json_place *place, uint32_t depth,
                             struct sl_error *err)
{
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(item, "type");
    const char *name = cJSON_IsString(type) ? type->valuestring : "";

    if (depth > DEPTH_MAX || normalizer->count == STEPS_MAX)
        return sl_json_refuse(place, err, "more than %u steps, or deeper than %u", STEPS_MAX,
                              DEPTH_MAX);
    if (strcmp(name, "Sequence") == 0)
        return add_sequence(normalizer, item, place, depth, err);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            struct step *step = &normalizer->steps[normalizer->count++];
            step->kind = kinds[i].kind;
            return read_step(step, item, name, place, err);
        }
    return sl_json_refuse(place, err,
                          "type \"%.40s\"; allowed are BertNormalizer, Lowercase, NFC, NFD, NFKC, "
                          "NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip and "
                          "StripAccents",
                          name);
}

enum sl_err sl_normalizer_read(const cJSON *item, const struct sl_json_place *place,
                               struct sl_normalizer **ret_normalizer, struct sl_error *err)
{
    struct sl_normalizer *normalizer;
    enum sl_err r;

    if (item == NULL || cJSON_IsNull(item)) {
        *ret_normalizer = NULL;
        return SL_OK;
    }
    normalizer = calloc(1, sizeof *normalizer);
    if (normalizer == NULL)
        return sl_json_refuse(place, err, "out of memory");
    r = add_steps(normalizer, item, place, 0, err);
    if (r != SL_OK)
        normalizer = sl_normalizer_close(normalizer);
    else
        *ret_normalizer = normalizer;
    return r;
}

struct sl_normalizer *sl_normalizer_close(struct sl_normalizer *normalizer)
{
    for (uint32_t i = 0; normalizer != NULL && i < normalizer->count; i++) {
        if (normalizer->steps[i].form != NULL)
            unorm2_close(normalizer->steps[i].form);
        if (normalizer->steps[i].known != NULL)
            uset_close(normalizer->steps[i].known);
        free(normalizer->steps[i].content);
        free(normalizer->steps[i].pattern);
        (void)sl_regex_close(normalizer->steps[i].regex);
        (void)sl_charsmap_close(normalizer->steps[i].charsmap);
    }
    free(normalizer);
    return NULL;
}

bool sl_normalizer_is_bert(const struct sl_normalizer *normalizer,
                           struct sl_bert_normal *ret_options)
{
    if (normalizer == NULL || normalizer->count != 1 || normalizer->steps[0].kind != STEP_BERT ||
        !normalizer->steps[0].clean)
        return false;
    *ret_options = normalizer->steps[0].bert;
    return true;
}

static bool choose(enum sl_choice choice, bool otherwise)
{
    return choice == SL_CHOICE_FILE ? otherwise : choice == SL_CHOICE_YES;
}

void sl_normalizer_set_casing(struct sl_normalizer *normalizer,
                              const struct sl_tokenizer_casing *casing)
{
    for (uint32_t i = 0; normalizer != NULL && i < normalizer->count; i++) {
        struct step *step = &normalizer->steps[i];
        if (step->kind != STEP_BERT)
            continue;
        step->bert.lower_case = choose(casing->lower_case, step->bert.lower_case);
        step->bert.strip_accents =
            choose(casing->strip_accents,
                   step->strips_as_lowers ? step->bert.lower_case : step->bert.strip_accents);
        step->bert.split_chinese = choose(casing->split_chinese, step->bert.split_chinese);
    }
}

/* ---- running ---- */

static void add_lowered(struct sl_work_text *out, UChar32 c)
{
    if (c == 0x130) { /* the one letter whose lower case is two code points */
        sl_work_add(out, "i", 1);
        c = 0x307;
    } else {
        c = u_tolower(c);
    }
    sl_work_add_char(out, c);
}

/* One character through BERT's normalizer. */
static void add_bert(const struct step *step, UChar32 c, struct sl_work_text *out)
{
    bool alone = step->bert.split_chinese && sl_u8_is_chinese(c);
    UChar32 parts[SL_DECOMPOSED_MAX] = {c};
    uint32_t count = 1;

    if (step->clean && sl_u8_is_removed(c))
        return;
    if (step->clean && u_isUWhiteSpace(c))
        parts[0] = c = ' ';
    if (alone)
        sl_work_add(out, " ", 1);
    if (step->bert.strip_accents)
        count = sl_u8_decompose(c, parts);
    for (uint32_t i = 0; i < count; i++) {
        if (step->bert.strip_accents && sl_u8_is_mark(parts[i]))
            continue;
        if (step->bert.lower_case)
            add_lowered(out, parts[i]);
        else
            sl_work_add_char(out, parts[i]);
    }
    if (alone)
        sl_work_add(out, " ", 1);
}

/* Machine translation's cleaning: some controls go, odd white space becomes a space. */
static void add_nmt(UChar32 c, struct sl_work_text *out)
{
    if ((c >= 1 && c <= 8) || c == 0xB || (c >= 0xE && c <= 0x1F) || c == 0x7F || c == 0x8F ||
        c == 0x9F)
        return;
    if (c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == 0x1680 ||
        (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF ||
        c == 0xFFFD)
        c = ' ';
    sl_work_add_char(out, c);
}

static void run_chars(const struct step *step, struct sl_view text, struct sl_work_text *out,
                      struct sl_stretch *stretch)
{
    for (size_t at = 0; at < text.size && !out->overflow;) {
        uint32_t size = out->size;
        bool first = at == 0;
        UChar32 c;
        c = sl_next_char(text, &at);
        if (step->kind == STEP_BERT)
            add_bert(step, c, out);
        else if (step->kind == STEP_NMT)
            add_nmt(c, out);
        else if (step->kind == STEP_LOWERCASE)
            add_lowered(out, c);
        else if (!sl_u9_is_any_mark(c))
            sl_work_add_char(out, c);
        if (first && out->size == size)
            stretch->first = false;
    }
}

static void run_form(const struct step *step, struct sl_view text, struct sl_work_text *out)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t units, made, size, room = (int32_t)(SL_WORK_BYTES_MAX - out->size);
    UChar *from, *to;

    for (size_t i = 0;; i++) {
        if (i == text.size) { /* ASCII is its own form */
            sl_work_add(out, text.data, text.size);
            return;
        }
        if ((unsigned char)text.data[i] >= 0x80)
            break;
    }
    from = malloc((text.size + 1 + SL_WORK_BYTES_MAX) * sizeof *from);
    out->overflow = out->overflow || from == NULL;
    if (from == NULL)
        return;
    to = from + text.size + 1;
    (void)u_strFromUTF8(from, (int32_t)text.size + 1, &units, text.data, (int32_t)text.size,
                        &status);
    made = unorm2_normalize(step->form, from, units, to, (int32_t)SL_WORK_BYTES_MAX, &status);
    (void)u_strToUTF8(out->bytes + out->size, room, &size, to, made, &status);
    if (U_SUCCESS(status))
        out->size += (uint32_t)size;
    else
        out->overflow = true;
    free(from);
}

static void run_strip(const struct step *step, struct sl_view text, struct sl_work_text *out,
                      struct sl_stretch *stretch)
{
    size_t start = 0, end = text.size;

    for (size_t at = 0; step->left && at < text.size; start = at) {
        UChar32 c;
        c = sl_next_char(text, &at);
        if (!u_isUWhiteSpace(c))
            break;
    }
    for (size_t at = text.size; step->right && at > start; end = at) {
        UChar32 c;
        c = sl_previous_char(text, &at);
        if (!u_isUWhiteSpace(c))
            break;
    }
    stretch->first = stretch->first && start == 0;
    sl_work_add(out, text.data + start, end - start);
}

static void run_replace(const struct step *step, struct sl_view text, struct sl_work_text *out)
{
    size_t at = 0, size, content = strlen(step->content);

    if (step->regex != NULL) {
        sl_regex_replace(step->regex, text, sl_view_of(step->content), out);
        return;
    }
    size = strlen(step->pattern);
    while (at < text.size && !out->overflow) {
        const char *hit = memmem(text.data + at, text.size - at, step->pattern, size);
        size_t stop = hit != NULL ? (size_t)(hit - text.data) : text.size;
        sl_work_add(out, text.data + at, stop - at);
        if (hit != NULL)
            sl_work_add(out, step->content, content);
        at = hit != NULL ? stop + size : stop;
    }
}

static void run_step(const struct step *step, struct sl_view text, struct sl_work_text *out,
                     struct sl_stretch *stretch)
{
    switch (step->kind) {
    case STEP_BERT:
    case STEP_NMT:
    case STEP_LOWERCASE:
    case STEP_STRIP_ACCENTS:
        run_chars(step, text, out, stretch);
        break;
    case STEP_STRIP:
        run_strip(step, text, out, stretch);
        break;
    case STEP_FORM:
        run_form(step, text, out);
        break;
    case STEP_PREPEND:
        if (text.size > 0 && !stretch->continued)
            sl_work_add(out, step->content, strlen(step->content));
        sl_work_add(out, text.data, text.size);
        break;
    case STEP_REPLACE:
        run_replace(step, text, out);
        break;
    case STEP_PRECOMPILED:
        if (!sl_charsmap_run(step->charsmap, text, out))
            stretch->first = false;
        break;
    }
}

struct sl_work_text *sl_normalizer_run(const struct sl_normalizer *normalizer, struct sl_view text,
                                       struct sl_stretch *stretch, struct sl_scratch *scratch)
{
    struct sl_work_text *out = &scratch->texts[0];

    out->size = out->piece_count = 0;
    out->overflow = false;
    if (normalizer == NULL || normalizer->count == 0) {
        sl_work_add(out, text.data, text.size);
        return out;
    }
    for (uint32_t i = 0; i < normalizer->count && !(i > 0 && out->overflow); i++) {
        if (i > 0) {
            text = (struct sl_view){out->bytes, out->size};
            out = out == &scratch->texts[0] ? &scratch->texts[1] : &scratch->texts[0];
            out->size = out->piece_count = 0;
            out->overflow = false;
        }
        run_step(&normalizer->steps[i], text, out, stretch);
    }
    return out;
}
