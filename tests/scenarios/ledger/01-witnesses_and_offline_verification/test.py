#!/usr/bin/python3
"""Three witnesses of a ledger, two of them needed: cosignatures arrive, a tenant checks its bundle and the folder offline with
mailhold-verify and with the Python verifier, and T23: whoever edits, truncates or rolls back the ledger is seen.
"""
import pathlib
import shutil
import signal
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[4]
sys.path[:0] = [str(ROOT / "tests/peers")]
from installation import PROGRAMS, Mailhold
from peers import free_port, wait_for

FOLDER = ROOT / "run/tests/ledger-01"


class Witness:
    def __init__(self, folder, letter):
        self.folder, self.port = folder / letter, free_port()
        self.folder.mkdir(parents=True)
        self.name, self.key_file, self.process = f"witness.test/{letter}", self.folder / "key", None
        made = subprocess.run([PROGRAMS / "mailhold-witness", "new-key", "--name", self.name, "--key", self.key_file], capture_output=True, text=True, check=True)
        self.key = made.stdout.strip()

    def start(self, log_key):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([PROGRAMS / "mailhold-witness", "serve", "--name", self.name, "--key", self.key_file, "--state", self.folder / "state",
                                             "--listen", f"127.0.0.1:{self.port}", "--log", log_key], stderr=log)

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None


def verify(*words):
    done = subprocess.run([PROGRAMS / "mailhold-verify", *[str(word) for word in words]], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class Witnesses(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(FOLDER, ignore_errors=True)
        cls.witnesses = [Witness(FOLDER / "witnesses", letter) for letter in "abc"]
        cls.mailhold = Mailhold(FOLDER / "mailhold", {
            "ledger.witnesses": [f"http://127.0.0.1:{each.port}/#{each.key}" for each in cls.witnesses],
            "ledger.witnesses_needed": 2})
        cls.mailhold.start()
        cls.mailhold.initialise()
        cls.ledger = cls.mailhold.data / "ledger"
        cls.key = cls.mailhold.cli("ledger", "status")["key"]
        for each in cls.witnesses[:2]:
            each.start(cls.key)
        cls.tenant = cls.mailhold.add_tenant("example", "example.test")
        cls.policy = ["--key", cls.key, "--needed", 2]
        for each in cls.witnesses:
            cls.policy += ["--witness", each.key]

    @classmethod
    def tearDownClass(cls):
        cls.mailhold.stop()
        for each in cls.witnesses:
            each.stop()

    def bundle(self, name, *more):
        path = FOLDER / name
        return path, self.mailhold.cli("ledger", "bundle", "example", "--out", path, *more)

    def status(self):
        return self.mailhold.cli("ledger", "status")["witnesses"]

    def test_1_two_of_three_cosign_and_the_third_is_missed(self):
        self.bundle("first")
        wait_for("two cosignatures", lambda: self.status()["cosigned"] == 2)
        states = {each["name"]: each["state"] for each in self.status()["list"]}
        self.assertEqual(states, {"witness.test/a": "cosigned", "witness.test/b": "cosigned", "witness.test/c": "away"})
        self.assertTrue(self.status()["satisfied"])
        verified = self.mailhold.cli("ledger", "verify")
        self.assertTrue(verified["sound"], verified)
        self.assertEqual(verified["witnesses"]["needed"], 2)

    def test_2_a_tenant_checks_its_bundle_offline(self):
        path, summary = self.bundle("second")
        self.assertTrue(summary["witnessed"])
        state = FOLDER / "state"
        code, said = verify("bundle", path, *self.policy, "--tenant", self.tenant, "--state", state)
        self.assertEqual(code, 0, said)
        self.assertIn("2 of 3 cosigned", said)
        words = ["/usr/bin/python3", ROOT / "tests/formats/ledger_bundle.py", path, self.key, self.tenant, "--needed", "2"]
        for each in self.witnesses:
            words += ["--witness", each.key]
        done = subprocess.run(words, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.mailhold.cli("domain", "add", self.tenant, "second.test", "--any-recipient")
        path, newer = self.bundle("third", "--since", summary["size"])
        self.assertGreater(newer["last"], summary["last"])
        code, said = verify("bundle", path, *self.policy, "--tenant", self.tenant, "--state", state)
        self.assertEqual(code, 0, said)
        code, said = verify("bundle", FOLDER / "second", *self.policy, "--tenant", self.tenant, "--state", state)
        self.assertEqual(code, 1, said)
        self.assertIn("rolled back", said)
        self.assertEqual(verify("bundle", path, "--key", self.key, "--witness", self.witnesses[2].key, "--tenant", self.tenant)[0], 1)

    def test_3_T23_an_insider_who_edits_truncates_or_rolls_back_the_log_is_seen(self):
        self.bundle("fourth")
        self.mailhold.stop()
        state = FOLDER / "log-state"
        code, said = verify("log", self.ledger, *self.policy, "--state", state)
        self.assertEqual(code, 0, said)
        self.assertIn("2 of 3 cosigned", said)
        shutil.copytree(self.ledger, FOLDER / "older")
        self.mailhold.start()
        self.mailhold.unseal()
        self.mailhold.cli("domain", "add", self.tenant, "third.test", "--any-recipient")
        self.assertTrue(self.bundle("fifth")[1]["witnessed"])
        self.mailhold.stop()
        self.assertEqual(verify("log", self.ledger, *self.policy, "--state", state)[0], 0)

        def tampered(change):
            copy = FOLDER / "tampered"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(self.ledger, copy)
            change(copy)
            return verify("log", copy, *self.policy, "--state", state)

        def flip(copy):
            bundle = next((copy / "tile/entries").rglob("*.p/*"))
            data = bytearray(bundle.read_bytes())
            data[len(data) // 2] ^= 1
            bundle.write_bytes(data)

        def put_back(*names):
            def change(copy):
                for name in names:
                    shutil.rmtree(copy / name) if (copy / name).is_dir() else (copy / name).unlink()
                    source = FOLDER / "older" / name
                    shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
            return change

        code, said = tampered(flip)
        self.assertEqual(code, 1, said)
        self.assertRegex(said, r"ledger entry \d+: does not have the hash in its tile")
        for names in (["checkpoint"], ["tile"], ["journal"], ["checkpoint", "journal"], ["checkpoint", "tile", "journal"],
                      ["checkpoint", "tile", "journal", "checkpoint.cosigned"]):
            code, said = tampered(put_back(*names))
            self.assertEqual(code, 1, f"{names}: {said}")
        self.assertIn("rolled back", said)

    def test_4_T6_with_all_files_put_back_the_region_stops_when_its_witnesses_answer(self):
        shutil.rmtree(self.ledger)
        shutil.copytree(FOLDER / "older", self.ledger)
        for each in [self.ledger, *self.ledger.rglob("*")]:
            shutil.chown(each, self.owner(), self.owner())
        self.mailhold.start()
        self.mailhold.cli("key", "unseal", "--passphrase-file", self.mailhold.passphrase, check=False)
        wait_for("the witnesses' word", lambda: "behind its witnesses" in (self.mailhold.cli("ledger", "status", check=False) or {}).get("failure", ""))
        states = {each["state"] for each in self.status()["list"][:2]}
        self.assertEqual(states, {"knows_more"})
        self.assertIsNone(self.mailhold.cli("domain", "add", self.tenant, "fourth.test", "--any-recipient", check=False))

    @classmethod
    def owner(cls):
        return (FOLDER / "mailhold/data/keystore").stat().st_uid + 1


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
