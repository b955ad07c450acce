"""Writes and signs an operation as docs/formats/operation.md says, with nothing of Mailhold's own code: for tests that ask as somebody would who has a
person's key and no command line.
"""
import base64
import hashlib
import os
import pathlib
import struct
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def text(value):
    return struct.pack(">I", len(value.encode())) + value.encode()


def encode(kind, tenant, signer, arguments):
    fields = b"".join(text(name) + text(value) for name, value in sorted(arguments.items()))
    head = text("mailhold-operation-1") + text(kind) + bytes.fromhex(tenant) + bytes.fromhex(signer)
    return head + struct.pack(">Q", time.time_ns() // 1_000_000) + os.urandom(16) + struct.pack(">I", len(arguments)) + fields


def sign(key_file, kind, tenant, arguments):
    """(what operation.apply takes, the operation's SHA-256 in hex)"""
    head, signer, seed = pathlib.Path(key_file).read_text().split()
    assert head == "mailhold-person-key-1", head
    operation = encode(kind, tenant, signer, arguments)
    signature = Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed)).sign(b"mailhold operation signature v1\n" + operation)
    return {"operation": base64.b64encode(operation).decode(), "signature": base64.b64encode(signature).decode()}, hashlib.sha256(operation).hexdigest()
