"""An SMTP server that a test holds in its hand: it takes mail like a company's server, keeps a log of its own of
every AUTH, message and byte, can stop at the moment after an AUTH arrived, and can be as bad as a test wants it.
"""
import base64
import re
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field


@dataclass
class Auth:
    at: float          # seconds since 1970, when the line was complete
    plain: bytes       # the decoded PLAIN message
    connection: int


@dataclass
class Message:
    at: float          # when its last byte was complete, before the reply
    mail_from: str
    options: str       # what stood behind the reverse path
    rcpt_to: list
    content: bytes     # dots undone
    connection: int

    @property
    def envelope_id(self):
        found = re.search(r"ENVID=(\S+)", self.options, re.I)
        return found[1] if found else ""


@dataclass
class Connection:
    number: int
    received: bytearray = field(default_factory=bytearray)  # everything the client said, inside TLS too
    tls: bool = False


class SlowSmtpServer:
    """`certificate`, `key`: files; without them there is no STARTTLS. `starttls=False` hides it although TLS could be done."""

    def __init__(self, certificate=None, key=None, address="127.0.0.1", port=0, starttls=True, auth=True, users=None):
        self.context = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate, key)
        self.starttls, self.auth, self.users = starttls, auth, users
        self.on_recipient = lambda address: None   # a reply such as "550 5.1.1 no such user" instead of 250
        self.on_message = lambda message: None     # likewise at the end of data; the message is then not taken
        self.on_auth = lambda auth: None           # called before the reply to AUTH
        self.auths, self.messages, self.connections = [], [], []
        self.changed = threading.Condition()
        self._gate = threading.Event()
        self._gate.set()
        self._sockets = set()
        self._listener = None
        self.address, self.port = address, port
        self.listen()

    # Being there and not being there.
    def listen(self):
        listener = socket.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.address, self.port))
        listener.listen(256)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def hang_up(self):
        """Nobody listens any more and open sessions end; listen() comes back on the same port."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self.changed:
            sockets, self._sockets = self._sockets, set()
        for each in sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        self._gate.set()
        self.hang_up()

    # Stopping between AUTH and its reply.
    def hold_auth(self):
        self._gate.clear()

    def release_auth(self):
        self._gate.set()

    def wait(self, what, ready, seconds=30):
        """Until `ready()`, looked at whenever something happened here."""
        with self.changed:
            if not self.changed.wait_for(ready, seconds):
                raise TimeoutError(f"{what} did not happen in {seconds} s")

    def stays(self, seconds, happened):
        """True if `happened()` does not come true within that time."""
        with self.changed:
            return not self.changed.wait_for(happened, seconds)

    def heard(self):
        """Every byte of every client."""
        with self.changed:
            return b"\n".join(bytes(each.received) for each in self.connections)

    def _note(self, where, what):
        with self.changed:
            where.append(what)
            self.changed.notify_all()

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            connection = Connection(len(self.connections))
            with self.changed:
                self._sockets.add(client)
            self._note(self.connections, connection)
            threading.Thread(target=self._serve, args=(client, connection), daemon=True).start()

    def _serve(self, client, connection):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = _Session(self, client, connection)
        try:
            session.run()
        except (OSError, ssl.SSLError, EOFError):
            pass
        finally:
            with self.changed:
                self._sockets.discard(session.socket)
                self.changed.notify_all()
            session.socket.close()


class _Session:
    def __init__(self, server, client, connection):
        self.server, self.socket, self.connection = server, client, connection
        self.pending = b""
        self.mail_from = self.options = None
        self.rcpt_to = []

    def say(self, *lines):
        text = "".join(f"{line[:3]}{'-' if line is not lines[-1] else ' '}{line[4:]}\r\n" for line in lines)
        self.socket.sendall(text.encode())

    def more(self):
        chunk = self.socket.recv(65536)
        if not chunk:
            raise EOFError
        with self.server.changed:
            self.connection.received += chunk
            self.server.changed.notify_all()
        self.pending += chunk

    def line(self):
        while b"\r\n" not in self.pending:
            self.more()
        line, self.pending = self.pending.split(b"\r\n", 1)
        return line.decode("utf-8", "replace")

    def run(self):
        self.say("220 fake.test ready")
        while True:
            line = self.line()
            verb = line.split(" ")[0].upper()
            if verb == "QUIT":
                return self.say("221 2.0.0 bye")
            {"EHLO": self.hello, "STARTTLS": self.tls, "AUTH": self.sign_in, "MAIL": self.mail, "RCPT": self.rcpt,
             "DATA": self.data, "RSET": self.reset}.get(verb, self.unknown)(line)

    def unknown(self, line):
        self.say("250 2.0.0 fine" if line.upper() == "NOOP" else "502 5.5.1 not known here")

    def hello(self, line):
        server, offers = self.server, ["250 fake.test", "250 PIPELINING", "250 8BITMIME", "250 ENHANCEDSTATUSCODES", "250 DSN", "250 SIZE 100000000"]
        if server.context is not None and server.starttls and not self.connection.tls:
            offers.append("250 STARTTLS")
        if server.auth and (self.connection.tls or server.context is None or not server.starttls):
            offers.append("250 AUTH PLAIN")  # a server that hides STARTTLS begs for the password in clear text
        self.say(*offers)

    def tls(self, line):
        if self.server.context is None or not self.server.starttls:
            return self.say("502 5.5.1 no TLS here")
        self.say("220 2.0.0 go on")
        plain = self.socket
        self.socket = self.server.context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        with self.server.changed:
            self.server._sockets.discard(plain)
            self.server._sockets.add(self.socket)
        self.socket.do_handshake()
        self.connection.tls = True
        self.pending = b""

    def sign_in(self, line):
        words = line.split(" ")
        if len(words) < 3:
            self.say("334 ")
            words = ["AUTH", "PLAIN", self.line()]
        auth = Auth(time.time(), base64.b64decode(words[2]), self.connection.number)
        self.server._note(self.server.auths, auth)
        self.server.on_auth(auth)
        self.server._gate.wait()
        user, password = (auth.plain.split(b"\0") + [b"", b""])[1:3]
        known = self.server.users is None or self.server.users.get(user.decode()) == password.decode()
        self.say("235 2.7.0 welcome" if known else "535 5.7.8 no")

    def mail(self, line):
        path, _, self.options = line[10:].partition(">")
        self.mail_from, self.rcpt_to = path.strip().lstrip("<"), []
        self.say("250 2.1.0 fine")

    def rcpt(self, line):
        address = line[8:].partition(">")[0].strip().lstrip("<")
        reply = self.server.on_recipient(address)
        if reply is None:
            self.rcpt_to.append(address)
        self.say(reply or "250 2.1.5 fine")

    def reset(self, line):
        self.mail_from, self.rcpt_to = None, []
        self.say("250 2.0.0 fine")

    def data(self, line):
        if not self.rcpt_to:
            return self.say("554 5.5.1 nobody to give it to")
        self.say("354 go on")
        while not self.pending.startswith(b".\r\n") and b"\r\n.\r\n" not in self.pending:
            self.more()
        if self.pending.startswith(b".\r\n"):
            content, self.pending = b"", self.pending[3:]
        else:
            content, self.pending = self.pending.split(b"\r\n.\r\n", 1)
            content += b"\r\n"
        content = re.sub(rb"(?m)^\.", b"", content)
        message = Message(time.time(), self.mail_from, self.options, self.rcpt_to, content, self.connection.number)
        reply = self.server.on_message(message)
        if reply is None:
            self.server._note(self.server.messages, message)
        self.mail_from, self.rcpt_to = None, []
        self.say(reply or "250 2.0.0 taken")
