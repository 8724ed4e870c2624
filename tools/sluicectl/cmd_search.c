/*
 * cmd_search.c -- `sluicectl search`: the daemon's search by hand, and how it came to its order.
 */
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include <sluice/json.h>

#include "ask.h"

struct search {
    struct ctl *ctl;
    const struct sl_snapshot *snapshot;
    const struct sl_question *question;
    const struct sl_retrieved *retrieved;
    struct sl_arena *arena;
    bool explain;
    struct sl_buffer out;
};

/* What is shown of one result. */
struct found {
    const struct sl_result *result;
    uint32_t rank;
    struct sl_document document;
    struct sl_chunk chunk;
    struct ctl_snippet snippet;
    struct sl_term_part *parts; /* [terms searched for]; NULL: not found by words, or not asked for */
    uint32_t length;
    float average;
};

static const char *path_name(enum sl_search_path path)
{
    static const char *const names[] = {"none", "graph", "filtered", "exact"};

    return names[path];
}

static void name_text(struct sl_buffer *out, const char *name, struct sl_view text)
{
    sl_json_name(out, name);
    sl_json_string(out, text);
}

/* To six decimals: a float has no more to say, and its tail differs between machines. */
static void name_number(struct sl_buffer *out, const char *name, double number)
{
    sl_json_name(out, name);
    sl_json_number(out, round(number * 1e6) / 1e6);
}

static void name_day(struct sl_buffer *out, const char *name, sl_day day)
{
    char text[11];

    sl_json_name(out, name);
    if (day == SL_DAY_NONE || day == SL_DAY_MAX) {
        sl_buffer_format(out, "null");
        return;
    }
    sl_day_format(day, text);
    sl_json_string(out, sl_view_of(text));
}

/* Score and rank in one leg, named as in an answer's hits; null when it did not return this chunk.
 */
static void name_leg(struct sl_buffer *out, const char *score_name, float score,
                     const char *rank_name, uint32_t rank)
{
    name_number(out, score_name, rank > 0 ? (double)score : (double)NAN);
    name_number(out, rank_name, rank > 0 ? (double)rank : (double)NAN);
}

/* What the words of the question add to the lexical score. */
static void parts_json(struct sl_buffer *out, const struct found *found, uint32_t term_count)
{
    bool first = true;

    name_number(out, "length_terms", found->length);
    name_number(out, "average_terms", (double)found->average);
    sl_json_name(out, "lexical_parts");
    sl_buffer_format(out, "[");
    for (uint32_t i = 0; i < term_count; i++) {
        const struct sl_term_part *part = &found->parts[i];

        if (part->occurrences == 0)
            continue;
        sl_buffer_format(out, first ? "{" : ", {");
        first = false;
        name_text(out, "term", part->term);
        name_number(out, "counts", (double)part->boost);
        name_number(out, "idf", (double)part->idf);
        name_number(out, "occurrences", part->occurrences);
        name_number(out, "part", (double)part->part);
        sl_buffer_format(out, "}");
    }
    sl_buffer_format(out, "]");
}

static void found_json(struct sl_buffer *out, const struct found *found, uint32_t term_count)
{
    const struct sl_document *document = &found->document;

    sl_buffer_format(out, "{");
    name_number(out, "rank", found->rank);
    name_number(out, "score", (double)found->result->score);
    name_text(out, "doc", document->key);
    name_text(out, "topic", document->topic);
    name_number(out, "chunk", found->result->chunk);
    name_text(out, "title", document->title);
    name_text(out, "date", document->date);
    name_text(out, "section", found->chunk.section);
    name_number(out, "byte_start", found->chunk.byte_start);
    name_number(out, "byte_end", found->chunk.byte_end);
    name_text(out, "snippet", found->snippet.text);
    sl_json_name(out, "terms");
    sl_buffer_format(out, "[");
    for (uint32_t i = 0; i < found->snippet.mark_count; i++) {
        const struct sl_span *mark = &found->snippet.marks[i];

        if (i > 0)
            sl_buffer_format(out, ", ");
        sl_json_string(out, sl_view_range(found->snippet.text, mark->byte_start, mark->byte_end));
    }
    sl_buffer_format(out, "]");
    name_leg(out, "lexical_score", found->result->lexical_score, "lexical_rank",
             found->result->lexical_rank);
    name_leg(out, "vector_score", found->result->vector_score, "vector_rank",
             found->result->vector_rank);
    name_number(out, "duplicates", found->result->duplicates);
    name_number(out, "rank_before", found->result->rank_before);
    name_leg(out, "rerank_score", found->result->rerank_score, "rerank_rank",
             found->result->rerank_rank);
    name_number(out, "rerank_share",
                found->result->rerank_rank > 0 ? (double)found->result->rerank_share : (double)NAN);
    if (found->parts != NULL)
        parts_json(out, found, term_count);
    sl_buffer_format(out, "}");
}

