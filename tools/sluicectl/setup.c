/*
 * setup.c -- from a configuration file to an open index.
 *
 * What a document or a question goes through must be exactly what the daemon does with it, so
 * everything here is taken from the configuration the daemon reads, and the index refuses an
 * encoder or chunk settings that are not those it was made with.
 *
 * Root becomes the owner of the index directory before anything in it is opened: a lock or data
 * file that belongs to root would keep the daemon out of its own index.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sluice/dates.h>

#include "ctl.h"

#define MS_PER_DAY 86400000LL

/* The owner of `path`, or of the nearest directory above it that exists. */
static bool path_owner(const char *path, uid_t *ret_uid, gid_t *ret_gid)
{
    char *copy = strdup(path);
    struct stat status;
    bool found = false;

    while (copy != NULL && !(found = stat(copy, &status) == 0)) {
        char *slash = strrchr(copy, '/');

        if (slash == NULL || slash == copy)
            break;
        *slash = '\0';
    }
    free(copy);
    if (found) {
        *ret_uid = status.st_uid;
        *ret_gid = status.st_gid;
    }
    return found;
}

static int become_owner(const struct ctl *ctl, const char *path)
{
    const struct passwd *user;
    uid_t uid;
    gid_t gid;

    if (geteuid() != 0 || path[0] == '\0' || !path_owner(path, &uid, &gid) || uid == 0)
        return SL_EXIT_OK;
    user = getpwuid(uid);
    if ((user != NULL ? initgroups(user->pw_name, gid) : setgroups(1, &gid)) != 0 ||
        setgid(gid) != 0 || setuid(uid) != 0)
        return ctl_fail(ctl, SL_EXIT_PERMISSION,
                        "%s belongs to user %u, which root cannot become here: %s", path,
                        (unsigned)uid, strerror(errno));
    return SL_EXIT_OK;
}

int ctl_config(struct ctl *ctl)
{
    struct sl_buffer problems = {0};
    struct sl_error err = {0};
    int exit_code;

    if (sl_config_read(ctl->config_file, &ctl->config, &problems, &err) != SL_OK) {
        if (problems.size > 0 && !problems.failed) {
            if (!ctl->json)
                fputs(problems.data, stderr);
            else /* an error is one object: as much of them as it holds, instead of their number */
                snprintf(err.message, sizeof(err.message), "%.*s", (int)problems.size - 1,
                         problems.data);
        }
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_CONFIG);
        if (exit_code == SL_EXIT_NOINPUT && !ctl->config_given && !ctl->json)
            fputs("sluicectl: name a configuration with -c FILE; 'sluicectl config sample' prints "
                  "one\n",
                  stderr);
        sl_buffer_fini(&problems);
        return exit_code;
    }
    sl_buffer_fini(&problems);
    return become_owner(ctl, ctl->config->index.path);
}

bool ctl_begin(struct ctl *ctl, int argc, char **argv, const struct ctl_usage *usage,
               struct ctl_list *ret_args, int *ret_exit)
{
    enum ctl_parsed parsed = ctl_parse(ctl, argc, argv, usage, ret_args);

    if (parsed != CTL_PARSED) {
        *ret_exit = ctl_parsed_exit(parsed);
        return false;
    }
    *ret_exit = ctl_config(ctl);
    return *ret_exit == SL_EXIT_OK;
}

int ctl_config_or_defaults(struct ctl *ctl)
{
    struct sl_buffer problems = {0};
    struct sl_error err = {0};
    int exit_code = SL_EXIT_OK;

    if (ctl->config_given || access(ctl->config_file, F_OK) == 0)
        return ctl_config(ctl);
    if (sl_config_parse("defaults", SL_VIEW(""), &ctl->config, &problems, &err) != SL_OK)
        exit_code = ctl_fail_error(ctl, &err, SL_EXIT_CONFIG);
    sl_buffer_fini(&problems);
    return exit_code;
}

/* Kafka's rule for a topic's name. */
static bool is_topic_name(const char *name)
{
    size_t size = strlen(name);

    return size > 0 && size <= 249 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == size;
}

