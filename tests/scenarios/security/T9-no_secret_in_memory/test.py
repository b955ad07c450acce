#!/usr/bin/python3
"""T9: the memory, environment and command line of every process of the installation, before, during and after a delivery
with SMTP AUTH: the password of the route is in none of them, but for the one authd that is in its AUTH; the passphrase of the
region is in none at all.
"""
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import memory
from needles import Finder, needle
from world import ROUTE_USER, World, letter, message_id_of, plain_as_sent, plain_of, run, wait_for

PROCESSES = {"supervisor", "keyd", "ledgerd", "resolverd", "brokerd", "authd", "apid", "scannerd", "zygote", "scanner", "gatewayd-in", "gatewayd-out", "linkd", "workerd"}


class NoSecretInMemory(World):
    @classmethod
    def build(cls):
        cls.password = needle("password")
        cls.sink = cls.start_sink(users={ROUTE_USER: cls.password})
        cls.start_mailhold()
        cls.passphrase = cls.mailhold.passphrase.read_text()
        cls.tenant, cls.route = cls.add_tenant(sink=cls.sink, password=cls.password)
        cls.finder = Finder({"password": cls.password, "plain": plain_of(ROUTE_USER, cls.password), "plain as sent": plain_as_sent(ROUTE_USER, cls.password),
                             "passphrase": cls.passphrase})

    def scan_all(self):
        """{(name, pid): Scan} of every process there is."""
        scans = {}
        for pid, name in self.processes().items():
            try:
                scans[name, pid] = memory.scan(pid, self.finder)
            except (FileNotFoundError, ProcessLookupError):
                self.assertIn(name, ("authd", "scanner"), "only these may come and go")
        return scans

    def assert_clean(self, scans, when):
        missing = PROCESSES - {name for name, _ in scans}
        self.assertEqual(missing, set(), f"{when}: a process was not looked at")
        hits = {who: scan.hits for who, scan in scans.items() if scan.hits}
        total = sum(scan.read for scan in scans.values())
        print(f"{when}: {len(scans)} processes, {total >> 20} MiB read, {sum(len(each) for each in hits.values())} hits in {[name for name, _ in hits] or 'none'}", flush=True)
        return hits

    def warm_up(self):
        """A delivery before the one that counts: every process has been at work."""
        content = letter()
        self.send_ok(content)
        self.sink.wait("the delivery", lambda: any(message_id_of(each.content) == message_id_of(content) for each in self.sink.messages))

    def test_1_a_process_that_holds_it_is_found(self):
        code = f"import sys; kept = {self.password!r}.encode(); sys.stdout.write('x'); sys.stdout.flush(); sys.stdin.read()"
        holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            holder.stdout.read(1)
            hits = memory.scan(holder.pid, self.finder).hits
        finally:
            holder.communicate()
        self.assertIn("cmdline", {mapping for _, _, mapping in hits})
        self.assertTrue({mapping for _, _, mapping in hits} - {"cmdline", "environ"}, "its memory as well")

    def test_2_before_during_and_after_a_delivery(self):
        self.assertIn("keys", self.mailhold.cli("status"))
        self.warm_up()
        self.assertEqual(self.assert_clean(self.scan_all(), "before"), {})

        self.sink.hold_auth()
        uses = len(self.sink.auths)
        content = letter("held at AUTH")
        # The session of the delivery before may be used again; then it has to end first, which takes it a few seconds.
        self.wait_for_no_session()
        self.send_ok(content)
        self.sink.wait("AUTH", lambda: len(self.sink.auths) > uses)
        self.assertIn(self.password.encode(), self.sink.auths[-1].plain)
        during = self.scan_all()
        hits = self.assert_clean(during, "during AUTH")
        self.assertEqual({name for name, _ in hits} - {"authd"}, set(), hits)
        self.assertLessEqual(len(hits), 1, "one authd is in its AUTH")
        self.assertNotIn("passphrase", {needle for found in hits.values() for needle, _, _ in found})

        self.sink.release_auth()
        self.sink.wait("the delivery", lambda: any(message_id_of(each.content) == message_id_of(content) for each in self.sink.messages))
        after = self.scan_all()
        self.assertEqual(self.assert_clean(after, "after"), {})

        secret = self.mailhold.cli("key", "status")["memory_is_secret"]
        print(f"keyd has memory_is_secret={secret}", flush=True)
        for scans in (during, after):
            for (name, _), scan in scans.items():
                if name == "keyd":
                    self.assertEqual(scan.unreadable > 0, secret, "keyd keeps its keys where nobody can read them")
                else:
                    self.assertEqual(scan.unreadable, 0, f"all of {name} was looked at")

    def wait_for_no_session(self):
        wait_for("the end of the session", lambda: self.mailhold.cli("status")["supervisor"]["authd_working"] == 0)


if __name__ == "__main__":
    run()
