#!/usr/bin/python3
"""LDAP sessions with Active Directory (Samba): the account by its UPN and as DOMAIN\\user over LDAPS, pages of a search, what is
refused before it gets there (T19), and why a bind was refused.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from connection_world import ConnectionWorld
from active_directory import BASE, DOMAIN, HOST, LDAPS_PORT, ActiveDirectory
from identities import Authority
from ldap_session import Ldap, element, number
from own_network import enter_empty_network
from world import PEERS_ROOT, run

USERS = {"alice": "AlicePw.1", "bob": "BobsPw.22"}
UPN, OLD_NAME = f"alice@{HOST.split('.', 1)[1]}", f"{DOMAIN}\\alice"
PEOPLE = f"CN=Users,{BASE}"


class Directory(ConnectionWorld):
    @classmethod
    def build(cls):
        cls.authority = Authority(cls.folder, "authority")
        cls.controller = ActiveDirectory(PEERS_ROOT.parent, cls.folder / "ad", USERS, *cls.authority.identity("dc1", HOST))
        cls.addClassCleanup(cls.controller.stop)
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.start_mailhold()

    def add(self, user, *words, password=USERS["alice"], bases=(PEOPLE,)):
        return self.add_connection("ldap", HOST, LDAPS_PORT, user, password, ["directory.read"], self.authority.path, *words, mailboxes=bases)

    def bound(self, connection):
        return Ldap(self.open("ldap", connection, "directory.read"))

    def test_1_people_are_found_page_by_page_under_either_name(self):
        for user in (UPN, OLD_NAME):
            with self.subTest(user):
                ldap = self.bound(self.add(user))
                ldap.search(PEOPLE, ["sAMAccountName", "mail", "objectGUID"], "mail")
                entries, code = ldap.results()
                self.assertEqual((len(entries), code), (len(USERS), 0))
                self.assertTrue(any(b"alice@example.test" in entry for entry in entries))
                pages, names = 0, []
                while pages == 0 or ldap.cookie:
                    ldap.search(PEOPLE, ["sAMAccountName"], "sAMAccountName", page=5)
                    entries, code = ldap.results()
                    self.assertEqual(code, 0)
                    self.assertLessEqual(len(entries), 5)
                    names += entries
                    pages += 1
                self.assertGreater(pages, 2)
                self.assertEqual(len(names), len(set(names)))
                self.assertEqual({name for name in USERS if any(name.encode() in entry for entry in names)}, set(USERS))
                ldap.session.close()

    def test_2_T20_entries_stop_at_their_number_across_pages(self):
        ldap, seen = self.bound(self.add(UPN, "--items-hour", 7)), 0
        for _ in range(3):
            ldap.search(PEOPLE, ["sAMAccountName"], "sAMAccountName", page=5)
            entries, code = ldap.results()
            seen += len(entries)
            if code is None:
                break
        self.assertEqual((seen, code), (7, None))

    def test_3_T19_nothing_else_is_reached(self):
        connection = self.add(UPN)
        ldap = self.bound(connection)
        for base, attributes in ((BASE, ["cn"]), (PEOPLE, ["unicodePwd"]), (PEOPLE, ["supplementalCredentials"]), (PEOPLE, ["*"]), (f"CN=Configuration,{BASE}", ["cn"])):
            ldap.search(base, attributes)
            self.assertEqual(ldap.results(), ([], 50), (base, attributes))
        ldap.search("", ["defaultNamingContext"])  # below the root without a base: outside
        self.assertEqual(ldap.results(), ([], 50))
        person = f"CN=bob,{PEOPLE}".encode()
        change = element(0x30, element(0x30, number(10, 2) + element(0x30, element(4, b"description") + element(0x31, element(4, b"changed")))))
        for operation in (element(0x66, element(4, person) + change), element(0x4a, person), element(0x68, element(4, b"CN=eve," + PEOPLE.encode()) + element(0x30, b"")),
                          element(0x6c, element(4, person) + element(4, b"CN=rob") + element(1, b"\xff")), element(0x60, number(2, 3) + element(4, b"") + element(0x80, b""))):
            session = self.bound(connection)
            session.ask(operation)
            self.assertIsNone(session.message())
        ldap.search(PEOPLE, ["description", "cn"], "mail")
        entries, _ = ldap.results()
        self.assertEqual(len(entries), len(USERS))
        self.assertFalse(any(b"changed" in entry for entry in entries))
        ldap.session.close()

    def test_4_a_refusal_says_why(self):
        for user, password in ((UPN, "not the password"), (OLD_NAME, "not the password"), (f"nobody@{UPN.split('@')[1]}", "x" * 8)):
            connection = self.add(user, password=password)
            self.assertEqual(self.refusal("ldap", connection, "directory.read"), "denied brokerd: authd: server refused the credential: 49, wrong user or password")
            self.assertEqual(self.events_of_connection(connection)[-1]["ok"], 0)
        log = (self.folder / "ad/samba.log").read_text(errors="replace")
        self.assertNotIn("not the password", log)

    def test_5_starttls_on_its_other_port(self):
        connection = self.add_connection("ldap", HOST, 389, UPN, USERS["alice"], ["directory.read"], self.authority.path, tls="starttls", mailboxes=(PEOPLE,))
        ldap = self.bound(connection)
        ldap.search(PEOPLE, ["cn"], "mail")
        self.assertEqual(len(ldap.results()[0]), len(USERS))
        ldap.session.close()


if __name__ == "__main__":
    enter_empty_network()
    run()
