"""Small builders for transactions: comparisons, and operations to do when they hold or fail.

await client.txn([Compare.version(key).equals(0)], [op_put(key, value)], [op_get(key)])
"""

from dataclasses import dataclass
from typing import Any

from fairlead.client.values import key_range, to_bytes
from fairlead.proto import rpc_pb2


@dataclass(frozen=True, slots=True)
class Compare:
    """One property of one key, to be compared: name the property, then the relation.

    A key that is not there has version, revisions and lease 0; no comparison of its value holds.
    """

    key: bytes | str
    target: str  # the field of rpc_pb2.Compare that holds the operand

    @classmethod
    def version(cls, key: bytes | str) -> "Compare":
        """How often the key was written since it began."""
        return cls(key, "version")

    @classmethod
    def create_revision(cls, key: bytes | str) -> "Compare":
        """The revision at which the key began."""
        return cls(key, "create_revision")

    @classmethod
    def mod_revision(cls, key: bytes | str) -> "Compare":
        """The revision of the key's last write."""
        return cls(key, "mod_revision")

    @classmethod
    def value(cls, key: bytes | str) -> "Compare":
        """What the key holds."""
        return cls(key, "value")

    @classmethod
    def lease(cls, key: bytes | str) -> "Compare":
        """The lease that the key lives on."""
        return cls(key, "lease")

    def equals(self, operand: bytes | str | int) -> rpc_pb2.Compare:
        """Return the comparison for equal."""
        return self._message(rpc_pb2.Compare.EQUAL, operand)

    def differs(self, operand: bytes | str | int) -> rpc_pb2.Compare:
        """Return the comparison for unequal."""
        return self._message(rpc_pb2.Compare.NOT_EQUAL, operand)

    def is_below(self, operand: bytes | str | int) -> rpc_pb2.Compare:
        """Return the comparison for less."""
        return self._message(rpc_pb2.Compare.LESS, operand)

    def is_above(self, operand: bytes | str | int) -> rpc_pb2.Compare:
        """Return the comparison for greater."""
        return self._message(rpc_pb2.Compare.GREATER, operand)

    def _message(self, result: rpc_pb2.Compare.CompareResult, operand: bytes | str | int) -> rpc_pb2.Compare:
        if (self.target == "value") == isinstance(operand, int):
            raise TypeError(f"{self.target} cannot be compared with {operand!r}")
        fields: dict[str, Any] = {
            self.target: operand if isinstance(operand, int) else to_bytes(operand),
            "target": _TARGETS[self.target],
        }
        return rpc_pb2.Compare(key=to_bytes(self.key), result=result, **fields)


_TARGETS: dict[str, rpc_pb2.Compare.CompareTarget] = {
    "version": rpc_pb2.Compare.VERSION,
    "create_revision": rpc_pb2.Compare.CREATE,
    "mod_revision": rpc_pb2.Compare.MOD,
    "value": rpc_pb2.Compare.VALUE,
    "lease": rpc_pb2.Compare.LEASE,
}


def op_get(
    key: bytes | str,
    *,
    range_end: bytes | str = b"",
    prefix: bool = False,
    limit: int = 0,
    keys_only: bool = False,
) -> rpc_pb2.RequestOp:
    """Read a key or a range; with ``keys_only`` without the values."""
    first, end = key_range(key, range_end=range_end, prefix=prefix)
    return rpc_pb2.RequestOp(
        request_range=rpc_pb2.RangeRequest(key=first, range_end=end, limit=limit, keys_only=keys_only)
    )


def op_put(
    key: bytes | str, value: bytes | str, *, lease: int = 0, prev_kv: bool = False
) -> rpc_pb2.RequestOp:
    """Write a pair."""
    return rpc_pb2.RequestOp(
        request_put=rpc_pb2.PutRequest(key=to_bytes(key), value=to_bytes(value), lease=lease, prev_kv=prev_kv)
    )


def op_delete(
    key: bytes | str, *, range_end: bytes | str = b"", prefix: bool = False, prev_kv: bool = False
) -> rpc_pb2.RequestOp:
    """Delete a key or a range."""
    first, end = key_range(key, range_end=range_end, prefix=prefix)
    return rpc_pb2.RequestOp(
        request_delete_range=rpc_pb2.DeleteRangeRequest(key=first, range_end=end, prev_kv=prev_kv)
    )
