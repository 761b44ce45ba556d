"""What the seeds have tried: each kind of fault, by the role that it met.

A simulator that never crashes a candidate proves nothing about candidates.  A run over enough seeds asserts that
no cell which can be reached is empty.
"""

from collections import Counter
from collections.abc import Iterable

ROLES = ("follower", "pre-candidate", "candidate", "leader")
FAULTS = (
    "loss", "double", "straggle", "cut", "clogged",
    "crash", "power-cut", "stop-all", "pause", "clock", "isolate", "split", "cut-one-way", "clog", "swizzle",
    "sync-error", "full-disk", "slow-disk", "rot-log", "rot-snapshot", "snapshot-cut",
    "transfer", "add", "remove", "replace", "joint",
)  # fmt: skip
EVENTS = (
    "started", "restarted", "elected", "log cut", "snapshot sent", "snapshot installed", "refused to start", "joined",
    "removed stopped", "read", "write", "refused", "no answer", "compacted", "lease kept", "lease gone",
    "watch resumed", "watch overtaken", "watcher slow",
)  # fmt: skip
CANNOT_BE = {
    ("snapshot-cut", "follower"), ("snapshot-cut", "pre-candidate"), ("snapshot-cut", "candidate"),
    ("rot-snapshot", "pre-candidate"), ("rot-snapshot", "candidate"),
}  # fmt: skip
"""Only a leader sends a snapshot, and whoever takes one in follows a leader."""


class Coverage:
    """Counts, by kind and role, and of things that happened."""

    def __init__(self) -> None:
        self.faults: Counter[tuple[str, str]] = Counter()
        self.events: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Coverage faults={self.faults.total()} events={self.events.total()}>"

    def fault(self, kind: str, role: str) -> None:
        """Count a fault at a member of this role; a member that is down has the role "down"."""
        self.faults[kind, role] += 1

    def event(self, name: str, count: int = 1) -> None:
        """Count something that happened."""
        self.events[name] += count

    def add(self, other: "Coverage") -> None:
        """Take in what another world has tried."""
        self.faults.update(other.faults)
        self.events.update(other.events)

    def empty_cells(self) -> list[str]:
        """Name what has never been tried."""
        pairs = [(kind, role) for kind in FAULTS for role in ROLES if (kind, role) not in CANNOT_BE]
        cells = [f"{kind} x {role}" for kind, role in pairs if not self.faults[kind, role]]
        return cells + [event for event in EVENTS if not self.events[event]]

    def table(self) -> Iterable[str]:
        """Yield the lines of the summary."""
        yield f"{'fault':<14}" + "".join(f"{role:>15}" for role in ROLES)
        for kind in FAULTS:
            yield f"{kind:<14}" + "".join(f"{self.faults[kind, role]:>15}" for role in ROLES)
        yield ""
        names = [*EVENTS, *sorted(set(self.events) - set(EVENTS))]
        for start in range(0, len(names), 4):
            yield "   ".join(f"{name:<20}{self.events[name]:>8}" for name in names[start : start + 4])
