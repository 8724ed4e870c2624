"""The daemon and a disk in trouble: full, failing, damaged, cut short.

As root the disk is a tmpfs of the daemon's own, in a mount namespace of its own; without root those tests are skipped.
"""

import json
import os
import re
import shutil
import subprocess
import time

import prove
import sluice_test
from sluice_test import BUILD, wait_for

SHIM = os.path.join(BUILD, "tests", "disk_shim.so")
WORDS = "grey brown black white spotted striped crested hooded ringed masked".split()


def fact(number, version=0):
    filler = " ".join(f"w{(number * 31 + i * 7 + version) % 997}" for i in range(60))
    return f"The lantern of buoy b{number} is {WORDS[(number + version) % 10]}. {filler}"


class Disk(sluice_test.Case):
    def produce(self, daemon, numbers, size=0):
        daemon.client.produce_many([{"topic": "docs", "key": f"gull-{n}", "value": fact(n) + " x" * size}
                                    for n in numbers])

    def check_answer(self, daemon, number):
        colour = WORDS[number % 10]
        answer = daemon.answer(f"Is the lantern of buoy b{number} {colour}?")
        self.assertEqual(answer["status"], "answered", answer)
        self.assertIn(f"buoy b{number} is {colour}", str(answer))

    def check_whole(self, daemon, numbers):
        self.assertEqual(daemon.ctl("verify", check=False).returncode, 0)
        self.assertEqual(set(daemon.export()), {f"gull-{n}" for n in numbers})
        self.assertEqual(daemon.metric("sluice_documents_stale_total") or 0, 0)


