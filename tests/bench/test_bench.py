#!/usr/bin/env python3
"""The benchmarks on the first thousand vectors of mnist9k: they run, count right, and their plots are XML."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BENCH = os.path.join(os.environ.get("SLUICE_BUILD", os.path.join(ROOT, "build", "full")), "bin", "sluice-bench")
DATA = os.path.join(os.path.dirname(ROOT), "shared", "data", "ann-vectors")
LIMIT = 1000

sys.path.insert(0, os.path.join(ROOT, "bench", "ann"))
import plots # noqa: E402
import report # noqa: E402


def rows_of(path):
    """The rows of an .ivecs file."""
    with open(path, "rb") as file:
        raw = file.read()
    rows, at = [], 0
    while at < len(raw):
        (count,) = struct.unpack_from("<i", raw, at)
        rows.append(struct.unpack_from("<%di" % count, raw, at + 4))
        at += 4 + 4 * count
    return rows


class Tools(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)

    def bench(self, what, *words, code=0, given=""):
        command = [BENCH, what, "--base", os.path.join(DATA, "mnist9k_base.fvecs"), "--query",
                   os.path.join(self.place.name, "q.fvecs"), "--metric", "l2", "--limit", str(LIMIT),
                   "--dir", os.path.join(self.place.name, "index"), *words]
        with open(os.path.join(DATA, "mnist9k_query.fvecs"), "rb") as whole:
            head = whole.read(100 * (4 + 4 * 784)) # a hundred queries are enough
        with open(command[5], "wb") as out:
            out.write(head)
        done = subprocess.run(command, input=given, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_index(self):
        build, few, many = self.bench("index", "--ef", "16,128", "--threads", "2", "--queries-repeat", "3", "--commit", "300")
        self.assertEqual((build["vectors"], build["threads"]), (LIMIT, 2))
        self.assertGreater(build["written_bytes"], LIMIT * 784 * 4)
        self.assertGreaterEqual(many["recall@10"], 0.99)
        self.assertGreaterEqual(many["distances"], few["distances"])

    def test_session_answers_one_ef_a_line(self):
        lines = self.bench("index", "--session", given="16\n64\n16\n")
        self.assertEqual([line.get("ef") for line in lines], [None, 16, 64, 16])
        self.assertEqual(lines[1]["distances"], lines[3]["distances"])

    def test_small_codes_beside_full_vectors(self):
        _, found = self.bench("index", "--storage", "i8", "--ef", "64")
        self.assertGreaterEqual(found["recall@10"], 0.98)

    def churn(self, kind):
        plan = os.path.join(self.place.name, "plan.ivecs")
        lines = self.bench("churn", "--kind", kind, "--rounds", "12", "--every", "6", "--ef", "64", "--plan", plan)
        self.assertEqual([(line["phase"], line["round"]) for line in lines],
                         [("churn", 0), ("churn", 6), ("churn", 12), ("fresh", 12), ("churned", 12)])
        start, *moves = rows_of(plan)
        live = set(start)
        self.assertEqual(len(moves), 24)
        for out, into in zip(moves[::2], moves[1::2]):
            self.assertTrue(set(out) <= live and len(set(out)) == len(out), "what goes out is there")
            live -= set(out)
            self.assertTrue(not set(into) & live and len(set(into)) == len(into), "what comes in is not there yet")
            live |= set(into)
        for line in lines:
            self.assertEqual(line["unreachable"], 0)
            self.assertGreaterEqual(line["recall@10"], 0.97)
        self.assertEqual(lines[-1]["live"], len(live))
        self.assertEqual(lines[0]["live"], len(start))
        return moves

    def test_churn_random(self):
        moves = self.churn("random")
        self.assertEqual({len(move) for move in moves}, {LIMIT * 4 // 5 // 20})

    def test_churn_clustered(self):
        self.churn("clustered")

    def test_churn_drifting(self):
        moves = self.churn("drifting")
        self.assertEqual(len(set(sum(moves[::2], ()))), 12 * 40, "the window does not come back so soon")

    def test_ingest(self):
        lines = self.bench("ingest", "--ef", "32")
        self.assertEqual([line["pass"] for line in lines], ["idle", "busy", "ratio"])
        self.assertGreater(lines[1]["searches"], 0)

    def test_delete(self):
        (line,) = self.bench("delete")
        self.assertEqual((line["deleted"], line["unreachable"]), (LIMIT // 5, 0))

    def test_open(self):
        lines = self.bench("open")
        self.assertEqual([line["after"] for line in lines], ["kill", "close"])
        lines = self.bench("open", "--existing")
        self.assertEqual([line["after"] for line in lines], ["existing", "close"])

    def test_refuses(self):
        self.bench("index", "--storage", "i7", code=64)
        self.bench("churn", "--limit", "100", code=65)
        self.bench("index", "--dir", os.path.join(DATA, "README.md", "x"), code=74)


class Pictures(unittest.TestCase):
    def setUp(self):
        self.place = tempfile.TemporaryDirectory()
        self.addCleanup(self.place.cleanup)

    def check(self, path):
        tree = xml.etree.ElementTree.parse(path)
        self.assertTrue(tree.getroot().tag.endswith("svg"))
        self.assertLess(os.path.getsize(path), 20000)
        return {text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")}

    def test_plots_are_xml(self):
        path = os.path.join(self.place.name, "a.svg")
        plots.recall_against_speed(path, 'a < b & "c"', {"x & y": [(0.85, 900.0, 16), (0.99, 100.0, 64)], "<z>": [(1.0, 50.0, 16)]})
        self.assertLessEqual({'a < b & "c"', "x & y", "<z>", "0.95"}, self.check(path))
        plots.over_rounds(path, "churn", {"x": [(0, 0.98), (60, 0.97)]}, {"x": [(0, 1.0), (60, 1.25)]})
        self.check(path)

    def test_speed_at_equal_recall(self):
        points = [(0.90, 1000.0, 16), (0.98, 100.0, 64)]
        self.assertAlmostEqual(report.speed_at(points, 0.94)[0], 316.2, 1)
        self.assertEqual(report.speed_at(points, 0.80), (1000.0, False))
        self.assertEqual(report.speed_at(points, 0.99), (None, True))


if __name__ == "__main__":
    if not os.path.exists(os.path.join(DATA, "mnist9k_base.fvecs")):
        print("SKIPPED: no ../shared/data/ann-vectors")
        sys.exit(77)
    unittest.main(verbosity=2)
