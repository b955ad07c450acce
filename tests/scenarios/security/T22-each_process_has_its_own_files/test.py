#!/usr/bin/python3
"""T22: on a running installation, the user of each process tries every file and folder of every other one: to list, read, write and
replace it, to open its database for reading and to attach it to one of its own. Only what the design gives it opens.
"""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import World, letter, run, wait_for

FOLDERS = ("keystore", "ledger", "broker", "directory", "spool", "store", "links")
# gatewayd-in writes the spool, gatewayd-out reads it; nobody else has anything of another.
OWNERS = {"keystore": {"keyd"}, "ledger": {"ledgerd"}, "broker": {"brokerd"}, "directory": {"apid"}, "spool": {"gatewayd-in", "gatewayd-out"},
          "store": {"gatewayd-out"}, "links": {"linkd"}}

# Runs as the user of one process, with nothing else of its rights; tells what was possible.
ATTEMPTS = r"""
import json, os, sqlite3, sys
user, group, own = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.setgroups([]); os.setresgid(group, group, group); os.setresuid(user, user, user)
done = []
def attempt(what, action):
    try:
        action()
    except (OSError, sqlite3.Error):
        return
    done.append(what)
def write(path):
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
def query(path, mode):
    base = sqlite3.connect(f"file:{path}?mode={mode}", uri=True)
    base.execute("SELECT count(*) FROM sqlite_master").fetchone()
def attach(path):
    base = sqlite3.connect(own)
    base.execute("ATTACH DATABASE ? AS other", (path,))
    base.execute("SELECT count(*) FROM other.sqlite_master").fetchone()
def update(path):
    base = sqlite3.connect(path, timeout=1)
    base.execute("CREATE TABLE mine (one)")
for path in json.load(sys.stdin):
    if path.endswith("/"):
        attempt(["list", path], lambda: os.listdir(path))
        attempt(["make a file in", path], lambda: os.close(os.open(path + "by-another", os.O_CREAT | os.O_EXCL | os.O_WRONLY)))
        continue
    attempt(["read", path], lambda: os.close(os.open(path, os.O_RDONLY)))
    attempt(["write", path], lambda: write(path))
    if path.endswith(".db"):
        attempt(["query", path], lambda: query(path, "ro"))
        attempt(["attach", path], lambda: attach(path))
        attempt(["update", path], lambda: update(path))
    attempt(["link", path], lambda: os.link(path, own + ".link"))
    attempt(["remove", path], lambda: os.unlink(path))
print(json.dumps(done))
"""


class SeparateFiles(World):
    @classmethod
    def build(cls):
        cls.sink = cls.start_sink()
        cls.start_mailhold()
        cls.add_tenant(sink=cls.sink)
        cls.send_ok(letter())
        cls.sink.wait("the delivery", lambda: cls.sink.messages)
        cls.users = {}
        wait_for("an authd that waits", lambda: cls.pids_of("authd"))
        for name, pid in {**cls.mailhold.pids(), "authd": cls.pids_of("authd")[0]}.items():
            status = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
            cls.users[name] = tuple(int(next(line for line in status if line.startswith(word)).split()[1]) for word in ("Uid:", "Gid:"))
        cls.scratch = cls.folder / "scratch"
        cls.scratch.mkdir()
        os.chmod(cls.scratch, 0o777)

    @classmethod
    def paths_below(cls, folder):
        """With the folders' ends marked: the one who tries may not even see what is what."""
        found = []
        for place, _, files in os.walk(cls.mailhold.data / folder):
            found += [place + "/"] + [os.path.join(place, name) for name in files]
        return found

    def possible(self, name, paths):
        user, group = self.users[name]
        own = self.scratch / f"{name}.db"
        done = subprocess.run([sys.executable, "-c", ATTEMPTS, str(user), str(group), str(own)], input=json.dumps(paths), capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def test_every_process_has_a_user_of_its_own(self):
        users = [user for user, _ in self.users.values()]
        self.assertEqual(len(set(users)), len(users))
        self.assertNotIn(0, users)
        self.assertGreaterEqual(len(users), 12)

    def test_nobody_opens_what_is_anothers(self):
        tried = 0
        for name in self.users:
            others = [path for folder in FOLDERS if name not in OWNERS[folder] for path in self.paths_below(folder)]
            self.assertGreater(sum(path.endswith(".db") for path in others), 2)
            self.assertEqual(self.possible(name, others), [], f"the user of {name} got at what is another's")
            tried += len(others)
        print(f"{len(self.users)} users, {tried} files and folders of others: none opened", flush=True)

    def test_the_writer_of_the_spool_cannot_read_it(self):
        segments = [path for path in self.paths_below("spool") if not path.endswith("/")]
        self.assertGreater(len(segments), 0)
        read = [what for what in self.possible("gatewayd-in", segments) if what[0] == "read"]
        self.assertEqual(read, [])

    def test_the_attempts_do_open_what_is_ones_own(self):
        """The positive control, by reading only."""
        database = next(path for path in self.paths_below("broker") if path.endswith(".db"))
        copied = self.scratch / "copied"
        copied.mkdir()
        copy = copied / "copy.db"
        copy.write_bytes(pathlib.Path(database).read_bytes())
        for path in (copied, copy):
            os.chown(path, *self.users["brokerd"])
        kinds = [what for what, _ in self.possible("brokerd", [f"{copied}/", str(copy)])]
        self.assertEqual(kinds, ["list", "make a file in", "read", "write", "query", "attach", "update", "link", "remove"])


if __name__ == "__main__":
    run()
