#!/usr/bin/python3
"""The password of an account is changed, and entered anew, in the middle of a first sync, of a restore and of a sync of calendars; the secret is removed, and the connection suspended, in mid-sync.
The mailbox says why where it stops and what to do, goes on by itself once that is done, and nothing is lost or doubled. A proxy before a real Dovecot and a real Radicale holds the session where
the test wants it to stand.
"""
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[3] / "peers"), str(HERE.parents[3] / "fakes"), str(HERE.parents[2]), str(HERE.parents[1])]
from dav_owner import DavOwner, meaning, vevent
from holding import Hold
from mailbox_owner import Owner
from mailbox_world import MailboxWorld
from throttling_proxy import ThrottlingProxy
from world import Api, letter, run, wait_for

MAIL_HOST, DAV_HOST = "imap.example.test", "dav.example.test"
FIRST, REFUSED, REMOVED, SUSPENDED, CALENDARS = (f"{name}@example.test" for name in ("first", "refused", "removed", "suspended", "calendars"))
MAIL = (FIRST, REFUSED, REMOVED, SUSPENDED)
MESSAGES, FOLDERS, EVENTS = 400, ("", ".F0"), 90
PURPOSES = ["backup.read", "restore.write"]
VERBS = ["PROPFIND /**", "REPORT /**", "GET /**", "PUT /**", "MKCALENDAR /**", "MKCOL /**"]


def contents(command):
    return b"BODY.PEEK[]" in command


def bye(_):
    return b"* BYE The session is over\r\n"


