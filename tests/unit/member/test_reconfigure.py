"""Which changes of the members are refused, and who may come in.

Source: reference of etcd's API, section 1.8, and etcd's ``api/membership/cluster.go``.
"""

from pathlib import Path

import pytest

from fairlead.member.cluster import Cluster, ClusterMember, MembershipChange, MembershipChangeKind
from fairlead.member.errors import (
    BadTransfereeError,
    JoinError,
    LearnerNotReadyError,
    MemberExistsError,
    MemberNotFoundError,
    MembershipError,
    MemberUrlsError,
    NotEnoughStartedError,
    NotLearnerError,
    PeerUrlExistsError,
    TooManyLearnersError,
    UnhealthyClusterError,
)
from fairlead.member.reconfigure import (
    JOINED_LAG_MAX,
    JOINING_MAX,
    LeaderView,
    ReconfigurationRules,
    changes_to_stand_alone,
    check_change,
    check_peer_urls,
    check_transferee,
    find_own_id,
    next_promotion,
    raft_change,
)
from fairlead.mvcc import Backend
from fairlead.raft import Change, ChangeKind

ADD, ADD_LEARNER, PROMOTE, REMOVE = MembershipChangeKind
STRICT, LOOSE = ReconfigurationRules(), ReconfigurationRules(is_strict=False)
NEW = 99
LAST_INDEX = 10_000


class World:
    """A cluster of voters 1 to ``voters``, of whom some have started, and what its leader sees."""

    def __init__(
        self, path: Path, voters: int, *, started: int | None = None, active: int | None = None
    ) -> None:
        self.backend = Backend.open(path)
        self.cluster = Cluster()
        self.cluster.load(self.backend)
        self.cluster.bootstrap(ClusterMember(id=n, peer_urls=(url(n),)) for n in range(1, voters + 1))
        for n in range(1, (voters if started is None else started) + 1):
            self.start(n)
        self.active = set(range(1, (voters if active is None else active) + 1))
        self.match: dict[int, int] = {}

    def start(self, member_id: int) -> None:
        self.cluster.set_attributes(member_id, name=f"m{member_id}", client_urls=())

    def do(self, kind: MembershipChangeKind, member_id: int, *, rules: ReconfigurationRules = STRICT) -> None:
        """Make a change, if it is allowed."""
        urls = (url(member_id),) if kind in {ADD, ADD_LEARNER} else ()
        change = MembershipChange(kind=kind, member_id=member_id, peer_urls=urls)
        check_change(self.cluster, change, view=self.view, rules=rules)
        self.cluster.apply(change)

    @property
    def view(self) -> LeaderView:
        return LeaderView(active=frozenset(self.active), last_index=LAST_INDEX, match=self.match)

    def catch_up(self, member_id: int, *, lag: int = 0) -> None:
        self.active.add(member_id)
        self.match[member_id] = LAST_INDEX - lag


def url(member_id: int) -> str:
    return f"http://m{member_id}:2380"


# ---- growing ----


def test_whoever_is_alone_may_grow(tmp_path: Path) -> None:
    """The second member cannot have started before it belongs."""
    World(tmp_path, 1).do(ADD, NEW)


@pytest.mark.parametrize(("voters", "started"), [(2, 1), (3, 2), (5, 3)])
def test_a_voter_needs_a_majority_of_started_ones(tmp_path: Path, voters: int, started: int) -> None:
    world = World(tmp_path, voters, started=started)
    with_one_more = voters // 2 + 1 < (voters + 1) // 2 + 1 or started < (voters + 1) // 2 + 1
    assert with_one_more
    with pytest.raises(NotEnoughStartedError):
        world.do(ADD, NEW)
    world.do(ADD, NEW, rules=LOOSE)


def test_members_that_are_joining_count_as_not_started(tmp_path: Path) -> None:
    """etcd's operators know that the second one has to be there before the third is added."""
    world = World(tmp_path, 1)
    world.do(ADD, 2)
    with pytest.raises(NotEnoughStartedError):
        world.do(ADD, 3)
    world.start(2)
    world.active.add(2)
    world.do(ADD, 3)


def test_a_voter_needs_a_majority_of_connected_ones(tmp_path: Path) -> None:
    world = World(tmp_path, 3, active=2)
    with pytest.raises(UnhealthyClusterError):
        world.do(ADD, NEW)
    world.do(ADD, NEW, rules=LOOSE)


def test_a_learner_costs_no_majority(tmp_path: Path) -> None:
    World(tmp_path, 3, started=2, active=2).do(ADD_LEARNER, NEW)


@pytest.mark.parametrize("kind", [ADD, ADD_LEARNER])
def test_an_id_is_given_once(tmp_path: Path, kind: MembershipChangeKind) -> None:
    world = World(tmp_path, 3)
    with pytest.raises(MemberExistsError):
        world.do(kind, 3)
    world.do(REMOVE, 3)
    with pytest.raises(MemberNotFoundError):
        world.do(kind, 3)


