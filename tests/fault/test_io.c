/*
 * test_io.c -- each write, sync and rename of an index at work fails once, or from then on.
 *
 * With EIO the program must stop by itself with exit code 74 and a sentence, with ENOSPC it may also go on. Never
 * a signal. What is then found, without the fault, is what was acknowledged or one batch more, and verify finds
 * nothing wrong; and the work can be finished from there.
 */
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk_work.h"
#include "test.h"

#define STRIDE 5 /* of the calls, each that many is made to fail; in the long form each */

struct ended {
    int status;
    int64_t acked;
    char said[400];
};

static struct ended run_work(const char *path, const char *fail)
{
    struct ended ended = {.acked = 0};
    int ends[2];
    char line[400];
    FILE *output;
    pid_t child;

    if (pipe(ends) != 0)
        abort();
    child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        if (fail != NULL && (setenv("LD_PRELOAD", DISK_SHIM, 1) != 0 || setenv("DISK_FAIL", fail, 1) != 0))
            _exit(99);
        (void)setenv("DISK_WORK", path, 1);
        (void)execl(TOOL_DISK_WORK, "tool_disk_work", (char *)NULL);
        _exit(99);
    }
    (void)close(ends[1]);
    output = fdopen(ends[0], "r");
    while (fgets(line, sizeof line, output) != NULL) {
        long long done;
        if (sscanf(line, "acked %lld", &done) == 1)
            ended.acked = done;
        else
            snprintf(ended.said, sizeof ended.said, "%s", line);
    }
    (void)fclose(output);
    (void)waitpid(child, &ended.status, 0);
    return ended;
}

/* What is there: acknowledged, or one batch more; and whole. */
static void check_state(const char *path, int64_t acked, const char *fail)
{
    struct sl_index_options options = {.path = path, .map_size_bytes = 1u << 28, .dim = WORK_DIM};
    struct sl_index *index;
    struct sl_error err;
    char line[320];
    int64_t next = -1;

    if (sl_index_open(&options, &index, &err) != SL_OK) {
        TEST_REPORT_("cannot be opened:", "%s: %s", fail, err.message);
        return;
    }
    CHECK(history_next(index, &next, &err) == SL_OK);
    CHECK_THAT(next == acked || next == acked + work_history.batch, "%s: acknowledged %lld, found %lld",
               fail, (long long)acked, (long long)next);
    CHECK_THAT(history_compare(&work_history, index, next) == 0, "%s", fail);
    CHECK_THAT(test_verify(index, line) == 0, "%s: %s", fail, line);
    sl_index_close(index);
}

static void empty_directory(char ret_path[PATH_MAX])
{
    static const char *scratch;
    char command[2 * PATH_MAX];

    scratch = scratch != NULL ? scratch : test_directory();
    snprintf(ret_path, PATH_MAX, "%.1000s/index", scratch);
    snprintf(command, sizeof command, "rm -rf '%s'", ret_path);
    if (system(command) != 0)
        abort();
}

/* true: the fault was met. */
static bool fail_one(const char *call, int number, const char *error, const char *how, int *stops)
{
    char path[PATH_MAX], fail[64];
    struct ended ended;

    empty_directory(path);
    snprintf(fail, sizeof fail, "%s:%d:%s:%s", call, number, error, how);
    ended = run_work(path, fail);
    if (!WIFEXITED(ended.status)) {
        TEST_REPORT_("signal", "%d: %s", WTERMSIG(ended.status), fail);
        return true;
    }
    if (WEXITSTATUS(ended.status) != 0) {
        CHECK_THAT(WEXITSTATUS(ended.status) == SL_EXIT_IO && ended.said[0] != '\0', "%s: exit %d, %s",
                   fail, WEXITSTATUS(ended.status), ended.said);
        (*stops)++;
    } else {
        CHECK(ended.acked == work_history.records);
    }
    check_state(path, ended.acked, fail);
    return WEXITSTATUS(ended.status) != 0;
}

TEST(io_errors_stop_the_program_and_lose_nothing)
{
    static const char *const calls[] = {"pwrite", "writev", "fdatasync", "fsync", "rename"};
    int stride = getenv("SLUICE_TEST_LONG") != NULL ? 1 : STRIDE, faults = 0, stops = 0;

    for (size_t c = 0; c < sizeof calls / sizeof *calls; c++)
        for (int mode = 0; mode < 4; mode++) {
            const char *error = mode < 2 ? "EIO" : "ENOSPC", *how = mode % 2 ? "forever" : "once";
            int quiet = 0; /* faults in a row that changed nothing: behind the last call, or overcome */
            int quiet_max = mode != 2 ? 2 : stride == 1 ? 60 : 5;
            for (int n = 1; n < 400 && quiet < quiet_max; n += c < 2 ? stride * 3 : stride == 1 ? 1 : 2) {
                quiet = fail_one(calls[c], n, error, how, &stops) ? 0 : quiet + 1;
                faults++;
            }
        }
    printf("%d faults, %d stops\n", faults, stops);
    printf("PROVED {\"promise\": \"disk.io_errors\", \"says\": \"a failed write or sync ends the program, and what "
           "was acknowledged is there\", \"runs\": %d, \"faults\": %d, \"violations\": %d}\n",
           faults, faults, test_failures);
    CHECK(stops > 20);
}
