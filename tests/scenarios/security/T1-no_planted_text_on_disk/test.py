#!/usr/bin/python3
"""T1: after mixed traffic nothing that was planted in it can be read from the disk: not in the data, not in the log, not in
what was left in temporary folders, in no usual writing and not inside what is compressed. Nor is anything of a mailbox, of
calendars and address books, and of the passwords for them, after syncs, a search, restores, proofs and exports.
"""
import base64
import gzip
import os
import pathlib
import re
import sys
import urllib.request
import zipfile

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[2] / "recover")]
from disk_search import DiskSearch
from mailbox_owner import Owner
from mailbox_world import MailboxWorld
from needles import Finder, forms, needle, zstd
from world import World, letter, message_id_of, run, wait_for

from dav_owner import DavOwner, vevent  # where world says that such things are

PROCESSES = {"supervisor", "keyd", "ledgerd", "resolverd", "brokerd", "authd", "apid", "scannerd", "zygote", "scanner", "gatewayd-in", "gatewayd-out", "linkd"}


class NoPlantedTextOnDisk(DiskSearch, World):
    own_names = ("route-password",)

    @classmethod
    def build(cls):
        cls.begin()
        names = ("body", "subject", "sender", "recipient", "attachmentname", "attachmenttext", "htmltext", "linkpath", "password", "routeuser", "header", "refused")
        cls.needles = {name: needle(name) for name in names}
        cls.needles["routehost"] = "h" + os.urandom(10).hex()
        cls.needles["linkhost"] = "l" + os.urandom(10).hex()
        host = f"{cls.needles['routehost']}.example.test"
        cls.dns.set(host, "A", "127.0.0.1")
        cls.sink = cls.start_sink(host, users={cls.needles["routeuser"]: cls.needles["password"]})
        cls.start_mailhold()
        cls.tenant = cls.mailhold.add_tenant("example.test", "example.test", ["alice", cls.needles["recipient"]])
        cls.mailhold.cli("tenant", "set", cls.tenant, "blocked_types", "exe")
        cls.route = cls.mailhold.add_auth_route(cls.tenant, host, cls.sink.port, host, cls.sink.certificate, cls.needles["routeuser"], cls.needles["password"])
        cls.mailhold.wait_for_directory("alice@example.test")
        cls.recipient = f"{cls.needles['recipient']}@example.test"
        cls.sender = f"{cls.needles['sender']}@sender.test"

    def rich_letter(self, attachment="txt"):
        n = self.needles
        text = base64.encodebytes(n["attachmenttext"].encode() * 40).decode().replace("\n", "\r\n")
        parts = (f"--b\r\nContent-Type: text/plain\r\n\r\n{n['body']} and more\r\n"
                 f"--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>{n['htmltext'].replace('-', '=2D')}</p>"
                 f"<a href=3D\"https://{n['linkhost']}.evil.test/{n['linkpath']}\">go</a>\r\n"
                 f"--b\r\nContent-Type: application/octet-stream; name=\"{n['attachmentname']}.{attachment}\"\r\n"
                 f"Content-Disposition: attachment; filename=\"{n['attachmentname']}.{attachment}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{text}\r\n--b--\r\n")
        return letter(n["subject"], parts, self.sender, self.recipient,
                      more=f"X-Needle: {n['header']}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n")

    def arrived(self, content):
        return [each for each in self.sink.messages if message_id_of(each.content) == message_id_of(content)]

    def traffic(self):
        """Delivered, held, refused, deferred and bounced mail, and a click."""
        for _ in range(8):
            content = self.rich_letter()
            self.send_ok(content, to=self.recipient, sender=self.sender)
            self.sink.wait("the delivery", lambda: self.arrived(content))
        self.delivered = self.arrived(content)[0]
        held = self.send_ok(self.rich_letter("exe"), to=self.recipient, sender=self.sender)
        wait_for("the held message", lambda: held in [item["id"] for item in self.ask("held.list")["messages"]])
        self.assertEqual(self.send(letter(), to=f"{self.needles['refused']}@example.test", sender=self.sender)[0], 550)
        self.mailhold.cli("tenant", "set", self.tenant, "blocked_type", "reject")
        wait_for("a refusal by the tenant's rule", lambda: self.send(self.rich_letter("exe"), to=self.recipient, sender=self.sender)[0] == 550)
        self.sink.on_recipient = lambda address: f"550 5.1.1 {self.needles['refused']} is nobody here"
        bounced = self.send_ok(self.rich_letter(), to=self.recipient, sender=self.sender)
        wait_for("the failure", lambda: "bounced" in self.events_of(bounced))
        self.sink.on_recipient = lambda address: f"451 4.3.0 {self.needles['refused']} must wait"
        self.wait_until_deferred(self.send_ok(self.rich_letter(), to=self.recipient, sender=self.sender))
        link = re.search(re.escape(self.mailhold.settings["links.base"]) + r"/[^\s\"'<>]+", self.delivered.content.decode().replace("=\r\n", ""))[0]
        self.mailhold.cli("link", "deny", self.tenant, f"{self.needles['linkhost']}.evil.test")

        def blocked():
            try:
                urllib.request.urlopen(link, timeout=10).close()
            except urllib.error.HTTPError as answer:
                return answer.code == 403
            except urllib.error.URLError:
                return False  # it was sent on, to a host that is nowhere
            return False
        wait_for("the blocked click", blocked)

    def assert_all_classes_were_processed(self):
        content = self.delivered.content.decode()
        for name in ("body", "subject", "sender", "recipient", "attachmentname", "header"):
            self.assertIn(self.needles[name], content, f"{name} was not delivered")
        self.assertIn(self.needles["htmltext"].replace("-", "=2D"), content.replace("=\r\n", ""))
        self.assertIn(self.needles["linkhost"], content.replace("=\r\n", ""), "the readable part of the rewritten link")
        self.assertNotIn(self.needles["linkpath"], content, "the link was rewritten, so its path is sealed in the token")
        self.assertIn(self.needles["attachmenttext"].encode(), base64.b64decode(content.split("base64\r\n\r\n")[1].split("--b--")[0]))
        self.assertIn(self.needles["password"].encode(), self.sink.auths[0].plain)
        self.assertIn(self.needles["routeuser"].encode(), self.sink.auths[0].plain)
        self.assertTrue(self.dns.was_asked(f"{self.needles['routehost']}.example.test"))
        self.assertEqual(PROCESSES - set(self.processes().values()), set(), "a process was missing")

    def test_1_every_way_of_writing_is_found_in_a_file_of_its_own(self):
        control = self.folder / "control"
        control.mkdir()
        text = self.needles["body"]
        for form, data in forms(text).items():
            (control / form).write_bytes(b"before" + data + b"behind")
        (control / "zlib").write_bytes(b"\0\1" + gzip.compress(b"a" * 99 + text.encode() + b"b" * 99))
        (control / "zstd").write_bytes(b"\0\1" + zstd(b"a" * 99 + text.encode() + b"b" * 99))
        (control / "folded").write_bytes(text[:9].encode() + b"=\r\n" + text[9:].encode())
        (control / text).write_bytes(b"")
        for path in control.iterdir():
            self.assertTrue(self.search([path])[0], f"{path.name} was not found")

    def test_2_nothing_is_found_on_the_disk(self):
        self.traffic()
        self.assert_all_classes_were_processed()
        while_running, _, _ = self.search(self.files_of_the_installation())
        self.mailhold.stop()
        os.sync()
        self.assert_nothing_on_the_disk(while_running)


