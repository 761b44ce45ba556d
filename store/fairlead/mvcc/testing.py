"""Databases in memory, for tests and the simulator: all of ``Backend`` but the disk below it.

A ``MemoryDatabases`` is the disk of one machine and outlives the backends that are opened on it.  After its
``crash`` it holds what ``Commit.run`` made durable and nothing else; a backend from before the crash is of no use any
more.  The same contract tests run against this and LMDB.

Keys are held to LMDB's rules: 1 to 511 bytes, and ascending in the table of revisions.
"""

import io
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from google_crc32c import value as crc32c
from sortedcontainers import SortedDict

from fairlead.mvcc.backend import Backend
from fairlead.mvcc.engine import ASCENDING, BucketName, Writes
from fairlead.mvcc.errors import BackendCorruptError, BackendFailedError

KEY_BYTES_MAX = 511
# What a pair takes beside its key and value, and what a database takes beside its pairs.
_PAIR_BYTES = 16
_EMPTY_BYTES = 3 * 4096
_PAIR = struct.Struct(">BHI")  # table, bytes of the key, bytes of the value
_CHECKSUM_BYTES = 4
_NAMES = tuple(BucketName)


class MemoryTable:
    """What is committed of one table; see ``Table``."""

    __slots__ = ("_pairs", "bytes")

    def __init__(self) -> None:
        self._pairs: SortedDict = SortedDict()
        self.bytes = 0

    def get(self, key: bytes) -> bytes | None:
        """See ``Table.get``."""
        found: bytes | None = self._pairs.get(key)
        return found

    def get_many(self, keys: Sequence[bytes]) -> list[bytes]:
        """See ``Table.get_many``."""
        pairs = self._pairs
        return [pairs[key] for key in keys if key in pairs]

    def items(self, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """See ``Table.items``."""
        pairs = self._pairs
        for key in pairs.irange(start):
            yield key, pairs[key]

    @property
    def entries(self) -> int:
        """See ``Table.entries``."""
        return len(self._pairs)

    @property
    def last_key(self) -> bytes:
        """The largest key; empty where there is none."""
        last: bytes = self._pairs.peekitem()[0] if self._pairs else b""
        return last

    def apply(self, writes: Writes) -> None:
        """Take what was made durable."""
        pairs = self._pairs
        for key, value in writes.items():
            old = pairs.get(key)
            if old is not None:
                self.bytes -= _PAIR_BYTES + len(key) + len(old)
            if value is not None:
                pairs[key] = value
                self.bytes += _PAIR_BYTES + len(key) + len(value)
            elif old is not None:
                del pairs[key]


class MemoryDatabase:
    """The durable content of one database.

    Attributes:
        tables: what a reader sees.
        size_bytes: the most it has ever held; like a file, it does not shrink by itself.
    """

    __slots__ = ("_unread", "size_bytes", "tables")

    def __init__(self) -> None:
        self.tables: dict[BucketName, MemoryTable] = {name: MemoryTable() for name in BucketName}
        self.size_bytes = _EMPTY_BYTES
        self._unread: list[Mapping[BucketName, Writes]] = []

    def write(self, writes: Mapping[BucketName, Writes]) -> None:
        """Make a commit durable; readers see it from the next ``refresh`` on."""
        self._unread.append(writes)

    def refresh(self) -> None:
        """Let readers see all that is durable."""
        for writes in self._unread:
            for name, layer in writes.items():
                self.tables[name].apply(layer)
        self._unread.clear()
        self.size_bytes = max(self.size_bytes, self.size_in_use_bytes)

    @property
    def size_in_use_bytes(self) -> int:
        """Size of what it holds."""
        return _EMPTY_BYTES + sum(table.bytes for table in self.tables.values())

    def dump(self) -> bytes:
        """Return the content, with a checksum behind it."""
        parts = [
            part
            for number, name in enumerate(_NAMES)
            for key, value in self.tables[name].items()
            for part in (_PAIR.pack(number, len(key), len(value)), key, value)
        ]
        content = b"".join(parts)
        return content + _checksum(content)

    @classmethod
    def from_dump(cls, path: Path, data: bytes) -> "MemoryDatabase":
        """Return the database that a dump is of, to lie at ``path``."""
        content, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
        if _checksum(content) != checksum:
            raise BackendCorruptError(path, "not a whole dump")
        layers: dict[BucketName, dict[bytes, bytes | None]] = {name: {} for name in BucketName}
        at = 0
        while at < len(content):
            number, key_bytes, value_bytes = _PAIR.unpack_from(content, at)
            key_at = at + _PAIR.size
            value_at = key_at + key_bytes
            at = value_at + value_bytes
            layers[_NAMES[number]][content[key_at:value_at]] = content[value_at:at]
        database = cls()
        database.write(layers)
        database.refresh()
        return database


def _checksum(content: bytes) -> bytes:
    number: int = crc32c(content)
    return number.to_bytes(_CHECKSUM_BYTES, "big")


class MemoryEngine:
    """A ``MemoryDatabase`` that is open; see ``Engine``."""

    def __init__(self, disk: "MemoryDatabases", path: Path) -> None:
        self.path = path
        self._disk = disk
        self._crashes = disk.crashes
        self._database = disk.database(path)
        self._database.refresh()
        self.tables: Mapping[BucketName, MemoryTable] = self._database.tables
        self._is_open = True

    def begin(self, writes: Mapping[BucketName, Writes], *, value_bytes: int) -> Callable[[], None]:
        """See ``Engine.begin``."""
        del value_bytes
        self._step("write")
        for name, layer in writes.items():
            self._check_keys(name, layer)

        def run() -> None:
            self._step("commit")
            self._database.write(writes)

        return run

    def refresh(self) -> None:
        """See ``Engine.refresh``."""
        self._step("read")
        self._database.refresh()

    @property
    def size_bytes(self) -> int:
        """See ``Engine.size_bytes``."""
        return self._database.size_bytes

    @property
    def size_in_use_bytes(self) -> int:
        """See ``Engine.size_in_use_bytes``."""
        return self._database.size_in_use_bytes

    def copy(self, scratch: Path) -> BinaryIO:
        """See ``Engine.copy``; it needs no scratch."""
        del scratch
        self._step("copy")
        self._database.refresh()
        return io.BytesIO(self._database.dump())

    def defragment(self) -> None:
        """See ``Engine.defragment``."""
        self._step("defragment")
        self._database.size_bytes = self._database.size_in_use_bytes

    def moved(self, path: Path) -> None:
        """See ``Engine.moved``."""
        self.path = path

    def close(self) -> None:
        """See ``Engine.close``."""
        self._is_open = False

    def _check_keys(self, name: BucketName, layer: Writes) -> None:
        if any(not 0 < len(key) <= KEY_BYTES_MAX for key in layer):
            raise BackendFailedError(self.path, "write", "unsupported size of a key")
        if name is ASCENDING:
            last = self.tables[name].last_key
            for key, value in layer.items():
                if value is not None:
                    assert key > last, "keys of an ascending bucket must ascend"
                    last = key

    def _step(self, op: str) -> None:
        assert self._is_open, f"{self.path} has been closed"
        assert self._crashes == self._disk.crashes, f"{self.path} was opened before the crash"
        self._disk.step(self.path, op)


class MemoryBackend(Backend):
    """A backend over a ``MemoryDatabases``."""

    def __init__(self, disk: "MemoryDatabases", path: Path) -> None:
        super().__init__(MemoryEngine(disk, path))


class MemoryDatabases:
    """All databases of one machine, by their folders.

    Attributes:
        crashes: how many crashes there were.
    """

    def __init__(self) -> None:
        self.crashes = 0
        self._databases: dict[Path, MemoryDatabase] = {}
        self._failures: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"MemoryDatabases({sorted(map(str, self._databases))}, crashes={self.crashes})"

    # What a test does to it.

    def crash(self) -> None:
        """Stop the machine: commits that have run are there, all open backends are lost."""
        self.crashes += 1
        self._failures.clear()

    def fail_next(self, op: str, why: str = "Input/output error") -> None:
        """Let the next operation of this name fail: write, commit, read, copy, defragment, load."""
        self._failures[op] = why

    def step(self, path: Path, op: str) -> None:
        """Note that an operation is about to happen; fail if that was asked for."""
        if why := self._failures.pop(op, ""):
            raise BackendFailedError(path, op, why)

    # What stands for the file system.  Names are durable at once.

    def open(self, path: Path) -> MemoryBackend:
        """Open the database at ``path``, which is made where it is missing; see ``Backend.open``."""
        return MemoryBackend(self, path)

    def load(self, path: Path, chunks: Iterable[bytes]) -> None:
        """Make a database of a dump; see ``Backend.load``."""
        self.step(path, "load")
        if path in self._databases:
            raise BackendFailedError(path, "load", "it is there")
        self._databases[path] = MemoryDatabase.from_dump(path, b"".join(chunks))

    def exists(self, path: Path) -> bool:
        """Whether there is a database at ``path``."""
        return path in self._databases

    def move(self, old: Path, new: Path) -> None:
        """Rename a folder to a name that is free; an open backend is told by ``Backend.moved``."""
        assert new not in self._databases, f"{new} is there"
        self._databases[new] = self._databases.pop(old)

    def remove(self, path: Path) -> None:
        """Remove a folder; a missing one is no error."""
        self._databases.pop(path, None)

    def database(self, path: Path) -> MemoryDatabase:
        """Return what lies at ``path``, which is made where it is missing."""
        return self._databases.setdefault(path, MemoryDatabase())
