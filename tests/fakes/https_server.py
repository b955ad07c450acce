"""A small HTTPS server that logs every request that reached it, for tests of what must not reach one. It is as bad as a test
wants it: `on_request` may answer with anything, also with bytes that are no HTTP."""
import ssl

from listening import Listening


class Request:
    def __init__(self, method, target, fields, body):
        self.method, self.target, self.fields, self.body = method, target, fields, body


def answer(status=200, body=b"{}", **fields):
    head = f"HTTP/1.1 {status} Answer\r\nContent-Length: {len(body)}\r\n"
    return (head + "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()) + "\r\n").encode() + body


class HttpsServer(Listening):
    def __init__(self, certificate, key, address="127.0.0.1"):
        self.requests = []
        self.on_request = lambda request: answer()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.listen(address)

    def serve(self, plain):
        try:
            with self.context.wrap_socket(plain, server_side=True) as stream:
                reader = stream.makefile("rb")
                while line := reader.readline():
                    method, target, _ = line.decode("latin-1").split(" ", 2)
                    fields = {}
                    while (field := reader.readline().decode("latin-1").strip()):
                        name, _, value = field.partition(":")
                        fields[name.lower()] = value.strip()
                    request = Request(method, target, fields, reader.read(int(fields.get("content-length", 0))))
                    self.requests.append(request)
                    reply = self.on_request(request)
                    if reply is None:
                        return
                    stream.sendall(reply)
        except (OSError, ValueError):
            return
