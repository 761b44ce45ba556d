"""How proxies share a limit: slices of the whole in one ledger of the store, and never more than the whole.

    {"members": {"edge-1": {"parts": 600, "demand": 120}, "edge-2": {"parts": 400, "demand": 80}}}

A slice is so many of WHOLE.  Each proxy changes its own line only, in a transaction that fails when the ledger has
changed meanwhile: it gives away at once what it has too much of, takes what is free up to its due, and strikes out
who is not present any more (presence is a leased key).  A slice that shrinks is used smaller before it is written,
one that grows only after; so the slices in use never add up to more than the whole.  What is due follows demand,
with a fifth of the whole spread evenly so that a newcomer can begin.  Sans-IO.
"""

import json
from collections.abc import Collection, Mapping
from typing import NamedTuple

WHOLE = 1000
_EVEN = 200
_STEP = 20
"""Smaller changes are not worth a write."""


class Share:
    """Our slice, as limiters read it.

    Attributes:
        parts: of WHOLE; all of it as long as nothing is shared.
        demand: requests counted since the ledger was looked at.
        is_wanted: some limiter shares; until then there is nothing to keep.
    """

    __slots__ = ("demand", "is_wanted", "parts")

    def __init__(self) -> None:
        self.parts = WHOLE
        self.demand = 0
        self.is_wanted = False

    def wanted(self) -> "Share":
        """Return itself, for a limiter that shares."""
        self.is_wanted = True
        return self


class Line(NamedTuple):
    """What one member has, and how much it was asked for lately."""

    parts: int
    demand: int


Ledger = Mapping[str, Line]


def read_ledger(value: bytes) -> Ledger:
    """Return the ledger in ``value``; one that cannot be read, or that adds up to too much, is empty."""
    try:
        members = json.loads(value)["members"]
        ledger = {
            str(name): Line(max(0, int(line["parts"])), max(0, int(line["demand"])))
            for name, line in members.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return ledger if sum(line.parts for line in ledger.values()) <= WHOLE else {}


def write_ledger(ledger: Ledger) -> bytes:
    """Return the value that says ``ledger``."""
    return json.dumps({"members": {name: line._asdict() for name, line in sorted(ledger.items())}}).encode()


def next_ledger(ledger: Ledger, *, me: str, present: Collection[str], demand: int) -> Ledger | None:
    """Return the ledger with our line as it should be now, or None when it is good enough.

    Args:
        ledger: as it is in the store.
        me: our name in it.
        present: who is there, by the leased keys.
        demand: what we were asked for lately.
    """
    lines = {name: line for name, line in ledger.items() if name in present and name != me}
    mine = ledger.get(me, Line(0, 0))
    due = _due(demand, [line.demand for line in lines.values()], len({*present, me}))
    free = WHOLE - sum(line.parts for line in lines.values())
    parts = min(due, free)
    is_same = me in ledger and len(lines) == len(ledger) - 1
    if is_same and abs(parts - mine.parts) < _STEP and not _is_other(demand, mine.demand):
        return None
    return {**lines, me: Line(parts, demand)}


def _due(demand: int, others: list[int], count: int) -> int:
    total = demand + sum(others)
    if not total:
        return WHOLE // count
    return _EVEN // count + (WHOLE - _EVEN) * demand // total


def _is_other(demand: int, before: int) -> bool:
    return abs(demand - before) * 4 > max(demand, before, 8)
