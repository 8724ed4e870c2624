"""`cmake --install` puts everything where Debian expects it, and never writes over a configuration in use."""

import os
import subprocess

import sluice_test
from sluice_test import BUILD, SOURCE

EXPECTED = {
    "etc/sluiced/sluiced.conf": 0o644,
    "usr/bin/sluice-bench": 0o755,
    "usr/bin/sluicectl": 0o755,
    "usr/bin/sluiced": 0o755,
    "usr/lib/systemd/system/sluiced.target": 0o644,
    "usr/lib/systemd/system/sluiced@.service": 0o644,
    "usr/lib/sysusers.d/sluice.conf": 0o644,
    "usr/lib/tmpfiles.d/sluice.conf": 0o644,
    "usr/share/doc/sluice/examples/notify-reload.conf": 0o644,
    "usr/share/doc/sluice/examples/sluiced.conf": 0o644,
}


def install(root):
    subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DESTDIR": root})


def listing(root):
    found = {}
    for directory, _, files in os.walk(root):
        for name in files:
            path = os.path.join(directory, name)
            found[os.path.relpath(path, root)] = os.stat(path).st_mode & 0o777
    return found


class Install(sluice_test.Case):
    def test_what_is_installed(self):
        root = self.scratch()
        install(root)
        found = listing(root)
        docs = {p for p in found if p.startswith("usr/share/doc/sluice/") and p.endswith(".md")}
        written = {f"usr/share/doc/sluice/{name}" for name in os.listdir(os.path.join(SOURCE, "docs"))
                   if name.endswith(".md")}
        self.assertEqual(docs, written | {"usr/share/doc/sluice/README.md"})
        self.assertEqual({p: m for p, m in found.items() if p not in docs}, EXPECTED)
        checked = subprocess.run([f"{root}/usr/bin/sluiced", "-c", f"{root}/etc/sluiced/sluiced.conf", "--check"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertEqual(b"[embed] model: there is no" in checked.stderr,
                         not os.path.exists("/usr/share/sluice/models/all-MiniLM-L6-v2/config.json"), checked.stderr)

    def test_a_configuration_in_use_is_kept(self):
        root = self.scratch()
        install(root)
        path = f"{root}/etc/sluiced/sluiced.conf"
        with open(path, "w", encoding="utf-8") as f:
            f.write("# mine\n")
        install(root)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(f.read(), "# mine\n")


if __name__ == "__main__":
    sluice_test.main()
