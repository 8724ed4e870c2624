"""A broker that asks who you are: the rights the daemon needs, each by name; passwords and tokens that change while it
runs; certificates that must not be believed; secrets that must not be seen anywhere.
"""

import os
import signal
import time
import unittest

import kafka_guarded
import prove
import sluice_test
from sluice_test import wait_for

PASSWORD = "canary-quagga-7261"
NEW_PASSWORD = "canary-thylacine-9034"
FACT = "The lantern of the north mole is green."
TOKEN_SECONDS = 9


class Guarded(sluice_test.Case):
    @classmethod
    def setUpClass(cls):
        why = kafka_guarded.missing()
        if why is not None and sluice_test.in_ci():
            raise AssertionError("a real broker is a must here: " + why)
        if why is not None:
            raise unittest.SkipTest("no real broker: " + why)
        cls.broker = kafka_guarded.GuardedBroker(PASSWORD)
        cls.addClassCleanup(cls.broker.stop)
        cls.admin = sluice_test.Client(cls.broker.bootstrap)
        cls.addClassCleanup(cls.admin.stop)

    def setUp(self):
        tag = self.id().rsplit(".", 1)[-1].replace("_", "-")
        self.names = {name: f"{name}-{tag}" for name in ("docs", "questions", "answers", "dlq")}
        self.group = f"group-{tag}"
        for name in self.names.values():
            self.admin.create(name, 1)
        self.rights = [("READ", "TOPIC", self.names["docs"]), ("READ", "TOPIC", self.names["questions"]),
                       ("READ", "GROUP", self.group), ("WRITE", "TOPIC", self.names["answers"]),
                       ("WRITE", "TOPIC", self.names["dlq"])]
        self.secret = os.path.join(self.scratch(), "secret")
        self.number = 0

    def write_secret(self, text):
        """As a careful writer does: never half a secret."""
        with open(self.secret + ".new", "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text + "\n")
        os.replace(self.secret + ".new", self.secret)

    def allow(self, *rights):
        for right in rights:
            self.admin.acl(True, self.broker.user, *right)

    def forbid(self, right):
        self.admin.acl(False, self.broker.user, *right)

    def make(self, login=None, door="SASL_SSL", authority=None, **more):
        kafka = {"security.protocol": "SASL_SSL", "ssl.ca.location": authority or self.broker.certificates.authority,
                 "topic.metadata.refresh.interval.ms": 1000}
        kafka.update(login or {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": self.broker.user,
                               "sasl.password_credential": self.secret})
        config = {"kafka": kafka, "documents": {"topics": self.names["docs"], "dead_letter_topic": self.names["dlq"]},
                  "queries": {"topics": self.names["questions"], "answers_topic": self.names["answers"],
                              "group": self.group}}
        daemon = sluice_test.Daemon(self.broker.door(door), self.scratch(), config)
        daemon._client = self.admin  # tests look from the administrators' side
        self.addCleanup(daemon.kill)
        return daemon

    def says(self, daemon, *words):
        """/readyz is 503 and has these words; the log has them too, with the event. The daemon lives."""
        wait_for(lambda: daemon.check_alive() and daemon.http("/readyz")[0] == 503 and
                 all(word in daemon.http("/readyz")[1] for word in words),
                 lambda: f"/readyz to say {words}: {daemon.http('/readyz')}\n{daemon.log_tail()}", 45)
        self.assertTrue(all(word in daemon.log() for word in words))

    def misses(self, daemon, right):
        """It names the right it lacks; for dead letters alone it stays ready."""
        words = f"access denied: this user needs {right[0]} on {right[1]} {right[2]}"
        if right[2] == self.names["dlq"]:
            wait_for(lambda: words in daemon.ctl_json("status")["reason"], lambda: words + "\n" + daemon.log_tail())
        else:
            self.says(daemon, words)

    def works(self, daemon):
        """A document, a dead letter and a question go through."""
        self.number += 1
        place = f"pier{self.number}x"
        self.admin.produce(self.names["docs"], place.encode(), f"The lantern of {place} is green.")
        self.admin.produce(self.names["docs"], b"bad", b"")
        letters = self.admin.marks(self.names["dlq"])[0][1]
        daemon.wait_applied([self.names["docs"]])
        key = f"ask {place}".encode()
        self.admin.produce(self.names["questions"], key, f"Is the lantern of {place} green?")
        found = wait_for(lambda: [a for a in self.admin.consume(self.names["answers"]) if a.key == key],
                         lambda: "the answer\n" + daemon.log_tail())
        self.assertIn("green", found[0].json()["answer"])
        wait_for(lambda: self.admin.marks(self.names["dlq"])[0][1] > letters or letters >= self.number,
                 lambda: "the dead letter\n" + daemon.log_tail())
        daemon.wait_ready()

    # ---- rights

    def test_each_missing_right_is_named(self):
        """From no right at all to all of them, one by one; each by its name. Then each is taken away and given back."""
        self.write_secret(PASSWORD)
        docs, questions, group, answers, letters = self.rights
        daemon = self.make().start(wait=False)
        self.misses(daemon, docs)
        self.allow(docs)
        for right in (questions, group):
            self.misses(daemon, right)
        self.allow(questions, group)
        daemon.wait_ready()
        self.admin.produce(self.names["questions"], b"q", "Is there a lantern?")
        self.admin.produce(self.names["docs"], b"bad", b"")
        for right in (answers, letters):
            self.misses(daemon, right)
        self.allow(answers, letters)
        self.works(daemon)
        taken = self.rights if prove.is_long() else [docs, group]
        for right in taken:
            self.forbid(right)
            if right in (answers, letters):
                self.admin.produce(self.names["questions"], b"q", "Is there a lantern?")
                self.admin.produce(self.names["docs"], b"bad", b"")
            if right == docs:
                self.admin.produce(self.names["docs"], b"more", FACT)
            if right == group:  # a member stays one until it has to say something
                self.admin.produce(self.names["questions"], b"q", "Is there a lantern?")
            self.misses(daemon, right)
            self.allow(right)
            wait_for(lambda: daemon.check_alive() and daemon.http("/readyz")[0] == 200,
                     lambda: f"200 after {right}: {daemon.http('/readyz')}\n{daemon.log_tail()}")
        self.works(daemon)
        prove.proved("brokers.rights", "five rights suffice, and each missing one is named", faults=len(self.rights) + len(taken),
                     violations=0)
        self.assertEqual(daemon.stop(), 0)

    def test_these_rights_suffice(self):
        self.write_secret(PASSWORD)
        self.allow(*self.rights)
        daemon = self.make().start()
        self.works(daemon)
        self.assertNotIn("access_denied", daemon.log())
        self.assertEqual(daemon.stop(), 0)

    def test_transactions_need_one_more(self):
        """delivery = exactly_once wants WRITE on its transactional id: named, waited for, and then enough."""
        self.write_secret(PASSWORD)
        self.allow(*self.rights)
        daemon = self.make()
        daemon.sections["queries"]["delivery"] = "exactly_once"
        daemon.write_config()
        daemon.start(wait=False)
        wanted = f"sluice.{self.group}.test"
        self.misses(daemon, ("WRITE", "TRANSACTIONAL_ID", wanted))
        self.broker.allow_transactions(wanted)
        self.works(daemon)
        self.assertEqual(daemon.stop(), 0)

    # ---- logins

    def test_password(self):
        """Wrong, then right; changed at the broker, then in the file: found out, told, and mended by a reload."""
        self.allow(*self.rights)
        self.write_secret("wrong-" + PASSWORD)
        daemon = self.make().start(wait=False)
        self.says(daemon, "no entry to Kafka", "Authentication failed")
        self.assertFalse(daemon.ctl_json("status")["kafka_up"])
        self.write_secret(PASSWORD)
        daemon.signal(signal.SIGHUP)
        daemon.wait_ready()
        self.works(daemon)
        self.broker.change_password(NEW_PASSWORD)
        self.addCleanup(self.broker.change_password, PASSWORD)
        self.broker.restart()
        self.says(daemon, "no entry to Kafka", "Authentication failed")
        self.write_secret(NEW_PASSWORD)
        daemon.signal(signal.SIGHUP)
        self.works(daemon)
        # A file that cannot be read changes nothing.
        os.chmod(self.secret, 0o644)
        daemon.signal(signal.SIGHUP)
        wait_for(lambda: " credential_kept: " in daemon.log(), "credential_kept")
        self.works(daemon)
        self.secrets_are_nowhere(daemon, (PASSWORD, NEW_PASSWORD))
        self.assertEqual(daemon.stop(), 0)
        self.secrets_are_nowhere(daemon, (PASSWORD, NEW_PASSWORD))

    def secrets_are_nowhere(self, daemon, secrets):
        places = {"log": daemon.log().encode()}
        if daemon.process.poll() is None:
            for name in ("environ", "cmdline"):
                with open(f"/proc/{daemon.process.pid}/{name}", "rb") as f:
                    places[name] = f.read()
            for path in ("/metrics", "/status.json", "/", "/readyz"):
                places[path] = daemon.http(path)[1].encode()
        for name in self.names.values():
            for record in self.admin.consume(name):
                places.setdefault(name, b"")
                places[name] += (record.key or b"") + (record.value or b"") + repr(record.headers).encode()
        for folder, _, files in os.walk(daemon.directory):
            for name in files:
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        places[path] = f.read()
        self.assertTrue(any("data.mdb" in place for place in places), places.keys())
        for place, content in places.items():
            for secret in secrets:
                self.assertNotIn(secret.encode(), content, place)

    def test_certificates(self):
        """One by a stranger, one that is over: refused with the reason, and tried again."""
        self.allow(*self.rights)
        self.write_secret(PASSWORD)
        daemon = self.make(authority=self.broker.certificates.stranger).start(wait=False)
        self.says(daemon, "no entry to Kafka", "certificate", "refused")
        self.assertEqual(daemon.stop(), 0)
        daemon = self.make(door="EXPIRED").start(wait=False)
        self.says(daemon, "no entry to Kafka", "certificate has expired")
        self.assertEqual(daemon.stop(), 0)

    def test_token(self):
        """Tokens of a few seconds, renewed in time; then too late, and it recovers when there is a new one."""
        self.allow(*self.rights)
        self.write_secret(kafka_guarded.token(self.broker.user, TOKEN_SECONDS))
        daemon = self.make({"sasl.mechanism": "OAUTHBEARER", "sasl.oauthbearer.config_credential": self.secret}).start()
        for _ in range(3):
            time.sleep(TOKEN_SECONDS / 3)
            self.write_secret(kafka_guarded.token(self.broker.user, TOKEN_SECONDS))
            self.works(daemon)
        self.assertNotIn("login_failed", daemon.log())
        self.says(daemon, "no entry to Kafka", "token")
        self.write_secret(kafka_guarded.token(self.broker.user, 600))
        self.works(daemon)
        self.secrets_are_nowhere(daemon, (kafka_guarded.token(self.broker.user, 600).split(".")[1][:40],))
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    sluice_test.main()
