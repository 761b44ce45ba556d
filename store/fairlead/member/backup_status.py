"""What is in a snapshot file: opened and counted, not believed."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from fairlead.member.backup import check_backup, read_database
from fairlead.member.cluster import Cluster
from fairlead.member.hashing import IGNORED
from fairlead.mvcc import Backend, BackendHashRun, BucketName, Store

_SLICE = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupStatus:
    """What a snapshot holds.

    Attributes:
        hash: over all tables, the same for snapshots of equal content.
        revision: the store's.
        compact_revision: the oldest that can be read; -1 for all.
        keys: that exist at ``revision``.
        pairs: of all tables, history included, which etcdutl calls ``totalKey``.
        database_bytes: what it needs on disk once restored.
        leases: how many there are.
        members: names, or ids of those that never started, of the cluster it was taken from.
    """

    hash: int
    revision: int
    compact_revision: int
    keys: int
    pairs: int
    database_bytes: int
    leases: int
    members: tuple[str, ...]


def inspect_backup(path: Path, *, scratch: Path | None = None) -> BackupStatus:
    """Return what is in a snapshot file, after it was proved whole.

    Args:
        path: the file.
        scratch: a folder with room for the database for a while; the system's for temporary files if it is left away.

    Raises:
        BackupError: the file is not a whole snapshot of this store.
        BackendError: the database in it cannot be opened, or the disk has no room for it.
    """
    header = check_backup(path)
    with tempfile.TemporaryDirectory(prefix="fairlead-status-", dir=scratch) as folder:
        Backend.load(Path(folder, "db"), read_database(path, header))
        backend = Backend.open(Path(folder, "db"))
        try:
            return _look(backend, database_bytes=header.database_bytes)
        finally:
            backend.close()


def _look(backend: Backend, *, database_bytes: int) -> BackupStatus:
    store = Store.open(backend)
    cluster = Cluster()
    cluster.load(backend)
    run = BackendHashRun(backend, ignored=IGNORED)
    while (found := run.step(_SLICE)) is None:
        pass
    return BackupStatus(
        hash=found,
        revision=store.revision,
        compact_revision=store.compact_revision,
        keys=store.index.count(b"\0", b"\0"),
        pairs=sum(backend.bucket(name).entries for name in BucketName),
        database_bytes=database_bytes,
        leases=backend.bucket(BucketName.LEASE).entries,
        members=tuple(sorted(member.name or f"{member.id:x}" for member in cluster.members.values())),
    )
