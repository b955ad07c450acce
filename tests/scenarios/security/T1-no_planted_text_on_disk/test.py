#!/usr/bin/python3
"""T1: after mixed traffic nothing that was planted in it can be read from the disk: not in the data, not in the log, not in
what was left in temporary folders, in no usual writing and not inside what is compressed.
"""
import base64
import gzip
import os
import pathlib
import re
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from needles import Finder, forms, needle, zstd
from world import World, letter, message_id_of, run, wait_for

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/var/log")
PROCESSES = {"supervisor", "keyd", "ledgerd", "resolverd", "brokerd", "authd", "apid", "scannerd", "zygote", "scanner", "gatewayd-in", "gatewayd-out", "linkd"}


class NoPlantedTextOnDisk(World):
    @classmethod
    def build(cls):
        cls.started = time.time()
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

    def search(self, paths):
        """{(path, class, form)} of all that can be read in the files."""
        finder = Finder(self.needles)
        found, count, size = set(), 0, 0
        for path in paths:
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            data = re.sub(rb"\0{4096,}", b"\0" * 4096, data)  # what was preallocated
            count, size = count + 1, size + len(data)
            found |= {(str(path), name, form) for name, form in finder.find_deep(data)}
            # Names of files tell as well.
            found |= {(str(path), name, "name of the file") for name, _ in finder.find(str(path).encode())}
        return found, count, size

    def files_of_the_installation(self):
        # Beside the data lie the secrets of the operator, which the test itself wrote.
        own = {self.mailhold.passphrase, self.mailhold.operator, self.mailhold.folder / "route-password"}
        return [path for path in self.mailhold.folder.rglob("*") if path.is_file() and path not in own]

    def files_of_others(self):
        """What is new in temporary folders and the logs of the system, and core files anywhere near."""
        for folder in TEMPORARY:
            for path in pathlib.Path(folder).rglob("*"):
                try:
                    if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= self.started and path.stat().st_size < 1 << 28:
                        yield path
                except OSError:
                    continue
        for folder in (pathlib.Path("/"), self.mailhold.folder, self.mailhold.data):
            yield from (path for path in folder.glob("core*") if path.is_file())

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
        found, count, size = self.search([*self.files_of_the_installation(), *self.files_of_others()])
        print(f"searched {count} files, {size >> 10} KiB, for {len(self.needles)} needles in {len(Finder(self.needles).patterns)} writings", flush=True)
        self.assertGreater(count, 10)
        self.assertEqual(while_running | found, set())


if __name__ == "__main__":
    run()
