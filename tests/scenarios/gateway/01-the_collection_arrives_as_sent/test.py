#!/usr/bin/python3
"""500 real messages go through the gateway, the company's Postfix and Dovecot, and are read back over IMAP: each is what was
sent, but for the fields that were added in front of it and the links that were rewritten, and those open to the links that
stood there.
"""
import concurrent.futures
import csv
import email
import html
import imaplib
import pathlib
import re
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import PEERS_ROOT, ROUTE_USER, Api, CommandFailed, Peers, World, collection, run, wait_for

WANTED = 500
ALICE, PASSWORD = "alice@example.test", "alice-reads-mail"
ADDED = re.compile(rb"(?:(?:Return-Path|Delivered-To|Received|Authentication-Results|X-Mailhold-[\w-]+):[^\r]*\r\n(?:[ \t][^\r]*\r\n)*)+")
# As they come from company to company: nothing else may be changed on the way.
UNCHANGED_BY_POSTFIX = """message_drop_headers =
local_header_rewrite_clients =
lmtp_line_length_limit = 0
header_size_limit = 1000000
message_size_limit = 100000000
"""


def as_sent(stored):
    """The message as a client sends it: without the mailbox's first line, with CRLF."""
    lines = stored.replace(b"\r\n", b"\n")
    if lines.startswith(b"From "):
        lines = lines.split(b"\n", 1)[1]
    if not lines.endswith(b"\n"):
        lines += b"\n"
    return lines.replace(b"\n", b"\r\n")


def read_collection():
    folder = collection("spamassassin-public-corpus")
    with open(folder / "LABELS.tsv") as labels:
        names = [row["file"] for row in csv.DictReader(labels, delimiter="\t") if row["label"] == "ham"]
    return [as_sent((folder / name).read_bytes()) for name in names]


def canonical(url):
    """One writing for an address that may be written in several ways: what a browser would ask for."""
    url = re.sub(r"[\t\r\n]", "", html.unescape(url).strip("".join(map(chr, range(33)))))
    parts = urllib.parse.urlsplit(url)
    host = (parts.hostname or "").lower()
    port = f":{parts.port}" if parts.port not in (None, {"http": 80, "https": 443}.get(parts.scheme.lower())) else ""
    rest = urllib.parse.unquote(urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, parts.fragment)), "latin-1")
    return f"{parts.scheme.lower()}://{host}{port}{rest}"


class Links:
    """Compares text with rewritten links to what it was."""

    def __init__(self, base, api):
        self.wrapped = re.compile(re.escape(base) + r"/[\w.-]+/[\w-]+")
        self.api = api
        self.opened = 0

    def same(self, before, after):
        """Nothing, or what differs."""
        links = self.wrapped.findall(after)
        pattern = "(.{1,8192}?)".join(re.escape(piece) for piece in self.wrapped.split(after))
        found = re.fullmatch(pattern, before, re.S)
        if found is None:
            return "text around the links differs"
        for link, written in zip(links, found.groups()):
            self.opened += 1
            try:
                behind = self.api.ask("link.open", link=link)["url"]
            except CommandFailed as error:
                return f"{written!r} became {link!r}, which does not open: {error.message}"
            if canonical(behind) != canonical(written):
                return f"{written!r} became a link to {behind!r}"
        return None


def parts_of(content):
    """(header, decoded body) of each part that has no parts; the decoding undoes base64 and quoted-printable."""
    for part in email.message_from_bytes(content).walk():
        body = None if part.is_multipart() else (part.get_payload(decode=True) or b"")
        yield [(name, str(value)) for name, value in part.raw_items()], body


def difference(sent, received, links):
    """Nothing when `received` is `sent` with added fields and rewritten links; else what differs."""
    if received.endswith(sent):
        added = received[:-len(sent)]
        return None if ADDED.fullmatch(added) else f"in front of it stands {added[:200]!r}"
    head, _, _ = sent.partition(b"\r\n\r\n")
    at = received.find(head + b"\r\n\r\n")
    if at < 0:
        return "the header differs"
    if not ADDED.fullmatch(received[:at]):
        return f"in front of it stands {received[:at][:200]!r}"
    before, after = list(parts_of(sent)), list(parts_of(received[at:]))
    if len(before) != len(after):
        return "there is another number of parts"
    for (header, body), (new_header, new_body) in zip(before, after):
        if header != new_header:
            return "the header of a part differs"
        if body != new_body:
            wrong = links.same(body.decode("latin-1"), new_body.decode("latin-1"))
            if wrong:
                return wrong
    return None


