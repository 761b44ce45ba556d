"""etcd's key-value semantics as a pure function from state and request to state and response.

States never change: a step makes a new one.  A state remembers what every earlier revision held (until it is
compacted) as a chain of undone changes, so it is cheap to make and can be asked about the past.  Two states
are taken as equal if their digests are; a clash of two 64-bit digests can only make the search give up a way
that was good, so it can reject but never accept wrongly.

Deliberately absent: anything that no client of the judges asks for (nested transactions, sorting, filters).
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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
    in_range,
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

Keys = dict[bytes, KeyValue]
"""Never changed once a state holds it."""

_RELATIONS: dict[Relation, Callable[[bytes | int, bytes | int], bool]] = {
    Relation.EQUAL: operator.eq,
    Relation.NOT_EQUAL: operator.ne,
    Relation.LESS: operator.lt,
    Relation.GREATER: operator.gt,
}
_ABSENT = KeyValue(key=b"", mod_revision=0)


@dataclass(frozen=True, slots=True)
class Change:
    """What one revision did to one key; None where the key does not exist."""

    key: bytes
    before: KeyValue | None
    after: KeyValue | None


@dataclass(frozen=True, slots=True)
class Past:
    """One revision and those before it, newest first."""

    revision: int
    changes: tuple[Change, ...]
    parent: "Past | None"
    digest: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A living lease: its TTL, and the latest invocation that surely renewed it."""

    ttl_s: float
    renewed_s: float


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that a store knows at one moment.  The empty store is at revision 1."""

    revision: int = 1
    compacted: int = 0
    keys: Keys = field(default_factory=dict)
    leases: Mapping[int, Lease] = field(default_factory=dict)
    past: Past | None = None
    digest: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.digest == other.digest

    def __hash__(self) -> int:
        return self.digest

    def at(self, revision: int) -> Keys:
        """Return the keys as they were right after ``revision``."""
        if revision >= self.revision:
            return self.keys
        keys = dict(self.keys)
        node = self.past
        while node is not None and node.revision > revision:
            for change in node.changes:
                if change.before is None:
                    keys.pop(change.key, None)
                else:
                    keys[change.key] = change.before
            node = node.parent
        return keys

    def keys_of(self, lease_id: int) -> tuple[bytes, ...]:
        """Return the keys that live on a lease, in order: they are deleted in it."""
        return tuple(sorted(key for key, kv in self.keys.items() if kv.lease == lease_id))

    def changed(self, changes: tuple[Change, ...]) -> "State":
        """Return the state one revision later; this one if nothing changed."""
        keys = dict(self.keys)
        for change in changes:
            _apply(keys, change)
        return self.advanced(keys, changes)

    def advanced(self, keys: Keys, changes: tuple[Change, ...]) -> "State":
        """Return the state one revision later, whose keys are known; this one if nothing changed."""
        if not changes:
            return self
        revision = self.revision + 1
        before = 0 if self.past is None else self.past.digest
        past = Past(revision, changes, self.past, hash((before, changes)))
        return _state(revision, self.compacted, keys, self.leases, past)

    def with_lease(self, lease_id: int, lease: Lease | None) -> "State":
        """Return the state with one lease made, renewed or (None) gone."""
        leases = {key: value for key, value in self.leases.items() if key != lease_id}
        if lease is not None:
            leases[lease_id] = lease
        return _state(self.revision, self.compacted, self.keys, leases, self.past)

    def compacted_to(self, revision: int) -> "State":
        """Return the state that has forgotten what was before ``revision``."""
        return _state(self.revision, revision, self.keys, self.leases, self.past)


def _state(
    revision: int, compacted: int, keys: Keys, leases: Mapping[int, Lease], past: Past | None
) -> State:
    # The changes of every revision determine the keys, so these need no digest of their own.
    changes = 0 if past is None else past.digest
    digest = hash((changes, compacted, frozenset(leases.items())))
    return State(revision, compacted, keys, leases, past, digest)


def _apply(keys: dict[bytes, KeyValue], change: Change) -> None:
    if change.after is None:
        keys.pop(change.key, None)
    else:
        keys[change.key] = change.after


EMPTY = State()


def step(state: State, request: Request, *, at_s: float = 0.0) -> tuple[State, Response]:
    """Return the state after a request, and its answer.

    ``at_s`` is the moment from which a lease counts that is granted or kept alive.
    """
    match request:
        case Range() | Put() | Delete():
            return _single(state, request)
        case Txn():
            return _txn(state, request)
        case Grant():
            return _grant(state, request, at_s)
        case KeepAlive():
            return _keep_alive(state, request, at_s)
        case Revoke():
            if request.lease_id not in state.leases:
                return state, Refused(error=Error.LEASE_NOT_FOUND)
            after = expire(state, request.lease_id)
            return after, RevokeResponse(revision=after.revision)
        case Compact():
            return _compact(state, request)


def expire(state: State, lease_id: int) -> State:
    """Return the state without the lease and its keys, which go in one revision."""
    keys = state.keys_of(lease_id)
    return state.changed(tuple(Change(key, state.keys[key], None) for key in keys)).with_lease(lease_id, None)


def _grant(state: State, request: Grant, at_s: float) -> tuple[State, Response]:
    if request.lease_id in state.leases:
        return state, Refused(error=Error.LEASE_EXISTS)
    granted = GrantResponse(revision=state.revision, lease_id=request.lease_id, ttl_s=request.ttl_s)
    return state.with_lease(request.lease_id, Lease(request.ttl_s, at_s)), granted


def _keep_alive(state: State, request: KeepAlive, at_s: float) -> tuple[State, Response]:
    lease = state.leases.get(request.lease_id)
    if lease is None:
        return state, KeepAliveResponse(revision=state.revision, ttl_s=0)
    kept = KeepAliveResponse(revision=state.revision, ttl_s=lease.ttl_s)
    if at_s <= lease.renewed_s:
        return state, kept
    return state.with_lease(request.lease_id, Lease(lease.ttl_s, at_s)), kept


def _compact(state: State, request: Compact) -> tuple[State, Response]:
    if request.revision <= state.compacted:
        return state, Refused(error=Error.COMPACTED)
    if request.revision > state.revision:
        return state, Refused(error=Error.FUTURE_REVISION)
    return state.compacted_to(request.revision), CompactResponse(revision=state.revision)


def _single(state: State, request: TxnOp) -> tuple[State, Response]:
    error = _refusal(state, request)
    if error is not None:
        return state, Refused(error=error)
    draft = _Draft(state)
    response = draft.do(request)
    return draft.finish(), response


def _txn(state: State, request: Txn) -> tuple[State, Response]:
    succeeded = all(holds(state.keys, compare) for compare in request.compares)
    ops = request.success if succeeded else request.failure
    # Everything is checked before anything is written, so a transaction is applied whole or not at all.
    for op in ops:
        error = _refusal(state, op)
        if error is not None:
            return state, Refused(error=error)
    draft = _Draft(state)
    responses = tuple(draft.do(op) for op in ops)
    after = draft.finish()
    return after, TxnResponse(revision=after.revision, succeeded=succeeded, responses=responses)


def holds(keys: Keys, compare: Compare) -> bool:
    """Whether a comparison is true of these keys."""
    kv = keys.get(compare.key)
    if kv is None:
        # A missing key has no value to compare with, not even an unequal one; all else counts as zero.
        if compare.target is Target.VALUE:
            return False
        kv = _ABSENT
    return _RELATIONS[compare.relation](getattr(kv, compare.target.value), compare.operand)


def _refusal(state: State, op: TxnOp) -> Error | None:
    match op:
        case Put() if op.lease and op.lease not in state.leases:
            return Error.LEASE_NOT_FOUND
        case Range() if op.revision > state.revision:
            return Error.FUTURE_REVISION
        case Range() if 0 < op.revision < state.compacted:
            return Error.COMPACTED
        case _:
            return None


class _Draft:
    """One transaction in the making: its later operations see its earlier ones."""

    __slots__ = ("_changes", "_keys", "_state")

    def __init__(self, state: State) -> None:
        self._state = state
        self._keys = state.keys
        self._changes: list[Change] = []

    @property
    def _revision(self) -> int:
        return self._state.revision + bool(self._changes)

    def do(self, op: TxnOp) -> TxnOpResponse:
        match op:
            case Put():
                return self._put(op)
            case Delete():
                return self._delete(op)
            case Range():
                keys = self._state.at(op.revision) if op.revision > 0 else self._keys
                return answer_range(keys, op, revision=self._revision)

    def _put(self, op: Put) -> PutResponse:
        before = self._keys.get(op.key)
        revision = self._state.revision + 1
        after = KeyValue(
            key=op.key,
            value=op.value,
            create_revision=revision if before is None else before.create_revision,
            mod_revision=revision,
            version=1 if before is None else before.version + 1,
            lease=op.lease,
        )
        self._change(Change(op.key, before, after))
        return PutResponse(revision=revision, prev_kv=before if op.prev_kv else None)

    def _delete(self, op: Delete) -> DeleteResponse:
        found = select(self._keys, op.key, op.range_end)
        for kv in found:
            self._change(Change(kv.key, kv, None))
        return DeleteResponse(
            revision=self._revision, deleted=len(found), prev_kvs=found if op.prev_kv else ()
        )

    def _change(self, change: Change) -> None:
        if not self._changes:
            self._keys = dict(self._keys)
        self._changes.append(change)
        _apply(self._keys, change)

    def finish(self) -> State:
        return self._state.advanced(self._keys, tuple(self._changes))


def select(keys: Keys, key: bytes, range_end: bytes) -> tuple[KeyValue, ...]:
    """Return what is in a range, in the order of the keys."""
    if not range_end:
        kv = keys.get(key)
        return () if kv is None else (kv,)
    return tuple(keys[name] for name in sorted(keys) if in_range(name, key, range_end))


def answer_range(keys: Keys, request: Range, *, revision: int) -> RangeResponse:
    """Return the answer to a range out of the keys of its revision; ``revision`` is the header's."""
    found = select(keys, request.key, request.range_end)
    count = len(found)
    if request.count_only:
        return RangeResponse(revision=revision, count=count)
    more = 0 < request.limit < count
    return RangeResponse(
        revision=revision, kvs=found[: request.limit] if more else found, count=count, more=more
    )
