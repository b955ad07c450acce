#!/usr/bin/python3
"""A mailbox at a real Dovecot is backed up, seen as of earlier moments, and comes back exactly: bytes, flags, dates, folders; when somebody has signed for that, and into somebody
else's mailbox when two have. Whatever is compared is read from Dovecot by a mail program of the test's own. workerd dies in the middle of a sync and of a restore, keys rotate, the
connection is suspended; nothing of it can be read on the disk.
"""
import os
import pathlib
import json
import random
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]
from mailbox_owner import Owner, attachment, modified_utf7
from mailbox_world import MailboxWorld
from needles import Finder, needle
from world import PROGRAMS, Api, CommandFailed, SlowSmtpServer, letter, run, wait_for

HOST = "imap.example.test"
BEA, CARL, MANY, OTHER = "bea@example.test", "carl@example.test", "many@example.test", "other@example.test"
NEEDLES = {name: needle(name) for name in ("subject", "body", "folder", "password", "keyword")}
OVERVIEW = f"Projekte/{NEEDLES['folder']}/Übersicht & Pläne – Q1"
DAY = 86_400


class LyingWorker:
    """Mailhold's socket, for one command: what workerd says to restore.check is not what it was asked."""

    def __init__(self, folder, api, **lies):
        self.path, self.api, self.lies = folder / "lying.sock", api, lies
        self.path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        command, _ = self.listener.accept()
        with command, self.listener, socket.socket(socket.AF_UNIX) as real:
            real.connect(str(self.api))
            while request := self.frame(command):
                real.sendall(request)
                reply = self.frame(real)
                if json.loads(request[5:])["verb"] == "restore.check":
                    answer = reply[5:6] + json.dumps(json.loads(reply[6:]) | self.lies).encode()
                    reply = struct.pack(">IB", len(answer), reply[4]) + answer
                command.sendall(reply)

    @staticmethod
    def frame(end):
        head = end.recv(5, socket.MSG_WAITALL)
        return head + end.recv(struct.unpack(">IB", head)[0], socket.MSG_WAITALL) if head else b""