static void leg_stats_json(struct sl_buffer *out, const char *name,
                           const struct sl_search_stats *stats)
{
    sl_json_name(out, name);
    sl_buffer_format(out, "{\"path\": \"%s\", \"distances\": %llu, \"visited\": %llu}",
                     path_name(stats->path), (unsigned long long)stats->distances,
                     (unsigned long long)stats->visited);
}

static void head_json(struct search *search)
{
    const struct sl_retrieved *retrieved = search->retrieved;
    struct sl_buffer *out = &search->out;

    sl_buffer_format(out, "{");
    name_text(out, "query", search->question->text);
    name_text(out, "mode", sl_view_of(ctl_mode_name(retrieved->mode)));
    name_text(out, "search_text", retrieved->search_text);
    sl_json_name(out, "coverage");
    sl_json_number(out, retrieved->coverage);
    sl_json_name(out, "filter");
    sl_buffer_format(out, "{");
    name_text(out, "expression", retrieved->filter_expression);
    sl_json_name(out, "selected_documents");
    if (retrieved->selected_documents == UINT64_MAX)
        sl_buffer_format(out, "null");
    else
        sl_buffer_format(out, "%llu", (unsigned long long)retrieved->selected_documents);
    sl_buffer_format(out, ", \"from_query\": %s", retrieved->date_read ? "true" : "false");
    if (retrieved->date_read) {
        name_day(out, "date_from", retrieved->date.days.from);
        name_day(out, "date_to", retrieved->date.days.to);
        name_text(out, "date_phrase",
                  sl_view_range(search->question->text, retrieved->date.byte_start,
                                retrieved->date.byte_end));
    }
    sl_buffer_format(out, ", \"widened\": %s}", retrieved->widened ? "true" : "false");
    leg_stats_json(out, "lexical", &retrieved->lexical_stats);
    leg_stats_json(out, "vector", &retrieved->vector_stats);
    sl_json_name(out, "timing_ms");
    sl_buffer_format(out, "{\"embed\": %.3f, \"search\": %.3f, \"rerank\": %.3f}",
                     retrieved->embed_ms, retrieved->search_ms, retrieved->rerank_ms);
    name_text(out, "rerank_failure", retrieved->rerank_failure);
}

