"""Transactions: the rules of reference section 1.5, one test each."""

from typing import Any

import pytest
from tests.unit.member.conftest import Rig

from fairlead.lease import LeaseNotFoundError
from fairlead.member import COMPACTION, KeyMissingError, is_read_only, is_serializable
from fairlead.mvcc import CompactedError, FutureRevisionError
from fairlead.proto import rpc_pb2 as pb


def put(key: bytes, value: bytes = b"v", **fields: Any) -> pb.RequestOp:
    return pb.RequestOp(request_put=pb.PutRequest(key=key, value=value, **fields))


def get(key: bytes, range_end: bytes = b"", **fields: Any) -> pb.RequestOp:
    return pb.RequestOp(request_range=pb.RangeRequest(key=key, range_end=range_end, **fields))


def delete(key: bytes, range_end: bytes = b"", **fields: Any) -> pb.RequestOp:
    return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key, range_end=range_end, **fields))


def compare(key: bytes, result: int, target: int, **operand: Any) -> pb.Compare:
    return pb.Compare(key=key, result=result, target=target, **operand)  # type: ignore[arg-type]  # plain ints


EQUAL, GREATER, LESS, NOT_EQUAL = (
    pb.Compare.EQUAL,
    pb.Compare.GREATER,
    pb.Compare.LESS,
    pb.Compare.NOT_EQUAL,
)
VERSION, CREATE, MOD, VALUE, LEASE = (
    pb.Compare.VERSION,
    pb.Compare.CREATE,
    pb.Compare.MOD,
    pb.Compare.VALUE,
    pb.Compare.LEASE,
)


def holds(rig: Rig, *compares: pb.Compare) -> bool:
    return rig.txn(compare=compares).succeeded


def test_an_empty_list_of_comparisons_succeeds(rig: Rig) -> None:
    assert rig.txn(success=[put(b"a")]).succeeded


@pytest.mark.parametrize(
    ("target", "operand", "equal", "smaller"),
    [
        (VERSION, "version", 2, 1),
        (CREATE, "create_revision", 3, 2),
        (MOD, "mod_revision", 4, 3),
        (VALUE, "value", b"b", b"a"),
        (LEASE, "lease", 5, 4),
    ],
)
def test_each_target_compares_by_each_result(
    rig: Rig, target: int, operand: str, equal: Any, smaller: Any
) -> None:
    rig.grant(5)
    rig.put(b"other")
    rig.put(b"k", b"a", lease=5)
    rig.put(b"k", b"b", lease=5)
    assert holds(rig, compare(b"k", EQUAL, target, **{operand: equal}))
    assert not holds(rig, compare(b"k", EQUAL, target, **{operand: smaller}))
    assert holds(rig, compare(b"k", NOT_EQUAL, target, **{operand: smaller}))
    assert holds(rig, compare(b"k", GREATER, target, **{operand: smaller}))
    assert not holds(rig, compare(b"k", LESS, target, **{operand: equal}))


def test_a_missing_key_compares_as_zero_but_never_by_value(rig: Rig) -> None:
    assert holds(rig, compare(b"k", EQUAL, VERSION, version=0))
    assert holds(rig, compare(b"k", LESS, CREATE, create_revision=1))
    assert not holds(rig, compare(b"k", EQUAL, VALUE, value=b""))
    assert not holds(rig, compare(b"k", NOT_EQUAL, VALUE, value=b"x"))


def test_a_comparison_without_an_operand_compares_with_zero(rig: Rig) -> None:
    assert holds(rig, compare(b"k", EQUAL, MOD))
    rig.put(b"k")
    assert not holds(rig, compare(b"k", EQUAL, MOD))


def test_a_range_comparison_must_hold_for_every_key(rig: Rig) -> None:
    rig.put(b"a1", b"x")
    rig.put(b"a2", b"x")
    both = pb.Compare(key=b"a", range_end=b"b", result=EQUAL, target=VALUE, value=b"x")
    assert holds(rig, both)
    rig.put(b"a3", b"y")
    assert not holds(rig, both)


def test_an_empty_range_compares_as_one_key_of_zeros(rig: Rig) -> None:
    assert holds(rig, pb.Compare(key=b"a", range_end=b"b", result=EQUAL, target=VERSION, version=0))
    assert not holds(rig, pb.Compare(key=b"a", range_end=b"b", result=NOT_EQUAL, target=VALUE, value=b"x"))


