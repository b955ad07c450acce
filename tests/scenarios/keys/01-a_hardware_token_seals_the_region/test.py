#!/usr/bin/python3
"""A region sealed by a hardware token (SoftHSM 2): unsealed by its PIN through tokend; a wrong PIN and a lost token give one clear
error each, and the shares still open the region and seal it anew under a new token.
"""
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import CommandFailed, World, run, wait_for

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


class HardwareToken(World):
    @classmethod
    def build(cls):
        from installation import Mailhold
        cls.configuration = cls.folder / "softhsm2.conf"
        settings = {"dns.servers": [f"127.0.0.1@{cls.dns.port}"], "keys.pkcs11_module": MODULE, "keys.pkcs11_environment": f"SOFTHSM2_CONF={cls.configuration}"}
        cls.mailhold = Mailhold(cls.folder / "mailhold", settings, users_first=52000)
        cls.addClassCleanup(lambda: cls.mailhold.stop())
        cls.tokens = cls.mailhold.data / "tokens"
        cls.configuration.write_text(f"directories.tokendir = {cls.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
        cls.mailhold.start()  # makes the folder
        cls.mailhold.stop()
        cls.make_token("vault")
        cls.mailhold.start()
        cls.pin = cls.mailhold.secret_file("pin", "135790")
        made = cls.mailhold.cli("key", "initialise", "--token", "vault", "--pin-file", cls.pin, "--shares", 3, "--threshold", 2)
        cls.shares = [cls.mailhold.secret_file(f"share-{number}", share) for number, share in enumerate(made["shares"])]

    @classmethod
    def make_token(cls, label):
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", "135790", "--so-pin", "12345678"], check=True, stdout=subprocess.DEVNULL,
                       env={"SOFTHSM2_CONF": str(cls.configuration)} | os.environ)
        owner = cls.tokens.stat()
        for folder, _, files in os.walk(cls.tokens):
            for each in [folder, *(os.path.join(folder, name) for name in files)]:
                os.chown(each, owner.st_uid, owner.st_gid)

    def restart(self):
        self.mailhold.stop()
        self.mailhold.start()
        wait_for("keyd", lambda: (self.mailhold.cli("key", "status", check=False) or {}).get("seal") == "sealed")

    def refusal(self, *words):
        with self.assertRaises(CommandFailed) as failure:
            self.mailhold.cli("unseal", *words)
        self.assertEqual(self.mailhold.cli("key", "status")["seal"], "sealed")
        return failure.exception.message

    def test_the_life_of_a_token(self):
        self.assertEqual([seal["kind"] for seal in self.mailhold.cli("key", "status")["seals"]], ["pkcs11", "shamir"])
        self.restart()
        self.assertIn("wrong PIN for token vault", self.refusal("--pin-file", self.mailhold.secret_file("wrong-pin", "000000")))
        self.assertEqual(self.mailhold.cli("unseal", "--pin-file", self.pin)["seal"], "unsealed")
        self.mailhold.cli("recovery", "drill", "--pin-file", self.pin)
        self.mailhold.stop()
        shutil.rmtree(self.tokens)
        self.mailhold.start()
        wait_for("keyd", lambda: (self.mailhold.cli("key", "status", check=False) or {}).get("seal") == "sealed")
        self.assertIn("token vault is not there", self.refusal("--pin-file", self.pin))
        self.assertEqual(self.mailhold.cli("unseal", "--share-file", self.shares[0], self.shares[2])["seal"], "unsealed")
        self.mailhold.wait_for_ledger()
        self.make_token("second")
        os.kill(self.mailhold.pids()["tokend"], 9)  # the module looks for tokens at its start
        wait_for("the new token's seal", lambda: self.mailhold.cli("key", "add-seal", "pkcs11", "--token", "second", "--pin-file", self.pin, check=False))
        lost = next(seal["seal"] for seal in self.mailhold.cli("key", "status")["seals"] if seal.get("token") == "vault")
        self.mailhold.cli("key", "remove-seal", lost)
        self.restart()
        self.assertEqual(self.mailhold.cli("unseal", "--pin-file", self.pin)["seal"], "unsealed")


run()
