"""Prints the scenarios of an openspf YAML suite as lines that spf_suite_test.cpp reads; every text in hex.

scenario NAME | record NAME TYPE VALUE PREFERENCE | timeout NAME | test NAME HELO HOST MAILFROM RESULTS EXPLANATION
"""
import sys
import yaml


def hexed(value):
    return (str(value).encode("latin-1", "replace") if not isinstance(value, bytes) else value).hex() or "-"


def print_records(name, entries):
    has_txt = any(isinstance(entry, dict) and "TXT" in entry for entry in entries)
    for entry in entries:
        if entry == "TIMEOUT":
            print("timeout", hexed(name))
            continue
        for kind, value in entry.items():
            if value == "NONE" or (kind == "SPF" and has_txt):
                continue  # type 99 is gone (RFC 7208 section 3.1): the suite means it as TXT where it gives no TXT
            preference = 0
            if kind == "MX":
                preference, value = value
            if isinstance(value, list):
                value = "".join(value)
            print("record", hexed(name), "TXT" if kind == "SPF" else kind, hexed(value), preference)


for document in yaml.safe_load_all(open(sys.argv[1], encoding="utf-8")):
    print("scenario", hexed(document.get("description") or document.get("comment") or ""))
    for name, entries in (document.get("zonedata") or {}).items():
        print_records(name, entries)
    for name, test in document["tests"].items():
        results = test["result"] if isinstance(test["result"], list) else [test["result"]]
        print("test", hexed(name), hexed(test["helo"]), test["host"], hexed(test["mailfrom"]),
              ",".join(str(result).lower() for result in results), hexed(test.get("explanation", "")))
