"""kill -9 in the middle of ingestion ends with exactly what an undisturbed run ends with."""

import random
import time

import sluice_test

DOCUMENTS = 400
SENTENCES = ("The pilot boarded the vessel at the outer buoy.", "The tide turned an hour after noon.",
             "Fog lay over the roads until the afternoon.", "The keeper wrote the time into the log.",
             "Nothing moved in the inner basin.", "A tug waited for the grain ship.")


def history(seed):
    """Puts, replacements and deletes of few keys, in the order they are produced."""
    rng = random.Random(seed)
    records = []
    for i in range(DOCUMENTS * 2):
        key = f"doc-{rng.randrange(DOCUMENTS)}"
        dice = rng.random()
        value = f"Entry {i} of {key}. " + " ".join(rng.choices(SENTENCES, k=rng.randrange(5, 120)))
        if dice < 0.15:
            value = None
        elif dice < 0.18:
            value = b""  # a dead letter
        records.append({"topic": "docs", "key": key, "value": value})
    return records


def model(records):
    """What the index must hold in the end: each key is in one partition, so its order is the topic's."""
    state = {}
    for record in records:
        if record["value"] is None:
            state.pop(record["key"], None)
        elif record["value"]:
            state[record["key"]] = record["value"]
    return state


def fingerprint(daemon):
    """Documents as stored and the number of chunks."""
    stats = daemon.ctl_json("stats")
    return daemon.export(), stats["documents"], stats["chunks"]


class Crash(sluice_test.Case):
    def run_undisturbed(self, records, **more):
        daemon = self.daemon(self.mock(), **more)
        daemon.client.produce_many(records)
        daemon.wait_applied(seconds=240)
        self.assertEqual(daemon.stop(), 0)
        return fingerprint(daemon)

    def run_killed(self, records, kills, **more):
        """The same records; the daemon is killed again and again while it works on them."""
        rng = random.Random(7)
        daemon = self.daemon(self.mock(), start=False, **more)
        daemon.client.produce_many(records)
        ends = {f"docs/{p}": high for p, (_, high) in enumerate(daemon.client.marks("docs"))}
        in_the_middle = 0
        for _ in range(kills):
            daemon.start(wait=False)
            sluice_test.wait_for(lambda: daemon.check_alive() and daemon.positions(), "its first positions")
            time.sleep(rng.random() * 0.4)
            at = daemon.positions()
            daemon.kill()
            if any(0 < at.get(p, 0) < end for p, end in ends.items()):
                in_the_middle += 1
        daemon.start()
        daemon.wait_applied(seconds=240)
        self.assertIn(daemon.metric("sluice_documents_stale_total"), (None, 0))
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")
        return fingerprint(daemon), in_the_middle, daemon

    def compare(self, records, kills, **more):
        wanted = self.run_undisturbed(records, **more)
        found, in_the_middle, daemon = self.run_killed(records, kills, **more)
        self.assertGreater(in_the_middle, 0, "no kill hit the middle: the test has tested nothing")
        self.assertEqual(sorted(found[0]), sorted(wanted[0]))
        for key, document in wanted[0].items():
            self.assertEqual(found[0][key], document)
        self.assertEqual(found[1:], wanted[1:])
        state = model(records)
        self.assertEqual({key: d["text"] for key, d in found[0].items()}, state)
        return daemon

    def test_lexical(self):
        records = history(1)
        daemon = self.compare(records, kills=12, config={"workers": {"queue_items": 16}})
        # No bad record lost its dead letter; the same one may come twice, under the same id.
        letters = daemon.client.consume("docs.dlq")
        bad = sum(1 for r in records if r["value"] == b"")
        places = {(l.header("__connect.errors.partition"), l.header("__connect.errors.offset")) for l in letters}
        self.assertEqual(len(places), bad)
        self.assertEqual(len({l.header("sluice-dlq-id") for l in letters}), bad)

    def test_with_vectors(self):
        self.need_model()
        self.compare(history(2)[:160], kills=6, model=True)

    def test_questions_survive(self):
        """Each question is answered at least once over kills, always under one id."""
        daemon = self.daemon(self.mock())
        daemon.client.produce("docs", b"k", "The lantern of buoy five is green.")
        daemon.wait_applied()
        rng = random.Random(3)
        asked = 0
        for _ in range(6):
            daemon.client.produce_many([{"topic": "questions", "key": f"{asked + i}",
                                         "value": "Is the lantern of buoy five green?"} for i in range(50)])
            asked += 50
            time.sleep(rng.random() * 0.3)
            daemon.kill()
            daemon.start(wait=False)
        sluice_test.wait_for(lambda: len({a.key for a in daemon.client.consume("answers")}) == asked,
                             f"{asked} answers", 120)
        ids = {}
        for answer in daemon.client.consume("answers"):
            ids.setdefault(answer.key, set()).add(answer.header("sluice-answer-id"))
        self.assertTrue(all(len(found) == 1 for found in ids.values()))


if __name__ == "__main__":
    sluice_test.main()
