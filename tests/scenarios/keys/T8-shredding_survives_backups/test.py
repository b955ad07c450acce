#!/usr/bin/python3
"""T8: a tenant is shredded while backups are made over 37 days and the root is replaced; then every backup that is left is restored with the
passphrase and with the shares. The tenant comes back from none of them, the others from all. Time is in the manifests: the backups
grow older by having their dates set back. With MAILHOLD_T8_DAYS=all there is one for each day (`make soak`).
"""
import base64
import os
import pathlib
import shutil
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import CommandFailed, World, letter, run, wait_for

LAST_DAY = 37
DAYS = range(LAST_DAY + 1) if os.environ.get("MAILHOLD_T8_DAYS") == "all" else (0, 1, 14, LAST_DAY)
SHRED_DAY = 1  # after the backup of that day: 36 days before the last
PRUNED = [day for day in DAYS if LAST_DAY - day >= 35]
ROTATIONS = 12  # days between two roots
MILLISECONDS_IN_DAY = 86_400_000


def grow_older(backup, days):
    manifest = backup / "MANIFEST"
    head, rest = manifest.read_text().split("\n", 1)
    name, time = head.split(" ")
    manifest.write_text(f"{name} {int(time) - days * MILLISECONDS_IN_DAY}\n{rest}")


def wraps_in(keystore, tenant):
    """What opens the tenant with a seal: the wraps of its keys, of the region key and of the root, as they lie in the file."""
    rows = sqlite3.connect(f"file:{keystore}?mode=ro&immutable=1", uri=True)
    keys = rows.execute("SELECT sealed FROM wrapped_key WHERE length(sealed)>0 AND (tenant=? OR slot=100)", (bytes.fromhex(tenant),)).fetchall()
    seals = rows.execute("SELECT sealed FROM root_seal").fetchall()
    return [row[0] for row in keys], [row[0] for row in seals]


