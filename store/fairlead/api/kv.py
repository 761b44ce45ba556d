"""The KV service: reads are answered at once, writes when they are durable and applied."""

from fairlead.api.replies import read_for, reply_to
from fairlead.member import (
    COMPACTION,
    DELETE_RANGE,
    PUT,
    TXN,
    Member,
    check_delete_range,
    check_put,
    check_range,
    check_txn,
    is_read_only,
    is_serializable,
)
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Call, Unary


class Kv:
    """Range, Put, DeleteRange, Txn and Compact of ``etcdserverpb.KV``."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._parse_range = pb.RangeRequest.FromString
        self._parse_put = pb.PutRequest.FromString

    def routes(self) -> dict[str, Unary]:
        """Return the service's methods by their paths."""
        return {
            "/etcdserverpb.KV/Range": Unary(self.range),
            "/etcdserverpb.KV/Put": Unary(self.put),
            "/etcdserverpb.KV/DeleteRange": Unary(self.delete_range),
            "/etcdserverpb.KV/Txn": Unary(self.txn),
            "/etcdserverpb.KV/Compact": Unary(self.compact),
        }

    def range(self, message: bytes, call: Call) -> bytes | None:
        """Answer a read from the state applied here, which for a linearizable one has to be new enough."""
        request = self._parse_range(message)
        check_range(request)
        member = self._member
        if request.serializable or member.replica.can_read:
            return member.range(request)
        return read_for(call, member, lambda: member.range(request))

    def put(self, message: bytes, call: Call) -> None:
        """Propose a write."""
        request = self._parse_put(message)
        check_put(request)
        self._member.propose(PUT, message, request, reply_to(call))

    def delete_range(self, message: bytes, call: Call) -> None:
        """Propose a deletion."""
        request = pb.DeleteRangeRequest.FromString(message)
        check_delete_range(request)
        self._member.propose(DELETE_RANGE, message, request, reply_to(call))

    def txn(self, message: bytes, call: Call) -> bytes | None:
        """Answer a transaction that only reads; propose any other."""
        member = self._member
        request = pb.TxnRequest.FromString(message)
        check_txn(request, ops_max=member.config.txn_ops_max)
        if is_read_only(request):
            serializable = is_serializable(request)
            if serializable:
                return member.read_txn(request, serializable=True)
            return read_for(call, member, lambda: member.read_txn(request, serializable=False))
        member.propose(TXN, message, request, reply_to(call))
        return None

    def compact(self, message: bytes, call: Call) -> None:
        """Propose a compaction; a physical one is answered when the history is gone from the disk."""
        request = pb.CompactionRequest.FromString(message)
        reply = reply_to(call)

        def applied(result: bytes | Exception) -> None:
            if isinstance(result, Exception):
                reply(result)
                return
            if not request.physical:
                self._member.upkeep.compact_soon()
                reply(result)
                return
            self._member.upkeep.when_compacted(lambda: reply(result))

        self._member.propose(COMPACTION, message, request, applied)
