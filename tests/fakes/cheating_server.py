"""A server of one mail, directory or web protocol that is good, or cheats in the one way it is told, and keeps all it hears: what came
in clear text apart from what came inside TLS. With `play("good")` it lets in whoever says a password, so that a test can see that it
would have heard one.

The ways to cheat: another identity for its TLS (a name of `identities`), or one of `clear_text_cheats`, or "slow", "endless".
"""
import ssl
import threading

from listening import Listening

clear_text_cheats = ("strips STARTTLS", "refuses STARTTLS", "injects behind STARTTLS", "goes on without TLS")
START_TLS = object()
LDAP_STARTED, LDAP_REFUSED = (bytes.fromhex("300c0201017807" + code + "04000400") for code in ("0a0100", "0a0134"))
LDAP_BOUND = bytes.fromhex("300c02010261070a010004000400")


class CheatingServer(Listening):
    def __init__(self, protocol, identities, implicit=False, address="127.0.0.1", port=0):
        self.protocol, self.identities, self.implicit = protocol, identities, implicit
        self.answer = getattr(self, f"_{protocol}")
        self.stopped = threading.Event()
        self.play("good")
        self.listen(address, port)

    def play(self, how):
        self.how, self.connections, self.clear, self.protected = how, 0, b"", b""

    def stop(self):
        self.stopped.set()
        super().stop()

    def served_with(self):
        return (self.how,)

    def serve(self, stream, how):
        try:
            stream.settimeout(20)
            if how == "slow" or how == "endless":
                return self._talk_without_end(stream, how)
            inside = False
            if self.implicit and how != "goes on without TLS":
                stream, inside = self._start_tls(stream, how), True
            stream.sendall({"smtp": b"220 hello\r\n", "imap": b"* OK hello\r\n", "pop3": b"+OK hello\r\n"}.get(self.protocol, b""))
            heard = b""
            while chunk := stream.recv(65536):
                if not inside and chunk.startswith(b"\x16\x03"):
                    stream.sendall(b"no TLS here\r\n")  # a client begins its handshake
                if inside:
                    self.protected += chunk
                else:
                    self.clear += chunk
                heard += chunk
                while unit := self._unit(heard):
                    heard = heard[len(unit):]
                    for each in self.answer(unit, how, inside):
                        if each is START_TLS:
                            stream, inside, heard = self._start_tls(stream, how), True, b""
                        else:
                            stream.sendall(each)
        except OSError:
            pass  # the client has had enough
        finally:
            stream.close()

    def _start_tls(self, stream, how):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.identities.get(how, self.identities["good"]))
        return context.wrap_socket(stream, server_side=True)

    def _talk_without_end(self, stream, how):
        if self.implicit and how == "endless":
            stream = self._start_tls(stream, how)
        begin, more = {"smtp": (b"220-", b"220-more\r\n"), "imap": (b"* OK hello\r\n", b"* OK more\r\n"), "pop3": (b"+OK ", b"x"), "ldap": (b"\x30\x84\x7f\xff\xff\xff", b"x" * 64), "http": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")}[self.protocol]
        if how == "slow":
            letter = begin[:1]
            if self.implicit:
                stream.sendall(b"\x16\x03\x03\x10\x00\x02\x00\x0f\xfc")  # the head of a ServerHello of 4 KiB
                letter = b"\0"
            while not self.stopped.wait(4):  # one now and then, which never makes a line or a record
                stream.sendall(letter)
        stream.sendall(begin)
        while not self.stopped.is_set():
            stream.sendall(more * 200)

    def _unit(self, heard):
        """The first whole command; b"" while there is none."""
        if self.protocol == "ldap":
            if len(heard) < 2:
                return b""
            head = 2 + (heard[1] & 0x7f if heard[1] & 0x80 else 0)
            size = int.from_bytes(heard[2:head], "big") if heard[1] & 0x80 else heard[1]
            return heard[:head + size] if heard[0] == 0x30 and len(heard) >= head + size else b""
        end = heard.find(b"\r\n\r\n" if self.protocol == "http" else b"\r\n")
        return heard[:end + (4 if self.protocol == "http" else 2)] if end >= 0 else b""

    @staticmethod
    def _go(how, yes, no, injected):
        if how == "refuses STARTTLS":
            return [no]
        if how == "injects behind STARTTLS":
            return [yes + injected, START_TLS]
        return [yes] if how == "goes on without TLS" else [yes, START_TLS]

    def _smtp(self, line, how, inside):
        verb = line.split()[0].upper() if line.strip() else b""
        if verb == b"EHLO":
            offer = b"250-STARTTLS\r\n" if not inside and how != "strips STARTTLS" else b""
            return [b"250-cheat\r\n" + offer + b"250 AUTH PLAIN LOGIN\r\n"]
        if verb == b"STARTTLS":
            return self._go(how, b"220 go on\r\n", b"454 not now\r\n", b"250-cheat\r\n250 AUTH PLAIN\r\n235 in\r\n250 fine\r\n")
        if verb == b"DATA":
            return [b"354 go on\r\n"]
        known = {b"AUTH": b"235 in\r\n", b"MAIL": b"250 fine\r\n", b"RCPT": b"250 fine\r\n", b".": b"250 taken\r\n", b"QUIT": b"221 bye\r\n"}
        return [known[verb]] if verb in known else []

    def _imap(self, line, how, inside):
        tag, _, command = line.strip().partition(b" ")
        if not command:
            return [b"m" + str(self._last).encode() + b" OK in\r\n"]  # the credential
        self._last = int(tag[1:])
        if command == b"CAPABILITY":
            offer = b" STARTTLS" if not inside and how != "strips STARTTLS" else b""
            return [b"* CAPABILITY IMAP4rev1 AUTH=PLAIN" + offer + b"\r\n" + tag + b" OK\r\n"]
        if command == b"STARTTLS":
            return self._go(how, tag + b" OK go on\r\n", tag + b" NO\r\n", b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nm3 OK\r\n+ \r\nm4 OK\r\n")
        return [b"+ \r\n"] if command.startswith(b"AUTHENTICATE") else [tag + b" OK\r\n"]

    def _pop3(self, line, how, inside):
        line = line.strip()
        if line == b"CAPA":
            offer = b"STLS\r\n" if not inside and how != "strips STARTTLS" else b""
            return [b"+OK\r\nSASL PLAIN\r\n" + offer + b".\r\n"]
        if line == b"STLS":
            return self._go(how, b"+OK go on\r\n", b"-ERR\r\n", b"+OK\r\nSASL PLAIN\r\n.\r\n+ \r\n+OK in\r\n")
        return [b"+ \r\n"] if line == b"AUTH PLAIN" else [b"+OK\r\n"]

    def _ldap(self, message, how, inside):
        if b"\x77" in message[4:6]:
            return self._go("refuses STARTTLS" if how == "strips STARTTLS" else how, LDAP_STARTED, LDAP_REFUSED, LDAP_BOUND)
        return [LDAP_BOUND] if b"\x60" in message[4:6] else []

    def _http(self, request, how, inside):
        return [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"]
