"""Bounded resources, on Apache Kafka: an encoder that is away while a backlog waits costs no memory beyond the budget;
a backlog does not hold up another partition; a document that cannot be used holds up nobody."""

import os
import threading
import time

import prove
import sluice_test
from sluice_test import wait_for

MIB = 1 << 20
PARTITIONS = 4
RECORD_BYTES = 50_000
BUDGET_BYTES = 96 * MIB
BASE_BYTES = 64 * MIB  # threads, clients, metadata, the allocator's slack: docs/GUARANTEES.md says so


def program(name):
    return os.path.join(sluice_test.BUILD, "tests", f"sluiced_{name}")


class Watch(threading.Thread):
    """RssAnon of a process, ten times a second."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.path = f"/proc/{daemon.process.pid}/status"
        self.samples = []
        self.stopped = threading.Event()
        self.start()

    def run(self):
        while not self.stopped.wait(0.1):
            try:
                with open(self.path, encoding="ascii") as f:
                    self.samples += [int(line.split()[1]) * 1024 for line in f if line.startswith("RssAnon:")]
            except OSError:
                return

    def stop(self):
        self.stopped.set()
        self.join()
        return self.samples


class Bounded(sluice_test.RealBrokerCase):
    def setUp(self):
        self.names, self.config = self.topics(PARTITIONS)
        self.gate = os.path.join(self.scratch(), "gate")

    def make(self, name, pace_us=0, more=None, wait=True):
        config = {section: dict(values) for section, values in self.config.items()}
        config.update({"workers": {"memory_budget": BUDGET_BYTES, "queue_bytes": BUDGET_BYTES // 2}, "chunk": {"words": 20000},
                       "index": {"map_size_max": "16G"}})
        for section, values in (more or {}).items():
            config.setdefault(section, {}).update(values)
        daemon = self.daemon(self.broker, config, start=False)
        daemon.program = program(name)
        os.environ.update(SLUICE_TEST_GATE=self.gate, SLUICE_TEST_TEXT_US=str(pace_us))
        return daemon.start(wait=wait)

    def shut(self):
        with open(self.gate, "w", encoding="ascii"):
            pass

    def produce_backlog(self, total_bytes, partitions=range(PARTITIONS), prefix="b"):
        """Documents of few words, many times; returns how many."""
        partitions = list(partitions)
        count = total_bytes // RECORD_BYTES
        for start in range(0, count, 100):
            self.admin.produce_many([
                {"topic": self.names["docs"], "partition": partitions[i % len(partitions)], "key": f"{prefix}{i}",
                 "value": f"Crate {i} holds rope. " * (RECORD_BYTES // 23)}
                for i in range(start, min(start + 100, count))])
        return count

    def stall(self, name, total_bytes, seconds):
        """A backlog while the encoder is away for that long: (daemon, documents, samples of RssAnon, poll gaps,
        most partitions paused)."""
        count = self.produce_backlog(total_bytes)
        self.shut()
        daemon = self.make(name, wait=False)
        wait_for(lambda: daemon.check_alive() and daemon.positions(), "its partitions")
        watch, gaps, paused = Watch(daemon), [], []
        for _ in range(seconds):
            time.sleep(1)
            daemon.check_alive()
            gaps.append(daemon.metric("sluice_kafka_poll_interval_seconds") or 0)
            paused.append(daemon.metric("sluice_kafka_partitions_paused", 'reason="inflight"') or 0)
        return daemon, count, watch, gaps, paused

    def test_stalled_encoder(self):
        """Memory stays within the budget while nothing moves, and all of it is applied when it moves again."""
        total, seconds = (1024 * MIB, 600) if prove.is_long() else (150 * MIB, 20)
        daemon, count, watch, gaps, paused = self.stall("gated", total, seconds)
        rebalances = daemon.metric("sluice_kafka_rebalances_total", None)
        os.unlink(self.gate)
        daemon.wait_applied((self.names["docs"],), seconds=1800)
        samples = watch.stop()
        limit = BUDGET_BYTES + BASE_BYTES
        documents = daemon.ctl_json("stats")["documents"]
        print(f"RssAnon first {samples[0] // MIB}, most {max(samples) // MIB} MiB; poll gap {max(gaps):.2f} s; "
              f"paused {max(paused):.0f}; {count} documents, {documents} in the index")
        prove.proved("bounded.stall", "a stalled encoder costs no memory beyond the budget, and no record", faults=1,
                     violations=sum(s > limit for s in samples) + sum(g >= 1 for g in gaps) + (documents != count)
                     + (max(paused) < PARTITIONS), backlog_mib=total // MIB, seconds=seconds,
                     rss_anon_mib=max(samples) // MIB, limit_mib=limit // MIB, poll_gap_s=round(max(gaps), 3))
        self.assertLess(max(samples), limit)
        self.assertLess(max(gaps), 1)
        self.assertEqual(max(paused), PARTITIONS)
        self.assertEqual(documents, count)
        self.assertEqual(rebalances, daemon.metric("sluice_kafka_rebalances_total", None))
        self.assertEqual(daemon.stop(), 0)

    def test_stalled_encoder_without_budget(self):
        """The control: the same daemon without its brake grows past the limit."""
        daemon, _, watch, _, _ = self.stall("no_budget", 200 * MIB, 5)
        samples = watch.stop()
        limit = BUDGET_BYTES + BASE_BYTES
        print(f"without a brake: RssAnon most {max(samples) // MIB} MiB")
        prove.control("bounded.stall", violations=sum(s > limit for s in samples), rss_anon_without_mib=max(samples) // MIB)
        self.assertGreater(max(samples), limit)
        daemon.kill()


    def late_record(self, name, samples):
        """While one partition has a backlog, single records on another topic: how many backlog documents were applied
        while each of them waited, and how long that was."""
        other = self.names["docs"] + "-other"
        self.admin.create(other, 1)
        text = "Crate holds rope. " * 60
        count = 12000 if prove.is_long() else 4000
        for start in range(0, count, 1000):
            self.admin.produce_many([{"topic": self.names["docs"], "partition": 0, "key": f"b{i}", "value": f"{i} {text}"}
                                     for i in range(start, start + 1000)])
        daemon = self.make(name, 8000, {"documents": {"topics": f"{self.names['docs']}, {other}"},
                                        "workers": {"threads": 2}, "embed": {"batch": 16}}, wait=False)
        wait_for(lambda: daemon.positions().get(f"{self.names['docs']}/0", 0) > 100, "the backlog to move")

        def applied():
            return daemon.metric("sluice_documents_applied_total", None)
        daemon.client.produce(self.names["questions"], "first", "What does barge 0 carry?")  # the group is joined
        self.assertTrue(daemon.client.consume(self.names["answers"], count=1, seconds=60))
        overtaken, seconds = [], []
        for i in range(samples):
            before, start = applied(), time.monotonic()
            _, offset = daemon.client.produce(other, f"late{i}", f"Barge {i} carries gravel.", partition=0)
            asked = [high for _, high in daemon.client.marks(self.names["answers"])]
            daemon.client.produce(self.names["questions"], f"q{i}", {
                "query": f"What does barge {i} carry?", "mode": "lexical", "min_position": {f"{other}/0": offset},
                "deadline_ms": 60000})
            answer = daemon.client.consume(self.names["answers"], count=1, start=asked, seconds=60)[0].json()
            seconds.append(time.monotonic() - start)
            overtaken.append(applied() - before)
            self.assertEqual(answer["status"], "answered", answer)
        self.assertLess(daemon.positions()[f"{self.names['docs']}/0"], count, "the backlog did not last")
        daemon.kill()
        seconds.sort()
        print(f"{name}: searchable after {seconds[len(seconds) // 2]:.2f} s (median), {seconds[-1]:.2f} s (worst of "
              f"{len(seconds)}); meanwhile at most {max(overtaken):.0f} documents of the backlog")
        return overtaken, seconds

    LATE = 350  # documents of a backlog that may be applied meanwhile: some batches, and not the 768 under way

    def test_backlog_holds_up_nobody_else(self):
        overtaken, seconds = self.late_record("gated", 60 if prove.is_long() else 8)
        prove.proved("bounded.turns", "a backlog does not hold up another topic", runs=len(overtaken), faults=1,
                     violations=sum(n > self.LATE for n in overtaken), worst_s=round(seconds[-1], 2),
                     median_s=round(seconds[len(seconds) // 2], 2))
        self.assertLessEqual(max(overtaken), self.LATE)

    def test_backlog_without_turns(self):
        """The control: one line for all, and no shares."""
        overtaken, _ = self.late_record("no_turns", 2)  # each waits for much of the backlog, which must last
        prove.control("bounded.turns", violations=sum(n > self.LATE for n in overtaken))
        self.assertGreater(max(overtaken), self.LATE)

    def test_poison(self):
        """At the head of every partition: what no encoder says, what this one refuses, what is no document. All
        that is good behind it is applied, and every poison becomes a dead letter."""
        poison = {"unspeakable": "embed_failed", "unmentionable": "embed_rejected", "{\"text\":": "bad_json"}
        records = []
        for partition in range(PARTITIONS):
            records += [{"topic": self.names["docs"], "partition": partition, "key": f"{partition}-{word[:5]}",
                         "value": word} for word in poison]
            records += [{"topic": self.names["docs"], "partition": partition, "key": f"good-{partition}-{i}",
                         "value": f"Crate {i} holds rope."} for i in range(100)]
        self.admin.produce_many(records)
        daemon = self.make("gated", wait=False)
        good = 100 * PARTITIONS
        wait_for(lambda: daemon.check_alive() and daemon.metric("sluice_index_documents") == good,
                 lambda: f"{good} documents\n{daemon.log_tail()}")
        daemon.wait_applied((self.names["docs"],), seconds=120)
        wanted = sorted([reason for reason in poison.values()] * PARTITIONS)
        letters = daemon.client.consume(self.names["dead"], count=len(wanted), seconds=60)
        found = sorted(letter.header("sluice-reason").decode() for letter in letters)
        prove.proved("bounded.poison", "a document that cannot be used holds up no partition", faults=len(wanted),
                     violations=(found != wanted) + (daemon.metric("sluice_index_documents") != good))
        self.assertEqual(found, wanted)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    sluice_test.main()
