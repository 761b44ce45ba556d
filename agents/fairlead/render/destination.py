"""One destination file: read it, stage beside it, swap it in.

The staged file lies in the destination's directory, so that a rename can replace the one by the other, under
a name that no include pattern of an application takes up: it starts with a dot and ends in a tilde.
"""

import contextlib
import errno
import hashlib
import os
import stat
from pathlib import Path

from fairlead.durable import sync_directory
from fairlead.render.change.model import FileState, FileVersion

_MOUNTED = frozenset({errno.EBUSY, errno.EXDEV})


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
        except FileNotFoundError:
            return None
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "is not a regular file", str(self.path))
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                content = file.read()
        finally:
            os.close(descriptor)
        mode = stat.S_IMODE(status.st_mode)
        return FileState(content=content, mode=mode, uid=status.st_uid, gid=status.st_gid)

    def inspect(self) -> FileVersion | None:
        """Return what the file is, without its content; None when there is none."""
        state = self.read()
        if state is None:
            return None
        digest = hashlib.sha256(state.content).hexdigest()
        return FileVersion(digest=digest, mode=state.mode, uid=state.uid, gid=state.gid)

    def stage(self, content: bytes, version: FileVersion) -> Path:
        """Write the new file beside the old one, with its mode and owner, and see it to the disk."""
        path = self.staged_path
        try:
            # What a crash left behind, or somebody else put there, is not written through.
            path.unlink(missing_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                _copy_labels(self.path, file.fileno())
                _set_attributes(file.fileno(), version)
                os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            # The operator knows the destination; a write knows nothing but a number.
            error.filename = str(self.path)
            raise
        return path

    def discard(self) -> None:
        """Remove what was staged."""
        self.staged_path.unlink(missing_ok=True)

    def put(self, content: bytes, version: FileVersion) -> bool:
        """Make the file hold ``content``; return whether that was done at once.

        Bind-mounted into a container, a file can be written and not replaced; then it is written in place.
        """
        self.stage(content, version)
        try:
            self.staged_path.rename(self.path)
        except OSError as error:
            if error.errno not in _MOUNTED:
                raise
            self._write_in_place(content, version)
            return False
        finally:
            self.discard()
        sync_directory(self.path.parent)
        return True

    def swap(self, version: FileVersion) -> bool:
        """Let the staged file take the destination's name, if it is what ``version`` says; return whether it was."""
        staged = Destination(self.staged_path).inspect()
        if staged != version:
            return False
        try:
            self.staged_path.rename(self.path)
        except OSError as error:
            if error.errno not in _MOUNTED:
                raise
            return False
        sync_directory(self.path.parent)
        return True

    def remove(self) -> None:
        """Let there be no such file."""
        self.path.unlink(missing_ok=True)
        if self.path.parent.is_dir():
            sync_directory(self.path.parent)

    def set_attributes(self, version: FileVersion) -> None:
        """Set mode and owner, where they differ."""
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            _set_attributes(descriptor, version)
        finally:
            os.close(descriptor)

    def _write_in_place(self, content: bytes, version: FileVersion) -> None:
        """Write over the file; should that fail half-way, put the old content back."""
        before = self.path.read_bytes()
        try:
            self._overwrite(content, version)
        except OSError:
            self._overwrite(before, None)
            raise

    def _overwrite(self, content: bytes, version: FileVersion | None) -> None:
        with self.path.open("r+b") as file:
            file.write(content)
            file.truncate()
            file.flush()
            if version is not None:
                _set_attributes(file.fileno(), version)
            os.fsync(file.fileno())


def _copy_labels(path: Path, descriptor: int) -> None:
    """Give the new file the old one's extended attributes: SELinux's context, access control lists, people's notes."""
    try:
        names = os.listxattr(path)
    except OSError:  # there is no old file, or the file system has none
        return
    for name in names:
        # What cannot be set, such as a context without the right to, is what the directory gives a new file.
        with contextlib.suppress(OSError):
            os.setxattr(descriptor, name, os.getxattr(path, name))


def _set_attributes(descriptor: int, wanted: FileVersion) -> None:
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (wanted.uid, wanted.gid):
        os.fchown(descriptor, wanted.uid, wanted.gid)
    # Last, since a change of owner clears the set-user-id bit.
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != wanted.mode:
        os.fchmod(descriptor, wanted.mode)


def explain(error: OSError) -> str:
    """Return what the file system refuses in one line: where, what, and what to do."""
    path = error.filename2 or error.filename
    if path is None:
        return error.strerror or str(error)
    directory = Path(path).parent
    if error.errno == errno.ENOENT and not directory.is_dir():
        return f"{directory} does not exist; create it with: mkdir -p {directory}"
    problem = error.strerror or str(error)
    hints = {
        errno.EPERM: "; run the agent as a user who may",
        errno.EACCES: "; run the agent as a user who may",
        errno.ENOSPC: "; make room there",
        errno.EROFS: "; mount it writable, or put the file elsewhere",
    }
    return f"{path}: {problem}{hints.get(error.errno or 0, '')}"
