#!/usr/bin/python3
"""POP3 sessions with a real Dovecot (T19), and servers that cheat in the words of IMAP and POP3: no end, no sense, no proof. Each gets
one clear error, and none the credential. (Those that cheat with TLS are in security/T40.)
"""
import base64
import pathlib
import socket
import ssl
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from connection_world import ConnectionWorld, Lines
from needles import Finder, needle
from world import make_certificate, plain_of, run, wait_for

HOST, USER = "mailbox.example.test", "ann@example.test"


class Script:
    """A server that says what it was told to, line by line, and keeps all it hears. "TLS" makes TLS; None waits for a line."""

    def __init__(self, script, certificate, key):
        self.script, self.heard = script, b""
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        try:
            stream = self.listener.accept()[0]
            stream.settimeout(20)
            for step in self.script:
                if step == "TLS":
                    stream = self.context.wrap_socket(stream, server_side=True)
                elif step is None:
                    self.heard += stream.recv(65536)
                else:
                    stream.sendall(step)
            while chunk := stream.recv(65536):
                self.heard += chunk
        except OSError:
            pass  # the client has had enough
        finally:
            self.listener.close()


class Pop3AndCheats(ConnectionWorld):
    @classmethod
    def build(cls):
        cls.password = needle("password")
        cls.users = {USER: cls.password}
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users, name=HOST)
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.finder = Finder({"password": cls.password, "plain": plain_of(USER, cls.password), "as sent": base64.b64encode(plain_of(USER, cls.password))})
        cls.start_mailhold()

    def add(self, kind, port, *purposes, certificate=None, tls="implicit"):
        return self.add_connection(kind, HOST, port, USER, self.password, purposes, certificate or self.peers.certificate, tls=tls)

    def test_1_pop3_reads_and_a_journal_is_emptied(self):
        writing = self.add("imap", self.peers.imaps_port, "restore.write")
        imap = self.open("imap", writing, "restore.write", self.permit(writing))
        lines = Lines(imap)
        lines.line()
        for number in range(4):
            message = f"Subject: number {number}\r\n\r\n.a dot\r\n".encode()
            lines.send(f"a{number} APPEND INBOX {{{len(message)}}}\r\n".encode())
            self.assertTrue(lines.line().startswith(b"+"))
            lines.send(message + b"\r\n")
            self.assertIn(b" OK", lines.line())
        lines.close()
        for tls, port in (("implicit", self.peers.pop3s_port), ("starttls", self.peers.pop3_tls_port)):
            connection = self.add("pop3", port, "backup.read", "journal", tls=tls)
            pop3 = Lines(self.open("pop3", connection, "backup.read"))
            self.assertTrue(pop3.line().startswith(b"+OK"))
            pop3.send("STAT\r\nDELE 1\r\nRETR 2\r\nNOOP\r\n")  # refused in its turn
            self.assertTrue(pop3.line().startswith(b"+OK 4 "))
            self.assertTrue(pop3.line().startswith(b"-ERR [SYS/PERM]"))
            answer = [pop3.line()]
            while answer[-1] != b".\r\n":
                answer.append(pop3.line())
            self.assertIn(b"Subject: number 1\r\n", answer)
            self.assertIn(b"..a dot\r\n", answer)
            self.assertTrue(pop3.line().startswith(b"+OK"))
            pop3.close()
        pop3 = Lines(self.open("pop3", connection, "journal"))
        pop3.line()
        pop3.send("DELE 1\r\nQUIT\r\n")
        self.assertTrue(pop3.line().startswith(b"+OK"))
        self.assertTrue(pop3.line().startswith(b"+OK"))
        self.assertTrue(pop3.is_over())
        wait_for("the end", lambda: self.events_of_connection(connection)[-1]["t"] == "use.end")
        self.assertIn("method=SCRAM-SHA-256", (self.folder / "peers/mailboxes.log").read_text())

    def test_2_servers_that_cheat_get_nothing(self):
        good = make_certificate(self.folder, HOST)
        cases = {
            "imap: signed in already": ("imap", ["TLS", b"* PREAUTH welcome\r\n"]),
            "imap: no end of lines": ("imap", ["TLS", b"* OK " + b"x" * 100_000]),
            "imap: no end of answers": ("imap", ["TLS", b"* OK\r\n", None, b"* OK more\r\n" * 5000]),
            "imap: another protocol": ("imap", ["TLS", b"220 smtp\r\n"]),
            "imap: no way in": ("imap", ["TLS", b"* OK\r\n", None, b"* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI\r\nm1 OK\r\n"]),
            "imap: a weak SCRAM": ("imap", ["TLS", b"* OK\r\n", None, b"* CAPABILITY AUTH=SCRAM-SHA-256\r\nm1 OK\r\n", None, b"+ \r\n", None,
                                                        b"+ " + base64.b64encode(b"r=other,s=c2FsdA==,i=1") + b"\r\n"]),
            "imap: OK without a proof": ("imap", ["TLS", b"* OK\r\n", None, b"* CAPABILITY AUTH=SCRAM-SHA-256\r\nm1 OK\r\n", None, b"m2 OK\r\n"]),
            "pop3: no end of lines": ("pop3", ["TLS", b"+OK " + b"x" * 100_000]),
        }
        for what, (kind, script) in cases.items():
            with self.subTest(what):
                server = Script(script, *good)
                connection = self.add(kind, server.port, "backup.read", certificate=good[0])
                answer = self.refusal(kind, connection, "backup.read")
                self.assertRegex(answer, r"^(denied|invalid_input|limit_exceeded|unavailable|timed_out) ")
                self.assertNotIn(HOST, answer)
                self.assertEqual(self.finder.find(server.heard), set())
                events = self.events_of_connection(connection)
                self.assertEqual([event["t"] for event in events[-2:]], ["use.intent", "use.outcome"])
                self.assertEqual(events[-1]["ok"], 0)


if __name__ == "__main__":
    run()
