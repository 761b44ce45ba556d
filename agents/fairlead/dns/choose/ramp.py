"""Slow start: a record that has just come gets its share bit by bit, so that a cold server is not drowned."""

from typing import Final

from fairlead.dns.names import Name

SHARE_MIN: Final = 0.1
STARTING_MAX: Final = 10_000
"""Records that start slowly at once; more than that are a new zone, not new servers."""


class Ramp:
    """Which records are starting, and how far they are.

    Args:
        duration_s: until a record has its whole share; 0 switches slow start off.
    """

    def __init__(self, duration_s: float) -> None:
        self._duration_s = duration_s
        self._since_s: dict[Name, float] = {}

    def __len__(self) -> int:
        return len(self._since_s)

    def begin(self, name: Name, *, now_s: float) -> None:
        """Let the record of ``name``, which was not there before, start slowly."""
        if self._duration_s > 0 and len(self._since_s) < STARTING_MAX:
            self._since_s[name] = now_s

    def end(self, name: Name) -> None:
        """Forget ``name``: it is gone."""
        self._since_s.pop(name, None)

    def shares(self, *, now_s: float) -> dict[Name, float]:
        """Return the share, below 1, of each record that is still starting."""
        for name in [name for name, since_s in self._since_s.items() if now_s - since_s >= self._duration_s]:
            del self._since_s[name]
        return {
            name: max(SHARE_MIN, (now_s - since_s) / self._duration_s)
            for name, since_s in self._since_s.items()
        }
