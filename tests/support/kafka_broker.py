"""A real Apache Kafka broker (one node, KRaft) for the tests.

The mock cluster cannot show aborted transactions, fencing, compaction or topics that grow, so what depends
on them is tested here. The jars come through Maven into build/kafka/libs (fetch()); each broker has a fresh
log directory and ports that were free a moment ago, and dies with the test that started it.

As a program:  kafka_broker.py fetch          get the jars
               kafka_broker.py run [DIR]      start one, print its bootstrap servers, stop at end of input
"""

import ctypes
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

# Of every node; what follows depends on how many there are.
COMMON = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listener.security.protocol.map={protocols}
listeners={listeners},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners={advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={directory}/log
num.partitions=1
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
message.max.bytes=33554432
replica.fetch.max.bytes=33554432
socket.request.max.bytes=104857600
log.cleaner.enable=true
log.cleaner.dedupe.buffer.size=16777216
num.network.threads=2
num.io.threads=2
"""
ALONE = """\
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
"""
CLUSTER_ID = "sluiceTestsCluster0000"


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


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Node:
    """One Kafka process, combined controller and broker, with a directory of its own. Not running until start()."""

    heap = "512m"

    def __init__(self, directory, number=1):
        self.directory = directory
        self.number = number
        self.port, self.controller_port = free_port(), free_port()
        self.listeners = {"PLAINTEXT": self.port}
        self.protocols = {}   # of a listener whose name is none
        self.advertised = {}  # the port clients are sent to, where it is another
        self.process = None
        os.makedirs(directory, exist_ok=True)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def path(self, name):
        return os.path.join(self.directory, name)

    def configure(self, nodes, more):
        """Write server.properties; `nodes` are all of the cluster, `more` is appended."""
        listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.listeners.items())
        advertised = ",".join(f"{name}://127.0.0.1:{self.advertised.get(name, port)}"
                              for name, port in self.listeners.items())
        protocols = ",".join(f"{name}:{self.protocols.get(name, name)}" for name in self.listeners)
        protocols += ",CONTROLLER:PLAINTEXT"
        voters = ",".join(f"{n.number}@127.0.0.1:{n.controller_port}" for n in nodes)
        with open(self.path("server.properties"), "w", encoding="utf-8") as f:
            f.write(COMMON.format(node=self.number, voters=voters, listeners=listeners, protocols=protocols,
                                  advertised=advertised,
                                  controller_port=self.controller_port, directory=self.directory) + more)

    def java(self, *arguments):
        with open(self.path("broker.log"), "ab") as log:
            return subprocess.Popen(
                ["java", "-Xms64m", "-Xmx" + self.heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                 "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                 "-cp", os.path.join(LIBS, "*"), *arguments],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=self.directory,
                preexec_fn=die_with_parent)

    def format(self, *more):
        """Make its log directory, before the first start."""
        code = self.java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID,
                         "-c", self.path("server.properties"), *more).wait(START_SECONDS)
        if code != 0:
            raise RuntimeError("the log directory could not be made:\n" + self.log_tail())

    def launch(self):
        self.process = self.java("kafka.Kafka", self.path("server.properties"))

    def wait(self):
        """Until it listens."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        tail = self.log_tail()
        self.halt()
        raise RuntimeError("the Kafka broker did not start:\n" + tail)

    def log_tail(self):
        with open(self.path("broker.log"), errors="replace", encoding="utf-8") as f:
            return f.read()[-3000:]

    def signal(self, number):
        self.process.send_signal(number)

    def halt(self):
        """Kill the process and keep its log: the broker is down, not gone. Also a frozen one."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


class RealBroker:
    """Runs from the constructor to stop(). Its topics are made through a client (sluice_test.Client)."""

    kind = "real"

    def __init__(self, directory=None):
        self.own = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="sluice-kafka-")
        self.node = Node(self.directory)
        self.node.configure([self.node], ALONE)
        self.bootstrap = self.node.address
        self.node.format()
        self.start()

    @property
    def process(self):
        return self.node.process

    def start(self):
        """Start it, also again after halt(), on the same port and log."""
        self.node.launch()
        self.node.wait()

    def halt(self):
        self.node.halt()

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
