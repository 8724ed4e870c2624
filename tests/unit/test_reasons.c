/* test_reasons.c -- every reason word that stands in the sources stands in docs/REASONS.md. */
#include <ctype.h>
#include <ftw.h>

#include "../support/test.h"

static char *table;   /* docs/REASONS.md */
static int words_seen;

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t used = 0;

    if (file == NULL)
        return NULL;
    for (size_t got = 1; got > 0; used += got) {
        text = realloc(text, used + 65537);
        if (text == NULL)
            abort();
        got = fread(text + used, 1, 65536, file);
        text[used + got] = '\0';
    }
    (void)fclose(file);
    return text;
}

static bool is_listed(const char *text, const char *word)
{
    char quoted[72];

    (void)snprintf(quoted, sizeof quoted, "`%.60s`", word);
    return strstr(text, quoted) != NULL;
}

/* The string literal at `at` (after its quote) when it is a bare word; empty otherwise. */
static size_t word_at(const char *at, char *ret_word, size_t room)
{
    size_t size = 0;

    while (islower((unsigned char)at[size]) || isdigit((unsigned char)at[size]) || at[size] == '_')
        size++;
    if (at[size] != '"' || size == 0 || size >= room)
        return 0;
    memcpy(ret_word, at, size);
    ret_word[size] = '\0';
    return size;
}

/* The words of one call: its leading literals, up to the first that is a sentence. */
static void check_call(const char *path, const char *call)
{
    char word[64];

    for (const char *at = call; *at != '\0' && *at != ';' && *at != '{'; at++) {
        if (*at != '"')
            continue;
        size_t size = word_at(at + 1, word, sizeof word);
        if (size == 0)
            return;
        words_seen++;
        CHECK_THAT(is_listed(table, word), "%s says \"%s\", and docs/REASONS.md does not", path, word);
        at += size + 1;
    }
}

static void check_source(const char *path, const char *text)
{
    static const char *const makers[] = {"sl_fail(", "sl_stop(", "refuse("};

    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
        for (const char *at = text; (at = strstr(at, makers[i])) != NULL; at += strlen(makers[i]))
            if (at == text || (!isalnum((unsigned char)at[-1]) && at[-1] != '_'))
                check_call(path, at + strlen(makers[i]));
}

static int visit(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    size_t size = strlen(path);

    (void)stat, (void)ftw;
    if (type == FTW_F && size > 2 && path[size - 2] == '.' && path[size - 1] == 'c') {
        char *text = read_file(path);
        if (text != NULL)
            check_source(path, text);
        free(text);
    }
    return 0;
}

TEST(every_reason_word_in_the_sources_is_explained)
{
    static const char *const folders[] = {"pipeline", "net", "daemon", "tools"};

    table = read_file(SOURCE_DIR "/docs/REASONS.md");
    REQUIRE(table != NULL);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%s/%s", SOURCE_DIR, folders[i]);
        CHECK(nftw(path, visit, 16, FTW_PHYS) == 0);
    }
    CHECK_THAT(words_seen > 150, "%d words found: the scan is broken", words_seen);
    CHECK(!is_listed(table, "no_such_reason"));
    free(table);
    table = NULL;
}
