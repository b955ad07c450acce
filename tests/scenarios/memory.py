"""Reads the memory of other processes and looks for needles in it: security.md appendix A."""
import re
import struct
from dataclasses import dataclass, field

CHUNK = 4 << 20
PAGE = 4096
THERE = 3 << 62  # bits of a page in pagemap: present, swapped out
NOT_MEMORY = ("[vvar]", "[vsyscall]", "[vvar_vclock]")


@dataclass
class Scan:
    read: int = 0          # bytes
    unreadable: int = 0    # bytes of mappings the kernel gives to nobody
    hits: set = field(default_factory=set)  # (class, form, mapping)


def scan(pid, finder):
    """Every mapping of the process, its environment and its command line. OSError when it is gone."""
    result = Scan()
    for name in ("environ", "cmdline"):
        with open(f"/proc/{pid}/{name}", "rb") as file:
            _take(result, finder, file.read(), name)
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory, open(f"/proc/{pid}/pagemap", "rb", 0) as pages:
        for line in maps.read().splitlines():
            found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+\s*(.*)", line)
            if found is None or found[4] in NOT_MEMORY:
                continue
            for start, end in _pages_there(pages, int(found[1], 16), int(found[2], 16)):
                _scan_range(result, finder, memory, start, end, found[4] or "anonymous")
    return result


def _pages_there(pages, start, end):
    """Ranges of the mapping that hold anything: the process never touched the other pages, whatever its right to them."""
    pages.seek(start // PAGE * 8)
    count = (end - start) // PAGE
    entries = pages.read(count * 8)
    begun = None
    for index, (entry,) in enumerate(struct.iter_unpack("<Q", entries)):
        if entry & THERE:
            begun = index if begun is None else begun
        elif begun is not None:
            yield start + begun * PAGE, start + index * PAGE
            begun = None
    if begun is not None:
        yield start + begun * PAGE, end


def _scan_range(result, finder, memory, at, end, name):
    kept = b""
    while at < end:
        try:
            memory.seek(at)
            data = memory.read(min(CHUNK, end - at))
        except (OSError, ValueError):
            data = b""
        if not data:
            result.unreadable += end - at
            return
        _take(result, finder, kept + data, name)
        kept = data[-finder.longest:]
        at += len(data)


def _take(result, finder, data, name):
    result.read += len(data)
    if data.count(0) == len(data):
        return
    result.hits |= {(needle, form, name) for needle, form in finder.find(data)}
