"""Opening a data directory: lock it, open log and database, and make a replica of them.

Layout, under ``--data-dir``::

    lock            held while a member runs here
    wal/            the log's segments
    db/             the database: what is applied
    snap/           snapshots on their way to or from another member

A new directory gets its database first, with the members that the cluster begins with, then its log: where there
is a log, there is all that it stands on.  A snapshot from another member goes the other way round: its file, then
the log that begins behind it, then the database made of it.  A crash in between is made good here.
"""

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from fairlead.lease import LeaseTable
from fairlead.member.cluster import Cluster, ClusterMember
from fairlead.member.config import MemberConfig
from fairlead.member.configurations import configuration_at, save_configuration
from fairlead.member.errors import DataDirError, LogAheadError, LogBehindError
from fairlead.member.force_new import stand_alone
from fairlead.member.identity import Identity, cluster_id_of, member_id_of
from fairlead.member.machine import Machine, Quota
from fairlead.member.reconfigure import ReconfigurationRules
from fairlead.member.replica import Replica
from fairlead.member.responses import Headers
from fairlead.member.storage import Databases, Folders
from fairlead.member.work import ReplicaLimits
from fairlead.mvcc import Backend, Store
from fairlead.raft import Config, Configuration, Entry, EntryKind, HardState, Raft, Snapshot
from fairlead.wal import (
    DirectoryLock,
    Disk,
    OsDisk,
    Recovered,
    Wal,
    load_snapshot,
    lock_directory,
    newest,
)

_log = structlog.get_logger("fairlead.store")

# Below this the index is read in less than a second.
_WORTH_TELLING = 100_000
_META = "meta"
APPLIED = b"applied"
"""Key of the applied index, in the table ``meta``."""
_APPLIED_RECORD = struct.Struct(">QQI")
_ID_BITS = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Founding:
    """With what a new data directory begins.

    Attributes:
        identity: the cluster's id and this member's.
        members: those of a cluster that begins; or, of one that is joined, those that it has now.
        is_join: the cluster is there already: its log will say who votes.
    """

    identity: Identity
    members: Sequence[ClusterMember]
    is_join: bool = False


@dataclass(slots=True)
class Opened:
    """Everything of one member that outlives a restart."""

    config: MemberConfig
    identity: Identity
    lock: DirectoryLock | None
    disk: Disk
    databases: Databases
    wal: Wal
    replica: Replica

    @property
    def machine(self) -> Machine:
        """The state that entries are applied to."""
        return self.replica.machine

    @property
    def backend(self) -> Backend:
        """The database; another one after a snapshot was installed."""
        return self.replica.machine.backend

    def close(self) -> None:
        """Close the database and let others have the directory."""
        self.backend.close()
        if self.lock is not None:
            self.lock.release()


def wal_dir(config: MemberConfig) -> Path:
    """Return the folder of the log."""
    return config.data_dir / "wal"


def db_dir(config: MemberConfig) -> Path:
    """Return the folder of the database."""
    return config.data_dir / "db"


def snap_dir(config: MemberConfig) -> Path:
    """Return the folder of snapshots that travel."""
    return config.data_dir / "snap"


def founding_of(config: MemberConfig) -> Founding:
    """Return what a member begins with in a cluster that begins with it (``--initial-cluster``)."""
    cluster = config.initial_cluster or {config.name: config.peer_urls}
    ids = {name: member_id_of(urls, config.cluster_token) for name, urls in cluster.items()}
    members = [
        ClusterMember(id=ids[name], name=name, peer_urls=tuple(sorted(urls)))
        for name, urls in cluster.items()
    ]
    identity = Identity(cluster_id=cluster_id_of(ids.values()), member_id=ids[config.name])
    return Founding(identity=identity, members=members)


def is_new(config: MemberConfig, *, disk: Disk | None = None) -> bool:
    """Whether the data directory has no log yet.

    Raises:
        WalError: it cannot be read.
    """
    return not Wal.exists(disk or OsDisk(), wal_dir(config))


def lock_data_dir(config: MemberConfig) -> DirectoryLock:
    """Take the data directory, which is made where it is missing.

    Raises:
        DataDirError: it cannot be made or written to.
        DirectoryLockedError: another process has it.
    """
    try:
        config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return lock_directory(config.data_dir)
    except OSError as error:
        raise DataDirError(config.data_dir, error.strerror or str(error)) from error


