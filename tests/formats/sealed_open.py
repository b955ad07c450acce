#!/usr/bin/python3
"""Opens test vectors of docs/formats/sealed.md with nothing of ours: written from the document alone.

    sealed_open.py FILE...

A vector is a run of lines "name = value" that begins with "vector = row|compact|box"; other lines are skipped, so the
document itself can be given. Each vector must open, and must not open after any of several changes. Prints how many did;
exit code 1 if one did not behave.
"""
import struct
import sys

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CHUNK, TAG = 16384, 16


class Refused(Exception):
    pass


def prefixed(text):
    return struct.pack(">I", len(text)) + text


def context_of(v):
    return (b"ctx1" + prefixed(v["region"].encode()) + prefixed(bytes.fromhex(v["tenant"])) + struct.pack(">H", int(v["kind"]))
            + prefixed(bytes.fromhex(v["object"])) + struct.pack(">HQ", int(v["field"]), int(v["version"]))
            + prefixed(bytes.fromhex(v["key_id"])) + struct.pack(">I", int(v["key_version"])) + prefixed(bytes.fromhex(v["extra"])))


def open_compact(key, context, message):
    if len(message) < 56:
        raise Refused("too short")
    salt, commitment, chunks = message[:24], message[24:56], message[56:]
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = HKDFExpand(hashes.SHA512(), 76, info).derive(key)
    if derived[44:] != commitment:
        raise Refused("commitment")
    aead, nonce = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big")
    plaintext, index = b"", 0
    while True:
        chunk, chunks = chunks[:CHUNK + TAG], chunks[CHUNK + TAG:]
        if len(chunk) < TAG:
            raise Refused("truncated")
        try:
            plaintext += aead.decrypt((nonce ^ index).to_bytes(12, "big"), chunk, None)
        except InvalidTag:
            raise Refused("chunk %d" % index)
        if len(chunk) < CHUNK + TAG:
            if chunks:
                raise Refused("more after the last chunk")
            return plaintext
        index += 1


def open_row(key, v, context, row):
    header = b"CB01\x01" + bytes.fromhex(v["key_id"]) + struct.pack(">IQ", int(v["key_version"]), int(v["version"]))
    if row[:33] != header:
        raise Refused("header")
    return open_compact(key, context, row[33:])


def open_box(private, context, box):
    if box[:4] != b"CX01":
        raise Refused("magic")
    own, ephemeral = X25519PrivateKey.from_private_bytes(private), box[4:36]
    public = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    shared = own.exchange(X25519PublicKey.from_public_bytes(ephemeral))
    key = HKDF(hashes.SHA512(), 32, ephemeral + public, b"mailhold sealed box 1").derive(shared)
    return open_compact(key, context, box[36:])


def opened(v, sealed, context):
    key = bytes.fromhex(v["key"])
    if v["vector"] == "row":
        return open_row(key, v, context, sealed)
    if v["vector"] == "compact":
        return open_compact(key, context, sealed)
    return open_box(key, context, sealed)


def is_refused(v, sealed, context):
    try:
        opened(v, sealed, context)
    except (Refused, ValueError):
        return True
    return False


def check(v):
    context, sealed = context_of(v), bytes.fromhex(v["sealed"])
    if context.hex() != v["context"]:
        return "context differs"
    try:
        plaintext = opened(v, sealed, context)
    except Refused as refused:
        return "refused: %s" % refused
    if plaintext.hex() != v["plaintext"]:
        return "plaintext differs"
    changed = bytearray(sealed)
    changed[-1] ^= 1
    for what, bad in (("last bit", bytes(changed)), ("cut", sealed[:-1]), ("longer", sealed + b"\0")):
        if not is_refused(v, bad, context):
            return "opens with another " + what
    if not is_refused(v, sealed, context + b"\0"):
        return "opens in another context"
    return None


def vectors(path):
    current = {}
    for line in open(path, encoding="utf-8"):
        name, equals, value = line.strip().partition(" =")
        if not equals:
            if current:
                yield current
            current = {}
        elif name == "vector" or current:
            current[name] = value.strip()
    if current:
        yield current


def main(paths):
    count, wrong = 0, 0
    for path in paths:
        for v in vectors(path):
            count += 1
            problem = check(v)
            if problem:
                wrong += 1
                print("%s: vector %d (%s): %s" % (path, count, v["vector"], problem))
    print("vectors sealed opened=%d of %d" % (count - wrong, count))
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
