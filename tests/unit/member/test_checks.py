"""What is refused before it is proposed: reference sections 1.3 to 1.5."""

import pytest
from tests.unit.member.test_txn import delete, get, put

from fairlead.member import (
    DuplicateKeyError,
    EmptyKeyError,
    InvalidSortOptionError,
    KeyMissingError,
    LeaseProvidedError,
    TooManyOpsError,
    ValueProvidedError,
    check_delete_range,
    check_put,
    check_range,
    check_txn,
)
from fairlead.proto import rpc_pb2 as pb


def nest(*success: pb.RequestOp, failure: tuple[pb.RequestOp, ...] = ()) -> pb.RequestOp:
    return pb.RequestOp(request_txn=pb.TxnRequest(success=success, failure=failure))


def check(*success: pb.RequestOp, failure: tuple[pb.RequestOp, ...] = (), ops_max: int = 128) -> None:
    check_txn(pb.TxnRequest(success=success, failure=failure), ops_max=ops_max)


def test_every_request_needs_a_key() -> None:
    with pytest.raises(EmptyKeyError):
        check_range(pb.RangeRequest())
    with pytest.raises(EmptyKeyError):
        check_put(pb.PutRequest(value=b"v"))
    with pytest.raises(EmptyKeyError):
        check_delete_range(pb.DeleteRangeRequest())
    with pytest.raises(EmptyKeyError):
        check_txn(pb.TxnRequest(compare=[pb.Compare()]), ops_max=128)


def test_what_is_ignored_must_not_be_given() -> None:
    with pytest.raises(ValueProvidedError):
        check_put(pb.PutRequest(key=b"a", value=b"v", ignore_value=True))
    with pytest.raises(LeaseProvidedError):
        check_put(pb.PutRequest(key=b"a", lease=1, ignore_lease=True))


def test_an_unknown_sort_option_is_refused() -> None:
    with pytest.raises(InvalidSortOptionError):
        check_range(pb.RangeRequest(key=b"a", sort_order=7))  # type: ignore[arg-type]  # not one of them
    with pytest.raises(InvalidSortOptionError):
        check_range(pb.RangeRequest(key=b"a", sort_target=7))  # type: ignore[arg-type]  # not one of them


def test_an_operation_that_says_nothing_is_a_key_not_found() -> None:
    with pytest.raises(KeyMissingError):
        check(pb.RequestOp())


def test_the_largest_list_counts_and_nesting_takes_from_what_is_left() -> None:
    check(*[get(b"a")] * 3, ops_max=3)
    with pytest.raises(TooManyOpsError):
        check(*[get(b"a")] * 4, ops_max=3)
    check(nest(get(b"a"), get(b"b")), ops_max=3)
    with pytest.raises(TooManyOpsError):
        check(nest(get(b"a"), get(b"b"), get(b"c")), ops_max=3)


def test_a_key_may_be_put_only_once_in_a_branch() -> None:
    with pytest.raises(DuplicateKeyError):
        check(put(b"a"), put(b"a"))
    check(put(b"a"), failure=(put(b"a"),))


def test_the_branch_that_will_not_run_is_checked_too() -> None:
    with pytest.raises(DuplicateKeyError):
        check(get(b"x"), failure=(put(b"a"), put(b"a")))


def test_a_put_inside_a_deleted_range_is_refused_at_any_depth() -> None:
    with pytest.raises(DuplicateKeyError):
        check(delete(b"a", b"c"), put(b"b"))
    with pytest.raises(DuplicateKeyError):
        check(delete(b"a", b"c"), nest(put(b"b")))
    with pytest.raises(DuplicateKeyError):
        check(nest(delete(b"a", b"c")), put(b"b"))
    check(delete(b"a", b"c"), put(b"c"))


def test_a_deletion_of_all_from_a_key_on_forbids_no_put() -> None:
    """etcd overlooks the open end here (seen on 3.4 and 3.5), and so it is what clients may do."""
    check(delete(b"a", b"\0"), put(b"zzz"))
    check(put(b"zzz"), delete(b"a", b"\0"))
    check(nest(delete(b"a", b"\0")), put(b"zzz"))


def test_a_single_key_deletion_is_a_range_of_one() -> None:
    with pytest.raises(DuplicateKeyError):
        check(delete(b"a"), put(b"a"))
    check(delete(b"a"), put(b"a\0"))


def test_deletions_may_overlap() -> None:
    check(delete(b"a", b"c"), delete(b"b", b"d"))


def test_then_and_else_of_a_nested_transaction_exclude_each_other() -> None:
    check(nest(put(b"a"), failure=(put(b"a"),)))
    with pytest.raises(DuplicateKeyError):
        check(nest(put(b"a"), failure=(put(b"a"),)), put(b"a"))
    with pytest.raises(DuplicateKeyError):
        check(nest(put(b"a")), nest(put(b"a")))
