#!/usr/bin/python3
"""Sessions with secrets through brokerd, authd, keyd and ledgerd, beside a client that has the password itself. Real Postfix and
Dovecot on this machine; the worker is tests/peers/session_worker. Prints lines as the other benchmarks do."""
import os
import pathlib
import shutil
import smtplib
import socket
import ssl
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/peers"), str(ROOT / "tests/scenarios"), str(ROOT / "tests/scenarios/recover"), str(ROOT / "tests/fakes")]
from connection_world import Imap, WorkerSocket  # noqa: E402
from installation import PROGRAMS, Mailhold  # noqa: E402
from mailbox_owner import Owner  # noqa: E402
from peers import Peers, wait_for  # noqa: E402

USER, PASSWORD, THREADS, SESSIONS = "bench@example.test", "the password of the bench", 8, 400
MESSAGE_BYTES, FETCHES, ROUNDS = 64 << 20, 16, 3


def line(name, ours, peer, unit, bar, ratio=None):
    ratio = ours / peer if ratio is None else ratio
    print(f"bench {name} ours={ours:.1f} peer={peer:.1f} unit={unit} ratio={ratio:.2f} bar={bar} {'ok' if ratio >= bar else 'short'}", flush=True)


def processor_times():
    """Milliseconds of a processor by the name of a process, with those of its children that have ended."""
    times = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            before, after = stat.read_text().rsplit(")", 1)
        except OSError:  # it has ended
            continue
        fields = after.split()
        name = before.split("(", 1)[1]
        own, ended = (sum(map(int, fields[first:first + 2])) for first in (11, 13))
        times[name] = times.get(name, 0) + own * 1000 / os.sysconf("SC_CLK_TCK")
        if name in ("authd-zygote", "master"):  # their children come and go; all else is counted by itself
            times[f"copies of {name}"] = times.get(f"copies of {name}", 0) + ended * 1000 / os.sysconf("SC_CLK_TCK")
    return times


