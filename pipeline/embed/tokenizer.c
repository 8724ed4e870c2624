/*
 * tokenizer.c -- the way of a text through the parts of a tokenizer, and their opening.
 *
 * A text goes through in segments of at most SL_SEGMENT_BYTES_MAX, cut at a space between letters,
 * so that work space is bounded whatever comes. Where a segment outgrows its work space (a
 * normalizer may write more than it reads) it is done again in halves. Known weakness: a text
 * without a single space for 64 KiB is cut between characters, where the reference would not.
 *
 * Work spaces are pooled. One is made at opening, and a call that gets no memory for another waits
 * for one to come back: counting tokens cannot fail.
 */
#include "embed/tokenizer_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>

#include "embed/model_config.h"

#define FILE_BYTES_MAX    (64u << 20)
#define PATH_BYTES_MAX    4096
#define SEGMENT_BYTES_MIN 64u
#define BYTES_PER_TOKEN   64u /* a segment need not be longer than this times the ids asked for */
#define MAX_IDS_TO_SCALE  (SL_SEGMENT_BYTES_MAX / BYTES_PER_TOKEN)

static const char *const bert_names[] = {"[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"};

enum { BERT_UNK = 0, BERT_CLS, BERT_SEP, BERT_COUNT = 5 };

/* ---- what several parts share ---- */

enum sl_err sl_json_refuse(const struct sl_json_place *place, struct sl_error *err,
                           const char *format, ...)
{
    char what[240];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model", "%.200s: \"%s\": %s", place->path,
                   place->member, what);
}

void sl_work_add_char(struct sl_work_text *text, UChar32 c)
{
    uint8_t bytes[4];
    size_t size = 0;

    U8_APPEND_UNSAFE(bytes, size, (uint32_t)c);
    sl_work_add(text, (const char *)bytes, size);
}

static bool is_whole(UChar32 c)
{
    return c < 0x80 || u_hasBinaryProperty(c, UCHAR_IDEOGRAPHIC) || (c >= 0xAC00 && c <= 0xD7A3);
}

void sl_sink_put_piece(struct sl_token_sink *sink, uint32_t id, struct sl_view piece, bool known)
{
    uint32_t letters = 0;
    UChar32 c, letter = 0;

    sl_sink_put(sink, id);
    for (size_t at = 0; sink->covering && at < piece.size;) {
        c = sl_next_char(piece, &at);
        if (u_isalpha(c)) {
            letters++;
            letter = c;
        }
    }
    if (known && (letters > 1 || (letters == 1 && is_whole(letter))))
        sink->letters_covered += letters;
    sink->letters += letters;
}

void sl_vocabulary_fini(struct sl_vocabulary *vocabulary)
{
    free(vocabulary->keys);
    free(vocabulary->scores);
    *vocabulary = (struct sl_vocabulary){0};
}

/* ---- added tokens ---- */

bool sl_added_init(struct sl_added *added, const struct sl_added_source *sources, uint32_t count)
{
    struct sl_trie_key *keys = calloc(count + (size_t)1, sizeof *keys);
    bool good;

    added->tokens = calloc(count + (size_t)1, sizeof *added->tokens);
    added->count = count;
    for (uint32_t i = 0; keys != NULL && added->tokens != NULL && i < count; i++) {
        added->tokens[i] = sources[i].token;
        keys[i] =
            (struct sl_trie_key){sources[i].content.data, (uint32_t)sources[i].content.size, i};
        if (sources[i].content.size > 0)
            added->starts[(unsigned char)sources[i].content.data[0]] = true;
    }
    good = keys != NULL && added->tokens != NULL && sl_trie_init(&added->trie, keys, count);
    free(keys);
    return good;
}

void sl_added_fini(struct sl_added *added)
{
    sl_trie_fini(&added->trie);
    free(added->tokens);
    *added = (struct sl_added){0};
}

static bool stands_alone(struct sl_view text, size_t start, size_t end)
{
    UChar32 c;

    if (start > 0) {
        size_t at = start;
        c = sl_previous_char(text, &at);
        if (sl_is_word_char(c))
            return false;
    }
    if (end < text.size) {
        c = sl_next_char(text, &end);
        return !sl_is_word_char(c);
    }
    return true;
}

