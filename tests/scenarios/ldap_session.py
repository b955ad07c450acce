"""As much of LDAP as a worker needs that searches: over a session that is bound already."""

PAGED_RESULTS = b"1.2.840.113556.1.4.319"
DONE, REFERENCE = 0x65, 0x73


def element(tag, content):
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + content


def number(tag, value):
    return element(tag, value.to_bytes(2 if value > 127 else 1, "big"))


def elements(content):
    """(tag, content) of all elements, one after the other."""
    while content:
        head = 2 + (content[1] & 0x7f if content[1] & 0x80 else 0)
        size = int.from_bytes(content[2:head], "big") if content[1] & 0x80 else content[1]
        yield content[0], content[head:head + size]
        content = content[head + size:]


class Ldap:
    def __init__(self, session):
        self.session, self.rest, self.cookie = session, b"", b""
        session.settimeout(30)

    def ask(self, operation, controls=b""):
        self.session.sendall(element(0x30, number(2, 5) + operation + controls))

    def search(self, base, attributes, name="objectClass", page=0):
        """`page`: entries of one page; the next page is what the last answer's cookie asks for."""
        names = b"".join(element(4, each.encode()) for each in attributes)
        controls = b""
        if page:
            controls = element(0xa0, element(0x30, element(4, PAGED_RESULTS) + element(4, element(0x30, number(2, page) + element(4, self.cookie)))))
        self.ask(element(0x63, element(4, base.encode()) + number(10, 2) + number(10, 0) + number(2, 0) + number(2, 0) + element(1, b"\0") + element(0x87, name.encode()) + element(0x30, names)),
                 controls)

    def message(self):
        """(tag of the operation, its content, what follows it), or None when the session is over."""
        while True:
            if len(self.rest) >= 2:
                head = 2 + (self.rest[1] & 0x7f if self.rest[1] & 0x80 else 0)
                size = int.from_bytes(self.rest[2:head], "big") if self.rest[1] & 0x80 else self.rest[1]
                if len(self.rest) >= head + size:
                    inner, self.rest = self.rest[head:head + size], self.rest[head + size:]
                    _, (tag, content), *more = elements(inner)
                    return tag, content, more
            chunk = self.session.recv(65536)
            if not chunk:
                return None
            self.rest += chunk

    def results(self):
        """(entries, result code or None when the session ended)."""
        entries = []
        while message := self.message():
            tag, content, more = message
            if tag == DONE:
                self.cookie = b""
                for _, controls in more:
                    for _, control in elements(controls):
                        parts = list(elements(control))
                        if parts[0][1] == PAGED_RESULTS:
                            (_, value), = elements(parts[-1][1])
                            self.cookie = list(elements(value))[1][1]
                return entries, next(elements(content))[1][0]
            if tag != REFERENCE:
                entries.append(content)
        return entries, None
