"""The shipped unit under a real systemd, in a container: installed files over the host's /usr, an empty rest.

What `cmake --install` makes is laid over /usr; systemd-sysusers makes the user from the shipped snippet; the unit is
started, killed, frozen, reloaded, stopped; a document is embedded inside the sandbox when a model is there. A script
inside does it and writes `name=value` lines that are checked here.
"""

import os
import shutil
import subprocess

import sluice_test
from sluice_test import BIN, BUILD, MODEL

SCRIPT = r"""
say() { echo "$1=$2" >> /results/facts; }
show() { systemctl show -p "$1" --value sluiced@t; }
await() { # await SECONDS COMMAND...: until it is true
    left=$(($1 * 10)); shift
    while ! "$@" > /dev/null 2>&1; do
        left=$((left - 1)); [ $left -gt 0 ] || return 1; sleep 0.1
    done
}
restarted() { [ "$(show NRestarts)" = "$1" ] && [ "$(show ActiveState)" = active ]; }
metric() { curl -s http://127.0.0.1:9464/metrics | sed -n "s/^$1 //p"; }
has_documents() { [ "$(metric sluice_index_documents)" = 1 ]; }
failed() { [ "$(show ActiveState)" = failed ]; }
embedded() { [ "$(metric 'sluice_embed_requests_total{status="ok"}')" -gt 0 ] && has_documents; }

sleep 600 | /opt/sluice-mock-broker --topics docs:1,questions:1,answers:1,docs.dlq:1 > /tmp/broker &
await 10 test -s /tmp/broker
sed -i "s/BROKER/$(head -1 /tmp/broker)/" /etc/sluiced/t.conf

say sysuser "$(getent passwd sluice | cut -d: -f1)"
systemctl start sluiced@t
say start $?
say active "$(show ActiveState)"
say status "$(show StatusText)"
say owner "$(stat -c %U:%a /var/lib/sluiced/t)"
say uid "$(stat -c %U /proc/$(show MainPID))"
say healthz "$(curl -s http://127.0.0.1:9464/healthz)"
say control "$(stat -c %F /run/sluiced/t/control.sock)"
say credential "$(tr '\0' '\n' < /proc/$(show MainPID)/environ | sed -n 's/^CREDENTIALS_DIRECTORY=//p')"

if [ -e /opt/model/model.safetensors ]; then
    echo "The lantern of the north mole is green." > /tmp/north.txt
    CREDENTIALS_DIRECTORY=/etc/credstore sluicectl put -c /etc/sluiced/t.conf --key north /tmp/north.txt
    await 60 embedded
    say embedded $?
fi

kill -9 "$(show MainPID)"
await 30 restarted 1
say killed "$(show NRestarts) $(show ActiveState)"
await 10 has_documents
say documents "$(metric sluice_index_documents)"

kill -STOP "$(show MainPID)"
await 60 restarted 2
say frozen "$(show NRestarts) $(show ActiveState)"

systemctl reload sluiced@t
say reload $?
sleep 1
say reloads "$(metric 'sluice_config_reloads_total{result="ok"}')"
echo nonsense >> /etc/sluiced/t.conf
systemctl reload sluiced@t
sleep 1
say rejected "$(metric 'sluice_config_reloads_total{result="rejected"}') $(show ActiveState)"
say rejected_status "$(show StatusText)"

systemctl stop sluiced@t
say stop "$(show ActiveState) $(show Result) $(show ExecMainStatus)"
journalctl --sync
say journal "$(journalctl -o cat SLUICE_EVENT=stopped | tail -1)"
say journal_instance "$(journalctl -o cat SLUICE_INSTANCE=t SLUICE_EVENT=config_rejected | head -1)"

systemctl start sluiced@t
say bad_start $?
await 10 failed
say bad_state "$(show ActiveState) $(show ExecMainStatus) $(show NRestarts)"
say credential_kept "$(journalctl -o cat SLUICE_EVENT=credential_kept | wc -l)"
journalctl -u sluiced@t -o verbose > /results/journal
"""

TEST_UNIT = """[Unit]
DefaultDependencies=no
Requires=sysinit.target
After=sysinit.target
[Service]
Type=oneshot
TimeoutStopSec=2s
ExecStart=/bin/sh /opt/test.sh
ExecStopPost=/bin/systemctl --no-block poweroff
"""

# Seconds instead of half minutes; nothing of the sandbox.
DROP_IN = "[Service]\nWatchdogSec=3s\nRestartSec=200ms\nTimeoutAbortSec=1s\n"

