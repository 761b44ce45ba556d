"""How long the leases were granted for that keys hang on; asked of the store once for each, never by a query.

The TTL of a record is bounded by what its lease was granted for, not by what is left of it: whoever renews a lease keeps its
keys, and what is left swings between the two with each renewal, while a compiled answer must hold.
"""

from collections.abc import Iterable
from typing import Final

from fairlead.dns.names import Name

ASKED_MAX: Final = 16
"""Leases asked about at once."""


class Leases:
    """Which names hang on which lease, and what is known of those leases."""

    def __init__(self) -> None:
        self._names: dict[int, set[Name]] = {}
        self._granted_s: dict[int, int] = {}
        self._unknown: dict[int, None] = {}

    def __repr__(self) -> str:
        return f"Leases({len(self._names)}, {len(self._unknown)} unknown)"

    def granted_s(self, lease_id: int) -> int:
        """Return what the lease was granted for, in seconds; 0 while nobody knows."""
        return self._granted_s.get(lease_id, 0)

    def hang(self, name: Name, lease_id: int) -> None:
        """Note that ``name`` hangs on the lease."""
        if lease_id not in self._names:
            self._names[lease_id] = set()
            self._unknown[lease_id] = None
        self._names[lease_id].add(name)

    def release(self, name: Name, lease_id: int) -> None:
        """Note that ``name`` does not hang on the lease any more."""
        hanging = self._names.get(lease_id)
        if hanging is None:
            return
        hanging.discard(name)
        if not hanging:
            del self._names[lease_id]
            self._granted_s.pop(lease_id, None)
            self._unknown.pop(lease_id, None)

    def unknown(self) -> list[int]:
        """Return leases to ask about, a few."""
        return [lease_id for lease_id, _ in zip(self._unknown, range(ASKED_MAX), strict=False)]

    def learn(self, lease_id: int, granted_s: int) -> Iterable[Name]:
        """Take up what the store said; 0 or less: the lease is gone.  Return the names that hang on it."""
        self._unknown.pop(lease_id, None)
        if lease_id not in self._names or granted_s <= 0:
            return ()
        self._granted_s[lease_id] = granted_s
        return tuple(self._names[lease_id])
