"""What the backend asks of a database: tables as of one commit, and one write transaction at a time.

There are two: LMDB on disk, and a dictionary in memory whose crashes a test decides.  What they share lies above
them, in ``Backend`` and ``Bucket``, so that the simulator runs all of it but the disk.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Protocol

Writes = Mapping[bytes, bytes | None]
"""What a commit carries for one table, by key; None deletes."""


class BucketName(StrEnum):
    """The tables of the database, named as etcd names its own."""

    REVISIONS = "key"
    META = "meta"
    LEASE = "lease"
    ALARM = "alarm"
    CLUSTER = "cluster"
    MEMBERS = "members"
    MEMBERS_REMOVED = "members_removed"
    AUTH = "auth"
    AUTH_USERS = "authUsers"
    AUTH_ROLES = "authRoles"


# Its new keys only ascend: LMDB then fills pages to the brim.
ASCENDING = BucketName.REVISIONS


class Table(Protocol):
    """One table as of the commit that the engine was last refreshed for."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value of a key; None where there is none."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes]:
        """Return the values of those of ``keys`` that exist, in their order."""

    def items(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Return the pairs from ``start`` on, in key order; to be read before the next ``refresh``."""

    @property
    def entries(self) -> int:
        """Number of pairs."""


class Engine(Protocol):
    """A database that one process has open."""

    @property
    def path(self) -> Path:
        """Where it lies, for messages."""

    @property
    def tables(self) -> Mapping[BucketName, Table]:
        """Every table; these objects stay valid until the engine is closed."""

    def begin(self, writes: Mapping[BucketName, Writes], *, value_bytes: int) -> Callable[[], None]:
        """Put ``writes`` into a new transaction; return what makes it durable, on any one thread.

        Args:
            writes: no table without writes.
            value_bytes: about the size of all values together.

        Raises:
            BackendError: the database refuses them; so may the function that is returned.
        """

    def refresh(self) -> None:
        """Let the tables show all that is durable."""

    @property
    def size_bytes(self) -> int:
        """Size of what is in use or kept for reuse."""

    @property
    def size_in_use_bytes(self) -> int:
        """Size of what holds data."""

    def copy(self, scratch: Path) -> BinaryIO:
        """Return the durable content without holes, as ``load`` takes it, from its beginning."""

    def defragment(self) -> None:
        """Give back what is kept for reuse."""

    def moved(self, path: Path) -> None:
        """Learn that it lies elsewhere now."""

    def close(self) -> None:
        """Let go of it."""
