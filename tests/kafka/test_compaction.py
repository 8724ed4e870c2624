"""The daemon written anew and copied while it works: `sluicectl compact`, `sluicectl backup`, erasure."""

import os
import shutil
import threading
import unittest

import sluice_test
from sluice_test import wait_for

SECRET = "Agathe Zwetschge hid the ledger under the third stair."


def holding(directory, text):
    """Files under the directory that hold these bytes."""
    found = []
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    if text in f.read():
                        found.append(path)
    return found


class Compaction(sluice_test.Case):
    def filled(self, count=300):
        daemon = self.daemon(self.mock())
        daemon.client.produce_many([{"topic": "docs", "key": f"k{i}", "value": f"Lantern number {i} of the mole is green."}
                                    for i in range(count)])
        daemon.wait_applied()
        return daemon

    def test_while_questions_are_asked(self):
        daemon = self.filled()
        daemon.client.produce("docs", b"agathe", SECRET)
        daemon.wait_applied()
        self.assertEqual(daemon.answer("Where is the ledger of Agathe Zwetschge?")["status"], "answered")
        daemon.client.produce("docs", b"agathe", None)
        daemon.wait_applied()
        asked, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                asked.append(daemon.answer("Is lantern number 7 green?")["status"])

        thread = threading.Thread(target=ask)
        thread.start()
        before = daemon.positions()
        done = daemon.ctl_json("compact")
        again = daemon.ctl_json("compact")
        stop.set()
        thread.join()
        self.assertGreater(done["before_bytes"], 0)
        self.assertGreater(again["after_bytes"], 0)
        self.assertEqual(set(asked), {"answered"})
        self.assertEqual(daemon.positions(), before)
        self.assertEqual(daemon.metric("sluice_index_compactions_total", 'result="done"'), 2)
        self.assertIn("compaction_finished", daemon.log())
        wait_for(lambda: sorted(n for n in os.listdir(daemon.index) if n.startswith("env.")) == ["env.2"],
                 lambda: f"the old environments to go: {os.listdir(daemon.index)}")
        self.assertEqual(daemon.answer("Where is the ledger of Agathe Zwetschge?").get("citations"), [])
        daemon.client.produce("docs", b"late", "The bell of the mole is silver.")
        daemon.wait_applied()
        self.assertEqual(daemon.answer("Is the bell of the mole silver?")["citations"][0]["doc"], "late")
        self.assertEqual(daemon.ctl_json("verify")["faults"], 0)
        self.assertEqual(daemon.stop(), 0)

    def test_what_was_deleted_is_gone(self):
        daemon = self.filled(20)
        daemon.client.produce("docs", b"agathe", SECRET)
        daemon.wait_applied()
        daemon.answer("Where is the ledger of Agathe Zwetschge?")
        daemon.client.produce("docs", b"agathe", None)
        daemon.wait_applied()
        self.assertTrue(holding(daemon.index, SECRET.encode()), "the control: deleting alone leaves the bytes")
        daemon.ctl("compact")
        wait_for(lambda: not holding(daemon.index, SECRET.encode()),
                 lambda: f"the text to be gone: {holding(daemon.index, SECRET.encode())}")
        self.assertEqual(holding(daemon.index, b"zwetschg"), [], "its terms")
        self.assertTrue(holding(daemon.index, b"agathe"), "the tombstone keeps the key")
        self.assertEqual(daemon.stop(), 0)
        self.assertIn("bytes before", daemon.ctl("compact").stdout.decode())  # and without a daemon
        self.assertEqual(daemon.ctl_json("verify")["faults"], 0)

    def test_backup_continues(self):
        daemon = self.filled()
        stop, count = threading.Event(), [0]

        def write():
            while not stop.is_set():
                daemon.client.produce("docs", f"w{count[0] % 50}".encode(), f"The tide stands at {count[0]} marks.")
                count[0] += 1

        thread = threading.Thread(target=write)
        thread.start()
        copy = os.path.join(daemon.directory, "copy")
        wait_for(lambda: count[0] > 20, "some records")
        daemon.ctl("backup", copy)
        stop.set()
        thread.join()
        refused = daemon.ctl("backup", copy, check=False)
        self.assertEqual(refused.returncode, 64)
        self.assertIn("must be an empty directory", refused.stderr.decode())
        daemon.wait_applied()
        whole, positions = daemon.export(), daemon.positions()
        self.assertEqual(daemon.stop(), 0)
        shutil.rmtree(daemon.index)
        os.rename(copy, daemon.index)
        self.assertEqual(daemon.ctl_json("verify")["faults"], 0)
        at = {f'{p["topic"]}/{p["partition"]}': p["next_offset"] for p in daemon.ctl_json("stats")["positions"]}
        self.assertTrue(all(0 < at[p] <= positions[p] for p in at), f"{at} of {positions}")
        daemon.start()
        daemon.wait_applied()
        self.assertEqual(daemon.export(), whole)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
