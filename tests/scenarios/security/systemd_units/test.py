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
EXPOSURE_MAX = {  # as `systemd-analyze security` counts: 0 is none, 10 is all
    "mailhold-witness.service": 1.5,
    "mailhold.service": 4.1,  # makes users and namespaces for processes that sandbox themselves further
}


def exposure(unit):
    said = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", unit], capture_output=True, text=True)
    return float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said.stdout).group(1))


class SystemdUnits(unittest.TestCase):
    def test_every_unit_is_listed_here(self):
        self.assertEqual({path.name for path in UNITS.glob("*.service")}, set(EXPOSURE_MAX))

    def test_no_unit_exposes_more_than_it_may(self):
        for name, most in EXPOSURE_MAX.items():
            self.assertLessEqual(exposure(UNITS / name), most, name)

    def test_systemd_understands_every_line(self):
        for path in UNITS.iterdir():
            said = subprocess.run(["systemd-analyze", "verify", "--man=no", path if path.suffix == ".service" else UNITS / "mailhold.service"],
                                  capture_output=True, text=True)
            self.assertNotRegex(said.stderr, r"Unknown|Failed to parse|[Ii]gnoring", path.name)

    def test_the_gate_can_fail(self):
        with tempfile.TemporaryDirectory() as folder:
            loose = pathlib.Path(shutil.copy(UNITS / "mailhold-witness.service", folder))
            loose.write_text(re.sub(r"(?m)^(SystemCallFilter|CapabilityBoundingSet|ProtectSystem)=.*\n", "", loose.read_text()))
            self.assertGreater(exposure(loose), EXPOSURE_MAX["mailhold-witness.service"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
