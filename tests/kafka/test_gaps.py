"""Gaps between an index and its topics are never silent: found at a start and while running, and handled as
[documents] on_gap says. On Apache Kafka, because only that trims logs, makes topics anew and compacts.

What resync deletes is decided by a sweep; a control without one (sluiced_no_sweep) must be noticed, and so must a
sweep on a topic that is not compacted alone.
"""

import json
import os
import random
import signal
import time

import kafka_broker
import prove
import sluice_test
from sluice_test import wait_for

# The cleaner looks all the time, so that tombstones go as soon as they may.
kafka_broker.ALONE += """\
log.cleaner.backoff.ms=100
log.retention.check.interval.ms=300
log.initial.task.delay.ms=100
"""

COMPACT = {"cleanup.policy": "compact"}
# Keeps no tombstone for long, and is cleaned at once but for its last segment.
FORGETFUL = {"cleanup.policy": "compact", "delete.retention.ms": "1", "min.cleanable.dirty.ratio": "0.001",
             "segment.ms": "200", "max.compaction.lag.ms": "200"}
TESTS = os.path.join(sluice_test.BUILD, "tests")


class Gaps(sluice_test.RealBrokerCase):
    def begin(self, policy, on_gap, partitions=1, **more):
        """A topic of that policy, and a daemon that has read ten documents of each partition and was stopped."""
        self.names, config = self.topics(partitions, policy)
        self.docs = self.names["docs"]
        config["documents"]["on_gap"] = on_gap
        config["kafka"] = {"topic.metadata.refresh.interval.ms": 500}
        for section, options in more.items():
            config.setdefault(section, {}).update(options)
        self.put(*(f"old-{p}-{i}" for p in range(partitions) for i in range(10)))
        daemon = self.daemon(self.broker, config)
        self.wait_read(daemon)
        self.assertEqual(len(daemon.export()), 10 * partitions)
        return daemon

    def put(self, *keys, text="The kelp is brown."):
        """key-<partition>-<anything>: a document of that partition."""
        self.admin.produce_many([{"topic": self.docs, "key": key, "value": text and f"{text} ({key})",
                                  "partition": int(key.split("-")[1])} for key in keys])

    def delete(self, *keys):
        self.put(*keys, text=None)

    def wait_read(self, daemon):
        daemon.wait_applied([self.docs])
        wait_for(lambda: daemon.metric("sluice_resync_partitions") in (None, 0), "the resync to end")

    def halted(self, daemon, *words):
        self.assertEqual(daemon.process.wait(60), 78, daemon.log_tail())
        line = [line for line in daemon.log().splitlines() if "gap_detected" in line][-1]
        for word in (self.docs,) + words:
            self.assertIn(word, line)

    def counted(self, daemon, kind):
        wait_for(lambda: daemon.metric("sluice_gap_detected_total", f'kind="{kind}"'), f"a gap of kind {kind}")

    def trim(self, offsets, policy):
        """Records before these offsets go, as retention would take them; then the policy is what it was."""
        self.admin.alter(self.docs, {"cleanup.policy": "delete"})
        wait_for(lambda: self.tried_to_trim(offsets), "the records to be deleted")
        self.admin.alter(self.docs, policy)

    def tried_to_trim(self, offsets):
        try:
            self.admin.trim(self.docs, offsets)
        except AssertionError:
            return False
        return [low for low, _ in self.admin.marks(self.docs)] == offsets

    def remake(self, partitions=1, policy=None):
        self.admin.delete(self.docs)
        wait_for(lambda: not self.admin._exists(self.docs, partitions), "the topic to go")
        wait_for(lambda: self.made(partitions, policy), "the topic to come back")

    def made(self, partitions, policy):
        try:
            self.admin.create(self.docs, partitions, policy)
        except AssertionError:
            return False
        return True

    def roll(self, partition=0):
        """Let the segment end, so that what lies in it may be cleaned."""
        for i in range(3):
            time.sleep(0.3)
            self.put(f"roll-{partition}-{i % 2}")

    def log_keys(self):
        return [r.key.decode() for r in self.admin.consume(self.docs) if r.value is not None]

    def differences(self, daemon):
        """Documents that are in the index and not in the log, or the other way round, or other ones."""
        last = {}
        for record in self.admin.consume(self.docs):
            last[record.key.decode()] = record.value and record.value.decode()
        wanted = {key: text for key, text in last.items() if text is not None}
        found = {key: d["text"] for key, d in daemon.export().items()}
        return [key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key)]

    def same_as_log(self, daemon, faults=1):
        different = self.differences(daemon)
        prove.proved("documents.gaps", "after a gap resync leaves exactly what the log holds", faults=faults,
                     violations=len(different))
        self.assertEqual(different, [])

    # ---- retention: the stored position lies before the log's beginning

    def lose_records(self, daemon, policy):
        self.assertEqual(daemon.stop(), 0)
        self.put(*(f"lost-0-{i}" for i in range(5)))
        self.put(*(f"new-0-{i}" for i in range(5)))
        self.trim([15], policy)

    def test_retention_halts(self):
        daemon = self.begin(COMPACT, "halt")
        self.lose_records(daemon, COMPACT)
        daemon.start(wait=False)
        self.halted(daemon, f"{self.docs}/0", "stored position 10", "15 to 20", "retention", "on_gap = resync")
        self.assertEqual(len(daemon.export()), 10)

    def test_retention_continues(self):
        daemon = self.begin(COMPACT, "continue")
        self.lose_records(daemon, COMPACT)
        daemon.start()
        self.counted(daemon, "retention")
        self.wait_read(daemon)
        self.assertEqual(sorted(daemon.export()), sorted([f"old-0-{i}" for i in range(10)] + [f"new-0-{i}" for i in range(5)]))
        self.assertIn("gap_skipped", daemon.log())

    def test_retention_resyncs(self):
        daemon = self.begin(COMPACT, "resync")
        self.lose_records(daemon, COMPACT)
        daemon.start()
        self.counted(daemon, "retention")
        self.wait_read(daemon)
        self.same_as_log(daemon)
        self.assertEqual(daemon.metric("sluice_documents_swept_total"), 10)
        daemon.ctl("verify")
        # It is over: a restart finds nothing to do.
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        self.assertIn(daemon.metric("sluice_gap_detected_total", None), (None, 0))

    def test_without_the_sweep_the_documents_stay(self):
        """The control: what resync deletes is seen by the test."""
        daemon = self.begin(COMPACT, "resync")
        daemon.program = os.path.join(TESTS, "sluiced_no_sweep")
        self.lose_records(daemon, COMPACT)
        daemon.start()
        self.counted(daemon, "retention")
        self.wait_read(daemon)
        different = self.differences(daemon)
        prove.control("documents.gaps", violations=len(different))
        self.assertEqual(sorted(different), [f"old-0-{i}" for i in range(10)])

    # ---- an outage longer than retention on a topic that is not compacted alone deletes nothing

    def long_outage(self, on_gap, policy, **more):
        daemon = self.begin(policy, on_gap, **more)
        self.lose_records(daemon, policy)
        daemon.start(wait=False)
        return daemon

    def test_nothing_is_deleted_where_time_deletes(self):
        daemon = self.long_outage("resync", {"cleanup.policy": "delete"})
        self.halted(daemon, "retention", "resync is for topics whose cleanup.policy is compact alone")
        self.assertEqual(len(daemon.export()), 10)
        daemon.sections["documents"]["on_gap"] = "continue"
        daemon.write_config()
        daemon.start()
        self.wait_read(daemon)
        self.assertEqual(len(daemon.export()), 15)

    def test_nothing_is_deleted_where_time_deletes_too(self):
        daemon = self.long_outage("resync", {"cleanup.policy": "compact,delete"}, documents={"cleanup": "compact"})
        self.halted(daemon, "retention")
        self.assertEqual(len(daemon.export()), 10)

    def test_nothing_is_deleted_where_the_configuration_says_so(self):
        daemon = self.long_outage("resync", COMPACT, documents={"cleanup": "delete"})
        self.halted(daemon, "retention")
        self.assertEqual(len(daemon.export()), 10)

    def test_imported_documents_are_never_swept(self):
        daemon = self.begin(COMPACT, "resync")
        self.assertEqual(daemon.stop(), 0)
        line = json.dumps({"_id": "imported", "text": "The dulse is red."})
        daemon.ctl("import", "--jsonl", "-", "--topic", self.docs, stdin=line.encode())
        self.lose_records(daemon, COMPACT)
        daemon.start()
        self.wait_read(daemon)
        found = daemon.export()
        self.assertIn("imported", found)
        self.assertNotIn("old-0-1", found)

    # ---- the log is another one

    def test_truncated_halts(self):
        daemon = self.begin(COMPACT, "halt")
        self.assertEqual(daemon.stop(), 0)
        self.remake(policy=COMPACT)
        self.put("new-0-0")
        daemon.start(wait=False)
        self.halted(daemon, "stored position 10", "0 to 1", "truncated")

    def test_truncated_continues_and_new_records_win(self):
        daemon = self.begin(COMPACT, "continue")
        self.assertEqual(daemon.stop(), 0)
        self.remake(policy=COMPACT)
        self.put("old-0-3", "new-0-0", text="The dulse is red.")
        self.delete("old-0-4")
        daemon.start()
        self.counted(daemon, "truncated")
        self.wait_read(daemon)
        found = daemon.export()
        self.assertEqual(sorted(found), sorted([f"old-0-{i}" for i in range(10) if i != 4] + ["new-0-0"]))
        self.assertIn("dulse", found["old-0-3"]["text"])
        self.assertIn(daemon.metric("sluice_documents_stale_total"), (None, 0))

    def test_recreated_resyncs(self):
        """As long as the old one: only the stored record's checksum tells. Questions are answered meanwhile."""
        daemon = self.begin(COMPACT, "resync")
        self.assertEqual(daemon.stop(), 0)
        self.remake(policy=COMPACT)
        self.put(*(f"new-0-{i}" for i in range(11)))
        self.put("old-0-3")
        daemon.start()
        self.counted(daemon, "recreated")
        self.wait_read(daemon)
        self.same_as_log(daemon)
        self.assertEqual(daemon.metric("sluice_documents_swept_total"), 9)
        # Nothing was stored again that the log holds as it was.
        self.assertEqual(daemon.metric("sluice_documents_applied_total", 'op="touch"'), 1)

    def test_recreated_while_running(self):
        """The topic goes and comes back under the daemon's eyes."""
        daemon = self.begin(COMPACT, "resync", partitions=2)
        self.remake(partitions=2, policy=COMPACT)
        self.put("new-0-0", "old-1-1")
        self.counted(daemon, "truncated")
        wait_for(lambda: sorted(daemon.export()) == ["new-0-0", "old-1-1"],
                 lambda: f"two documents; there are {sorted(daemon.export())}\n{daemon.log_tail()}")
        self.same_as_log(daemon)
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")

    def test_trimmed_while_running(self):
        """Out of range while it reads: more is taken away under it than a fetch holds."""
        daemon = self.begin(COMPACT, "halt")
        daemon.signal(signal.SIGSTOP)
        self.put(*(f"lost-0-{i}" for i in range(80)), text="The kelp is brown. " * 20000)
        self.trim([90], COMPACT)
        daemon.signal(signal.SIGCONT)
        self.halted(daemon, "retention")

    def test_another_cluster_is_refused(self):
        daemon = self.begin(COMPACT, "halt")
        self.assertEqual(daemon.stop(), 0)
        daemon.sections["kafka"]["bootstrap.servers"] = self.mock(f"{self.docs}:1").bootstrap
        daemon.write_config()
        daemon.start(wait=False)
        self.assertEqual(daemon.process.wait(60), 78)
        self.assertIn("holds documents of Kafka cluster", daemon.log())

    # ---- missed tombstones

    def miss_tombstones(self, daemon):
        """Two documents are deleted while the daemon is away, and the tombstones go before it is back."""
        self.assertEqual(daemon.stop(), 0)
        self.delete("old-0-1", "old-0-2")
        self.roll()
        gone = ("old-0-1", "old-0-2")
        wait_for(lambda: self.cleaned(gone), "the cleaner to take the tombstones", 120)

    def cleaned(self, keys):
        self.roll()
        return not any(r.key.decode() in keys for r in self.admin.consume(self.docs))

    def test_missed_tombstones_halt(self):
        daemon = self.begin(FORGETFUL, "halt")
        self.miss_tombstones(daemon)
        daemon.start(wait=False)
        self.halted(daemon, "tombstone", "on_gap = resync")

    def test_missed_tombstones_resync(self):
        daemon = self.begin(FORGETFUL, "resync")
        self.miss_tombstones(daemon)
        self.assertIn("old-0-1", daemon.export())
        daemon.start()
        self.counted(daemon, "tombstone")
        self.wait_read(daemon)
        self.same_as_log(daemon)
        self.assertNotIn("old-0-1", daemon.export())

    def test_missed_tombstones_continue(self):
        """Also the control: without the sweep, what was deleted comes up again."""
        daemon = self.begin(FORGETFUL, "continue")
        self.miss_tombstones(daemon)
        daemon.start()
        self.counted(daemon, "tombstone")
        self.wait_read(daemon)
        self.assertIn("old-0-1", daemon.export())

    # ---- killed in the middle

    def test_resync_goes_on_after_kills(self):
        """Killed in every step of it; what the log holds is found after each kill, and in the end nothing else."""
        self.names, config = self.topics(2, COMPACT)
        self.docs = self.names["docs"]
        config["documents"]["on_gap"] = "resync"
        config["workers"] = {"queue_items": 300}
        keys = [f"doc-{i % 2}-{i}" for i in range(2000)]
        kept = [key for i, key in enumerate(keys) if i % 4 < 2]
        self.put(*keys)
        daemon = self.daemon(self.broker, config)
        self.wait_read(daemon)
        self.assertEqual(daemon.stop(), 0)
        self.remake(2, COMPACT)
        self.put(*kept)
        daemon.program = os.path.join(TESTS, "sluiced_small_steps")
        seen, kills, rng = set(), 0, random.Random(1)
        while kills < 60:
            daemon.start(wait=False)
            wait_for(lambda: self.steps(daemon) is not None, "its partitions")
            time.sleep(rng.random() * 0.3)
            steps = self.steps(daemon)
            daemon.kill()
            kills += 1
            seen |= steps
            daemon.ctl("verify")
            self.assertEqual(set(kept) - set(daemon.export()), set(), "not found in the middle of a resync")
            if not steps and kills > 3:
                break
        daemon.start()
        self.wait_read(daemon)
        self.same_as_log(daemon, faults=kills)
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")
        print(f"killed {kills} times, in the steps {sorted(seen)}", flush=True)
        self.assertEqual(sorted(seen), ["doubt", "read", "sweep"], "a step was never hit")

    def steps(self, daemon):
        """The steps its partitions are in; None while it knows none."""
        status, text = daemon.http("/status.json")
        partitions = json.loads(text)["partitions"] if status == 200 else []
        return {p["resync"] for p in partitions if "resync" in p} if len(partitions) == 2 else None


if __name__ == "__main__":
    sluice_test.main()
