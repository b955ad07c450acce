#!/usr/bin/python3
"""T11: a token endpoint issues bearer tokens for client assertions; a worker makes ten thousand calls with them. Every request at the
server carries the token; no byte that the worker received does, nor its memory, nor that of any process but the authds that add it.
"""
import json
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
import memory
from connection_world import ConnectionWorld
from https_server import HttpsServer, answer
from needles import Finder, needle
from world import make_certificate, run

HOST = "graph.example.test"
SESSIONS, CALLS = 4, 10_000
MAY_HOLD_IT = {"authd"}


class NoBearerInAWorker(ConnectionWorld):
    @classmethod
    def build(cls):
        cls.tokens, cls.lock = [], threading.Lock()
        certificate, key = make_certificate(cls.folder, HOST)
        cls.server = HttpsServer(certificate, key)
        cls.addClassCleanup(cls.server.stop)
        cls.server.on_request = cls.serve
        cls.dns.set(HOST, "A", "127.0.0.1")
        cls.start_mailhold()
        cls.connection = cls.add_client_key_connection(HOST, cls.server.port, certificate, "GET /v1.0/users/{mailbox}/messages/**", "--items-hour", 1_000_000)

    @classmethod
    def serve(cls, request):
        if request.method != "POST":
            return answer(200, json.dumps({"subject": "a message", "seen": request.target}).encode(), Content_Type="application/json")
        with cls.lock:
            cls.tokens.append(needle("token"))
            return answer(200, json.dumps({"token_type": "Bearer", "access_token": cls.tokens[-1], "expires_in": 3600}).encode(), Content_Type="application/json")

    def test_the_bearer_never_reaches_the_worker(self):
        received = self.folder / "received"
        program = pathlib.Path(__file__).with_name("worker.py")
        worker = subprocess.Popen([sys.executable, program, self.mailhold.folder / "worker/workerd.sock", self.connection, str(SESSIONS), str(CALLS), received],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(worker.communicate)
        self.assertEqual(worker.stdout.readline(), f"done {CALLS}\n")
        self.assertEqual(len(self.tokens), SESSIONS)
        calls = [request for request in self.server.requests if request.method == "GET"]
        self.assertEqual(len(calls), CALLS)
        self.assertEqual({request.fields["authorization"] for request in calls}, {f"Bearer {token}" for token in self.tokens})

        finder = Finder({f"token {number}": token for number, token in enumerate(self.tokens)})
        data = received.read_bytes()
        self.assertEqual(data.count(b'"seen"'), CALLS, "all answers were looked at")
        self.assertEqual(finder.find(data), set())
        scan = memory.scan(worker.pid, finder)
        self.assertEqual((scan.hits, scan.unreadable), (set(), 0))
        holders = set()
        for pid, name in self.processes().items():
            if memory.scan(pid, finder).hits:
                holders.add(name)
        self.assertEqual(holders, MAY_HOLD_IT, "the scanner finds it where it is, and nowhere else")

        # The same look at the same worker finds a token that it does hold.
        worker.stdin.write(self.tokens[0] + "\n")
        worker.stdin.flush()
        self.assertEqual(worker.stdout.readline(), "kept\n")
        self.assertTrue(memory.scan(worker.pid, finder).hits)
        self.assertTrue(finder.find(data + self.tokens[-1].encode()))
        print(f"{CALLS} calls in {SESSIONS} sessions: {len(data)} bytes and {scan.read >> 20} MiB of the worker looked at, no token; the server saw {SESSIONS}", flush=True)


if __name__ == "__main__":
    run()
