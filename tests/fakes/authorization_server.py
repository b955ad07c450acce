"""An authorization server that a test holds in its hand: a token endpoint over TLS that takes client assertions (RFC 7523) and is as
bad as a test wants it, and the introspection (RFC 7662) by which a mail server asks whether a token is good. It keeps every request.

    server = AuthorizationServer(certificate, key, client_id, client_key_file, thumbprint);   server.url, server.introspection_url
    server.refuses = answer(401, ...)      instead of a token
    server.tokens["..."] = {"username": "ann@example.test", "active": True}
"""
import base64
import http.server
import json
import secrets
import threading
import time
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from https_server import HttpsServer, answer

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SECONDS_MAX = 300  # that an assertion may live


def decoded(part):
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class AuthorizationServer:
    def __init__(self, certificate, key, host, client_id, client_key, thumbprint, user):
        self.host, self.client_id, self.thumbprint, self.user = host, client_id, thumbprint, user
        self.public_key = serialization.load_pem_private_key(client_key.read_bytes(), None).public_key()
        self.refuses = None       # the bytes of an answer, instead of a token
        self.active = True        # what introspection says of tokens given from now on
        self.tokens, self.assertions, self.seen, self.introspections = {}, [], set(), 0
        self.endpoint = HttpsServer(certificate, key)
        self.endpoint.on_request = self._token
        self.url = f"https://{host}:{self.endpoint.port}/tenant/oauth2/v2.0/token"
        self.introspection = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.introspection_url = f"http://127.0.0.1:{self.introspection.server_address[1]}/introspect"
        threading.Thread(target=self.introspection.serve_forever, daemon=True).start()

    def stop(self):
        self.endpoint.stop()
        self.introspection.shutdown()
        self.introspection.server_close()

    @property
    def requests(self):
        return self.endpoint.requests

    def _token(self, request):
        if self.refuses is not None:
            return self.refuses
        form = {name: values[0] for name, values in urllib.parse.parse_qs(request.body.decode()).items()}
        wrong = self._what_is_wrong(request, form)
        if wrong:
            return answer(401, json.dumps({"error": "invalid_client", "error_description": wrong}).encode())
        token = secrets.token_urlsafe(1200)  # as long as real ones
        self.tokens[token] = {"active": self.active, "username": self.user}
        return answer(200, json.dumps({"token_type": "Bearer", "expires_in": 3599, "access_token": token}).encode(), Content_Type="application/json")

    def _what_is_wrong(self, request, form):
        """As Entra ID judges an assertion; None when nothing is."""
        if (request.method, form.get("grant_type"), form.get("client_assertion_type"), form.get("client_id")) != ("POST", "client_credentials", JWT_BEARER, self.client_id):
            return "the form"
        signed, _, signature = form["client_assertion"].rpartition(".")
        head, claims = (json.loads(decoded(part)) for part in signed.split("."))
        self.assertions.append((head, claims))
        try:
            self.public_key.verify(decoded(signature), signed.encode(), padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32), hashes.SHA256())
        except InvalidSignature:
            return "the signature"
        if decoded(head["x5t#S256"]) != self.thumbprint:
            return "the certificate"
        if (claims["iss"], claims["sub"], claims["aud"]) != (self.client_id, self.client_id, self.url):
            return "iss, sub or aud"
        if not claims["nbf"] - 60 <= time.time() < claims["exp"] or claims["exp"] - claims["nbf"] > SECONDS_MAX:
            return "its time"
        if claims["jti"] in self.seen:
            return "a replay"
        self.seen.add(claims["jti"])
        return None

    def _handler(server):  # noqa: N805 - the handler's own self is another
        class Introspection(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                server.introspections += 1
                known = server.tokens.get(form.get("token", [""])[0], {"active": False})
                body = json.dumps(known if known["active"] else {"active": False}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass
        return Introspection
