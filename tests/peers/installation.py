"""A Mailhold of its own under a folder: started, set up and asked through the command line, as an operator would.

Used by `make run`, the scenarios, the fault tests and the benchmarks.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from peers import free_port, wait_for

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("MAILHOLD_PROGRAMS", REPOSITORY / "build/release/bin"))


class CommandFailed(Exception):
    def __init__(self, words, code, message):
        super().__init__(f"mailhold {' '.join(words)}: exit code {code}: {message}")
        self.code, self.message = code, message


class Mailhold:
    """`settings`: {"section.key": value} on top of what the installation itself needs."""

    def __init__(self, folder, settings=None, users_first=62000):
        self.folder = pathlib.Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.socket = self.folder / "api.sock"
        self.data = self.folder / "data"
        self.smtp_port, self.links_port = free_port(), free_port()
        self.settings = {
            "mailhold.data": str(self.data),
            "mailhold.socket": str(self.socket),
            "mailhold.hostname": "gateway.mailhold.test",
            "mailhold.users_first": users_first,
            "gateway.smtp": f"127.0.0.1:{self.smtp_port}",
            "links.listen": f"127.0.0.1:{self.links_port}",
            "links.base": f"http://127.0.0.1:{self.links_port}",
            "broker.allowed_networks": "127.0.0.0/8",
            "outbound.allowed_networks": "127.0.0.0/8",
        } | (settings or {})
        # Secrets of the operator: beside the data, never in it.
        self.passphrase = self.secret_file("passphrase", "correct horse battery staple")
        self.operator = self.folder / "operator.key"
        self.process = None
        self.programs = PROGRAMS
        self.wrapper = []  # a command that runs the supervisor, such as strace
        self.log = self.folder / "mailhold.log"

    def replace_program(self, name, by):
        """From the next start on `by` runs in the place of the program; everything else stays what it is."""
        if self.programs == PROGRAMS:
            self.programs = self.folder / "programs"
            self.programs.mkdir()
            for program in PROGRAMS.iterdir():
                if program.is_file() and not program.name.endswith("_test"):
                    (self.programs / program.name).symlink_to(program.resolve())
            (self.programs / "mailhold").unlink()
            shutil.copy2(PROGRAMS / "mailhold", self.programs / "mailhold")  # it looks for the others beside itself
        (self.programs / name).unlink()
        shutil.copy2(PROGRAMS / by, self.programs / name)
        return self.programs / name

    def secret_file(self, name, text):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def write_settings(self):
        sections = {}
        for key, value in self.settings.items():
            section, name = key.split(".")
            sections.setdefault(section, []).append(f"{name} = {json.dumps(value)}")
        path = self.folder / "mailhold.toml"
        path.write_text("".join(f"[{section}]\n" + "\n".join(lines) + "\n\n" for section, lines in sections.items()))
        return path

    def start(self, seconds=60):
        config = self.write_settings()
        before = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.wrapper, self.programs / "mailhold", "up", "--config", config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError("mailhold up ended: " + self.log.read_text()[before:])
            return "all processes are ready" in self.log.read_text()[before:]
        wait_for("mailhold", ready, seconds)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None

    def cli(self, *words, check=True):
        """Runs the command line with --json; the answer as a value."""
        words = [str(word) for word in words]
        done = subprocess.run([PROGRAMS / "mailhold", "--socket", self.socket, "--json", *words], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            if check:
                raise CommandFailed(words, done.returncode, done.stderr.strip())
            return None
        return json.loads(done.stdout) if done.stdout.strip() else None

    def initialise(self):
        """Keys, the first operator; the ledger is open when this returns."""
        self.shares = self.cli("key", "initialise", "--passphrase-file", self.passphrase)["shares"]
        self.wait_for_ledger()
        self.add_first_operator()

    def add_first_operator(self):
        made = self.cli("person", "new-key", "--out", self.operator)
        self.cli("person", "add", "--person", made["person"], "--public-key", made["public_key"], "--key", self.operator)

    def unseal(self):
        self.cli("unseal", "--passphrase-file", self.passphrase)
        self.wait_for_ledger()

    def wait_for_ledger(self):
        """Until the keystore has been compared with it: from then on connections are used."""
        wait_for("the ledger", lambda: (self.cli("ledger", "status", check=False) or {}).get("open"))
        wait_for("the keystore's comparison with the ledger", lambda: (self.cli("key", "status", check=False) or {}).get("compared_with_ledger"))

    def add_tenant(self, name, domain, recipients=()):
        tenant = self.cli("tenant", "add", name)["tenant"]
        words = ["--recipients", *recipients] if recipients else ["--any-recipient"]
        self.cli("domain", "add", tenant, domain, *words)
        return tenant

    def add_auth_route(self, tenant, host, port, name, certificate, user, password, *more):
        """A route with SMTP AUTH as the tenant's default; its id."""
        route = self.cli("route", "set", "--tenant", tenant, "--kind", "smtp-auth", "--host", host, "--port", port, "--name", name, "--ca", certificate,
                         "--key", self.operator, *more)["route"]
        self.cli("secret", "set", "--route", route, "--user", user, "--password-file", self.secret_file("route-password", password), "--key", self.operator)
        self.cli("route", "default", "--tenant", tenant, "--route", route, "--key", self.operator)
        return route

    def add_relay_route(self, tenant, host, port):
        """A fixed next hop without credential and TLS as the tenant's default; its id."""
        route = self.cli("route", "set", "--tenant", tenant, "--kind", "relay", "--host", host, "--port", port, "--tls", "none", "--key", self.operator)["route"]
        self.cli("route", "default", "--tenant", tenant, "--route", route, "--key", self.operator)
        return route

    def wait_for_directory(self, recipient):
        """Until the gateway takes mail for the recipient: it asks for changes every few seconds."""
        wait_for("the gateway's directory", lambda: self.would_take(recipient))

    def would_take(self, recipient):
        import smtplib
        try:
            with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as session:
                session.ehlo("probe.test")
                session.mail("probe@probe.test")
                return session.rcpt(recipient)[0] == 250
        except (OSError, smtplib.SMTPException, socket.timeout):
            return False

    def pids(self):
        """{name: pid} of the running processes, as the supervisor tells."""
        return {each["name"]: each["pid"] for each in self.cli("status")["supervisor"]["processes"]}
