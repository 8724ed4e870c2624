/*
 * kafka_transaction.h -- records and consumed offsets that become visible together, or not at all.
 *
 *     sl_kafka_transaction_init(out, 5000, &err);            // once: ends what an earlier process left open
 *     sl_kafka_transaction_begin(out, &err);
 *     sl_kafka_out_send(out, ...);                           // and wait for the reports
 *     sl_kafka_transaction_offsets(out, member, list, count, 5000, &err);
 *     sl_kafka_transaction_commit(out, 5000, &err);          // or _abort()
 *
 * `out` was opened with a transactional id. One thread uses it.
 *
 * Every call returns SL_AGAIN (`kafka`: not settled yet; only init, commit and abort may simply be called
 * again), SL_REJECT (`abort`: this transaction can only be aborted) or SL_STOP (75 `kafka_fatal`: the
 * producer is done for; another process with the same transactional id has taken over, for one).
 */
#ifndef SLUICE_KAFKA_TRANSACTION_H
#define SLUICE_KAFKA_TRANSACTION_H

#include "net/kafka_in.h"
#include "net/kafka_out.h"

/* A transaction that is not ended within this time is aborted by the broker. */
#define SL_KAFKA_TRANSACTION_MS 60000

/*
 * Fence other processes of the same transactional id, and wait until their transactions have ended.
 *
 * Owns:    nothing.
 * Thread:  the one that uses `out`.
 * Blocks:  network, at most timeout_ms.
 * Errors:  see above
 */
enum sl_err sl_kafka_transaction_init(struct sl_kafka_out *out, int timeout_ms,
                                      struct sl_error *err);

/* Begin one. Does not block. Errors: SL_STOP. */
enum sl_err sl_kafka_transaction_begin(struct sl_kafka_out *out, struct sl_error *err);

/* Who a consumer is in its group, at this moment: member, generation, instance. */
struct sl_kafka_member;

/*
 * Note who `in` is now. Offsets sent in its name are refused by the broker once the group has another
 * generation, so take it first, and look for changes of the assignment afterwards.
 *
 * Owns:    caller gets it; free with sl_kafka_member_free(). NULL: not a member of a group.
 * Thread:  any, beside the consumer's.
 * Blocks:  briefly, on librdkafka's own thread.
 * Errors:  NULL
 */
struct sl_kafka_member *sl_kafka_member_make(struct sl_kafka_in *in);
struct sl_kafka_member *sl_kafka_member_free(struct sl_kafka_member *member);

/*
 * Make the group's offsets part of the transaction: the next ones wanted.
 *
 * Owns:    copied.
 * Thread:  the one that uses `out`.
 * Blocks:  network, at most timeout_ms.
 * Errors:  see above
 */
enum sl_err sl_kafka_transaction_offsets(struct sl_kafka_out *out,
                                         const struct sl_kafka_member *member,
                                         const struct sl_kafka_partition *list, uint32_t count,
                                         int timeout_ms, struct sl_error *err);

/*
 * End it. SL_AGAIN: it is not known yet how it ended; call the same again.
 *
 * Owns:    nothing.
 * Thread:  the one that uses `out`; reports run in here.
 * Blocks:  network, at most timeout_ms.
 * Errors:  see above
 */
enum sl_err sl_kafka_transaction_commit(struct sl_kafka_out *out, int timeout_ms,
                                        struct sl_error *err);
enum sl_err sl_kafka_transaction_abort(struct sl_kafka_out *out, int timeout_ms,
                                       struct sl_error *err);

#endif
