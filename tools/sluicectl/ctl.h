/*
 * ctl.h -- what the subcommands of sluicectl share.
 *
 * One subcommand is one file, cmd_<name>.c, with one function of type ctl_run that is listed in the
 * table of main.c. It parses its options, does its work and returns the exit code of the program
 * (enum sl_exit).
 */
#ifndef SLUICECTL_H
#define SLUICECTL_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include <sluice/embed.h>
#include <sluice/error.h>
#include <sluice/index.h>
#include <sluice/ingest.h>
#include <sluice/respond.h>
#include <sluice/view.h>

#include "daemon/config_pipeline.h"

#define CTL_LISTS_MAX      4
#define CTL_CONFIG_DEFAULT "/etc/sluiced/sluiced.conf"

struct ctl {
    const char *command;     /* its name, for messages */
    const char *config_file; /* as given with -c, else the default */
    bool config_given;
    bool json;
    struct sl_config *config; /* NULL until ctl_config() */
    int argument_count;
    const char **lists[CTL_LISTS_MAX]; /* memory of options that are lists */
    uint32_t list_count;
};

typedef int (*ctl_run)(struct ctl *ctl, int argc, char **argv);

int cmd_answer(struct ctl *ctl, int argc, char **argv);
int cmd_ask(struct ctl *ctl, int argc, char **argv);
int cmd_backup(struct ctl *ctl, int argc, char **argv);
int cmd_chunk(struct ctl *ctl, int argc, char **argv);
int cmd_compact(struct ctl *ctl, int argc, char **argv);
int cmd_compare(struct ctl *ctl, int argc, char **argv);
int cmd_config(struct ctl *ctl, int argc, char **argv);
int cmd_dates(struct ctl *ctl, int argc, char **argv);
int cmd_estimate(struct ctl *ctl, int argc, char **argv);
int cmd_eval(struct ctl *ctl, int argc, char **argv);
int cmd_export(struct ctl *ctl, int argc, char **argv);
int cmd_golden(struct ctl *ctl, int argc, char **argv);
int cmd_generation(struct ctl *ctl, int argc, char **argv);
int cmd_import(struct ctl *ctl, int argc, char **argv);
int cmd_put(struct ctl *ctl, int argc, char **argv);
int cmd_reindex(struct ctl *ctl, int argc, char **argv);
int cmd_rm(struct ctl *ctl, int argc, char **argv);
int cmd_runs(struct ctl *ctl, int argc, char **argv);
int cmd_search(struct ctl *ctl, int argc, char **argv);
int cmd_stats(struct ctl *ctl, int argc, char **argv);
int cmd_status(struct ctl *ctl, int argc, char **argv);
int cmd_tune(struct ctl *ctl, int argc, char **argv);
int cmd_verify(struct ctl *ctl, int argc, char **argv);

/* ---------------------------------------------------------------------------- messages (report.c)
 */

/*
 * Say on standard error what went wrong, as text or, with --json, as one object; return
 * `exit_code`.
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  no.
 * Errors:  none.
 */
