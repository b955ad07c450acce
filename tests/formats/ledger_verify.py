#!/usr/bin/python3
"""Verifies the folder of a ledger, from docs/formats/ledger.md alone.

    ledger_verify.py FOLDER KEY       KEY is "origin+0123abcd+base64", as `mailhold ledger status` prints it

Prints "sound: ..." and exits with 0, or the first thing that does not fit and exits with 1.
"""
import base64
import hashlib
import pathlib
import re
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256
NONE = bytes(16)
ZERO = bytes(32)


class Wrong(Exception):
    pass


def wrong(index, what):
    raise Wrong(f"entry {index}: {what}")


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def merkle_root(leaves):
    """RFC 6962 section 2.1, computed level by level: an odd last node moves up as it is."""
    if not leaves:
        return sha256(b"")
    row = list(leaves)
    while len(row) > 1:
        above = [node_hash(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        if len(row) % 2:
            above.append(row[-1])
        row = above
    return row[0]


def parse_key(text):
    name, key_id, encoded = text.split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    if raw[0] != 1 or len(raw) != 33:
        raise Wrong("the key is not an Ed25519 key of a note")
    if sha256(name.encode() + b"\n" + raw)[:4].hex() != key_id:
        raise Wrong("the key does not have the id it says")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(raw[1:])


def checkpoint_text(origin, size, root):
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def open_checkpoint(folder, name, key_id, key):
    note = (folder / "checkpoint").read_bytes()
    text, _, signatures = note.rpartition(b"\n\n")
    text += b"\n"
    verified = False
    for line in signatures.decode().splitlines():
        dash, who, encoded = line.split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if dash == "\u2014" and who == name and raw[:4] == key_id:
            key.verify(raw[4:], text)
            verified = True
    if not verified:
        raise Wrong("the checkpoint is not signed by the key")
    origin, size, root = text.decode().split("\n")[:3]
    if origin != name:
        raise Wrong("the checkpoint is of another log")
    return int(size), base64.b64decode(root, validate=True)


def tile_path(kind, index, width):
    digits = f"{index % 1000:03}"
    index //= 1000
    while index:
        digits = f"x{index % 1000:03}/" + digits
        index //= 1000
    return f"tile/{kind}/{digits}" + (f".p/{width}" if width < WIDTH else "")


def read_tile(folder, kind, index, width, first_entry):
    path = folder / tile_path(kind, index, width)
    if not path.exists():
        path = folder / tile_path(kind, index, WIDTH)
    if not path.exists():
        wrong(first_entry, f"missing: {tile_path(kind, index, width)}")
    return path.read_bytes()


def rows_of(count):
    """Index and width of the tiles that hold `count` things."""
    return [(i, min(WIDTH, count - i * WIDTH)) for i in range((count + WIDTH - 1) // WIDTH)]


def read_bundles(folder, size):
    """All entries below the checkpoint, each against the hash in its tile."""
    entries = []
    for index, width in rows_of(size):
        bundle = read_tile(folder, "entries", index, width, index * WIDTH)
        hashes = read_tile(folder, 0, index, width, index * WIDTH)
        at = 0
        for i in range(width):
            if at + 2 > len(bundle):
                wrong(index * WIDTH + i, "missing in its bundle")
            (length,) = struct.unpack_from(">H", bundle, at)
            entry = bundle[at + 2:at + 2 + length]
            if len(entry) != length:
                wrong(index * WIDTH + i, "cut short in its bundle")
            if leaf_hash(entry) != hashes[32 * i:32 * i + 32]:
                wrong(index * WIDTH + i, "does not have the hash in its tile")
            entries.append(entry)
            at += 2 + length
        if width == WIDTH and at != len(bundle):
            wrong(index * WIDTH + width - 1, "followed by bytes that are no entry")
    return entries


def check_tiles(folder, leaves):
    """Levels above 0: each hash is the root of a full tile below."""
    row, level, each = leaves, 0, 1
    while len(row) >= WIDTH:
        row = [merkle_root(row[i:i + WIDTH]) for i in range(0, len(row) - WIDTH + 1, WIDTH)]
        level, each = level + 1, each * WIDTH
        for index, width in rows_of(len(row)):
            found = read_tile(folder, level, index, width, index * WIDTH * each)
            for i in range(width):
                if found[32 * i:32 * i + 32] != row[index * WIDTH + i]:
                    wrong((index * WIDTH + i) * each, f"its hash in tile level {level} is wrong")


def is_torn(journal, at, length):
    """The file ends within the batch, or a block of 512 bytes of it never reached the disk."""
    if length is None or at + length > len(journal):
        return True
    block = (at + 511) // 512 * 512
    return any(journal[i:i + 512] == bytes(512) for i in range(block, at + length - 511, 512))


def read_journals(folder):
    """The batches: (first index, entries, root, signature)."""
    paths = sorted(p for p in (folder / "journal").iterdir() if re.fullmatch(r"\d{19}", p.name))
    if not paths:
        raise Wrong("the journal is missing")
    batches = []
    end = int(paths[0].name)
    for path in paths:
        journal = path.read_bytes()
        if int(path.name) != end:
            wrong(end, "missing between journals")
        at = 0
        while at < len(journal):
            length = struct.unpack_from(">I", journal, at + 4)[0] if at + 8 <= len(journal) else None
            if path == paths[-1] and is_torn(journal, at, length):
                return int(paths[0].name), end, batches
            batch = journal[at:at + length]
            if batch[:4] != b"MLB1" or len(batch) != length or length < 28 + 96:
                wrong(end, "the journal is damaged")
            first, count, _ = struct.unpack_from(">QIQ", batch, 8)
            if first != end or not 1 <= count <= 1024:
                wrong(end, "the journal does not go on here")
            entries, inside = [], 28
            for _ in range(count):
                (size,) = struct.unpack_from(">H", batch, inside)
                entries.append(batch[inside + 2:inside + 2 + size])
                inside += 2 + size
            if inside + 96 != length:
                wrong(end, "the journal is damaged")
            batches.append((first, entries, batch[inside:inside + 32], batch[inside + 32:]))
            end += count
            at += length
    return int(paths[0].name), end, batches


class Chain:
    def __init__(self):
        self.seq, self.leaf, self.index = 0, ZERO, None

    def take(self, index, seq, previous, leaf, whose):
        if seq != self.seq + 1:
            wrong(index, f"number in its {whose}'s chain is wrong")
        if previous != self.leaf:
            wrong(index if self.index is None else self.index, f"differs from what the {whose}'s next entry was chained to")
        self.seq, self.leaf, self.index = seq, leaf, index


def check_chains(entries, leaves):
    tenants, connections, last_at, heads = {}, {}, 0, 0
    for index, (entry, leaf) in enumerate(zip(entries, leaves)):
        if entry[:2] == b"\x01\x01" and len(entry) >= 2 + 16 + 16 + 8 + 8 + 32 + 8 + 32 + 32 + 28:
            tenant, connection, at, seq, previous, connection_seq, connection_previous, _ = struct.unpack_from(
                ">16s16sQQ32sQ32s32s", entry, 2)
            if tenant == NONE:
                wrong(index, "has no tenant")
            tenants.setdefault(tenant, Chain()).take(index, seq, previous, leaf, "tenant")
            if connection != NONE:
                connections.setdefault((tenant, connection), Chain()).take(
                    index, connection_seq, connection_previous, leaf, "connection")
            elif connection_seq != 0:
                wrong(index, "numbered in a connection it does not have")
        elif entry[:2] == b"\x01\x02" and len(entry) == 2 + 8 + 8 + 32:
            at, count, root = struct.unpack_from(">QQ32s", entry, 2)
            rows = [leaf_hash(t + struct.pack(">Q", c.seq) + c.leaf) for t, c in sorted(tenants.items())]
            if count != len(rows) or root != merkle_root(rows):
                wrong(index, "heads are not those of the entries before")
            heads += 1
        else:
            wrong(index, "of an unknown kind or length")
        if at < last_at:
            wrong(index, "older than the one before")
        last_at = at
    return len(tenants), heads


def verify(folder, key_text):
    name, key_id, key = parse_key(key_text)
    size, root = open_checkpoint(folder, name, key_id, key)
    entries = read_bundles(folder, size)
    leaves = [leaf_hash(entry) for entry in entries]
    check_tiles(folder, leaves)
    first, end, batches = read_journals(folder)
    if first > size or end < size:
        wrong(min(end, size), "missing between checkpoint and journal")
    for batch_first, batch_entries, _, _ in batches:
        for index, entry in enumerate(batch_entries, batch_first):
            if index < size and entries[index] != entry:
                wrong(index, "differs from the journal")
            if index >= size:
                entries.append(entry)
                leaves.append(leaf_hash(entry))
    tenants, heads = check_chains(entries, leaves)
    if merkle_root(leaves[:size]) != root:
        raise Wrong("the entries do not lead to the root of the checkpoint")
    for batch_first, batch_entries, batch_root, signature in batches:
        batch_end = batch_first + len(batch_entries)
        if merkle_root(leaves[:batch_end]) != batch_root:
            wrong(batch_first, "its batch has another root")
        key.verify(signature, checkpoint_text(name, batch_end, batch_root))
    return f"sound: {len(entries)} entries, {size} in the checkpoint, {tenants} tenants, {heads} heads"


def main():
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    try:
        print(verify(pathlib.Path(sys.argv[1]), sys.argv[2]))
        return 0
    except (Wrong, InvalidSignature, ValueError, OSError, struct.error) as reason:
        print(reason if isinstance(reason, Wrong) else f"wrong: {reason or type(reason).__name__}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
