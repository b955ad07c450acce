#!/usr/bin/python3
"""Under load, each process of Mailhold is killed in turn; nothing that was acknowledged may be lost.

    kill_rounds.py [ROUNDS]      20 rounds if not given; exit code 0 only if nothing was lost

Each message is one of its own. What the company's server took twice is counted, and each such message must have been on its
way while something was killed.
"""
import os
import pathlib
import random
import signal
import smtplib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scenarios"))
from world import World, letter, message_id_of, wait_for

NAMES = ("gatewayd-in", "gatewayd-out", "keyd", "ledgerd", "brokerd", "authd", "authd-zygote", "scannerd", "zygote", "scanner", "apid", "resolverd", "linkd")
SENDERS = 4
MESSAGES_BETWEEN = 15   # acknowledged after one kill and before the next


class Load:
    """Sends messages of their own, over and over; remembers which were acknowledged and what else was said."""

    def __init__(self, send):
        self.send = send
        self.acknowledged, self.refused, self.lost_connections = {}, {}, 0
        self.over = threading.Event()
        self.changed = threading.Condition()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(SENDERS)]
        for thread in self.threads:
            thread.start()

    def work(self, number):
        count = 0
        while not self.over.is_set():
            count += 1
            identity = f"{number}.{count}.{os.urandom(4).hex()}@sender.test"
            content = letter("Load", f"{os.urandom(100).hex()}\r\n" * (1 + count % 20), message_id=identity)
            try:
                code, _ = self.send(content)
            except (OSError, EOFError, smtplib.SMTPException):
                code = None
            with self.changed:
                if code == 250:
                    self.acknowledged[identity] = content
                    self.changed.notify_all()
                elif code is None:
                    self.lost_connections += 1
                else:
                    self.refused[code] = self.refused.get(code, 0) + 1
            if code != 250:
                self.over.wait(0.05)  # a sender that is put off does not come back at once

    def wait_for(self, count, seconds):
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.acknowledged) >= count, seconds):
                raise TimeoutError(f"no {count} acknowledgements in {seconds} s")

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


class KillRounds(World):
    settings = {"queue.delay_notice_seconds": 0}

    @classmethod
    def build(cls):
        cls.sink = cls.start_sink()
        cls.start_mailhold()
        cls.tenant, cls.route = cls.add_tenant(sink=cls.sink, more=("--concurrency", 4))

    def kill_one(self, name):
        """Ends a process of that name at a moment of its own; the time, or nothing when there was none."""
        wait_for(f"a running {name}", lambda: any(pid > 0 for pid in self.pids_of(name)))
        killed = None
        for pid in self.pids_of(name):
            try:
                os.kill(pid, signal.SIGKILL)
                killed = time.time()
            except ProcessLookupError:
                continue
        if name == "keyd":
            wait_for("keyd to take the passphrase", lambda: self.mailhold.cli("unseal", "--passphrase-file", self.mailhold.passphrase, check=False) is not None)
        return killed

    def kill_in_rounds(self, rounds):
        chance = random.Random(rounds)
        load, kills = Load(self.send), []
        try:
            for number in range(rounds):
                load.wait_for(len(load.acknowledged) + MESSAGES_BETWEEN, 60)
                name = NAMES[number % len(NAMES)]
                time.sleep(chance.random() * 0.05)  # not always at the same step of the work
                kills.append((self.kill_one(name), name))
            load.wait_for(len(load.acknowledged) + MESSAGES_BETWEEN, 60)
        finally:
            load.stop()
        return load, kills

    def release_held(self):
        """A message whose scanners were all killed under it may be taken for one that kills them, and is held. It is not lost."""
        held = self.ask("held.list", limit=1000)["messages"]
        for item in held:
            self.assertEqual(item["held_for"], "unscannable")
            self.ask("held.release", id=item["id"])
        return len(held)

    def run_rounds(self, rounds):
        started = time.time()
        load, kills = self.kill_in_rounds(rounds)
        arrivals = lambda: [message_id_of(each.content) for each in self.sink.messages]
        missing = lambda: set(load.acknowledged) - set(arrivals())
        held, end = 0, time.monotonic() + 120
        while missing() and time.monotonic() < end:
            held += self.release_held()
            self.sink.stays(1, lambda: not missing())
        wait_for("an empty queue", lambda: not self.queued(), 60)
        lost = missing()
        damaged = [message_id_of(each.content) for each in self.sink.messages
                   if not each.content.endswith(load.acknowledged.get(message_id_of(each.content), b""))]
        twice = {}
        for message in self.sink.messages:
            twice.setdefault(message_id_of(message.content), []).append(message.at)
        twice = {identity: times for identity, times in twice.items() if len(times) > 1}
        unexplained = {identity: times for identity, times in twice.items()
                       if not all(any(first - 1 <= at <= second for at, _ in kills if at) for first, second in zip(times, times[1:]))}
        never_said = set(arrivals()) - set(load.acknowledged)
        print(f"{rounds} rounds in {time.time() - started:.0f} s: {len(load.acknowledged)} acknowledged, lost {len(lost)}, held for their dead scanners and released {held}, delivered twice {len(twice)}, "
              f"delivered though the 250 was lost with its connection {len(never_said)}; put off {load.refused}, connections lost {load.lost_connections}", flush=True)
        self.assertEqual(lost, set(), "acknowledged and lost")
        self.assertEqual(damaged, [], "not what was sent")
        self.assertEqual(unexplained, {}, "delivered twice though nothing was killed in between")
        self.assertLessEqual(len(never_said), load.lost_connections)
        self.assertTrue(self.mailhold.cli("ledger", "verify")["sound"])


def case(rounds):
    """A class with one test of so many rounds."""
    return type("KillOfEachProcess", (KillRounds,), {"test_nothing_acknowledged_is_lost": lambda self: self.run_rounds(rounds), "__module__": "__main__"})


if __name__ == "__main__":
    import unittest
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
    sys.exit(0 if unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful() else 1)
