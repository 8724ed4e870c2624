"""kill -9 at any moment, and every record of a real broker's log is applied to the index exactly once.

A loader writes transactions that commit or abort, so that offsets have holes by control records and aborted data,
while the daemon is killed again and again. Each application leaves a row in the index, in its own transaction
(tests/kafka/applies_counted.c), so nothing is believed that could die with a process. The controls are the same
program with one mechanism taken out, and must be caught.

SLUICE_TEST_KILLS and SLUICE_TEST_RECORDS make it longer.
"""

import json
import os
import random
import subprocess
import time

import prove
import sluice_test
from sluice_test import wait_for

KILLS = int(os.environ.get("SLUICE_TEST_KILLS", "20"))
RECORDS = int(os.environ.get("SLUICE_TEST_RECORDS", "12000"))
SEED = int(os.environ.get("SLUICE_TEST_SEED", "1"))
CONTROL_KILLS = 30  # at most; a control ends when it is caught
CONTROL_RECORDS = 9000
PACE_US = "500"  # a document's time with a worker: a kill is to meet some under way, however fast the machine
PARTITIONS = 8
KEYS = 5000
STALE = "7"  # SL_APPLIED_STALE
TESTS = os.path.join(sluice_test.BUILD, "tests")
SENTENCES = ("The pilot boarded the vessel at the outer buoy.", "The tide turned an hour after noon.",
             "Fog lay over the roads until the afternoon.", "The keeper wrote the time into the log.",
             "Nothing moved in the inner basin.", "A tug waited for the grain ship.")


class History:
    """What the loader committed, as the broker placed it."""

    def __init__(self, path):
        self.kinds = {}  # (partition, offset): V, T or B
        self.state = {}  # key: (partition, offset, text), once all is applied
        self.ends = {}   # partition: one more than its last record
        lines = []
        with open(path, encoding="ascii") as f:
            for line in f:
                partition, offset, key, kind, revision, count = line.split()
                lines.append((int(partition), int(offset), key, kind, int(revision), int(count)))
        for partition, offset, key, kind, revision, count in sorted(lines):
            self.kinds[partition, offset] = kind
            self.ends[partition] = offset + 1
            if kind == "T":
                self.state.pop(key, None)
            elif kind == "V":
                text = " ".join([f"Entry {revision} of {key}."] +
                                [SENTENCES[(revision + i) % 6] for i in range(count)])
                self.state[key] = (partition, offset, text)


