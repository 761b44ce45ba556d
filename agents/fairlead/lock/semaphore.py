"""Locksmith's semaphore: who may be down at once.  Pure.

    {"semaphore": 1, "max": 2, "holders": ["4f7e..."]}

``semaphore`` counts what is left, ``max`` what there is, and ``holders`` are ids in order; a maximum that was lowered
below the holders leaves less than nothing.  The text is what Go's encoding/json makes of locksmith's struct, so that
its hosts and ours share one key.  Source: coreos/locksmith, lock/semaphore.go.
"""

import json
from dataclasses import dataclass, replace
from typing import Any

from fairlead.lock.errors import BrokenSemaphoreError, FullError, LimitError, NotHeldError

HOLDERS_MAX = 10_000
PERMITS_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Semaphore:
    """A semaphore as it stands.

    Attributes:
        permits: how many may hold it at once (``max``); 0 freezes it.
        holders: ids, sorted, each once.
    """

    permits: int = 1
    holders: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """How many more may come; below 0 when the maximum was lowered below the holders."""
        return self.permits - len(self.holders)

    def acquired(self, holder: str) -> "Semaphore":
        """Return it with ``holder`` in; the same when it is in already.

        Raises:
            FullError: no permit is left.
        """
        if holder in self.holders:
            return self
        if self.left <= 0:
            raise FullError(self.holders, permits=self.permits)
        return replace(self, holders=tuple(sorted((*self.holders, holder))))

    def released(self, holder: str) -> "Semaphore":
        """Return it without ``holder``.

        Raises:
            NotHeldError: ``holder`` is not in.
        """
        if holder not in self.holders:
            raise NotHeldError(holder, holders=self.holders)
        return replace(self, holders=tuple(one for one in self.holders if one != holder))

    def resized(self, permits: int) -> "Semaphore":
        """Return it with another maximum; who is in stays in.

        Raises:
            LimitError: it is below 0, or out of all reason.
        """
        if not 0 <= permits <= PERMITS_MAX:
            raise LimitError(f"a maximum of {permits} cannot be; give 0 (nobody) to {PERMITS_MAX}")
        return replace(self, permits=permits)

    def encode(self) -> bytes:
        """Return it as locksmith writes it."""
        fields = {"semaphore": self.left, "max": self.permits, "holders": list(self.holders)}
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def decode(cls, value: bytes) -> "Semaphore":
        """Return the semaphore that a key's value says.

        Go writes ``null`` for no holders; fields that are not locksmith's are ignored, as Go does.

        Raises:
            BrokenSemaphoreError: it says none, or contradicts itself.
        """
        try:
            fields = json.loads(value)
        except (ValueError, RecursionError):
            raise BrokenSemaphoreError("it is not JSON") from None
        if not isinstance(fields, dict):
            raise BrokenSemaphoreError("it is no JSON object")
        permits = _number(fields, "max")
        holders = fields.get("holders") or []
        if not isinstance(holders, list) or not all(isinstance(one, str) and one for one in holders):
            raise BrokenSemaphoreError("holders is not a list of ids")
        if len(set(holders)) != len(holders):
            raise BrokenSemaphoreError("somebody holds it twice")
        if len(holders) > HOLDERS_MAX:
            raise BrokenSemaphoreError(f"more than {HOLDERS_MAX} holders")
        if not 0 <= permits <= PERMITS_MAX:
            raise BrokenSemaphoreError(f"a max of {permits} cannot be")
        if (left := _number(fields, "semaphore")) != permits - len(holders):
            raise BrokenSemaphoreError(f"{permits} less {len(holders)} holders is not {left}")
        return cls(permits=permits, holders=tuple(sorted(holders)))


def _number(fields: dict[str, Any], name: str) -> int:
    number = fields.get(name)
    if not isinstance(number, int) or isinstance(number, bool):
        raise BrokenSemaphoreError(f"{name} is not a number")
    return number
