#!/usr/bin/python3
"""Holds the sources to words: what may not stand in them, and what to use instead."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 600
# (pattern, where it is allowed, what to do instead)
BANS = [
    (r"\bstd::async\b", (), "a thread with a home of its own"),
    (r"::poll\(", ("src/platform/net/", "src/platform/records/", "bench/"), "net::wait_until"),
    (r"\bsystem\(", ("_test.cpp",), "nothing runs a shell"),
    (r"#include <openssl/", ("src/platform/crypto/", "src/platform/net/", "bench/", "_test.cpp"), "platform/crypto or platform/net"),
    (r"#include <sqlite3.h>|#include <libpq-fe.h>", ("src/platform/records/", "src/core/keys/", "src/features/search/sqlite_handle.h"), "platform/records"),
    (r"#include <unbound.h>", ("src/platform/dns/",), "platform/dns"),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", (), "finish it or say in docs/status.md what is missing"),
    (r"\brand\(\)|\bstd::mt19937\b", ("_test.cpp", "bench/", "tests/"), "base/random.h"),
    (r"\bstd::regex\b", ("_test.cpp",), "a parser"),
]


def main():
    problems = []
    names = subprocess.run(["git", "-C", str(ROOT), "ls-files", "*.cpp", "*.h", "*.py"], capture_output=True, text=True, check=True).stdout.split()
    for name in names:
        lines = (ROOT / name).read_text().splitlines()
        if len(lines) > FILE_LINES_MAX:
            problems.append(f"{name}: {len(lines)} lines; more than {FILE_LINES_MAX} are two files")
        if not name.startswith(("src/", "bench/")):
            continue
        for number, line in enumerate(lines, 1):
            for pattern, allowed, instead in BANS:
                if re.search(pattern, line) and not any(part in name for part in allowed):
                    problems.append(f"{name}:{number}: {pattern} -> {instead}")
    print("\n".join(problems) or f"text: {len(names)} files, nothing banned")
    return 1 if problems else 0


sys.exit(main())
