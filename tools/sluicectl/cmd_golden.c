/*
 * cmd_golden.c -- `sluicectl golden`: drafts of golden questions with their sources, and a round of those accepted.
 *
 * A person who knows the documents writes the best questions, and few. What a program can do is take the blank
 * page away: it picks documents evenly over the whole index, one sentence in each, and asks for what that
 * sentence is about by its rarest words. A draft says where it comes from; a person makes it a real question,
 * or throws it away, and sets the status to "accepted". Drafts are the same each time: documents are picked by
 * the hash of their key.
 *
 * Where a chat model is configured it writes the drafts (golden_model.c), one passage at a time; a draft whose source is
 * not in the passage, or that does not find its own document, is refused and counted.
 *
 * Rejected: taking a draft as it is. A question made of a document's own words is found by words alone, and
 * measures little.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sluice/goldens.h>
#include <sluice/hash.h>
#include <sluice/json.h>
#include <sluice/text.h>

#include "ask.h"
#include "golden_model.h"
#include "net/llm_client.h"

#define WORDS_TAKEN      4u  /* of a sentence, the rarest */
#define WORDS_LOOKED_AT  64u
#define SENTENCE_MIN     40u /* bytes */
#define SENTENCE_MAX     400u
#define FILE_BYTES_MAX   (16u << 20)
#define REFUSED_MAX      3u  /* times as many as wanted: then the model is not up to it */

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
    struct sl_generator *generator; /* NULL: drafts are made of the text itself */
    const struct ctl_opened *opened;
    uint32_t drafted, wanted;
    uint32_t broken, not_quoted, bad_question, not_found; /* what the model wrote, and was refused */
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

/* What a draft says beside its question. */
static void write_source(struct drafting *d, const struct sl_document *document, uint32_t number,
                         struct sl_view source)
{
    sl_json_name(&d->out, "relevant");
    sl_buffer_format(&d->out, "[");
    sl_json_string(&d->out, document->key);
    sl_buffer_format(&d->out, "]");
    sl_json_name(&d->out, "chunk");
    sl_buffer_format(&d->out, "%u", number);
    sl_json_name(&d->out, "title");
    sl_json_string(&d->out, document->title);
    sl_json_name(&d->out, "source");
    sl_json_string(&d->out, source);
    sl_buffer_format(&d->out, ", \"status\": \"draft\"}\n");
}

/* Is the document among the first that the question finds? */
static enum sl_err finds_itself(struct drafting *d, const struct sl_document *document, struct sl_view query,
                                bool *ret)
{
    struct sl_golden golden = {.query = query, .asked_ms = -1, .tenant = document->tenant,
                               .relevant = &document->key, .relevant_count = 1};
    struct sl_retrieve_options options;
    struct sl_golden_result result = {0};
    enum sl_err e;

    ctl_retrieve_options(d->ctl->config, SL_MODE_DEFAULT, 0, 0, &options);
    ctl_retrieve_words(d->opened, &options);
    options.reranker = d->opened->heads.reranker;
    e = sl_golden_ask(&golden, d->snapshot, &options, d->opened->embedder, &ctl_clock, d->arena, &result, &d->err);
    *ret = result.recall > 0;
    return e;
}