int ctl_documents_topic(const struct ctl *ctl, const char **topic)
{
    if (*topic != NULL && !is_topic_name(*topic))
        return ctl_fail(ctl, SL_EXIT_USAGE,
                        "--topic '%s': allowed is 1 to 249 letters, digits, '.', '_' or '-'", *topic);
    if (*topic != NULL)
        return SL_EXIT_OK;
    if (ctl->config->documents.topics.count == 0)
        return ctl_fail(ctl, SL_EXIT_CONFIG, "[documents] topics is empty; say --topic TOPIC");
    *topic = ctl->config->documents.topics.items[0];
    return SL_EXIT_OK;
}

int ctl_embedder(struct ctl *ctl, struct sl_embedder **ret_embedder)
{
    struct sl_error err = {0};

    *ret_embedder = NULL;
    if (sl_config_embedder(ctl->config, ret_embedder, &err) != SL_OK)
        return ctl_fail_error(ctl, &err, SL_EXIT_CONFIG);
    return SL_EXIT_OK;
}

/* With precision = auto this machine may have taken another than the index has, and be able to do that too. */
static bool open_in_its_precision(const struct ctl *ctl, struct sl_index_options *options,
                                  struct ctl_opened *opened, struct sl_error *err)
{
    struct sl_index_options reading = {.path = options->path,
                                       .map_size_bytes = options->map_size_bytes,
                                       .read_only = true};
    char theirs[SL_FINGERPRINT_BYTES];
    struct sl_embedder *like = NULL;
    struct sl_index *index = NULL;

    if (strcmp(err->reason, "fingerprint") != 0 || opened->embedder == NULL ||
        sl_index_open(&reading, &index, err) != SL_OK)
        return false;
    snprintf(theirs, sizeof(theirs), "%s", sl_index_fingerprint(index));
    sl_index_close(index);
    like = sl_config_embedder_like(ctl->config, theirs);
    if (like != NULL) {
        sl_embedder_close(opened->embedder);
        opened->embedder = like;
        opened->ingest.embedder = like;
        sl_ingest_fingerprint(&opened->ingest, opened->fingerprint);
    }
    return sl_index_open(options, &opened->index, err) == SL_OK;
}

/* What is searched or written needs them; what is only looked at does not. */
static enum sl_err read_words(const struct ctl *ctl, enum ctl_access access,
                              struct ctl_opened *opened, struct sl_error *err)
{
    enum sl_err code = SL_OK;

    if (access == CTL_ACCESS_SEARCH || access == CTL_ACCESS_WRITE)
        code = sl_config_lists(ctl->config, &opened->lists, err);
    opened->ingest.lists = opened->lists;
    if (code == SL_OK && access == CTL_ACCESS_SEARCH)
        code = sl_config_synonyms(ctl->config, opened->lists, &opened->synonyms, err);
    return code;
}

int ctl_open(struct ctl *ctl, enum ctl_access access, bool embedder_wanted,
             struct ctl_opened *ret_opened)
{
    const struct sl_config *config = ctl->config;
    struct sl_index_options options = {.path = config->index.path,
                                       .map_size_bytes = config->index.map_size_max,
                                       .read_only = access == CTL_ACCESS_READ ||
                                                    access == CTL_ACCESS_SEARCH,
                                       .existing = access == CTL_ACCESS_UPKEEP};
    struct sl_index_options wanted;
    struct sl_error err = {0};
    int exit_code;

    *ret_opened = (struct ctl_opened){0};
    if (embedder_wanted) {
        exit_code = ctl_embedder(ctl, &ret_opened->embedder);
        if (exit_code != SL_EXIT_OK)
            return exit_code;
    }
    if (access == CTL_ACCESS_SEARCH &&
        sl_config_heads_open(config, NULL, NULL, &ret_opened->heads, &err) != SL_OK) {
        ctl_close(ret_opened);
        return ctl_fail_error(ctl, &err, SL_EXIT_CONFIG);
    }
    sl_config_ingest(config, ret_opened->embedder, &ret_opened->ingest);
    if (read_words(ctl, access, ret_opened, &err) != SL_OK) {
        ctl_close(ret_opened);
        return ctl_fail_error(ctl, &err, SL_EXIT_CONFIG);
    }
    sl_config_index_options(config, &ret_opened->ingest, ret_opened->fingerprint, &wanted);
    if (access == CTL_ACCESS_WRITE)
        options = wanted;
    else if (access == CTL_ACCESS_SEARCH && embedder_wanted)
        options.fingerprint = wanted.fingerprint;
    if (sl_index_open(&options, &ret_opened->index, &err) != SL_OK &&
        !open_in_its_precision(ctl, &options, ret_opened, &err)) {
        ctl_close(ret_opened);
        return ctl_fail_error(ctl, &err, SL_EXIT_IO);
    }
    if (access == CTL_ACCESS_WRITE && sl_config_remember(config, ret_opened->index, &err) != SL_OK) {
        ctl_close(ret_opened);
        return ctl_fail_error(ctl, &err, SL_EXIT_IO);
    }
    return SL_EXIT_OK;
}

