/*
 * tools.c -- ICU iterators and Snowball stemmers, one set per thread.
 *
 * Neither may be used by two threads at once, and opening an ICU iterator costs far more than
 * cutting a chunk with it, so each thread keeps its own. A pthread key frees the set when a thread
 * ends; the main thread's, whose key destructors never run, goes at exit. Cloning under a lock was
 * rejected: it allocates.
 */
#include "text_internal.h"

#include <libstemmer.h>
#include <pthread.h>
#include <stdlib.h>

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int key_error;
static _Thread_local struct sl_text_tools *mine;

static void tools_close(void *pointer)
{
    struct sl_text_tools *tools = pointer;

    if (tools == NULL)
        return;
    if (tools->words != NULL)
        ubrk_close(tools->words);
    if (tools->sentences != NULL)
        ubrk_close(tools->sentences);
    for (uint32_t i = 0; i < SL_LANGUAGES; i++)
        if (tools->stemmers[i] != NULL)
            sb_stemmer_delete(tools->stemmers[i]);
    free(tools->units);
    free(tools->folded);
    free(tools->unit_bytes);
    free(tools);
}

static void key_open(void)
{
    key_error = pthread_key_create(&key, tools_close);
}

__attribute__((destructor)) static void main_thread_close(void)
{
    tools_close(SL_TAKE(mine));
}

static enum sl_err tools_fill(struct sl_text_tools *tools, struct sl_error *err)
{
    UErrorCode status = U_ZERO_ERROR;

    tools->words = ubrk_open(UBRK_WORD, "en", NULL, 0, &status);
    tools->sentences = ubrk_open(UBRK_SENTENCE, "en", NULL, 0, &status);
    tools->fold = unorm2_getNFKCCasefoldInstance(&status);
    if (U_FAILURE(status))
        return sl_stop(err, SL_EXIT_CONFIG, (int)status, "icu",
                       "ICU cannot open its break rules or normal forms: %s", u_errorName(status));
    tools->units_capacity = SL_TEXT_BLOCK_BYTES + 8;
    tools->folded_capacity = 2 * SL_TEXT_BLOCK_BYTES;
    tools->units = malloc(sizeof(UChar) * (size_t)tools->units_capacity);
    tools->unit_bytes = malloc(sizeof(uint32_t) * (size_t)tools->units_capacity);
    tools->folded = malloc(sizeof(UChar) * (size_t)tools->folded_capacity);
    if (tools->units == NULL || tools->unit_bytes == NULL || tools->folded == NULL)
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory opening the text tools");
    return SL_OK;
}

enum sl_err sl_text_tools(struct sl_text_tools **ret_tools, struct sl_error *err)
{
    struct sl_text_tools *tools;
    enum sl_err code;

    if (mine != NULL) {
        *ret_tools = mine;
        return SL_OK;
    }
    pthread_once(&key_once, key_open);
    tools = calloc(1, sizeof *tools);
    if (tools == NULL || key_error != 0) {
        free(tools);
        return sl_stop(err, SL_EXIT_OS, key_error, "memory",
                       "out of memory opening the text tools");
    }
    code = tools_fill(tools, err);
    if (code == SL_OK && pthread_setspecific(key, tools) != 0)
        code = sl_stop(err, SL_EXIT_OS, 0, "memory", "out of memory opening the text tools");
    if (code != SL_OK) {
        tools_close(tools);
        return code;
    }
    mine = tools;
    *ret_tools = tools;
    return SL_OK;
}

struct sb_stemmer *sl_text_stemmer(struct sl_text_tools *tools, uint32_t language)
{
    const char *name = sl_language_at(language)->stemmer;

    if (tools->stemmers[language] == NULL && name != NULL)
        tools->stemmers[language] = sb_stemmer_new(name, "UTF_8");
    return tools->stemmers[language];
}
