#!/usr/bin/python3
"""T24: `mailhold host watch` runs beside a Mailhold; a program, a unit and a listening port that were not recorded become R19 in the status and
in the ledger within the minute, by hash, and keyd opens no seal until they are gone. In process, mount and network namespaces of its own, so
that nothing else of this machine counts.
"""
import hashlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

SCENARIOS = pathlib.Path(__file__).resolve().parents[2]
ROOT = SCENARIOS.parents[1]
FOLDER = ROOT / f"run/tests/T24k.{os.environ.get('T24_FOLDER', os.getpid())}"
UNITS = pathlib.Path("/run/systemd/system")
REGION = b"mailhold.region.".hex()  # the tenant under which the region keeps its own events
NEEDED = "mailhold keyd tokend ledgerd brokerd authd apid resolverd scannerd searchd gatewayd linkd workerd gossipd".split()


def enter():
    """This file again, on a host of its own."""
    programs = pathlib.Path(os.environ.get("MAILHOLD_PROGRAMS", ROOT / "build/release/bin")).resolve()
    shutil.rmtree(FOLDER, ignore_errors=True)
    (FOLDER / "programs").mkdir(parents=True)
    (FOLDER / "units").mkdir()
    for name in NEEDED:
        shutil.copy2(programs / name, FOLDER / "programs")
    mounts = f"mkdir -p {UNITS} && mount --bind {FOLDER}/units {UNITS} && ip link set lo up"
    environment = os.environ | {"MAILHOLD_PROGRAMS": str(FOLDER / "programs"), "T24_FOLDER": str(os.getpid())}
    code = subprocess.run(["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--net", "sh", "-c",
                           f"{mounts} && exec {sys.executable} {__file__}"], env=environment, timeout=300).returncode
    if code == 0:
        shutil.rmtree(FOLDER)
    sys.exit(code)


if "T24_FOLDER" not in os.environ:
    enter()

sys.path.insert(0, str(SCENARIOS))
import world  # noqa: E402


def hash_of(subject):
    return hashlib.sha256(subject.encode()).hexdigest()


class KeydAsks(world.World):
    @classmethod
    def build(cls):
        cls.list, cls.state = FOLDER / "host.list", FOLDER / "watch/state"
        cls.state.parent.mkdir()
        cls.programs = FOLDER / "programs"
        settings = {"dns.servers": [f"127.0.0.1@{cls.dns.port}"], "keys.host_state": str(cls.state)}
        cls.mailhold = world.Mailhold(cls.folder / "mailhold", settings, users_first=52000)
        cls.addClassCleanup(lambda: cls.mailhold.stop())
        cls.mailhold.start()
        cls.host("record")
        cls.watch = subprocess.Popen([cls.programs / "mailhold", "host", "watch", "--list", cls.list, "--state", cls.state, "--every", "1"], stderr=subprocess.DEVNULL)
        cls.addClassCleanup(cls.end_watch)
        world.wait_for("the first look", cls.state.exists)
        cls.mailhold.initialise()

    @classmethod
    def end_watch(cls):
        cls.watch.terminate()
        cls.watch.wait()

    @classmethod
    def host(cls, verb):
        return subprocess.run([cls.programs / "mailhold", "--json", "host", verb, "--list", cls.list], capture_output=True, text=True)

    def alarms(self):
        return self.mailhold.cli("status").get("alarms", [])

    def findings_in_ledger(self):
        entries = self.ask("ledger.show", tenant=REGION, limit=500, **{"from": 1})["entries"]
        return {(each["event"]["finding"], each["event"].get("subject")) for each in entries if each["event"].get("t") == "host.finding"}

    def seal(self):
        """keyd starts anew, so that the region is sealed."""
        before = self.mailhold.pids()["keyd"]
        os.kill(before, signal.SIGKILL)
        world.wait_for("another keyd", lambda: self.mailhold.pids()["keyd"] not in (before, -1))
        world.wait_for("its seal", lambda: (self.mailhold.cli("key", "status", check=False) or {}).get("seal") == "sealed")

    def refusal(self):
        with self.assertRaises(world.CommandFailed) as refused:
            self.mailhold.cli("unseal", "--passphrase-file", self.mailhold.passphrase)
        self.assertEqual(refused.exception.code, 5)
        self.assertEqual(self.mailhold.cli("key", "status")["seal"], "sealed")
        return refused.exception.message

    def test_1_a_host_as_it_was_recorded_raises_nothing(self):
        self.assertEqual(self.alarms(), [])
        self.assertEqual(self.mailhold.cli("key", "status")["host"], "as recorded")

    def test_2_an_agent_raises_R19_within_the_minute_and_nothing_is_unsealed(self):
        agent = shutil.copy("/bin/sleep", FOLDER / "orion")
        process = subprocess.Popen([agent, "600"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        (UNITS / "orion.service").write_text("[Service]\nExecStart=/opt/orion\n")
        listener = socket.create_server(("127.0.0.1", 443))
        self.addCleanup(listener.close)
        dropped = time.monotonic()
        expected = {("unknown program", hash_of(str(agent))), ("unknown unit", hash_of(str(UNITS / "orion.service"))), ("unknown listener", hash_of("tcp 0100007F:443"))}
        world.wait_for("R19 in the ledger", lambda: expected <= self.findings_in_ledger(), 60)
        self.assertLess(time.monotonic() - dropped, 60)
        self.assertEqual(set(self.alarms()), {f"R19: {kind} {subject}" for kind, subject in expected})
        self.assertNotIn("orion", str(self.mailhold.cli("status")) + self.mailhold.log.read_text())
        self.assertIn("orion", self.host("check").stdout)
        # It goes on as it is, but does not open again.
        self.assertEqual(self.mailhold.cli("key", "status")["seal"], "unsealed")
        self.seal()
        self.assertIn("R19: this host is not as it was recorded: unknown program", self.refusal())
        process.kill()
        process.wait()
        listener.close()
        (UNITS / "orion.service").unlink()
        world.wait_for("a host as recorded", lambda: self.alarms() == [])
        self.mailhold.unseal()

    def test_3_without_a_watch_nothing_is_unsealed(self):
        self.end_watch()
        self.seal()
        fresh = self.state.read_text()
        self.state.unlink()
        self.assertIn("this host is not watched: there is no state", self.refusal())
        self.state.write_text(re.sub(r"time\t\d+", f"time\t{int((time.time() - 61) * 1000)}", fresh))
        self.assertRegex(self.refusal(), "this host is not watched: the state of the host is 6[1-9] s old")
        self.state.write_text(fresh.replace("time", "finding", 1))
        self.assertIn("malformed", self.refusal())
        self.state.write_text(f"mailhold-host-state-1\ntime\t{int(time.time() * 1000)}\n")
        self.state.chmod(0o666)
        self.assertIn("could have been written by another", self.refusal())
        self.state.chmod(0o644)
        self.mailhold.unseal()
        world.wait_for("the entry", lambda: ("not watched", None) in self.findings_in_ledger())


if __name__ == "__main__":
    world.run()
