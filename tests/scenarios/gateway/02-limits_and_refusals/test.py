#!/usr/bin/python3
"""What senders hear when a message is not for us, too much, or cannot be taken now: the reply that says so, and never a 250
for what is not kept.
"""
import os
import pathlib
import re
import signal
import smtplib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import SlowSmtpServer, World, letter, message_id_of, run, wait_for

CONNECTIONS_MAX = 8


class LimitsAndRefusals(World):
    settings = {"gateway.size_bytes_max": 1 << 20, "gateway.recipients_max": 100, "gateway.connections_max": CONNECTIONS_MAX, "scanning.seconds": 4,
                "gateway.errors_max": 10}

    @classmethod
    def build(cls):
        cls.next_hop = SlowSmtpServer(auth=False)
        cls.addClassCleanup(cls.next_hop.stop)
        cls.start_mailhold()
        cls.tenant = cls.mailhold.add_tenant("example.test", "example.test", ["alice"] + [f"user{i}" for i in range(150)])
        cls.mailhold.add_relay_route(cls.tenant, "127.0.0.1", cls.next_hop.port)
        cls.mailhold.wait_for_directory("alice@example.test")
        content = letter()
        cls.send_ok(content)
        cls.wait_for_arrival(content)

    @classmethod
    def wait_for_arrival(cls, content):
        cls.next_hop.wait("the delivery", lambda: any(message_id_of(each.content) == message_id_of(content) for each in cls.next_hop.messages))

    def session(self):
        session = smtplib.SMTP("127.0.0.1", self.mailhold.smtp_port, local_hostname="client.sender.test", timeout=60)
        self.addCleanup(session.close)
        session.ehlo()
        return session

    def assert_reply(self, reply, code, enhanced):
        text = reply[1].decode() if isinstance(reply[1], bytes) else reply[1]
        self.assertEqual((reply[0], text.split(" ")[0]), (code, enhanced), text)

    def test_an_unknown_recipient_is_refused(self):
        session = self.session()
        session.mail("clara@sender.test")
        self.assert_reply(session.rcpt("nobody@example.test"), 550, "5.1.1")
        self.assertEqual(session.rcpt("alice@example.test")[0], 250, "the session goes on")

    def test_a_foreign_domain_is_refused(self):
        session = self.session()
        session.mail("clara@sender.test")
        self.assert_reply(session.rcpt("alice@elsewhere.test"), 550, "5.7.1")
        self.assertNotEqual(session.rcpt("alice%elsewhere.test@example.test")[0], 250)
        self.assertNotEqual(session.rcpt("@example.test:alice@elsewhere.test")[0], 250)

    def test_what_is_too_large_is_refused_by_its_announcement_and_by_its_bytes(self):
        session = self.session()
        self.assertEqual(session.esmtp_features["size"], str(1 << 20))
        self.assert_reply(session.mail("clara@sender.test", [f"SIZE={(1 << 20) + 1}"]), 552, "5.3.4")
        large = letter(body=("x" * 70 + "\r\n") * 16000)
        self.assertGreater(len(large), 1 << 20)
        self.assert_reply(self.send(large), 552, "5.3.4")

    def test_one_recipient_too_many_is_put_off(self):
        session = self.session()
        session.mail("clara@sender.test")
        for i in range(100):
            self.assertEqual(session.rcpt(f"user{i}@example.test")[0], 250)
        self.assert_reply(session.rcpt("user100@example.test"), 452, "4.5.3")

    def test_a_session_of_nothing_but_errors_is_ended(self):
        session = self.session()
        replies = []
        while 421 not in replies and len(replies) < 20:
            replies.append(session.docmd("NONSENSE")[0])
        self.assertEqual(set(replies[:-1]), {500})
        self.assertEqual(replies[-1], 421)
        self.assertEqual(len(replies), 11)

    def test_the_greeting_says_421_when_all_places_are_taken(self):
        taken = []
        try:
            for _ in range(CONNECTIONS_MAX):
                client = socket.create_connection(("127.0.0.1", self.mailhold.smtp_port), 10)
                taken.append(client)
                if not client.recv(100).startswith(b"220"):
                    break  # sessions of other tests have not ended yet: full all the same
            with socket.create_connection(("127.0.0.1", self.mailhold.smtp_port), 10) as late:
                self.assertRegex(late.recv(200).decode(), r"^421 \S+ 4\.7\.0 ")
        finally:
            for client in taken:
                client.close()
        wait_for("room again", lambda: self.mailhold.would_take("alice@example.test"))

    def test_mail_waits_outside_while_all_scanners_are_dead(self):
        wait_for("the scanner that another test ended", lambda: self.pids_of("scannerd") and self.pids_of("zygote"))
        content = letter("not scanned")
        scanners = []
        for name in ("scannerd", "zygote", "scanner"):  # in this order: nobody is left who could start another
            for pid in self.pids_of(name):
                os.kill(pid, signal.SIGSTOP)
                scanners.append(pid)
        try:
            self.assert_reply(self.send(content), 451, "4.3.0")
        finally:
            for pid in scanners:
                os.kill(pid, signal.SIGCONT)
        self.send_until_taken(content)
        self.wait_for_arrival(content)
        self.assertEqual([message_id_of(each.content) for each in self.next_hop.messages].count(message_id_of(content)), 1)

    def test_mail_is_taken_again_after_the_scanner_died(self):
        for name in ("scanner", "zygote", "scannerd"):
            content = letter(f"after {name} died")
            for pid in self.pids_of(name):
                os.kill(pid, signal.SIGKILL)
            self.send_until_taken(content)
            self.wait_for_arrival(content)

    def test_mail_waits_outside_while_the_region_is_sealed(self):
        self.mailhold.stop()
        self.mailhold.start()
        content = letter("to a sealed region")
        self.assert_reply(self.send(content), 451, "4.3.0")
        self.mailhold.unseal()
        self.send_until_taken(content)
        self.wait_for_arrival(content)

    def send_until_taken(self, content):
        replies = []

        def taken():
            replies.append(self.send(content))
            return replies[-1][0] == 250
        wait_for("acceptance", taken, 60)
        for code, text in replies[:-1]:
            self.assertTrue(re.match("4", str(code)), f"{code} {text}")


if __name__ == "__main__":
    run()
