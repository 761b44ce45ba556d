"""What clients are told: etcd's codes and texts, for every error there is."""

import fairlead.api.kv
from fairlead import lease, member, mvcc
from fairlead.api.status import STATUS, status_of
from fairlead.lease import LeaseError
from fairlead.member import (
    BackupError,
    CorruptMemberError,
    DataDirError,
    JoinError,
    LogAheadError,
    LogBehindError,
    MemberError,
    RemovedError,
)
from fairlead.mvcc import BackendError, MvccError
from fairlead.rpc import Code, RpcError


def leaves(kind: type[BaseException]) -> set[type[BaseException]]:
    """The classes below ``kind`` that have none below them."""
    below = kind.__subclasses__()
    return {kind} if not below else set().union(*map(leaves, below))


def test_no_error_that_a_request_can_meet_is_without_a_status() -> None:
    # All of them are imported, so that every class exists.
    assert all((fairlead.api.kv, lease, member, mvcc))
    # What stops a start, or the disk, no request ever meets.
    meant = (
        (
            leaves(MemberError)
            - {
                BackupError,
                CorruptMemberError,
                DataDirError,
                JoinError,
                LogAheadError,
                LogBehindError,
                RemovedError,
            }
        )
        | leaves(LeaseError)
        | (leaves(MvccError) - leaves(BackendError))
    )
    assert {kind.__name__ for kind in meant if kind not in STATUS} == set()


def test_anything_unforeseen_is_internal_without_detail() -> None:
    assert status_of(ValueError("a secret")) == (Code.INTERNAL, "etcdserver: internal error")


def test_an_rpc_error_speaks_for_itself() -> None:
    assert status_of(RpcError(Code.ABORTED, "x")) == (Code.ABORTED, "x")


def test_texts_are_those_that_clients_match_on() -> None:
    told = {(code.name, text.removeprefix("etcdserver: ")) for code, text in STATUS.values()}
    assert {
        ("INVALID_ARGUMENT", "key is not provided"),
        ("INVALID_ARGUMENT", "key not found"),
        ("INVALID_ARGUMENT", "value is provided"),
        ("INVALID_ARGUMENT", "lease is provided"),
        ("INVALID_ARGUMENT", "too many operations in txn request"),
        ("INVALID_ARGUMENT", "duplicate key given in txn request"),
        ("INVALID_ARGUMENT", "invalid sort option"),
        ("INVALID_ARGUMENT", "request is too large"),
        ("OUT_OF_RANGE", "mvcc: required revision has been compacted"),
        ("OUT_OF_RANGE", "mvcc: required revision is a future revision"),
        ("OUT_OF_RANGE", "too large lease TTL"),
        ("RESOURCE_EXHAUSTED", "mvcc: database space exceeded"),
        ("UNKNOWN", "too many requests"),
        ("NOT_FOUND", "requested lease not found"),
        ("FAILED_PRECONDITION", "lease already exists"),
        ("UNAVAILABLE", "no leader"),
        ("UNAVAILABLE", "server stopped"),
        ("UNAVAILABLE", "request timed out"),
        ("DATA_LOSS", "corrupt cluster"),
        ("INVALID_ARGUMENT", "given member URLs are invalid"),
        ("NOT_FOUND", "member not found"),
        ("FAILED_PRECONDITION", "member ID already exist"),
        ("FAILED_PRECONDITION", "Peer URLs already exists"),
        ("FAILED_PRECONDITION", "can only promote a learner member"),
        ("FAILED_PRECONDITION", "can only promote a learner member which is in sync with leader"),
        ("FAILED_PRECONDITION", "too many learner members in cluster"),
        ("FAILED_PRECONDITION", "not leader"),
        ("FAILED_PRECONDITION", "bad leader transferee"),
        ("UNKNOWN", "re-configuration failed due to not enough started members"),
        ("UNKNOWN", "request timed out, leader transfer took too long"),
        ("UNAVAILABLE", "unhealthy cluster"),
        ("UNAVAILABLE", "request timed out, possibly due to previous leader failure"),
    } <= told
