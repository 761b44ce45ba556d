"""The edge: what clients are told of each error.

Codes and texts are etcd's own (``api/v3rpc/rpctypes/error.go``), letter by letter: clients match on them.
"""

from fairlead.lease import LeaseExistsError, LeaseNotFoundError, LeaseNotPrimaryError, LeaseTtlTooLargeError
from fairlead.member import (
    CorruptClusterError,
    DuplicateKeyError,
    EmptyKeyError,
    InvalidSortOptionError,
    KeyMissingError,
    LeaseProvidedError,
    NoLeaderError,
    NoSpaceError,
    NotSupportedError,
    RequestTooLargeError,
    StoppedError,
    TimedOutError,
    TooManyOpsError,
    TooManyRequestsError,
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
    LeaseNotFoundError: (Code.NOT_FOUND, "etcdserver: requested lease not found"),
    LeaseExistsError: (Code.FAILED_PRECONDITION, "etcdserver: lease already exists"),
    # etcd lets "not a primary lessor" leak as UNKNOWN; UNAVAILABLE is what clients retry on.
    LeaseNotPrimaryError: (Code.UNAVAILABLE, "etcdserver: leader changed"),
    NoLeaderError: (Code.UNAVAILABLE, "etcdserver: no leader"),
    StoppedError: (Code.UNAVAILABLE, "etcdserver: server stopped"),
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
