/*
 * config_check.c -- what is wrong only in company: loops between topics, bounds that contradict each other.
 *
 * Each rule is one function over the finished configuration, and says which key to change. A line is named when the
 * key stands in the file; a default that clashes with a written key is reported without one.
 */
#include "daemon/config_internal.h"

#include <stdio.h>

struct check {
    const struct sl_config *config;
    const int *lines;
    struct problems *problems;
};

static int line_of(const struct check *check, const char *section, const char *key)
{
    const struct option *option = option_find(section, key);

    SL_PRE(option != NULL);
    return check->lines[option - option_table];
}

#define WRONG(section, key, ...)                                                                   \
    problem_add(check->problems, line_of(check, section, key), section, key, __VA_ARGS__)

static bool has(const struct sl_config_list *list, const char *topic)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], topic) == 0)
            return true;
    return false;
}

/* What sluiced writes must never be what it reads: each answer would be a new question or document. */
static void check_loops(const struct check *check)
{
    const struct sl_config *c = check->config;

    if (has(&c->documents.topics, c->queries.answers_topic))
        WRONG("queries", "answers_topic",
              "'%s' is a documents topic too: answers would be indexed as documents",
              c->queries.answers_topic);
    if (has(&c->queries.topics, c->queries.answers_topic))
        WRONG("queries", "answers_topic",
              "'%s' is a questions topic too: answers would be asked as questions",
              c->queries.answers_topic);
    if (has(&c->documents.topics, c->documents.dead_letter_topic) ||
        has(&c->queries.topics, c->documents.dead_letter_topic))
        WRONG("documents", "dead_letter_topic",
              "'%s' is read by this daemon too: a dead letter would come back for ever",
              c->documents.dead_letter_topic);
    if (strcmp(c->documents.dead_letter_topic, c->queries.answers_topic) == 0)
        WRONG("documents", "dead_letter_topic", "'%s' is the answers topic too; they must differ",
              c->documents.dead_letter_topic);
    for (uint32_t i = 0; i < c->queries.topics.count; i++)
        if (has(&c->documents.topics, c->queries.topics.items[i]))
            WRONG("queries", "topics", "'%s' is a documents topic too; they must differ",
                  c->queries.topics.items[i]);
    for (uint32_t i = 0; i < c->queries.reply_topics.count; i++)
        if (has(&c->documents.topics, c->queries.reply_topics.items[i]) ||
            has(&c->queries.topics, c->queries.reply_topics.items[i]))
            WRONG("queries", "reply_topics", "'%s' is read by this daemon too; answers must not go "
                  "there", c->queries.reply_topics.items[i]);
}

static void check_groups(const struct check *check)
{
    const struct sl_config *c = check->config;

    if (strcmp(c->documents.lag_group, c->queries.group) == 0)
        WRONG("documents", "lag_group", "'%s' is [queries] group too; they must differ",
              c->queries.group);
    if (c->queries.tenant[0] != '\0' && c->queries.tenant_header[0] != '\0')
        WRONG("queries", "tenant_header", "set beside tenant; allowed: one of the two");
}

static void check_bounds(const struct check *check)
{
    const struct sl_config *c = check->config;

    if (c->chunk.overlap_words >= c->chunk.words)
        WRONG("chunk", "overlap_words", "%u is not less than words = %u; allowed: 0 to %u",
              c->chunk.overlap_words, c->chunk.words, c->chunk.words - 1);
    if (c->workers.queue_bytes > c->workers.memory_budget / 2)
        WRONG("workers", "queue_bytes",
              "%lluK is more than half of memory_budget; allowed: at most %lluK",
              (unsigned long long)c->workers.queue_bytes >> 10,
              (unsigned long long)c->workers.memory_budget >> 11);
    if (c->index.ef_construction < c->index.m)
        WRONG("index", "ef_construction", "%u is less than m = %u; allowed: at least m",
              c->index.ef_construction, c->index.m);
    if (c->index.ef_search < c->retrieve.k)
        WRONG("index", "ef_search", "%u is less than [retrieve] k = %u; allowed: at least k",
              c->index.ef_search, c->retrieve.k);
}

static bool is_loopback(const char *url)
{
    static const char *const hosts[] = {"http://127.", "http://localhost", "http://[::1]"};

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        size_t size = strlen(hosts[i]);
        if (strncmp(url, hosts[i], size) == 0 &&
            (i == 0 || url[size] == '\0' || url[size] == ':' || url[size] == '/'))
            return true;
    }
    return false;
}

static void check_embed_server(const struct check *check)
{
    const struct sl_config *c = check->config;

    if (c->embed.url[0] == '\0')
        WRONG("embed", "url", "missing; backend = http needs the server's address");
    else if (strncmp(c->embed.url, "http://", 7) == 0 && !is_loopback(c->embed.url))
        WRONG("embed", "url", "documents would travel unencrypted; allowed: https://, or http:// on loopback");
    if (c->embed.model[0] == '\0' || strlen(c->embed.model) > 95)
        WRONG("embed", "model", "backend = http needs the model's name, of at most 95 bytes");
    if (c->embed.cost_max_per_day > 0 && c->embed.price <= 0)
        WRONG("embed", "cost_max_per_day", "says nothing without price; set that too");
}

static void check_backends(const struct check *check)
{
    const struct sl_config *c = check->config;

    if (c->embed.backend == SL_EMBED_BACKEND_NONE && strcmp(c->retrieve.mode, "vector") == 0)
        WRONG("retrieve", "mode", "vector needs a model, and [embed] backend is none; allowed: "
              "hybrid, lexical");
    if (c->embed.backend == SL_EMBED_BACKEND_HTTP)
        check_embed_server(check);
    if (c->retrieve.rerank == SL_RERANK_BERT && c->retrieve.rerank_model[0] == '\0')
        WRONG("retrieve", "rerank_model", "missing; rerank = bert needs a model's directory");
    if (c->retrieve.rerank == SL_RERANK_HTTP && c->retrieve.rerank_url[0] == '\0')
        WRONG("retrieve", "rerank_url", "missing; rerank = http needs the server's address");
    if (c->answer.backend == SL_ANSWER_LLM && c->answer.url[0] == '\0')
        WRONG("answer", "url", "missing; backend = llm needs the server's address");
    if (c->answer.backend == SL_ANSWER_LLM && c->answer.model[0] == '\0')
        WRONG("answer", "model", "missing; backend = llm needs a model to ask for");
    if (c->answer.api_key_credential[0] != '\0' && strncmp(c->answer.url, "http://", 7) == 0 &&
        !is_loopback(c->answer.url))
        WRONG("answer", "url", "a key would travel unencrypted; allowed: https://, or http:// on "
              "loopback");
}

void config_check(const struct sl_config *config, const int *lines, struct problems *problems)
{
    const struct check check = {config, lines, problems};

    check_loops(&check);
    check_groups(&check);
    check_bounds(&check);
    check_backends(&check);
}
