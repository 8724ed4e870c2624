/*
 * main.c -- sluicectl: everything a person does by hand.
 *
 * One table says what there is; one file has each command. Nothing here knows what a command does,
 * and a command that is not in the table does not exist: its name is refused with the list of those
 * that do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

struct command {
    const char *name;
    const char *summary;
    ctl_run run;
};

static const struct command commands[] = {
    {"put", "produce files or JSON lines as documents", cmd_put},
    {"rm", "produce tombstones: delete documents", cmd_rm},
    {"ask", "ask a question over Kafka and print the answer with its sources", cmd_ask},
    {"import", "put files or JSON lines straight into the index, without Kafka", cmd_import},
    {"estimate", "say what embedding documents would take, before it is done", cmd_estimate},
    {"search", "search the index, also beside a running daemon", cmd_search},
    {"eval", "measure retrieval on questions with known documents", cmd_eval},
    {"compare", "compare two evaluations question by question", cmd_compare},
    {"runs", "list or draw the evaluations that were kept", cmd_runs},
    {"tune", "find the settings that are best for one's own questions", cmd_tune},
    {"golden", "draft golden questions, or ask those accepted", cmd_golden},
    {"answer", "answer questions from the index, without Kafka", cmd_answer},
    {"status", "ask the running daemon how it is", cmd_status},
    {"stats", "figures of the index", cmd_stats},
    {"verify", "check every record of the index", cmd_verify},
    {"compact", "write the index anew, without what was deleted", cmd_compact},
    {"reindex", "make the index anew for the configured model and settings", cmd_reindex},
    {"generation", "list, promote, roll back and drop generations of the index", cmd_generation},
    {"backup", "copy the index, also beside a running daemon", cmd_backup},
    {"export", "print the documents as stored", cmd_export},
    {"config", "explain, list and write the configuration", cmd_config},
    {"dates", "show the date range that is read from a question", cmd_dates},
    {"chunk", "show how a file is cut into chunks", cmd_chunk},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_commands(FILE *out)
{
    fputs("usage: sluicectl COMMAND [-c FILE] [--json] ...\n\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'sluicectl COMMAND --help' explains one. The configuration is " CTL_CONFIG_DEFAULT
          " unless -c names another.\n",
          out);
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

/* `sluicectl -c FILE search ...` means what `sluicectl search -c FILE ...` means. */
static int read_leading_options(struct ctl *ctl, int argc, char **argv)
{
    int at = 1;

    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--json") == 0) {
            ctl->json = true;
        } else if ((strcmp(argv[at], "-c") == 0 || strcmp(argv[at], "--config") == 0) &&
                   at + 1 < argc) {
            ctl->config_file = argv[++at];
            ctl->config_given = true;
        } else {
            break;
        }
    }
    return at;
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.command = "", .config_file = CTL_CONFIG_DEFAULT};
    const struct command *command;
    int at = read_leading_options(&ctl, argc, argv);
    int exit_code;

    if (at >= argc) {
        print_commands(stderr);
        return SL_EXIT_USAGE;
    }
    if (strcmp(argv[at], "--version") == 0) {
        puts("sluicectl " SLUICE_VERSION);
        return SL_EXIT_OK;
    }
    if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0 ||
        strcmp(argv[at], "help") == 0) {
        print_commands(stdout);
        return SL_EXIT_OK;
    }
    command = command_find(argv[at]);
    if (command == NULL) {
        fprintf(stderr, "sluicectl: there is no command '%s'\n\n", argv[at]);
        print_commands(stderr);
        return SL_EXIT_USAGE;
    }
    ctl.command = command->name;
    exit_code = command->run(&ctl, argc - at, argv + at);
    ctl.config = sl_config_free(ctl.config);
    for (uint32_t i = 0; i < ctl.list_count; i++)
        free(ctl.lists[i]);
    return exit_code;
}
