#!/usr/bin/python3
"""Contents of a backup leave as files when two people have signed, and other programs read them: Python's zipfile, sha256sum, mailbox. What was exported
can be proved offline. Mail of mbox files and of a Maildir comes in, and is restored to a real Dovecot.
"""
import collections
import datetime
import hashlib
import json
import mailbox
import os
import pathlib
import re
import signal
import stat
import subprocess
import sys
import time
import zipfile

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[3] / "peers"), str(HERE.parents[2]), str(HERE.parents[1])]
from connection_world import ConnectionWorld
from dav_owner import DavOwner, vevent
from mailbox_owner import Owner, attachment
from world import PROGRAMS, CommandFailed, collection, letter, run, wait_for

HOST, DAV_HOST, BEA = "imap.example.test", "dav.example.test", "bea@example.test"
ODD = "Projekte/Übersicht: 50%"
# How Debian's Dovecot gives malformed mail back; in which it writes CR CR LF anew; and what it does not take.
STORED_BY_DOVECOT = ({"as it was": 141, "with CRLF": 96, "with CRLF, NUL as 80": 16, "otherwise": 3},
                     [f"mimeminer-cases/{name}.eml" for name in ("abnormal_line_break_between_headers_rrn", "header_body_delimit_rnrrn", "header_body_delimit_rrn")], [])


def seconds(text):
    """Since 1970, of "2024-02-29T23:59:58.000Z"."""
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


