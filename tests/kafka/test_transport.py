"""Documents in, answers out, on the mock broker: what a person with kcat sees."""

import subprocess

import sluice_test


def kcat(broker, *arguments, stdin=None):
    done = subprocess.run(["kcat", "-b", broker.bootstrap, "-q", *arguments], input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
    if done.returncode != 0:
        raise AssertionError(f"kcat {arguments}: {done.stderr.decode()}")
    return done.stdout


class Transport(sluice_test.Case):
    def test_kcat_all_the_way(self):
        broker = self.mock()
        daemon = self.daemon(broker)
        kcat(broker, "-P", "-K:", "-t", "docs", stdin=b"k1:hello world")
        daemon.wait_applied()
        kcat(broker, "-P", "-t", "questions", stdin=b"hello world?")
        seen = kcat(broker, "-C", "-t", "answers", "-o", "beginning", "-c", "1")
        self.assertIn(b'"status":"answered"', seen.replace(b": ", b":"))
        self.assertIn(b'"hello world"', seen)
        self.assertIn(b'"k1"', seen)

    def test_answer_has_everything_promised(self):
        daemon = self.daemon(self.mock())
        text = "The lighthouse is painted red. Its keeper is called Wren."
        where = daemon.client.produce("docs", b"light", {"text": text, "title": "Log", "date": "2019-03-14"})
        daemon.wait_applied()
        record = daemon.ask("How is the lighthouse painted?", key=b"my-key")
        self.assertEqual(record.key, b"my-key")
        self.assertEqual(record.header("content-type"), b"application/json")
        self.assertEqual(record.header("sluice-status"), b"answered")
        answer = record.json()
        self.assertEqual(record.header("sluice-answer-id").decode(), answer["id"])
        self.assertEqual(answer["query"], "How is the lighthouse painted?")
        self.assertIn("[1]", answer["answer"])
        self.assertIn("painted red", answer["answer"])
        citation = answer["citations"][0]
        self.assertEqual((citation["n"], citation["doc"], citation["topic"], citation["title"], citation["date"]),
                         (1, "light", "docs", "Log", "2019-03-14"))
        self.assertEqual((citation["partition"], citation["offset"]), where)
        self.assertEqual(text.encode()[citation["byte_start"]:citation["byte_end"]].decode(), citation["quote"])
        self.assertEqual(answer["index"]["documents"], 1)
        self.assertEqual(answer["index"]["position"][f"docs/{where[0]}"], where[1] + 1)
        self.assertEqual(answer["index"]["lag_records"], 0)
        self.assertEqual(answer["model"]["answer"], "extract")
        self.assertGreaterEqual(answer["timing_ms"]["total"], 0)

    def test_replace_delete_create_again(self):
        daemon = self.daemon(self.mock())
        ask = "How deep is the harbour channel?"

        def put(value):
            daemon.client.produce("docs", b"depth", value)
            daemon.wait_applied()
            return daemon.answer(ask)

        answer = put("The harbour channel is seven metres deep.")
        self.assertIn("seven metres", answer["answer"])
        answer = put("The harbour channel is nine metres deep.")
        self.assertIn("nine metres", answer["answer"])
        self.assertNotIn("seven", str(answer))
        self.assertEqual(answer["index"]["documents"], 1)
        answer = put(None)
        self.assertEqual(answer["status"], "not_found")
        self.assertEqual((answer["index"]["documents"], answer["index"]["chunks"]), (0, 0))
        answer = put("The harbour channel is eleven metres deep.")
        self.assertIn("eleven metres", answer["answer"])
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")

    def test_tombstone_of_unknown_key(self):
        daemon = self.daemon(self.mock())
        daemon.client.produce("docs", b"never-there", None)
        daemon.client.produce("docs", b"k", "A grey heron stands on the pier.")
        daemon.wait_applied()
        self.assertIn("heron", daemon.answer("What stands on the pier?")["answer"])
        self.assertEqual(daemon.client.consume("docs.dlq"), [])

    def test_markdown_and_korean(self):
        daemon = self.daemon(self.mock())
        daemon.client.produce("docs", b"m", "# Tides\n\n## Spring\n\nThe spring tide reaches six metres.\n",
                              [("content-type", "text/markdown; charset=utf-8")])
        daemon.client.produce("docs", "한".encode(), "솔섬 등대의 등대장은 한서윤이다. 등대는 흰색이다.")
        daemon.wait_applied()
        answer = daemon.answer("How many metres does the spring tide reach?")
        self.assertIn("six metres", answer["answer"])
        answer = daemon.answer("솔섬 등대의 등대장은 누구인가?")
        self.assertEqual(answer["citations"][0]["doc"], "한")
        self.assertIn("한서윤", answer["citations"][0]["quote"])

    def test_same_key_in_two_topics_is_two_documents(self):
        broker = self.mock("docs:2,notes:1,questions:1,answers:1,docs.dlq:1")
        daemon = self.daemon(broker, {"documents": {"topics": "docs, notes"}})
        daemon.client.produce("docs", b"k", "The osprey nests on the crane.")
        daemon.client.produce("notes", b"k", "The cormorant spreads its wings on the buoy.")
        daemon.wait_applied(["docs", "notes"])
        daemon.client.produce("docs", b"k", None)
        daemon.wait_applied(["docs", "notes"])
        self.assertEqual(daemon.answer("Where does the cormorant spread its wings?")["citations"][0]["topic"], "notes")
        self.assertEqual(daemon.answer("Where does the osprey nest?")["status"], "not_found")

    def test_restart_applies_nothing_twice(self):
        daemon = self.daemon(self.mock())
        for i in range(40):
            daemon.client.produce("docs", f"k{i}".encode(), f"Crate number {i} holds rope.")
        daemon.wait_applied()
        before = daemon.export()
        self.assertEqual(len(before), 40)
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        daemon.wait_applied()
        self.assertIn(daemon.metric("sluice_documents_applied_total", None), (None, 0))
        self.assertEqual(daemon.export(), before)

    def test_without_question_topics_it_only_indexes(self):
        daemon = self.daemon(self.mock("docs:1,docs.dlq:1"), {"queries": {"topics": ""}})
        daemon.client.produce("docs", b"k", "The anchor weighs three tonnes.")
        daemon.wait_applied()
        self.assertEqual(list(daemon.export()), ["k"])
        self.assertEqual(daemon.stop(), 0)

    def test_min_position(self):
        """An answer that must know a document waits for it, and says so when it cannot come."""
        daemon = self.daemon(self.mock())
        where = daemon.client.produce("docs", b"k", "The anchor weighs three tonnes.")
        wanted = {f"docs/{where[0]}": where[1]}
        answer = daemon.answer({"query": "How much does the anchor weigh?", "min_position": wanted})
        self.assertIn("three tonnes", answer["answer"])
        self.assertGreater(answer["index"]["position"][f"docs/{where[0]}"], where[1])
        answer = daemon.answer({"query": "How much does the anchor weigh?", "deadline_ms": 1500,
                                "min_position": {f"docs/{where[0]}": where[1] + 1000}})
        self.assertEqual((answer["status"], answer["error"]["code"]), ("error", "deadline_exceeded"))


if __name__ == "__main__":
    sluice_test.main()
