"""A Mailhold whose programs are units of their own, started by systemd-socket-activate as packaging/systemd says (units.py). The supervisor
is a user without rights.
"""
import os
import re
import signal
import socket
import subprocess
import sys

import units
from installation import Mailhold
from peers import wait_for

HERE = units.pathlib.Path(__file__).resolve().parent


class MailholdOfUnits(Mailhold):
    def __init__(self, folder, settings=None, users_first=52000):
        self.sockets = units.pathlib.Path(folder) / "s"
        super().__init__(folder, {"supervisor.attach": ["all"], "supervisor.sockets": str(self.sockets)} | (settings or {}), users_first)
        self.users = units.users(users_first)
        self.holders = []

    def prepare(self):
        """What systemd-tmpfiles and StateDirectory= do."""
        for folder in (self.sockets, self.data):
            folder.mkdir(exist_ok=True)
            os.chmod(folder, 0o711)
        for path in units.UNITS.glob("mailhold-*@.service"):
            settings = units.settings_of(path.name)
            for state in settings.get("StateDirectory", []):
                self.make_folder(state, settings["User"][-1], settings["User"][-1], int(settings["StateDirectoryMode"][-1], 8))
        for name, mode, user, group in re.findall(r"(?m)^d /var/lib/(mailhold/\S+) (\d+) (\S+) (\S+)$", (units.UNITS / "mailhold.tmpfiles.conf").read_text()):
            self.make_folder(name, user, group, int(mode, 8))

    def make_folder(self, name, user, group, mode):
        path = self.data / name.removeprefix("mailhold/")
        path.mkdir(exist_ok=True)
        os.chown(path, self.users[user], self.users[group])
        os.chmod(path, mode)

    def hold(self, unit, arguments, log):
        """systemd-socket-activate for one unit; what it starts is that unit's program."""
        calls = ",".join(sorted(units.calls_of(units.settings_of(unit)["SystemCallFilter"])))
        environment = {"PATH": os.environ["PATH"], "UNIT_CALLS": calls}
        starter = [sys.executable, str(HERE / "units.py"), unit, str(self.programs), str(self.settings["mailhold.users_first"])]
        return subprocess.Popen(["systemd-socket-activate", "-E", "UNIT_CALLS", *arguments[0], "--", *starter, *arguments[1]], env=environment,
                                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def start(self, seconds=60):
        config = self.write_settings()
        self.prepare()
        before = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            if not self.holders:
                for path in sorted(units.UNITS.glob("mailhold-*.socket")):
                    if "Accept=yes" in path.read_text():
                        self.hold_program(path.stem.removeprefix("mailhold-"), log)
            listeners = ["-l", f"127.0.0.1:{self.smtp_port}", "-l", f"127.0.0.1:{self.links_port}", "-l", str(self.socket), "--fdname=smtp:http:api"]
            self.process = self.hold("mailhold-supervisor.service", [listeners, ["up", "--config", str(config)]], log)
        wait_for("the listeners", self.poke, seconds)

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError("mailhold up ended: " + self.log.read_text()[before:])
            return "all processes are ready" in self.log.read_text()[before:]
        wait_for("mailhold", ready, seconds)

    def hold_program(self, name, log):
        path = self.sockets / f"{name}.sock"
        self.holders.append(self.hold(f"mailhold-{name}@.service", [["-a", "-l", str(path)], []], log))
        wait_for(f"the socket of {name}", path.exists)
        os.chown(path, self.users["mailhold"], self.users["mailhold"])  # SocketUser=, SocketMode=
        os.chmod(path, 0o600)

    def poke(self):
        """The first connection starts the supervisor."""
        try:
            socket.create_connection(("127.0.0.1", self.smtp_port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        super().stop()
        for holder in self.holders:
            holder.send_signal(signal.SIGTERM)
        for holder in self.holders:
            holder.wait()
        self.holders = []
