#!/usr/bin/python3
"""Mailboxes with a schedule of their own, on a Mailhold that reads all others once a day: what comes into the INBOX at a real Dovecot is kept within seconds, over a watch that ends with
the mailbox's pause, with its connection, with workerd, and comes back. Of a real Radicale contacts alone are read.
"""
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[3] / "peers"), str(HERE.parents[2]), str(HERE.parents[1])]
from dav_owner import DavOwner, vevent
from mailbox_owner import Owner
from mailbox_world import MailboxWorld
from world import CommandFailed, letter, run, wait_for

MAIL_HOST, DAV_HOST = "imap.example.test", "dav.example.test"
ANN = "ann@example.test"
SOON = 8  # seconds; Dovecot tells by inotify, and what comes is gathered for one


class WhatComesIsKeptAtOnce(MailboxWorld):
    users = {ANN: "a password of ann"}
    settings = MailboxWorld.settings | {"backup.every_seconds": 86_400}
    main = ANN

    @classmethod
    def build(cls):
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users)
        cls.peers.start_dav_server(cls.users, DAV_HOST)
        for host in (MAIL_HOST, DAV_HOST):
            cls.dns.set(host, "A", "127.0.0.1")
        cls.owner = Owner(cls.peers.imaps_port, ANN, cls.users[ANN])
        cls.addClassCleanup(cls.owner.close)
        for number in range(3):
            cls.owner.append("INBOX", letter(f"of before {number}"))
        cls.start_mailhold()
        cls.connection = cls.add_connection("imap", MAIL_HOST, cls.peers.imaps_port, ANN, cls.users[ANN], ["backup.read"], cls.peers.certificate)
        cls.calendars = cls.add_connection("http", DAV_HOST, cls.peers.dav_port, ANN, cls.users[ANN], ["backup.read"], cls.peers.dav_certificate,
                                           *(word for verb in ("PROPFIND /**", "REPORT /**", "GET /**") for word in ("--verb", verb)))

    def sessions(self):
        return sum(event["t"] == "use.intent" for event in self.events_of_connection(self.connection))

    def wait_for_watch(self):
        wait_for("the watch", lambda: self.mailbox().get("watch") == "open" and "running" not in self.mailbox() and "next_sync_at" in self.mailbox())

    def deliver(self, *subjects):
        """Into the INBOX; until it is backed up."""
        wanted, begun = self.mailbox()["items"] + len(subjects), time.monotonic()
        for subject in subjects:
            self.owner.append("INBOX", letter(subject))
        wait_for("what came", lambda: self.mailbox()["items"] == wanted, 2 * SOON)
        return time.monotonic() - begun

    def test_1_what_comes_is_backed_up_within_seconds_and_a_burst_over_one_session(self):
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", ANN, "--connection", self.connection, "--continuous")
        wait_for("the first sync", lambda: self.mailbox()["state"] == "current")
        self.wait_for_watch()
        self.assertEqual(self.mailbox()["schedule"], "continuous")
        self.assertEqual(self.metric('mailhold_backup_watches_open{program="workerd"}'), 1)
        # The first sync, the watch, and a sync of what may have come between them.
        wait_for("its rest", lambda: self.sessions() == 3)
        self.wait_for_watch()
        took = self.deliver("one", "two", "three")
        print(f"kept after {took:.1f} s", flush=True)
        self.assertLess(took, SOON)
        self.assertEqual(self.sessions(), 4)

    def test_2_a_watch_ends_with_workerd_and_with_a_pause_and_comes_back(self):
        self.kill_worker()
        wait_for("workerd", lambda: self.mailbox().get("watch") == "open")
        self.wait_for_watch()
        self.assertLess(self.deliver("after the kill"), SOON)
        self.mailhold.cli("mailbox", "pause", ANN)
        self.assertNotIn("watch", self.mailbox())
        self.wait_for_no_session()
        self.mailhold.cli("mailbox", "resume", ANN)
        self.wait_for_watch()

    def test_3_a_schedule_is_changed_and_mistakes_are_named(self):
        self.mailhold.cli("mailbox", "schedule", ANN, "--every", "6h")
        shown = self.mailbox()
        self.assertEqual((shown["schedule"], "watch" in shown), ("every 6h", False))
        self.assertIn("next_sync_at", shown)
        for words, said in ((["--every", "5s"], "60s to 7d"), (["--every", "soon"], "15m, 6h or 1d"), (["--every", "1h", "--continuous"], "one way"), (["--types", "contact"], "holds mail alone"),
                            ([], "say how")):
            with self.assertRaisesRegex(CommandFailed, said):
                self.mailhold.cli("mailbox", "schedule", ANN, *words)
        self.assertEqual(self.mailhold.cli("mailbox", "schedule", "--tenant", "example.test", "--default")["mailboxes"], 1)
        self.assertEqual(self.mailbox()["schedule"], "default")
        self.mailhold.cli("mailbox", "schedule", ANN, "--continuous")
        self.wait_for_watch()

    def test_4_suspending_the_connection_ends_the_watch_and_nobody_hammers_at_it(self):
        self.suspend(self.connection)
        self.wait_for_no_session()
        self.mailhold.cli("backup", "run", ANN)
        wait_for("the refusal", lambda: self.mailbox()["state"] == "needs attention")
        self.assertNotEqual(self.mailbox()["watch"], "open")
        before = len(self.events_of_connection(self.connection))
        time.sleep(3)
        self.assertEqual(len(self.events_of_connection(self.connection)), before)

    def test_5_of_a_dav_account_contacts_alone(self):
        owner = DavOwner(self.peers.dav_port, ANN, self.users[ANN])
        owner.make_calendar("work", "Work")
        owner.make_address_book("friends", "Friends")
        assert owner.put("work", "e1.ics", vevent("e1@x", "DTSTART:20260301T080000Z", "SUMMARY:an event", zone=False))
        assert owner.put("friends", "c1.vcf", b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c1\r\nFN:Bob\r\nN:Bob;;;;\r\nEND:VCARD\r\n")
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", "contacts", "--kind", "dav", "--connection", self.calendars, "--types", "contact")
        wait_for("the first sync", lambda: self.mailbox("contacts")["state"] == "current")
        self.assertEqual([(each["folder"], each["items"]) for each in self.mailhold.cli("backup", "folders", "contacts")["folders"]], [("Address books/Friends", 1)])
        # Events too; then tasks alone, and the calendar stays as it is.
        for types, folders in (("contact,event", 2), ("task", 2)):
            self.mailhold.cli("mailbox", "schedule", "contacts", "--types", types)
            self.assertEqual(self.sync("contacts")["state"], "current")
            self.assertEqual([each["items"] for each in self.mailhold.cli("backup", "folders", "contacts")["folders"]], [1] * folders)


if __name__ == "__main__":
    run()