class TheCollectionArrivesAsSent(World):
    @classmethod
    def build(cls):
        cls.messages = read_collection()
        cls.peers = Peers(PEERS_ROOT, cls.folder / "peers")
        cls.addClassCleanup(lambda: cls.peers.stop())
        cls.peers.start_dovecot({ALICE: PASSWORD, ROUTE_USER: "route-password"})
        cls.peers.start_postfix("example.test", extra=UNCHANGED_BY_POSTFIX)
        cls.start_mailhold()
        cls.tenant = cls.mailhold.add_tenant("example.test", "example.test")
        for rule in ("virus", "dmarc_reject", "blocked_type", "unscannable"):
            cls.mailhold.cli("tenant", "set", cls.tenant, rule, "deliver")  # so that nothing but malformed mail is held
        cls.mailhold.add_auth_route(cls.tenant, "127.0.0.1", cls.peers.smtp_port, "mail.example.test", cls.peers.certificate, ROUTE_USER, "route-password")
        cls.mailhold.wait_for_directory(ALICE)

    def send_numbered(self, number, content):
        options = ["BODY=8BITMIME"] if any(byte > 127 for byte in content) else []
        return number, self.send(content, to=f"alice+{number}@example.test", sender=f"writer@sender{number}.test", options=options)

    def send_collection(self):
        """Sends until enough are accepted: {number: content}, and the replies to those that were not."""
        accepted, refused, rest = {}, [], iter(enumerate(self.messages))
        with concurrent.futures.ThreadPoolExecutor(8) as senders:
            while len(accepted) < WANTED:
                batch = [pair for _, pair in zip(range(WANTED - len(accepted)), rest)]
                if not batch:
                    break
                for number, (code, text) in senders.map(lambda pair: self.send_numbered(*pair), batch):
                    if code == 250:
                        accepted[number] = self.messages[number]
                    else:
                        refused.append((number, f"{code} {text}"))
        return accepted, refused

    def inbox(self):
        """{number: content} of what Dovecot has; the number stands in the address it was delivered to."""
        with imaplib.IMAP4("127.0.0.1", self.peers.imap_port) as connection:
            connection.login(ALICE, PASSWORD)
            connection.select("INBOX", readonly=True)
            fetched = [item[1] for item in connection.fetch("1:*", "(BODY.PEEK[])")[1] if isinstance(item, tuple)]
        return {int(re.search(rb"alice\+(\d+)@example\.test", content)[1]): content for content in fetched}

    def count_in_inbox(self):
        with imaplib.IMAP4("127.0.0.1", self.peers.imap_port) as connection:
            connection.login(ALICE, PASSWORD)
            return int(connection.select("INBOX", readonly=True)[1][0])

    def test_every_message_is_equal_but_for_added_fields_and_links(self):
        accepted, refused = self.send_collection()
        for number, reply in refused:
            self.assertRegex(reply, r"^550 .*(bare|NUL)", f"message {number} is refused")
        self.assertEqual(len(accepted), WANTED, f"the collection gives only {len(accepted)}; refused: {refused}")
        held = self.ask("held.list", tenant=self.tenant, limit=1000)["messages"]
        arrive = WANTED - len(held)
        wait_for("all of them in the inbox", lambda: self.count_in_inbox() >= arrive, 120)
        held = self.ask("held.list", tenant=self.tenant, limit=1000)["messages"]
        received = self.inbox()
        links = Links(self.mailhold.settings["links.base"], Api(self.mailhold.socket))
        self.addCleanup(links.api.close)
        differing = {number: difference(accepted[number], content, links) for number, content in received.items()}
        differing = {number: what for number, what in differing.items() if what is not None}
        untouched = sum(content.endswith(accepted[number]) for number, content in received.items())
        print(f"sent {WANTED} messages, not counted: {len(refused)} with bare newlines or NUL; held as malformed {len(held)}; read back {len(received)}: "
              f"{untouched} untouched, {len(received) - untouched - len(differing)} equal but for {links.opened} rewritten links, {len(differing)} differing", flush=True)
        self.assertEqual(differing, {})
        self.assertEqual({item["held_for"] for item in held} - {"malformed"}, set())
        self.assertLessEqual(len(held), WANTED * 0.005, [item["reasons"] for item in held])
        self.assertEqual(len(received), WANTED - len(held), "nothing is lost")
        self.assertGreater(links.opened, 100, "the collection has links")


if __name__ == "__main__":
    run()
