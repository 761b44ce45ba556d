"""The order of things: durable, applied, answered; and what happens to those who wait in vain."""

from pathlib import Path

import pytest
from tests.unit.member.conftest import Rig, make_rig

from fairlead.member import PUT, StoppedError, TimedOutError, TooManyRequestsError
from fairlead.proto import rpc_pb2 as pb
from fairlead.wal import Entry


def propose(rig: Rig, answers: list[bytes | Exception], key: bytes = b"a", deadline_s: float = 5.0) -> None:
    request = pb.PutRequest(key=key)
    rig.replica.propose(PUT, request.SerializeToString(), request, answers.append, deadline_s=deadline_s)


def test_nothing_is_answered_or_applied_before_its_entry_is_durable(rig: Rig) -> None:
    answers: list[bytes | Exception] = []
    propose(rig, answers)
    batch = rig.replica.take_batch()
    assert batch is not None
    assert answers == []
    assert rig.store.revision == 1
    rig.replica.written(batch)
    assert len(answers) == 1
    assert rig.store.revision == 2


def test_proposals_that_arrive_during_a_write_share_the_next_one(rig: Rig) -> None:
    answers: list[bytes | Exception] = []
    propose(rig, answers)
    first = rig.replica.take_batch()
    propose(rig, answers, b"b")
    propose(rig, answers, b"c")
    assert first is not None
    rig.replica.written(first)
    second = rig.replica.take_batch()
    assert second is not None
    assert len(second.entries) == 2
    assert rig.replica.take_batch() is None


def test_entries_of_a_term_follow_each_other_and_a_term_begins_with_its_own(rig: Rig) -> None:
    """Raft, section 8: the leader's first entry is empty."""
    answers: list[bytes | Exception] = []
    propose(rig, answers)
    batch = rig.replica.take_batch()
    assert batch is not None
    assert [(e.term, e.index) for e in batch.entries] == [(2, 2)]
    assert rig.replica.applied == 1


def test_nothing_is_read_linearizably_before_an_entry_of_the_own_term_is_applied(tmp_path: Path) -> None:
    rig = make_rig(tmp_path / "db")
    rig.replica.campaign()
    before = rig.replica.can_read
    rig.flush()
    assert (before, rig.replica.can_read) == (False, True)
    rig.machine.backend.close()


def test_who_waits_too_long_is_told_and_the_write_may_still_happen(rig: Rig) -> None:
    answers: list[bytes | Exception] = []
    propose(rig, answers, deadline_s=1.0)
    propose(rig, answers, b"b", deadline_s=9.0)
    rig.replica.expire(now_s=1.0)
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


def test_a_replica_that_replays_the_log_reaches_the_same_bytes(tmp_path: Path) -> None:
    """Entries are all there is: whoever applies the same ones has the same state."""
    first = make_rig(tmp_path / "one")
    entries: list[Entry] = []
    answers: list[bytes | Exception] = []
    for key in (b"a", b"b", b"a"):
        propose(first, answers, key)
        batch = first.replica.take_batch()
        assert batch is not None
        entries += batch.entries
        first.replica.written(batch)
    second = make_rig(tmp_path / "two")
    second.replica.apply(entries)
    assert second.store.hash_kv() == first.store.hash_kv()
    first.machine.backend.close()
    second.machine.backend.close()