void ctl_close(struct ctl_opened *opened)
{
    opened->index = sl_index_close(opened->index);
    opened->embedder = sl_embedder_close(opened->embedder);
    opened->synonyms = sl_synonyms_close(opened->synonyms);
    opened->lists = sl_word_lists_close(opened->lists);
    sl_config_heads_close(&opened->heads);
}

bool ctl_begin_reading(struct ctl *ctl, int argc, char **argv, const struct ctl_usage *usage,
                       struct ctl_list *ret_args, struct ctl_opened *ret_opened, int *ret_exit)
{
    if (!ctl_begin(ctl, argc, argv, usage, ret_args, ret_exit))
        return false;
    *ret_exit = ctl_open(ctl, CTL_ACCESS_READ, false, ret_opened);
    return *ret_exit == SL_EXIT_OK;
}

void ctl_retrieve_options(const struct sl_config *config, enum sl_mode mode, uint32_t k,
                          uint32_t ef, struct sl_retrieve_options *ret_options)
{
    sl_config_retrieve(config, ret_options);
    if (mode != SL_MODE_DEFAULT)
        ret_options->mode = mode;
    if (k != 0)
        ret_options->k = k;
    if (ef != 0)
        ret_options->ef = ef;
}

void ctl_retrieve_words(const struct ctl_opened *opened, struct sl_retrieve_options *options)
{
    options->lists = opened->lists;
    options->synonyms = opened->synonyms;
}

static const char *const mode_names[] = {"", "hybrid", "vector", "lexical"};

int ctl_mode(const struct ctl *ctl, const char *name, enum sl_mode *ret_mode)
{
    *ret_mode = SL_MODE_DEFAULT;
    if (name == NULL)
        return SL_EXIT_OK;
    for (int i = SL_MODE_HYBRID; i <= SL_MODE_LEXICAL; i++) {
        if (strcmp(name, mode_names[i]) == 0) {
            *ret_mode = (enum sl_mode)i;
            return SL_EXIT_OK;
        }
    }
    return ctl_fail(ctl, SL_EXIT_USAGE, "--mode '%s': allowed is hybrid, vector, lexical", name);
}

const char *ctl_mode_name(enum sl_mode mode)
{
    return mode >= SL_MODE_HYBRID && mode <= SL_MODE_LEXICAL ? mode_names[mode] : "default";
}

bool ctl_day_end(struct sl_view date, int64_t *ret_ms)
{
    struct sl_day_range days;

    if (!sl_date_iso(date, &days))
        return false;
    *ret_ms = ((int64_t)days.to + 1) * MS_PER_DAY - 1;
    return true;
}

int ctl_now(const struct ctl *ctl, const char *date, int64_t *ret_ms)
{
    *ret_ms = -1;
    if (date == NULL || ctl_day_end(sl_view_of(date), ret_ms))
        return SL_EXIT_OK;
    return ctl_fail(ctl, SL_EXIT_USAGE, "--now '%s': allowed is an ISO date, such as 2019-07-31",
                    date);
}

static int64_t now_ms(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t monotonic_us(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const struct sl_clock ctl_clock = {now_ms, monotonic_us, NULL};

static int64_t processor_us(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

const struct sl_clock ctl_processor_clock = {now_ms, processor_us, NULL};

double ctl_seconds(void)
{
    return (double)monotonic_us(NULL) / 1e6;
}
