#!/usr/bin/python3
"""IMAP sessions with a real Dovecot through brokerd and authd: what each purpose may do (T19), caps to the number and suspension
within two seconds (T20), two people for whatever widens, no restore without a permit, and evidence of every use.
"""
import os
import pathlib
import signal
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from connection_world import ConnectionWorld, Imap, sha256_of
from world import CommandFailed, letter, run, wait_for

HOST = "imap.example.test"
USER = "ann@example.test"


class ImapSessions(ConnectionWorld):
    dns_records = {}

    @classmethod
    def build(cls):
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users)
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.start_mailhold()
        cls.connection = cls.add("backup.read", "restore.write", "journal")
        imap = Imap(cls.open("imap", cls.connection, "restore.write", cls.permit(cls.connection)))
        for number in range(20):
            assert b" OK" in imap.append("INBOX", letter(f"number {number}", body="x" * 2000 + "\r\n"))
        imap.do("CREATE Archive")
        imap.close()

    @classmethod
    def add(cls, *purposes, words=(), **how):
        port = how.pop("port", cls.peers.imaps_port)
        return cls.add_connection("imap", HOST, port, USER, cls.users[USER], purposes, cls.peers.certificate, *words, **how)

    def test_1_a_worker_reads_a_mailbox_and_changes_nothing(self):
        imap = Imap(self.open("imap", self.connection, "backup.read"))
        self.assertTrue(imap.greeting.startswith(b"* PREAUTH [CAPABILITY IMAP4rev1"), imap.greeting)
        self.assertNotIn(b"AUTH=", imap.greeting)
        self.assertIn(b"20 EXISTS", imap.do("EXAMINE INBOX")[1])
        tagged, data = imap.do("UID FETCH 1:* (UID BODY.PEEK[])")
        self.assertIn(b" OK", tagged)
        self.assertEqual(data.count(b"Subject: number"), 20)
        # T19: refused here; the server still has what it had.
        for command in ("SELECT INBOX", "STORE 1 +FLAGS (\\Deleted)", "UID STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", "CLOSE", "DELETE Archive", "CREATE More",
                        "RENAME Archive Other", "COPY 1 Archive", "UID MOVE 1 Archive", "LOGIN a b", "AUTHENTICATE PLAIN", "STARTTLS", "COMPRESS DEFLATE"):
            self.assertRegex(imap.do(command)[0], rb"^t\d+ NO \[NOPERM\]", command)
        self.assertRegex(imap.append("INBOX", letter("smuggled")), rb"NO \[NOPERM\]")
        imap.send(b"a NOOP\r\nb DELETE Archive\r\nc NOOP\r\n")
        answers = sorted(imap.line() for _ in range(3))
        self.assertEqual([answer[:4] for answer in answers], [b"a OK", b"b NO", b"c OK"])
        self.assertIn(b"20 EXISTS", imap.do("EXAMINE INBOX")[1])
        imap.do("LOGOUT")
        self.assertTrue(imap.is_over())

    def test_2_every_use_has_its_evidence(self):
        self.wait_for_no_session()
        wait_for("the ends before", lambda: self.events_of_connection(self.connection)[-1]["t"] == "use.end")
        before = len(self.events_of_connection(self.connection))
        imap = Imap(self.open("imap", self.connection, "backup.read"))
        events = self.events_of_connection(self.connection)[before:]
        self.assertEqual([event["t"] for event in events], ["use.intent", "use.outcome"])
        self.assertEqual((events[0]["purpose"], events[1]["ok"]), ("backup.read", 1))
        imap.do("EXAMINE INBOX")
        imap.do("FETCH 1:3 BODY.PEEK[]")
        imap.do("DELETE Archive")
        imap.close()
        wait_for("the end", lambda: self.events_of_connection(self.connection)[-1]["t"] == "use.end")
        end = self.events_of_connection(self.connection)[-1]
        self.assertEqual((end["items"], end["refused"], end["end"]), (3, 1, "closed by the worker"))

    def test_3_a_journal_is_emptied_and_a_restore_deletes_nothing(self):
        restore = Imap(self.open("imap", self.connection, "restore.write", self.permit(self.connection)))
        self.assertIn(b" OK", restore.append("Archive", letter("to be journaled")))
        self.assertIn(b" OK", restore.do("SELECT Archive")[0])
        self.assertIn(b"NOPERM", restore.do("STORE 1 +FLAGS (\\Deleted)")[0])
        self.assertIn(b"NOPERM", restore.do("EXPUNGE")[0])
        restore.close()
        journal = Imap(self.open("imap", self.connection, "journal"))
        self.assertIn(b"1 EXISTS", journal.do("SELECT Archive")[1])
        self.assertIn(b"NOPERM", journal.do("STORE 1 +FLAGS (\\Seen)")[0])
        self.assertIn(b" OK", journal.do("STORE 1 +FLAGS (\\Deleted)")[0])
        self.assertIn(b"1 EXPUNGE", journal.do("EXPUNGE")[1])
        journal.close()

    def test_3a_several_messages_in_a_command_are_each_looked_at(self):
        def append(*behind, flags="(\\Seen)"):
            imap = Imap(self.open("imap", self.connection, "restore.write", permit))
            message = letter("one of several")
            imap.send(f"a APPEND INBOX {flags} {{{len(message)}+}}\r\n".encode() + message)
            for words in behind:
                imap.send(f" {words}{{{len(message)}+}}\r\n".encode() + message)
            return imap

        def there():
            imap = Imap(self.open("imap", self.connection, "backup.read"))
            count = imap.do("STATUS INBOX (MESSAGES)")[1]
            imap.close()
            return int(count.split(b"MESSAGES ")[1].split(b")")[0])

        permit = self.permit(self.connection)
        imap = Imap(self.open("imap", self.connection, "restore.write", permit))
        self.assertRegex(imap.greeting, rb"LITERAL\+ .*MULTIAPPEND\]")
        imap.close()
        for purpose in ("backup.read", "journal"):
            imap = Imap(self.open("imap", self.connection, purpose))
            self.assertNotIn(b"MULTIAPPEND", imap.greeting)
            imap.close()
        before = there()
        # What is refused behind the first message ends the session, and the server takes none of them.
        for words in ("(\\Deleted) ", "Archive ", '"Archive" (\\Seen) ', '"yesterday" ', 'CATENATE (URL "/Archive/;UID=1") ', "~"):
            imap = append("() ", words)
            self.assertTrue(imap.is_over(), words)
            self.wait_for_no_session()
        self.assertEqual(there(), before)
        # Nor does what is refused as a whole reach it, however much follows.
        imap = append("(\\Deleted) ", "() ", flags="(\\Deleted)")
        imap.send(b"\r\nb NOOP\r\n")
        self.assertEqual(sorted(imap.line()[:4] for _ in range(2)), [b"a NO", b"b OK"])
        imap.close()
        self.assertEqual(there(), before)
        imap = append("() ", '(\\Flagged) "02-Nov-2026 10:00:00 +0000" ')
        imap.send(b"\r\n")
        self.assertRegex(imap.line(), rb"a OK \[APPENDUID \d+ \d+:\d+\]")
        imap.close()
        self.assertEqual(there(), before + 3)

    def test_3b_whoever_has_taken_the_worker_over_writes_nothing_without_a_permit(self):
        """It stands where this test stands, and asks for what it likes."""
        mine, others = self.add("backup.read", "restore.write", "journal"), self.add("backup.read", "restore.write")
        permit = self.permit(mine)
        self.assertIn("takes a permit", self.refusal("imap", mine, "restore.write"))
        self.assertIn("no such permit", self.refusal("imap", mine, "restore.write", "5f" * 32))
        self.assertIn("something else", self.refusal("imap", others, "restore.write", permit))
        for purpose in ("backup.read", "journal"):
            self.assertIn("something else", self.refusal("imap", mine, purpose, permit))
        self.assertEqual([(each["t"], each["purpose"], each["kind"]) for each in self.events_of_connection(mine) if each["t"].startswith("use.")],
                         [("use.refused", purpose, "denied") for purpose in ("restore.write", "restore.write", "backup.read", "journal")])
        self.assertEqual([each["t"] for each in self.events_of_connection(others) if each["t"].startswith("use.")], ["use.refused"])
        # One that was signed for as a dry run opens what only reads.
        imap = Imap(self.open("imap", mine, "restore.write", self.permit(mine, dry_run="true")))
        self.assertIn(b" OK", imap.do("EXAMINE INBOX")[0])
        self.assertIn(b"NOPERM", imap.do("SELECT INBOX")[0])
        self.assertRegex(imap.append("INBOX", letter("smuggled")), rb"NO \[NOPERM\]")
        imap.close()
        # With it there is a session, and evidence of what opened it; suspending the connection ends both for good.
        imap = Imap(self.open("imap", mine, "restore.write", permit))
        self.assertIn(b" OK", imap.do("SELECT INBOX")[0])
        *_, intent = (each for each in self.events_of_connection(mine) if each["t"] == "use.intent")
        self.assertEqual((intent["purpose"], intent["operation"]), ("restore.write", permit))
        named = ["--tenant", self.tenant, "--connection", mine, "--key", self.mailhold.operator]
        self.mailhold.cli("connection", "suspend", *named)
        self.assertTrue(imap.is_over())
        self.assertIn("no such permit", self.refusal("imap", mine, "restore.write", permit))
        self.mailhold.cli("connection", "resume", *named)
        self.assertIn("no such permit", self.refusal("imap", mine, "restore.write", permit))
        # Nor does whoever writes brokerd's rows bring it back.
        with sqlite3.connect(self.mailhold.data / "broker/broker.db") as rows:
            self.assertEqual(rows.execute("UPDATE permits SET withdrawn = 0 WHERE operation = ? AND withdrawn <> 0", (bytes.fromhex(permit),)).rowcount, 1)
        rows.close()
        self.assertRegex(self.refusal("imap", mine, "restore.write", permit), "^denied ")

    def test_4_T20_a_session_stops_exactly_at_its_caps(self):
        capped = self.add("backup.read", words=("--items-hour", 7))
        fetched = 0
        for _ in range(3):
            try:
                imap = Imap(self.open("imap", capped, "backup.read"))
            except AssertionError as refused:
                self.assertIn("items_hour", str(refused))
                break
            imap.do("EXAMINE INBOX")
            tagged, data = imap.do("FETCH 1:* BODY.PEEK[]")
            fetched += data.count(b"Subject: number")
            self.assertEqual(tagged, b"", "the session is over")
            imap.close()
            self.wait_for_no_session()
        else:
            self.fail("the cap was never reached")
        self.assertEqual(fetched, 7)
        self.assertEqual(self.mailhold.cli("connection", "show", "--connection", capped)["this_hour"]["items"], 7)
        self.assertEqual(self.events_of_connection(capped)[-1]["t"], "use.refused")

        sized = self.add("backup.read", words=("--bytes-day", 20000))
        imap = Imap(self.open("imap", sized, "backup.read"))
        received = 0
        imap.send(b"a EXAMINE INBOX\r\nb FETCH 1:* BODY.PEEK[]\r\n")
        while chunk := imap.session.recv(65536):
            received += len(chunk)
        self.assertEqual(received + len(imap.rest), 20000)

        few = self.add("backup.read", words=("--sessions-hour", 3))
        for _ in range(3):
            Imap(self.open("imap", few, "backup.read")).close()
        self.assertIn("sessions_hour", self.refusal("imap", few, "backup.read"))

    def test_5_T20_suspension_ends_what_runs_within_two_seconds(self):
        doomed = self.add("backup.read")
        sessions = [Imap(self.open("imap", doomed, "backup.read")) for _ in range(3)]
        other = Imap(self.open("imap", self.connection, "backup.read"))
        begin = time.monotonic()
        self.mailhold.cli("connection", "suspend", "--tenant", self.tenant, "--connection", doomed, "--key", self.mailhold.operator)
        for session in sessions:
            self.assertTrue(session.is_over())
        self.assertLess(time.monotonic() - begin, 2)
        self.assertIn("suspended", self.refusal("imap", doomed, "backup.read"))
        self.assertIn(b" OK", other.do("NOOP")[0])
        other.close()

    def test_6_purpose_program_and_place_must_fit(self):
        reading = self.add("backup.read", mailboxes=("INBOX",))
        self.assertIn("purpose", self.refusal("imap", reading, "restore.write"))
        self.assertIn("another kind", self.refusal("pop3", reading, "backup.read"))
        imap = Imap(self.open("imap", reading, "backup.read"))
        self.assertIn(b" OK", imap.do("EXAMINE INBOX")[0])
        self.assertIn(b"NOPERM", imap.do("EXAMINE Archive")[0])
        imap.close()
        right, wrong = sha256_of(self.worker_program), sha256_of(self.worker_program.parent / "brokerd")
        Imap(self.open("imap", self.add("backup.read", words=("--worker", right)), "backup.read")).close()
        self.assertIn("program", self.refusal("imap", self.add("backup.read", words=("--worker", wrong)), "backup.read"))
        Imap(self.open("imap", self.add("backup.read", words=("--egress", "127.0.0.7")), "backup.read")).close()
        self.assertIn("rip=127.0.0.7", (self.folder / "peers/mailboxes.log").read_text())

    def test_7_every_way_in_is_taken(self):
        log = self.folder / "peers/mailboxes.log"
        for tls, port in (("implicit", self.peers.imaps_port), ("starttls", self.peers.imap_tls_port)):
            Imap(self.open("imap", self.add("backup.read", tls=tls, port=port), "backup.read")).close()
        wait_for("the log", lambda: log.read_text().count("method=SCRAM-SHA-256") >= 2)
        self.assertNotIn("method=PLAIN", log.read_text())
        wrong = self.add("backup.read")
        self.enter_secret(wrong, USER, "not the password")
        self.assertIn("denied", self.refusal("imap", wrong, "backup.read"))

    def test_8_what_widens_takes_two_people(self):
        narrow = self.add("backup.read", words=("--items-hour", 100))
        second, person = self.add_person("second")
        try:
            proposed = self.set_connection("--connection", narrow, "--items-hour", 200)
            self.assertEqual(self.mailhold.cli("connection", "show", "--connection", narrow)["caps"], {"items_hour": 100})
            waiting = self.mailhold.cli("operation", "list")["operations"]
            self.assertEqual([each["operation"] for each in waiting], [proposed["waits_for_second_person"]])
            approve = ["operation", "approve", "--tenant", self.tenant, "--operation", proposed["waits_for_second_person"], "--key"]
            with self.assertRaisesRegex(CommandFailed, "another person"):
                self.mailhold.cli(*approve, self.mailhold.operator)
            self.mailhold.cli(*approve, second)
            self.assertEqual(self.mailhold.cli("connection", "show", "--connection", narrow)["caps"], {"items_hour": 200})
            with self.assertRaisesRegex(CommandFailed, "no such operation"):
                self.mailhold.cli(*approve, second)
            # One person is enough to narrow.
            self.assertEqual(self.set_connection("--connection", narrow, "--items-hour", 50)["caps"], {"items_hour": 50})
            self.assertIn("waits_for_second_person", self.set_connection("--connection", narrow, "--purpose", "backup.read", "--purpose", "restore.write"))
            self.a_new_route_and_a_new_person_take_two(second)
        finally:
            self.mailhold.cli("person", "remove", "--person", person, "--key", self.mailhold.operator)

    def a_new_route_and_a_new_person_take_two(self, second):
        asked = self.mailhold.cli("route", "set", "--tenant", self.tenant, "--kind", "relay", "--host", "127.0.0.1", "--port", 2525, "--tls", "none", "--key", self.mailhold.operator)
        self.assertEqual(self.mailhold.cli("route", "list")["routes"], [])
        waiting = {each["operation"]: each for each in self.mailhold.cli("operation", "list")["operations"]}
        self.assertEqual(waiting[asked["waits_for_second_person"]]["sets host"], "127.0.0.1")
        self.mailhold.cli("operation", "approve", "--tenant", self.tenant, "--operation", asked["waits_for_second_person"], "--key", second)
        self.assertEqual([each["route"] for each in self.mailhold.cli("route", "list")["routes"]], [asked["route"]])
        moved = self.mailhold.cli("route", "set", "--tenant", self.tenant, "--route", asked["route"], "--kind", "relay", "--host", "127.0.0.2", "--port", 2525, "--tls", "none",
                                  "--key", second)
        self.assertIn("waits_for_second_person", moved)
        self.assertEqual(self.mailhold.cli("route", "list")["routes"][0]["host"], "127.0.0.1")
        third = self.mailhold.cli("person", "new-key", "--out", self.mailhold.folder / "third.key")
        asked = self.mailhold.cli("person", "add", "--person", third["person"], "--public-key", third["public_key"], "--key", self.mailhold.operator)
        self.assertEqual(len(self.mailhold.cli("person", "list")["people"]), 2)
        approve = ["operation", "approve", "--operation", asked["waits_for_second_person"], "--key"]
        for key in (self.mailhold.operator, self.mailhold.folder / "third.key"):
            with self.assertRaises(CommandFailed):
                self.mailhold.cli(*approve, key)
        self.mailhold.cli(*approve, second)
        self.assertIn(third["person"], [each["person"] for each in self.mailhold.cli("person", "list")["people"]])
        self.mailhold.cli("person", "remove", "--person", third["person"], "--key", self.mailhold.operator)

    def test_9_a_connection_that_was_moved_has_no_secret(self):
        moved = self.add("backup.read")
        self.set_connection("--connection", moved, "--port", self.peers.imap_tls_port, "--tls", "starttls")
        self.assertIn("corrupt", self.refusal("imap", moved, "backup.read"))
        self.assertEqual(self.mailhold.cli("connection", "show", "--connection", moved)["custody"], "C3")

    def test_91_a_session_does_not_outlive_brokerd(self):
        imap = Imap(self.open("imap", self.connection, "backup.read"))
        before = self.mailhold.pids()["brokerd"]
        os.kill(before, signal.SIGKILL)
        self.assertTrue(imap.is_over())
        wait_for("another brokerd", lambda: self.mailhold.pids()["brokerd"] not in (before, -1))
        wait_for("a session", lambda: self.worker.ask("imap", self.connection, "backup.read")[0])


if __name__ == "__main__":
    run()
