"""What the tests with a broker share: brokers, a Kafka client, the daemon, sluicectl. Standard library only.

    class MyTest(sluice_test.Case):
        def test_one(self):
            broker = self.mock("docs:2,questions:1,answers:1,docs.dlq:1")
            daemon = self.daemon(broker)
            daemon.client.produce("docs", b"k1", b"hello world")
            daemon.wait_applied()

Whatever a test starts ends with it, also when the test is killed. With KEEP set in the environment the
directories stay, and their names are printed.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

import kafka_broker

SOURCE = kafka_broker.SOURCE
BUILD = os.path.abspath(os.environ.get("SLUICE_BUILD", os.path.join(SOURCE, "build", "quick")))
BIN = os.path.join(BUILD, "bin")
MODEL = os.path.join(SOURCE, "build", "models", "all-MiniLM-L6-v2")
DATA = os.path.join(os.path.dirname(SOURCE), "shared", "data")
PATIENCE = float(os.environ.get("SLUICE_TEST_PATIENCE", "60"))  # seconds; a wait that long has failed
TOPICS = "docs:2,questions:1,answers:1,docs.dlq:1"


def in_ci():
    return bool(os.environ.get("CI"))


def spawn(arguments, **more):
    return subprocess.Popen(arguments, preexec_fn=kafka_broker.die_with_parent, **more)


def wait_for(condition, what, seconds=None):
    """Ask again until it is true (and return that); fail saying what was waited for (a text, or what makes it)."""
    deadline = time.monotonic() + (seconds or PATIENCE)
    pause = 0.02
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            said = what() if callable(what) else what
            raise AssertionError(f"waited {seconds or PATIENCE:.0f} s in vain: {said}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def encoded(data):
    if data is None:
        return None
    if isinstance(data, (dict, list)):
        data = json.dumps(data, ensure_ascii=False)
    if isinstance(data, str):
        data = data.encode()
    return base64.b64encode(data).decode()


def decoded(text):
    return None if text is None else base64.b64decode(text)


class Record:
    """One record read back: bytes or None where Kafka has null."""

    def __init__(self, raw):
        self.partition = raw["partition"]
        self.offset = raw["offset"]
        self.timestamp = raw["timestamp"]
        self.key = decoded(raw["key"])
        self.value = decoded(raw["value"])
        self.headers = [(name, decoded(value)) for name, value in raw["headers"]]

    def header(self, name):
        """The last of that name, as Kafka reads them."""
        found = [value for n, value in self.headers if n == name]
        return found[-1] if found else None

    def json(self):
        return json.loads(self.value)

    def __repr__(self):
        return f"<{self.partition}/{self.offset} key={self.key!r} value={(self.value or b'')[:80]!r}>"


class Client:
    """tool_kafka as a co-process: any bytes as key, value and headers."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.process = spawn([os.path.join(BUILD, "tests", "tool_kafka"), bootstrap],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lock = threading.Lock()

    def _do(self, order):
        with self.lock:
            self.process.stdin.write(json.dumps(order).encode() + b"\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        if not line:
            raise AssertionError("tool_kafka ended")
        reply = json.loads(line)
        if "error" in reply:
            raise AssertionError("tool_kafka: " + reply["error"])
        return reply

    def produce_many(self, records, transaction=None, seconds=30):
        """Records as dicts: topic, key, value, headers, partition, timestamp. Returns (partition, offset)s.

        `transaction`: "commit" or "abort", all of them in one; on a real broker only. What was not acknowledged
        after `seconds` is an error, and may be in the log.
        """
        orders = []
        for record in records:
            order = {"topic": record["topic"], "key": encoded(record.get("key")),
                     "value": encoded(record.get("value")),
                     "headers": [[name, encoded(value)] for name, value in record.get("headers", [])]}
            for name in ("partition", "timestamp"):
                if record.get(name) is not None:
                    order[name] = record[name]
            orders.append(order)
        order = {"do": "produce", "records": orders, "timeout_ms": int(seconds * 1000)}
        if transaction is not None:
            order["transaction"] = transaction
        placed = self._do(order)["placed"]
        return [(p["partition"], p["offset"]) for p in placed]

    def produce(self, topic, key, value, headers=(), partition=None, timestamp=None):
        return self.produce_many([{"topic": topic, "key": key, "value": value, "headers": headers,
                                   "partition": partition, "timestamp": timestamp}])[0]

    def consume(self, topic, count=0, start=None, seconds=15, uncommitted=False):
        """`count` records (or what came in time) from `start`; with count 0 all there are now.
        `uncommitted`: those of aborted and open transactions, too."""
        reply = self._do({"do": "consume", "topic": topic, "count": count, "from": start or [],
                          "timeout_ms": int(seconds * 1000), "uncommitted": uncommitted})
        return [Record(raw) for raw in reply["records"]]

    def marks(self, topic, uncommitted=False):
        """[[low, high], ...] of each partition; without `uncommitted` high stops before an open transaction."""
        return self._do({"do": "marks", "topic": topic, "uncommitted": uncommitted})["marks"]

    def leaders(self, topic):
        """The number of the node that leads each partition; -1: none just now."""
        return self._do({"do": "leaders", "topic": topic})["leaders"]

    def acl(self, allows, user, operation, resource, name):
        """Give a right or take it: acl(True, "sluice", "READ", "TOPIC", "docs")."""
        operations = {"READ": 3, "WRITE": 4, "DESCRIBE": 8, "DESCRIBE_CONFIGS": 10}
        self._do({"do": "allow" if allows else "forbid", "user": "User:" + user, "operation": operations[operation],
                  "resource": {"TOPIC": 2, "GROUP": 3}[resource], "name": name})

    def create(self, topic, partitions=1, config=None):
        self._do({"do": "create", "topic": topic, "partitions": partitions, "config": config or {}})
        wait_for(lambda: self._exists(topic, partitions), f"topic {topic}")

    def grow(self, topic, partitions):
        self._do({"do": "grow", "topic": topic, "partitions": partitions})
        wait_for(lambda: self._exists(topic, partitions), f"{partitions} partitions of {topic}")

    def delete(self, topic):
        self._do({"do": "delete", "topic": topic})

    def alter(self, topic, config):
        """The topic's settings are these from here on, and the defaults for the others."""
        self._do({"do": "alter", "topic": topic, "config": config})

    def trim(self, topic, before):
        """Delete the records before these offsets, one a partition."""
        self._do({"do": "trim", "topic": topic, "before": before})

    def _exists(self, topic, partitions):
        try:
            return len(self.marks(topic)) == partitions
        except AssertionError:
            return False

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class MockBroker:
    """sluice-mock-broker. down() and up() keep its topics."""

    kind = "mock"

    def __init__(self, topics):
        self.process = spawn([os.path.join(BIN, "sluice-mock-broker"), "--topics", topics],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.bootstrap = self.process.stdout.readline().strip()
        if not self.bootstrap:
            raise AssertionError("sluice-mock-broker did not start")

    def _order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def create(self, topic, partitions=1):
        assert self._order(f"{topic}:{partitions}") == "ok"

    def down(self):
        assert self._order("down") == "ok down"

    def up(self):
        assert self._order("up") == "ok up"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def config_text(sections):
    lines = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        lines += [f"{name} = {value}" for name, value in options.items() if value is not None]
        lines.append("")
    return "\n".join(lines)


class Daemon:
    """A sluiced with a directory of its own. Lexical, without an encoder, unless told otherwise."""

    def __init__(self, broker, directory, config=None, model=False):
        self.broker = broker
        self.bootstrap = broker if isinstance(broker, str) else broker.bootstrap
        self.directory = directory
        self.index = os.path.join(directory, "index")
        self.config_file = os.path.join(directory, "sluiced.conf")
        self.log_file = os.path.join(directory, "sluiced.log")
        self.port = kafka_broker.free_port()
        self.process = None
        self.program = os.path.join(BIN, "sluiced")
        self.environment = {}
        self._client = None
        self.sections = {
            "kafka": {"bootstrap.servers": self.bootstrap, "reconnect.backoff.max.ms": 1000},
            "documents": {"topics": "docs", "dead_letter_topic": "docs.dlq"},
            "queries": {"topics": "questions", "answers_topic": "answers", "instance": "test"},
            "embed": {"backend": "bert", "model": MODEL} if model else {"backend": "none"},
            "index": {"path": self.index, "map_size_max": "2G"},
            "retrieve": {} if model else {"mode": "lexical"},
            "http": {"listen": f"127.0.0.1:{self.port}"},
            "log": {"level": "debug", "format": "text"},
        }
        if getattr(broker, "kind", "") == "mock":
            # It knows no static members: one that comes back waits until the old one is given up.
            self.sections["kafka"].update({"session.timeout.ms": 4000, "heartbeat.interval.ms": 500})
        for section, options in (config or {}).items():
            self.sections.setdefault(section, {}).update(options)
        self.write_config()

    def write_config(self, text=None):
        with open(self.config_file, "w", encoding="utf-8") as f:
            f.write(config_text(self.sections) if text is None else text)

    @property
    def client(self):
        if self._client is None:
            self._client = Client(self.bootstrap)
        return self._client

    # ---- its life

    def start(self, wait=True):
        log = open(self.log_file, "ab")
        with log:
            self.process = spawn([self.program, "-c", self.config_file],
                                 stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env={**os.environ, **self.environment})
        if wait:
            self.wait_ready()
        return self

    def check_alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"sluiced ended with {self.process.returncode}:\n{self.log_tail()}")
        return True

    def wait_ready(self):
        wait_for(lambda: self.check_alive() and self.http("/readyz")[0] == 200,
                 lambda: f"/readyz to say 200; it says {self.http('/readyz')}\n{self.log_tail()}")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("sluiced did not end on SIGTERM:\n" + self.log_tail()) from None

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.kill()
        if os.path.exists(self.log_file) and "WARNING: ThreadSanitizer" in self.log():
            raise AssertionError("a data race:\n" + self.log_tail())
        if self._client is not None:
            self._client.stop()
            self._client = None

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as f:
            return f.read()

    def log_tail(self):
        return self.log()[-4000:]

    # ---- what it says

    def http(self, path):
        """(status, text); status 0 when nobody listens."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.read().decode()
        except OSError as e:
            return 0, str(e)

    def metrics(self):
        """{name: {labels as written: value}}."""
        status, text = self.http("/metrics")
        if status != 200:
            return {}
        found = {}
        for line in text.splitlines():
            match = re.fullmatch(r"([a-z_:0-9]+)(?:\{(.*)\})? (\S+)", line)
            if match:
                found.setdefault(match[1], {})[match[2] or ""] = float(match[3])
        return found

    def metric(self, name, labels=""):
        """One value; None when it was never set. With labels None: the sum of all."""
        family = self.metrics().get(name, {})
        return sum(family.values()) if labels is None else family.get(labels)

    def positions(self):
        """{"docs/0": next offset} of what is in the index."""
        found = {}
        for labels, value in self.metrics().get("sluice_partition_next_offset", {}).items():
            pairs = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            found[f'{pairs["topic"]}/{pairs["partition"]}'] = int(value)
        return found

    def wait_applied(self, topics=("docs",), seconds=None):
        """Until every document partition is in the index up to its present end."""
        ends = {f"{topic}/{partition}": high for topic in topics
                for partition, (low, high) in enumerate(self.client.marks(topic)) if high > low}
        wait_for(lambda: self.check_alive() and all(self.positions().get(p, -1) >= e for p, e in ends.items()),
                 lambda: f"positions {ends}; they are {self.positions()}\n{self.log_tail()}", seconds)

    # ---- what a person does

    def ctl(self, *arguments, check=True, stdin=None, config=None):
        done = subprocess.run([os.path.join(BIN, "sluicectl"), arguments[0], "-c", config or self.config_file,
                               *arguments[1:]], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=8 * PATIENCE)
        if check and done.returncode != 0:
            raise AssertionError(f"sluicectl {arguments} ended with {done.returncode}: "
                                 f"{done.stderr.decode(errors='replace')}\n{self.log_tail()}")
        return done

    def ctl_json(self, *arguments, check=True):
        return json.loads(self.ctl(*arguments, "--json", check=check).stdout)

    def ask(self, question, headers=(), key=b"q", topic="answers", seconds=None, partition=None,
            timestamp=None):
        """Produce a question (text or dict) and return the Record of its answer."""
        start = [high for low, high in self.client.marks(topic)]
        self.client.produce("questions", key, question, headers, partition, timestamp)
        seconds = seconds or PATIENCE
        found = self.client.consume(topic, count=1, start=start, seconds=seconds)
        if not found:
            self.check_alive()
            raise AssertionError(f"no answer in {seconds:.0f} s to {question!r}\n{self.log_tail()}")
        return found[0]

    def answer(self, question, **more):
        """The same, as the answer's JSON."""
        return self.ask(question, **more).json()

    def export(self, index=None):
        """The documents of a stopped or running daemon's index as {id: line}, sorted lines of JSON."""
        lines = self.ctl("export", "--jsonl").stdout.splitlines()
        documents = [json.loads(line) for line in lines]
        return {d["_id"]: d for d in documents}


class Case(unittest.TestCase):
    """A test that starts things. It cleans up by itself."""

    maxDiff = 4000

    def scratch(self):
        directory = tempfile.mkdtemp(prefix="sluice-test-")
        if os.environ.get("KEEP"):
            print("kept:", directory, file=sys.stderr)
        else:
            self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        return directory

    def mock(self, topics=TOPICS):
        broker = MockBroker(topics)
        self.addCleanup(broker.stop)
        return broker

    def daemon(self, broker, config=None, start=True, model=False, directory=None):
        daemon = Daemon(broker, directory or self.scratch(), config, model)
        self.addCleanup(daemon.close)
        return daemon.start() if start else daemon

    def need_model(self):
        if not os.path.exists(os.path.join(MODEL, "model.safetensors")):
            self.skipTest("no model in build/models (tools/fetch-model gets it)")

    def need_data(self, name):
        path = os.path.join(DATA, name)
        if not os.path.exists(path):
            self.skipTest(f"no evaluation data at {path}")
        return path


class RealBrokerCase(Case):
    """Tests of one class share a real broker; each makes topics of its own through topics()."""

    broker = None

    @classmethod
    def setUpClass(cls):
        why = kafka_broker.missing()
        if why is None:
            cls.broker = kafka_broker.RealBroker()
            cls.admin = Client(cls.broker.bootstrap)
        elif in_ci():
            raise AssertionError("a real broker is a must here: " + why)
        else:
            raise unittest.SkipTest("no real broker: " + why)

    @classmethod
    def tearDownClass(cls):
        if cls.broker is not None:
            cls.admin.stop()
            cls.broker.stop()
            cls.broker = None

    def topics(self, partitions=2, config=None):
        """A fresh set of the usual four, as (names, configuration); `config`: settings of the documents' topic."""
        tag = f"{self.id().rsplit('.', 1)[-1]}-{time.monotonic_ns() % 100000}".replace("_", "-")
        names = {"docs": f"docs-{tag}", "questions": f"questions-{tag}", "answers": f"answers-{tag}",
                 "dead": f"dlq-{tag}"}
        self.admin.create(names["docs"], partitions, config)
        for name in ("questions", "answers", "dead"):
            self.admin.create(names[name], 1)
        sections = {"documents": {"topics": names["docs"], "dead_letter_topic": names["dead"]},
                    "queries": {"topics": names["questions"], "answers_topic": names["answers"],
                                "group": f"group-{tag}"}}
        return names, sections


def main():
    """Exit codes for ctest: 0, 1, and 77 when something was skipped and nothing failed."""
    result = unittest.main(exit=False, verbosity=2).result
    for test, why in result.skipped:
        print(f"SKIP {test}: {why}", file=sys.stderr)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.skipped else 0)