static size_t skip_space_back(struct sl_view text, size_t from, size_t at)
{
    while (at > from) {
        size_t before = at;
        UChar32 c;
        c = sl_previous_char(text, &before);
        if (!u_isUWhiteSpace(c))
            break;
        at = before;
    }
    return at;
}

static size_t skip_space(struct sl_view text, size_t at)
{
    while (at < text.size) {
        size_t after = at;
        UChar32 c;
        c = sl_next_char(text, &after);
        if (!u_isUWhiteSpace(c))
            break;
        at = after;
    }
    return at;
}

bool sl_added_next(const struct sl_added *added, struct sl_view text, size_t from, size_t *at,
                   size_t *ret_end, uint32_t *ret_id)
{
    for (size_t start = *at; added->count > 0 && start < text.size; start++) {
        const struct sl_added_token *token;
        uint32_t index;
        size_t size =
            added->starts[(unsigned char)text.data[start]]
                ? sl_trie_longest(&added->trie, sl_view_range(text, start, text.size), &index)
                : 0;
        if (size == 0)
            continue;
        token = &added->tokens[index];
        if (token->single_word && !stands_alone(text, start, start + size)) {
            start += size - 1;
            continue;
        }
        *at = token->strip_left ? skip_space_back(text, from, start) : start;
        *ret_end = token->strip_right ? skip_space(text, start + size) : start + size;
        *ret_id = token->id;
        return true;
    }
    return false;
}

/* ---- work space ---- */

static struct sl_scratch *scratch_close(struct sl_scratch *scratch)
{
    if (scratch == NULL)
        return NULL;
    for (int i = 0; i < 2; i++) {
        free(scratch->texts[i].bytes);
        free(scratch->texts[i].pieces);
    }
    free(scratch->raw);
    free(scratch->kept);
    free(scratch->nodes);
    free(scratch->symbols);
    free(scratch->heap);
    free(scratch);
    return NULL;
}

static struct sl_scratch *scratch_open(void)
{
    struct sl_scratch *scratch = calloc(1, sizeof *scratch);
    bool good;

    if (scratch == NULL)
        return NULL;
    scratch->raw = malloc(SL_RAW_BYTES_MAX);
    scratch->kept = malloc(SL_WORK_BYTES_MAX);
    scratch->nodes = malloc((SL_WORK_BYTES_MAX + 1) * sizeof *scratch->nodes);
    scratch->symbols = malloc(SL_WORK_BYTES_MAX * sizeof *scratch->symbols);
    scratch->heap = malloc(3 * (size_t)SL_WORK_BYTES_MAX * sizeof *scratch->heap);
    good = scratch->raw != NULL && scratch->kept != NULL && scratch->nodes != NULL &&
           scratch->symbols != NULL && scratch->heap != NULL;
    for (int i = 0; i < 2; i++) {
        scratch->texts[i].bytes = malloc(SL_WORK_BYTES_MAX);
        scratch->texts[i].pieces = malloc(SL_WORK_BYTES_MAX * sizeof(struct sl_piece));
        good = good && scratch->texts[i].bytes != NULL && scratch->texts[i].pieces != NULL;
    }
    return good ? scratch : scratch_close(scratch);
}

struct sl_scratch *sl_scratch_take(struct sl_tokenizer *tokenizer)
{
    struct sl_scratch *scratch;

    (void)pthread_mutex_lock(&tokenizer->lock);
    scratch = tokenizer->idle;
    if (scratch == NULL)
        scratch = scratch_open();
    while (scratch == NULL && tokenizer->idle == NULL)
        (void)pthread_cond_wait(&tokenizer->given, &tokenizer->lock);
    if (scratch == NULL)
        scratch = tokenizer->idle;
    if (scratch == tokenizer->idle)
        tokenizer->idle = scratch->next;
    (void)pthread_mutex_unlock(&tokenizer->lock);
    return scratch;
}

void sl_scratch_give(struct sl_tokenizer *tokenizer, struct sl_scratch *scratch)
{
    (void)pthread_mutex_lock(&tokenizer->lock);
    scratch->next = tokenizer->idle;
    tokenizer->idle = scratch;
    (void)pthread_cond_signal(&tokenizer->given);
    (void)pthread_mutex_unlock(&tokenizer->lock);
}

