"""Reads what `strace -f -ttt -T -y -xx -o FILE` wrote: the system calls with their times, their files and their bytes."""
import re
import signal
import subprocess
from dataclasses import dataclass

from world import wait_for

LINE = re.compile(r"(\d+) +(\d+\.\d+) (.*)", re.S)
START = re.compile(r"(\w+)\((.*)", re.S)
RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(.*)", re.S)
END = re.compile(r"(.*)\) += (-?\d+|\?|0x[0-9a-f]+)(?:<((?:\\x[0-9a-f]{2}|[^>])*)>)?(?: [A-Z]+ \([^)]*\))?(?: \([^)]*\))?(?: <([0-9.]+)>)?$", re.S)
DESCRIPTOR = re.compile(r"(-?\d+|AT_FDCWD)<((?:\\x[0-9a-f]{2}|[^>])*)>")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


@dataclass
class Call:
    process: int
    name: str
    text: str        # its arguments as strace writes them
    result: int
    begin: float
    end: float       # seconds since 1970
    made: str = ""   # the path of the descriptor it returned

    @property
    def path(self):
        """Of the descriptor that is its first argument."""
        found = DESCRIPTOR.match(self.text)
        return plain(found[2]) if found else ""

    @property
    def strings(self):
        found = []
        for text, cut in STRING.findall(self.text):
            if cut:
                raise ValueError(f"strace cut the bytes of a {self.name}; it needs a larger -s")
            found.append(bytes.fromhex(text.replace("\\x", "")))
        return found

    @property
    def bytes(self):
        return b"".join(self.strings)

    @property
    def numbers(self):
        """What stands behind the last string or descriptor, such as the offset of a pwrite."""
        return [int(word) for word in re.findall(r"(?<![\w.\\])-?\d+(?![\w<])", re.split(r'["\]>]', self.text)[-1])]


def plain(text):
    path = bytes.fromhex(text.replace("\\x", "")).decode() if text.startswith("\\x") else text
    return path.removesuffix(" (deleted)")


def read(path):
    """All calls that came to an end, by the time they ended."""
    begun, calls = {}, []
    with open(path) as file:
        for line in file:
            found = LINE.match(line.rstrip("\n"))
            if found is None:
                continue
            process, at, rest = int(found[1]), float(found[2]), found[3]
            resumed = RESUMED.match(rest)
            if resumed:
                if process not in begun:
                    continue
                name, text, begin = begun.pop(process)
                end = END.match(text + resumed[2])
                finished = at
            else:
                start = START.match(rest)
                if start is None:
                    continue
                name, text, begin = start[1], start[2], at
                if text.endswith(" <unfinished ...>"):
                    begun[process] = (name, text.removesuffix(" <unfinished ...>"), begin)
                    continue
                end = END.match(text)
                finished = at + float(end[4] or 0) if end else at
            if end is None or end[2] == "?":
                continue  # it never returned
            calls.append(Call(process, name, end[1], int(end[2], 0), begin, finished, plain(end[3]) if end[3] else ""))
    return sorted(calls, key=lambda call: call.end)


class Strace:
    """strace on running processes until stop()."""

    def __init__(self, output, pids, *options):
        self.output = output
        words = ["strace", "-f", "-ttt", "-T", "-y", "-xx", "-o", output, *options]
        for pid in pids:
            words += ["-p", str(pid)]
        self.errors = open(f"{output}.errors", "w+")
        self.process = subprocess.Popen(words, stderr=self.errors, start_new_session=True)

        def attached():
            with open(f"{output}.errors") as errors:
                return errors.read().count("attached") >= len(pids)
        wait_for("strace", attached)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:  # it waits itself, for a call that it delays in a process that is gone
                self.process.kill()
                self.process.wait()
        self.errors.close()

    def calls(self):
        return read(self.output)
