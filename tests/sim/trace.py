"""What happened, line by line: a hash that two equal runs share, and a text for whoever replays one."""

import hashlib
from collections import deque
from collections.abc import Callable
from typing import Any

LINES_KEPT = 400
"""A failure shows this many of the last lines."""


class Trace:
    """Takes one line for each event.

    Args:
        show: prints a line; None keeps the last ones only.
    """

    def __init__(self, show: Callable[[str], None] | None = None) -> None:
        self._hash = hashlib.sha256()
        self._show = show
        self._last: deque[str] = deque(maxlen=LINES_KEPT)
        self.lines = 0

    def __repr__(self) -> str:
        return f"<Trace lines={self.lines} hash={self.digest}>"

    @property
    def digest(self) -> str:
        """The hash of every line so far, shortened to 16 digits."""
        return self._hash.hexdigest()[:16]

    @property
    def tail(self) -> list[str]:
        """The last lines."""
        return list(self._last)

    def message(self, now_s: float, slot: int, message: Any, slots: Callable[[int], int]) -> None:
        """Take a message that arrives; its text is made only if somebody may read it."""
        sender = slots(message.sender)
        term = getattr(message, "term", 0)
        self._hash.update(b"%.6f %d %d %d" % (now_s, slot, sender, term))
        self._hash.update(type(message).__name__.encode())
        self.lines += 1
        if self._show is not None:
            self._show(f"{now_s:10.6f}  m{slot} {describe(message, slots)}")

    def add(self, now_s: float, who: str, what: str) -> None:
        """Take one event: when, to whom, and what, in words that are the same in every process."""
        line = f"{now_s:10.6f} {who:>3} {what}"
        self._hash.update(line.encode())
        self.lines += 1
        self._last.append(line)
        if self._show is not None:
            self._show(line)


_TOLD = (
    "prev_index", "prev_term", "commit", "index", "success", "hint_index", "hint_term", "granted", "is_pre_vote",
    "is_transfer", "last_index", "last_term", "round", "context", "id", "method", "error",
)  # fmt: skip


def describe(message: Any, slots: Callable[[int], int]) -> str:
    """Say a message in one line, without its payload."""
    parts = [f"{type(message).__name__} from m{slots(message.sender)}"]
    if hasattr(message, "term"):
        parts.append(f"term={message.term}")
    parts += [f"{name}={getattr(message, name)}" for name in _TOLD if getattr(message, name, None)]
    entries = getattr(message, "entries", None)
    if entries:
        parts.append(f"entries={entries[0].index}..{entries[-1].index}")
    return " ".join(parts)
