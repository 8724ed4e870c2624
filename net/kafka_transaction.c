/*
 * kafka_transaction.c -- librdkafka's transactions, each error put into one of three classes.
 *
 * librdkafka marks an error as retriable, as one that asks for an abort, or as fatal. One with no mark at
 * all (older versions forget it for some broker codes) counts as fatal: going on with a transaction whose
 * state nobody knows could show an answer twice, leaving with 75 cannot.
 */
#include <stdlib.h>

#include <sluice/limits.h>

#include "net/kafka_in_internal.h"
#include "net/kafka_out_internal.h"
#include "net/kafka_transaction.h"

static enum sl_err judge(rd_kafka_error_t *error, const char *what, struct sl_error *err)
{
    rd_kafka_resp_err_t code;
    enum sl_err r;

    if (!error)
        return SL_OK;
    code = rd_kafka_error_code(error);
    if (rd_kafka_error_txn_requires_abort(error))
        r = sl_fail(err, SL_REJECT, "abort", "%s: %s", what, rd_kafka_error_string(error));
    else if (rd_kafka_error_is_retriable(error) && !rd_kafka_error_is_fatal(error))
        r = sl_fail(err, SL_AGAIN, "kafka", "%s: %s", what, rd_kafka_error_string(error));
    else
        r = sl_stop(err, SL_EXIT_TEMPORARY, code, "kafka_fatal", "%s: %s", what,
                    rd_kafka_error_string(error));
    if (err)
        err->foreign_code = code;
    rd_kafka_error_destroy(error);
    return r;
}

enum sl_err sl_kafka_transaction_init(struct sl_kafka_out *out, int timeout_ms,
                                      struct sl_error *err)
{
    return judge(rd_kafka_init_transactions(out->rk, timeout_ms), "init transactions", err);
}

enum sl_err sl_kafka_transaction_begin(struct sl_kafka_out *out, struct sl_error *err)
{
    return judge(rd_kafka_begin_transaction(out->rk), "begin transaction", err);
}

struct sl_kafka_member {
    rd_kafka_consumer_group_metadata_t *metadata;
};

struct sl_kafka_member *sl_kafka_member_make(struct sl_kafka_in *in)
{
    struct sl_kafka_member *member = calloc(1, sizeof(*member));

    SL_INVARIANT(member != NULL);
    member->metadata = rd_kafka_consumer_group_metadata(in->rk);
    return member->metadata ? member : sl_kafka_member_free(member);
}

struct sl_kafka_member *sl_kafka_member_free(struct sl_kafka_member *member)
{
    if (member && member->metadata)
        rd_kafka_consumer_group_metadata_destroy(member->metadata);
    free(member);
    return NULL;
}

enum sl_err sl_kafka_transaction_offsets(struct sl_kafka_out *out,
                                         const struct sl_kafka_member *member,
                                         const struct sl_kafka_partition *list, uint32_t count,
                                         int timeout_ms, struct sl_error *err)
{
    rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new((int)count);
    rd_kafka_error_t *error;

    for (uint32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(offsets, list[i].topic, list[i].partition)->offset =
            list[i].offset;
    error = rd_kafka_send_offsets_to_transaction(out->rk, offsets, member->metadata, timeout_ms);
    rd_kafka_topic_partition_list_destroy(offsets);
    return judge(error, "offsets of a transaction", err);
}

enum sl_err sl_kafka_transaction_commit(struct sl_kafka_out *out, int timeout_ms,
                                        struct sl_error *err)
{
    return judge(rd_kafka_commit_transaction(out->rk, timeout_ms), "commit transaction", err);
}

enum sl_err sl_kafka_transaction_abort(struct sl_kafka_out *out, int timeout_ms,
                                       struct sl_error *err)
{
    return judge(rd_kafka_abort_transaction(out->rk, timeout_ms), "abort transaction", err);
}
