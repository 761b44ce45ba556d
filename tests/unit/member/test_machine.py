"""What each command does: the rules of revisions, headers, puts, deletions, leases and alarms.

Source: reference of etcd's API, sections 1.2, 1.4, 1.7 and 1.9.
"""

from pathlib import Path

import pytest
from tests.unit.member.conftest import IDENTITY, Rig, make_rig

from fairlead.lease import LeaseExistsError, LeaseNotFoundError, LeaseTtlTooLargeError
from fairlead.member import (
    ALARM,
    COMPACTION,
    LEASE_REVOKE,
    CorruptClusterError,
    KeyMissingError,
    NoSpaceError,
)
from fairlead.mvcc import CompactedError, FutureRevisionError
from fairlead.proto import rpc_pb2 as pb


def alarm(rig: Rig, action: int, kind: int) -> pb.AlarmResponse:
    request = pb.AlarmRequest(action=action, memberID=9, alarm=kind)  # type: ignore[arg-type]  # plain ints
    return pb.AlarmResponse.FromString(rig.do(ALARM, request))


def test_an_empty_store_is_at_revision_1_and_the_first_write_makes_2(rig: Rig) -> None:
    assert rig.range(b"a").header.revision == 1
    assert rig.put(b"a").header.revision == 2


def test_a_header_names_cluster_member_revision_and_term(rig: Rig) -> None:
    header = rig.put(b"a").header
    assert (header.cluster_id, header.member_id) == (IDENTITY.cluster_id, IDENTITY.member_id)
    assert (header.revision, header.raft_term) == (2, 1)


def test_a_put_of_the_same_value_makes_a_revision_all_the_same(rig: Rig) -> None:
    rig.put(b"a")
    assert rig.put(b"a").header.revision == 3
    assert rig.range(b"a").kvs[0].version == 2


def test_a_deletion_that_matches_nothing_makes_no_revision(rig: Rig) -> None:
    rig.put(b"a")
    answer = rig.delete(b"b")
    assert (answer.header.revision, answer.deleted) == (2, 0)


def test_a_past_range_tells_the_current_revision_in_its_header(rig: Rig) -> None:
    rig.put(b"a", b"1")
    rig.put(b"a", b"2")
    answer = rig.range(b"a", revision=2)
    assert answer.kvs[0].value == b"1"
    assert answer.header.revision == 3


def test_a_deleted_key_begins_a_new_generation(rig: Rig) -> None:
    rig.put(b"a")
    rig.put(b"a")
    rig.delete(b"a")
    rig.put(b"a")
    kv = rig.range(b"a").kvs[0]
    assert (kv.create_revision, kv.mod_revision, kv.version) == (5, 5, 1)


def test_a_put_gives_the_previous_pair_only_when_it_is_asked_and_exists(rig: Rig) -> None:
    assert not rig.put(b"a", b"1", prev_kv=True).HasField("prev_kv")
    assert not rig.put(b"a", b"2").HasField("prev_kv")
    assert rig.put(b"a", b"3", prev_kv=True).prev_kv.value == b"2"


def test_a_deletion_gives_the_previous_pairs_in_key_order(rig: Rig) -> None:
    for key in (b"c", b"a", b"b"):
        rig.put(key)
    answer = rig.delete(b"a", b"z", prev_kv=True)
    assert answer.deleted == 3
    assert [kv.key for kv in answer.prev_kvs] == [b"a", b"b", b"c"]


def test_ignore_value_keeps_the_value_and_ignore_lease_the_lease(rig: Rig) -> None:
    rig.grant(5)
    rig.put(b"a", b"old", lease=5)
    rig.put(b"a", b"", ignore_value=True, lease=0)
    assert (rig.range(b"a").kvs[0].value, rig.range(b"a").kvs[0].lease) == (b"old", 0)
    rig.put(b"a", b"old", lease=5)
    rig.put(b"a", b"new", ignore_lease=True)
    assert (rig.range(b"a").kvs[0].value, rig.range(b"a").kvs[0].lease) == (b"new", 5)


@pytest.mark.parametrize("field", ["ignore_value", "ignore_lease"])
def test_ignoring_a_field_of_a_missing_key_is_refused(rig: Rig, field: str) -> None:
    with pytest.raises(KeyMissingError):
        rig.put(b"a", b"", **{field: True})
    assert rig.store.revision == 1


def test_a_put_on_an_unknown_lease_is_refused_and_changes_nothing(rig: Rig) -> None:
    with pytest.raises(LeaseNotFoundError):
        rig.put(b"a", lease=77)
    assert rig.store.revision == 1


def test_a_put_that_lacks_both_its_lease_and_its_key_names_the_lease(rig: Rig) -> None:
    """In a transaction it is the key: clients see which mistake is named first."""
    request = pb.PutRequest(key=b"none", ignore_value=True, lease=99)
    with pytest.raises(LeaseNotFoundError):
        rig.put(b"none", b"", ignore_value=True, lease=99)
    with pytest.raises(KeyMissingError):
        rig.txn(success=[pb.RequestOp(request_put=request)])


def test_a_put_without_a_lease_takes_the_key_off_its_lease(rig: Rig) -> None:
    rig.grant(5)
    rig.put(b"a", lease=5)
    rig.put(b"a")
    rig.do(LEASE_REVOKE, pb.LeaseRevokeRequest(ID=5))
    assert rig.range(b"a").count == 1


