#!/usr/bin/python3
"""Calendars and address books at a real Radicale are backed up, seen as of earlier moments, destroyed, and come back: rules, people, alarms, zones, attachments, photos. Whatever is
compared is read from Radicale by a program of the test's own. Proofs put items back into collections of their own and leave nothing. workerd dies in the middle; tokens are forgotten; nothing can be read on the disk.
"""
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[3] / "peers"), str(HERE.parents[2]), str(HERE.parents[1])]
from dav_owner import DavOwner, binary, folded, meaning, vevent
from mailbox_world import MailboxWorld
from needles import Finder, needle
from world import PROGRAMS, CommandFailed, collection, run, wait_for

HOST = "dav.example.test"
BEA, MANY, OTHER = "bea@example.test", "many@example.test", "other@example.test"
NEEDLES = {name: needle(name) for name in ("summary", "name", "title", "password", "address")}
WORK, FRIENDS = f"Calendars/Übersicht & Pläne – {NEEDLES['title']}", "Address books/Freunde"
READS = ["PROPFIND /**", "REPORT /**", "GET /**"]
WRITES = READS + ["PUT /**", "MKCALENDAR /**", "MKCOL /**"]
PROVES = READS + ["PUT /**", "MKCALENDAR /**", "MKCOL /**", "DELETE /**"]
MANY_EVENTS = 900
COLLECTIONS_OF_EACH_KIND = 12  # for files with the same UID: a collection takes one of each
# Of Debian's Radicale 3.1 and the collection: how many files it takes, and why it refuses the others.
TAKEN_OF_THE_COLLECTION = (120, {"it cannot read": 130, "more or less than one item": 112, "another has its UID": 35, "it cannot write again": 10, "a rule that cannot be": 3})
# In how many of them it writes such a property otherwise than it stood in the file.
ALTERED_BY_RADICALE = {"ATTENDEE": 10, "DTSTART": 8, "TRIGGER": 6, "BEGIN": 5, "DESCRIPTION": 5, "END": 5, "DTEND": 4, "RRULE": 4, "TEL": 4, "TZID": 4, "TZOFFSETFROM": 4, "TZOFFSETTO": 4, "ADR": 2, "EMAIL": 2,
                       "LOCATION": 2, "ORGANIZER": 2, "TZNAME": 2, "URL": 2, "X-AIM": 2, "X-APPLE-STRUCTURED-LOCATION": 2, "EXDATE": 1, "ORG": 1, "PHOTO": 1}
# What differs after a restore: into an object that only names a zone Radicale writes the rules of whatever zone of that name it saw meanwhile.
NOT_AS_IT_WAS = {"content: VTIMEZONE.TZID": 3}


