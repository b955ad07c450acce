"""The base of the scenarios: a Mailhold of its own with what surrounds it, kept for a whole test file.

A test file has one or more classes under World; each says in `build` what its world needs. Everything it starts is
stopped by its id, in the reverse order, however the test ends. Nothing leaves 127.0.0.1.
"""
import base64
import json
import os
import pathlib
import shutil
import smtplib
import socket
import struct
import sys
import unittest

TESTS = pathlib.Path(__file__).resolve().parents[1]
REPOSITORY = TESTS.parent
sys.path[:0] = [str(TESTS / "peers"), str(TESTS / "fakes"), str(TESTS / "formats"), str(TESTS / "scenarios")]

from dns_server import DnsServer  # noqa: E402
from installation import PROGRAMS, CommandFailed, Mailhold  # noqa: E402,F401
from peers import Peers, free_port, make_certificate, wait_for  # noqa: E402,F401
from slow_smtp_server import SlowSmtpServer  # noqa: E402

PEERS_ROOT = pathlib.Path(os.environ.get("MAILHOLD_PEERS", REPOSITORY / "build/peers/root"))
NODE = PEERS_ROOT.parent / "node"  # the npm packages of tests/peers/node, with the Node they run on
RUN = REPOSITORY / "run/tests"
ROUTE_USER = "mailhold-route"


def collection(name):
    """The folder of a test collection; skips the test without it, but fails where CI is set."""
    folder = pathlib.Path(os.environ.get("MAILHOLD_CORPORA", REPOSITORY.parent / "shared/corpora")) / name
    if folder.is_dir():
        return folder
    if os.environ.get("CI"):
        raise AssertionError(f"the collection {name} is missing")
    print(f"skipped-collection {name}", flush=True)
    raise unittest.SkipTest(f"the collection {name} is missing")


def letter(subject="A letter", body="Hello\r\n", sender="clara@sender.test", to="alice@example.test", message_id=None, more=""):
    """A small message, ready to be sent."""
    identity = message_id or f"{os.urandom(8).hex()}@sender.test"
    return (f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{identity}>\r\n"
            f"{more}\r\n{body}").encode()


def message_id_of(content):
    head = content.split(b"\r\n\r\n", 1)[0]
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"message-id:"):
            return line.split(b"<", 1)[1].split(b">", 1)[0].decode()
    return None


def parent_of(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rsplit(")", 1)[1].split()[1])


def name_of(pid):
    with open(f"/proc/{pid}/comm") as name:
        return name.read().strip()


def descendants(root):
    """Process ids of everything below `root`, itself included."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = parent_of(entry)
            except (OSError, IndexError):
                continue  # it ended meanwhile
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


class Api:
    """The local socket itself, for questions by the thousand: one frame with a JSON object each way."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))

    def ask(self, verb, **fields):
        request = json.dumps({"verb": verb} | fields).encode()
        self.socket.sendall(struct.pack(">IB", len(request), 0) + request)
        length, _ = struct.unpack(">IB", self._exactly(5))
        reply = self._exactly(length)
        if reply[0] != 0:
            raise CommandFailed([verb], reply[0], reply[1:].decode("utf-8", "replace"))
        return json.loads(reply[1:])

    def _exactly(self, count):
        reply = b""
        while len(reply) < count:
            chunk = self.socket.recv(count - len(reply))
            if not chunk:
                raise ConnectionError("the API socket was closed")
            reply += chunk
        return reply

    def close(self):
        self.socket.close()


