#!/usr/bin/python3
"""LDAP sessions with a real slapd, over LDAPS and StartTLS: searches below the base for harmless attributes, and nothing else (T19);
caps to the number (T20).
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from connection_world import ConnectionWorld
from needles import needle
from world import run

HOST, BASE, MANAGER = "ldap.example.test", "ou=people,dc=example,dc=test", "cn=manager,dc=example,dc=test"
PEOPLE = [f"person{number}" for number in range(30)]


def element(tag, content):
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + content


def number(tag, value):
    return element(tag, bytes([value]))


class Ldap:
    def __init__(self, session):
        self.session, self.rest = session, b""
        session.settimeout(30)

    def ask(self, operation):
        self.session.sendall(element(0x30, number(2, 5) + operation))

    def search(self, base, attributes, name="objectClass"):
        names = b"".join(element(4, each.encode()) for each in attributes)
        self.ask(element(0x63, element(4, base.encode()) + number(10, 2) + number(10, 0) + number(2, 0) + number(2, 0) + element(1, b"\0") + element(0x87, name.encode()) + element(0x30, names)))

    def message(self):
        """(tag of the operation, its content), or None when the session is over."""
        while True:
            if len(self.rest) >= 2:
                head = 2 + (self.rest[1] & 0x7f if self.rest[1] & 0x80 else 0)
                size = int.from_bytes(self.rest[2:head], "big") if self.rest[1] & 0x80 else self.rest[1]
                if len(self.rest) >= head + size:
                    inner, self.rest = self.rest[head:head + size], self.rest[head + size:]
                    return inner[3], inner
            chunk = self.session.recv(65536)
            if not chunk:
                return None
            self.rest += chunk

    def results(self):
        """(entries, result code or None when the session ended)."""
        entries = []
        while message := self.message():
            tag, content = message
            if tag == 0x65:
                return entries, content[content.index(b"\x0a\x01") + 2]
            entries.append(content)
        return entries, None


class Directory(ConnectionWorld):
    @classmethod
    def build(cls):
        cls.password = needle("password")
        cls.start_peers()
        cls.peers.start_directory(cls.password, PEOPLE)
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.start_mailhold()

    def add(self, *words, tls="implicit"):
        port = self.peers.ldaps_port if tls == "implicit" else self.peers.ldap_port
        return self.add_connection("ldap", HOST, port, MANAGER, self.password, ["directory.read"], self.peers.certificate, *words, tls=tls, mailboxes=(BASE,))

    def test_1_people_are_found_over_ldaps_and_starttls(self):
        for tls in ("implicit", "starttls"):
            ldap = Ldap(self.open("ldap", self.add(tls=tls), "directory.read"))
            ldap.search(BASE, ["cn", "mail"])
            entries, code = ldap.results()
            self.assertEqual((len(entries), code), (31, 0))
            self.assertTrue(any(b"person7@example.test" in entry for entry in entries))
            ldap.session.close()

    def test_2_T19_nothing_else_is_reached(self):
        connection = self.add()
        ldap = Ldap(self.open("ldap", connection, "directory.read"))
        for base, attributes, name in (("dc=example,dc=test", ["cn"], "objectClass"), (BASE, ["userPassword"], "objectClass"), (BASE, ["*"], "objectClass"), (BASE, [], "objectClass"),
                                       (BASE, ["cn"], "userPassword"), ("ou=private,dc=example,dc=test", ["cn"], "objectClass")):
            ldap.search(base, attributes, name)
            self.assertEqual(ldap.results(), ([], 50), (base, attributes))
        ldap.search(BASE, ["cn"])
        self.assertEqual(len(ldap.results()[0]), 31)
        person = b"cn=person1," + BASE.encode()
        for operation in (element(0x4a, person), element(0x60, number(2, 3) + element(4, b"") + element(0x80, b"")), element(0x66, element(4, person) + element(0x30, b"")),
                          element(0x68, element(4, person) + element(0x30, b"")), element(0x77, element(0x80, b"1.3.6.1.4.1.4203.1.11.1"))):
            ldap = Ldap(self.open("ldap", connection, "directory.read"))
            ldap.ask(operation)
            self.assertIsNone(ldap.message())
        log = (self.folder / "peers/ldap.log").read_text()
        for word in (" DEL ", " MOD ", " ADD ", "PASSMOD"):
            self.assertNotIn(word, log)

    def test_3_T20_entries_stop_at_their_number(self):
        ldap = Ldap(self.open("ldap", self.add("--items-hour", 12), "directory.read"))
        ldap.search(BASE, ["cn"])
        entries, code = ldap.results()
        self.assertEqual((len(entries), code), (12, None))


if __name__ == "__main__":
    run()
