#!/usr/bin/env python3
"""sluicectl as a program: exit codes, messages, and commands that need no question answered.

    test_sluicectl.py SLUICECTL
"""
import base64
import http.server
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree

import pointing_model
import run

SLUICECTL = os.path.abspath(sys.argv.pop(1))
COMMANDS = "put rm ask import search eval compare runs tune golden answer status stats verify export config dates chunk".split()
DOCUMENTS = [
    {"_id": "1", "title": "Kiln", "date": "2015-12-16", "text": "The kiln is fired with beech.", "kind": "note"},
    {"_id": "2", "title": "Loom", "text": "The loom has forty-two shafts. It is oiled on Fridays.", "tags": ["wood"]},
    {"_id": "3", "title": "Forge", "text": "The forge burns charcoal.", "open": True, "weight": 2.5, "tags": ["a", "b"]},
]


class Case(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="sluicectl-")
        self.addCleanup(shutil.rmtree, self.directory)
        self.config = self.write("sluiced.conf", f"""[kafka]
bootstrap.servers = 127.0.0.1:1
[embed]
backend = none
[index]
path = {self.directory}/index
map_size_max = 1G
[retrieve]
mode = lexical
""")

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def lines(self, name, rows):
        return self.write(name, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    def run_it(self, *arguments, **more):
        return subprocess.run([SLUICECTL, *arguments], capture_output=True, text=True, timeout=100,
                              cwd=self.directory, **more)

    def ctl(self, command, *arguments, exit_code=0, **more):
        done = self.run_it(command, "-c", self.config, *arguments, **more)
        self.assertEqual(done.returncode, exit_code, done.stdout + done.stderr)
        return done

    def ctl_json(self, command, *arguments, **more):
        return json.loads(self.ctl(command, "--json", *arguments, **more).stdout)

    def import_all(self, rows=DOCUMENTS):
        return self.ctl_json("import", "--jsonl", self.lines("in.jsonl", rows))


class Usage(Case):
    def test_without_a_command_it_lists_them(self):
        done = self.run_it()
        self.assertEqual(done.returncode, 64)
        for command in COMMANDS:
            self.assertIn(f"  {command}", done.stderr)

    def test_unknown_commands_are_refused_with_the_list(self):
        for command in ("frobnicate", "frobnicate", "rebuild", "pii", "extract", "serach"):
            done = self.run_it(command)
            self.assertEqual(done.returncode, 64)
            self.assertIn(command, done.stderr)
            self.assertIn("search", done.stderr)

    def test_each_command_explains_itself(self):
        for command in COMMANDS:
            done = self.run_it(command, "--help")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"usage: sluicectl {command}", done.stdout)

    def test_unknown_options_and_bad_values_name_what_is_allowed(self):
        done = self.run_it("search", "x", "--fliter", "a")
        self.assertEqual(done.returncode, 64)
        self.assertIn("--fliter", done.stderr)
        self.assertIn("--filter", done.stderr)
        for value in ("0", "-1", "1.5", "many", ""):
            done = self.run_it("search", "x", "--k", value)
            self.assertEqual(done.returncode, 64, value)
            self.assertIn("1 to 1000", done.stderr)
        self.assertEqual(self.run_it("search", "x", "--mode", "both").returncode, 64)
        self.assertEqual(self.run_it("search").returncode, 64)
        self.assertEqual(self.run_it("search", "a", "b").returncode, 64)
        self.assertEqual(self.run_it("search", "a", "--k").returncode, 64)
        self.assertEqual(self.run_it("search", "a", "--exact=1").returncode, 64)

    def test_a_missing_configuration_is_66_and_a_wrong_one_78(self):
        done = self.run_it("stats", "-c", "nowhere.conf")
        self.assertEqual(done.returncode, 66)
        self.assertIn("nowhere.conf", done.stderr)
        wrong = self.write("wrong.conf", "[chunk]\nwords = few\nwrods = 3\n")
        done = self.run_it("stats", "-c", wrong)
        self.assertEqual(done.returncode, 78)
        self.assertIn("wrong.conf:2", done.stderr)
        self.assertIn("wrong.conf:3", done.stderr)
        error = json.loads(self.run_it("stats", "-c", wrong, "--json").stderr)
        self.assertIn("wrong.conf:2: [chunk] words", error["error"])
        self.assertIn("wrong.conf:3", error["error"])

    def test_a_missing_index_is_66(self):
        for command in (["stats"], ["verify"], ["export", "--jsonl"], ["search", "x"]):
            self.assertIn("index", self.ctl(*command, exit_code=66).stderr)

    def test_errors_are_objects_with_json(self):
        done = self.ctl("stats", "--json", exit_code=66)
        self.assertEqual(json.loads(done.stderr)["exit_code"], 66)

    def test_options_may_stand_before_the_command(self):
        self.import_all()
        done = self.run_it("-c", self.config, "--json", "stats")
        self.assertEqual(json.loads(done.stdout)["documents"], 3)

    def test_without_a_daemon_status_is_69(self):
        self.ctl("status", exit_code=69)

    def test_without_a_broker_put_and_ask_are_69(self):
        for arguments in (["put", "--timeout", "1", "--jsonl", self.lines("d.jsonl", DOCUMENTS[:1])],
                          ["rm", "--timeout", "1", "k"], ["ask", "--timeout", "1", "why?"]):
            self.ctl(*arguments, exit_code=69)


