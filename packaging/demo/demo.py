#!/usr/bin/python3
"""Shows Mailhold doing its job: real servers, real mail, every step read back and checked.

The company example.test has a mail server of its own: Postfix, which takes mail only over TLS from who signs in, and
Dovecot behind it. Mailhold stands in front. Exit code 0 only if every step held.
"""
import http.client
import imaplib
import json
import os
import pathlib
import re
import signal
import smtplib
import sys
import threading
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(REPOSITORY / "tests/peers"))
from dav_owner import DavOwner, binary, vevent  # noqa: E402
from installation import Mailhold  # noqa: E402
from peers import Peers, wait_for  # noqa: E402

RUN = REPOSITORY / "run"
ALICE, ALICE_PASSWORD = "alice@example.test", "alice-reads-mail"
ROUTE_USER, ROUTE_PASSWORD = "mailhold-route", "only-keyd-and-authd-know-this"
failed = []


def say(text=""):
    print(text, flush=True)


def head(text):
    say(f"\n== {text}")


def check(what, held, detail=""):
    """One line of the transcript; what does not hold makes the whole run fail."""
    say(f"   {'ok ' if held else 'NOT'} {what}" + (f": {detail}" if detail else ""))
    if not held:
        failed.append(what)
    return held


def zones():
    key = (HERE / "dkim-key.txt").read_text().strip()
    quoted = " ".join(f'"{key[i:i + 200]}"' for i in range(0, len(key), 200))
    return {
        "example.test": "@ MX 10 mail\nmail A 127.0.0.1\ndav A 127.0.0.1\n",
        "sender.test": '@ MX 10 mail\nmail A 127.0.0.1\n@ TXT "v=spf1 ip4:127.0.0.1 -all"\n_dmarc TXT "v=DMARC1; p=reject"\n',
        "bank.test": '@ MX 10 mail\nmail A 127.0.0.1\n@ TXT "v=spf1 ip4:192.0.2.1 -all"\n_dmarc TXT "v=DMARC1; p=reject"\n',
        "signed.test": '@ MX 10 mail\nmail A 127.0.0.1\n@ TXT "v=spf1 -all"\n_dmarc TXT "v=DMARC1; p=reject"\n'
                       f'demo._domainkey TXT "v=DKIM1; k=rsa; p=" {quoted}\n',
    }


def send(mailhold, name, sender):
    """Sends a sample with a real SMTP client; the reply to the end of data."""
    message = (HERE / "mails" / name).read_bytes()
    with smtplib.SMTP("127.0.0.1", mailhold.smtp_port, timeout=60) as session:
        session.ehlo("client.sender.test")
        session.starttls()
        session.ehlo("client.sender.test")
        session.mail(sender)
        session.rcpt(ALICE)
        code, text = session.data(message)
    return code, text.decode()


class Inbox:
    def __init__(self, port):
        self.connection = imaplib.IMAP4("127.0.0.1", port)
        self.connection.login(ALICE, ALICE_PASSWORD)

    def find(self, message_id):
        self.connection.select("INBOX", readonly=True)
        found = self.connection.search(None, "HEADER", "Message-ID", f'"{message_id}"')[1][0].split()
        return self.connection.fetch(found[-1], "(BODY.PEEK[])")[1][0][1] if found else None

    def messages(self, folder):
        """All of a folder: contents, flags, dates."""
        self.connection.select(f'"{folder}"', readonly=True)
        parts = self.connection.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
        return sorted((part[1], sorted(flag for flag in imaplib.ParseFlags(part[0]) if flag != b"\\Recent"), imaplib.Internaldate2tuple(part[0]))
                      for part in parts if isinstance(part, tuple))

    def copy_all(self, folder):
        self.connection.create(f'"{folder}"')
        self.connection.select("INBOX")
        self.connection.store("1:*", "+FLAGS", "(\\Seen \\Flagged $Project)")
        self.connection.copy("1:*", f'"{folder}"')

    def destroy(self, folder):
        self.connection.select("INBOX", readonly=True)
        self.connection.delete(f'"{folder}"')

    def wait(self, message_id, seconds=30):
        wait_for(f"delivery of {message_id}", lambda: self.find(message_id) is not None, seconds)
        return self.find(message_id)


