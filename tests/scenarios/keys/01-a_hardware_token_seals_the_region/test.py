#!/usr/bin/python3
"""A region sealed by a hardware token (SoftHSM 2): unsealed by its PIN through tokend; a wrong PIN gives one clear error. T29: a token
that is lost while Mailhold runs stops nothing; the shares open the region after the next start and seal it anew under a new token.
"""
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import CommandFailed, World, letter, run, wait_for

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
        cls.mailhold.wait_for_ledger()
        cls.mailhold.add_first_operator()
        cls.sink = cls.start_sink()
        cls.tenant, _ = cls.add_tenant(sink=cls.sink)

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

    def assert_passwords_are_used(self):
        """A message goes through a session that has signed in just now."""
        self.mailhold.wait_for_directory("anybody@example.test")
        self.sink.hang_up()
        self.sink.listen()
        before = len(self.sink.auths)
        self.send_ok(letter())
        self.ask("queue.flush")
        self.sink.wait("a delivery with AUTH", lambda: len(self.sink.auths) > before)

    def seal_of(self, token):
        return next(seal["seal"] for seal in self.mailhold.cli("key", "status")["seals"] if seal.get("token") == token)

    def test_1_the_pin_opens_the_region(self):
        self.assertEqual([seal["kind"] for seal in self.mailhold.cli("key", "status")["seals"]], ["pkcs11", "shamir"])
        self.mailhold.cli("key", "rotate", "root")  # without the token
        self.mailhold.cli("key", "rewrap")
        self.restart()
        self.assertIn("wrong PIN for token vault", self.refusal("--pin-file", self.mailhold.secret_file("wrong-pin", "000000")))
        self.assertEqual(self.mailhold.cli("unseal", "--pin-file", self.pin)["seal"], "unsealed")
        self.mailhold.wait_for_ledger()
        self.mailhold.cli("recovery", "drill", "--pin-file", self.pin)

    def test_2_T29_a_token_lost_while_all_runs_stops_nothing(self):
        self.assert_passwords_are_used()
        shutil.rmtree(self.tokens)
        os.kill(self.mailhold.pids()["tokend"], 9)
        self.assert_passwords_are_used()
        self.mailhold.cli("key", "rotate", "tenant", "--tenant", self.tenant)
        self.mailhold.add_tenant("another.test", "another.test")
        with self.assertRaises(CommandFailed):
            self.mailhold.cli("recovery", "drill", "--pin-file", self.pin)
        self.assert_passwords_are_used()

    def test_3_T29_shares_open_the_region_and_seal_it_under_a_new_token(self):
        self.restart()
        self.assertIn("token vault is not there", self.refusal("--pin-file", self.pin))
        self.assertEqual(self.mailhold.cli("unseal", "--share-file", self.shares[0], self.shares[2])["seal"], "unsealed")
        self.mailhold.wait_for_ledger()
        self.assert_passwords_are_used()
        self.make_token("second")
        os.kill(self.mailhold.pids()["tokend"], 9)  # the module looks for tokens at its start
        wait_for("the new token's seal", lambda: self.mailhold.cli("key", "add-seal", "pkcs11", "--token", "second", "--pin-file", self.pin, check=False))
        self.assertIn("key rotate root", self.mailhold.cli("key", "remove-seal", self.seal_of("vault"))["note"])
        self.mailhold.cli("key", "rotate", "root")
        self.restart()
        self.assertEqual(self.mailhold.cli("unseal", "--pin-file", self.pin)["seal"], "unsealed")
        self.mailhold.wait_for_ledger()
        self.assert_passwords_are_used()


run()
