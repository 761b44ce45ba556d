"""Chance that keeps its promise soon: shares come out exact after a few draws, and in no order that anybody can foresee.

Numbers by chance alone need thousands of draws before a tenth is a tenth.  Taking turns is exact at once, but a client that
asks for the same pages in the same order would get the same part of them each time.  So a deck is shuffled, dealt to its
end, and shuffled anew: each deal has one number in each of its equal parts (stratified sampling).
"""

from collections.abc import Iterable
from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fairlead.proxy.balance.seam import Chance

_CARDS_MAX = 1000


class Deck:
    """A ``Chance`` whose numbers are dealt."""

    __slots__ = ("_cards", "_left", "_rng")

    def __init__(self, shares: Iterable[float], *, rng: "Chance") -> None:
        """Make a deck in which each of ``shares``, parts of one whole, is a whole number of cards, if a thousand are enough."""
        fractions = [Fraction(each).limit_denominator(_CARDS_MAX) for each in shares]
        self._cards = min(lcm(1, *(each.denominator for each in fractions)), _CARDS_MAX)
        self._left: list[int] = []
        self._rng = rng

    def random(self) -> float:
        """Deal a number from 0 up to 1, the middle of one of the parts."""
        if not self._left:
            self._left = self._shuffled()
        return (self._left.pop() + 0.5) / self._cards

    def _shuffled(self) -> list[int]:
        cards = list(range(self._cards))
        for last in range(self._cards - 1, 0, -1):
            other = int(self._rng.random() * (last + 1))
            cards[last], cards[other] = cards[other], cards[last]
        return cards
