#!/usr/bin/python3
"""T30: the latest backup and enough shares bring a region up again on an empty folder, without its passphrase. The backup is made while
mail goes on; a damaged one restores nothing.
"""
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import CommandFailed, World, letter, run, wait_for


class BackupAndRestoration(World):
    @classmethod
    def build(cls):
        cls.start_mailhold()
        cls.shares = [cls.mailhold.secret_file(f"share-{number}", share) for number, share in enumerate(cls.mailhold.shares)]
        cls.sink = cls.start_sink()
        cls.tenant, _ = cls.add_tenant("example.test", cls.sink)

    def delivered(self):
        before = len(self.sink.messages)
        message = self.send_ok(letter())
        wait_for("the delivery", lambda: len(self.sink.messages) > before)
        wait_for("the trace of the delivery", lambda: "delivered" in self.events_of(message))
        return message

    def test_a_region_comes_back_from_its_backup(self):
        kept = [self.delivered() for _ in range(3)]
        copy = self.folder / "copy"
        config = self.mailhold.folder / "mailhold.toml"
        made = self.mailhold.cli("backup", "self", "--to", copy, "--config", config)
        self.assertTrue(made["in_ledger"])
        self.delivered()  # it goes on
        self.mailhold.stop()
        shutil.rmtree(self.mailhold.data)

        damaged = self.folder / "damaged"
        shutil.copytree(copy, damaged)
        with open(damaged / "keystore/keystore.db", "r+b") as file:
            file.seek(5000)
            file.write(b"evil")
        with self.assertRaises(CommandFailed) as failure:
            self.mailhold.cli("restore", "self", "--from", damaged, "--config", config)
        self.assertIn("keystore/keystore.db was changed", failure.exception.message)
        self.assertFalse(self.mailhold.data.exists())

        self.assertEqual(self.mailhold.cli("restore", "self", "--from", copy, "--config", config)["manifest"], made["manifest"])
        self.mailhold.start()
        wait_for("keyd", lambda: (self.mailhold.cli("key", "status", check=False) or {}).get("seal") == "sealed")
        self.assertEqual(self.mailhold.cli("unseal", "--share-file", *self.shares[1:4])["seal"], "unsealed")
        self.mailhold.wait_for_ledger()
        self.mailhold.wait_for_directory("anybody@example.test")
        for message in kept:
            self.assertIsNotNone(self.ask("message.show", check=False, id=message), message)
        self.delivered()  # the route's password came back too
        self.mailhold.cli("ledger", "verify")


run()
