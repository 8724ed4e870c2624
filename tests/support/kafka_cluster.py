"""Three Kafka nodes on loopback, each controller and broker: what one node cannot show is who takes over.

Every topic has three copies of which two must have a record before it counts, as in production. Nodes can be
killed, frozen and started again one by one; leader() and coordinator() say which one to pick.

    cluster = Cluster()
    cluster.kill(cluster.leader(client, "docs", 0))
"""

import os
import shutil
import signal
import tempfile
import time

import kafka_broker
from kafka_broker import START_SECONDS, Node

REPLICATED = """\
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=3
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=4000
replica.fetch.wait.max.ms=100
controlled.shutdown.enable=false
log.cleaner.enable=false
"""


def java_hash(text):
    """String.hashCode() of an ASCII text, as Kafka uses it to find a coordinator."""
    value = 0
    for c in text.encode():
        value = (31 * value + c) & 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


class Cluster:
    """Runs from the constructor to stop()."""

    kind = "real"

    def __init__(self, count=3):
        self.directory = tempfile.mkdtemp(prefix="sluice-cluster-")
        self.nodes = [Node(os.path.join(self.directory, f"node{n}"), n) for n in range(1, count + 1)]
        for node in self.nodes:
            node.heap = "256m"
            node.configure(self.nodes, REPLICATED)
        self._format()
        for node in self.nodes:
            node.launch()
        try:
            for node in self.nodes:
                node.wait()
        except RuntimeError:
            self.stop()
            raise

    @property
    def bootstrap(self):
        return ",".join(node.address for node in self.nodes)

    def _format(self):
        """The tool takes a second of Java; what it writes differs between nodes in two lines."""
        first, *others = self.nodes
        first.format()
        with open(first.path("log/meta.properties"), encoding="utf-8") as f:
            lines = [line for line in f.read().splitlines() if not line.startswith(("node.id", "directory.id", "#"))]
        for node in others:
            shutil.copytree(first.path("log"), node.path("log"))
            with open(node.path("log/meta.properties"), "w", encoding="utf-8") as f:
                f.write("\n".join([*lines, f"node.id={node.number}",
                                   f"directory.id=sluiceTestsNode{node.number}000000"]) + "\n")

    # ---- who is who

    def node(self, number):
        return self.nodes[number - 1]

    def leader(self, client, topic, partition=0):
        """The node that leads it now; waits for one."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            leaders = client.leaders(topic)
            if partition < len(leaders) and leaders[partition] > 0:
                return self.node(leaders[partition])
            time.sleep(0.2)
        raise AssertionError(f"{topic}/{partition} has no leader")

    def coordinator(self, client, group):
        """The node that keeps the group."""
        return self.leader(client, "__consumer_offsets", abs(java_hash(group)) % 3)

    def transaction_coordinator(self, client, transactional_id):
        return self.leader(client, "__transaction_state", abs(java_hash(transactional_id)) % 3)

    # ---- trouble

    def kill(self, node):
        node.halt()

    def start(self, *nodes):
        for node in nodes or self.nodes:
            if node.process.poll() is not None:
                node.launch()
        for node in nodes or self.nodes:
            node.wait()

    def freeze(self, node):
        node.signal(signal.SIGSTOP)

    def thaw(self, node):
        node.signal(signal.SIGCONT)

    def stop(self):
        for node in self.nodes:
            node.halt()
        shutil.rmtree(self.directory, ignore_errors=True)


def missing():
    return kafka_broker.missing()
