"""The base of the scenarios about backups: what an operator does with mailboxes, on a Mailhold whose workerd is the real one."""
import json
import os
import signal
import subprocess

from connection_world import ConnectionWorld
from world import PROGRAMS, wait_for


class MailboxWorld(ConnectionWorld):
    stands_as_worker = False
    settings = {"backup.every_seconds": 3600, "backup.sessions_max": 2, "backup.proof_hour": 24}  # nothing happens but what the test asks for
    main = ""  # the mailbox that is meant where none is named

    def mailbox(self, name=None):
        return next(each for each in self.mailhold.cli("mailbox", "list", "--tenant", "example.test")["mailboxes"] if each["name"] == (name or self.main))

    def sync(self, name=None):
        """The mailbox after a sync that began after this call."""
        before = self.mailbox(name).get("tried_at", "")
        self.mailhold.cli("backup", "run", name or self.main)
        wait_for("the sync", lambda: self.mailbox(name).get("tried_at", "") > before and "running" not in self.mailbox(name))
        return self.mailbox(name)

    def restore(self, verb, *words):
        """(exit code, report); what is started is signed for by the operator."""
        key = ["--key", self.mailhold.operator] if verb == "start" else []
        done = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "--json", "restore", verb, *words, *key], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertTrue(done.stdout, done.stderr)
        return done.returncode, json.loads(done.stdout)

    def assert_each_write_was_signed_for(self, connection, mailbox):
        """Every session that could write over the connection names an operation that somebody signed, and the mailbox it is for."""
        writes = [each for each in self.events_of_connection(connection) if each["t"] == "use.intent" and each["purpose"].startswith("restore.")]
        self.assertTrue(writes)
        signed = {each["operation"] for each in self.ledger("operation.restore.allow")}
        self.assertLessEqual({each["operation"] for each in writes}, signed)
        self.assertEqual({each["into"] for each in writes}, {mailbox})

    def prove(self, name=None):
        """(exit code, what it printed)"""
        done = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "--json", "backup", "prove", name or self.main], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertTrue(done.stdout, done.stderr)
        return done.returncode, json.loads(done.stdout)

    def check(self, *words):
        """(exit code, what it printed)"""
        done = subprocess.run([PROGRAMS / "mailhold", "--socket", self.mailhold.socket, "--json", "backup", "check", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        self.assertTrue(done.stdout, done.stderr)
        return done.returncode, json.loads(done.stdout)

    def ledger(self, kind):
        return [entry["event"] for entry in self.ledger_entries(self.tenant) if entry["event"].get("t") == kind]

    def resume(self, connection):
        """Two people: one asks, the other signs."""
        asked = self.mailhold.cli("connection", "resume", "--tenant", self.tenant, "--connection", connection, "--key", self.mailhold.operator)
        self.mailhold.cli("operation", "approve", "--tenant", self.tenant, "--operation", asked["waits_for_second_person"], "--key", self.second)

    def suspend(self, connection):
        self.mailhold.cli("connection", "suspend", "--tenant", self.tenant, "--connection", connection, "--key", self.mailhold.operator)

    def kill_worker(self):
        before = self.mailhold.pids()["workerd"]
        os.kill(before, signal.SIGKILL)
        wait_for("another workerd", lambda: self.mailhold.pids()["workerd"] not in (before, -1) and self.mailhold.cli("mailbox", "list", check=False))