def open_member(
    config: MemberConfig,
    *,
    rng: random.Random,
    founding: Founding | None = None,
    disk: Disk | None = None,
    databases: Databases | None = None,
) -> Opened:
    """Open or create a member's data; return its replica, which has applied what the database has.

    Args:
        config: what the member is told.
        rng: chooses election timeouts, and the ids that commands count up from.
        founding: what a new directory begins with; ``founding_of(config)`` if it is left away.
        disk: where log and snapshots lie; the real one, whose directory is locked, if it is left away.
        databases: where the database lies.

    Raises:
        DataDirError: the directory cannot be made or written to.
        DirectoryLockedError: another process has it.
        CorruptError: the log is damaged in the middle; names file and offset.
        BackendError: the database cannot be opened.
        LogBehindError, LogAheadError: log and database do not belong together.
    """
    lock = lock_data_dir(config) if disk is None else None
    try:
        return _open(
            config,
            rng=rng,
            founding=founding,
            lock=lock,
            disk=disk or OsDisk(),
            databases=databases or Folders(),
        )
    except BaseException:
        if lock is not None:
            lock.release()
        raise


def _open(
    config: MemberConfig,
    *,
    rng: random.Random,
    founding: Founding | None,
    lock: DirectoryLock | None,
    disk: Disk,
    databases: Databases,
) -> Opened:
    if not Wal.exists(disk, wal_dir(config)):
        _found(config, founding or founding_of(config), disk=disk, databases=databases)
    wal, recovered = Wal.open(disk, wal_dir(config), segment_bytes=config.wal_segment_bytes)
    for warning in recovered.warnings:
        _log.warning(warning)
    identity = Identity.decode(recovered.metadata)
    backend = _open_database(config, recovered, disk=disk, databases=databases)
    machine = _make_machine(config, identity, backend, term=recovered.hard_state.term)
    if not machine.cluster.members:
        # Written before members were kept: a member that is alone.
        _write_founding(backend, founding_of(config))
    if config.force_new_cluster:
        recovered = stand_alone(wal, recovered, machine.cluster, identity.member_id)
    replica = _make_replica(config, identity, recovered, machine, rng=rng)
    return Opened(config, identity, lock, disk, databases, wal, replica)


def _found(config: MemberConfig, founding: Founding, *, disk: Disk, databases: Databases) -> None:
    """Begin a data directory; one that a crash left half begun is begun again."""
    backend = databases.open(db_dir(config))
    try:
        if load_applied(backend)[0]:
            raise LogBehindError(config.data_dir, last_index=0, applied=load_applied(backend)[0])
        _write_founding(backend, founding)
        backend.commit_now()
    finally:
        backend.close()
    metadata = founding.identity.encode()
    Wal.create(disk, wal_dir(config), metadata, segment_bytes=config.wal_segment_bytes).close()


def _write_founding(backend: Backend, founding: Founding) -> None:
    cluster = Cluster()
    cluster.load(backend)
    cluster.bootstrap(founding.members)
    voters = frozenset() if founding.is_join else frozenset(member.id for member in founding.members)
    save_configuration(backend, 0, Configuration(voters=voters))


def _open_database(
    config: MemberConfig, recovered: Recovered, *, disk: Disk, databases: Databases
) -> Backend:
    """Open the database; first make it of a snapshot that a crash kept from being installed."""
    backend = databases.open(db_dir(config))
    applied = load_applied(backend)[0]
    begins = recovered.checkpoint
    if applied >= begins.index:
        return backend
    snapshot = newest(disk, snap_dir(config))
    for warning in snapshot.warnings:
        _log.warning(warning)
    if snapshot.path is None or snapshot.checkpoint != begins:
        backend.close()
        raise LogAheadError(config.data_dir, first_index=begins.index + 1, applied=applied)
    backend.close()
    _log.info("installing the snapshot that was received before the last stop", index=begins.index)
    incoming = prepare_database(config, snapshot.path, disk=disk, databases=databases)
    return swap_database(config, incoming, databases=databases)