@pytest.mark.parametrize("kind", [ADD, ADD_LEARNER])
def test_a_peer_url_is_given_once(tmp_path: Path, kind: MembershipChangeKind) -> None:
    world = World(tmp_path, 1)
    taken = MembershipChange(kind=kind, member_id=NEW, peer_urls=("http://new:2380", url(1)))
    with pytest.raises(PeerUrlExistsError):
        check_change(world.cluster, taken, view=world.view, rules=LOOSE)


def test_learners_are_limited_and_joining_members_are_not_among_them(tmp_path: Path) -> None:
    world = World(tmp_path, 3)
    world.do(ADD, 4)
    world.do(ADD_LEARNER, 5)
    with pytest.raises(TooManyLearnersError):
        world.do(ADD_LEARNER, 6)
    world.do(ADD_LEARNER, 6, rules=ReconfigurationRules(learners_max=2))


def test_joining_members_are_limited_too(tmp_path: Path) -> None:
    world = World(tmp_path, 1)
    for n in range(JOINING_MAX):
        world.do(ADD, 10 + n, rules=LOOSE)
    with pytest.raises(TooManyLearnersError):
        world.do(ADD, NEW, rules=LOOSE)


# ---- promoting ----


def test_a_learner_that_has_caught_up_may_be_promoted(tmp_path: Path) -> None:
    world = World(tmp_path, 1)
    world.do(ADD_LEARNER, NEW)
    world.catch_up(NEW, lag=LAST_INDEX // 10)
    world.do(PROMOTE, NEW)
    assert world.cluster.voters == {1, NEW}


@pytest.mark.parametrize("rules", [STRICT, LOOSE])
def test_a_learner_that_is_behind_or_silent_may_not(tmp_path: Path, rules: ReconfigurationRules) -> None:
    world = World(tmp_path, 1)
    world.do(ADD_LEARNER, NEW)
    world.catch_up(NEW, lag=LAST_INDEX // 10 + 1)
    with pytest.raises(LearnerNotReadyError):
        world.do(PROMOTE, NEW, rules=rules)
    world.catch_up(NEW)
    world.active.discard(NEW)
    with pytest.raises(LearnerNotReadyError):
        world.do(PROMOTE, NEW, rules=rules)


def test_only_learners_are_promoted(tmp_path: Path) -> None:
    world = World(tmp_path, 1)
    with pytest.raises(NotLearnerError):
        world.do(PROMOTE, 1)
    with pytest.raises(MemberNotFoundError):
        world.do(PROMOTE, NEW)


def test_a_promotion_needs_a_majority_of_started_voters(tmp_path: Path) -> None:
    world = World(tmp_path, 4, started=1)
    world.do(ADD_LEARNER, NEW)
    world.catch_up(NEW)
    with pytest.raises(NotEnoughStartedError):
        world.do(PROMOTE, NEW)
    world.do(PROMOTE, NEW, rules=LOOSE)


def test_the_leader_promotes_who_joins_once_it_is_close(tmp_path: Path) -> None:
    world = World(tmp_path, 1)
    world.do(ADD, NEW)
    world.catch_up(NEW, lag=JOINED_LAG_MAX + 1)
    assert next_promotion(world.cluster, view=world.view) is None
    world.catch_up(NEW, lag=JOINED_LAG_MAX)
    assert next_promotion(world.cluster, view=world.view) == MembershipChange(kind=PROMOTE, member_id=NEW)


def test_the_leader_promotes_nobody_that_has_not_answered(tmp_path: Path) -> None:
    """In a young cluster every member is within a thousand entries, the one that never starts included."""
    world = World(tmp_path, 1)
    world.do(ADD, NEW)
    young = LeaderView(active=frozenset({1, NEW}), last_index=3, match={1: 3, NEW: 0})
    assert next_promotion(world.cluster, view=young) is None
    silent = LeaderView(active=frozenset({1}), last_index=3, match={1: 3, NEW: 3})
    assert next_promotion(world.cluster, view=silent) is None


def test_the_leader_leaves_real_learners_alone(tmp_path: Path) -> None:
    world = World(tmp_path, 1)
    world.do(ADD_LEARNER, NEW)
    world.catch_up(NEW)
    assert next_promotion(world.cluster, view=world.view) is None


# ---- shrinking ----


def test_a_voter_may_leave_while_the_rest_is_a_majority(tmp_path: Path) -> None:
    world = World(tmp_path, 3)
    world.do(REMOVE, 1)
    world.do(REMOVE, 2)
    assert world.cluster.voters == {3}


@pytest.mark.parametrize("rules", [STRICT, LOOSE])
def test_the_last_voter_may_not_leave(tmp_path: Path, rules: ReconfigurationRules) -> None:
    world = World(tmp_path, 1)
    world.do(ADD_LEARNER, NEW)
    with pytest.raises(NotEnoughStartedError):
        world.do(REMOVE, 1, rules=rules)


def test_a_voter_may_not_leave_members_that_have_not_started(tmp_path: Path) -> None:
    world = World(tmp_path, 3, started=2)
    with pytest.raises(NotEnoughStartedError):
        world.do(REMOVE, 1)
    world.do(REMOVE, 1, rules=LOOSE)


def test_a_voter_that_answers_may_not_leave_too_few_that_do(tmp_path: Path) -> None:
    world = World(tmp_path, 5, active=3)
    with pytest.raises(UnhealthyClusterError):
        world.do(REMOVE, 1)
    world.do(REMOVE, 1, rules=LOOSE)


def test_a_voter_that_does_not_answer_may_always_leave(tmp_path: Path) -> None:
    world = World(tmp_path, 5, active=2)
    world.do(REMOVE, 5)


@pytest.mark.parametrize("kind", [ADD, ADD_LEARNER])
def test_a_member_without_a_vote_may_always_leave(tmp_path: Path, kind: MembershipChangeKind) -> None:
    world = World(tmp_path, 3, started=1, active=1)
    world.do(kind, NEW, rules=LOOSE)
    world.active.add(NEW)
    world.do(REMOVE, NEW)


@pytest.mark.parametrize("kind", [PROMOTE, REMOVE])
def test_nobody_leaves_twice(tmp_path: Path, kind: MembershipChangeKind) -> None:
    world = World(tmp_path, 3)
    world.do(REMOVE, 3)
    with pytest.raises(MemberNotFoundError):
        world.do(kind, 3)


def test_a_lone_member_can_be_made_of_any(tmp_path: Path) -> None:
    world = World(tmp_path, 3)
    world.do(ADD_LEARNER, NEW)
    for change in changes_to_stand_alone(world.cluster, NEW):
        world.cluster.apply(change)
    assert world.cluster.voters == {NEW}
    assert world.cluster.removed == {1, 2, 3}
    assert not changes_to_stand_alone(world.cluster, NEW)


# ---- handing over, and the consensus core ----


def test_leadership_goes_to_voters_only(tmp_path: Path) -> None:
    world = World(tmp_path, 2)
    world.do(ADD, NEW, rules=LOOSE)
    check_transferee(world.cluster, 2)
    for nobody in (NEW, 77):
        with pytest.raises(BadTransfereeError):
            check_transferee(world.cluster, nobody)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (ADD, ChangeKind.ADD_LEARNER),
        (ADD_LEARNER, ChangeKind.ADD_LEARNER),
        (PROMOTE, ChangeKind.ADD_VOTER),
        (REMOVE, ChangeKind.REMOVE),
    ],
)
def test_what_the_consensus_core_is_asked_for(kind: MembershipChangeKind, asked: ChangeKind) -> None:
    assert raft_change(MembershipChange(kind=kind, member_id=NEW)) == Change(asked, NEW)


