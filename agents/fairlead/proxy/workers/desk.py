"""Where a worker answers the process that started it: a unix socket in a folder that only this user can enter.

Both ends are processes of ours, so what they say are pickles, one question and one answer for each connection.
"""

import asyncio
import contextlib
import os
import pickle
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fairlead.agent import Asked, Page
from fairlead.proxy.admin import Numbers
from fairlead.proxy.workers.ejections import Ejection

DESK = "FAIRLEAD_PROXY_DESK"
"""In the environment: the path of a worker's socket."""
ANSWER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a worker is.

    Attributes:
        metrics: what it would show to Prometheus.
        degraded: why it serves, but not as it should; empty: it does.
    """

    metrics: bytes
    is_ready: bool
    degraded: str


@dataclass(frozen=True, slots=True)
class PageWanted:
    """A page, made of what the worker has counted and of ``others``."""

    asked: Asked
    others: tuple[Numbers, ...]


class Desk:
    """The worker's end.  ``numbers`` and ``page`` are those of a proxy with an admin.

    Attributes:
        numbers: returns what was counted here.
        page: makes a page of the admin's.
        take: learns what another worker tells.
    """

    def __init__(self, health: Callable[[], Health]) -> None:
        self.numbers: Callable[[], Numbers] = Numbers
        self.page: Callable[[Asked, tuple[Numbers, ...]], Page] = lambda *_: Page(status=404, body=b"")
        self.take: Callable[[Ejection], None] = lambda _: None
        self._health = health

    @contextlib.asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator[None]:
        """Answer at ``path``."""
        server = await asyncio.start_unix_server(self._serve, path)
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(ANSWER_S):
                question = pickle.loads(await reader.read())  # noqa: S301  from a process of ours
                writer.write(pickle.dumps(self._answer(question)))
                await writer.drain()
        writer.close()

    def _answer(self, question: object) -> object:
        if isinstance(question, PageWanted):
            return self.page(question.asked, question.others)
        if isinstance(question, Ejection):
            return self.take(question)
        return self._health() if question is Health else self.numbers()


async def tell(desk: Path, news: Sequence[Ejection]) -> None:
    """Tell all workers but the one at ``desk``; who does not listen does not learn it."""
    others = [each for each in desk.parent.iterdir() if each != desk]
    await asyncio.gather(*(ask(each, piece) for piece in news for each in others))


async def ask(path: Path, question: object) -> object:
    """Return what the worker at ``path`` answers; None: it does not."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(pickle.dumps(question))
                writer.write_eof()
                answer = await reader.read()
            finally:
                writer.close()
        return pickle.loads(answer)  # noqa: S301  from a process of ours
    except (OSError, TimeoutError, EOFError, pickle.UnpicklingError):
        return None


def desk_path() -> Path | None:
    """Return where this worker is to answer; None: it is no worker."""
    text = os.environ.get(DESK, "")
    return Path(text) if text else None
