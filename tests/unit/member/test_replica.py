"""The order of things: durable, applied, answered; and what happens to those who wait in vain."""

from pathlib import Path

import pytest
from tests.unit.member.conftest import Rig, make_follower, make_rig

from fairlead.member import PUT, StoppedError, TimedOutError, TooManyRequestsError
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import Entry


def propose(rig: Rig, answers: list[bytes | Exception], key: bytes = b"a", deadline_s: float = 5.0) -> None:
    request = pb.PutRequest(key=key)
    rig.replica.propose(PUT, request.SerializeToString(), request, answers.append, deadline_s=deadline_s)


def test_nothing_is_answered_or_applied_before_its_entry_is_durable(rig: Rig) -> None:
    answers: list[bytes | Exception] = []
    propose(rig, answers)
    work = rig.take()
    assert work is not None
    assert work.needs_disk
    assert rig.take() is None
    assert answers == []
    assert rig.store.revision == 1
    rig.replica.written(work)
    rig.flush()
    assert len(answers) == 1
    assert rig.store.revision == 2


def test_proposals_that_arrive_together_share_a_write(rig: Rig) -> None:
    answers: list[bytes | Exception] = []
    for key in (b"a", b"b", b"c"):
        propose(rig, answers, key)
    work = rig.take()
    assert work is not None
    assert work.ready is not None
    assert len(work.ready.entries) == 3
    assert rig.take() is None


def test_a_term_begins_with_an_empty_entry_of_its_own(tmp_path: Path) -> None:
    """Raft, section 8: that is how a leader learns what is committed."""
    rig = make_follower(tmp_path / "db")
    rig.replica.raft.campaign()
    entries: list[Entry] = []
    while (work := rig.take()) is not None:
        entries += [] if work.ready is None else work.ready.entries
        rig.replica.written(work)
    assert [(e.term, e.index, e.data) for e in entries] == [(1, 1, b"")]
    assert rig.replica.applied == 1
    rig.machine.backend.close()


def test_nothing_is_read_linearizably_before_an_entry_of_the_own_term_is_applied(tmp_path: Path) -> None:
    rig = make_follower(tmp_path / "db")
    rig.replica.raft.campaign()
    reads: list[Exception | None] = []
    rig.replica.read(reads.append, deadline_s=9.0)
    before = (rig.replica.can_read, list(reads))
    rig.flush()
    assert before == (False, [])
    assert (rig.replica.can_read, reads) == (True, [None])
    rig.machine.backend.close()


def test_who_waits_too_long_is_told_and_the_write_may_still_happen(rig: Rig) -> None:
    answers: list[bytes | Exception] = []
    propose(rig, answers, deadline_s=1.0)
    propose(rig, answers, b"b", deadline_s=9.0)
    rig.replica.tick(now_s=1.0)
    assert [type(a) for a in answers] == [TimedOutError]
    rig.flush()
    assert rig.range(b"a").count == 1
    assert len(answers) == 2


def test_a_stopping_replica_tells_everybody(rig: Rig) -> None:
    answers: list[bytes | Exception] = []
    propose(rig, answers)
    rig.replica.stop()
    assert [type(a) for a in answers] == [StoppedError]


def test_the_queue_has_a_bound_in_number_and_in_bytes(rig: Rig) -> None:
    answers: list[bytes | Exception] = []
    for _ in range(10):
        propose(rig, answers)
    with pytest.raises(TooManyRequestsError):
        propose(rig, answers)
    rig.flush()
    request = pb.PutRequest(key=b"a", value=bytes(10_001))
    with pytest.raises(TooManyRequestsError):
        rig.replica.propose(PUT, request.SerializeToString(), request, answers.append, deadline_s=1.0)


def test_a_replica_that_applies_the_same_entries_reaches_the_same_bytes(tmp_path: Path) -> None:
    """Entries are all there is: whoever applies the same ones has the same state."""
    first = make_rig(tmp_path / "one")
    answers: list[bytes | Exception] = []
    for key in (b"a", b"b", b"a"):
        propose(first, answers, key)
        first.flush()
    entries = first.replica.raft.log.entries_from(1)
    second = make_follower(tmp_path / "two")
    second.replica.applier.apply(entries)
    assert second.store.hash_kv() == first.store.hash_kv()
    assert second.replica.state_hash == first.replica.state_hash != 0
    first.machine.backend.close()
    second.machine.backend.close()
