#!/usr/bin/python3
"""T15: mail of two tenants goes through a scanner pool that is too small for both; whichever process has text of one of them
never has text of the other.
"""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import memory
from needles import Finder, needle
from world import SlowSmtpServer, World, letter, run

ROUNDS = 12


class NoTextOfAnotherTenant(World):
    settings = {"scanning.workers_max": 2}

    @classmethod
    def build(cls):
        cls.next_hop = SlowSmtpServer(auth=False)
        cls.addClassCleanup(cls.next_hop.stop)
        cls.start_mailhold()
        cls.needles = {}
        for name in ("red.test", "blue.test"):
            tenant, _ = cls.add_tenant(name)
            cls.mailhold.add_relay_route(tenant, "127.0.0.1", cls.next_hop.port)
            cls.needles[name] = needle(name.split(".")[0])
        cls.finder = Finder(cls.needles)

    def send_until(self, over, name, sent):
        while not over.is_set():
            body = "".join(f"{self.needles[name]} and some more of the text\r\n" for _ in range(500))
            self.send_ok(letter(self.needles[name], body, to=f"anybody@{name}"), to=f"anybody@{name}")
            sent[name] = sent.get(name, 0) + 1

    def test_no_scanner_has_text_of_both(self):
        over, sent, errors = threading.Event(), {}, []

        def guarded(name):
            try:
                self.send_until(over, name, sent)
            except Exception as error:  # told by the main thread
                errors.append(error)
        senders = [threading.Thread(target=guarded, args=(name,)) for name in self.needles for _ in range(2)]
        for sender in senders:
            sender.start()
        seen = {}  # pid -> tenants whose text it had
        looked_at = 0
        try:
            # As long as needed to have seen text of both, and at least for so many rounds.
            while looked_at < ROUNDS or (set().union(*seen.values()) != set(self.needles) and looked_at < 20 * ROUNDS):
                looked_at += 1
                for pid, name in self.processes().items():
                    if name not in ("scanner", "zygote", "scannerd"):
                        continue
                    try:
                        hits = memory.scan(pid, self.finder).hits
                    except OSError:
                        continue  # it ended meanwhile
                    seen.setdefault((name, pid), set()).update(tenant for tenant, _, _ in hits)
        finally:
            over.set()
            for sender in senders:
                sender.join()
        self.assertEqual(errors, [])
        with_text = {who: tenants for who, tenants in seen.items() if tenants}
        print(f"{sum(sent.values())} messages, {len(seen)} processes looked at in {looked_at} rounds, {len(with_text)} with text of a tenant", flush=True)
        self.assertTrue(all(sent.get(name, 0) > 5 for name in self.needles), sent)
        self.assertEqual(set().union(*seen.values()), set(self.needles), "text of both was seen, so it can be seen")
        self.assertEqual({who for who in with_text if who[0] != "scanner"}, set(), "only workers have text")
        self.assertEqual({who: tenants for who, tenants in seen.items() if len(tenants) > 1}, {})


if __name__ == "__main__":
    run()
