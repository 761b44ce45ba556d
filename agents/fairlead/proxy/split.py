"""Which backend a request goes to when its frontend names several: canaries first, a fallback when nobody is fit.

A request that carries a canary's header or cookie goes to it; of the others, as many as its percent says (see ``Deck``).
Whether a backend can serve is asked for each attempt, so that a request that failed there may end up in the fallback.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from fairlead.proxy.balance.deck import Deck
from fairlead.proxy.balance.sticky import cookie_of
from fairlead.proxy.model import Canary

if TYPE_CHECKING:
    from fairlead.proxy.balance import Chance
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.state import Group, Groups


class Leading(Protocol):
    """What leads to backends: a frontend, a TCP route."""

    @property
    def backend_id(self) -> str:
        """The one where most go."""

    @property
    def canaries(self) -> Sequence[Canary]:
        """Parts that go elsewhere."""

    @property
    def fallback(self) -> str:
        """Who is asked when nobody else can be; empty: none."""


class Split:
    """The choice of one frontend or TCP route; see ``Target.split``."""

    __slots__ = ("_backend_id", "_canaries", "_deck", "_fallback")

    def __init__(self, leading: Leading, *, rng: "Chance") -> None:
        self._backend_id = leading.backend_id
        self._canaries = [
            (canary, _wanted(canary.header), _wanted(canary.cookie)) for canary in leading.canaries
        ]
        self._fallback = leading.fallback
        self._deck = Deck((each.ratio for each in leading.canaries), rng=rng)

    def __call__(self, plan: "Plan", groups: "Groups", now_s: float) -> "Group | None":
        """Return the group that ``plan`` goes to; None: there is none."""
        group = self._canary(plan, groups, now_s) or groups.get(self._backend_id)
        if self._fallback and (group is None or not group.balancer.is_fit(now_s)):
            group = groups.get(self._fallback) or group
        return group

    def _canary(self, plan: "Plan", groups: "Groups", now_s: float) -> "Group | None":
        if not self._canaries:
            return None
        # One draw for all of them: their percents are parts of the same whole.
        share = self._deck.random()
        for canary, header, cookie in self._canaries:
            if _carries(plan, header, cookie) or share < canary.ratio:
                group = groups.get(canary.backend_id)
                # A canary that has died takes nobody along.
                return group if group is not None and group.balancer.is_fit(now_s) else None
            share -= canary.ratio
        return None


Wanted = tuple[bytes, bytes | None]
"""A name, and the value that it must have; None: any."""


def _wanted(text: str) -> Wanted | None:
    name, has_value, value = text.partition("=")
    return (name.encode(), value.encode() if has_value else None) if name else None


def _carries(plan: "Plan", header: Wanted | None, cookie: Wanted | None) -> bool:
    if header is not None:
        name, value = header
        values = plan.request.header_values(name.lower())
        if value in values if value is not None else values:
            return True
    if cookie is None:
        return False
    name, value = cookie
    found = cookie_of(plan, name)
    return found is not None and value in (None, found)


def make_split(leading: Leading, *, rng: "Chance") -> Split | None:
    """Return what chooses; None: it is always the one backend."""
    return Split(leading, rng=rng) if leading.canaries or leading.fallback else None
