"""Listeners and certificates as they follow the store: the newest is put in force, one change at a time."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from fairlead.proxy.findings import Findings, FindingsBoard
from fairlead.proxy.model import Host, Listener
from fairlead.proxy.service import Service


class EdgeBoard(FindingsBoard, Protocol):
    """Where the operator is told; ``fairlead.agent.Status`` is one."""

    def note(self, name: str, text: str) -> None:
        """How ``name`` stands; empty: nothing to say."""


class Edge:
    """What ``Routes`` tells of listeners and hosts; ``run`` acts on it."""

    def __init__(self, service: Service, board: EdgeBoard) -> None:
        self._service = service
        self._board = board
        self._listeners: dict[str, Listener] = {}
        self._changed = asyncio.Event()
        self._findings = Findings(board)
        self._host_problems: dict[bytes | str, str] = {}

    def follow(self, listeners: Iterable[Listener], hosts: Iterable[Host]) -> None:
        """Take the newest of both."""
        hosts = tuple(hosts)
        wrong = self._service.certificates.follow(hosts)
        unstapled = ", ".join(sorted(each.name for each in hosts if each.ocsp is not None))
        self._board.note("OCSP", f"not stapled, as Python's ssl cannot: {unstapled}" if unstapled else "")
        self._host_problems = {f"hosts/{name}/host": text for name, text in wrong.items()}
        self._listeners = {each.id: each for each in listeners}
        self._changed.set()

    async def run(self) -> None:
        """Open and close listeners until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            wrong = await self._service.doors.follow(self._listeners.values())
            found: dict[bytes | str, str] = {f"listeners/{name}": text for name, text in wrong.items()}
            self._findings.tell(found | self._host_problems)