class World(unittest.TestCase):
    settings = {}       # on top of the ones below
    dns_records = {}
    quick_retries = {"queue.retry_seconds_first": 1, "queue.retry_seconds_max": 2, "queue.rest_seconds": 1}

    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise AssertionError("the scenarios need root: the processes run under users and in namespaces of their own")
        missing = [name for name in ("mailhold", "gatewayd", "authd", "scannerd") if not (PROGRAMS / name).exists()]
        if missing:
            raise AssertionError(f"not built: {', '.join(missing)} in {PROGRAMS}")
        # What failed is kept there. The name is short: a socket's path ends at 107 bytes.
        cls.folder = RUN / f"{pathlib.Path(sys.argv[0]).resolve().parent.name[:20]}.{os.getpid()}"
        shutil.rmtree(cls.folder, ignore_errors=True)
        cls.folder.mkdir(parents=True)
        for folder in (RUN.parent, RUN, cls.folder):
            os.chmod(folder, 0o755)
        cls.failed = False
        cls.addClassCleanup(lambda: cls.failed or shutil.rmtree(cls.folder, ignore_errors=True))
        cls.dns = DnsServer(cls.dns_records)
        cls.addClassCleanup(cls.dns.stop)
        try:
            cls.build()
        except BaseException:
            cls.failed = True
            raise

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        result = super().run(result)
        if len(result.failures) + len(result.errors) > before:
            type(self).failed = True
        return result

    @classmethod
    def build(cls):
        cls.start_mailhold()

    @classmethod
    def start_mailhold(cls, **more):
        settings = {"dns.servers": [f"127.0.0.1@{cls.dns.port}"]} | cls.quick_retries | cls.settings | more
        cls.mailhold = Mailhold(cls.folder / "mailhold", settings, users_first=52000)
        cls.addClassCleanup(lambda: cls.mailhold.stop())
        cls.mailhold.start()
        cls.mailhold.initialise()

    @classmethod
    def start_sink(cls, name="mail.example.test", **how):
        """A fake server of the company with TLS and AUTH, and a certificate of its own."""
        certificate, key = make_certificate(cls.folder, name)
        sink = SlowSmtpServer(certificate, key, **how)
        sink.name, sink.certificate, sink.key = name, certificate, key
        cls.addClassCleanup(sink.stop)
        return sink

    @classmethod
    def add_tenant(cls, name="example.test", sink=None, password="a-password-for-the-route", more=()):
        """A tenant that takes mail for every recipient of the domain of its name; with a sink, by SMTP AUTH there."""
        tenant = cls.mailhold.add_tenant(name, name)
        route = None
        if sink is not None:
            route = cls.mailhold.add_auth_route(tenant, sink.address, sink.port, sink.name, sink.certificate, ROUTE_USER, password, *more)
        cls.mailhold.wait_for_directory(f"anybody@{name}")
        return tenant, route

    @classmethod
    def send(cls, content, to="alice@example.test", sender="clara@sender.test", options=()):
        """Over SMTP as anybody would; the last reply: its code and text."""
        recipients = [to] if isinstance(to, str) else to
        with smtplib.SMTP("127.0.0.1", cls.mailhold.smtp_port, local_hostname="client.sender.test", timeout=60) as session:
            session.ehlo()
            reply = session.mail(sender, list(options))
            for recipient in recipients:
                if reply[0] == 250:
                    reply = session.rcpt(recipient)
            if reply[0] == 250:
                reply = session.data(content)
        return reply[0], reply[1].decode("utf-8", "replace")

    @classmethod
    def send_ok(cls, content, **how):
        """Returns the id that Mailhold gave the message."""
        code, text = cls.send(content, **how)
        if code != 250:
            raise AssertionError(f"not accepted: {code} {text}")
        return text.rsplit(" ", 1)[1]

    @classmethod
    def ask(cls, verb, check=True, **fields):
        """One question to the API, such as ask("queue.show", id=message); None for an error when not `check`."""
        api = Api(cls.mailhold.socket)
        try:
            return api.ask(verb, **fields)
        except CommandFailed:
            if check:
                raise
            return None
        finally:
            api.close()

    @classmethod
    def queued(cls):
        return {item["id"]: item for item in cls.ask("queue.list", limit=10000)["messages"]}

    @classmethod
    def events_of(cls, message):
        """Names of the steps in the trace of a message, as far as it is written."""
        return [event["event"] for event in (cls.ask("message.trace", check=False, id=message) or {"events": []})["events"]]

    @classmethod
    def wait_until_deferred(cls, message, attempts=1, seconds=60):
        """Until an attempt to deliver the message has failed for now; the entry of the queue."""
        def entry():
            item = cls.queued().get(message)
            return item if item and item["attempts"] >= attempts and item["state"] == "deferred" and item["recipients"][0].get("reply") else None
        wait_for(f"the failure of an attempt for {message}", entry, seconds)
        return entry() or cls.queued().get(message)

    @classmethod
    def ledger_entries(cls, tenant):
        """All events of a tenant, oldest first."""
        entries, start = [], 1
        while start:
            answer = cls.ask("ledger.show", tenant=tenant, limit=500, **{"from": start})
            entries += answer["entries"]
            start = answer.get("next")
        return entries

    @classmethod
    def intents(cls, tenant):
        return [entry for entry in cls.ledger_entries(tenant) if entry["event"].get("t", entry["event"].get("type")) == "use.intent"]

    # The processes of this installation, by their place below the supervisor.
    @classmethod
    def processes(cls):
        """{pid: name}; workers of scannerd are called "scanner", its root for them "zygote"; those of searchd "searcher" and "search-zygote"."""
        supervisor = cls.mailhold.process.pid
        named = {pid: name for name, pid in cls.mailhold.pids().items()}
        found = {supervisor: "supervisor"}
        for pid in descendants(supervisor)[1:]:
            try:
                parent = parent_of(pid)
                own_name = parent == supervisor or name_of(parent) == "authd-zygote"
                copies = {"scannerd": "zygote", "zygote": "scanner", "searchd": "search-zygote", "search-zygote": "searcher"}
                found[pid] = named.get(pid) or (name_of(pid) if own_name else copies.get(found.get(parent), "scanner"))
            except OSError:
                continue  # it ended meanwhile
        return found

    @classmethod
    def pids_of(cls, name):
        return [pid for pid, each in cls.processes().items() if each == name]


def plain_of(user, password):
    return b"\0" + user.encode() + b"\0" + password.encode()


def plain_as_sent(user, password):
    return base64.b64encode(plain_of(user, password))


def run():
    unittest.main(verbosity=2)
