"""Old and new contents of files, by digest, for as long as a change or the history may need them."""

import errno
import hashlib
from collections.abc import Iterable
from pathlib import Path

from fairlead.durable import make_directory, sync_directory, write_durably


class Contents:
    """A folder of files named by the SHA-256 of what they hold; readable by us alone.

    Every method raises ``OSError`` as the file system gives it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __contains__(self, digest: str) -> bool:
        return self._path(digest).exists()

    def keep(self, digest: str, content: bytes) -> None:
        """Have ``content`` on the disk."""
        assert hashlib.sha256(content).hexdigest() == digest
        if digest not in self:
            make_directory(self._folder)
            write_durably(self._path(digest), content)

    def read(self, digest: str) -> bytes:
        """Return the content.

        Raises:
            OSError: it is not kept, or what is there is something else.
        """
        content = self._path(digest).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise OSError(f"{self._path(digest)} is damaged; remove it")
        return content

    def forget(self, digests: Iterable[str]) -> None:
        """Remove contents that nothing needs any more."""
        for digest in digests:
            self._path(digest).unlink(missing_ok=True)
        sync_directory(self._folder)

    def forget_all_but(self, digests: set[str]) -> None:
        """Remove everything else, what a crash left half-written included."""
        if not self._folder.exists():
            return
        self.forget(path.name for path in self._folder.iterdir() if path.name not in digests)

    def _path(self, digest: str) -> Path:
        if "/" in digest or digest in {"", ".", ".."}:
            raise OSError(errno.EINVAL, "is no digest of a content", digest)
        return self._folder / digest
