"""A name server for unbound_resolver_test.cpp, by dnspython: answers from one zone on a free port of 127.0.0.1.

Prints the port and a DNSKEY record, then serves UDP (cut at 1232 bytes with TC) and TCP until its standard input closes.
Positive answers are signed with that key; absences are not.
"""
import os
import socket
import struct
import sys
import threading

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ed25519

zone = dns.zone.from_text(open(sys.argv[1], encoding="ascii").read(), origin="example.test.", relativize=False)

private_key = ed25519.Ed25519PrivateKey.generate()
dnskey = dns.dnssec.make_dnskey(private_key.public_key(), "ED25519", flags=257)
dnskey_rrset = dns.rrset.from_rdata(zone.origin, 60, dnskey)


def signed(rrset):
    rrsig = dns.dnssec.sign(rrset, private_key, zone.origin, dnskey, lifetime=3600)
    return [rrset, dns.rrset.from_rdata(rrset.name, rrset.ttl, rrsig)]


def answer(packet):
    query = dns.message.from_wire(packet)
    reply = dns.message.make_response(query)
    reply.flags |= dns.flags.AA
    name, kind = query.question[0].name, query.question[0].rdtype
    if name == zone.origin and kind == dns.rdatatype.DNSKEY:
        reply.answer.extend(signed(dnskey_rrset))
        return reply
    for _ in range(8):
        node = zone.get_node(name)
        if node is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
            break
        alias = zone.get_rrset(name, dns.rdatatype.CNAME)
        found = zone.get_rrset(name, kind) or alias
        if found is None:
            break
        reply.answer.extend(signed(found))
        if alias is None or found is not alias:
            break
        name = alias[0].target
    if not reply.answer:
        reply.authority.append(zone.get_rrset(zone.origin, dns.rdatatype.SOA))
    return reply


def serve_udp(listener):
    while True:
        packet, client = listener.recvfrom(65535)
        reply = answer(packet)
        wire = reply.to_wire(max_size=65535)
        if len(wire) > 1232:
            reply.answer.clear()
            reply.flags |= dns.flags.TC
            wire = reply.to_wire()
        listener.sendto(wire, client)


def serve_tcp(listener):
    while True:
        client, _ = listener.accept()
        with client:
            head = client.recv(2)
            if len(head) < 2:
                continue
            packet = b""
            while len(packet) < struct.unpack("!H", head)[0]:
                packet += client.recv(65535)
            wire = answer(packet).to_wire(max_size=65535)
            client.sendall(struct.pack("!H", len(wire)) + wire)


def main():
    tcp = socket.create_server(("127.0.0.1", 0))
    port = tcp.getsockname()[1]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    print(port)
    print(zone.origin, "60 IN DNSKEY", dnskey, flush=True)
    for serve, listener in ((serve_udp, udp), (serve_tcp, tcp)):
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
    sys.stdin.read()
    os._exit(0)


main()
