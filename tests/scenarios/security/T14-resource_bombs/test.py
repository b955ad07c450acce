#!/usr/bin/python3
"""T14: messages made to cost as much as a parser will spend: depth, counts, long lines, storms of encoded words, of links and of
signatures. None costs its scanner more than five seconds of a processor or 512 MiB, each gets a final answer, those beyond a limit are
held as unscannable or refused, and another tenant's mail goes on meanwhile.
"""
import base64
import io
import os
import pathlib
import random
import sys
import threading
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import SlowSmtpServer, World, letter, run

CPU_SECONDS_MAX = 5.0
BYTES_MAX = 512 << 20
TICKS = os.sysconf("SC_CLK_TCK")


def mime(headers, body):
    return (f"From: clara@sender.test\r\nTo: anybody@red.test\r\nSubject: bomb\r\nMIME-Version: 1.0\r\n{headers}\r\n{body}").encode()


def lines(text, width=990):
    return "\r\n".join(text[at:at + width] for at in range(0, len(text), width)) + "\r\n"


def deep_multipart(depth=10_000):
    head = "Content-Type: multipart/mixed; boundary=b0\r\n"
    body = "".join(f"--b{n}\r\nContent-Type: multipart/mixed; boundary=b{n + 1}\r\n\r\n" for n in range(depth))
    return mime(head, body + f"--b{depth}\r\n\r\ntext\r\n")


def wide_multipart():
    return mime("Content-Type: multipart/mixed; boundary=b\r\n", "--b\r\n\r\nx\r\n" * 200_000 + "--b--\r\n")


def many_boundaries():
    """Each open boundary is a prefix of the next, and every line looks like one of them."""
    head = "Content-Type: multipart/mixed; boundary=b\r\n"
    body = "".join(f"--{'b' * (n + 1)}\r\nContent-Type: multipart/mixed; boundary={'b' * (n + 2)}\r\n\r\n" for n in range(45))
    return mime(head, body + ("--" + "b" * 60 + "\r\n") * 300_000)


def nested_messages(depth=2_000):
    return mime("Content-Type: message/rfc822\r\n", "Content-Type: message/rfc822\r\n\r\n" * depth + "Subject: end\r\n\r\ntext\r\n")


def zip_bomb():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for n in range(16):
            archive.writestr(f"{n}.bin", bytes(32 << 20))
    body = base64.encodebytes(packed.getvalue()).decode().replace("\n", "\r\n")
    return mime("Content-Type: application/zip; name=a.zip\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.zip\r\n", body)


def html(body):
    return mime("Content-Type: text/html; charset=utf-8\r\n", lines(body))


