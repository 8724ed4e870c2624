/*
 * feed_gap.c -- what to do when the stored position of a partition is not in its log.
 *
 *     retention   it lies before the log's beginning: records were lost unread
 *     truncated   it lies behind the log's end: the log was cut short, or made anew
 *     recreated   another record lies where the last one done was: the topic was made anew
 *     tombstone   it was not read for longer than the topic keeps tombstones: deletes may be lost
 *
 * halt ends the program and says what can be done. continue goes on with what is there; behind a
 * truncated or recreated log old offsets would win over new ones, so what is stored is put in doubt.
 * resync makes the index what the log is, and that deletes: it is done only where the log holds every
 * document, which is where cleanup.policy is compact and nothing else. Elsewhere one long outage
 * would erase the index, so there it halts.
 */
#include <stdio.h>
#include <string.h>

#include "daemon/feed.h"
#include "daemon/log.h"

static bool is_other_log(const struct gap *gap)
{
    return strcmp(gap->kind, "truncated") == 0 || strcmp(gap->kind, "recreated") == 0;
}

static enum gap_action choose(enum sl_on_gap on_gap, const struct found *found,
                              const struct gap *gap)
{
    if (on_gap == SL_ON_GAP_RESYNC && found->is_compact)
        return GAP_RESYNC;
    if (on_gap == SL_ON_GAP_CONTINUE)
        return is_other_log(gap) ? GAP_DOUBT : GAP_GO_ON;
    return GAP_STOP;
}

/* What was found, in a sentence without an end. */
static void describe(const struct found *found, const struct gap *gap, char *text, size_t size)
{
    int used = snprintf(text, size, "%s/%d: stored position %lld, the log is %lld to %lld (%s)",
                        found->topic, (int)found->partition, (long long)gap->stored,
                        (long long)found->low, (long long)found->high, gap->kind);

    if (gap->detail[0] && used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, "; %s", gap->detail);
}

static const char *advice(enum sl_on_gap on_gap, const struct found *found, const struct gap *gap)
{
    if (on_gap == SL_ON_GAP_RESYNC)
        return "on_gap = resync is for topics whose cleanup.policy is compact alone; on_gap = "
               "continue goes on and deletes nothing";
    if (found->is_compact)
        return "on_gap = resync reads it again and deletes what it does not hold; on_gap = "
               "continue goes on and deletes nothing";
    return is_other_log(gap)
               ? "give the new topic a new [index] path, or let on_gap = continue read it over the "
                 "old documents"
               : "records were lost unread; on_gap = continue goes on without them";
}

static const char *consequence(enum gap_action action, const struct gap *gap)
{
    if (action == GAP_RESYNC)
        return "reading it again from its beginning; what it does not hold is deleted then, as "
               "on_gap = resync says";
    if (action == GAP_DOUBT)
        return "reading it again from its beginning; nothing is deleted, as on_gap = continue says";
    return strcmp(gap->kind, "retention") == 0
               ? "what lay between was never read and is gone; going on from the log's beginning, "
                 "as on_gap = continue says"
               : "deletes may be lost; going on, as on_gap = continue says";
}

static void say_handled(enum gap_action action, const struct sl_log_fields *fields,
                        const char *what, const char *then)
{
    if (action == GAP_RESYNC)
        sl_log_with(SL_LOG_WARNING, "gap_resync", fields, "%s: %s", what, then);
    else
        sl_log_with(SL_LOG_WARNING, "gap_skipped", fields, "%s: %s", what, then);
}

enum gap_action feed_gap(struct sl_engine *engine, const struct found *found,
                         const struct gap *gap)
{
    struct sl_log_fields fields = {.topic = found->topic,
                                   .partition = found->partition,
                                   .has_offset = true,
                                   .offset = gap->stored};
    struct settings settings;
    enum gap_action action;
    struct sl_error err = {0};
    char what[512];

    engine_settings(engine, &settings);
    action = choose(settings.on_gap, found, gap);
    describe(found, gap, what, sizeof(what));
    sl_metric_add_label(SL_METRIC_GAP_DETECTED, gap->kind, 1);
    if (action != GAP_STOP) {
        say_handled(action, &fields, what, consequence(action, gap));
        return action;
    }
    sl_stop(&err, SL_EXIT_CONFIG, 0, "gap", "%s: %s", what, advice(settings.on_gap, found, gap));
    sl_log_with(SL_LOG_ERROR, "gap_detected", &fields, "%s", err.message);
    engine_fail(engine, &err);
    return action;
}
