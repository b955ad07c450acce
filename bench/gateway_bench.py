#!/usr/bin/python3
"""Mailhold beside Postfix on the same disk, in one run: durable acceptance and relay of unique 8 KiB messages.

Both take the same messages over the same number of connections and deliver them to the same sink. A round counts only if
every message got 250 and every one arrived. After one short round of each that is not counted, five alternating rounds;
medians. The processor time of a round is what the server has used when nothing of the round is left to do, storing included.
Each figure ends as a line
    bench NAME ours=X peer=Y unit=U ratio=R bar=B ok|short
ROUNDS and MESSAGES in the environment shorten a run.
"""
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

REPOSITORY = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests/peers"))
from installation import PROGRAMS, Mailhold  # noqa: E402
from peers import Peers, answers, free_port, wait_for  # noqa: E402

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MESSAGES = int(os.environ.get("MESSAGES", "4000"))
WARM_UP = 400
CONNECTIONS = 100
STATE = REPOSITORY / "run/bench"
TICK = os.sysconf("SC_CLK_TCK")


def fdatasyncs_per_second():
    path = STATE / "sync-probe"
    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    os.posix_fallocate(file, 0, 64 << 20)
    os.fsync(file)
    begin, count = time.monotonic(), 0
    while time.monotonic() - begin < 1:
        os.pwrite(file, b"x" * 8192, (count * 8192) % (64 << 20))
        os.fdatasync(file)
        count += 1
    elapsed = time.monotonic() - begin
    os.close(file)
    path.unlink()
    return count / elapsed


def descendants(root):
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def cpu_seconds(root):
    """User and system time of a process, all below it, and all of those that have ended and been waited for."""
    total = 0
    for pid in descendants(root):
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += sum(int(fields[i]) for i in (11, 12, 13, 14))
    return total / TICK


class Round:
    """What one round gave: `rate` of 250s per second, `cpu` seconds of the server per message, and `busy`: the part of the
    machine's processors that worked, for whomever, while messages were accepted."""

    def __init__(self, rate, cpu, busy):
        self.rate, self.cpu, self.busy = rate, cpu, busy


def one_round(server_port, server_pid, sink_port, to, tag, key, tenants=0, messages=MESSAGES, settled=lambda: True):
    sink = subprocess.Popen([PROGRAMS / "smtp_sink", "--listen", f"127.0.0.1:{sink_port}", "--expect", str(messages)], stdout=subprocess.PIPE, text=True)
    wait_for("the sink", lambda: answers(sink_port))
    words = [PROGRAMS / "smtp_load", "--server", f"127.0.0.1:{server_port}", "--connections", CONNECTIONS, "--messages", messages, "--to", to, "--tag", tag,
             "--key", key, "--pool", min(messages, 1000)]
    if tenants:
        words += ["--tenants", tenants]
    before = cpu_seconds(server_pid)
    load = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if load.returncode != 0:
        sink.kill()
        sys.exit(f"not every message got 250: {load.stdout}{load.stderr}")
    try:
        arrived = sink.communicate(timeout=120)[0]
    except subprocess.TimeoutExpired:
        sink.kill()
        sys.exit("not every message arrived at the sink")
    if sink.returncode != 0:
        sys.exit(f"not every message arrived at the sink: {arrived}")
    wait_for("the last of the round to be stored", settled, 120)
    used = cpu_seconds(server_pid) - before
    rate = float(re.search(r"rate=(\d+)", load.stdout)[1])
    busy = float(re.search(r"busy=([\d.]+)", load.stdout)[1])
    print(f"   {tag}: {load.stdout.strip()} | {arrived.strip()} | server cpu {used / messages * 1e6:.0f} us/message", flush=True)
    return Round(rate, used / messages, busy)


# Nothing waits for delivery, for the store or for a commit any more.
def has_settled(mailhold):
    time.sleep(0.2)  # asking costs processor time, too
    counts = mailhold.cli("queue", "status")
    return all(counts[name] == 0 for name in ("active", "waiting", "to_store", "to_commit"))


def spread(values):
    return f"{min(values):.0f} .. {max(values):.0f}"


def line(name, ours, peer, unit, bar, lower_is_better=False):
    ratio = ours / peer if peer else 0.0
    good = ratio <= bar if lower_is_better else ratio >= bar
    print(f"bench {name} ours={ours:.4g} peer={peer:.4g} unit={unit} ratio={ratio:.2f} bar={bar} {'ok' if good else 'short'}", flush=True)


