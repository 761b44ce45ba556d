"""A disk in memory that keeps no more promises than a real one.

It passes the contract tests of `OsDisk`.  On top of that it can lose power (`MemoryDisk.crash`), after
which each sector that was not synced holds, by seeded chance, what it held at some moment since the last
sync, and each directory has made any of its unsynced changes.  It can rot, fill
up, stop writes short, fail any operation, and stop the program at any step.
"""

import errno
import os
import random
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from fairlead.wal.disk import SECTOR_BYTES, DiskFile


class PowerCutError(Exception):
    """The step at which a test wanted the power to fail has come; call `MemoryDisk.crash` next."""


@dataclass(slots=True, eq=False)
class _Inode:
    """A file's content: as the platter has it, as the program sees it, and what a sector may hold between."""

    durable: bytearray = field(default_factory=bytearray)
    volatile: bytearray = field(default_factory=bytearray)
    unsynced: dict[int, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def write(self, data: bytes, offset: int) -> None:
        end = offset + len(data)
        if end > len(self.volatile):
            self.volatile.extend(bytes(end - len(self.volatile)))
        self.volatile[offset:end] = data
        for start in range(offset - offset % SECTOR_BYTES, end, SECTOR_BYTES):
            self.unsynced[start].append(bytes(self.volatile[start : start + SECTOR_BYTES]))

    def sync(self) -> None:
        self.durable.extend(bytes(max(0, len(self.volatile) - len(self.durable))))
        for start in self.unsynced:
            self.durable[start : start + SECTOR_BYTES] = self.volatile[start : start + SECTOR_BYTES]
        self.unsynced.clear()

    def crash(self, rng: random.Random) -> None:
        if len(self.volatile) > len(self.durable) and rng.random() < 0.5:
            self.durable.extend(bytes(len(self.volatile) - len(self.durable)))
        for start, versions in self.unsynced.items():
            survivor = rng.choice([None, *versions])
            if survivor is not None:
                room = max(0, len(self.durable) - start)
                self.durable[start : start + SECTOR_BYTES] = survivor[:room]
        self.unsynced.clear()
        self.volatile = bytearray(self.durable)


@dataclass(frozen=True, slots=True)
class _Change:
    """One change of a directory: names that go, and a name that comes."""

    goes: Path | None
    comes: Path | None
    inode: _Inode

    def apply(self, names: dict[Path, _Inode]) -> None:
        if self.goes is not None:
            names.pop(self.goes, None)
        if self.comes is not None:
            names[self.comes] = self.inode


class MemoryFile:
    """An open file of a `MemoryDisk`; of no use after a crash."""

    def __init__(self, disk: "MemoryDisk", path: Path, inode: _Inode) -> None:
        self._disk = disk
        self._path = path
        self._inode = inode
        self._crashes = disk.crashes

    def size(self) -> int:
        """See `DiskFile.size`."""
        return len(self._inode.volatile)

    def data_size(self) -> int:
        """See `DiskFile.data_size`."""
        return len(self._inode.volatile)

    def read(self, offset: int, size_max: int) -> bytes:
        """See `DiskFile.read`."""
        self._step("read")
        return bytes(self._inode.volatile[offset : offset + size_max])

    def write(self, data: bytes, offset: int) -> int:
        """See `DiskFile.write`."""
        self._step("write")
        room = len(self._inode.volatile) - offset + self._disk.bytes_free()
        written = min(len(data), room, self._disk.write_bytes_max)
        if data and written <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._inode.write(data[:written], offset)
        return written

    def preallocate(self, size: int) -> None:
        """See `DiskFile.preallocate`."""
        self._step("preallocate")
        wanted = size - len(self._inode.volatile)
        if wanted > self._disk.bytes_free():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._inode.volatile.extend(bytes(max(0, wanted)))

    def sync(self) -> None:
        """See `DiskFile.sync`.  One that fails drops what it should have written, as Linux does."""
        try:
            self._step("sync")
        except OSError:
            self._inode.unsynced.clear()
            raise
        self._inode.sync()

    def close(self) -> None:
        """See `DiskFile.close`."""

    def _step(self, op: str) -> None:
        assert self._crashes == self._disk.crashes, f"{self._path} was opened before the crash"
        self._disk.step(op)


class MemoryDisk:
    """A whole file system in memory.

    Attributes:
        bytes_max: the disk is full beyond this.
        write_bytes_max: no single write takes more.
        power_cut_at_step: `PowerCutError` in place of this step, counted from 0; None for never.
        steps: how many operations there were.
        crashes: how many crashes there were.
        log: the operations since the disk was made or last crashed, by name.
    """

    def __init__(self, seed: int = 0) -> None:
        self.bytes_max = 1 << 40
        self.write_bytes_max = 1 << 40
        self.power_cut_at_step: int | None = None
        self.steps = 0
        self.crashes = 0
        self.log: list[str] = []
        self._rng = random.Random(seed)  # noqa: S311  # chance that must be repeatable, not secret
        self._names: dict[Path, _Inode] = {}
        self._durable_names: dict[Path, _Inode] = {}
        self._unsynced: dict[Path, list[_Change]] = defaultdict(list)
        self._directories: set[Path] = set()
        self._failures: dict[str, int] = {}

    # What a test does to it.

    def crash(self) -> None:
        """Lose power: what was not synced is there, torn or gone; all open files are lost."""
        self.crashes += 1
        self.power_cut_at_step = None
        self._failures.clear()
        self.log.clear()
        for inode in {
            id(inode): inode for inode in (*self._names.values(), *self._durable_names.values())
        }.values():
            inode.crash(self._rng)
        for changes in self._unsynced.values():
            for change in changes:
                if self._rng.random() < 0.5:
                    change.apply(self._durable_names)
        self._unsynced.clear()
        self._names = dict(self._durable_names)

    def rot(self, path: Path, offset: int, mask: int = 0xFF) -> None:
        """Flip the bits of ``mask`` in one byte of a file, on the platter and in memory."""
        inode = self._names[path]
        for content in (inode.durable, inode.volatile):
            content[offset] ^= mask

    def fail_next(self, op: str, number: int = errno.EIO) -> None:
        """Let the next operation of this name fail with this ``errno``."""
        self._failures[op] = number

    def bytes_free(self) -> int:
        """Return how much room is left."""
        return self.bytes_max - sum(len(inode.volatile) for inode in self._names.values())

    def step(self, op: str) -> None:
        """Note that an operation is about to happen; fail or stop if that was asked for."""
        if self.steps == self.power_cut_at_step:
            raise PowerCutError(f"step {self.steps}: {op}")
        self.steps += 1
        self.log.append(op)
        if number := self._failures.pop(op, 0):
            raise OSError(number, os.strerror(number))

    # What it has to do as a disk.

    def make_directory(self, path: Path) -> None:
        """See `Disk.make_directory`."""
        self.step("make_directory")
        self._directories.update((path, *path.parents))

    def list_directory(self, path: Path) -> list[str]:
        """See `Disk.list_directory`."""
        self._known_directory(path)
        return sorted(name.name for name in self._names if name.parent == path)

    def sync_directory(self, path: Path) -> None:
        """See `Disk.sync_directory`."""
        self._known_directory(path)
        self.step("sync_directory")
        for change in self._unsynced.pop(path, []):
            change.apply(self._durable_names)

    def create(self, path: Path) -> DiskFile:
        """See `Disk.create`."""
        self._known_directory(path.parent)
        self.step("create")
        if path in self._names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        inode = _Inode()
        self._change(path.parent, _Change(None, path, inode))
        return MemoryFile(self, path, inode)

    def open(self, path: Path) -> DiskFile:
        """See `Disk.open`."""
        self.step("open")
        return MemoryFile(self, path, self._known(path))

    def rename(self, old: Path, new: Path) -> None:
        """See `Disk.rename`."""
        assert old.parent == new.parent, "only within a directory"
        self.step("rename")
        self._change(old.parent, _Change(old, new, self._known(old)))

    def remove(self, path: Path) -> None:
        """See `Disk.remove`."""
        self.step("remove")
        self._change(path.parent, _Change(path, None, self._known(path)))

    def _change(self, directory: Path, change: _Change) -> None:
        self._unsynced[directory].append(change)
        change.apply(self._names)

    def _known(self, path: Path) -> _Inode:
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self._names[path]

    def _known_directory(self, path: Path) -> None:
        if path not in self._directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
