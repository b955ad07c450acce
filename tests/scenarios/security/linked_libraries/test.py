#!/usr/bin/python3
"""What each program is linked with: message content is parsed in scannerd alone, DNS answers in resolverd alone, so no library for
either stands anywhere else, and a program near keys links what is listed here and nothing more.
"""
import os
import pathlib
import re
import subprocess
import unittest

PROGRAMS = pathlib.Path(os.environ["MAILHOLD_PROGRAMS"])
OF_CONTENT = re.compile(r"lib(gmime|mimetic|vmime|xml2|xslt|expat|pugixml|tinyxml|xerces|gumbo|lexbor|tidy|html|magic|archive|zip|poppler|psl)\b")
OF_DNS = re.compile(r"lib(unbound|ldns|cares|getdns)\b")
EVERYWHERE = {"libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "ld-linux-x86-64.so.2", "linux-vdso.so.1", "libcrypto.so.3", "libseccomp.so.2"}
RECORDS = {"libsqlite3.so.0"}
NEAR_KEYS = {
    "keyd": RECORDS | {"libsodium.so.23", "libboost_json.so.1.81.0"},
    "brokerd": RECORDS | {"libboost_json.so.1.81.0"},
    "ledgerd": {"libboost_json.so.1.81.0"},
    "authd": {"libssl.so.3", "libboost_json.so.1.81.0"},
    "gossipd": {"libssl.so.3"},
    "mailhold-witness": {"libssl.so.3"},
    # Anybody can build and read it: nothing but the C++ library, SHA-256 and Ed25519 of libcrypto, and JSON for what an entry says of an export.
    "mailhold-verify": {"libboost_json.so.1.81.0"},
}


def loaded(program):
    lines = subprocess.run(["ldd", PROGRAMS / program], capture_output=True, text=True, check=True).stdout.splitlines()
    return {pathlib.PurePath(line.split()[0]).name for line in lines if line.strip()}


class LinkedLibraries(unittest.TestCase):
    def test_no_library_that_parses_content_or_dns_is_loaded_outside_its_jail(self):
        for program in ("gatewayd", "linkd", "brokerd", "keyd", "authd", "ledgerd", "apid", "mailhold"):
            for library in loaded(program):
                self.assertIsNone(OF_CONTENT.match(library), f"{program} loads {library}")
                self.assertIsNone(OF_DNS.match(library), f"{program} loads {library}")

    def test_the_jails_are_where_these_libraries_are(self):  # else the test above could not fail
        self.assertTrue(any(OF_CONTENT.match(library) for library in loaded("scannerd")))
        self.assertTrue(any(OF_DNS.match(library) for library in loaded("resolverd")))

    def test_programs_near_keys_load_what_is_listed_and_nothing_more(self):
        for program, listed in NEAR_KEYS.items():
            self.assertEqual(loaded(program) - EVERYWHERE - listed, set(), program)


if __name__ == "__main__":
    unittest.main()
