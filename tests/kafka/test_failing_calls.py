"""Every call into librdkafka fails once, early and later: nothing is lost, and the daemon goes on or says why it ended."""

import os

import prove
import sluice_test

CALLS = ("new", "clusterid", "metadata", "query_watermark_offsets", "assign", "incremental_assign",
         "incremental_unassign", "subscribe", "seek", "pause_partitions", "resume_partitions", "commit", "produceva",
         "flush")
ENDS = (69, 70, 74, 75, 78)  # systemd starts it again, or an administrator reads why
SHIM = os.path.join(os.environ["SLUICE_BUILD"], "tests", "kafka_shim.so")


class FailingCalls(sluice_test.Case):
    def one(self, call, number):
        """True: it happened, and all was well."""
        print(f"{call}:{number}", flush=True)
        note = os.path.join(self.scratch(), "happened")
        broker = self.mock()
        daemon = self.daemon(broker, start=False)
        for i in range(30):
            daemon.client.produce("docs", b"k%d" % i, f"The lantern of buoy b{i} is green.")
        daemon.environment = {"LD_PRELOAD": SHIM, "KAFKA_FAIL": f"{call}:{number}", "KAFKA_FAIL_NOTE": note}
        daemon.start(wait=False)
        for i in range(30, 40):
            daemon.client.produce("docs", b"k%d" % i, f"The lantern of buoy b{i} is green.")
        try:
            sluice_test.wait_for(lambda: daemon.process.poll() is not None or daemon.http("/readyz")[0] == 200,
                                 f"{call}:{number}: ready or ended\n" + daemon.log_tail())
            if daemon.process.poll() is None:
                daemon.wait_applied()
                self.assertIn("green", str(daemon.answer("Is the lantern of buoy b7 green?")))
        except AssertionError:
            if daemon.process.poll() is None:
                raise
        if daemon.process.poll() is None:
            self.assertEqual(daemon.stop(), 0, daemon.log_tail())
        else:
            self.assertIn(daemon.process.returncode, ENDS, daemon.log_tail())
        daemon.environment = {}
        daemon.start()
        daemon.wait_applied()
        self.assertIn("green", str(daemon.answer("Is the lantern of buoy b33 green?")))
        self.assertEqual(daemon.stop(), 0)
        daemon.ctl("verify")
        self.assertEqual(len(daemon.export()), 40)
        return os.path.exists(note)

    def test_each_once(self):
        happened = [f"{call}:{number}" for call in CALLS for number in (1, 3) if self.one(call, number)]
        prove.proved("brokers.failing_calls", "any call into the Kafka client may fail", runs=2 * len(CALLS),
                     faults=len(happened), calls=" ".join(happened))
        self.assertGreaterEqual(len(happened), 12)


if __name__ == "__main__":
    sluice_test.main()