static void explain_text(struct search *search)
{
    const struct sl_retrieved *retrieved = search->retrieved;
    struct sl_buffer *out = &search->out;

    sl_buffer_format(out, "mode      %s\n", ctl_mode_name(retrieved->mode));
    if (retrieved->coverage >= 0)
        sl_buffer_format(out, "coverage  %.2f of the question is known to the encoder\n",
                         retrieved->coverage);
    if (retrieved->date_read) {
        char from[11] = "-";
        char to[11] = "-";

        if (retrieved->date.days.from != SL_DAY_NONE)
            sl_day_format(retrieved->date.days.from, from);
        if (retrieved->date.days.to != SL_DAY_MAX)
            sl_day_format(retrieved->date.days.to, to);
        sl_buffer_format(out, "date      %s to %s, read from \"%.*s\"%s\n", from, to,
                         (int)(retrieved->date.byte_end - retrieved->date.byte_start),
                         search->question->text.data + retrieved->date.byte_start,
                         retrieved->widened ? "; too little found, searched without" : "");
    }
    if (retrieved->filter_expression.size > 0)
        sl_buffer_format(out, "filter    %.*s\n", SL_VIEW_ARG(retrieved->filter_expression));
    if (retrieved->selected_documents != UINT64_MAX)
        sl_buffer_format(out, "selected  %llu documents\n",
                         (unsigned long long)retrieved->selected_documents);
    sl_buffer_format(out, "lexical   %llu chunks scored, %llu blocks of postings read, %llu passed over\n",
                     (unsigned long long)retrieved->lexical_stats.distances,
                     (unsigned long long)retrieved->lexical_stats.visited,
                     (unsigned long long)retrieved->lexical_stats.skipped);
    sl_buffer_format(out, "vector    %s, %llu vectors compared\n",
                     path_name(retrieved->vector_stats.path),
                     (unsigned long long)retrieved->vector_stats.distances);
    if (retrieved->rerank_scored > 0)
        sl_buffer_format(out, "rerank    %u passages\n", retrieved->rerank_scored);
    if (retrieved->rerank_failure.data != NULL)
        sl_buffer_format(out, "warning   %.*s\n", SL_VIEW_ARG(retrieved->rerank_failure));
    sl_buffer_format(out, "time      embed %.1f ms, search %.1f ms, rerank %.1f ms\n\n",
                     retrieved->embed_ms, retrieved->search_ms, retrieved->rerank_ms);
}

static void leg_text(struct sl_buffer *out, const char *name, uint32_t rank, float score)
{
    if (rank == 0)
        sl_buffer_format(out, "  %s -", name);
    else
        sl_buffer_format(out, "  %s #%u %.4f", name, rank, (double)score);
}

/* Nothing where neither a reranker nor diversity moved it. */
static void rerank_text(struct sl_buffer *out, const struct sl_result *result, uint32_t rank)
{
    if (result->rerank_rank > 0)
        sl_buffer_format(out, "  rerank #%u %.4f (%.2f)", result->rerank_rank,
                         (double)result->rerank_score, (double)result->rerank_share);
    if (result->rank_before != rank)
        sl_buffer_format(out, "  was #%u", result->rank_before);
}

static void parts_text(struct sl_buffer *out, const struct found *found, uint32_t term_count)
{
    sl_buffer_format(out, "     %u terms, the average is %.1f\n", found->length,
                     (double)found->average);
    for (uint32_t i = 0; i < term_count; i++) {
        const struct sl_term_part *part = &found->parts[i];

        if (part->occurrences == 0)
            continue;
        sl_buffer_format(out, "     %8.4f  idf %.3f x %g, %u times: ", (double)part->part,
                         (double)part->idf, (double)part->boost, part->occurrences);
        ctl_show(out, part->term, false);
        sl_buffer_format(out, "\n");
    }
}

static void found_text(struct search *search, const struct found *found)
{
    struct sl_buffer *out = &search->out;
    const struct sl_document *document = &found->document;
    const struct ctl_snippet *snippet = &found->snippet;
    bool marked = isatty(STDOUT_FILENO);
    size_t at = 0;

    sl_buffer_format(out, "%2u. %.4f  ", found->rank, (double)found->result->score);
    if (document->date.size > 0)
        sl_buffer_format(out, "%.*s  ", SL_VIEW_ARG(document->date));
    if (document->title.size > 0) {
        ctl_show(out, document->title, false);
        sl_buffer_format(out, "  ");
    }
    sl_buffer_format(out, "(");
    ctl_show(out, document->key, false);
    sl_buffer_format(out, ", chunk %u", found->result->chunk);
    if (found->result->duplicates > 0)
        sl_buffer_format(out, ", and %u like it", found->result->duplicates);
    sl_buffer_format(out, ")\n    ");
    for (uint32_t i = 0; marked && i < snippet->mark_count; i++) {
        const struct sl_span *mark = &snippet->marks[i];

        ctl_show(out, sl_view_range(snippet->text, at, mark->byte_start), true);
        sl_buffer_format(out, "\033[1m");
        ctl_show(out, sl_view_range(snippet->text, mark->byte_start, mark->byte_end), true);
        sl_buffer_format(out, "\033[0m");
        at = mark->byte_end;
    }
    ctl_show(out, sl_view_range(snippet->text, at, snippet->text.size), true);
    sl_buffer_format(out, "\n");
    if (search->explain) {
        sl_buffer_format(out, "   ");
        leg_text(out, "lexical", found->result->lexical_rank, found->result->lexical_score);
        leg_text(out, "vector", found->result->vector_rank, found->result->vector_score);
        rerank_text(out, found->result, found->rank);
        sl_buffer_format(out, "\n");
        if (found->parts != NULL)
            parts_text(out, found, search->retrieved->term_count);
    }
}

