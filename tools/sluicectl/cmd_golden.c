/*
 * cmd_golden.c -- `sluicectl golden`: drafts of golden questions with their sources, and a round of those accepted.
 *
 * A person who knows the documents writes the best questions, and few. What a program can do is take the blank
 * page away: it picks documents evenly over the whole index, one sentence in each, and asks for what that
 * sentence is about by its rarest words. A draft says where it comes from; a person makes it a real question,
 * or throws it away, and sets the status to "accepted". Drafts are the same each time: documents are picked by
 * the hash of their key.
 *
 * Rejected: taking a draft as it is. A question made of a document's own words is found by words alone, and
 * measures little.
 */
#include <stdlib.h>
#include <string.h>

#include <sluice/goldens.h>
#include <sluice/hash.h>
#include <sluice/json.h>
#include <sluice/text.h>

#include "ask.h"

#define WORDS_TAKEN      4u  /* of a sentence, the rarest */
#define WORDS_LOOKED_AT  64u
#define SENTENCE_MIN     40u /* bytes */
#define SENTENCE_MAX     400u
#define FILE_BYTES_MAX   (16u << 20)

struct picked {
    uint64_t order;
    sl_doc_id doc;
    uint32_t chunk_count;
};

struct drafting {
    struct ctl *ctl;
    const struct sl_snapshot *snapshot;
    struct sl_arena *arena;
    struct sl_error err;
    struct sl_buffer out;
};

/* ------------------------------------------------------------------------------------- a sentence */

struct word {
    size_t start, end; /* in the sentence */
    float rarity;
    bool taken;
};