class Full(Disk):
    def on_small_disk(self, daemon, size):
        """Start it in a mount namespace of its own, its index on a tmpfs of that size. Returns where that is seen."""
        if os.geteuid() != 0:
            self.skipTest("mounting needs root")
        os.makedirs(daemon.index, exist_ok=True)
        script = (f"mount -t tmpfs -o size={size} tmpfs '{daemon.index}' && "
                  f"exec '{daemon.program}' -c '{daemon.config_file}'")
        with open(daemon.log_file, "ab") as log:
            daemon.process = sluice_test.spawn(["unshare", "-m", "sh", "-c", script],
                                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            daemon.wait_ready()
        except AssertionError as e:
            if "mount:" in str(e) or "unshare:" in str(e):
                self.skipTest("mounting is not allowed here")
            raise
        return f"/proc/{daemon.process.pid}/root{daemon.index}"

    def paused(self, daemon, word):
        return daemon.check_alive() and daemon.metric("sluice_kafka_partitions_paused", f'reason="{word}"')

    def test_disk_full(self):
        daemon = self.daemon(self.mock(), start=False)
        disk = self.on_small_disk(daemon, "12m")
        self.produce(daemon, range(50))
        daemon.wait_applied()
        ballast = os.path.join(disk, "ballast")
        room = os.statvfs(disk)
        with open(ballast, "wb") as f:
            f.write(b"x" * (room.f_bavail * room.f_frsize - (1 << 20)))
        self.produce(daemon, range(50, 400), size=4000)
        wait_for(lambda: self.paused(daemon, "disk_full"), "a pause for want of room")
        status = json.loads(daemon.http("/status.json")[1])
        self.assertEqual((status["state"], status["reason"]), ("paused", "disk_full"))
        self.assertGreater(daemon.metric("sluice_lmdb_commit_failures_total", 'code="disk_full"') or 0, 0)
        for number in (3, 17, 49):
            self.check_answer(daemon, number)
        self.assertEqual(daemon.log().count("index_full"), 1)
        time.sleep(3)  # it stays so, and says so once
        daemon.check_alive()
        self.assertEqual(daemon.log().count("index_full"), 1)
        shutil.copyfile("/dev/null", ballast)
        daemon.wait_applied()
        wait_for(lambda: not self.paused(daemon, "disk_full"), "the end of the pause")
        self.assertEqual(daemon.log().count("index_resumed"), 1)
        self.check_answer(daemon, 399)
        applied = daemon.metric("sluice_documents_applied_total", 'op="upsert"')
        self.assertEqual(applied, 400)
        wait_for(lambda: daemon.metric("sluice_index_documents") == 400, "the gauge, read once a second, to say 400")
        self.assertEqual(daemon.metric("sluice_documents_stale_total") or 0, 0)
        self.assertEqual(daemon.stop(), 0)
        prove.proved("disk.full", "a full disk pauses documents, not questions, and nothing is lost", faults=1)

    def test_map_full(self):
        broker = self.mock("docs:8,questions:1,answers:1,docs.dlq:1")  # it keeps some 2 MiB of each partition
        daemon = self.daemon(broker, {"index": {"map_size_max": "16M"}})
        self.produce(daemon, range(40))
        daemon.wait_applied()
        self.produce(daemon, range(40, 740), size=20000)
        wait_for(lambda: self.paused(daemon, "map_full"), "a pause for want of room in the map")
        self.assertEqual(json.loads(daemon.http("/status.json")[1])["reason"], "map_full")
        for number in (3, 39):
            self.check_answer(daemon, number)
        self.assertEqual(daemon.log().count("index_full"), 1)
        self.assertEqual(daemon.stop(), 0)
        daemon.sections["index"]["map_size_max"] = "256M"
        daemon.write_config()
        daemon.start()
        daemon.wait_applied()
        self.check_answer(daemon, 739)
        self.assertEqual(daemon.stop(), 0)
        self.check_whole(daemon, range(740))
        prove.proved("disk.full", "a full disk pauses documents, not questions, and nothing is lost", faults=1)


class Failing(Disk):
    def start_failing(self, daemon, order):
        with open(daemon.log_file, "ab") as log:
            daemon.process = sluice_test.spawn([daemon.program, "-c", daemon.config_file], stdin=subprocess.DEVNULL,
                                               stdout=log, stderr=log,
                                               env={**os.environ, "LD_PRELOAD": SHIM, "DISK_FAIL": order})

    def test_io_error_ends_it(self):
        """EIO: exit 74 and a sentence; started again, it goes on where it was."""
        if not os.path.exists(SHIM):
            self.skipTest("no disk_shim.so in this build")
        daemon = self.daemon(self.mock(), start=False)
        self.produce(daemon, range(200))
        for order in ("fdatasync:3:EIO:once", "any:2:EIO:forever"):
            self.start_failing(daemon, order)
            self.assertEqual(daemon.process.wait(60), 74, daemon.log_tail())
            self.assertRegex(daemon.log(), r"failed: .*(Input/output error|committing)")
        daemon.start()
        daemon.wait_applied()
        self.check_answer(daemon, 7)
        self.assertEqual(daemon.stop(), 0)
        self.check_whole(daemon, range(200))


def flip(directory, text, bit=1):
    """Change one bit in each copy of the text that is on disk."""
    flipped = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            if name != "data.mdb":
                continue
            with open(path, "r+b") as f:
                data = f.read()
                for match in re.finditer(re.escape(text), data):
                    f.seek(match.start())
                    f.write(bytes([data[match.start()] ^ bit]))
                    flipped += 1
    return flipped


class Damaged(Disk):
    def restored(self, daemon):
        return daemon.check_alive() and daemon.metric("sluice_quarantined_documents") == 0 and \
            (daemon.metric("sluice_checksum_failures_total", 'db="document"') or 0) > 0

    def test_found_at_the_start(self):
        daemon = self.daemon(self.mock())
        self.produce(daemon, range(100))
        daemon.wait_applied()
        self.assertEqual(daemon.stop(), 0)
        self.assertGreater(flip(daemon.index, b"lantern of buoy b42 is"), 0)
        self.assertEqual(daemon.ctl("verify", check=False).returncode, 65)
        daemon.start()
        wait_for(lambda: self.restored(daemon), lambda: "the document to come back\n" + daemon.log_tail())
        self.check_answer(daemon, 42)
        self.assertIn("document_quarantined", daemon.log())
        self.assertEqual(daemon.stop(), 0)
        self.check_whole(daemon, range(100))
        prove.proved("disk.damaged_document", "a damaged document is taken out and read again from Kafka", faults=1)

    def test_found_while_serving(self):
        daemon = self.daemon(self.mock())
        self.produce(daemon, range(100))
        daemon.wait_applied()
        self.check_answer(daemon, 41)
        self.assertGreater(flip(daemon.index, b"lantern of buoy b42 is"), 0)
        answer = daemon.answer("Is the lantern of buoy b42 black?")
        self.assertNotIn("mantern", str(answer))
        wait_for(lambda: self.restored(daemon), lambda: "the document to come back\n" + daemon.log_tail())
        self.check_answer(daemon, 42)
        self.assertEqual(daemon.stop(), 0)
        self.check_whole(daemon, range(100))
        prove.proved("disk.damaged_document", "a damaged document is taken out and read again from Kafka", faults=1)

    def test_record_is_gone(self):
        """Kafka does not have it any more: it stays out, and is named, until somebody writes it again."""
        daemon = self.daemon(self.mock("docs:1,questions:1,answers:1,docs.dlq:1"))
        self.produce(daemon, range(20))
        daemon.wait_applied()
        for first in range(20, 36, 4):  # the mock keeps some 2 MiB
            self.produce(daemon, range(first, first + 4), size=200000)
            daemon.wait_applied()
        self.assertGreater(daemon.client.marks("docs")[0][0], 7)
        self.assertEqual(daemon.stop(), 0)
        self.assertGreater(flip(daemon.index, b"lantern of buoy b7 is"), 0)
        daemon.start()
        wait_for(lambda: "document_lost" in daemon.log(), lambda: "the record to be missed\n" + daemon.log_tail())
        wait_for(lambda: daemon.metric("sluice_quarantined_documents") == 1, "the gauge, read once a second, to say 1")
        self.check_answer(daemon, 8)
        said = daemon.ctl("verify", check=False)
        self.assertEqual(said.returncode, 65)
        self.assertIn("gull-7", said.stdout.decode() + said.stderr.decode())
        self.produce(daemon, [7])
        wait_for(lambda: self.restored(daemon), "the document to be whole again")
        self.check_answer(daemon, 7)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(daemon.ctl("verify", check=False).returncode, 0)

    def test_cut_short(self):
        """Under its feet: exit 74 and a sentence, no crash. At the next start: 65, and what to do."""
        daemon = self.daemon(self.mock())
        self.produce(daemon, range(100), size=2000)
        daemon.wait_applied()
        data = os.path.join(daemon.index, "env.0", "data.mdb")
        os.truncate(data, 8192)
        try:
            daemon.answer("Is the lantern of buoy b42 black?", seconds=10)
        except AssertionError:
            pass
        self.assertIn(daemon.process.wait(30), (65, 74), daemon.log_tail())
        self.assertRegex(daemon.log(), "the index file cannot be read|cut short|damaged")
        daemon.start(wait=False)
        self.assertEqual(daemon.process.wait(30), 65, daemon.log_tail())
        self.assertIn("cut short", daemon.log())
        self.assertIn("empty the directory", daemon.log())
        shutil.rmtree(daemon.index)  # which is what it says
        daemon.start()
        daemon.wait_applied()
        self.check_answer(daemon, 42)


if __name__ == "__main__":
    sluice_test.main()
