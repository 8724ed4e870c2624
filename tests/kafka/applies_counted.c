/*
 * applies_counted.c -- the daemon, writing down what it applies: for the test that each offset is applied once.
 *
 * Counters in memory die with a killed process, and what a broker consumer committed says nothing about the
 * index. So each application of a record leaves a row of its own, in the very transaction that applied it
 * (linked with --wrap; tool_applies.c reads the rows). Two rows of one offset: it was applied twice. None:
 * never. The rest of the program is what is shipped, object by object.
 *
 * COUNTED_PACE_US slows its workers down, one in 32 eighty times as much: so that a kill meets records under
 * way, out of order, on any machine.
 *
 * The controls are the same program with one mechanism taken out; the test must notice each:
 *
 *     SLUICE_TEST_POSITIONS_BEFORE  what was delivered is stored as done before it is applied
 *     SLUICE_TEST_POSITIONS_AFTER   positions are stored in a transaction of their own, after the data's
 *     SLUICE_TEST_NOT_CARRIED       what is done beyond the frontier is forgotten at a restart
 *     SLUICE_TEST_SMALL_STEPS       no control: a resync in many steps, so that kills hit each kind
 *     SLUICE_TEST_NO_SWEEP          what a log does not hold any more is not deleted (test_gaps.py)
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <sluice/hash.h>

#include "daemon/ledger.h"
#include "index/internal.h"

enum sl_err __real_sl_batch_apply(struct sl_batch *batch, struct sl_prepared *prepared,
                                  enum sl_applied *ret_applied, struct sl_error *err);
enum sl_err __wrap_sl_batch_apply(struct sl_batch *batch, struct sl_prepared *prepared,
                                  enum sl_applied *ret_applied, struct sl_error *err);
enum sl_err __real_sl_batch_delete(struct sl_batch *batch, struct sl_view topic,
                                   struct sl_view key, int32_t partition, int64_t offset,
                                   enum sl_applied *ret_applied, struct sl_error *err);
enum sl_err __wrap_sl_batch_delete(struct sl_batch *batch, struct sl_view topic,
                                   struct sl_view key, int32_t partition, int64_t offset,
                                   enum sl_applied *ret_applied, struct sl_error *err);

enum sl_err __real_sl_index_prepare(struct sl_index *index, const struct sl_document *document,
                                    const struct sl_chunk *chunks, uint32_t chunk_count,
                                    struct sl_prepared **ret_prepared, struct sl_error *err);
enum sl_err __wrap_sl_index_prepare(struct sl_index *index, const struct sl_document *document,
                                    const struct sl_chunk *chunks, uint32_t chunk_count,
                                    struct sl_prepared **ret_prepared, struct sl_error *err);

enum sl_err __wrap_sl_index_prepare(struct sl_index *index, const struct sl_document *document,
                                    const struct sl_chunk *chunks, uint32_t chunk_count,
                                    struct sl_prepared **ret_prepared, struct sl_error *err)
{
    static _Atomic uint32_t turn;
    const char *pace = getenv("COUNTED_PACE_US");
    uint32_t mixed = (atomic_fetch_add(&turn, 1) * 2654435761u) >> 16;

    if (pace != NULL)
        (void)usleep((mixed % 32 == 0 ? 80 : 1) * (uint32_t)atoi(pace));
    return __real_sl_index_prepare(index, document, chunks, chunk_count, ret_prepared, err);
}

static enum sl_err count_application(struct sl_batch *batch, int32_t partition, int64_t offset,
                                     enum sl_applied applied, struct sl_error *err)
{
    static uint64_t sequence; /* the indexer's thread alone comes here */
    char key[8 + 4 + 8 + 4 + 8] = "applied ";
    char value = (char)applied;

    sl_put_be32(key + 8, (uint32_t)partition);
    sl_put_be64(key + 12, (uint64_t)offset);
    sl_put_be32(key + 20, (uint32_t)getpid());
    sl_put_be64(key + 24, sequence++);
    return sl_batch_row(batch, SL_TABLE_NOTE, (struct sl_view){key, sizeof key},
                        (struct sl_view){&value, 1}, err);
}

enum sl_err __wrap_sl_batch_apply(struct sl_batch *batch, struct sl_prepared *prepared,
                                  enum sl_applied *ret_applied, struct sl_error *err)
{
    int32_t partition = prepared->row.partition;
    int64_t offset = prepared->row.offset;
    enum sl_err r = __real_sl_batch_apply(batch, prepared, ret_applied, err);

    return r == SL_OK ? count_application(batch, partition, offset, *ret_applied, err) : r;
}

enum sl_err __wrap_sl_batch_delete(struct sl_batch *batch, struct sl_view topic,
                                   struct sl_view key, int32_t partition, int64_t offset,
                                   enum sl_applied *ret_applied, struct sl_error *err)
{
    enum sl_err r =
        __real_sl_batch_delete(batch, topic, key, partition, offset, ret_applied, err);

