#!/usr/bin/python3
"""T15: mail of three tenants goes through a scanner pool that has room for two; whichever process has text of one of them
never has text of another. Each scan is looked at in its middle: it waits for an answer of the DNS, which the test holds back.
"""
import itertools
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import memory
from needles import Finder, needle
from world import SlowSmtpServer, World, letter, run

ROUNDS = 9
TENANTS = ("red.test", "blue.test", "green.test")


class NoTextOfAnotherTenant(World):
    settings = {"scanning.workers_max": 2}

    @classmethod
    def build(cls):
        cls.next_hop = SlowSmtpServer(auth=False)
        cls.addClassCleanup(cls.next_hop.stop)
        cls.start_mailhold()
        cls.needles = {name: needle(name.split(".")[0]) for name in TENANTS}
        for name in TENANTS:
            tenant = cls.mailhold.add_tenant(name, name)
            cls.mailhold.add_relay_route(tenant, "127.0.0.1", cls.next_hop.port)
        for name in TENANTS:
            cls.mailhold.wait_for_directory(f"anybody@{name}")
        cls.finder = Finder(cls.needles)

    def begin(self, name, sender):
        """Sends a message of the tenant; its scan waits for the DNS when this returns."""
        body = "".join(f"{self.needles[name]} and some more of the text\r\n" for _ in range(500))
        content = letter(self.needles[name], body, sender=f"clara@{sender}", to=f"anybody@{name}")
        self.dns.hold(sender)
        thread = threading.Thread(target=lambda: self.replies.append(self.send(content, to=f"anybody@{name}", sender=f"clara@{sender}")))
        thread.start()
        self.dns.wait_until_asked(sender)
        return thread

    def look(self):
        """{(name, pid): tenants whose text it has} of the scanner's processes."""
        found = {}
        for pid, name in self.processes().items():
            if name not in ("scanner", "zygote", "scannerd"):
                continue
            try:
                found[(name, pid)] = {tenant for tenant, _, _ in memory.scan(pid, self.finder).hits}
            except OSError:
                pass  # a worker that ended in between; those that scan right now wait for their DNS answers
        return found

    def test_no_scanner_has_text_of_two(self):
        self.replies, seen = [], {}
        pairs = itertools.cycle(itertools.permutations(TENANTS, 2))
        for number, pair in zip(range(ROUNDS), pairs):
            senders = [f"{name.split('.')[0]}{number}.sender.test" for name in pair]
            threads = [self.begin(name, sender) for name, sender in zip(pair, senders)]
            try:
                now = self.look()
            finally:
                for sender, thread in zip(senders, threads):
                    self.dns.release(sender)
                    thread.join()
            self.assertEqual(set().union(*now.values()), set(pair), "each of the two is just being scanned, so its text is seen, and nobody else's")
            for who, tenants in now.items():
                seen.setdefault(who, set()).update(tenants)
        self.assertEqual([code for code, _ in self.replies], [250] * 2 * ROUNDS, self.replies)
        with_text = {who: tenants for who, tenants in seen.items() if tenants}
        print(f"{len(self.replies)} messages of {len(TENANTS)} tenants, {len(with_text)} workers with text, each of one tenant", flush=True)
        self.assertEqual({who for who in with_text if who[0] != "scanner"}, set(), "only workers have text")
        self.assertEqual({who: tenants for who, tenants in seen.items() if len(tenants) > 1}, {})
        self.assertGreater(len(with_text), 2, "workers were replaced when another tenant needed their place")


if __name__ == "__main__":
    run()
