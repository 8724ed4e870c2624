"""The daemon as a process: configuration, signals, locks, a broker that is not there."""

import os
import signal
import subprocess
import threading
import time

import sluice_test
from sluice_test import BIN, wait_for

FACT = "The lantern of the north mole is green."
ASK = "Is the lantern of the north mole green?"


def sluiced(*arguments):
    return subprocess.run([os.path.join(BIN, "sluiced"), *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60, check=False)


class Configuration(sluice_test.Case):
    """B35: a bad file is refused with its place, by --check and by the daemon itself, exit 78."""

    GOOD = "[kafka]\nbootstrap.servers = 127.0.0.1:1\n[embed]\nbackend = none\n[index]\npath = {d}/index\n"

    def check(self, text, *arguments):
        directory = self.scratch()
        path = os.path.join(directory, "c.conf")
        with open(path, "wb") as f:
            f.write(text.replace("{d}", directory).encode())
        done = sluiced("-c", path, *(arguments or ("--check",)))
        return done.returncode, done.stderr.decode(errors="replace"), directory

    def test_good(self):
        self.assertEqual(self.check(self.GOOD)[0], 0)
        self.assertEqual(self.check(self.GOOD.replace("\n", "\r\n"))[0], 0)

    def test_words(self):
        """A file of words that is not there, is a directory, or has a bad line, is told of before a start."""
        for key in ("words", "stop_words", "synonyms"):
            for path, why in (("{d}/none", "No such file"), ("{d}", "Is a directory"), ("{d}/c.conf", "c.conf:")):
                with self.subTest(key=key, why=why):
                    code, said, _ = self.check(f"{self.GOOD}[text]\n{key} = {path}\n")
                    self.assertEqual(code, 78)
                    self.assertIn(why, said)

    def test_bad(self):
        cases = [
            ("unknown key", "[chunk]\nwrods = 3\n", ":8:", "wrods"),
            ("unknown section", "[chnuk]\nwords = 3\n", ":7:", "chnuk"),
            ("wrong type", "[chunk]\nwords = many\n", ":8:", "words"),
            ("zero", "[chunk]\nwords = 0\n", ":8:", "words"),
            ("negative", "[chunk]\nwords = -5\n", ":8:", "words"),
            ("overflow", "[chunk]\nwords = 99999999999999999999999\n", ":8:", "words"),
            ("duplicate section or key", "[index]\npath = /elsewhere\n", ":7:", "index"),
            ("no equals sign", "[chunk]\nwords\n", ":8:", "KEY = VALUE"),
            ("bad choice", "[answer]\nbackend = oracle\n", ":8:", "backend"),
            ("owned property", "[kafka]\nenable.auto.commit = true\n", "", "kafka"),
            ("overlap above words", "[chunk]\nwords = 20\noverlap_words = 20\n", ":9:", "overlap_words"),
        ]
        for name, extra, place, word in cases:
            with self.subTest(name):
                code, said, directory = self.check(self.GOOD + extra)
                self.assertEqual(code, 78, said)
                self.assertIn(place, said)
                self.assertIn(word, said)
                code, _, directory = self.check(self.GOOD + extra, "--")
                self.assertEqual(os.listdir(directory), ["c.conf"], "a refused start must write nothing")

    def test_secret_in_the_file(self):
        code, said, _ = self.check(self.GOOD.replace("[embed]", "sasl.password = hunter2\n[embed]"))
        self.assertEqual(code, 78)
        self.assertIn("sasl.password", said)
        self.assertNotIn("hunter2", said)

    def test_answers_into_documents(self):
        """B36: the answers' topic must not be a documents' topic."""
        code, said, _ = self.check(self.GOOD + "[documents]\ntopics = loop\n[queries]\nanswers_topic = loop\n")
        self.assertEqual(code, 78, said)

    def test_no_file(self):
        self.assertEqual(sluiced("-c", "/nonexistent/c.conf").returncode, 66)
        self.assertEqual(sluiced("--no-such-option").returncode, 64)
        self.assertEqual(sluiced("--version").returncode, 0)


class Service(sluice_test.Case):
    def with_fact(self, config=None):
        daemon = self.daemon(self.mock(), config)
        daemon.client.produce("docs", b"north", FACT)
        daemon.wait_applied()
        return daemon

    def test_reload(self):
        daemon = self.with_fact()
        daemon.client.produce("docs", b"south", "The lantern of the south mole is red.")
        daemon.wait_applied()
        ask = {"query": "lantern mole colour", "return_hits": True}
        self.assertEqual(len(daemon.answer(ask)["hits"]), 2)
        good = daemon.sections
        good["retrieve"]["k"] = 1
        daemon.write_config()
        daemon.signal(signal.SIGHUP)
        wait_for(lambda: daemon.metric("sluice_config_reloads_total", 'result="ok"') == 1, "a reload that is ok")
        self.assertEqual(len(daemon.answer(ask)["hits"]), 1)
        # A bad one changes nothing.
        daemon.write_config(sluice_test.config_text(good).replace("k = 1", "k = lots"))
        daemon.signal(signal.SIGHUP)
        wait_for(lambda: (daemon.metric("sluice_config_reloads_total", None) or 0) == 2, "a reload that is refused")
        self.assertEqual(daemon.metric("sluice_config_reloads_total", 'result="ok"'), 1)
        self.assertEqual(len(daemon.answer(ask)["hits"]), 1)
        self.assertEqual(daemon.stop(), 0)

    def test_synonyms_count_from_a_reload_on(self):
        """Without a reindex; a file with a bad line changes nothing, and is named."""
        directory = self.scratch()
        synonyms = os.path.join(directory, "synonyms")

        def write(text):
            with open(synonyms, "w", encoding="utf-8") as file:
                file.write(text)
            reloads = daemon.metric("sluice_config_reloads_total", 'result="ok"') or 0
            daemon.signal(signal.SIGHUP)
            wait_for(lambda: daemon.metric("sluice_config_reloads_total", 'result="ok"') == reloads + 1, "a reload")

        with open(synonyms, "w", encoding="utf-8") as file:
            file.write("# none yet\n")
        daemon = self.daemon(self.mock(), config={"text": {"synonyms": synonyms}}, directory=directory)
        daemon.client.produce("docs", b"leave", "연차유급휴가는 15일로 한다.")
        daemon.wait_applied()
        ask = {"query": "연차는 며칠인가요?", "return_hits": True}
        only_own = daemon.answer(ask)["hits"][0]["lexical_score"]
        write("연차 = 연차유급휴가\n")
        both = daemon.answer(ask)["hits"][0]["lexical_score"]
        self.assertGreater(both, 1.2 * only_own)
        write("연차 = 월차\n연차\n")
        wait_for(lambda: "synonyms_kept" in daemon.log() and "synonyms:2: neither" in daemon.log(), "the log's line")
        self.assertAlmostEqual(daemon.answer(ask)["hits"][0]["lexical_score"], both, places=4)
        self.assertEqual(daemon.stop(), 0)

    def test_reloads_under_load_lose_no_question(self):
        """200 of them, good and bad ones in turn, each waited for; questions come meanwhile, and none is lost."""
        daemon = self.with_fact()
        asked = [0]
        stop = threading.Event()

        def ask():
            client = sluice_test.Client(daemon.bootstrap)
            while not stop.is_set():
                client.produce_many([{"topic": "questions", "key": f"{asked[0] + i}", "value": ASK} for i in range(5)])
                asked[0] += 5
                time.sleep(0.05)
            client.stop()

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            for i in range(100):
                daemon.write_config("[nonsense]\n")
                daemon.signal(signal.SIGHUP)
                wait_for(lambda: daemon.metric("sluice_config_reloads_total", 'result="rejected"') == i + 1, "a refusal")
                daemon.sections["retrieve"]["k"] = 1 + i % 5
                daemon.write_config()
                daemon.signal(signal.SIGHUP)
                wait_for(lambda: daemon.metric("sluice_config_reloads_total", 'result="ok"') == i + 1, "a reload")
        finally:
            stop.set()
            thread.join()
        wait_for(lambda: len(daemon.client.consume("answers")) >= asked[0], f"{asked[0]} answers")
        answers = daemon.client.consume("answers")
        self.assertEqual(sorted(int(a.key) for a in answers), list(range(asked[0])))
        self.assertTrue(all("green" in a.json()["answer"] for a in answers))

    def test_term_drains(self):
        """What was read is answered or asked again: over a stop, no question is lost."""
        daemon = self.with_fact()
        daemon.client.produce_many([{"topic": "questions", "key": f"{i}", "value": ASK} for i in range(300)])
        daemon.client.consume("answers", count=1, seconds=sluice_test.PATIENCE)
        self.assertEqual(daemon.stop(), 0)
        daemon.start()
        wait_for(lambda: len({a.key for a in daemon.client.consume("answers")}) == 300, "all 300 answers")
        answers = daemon.client.consume("answers")
        ids = {}
        for a in answers:
            ids.setdefault(a.key, set()).add(a.json()["id"])
        self.assertTrue(all(len(found) == 1 for found in ids.values()), "one question, one answer id")

    def test_second_daemon_is_refused(self):
        daemon = self.with_fact()
        other = sluice_test.Daemon(daemon.broker, self.scratch(), {"index": {"path": daemon.index}})
        self.addCleanup(other.close)
        other.start(wait=False)
        self.assertEqual(other.process.wait(60), 73, other.log_tail())
        self.assertIn("green", daemon.answer(ASK)["answer"])
        # Nor may sluicectl write beside it; reading is fine.
        path = os.path.join(self.scratch(), "x.txt")
        with open(path, "w", encoding="utf-8") as f:
            f.write("text")
        self.assertEqual(daemon.ctl("import", path, check=False).returncode, 73)
        self.assertEqual(list(daemon.export()), ["north"])
        daemon.ctl("search", "lantern")

    def test_no_broker_at_the_start(self):
        broker = self.mock()
        broker.down()
        daemon = self.daemon(broker, start=False)
        daemon.start(wait=False)
        wait_for(lambda: daemon.check_alive() and daemon.http("/healthz")[0] == 200, "/healthz")
        status, why = daemon.http("/readyz")
        self.assertEqual(status, 503)
        self.assertTrue(why.strip())
        self.assertEqual(daemon.http("/metrics")[0], 200)
        broker.up()
        daemon.wait_ready()
        daemon.client.produce("docs", b"north", FACT)
        daemon.wait_applied()
        self.assertIn("green", daemon.answer(ASK)["answer"])

    def test_broker_goes_away_for_a_while(self):
        broker = self.mock()
        daemon = self.daemon(broker)
        daemon.client.produce("docs", b"north", FACT)
        daemon.wait_applied()
        broker.down()
        time.sleep(3)
        daemon.check_alive()
        self.assertEqual(daemon.http("/healthz")[0], 200)
        broker.up()
        daemon.client.produce("docs", b"south", "The lantern of the south mole is red.")
        daemon.wait_applied()
        self.assertIn("red", daemon.answer("Is the lantern of the south mole red?")["answer"])

    def test_stop_without_broker(self):
        broker = self.mock()
        daemon = self.daemon(broker)
        broker.down()
        self.assertEqual(daemon.stop(), 0)

    def test_status(self):
        daemon = self.with_fact()
        status = daemon.ctl_json("status")
        self.assertEqual(status["state"], "serving", status)
        self.assertEqual(daemon.stop(), 0)
        self.assertEqual(daemon.ctl("status", check=False).returncode, 69)

    def test_log_holds_no_message_text(self):
        canary = "zanzibar-quagga"
        daemon = self.with_fact()
        daemon.client.produce("docs", canary.encode(), f"A document with {canary} in it.")
        daemon.client.produce("docs", b"bad", f'{{"text":"{canary}"}}x'.encode())
        daemon.wait_applied()
        daemon.answer(f"What of {canary}?")
        daemon.answer({"query": canary, "filter": f"{canary} = = "})
        self.assertEqual(daemon.stop(), 0)
        self.assertNotIn(canary, daemon.log())

    def test_index_that_went_missing(self):
        """An index that was there and is not any more is a fault, not a reason to begin anew."""
        daemon = self.with_fact()
        self.assertEqual(daemon.stop(), 0)
        with open(os.path.join(daemon.index, "CURRENT"), "wb") as f:
            f.write(b"env.99\n")
        daemon.start(wait=False)
        self.assertEqual(daemon.process.wait(60), 65, daemon.log_tail())
        self.assertIn("env.99", daemon.log())
        self.assertFalse(os.path.exists(os.path.join(daemon.index, "env.99")))


if __name__ == "__main__":
    sluice_test.main()
