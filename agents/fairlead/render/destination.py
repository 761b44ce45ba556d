"""One destination file: read it, stage beside it, swap it in.

The staged file lies in the destination's directory, so that a rename can replace the one by the other, under
a name that no include pattern of an application takes up: it starts with a dot and ends in a tilde.
"""

import errno
import os
import stat
from pathlib import Path

from fairlead.render.plan import FileState


class Destination:
    """A regular file that may not exist yet.

    Every method raises ``OSError`` as the file system gives it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.staged_path = path.with_name(f".{path.name}.staged~")

    def read(self) -> FileState | None:
        """Return the file as it is, None when there is none."""
        try:
            # Without the flag, opening a named pipe would wait for a writer.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise OSError(errno.EINVAL, "is not a regular file")
                return FileState(
                    content=file.read(),
                    mode=stat.S_IMODE(status.st_mode),
                    uid=status.st_uid,
                    gid=status.st_gid,
                )
        except FileNotFoundError:
            return None

    def stage(self, wanted: FileState) -> Path:
        """Write the new file beside the old one, with its mode and owner, and see it to the disk."""
        path = self.staged_path
        # What a crash left behind, or somebody else put there, is not written through.
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(wanted.content)
                file.flush()
                _set_attributes(file.fileno(), wanted)
                os.fsync(file.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path

    def swap(self, staged: Path) -> None:
        """Let the staged file take the destination's name, at once and for good."""
        staged.rename(self.path)
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def write_in_place(self, wanted: FileState, found: FileState | None) -> None:
        """Write over the file; should that fail half-way, put the old content back."""
        try:
            self._overwrite(wanted)
        except OSError:
            if found is not None:
                self._overwrite(found)
            raise

    def _overwrite(self, state: FileState) -> None:
        with self.path.open("r+b") as file:
            file.write(state.content)
            file.truncate()
            file.flush()
            _set_attributes(file.fileno(), state)
            os.fsync(file.fileno())

    def set_attributes(self, wanted: FileState) -> None:
        """Set mode and owner, where they differ."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            _set_attributes(descriptor, wanted)
        finally:
            os.close(descriptor)


def _set_attributes(descriptor: int, wanted: FileState) -> None:
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        os.fchown(descriptor, wanted.uid, wanted.gid)
    # Last, since a change of owner clears the set-user-id bit.
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != wanted.mode:
        os.fchmod(descriptor, wanted.mode)