class Offline(Case):
    def test_config_explains_lists_and_writes(self):
        self.assertIn("220", self.run_it("config", "explain", "chunk.words").stdout)
        done = self.run_it("config", "explain", "no.such")
        self.assertEqual(done.returncode, 64)
        self.assertIn("no.such", done.stderr)
        defaults = self.run_it("config", "defaults")
        self.assertIn("overlap_words", defaults.stdout)
        self.assertIn("[chunk]", self.run_it("config", "sample").stdout)
        self.assertEqual(self.run_it("config", "invent").returncode, 64)

    def test_dates_reads_a_range(self):
        done = self.run_it("dates", "rates in December 2015?", "--json")
        found = json.loads(done.stdout)
        self.assertEqual((found["date_from"], found["date_to"]), ("2015-12-01", "2015-12-31"))
        self.assertEqual(found["phrase"], found["text"].encode()[found["byte_start"]:found["byte_end"]].decode())
        found = json.loads(self.run_it("dates", "last year", "--now", "2019-07-31", "--json").stdout)
        self.assertEqual((found["date_from"], found["date_to"]), ("2018-01-01", "2018-12-31"))
        self.assertFalse(json.loads(self.run_it("dates", "no such thing", "--json").stdout)["found"])
        self.assertEqual(self.run_it("dates", "x", "--now", "yesterday").returncode, 64)

    def test_chunks_lie_in_the_file(self):
        text = "# Heading\n\n" + " ".join(f"Sentence number {i} says something." for i in range(200)) + "\n"
        path = self.write("long.md", text)
        chunks = [json.loads(line) for line in
                  self.ctl("chunk", path, "--words", "50", "--overlap", "10", "--json").stdout.splitlines()]
        self.assertGreater(len(chunks), 15)
        for chunk in chunks:
            self.assertEqual(text.encode()[chunk["byte_start"]:chunk["byte_end"]].decode(), chunk["text"])
            self.assertLessEqual(chunk["words"], 50)
        self.ctl("chunk", path, "--words", "10", "--overlap", "20", exit_code=64)
        self.ctl("chunk", "nowhere.md", exit_code=66)
        self.ctl("chunk", self.write("empty.txt", " \n"), exit_code=65)


