#!/usr/bin/python3
"""T40, the rows of signing in: for each protocol that signs in, servers without TLS or with TLS of somebody else, men in the middle that
strip STARTTLS or write behind it, servers that never end. Never a byte of a credential, one clear error that names no host and no
account, an outcome in the ledger, and mail that waits. (DANE and MTA-STS are not evaluated yet; smuggling is in formats/smtp.)
"""
import base64
import hashlib
import itertools
import pathlib
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from connection_world import ConnectionWorld, WorkerSocket
from authorization_server import AuthorizationServer
from cheating_server import CheatingServer, clear_text_cheats
from identities import NOW, Authority, DAY, pin_of
from needles import Finder, needle
from world import letter, plain_as_sent, plain_of, run, wait_for

HOST, LOGIN, USER = "server.example.test", "login.example.test", "ann@example.test"
KINDS = ("imap", "pop3", "ldap", "http")
PURPOSES = {"ldap": "directory.read"}
FALSE_IDENTITIES = ("another authority", "another name", "expired", "another key")
KNOWN_ERROR = r"^(denied|invalid_input|limit_exceeded|unavailable|timed_out) \S[^\r\n]*$"


class NoCredential(ConnectionWorld):
    settings = {"broker.allowed_networks": "127.0.0.1/32", "queue.rest_seconds": 0}

    @classmethod
    def build(cls):
        cls.password = needle("password")
        cls.finder = Finder({"password": cls.password, "plain": plain_of(USER, cls.password), "as sent": plain_as_sent(USER, cls.password),
                             "basic": base64.b64encode(f"{USER}:{cls.password}".encode())})
        (cls.folder / "others").mkdir()
        cls.authority, others = Authority(cls.folder, "authority"), Authority(cls.folder / "others", "authority")
        cls.identities = {"good": cls.authority.identity("good", HOST), "another authority": others.identity("stranger", HOST), "another name": cls.authority.identity("neighbour", "other.example.test"),
                          "expired": cls.authority.identity("expired", HOST, NOW - DAY), "another key": cls.authority.identity("renewed", HOST)}
        cls.servers = {kind: cls.start_server(kind, implicit=kind == "http") for kind in ("smtp", *KINDS)}
        for host in (HOST, LOGIN):
            cls.dns.set(host, "A", "127.0.0.1")
        cls.start_mailhold()
        cls.connections = {kind: cls.add(kind, cls.servers[kind], "--ca", cls.authority.path) for kind in KINDS}
        # A pin stands instead of authority and name: only the very same key will do.
        cls.pinned = {kind: cls.add(kind, cls.servers[kind], "--pin", pin_of(cls.identities["good"][0])) for kind in KINDS}
        cls.route = cls.set_route("--ca", cls.authority.path)
        cls.begin_slow_sessions()
        cls.mailhold.wait_for_directory("anybody@example.test")

    @classmethod
    def start_server(cls, kind, **how):
        server = CheatingServer(kind, cls.identities, **how)
        cls.addClassCleanup(server.stop)
        return server

    @classmethod
    def add(cls, kind, server, *words, tls=None, host=HOST):
        more = ("--verb", "GET /**") if kind == "http" else ()
        made = cls.set_connection("--kind", kind, "--host", host, "--port", server.port, "--tls", tls or ("implicit" if kind == "http" else "starttls"), "--sign-in", "password", "--user", USER,
                                  "--purpose", PURPOSES.get(kind, "backup.read"), "--mailbox", "*", *more, *words)["connection"]
        cls.enter_secret(made, USER, cls.password)
        return made

    @classmethod
    def begin_slow_sessions(cls):
        """All at once and while the rest is tried: they last as long as a sign-in may take."""
        cls.slow, cls.slow_answers, cls.waiting = {}, {}, []
        for kind in KINDS:
            server = cls.start_server(kind, implicit=kind == "http")
            server.play("slow")
            cls.slow[kind] = cls.add(kind, server, "--ca", cls.authority.path)
            cls.waiting.append(threading.Thread(target=cls.wait_for_answer, args=(kind,)))
            cls.waiting[-1].start()

    @classmethod
    def wait_for_answer(cls, kind):
        begin, worker = time.monotonic(), WorkerSocket(cls.mailhold.folder / "worker/workerd.sock")
        answer = worker.ask(kind, cls.slow[kind], PURPOSES.get(kind, "backup.read"))[1]
        cls.slow_answers[kind] = answer, time.monotonic() - begin
        worker.socket.close()

    @classmethod
    def set_route(cls, *words, route=None):
        known = ["--route", route] if route else []
        made = cls.mailhold.cli("route", "set", "--tenant", cls.tenant, "--kind", "smtp-auth", "--host", HOST, "--port", cls.servers["smtp"].port, *known, *words, "--key", cls.mailhold.operator)["route"]
        cls.mailhold.cli("secret", "set", "--route", made, "--user", USER, "--password-file", cls.mailhold.secret_file("route-password", cls.password), "--key", cls.mailhold.operator)
        if route is None:
            cls.mailhold.cli("route", "default", "--tenant", cls.tenant, "--route", made, "--key", cls.mailhold.operator)
        return made

    def assert_nothing_was_heard(self, server):
        self.assertEqual(self.finder.find(server.clear + server.protected), set())
        for word in (b"AUTH", b"LOGIN", b"USER ", b"PASS ", b"Authorization"):
            self.assertNotIn(word, server.clear)

    def assert_outcome(self, connection):
        events = self.events_of_connection(connection)
        self.assertEqual([event["t"] for event in events[-2:]], ["use.intent", "use.outcome"])
        self.assertEqual(events[-1]["ok"], 0)
        self.assertNotIn("address", events[-1])

    def assert_refused(self, kind, connection, server):
        answer = self.refusal(kind, connection, PURPOSES.get(kind, "backup.read"))
        self.assertRegex(answer, KNOWN_ERROR)
        for name in (HOST, USER, "127.0.0."):
            self.assertNotIn(name, answer)
        self.assertEqual(server.connections, 1)
        self.assert_nothing_was_heard(server)
        self.assert_outcome(connection)
        return answer

    def test_1_the_servers_would_have_heard_it(self):
        for kind in KINDS:
            for connection in (self.connections[kind], self.pinned[kind]):
                self.servers[kind].play("good")
                session = self.open(kind, connection, PURPOSES.get(kind, "backup.read"))
                session.settimeout(30)
                if kind == "http":
                    session.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                    session.recv(1000)
                self.assertNotEqual(self.finder.find(self.servers[kind].protected), set(), kind)
                self.assertEqual(self.finder.find(self.servers[kind].clear), set(), kind)
                session.close()

    def test_2_another_identity_gets_nothing(self):
        for kind in KINDS:
            server = self.servers[kind]
            for identity in FALSE_IDENTITIES:
                with self.subTest(kind=kind, identity=identity):
                    connection = self.pinned[kind] if identity == "another key" else self.connections[kind]
                    server.play(identity)
                    self.assertIn("certificate refused", self.assert_refused(kind, connection, server))
                    self.assertEqual(server.protected, b"", "not even a command")

    def test_3_nothing_is_said_in_clear_text(self):
        for kind in ("imap", "pop3", "ldap"):
            for cheat in clear_text_cheats:
                with self.subTest(kind=kind, cheat=cheat):
                    self.servers[kind].play(cheat)
                    self.assert_refused(kind, self.connections[kind], self.servers[kind])
        for kind in KINDS:  # TLS from the first byte, and a server that greets in clear text
            with self.subTest(kind=kind, cheat="no TLS"):
                server = self.start_server(kind, implicit=True)
                connection = self.add(kind, server, "--ca", self.authority.path, tls="implicit")
                server.play("goes on without TLS")
                self.assert_refused(kind, connection, server)

    def test_4_mail_waits(self):
        server, message = self.servers["smtp"], None
        cases = [*FALSE_IDENTITIES[:3], *clear_text_cheats, "endless"]
        for cheat in [*cases, "another key"]:
            with self.subTest(cheat):
                if cheat == "another key":
                    self.set_route("--pins", pin_of(self.identities["good"][0]), route=self.route)
                server.play(cheat)
                if message is None:
                    message = self.send_ok(letter("that waits"))
                else:
                    self.ask("queue.flush")
                wait_for("the server", lambda: server.connections > 0)
                reply = self.wait_until_deferred(message)["recipients"][0]["reply"]  # that attempt is over
                self.assertIn("no session through the broker", reply)
                for name in (HOST, USER, "127.0.0."):
                    self.assertNotIn(name, reply)
                self.assert_nothing_was_heard(server)
                self.assertEqual([event["ok"] for event in self.events_of_connection(self.route) if event["t"] == "use.outcome"][-1], 0)
        self.assertEqual([event for event in self.events_of(message) if event in ("failed", "delivered")], [])
        server.play("good")
        self.ask("queue.flush")
        wait_for("the delivery", lambda: "delivered" in self.events_of(message))
        self.assertNotEqual(self.finder.find(server.protected), set(), "it would have been heard")

    def test_5_an_assertion_goes_to_a_verified_token_endpoint_only(self):
        key, thumbprint = self.folder / "client.key", hashlib.sha256(b"the certificate").digest()
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        key.chmod(0o600)
        identities = {"good": self.authority.identity("login", LOGIN), "another name": self.identities["good"], "expired": self.authority.identity("login-expired", LOGIN, NOW - DAY),
                      "another authority": Authority(self.folder / "others", "another").identity("login", LOGIN)}
        mail = self.servers["imap"]
        for identity, files in identities.items():
            with self.subTest(identity):
                login = AuthorizationServer(*files, LOGIN, "client-1", key, thumbprint, USER)
                self.addCleanup(login.stop)
                made = self.set_connection("--kind", "http", "--host", HOST, "--port", self.servers["http"].port, "--tls", "implicit", "--ca", self.authority.path, "--sign-in", "assertion", "--user", "client-1",
                                           "--token-host", LOGIN, "--token-port", login.endpoint.port, "--purpose", "backup.read", "--verb", "GET /**", "--mailbox", "*")["connection"]
                self.mailhold.cli("secret", "set", "--connection", made, "--user", "client-1", "--client-key", key, "--certificate-sha256", thumbprint.hex(), "--token-url", login.url, "--scope", "x",
                                  "--key", self.mailhold.operator)
                self.servers["http"].play("good")
                if identity == "good":
                    self.open("http", made, "backup.read").close()
                    self.assertEqual(len(login.assertions), 1)
                    continue
                self.assertIn("certificate refused", self.refusal("http", made, "backup.read"))
                self.assertEqual(login.requests, [])
                self.assert_outcome(made)
        self.assertEqual(self.finder.find(mail.clear), set())

    def test_6_T17_names_lead_to_no_other_address(self):
        """The server's own certificate and key at an address that is not allowed, and a name that answers with both by turns."""
        evil = self.start_server("imap", address="127.0.0.2", port=self.servers["imap"].port)
        turns = itertools.cycle(["127.0.0.1", "127.0.0.2"])
        self.dns.set("moved.example.test", "A", "127.0.0.2")
        self.dns.set("flips.example.test", "A", lambda: next(turns))
        self.servers["imap"].play("good")
        for host, tries in (("moved.example.test", 1), ("flips.example.test", 4)):
            connection = self.add("imap", self.servers["imap"], "--ca", self.authority.path, "--name", HOST, host=host)
            for _ in range(tries):
                session, answer = self.worker.ask("imap", connection, "backup.read")
                self.assertTrue((session and host == "flips.example.test") or "private or special address" in answer, answer)
                if session:
                    session.close()
        self.assertEqual(evil.connections, 0)

    def test_7_servers_without_an_end_are_left(self):
        for kind in KINDS[:3]:
            with self.subTest(kind):
                self.servers[kind].play("endless")
                self.assert_refused(kind, self.connections[kind], self.servers[kind])
        for thread in self.waiting:
            thread.join(100)
        self.assertEqual({kind: (answer.split()[0], seconds < 75) for kind, (answer, seconds) in self.slow_answers.items()}, dict.fromkeys(KINDS, ("timed_out", True)))
        for connection in self.slow.values():
            self.assert_outcome(connection)


if __name__ == "__main__":
    run()
