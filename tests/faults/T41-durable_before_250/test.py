#!/usr/bin/python3
"""T41: a 250 is only said when the disk has the message. strace watches every process from the first start on; then the power
goes, and Mailhold starts on a disk that holds synced bytes only: spool, ledger, keystore and store.
"""
import base64
import os
import pathlib
import re
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scenarios"))
from power_cut import CALLS, Disk, assert_known
from strace_log import read
from world import Mailhold, World, letter, message_id_of, run, wait_for

DELIVERED_BEFORE, WAITING, SENDERS = 30, 120, 4


class DurableBefore250(World):
    @classmethod
    def build(cls):
        cls.sink = cls.start_sink()
        cls.start_mailhold()
        cls.tenant, cls.route = cls.add_tenant(sink=cls.sink)

    @classmethod
    def start_mailhold(cls):
        """As the base does, but below strace."""
        settings = {"dns.servers": [f"127.0.0.1@{cls.dns.port}"]} | cls.quick_retries
        cls.mailhold = Mailhold(cls.folder / "mailhold", settings, users_first=52000)
        cls.addClassCleanup(lambda: cls.mailhold.stop())
        cls.trace = cls.folder / "strace"
        cls.mailhold.wrapper = ["strace", "-D", "-f", "--seccomp-bpf", "-ttt", "-T", "-y", "-xx", "-s", "8000000", "-o", cls.trace,
                                "-e", "trace=sendto,mmap," + ",".join(CALLS), "-e", "signal=none", "-e", "quiet=attach,exit"]
        cls.mailhold.start()
        cls.mailhold.initialise()

    def setUp(self):
        self.acknowledged, self.lock = {}, threading.Lock()  # id of the message -> (content, id that Mailhold gave it)

    def send_many(self, count, mark):
        """Until so many are acknowledged, or until the power goes; what was acknowledged stands in `acknowledged`."""
        def work():
            while not self.over.is_set():
                content = letter(mark, f"{mark} {os.urandom(300).hex()}\r\n")
                try:
                    code, text = self.send(content)
                except (OSError, EOFError, self.failureException):
                    continue
                except Exception as error:  # smtplib's own, when the connection goes away
                    if type(error).__module__ != "smtplib":
                        raise
                    continue
                if code == 250:
                    with self.lock:
                        self.acknowledged[message_id_of(content)] = (content, text.rsplit(" ", 1)[1])
        self.over = threading.Event()
        before = len(self.acknowledged)
        senders = [threading.Thread(target=work) for _ in range(SENDERS)]
        for sender in senders:
            sender.start()
        wait_for("acknowledgements", lambda: len(self.acknowledged) - before >= count, 120)
        return senders

    def arrived(self):
        return [message_id_of(each.content) for each in self.sink.messages]

    def test_what_was_acknowledged_is_there_after_a_power_cut(self):
        senders = self.send_many(DELIVERED_BEFORE, "before")
        self.over.set()
        for sender in senders:
            sender.join()
        self.sink.wait("delivery of the first ones", lambda: set(self.acknowledged) <= set(self.arrived()), 60)
        delivered = dict(self.acknowledged)
        uses = {message.envelope_id for message in self.sink.messages}
        self.sink.hang_up()
        senders = self.send_many(WAITING, "behind")
        self.cut_the_power()
        self.over.set()
        for sender in senders:
            sender.join()
        calls = read(self.trace)
        self.check_every_250(calls)
        self.start_on_synced_bytes(calls)
        self.check_all_is_there(delivered, uses)

    def cut_the_power(self):
        supervisor = self.mailhold.process
        everybody = self.processes()
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        wait_for("the end of every process", lambda: not any(pathlib.Path(f"/proc/{pid}/maps").exists() and pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                                                             for pid in everybody))
        # strace ends when the last of them has; then its file is whole.
        wait_for("the end of strace", lambda: not any(str(self.trace).encode() in cmdline for cmdline in self.command_lines()))

    @staticmethod
    def command_lines():
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    yield pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
                except OSError:
                    continue

    def check_every_250(self, calls):
        """For each message: written, then synced, then told."""
        spool = str(self.mailhold.data / "spool")
        writes = [call for call in calls if call.path.startswith(spool) and "write" in call.name]
        syncs = [call for call in calls if call.path.startswith(spool) and call.name in ("fdatasync", "fsync") and call.result == 0]
        replies = {}
        for call in calls:
            if call.name == "sendto" and "kept as" in (text := call.bytes.decode("latin-1")):
                for found in re.finditer(r"250 2\.0\.0 kept as ([0-9a-f]{32})", text):
                    replies[found[1]] = call
        for _, (_, given) in self.acknowledged.items():
            self.assertIn(given, replies, "strace saw every reply")
        for given, reply in replies.items():
            written = next((call for call in writes if bytes.fromhex(given) in call.bytes), None)
            self.assertIsNotNone(written, f"{given} was never written")
            self.assertTrue(any(written.end <= sync.begin and sync.end <= reply.begin and sync.path == written.path for sync in syncs),
                            f"{given} was acknowledged at {reply.begin}, written at {written.end}, and not synced in between")
        print(f"{len(replies)} replies 250 after DATA, each behind a completed fdatasync of its bytes; {len(syncs)} syncs of the spool", flush=True)

    def start_on_synced_bytes(self, calls):
        assert_known(calls, self.mailhold.data)
        disk = Disk(self.mailhold.data)
        disk.take(calls)
        after = self.folder / "after"
        count, lost = disk.write_to(after, self.mailhold.data)
        print(f"the disk after the power cut: {count} files; {lost} bytes in them were written and not yet synced", flush=True)
        self.mailhold.data.rename(self.folder / "before")
        after.rename(self.mailhold.data)
        self.mailhold.wrapper = []
        self.mailhold.start()
        self.mailhold.unseal()

    def check_all_is_there(self, delivered, uses):
        self.assertGreaterEqual({entry["leaf"] for entry in self.intents(self.tenant)}, uses, "the ledger has every use")
        self.assertTrue(self.mailhold.cli("ledger", "verify")["sound"])
        self.sink.listen()
        self.ask("queue.flush")
        missing = lambda: set(self.acknowledged) - set(self.arrived())
        try:
            self.sink.wait("delivery of all that was acknowledged", lambda: not missing(), 60)
        except TimeoutError:
            self.fail(f"{len(missing())} of {len(self.acknowledged)} acknowledged messages are lost")
        twice = len(self.arrived()) - len(set(self.arrived()))
        kept = 0
        for content, given in delivered.values():
            raw = self.wait_for_stored(given)
            self.assertTrue(raw.endswith(content), "the store gives back what was delivered")
            kept += 1
        print(f"{len(self.acknowledged)} acknowledged, 0 lost, {twice} delivered twice, {kept} read back from the store", flush=True)

    def wait_for_stored(self, given):
        answers = []

        def there():
            answers.append(self.ask("message.show", check=False, id=given, part="raw"))
            return answers[-1] is not None
        wait_for(f"{given} in the store", there)
        return base64.b64decode(answers[-1]["raw"])


if __name__ == "__main__":
    run()
