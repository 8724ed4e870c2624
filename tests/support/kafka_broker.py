"""A real Apache Kafka broker (one node, KRaft) for the tests.

The mock cluster cannot show aborted transactions, fencing, compaction or topics that grow, so what depends
on them is tested here. The jars come through Maven into build/kafka/libs (fetch()); each broker has a fresh
log directory and ports that were free a moment ago, and dies with the test that started it.

As a program:  kafka_broker.py fetch          get the jars
               kafka_broker.py run [DIR]      start one, print its bootstrap servers, stop at end of input
"""

import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBS = os.path.join(SOURCE, "build", "kafka", "libs")
POM = os.path.join(SOURCE, "tests", "support", "kafka", "pom.xml")
START_SECONDS = 90

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={directory}/log
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
message.max.bytes=33554432
replica.fetch.max.bytes=33554432
socket.request.max.bytes=104857600
log.cleaner.enable=true
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=2
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def missing():
    """Why no real broker can run here; None when it can."""
    if shutil.which("java") is None:
        return "no java"
    if not glob.glob(os.path.join(LIBS, "kafka_2.13-*.jar")):
        return "no Kafka jars in build/kafka/libs (tools/test fetches them)"
    return None


def fetch():
    """Let Maven copy the jars into build/kafka/libs, once: nothing is asked for while they are there."""
    stamp = os.path.join(LIBS, ".complete")
    with open(POM, encoding="utf-8") as f:
        wanted = f.read()
    try:
        with open(stamp, encoding="utf-8") as f:
            if f.read() == wanted:
                return
    except FileNotFoundError:
        pass
    shutil.rmtree(LIBS, ignore_errors=True)
    subprocess.run(["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies",
                    "-DincludeScope=runtime", "-DoutputDirectory=" + LIBS], check=True)
    with open(stamp, "w", encoding="utf-8") as f:
        f.write(wanted)


class RealBroker:
    """Runs from the constructor to stop(). Its topics are made through a client (sluice_test.Client)."""

    kind = "real"

    def __init__(self, directory=None):
        self.own = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="sluice-kafka-")
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.process = None
        with open(self._path("server.properties"), "w", encoding="utf-8") as f:
            f.write(PROPERTIES.format(port=self.port, controller_port=free_port(),
                                      directory=self.directory))
        self._java("kafka.tools.StorageTool", "format", "-t", "sluiceTestsCluster0000",
                   "-c", self._path("server.properties")).wait(START_SECONDS)
        self.start()

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _java(self, *arguments):
        log = open(self._path("broker.log"), "ab")
        with log:
            return subprocess.Popen(
                ["java", "-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                 "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                 "-cp", os.path.join(LIBS, "*"), *arguments],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.directory)

    def start(self):
        """Start it, also again after halt(), on the same port and log."""
        self.process = self._java("kafka.Kafka", self._path("server.properties"))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        with open(self._path("broker.log"), errors="replace", encoding="utf-8") as f:
            tail = f.read()[-3000:]
        self.stop()
        raise RuntimeError("the Kafka broker did not start:\n" + tail)

    def halt(self):
        """Stop the process and keep its log: the broker is down, not gone."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self):
        self.halt()
        if self.own:
            shutil.rmtree(self.directory, ignore_errors=True)


def main():
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command == "fetch":
        fetch()
    elif command == "run":
        broker = RealBroker(sys.argv[2] if len(sys.argv) > 2 else None)
        print(broker.bootstrap, flush=True)
        try:
            sys.stdin.read()
        finally:
            broker.stop()
    else:
        print(__doc__, file=sys.stderr)
        sys.exit(64)


if __name__ == "__main__":
    main()
