#!/usr/bin/python3
"""T20: what a worker can take over a connection ends exactly at the connection's caps, whatever it is doing: a sync of mail, one of calendars, a restore and a proof of workerd's own, and a worker
that was taken over and sweeps all connections of a tenant. The mailbox and the ledger say so. When the hour is over, or two people have raised the cap, each goes on where it was; nothing is lost
or doubled.
"""
import os
import pathlib
import re
import sqlite3
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[2] / "recover")]
from connection_world import ConnectionWorld, Imap
from mailbox_owner import Owner
from mailbox_world import MailboxWorld
from world import PROGRAMS, letter, run, wait_for

from dav_owner import DavOwner, vevent  # where world says that such things are

MAIL_HOST, DAV_HOST = "imap.example.test", "dav.example.test"
HOURLY, RAISED, BACK, PROVED, CALENDARS = (f"{name}@example.test" for name in ("hourly", "raised", "back", "proved", "calendars"))
MAIL = {HOURLY: 300, RAISED: 300, BACK: 120, PROVED: 40}  # messages
ITEMS, SESSIONS = 120, 6
EVENTS = 12
PURPOSES = ["backup.read", "restore.write", "backup.prove"]
VERBS = ["PROPFIND /**", "REPORT /**", "GET /**"]


def fill(maildir, messages):
    """Before Dovecot looks at it."""
    for each in ("cur", "new", "tmp"):
        (maildir / each).mkdir(parents=True)
    for number in range(messages):
        (maildir / "cur" / f"1700000000.M{number}P1.host:2,S").write_bytes(letter(f"number {number}").replace(b"\r\n", b"\n"))
    for path in [maildir.parent, maildir, *maildir.rglob("*")]:
        os.chown(path, 704, 704)