MAIL_HOST, DAV_HOST = f"i{os.urandom(10).hex()}.example.test", f"d{os.urandom(10).hex()}.example.test"
PLANTED = {name: needle(name) for name in ("account", "mailpassword", "davpassword", "mailsubject", "mailbody", "mailattachment", "attachmentname", "keyword", "folder", "calendar", "addressbook",
                                           "summary", "place", "description", "attendee", "eventattachment", "task", "contact", "note", "photo", "contactaddress", "changed")}
# All but what signs in.
EXPORTED = set(PLANTED) - {"account", "mailpassword", "davpassword"}
VERBS = ["PROPFIND /**", "REPORT /**", "GET /**", "PUT /**", "MKCALENDAR /**", "MKCOL /**", "DELETE /**"]


def encoded(text):
    """In each of the three places that base64 has for it."""
    return base64.b64encode(b"".join(text.encode() + b"." * (number % 3) for number in range(60))).decode()


class NothingOfAMailboxOnDisk(DiskSearch, MailboxWorld):
    # The part of a needle that an index would have as a word, too.
    needles = {name: text.rsplit("-", 1)[1] for name, text in PLANTED.items()} | {"mail host": MAIL_HOST, "dav host": DAV_HOST}
    own_names = ("connection-password", "second.key")
    main = f"{PLANTED['account']}@example.test"
    calendars = "calendars"

    @classmethod
    def build(cls):
        cls.begin()
        cls.start_peers()
        cls.peers.start_mailbox_server({cls.main: PLANTED["mailpassword"]}, name=MAIL_HOST)
        cls.peers.start_dav_server({cls.main: PLANTED["davpassword"]}, DAV_HOST)
        for host in (MAIL_HOST, DAV_HOST):
            cls.dns.set(host, "A", "127.0.0.1")
        cls.owner = Owner(cls.peers.imaps_port, cls.main, PLANTED["mailpassword"])
        cls.addClassCleanup(cls.owner.close)
        cls.dav = DavOwner(cls.peers.dav_port, cls.main, PLANTED["davpassword"])
        cls.fill()
        cls.start_mailhold()
        purposes = ["backup.read", "restore.write", "backup.prove"]
        cls.mail_connection = cls.add_connection("imap", MAIL_HOST, cls.peers.imaps_port, cls.main, PLANTED["mailpassword"], purposes, cls.peers.certificate)
        cls.dav_connection = cls.add_connection("http", DAV_HOST, cls.peers.dav_port, cls.main, PLANTED["davpassword"], purposes, cls.peers.dav_certificate,
                                                *(word for verb in VERBS for word in ("--verb", verb)))
        cls.second, _ = cls.add_person("second")

    @classmethod
    def fill(cls):
        p = PLANTED
        cls.owner.create(p["folder"])
        mixed = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
        attachment = base64.encodebytes(f"{p['mailattachment']} ".encode() * 40).decode().replace("\n", "\r\n")
        body = (f"--b\r\nContent-Type: text/plain\r\n\r\n{p['mailbody']} and more\r\n--b\r\nContent-Type: text/plain; name=\"{p['attachmentname']}.txt\"\r\n"
                f"Content-Disposition: attachment; filename=\"{p['attachmentname']}.txt\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{attachment}\r\n--b--\r\n")
        for folder in ("INBOX", p["folder"]):
            cls.owner.append(folder, letter(p["mailsubject"], body, more=mixed), f"\\Seen {p['keyword']}")
        cls.dav.make_calendar("work", p["calendar"])
        cls.dav.make_address_book("friends", p["addressbook"])
        event = vevent("event@x", "DTSTART:20260601T080000Z", "DURATION:PT1H", f"SUMMARY:{p['summary']}", f"LOCATION:{p['place']}", f"DESCRIPTION:{p['description']}",
                       f"ATTENDEE;CN=Ann:mailto:{p['attendee']}@example.test", f"ATTACH;ENCODING=BASE64;VALUE=BINARY:{encoded(p['eventattachment'])}", zone=False)
        task = vevent("task@x", "DUE:20260401T120000Z", f"SUMMARY:{p['task']}", zone=False).replace(b"VEVENT", b"VTODO")
        card = ("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card\r\n" f"FN:{p['contact']}\r\nN:{p['contact']};Ann;;;\r\nEMAIL:{p['contactaddress']}@example.test\r\nNOTE:{p['note']}\r\n"
                f"PHOTO;ENCODING=b;TYPE=JPEG:{encoded(p['photo'])}\r\nEND:VCARD\r\n").encode()
        for collection, item, content in (("work", "event.ics", event), ("work", "task.ics", task), ("friends", "card.vcf", card)):
            assert cls.dav.put(collection, item, content), item

    def exports(self):
        """Of all there is, as two people have signed for: the classes that can be read in what leaves."""
        found = set()
        for name in (self.main, self.calendars):
            asked = self.mailhold.cli("export", "allow", name, "--key", self.mailhold.operator)["waits_for_second_person"]
            self.mailhold.cli("operation", "approve", "--tenant", self.tenant, "--operation", asked, "--key", self.second)
            file = self.folder / "export.zip"
            self.assertEqual(self.mailhold.cli("export", "write", asked, "--to", file)["failed"], 0)
            with zipfile.ZipFile(file) as archive:
                for member in archive.namelist():
                    found |= {name for name, _ in Finder(self.needles).find_deep(member.encode() + b" " + archive.read(member))}
            file.unlink()  # it stands in clear, and is the operator's
        return found

    def test_1_syncs_a_search_restores_proofs_and_exports(self):
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", self.main, "--connection", self.mail_connection)
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", self.calendars, "--kind", "dav", "--connection", self.dav_connection)
        for name in (self.main, self.calendars):
            wait_for("the first sync", lambda: self.mailbox(name)["state"] == "current")
        self.owner.append("INBOX", letter(PLANTED["changed"]))
        self.assertTrue(self.dav.put("work", "later.ics", vevent("later@x", "DTSTART:20260602T080000Z", f"SUMMARY:{PLANTED['changed']}", zone=False)))
        self.assertEqual([self.sync(name)["items"] for name in (self.main, self.calendars)], [3, 4])
        for name, count in (("mailsubject", 2), ("mailbody", 2), ("mailattachment", 2), ("attachmentname", 2), ("changed", 1)):
            found = lambda: self.mailhold.cli("backup", "find", self.main, f'"{PLANTED[name]}"')
            wait_for("the index", lambda: found()["complete"], 90)
            self.assertEqual(len(found()["items"]), count, name)
        before, of_dav = self.owner.picture(), self.dav.picture()
        for folder in ("INBOX", PLANTED["folder"]):
            self.owner.select(folder)
            self.owner.ok(self.owner.imap.store("1:*", "+FLAGS", "(\\Deleted)"))
            self.owner.ok(self.owner.imap.expunge())
        for path in ("work/", "friends/"):
            self.dav.delete(path)
        for name, count in ((self.main, 3), (self.calendars, 4)):
            code, report = self.restore("start", name)
            self.assertEqual((code, report["exact"], report["restored"]), (0, True, count), report)
            self.assertEqual(self.sync(name)["state"], "current")
            code, proof = self.prove(name)
            self.assertEqual((code, proof["outcome"], proof["items"]), (0, "passed", count), proof)
        self.assertEqual(self.owner.picture(), before)
        self.assertEqual({title: set(items) for title, items in self.dav.picture().items()}, {title: set(items) for title, items in of_dav.items()})

    def test_2_nothing_of_it_is_found_on_the_disk(self):
        self.assertEqual(EXPORTED - self.exports(), set(), "it did not pass, or is not found")
        passwords = self.folder / "peers"
        self.assertLessEqual({"account", "mailpassword", "davpassword"}, {name for _, name, _ in self.search([passwords / "mailboxes/users", passwords / "radicale/users"])[0]})
        self.assertEqual({"workerd", "searchd", "searcher", "brokerd", "authd", "keyd", "apid", "scannerd"} - set(self.processes().values()), set(), "a process was missing")
        while_running, _, _ = self.search(self.files_of_the_installation())
        self.mailhold.stop()
        os.sync()
        self.assertGreater((self.mailhold.data / "backup/backup.db").stat().st_size, 50_000)
        self.assert_nothing_on_the_disk(while_running)


if __name__ == "__main__":
    run()
