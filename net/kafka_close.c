/*
 * kafka_close.c -- freeing a client must not keep the program from ending.
 *
 * rd_kafka_destroy() waits for the client's threads, and librdkafka before 2.6.1 may wait for ever when a partition
 * that was read went away and came back (a topic deleted, or a right taken and given again). By then a consumer has
 * left its group and everything has been committed; nothing is lost but the memory. So it runs in a thread of its own,
 * and is left behind when it takes too long; main() then ends the process without the usual clean-up, which must not
 * run beside threads that are still there.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "net/kafka_login.h"

#define DESTROY_SECONDS 5

struct ending {
    rd_kafka_t *rk;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    bool is_ended;
    bool is_left; /* nobody waits any more: the thread frees this */
};

static atomic_bool left_behind;

static void free_ending(struct ending *ending)
{
    pthread_cond_destroy(&ending->ended);
    pthread_mutex_destroy(&ending->mutex);
    free(ending);
}

static void *destroy_run(void *argument)
{
    struct ending *ending = argument;
    bool is_left;

    rd_kafka_destroy(ending->rk);
    pthread_mutex_lock(&ending->mutex);
    ending->is_ended = true;
    is_left = ending->is_left;
    pthread_cond_signal(&ending->ended);
    pthread_mutex_unlock(&ending->mutex);
    if (is_left)
        free_ending(ending);
    return NULL;
}

static bool wait_for_end(struct ending *ending)
{
    struct timespec until;
    bool is_ended;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DESTROY_SECONDS;
    pthread_mutex_lock(&ending->mutex);
    while (!ending->is_ended)
        if (pthread_cond_timedwait(&ending->ended, &ending->mutex, &until) != 0)
            break;
    is_ended = ending->is_ended;
    ending->is_left = !is_ended;
    pthread_mutex_unlock(&ending->mutex);
    return is_ended;
}

bool kafka_destroy(rd_kafka_t *rk)
{
    struct ending *ending = calloc(1, sizeof(*ending));
    pthread_t thread;

    kafka_login_close(rk);
    if (!ending) {
        rd_kafka_destroy(rk);
        return true;
    }
    ending->rk = rk;
    pthread_mutex_init(&ending->mutex, NULL);
    pthread_cond_init(&ending->ended, NULL);
    if (pthread_create(&thread, NULL, destroy_run, ending) != 0) {
        (void)destroy_run(ending);
        free_ending(ending);
        return true;
    }
    pthread_detach(thread);
    if (wait_for_end(ending)) {
        free_ending(ending);
        return true;
    }
    left_behind = true;
    return false;
}

bool sl_kafka_left_behind(void)
{
    return left_behind;
}
