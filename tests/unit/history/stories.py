"""Short words for histories written by hand, and answers as a true store would give them."""

import math

from tests.history import (
    Ambiguous,
    Compare,
    Event,
    KeyValue,
    Operation,
    Outcome,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Relation,
    Request,
    Target,
    Txn,
    TxnOp,
)

UNKNOWN = Ambiguous()


def op(client: int, when: tuple[float, float], request: Request, outcome: Outcome) -> Operation:
    """Return an operation; ``when`` is the call and the return, in seconds."""
    returned_s = math.inf if isinstance(outcome, Ambiguous) else when[1]
    return Operation(
        client=client,
        invoked_s=when[0],
        returned_s=returned_s,
        request=request,
        outcome=outcome,
        session="m1",
    )


def kv(name: str, value: str, created: int, modified: int, version: int, *, lease: int = 0) -> KeyValue:
    """Return a pair."""
    return KeyValue(
        key=name.encode(),
        value=value.encode(),
        create_revision=created,
        mod_revision=modified,
        version=version,
        lease=lease,
    )


def put(name: str, value: str, *, lease: int = 0, prev_kv: bool = False) -> Put:
    """Ask for one key to be written."""
    return Put(key=name.encode(), value=value.encode(), lease=lease, prev_kv=prev_kv)


def done(revision: int, before: KeyValue | None = None) -> PutResponse:
    """Answer a put."""
    return PutResponse(revision=revision, prev_kv=before)


def get(name: str, *, serializable: bool = False, revision: int = 0) -> Range:
    """Ask for one key."""
    return Range(key=name.encode(), serializable=serializable, revision=revision)


def listing(*, revision: int = 0, serializable: bool = False) -> Range:
    """Ask for all keys."""
    return Range(key=b"\0", range_end=b"\0", revision=revision, serializable=serializable)


def found(revision: int, *kvs: KeyValue) -> RangeResponse:
    """Answer a range."""
    return RangeResponse(revision=revision, kvs=kvs, count=len(kvs))


def swap(name: str, modified: int, value: str, *failure: TxnOp) -> Txn:
    """Ask for a key to be written if it was last changed at ``modified``."""
    compare = Compare(key=name.encode(), target=Target.MOD, relation=Relation.EQUAL, operand=modified)
    return Txn(compares=(compare,), success=(put(name, value),), failure=failure)


def wrote(name: str, value: str, created: int, modified: int, version: int, *, lease: int = 0) -> Event:
    """Return the event of a put."""
    return Event(kv=kv(name, value, created, modified, version, lease=lease))


def deleted(name: str, revision: int) -> Event:
    """Return the event of a deletion."""
    return Event(kv=KeyValue(key=name.encode(), mod_revision=revision), is_delete=True)