class SecretsChange(MailboxWorld):
    users = {user: f"the password of {user}" for user in (*MAIL, CALENDARS)}
    settings = MailboxWorld.settings | {"backup.every_seconds": 2}

    @classmethod
    def build(cls):
        cls.users, cls.connections = dict(cls.users), {}
        cls.start_peers()
        cls.peers.start_mailbox_server(cls.users)
        cls.peers.start_dav_server(cls.users, DAV_HOST)
        for host in (MAIL_HOST, DAV_HOST):
            cls.dns.set(host, "A", "127.0.0.1")
        cls.mail, cls.dav = ThrottlingProxy("imap", cls.peers.imaps_port, cls.peers.certificate), ThrottlingProxy("http", cls.peers.dav_port, cls.peers.dav_certificate)
        for proxy in (cls.mail, cls.dav):
            cls.addClassCleanup(proxy.stop)
        cls.fill()
        cls.start_mailhold()
        for user in MAIL:
            cls.connections[user] = cls.add_connection("imap", MAIL_HOST, cls.mail.port, user, cls.users[user], PURPOSES, cls.peers.certificate)
        cls.connections[CALENDARS] = cls.add_connection("http", DAV_HOST, cls.dav.port, CALENDARS, cls.users[CALENDARS], PURPOSES, cls.peers.dav_certificate,
                                                        *(word for verb in VERBS for word in ("--verb", verb)))
        cls.second, _ = cls.add_person("second")

    @classmethod
    def fill(cls):
        """Straight into the Maildirs, before Dovecot looks at them, and into Radicale's folder."""
        for user in MAIL:
            base = cls.folder / f"peers/mailboxes/mail/{user}/Maildir"
            for folder in FOLDERS:
                for each in ("cur", "new", "tmp"):
                    (base / folder / each).mkdir(parents=True)
            for number in range(MESSAGES):
                (base / FOLDERS[number % len(FOLDERS)] / "cur" / f"1700000000.M{number}P1.host:2,S").write_bytes(letter(f"{user} {number}").replace(b"\r\n", b"\n"))
            for path in [base.parent, base, *base.rglob("*")]:
                os.chown(path, 704, 704)
        owner = DavOwner(cls.peers.dav_port, CALENDARS, cls.users[CALENDARS])
        for name in ("work", "home"):
            owner.make_calendar(name, name)
            folder = cls.peers.dav_folder / f"collection-root/{CALENDARS}/{name}"
            for number in range(EVENTS):
                (folder / f"e{number}.ics").write_bytes(vevent(f"{name}{number}@x", "DTSTART:20260301T080000Z", f"SUMMARY:{name} {number}", zone=False))

    def change_password(self, user):
        """At the servers. Dovecot looks at the file once a second, and at its size."""
        self.users[user] += ", a new one"
        for peer, form in (("mailboxes", "{}:{{PLAIN}}{}\n"), ("radicale", "{}:{}\n")):
            (self.folder / f"peers/{peer}/users").write_text("".join(form.format(*each) for each in self.users.items()))
        written = int(time.time())
        wait_for("the next second", lambda: int(time.time()) > written)

    def enter(self, user):
        self.enter_secret(self.connections[user], user, self.users[user])

    def add(self, user, kind="imap"):
        self.mailhold.cli("mailbox", "add", "--tenant", "example.test", "--name", user, "--kind", kind, "--connection", self.connections[user])

    def wait_until_current(self, user, items, needs_nobody=False):
        def is_current():
            mailbox = self.mailbox(user)
            self.assertFalse(needs_nobody and mailbox["state"] == "needs attention", mailbox)
            return mailbox["state"] == "current" and mailbox["items"] == items and "running" not in mailbox
        try:
            wait_for("all of it", is_current, 60)
        except TimeoutError:
            self.fail(f"{self.mailbox(user)}")
        self.assertEqual(self.versions(user), (items, 0), "each has one version, and none of them is over")

    def reason(self, user):
        wait_for("the reason", lambda: self.mailbox(user)["state"] == "needs attention")
        print(f"{user}: {self.mailbox(user)['reason']}", flush=True)
        return self.mailbox(user)["reason"]

    def pause(self, user):
        self.mailhold.cli("mailbox", "pause", user)
        wait_for("the end of the sync", lambda: "running" not in self.mailbox(user))

    def owner(self, user):
        owner = Owner(self.peers.imaps_port, user, self.users[user])
        self.addCleanup(owner.close)
        return owner

    def destroy(self, owner, picture):
        for folder in picture:
            owner.select(folder)
            owner.ok(owner.imap.store("1:*", "+FLAGS.SILENT", "(\\Deleted)"))
            owner.ok(owner.imap.expunge())
            owner.ok(owner.imap.close())

    def assert_all_comes_back(self, user):
        """What was backed up is what the owner has: all of it is destroyed and put back."""
        owner = self.owner(user)
        picture = owner.picture()
        self.assertEqual(sum(map(len, picture.values())), MESSAGES)
        self.pause(user)
        self.destroy(owner, picture)
        code, report = self.restore("start", user)
        self.assertEqual((code, report["exact"], report["restored"], report["not_as_it_was"]), (0, True, MESSAGES, []), report)
        self.assertEqual(owner.picture(), picture)

    def hold_first_sync(self, user, then=None):
        """A first sync that stands in the middle: some of it is there, and the next contents are asked for."""
        hold = self.mail.judge = Hold(contents, after=3, then=then)
        self.add(user)
        hold.wait("the contents")
        self.assertEqual(self.mailbox(user)["state"], "first sync")
        return hold

    def test_1_changed_and_entered_anew_during_a_first_sync_it_goes_on(self):
        hold = self.hold_first_sync(FIRST)
        self.change_password(FIRST)
        self.enter(FIRST)
        self.assertIn("running", self.mailbox(FIRST))
        hold.let_go()
        self.wait_until_current(FIRST, MESSAGES, needs_nobody=True)
        mailbox = self.sync(FIRST)
        self.assertEqual(mailbox["state"], "current", mailbox)  # the next session signs in with the new one
        self.assert_all_comes_back(FIRST)

    def test_2_refused_in_between_the_mailbox_says_so_and_goes_on_with_the_new_one(self):
        hold = self.hold_first_sync(REFUSED, bye)
        self.change_password(REFUSED)
        hold.let_go()
        reason = self.reason(REFUSED)
        self.assertIn("refused the credential", reason)
        self.assertIn("mailhold secret set", reason)
        there, over = self.versions(REFUSED)
        self.assertTrue(0 < there < MESSAGES, there)
        self.enter(REFUSED)
        self.wait_until_current(REFUSED, MESSAGES)
        self.assert_all_comes_back(REFUSED)

    def begin_restore(self, user):
        """(hold, job, owner, picture): a restore that stands in the middle."""
        self.pause(user)
        owner = self.owner(user)
        picture = owner.picture()
        self.destroy(owner, picture)
        hold = self.mail.judge = Hold(lambda command: b" APPEND " in command, after=10, then=bye)
        permit = self.mailhold.cli("restore", "allow", user, "--key", self.mailhold.operator)["restore"]
        api = Api(self.mailhold.socket)
        self.addCleanup(api.close)
        job = api.ask("restore.carry-out", operation=permit, dry_run=False)["restore"]
        hold.wait("the messages")
        return hold, job, owner, picture

    def at_the_end(self, job):
        wait_for("the end of the restore", lambda: self.mailhold.cli("restore", "show", job)["over"], 60)
        return self.mailhold.cli("restore", "show", job)

    def test_3_a_restore_goes_on_with_the_new_one(self):
        hold, job, owner, picture = self.begin_restore(FIRST)
        self.change_password(FIRST)
        self.enter(FIRST)
        hold.let_go()
        report = self.at_the_end(job)
        self.assertEqual((report["exact"], report["restored"], report["not_as_it_was"]), (True, MESSAGES, []), report)
        self.assertEqual(owner.picture(), picture)

    def test_4_a_restore_that_is_refused_says_what_it_did_and_what_to_do(self):
        hold, job, owner, picture = self.begin_restore(REFUSED)
        self.change_password(REFUSED)
        hold.let_go()
        report = self.at_the_end(job)
        print(report["failure"], flush=True)
        self.assertFalse(report["exact"])
        for what in ("refused the credential", "mailhold secret set", "mailhold restore start --at"):
            self.assertIn(what, report["failure"])
        there = sum(map(len, owner.picture().values()))
        self.assertTrue(0 < there < MESSAGES, there)
        self.enter(REFUSED)
        code, report = self.restore("start", REFUSED)
        self.assertEqual((code, report["exact"], report["restored"], report["present"]), (0, True, MESSAGES - there, there), report)
        self.assertEqual(owner.picture(), picture)

    def test_5_a_sync_of_calendars_goes_on_with_the_new_one(self):
        hold = self.dav.judge = Hold(lambda request: b"calendar-multiget" in request, after=1)
        self.add(CALENDARS, "dav")
        hold.wait("the contents")
        self.change_password(CALENDARS)
        hold.let_go()
        reason = self.reason(CALENDARS)
        self.assertIn("mailhold secret set", reason)
        there, _ = self.versions(CALENDARS)
        self.assertTrue(0 < there < 2 * EVENTS, there)
        self.enter(CALENDARS)
        self.wait_until_current(CALENDARS, 2 * EVENTS)
        # Once more, and this time what was entered is there before anybody is refused.
        owner = DavOwner(self.peers.dav_port, CALENDARS, self.users[CALENDARS])
        hold = self.dav.judge = Hold(lambda request: b"calendar-multiget" in request)
        self.assertTrue(owner.put("work", "later.ics", vevent("later@x", "DTSTART:20260301T080000Z", "SUMMARY:later", zone=False)))
        hold.wait("the contents")
        self.change_password(CALENDARS)
        self.enter(CALENDARS)
        self.wait_until_current(CALENDARS, 2 * EVENTS + 1, needs_nobody=True)
        hold.let_go()
        owner = DavOwner(self.peers.dav_port, CALENDARS, self.users[CALENDARS])
        picture = owner.picture()
        self.pause(CALENDARS)
        for path in ("work/", "home/"):
            owner.delete(path)
        code, report = self.restore("start", CALENDARS)
        self.assertEqual((code, report["exact"], report["restored"], report["not_as_it_was"]), (0, True, 2 * EVENTS + 1, []), report)
        there = owner.picture()
        self.assertEqual({title: {name: meaning(content) for name, content in items.items()} for title, items in there.items()},
                         {title: {name: meaning(content) for name, content in items.items()} for title, items in picture.items()})

    def test_6_a_secret_that_is_removed_in_mid_sync_ends_it(self):
        hold = self.hold_first_sync(REMOVED)
        self.mailhold.cli("secret", "remove", "--tenant", self.tenant, "--connection", self.connections[REMOVED], "--key", self.mailhold.operator)
        reason = self.reason(REMOVED)
        hold.let_go()
        self.assertIn("secret", reason)
        self.assertIn("mailhold secret set", reason)
        there, _ = self.versions(REMOVED)
        self.assertTrue(0 < there < MESSAGES, there)
        self.enter(REMOVED)
        self.wait_until_current(REMOVED, MESSAGES)
        self.assert_all_comes_back(REMOVED)

    def test_7_a_connection_that_is_suspended_in_mid_sync_ends_it(self):
        hold = self.hold_first_sync(SUSPENDED)
        self.suspend(self.connections[SUSPENDED])
        reason = self.reason(SUSPENDED)
        hold.let_go()
        self.assertIn("suspended", reason)
        self.assertIn("mailhold connection resume", reason)
        there, _ = self.versions(SUSPENDED)
        self.assertTrue(0 < there < MESSAGES, there)
        self.resume(self.connections[SUSPENDED])
        self.wait_until_current(SUSPENDED, MESSAGES)
        self.assert_all_comes_back(SUSPENDED)


if __name__ == "__main__":
    run()
