/*
 * ledger.c -- the in-order list of delivered offsets, and the done set carried over from the last
 * run.
 *
 * Workers finish out of order; a stored position must not. The list holds what was delivered and is
 * not yet behind the frontier, ascending; marking done is a binary search, and the frontier moves
 * by popping done entries from its head. Beside it stand the ranges restored from the index:
 * offsets beyond the restored frontier that an earlier run had finished. They are forgotten one by
 * one only as delivery passes them, because until then the list knows nothing of them and storing a
 * position from the list alone would un-do them (found by killing a prototype 73 times).
 *
 * Rejected: a bitmap from the frontier (offsets have holes of any size), counting offsets (control
 * records, aborted and compacted ones never come). Known weakness: one record that takes hours
 * holds the list open; sl_ledger_is_full() stops the partition then.
 */
#include "daemon/ledger.h"

#include <stdlib.h>
#include <string.h>

#include <sluice/error.h>

enum state { STATE_OPEN = 0, STATE_STAGED, STATE_DONE };

struct entry {
    struct sl_fingerprint record;
    enum state state;
};

struct sl_ledger {
    struct entry *ring;
    uint32_t capacity; /* a power of two */
    uint32_t head;
    uint32_t count;
    uint32_t open_count; /* open or staged */
    int64_t end;         /* last delivered + 1, or what was restored; -1: nothing yet */
    struct sl_offset_range *carried;
    uint32_t carried_count;
    uint32_t carried_at; /* ranges before it have been passed by delivery */
    struct sl_fingerprint last_done;
    struct sl_offset_range *ranges; /* of the position last made */
    uint32_t ranges_capacity;
};

static void *checked(void *memory)
{
    SL_INVARIANT(memory != NULL); /* a ledger that forgets an offset would be worse than a crash */
    return memory;
}

struct sl_ledger *sl_ledger_make(const struct sl_position *position)
{
    struct sl_ledger *ledger = calloc(1, sizeof(*ledger));

    if (!ledger)
        return NULL;
    ledger->capacity = 64;
    ledger->ring = checked(calloc(ledger->capacity, sizeof(*ledger->ring)));
    ledger->end = -1;
    ledger->last_done.offset = -1;
    if (!position)
        return ledger;
    ledger->end = position->next_offset;
    ledger->last_done = (struct sl_fingerprint){
        position->record_offset, position->record_timestamp_ms, position->record_crc};
    ledger->carried = checked(calloc(position->completed_count + 1u, sizeof(*ledger->carried)));
    if (position->completed_count)
        memcpy(ledger->carried, position->completed,
               position->completed_count * sizeof(*ledger->carried));
    ledger->carried_count = position->completed_count;
    return ledger;
}

struct sl_ledger *sl_ledger_free(struct sl_ledger *ledger)
{
    if (!ledger)
        return NULL;
    free(ledger->ring);
    free(ledger->carried);
    free(ledger->ranges);
    free(ledger);
    return NULL;
}

static struct entry *entry_at(const struct sl_ledger *ledger, uint32_t index)
{
    return &ledger->ring[(ledger->head + index) & (ledger->capacity - 1)];
}

static void grow(struct sl_ledger *ledger)
{
    struct entry *ring = checked(calloc((size_t)ledger->capacity * 2, sizeof(*ring)));

    for (uint32_t i = 0; i < ledger->count; i++)
        ring[i] = *entry_at(ledger, i);
    free(ledger->ring);
    ledger->ring = ring;
    ledger->capacity *= 2;
    ledger->head = 0;
}

static void pop_done(struct sl_ledger *ledger)
{
    while (ledger->count > 0 && entry_at(ledger, 0)->state == STATE_DONE) {
        if (entry_at(ledger, 0)->record.offset > ledger->last_done.offset)
            ledger->last_done = entry_at(ledger, 0)->record;
        ledger->head = (ledger->head + 1) & (ledger->capacity - 1);
        ledger->count--;
    }
}

/* Delivery has come to `offset`: ranges that end before it will not be asked for again. */
static bool take_carried(struct sl_ledger *ledger, int64_t offset)
{
    while (ledger->carried_at < ledger->carried_count &&
           ledger->carried[ledger->carried_at].last < offset)
        ledger->carried_at++;
    return ledger->carried_at < ledger->carried_count &&
           ledger->carried[ledger->carried_at].first <= offset;
}

bool sl_ledger_deliver(struct sl_ledger *ledger, const struct sl_fingerprint *record)
{
    bool known;

    if (record->offset < ledger->end)
        return false;
    known = take_carried(ledger, record->offset);
    if (ledger->count == ledger->capacity)
        grow(ledger);
    *entry_at(ledger, ledger->count) = (struct entry){*record, known ? STATE_DONE : STATE_OPEN};
    ledger->count++;
    ledger->open_count += !known;
    ledger->end = record->offset + 1;
    pop_done(ledger);
    return !known;
}

