#!/usr/bin/python3
"""Servers that have too much to do: a real Dovecot that takes no further sign-in, and it and a real Radicale behind a proxy that answers THROTTLED, BYE and 503 in their place. The sync
waits as long as it is asked to, says why, goes on where it was, asks for nothing twice and loses nothing.
"""
import os
import pathlib
import re
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[3] / "peers"), str(HERE.parents[3] / "fakes"), str(HERE.parents[2]), str(HERE.parents[1])]
from dav_owner import DavOwner, vevent
from mailbox_owner import Owner
from mailbox_world import MailboxWorld
from throttling_proxy import ThrottlingProxy
from world import letter, run, wait_for

MAIL_HOST, DAV_HOST = "imap.example.test", "dav.example.test"
ANN, BEA = "ann@example.test", "bea@example.test"
MESSAGES, EVENTS = 240, 12
REST = 4  # seconds, longer than the pause between two syncs


class AServerWantsAPause(MailboxWorld):
    users = {ANN: "a password of ann", BEA: "a password of bea"}
    settings = MailboxWorld.settings | {"backup.every_seconds": 2}

    @classmethod
    def build(cls):
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users, extra="mail_max_userip_connections = 1\n")
        cls.peers.start_dav_server(cls.users, DAV_HOST)
        for host in (MAIL_HOST, DAV_HOST):
            cls.dns.set(host, "A", "127.0.0.1")
        cls.mail, cls.dav = ThrottlingProxy("imap", cls.peers.imaps_port, cls.peers.certificate), ThrottlingProxy("http", cls.peers.dav_port, cls.peers.dav_certificate)
        for proxy in (cls.mail, cls.dav):
            cls.addClassCleanup(proxy.stop)
        cls.fill()
        cls.start_mailhold()

    @classmethod
    def fill(cls):
        """Straight into the Maildir, before Dovecot looks at it."""
        base = cls.folder / f"peers/mailboxes/mail/{ANN}/Maildir"
        for each in ("cur", "new", "tmp"):
            (base / each).mkdir(parents=True)
        for number in range(MESSAGES):
            (base / "cur" / f"1700000000.M{number}P1.host:2,S").write_bytes(letter(f"number {number}").replace(b"\r\n", b"\n"))
        for path in [base.parent, base, *base.rglob("*")]:
            os.chown(path, 704, 704)
        owner = DavOwner(cls.peers.dav_port, ANN, cls.users[ANN])
        for name in ("work", "home"):
            owner.make_calendar(name, name)
            for number in range(EVENTS):
                assert owner.put(name, f"e{number}.ics", vevent(f"{name}{number}@x", "DTSTART:20260301T080000Z", f"SUMMARY:{number}", zone=False))

    def add(self, name, kind, connection):
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", name, "--kind", kind, "--connection", connection)

    def reasons_until_current(self, name, items):
        """What was said of it until all was there; it never needs anybody."""
        said = []

        def is_current():
            mailbox = self.mailbox(name)
            self.assertNotEqual(mailbox["state"], "needs attention", mailbox)
            if mailbox.get("reason") and mailbox["reason"] not in said:
                said.append(mailbox["reason"])
            return mailbox["state"] == "current" and mailbox["items"] == items
        try:
            wait_for("all of it", is_current, 60)
        except TimeoutError:
            self.fail(f"{self.mailbox(name)}, {said}")
        print(f"{name}: {said}", flush=True)
        return said

    def test_1_what_dovecot_throttles_comes_a_part_at_a_time_and_once(self):
        asked, given = [], {"left": 1, "byes": 1}

        def judge(command):
            """One request for contents in each session, and once not even that."""
            if b" EXAMINE " in command:
                given["left"] = 1
                if len(asked) == 2 and given["byes"]:
                    given["byes"] -= 1
                    return b"* BYE Too many commands\r\n"
            if b"BODY.PEEK" not in command:
                return None
            if not given["left"]:
                return command.split(b" ", 1)[0] + b" NO [THROTTLED] Request is throttled\r\n"
            given["left"] -= 1
            asked.append(re.search(rb"FETCH (\S+)", command)[1].decode())
            return None
        self.mail.judge = judge
        connection = self.add_connection("imap", MAIL_HOST, self.mail.port, ANN, self.users[ANN], ["backup.read"], self.peers.certificate)
        self.add(ANN, "imap", connection)
        said = self.reasons_until_current(ANN, MESSAGES)
        self.assertTrue(any("[THROTTLED] Request is throttled" in each and "tried again in" in each for each in said), said)
        self.assertTrue(any("BYE" in each and "Too many commands" in each for each in said), said)
        uids = [uid for each in asked for first, _, last in [each.partition(":")] for uid in range(int(first), int(last or first) + 1)]
        self.assertEqual(sorted(uids), list(range(1, MESSAGES + 1)), "each message was asked for once")

    def test_2_a_sign_in_that_dovecot_puts_off_is_no_wrong_password(self):
        owner = Owner(self.peers.imaps_port, BEA, self.users[BEA])
        owner.append("INBOX", letter("the only one"))
        connection = self.add_connection("imap", MAIL_HOST, self.peers.imaps_port, BEA, self.users[BEA], ["backup.read"], self.peers.certificate)
        self.add(BEA, "imap", connection)
        wait_for("the refusal", lambda: self.mailbox(BEA).get("reason"))
        self.assertRegex(self.mailbox(BEA)["reason"], r"not reached: .*LIMIT.*tried again in")
        self.assertNotEqual(self.mailbox(BEA)["state"], "needs attention")
        owner.close()
        self.reasons_until_current(BEA, 1)

    def test_3_radicale_is_left_alone_as_long_as_it_was_said(self):
        # Enough for one collection and what one asks for before, not for two; the second time the first one costs one question.
        state = {"left": 9, "until": 0.0, "pauses": 0, "too_early": 0}

        def judge(request):
            now = time.monotonic()
            if now < state["until"]:
                state["too_early"] += 1
            elif state["left"]:
                state["left"] -= 1
                return None
            else:
                state.update(left=9, until=now + REST, pauses=state["pauses"] + 1)
            return b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: %d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % REST
        self.dav.judge = judge
        connection = self.add_connection("http", DAV_HOST, self.dav.port, ANN, self.users[ANN], ["backup.read"], self.peers.dav_certificate,
                                         *(word for verb in ("PROPFIND /**", "REPORT /**", "GET /**") for word in ("--verb", verb)))
        self.add("calendars", "dav", connection)
        said = self.reasons_until_current("calendars", 2 * EVENTS)
        self.assertTrue(any("503" in each and f"tried again in {REST} s" in each for each in said), said)
        self.assertGreaterEqual(state["pauses"], 1)
        self.assertEqual(state["too_early"], 0)


if __name__ == "__main__":
    run()
