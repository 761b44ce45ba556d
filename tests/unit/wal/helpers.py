"""What the tests of the log share."""

from pathlib import Path

from fairlead.wal import Disk, Entry, Recovered, Wal
from fairlead.wal.testing import MemoryDisk

HOME = Path("/data/wal")
SEGMENT_BYTES = 4096


def entry(index: int, *, term: int = 1, size: int = 20) -> Entry:
    """An entry whose bytes say which it is, none of them zero."""
    return Entry(term, index, (f"{term}.{index}!".encode() * size)[:size])


def entries(first: int, last: int, *, term: int = 1, size: int = 20) -> list[Entry]:
    return [entry(index, term=term, size=size) for index in range(first, last + 1)]


def create(disk: Disk) -> Wal:
    return Wal.create(disk, HOME, b"member 1", segment_bytes=SEGMENT_BYTES)


def reopen(disk: Disk) -> tuple[Wal, Recovered]:
    return Wal.open(disk, HOME, segment_bytes=SEGMENT_BYTES)


def segments(disk: Disk) -> list[Path]:
    return [HOME / name for name in disk.list_directory(HOME) if name.endswith(".wal")]


def written_bytes(disk: MemoryDisk, path: Path) -> bytes:
    """The content of a segment, without the zeros at its end."""
    file = disk.open(path)
    return file.read(0, file.size()).rstrip(b"\0")
