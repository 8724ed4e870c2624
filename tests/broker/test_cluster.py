"""Trouble with brokers, on three of them, under a running stream of documents and questions.

One daemon lives through all of it. After each kind of trouble: it is the same process, it became ready by itself, no
document and no question is lost, it did not change places in its group more often than the trouble explains.
"""

import signal
import time
import unittest

import kafka_cluster
import prove
import sluice_test
from sluice_test import wait_for
from stream import Reckoning, Stream

AWAY_SECONDS = 300 if prove.is_long() else 20
FROZEN_SECONDS = 12
PARTITIONS = 3
POLL_MS = 8000


cluster = admin = None


def setUpModule():
    global cluster, admin
    why = kafka_cluster.missing()
    if why is not None and sluice_test.in_ci():
        raise AssertionError("a real broker is a must here: " + why)
    if why is not None:
        raise unittest.SkipTest("no real broker: " + why)
    cluster = kafka_cluster.Cluster()
    unittest.addModuleCleanup(cluster.stop)
    admin = sluice_test.Client(cluster.bootstrap)
    unittest.addModuleCleanup(admin.stop)


class OnThree(sluice_test.Case):
    """One cluster and one daemon for all; each test has a stream of its own through the same topics."""

    @classmethod
    def setUpClass(cls):
        cls.cluster, cls.admin = cluster, admin

    def setUp(self):
        self.began = time.monotonic()
        self.cluster.start()
        tag = self.id().rsplit(".", 1)[-1].replace("_", "-")
        self.names = {name: f"{name}-{tag}" for name in ("docs", "questions", "answers", "dlq")}
        self.group = f"group-{tag}"
        for name in ("docs", "questions"):
            self.admin.create(self.names[name], PARTITIONS)
        for name in ("answers", "dlq"):
            self.admin.create(self.names[name], 1)
        self.running = self.daemon(self.cluster, self.config())
        self.stream = Stream(self.cluster.bootstrap, self.names)
        self.addCleanup(self.stream.close)
        self.flow()

    kafka = {}

    def config(self):
        return {"kafka": self.kafka,
                "documents": {"topics": self.names["docs"], "dead_letter_topic": self.names["dlq"]},
                "queries": {"topics": self.names["questions"], "answers_topic": self.names["answers"],
                            "group": self.group}}

    def say(self, what):
        """For whoever reads the log of a slow run."""
        print(f"{time.monotonic() - self.began:7.1f} s {what}", flush=True)

    def rebalances(self):
        return self.running.metric("sluice_kafka_rebalances_total", 'type="assign"') or 0

    def flow(self):
        """Documents and answers that were not there before go through."""
        def totals():
            return (self.running.metric("sluice_documents_applied_total", None) or 0,
                    self.running.metric("sluice_answers_total", None) or 0)

        documents, answers = totals()
        wait_for(lambda: self.running.check_alive() and totals()[0] > documents + 20 and totals()[1] > answers + 5,
                 lambda: f"the stream to flow: {totals()}\n{self.running.log_tail()}", 120)
        self.say("flows")

    def reckon(self, promise, says, faults, rebalances_max):
        self.running.wait_ready()
        self.flow()
        self.stream.stop()
        self.running.wait_applied([self.names["docs"]], 120)
        self.say("applied")
        reckoning = Reckoning(self.running, self.names, self.stream)
        moved = self.rebalances() - 1
        prove.proved("brokers." + promise, says, faults=faults, violations=reckoning.violations(),
                     documents=self.stream.number, questions=len(reckoning.questions),
                     answered_twice=reckoning.twice(), rebalances=int(moved))
        self.assertEqual(reckoning.lost_by_kafka, set())
        self.assertEqual(reckoning.index, reckoning.model)
        self.assertEqual(reckoning.violations(), 0)
        self.assertLessEqual(moved, rebalances_max)
        for name in ("sluice_documents_stale_total", "sluice_kafka_fatal_errors_total"):
            self.assertIn(self.running.metric(name), (None, 0), name)
        self.assertEqual(self.running.stop(), 0)