# ---- addresses ----


def test_peer_urls_are_kept_sorted() -> None:
    assert check_peer_urls(["https://b:2380", "http://a:2380"]) == ("http://a:2380", "https://b:2380")


@pytest.mark.parametrize(
    "urls",
    [
        [],
        ["a:2380"],
        ["http://a"],
        ["http://:2380"],
        ["ftp://a:2380"],
        ["http://a:port"],
        ["http://a:70000"],
        ["http://a:2380/"],
        ["http://a:2380/path"],
        ["http://a:2380?x=1"],
        ["http://user@a:2380"],
        ["http://[::1:2380"],
        ["http://a:2380", ""],
    ],
)
def test_peer_urls_that_nobody_could_listen_at_are_refused(urls: list[str]) -> None:
    with pytest.raises(MemberUrlsError) as caught:
        check_peer_urls(urls)
    assert isinstance(caught.value, MembershipError)


# ---- coming in ----

THERE = [
    ClusterMember(id=1, peer_urls=(url(1),), name="one"),
    ClusterMember(id=2, peer_urls=(url(2), "http://alias:2380")),
]
TOLD = {"one": [url(1)], "two": ["http://alias:2380", url(2)]}


def test_a_member_finds_itself_by_its_urls() -> None:
    """Names are each member's own; URLs are what ``member add`` was given."""
    assert find_own_id(THERE, name="two", initial_cluster=TOLD) == 2
    assert find_own_id(THERE, name="uno", initial_cluster={"uno": [url(1)], "2": TOLD["two"]}) == 1


@pytest.mark.parametrize(
    ("told", "saying"),
    [
        ({**TOLD, "two": ["http://else:2380"]}, "member add two --peer-urls=http://else:2380"),
        ({**TOLD, "three": [url(3)]}, "names 'three' at http://m3:2380, which the cluster does not have"),
        ({"two": TOLD["two"]}, "lacks the member at http://m1:2380"),
    ],
)
def test_a_member_that_was_told_otherwise_stays_out(told: dict[str, list[str]], saying: str) -> None:
    with pytest.raises(JoinError, match=saying):
        find_own_id(THERE, name="two", initial_cluster=told)
