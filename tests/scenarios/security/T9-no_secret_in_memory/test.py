#!/usr/bin/python3
"""T9: the memory, environment and command line of every process of the installation, before, during and after a delivery
with SMTP AUTH: the password of the route is in none of them, but for the one authd that is in its AUTH; the passphrase of the
region is in none at all. The same of the passwords of a mailbox and of calendars, before, during and after the sign-in of a
sync, a restore and a proof; HTTP carries its password in each request, so that there the authd has it until the session's end.
"""
import base64
import binascii
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[2] / "recover")]
import memory
from mailbox_owner import Owner
from mailbox_world import MailboxWorld
from needles import Finder, needle
from world import PROGRAMS, ROUTE_USER, World, letter, message_id_of, plain_as_sent, plain_of, run, wait_for

from dav_owner import DavOwner, vevent  # where world says that such things are
from holding import Hold
from throttling_proxy import ThrottlingProxy

PROCESSES = {"supervisor", "keyd", "ledgerd", "resolverd", "brokerd", "authd", "apid", "scannerd", "zygote", "scanner", "gatewayd-in", "gatewayd-out", "linkd", "workerd"}


class MemoryScans:
    """Beside a World, which says what is looked for as `finder`, and what must be looked at as `expected`."""
    expected = PROCESSES
    transient = ("authd", "scanner")

    def scan_all(self):
        """{(name, pid): Scan} of every process there is."""
        scans = {}
        for pid, name in self.processes().items():
            try:
                scans[name, pid] = memory.scan(pid, self.finder)
            except (FileNotFoundError, ProcessLookupError):
                self.assertIn(name, self.transient, "only these may come and go")
        return scans

    def assert_clean(self, scans, when):
        missing = self.expected - {name for name, _ in scans}
        self.assertEqual(missing, set(), f"{when}: a process was not looked at")
        hits = {who: scan.hits for who, scan in scans.items() if scan.hits}
        total = sum(scan.read for scan in scans.values())
        print(f"{when}: {len(scans)} processes, {total >> 20} MiB read, {sum(len(each) for each in hits.values())} hits in {[name for name, _ in hits] or 'none'}", flush=True)
        return hits

    def wait_for_no_session(self):
        wait_for("the end of the session", lambda: self.mailhold.cli("status")["supervisor"]["authd_working"] == 0)


class NoSecretInMemory(MemoryScans, World):
    @classmethod
    def build(cls):
        cls.password = needle("password")
        cls.sink = cls.start_sink(users={ROUTE_USER: cls.password})
        cls.start_mailhold()
        cls.passphrase = cls.mailhold.passphrase.read_text()
        cls.tenant, cls.route = cls.add_tenant(sink=cls.sink, password=cls.password)
        cls.finder = Finder({"password": cls.password, "plain": plain_of(ROUTE_USER, cls.password), "plain as sent": plain_as_sent(ROUTE_USER, cls.password),
                             "passphrase": cls.passphrase})

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


MAIL_HOST, DAV_HOST, ANN = "imap.example.test", "dav.example.test", "ann@example.test"
PURPOSES = ["backup.read", "restore.write", "backup.prove"]
VERBS = ["PROPFIND /**", "REPORT /**", "GET /**", "PUT /**", "MKCALENDAR /**", "MKCOL /**", "DELETE /**"]


