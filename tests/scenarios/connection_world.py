"""The base of the scenarios about connections: a Mailhold whose workerd is the session_worker of tests/peers, so that a test
stands where a worker stands: it gets a signed-in session as a socket, and nothing else.
"""
import array
import os
import socket
import secrets
import struct
import subprocess

from world import PEERS_ROOT, Api, Peers, World, wait_for

import signed_operation  # where world says that such things are


class WorkerSocket:
    """Frames of ipc::Channel to the session_worker."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))

    def ask(self, *words):
        """(session or None, answer): a connected socket that is signed in, or why there is none."""
        request = " ".join(map(str, words)).encode()
        self.socket.sendall(struct.pack(">IB", len(request), 0) + request)
        reply, descriptors = b"", array.array("i")
        while len(reply) < 5 or len(reply) < 5 + struct.unpack(">I", reply[:4])[0]:
            data, ancillary, _, _ = self.socket.recvmsg(65536, socket.CMSG_LEN(4))
            if not data:
                raise ConnectionError("the worker is gone")
            reply += data
            for _, _, packed in ancillary:
                descriptors.frombytes(packed[:4])
        answer = reply[5:].decode("utf-8", "replace")
        return (socket.socket(fileno=descriptors[0]) if descriptors else None), answer


class Lines:
    """A line protocol over a socket."""

    def __init__(self, session, seconds=30):
        self.session, self.rest = session, b""
        session.settimeout(seconds)

    def send(self, text):
        self.session.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self):
        """The next line with its end; b"" when the session is over."""
        while b"\n" not in self.rest:
            try:
                chunk = self.session.recv(65536)
            except ConnectionError:
                chunk = b""
            if not chunk:
                line, self.rest = self.rest, b""
                return line
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\n")
        return line + b"\n"

    def read(self, count):
        while len(self.rest) < count:
            chunk = self.session.recv(65536)
            if not chunk:
                break
            self.rest += chunk
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def is_over(self):
        try:
            while self.line():
                pass
            return True
        except TimeoutError:
            return False

    def close(self):
        self.session.close()


class Imap(Lines):
    """As much of an IMAP client as a worker needs: tagged commands, literals."""

    def __init__(self, session, seconds=30):
        super().__init__(session, seconds)
        self.number = 0
        self.greeting = self.line()

    def do(self, command):
        """(tagged line, untagged bytes) of one command."""
        self.number += 1
        tag = f"t{self.number}".encode()
        self.send(tag + b" " + (command if isinstance(command, bytes) else command.encode()) + b"\r\n")
        return self.until(tag)

    def until(self, tag):
        seen = b""
        while True:
            line = self.line()
            if not line or line.startswith(tag + b" "):
                return line, seen
            seen += line
            if line.endswith(b"}\r\n"):
                seen += self.read(int(line[line.rindex(b"{") + 1:-3]))

    def append(self, folder, message, flags=""):
        self.number += 1
        tag = f"t{self.number}".encode()
        self.send(tag + f" APPEND {folder} {flags}{{{len(message)}}}\r\n".encode())
        line = self.line()
        if not line.startswith(b"+"):
            return line
        self.send(message + b"\r\n")
        return self.until(tag)[0]


class ConnectionWorld(World):
    users = {"ann@example.test": "a password of ann"}
    stands_as_worker = True  # else the worker is workerd itself

    @classmethod
    def start_peers(cls):
        cls.peers = Peers(PEERS_ROOT, cls.folder / "peers")
        cls.addClassCleanup(cls.peers.stop)

    @classmethod
    def start_mailhold(cls, **more):
        from installation import Mailhold
        settings = {"dns.servers": [f"127.0.0.1@{cls.dns.port}"]} | cls.quick_retries | cls.settings | more
        cls.mailhold = Mailhold(cls.folder / "mailhold", settings, users_first=52000)
        cls.addClassCleanup(lambda: cls.mailhold.stop())
        if cls.stands_as_worker:
            cls.worker_program = cls.mailhold.replace_program("workerd", "session_worker")
            worker = cls.mailhold.folder / "worker"
            worker.mkdir()
            os.chmod(worker, 0o777)
            os.chmod(cls.mailhold.folder, 0o755)
        cls.mailhold.start()
        cls.mailhold.initialise()
        if cls.stands_as_worker:
            wait_for("the worker", (worker / "workerd.sock").exists)
            cls.worker = WorkerSocket(worker / "workerd.sock")
            cls.addClassCleanup(cls.worker.socket.close)
        cls.tenant = cls.mailhold.add_tenant("example.test", "example.test")

    @classmethod
    def add_person(cls, name):
        """A second operator, or a person to be; the key file."""
        key = cls.mailhold.folder / f"{name}.key"
        made = cls.mailhold.cli("person", "new-key", "--out", key)
        cls.mailhold.cli("person", "add", "--person", made["person"], "--public-key", made["public_key"], "--key", cls.mailhold.operator)
        return key, made["person"]

    @classmethod
    def set_connection(cls, *words, key=None):
        return cls.mailhold.cli("connection", "set", "--tenant", cls.tenant, *words, "--key", key or cls.mailhold.operator)

    @classmethod
    def add_connection(cls, kind, host, port, user, password, purposes, certificate, *words, tls="implicit", sign_in="password", mailboxes=("*",)):
        lists = [word for purpose in purposes for word in ("--purpose", purpose)] + [word for each in mailboxes for word in ("--mailbox", each)]
        made = cls.set_connection("--kind", kind, "--host", host, "--port", port, "--tls", tls, "--ca", certificate, "--sign-in", sign_in, "--user", user,
                                  *lists, *words)["connection"]
        cls.enter_secret(made, user, password)
        return made

    @classmethod
    def add_client_key_connection(cls, host, port, certificate, verb, *words, key=None):
        """An http connection that signs in with client assertions, its token endpoint at the same server; with a new RSA key unless told."""
        if key is None:
            key = cls.folder / "client.key"
            subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        key.chmod(0o600)
        made = cls.set_connection("--kind", "http", "--host", host, "--port", port, "--tls", "implicit", "--ca", certificate, "--sign-in", "assertion", "--user", "client-1",
                                  "--token-host", host, "--token-port", port, "--purpose", "backup.read", "--verb", verb, "--mailbox", "*", *words)["connection"]
        cls.mailhold.cli("secret", "set", "--connection", made, "--user", "client-1", "--client-key", key, "--certificate-sha256", "ab" * 32,
                         "--token-url", f"https://{host}:{port}/tenant/oauth2/v2.0/token", "--scope", "https://graph.example.test/.default", "--key", cls.mailhold.operator)
        return made

    @classmethod
    def enter_secret(cls, connection, user, password):
        file = cls.mailhold.secret_file("connection-password", password)
        return cls.mailhold.cli("secret", "set", "--connection", connection, "--user", user, "--password-file", file, "--key", cls.mailhold.operator)

    @classmethod
    def permit(cls, connection, **more):
        """What restore.write takes: a restore of a mailbox that is read over the same account, signed for without the command line, which would ask workerd."""
        arguments = {"mailbox": secrets.token_hex(16), "reading": connection, "connection": connection, "at": "2026-11-21T18:00:00.000Z"} | more
        order, operation = signed_operation.sign(cls.mailhold.operator, "restore.allow", cls.tenant, arguments)
        api = Api(cls.mailhold.socket)
        try:
            allowed = api.ask("operation.apply", **order)
        finally:
            api.close()
        assert allowed.get("restore", allowed.get("waits_for_second_person")) == operation, allowed
        return operation

    @classmethod
    def open(cls, kind, connection, purpose, *permit):
        """A signed-in session; fails with the reason when there is none."""
        session, answer = cls.worker.ask(kind, connection, purpose, *permit)
        if session is None:
            raise AssertionError(f"no session: {answer}")
        return session

    @classmethod
    def refusal(cls, kind, connection, purpose, *permit):
        session, answer = cls.worker.ask(kind, connection, purpose, *permit)
        if session is not None:
            session.close()
            raise AssertionError("a session was opened")
        return answer

    @classmethod
    def events_of_connection(cls, connection):
        return [entry["event"] for entry in cls.ledger_entries(cls.tenant) if entry["event"].get("connection") == connection]

    @classmethod
    def wait_for_no_session(cls):
        wait_for("the end of the sessions", lambda: cls.mailhold.cli("status")["supervisor"]["authd_working"] == 0)


def sha256_of(path):
    return subprocess.run(["sha256sum", path], check=True, capture_output=True, text=True).stdout.split()[0]
