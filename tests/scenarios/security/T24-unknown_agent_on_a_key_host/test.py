#!/usr/bin/python3
"""T24: a program, a unit or a listening port that was not recorded on a host that holds keys is found by `mailhold host check`, which the unit
runs before Mailhold starts. In process and network namespaces of its own, so that nothing else of this machine counts.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[4]
PROGRAMS = pathlib.Path(os.environ.get("MAILHOLD_PROGRAMS", ROOT / "build/release/bin")).resolve()
FOLDER = ROOT / f"run/tests/T24.{os.getpid()}"
# Runs on the host: records, then checks before and after each of the steps that an intruder takes.
ON_THE_HOST = r"""
import json, pathlib, shutil, socket, subprocess, sys
folder = pathlib.Path(sys.argv[1])
mailhold, units, said = folder / "programs/mailhold", pathlib.Path("/run/systemd/system"), []

def host(verb, *more):
    done = subprocess.run([mailhold, "--json", "host", verb, "--list", folder / "host.list", *more], capture_output=True, text=True)
    said.append([done.returncode, done.stdout, done.stderr])

host("record")
host("check")
agent = shutil.copy("/bin/sleep", folder / "agent")
process = subprocess.Popen([agent, "600"])
host("check")
process.kill()
process.wait()
host("check")
(units / "orion.service").write_text("[Service]\nExecStart=/opt/orion\n")
host("check")
(units / "orion.service").unlink()
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
listener = socket.create_server(("127.0.0.1", 443))
host("check")
listener.close()
(folder / "programs/ledgerd").write_bytes(b"another program")
host("check")
(folder / "tools").mkdir()
tool = shutil.copy("/bin/sleep", folder / "tools/tool")
host("record", "--also", folder / "tools")
process = subprocess.Popen([tool, "600"])
host("check")
process.kill()
process.wait()
(folder / "tools/tool").write_bytes((folder / "agent").read_bytes() + b"changed")
process = subprocess.Popen([tool, "600"])
host("check")
process.kill()
process.wait()
print(json.dumps(said))
"""


class UnknownAgent(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(FOLDER, ignore_errors=True)
        (FOLDER / "programs").mkdir(parents=True)
        (FOLDER / "units").mkdir()
        for name in ("mailhold", "ledgerd"):
            shutil.copy(PROGRAMS / name, FOLDER / "programs")
        (FOLDER / "on_the_host.py").write_text(ON_THE_HOST)
        mounts = f"mkdir -p /run/systemd/system && mount --bind {FOLDER}/units /run/systemd/system"
        done = subprocess.run(["unshare", "--pid", "--fork", "--mount", "--mount-proc", "--net", "sh", "-c",
                               f"{mounts} && exec {sys.executable} {FOLDER}/on_the_host.py {FOLDER}"], capture_output=True, text=True, timeout=200)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        cls.said = json.loads(done.stdout.splitlines()[-1])

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(FOLDER, ignore_errors=True)

    def findings(self, step):
        code, output, errors = self.said[step]
        self.assertEqual(code, 5, output + errors)
        self.assertIn("R19", errors)
        return [(each["finding"], each["subject"]) for each in json.loads(output)["findings"]]

    def test_1_as_recorded_it_may_start(self):
        self.assertEqual([self.said[0][0], self.said[1][0]], [0, 0], self.said[:2])

    def test_2_an_unknown_program_is_found_while_it_runs(self):
        self.assertEqual(self.findings(2), [("unknown program", str(FOLDER / "agent"))])
        self.assertEqual(self.said[3][0], 0, self.said[3])

    def test_3_an_unknown_unit_is_found(self):
        self.assertEqual(self.findings(4), [("unknown unit", "/run/systemd/system/orion.service")])

    def test_4_an_unknown_listener_is_found(self):
        self.assertEqual(self.findings(5), [("unknown listener", "tcp 0100007F:443")])

    def test_5_a_changed_program_of_ours_is_found(self):
        self.assertEqual(self.findings(6), [("changed program", str(FOLDER / "programs/ledgerd"))])

    def test_6_a_tool_that_was_recorded_may_run_later_but_not_a_changed_one(self):
        self.assertEqual(self.said[8][0], 0, self.said[8])
        self.assertEqual(self.findings(9), [("changed program", str(FOLDER / "tools/tool"))])


if __name__ == "__main__":
    unittest.main(verbosity=2)
