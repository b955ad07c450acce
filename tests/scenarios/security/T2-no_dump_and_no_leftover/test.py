#!/usr/bin/python3
"""T2: every process refuses to be dumped, and one that crashes in the middle of its work leaves no core, no file of its memory and
no name behind that tells anything; the supervisor puts another in its place.
"""
import os
import pathlib
import re
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from needles import Finder, needle
from world import ROUTE_USER, World, letter, message_id_of, run, wait_for

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/var/crash", "/var/lib/systemd/coredump")
DAEMONS = ("resolverd", "scannerd", "linkd", "apid", "gatewayd-in", "gatewayd-out", "brokerd", "ledgerd", "keyd")


class NoDumpAndNoLeftover(World):
    @classmethod
    def build(cls):
        cls.started = time.time()
        cls.needles = {name: needle(name) for name in ("password", "body", "subject")}
        cls.sink = cls.start_sink(users={ROUTE_USER: cls.needles["password"]})
        cls.start_mailhold()
        cls.needles["passphrase"] = cls.mailhold.passphrase.read_text()
        cls.tenant, cls.route = cls.add_tenant(sink=cls.sink, password=cls.needles["password"])

    def deliver(self):
        content = letter(self.needles["subject"], self.needles["body"] + "\r\n")
        wait_for("a message taken", lambda: self.send(content)[0] == 250)
        self.sink.wait("the delivery", lambda: any(message_id_of(each.content) == message_id_of(content) for each in self.sink.messages))

    def test_1_no_process_may_be_dumped_or_read_by_its_own_user(self):
        self.deliver()
        for pid, name in self.processes().items():
            try:
                limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
                filtered = pathlib.Path(f"/proc/{pid}/coredump_filter").read_text().strip()
                owner = os.stat(f"/proc/{pid}/mem").st_uid
                user = int(next(line for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("Uid:")).split()[1])
            except OSError:
                self.assertIn(name, ("authd", "scanner"), "only these may come and go")
                continue
            core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
            self.assertEqual(core.split()[4:6], ["0", "0"], name)
            self.assertEqual(int(filtered, 16), 0, f"a core of {name} would have its memory")
            self.assertEqual(owner, 0, f"the memory of {name} belongs to its user {user}: it can be dumped")
            if user != 0:
                child = os.fork()
                if child == 0:
                    os.setgroups([]), os.setgid(user), os.setuid(user)
                    try:
                        os.open(f"/proc/{pid}/mem", os.O_RDONLY)
                    except PermissionError:
                        os._exit(0)
                    except OSError:
                        os._exit(2)
                    os._exit(1)
                self.assertNotEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 1, f"{name} can be read by its own user")

    def test_2_a_crash_leaves_nothing_behind(self):
        for name in DAEMONS:
            pid = self.mailhold.pids()[name]
            os.kill(pid, signal.SIGSEGV)
            wait_for(f"another {name}", lambda: self.mailhold.pids().get(name) not in (None, pid) if name != "apid" else self.another(name, pid))
            if name == "keyd":
                wait_for("the new keyd", lambda: (self.mailhold.cli("key", "status", check=False) or {}).get("seal") == "sealed")
                self.mailhold.unseal()
            if name in ("keyd", "ledgerd"):
                self.mailhold.wait_for_ledger()
            self.deliver()
        finder = Finder(self.needles)
        own = {self.mailhold.passphrase, self.mailhold.operator, self.mailhold.folder / "route-password"}
        count = 0
        for path in self.new_files():
            if path in own:
                continue
            try:
                data = re.sub(rb"\0{4096,}", b"\0" * 4096, path.read_bytes())
            except FileNotFoundError:
                continue  # a temporary file of somebody else
            count += 1
            self.assertFalse(path.name.startswith("core"), f"{path} was left by a crash")
            self.assertEqual(finder.find_deep(data), set(), path)
        self.assertGreater(count, 10)
        self.assertEqual(len(pathlib.Path("/proc/swaps").read_text().splitlines()), 1, "this test says nothing about a machine with swap")

    def another(self, name, pid):
        try:
            return self.mailhold.pids().get(name) not in (None, pid)
        except Exception:
            return False  # the command line itself goes through it

    def new_files(self):
        for folder in (*TEMPORARY, self.mailhold.folder, self.mailhold.data):
            # Others work in the temporary folders too, and take theirs away while this looks.
            for path in (pathlib.Path(inside) / name for inside, _, names in os.walk(folder) for name in names):
                try:
                    if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= self.started and path.stat().st_size < 1 << 28:
                        yield path
                except OSError:
                    continue
        yield from (path for path in pathlib.Path("/").glob("core*") if path.is_file())


if __name__ == "__main__":
    run()
