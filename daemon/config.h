/*
 * config.h -- the configuration file as a struct. config_table.c holds the one option table that makes the
 * parser, the validator, the sample file and docs/CONFIGURATION.md.
 */
#ifndef SLUICE_CONFIG_H
#define SLUICE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <sluice/error.h>
#include <sluice/index.h>
#include <sluice/view.h>

struct sl_config_list {
    char **items; /* NUL-terminated, owned by the configuration */
    uint32_t count;
};

/* One property of [kafka], passed to librdkafka as it stands. */
struct sl_config_property {
    char *name;
    char *value;
    int line;
};

enum sl_cleanup_policy { SL_CLEANUP_AUTO = 0, SL_CLEANUP_COMPACT, SL_CLEANUP_DELETE };
enum sl_on_gap { SL_ON_GAP_HALT = 0, SL_ON_GAP_CONTINUE, SL_ON_GAP_RESYNC };
enum sl_delivery { SL_DELIVERY_AT_LEAST_ONCE = 0, SL_DELIVERY_EXACTLY_ONCE };
enum sl_embed_backend {
    SL_EMBED_BACKEND_BERT = 0,
    SL_EMBED_BACKEND_STATIC,
    SL_EMBED_BACKEND_NONE,
    SL_EMBED_BACKEND_HTTP
};
enum sl_rerank_backend { SL_RERANK_NONE = 0, SL_RERANK_BERT, SL_RERANK_HTTP };
enum sl_answer_backend { SL_ANSWER_EXTRACT = 0, SL_ANSWER_LLM };
enum sl_log_format { SL_LOG_AUTO = 0, SL_LOG_JOURNAL, SL_LOG_JSON, SL_LOG_TEXT };

struct sl_config {
    char *file; /* as given; "" when the defaults were made without one */

    struct {
        struct sl_config_property *properties; /* without the *_credential ones */
        uint32_t count;
        struct sl_config_property *credentials; /* name is the property it fills, e.g. sasl.password;
                                                   value the credential's name or absolute path */
        uint32_t credential_count;
    } kafka;
    struct {
        struct sl_config_list topics;
        char *dead_letter_topic; /* "" = none: what cannot be used is counted and logged */
        char *lag_group;         /* "" = sluice-docs-<instance> */
        enum sl_cleanup_policy cleanup;
        enum sl_on_gap on_gap;
    } documents;
    struct {
        struct sl_config_list topics;
        char *answers_topic;
        struct sl_config_list reply_topics;
        char *group;
        char *instance; /* "" = host name */
        enum sl_delivery delivery;
        char *tenant;        /* "" = none */
        char *tenant_header; /* "" = none */
    } queries;
    struct {
        uint32_t threads; /* 0 = cores */
        uint32_t queue_items;
        uint64_t queue_bytes;
        uint64_t memory_budget;
    } workers;
    struct {
        uint32_t words;
        uint32_t overlap_words;
    } chunk;
    struct {
        enum sl_embed_backend backend;
        char *model;     /* directory; of a server: the model's name */
        char *query_prefix;   /* "" = the model's own */
        char *passage_prefix;
        char *precision; /* auto, f32, bf16, int8 */
        uint32_t batch;
        uint32_t dimensions; /* 0 = the model's own; from here on for a server */
        char *url;
        char *api;                /* auto, openai, ollama, tei */
        char *api_key_credential; /* "" = none */
        char *ca_file;            /* "" = the system's */
        uint32_t token_limit;
        uint32_t batch_tokens;
        uint32_t batch_wait_ms;
        uint32_t in_flight;
        uint32_t timeout_ms;
        uint32_t question_timeout_ms;
        uint32_t requests_per_minute; /* 0 = no limit, as the next two */
        uint32_t tokens_per_minute;
        uint32_t tokens_max_per_day;
        double price;            /* of a million tokens; 0 = unknown */
        double cost_max_per_day; /* 0 = no limit */
        uint32_t breaker_wait_ms;
    } embed;
    struct {
        char *path;
        uint64_t map_size_max;
        uint32_t m;
        uint32_t ef_construction;
        uint32_t ef_search;
        char *storage; /* f32, f16, bf16, i8, bit */
        uint32_t reindex; /* bool: may begin at a start */
    } index;
    struct {
        char *mode;   /* hybrid, vector, lexical */
        uint32_t k;
        char *fusion; /* rrf, minmax */
        double weight_lexical; /* from `weights = LEXICAL, VECTOR` */
        double weight_vector;
        char *expand;          /* off, section, neighbours */
        char *duplicates;      /* collapse, keep */
        double half_life_days; /* 0 = off */
        char *expansion;       /* none, rm3 */
        enum sl_rerank_backend rerank;
        char *rerank_model; /* directory; of a server the model's name */
        char *rerank_url;
        char *rerank_api;   /* auto, tei, jina, cohere, llamacpp */
        char *rerank_api_key_credential; /* "" = none */
        uint32_t rerank_depth;
        uint32_t rerank_deadline_ms;
        uint32_t rerank_breaker_wait_ms;
        double rerank_weight;
        double diversity; /* 0 = off */
    } retrieve;
    struct { /* files; "" = none */
        char *synonyms;
        char *words;
        char *stop_words;
    } text;
    struct {
        enum sl_answer_backend backend;
        char *url;
        char *model;
        char *api_key_credential; /* "" = none */
        uint32_t max_tokens;
        uint32_t deadline_ms;
        char *reader; /* directory; "" = none */
    } answer;
    struct {
        char *file;           /* "" = none */
        uint32_t interval_ms;
        double drop_max;
    } golden;
    struct {
        bool boilerplate;
        enum sl_duplicates duplicates;
    } clean;
    struct {
        char *listen; /* "" = off */
    } http;
    struct {
        char *level;
        enum sl_log_format format;
    } log;
};

