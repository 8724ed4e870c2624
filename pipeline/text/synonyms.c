/*
 * synonyms.c -- from the terms of a question to those its synonyms add.
 *
 * Entries become terms when the file is read, as question and documents do: so they match inflected
 * forms, and what is added meets the index. The terms of a word in Latin letters depend on the
 * language of the question; each entry has them once for each language that makes a difference.
 *
 * Rejected: synonyms in the index (a new line would need every document read again), rules on the
 * question's text (particles and inflection would have to be known a second time).
 *
 * Known weakness: an entry of several words matches wherever all of them are in the question.
 */
#include "lines.h"
#include "term_internal.h"

#include <stdatomic.h>
#include <stdlib.h>

#define ARENA_BYTES (256u << 20)
#define PHRASES_MAX 64

struct phrase {
    struct sl_term_count *terms[SL_LANGUAGES]; /* those of English where they are the same */
    uint32_t counts[SL_LANGUAGES];
};

struct rule {
    struct phrase *phrases;
    uint32_t count;
    bool one_way; /* the first stands for the others; else each for all */
    struct rule *next;
};

struct sl_synonyms {
    atomic_uint owners;
    struct sl_arena *arena;
    const struct sl_word_lists *lists;
    struct rule *rules;
    struct rule **end;
    uint32_t count;
};

static enum sl_err no_memory(struct sl_error *err)
{
    return sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory reading synonyms");
}

/* ------------------------------------------------------------------ reading */

static bool same_terms(const struct phrase *phrase, const struct sl_term_count *terms,
                       uint32_t count)
{
    if (count != phrase->counts[0])
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!sl_view_equal(terms[i].term, phrase->terms[0][i].term))
            return false;
    return true;
}

static enum sl_err read_phrase(struct sl_synonyms *synonyms, struct sl_view text,
                               struct phrase *phrase, struct sl_error *err)
{
    enum sl_err code = SL_OK;

    for (uint32_t i = 0; code == SL_OK && i < SL_LANGUAGES; i++) {
        struct sl_term_count *terms;
        uint32_t count, length;
        code = sl_text_terms_listed(text, sl_language_at(i)->code, synonyms->lists, synonyms->arena,
                                    &terms, &count, &length, err);
        if (code == SL_REJECT)
            return no_memory(err);
        if (code != SL_OK)
            return code;
        if (i > 0 && same_terms(phrase, terms, count))
            terms = phrase->terms[0];
        phrase->terms[i] = terms;
        phrase->counts[i] = count;
    }
    return code;
}

/* Cut at the first `mark` (or comma, to the right of =>). */
static struct sl_view cut(struct sl_view *rest, struct sl_view mark, bool commas)
{
    struct sl_view part = *rest;

    for (size_t i = 0; i < rest->size; i++) {
        bool comma = commas && rest->data[i] == ',';
        if (!comma &&
            (i + mark.size > rest->size || memcmp(rest->data + i, mark.data, mark.size) != 0))
            continue;
        part = sl_view_range(*rest, 0, i);
        *rest = sl_view_range(*rest, i + (comma ? 1 : mark.size), rest->size);
        return sl_view_trim(part);
    }
    *rest = SL_VIEW_NULL;
    return sl_view_trim(part);
}

static enum sl_err add_phrase(struct sl_synonyms *synonyms, struct phrase *phrases, uint32_t *count,
                              struct sl_view text, const char *path, uint32_t number,
                              struct sl_error *err)
{
    enum sl_err code;

    if (text.size == 0)
        return sl_line_bad(path, number, err, "an entry is empty; allowed: A = B, A => B, C");
    if (*count == PHRASES_MAX)
        return sl_line_bad(path, number, err, "more than %d entries", PHRASES_MAX);
    code = read_phrase(synonyms, text, &phrases[*count], err);
    if (code == SL_OK && phrases[*count].counts[0] == 0)
        code = sl_line_bad(path, number, err, "'%.*s' holds no word that is searched for",
                           SL_VIEW_ARG(text));
    ++*count;
    return code;
}

