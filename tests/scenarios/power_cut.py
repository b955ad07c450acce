"""What a disk would hold after a power cut: rebuilt from the system calls that strace saw, with nothing that was not synced.

The model is the strict one of POSIX. Bytes count when an fsync, fdatasync or syncfs that began after them has ended well. A new
name, a rename and a removal count when their folder was synced after them. Folders are taken as there.
"""
import os
import pathlib
import re
import shutil

from strace_log import DESCRIPTOR, plain

CALLS = ("openat", "open", "creat", "write", "pwrite64", "writev", "pwritev", "pwritev2", "lseek", "ftruncate", "fallocate", "fsync", "fdatasync", "syncfs", "sync",
         "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat", "copy_file_range")
ADDS = ("write", "writev")


class File:
    def __init__(self):
        self.pending = []        # (when it ended, change)
        self.durable = bytearray()
        self.length = 0          # with all that is pending
        self.place = {}          # path as the writer knows it -> where its next write goes

    def change(self, at, kind, offset, data=b"", size=0):
        self.pending.append((at, kind, offset, data, size))
        self.length = {"write": max(self.length, offset + len(data)), "grow": max(self.length, offset + size), "cut": size}[kind]

    def sync(self, before):
        rest = []
        for change in self.pending:
            if change[0] > before:
                rest.append(change)
                continue
            _, kind, offset, data, size = change
            end = size if kind == "cut" else offset + (len(data) if kind == "write" else size)
            if len(self.durable) < end:
                self.durable.extend(bytes(end - len(self.durable)))
            if kind == "write":
                self.durable[offset:end] = data
            elif kind == "cut":
                del self.durable[size:]
        self.pending = rest


class Disk:
    def __init__(self, root):
        self.root = str(root)
        self.live = {}      # path -> File
        self.durable = {}   # the same, as the folders on the disk have it
        self.names = []     # (when it ended, folder, path, File or None)
        self.places = {}    # path -> where the next plain write goes

    def take(self, calls):
        for call in sorted(calls, key=lambda call: call.begin if call.name.endswith("sync") or call.name == "syncfs" else call.end):
            if call.result >= 0 and call.name in CALLS:
                self._take(call)

    def _ours(self, path):
        return path.startswith(self.root + "/") and not path.endswith("-shm")

    def _take(self, call):
        name = call.name
        if name in ("openat", "open", "creat"):
            return self._open(call)
        if name.startswith("rename") or name.startswith("link"):
            old, new = self._paths(call)
            if self._ours(old) or self._ours(new):
                file = self.live[old]
                self._name(call.end, new, file)
                if name.startswith("rename"):
                    self._name(call.end, old, None)
            return None
        if name.startswith("unlink"):
            path, = self._paths(call)
            return self._name(call.end, path, None) if self._ours(path) and path in self.live else None
        if name in ("syncfs", "sync"):
            for file in set(self.live.values()):
                file.sync(call.begin)
            return self._sync_names(call.begin, None)
        path = call.path
        if name in ("fsync", "fdatasync"):
            if path in self.live:
                self.live[path].sync(call.begin)
            return self._sync_names(call.begin, path) if name == "fsync" else None
        if not self._ours(path):
            return None
        if path not in self.live:
            return None  # a file that was removed and is still open
        return self._change(call, path, self.live[path])

    def _change(self, call, path, file):
        name = call.name
        if name == "lseek":
            self.places[path] = call.result
        elif name in ADDS:
            at = file.length if self.places.get(path) == "end" else self.places.get(path, 0)
            file.change(call.end, "write", at, call.bytes[:call.result])
            if self.places.get(path) != "end":
                self.places[path] = at + call.result
        elif name.startswith("pwrite"):
            offset = call.numbers[-2] if name == "pwritev2" else call.numbers[-1]
            file.change(call.end, "write", offset, call.bytes[:call.result])
        elif name == "ftruncate":
            file.change(call.end, "cut", 0, size=call.numbers[-1])
        elif name == "fallocate":
            offset, size = call.numbers[-2:]
            file.change(call.end, "grow", offset, size=size)
        elif name == "copy_file_range":
            raise ValueError("the model does not know copy_file_range")

    def _open(self, call):
        path = call.made
        if not self._ours(path) or "O_DIRECTORY" in call.text:
            return
        if "O_CREAT" in call.text and path not in self.live:
            self._name(call.end, path, File())
        if path in self.live:
            self.places[path] = "end" if "O_APPEND" in call.text else 0
            if "O_TRUNC" in call.text and self.live[path].length > 0:
                self.live[path].change(call.end, "cut", 0, size=0)

    def _name(self, at, path, file):
        if file is None:
            self.live.pop(path, None)
        else:
            self.live[path] = file
        self.names.append((at, os.path.dirname(path), path, file))

    def _sync_names(self, before, folder):
        rest = []
        for change in self.names:
            at, where, path, file = change
            if at > before or (folder is not None and where != folder):
                rest.append(change)
            elif file is None:
                self.durable.pop(path, None)
            else:
                self.durable[path] = file
        self.names = rest

    def _paths(self, call):
        """The paths a call names, each relative to the folder that stands before it."""
        folders = [plain(found[1]) for found in DESCRIPTOR.findall(call.text)]
        paths = [text.decode() for text in call.strings]
        return [path if path.startswith("/") else os.path.join(folders[min(number, len(folders) - 1)] if folders else "/", path) for number, path in enumerate(paths)]

    def write_to(self, target, like):
        """Makes the folder `target` as it would be found; owners and modes as in `like`, which is the folder as it really is."""
        for folder, _, _ in os.walk(like):
            made = pathlib.Path(target) / os.path.relpath(folder, like)
            made.mkdir(parents=True, exist_ok=True)
            shutil.copystat(folder, made)
            os.chown(made, os.stat(folder).st_uid, os.stat(folder).st_gid)
        lost = 0
        for path, file in self.durable.items():
            relative = os.path.relpath(path, self.root)
            made, real = pathlib.Path(target) / relative, pathlib.Path(like) / relative
            made.write_bytes(file.durable)
            lost += sum(len(data) for _, _, _, data, _ in file.pending)
            model = os.stat(real if real.exists() else made.parent)
            os.chown(made, model.st_uid, model.st_gid)
            os.chmod(made, model.st_mode & 0o666 if real.exists() else 0o600)
        return len(self.durable), lost


def assert_known(calls, root):
    """No call changed a file of the folder in a way that the model does not see."""
    for call in calls:
        if call.name == "mmap" and re.search(r"PROT_WRITE.*MAP_SHARED", call.text):
            paths = [plain(path) for _, path in DESCRIPTOR.findall(call.text)]
            if any(path.startswith(str(root) + "/") and not path.endswith("-shm") for path in paths):
                raise AssertionError(f"{paths} is written through memory")