CANARY = "canary-okapi-5502"  # what the manager hands over, and nobody may see

CONFIG = """[kafka]
bootstrap.servers = BROKER
sasl.password_credential = kafka-password
[embed]
backend = {backend}
model = /opt/model
[log]
level = debug
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


class Nspawn(sluice_test.Case):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("not root")
        for tool in ("systemd-nspawn", "unshare", "curl"):
            if shutil.which(tool) is None:
                self.skipTest(f"no {tool} (package systemd-container for systemd-nspawn)")
        if not os.path.exists("/usr/lib/systemd/systemd"):
            self.skipTest("no systemd on this machine")

    def container(self):
        """A root with links into /usr and little else; what is installed lies beside it, for an overlay."""
        top = self.scratch()
        root, installed = os.path.join(top, "root"), os.path.join(top, "installed")
        subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr"], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "DESTDIR": installed})
        for name in ("usr", "var", "tmp", "results", "opt/model", "etc/systemd/system"):
            os.makedirs(os.path.join(root, name))
        for name in ("bin", "sbin", "lib", "lib64"):
            os.symlink("usr/" + name, os.path.join(root, name))
        os.makedirs(os.path.join(top, "results"))
        shutil.copy("/etc/os-release", f"{root}/etc/os-release")
        write(f"{root}/etc/machine-id", "b08dfa6083e7567a1921a715000001fb\n")
        write(f"{root}/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        write(f"{root}/etc/group", "root:x:0:\n")
        write(f"{root}/etc/systemd/system/test.service", TEST_UNIT)
        write(f"{root}/etc/systemd/system/sluiced@t.service.d/test.conf", DROP_IN)
        write(f"{root}/etc/credstore/kafka-password", CANARY + "\n")
        write(f"{root}/opt/test.sh", SCRIPT)
        shutil.copy(os.path.join(BIN, "sluice-mock-broker"), f"{root}/opt/")
        has_model = os.path.exists(os.path.join(MODEL, "model.safetensors"))
        write(f"{root}/etc/sluiced/t.conf", CONFIG.format(backend="bert" if has_model else "none"))
        return top, has_model

    def run_container(self, top, has_model):
        options = ["--register=no", "--keep-unit", "--quiet", "--private-network", "-D", f"{top}/root",
                   f"--overlay-ro=/usr:{top}/installed/usr:/usr", f"--bind={top}/results:/results"]
        if has_model:
            options.append(f"--bind-ro={MODEL}:/opt/model")
        inside = ("mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec systemd-nspawn " +
                  " ".join(options) + " -b systemd.unit=test.service")
        done = subprocess.run(["unshare", "-m", "sh", "-c", inside], stdin=subprocess.DEVNULL, timeout=240,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        try:
            with open(f"{top}/results/facts", encoding="utf-8") as f:
                return dict(line.rstrip("\n").split("=", 1) for line in f), done.stdout.decode(errors="replace")
        except FileNotFoundError:
            self.skipTest("no container can be started here: " + done.stdout.decode(errors="replace")[-300:])

    def test_the_unit(self):
        top, has_model = self.container()
        facts, console = self.run_container(top, has_model)
        journal = os.path.join(top, "results", "journal")
        if os.path.exists(journal):
            with open(journal, encoding="utf-8", errors="replace") as f:
                console = f.read()
        expected = {"sysuser": "sluice", "start": "0", "active": "active", "owner": "sluice:700", "uid": "sluice",
                    "healthz": "ok", "control": "socket", "killed": "1 active", "frozen": "2 active", "reload": "0",
                    "reloads": "1", "rejected": "1 active", "stop": "inactive success 0", "bad_start": "1",
                    "bad_state": "failed 78 0", "credential": "/run/credentials/sluiced@t.service",
                    "credential_kept": "0"}
        if has_model:
            expected.update({"embedded": "0", "documents": "1"})
        self.assertEqual({name: facts.get(name) for name in expected}, expected, console[-6000:])
        self.assertIn("rejected", facts["rejected_status"])
        self.assertIn("exit code 0", facts["journal"])
        self.assertNotIn(CANARY, console)
        for field in ("SLUICE_EVENT=stopped", "SLUICE_INSTANCE=t", "MESSAGE_ID=", "PRIORITY="):
            self.assertIn(field, console)
        self.assertIn("the old configuration stays", facts["journal_instance"])
        if not has_model:
            self.skipTest("the unit is fine; no model in build/models, so nothing was embedded in it")


if __name__ == "__main__":
    sluice_test.main()
