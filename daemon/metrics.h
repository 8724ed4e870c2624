/*
 * metrics.h -- the numbers behind /metrics: one table, process-wide.
 *
 * The table below is the whole list: name, type, labels, help. Units are base units (seconds, bytes). Label
 * values are fixed words, topics, partitions, codes; never a key, an id or a text. A family holds at most
 * SL_METRIC_SERIES_MAX label combinations; what would be one more is counted in
 * sluice_metrics_dropped_series_total instead of growing without end.
 */
#ifndef SLUICE_METRICS_H
#define SLUICE_METRICS_H

#include <stdint.h>

#include <sluice/view.h>

#define SL_METRIC_SERIES_MAX 2048u
#define SL_METRIC_LABEL_BYTES_MAX 255u /* longer label values are cut */

enum sl_metric_type { SL_COUNTER = 0, SL_GAUGE, SL_HISTOGRAM };

/* X(enum word, type, name, label 1 or "", label 2 or "", buckets: 0 none, 1 seconds, 2 counts, help) */
#define SL_METRICS(X)                                                                              \
    X(START_TIME, GAUGE, "sluice_start_time_seconds", "", "", 0,                                   \
      "Unix time at which the daemon started.")                                                    \
    X(READY, GAUGE, "sluice_ready", "", "", 0,                                                     \
      "1 once caught up with the positions seen at the start, else 0.")                            \
    X(STATE, GAUGE, "sluice_state", "state", "", 0,                                                \
      "1 for the present state: recovering, serving, paused or draining.")                         \
    X(RECORDS_CONSUMED, COUNTER, "sluice_records_consumed_total", "topic", "", 0,                  \
      "Records read from Kafka.")                                                                  \
    X(RECORD_BYTES, COUNTER, "sluice_record_bytes_total", "topic", "", 0,                          \
      "Bytes of keys and values read from Kafka.")                                                 \
    X(RECORDS_DEDUPLICATED, COUNTER, "sluice_records_deduplicated_total", "topic", "", 0,          \
      "Records skipped because an earlier run had already applied them.")                          \
    X(DOCUMENTS_APPLIED, COUNTER, "sluice_documents_applied_total", "op", "", 0,                   \
      "Document changes committed: upsert, copy, delete, or touch (text unchanged).")              \
    X(DOCUMENT_LATENCY, HISTOGRAM, "sluice_document_latency_seconds", "", "", 1,                   \
      "From a record's timestamp to its change being found by questions.")                         \
    X(DOCUMENTS_STALE, COUNTER, "sluice_documents_stale_total", "", "", 0,                         \
      "Changes older than what the index held. Anything but 0 is a bug.")                          \
    X(DLQ_RECORDS, COUNTER, "sluice_dlq_records_total", "reason", "", 0,                           \
      "Records set aside as unusable, by reason.")                                                 \
    X(RETRIES, COUNTER, "sluice_retries_total", "stage", "reason", 0,                              \
      "Attempts made again after a passing failure.")                                              \
    X(PARTITION_NEXT_OFFSET, GAUGE, "sluice_partition_next_offset", "topic", "partition", 0,       \
      "First offset not yet in the index.")                                                        \
    X(PARTITION_HIGH_WATERMARK, GAUGE, "sluice_partition_high_watermark", "topic", "partition", 0, \
      "End of the partition as last seen.")                                                        \
    X(PARTITION_LAG_RECORDS, GAUGE, "sluice_partition_lag_records", "topic", "partition", 0,       \
      "Offsets between the index and the end of the partition.")                                   \
    X(PARTITION_LAG_SECONDS, GAUGE, "sluice_partition_lag_seconds", "topic", "partition", 0,       \
      "Age of the newest record in the index while behind; 0 when caught up.")                     \
    X(PARTITION_CAUGHT_UP, GAUGE, "sluice_partition_caught_up", "topic", "partition", 0,           \
      "1 once the end of the partition was reached, else 0.")                                      \
    X(INFLIGHT_RECORDS, GAUGE, "sluice_inflight_records", "stage", "", 0,                          \
      "Records waiting in or being worked on by a stage.")                                         \
    X(INFLIGHT_BYTES, GAUGE, "sluice_inflight_bytes", "stage", "", 0,                              \
      "Bytes of the records of a stage.")                                                          \
    X(COMPLETED_BEYOND_FRONTIER, GAUGE, "sluice_completed_beyond_frontier", "topic", "partition",  \
      0, "Offsets done while an earlier one is not.")                                              \
    X(KAFKA_PARTITIONS_PAUSED, GAUGE, "sluice_kafka_partitions_paused", "reason", "", 0,           \
      "Partitions not being fetched: inflight, disk_full, map_full, embed_breaker or embed_budget.")                            \
    X(KAFKA_REBALANCES, COUNTER, "sluice_kafka_rebalances_total", "type", "", 0,                   \
      "Changes of the questions assigned to this replica: assign or revoke.")                      \
    X(KAFKA_ASSIGNMENT_LOST, COUNTER, "sluice_kafka_assignment_lost_total", "", "", 0,             \
      "Question partitions taken away without notice.")                                            \
    X(KAFKA_ERRORS, COUNTER, "sluice_kafka_errors_total", "code", "", 0,                           \
      "Errors reported by the Kafka client, by its code.")                                         \
    X(KAFKA_FATAL_ERRORS, COUNTER, "sluice_kafka_fatal_errors_total", "", "", 0,                   \
      "Errors after which a Kafka client is no longer usable.")                                    \
    X(KAFKA_BROKER_UP, GAUGE, "sluice_kafka_broker_up", "broker", "", 0,                           \
      "1 while the connection to a broker is up, else 0.")                                         \
    X(KAFKA_BROKER_RTT, GAUGE, "sluice_kafka_broker_rtt_seconds", "broker", "quantile", 0,         \
      "Round trip to a broker over the last statistics interval.")                                 \
    X(KAFKA_REPLYQ, GAUGE, "sluice_kafka_replyq_messages", "", "", 0,                              \
      "Events waiting inside the Kafka client to be polled.")                                      \
    X(KAFKA_POLL_INTERVAL, GAUGE, "sluice_kafka_poll_interval_seconds", "", "", 0,                 \
      "Longest time between two polls in the last statistics interval.")                           \
    X(GAP_DETECTED, COUNTER, "sluice_gap_detected_total", "kind", "", 0,                           \
      "Stored positions the topic no longer has: retention, truncated, recreated, tombstone, cluster.") \
    X(RESYNC_PARTITIONS, GAUGE, "sluice_resync_partitions", "", "", 0,                             \
      "Partitions being read again from their beginning after a gap.")                             \
    X(DOCUMENTS_SWEPT, COUNTER, "sluice_documents_swept_total", "", "", 0,                         \
      "Documents and tombstones deleted because their topic does not hold them any more.")         \
    X(EMBED_REQUESTS, COUNTER, "sluice_embed_requests_total", "status", "", 0,                     \
      "Batches given to the encoder: ok or error; of a server ok, http_STATUS, bad_response, ...")  \
    X(EMBED_REQUEST_DURATION, HISTOGRAM, "sluice_embed_request_duration_seconds", "", "", 1,       \
      "Time the encoder took for a batch.")                                                        \
    X(EMBED_BATCH_SIZE, HISTOGRAM, "sluice_embed_batch_size", "", "", 2, "Texts in a batch.")      \
    X(EMBED_TEXTS, COUNTER, "sluice_embed_texts_total", "for", "", 0,                              \
      "Windows embedded, for documents or for a reindex.")                                         \
    X(EMBED_REUSED_WINDOWS, COUNTER, "sluice_embed_reused_windows_total", "", "", 0,               \
      "Windows of documents that kept the vector they had: their text is as it was.")              \
    X(EMBED_TOKENS, COUNTER, "sluice_embed_tokens_total", "", "", 0,                               \
      "Tokens the encoder read; of a server what it counted, else an estimate.")                   \
    X(EMBED_TOKENS_TODAY, GAUGE, "sluice_embed_tokens_today", "", "", 0,                           \
      "Tokens sent to the embedding server since midnight (UTC) or the start.")                    \
    X(EMBED_THROTTLE, COUNTER, "sluice_embed_throttle_seconds_total", "cause", "", 0,              \
      "Time batches waited to be sent: rate, retry_after or backoff.")                             \
    X(BREAKER_STATE, GAUGE, "sluice_breaker_state", "name", "", 0,                                 \
      "Whether a server is asked: 0 it is, 1 to see whether it is back, 2 it is not.")             \
    X(BREAKER_TRANSITIONS, COUNTER, "sluice_breaker_transitions_total", "name", "to", 0,           \
      "Changes of that: closed, half_open or open.")                                               \
    X(HTTP_INFLIGHT, GAUGE, "sluice_http_inflight", "", "", 0,                                     \
      "Requests to the language model under way.")                                                 \
    X(INDEX_DOCUMENTS, GAUGE, "sluice_index_documents", "", "", 0, "Documents in the index.")      \
    X(INDEX_COPIES, GAUGE, "sluice_index_copies", "", "", 0,                                       \
      "Documents that are found through another that is the same.")                                \
    X(INDEX_CHUNKS, GAUGE, "sluice_index_chunks", "", "", 0, "Chunks in the index.")               \
    X(INDEX_TOMBSTONES, GAUGE, "sluice_index_tombstones", "", "", 0,                               \
      "Graph nodes of deleted chunks whose place is not yet reused.")                              \
    X(INDEX_UNREACHABLE_NODES, GAUGE, "sluice_index_unreachable_nodes", "", "", 0,                 \
      "Live vectors the graph has no path to: must be 0.")                                         \
    X(INDEX_SEARCH_DURATION, HISTOGRAM, "sluice_index_search_duration_seconds", "", "", 1,         \
      "Time of one question's search, both legs.")                                                 \
    X(RERANKS, COUNTER, "sluice_reranks_total", "status", "", 0,                                   \
      "Questions whose passages were looked at again: ok, partial, or failed (the first order stayed).") \
    X(RERANK_FAILURES, COUNTER, "sluice_rerank_failures_total", "reason", "", 0,                   \
      "Those that were not ok, by reason; see REASONS.md.")                                        \
    X(RERANK_PASSAGES, COUNTER, "sluice_rerank_passages_total", "result", "", 0,                   \
      "Passages scored by the reranker, and those it was late for (they keep their order).")   \
    X(RERANK_DURATION, HISTOGRAM, "sluice_rerank_duration_seconds", "", "", 1,                     \
      "Time of one question's second look at its passages.")                                       \
    X(INDEX_VISITED_NODES, HISTOGRAM, "sluice_index_visited_nodes", "", "", 2,                     \
      "Vectors compared for one question.")                                                        \
    X(LMDB_MAP_BYTES, GAUGE, "sluice_lmdb_map_bytes", "", "", 0,                                   \
      "Size limit of the index file.")                                                             \
    X(LMDB_USED_BYTES, GAUGE, "sluice_lmdb_used_bytes", "", "", 0,                                 \
      "Bytes of the index file in use, free pages included.")                                      \
    X(LMDB_FREE_PAGES, GAUGE, "sluice_lmdb_free_pages", "", "", 0,                                 \
      "Pages inside the index file that can be reused.")                                           \
    X(LMDB_READERS, GAUGE, "sluice_lmdb_readers", "", "", 0, "Open snapshots.")                    \
    X(LMDB_OLDEST_READER, GAUGE, "sluice_lmdb_oldest_reader_seconds", "", "", 0,                   \
      "Age of the oldest open snapshot of this daemon.")                                           \
    X(LMDB_COMMIT_DURATION, HISTOGRAM, "sluice_lmdb_commit_duration_seconds", "", "", 1,           \
      "Time of a commit, the sync to disk included.")                                              \
    X(LMDB_COMMIT_FAILURES, COUNTER, "sluice_lmdb_commit_failures_total", "code", "", 0,           \
      "Commits that failed.")                                                                      \
    X(INDEX_COMPACTIONS, COUNTER, "sluice_index_compactions_total", "result", "", 0,               \
      "Times the index was written anew: done, cancelled or failed.")                              \
    X(INDEX_RETIRED_BYTES, GAUGE, "sluice_index_retired_bytes", "", "", 0,                         \
      "Disk that retired generations of the index take, until they are dropped.")                  \
    X(REINDEX_KEYS, GAUGE, "sluice_reindex_keys", "", "", 0,                                       \
      "Keys that the present pass of a reindex has looked at.")                                    \
    X(REINDEX_KEYS_TOTAL, GAUGE, "sluice_reindex_keys_expected", "", "", 0,                           \
      "Keys that it has to look at.")                                                              \
    X(GENERATION_SWITCHES, COUNTER, "sluice_generation_switches_total", "", "", 0,                 \
      "Times another generation of the index was taken into use.")                                 \
    X(QUARANTINED_DOCUMENTS, GAUGE, "sluice_quarantined_documents", "", "", 0,                     \
      "Documents taken out because a record of theirs was damaged, and not read again yet.")       \
    X(CHECKSUM_FAILURES, COUNTER, "sluice_checksum_failures_total", "db", "", 0,                   \
      "Records whose checksum was wrong: of a document, taken out; of the index, and the end.")    \
    X(DISK_FREE_BYTES, GAUGE, "sluice_disk_free_bytes", "", "", 0,                                 \
      "Free space on the index's file system.")                                                    \
    X(GOLDEN_QUESTIONS, GAUGE, "sluice_golden_questions", "", "", 0,                               \
      "Golden questions asked in the last round.")                                                 \
    X(GOLDEN_RECALL, GAUGE, "sluice_golden_recall", "", "", 0,                                     \
      "Share of their documents among the first ten, in the last round.")                          \
    X(GOLDEN_RECIPROCAL_RANK, GAUGE, "sluice_golden_reciprocal_rank", "", "", 0,                   \
      "Mean of 1 / rank of the first of them, in the last round.")                                 \
    X(GOLDEN_CHANGED, GAUGE, "sluice_golden_changed_ratio", "", "", 0,                             \
      "Share of golden questions whose first document is another than in the round before.")       \
    X(GOLDEN_RUNS, COUNTER, "sluice_golden_runs_total", "", "", 0,                                 \
      "Rounds of golden questions asked to the end.")                                              \
    X(ANSWERS, COUNTER, "sluice_answers_total", "status", "", 0,                                   \
      "Answers delivered: answered, not_found or error.")                                          \
    X(ANSWER_LATENCY, HISTOGRAM, "sluice_answer_latency_seconds", "", "", 1,                       \
      "From reading a question to the broker's acknowledgement of its answer.")                    \
    X(ANSWERS_REPUBLISHED, COUNTER, "sluice_answers_republished_total", "", "", 0,                 \
      "Answers sent again from the reply cache for a redelivered question.")                       \
    X(PRODUCER_QUEUE, GAUGE, "sluice_producer_queue_messages", "", "", 0,                          \
      "Records waiting to be acknowledged by a broker.")                                           \
    X(DELIVERY_FAILURES, COUNTER, "sluice_delivery_failures_total", "code", "persisted", 0,        \
      "Records a broker did not take, by code and by whether it may have them all the same.")      \
    X(TRANSACTIONS, COUNTER, "sluice_txn_total", "result", "", 0,                                  \
      "Transactions with answers: committed or aborted.")                                          \
    X(OUTBOX_RECORDS, GAUGE, "sluice_outbox_records", "", "", 0,                                   \
      "Dead letters in the index that wait for a broker's acknowledgement.")                       \
    X(CONFIG_RELOADS, COUNTER, "sluice_config_reloads_total", "result", "", 0,                     \
      "Reloads of the configuration: ok or rejected.")                                             \
    X(CONFIG_LAST_RELOAD_SUCCESS, GAUGE, "sluice_config_last_reload_success_timestamp_seconds",    \
      "", "", 0, "Unix time of the last configuration taken over.")                                \
    X(WATCHDOG_PINGS, COUNTER, "sluice_watchdog_pings_total", "", "", 0,                           \
      "Signs of life sent to the service manager.")                                                \
    X(LOOP_STALL, GAUGE, "sluice_loop_stall_seconds", "loop", "", 0,                               \
      "Time since a loop's last sign of life; 0 while it waits for work.")                         \
    X(LOG_SUPPRESSED, COUNTER, "sluice_log_suppressed_total", "event", "", 0,                      \
      "Log lines held back by the limit of 10 a second per event.")                                \
    X(METRICS_DROPPED_SERIES, COUNTER, "sluice_metrics_dropped_series_total", "", "", 0,           \
      "Updates dropped because a family had too many label combinations.")