class CalendarsComeBack(MailboxWorld):
    users = {BEA: NEEDLES["password"], MANY: NEEDLES["password"] + "-2", OTHER: "contract"}
    main = BEA

    @classmethod
    def build(cls):
        cls.start_peers()
        cls.peers.start_dav_server(cls.users, HOST, plain=True)
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.owner = DavOwner(cls.peers.dav_port, BEA, cls.users[BEA])
        cls.fill()
        cls.start_mailhold()
        cls.reading = cls.connect(BEA, ["backup.read", "backup.prove"], PROVES)
        cls.writing = cls.connect(BEA, ["restore.write"], WRITES)
        cls.many = cls.connect(MANY, ["backup.read"], READS)
        cls.narrow = cls.connect(OTHER, ["backup.read"], ["GET /**"])

    @classmethod
    def connect(cls, user, purposes, verbs):
        lists = [word for verb in verbs for word in ("--verb", verb)]
        return cls.add_connection("http", HOST, cls.peers.dav_port, user, cls.users[user], purposes, cls.peers.dav_certificate, *lists)

    @classmethod
    def fill(cls):
        owner = cls.owner
        owner.make_calendar("work", WORK.split("/")[1].replace("&", "&amp;"))
        owner.make_calendar("tasks", "Aufgaben")
        owner.make_calendar("empty", "Leer")
        owner.make_address_book("friends", FRIENDS.split("/")[1])
        summary, mail = NEEDLES["summary"], f"{NEEDLES['address']}@example.test"
        weekly = vevent("weekly@x", "DTSTART;TZID=Europe/Berlin:20260302T090000", "DTEND;TZID=Europe/Berlin:20260302T100000", "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20261231T080000Z",
                        "EXDATE;TZID=Europe/Berlin:20260309T090000,20260316T090000", f"SUMMARY:{summary} wöchentlich\\, mit Beschreibung", "DESCRIPTION:" + "Zeile 1\\nZeile 2 – größer\\; als\\, 75 Zeichen " * 5,
                        f'ORGANIZER;CN="Müller, Bea":mailto:{BEA}', f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE;CN=Ann:mailto:{mail}",
                        "ATTENDEE;CUTYPE=ROOM;PARTSTAT=TENTATIVE:mailto:room@example.test", "CATEGORIES:WORK,ÜBUNG", "GEO:52.5;13.4", "X-OWN;X-PARAM=\"a;b\":value:with:colons",
                        "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER;RELATED=START:-PT15M", "DESCRIPTION:Gleich", "END:VALARM")
        # One occurrence of its own, in the same resource (RFC 4791 section 4.1).
        exception = ("BEGIN:VEVENT\r\nUID:weekly@x\r\nDTSTAMP:20260101T120000Z\r\nRECURRENCE-ID;TZID=Europe/Berlin:20260323T090000\r\nDTSTART;TZID=Europe/Berlin:20260323T140000\r\n"
                     f"DTEND;TZID=Europe/Berlin:20260323T150000\r\nSUMMARY:{summary} verschoben\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n").encode()
        weekly = weekly.replace(b"END:VCALENDAR\r\n", exception)
        events = {"weekly.ics": weekly,
                  "all day ü.ics": vevent("allday@x", "DTSTART;VALUE=DATE:20260501", "DTEND;VALUE=DATE:20260502", "RRULE:FREQ=YEARLY", "SUMMARY:Tag der Arbeit", "TRANSP:TRANSPARENT", zone=False),
                  "attached.ics": vevent("attached@x", "DTSTART:20260601T080000Z", "DURATION:PT1H30M", f"SUMMARY:{summary} mit Anhang",
                                         f"ATTACH;FMTTYPE=application/pdf;ENCODING=BASE64;VALUE=BINARY:{binary(60_000)}", "ATTACH:https://example.test/a.pdf", zone=False),
                  "dates.ics": vevent("dates@x", "DTSTART:20260701T080000Z", "RDATE:20260705T080000Z,20260712T080000Z", "SUMMARY:einzelne Tage", "CLASS:PRIVATE", "SEQUENCE:7", "STATUS:TENTATIVE", zone=False)}
        for number in range(20):
            events[f"e{number}.ics"] = vevent(f"e{number}@x", f"DTSTART:202603{number + 1:02}T080000Z", "DURATION:PT1H", f"SUMMARY:{summary} {number}", zone=False)
        for name, content in events.items():
            assert owner.put("work", name, content), name
        todo = vevent("todo@x", "DUE:20260401T120000Z", "PRIORITY:1", "PERCENT-COMPLETE:40", "SUMMARY:Steuer", zone=False).replace(b"VEVENT", b"VTODO")
        assert owner.put("tasks", "todo.ics", todo)
        name = NEEDLES["name"]
        cards = {"photo3.vcf": folded("\r\n".join(["BEGIN:VCARD", "VERSION:3.0", "UID:photo3", f"FN:Änne {name}", f"N:{name};Änne;;Dr.;", f"EMAIL;TYPE=INTERNET,PREF:{NEEDLES['address']}@example.test",
                                                   "item1.TEL:+49 30 123", "item1.X-ABLabel:Büro", "ADR;TYPE=WORK:;;Straße 1\\, Hof;Berlin;;10115;Deutschland", f"PHOTO;ENCODING=b;TYPE=JPEG:{binary(30_000)}",
                                                   "NOTE:Zeile 1\\nZeile 2", "BDAY:1980-02-29", "END:VCARD", ""])),
                 "card4.vcf": folded("\r\n".join(["BEGIN:VCARD", "VERSION:4.0", "UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", "FN;PREF=1:René", "N:Dupré;René;;;", "KIND:individual",
                                                  f"PHOTO:data:image/png\\;base64\\,{binary(9_000)}", "TEL;VALUE=uri;TYPE=\"voice,home\":tel:+33-01-23-45-67", "END:VCARD", ""]))}
        for number in range(8):
            cards[f"c{number}.vcf"] = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c{number}\r\nFN:{name} {number}\r\nN:{name};{number};;;\r\nEND:VCARD\r\n".encode()
        for name, content in cards.items():
            assert owner.put("friends", name, content), name

    def seen(self, *at):
        """{folder: number of items} of the backup as of a moment."""
        moment = ["--at", *at] if at else []
        return {folder["folder"].replace("\\/", "/"): folder["items"] for folder in self.mailhold.cli("backup", "folders", self.main, *moment)["folders"]}

    @staticmethod
    def counts(picture):
        return {folder: len(items) for folder, items in picture.items()}

    def test_0_this_server_keeps_the_contract_of_mailboxes(self):
        """The contract test that the fake servers pass beside the code, against Radicale."""
        peer = {**os.environ, "MAILHOLD_DAV_PEER": f"127.0.0.1:{self.peers.dav_plain_port}:{OTHER}:{self.users[OTHER]}"}
        done = subprocess.run([PROGRAMS / "features_mailboxes_test", "--gtest_filter=DavPeer/*"], env=peer, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout[-3000:])
        self.assertRegex(done.stdout, r"\[  PASSED  \] [1-9][0-9]* tests")

    def test_1_the_first_sync_has_all_of_it(self):
        type(self).second, _ = self.add_person("second")
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", BEA, "--kind", "dav", "--connection", self.reading, "--restore-connection", self.writing)
        wait_for("the first sync", lambda: self.mailbox()["state"] != "waiting" and "running" not in self.mailbox())
        self.assertEqual((self.mailbox()["state"], self.mailbox()["kind"]), ("current", "dav"), self.mailbox())
        type(self).first = self.owner.picture()
        self.assertEqual(self.seen(), self.counts(self.first))
        self.assertEqual(self.seen()[WORK], 24)
        type(self).first_moment = self.mailbox()["synced_at"]

    def test_2_what_changed_is_read_and_every_moment_can_be_seen(self):
        owner = self.owner
        self.requests()
        self.sync()
        # Where nothing changed one question for each collection is enough.
        asked = self.requests()
        self.assertEqual(sum(request.startswith("REPORT") for request in asked), 4, asked)
        self.assertFalse(any(request.startswith("GET") for request in asked))
        owner.put("work", "e3.ics", vevent("e3@x", "DTSTART:20260404T080000Z", "SUMMARY:verlegt", zone=False))
        owner.put("work", "new.ics", vevent("new@x", "DTSTART:20260405T080000Z", "SUMMARY:neu", zone=False))
        owner.delete("work/e4.ics")
        owner.delete("empty/")
        owner.make_calendar("later", "Später")
        mailbox = self.sync()
        self.assertEqual(mailbox["state"], "current", mailbox)
        type(self).now = owner.picture()
        self.assertNotEqual(self.now, self.first)
        self.assertEqual(self.seen(), self.counts(self.now))
        self.assertEqual(self.seen(self.first_moment), self.counts(self.first))

    def requests(self):
        """What Radicale was asked since the last time, as "GET /path"."""
        log = (self.folder / "peers/radicale.log").read_text()
        since, type(self).read_so_far = getattr(self, "read_so_far", 0), len(log)
        return [" ".join(each) for each in re.findall(r"(\w+) request for '([^']*)'", log[since:])]

    def find(self, *words):
        """["event 2026-03-02"], as answered, once everything is indexed."""
        answers = []
        wait_for("a complete answer", lambda: answers.append(self.mailhold.cli("backup", "find", BEA, *words)) or answers[-1]["complete"])
        self.assertFalse(answers[-1]["more"], answers[-1])
        return [f"{item['type']} {item.get('date', '-')[:10]}" for item in answers[-1]["items"]]

    def test_2b_they_are_found_by_words_people_and_dates_and_put_back_by_a_query(self):
        owner, mail = self.owner, f"{NEEDLES['address']}@example.test"
        weekly, contact = "event 2026-03-02", "contact -"
        self.assertEqual(self.find(f'to:"{mail}"'), [weekly, contact])  # who is invited, and whose card it is
        self.assertEqual(self.find(f"from:{BEA}"), [weekly])
        self.assertEqual(self.find("subject:verschoben"), [weekly], "one occurrence of its own is of the series")
        self.assertEqual(self.find(f'"{NEEDLES["name"]}"'), [contact] * 9)
        self.assertEqual(self.find("rene dupre"), [contact])
        self.assertEqual(self.find("from:anne berlin"), [contact])
        self.assertEqual(self.find("steuer"), ["task 2026-04-01"])
        self.assertEqual(self.find("has:attachment"), ["event 2026-06-01"])
        self.assertEqual(self.find("after:2026-06-30 before:2026-07-02"), ["event 2026-07-01"])
        self.assertEqual(self.find("subject:neu"), ["event 2026-04-05"])
        self.assertEqual(self.find("subject:neu", "--at", self.first_moment), [])
        gone = f'subject:"{NEEDLES["summary"]} 4"'
        self.assertEqual((self.find(gone), self.find(gone, "--at", self.first_moment)), ([], ["event 2026-03-05"]))
        self.assertEqual(self.find("has:unreadable"), [])
        for item in ("work/weekly.ics", "friends/photo3.vcf", "friends/c1.vcf"):
            owner.delete(item)
        code, report = self.restore("start", BEA, "--query", f'to:"{mail}"')
        self.assertEqual((code, report["exact"], report["restored"]), (0, True, 2), report)
        self.assertFalse(any(b"UID:c1\r\n" in content for content in owner.picture()[FRIENDS].values()), "what was not asked for stays away")
        code, report = self.restore("start", BEA, "--query", f'"{NEEDLES["name"]} 1"')
        self.assertEqual((code, report["restored"]), (0, 1), report)
        self.assert_same(owner.picture(), self.now)

    def test_3_destroyed_calendars_and_contacts_come_back_exactly(self):
        owner = self.owner
        with self.assertRaisesRegex(CommandFailed, "--key"):
            self.mailhold.cli("restore", "start", BEA)
        for path in ("work/", "friends/"):
            owner.delete(path)
        owner.delete("tasks/todo.ics")
        code, report = self.restore("start", BEA, "--dry-run")
        self.assertEqual((code, report["missing"], report["present"]), (0, 24 + 10 + 1, 0))
        code, report = self.restore("start", BEA)
        self.assertEqual((code, report["exact"], report["not_as_it_was"], report["restored"]), (0, True, [], 35), report)
        self.assert_same(owner.picture(), self.now)
        # Once more: all is there, nothing comes twice.
        code, report = self.restore("start", BEA)
        self.assertEqual((code, report["restored"], report["present"]), (0, 0, 35))
        # As it was at the first moment, beside what is there now.
        code, report = self.restore("start", BEA, "--at", self.first_moment, "--folder", WORK, "--to", "Calendars/Damals")
        self.assertEqual((code, report["restored"]), (0, 24), report)
        self.assertEqual(owner.picture()["Calendars/Damals"], self.first[WORK])
        type(self).job = report["restore"]
        self.assert_each_write_was_signed_for(self.writing, self.mailbox()["mailbox"])

    def assert_same(self, there, wanted):
        self.assertEqual(self.counts(there), self.counts(wanted))
        for folder, items in wanted.items():
            self.assertEqual(set(there[folder]), set(items))
            for name, content in items.items():
                self.assertEqual(meaning(there[folder][name]), meaning(content), f"{folder}/{name}")

    def test_4_what_changed_since_is_named_and_left_alone(self):
        owner = self.owner
        damals = next(path for path, (_, title) in owner.collections().items() if title == "Damals")
        item = damals.removeprefix(owner.home) + "weekly.ics"
        whole = owner.ok("GET", owner.home + item)
        name = damals.removeprefix(owner.home).rstrip("/")
        self.assertTrue(owner.put(name, "weekly.ics", whole.replace(b"FREQ=WEEKLY", b"FREQ=DAILY")))
        code, report = self.restore("verify", self.job)
        self.assertEqual((code, report["exact"]), (7, False))
        self.assertEqual([(each["folder"], each["outcome"]) for each in report["not_as_it_was"]], [("Calendars/Damals", "differs")])
        # What is there is never written over, unless that is asked for.
        code, report = self.restore("start", BEA, "--at", self.first_moment, "--folder", WORK, "--to", "Calendars/Damals")
        self.assertEqual((code, report["restored"], report["present"]), (7, 0, 23))
        self.assertIn("another version", report["not_as_it_was"][0]["what"])
        self.assertIn(b"FREQ=DAILY", owner.ok("GET", owner.home + item))

    def test_4b_the_proof_puts_items_of_every_collection_back_and_leaves_nothing(self):
        owner, without_restored = self.owner, self.mailbox()["items"]
        self.assertGreater(self.sync()["items"], without_restored, "what was restored meanwhile is seen too")
        before, collections = owner.picture(), owner.collections()
        self.requests()
        code, proof = self.prove()
        self.assertEqual((code, proof["outcome"], proof["not_as_they_were"], proof["items"]), (0, "passed", [], 20), proof)
        asked = [each for each in self.requests() if not each.startswith("PROPFIND ")]
        self.assertEqual((owner.picture(), owner.collections()), (before, collections))
        self.assertEqual([each for each in asked if "/mailhold-proof-" not in each], [])
        # A collection of its own for each that is not empty.
        made = sum(each.startswith("MK") for each in asked)
        self.assertEqual(made, sum(bool(items) for items in before.values()))
        self.assertEqual(sum(each.startswith("DELETE ") for each in asked), made)
        refused = [each for each in self.events_of_connection(self.reading) if each["t"] == "use.end" and each.get("refused")]
        self.assertEqual(refused, [], "it asked for nothing that its purpose does not allow")

        over, changed = threading.Event(), []

        def change():
            """As soon as Radicale has it, the first event with a summary has another one."""
            while not over.is_set() and not changed:
                for file in (self.peers.dav_folder / "collection-root" / BEA).glob("mailhold-proof-*/*.ics"):
                    whole = file.read_bytes()
                    if b"\nSUMMARY:" in whole:
                        (file.parent / ".changed").write_bytes(whole.replace(b"\nSUMMARY:", b"\nSUMMARY:not "))
                        os.chown(file.parent / ".changed", file.stat().st_uid, file.stat().st_gid)
                        (file.parent / ".changed").replace(file)
                        changed.append(file)
                        break
                time.sleep(0.002)

        changing = threading.Thread(target=change)
        changing.start()
        try:
            code, proof = self.prove()
        finally:
            over.set()
            changing.join()
        self.assertTrue(changed)
        self.assertEqual((code, proof["outcome"], len(proof["not_as_they_were"])), (7, "failed", 1), proof)
        self.assertRegex(proof["not_as_they_were"][0]["what"], r"^content: V(EVENT|TODO)\.SUMMARY$")
        self.assertIn("proof failed: 1 of 20", self.mailbox()["reason"])
        self.assertEqual((owner.picture(), owner.collections()), (before, collections))
        self.assertEqual(self.prove()[0], 0)
        self.assertEqual(self.mailbox()["state"], "current")
        self.assertEqual([(entry["items"], entry["passed"]) for entry in self.ledger("backup.proved")], [(20, 1), (20, 0), (20, 1)])

    def overwrite(self, *words):
        """(exit code, report), once a second person has signed for it: before, it may not be."""
        code, asked = self.restore("start", *words)
        self.assertEqual((code, "waits_for_second_person" in asked), (5, True), asked)
        operation = asked["waits_for_second_person"]
        with self.assertRaisesRegex(CommandFailed, "second person"):
            self.mailhold.cli("restore", "carry-out", operation)
        self.mailhold.cli("operation", "approve", "--tenant", self.tenant, "--operation", operation, "--key", self.second)
        return self.restore("carry-out", operation)

    def test_4c_an_overwrite_brings_back_what_changed_and_loses_nothing(self):
        owner = self.owner
        damals = next(path for path, (_, title) in owner.collections().items() if title == "Damals").removeprefix(owner.home).rstrip("/")
        words = [BEA, "--at", self.first_moment, "--folder", WORK, "--to", "Calendars/Damals", "--overwrite"]
        weekly = lambda: owner.ok("GET", f"{owner.home}{damals}/weekly.ics")
        # What would be done, with the property that differs and nothing of it.
        code, report = self.restore("start", *words, "--dry-run")
        self.assertEqual((code, report["overwritten"], report["present"]), (0, 1, 23), report)
        items = self.mailhold.cli("restore", "items", report["restore"], "--outcome", "overwritten")["items"]
        self.assertEqual([(each["would"], each["what"], each["folder"]) for each in items], [("be written over", "content: VEVENT.RRULE", "Calendars/Damals")])
        self.assertIn(b"FREQ=DAILY", weekly())
        # What no backup has seen stays.
        self.assertTrue(owner.put(damals, "weekly.ics", weekly().replace(b"FREQ=DAILY", b"FREQ=MONTHLY")))
        code, report = self.overwrite(*words)
        self.assertEqual((code, report["overwritten"], len(report["not_as_it_was"])), (7, 0, 1), report)
        self.assertIn("run backup first", report["not_as_it_was"][0]["what"])
        self.assertIn(b"FREQ=MONTHLY", weekly())
        self.sync()
        before = self.mailbox()["synced_at"]
        code, report = self.overwrite(*words)
        self.assertEqual((code, report["exact"], report["overwritten"], report["present"]), (0, True, 1, 23), report)
        self.assert_same({"Damals": owner.picture()["Calendars/Damals"]}, {"Damals": self.first[WORK]})
        permit = report["operation"]
        self.assertEqual({each["purpose"] for each in self.events_of_connection(self.writing) if each.get("operation") == permit and each["t"] == "use.intent"}, {"restore.overwrite"})
        self.assertEqual([each["overwritten"] for each in self.ledger("restore.made") if each["operation"] == permit], [1])
        code, report = self.restore("carry-out", permit)
        self.assertEqual((code, report["overwritten"], report["present"]), (0, 0, 24))
        # What was written over can be had again.
        self.sync()
        code, report = self.overwrite(BEA, "--at", before, "--folder", "Calendars/Damals", "--overwrite")
        self.assertEqual((code, report["overwritten"]), (0, 1), report)
        self.assertIn(b"FREQ=MONTHLY", weekly())
        # An event that has another name by now stays there, and is named.
        moved = owner.ok("GET", f"{owner.home}{damals}/e1.ics").replace(b"PT1H", b"PT2H")
        owner.delete(f"{damals}/e1.ics")
        self.assertTrue(owner.put(damals, "moved.ics", moved))
        self.sync()
        code, report = self.overwrite(*words)
        self.assertEqual((code, report["overwritten"], len(report["not_as_it_was"])), (7, 1, 1), report)
        self.assertIn("another name", report["not_as_it_was"][0]["what"])
        self.assertIn(b"PT2H", owner.ok("GET", f"{owner.home}{damals}/moved.ics"))
        self.assert_each_write_was_signed_for(self.writing, self.mailbox()["mailbox"])

    def test_5_a_forgotten_token_brings_all_that_is_there(self):
        shutil.rmtree(self.peers.dav_folder / f"collection-root/{BEA}/friends/.Radicale.cache", ignore_errors=True)
        for cache in (self.peers.dav_folder / "collection-root" / BEA).glob("*/.Radicale.cache"):
            shutil.rmtree(cache)
        before = self.mailbox()["items"]
        mailbox = self.sync()
        self.assertEqual(mailbox["state"], "current", mailbox)
        self.assertEqual(self.seen(), self.counts(self.owner.picture()))
        self.assertEqual(mailbox["items"], before)

    def test_6_workerd_dies_anywhere_and_nothing_is_lost_or_doubled(self):
        folder = self.peers.dav_folder / "collection-root" / MANY / "much"
        DavOwner(self.peers.dav_port, MANY, self.users[MANY]).make_calendar("much", "Much")
        for number in range(MANY_EVENTS):
            (folder / f"m{number}.ics").write_bytes(vevent(f"m{number}@x", "DTSTART:20260301T080000Z", f"SUMMARY:{number}", zone=False))
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", MANY, "--kind", "dav", "--connection", self.many)
        rounds = 0
        for after in (0.1, 0.4, 0.8):
            wait_for("the sync to begin", lambda: "running" in self.mailbox(MANY) or self.mailbox(MANY)["state"] == "current")
            time.sleep(after)
            rounds += "running" in self.mailbox(MANY)
            self.kill_worker()
        wait_for("the end of the sync", lambda: self.mailbox(MANY)["state"] == "current", 60)
        print(f"workerd was killed in the middle of a sync of {MANY_EVENTS} events {rounds} times", flush=True)
        self.assertGreaterEqual(rounds, 1)
        self.assertEqual(self.mailbox(MANY)["items"], MANY_EVENTS)

    def put_the_collection(self):
        """({folder: {name: content}} of what Radicale took, why it refused the others). Items of one UID go into several calendars."""
        taken, refused = collections.defaultdict(dict), collections.Counter()
        for number, path in enumerate(sorted(collection("itip-calendar-vcard").rglob("*"))):
            if path.suffix not in (".ics", ".vcf"):
                continue
            content, name = path.read_bytes(), f"n{number}{path.suffix}"
            begin = (self.folder / "peers/radicale.log").stat().st_size
            for place in range(COLLECTIONS_OF_EACH_KIND):
                status = self.owner.put_status(f"cards{place}" if path.suffix == ".vcf" else f"corpus{place}", name, content)
                if status != 409:
                    break
            if 200 <= status < 300:
                taken[f"Address books/Cards {place}" if path.suffix == ".vcf" else f"Calendars/Corpus {place}"][name] = content
            else:
                refused[self.why_refused(status, begin)] += 1
        return taken, refused

    def why_refused(self, status, begin):
        if status != 400:
            return "another has its UID" if status == 409 else status
        log = (self.folder / "peers/radicale.log").read_bytes()[begin:].decode("utf-8", "replace")
        said = re.search(r"Bad PUT request on '[^']*': (.*)", log)[1]
        reasons = {"more or less than one item": "Item contains|Multiple|Main component missing|not supported in", "it cannot write again": "Failed to serialize", "a rule that cannot be": "recurrence rules"}
        return next((reason for reason, words in reasons.items() if re.search(words, said)), "it cannot read")

    @staticmethod
    def altered(given, there):
        """The properties that Radicale wrote otherwise than it was given them; what it adds because every object must have it is none."""
        before, after = collections.Counter(meaning(given)), collections.Counter(meaning(there))
        names = {re.split(rb"[;:]", line)[0].decode("latin-1").upper() for line in ((before - after) + (after - before))}
        return names - {"VERSION", "DTSTAMP"}

    def test_7_the_collection_goes_in_and_comes_out(self):
        owner = self.owner
        for place in range(COLLECTIONS_OF_EACH_KIND):
            owner.make_calendar(f"corpus{place}", f"Corpus {place}")
            owner.make_address_book(f"cards{place}", f"Cards {place}")
        given, refused = self.put_the_collection()
        self.assertEqual((sum(map(len, given.values())), dict(refused)), TAKEN_OF_THE_COLLECTION)
        self.sync()
        wanted = {folder: items for folder, items in owner.picture().items() if folder in given}
        self.assertEqual({folder: set(items) for folder, items in wanted.items()}, {folder: set(items) for folder, items in given.items()})
        self.assertEqual(self.seen() | self.counts(wanted), self.seen())
        # What Radicale itself made of the files: of most it kept every line.
        altered = {name: self.altered(content, wanted[folder][name]) for folder, items in given.items() for name, content in items.items()}
        self.assertEqual(dict(collections.Counter(each for names in altered.values() for each in names)), ALTERED_BY_RADICALE)
        for place in range(COLLECTIONS_OF_EACH_KIND):
            owner.delete(f"corpus{place}/")
            owner.delete(f"cards{place}/")
        changed = {}
        for folder in wanted:
            code, report = self.restore("start", BEA, "--folder", folder)
            # Of a few broken ones Radicale stores another zone than it was given: they are named, and nothing else is.
            named = {each["id"].split("\n")[0]: each["what"] for each in report["not_as_it_was"]}
            changed |= {(folder, name): what for name, what in named.items()}
            self.assertEqual((code, report["restored"] + len(named)), (7 if named else 0, len(wanted[folder])), report)
        self.assertEqual(dict(collections.Counter(changed.values())), NOT_AS_IT_WAS, changed)
        there = owner.picture()
        exact = {folder: {name: content for name, content in items.items() if (folder, name) not in changed} for folder, items in wanted.items()}
        self.assert_same({folder: {name: there[folder][name] for name in items} for folder, items in exact.items()}, exact)
        # And so as the files themselves, but for what Radicale altered.
        as_given = 0
        for folder, items in exact.items():
            for name in items:
                if not altered[name]:
                    self.assertEqual(self.altered(given[folder][name], there[folder][name]), set(), name)
                    as_given += 1
        print(f"{sum(map(len, exact.values()))} of {sum(map(len, given.values()))} files that Radicale took came back, {as_given} with every line of the file itself", flush=True)

    def test_8_a_connection_that_does_not_fit_is_named(self):
        # Without what was signed a restore is read back over the connection that is read.
        self.suspend(self.writing)
        code, report = self.restore("verify", self.job)
        self.assertEqual((code, [(each["folder"], each["outcome"]) for each in report["not_as_it_was"]]), (7, [("Calendars/Damals", "differs")]), report)
        self.suspend(self.reading)
        mailbox = self.sync()
        self.assertEqual(mailbox["state"], "needs attention")
        self.assertIn("suspended", mailbox["reason"])
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", "narrow", "--kind", "dav", "--connection", self.narrow)
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", "of mail", "--connection", self.narrow)
        wait_for("both refusals", lambda: all(self.mailbox(name)["state"] == "needs attention" for name in ("narrow", "of mail")))
        self.assertIn("does not let it pass", self.mailbox("narrow")["reason"])
        self.assertIn("another kind", self.mailbox("of mail")["reason"])

    def test_9_nothing_of_it_can_be_read_on_the_disk(self):
        finder = Finder(NEEDLES | {"account": BEA})
        self.mailhold.stop()
        found = set()
        for path in [*(self.mailhold.data / "backup").rglob("*"), *(self.mailhold.data / "search").rglob("*")]:
            if path.is_file():
                data = re.sub(rb"\0{4096,}", b"\0" * 4096, path.read_bytes())  # what was preallocated
                found |= {(path.name, *hit) for hit in finder.find_deep(data) | finder.find(str(path).encode())}
        self.assertGreater((self.mailhold.data / "backup/backup.db").stat().st_size, 100_000)
        self.assertTrue(list((self.mailhold.data / "search").rglob("manifest")))
        self.assertEqual(found, set())


if __name__ == "__main__":
    run()