/* ---- a text's way ---- */

static void run_model(const struct sl_tokenizer *tokenizer, struct sl_view piece,
                      struct sl_scratch *scratch, struct sl_token_sink *sink)
{
    if (tokenizer->wordpiece != NULL)
        sl_wordpiece_run(tokenizer->wordpiece, piece, sink);
    else if (tokenizer->bpe != NULL)
        sl_bpe_run(tokenizer->bpe, piece, scratch, sink);
    else
        sl_unigram_run(tokenizer->unigram, piece, scratch, sink);
}

/* A stretch of normalized text, in `text` as its only piece. False: it did not fit. */
static bool run_stretch(const struct sl_tokenizer *tokenizer, struct sl_work_text *text, bool first,
                        struct sl_scratch *scratch, struct sl_token_sink *sink)
{
    if (text->size == 0)
        return true;
    text->pieces[0] = (struct sl_piece){0, text->size, first};
    text->piece_count = 1;
    text = sl_splitter_run(tokenizer->splitter, text, scratch);
    for (uint32_t i = 0; i < text->piece_count && !text->overflow && !sl_sink_full(sink); i++)
        run_model(tokenizer,
                  (struct sl_view){text->bytes + text->pieces[i].start, text->pieces[i].size},
                  scratch, sink);
    return !text->overflow;
}

/* The normalized text around tokens that stand in it. */
static bool run_normalized(const struct sl_tokenizer *tokenizer, struct sl_work_text *text,
                           bool first, struct sl_scratch *scratch, struct sl_token_sink *sink)
{
    const struct sl_view whole = {scratch->kept, text->size};
    size_t done = 0, at = 0, end = 0;
    bool good = true, hit = true;
    uint32_t id = 0;

    memcpy(scratch->kept, text->bytes, text->size);
    while (good && hit && done < whole.size) {
        at = done;
        hit = sl_added_next(&tokenizer->added_normalized, whole, done, &at, &end, &id);
        if (!hit)
            at = whole.size;
        scratch->texts[0].size = scratch->texts[0].piece_count = 0;
        scratch->texts[0].overflow = false;
        sl_work_add(&scratch->texts[0], whole.data + done, at - done);
        good = run_stretch(tokenizer, &scratch->texts[0], first && done == 0, scratch, sink);
        if (hit)
            sl_sink_put(sink, id);
        done = end;
    }
    return good;
}

/* Raw text without added tokens in it. */
static bool run_raw(const struct sl_tokenizer *tokenizer, struct sl_view text,
                    struct sl_stretch stretch, struct sl_scratch *scratch,
                    struct sl_token_sink *sink)
{
    struct sl_work_text *normal;

    if (text.size == 0)
        return true;
    normal = sl_normalizer_run(tokenizer->normalizer, text, &stretch, scratch);
    if (normal->overflow)
        return false;
    if (tokenizer->added_normalized.count > 0)
        return run_normalized(tokenizer, normal, stretch.first, scratch, sink);
    return run_stretch(tokenizer, normal, stretch.first, scratch, sink);
}

static bool run_segment(const struct sl_tokenizer *tokenizer, struct sl_view text,
                        struct sl_stretch stretch, struct sl_scratch *scratch,
                        struct sl_token_sink *sink)
{
    size_t done = 0, at, end;
    uint32_t id;

    for (;;) {
        struct sl_stretch here = {stretch.first && done == 0, stretch.continued && done == 0};
        at = done;
        if (!sl_added_next(&tokenizer->added, text, done, &at, &end, &id))
            return run_raw(tokenizer, sl_view_range(text, done, text.size), here, scratch, sink);
        if (!run_raw(tokenizer, sl_view_range(text, done, at), here, scratch, sink))
            return false;
        sl_sink_put(sink, id);
        done = end;
    }
}

static bool is_plain(char byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
}

