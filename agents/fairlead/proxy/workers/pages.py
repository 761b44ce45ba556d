"""What operators see of all workers together, at the addresses of ``--metrics-listen`` and ``--admin-listen``.

A page of the admin's is made by the first worker that answers, from its own numbers and from those of the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from fairlead.agent import Asked, Page
from fairlead.proxy.admin import Numbers
from fairlead.proxy.workers.desk import Health, PageWanted, ask
from fairlead.proxy.workers.sums import Sums

_NOBODY = Page(status=503, body=b"no worker answers\n")


class WorkerPages:
    """Asks the workers."""

    def __init__(self, desks: Callable[[], Sequence[Path]], *, count: int) -> None:
        """Ask at ``desks()``, those of the workers that live; ``count`` of them have to be ready."""
        self._desks = desks
        self._count = count
        self._sums = Sums()
        self._last: dict[Path, str] = {}

    def answer_health(self, asked: Asked) -> Page | Awaitable[Page]:
        """Return /healthz, /readyz or /metrics."""
        if not asked.is_reading:
            return Page(status=405, body=b"use GET\n")
        match asked.path:
            case "/healthz":
                return Page(body=b"ok\n")
            case "/readyz":
                return self._readiness()
            case "/metrics":
                return self._metrics()
            case _:
                return Page(status=404, body=b"try /healthz, /readyz or /metrics\n")

    async def answer_admin(self, asked: Asked) -> Page:
        """Return a page of the admin's."""
        desks = list(self._desks())
        numbers = await asyncio.gather(*(ask(each, Numbers) for each in desks))
        for desk in desks:
            told = zip(desks, numbers, strict=True)
            others = tuple(each for path, each in told if path != desk and isinstance(each, Numbers))
            page = await ask(desk, PageWanted(asked, others))
            if isinstance(page, Page):
                return page
        return _NOBODY

    async def _health(self) -> dict[Path, Health]:
        desks = list(self._desks())
        told = await asyncio.gather(*(ask(each, Health) for each in desks))
        return {path: each for path, each in zip(desks, told, strict=True) if isinstance(each, Health)}

    async def _readiness(self) -> Page:
        told = await self._health()
        if sum(each.is_ready for each in told.values()) < self._count:
            return Page(status=503, body=b"not ready\n")
        degraded = next((each.degraded for each in told.values() if each.degraded), "")
        return Page(body=f"ready, {degraded}\n".encode() if degraded else b"ready\n")

    async def _metrics(self) -> Page:
        told = await self._health()
        # Asked for again after the wait: who ended meanwhile has been retired, or will be.
        living = set(self._desks())
        self._last |= {path: each.metrics.decode() for path, each in told.items()}
        for path in self._last.keys() - living:
            self._sums.retire(self._last.pop(path))
        return Page(body=self._sums.shown(self._last.values()), kind=CONTENT_TYPE_PLAIN_0_0_4)
