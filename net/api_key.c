/*
 * api_key.c -- see api_key.h.
 *
 * A request takes a copy: it may outlive a reload, and a lock held over the network would make the reload wait for
 * the slowest server.
 */
#include "api_key.h"

#include <stdlib.h>
#include <string.h>

#include "http_client.h"

void sl_api_key_wipe(char *copy)
{
    if (copy != NULL)
        explicit_bzero(copy, strlen(copy));
    free(copy);
}

static enum sl_err copy_checked(const char *value, char **ret, struct sl_error *err)
{
    enum sl_err e = sl_http_check_key(value, err);

    *ret = NULL;
    if (e || value == NULL || value[0] == '\0')
        return e;
    *ret = strdup(value);
    return *ret != NULL ? SL_OK : sl_stop(err, SL_EXIT_OS, 0, "memory", "a server's key: out of memory");
}

enum sl_err sl_api_key_init(struct sl_api_key *key, const char *value, struct sl_error *err)
{
    pthread_mutex_init(&key->mutex, NULL);
    return copy_checked(value, &key->key, err);
}

void sl_api_key_fini(struct sl_api_key *key)
{
    sl_api_key_wipe(key->key);
    pthread_mutex_destroy(&key->mutex);
}

enum sl_err sl_api_key_replace(struct sl_api_key *key, const char *value, struct sl_error *err)
{
    char *fresh, *old;
    enum sl_err e = copy_checked(value, &fresh, err);

    if (e)
        return e;
    pthread_mutex_lock(&key->mutex);
    old = key->key;
    key->key = fresh;
    pthread_mutex_unlock(&key->mutex);
    sl_api_key_wipe(old);
    return SL_OK;
}

char *sl_api_key_copy(struct sl_api_key *key)
{
    char *copy;

    pthread_mutex_lock(&key->mutex);
    copy = key->key != NULL ? strdup(key->key) : NULL;
    pthread_mutex_unlock(&key->mutex);
    return copy;
}