/* How much of `text` to take: all, or up to a space, or up to a character. */
static size_t segment_size(struct sl_view text, size_t limit)
{
    size_t size;

    if (text.size <= limit)
        return text.size;
    for (size_t at = limit; at > limit / 2; at--)
        if (text.data[at] == ' ' && is_plain(text.data[at - 1]) && at + 1 < text.size &&
            is_plain(text.data[at + 1]))
            return at;
    for (size_t at = limit; at > limit / 2; at--)
        if (text.data[at] == ' ' && text.data[at - 1] != ' ')
            return at;
    for (size = limit; size > limit - 4 && ((unsigned char)text.data[size] & 0xC0) == 0x80;)
        size--;
    return size;
}

/* Append to the raw text, U+FFFD for what is no UTF-8. Returns the new size. */
static size_t copy_valid(char *raw, size_t size, struct sl_view text)
{
    for (size_t at = 0; at < text.size;) {
        UChar32 c;
        if ((unsigned char)text.data[at] < 0x80) {
            raw[size++] = text.data[at++];
            continue;
        }
        c = sl_next_char(text, &at);
        U8_APPEND_UNSAFE((uint8_t *)raw, size, (uint32_t)c);
    }
    return size;
}

static void run_segments(const struct sl_tokenizer *tokenizer, struct sl_view prefix,
                         struct sl_view text, struct sl_scratch *scratch,
                         struct sl_token_sink *sink)
{
    const size_t wanted = sink->ids_max < MAX_IDS_TO_SCALE
                              ? (sink->ids_max + 16) * (size_t)BYTES_PER_TOKEN
                              : SL_SEGMENT_BYTES_MAX;
    const size_t longest = wanted < SL_SEGMENT_BYTES_MAX ? wanted : SL_SEGMENT_BYTES_MAX;
    size_t done = 0, limit = longest;

    do {
        struct sl_token_sink before = *sink;
        size_t take = segment_size(sl_view_range(text, done, text.size), limit);
        size_t size = done == 0 ? copy_valid(scratch->raw, 0, prefix) : 0;
        struct sl_stretch stretch = {done == 0, done > 0};

        size = copy_valid(scratch->raw, size, sl_view_range(text, done, done + take));
        if (!run_segment(tokenizer, (struct sl_view){scratch->raw, size}, stretch, scratch, sink) &&
            limit / 2 >= SEGMENT_BYTES_MIN) {
            *sink = before;
            limit /= 2;
            continue;
        }
        done += take;
        limit = longest;
    } while (done < text.size && !sl_sink_full(sink));
}

static void run(const struct sl_tokenizer *tokenizer, struct sl_view prefix, struct sl_view text,
                struct sl_token_sink *sink)
{
    struct sl_tokenizer *pool = (struct sl_tokenizer *)(uintptr_t)tokenizer;
    struct sl_scratch *scratch;

    SL_PRE(prefix.size <= SL_PREFIX_BYTES_MAX);
    if (tokenizer->one_pass) {
        sl_wordpiece_scan(tokenizer->wordpiece, &tokenizer->bert, &tokenizer->added, prefix, text,
                          sink);
        return;
    }
    if (prefix.size + text.size == 0)
        return;
    scratch = sl_scratch_take(pool);
    run_segments(tokenizer, prefix, text, scratch, sink);
    sl_scratch_give(pool, scratch);
}

uint32_t sl_tokenizer_ids_after(const struct sl_tokenizer *tokenizer, struct sl_view prefix,
                                struct sl_view text, uint32_t *ret_ids, uint32_t ids_max)
{
    struct sl_token_sink sink = {.ids = ret_ids, .ids_max = ids_max};

    run(tokenizer, prefix, text, &sink);
    return sink.count;
}

uint32_t sl_tokenizer_ids(const struct sl_tokenizer *tokenizer, struct sl_view text,
                          uint32_t *ret_ids, uint32_t ids_max)
{
    return sl_tokenizer_ids_after(tokenizer, SL_VIEW_NULL, text, ret_ids, ids_max);
}

double sl_tokenizer_coverage(const struct sl_tokenizer *tokenizer, struct sl_view text)
{
    struct sl_token_sink sink = {.ids_max = UINT32_MAX, .covering = true};

    run(tokenizer, SL_VIEW_NULL, text, &sink);
    return sink.letters == 0 ? 1.0 : (double)sink.letters_covered / (double)sink.letters;
}

