#!/usr/bin/python3
"""Backups and restores of mail, calendars and contacts, a release, an export and an import are killed, or lose their disk, at scripted points: tests/peers/backup_kill_points does it and says what did not hold."""
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

PROGRAMS = pathlib.Path(os.environ["MAILHOLD_PROGRAMS"])
POINTS = int(os.environ.get("MAILHOLD_KILL_POINTS", 105))


class KillPoints(unittest.TestCase):
    def test_nothing_is_lost_or_doubled_wherever_it_ends(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([PROGRAMS / "backup_kill_points", folder, str(POINTS)], capture_output=True, text=True, timeout=550)
        print(done.stdout.splitlines()[-1] if done.stdout else done.stderr[-2000:], flush=True)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        self.assertGreaterEqual(int(re.search(r"points held: (\d+)", done.stdout)[1]), POINTS * 9 // 10)
        # What a worker says of a disk that failed it was looked at often enough.
        self.assertGreaterEqual(int(re.findall(r"failed and said so: (\d+)", done.stdout)[-1]), POINTS // 10)
        kinds = set(re.findall(r"^([a-z-]+): ", done.stdout, re.MULTILINE))
        self.assertLessEqual({"first", "second", "restore", "release", "dav-first", "dav-second", "dav-restore", "export", "import"}, kinds)


if __name__ == "__main__":
    unittest.main()
