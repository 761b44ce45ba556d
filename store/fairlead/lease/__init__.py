"""Leases: which are alive, when each dies, and which keys die with it.

The table decides nothing about the log: it says which leases are due, the member proposes their
revocation, and only the applied command removes them.  It reads no clock; every moment is an argument.
Source: etcd's lessor (``server/lease/lessor.go``), whose observable rules it keeps.
"""

from fairlead.lease.errors import (
    LeaseError,
    LeaseExistsError,
    LeaseNotFoundError,
    LeaseNotPrimaryError,
    LeaseTtlTooLargeError,
)
from fairlead.lease.table import TTL_S_MAX, LeaseStatus, LeaseTable

__all__ = [
    "TTL_S_MAX",
    "LeaseError",
    "LeaseExistsError",
    "LeaseNotFoundError",
    "LeaseNotPrimaryError",
    "LeaseStatus",
    "LeaseTable",
    "LeaseTtlTooLargeError",
]
