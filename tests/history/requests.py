"""What a client may ask of the store, as far as the judges understand it.

Plain values with bytes, so that a history can come from real processes, from a simulation or from a test.  The
names and their meaning are those of etcd's ``rpc.proto``.
"""

from dataclasses import dataclass
from enum import Enum


class Target(Enum):
    """The field of a key that a comparison looks at."""

    VERSION = "version"
    CREATE = "create_revision"
    MOD = "mod_revision"
    VALUE = "value"
    LEASE = "lease"


class Relation(Enum):
    """How the field must stand to the operand."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    GREATER = ">"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Read one key, or with ``range_end`` the keys from ``key`` up to it (one zero byte: without end).

    ``revision`` 0 means now; ``limit`` 0 means all.  Answered by ``RangeResponse``.
    """

    key: bytes
    range_end: bytes = b""
    revision: int = 0
    limit: int = 0
    serializable: bool = False
    count_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Write one key; ``lease`` 0 means that it stays.  Answered by ``PutResponse``."""

    key: bytes
    value: bytes
    lease: int = 0
    prev_kv: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete one key or a range of them.  Answered by ``DeleteResponse``."""

    key: bytes
    range_end: bytes = b""
    prev_kv: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """A condition of a transaction on one key.  ``operand`` is bytes for a value, a number otherwise."""

    key: bytes
    target: Target
    relation: Relation = Relation.EQUAL
    operand: bytes | int


TxnOp = Range | Put | Delete


@dataclass(frozen=True, slots=True, kw_only=True)
class Txn:
    """If every comparison holds do ``success``, else ``failure``.  Answered by ``TxnResponse``."""

    compares: tuple[Compare, ...] = ()
    success: tuple[TxnOp, ...] = ()
    failure: tuple[TxnOp, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Make a lease; ``lease_id`` 0 lets the store choose.  Answered by ``GrantResponse``."""

    lease_id: int = 0
    ttl_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """End a lease and delete its keys.  Answered by ``RevokeResponse``."""

    lease_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """Renew a lease once.  Answered by ``KeepAliveResponse``."""

    lease_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """Forget what was before ``revision``.  Answered by ``CompactResponse``."""

    revision: int


Request = Range | Put | Delete | Txn | Grant | Revoke | KeepAlive | Compact


def is_serializable(request: Request) -> bool:
    """Whether a member may answer from its own state: such a read says nothing about the present."""
    if isinstance(request, Txn):
        ops = (*request.success, *request.failure)
        return bool(ops) and all(isinstance(op, Range) and op.serializable for op in ops)
    return isinstance(request, Range) and request.serializable


def in_range(candidate: bytes, key: bytes, range_end: bytes) -> bool:
    """Whether ``candidate`` is among the keys that ``key`` and ``range_end`` name together."""
    if not range_end:
        return candidate == key
    return candidate >= key and (range_end == b"\0" or candidate < range_end)
