"""[embed] backend = http against a server that misbehaves: nothing false gets into the index, no document is set aside
for the server's faults, and all of it is through once the server is back.

Waits are for what must happen; the one thing that is measured is what the server sees.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import embedding_server as es
import prove
import sluice_test
from sluice_test import wait_for

QUICK = {"backend": "http", "model": "m", "timeout_ms": 400, "question_timeout_ms": 300, "breaker_wait_ms": 60,
         "batch": 8}
WARNING = "embedder_unavailable: searched without vectors"


def config_of(server, asked, more):
    """Who is not `asked` questions is ready sooner."""
    return {"embed": {**QUICK, "url": server.url, **more}, "retrieve": {"mode": "hybrid"},
            "queries": {} if asked else {"topics": ""}}


class Embedding(sluice_test.Case):
    def open(self, server, daemon=None, asked=False, **more):
        directory = tempfile.mkdtemp(prefix="sluice-test-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        self.broker = sluice_test.MockBroker(sluice_test.TOPICS)
        self.addCleanup(self.broker.stop)
        self.d = sluice_test.Daemon(self.broker, directory, config_of(server, asked, more))
        self.addCleanup(self.d.close)
        if daemon:
            self.d.program = os.path.join(sluice_test.BUILD, "tests", daemon)
        return self.d

    def serve(self, **more):
        server = es.EmbeddingServer(**more)
        self.addCleanup(server.close)
        return server

    def breaker(self, d, state):
        wait_for(lambda: d.check_alive() and d.metric("sluice_breaker_state", 'name="embed"') == state,
                 lambda: f"breaker {state}\n{d.log_tail()}")

    def letters(self, d):
        return d.client.consume("docs.dlq")


OUTAGES = {
    "reset": es.reset,
    "500": es.status(500),
    "503 and Retry-After": es.status(503, [("Retry-After", "1")]),
    "429 storm, Retry-After negative": es.status(429, [("Retry-After", "-349842436")]),
    "401": es.status(401),
    "404": es.status(404),
    "redirect": es.status(307, [("Location", "http://127.0.0.1:1/v1/embeddings")]),
    "hangs": es.hang,
    "hangs after the headers": es.hang_after_headers,
    "half a body": es.half_body,
    "a byte a second": es.drip,
}


def every(change):
    """Each vector of an OpenAI-compatible reply changed."""
    def on(reply):
        for item in reply["data"]:
            item["embedding"] = change(item["embedding"])
        return reply
    return es.changed(on)


def bomb():
    import gzip
    return gzip.compress(b" " * (200 << 20), 1)


RESPONSES = {
    "wrong dim": every(lambda v: v + [0.5]),
    "NaN": es.changed(lambda r: json.dumps(r).replace(": [", ": [NaN, ").encode()),
    "infinite": every(lambda v: ["1e999"] + v[1:]),
    "beyond all numbers": es.changed(lambda r: re.sub(rb"\[-?\d", b"[1e999", json.dumps(r).encode())),
    "zero vector": every(lambda v: [0] * len(v)),
    "fewer": es.changed(lambda r: {**r, "data": r["data"][1:]}),
    "more": es.changed(lambda r: {**r, "data": r["data"] + r["data"][:1]}),
    "wrong index": es.changed(lambda r: {**r, "data": [{**i, "index": i["index"] + 1} for i in r["data"]]}),
    "same index": es.changed(lambda r: {**r, "data": [{**i, "index": 0} for i in r["data"] * 2]}),
    "HTML": es.changed(lambda r: b"<html><body>Please log in</body></html>"),
    "deep": es.changed(lambda r: b"[" * 100000),
    "many numbers": es.changed(lambda r: b"[" + b"1," * 3000000 + b"1]"),
    "no body": es.changed(lambda r: b""),
    "gzip bomb": es.changed(lambda r, made=[]: made[0] if made else made.append(bomb()) or made[0]),
    "200 MB": lambda server, handler, request: [
        es.send(handler, 200, b" " * (1 << 20), [("Content-Length", str(200 << 20))])] and None,
}


class Misbehaving(Embedding):
    """One daemon and server for all of it."""

    def test_documents_wait_for_a_server_that_fails(self):
        """Four ways to fail an outage, in turn."""
        server = self.serve()
        d = self.open(server, asked=True, batch=1, batch_wait_ms=0, in_flight=12).start()
        cases = list({**OUTAGES, **RESPONSES}.items())
        self.used = set()
        for first in range(0, len(cases), 4):
            turn = self.in_turn(cases[first:first + 4])
            server.script = lambda request, turn=turn: next(turn)
            self.one_outage(d, first * 3)
            server.script = lambda request: None
            self.recover(d, server)
        total = -(-len(cases) // 4) * 12
        self.one_outage(d, total, server.close)
        server.listen(server.port)
        self.recover(d, server)
        letters, total = self.letters(d), total + 12
        prove.proved("embedding.outages", "a server that fails or answers nonsense costs no document",
                     faults=len(self.used) + 1, violations=len(letters) + abs(len(d.export()) - total), documents=total)
        self.assertEqual(self.used, {name for name, act in cases})
        self.assertEqual(letters, [])
        self.assertEqual(len(d.export()), total)
        self.assertLess(d.metrics()["process_resident_memory_bytes"][""], 400 << 20)

    def in_turn(self, cases):
        while True:
            for name, act in cases:
                self.used.add(name)
                yield act

    def one_outage(self, d, number, begin=lambda: None):
        """Documents come, and do not get in; questions are answered all the same."""
        before = sum(d.positions().values())
        begin()
        d.client.produce_many([{"topic": "docs", "key": f"k{number + i}",
                                "value": f"The bell number {number + i} was cast."} for i in range(12)])
        wait_for(lambda: d.check_alive() and (d.metric("sluice_kafka_partitions_paused", 'reason="embed_breaker"') or 0) > 0,
                 lambda: f"paused partitions\n{d.log_tail()}")
        if number == 0:
            answer = d.answer("Which bell was cast?")
            self.assertEqual([w for w in answer["warnings"] if w == WARNING], [WARNING], answer)
        self.assertEqual(sum(d.positions().values()), before)

    def recover(self, d, server):
        server.released.set()
        d.wait_applied()
        self.breaker(d, 0)
        server.released.clear()

    def test_only_the_culprit_is_set_aside(self):
        server = self.serve()
        d = self.open(server, batch=32, batch_wait_ms=300).start()
        reasons = {"refused": "embed_rejected", "large": "embed_rejected", "unprocessable": "embed_rejected",
                   "nonsense": "bad_response", "poison": "embed_failed"}
        kinds = {"refused": es.status(400), "large": es.status(413), "unprocessable": es.status(422),
                 "nonsense": es.changed(lambda r: b"{}"), "poison": es.reset}

        def script(request):
            for kind, act in kinds.items():
                if any(kind in text for text in request.texts):
                    return act
            return None
        server.script = script
        records = [{"topic": "docs", "key": f"k{i}", "value": f"The crane number {i} lifts."} for i in range(60)]
        records += [{"topic": "docs", "key": kind, "value": f"This one is {kind} to the server."} for kind in kinds]
        records.sort(key=lambda r: r["value"][-7:])
        d.client.produce_many(records)
        d.wait_applied(seconds=180)
        found = {r.key.decode(): r.header("sluice-reason").decode() for r in self.letters(d)}
        innocent = sum(1 for key in d.export() if key.startswith("k"))
        prove.proved("embedding.culprits", "of a batch a server refuses, the text it refuses alone is set aside",
                     faults=len(kinds), violations=60 - innocent + len(found.items() ^ reasons.items()))
        self.assertEqual(found, reasons)
        self.assertEqual(innocent, 60)
        self.breaker(d, 0)

    def requests_in_an_outage(self, daemon):
        server = self.serve()
        d = self.open(server, daemon, breaker_wait_ms=1000).start()
        server.script = lambda request: es.status(503)
        for i in range(40):
            d.client.produce("docs", f"k{i}", f"The gate number {i} is shut.")
        wait_for(lambda: len(server.requests) >= 10, "an outage")
        time.sleep(2)
        server.script = lambda request: None
        return len(server.requests)

    def test_a_server_that_is_down_is_left_alone(self):
        held, not_held = self.requests_in_an_outage(None), self.requests_in_an_outage("sluiced_no_breaker")
        prove.proved("embedding.breaker", "a server that is down is asked now and then", violations=int(held > 14),
                     requests=held)
        prove.control("embedding.breaker", violations=int(not_held > 14), requests=not_held)
        self.assertLessEqual(held, 14)
        self.assertGreater(not_held, 14)


class Names(Embedding):
    """A name server that fails, hangs, or sends us to the cloud's metadata service; certificates."""

    def test_names_and_certificates(self):
        directory = tempfile.mkdtemp(prefix="sluice-test-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        good, bad = es.make_certificate(directory, "embed.test"), es.make_certificate(directory, "other.test")
        server = self.serve(certificate=good)
        impostor = self.serve(certificate=bad, address="127.0.0.2")
        server.script = impostor.script = lambda request: closing
        name = os.path.join(directory, "name")
        self.point(name, "127.0.0.1")
        server_url = f"https://embed.test:{server.port}/v1"
        d = self.open(server, url=server_url, ca_file=os.path.join(directory, "embed.test.crt"))
        d.environment = {"LD_PRELOAD": os.path.join(sluice_test.BUILD, "tests", "resolve_shim.so"),
                         "SLUICE_TEST_RESOLVE": name}
        impostor_port = impostor.close()
        impostor.released.clear()
        impostor.listen(server.port)
        self.assertNotEqual(impostor_port, 0)
        d.start()
        d.client.produce("docs", "first", "The harbour has a light.")
        d.wait_applied()
        for i, (word, why) in enumerate({"gone": "resolve", "slow": "imeout", "169.254.169.254": "link-local",
                                         "127.0.0.2": "certificate"}.items()):
            with self.subTest(word):
                self.point(name, word)
                time.sleep(2.1)  # a name that was found is taken as known for a second
                d.client.produce("docs", f"k{i}", f"The harbour has {i} ships.")
                wait_for(lambda why=why: why in d.http("/readyz")[1] + d.log(), lambda: f"{why}\n{d.log_tail()}")
                self.assertNotIn(f"k{i}", d.export())
                self.point(name, "127.0.0.1")
                d.wait_applied()
        self.assertEqual(impostor.requests, [])
        self.assertEqual(self.letters(d), [])
        self.assertEqual(len(d.export()), 5)

    def point(self, path, word):
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(word + "\n")
        os.rename(path + ".new", path)


def closing(server, handler, request):
    """Honest, but each time over a new connection."""
    handler.close_connection = True
    es.send(handler, 200, es.reply_of(request, server.vectors(request), 3), [("Connection", "close")])


class Start(Embedding):
    def test_who_knows_how_long_vectors_are(self):
        server = self.serve()
        port = server.close()
        d = self.open(server, asked=True).start(wait=False)
        self.assertEqual(d.process.wait(sluice_test.PATIENCE), 69, d.log_tail())
        self.assertIn("dimensions", d.log())
        d.sections["embed"]["dimensions"] = es.DIM
        d.write_config()
        d.start()
        d.client.produce("docs", "early", "A document that came too early.")
        self.breaker(d, 2)
        server.released.clear()
        server.listen(port)
        d.wait_applied()
        self.assertTrue(all(r.body.get("dimensions") == es.DIM for r in server.requests))
        self.assertEqual(d.stop(), 0)
        server.close()
        d.sections["embed"]["dimensions"] = None
        d.write_config()
        d.start()
        self.assertEqual(d.answer("Which document was early?")["warnings"], [WARNING])

    def test_reload_brings_another_ceiling_and_another_key(self):
        server = self.serve()
        key = "first-never-shown"
        server.script = lambda request: None if request.headers.get("Authorization") == f"Bearer {key}" else es.status(401)
        d = self.open(server, tokens_max_per_day=120, batch=1)
        path = os.path.join(d.directory, "key")
        self.write_key(path, key)
        d.sections["embed"]["api_key_credential"] = path
        d.write_config()
        d.start()
        for i in range(30):
            d.client.produce("docs", f"k{i}", f"The lamp number {i} is lit in the evening.")
        wait_for(lambda: (d.metric("sluice_kafka_partitions_paused", 'reason="embed_budget"') or 0) > 0,
                 lambda: d.log_tail())
        wait_for(lambda: "spent" in d.ctl("status").stdout.decode(), "a status that says so")
        self.assertLessEqual(d.metric("sluice_embed_tokens_today"), 120)
        self.assertLessEqual(server.tokens, 120)
        d.sections["embed"].update({"tokens_max_per_day": 0, "price": 0.5, "cost_max_per_day": 100})
        d.write_config()
        d.signal(signal.SIGHUP)
        d.wait_applied()
        key = "second-never-shown"
        d.client.produce("docs", "k", "The door is locked.")
        self.breaker(d, 2)
        self.assertIn("api_key_credential", d.log())
        self.write_key(path, key)
        d.signal(signal.SIGHUP)
        d.wait_applied()
        self.assertEqual(self.letters(d), [])
        self.assertNotIn("never-shown", d.log() + d.http("/metrics")[1] + d.http("/")[1])

    def write_key(self, path, key):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as f:
            f.write(key + "\n")


class ByHand(unittest.TestCase):
    """sluicectl, without a broker."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="sluice-test-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.server = es.EmbeddingServer()
        self.addCleanup(self.server.close)

    def ctl(self, index, *arguments, **embed):
        config = os.path.join(self.directory, "sluiced.conf")
        embed = {**QUICK, "timeout_ms": 5000, "url": self.server.url, **embed}
        with open(config, "w", encoding="utf-8") as f:
            f.write(sluice_test.config_text({"embed": embed, "index": {"path": os.path.join(self.directory, index)}}))
        done = subprocess.run([os.path.join(sluice_test.BIN, "sluicectl"), arguments[0], "-c", config, "--json",
                               *arguments[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return json.loads(done.stdout)

    def write(self, name, documents):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps({"_id": key, "text": text}) + "\n" for key, text in documents)
        return path

    def test_protocols(self):
        """What comes back is the same whichever way it was asked for, however it is ordered or written."""
        root = f"http://127.0.0.1:{self.server.port}"
        path = self.write("in.jsonl", [(f"d{i}", f"Number {i} stands in row {i * 7}.") for i in range(20)])
        ways = {"/v1": None, "/v1/embeddings": es.changed(es.as_base64), "": es.changed(
            lambda r: {**r, "data": r["data"][::-1]}), "/api/embed": None, "/embed": None}
        found = []
        for number, (end, act) in enumerate(ways.items()):
            self.server.script = lambda request, act=act: act
            self.server.requests.clear()
            self.assertEqual(self.ctl(f"index{number}", "import", "--jsonl", path, url=root + end)["embedded"], 20)
            paths = {request.path for request in self.server.requests}
            self.assertEqual(len(paths), 1)
            self.assertTrue(paths.pop().endswith("/embed" if end.endswith("/embed") else "/v1/embeddings"))
            self.server.script = lambda request: None
            hits = self.ctl(f"index{number}", "search", "number 7 in row 49", "--mode", "vector", url=root + end)
            found.append([(hit["doc"], hit["score"]) for hit in hits["hits"]])
        self.assertEqual(found[0][0][0], "d7")
        for other in found[1:]:
            self.assertEqual([doc for doc, score in other], [doc for doc, score in found[0]])
            for (_, a), (_, b) in zip(other, found[0]):
                self.assertAlmostEqual(a, b, places=5)

    def test_estimate_is_what_is_sent(self):
        """The server's vocabulary: words of up to eight letters, pieces of five beyond."""
        self.server.count = lambda text: 2 + sum(1 + max(0, len(w) - 4) // 5 if w.isalpha() else 1
                                                 for w in re.findall(r"[^\W_]+|[^\w\s]|_", text))
        docs = os.path.join(sluice_test.SOURCE, "docs")
        said = self.ctl("index", "estimate", docs, dimensions=es.DIM, price=0.5)
        self.assertEqual(self.server.requests, [])
        sampled = self.ctl("index", "estimate", docs, "--sample", "48", dimensions=es.DIM)
        self.server.tokens = 0
        self.server.texts.clear()
        self.ctl("index", "import", docs, dimensions=es.DIM)
        self.assertEqual((said["texts"], sampled["texts"]), (len(self.server.texts),) * 2)
        print(f"tokens: estimated {said['tokens']}, sampled {sampled['tokens']}, sent {self.server.tokens}")
        self.assertLess(abs(said["tokens"] / self.server.tokens - 1), 0.10)
        self.assertLess(abs(sampled["tokens"] / self.server.tokens - 1), 0.10)
        self.assertAlmostEqual(said["cost"], said["tokens"] * 0.5e-6, places=6)
        self.assertEqual(self.ctl("index", "estimate", docs, dimensions=es.DIM)["texts"], 0)


if __name__ == "__main__":
    sluice_test.main()
