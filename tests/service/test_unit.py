"""The unit as systemd reads it: nothing to complain about, little exposure, each check tried on a spoiled unit too; and
the events the manual lists."""

import os
import re
import shutil
import subprocess
import unittest
import uuid

import sluice_test
from sluice_test import BIN, SOURCE

EXPOSURE_MAX = 1.5


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze (package systemd)")
class Unit(sluice_test.Case):
    def units(self, old="", new=""):
        """The unit and its target in a directory, with this build's sluiced in it, perhaps spoiled."""
        directory = self.scratch()
        shutil.copy(os.path.join(SOURCE, "systemd", "sluiced.target"), directory)
        with open(os.path.join(SOURCE, "systemd", "sluiced@.service"), encoding="utf-8") as f:
            text = f.read()
        self.assertIn("ExecStart=/usr/bin/sluiced -c /etc/sluiced/%i.conf\n", text)
        self.assertIn(old, text)
        text = text.replace("/usr/bin/sluiced", os.path.join(BIN, "sluiced")).replace(old, new)
        text = text.replace("Documentation=file:///usr", "Documentation=file://" + directory)
        path = os.path.join(directory, "sluiced@.service")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def verify(self, path):
        """What systemd-analyze says: its exit code is 0 even for keys it ignores, so only silence counts."""
        directory = os.path.dirname(path)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", path, f"{directory}/sluiced.target"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env={**os.environ, "SYSTEMD_UNIT_PATH": directory + ":"})
        return "\n".join(line for line in done.stderr.decode().splitlines() if "sluiced" in line)

    def exposure(self, path):
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", path],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout.decode())
        self.assertTrue(found, done.stderr)
        return float(found[1])

    def test_verify_is_silent(self):
        self.assertEqual(self.verify(self.units()), "")
        self.assertIn("Failed to parse", self.verify(self.units("Type=notify", "Type=notyfy")))
        self.assertIn("Unknown key", self.verify(self.units("RestartSec=2s", "RestartSecs=2s")))

    def test_exposure(self):
        self.assertLessEqual(self.exposure(self.units()), EXPOSURE_MAX)
        spoiled = self.units("SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n", "")
        self.assertGreater(self.exposure(spoiled), EXPOSURE_MAX)

    def test_what_the_daemon_counts_on(self):
        with open(self.units(), encoding="utf-8") as f:
            lines = f.read().splitlines()
        for line in ("Type=notify", "WatchdogSec=30s", "StateDirectory=sluiced/%i", "RuntimeDirectory=sluiced/%i",
                     "User=sluice", "MemoryDenyWriteExecute=yes",
                     "RestartPreventExitStatus=64 65 66 73 77 78", "TimeoutStopSec=90s"):
            self.assertIn(line, lines)

    def test_snippets(self):
        """sysusers and tmpfiles take their files."""
        root = self.scratch()
        os.makedirs(f"{root}/etc")
        for tool, name in (("systemd-sysusers", "sluice.sysusers"), ("systemd-tmpfiles", "sluice.tmpfiles")):
            if shutil.which(tool) is None:
                self.skipTest("no " + tool)
            arguments = [tool, f"--root={root}"] + (["--create"] if tool.endswith("tmpfiles") else [])
            if os.geteuid() != 0:
                self.skipTest("not root")
            with open(os.path.join(SOURCE, "systemd", name), encoding="utf-8") as f:
                target = f"{root}/etc/{name}.conf"
                with open(target, "w", encoding="utf-8") as copy:
                    copy.write(f.read())
            done = subprocess.run(arguments + [target], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertEqual((done.returncode, [l for l in done.stderr.decode().splitlines() if "etc/" in l]), (0, []))
        with open(f"{root}/etc/passwd", encoding="utf-8") as f:
            self.assertIn("sluice:x:", f.read())
        self.assertTrue(os.path.isdir(f"{root}/var/lib/sluiced"))


class Events(sluice_test.Case):
    def test_every_event_is_in_the_manual(self):
        """docs/OPERATIONS.md lists each event that daemon/ logs, and no other."""
        logged = set()
        call = re.compile(r'\b(sl_log|sl_log_with|sl_log_error|lines_log|engine_trouble|engine_breaker)\(\s*([^;]*?);', re.S)
        for name in sorted(os.listdir(os.path.join(SOURCE, "daemon"))):
            if name.endswith(".c") and name != "log.c":
                with open(os.path.join(SOURCE, "daemon", name), encoding="utf-8") as f:
                    for function, arguments in call.findall(f.read()):
                        event = arguments.split(",")[3 if function.startswith("engine_") else 1]
                        logged.update(re.findall(r'"([a-z_]+)"', event))
        with open(os.path.join(SOURCE, "docs", "OPERATIONS.md"), encoding="utf-8") as f:
            listed = set(re.findall(r"^\| `([a-z_]+)` \| `[0-9a-f]{32}` \|", f.read(), re.M))
        self.assertIn("config_rejected", logged)
        space = uuid.uuid5(uuid.UUID(int=0), "sluice-event")
        rows = [f"| `{event}` | `{uuid.uuid5(space, event).hex}` | ... |" for event in sorted(logged - listed)]
        self.assertEqual(rows, [], "logged, but not in docs/OPERATIONS.md; these are the rows it needs")
        self.assertEqual(listed - logged, set(), "in docs/OPERATIONS.md, but not logged")


if __name__ == "__main__":
    sluice_test.main()
