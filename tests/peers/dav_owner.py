"""The owner of calendars and contacts at the peer's Radicale, with a program of its own: what it sees is what a backup is compared with. Nothing of Mailhold's
reading of DAV is used here.
"""
import base64
import http.client
import os
import re
import ssl
import urllib.parse
import xml.etree.ElementTree as xml

DAV, CALDAV, CARDDAV = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}", "{urn:ietf:params:xml:ns:carddav}"
SPACES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:A="urn:ietf:params:xml:ns:carddav"'


class DavOwner:
    def __init__(self, port, user, password):
        self.port, self.home = port, f"/{urllib.parse.quote(user)}/"
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.credential = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def ask(self, method, path, body=b"", **fields):
        """(status, body); each request has a connection of its own, as Radicale wants it."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.context)
        headers = {"Authorization": self.credential} | {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request(method, path, body=body if isinstance(body, bytes) else body.encode(), headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer.status, content

    def ok(self, method, path, body=b"", **fields):
        status, content = self.ask(method, path, body, **fields)
        if not 200 <= status < 300:
            raise AssertionError(f"{method} {path}: {status} {content[:200]}")
        return content

    def make_calendar(self, name, title):
        self.ok("MKCALENDAR", f"{self.home}{name}/", f"<C:mkcalendar {SPACES}><D:set><D:prop><D:displayname>{title}</D:displayname></D:prop></D:set></C:mkcalendar>")

    def make_address_book(self, name, title):
        self.ok("MKCOL", f"{self.home}{name}/", f"<D:mkcol {SPACES}><D:set><D:prop><D:resourcetype><D:collection/><A:addressbook/></D:resourcetype>"
                                                f"<D:displayname>{title}</D:displayname></D:prop></D:set></D:mkcol>")

    def put_status(self, collection, item, content):
        kind = "text/vcard" if item.endswith(".vcf") else "text/calendar"
        return self.ask("PUT", f"{self.home}{collection}/{urllib.parse.quote(item)}", content, Content_Type=f"{kind}; charset=utf-8")[0]

    def put(self, collection, item, content):
        """Whether the server takes it."""
        return 200 <= self.put_status(collection, item, content) < 300

    def delete(self, path):
        self.ok("DELETE", self.home + path)

    def propfind(self, path, properties):
        answer = xml.fromstring(self.ok("PROPFIND", path, f"<D:propfind {SPACES}><D:prop>{properties}</D:prop></D:propfind>", Depth="1"))
        return {response.findtext(DAV + "href"): response for response in answer.iter(DAV + "response")}

    def collections(self):
        """{path: (is it a calendar, its title)}"""
        found = {}
        for href, response in self.propfind(self.home, "<D:resourcetype/><D:displayname/>").items():
            is_calendar, is_contacts = (response.find(f".//{kind}") is not None for kind in (CALDAV + "calendar", CARDDAV + "addressbook"))
            if is_calendar or is_contacts:
                found[href] = (is_calendar, response.findtext(f".//{DAV}displayname"))
        return found

    def items(self, path):
        """{name: content} of a collection, each read alone."""
        hrefs = [href for href in self.propfind(path, "<D:getetag/>") if href.rstrip("/") != path.rstrip("/")]
        return {href.rsplit("/", 1)[1]: self.ok("GET", href) for href in hrefs}

    def picture(self):
        """All of the account, by title: {"Calendars/Work": {name: content}}"""
        return {("Calendars/" if is_calendar else "Address books/") + title: self.items(path) for path, (is_calendar, title) in self.collections().items()}


def vevent(uid, *lines, zone=True):
    """An event with what calendars are made of: a zone, a rule, people, an alarm, an attachment."""
    berlin = ["BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:STANDARD", "DTSTART:19701025T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "TZNAME:CET",
              "END:STANDARD", "BEGIN:DAYLIGHT", "DTSTART:19700329T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "TZNAME:CEST", "END:DAYLIGHT", "END:VTIMEZONE"]
    text = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Example//Owner//EN", *(berlin if zone else []), "BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T120000Z", *lines, "END:VEVENT", "END:VCALENDAR", ""]
    return folded("\r\n".join(text))


def folded(text):
    out = []
    for line in text.split("\r\n"):
        data = line.encode()
        first = True
        while len(data) > (75 if first else 74):
            cut = 75 if first else 74
            while data[cut] & 0xC0 == 0x80:
                cut -= 1
            out.append((b"" if first else b" ") + data[:cut])
            data, first = data[cut:], False
        out.append((b"" if first else b" ") + data)
    return b"\r\n".join(out)


def meaning(content):
    """The lines of an item, unfolded and sorted, without what a server writes of itself: an order-blind comparison of the test's own."""
    lines = re.sub(rb"\r?\n[ \t]", b"", content).replace(b"\r\n", b"\n").split(b"\n")
    return sorted(line for line in lines if line and not line.upper().startswith((b"PRODID", b"REV:")))


def binary(size):
    return base64.b64encode(os.urandom(size)).decode()
