#!/usr/bin/python3
"""XOAUTH2 with real Postfix and Dovecot, over SMTP, IMAP and POP3: the token is asked for at a token endpoint with an assertion made
in keyd, and Dovecot looks it up there. What is refused, by whom and why is named, and mail waits; the token stays in authd.
"""
import base64
import hashlib
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from connection_world import ConnectionWorld, Imap, Lines
import memory
from authorization_server import AuthorizationServer
from https_server import answer
from needles import Finder
from world import letter, make_certificate, run, wait_for

LOGIN, MAILBOXES, USER, DOMAIN = "login.example.test", "imap.example.test", "ann@example.test", "company.test"


class Tokens(ConnectionWorld):
    @classmethod
    def build(cls):
        cls.client_key, cls.thumbprint = cls.folder / "client.key", hashlib.sha256(b"the certificate").digest()
        subprocess.run(["openssl", "genrsa", "-out", cls.client_key, "2048"], check=True, capture_output=True)
        cls.client_key.chmod(0o600)
        certificate, key = make_certificate(cls.folder, LOGIN)
        cls.login = AuthorizationServer(certificate, key, LOGIN, "client-1", cls.client_key, cls.thumbprint, USER)
        cls.addClassCleanup(cls.login.stop)
        cls.start_peers()
        cls.peers.start_mailbox_server({}, "xoauth2", MAILBOXES, introspection_url=cls.login.introspection_url)
        mailboxes = cls.peers.certificate
        cls.peers.start_dovecot({f"alice@{DOMAIN}": "x"}, "xoauth2", introspection_url=cls.login.introspection_url)
        cls.peers.start_postfix(DOMAIN, extra="smtpd_sasl_authenticated_header = yes\n")
        # One file with all that is trusted: the mail servers' certificates and the token endpoint's.
        cls.authorities = cls.folder / "authorities.pem"
        cls.authorities.write_text("".join(path.read_text() for path in (certificate, mailboxes, cls.peers.certificate)))
        for host in (LOGIN, MAILBOXES, f"mail.{DOMAIN}"):
            cls.dns.set(host, "A", "127.0.0.1")
        cls.start_mailhold()
        cls.company = cls.mailhold.add_tenant("company", DOMAIN)
        cls.route = cls.set_route()
        cls.mailhold.wait_for_directory(f"alice@{DOMAIN}")

    @classmethod
    def set_route(cls, *words, route=None, port=None):
        known = ["--route", route] if route else []
        made = cls.mailhold.cli("route", "set", "--tenant", cls.company, *known, "--kind", "smtp-auth", "--host", f"mail.{DOMAIN}", "--port", cls.peers.smtp_port, "--ca", cls.authorities,
                                *(words or ("--sign-in", "assertion", "--user", USER, "--token-host", LOGIN, "--token-port", port or cls.login.endpoint.port)), "--key", cls.mailhold.operator)
        if words:
            cls.mailhold.cli("secret", "set", "--route", made["route"], "--user", USER, "--password-file", cls.mailhold.secret_file("token", cls.entered), "--key", cls.mailhold.operator)
        elif not port:
            cls.enter_client_key("--route", made["route"])
        if route is None:
            cls.mailhold.cli("route", "default", "--tenant", cls.company, "--route", made["route"], "--key", cls.mailhold.operator)
        return made["route"]

    @classmethod
    def enter_client_key(cls, *subject):
        cls.mailhold.cli("secret", "set", *subject, "--user", "client-1", "--client-key", cls.client_key, "--certificate-sha256", cls.thumbprint.hex(), "--token-url", cls.login.url,
                         "--scope", "https://mail.example.test/.default", "--key", cls.mailhold.operator)

    def connection(self, kind, port, *purposes, tls="implicit"):
        lists = [word for purpose in purposes for word in ("--purpose", purpose)]
        made = self.set_connection("--kind", kind, "--host", MAILBOXES, "--port", port, "--tls", tls, "--ca", self.authorities, "--sign-in", "assertion", "--user", USER, "--token-host", LOGIN,
                                   "--token-port", self.login.endpoint.port, "--mailbox", "*", *lists)
        self.enter_client_key("--connection", made["connection"])
        return made["connection"]

    def setUp(self):
        self.login.refuses, self.login.active = None, True

    def events_of_route(self):
        return [entry for entry in self.ledger_entries(self.company) if entry["event"].get("connection") == self.route]

    def assert_its_use(self, entries):
        """The newest assertion names the entry of the ledger that was written before it was made."""
        head, claims = self.login.assertions[-1]
        intents = {entry["leaf"] for entry in entries if entry["event"]["t"] == "use.intent"}
        self.assertIn((base64.urlsafe_b64decode(claims["jti"] + "=")).hex(), intents)
        self.assertEqual((head["alg"], claims["exp"] - claims["nbf"]), ("PS256", 300))

    def test_1_mail_is_delivered_with_a_token(self):
        message = self.send_ok(letter("by token", to=f"alice@{DOMAIN}"), to=f"alice@{DOMAIN}")
        wait_for("the delivery", lambda: "delivered" in self.events_of(message), 60)
        folder = self.folder / f"peers/dovecot/mail/alice@{DOMAIN}/Maildir/new"
        wait_for("the letter", lambda: folder.is_dir() and any(folder.iterdir()))
        self.assertIn(f"(Authenticated sender: {USER})", next(folder.iterdir()).read_text())
        self.assertEqual(self.login.introspections, 1)
        self.assert_its_use(self.events_of_route())
        shown = next(each for each in self.mailhold.cli("route", "list")["routes"] if each["route"] == self.route)
        self.assertEqual((shown["sign_in"], shown["custody"], shown["user"], shown["token_host"]), ("assertion", "C2", USER, LOGIN))

    def test_2_what_is_refused_is_named_and_mail_waits(self):
        self.wait_for_no_session()
        invalid = json.dumps({"error": "invalid_client", "error_description": "words of the provider"}).encode()
        cases = [("the client is not known", answer(401, invalid), True, "denied|refused the client: 401 invalid_client"), ("elsewhere", answer(302, b"", Location="https://evil.test/"), True, "redirects"),
                 ("not now", answer(503, b""), True, "gives no token now: 503"), ("no token", answer(200, b'{"token_type":"Bearer"}'), True, "gave no token"),
                 ("expired when it came", answer(200, b'{"access_token":"x","expires_in":0}'), True, "has expired"), ("expired at the mail server", None, False, "refused the session: 535")]
        message = None
        for what, refuses, active, words in cases:
            with self.subTest(what):
                self.login.refuses, self.login.active = refuses, active
                asked = len(self.login.requests)
                if message is None:
                    message = self.send_ok(letter("that waits", to=f"alice@{DOMAIN}"), to=f"alice@{DOMAIN}")
                else:
                    self.ask("queue.flush")
                wait_for("a question for a token", lambda: len(self.login.requests) > asked)
                reply = self.wait_until_deferred(message)["recipients"][0]["reply"]  # that attempt is over
                self.assertRegex(reply, words)
                self.assertNotIn("words of the provider", reply)
                self.assertNotIn(LOGIN, reply)
                self.assertEqual([event["event"]["ok"] for event in self.events_of_route() if event["event"]["t"] == "use.outcome"][-1], 0)
        self.assertEqual([event for event in self.events_of(message) if event in ("failed", "delivered")], [])
        self.login.refuses, self.login.active = None, True
        self.ask("queue.flush")
        wait_for("the delivery", lambda: "delivered" in self.events_of(message), 60)

    def test_3_a_token_endpoint_that_was_moved_gets_no_assertion(self):
        """T17: at the other port nobody has entered a key for, there is nothing to sign with."""
        self.wait_for_no_session()
        certificate, key = self.folder / f"{LOGIN}.crt", self.folder / f"{LOGIN}.key"
        evil = AuthorizationServer(certificate, key, LOGIN, "client-1", self.client_key, self.thumbprint, USER)
        self.addCleanup(evil.stop)
        self.set_route(route=self.route, port=evil.endpoint.port)
        message = self.send_ok(letter("moved", to=f"alice@{DOMAIN}"), to=f"alice@{DOMAIN}")
        self.assertIn("no session through the broker", self.wait_until_deferred(message)["recipients"][0]["reply"])
        self.assertGreater(evil.endpoint.connections, 0, "it was reached")
        self.assertEqual((evil.requests, evil.assertions), ([], []))
        self.set_route(route=self.route)
        self.ask("queue.flush")
        wait_for("the delivery", lambda: "delivered" in self.events_of(message), 60)
        self.wait_for_no_session()

    def test_4_a_token_that_was_entered(self):
        type(self).entered = "t" * 900
        self.login.tokens[self.entered] = {"active": True, "username": USER}
        asked = len(self.login.requests)
        self.set_route("--sign-in", "bearer", route=self.route)
        message = self.send_ok(letter("entered", to=f"alice@{DOMAIN}"), to=f"alice@{DOMAIN}")
        wait_for("the delivery", lambda: "delivered" in self.events_of(message), 60)
        self.assertEqual(len(self.login.requests), asked)
        self.login.tokens.clear()
        self.wait_for_no_session()
        message = self.send_ok(letter("no more", to=f"alice@{DOMAIN}"), to=f"alice@{DOMAIN}")
        self.assertRegex(self.wait_until_deferred(message)["recipients"][0]["reply"], "refused the session: 535")
        self.ask("queue.delete", id=message)

    def test_5_mailboxes_are_opened_with_a_token_that_stays_in_authd(self):
        for tls, port in (("implicit", self.peers.imaps_port), ("starttls", self.peers.imap_tls_port)):
            connection = self.connection("imap", port, "backup.read", tls=tls)
            imap = Imap(self.open("imap", connection, "backup.read"))
            self.assertIn(b" OK", imap.do("EXAMINE INBOX")[0])
            self.assert_its_use([entry for entry in self.ledger_entries(self.tenant)])
            token = max(self.login.tokens, key=list(self.login.tokens).index)
            finder = Finder({"token": token})
            for name, pid in self.mailhold.pids().items():
                self.assertEqual(memory.scan(pid, finder).hits, set(), name)
            imap.close()
        for tls, port in (("implicit", self.peers.pop3s_port), ("starttls", self.peers.pop3_tls_port)):
            connection = self.connection("pop3", port, "backup.read", tls=tls)
            pop3 = Lines(self.open("pop3", connection, "backup.read"))
            self.assertTrue(pop3.line().startswith(b"+OK"))
            pop3.send("STAT\r\n")
            self.assertTrue(pop3.line().startswith(b"+OK 0 "))
            pop3.close()
        log = (self.folder / "peers/mailboxes.log").read_text()
        for service in ("imap-login", "pop3-login"):
            self.assertRegex(log, f"{service}: .*user=<{USER}>, method=XOAUTH2")

    def test_6_a_mailbox_refuses_what_has_expired(self):
        self.login.active = False
        for kind, port in (("imap", self.peers.imaps_port), ("pop3", self.peers.pop3s_port)):
            connection = self.connection(kind, port, "backup.read")
            self.assertEqual(self.refusal(kind, connection, "backup.read"), "denied brokerd: authd: server refused the credential")
            self.assertEqual([event["t"] for event in self.events_of_connection(connection)[-2:]], ["use.intent", "use.outcome"])
            self.assertEqual(self.events_of_connection(connection)[-1]["ok"], 0)
        self.login.refuses = answer(401, b'{"error":"unauthorized_client"}')
        self.assertEqual(self.refusal("imap", self.connection("imap", self.peers.imaps_port, "backup.read"), "backup.read"),
                         "denied brokerd: authd: the token endpoint refused the client: 401 unauthorized_client")


if __name__ == "__main__":
    run()
