"""[retrieve] rerank = http against a server that misbehaves: each question is answered, in the order it had before and
with a warning, and a server that is down or slow is left alone.

The server likes what words alone rank last, so that a response that is believed shows in the order. Waits are for what
must happen; what is measured is what the server sees.
"""

import json
import os
import signal

import embedding_server as es
import prove
import sluice_test
from sluice_test import wait_for

QUESTION = "Where is the lamp keeper?"
DOCUMENTS = {f"d{i}": "The lamp keeper is at home. " + "Nothing else is known of this day. " * (2 * i) for i in range(6)}
SETTINGS = {"rerank": "http", "rerank_model": "m", "rerank_deadline_ms": 300, "rerank_breaker_wait_ms": 30,
            "k": 6, "mode": "lexical", "duplicates": "keep"}


class RerankServer(es.EmbeddingServer):
    """A longer passage is a better one."""

    def __init__(self):
        super().__init__()
        self.honest = lambda server, handler, request: es.send(handler, 200, self.reply(request))

    @property
    def base(self):
        return f"http://127.0.0.1:{self.port}"

    @staticmethod
    def reply(request):
        tei = request.path == "/rerank"
        scores = [(i, len(text) / 1000) for i, text in enumerate(request.body["texts" if tei else "documents"])]
        scores.sort(key=lambda pair: -pair[1])
        if tei:
            return [{"index": i, "score": score} for i, score in scores]
        return {"model": "m", "results": [{"index": i, "relevance_score": score} for i, score in scores]}


def changed(change):
    """Serve what `change(list of entries)` makes of the honest one: entries, or the body's bytes."""
    def act(server, handler, request):
        reply = server.reply(request)
        made = change(reply if isinstance(reply, list) else reply["results"])
        if isinstance(made, bytes):
            es.send(handler, 200, made)
        else:
            es.send(handler, 200, made if isinstance(reply, list) else {**reply, "results": made})
    return act


def scored(entry, score):
    return {name: value if name == "index" else score for name, value in entry.items()}


def half(server, handler, request):
    es.send(handler, 200, json.dumps(server.reply(request)).encode()[:40])


RESPONSES = {
    "fewer": changed(lambda entries: entries[1:]),
    "more": changed(lambda entries: entries + entries[:1]),
    "none": changed(lambda entries: []),
    "NaN": changed(lambda entries: [scored(e, float("nan")) for e in entries]),
    "infinite": changed(lambda entries: json.dumps([scored(e, 7) for e in entries]).replace("7", "1e999").encode()),
    "no number": changed(lambda entries: [scored(e, "0.9") for e in entries]),
    "beyond the last": changed(lambda entries: [{**e, "index": e["index"] + 1} for e in entries]),
    "below the first": changed(lambda entries: [{**e, "index": e["index"] - 1} for e in entries]),
    "half an index": changed(lambda entries: [{**e, "index": e["index"] + 0.5} for e in entries]),
    "the same twice": changed(lambda entries: [{**e, "index": 0} for e in entries]),
    "truncated": half,
    "HTML": changed(lambda entries: b"<html><body>Please log in</body></html>"),
    "deep": changed(lambda entries: b"[" * 100000),
}
OUTAGES = {
    "500": es.status(500),
    "503": es.status(503),
    "429": es.status(429),
    "401": es.status(401),
    "404": es.status(404),
    "422": es.status(422),
    "redirect": es.status(307, [("Location", "http://127.0.0.1:1/rerank")]),
    "reset": es.reset,
    "hangs": es.hang,
    "hangs after the headers": es.hang_after_headers,
    "half a body": es.half_body,
    "a byte a second": es.drip,
}


