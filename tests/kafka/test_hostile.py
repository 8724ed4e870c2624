"""Records meant to hurt: nested, huge, decorated, contradictory. Each has a typed end, and nobody else waits for it.

The names B17.. are those of the table of inputs in docs/TESTING.md; what is merely malformed is in test_bad_documents.py.
"""

import json
import os
import shutil
import tempfile

import sluice_test

TENANT = [("tenant", b"north")]
AFTER = "The harbour log of that day ends with the {animal}."
ASK = "What does the harbour log end with?"


class Hostile(sluice_test.Case):
    """One daemon for all; every test asks for a document of its own at the end."""

    config = {}
    headers = ()

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="sluice-test-")
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        broker = sluice_test.MockBroker(sluice_test.TOPICS)
        cls.addClassCleanup(broker.stop)
        cls.d = sluice_test.Daemon(broker, cls.directory, cls.config)
        cls.addClassCleanup(cls.d.close)
        cls.d.start()

    def put(self, key, value, headers=()):
        return self.d.client.produce("docs", key, value, [*self.headers, *headers])

    def reason(self, key, value, headers=()):
        """The reason on the dead letter of a record that is put now."""
        start = [high for _, high in self.d.client.marks("docs.dlq")]
        self.put(key, value, headers)
        found = sluice_test.wait_for(lambda: [letter for letter in self.d.client.consume("docs.dlq", start=start)
                                              if letter.key == key], lambda: "a dead letter\n" + self.d.log_tail())
        return found[-1].header("sluice-reason").decode()

    def goes_on(self, animal):
        self.put(animal.encode(), AFTER.format(animal=animal))
        self.d.wait_applied()
        answer = self.d.answer(ASK, headers=self.headers)
        self.assertIn("harbour log", answer["answer"])


