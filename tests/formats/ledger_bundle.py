#!/usr/bin/python3
"""Verifies a tenant's bundle, or the cosignatures of a checkpoint, from docs/formats/ledger.md alone.

    ledger_bundle.py FILE KEY TENANT [--witness KEY]... [--needed N] [--seen CHECKPOINT]
    ledger_bundle.py --note CHECKPOINT KEY - [--witness KEY]... [--needed N]

Prints "sound: ..." and exits with 0, or the first thing that does not fit and exits with 1.
"""
import argparse
import base64
import pathlib
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ledger_verify import NONE, ZERO, Wrong, leaf_hash, node_hash, parse_key, sha256, wrong


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def raw(self, count):
        piece = self.data[self.at:self.at + count]
        if len(piece) != count:
            raise Wrong("cut short")
        self.at += count
        return piece

    def u32(self):
        return struct.unpack(">I", self.raw(4))[0]

    def u64(self):
        return struct.unpack(">Q", self.raw(8))[0]

    def text(self):
        return self.raw(self.u32())

    def path(self):
        count = self.u32()
        if count > 128:
            raise Wrong("a path is too long")
        return [self.raw(32) for _ in range(count)]

    def end(self):
        if self.at != len(self.data):
            raise Wrong("bytes follow that do not belong there")


def largest_power_below(size):
    power = 1
    while power * 2 < size:
        power *= 2
    return power


def root_by_inclusion(leaf, index, size, path):
    """RFC 6962 section 2.1.1, as the definition of PATH reads backwards."""
    if index >= size:
        raise Wrong("an index is beyond the tree")
    if size == 1:
        if path:
            raise Wrong("an inclusion proof is too long")
        return leaf
    if not path:
        raise Wrong("an inclusion proof is too short")
    half = largest_power_below(size)
    if index < half:
        return node_hash(root_by_inclusion(leaf, index, half, path[:-1]), path[-1])
    return node_hash(path[-1], root_by_inclusion(leaf, index - half, size - half, path[:-1]))


def roots_by_consistency(old, size, proof, old_root, is_whole=True):
    """RFC 6962 section 2.1.2, SUBPROOF read backwards: (old root, new root) that the proof leads to."""
    if old == size:
        if is_whole:
            if proof:
                raise Wrong("a consistency proof is too long")
            return old_root, old_root
        if len(proof) != 1:
            raise Wrong("a consistency proof has a wrong length")
        return proof[0], proof[0]
    if not proof:
        raise Wrong("a consistency proof is too short")
    half = largest_power_below(size)
    if old <= half:
        before, after = roots_by_consistency(old, half, proof[:-1], old_root, is_whole)
        return before, node_hash(after, proof[-1])
    before, after = roots_by_consistency(old - half, size - half, proof[:-1], old_root, False)
    return node_hash(proof[-1], before), node_hash(proof[-1], after)


def note_parts(note):
    text, _, lines = note.rpartition(b"\n\n")
    signatures = []
    for line in lines.decode().splitlines():
        dash, name, encoded = line.split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if dash == "\u2014":
            signatures.append((name, raw[:4], raw[4:]))
    return text + b"\n", signatures


def open_note(note, key_text):
    name, key_id, key = parse_key(key_text)
    text, signatures = note_parts(note)
    ours = [signature for who, which, signature in signatures if (who, which) == (name, key_id)]
    if not ours:
        raise Wrong("the checkpoint is not signed by the key")
    for signature in ours:
        key.verify(signature, text)
    origin, size, root = text.decode().split("\n")[:3]
    if origin != name:
        raise Wrong("the checkpoint is of another log")
    return int(size), base64.b64decode(root, validate=True)


def cosigned_by(note, witness):
    """The witness key is name+id+base64 with type byte 4."""
    name, key_id, encoded = witness.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    if raw[0] != 4 or sha256(name.encode() + b"\n" + raw)[:4].hex() != key_id:
        raise Wrong("not the key of a witness")
    key = Ed25519PublicKey.from_public_bytes(raw[1:])
    text, signatures = note_parts(note)
    for who, which, signature in signatures:
        if who == name and which.hex() == key_id:
            (time,) = struct.unpack_from(">Q", signature)
            try:
                key.verify(signature[8:], b"cosignature/v1\ntime %d\n" % time + text)
                return True
            except InvalidSignature:
                return False
    return False


def check_witnesses(note, witnesses, needed):
    count = sum(cosigned_by(note, witness) for witness in witnesses)
    if count < needed:
        raise Wrong(f"cosigned by {count}, {needed} are needed")
    return count


