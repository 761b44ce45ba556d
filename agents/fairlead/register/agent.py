"""Keeps a service where others look for it, for as long as it is well and its lease lives.

All records go in and out in one transaction, so DNS, proxy and templates never disagree.
"""

import asyncio
import contextlib
import os

from fairlead.agent import AgentContext
from fairlead.checks import Check, run_check
from fairlead.client import ClientError, Compare, Lease, op_delete, op_put
from fairlead.register.errors import TakenError
from fairlead.register.gate import Gate, Move
from fairlead.register.program import Program
from fairlead.register.records import Places, Service, owner_of, records, service_key

_RETRY_S = 1.0


class Registration:
    """One service.

    Args:
        context: the agent's surroundings.
        service: what is registered.
        places: where.
        check: what has to hold; None: nothing but that the program, if there is one, lives.
        interval_s: from check to check.
        gate: how many checks count.
        program: what the registration stands for, if it runs it.
        drain_s: how long the program lives on after it has left, so that whoever still comes is served.
        host: this host's name, by which an earlier life of ours is known.
    """

    def __init__(
        self,
        context: AgentContext,
        service: Service,
        places: Places,
        *,
        check: Check | None,
        interval_s: float,
        gate: Gate,
        program: Program | None,
        drain_s: float,
        host: str,
    ) -> None:
        self._context = context
        self._service = service
        self._places = places
        self._check = check
        self._interval_s = interval_s
        self._gate = gate
        self._program = program
        self._drain_s = drain_s
        self._host = host
        self._records = records(service, places, owner=f"{self._host} pid {os.getpid()}")
        self._lease: Lease | None = None
        self._is_in = False
        self.exit_status = 0

    async def run(self) -> None:
        """Keep the registration until the agent is stopped, or its program is over.

        Raises:
            TakenError: somebody else is registered there.
            RegisterError: the program cannot be run.
        """
        keeping = asyncio.create_task(self._keep(), name="registration")
        stopping = asyncio.create_task(self._context.stopping.wait(), name="stop")
        running = None if self._program is None else asyncio.create_task(self._program.run(), name="program")
        tasks = {keeping, stopping, *([running] if running is not None else [])}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if running is not None and running.done():
                self.exit_status = running.result()
            if keeping.done():
                keeping.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end()

    async def _end(self) -> None:
        if self._lease is not None:
            await self._lease.close()
        if self._is_in:
            self._is_in = False
            self._context.log.info("left", name=self._service.name, address=str(self._service.address))
        if self._program is not None and self._program.is_alive:
            await asyncio.sleep(self._drain_s)
            await self._program.end()

    async def _keep(self) -> None:
        while True:
            try:
                self._lease = await self._granted()
            except ClientError as error:
                self._context.status.problem("store", str(error))
                await asyncio.sleep(_RETRY_S)
                continue
            await self._follow(self._lease)
            self._context.status.problem("lease", "the lease was lost; registering anew")

    async def _granted(self) -> Lease:
        lease_id, ttl_s = await self._context.client.grant(self._service.ttl_s)
        return Lease(self._context.client, lease_id=lease_id, ttl_s=ttl_s)

    async def _follow(self, lease: Lease) -> None:
        """Check and act until the lease is lost."""
        self._is_in = False
        while not lease.is_lost:
            try:
                await self._look(lease)
                self._context.status.healed("store")
            except ClientError as error:
                # The lease outlives a store that is away for less than its time.
                self._context.status.problem("store", str(error))
            await self._pause(lease)

    async def _look(self, lease: Lease) -> None:
        if not self._is_in:
            await self._seen()  # who is refused should hear it before the service is well
        problem = await self._problem()
        move = self._gate.saw(is_well=problem is None)
        if problem is not None and not self._gate.is_open:
            self._context.status.problem("check", f"{self._service.name} is not registered: {problem}")
        if self._gate.is_open and not self._is_in:
            await self._enter(lease)
        elif move is Move.LEAVE:
            await self._leave(lease)

    async def _problem(self) -> str | None:
        if self._program is not None:
            self._program.died.clear()
            if not self._program.is_alive:
                return "its program does not run"
        return None if self._check is None else await run_check(self._check)

    async def _enter(self, lease: Lease) -> None:
        key, seen = await self._seen()
        puts = [op_put(name, value, lease=lease.lease_id) for name, value in self._records.items()]
        done = await self._context.client.txn([Compare.mod_revision(key).equals(seen)], success=puts)
        if not done.succeeded:
            return  # somebody came between; the next look says who
        self._is_in = True
        self._context.status.applied(done.revision)
        for name in ("check", "lease"):
            self._context.status.healed(name)
        self._context.log.info("registered", name=self._service.name, address=str(self._service.address))
        self._context.ready(self._service.address)

    async def _seen(self) -> tuple[str, int]:
        """Return our key and the revision of its last write, 0 where there is none.

        Raises:
            TakenError: it is somebody else's.
        """
        key = service_key(self._service, self._places)
        found = (await self._context.client.get(key)).kvs
        if found and not self._is_mine(found[0].value):
            address = str(self._service.address)
            raise TakenError(
                name=self._service.name, address=address, owner=owner_of(found[0].value), key=key
            )
        return key, found[0].mod_revision if found else 0

    async def _leave(self, lease: Lease) -> None:
        key = service_key(self._service, self._places)
        deletes = [op_delete(name) for name in self._records]
        # Who has taken our place meanwhile keeps it.
        await self._context.client.txn([Compare.lease(key).equals(lease.lease_id)], success=deletes)
        self._is_in = False
        self._context.log.warning("left: the check does not hold", name=self._service.name)

    def _is_mine(self, value: bytes) -> bool:
        """Whether the record is of an earlier life of ours: of this host, and of a process that is gone."""
        host, _, pid = owner_of(value).rpartition(" pid ")
        if host != self._host or not pid.isdecimal():
            return False
        if int(pid) == os.getpid():
            return True
        with contextlib.suppress(PermissionError):
            try:
                os.kill(int(pid), 0)
            except ProcessLookupError:
                return True
        return False

    async def _pause(self, lease: Lease) -> None:
        """Wait for the next check, or for something that will not wait so long."""
        waits = [asyncio.create_task(lease.wait_lost(), name="lease")]
        if self._program is not None:
            waits.append(asyncio.create_task(self._program_news(), name="program news"))
        try:
            await asyncio.wait(waits, timeout=self._interval_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()

    async def _program_news(self) -> None:
        assert self._program is not None
        await self._program.died.wait()