class CapsOfWorkerd(MailboxWorld):
    users = {user: f"the password of {user}" for user in (*MAIL, CALENDARS)}
    settings = MailboxWorld.settings | {"backup.every_seconds": 2}

    @classmethod
    def build(cls):
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users)
        cls.peers.start_dav_server(cls.users, DAV_HOST)
        for host in (MAIL_HOST, DAV_HOST):
            cls.dns.set(host, "A", "127.0.0.1")
        for user, messages in MAIL.items():
            fill(cls.folder / f"peers/mailboxes/mail/{user}/Maildir", messages)
        dav = DavOwner(cls.peers.dav_port, CALENDARS, cls.users[CALENDARS])
        for name in ("work", "home"):
            dav.make_calendar(name, name)
            for number in range(EVENTS):
                assert dav.put(name, f"e{number}.ics", vevent(f"{name}{number}@x", "DTSTART:20260301T080000Z", f"SUMMARY:{number}", zone=False))
        cls.start_mailhold()
        caps = {HOURLY: ("--items-hour", ITEMS), RAISED: ("--items-hour", ITEMS)}
        cls.reading = {user: cls.connect(user, *caps.get(user, ())) for user in MAIL}
        cls.writing = cls.connect(BACK, "--items-hour", 50)
        cls.proving = cls.connect(PROVED, "--items-hour", 5)
        cls.calendars = cls.add_connection("http", DAV_HOST, cls.peers.dav_port, CALENDARS, cls.users[CALENDARS], ["backup.read"], cls.peers.dav_certificate, "--sessions-hour", SESSIONS,
                                           *(word for verb in VERBS for word in ("--verb", verb)))
        cls.second, _ = cls.add_person("second")

    @classmethod
    def connect(cls, user, *caps):
        return cls.add_connection("imap", MAIL_HOST, cls.peers.imaps_port, user, cls.users[user], PURPOSES, cls.peers.certificate, *caps)

    def add(self, name, connection, *words):
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", name, "--connection", connection, *words)

    def used(self, connection):
        return self.mailhold.cli("connection", "show", "--connection", connection)["this_hour"]

    def raise_cap(self, connection, cap, number):
        """Which takes two people."""
        asked = self.set_connection("--connection", connection, cap, number)
        self.mailhold.cli("operation", "approve", "--tenant", self.tenant, "--operation", asked["waits_for_second_person"], "--key", self.second)

    def the_hour_is_over(self, connection):
        """As brokerd finds it when the next one has begun: nothing was used in it yet."""
        with sqlite3.connect(self.mailhold.data / "broker/broker.db", timeout=10) as rows:
            self.assertEqual(rows.execute("DELETE FROM usage WHERE connection = ? AND period % 2 = 0", (bytes.fromhex(connection),)).rowcount, 1)
        rows.close()

    def wait_until_current(self, user, items):
        try:
            wait_for("all of it", lambda: self.mailbox(user)["state"] == "current" and self.mailbox(user)["items"] == items, 60)
        except TimeoutError:
            self.fail(f"{self.mailbox(user)}")
        self.assertEqual(self.versions(user), (items, 0))

    def assert_stopped(self, user, connection, cap):
        """The mailbox says so, what is worth an alarm counts it, and the ledger has the end and the refusal."""
        is_used_up = lambda: self.mailbox(user)["state"] == "needs attention" and cap in self.mailbox(user)["reason"]
        try:
            wait_for("the cap", is_used_up)
        except TimeoutError:
            self.fail(f"{self.mailbox(user)} {self.used(connection)}")
        print(f"{user}: {self.mailbox(user)['reason']}", flush=True)
        self.assertIn("used up for now", self.mailbox(user)["reason"])
        self.assertGreaterEqual(self.metric('mailhold_mailboxes{program="workerd",state="needs_attention"}'), 1)
        refused = [each for each in self.events_of_connection(connection) if each["t"] == "use.refused"]
        self.assertEqual({each["kind"] for each in refused}, {"limit_exceeded"})

    def metric(self, series):
        told = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "metrics"], capture_output=True, text=True, check=True).stdout
        found = re.search(rf"^{re.escape(series)} (\S+)$", told, re.MULTILINE)
        self.assertTrue(found, told)
        return float(found[1])

    def ends_of(self, connection):
        return [each["end"] for each in self.events_of_connection(connection) if each["t"] == "use.end"]

    def owner(self, user):
        owner = Owner(self.peers.imaps_port, user, self.users[user])
        self.addCleanup(owner.close)
        return owner

    def destroy(self, owner):
        owner.select("INBOX")
        owner.ok(owner.imap.store("1:*", "+FLAGS.SILENT", "(\\Deleted)"))
        owner.ok(owner.imap.expunge())
        owner.ok(owner.imap.close())

    def pause(self, user):
        self.mailhold.cli("mailbox", "pause", user)
        wait_for("the end of the sync", lambda: "running" not in self.mailbox(user))

    def test_1_a_sync_stops_at_the_items_of_an_hour_and_goes_on_with_the_next(self):
        connection = self.reading[HOURLY]
        self.add(HOURLY, connection)
        for hour in (1, 2):
            wait_for("the items", lambda: self.used(connection)["items"] == ITEMS)
            wait_for("the end of the session", lambda: self.ends_of(connection)[-1:] == ["cap reached"])
            self.sync(HOURLY)
            self.assert_stopped(HOURLY, connection, "items_hour")
            self.assertEqual(self.used(connection)["items"], ITEMS)
            self.assertEqual(self.versions(HOURLY), (hour * ITEMS, 0), "what came is kept")
            self.the_hour_is_over(connection)
        self.wait_until_current(HOURLY, MAIL[HOURLY])

    def test_2_and_with_more_that_two_people_have_signed_for(self):
        connection = self.reading[RAISED]
        self.add(RAISED, connection)
        self.assert_stopped(RAISED, connection, "items_hour")
        self.raise_cap(connection, "--items-hour", 10_000)
        self.wait_until_current(RAISED, MAIL[RAISED])
        # It is what the owner has.
        owner = self.owner(RAISED)
        picture = owner.picture()
        self.pause(RAISED)
        self.destroy(owner)
        code, report = self.restore("start", RAISED)
        self.assertEqual((code, report["exact"], report["restored"]), (0, True, MAIL[RAISED]), report)
        self.assertEqual(owner.picture(), picture)

    def test_3_calendars_stop_at_the_sessions_of_an_hour(self):
        self.add(CALENDARS, self.calendars, "--kind", "dav")
        self.assert_stopped(CALENDARS, self.calendars, "sessions_hour")
        self.assertEqual(self.used(self.calendars)["sessions"], SESSIONS)
        opened = [each for each in self.events_of_connection(self.calendars) if each["t"] == "use.intent"]
        self.assertEqual(len(opened), SESSIONS)
        self.raise_cap(self.calendars, "--sessions-hour", 1000)
        self.wait_until_current(CALENDARS, 2 * EVENTS)

    def test_4_a_restore_says_what_it_did_until_then(self):
        self.add(BACK, self.reading[BACK], "--restore-connection", self.writing)
        self.wait_until_current(BACK, MAIL[BACK])
        owner = self.owner(BACK)
        picture = owner.picture()
        self.pause(BACK)
        self.destroy(owner)
        code, report = self.restore("start", BACK)
        print(report["failure"], flush=True)
        self.assertNotEqual(code, 0)
        self.assertEqual((report["exact"], report["not_as_it_was"]), (False, []), report)
        self.assertEqual(self.used(self.writing)["items"], 50)
        for what in ("items_hour", "used up for now", "mailhold restore start --at"):
            self.assertIn(what, report["failure"])
        self.assertEqual(report["restored"], sum(map(len, owner.picture().values())))
        self.raise_cap(self.writing, "--items-hour", 10_000)
        code, again = self.restore("start", BACK)
        self.assertEqual((code, again["exact"], again["present"], again["restored"]), (0, True, report["restored"], MAIL[BACK] - report["restored"]), again)
        self.assertEqual(owner.picture(), picture)

    def test_5_a_proof_says_so_and_leaves_nothing(self):
        self.add(PROVED, self.proving)
        self.assert_stopped(PROVED, self.proving, "items_hour")
        self.raise_cap(self.proving, "--items-hour", MAIL[PROVED] + 5)
        self.wait_until_current(PROVED, MAIL[PROVED])
        self.pause(PROVED)
        picture = self.owner(PROVED).picture()
        code, proof = self.prove(PROVED)
        print(proof, flush=True)
        self.assertNotEqual((code, proof["outcome"]), (0, "passed"))
        self.assertEqual(self.used(self.proving)["items"], MAIL[PROVED] + 5)
        self.raise_cap(self.proving, "--items-hour", 10_000)
        # What it could not take away is no part of the mailbox, until the next one takes it away.
        self.assertEqual(len(self.owner(PROVED).folders()), len(picture) + 1)
        self.mailhold.cli("mailbox", "resume", PROVED)
        self.assertEqual(self.sync(PROVED)["items"], MAIL[PROVED])
        self.pause(PROVED)
        code, proof = self.prove(PROVED)
        self.assertEqual((code, proof["outcome"], proof["not_as_they_were"]), (0, "passed", []), proof)
        self.assertEqual(self.owner(PROVED).picture(), picture)


