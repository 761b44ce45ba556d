"""Counting: who has won, and up to where a majority agrees.

Everything that a quorum decides in Raft (votes, commits, confirmed rounds of heartbeats) is one of these two
questions, put to a set of voters or, during joint consensus, to two sets that both have to agree.
"""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum

EVERYTHING = (1 << 64) - 1
"""What an empty set of voters agrees to: it never holds anybody up."""


class VoteResult(Enum):
    """How a vote stands."""

    PENDING = "pending"
    WON = "won"
    LOST = "lost"


def majority(count: int) -> int:
    """Return how many of ``count`` voters are a majority."""
    return count // 2 + 1


def count_votes(voters: AbstractSet[int], votes: Mapping[int, bool]) -> VoteResult:
    """Return how a vote among ``voters`` stands; those who are not voters do not count."""
    if not voters:
        return VoteResult.WON
    granted = sum(1 for voter in voters if votes.get(voter) is True)
    missing = sum(1 for voter in voters if voter not in votes)
    needed = majority(len(voters))
    if granted >= needed:
        return VoteResult.WON
    return VoteResult.PENDING if granted + missing >= needed else VoteResult.LOST


def agreed(voters: AbstractSet[int], reached: Callable[[int], int]) -> int:
    """Return the highest number that a majority of ``voters`` has reached."""
    if not voters:
        return EVERYTHING
    ordered = sorted(map(reached, voters))
    return ordered[len(ordered) - majority(len(ordered))]