    return r == SL_OK ? count_application(batch, partition, offset, *ret_applied, err) : r;
}

/* ------------------------------------------------------------------------------ controls */

#ifdef SLUICE_TEST_POSITIONS_BEFORE
void __wrap_sl_ledger_position(struct sl_ledger *ledger, struct sl_position *ret_position);

void __wrap_sl_ledger_position(struct sl_ledger *ledger, struct sl_position *ret_position)
{
    *ret_position =
        (struct sl_position){.next_offset = sl_ledger_end(ledger), .record_offset = -1};
}
#endif

#ifdef SLUICE_TEST_NOT_CARRIED
struct sl_ledger *__real_sl_ledger_make(const struct sl_position *position);
struct sl_ledger *__wrap_sl_ledger_make(const struct sl_position *position);

struct sl_ledger *__wrap_sl_ledger_make(const struct sl_position *position)
{
    struct sl_position bare;

    if (position == NULL)
        return __real_sl_ledger_make(NULL);
    bare = *position;
    bare.completed_count = 0;
    return __real_sl_ledger_make(&bare);
}
#endif

#ifdef SLUICE_TEST_NO_SWEEP
enum sl_err __wrap_sl_batch_sweep(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                                  uint32_t rows_max, struct sl_sweep *sweep, struct sl_error *err);

enum sl_err __wrap_sl_batch_sweep(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                                  uint32_t rows_max, struct sl_sweep *sweep, struct sl_error *err)
{
    (void)batch;
    (void)topic;
    (void)partition;
    (void)rows_max;
    (void)err;
    sweep->changed = 0;
    sweep->done = true;
    return SL_OK;
}
#endif

#ifdef SLUICE_TEST_SMALL_STEPS
#define STEP_ROWS 8u
#define STEP_US   5000u

typedef enum sl_err step_fn(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                            uint32_t rows_max, struct sl_sweep *sweep, struct sl_error *err);
step_fn __real_sl_batch_doubt, __wrap_sl_batch_doubt, __real_sl_batch_sweep, __wrap_sl_batch_sweep;

enum sl_err __wrap_sl_batch_doubt(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                                  uint32_t rows_max, struct sl_sweep *sweep, struct sl_error *err)
{
    (void)rows_max;
    (void)usleep(STEP_US);
    return __real_sl_batch_doubt(batch, topic, partition, STEP_ROWS, sweep, err);
}

enum sl_err __wrap_sl_batch_sweep(struct sl_batch *batch, struct sl_view topic, int32_t partition,
                                  uint32_t rows_max, struct sl_sweep *sweep, struct sl_error *err)
{
    (void)rows_max;
    (void)usleep(STEP_US);
    return __real_sl_batch_sweep(batch, topic, partition, STEP_ROWS, sweep, err);
}
#endif

#ifdef SLUICE_TEST_POSITIONS_AFTER
#define LATER_MAX 64u
#define LATER_US  20000u /* for a kill to fall into */

enum sl_err __real_sl_batch_position(struct sl_batch *batch, struct sl_view topic,
                                     int32_t partition, const struct sl_position *position,
                                     struct sl_error *err);
enum sl_err __wrap_sl_batch_position(struct sl_batch *batch, struct sl_view topic,
                                     int32_t partition, const struct sl_position *position,
                                     struct sl_error *err);
enum sl_err __real_sl_batch_commit(struct sl_batch *batch, struct sl_error *err);
enum sl_err __wrap_sl_batch_commit(struct sl_batch *batch, struct sl_error *err);

/* What the open batch was to store; the arrays are the caller's and live until its commit returns. */
static struct later {
    struct sl_view topic;
    int32_t partition;
    struct sl_position position;
} later[LATER_MAX];
static uint32_t later_count;

enum sl_err __wrap_sl_batch_position(struct sl_batch *batch, struct sl_view topic,
                                     int32_t partition, const struct sl_position *position,
                                     struct sl_error *err)
{
    (void)batch;
    (void)err;
    SL_INVARIANT(later_count < LATER_MAX);
    later[later_count++] = (struct later){topic, partition, *position};
    return SL_OK;
}

enum sl_err __wrap_sl_batch_commit(struct sl_batch *batch, struct sl_error *err)
{
    struct sl_index *index = batch->index;
    enum sl_err r = __real_sl_batch_commit(batch, err);

    (void)usleep(LATER_US);
    if (r == SL_OK)
        r = sl_batch_begin(index, &batch, err);
    for (uint32_t i = 0; r == SL_OK && i < later_count; i++)
        r = __real_sl_batch_position(batch, later[i].topic, later[i].partition,
                                     &later[i].position, err);
    later_count = 0;
    return r == SL_OK ? __real_sl_batch_commit(batch, err) : r;
}
#endif
