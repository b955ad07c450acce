#!/usr/bin/python3
"""Backups of mailboxes beside restic, borg and mbsync: the size of what is kept, the first sync from a real Dovecot, an increment, a restore.
The mail is that of mail_set.py and the spamassassin-public-corpus. Prints lines as the other benchmarks do.

A turn begins with a disk at rest, and no files are removed before or between turns: ext4 passes inodes by that were freed in the last minutes, so that whoever
makes many files (mbsync) would pay for what was removed before. So 20,000 messages and five rounds need about 45 GB of disk,
beside what the run before left, which is removed at the end.

Both sides read and write the same Dovecot over TLS, in turns; every sync of ours is a new tenant's, so that it finds nothing of the one before. Bytes on the
wire are counted by a relay in front of the server. RECOVER_MESSAGES and RECOVER_ROUNDS make it smaller; words on the command line choose among the parts.
"""
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / each) for each in ("bench", "tests/peers", "tests/scenarios", "tests/scenarios/recover")]
from installation import Mailhold  # noqa: E402
from mail_set import FOLDERS, MESSAGES, MailSet, write_maildir  # noqa: E402
from mailbox_owner import Owner  # noqa: E402
from peers import Peers, wait_for  # noqa: E402
from world import Api, collection, descendants  # noqa: E402

COUNT, ROUNDS = int(os.environ.get("RECOVER_MESSAGES", MESSAGES)), int(os.environ.get("RECOVER_ROUNDS", 5))
PASSWORD, HOST, VMAIL = "the password of the bench", "imap.example.test", 704
SOURCE, SPAM = "source@example.test", "spam@example.test"
TARGETS = [f"target{number}@example.test" for number in range(2 * ROUNDS)]
CHANGES = {"new": 40, "flags": 30, "gone": 30}
TOOLS = ("dash", "coreutils", "restic", "borgbackup", "isync", "ca-certificates")
# What the servers and programs write beside mail is no mail.
BESIDE = ("dovecot*", "maildirfolder", "subscriptions", ".mbsyncstate*", ".uidvalidity", "courierimap*")
MIB = 1 << 20


def line(name, ours, peer, unit, bar, ratio, ok):
    print(f"bench {name} ours={ours:.3f} peer={peer:.3f} unit={unit} ratio={ratio:.2f} bar={bar} {'ok' if ok else 'short'}", flush=True)


def bytes_of(folder, leaves_out=lambda path: False):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and not leaves_out(path))


class Relay:
    """Passes connections on to a port, in a process of its own, and counts what goes through."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.counted = multiprocessing.Value("q", 0)
        self.process = multiprocessing.get_context("fork").Process(target=self._run, args=(port,), daemon=True)
        self.process.start()

    def _run(self, port):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while True:
            near = self.listener.accept()[0]
            far = socket.create_connection(("127.0.0.1", port))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source, target):
        try:
            while data := source.recv(1 << 18):
                with self.counted.get_lock():
                    self.counted.value += len(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()

    def stop(self):
        self.process.terminate()
        self.process.join()
        self.listener.close()


class Tools:
    """restic, borg and mbsync from a private tree; their files lie beside those of the servers."""

    def __init__(self, state):
        self.root, self.state = ROOT / "build/peers/bench", state
        subprocess.run([ROOT / "tests/peers/unpack", self.root, *TOOLS], check=True)
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost {HOST}\n")  # whose certificate mbsync checks

    def run(self, *command, environment=()):
        words = [ROOT / "tests/peers/enter", self.root, self.state, "/usr/bin/env", "HOME=/tmp", *environment, *command]
        done = subprocess.run(list(map(str, words)), stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]}: {done.stdout[-500:]}{done.stderr[-1500:]}")

    def restic(self, folder):
        secret = ("RESTIC_PASSWORD=bench",)
        shutil.rmtree(self.state / "restic", ignore_errors=True)
        self.run("restic", "-q", "-r", "/srv/restic", "init", "--repository-version", "2", environment=secret)
        self.run("restic", "-q", "-r", "/srv/restic", "--no-cache", "--compression", "max", "backup", *(f"--exclude={each}" for each in BESIDE), f"/srv/{folder}", environment=secret)
        return bytes_of(self.state / "restic")

    def borg(self, folder):
        secret = ("BORG_PASSPHRASE=bench",)
        shutil.rmtree(self.state / "borg", ignore_errors=True)
        self.run("borg", "init", "-e", "repokey-blake2", "/srv/borg", environment=secret)
        self.run("borg", "create", "-C", "zstd,10", *(f"--exclude=*/{each}" for each in BESIDE), "/srv/borg::mail", f"/srv/{folder}", environment=secret)
        return bytes_of(self.state / "borg")

    def mbsync(self, folder, user, port, fsync, pushes=False):
        """Seconds of a run. Its Maildir and its state lie in `folder`."""
        place = self.state / folder
        place.mkdir(exist_ok=True)
        (place / "rc").write_text(f"""FSync {'yes' if fsync else 'no'}

