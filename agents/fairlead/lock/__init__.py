"""``fairlead lock``: whose turn it is.  A semaphore in the store, in locksmith's key and format, and records beside it.

``semaphore``, ``board``, ``operations`` and ``decide`` are pure; ``lock`` is the compare-and-swap on the store; the
rest puts it to use.  Sources: coreos/locksmith, coreos/zincati (FleetLock).
"""

from fairlead.lock.board import Board, Holder
from fairlead.lock.decide import Decision, Held, Step, View, decide
from fairlead.lock.errors import (
    BrokenSemaphoreError,
    ContentionError,
    FrozenError,
    FullError,
    LimitError,
    LockError,
    NotHeldError,
    OccupiedError,
    PolicyError,
    SourceError,
    TwoHostsError,
    UnknownGroupError,
)
from fairlead.lock.lock import Lock
from fairlead.lock.operations import Claim
from fairlead.lock.semaphore import Semaphore

__all__ = [
    "Board",
    "BrokenSemaphoreError",
    "Claim",
    "ContentionError",
    "Decision",
    "FrozenError",
    "FullError",
    "Held",
    "Holder",
    "LimitError",
    "Lock",
    "LockError",
    "NotHeldError",
    "OccupiedError",
    "PolicyError",
    "Semaphore",
    "SourceError",
    "Step",
    "TwoHostsError",
    "UnknownGroupError",
    "View",
    "decide",
]
