#!/usr/bin/python3
"""Two regions, us and uk, each a cell with its own root, keystore, ledger and records, under the same passphrase on purpose: tokens,
signed operations, bundles, rows, keystores, ledgers and whole backups of one open nothing in the other. Every refusal has its positive control.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import PROGRAMS, CommandFailed, Mailhold, World, letter, wait_for

SECRET_URL = "https://partner.test/only-for-us-eyes"


class TwoRegions(World):
    @classmethod
    def build(cls):
        cls.sink = cls.start_sink()
        cls.regions, cls.tenants = {}, {}
        for number, name in enumerate(("us", "uk")):
            region = Mailhold(cls.folder / name, {"mailhold.region": name, "dns.servers": [f"127.0.0.1@{cls.dns.port}"]} | cls.quick_retries,
                              users_first=52000 + 1000 * number)
            cls.addClassCleanup(region.stop)
            region.start()
            region.initialise()
            cls.regions[name], cls.mailhold = region, region
            cls.tenants[name], _ = cls.add_tenant("example.test", sink=cls.sink)
        cls.us, cls.uk = cls.regions["us"], cls.regions["uk"]

    def refused(self, region, *words):
        with self.assertRaises(CommandFailed) as caught:
            region.cli(*words)
        return caught.exception.message

    def test_1_each_has_its_own_ledger_and_tenants(self):
        keys = {name: region.cli("ledger", "status")["key"] for name, region in self.regions.items()}
        self.assertTrue(keys["us"].startswith("mailhold/us+") and keys["uk"].startswith("mailhold/uk+"))
        self.assertNotEqual(self.tenants["us"], self.tenants["uk"])

    def test_2_a_link_token_opens_where_it_was_made_and_nowhere_else(self):
        type(self).mailhold = self.us
        before = len(self.sink.messages)
        self.send_ok(letter(body=f"Please read {SECRET_URL} today\r\n"))
        wait_for("the delivery", lambda: len(self.sink.messages) > before)
        content = self.sink.messages[-1].content
        text = content.decode() if isinstance(content, bytes) else content
        rewritten = re.search(rf"http://127\.0\.0\.1:{self.us.links_port}/\S+", text.replace("=\r\n", "").replace("=3D", "=")).group(0)
        self.assertIn(SECRET_URL, str(self.us.cli("link", "open", rewritten)))
        self.assertNotIn(SECRET_URL, self.refused(self.uk, "link", "open", rewritten.replace(str(self.us.links_port), str(self.uk.links_port))))
        try:
            with urllib.request.urlopen(rewritten.replace(str(self.us.links_port), str(self.uk.links_port)), timeout=20) as answer:
                said = str(answer.status) + answer.read().decode() + str(answer.headers)
        except urllib.error.HTTPError as answer:
            said = str(answer.code) + answer.read().decode() + str(answer.headers)
        self.assertNotIn("partner.test", said)

    def test_3_an_operator_of_one_signs_nothing_in_the_other(self):
        words = ["route", "set", "--tenant", self.tenants["uk"], "--kind", "relay", "--host", "127.0.0.1", "--port", self.sink.port, "--tls", "none", "--key"]
        self.refused(self.uk, *words, self.us.operator)
        self.uk.cli(*words, self.uk.operator)

    def test_4_a_bundle_verifies_under_its_own_regions_key_alone(self):
        bundle = self.folder / "us.bundle"
        self.us.cli("ledger", "bundle", self.tenants["us"], "--out", bundle)
        for name, code in (("us", 0), ("uk", 1)):
            done = subprocess.run([PROGRAMS / "mailhold-verify", "bundle", bundle, "--tenant", self.tenants["us"], "--key", self.regions[name].cli("ledger", "status")["key"]],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode, code, done.stdout)
        self.refused(self.uk, "ledger", "bundle", self.tenants["us"], "--out", bundle)

    def put_into_uk(self, *names):
        """The folders of us in the place of those of uk, with uk's owners; uk as it was comes back afterwards."""
        if not (self.folder / "kept").exists():
            self.us.stop(), self.uk.stop()
            shutil.copytree(self.uk.data, self.folder / "kept")
            self.owners = {path.relative_to(self.uk.data): path.stat() for path in [self.uk.data, *self.uk.data.rglob("*")]}
            type(self).kept_owners = self.owners
        shutil.rmtree(self.uk.data)
        shutil.copytree(self.folder / "kept", self.uk.data)
        for name in names:
            shutil.rmtree(self.uk.data / name)
            shutil.copytree(self.us.data / name, self.uk.data / name)
        for path in [self.uk.data, *self.uk.data.rglob("*")]:
            place = path.relative_to(self.uk.data)
            known = self.kept_owners.get(place) or self.kept_owners[pathlib.Path(place.parts[0])]
            shutil.chown(path, known.st_uid, known.st_gid)
            if place in self.kept_owners:
                path.chmod(known.st_mode & 0o7777)
        self.uk.start()

    def test_5_its_keystore_its_ledger_its_rows_and_its_whole_backup_open_nothing_in_the_other(self):
        self.put_into_uk()  # control: what was stopped and copied back goes on
        self.uk.unseal()
        self.assertEqual([each["tenant"] for each in self.uk.cli("tenant", "list")["tenants"]], [self.tenants["uk"]])
        self.uk.stop()

        self.put_into_uk("keystore")
        self.assertIn("another region", self.refused(self.uk, "key", "unseal", "--passphrase-file", self.uk.passphrase))
        self.uk.stop()

        self.put_into_uk("ledger")
        self.uk.cli("key", "unseal", "--passphrase-file", self.uk.passphrase)
        wait_for("the ledger's answer", lambda: (self.uk.cli("ledger", "status", check=False) or {}).get("failure"))
        self.assertFalse(self.uk.cli("ledger", "status")["open"])
        self.uk.stop()

        self.put_into_uk("directory")
        self.uk.cli("key", "unseal", "--passphrase-file", self.uk.passphrase)
        try:
            listed = str(self.uk.cli("tenant", "list"))
        except CommandFailed as refusal:
            listed = refusal.message
        self.assertNotIn("example.test", listed)
        self.uk.stop()

        self.put_into_uk("broker")
        self.uk.cli("key", "unseal", "--passphrase-file", self.uk.passphrase)
        try:
            listed = str(self.uk.cli("route", "list"))
        except CommandFailed as refusal:
            listed = refusal.message
        self.assertNotIn(str(self.sink.port), listed)
        self.uk.stop()

        self.put_into_uk(*[path.name for path in self.us.data.iterdir() if path.is_dir()])
        self.assertIn("another region", self.refused(self.uk, "key", "unseal", "--passphrase-file", self.uk.passphrase))
        self.assertEqual(self.uk.cli("key", "status")["seal"], "sealed")
        self.uk.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2, failfast=True)
