/*
 * main.c -- the sluiced program: options, configuration, then sl_supervise().
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "daemon/config_pipeline.h"
#include "daemon/guard.h"
#include "daemon/log.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/signals.h"
#include "daemon/supervise.h"
#include "net/kafka_conf.h"
#include "net/versions.h"

#define CONFIG_DEFAULT "/etc/sluiced/sluiced.conf"

enum { OPTION_CHECK = 256, OPTION_VERSION };

static const char usage[] =
    "usage: sluiced [-c FILE] [--check]\n"
    "\n"
    "Turns documents and questions on Kafka into cited answers on Kafka.\n"
    "\n"
    "  -c, --config FILE  configuration; default " CONFIG_DEFAULT "\n"
    "      --check        only check it: say all that is wrong with it; exit code 0 or 78\n"
    "      --version      print versions\n"
    "  -h, --help         print this\n"
    "\n"
    "SIGHUP reads the configuration again, SIGTERM finishes what is under way and leaves.\n"
    "Exit codes: 64 usage, 66 no configuration file, 71 system, 73 index in use, 74 disk,\n"
    "75 left before it was finished, 77 permission, 78 configuration.\n";

static const struct option long_options[] = {{"config", required_argument, NULL, 'c'},
                                             {"check", no_argument, NULL, OPTION_CHECK},
                                             {"version", no_argument, NULL, OPTION_VERSION},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};

static int print_version(void)
{
    printf("sluiced %s\nlibrdkafka %s\nlmdb %s\ncurl %s\n", SLUICE_VERSION,
           sl_kafka_version(), SLUICE_LMDB_VERSION, sl_version_curl());
    return fflush(stdout) == 0 ? SL_EXIT_OK : SL_EXIT_IO;
}

static int print_usage(void)
{
    return fputs(usage, stdout) >= 0 && fflush(stdout) == 0 ? SL_EXIT_OK : SL_EXIT_IO;
}

/* Secrets are in this memory: no core file, no debugger, no reading through /proc by another process. */
static void harden(void)
{
    const struct rlimit none = {0, 0};

    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)umask(077);
}

/* Read the file; what is wrong goes to standard error, line by line. */
static struct sl_config *config_read(const char *file, struct sl_error *err)
{
    struct sl_config *config = NULL;
    struct sl_buffer problems = {0};

    if (sl_config_read(file, &config, &problems, err) != SL_OK) {
        fputs(problems.size > 0 ? problems.data : "", stderr);
        fprintf(stderr, "sluiced: %s\n", err->message);
        sl_notify_errno(err->foreign_code, "%s", err->message);
    }
    sl_buffer_fini(&problems);
    return config;
}

/* The file is good without it: the model may come later, or the check be made on another machine.
 * One that is there is opened, as the daemon would. */
static int check_model(const struct sl_config *config)
{
    const bool table = config->embed.backend == SL_EMBED_BACKEND_STATIC;
    struct sl_embedder *embedder = NULL;
    struct sl_error err = {0};
    char path[4096];
    int size = snprintf(path, sizeof path, "%s/%s", config->embed.model, table ? "" : "config.json");

    if ((config->embed.backend != SL_EMBED_BACKEND_BERT && !table) || size <= 0 ||
        (size_t)size >= sizeof path)
        return SL_EXIT_OK;
    if (access(path, R_OK) != 0) {
        fprintf(stderr, "sluiced: [embed] model: there is no %s to be read on this machine; the daemon "
                        "will not start without it\n", path);
        return SL_EXIT_OK;
    }
    if (sl_config_embedder(config, &embedder, &err) != SL_OK) {
        fprintf(stderr, "sluiced: [embed] model: %s\n", err.message);
        return err.exit_code;
    }
    printf("model %s: %s%s%s\n", embedder->name, embedder->about,
           embedder->arithmetic[0] != '\0' ? ", " : "", embedder->arithmetic);
    embedder = sl_embedder_close(embedder);
    return SL_EXIT_OK;
}

/* The user's words are as much of the configuration as the file that names them. */
static int check_words(const struct sl_config *config)
{
    SL_CLEANUP(sl_synonyms_closep) struct sl_synonyms *synonyms = NULL;
    struct sl_word_lists *lists = NULL;
    struct sl_error err = {0};
    enum sl_err e = sl_config_lists(config, &lists, &err);

    if (e == SL_OK)
        e = sl_config_synonyms(config, lists, &synonyms, &err);
    (void)sl_word_lists_close(lists);
    if (e == SL_OK)
        return SL_EXIT_OK;
    fprintf(stderr, "sluiced: [text]: %s\n", err.message);
    return err.exit_code;
}

static int check(const char *file)
{
    struct sl_error err = {0};
    struct sl_config *config = config_read(file, &err);
    int code;

    if (config == NULL)
        return SL_EXIT_CONFIG;
    printf("%s: good\n", file);
    code = check_words(config);
    if (code == SL_EXIT_OK)
        code = check_model(config);
    sl_config_free(config);
    return code;
}

static int run(const char *file)
{
    struct sl_error err = {0};
    struct sl_config *config;
    int signals, exit_code;

    harden();
    sl_guard_install();
    config = config_read(file, &err);
    if (config == NULL)
        return err.exit_code;
    if (sl_signals_open(&signals, &err) != SL_OK) {
        fprintf(stderr, "sluiced: %s\n", err.message);
        sl_config_free(config);
        return err.exit_code;
    }
    sl_metrics_build_info(sl_kafka_version(), SLUICE_LMDB_VERSION, sl_version_curl());
    exit_code = sl_supervise(config, signals);
    (void)close(signals);
    if (sl_kafka_left_behind()) {
        (void)fflush(NULL);
        _exit(exit_code);
    }
    sl_metrics_reset();
    return exit_code;
}

int main(int argc, char **argv)
{
    const char *file = CONFIG_DEFAULT;
    bool only_check = false;
    int option;

    while ((option = getopt_long(argc, argv, "c:h", long_options, NULL)) != -1) {
        if (option == 'c')
            file = optarg;
        else if (option == OPTION_CHECK)
            only_check = true;
        else if (option == OPTION_VERSION)
            return print_version();
        else if (option == 'h')
            return print_usage();
        else
            return SL_EXIT_USAGE;
    }
    if (optind < argc) {
        fprintf(stderr, "sluiced: what is '%s'? allowed: options only, see --help\n", argv[optind]);
        return SL_EXIT_USAGE;
    }
    return only_check ? check(file) : run(file);
}
