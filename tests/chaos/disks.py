"""Disks that are small, slow, stuck or broken, each under one real member.

The small one is a tmpfs in a mount namespace; the others are a library that stands between the member and the
fsync of its C library (``sync_fault.c``), compiled when a test needs it.
"""

import errno
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.spaces import Space
from tests.support.store import FairleadStore

_SOURCE = Path(__file__).with_name("sync_fault.c")
_CHUNK = bytes(1 << 16)


class NoCompilerError(Exception):
    """The library cannot be made here."""


def compiled(folder: Path) -> Path:
    """Compile the library into ``folder`` and return its path.

    Raises:
        NoCompilerError: there is no C compiler, or it has no headers.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise NoCompilerError("not installed: gcc (apt-get install gcc libc6-dev)")
    library = folder / "sync_fault.so"
    words = [
        compiler,
        "-shared",
        "-fPIC",
        "-O1",
        "-Wall",
        "-Werror",
        "-o",
        str(library),
        str(_SOURCE),
        "-ldl",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoCompilerError(f"{compiler} does not compile {_SOURCE.name}: {done.stderr.strip()[:500]}")
    return library


class FaultyStore(FairleadStore):
    """A member whose fsync does what it is told to.

    Args:
        library: as `compiled` returned it.
    """

    def __init__(self, directory: Path, *, flags: Sequence[str] = (), library: Path) -> None:
        super().__init__(directory, flags=flags)
        self._control = directory / "sync-fault"
        self.program.env |= {"LD_PRELOAD": str(library), "SYNC_FAULT": str(self._control)}

    @contextmanager
    def slow(self, delay_ms: int) -> Iterator[None]:
        """Make every fsync late, until the end of the block."""
        with self._told(f"delay {delay_ms}"):
            yield

    @contextmanager
    def stuck(self) -> Iterator[None]:
        """Let no fsync come to an end, until the end of the block."""
        with self._told("hang"):
            yield

    def fail_next_sync(self, part: str) -> None:
        """Let the next fsync of a file with ``part`` in its path fail; those after it are well."""
        self._tell(f"fail {part}")

    @contextmanager
    def _told(self, line: str) -> Iterator[None]:
        self._tell(line)
        try:
            yield
        finally:
            self._control.unlink()

    def _tell(self, line: str) -> None:
        # In one step: the member reads it at any time.
        new = self._control.with_suffix(".new")
        new.write_text(line)
        new.rename(self._control)


def mount_disk(space: Space, directory: Path, *, size_bytes: int) -> None:
    """Put a disk in memory where ``directory`` is, for those in the namespace.

    Raises:
        SpaceError: that is not allowed here.
    """
    space.run("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "fairlead-chaos", str(directory))


class SmallDiskStore(FairleadStore):
    """A member whose folder is a disk of its own.

    Args:
        space: a mount namespace; the disk is in it, and gone with it.
        size_bytes: of the disk.
    """

    def __init__(self, directory: Path, *, flags: Sequence[str] = (), space: Space, size_bytes: int) -> None:
        self._space = space
        super().__init__(directory, flags=flags)
        mount_disk(space, directory, size_bytes=size_bytes)
        self._ballast = Path(f"/proc/{space.pid}/root{directory.resolve()}") / "ballast"

    def command(self) -> list[str]:
        """The command, run where the disk is."""
        return [*self._space.enter, *super().command()]

    def fill(self) -> None:
        """Leave no byte free."""
        with self._ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(_CHUNK)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def make_space(self) -> None:
        """Take away what `fill` has put there."""
        self._ballast.unlink()
