"""The records of this package to and from the messages of etcd's API.

For whoever has real messages in hand; the judges do not need it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from google.protobuf.message import Message
from tests.history.requests import (
    Compact,
    Compare,
    Delete,
    Grant,
    KeepAlive,
    Put,
    Range,
    Relation,
    Request,
    Revoke,
    Target,
    Txn,
    TxnOp,
)
from tests.history.responses import (
    CompactResponse,
    DeleteResponse,
    Error,
    GrantResponse,
    KeepAliveResponse,
    KeyValue,
    PutResponse,
    RangeResponse,
    Refused,
    Response,
    RevokeResponse,
    TxnOpResponse,
    TxnResponse,
)
from tests.history.timeline import Event
from tests.history.watches import WatchResponse

from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb

_TARGETS = {
    Target.VERSION: pb.Compare.VERSION,
    Target.CREATE: pb.Compare.CREATE,
    Target.MOD: pb.Compare.MOD,
    Target.VALUE: pb.Compare.VALUE,
    Target.LEASE: pb.Compare.LEASE,
}
_RELATIONS = {
    Relation.EQUAL: pb.Compare.EQUAL,
    Relation.NOT_EQUAL: pb.Compare.NOT_EQUAL,
    Relation.LESS: pb.Compare.LESS,
    Relation.GREATER: pb.Compare.GREATER,
}
# Texts are etcd's own (api/v3rpc/rpctypes/error.go).
_ERRORS = {
    "etcdserver: mvcc: required revision has been compacted": Error.COMPACTED,
    "etcdserver: mvcc: required revision is a future revision": Error.FUTURE_REVISION,
    "etcdserver: requested lease not found": Error.LEASE_NOT_FOUND,
    "etcdserver: lease already exists": Error.LEASE_EXISTS,
}


def refused(detail: str) -> Refused | None:
    """Return what the text of a status means, if the replicated state itself refused the request."""
    return Refused(error=_ERRORS[detail]) if detail in _ERRORS else None


def message(request: Request) -> tuple[str, Message]:
    """Return the method (as in the .proto) and the message of a request."""
    match request:
        case Range():
            return "Range", _range(request)
        case Put():
            return "Put", _put(request)
        case Delete():
            return "DeleteRange", _delete(request)
        case Txn():
            return "Txn", pb.TxnRequest(
                compare=[_compare(compare) for compare in request.compares],
                success=[_op(op) for op in request.success],
                failure=[_op(op) for op in request.failure],
            )
        case Grant():
            return "LeaseGrant", pb.LeaseGrantRequest(ID=request.lease_id, TTL=int(request.ttl_s))
        case Revoke():
            return "LeaseRevoke", pb.LeaseRevokeRequest(ID=request.lease_id)
        case KeepAlive():
            return "LeaseKeepAlive", pb.LeaseKeepAliveRequest(ID=request.lease_id)
        case Compact():
            return "Compact", pb.CompactionRequest(revision=request.revision)


def _range(request: Range) -> pb.RangeRequest:
    return pb.RangeRequest(
        key=request.key,
        range_end=request.range_end,
        revision=request.revision,
        limit=request.limit,
        serializable=request.serializable,
        count_only=request.count_only,
    )


def _put(request: Put) -> pb.PutRequest:
    return pb.PutRequest(key=request.key, value=request.value, lease=request.lease, prev_kv=request.prev_kv)


def _delete(request: Delete) -> pb.DeleteRangeRequest:
    return pb.DeleteRangeRequest(key=request.key, range_end=request.range_end, prev_kv=request.prev_kv)


def _compare(compare: Compare) -> pb.Compare:
    encoded = pb.Compare(
        key=compare.key, target=_TARGETS[compare.target], result=_RELATIONS[compare.relation]
    )
    setattr(encoded, compare.target.value, compare.operand)
    return encoded


def _op(op: TxnOp) -> pb.RequestOp:
    match op:
        case Range():
            return pb.RequestOp(request_range=_range(op))
        case Put():
            return pb.RequestOp(request_put=_put(op))
        case Delete():
            return pb.RequestOp(request_delete_range=_delete(op))


def response(answer: Any) -> Response:
    """Return the record of a response message of any of the methods above."""
    return _RESPONSES[type(answer)](answer)


def key_value(kv: kv_pb2.KeyValue) -> KeyValue:
    """Return the record of a pair."""
    return KeyValue(
        key=kv.key,
        value=kv.value,
        create_revision=kv.create_revision,
        mod_revision=kv.mod_revision,
        version=kv.version,
        lease=kv.lease,
    )


def _kvs(kvs: Iterable[kv_pb2.KeyValue]) -> tuple[KeyValue, ...]:
    return tuple(key_value(kv) for kv in kvs)


def _put_response(answer: pb.PutResponse) -> PutResponse:
    prev_kv = key_value(answer.prev_kv) if answer.HasField("prev_kv") else None
    return PutResponse(revision=answer.header.revision, prev_kv=prev_kv)


def _range_response(answer: pb.RangeResponse) -> RangeResponse:
    return RangeResponse(
        revision=answer.header.revision, kvs=_kvs(answer.kvs), count=answer.count, more=answer.more
    )


def _delete_response(answer: pb.DeleteRangeResponse) -> DeleteResponse:
    return DeleteResponse(
        revision=answer.header.revision, deleted=answer.deleted, prev_kvs=_kvs(answer.prev_kvs)
    )


def _op_response(answer: pb.ResponseOp) -> TxnOpResponse:
    match answer.WhichOneof("response"):
        case "response_range":
            return _range_response(answer.response_range)
        case "response_put":
            return _put_response(answer.response_put)
        case _:
            return _delete_response(answer.response_delete_range)


_RESPONSES: dict[type[Message], Callable[[Any], Response]] = {
    pb.RangeResponse: _range_response,
    pb.PutResponse: _put_response,
    pb.DeleteRangeResponse: _delete_response,
    pb.TxnResponse: lambda answer: TxnResponse(
        revision=answer.header.revision,
        succeeded=answer.succeeded,
        responses=tuple(_op_response(part) for part in answer.responses),
    ),
    pb.LeaseGrantResponse: lambda answer: GrantResponse(
        revision=answer.header.revision, lease_id=answer.ID, ttl_s=answer.TTL
    ),
    pb.LeaseRevokeResponse: lambda answer: RevokeResponse(revision=answer.header.revision),
    pb.LeaseKeepAliveResponse: lambda answer: KeepAliveResponse(
        revision=answer.header.revision, ttl_s=answer.TTL
    ),
    pb.CompactionResponse: lambda answer: CompactResponse(revision=answer.header.revision),
}


def event(told: kv_pb2.Event) -> Event:
    """Return the record of a watch's event."""
    return Event(
        kv=key_value(told.kv),
        is_delete=told.type == kv_pb2.Event.DELETE,
        prev_kv=key_value(told.prev_kv) if told.HasField("prev_kv") else None,
    )


def watch_response(told: pb.WatchResponse) -> WatchResponse:
    """Return the record of a watch's message."""
    return WatchResponse(
        revision=told.header.revision,
        events=tuple(event(one) for one in told.events),
        is_created=told.created,
        is_canceled=told.canceled,
        compact_revision=told.compact_revision,
        is_fragment=told.fragment,
    )
