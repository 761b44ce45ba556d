"""Ejections that workers tell each other: a server that one of them has put out is out in all.

One looks a few times a second at the servers of backends with ``Outlier``; what it has been told it does not tell on.
Sans-IO.
"""

from dataclasses import dataclass

from fairlead.proxy.balance import may_eject
from fairlead.proxy.state import Groups, ServerState


@dataclass(frozen=True, slots=True, kw_only=True)
class Ejection:
    """A server is out, for ``for_s`` seconds from now.

    Attributes:
        address: at which it failed; one that has moved is another server.
        ejections: how often in a row it has been put out.
    """

    backend_id: str
    server_id: str
    address: tuple[str, str, int]
    for_s: float
    ejections: int


class Ejections:
    """What this worker has told the others, or they it."""

    def __init__(self) -> None:
        self._known: dict[ServerState, float] = {}  # until when

    def news(self, groups: Groups, *, now_s: float) -> list[Ejection]:
        """Return what the others do not know."""
        found: list[Ejection] = []
        known: dict[ServerState, float] = {}
        for backend_id, group in groups.items():
            for each in group.servers if group.backend.outlier is not None else ():
                standing = each.standing
                until_s = standing.ejected_until_s
                if until_s <= now_s:
                    continue
                known[each] = until_s
                if self._known.get(each, 0.0) < until_s:
                    told = Ejection(
                        backend_id=backend_id,
                        server_id=each.server.id,
                        address=each.server.address,
                        for_s=until_s - now_s,
                        ejections=standing.ejections,
                    )
                    found.append(told)
        self._known = known
        return found

    def take(self, told: Ejection, groups: Groups, *, now_s: float) -> None:
        """Put a server out that another worker has put out, if not too many are."""
        group = groups.get(told.backend_id)
        if group is None or group.backend.outlier is None:
            return
        states = {each.server.id: each for each in group.servers}
        state = states.get(told.server_id)
        until_s = now_s + told.for_s
        if state is None or state.server.address != told.address or state.standing.ejected_until_s >= until_s:
            return
        standings = [each.standing for each in group.servers if each is not state]
        if may_eject(group.backend.outlier, standings, len(states), now_s=now_s):
            state.standing.ejected_until_s = self._known[state] = until_s
            state.standing.ejections = max(state.standing.ejections, told.ejections)
            state.standing.failures = 0
            group.memory.changed()
