"""What an operator may tell a renderer, whether it runs or not: try again, go back."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fairlead.render.change.journal import Journal
from fairlead.render.errors import ControlError, HistoryError
from fairlead.render.history import as_rendered, find_entry, last_but_one
from fairlead.render.lane import Lane
from fairlead.render.resource import Resource


async def roll_back(lane: Lane, resource: Resource, journal: Journal, *, number: int | None) -> str:
    """Bring back an earlier change, checked, reloaded and verified as any other; return what was done.

    What is in force now is held back until the keys say something else.

    Raises:
        ControlError: there is no such change, or it did not work out.
    """
    await lane.settled()
    try:
        entry = last_but_one(lane.memory) if number is None else find_entry(lane.memory, number)
        rendered = as_rendered(resource, entry, journal.contents.read)
        present = find_entry(lane.memory, None)
    except HistoryError as error:
        raise ControlError(f"{resource.group}: {error}") from error
    before = len(lane.memory.history) and lane.memory.history[-1].number
    lane.offer(rendered, hold=present.change.output)
    await lane.settled()
    last = lane.memory.history[-1]
    if last.number == before:
        raise ControlError(
            f"{resource.group}: nothing was changed; see the log or: fairlead render why {resource.group}"
        )
    if last.kind != "done":
        raise ControlError(f"{resource.group}: change {entry.number} does not work any more: {last.error}")
    return f"{resource.group} is as it was after change {entry.number}; what came later waits for other keys"


def note_retry(journal: Journal, group: str) -> dict[str, Any]:
    """Have what was refused tried again; return the record."""
    return journal.append({"group": group, "kind": "retry"})


class Steering:
    """Answers requests with the lanes of a renderer that runs."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._resources: dict[str, tuple[Resource, Lane]] = {}

    def add(self, resource: Resource, lane: Lane) -> None:
        """Let the group be steered."""
        self._resources[resource.group] = (resource, lane)

    async def answer(self, request: Mapping[str, Any], *, make_due: Callable[[str], None]) -> str:
        """Do what a request asks for.

        Args:
            request: ``command``, ``group``, and for a rollback ``number``.
            make_due: called with a resource's name to have it rendered again.

        Raises:
            ControlError: the request cannot be carried out.
        """
        group = request.get("group")
        known = self._resources.get(str(group))
        if known is None:
            names = ", ".join(sorted(self._resources)) or "none"
            raise ControlError(f"there is no group {group}; there are {names}")
        resource, lane = known
        if request.get("command") == "retry":
            record = await asyncio.to_thread(note_retry, self._journal, resource.group)
            lane.learn(record)
            make_due(resource.name)
            return f"{resource.group} is tried again"
        if request.get("command") == "rollback":
            return await roll_back(lane, resource, self._journal, number=request.get("number"))
        raise ControlError(f"there is no command {request.get('command')}")
