#!/usr/bin/python3
"""T33: whatever happens to the disk under the ledger, no credential is used that is not on it, mail is accepted all the while, and
nothing goes on by itself: EIO once, a full disk, a journal that is gone or moved, a file system that is read-only, one that is slow.
The same at a start, and what a start makes of a spool or of records that cannot be written.
"""
import ctypes
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scenarios"))
from strace_log import Strace
from world import CommandFailed, Mailhold, World, letter, run, wait_for

CLONE_NEWNS = 0x00020000
LEDGER_BYTES, SPOOL_BYTES = 8 << 20, 512 << 20


class LogFailureModes(World):
    @classmethod
    def build(cls):
        """Ledger and spool lie on file systems of their own, which are mounted in this test's namespace only."""
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        settings = {"dns.servers": [f"127.0.0.1@{cls.dns.port}"]} | cls.quick_retries
        cls.mailhold = Mailhold(cls.folder / "mailhold", settings, users_first=52000)
        cls.addClassCleanup(lambda: cls.mailhold.stop())
        cls.ledger = cls.mailhold.data / "ledger"
        cls.mailhold.start()  # makes the folder
        cls.mailhold.stop()
        cls.give_file_system("ledger", LEDGER_BYTES)
        cls.give_file_system("spool", SPOOL_BYTES)
        cls.mailhold.start()
        cls.mailhold.initialise()
        cls.sink = cls.start_sink()
        cls.tenant, _ = cls.add_tenant(sink=cls.sink)
        cls.sent = []

    @staticmethod
    def mount(*words):
        subprocess.run(["mount", *map(str, words)], check=True)

    @classmethod
    def give_file_system(cls, name, size):
        folder = cls.mailhold.data / name
        owner = folder.stat()
        cls.mount("-t", "tmpfs", "-o", f"size={size},uid={owner.st_uid},gid={owner.st_gid},mode={owner.st_mode & 0o7777:o}", name, folder)
        cls.addClassCleanup(lambda: subprocess.run(["umount", "-l", folder], check=True))

    def start_with(self, name, how):
        """As after the machine was started again, with data/NAME mounted so."""
        self.mailhold.stop()
        folder = self.mailhold.data / name
        if not os.path.ismount(folder):
            self.mount("--bind", folder, folder)
            self.addCleanup(lambda: subprocess.run(["umount", "-l", folder], check=True))
        self.remount(name, how)
        self.addCleanup(self.remount, name, "rw")
        self.mailhold.start()
        self.mailhold.cli("unseal", "--passphrase-file", self.mailhold.passphrase, check=False)

    def remount(self, name, how):
        self.mount("-o", f"remount,bind,{how}", self.mailhold.data / name)

    def wait_until_taken(self):
        self.mailhold.wait_for_directory("alice@example.test")

    def setUp(self):
        """The next message needs a session, an AUTH and so an intent of its own: none is left open from before."""
        self.deliver()
        self.sink.hang_up()
        self.sink.listen()
        self.uses = len(self.sink.auths)

    def tearDown(self):
        """Every use that the server saw stands in the ledger, which is whole."""
        leaves = {entry["leaf"] for entry in self.intents(self.tenant)}
        self.assertLessEqual({message.envelope_id for message in self.sink.messages}, leaves)
        self.assertLessEqual(len(self.sink.auths), len(leaves))
        self.assertTrue(self.mailhold.cli("ledger", "verify")["sound"])

    def accepted(self):
        """One more message, which the gateway takes as ever."""
        message = self.send_ok(letter())
        self.sent.append(message)
        return message

    def deliver(self):
        self.accepted()
        self.ask("queue.flush")
        self.sink.wait("the delivery of all", lambda: len(self.sink.messages) >= len(self.sent))
        wait_for("the empty queue", lambda: not self.queued())

    def journal(self):
        return max((self.ledger / "journal").glob("*[0-9]"))

    def ledger_pid(self):
        return self.mailhold.pids()["ledgerd"]

    def strace(self, *options):
        strace = Strace(self.folder / "ledgerd.strace", [self.ledger_pid()], "-e", "trace=fdatasync", *options)
        self.addCleanup(strace.stop)
        return strace

    def assert_no_use(self, attempts=2):
        """Mail is accepted, tried again and again, and waits: nobody signs in."""
        message = self.accepted()
        self.wait_until_deferred(message, attempts)
        status = self.mailhold.cli("ledger", "status")
        self.assertFalse(status["open"])
        self.assertNotEqual(status["failure"], "")
        self.assertEqual(len(self.sink.auths), self.uses, "a credential was used without evidence")

    def assert_goes_on(self):
        """Only when somebody says so; then all that waited is delivered."""
        self.assertTrue(self.mailhold.cli("ledger", "reopen")["open"])
        self.deliver()

    def test_EIO_once_is_for_good(self):
        strace = self.strace("-e", "inject=fdatasync:error=EIO:syscall=gettid:when=1")
        self.assert_no_use()
        strace.stop()
        self.assertEqual([call.result for call in strace.calls()], [-1], "the disk was well again and was not asked again")
        self.assert_no_use(1)
        self.assert_goes_on()

    def test_a_full_disk(self):
        ballast = self.ledger / "ballast"
        with open(ballast, "wb", 0) as file:
            for size in (1 << 20, 4096, 1):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    continue
        for _ in range(20):  # what is left of the journal's last page takes a few
            if not self.mailhold.cli("ledger", "status")["open"]:
                break
            self.sink.hang_up()
            self.sink.listen()
            self.accepted()
            wait_for("its delivery or the failure", lambda: len(self.sink.messages) == len(self.sent) or not self.mailhold.cli("ledger", "status")["open"])
        self.uses = len(self.sink.auths)
        self.assert_no_use()
        ballast.unlink()
        self.assert_goes_on()

    def test_a_journal_that_is_unlinked(self):
        journal, kept = self.journal(), self.ledger / "kept"
        os.link(journal, kept)
        journal.unlink()
        self.assert_no_use()
        with self.assertRaises(CommandFailed):
            self.mailhold.cli("ledger", "reopen")  # what was acknowledged is not there
        self.assert_no_use(1)
        kept.rename(journal)
        self.assert_goes_on()

    def test_a_journal_that_is_renamed(self):
        journal = self.journal()
        moved = journal.with_name("moved")
        journal.rename(moved)
        self.assert_no_use()
        moved.rename(journal)
        self.assert_goes_on()

    def test_a_file_system_that_became_read_only(self):
        """As one does that is mounted with errors=remount-ro: files stay open, and each write ends with EROFS."""
        strace = self.strace("-P", self.journal(), "-e", "trace=write", "-e", "inject=write:error=EROFS:syscall=gettid:when=1+")
        self.assert_no_use()
        self.assertIn("Read-only", self.mailhold.cli("ledger", "status")["failure"])
        strace.stop()
        self.assert_goes_on()

    def test_a_start_with_a_ledger_that_is_read_only(self):
        self.start_with("ledger", "ro")
        self.wait_until_taken()
        self.assert_no_use()
        self.assertIn("Read-only", self.mailhold.cli("ledger", "status")["failure"])
        self.remount("ledger", "rw")
        self.assert_no_use(1)
        self.assert_goes_on()

    def refused_for_now(self):
        code, said = self.send(letter())
        self.assertEqual(code, 451, said)

    def taken_again(self):
        """Once the sender comes again; a spool that failed is left alone for some seconds."""
        def come_again():
            code, said = self.send(letter())
            if code == 250:
                self.sent.append(said.rsplit(" ", 1)[1])
            return code == 250
        wait_for("the message to be taken", come_again)
        self.deliver()

    def test_a_start_with_a_spool_that_is_read_only(self):
        """The senders keep their mail; it is taken once the spool can be written, and nobody has to say so."""
        self.start_with("spool", "ro")
        self.mailhold.wait_for_ledger()
        self.wait_until_taken()
        self.refused_for_now()
        self.remount("spool", "rw")
        self.taken_again()

    def test_a_start_with_a_spool_that_is_full(self):
        self.mailhold.stop()
        ballast = self.mailhold.data / "spool" / "ballast"
        space = os.statvfs(ballast.parent)
        with open(ballast, "wb", 0) as file:
            os.posix_fallocate(file.fileno(), 0, space.f_bavail * space.f_frsize)
        self.mailhold.start()
        self.mailhold.unseal()
        self.wait_until_taken()
        self.refused_for_now()
        ballast.unlink()
        self.taken_again()

    def test_a_start_with_records_of_brokerd_that_are_read_only(self):
        """Nothing else needs them to accept mail; it is delivered once they can be written, and nobody has to say so."""
        self.start_with("broker", "ro")
        self.wait_until_taken()
        self.wait_until_deferred(self.accepted())
        self.assertEqual(len(self.sink.auths), self.uses)
        self.remount("broker", "rw")
        self.deliver()

    def test_five_seconds_for_each_sync(self):
        """Mail is accepted at once and the use waits."""
        strace = self.strace("-e", "inject=fdatasync:delay_enter=5000000:when=1+")
        begin = time.time()
        self.accepted()
        self.assertLess(time.time() - begin, 5)
        self.sink.wait("the sign-in", lambda: len(self.sink.auths) > self.uses)
        strace.stop()
        first = min(call.end for call in strace.calls() if call.begin > begin)
        self.assertGreater(self.sink.auths[-1].at, first, "used before its evidence was on the disk")
        self.assertGreater(self.sink.auths[-1].at - begin, 5)
        self.deliver()

    def test_a_kill_in_the_middle_of_a_slow_sync(self):
        """What was not synced yet has no receipt, and was not used."""
        strace = self.strace("-e", "inject=fdatasync:delay_enter=20000000:when=1+")
        self.accepted()
        wait_for("the sync", lambda: "fdatasync" in (self.folder / "ledgerd.strace").read_text())
        before = self.ledger_pid()
        os.kill(before, signal.SIGKILL)
        self.assertEqual(len(self.sink.auths), self.uses)
        strace.stop()
        wait_for("another ledgerd", lambda: self.ledger_pid() not in (before, -1))
        self.mailhold.wait_for_ledger()
        self.deliver()


if __name__ == "__main__":
    run()