def test_a_deleted_key_leaves_its_lease(rig: Rig) -> None:
    rig.grant(5)
    rig.put(b"a", lease=5)
    rig.delete(b"a")
    rig.put(b"a")
    rig.do(LEASE_REVOKE, pb.LeaseRevokeRequest(ID=5))
    assert rig.range(b"a").count == 1


def test_a_revoked_lease_takes_its_keys_at_one_revision(rig: Rig) -> None:
    rig.grant(5)
    rig.put(b"b", lease=5)
    rig.put(b"a", lease=5)
    rig.put(b"c")
    rig.do(LEASE_REVOKE, pb.LeaseRevokeRequest(ID=5))
    assert rig.store.revision == 5
    assert [kv.key for kv in rig.range(b"a", b"z").kvs] == [b"c"]


def test_revoking_a_lease_without_keys_makes_no_revision(rig: Rig) -> None:
    rig.grant(5)
    answer = pb.LeaseRevokeResponse.FromString(rig.do(LEASE_REVOKE, pb.LeaseRevokeRequest(ID=5)))
    assert answer.header.revision == 1
    with pytest.raises(LeaseNotFoundError):
        rig.do(LEASE_REVOKE, pb.LeaseRevokeRequest(ID=5))


def test_a_short_ttl_is_raised_without_a_word_and_a_huge_one_refused(rig: Rig) -> None:
    assert rig.grant(5, 0).TTL == 2
    with pytest.raises(LeaseTtlTooLargeError):
        rig.grant(6, 9_000_000_001)
    with pytest.raises(LeaseExistsError):
        rig.grant(5)


def test_leases_and_what_is_attached_outlive_a_restart(tmp_path: Path) -> None:
    rig = make_rig(tmp_path / "db")
    rig.grant(-5)
    rig.put(b"a", lease=-5)
    rig.machine.backend.commit_now()
    rig.machine.backend.close()
    again = make_rig(tmp_path / "db")
    again.do(LEASE_REVOKE, pb.LeaseRevokeRequest(ID=-5))
    assert again.range(b"a").count == 0
    again.machine.backend.close()


def test_compaction_is_refused_twice_and_in_the_future_but_its_own_revision_stays_readable(rig: Rig) -> None:
    for value in (b"1", b"2", b"3"):
        rig.put(b"a", value)
    answer = pb.CompactionResponse.FromString(rig.do(COMPACTION, pb.CompactionRequest(revision=3)))
    assert answer.header.revision == 4
    with pytest.raises(CompactedError):
        rig.do(COMPACTION, pb.CompactionRequest(revision=3))
    with pytest.raises(FutureRevisionError):
        rig.do(COMPACTION, pb.CompactionRequest(revision=5))
    assert rig.range(b"a", revision=3).kvs[0].value == b"2"
    with pytest.raises(CompactedError):
        rig.range(b"a", revision=2)


def test_the_put_that_reaches_the_quota_stands_and_tells(tmp_path: Path) -> None:
    """As in etcd: what is applied is applied everywhere; the client learns that space is out."""
    rig = make_rig(tmp_path / "db", quota_bytes=300)
    with pytest.raises(NoSpaceError):
        rig.put(b"a", b"x" * 100)
    assert rig.range(b"a").count == 1
    rig.machine.backend.close()


def test_under_the_nospace_alarm_only_what_grows_is_refused(rig: Rig) -> None:
    rig.put(b"a")
    alarm(rig, pb.AlarmRequest.ACTIVATE, pb.NOSPACE)
    with pytest.raises(NoSpaceError):
        rig.put(b"b")
    with pytest.raises(NoSpaceError):
        rig.grant(5)
    with pytest.raises(NoSpaceError):
        rig.txn(success=[pb.RequestOp(request_put=pb.PutRequest(key=b"b"))])
    assert rig.delete(b"a").deleted == 1
    rig.txn(success=[pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=b"a"))])
    alarm(rig, pb.AlarmRequest.DEACTIVATE, pb.NOSPACE)
    rig.put(b"b")


def test_under_the_corrupt_alarm_nothing_is_written(rig: Rig) -> None:
    alarm(rig, pb.AlarmRequest.ACTIVATE, pb.CORRUPT)
    with pytest.raises(CorruptClusterError):
        rig.delete(b"a")


def test_disarming_gives_the_alarm_back_once(rig: Rig) -> None:
    alarm(rig, pb.AlarmRequest.ACTIVATE, pb.NOSPACE)
    listed = alarm(rig, pb.AlarmRequest.GET, pb.NONE)
    assert [(a.memberID, a.alarm) for a in listed.alarms] == [(9, pb.NOSPACE)]
    assert len(alarm(rig, pb.AlarmRequest.DEACTIVATE, pb.NOSPACE).alarms) == 1
    assert len(alarm(rig, pb.AlarmRequest.DEACTIVATE, pb.NOSPACE).alarms) == 0


def test_alarms_outlive_a_restart(tmp_path: Path) -> None:
    rig = make_rig(tmp_path / "db")
    alarm(rig, pb.AlarmRequest.ACTIVATE, pb.NOSPACE)
    rig.machine.backend.commit_now()
    rig.machine.backend.close()
    again = make_rig(tmp_path / "db")
    with pytest.raises(NoSpaceError):
        again.put(b"a")
    again.machine.backend.close()
