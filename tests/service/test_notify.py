"""What a service manager sees of the real sluiced: a socket takes the manager's place. No broker is needed."""

import json
import os
import select
import signal
import socket
import subprocess
import time

import sluice_test
from sluice_test import BIN, config_text, wait_for

CANARY = "canary-7c1f-hunter2"


class Manager:
    """$NOTIFY_SOCKET. Messages are kept in the order they came, each as {name: value}."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.messages = []

    def read(self):
        while select.select([self.socket], [], [], 0)[0]:
            lines = self.socket.recv(65536).decode().splitlines()
            self.messages.append(dict(line.split("=", 1) for line in lines))
        return self.messages

    def saw(self, name, after=0):
        """The index of the first message with that name, from `after`; None when there is none."""
        for i, message in enumerate(self.read()):
            if i >= after and name in message:
                return i
        return None

    def statuses(self):
        return [m["STATUS"] for m in self.read() if "STATUS" in m]


class Notify(sluice_test.Case):
    def setUp(self):
        self.directory = self.scratch()
        self.manager = Manager(self.directory)
        self.addCleanup(self.manager.socket.close)
        self.daemon = sluice_test.Daemon("127.0.0.1:1", self.directory)
        self.addCleanup(self.daemon.close)

    def start(self, ready=True, **environment):
        log = open(self.daemon.log_file, "ab")
        with log:
            self.daemon.process = sluice_test.spawn(
                [os.path.join(BIN, "sluiced"), "-c", self.daemon.config_file], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": self.manager.path, **environment})
        if ready:
            wait_for(lambda: self.daemon.check_alive() and self.manager.saw("READY") is not None, "READY=1")

    def test_life(self):
        """READY without a broker; RELOADING and READY around a reload, good or bad; STOPPING; exit 0."""
        self.start()
        self.assertIsNone(self.manager.saw("STOPPING"))
        status, why = self.daemon.http("/readyz")
        self.assertEqual(status, 503)
        self.assertTrue(why.startswith("not ready: ") and len(why) > 15, why)
        self.assertEqual(self.daemon.metric("sluice_ready"), 0)
        self.assertGreater(self.daemon.metric("sluice_start_time_seconds"), 1.6e9)
        self.assertEqual(sum(self.daemon.metrics()["sluice_build_info"].values()), 1)

        before = len(self.manager.read())
        self.daemon.signal(signal.SIGHUP)
        reloading = wait_for(lambda: self.manager.saw("RELOADING", before), "RELOADING=1")
        self.assertGreater(int(self.manager.messages[reloading]["MONOTONIC_USEC"]), 0)
        wait_for(lambda: self.manager.saw("READY", reloading + 1), "READY=1 after a good reload")
        self.assertEqual(self.daemon.metric("sluice_config_reloads_total", 'result="ok"'), 1)

        before = len(self.manager.read())
        self.daemon.write_config(config_text(self.daemon.sections) + "\n[chunk]\nwrods = 3\n")
        self.daemon.signal(signal.SIGHUP)
        reloading = wait_for(lambda: self.manager.saw("RELOADING", before), "RELOADING=1")
        wait_for(lambda: self.manager.saw("READY", reloading + 1), "READY=1 after a bad reload")
        wait_for(lambda: any("rejected" in s and "wrods" in s for s in self.manager.statuses()),
                 "a status that says so")
        self.assertEqual(self.daemon.metric("sluice_config_reloads_total", 'result="rejected"'), 1)
        self.assertIn("did you mean words?", self.daemon.log())

        before = len(self.manager.read())
        self.assertEqual(self.daemon.stop(), 0, self.daemon.log_tail())
        self.assertIsNotNone(self.manager.saw("STOPPING", before))
        self.assertIsNone(self.manager.saw("READY", before))

    def test_what_needs_a_restart_is_named(self):
        self.start()
        self.daemon.sections["index"]["map_size_max"] = "3G"
        self.daemon.sections["log"]["format"] = "json"
        self.daemon.write_config()
        self.daemon.signal(signal.SIGHUP)
        wait_for(lambda: "restart_needed" in self.daemon.log(), "the log to say so")
        line = next(l for l in self.daemon.log().splitlines() if "restart_needed" in l)
        self.assertIn("[index] map_size_max", json.loads(line)["MESSAGE"])
        self.assertEqual(self.daemon.stop(), 0)

    def test_watchdog(self):
        self.start(WATCHDOG_USEC="900000")
        wait_for(lambda: sum("WATCHDOG" in m for m in self.manager.read()) >= 4, "four pings", 20)
        self.daemon.signal(signal.SIGSTOP)
        time.sleep(0.2)
        self.manager.read()
        before = len(self.manager.messages)
        time.sleep(1)
        self.assertIsNone(self.manager.saw("WATCHDOG", before), "a stopped process must not ping")
        self.daemon.signal(signal.SIGCONT)
        wait_for(lambda: self.manager.saw("WATCHDOG", before) is not None, "pings again", 20)
        self.assertGreaterEqual(self.daemon.metric("sluice_watchdog_pings_total"), 4)
        self.assertTrue(self.daemon.metrics()["sluice_loop_stall_seconds"], "every loop has a gauge")
        self.assertEqual(self.daemon.stop(), 0)
        # Not ours to feed: another process is watched.
        self.manager.read().clear()
        self.start(WATCHDOG_USEC="300000", WATCHDOG_PID="1")
        time.sleep(0.7)
        self.assertIsNone(self.manager.saw("WATCHDOG"))

    def test_second_term_leaves_at_once(self):
        self.start()
        self.daemon.signal(signal.SIGTERM)
        self.daemon.signal(signal.SIGINT)
        self.daemon.signal(signal.SIGTERM)
        self.assertIn(self.daemon.process.wait(10), (0, 75))

    def test_failures_have_their_codes(self):
        self.daemon.write_config("[index]\nm = 1\n")
        self.start(ready=False)
        self.assertEqual(self.daemon.process.wait(20), 78)
        self.assertIsNotNone(self.manager.saw("ERRNO"))
        self.assertIsNone(self.manager.saw("READY"))
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        self.daemon.sections["http"]["listen"] = f"127.0.0.1:{taken.getsockname()[1]}"
        self.daemon.write_config()
        self.start(ready=False)
        self.assertEqual(self.daemon.process.wait(20), 71, self.daemon.log_tail())
        self.assertTrue(any("in use" in s for s in self.manager.statuses()))

    def test_check(self):
        def check(text):
            self.daemon.write_config(text)
            done = subprocess.run([os.path.join(BIN, "sluiced"), "-c", self.daemon.config_file, "--check"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            return done.returncode, done.stderr.decode()
        self.assertEqual(check("")[0], 0)
        code, said = check("[chunk]\nwords = 1\n[index]\nm = 1\n")
        self.assertEqual(code, 78)
        self.assertIn(f"{self.daemon.config_file}:2: [chunk] words: '1' is out of range; allowed: 10 to", said)
        self.assertIn(f"{self.daemon.config_file}:4: [index] m: '1' is out of range; allowed: 4 to 64", said)
        self.assertFalse(os.path.exists(self.daemon.index))

    def test_control_socket(self):
        """In $RUNTIME_DIRECTORY when there is one; one line of JSON with what the status page reads."""
        runtime = os.path.join(self.directory, "run")
        os.mkdir(runtime)
        self.start(RUNTIME_DIRECTORY=runtime)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.path.join(runtime, "control.sock"))
            client.sendall(b"status\n")
            text = b""
            while not text.endswith(b"\n"):
                text += client.recv(65536)
        status = json.loads(text)
        for name in ("version", "state", "ready", "reason", "documents", "chunks", "partitions", "queues", "uptime_s"):
            self.assertIn(name, status)
        self.assertEqual(json.loads(self.daemon.http("/status.json")[1]).keys(), status.keys())
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(os.listdir(runtime), [])

    def test_secrets_stay_secret(self):
        """A credential reaches Kafka's client and nothing else: environment, arguments, log, metrics, index."""
        credentials = os.path.join(self.directory, "credentials")
        os.mkdir(credentials)
        with open(os.path.join(credentials, "kafka-password"), "w", encoding="utf-8") as f:
            f.write(CANARY + "\n")
        self.daemon.sections["kafka"].update({"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                                              "sasl.username": "u", "sasl.password_credential": "kafka-password",
                                              "debug": "all"})
        self.daemon.write_config()
        self.start(CREDENTIALS_DIRECTORY=credentials)
        time.sleep(0.5)
        pid = self.daemon.process.pid
        seen = [self.daemon.http(p)[1] for p in ("/metrics", "/status.json", "/", "/readyz")]
        for name in ("environ", "cmdline"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                seen.append(f.read().decode(errors="replace"))
        with open(f"/proc/{pid}/limits", encoding="utf-8") as f:
            core = next(l for l in f if l.startswith("Max core file size"))
        self.assertEqual(core.split()[4:6], ["0", "0"])
        self.assertEqual(self.daemon.stop(), 0)
        seen += [self.daemon.log(), json.dumps(self.manager.read())]
        for directory, _, files in os.walk(self.daemon.index):
            for name in files:
                with open(os.path.join(directory, name), "rb") as f:
                    seen.append(f.read().decode("latin-1"))
        self.assertFalse([text[:80] for text in seen if CANARY in text])

    def test_a_secret_others_can_read_is_refused(self):
        path = os.path.join(self.directory, "pw")
        with open(path, "w", encoding="utf-8") as f:
            f.write(CANARY)
        os.chmod(path, 0o644)
        self.daemon.sections["kafka"].update({"sasl.password_credential": path})
        self.daemon.write_config()
        self.start(ready=False)
        self.assertEqual(self.daemon.process.wait(20), 78, self.daemon.log_tail())
        self.assertIn("0600", self.daemon.log())
        self.assertNotIn(CANARY, self.daemon.log())

    def test_without_a_manager(self):
        environment = {k: v for k, v in os.environ.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
        with open(self.daemon.log_file, "ab") as log:
            self.daemon.process = sluice_test.spawn([os.path.join(BIN, "sluiced"), "-c", self.daemon.config_file],
                                                    stdout=log, stderr=log, env=environment)
        wait_for(lambda: self.daemon.check_alive() and self.daemon.http("/healthz")[0] == 200, "/healthz")
        self.assertEqual(self.daemon.stop(), 0)

    def test_json_log(self):
        self.daemon.sections["log"]["format"] = "json"
        self.daemon.write_config()
        self.start()
        self.assertEqual(self.daemon.stop(), 0)
        lines = [json.loads(line) for line in self.daemon.log().splitlines()]
        events = [line["SLUICE_EVENT"] for line in lines]
        self.assertIn("starting", events)
        self.assertEqual(events[-1], "stopped")
        for line in lines:
            self.assertEqual(len(line["MESSAGE_ID"]), 32)
            self.assertEqual(line["SLUICE_INSTANCE"], "sluiced")


if __name__ == "__main__":
    sluice_test.main()