static struct entry *find(struct sl_ledger *ledger, int64_t offset)
{
    uint32_t low = 0, high = ledger->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (entry_at(ledger, middle)->record.offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    SL_PRE(low < ledger->count && entry_at(ledger, low)->record.offset == offset);
    return entry_at(ledger, low);
}

void sl_ledger_done(struct sl_ledger *ledger, int64_t offset)
{
    struct entry *entry = find(ledger, offset);

    SL_PRE(entry->state == STATE_OPEN);
    entry->state = STATE_DONE;
    ledger->open_count--;
    pop_done(ledger);
}

void sl_ledger_stage(struct sl_ledger *ledger, int64_t offset)
{
    struct entry *entry = find(ledger, offset);

    SL_PRE(entry->state == STATE_OPEN);
    entry->state = STATE_STAGED;
}

void sl_ledger_commit(struct sl_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++) {
        struct entry *entry = entry_at(ledger, i);

        if (entry->state == STATE_STAGED) {
            entry->state = STATE_DONE;
            ledger->open_count--;
        }
    }
    pop_done(ledger);
}

void sl_ledger_abort(struct sl_ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->count; i++)
        if (entry_at(ledger, i)->state == STATE_STAGED)
            entry_at(ledger, i)->state = STATE_OPEN;
}

static void add_range(struct sl_ledger *ledger, struct sl_position *position, int64_t first,
                      int64_t last, bool joins)
{
    struct sl_offset_range *ranges = ledger->ranges;

    if (joins && position->completed_count > 0) {
        ranges[position->completed_count - 1].last = last;
        return;
    }
    if (position->completed_count == ledger->ranges_capacity) {
        ledger->ranges_capacity = ledger->ranges_capacity ? ledger->ranges_capacity * 2 : 64;
        ranges = realloc(ranges, ledger->ranges_capacity * sizeof(*ranges));
        ledger->ranges = checked(ranges);
    }
    ranges[position->completed_count++] = (struct sl_offset_range){first, last};
}

/* The part of the carried ranges that delivery has not come to yet. */
static void add_carried(struct sl_ledger *ledger, struct sl_position *position)
{
    for (uint32_t i = ledger->carried_at; i < ledger->carried_count; i++) {
        struct sl_offset_range range = ledger->carried[i];

        if (range.last < ledger->end)
            continue;
        if (range.first < ledger->end)
            range.first = ledger->end;
        add_range(ledger, position, range.first, range.last, false);
    }
}

void sl_ledger_position(struct sl_ledger *ledger, struct sl_position *ret_position)
{
    struct sl_position position = {.next_offset = ledger->end};
    struct sl_fingerprint last = ledger->last_done;
    uint32_t i = 0;
    bool joins = false;

    for (; i < ledger->count && entry_at(ledger, i)->state != STATE_OPEN; i++)
        if (entry_at(ledger, i)->record.offset > last.offset)
            last = entry_at(ledger, i)->record;
    if (i < ledger->count)
        position.next_offset = entry_at(ledger, i)->record.offset;
    for (; i < ledger->count; i++) {
        const struct entry *entry = entry_at(ledger, i);
        bool done = entry->state != STATE_OPEN;

        if (done)
            add_range(ledger, &position, entry->record.offset, entry->record.offset, joins);
        joins = done;
    }
    add_carried(ledger, &position);
    position.completed = ledger->ranges;
    position.record_offset = last.offset;
    position.record_timestamp_ms = last.timestamp_ms;
    position.record_crc = last.crc;
    *ret_position = position;
}

int64_t sl_ledger_frontier(const struct sl_ledger *ledger)
{
    return ledger->count > 0 ? entry_at(ledger, 0)->record.offset : ledger->end;
}

int64_t sl_ledger_end(const struct sl_ledger *ledger)
{
    return ledger->end;
}

bool sl_ledger_skip(struct sl_ledger *ledger, int64_t offset)
{
    if (offset <= ledger->end)
        return false;
    ledger->end = offset;
    take_carried(ledger, offset);
    return true;
}

uint32_t sl_ledger_open_count(const struct sl_ledger *ledger)
{
    return ledger->open_count;
}

uint32_t sl_ledger_beyond_count(const struct sl_ledger *ledger)
{
    return ledger->count - ledger->open_count;
}

bool sl_ledger_is_full(const struct sl_ledger *ledger)
{
    return ledger->count >= SL_LEDGER_ENTRIES_MAX;
}
