"""The journal on disk: what was begun and what was ended, of every group of one renderer.

    STATE/lock         held while a renderer runs: two of them would undo one another's work
    STATE/journal      one line for each record, synced before the caller goes on
    STATE/contents/    the bytes that the records speak of, by digest

A record is folded into the group's ``Memory`` as it is written, by the same function that folds it when it is
read back.  When the file has grown, it is written anew with one record for each group.
"""

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from fairlead.durable import make_directory, sync_directory, write_durably
from fairlead.render.change.codec import decode_lines, encode_record
from fairlead.render.change.contents import Contents
from fairlead.render.change.memory import Memory, Phase, memory_as_json, memory_from_json, remember
from fairlead.render.errors import JournalError, JournalInUseError
from fairlead.render.jsonio import members, text

COMPACT_BYTES = 1024 * 1024
_JOURNAL, _LOCK, _CONTENTS = "journal", "lock", "contents"


class Journal:
    """Open for one process.  Its methods may be called from several threads.

    Attributes:
        contents: the bytes that go with it.
    """

    def __init__(
        self, folder: Path, *, clock_s: Callable[[], float] = time.time, compact_bytes: int = COMPACT_BYTES
    ) -> None:
        """Open or make the journal, repair a torn end and tidy up.

        Args:
            folder: the state directory.
            clock_s: seconds since 1970, for people.
            compact_bytes: how long the file may grow.

        Raises:
            JournalInUseError: another renderer has it open.
            JournalError: it is damaged.
            OSError: the folder cannot be made or written.
        """
        make_directory(folder)
        self._folder = folder
        self._path = folder / _JOURNAL
        self._clock_s = clock_s
        self._compact_bytes = compact_bytes
        self._mutex = threading.Lock()
        self._lock = _lock(folder)
        self._file, self._size = -1, 0
        try:
            self._memories = self._load()
            self.contents = Contents(folder / _CONTENTS)
            self._compact()
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it and let another process have it."""
        self._shut()
        os.close(self._lock)

    def memory(self, group: str) -> Memory:
        """Return what is known of a group."""
        return self._memories.get(group, Memory())

    def unfinished(self) -> list[str]:
        """Return the groups whose last change was begun and not ended."""
        return [group for group, memory in self._memories.items() if memory.phase is not Phase.SETTLED]

    def append(
        self, record: Mapping[str, Any], *, contents: Mapping[str, bytes] | None = None
    ) -> dict[str, Any]:
        """Keep the contents, then write the record; return it with the time, once all is on the disk.

        Args:
            record: names its ``group`` and its ``kind``.
            contents: by digest; what the record speaks of and is not kept yet.

        Raises:
            OSError: it is not, and nothing is left of it.
        """
        # One at a time: a content that no record speaks of yet would be tidied away by another group's.
        with self._mutex:
            for digest, content in (contents or {}).items():
                self.contents.keep(digest, content)
            written = {**record, "at_s": self._clock_s()}
            self._write(encode_record(written))
            group = str(written["group"])
            before = self.memory(group)
            after = self._memories[group] = remember(before, written)
            # The record is on the disk: what cannot be tidied now is tidied with a later one, or at the next start.
            with contextlib.suppress(OSError):
                if self._size > self._compact_bytes:
                    self._compact()
                elif secrets := _secrets(before) - after.digests:
                    self.contents.forget(secrets - _kept(self._memories))
            return written

    def _write(self, line: bytes) -> None:
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            self._size = os.fstat(self._file).st_size
        # What an attempt that failed has left must not stand in the middle.
        os.ftruncate(self._file, self._size)
        if os.write(self._file, line) != len(line):
            raise OSError(errno.ENOSPC, "No space left on device", str(self._path))
        os.fsync(self._file)
        self._size += len(line)

    def _shut(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _load(self) -> dict[str, Memory]:
        return read_memories(self._folder) if self._path.exists() else {}

    def _compact(self) -> None:
        """Write the journal anew, one record for each group, and drop contents that nothing speaks of."""
        records = [
            {"group": group, "kind": "memory", "memory": memory_as_json(memory)}
            for group, memory in sorted(self._memories.items())
        ]
        # First, so that whatever comes of it nothing is appended to a file that has lost its name.
        self._shut()
        write_durably(self._path, b"".join(encode_record(record) for record in records))
        self.contents.forget_all_but(_kept(self._memories))


def replay(data: bytes) -> dict[str, Memory]:
    """Return what the bytes of a journal say of each group.

    Raises:
        JournalError: they are damaged.
    """
    memories: dict[str, Memory] = {}
    lines = decode_lines(data)
    for record, offset in zip(lines.records, lines.offsets, strict=True):
        try:
            group = text(record["group"])
            if record["kind"] == "memory":
                memories[group] = memory_from_json(members(record["memory"]))
            else:
                memories[group] = remember(memories.get(group, Memory()), record)
        except (KeyError, ValueError) as error:
            raise JournalError(offset) from error
    return memories


def read_memories(folder: Path) -> dict[str, Memory]:
    """Return what the journal in ``folder`` says, without taking it from the renderer that runs.

    Raises:
        JournalError: it is damaged.
        OSError: it is not there, or not ours to read.
    """
    path = folder / _JOURNAL
    data = path.read_bytes()
    try:
        return replay(data)
    except JournalError as error:
        raise JournalError(error.offset, path=path) from error


def read_content(folder: Path, digest: str) -> bytes:
    """Return a kept content.

    Raises:
        OSError: it is not kept, or what is there is something else.
    """
    return Contents(folder / _CONTENTS).read(digest)


def _kept(memories: Mapping[str, Memory]) -> set[str]:
    return {digest for memory in memories.values() for digest in memory.digests}


def _secrets(memory: Memory) -> set[str]:
    """The contents with secrets of the change that was under way."""
    if memory.change is None:
        return set()
    return {
        version.digest
        for file in memory.change.files
        if file.is_secret
        for version in (file.old, file.new)
        if version is not None
    }


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise JournalInUseError(folder) from None
    sync_directory(folder)
    return descriptor
