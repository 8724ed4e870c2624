"""Documents and questions that go on coming while something breaks, and the reckoning afterwards.

The log is the truth: what a producer was not told about may be in it. So the model of the index and the list of
questions are read from the topics in the end, and what the producer was told about must be among them.
"""

import random
import threading
import time

import sluice_test
from sluice_test import wait_for

KEYS = 300
BATCH = 8          # documents
QUESTIONS = 3      # to a batch
PAUSE = 0.05       # seconds between batches
ACKNOWLEDGE = 120  # seconds a record may take


class Stream:
    """Starts at once; stop() before the reckoning."""

    def __init__(self, bootstrap, names, seed=1):
        self.names = names
        self.client = sluice_test.Client(bootstrap)
        self.rng = random.Random(seed)
        self.number = 0
        self.told = set()  # (topic, partition, offset) that the broker acknowledged
        self.untold = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _batch(self):
        records = []
        for _ in range(BATCH):
            self.number += 1
            key = f"k{self.rng.randrange(KEYS)}"
            value = None if self.rng.random() < 0.1 else f"Note {self.number}: the ferry {key} sails at noon."
            records.append({"topic": self.names["docs"], "key": key, "value": value})
        for i in range(QUESTIONS):
            records.append({"topic": self.names["questions"], "key": f"q{self.number}.{i}",
                            "value": f"When does the ferry k{self.rng.randrange(KEYS)} sail?"})
        return records

    def _run(self):
        while not self._stop.is_set():
            records = self._batch()
            try:
                placed = self.client.produce_many(records, seconds=ACKNOWLEDGE)
                self.told.update((r["topic"], *at) for r, at in zip(records, placed))
            except AssertionError:
                self.untold += len(records)
            time.sleep(PAUSE)

    def stop(self):
        self._stop.set()
        self._thread.join()

    def close(self):
        self.stop()
        self.client.stop()


class Reckoning:
    """What the topics say after the stream has stopped and the daemon has caught up."""

    def __init__(self, daemon, names, stream):
        client = daemon.client
        self.model = {}
        documents = client.consume(names["docs"], seconds=60)
        for record in documents:
            if record.value is None:
                self.model.pop(record.key.decode(), None)
            else:
                self.model[record.key.decode()] = record.value.decode()
        questions = client.consume(names["questions"], seconds=60)
        self.questions = {record.key for record in questions}
        wait_for(lambda: daemon.check_alive() and not self._unanswered(client, names),
                 lambda: f"answers to {sorted(self._unanswered(client, names))[:5]}\n{daemon.log_tail()}", 120)
        self.answers = client.consume(names["answers"], seconds=60)
        there = {(names["docs"], r.partition, r.offset) for r in documents}
        there |= {(names["questions"], r.partition, r.offset) for r in questions}
        self.lost_by_kafka = stream.told - there
        self.index = {key: document["text"] for key, document in daemon.export().items()}

    def _unanswered(self, client, names):
        return self.questions - {record.key for record in client.consume(names["answers"], seconds=60)}

    def violations(self):
        """How many documents differ, are missing or too many, and questions without an answer."""
        wrong = sum(1 for key in self.model.keys() | self.index.keys()
                    if self.model.get(key) != self.index.get(key))
        return wrong + len(self.questions - {answer.key for answer in self.answers}) + len(self.lost_by_kafka)

    def twice(self):
        """Answers beyond the first to a question: allowed, under the same id."""
        return len(self.answers) - len({answer.key for answer in self.answers})
