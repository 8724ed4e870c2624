"""Questions: both reply dialects, limits, deadlines, and every kind of bad one."""

import shutil
import struct
import tempfile
import time
import uuid

import sluice_test

FACTS = {
    "crane": "The crane lifts twelve tonnes.",
    "bell": "The bell was cast in 1911 by Orla Finch.",
    "tower": "The tower has two hundred and six steps.",
}


TOPICS = "docs:2,questions:2,answers:1,docs.dlq:1,replies:3,secret:1"
CONFIG = {"queries": {"reply_topics": "replies"}}


def teach(daemon):
    for key, text in FACTS.items():
        daemon.client.produce("docs", key, {"text": text, "kind": "object"})
    daemon.wait_applied()


class Questions(sluice_test.Case):
    """One broker and daemon for all: a question changes nothing."""

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="sluice-test-")
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        broker = sluice_test.MockBroker(TOPICS)
        cls.addClassCleanup(broker.stop)
        cls.d = sluice_test.Daemon(broker, cls.directory, CONFIG)
        cls.addClassCleanup(cls.d.close)
        teach(cls.d.start())

    def error_code(self, question, **more):
        record = self.d.ask(question, **more)
        answer = record.json()
        self.assertEqual(answer["status"], "error", answer)
        self.assertEqual(record.header("sluice-status"), b"error")
        self.assertTrue(answer["error"]["message"])
        return answer["error"]["code"]

    def test_spring_dialect(self):
        correlation = bytes(range(256))
        record = self.d.ask("How many steps has the tower?", topic="replies", headers=[
            ("kafka_replyTopic", b"replies"), ("kafka_replyPartition", struct.pack(">i", 2)),
            ("kafka_correlationId", correlation)])
        self.assertEqual(record.partition, 2)
        self.assertEqual(record.header("kafka_correlationId"), correlation)
        self.assertIn("two hundred and six", record.json()["answer"])

    def test_smallrye_dialect(self):
        record = self.d.ask("How many steps has the tower?", topic="replies", headers=[
            ("REPLY_TOPIC", b"replies"), ("REPLY_PARTITION", struct.pack(">i", 1)),
            ("REPLY_CORRELATION_ID", b"\r\n\x00binary")])
        self.assertEqual(record.partition, 1)
        self.assertEqual(record.header("REPLY_CORRELATION_ID"), b"\r\n\x00binary")
        self.assertIn("two hundred and six", record.json()["answer"])

    def test_reply_topic_not_allowed(self):
        """B31: the answer goes to the default topic, as an error."""
        for topic in (b"secret", b"__consumer_offsets", b"docs", b"no such topic!"):
            record = self.d.ask("How many steps has the tower?", headers=[
                ("kafka_replyTopic", topic), ("kafka_correlationId", b"c")])
            answer = record.json()
            self.assertEqual((answer["status"], answer["error"]["code"]), ("error", "reply_topic_not_allowed"))
            self.assertEqual(record.header("kafka_correlationId"), b"c")
        self.assertEqual(self.d.client.consume("secret"), [])
        self.assertEqual(len([m for m in self.d.client.consume("docs")]), len(FACTS))

    def test_long_correlation_id(self):
        """B32: 64 KB of it do no harm, and questions go on being answered."""
        record = self.d.ask("Who cast the bell?", headers=[("kafka_correlationId", b"\x00\xff" * 32768)])
        self.assertLessEqual(len(record.header("kafka_correlationId") or b""), 65536)
        self.assertIn("Orla Finch", self.d.answer("Who cast the bell?")["answer"])

    def test_traceparent_is_passed_on(self):
        parent = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        self.assertEqual(self.d.ask("Who cast the bell?", headers=[("traceparent", parent)]).header("traceparent"),
                         parent)

    def test_answer_ids_are_uuid5_of_the_place(self):
        first = self.d.ask("Who cast the bell?", partition=0).json()["id"]
        second = self.d.ask("Who cast the bell?", partition=0).json()["id"]
        other = self.d.ask("Who cast the bell?", partition=1).json()["id"]
        self.assertEqual(len({first, second, other}), 3)
        for text in (first, second, other):
            self.assertEqual(uuid.UUID(text).version, 5)

    def test_plain_and_json_say_the_same(self):
        plain = self.d.answer("What does the crane lift?")
        as_json = self.d.answer({"query": "What does the crane lift?"})
        for name in ("answer", "citations", "status", "query"):
            self.assertEqual(plain[name], as_json[name])

    def test_hits_when_asked(self):
        self.assertFalse(self.d.answer("What does the crane lift?").get("hits"))
        hits = self.d.answer({"query": "What does the crane lift?", "return_hits": True})["hits"]
        self.assertEqual(hits[0]["doc"], "crane")

    def test_k_is_clamped(self):
        answer = self.d.answer({"query": "What does the crane lift?", "k": 1000000000})
        self.assertIn("twelve tonnes", answer["answer"])
        self.assertTrue(any("clamped" in w for w in answer["warnings"]), answer["warnings"])
        answer = self.d.answer({"query": "the crane, the bell, the tower", "k": 1, "return_hits": True})
        self.assertEqual(len(answer["hits"]), 1)

    def test_filter(self):
        answer = self.d.answer({"query": "What does the crane lift?", "filter": 'key = "bell"', "return_hits": True})
        self.assertEqual({h["doc"] for h in answer["hits"]} - {"bell"}, set())
        answer = self.d.answer({"query": "What does the crane lift?", "filter": 'kind = "object"'})
        self.assertIn("twelve tonnes", answer["answer"])
        # A field that no document has makes the comparison false, not an error.
        self.assertEqual(self.d.answer({"query": "the crane", "filter": 'colour = "red"'})["status"], "not_found")

    def test_not_found(self):
        answer = self.d.answer("Which opera did Verdi finish last?")
        self.assertEqual((answer["status"], answer["citations"]), ("not_found", []))

    def test_bad_questions(self):
        """B30, and JSON that is none: an error with a code, for each."""
        cases = [
            ("empty", b"", {"empty_query"}),
            ("null", None, {"empty_query"}),
            ("white space", b"  \n ", {"empty_query"}),
            ("empty query", {"query": ""}, {"empty_query"}),
            ("no query", {"k": 3}, {"empty_query", "bad_field"}),
            ("query is a number", {"query": 7}, {"bad_field"}),
            ("one megabyte", b"why " * (1 << 18), {"too_large"}),
            ("k = 0", {"query": "crane", "k": 0}, {"bad_k"}),
            ("k < 0", {"query": "crane", "k": -1}, {"bad_k"}),
            ("k is text", {"query": "crane", "k": "5"}, {"bad_k", "bad_field"}),
            ("mode", {"query": "crane", "mode": "psychic"}, {"bad_mode"}),
            ("unknown member", {"query": "crane", "querry": "x"}, {"bad_field"}),
            ("filter does not parse", {"query": "crane", "filter": "kind = = 3"}, {"bad_filter"}),
            ("filter is open", {"query": "crane", "filter": 'kind = "object'}, {"bad_filter"}),
            ("filter too deep", {"query": "crane", "filter": "not (" * 20 + 'a = "b"' + ")" * 20}, {"bad_filter"}),
            ("filter too wide", {"query": "crane", "filter":
                                 "a in (" + ",".join(f'"{i}"' for i in range(400)) + ")"}, {"bad_filter"}),
            ("broken JSON", b'{"query":"crane"', {"bad_json"}),
            ("trailing", b'{"query":"crane"}x', {"trailing_data"}),
            ("duplicate", b'{"query":"crane","query":"bell"}', {"duplicate_key"}),
            ("bad UTF-8", b"crane \xff", {"bad_utf8"}),
            ("vector without an encoder", {"query": "crane", "mode": "vector"}, {"no_vectors"}),
        ]
        for name, question, codes in cases:
            with self.subTest(name):
                self.assertIn(self.error_code(question), codes)
        self.assertIn("twelve tonnes", self.d.answer("What does the crane lift?")["answer"])

    def test_deadline_in_the_past(self):
        answer = self.d.answer({"query": "Who cast the bell?", "deadline_ms": 1000},
                               timestamp=int(time.time() * 1000) - 60000)
        self.assertEqual((answer["status"], answer["error"]["code"]), ("error", "deadline_exceeded"))
        # With time enough the same question is answered.
        answer = self.d.answer({"query": "Who cast the bell?", "deadline_ms": 60000})
        self.assertEqual(answer["status"], "answered")


class Restart(sluice_test.Case):
    def test_questions_before_the_start_are_answered(self):
        """What was asked while the daemon was away is not lost, and not answered twice later."""
        daemon = self.daemon(self.mock(TOPICS), CONFIG)
        teach(daemon)
        self.assertEqual(daemon.stop(), 0)
        for i in range(5):
            daemon.client.produce("questions", f"waiting {i}", "Who cast the bell?")
        daemon.start()
        answers = daemon.client.consume("answers", count=5, seconds=sluice_test.PATIENCE)
        self.assertEqual(sorted(a.key for a in answers), [f"waiting {i}".encode() for i in range(5)])
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        daemon.answer("Who cast the bell?", key=b"last")
        self.assertEqual([a.key for a in daemon.client.consume("answers")].count(b"waiting 0"), 1)


if __name__ == "__main__":
    sluice_test.main()