class ExportsAndImports(ConnectionWorld):
    users = {BEA: "the password of bea"}
    stands_as_worker = False
    settings = {"backup.every_seconds": 3600}

    @classmethod
    def build(cls):
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users)
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.owner = Owner(cls.peers.imaps_port, BEA, cls.users[BEA])
        cls.addClassCleanup(cls.owner.close)
        cls.owner.create("Projekte", ODD)
        for number in range(12):
            cls.owner.append("INBOX", letter(f"number {number}", body=f"From the start {number}\r\n>From there\r\n"), "\\Seen" if number % 2 else "", 1_709_250_000 + number)
        mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        big = letter("with an attachment", more=mixed, body="--b\r\n\r\ntext\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nATTACHED--b--\r\n").replace(b"ATTACHED", attachment(1_500_000))
        cls.owner.append(ODD, big, "\\Flagged \\Seen", 1_709_260_000)
        cls.peers.start_dav_server(cls.users, DAV_HOST)
        cls.dns.set(DAV_HOST, "A", "127.0.0.1")
        cls.dav = DavOwner(cls.peers.dav_port, BEA, cls.users[BEA])
        cls.dav.make_calendar("work", "Arbeit: Plan")
        cls.dav.make_address_book("friends", "Freunde")
        for number in range(4):
            assert cls.dav.put("work", f"e{number}.ics", vevent(f"e{number}@x", f"DTSTART;TZID=Europe/Berlin:2026030{number + 1}T080000", f"SUMMARY:Übung {number}"))
            assert cls.dav.put("friends", f"c{number}.vcf", f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c{number}\r\nFN:René {number}\r\nN:René;{number};;;\r\nEND:VCARD\r\n".encode())
        cls.start_mailhold()
        cls.connection = cls.add_connection("imap", HOST, cls.peers.imaps_port, BEA, cls.users[BEA], ["backup.read", "restore.write"], cls.peers.certificate)
        reads = [word for verb in ("PROPFIND", "REPORT", "GET") for word in ("--verb", f"{verb} /**")]
        cls.calendars = cls.add_connection("http", DAV_HOST, cls.peers.dav_port, BEA, cls.users[BEA], ["backup.read"], cls.peers.dav_certificate, *reads)
        cls.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", BEA, "--connection", cls.connection)
        wait_for("the first sync", lambda: cls.of(BEA)["state"] == "current")
        cls.second, _ = cls.add_person("second")
        cls.picture = cls.owner.picture()

    @classmethod
    def of(cls, name):
        return next(each for each in cls.mailhold.cli("mailbox", "list", "--tenant", "example.test")["mailboxes"] if each["name"] == name)

    def program(self, *words, name="mailhold"):
        before = ["--socket", self.mailhold.socket, "--json"] if name == "mailhold" else []
        return subprocess.run([PROGRAMS / name, *before, *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL)

    def allow(self, *words, name=BEA):
        """An export that two people have signed for."""
        asked = self.mailhold.cli("export", "allow", name, *words, "--key", self.mailhold.operator)["waits_for_second_person"]
        self.mailhold.cli("operation", "approve", "--tenant", self.tenant, "--operation", asked, "--key", self.second)
        return asked

    def unpacked(self, file):
        folder = self.folder / (file.stem + ".unpacked")
        with zipfile.ZipFile(file) as archive:
            self.assertIsNone(archive.testzip())
            archive.extractall(folder)
        return folder

    def test_1_nothing_leaves_before_two_people_have_signed(self):
        file = self.folder / "bea.zip"
        asked = self.mailhold.cli("export", "allow", BEA, "--key", self.mailhold.operator)["waits_for_second_person"]
        refused = self.program("export", "write", asked, "--to", file)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("second person", refused.stderr)
        self.assertFalse(file.exists())
        with self.assertRaisesRegex(CommandFailed, "another person"):
            self.mailhold.cli("operation", "approve", "--tenant", self.tenant, "--operation", asked, "--key", self.mailhold.operator)
        self.mailhold.cli("operation", "approve", "--tenant", self.tenant, "--operation", asked, "--key", self.second)
        report = self.mailhold.cli("export", "write", asked, "--to", file)
        self.assertEqual((report["items"], report["failed"]), (13, 0))
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        again = self.program("export", "write", asked, "--to", file)
        self.assertEqual(again.returncode, 2, "a file that is there is never written over")
        type(self).file = file

    def test_2_other_programs_read_it_and_it_is_exact(self):
        folder = self.unpacked(self.file)
        index = [json.loads(line) for line in (folder / "INDEX.jsonl").read_text().splitlines()]
        self.assertEqual(len(index), 13)
        for path, messages in self.picture.items():
            expected = sorted((hashlib.sha256(content).hexdigest(), sorted(flag.decode() for flag in flags)) for content, flags, _ in messages)
            name = [ODD] if "bersicht" in path else [path]
            there = sorted((item["sha256"], item["flags"]) for item in index if "/".join(item["folder"]) in name)
            self.assertEqual(there, expected, path)
            dates = sorted((item["sha256"], seconds(item["received_at"])) for item in index if "/".join(item["folder"]) in name)
            self.assertEqual(dates, sorted((hashlib.sha256(content).hexdigest(), int(time.mktime(at))) for content, _, at in messages), path)
        for item in index:
            self.assertEqual(hashlib.sha256((folder / item["file"]).read_bytes()).hexdigest(), item["sha256"])
        self.assertTrue((folder / "Projekte/Übersicht%3a 50%25").is_dir())
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "MANIFEST.sha256"], cwd=folder, check=True)

    def test_3_it_is_proved_offline(self):
        folder = self.folder / "bea.unpacked"
        key = self.mailhold.cli("ledger", "status")["key"]
        verify = lambda: self.program("export", folder, "--key", key, name="mailhold-verify")
        sound = verify()
        self.assertEqual(sound.returncode, 0, sound.stdout)
        self.assertIn(f"13 items of mailbox {self.of(BEA)['mailbox']} of tenant {self.tenant}", sound.stdout)
        path = next(folder.glob("INBOX/*.eml"))
        whole = path.read_bytes()
        path.write_bytes(whole[:-3] + b"!\r\n")
        self.assertEqual((verify().returncode, "changed: INBOX/" in verify().stdout), (1, True))
        path.write_bytes(whole)
        (folder / "INBOX/more.eml").write_bytes(b"")
        self.assertIn("not of this export", verify().stdout)
        (folder / "INBOX/more.eml").unlink()
        self.assertEqual(verify().returncode, 0)
        types = [entry["event"]["t"] for entry in self.ledger_entries(self.tenant)]
        for each in ("operation.export.allow", "operation.operation.approve", "export.begun", "export.made"):
            self.assertIn(each, types)
        self.assertLess(types.index("export.begun"), types.index("export.made"))

    def test_4_mbox_of_one_folder(self):
        file = self.folder / "inbox.zip"
        self.mailhold.cli("export", "write", self.allow("--form", "mbox", "--folder", "INBOX"), "--to", file)
        folder = self.unpacked(file)
        box = mailbox.mbox(folder / "INBOX.mbox", create=False)
        read = sorted(bytes(message) for message in box)
        self.assertEqual(len(read), 12)
        subjects = sorted(message["subject"] for message in box)
        self.assertEqual(subjects, sorted(f"number {number}" for number in range(12)))
        type(self).mbox = folder / "INBOX.mbox"

    def test_5_mbox_and_maildir_come_in_once(self):
        maildir = mailbox.Maildir(self.folder / "Old", create=True)
        archive = maildir.add_folder("Archive.2009")
        for number in range(5):
            message = mailbox.MaildirMessage(letter(f"old {number}").replace(b"\r\n", b"\n"))
            message.set_subdir("cur")
            message.set_flags("FS" if number == 0 else "")
            key = archive.add(message)
            os.utime(next((self.folder / "Old/.Archive.2009/cur").glob(key + "*")), (1_100_000_000 + number,) * 2)
        words = ["import", "start", "--tenant", "example.test", "--name", "bea, before", "--restore-connection", self.connection, "--from", self.mbox, "--from", self.folder / "Old", "--folder", "Imported"]
        first = self.program(*words)
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertEqual((json.loads(first.stdout)["added"], json.loads(first.stdout)["present"]), (17, 0))
        self.assertEqual(json.loads(self.program(*words).stdout)["added"], 0)
        self.assertEqual((self.of("bea, before")["state"], self.of("bea, before")["items"]), ("current", 17))
        items = self.mailhold.cli("backup", "items", "bea, before", "--folder", "Imported/Archive/2009")["items"]
        self.assertEqual(sorted(tuple(item["flags"]) for item in items), [(), (), (), (), ("\\Flagged", "\\Seen")])
        # When it was received: by the time of a Maildir file, by the From line of an mbox, to the second.
        self.assertEqual(sorted(seconds(item["received_at"]) for item in items), [1_100_000_000 + number for number in range(5)])
        items = self.mailhold.cli("backup", "items", "bea, before", "--folder", "Imported")["items"]
        self.assertEqual(sorted(seconds(item["received_at"]) for item in items), [1_709_250_000 + number for number in range(12)])
        # It was read from nowhere, so nobody can tell whose mailbox that is: it takes two people.
        asked = self.program("restore", "start", "bea, before", "--key", self.mailhold.operator)
        self.assertEqual(asked.returncode, 5, asked.stderr)
        self.assertIn("a second person must sign for it too", asked.stderr)
        operation = json.loads(asked.stdout)["waits_for_second_person"]
        self.mailhold.cli("operation", "approve", "--tenant", self.tenant, "--operation", operation, "--key", self.second)
        done = self.program("restore", "carry-out", operation)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        received = lambda folder: sorted((content, time.mktime(at)) for content, _, at in self.owner.messages(folder))
        self.assertEqual(received("Imported"), sorted((content, time.mktime(at)) for content, _, at in self.picture["INBOX"]))
        self.assertEqual(sorted(at for _, at in received("Imported/Archive/2009")), [1_100_000_000 + number for number in range(5)])

    def test_6_bad_input_is_named_and_adds_nothing(self):
        (self.folder / "none.mbox").write_bytes(b"Subject: not an mbox\n\n")
        for path, what in ((self.folder / "none.mbox", "does not begin with"), (self.folder / "missing", "neither an mbox file nor a folder")):
            done = self.program("import", "start", "--tenant", "example.test", "--name", "bad", "--from", path)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(what, done.stderr)
        done = self.program("import", "start", "--tenant", "example.test", "--name", BEA, "--from", self.mbox)
        self.assertEqual(done.returncode, 5)
        self.assertIn("over a connection", done.stderr)
        refused = self.program("export", "allow", BEA, "--form", "pst", "--key", self.mailhold.operator)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("form must be files or mbox", refused.stderr)

    def test_7_workerd_dies_and_no_part_of_a_file_stays(self):
        asked, file = self.allow(), self.folder / "broken.zip"
        before = self.mailhold.pids()["workerd"]
        os.kill(before, signal.SIGSTOP)
        writing = subprocess.Popen([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "export", "write", asked, "--to", file], stderr=subprocess.PIPE, text=True)
        wait_for("the file", file.exists)
        os.kill(before, signal.SIGKILL)
        self.assertNotEqual(writing.wait(60), 0)
        writing.stderr.close()
        self.assertFalse(file.exists())
        wait_for("another workerd", lambda: self.mailhold.pids()["workerd"] not in (before, -1) and self.mailhold.cli("mailbox", "list", check=False))
        self.assertEqual(self.mailhold.cli("export", "write", asked, "--to", file)["items"], 13)


    def test_8_events_and_contacts_are_exported_too(self):
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", "bea, calendars", "--kind", "dav", "--connection", self.calendars)
        wait_for("the sync of calendars", lambda: self.of("bea, calendars")["state"] == "current")
        file = self.folder / "calendars.zip"
        report = self.mailhold.cli("export", "write", self.allow(name="bea, calendars"), "--to", file)
        self.assertEqual((report["items"], report["failed"]), (8, 0))
        folder = self.unpacked(file)
        there = {path.relative_to(folder).parent.as_posix(): sorted(each.read_bytes() for each in path.parent.iterdir()) for path in folder.rglob("*") if path.suffix in (".ics", ".vcf")}
        expected = {name.replace(":", "%3a"): sorted(items.values()) for name, items in self.dav.picture().items()}
        self.assertEqual(there, expected)
        self.assertEqual({name: len(items) for name, items in there.items()}, {"Calendars/Arbeit%3a Plan": 4, "Address books/Freunde": 4})
        subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "MANIFEST.sha256"], cwd=folder, check=True)
        verify = lambda: self.program("export", folder, "--key", self.mailhold.cli("ledger", "status")["key"], name="mailhold-verify")
        sound = verify()
        self.assertEqual(sound.returncode, 0, sound.stdout)
        self.assertIn(f"8 items of mailbox {self.of('bea, calendars')['mailbox']} of tenant {self.tenant}", sound.stdout)
        event = next(folder.glob("Calendars/*/*.ics"))
        event.write_bytes(event.read_bytes().replace(b"SUMMARY", b"SUMMARX"))
        self.assertEqual((verify().returncode, "changed: Calendars/" in verify().stdout), (1, True))


    def test_9_malformed_mail_comes_back_as_the_server_has_it(self):
        """What Dovecot refuses to store and what it alters is counted; what it then has goes into the backup and comes back byte for byte."""
        self.owner.create("Malformed")
        given, refused = {}, []
        for name in ("mimeminer-cases", "cpython-test-email", "enmime", "kmime", "email-mime-perl"):
            for path in sorted(collection(name).rglob("*")):
                if path.is_file() and path.name != "SOURCE.txt" and path.stat().st_size < 100_000:
                    place, content = str(path.relative_to(collection(name).parent)), path.read_bytes()
                    given[place] = content
                    if not self.owner.append_as_it_is("Malformed", content):
                        refused.append(place)
                        del given[place]
        there = self.owner.contents_in_order("Malformed")
        self.assertEqual(len(there), len(given))
        how, otherwise = collections.Counter(), []
        for (place, content), stored in zip(given.items(), there):
            with_line_ends = re.sub(rb"(?<!\r)\n", b"\r\n", content)
            kept = {with_line_ends.replace(b"\0", b"\x80"): "with CRLF, NUL as 80", with_line_ends: "with CRLF", content: "as it was"}
            how[kept.get(stored, "otherwise")] += 1
            otherwise += [] if stored in kept else [place]
        self.assertEqual((dict(how), otherwise, refused), STORED_BY_DOVECOT)
        before = self.owner.messages("Malformed")
        synced = self.of(BEA)["synced_at"]
        self.mailhold.cli("backup", "run", BEA)
        wait_for("the sync", lambda: self.of(BEA)["synced_at"] > synced and "running" not in self.of(BEA), 60)
        self.assertEqual((self.of(BEA)["state"], self.of(BEA)["items"]), ("current", 13 + 17 + len(before)))
        self.owner.delete("Malformed")
        done = self.program("restore", "start", BEA, "--folder", "Malformed", "--key", self.mailhold.operator)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(json.loads(done.stdout)["restored"], len(before))
        self.assertEqual(self.owner.messages("Malformed"), before)
        print(f"{len(before)} malformed messages came back from Dovecot as they were", flush=True)


if __name__ == "__main__":
    run()