class Index(Case):
    def test_import_counts_and_a_second_time_changes_nothing(self):
        self.assertEqual(self.import_all()["inserted"], 3)
        before = self.ctl_json("stats")
        self.assertEqual(self.import_all()["unchanged"], 3)
        after = self.ctl_json("stats")
        self.assertEqual([after[name] for name in ("documents", "chunks", "terms_total")],
                         [before[name] for name in ("documents", "chunks", "terms_total")])
        self.assertEqual(after["documents"], 3)

    def test_export_goes_back_in_and_comes_out_the_same(self):
        self.import_all()
        first = self.ctl("export", "--jsonl").stdout
        rows = {row["_id"]: row for row in map(json.loads, first.splitlines())}
        self.assertEqual(rows, {row["_id"]: row for row in DOCUMENTS})
        exported = self.write("exported.jsonl", first)
        self.assertEqual(self.ctl_json("import", "--jsonl", exported)["unchanged"], 3)
        shutil.rmtree(os.path.join(self.directory, "index"))
        self.assertEqual(self.ctl_json("import", "--jsonl", exported)["inserted"], 3)
        self.assertEqual(sorted(self.ctl("export").stdout.splitlines()), sorted(first.splitlines()))
        self.assertEqual(self.ctl_json("verify")["faults"], 0)

    def test_keys_that_are_no_text_come_back(self):
        keys = [b"\xff\xfe", b"\xff\xfd", b"a\x00b", b"\x00", b"\xc3", b"\x80\x81\x82\x83"]
        rows = [{"_id_base64": base64.b64encode(key).decode(), "text": f"Plank {i}."} for i, key in enumerate(keys)]
        self.ctl("import", "--jsonl", self.lines("in.jsonl", rows))
        out = self.ctl("export", "--jsonl").stdout
        self.assertEqual({base64.b64decode(json.loads(line)["_id_base64"]) for line in out.splitlines()}, set(keys))
        self.assertEqual(self.ctl_json("import", "--jsonl", self.write("out.jsonl", out))["unchanged"], len(keys))
        self.assertEqual(self.ctl("export", "--jsonl").stdout, out)
        for bad in ("", "a", "====", "YQ", "YR==", "Y Q=", 5):
            row = {"_id_base64": bad, "text": "Plank."}
            self.ctl("import", "--jsonl", self.lines("bad.jsonl", [row]), exit_code=65)

    def test_a_key_may_be_a_whole_number(self):
        self.import_all([{"_id": 2, "text": "Plank two."}])
        self.ctl("import", "--jsonl", self.lines("bad.jsonl", [{"_id": 1.5, "text": "Plank."}]), exit_code=65)
        self.assertEqual(json.loads(self.ctl("export", "--jsonl").stdout), {"_id": "2", "text": "Plank two."})

    def test_topics_are_apart(self):
        path = self.lines("in.jsonl", DOCUMENTS[:1])
        self.ctl("import", "--jsonl", path)
        self.ctl("import", "--jsonl", path, "--topic", "other")
        self.assertEqual(self.ctl_json("stats")["documents"], 2)
        self.assertEqual(len(self.ctl("export", "--topic", "other").stdout.splitlines()), 1)

    def test_what_is_no_topic_is_refused(self):
        for name in ("", "bad topic", "..", "x" * 250):
            said = self.ctl("import", self.write("a.txt", "Text."), "--topic", name, exit_code=64).stderr
            self.assertIn("allowed is 1 to 249 letters", said)

    def test_documents_do_not_reach_the_terminal(self):
        row = {"_id": "k\n\x1b[2J", "title": "a\x1b]0;b\x07\u009bc", "text": "The heron\x1b[31m stands\u009b in é water."}
        self.ctl("import", "--jsonl", self.lines("d.jsonl", [row]))
        out = self.ctl("search", "heron").stdout
        self.assertIn("(k??[2J, chunk 0)", out)
        self.assertIn("a?]0;b??c", out)
        self.assertIn("heron?[31m stands? in é water", out)

    def test_files_and_keys(self):
        path = self.write("a note.txt", "The well is nine fathoms deep.\n")
        self.ctl("import", path, "--key", "well")
        self.assertEqual(json.loads(self.ctl("export").stdout)["_id"], "well")
        self.ctl("import", path, path, "--key", "well", exit_code=64)
        self.ctl("import", exit_code=64)
        self.ctl("import", "nowhere.txt", exit_code=66)
        self.assertIn("--jsonl", self.ctl("import", self.lines("x.jsonl", DOCUMENTS), exit_code=64).stderr)

    def test_a_second_writer_is_refused_and_readers_are_not(self):
        def writer_start():
            started = subprocess.Popen([SLUICECTL, "import", "-c", self.config, "--jsonl", "-"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.addCleanup(started.communicate)
            self.addCleanup(started.kill)
            return started

        self.import_all()
        writer = writer_start()
        path = self.lines("more.jsonl", [{"_id": "9", "text": "late"}])
        deadline = time.monotonic() + 20
        while (done := self.run_it("import", "-c", self.config, "--jsonl", path)).returncode == 0:
            self.assertLess(time.monotonic(), deadline, "the writer never took the lock")
            if writer.poll() is not None:  # it came while the lock was ours
                writer = writer_start()
            time.sleep(0.2)
        self.assertEqual(done.returncode, 73, done.stderr)
        self.assertGreaterEqual(self.ctl_json("stats")["documents"], 3)
        self.assertEqual(len(self.ctl_json("search", "charcoal")["hits"]), 1)
        out, _ = writer.communicate(json.dumps({"_id": "10", "text": "from standard input"}) + "\n", timeout=60)
        self.assertEqual(writer.returncode, 0, out)
        self.assertEqual(len(self.ctl_json("search", "standard input")["hits"]), 1)

    def test_other_settings_are_refused(self):
        self.import_all()
        with open(self.config, encoding="utf-8") as file:
            other = self.write("other.conf", file.read() + "[chunk]\nwords = 50\n")
        done = self.run_it("import", "-c", other, "--jsonl", self.lines("in.jsonl", DOCUMENTS))
        self.assertEqual(done.returncode, 78, done.stderr)

    def test_search_explains_and_marks(self):
        self.import_all()
        found = self.ctl_json("search", "oiled shafts")
        hit = found["hits"][0]
        self.assertEqual((hit["doc"], hit["lexical_rank"], hit["vector_rank"]), ("2", 1, None))
        self.assertEqual(hit["terms"], ["shafts.", "oiled"])
        text = self.ctl("search", "oiled shafts", "--explain").stdout
        for word in ("mode", "lexical", "time"):
            self.assertIn(word, text)
        self.ctl("search", "x", "--mode", "vector", exit_code=64)

    def test_copies_are_counted_by_search_and_shown_on_demand(self):
        text = "The heron stands in the reeds beside the old mill and waits for the eels that come at dusk."
        self.import_all([{"_id": str(i), "title": "Heron", "text": text} for i in range(3)])
        hits = self.ctl_json("search", "heron reeds")["hits"]
        self.assertEqual([(hit["doc"], hit["duplicates"]) for hit in hits], [("0", 2)])
        self.assertIn("and 2 like it", self.ctl("search", "heron reeds").stdout)
        figures = self.ctl_json("eval", "--queries", self.lines("e.jsonl", [{"_id": "q", "text": "heron reeds"}]),
                                "--qrels", self.write("r.tsv", "q\t2\t1\n"))
        self.assertEqual((figures["recall@10"], figures["ndcg@10"]), (1, 0.5)) # the judged one of three copies
        asked = {"query": "heron reeds", "return_hits": True}
        path = self.lines("q.jsonl", [asked, dict(asked, duplicates=True)])
        answers = [json.loads(line) for line in self.ctl("answer", "--queries", path).stdout.splitlines()]
        self.assertEqual([[hit["doc"] for hit in answer["hits"]] for answer in answers], [["0"], ["0", "1", "2"]])
        self.assertEqual(self.ctl_json("stats")["copies"], 2)
        hit = self.ctl_json("search", "heron reeds", "--filter", 'key = "2"')["hits"][0]
        self.assertEqual((hit["doc"], hit["duplicates"]), ("2", 2))

    def test_no_character_that_ends_a_line_stands_in_one(self):
        text = "The heron waits.\u2028It is grey.\u2029It is old.\u0085It is alone."
        self.import_all([{"_id": "k", "text": text}])
        out = self.ctl("export", "--jsonl").stdout
        self.assertEqual(len(out.splitlines()), 1)
        self.assertEqual(json.loads(out)["text"], text)

    def test_an_answer_is_what_the_reader_points_at(self):
        texts = ["The bell was cast in 1911 by Orla Finch in one night.", "The tower of the bell has many steps."]
        self.import_all([{"_id": "bell", "text": texts[0]}, {"_id": "tower", "text": texts[1]}])
        path = self.lines("ask.jsonl", [{"_id": "q", "text": "When was the bell cast?"}])
        with open(self.config, encoding="utf-8") as file:
            plain = file.read()
        spans = []
        for first, last in ((None, None), ("orla", "finch"), ("one", "night")):
            reader = first and pointing_model.write(os.path.join(self.directory, first), texts, first, last)
            self.write("sluiced.conf", plain + (f"[answer]\nreader = {reader}\n" if reader else ""))
            answer = json.loads(self.ctl("answer", "--queries", path).stdout)
            span, cited = answer["span"], answer["citations"][0]
            self.assertEqual((answer["status"], span["n"], cited["doc"]), ("answered", 1, "bell"))
            self.assertEqual(texts[0].encode()[span["byte_start"]:span["byte_end"]].decode(), span["text"])
            self.assertIn(span["text"], cited["quote"])
            spans.append(span["text"])
        self.assertEqual(spans, ["1911", "Orla Finch", "one night"])
        self.write("sluiced.conf", plain + f"[answer]\nreader = {self.directory}/nowhere\n")
        self.assertIn("nowhere", self.ctl("answer", "--queries", path, exit_code=78).stderr)

    def test_eval_gives_the_figures_of_a_known_ranking(self):
        rows = [{"_id": f"d{i}", "text": "heron " * (6 - i) + "reed " * i} for i in range(1, 5)]
        self.import_all(rows + [{"_id": "e", "text": "nothing of the kind"}])
        queries = self.lines("q.jsonl", [{"_id": "q1", "text": "heron"}, {"_id": "q2", "query": "reed"},
                                         {"_id": "q3", "text": "unjudged"}])
        qrels = self.write("q.tsv", "query-id\tcorpus-id\tscore\nq1\td2\t1\nq1\te\t1\nq2\td4\t1\nq3\te\t0\n")
        run = os.path.join(self.directory, "run.trec")
        figures = self.ctl_json("eval", "--queries", queries, "--qrels", qrels, "--run", run)
        ideal = 1 + 1 / math.log2(3)
        self.assertEqual(figures["queries"], 2)
        self.assertAlmostEqual(figures["ndcg@10"], (1 / math.log2(3) / ideal + 1) / 2, places=6)
        self.assertAlmostEqual(figures["recall@10"], 0.75)
        self.assertAlmostEqual(figures["recall@100"], 0.75)
        self.assertAlmostEqual(figures["mrr@10"], 0.75)
        self.assertEqual(len(figures["ci95"]), 2)
        with open(run, encoding="utf-8") as file:
            self.assertEqual(file.readline().split()[:4], ["q1", "Q0", "d1", "1"])
        self.ctl("eval", "--queries", queries, "--qrels", self.write("bad.tsv", "h\nq1 d1\n"), exit_code=65)
        self.ctl("eval", "--queries", queries, exit_code=64)
        self.ctl("eval", "--queries", queries, "--qrels", self.write("none.tsv", "h\th\ts\n"), exit_code=65)

    def test_an_evaluation_stands_what_people_bring(self):
        """Windows' line ends, ids that are numbers or have spaces, no header, a question that is too long."""
        self.import_all([{"_id": 7, "text": "heron"}, {"_id": "a note.md", "text": "reed"}])
        queries = self.write("q.jsonl", '{"_id": 1, "text": "heron"}\r\n{"_id": "q 2", "text": "reed"}\r\n' +
                             json.dumps({"_id": "long", "text": "reed " * 2000}) + "\r\n")
        judged = "1\t7\t2\r\nq 2\ta note.md\t1\r\n"
        run = os.path.join(self.directory, "run.trec")
        figures = self.ctl_json("eval", "--queries", queries, "--qrels", self.write("r.tsv", judged), "--run", run)
        self.assertEqual((figures["queries"], figures["ndcg@10"], figures["mode"]), (2, 1, "lexical"))
        with open(run, encoding="utf-8") as file:
            self.assertEqual([line.split()[:4] for line in file],
                             [["1", "Q0", "7", "1"], ["q%202", "Q0", "a%20note.md", "1"]])
        qrels = self.write("r.tsv", judged + "long\ta note.md\t1\r\n")
        done = self.ctl("eval", "--queries", queries, "--qrels", qrels, "--per-question", "each.jsonl", exit_code=65)
        figures = json.loads(done.stdout)
        self.assertEqual((figures["queries"], figures["refused"]), (3, 1))
        self.assertAlmostEqual(figures["ndcg@10"], 2 / 3)
        self.assertIn("question long: too_large", done.stderr)
        with open(os.path.join(self.directory, "each.jsonl"), encoding="utf-8") as file:
            self.assertEqual([json.loads(line)["found"] for line in file], [["7"], ["a note.md"], []])

    def test_each_question_is_written_sliced_and_compared(self):
        self.import_all()
        queries = self.lines("q.jsonl", [{"_id": "a", "text": "kiln", "kind": "near"}, {"_id": "b", "text": "shafts", "kind": "far"},
                                         {"_id": "c", "text": "charcoal kiln"}])
        qrels = self.write("r.tsv", "query-id\tcorpus-id\tscore\na\t1\t1\nb\t2\t1\nc\t3\t1\n")
        found = self.ctl_json("eval", "--queries", queries, "--qrels", qrels, "--per-question", "one.jsonl", "--slice", "kind")
        self.assertEqual({name: each["queries"] for name, each in found["slices"].items()}, {"near": 1, "far": 1, "none": 1})
        self.assertEqual(found["slices"]["near"]["hit@1"], 1)
        with open(os.path.join(self.directory, "one.jsonl"), encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        self.assertEqual([row["_id"] for row in rows], ["a", "b", "c"])
        self.assertEqual((rows[0]["found"], rows[0]["relevant"], rows[0]["ndcg@10"]), (["1"], ["1"], 1))
        self.lines("two.jsonl", [dict(row, **{"ndcg@10": 0.25 if row["_id"] == "b" else row["ndcg@10"]}) for row in rows[:2]])
        done = self.run_it("compare", "one.jsonl", "two.jsonl", "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        compared = json.loads(done.stdout)
        self.assertEqual((compared["questions"], compared["wins"], compared["losses"], compared["ties"],
                          compared["only_first"], compared["only_second"]), (2, 0, 1, 1, 1, 0))
        self.assertAlmostEqual(compared["difference"], -0.375)
        self.assertEqual([each["_id"] for each in compared["worst"]], ["b"])
        self.assertIn("1 worse", self.run_it("compare", "one.jsonl", "two.jsonl").stdout)
        self.assertEqual(self.run_it("compare", "one.jsonl", "q.jsonl").returncode, 65)
        self.assertEqual(self.run_it("compare", "one.jsonl", "two.jsonl", "--metric", "luck").returncode, 64)

    def test_slices_are_of_the_relevant_documents_too(self):
        self.import_all(DOCUMENTS[:2] + [dict(DOCUMENTS[2], lang="de", date="2019")])
        queries = self.lines("q.jsonl", [{"_id": "a", "text": "kiln"}, {"_id": "b", "text": "shafts"}, {"_id": "c", "text": "charcoal"}])
        qrels = self.write("r.tsv", "a\t1\t1\na\t2\t0\nb\t2\t1\nb\tnowhere\t1\nc\t3\t1\nc\t1\t1\n")

        def sliced(field):
            found = self.ctl_json("eval", "--queries", queries, "--qrels", qrels, "--slice", field)["slices"]
            return {name: (each["queries"], round(each["recall@10"], 3)) for name, each in found.items()}

        self.assertEqual(sliced("doc.date"), {"2015": (2, 0.75), "none": (1, 0.5), "not in the index": (1, 0.5), "2019": (1, 0.5)})
        self.assertEqual(sliced("doc.weight"), {"none": (3, 0.667), "not in the index": (1, 0.5), "2.5": (1, 0.5)})
        self.assertEqual(set(sliced("doc.lang")), {"none", "not in the index", "de"})
        self.assertEqual(set(sliced("doc.topic")), {"docs", "not in the index"})

    def test_rankings_of_other_programs_are_measured_and_compared(self):
        self.import_all()
        queries = self.lines("q.jsonl", [{"_id": "a 1", "text": "kiln"}, {"_id": "b", "text": "loom"}, {"_id": "c", "text": "forge"}])
        qrels = self.write("r.tsv", "a 1\t1\t2\na 1\t2\t1\nb\t2\t1\nc\t3\t1\n")
        judged = ("eval", "--queries", queries, "--qrels", qrels)
        asked = self.ctl_json(*judged, "--run", "ours.trec", "--per-question", "ours.jsonl")
        again = self.ctl_json(*judged, "--rankings", "ours.trec")
        self.assertEqual([again[name] for name in ("queries", "ndcg@10", "mrr@10")], [asked[name] for name in ("queries", "ndcg@10", "mrr@10")])
        self.write("theirs.trec", "a%201 Q0 2 9 0.5 x\r\na%201 Q0 1 1 0.25 x\r\nb Q0 3 1 1e-3 x\r\n")
        theirs = self.ctl_json(*judged, "--rankings", "theirs.trec", "--per-question", "theirs.jsonl")
        self.assertAlmostEqual(theirs["ndcg@10"], (1 + 2 / math.log2(3)) / (2 + 1 / math.log2(3)) / 3, places=6)
        compared = json.loads(self.run_it("compare", "ours.jsonl", "theirs.jsonl", "--json").stdout)
        self.assertEqual((compared["questions"], compared["wins"], compared["losses"]), (3, 1, 2))
        for wrong, line in (("a Q0 1 1 0.5\n", 1), ("a Q0 1 1 0.5 x\na Q0 1 2 high x\n", 2), ("a Q0 1 1 0.5 x\na Q0 1 2 0.4 x\n", 2)):
            self.assertIn(f"w.trec:{line}:", self.ctl(*judged, "--rankings", self.write("w.trec", wrong), exit_code=65).stderr)
        self.ctl(*judged, "--rankings", self.write("w.trec", ""), exit_code=65)

    def test_judgements_and_questions_that_are_wrong_are_named(self):
        self.import_all()
        queries = self.lines("q.jsonl", [{"_id": 1, "text": "kiln"}, {"_id": "2", "text": "nobody judged this"}])
        for text, said in (("1\t1\n", "r.tsv:1:"), ("query-id\tcorpus-id\tscore\n1\t1\n", "r.tsv:2:"), ("1\t1\t1\n1\t1\tmuch\n", "r.tsv:2:"),
                           ("1\t1\t1\n1\t2\t1\n1\t1\t2\n", "r.tsv:3: question 1, document 1: judged 2 here, but 1 on line 1"),
                           ("", "2 questions, 0 judgements"), ("7\t1\t1\n", "do their ids agree?")):
            self.assertIn(said, self.ctl("eval", "--queries", queries, "--qrels", self.write("r.tsv", text), exit_code=65).stderr)
        for qrels in ("1\t1\t1\n1\t1\t1\n", "query-id\tcorpus-id\tscore\r\n1\t1\t1\r\n", "1 0 1 1\n", "1\t1\t1\n1\t2\t-1\n"):
            found = self.ctl_json("eval", "--queries", queries, "--qrels", self.write("r.tsv", qrels))
            self.assertEqual((found["queries"], found["unjudged"], found["ndcg@10"], found["recall@10"]), (1, 1, 1, 1), qrels)
        for rows, said in (([{"text": "kiln"}], 'q.jsonl:1: a question needs "_id"'), ([{"_id": "1", "text": "a"}, {"_id": "2", "text": "b"}, {"_id": "1", "text": "c"}],
                                                                                     "q.jsonl:3: question 1 was asked before, on line 1")):
            self.assertIn(said, self.ctl("eval", "--queries", self.lines("q.jsonl", rows), "--qrels", self.write("r.tsv", "1\t1\t1\n"), exit_code=65).stderr)

    def test_evaluations_are_kept_listed_and_drawn(self):
        self.import_all()
        queries = self.lines("q.jsonl", [{"_id": "a", "text": "kiln"}, {"_id": "b", "text": "shafts"}])
        qrels = self.write("r.tsv", "a\t1\t1\nb\t3\t1\n")
        for label in ("first", "<second> & last"):
            self.ctl("eval", "--queries", queries, "--qrels", qrels, "--record", label)
        rows = [json.loads(line) for line in self.ctl("runs", "--json", "--metric", "hit@1").stdout.splitlines()]
        self.assertEqual([row["label"] for row in rows], ["first", "<second> & last"])
        self.assertEqual([row["hit@1"] for row in rows], [0.5, 0.5])
        self.assertTrue(rows[0]["fingerprint"])
        self.assertTrue(os.path.exists(os.path.join(self.directory, "index.runs.jsonl")))
        self.ctl("runs", "--svg", "runs.svg")
        picture = xml.etree.ElementTree.parse(os.path.join(self.directory, "runs.svg"))
        self.assertEqual(len(picture.findall(".//{http://www.w3.org/2000/svg}circle")), 2)
        self.ctl("runs", "--runs", "none.jsonl", exit_code=66)
        self.ctl("runs", "--runs", queries, exit_code=65)

    def settings(self, tuned):
        return {f"{one['section']}.{one['key']}": one["value"] for one in tuned["settings"]}

    def kilns(self):
        """Pairs of documents that differ in their date; questions, and judgements by which the newer ones are right."""
        kiln = [{"_id": f"old{i}", "date": "2001-01-01", "text": f"The kiln number {i} is fired with beech wood."} for i in range(30)]
        kiln += [{"_id": f"new{i}", "date": "2020-01-01", "text": f"The kiln number {i} is fired with beech wood no more, but gas."}
                 for i in range(30)]
        self.import_all(kiln)
        queries = self.lines("q.jsonl", [{"_id": f"q{i}", "text": f"What is the kiln number {i} fired with?"} for i in range(30)])
        return queries, self.write("new.tsv", "".join(f"q{i}\tnew{i}\t1\n" for i in range(30)))

    def test_tune_takes_what_wins_on_questions_it_did_not_see(self):
        queries, newest = self.kilns()
        mixed = self.write("mixed.tsv", "".join(f"q{i}\t{'new' if i % 2 else 'old'}{i}\t1\n" for i in range(30)))
        tuned = self.ctl_json("tune", "--queries", queries, "--qrels", newest, "--write", "won.conf")
        self.assertTrue(tuned["won"], tuned)
        self.assertGreater(tuned["ci95"][0], 0)
        self.assertEqual(tuned["folds"], [tuned["best"]] * 5)
        self.assertIn("retrieve.half_life_days", self.settings(tuned))
        with open(os.path.join(self.directory, "won.conf"), encoding="utf-8") as file:
            self.assertIn("[retrieve]\nhalf_life_days", file.read())
        tuned = self.ctl_json("tune", "--queries", queries, "--qrels", mixed, "--write", "lost.conf", "--keep", "k")
        self.assertEqual((tuned["won"], tuned["settings"]), (False, []), tuned)
        self.assertFalse(os.path.exists(os.path.join(self.directory, "lost.conf")))

    def test_tune_changes_nothing_by_judgements_that_are_not_of_the_questions(self):
        queries, _ = self.kilns()
        shuffled = self.write("s.tsv", "".join(f"q{i}\tnew{(i * 7 + 11) % 30}\t1\n" for i in range(30)))
        with open(self.config, encoding="utf-8") as file:
            before = file.read()
        self.assertIn("Nothing is changed", self.ctl("tune", "--queries", queries, "--qrels", shuffled).stdout)
        with open(self.config, encoding="utf-8") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual([name for name in os.listdir(self.directory) if name.startswith("sluiced.conf")], ["sluiced.conf"])

    def test_tune_puts_what_won_into_the_configuration_and_leaves_the_rest(self):
        queries, newest = self.kilns()
        with open(self.config, "a", encoding="utf-8") as file:
            file.write("# how many\n  k=3\n# older ones count less\n#half_life_days = off\n\n[workers]\n# not all\nthreads = 1")
        os.chmod(self.config, 0o640)
        with open(self.config, encoding="utf-8") as file:
            before = file.read()
        self.ctl("tune", "--dry-run", "--queries", queries, "--qrels", newest)
        with open(self.config, encoding="utf-8") as file:
            self.assertEqual(file.read(), before)
        self.ctl("tune", "--queries", queries, "--qrels", newest, "--write", "nowhere/won.conf", exit_code=74)
        os.symlink("sluiced.conf", os.path.join(self.directory, "link.conf"))
        self.config = os.path.join(self.directory, "link.conf")
        done = self.ctl("tune", "--queries", queries, "--qrels", newest, "--keep", "k")
        self.assertTrue(os.path.islink(self.config))
        with open(self.config, encoding="utf-8") as file:
            after = file.read()
        added = [line for line in after.split("\n") if line not in before.split("\n")]
        self.assertEqual(len(added), 1, added)
        self.assertIn("#half_life_days = off\n" + added[0] + "\n\n[workers]", after)
        self.assertRegex(added[0], "^half_life_days = [0-9]+$")
        self.assertEqual(after.replace(added[0] + "\n", ""), before)
        self.assertEqual(os.stat(self.config).st_mode & 0o777, 0o640)
        copies = [name for name in os.listdir(self.directory) if name.startswith("sluiced.conf.")]
        self.assertEqual(len(copies), 1)
        self.assertIn(copies[0], done.stderr)
        with open(os.path.join(self.directory, copies[0]), encoding="utf-8") as file:
            self.assertEqual(file.read(), before)
        self.assertEqual(self.ctl_json("tune", "--queries", queries, "--qrels", newest, "--keep", "k")["settings"], [])
        self.ctl("tune", "--queries", queries, "--qrels", newest, "--keep", "luck", exit_code=64)

    def test_tune_finds_how_many_passages_are_worth_looking_at(self):
        rows = [{"_id": f"{i}-{n}", "text": f"The barge{i} was laden " + "with coal " * n + "in spring."} for i in range(25) for n in range(8)]
        self.import_all(rows)
        queries = self.lines("q.jsonl", [{"_id": f"q{i}", "text": f"barge{i}"} for i in range(25)])
        for last, k in ((0, "3"), (5, "8")):
            qrels = self.write("r.tsv", "".join(f"q{i}\t{i}-{last}\t1\n" for i in range(25)))
            tuned = self.ctl_json("tune", "--dry-run", "--queries", queries, "--qrels", qrels, "--keep", "expansion", "--chunks", "none")
            self.assertEqual(self.settings(tuned).get("retrieve.k"), k, tuned)

    def test_tune_takes_expansion_where_it_finds_more(self):
        rows = [{"_id": f"named{i}", "text": f"Harbour{i} is where the davit{i} and the hawser{i} are kept, davit{i} above."} for i in range(20)]
        rows += [{"_id": f"unnamed{i}", "text": f"The davit{i} was mended, and so was the hawser{i}."} for i in range(20)]
        self.import_all(rows)
        queries = self.lines("q.jsonl", [{"_id": f"q{i}", "text": f"harbour{i}"} for i in range(20)])
        unnamed = self.write("unnamed.tsv", "".join(f"q{i}\tunnamed{i}\t1\n" for i in range(20)))
        named = self.write("named.tsv", "".join(f"q{i}\tnamed{i}\t1\n" for i in range(20)))
        tuned = self.ctl_json("tune", "--dry-run", "--queries", queries, "--qrels", unnamed)
        self.assertEqual((tuned["won"], self.settings(tuned)["retrieve.expansion"], tuned["steps"]), (True, "rm3", []))
        self.assertFalse(self.ctl_json("tune", "--dry-run", "--queries", queries, "--qrels", named)["won"])
        with open(self.config, "a", encoding="utf-8") as file:
            file.write("expansion = rm3\ndiversity = 0.3\n")
        steps = {step["name"]: step["wins"] for step in self.ctl_json("tune", "--dry-run", "--queries", queries, "--qrels", unnamed)["steps"]}
        self.assertEqual(steps, {"expansion": True, "diversity": False})
        steps = {step["name"]: step["wins"] for step in self.ctl_json("tune", "--dry-run", "--queries", queries, "--qrels", named)["steps"]}
        self.assertEqual(steps, {"expansion": False, "diversity": False})
        self.assertIn("do without it", self.ctl("tune", "--dry-run", "--queries", queries, "--qrels", named).stdout)

    def test_tune_says_whether_reranking_is_worth_it(self):
        class Reranker(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # an answer is one packet

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kiln = asked["query"].split()[0].capitalize()
                scores = [{"index": i, "score": (kiln in text.split()) + 0.5 * ("gas" in text)} for i, text in enumerate(asked["texts"])]
                body = json.dumps(scores).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Reranker)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.import_all([{"_id": f"gas{i}", "text": f"Kiln{i} is not fired with wood, but with gas."} for i in range(16)]
                        + [{"_id": f"wood{i}", "text": f"Kiln{i} is fired with wood."} for i in range(16)])
        queries = self.lines("q.jsonl", [{"_id": f"q{i}", "text": f"kiln{i} fired"} for i in range(16)])
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(f"rerank = http\nrerank_url = http://127.0.0.1:{server.server_port}\nrerank_deadline_ms = 30000\n")
        for relevant, wins, settings in (("gas", True, {}), ("wood", False, {"retrieve.rerank": "none"})):
            qrels = self.write(f"{relevant}.tsv", "".join(f"q{i}\t{relevant}{i}\t1\n" for i in range(16)))
            tuned = self.ctl_json("tune", "--dry-run", "--queries", queries, "--qrels", qrels, "--keep", "k")
            self.assertEqual([(step["name"], step["wins"]) for step in tuned["steps"]], [("rerank", wins)], tuned)
            self.assertEqual((tuned["won"], self.settings(tuned)), (not wins, settings), tuned)
        self.assertEqual(self.ctl_json("eval", "--queries", queries, "--qrels", qrels)["not_reranked"], 0)
        server.shutdown()
        server.server_close()
        done = self.ctl("eval", "--queries", queries, "--qrels", qrels, "--json")
        self.assertEqual(json.loads(done.stdout)["not_reranked"], 16)
        self.assertIn("the reranker failed or was late for 16 of 16 questions", done.stderr)

    def import_long(self):
        """Pairs of documents of the same words, of which one has the two asked about in one sentence."""
        rest = " ".join(f"Sentence {n} of the ledger says nothing of it at all." for n in range(12))
        self.import_all([{"_id": f"{name}{i}", "text": text} for i in range(20) for name, text in (
            ("apart", f"The anvil{i} is old. {rest} The bellows{i} are new."), ("near", f"The anvil{i} is old. The bellows{i} are new. {rest}"))])
        return self.lines("q.jsonl", [{"_id": f"q{i}", "text": f"anvil{i} bellows{i}"} for i in range(20)])

    def copies(self):
        return [name for name in os.listdir(self.directory) if "tune-" in name]

    def test_tune_finds_the_size_of_chunks(self):
        queries = self.import_long()
        for name, wins in (("near", True), ("apart", False)):
            qrels = self.write(f"{name}.tsv", "".join(f"q{i}\t{name}{i}\t1\n" for i in range(20)))
            tuned = self.ctl_json("tune", "--queries", queries, "--qrels", qrels, "--chunks", "400,20", "--write", f"{name}.conf", "--keep", "k")
            self.assertEqual(tuned["won"], wins, tuned)
            self.assertEqual(os.path.exists(os.path.join(self.directory, f"{name}.conf")), wins)
        with open(os.path.join(self.directory, "near.conf"), encoding="utf-8") as file:
            self.assertIn("[chunk]\nwords = 20\noverlap_words = 2\n", file.read())
        self.assertEqual(self.copies(), [])
        self.assertEqual(self.ctl_json("stats")["documents"], 40)
        for wrong in ("", "9", "20,", "20;30", "-20", "20,20,20,20,20,20,20,20,20"):
            self.assertIn("--chunks", self.ctl("tune", "--dry-run", "--queries", queries, "--qrels", qrels, "--chunks", wrong, exit_code=64).stderr)
        self.assertIn("--work", self.ctl("tune", "--dry-run", "--queries", queries, "--qrels", qrels, "--chunks", "20", "--work", "nowhere", exit_code=74).stderr)

    def test_tune_leaves_no_copy_behind_when_it_is_stopped(self):
        queries = self.import_long()
        qrels = self.write("r.tsv", "".join(f"q{i}\tnear{i}\t1\n" for i in range(20)))
        tuning = subprocess.Popen([SLUICECTL, "tune", "-c", self.config, "--dry-run", "--queries", queries, "--qrels", qrels,
                                   "--chunks", "20,21,22,23,24,25,26,27"], cwd=self.directory,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while tuning.poll() is None and not self.copies():
            time.sleep(0.001)
        tuning.terminate()
        self.assertNotEqual(tuning.wait(60), 0)
        self.assertEqual(self.copies(), [])

    def test_golden_questions_are_drafted_and_checked(self):
        self.import_all([{"_id": f"d{i}", "text": f"Chapter {i}. The {word} of the harbour master was mended with {word} resin in spring."}
                         for i, word in enumerate("anchor barrel cable davit engine funnel gangway hawser".split())])
        drafted = self.ctl("golden", "--count", "5").stdout
        self.assertEqual(drafted, self.ctl("golden", "--count", "5").stdout)
        rows = [json.loads(line) for line in drafted.splitlines()]
        self.assertEqual(len({row["relevant"][0] for row in rows}), 5)
        self.assertTrue(all(row["status"] == "draft" and row["source"] for row in rows))
        self.ctl("golden", "--check", self.write("none.jsonl", drafted), exit_code=65)
        accepted = self.lines("golden.jsonl", [dict(row, status="accepted") for row in rows])
        found = self.ctl_json("golden", "--check", accepted)
        self.assertEqual((found["questions"], found["recall"], found["reciprocal_rank"]), (5, 1, 1))

    def test_golden_questions_are_drafted_by_the_chat_model_and_held_against_the_text(self):
        words = "anchor barrel cable davit engine funnel gangway hawser".split()
        self.import_all([{"_id": word, "text": f"The {word} of the harbour master was mended in spring. It lies in shed {i}."} for i, word in enumerate(words)])
        asked = []

        class Chat(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                passage = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["messages"][1]["content"]
                word = next(word for word in words if word in passage)
                asked.append(word)
                source = f"The {word} of the harbour master was mended in spring."
                said = {"anchor": {"question": "When was the anchor mended?", "source": source.replace("spring", "autumn")},
                        "barrel": {"question": "Who ate the moon of Jupiter?", "source": source},
                        "cable": {"question": f"Is it so? {source}", "source": source},
                        "davit": {"question": "When was it?"}}.get(word, {"question": f"When was the {word} repaired?", "source": source})
                text = "```json\n" + json.dumps(said) + "\n```" if word != "engine" else "I would rather not."
                body = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chat)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(f"[answer]\nbackend = llm\nurl = http://127.0.0.1:{server.server_port}/v1\nmodel = tester\n")
        done = self.ctl("golden", "--count", "8", "--json")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual({row["relevant"][0] for row in rows}, {"funnel", "gangway", "hawser"})
        for row in rows:
            self.assertEqual((row["query"], row["status"]), (f"When was the {row['relevant'][0]} repaired?", "draft"))
            self.assertEqual(row["source"], f"The {row['relevant'][0]} of the harbour master was mended in spring.")
        self.assertEqual(json.loads(done.stderr), {"drafted": 3, "refused": 5, "not_quoted": 1, "not_found": 1, "bad_question": 1, "broken": 2})
        self.assertEqual(sorted(asked), sorted(words))
        accepted = self.lines("golden.jsonl", [dict(row, status="accepted") for row in rows])
        self.assertEqual(self.ctl_json("golden", "--check", accepted)["recall"], 1)
        server.shutdown()
        self.assertEqual(len(self.ctl("golden", "--count", "8", "--from-text").stdout.splitlines()), 8)
        server.server_close()
        self.assertIn("llm_unavailable", self.ctl("golden", exit_code=75).stderr)

    def test_golden_questions_are_asked_with_the_users_words(self):
        """Through synonyms, and in an index with stop words of its own: by `golden --check` and before a generation is taken."""
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(f"[text]\nsynonyms = {self.write('synonyms', 'calcination = beech kiln')}\nstop_words = {self.write('stop', 'oiled')}\n")
        self.import_all(DOCUMENTS + [{"_id": f"kiln{i}", "text": f"Kiln {i}, kiln."} for i in range(12)])
        golden = self.lines("golden.jsonl", [{"query": "calcination", "relevant": ["1"]}, {"query": "oiled", "relevant": ["2"]}])
        self.assertEqual(self.ctl_json("golden", "--check", golden)["recall"], 0.5)
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(f"[golden]\nfile = {self.lines('through.jsonl', [{'query': 'calcination', 'relevant': ['1']}])}\n")
        self.write("stop", "beech")
        self.assertIn("recall 0.000 in the new generation, 1.000 in the old one", self.ctl("reindex", exit_code=65).stderr)

    def test_a_generation_that_loses_golden_answers_is_held(self):
        """Stop words that a question is made of: in the new generation it finds nothing."""
        self.import_all()
        golden = self.lines("golden.jsonl", [{"query": "kiln", "relevant": ["1"]}, {"query": "loom", "relevant": ["2"]}])
        plain = self.config

        def configured(name, text, golden=golden):
            with open(plain, encoding="utf-8") as file:
                self.config = self.write(name, file.read() + f"[golden]\nfile = {golden}\n[text]\n" + text)

        def states():
            return [one["state"] for one in self.ctl_json("generation", "list")]

        configured("harmless.conf", f"stop_words = {self.write('oiled', 'oiled' + chr(10))}\n")
        self.assertEqual(self.ctl_json("reindex")["state"], "done")
        self.assertEqual(states(), ["current", "retired"])
        configured("harmful.conf", f"stop_words = {self.write('kiln', 'oiled' + chr(10) + 'kiln' + chr(10))}\n")
        for command in (("reindex",), ("generation", "promote")):
            said = self.ctl(*command, exit_code=65).stderr
            self.assertIn("recall 0.500 in the new generation, 1.000 in the old one", said)
            self.assertEqual(states(), ["current", "building", "retired"])
        self.ctl("generation", "list", "--force", exit_code=64)
        configured("unreadable.conf", f"stop_words = {self.directory}/kiln\n", self.write("bad.jsonl", "no JSON\n"))
        self.ctl("generation", "promote", exit_code=65)
        self.assertEqual(states(), ["current", "building", "retired"])
        self.ctl("generation", "promote", "--force")
        self.assertEqual(states(), ["current", "retired", "retired"])

    def test_a_question_file_with_a_bad_line_is_named(self):
        self.import_all()
        path = self.write("q.jsonl", '{"_id": "1", "text": "a kiln"}\n{"_id": "2"}\n{"_id": "3", "text": "a kiln"}\n')
        done = self.ctl("answer", "--queries", path, exit_code=65)
        self.assertIn("q.jsonl:2: empty_query", done.stderr)
        answers = [json.loads(line) for line in done.stdout.splitlines()]  # the others are answered
        self.assertEqual([(a["id"], a["status"] == "error") for a in answers], [("1", False), ("2", True), ("3", False)])
        done = self.ctl("answer", "--queries", self.write("q.jsonl", '{"_id": "1", "text": "a"}\nnothing\n'), exit_code=65)
        self.assertIn("q.jsonl:2: bad_json", done.stderr)


class Patterns(unittest.TestCase):
    """The cases of tests/flow are only worth something if a wrong answer does not match."""

    def test_what_matches_and_what_does_not(self):
        value = {"status": "answered", "n": 1, "flag": True, "list": [{"doc": "a"}, {"doc": "b"}], "none": None}
        for pattern in ({}, {"n": 1}, {"list": [{"doc": "a"}, {}]}, {"list": {"$has": [{"doc": "b"}]}},
                        {"list": {"$lacks": [{"doc": "c"}]}}, {"status": {"$text": "^ans"}}, {"none": None},
                        {"n": {"$from": 1, "$to": 1}}):
            self.assertIsNone(run.differs(pattern, value), pattern)
        for pattern in ([], {"m": 1}, {"n": 2}, {"n": True}, {"flag": 1}, {"list": [{"doc": "a"}]},
                        {"list": [{"doc": "b"}, {}]}, {"list": {"$has": [{"doc": "c"}]}}, {"n": {"$has": []}},
                        {"list": {"$lacks": [{"doc": "a"}]}}, {"status": {"$text": "^not"}}, {"none": {}},
                        {"n": {"$from": 2, "$to": 3}}, {"n": {"$text": "1"}}):
            self.assertIsNotNone(run.differs(pattern, value), pattern)

    def test_a_quote_that_is_not_the_documents_bytes_is_found(self):
        case = run.Case.__new__(run.Case)
        case.documents = [{"_topic": "docs", "_id": "k", "text": "Größe zählt."}]
        citation = {"n": 1, "topic": "docs", "doc": "k", "byte_start": 0, "byte_end": 7, "quote": "Größe"}
        for change, fault_count in (({}, 0), ({"byte_end": 6}, 1), ({"quote": "Grösse"}, 1), ({"doc": "l"}, 1),
                                    ({"n": 2}, 1)):
            run.faults.clear()
            case.answers = {"q": {"status": "answered", "answer": "Größe [1]", "citations": [citation | change]}}
            case.check_citations()
            self.assertEqual(len(run.faults), fault_count, change)


if __name__ == "__main__":
    unittest.main()