def in_threads(work):
    """Sessions per second of THREADS threads that make SESSIONS in all."""
    begin, failures = time.monotonic(), []

    def run(number):
        try:
            work(number, SESSIONS // THREADS)
        except Exception as error:  # told below, after the threads have ended
            failures.append(error)
    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return SESSIONS / (time.monotonic() - begin)


class Bench:
    def __init__(self, folder):
        self.peers = Peers(os.environ.get("MAILHOLD_PEERS", ROOT / "build/peers/root"), folder / "peers")
        self.peers.start_dovecot({USER: PASSWORD})
        self.peers.start_postfix("example.test", extra="smtpd_client_connection_rate_limit = 0\nsmtpd_client_auth_rate_limit = 0\nsmtpd_client_connection_count_limit = 0\n")
        self.smtp_certificate = self.peers.certificate
        self.peers.start_mailbox_server({USER: PASSWORD}, mechanisms="plain", name="imap.example.test")
        self.mailhold = Mailhold(folder / "mailhold")
        for program in ("workerd", "gatewayd"):
            self.mailhold.replace_program(program, "session_worker")
        self.sockets = self.mailhold.folder / "worker"
        self.sockets.mkdir()
        os.chmod(self.sockets, 0o777)

    def start(self):
        self.mailhold.start()
        self.mailhold.initialise()
        wait_for("the workers", lambda: all((self.sockets / name).exists() for name in ("workerd.sock", "gatewayd-out.sock")))
        self.tenant = self.mailhold.add_tenant("example.test", "example.test")

    def stop(self):
        self.mailhold.stop()
        self.peers.stop()

    def session_rate(self):
        route = self.mailhold.add_auth_route(self.tenant, "127.0.0.1", self.peers.smtp_port, "mail.example.test", self.smtp_certificate, USER, PASSWORD)

        def ours(_, count):
            worker = WorkerSocket(self.sockets / "gatewayd-out.sock")
            for _ in range(count):
                session, answer = worker.ask("smtp", self.tenant, route)
                if session is None:
                    raise RuntimeError(answer)
                session.sendall(b"\0\0\0\1\0\6")  # close, as docs/formats/submission.md
                session.close()

        context = ssl.create_default_context(cafile=self.smtp_certificate)
        context.check_hostname = False

        def direct(_, count):
            for _ in range(count):
                with smtplib.SMTP("127.0.0.1", self.peers.smtp_port, local_hostname="bench.test") as session:
                    session.starttls(context=context)
                    session.login(USER, PASSWORD)
        begin = processor_times()
        in_threads(ours)
        spent = {name: (time_now - begin.get(name, 0)) / SESSIONS for name, time_now in processor_times().items()}
        shares = sorted(((milliseconds, name) for name, milliseconds in spent.items() if milliseconds >= 0.05), reverse=True)
        print("# session-rate: ms of a processor for each session: " + ", ".join(f"{name} {milliseconds:.1f}" for milliseconds, name in shares), flush=True)
        rates = [(in_threads(ours), in_threads(direct)) for _ in range(ROUNDS)]
        mine, theirs = statistics.median(each[0] for each in rates), statistics.median(each[1] for each in rates)
        print(f"# session-rate beside a direct TLS+AUTH client: {theirs:.1f}/s, ratio {mine / theirs:.2f}", flush=True)
        line("session-rate", mine, 150, "sessions/s", 1)

    def relay_imap(self):
        made = self.mailhold.cli("connection", "set", "--tenant", self.tenant, "--kind", "imap", "--host", "127.0.0.1", "--port", self.peers.imaps_port, "--tls", "implicit",
                                 "--name", "imap.example.test", "--ca", self.peers.certificate, "--sign-in", "password", "--user", USER, "--purpose", "backup.read",
                                 "--mailbox", "*", "--key", self.mailhold.operator)["connection"]
        file = self.mailhold.secret_file("bench-password", PASSWORD)
        self.mailhold.cli("secret", "set", "--connection", made, "--user", USER, "--password-file", file, "--key", self.mailhold.operator)
        worker = WorkerSocket(self.sockets / "workerd.sock")
        owner = Owner(self.peers.imaps_port, USER, PASSWORD)
        owner.append("INBOX", b"Subject: large\r\n\r\n" + (b"x" * 98 + b"\r\n") * (MESSAGE_BYTES // 100))
        owner.close()

        def fetch_all(session):
            """MiB/s of the message fetched again and again."""
            imap = session
            imap.do("EXAMINE INBOX")
            begin, received, buffer = time.monotonic(), 0, bytearray(1 << 20)
            for number in range(FETCHES):
                imap.send(f"f{number} FETCH 1 BODY.PEEK[]\r\n".encode())
                first = imap.line()
                left = int(first[first.rindex(b"{") + 1:-3]) - len(imap.rest)
                imap.rest = b""
                while left > 0:
                    count = imap.session.recv_into(buffer, min(left, len(buffer)))
                    if count == 0:
                        raise EOFError(f"the session ended {left} bytes too early")
                    left -= count
                received += int(first[first.rindex(b"{") + 1:-3])
                imap.line()
                imap.line()
            rate = received / (time.monotonic() - begin) / (1 << 20)
            imap.close()
            return rate

        def direct():
            context = ssl.create_default_context(cafile=self.peers.certificate)
            stream = context.wrap_socket(socket.create_connection(("127.0.0.1", self.peers.imaps_port)), server_hostname="imap.example.test")
            imap = Imap(stream, 300)
            imap.do(f'LOGIN "{USER}" "{PASSWORD}"')
            return fetch_all(imap)
        rates = [(fetch_all(Imap(worker.ask("imap", made, "backup.read")[0], 300)), direct()) for _ in range(ROUNDS)]
        line("relay-imap", statistics.median(each[0] for each in rates), statistics.median(each[1] for each in rates), "MiB/s", 0.6)


def main():
    """The names of the benchmarks to run, or none for all."""
    chosen = set(sys.argv[1:]) or {"assertion", "session-rate", "relay-imap"}
    if "assertion" in chosen:
        subprocess.run([PROGRAMS / "assertion_bench"], check=True)
    folder = ROOT / "run/broker-bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for each in (ROOT / "run", folder):
        os.chmod(each, 0o755)
    bench = Bench(folder)
    try:
        bench.start()
        if "session-rate" in chosen:
            bench.session_rate()
        if "relay-imap" in chosen:
            bench.relay_imap()
    finally:
        bench.stop()


if __name__ == "__main__":
    main()
