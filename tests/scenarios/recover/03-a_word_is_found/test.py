#!/usr/bin/python3
"""What was backed up of a real Dovecot is found by words of bodies, subjects, people and attachments, PDF, office files old and new, rich text and archives among them, by folder and date, as of a moment; what a query finds is put
back. The index of a tenant is open to a process of that tenant alone, survives its death and its loss, and nothing of it can be read on the disk.
"""
import base64
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1])]
import documents
import memory
from connection_world import ConnectionWorld
from mailbox_owner import Owner
from needles import Finder, needle
from world import PROGRAMS, CommandFailed, descendants, letter, name_of, run, wait_for

HOST = "imap.example.test"
BEA, DAN = "bea@example.test", "dan@other.test"
DOCUMENTS = ("pdf", "docx", "xlsx", "odt", "doc", "xls", "ppt", "rtf", "zip", "tgz", "closed")
UNREADABLE = ("closed", "broken", "deep")
NEEDLES = {name: needle(name) for name in ("subject", "body", "attached", "folder", "question", *DOCUMENTS)}
FOREIGN = needle("foreign")
SPRING, DAY = 1_709_294_400, 86_400  # noon of 1 March 2024


class WordIsFound(ConnectionWorld):
    users = {BEA: "of-bea", DAN: "of-dan"}
    stands_as_worker = False
    settings = {"backup.every_seconds": 3600}

    @classmethod
    def build(cls):
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users)
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.owner = Owner(cls.peers.imaps_port, BEA, cls.users[BEA])
        cls.addClassCleanup(cls.owner.close)
        cls.fill()
        cls.start_mailhold()
        cls.reading = cls.connect(BEA, "backup.read")
        cls.writing = cls.connect(BEA, "restore.write")
        cls.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", BEA, "--connection", cls.reading, "--restore-connection", cls.writing)
        cls.add_other_tenant()

    @classmethod
    def connect(cls, user, purpose):
        return cls.add_connection("imap", HOST, cls.peers.imaps_port, user, cls.users[user], [purpose], cls.peers.certificate)

    @classmethod
    def fill(cls):
        owner = cls.owner
        owner.create("Projects", "Projects/Plans")
        owner.append("INBOX", letter("Lunch", "Shall we have soup?\r\n", sender="Ann Miller <ann@a.example>"), "", SPRING)
        owner.append("INBOX", letter(f"About {NEEDLES['subject']}", f"The word is {NEEDLES['body']}.\r\n", sender="carl@c.example"), "", SPRING + DAY)
        mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        attached = (f"--b\r\nContent-Type: text/html\r\n\r\n<p>See the <b>encl</b>osed <i>soup</i> list</p>\r\n--b\r\nContent-Type: text/plain\r\n"
                    f"Content-Disposition: attachment; filename=menu.txt\r\n\r\nsalad {NEEDLES['attached']}\r\n--b--\r\n")
        owner.append("Projects/Plans", letter("Menu", attached, more=mixed, to="eve@e.example"), "", SPRING + 2 * DAY)
        for number in range(40):
            owner.append("Projects", letter(f"Number {number}", "filler text\r\n"), "", SPRING - number * DAY)
        owner.create("Documents")
        for number, content in enumerate(cls.all_documents().values()):
            owner.append("Documents", cls.with_document(content), "", SPRING + (10 + number) * DAY)

    @staticmethod
    def all_documents():
        """Of each kind one with its needle, and those that are not read, or not to their ends."""
        made = {"pdf": documents.pdf(f"About {NEEDLES['pdf']}, H\u00e4user"), "docx": documents.docx(NEEDLES["docx"]), "xlsx": documents.xlsx(NEEDLES["xlsx"], 471147),
                "odt": documents.odt(NEEDLES["odt"]), "doc": documents.doc(f"About {NEEDLES['doc']}, H\u00e4user"), "xls": documents.xls(NEEDLES["xls"], 815471),
                "ppt": documents.ppt(NEEDLES["ppt"]), "rtf": documents.rtf(NEEDLES["rtf"])}
        inner = documents.zipped({"inner/plan.doc": documents.doc(NEEDLES["zip"])})
        made["zip"] = documents.zipped({"photo.jpg": bytes(100), "inner.zip": inner, "pages.pdf": documents.pdf("pagesofthezip")})
        made["tgz"] = documents.tgz({"notes/list.txt": NEEDLES["tgz"].encode(), "notes/table.ods": documents.odt("tableofthetgz")})
        made["closed"] = documents.encrypted(documents.zipped({"hidden.txt": b"neverseen", "open.txt": NEEDLES["closed"].encode()}))
        made["broken"] = documents.pdf("never seen")[:100]
        made["deep"] = documents.zipped({"1.zip": documents.zipped({"2.zip": documents.zipped({"3.txt": b"neverseen"})})})
        return made

    @staticmethod
    def with_document(content):
        more = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        encoded = base64.encodebytes(content).decode().replace("\n", "\r\n")
        return letter("A document", "--b\r\n\r\nplease read\r\n--b\r\nContent-Type: application/octet-stream; name=document\r\nContent-Transfer-Encoding: base64\r\n"
                      f"\r\n{encoded}--b--\r\n", more=more)

    @classmethod
    def add_other_tenant(cls):
        dan = Owner(cls.peers.imaps_port, DAN, cls.users[DAN])
        dan.append("INBOX", letter("soup elsewhere", f"soup {FOREIGN}\r\n"), "", SPRING)
        dan.close()
        first, cls.tenant = cls.tenant, cls.mailhold.add_tenant("other.test", "other.test")
        reading, cls.other, cls.tenant = cls.connect(DAN, "backup.read"), cls.tenant, first
        cls.mailhold.cli("mailbox", "add", "--tenant", "other.test", "--name", DAN, "--connection", reading)

    def mailbox(self, name=BEA, tenant="example.test"):
        return next(each for each in self.mailhold.cli("mailbox", "list", "--tenant", tenant)["mailboxes"] if each["name"] == name)

    def sync(self):
        before = self.mailbox().get("tried_at", "")
        self.mailhold.cli("backup", "run", BEA)
        wait_for("the sync", lambda: self.mailbox().get("tried_at", "") > before and "running" not in self.mailbox())
        wait_for("the index", lambda: self.ask_for("soup")["complete"], 90)  # what could not be done is tried again after half a minute
        return self.mailbox()["synced_at"]

    def has_document_programs(self):
        for pid in descendants(self.mailhold.process.pid):
            try:
                if name_of(pid) == "pdftotext":
                    return True
            except OSError:
                continue  # it ended meanwhile
        return False

    def ask_for(self, *words, mailbox=BEA):
        return self.mailhold.cli("backup", "find", mailbox, *words)

    def find(self, *words, mailbox=BEA):
        """[(folder, day of receipt since the first of March)]"""
        answers = []  # a sync that begins by itself makes the index late for a moment
        wait_for("a complete answer", lambda: answers.append(self.ask_for(*words, mailbox=mailbox)) or answers[-1]["complete"])
        found = answers[-1]
        self.assertFalse(found["more"], found)
        return [(item["folder"], item["received_at"][:10]) for item in found["items"]]

    LUNCH, ABOUT, MENU = ("INBOX", "2024-03-01"), ("INBOX", "2024-03-02"), ("Projects/Plans", "2024-03-03")

    def test_1_words_people_attachments_folders_and_dates(self):
        for mailbox, tenant in ((BEA, "example.test"), (DAN, "other.test")):
            wait_for("the first sync", lambda: self.mailbox(mailbox, tenant)["state"] == "current")
            wait_for("the index", lambda: self.ask_for("soup", mailbox=mailbox)["complete"])
        self.assertEqual(self.find("soup"), [self.MENU, self.LUNCH])
        self.assertEqual(self.find("soup -enclosed"), [self.LUNCH])
        self.assertEqual(self.find("enclosed"), [self.MENU])  # one word, though tags go through it
        self.assertEqual(self.find(f'"{NEEDLES["body"]}"'), [self.ABOUT])
        self.assertEqual(self.find(f'subject:"{NEEDLES["subject"]}"'), [self.ABOUT])
        self.assertEqual(self.find(f'attachment:"{NEEDLES["attached"]}"'), [self.MENU])
        self.assertEqual(self.find("attachment:menu.txt"), [self.MENU])
        self.assertEqual(self.find("has:attachment folder:Projects"), [self.MENU])
        self.assertEqual(self.find("from:ann@a.example"), [self.LUNCH])
        self.assertEqual(self.find("from:miller"), [self.LUNCH])
        self.assertEqual(self.find("to:eve@e.example"), [self.MENU])
        self.assertEqual(self.find("soup folder:Projects"), [self.MENU])
        self.assertEqual(self.find("soup before:2024-03-03"), [self.LUNCH])
        self.assertEqual(self.find("soup after:2024-03-03"), [self.MENU])
        self.assertEqual(len(self.find("filler")), 40)
        few = self.mailhold.cli("backup", "find", BEA, "filler", "--limit", 3)
        self.assertEqual((len(few["items"]), few["more"]), (3, True))
        self.assertEqual(self.find("nobodywrotethis"), [])
        self.assertEqual(set(self.ask_for("soup")["items"][0]), {"type", "received_at", "folder", "bytes", "mailbox", "item"})  # nothing of the content
        type(self).first_moment = self.mailbox()["synced_at"]

    def test_1b_words_inside_documents(self):
        day = {name: [("Documents", f"2024-03-{11 + number}")] for number, name in enumerate(self.all_documents())}
        unreadable = [day[name][0] for name in reversed(day) if name in UNREADABLE]  # the newest first
        for name in DOCUMENTS:
            self.assertEqual(self.find(f'"{NEEDLES[name]}"'), day[name], name)
            self.assertEqual(self.find(f'attachment:"{NEEDLES[name]}"'), day[name], name)
            self.assertEqual(self.find(f'subject:"{NEEDLES[name]}"'), [], name)
        self.assertEqual(self.find("hauser"), day["doc"] + day["pdf"])
        self.assertEqual(self.find("815471"), day["xls"])
        self.assertEqual(self.find("pagesofthezip attachment:photo.jpg attachment:plan.doc"), day["zip"])
        self.assertEqual(self.find("tableofthetgz"), day["tgz"])
        self.assertEqual(self.find("attachment:hidden.txt"), day["closed"])
        self.assertEqual(self.find("neverseen"), [])
        self.assertEqual(self.find("471147"), day["xlsx"])
        # A document that could not be read costs its own text, and is known.
        self.assertEqual(self.find("has:unreadable"), unreadable)
        self.assertEqual(self.find("please has:unreadable"), unreadable)
        self.assertEqual(len(self.find("please read -has:unreadable")), len(day) - len(unreadable))
        told = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "metrics"], capture_output=True, text=True, check=True).stdout
        counts = dict(re.findall(r'mailhold_search_documents_total\{[^}]*outcome="(\w+)"[^}]*\} (\d+)', told))
        self.assertEqual(counts, {"read": str(len(day) - len(unreadable)), "unreadable": str(len(unreadable))}, told)
        # Each program ended with its document; nobody is left who has seen one.
        wait_for("the end of the programs", lambda: not self.has_document_programs())
        # Whoever starts them may die: what was to be read then is read later.
        for pid in self.pids_of("zygote"):
            os.kill(pid, signal.SIGKILL)
        later = needle("later")
        self.owner.append("Documents", self.with_document(documents.pdf(later)), "", SPRING + 29 * DAY)
        self.sync()
        self.assertEqual(self.find(f'"{later}"'), [("Documents", "2024-03-30")])

    def test_2_a_mistake_is_named_by_its_place(self):
        for query, place in (('soup "open', "character 6"), ("before:tomorrow", "character 8"), ("from:", "character 6")):
            with self.assertRaisesRegex(CommandFailed, place):
                self.ask_for(query)

    def test_2_that_somebody_asked_stands_in_the_ledger(self):
        asked = [entry["event"] for entry in self.ledger_entries(self.tenant) if entry["event"].get("t") == "backup.searched"]
        self.assertGreaterEqual(len(asked), 18)
        self.assertEqual({entry["mailbox"] for entry in asked}, {self.mailbox()["mailbox"]})
        self.assertNotIn("soup", str(asked))

    def test_3_no_tenant_finds_or_holds_what_is_anothers(self):
        self.assertEqual(self.find(f'"{FOREIGN}"', mailbox=DAN), [("INBOX", "2024-03-01")])
        everywhere = self.mailhold.cli("backup", "find", "--tenant", "other.test", "soup")
        self.assertEqual([item["mailbox"] for item in everywhere["items"]], [self.mailbox(DAN, "other.test")["mailbox"]])
        own, foreign = Finder({"own": NEEDLES["body"].rsplit("-", 1)[1]}), Finder({"foreign": FOREIGN.rsplit("-", 1)[1]})
        seen = []
        for pid in self.pids_of("searcher"):
            holds = bool(memory.scan(pid, own).hits), bool(memory.scan(pid, foreign).hits)
            folders = {os.readlink(f"/proc/{pid}/fd/{each}").split("/search/")[1].split("/")[0] for each in os.listdir(f"/proc/{pid}/fd")
                       if "/search/" in os.readlink(f"/proc/{pid}/fd/{each}")}
            self.assertEqual(len(folders), 1)
            seen.append((holds, folders.pop()))
        self.assertEqual(sorted(seen), sorted([((True, False), self.tenant), ((False, True), self.other)]))
        # The process that makes them, and the one that hands them out, have seen no text at all.
        for name in ("searchd", "search-zygote"):
            for pid in self.pids_of(name):
                self.assertEqual(memory.scan(pid, own).hits | memory.scan(pid, foreign).hits, set(), name)
        self.assertEqual(self.find(f'"{FOREIGN}"'), [])  # last, since a process holds what it is asked

    def test_4_as_of_a_moment_and_put_back(self):
        owner = self.owner
        for folder in ("Projects/Plans", "INBOX"):
            for uid in owner.uids(folder):
                owner.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
            owner.ok(owner.imap.expunge())
        owner.append("INBOX", letter("Later", "more soup\r\n"), "", SPRING + 9 * DAY)
        self.sync()
        self.assertEqual(self.find("soup"), [("INBOX", "2024-03-10")])
        self.assertEqual(self.find("soup", "--at", self.first_moment), [self.MENU, self.LUNCH])
        restored = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "--json", "restore", "start", BEA, "--query", "soup -lunch",
                                   "--at", self.first_moment, "--key", self.mailhold.operator], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertEqual(restored.returncode, 0, restored.stderr)
        self.assertIn('"restored":1', restored.stdout.replace(" ", ""))
        self.assertEqual((len(owner.messages("Projects/Plans")), len(owner.messages("INBOX"))), (1, 1))

    def test_5_an_index_outlives_its_process_and_its_loss(self):
        for pid in self.pids_of("searcher"):
            os.kill(pid, signal.SIGKILL)
        wait_for("another process", lambda: self.mailhold.cli("backup", "find", BEA, "filler", check=False))
        self.assertEqual(len(self.find("filler")), 40)
        before = self.mailhold.pids()["searchd"]
        os.kill(before, signal.SIGKILL)
        wait_for("another searchd", lambda: self.mailhold.pids()["searchd"] not in (before, -1) and (self.mailhold.cli("backup", "find", BEA, "filler", check=False) or {}).get("complete"))
        self.assertEqual(len(self.find("filler")), 40)
        # A changed byte is refused, by name; without the folder all is taken in again.
        folder = self.mailhold.data / "search" / self.tenant
        manifest = folder / "manifest"
        whole = manifest.read_bytes()
        manifest.write_bytes(whole[:-20] + bytes([whole[-20] ^ 1]) + whole[-19:])
        for pid in self.pids_of("searcher"):
            os.kill(pid, signal.SIGKILL)
        with self.assertRaisesRegex(CommandFailed, "does not open"):
            self.ask_for("filler")
        shutil.rmtree(folder)
        worker = self.mailhold.pids()["workerd"]
        os.kill(worker, signal.SIGKILL)
        wait_for("another workerd", lambda: self.mailhold.pids()["workerd"] not in (worker, -1) and self.mailhold.cli("mailbox", "list", check=False))
        wait_for("the index", lambda: (self.mailhold.cli("backup", "find", BEA, "filler", check=False) or {}).get("complete"))
        self.assertEqual(len(self.find("filler")), 40)
        self.assertEqual(self.find("soup", "--at", self.first_moment), [self.MENU, self.LUNCH])

    def test_6_nothing_of_it_can_be_read_on_the_disk(self):
        self.ask_for(f'"{NEEDLES["question"]}"')
        finder = Finder({name: text.rsplit("-", 1)[1] for name, text in NEEDLES.items()} | {"foreign": FOREIGN.rsplit("-", 1)[1]})
        self.assertGreater((self.mailhold.data / "search" / self.tenant / "manifest").stat().st_size, 100)
        self.mailhold.stop()
        own = {"passphrase", "operator.key", "connection-password"}
        found = set()
        for path in self.mailhold.folder.rglob("*"):
            if path.is_file() and path.name not in own:
                data = re.sub(rb"\0{4096,}", b"\0" * 4096, path.read_bytes())
                found |= {(path.name, *hit) for hit in finder.find_deep(data) | finder.find_deep(str(path).encode())}
        self.assertEqual(found, set())


if __name__ == "__main__":
    run()
