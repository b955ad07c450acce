#!/usr/bin/python3
"""Delivery over a route with SMTP AUTH to Postfix with Dovecot's SASL, which offers nothing but one mechanism: the message arrives, so
that one was spoken.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from world import PEERS_ROOT, Peers, World, letter, run, wait_for

USER, PASSWORD = "route@example.test", "a password of the route"
MECHANISMS = ("scram-sha-256", "login")  # PLAIN is what every other scenario takes


class EveryMechanism(World):
    @classmethod
    def build(cls):
        cls.start_mailhold()

    def test_each_mechanism_delivers(self):
        for number, mechanism in enumerate(MECHANISMS):
            with self.subTest(mechanism):
                peers = Peers(PEERS_ROOT, self.folder / f"peers{number}")
                try:
                    domain = f"company{number}.test"
                    peers.start_dovecot({USER: PASSWORD, f"alice@{domain}": "x"}, mechanisms=mechanism)
                    port = peers.start_postfix(domain)
                    tenant = self.mailhold.add_tenant(domain, domain)
                    self.mailhold.add_auth_route(tenant, "127.0.0.1", port, f"mail.{domain}", peers.certificate, USER, PASSWORD)
                    self.mailhold.wait_for_directory(f"alice@{domain}")
                    message = self.send_ok(letter(f"by {mechanism}", to=f"alice@{domain}"), to=f"alice@{domain}")
                    wait_for("the delivery", lambda: "delivered" in self.events_of(message), 60)
                finally:
                    peers.stop()


if __name__ == "__main__":
    run()
