"""Thirty-two press conferences through a real broker, with the encoder: asked, replaced, deleted.

The texts are evaluation data that lies beside the source tree; without them this skips.
"""

import json

import sluice_test

QUESTION = "What did the chair say about raising the federal funds rate in December 2015?"


class Speeches(sluice_test.RealBrokerCase):
    def setUp(self):
        self.need_model()
        self.path = self.need_data("fomc/pressconf.jsonl")
        with open(self.path, encoding="utf-8") as f:
            self.texts = {d["_id"]: d for d in map(json.loads, f)}

    def ask(self, daemon, question=QUESTION):
        answer = daemon.ctl_json("ask", question, "--timeout", "120")
        for citation in answer["citations"]:
            text = self.now[citation["doc"]]["text"].encode()
            self.assertEqual(text[citation["byte_start"]:citation["byte_end"]].decode(), citation["quote"])
        return answer

    def test_asked_replaced_deleted(self):
        names, config = self.topics(4)
        daemon = self.daemon(self.broker, config, model=True)
        self.now = dict(self.texts)
        daemon.ctl("put", "--jsonl", self.path)
        daemon.wait_applied((names["docs"],), seconds=600)

        answer = self.ask(daemon)
        self.assertEqual(answer["status"], "answered", answer)
        self.assertEqual({c["date"] for c in answer["citations"]}, {"2015-12-16"}, answer)
        self.assertTrue(answer["filter"]["from_query"])
        self.assertEqual((answer["filter"]["date_from"], answer["filter"]["date_to"]), ("2015-12-01", "2015-12-31"))

        # Replaced by a different text: the old one is never seen again.
        target = answer["citations"][0]["doc"]
        new = dict(self.texts[target], text="CHAIR YELLEN. The Committee decided to plant an orchard of federal "
                   "funds rate pears. Raising pears takes patience.")
        self.now[target] = new
        daemon.client.produce(names["docs"], target, new)
        daemon.wait_applied((names["docs"],), seconds=120)
        answer = self.ask(daemon)
        self.assertEqual({c["date"] for c in answer["citations"]} - {"2015-12-16"}, set(), answer)
        self.assertIn("pears", json.dumps(answer))
        hits = daemon.ctl_json("search", "raising the federal funds rate", "--k", "50", "--filter",
                               f'key = "{target}"')
        self.assertNotIn("funds rate by", json.dumps(hits))
        self.assertEqual(daemon.export()[target]["text"], new["text"])

        # Deleted: nothing of December 2015 is left to quote.
        del self.now[target]
        daemon.ctl("rm", target)
        daemon.wait_applied((names["docs"],), seconds=120)
        answer = self.ask(daemon)
        self.assertNotIn(target, [c["doc"] for c in answer["citations"]])
        self.assertNotIn(target, daemon.export())
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")

    def test_killed_in_the_middle(self):
        """kill -9 while they are being embedded: the same documents and chunks as without."""
        names, config = self.topics(4)
        some = [self.texts[key] for key in sorted(self.texts)[:8]]
        records = [{"topic": names["docs"], "key": d["_id"], "value": d} for d in some]
        daemon = self.daemon(self.broker, config, model=True, start=False)
        daemon.client.produce_many(records)
        kills = 0
        daemon.start(wait=False)
        while kills < 3:
            goal = daemon_progress(daemon) + 1
            sluice_test.wait_for(lambda: daemon.check_alive() and daemon_progress(daemon) >= goal,
                                 "one more document", 240)
            daemon.kill()
            kills += 1
            daemon.start(wait=False)
        daemon.wait_applied((names["docs"],), seconds=400)
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")

        undisturbed = self.daemon(self.broker, {**config, "queries": {**config["queries"], "group": "other"}},
                                  model=True)
        undisturbed.wait_applied((names["docs"],), seconds=400)
        self.assertEqual(undisturbed.stop(), 0)
        self.assertEqual(daemon.export(), undisturbed.export())
        self.assertEqual([daemon.ctl_json("stats")[n] for n in ("documents", "chunks")],
                         [undisturbed.ctl_json("stats")[n] for n in ("documents", "chunks")])


def daemon_progress(daemon):
    return sum(daemon.positions().values())


if __name__ == "__main__":
    sluice_test.main()