def click(url, language="en"):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request("GET", parts.path + (f"?{parts.query}" if parts.query else ""), headers={"Accept-Language": language})
    reply = connection.getresponse()
    return reply.status, reply.getheader("Location"), reply.read().decode()


def body_of(message):
    return message.split(b"\r\n\r\n", 1)[1]


def authentication_of(message):
    text = re.sub(rb"\r\n[ \t]+", b" ", message)
    found = re.search(rb"^Authentication-Results: (.*)$", text, re.M)
    return found[1].decode().strip() if found else "(none)"


def set_up(mailhold, peers):
    head("Setting up: keys, an operator, the company example.test and the way to its mail server")
    mailhold.initialise()
    say("   the region has its keys, sealed with a passphrase; the first operator has a key of its own")
    tenant = mailhold.add_tenant("example.test", "example.test", ["alice"])
    say(f"   tenant {tenant} takes mail for alice@example.test")
    mailhold.cli("link", "deny", tenant, "*.evil.test")
    route = mailhold.add_auth_route(tenant, "127.0.0.1", peers.smtp_port, "mail.example.test", peers.certificate, ROUTE_USER, ROUTE_PASSWORD)
    say(f"   route {route}: Postfix, TLS required, certificate of mail.example.test, SMTP AUTH; its password is sealed to keyd")
    mailhold.wait_for_directory(ALICE)
    return tenant, route


def show_plain(mailhold, inbox):
    head("A plain message")
    code, text = send(mailhold, "01-plain.eml", "clara@sender.test")
    check("accepted, durable before the reply", code == 250, f"{code} {text}")
    message = inbox.wait("<plain-1@sender.test>")
    sent = (HERE / "mails/01-plain.eml").read_bytes()
    check("Dovecot has it, body byte for byte", body_of(message) == body_of(sent))
    check("authenticated", "spf=pass" in authentication_of(message) and "dmarc=pass" in authentication_of(message), authentication_of(message))


def show_links(mailhold, inbox):
    head("HTML with links and attachments")
    code, text = send(mailhold, "02-html-links-attachments.eml", "news@sender.test")
    check("accepted", code == 250, f"{code} {text}")
    message = inbox.wait("<html-1@sender.test>").decode("utf-8", "replace")
    base = mailhold.settings["links.base"]
    links = re.findall(re.escape(base) + r"/[^\s\"'<>]+", message.replace("=\r\n", ""))
    check("all four links are rewritten, readable host first", len(links) == 4 and "https://parcel.sender.test" not in message, links[0] if links else "none")
    check("the mail address link and the attachments are untouched", "mailto:help@sender.test" in message and "invoice-4711.csv" in message)
    good = next((link for link in links if "parcel.sender.test" in link), base)
    bad = next((link for link in links if "evil.test" in link), base)
    status, location, _ = click(good)
    check("a click on the good one is let through", status == 302 and str(location).startswith("https://parcel.sender.test/track?id=4711"), f"{status} to {location}")
    status, location, page = click(bad)
    check("a click on the bad one is blocked, in English", status == 403 and location is None and "<html lang=\"en\"" in page, f"{status}")
    status, location, page = click(bad, "de")
    check("and in German", status == 403 and "<html lang=\"de\"" in page, f"{status}")
    status, location, _ = click(good[:-2] + ("AA" if good[-2:] != "AA" else "BB"))
    check("a forged link never leads anywhere", location is None and status in (400, 403, 404), f"{status}")
    return {"good": good, "bad": bad}


def show_signed(mailhold, inbox):
    head("A DKIM-signed message")
    code, text = send(mailhold, "05-dkim-signed.eml", "dora@signed.test")
    check("accepted", code == 250, f"{code} {text}")
    message = inbox.wait("<signed-1@signed.test>")
    check("the signature holds, so DMARC passes though SPF fails", "dkim=pass" in authentication_of(message) and "dmarc=pass" in authentication_of(message),
          authentication_of(message))