/* Does `mark` stand in the text? */
static bool holds(struct sl_view text, struct sl_view mark)
{
    return memmem(text.data, text.size, mark.data, mark.size) != NULL;
}

/* The entries of a line. */
static enum sl_err read_phrases(struct sl_synonyms *synonyms, struct sl_view line,
                                struct phrase *phrases, struct rule *rule, const char *path,
                                uint32_t number, struct sl_error *err)
{
    struct sl_view rest = line, part = cut(&rest, SL_VIEW("=>"), false), mark = SL_VIEW("=>");
    enum sl_err code;

    rule->one_way = rest.data != NULL;
    if (rule->one_way && (holds(part, SL_VIEW("=")) || holds(rest, SL_VIEW("="))))
        return sl_line_bad(path, number, err, "more than one = or =>; allowed: A = B = C, A => B, C");
    if (!rule->one_way) {
        rest = line;
        mark = SL_VIEW("=");
        part = cut(&rest, mark, false);
    }
    if (rest.data == NULL)
        return sl_line_bad(path, number, err, "neither = nor =>; allowed: A = B, A => B, C");
    code = add_phrase(synonyms, phrases, &rule->count, part, path, number, err);
    while (code == SL_OK && rest.data != NULL) {
        part = cut(&rest, mark, rule->one_way);
        code = add_phrase(synonyms, phrases, &rule->count, part, path, number, err);
    }
    return code;
}

static enum sl_err add_line(void *context, const char *path, uint32_t number, struct sl_view line,
                            struct sl_error *err)
{
    struct sl_synonyms *synonyms = context;
    struct rule *rule = SL_NEW(synonyms->arena, struct rule);
    struct phrase phrases[PHRASES_MAX];
    enum sl_err code;

    if (rule == NULL)
        return no_memory(err);
    if (synonyms->count++ == SL_LEXICON_LINES_MAX)
        return sl_line_bad(path, number, err, "more than %u lines", SL_LEXICON_LINES_MAX);
    code = read_phrases(synonyms, line, phrases, rule, path, number, err);
    if (code != SL_OK)
        return code;
    rule->phrases = SL_NEW_ARRAY(synonyms->arena, struct phrase, rule->count);
    if (rule->phrases == NULL)
        return no_memory(err);
    memcpy(rule->phrases, phrases, rule->count * sizeof *phrases);
    *synonyms->end = rule;
    synonyms->end = &rule->next;
    return SL_OK;
}

enum sl_err sl_synonyms_open(const char *path, const struct sl_word_lists *lists,
                             struct sl_synonyms **ret_synonyms, struct sl_error *err)
{
    struct sl_synonyms *synonyms = calloc(1, sizeof *synonyms);
    enum sl_err code;

    if (synonyms == NULL)
        return no_memory(err);
    atomic_init(&synonyms->owners, 1);
    synonyms->lists = lists;
    synonyms->end = &synonyms->rules;
    synonyms->arena = sl_arena_open(ARENA_BYTES);
    code = synonyms->arena == NULL ? no_memory(err) : sl_lines_read(path, add_line, synonyms, err);
    if (code != SL_OK) {
        (void)sl_synonyms_close(synonyms);
        return code;
    }
    *ret_synonyms = synonyms;
    return SL_OK;
}

struct sl_synonyms *sl_synonyms_take(struct sl_synonyms *synonyms)
{
    if (synonyms != NULL)
        (void)atomic_fetch_add(&synonyms->owners, 1);
    return synonyms;
}

struct sl_synonyms *sl_synonyms_close(struct sl_synonyms *synonyms)
{
    if (synonyms == NULL || atomic_fetch_sub(&synonyms->owners, 1) > 1)
        return NULL;
    (void)sl_arena_close(synonyms->arena);
    free(synonyms);
    return NULL;
}

