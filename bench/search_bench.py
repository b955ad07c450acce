#!/usr/bin/python3
"""Search in backups beside notmuch (Debian's, unpacked privately): building an index of the same messages, and 2,000 distinct queries, each in a fresh process of
either side. Prints lines as the other benchmarks do, and the memory.

usage: search_bench.py [MESSAGES]      200,000 where nothing else is said: about half an hour, nearly all of it notmuch's
"""
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "bench"))
import search_corpus  # noqa: E402

BENCH = pathlib.Path(os.environ.get("MAILHOLD_PROGRAMS", ROOT / "build/release/bin")) / "search_bench"
PEER = ROOT / "build/peers/notmuch"
ROUNDS = 5


class Notmuch:
    """In a process of its own each time, as a person runs it."""

    def __init__(self, folder, mail):
        subprocess.run([ROOT / "tests/peers/unpack", PEER, "dash", "coreutils", "notmuch"], check=True)
        self.config = folder / "notmuch-config"
        self.config.write_text(f"[database]\npath={folder / 'notmuch'}\nmail_root={mail}\n[new]\ntags=\n[user]\nname=bench\nprimary_email=bench@example.test\n")
        self.index = folder / "notmuch"
        self.environment = {"NOTMUCH_CONFIG": str(self.config), "HOME": str(folder), "PATH": "", "LD_LIBRARY_PATH": f"{PEER}/usr/lib/x86_64-linux-gnu"}
        self.command = [f"{PEER}/usr/lib64/ld-linux-x86-64.so.2", f"{PEER}/usr/bin/notmuch"]

    def build(self):
        shutil.rmtree(self.index, ignore_errors=True)
        self.index.mkdir()
        begin = time.monotonic()
        subprocess.run([*self.command, "new", "--quiet"], env=self.environment, check=True, stdin=subprocess.DEVNULL)
        return time.monotonic() - begin

    def find(self, query):
        said = subprocess.run([*self.command, "search", "--output=messages", "--sort=newest-first", "--limit=100", query], env=self.environment, capture_output=True, check=True)
        return said.stdout.count(b"\n")


def line(name, ours, peer, unit, ratio, bar, ok):
    print(f"bench {name} ours={ours:.2f} peer={peer:.2f} unit={unit} ratio={ratio:.2f} bar={bar} {'ok' if ok else 'short'}", flush=True)


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def p99(times):
    return sorted(times)[int(len(times) * 0.99)]


def main(count):
    parent = ROOT / "run/bench"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = pathlib.Path(name)
        search_corpus.write(folder, count)
        mail, queries = folder / "mail", (folder / "queries").read_text().splitlines()
        notmuch = Notmuch(folder, mail)
        rounds = ROUNDS if count <= 20_000 else 1
        ours, peers = [], []
        for _ in range(rounds):
            shutil.rmtree(folder / "index", ignore_errors=True)
            begin = time.monotonic()
            built = subprocess.run([BENCH, "build", mail, folder / "index"], check=True, capture_output=True, text=True).stdout.split()
            ours.append(count / (time.monotonic() - begin))
            peers.append(count / notmuch.build())
        line("search-build", statistics.median(ours), statistics.median(peers), "messages/s", statistics.median(ours) / statistics.median(peers), 0.5,
             statistics.median(ours) >= 0.5 * statistics.median(peers))
        print(f"search: {count} messages, {size_of(mail) >> 20} MiB; index {size_of(folder / 'index') >> 20} MiB beside {size_of(notmuch.index) >> 20} MiB; "
              f"{int(built[4]) >> 10} MiB of memory at most while it is built", flush=True)
        found, times, peer_times = [], [], []
        for query in queries:
            begin = time.monotonic()
            said = subprocess.run([BENCH, "find", folder / "index", query], check=True, capture_output=True).stdout
            times.append((time.monotonic() - begin) * 1000)
            begin = time.monotonic()
            peer_found = notmuch.find(query)
            peer_times.append((time.monotonic() - begin) * 1000)
            found.append((int(said), peer_found))
        differing = sum(mine != theirs for mine, theirs in found)
        line("search-p99", p99(times), p99(peer_times), "ms", p99(times) / p99(peer_times), 2, p99(times) <= 2 * p99(peer_times))
        warm = subprocess.run([BENCH, "all", folder / "index", folder / "queries"], check=True, capture_output=True, text=True)
        inside = [float(each.split()[0]) for each in warm.stdout.splitlines()]
        print(f"search: {len(queries)} queries, each in a process of its own: median {statistics.median(times):.1f} ms beside {statistics.median(peer_times):.1f} ms; "
              f"{differing} find another number of messages. In one process: median {statistics.median(inside):.2f} ms, p99 {p99(inside):.2f} ms, "
              f"{int(warm.stderr) >> 10} MiB of memory at most", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
