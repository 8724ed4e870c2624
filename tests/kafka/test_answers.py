"""Answers over kill -9, on Apache Kafka: none is missing, a repeated one has the same bytes, a chat model is asked once,
and with transactions nobody who reads what is committed sees a second one."""

import random
import signal
import threading
import time

import prove
import sluice_test
from sluice_test import wait_for

QUESTION = "Who painted the lighthouse red?"
FACT = "The lighthouse was painted red in 1950 by Tom Grey."
PARTITIONS = 3


class Load:
    """Asks without pause from a thread of its own, each question under a key of its own, until it is stopped."""

    def __init__(self, bootstrap, topic, burst=40, pause=0.03):
        self.client = sluice_test.Client(bootstrap)
        self.topic, self.burst, self.pause = topic, burst, pause
        self.asked = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopped.is_set():
            self.client.produce_many([{"topic": self.topic, "key": f"q{self.asked + i}", "value": QUESTION}
                                      for i in range(self.burst)])
            self.asked += self.burst
            self.stopped.wait(self.pause)

    def stop(self):
        self.stopped.set()
        self.thread.join()
        self.client.stop()


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

    def make(self, delivery, more=None, **options):
        config = {section: dict(values) for section, values in self.config.items()}
        config["queries"]["delivery"] = delivery
        for section, values in (more or {}).items():
            config.setdefault(section, {}).update(values)
        return self.daemon(self.broker, config, **options)

    def read(self, uncommitted=False):
        return Seen(self.admin.consume(self.names["answers"], seconds=60, uncommitted=uncommitted))

    def ends(self, uncommitted=False):
        return [high for _, high in self.admin.marks(self.names["answers"], uncommitted)]

    def kill_in_transaction(self, daemon, rng):
        """Stop it again and again, until it stands still with a transaction open; then kill it."""
        def is_open():
            time.sleep(rng.random() * 0.02)
            daemon.signal(signal.SIGSTOP)
            if self.ends() != self.ends(uncommitted=True):
                return True
            daemon.signal(signal.SIGCONT)
            return False
        wait_for(is_open, "an open transaction")
        daemon.kill()

    def kill_under_load(self, delivery, kills, seed):
        """Returns how many questions were asked, all of which are answered at the end."""
        rng = random.Random(seed)
        daemon = self.make(delivery)
        load = Load(self.broker.bootstrap, self.names["questions"], burst=20, pause=0.05)
        self.addCleanup(load.stop)
        for i in range(kills):
            before = sum(self.ends())
            wait_for(lambda: daemon.check_alive() and sum(self.ends()) > before,
                     lambda: "answers\n" + daemon.log_tail())
            if delivery == "exactly_once" and i % 2:
                self.kill_in_transaction(daemon, rng)
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
        asked = self.kill_under_load("exactly_once", kills, 1)
        seen, raw = self.read(), self.read(uncommitted=True)
        print(f"asked {asked}, committed duplicates {seen.duplicates()}, uncommitted {raw.duplicates()}")
        prove.proved("answers.exactly_once", "one visible answer to each question", faults=kills,
                     violations=len(seen.missing(asked)) + seen.duplicates(), questions=asked,
                     aborted_answers=raw.duplicates())
        self.assertEqual((seen.missing(asked), seen.duplicates()), ([], 0))
        self.assertGreater(raw.duplicates(), 0, "no kill hit a transaction: the test has tested nothing")


if __name__ == "__main__":
    sluice_test.main()
