#!/usr/bin/python3
"""T3 and T4 on a whole installation: shares open a sealed region and wrong ones are named; keys rotate while mail goes on, also
through kill -9 of keyd; a tenant that was removed is gone and the others stay; all of it stands in the ledger.
"""
import datetime
import os
import pathlib
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import CommandFailed, World, letter, run, wait_for


REGION = b"mailhold.region.".hex()  # the tenant under which the region keeps its own events


class SealsAndRotation(World):
    @classmethod
    def build(cls):
        cls.start_mailhold()
        cls.shares = cls.mailhold.shares
        cls.sink = cls.start_sink()
        cls.tenant, cls.route = cls.add_tenant("example.test", cls.sink)
        cls.other, _ = cls.add_tenant("other.test", cls.sink)

    def share_file(self, number, text=None):
        return self.mailhold.secret_file(f"share-{number}", text or self.shares[number])

    def key_status(self):
        return self.mailhold.cli("key", "status")

    def region_events(self):
        return [entry["event"] for entry in self.ledger_entries(REGION)]

    def deliver(self, to="alice@example.test"):
        before = len(self.sink.messages)
        message = self.send_ok(letter(), to=to)
        wait_for("the delivery", lambda: len(self.sink.messages) > before)
        # Kept under its day's key, which may be later than the delivery.
        wait_for("the trace of the delivery and the store", lambda: {"delivered", "stored"} <= set(self.events_of(message)))
        return message

    def shown(self, message):
        return self.ask("message.show", check=False, id=message)

    def test_1_shares_open_the_region_and_a_wrong_one_is_named(self):
        self.assertEqual([seal["kind"] for seal in self.key_status()["seals"]], ["passphrase", "shamir"])
        self.assertEqual(len(self.shares), 5)
        self.mailhold.stop()
        self.mailhold.start()
        wait_for("keyd", lambda: (self.mailhold.cli("key", "status", check=False) or {}).get("seal") == "sealed")
        progress = self.mailhold.cli("unseal", "--share-file", self.share_file(0), self.share_file(3))
        self.assertEqual((progress["shares_given"], progress["shares_needed"]), (2, 3))
        wrong = self.shares[4][:-1] + ("0" if self.shares[4][-1] != "0" else "1")
        with self.assertRaises(CommandFailed) as failure:
            self.mailhold.cli("unseal", "--share-file", self.share_file(4, wrong))
        self.assertIn("group 16 of the share is mistyped", failure.exception.message)
        self.assertEqual(self.key_status()["seal"], "sealed")
        self.assertEqual(self.mailhold.cli("unseal", "--share-file", self.share_file(4))["seal"], "unsealed")
        self.mailhold.wait_for_ledger()
        self.mailhold.wait_for_directory("anybody@example.test")
        wait_for("the events in the ledger", lambda: {"key.initialised", "key.unsealed", "key.unseal_refused"} <= {event["t"] for event in self.region_events()})

    def test_2_a_drill_proves_the_second_wrap(self):
        drilled = self.mailhold.cli("recovery", "drill", "--share-file", *[self.share_file(number) for number in (1, 2, 3)])
        self.assertEqual(drilled["kind"], "shamir")
        self.assertTrue(self.mailhold.cli("recovery", "drill", "--passphrase-file", self.mailhold.passphrase)["drilled_at"])
        with self.assertRaises(CommandFailed):
            self.mailhold.cli("recovery", "drill", "--share-file", self.share_file(1), self.share_file(2))

    def test_3_keys_rotate_while_mail_goes_on(self):
        kept = [self.deliver(), self.deliver("bob@other.test")]
        day = datetime.datetime.now(datetime.timezone.utc).date()
        self.mailhold.cli("key", "rotate", "region")
        os.kill(self.mailhold.pids()["keyd"], signal.SIGKILL)  # sealed again; it goes on where it stood
        wait_for("keyd to take the passphrase", lambda: self.mailhold.cli("unseal", "--passphrase-file", self.mailhold.passphrase, check=False) is not None)
        self.mailhold.cli("key", "rotate", "tenant", "--tenant", "example.test")
        self.mailhold.cli("key", "rotate", "connection", "--tenant", "example.test", "--connection", self.route)
        self.mailhold.cli("key", "rotate", "day", "--tenant", "example.test", "--day", day.isoformat())
        kept.append(self.deliver())
        status = self.mailhold.cli("key", "rewrap")
        self.assertEqual((status["region_key_version"], status["rotations"]), (2, []))
        kept.append(self.deliver())
        for message in kept:
            self.assertIsNotNone(self.shown(message), message)
        scopes = lambda: [event.get("scope") for event in self.region_events() if event["t"] == "key.rewrap_completed"]
        wait_for("the ends of the rotations in the ledger", lambda: sorted(scopes()) == ["day", "region", "tenant"])

    def test_4_a_removed_tenant_is_gone_and_the_others_stay(self):
        mine, theirs = self.deliver(), self.deliver("bob@other.test")
        with self.assertRaises(CommandFailed):
            self.mailhold.cli("tenant", "remove", "example.test", "--confirm", "other.test")
        self.assertIsNotNone(self.shown(mine))
        self.mailhold.cli("tenant", "remove", "example.test", "--confirm", "example.test")
        wait_for("the refusal of its mail", lambda: self.send(letter())[0] >= 400)
        for process in ("gatewayd-out",):  # what it holds on lease ends with it
            os.kill(self.mailhold.pids()[process], signal.SIGKILL)
        wait_for("gatewayd-out", lambda: self.shown(theirs) is not None)
        self.assertIsNone(self.shown(mine))
        self.deliver("bob@other.test")
        wait_for("the events in the ledger", lambda: {"tenant.remove", "key.shredded"} <= {event["t"] for event in self.region_events()})

    def test_5_a_shredded_message_and_day_are_gone(self):
        one, two = self.deliver("bob@other.test"), self.deliver("bob@other.test")
        self.mailhold.cli("key", "shred", "message", "--tenant", "other.test", "--message", one)
        self.assertIsNone(self.shown(one))
        self.assertIsNotNone(self.shown(two))
        with self.assertRaises(CommandFailed):  # today is not over
            self.mailhold.cli("key", "shred", "day", "--tenant", "other.test", "--day", datetime.datetime.now(datetime.timezone.utc).date().isoformat())
        self.assertIsNotNone(self.shown(two))

    def test_6_the_root_is_replaced_through_kills_and_every_seal_opens_the_new_one(self):
        kept = [self.deliver("bob@other.test")]
        before = self.key_status()["root_version"]
        for number, milliseconds in enumerate((0, 4, 12, 40)):  # before, within and after the transaction, as it happens
            asking = threading.Thread(target=lambda: self.mailhold.cli("key", "rotate", "root", check=False))
            keyd = self.mailhold.pids()["keyd"]
            asking.start()
            time.sleep(milliseconds / 1000)
            os.kill(keyd, signal.SIGKILL)
            asking.join()
            words = ("--share-file", *[self.share_file(each) for each in (0, 2, 4)]) if number % 2 else ("--passphrase-file", self.mailhold.passphrase)
            wait_for("keyd to be unsealed", lambda: (self.mailhold.cli("unseal", *words, check=False) or {}).get("seal") == "unsealed")
            self.mailhold.cli("key", "rewrap")
        self.mailhold.cli("key", "rotate", "root")
        status = self.mailhold.cli("key", "rewrap")
        self.assertGreater(status["root_version"], before)
        self.assertEqual({seal["root_version"] for seal in status["seals"]}, {status["root_version"]})
        kept.append(self.deliver("bob@other.test"))
        for message in kept:
            self.assertIsNotNone(self.shown(message), message)
        self.test_2_a_drill_proves_the_second_wrap()
        newest = lambda name: [event for event in self.region_events() if event["t"] == name][-1].get("root_version")
        wait_for("the end of the rotation in the ledger", lambda: newest("key.rewrap_completed") == str(status["root_version"]))


run()
