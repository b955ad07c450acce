#!/usr/bin/python3
"""T32: no password goes to a server before the ledger has the intent on disk. Seen from the server, which gets the hash of
the intent's leaf as ENVID, and from strace, which sees the bytes of that leaf written and synced.
"""
import hashlib
import os
import pathlib
import signal
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from strace_log import Strace
from world import World, letter, message_id_of, run, wait_for

DELIVERIES = 60
SYNC_CALLS = "trace=write,pwrite64,writev,pwritev,fdatasync,fsync"


def leaves_of(batch):
    """Hashes of the entries in a batch of the journal: docs/formats/ledger.md."""
    at = 0
    while batch[at:at + 4] == b"MLB1":
        length, _, count, _ = struct.unpack(">IQIQ", batch[at + 4:at + 28])
        place = at + 28
        for _ in range(count):
            size = struct.unpack(">H", batch[place:place + 2])[0]
            yield hashlib.sha256(b"\0" + batch[place + 2:place + 2 + size]).hexdigest()
            place += 2 + size
        at += length


def durable_times(calls):
    """{leaf: when the first fdatasync after its write had ended well}"""
    waiting, durable = {}, {}
    for call in calls:  # by the time they ended
        if "/ledger/journal/" not in call.path or call.result < 0:
            continue
        if call.name in ("fdatasync", "fsync"):
            covered = {leaf for leaf, written in waiting.items() if written <= call.begin}
            durable.update({leaf: call.end for leaf in covered})
            waiting = {leaf: written for leaf, written in waiting.items() if leaf not in covered}
        else:
            waiting.update({leaf: call.end for leaf in leaves_of(call.bytes)})
    return durable


class LogBeforeUse(World):
    settings = {"queue.session_messages": 1}  # so that every delivery is a use

    @classmethod
    def build(cls):
        cls.sink = cls.start_sink()
        cls.start_mailhold()
        cls.tenant, cls.route = cls.add_tenant(sink=cls.sink)
        cls.deliver("control")

    @classmethod
    def arrived(cls, content):
        return any(message_id_of(each.content) == message_id_of(content) for each in cls.sink.messages)

    @classmethod
    def deliver(cls, subject, seconds=30):
        content = letter(subject)
        cls.send_ok(content)
        cls.sink.wait("the delivery", lambda: cls.arrived(content), seconds)

    def leaves_at_the_server(self, since=0):
        """{number of the connection: leaf} of the sessions that came as far as a message."""
        return {message.connection: message.envelope_id for message in self.sink.messages[since:]}

    def assert_uses_are_intents(self):
        intents = self.intents(self.tenant)
        leaves = {entry["leaf"] for entry in intents}
        self.assertLessEqual(set(self.leaves_at_the_server().values()), leaves)
        self.assertLessEqual(len(self.sink.auths), len(intents))
        self.assertTrue(self.mailhold.cli("ledger", "verify")["sound"])
        return len(intents)

    def test_1_every_auth_comes_after_its_durable_intent(self):
        auths, messages = len(self.sink.auths), len(self.sink.messages)
        strace = Strace(self.folder / "ledgerd.strace", [self.mailhold.pids()["ledgerd"]], "-s", "4000000", "-e", SYNC_CALLS)
        self.addCleanup(strace.stop)
        for number in range(DELIVERIES):
            self.send_ok(letter(f"use {number}"))
        self.sink.wait("all deliveries", lambda: len(self.sink.messages) >= messages + DELIVERIES, 120)
        strace.stop()
        durable, leaves = durable_times(strace.calls()), self.leaves_at_the_server(messages)
        uses = self.sink.auths[auths:]
        self.assertEqual(len(uses), DELIVERIES, "each message is a session of its own")
        earlier = []
        for use in uses:
            leaf = leaves[use.connection]
            self.assertIn(leaf, durable, "the leaf of a use was written and synced")
            self.assertLess(durable[leaf], use.at, "before the password came to the server")
            earlier.append(use.at - durable[leaf])
        self.assertEqual(len(set(leaves.values())), DELIVERIES, "no intent serves twice")
        print(f"{len(uses)} uses, {self.assert_uses_are_intents()} intents; an intent was durable {min(earlier) * 1000:.1f} to "
              f"{max(earlier) * 1000:.1f} ms before its AUTH arrived", flush=True)

    def test_2_no_use_while_the_ledger_is_stopped_and_mail_is_still_taken(self):
        ledgerd = self.mailhold.pids()["ledgerd"]
        uses, content = len(self.sink.auths), letter("ledger stopped")
        os.kill(ledgerd, signal.SIGSTOP)
        try:
            self.send_ok(content)
            self.assertTrue(self.sink.stays(4, lambda: len(self.sink.auths) > uses), "no AUTH without the ledger")
        finally:
            os.kill(ledgerd, signal.SIGCONT)
        self.sink.wait("the delivery", lambda: self.arrived(content), 60)
        self.assert_uses_are_intents()

    def test_3_no_use_after_the_ledger_lost_its_file_until_it_is_opened_again(self):
        """A write into a file that is gone from its folder ends well and is worth nothing; so that must count as a failure of the disk."""
        uses, content = len(self.sink.auths), letter("ledger failed")
        journal = max((self.mailhold.data / "ledger/journal").glob("[0-9]*"))
        away = self.mailhold.data / "ledger/away"
        journal.rename(away)
        try:
            self.send_ok(content)
            wait_for("the failure", lambda: self.mailhold.cli("ledger", "status")["open"] is False)
        finally:
            away.rename(journal)
        self.assertTrue(self.sink.stays(3, lambda: len(self.sink.auths) > uses), "it stays failed though the file is back")
        self.send_ok(letter("taken all the same"))
        self.assertEqual(len(self.sink.auths), uses)
        self.mailhold.cli("ledger", "reopen")
        self.sink.wait("the delivery", lambda: self.arrived(content), 60)
        self.assert_uses_are_intents()

    def test_4_whoever_dies_in_the_middle_every_use_has_its_intent(self):
        for name in ("brokerd", "ledgerd", "authd", "keyd"):
            with self.subTest(name):
                self.die_in_the_middle(name)
        print(f"{len(self.sink.auths)} uses at the server, {self.assert_uses_are_intents()} intents in the ledger", flush=True)

    def die_in_the_middle(self, name):
        uses, content = len(self.sink.auths), letter(f"{name} dies")
        self.sink.hold_auth()
        try:
            self.send_ok(content)
            self.sink.wait("AUTH", lambda: len(self.sink.auths) > uses)
            for pid in self.pids_of(name):
                os.kill(pid, signal.SIGKILL)
        finally:
            self.sink.release_auth()
        if name == "keyd":
            wait_for("keyd to take the passphrase", lambda: self.mailhold.cli("unseal", "--passphrase-file", self.mailhold.passphrase, check=False) is not None)
        self.sink.wait("the delivery", lambda: self.arrived(content), 60)
        self.assert_uses_are_intents()


if __name__ == "__main__":
    run()
