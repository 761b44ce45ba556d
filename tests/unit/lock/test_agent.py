"""A host's agent on a semaphore that a test holds in its hand: which commands run, and who holds in the end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry
from tests.unit.lock.boards import Keys

from fairlead.agent import AgentContext, AgentOptions, Status
from fairlead.checks import CommandCheck
from fairlead.client import Client
from fairlead.lock import Board, Claim, Lock, keys, operations
from fairlead.lock.agent import RebootAgent
from fairlead.lock.operations import Change
from fairlead.lock.policy import Command, FileSource, Policy

GROUP = keys.DEFAULT_GROUP


class HeldLock(Lock):
    """A lock on ``Keys``; nothing ever changes by itself, so what an agent does it does in one turn."""

    def __init__(self, client: Client, store: Keys) -> None:
        super().__init__(client)
        self.store = store
        self.turns_over = asyncio.Event()

    async def read(self) -> Board:
        return self.store.board()

    async def _write(self, change: Change, *, alive_lease: int = 0) -> bool:
        del alive_lease
        return self.store.apply(change)

    async def reboot_done(self, holder: str) -> None:
        self.store.pairs.pop(keys.child(self.group, "need", holder), None)

    async def changed(self, *, within_s: float) -> None:
        del within_s
        self.turns_over.set()
        await asyncio.Event().wait()

    @property
    def holders(self) -> list[str]:
        return [one.holder for one in self.store.board().holders]


class Host:
    """One host, whose commands write their names into a file."""

    def __init__(self, context: AgentContext, folder: Path) -> None:
        self.context = context
        self.lock = HeldLock(context.client, Keys())
        self.needed = folder / "reboot-required"
        self.done_file = folder / "done"

    def command(self, name: str, *, status: int = 0) -> Command:
        script = f"echo {name} >> {self.done_file}; exit {status}"
        return Command(argv=("sh", "-c", script), timeout_s=30)

    def policy(self, *, drain: int = 0, health: str = "true") -> Policy:
        return Policy(
            needs=(FileSource(path=self.needed),),
            drain=self.command("drain", status=drain),
            undrain=self.command("undrain"),
            reboot=self.command("reboot"),
            health=(CommandCheck(argv=(health,)),),
        )

    async def turn(self, policy: Policy, *, boot_id: str = "boot-1") -> list[str]:
        """Run one turn of a new agent; return what was done by now."""
        self.lock.turns_over.clear()
        # An agent that has rebooted its host waits to be stopped, and its turn does not end.
        self.context.status.on_change = self._look
        agent = RebootAgent(self.context, self.lock, policy, holder="a", boot_id=boot_id)
        run = asyncio.create_task(agent.run())
        async with asyncio.timeout(30):
            await self.lock.turns_over.wait()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        return self.done

    def _look(self) -> None:
        if self.context.status.as_json()["notes"].get("state") == "rebooting":
            self.lock.turns_over.set()

    @property
    def done(self) -> list[str]:
        return self.done_file.read_text().split() if self.done_file.exists() else []


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    metrics, options = CollectorRegistry(), AgentOptions()
    log = structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()])
    async with Client(options.endpoints) as client:
        status = Status(log=log, metrics=metrics)
        context = AgentContext(
            kind="lock", client=client, options=options, log=log, metrics=metrics, status=status
        )
        yield Host(context, tmp_path)


async def test_a_host_that_may_drains_and_reboots_in_one_turn(host: Host) -> None:
    host.needed.touch()
    assert await host.turn(host.policy()) == ["drain", "reboot"]
    assert host.lock.holders == ["a"]


async def test_a_host_that_needs_nothing_does_nothing(host: Host) -> None:
    assert await host.turn(host.policy()) == []
    assert host.lock.holders == []


async def test_a_drain_that_fails_gives_the_permit_back_and_is_not_tried_again_at_once(host: Host) -> None:
    host.needed.touch()
    assert await host.turn(host.policy(drain=1)) == ["drain", "undrain"]
    assert host.lock.holders == []
    assert "drain" in host.context.status.problems


async def test_a_permit_that_is_not_needed_any_more_is_given_back_and_the_host_is_idle(host: Host) -> None:
    claim = Claim(holder="a", host=host.context.options.host, boot_id="boot-1")
    host.lock.store.apply(operations.acquire(host.lock.store.board(), claim))
    assert await host.turn(host.policy()) == ["undrain"]
    assert host.lock.holders == []


async def test_a_host_that_is_up_again_holds_on_until_it_is_well(host: Host) -> None:
    claim = Claim(holder="a", host=host.context.options.host, boot_id="boot-1")
    host.lock.store.apply(operations.acquire(host.lock.store.board(), claim))
    host.lock.store.put(keys.child(GROUP, "need", "a"), b'{"reason": "kernel"}')
    assert await host.turn(host.policy(health="false"), boot_id="boot-2") == []
    assert host.lock.holders == ["a"]
    assert await host.turn(host.policy(), boot_id="boot-2") == ["undrain"]
    assert host.lock.holders == []
    assert host.lock.store.board().needs == {}, "what was asked for is done"


async def test_somebody_elses_broken_semaphore_is_told_and_nothing_is_done(host: Host) -> None:
    host.needed.touch()
    host.lock.store.put(keys.semaphore_key(GROUP), b"{nonsense")
    assert await host.turn(host.policy()) == []
    assert "holds no semaphore" in host.context.status.problems["lock"]
