"""The multi-version store: keys with their history, on LMDB, and the hub of those who watch them.

The door is ``Store``: reads at any revision that is not compacted, one write transaction at a time, compaction in
slices, HashKV.  ``Backend`` keeps it on disk in batches, together with whatever else must agree with it.
``WatchHub`` tells every watcher its part of the history, in order, once and without gaps.

It never decides what may be written, knows no clients, leases or members, and starts no thread or task.  Only
``lmdb_engine`` touches the disk.

Source: etcd's data model and its ``mvcc`` package, whose observable rules are kept.
"""

from fairlead.mvcc.backend import Backend, Commit
from fairlead.mvcc.engine import BucketName
from fairlead.mvcc.errors import (
    BackendCorruptError,
    BackendError,
    BackendFailedError,
    BackendFullError,
    CompactedError,
    FutureRevisionError,
    MvccError,
)
from fairlead.mvcc.hash import BackendHashRun, HashRun, KeyValueHash
from fairlead.mvcc.hub import WatchHub
from fairlead.mvcc.index import KeyRecord
from fairlead.mvcc.store import Range, Store
from fairlead.mvcc.transaction import Transaction
from fairlead.mvcc.watcher import EncodedEvents, Sink, Watcher

__all__ = [
    "Backend",
    "BackendCorruptError",
    "BackendError",
    "BackendFailedError",
    "BackendFullError",
    "BackendHashRun",
    "BucketName",
    "Commit",
    "CompactedError",
    "EncodedEvents",
    "FutureRevisionError",
    "HashRun",
    "KeyRecord",
    "KeyValueHash",
    "MvccError",
    "Range",
    "Sink",
    "Store",
    "Transaction",
    "WatchHub",
    "Watcher",
]
