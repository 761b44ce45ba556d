"""How long to wait before trying again: doubling, bounded, with jitter.

Jitter keeps a thousand agents from coming back in the same instant after the store restarts.  Chance is an
argument, so that a test can say what it is.
"""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """The delays of one kind of retry."""

    first_s: float = 0.1
    max_s: float = 5.0
    factor: float = 2.0
    jitter: float = 0.5  # the share of each delay that chance may take away, 0 to 1

    def __post_init__(self) -> None:
        """Refuse what would never wait, or wait for ever."""
        if not 0 < self.first_s <= self.max_s or self.factor < 1 or not 0 <= self.jitter <= 1:
            raise ValueError(f"not a backoff: {self}")

    def delay_s(self, attempt: int, *, rng: random.Random) -> float:
        """Return the seconds to wait after failure number ``attempt``, counted from 0."""
        # Beyond 2**32 every delay is at its bound, and a float must not overflow.
        longest_s = min(self.max_s, self.first_s * self.factor ** min(attempt, 32))
        return longest_s * (1 - self.jitter * rng.random())