enum sl_metric_family {
#define SL_METRIC_ENUM_(word, type, name, label1, label2, buckets, help) SL_METRIC_##word,
    SL_METRICS(SL_METRIC_ENUM_)
#undef SL_METRIC_ENUM_
        SL_METRIC_COUNT
};

/*
 * Add to a counter, set a gauge, observe into a histogram. The number of label values must be the one in the table;
 * _partition is for the families labelled topic and partition. Counters never go down; a gauge may be added to
 * with sl_metric_move(), also negatively.
 *
 * Pre:     the metric has that type and those labels.
 * Owns:    label values are copied.
 * Thread:  any.
 * Blocks:  no (a short lock).
 * Errors:  none.
 */
void sl_metric_add(enum sl_metric_family metric, uint64_t value);
void sl_metric_add_label(enum sl_metric_family metric, const char *label, uint64_t value);
void sl_metric_add_labels(enum sl_metric_family metric, const char *label1, const char *label2,
                          uint64_t value);
void sl_metric_add_seconds(enum sl_metric_family metric, const char *label, double seconds);
void sl_metric_set(enum sl_metric_family metric, double value);
void sl_metric_set_label(enum sl_metric_family metric, const char *label, double value);
void sl_metric_set_labels(enum sl_metric_family metric, const char *label1, const char *label2,
                          double value);
