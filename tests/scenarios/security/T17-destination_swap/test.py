#!/usr/bin/python3
"""T17: whoever moves the destination of a route does not get its password: not by a change of the route, not by DNS, not by
another certificate, not by a row changed by hand. Runs in a network namespace of its own, where every address may be served.
"""
import itertools
import os
import pathlib
import signal
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from needles import Finder, needle
from own_network import enter_empty_network
from world import ROUTE_USER, SlowSmtpServer, World, letter, make_certificate, message_id_of, plain_as_sent, plain_of, run, wait_for

ALLOWED = "127.0.0.9"   # the one address that broker.allowed_networks lists
METADATA = "169.254.169.254"


class DestinationSwap(World):
    settings = {"broker.allowed_networks": f"{ALLOWED}/32", "queue.rest_seconds": 0}

    @classmethod
    def build(cls):
        cls.password = needle("password")
        cls.finder = Finder({"password": cls.password, "plain": plain_of(ROUTE_USER, cls.password), "as sent": plain_as_sent(ROUTE_USER, cls.password)})
        cls.good = cls.start_sink(address=ALLOWED, users={ROUTE_USER: cls.password})
        cls.dns.set("mail.example.test", "A", ALLOWED)
        # The worst of thieves: at other addresses, same port, and with the certificate and key of the company's server.
        cls.evil = [SlowSmtpServer(cls.good.certificate, cls.good.key, address, cls.good.port) for address in ("127.0.0.1", METADATA, "::1")]
        # And one at the allowed address, at another port.
        cls.neighbour = SlowSmtpServer(cls.good.certificate, cls.good.key, ALLOWED)
        for each in [*cls.evil, cls.neighbour]:
            cls.addClassCleanup(each.stop)
        cls.start_mailhold()
        cls.tenant = cls.mailhold.add_tenant("example.test", "example.test")
        cls.other = cls.mailhold.add_tenant("other.test", "other.test")
        cls.mailhold.wait_for_directory("anybody@other.test")

    route = None  # the one route of the tenant, moved about by the tests

    def set_route(self, host=ALLOWED, port=None, name="mail.example.test", certificate=None, tenant=None, secret=True):
        """A signed operation; the route's id. With `secret` the password is entered for this destination. brokerd, which opens
        the sessions, knows of it at once."""
        # An open session may take the next message as well; these tests are about opening one.
        self.wait_for_no_session()
        words = ["route", "set", "--tenant", tenant or self.tenant, "--kind", "smtp-auth", "--host", host, "--port", port or self.good.port, "--name", name,
                 "--ca", certificate or self.good.certificate, "--key", self.mailhold.operator]
        route = None if tenant else DestinationSwap.route
        made = self.mailhold.cli(*words, *(["--route", route] if route else []))["route"]
        if secret:
            file = self.mailhold.secret_file("route-password", self.password)
            self.mailhold.cli("secret", "set", "--route", made, "--user", ROUTE_USER, "--password-file", file, "--key", self.mailhold.operator)
        if tenant is None and route is None:
            self.mailhold.cli("route", "default", "--tenant", self.tenant, "--route", made, "--key", self.mailhold.operator)
            DestinationSwap.route = made
        return made

    def arrived(self, content):
        return any(message_id_of(each.content) == message_id_of(content) for each in self.good.messages)

    def assert_delivered(self, subject):
        content, uses = letter(subject), len(self.good.auths)
        message = self.send_ok(content)
        self.good.wait("the delivery", lambda: self.arrived(content))
        self.assertGreater(len(self.good.auths), 0)
        wait_for("the end of its row", lambda: message not in self.queued())
        return len(self.good.auths) - uses

    def wait_for_no_session(self):
        wait_for("the end of the session", lambda: self.mailhold.cli("status")["supervisor"]["authd_working"] == 0)

    def assert_waits(self, subject):
        """A message that is not delivered; what the queue says about it."""
        message = self.send_ok(letter(subject))
        reply = self.wait_until_deferred(message)["recipients"][0]["reply"]
        self.ask("queue.delete", id=message)
        wait_for("its end", lambda: message not in self.queued())
        return reply

    def assert_no_password_at(self, *servers):
        for server in servers:
            heard = server.heard()
            self.assertEqual(server.auths, [])
            self.assertNotIn(b"AUTH ", heard.upper())
            self.assertEqual(self.finder.find(heard), set())

    def test_1_the_company_gets_it(self):
        self.set_route("mail.example.test")
        self.assertEqual(self.assert_delivered("control"), 1)
        self.assertIn(self.password.encode(), self.good.auths[-1].plain)
        self.assertIn(b"AUTH PLAIN", self.good.heard())

    def test_2_a_route_that_was_moved_has_no_secret(self):
        self.set_route()
        self.assert_delivered("before the move")
        connections = len(self.neighbour.connections)
        self.set_route(port=self.neighbour.port, secret=False)
        self.assert_waits("moved to another port")
        self.assertGreater(len(self.neighbour.connections), connections, "it was asked for a session")
        self.assertIn(b"EHLO", self.neighbour.heard())
        self.assertTrue(self.neighbour.connections[-1].tls, "and TLS was good, so only the secret was missing")
        self.assert_no_password_at(self.neighbour, *self.evil)
        self.set_route(name="other.example.test", secret=False)
        uses = len(self.good.auths)
        self.assert_waits("same place, another name to verify")
        self.assertEqual(len(self.good.auths), uses)

    def test_3_dns_leads_nowhere_else(self):
        flip = itertools.cycle([ALLOWED, "127.0.0.1"])
        cases = [("A", "127.0.0.1"), ("A", METADATA), ("A", "0.0.0.0"), ("AAAA", "::1"), ("AAAA", "::ffff:127.0.0.1"), ("AAAA", f"::ffff:{METADATA}"),
                 ("AAAA", "64:ff9b::7f00:1")]
        for number, (kind, address) in enumerate(cases):
            with self.subTest(address=address):
                host = f"mail{number}.example.test"
                self.dns.set(host, kind, address)
                self.set_route(host)
                self.assertRegex(self.assert_waits(f"to {address}"), "private or special address")
                self.assertTrue(self.dns.was_asked(host))
        self.dns.set("flip.example.test", "A", lambda: next(flip))
        self.set_route("flip.example.test")
        for _ in range(2):  # to the right address, or to none
            content = letter("flip")
            message = self.send_ok(content)
            wait_for("an attempt", lambda: self.arrived(content) or (self.queued().get(message) or {"attempts": 0})["attempts"] > 0)
            self.ask("queue.delete", check=False, id=message)
        self.assertEqual([len(each.connections) for each in self.evil], [0, 0, 0], "nobody even connected")

    def test_4_other_writings_of_an_address_lead_nowhere_else(self):
        for host in ("2130706433", "0x7f000001", "127.1", "0177.0.0.1", "127.0.0.1", METADATA, "::1", "::ffff:127.0.0.1"):
            with self.subTest(host=host):
                self.set_route(host)
                self.assert_waits(f"to {host}")
        self.assertEqual([len(each.connections) for each in self.evil], [0, 0, 0], "nobody even connected")

    def test_5_who_cannot_prove_the_name_gets_nothing(self):
        other = make_certificate(self.folder, "other.example.test")
        (self.folder / "again").mkdir()
        again = make_certificate(self.folder / "again", "mail.example.test")
        cases = {
            "a certificate of another name": (SlowSmtpServer(*other, ALLOWED), other[0]),
            "another certificate of the same name": (SlowSmtpServer(*again, ALLOWED), self.good.certificate),
            "STARTTLS stripped, and AUTH offered in clear text": (SlowSmtpServer(self.good.certificate, self.good.key, ALLOWED, starttls=False), self.good.certificate),
            "no TLS at all": (SlowSmtpServer(address=ALLOWED), self.good.certificate),
        }
        for what, (server, certificate) in cases.items():
            with self.subTest(what):
                try:
                    self.set_route(port=server.port, certificate=certificate)
                    self.assert_waits(what)
                    self.assertGreater(len(server.connections), 0)
                    self.assert_no_password_at(server)
                finally:
                    server.stop()

    def test_6_a_row_changed_by_hand_does_not_open(self):
        good = self.set_route()
        self.assert_delivered("before the rows are changed")
        thief = self.set_route(port=self.neighbour.port, secret=False, tenant=self.other)
        rows = self.rows()
        swapped, flipped = bytes(rows[thief][1]), bytearray(rows[good][1])
        flipped[-1] ^= 1
        for what, sealed in (("another tenant's row", swapped), ("one bit", bytes(flipped))):
            with self.subTest(what):
                self.change("UPDATE route SET sealed = ? WHERE id = ?", (sealed, bytes.fromhex(good)))
                self.assertIn(f"route {good} does not open", self.mailhold.log.read_text())
                self.assert_nothing_goes_out(what)
        with self.subTest("an older version"):
            self.change("UPDATE route SET sealed = ?, version = version - 1 WHERE id = ?", (bytes(rows[good][1]), bytes.fromhex(good)))
            self.assert_nothing_goes_out("an older version")
        with self.subTest("the default of one tenant is the other one's route"):
            self.change("UPDATE route SET sealed = ?, version = ? WHERE id = ?", (bytes(rows[good][1]), rows[good][0], bytes.fromhex(good)))
            self.change("UPDATE default_route SET route = ? WHERE tenant = ?", (bytes.fromhex(thief), bytes.fromhex(self.tenant)))
            self.assert_nothing_goes_out("the other tenant's route")
        with self.subTest("the row moved to the other tenant"):
            self.change("UPDATE default_route SET route = ? WHERE tenant = ?", (bytes.fromhex(good), bytes.fromhex(self.tenant)))
            self.change("UPDATE route SET tenant = ? WHERE id = ?", (bytes.fromhex(self.other), bytes.fromhex(good)))
            self.assert_nothing_goes_out("moved")
        self.change("UPDATE route SET tenant = ? WHERE id = ?", (bytes.fromhex(self.tenant), bytes.fromhex(good)))
        self.assert_delivered("all rows are what they were")

    def assert_nothing_goes_out(self, what):
        """Whether the queue calls it deferred or has no route at all: nobody hears of it, and it is not lost."""
        self.wait_for_no_session()
        uses, content = len(self.good.auths), letter(what)
        message = self.send_ok(content)
        wait_for("the message in the queue", lambda: message in self.queued())
        self.assertTrue(self.good.stays(3, lambda: len(self.good.auths) > uses or self.arrived(content)))
        self.assertIn(message, self.queued())
        self.ask("queue.delete", id=message)
        wait_for("its end", lambda: message not in self.queued())
        self.assert_no_password_at(self.neighbour, *self.evil)

    def rows(self):
        database = sqlite3.connect(self.mailhold.data / "broker/broker.db")
        try:
            return {row[0].hex(): (row[1], row[2]) for row in database.execute("SELECT id, version, sealed FROM route")}
        finally:
            database.close()

    def change(self, statement, values):
        """As one who can write to the disk; brokerd reads it when it starts again."""
        database = sqlite3.connect(self.mailhold.data / "broker/broker.db", timeout=10)
        with database:
            self.assertEqual(database.execute(statement, values).rowcount, 1)
        database.close()
        before = self.mailhold.pids()["brokerd"]
        os.kill(before, signal.SIGKILL)
        wait_for("another brokerd", lambda: self.mailhold.pids()["brokerd"] not in (before, -1))
        wait_for("its routes", lambda: self.mailhold.cli("route", "list", check=False) is not None)


if __name__ == "__main__":
    enter_empty_network(METADATA)  # the metadata service of clouds
    run()
