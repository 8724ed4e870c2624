/*
 * http_pool.c -- one thread, one libcurl multi handle, callers that wait.
 *
 *     caller   make the handle -> line of new ones, wake the thread -> wait for `done`
 *     thread   take new ones in -> drive all -> hand out what is finished -> drop what is cancelled
 * -> wait
 *
 * Two designs were weighed. An easy handle per caller's thread needs no thread of its own and no
 * lock, but then each thread has its own connections, resolver results and TLS sessions, none of
 * which may be shared between threads, and a hanging name server holds as many of them as ask. One
 * multi handle has them once, uses HTTP/2 streams where the server speaks it, and gives one place
 * where a cancelled request ends. A call-back interface instead of waiting callers would save their
 * stacks and cost every user a state machine; the callers are few.
 */
#include "http_pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "http_exchange.h"

#define LOOK_MS 100 /* how often cancelled requests are looked for */

struct job {
    struct sl_http_exchange exchange;
    const atomic_bool *cancelled;
    CURLcode code;
    bool done;
    struct job *next; /* in the line of new ones, or of those under way */
};

struct sl_http_pool {
    CURLM *multi;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t finished;
    struct job *fresh;     /* the mutex's */
    bool closing;          /* the mutex's */
    struct job *under_way; /* the thread's */
};

/* Hand a job back to who waits for it. */
static void finish(struct sl_http_pool *pool, struct job *job, CURLcode code)
{
    struct job **at = &pool->under_way;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    (void)curl_multi_remove_handle(pool->multi, job->exchange.curl);
    pthread_mutex_lock(&pool->mutex);
    job->code = code;
    job->done = true;
    pthread_cond_broadcast(&pool->finished);
    pthread_mutex_unlock(&pool->mutex);
}

/* False: the pool closes. */
static bool take_in(struct sl_http_pool *pool)
{
    struct job *fresh, *next;
    bool closing;

    pthread_mutex_lock(&pool->mutex);
    fresh = pool->fresh;
    pool->fresh = NULL;
    closing = pool->closing;
    pthread_mutex_unlock(&pool->mutex);
    for (; fresh != NULL; fresh = next) {
        next = fresh->next;
        fresh->next = pool->under_way;
        pool->under_way = fresh;
        (void)curl_easy_setopt(fresh->exchange.curl, CURLOPT_PRIVATE, fresh);
        if (curl_multi_add_handle(pool->multi, fresh->exchange.curl) != CURLM_OK)
            finish(pool, fresh, CURLE_OUT_OF_MEMORY);
    }
    return !closing;
}

static void hand_out(struct sl_http_pool *pool)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        char *job = NULL;

        if (message->msg == CURLMSG_DONE &&
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &job) == CURLE_OK)
            finish(pool, (struct job *)(void *)job, code);
    }
}

static void drop_cancelled(struct sl_http_pool *pool)
{
    struct job *next;

    for (struct job *job = pool->under_way; job != NULL; job = next) {
        next = job->next;
        if (job->cancelled != NULL && atomic_load(job->cancelled))
            finish(pool, job, CURLE_ABORTED_BY_CALLBACK);
    }
}

static void *run(void *context)
{
    struct sl_http_pool *pool = context;
    int running = 0;

    while (take_in(pool)) {
        SL_INVARIANT(curl_multi_perform(pool->multi, &running) == CURLM_OK);
        hand_out(pool);
        drop_cancelled(pool);
        (void)curl_multi_poll(pool->multi, NULL, 0, pool->under_way ? LOOK_MS : 10 * LOOK_MS, NULL);
    }
    return NULL;
}

enum sl_err sl_http_pool_open(uint32_t connections, struct sl_http_pool **ret_pool,
                              struct sl_error *err)
{
    struct sl_http_pool *pool = calloc(1, sizeof *pool);
    int code;

    sl_http_begin();
    if (pool != NULL)
        pool->multi = curl_multi_init();
    if (pool == NULL || pool->multi == NULL) {
        free(pool);
        return sl_stop(err, SL_EXIT_OS, 0, "memory", "http: out of memory");
    }
    (void)curl_multi_setopt(pool->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
    (void)curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)connections);
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->finished, NULL);
    code = pthread_create(&pool->thread, NULL, run, pool);
    if (code != 0) {
        (void)curl_multi_cleanup(pool->multi);
        free(pool);
        return sl_stop(err, SL_EXIT_OS, code, "threads", "a thread (http) could not be started: %s",
                       strerror(code));
    }
    pthread_setname_np(pool->thread, "http");
    *ret_pool = pool;
    return SL_OK;
}

enum sl_err sl_http_pool_send(struct sl_http_pool *pool, const struct sl_http_post *request,
                              struct sl_http_reply *ret_reply, struct sl_buffer *response,
                              struct sl_error *err)
{
    struct job job = {.cancelled = request->cancelled};
    enum sl_err e = sl_http_exchange_init(&job.exchange, request, response, err);

    if (!e) {
        pthread_mutex_lock(&pool->mutex);
        SL_PRE(!pool->closing);
        job.next = pool->fresh;
        pool->fresh = &job;
        (void)curl_multi_wakeup(pool->multi);
        while (!job.done)
            pthread_cond_wait(&pool->finished, &pool->mutex);
        pthread_mutex_unlock(&pool->mutex);
        e = sl_http_exchange_end(&job.exchange, job.code, ret_reply, err);
    }
    sl_http_exchange_fini(&job.exchange);
    return e;
}

struct sl_http_pool *sl_http_pool_close(struct sl_http_pool *pool)
{
    if (pool == NULL)
        return NULL;
    pthread_mutex_lock(&pool->mutex);
    pool->closing = true;
    pthread_mutex_unlock(&pool->mutex);
    (void)curl_multi_wakeup(pool->multi);
    (void)pthread_join(pool->thread, NULL);
    SL_INVARIANT(pool->under_way == NULL && pool->fresh == NULL);
    (void)curl_multi_cleanup(pool->multi);
    pthread_cond_destroy(&pool->finished);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
    return NULL;
}
