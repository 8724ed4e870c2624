"""Answers over kill -9, on Apache Kafka: none is missing, a repeated one has the same bytes, a chat model is asked once,
and with transactions nobody who reads what is committed sees a second one."""

import os
import random
import re
import signal
import threading
import time

import prove
import sluice_test
import test_llm
from sluice_test import wait_for

QUESTION = "Who painted the lighthouse red?"
FACT = "The lighthouse was painted red in 1950 by Tom Grey."
OTHER_FACT = "The lighthouse was painted red in 1961 by Ann Brown."
PARTITIONS = 3


class Load:
    """Asks without pause from a thread of its own, each question under a key of its own, until it is stopped."""

    def __init__(self, bootstrap, topic, burst=20, pause=0.05):
        self.client = sluice_test.Client(bootstrap)
        self.topic, self.burst, self.pause = topic, burst, pause
        self.asked = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped.is_set():
            self.client.produce_many([{"topic": self.topic, "key": f"q{i}", "value": f"{QUESTION} (q{i})"}
                                      for i in range(self.asked, self.asked + self.burst)])
            self.asked += self.burst
            self.stopped.wait(self.pause)

    def stop(self):
        self.stopped.set()
        self.thread.join()
        self.client.stop()


class Clerk:
    """A chat model that is paid by the request: it notes when it was asked what, and never says the same twice."""

    def __init__(self):
        self.requests = []  # (wall clock in ms, key of the question)
        self.server = test_llm.ChatServer()
        self.server.script = self.write

    def write(self, request):
        self.requests.append((time.time() * 1000, re.search(r"\((q\d+)\)", request["user"])[1]))
        for number, text in test_llm.spans(request["user"])[0]:
            if number and "Tom Grey" in text:
                return test_llm.reply(f"Tom Grey painted it, says note {len(self.requests)} [{number}].",
                                      (number, "painted red in 1950 by Tom Grey"))
        return test_llm.reply("", status="not_found")


class Seen:
    """The answers of a topic by key."""

    def __init__(self, records):
        self.by_key = {}
        for record in records:
            self.by_key.setdefault(record.key.decode(), []).append(record)

    def duplicates(self):
        return sum(len(found) - 1 for found in self.by_key.values())

    def missing(self, asked):
        return [f"q{i}" for i in range(asked) if f"q{i}" not in self.by_key]

    def unlike(self):
        """Questions with answers that differ in a byte of value or headers."""
        return [key for key, found in self.by_key.items()
                if len({(record.value, tuple(record.headers)) for record in found}) > 1]

    def ids_unlike(self):
        return [key for key, found in self.by_key.items()
                if len({record.header("sluice-answer-id") for record in found}) > 1]

    def paid_again(self, requests):
        """Requests for a question that already had an answer in the topic."""
        first = {key: min(record.timestamp for record in found) for key, found in self.by_key.items()}
        return [key for at, key in requests if key in first and at > first[key] + 1]


