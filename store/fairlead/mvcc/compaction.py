"""Compaction: giving up history, logically at once and on disk in slices.

``scheduled`` is written when a compaction is agreed, ``finished`` when the last of its revisions has gone; a
restart in between finds one larger than the other and goes on.  Only keys that have something superseded are
visited, so the work is that of the garbage and not of the store.
"""

from fairlead.mvcc.bucket import Bucket
from fairlead.mvcc.index import KeyIndex
from fairlead.mvcc.log import RevisionLog

_SCHEDULED = b"scheduledCompactRev"
_FINISHED = b"finishedCompactRev"
NEVER = -1


class Compaction:
    """The state of compaction over one store.

    Attributes:
        revision: the revision compacted to, -1 when there was none.
    """

    def __init__(self, index: KeyIndex, log: RevisionLog, meta: Bucket) -> None:
        self._index = index
        self._log = log
        self._meta = meta
        self.revision = self._load(_SCHEDULED)
        self._finished = self._load(_FINISHED)
        self._pass_revision = self._finished  # what the keys still to visit were collected for
        self._to_visit: set[bytes] = set()

    @property
    def is_done(self) -> bool:
        """Whether nothing of the last compaction is left on disk."""
        return self._finished == self.revision

    def schedule(self, revision: int) -> None:
        """Compact to ``revision``, which is larger than the last one."""
        assert revision > self.revision
        self.revision = revision
        self._meta.put(_SCHEDULED, revision.to_bytes(8, "big"))

    def step(self, revisions_max: int) -> bool:
        """Remove up to ``revisions_max`` revisions, or visit that many keys; return whether all is done."""
        if self.is_done:
            return True
        if not self._to_visit:
            if self._pass_revision == self.revision:
                self._finished = self.revision
                self._meta.put(_FINISHED, self.revision.to_bytes(8, "big"))
                return True
            self._pass_revision = self.revision
            self._to_visit, self._index.superseded = self._index.superseded, set()
        budget = revisions_max
        while budget > 0 and self._to_visit:
            key = self._to_visit.pop()
            dropped = self._index.trim(key, self._pass_revision, drops_max=budget)
            for position in dropped:
                self._log.delete(position)
            if len(dropped) == budget and key in self._index.records:
                self._to_visit.add(key)  # more of it may have to go
            budget -= max(1, len(dropped))
        return False

    def _load(self, name: bytes) -> int:
        found = self._meta.get(name)
        return NEVER if found is None else int.from_bytes(found, "big")
