"""Planted text and the forms in which it may turn up: security.md section 8 and appendix A."""
import base64
import ctypes
import os
import re
import zlib

_zstd = ctypes.CDLL("libzstd.so.1")
_zstd.ZSTD_createDStream.restype = ctypes.c_void_p
_zstd.ZSTD_decompressStream.restype = ctypes.c_size_t
_zstd.ZSTD_isError.argtypes = [ctypes.c_size_t]
_zstd.ZSTD_compressBound.argtypes, _zstd.ZSTD_compressBound.restype = [ctypes.c_size_t], ctypes.c_size_t
_zstd.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
_zstd.ZSTD_compress.restype = ctypes.c_size_t
INFLATED_MAX = 4 << 20


def needle(name):
    """Never twice the same, lower case: it survives where letters are folded."""
    return f"n-{name}-{os.urandom(8).hex()}"


def forms(text):
    """{form: bytes} of how the text may be written."""
    raw = text if isinstance(text, bytes) else text.encode()
    made = {"raw": raw, "utf-16le": raw.decode("latin-1").encode("utf-16le"), "utf-16be": raw.decode("latin-1").encode("utf-16be"),
            "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(),
            "quoted-printable": b"".join(b"=%02X" % byte if not (chr(byte).isalnum() and byte < 128) else bytes([byte]) for byte in raw)}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw + b"\0\0")
        # Only the letters that depend on nothing but the needle.
        made[f"base64+{before}"] = encoded[(0, 2, 3)[before]:(before + len(raw)) * 8 // 6]
        made[f"base64url+{before}"] = made[f"base64+{before}"].replace(b"+", b"-").replace(b"/", b"_")
    return made


class Finder:
    """Looks for the forms of many needles: {class: text}."""

    def __init__(self, needles):
        self.patterns = []
        seen = set()
        for name, text in needles.items():
            for form, pattern in forms(text).items():
                if pattern not in seen:
                    seen.add(pattern)
                    self.patterns.append((name, form, pattern))
        self.longest = max(len(pattern) for _, _, pattern in self.patterns)

    def find(self, data):
        """{(class, form)}"""
        return {(name, form) for name, form, pattern in self.patterns if pattern in data}

    def find_deep(self, data):
        """Also behind soft line breaks and inside what is compressed in it."""
        found = self.find(data)
        if b"=\n" in data or b"=\r\n" in data:
            found |= {(name, form + " folded") for name, form in self.find(re.sub(rb"=\r?\n", b"", data))}
        if b"\n" in data:
            found |= {(name, form + " in lines") for name, form in self.find(re.sub(rb"[\r\n]", b"", data))}
        for at in _starts(data, rb"\x28\xb5\x2f\xfd"):
            found |= {(name, form + " in zstd") for name, form in self.find(_unzstd(data[at:at + INFLATED_MAX]))}
        for at in _starts(data, rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]"):
            found |= {(name, form + " in zlib") for name, form in self.find(_inflate(data, at))}
        return found


def _starts(data, magic):
    return [match.start() for match in re.finditer(magic, data)]


def _inflate(data, at):
    """What can be inflated from there on, piece by piece: most beginnings are none, and show it at once."""
    inflating, out = zlib.decompressobj(wbits=47), b""  # 47: zlib or gzip, by its head
    try:
        for begin in range(at, len(data), 4096):
            out += inflating.decompress(data[begin:begin + 4096], INFLATED_MAX - len(out))
            if inflating.eof or len(out) >= INFLATED_MAX:
                break
    except zlib.error:
        pass
    return out


class _Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t)]


_zstd.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Buffer), ctypes.POINTER(_Buffer)]
_zstd.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]


def zstd(data):
    """Compressed, for a control."""
    target = ctypes.create_string_buffer(_zstd.ZSTD_compressBound(len(data)))
    size = _zstd.ZSTD_compress(target, len(target), data, len(data), 3)
    return target.raw[:size]


def _unzstd(data):
    """What can be decompressed from the start on: a frame that is cut short or followed by other bytes counts, too."""
    stream = _zstd.ZSTD_createDStream()
    source = ctypes.create_string_buffer(data, len(data))
    target = ctypes.create_string_buffer(INFLATED_MAX)
    read = _Buffer(ctypes.cast(source, ctypes.c_void_p), len(data), 0)
    written = _Buffer(ctypes.cast(target, ctypes.c_void_p), INFLATED_MAX, 0)
    while read.at < read.size and written.at < written.size:
        before = (read.at, written.at)
        result = _zstd.ZSTD_decompressStream(stream, ctypes.byref(written), ctypes.byref(read))
        if _zstd.ZSTD_isError(result) or result == 0 or (read.at, written.at) == before:
            break
    _zstd.ZSTD_freeDStream(stream)
    return target.raw[:written.at]