/* SL_REJECT when what the model wrote is refused. */
static enum sl_err write_model_draft(struct drafting *d, const struct sl_document *document, uint32_t number,
                                     const struct sl_chunk *chunk)
{
    struct ctl_golden_draft draft;
    bool found = false;
    enum sl_err e = ctl_golden_draft(d->generator, d->ctl->config, document->title,
                                     sl_view_range(document->text, chunk->byte_start, chunk->byte_end), d->arena,
                                     &draft, &d->err);

    if (e == SL_REJECT && strcmp(d->err.reason, "llm_rejected") == 0)
        return SL_AGAIN; /* it will say so of every passage */
    if (e == SL_REJECT) {
        d->broken += strcmp(d->err.reason, "llm_broken") == 0;
        d->not_quoted += strcmp(d->err.reason, "not_quoted") == 0;
        d->bad_question += strcmp(d->err.reason, "bad_question") == 0;
    }
    if (e != SL_OK || (e = finds_itself(d, document, draft.query, &found)) != SL_OK)
        return e;
    d->not_found += !found;
    if (!found)
        return SL_REJECT;
    sl_buffer_format(&d->out, "{");
    sl_json_name(&d->out, "query");
    sl_json_string(&d->out, draft.query);
    write_source(d, document, number, draft.source);
    return SL_OK;
}

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
        write_source(d, document, number, sentence);
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
    /* what a model is refused for one passage of a document is not asked for the next: each costs */
    for (uint32_t i = 0; e == SL_REJECT && i < chunk_count && (i == 0 || d->generator == NULL); i++) {
        uint32_t number = (uint32_t)((picked->order >> 16) + i) % chunk_count;
        struct sl_chunk chunk;
        e = sl_snapshot_chunk(d->snapshot, picked->doc, number, d->arena, &chunk, &d->err);
        if (e == SL_OK)
            e = d->generator != NULL ? write_model_draft(d, &document, number, &chunk)
                                     : write_draft(d, &document, number, &chunk);
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

static uint32_t refused(const struct drafting *d)
{
    return d->broken + d->not_quoted + d->bad_question + d->not_found;
}

/* Of what the model wrote, on standard error: standard output is the file of drafts. */
static void say_refused(const struct drafting *d)
{
    if (d->generator == NULL)
        return;
    fprintf(stderr,
            d->ctl->json ? "{\"drafted\": %u, \"refused\": %u, \"not_quoted\": %u, \"not_found\": %u, "
                           "\"bad_question\": %u, \"broken\": %u}\n"
                         : "sluicectl golden: %u drafted, %u refused: %u whose source is not in the passage, %u that do not "
                           "find their document, %u that are no question or repeat their source, %u that are no reply\n",
            d->drafted, refused(d), d->not_quoted, d->not_found, d->bad_question, d->broken);
}

static enum sl_err draft_all(struct drafting *d)
{
    struct picked *list = NULL;
    uint64_t count = 0;
    enum sl_err e = pick(d, &list, &count);

    for (uint64_t i = 0; e == SL_OK && i < count && d->drafted < d->wanted; i++) {
        e = draft_document(d, &list[i]);
        d->drafted += e == SL_OK;
        e = e == SL_REJECT && refused(d) < REFUSED_MAX * d->wanted ? SL_OK : e;
    }
    free(list);
    return e;
}

static int draft(struct ctl *ctl, const struct ctl_opened *opened, struct sl_generator *generator, uint32_t wanted)
{
    SL_CLEANUP(sl_arena_closep) struct sl_arena *arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    struct drafting d = {.ctl = ctl, .arena = arena, .generator = generator, .opened = opened, .wanted = wanted};
    enum sl_err e;
    int exit_code;

    if (arena == NULL)
        return ctl_fail(ctl, SL_EXIT_OS, "no memory");
    e = sl_snapshot_open(opened->index, &snapshot, &d.err);
    d.snapshot = snapshot;
    if (e == SL_OK)
        e = draft_all(&d);
    say_refused(&d);
    exit_code = e != SL_STOP ? ctl_print(ctl, &d.out) : SL_EXIT_OK; /* what was drafted is not lost with the model */
    if (e == SL_STOP)
        sl_buffer_fini(&d.out);
    return e == SL_OK ? exit_code : ctl_fail_error(ctl, &d.err, e == SL_STOP ? SL_EXIT_IO : SL_EXIT_TEMPORARY);
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
    bool from_text = false;
    const struct ctl_option options[] = {
        {"count", CTL_COUNT, &count, "N", "how many questions are drafted; default: 50", 1,
         SL_GOLDENS_MAX},
        {"from-text", CTL_FLAG, &from_text, NULL, "make drafts of the text itself, also where [answer] backend = llm", 0, 0},
        {"check", CTL_TEXT, &path, "FILE",
         "ask the accepted questions of this file once instead, as the daemon does", 0, 0},
    };
    const struct ctl_usage usage = {
        "golden [--count N] [--from-text] | --check FILE",
        "Draft golden questions from the index, with their sources: JSON lines to be made real "
        "questions by a\n"
        "person, who sets \"status\" to \"accepted\". Name the file in [golden] file, and the daemon "
        "watches them.\n"
        "Where [answer] backend = llm the chat model drafts them; a draft whose source is not in the passage byte for byte, or "
        "that\ndoes not find its own document, is refused and counted on standard error.\n"
        "Exit: 65 a line of --check is wrong or none is accepted, 66 no such file or index, 75 the chat model cannot be "
        "reached,\nor most of what it wrote was refused.",
        options, CTL_OPTION_COUNT(options), 0, 0};
    struct ctl_list args = {0};
    struct sl_generator *generator = NULL;
    struct ctl_opened opened;
    int exit_code;

    if (!ctl_begin(ctl, argc, argv, &usage, &args, &exit_code))
        return exit_code;
    if (path != NULL)
        return check(ctl, path);
    if (!from_text && (exit_code = ctl_golden_model(ctl, &generator)) != SL_EXIT_OK)
        return exit_code;
    exit_code = ctl_open(ctl, generator != NULL ? CTL_ACCESS_SEARCH : CTL_ACCESS_READ, generator != NULL, &opened);
    if (exit_code == SL_EXIT_OK) {
        exit_code = draft(ctl, &opened, generator, count);
        ctl_close(&opened);
    }
    (void)sl_llm_close(generator);
    return exit_code;
}
