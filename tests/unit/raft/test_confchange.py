"""From one configuration to the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.raft import (
    Change,
    ChangeKind,
    ChangeRefusedError,
    Configuration,
    decode_configuration,
    encode_configuration,
)
from fairlead.raft.confchange import change_one, enter_joint, leave_joint

VOTERS = st.frozensets(st.integers(1, 6), min_size=1)
CHANGES = st.lists(st.builds(Change, st.sampled_from(ChangeKind), st.integers(1, 8)), min_size=1)
THREE = Configuration(voters=frozenset({1, 2, 3}))


@given(VOTERS, st.frozensets(st.integers(1, 6)), CHANGES)
def test_joint_consensus_ends_where_the_changes_lead_one_by_one(
    voters: frozenset[int], learners: frozenset[int], changes: list[Change]
) -> None:
    before = Configuration(voters=voters, learners=learners - voters)
    after, is_possible = before, True
    try:
        for change in changes:
            after = change_one(after, change)
    except ChangeRefusedError:
        is_possible = False  # somewhere on the way nobody would have voted; together it may do
    try:
        joint = enter_joint(before, changes)
    except ChangeRefusedError:
        assert not is_possible
        return
    assert joint.voters
    assert joint.outgoing == before.voters
    assert not joint.learners & (joint.voters | joint.outgoing), "nobody is a voter and a learner at once"
    if is_possible:
        assert leave_joint(joint) == after


@given(VOTERS, CHANGES)
def test_majorities_before_and_after_one_step_overlap(voters: frozenset[int], changes: list[Change]) -> None:
    """Ongaro's thesis, section 4.1: that is why one step needs no joint consensus."""
    before = Configuration(voters=voters)
    try:
        after = change_one(before, changes[0])
    except ChangeRefusedError:
        return
    everybody = before.voters | after.voters
    assert len(before.voters) // 2 + 1 + len(after.voters) // 2 + 1 > len(everybody)


def test_a_voter_to_be_a_learner_votes_until_joint_consensus_ends() -> None:
    joint = enter_joint(THREE, [Change(ChangeKind.ADD_LEARNER, 1), Change(ChangeKind.ADD_VOTER, 4)])
    assert joint.is_voter(1)
    assert joint.learners_next == {1}
    assert leave_joint(joint) == Configuration(voters=frozenset({2, 3, 4}), learners=frozenset({1}))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Change(ChangeKind.REMOVE, 1), "nobody would be left"),
        (Change(ChangeKind.ADD_LEARNER, 1), "nobody would be left"),
        (Change(ChangeKind.ADD_VOTER, 0), "no member id"),
    ],
)
def test_a_change_that_cannot_be_is_refused(change: Change, why: str) -> None:
    with pytest.raises(ChangeRefusedError, match=why):
        change_one(Configuration(voters=frozenset({1})), change)


def test_joint_consensus_is_entered_and_left_once() -> None:
    joint = enter_joint(THREE, [Change(ChangeKind.REMOVE, 1)])
    with pytest.raises(ChangeRefusedError, match="under way"):
        enter_joint(joint, [Change(ChangeKind.REMOVE, 2)])
    with pytest.raises(ChangeRefusedError, match="under way"):
        change_one(joint, Change(ChangeKind.REMOVE, 2))
    with pytest.raises(ChangeRefusedError, match="not under way"):
        leave_joint(THREE)


@given(
    st.builds(
        Configuration,
        voters=VOTERS, outgoing=VOTERS, learners=VOTERS, learners_next=VOTERS, auto_leave=st.booleans(),
    ),
    st.binary(),
)  # fmt: skip
def test_a_configuration_survives_its_entry(configuration: Configuration, context: bytes) -> None:
    data = encode_configuration(configuration, context=context)
    assert decode_configuration(data) == (configuration, context)


@pytest.mark.parametrize("data", [b"", b"\x02" + bytes(8), encode_configuration(THREE)[:-1]])
def test_bytes_that_are_no_configuration_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="configuration"):
        decode_configuration(data)


def test_a_configuration_says_who_is_what() -> None:
    joint = enter_joint(THREE, [Change(ChangeKind.ADD_LEARNER, 1), Change(ChangeKind.ADD_LEARNER, 26)])
    assert str(joint) == "voters={2 3} outgoing={1 2 3} learners={1a} learners_next={1} auto_leave"