/* ------------------------------------------------------------------ applying */

struct growing {
    struct sl_term_count *terms; /* the question's first, then what is added */
    uint32_t asked;
    uint32_t count;
    uint32_t capacity;
    struct sl_arena *arena;
};

static int compare_terms(const void *a, const void *b)
{
    const struct sl_term_count *x = a, *y = b;
    size_t common = x->term.size < y->term.size ? x->term.size : y->term.size;
    int order = memcmp(x->term.data, y->term.data, common);

    return order != 0 ? order : (x->term.size > y->term.size) - (x->term.size < y->term.size);
}

static bool asked_for(const struct growing *growing, const struct sl_term_count *term)
{
    return bsearch(term, growing->terms, growing->asked, sizeof *term, compare_terms) != NULL;
}

static bool matches(const struct growing *growing, const struct phrase *phrase, uint32_t language)
{
    for (uint32_t i = 0; i < phrase->counts[language]; i++)
        if (!asked_for(growing, &phrase->terms[language][i]))
            return false;
    return phrase->counts[language] > 0;
}

/* A term added twice counts as the better of the two. */
static bool add(struct growing *growing, struct sl_view term, float boost)
{
    for (uint32_t i = growing->asked; i < growing->count; i++)
        if (sl_view_equal(growing->terms[i].term, term)) {
            if (boost > growing->terms[i].boost)
                growing->terms[i].boost = boost;
            return true;
        }
    if (growing->count == growing->capacity) {
        uint32_t capacity = growing->capacity * 2 + 32;
        struct sl_term_count *terms = SL_NEW_ARRAY(growing->arena, struct sl_term_count, capacity);
        if (terms == NULL)
            return false;
        memcpy(terms, growing->terms, growing->count * sizeof *terms);
        growing->terms = terms;
        growing->capacity = capacity;
    }
    growing->terms[growing->count++] = (struct sl_term_count){term, 1, boost};
    return true;
}

static bool add_phrase_terms(struct growing *growing, const struct phrase *to,
                             const struct phrase *from, uint32_t language)
{
    uint32_t asked = from->counts[language], count = to->counts[language];
    float boost = SL_SYNONYM_WEIGHT * (asked < count ? (float)asked / (float)count : 1);

    for (uint32_t i = 0; i < count; i++)
        if (!asked_for(growing, &to->terms[language][i]) &&
            !add(growing, to->terms[language][i].term, boost))
            return false;
    return true;
}

static bool apply_rule(struct growing *growing, const struct rule *rule, uint32_t language)
{
    bool good = true;

    for (uint32_t i = 0; good && i < (rule->one_way ? 1 : rule->count); i++)
        if (matches(growing, &rule->phrases[i], language))
            for (uint32_t j = 0; good && j < rule->count; j++)
                good = j == i ||
                       add_phrase_terms(growing, &rule->phrases[j], &rule->phrases[i], language);
    return good;
}

enum sl_err sl_synonyms_apply(const struct sl_synonyms *synonyms, const char *language,
                              struct sl_arena *arena, struct sl_term_count **terms,
                              uint32_t *term_count, struct sl_error *err)
{
    struct growing growing = {.terms = *terms,
                              .asked = *term_count,
                              .count = *term_count,
                              .capacity = *term_count,
                              .arena = arena};
    uint32_t index = sl_language_index(language);
    bool good = true;

    for (const struct rule *rule = synonyms->rules; good && rule != NULL; rule = rule->next)
        good = apply_rule(&growing, rule, index);
    if (!good)
        return sl_fail(err, SL_REJECT, "too_large",
                       "the question's synonyms do not fit into memory");
    if (growing.count > growing.asked)
        qsort(growing.terms, growing.count, sizeof *growing.terms, compare_terms);
    *terms = growing.terms;
    *term_count = growing.count;
    return SL_OK;
}