class Trouble(OnThree):
    def test_leaders_die(self):
        """The leader of a documents partition, of the questions, of the answers, and of the group, by kill -9."""
        victims = [lambda: self.cluster.leader(self.admin, self.names["docs"], 0),
                   lambda: self.cluster.coordinator(self.admin, self.group),
                   lambda: self.cluster.leader(self.admin, self.names["answers"], 0),
                   lambda: self.cluster.leader(self.admin, self.names["questions"], 0)]
        victims = victims if prove.is_long() else victims[:2]
        for victim in victims:
            node = victim()
            self.cluster.kill(node)
            self.flow()
            self.cluster.start(node)
        self.reckon("leaders_die", "leaders and the group's coordinator may be killed", len(victims), 4)

    if prove.is_long():  # the short form freezes two at once, below
        def test_frozen_broker(self):
            """A leader that answers nobody for a while: slow is not dead, for its clients at first."""
            node = self.cluster.leader(self.admin, self.names["questions"], 0)
            self.cluster.freeze(node)
            try:
                time.sleep(FROZEN_SECONDS)
                self.running.check_alive()
            finally:
                self.cluster.thaw(node)
            self.reckon("frozen_broker", f"a leader may be frozen for {FROZEN_SECONDS} s", 1, 3)

    def test_too_few_replicas(self):
        """With one node of three nothing is taken: the daemon says that answers wait, and loses none."""
        for node in self.cluster.nodes[1:]:
            self.cluster.freeze(node)
        try:
            wait_for(lambda: self.running.check_alive() and self.running.http("/readyz")[0] == 503,
                     lambda: "/readyz to say 503\n" + self.running.log_tail(), 90)
            self.assertEqual(self.running.http("/healthz")[0], 200)
            self.say(self.running.http("/readyz")[1])
        finally:
            for node in self.cluster.nodes[1:]:
                self.cluster.thaw(node)
        self.reckon("too_few_replicas", "two of three brokers may stand still", 2, 3)

    def test_all_down(self):
        """No broker at all for a while: it says so, waits, and goes on by itself."""
        for node in self.cluster.nodes:
            self.cluster.kill(node)
        down = time.monotonic()
        wait_for(lambda: self.running.check_alive() and self.running.http("/readyz")[0] == 503, "/readyz to say 503")
        self.assertIn("kafka down", self.running.http("/readyz")[1])
        self.assertEqual(self.running.http("/healthz")[0], 200)
        status = self.running.ctl_json("status")
        self.assertEqual((status["ready"], status["kafka_up"]), (False, False))
        wait_for(lambda: self.running.metric("sluice_ready") == 0, "sluice_ready 0")
        wait_for(lambda: not any(self.running.metrics().get("sluice_kafka_broker_up", {}).values()), "broker_up 0")
        while time.monotonic() - down < AWAY_SECONDS:
            self.running.check_alive()
            self.assertEqual(self.running.http("/readyz")[0], 503)
            time.sleep(1)
        self.assertEqual(self.running.log().count(" kafka_down: "), 1, self.running.log_tail())
        self.say("starting them")
        self.cluster.start()
        self.say("started")
        self.reckon("all_down", f"no broker for {AWAY_SECONDS} s", 3, 2)


class Stall(OnThree):
    kafka = {"max.poll.interval.ms": POLL_MS, "session.timeout.ms": 6000}

    def test_daemon_frozen(self):
        """The daemon itself stands still beyond max.poll.interval.ms: its questions are another's until it moves again."""
        before = self.rebalances()
        self.running.signal(signal.SIGSTOP)
        time.sleep(POLL_MS / 1000 + 4)
        self.running.signal(signal.SIGCONT)
        wait_for(lambda: (self.running.metric("sluice_kafka_assignment_lost_total") or 0) >= 1,
                 lambda: "the assignment to be lost\n" + self.running.log_tail())
        wait_for(lambda: self.rebalances() > before, "a new assignment")
        self.reckon("daemon_frozen", "the daemon may stand still beyond max.poll.interval.ms", 1, 3)


if __name__ == "__main__":
    sluice_test.main()
