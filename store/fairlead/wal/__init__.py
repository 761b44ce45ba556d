"""The write-ahead log: what a member must not forget, on disk before anybody hears of it.

Door: `Wal`, over a `Disk`.  It knows nothing of Raft's rules, of commands or of threads; it never
retries a failed write, never repairs corruption in silence, and acknowledges nothing before fdatasync.
Source: Raft (figure 2, persistent state), and etcd's log (``server/storage/wal``), whose ideas it shares
and whose files it does not.
"""

from fairlead.wal.disk import Disk, DiskFile, OsDisk
from fairlead.wal.errors import (
    CorruptError,
    DirectoryLockedError,
    DiskFailedError,
    LogExistsError,
    LogMissingError,
    WalError,
)
from fairlead.wal.lock import DirectoryLock, lock_directory
from fairlead.wal.record import Checkpoint, Entry, HardState
from fairlead.wal.recovery import Recovered
from fairlead.wal.snapshots import NewestSnapshot, load_snapshot, newest, save_snapshot
from fairlead.wal.wal import SEGMENT_BYTES, Wal

__all__ = [
    "SEGMENT_BYTES",
    "Checkpoint",
    "CorruptError",
    "DirectoryLock",
    "DirectoryLockedError",
    "Disk",
    "DiskFailedError",
    "DiskFile",
    "Entry",
    "HardState",
    "LogExistsError",
    "LogMissingError",
    "NewestSnapshot",
    "OsDisk",
    "Recovered",
    "Wal",
    "WalError",
    "load_snapshot",
    "lock_directory",
    "newest",
    "save_snapshot",
]