class Documents(Hostile):
    def test_depth(self):
        """B17: beyond 32 levels nothing is read, and 100,000 do no harm."""
        def nested(levels):
            return b'{"text":"The nested heron stands.","n":' + b"[" * levels + b"1" + b"]" * levels + b"}"

        self.put(b"deep", nested(1))
        self.d.wait_applied()
        self.assertIn("deep", self.d.export())
        for levels in (33, 1000, 100000):
            self.assertEqual(self.reason(b"deeper", nested(levels)), "too_deep", levels)
        self.goes_on("heron")

    def test_many(self):
        """B18, B19: two million zeros, fifty thousand names: refused before anything is built of them."""
        before = self.resident()
        zeros = b'{"text":"a","n":[' + b"0," * 2000000 + b"0]}"
        self.assertEqual(self.reason(b"zeros", zeros), "too_many_tokens")
        members = json.dumps({"text": "a", **{f"m{i}": i for i in range(50000)}})
        self.assertIn(self.reason(b"members", members), ("too_many_members", "too_many_tokens"))
        self.assertLess(self.resident() - before, 80 << 20, "a parser would have taken 150 MB")
        self.goes_on("stork")

    def resident(self):
        with open(f"/proc/{self.d.process.pid}/status", encoding="utf-8") as f:
            return next(int(line.split()[1]) << 10 for line in f if line.startswith("RssAnon"))

    def test_characters(self):
        """B23: combining marks without end, reversed text, tags and look-alikes: kept, found, quoted byte for byte."""
        texts = {
            b"marks": "The bittern booms" + "\u0301" * 100000 + " at dusk.",
            b"reversed": "The \u202egrebe\u202c dives at dawn.",
            b"tags": "The avocet\U000e0041\U000e0042\U000e007f wades\u200b\u200d at noon.",
            b"alike": "The \u0440\u0430\u0443\u0440\u0430l merganser swims at four.",
        }
        for key, text in texts.items():
            self.put(key, text)
        self.d.wait_applied()
        documents = self.d.export()
        for key, text in texts.items():
            self.assertEqual(documents[key.decode()]["text"], text)
        for words, key in (("When does the avocet wade?", "tags"), ("When does the merganser swim?", "alike")):
            answer = self.d.answer(words)
            self.assertEqual(answer["citations"][0]["doc"], key, answer)
            self.check_quotes(answer, documents)
        self.goes_on("egret")

    def check_quotes(self, answer, documents):
        for c in answer["citations"]:
            if c["doc"] in documents:
                text = documents[c["doc"]]["text"].encode()
                self.assertEqual(text[c["byte_start"]:c["byte_end"]], c["quote"].encode())

    def test_markup_is_text(self):
        """B24: scripts and image links are quoted as they stand, in JSON, and shown on no page."""
        text = ('The lapwing nests <script>alert("lapwing")</script> in June. '
                '![lapwing](https://evil.example/?q=secret) </body>')
        self.put(b"markup", text)
        self.d.wait_applied()
        record = self.d.ask("When does the lapwing nest?")
        self.assertEqual(record.header("content-type"), b"application/json")
        answer = record.json()
        self.check_quotes(answer, self.d.export())
        for path in ("/", "/status.json", "/metrics"):
            self.assertNotIn("lapwing", self.d.http(path)[1])
        self.goes_on("plover")

    def test_headers(self):
        """B26: ten thousand headers, one of a megabyte, names that are no text: the first 64 count, the record lives."""
        self.put(b"many", "The godwit winters in the delta.", [(f"h{i}", b"x") for i in range(10000)])
        self.put(b"big", "The knot flies farther.", [("big", b"x" * 1000000)])
        self.put(b"odd", "The curlew flies too.", [("", b"x"), ("\u202e\x01", b"\xff"), ("n" * 30000, None)])
        self.put(b"late", b'{"text": "The whimbrel flies last."}',
                 [*[(f"h{i}", b"x") for i in range(64)], ("content-type", b"application/x-unheard-of")])
        self.assertEqual(self.reason(b"title", "The dunlin has a bad title.", [("title", b"\xff\xfe")]), "bad_field")
        self.d.wait_applied()
        self.assertLessEqual({"many", "big", "odd", "late"}, set(self.d.export()))
        record = self.d.ask("Where does the godwit winter?", headers=[(f"h{i}", b"x") for i in range(10000)])
        self.assertEqual(record.json()["status"], "answered")
        self.goes_on("ruff")

    def test_vectors(self):
        """B33: what a document says its vector is, and is none."""
        for name, vector in (("text", "[1]"), ("strings", ["1", "2"]), ("empty", []), ("zeros", [0, 0, 0]),
                             ("huge", [1e30, 1e30]), ("null inside", [1, None]), ("long", [0.1] * 4097)):
            with self.subTest(name):
                value = json.dumps({"text": "A vector of a snipe.", "vector": vector})
                self.assertEqual(self.reason(b"vector", value), "bad_vector")
        self.assertEqual(self.reason(b"vector", '{"text":"a","vector":[NaN]}'), "bad_json")
        self.goes_on("snipe")

    def test_filters(self):
        """B34: deep and long filters are refused with a code, the longest allowed one works."""
        def code(text):
            answer = self.d.answer({"query": ASK, "filter": text})
            self.assertEqual(answer["status"], "error", answer)
            return answer["error"]["code"]

        self.goes_on("teal")
        self.assertEqual(code("(" * 9 + 'kind = "x"' + ")" * 9), code("(" * 2000 + 'kind = "x"' + ")" * 2000))
        terms = ", ".join(f'"{i}"' for i in range(257))
        self.assertEqual(code(f"kind in ({terms})"), code(" or ".join(f'kind = "{i}"' for i in range(257))))
        self.assertTrue(code('kind = "' + "x" * 20000 + '"'))
        self.assertEqual(self.d.answer({"query": "x", "filter": "not " * 5 + 'kind = "x"'})["status"], "not_found")

    def test_position_of_no_partition(self):
        answer = self.d.answer({"query": "x", "deadline_ms": 60000, "min_position": {"docs/99": 0}})
        self.assertEqual(answer["error"]["code"], "unknown_partition")

    def test_put_and_wait_says_what_was_set_aside(self):
        path = os.path.join(self.scratch(), "lines.jsonl")
        with open(path, "w", encoding="utf-8") as f:
            f.write('{"_id": "fine", "text": "The brent flies."}\n')
        done = self.d.ctl("put", "--jsonl", path, "--wait", check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"searchable", done.stdout)
        with open(path, "a", encoding="utf-8") as f:
            f.write('{"_id": "blank", "text": "\u200b \u200b"}\n')
        done = self.d.ctl("put", "--jsonl", path, "--wait", check=False)
        self.assertEqual(done.returncode, 65, done.stderr)
        self.assertIn(b"1 records of topic docs could not be used", done.stderr)
        self.assertNotIn(b"and searchable", done.stdout)


class Tenants(Hostile):
    config = {"queries": {"tenant_header": "tenant"}}
    headers = TENANT

    def test_two_tenants(self):
        """A header that says whose a record is must stand there once: the last one must not simply win."""
        self.assertEqual(self.reason(b"two", "The skua of two masters.", [("tenant", b"south")]), "bad_field")
        answer = self.d.answer(ASK, headers=[*TENANT, ("tenant", b"south")])
        self.assertEqual(answer["error"]["code"], "no_tenant")
        hidden = [*TENANT, *[(f"h{i}", b"x") for i in range(100)], ("tenant", b"south")]
        self.assertEqual(self.d.answer(ASK, headers=hidden)["error"]["code"], "no_tenant")
        self.goes_on("skua")


if __name__ == "__main__":
    sluice_test.main()
