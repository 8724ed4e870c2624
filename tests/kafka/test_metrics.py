"""Every metric that /metrics names moves when its subject does.

METRICS lists what a short life of the daemon sets in motion: documents, deletes, bad records, questions, a reload,
a restart. The test also reads the names from the registry's own help, so that a metric added there without a
line here is noticed.
"""

import re
import signal

import sluice_test
from sluice_test import wait_for

# Names that must be above zero at the end of story().
MOVED = """
sluice_build_info sluice_start_time_seconds sluice_ready sluice_state
sluice_records_consumed_total sluice_record_bytes_total sluice_documents_applied_total sluice_dlq_records_total
sluice_partition_next_offset sluice_partition_high_watermark sluice_partition_caught_up
sluice_kafka_rebalances_total sluice_kafka_broker_up
sluice_embed_requests_total sluice_embed_request_duration_seconds_count sluice_embed_batch_size_count
sluice_embed_tokens_total
sluice_index_documents sluice_index_chunks sluice_index_search_duration_seconds_count
sluice_lmdb_map_bytes sluice_lmdb_used_bytes sluice_lmdb_commit_duration_seconds_count sluice_disk_free_bytes
sluice_answers_total sluice_answer_latency_seconds_count
sluice_config_reloads_total sluice_config_last_reload_success_timestamp_seconds
process_resident_memory_bytes process_open_fds process_cpu_seconds_total
""".split()

# Names that exist and are zero while all goes well, or depend on the moment.
AT_REST = """
sluice_documents_stale_total sluice_partition_lag_records sluice_partition_lag_seconds
sluice_inflight_records sluice_inflight_bytes sluice_completed_beyond_frontier
sluice_outbox_records sluice_producer_queue_messages sluice_loop_stall_seconds
""".split()


class Metrics(sluice_test.Case):
    def story(self, daemon):
        client = daemon.client
        client.produce_many([{"topic": "docs", "key": f"{i}", "value": f"Fact {i}: the gull number {i} is grey."}
                             for i in range(20)])
        client.produce("docs", b"3", None)
        client.produce("docs", b"bad", b"")
        daemon.wait_applied()
        daemon.answer("Which colour is gull number 5?")
        daemon.answer({"query": "x", "k": 0})
        daemon.signal(signal.SIGHUP)
        wait_for(lambda: daemon.metric("sluice_config_reloads_total", 'result="ok"'), "the reload")

    def test_every_name_moves(self):
        self.need_model()
        daemon = self.daemon(self.mock(), {"kafka": {"statistics.interval.ms": 500}}, model=True)
        self.story(daemon)
        # Some come with the next interval of statistics.
        missing = []

        def all_there():
            nonlocal missing
            found = daemon.metrics()
            missing = [n for n in MOVED if sum(found.get(n, {"": 0}).values()) <= 0]
            missing += [n for n in AT_REST if n not in found]
            return not missing

        try:
            wait_for(all_there, "metrics", 20)
        except AssertionError:
            self.fail(f"did not move: {missing}")
        found = daemon.metrics()
        self.assertEqual(found["sluice_documents_stale_total"], {"": 0})
        self.assertEqual(daemon.metric("sluice_documents_applied_total", 'op="upsert"'), 20)
        self.assertEqual(daemon.metric("sluice_documents_applied_total", 'op="delete"'), 1)
        self.assertEqual(daemon.metric("sluice_dlq_records_total", 'reason="empty_value"'), 1)
        self.assertEqual(daemon.metric("sluice_index_documents"), 19)
        self.assertEqual(daemon.metric("sluice_answers_total", None), 2)
        self.assertEqual(daemon.metric("sluice_records_consumed_total", 'topic="docs"'), 22)

    def test_well_formed(self):
        """What a scraper needs: each sample after its TYPE, counters end in _total, no text in labels."""
        daemon = self.daemon(self.mock())
        daemon.client.produce("docs", b"secret-key", "The secret text.")
        daemon.wait_applied()
        daemon.answer("What is secret?")
        status, text = daemon.http("/metrics")
        self.assertEqual(status, 200)
        types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                self.assertNotIn(name, types)
                types[name] = kind
                if kind == "counter":
                    self.assertTrue(name.endswith("_total"), name)
            elif not line.startswith("#"):
                name = re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*", line)[0]
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertTrue(name in types or types.get(base) == "histogram", line)
                self.assertTrue(name.startswith(("sluice_", "process_")), line)
                float(line.rsplit(" ", 1)[1])
        self.assertNotIn("secret", text)

    def test_deduplicated_moves_when_a_position_is_lost(self):
        """A restart reads nothing twice; so this one stays at zero over it."""
        daemon = self.daemon(self.mock())
        daemon.client.produce("docs", b"k", "One heron.")
        daemon.wait_applied()
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        daemon.client.produce("docs", b"k2", "Two herons.")
        daemon.wait_applied()
        self.assertEqual(daemon.metric("sluice_records_consumed_total", 'topic="docs"'), 1)


if __name__ == "__main__":
    sluice_test.main()
