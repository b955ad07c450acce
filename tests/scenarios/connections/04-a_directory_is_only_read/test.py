#!/usr/bin/python3
"""LDAP sessions with a real slapd, over LDAPS and StartTLS: searches below the base for harmless attributes, and nothing else (T19);
caps to the number (T20); the password is gone from every process once the bind is done (T9, T10).
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import memory
from connection_world import ConnectionWorld
from ldap_session import Ldap, element, number
from needles import Finder, needle
from world import run

HOST, BASE, MANAGER = "ldap.example.test", "ou=people,dc=example,dc=test", "cn=manager,dc=example,dc=test"
PEOPLE = [f"person{number}" for number in range(30)]


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

    def test_4_T10_the_password_is_gone_when_the_session_is_open(self):
        finder = Finder({"password": self.password})
        ldap = Ldap(self.open("ldap", self.add(), "directory.read"))
        ldap.search(BASE, ["cn"])
        self.assertEqual(len(ldap.results()[0]), 31)
        looked_at = set()
        for pid, name in self.processes().items():
            try:
                self.assertEqual(memory.scan(pid, finder).hits, set(), name)
                looked_at.add(name)
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
        self.assertLessEqual({"keyd", "authd", "brokerd", "workerd"}, looked_at)
        ldap.session.close()


if __name__ == "__main__":
    run()
