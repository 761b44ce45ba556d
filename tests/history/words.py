"""Operations, answers and keys in one line each, for a person who has to find the fault."""

import math
from collections.abc import Iterable

from tests.history.model import Change
from tests.history.operations import Ambiguous, Failed, Operation, Outcome
from tests.history.requests import (
    Compact,
    Compare,
    Delete,
    Grant,
    KeepAlive,
    Put,
    Range,
    Request,
    Revoke,
    Txn,
)
from tests.history.responses import (
    CompactResponse,
    DeleteResponse,
    GrantResponse,
    KeepAliveResponse,
    KeyValue,
    PutResponse,
    RangeResponse,
    Refused,
    RevokeResponse,
    TxnResponse,
)

_BYTES_SHOWN_MAX = 40


def text(data: bytes) -> str:
    """Return bytes as text, cut if long."""
    shown = data[:_BYTES_SHOWN_MAX].decode("utf-8", "backslashreplace")
    readable = shown if shown.isprintable() and shown else ascii(shown)
    return readable + ("..." if len(data) > _BYTES_SHOWN_MAX else "")


def kv_text(kv: KeyValue | None) -> str:
    """Return one pair with the revision of its last change, and its version."""
    if kv is None:
        return "nothing"
    lease = f" lease {kv.lease}" if kv.lease else ""
    return f"{text(kv.key)}={text(kv.value)} (created {kv.create_revision}, modified {kv.mod_revision}, v{kv.version}{lease})"


def changes_text(changes: Iterable[Change]) -> str:
    """Return what a revision did."""
    return ", ".join(f"{kv_text(change.before)} becomes {kv_text(change.after)}" for change in changes)


def request_text(request: Request) -> str:
    """Return what was asked."""
    match request:
        case Range():
            words = ["get", _keys(request)]
            words += [f"at {request.revision}"] if request.revision else []
            words += [f"limit {request.limit}"] if request.limit else []
            words += ["count only"] if request.count_only else []
            words += ["serializable"] if request.serializable else []
            return " ".join(words)
        case Put():
            lease = f" on lease {request.lease}" if request.lease else ""
            return f"put {text(request.key)}={text(request.value)}{lease}"
        case Delete():
            return f"delete {_keys(request)}"
        case Txn():
            compares = " and ".join(_compare(compare) for compare in request.compares) or "true"
            success = ", ".join(request_text(op) for op in request.success) or "nothing"
            failure = f" else {', '.join(map(request_text, request.failure))}" if request.failure else ""
            return f"txn if {compares} then {success}{failure}"
        case Grant():
            return f"grant lease {request.lease_id or 'any'} for {request.ttl_s:g} s"
        case Revoke():
            return f"revoke lease {request.lease_id}"
        case KeepAlive():
            return f"keep lease {request.lease_id} alive"
        case Compact():
            return f"compact to {request.revision}"


def _keys(request: Range | Delete) -> str:
    if not request.range_end:
        return text(request.key)
    end = "" if request.range_end == b"\0" else text(request.range_end)
    return f"[{text(request.key)}, {end})"


def _compare(compare: Compare) -> str:
    operand = text(compare.operand) if isinstance(compare.operand, bytes) else str(compare.operand)
    return f"{compare.target.value}({text(compare.key)}) {compare.relation.value} {operand}"


def outcome_text(outcome: Outcome) -> str:
    """Return what was answered."""
    match outcome:
        case Failed():
            return f"failed {outcome.reason}".rstrip()
        case Ambiguous():
            return f"unknown {outcome.reason}".rstrip()
        case Refused():
            return f"refused: {outcome.error.value}"
        case response:
            return f"revision {response.revision}{_details(response)}"


def _details(
    response: RangeResponse
    | PutResponse
    | DeleteResponse
    | TxnResponse
    | GrantResponse
    | RevokeResponse
    | KeepAliveResponse
    | CompactResponse,
) -> str:
    match response:
        case RangeResponse():
            kvs = ", ".join(map(kv_text, response.kvs)) or "no keys"
            more = ", more" if response.more else ""
            return f": {kvs}" + (
                f", count {response.count}{more}" if response.count != len(response.kvs) else ""
            )
        case PutResponse() if response.prev_kv is not None:
            return f", before: {kv_text(response.prev_kv)}"
        case DeleteResponse():
            before = ", ".join(map(kv_text, response.prev_kvs))
            return f", deleted {response.deleted}" + (f": {before}" if before else "")
        case TxnResponse():
            parts = "; ".join(outcome_text(part) for part in response.responses)
            return f", {'succeeded' if response.succeeded else 'compares failed'}" + (
                f" [{parts}]" if parts else ""
            )
        case GrantResponse():
            return f", lease {response.lease_id} for {response.ttl_s:g} s"
        case KeepAliveResponse():
            return f", {response.ttl_s:g} s from now" if response.ttl_s else ", no such lease"
        case _:
            return ""


def operation_text(operation: Operation) -> str:
    """Return who asked what when, and the answer."""
    until = "" if math.isinf(operation.returned_s) else f"{operation.returned_s:.6f}"
    return (
        f"client {operation.client} [{operation.invoked_s:.6f}, {until}] "
        f"{request_text(operation.request)} -> {outcome_text(operation.outcome)}"
    )