def show_held(mailhold, inbox, tenant):
    head("A message with a virus (the harmless EICAR test file), and one that pretends to be a bank")
    for name, sender in (("03-virus-test-file.eml", "friend@sender.test"), ("04-spoofed.eml", "service@bank.test")):
        code, text = send(mailhold, name, sender)
        check(f"{name}: taken, but not let through", code == 250, f"{code} {text}")
    wait_for("the held list", lambda: len(mailhold.cli("held", "list", "--tenant", tenant)["messages"]) == 2)
    held = mailhold.cli("held", "list", "--tenant", tenant)["messages"]
    for item in held:
        say(f"       held {item['id']}: {item['held_for']}: {item['subject']}")
    check("both are held with their reason", sorted(item["held_for"] for item in held) == ["dmarc_reject", "virus"])
    check("Dovecot has neither", inbox.find("<virus-1@sender.test>") is None and inbox.find("<spoof-1@bank.test>") is None)
    spoofed = next(item["id"] for item in held if item["held_for"] == "dmarc_reject")
    virus = next(item["id"] for item in held if item["held_for"] == "virus")
    mailhold.cli("held", "release", spoofed)
    inbox.wait("<spoof-1@bank.test>")
    check("the second is released by an administrator and arrives", True)
    mailhold.cli("held", "delete", virus)
    wait_for("the deletion", lambda: not mailhold.cli("held", "list", "--tenant", tenant)["messages"])
    check("the first is deleted; the list is empty", inbox.find("<virus-1@sender.test>") is None)


def second_person(mailhold):
    """A second operator; the key file. What widens a connection takes both."""
    key = mailhold.folder / "second.key"
    made = mailhold.cli("person", "new-key", "--out", key)
    mailhold.cli("person", "add", "--person", made["person"], "--public-key", made["public_key"], "--key", mailhold.operator)
    return key


def connect(mailhold, tenant, purpose, server, *more, second=None):
    """A connection to an account of alice's for one purpose; its password is sealed to keyd. Once there is a second person, it takes both."""
    kind, host, port, certificate = server
    words = ["--kind", kind, "--host", host, "--port", port, "--tls", "implicit", "--ca", certificate,
             "--sign-in", "password", "--user", ALICE, "--purpose", purpose, "--mailbox", "*"]
    made = mailhold.cli("connection", "set", "--tenant", tenant, *words, *more, "--key", mailhold.operator)
    connection = made["connection"]
    if "waits_for_second_person" in made:
        mailhold.cli("operation", "approve", "--tenant", tenant, "--operation", made["waits_for_second_person"], "--key", second)
    mailhold.cli("secret", "set", "--connection", connection, "--user", ALICE, "--password-file", mailhold.secret_file("alice-password", ALICE_PASSWORD),
                 "--key", mailhold.operator)
    return connection


def show_backup(mailhold, peers, inbox, tenant):
    head("A mailbox is backed up, destroyed, and comes back exactly")
    inbox.copy_all("Projects/2026")
    server = ("imap", "mail.example.test", peers.imaps_port, peers.imap_certificate)
    reading, writing = (connect(mailhold, tenant, purpose, server) for purpose in ("backup.read", "restore.write"))
    second = second_person(mailhold)
    say("   one connection may only read; over the one that may write no session opens but for a restore that somebody has signed for")
    mailhold.cli("mailbox", "add", "--tenant", tenant, "--name", ALICE, "--connection", reading, "--restore-connection", writing)
    wait_for("the first sync", lambda: mailhold.cli("mailbox", "list")["mailboxes"][0]["state"] == "current")
    before = {folder: inbox.messages(folder) for folder in ("INBOX", "Projects/2026")}
    mailbox = mailhold.cli("mailbox", "list")["mailboxes"][0]
    check("every message of it is kept", mailbox["items"] == sum(map(len, before.values())), f"{mailbox['items']} items as of {mailbox['synced_at']}")
    inbox.destroy("Projects/2026")
    missing = len(before["Projects/2026"])
    say(f"       the folder Projects/2026 with its {missing} messages is deleted at Dovecot")
    check("without a key there is no restore", mailhold.cli("restore", "start", ALICE, check=False) is None)
    dry = mailhold.cli("restore", "start", ALICE, "--dry-run", "--key", mailhold.operator)
    check("a dry run names what is missing, and writes nothing", (dry["missing"], dry["restored"]) == (missing, 0), f"{dry['missing']} of {mailbox['items']}")
    report = mailhold.cli("restore", "start", ALICE, "--key", mailhold.operator)
    check("restored, read back from the server and compared", report["exact"] and report["restored"] == missing, f"{report['restored']} restored, {report['present']} were there")
    check("Dovecot has every byte, flag and date again", {folder: inbox.messages(folder) for folder in before} == before)
    return second


