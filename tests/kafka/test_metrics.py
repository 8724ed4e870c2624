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
sluice_records_consumed_total sluice_record_bytes_total sluice_documents_applied_total
sluice_document_latency_seconds_count sluice_dlq_records_total
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
sluice_documents_stale_total sluice_index_unreachable_nodes sluice_partition_lag_records sluice_partition_lag_seconds
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
        daemon = self.daemon(self.mock(), model=True)
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
            wait_for(all_there, "metrics", 40)
        except AssertionError:
            self.fail(f"did not move: {missing}")
        found = daemon.metrics()
        self.assertEqual(found["sluice_documents_stale_total"], {"": 0})
        self.assertEqual(found["sluice_index_unreachable_nodes"], {"": 0})
        self.assertEqual(daemon.metric("sluice_documents_applied_total", 'op="upsert"'), 20)
        self.assertEqual(daemon.metric("sluice_documents_applied_total", 'op="delete"'), 1)
        self.assertEqual(daemon.metric("sluice_dlq_records_total", 'reason="empty_value"'), 1)
        wait_for(lambda: daemon.metric("sluice_index_documents") == 19, "the gauge, read once a second, to say 19")
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



class Moments(sluice_test.Case):
    """Names that stand at rest until something happens: make it happen."""

    def moves(self, daemon, name, labels=None, at_least=1, seconds=None):
        wait_for(lambda: (daemon.metric(name, labels) or 0) >= at_least,
                 lambda: f"{name}; it is {daemon.metrics().get(name)}\n{daemon.log_tail()}", seconds)

    def fact(self, daemon, key=b"k", **more):
        place = daemon.client.produce("docs", key, "The lantern of buoy five is green.", **more)
        daemon.wait_applied()
        return place

    def test_restart(self):
        """The last record is read again, to see that the topic is still the same, and not applied again."""
        daemon = self.daemon(self.mock())
        self.fact(daemon, partition=0)
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.fact(daemon, b"k2", partition=0)
        self.moves(daemon, "sluice_records_deduplicated_total", 'topic="docs"')
        self.assertEqual(daemon.metric("sluice_documents_applied_total", None), 1)

    def test_broker_away(self):
        broker = self.mock()
        daemon = self.daemon(broker)
        self.fact(daemon)
        broker.down()
        self.moves(daemon, "sluice_kafka_errors_total")
        broker.up()

    def test_pause_and_inflight(self):
        """With a queue of few records a backlog pauses the partitions, and lag is seen going down."""
        self.need_model()
        daemon = self.daemon(self.mock(), {"workers": {"queue_items": 16}}, start=False, model=True)
        text = " ".join(f"Sentence {i} speaks of the tide and the pilots." for i in range(120))
        daemon.client.produce_many([{"topic": "docs", "key": f"{i}", "value": f"Entry {i}. {text}"}
                                    for i in range(48)])
        daemon.start(wait=False)
        wanted = {"sluice_kafka_partitions_paused", "sluice_inflight_records", "sluice_inflight_bytes",
                  "sluice_partition_lag_records"}

        def seen():
            daemon.check_alive()
            found = daemon.metrics()
            wanted.difference_update([n for n in wanted if sum(found.get(n, {"": 0}).values()) > 0])
            return not wanted

        wait_for(seen, lambda: f"these to move: {wanted}\n{daemon.log_tail()}")
        daemon.wait_applied(seconds=240)
        self.assertEqual(sum(daemon.metrics()["sluice_kafka_partitions_paused"].values()), 0)

    def test_deletes_leave_places_in_the_graph(self):
        self.need_model()
        daemon = self.daemon(self.mock(), model=True)
        for i in range(6):
            daemon.client.produce("docs", f"{i}".encode(), f"The lantern of buoy {i} is green.")
        daemon.wait_applied()
        daemon.client.produce("docs", b"3", None)
        daemon.wait_applied()
        self.moves(daemon, "sluice_index_tombstones")
        daemon.answer({"query": "lantern", "mode": "vector"})
        self.moves(daemon, "sluice_index_visited_nodes_sum")

    def test_log_flood(self):
        daemon = self.daemon(self.mock())
        daemon.client.produce_many([{"topic": "docs", "key": f"{i}", "value": b""} for i in range(200)])
        daemon.wait_applied()
        self.moves(daemon, "sluice_log_suppressed_total")

    def test_gap_continue(self):
        """What retention took before it was read is a gap: counted, and with on_gap = continue gone over."""
        daemon = self.daemon(self.mock(), {"documents": {"on_gap": "continue"}})
        self.lose_records(daemon)
        daemon.start()
        self.moves(daemon, "sluice_gap_detected_total", 'kind="retention"')
        self.assertIn("last", daemon.export())

    def test_gap_halt(self):
        """By default it is not gone over in silence: exit 78, and the message says what to do."""
        daemon = self.daemon(self.mock(), {"documents": {"on_gap": "halt"}})
        self.lose_records(daemon)
        daemon.start(wait=False)
        self.assertEqual(daemon.process.wait(60), 78, daemon.log_tail())
        self.assertIn("on_gap", daemon.log())

    def lose_records(self, daemon):
        """While the daemon is away, more goes through partition 0 than the mock broker keeps."""
        self.fact(daemon, b"first", partition=0)
        self.assertEqual(daemon.stop(), 0)
        filler = "x " * 1000000
        for i in range(4):
            daemon.client.produce("docs", f"filler {i}", filler, partition=0)
        daemon.client.produce("docs", b"last", "The last one.", partition=0)
        self.assertGreater(daemon.client.marks("docs")[0][0], 1)

    def test_republished(self):
        """A question that is read again after a crash gets the stored answer."""
        daemon = self.daemon(self.mock())
        self.fact(daemon)
        for _ in range(8):
            daemon.answer("Is the lantern of buoy five green?")
            daemon.kill()  # before the offset is committed, most of the time
            daemon.start()
            try:
                self.moves(daemon, "sluice_answers_republished_total", seconds=8)
                break
            except AssertionError:
                continue
        else:
            self.fail("never republished")
        answers = daemon.client.consume("answers")
        by_id = {}
        for a in answers:
            by_id.setdefault(a.header("sluice-answer-id"), set()).add(a.value)
        self.assertTrue(all(len(values) == 1 for values in by_id.values()), "another answer under the same id")


if __name__ == "__main__":
    sluice_test.main()