class Rerank(sluice_test.Case):
    """Daemons start together, for that is what takes time: one asked in TEI's way, whose breaker opens for a moment;
    one in Jina's, whose breaker would stay open for the rest of the test, and the same without a breaker."""

    plain = list(DOCUMENTS)
    better = plain[::-1]

    def serve(self):
        server = RerankServer()
        self.addCleanup(server.close)
        return server

    def open(self, server, program=None, **more):
        settings = {**SETTINGS, "rerank_url": server.base, **more}
        d = self.daemon(self.mock(), {"retrieve": settings}, start=False)
        if program:
            d.program = os.path.join(sluice_test.BUILD, "tests", program)
        d.client.produce_many([{"topic": "docs", "key": key, "value": text} for key, text in DOCUMENTS.items()])
        return d.start(wait=False)

    def ask(self, d):
        answer = d.answer({"query": QUESTION, "return_hits": True, "k": 6})
        self.assertEqual(answer["status"], "answered", answer)
        return [hit["doc"] for hit in answer["hits"]], answer

    def back(self, d, server):
        """The server is honest again: sooner or later it is believed."""
        server.script = lambda request: None
        found = []
        wait_for(lambda: found.append(self.ask(d)) or found[-1][0] == self.better, lambda: f"{found[-1]}\n{d.log_tail()}")
        self.assertEqual(found[-1][1]["warnings"], [])

    def faults(self, d, server, acts):
        """What changed the order, or went without a warning."""
        self.back(d, server)
        violations = []
        for name, act in acts.items():
            server.script = lambda request, act=act: act
            before = len(server.requests)
            order, answer = self.ask(d)
            said = [w for w in answer["warnings"] if w.startswith("rerank_") and w.endswith("ranked without")]
            if order != self.plain or len(said) != 1 or len(server.requests) == before \
                    or any(hit["rerank_rank"] is not None for hit in answer["hits"]):
                violations.append((name, order, answer["warnings"]))
            self.back(d, server)
        return violations

    def outage(self, d, server):
        """How many of twelve questions a server sees that is too slow, and how many were spared it."""
        server.script = lambda request: es.hang
        before, warnings = len(server.requests), []
        for _ in range(12):
            order, answer = self.ask(d)
            self.assertEqual(order, self.plain)
            warnings += answer["warnings"]
        self.assertEqual(len(warnings), 12)
        return len(server.requests) - before, sum(w.startswith("rerank_breaker") for w in warnings)

    def write_key(self, text):
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)

    def reload_key(self, d, server):
        self.write_key("sec\rond")
        d.signal(signal.SIGHUP)
        wait_for(lambda: "credential_kept" in d.log(), "the bad key")
        self.ask(d)
        self.assertEqual({r.headers["Authorization"] for r in server.requests}, {"Bearer first"})
        self.write_key("second\n")
        d.signal(signal.SIGHUP)
        wait_for(lambda: self.ask(d) and server.requests[-1].headers["Authorization"] == "Bearer second", "the new key")

    def check_told(self, d):
        self.assertGreaterEqual(d.metric("sluice_reranks_total", 'status="failed"'), len({**RESPONSES, **OUTAGES}))
        self.assertGreaterEqual(d.metric("sluice_rerank_failures_total", 'reason="rerank_broken"'), len(RESPONSES))
        self.assertGreater(d.metric("sluice_rerank_duration_seconds_count"), 2 * len(OUTAGES))
        self.assertGreater(d.metric("sluice_rerank_passages_total", 'result="scored"'), 0)
        self.assertEqual(d.metric("sluice_breaker_state", 'name="rerank"'), 0)
        self.assertIn("rerank_unavailable", d.log())  # 401: nothing is sent for a while
        self.assertIn("the reranking server works again", d.log())

    def test_a_server_that_fails_costs_the_order_alone(self):
        tei, jina, other = self.serve(), self.serve(), self.serve()
        self.key = os.path.join(self.scratch(), "key")
        self.write_key("first\n")
        d = self.open(tei, rerank_api_key_credential=self.key)
        slow = {"rerank_api": "jina", "rerank_breaker_wait_ms": 600000, "rerank_deadline_ms": 100}
        e, control = self.open(jina, **slow), self.open(other, "sluiced_no_breaker", **slow)
        for one in (d, e, control):
            one.wait_ready()
            one.wait_applied()
        acts = {**RESPONSES, **OUTAGES}
        violations = self.faults(d, tei, acts)
        self.check_told(d)
        self.reload_key(d, tei)
        few = {name: RESPONSES[name] for name in ("fewer", "NaN", "beyond the last", "truncated")}
        violations += self.faults(e, jina, few)
        self.assertEqual({(r.path, r.body["model"], r.body["query"]) for r in jina.requests},
                         {("/v1/rerank", "m", QUESTION)})
        prove.proved("questions.rerank", "a reranking server that fails costs its order alone",
                     faults=len(acts) + len(few), violations=len(violations))
        self.assertEqual(violations, [])

        (held, spared), (not_held, _) = self.outage(e, jina), self.outage(control, other)
        prove.proved("questions.rerank_breaker", "a slow reranking server costs three questions their wait",
                     violations=int(held > 3), requests=held)
        prove.control("questions.rerank_breaker", violations=int(not_held > 3), requests=not_held)
        self.assertEqual((held, spared), (3, 9))
        self.assertEqual(not_held, 12)

        tei.script = lambda request: es.status(429, [("Retry-After", "200")])
        before = len(tei.requests)
        said = [self.ask(d)[1]["warnings"][0].split(":")[0] for _ in range(3)]
        self.assertEqual(said, ["rerank_unavailable", "rerank_throttled", "rerank_throttled"])
        self.assertEqual(len(tei.requests), before + 1)


if __name__ == "__main__":
    sluice_test.main()
