/*
 * api_key.h -- a server's key, which a reload may replace while requests carry it.
 */
#ifndef SLUICE_API_KEY_H
#define SLUICE_API_KEY_H

#include <pthread.h>

#include <sluice/error.h>

struct sl_api_key {
    pthread_mutex_t mutex;
    char *key; /* NULL: none. The mutex's */
};

/*
 * Keep a copy of `key`; NULL or "": there is none.
 *
 * Owns:    end it with sl_api_key_fini(), which wipes it, also after an error.
 * Thread:  any; everything below too.
 * Blocks:  no.
 * Errors:  SL_STOP  exit 78: no header can carry it; memory
 */
enum sl_err sl_api_key_init(struct sl_api_key *key, const char *value, struct sl_error *err);
void sl_api_key_fini(struct sl_api_key *key);

/* Another one from now on. Errors: as above, and the old one stays. */
enum sl_err sl_api_key_replace(struct sl_api_key *key, const char *value, struct sl_error *err);

/* A copy for one request; NULL: none. Give it to sl_api_key_wipe(). */
char *sl_api_key_copy(struct sl_api_key *key);

/* Free a copy, and leave nothing of it in memory. NULL is fine. */
void sl_api_key_wipe(char *copy);

#endif
