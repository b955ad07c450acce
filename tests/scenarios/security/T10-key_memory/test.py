#!/usr/bin/python3
"""T10: the memory of keyd and authd while the password of a route is used again and again: keyd keeps keys where nobody can read
them, and nothing of them in the rest; an authd has the password only while it is in its AUTH.
"""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import memory
from needles import Finder, needle
from world import ROUTE_USER, World, letter, plain_as_sent, plain_of, run, wait_for

USES = 60


class KeyMemory(World):
    settings = {"queue.session_messages": 1}

    @classmethod
    def build(cls):
        cls.password = needle("password")
        cls.sink = cls.start_sink(users={ROUTE_USER: cls.password})
        cls.start_mailhold()
        cls.tenant, cls.route = cls.add_tenant(sink=cls.sink, password=cls.password)
        cls.finder = Finder({"password": cls.password, "plain": plain_of(ROUTE_USER, cls.password), "plain as sent": plain_as_sent(ROUTE_USER, cls.password),
                             "passphrase": cls.mailhold.passphrase.read_text()})

    def look_at(self, name):
        scans = []
        for pid in self.pids_of(name):
            try:
                scans.append(memory.scan(pid, self.finder))
            except OSError:
                continue  # an authd ends with its session
        return scans

    def test_keys_and_passwords_are_nowhere_to_be_read(self):
        is_secret = self.mailhold.cli("key", "status")["memory_is_secret"]
        self.assertTrue(is_secret, "this kernel has no memfd_secret: what this test shows would be less")
        before = len(self.sink.auths)
        sender = threading.Thread(target=lambda: [self.send_ok(letter(f"use {n}")) for n in range(USES)])
        sender.start()
        looks, with_secret = 0, 0
        while sender.is_alive() or looks < 5:
            looks += 1
            for scan in self.look_at("keyd"):
                self.assertGreater(scan.unreadable, 0)
                self.assertEqual(scan.hits, set())
            # Those that wait hold nothing, those past their AUTH nothing any more; one in it may.
            with_secret += sum(1 for scan in self.look_at("authd") if scan.hits)
        sender.join()
        wait_for("all deliveries", lambda: len(self.sink.messages) >= USES)
        uses = len(self.sink.auths) - before
        wait_for("the end of the sessions", lambda: self.mailhold.cli("status")["supervisor"]["authd_working"] == 0)
        for scan in self.look_at("keyd") + self.look_at("authd"):
            self.assertEqual(scan.hits, set())
        print(f"{uses} uses of the password, keyd and authd looked at {looks} times: an authd held it {with_secret} times, keyd never", flush=True)
        self.assertGreaterEqual(uses, 1)

    def test_an_authd_past_its_auth_has_forgotten(self):
        self.sink.hold_auth()
        uses = len(self.sink.auths)
        wait_for("the end of the sessions", lambda: self.mailhold.cli("status")["supervisor"]["authd_working"] == 0)
        self.send_ok(letter("held at AUTH"))
        self.sink.wait("AUTH", lambda: len(self.sink.auths) > uses)
        self.assertLessEqual(sum(1 for scan in self.look_at("authd") if scan.hits), 1)
        self.sink.release_auth()
        delivered = len(self.sink.messages)
        self.sink.wait("the delivery", lambda: len(self.sink.messages) > delivered or self.sink.messages)
        for scan in self.look_at("authd"):
            self.assertEqual(scan.hits, set(), "its session is still open")


if __name__ == "__main__":
    run()