static bool is_boundary(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_mark(unsigned char c)
{
    return c < 0x80 && !((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
}

/* A word's rarity is that of the rarest term it is indexed as; 0 for stop words. */
static enum sl_err rarity(struct drafting *d, struct sl_view text, float *ret)
{
    struct sl_term_count *terms = NULL;
    uint32_t count = 0, length = 0;
    enum sl_err e = sl_text_terms(text, NULL, d->arena, &terms, &count, &length, &d->err);

    *ret = 0;
    for (uint32_t i = 0; e == SL_OK && i < count; i++) {
        uint64_t chunks;
        float idf;
        e = sl_snapshot_idf(d->snapshot, terms[i].term, &idf, &chunks, &d->err);
        if (e == SL_OK && chunks > 0 && idf > *ret)
            *ret = idf;
    }
    return e;
}

static enum sl_err words_of(struct drafting *d, struct sl_view sentence, struct word *words,
                            uint32_t *ret_count)
{
    size_t at = 0;
    enum sl_err e = SL_OK;

    for (*ret_count = 0; e == SL_OK && at < sentence.size && *ret_count < WORDS_LOOKED_AT;) {
        struct word word;
        while (at < sentence.size && (is_boundary(sentence.data[at]) ||
                                      is_mark((unsigned char)sentence.data[at])))
            at++;
        word = (struct word){.start = at, .end = at};
        while (at < sentence.size && !is_boundary(sentence.data[at]))
            at++;
        for (word.end = at; word.end > word.start && is_mark((unsigned char)sentence.data[word.end - 1]);)
            word.end--;
        if (word.end - word.start < 3)
            continue;
        e = rarity(d, sl_view_range(sentence, word.start, word.end), &word.rarity);
        words[(*ret_count)++] = word;
    }
    return e;
}

/* The rarest words, in the order they stand. False when there are too few to tell what is meant. */
static bool take_words(struct word *words, uint32_t count)
{
    uint32_t taken = 0;

    for (; taken < WORDS_TAKEN; taken++) {
        struct word *best = NULL;
        for (uint32_t i = 0; i < count; i++)
            if (!words[i].taken && words[i].rarity > 0 &&
                (best == NULL || words[i].rarity > best->rarity))
                best = &words[i];
        if (best == NULL)
            break;
        best->taken = true;
    }
    return taken >= 2;
}

static void write_query(struct drafting *d, struct sl_view sentence, const struct word *words,
                        uint32_t count)
{
    bool korean = strcmp(sl_text_language(sentence), "ko") == 0;
    struct sl_buffer query = {0};
    bool any = false;

    sl_buffer_format(&query, korean ? "" : "What is said about ");
    for (uint32_t i = 0; i < count; i++) {
        if (!words[i].taken)
            continue;
        sl_buffer_format(&query, any ? ", " : "");
        sl_buffer_view(&query, sl_view_range(sentence, words[i].start, words[i].end));
        any = true;
    }
    sl_buffer_format(&query, korean ? ": 무엇이라고 하나요?" : "?");
    sl_json_name(&d->out, "query");
    sl_json_string(&d->out, (struct sl_view){query.data, query.size});
    sl_buffer_fini(&query);
}

/* ------------------------------------------------------------------------------------- a document */

/* The first sentence of fitting length that has something to ask for; SL_REJECT when there is none. */
static enum sl_err write_draft(struct drafting *d, const struct sl_document *document,
                               uint32_t number, const struct sl_chunk *chunk)
{
    struct sl_view text = sl_view_range(document->text, chunk->byte_start, chunk->byte_end);
    struct sl_span *spans = NULL;
    uint32_t span_count = 0;
    enum sl_err e = sl_text_sentences(text, d->arena, &spans, &span_count, &d->err);

    for (uint32_t i = 0; e == SL_OK && i < span_count; i++) {
        struct sl_view sentence = sl_view_range(text, spans[i].byte_start, spans[i].byte_end);
        struct word words[WORDS_LOOKED_AT];
        uint32_t count;
        if (sentence.size < SENTENCE_MIN || sentence.size > SENTENCE_MAX)
            continue;
        if ((e = words_of(d, sentence, words, &count)) || !take_words(words, count))
            continue;
        sl_buffer_format(&d->out, "{");
        write_query(d, sentence, words, count);
        sl_json_name(&d->out, "relevant");
        sl_buffer_format(&d->out, "[");
        sl_json_string(&d->out, document->key);
        sl_buffer_format(&d->out, "]");
        sl_json_name(&d->out, "chunk");
        sl_buffer_format(&d->out, "%u", number);
        sl_json_name(&d->out, "title");
        sl_json_string(&d->out, document->title);
        sl_json_name(&d->out, "source");
        sl_json_string(&d->out, sentence);
        sl_buffer_format(&d->out, ", \"status\": \"draft\"}\n");
        return SL_OK;
    }
    return e != SL_OK ? e : SL_REJECT;
}

static enum sl_err draft_document(struct drafting *d, const struct picked *picked)
{
    struct sl_document document;
    uint32_t chunk_count;
    enum sl_err e;

    sl_arena_reset(d->arena);
    if ((e = sl_snapshot_document(d->snapshot, picked->doc, d->arena, &document, &chunk_count, &d->err)))
        return e;
    e = SL_REJECT;
    for (uint32_t i = 0; e == SL_REJECT && i < chunk_count; i++) {
        uint32_t number = (uint32_t)((picked->order >> 16) + i) % chunk_count;
        struct sl_chunk chunk;
        e = sl_snapshot_chunk(d->snapshot, picked->doc, number, d->arena, &chunk, &d->err);
        if (e == SL_OK)
            e = write_draft(d, &document, number, &chunk);
    }
    return e;
}

static int by_order(const void *a, const void *b)
{
    const struct picked *x = a, *y = b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (x->doc > y->doc) - (x->doc < y->doc);
}

static uint64_t order_of(struct sl_view key)
{
    uint8_t digest[32];
    uint64_t order = 0;

    sl_sha256(key, digest);
    for (int i = 0; i < 8; i++)
        order = order << 8 | digest[i];
    return order;
}

static enum sl_err pick(struct drafting *d, struct picked **ret_list, uint64_t *ret_count)
{
    struct sl_index_stats stats;
    sl_doc_id doc = 0;
    enum sl_err e = sl_snapshot_stats(d->snapshot, &stats, &d->err);

    *ret_count = 0;
    *ret_list = e == SL_OK ? calloc(stats.documents + 1, sizeof(**ret_list)) : NULL;
    if (e == SL_OK && *ret_list == NULL)
        return sl_stop(&d->err, SL_EXIT_OS, 0, "memory", "no memory for a list of documents");
    while (e == SL_OK && *ret_count < stats.documents &&
           (e = sl_snapshot_next(d->snapshot, doc, &doc, &d->err)) == SL_OK) {
        struct picked *picked = &(*ret_list)[*ret_count];
        struct sl_document document;
        sl_arena_reset(d->arena);
        e = sl_snapshot_document(d->snapshot, doc, d->arena, &document, &picked->chunk_count, &d->err);
        if (e != SL_OK)
            return e;
        picked->doc = doc;
        picked->order = order_of(document.key);
        ++*ret_count;
    }
    if (*ret_count > 0)
        qsort(*ret_list, *ret_count, sizeof(**ret_list), by_order);
    return e == SL_REJECT ? SL_OK : e;
}

static int draft(struct ctl *ctl, const struct ctl_opened *opened, uint32_t wanted)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    struct drafting d = {.ctl = ctl, .arena = arena};
    struct picked *list = NULL;
    uint64_t count = 0;
    uint32_t drafted = 0;
    enum sl_err e;

    if (arena == NULL)
        return ctl_fail(ctl, SL_EXIT_OS, "no memory");
    e = sl_snapshot_open(opened->index, &snapshot, &d.err);
    d.snapshot = snapshot;
    if (e == SL_OK)
        e = pick(&d, &list, &count);
    for (uint64_t i = 0; e == SL_OK && i < count && drafted < wanted; i++) {
        e = draft_document(&d, &list[i]);
        drafted += e == SL_OK;
        e = e == SL_REJECT ? SL_OK : e;
    }
    free(list);
    if (e == SL_OK)
        return ctl_print(ctl, &d.out);
    sl_buffer_fini(&d.out);
    return ctl_fail_error(ctl, &d.err, SL_EXIT_IO);
}

/* ------------------------------------------------------------------------------------- a round */

static enum sl_err ask_all(const struct ctl *ctl, const struct ctl_opened *opened,
                           const struct sl_goldens *goldens, struct sl_golden_result *results,
                           struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_retrieve_options options;
    enum sl_err e = sl_snapshot_open(opened->index, &snapshot, err);

    if (arena == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "no memory for a question");
    ctl_retrieve_options(ctl->config, SL_MODE_DEFAULT, 0, 0, &options);
    ctl_retrieve_words(opened, &options);
    options.reranker = opened->heads.reranker;
    for (uint32_t i = 0; e == SL_OK && i < goldens->count; i++) {
        sl_arena_reset(arena);
        e = sl_golden_ask(&goldens->items[i], snapshot, &options, opened->embedder, &ctl_clock, arena,
                          &results[i], err);
    }
    return e;
}

static int check(struct ctl *ctl, const char *path)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    struct sl_buffer content = {0}, out = {0};
    struct sl_goldens goldens = {0};
    struct sl_golden_result *results = NULL;
    struct sl_goldens_result sum;
    struct ctl_opened opened = {0};
    struct sl_error err = {0};
    int exit_code = SL_EXIT_OK;

    if (arena == NULL || ctl_read_file(path, FILE_BYTES_MAX, &content, &err) != SL_OK ||
        sl_goldens_read((struct sl_view){content.data, content.size}, arena, &goldens, &err) != SL_OK)
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_DATA);
    else if (goldens.count == 0)
        exit_code = ctl_fail(ctl, SL_EXIT_DATA, "%s: no question is accepted", path);
    sl_buffer_fini(&content);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_open(ctl, CTL_ACCESS_SEARCH, true, &opened);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    results = calloc(goldens.count, sizeof(*results));
    if (results == NULL)
        exit_code = ctl_fail(ctl, SL_EXIT_OS, "no memory for the results");
    else if (ask_all(ctl, &opened, &goldens, results, &err) != SL_OK)
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_IO);
    if (exit_code == SL_EXIT_OK) {
        sum = sl_goldens_sum(results, NULL, goldens.count);
        sl_buffer_format(&out, "{\"questions\": %u, \"recall\": %.6f, \"reciprocal_rank\": %.6f}\n",
                         sum.count, sum.recall, sum.reciprocal);
        exit_code = ctl_print(ctl, &out);
    }
    free(results);
    ctl_close(&opened);
    return exit_code;
}

int cmd_golden(struct ctl *ctl, int argc, char **argv)
{
    const char *path = NULL;
    uint32_t count = 50;
    const struct ctl_option options[] = {
        {"count", CTL_COUNT, &count, "N", "how many questions are drafted; default: 50", 1,
         SL_GOLDENS_MAX},
        {"check", CTL_TEXT, &path, "FILE",
         "ask the accepted questions of this file once instead, as the daemon does", 0, 0},
    };
    const struct ctl_usage usage = {
        "golden [--count N] | --check FILE",
        "Draft golden questions from the index, with their sources: JSON lines to be made real "
        "questions by a\n"
        "person, who sets \"status\" to \"accepted\". Name the file in [golden] file, and the daemon "
        "watches them.\n"
        "Exit: 65 a line of --check is wrong or none is accepted, 66 no such file or index.",
        options, CTL_OPTION_COUNT(options), 0, 0};
    struct ctl_list args = {0};
    struct ctl_opened opened;
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &args, &exit_code))
        return exit_code;
    if (path != NULL)
        return check(ctl, path);
    exit_code = ctl_open(ctl, CTL_ACCESS_READ, false, &opened);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    exit_code = draft(ctl, &opened, count);
    ctl_close(&opened);
    return exit_code;
}
