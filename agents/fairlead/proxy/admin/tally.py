"""What every frontend and server has answered: all of it as counters, the last seconds as a window.

One is told of every request while there is an admin socket; without one nobody counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fairlead.proxy.record import Record
from fairlead.proxy.rolling import Rolling

QUANTILES = (50.0, 75.0, 95.0, 99.0, 99.9)
_WINDOW_NS = 10_000_000_000


class Tally:
    """One frontend's, or one server's.

    Attributes:
        by_class: answers since the start, by the first digit of the status; index 0: the client left first.
        duration_us: of all of them together.
    """

    __slots__ = ("by_class", "duration_us", "window")

    def __init__(self) -> None:
        self.by_class = [0] * 6
        self.duration_us = 0
        self.window = Rolling()

    def note(self, status: int, duration_us: int, *, now_s: float) -> None:
        """Count one answer."""
        self.duration_us += duration_us
        if status == 499:
            self.by_class[0] += 1
        else:
            self.by_class[status // 100] += 1
            self.window.record(status, duration_us, now_s=now_s)

    def add(self, other: "Tally") -> None:
        """Count what ``other`` has counted too."""
        self.by_class = [mine + theirs for mine, theirs in zip(self.by_class, other.by_class, strict=True)]
        self.duration_us += other.duration_us
        self.window.add(other.window)


class Tallies:
    """All of them.  ``forget`` is for what the configuration does not have any more.

    Attributes:
        frontends: by id; requests that no route matched are under ``""``.
        servers: by ids of the backend and the server.
        flags: requests by reason flag.
    """

    def __init__(self) -> None:
        self.frontends: dict[str, Tally] = {}
        self.servers: dict[tuple[str, str], Tally] = {}
        self.flags: dict[str, int] = {}

    def note(self, record: Record, *, now_s: float) -> None:
        """Count one request."""
        frontend_id = record.plan.frontend_id if record.plan is not None else ""
        tally = self.frontends.get(frontend_id)
        if tally is None:
            tally = self.frontends[frontend_id] = Tally()
        tally.note(record.status, record.duration_us, now_s=now_s)
        if record.flag:
            self.flags[record.flag] = self.flags.get(record.flag, 0) + 1
        if record.server_id:
            key = (record.backend_id, record.server_id)
            tally = self.servers.get(key)
            if tally is None:
                tally = self.servers[key] = Tally()
            tally.note(record.status, record.duration_us, now_s=now_s)

    def add(self, other: "Tallies") -> None:
        """Count what ``other`` has counted too."""
        for name, tally in other.frontends.items():
            self.frontends.setdefault(name, Tally()).add(tally)
        for key, tally in other.servers.items():
            self.servers.setdefault(key, Tally()).add(tally)
        for flag, count in other.flags.items():
            self.flags[flag] = self.flags.get(flag, 0) + count

    def forget(self, frontends: Mapping[str, object], backends: Mapping[str, Mapping[str, object]]) -> None:
        """Keep only what is still there."""
        for name in [name for name in self.frontends if name and name not in frontends]:
            del self.frontends[name]
        for key in [key for key in self.servers if key[1] not in backends.get(key[0], {})]:
            del self.servers[key]


ServerKey = tuple[str, str]
FACTS = ("in_flight", "idle", "requests", "failures", "is_available")
"""What each process has of a server, and what adds up."""
MiddlewareKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Numbers:
    """What one process of a proxy tells the others.

    Attributes:
        tallies: what was answered.
        servers: ``FACTS`` of each, by ids of the backend and the server.
        middlewares: how each describes itself, by ids of the frontend and the middleware.
    """

    tallies: Tallies = field(default_factory=Tallies)
    servers: Mapping[ServerKey, Mapping[str, int]] = field(default_factory=dict)
    middlewares: Mapping[MiddlewareKey, Mapping[str, Any]] = field(default_factory=dict)


def error_ratio(window: Rolling, *, now_s: float) -> tuple[float, int]:
    """Return which part of the window's answers are 5xx, and of how many."""
    statuses = window.statuses(now_s)
    total = sum(statuses.values())
    errors = sum(count for status, count in statuses.items() if status >= 500)
    return (errors / total if total else 0.0), total


def round_trip(window: Rolling, *, now_s: float, is_bad: bool = False) -> dict[str, Any]:
    """Return a window as vulcand's API shows it: engine.RoundTripStats, durations in nanoseconds."""
    statuses = window.statuses(now_s)
    return {
        "Verdict": {"IsBad": is_bad, "Anomalies": []},
        "Counters": {
            "Period": _WINDOW_NS,
            "NetErrors": window.network_errors(now_s),
            "Total": sum(statuses.values()),
            "StatusCodes": [{"Code": code, "Count": count} for code, count in sorted(statuses.items())],
        },
        "LatencyBrackets": [
            {"Quantile": quantile, "Value": window.latency_us(quantile, now_s=now_s) * 1000}
            for quantile in QUANTILES
        ],
    }