uint32_t sl_tokenizer_vocabulary_count(const struct sl_tokenizer *tokenizer)
{
    return tokenizer->id_end;
}

uint32_t sl_tokenizer_first_id(const struct sl_tokenizer *tokenizer)
{
    return tokenizer->first_id;
}

uint32_t sl_tokenizer_last_id(const struct sl_tokenizer *tokenizer)
{
    return tokenizer->last_id;
}

uint32_t sl_tokenizer_unknown_id(const struct sl_tokenizer *tokenizer)
{
    return tokenizer->unknown_id;
}

uint32_t sl_tokenizer_token_chars_median(const struct sl_tokenizer *tokenizer)
{
    return tokenizer->token_chars_median;
}

/* ---- opening ---- */

/* One token a line, its id is its line number. */
static bool read_lines(const char *text, size_t size, struct sl_vocabulary *vocabulary)
{
    const char *at = text, *end = text + size;
    uint32_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += text[i] == '\n' || i + 1 == size;
    vocabulary->keys = calloc(count + (size_t)1, sizeof *vocabulary->keys);
    if (vocabulary->keys == NULL)
        return false;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        uint32_t length = (uint32_t)(stop - at);
        if (length > 0 && at[length - 1] == '\r')
            length--;
        vocabulary->keys[vocabulary->count] = (struct sl_trie_key){at, length, vocabulary->count};
        vocabulary->count++;
        at = stop + 1;
    }
    vocabulary->id_end = vocabulary->count;
    return true;
}

static bool chosen(enum sl_choice choice, bool otherwise)
{
    return choice == SL_CHOICE_FILE ? otherwise : choice == SL_CHOICE_YES;
}

static enum sl_err find_bert_names(struct sl_tokenizer *tokenizer, const char *path,
                                   struct sl_error *err)
{
    struct sl_added_source sources[BERT_COUNT] = {0};
    uint32_t ids[BERT_COUNT], count = 0;

    for (int i = 0; i < BERT_COUNT; i++) {
        ids[i] = sl_wordpiece_find(tokenizer->wordpiece, sl_view_of(bert_names[i]));
        if (ids[i] == SL_NO_TOKEN && i <= BERT_SEP)
            return sl_stop(err, SL_EXIT_CONFIG, 0, "bad_model",
                           "%s: no line %s: not the vocabulary of a BERT model", path,
                           bert_names[i]);
        if (ids[i] == SL_NO_TOKEN)
            continue;
        sources[count].content = sl_view_of(bert_names[i]);
        sources[count++].token.id = ids[i];
    }
    tokenizer->unknown_id = ids[BERT_UNK];
    tokenizer->first_id = ids[BERT_CLS];
    tokenizer->last_id = ids[BERT_SEP];
    return sl_added_init(&tokenizer->added, sources, count)
               ? SL_OK
               : sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", path);
}

static enum sl_err read_vocabulary(const char *path, const char *text, size_t size,
                                   const struct sl_tokenizer_casing *casing,
                                   struct sl_tokenizer *tokenizer, struct sl_error *err)
{
    struct sl_vocabulary vocabulary = {0};
    uint32_t unknown = SL_NO_TOKEN;

    tokenizer->bert.lower_case = chosen(casing->lower_case, true);
    tokenizer->bert.strip_accents = chosen(casing->strip_accents, tokenizer->bert.lower_case);
    tokenizer->bert.split_chinese = chosen(casing->split_chinese, true);
    tokenizer->one_pass = true;
    if (read_lines(text, size, &vocabulary)) {
        for (uint32_t i = 0; i < vocabulary.count; i++)
            if (vocabulary.keys[i].size == 5 && memcmp(vocabulary.keys[i].bytes, "[UNK]", 5) == 0)
                unknown = i;
        tokenizer->wordpiece = sl_wordpiece_open(&vocabulary, "##", unknown);
        tokenizer->id_end = vocabulary.id_end;
    }
    sl_vocabulary_fini(&vocabulary);
    if (tokenizer->wordpiece == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", path);
    return find_bert_names(tokenizer, path, err);
}

static enum sl_err read_directory(const char *directory, const struct sl_tokenizer_casing *casing,
                                  struct sl_sha256 *digest, struct sl_tokenizer *tokenizer,
                                  struct sl_error *err)
{
    struct sl_error failure = {0};
    char path[PATH_BYTES_MAX], *text = NULL;
    size_t size = 0;
    bool json = true;
    enum sl_err r = sl_model_path(directory, "tokenizer.json", path, sizeof path, err);

