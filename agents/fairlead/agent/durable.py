"""Files that are on the disk when the call returns."""

import os
from pathlib import Path


def sync_directory(path: Path) -> None:
    """See the names in a directory to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Put a file in place, whole or not at all, readable by us alone.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    draft = path.with_name(f"{path.name}.draft")
    try:
        draft.unlink(missing_ok=True)  # left by a crash, perhaps for others to read
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        # A write knows a number only.
        error.filename = error.filename or str(path)
        raise
    sync_directory(path.parent)
