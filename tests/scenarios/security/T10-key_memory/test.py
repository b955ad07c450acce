#!/usr/bin/python3
"""T10: the memory of keyd and authd while the password of a route, and the RSA key of a connection, are used again and again: keyd
keeps keys where nobody can read them, and nothing of them in the rest; an authd has the password only while it is in its AUTH.
"""
import json
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import memory
from connection_world import ConnectionWorld, WorkerSocket
from https_server import HttpsServer, answer
from needles import Finder, needle
from world import ROUTE_USER, World, letter, make_certificate, plain_as_sent, plain_of, run, wait_for

USES, SENDERS = 1000, 4
ASSERTIONS, ASKERS = 1000, 4
HOST = "graph.example.test"


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
        senders = [threading.Thread(target=lambda: [self.send_ok(letter(f"use {n}")) for n in range(USES // SENDERS)]) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        looks, with_secret = 0, 0
        give_up = time.monotonic() + 120
        while any(sender.is_alive() for sender in senders) or len(self.sink.messages) < USES:
            self.assertLess(time.monotonic(), give_up, f"{len(self.sink.messages)} deliveries")
            looks += 1
            for scan in self.look_at("keyd"):
                self.assertGreater(scan.unreadable, 0)
                self.assertEqual(scan.hits, set())
            # Those that wait hold nothing, those past their AUTH nothing any more; one in it may.
            with_secret += sum(1 for scan in self.look_at("authd") if scan.hits)
        for sender in senders:
            sender.join()
        uses = len(self.sink.auths) - before
        wait_for("the end of the sessions", lambda: self.mailhold.cli("status")["supervisor"]["authd_working"] == 0)
        for scan in self.look_at("keyd") + self.look_at("authd"):
            self.assertEqual(scan.hits, set())
        print(f"{uses} uses of the password, keyd and authd looked at {looks} times: an authd held it {with_secret} times, keyd never", flush=True)
        self.assertGreaterEqual(uses, USES)
        self.assertGreater(looks, 5)

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


class Numbers:
    """Looks for pieces of large numbers, with the first byte first and with the last, as OpenSSL keeps them."""
    PIECE = 24

    def __init__(self, numbers):
        self.patterns = []
        for name, number in numbers.items():
            size = (number.bit_length() + 7) // 8
            for order in ("big", "little"):
                data = number.to_bytes(size, order)
                for at in (0, size // 2, size - self.PIECE):
                    self.patterns.append((name, f"{order} endian +{at}", data[at:at + self.PIECE]))
        self.longest = self.PIECE

    def find(self, data):
        return {(name, form) for name, form, pattern in self.patterns if pattern in data}


class ClientKeyMemory(ConnectionWorld):
    @classmethod
    def build(cls):
        from cryptography.hazmat.primitives import serialization
        certificate, tls_key = make_certificate(cls.folder, HOST)
        cls.server = HttpsServer(certificate, tls_key)
        cls.addClassCleanup(cls.server.stop)
        cls.server.on_request = lambda _: answer(200, json.dumps({"access_token": "a-token", "expires_in": 3600}).encode())
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.start_mailhold()
        cls.connection = cls.add_client_key_connection(HOST, cls.server.port, certificate, "GET /status")
        secret = serialization.load_pem_private_key((cls.folder / "client.key").read_bytes(), None).private_numbers()
        cls.numbers = {"d": secret.d, "p": secret.p, "q": secret.q, "d mod p-1": secret.dmp1, "d mod q-1": secret.dmq1, "1/q mod p": secret.iqmp}
        cls.finder = Numbers(cls.numbers)

    def test_1_a_process_that_holds_the_key_is_found(self):
        for order in ("big", "little"):
            code = "import sys; kept = int(sys.stdin.readline()).to_bytes(256, %r); print('x', flush=True); sys.stdin.read()" % order
            holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            try:
                holder.stdin.write(f"{self.numbers['d']}\n")
                holder.stdin.flush()
                holder.stdout.readline()
                found = {(name, form.split()[0]) for name, form, _ in memory.scan(holder.pid, self.finder).hits}
            finally:
                holder.communicate()
            self.assertIn(("d", order), found)

    def sign_in(self, count):
        worker = WorkerSocket(self.mailhold.folder / "worker/workerd.sock")
        for _ in range(count):
            session, answered = worker.ask("http", self.connection, "backup.read")
            if session is None:
                self.refusals.append(answered)
                return
            session.close()

    def test_2_before_during_and_after_a_thousand_assertions(self):
        self.refusals = []
        keyd, = self.pids_of("keyd")
        self.assertEqual(memory.scan(keyd, self.finder).hits, set(), "before")
        askers = [threading.Thread(target=self.sign_in, args=(ASSERTIONS // ASKERS,)) for _ in range(ASKERS)]
        for asker in askers:
            asker.start()
        looks = 0
        while any(asker.is_alive() for asker in askers):
            scan = memory.scan(keyd, self.finder)
            self.assertEqual(scan.hits, set(), "during")
            self.assertGreater(scan.unreadable, 0)
            looks += 1
        for asker in askers:
            asker.join()
        self.assertEqual(self.refusals, [])
        self.assertEqual(len([request for request in self.server.requests if request.method == "POST"]), ASSERTIONS)
        self.wait_for_no_session()
        for pid, name in self.processes().items():
            self.assertEqual(memory.scan(pid, self.finder).hits, set(), name)
        self.assertGreater(looks, 5)
        print(f"{ASSERTIONS} assertions, keyd looked at {looks} times meanwhile: none of the key's numbers", flush=True)


if __name__ == "__main__":
    run()
