"""What a peer may make us do for nothing, as a table of budgets.

Each entry is a known flood: cheap to send, answered or processed at our cost, leading to no request.  Every
event spends a token of its bucket; an empty bucket ends the connection with ENHANCE_YOUR_CALM
(RFC 9113, section 10.5).  Budgets are far above what any peer in good health does.
"""

from enum import IntEnum
from typing import NamedTuple

from fairlead.http2.errors import ConnectionFault
from fairlead.http2.frames import ErrorCode


class Event(IntEnum):
    """What is budgeted."""

    RESET = 0
    PING = 1
    SETTINGS = 2
    EMPTY_DATA = 3
    WINDOW_UPDATE = 4
    OTHER = 5


class Budget(NamedTuple):
    """``burst`` events at once, ``per_s`` of them for ever."""

    burst: float
    per_s: float
    reason: str


BUDGETS: dict[Event, Budget] = {
    # CVE-2023-44487 (rapid reset) and CVE-2025-8671 (resets that the peer provokes); nghttp2's figures.
    Event.RESET: Budget(1000, 33, "too many streams reset"),
    # CVE-2019-9512.
    Event.PING: Budget(200, 20, "too many PING frames"),
    # CVE-2019-9515.
    Event.SETTINGS: Budget(50, 1, "too many SETTINGS frames"),
    # CVE-2019-9518.
    Event.EMPTY_DATA: Budget(200, 20, "too many empty DATA frames"),
    # CVE-2019-9511 (data dribble): updates while nothing of ours was sent.
    Event.WINDOW_UPDATE: Budget(20_000, 5_000, "too many WINDOW_UPDATE frames"),
    # CVE-2019-9513 (PRIORITY), frames of unknown kinds, and frames for streams that are gone.
    Event.OTHER: Budget(2_000, 100, "too many frames to no effect"),
}


class Guard:
    """The token buckets of one connection."""

    __slots__ = ("_tokens", "_updated_s")

    def __init__(self, now_s: float) -> None:
        self._tokens = [BUDGETS[event].burst for event in Event]
        self._updated_s = [now_s] * len(self._tokens)

    def spend(self, event: Event, now_s: float) -> None:
        """Take one token.

        Raises:
            ConnectionFault: there is none.
        """
        burst, per_s, reason = BUDGETS[event]
        tokens = min(burst, self._tokens[event] + (now_s - self._updated_s[event]) * per_s)
        if tokens < 1:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, reason)
        self._tokens[event] = tokens - 1
        self._updated_s[event] = now_s
