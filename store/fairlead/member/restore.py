"""Making a data directory of a snapshot file: how a cluster begins again after all of it was lost.

Every member of the new cluster is restored from the same file, each into a directory of its own.  Keys, revisions,
leases and alarms are those of the snapshot; members are those of the new cluster.  Its log begins behind the entry
that the snapshot was made at, so that a member which joins later is given a snapshot and not an empty state.

The directory gets its name when it is whole.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from fairlead.member.backup import BackupHeader, check_backup, read_database
from fairlead.member.cluster import Cluster
from fairlead.member.config import MemberConfig
from fairlead.member.configurations import save_configuration
from fairlead.member.errors import DataDirError
from fairlead.member.opening import Founding, db_dir, founding_of, load_applied, save_applied, wal_dir
from fairlead.mvcc import Backend, BucketName, Store
from fairlead.raft import Configuration
from fairlead.wal import Checkpoint, HardState, OsDisk, Wal

_OF_THE_OLD_CLUSTER = (BucketName.CLUSTER, BucketName.MEMBERS, BucketName.MEMBERS_REMOVED)


def restore_member(
    snapshot: Path, config: MemberConfig, *, skip_hash_check: bool = False, bump_revision: int = 0
) -> int:
    """Make ``config.data_dir`` of a snapshot file; return the revision that its store is at.

    Args:
        snapshot: as ``etcdctl snapshot save`` wrote it.
        config: name, data directory, peer URLs, initial cluster and token of the member to be.
        skip_hash_check: believe the file, whatever its checksum says.
        bump_revision: go on this many revisions later, with no history before: nobody who has seen revisions that
            were written after the snapshot takes new ones for them.

    Raises:
        BackupError: the file is not a whole snapshot of this store.
        DataDirError: the directory holds something already, or cannot be made.
        BackendError: the disk refused the database.
        WalError: the disk refused the log.
    """
    header = check_backup(snapshot, skip_hash=skip_hash_check)
    final = config.data_dir
    unfinished = final.with_name(final.name + ".restoring")
    try:
        if final.exists() and any(final.iterdir()):
            raise DataDirError(final, "it is not empty")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        try:
            unnamed = replace(config, data_dir=unfinished)
            revision = _restore(snapshot, header, unnamed, bump_revision=bump_revision)
            unfinished.replace(final)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        OsDisk().sync_directory(final.parent)
    except OSError as error:
        raise DataDirError(final, error.strerror or str(error)) from error
    return revision


def _restore(snapshot: Path, header: BackupHeader, config: MemberConfig, *, bump_revision: int) -> int:
    founding = founding_of(config)
    Backend.load(db_dir(config), read_database(snapshot, header))
    backend = Backend.open(db_dir(config))
    try:
        store = Store.open(backend)
        if bump_revision:
            store.bump(bump_revision)
        begins = _begin_again(backend, founding)
    finally:
        backend.close()
    disk = OsDisk()
    Wal.create(disk, wal_dir(config), founding.identity.encode()).close()
    wal, _ = Wal.open(disk, wal_dir(config))
    wal.checkpoint(begins)
    wal.append([], HardState(begins.term, 0, begins.index))
    wal.close()
    return store.revision


def _begin_again(backend: Backend, founding: Founding) -> Checkpoint:
    """Put the new members in place of the old; return where the new log begins."""
    for bucket in _OF_THE_OLD_CLUSTER:
        for key, _ in list(backend.items(bucket)):
            backend.delete(bucket, key)
    index, term, state_hash = load_applied(backend)
    # An entry 0 would let a later member begin without a snapshot.
    begins = Checkpoint(max(1, term), max(1, index))
    save_applied(backend, index=begins.index, term=begins.term, state_hash=state_hash)
    cluster = Cluster()
    cluster.load(backend)
    cluster.bootstrap(founding.members)
    voters = frozenset(member.id for member in founding.members)
    save_configuration(backend, begins.index, Configuration(voters=voters))
    backend.commit_now()
    return begins
