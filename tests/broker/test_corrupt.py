"""B27: a batch of records that changed on its way from the broker is noticed by its checksum, and fetched again.

Between broker and daemon stands a proxy that turns one bit of the first response with a certain word in it.
"""

import shutil
import socket
import tempfile
import threading
import unittest

import kafka_broker
import prove
import sluice_test
from kafka_broker import ALONE, Node
from sluice_test import wait_for

WORD = b"narwhal"


class Proxy:
    """Forwards to a port; changes one bit of WORD, once, on its way back."""

    def __init__(self):
        self.target = None
        self.changed = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source, sink, back):
        try:
            while data := source.recv(65536):
                at = data.find(WORD) if back and not self.changed else -1
                if at >= 0:
                    self.changed += 1
                    data = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            end.close()


class Corrupt(sluice_test.Case):
    def setUp(self):
        why = kafka_broker.missing()
        if why is not None and sluice_test.in_ci():
            raise AssertionError("a real broker is a must here: " + why)
        if why is not None:
            raise unittest.SkipTest("no real broker: " + why)
        self.proxy = Proxy()
        self.addCleanup(self.proxy.listener.close)
        directory = tempfile.mkdtemp(prefix="sluice-corrupt-")
        self.addCleanup(shutil.rmtree, directory, ignore_errors=True)
        self.node = Node(directory)
        self.node.heap = "256m"
        self.node.listeners["PROXIED"] = self.proxy.target = kafka_broker.free_port()
        self.node.protocols["PROXIED"] = "PLAINTEXT"
        self.node.advertised["PROXIED"] = self.proxy.port
        self.node.configure([self.node], ALONE)
        self.node.format()
        self.addCleanup(self.node.halt)
        self.node.launch()
        self.node.wait()
        self.admin = sluice_test.Client(self.node.address)
        self.addCleanup(self.admin.stop)
        for name in ("docs", "questions", "answers", "docs.dlq"):
            self.admin.create(name)

    def test_a_bit_on_the_way(self):
        daemon = sluice_test.Daemon(f"127.0.0.1:{self.proxy.port}", self.scratch())
        daemon._client = self.admin  # the test itself does not go through the proxy
        self.addCleanup(daemon.kill)
        daemon.start()
        text = "The narwhal has one tooth."
        self.admin.produce("docs", b"narwhal", text)
        wait_for(lambda: daemon.check_alive() and "narwhal" in daemon.export(), lambda: "the document\n" + daemon.log_tail())
        stored = daemon.export()
        prove.proved("brokers.changed_batch", "a batch changed on its way is noticed and fetched again",
                     faults=self.proxy.changed, violations=int({k: d["text"] for k, d in stored.items()} != {"narwhal": text}))
        self.assertEqual(self.proxy.changed, 1, "the proxy has changed nothing: nothing was tested")
        self.assertEqual({key: d["text"] for key, d in stored.items()}, {"narwhal": text})
        self.assertGreaterEqual(daemon.metric("sluice_kafka_errors_total", 'code="_BAD_MSG"') or 0, 1, daemon.log_tail())


if __name__ == "__main__":
    sluice_test.main()
