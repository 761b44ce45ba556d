"""Requests and answers of the etcd API, as the judges of `tests.history` want them."""

from collections.abc import Callable
from typing import Any

from tests import history as told
from tests.sim.clients import Operation
from tests.sim.watchers import Watched

from fairlead.lease import LeaseExistsError, LeaseNotFoundError
from fairlead.mvcc import CompactedError, FutureRevisionError
from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb

_TARGETS = {
    pb.Compare.MOD: (told.Target.MOD, "mod_revision"),
    pb.Compare.CREATE: (told.Target.CREATE, "create_revision"),
}
_RELATIONS = {pb.Compare.EQUAL: told.Relation.EQUAL, pb.Compare.GREATER: told.Relation.GREATER}
_ERRORS: dict[type[Exception], told.Error] = {
    CompactedError: told.Error.COMPACTED,
    FutureRevisionError: told.Error.FUTURE_REVISION,
    LeaseNotFoundError: told.Error.LEASE_NOT_FOUND,
    LeaseExistsError: told.Error.LEASE_EXISTS,
}


def operation(made: Operation) -> told.Operation:
    """Return one operation of a client."""
    return told.Operation(
        client=made.client,
        invoked_s=made.called_s,
        returned_s=made.returned_s,
        request=_REQUESTS[made.request.name](made.request.message),
        outcome=_outcome(made),
        session=made.session,
    )


def _outcome(made: Operation) -> told.Outcome:
    if made.refusal is not None:
        return told.Refused(error=_ERRORS[type(made.refusal)])
    if made.response is None:
        return told.Ambiguous()
    return _RESPONSES[made.request.name](made.response)


def key_value(kv: kv_pb2.KeyValue) -> told.KeyValue:
    """Return a pair."""
    return told.KeyValue(
        key=kv.key,
        value=kv.value,
        create_revision=kv.create_revision,
        mod_revision=kv.mod_revision,
        version=kv.version,
        lease=kv.lease,
    )


def watch(watched: Watched) -> told.Watch:
    """Return all that one watch was told."""
    slot, run = watched.session
    return told.Watch(
        name=f"at m{slot}, run {run}",
        request=told.WatchRequest(
            key=watched.key,
            range_end=watched.range_end,
            start_revision=watched.start_revision,
            prev_kv=watched.prev_kv,
        ),
        responses=tuple(watch_response(message) for message in watched.messages),
    )


def watch_response(message: pb.WatchResponse) -> told.WatchResponse:
    """Return one message of a watch."""
    return told.WatchResponse(
        revision=message.header.revision,
        events=tuple(_event(event) for event in message.events),
        is_created=message.created,
        is_canceled=message.canceled,
        compact_revision=message.compact_revision,
    )


def _event(event: kv_pb2.Event) -> told.Event:
    return told.Event(
        kv=key_value(event.kv),
        is_delete=event.type == kv_pb2.Event.DELETE,
        prev_kv=key_value(event.prev_kv) if event.HasField("prev_kv") else None,
    )


def _range(message: Any) -> told.Range:
    return told.Range(
        key=message.key,
        range_end=message.range_end,
        revision=message.revision,
        serializable=message.serializable,
    )


def _put(message: Any) -> told.Put:
    return told.Put(key=message.key, value=message.value, lease=message.lease)


def _delete(message: Any) -> told.Delete:
    return told.Delete(key=message.key, range_end=message.range_end)


_OPS: dict[str, Callable[[Any], told.TxnOp]] = {
    "request_range": _range,
    "request_put": _put,
    "request_delete_range": _delete,
}


def _op(message: Any) -> told.TxnOp:
    field = message.WhichOneof("request")
    return _OPS[field](getattr(message, field))


def _txn(message: Any) -> told.Txn:
    compares = []
    for compare in message.compare:
        target, field = _TARGETS[compare.target]
        relation = _RELATIONS[compare.result]
        compares.append(
            told.Compare(key=compare.key, target=target, relation=relation, operand=getattr(compare, field))
        )
    return told.Txn(
        compares=tuple(compares),
        success=tuple(_op(op) for op in message.success),
        failure=tuple(_op(op) for op in message.failure),
    )


def _range_response(message: Any, revision: int = 0) -> told.RangeResponse:
    return told.RangeResponse(
        revision=revision or message.header.revision,
        kvs=tuple(key_value(kv) for kv in message.kvs),
        count=message.count,
        more=message.more,
    )


def _txn_response(message: Any) -> told.TxnResponse:
    revision = message.header.revision
    parts: list[told.TxnOpResponse] = []
    for response in message.responses:
        match response.WhichOneof("response"):
            case "response_range":
                parts.append(_range_response(response.response_range, revision))
            case "response_put":
                parts.append(told.PutResponse(revision=revision))
            case _:
                deleted = response.response_delete_range.deleted
                parts.append(told.DeleteResponse(revision=revision, deleted=deleted))
    return told.TxnResponse(revision=revision, succeeded=message.succeeded, responses=tuple(parts))


_REQUESTS: dict[str, Callable[[Any], told.Request]] = {
    "put": _put,
    "put-leased": _put,
    "get": _range,
    "get-past": _range,
    "range": _range,
    "delete": _delete,
    "delete-range": _delete,
    "cas": _txn,
    "txn": _txn,
    "grant": lambda message: told.Grant(lease_id=message.ID, ttl_s=message.TTL),
    "keep-alive": lambda message: told.KeepAlive(lease_id=message.ID),
    "revoke": lambda message: told.Revoke(lease_id=message.ID),
    "compact": lambda message: told.Compact(revision=message.revision),
}
_RESPONSES: dict[str, Callable[[Any], told.Response]] = {
    "put": lambda message: told.PutResponse(revision=message.header.revision),
    "put-leased": lambda message: told.PutResponse(revision=message.header.revision),
    "get": _range_response,
    "get-past": _range_response,
    "range": _range_response,
    "delete": lambda message: told.DeleteResponse(revision=message.header.revision, deleted=message.deleted),
    "delete-range": lambda message: told.DeleteResponse(
        revision=message.header.revision, deleted=message.deleted
    ),
    "cas": _txn_response,
    "txn": _txn_response,
    "grant": lambda message: told.GrantResponse(
        revision=message.header.revision, lease_id=message.ID, ttl_s=message.TTL
    ),
    "keep-alive": lambda message: told.KeepAliveResponse(revision=message.header.revision, ttl_s=message.TTL),
    "revoke": lambda message: told.RevokeResponse(revision=message.header.revision),
    "compact": lambda message: told.CompactResponse(revision=message.header.revision),
}
