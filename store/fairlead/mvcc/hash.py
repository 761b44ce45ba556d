"""HashKV: one number by which members compare their history; and Hash, over all that a database holds.

CRC32-Castagnoli over the table's name and then every raw key and value of the log up to a revision.  What
compaction removes is left out whether it is on disk still or not, so members that agree on the history and on the
compacted revision agree on the hash, however far each has come with removing.  The raw keys are those that etcd
would have on disk, so that the number is etcd's too.
"""

from collections.abc import Container
from typing import TYPE_CHECKING, NamedTuple

from google_crc32c import extend, value

from fairlead.mvcc.codec import key_of
from fairlead.mvcc.engine import BucketName
from fairlead.mvcc.log import RevisionLog

if TYPE_CHECKING:
    from fairlead.mvcc.backend import Backend
    from fairlead.mvcc.store import Store


class KeyValueHash(NamedTuple):
    """A hash, and the two revisions that must be equal before hashes are compared.

    Attributes:
        hash: CRC32-Castagnoli, unsigned.
        compact_revision: -1 when there was no compaction.
        hash_revision: the last revision in the hash.
    """

    hash: int
    compact_revision: int
    hash_revision: int


class HashRun:
    """A hash in progress; writes may happen between slices, a compaction makes it begin again.

    Whoever must not be held up calls ``step`` and lets others have their turn until it returns a hash.  The run
    ends with its store: once another has taken the store's place, begin anew.
    """

    def __init__(self, store: "Store", log: RevisionLog, revision: int) -> None:
        self._store = store
        self._log = log
        self._revision = revision
        self._restart()

    def _restart(self) -> None:
        self._compact_revision = self._store.compact_revision
        self._next = 0
        self._hash: int = value(b"key")

    def step(self, revisions_max: int) -> KeyValueHash | None:
        """Hash up to ``revisions_max`` more entries of the log; return the result once it is known.

        Raises:
            CompactedError: a compaction has overtaken the revision.
        """
        if self._store.compact_revision != self._compact_revision:
            self._store.check_revision(self._revision)
            self._restart()
        end = (self._revision + 1) << 32
        for seen, (position, kv) in enumerate(self._log.entries_from(self._next)):
            if position >= end:
                break
            if seen == revisions_max:
                self._next = position
                return None
            if self._is_kept(position, kv):
                self._hash = extend(extend(self._hash, _etcd_key(position)), kv)
        return KeyValueHash(self._hash, self._compact_revision, self._revision)

    def _is_kept(self, position: int, kv: bytes) -> bool:
        main = position >> 32
        if main > self._compact_revision:
            return True
        # Left out although it is kept: etcd 3.4.33 and 3.5.15 and older remove the deletion at that revision.
        if position & 1 and main == self._compact_revision:
            return False
        return self._store.index.keeps(key_of(kv), position, self._compact_revision)


class BackendHashRun:
    """A hash of every table in progress, what is not committed included.

    It is of one moment only if nothing is written between slices: for tests, as etcd says of its own.

    Args:
        backend: what to hash.
        ignored: pairs that differ between members by right, as (table, key).
    """

    def __init__(self, backend: "Backend", *, ignored: Container[tuple[str, bytes]]) -> None:
        self._backend = backend
        self._ignored = ignored
        self._left = sorted(BucketName)
        self._next = b""
        self._hash: int = value(b"")

    def step(self, pairs_max: int) -> int | None:
        """Hash up to ``pairs_max`` more pairs; return the result once it is known."""
        while self._left:
            name = self._left[0]
            if not self._next:
                self._hash = extend(self._hash, name.encode())
            for seen, (key, content) in enumerate(self._backend.bucket(name).items(self._next)):
                if seen == pairs_max:
                    self._next = key
                    return None
                if (name, key) not in self._ignored:
                    self._hash = extend(extend(self._hash, key), content)
            del self._left[0]
            self._next = b""
        return self._hash


def _etcd_key(position: int) -> bytes:
    main, sub = position >> 32, position >> 1 & 0x7FFF_FFFF
    return main.to_bytes(8, "big") + b"_" + sub.to_bytes(8, "big") + (b"t" if position & 1 else b"")