class CapsOfASweep(ConnectionWorld):
    """A worker that was taken over stands where this test stands: it opens what it likes of a tenant, one after another, and asks for all of it."""
    MAILBOXES, MESSAGES, CAP = 12, 30, 7
    users = {f"user{number}@example.test": f"the password of {number}" for number in range(MAILBOXES)}

    @classmethod
    def build(cls):
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users)
        cls.dns.set(MAIL_HOST, "A", "127.0.0.1")
        for user in cls.users:
            fill(cls.folder / f"peers/mailboxes/mail/{user}/Maildir", cls.MESSAGES)
        cls.start_mailhold()
        cls.connections = [cls.add_connection("imap", MAIL_HOST, cls.peers.imaps_port, user, password, ["backup.read"], cls.peers.certificate, "--items-hour", cls.CAP, "--sessions-hour", 5)
                           for user, password in cls.users.items()]

    def take_all(self, connection):
        """(messages, bytes of them) until nothing more comes; the worst case: nobody notices, and it comes back at once."""
        taken = 0
        while True:
            session, answer = self.worker.ask("imap", connection, "backup.read")
            if session is None:
                return taken, answer
            imap = Imap(session)
            imap.do("EXAMINE INBOX")
            taken += imap.do("FETCH 1:* BODY.PEEK[]")[1].count(b"Subject: number")
            imap.close()
            self.wait_for_no_session()

    def test_it_takes_the_cap_of_each_and_no_more(self):
        for round_of in (1, 2):
            taken = [self.take_all(connection) for connection in self.connections]
            self.assertEqual([count for count, _ in taken], [self.CAP if round_of == 1 else 0] * self.MAILBOXES)
            for _, answer in taken:
                self.assertRegex(answer, "^limit_exceeded .*cap (items|sessions)_hour")
        for connection in self.connections:
            self.assertEqual(self.mailhold.cli("connection", "show", "--connection", connection)["this_hour"]["items"], self.CAP)
            events = self.events_of_connection(connection)
            self.assertEqual(events[-1]["t"], "use.refused")
            self.assertEqual(sum(each.get("items", 0) for each in events if each["t"] == "use.end"), self.CAP)


if __name__ == "__main__":
    run()