static enum sl_err explain_read(struct search *search, struct found *found, struct sl_error *err)
{
    const struct sl_retrieved *retrieved = search->retrieved;

    found->parts = SL_NEW_ARRAY(search->arena, struct sl_term_part, retrieved->term_count);
    if (found->parts == NULL)
        return sl_fail(err, SL_REJECT, "too_large", "no memory to explain");
    return sl_snapshot_explain(search->snapshot, found->result->doc, found->result->chunk,
                               retrieved->terms, retrieved->term_count, search->arena,
                               found->parts, &found->length, &found->average, err);
}

static enum sl_err found_read(struct search *search, uint32_t i, struct found *found,
                              struct sl_error *err)
{
    const struct sl_result *result = &search->retrieved->results[i];
    uint32_t chunk_count;
    enum sl_err code;

    *found = (struct found){.result = result, .rank = i + 1};
    code = sl_snapshot_document(search->snapshot, result->doc, search->arena, &found->document,
                                &chunk_count, err);
    if (code == SL_OK)
        code = sl_snapshot_chunk(search->snapshot, result->doc, result->chunk, search->arena,
                                 &found->chunk, err);
    if (code == SL_OK)
        code = ctl_snippet(search->retrieved->search_text, &found->document, &found->chunk,
                           search->arena, &found->snippet, err);
    if (code == SL_OK && search->explain && result->lexical_rank > 0)
        code = explain_read(search, found, err);
    return code;
}

static enum sl_err results_print(struct search *search, struct sl_error *err)
{
    bool json = search->ctl->json;

    if (json) {
        head_json(search);
        sl_json_name(&search->out, "hits");
        sl_buffer_format(&search->out, "[");
    } else if (search->explain) {
        explain_text(search);
    }
    for (uint32_t i = 0; i < search->retrieved->count; i++) {
        struct found found;
        enum sl_err code = found_read(search, i, &found, err);

        if (code != SL_OK)
            return code;
        if (!json) {
            found_text(search, &found);
            continue;
        }
        if (i > 0)
            sl_buffer_format(&search->out, ", ");
        found_json(&search->out, &found, search->retrieved->term_count);
    }
    if (json)
        sl_buffer_format(&search->out, "]}\n");
    else if (search->retrieved->count == 0)
        sl_buffer_format(&search->out, "nothing found\n");
    return SL_OK;
}

static enum sl_err search_run(struct search *search, const struct ctl_opened *opened,
                              const struct sl_retrieve_options *options, struct sl_error *err)
{
    SL_CLEANUP(sl_snapshot_closep) struct sl_snapshot *snapshot = NULL;
    struct sl_retrieved *retrieved;
    enum sl_err code = sl_snapshot_open(opened->index, &snapshot, err);

    if (code == SL_OK)
        code = sl_retrieve(snapshot, search->question, options, opened->embedder, &ctl_clock,
                           search->arena, &retrieved, err);
    if (code != SL_OK)
        return code;
    search->snapshot = snapshot;
    search->retrieved = retrieved;
    return results_print(search, err);
}

