"""Backup files: what ``etcdctl snapshot save`` writes when it asks this store.

Blocks of 512 bytes and a checksum, since etcd's clients take nothing else for a snapshot::

    header      one block: a line of JSON, then zeros
    database    a dump of the database at one commit, and zeros up to a whole block
    checksum    SHA-256 of all before it, 32 bytes

The content is the store's own: ``etcdutl`` cannot read it, ``fairlead store restore`` and ``status`` can.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from fairlead.member.errors import BackupError

BLOCK_BYTES = 512
CHECKSUM_BYTES = 32
_FORMAT = "fairlead backup 1"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupHeader:
    """What a backup says of itself.

    Attributes:
        database_bytes: size of the dump.
        revision: of the store when it was made, for people.
    """

    database_bytes: int
    revision: int

    @property
    def padding_bytes(self) -> int:
        """Zeros behind the dump."""
        return -self.database_bytes % BLOCK_BYTES

    @property
    def content_bytes(self) -> int:
        """Everything but the checksum."""
        return BLOCK_BYTES + self.database_bytes + self.padding_bytes

    def encode(self) -> bytes:
        """Return the first block."""
        fields = {"format": _FORMAT, "database_bytes": self.database_bytes, "revision": self.revision}
        return (json.dumps(fields) + "\n").encode().ljust(BLOCK_BYTES, b"\0")

    @classmethod
    def decode(cls, block: bytes) -> "BackupHeader":
        """The inverse of ``encode``.

        Raises:
            ValueError: the block begins no backup of ours.
        """
        fields = json.loads(block.partition(b"\n")[0])
        if not isinstance(fields, dict) or fields.get("format") != _FORMAT:
            raise ValueError("another format")
        header = cls(database_bytes=fields["database_bytes"], revision=fields["revision"])
        if header.encode() != block:
            raise ValueError("not as it was written")
        return header


class BackupReader:
    """Reads a dump as the content of a backup, with the checksum at its end.

    Args:
        dump: from its beginning; closed by ``close``.
        revision: of the store.
    """

    def __init__(self, dump: BinaryIO, *, revision: int) -> None:
        database_bytes = dump.seek(0, 2)
        dump.seek(0)
        self._dump = dump
        self._header = BackupHeader(database_bytes=database_bytes, revision=revision)
        self._sha256 = hashlib.sha256()
        self.remaining_bytes = self._header.content_bytes
        """What has not been read, without the checksum."""

    def read(self, bytes_max: int) -> bytes:
        """Return the next bytes of the content, empty at its end; may run in a thread."""
        wanted = min(bytes_max, self.remaining_bytes)
        is_beginning = self.remaining_bytes == self._header.content_bytes
        data = self._header.encode() if is_beginning else b""
        data += self._dump.read(max(0, wanted - len(data)))
        data = data.ljust(wanted, b"\0")
        self.remaining_bytes -= len(data)
        self._sha256.update(data)
        return data

    @property
    def checksum(self) -> bytes:
        """SHA-256 of what has been read."""
        return self._sha256.digest()

    def close(self) -> None:
        """Let go of the dump."""
        self._dump.close()


def check_backup(path: Path, *, skip_hash: bool = False) -> BackupHeader:
    """Read a backup file from end to end; return what it says of itself once it is proved whole.

    Args:
        path: the file.
        skip_hash: believe the content, as of a file whose checksum was lost; all of it must be there still.

    Raises:
        BackupError: it cannot be read, is no backup of ours, or has changed since it was made.
    """
    try:
        with path.open("rb") as file:
            size_bytes = path.stat().st_size
            block = file.read(BLOCK_BYTES)
            header = _header_of(path, block)
            whole = {header.content_bytes + CHECKSUM_BYTES} | ({header.content_bytes} if skip_hash else set())
            if size_bytes not in whole:
                raise BackupError(path, f"{size_bytes} bytes are no whole snapshot", hint="save it again")
            if skip_hash:
                return header
            sha256 = hashlib.sha256(block)
            left = size_bytes - BLOCK_BYTES - CHECKSUM_BYTES
            while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                sha256.update(chunk)
                left -= len(chunk)
            if file.read() != sha256.digest():
                raise BackupError(path, "its checksum does not match its content", hint="save it again")
            return header
    except OSError as error:
        raise BackupError(path, error.strerror or str(error), hint="check the path") from error


def _header_of(path: Path, block: bytes) -> BackupHeader:
    try:
        return BackupHeader.decode(block)
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise BackupError(
            path, "not a snapshot of this store", hint="one of etcd's is restored by etcdutl, into etcd"
        ) from error


def read_database(path: Path, header: BackupHeader) -> Iterator[bytes]:
    """Yield the dump in a backup that has been checked.

    Raises:
        BackupError: it can be read no longer.
    """
    try:
        with path.open("rb") as file:
            file.seek(BLOCK_BYTES)
            left = header.database_bytes
            while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                yield chunk
                left -= len(chunk)
    except OSError as error:
        raise BackupError(path, error.strerror or str(error), hint="check the path") from error
