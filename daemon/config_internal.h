/*
 * config_internal.h -- what the config_*.c files share.
 *
 *     config_table.c   the one option table
 *     config_value.c   one value: text to field, by the table
 *     config_kafka.c   [kafka]: what librdkafka may be told, and what not
 *     config_check.c   what only several values together can get wrong
 *     config.c         lines, sections, keys; read, parse, free
 *     config_compare.c what a reload can not take over
 *     config_text.c    sample file, docs/CONFIGURATION.md, explain, defaults
 *     config_secret.c  credentials            config_paths.c  state, runtime, control socket
 */
#ifndef SLUICE_CONFIG_INTERNAL_H
#define SLUICE_CONFIG_INTERNAL_H

#include <stddef.h>

#include "daemon/config.h"

#define SL_CONFIG_FILE_BYTES_MAX (1u << 20)
#define SL_CONFIG_PROBLEMS_MAX   100u
#define SL_CONFIG_TOPICS_MAX     256u
#define SL_CONFIG_PROPERTIES_MAX 512u

enum option_kind {
    OPTION_TEXT = 0, /* anything on one line */
    OPTION_DIRECTORY,
    OPTION_FILE,
    OPTION_TOPIC,
    OPTION_TOPICS,      /* comma-separated */
    OPTION_GROUP,       /* consumer group or instance name */
    OPTION_CREDENTIAL,  /* file name in the credentials directory, or absolute path */
    OPTION_URL,
    OPTION_LISTEN,      /* ADDRESS:PORT */
    OPTION_COUNT,       /* uint32_t */
    OPTION_SIZE,        /* uint64_t bytes; K M G T */
    OPTION_MS,          /* uint32_t; plain = ms; ms s m h */
    OPTION_CHOICE,      /* an enum, stored as int */
    OPTION_WORD,        /* a choice stored as text */
    OPTION_FLAG,        /* bool: on, off */
    OPTION_DAYS,        /* double; off = 0 */
    OPTION_AMOUNT,      /* the same, without a unit */
    OPTION_WEIGHTS      /* two doubles: lexical, vector */
};

struct option_choice {
    const char *word; /* NULL ends the list */
    int value;
    bool planned;     /* a name that is fixed, and that this version cannot do */
};

struct option {
    const char *section, *key;
    enum option_kind kind;
    size_t at;            /* offset in struct sl_config; NO_FIELD: checked, not stored */
    const char *fallback; /* the default, as it would be written in the file */
    uint64_t least, most; /* of numbers, in the unit stored */
    const struct option_choice *choices;
    bool may_be_empty;
    bool reload;          /* taken over by SIGHUP */
    const char *unit;     /* "", "words", "ms", ... */
    const char *help;     /* sentences for the sample, the page and `config explain` */
};

#define NO_FIELD SIZE_MAX

struct option_section {
    const char *name;
    const char *help;
};

extern const struct option option_table[];
extern const size_t option_count;
extern const struct option_section option_sections[];
extern const size_t option_section_count;

/* What is wrong so far, and where we are. One line each, at most SL_CONFIG_PROBLEMS_MAX. */
struct problems {
    struct sl_buffer *out;
    const char *file;
    size_t count;
};

/* line 0: the value is not in the file (a default, or a key that is missing). key NULL: about the section or line. */
void problem_add(struct problems *problems, int line, const char *section, const char *key,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

const struct option *option_find(const char *section, const char *key);

/* Write a value into the field its option names. False, with a problem added, when it does not fit. */
bool option_set(const struct option *option, struct sl_config *config, struct sl_view value,
                int line, struct problems *problems);

/* "1 to 65535", "docs.dlq or empty", ...: the allowed values, for messages and documents. */
void option_allowed(const struct option *option, struct sl_buffer *out);

/* The word nearest to `name` among candidates, "" when none is near. Offer them one after the other. */
struct nearest {
    const char *name;
    char best[65]; /* "" = none */
    size_t distance;
};
void nearest_offer(struct nearest *nearest, const char *candidate);

/* [kafka]: take a property or a credential, or say why not. */
bool kafka_option_add(struct sl_config *config, struct sl_view key, struct sl_view value, int line,
                      struct problems *problems);
/* Properties sluiced needs although the file does not name them. False: memory. */
bool kafka_options_complete(struct sl_config *config);

void config_list_fini(struct sl_config_list *list);

/* A topic's name: 1 to 249 of letters, digits, '.', '_', '-'; not "." or "..". */
bool topic_name_valid(struct sl_view name);

/* What single values cannot get wrong alone. `line_of(option index)` are the lines set in the file, 0 = default. */
void config_check(const struct sl_config *config, const int *lines, struct problems *problems);

/* The default of [index] path: $STATE_DIRECTORY, else /var/lib/sluiced/<instance>. Caller frees; NULL: memory. */
char *sl_config_state_path(const char *file);

#endif