class NoSecretOfAMailboxInMemory(MemoryScans, MailboxWorld):
    expected = PROCESSES - {"scanner"} | {"searchd"}
    transient = ("authd", "scanner", "searcher")

    @classmethod
    def build(cls):
        cls.passwords = {"imap": needle("mail"), "http": needle("calendar")}
        cls.start_peers()
        # Without SCRAM, whose proofs are made in keyd: here the password itself is sent.
        cls.peers.start_mailbox_server({ANN: cls.passwords["imap"]}, mechanisms="plain")
        cls.peers.start_dav_server({ANN: cls.passwords["http"]}, DAV_HOST)
        for host in (MAIL_HOST, DAV_HOST):
            cls.dns.set(host, "A", "127.0.0.1")
        cls.mail, cls.dav = ThrottlingProxy("imap", cls.peers.imaps_port, cls.peers.certificate), ThrottlingProxy("http", cls.peers.dav_port, cls.peers.dav_certificate)
        for proxy in (cls.mail, cls.dav):
            cls.addClassCleanup(proxy.stop)
        cls.owner, cls.dav_owner = Owner(cls.peers.imaps_port, ANN, cls.passwords["imap"]), DavOwner(cls.peers.dav_port, ANN, cls.passwords["http"])
        cls.addClassCleanup(cls.owner.close)
        cls.dav_owner.make_calendar("work", "work")
        for number in range(3):
            cls.add_item(number)
        cls.start_mailhold()
        # As sent by AUTH PLAIN and by Basic it is in one of the three places of base64, which are looked for too.
        cls.finder = Finder(cls.passwords | {"passphrase": cls.mailhold.passphrase.read_text()})
        words = [word for verb in VERBS for word in ("--verb", verb)]
        connections = {"imap": cls.add_connection("imap", MAIL_HOST, cls.mail.port, ANN, cls.passwords["imap"], PURPOSES, cls.peers.certificate),
                       "dav": cls.add_connection("http", DAV_HOST, cls.dav.port, ANN, cls.passwords["http"], PURPOSES, cls.peers.dav_certificate, *words)}
        for kind, connection in connections.items():
            cls.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", kind, "--kind", kind, "--connection", connection)

    @classmethod
    def add_item(cls, number):
        cls.owner.append("INBOX", letter(f"number {number}"))
        assert cls.dav_owner.put("work", f"e{number}.ics", vevent(f"e{number}@x", "DTSTART:20260301T080000Z", f"SUMMARY:{number}", zone=False))

    def remove_item(self, number):
        self.dav_owner.delete(f"work/e{number}.ics")
        self.owner.select("INBOX")
        self.owner.ok(self.owner.imap.store("1", "+FLAGS", "(\\Deleted)"))
        self.owner.ok(self.owner.imap.expunge())
        self.owner.ok(self.owner.imap.close())

    def carries(self, piece):
        """Whether a server was sent a password with it."""
        for word in re.findall(rb"[A-Za-z0-9+/]{16,}={0,2}", piece):
            try:
                decoded = base64.b64decode(word)
            except binascii.Error:
                continue
            if any(password.encode() in decoded for password in self.passwords.values()):
                return True
        return False

    def begin(self, *words):
        started = subprocess.Popen([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.addCleanup(started.wait)
        self.addCleanup(started.kill)
        return started

    def assert_authd_alone(self, hits, when):
        self.assertEqual({name for name, _ in hits} - {"authd"}, set(), f"{when}: {hits}")
        self.assertLessEqual(len(hits), 1, f"{when}: one session is open")
        self.assertNotIn("passphrase", {what for found in hits.values() for what, _, _ in found})

    def look(self, name, proxy, works, *words, keeps_it=False):
        """At every process: in the sign-in, and in the session's work, of which `works` tells the command; and at the end."""
        signing_in = proxy.judge = Hold(self.carries)
        started = self.begin(*words)
        what = " ".join(words[:2]) + " of " + name
        signing_in.wait(f"the sign-in of {what}")
        self.assert_authd_alone(self.assert_clean(self.scan_all(), f"{what}, in the sign-in"), what)
        working = proxy.judge = Hold(lambda piece: works in piece)
        signing_in.let_go()
        working.wait(f"the work of {what}")
        hits = self.assert_clean(self.scan_all(), f"{what}, at work")
        if keeps_it:
            self.assert_authd_alone(hits, what)
            self.assertEqual({kind for found in hits.values() for kind, _, _ in found}, {"http"}, "what is there is found")
        else:
            self.assertEqual(hits, {}, what)
        working.let_go()
        self.assertEqual(started.wait(60), 0, what)
        wait_for("the end of the sync", lambda: "running" not in self.mailbox(name))
        self.wait_for_no_session()
        self.assertEqual(self.assert_clean(self.scan_all(), f"after {what}"), {})

    def test_1_a_sync_a_restore_and_a_proof_of_a_mailbox(self):
        self.look_at_each("imap", self.mail, {"backup run": b" BODY.PEEK[]", "restore start": b" APPEND ", "backup prove": b" APPEND "})

    def test_2_and_of_calendars(self):
        self.look_at_each("dav", self.dav, {"backup run": b"calendar-multiget", "restore start": b"PUT ", "backup prove": b"PUT "}, keeps_it=True)

    def look_at_each(self, name, proxy, works, keeps_it=False):
        wait_for("the first sync", lambda: self.mailbox(name)["state"] == "current")
        self.wait_for_no_session()
        self.assertEqual(self.assert_clean(self.scan_all(), f"before all of {name}"), {})
        self.add_item(len(name))
        for words, work in works.items():
            if words == "restore start":
                self.remove_item(len(name))
            key = ("--key", str(self.mailhold.operator)) if words == "restore start" else ()
            self.look(name, proxy, work, *words.split(), name, *key, keeps_it=keeps_it)


if __name__ == "__main__":
    run()
