"""
engines.py -- one consumer of documents as a process: sluiced, or consumer.py with one of its encoders.

Each tells when a record is searchable (`seen`: {(partition, offset): time}), how many chunks are done, and what
memory it took. Of sluiced the outside is watched: the positions, counters and histogram of /metrics.
"""
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import kafka_broker

HERE = os.path.dirname(os.path.abspath(__file__))
LOOK_SECONDS = 0.05


def memory(pid):
    """(peak resident, resident and private now) in bytes."""
    with open(f"/proc/{pid}/status") as f:
        found = dict(re.findall(r"(VmHWM|RssAnon):\s+(\d+) kB", f.read()))
    return int(found["VmHWM"]) * 1024, int(found["RssAnon"]) * 1024


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Engine:
    def __init__(self, name, directory):
        self.name = name
        self.directory = directory
        self.seen = {}
        self.ready = threading.Event()
        self.process = None
        self.anon_peak = 0
        os.makedirs(directory, exist_ok=True)

    def spawn(self, command, **more):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log,
                                            preexec_fn=kafka_broker.die_with_parent, **more)
        self.ready.clear()
        self.watcher = threading.Thread(target=self.watch, daemon=True)
        self.watcher.start()

    def wait_ready(self):
        if not self.ready.wait(120):
            raise SystemExit(f"{self.name} does not get ready; see {self.directory}/log")

    def alive(self):
        if self.process.poll() is not None:
            raise SystemExit(f"{self.name} ended with {self.process.returncode}; see {self.directory}/log")
        peak, anon = memory(self.process.pid)
        self.anon_peak = max(self.anon_peak, anon)
        return peak

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)
        self.watcher.join()


class Sluice(Engine):
    """sluiced as it is shipped, with a precision of its own."""

    def __init__(self, name, directory, program, bootstrap, topic, model):
        super().__init__(name, directory)
        self.program = program
        self.port = kafka_broker.free_port()
        self.chunks = 0
        self.next = {}
        precision = name.split("-")[1]
        with open(os.path.join(directory, "sluiced.conf"), "w", encoding="utf-8") as f:
            f.write(f"[kafka]\nbootstrap.servers = {bootstrap}\n"
                    f"[documents]\ntopics = {topic}\ndead_letter_topic = docs.dlq\n"
                    f"[queries]\ntopics = questions\nanswers_topic = answers\ngroup = {topic}\n"
                    f"[embed]\nbackend = bert\nmodel = {model}\nprecision = {precision}\n"
                    f"[index]\npath = {directory}/index\nmap_size_max = 8G\n"
                    f"[http]\nlisten = 127.0.0.1:{self.port}\n[log]\nformat = text\n")

    def histogram(self):
        """[(bound, count up to it)] of sluice_document_latency_seconds."""
        found = re.findall(r'^sluice_document_latency_seconds_bucket\{le="([^"]+)"\} (\S+)$', self.metrics(), re.M)
        return [(float(bound), int(count)) for bound, count in found]

    def begin_latencies(self):
        self.before = dict(self.histogram())

    def latency(self, placed, share):
        """Interpolated within the bucket, as histogram_quantile does."""
        counts = [(bound, count - self.before.get(bound, 0)) for bound, count in self.histogram()]
        wanted, low, below = share * counts[-1][1], 0.0, 0
        for bound, count in counts:
            if count >= wanted:
                return low + (bound - low) * (wanted - below) / max(count - below, 1)
            low, below = bound, count
        return low

    def start(self):
        self.spawn([self.program, "-c", os.path.join(self.directory, "sluiced.conf")], stdout=subprocess.DEVNULL)

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as reply:
            return reply.read().decode()

    def watch(self):
        while self.process.poll() is None:
            try:
                text = self.metrics()
            except OSError:
                time.sleep(LOOK_SECONDS)
                continue
            now = time.time()
            self.ready.set()
            chunks = re.search(r"^sluice_index_chunks (\S+)$", text, re.M)
            self.chunks = int(float(chunks[1])) if chunks else self.chunks
            for partition, offset in re.findall(r'^sluice_partition_next_offset\{[^}]*partition="(\d+)"\} (\S+)$', text,
                                                re.M):
                for done in range(self.next.get(partition, 0), int(float(offset))):
                    self.seen[int(partition), done] = now
                self.next[partition] = max(int(float(offset)), self.next.get(partition, 0))
            time.sleep(LOOK_SECONDS)


class Python(Engine):
    def __init__(self, name, directory, bootstrap, topic, model, onnx):
        super().__init__(name, directory)
        self.command = [sys.executable, os.path.join(HERE, "consumer.py"), "--encoder", name, "--bootstrap", bootstrap,
                        "--topic", topic, "--dir", directory, "--model", model, "--onnx", onnx]
        self.chunks = 0

    def begin_latencies(self):
        pass

    def latency(self, placed, share):
        waits = sorted(self.seen[place] - called for place, (called, _) in placed.items())
        return waits[min(len(waits) - 1, int(share * len(waits)))]

    def start(self):
        self.spawn(self.command, stdout=subprocess.PIPE)

    def watch(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == "ready":
                self.ready.set()
            elif event["event"] == "searchable":
                self.chunks = event["chunks"]
                self.seen[event["partition"], event["offset"]] = event["time"]
