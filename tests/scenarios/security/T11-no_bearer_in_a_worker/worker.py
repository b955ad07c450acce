"""A worker as far as T11 goes: opens sessions of a connection through the session_worker and makes calls over them, several at a
time. It keeps what it received in memory and in a file, byte for byte, and stays until its input ends.

  worker.py SOCKET CONNECTION SESSIONS CALLS FILE        prints "done" and the number of good answers; a line on its input is kept
"""
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
from connection_world import Lines, WorkerSocket

REQUEST = b"GET /v1.0/users/ann@example.test/messages/%d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"


class Recorded:
    """A socket that notes every byte that came out of it."""

    def __init__(self, session):
        self.session, self.received = session, []

    def settimeout(self, seconds):
        self.session.settimeout(seconds)

    def sendall(self, data):
        self.session.sendall(data)

    def recv(self, count):
        data = self.session.recv(count)
        self.received.append(data)
        return data


def call(lines, number):
    lines.send(REQUEST % number)
    status = lines.line()
    length = 0
    while line := lines.line().strip():
        name, _, value = line.lower().partition(b":")
        length = int(value) if name == b"content-length" else length
    lines.read(length)
    return status.split()[1:2] == [b"200"]


def main():
    path, connection, sessions, calls, file = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    worker = WorkerSocket(path)
    recorded, good = [], []
    for _ in range(sessions):
        session, answer = worker.ask("http", connection, "backup.read")
        if session is None:
            sys.exit(f"no session: {answer}")
        recorded.append(Recorded(session))

    def work(session):
        lines = Lines(session)
        good.append(sum(call(lines, number) for number in range(calls // sessions)))
    threads = [threading.Thread(target=work, args=(session,)) for session in recorded]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pathlib.Path(file).write_bytes(b"".join(data for session in recorded for data in session.received))
    print("done", sum(good), flush=True)
    kept = []
    for line in sys.stdin:
        kept.append(line)
        print("kept", flush=True)


if __name__ == "__main__":
    main()