class MailboxComesBack(MailboxWorld):
    users = {BEA: NEEDLES["password"], CARL: NEEDLES["password"] + "-3", MANY: NEEDLES["password"] + "-2", OTHER: "contract"}
    main = BEA

    @classmethod
    def build(cls):
        cls.random = random.Random(2021)
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users)
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.owner = Owner(cls.peers.imaps_port, BEA, cls.users[BEA])
        cls.addClassCleanup(cls.owner.close)
        cls.fill()
        cls.start_mailhold()
        cls.next_hop = SlowSmtpServer(auth=False)
        cls.addClassCleanup(cls.next_hop.stop)
        cls.mailhold.add_relay_route(cls.tenant, "127.0.0.1", cls.next_hop.port)
        cls.reading = cls.connect(BEA, "backup.read")
        cls.writing = cls.connect(BEA, "restore.write")
        cls.many = cls.connect(MANY, "backup.read", "restore.write")
        cls.reading_of_carl = cls.connect(CARL, "backup.read")
        cls.writing_of_carl = cls.connect(CARL, "restore.write")
        cls.mailhold.cli("connection", "suspend", "--tenant", cls.tenant, "--connection", cls.writing_of_carl, "--key", cls.mailhold.operator)

    @classmethod
    def connect(cls, user, *purposes):
        return cls.add_connection("imap", HOST, cls.peers.imaps_port, user, cls.users[user], purposes, cls.peers.certificate)

    @classmethod
    def letter(cls, number, body=None):
        return letter(f"{NEEDLES['subject']} {number}", body=body or f"{NEEDLES['body']} {number}\r\n" + "text " * cls.random.randrange(400) + "\r\n")

    @classmethod
    def fill(cls):
        owner, spring = cls.owner, 1_709_250_000
        owner.create("Projekte", "Projekte/2026", f"Projekte/{NEEDLES['folder']}", OVERVIEW, "Leer", "Old", "Trash")
        for number in range(25):
            flags = ("", "\\Seen", "\\Seen \\Flagged", f"\\Answered {NEEDLES['keyword']}")[number % 4]
            owner.append("INBOX", cls.letter(number), flags, spring + number * DAY)
        twice = cls.letter("twice")
        for folder in ("INBOX", "INBOX", "Projekte/2026"):
            owner.append(folder, twice, "\\Seen", spring)
        mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        big = letter("with an attachment", more=mixed, body="--b\r\n\r\ntext\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nATTACHED--b--\r\n").replace(b"ATTACHED", attachment(2_000_000))
        owner.append(OVERVIEW, big, "$Forwarded \\Seen", spring + 3)
        owner.append(OVERVIEW, letter("bytes") + bytes(range(1, 256)).replace(b"\r", b"").replace(b"\n", b"") * 30 + b"\r\n", "\\Draft", spring + 4)
        owner.append(OVERVIEW, letter("no end of line")[:-2] + b"* 1 FETCH (UID 9)\r\n.\r\n\r\n{3}", "", spring + 5)
        for number in range(6):
            owner.append("Old", cls.letter(f"old {number}"), "", spring - number * DAY)

    def seen(self, *at):
        """{folder: [(bytes, flags)]} of the backup as of a moment."""
        moment = ["--at", *at] if at else []
        return {folder["folder"]: sorted((item["bytes"], tuple(item["flags"])) for item in
                                         self.mailhold.cli("backup", "items", BEA, "--folder", folder["folder"], *moment)["items"])
                for folder in self.mailhold.cli("backup", "folders", BEA, *moment)["folders"]}

    def as_seen(self, picture):
        names = {modified_utf7(name): name for name in ("Projekte", OVERVIEW)}
        return {names.get(folder, folder): sorted((len(content), tuple(flag.decode() for flag in flags)) for content, flags, _ in messages)
                for folder, messages in picture.items()}

    def test_0_this_server_keeps_the_contract_of_mailboxes(self):
        """The contract test that the fake servers pass beside the code, against Dovecot."""
        peer = {**os.environ, "MAILHOLD_IMAP_PEER": f"127.0.0.1:{self.peers.imap_tls_port}:{OTHER}:{self.users[OTHER]}"}
        done = subprocess.run([PROGRAMS / "features_mailboxes_test", "--gtest_filter=Peer/*"], env=peer, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        self.assertRegex(done.stdout, r"\[  PASSED  \] [1-9][0-9]* tests")

    def test_1_the_first_sync_has_all_of_it(self):
        type(self).second, _ = self.add_person("second")
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", BEA, "--connection", self.reading, "--restore-connection", self.writing)
        wait_for("the first sync", lambda: self.mailbox()["state"] == "current")
        type(self).first = self.owner.picture()
        self.assertEqual(self.mailbox()["items"], sum(len(messages) for messages in self.first.values()))
        self.assertEqual(self.seen(), self.as_seen(self.first))
        type(self).first_moment = self.mailbox()["synced_at"]
        again = self.sync()
        self.assertEqual((again["state"], again["items"]), ("current", self.mailbox()["items"]))

    def test_2_it_can_be_seen_as_of_every_moment(self):
        owner = self.owner
        uids = owner.uids("INBOX")
        owner.append("INBOX", self.letter("new"), "\\Seen")
        owner.uid("STORE", uids[0], "+FLAGS", "(\\Flagged)")
        owner.uid("STORE", uids[1], "+FLAGS", "(\\Deleted)")
        owner.uid("EXPUNGE", uids[1])
        owner.uid("MOVE", uids[2], '"Trash"')
        owner.select("Leer")
        owner.ok(owner.imap.rename('"Projekte/2026"', '"Projekte/2027"'))
        owner.ok(owner.imap.delete('"Old"'))
        mailbox = self.sync()
        self.assertEqual(mailbox["state"], "current", mailbox)
        type(self).now = owner.picture()
        self.assertNotEqual(self.now, self.first)
        self.assertEqual(self.seen(), self.as_seen(self.now))
        self.assertEqual(self.seen(self.first_moment), self.as_seen(self.first))

    def test_3_a_restore_is_signed_for(self):
        old = ["start", BEA, "--folder", "Old", "--at", self.first_moment]
        stranger = self.mailhold.folder / "stranger.key"
        self.mailhold.cli("person", "new-key", "--out", stranger)
        for key, code, what in (([], 2, "say --key and your key file; `mailhold person new-key"), (["--key", self.folder / "none"], 3, "an operator adds it"),
                                (["--key", stranger], 5, "not known")):
            with self.assertRaisesRegex(CommandFailed, what) as refused:
                self.mailhold.cli("restore", *old, *key)
            self.assertEqual(refused.exception.code, code)
        # One person does not end a suspension.
        self.suspend(self.writing)
        with self.assertRaisesRegex(CommandFailed, "suspended: mailhold connection resume"):
            self.mailhold.cli("restore", *old, "--key", self.mailhold.operator)
        self.assertEqual([each for each in self.events_of_connection(self.writing) if each["t"].startswith("use.")], [], "nothing was opened")
        asked = self.mailhold.cli("connection", "resume", "--tenant", self.tenant, "--connection", self.writing, "--key", self.mailhold.operator)
        approve = ["operation", "approve", "--tenant", self.tenant, "--operation", asked["waits_for_second_person"], "--key"]
        with self.assertRaisesRegex(CommandFailed, "another person"):
            self.mailhold.cli(*approve, self.mailhold.operator)
        self.mailhold.cli(*approve, self.second)
        # A dry run names what is missing and writes nothing.
        code, report = self.restore(*old, "--dry-run")
        self.assertEqual((code, report["missing"], report["restored"]), (0, 6, 0))
        self.assertEqual(self.owner.picture(), self.now)
        # Whatever workerd makes of it: its sessions only read.
        code, report = self.restore("carry-out", report["operation"])
        self.assertEqual((code, report["dry_run"], report["missing"], report["restored"]), (0, True, 6, 0))
        intents = [each for each in self.events_of_connection(self.writing) if each["t"] == "use.intent"]
        self.assertEqual({(each["purpose"], each["operation"]) for each in intents}, {("backup.read", report["operation"])})
        self.assertEqual(self.owner.picture(), self.now)
        # For people: over which account it is signed for, and then the report.
        done = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "restore", *old, "--dry-run", "--key", self.mailhold.operator], capture_output=True, text=True)
        self.assertEqual(done.stderr, f"This is signed for the account {BEA} at {HOST}:{self.peers.imaps_port} only (all of it), over the connection {self.writing}.\n")
        self.assertRegex(done.stdout, r"missing +6\n")
        self.assertRegex(done.stdout, f"mailhold restore items [0-9a-f]{{32}}\n$")
        # Each item with what would be done, for people and page by page; no subject, and nothing of a content.
        job = done.stdout.split()[-1]
        items = self.mailhold.cli("restore", "items", job, "--outcome", "missing")["items"]
        self.assertEqual(len(items), 6)
        self.assertEqual({(each["would"], each["folder"].split("/")[0]) for each in items}, {("be put back", "Old")})
        self.assertTrue(all(each["bytes"] > 0 and each["received_at"].endswith("Z") for each in items), items)
        first = self.mailhold.cli("restore", "items", job, "--limit", "4")
        rest = self.mailhold.cli("restore", "items", job, "--after", first["after"])
        self.assertEqual(first["items"] + rest["items"], self.mailhold.cli("restore", "items", job)["items"])
        with self.assertRaisesRegex(CommandFailed, "flags-set"):
            self.mailhold.cli("restore", "items", job, "--outcome", "gone")
        people = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "restore", "items", job], capture_output=True, text=True).stdout
        self.assertRegex(people, r"^folder +received_at +bytes +would +what +item *\n")
        self.assertEqual(people.count("be put back"), 6)
        # What was typed is what is signed, whatever workerd says.
        def under_lies(**lies):
            liar = LyingWorker(self.folder, self.mailhold.socket, **lies)
            words = ["restore", "allow", BEA, "--folder", "Old", "--at", self.first_moment, "--key", self.mailhold.operator]
            return subprocess.run([PROGRAMS / "mailhold", "--socket", liar.path, "--json", *words], capture_output=True, text=True, timeout=30)

        done = under_lies(into="5f" * 16)
        self.assertIn("nothing is signed", done.stderr)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(json.loads(under_lies(at="2020-01-01T00:00:00.000Z").stdout)["at"], self.first_moment)
        # The account of somebody else is no place of its own, whatever mailbox it is said to be.
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", "bea, once more", "--connection", self.reading, "--restore-connection", self.writing_of_carl)
        wait_for("the first sync", lambda: self.mailbox("bea, once more")["state"] == "current")
        self.mailhold.cli("mailbox", "pause", "bea, once more")
        with self.assertRaisesRegex(CommandFailed, "suspended"):
            self.mailhold.cli("restore", "start", "bea, once more", "--key", self.mailhold.operator)
        self.resume(self.writing_of_carl)
        code, asked = self.restore("start", "bea, once more")
        self.assertEqual((code, "waits_for_second_person" in asked), (5, True), asked)
        self.suspend(self.writing_of_carl)

    def test_4_a_destroyed_folder_comes_back_exactly(self):
        owner = self.owner
        for folder in (OVERVIEW, f"Projekte/{NEEDLES['folder']}"):
            owner.ok(owner.imap.delete('"' + modified_utf7(folder) + '"'))
        for uid in owner.uids("INBOX"):
            owner.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
        owner.ok(owner.imap.expunge())
        self.assertNotEqual(owner.picture(), self.now)
        code, report = self.restore("start", BEA)
        self.assertEqual((code, report["exact"], report["not_as_it_was"]), (0, True, []))
        self.assertEqual(report["restored"], len(self.now["INBOX"]) + 3)
        self.assertEqual(owner.picture(), self.now)
        # Once more: all is there, nothing comes twice.
        code, report = self.restore("start", BEA)
        self.assertEqual((code, report["restored"], report["present"]), (0, 0, sum(len(messages) for messages in self.now.values())))
        self.assertEqual(owner.picture(), self.now)
        # A folder that is long gone, as of then, in another place.
        code, report = self.restore("start", BEA, "--folder", "Old", "--at", self.first_moment, "--to", "Found again")
        self.assertEqual((code, report["restored"]), (0, 6))
        self.assertEqual(owner.messages("Found again"), self.first["Old"])
        type(self).job = report["restore"]

    def test_5_a_byte_that_changed_since_is_named(self):
        folder = self.folder / f"peers/mailboxes/mail/{BEA}/Maildir/.Found again/cur"
        file = sorted(folder.iterdir())[0]
        self.assertEqual(self.restore("verify", self.job)[0], 0)
        whole = file.read_bytes()
        times = file.stat()
        file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        code, report = self.restore("verify", self.job)
        self.assertEqual((code, report["exact"]), (7, False))
        self.assertEqual([(each["folder"], each["outcome"], each["what"]) for each in report["not_as_it_was"]], [("Found again", "differs", "content")])
        file.write_bytes(whole)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.assertEqual(self.restore("verify", self.job)[0], 0)
        self.assert_each_write_was_signed_for(self.writing, self.mailbox()["mailbox"])
        # What was signed counts no more: it is read back over the connection that the mailbox is read over, without a signature.
        self.suspend(self.writing)
        code, report = self.restore("verify", self.job)
        self.assertEqual((code, report["exact"]), (0, True), report)
        file.write_bytes(whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:])
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.assertEqual(self.restore("verify", self.job)[0], 7)
        file.write_bytes(whole)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.assertEqual(self.restore("verify", self.job)[0], 0)
        # Nor over that one: what is known of the restore stays.
        self.suspend(self.reading)
        with self.assertRaisesRegex(CommandFailed, "sign for it again with mailhold restore start"):
            self.mailhold.cli("restore", "verify", self.job)
        self.assertTrue(self.mailhold.cli("restore", "show", self.job)["exact"])
        self.resume(self.reading)

    def test_5b_it_goes_into_another_mailbox_when_two_people_have_signed_for_that_one(self):
        cli, key = self.mailhold.cli, self.mailhold.operator
        carl = Owner(self.peers.imaps_port, CARL, self.users[CARL])
        self.addCleanup(carl.close)
        carl.append("INBOX", letter("of his own"))
        cli("mailbox", "add", "--tenant", "example.test", "--name", CARL, "--connection", self.reading_of_carl, "--restore-connection", self.writing_of_carl)
        wait_for("the first sync", lambda: self.mailbox(CARL)["state"] == "current")
        of_bea, of_carl = self.owner.picture(), carl.picture()
        asked = cli("restore", "allow", BEA, "--into-mailbox", CARL, "--folder", "Old", "--at", self.first_moment, "--key", key)["waits_for_second_person"]
        waiting = next(each for each in cli("operation", "list")["operations"] if each["operation"] == asked)
        self.assertEqual((waiting["sets mailbox"], waiting["sets into"]), (self.mailbox()["mailbox"], self.mailbox(CARL)["mailbox"]))
        with self.assertRaisesRegex(CommandFailed, "second person"):
            cli("restore", "carry-out", asked)
        approve = ["operation", "approve", "--tenant", self.tenant, "--operation", asked, "--key"]
        with self.assertRaisesRegex(CommandFailed, "another person"):
            cli(*approve, key)
        cli(*approve, self.second)
        # What is missing is what is missing there; the connection itself stays suspended.
        code, report = self.restore("carry-out", asked, "--dry-run")
        self.assertEqual((code, report["missing"], report["into_mailbox"]), (0, 6, self.mailbox(CARL)["mailbox"]), report)
        self.assertEqual(carl.picture(), of_carl)
        code, report = self.restore("carry-out", asked)
        self.assertEqual((code, report["exact"], report["restored"]), (0, True, 6), report)
        self.assertEqual(carl.messages("Restored from bea@example_test/Old"), self.first["Old"])
        self.assertEqual(carl.messages("INBOX"), of_carl["INBOX"])
        self.assertEqual(self.owner.picture(), of_bea)
        self.assertEqual(self.restore("carry-out", asked)[1]["present"], 6)
        self.assertEqual(self.restore("verify", report["restore"])[0], 0)
        with self.assertRaisesRegex(CommandFailed, "suspended"):
            cli("restore", "start", CARL, "--key", key)
        # Suspending it once more takes back what was signed.
        self.suspend(self.writing_of_carl)
        with self.assertRaisesRegex(CommandFailed, "counts no more"):
            cli("restore", "carry-out", asked)
        into_carl = lambda kind: [each for each in self.ledger(kind) if each["into"] == self.mailbox(CARL)["mailbox"]]
        self.assertEqual([(each["mailbox"], each["missing"], each["restored"], each["whole"]) for each in into_carl("restore.made")],
                         [(self.mailbox()["mailbox"], *counts, 1) for counts in ((6, 0), (0, 6), (0, 0))])
        self.assertEqual(len(into_carl("restore.begun")), 3)
        uses = [each for each in self.events_of_connection(self.writing_of_carl) if each["t"] == "use.intent"]
        self.assertEqual({each["operation"] for each in uses}, {asked})
        # What does not fit is refused before anybody signs.
        cli("mailbox", "add", "--tenant", "example.test", "--name", "carl, calendar", "--kind", "dav", "--connection", self.reading_of_carl)
        for other, why in (("carl, calendar", "of kind"), (BEA, "itself"), ("nobody", "no such mailbox")):
            with self.assertRaisesRegex(CommandFailed, why):
                cli("restore", "allow", BEA, "--into-mailbox", other, "--key", key)

    def change_a_byte_of_the_attachment(self):
        """On Mailhold's disk; the second time it is as it was."""
        rows = sqlite3.connect(f"file:{self.mailhold.data}/backup/backup.db?mode=ro", uri=True)
        segment, position, length = rows.execute("SELECT segment, position, length FROM store_wraps WHERE segment > 0 ORDER BY length DESC LIMIT 1").fetchone()
        rows.close()
        with open(self.mailhold.data / f"backup/packs/{segment:016x}.seg", "r+b") as pack:
            pack.seek(position + length // 2)
            byte = pack.read(1)[0]
            pack.seek(position + length // 2)
            pack.write(bytes([byte ^ 1]))

    def test_5c_what_is_damaged_on_the_disk_is_found_before_it_is_wanted(self):
        cli = self.mailhold.cli
        code, report = self.check(BEA)
        self.assertEqual((code, report["clean"], report["findings"]), (0, True, []), report)
        self.assertGreater(report["bytes"], 2_000_000)
        self.assertGreater(report["versions"], report["contents"])
        self.change_a_byte_of_the_attachment()
        code, report = self.check("--tenant", "example.test")
        self.assertEqual((code, report["damaged"], report["not_judged"]), (7, 1, 0), report)
        damaged = {each["item"] for each in report["findings"]}
        self.assertLess({each["item"] for each in cli("backup", "lost", BEA)["lost"]}, damaged, "in the other mailboxes that are read over it too")
        self.assertEqual(self.mailbox()["state"], "needs attention")
        self.assertIn("mailhold backup lost", self.mailbox()["reason"])
        with self.assertRaisesRegex(CommandFailed, "1 contents are damaged"):
            cli("backup", "check")
        self.change_a_byte_of_the_attachment()
        code, report = self.check("--set-places")
        self.assertEqual((code, report["clean"], report["readable_again"]), (0, True, 1), report)
        self.assertGreater(report["places_set"], 3)
        self.assertEqual(cli("backup", "lost", BEA)["lost"], [])
        self.assertEqual(self.mailbox()["state"], "current")
        with self.assertRaisesRegex(CommandFailed, "no such mailbox"):
            cli("backup", "check", "nobody@example.test")

    def test_6_workerd_dies_anywhere_and_nothing_is_lost_or_doubled(self):
        count = self.fill_many()
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", MANY, "--connection", self.many)
        rounds = 0
        for after in (0.0, 0.1, 0.2, 0.4):
            wait_for("the sync to begin", lambda: "running" in self.mailbox(MANY) or self.mailbox(MANY)["state"] == "current")
            time.sleep(after)
            rounds += "running" in self.mailbox(MANY)
            self.kill_worker()
        wait_for("the end of the sync", lambda: self.mailbox(MANY)["state"] == "current", 60)
        print(f"workerd was killed in the middle of a sync of {count} messages {rounds} times", flush=True)
        self.assertGreaterEqual(rounds, 1)
        self.assertEqual(self.mailbox(MANY)["items"], count)
        folders = self.mailhold.cli("backup", "folders", MANY)["folders"]
        self.assertEqual({folder["folder"]: folder["items"] for folder in folders}, {"INBOX": count // 4} | {f"F{n}": count // 4 for n in range(3)})
        # Not a version too many either, whichever sync saw it.
        rows = sqlite3.connect(f"file:{self.mailhold.data}/backup/backup.db?mode=ro", uri=True)
        (doubled,) = rows.execute("SELECT count(*) FROM backup_items WHERE until IS NOT NULL AND folder IN (SELECT folder FROM backup_items GROUP BY folder HAVING count(*) = ?)",
                                  (count // 4,)).fetchone()
        rows.close()
        self.assertEqual(doubled, 0)

    def test_6b_an_interrupted_restore_goes_on_while_its_permit_counts_and_else_says_what_it_did(self):
        cli, key = self.mailhold.cli, self.mailhold.operator
        owner, api = Owner(self.peers.imaps_port, MANY, self.users[MANY]), Api(self.mailhold.socket)
        self.addCleanup(owner.close)
        self.addCleanup(api.close)
        whole, moment = owner.picture(), self.mailbox(MANY)["synced_at"]  # a workerd that starts syncs what there is by then

        def begin():
            """(permit, job) of a restore of everything, of which something is there by now."""
            for folder in whole:
                owner.select(folder)
                owner.ok(owner.imap.store("1:*", "+FLAGS", "(\\Deleted)"))
                owner.ok(owner.imap.expunge())
            permit = cli("restore", "allow", MANY, "--at", moment, "--key", key)["restore"]
            job = api.ask("restore.carry-out", operation=permit, dry_run=False)["restore"]
            count = lambda folder: int(owner.ok(owner.imap.status(folder, "(MESSAGES)"))[0].split()[-1].rstrip(b")"))
            wait_for("some of it", lambda: count("F0") + count("F1"))  # not the one that is selected here
            return permit, job

        def at_the_end(job):
            wait_for("the end of the restore", lambda: cli("restore", "show", job)["over"], 60)
            return cli("restore", "show", job)

        permit, job = begin()
        self.kill_worker()
        report = at_the_end(job)
        self.assertEqual((report["exact"], report["restored"] + report["present"]), (True, sum(map(len, whole.values()))), report)
        self.assertEqual(owner.picture(), whole)
        self.assertEqual(len([each for each in self.ledger("restore.begun") if each["operation"] == permit]), 2, "once more when it was taken up")
        # The permit is taken back while nobody can say so to workerd.
        permit, job = begin()
        worker = self.mailhold.pids()["workerd"]
        os.kill(worker, signal.SIGSTOP)
        self.suspend(self.many)
        self.kill_worker()
        report = at_the_end(job)
        self.assertFalse(report["exact"])
        for what in ("workerd ended in the middle of it, and it may not go on", "counts no more", "what was under way may be there too", f"mailhold restore start --at {moment}"):
            self.assertIn(what, report["failure"])
        self.assertEqual([(each["whole"], each["restored"]) for each in self.ledger("restore.made") if each["operation"] == permit], [(0, report["restored"])])
        self.resume(self.many)
        code, report = self.restore("start", MANY, "--at", moment)
        self.assertEqual((code, report["restored"] + report["present"]), (0, sum(map(len, whole.values()))))
        self.assertGreater(report["present"], 0)
        self.assertEqual(owner.picture(), whole)

    def fill_many(self, count=2400):
        """Straight into the Maildir, before Dovecot looks at it."""
        base = self.folder / f"peers/mailboxes/mail/{MANY}/Maildir"
        for number in range(count):
            name = (".F0", ".F1", ".F2", "")[number % 4]
            folder = base / name
            if number < 4:
                for each in ("cur", "new", "tmp"):
                    (folder / each).mkdir(parents=True)
            (folder / "cur" / f"1700000000.M{number}P1.host:2,S").write_bytes(self.letter(number, body=f"{NEEDLES['body']} {number}\r\n").replace(b"\r\n", b"\n"))
        for path in [base.parent, base, *base.rglob("*")]:
            os.chown(path, 704, 704)
        return count

    def test_7_rotated_keys_open_what_was_backed_up_before(self):
        # Mail of the same day passes the gateway: its keys are others, and rotate to their end.
        message = self.send_ok(letter())
        wait_for("the delivery", lambda: self.next_hop.messages and message not in self.queued())
        today = time.strftime("%Y-%m-%d", time.gmtime())
        self.mailhold.cli("key", "rotate", "region")
        self.mailhold.cli("key", "rotate", "tenant", "--tenant", "example.test")
        # The day has its key once the message is stored, which is up to a moment after its delivery.
        wait_for("the key of the day", lambda: self.mailhold.cli("key", "rotate", "day", "--tenant", "example.test", "--day", today, check=False))
        self.assertEqual(self.mailhold.cli("key", "rewrap")["rotations"], [])
        self.kill_worker()  # and with it its leases
        self.assertEqual(self.seen(self.first_moment), self.as_seen(self.first))
        self.resume(self.writing)
        code, report = self.restore("start", BEA, "--at", self.first_moment, "--to", "After the rotation")
        self.suspend(self.writing)
        self.assertEqual((code, report["exact"], report["restored"]), (0, True, sum(len(messages) for messages in self.first.values())))
        self.assertEqual(self.owner.messages("After the rotation/INBOX"), self.first["INBOX"])

    def test_8_what_stops_a_backup_is_named(self):
        self.suspend(self.reading)
        mailbox = self.sync()
        self.assertEqual(mailbox["state"], "needs attention")
        self.assertIn("suspended", mailbox["reason"])
        self.resume(self.reading)
        self.assertEqual(self.sync()["state"], "current")
        self.mailhold.cli("secret", "remove", "--tenant", self.tenant, "--connection", self.reading, "--key", self.mailhold.operator)
        mailbox = self.sync()
        self.assertEqual(mailbox["state"], "needs attention")
        self.assertIn("secret", mailbox["reason"])
        self.enter_secret(self.reading, BEA, self.users[BEA])
        self.assertEqual(self.sync()["state"], "current")
        # The connection of one tenant carries nothing of another one's mailbox.
        self.mailhold.cli("tenant", "add", "other.test")
        self.mailhold.cli("mailbox", "add", "--tenant", "other.test", "--name", "thief", "--connection", self.reading)
        thief = lambda: self.mailhold.cli("mailbox", "list", "--tenant", "other.test")["mailboxes"][0]
        wait_for("the refusal", lambda: thief()["state"] == "needs attention")
        self.assertIn("another tenant", thief()["reason"])
        self.assertEqual(thief()["items"], 0)

    def test_9_nothing_of_it_can_be_read_on_the_disk(self):
        finder = Finder(NEEDLES | {"address": BEA, "encoded folder": modified_utf7("Übersicht & Pläne – Q1")})
        own = {"passphrase", "operator.key", "second.key", "stranger.key", "connection-password"}  # the operator's, beside the data
        found = self.search(self.mailhold.data / "backup", finder.find, own)
        self.mailhold.stop()
        found |= self.search(self.mailhold.folder, finder.find_deep, own)
        self.assertGreater((self.mailhold.data / "backup/backup.db").stat().st_size, 100_000)
        self.assertEqual(found, set())

    @staticmethod
    def search(folder, find, left_out):
        found = set()
        for path in folder.rglob("*"):
            if path.is_file() and path.name not in left_out:
                data = re.sub(rb"\0{4096,}", b"\0" * 4096, path.read_bytes())  # what was preallocated
                found |= {(path.name, *hit) for hit in find(data) | find(str(path).encode())}
        return found


if __name__ == "__main__":
    run()
