/*
 * trouble.h -- what keeps the daemon from doing its work although it runs: one sentence a kind, for the status line,
 * /readyz and the log.
 *
 * A trouble begins when somebody meets it, and ends when the same thing works again; it is told once at each end.
 * A hiccup is none: for readiness a trouble counts once it has lasted TROUBLE_GRACE_US.
 */
#ifndef SLUICE_TROUBLE_H
#define SLUICE_TROUBLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TROUBLE_GRACE_US INT64_C(5000000)

enum sl_trouble {
    SL_TROUBLE_LOGIN = 0, /* the broker refuses us, or we its certificate */
    SL_TROUBLE_DOCUMENTS, /* a documents topic may not be read            */
    SL_TROUBLE_GROUP,     /* the questions' group may not be joined       */
    SL_TROUBLE_QUESTIONS, /* a questions topic may not be read            */
    SL_TROUBLE_ANSWERS,   /* the broker does not take answers             */
    SL_TROUBLE_LETTERS,   /* nor dead letters: from here on shown, but ready all the same */
    SL_TROUBLE_EMBED,     /* the embedding server is away */
    SL_TROUBLE_BUDGET,    /* the tokens of the day are spent */
    SL_TROUBLE_RERANK,    /* the reranking server is away */
    SL_TROUBLE_COUNT
};

struct sl_troubles {
    pthread_mutex_t mutex;
    struct {
        char text[300];    /* "": none */
        char subject[250]; /* which topic or group */
        int64_t since_us;
    } of[SL_TROUBLE_COUNT];
};

void sl_troubles_init(struct sl_troubles *troubles);
void sl_troubles_fini(struct sl_troubles *troubles);

/*
 * It does not work: `text` says what, and what would help; `subject` is the topic or group it is about, "" the
 * whole. True: that is news.
 *
 * Owns:    copied.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
bool sl_trouble_begin(struct sl_troubles *troubles, enum sl_trouble kind, const char *subject,
                      int64_t now_us, const char *text);

/* It works, with this subject (NULL: any). True: it did not before. Cheap enough to be called once a record. */
bool sl_trouble_end(struct sl_troubles *troubles, enum sl_trouble kind, const char *subject);

/*
 * The troubles before kind `end` that are older than `age_us` at `now_us`, into text[size], with "; " between.
 * False: there are none, and text is as it was.
 */
bool sl_troubles_show(struct sl_troubles *troubles, enum sl_trouble end, int64_t now_us,
                      int64_t age_us, char *text, size_t size);

#endif