BOMBS = {
    "multipart 10,000 deep": deep_multipart,
    "200,000 parts": wide_multipart,
    "boundaries within boundaries": many_boundaries,
    "2,000 messages in messages": nested_messages,
    "500,000 header fields": lambda: mime("".join(f"X-{n}: y\r\n" for n in range(500_000)), "text\r\n"),
    "one field folded 300,000 times": lambda: mime("X-Long: a\r\n" + " b\r\n" * 300_000, "text\r\n"),
    "base64 in one line of 30 MB": lambda: mime("Content-Transfer-Encoding: base64\r\n", "QUJD" * 7_500_000 + "\r\n"),
    "encoded words": lambda: mime("".join(f"X-{n}: " + "=?utf-8?q?=41?= " * 50 + "\r\n" for n in range(2000)) + "Subject: " + lines("=?utf-8?b?QQ==?= " * 50_000).replace("\r\n", "\r\n ").rstrip() + "\r\n", "text\r\n"),
    "encoded words that never end": lambda: mime("Subject: " + "=?utf-8?q?" * 90 + "\r\n" + ("X: " + "=?" * 480 + "\r\n") * 5_000, "text\r\n"),
    "comments 100,000 deep": lambda: mime("From: " + lines("(" * 100_000).replace("\r\n", "\r\n ").rstrip() + " a@b.test\r\n", "text\r\n"),
    "200,000 authors": lambda: mime("From: " + "a@b.test,\r\n " * 200_000 + "c@d.test\r\n", "text\r\n"),
    "parameters in pieces": lambda: mime("Content-Type: text/plain" + "".join(f";\r\n charset*{n}*=%41" for n in range(50_000)) + "\r\n", "text\r\n"),
    "open tags": lambda: html("<a " * 2_000_000),
    "attributes": lambda: html("<a " + "href=http://a.test " * 400_000 + ">"),
    "entities": lambda: html("<a href='" + "&#x68;&ampamp;" * 400_000 + "'>x</a>"),
    "comments in HTML": lambda: html("<!--" * 1_500_000),
    "links": lambda: html("".join(f"<a href='http://h{n}.test/{n}'>x</a>" for n in range(200_000))),
    "links in links": lambda: mime("Content-Type: text/plain\r\n", lines("http://" * 1_000_000)),
    "closing brackets": lambda: mime("Content-Type: text/plain\r\n", lines("http://a.test/" + ")" * 5_000_000, 100_000)),
    "2,000 signatures": lambda: mime("".join(f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=d{n}.test; s=s; h=from:to:subject; bh={'A' * 43}=; b={'A' * 344}\r\n" for n in range(2_000)), "text\r\n" * 200_000),
    "zip of zeros": zip_bomb,
    "noise": lambda: mime("", lines("".join(random.Random(2021).choices("<>\"'&=?/:;()[]{}@.%#\\ \t-_aA0", k=4_000_000)), 900)),
}


def cpu_of(pid):
    """Of the process and of its children that ended."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def memory_most(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


class ResourceBombs(World):
    @classmethod
    def build(cls):
        cls.next_hop = SlowSmtpServer(auth=False)
        cls.addClassCleanup(cls.next_hop.stop)
        cls.start_mailhold()
        for name in ("red.test", "blue.test"):
            cls.mailhold.add_relay_route(cls.mailhold.add_tenant(name, name), "127.0.0.1", cls.next_hop.port)
        for name in ("red.test", "blue.test"):
            cls.mailhold.wait_for_directory(f"anybody@{name}")

    def cpu_of_scanners(self):
        spent = 0.0
        for name in ("scannerd", "zygote", "scanner"):
            for pid in self.pids_of(name):
                try:
                    spent += cpu_of(pid)
                except OSError:
                    pass
        return spent

    def test_each_bomb_costs_little_and_gets_an_answer(self):
        self.send_ok(letter(to="anybody@red.test"), to="anybody@red.test")
        outcomes = {}
        for name, make in BOMBS.items():
            content = make()
            before = self.cpu_of_scanners()
            code, text = self.send(content, to="anybody@red.test")
            spent = self.cpu_of_scanners() - before
            most = max((memory_most(pid) for pid in self.pids_of("scanner")), default=0)
            outcomes[name] = code
            print(f"{name}: {len(content) >> 10} KiB, {code}, {spent:.2f} s, at most {most >> 20} MiB", flush=True)
            self.assertIn(code, (250, 550, 552, 554), f"{name}: {text}")
            self.assertLess(spent, CPU_SECONDS_MAX, name)
            self.assertLess(most, BYTES_MAX, name)
        held = {item["held_for"] for item in self.ask("held.list", limit=1000)["messages"]}
        self.assertIn("unscannable", held)
        deep = [item for item in self.ask("held.list", limit=1000)["messages"] if any(reason["code"].startswith("limit") for reason in item["reasons"])]
        self.assertTrue(deep, "what hit a limit says so")

    def test_another_tenants_mail_goes_on(self):
        def latencies(count):
            taken = []
            for _ in range(count):
                begin = time.monotonic()
                self.send_ok(letter(to="anybody@blue.test"), to="anybody@blue.test")
                taken.append(time.monotonic() - begin)
            return sorted(taken)
        latencies(20)
        alone = latencies(100)
        bomb, stop = BOMBS["noise"](), threading.Event()

        def throw():
            while not stop.is_set():
                self.send(bomb, to="anybody@red.test")
        thread = threading.Thread(target=throw)
        thread.start()
        try:
            beside = latencies(100)
        finally:
            stop.set()
            thread.join()
        print(f"99 of 100 of the other tenant's within {alone[98] * 1000:.0f} ms alone, {beside[98] * 1000:.0f} ms beside the bombs", flush=True)
        self.assertLess(beside[98], max(1.0, 3 * alone[98]))


if __name__ == "__main__":
    run()
