"""The edge: what clients are told of each error.

Codes and texts are etcd's own (``api/v3rpc/rpctypes/error.go``), letter by letter: clients match on them.
"""

from fairlead.lease import LeaseExistsError, LeaseNotFoundError, LeaseNotPrimaryError, LeaseTtlTooLargeError
from fairlead.member import (
    BadTransfereeError,
    CorruptClusterError,
    DuplicateKeyError,
    EmptyKeyError,
    InvalidSortOptionError,
    KeyMissingError,
    LeaderLostError,
    LeadershipElsewhereError,
    LearnerError,
    LearnerNotReadyError,
    LeaseProvidedError,
    MemberExistsError,
    MemberNotFoundError,
    MemberUrlsError,
    NoLeaderError,
    NoSpaceError,
    NotEnoughStartedError,
    NotLearnerError,
    NotSupportedError,
    PeerUrlExistsError,
    RequestTooLargeError,
    StoppedError,
    TimedOutError,
    TooManyLearnersError,
    TooManyOpsError,
    TooManyRequestsError,
    TransferTimedOutError,
    UnhealthyClusterError,
    ValueProvidedError,
)
from fairlead.mvcc import CompactedError, FutureRevisionError
from fairlead.rpc import Code, RpcError

STATUS: dict[type[BaseException], tuple[Code, str]] = {
    EmptyKeyError: (Code.INVALID_ARGUMENT, "etcdserver: key is not provided"),
    KeyMissingError: (Code.INVALID_ARGUMENT, "etcdserver: key not found"),
    ValueProvidedError: (Code.INVALID_ARGUMENT, "etcdserver: value is provided"),
    LeaseProvidedError: (Code.INVALID_ARGUMENT, "etcdserver: lease is provided"),
    TooManyOpsError: (Code.INVALID_ARGUMENT, "etcdserver: too many operations in txn request"),
    DuplicateKeyError: (Code.INVALID_ARGUMENT, "etcdserver: duplicate key given in txn request"),
    InvalidSortOptionError: (Code.INVALID_ARGUMENT, "etcdserver: invalid sort option"),
    RequestTooLargeError: (Code.INVALID_ARGUMENT, "etcdserver: request is too large"),
    CompactedError: (Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted"),
    FutureRevisionError: (Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision"),
    LeaseTtlTooLargeError: (Code.OUT_OF_RANGE, "etcdserver: too large lease TTL"),
    NoSpaceError: (Code.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded"),
    # On the wire etcd sends this one as UNKNOWN, although its own table says RESOURCE_EXHAUSTED.
    TooManyRequestsError: (Code.UNKNOWN, "etcdserver: too many requests"),
    MemberUrlsError: (Code.INVALID_ARGUMENT, "etcdserver: given member URLs are invalid"),
    MemberNotFoundError: (Code.NOT_FOUND, "etcdserver: member not found"),
    MemberExistsError: (Code.FAILED_PRECONDITION, "etcdserver: member ID already exist"),
    PeerUrlExistsError: (Code.FAILED_PRECONDITION, "etcdserver: Peer URLs already exists"),
    NotLearnerError: (Code.FAILED_PRECONDITION, "etcdserver: can only promote a learner member"),
    LearnerNotReadyError: (
        Code.FAILED_PRECONDITION,
        "etcdserver: can only promote a learner member which is in sync with leader",
    ),
    LearnerError: (Code.FAILED_PRECONDITION, "etcdserver: rpc not supported for learner"),
    TooManyLearnersError: (Code.FAILED_PRECONDITION, "etcdserver: too many learner members in cluster"),
    # Another one that etcd sends as UNKNOWN.
    NotEnoughStartedError: (
        Code.UNKNOWN,
        "etcdserver: re-configuration failed due to not enough started members",
    ),
    LeadershipElsewhereError: (Code.FAILED_PRECONDITION, "etcdserver: not leader"),
    BadTransfereeError: (Code.FAILED_PRECONDITION, "etcdserver: bad leader transferee"),
    TransferTimedOutError: (Code.UNKNOWN, "etcdserver: request timed out, leader transfer took too long"),
    LeaseNotFoundError: (Code.NOT_FOUND, "etcdserver: requested lease not found"),
    LeaseExistsError: (Code.FAILED_PRECONDITION, "etcdserver: lease already exists"),
    # etcd lets "not a primary lessor" leak as UNKNOWN; UNAVAILABLE is what clients retry on.
    LeaseNotPrimaryError: (Code.UNAVAILABLE, "etcdserver: leader changed"),
    NoLeaderError: (Code.UNAVAILABLE, "etcdserver: no leader"),
    UnhealthyClusterError: (Code.UNAVAILABLE, "etcdserver: unhealthy cluster"),
    StoppedError: (Code.UNAVAILABLE, "etcdserver: server stopped"),
    LeaderLostError: (
        Code.UNAVAILABLE,
        "etcdserver: request timed out, possibly due to previous leader failure",
    ),
    TimedOutError: (Code.UNAVAILABLE, "etcdserver: request timed out"),
    CorruptClusterError: (Code.DATA_LOSS, "etcdserver: corrupt cluster"),
    NotSupportedError: (Code.UNIMPLEMENTED, "fairlead: not supported by this version"),
}


def status_of(error: BaseException) -> tuple[Code, str]:
    """Return code and text for ``error``; anything unforeseen is INTERNAL, without detail."""
    if isinstance(error, RpcError):
        return error.code, error.detail
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return Code.INTERNAL, "etcdserver: internal error"
