"""Weights to turns: who comes first in each of a few answers that are sent in rotation."""

from collections.abc import Sequence
from math import gcd
from typing import Final

TURNS_MAX: Final = 64
"""Turns in which weights are expressed; shares are right to 1/64."""


def weighted_turns(weights: Sequence[int]) -> list[int]:
    """Return, for each turn, the number of who comes first: as often as its weight says, and spread out.

    Smooth weighted round robin (nginx's): each turn everybody gains its weight, the richest comes first and pays what all
    have gained.

    Args:
        weights: 0 and more; at least one. All 0 are all equal.
    """
    if not any(weights):
        weights = [1] * len(weights)
    total = sum(weights)
    turns = min(total // gcd(*weights), TURNS_MAX)
    credit = [0] * len(weights)
    picks = []
    for _ in range(turns):
        for number, weight in enumerate(weights):
            credit[number] += weight
        first = max(range(len(weights)), key=credit.__getitem__)
        credit[first] -= total
        picks.append(first)
    return picks
