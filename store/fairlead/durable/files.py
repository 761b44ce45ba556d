"""Whole files and the directories above them.

A file is written beside the one that it replaces, synced, and renamed over it; then the directory is synced, or the
rename itself might not outlive a power cut.  Every function raises ``OSError`` with the name of the file that was
asked for, since a failed write knows none, and what lies beside it tells an operator nothing.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_OURS_ALONE = 0o600


def sync_directory(path: Path) -> None:
    """See the names in a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_directory(path: Path, *, mode: int = 0o700) -> None:
    """Make a directory and those above it; one that is there stays as it is.

    Args:
        path: the directory.
        mode: of ``path`` itself, whatever the umask; those above it that are missing get what the umask gives.
    """
    missing = [above for above in (path, *path.parents) if not above.exists()]
    for directory in reversed(missing):
        is_last = directory == path
        directory.mkdir(mode=mode if is_last else 0o777, exist_ok=True)
        if is_last:
            directory.chmod(mode)
        sync_directory(directory.parent)
    if not path.is_dir():
        path.mkdir()  # says what is in the way


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes the place of ``path`` at the end of the block; an exception leaves nothing.

    It is readable by us alone.  Of several writers of one file the last one wins, as long as they take turns.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        # What a crash left behind, or somebody else put there, is not written through.
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OURS_ALONE)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_directory(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        if isinstance(error, OSError):
            _name(error, path)
        raise


def write_durably(path: Path, content: bytes) -> None:
    """Put a file in place, readable by us alone: after a crash the old one is there or the new one, whole."""
    with whole_file(path) as file:
        file.write(content)


def create_durably(path: Path, content: bytes) -> None:
    """Make a file that is not there yet, readable by us alone.

    Raises:
        FileExistsError: it is there.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OURS_ALONE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(path.parent)
    except OSError as error:
        path.unlink(missing_ok=True)
        _name(error, path)
        raise


def _name(error: OSError, path: Path) -> None:
    error.filename, error.filename2 = str(path), None
