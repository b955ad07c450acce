#!/usr/bin/python3
"""What left a mailbox at a real Dovecot is kept as long as the rules say and no longer, a hold keeps it longer, the simulation says what then happens; less takes
two people. The proof puts items back at Dovecot, sees when an attachment does not come back, and leaves nothing there. A removed mailbox is gone from Mailhold alone.
"""
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]
from connection_world import ConnectionWorld
from mailbox_owner import Owner, attachment
from world import PROGRAMS, CommandFailed, letter, run, wait_for

HOST = "imap.example.test"
BEA = "bea@example.test"
DAY = 86_400_000


class KeptAndProved(ConnectionWorld):
    users = {BEA: "a password of bea"}
    stands_as_worker = False
    settings = {"backup.every_seconds": 3600, "backup.retention_seconds": 3600, "backup.proof_hour": 24}  # nothing but what the test asks for

    @classmethod
    def build(cls):
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users)
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.owner = Owner(cls.peers.imaps_port, BEA, cls.users[BEA])
        cls.addClassCleanup(cls.owner.close)
        cls.fill()
        cls.start_mailhold()
        purposes = ["backup.read", "backup.prove"]
        cls.connection = cls.add_connection("imap", HOST, cls.peers.imaps_port, BEA, cls.users[BEA], purposes, cls.peers.certificate)
        cls.second, _ = cls.add_person("second")
        cls.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", BEA, "--connection", cls.connection)
        wait_for("the first sync", lambda: cls.mailbox()["state"] == "current")

    @classmethod
    def fill(cls):
        owner, spring = cls.owner, 1_709_250_000
        owner.create("Sent", "Projekte", "Projekte/2026")
        for number in range(14):
            owner.append("INBOX", letter(f"in {number}", body=f"text {number}\r\n" * 60), "\\Seen" if number % 2 else "", spring + number)
        for number in range(4):
            owner.append("Projekte/2026", letter(f"project {number}"), "$Forwarded", spring + 100 + number)
        mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        big = letter("the newest", more=mixed, body="--b\r\n\r\ntext\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nATTACHED--b--\r\n").replace(b"ATTACHED", attachment(60_000))
        owner.append("Sent", big, "\\Seen", spring + 9_000)

    @classmethod
    def mailbox(cls):
        return next(each for each in cls.mailhold.cli("mailbox", "list", "--tenant", "example.test")["mailboxes"] if each["name"] == BEA)

    def sync(self):
        before = self.mailbox().get("tried_at", "")
        self.mailhold.cli("backup", "run", BEA)
        wait_for("the sync", lambda: self.mailbox().get("tried_at", "") > before and "running" not in self.mailbox())

    def signed(self, *words):
        return self.mailhold.cli(*words, "--tenant", "example.test", "--key", self.mailhold.operator)

    def approve(self, asked):
        """The first person cannot be the second."""
        words = ["operation", "approve", "--tenant", self.tenant, "--operation", asked["waits_for_second_person"], "--key"]
        with self.assertRaisesRegex(CommandFailed, "another person"):
            self.mailhold.cli(*words, self.mailhold.operator)
        self.mailhold.cli(*words, self.second)

    def simulate(self, *words):
        return self.mailhold.cli("retention", "simulate", "--tenant", "example.test", *words)

    def rows(self, sql):
        with sqlite3.connect(f"file:{self.mailhold.data}/backup/backup.db?mode=ro", uri=True) as records:
            return records.execute(sql).fetchone()[0]

    def wraps(self):
        with sqlite3.connect(f"file:{self.mailhold.data}/backup/backup.db?mode=ro", uri=True) as records:
            return {wrap for (wrap,) in records.execute("SELECT wrap FROM store_wraps")}

    def days_pass(self, days):
        """Everything that left the mailbox left it so many days earlier. The day stands in the clear; what it is of does not."""
        with sqlite3.connect(f"{self.mailhold.data}/backup/backup.db", timeout=30) as records:
            records.execute("UPDATE backup_items SET until = until - ? WHERE until IS NOT NULL", (days * DAY,))

    def ledger(self, kind):
        return [entry["event"] for entry in self.ledger_entries(self.tenant) if entry["event"].get("t") == kind]

    def prove(self):
        """(exit code, what it printed)"""
        done = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "--json", "backup", "prove", BEA], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertTrue(done.stdout, done.stderr)
        return done.returncode, json.loads(done.stdout)

    def test_1_less_takes_two_people_and_more_takes_one(self):
        asked = self.signed("retention", "set", "--days", 30, "--type", "mail")
        self.assertEqual(self.mailhold.cli("retention", "show", "--tenant", "example.test")["rules"], [])
        self.approve(asked)
        self.assertEqual(self.mailhold.cli("retention", "show", "--tenant", "example.test")["rules"], [{"type": "mail", "days": "30"}])
        self.assertNotIn("waits_for_second_person", self.signed("retention", "set", "--days", 40, "--type", "mail", "--mailbox", BEA))
        self.approve(self.signed("retention", "set", "--days", "default", "--type", "mail", "--mailbox", BEA))
        with self.assertRaisesRegex(CommandFailed, "36,135"):
            self.signed("retention", "set", "--days", 36136)

    def test_2_the_simulation_says_what_then_happens_and_a_hold_keeps(self):
        folder = self.mailhold.cli("backup", "items", BEA, "--folder", "INBOX")["items"]
        kept = [item["item"] for item in folder[:2]]
        words = [word for item in kept for word in ("--item", item)]
        self.assertNotIn("waits_for_second_person", self.signed("hold", "add", "--name", "Case 7", "--reason", "a court order", "--mailbox", BEA, *words))
        for uid in self.owner.uids("INBOX")[:6]:
            self.owner.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
        self.owner.ok(self.owner.imap.expunge())
        self.sync()
        in_thirty_days = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86_400))
        said = self.simulate("--days", 31)
        self.assertEqual([(each["day"], each["name"], each["type"], each["items"]) for each in said["vanishes"]], [(in_thirty_days, BEA, "mail", 4)])
        self.assertEqual([(each["hold_name"], each["items"]) for each in said["held"]], [("Case 7", 2)])
        self.assertEqual(self.simulate("--days", 20)["vanishes"], [])
        self.assertEqual(self.simulate("--days", 2, "--as-if-days", 1, "--type", "mail")["vanishes"][0]["items"], 4)
        self.assertEqual(self.mailhold.cli("retention", "run")["versions"], 0)

        self.days_pass(31)
        said, wraps, names = self.simulate("--days", 0), self.wraps(), self.rows("SELECT count(*) FROM store_names")
        self.assertEqual(said["vanishes"][0]["items"], 4)
        self.assertGreater(said["vanishes"][0]["bytes"], 1000)
        went = self.mailhold.cli("retention", "run")
        self.assertEqual((went["versions"], went["contents"]), (4, 4))
        self.assertEqual(self.rows("SELECT count(*) FROM backup_items WHERE until IS NOT NULL"), 2)
        self.assertEqual(self.rows("SELECT count(*) FROM store_names"), names - 4)
        self.assertTrue(wraps - self.wraps(), "what held them is wrapped as before")
        self.assertEqual(self.simulate("--days", 0)["vanishes"], [])
        self.assertEqual(self.mailhold.cli("retention", "run")["versions"], 0)
        self.assertEqual([entry["versions"] for entry in self.ledger("backup.expired")], [4])

    def test_3_the_end_of_a_hold_takes_two_people(self):
        asked = self.signed("hold", "remove", "Case 7")
        self.assertEqual(self.mailhold.cli("retention", "run")["versions"], 0)
        self.approve(asked)
        self.assertEqual(self.mailhold.cli("hold", "list", "--tenant", "example.test")["holds"], [])
        self.assertEqual(self.mailhold.cli("retention", "run")["contents"], 2)
        self.assertEqual(self.rows("SELECT count(*) FROM backup_items"), self.mailbox()["items"])

    def test_4_the_proof_passes_and_leaves_nothing(self):
        before = self.owner.picture()
        code, proof = self.prove()
        self.assertEqual((code, proof["outcome"], proof["not_as_they_were"]), (0, "passed", []), proof)
        self.assertEqual(proof["items"], 13)  # all there are
        self.assertEqual(self.owner.picture(), before)
        self.assertEqual(self.mailbox()["proof"]["outcome"], "passed")
        self.assertEqual([(entry["items"], entry["passed"]) for entry in self.ledger("backup.proved")], [(13, 1)])
        refused = [entry for entry in self.events_of_connection(self.connection) if entry["t"] == "use.end" and entry.get("refused")]
        self.assertEqual(refused, [], "it asked for nothing that its purpose does not allow")

    def test_5_an_attachment_that_the_server_drops_is_seen(self):
        over, dropped = threading.Event(), []

        def drop():
            """As soon as Dovecot has it, the attachment of the scratch folder's first message that has one is nothing but spaces."""
            mail = self.folder / f"peers/mailboxes/mail/{BEA}/Maildir"
            while not over.is_set() and not dropped:
                for file in [*mail.glob(".Mailhold proof */cur/*"), *mail.glob(".Mailhold proof */new/*")]:
                    try:
                        whole, times = file.read_bytes(), file.stat()
                    except FileNotFoundError:
                        continue
                    empty = re.sub(rb"(?m)^[A-Za-z0-9+/=]{60,}$", lambda line: b" " * len(line[0]), whole)
                    if empty != whole:
                        file.write_bytes(empty)
                        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
                        dropped.append(file)
                        break

        before = self.owner.picture()
        dropping = threading.Thread(target=drop)
        dropping.start()
        try:
            code, proof = self.prove()
        finally:
            over.set()
            dropping.join()
        self.assertTrue(dropped)
        self.assertEqual((code, proof["outcome"]), (7, "failed"))
        self.assertEqual([each["what"] for each in proof["not_as_they_were"]], ["content"])
        mailbox = self.mailbox()
        self.assertEqual(mailbox["state"], "needs attention")
        self.assertIn("proof failed: 1 of 13", mailbox["reason"])
        self.assertEqual(self.owner.picture(), before)
        self.sync()
        self.assertEqual(self.mailbox()["state"], "needs attention", "a sync does not make it good")
        self.assertEqual(self.prove()[0], 0)
        self.assertEqual(self.mailbox()["state"], "current")
        self.assertEqual([entry["passed"] for entry in self.ledger("backup.proved")], [1, 0, 1])

    def test_6_all_of_it_can_be_watched(self):
        text = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "metrics"], capture_output=True, text=True, check=True).stdout
        families, samples, family = {}, {}, None
        for line in text.splitlines():
            if match := re.fullmatch(r"# HELP ([a-z_][a-z0-9_]*) .+", line):
                family = match[1]
                self.assertNotIn(family, families)
            elif match := re.fullmatch(r"# TYPE ([a-z_][a-z0-9_]*) (counter|gauge|histogram)", line):
                self.assertEqual(match[1], family)
                families[family] = match[2]
            else:
                match = re.fullmatch(r'(%s(?:_bucket|_sum|_count)?)\{((?:[a-z_]+="[^"\\\n]*",?)*)\} (\S+)' % family, line)
                self.assertTrue(match, line)
                self.assertNotIn((match[1], match[2]), samples)
                samples[match[1], match[2]] = float(match[3])
        self.assertEqual(samples["mailhold_mailboxes", 'program="workerd",state="current"'], 1)
        self.assertEqual(samples["mailhold_backup_proofs_total", 'outcome="failed",program="workerd"'], 1)
        self.assertEqual(samples["mailhold_retention_versions_total", 'program="workerd"'], 6)
        self.assertEqual(samples["mailhold_up", 'of="brokerd",program="apid"'], 1)
        self.assertNotIn(BEA, text)

    def test_7_a_removed_mailbox_is_gone_from_mailhold_alone(self):
        before = self.owner.picture()
        self.signed("hold", "add", "--name", "all", "--reason", "wait")
        remove = ["mailbox", "remove", BEA, "--confirm", BEA]
        with self.assertRaisesRegex(CommandFailed, "hold all"):
            self.signed(*remove)
        self.approve(self.signed("hold", "remove", "all"))
        with self.assertRaisesRegex(CommandFailed, "confirm"):
            self.signed("mailbox", "remove", BEA, "--confirm", "someone")
        self.approve(self.signed(*remove))
        self.assertEqual(self.mailhold.cli("retention", "run")["mailboxes"], 1)
        self.assertEqual(self.mailhold.cli("mailbox", "list", "--tenant", "example.test")["mailboxes"], [])
        for table in ("backup_mailboxes", "backup_folders", "backup_items", "backup_proofs", "backup_leaving", "store_wraps", "store_uses"):
            self.assertEqual(self.rows(f"SELECT count(*) FROM {table}"), 0, table)
        self.assertEqual(self.owner.picture(), before)
        self.assertEqual(len(self.ledger("mailbox.removed")), 1)
        self.assertEqual(self.mailhold.cli("retention", "show", "--tenant", "example.test")["mailboxes_to_remove"], [])


if __name__ == "__main__":
    run()