def show_calendar(mailhold, peers, tenant, second):
    head("Her calendar and contacts too: CalDAV and CardDAV at Radicale")
    owner = DavOwner(peers.dav_port, ALICE, ALICE_PASSWORD)
    owner.make_calendar("work", "Work")
    owner.make_address_book("friends", "Friends")
    for number, rule in enumerate(("WEEKLY;BYDAY=MO", "YEARLY", "DAILY;COUNT=9")):
        owner.put("work", f"e{number}.ics", vevent(f"e{number}@example.test", f"DTSTART;TZID=Europe/Berlin:2026030{number + 1}T090000", f"RRULE:FREQ={rule}", f"SUMMARY:Planung {number}",
                                                   "ATTENDEE;PARTSTAT=ACCEPTED;CN=Clara:mailto:clara@sender.test", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "DESCRIPTION:now", "END:VALARM"))
    owner.put("friends", "clara.vcf", f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:clara\r\nFN:Clara Clavichord\r\nN:Clavichord;Clara;;;\r\nPHOTO;ENCODING=b;TYPE=JPEG:{binary(3000)}\r\nEND:VCARD\r\n".encode())
    server = ("http", "dav.example.test", peers.dav_port, peers.dav_certificate)
    reads = [word for method in ("PROPFIND", "REPORT", "GET") for word in ("--verb", f"{method} /**")]
    writes = [word for method in ("PUT", "MKCALENDAR", "MKCOL") for word in ("--verb", f"{method} /**")]
    reading, writing = (connect(mailhold, tenant, purpose, server, *verbs, second=second) for purpose, verbs in (("backup.read", reads), ("restore.write", [*reads, *writes])))
    mailhold.cli("mailbox", "add", "--tenant", tenant, "--name", "alice's calendar", "--kind", "dav", "--connection", reading, "--restore-connection", writing)
    calendar = lambda: next(each for each in mailhold.cli("mailbox", "list")["mailboxes"] if each["kind"] == "dav")
    wait_for("the first sync of the calendar", lambda: calendar()["state"] == "current")
    before = owner.picture()
    check("three events with their rules and a contact with her photo are kept", calendar()["items"] == 4, f"{calendar()['items']} items as of {calendar()['synced_at']}")
    owner.delete("work/")
    owner.delete("friends/clara.vcf")
    say("       the calendar Work is deleted at Radicale, and the contact")
    report = mailhold.cli("restore", "start", "alice's calendar", "--key", mailhold.operator)
    check("restored, read back and compared", report["exact"] and report["restored"] == 4, f"{report['restored']} restored, {report['equal_in_meaning']} of them in the server's own words")
    check("Radicale has all of it again", owner.picture() == before)


def summary(event):
    return ", ".join(f"{name}={value}" for name, value in event.items() if name not in ("time", "event"))


def show_trace(mailhold, tenant):
    head("Every step can be found again")
    found = mailhold.cli("message", "find", "--tenant", tenant, "--to", ALICE)["messages"]
    check("five messages to alice are found", len(found) == 5, f"{len(found)}")
    plain = next((item["id"] for item in found if "Lunch" in item.get("subject", "")), None)
    if not check("the plain one by its subject", plain is not None):
        return
    trace = mailhold.cli("message", "trace", plain)
    for event in trace["events"]:
        say(f"       {event['time']}  {event['event']}  {summary(event)}"[:150])
    names = [event["event"] for event in trace["events"]]
    check("accepted, stored and delivered stand in its trace", {"accepted", "stored", "delivered"} <= set(names), ", ".join(names))


def show_ledger(mailhold, tenant):
    head("The ledger: no use of the password without an entry before it")
    entries = mailhold.cli("ledger", "show", tenant, "--limit", 1000)["entries"]
    for entry in entries[-6:]:
        event = entry["event"]
        say(f"       {entry['index']:4}  {event['t']}")
    kinds = [entry["event"].get("t") for entry in entries]
    check("intents and outcomes of the route's use are there", "use.intent" in kinds and "use.outcome" in kinds)
    signed = {entry["event"]["operation"] for entry in entries if entry["event"]["t"] == "operation.restore.allow"}
    writes = [entry["event"] for entry in entries if entry["event"]["t"] == "use.intent" and entry["event"]["purpose"] == "restore.write"]
    check("each session that wrote a restore names what was signed", writes and all(each.get("operation") in signed for each in writes), f"{len(writes)} sessions, {len(signed)} signatures")
    verified = mailhold.cli("ledger", "verify")
    check("the whole log verifies: tree, signature, chains", verified["sound"] is True, f"{verified['size']} entries")


def show_sealed(mailhold):
    head("What lies on the disk")
    needles = [b"Lunch on Thursday", ALICE.encode(), ALICE_PASSWORD.encode(), ROUTE_PASSWORD.encode(), b"invoice-4711", b"parcel.sender.test", b"Projects", b"Planung", b"Clavichord"]
    files = [path for path in mailhold.data.rglob("*") if path.is_file()]
    seen = [needle.decode() for path in files for content in [path.read_bytes()] for needle in needles if needle in content]
    check("no subject, address, attachment name, link, folder or password can be read in it", not seen, f"{len(files)} files searched")


def main():
    once = os.environ.get("MAILHOLD_ONCE") == "1"
    if os.geteuid() != 0:
        sys.exit("make run needs root: the processes run under users and in namespaces of their own")
    RUN.mkdir(exist_ok=True)
    os.chmod(RUN, 0o755)
    peers = Peers(REPOSITORY / "build/peers/root", RUN / "peers")
    mailhold = None
    try:
        say("Starting the world around Mailhold on 127.0.0.1: DNS (knot), the company's mail server (Postfix, Dovecot), its calendars (Radicale), a virus scanner (clamd)")
        dns = peers.start_dns(zones())
        peers.start_dav_server({ALICE: ALICE_PASSWORD})
        imap = peers.start_dovecot({ALICE: ALICE_PASSWORD, ROUTE_USER: ROUTE_PASSWORD}, tls_name="mail.example.test")
        peers.start_postfix("example.test")
        clamd = peers.start_clamd()
        mailhold = Mailhold(RUN / "mailhold", {"dns.servers": [f"127.0.0.1@{dns}"], "scanning.clamd_socket": str(clamd)})
        say("Starting Mailhold")
        mailhold.start()
        tenant, _ = set_up(mailhold, peers)
        inbox = Inbox(imap)
        show_plain(mailhold, inbox)
        show_links(mailhold, inbox)
        show_signed(mailhold, inbox)
        show_held(mailhold, inbox, tenant)
        second = show_backup(mailhold, peers, inbox, tenant)
        show_calendar(mailhold, peers, tenant, second)
        show_trace(mailhold, tenant)
        show_ledger(mailhold, tenant)
        show_sealed(mailhold)
        endpoints = {"tenant": "example.test", "recipient": ALICE, "smtp": f"127.0.0.1:{mailhold.smtp_port}",
                     "imap": {"address": f"127.0.0.1:{imap}", "user": ALICE, "password": ALICE_PASSWORD},
                     "links": mailhold.settings["links.base"],
                     "cli": [str((REPOSITORY / "build/release/bin/mailhold").relative_to(REPOSITORY)), "--socket", str(mailhold.socket)]}
        (RUN / "endpoints.json").write_text(json.dumps(endpoints, indent=2) + "\n")
        say()
        say(f"{'All steps held.' if not failed else 'NOT held: ' + '; '.join(failed)}")
        if not once and not failed:
            say(f"Serving until Ctrl-C. Where to reach it: run/endpoints.json. Try:  {' '.join(endpoints['cli'])} status")
            stop = threading.Event()
            signal.signal(signal.SIGINT, lambda *_: stop.set())
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            stop.wait()
    finally:
        if mailhold is not None:
            mailhold.stop()
        peers.stop()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