class ShreddingSurvivesBackups(World):
    @classmethod
    def build(cls):
        cls.start_mailhold()
        cls.config = cls.mailhold.folder / "mailhold.toml"
        cls.shares = [cls.mailhold.secret_file(f"share-{number}", share) for number, share in enumerate(cls.mailhold.shares)]
        cls.sink = cls.start_sink()
        cls.gone, _ = cls.add_tenant("gone.test", cls.sink)
        cls.kept, _ = cls.add_tenant("kept.test", cls.sink)
        cls.backups = cls.folder / "backups"
        cls.backups.mkdir()
        cls.messages = {}  # of the tenant that stays: day -> message

    def deliver(self, to, body="Hello\r\n"):
        before = len(self.sink.messages)
        message = self.send_ok(letter(body=body), to=to)
        wait_for("the delivery", lambda: len(self.sink.messages) > before)
        wait_for("the trace of the delivery", lambda: "delivered" in self.events_of(message))
        return message

    def shown(self, message):
        return self.ask("message.show", check=False, id=message)

    def restore(self, backup, *more):
        """A fresh machine with that backup; sealed."""
        self.empty_the_data()
        self.mailhold.cli("restore", "self", "--from", backup, "--config", self.config, *more)
        self.mailhold.start()
        wait_for("keyd", lambda: (self.mailhold.cli("key", "status", check=False) or {}).get("seal") == "sealed")

    def unseal(self, how):
        words = ("--share-file", *self.shares[1:4]) if how == "shares" else ("--passphrase-file", self.mailhold.passphrase)
        self.assertEqual(self.mailhold.cli("unseal", *words)["seal"], "unsealed")
        self.mailhold.wait_for_ledger()

    def refusal(self, *words):
        with self.assertRaises(CommandFailed) as failure:
            self.mailhold.cli(*words)
        return failure.exception.message

    def test_1_backups_are_made_while_a_tenant_is_shredded_and_roots_are_replaced(self):
        type(self).secret = self.deliver("alice@gone.test")
        type(self).large = self.deliver("bob@kept.test", "".join(base64.b64encode(os.urandom(54)).decode() + "\r\n" for _ in range(25_000)))
        before, rotated, roots, deleted = 0, 0, 1, []
        for day in DAYS:
            for backup in self.backups.iterdir():
                grow_older(backup, day - before)
            before = day
            self.messages[day] = self.deliver("bob@kept.test")
            if day - rotated >= ROTATIONS:
                self.rotate_root()
                rotated, roots = day, roots + 1
            made = self.mailhold.cli("backup", "self", "--to", self.backups / f"day-{day:02}", "--config", self.config)
            deleted += made["keys_deleted_of"]
            self.assertEqual(deleted, [f"day-{each:02}" for each in DAYS if day - each >= 35])  # and some seconds
            if day == 0:
                shutil.copytree(self.backups / "day-00", self.folder / "stray")  # what somebody took away
            if day == SHRED_DAY:
                self.mailhold.cli("tenant", "remove", "gone.test", "--confirm", "gone.test")
                self.rotate_root()
                rotated, roots = day, roots + 1
                # An object is lost meanwhile: only backups from before have it.
                blobs = [path for path in (self.mailhold.data / "store/blobs").rglob("*") if path.is_file()]
                self.assertEqual(len(blobs), 1)
                blobs[0].unlink()
        self.assertEqual(self.mailhold.cli("key", "status")["root_version"], roots)
        region = b"mailhold.region.".hex()
        told = lambda: [entry["event"] for entry in self.ledger_entries(region)]
        wait_for("the shredding in the ledger", lambda: any(event["t"] == "key.shredded" and event["root_version"] == "1" for event in told()))
        self.assertTrue(any(event["t"] == "backup.keys_deleted" for event in told()))

    def rotate_root(self):
        self.mailhold.cli("key", "rotate", "root")
        self.mailhold.cli("key", "rewrap")

    def test_2_nothing_on_the_medium_opens_the_tenant(self):
        for name in ("keystore/keystore.db", "store/gateway.db", "backup/backup.db"):
            self.assertTrue((self.folder / "stray" / name).exists())
            for day in DAYS:
                self.assertEqual((self.backups / f"day-{day:02}" / name).exists(), day not in PRUNED, f"{name} of day {day}")
        keys, seals = wraps_in(self.folder / "stray/keystore/keystore.db", self.gone)
        self.assertGreaterEqual(len(keys), 10)
        self.assertEqual(len(seals), 2)
        in_file = lambda path: [wrap for wrap in keys + seals if wrap in path.read_bytes()]
        self.assertEqual(len(in_file(self.folder / "stray/keystore/keystore.db")), len(keys + seals))
        for path in self.backups.rglob("*"):
            if path.is_file():
                self.assertEqual(in_file(path), [], path)

    def test_3_every_backup_is_restored_with_passphrase_and_shares_and_none_has_the_tenant(self):
        newest = self.backups / f"day-{LAST_DAY:02}"
        for number, day in enumerate(DAYS):
            backup = self.backups / f"day-{day:02}"
            words = ()
            if day in PRUNED:
                self.empty_the_data()
                self.assertIn("were deleted when they were 35 days old", self.refusal("restore", "self", "--from", backup, "--config", self.config))
                words = ("--keys-from", newest)
            self.restore(backup, *words)
            self.unseal("shares" if number % 2 else "passphrase")
            self.assertIsNone(self.shown(self.secret), f"day {day}")
            self.assertNotIn("gone.test", str(self.mailhold.cli("tenant", "list")))
            for of_day, message in self.messages.items():
                if of_day <= day or words:
                    wait_for(f"the message of day {of_day} from the backup of day {day}", lambda: self.shown(message))
            # What was lost since day 1 is in the backups from before, and comes back beside newer keys.
            self.assertEqual(self.shown(self.large) is not None, day <= SHRED_DAY, f"day {day}")
        self.mailhold.cli("ledger", "verify")

    def empty_the_data(self):
        self.mailhold.stop()
        shutil.rmtree(self.mailhold.data, ignore_errors=True)

    def test_4_the_stray_copy_is_refused_and_would_have_told_all(self):
        self.restore(self.folder / "stray")  # as if it were of today: this is what the rule is for
        self.unseal("passphrase")
        wait_for("the tenant's message", lambda: self.shown(self.secret))
        grow_older(self.folder / "stray", 36)
        self.empty_the_data()
        self.assertIn("are older than 35 days", self.refusal("restore", "self", "--from", self.folder / "stray", "--config", self.config))
        self.assertFalse(self.mailhold.data.exists())


run()
