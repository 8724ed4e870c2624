/*
 * book.h -- the partitions under way and where each stands: a ledger each, behind one lock.
 *
 * Documents and questions have a book each. A partition once entered stays for the life of the
 * daemon, so a pointer to it never dangles; for questions `epoch` tells one assignment from the
 * next.
 */
#ifndef SLUICE_BOOK_H
#define SLUICE_BOOK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/budget.h"
#include "daemon/ledger.h"
#include "net/kafka_in.h"

/* A partition that is read again from its beginning, because its log may be another: resync.h. */
enum sl_resync_step {
    SL_RESYNC_NONE = 0,
    SL_RESYNC_DOUBT, /* what came from it is being marked; nothing is read meanwhile */
    SL_RESYNC_READ,  /* its log is read, and confirms what it holds                  */
    SL_RESYNC_SWEEP  /* what was not confirmed is being deleted                      */
};

struct sl_resync {
    enum sl_resync_step step;
    bool sweeps;         /* false: what is not confirmed stays */
    uint32_t generation; /* tells one time from the next */
    struct sl_sweep walk;
};

/* Fields are the lock's, but for topic, partition and number, which never change. */
struct sl_part {
    char *topic;
    int32_t partition;
    uint32_t number;       /* in the order of entering the book: its line in queues */
    struct sl_share share; /* what it has under way (documents); atomic */
    struct sl_ledger *ledger;
    uint32_t epoch; /* grows when the partition is assigned or taken away */
    bool assigned;
    const char *paused; /* why it is not fetched (documents); NULL: it is */
    bool dirty;        /* the ledger has moved since the position was last stored */
    int64_t committed; /* frontier as stored (documents) or committed (questions); -1: never */
    int64_t newest_ms; /* timestamp of the newest record stored; -1: none */
    int64_t storing;   /* next_offset in the open batch; -1: none */
    int64_t storing_ms;
    uint64_t set_aside; /* records stored as dead letters since the start */
    uint64_t setting_aside; /* in the open batch */
    int64_t low, high; /* the log's ends as last seen; -1: not seen */
    int64_t target;    /* the end when first seen: caught up once it is stored */
    int64_t
        eof_at; /* end of the delivered records when the log's end was last reached; -1: never */
    bool caught_up;
    struct sl_fingerprint
        expected; /* a record done in an earlier run, to be compared; offset -1: none */
    int64_t whole_ms;        /* all that was written before this time is stored */
    int64_t whole_stored_ms; /* the same, as stored */
    int64_t mark_high;       /* when this is stored, whole_ms is mark_ms; -1: none */
    int64_t mark_ms;
    bool is_compact;         /* the log holds every document; feed.h */
    bool is_suspect;         /* what it stands at is to be held against the log again */
    struct sl_resync resync;
};

struct sl_book {
    pthread_mutex_t mutex;
    pthread_cond_t moved;   /* something was committed */
    struct sl_part **parts; /* sorted by topic, partition */
    uint32_t count;
    uint32_t capacity;
};

void sl_book_init(struct sl_book *book);
void sl_book_fini(struct sl_book *book);

static inline void sl_book_lock(struct sl_book *book)
{
    pthread_mutex_lock(&book->mutex);
}

static inline void sl_book_unlock(struct sl_book *book)
{
    pthread_mutex_unlock(&book->mutex);
}

/*
 * The partition, or NULL; with `make`, entered when it is not there.
 *
 * Pre:     the book is locked.
 * Owns:    stays with the book.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  NULL; out of memory aborts.
 */
struct sl_part *sl_book_find(struct sl_book *book, struct sl_view topic, int32_t partition,
                             bool make);

/*
 * The partitions this daemon reads now, each with the offset last committed.
 *
 * Pre:     the book is not locked by the caller.
 * Owns:    caller frees *ret_list; topics are the book's.
 * Thread:  any.
 * Blocks:  on the book's lock.
 * Errors:  none; out of memory aborts.
 */
uint32_t sl_book_assigned(struct sl_book *book, struct sl_kafka_partition **ret_list);

/* Is everything up to where the log ended at the start stored? Settles part->caught_up. The book is
 * locked. */
bool sl_part_settle(struct sl_part *part);

/* The log ended at `high` at time `now_ms`: once that is stored, the partition is whole up to then.
 * sl_part_settle() sees to the rest. Locked. */
void sl_part_mark(struct sl_part *part, int64_t high, int64_t now_ms);

/* Records of the log that are not stored yet; 0 when the end was reached and all of it is stored.
 * Locked. */
int64_t sl_part_lag(const struct sl_part *part);

#endif
