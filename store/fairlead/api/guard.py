"""What every call is asked before its service is: does this member serve it now?

A learner serves next to nothing, since what it has may be old; and a client that sends the metadata
``hasleader: true`` would rather fail than wait for an election (etcd's ``server/etcdserver/api/v3rpc/interceptor.go``).
In normal operation this costs one look at a flag.
"""

from collections.abc import Callable, Mapping

from fairlead.member import LearnerError, Member, NoLeaderError
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import NOBODY
from fairlead.rpc import Call, Stream, StreamHandler, Unary

_LEARNER_PATHS = frozenset({
    "/etcdserverpb.Maintenance/Status",
    "/etcdserverpb.Cluster/MemberList",
    "/etcdserverpb.Maintenance/HashKV",
    "/etcdserverpb.Maintenance/Snapshot",
    "/etcdserverpb.Maintenance/Defragment",
})  # fmt: skip
_RANGE = "/etcdserverpb.KV/Range"


def guard(member: Member, routes: Mapping[str, Unary | Stream]) -> dict[str, Unary | Stream]:
    """Return the routes, each behind the questions that concern it."""
    return {path: _guarded(member, path, route) for path, route in routes.items()}


def requires_leader(call: Call) -> bool:
    """Whether the client would rather fail than wait for a leader."""
    return call.metadata("hasleader") == "true"


def _guarded(member: Member, path: str, route: Unary | Stream) -> Unary | Stream:
    is_for_learners = path in _LEARNER_PATHS
    if isinstance(route, Unary):
        return Unary(_unary(member, route.handler, is_for_learners=is_for_learners, is_range=path == _RANGE))
    return Stream(_stream(member, route.open, is_for_learners=is_for_learners))


def _unary(
    member: Member,
    handler: Callable[[bytes, Call], bytes | None],
    *,
    is_for_learners: bool,
    is_range: bool,
) -> Callable[[bytes, Call], bytes | None]:
    def guarded(message: bytes, call: Call) -> bytes | None:
        if member.is_restricted:
            is_allowed = is_for_learners or (is_range and pb.RangeRequest.FromString(message).serializable)
            _check(member, call, is_for_learners=is_allowed)
        return handler(message, call)

    return guarded


def _stream(
    member: Member, open_: Callable[[Call], StreamHandler], *, is_for_learners: bool
) -> Callable[[Call], StreamHandler]:
    def guarded(call: Call) -> StreamHandler:
        if member.is_restricted:
            _check(member, call, is_for_learners=is_for_learners)
        return open_(call)

    return guarded


def _check(member: Member, call: Call, *, is_for_learners: bool) -> None:
    if member.is_learner and not is_for_learners:
        raise LearnerError
    if member.replica.raft.leader == NOBODY and requires_leader(call):
        raise NoLeaderError
