#!/usr/bin/python3
"""Every program is a unit of its own, as packaging/systemd has them: systemd's systemd-socket-activate starts each for a connection of the
supervisor's, under the user, in the network, with the filter of system calls that its unit names. A message is delivered with a secret, and a
program that is killed comes back.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[2])]
import world  # noqa: E402
from installation_of_units import MailholdOfUnits  # noqa: E402


def field(pid, name):
    return re.search(rf"(?m)^{name}:\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1).split()


def network_of(pid):
    return os.readlink(f"/proc/{pid}/ns/net")


class ProgramsInUnits(world.World):
    @classmethod
    def build(cls):
        settings = {"dns.servers": [f"127.0.0.1@{cls.dns.port}"]} | cls.quick_retries
        cls.mailhold = MailholdOfUnits(cls.folder / "m", settings)
        cls.addClassCleanup(lambda: cls.mailhold.stop())
        cls.mailhold.start()
        cls.mailhold.initialise()
        cls.sink = cls.start_sink()
        cls.tenant, _ = cls.add_tenant(sink=cls.sink)

    def deliver(self, subject):
        self.mailhold.wait_for_directory("anybody@example.test")  # after a start it asks for it anew
        before = len(self.sink.messages)
        self.send_ok(world.letter(subject))
        world.wait_for("the delivery", lambda: len(self.sink.messages) > before)

    def test_1_the_supervisor_has_no_rights_and_each_program_a_user_of_its_own(self):
        supervisor, pids = self.mailhold.process.pid, self.mailhold.pids()
        self.assertEqual(set(field(supervisor, "Uid")), {str(self.mailhold.users["mailhold"])})
        self.assertEqual([field(supervisor, each) for each in ("CapEff", "CapPrm", "CapBnd")], [["0" * 16]] * 3)
        self.assertEqual({name: field(pid, "Uid")[0] for name, pid in pids.items()}, {name: str(self.mailhold.users[f"mailhold-{name}"]) for name in pids})
        ours = network_of("self")
        for name, pid in pids.items():
            self.assertEqual(network_of(pid) == ours, name in ("brokerd", "gossipd", "gatewayd-out", "resolverd"), name)

    def test_2_a_message_is_delivered_with_a_secret_and_its_intent_is_in_the_ledger(self):
        self.deliver("by units")
        self.assertIn(world.ROUTE_USER.encode(), self.sink.auths[-1].plain)
        self.assertEqual(len(self.intents(self.tenant)), len(self.sink.auths))

    def test_3_a_keyd_that_is_killed_is_started_again_and_serves(self):
        first = self.mailhold.pids()["keyd"]
        os.kill(first, signal.SIGKILL)
        world.wait_for("another keyd", lambda: self.mailhold.pids()["keyd"] not in (first, -1))
        world.wait_for("its seal", lambda: self.mailhold.cli("key", "status")["seal"] == "sealed")
        self.mailhold.unseal()
        self.deliver("after keyd came back")

    def test_4_every_other_program_that_is_killed_comes_back_too(self):
        before = self.mailhold.pids()
        for name in ("ledgerd", "brokerd", "resolverd", "gatewayd-out"):
            os.kill(before[name], signal.SIGKILL)
        world.wait_for("the others", lambda: all(self.mailhold.pids()[name] not in (before[name], -1) for name in ("ledgerd", "brokerd", "resolverd", "gatewayd-out")))
        self.mailhold.wait_for_ledger()
        self.deliver("after four came back")

    def test_5_only_the_supervisor_may_reach_a_program(self):
        stranger = ["setpriv", "--reuid=60999", "--regid=60999", "--clear-groups", sys.executable, "-c",
                    "import socket,sys; s = socket.socket(socket.AF_UNIX); s.settimeout(20); s.connect(sys.argv[1]); s.recv(1)"]
        path = self.mailhold.sockets / "keyd.sock"
        refused = subprocess.run([*stranger, path], capture_output=True, text=True)
        self.assertIn("PermissionError", refused.stderr)
        # A unit that opens it to others is refused by the program itself.
        os.chmod(path, 0o666)
        self.addCleanup(os.chmod, path, 0o600)
        subprocess.run([*stranger, path], capture_output=True)
        self.assertIn("is open to more than its owner", self.mailhold.log.read_text())

    def test_6_programs_end_with_the_supervisor_and_all_starts_again(self):
        pids = self.mailhold.pids()
        self.mailhold.process.kill()
        self.mailhold.process.wait()
        self.mailhold.process = None
        world.wait_for("the end of all", lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids.values()))
        self.mailhold.start()
        self.mailhold.unseal()
        self.deliver("after a new start")

    def test_7_a_stop_ends_all_at_their_own_word(self):
        pids, log = self.mailhold.pids(), self.mailhold.log.stat().st_size
        self.mailhold.process.send_signal(signal.SIGTERM)
        self.mailhold.process.wait(60)
        self.mailhold.process = None
        said = self.mailhold.log.read_text()[log:]
        self.assertNotIn("did not end in time", said)
        self.assertIn("supervisor: stopped", said)
        world.wait_for("the end of all", lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids.values()))

    def test_8_a_name_that_is_no_program_is_said_at_once(self):
        config = self.mailhold.folder / "wrong.toml"
        config.write_text('[supervisor]\nattach = ["keyd", "smtpd"]\n')
        done = subprocess.run([world.PROGRAMS / "mailhold", "up", "--config", config], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("there is no program smtpd", done.stderr)


if __name__ == "__main__":
    world.run()
