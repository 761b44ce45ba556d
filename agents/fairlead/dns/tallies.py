"""Counters of responses: by type, response code and size, for the pages that Prometheus reads."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from fairlead.dns.message import Type

SIZES_MAX: Final = (64, 128, 256, 512, 1024, 1232, 4096, 16384, 65535)
"""Upper bounds, in bytes, of the classes that responses are counted in."""

OTHER: Final = "other"
NO_TYPE: Final = -1
"""In place of a type, for packets whose question cannot be read."""

_TYPES: Final = {int(one): one.name for one in Type}


class Kind(NamedTuple):
    """Responses that are counted together.

    Attributes:
        qtype: a type's name; types that this server does not know are one.
        rcode: the response code.
        is_truncated: the TC bit.
        size_max: one of SIZES_MAX.
    """

    qtype: str
    rcode: int
    is_truncated: bool
    size_max: int


def kind_of(qtype: int, response: bytes) -> Kind:
    """Return the kind of a whole ``response`` to a question of ``qtype``."""
    size = len(response)
    size_max = next(most for most in SIZES_MAX if size <= most)
    return Kind(_TYPES.get(qtype, OTHER), response[3] & 0xF, bool(response[2] & 0x02), size_max)


class Tallies:
    """How many responses of each kind were sent.  Bounded: so are the kinds."""

    def __init__(self) -> None:
        self._counts: dict[Kind, int] = {}

    def __iter__(self) -> Iterator[tuple[Kind, int]]:
        return iter(sorted(self._counts.items()))

    def add(self, kind: Kind, count: int = 1) -> None:
        """Count ``count`` responses."""
        if count:
            self._counts[kind] = self._counts.get(kind, 0) + count


DURATIONS_MAX_S: Final = (5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 1e-2, 0.1)
"""Upper bounds, in seconds, of the classes of time spent on a query."""


class Durations:
    """How long queries took.  Those that came together are timed together, and count as equally long."""

    def __init__(self) -> None:
        self.counts = [0] * (len(DURATIONS_MAX_S) + 1)
        self.sum_s = 0.0

    def add(self, together_s: float, count: int) -> None:
        """Count ``count`` queries that took ``together_s`` seconds."""
        self.counts[bisect_left(DURATIONS_MAX_S, together_s / count)] += count
        self.sum_s += together_s
