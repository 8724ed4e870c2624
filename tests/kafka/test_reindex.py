"""Another model, other chunks: the index made anew while the old one answers; and nothing embedded twice."""

import json
import os
import random
import socket
import threading
import time

import sluice_test
from sluice_test import BUILD, wait_for


def gated(name="gated"):
    """The daemon with the tests' encoder (kafka/gated.c): no model is needed, and its pace can be set."""
    return os.path.join(BUILD, "tests", "sluiced_" + name)


def text(key, version):
    """About eight chunks of forty words."""
    return "\n\n".join(f"Paragraph {i} about the harbour of {key}. In version {version if i == 3 else 0} the keeper of the "
                       f"light number {i} writes that lantern {key} shines, that ships pass mole {i} and that nobody "
                       f"was seen on the stairs of house {i * 7} after the bell had rung." for i in range(8))


class Reindex(sluice_test.Case):
    def make(self, config=None, start=True, pace_us=0):
        chosen = {"embed": {"backend": "bert", "model": "/somewhere/one"}, "chunk": {"words": 40, "overlap_words": 0},
                  "retrieve": {"mode": "hybrid"}, "queries": {}}
        for section, options in (config or {}).items():
            chosen.setdefault(section, {}).update(options)
        daemon = self.daemon(self.mock(), chosen, start=False)
        daemon.program = gated()
        daemon.environment["SLUICE_TEST_TEXT_US"] = str(pace_us)
        return daemon.start() if start else daemon

    def put(self, daemon, versions):
        daemon.client.produce_many([{"topic": "docs", "key": key, "value": None if version is None else text(key, version)}
                                    for key, version in versions])

    def change(self, daemon, **sections):
        for section, options in sections.items():
            daemon.sections.setdefault(section, {}).update(options)
        daemon.write_config()

    def texts(self, daemon, what="documents"):
        return daemon.metric("sluice_embed_texts_total", f'for="{what}"') or 0

    def wait_switched(self, daemon, seconds=None):
        wait_for(lambda: daemon.check_alive() and (daemon.metric("sluice_generation_switches_total") or 0) > 0,
                 lambda: f"another generation to be in use: {daemon.ctl_json('status').get('reindex')}\n{daemon.log_tail()}",
                 seconds)
        daemon.wait_ready()

    def control(self, daemon, request):
        """As sluicectl asks, which cannot have the gated encoder to check the configuration by."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(os.path.join(daemon.index, "control.sock"))
            s.sendall(request.encode() + b"\n")
            return json.loads(s.makefile().readline())

    def states(self, daemon):
        return [g["state"] for g in daemon.ctl_json("generation", "list")]

    def check_equal_to_fresh(self, daemon):
        """Export, chunks and search of the index are those of one that was never anything else."""
        daemon.wait_applied()
        found = {"export": daemon.export(), "chunks": daemon.ctl_json("stats")["chunks"], "hits": self.hits(daemon)}
        self.assertEqual(daemon.ctl_json("verify")["faults"], 0)
        fresh = self.daemon(daemon.broker, {"embed": daemon.sections["embed"], "chunk": daemon.sections["chunk"],
                                            "retrieve": {"mode": "hybrid"}, "queries": {"topics": ""}}, start=False)
        fresh.program = daemon.program
        fresh.start()
        fresh.wait_applied()
        self.assertEqual(found["export"], fresh.export())
        self.assertEqual(found["chunks"], fresh.ctl_json("stats")["chunks"])
        self.assertEqual(found["hits"], self.hits(fresh))
        fresh.stop()

    def hits(self, daemon):
        """By words, for sluicectl has no gated encoder; their scores, for ties are in the order of numbers."""
        return [[round(hit["score"], 4) for hit in
                 daemon.ctl_json("search", f"lantern k{i} of version {i % 3}", "--mode", "lexical", "--k", "5")["hits"]]
                for i in (1, 4, 7)]

    def test_nothing_is_embedded_twice(self):
        daemon = self.make()
        self.put(daemon, [("k1", 1), ("k2", 1)])
        daemon.wait_applied()
        first = self.texts(daemon)
        self.assertGreaterEqual(first, 12)
        self.put(daemon, [("k1", 1)])  # again
        document = {"text": text("k2", 1), "author": "somebody"}
        daemon.client.produce("docs", b"k3", json.dumps({**document, "text": text("k3", 1)}))
        daemon.wait_applied()
        second = self.texts(daemon)
        daemon.client.produce("docs", b"k3", json.dumps({**document, "text": text("k3", 1), "author": "another"}))
        daemon.wait_applied()
        self.assertEqual(self.texts(daemon), second, "other metadata: nothing of it is in what is embedded")
        reused = daemon.metric("sluice_embed_reused_windows_total")
        self.assertGreaterEqual(reused, 12)
        self.put(daemon, [("k1", 2)])  # one sentence
        daemon.wait_applied()
        edited = self.texts(daemon) - second
        self.assertTrue(1 <= edited <= 3, f"{edited} of {first // 2} windows for one sentence")
        daemon.client.produce("docs", b"k3", json.dumps({**document, "text": text("k3", 1), "title": "Titled"}))
        daemon.wait_applied()
        self.assertGreaterEqual(self.texts(daemon) - second - edited, 6, "a title stands before every window")

    def test_asked_for_and_gone_back(self):
        daemon = self.make({"index": {"reindex": "manual"}})
        self.put(daemon, [(f"k{i}", 0) for i in range(12)])
        daemon.wait_applied()
        before = daemon.answer("Who passes mole 3?")
        self.assertEqual(before["status"], "answered")
        self.assertRegex(before["model"]["pipeline"], "^[0-9a-f]{12}$")
        self.assertIn("what the configuration asks for",
                      daemon.ctl("reindex", "--wait", check=False).stderr.decode())
        self.change(daemon, chunk={"words": 90})
        asked, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                asked.append(daemon.answer("Who passes mole 3?"))

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            daemon.ctl("reindex", "--wait")
            self.wait_switched(daemon)
        finally:
            stop.set()
            thread.join()
        self.assertTrue({a["status"] for a in asked} <= {"answered", "not_found"}, asked)
        after = daemon.answer("Who passes mole 3?")
        self.assertNotEqual(after["model"]["pipeline"], before["model"]["pipeline"])
        self.assertTrue({a["model"]["pipeline"] for a in asked} <=
                        {before["model"]["pipeline"], after["model"]["pipeline"]})
        self.assertEqual(self.states(daemon), ["current", "retired"])
        self.assertGreater(daemon.ctl_json("status")["retired_bytes"], 0)
        self.put(daemon, [("k1", 5), ("k2", None)])
        daemon.wait_applied()
        self.check_equal_to_fresh(daemon)

        number = str(daemon.ctl_json("generation", "list")[1]["number"])
        self.change(daemon, chunk={"words": 40})
        self.assertEqual(self.control(daemon, f"generation rollback {number}"), {"done": f"generation rollback {number}"})
        wait_for(lambda: daemon.metric("sluice_generation_switches_total") == 2, lambda: daemon.log_tail())
        daemon.wait_applied()
        again = daemon.answer("Who passes mole 3?")
        self.assertEqual(again["model"]["pipeline"], before["model"]["pipeline"])
        self.assertNotIn("k2", daemon.export())
        self.check_equal_to_fresh(daemon)
        number = str(daemon.ctl_json("generation", "list")[1]["number"])
        self.assertEqual(daemon.ctl("generation", "drop", "77", check=False).returncode, 75)
        daemon.ctl("generation", "drop", number)
        self.assertEqual(self.states(daemon), ["current"])
        self.assertEqual(daemon.stop(), 0)

    def test_one_that_loses_golden_answers_is_held(self):
        """Stop words that the questions are made of: in the new generation they find nothing."""
        directory, birds = self.scratch(), ["heron", "gull", "tern", "crane"]
        golden, stop = os.path.join(directory, "golden.jsonl"), os.path.join(directory, "stop")
        with open(golden, "w", encoding="utf-8") as file:
            for bird in birds:
                file.write(json.dumps({"query": bird, "relevant": [bird]}) + "\n")
        with open(stop, "w", encoding="utf-8") as file:
            file.write("\n".join(birds) + "\n")
        daemon = self.make({"index": {"reindex": "manual"}, "retrieve": {"mode": "lexical"}})
        self.put(daemon, [(bird, 0) for bird in birds])
        daemon.wait_applied()
        self.change(daemon, golden={"file": golden}, text={"stop_words": stop})
        said = daemon.ctl("reindex", "--wait", check=False)
        self.assertEqual(said.returncode, 65, said.stderr)
        self.assertIn("recall 0.000 in the new generation, 1.000 in the old one", said.stderr.decode())
        wait_for(lambda: "generation_held" in daemon.log(), "the event")
        self.control(daemon, "generation promote")
        wait_for(lambda: daemon.log().count("generation_held") >= 2, "to be asked again, and held")
        self.assertEqual(self.states(daemon), ["current", "building"])
        self.put(daemon, [("late", 1)])
        daemon.wait_applied()
        self.control(daemon, "generation promote force")
        self.wait_switched(daemon)
        self.assertEqual(self.states(daemon), ["current", "retired"])
        self.change(daemon, chunk={"words": 90})
        daemon.ctl("reindex", "--wait")  # as little as before
        wait_for(lambda: self.states(daemon) == ["current", "retired", "retired"], lambda: daemon.log_tail())
        self.assertEqual(daemon.log().count("generation_held"), 2)

    def test_refused_unless_allowed_and_the_model_is_gone(self):
        """The encoder of before cannot be had: questions go by words, documents wait; then all is there."""
        daemon = self.make()
        self.put(daemon, [(f"k{i}", 0) for i in range(12)])
        daemon.wait_applied()
        self.assertEqual(daemon.stop(), 0)
        self.change(daemon, embed={"model": "/somewhere/two"})
        daemon.start(wait=False)
        self.assertEqual(daemon.process.wait(60), 78)
        self.assertIn("sluicectl reindex", daemon.log())
        self.change(daemon, index={"reindex": "auto"})
        daemon.environment.update(SLUICE_TEST_TEXT_US="150000", SLUICE_TEST_GONE="/somewhere/one")
        self.put(daemon, [("late", 1)])
        daemon.start(wait=False)
        wait_for(lambda: daemon.check_alive() and "reindex_started" in daemon.log(), "the reindex to begin")
        self.assertTrue(daemon.ctl_json("status")["reindex"]["documents_wait"])
        answer = daemon.answer("Who passes mole 3?")
        self.assertEqual(answer["status"], "answered")
        self.assertIn("embedder_unavailable", " ".join(answer["warnings"]))
        self.assertNotIn("late", daemon.export())
        self.wait_switched(daemon)
        daemon.wait_applied()
        self.assertEqual(daemon.answer("Where does lantern late shine?")["citations"][0]["doc"], "late")
        self.assertEqual(self.states(daemon), ["current", "retired"])
        self.assertEqual(daemon.ctl_json("verify")["faults"], 0)

    def test_killed_again_and_again(self):
        """kill -9 during a reindex with a stream of updates and deletes: in the end as if made at once."""
        chance = random.Random(6)
        daemon = self.make({"index": {"reindex": "auto"}})
        keys = [f"k{i}" for i in range(40)]
        self.put(daemon, [(key, 0) for key in keys])
        daemon.wait_applied()
        daemon.kill()
        self.change(daemon, chunk={"words": 70}, embed={"model": "/somewhere/two"})
        daemon.environment["SLUICE_TEST_TEXT_US"] = "6000"
        kills = 0
        for life in range(6):
            daemon.start(wait=False)
            wait_for(lambda: daemon.check_alive() and "reindex_started" in daemon.log(), "the reindex to begin")
            for _ in range(2):
                self.put(daemon, [(chance.choice(keys), chance.choice([life + 1, life + 1, None])) for _ in range(4)])
                time.sleep(chance.random() * 0.4)
            if (daemon.metric("sluice_generation_switches_total") or 0) > 0:
                break
            daemon.kill()
            kills += 1
        self.assertGreater(kills, 2)
        if daemon.process.poll() is not None:
            daemon.start(wait=False)
        wait_for(lambda: daemon.check_alive() and self.states(daemon) == ["current", "retired"],
                 lambda: f"the switch: {daemon.log_tail()}")
        daemon.wait_ready()
        self.check_equal_to_fresh(daemon)


if __name__ == "__main__":
    sluice_test.main()
