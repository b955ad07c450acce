#!/usr/bin/python3
"""T6 on a whole installation: the keystore alone is replaced by an older copy of itself, in which a password lives that was replaced
since. It opens with the passphrase, but the ledger knows better: nothing is used, the region is sealed, and mail is accepted.
"""
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import ROUTE_USER, World, letter, run, wait_for

REGION = b"mailhold.region.".hex()


class OlderKeystore(World):
    @classmethod
    def build(cls):
        cls.sink = cls.start_sink()
        cls.start_mailhold()
        cls.tenant, cls.route = cls.add_tenant(sink=cls.sink, password="the old password")
        cls.keystore = cls.mailhold.data / "keystore"
        cls.copies = cls.folder / "copies"

    def key_status(self):
        return self.mailhold.cli("key", "status")

    def copy_keystore(self, name):
        shutil.copytree(self.keystore, self.copies / name)

    def start_with(self, name):
        """The folder as it was copied, with its owners; as a backup would put it back."""
        owner = self.keystore.stat()
        shutil.rmtree(self.keystore)
        shutil.copytree(self.copies / name, self.keystore)
        for path in (self.keystore, *self.keystore.iterdir()):
            shutil.chown(path, owner.st_uid, owner.st_gid)
        self.mailhold.start()
        wait_for("keyd", lambda: (self.mailhold.cli("key", "status", check=False) or {}).get("seal") == "sealed")

    def unseal(self):
        self.mailhold.unseal()
        wait_for("the comparison", lambda: self.key_status()["compared_with_ledger"])

    def delivered_with(self, password):
        uses = len(self.sink.auths)
        self.mailhold.wait_for_directory("anybody@example.test")
        self.sink.hang_up()
        self.sink.listen()
        self.send_ok(letter())
        self.ask("queue.flush")
        self.sink.wait("the sign-in", lambda: len(self.sink.auths) > uses)
        self.assertEqual(self.sink.auths[-1].plain, f"\0{ROUTE_USER}\0{password}".encode())

    def events(self):
        return [entry["event"].get("t") for entry in self.ledger_entries(REGION)]

    def test_T6_an_older_keystore_uses_nothing_and_is_sealed(self):
        self.delivered_with("the old password")
        self.mailhold.stop()
        self.copy_keystore("older")
        self.mailhold.start()
        self.unseal()
        file = self.mailhold.secret_file("route-password", "the new password")
        self.mailhold.cli("secret", "set", "--route", self.route, "--user", ROUTE_USER, "--password-file", file, "--key", self.mailhold.operator)
        self.delivered_with("the new password")
        self.mailhold.stop()
        self.copy_keystore("newest")
        self.start_with("older")
        uses = len(self.sink.auths)
        self.mailhold.cli("unseal", "--passphrase-file", self.mailhold.passphrase)
        log = self.mailhold.log
        wait_for("the refusal", lambda: "the keystore is an older copy" in log.read_text())
        wait_for("the seal", lambda: self.key_status()["seal"] == "sealed")
        self.assertEqual(len(self.sink.auths), uses, "the old password was used")

        self.mailhold.stop()
        self.start_with("newest")
        self.unseal()
        self.assertIn("key.older_copy_refused", self.events())
        self.delivered_with("the new password")

        self.mailhold.stop()
        self.start_with("older")
        self.mailhold.cli("key", "accept-older-copy")
        self.unseal()
        wait_for("the entry", lambda: "key.older_copy_accepted" in self.events())
        self.delivered_with("the old password")
        self.assertTrue(self.mailhold.cli("ledger", "verify")["sound"])


if __name__ == "__main__":
    run()
