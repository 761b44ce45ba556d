"""Which backend a request goes to when its frontend names several: canaries first, a fallback when nobody is fit.

A request that carries a canary's header or cookie goes to it; of the others, as many as its percent says (see ``Deck``),
and where clients are to stay they keep, by a cookie, the backend that they were dealt.
Whether a backend can serve is asked for each attempt, so that a request that failed there may end up in the fallback.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from fairlead.proxy.balance.deck import Deck
from fairlead.proxy.balance.sticky import cookie_of, suffix_of, value_for
from fairlead.proxy.model import Canary, Sticky

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

    __slots__ = ("_backend_id", "_canaries", "_deck", "_fallback", "_staying")

    def __init__(self, leading: Leading, *, rng: "Chance", sticky: Sticky | None = None) -> None:
        self._backend_id = leading.backend_id
        self._canaries = [
            (canary, _wanted(canary.header), _wanted(canary.cookie)) for canary in leading.canaries
        ]
        self._fallback = leading.fallback
        self._deck = Deck((each.ratio for each in leading.canaries), rng=rng)
        ids = [leading.backend_id, *(each.backend_id for each in leading.canaries)]
        self._staying = Staying(sticky, ids) if sticky is not None else None

    def __call__(self, plan: "Plan", groups: "Groups", now_s: float) -> "Group | None":
        """Return the group that ``plan`` goes to; None: there is none."""
        canary = self._carried(plan) if self._canaries else None
        staying = self._staying if canary is None else None
        group = staying.group_of(plan, groups, now_s) if staying is not None else None
        if group is None:
            if self._canaries and (canary := canary or self._dealt()) is not None:
                # A canary that has died takes nobody along.
                group = groups.get(canary.backend_id)
                group = group if group is not None and group.balancer.is_fit(now_s) else None
            group = group or groups.get(self._backend_id)
        if self._fallback and (group is None or not group.balancer.is_fit(now_s)):
            group = groups.get(self._fallback) or group
        if staying is not None and group is not None:
            plan.stay = staying.line_for(plan, group.backend.id)
        return group

    def _carried(self, plan: "Plan") -> Canary | None:
        return next((each for each, header, cookie in self._canaries if _carries(plan, header, cookie)), None)

    def _dealt(self) -> Canary | None:
        # One draw for all of them: their percents are parts of the same whole.
        share = self._deck.random()
        for canary, _, _ in self._canaries:
            if share < canary.ratio:
                return canary
            share -= canary.ratio
        return None


class Staying:
    """Cookies that say which backend a client was dealt."""

    __slots__ = ("_ids", "_name", "_suffix", "_values")

    def __init__(self, sticky: Sticky, backend_ids: Sequence[str]) -> None:
        self._name = sticky.cookie.encode()
        self._values = {each: value_for(sticky, each) for each in backend_ids}
        self._ids = {value: each for each, value in self._values.items()}
        self._suffix = suffix_of(sticky)

    def group_of(self, plan: "Plan", groups: "Groups", now_s: float) -> "Group | None":
        """Return the group that the client says it was dealt, while that can serve."""
        group = groups.get(self._ids.get(cookie_of(plan, self._name) or b"", ""))
        return group if group is not None and group.balancer.is_fit(now_s) else None

    def line_for(self, plan: "Plan", backend_id: str) -> bytes:
        """Return the line that makes the client stay; nothing when it knows already."""
        value = self._values.get(backend_id)
        if value is None or cookie_of(plan, self._name) == value:
            return b""
        return b"Set-Cookie: %b=%b%b\r\n" % (self._name, value, self._suffix)


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


def make_split(leading: Leading, *, rng: "Chance", sticky: Sticky | None = None) -> Split | None:
    """Return what chooses; None: it is always the one backend."""
    return Split(leading, rng=rng, sticky=sticky) if leading.canaries or leading.fallback else None