def prepare_database(config: MemberConfig, snapshot: Path, *, disk: Disk, databases: Databases) -> Backend:
    """Make a database of a snapshot file, beside the one that is in use.

    Raises:
        CorruptError: the file is not what was sent.
        BackendError: the disk refused.
    """
    path = db_dir(config).with_name("db.new")
    databases.remove(path)
    databases.load(path, load_snapshot(disk, snapshot))
    return databases.open(path)


def swap_database(config: MemberConfig, incoming: Backend, *, databases: Databases) -> Backend:
    """Put ``incoming`` in place of the database that was in use, which must be closed."""
    path = db_dir(config)
    databases.remove(path)
    databases.move(path.with_name("db.new"), path)
    incoming.moved(path)
    return incoming


def _make_machine(config: MemberConfig, identity: Identity, backend: Backend, *, term: int) -> Machine:
    machine = Machine(
        store=Store.open(backend, progress=_report_progress),
        backend=backend,
        leases=LeaseTable(ttl_s_min=config.lease_ttl_min_s),
        cluster=Cluster(),
        headers=Headers(identity, term),
        quota=Quota(config.quota_bytes),
    )
    machine.quota.used_bytes = backend.size_bytes
    machine.load()
    return machine


def _make_replica(
    config: MemberConfig, identity: Identity, recovered: Recovered, machine: Machine, *, rng: random.Random
) -> Replica:
    index, term, state_hash = load_applied(machine.backend)
    begins = recovered.checkpoint
    last_index = recovered.entries[-1].index if recovered.entries else begins.index
    if last_index < index:
        raise LogBehindError(config.data_dir, last_index=last_index, applied=index)
    configuration = configuration_at(machine.backend, begins.index)
    assert configuration is not None, "the database says who votes since it was made"
    raft = Raft(
        raft_config(config, identity.member_id),
        snapshot=Snapshot(begins.index, begins.term, configuration),
        hard_state=HardState(*recovered.hard_state),
        entries=[Entry(e.term, e.index, e.data, EntryKind(e.kind)) for e in recovered.entries],
        applied=index,
        rng=rng,
    )
    replica = Replica(
        member_id=identity.member_id,
        raft=raft,
        machine=machine,
        cluster=machine.cluster,
        first_id=rng.getrandbits(_ID_BITS),
        limits=replica_limits(config),
    )
    replica.installed(index=index, term=term, state_hash=state_hash)
    return replica


def raft_config(config: MemberConfig, member_id: int) -> Config:
    """Return the consensus core's times and limits; a tick is one heartbeat interval."""
    return Config(member_id=member_id, election_ticks=config.election_ticks, heartbeat_ticks=1)


def replica_limits(config: MemberConfig) -> ReplicaLimits:
    """Return how much may wait."""
    return ReplicaLimits(
        pending_max=config.pending_max,
        pending_bytes_max=config.pending_bytes_max,
        request_timeout_s=config.request_timeout_s,
        lease_extend_s=config.election_timeout_s,
        reconfiguration=ReconfigurationRules(
            is_strict=config.strict_reconfig_check, learners_max=config.max_learners
        ),
    )


def load_applied(backend: Backend) -> tuple[int, int, int]:
    """Return index and term of the last entry whose effects are in the database, and the state's hash."""
    record = backend.get(_META, APPLIED)
    if record is None:
        return 0, 0, 0
    index, term, state_hash = _APPLIED_RECORD.unpack(record.ljust(_APPLIED_RECORD.size, b"\0"))
    return index, term, state_hash


def mark_applied(replica: Replica) -> None:
    """Write the applied index beside the data that it speaks of, into the same transaction."""
    save_applied(
        replica.machine.backend,
        index=replica.applied,
        term=replica.applied_term,
        state_hash=replica.state_hash,
    )


def save_applied(backend: Backend, *, index: int, term: int, state_hash: int) -> None:
    """Write what ``load_applied`` reads."""
    backend.put(_META, APPLIED, _APPLIED_RECORD.pack(index, term, state_hash))


def _report_progress(done: int, total: int) -> None:
    if total >= _WORTH_TELLING:
        _log.info("reading the key index", revisions=done, of=total)