def memory_of(pid):
    """Bytes that are in memory for this process, shared ones by its share."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) * 1024


def scan_workers(mailhold):
    carrier = mailhold.pids()["scannerd"]
    workers = [pid for pid in descendants(carrier) if pid != carrier]
    print(f"   {len(workers)} scan workers and their zygote: {sum(memory_of(pid) for pid in workers) / len(workers) / 1024:.0f} KiB each")


def idle_sessions(mailhold, count=2000):
    """Memory that each idle session adds, and the time of one transaction beside them."""
    pid = mailhold.pids()["gatewayd-in"]

    def transaction():
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", mailhold.smtp_port), 10) as session:
            session.recv(1000)
            for _ in range(20):
                session.sendall(b"NOOP\r\n")
                session.recv(1000)
        return (time.monotonic() - begin) * 1e3 / 20
    alone = statistics.median(transaction() for _ in range(20))
    before = memory_of(pid)
    sessions = []
    for i in range(count):
        session = socket.socket()
        session.bind((f"127.0.{1 + i // 90}.1", 0))  # below the limit for one address
        session.connect(("127.0.0.1", mailhold.smtp_port))
        session.recv(1000)
        sessions.append(session)
    each = (memory_of(pid) - before) / count
    beside = statistics.median(transaction() for _ in range(20))
    for session in sessions:
        session.close()
    print(f"   {count} idle sessions: {each:.0f} bytes each; a command takes {alone:.3f} ms alone, {beside:.3f} ms beside them")
    line("idle-2000", beside, alone, "ms/command", 1.5, lower_is_better=True)


def main():
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    os.chmod(STATE, 0o755)
    peers = Peers(REPOSITORY / "build/peers/root", STATE / "peers")
    mailhold = None
    try:
        print(f"{MESSAGES} messages over {CONNECTIONS} connections, {ROUNDS} rounds, {os.cpu_count()} processors")
        key = STATE / "dkim.pem"
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], check=True, capture_output=True)
        record = subprocess.run([PROGRAMS / "smtp_load", "--key", key, "--print-dns", "1"], capture_output=True, text=True, check=True).stdout.split(" TXT ", 1)
        domain = record[0].split("._domainkey.", 1)[1].strip().rstrip(".")
        selector = record[0].split(".", 1)[0]
        value = record[1].strip().strip('"')
        quoted = " ".join(f'"{value[i:i + 200]}"' for i in range(0, len(value), 200))
        dns = peers.start_dns({domain: f'@ TXT "v=spf1 ip4:127.0.0.0/8 -all"\n_dmarc TXT "v=DMARC1; p=reject"\n{selector}._domainkey TXT {quoted}\n'})
        sink_port = free_port()
        relay_port = peers.start_relay(sink_port)
        mailhold = Mailhold(STATE / "mailhold", {"dns.servers": [f"127.0.0.1@{dns}"], "gateway.connections_per_address_max": 4000})
        mailhold.start()
        mailhold.initialise()
        for name, scan in (("plain", "none"), ("full", "full")):
            tenant = mailhold.add_tenant(name, f"{name}.test")
            mailhold.cli("tenant", "set", tenant, "scan", scan)
            mailhold.add_relay_route(tenant, "127.0.0.1", sink_port)
            mailhold.wait_for_directory(f"a@{name}.test")
        for i in range(200):
            tenant = mailhold.add_tenant(f"t{i}", f"t{i}.many.test")
            mailhold.add_relay_route(tenant, "127.0.0.1", sink_port)
        mailhold.wait_for_directory("a@t199.many.test")
        wait_for("the routes", lambda: len(mailhold.cli("route", "list")["routes"]) == 202)
        time.sleep(3)  # gatewayd out asks for routes every two seconds

        def turn(name, number, messages=MESSAGES):
            if name == "postfix":
                return one_round(relay_port, peers.processes["relay"].pid, sink_port, "a@postfix.test", f"postfix{number}", key, messages=messages)
            domain, tenants = ("many", 200) if name == "tenants" else (name, 0)
            return one_round(mailhold.smtp_port, mailhold.process.pid, sink_port, f"a@{domain}.test", f"{name}{number}", key, tenants, messages,
                             lambda: has_settled(mailhold))
        names = ("postfix", "plain", "full", "tenants")
        for name in names:
            turn(name, "-warm-up", WARM_UP)
        figures, syncs = {name: [] for name in names}, []
        for number in range(ROUNDS):
            syncs.append(fdatasyncs_per_second())
            for name in names:
                figures[name].append(turn(name, number))
        rate = {name: statistics.median(each.rate for each in rounds) for name, rounds in figures.items()}
        cpu = {name: statistics.median(each.cpu for each in rounds) * 1e6 for name, rounds in figures.items()}
        slow_disk = statistics.median(syncs) < 1000
        print(f"disk: {statistics.median(syncs):.0f} fdatasync/s of 8 KiB ({spread(syncs)})")
        for name, rounds in figures.items():
            busy = statistics.median(each.busy for each in rounds)
            limiter = "the processors" if busy > 0.85 else "the disk and the waits for it"
            print(f"   {name}: {rate[name]:.0f} messages/s ({spread([each.rate for each in rounds])}), {cpu[name]:.0f} us/message of the server's "
                  f"({spread([each.cpu * 1e6 for each in rounds])}), processors {busy:.0%} busy with client, server and sink: limited by {limiter}")
        line("accept-plain", rate["plain"], rate["postfix"], "messages/s", 8 if slow_disk else 4)
        line("accept-full", rate["full"], rate["postfix"], "messages/s", 5 if slow_disk else 2)
        line("cpu-plain", cpu["plain"], cpu["postfix"], "us/message", 0.2, lower_is_better=True)
        line("cpu-full", cpu["full"], cpu["postfix"], "us/message", 0.5, lower_is_better=True)
        line("tenants-200", rate["tenants"], rate["postfix"], "messages/s", 1)
        scan_workers(mailhold)
        idle_sessions(mailhold)
    finally:
        if mailhold is not None:
            mailhold.stop()
        peers.stop()


if __name__ == "__main__":
    main()
