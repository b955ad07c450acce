#!/usr/bin/python3
"""The units of packaging/systemd, judged by systemd itself without anything being started: every line is understood, and the exposure is
not above what is written here.
"""
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

UNITS = pathlib.Path(__file__).resolve().parents[4] / "packaging/systemd"
# As `systemd-analyze security` counts: 0 is none, 10 is all.
EXPOSURE_MAX = 1.5
EXPOSURE_MAX_OF_ALL_IN_ONE = 4.1  # mailhold.service makes users and namespaces for processes that sandbox themselves further


def exposure(unit):
    said = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", unit], capture_output=True, text=True)
    return float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said.stdout).group(1))


class SystemdUnits(unittest.TestCase):
    def test_no_unit_exposes_more_than_it_may(self):
        for path in UNITS.glob("*.service"):
            self.assertLessEqual(exposure(path), EXPOSURE_MAX_OF_ALL_IN_ONE if path.name == "mailhold.service" else EXPOSURE_MAX, path.name)

    def test_each_program_has_a_socket_for_the_supervisor_alone(self):
        programs = {path.name.removesuffix("@.service") for path in UNITS.glob("mailhold-*@.service")}
        sockets = {path.stem for path in UNITS.glob("mailhold-*.socket") if "Accept=yes" in path.read_text()}
        self.assertEqual(programs, sockets)
        self.assertGreaterEqual(len(programs), 13)
        for name in sockets:
            lines = (UNITS / f"{name}.socket").read_text().splitlines()
            self.assertLessEqual({f"ListenStream=/run/mailhold/{name.removeprefix('mailhold-')}.sock", "SocketUser=mailhold", "SocketMode=0600"}, set(lines))

    def test_systemd_understands_every_line(self):
        for path in [*UNITS.glob("*.service"), *UNITS.glob("*.socket")]:
            said = subprocess.run(["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True)
            self.assertNotRegex(said.stderr, r"Unknown|Failed to parse|[Ii]gnoring|Invalid", path.name)

    def test_the_users_are_those_that_the_supervisor_gives_and_systemd_takes_them(self):
        topology = (UNITS.parents[1] / "src/core/supervisor/topology.cpp").read_text()
        given = {name: int(user) for name, user in re.findall(r'\{"([a-z-]+)", "[a-z-]+", \{[^}]*\}, Network::\w+, (\d+)', topology)}
        listed = dict(re.findall(r"(?m)^u mailhold-(\S+) (\d+)", (UNITS / "mailhold.sysusers.conf").read_text()))
        given.pop("authd")
        self.assertEqual({name: 62000 + user for name, user in given.items()}, {name: int(listed[name]) for name in given})
        with tempfile.TemporaryDirectory() as root:
            (pathlib.Path(root) / "etc").mkdir()
            said = subprocess.run(["systemd-sysusers", f"--root={root}", UNITS / "mailhold.sysusers.conf"], capture_output=True, text=True)
            self.assertEqual(said.returncode, 0, said.stderr)
            self.assertIn("mailhold-keyd:x:62000:", (pathlib.Path(root) / "etc/passwd").read_text())

    def test_the_gate_can_fail(self):
        with tempfile.TemporaryDirectory() as folder:
            loose = pathlib.Path(shutil.copy(UNITS / "mailhold-witness.service", folder))
            loose.write_text(re.sub(r"(?m)^(SystemCallFilter|CapabilityBoundingSet|ProtectSystem)=.*\n", "", loose.read_text()))
            self.assertGreater(exposure(loose), EXPOSURE_MAX)


if __name__ == "__main__":
    unittest.main(verbosity=2)
