"""Stands before a real server of IMAP or HTTP over TLS, with its certificate, and passes on what it is told to by `judge`: of each command or request it gives None, or the answer to give in
the server's place. Commands go on one at a time, so that an answer of its own never lies within one of the server's. After a BYE and after an answer of HTTP the session ends.
"""
import re
import select
import socket
import ssl

from listening import Listening

IS_ANSWERED = re.compile(rb"(?:^|\n)(?:\+|[^*\s]\S* (?:OK|NO|BAD))(?: [^\n]*)?\r\n$")


def imap_commands(received):
    """(whole commands, the rest); a literal that is sent without being asked for (RFC 7888) is part of its command"""
    commands, begin, at = [], 0, 0
    while (newline := received.find(b"\n", at)) >= 0:
        literal = re.search(rb"\{(\d+)\+\}\r\n$", received[at:newline + 1])
        at = newline + 1 + int(literal[1] if literal else 0)
        if at > len(received):
            break
        if not literal:
            commands.append(received[begin:at])
            begin = at
    return commands, received[begin:]


def http_requests(received):
    """(whole requests, the rest)"""
    requests = []
    while b"\r\n\r\n" in received:
        head = received.index(b"\r\n\r\n") + 4
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", received[:head])
        end = head + int(length[1] if length else 0)
        if len(received) < end:
            break
        requests.append(received[:end])
        received = received[end:]
    return requests, received


def received_from(stream):
    """What is there; b"" at the end, None where it was nothing but TLS itself (a session ticket)."""
    stream.settimeout(0)
    try:
        return stream.recv(1 << 16)
    except ssl.SSLWantReadError:
        return None
    finally:
        stream.settimeout(60)


class ThrottlingProxy(Listening):
    def __init__(self, protocol, server_port, certificate, address="127.0.0.1"):
        self.cut, self.is_imap = {"imap": imap_commands, "http": http_requests}[protocol], protocol == "imap"
        self.server_port, self.judge = server_port, lambda piece: None
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self.to_server = ssl.create_default_context()
        self.to_server.check_hostname, self.to_server.verify_mode = False, ssl.CERT_NONE
        self.listen(address)

    def serve(self, plain):
        try:
            with self.tls.wrap_socket(plain, server_side=True) as client, self.to_server.wrap_socket(socket.create_connection(("127.0.0.1", self.server_port))) as server:
                self._pass_on(client, server)
                client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _pass_on(self, client, server):
        received, waiting, tail, is_answered = b"", [], b"", True
        while True:
            ready = [each for each in (client, server) if each.pending()] or select.select([client, server], [], [], 120)[0]
            if not ready:
                return
            if server in ready:
                piece = received_from(server)
                if piece == b"":
                    return
                client.sendall(piece or b"")
                tail = (tail + (piece or b""))[-4096:]
                is_answered = is_answered or IS_ANSWERED.search(tail) is not None
            if client in ready:
                piece = received_from(client)
                if piece == b"":
                    return
                commands, received = self.cut(received + (piece or b""))
                waiting += commands
            while waiting and is_answered:
                command = waiting.pop(0)
                answer = self.judge(command)
                if answer is None:
                    server.sendall(command)
                    is_answered, tail = not self.is_imap, b""
                    continue
                client.sendall(answer)
                if answer.startswith((b"* BYE", b"HTTP/")):
                    return
