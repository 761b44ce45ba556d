"""Whether a change of the members is wise, asked before it is made; and who may come in.

Pure functions over the registry and whom the leader has heard from.  The rules and their order are etcd's
(``server/etcdserver/server.go``, ``api/membership/cluster.go``), so that scripts meet the refusals that they know.
The leader asks when everything that is committed has been applied, so the registry is not behind.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from fairlead.member.cluster import Cluster, ClusterMember, MembershipChange, MembershipChangeKind
from fairlead.member.errors import (
    BadTransfereeError,
    JoinError,
    LearnerNotReadyError,
    MemberExistsError,
    MemberNotFoundError,
    MemberUrlsError,
    NotEnoughStartedError,
    NotLearnerError,
    TooManyLearnersError,
    UnhealthyClusterError,
)
from fairlead.raft import Change, ChangeKind

JOINING_MAX = 8
"""Members that are on their way to be voters, whatever the rules allow otherwise."""
JOINED_LAG_MAX = 1_000
"""A joining member that is behind by no more entries than this becomes a voter."""
_CAUGHT_UP_TENTHS = 9  # etcd's figure


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderView:
    """What a leader sees of the members.

    Attributes:
        active: ids heard from within the last election timeout or two, the leader's own among them.
        last_index: of the leader's log.
        match: how much of it each member is known to have; 0 of one that has never answered.
    """

    active: frozenset[int]
    last_index: int
    match: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconfigurationRules:
    """What the operator allows.

    Attributes:
        is_strict: refuse what could cost the majority (``--strict-reconfig-check``).
        learners_max: learners at a time; those who are joining do not count (``--max-learners``).
    """

    is_strict: bool = True
    learners_max: int = 1


def check_change(
    cluster: Cluster, change: MembershipChange, *, view: LeaderView, rules: ReconfigurationRules
) -> None:
    """Refuse a change that cannot be made, or should not be.

    Args:
        cluster: as far as the leader has applied, which is all that is committed.
        change: what somebody asks for.
        view: what the leader sees of the members.
        rules: what the operator allows.

    Raises:
        MembershipError: the reason, as a type.
    """
    _CHECKS[change.kind](cluster, change, view, rules)


def raft_change(change: MembershipChange) -> Change:
    """Return what the consensus core is asked for: a voter that is added begins as a learner."""
    return Change(_RAFT_KINDS[change.kind], change.member_id)


def next_promotion(cluster: Cluster, *, view: LeaderView) -> MembershipChange | None:
    """Return the promotion that the leader should make now by itself; None when nobody is ready."""
    for member_id in sorted(cluster.joining & view.active):
        has = view.match.get(member_id, 0)
        # A member that never answered is not close, however short the log.
        if has and view.last_index - has <= JOINED_LAG_MAX:
            return MembershipChange(kind=MembershipChangeKind.PROMOTE, member_id=member_id)
    return None


def check_transferee(cluster: Cluster, member_id: int) -> None:
    """Refuse to hand leadership to somebody who cannot have it.

    Raises:
        BadTransfereeError: no such member, or a learner.
    """
    if member_id not in cluster.voters:
        raise BadTransfereeError


def changes_to_stand_alone(cluster: Cluster, member_id: int) -> list[MembershipChange]:
    """Return what makes ``member_id`` the only member, one change after the other (``--force-new-cluster``)."""
    kind = MembershipChangeKind
    changes = []
    if cluster.members[member_id].is_learner:
        changes.append(MembershipChange(kind=kind.PROMOTE, member_id=member_id))
    others = [other for other in cluster.members if other != member_id]
    return changes + [MembershipChange(kind=kind.REMOVE, member_id=other) for other in others]


def check_peer_urls(urls: Sequence[str]) -> tuple[str, ...]:
    """Return peer URLs, sorted as they are kept.

    Raises:
        MemberUrlsError: there is none, or one is not of the form ``http://HOST:PORT``.
    """
    if not urls or not all(map(is_peer_url, urls)):
        raise MemberUrlsError
    return tuple(sorted(urls))


def is_peer_url(url: str) -> bool:
    """Whether a member could listen at ``url``: a scheme, a host, a port, and nothing else."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and port is not None
        and not (parts.path or parts.query or parts.fragment or parts.username)
    )


