"""From one configuration to the next, or why not (Raft, section 6; Ongaro's thesis, section 4).

Two configurations that differ by one voter have overlapping majorities: such a change is one step.  Any other
goes through joint consensus: C_old, then C_old and C_new together, then C_new.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from fairlead.raft.configuration import Configuration
from fairlead.raft.errors import ChangeRefusedError


class ChangeKind(Enum):
    """What becomes of a member."""

    ADD_VOTER = "add_voter"
    ADD_LEARNER = "add_learner"
    REMOVE = "remove"


class Change(NamedTuple):
    """What becomes of one member.  A learner is promoted by ADD_VOTER, a voter demoted by ADD_LEARNER."""

    kind: ChangeKind
    member: int


def change_one(configuration: Configuration, change: Change) -> Configuration:
    """Return the configuration after a change of at most one voter, in one step.

    Raises:
        ChangeRefusedError: joint consensus is under way, or nobody would be left to vote.
    """
    if configuration.is_joint:
        raise ChangeRefusedError("joint consensus is under way; leave it first")
    voters, learners = _apply(configuration, [change])
    assert len(voters ^ configuration.voters) <= 1, "two voters cannot change in one step"
    return Configuration(voters=voters, learners=learners)


def enter_joint(
    configuration: Configuration, changes: Sequence[Change], *, auto_leave: bool = True
) -> Configuration:
    """Return C_old,new: the configuration in which the old voters and the new ones both decide.

    Raises:
        ChangeRefusedError: joint consensus is under way, or nobody would be left to vote.
    """
    if configuration.is_joint:
        raise ChangeRefusedError("joint consensus is under way; leave it first")
    voters, learners = _apply(configuration, changes)
    # A voter on its way to be a learner votes in C_old until the end, and nobody is both at once.
    learners_next = learners & configuration.voters
    return Configuration(
        voters=voters,
        outgoing=configuration.voters,
        learners=learners - learners_next,
        learners_next=learners_next,
        auto_leave=auto_leave,
    )


def leave_joint(configuration: Configuration) -> Configuration:
    """Return C_new.

    Raises:
        ChangeRefusedError: joint consensus is not under way.
    """
    if not configuration.is_joint:
        raise ChangeRefusedError("joint consensus is not under way")
    return replace(
        configuration,
        outgoing=frozenset(),
        learners=configuration.learners | configuration.learners_next,
        learners_next=frozenset(),
        auto_leave=False,
    )


def _apply(configuration: Configuration, changes: Sequence[Change]) -> tuple[frozenset[int], frozenset[int]]:
    voters, learners = set(configuration.voters), set(configuration.learners)
    for kind, member in changes:
        if member <= 0:
            raise ChangeRefusedError(f"{member} is no member id")
        voters.discard(member)
        learners.discard(member)
        if kind is ChangeKind.ADD_VOTER:
            voters.add(member)
        elif kind is ChangeKind.ADD_LEARNER:
            learners.add(member)
    if not voters:
        raise ChangeRefusedError("nobody would be left to vote")
    return frozenset(voters), frozenset(learners)
