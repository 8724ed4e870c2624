"""The same on Apache Kafka, and what only a real broker can show: topics that grow, a broker that restarts."""

import subprocess
import time

import sluice_test
from sluice_test import wait_for


class RealBroker(sluice_test.RealBrokerCase):
    def setUp(self):
        self.names, self.config = self.topics()

    def make(self, config=None, **more):
        merged = {section: dict(options) for section, options in self.config.items()}
        for section, options in (config or {}).items():
            merged.setdefault(section, {}).update(options)
        return self.daemon(self.broker, merged, **more)

    def put(self, daemon, key, value, topic=None, **more):
        return daemon.client.produce(topic or self.names["docs"], key, value, **more)

    def applied(self, daemon, *topics):
        daemon.wait_applied(topics or (self.names["docs"],))

    def ask(self, daemon, question):
        topic = self.names["answers"]
        start = [high for _, high in daemon.client.marks(topic)]
        daemon.client.produce(self.names["questions"], b"q", question)
        found = daemon.client.consume(topic, count=1, start=start, seconds=sluice_test.PATIENCE)
        self.assertTrue(found, "no answer\n" + daemon.log_tail())
        return found[0].json()

    def kcat(self, *arguments, stdin=None):
        return subprocess.run(["kcat", "-b", self.broker.bootstrap, "-q", *arguments], input=stdin, check=True,
                              stdout=subprocess.PIPE, timeout=60).stdout

    def test_kcat_all_the_way(self):
        daemon = self.make()
        self.kcat("-P", "-K:", "-t", self.names["docs"], stdin=b"k1:hello world")
        self.applied(daemon)
        self.kcat("-P", "-t", self.names["questions"], stdin=b"hello world?")
        seen = self.kcat("-C", "-t", self.names["answers"], "-o", "beginning", "-c", "1")
        self.assertIn(b'"hello world"', seen)
        # A tombstone, as kcat writes it: an empty value with -Z is null.
        self.kcat("-P", "-K:", "-Z", "-t", self.names["docs"], stdin=b"k1:")
        self.applied(daemon)
        self.assertEqual(self.ask(daemon, "hello world?")["status"], "not_found")

    def test_partition_and_topic_added_while_running(self):
        more = f"{self.names['docs']}-more"
        daemon = self.make({"documents": {"topics": f"{self.names['docs']}, {more}"},
                            "kafka": {"topic.metadata.refresh.interval.ms": 1000}}, start=False)
        daemon.start(wait=False)
        self.put(daemon, b"a", "The barge carries gravel.")
        self.applied(daemon)
        daemon.client.grow(self.names["docs"], 4)
        for partition in (2, 3):
            self.put(daemon, f"p{partition}", f"The raft number {partition} carries salt.", partition=partition)
        daemon.client.create(more, 2)
        self.put(daemon, b"m", "The schooner carries timber.", topic=more)
        daemon.wait_applied((self.names["docs"], more), seconds=120)
        for question, word in (("What does the barge carry?", "gravel"), ("What does raft number 3 carry?", "salt"),
                               ("What does the schooner carry?", "timber")):
            self.assertIn(word, self.ask(daemon, question)["answer"])
        # What was seen as new is known after a restart.
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.assertEqual(len(daemon.export()), 4)
        self.assertIn(daemon.metric("sluice_documents_applied_total", None), (None, 0))

    def test_transactions(self):
        """Aborted records are not read, and a commit marker at a partition's end does not keep it from being ready."""
        docs = self.names["docs"]
        self.admin.produce_many([{"topic": docs, "key": "yes", "value": "The kelp is brown.", "partition": 0}], "commit")
        self.admin.produce_many([{"topic": docs, "key": "no", "value": "The coral is blue.", "partition": 1}], "abort")
        daemon = self.make()
        wait_for(lambda: list(daemon.export()) == ["yes"], "the committed document")
        self.assertEqual(self.ask(daemon, "What colour is the coral?")["status"], "not_found")
        self.admin.produce_many([{"topic": docs, "key": "later", "value": "The dulse is red.", "partition": 1}], "commit")
        wait_for(lambda: sorted(daemon.export()) == ["later", "yes"], "the second committed document")
        self.assertEqual(daemon.http("/readyz")[0], 200)
        # The same after a restart, which begins behind a marker.
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.assertEqual(sorted(daemon.export()), ["later", "yes"])

    def test_dead_letters(self):
        daemon = self.make()
        self.put(daemon, b"bad", b"")
        self.put(daemon, b"good", "The kelp is brown.")
        self.applied(daemon)
        letters = daemon.client.consume(self.names["dead"], count=1, seconds=30)
        self.assertEqual(letters[0].header("sluice-reason"), b"empty_value")
        self.assertEqual(letters[0].header("__connect.errors.topic"), self.names["docs"].encode())

    def test_dead_letter_topic_missing(self):
        """Dead letters wait in the outbox for their topic; documents go on meanwhile."""
        later = self.names["dead"] + "-later"
        daemon = self.make({"documents": {"dead_letter_topic": later},
                            "kafka": {"topic.metadata.refresh.interval.ms": 1000}})
        self.put(daemon, b"bad", b"")
        self.put(daemon, b"good", "The kelp is brown.")
        self.applied(daemon)
        wait_for(lambda: daemon.metric("sluice_outbox_records"), "a record in the outbox")
        wait_for(lambda: daemon.metric("sluice_delivery_failures_total", None), "a failed delivery")
        daemon.client.create(later, 1)
        wait_for(lambda: daemon.metric("sluice_outbox_records") == 0, lambda: "an empty outbox\n" + daemon.log_tail(), 120)
        self.assertEqual([r.key for r in daemon.client.consume(later)], [b"bad"])

    def test_broker_restarts(self):
        daemon = self.make()
        self.put(daemon, b"a", "The barge carries gravel.")
        self.applied(daemon)
        self.broker.halt()
        time.sleep(2)
        daemon.check_alive()
        self.assertEqual(daemon.http("/healthz")[0], 200)
        self.broker.start()
        wait_for(lambda: daemon.client._exists(self.names["docs"], 2), "the broker")
        self.put(daemon, b"b", "The schooner carries timber.")
        daemon.wait_applied((self.names["docs"],), seconds=120)
        self.assertIn("timber", self.ask(daemon, "What does the schooner carry?")["answer"])
        self.assertEqual(daemon.stop(), 0)

    def test_killed_again_and_again(self):
        """Records through kill -9 loops: the export equals that of a run without kills."""
        def records():
            for i in range(800):
                yield {"topic": self.names["docs"], "key": f"doc-{i % 320}",
                       "value": None if i % 17 == 3 else f"Entry {i}. " + "The tide turned at noon. " * (5 + i % 60)}

        daemon = self.make({"workers": {"queue_items": 16}}, start=False)
        daemon.client.produce_many(records())
        ends = sum(high for _, high in daemon.client.marks(self.names["docs"]))
        in_the_middle = 0
        for i in range(8):
            daemon.start(wait=False)
            wait_for(lambda: daemon.check_alive() and daemon.positions(), "its first positions")
            time.sleep(0.03 * i)
            in_the_middle += 0 < sum(daemon.positions().values()) < ends
            daemon.kill()
        self.assertGreater(in_the_middle, 0, "no kill hit the middle: the test has tested nothing")
        daemon.start()
        self.applied(daemon)
        self.assertIn(daemon.metric("sluice_documents_stale_total"), (None, 0))
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")

        undisturbed = self.make({"queries": {"group": "undisturbed", "instance": "other"}})
        self.applied(undisturbed)
        self.assertEqual(undisturbed.stop(), 0)
        self.assertEqual(daemon.export(), undisturbed.export())
        self.assertEqual([daemon.ctl_json("stats")[n] for n in ("documents", "chunks")],
                         [undisturbed.ctl_json("stats")[n] for n in ("documents", "chunks")])

    def test_recreated_topic_is_refused(self):
        """Another topic under the same name: exit 78, and nothing of the index is touched."""
        daemon = self.make()
        for i in range(5):
            self.put(daemon, f"{i}".encode(), f"Raft {i} carries salt.", partition=0)
        self.applied(daemon)
        self.assertEqual(daemon.stop(), 0)
        before = daemon.export()
        self.admin.delete(self.names["docs"])
        wait_for(lambda: not self.admin._exists(self.names["docs"], 2), "the topic to go")
        self.admin.create(self.names["docs"], 2)
        for i in range(5):
            self.put(daemon, f"{i}".encode(), f"Raft {i} carries pepper.", partition=0)
        daemon.start(wait=False)
        self.assertEqual(daemon.process.wait(60), 78, daemon.log_tail())
        self.assertIn(self.names["docs"], daemon.log())
        self.assertEqual(daemon.export(), before)

    def test_the_elder_of_two_with_one_name_ends(self):
        """A second daemon of the same instance name takes over; the first leaves with 75 and writes no more."""
        one = self.make()
        two = self.make()
        self.assertEqual(one.process.wait(120), 75, one.log_tail())
        self.put(two, b"a", "The barge carries gravel.")
        self.applied(two)
        self.assertIn("gravel", self.ask(two, "What does the barge carry?")["answer"])

    def test_two_replicas_share_the_questions(self):
        """Two daemons of one group, each with its own index: every question is answered once."""
        one = self.make()
        two = self.make({"queries": {"instance": "second"}})
        self.put(one, b"a", "The barge carries gravel.")
        self.applied(one)
        self.applied(two)
        for i in range(20):
            one.client.produce(self.names["questions"], f"{i}", "What does the barge carry?")
        answers = one.client.consume(self.names["answers"], count=20, seconds=sluice_test.PATIENCE)
        self.assertEqual(sorted(int(a.key) for a in answers), list(range(20)))


if __name__ == "__main__":
    sluice_test.main()
