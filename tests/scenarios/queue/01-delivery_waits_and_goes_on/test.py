#!/usr/bin/python3
"""Mail waits while the next hop is away and goes on when it is back; an administrator stops, starts, repeats and ends
deliveries; who cannot be reached for good is told to the sender, once, and never to nobody.
"""
import email
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import SlowSmtpServer, World, free_port, letter, message_id_of, run, wait_for


class DeliveryWaitsAndGoesOn(World):
    # Nothing is tried again by itself within this test: what goes on goes on because it was told to.
    quick_retries = {"queue.retry_seconds_first": 3600, "queue.retry_seconds_max": 3600, "queue.rest_seconds": 1}

    @classmethod
    def build(cls):
        cls.dns.set("sender.test", "MX", "10 mail.sender.test.")
        cls.dns.set("mail.sender.test", "A", "127.0.0.1")
        cls.senders_host = SlowSmtpServer(auth=False)
        cls.addClassCleanup(cls.senders_host.stop)
        cls.next_hop = SlowSmtpServer(auth=False)
        cls.addClassCleanup(cls.next_hop.stop)
        cls.start_mailhold(**{"outbound.mx_port": cls.senders_host.port})
        cls.tenant, _ = cls.add_tenant()
        cls.route = cls.mailhold.add_relay_route(cls.tenant, "127.0.0.1", cls.next_hop.port)
        wait_for("the route", lambda: any(each["route"] == cls.route and each["default"] for each in cls.mailhold.cli("route", "list")["routes"]))
        first = letter()
        cls.send_ok(first)
        cls.wait_for_arrival(first)

    @classmethod
    def arrived(cls, content):
        return [each for each in cls.next_hop.messages if message_id_of(each.content) == message_id_of(content)]

    @classmethod
    def wait_for_arrival(cls, content, seconds=30):
        cls.next_hop.wait("the delivery", lambda: cls.arrived(content), seconds)

    def deferred(self, content, **how):
        message = self.send_ok(content, **how)
        self.wait_until_deferred(message)
        return message

    def test_deferred_while_the_next_hop_is_away_and_delivered_when_it_is_back(self):
        self.next_hop.hang_up()
        content = letter("waits")
        message = self.deferred(content)
        self.assertIn("451", self.queued()[message]["recipients"][0]["reply"])
        self.next_hop.listen()
        self.ask("queue.flush")
        self.wait_for_arrival(content)
        wait_for("the end of its row", lambda: message not in self.queued())
        wait_for("its trace", lambda: {"deferred", "delivered"} <= set(self.events_of(message)))

    def test_a_paused_route_sends_nothing_until_it_is_resumed(self):
        self.ask("queue.pause", route=self.route)
        content = letter("paused")
        message = self.send_ok(content)
        wait_for("the paused message", lambda: self.queued().get(message, {}).get("state") == "paused")
        self.ask("queue.flush")
        self.assertTrue(self.next_hop.stays(1, lambda: self.arrived(content)), "a flush does not end a pause")
        self.ask("queue.resume", route=self.route)
        self.wait_for_arrival(content)
        self.assertEqual(len(self.arrived(content)), 1)

    def test_one_message_is_tried_again_and_another_is_ended(self):
        self.next_hop.on_recipient = lambda address: "451 4.3.0 not now"
        again, ended = letter("again"), letter("ended")
        again_id, ended_id = self.deferred(again), self.deferred(ended)
        self.next_hop.on_recipient = lambda address: None
        self.ask("queue.requeue", id=again_id)
        self.wait_for_arrival(again)
        self.assertEqual(self.arrived(ended), [])
        self.ask("queue.delete", id=ended_id)
        wait_for("its end", lambda: ended_id not in self.queued())
        self.ask("queue.flush")
        last = letter("behind them")
        self.send_ok(last)
        self.wait_for_arrival(last)
        self.assertEqual(self.arrived(ended), [], "a deleted message is not delivered")

    def test_the_sender_is_told_once_of_a_failure(self):
        refused = "nobody@example.test"
        self.next_hop.on_recipient = lambda address: "550 5.1.1 no such person here" if address == refused else None
        content = letter("to nobody")
        self.send_ok(content, to=[refused, "alice@example.test"])
        notices = lambda: [each for each in self.senders_host.messages if each.rcpt_to == ["clara@sender.test"] and message_id_of(content).encode() in each.content]
        self.senders_host.wait("the notice", notices)
        self.wait_for_arrival(content)
        self.assertEqual(self.arrived(content)[0].rcpt_to, ["alice@example.test"])
        notice = notices()[0]
        self.assertEqual(notice.mail_from, "", "a notice has the null sender")
        report = email.message_from_bytes(notice.content)
        self.assertEqual(report.get_content_type(), "multipart/report")
        self.assertEqual(report.get_param("report-type"), "delivery-status")
        status = next(part for part in report.walk() if part.get_content_type() == "message/delivery-status").as_string()
        self.assertIn("Action: failed", status)
        self.assertIn("Status: 5.1.1", status)
        self.assertIn(refused, status)
        self.assertNotIn("alice@example.test", status)

    def test_nobody_is_told_of_the_failure_of_a_notice(self):
        refused = "nobody@example.test"
        self.next_hop.on_recipient = lambda address: "550 5.1.1 no such person here" if address == refused else None
        before = len(self.senders_host.messages)
        message = self.send_ok(letter("a notice to nobody", sender="mailer-daemon@sender.test"), to=refused, sender="")
        wait_for("its end", lambda: "bounced" in self.events_of(message))
        wait_for("the end of its row", lambda: message not in self.queued())
        self.assertEqual(len(self.senders_host.messages), before)


if __name__ == "__main__":
    run()
