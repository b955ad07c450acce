#!/usr/bin/python3
"""HTTP sessions through brokerd and authd against a server that logs what reached it: methods, paths, mailboxes and batches
(T19), caps (T20), redirects and servers that break the protocol; client
assertions with what they must say.
"""
import base64
import hashlib
import json
import pathlib
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from connection_world import ConnectionWorld, Lines
from https_server import HttpsServer, answer
from needles import needle
from world import make_certificate, run, wait_for

HOST = "graph.example.test"
VERBS = ["GET /v1.0/users/{mailbox}/messages", "GET /v1.0/users/{mailbox}/messages/**", "POST /v1.0/$batch", "GET /status"]
DAV = ["PROPFIND /dav/{mailbox}/**", "REPORT /dav/{mailbox}/**", "GET /dav/{mailbox}/**"]


class Http(Lines):
    def do(self, method, target, body=b"", **fields):
        """(status, fields, body); status None when the session is over."""
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        self.send((head + "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode() + body)
        return self.answer()

    def answer(self):
        status = self.line()
        if not status:
            return None, {}, b""
        fields = {}
        while (line := self.line().decode().strip()):
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        if "content-length" in fields:
            return int(status.split()[1]), fields, self.read(int(fields["content-length"]))
        body = b""
        while size := int(self.line() or b"0", 16):
            body += self.read(size)
            self.line()
        self.line()
        return int(status.split()[1]), fields, body


class HttpSessions(ConnectionWorld):
    @classmethod
    def build(cls):
        cls.token = needle("bearer")
        certificate, key = make_certificate(cls.folder, HOST)
        cls.server = HttpsServer(certificate, key)
        cls.addClassCleanup(cls.server.stop)
        cls.certificate = certificate
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.start_mailhold()
        cls.connection = cls.add("bearer", cls.token, VERBS)

    @classmethod
    def add(cls, sign_in, secret, verbs, *words, purposes=("backup.read",), mailboxes=("ann@example.test", "bob@example.test")):
        lists = [word for verb in verbs for word in ("--verb", verb)]
        return cls.add_connection("http", HOST, cls.server.port, "mailhold", secret, purposes, cls.certificate, *lists, *words, sign_in=sign_in, mailboxes=mailboxes)

    def setUp(self):
        self.server.requests.clear()
        self.server.on_request = lambda request: answer()

    def session(self, connection=None, purpose="backup.read"):
        return Http(self.open("http", connection or self.connection, purpose))

    def test_1_what_is_allowed_arrives_with_the_credential(self):
        http = self.session()
        status, _, body = http.do("GET", "/v1.0/users/ann@example.test/messages?$top=5", Authorization="Bearer mine", Cookie="x=y", Accept="application/json")
        self.assertEqual((status, body), (200, b"{}"))
        request = self.server.requests[0]
        self.assertEqual((request.method, request.target), ("GET", "/v1.0/users/ann@example.test/messages?$top=5"))
        self.assertEqual(request.fields["authorization"], f"Bearer {self.token}")
        self.assertEqual(request.fields["host"], f"{HOST}:{self.server.port}")
        self.assertEqual(request.fields["accept"], "application/json")
        self.assertNotIn("cookie", request.fields)
        self.server.on_request = lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=b\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
        status, fields, body = http.do("GET", "/status")
        self.assertEqual((status, body), (200, b"hello world"))
        self.assertNotIn("set-cookie", fields)
        http.close()

    def test_2_T19_what_is_not_allowed_does_not_arrive(self):
        http = self.session()
        for method, target in [("DELETE", "/v1.0/users/ann@example.test/messages/1"), ("GET", "/v1.0/users/eve@example.test/messages"), ("GET", "/v1.0/users"),
                               ("GET", "/v1.0/users/ann@example.test/messages/../../eve@example.test/messages"), ("GET", "/v1.0/users/ann@example.test/messages/..%2f..%2feve"),
                               ("GET", "/v1.0/users/ann@example.test/messages/%2e%2e/x"), ("GET", "/v1.0/users/ann@example.test/messages/..%5c..%5ceve"),
                               ("GET", "/v1.0/users/ann@example.test/messages/%252e%252e/x"), ("GET", "/v1.0//users/ann@example.test/messages"),
                               ("GET", "/v1.0/users/ann@example.test%2f..%2feve@example.test/messages"), ("PATCH", "/v1.0/users/ann@example.test/messages/1"), ("GET", "/v1.0/$batch"),
                               ("POST", "/v1.0/users/ann@example.test/messages"), ("GET", "/STATUS")]:
            self.assertEqual(http.do(method, target)[0], 403, target)
        self.assertEqual(self.server.requests, [])
        http.close()
        for raw in (b"GET /status HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"POST /v1.0/$batch HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    b"GET http://evil.test/status HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /status HTTP/1.1\r\nHost: a\r\n X: y\r\n\r\n"):
            http = self.session()
            http.send(raw)
            self.assertIn(http.answer()[0], (400, 501))
            self.assertTrue(http.is_over())
        self.assertEqual(self.server.requests, [])

    def test_3_T19_every_part_of_a_batch_is_judged(self):
        def batch(*parts, **more):
            return json.dumps({"requests": [{"id": str(number), "method": method, "url": url} | more for number, (method, url) in enumerate(parts)]}).encode()
        good = ("GET", "/users/ann@example.test/messages/1")
        http = self.session()
        for body in (batch(good, ("DELETE", "/users/ann@example.test/messages/1")), batch(good, ("GET", "/users/eve@example.test/messages/1")), batch(("GET", "/$batch")),
                     batch(*[good] * 21), batch(good, headers={"Authorization": "Bearer x"}), b"[]", b"{", batch(("GET", "https://evil.test/users/ann@example.test/messages/1")),
                     batch(("GET", "/users/ann@example.test/messages/..%2f"))):
            self.assertEqual(http.do("POST", "/v1.0/$batch", body, Content_Type="application/json")[0], 403, body)
        self.assertEqual(self.server.requests, [])
        # A name that stands there twice reaches the server once, as it was judged.
        twice = b'{"requests":[{"id":"1","method":"GET","url":"/users/eve@example.test/messages/1","url":"/users/ann@example.test/messages/1"}]}'
        self.assertEqual(http.do("POST", "/v1.0/$batch", twice, Content_Type="application/json")[0], 200)
        self.assertNotIn(b"eve", self.server.requests[0].body)
        http.close()

    def test_4_servers_that_cheat_get_one_clear_end(self):
        for where in ("https://evil.test/x", "//evil.test/x", f"https://{HOST}.evil.test/", "/\\evil.test"):
            self.server.on_request = lambda _, where=where: answer(302, b"", Location=where)
            http = self.session()
            status, _, body = http.do("GET", "/status")
            self.assertEqual((status, b"another host" in body), (502, True), where)
            self.assertTrue(http.is_over())
        self.server.on_request = lambda _: answer(302, b"", Location=f"https://{HOST}:{self.server.port}/elsewhere")
        http = self.session()
        self.assertEqual(http.do("GET", "/status")[1]["location"], "/elsewhere")
        http.close()
        for what, reply in {"two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                            "no HTTP": b"* PREAUTH\r\n\r\n", "endless head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000, "nothing": None}.items():
            self.server.on_request = lambda _, reply=reply: reply
            http = self.session()
            self.assertIsNone(http.do("GET", "/status")[0], what)
            http.close()

    def test_5_T20_mailboxes_and_requests_stop_at_their_number(self):
        scanning = self.add("bearer", self.token, VERBS, "--mailboxes-day", 5, mailboxes=("*",))
        http = self.session(scanning)
        statuses = [http.do("GET", f"/v1.0/users/user{number}@example.test/messages")[0] for number in range(6)]
        self.assertEqual(statuses, [200] * 5 + [429])
        self.assertEqual(len({request.target for request in self.server.requests}), 5)
        self.wait_for_no_session()
        http = self.session(scanning)
        self.assertEqual(http.do("GET", "/v1.0/users/user3@example.test/messages")[0], 200, "one that was reached today")
        http.close()
        self.server.requests.clear()
        counting = self.add("bearer", self.token, VERBS, "--items-hour", 9)
        http = self.session(counting)
        self.assertEqual([http.do("GET", "/status")[0] for _ in range(10)], [200] * 9 + [429])
        self.assertEqual(len(self.server.requests), 9)

    def test_6_calendars_with_basic(self):
        reading = self.add("password", "a dav password", DAV, mailboxes=("ann",))
        http = self.session(reading)
        self.server.on_request = lambda _: answer(207, b"<multistatus/>", Content_Type="application/xml", DAV="1, calendar-access")
        status, fields, _ = http.do("PROPFIND", "/dav/ann/calendar/", b"<propfind/>", Depth="1", Content_Type="application/xml")
        self.assertEqual((status, fields["dav"]), (207, "1, calendar-access"))
        request = self.server.requests[0]
        self.assertEqual(base64.b64decode(request.fields["authorization"].split()[1]), b"mailhold:a dav password")
        self.assertEqual((request.fields["depth"], request.body), ("1", b"<propfind/>"))
        for method, target in (("PUT", "/dav/ann/calendar/1.ics"), ("DELETE", "/dav/ann/calendar/1.ics"), ("PROPFIND", "/dav/eve/"), ("MKCALENDAR", "/dav/ann/x/")):
            self.assertEqual(http.do(method, target, b"")[0], 403)
        self.assertEqual(len(self.server.requests), 1)
        http.close()

    def test_6b_T19_nothing_is_written_over_but_by_an_overwrite_that_was_signed_for(self):
        writing = self.add("password", "a dav password", DAV + ["PUT /dav/{mailbox}/**"], purposes=("backup.read", "restore.write"), mailboxes=("ann",))
        event, put = "/dav/ann/calendar/1.ics", [{"If_None_Match": "*"}, {"If_Match": '"v1"'}]
        never = [{}, {"If_Match": "*"}, {"If_Match": 'W/"v1"'}, {"If_Match": '"v1", "v2"'}, {"If_None_Match": '"v1"'}, {"If_None_Match": '"v0"', "If_Match": '"v1"'},
                 {"If_None_Match": '*\r\nIf-None-Match: "v1"'}, {"If_Match": '"v1"\r\nIf-Match: *'}]
        for more, passing in (({}, put[:1]), ({"overwrite": "true"}, put), ({"overwrite": "true", "dry_run": "true"}, [])):
            http = Http(self.open("http", writing, "restore.write", self.permit(writing, **more)))
            self.server.requests.clear()
            for fields in put + never:
                status, _, _ = http.do("PUT", event, b"x", **fields)
                self.assertEqual(status, 200 if fields in passing else 403, (more, fields))
            self.assertEqual(http.do("DELETE", event, b"", If_Match='"v1"')[0], 403)
            self.assertEqual([request.fields.get("if-match", "") for request in self.server.requests], ["", '"v1"'][:len(passing)])
            http.close()
            self.wait_for_no_session()
        purposes = [each["purpose"] for each in self.events_of_connection(writing) if each["t"] == "use.intent"]
        self.assertEqual(purposes, ["restore.write", "restore.overwrite", "backup.read"])
        self.assertIn("purpose", self.refusal("http", writing, "restore.overwrite"))

    def test_7_a_client_assertion_says_what_it_must(self):
        key, token = self.folder / "client.key", needle("token")
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        key.chmod(0o600)
        thumbprint = hashlib.sha256(b"the certificate").hexdigest()
        made = self.set_connection("--kind", "http", "--host", HOST, "--port", self.server.port, "--tls", "implicit", "--ca", self.certificate, "--sign-in", "assertion", "--user", "client-1",
                                   "--token-host", HOST, "--token-port", self.server.port, "--purpose", "backup.read", "--verb", "GET /status", "--mailbox", "*")
        self.assertEqual(made["custody"], "C2")
        url = f"https://{HOST}:{self.server.port}/tenant/oauth2/v2.0/token"
        self.mailhold.cli("secret", "set", "--connection", made["connection"], "--user", "client-1", "--client-key", key, "--certificate-sha256", thumbprint, "--token-url", url,
                          "--scope", "https://graph.example.test/.default", "--key", self.mailhold.operator)
        self.server.on_request = lambda request: answer(200, json.dumps({"access_token": token, "expires_in": 3600}).encode()) if request.method == "POST" else answer()
        http = self.session(made["connection"])
        self.assertEqual(http.do("GET", "/status")[0], 200)
        http.close()
        asked, used = self.server.requests
        self.assertEqual(used.fields["authorization"], f"Bearer {token}")
        form = {name: values[0] for name, values in urllib.parse.parse_qs(asked.body.decode()).items()}
        self.assertEqual(asked.target, "/tenant/oauth2/v2.0/token")
        self.assertEqual((form["grant_type"], form["client_id"], form["scope"]), ("client_credentials", "client-1", "https://graph.example.test/.default"))
        head, claims, signature = [base64.urlsafe_b64decode(part + "==") for part in form["client_assertion"].split(".")]
        self.assertEqual(json.loads(head), {"alg": "PS256", "typ": "JWT", "x5t#S256": base64.urlsafe_b64encode(bytes.fromhex(thumbprint)).decode().rstrip("=")})
        claims = json.loads(claims)
        self.assertEqual((claims["aud"], claims["iss"], claims["sub"]), (url, "client-1", "client-1"))
        self.assertEqual((claims["exp"] - claims["iat"], claims["nbf"]), (300, claims["iat"]))
        self.assertLess(abs(time.time() - claims["iat"]), 60)
        # jti names the entry of the ledger: keyd computes it from the receipt, brokerd told the same use to the servers.
        leaf = base64.urlsafe_b64decode(claims["jti"] + "==").hex()
        self.assertEqual(len(leaf), 64)
        self.assertEqual({request.fields["client-request-id"].replace("-", "") for request in (asked, used)}, {leaf[:32]})
        signed = form["client_assertion"].rsplit(".", 1)[0].encode()
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import padding
        public = serialization.load_pem_private_key(key.read_bytes(), None).public_key()
        public.verify(signature, signed, padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32), hashes.SHA256())


if __name__ == "__main__":
    run()
