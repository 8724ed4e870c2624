"""Golden questions watched by the daemon: figures while all is found, a warning when documents are lost."""

import json
import os

import sluice_test
from sluice_test import wait_for


class Goldens(sluice_test.Case):
    def test_what_is_no_longer_found_is_measured_and_said(self):
        directory = self.scratch()
        path = os.path.join(directory, "golden.jsonl")
        synonyms = os.path.join(directory, "synonyms")
        with open(synonyms, "w", encoding="utf-8") as file:
            file.write("larus = gull\n")
        with open(path, "w", encoding="utf-8") as file:
            for i in range(10):
                file.write(json.dumps({"query": f"Which colour is gull number {i}?", "relevant": [f"gull-{i}"],
                                       "status": "accepted"}) + "\n")
            file.write(json.dumps({"query": "larus", "relevant": [f"gull-{i}" for i in range(10)]}) + "\n")  # by a synonym
            file.write('{"query": "not yet", "relevant": ["x"], "status": "draft"}\n')
        daemon = self.daemon(self.mock(), config={"golden": {"file": path, "interval": "1s", "drop_max": "0.1"},
                                                  "text": {"synonyms": synonyms}}, directory=directory)
        client = daemon.client
        client.produce_many([{"topic": "docs", "key": f"gull-{i}", "value": f"The gull number {i} is grey."}
                             for i in range(10)])
        daemon.wait_applied()
        wait_for(lambda: daemon.metric("sluice_golden_recall") == 1, "a round that finds all")
        self.assertEqual(daemon.metric("sluice_golden_questions"), 11)
        self.assertGreater(daemon.metric("sluice_golden_reciprocal_rank"), 0.9)
        wait_for(lambda: daemon.metric("sluice_golden_changed_ratio") == 0, "a round like the one before")
        golden = json.loads(daemon.ctl("status", "--json").stdout)["golden"]
        self.assertEqual((golden["questions"], golden["fell"]), (11, False))
        for i in range(5):
            client.produce("docs", f"gull-{i}".encode(), None)
        daemon.wait_applied()
        wait_for(lambda: daemon.metric("sluice_golden_recall") == 0.5, "a round that finds half")
        wait_for(lambda: "golden_fell" in daemon.log(), "the warning")
        self.assertTrue(json.loads(daemon.ctl("status", "--json").stdout)["golden"]["fell"])
        client.produce_many([{"topic": "docs", "key": f"gull-{i}", "value": f"The gull number {i} is grey."}
                             for i in range(5)])
        daemon.wait_applied()
        wait_for(lambda: "golden_recovered" in daemon.log(), "the all-clear")
        with open(path, "w", encoding="utf-8") as file:
            file.write("no JSON\n")
        wait_for(lambda: "golden_unreadable" in daemon.log(), "the file to be refused")
        self.assertGreaterEqual(daemon.metric("sluice_golden_runs_total"), 3)


if __name__ == "__main__":
    sluice_test.main()