class ExactlyOnceApply(sluice_test.RealBrokerCase):
    def setUp(self):
        self.names, self.config = self.topics(PARTITIONS)
        self.config["workers"] = {"threads": 3, "queue_items": 400}

    # ---- the parts

    def load(self, records, pause_ms):
        path = os.path.join(self.scratch(), "history")
        loader = sluice_test.spawn([os.path.join(TESTS, "tool_load"), self.broker.bootstrap, self.names["docs"],
                                    str(PARTITIONS), str(records), str(KEYS), str(SEED), path, str(pause_ms)])
        self.addCleanup(loader.wait)
        self.addCleanup(loader.kill)
        return loader, path

    def program(self, name):
        """A daemon run from another executable of this build."""
        daemon = self.daemon(self.broker, self.config, start=False)
        daemon.program = os.path.join(TESTS, name)
        daemon.environment = {"COUNTED_PACE_US": PACE_US}
        return daemon

    def ends(self):
        return [high for _, high in self.admin.marks(self.names["docs"])]

    def applications(self, daemon):
        """{(partition, offset): [code, ...]} of what is in the index."""
        done = subprocess.run([os.path.join(TESTS, "tool_applies"), daemon.index], check=True,
                              stdout=subprocess.PIPE, text=True)
        found = {}
        for line in done.stdout.splitlines():
            partition, offset, codes = line.split()
            found[int(partition), int(offset)] = codes.split(",")
        return found

    def stored(self, daemon):
        """{partition: (next offset, how many ranges beyond it)} as stored."""
        stats = json.loads(daemon.ctl("stats", "--json").stdout)
        return {p["partition"]: (p["next_offset"], p["completed_beyond"]) for p in stats["positions"]
                if p["topic"] == self.names["docs"]}

    def run_and_kill(self, daemon, rng):
        """One life: a third of them end while it starts, the others at work."""
        daemon.start(wait=False)
        if rng.random() < 0.33:
            time.sleep(rng.random() * 0.4)
        else:
            wait_for(lambda: daemon.check_alive() and daemon.positions(), "its first positions")
            time.sleep(rng.random() ** 2 * 1.5)
        daemon.check_alive()
        daemon.kill()

    def finish(self, daemon, history):
        """Let it come to the end undisturbed."""
        daemon.environment = {}
        daemon.start(wait=False)
        wanted = {f'{self.names["docs"]}/{p}': end for p, end in history.ends.items()}
        wait_for(lambda: daemon.check_alive() and
                 all(daemon.positions().get(p, -1) >= end for p, end in wanted.items()),
                 lambda: f"positions {wanted}; they are {daemon.positions()}\n{daemon.log_tail()}", 240)
        wait_for(lambda: daemon.http("/readyz")[0] == 200, "it to be ready")

    # ---- what must hold

    def violations(self, daemon, history):
        """What is not as promised, as lines; none is what is wanted."""
        found = []
        applied = self.applications(daemon)
        wanted = {place for place, kind in history.kinds.items() if kind != "B"}
        for place in sorted(wanted - applied.keys()):
            found.append(f"{place} was never applied")
        for place in sorted(applied.keys() - wanted):
            found.append(f"{place} was applied and is no record of the log")
        for place, codes in sorted(applied.items()):
            if len(codes) != 1:
                found.append(f"{place} was applied {len(codes)} times")
            if STALE in codes:
                found.append(f"{place} came after a newer one")
        documents = {}
        for line in daemon.ctl("export", "--jsonl", "--origin").stdout.splitlines():
            document = json.loads(line)
            documents[document["_id"]] = document
        for key in sorted(documents.keys() ^ history.state.keys()):
            found.append(f"document {key} is " + ("missing" if key in history.state else "not of the log"))
        for key, document in documents.items():
            version = (document["_partition"], document["_offset"], document["text"])
            if key in history.state and version != history.state[key]:
                found.append(f"document {key} is {version}, not {history.state[key]}")
        return found

    # ---- the tests

    def test_killed_at_random(self):
        rng = random.Random(SEED)
        daemon = self.program("sluiced_counted")
        loader, path = self.load(RECORDS, pause_ms=40)
        in_the_middle = with_ranges = 0
        for _ in range(KILLS):
            self.run_and_kill(daemon, rng)
            daemon.ctl("verify")
            stored, ends = self.stored(daemon), self.ends()
            in_the_middle += any(stored.get(p, (0, 0))[0] < end for p, end in enumerate(ends))
            with_ranges += any(ranges for _, ranges in stored.values())
        self.assertEqual(loader.wait(600), 0)
        history = History(path)
        self.finish(daemon, history)
        self.assertIn(daemon.metric("sluice_documents_stale_total"), (None, 0))
        letters = daemon.client.consume(self.names["dead"])
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")
        found = self.violations(daemon, history)
        prove.proved("documents.exactly_once", "every committed record is applied once, and the index is the model's",
                     faults=KILLS, violations=len(found), records=len(history.kinds),
                     holes=sum(self.ends()) - len(history.kinds))
        self.assertEqual(found, [])
        self.assertEqual([self.stored(daemon)[p] for p in range(PARTITIONS)],
                         [(end, 0) for end in self.ends()], "the positions are not the ends of the log")
        # A bad record leaves a dead letter, more than once perhaps, always under one id.
        bad = {place for place, kind in history.kinds.items() if kind == "B"}
        places = {(int(l.header("__connect.errors.partition")), int(l.header("__connect.errors.offset")))
                  for l in letters}
        self.assertEqual(places, bad)
        self.assertEqual(len({l.header("sluice-dlq-id") for l in letters}), len(bad))
        applied = self.applications(daemon)
        self.assertEqual(sum(map(len, applied.values())) + len(bad), len(history.kinds))
        holes = sum(self.ends()) - len(history.kinds)
        print(f"{KILLS} kills, {in_the_middle} in the middle of the log, {with_ranges} with records done beyond the "
              f"frontier; {len(history.kinds)} records ({len(bad)} bad), {holes} holes; applied {len(applied)}, "
              f"twice 0, stale 0; {len(history.state)} documents as in the model", flush=True)
        self.assertGreater(in_the_middle, 0, "no kill hit the middle: the test has tested nothing")
        self.assertGreater(with_ranges, 0, "no kill found records done beyond the frontier")
        self.assertGreater(holes, len(history.kinds) // 20, "too few holes in the log")

    def control(self, program, sign):
        """With one mechanism taken out, something must be found, and of the kind that mechanism prevents."""
        rng = random.Random(SEED)
        daemon = self.program(program)
        loader, path = self.load(CONTROL_RECORDS, pause_ms=0)
        self.assertEqual(loader.wait(600), 0)
        history = History(path)
        for kills in range(CONTROL_KILLS):
            daemon.start(wait=False)
            wait_for(lambda: daemon.check_alive() and daemon.positions(), "its first positions")
            time.sleep(rng.random() * 0.2)
            daemon.kill()
            # What was lost shows in the end alone; what was applied twice, at once.
            if any(len(codes) > 1 for codes in self.applications(daemon).values()):
                break
            if all(self.stored(daemon).get(p, (0, 0))[0] >= end for p, end in history.ends.items()):
                break
        self.finish(daemon, history)
        self.assertEqual(daemon.stop(), 0)
        found = self.violations(daemon, history)
        prove.control("documents.exactly_once", violations=sum(sign in line for line in found))
        print(f"{program}: {len(found)} violations after {kills + 1} kills, {found[:2]}", flush=True)
        self.assertTrue(any(sign in line for line in found), f"{program} was not caught: {found[:5]}")

    def test_commit_of_unknown_outcome(self):
        """A commit that is on disk and said to have failed, or that nobody heard of again: harmless either way."""
        daemon = self.program("sluiced_counted")
        loader, path = self.load(3000, pause_ms=0)
        self.assertEqual(loader.wait(600), 0)
        history = History(path)
        ends = {"fail": 74, "die": 99, "before": 99}
        rounds = 0
        for number, how in enumerate(list(ends) * 3):
            daemon.environment = {"LD_PRELOAD": os.path.join(TESTS, "commit_shim.so"),
                                  "COMMIT_SHIM": f"{3 + number}:{how}"}
            daemon.start(wait=False)
            wait_for(lambda: daemon.process.poll() is not None or daemon.http("/readyz")[0] == 200, "its end")
            if daemon.process.poll() is None:
                break  # all was applied before that commit
            self.assertEqual(daemon.process.returncode, ends[how], daemon.log_tail())
            daemon.ctl("verify")
            rounds += 1
        daemon.kill()
        daemon.environment = {}
        self.finish(daemon, history)
        self.assertEqual(daemon.stop(), 0)
        found = self.violations(daemon, history)
        prove.proved("documents.unknown_commit", "a commit of unknown outcome is harmless", faults=rounds,
                     violations=len(found))
        self.assertEqual(found, [])
        self.assertGreaterEqual(rounds, 3, "too few commits failed")

    def test_control_positions_before_the_data(self):
        self.control("sluiced_positions_before", "never applied")

    def test_control_positions_after_the_data(self):
        self.control("sluiced_positions_after", "times")

    def test_control_done_beyond_is_forgotten(self):
        self.control("sluiced_not_carried", "times")


if __name__ == "__main__":
    sluice_test.main()
