"""A Kafka broker that asks who you are: TLS, SASL, and an access list without which nothing is allowed.

Two doors with TLS: SASL_SSL with a good certificate, EXPIRED with one that is over; both take SCRAM-SHA-512 and
OAUTHBEARER (unsigned tokens, Kafka's own validator for tests). Behind PLAINTEXT everybody is an administrator: that
is how the tests make topics and change rights.
"""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time

import kafka_broker
from kafka_broker import ALONE, Node, free_port

DOOR = """\
listener.name.{door}.sasl.enabled.mechanisms=SCRAM-SHA-512,OAUTHBEARER
listener.name.{door}.ssl.keystore.type=PEM
listener.name.{door}.ssl.keystore.location={certificate}
listener.name.{door}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.{door}.oauthbearer.sasl.jaas.config=\\
  org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="none";
listener.name.{door}.oauthbearer.connections.max.reauth.ms=600000
"""
RIGHTS = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=false
"""


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Certificates:
    """A certification authority, a stranger, and two server certificates for 127.0.0.1, one of them over."""

    def __init__(self, directory):
        self.directory = directory
        self.authority = self._authority("authority")
        self.stranger = self._authority("stranger")
        self.good = self._server("good", "20200101000000Z", "21000101000000Z")
        self.expired = self._server("expired", "20200101000000Z", "20210101000000Z")

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _authority(self, name):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self._path(name + ".key"),
                "-out", self._path(name + ".pem"), "-subj", f"/CN={name}", "-days", "3650")
        return self._path(name + ".pem")

    def _server(self, name, begin, end):
        """Key and certificate in one file, as Kafka wants them."""
        with open(self._path("ca.conf"), "w", encoding="utf-8") as f:
            f.write("[ca]\ndefault_ca = d\n[d]\ndatabase = {0}/db\nnew_certs_dir = {0}\nserial = {0}/serial\n"
                    "default_md = sha256\npolicy = p\nunique_subject = no\nx509_extensions = e\n"
                    "[p]\ncommonName = supplied\n[e]\nsubjectAltName = IP:127.0.0.1\n".format(self.directory))
        with open(self._path("db"), "a", encoding="utf-8"):
            pass
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", self._path(name + ".key"),
                "-out", self._path(name + ".csr"), "-subj", "/CN=127.0.0.1")
        openssl("ca", "-batch", "-config", self._path("ca.conf"), "-cert", self.authority, "-rand_serial",
                "-keyfile", self._path("authority.key"), "-in", self._path(name + ".csr"), "-notext",
                "-startdate", begin, "-enddate", end, "-out", self._path(name + ".crt"))
        with open(self._path(name + ".pem"), "w", encoding="utf-8") as out:
            for part in (".key", ".crt"):
                with open(self._path(name + part), encoding="utf-8") as f:
                    out.write(f.read())
        return self._path(name + ".pem")


def token(user, seconds):
    """An unsigned JWT that is over in that time."""
    def part(claims):
        return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

    now = time.time()
    return part({"alg": "none"}) + "." + part({"sub": user, "iat": now, "exp": now + seconds}) + "."


class GuardedBroker:
    """Runs from the constructor to stop(). `user` and `password` are known to it; it may do nothing yet."""

    kind = "real"
    user = "sluice"

    def __init__(self, password):
        self.directory = tempfile.mkdtemp(prefix="sluice-guarded-")
        self.certificates = Certificates(self.directory)
        self.node = Node(self.directory)
        self.node.heap = "256m"
        self.node.listeners.update({"SASL_SSL": free_port(), "EXPIRED": free_port()})
        self.node.protocols["EXPIRED"] = "SASL_SSL"
        self.node.configure([self.node], ALONE + RIGHTS + self._door("sasl_ssl", self.certificates.good) +
                            self._door("expired", self.certificates.expired))
        self.node.format("--add-scram", f"SCRAM-SHA-512=[name={self.user},password={password}]")
        self.start()

    @staticmethod
    def _door(door, certificate):
        return DOOR.format(door=door, certificate=certificate)

    @property
    def bootstrap(self):
        """The administrators' door."""
        return self.node.address

    def door(self, name="SASL_SSL"):
        return f"127.0.0.1:{self.node.listeners[name]}"

    def start(self):
        self.node.launch()
        self.node.wait()

    def restart(self):
        """Every connection has to be made anew."""
        self.node.halt()
        self.start()

    def change_password(self, password):
        code = self.node.java("kafka.admin.ConfigCommand", "--bootstrap-server", self.bootstrap, "--alter",
                              "--add-config", f"SCRAM-SHA-512=[password={password}]", "--entity-type", "users",
                              "--entity-name", self.user).wait(60)
        assert code == 0, self.node.log_tail()

    def allow_transactions(self, transactional_id):
        """librdkafka 2.0 has no word for this resource."""
        code = self.node.java("kafka.admin.AclCommand", "--bootstrap-server", self.bootstrap, "--add",
                              "--allow-principal", "User:" + self.user, "--operation", "WRITE",
                              "--transactional-id", transactional_id).wait(60)
        assert code == 0, self.node.log_tail()

    def stop(self):
        self.node.halt()
        shutil.rmtree(self.directory, ignore_errors=True)


def missing():
    return kafka_broker.missing() or (None if shutil.which("openssl") else "no openssl")