int ctl_fail(const struct ctl *ctl, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a struct sl_error; its exit code, or `otherwise` when it has none. */
int ctl_fail_error(const struct ctl *ctl, const struct sl_error *err, int otherwise);

/*
 * Append text of a document for a person: control characters become '?', line feeds and tabs too unless `lines`.
 * Documents are other people's: what they hold must not move the cursor of the terminal it is shown on.
 */
void ctl_show(struct sl_buffer *out, struct sl_view text, bool lines);

/* Bytes as a JSON string of base64, and back; false when the text is not what writing gives. */
void ctl_base64_write(struct sl_buffer *out, struct sl_view bytes);
bool ctl_base64_read(const char *text, struct sl_buffer *out);

/* Write the buffer to standard output and free it. Exit code 74 when that fails, else 0. */
int ctl_print(const struct ctl *ctl, struct sl_buffer *buffer);

/* ----------------------------------------------------------------------------- options (options.c)
 */

enum ctl_kind { CTL_FLAG, CTL_TEXT, CTL_LIST, CTL_COUNT, CTL_REAL };

/* A list option may be given several times. */
struct ctl_list {
    const char **items;
    uint32_t count;
};

struct ctl_option {
    const char *name; /* without the dashes */
    enum ctl_kind kind;
    void *value;            /* bool, const char *, struct ctl_list, uint32_t, double */
    const char *value_name; /* for the help text; NULL for flags */
    const char *help;
    double min, max; /* CTL_COUNT, CTL_REAL */
};

struct ctl_usage {
    const char *synopsis; /* "search \"TEXT\" [options]" */
    const char *about;    /* what it does, exit codes of its own */
    const struct ctl_option *options;
    uint32_t option_count;
    uint32_t args_min, args_max; /* positional arguments */
};

#define CTL_OPTION_COUNT(options) ((uint32_t)(sizeof(options) / sizeof((options)[0])))

enum ctl_parsed { CTL_PARSED = 0, CTL_PARSED_HELP, CTL_PARSED_BAD };

/*
 * Parse the options of a subcommand, with -c, --json and --help, which all have. Options and
 * positional arguments may be mixed; `--` ends the options.
 *
 * Owns:    *ret_args and the items of lists live until the program ends and point into argv.
 * Thread:  main.
 * Blocks:  no.
 * Errors:  CTL_PARSED_BAD after saying why (exit 64); CTL_PARSED_HELP after printing the help (exit
 * 0)
 */
enum ctl_parsed ctl_parse(struct ctl *ctl, int argc, char **argv, const struct ctl_usage *usage,
                          struct ctl_list *ret_args);

/* The exit code that belongs to a parse that did not give CTL_PARSED. */
static inline int ctl_parsed_exit(enum ctl_parsed parsed)
{
    return parsed == CTL_PARSED_HELP ? SL_EXIT_OK : SL_EXIT_USAGE;
}

/* -------------------------------------------------------------------- configuration, index
 * (setup.c) */

/*
 * Read the configuration into ctl->config and, as root, become the owner of the index directory.
 *
 * Owns:    ctl->config is freed by main().
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  the exit code, after saying why; 0 when all is well
 */
int ctl_config(struct ctl *ctl);

/*
 * What most commands begin with: parse, and read the configuration.
 *
 * Post:    false: the command is over, with *ret_exit; why was said.
 * Owns:    as ctl_parse() and ctl_config().
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  none but by *ret_exit.
 */
bool ctl_begin(struct ctl *ctl, int argc, char **argv, const struct ctl_usage *usage,
               struct ctl_list *ret_args, int *ret_exit);

/* As ctl_config(), but the built-in defaults when no -c was given and the default file is not
 * there. */
int ctl_config_or_defaults(struct ctl *ctl);

/* The first documents topic, unless *topic names another. Exit code 78 when there is none, 64 when *topic is no
 * name of a topic. */
int ctl_documents_topic(const struct ctl *ctl, const char **topic);

enum ctl_access {
    CTL_ACCESS_WRITE,  /* as the only writer; created when absent */
    CTL_ACCESS_SEARCH, /* read only, beside a daemon too; made by the same settings as configured */
    CTL_ACCESS_READ,   /* read only, whatever made it */
    CTL_ACCESS_UPKEEP  /* as the only writer, whatever made it; it must be there */
};

/* An opened index with what belongs to it. */
struct ctl_opened {
    struct sl_embedder *embedder; /* NULL: none configured or wanted */
    struct sl_config_heads heads; /* open where an embedder is wanted */
    struct sl_index *index;
    struct sl_ingest_options ingest;
    struct sl_word_lists *lists;  /* NULL: none configured */
    struct sl_synonyms *synonyms; /* NULL: none configured, or not to search */
    char fingerprint[SL_FINGERPRINT_BYTES];
};

/*
 * Load the encoder (unless `embedder_wanted` is false or the backend is none) and open the index.
 *
 * Owns:    close with ctl_close().
 * Thread:  main.
 * Blocks:  disk, CPU.
 * Errors:  the exit code, after saying why; 0 when all is well
 */
int ctl_open(struct ctl *ctl, enum ctl_access access, bool embedder_wanted,
             struct ctl_opened *ret_opened);
void ctl_close(struct ctl_opened *opened);

/* ctl_begin(), and the index opened to be read, whatever made it, without an encoder. */
bool ctl_begin_reading(struct ctl *ctl, int argc, char **argv, const struct ctl_usage *usage,
                       struct ctl_list *ret_args, struct ctl_opened *ret_opened, int *ret_exit);

/* Load the configured encoder; NULL in *ret_embedder when the backend is none. */
int ctl_embedder(struct ctl *ctl, struct sl_embedder **ret_embedder);

/* How questions are searched, after the configuration; `mode` and the counts override when not 0.
 */
void ctl_retrieve_options(const struct sl_config *config, enum sl_mode mode, uint32_t k,
                          uint32_t ef, struct sl_retrieve_options *ret_options);

/* The user's words that were read when the index was opened. */
void ctl_retrieve_words(const struct ctl_opened *opened, struct sl_retrieve_options *options);

/* "hybrid", "vector", "lexical" or NULL (SL_MODE_DEFAULT). Exit code 64 after saying what is
 * allowed. */
int ctl_mode(const struct ctl *ctl, const char *name, enum sl_mode *ret_mode);
const char *ctl_mode_name(enum sl_mode mode);

/* "YYYY-MM-DD" as the millisecond its day ends with in UTC; NULL gives -1. Exit code 64 when it is
 * no date. */
int ctl_now(const struct ctl *ctl, const char *date, int64_t *ret_ms);
/* The same of a view; false, saying nothing, when it is no date. */
bool ctl_day_end(struct sl_view date, int64_t *ret_ms);

/* Wall and monotonic time. */
extern const struct sl_clock ctl_clock;

/* The same day, and the processor time this program took instead of what passed. */
extern const struct sl_clock ctl_processor_clock;
double ctl_seconds(void); /* monotonic */

/* ----------------------------------------------------------------------------- threads
 * (parallel.c) */

/* The number of threads configured, or of cores. */
uint32_t ctl_threads(const struct sl_config *config);

typedef void (*ctl_work)(void *context, uint32_t thread, uint32_t item);

/*
 * Call work(context, thread, i) once for each i in [0, item_count), on up to `thread_count`
 * threads, and wait for all. `thread` tells which one calls, [0, thread_count).
 *
 * Owns:    nothing.
 * Thread:  main.
 * Blocks:  until all are done.
 * Errors:  none: with no thread to be had the caller's does the work.
 */
void ctl_parallel(uint32_t thread_count, uint32_t item_count, ctl_work work, void *context);

/* ----------------------------------------------------------------------------- progress
 * (progress.c) */

struct ctl_progress {
    bool shown; /* standard error is a terminal, and not --json */
    const char *what;
    const char *unit;
    double started;
    double drawn;
};

void ctl_progress_begin(struct ctl_progress *progress, const struct ctl *ctl, const char *what,
                        const char *unit);
/* `fraction` in [0, 1] of the whole; below 0: unknown. Draws at most ten times a second. */
void ctl_progress_move(struct ctl_progress *progress, uint64_t done, double fraction);
/* Wipe the bar off the line. */
void ctl_progress_end(struct ctl_progress *progress);

/* ----------------------------------------------------------------------------- reading (read.c) */

/*
 * Read a whole file ("-": standard input) of at most `bytes_max` bytes.
 *
 * Owns:    caller frees `ret_content` with sl_buffer_fini().
 * Thread:  main.
 * Blocks:  disk.
 * Errors:  SL_REJECT too_large; SL_STOP not_found (66), permission (77), io (74), memory (71)
 */
enum sl_err ctl_read_file(const char *path, size_t bytes_max, struct sl_buffer *ret_content,
                          struct sl_error *err);

/* A file read line by line. Lines longer than `bytes_max` are skipped and reported as too_large. */
struct ctl_lines;
enum sl_err ctl_lines_open(const char *path, size_t bytes_max, struct ctl_lines **ret_lines,
                           struct sl_error *err);
struct ctl_lines *ctl_lines_close(struct ctl_lines *lines);
/* SL_OK with a line (without its end), SL_REJECT too_large, SL_AGAIN at the end, SL_STOP io. Empty
 * lines are passed over. The view is valid until the next call. */
enum sl_err ctl_lines_next(struct ctl_lines *lines, struct sl_view *ret_line, struct sl_error *err);
uint64_t ctl_lines_number(const struct ctl_lines *lines);   /* of the line last read, from 1 */
uint64_t ctl_lines_position(const struct ctl_lines *lines); /* bytes read */

/* A string member of a JSON object; data == NULL when absent or of another type. */
struct sl_view ctl_json_text(const cJSON *object, const char *name);

#endif
