"""The owner of a mailbox at the peer's Dovecot, with a mail program of its own: what it sees is what a backup is compared with. Nothing of Mailhold's
reading of IMAP is used here.
"""
import base64
import hashlib
import imaplib
import os
import re
import ssl
import time

imaplib._MAXLINE = 10_000_000


def modified_utf7(name):
    """RFC 3501 section 5.1.3."""
    def encode(match):
        return "&" + base64.b64encode(match[0].encode("utf-16be")).decode().rstrip("=").replace("/", ",") + "-"
    return re.sub(r"[^\x20-\x7e]+", encode, name.replace("&", "&-"))


def quoted(name):
    return '"' + modified_utf7(name) + '"'


class Owner:
    def __init__(self, port, user, password):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.imap = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context)
        self.ok(self.imap.login(user, password))

    @staticmethod
    def ok(answer):
        if answer[0] != "OK":
            raise AssertionError(answer)
        return answer[1]

    def close(self):
        self.imap.logout()

    def create(self, *names):
        for name in names:
            self.ok(self.imap.create(quoted(name)))

    def append(self, folder, content, flags="", at=None):
        self.ok(self.imap.append(quoted(folder), f"({flags})", imaplib.Time2Internaldate(at or time.time()), content))

    def append_as_it_is(self, folder, content):
        """Whether the server takes it. append() of the library makes CRLF of all line ends."""
        self.imap.literal = content
        return self.imap._simple_command("APPEND", quoted(folder), "()", imaplib.Time2Internaldate(1_700_000_000))[0] == "OK"

    def contents_in_order(self, folder):
        self.select(folder, True)
        return [part[1] for part in self.ok(self.imap.fetch("1:*", "(BODY.PEEK[])")) if isinstance(part, tuple)]

    def delete(self, folder):
        self.imap.unselect()
        self.ok(self.imap.delete(quoted(folder)))

    def select(self, folder, readonly=False):
        return int(self.ok(self.imap.select(quoted(folder), readonly))[0])

    def uid(self, *words):
        return self.ok(self.imap.uid(*words))

    def uids(self, folder):
        self.select(folder)
        return self.uid("SEARCH", "ALL")[0].split()

    def folders(self):
        return sorted(re.search(rb'"([^"]*)"$|(\S+)$', line).group(0).strip(b'"').decode() for line in self.ok(self.imap.list()))

    def messages(self, encoded):
        """[(content, flags, received date)] of a folder, in no order that matters."""
        self.ok(self.imap.select(f'"{encoded}"', readonly=True))
        found = []
        for part in self.ok(self.imap.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")) if self.ok(self.imap.status(f'"{encoded}"', "(MESSAGES)"))[0].find(b"MESSAGES 0") < 0 else []:
            if isinstance(part, tuple):
                flags = tuple(sorted(flag for flag in imaplib.ParseFlags(part[0]) if flag != b"\\Recent"))
                found.append((part[1], flags, imaplib.Internaldate2tuple(part[0])))
        return sorted(found)

    def picture(self):
        """All of the mailbox: {folder: [(content, flags, date)]}."""
        return {folder: self.messages(folder) for folder in self.folders()}


def fingerprint(content):
    return hashlib.sha256(content).hexdigest()


def attachment(size):
    return base64.encodebytes(os.urandom(size)).replace(b"\n", b"\r\n")
