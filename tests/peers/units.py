#!/usr/bin/python3
"""The units of packaging/systemd without a running systemd: its own systemd-socket-activate holds the sockets and starts a process for each
connection; this file then puts on that process what the unit says, as far as it can be without systemd: user, network, capabilities, limits,
the filter of system calls. Started so: units.py UNIT PROGRAMS USERS_FIRST ARGUMENT...
"""
import ctypes
import os
import pathlib
import re
import resource
import subprocess
import sys

UNITS = pathlib.Path(__file__).resolve().parents[2] / "packaging/systemd"
USERS_FIRST = 62000  # in mailhold.sysusers.conf
CLONE_NEWNET, CLONE_NEWIPC, CLONE_NEWUTS = 0x40000000, 0x08000000, 0x04000000
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP = 38, 24
SCMP_ACT_ALLOW, SCMP_ACT_ERRNO_EPERM = 0x7FFF0000, 0x00050001


def settings_of(unit):
    """{key: [values]} of a unit and the drop-in for all programs; an empty value empties the list."""
    files = [UNITS / unit] + (sorted((UNITS / "mailhold-@.service.d").glob("*.conf")) if "@" in unit else [])
    found = {}
    for file in files:
        for key, value in re.findall(r"(?m)^(\w+)=(.*)$", file.read_text()):
            found.setdefault(key, []).append(value)
            if not value:
                found[key] = []
    return found


def users(first):
    """{name: user id} as mailhold.sysusers.conf has it, moved to begin at `first`."""
    lines = re.findall(r"(?m)^u (\S+) (\d+)", (UNITS / "mailhold.sysusers.conf").read_text())
    return {name: int(number) - USERS_FIRST + first for name, number in lines}


def calls_of(words):
    """The system calls that SystemCallFilter= lines leave."""
    listed = {}
    for line in subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, check=True).stdout.splitlines():
        if line.startswith("@"):
            group = listed.setdefault(line.strip(), set())
        elif line.startswith("    ") and "#" not in line:
            group.add(line.strip())

    def expand(word):
        return {word} if not word.startswith("@") else {call for each in listed[word] for call in expand(each)}
    allowed = set(expand("@default"))
    for line in words:
        calls = {call for word in line.lstrip("~").split() for call in expand(word)}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def become(unit, user):
    """From here on this process has what the unit gives, and no more."""
    settings, libc = settings_of(unit), ctypes.CDLL(None, use_errno=True)
    namespaces = CLONE_NEWIPC | CLONE_NEWUTS | (CLONE_NEWNET if settings.get("PrivateNetwork") == ["yes"] else 0)
    if libc.unshare(namespaces) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    os.umask(int(settings["UMask"][-1], 8))
    for limit, wanted in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, int(settings["LimitNOFILE"][-1])),
                          (resource.RLIMIT_MEMLOCK, resource.RLIM_INFINITY if "LimitMEMLOCK" in settings else 8 << 20)):
        most = resource.getrlimit(limit)[1]  # a container's root may not raise it
        wanted = most if wanted == resource.RLIM_INFINITY or most != resource.RLIM_INFINITY and wanted > most else wanted
        resource.setrlimit(limit, (wanted, wanted))
    for capability in range(64) if settings["CapabilityBoundingSet"] == [] else ():
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.chdir("/")
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(seccomp.seccomp_init(SCMP_ACT_ERRNO_EPERM))
    for call in os.environ.pop("UNIT_CALLS").split(","):
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            seccomp.seccomp_rule_add(filter_, SCMP_ACT_ALLOW, number, 0)
    if seccomp.seccomp_load(filter_) != 0:
        raise OSError("the filter of system calls could not be put on")


def main():
    unit, programs, first, *arguments = sys.argv[1:]
    settings = settings_of(unit)
    name = settings["User"][-1]
    # DynamicUser: one that nobody else has; systemd picks it by the name of the instance.
    user = int(first) + 1000 + os.getpid() % 1000 if "DynamicUser" in settings else users(int(first))[name]
    command = settings["ExecStart"][-1].split()
    command[0] = str(pathlib.Path(programs) / pathlib.Path(command[0]).name)
    become(unit, user)
    os.execv(command[0], command[:1 if arguments else None] + arguments)


if __name__ == "__main__":
    main()