def test_nested_comparisons_see_the_state_before_any_write(rig: Rig) -> None:
    nested = pb.TxnRequest(
        compare=[compare(b"a", EQUAL, VERSION, version=0)], success=[put(b"yes")], failure=[put(b"no")]
    )
    rig.txn(success=[put(b"a"), pb.RequestOp(request_txn=nested)])
    assert rig.range(b"yes").count == 1
    assert rig.range(b"no").count == 0


def test_all_writes_of_a_transaction_make_one_revision(rig: Rig) -> None:
    answer = rig.txn(success=[put(b"a"), put(b"b"), delete(b"c")])
    assert answer.header.revision == 2
    assert {kv.mod_revision for kv in rig.range(b"a", b"z").kvs} == {2}


def test_a_transaction_that_changes_nothing_makes_no_revision(rig: Rig) -> None:
    assert rig.txn(success=[delete(b"a")]).header.revision == 1


def test_later_operations_see_earlier_writes(rig: Rig) -> None:
    answer = rig.txn(success=[put(b"a", b"1"), get(b"a"), delete(b"a"), get(b"a")])
    assert answer.responses[1].response_range.kvs[0].value == b"1"
    assert answer.responses[3].response_range.count == 0


def test_responses_come_in_the_order_of_the_operations(rig: Rig) -> None:
    answer = rig.txn(success=[get(b"x"), put(b"a"), delete(b"b")])
    kinds = [response.WhichOneof("response") for response in answer.responses]
    assert kinds == ["response_range", "response_put", "response_delete_range"]


def test_nested_headers_carry_the_revision_alone_and_are_never_missing(rig: Rig) -> None:
    """kube-apiserver reads the revision of the nested put and delete."""
    answer = rig.txn(success=[get(b"x"), put(b"a"), get(b"a"), delete(b"a")])
    headers = [
        answer.responses[0].response_range.header,
        answer.responses[1].response_put.header,
        answer.responses[2].response_range.header,
        answer.responses[3].response_delete_range.header,
    ]
    assert [header.revision for header in headers] == [1, 2, 2, 2]
    assert {(header.cluster_id, header.member_id, header.raft_term) for header in headers} == {(0, 0, 0)}
    assert answer.responses[1].response_put.HasField("header")


def test_a_nested_transaction_runs_the_branch_that_was_chosen(rig: Rig) -> None:
    nested = pb.TxnRequest(
        compare=[compare(b"a", GREATER, VERSION, version=0)], success=[put(b"yes")], failure=[put(b"no")]
    )
    answer = rig.txn(success=[pb.RequestOp(request_txn=nested)])
    assert not answer.responses[0].response_txn.succeeded
    assert answer.responses[0].response_txn.HasField("header")
    assert rig.range(b"no").count == 1


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (put(b"b", lease=99), LeaseNotFoundError),
        (put(b"b", b"", ignore_value=True), KeyMissingError),
        (put(b"b", ignore_lease=True), KeyMissingError),
        (get(b"b", revision=99), FutureRevisionError),
        (get(b"b", revision=3), FutureRevisionError),
        (get(b"b", revision=1), CompactedError),
    ],
)
def test_what_cannot_be_done_fails_the_whole_before_any_write(
    rig: Rig, bad: pb.RequestOp, error: type[Exception]
) -> None:
    """etcd's issue 18667: a range that fails after a write would leave half a transaction."""
    rig.put(b"x")
    rig.do(COMPACTION, pb.CompactionRequest(revision=2))
    with pytest.raises(error):
        rig.txn(success=[put(b"a"), bad])
    assert rig.range(b"a").count == 0
    assert rig.store.revision == 2


def test_only_ranges_make_a_transaction_read_only() -> None:
    assert is_read_only(pb.TxnRequest(success=[get(b"a")], failure=[get(b"b")]))
    assert not is_read_only(pb.TxnRequest(success=[get(b"a"), delete(b"b")]))
    assert not is_read_only(pb.TxnRequest(success=[pb.RequestOp(request_txn=pb.TxnRequest())]))


def test_a_transaction_without_operations_is_read_linearizably() -> None:
    """etcd answers it from local state that may be old; a comparison deserves better."""
    assert is_read_only(pb.TxnRequest())
    assert not is_serializable(pb.TxnRequest())
    assert is_serializable(pb.TxnRequest(success=[get(b"a", serializable=True)]))
    assert not is_serializable(pb.TxnRequest(success=[get(b"a", serializable=True), get(b"b")]))