void sl_metric_set_partition(enum sl_metric_family metric, const char *topic, int32_t partition,
                             double value);
void sl_metric_move(enum sl_metric_family metric, const char *label, double difference); /* label or NULL */
void sl_metric_observe(enum sl_metric_family metric, double value);

/* Take a labelled gauge out again (a partition that is no longer ours). Unknown is fine. */
void sl_metric_forget(enum sl_metric_family metric, const char *label1, const char *label2);

/* What a series stands at, a histogram's count; 0 when it does not exist. Labels may be NULL. For tests and the
 * status object. */
double sl_metric_value(enum sl_metric_family metric, const char *label1, const char *label2);

/* The table, for tests and documents. */
const char *sl_metric_name(enum sl_metric_family metric);

/*
 * sluice_build_info: set once, before the first render. NULL members are shown as "".
 *
 * Owns:    copied.
 * Thread:  any.
 * Blocks:  no.
 * Errors:  none.
 */
void sl_metrics_build_info(const char *librdkafka, const char *lmdb, const char *curl);

/*
 * Append everything as Prometheus text (version 0.0.4), process_* included.
 *
 * Owns:    appends to `out`.
 * Thread:  any.
 * Blocks:  reads three small files of /proc/self.
 * Errors:  out->failed
 */
void sl_metrics_render(struct sl_buffer *out);

/* Append the table as a Markdown list, for docs/OPERATIONS.md. */
void sl_metrics_markdown(struct sl_buffer *out);

/* Everything back to zero; tests only. */
void sl_metrics_reset(void);

#endif
