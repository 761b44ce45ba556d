"""The workers, as the first process sees them: started, fed, replaced when they die."""

import asyncio
import contextlib
import socket
import sys
from typing import Final

from fairlead.agent import AgentContext
from fairlead.client import Change, KeyValue
from fairlead.dns.around import RecordSource
from fairlead.dns.config import DnsConfig
from fairlead.dns.numbers import Numbers
from fairlead.dns.server import Identity
from fairlead.dns.sockets import Sockets
from fairlead.dns.workers.feed import Hello, Message, Pulse, read, to_bytes
from fairlead.dns.workers.records import as_sent
from fairlead.dns.zone import Zones

UNREAD_BYTES_MAX: Final = 256 * 1024 * 1024
"""A worker that leaves more unread is stuck, and is replaced."""

RESTART_S: Final = 0.5
PULSE_S: Final = 1.0
STOP_S: Final = 5.0


class Pool:
    """All workers but the first process.

    Args:
        zones: whose serials are everybody's.
        sockets: a set for each worker; they stay open here, so that no query is refused while a worker starts again.
    """

    def __init__(
        self,
        context: AgentContext,
        config: DnsConfig,
        *,
        identity: Identity,
        zones: Zones,
        sockets: list[Sockets],
    ) -> None:
        self.zones = zones
        self._workers = [
            _Worker(context, config, identity=identity, sockets=one, number=number, pool=self)
            for number, one in enumerate(sockets, 1)
        ]
        self._records: dict[bytes, KeyValue] = {}
        self._revision = 0
        self._retired = Numbers()

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def numbers(self) -> Numbers:
        """What all workers have counted, those that have died too; up to a second old."""
        return sum((worker.numbers for worker in self._workers), self._retired)

    def apply(self, change: Change) -> None:
        """Have every worker apply ``change``."""
        if not self._workers:
            return
        for key in change.deletes:
            self._records.pop(key, None)
        self._records.update(change.puts)
        self._revision = change.revision
        self.tell(self.zones.epoch)
        self.tell(as_sent(change))

    def tell(self, message: Message) -> None:
        """Send ``message`` to every worker that runs."""
        if not self._workers:
            return
        data = to_bytes(message)
        for worker in self._workers:
            worker.write(data)

    def snapshot(self) -> Change:
        """Return everything that is in force, for a worker that starts."""
        return Change(
            revision=self._revision, puts=dict(self._records), deletes=frozenset(), is_snapshot=True
        )

    def retire(self, numbers: Numbers) -> None:
        """Keep what a worker that has died had counted."""
        self._retired += numbers.without_gauges()

    async def run(self, mirror: RecordSource) -> None:
        """Run every worker, and tell them how ``mirror`` is, until cancelled; return once all have ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._beat(mirror), name="dns pulse")
            for worker in self._workers:
                group.create_task(worker.run(), name=f"dns worker {worker.number}")

    async def _beat(self, mirror: RecordSource) -> None:
        while True:
            self.tell(Pulse(age_s=mirror.age_s, is_live=mirror.is_live, revision=mirror.revision))
            await asyncio.sleep(PULSE_S)

    async def ready(self) -> None:
        """Wait until every worker answers."""
        for worker in self._workers:
            await worker.answers.wait()


class _Worker:
    """One worker, over all its lives."""

    def __init__(
        self,
        context: AgentContext,
        config: DnsConfig,
        *,
        identity: Identity,
        sockets: Sockets,
        number: int,
        pool: Pool,
    ) -> None:
        self.number = number
        self.numbers = Numbers()
        self.answers = asyncio.Event()
        self._log = context.log
        self._pool = pool
        self._writer: asyncio.StreamWriter | None = None
        self._fds = tuple(tuple(one.fileno() for one in group) for group in sockets.groups())
        self._hello = Hello(
            options=context.options, config=config, identity=identity, sockets=self._fds, number=number
        )

    def write(self, data: bytes) -> None:
        """Send ``data``, if the worker runs; one that does not read is ended."""
        if self._writer is None:
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self._writer.transport.abort()

    async def run(self) -> None:
        """Live, again and again, until cancelled."""
        while True:
            with contextlib.suppress(OSError):  # no process to be had: try again
                await self._live()
            self._pool.retire(self.numbers)
            self.numbers = Numbers()
            self._log.warning("a worker has ended; starting another", worker=self.number)
            await asyncio.sleep(RESTART_S)

    async def _live(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "fairlead.dns.workers.worker", str(theirs.fileno())),
                pass_fds=[theirs.fileno(), *(fd for group in self._fds for fd in group)],
                stdin=asyncio.subprocess.DEVNULL,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            epoch = to_bytes(self._pool.zones.epoch)
            writer.write(to_bytes(self._hello) + epoch + to_bytes(self._pool.snapshot()))
            self._writer = writer
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                while True:
                    self.numbers = await read(reader)
                    self.answers.set()
        finally:
            self._writer = None
            writer.close()  # the worker's sign to end
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
