"""One member of a store: the replicated state machine and the loop that feeds it.

Requests become commands, commands become log entries, durable entries are applied, and only then is anybody
answered.  The core (``replica``, ``machine``, ``txn``, ``ranges``, ``checks``) does no IO and reads no
clock; ``member``, ``writer``, ``upkeep`` and ``opening`` bind it to threads and files.  The semantics are
those of etcd 3.6 (``server/etcdserver``).  It knows nothing of gRPC or HTTP: that is ``fairlead.api``.
"""

from fairlead.member.checks import check_delete_range, check_put, check_range, check_txn
from fairlead.member.config import QUOTA_BYTES_DEFAULT, MemberConfig
from fairlead.member.errors import (
    CorruptClusterError,
    DataDirError,
    DuplicateKeyError,
    EmptyKeyError,
    InvalidSortOptionError,
    KeyMissingError,
    LeaseProvidedError,
    LogBehindError,
    MemberError,
    NoLeaderError,
    NoSpaceError,
    NotSupportedError,
    RequestError,
    RequestTooLargeError,
    StoppedError,
    TimedOutError,
    TooManyOpsError,
    TooManyRequestsError,
    UnavailableError,
    ValueProvidedError,
)
from fairlead.member.histogram import Histogram
from fairlead.member.identity import Identity, cluster_id_of, member_id_of
from fairlead.member.machine import ALARM, COMPACTION, DELETE_RANGE, LEASE_GRANT, LEASE_REVOKE, PUT, TXN
from fairlead.member.member import Member
from fairlead.member.responses import Headers, delimited, varint
from fairlead.member.txn import is_read_only, is_serializable

__all__ = [
    "ALARM",
    "COMPACTION",
    "DELETE_RANGE",
    "LEASE_GRANT",
    "LEASE_REVOKE",
    "PUT",
    "QUOTA_BYTES_DEFAULT",
    "TXN",
    "CorruptClusterError",
    "DataDirError",
    "DuplicateKeyError",
    "EmptyKeyError",
    "Headers",
    "Histogram",
    "Identity",
    "InvalidSortOptionError",
    "KeyMissingError",
    "LeaseProvidedError",
    "LogBehindError",
    "Member",
    "MemberConfig",
    "MemberError",
    "NoLeaderError",
    "NoSpaceError",
    "NotSupportedError",
    "RequestError",
    "RequestTooLargeError",
    "StoppedError",
    "TimedOutError",
    "TooManyOpsError",
    "TooManyRequestsError",
    "UnavailableError",
    "ValueProvidedError",
    "check_delete_range",
    "check_put",
    "check_range",
    "check_txn",
    "cluster_id_of",
    "delimited",
    "is_read_only",
    "is_serializable",
    "member_id_of",
    "varint",
]