    if (r != SL_OK)
        return r;
    r = sl_model_file_read(path, FILE_BYTES_MAX, &text, &size, &failure);
    if (r != SL_OK && failure.foreign_code == ENOENT) {
        json = false;
        r = sl_model_path(directory, "vocab.txt", path, sizeof path, &failure);
        if (r == SL_OK)
            r = sl_model_file_read(path, FILE_BYTES_MAX, &text, &size, &failure);
    }
    if (r != SL_OK) {
        if (err != NULL)
            *err = failure;
        return r;
    }
    r = json ? sl_tokenizer_json_read(path, text, size, casing, tokenizer, err)
             : read_vocabulary(path, text, size, casing, tokenizer, err);
    if (r == SL_OK && digest != NULL)
        sl_sha256_add(digest, text, size);
    free(text);
    return r;
}

/* An empty one, with one work space. NULL: out of memory. */
static struct sl_tokenizer *new_tokenizer(void)
{
    struct sl_tokenizer *tokenizer = calloc(1, sizeof *tokenizer);

    if (tokenizer == NULL)
        return NULL;
    (void)pthread_mutex_init(&tokenizer->lock, NULL);
    (void)pthread_cond_init(&tokenizer->given, NULL);
    tokenizer->first_id = tokenizer->last_id = tokenizer->unknown_id = SL_NO_TOKEN;
    tokenizer->idle = scratch_open();
    if (tokenizer->idle == NULL) {
        sl_tokenizer_close(tokenizer);
        return NULL;
    }
    return tokenizer;
}

enum sl_err sl_tokenizer_open(const char *directory, const struct sl_tokenizer_casing *casing,
                              struct sl_sha256 *digest, struct sl_tokenizer **ret_tokenizer,
                              struct sl_error *err)
{
    static const struct sl_tokenizer_casing as_the_file_says;
    struct sl_tokenizer *tokenizer = new_tokenizer();
    enum sl_err r;

    if (tokenizer == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", directory);
    r = read_directory(directory, casing != NULL ? casing : &as_the_file_says, digest, tokenizer,
                       err);
    if (r != SL_OK)
        sl_tokenizer_close(tokenizer);
    else
        *ret_tokenizer = tokenizer;
    return r;
}

enum sl_err sl_tokenizer_open_json(const char *name, const char *text, size_t size,
                                   struct sl_tokenizer **ret_tokenizer, struct sl_error *err)
{
    static const struct sl_tokenizer_casing as_the_file_says;
    struct sl_tokenizer *tokenizer = new_tokenizer();
    enum sl_err r;

    if (tokenizer == NULL)
        return sl_stop(err, SL_EXIT_OS, ENOMEM, "no_memory", "%s: out of memory", name);
    r = sl_tokenizer_json_read(name, text, size, &as_the_file_says, tokenizer, err);
    if (r != SL_OK)
        sl_tokenizer_close(tokenizer);
    else
        *ret_tokenizer = tokenizer;
    return r;
}

void sl_tokenizer_close(struct sl_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    while (tokenizer->idle != NULL) {
        struct sl_scratch *scratch = tokenizer->idle;
        tokenizer->idle = scratch->next;
        (void)scratch_close(scratch);
    }
    sl_added_fini(&tokenizer->added);
    sl_added_fini(&tokenizer->added_normalized);
    (void)sl_normalizer_close(tokenizer->normalizer);
    (void)sl_splitter_close(tokenizer->splitter);
    (void)sl_wordpiece_close(tokenizer->wordpiece);
    (void)sl_unigram_close(tokenizer->unigram);
    (void)sl_bpe_close(tokenizer->bpe);
    (void)pthread_cond_destroy(&tokenizer->given);
    (void)pthread_mutex_destroy(&tokenizer->lock);
    free(tokenizer);
}