/*
 * Read and check a file. Everything that can be wrong with it is reported at once, one line each.
 *
 * Owns:    caller gets *ret_config; free it with sl_config_free(). Messages are appended to `problems`
 *          as "FILE:LINE: [section] key: what is wrong; what is allowed\n".
 * Thread:  any.
 * Blocks:  disk.
 * Errors:  SL_STOP  exit 66 when the file cannot be read, 78 when something in it is wrong, 71 memory
 */
enum sl_err sl_config_read(const char *file, struct sl_config **ret_config,
                           struct sl_buffer *problems, struct sl_error *err);

/*
 * The same from memory; `name` stands in messages. Used by the fuzzer and the tests.
 *
 * Owns:    as sl_config_read().
 * Thread:  any.
 * Blocks:  no.
 * Errors:  as sl_config_read()
 */
enum sl_err sl_config_parse(const char *name, struct sl_view text, struct sl_config **ret_config,
                            struct sl_buffer *problems, struct sl_error *err);

/* Text as the file's lines and values are read: without blanks, tabs and carriage returns at both ends. */
struct sl_view sl_config_trim(struct sl_view text);

/* Free it. NULL is fine. Always returns NULL. */
struct sl_config *sl_config_free(struct sl_config *config);

/* The commented sample file, docs/CONFIGURATION.md, the bare defaults, and one option explained (false when
 * there is no such option). `name` is "section.key" or "key". */
void sl_config_sample(struct sl_buffer *out);
void sl_config_markdown(struct sl_buffer *out);
void sl_config_defaults(struct sl_buffer *out);
bool sl_config_explain(const char *name, struct sl_buffer *out);

/* The collection's name: the file's name without directory and ".conf"; "sluiced" when nothing is left. */
struct sl_view sl_config_name(const char *file);

/*
 * Append "[section] key, ..." of what differs between two configurations and is not taken over by a reload.
 *
 * Owns:    appends to `out`; nothing when nothing differs.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  out->failed
 */
void sl_config_restart_needed(const struct sl_config *old, const struct sl_config *now,
                              struct sl_buffer *out);

/*
 * Read a secret: `name` is a file in $CREDENTIALS_DIRECTORY, or an absolute path (mode 0600 or stricter). A
 * trailing newline is stripped; NUL and other controls are refused.
 *
 * Owns:    caller frees *ret_secret with sl_secret_free(), which wipes it.
 * Thread:  any.
 * Blocks:  disk.
 * Errors:  SL_STOP  exit 78: missing, readable by others, empty, larger than 64 KiB, malformed
 */
enum sl_err sl_secret_read(const char *name, char **ret_secret, struct sl_error *err);
void sl_secret_free(char *secret);

/*
 * Where a credential's file is, for properties that take a path (ssl.key.location). The file is opened to see that
 * it is there and as well kept as one that is read.
 *
 * Owns:    caller frees *ret_path.
 * Thread:  any.
 * Blocks:  disk.
 * Errors:  SL_STOP  exit 78: a name with a slash, no $CREDENTIALS_DIRECTORY, missing, readable by others; 71 memory
 */
enum sl_err sl_secret_path(const char *name, char **ret_path, struct sl_error *err);

#endif