class Chain:
    def __init__(self):
        self.seq, self.leaf = 0, ZERO


def check_record(number, reader, tenant, size, root, chains, last):
    index, entry, path = reader.u64(), reader.text(), reader.path()
    if entry[:2] != b"\x01\x01":
        wrong(number, "is no event")
    whose, connection, at, seq, previous, connection_seq, connection_previous, _ = struct.unpack_from(">16s16sQQ32sQ32s32s", entry, 2)
    leaf, chain = leaf_hash(entry), chains.setdefault(NONE, Chain())
    if whose != tenant or seq != number or seq != chain.seq + 1:
        wrong(number, "is not the one that must stand here")
    if previous != chain.leaf:
        wrong(number, "is not chained to the one before")
    chain.seq, chain.leaf = seq, leaf
    if connection != NONE:
        own = chains.setdefault(connection, Chain())
        if connection_seq != own.seq + 1 or connection_previous != own.leaf:
            wrong(number, "is not chained to the one of its connection before")
        own.seq, own.leaf = connection_seq, leaf
    if last and (index <= last[0] or at < last[1]):
        wrong(number, "goes back")
    if root_by_inclusion(leaf, index, size, path) != root:
        wrong(number, "is not in the log")
    return index, at


def check_growth(old_size, growth, size, root, seen):
    if seen is None:
        return
    seen_size, seen_root = seen
    if size < seen_size:
        raise Wrong("rolled back")
    if old_size != seen_size:
        raise Wrong("does not show that it grew from what was seen")
    if roots_by_consistency(seen_size, size, growth, seen_root) != (seen_root, root):
        raise Wrong("does not continue what was seen")


def verify(data, key, tenant, witnesses, needed, seen):
    reader = Reader(data)
    if reader.raw(4) != b"MLE1":
        raise Wrong("is no bundle")
    first, old_size, growth = reader.u64(), reader.u64(), reader.path()
    head = Reader(reader.text())
    if head.raw(16) != tenant:
        raise Wrong("of another tenant")
    last_seq, last_leaf, place, place_path = head.u64(), head.raw(32), head.u64(), head.path()
    heads_index, heads_entry, heads_path, note = head.u64(), head.text(), head.path(), head.text()
    head.end()
    size, root = open_note(note, key)
    if heads_entry[:2] != b"\x01\x02" or len(heads_entry) != 50:
        raise Wrong("has no heads entry")
    _, count, heads_root = struct.unpack_from(">QQ32s", heads_entry, 2)
    row = leaf_hash(tenant + struct.pack(">Q", last_seq) + last_leaf)
    if root_by_inclusion(row, place, count, place_path) != heads_root:
        raise Wrong("its head is not among the heads")
    if heads_index + 1 != size or root_by_inclusion(leaf_hash(heads_entry), heads_index, size, heads_path) != root:
        raise Wrong("its heads entry is not the last of the log")
    cosigned = check_witnesses(note, witnesses, needed)
    check_growth(old_size, growth, size, root, open_note(seen, key) if seen else None)
    if first != 1:
        raise Wrong("does not begin with the first entry")
    chains, last = {}, None
    for number in range(1, last_seq + 1):
        last = check_record(number, reader, tenant, size, root, chains, last)
    reader.end()
    if chains[NONE].leaf != last_leaf:
        wrong(last_seq, "is not the newest one that the heads entry names")
    return f"sound: {last_seq} entries, {len(chains) - 1} connections, log of {size}, {cosigned} witnesses"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=pathlib.Path)
    parser.add_argument("key")
    parser.add_argument("tenant")
    parser.add_argument("--note", action="store_true")
    parser.add_argument("--witness", action="append", default=[])
    parser.add_argument("--needed", type=int, default=0)
    parser.add_argument("--seen", type=pathlib.Path)
    given = parser.parse_args()
    try:
        data = given.file.read_bytes()
        if given.note:
            size, _ = open_note(data, given.key)
            print(f"sound: log of {size}, {check_witnesses(data, given.witness, given.needed)} witnesses")
        else:
            seen = given.seen.read_bytes() if given.seen else None
            print(verify(data, given.key, bytes.fromhex(given.tenant), given.witness, given.needed, seen))
        return 0
    except (Wrong, InvalidSignature, ValueError, OSError, struct.error) as reason:
        print(reason if isinstance(reason, Wrong) else f"wrong: {reason or type(reason).__name__}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