class Answers(sluice_test.RealBrokerCase):
    def setUp(self):
        tag = f"{self.id().rsplit('.', 1)[-1]}-{time.monotonic_ns() % 100000}".replace("_", "-")
        self.names = {name: f"{name}-{tag}" for name in ("docs", "questions", "answers", "dlq")}
        for name, topic in self.names.items():
            self.admin.create(topic, PARTITIONS if name in ("questions", "answers") else 1)
        self.config = {"documents": {"topics": self.names["docs"], "dead_letter_topic": self.names["dlq"]},
                       "queries": {"topics": self.names["questions"], "answers_topic": self.names["answers"],
                                   "group": f"group-{tag}"}}
        self.admin.produce(self.names["docs"], "light", FACT)

    def make(self, delivery, more=None, program=None, start=True):
        config = {section: dict(values) for section, values in self.config.items()}
        config["queries"]["delivery"] = delivery
        for section, values in (more or {}).items():
            config.setdefault(section, {}).update(values)
        daemon = self.daemon(self.broker, config, start=False)
        daemon.program = program or daemon.program
        return daemon.start() if start else daemon

    def read(self, uncommitted=False):
        return Seen(self.admin.consume(self.names["answers"], seconds=60, uncommitted=uncommitted))

    def ends(self, uncommitted=False):
        return [high for _, high in self.admin.marks(self.names["answers"], uncommitted)]

    def stop_in_transaction(self, daemon, rng):
        """Stop it again and again, until it stands still with a transaction open."""
        def is_open():
            time.sleep(rng.random() * 0.02)
            daemon.signal(signal.SIGSTOP)
            if self.ends() != self.ends(uncommitted=True):
                return True
            daemon.signal(signal.SIGCONT)
            return False
        wait_for(is_open, "an open transaction")

    def kill_under_load(self, daemon, kills, seed):
        """Returns how many questions were asked, all of which are answered at the end."""
        rng = random.Random(seed)
        load = Load(self.broker.bootstrap, self.names["questions"])
        self.addCleanup(load.stop)
        for i in range(kills):
            before = sum(self.ends())
            wait_for(lambda: daemon.check_alive() and sum(self.ends()) > before,
                     lambda: "answers\n" + daemon.log_tail())
            if daemon.sections["queries"]["delivery"] == "exactly_once" and i % 2:
                self.stop_in_transaction(daemon, rng)
            else:
                time.sleep(rng.random() * 0.5)
            daemon.kill()
            daemon.start(wait=False)
        load.stop()
        wait_for(lambda: daemon.check_alive() and not self.read().missing(load.asked),
                 lambda: f"{load.asked} answers; missing: {self.read().missing(load.asked)[:20]}\n{daemon.log_tail()}",
                 180)
        self.assertEqual(daemon.stop(), 0, daemon.log_tail())
        return load.asked

    def test_exactly_once(self):
        kills = 25 if prove.is_long() else 8
        asked = self.kill_under_load(self.make("exactly_once"), kills, 1)
        seen, raw = self.read(), self.read(uncommitted=True)
        prove.proved("answers.exactly_once", "one visible answer to each question", faults=kills,
                     violations=len(seen.missing(asked)) + seen.duplicates(), questions=asked,
                     aborted_answers=raw.duplicates())
        self.assertEqual((seen.missing(asked), seen.duplicates()), ([], 0))
        self.assertGreater(raw.duplicates(), 0, "no kill hit a transaction: the test has tested nothing")

    def test_at_least_once(self):
        """None is missing, a second answer has the id of the first; and there are second ones, which is what
        transactions are for."""
        kills = 25 if prove.is_long() else 8
        asked = self.kill_under_load(self.make("at_least_once"), kills, 2)
        seen = self.read()
        prove.control("answers.exactly_once", violations=seen.duplicates())
        prove.proved("answers.none_missing", "every question is answered, under one id", faults=kills,
                     violations=len(seen.missing(asked)) + len(seen.ids_unlike()), questions=asked,
                     second_answers=seen.duplicates())
        self.assertEqual((seen.missing(asked), seen.ids_unlike()), ([], []))
        self.assertGreater(seen.duplicates(), 0)

    def written_under_kills(self, program, kills):
        """Answers of a chat model over kills; (answers, how many asked, clerk)."""
        clerk = Clerk()
        self.addCleanup(clerk.server.stop)
        daemon = self.make("at_least_once", test_llm.config_of(clerk.server, self.scratch(), deadline_ms=10000), program)
        asked = self.kill_under_load(daemon, kills, 3)
        seen = self.read()
        written = sum(record.json()["model"]["answer"] == test_llm.MODEL
                      for found in seen.by_key.values() for record in found)
        self.assertEqual(written, sum(map(len, seen.by_key.values())), "answers that the model did not write")
        return seen, asked, clerk

    def test_written_answers(self):
        """A second answer has the bytes of the first, and the model is not asked for it."""
        kills = 25 if prove.is_long() else 8
        seen, asked, clerk = self.written_under_kills(None, kills)
        unlike, paid = seen.unlike(), seen.paid_again(clerk.requests)
        prove.proved("answers.same_bytes", "a written answer is paid once and repeated byte for byte", faults=kills,
                     violations=len(seen.missing(asked)) + len(unlike) + len(paid), questions=asked,
                     requests=len(clerk.requests), second_answers=seen.duplicates())
        self.assertEqual((seen.missing(asked), unlike, paid), ([], [], []))
        self.assertGreater(seen.duplicates(), 0, "no question came twice: the test has tested nothing")

    def test_written_answers_without_the_cache(self):
        """The control: a daemon that never finds a cached answer."""
        seen, _, clerk = self.written_under_kills(os.path.join(sluice_test.BUILD, "tests", "sluiced_no_replies"), 6)
        found = len(seen.unlike()) + len(seen.paid_again(clerk.requests))
        prove.control("answers.same_bytes", violations=found)
        self.assertGreater(found, 0)

    def test_no_transaction_waits_for_a_model(self):
        """While a chat model thinks, no transaction is open, and other partitions get their answers."""
        clerk = Clerk()
        self.addCleanup(clerk.server.stop)
        held = threading.Event()
        self.addCleanup(held.set)

        def script(request):
            if "(q0)" in request["user"]:
                held.wait()
            return clerk.write(request)
        clerk.server.script = script
        daemon = self.make("exactly_once", test_llm.config_of(clerk.server, self.scratch(), deadline_ms=60000))

        def ask(key, partition):
            daemon.client.produce(self.names["questions"], key, f"{QUESTION} ({key})", partition=partition)
        ask("q0", 0)
        ask("q1", 0)  # waits for q0: the group knows one offset a partition
        ask("q2", 1)
        wait_for(lambda: list(self.read().by_key) == ["q2"], lambda: "the answer to q2\n" + daemon.log_tail())
        self.assertEqual(self.ends(), self.ends(uncommitted=True))
        held.set()
        wait_for(lambda: not self.read().missing(3), lambda: "all answers\n" + daemon.log_tail())
        self.assertEqual(daemon.stop(), 0)

    def test_replicas_come_and_go(self):
        """Partitions change hands under load, with notice and without: each question still has one visible answer."""
        rng = random.Random(4)
        one = self.make("exactly_once")
        two = self.make("exactly_once", {"queries": {"instance": "second"},
                                         "kafka": {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}}, start=False)
        load = Load(self.broker.bootstrap, self.names["questions"])
        self.addCleanup(load.stop)
        rounds = 6 if prove.is_long() else 2

        def answered_by(daemon):
            return daemon.check_alive() and daemon.metric("sluice_answers_total", None)
        for i in range(rounds):
            two.start(wait=False)
            wait_for(lambda: answered_by(one) and answered_by(two), lambda: "answers of both\n" + two.log_tail())
            time.sleep(rng.random() * 0.5)
            if i % 2:
                self.assertEqual(two.stop(), 0)
            else:
                two.kill()  # its partitions are given up when its session ends
                wait_for(lambda: one.metric("sluice_kafka_rebalances_total", 'type="assign"') > i + 2,
                         lambda: "a rebalance\n" + one.log_tail())
        load.stop()
        wait_for(lambda: not self.read().missing(load.asked),
                 lambda: f"missing: {self.read().missing(load.asked)[:20]}\n{one.log_tail()}", 180)
        seen = self.read()
        prove.proved("answers.rebalance", "one visible answer while partitions change hands", faults=2 * rounds,
                     violations=len(seen.missing(load.asked)) + seen.duplicates(), questions=load.asked)
        self.assertEqual((seen.missing(load.asked), seen.duplicates()), ([], 0))
        self.assertEqual(one.stop(), 0)

    def test_zombie(self):
        """A daemon that wakes up after another took over its name ends with 75, and nothing it writes is seen."""
        rounds = 5 if prove.is_long() else 1
        written = second_answers = missing = 0
        for i in range(rounds):
            if i > 0:
                self.setUp()
            elder = self.make("exactly_once")
            load = Load(self.broker.bootstrap, self.names["questions"])
            self.addCleanup(load.stop)
            wait_for(lambda: sum(self.ends()), lambda: "answers\n" + elder.log_tail())
            self.stop_in_transaction(elder, random.Random(i))
            other = self.names["docs"] + "-other"
            self.admin.create(other, 1)
            self.admin.produce(other, "light", OTHER_FACT)
            younger = self.make("exactly_once", {"documents": {"topics": other}})
            before = sum(self.ends())
            wait_for(lambda: sum(self.ends()) > before + 50, lambda: "its answers\n" + younger.log_tail())
            ends = self.ends(uncommitted=True)
            elder.signal(signal.SIGCONT)
            self.assertEqual(elder.process.wait(120), 75, elder.log_tail())
            load.stop()
            wait_for(lambda: not self.read().missing(load.asked), lambda: "all answers\n" + younger.log_tail())
            seen, raw = self.read(), self.read(uncommitted=True)
            late = [r for found in raw.by_key.values() for r in found
                    if r.offset >= ends[r.partition] and b"Tom Grey" in r.value]
            written += len(late)
            second_answers += seen.duplicates()
            missing += len(seen.missing(load.asked))
            self.assertEqual(younger.stop(), 0)
        prove.proved("answers.zombie", "of two daemons with one name the elder leaves and writes no more", runs=rounds,
                     faults=rounds, violations=written + second_answers + missing)
        self.assertEqual((written, second_answers, missing), (0, 0, 0))


if __name__ == "__main__":
    sluice_test.main()
