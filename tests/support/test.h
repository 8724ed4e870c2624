/*
 * test.h -- the smallest harness that does: TEST(name) registers, CHECK reports and goes on, REQUIRE ends
 * the test. Run with no argument for all, with names (or a prefix and *) for some.
 */
#ifndef SLUICE_TEST_H
#define SLUICE_TEST_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct test_case {
    const char *name;
    void (*run)(void);
    struct test_case *next;
};

extern struct test_case *test_cases;
extern int test_failures;
extern bool test_skipped;

#define TEST(test_name)                                                                            \
    static void test_name(void);                                                                   \
    static struct test_case test_name##_case = {#test_name, test_name, NULL};                      \
    __attribute__((constructor)) static void test_name##_register(void)                           \
    {                                                                                              \
        struct test_case **at = &test_cases;                                                       \
        while (*at != NULL)                                                                        \
            at = &(*at)->next;                                                                     \
        *at = &test_name##_case;                                                                   \
    }                                                                                              \
    static void test_name(void)

#define TEST_REPORT_(what, ...)                                                                    \
    do {                                                                                           \
        test_failures++;                                                                           \
        fprintf(stderr, "%s:%d: %s", __FILE__, __LINE__, what);                                    \
        fprintf(stderr, " " __VA_ARGS__);                                                          \
        fputc('\n', stderr);                                                                       \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            TEST_REPORT_("not so: " #condition, "");                                               \
    } while (0)

/* CHECK_THAT(cond, "format", ...): the values that explain it. */
#define CHECK_THAT(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition))                                                                          \
            TEST_REPORT_("not so: " #condition ":", __VA_ARGS__);                                  \
    } while (0)

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            TEST_REPORT_("not so: " #condition, "");                                               \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* Leave this test, visibly: the program then exits 77, which ctest shows as skipped when nothing failed. */
#define SKIP(...)                                                                                  \
    do {                                                                                           \
        test_skipped = true;                                                                       \
        fprintf(stderr, "SKIP " __VA_ARGS__);                                                      \
        fputc('\n', stderr);                                                                       \
        return;                                                                                    \
    } while (0)

/* A fresh, empty directory under $TMPDIR, removed at exit unless KEEP is set. */
const char *test_directory(void);

/* A deterministic random number, the same on each run: seed by test_seed(). */
void test_seed(unsigned long long seed);
unsigned long long test_random(void);
double test_uniform(void); /* [0, 1) */

#endif
