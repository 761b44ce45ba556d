"""Counting, held against definitions that are too slow to be wrong."""

from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from fairlead.raft import Configuration
from fairlead.raft.quorum import EVERYTHING, VoteResult, agreed, count_votes

MEMBERS = st.frozensets(st.integers(1, 7), max_size=7)
VOTES = st.dictionaries(st.integers(1, 9), st.booleans())
REACHED = st.dictionaries(st.integers(1, 9), st.integers(0, 20))


def quorums(voters: frozenset[int]) -> list[frozenset[int]]:
    """Every set of voters that is more than half of them; the empty set for no voters."""
    subsets = chain.from_iterable(combinations(sorted(voters), size) for size in range(len(voters) + 1))
    return [frozenset(subset) for subset in subsets if 2 * len(subset) > len(voters) or not voters]


def is_won(voters: frozenset[int], yes: set[int]) -> bool:
    return any(quorum <= yes for quorum in quorums(voters))


@given(MEMBERS, VOTES)
def test_a_vote_is_won_when_some_quorum_said_yes_and_lost_when_none_can(
    voters: frozenset[int], votes: dict[int, bool]
) -> None:
    yes = {voter for voter, granted in votes.items() if granted}
    no = votes.keys() - yes
    expected = VoteResult.PENDING
    if is_won(voters, yes):
        expected = VoteResult.WON
    elif not is_won(voters, set(voters - no)):
        expected = VoteResult.LOST
    assert count_votes(voters, votes) is expected


@given(MEMBERS, REACHED)
def test_agreed_is_the_highest_that_some_quorum_has_reached(
    voters: frozenset[int], reached: dict[int, int]
) -> None:
    naive = max(
        min((reached.get(voter, 0) for voter in quorum), default=EVERYTHING) for quorum in quorums(voters)
    )
    assert agreed(voters, lambda voter: reached.get(voter, 0)) == naive


@given(MEMBERS.filter(bool), MEMBERS.filter(bool), VOTES)
def test_joint_consensus_needs_separate_majorities(
    voters: frozenset[int], outgoing: frozenset[int], votes: dict[int, bool]
) -> None:
    """Raft, section 6: "agreement requires separate majorities from both the old and new configurations"."""
    yes = {voter for voter, granted in votes.items() if granted}
    no = votes.keys() - yes
    result = Configuration(voters=voters, outgoing=outgoing).vote_result(votes)
    can_win = is_won(voters, set(voters - no)) and is_won(outgoing, set(outgoing - no))
    assert (result is VoteResult.WON) == (is_won(voters, yes) and is_won(outgoing, yes))
    assert (result is VoteResult.LOST) == (not can_win)


@given(MEMBERS.filter(bool), MEMBERS.filter(bool), REACHED)
def test_joint_consensus_commits_what_both_majorities_have(
    voters: frozenset[int], outgoing: frozenset[int], reached: dict[int, int]
) -> None:
    def of(voter: int) -> int:
        return reached.get(voter, 0)

    index = Configuration(voters=voters, outgoing=outgoing).agreed(of)
    for each in (voters, outgoing):
        assert is_won(each, {voter for voter in each if of(voter) >= index})
    higher = [is_won(each, {voter for voter in each if of(voter) > index}) for each in (voters, outgoing)]
    assert not all(higher)


@given(MEMBERS, MEMBERS)
def test_learners_change_nothing(voters: frozenset[int], learners: frozenset[int]) -> None:
    plain = Configuration(voters=voters)
    taught = Configuration(voters=voters, learners=learners - voters)
    assert plain.agreed(lambda member: member) == taught.agreed(lambda member: member)
