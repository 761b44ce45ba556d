"""Snapshot files: the state at one entry, ``<term>-<index>.snap``, both of 16 hexadecimal digits.

A header names the entry, the body is whatever the caller streams, a trailer holds the size of the body and
the CRC32-C of all before it.  A file gets its name when it is on disk as a whole.
"""

import contextlib
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from fairlead.wal.disk import Disk, DiskFile, naming_failures, write_all
from fairlead.wal.errors import CorruptError
from fairlead.wal.record import Checkpoint, extend_crc

CHUNK_BYTES = 1 << 20
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.snap")
_HEADER = struct.Struct("<8sQQ")
_MAGIC = b"FLSNAP\x00\x01"
_SIZE = struct.Struct("<Q")
_CRC = struct.Struct("<I")
_TRAILER_BYTES = _SIZE.size + _CRC.size


class NewestSnapshot(NamedTuple):
    """The newest snapshot that is intact, and a warning for each that is not."""

    checkpoint: Checkpoint | None
    path: Path | None
    warnings: list[str]


def save_snapshot(disk: Disk, directory: Path, checkpoint: Checkpoint, chunks: Iterable[bytes]) -> Path:
    """Write a snapshot of the state at ``checkpoint``; it is on disk when this returns.

    Raises:
        DiskFailedError: the disk is full, or worse; there is no snapshot then.
    """
    path = directory / f"{checkpoint.term:016x}-{checkpoint.index:016x}.snap"
    temporary = path.with_name(path.name + ".tmp")
    with naming_failures(path, "save the snapshot"):
        disk.make_directory(directory)
        if temporary.name in disk.list_directory(directory):
            disk.remove(temporary)
        with contextlib.closing(disk.create(temporary)) as file:
            _write(file, _HEADER.pack(_MAGIC, *checkpoint), chunks)
            file.sync()
        disk.rename(temporary, path)
        disk.sync_directory(directory)
    return path


def _write(file: DiskFile, header: bytes, chunks: Iterable[bytes]) -> None:
    write_all(file, header, 0)
    offset, crc = len(header), extend_crc(0, header)
    for chunk in chunks:
        write_all(file, chunk, offset)
        offset += len(chunk)
        crc = extend_crc(crc, chunk)
    size = _SIZE.pack(offset - len(header))
    write_all(file, size + _CRC.pack(extend_crc(crc, size)), offset)


def load_snapshot(
    disk: Disk, path: Path, *, chunk_bytes: int = CHUNK_BYTES, name: str | None = None
) -> Iterator[bytes]:
    """Yield the body in chunks.  It is proved whole when the iteration ends, and not before.

    Args:
        disk: where it is.
        path: the file.
        chunk_bytes: the longest chunk.
        name: the name that the file is going to have; None: it has it.

    Raises:
        CorruptError: the file does not hold what was written.
        DiskFailedError: it cannot be read.
    """
    with naming_failures(path, "read the snapshot"), contextlib.closing(disk.open(path)) as file:
        yield from _read(file, path, name=name or path.name, chunk_bytes=chunk_bytes)


def _read(file: DiskFile, path: Path, *, name: str, chunk_bytes: int) -> Iterator[bytes]:
    header = file.read(0, _HEADER.size)
    match = _NAME.fullmatch(name)
    if match is None or header != _HEADER.pack(_MAGIC, int(match[1], 16), int(match[2], 16)):
        raise CorruptError(path, 0, "the header is not that of a snapshot of this name")
    end = file.size() - _TRAILER_BYTES
    offset, crc = len(header), extend_crc(0, header)
    while offset < end:
        chunk = file.read(offset, min(chunk_bytes, end - offset))
        crc = extend_crc(crc, chunk)
        offset += len(chunk)
        yield chunk
    size = _SIZE.pack(offset - len(header))
    if file.read(offset, _TRAILER_BYTES) != size + _CRC.pack(extend_crc(crc, size)):
        raise CorruptError(path, offset, "the size or the checksum of the snapshot does not match")


def newest(disk: Disk, directory: Path) -> NewestSnapshot:
    """Find the newest intact snapshot; rename those that are broken aside, to ``*.broken``.

    Raises:
        DiskFailedError: the directory or a file cannot be read.
    """
    warnings: list[str] = []
    for checkpoint, path in _by_age(disk, directory):
        try:
            for _ in load_snapshot(disk, path):
                pass
        except CorruptError as error:
            aside = path.with_name(path.name + ".broken")
            with naming_failures(path, "set aside"):
                disk.rename(path, aside)
                disk.sync_directory(directory)
            warnings.append(f"passed over the snapshot {path}: {error.why}; it is now {aside.name}")
        else:
            return NewestSnapshot(checkpoint, path, warnings)
    return NewestSnapshot(None, None, warnings)


def _by_age(disk: Disk, directory: Path) -> list[tuple[Checkpoint, Path]]:
    """List the snapshots, the one that covers most in front."""
    with naming_failures(directory, "read"):
        try:
            names = disk.list_directory(directory)
        except FileNotFoundError:
            return []
    found = [
        (Checkpoint(int(match[1], 16), int(match[2], 16)), directory / name)
        for name in names
        if (match := _NAME.fullmatch(name))
    ]
    return sorted(found, key=lambda pair: (pair[0].index, pair[0].term), reverse=True)
