"""What T1 looks at: the files of an installation, of temporary folders and logs, and core files, for planted text in every usual writing."""
import os
import pathlib
import re
import time

from needles import Finder

TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm", "/var/log")
SIZE_MAX = 1 << 28


class DiskSearch:
    """Beside a World, which says what was planted as `needles`, {class: text}, and since when as `started`."""
    needles = {}
    own_names = ()  # of the operator's secrets that the test itself wrote beside the data

    def search(self, paths):
        """{(path, class, form)} of all that can be read in the files, how many, and how many bytes."""
        finder = Finder(self.needles)
        found, count, size = set(), 0, 0
        for path in paths:
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            data = re.sub(rb"\0{4096,}", b"\0" * 4096, data)  # what was preallocated
            count, size = count + 1, size + len(data)
            found |= {(str(path), name, form) for name, form in finder.find_deep(data)}
            # Names of files tell as well.
            found |= {(str(path), name, "name of the file") for name, _ in finder.find(str(path).encode())}
        return found, count, size

    def files_of_the_installation(self):
        # Beside the data lie the secrets of the operator, which the test itself wrote.
        own = {self.mailhold.passphrase, self.mailhold.operator, *(self.mailhold.folder / name for name in self.own_names)}
        return [path for path in self.mailhold.folder.rglob("*") if path.is_file() and path not in own]

    def files_of_others(self):
        """What is new in temporary folders and the logs of the system, and core files anywhere near."""
        for folder in TEMPORARY:
            # Others work there too, and take their folders away while this looks.
            for path in (pathlib.Path(inside) / name for inside, _, names in os.walk(folder) for name in names):
                try:
                    if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= self.started and path.stat().st_size < SIZE_MAX:
                        yield path
                except OSError:
                    continue
        for folder in (pathlib.Path("/"), self.mailhold.folder, self.mailhold.data):
            yield from (path for path in folder.glob("core*") if path.is_file())

    def assert_nothing_on_the_disk(self, while_running):
        """Of an installation that was stopped; `while_running`: what was found before."""
        found, count, size = self.search([*self.files_of_the_installation(), *self.files_of_others()])
        print(f"searched {count} files, {size >> 10} KiB, for {len(self.needles)} needles in {len(Finder(self.needles).patterns)} writings", flush=True)
        self.assertGreater(count, 10)
        self.assertEqual(while_running | found, set())

    @classmethod
    def begin(cls):
        cls.started = time.time()