/* Open what is needed, search, print. */
static int search_main(struct ctl *ctl, const struct sl_question *question,
                       struct sl_retrieve_options *options, bool explain, struct sl_arena *arena)
{
    struct search search = {.ctl = ctl, .question = question, .arena = arena, .explain = explain};
    struct ctl_opened opened;
    struct sl_error err = {0};
    int exit_code = ctl_open(ctl, CTL_ACCESS_SEARCH, options->mode != SL_MODE_LEXICAL, &opened);

    if (exit_code != SL_EXIT_OK)
        return exit_code;
    ctl_retrieve_words(&opened, options);
    options->reranker = opened.heads.reranker;
    if (search_run(&search, &opened, options, &err) != SL_OK) {
        sl_buffer_fini(&search.out);
        exit_code =
            ctl_fail_error(ctl, &err, err.code == SL_AGAIN ? SL_EXIT_TEMPORARY : SL_EXIT_USAGE);
    } else {
        exit_code = ctl_print(ctl, &search.out);
    }
    ctl_close(&opened);
    return exit_code;
}

int cmd_search(struct ctl *ctl, int argc, char **argv)
{
    const char *mode_name = NULL, *filter = NULL, *tenant = NULL, *now = NULL;
    uint32_t k = 0, ef = 0;
    bool exact = false, explain = false;
    const struct ctl_option options[] = {
        {"mode", CTL_TEXT, &mode_name, "MODE", "hybrid, vector or lexical; default: as configured",
         0, 0},
        {"k", CTL_COUNT, &k, "N", "how many chunks; default: as configured", 1, SL_K_MAX},
        {"ef", CTL_COUNT, &ef, "N", "how hard to look in the graph; default: as configured", 1,
         SL_EF_MAX},
        {"exact", CTL_FLAG, &exact, NULL, "compare every vector instead of walking the graph", 0,
         0},
        {"filter", CTL_TEXT, &filter, "EXPR", "only documents this is true of", 0, 0},
        {"tenant", CTL_TEXT, &tenant, "NAME", "only this tenant's documents; default: all", 0, 0},
        {"now", CTL_TEXT, &now, "DATE", "the day \"last year\" is counted from; default: today", 0,
         0},
        {"explain", CTL_FLAG, &explain, NULL,
         "both legs' scores and ranks, filter, date read, timings", 0, 0},
    };
    const struct ctl_usage usage = {"search \"TEXT\"",
                                    "Search the index, read only, also beside a running daemon.\n"
                                    "Exit: 64 the question or filter is wrong, 66 there is no "
                                    "index, 78 the index was made by other settings.",
                                    options,
                                    CTL_OPTION_COUNT(options),
                                    1,
                                    1};
    struct ctl_list args = {0};
    struct sl_arena *arena;
    struct sl_question question;
    struct sl_retrieve_options retrieve;
    struct sl_error err = {0};
    enum sl_mode mode;
    int64_t now_ms;
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, &usage, &args);
    int exit_code;

    if (parsed != CTL_PARSED)
        return ctl_parsed_exit(parsed);
    exit_code = ctl_mode(ctl, mode_name, &mode);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_now(ctl, now, &now_ms);
    if (exit_code == SL_EXIT_OK)
        exit_code = ctl_config(ctl);
    if (exit_code != SL_EXIT_OK)
        return exit_code;
    arena = sl_arena_open(SL_ARENA_BYTES_MAX);
    if (arena == NULL)
        return ctl_fail(ctl, SL_EXIT_OS, "no memory to search");
    ctl_retrieve_options(ctl->config, mode, k, ef, &retrieve);
    if (ctl_question(sl_view_of(args.items[0]), sl_view_of(filter), now_ms, arena, &question,
                     &err) != SL_OK) {
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_USAGE);
    } else {
        question.exact = exact;
        question.tenant = sl_view_of(tenant);
        exit_code = search_main(ctl, &question, &retrieve, explain, arena);
    }
    sl_arena_close(arena);
    return exit_code;
}
