"""Opening a data directory: fresh, again, after a crash, and when it makes no sense."""

import random
import shutil
from pathlib import Path

import pytest

from fairlead.member import PUT, LogBehindError, MemberConfig
from fairlead.member.opening import Opened, mark_applied, open_member
from fairlead.proto import rpc_pb2 as pb
from fairlead.wal import CorruptError, DirectoryLockedError


def config_at(tmp_path: Path) -> MemberConfig:
    return MemberConfig(data_dir=tmp_path / "data")


def opened_at(tmp_path: Path) -> Opened:
    return open_member(config_at(tmp_path), rng=random.Random(1))


def run(opened: Opened) -> None:
    """Do what waits, as a running member does."""
    while (work := opened.replica.take(now_s=0.0)) is not None:
        if work.needs_disk:
            assert work.ready is not None
            opened.wal.append(work.ready.entries, work.hard_state)
            opened.wal.sync()
        opened.replica.written(work)


def put(opened: Opened, key: bytes) -> None:
    """Write one key through log and machine."""
    request = pb.PutRequest(key=key)
    opened.replica.propose(PUT, request.SerializeToString(), request, lambda _: None, deadline_s=9.0)
    run(opened)


def lead(opened: Opened) -> Opened:
    opened.replica.raft.campaign()
    run(opened)
    return opened


def crash(opened: Opened) -> None:
    """Leave as kill -9 does: nothing is committed, nothing is closed in order."""
    opened.backend.close()
    assert opened.lock is not None
    opened.lock.release()


def test_a_crash_before_any_commit_loses_nothing_that_was_synced(tmp_path: Path) -> None:
    opened = lead(opened_at(tmp_path))
    for key in (b"a", b"b"):
        put(opened, key)
    crash(opened)
    again = lead(opened_at(tmp_path))
    assert again.machine.store.revision == 3
    assert again.machine.store.latest(b"b") is not None
    assert again.replica.applied == 4
    crash(again)


def test_entries_that_the_database_has_are_not_applied_twice(tmp_path: Path) -> None:
    opened = lead(opened_at(tmp_path))
    put(opened, b"a")
    mark_applied(opened.replica)
    opened.backend.commit_now()
    put(opened, b"b")
    crash(opened)
    again = lead(opened_at(tmp_path))
    assert again.machine.store.revision == 3
    assert again.machine.store.range(b"a", b"z").count == 2
    crash(again)


def test_the_term_grows_with_every_start(tmp_path: Path) -> None:
    """Clients take a term that goes down for a stale member."""
    terms = []
    for key in (b"a", b"b", b"c"):
        opened = lead(opened_at(tmp_path))
        put(opened, key)
        terms.append(opened.replica.raft.term)
        crash(opened)
    assert terms == [1, 2, 3]


def test_the_identity_is_that_of_the_first_start(tmp_path: Path) -> None:
    first = opened_at(tmp_path)
    crash(first)
    other = MemberConfig(data_dir=tmp_path / "data", peer_urls=("http://elsewhere:2380",))
    again = open_member(other, rng=random.Random(1))
    assert again.identity == first.identity
    crash(again)


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    opened = opened_at(tmp_path)
    with pytest.raises(DirectoryLockedError):
        opened_at(tmp_path)
    crash(opened)


def test_a_failed_opening_lets_the_directory_go(tmp_path: Path) -> None:
    opened = lead(opened_at(tmp_path))
    put(opened, b"a")
    crash(opened)
    (segment,) = (tmp_path / "data" / "wal").glob("*.wal")
    damaged = bytearray(segment.read_bytes())
    damaged[20] ^= 1
    segment.write_bytes(damaged)
    for _ in range(2):
        with pytest.raises(CorruptError) as caught:
            opened_at(tmp_path)
        assert caught.value.path == segment


def test_a_log_that_is_behind_the_database_is_refused(tmp_path: Path) -> None:
    opened = lead(opened_at(tmp_path))
    put(opened, b"a")
    mark_applied(opened.replica)
    opened.backend.commit_now()
    crash(opened)
    shutil.rmtree(tmp_path / "data" / "wal")
    with pytest.raises(LogBehindError, match="restore both from one backup"):
        opened_at(tmp_path)
