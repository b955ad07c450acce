#!/usr/bin/python3
"""Servers that have too much to do: a real Dovecot that takes no further sign-in, and it and a real Radicale behind a proxy that answers THROTTLED, LIMIT, BYE and 503 in their place. A sync,
a restore and a proof wait as long as they are asked to, say why, go on where they were, also when workerd is killed meanwhile, ask for nothing twice and lose nothing.
"""
import email.utils
import os
import pathlib
import re
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[3] / "peers"), str(HERE.parents[3] / "fakes"), str(HERE.parents[2]), str(HERE.parents[1])]
from dav_owner import DavOwner, vevent
from mailbox_owner import Owner
from mailbox_world import MailboxWorld
from throttling_proxy import ThrottlingProxy
from world import PROGRAMS, letter, run, wait_for

MAIL_HOST, DAV_HOST = "imap.example.test", "dav.example.test"
ANN, BEA = "ann@example.test", "bea@example.test"
MESSAGES, EVENTS = 240, 12
REST = 4  # seconds, longer than the pause between two syncs
APPENDS = 100  # that Dovecot takes in one session
PURPOSES = ["backup.read", "restore.write", "backup.prove"]
VERBS = ["PROPFIND /**", "REPORT /**", "GET /**", "PUT /**", "MKCALENDAR /**", "MKCOL /**", "DELETE /**"]


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
        connection = self.add_connection("imap", MAIL_HOST, self.mail.port, ANN, self.users[ANN], PURPOSES, self.peers.certificate)
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
        connection = self.add_connection("http", DAV_HOST, self.dav.port, ANN, self.users[ANN], PURPOSES, self.peers.dav_certificate,
                                         *(word for verb in VERBS for word in ("--verb", verb)))
        self.add("calendars", "dav", connection)
        said = self.reasons_until_current("calendars", 2 * EVENTS)
        self.assertTrue(any("503" in each and f"tried again in {REST} s" in each for each in said), said)
        self.assertGreaterEqual(state["pauses"], 1)
        self.assertEqual(state["too_early"], 0)

    def leave_alone(self, name):
        """No sync from here on, nor under way: Dovecot takes one session of a user."""
        self.mailhold.cli("mailbox", "pause", name)
        wait_for("the end of the sync", lambda: "running" not in self.mailbox(name))

    def begin(self, *words):
        """A command that waits for its end; what it says beside is read from its stderr."""
        started = subprocess.Popen([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "--json", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        self.addCleanup(started.communicate)
        self.addCleanup(started.kill)
        return started

    def waiting_restore(self, name):
        """(the command, the restore's id), of one that says that it waits."""
        command = self.begin("restore", "start", name, "--key", self.mailhold.operator)
        self.assertIn(f"signed for the account {ANN}", command.stderr.readline())
        said = command.stderr.readline() + command.stderr.readline()
        self.assertRegex(said, rf"^waits for the server of {re.escape(name)} until 20\d\d-\S+Z: .*\nIt goes on by itself; mailhold restore show \w+ tells")
        print(said, flush=True)
        return command, re.search(r"restore show (\w+)", said)[1]

    def show(self, job):
        return self.mailhold.cli("restore", "show", job)

    def test_4_a_restore_goes_on_where_dovecot_throttled_it_though_workerd_was_killed(self):
        self.leave_alone(ANN)
        owner = Owner(self.peers.imaps_port, ANN, self.users[ANN])
        before = owner.picture()
        owner.select("INBOX")
        owner.uid("STORE", "1:*", "+FLAGS.SILENT", "(\\Deleted)")
        owner.ok(owner.imap.expunge())
        owner.close()
        taken, read_back, left = [], [], {"appends": APPENDS, "fetches": 1, "byes": 1}
        commands = {"appends": 0}

        def judge(command):
            """So many messages and one request for contents in each session; and one session that ends before it began."""
            if b" LOGIN " in command or b" AUTHENTICATE " in command:
                left.update(appends=APPENDS, fetches=1)
            if b" SELECT " in command and len(taken) >= APPENDS and left["byes"]:
                left["byes"] -= 1
                return b"* BYE Server is shutting down\r\n"
            kind, record = ("appends", taken) if b" APPEND " in command else ("fetches", read_back) if b"BODY.PEEK" in command else (None, None)
            if kind is None:
                return None
            asked = len(re.findall(rb"\{\d+\+\}\r\n", command)) if kind == "appends" else 1  # messages of one command: all of them or none
            if left[kind] < asked:
                return command.split(b" ", 1)[0] + b" NO [LIMIT] Too many of them for now\r\n"
            left[kind] -= asked
            record.extend([command] * asked)
            commands["appends"] += kind == "appends"
            return None
        self.mail.judge = judge
        command, job = self.waiting_restore(ANN)
        report = self.show(job)
        self.assertEqual(report["waits_for"], f"the server of {ANN}")
        self.assertFalse(report["over"])
        self.kill_worker()
        command.wait(120)  # it fails if it asked while there was no workerd, and else sees the end
        wait_for("the end of the restore", lambda: self.show(job)["over"], 120)
        report = self.show(job)
        self.assertNotIn("waits_until", report)
        self.assertEqual((report["exact"], report["restored"] + report["present"], report["not_as_it_was"]), (True, MESSAGES, []), report)
        self.assertEqual(left["byes"], 0)
        self.assertEqual(len(taken), MESSAGES, "each message was appended once")
        self.assertLess(commands["appends"], MESSAGES / 4, "and most of them together with others")
        uids = [uid for each in read_back for part in re.search(rb"FETCH (\S+)", each)[1].decode().split(",") for first, _, last in [part.partition(":")]
                for uid in range(int(first), int(last or first) + 1)]
        self.assertEqual(sorted(uids), list(range(MESSAGES + 1, 2 * MESSAGES + 1)), "and read back once")
        owner = Owner(self.peers.imaps_port, ANN, self.users[ANN])
        self.assertEqual(owner.picture(), before)
        owner.close()

    def busy_until_a_date(self, requests):
        """Radicale that has so many answers, and then a date before which it wants no question."""
        state = {"left": requests, "from": 0.0, "until": 0.0, "pauses": 0, "too_early": 0}
        under_way = 0.5  # what another session asked before it could know

        def judge(_request):
            now = time.time()
            if now < state["until"]:
                state["too_early"] += now > state["from"] + under_way
            elif state["left"]:
                state["left"] -= 1
                return None
            else:
                state.update(left=requests, until=float(int(now) + REST), pauses=state["pauses"] + 1)
                state["from"] = now
            date = email.utils.formatdate(state["until"], usegmt=True)
            return f"HTTP/1.1 503 Service Unavailable\r\nRetry-After: {date}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        self.dav.judge = judge
        return state

    def test_5_a_restore_leaves_radicale_alone_until_the_date_it_named(self):
        self.leave_alone("calendars")
        owner = DavOwner(self.peers.dav_port, ANN, self.users[ANN])
        for name in ("work", "home"):
            for number in range(EVENTS):
                owner.delete(f"{name}/e{number}.ics")
        state = self.busy_until_a_date(30)
        command, job = self.waiting_restore("calendars")
        self.assertIn("503", self.show(job).get("waits_because", "503"))
        self.assertEqual(command.wait(120), 0, command.stderr.read())
        report = self.show(job)
        self.assertEqual((report["exact"], report["restored"] + report["present"]), (True, 2 * EVENTS), report)
        self.assertGreaterEqual(state["pauses"], 1)
        self.assertEqual(state["too_early"], 0)
        self.assertEqual(self.metric('mailhold_restores_waiting{program="workerd"}'), 0)

    def test_6_a_proof_is_put_off_and_passes_later(self):
        put_off = self.metric('mailhold_backup_proofs_total{outcome="put_off",program="workerd"}')
        left = {"refusals": 2}

        def judge(command):
            if b" APPEND " not in command or not left["refusals"]:
                return None
            left["refusals"] -= 1
            return command.split(b" ", 1)[0] + b" NO [INUSE] Come\x1b[31m again\r\n"
        self.mail.judge = judge
        command = self.begin("backup", "prove", ANN)
        self.assertRegex(command.stderr.readline(), r"^put off: tried again at 20\d\d-\S+Z: .*\[INUSE\] Come\?\[31m again", "what would paint the terminal red does not get there")
        self.assertNotEqual(self.mailbox(ANN)["proof"]["outcome"], "failed")
        self.assertEqual(command.wait(120), 0, command.stderr.read())
        self.assertEqual(self.mailbox(ANN)["proof"]["outcome"], "passed")

        state = self.busy_until_a_date(6)
        command = self.begin("backup", "prove", "calendars")
        self.assertRegex(command.stderr.readline(), r"^put off: the server asked to wait until 20\d\d-\S+Z: .*503")
        self.dav.judge = lambda request: None if time.time() >= state["until"] else state.update(too_early=state["too_early"] + 1)
        self.assertEqual(command.wait(120), 0, command.stderr.read())
        self.assertEqual(state["too_early"], 0)
        self.assertEqual(self.mailbox("calendars")["proof"]["outcome"], "passed")
        self.assertGreaterEqual(self.metric('mailhold_backup_proofs_total{outcome="put_off",program="workerd"}'), put_off + 3)
        self.assertFalse([folder for folder in DavOwner(self.peers.dav_port, ANN, self.users[ANN]).collections() if "proof" in folder])


if __name__ == "__main__":
    run()
