"""Who is ill, by the keys that probers write: what is there counts, and what has gone with its prober counts a while longer."""

import json
from collections.abc import Iterable, Mapping

from fairlead.dns.health.doctor import GRACE_S, owner_of
from fairlead.dns.names import Name


class Findings:
    """Who is ill.  Without IO."""

    def __init__(self) -> None:
        self._down: dict[Name, str] = {}
        self._orphans: dict[Name, float] = {}

    @property
    def down(self) -> dict[Name, str]:
        """Who is ill, and why."""
        return dict(self._down)

    def take(
        self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes], *, has_prober: bool, now_s: float
    ) -> set[Name]:
        """Take in a change of the keys; return whose records are judged otherwise now.

        Args:
            puts: key to value, of keys below ``DOWN_PREFIX``.
            deletes: keys that are gone.
            has_prober: somebody probes: what goes then is well, and else only unknown.
            now_s: of any clock that only goes forward.
        """
        turned: set[Name] = set()
        for key, value in puts.items():
            owner = owner_of(key)
            if owner is not None:
                if owner not in self._down:
                    turned.add(owner)
                self._down[owner] = _reason(value)
                self._orphans.pop(owner, None)
        for key in deletes:
            owner = owner_of(key)
            if owner is None or owner not in self._down:
                continue
            if has_prober:
                turned |= self._forget(owner)
            else:
                self._orphans.setdefault(owner, now_s)
        return turned

    def expire(self, *, now_s: float) -> set[Name]:
        """Let go of what nobody has confirmed for too long; return whose records are judged otherwise now."""
        over = [owner for owner, since_s in self._orphans.items() if now_s - since_s >= GRACE_S]
        return {owner for one in over for owner in self._forget(one)}

    def _forget(self, owner: Name) -> set[Name]:
        self._orphans.pop(owner, None)
        return {owner} if self._down.pop(owner, None) is not None else set()


def _reason(value: bytes) -> str:
    try:
        said = json.loads(value)
    except ValueError:
        return "unknown"
    reason = said.get("reason") if isinstance(said, dict) else None
    return reason if isinstance(reason, str) else "unknown"
