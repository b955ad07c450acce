"""A DNS server on 127.0.0.1 that knows what a test tells it and nothing else: no question leaves the machine."""
import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class DnsServer:
    def __init__(self, records=None):
        """`records`: {("mail.example.test", "A"): ["127.0.0.1"]}; names are compared without case."""
        self._lock = threading.Lock()
        self._records = {}
        self.asked = []  # (name, type) in order
        self.changed = threading.Condition(self._lock)
        self._held = {}  # name -> questions that wait for release()
        for (name, kind), values in (records or {}).items():
            self.set(name, kind, *values)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._stopped = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def set(self, name, kind, *values):
        """From now on; a TTL of zero, so that nobody remembers what was true before. A value may be a function, called each time."""
        with self._lock:
            self._records[(name.lower().rstrip("."), kind)] = list(values)

    def hold(self, name):
        """Questions about the name are not answered until release()."""
        with self._lock:
            self._held[name.lower()] = []

    def release(self, name):
        with self._lock:
            waiting = self._held.pop(name.lower(), [])
        for packet, client in waiting:
            self._socket.sendto(self._answer(packet)[0], client)

    def wait_until_asked(self, name, seconds=30):
        with self.changed:
            if not self.changed.wait_for(lambda: any(asked == name.lower() for asked, _ in self.asked), seconds):
                raise TimeoutError(f"nobody asked for {name} in {seconds} s")

    def was_asked(self, name):
        with self._lock:
            return any(asked == name.lower() for asked, _ in self.asked)

    def stop(self):
        self._stopped = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(5)
        self._socket.close()

    def _serve(self):
        while not self._stopped:
            packet, client = self._socket.recvfrom(65535)
            if not packet:
                continue
            try:
                answer, name = self._answer(packet)
                with self._lock:
                    self.asked.append(name)
                    self.changed.notify_all()
                    if name[0] in self._held:
                        self._held[name[0]].append((packet, client))
                        continue
                self._socket.sendto(answer, client)
            except Exception:  # a packet that is no question gets no answer
                continue

    def _answer(self, packet):
        query = dns.message.from_wire(packet)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA | dns.flags.RA
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        with self._lock:
            known = any(each == name or each.endswith("." + name) for each, _ in self._records)
            values = [value() if callable(value) else value for value in self._records.get((name, kind), [])]
        if not known:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif values:
            answer.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *values))
        return answer.to_wire(), (name, kind)
