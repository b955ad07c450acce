"""A copy of the sources in which one defect after the other is planted, with one build folder that stays: what the
defect does not touch is not built again. Shared by `run` here and `canaries/run`.
"""
import contextlib
import filecmp
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(*words, **more):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)


def chosen(folder, names):
    """The patches of the folder in order; with names, those that have one of them in theirs."""
    patches = sorted(folder.glob("*.patch"))
    return [patch for patch in patches if not names or any(name in patch.stem for name in names)]


def head(patch, name):
    return next(line.split(": ", 1)[1] for line in patch.read_text().splitlines() if line.startswith(name + ": "))


class Copy:
    def __init__(self, folder, *options):
        self.tree, self.build = folder / "tree", folder / "build"
        self._refresh()
        compiler = ("-G", "Ninja", "-DCMAKE_CXX_COMPILER=clang++-19", "-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
        made = run("cmake", "-S", self.tree, "-B", self.build, *compiler, *options)
        if made.returncode != 0:
            sys.exit(made.stdout + made.stderr)

    def _refresh(self):
        """Makes the copy the sources again. A file that is the same keeps its time, so that it is not built again."""
        files = set(filter(None, run("git", "-C", ROOT, "ls-files", "-z").stdout.split("\0")))
        for old in [path for path in self.tree.rglob("*") if path.is_file()]:
            if old.relative_to(self.tree).as_posix() not in files:
                old.unlink()
        for name in files:
            source, copy = ROOT / name, self.tree / name
            if copy.is_file() and filecmp.cmp(source, copy, shallow=False):
                continue
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            shutil.copymode(source, copy)

    @contextlib.contextmanager
    def planted(self, patch):
        if run("patch", "-p1", "-i", patch, cwd=self.tree).returncode != 0:
            sys.exit(f"{patch.name} does not fit the sources any more")
        try:
            yield
        finally:
            run("patch", "-R", "-p1", "-i", patch, cwd=self.tree)

    def make(self, *targets):
        """Nothing, or what the compiler said."""
        built = run("ninja", "-C", self.build, *targets)
        return None if built.returncode == 0 else built.stdout[-4000:]