IMAPAccount far
Host {HOST}
Port {port}
User {user}
Pass "{PASSWORD}"
SSLType IMAPS
SystemCertificates no
CertificateFile /srv/mailboxes/{HOST}.crt

IMAPStore far
Account far

MaildirStore near
Path /srv/{folder}/mail/
Inbox /srv/{folder}/inbox
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create {'Far' if pushes else 'Near'}
Sync {'Push' if pushes else 'Pull'}
Expunge {'None' if pushes else 'Near'}
SyncState /srv/{folder}/state/
""")
        for each in ("mail", "state"):
            (place / each).mkdir(exist_ok=True)
        os.sync()
        begin = time.monotonic()
        self.run("mbsync", "-q", "-c", f"/srv/{folder}/rc", "-a")
        return time.monotonic() - begin


class Bench:
    def __init__(self, folder):
        self.folder = folder
        self.peers = Peers(os.environ.get("MAILHOLD_PEERS", ROOT / "build/peers/root"), folder / "peers")
        self.tools = Tools(self.peers.state)
        self.mailhold = None
        self.tenants = 0

    def stop(self):
        if self.mailhold:
            self.mailhold.stop()
        self.peers.stop()

    def fill(self):
        """The sets of mail, and a Dovecot that has them."""
        sets = self.folder.parent / f"recover-set-{COUNT}"  # made once; the same bytes each time
        if not (sets / "made").exists():
            shutil.rmtree(sets, ignore_errors=True)
            write_maildir(sets / "Maildir", MailSet(COUNT), VMAIL)
            (sets / "made").touch()
        homes = self.peers.state / "mailboxes/mail"
        homes.mkdir(parents=True)
        shutil.copytree(sets, homes / SOURCE, copy_function=os.link)
        spam = collection("spamassassin-public-corpus")
        write_maildir(homes / SPAM / "Maildir", (("", "S", 1_700_000_000 + number, path.read_bytes().replace(b"\r\n", b"\n"))
                                                 for number, path in enumerate(sorted(spam.rglob("*.eml")))), VMAIL)
        for path in [homes, *homes.rglob("*")]:
            if path.is_dir():
                os.chown(path, VMAIL, VMAIL)
        self.bytes = bytes_of(sets)
        for path in (sets / "Maildir").rglob("*"):  # the first turn reads from memory, as all the others do
            if path.is_file():
                path.read_bytes()
        print(f"# {COUNT} messages, {self.bytes / MIB:.0f} MiB, seed 2021; {ROUNDS} rounds", flush=True)
        # Dovecot as its package has it: mail is flushed where a client was told that it is kept.
        self.peers.start_mailbox_server({user: PASSWORD for user in (SOURCE, SPAM, *TARGETS)}, mechanisms="plain", name=HOST, extra="mail_fsync = optimized\n")
        self.port = self.peers.imaps_port

    def start(self, name):
        self.mailhold = Mailhold(self.folder / name, {"backup.every_seconds": 86_400}, users_first=53000)
        os.chmod(self.mailhold.folder, 0o755)
        self.mailhold.start()
        self.mailhold.initialise()
        self.api = Api(self.mailhold.socket)

    def connect(self, tenant, user, purpose, port):
        made = self.mailhold.cli("connection", "set", "--tenant", tenant, "--kind", "imap", "--host", "127.0.0.1", "--port", port, "--tls", "implicit", "--name", HOST,
                                 "--ca", self.peers.certificate, "--sign-in", "password", "--user", user, "--purpose", purpose, "--mailbox", "*", "--key", self.mailhold.operator)["connection"]
        file = self.mailhold.secret_file("connection-password", PASSWORD)
        self.mailhold.cli("secret", "set", "--connection", made, "--user", user, "--password-file", file, "--key", self.mailhold.operator)
        return made

    def add_mailbox(self, user, port=None, restores_to=None):
        """(tenant, mailbox, seconds of its first sync)"""
        self.tenants += 1
        name = f"t{self.tenants}.example.test"
        tenant = self.mailhold.add_tenant(name, name)
        reading = self.connect(tenant, user, "backup.read", port or self.port)
        writing = {"restore_connection": self.connect(tenant, restores_to, "restore.write", self.port)} if restores_to else {}
        os.sync()
        begin = time.monotonic()
        mailbox = self.api.ask("mailbox.add", tenant=tenant, name=f"{self.tenants} {user}", connection=reading, **writing)["mailbox"]
        self.await_sync(tenant, "")
        seconds = time.monotonic() - begin
        self.await_index(tenant)
        return tenant, mailbox, seconds

    def view(self, tenant):
        return self.api.ask("mailbox.list", tenant=tenant)["mailboxes"][0]

    def await_sync(self, tenant, before):
        """Until a sync that began after `before` is over."""
        while True:
            view = self.view(tenant)
            if view.get("tried_at", "") > before and "running" not in view:
                break
            time.sleep(0.01 if before else 0.05)  # a first sync takes seconds, and whoever asks takes a share of the processors
        if view["state"] != "current":
            raise RuntimeError(f"the sync ended with: {view}")
        return view

    def await_index(self, tenant):
        """Until all of it can be found, and the index is put in order. That is work of its own, after the sync: it must run in nobody's turn."""
        while not self.api.ask("backup.find", tenant=tenant, query="nobodywrotethis")["complete"]:
            time.sleep(0.1)
        spent = self.processor_seconds()
        while (now := self.pause_and_count(0.5)) - spent > 0.05:
            spent = now

    def pause_and_count(self, seconds):
        time.sleep(seconds)
        return self.processor_seconds()

    def processor_seconds(self):
        """Of all processes of the installation."""
        ticks = 0
        for pid in descendants(self.mailhold.process.pid):
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            except FileNotFoundError:
                continue  # it ended meanwhile
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    # What is measured.
    def sizes(self):
        for name, user, bar in (("size-generated", SOURCE, 0.6), ("size-spamassassin", SPAM, 1.05)):
            self.start(name)
            self.add_mailbox(user)
            self.mailhold.stop()
            kept = self.mailhold.data / "backup"
            ours = bytes_of(kept)
            by_kind = {each.name: bytes_of(each) if each.is_dir() else each.stat().st_size for each in sorted(kept.iterdir())}
            theirs = {"restic": self.tools.restic(f"mailboxes/mail/{user}/Maildir"), "borg": self.tools.borg(f"mailboxes/mail/{user}/Maildir")}
            print(f"# {name}: {by_kind}; {theirs}", flush=True)
            peer = min(theirs.values())
            line(name, ours / MIB, peer / MIB, "MiB", bar, ours / peer, ours / peer <= bar)

    def syncs(self):
        rates = {"ours": [], "fsync": [], "nofsync": []}
        for number in range(ROUNDS):
            tenant, _, seconds = self.add_mailbox(SOURCE)
            if self.view(tenant)["items"] != COUNT:
                raise RuntimeError("not all of it was backed up")
            rates["ours"].append(COUNT / seconds)
            for kind in ("fsync", "nofsync"):
                folder = f"mbsync-{number}-{kind}"
                rates[kind].append(COUNT / self.tools.mbsync(folder, SOURCE, self.port, kind == "fsync"))
                if (got := sum(1 for path in (self.peers.state / folder).rglob("*") if path.parent.name in ("cur", "new"))) != COUNT:
                    raise RuntimeError(f"mbsync fetched {got}")
        for folder in self.peers.state.glob("mbsync-*"):
            shutil.rmtree(folder)
        for kind, each in rates.items():
            print(f"# sync {kind}: {', '.join(f'{rate:.0f}' for rate in each)} messages/s", flush=True)
        ours = statistics.median(rates["ours"])
        for kind, bar in (("fsync", 1.5), ("nofsync", 0.7)):
            peer = statistics.median(rates[kind])
            line(f"sync-{kind}", ours, peer, "messages/s", bar, ours / peer, ours / peer >= bar)

    def increments(self):
        relay = Relay(self.port)
        tenant, mailbox, _ = self.add_mailbox(SOURCE, relay.port)
        self.tools.mbsync("increment", SOURCE, relay.port, True)
        owner, rng = Owner(self.port, SOURCE, PASSWORD), random.Random(2021)
        names = [folder.strip(".").replace(".", "/") or "INBOX" for folder, _ in FOLDERS]
        fresh = [content.replace(b"\n", b"\r\n") for number, (_, _, _, content) in enumerate(MailSet(600, seed=2022)) if len(content) < 100_000]
        bytes_, seconds = {"ours": [], "peer": []}, {"ours": [], "peer": []}
        for number in range(ROUNDS):
            self.change(owner, names, rng, [fresh.pop() for _ in range(CHANGES["new"])])
            for side in ("ours", "peer") if number % 2 == 0 else ("peer", "ours"):
                before = relay.counted.value
                if side == "ours":
                    os.sync()
                    moment, begin = self.view(tenant)["tried_at"], time.monotonic()
                    self.api.ask("backup.run", mailbox=mailbox)
                    self.await_sync(tenant, moment)
                    seconds[side].append(time.monotonic() - begin)
                    self.await_index(tenant)
                else:
                    seconds[side].append(self.tools.mbsync("increment", SOURCE, relay.port, True))
                bytes_[side].append(relay.counted.value - before)
            held = sum(len(owner.uids(name)) for name in names)
            if self.view(tenant)["items"] != held:
                raise RuntimeError("the increment is not all of it")
        owner.close()
        relay.stop()
        shutil.rmtree(self.peers.state / "increment")
        for name, values, unit, scale in (("increment-bytes", bytes_, "KiB", 1024), ("increment-time", seconds, "s", 1)):
            ours, peer = (statistics.median(values[side]) / scale for side in ("ours", "peer"))
            line(name, ours, peer, unit, 1, peer / ours, peer / ours >= 1)

    @staticmethod
    def change(owner, names, rng, contents):
        for content in contents:
            owner.append(rng.choice(names), content, rng.choice(("", "\\Seen")))
        for kind in ("flags", "gone"):
            for name, share in zip(names, (0.5, 0.2, 0.1, 0.1, 0.1)):
                uids = owner.uids(name)
                chosen = b",".join(rng.sample(uids, min(int(CHANGES[kind] * share), len(uids) // 2))).decode()
                owner.uid("STORE", chosen, "+FLAGS", "(\\Flagged)" if kind == "flags" else "(\\Deleted)")
                if kind == "gone":
                    owner.uid("EXPUNGE", chosen)

    def restores(self):
        rates = {"ours": [], "peer": []}
        self.tools.mbsync("pulled", SOURCE, self.port, False)
        for number in range(ROUNDS):
            targets = TARGETS[2 * number:2 * number + 2]
            tenant, mailbox, _ = self.add_mailbox(SOURCE, restores_to=targets[0])
            items = self.view(tenant)["items"]

            def ours():
                permit = self.mailhold.cli("restore", "allow", mailbox, "--key", self.mailhold.operator)["restore"]
                os.sync()
                begin = time.monotonic()
                job = self.api.ask("restore.carry-out", operation=permit, dry_run=False)["restore"]
                while not (report := self.api.ask("restore.show", restore=job))["over"]:
                    time.sleep(0.02)
                if not report["exact"] or report["restored"] != items:
                    raise RuntimeError(f"the restore is not exact: {str(report)[:800]}")
                return items / (time.monotonic() - begin)

            def peer():
                shutil.rmtree(self.peers.state / "pulled/state")
                return items / self.tools.mbsync("pulled", targets[1], self.port, True, pushes=True)
            for side in (ours, peer) if number % 2 == 0 else (peer, ours):
                rates[side.__name__].append(side())
            for user in targets:
                held = self.held(user)
                if held != items:
                    raise RuntimeError(f"{user} holds {held} of {items}")
        for user in TARGETS:
            shutil.rmtree(self.peers.state / "mailboxes/mail" / user)
        for side, each in rates.items():
            print(f"# restore {side}: {', '.join(f'{rate:.0f}' for rate in each)} messages/s", flush=True)
        ours, peer = (statistics.median(rates[side]) for side in ("ours", "peer"))
        line("restore", ours, peer, "messages/s", 1, ours / peer, ours / peer >= 1)

    def held(self, user):
        return sum(1 for path in (self.peers.state / "mailboxes/mail" / user).rglob("*") if path.is_file() and path.parent.name in ("cur", "new"))


def main():
    parts = sys.argv[1:] or ["sizes", "syncs", "increments", "restores"]
    folder = ROOT / "run/recover-bench"
    before = folder.with_name("recover-bench-before")
    shutil.rmtree(before, ignore_errors=True)
    if folder.exists():
        folder.rename(before)  # and removed at the end, see above
    folder.mkdir(parents=True)
    for each in (ROOT / "run", folder):
        os.chmod(each, 0o755)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # so that the servers end too
    bench = Bench(folder)
    try:
        bench.fill()
        if "sizes" in parts:
            bench.sizes()
        if set(parts) - {"sizes"}:
            bench.start("mailhold")
        for part in ("syncs", "increments", "restores"):
            if part in parts:
                getattr(bench, part)()
    finally:
        bench.stop()
        shutil.rmtree(before, ignore_errors=True)


if __name__ == "__main__":
    main()
