"""Opening a data directory: lock it, open log and database, replay what the database lacks.

Layout, under ``--data-dir``::

    lock            held while a member runs here
    wal/            the log's segments
    db/             the database: what is applied
"""

import struct
from dataclasses import dataclass

import structlog

from fairlead.lease import LeaseTable
from fairlead.member.config import MemberConfig
from fairlead.member.errors import DataDirError, LogBehindError
from fairlead.member.identity import Identity, cluster_id_of, member_id_of
from fairlead.member.machine import Machine, Quota
from fairlead.member.replica import Replica
from fairlead.member.responses import Headers
from fairlead.member.solo import Solo
from fairlead.mvcc import Backend, Store
from fairlead.wal import Checkpoint, DirectoryLock, HardState, OsDisk, Recovered, Wal, lock_directory

_log = structlog.get_logger("fairlead.store")

# Below this the index is read in less than a second.
_WORTH_TELLING = 100_000
_META = "meta"
_APPLIED = b"applied"


@dataclass(frozen=True, slots=True)
class Opened:
    """Everything of one member that outlives a restart."""

    identity: Identity
    lock: DirectoryLock
    wal: Wal
    backend: Backend
    store: Store
    leases: LeaseTable
    machine: Machine
    replica: Replica

    def close(self) -> None:
        """Close the database file and let others have the directory."""
        self.backend.close()
        self.lock.release()


def open_member(config: MemberConfig) -> Opened:
    """Open or create a member's data directory; return it with everything committed applied.

    Raises:
        DataDirError: it cannot be made or written to.
        DirectoryLockedError: another process has it.
        CorruptError: the log is damaged in the middle; names file and offset.
        BackendError: the database file cannot be opened.
        LogBehindError: the database has entries that the log has not: one of them was restored alone.
    """
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = lock_directory(config.data_dir)
    except OSError as error:
        raise DataDirError(config.data_dir, error.strerror or str(error)) from error
    try:
        return _open_locked(config, lock)
    except BaseException:
        lock.release()
        raise


def _open_locked(config: MemberConfig, lock: DirectoryLock) -> Opened:
    disk = OsDisk()
    wal_dir = config.data_dir / "wal"
    if Wal.exists(disk, wal_dir):
        wal, recovered = Wal.open(disk, wal_dir)
    else:
        metadata = _new_identity(config).encode()
        wal = Wal.create(disk, wal_dir, metadata)
        recovered = Recovered(metadata, HardState(), Checkpoint(), [], [])
    for warning in recovered.warnings:
        _log.warning(warning)
    identity = Identity.decode(recovered.metadata)
    backend = Backend.open(config.data_dir / "db")
    store = Store.open(backend, progress=_report_progress)
    leases = LeaseTable(ttl_s_min=config.lease_ttl_min_s)
    machine = Machine(
        store=store,
        backend=backend,
        leases=leases,
        headers=Headers(identity, recovered.hard_state.term),
        quota=Quota(config.quota_bytes),
    )
    machine.quota.used_bytes = backend.size_bytes
    machine.load()
    replica = _replay(config, identity, recovered, machine)
    return Opened(identity, lock, wal, backend, store, leases, machine, replica)


def _new_identity(config: MemberConfig) -> Identity:
    cluster = config.initial_cluster or {config.name: config.peer_urls}
    members = {name: member_id_of(urls, config.cluster_token) for name, urls in cluster.items()}
    return Identity(cluster_id=cluster_id_of(members.values()), member_id=members[config.name])


def _replay(config: MemberConfig, identity: Identity, recovered: Recovered, machine: Machine) -> Replica:
    """Apply what the log has and the database has not.

    A lone voter's entries are committed once they are durable, answered or not.
    """
    applied, applied_term = load_applied(machine.backend)
    last_index = recovered.entries[-1].index if recovered.entries else recovered.checkpoint.index
    if last_index < applied:
        raise LogBehindError(config.data_dir, last_index=last_index, applied=applied)
    log = Solo(member_id=identity.member_id, hard_state=recovered.hard_state, last_index=last_index)
    replica = Replica(
        log=log,
        machine=machine,
        # Ids of this run must not meet those of entries that are still to be replayed.
        first_id=(recovered.hard_state.term + 1) << 40,
        pending_max=config.pending_max,
        pending_bytes_max=config.pending_bytes_max,
    )
    replica.applied, replica.applied_term = applied, applied_term
    missing = [entry for entry in recovered.entries if entry.index > applied]
    if missing:
        _log.info("replaying the log", entries=len(missing), first=missing[0].index, last=missing[-1].index)
        replica.apply(missing)
    log.committed = replica.applied
    return replica


def load_applied(backend: Backend) -> tuple[int, int]:
    """Return index and term of the last entry whose effects are in the database file."""
    record = backend.get(_META, _APPLIED)
    return struct.unpack(">QQ", record) if record is not None else (0, 0)


def mark_applied(opened: Opened) -> None:
    """Write the applied index beside the data that it speaks of, into the same transaction."""
    replica = opened.replica
    opened.backend.put(_META, _APPLIED, struct.pack(">QQ", replica.applied, replica.applied_term))


def _report_progress(done: int, total: int) -> None:
    if total >= _WORTH_TELLING:
        _log.info("reading the key index", revisions=done, of=total)
