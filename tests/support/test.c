/* test.c -- the harness behind test.h. */
#include "test.h"

#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <unistd.h>

struct test_case *test_cases;
int test_failures;
bool test_skipped;

static char directories[64][PATH_MAX];
static int directory_count;
static uint64_t random_state = 1;

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat, (void)type, (void)ftw;
    return remove(path);
}

static void remove_directories(void)
{
    if (getenv("KEEP") != NULL)
        return;
    for (int i = 0; i < directory_count; i++)
        (void)nftw(directories[i], remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_directory(void)
{
    const char *base = getenv("TMPDIR");

    if (directory_count == 64)
        abort();
    (void)snprintf(directories[directory_count], PATH_MAX, "%s/sluice-test-XXXXXX",
                   base ? base : "/tmp");
    if (mkdtemp(directories[directory_count]) == NULL)
        abort();
    return directories[directory_count++];
}

void test_seed(unsigned long long seed)
{
    random_state = seed * 0x9E3779B97F4A7C15u + 1;
}

unsigned long long test_random(void)
{
    uint64_t z = (random_state += 0x9E3779B97F4A7C15u); /* splitmix64 */

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

double test_uniform(void)
{
    return (double)(test_random() >> 11) * 0x1p-53;
}

static bool wanted(const char *name, int count, char **patterns)
{
    if (count == 0)
        return true;
    for (int i = 0; i < count; i++) {
        size_t size = strlen(patterns[i]);
        if (strcmp(patterns[i], name) == 0 ||
            (size > 0 && patterns[i][size - 1] == '*' && strncmp(patterns[i], name, size - 1) == 0))
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    int run = 0, failed = 0;

    atexit(remove_directories);
    for (struct test_case *test = test_cases; test != NULL; test = test->next) {
        int before = test_failures;
        if (!wanted(test->name, argc - 1, argv + 1))
            continue;
        test_seed(1);
        run++;
        test->run();
        if (test_failures != before) {
            failed++;
            fprintf(stderr, "FAILED %s\n", test->name);
        }
    }
    printf("%d tests, %d failed\n", run, failed);
    if (run == 0)
        return 1;
    return failed ? 1 : test_skipped ? 77 : 0;
}