def find_own_id(
    members: Iterable[ClusterMember],
    *,
    name: str,
    initial_cluster: Mapping[str, Sequence[str]],
) -> int:
    """Return this member's id in the cluster that it joins, found by its peer URLs.

    Args:
        members: those that the cluster says it has.
        name: this member's.
        initial_cluster: member name to peer URLs, as this member was told.

    Raises:
        JoinError: the two do not agree; says what to do.
    """
    by_urls = {frozenset(member.peer_urls): member for member in members}
    told = {frozenset(urls): member_name for member_name, urls in initial_cluster.items()}
    own_urls = frozenset(initial_cluster[name])
    if own_urls not in by_urls:
        raise JoinError(
            f"the cluster has no member at {_join(own_urls)}; first, on one of its members: "
            f"etcdctl member add {name} --peer-urls={_join(own_urls)}"
        )
    if unknown := [urls for urls in told if urls not in by_urls]:
        raise JoinError(
            f"--initial-cluster names {told[unknown[0]]!r} at {_join(unknown[0])}, which the cluster does not "
            "have; write it as etcdctl member list says"
        )
    if missing := [urls for urls in by_urls if urls not in told]:
        raise JoinError(
            f"--initial-cluster lacks the member at {_join(missing[0])}; write it as etcdctl member list says"
        )
    return by_urls[own_urls].id


def _join(urls: Iterable[str]) -> str:
    return ",".join(sorted(urls))


def _majority_of(count: int) -> int:
    return count // 2 + 1


def _check_is_new(cluster: Cluster, change: MembershipChange) -> None:
    if change.member_id in cluster.removed:
        raise MemberNotFoundError
    if change.member_id in cluster.members:
        raise MemberExistsError
    cluster.check_urls(change.member_id, change.peer_urls)


def _check_add(
    cluster: Cluster, change: MembershipChange, view: LeaderView, rules: ReconfigurationRules
) -> None:
    if rules.is_strict:
        voters = [member for member in cluster.members.values() if member.is_voter_to_be]
        majority = _majority_of(len(voters) + 1)
        # Whoever is alone must be able to grow: the new one cannot have started yet.
        if len(voters) > 1:
            if sum(member.is_started for member in voters) < majority:
                raise NotEnoughStartedError
            if sum(member.id in view.active for member in voters) < majority:
                raise UnhealthyClusterError
    _check_is_new(cluster, change)
    if len(cluster.joining) >= JOINING_MAX:
        raise TooManyLearnersError


def _check_add_learner(
    cluster: Cluster, change: MembershipChange, view: LeaderView, rules: ReconfigurationRules
) -> None:
    del view
    _check_is_new(cluster, change)
    if len(cluster.learners - cluster.joining) >= rules.learners_max:
        raise TooManyLearnersError


def _check_promote(
    cluster: Cluster, change: MembershipChange, view: LeaderView, rules: ReconfigurationRules
) -> None:
    member = _existing(cluster, change.member_id)
    if not member.is_learner:
        raise NotLearnerError
    has = view.match.get(member.id, 0)
    if member.id not in view.active or has * 10 < view.last_index * _CAUGHT_UP_TENTHS:
        raise LearnerNotReadyError
    voters = [cluster.members[voter] for voter in cluster.voters]
    started = 1 + sum(voter.is_started for voter in voters)
    if rules.is_strict and started < _majority_of(len(voters) + 1):
        raise NotEnoughStartedError


def _check_remove(
    cluster: Cluster, change: MembershipChange, view: LeaderView, rules: ReconfigurationRules
) -> None:
    member = _existing(cluster, change.member_id)
    rest = [cluster.members[voter] for voter in cluster.voters if voter != member.id]
    if not member.is_learner and not rest:
        # Strict or not: with nobody left to vote there is no cluster.
        raise NotEnoughStartedError
    if member.is_learner or not rules.is_strict:
        return
    majority = _majority_of(len(rest))
    if sum(voter.is_started for voter in rest) < majority:
        raise NotEnoughStartedError
    # One that does not answer costs nothing when it goes.
    if member.id in view.active and sum(voter.id in view.active for voter in rest) < majority:
        raise UnhealthyClusterError


def _existing(cluster: Cluster, member_id: int) -> ClusterMember:
    if member_id not in cluster.members:
        raise MemberNotFoundError
    return cluster.members[member_id]


_CHECKS: Mapping[
    MembershipChangeKind,
    Callable[[Cluster, MembershipChange, LeaderView, ReconfigurationRules], None],
] = {
    MembershipChangeKind.ADD: _check_add,
    MembershipChangeKind.ADD_LEARNER: _check_add_learner,
    MembershipChangeKind.PROMOTE: _check_promote,
    MembershipChangeKind.REMOVE: _check_remove,
}
_RAFT_KINDS = {
    MembershipChangeKind.ADD: ChangeKind.ADD_LEARNER,
    MembershipChangeKind.ADD_LEARNER: ChangeKind.ADD_LEARNER,
    MembershipChangeKind.PROMOTE: ChangeKind.ADD_VOTER,
    MembershipChangeKind.REMOVE: ChangeKind.REMOVE,
}
