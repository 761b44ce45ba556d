"""What an agent says of itself: the revision it has applied, what is wrong, and counts.

``Status`` is a plain board that the agent writes on.  Each problem is logged once, when it appears or changes,
however often the agent meets it, and stays until it is healed.
"""

from collections.abc import Callable
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

PROBLEMS_SHOWN_MAX = 10
TEXT_CHARS_MAX = 500

OnChange = Callable[[], None]


class Status:
    """The board of one agent."""

    def __init__(self, *, log: structlog.stdlib.BoundLogger, metrics: CollectorRegistry) -> None:
        """Start with nothing applied and nothing wrong.

        Args:
            log: where problems are told.
            metrics: where revision and problems are exported.
        """
        self.on_change: OnChange = lambda: None  # called whenever the board says something new
        self._log = log
        self._revision = 0
        self._problems: dict[str, str] = {}
        self._last_error: dict[str, str] | None = None
        self._counts: dict[str, int] = {}
        self._notes: dict[str, str] = {}
        self._applied = Gauge(
            "fairlead_agent_applied_revision", "Store revision that the agent acts on.", registry=metrics
        )
        self._open = Gauge("fairlead_agent_problem_keys", "Keys that are wrong now.", registry=metrics)
        self._seen = Counter(
            "fairlead_agent_problems_total", "Problems met since the start.", registry=metrics
        )

    @property
    def revision(self) -> int:
        """The store revision that the agent acts on."""
        return self._revision

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong now, by key."""
        return dict(self._problems)

    def applied(self, revision: int) -> None:
        """Say that everything up to ``revision`` is in force."""
        if revision != self._revision:
            self._revision = revision
            self._applied.set(revision)
            self.on_change()

    def problem(self, key: bytes | str, text: str) -> None:
        """Say that ``key``, or whatever else goes by that name, is wrong; its last good value stays."""
        name = _name(key)
        line = one_line(text)
        if self._problems.get(name) == line:
            return
        self._problems[name] = line
        self._last_error = {"key": name, "text": line}
        self._seen.inc()
        self._open.set(len(self._problems))
        self._log.warning(line, key=name)
        self.on_change()

    def healed(self, key: bytes | str) -> None:
        """Say that ``key`` is right again, or gone; nothing happens when it was not wrong."""
        name = _name(key)
        if self._problems.pop(name, None) is not None:
            self._open.set(len(self._problems))
            self._log.info("healed", key=name)
            self.on_change()

    def count(self, name: str, number: int) -> None:
        """Say how many ``name`` there are now, such as records or routes."""
        if self._counts.get(name) != number:
            self._counts[name] = number
            self.on_change()

    def note(self, name: str, text: str) -> None:
        """Say how ``name`` stands, such as what is being waited for; empty: there is nothing to say any more."""
        line = one_line(text)
        if self._notes.get(name, "") != line:
            self._notes[name] = line
            if not line:
                del self._notes[name]
            self.on_change()

    def touch(self) -> None:
        """Have the board read again: something beside it has changed."""
        self.on_change()

    def as_json(self) -> dict[str, Any]:
        """Return what the status key says of all this."""
        shown = dict(sorted(self._problems.items())[:PROBLEMS_SHOWN_MAX])
        return {
            "revision": self._revision,
            "last_error": self._last_error,
            "problems": shown,
            "problem_count": len(self._problems),
            "counts": dict(sorted(self._counts.items())),
            "notes": dict(sorted(self._notes.items())),
        }


def _name(key: bytes | str) -> str:
    return one_line(key.decode(errors="backslashreplace") if isinstance(key, bytes) else key)


def one_line(text: str) -> str:
    """Return text of keys and values as may be shown on a terminal: no control characters, not too long.

    What is too long loses its middle: where it happened stands in front, and what a program said about it at the end.
    """
    line = " ".join(text.split())
    if len(line) > TEXT_CHARS_MAX:
        line = f"{line[: TEXT_CHARS_MAX // 2 - 3]} ... {line[-TEXT_CHARS_MAX // 2 + 2 :]}"
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line)
