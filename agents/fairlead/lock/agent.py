"""Takes a host through its reboots, one at a time with the others of its group: looks, decides, acts, and begins again.

All that has to outlive the process is in the store: who holds, and since which boot.  Without the store nothing is
begun, and nothing is given back.
"""

import asyncio
import time
from collections.abc import Callable

from fairlead.agent import AgentContext
from fairlead.checks import run_process
from fairlead.client import ClientError
from fairlead.lock.board import Board
from fairlead.lock.decide import Decision, Held, Step, View, decide
from fairlead.lock.errors import LockError, NotHeldError
from fairlead.lock.lock import Lock
from fairlead.lock.notice import Notice
from fairlead.lock.operations import Claim
from fairlead.lock.policy import Command, Policy
from fairlead.lock.sources import ask_blockers, ask_health, ask_need, ask_window

_BACKOFF_S_MAX = 300.0
_STEPS_MAX = 4
"""Of one turn: acquire, drain, reboot, and one more to see what came of it."""


class RebootAgent:
    """One host.

    Args:
        context: the agent's surroundings.
        lock: its group's.
        policy: how it reboots.
        holder: its id in the semaphore.
        boot_id: of this boot.
        clock_s: seconds since 1970; the window is read by it each time anew, so a clock that jumps is noticed at once.
    """

    def __init__(
        self,
        context: AgentContext,
        lock: Lock,
        policy: Policy,
        *,
        holder: str,
        boot_id: str,
        clock_s: Callable[[], float] = time.time,
    ) -> None:
        self._context = context
        self._lock = lock
        self._policy = policy
        self._holder = holder
        self._boot_id = boot_id
        self._clock_s = clock_s
        self._is_drained = False
        self._failures = 0
        self._not_before_s = 0.0
        about = {"group": lock.group, "host": context.options.host, "id": holder}
        self._notice = Notice(policy.notify, about=about, log=context.log)

    async def run(self) -> None:
        """Follow the policy until the agent is stopped."""
        self._context.ready()
        while not self._context.stopping.is_set():
            try:
                await self._turn()
                self._context.status.healed("lock")
            except (LockError, ClientError) as error:
                self._context.status.problem("lock", str(error))
                self._context.status.note("state", f"waiting: {error}")
            await self._pause()

    async def _turn(self) -> None:
        """Look after the others, and take our own steps: what follows from one need not wait."""
        for one, what in await self._lock.tend(by=self._holder):
            who = f"{one.holder} ({one.host})" if one.host else one.holder
            await self._notice.say(what, f"{who} holds {self._lock.group} for too long: {what}")
        for _ in range(_STEPS_MAX):
            if not await self._step():
                return

    async def _step(self) -> bool:
        """Do what is to be done next; return whether something was done, and well."""
        board = await self._lock.read()
        self._context.status.applied(board.revision)
        decision = decide(await self._look(board))
        state = f"{decision.step.value}: {decision.why}" if decision.why else decision.step.value
        self._context.status.note("state", state)
        if decision.step in {Step.IDLE, Step.WAIT} or asyncio.get_running_loop().time() < self._not_before_s:
            return False
        await self._do(decision)
        return not self._failures

    async def _look(self, board: Board) -> View:
        held = Held.NOT
        if (mine := board.find(self._holder)) is not None:
            # A record without a boot is somebody's who took it by hand, for this boot as far as anybody knows.
            is_this = mine.boot_id in {"", self._boot_id}
            held = Held.BY_THIS_BOOT if is_this else Held.BY_EARLIER_BOOT
        if held is Held.BY_EARLIER_BOOT:
            return View(held=held, ill=await ask_health(self._policy.health))
        need = board.needs.get(self._holder)
        if need is None:
            need = await ask_need(self._policy.needs, self._context.client)
        return View(
            held=held,
            need=need or ("somebody asked for it" if self._holder in board.needs else ""),
            shut=ask_window(self._policy.window, now_s=self._clock_s()),
            blocker=await ask_blockers(self._policy.blockers, self._context.client),
            is_drained=self._is_drained,
        )

    async def _do(self, decision: Decision) -> None:
        match decision.step:
            case Step.ACQUIRE:
                await self._acquire(decision.why)
            case Step.DRAIN:
                await self._drain()
            case Step.REBOOT:
                await self._reboot(decision.why)
            case Step.RELEASE:
                await self._release(decision.why)
            case _:
                return

    async def _acquire(self, why: str) -> None:
        claim = Claim(
            holder=self._holder,
            host=self._context.options.host,
            boot_id=self._boot_id,
            reason=why,
            since_s=self._lock.now_s,
            hold_s=self._policy.hold_s,
        )
        token = await self._lock.acquire(claim)
        await self._notice.say(
            "acquired", f"{self._context.options.host} may reboot now ({why}), token {token}"
        )

    async def _drain(self) -> None:
        problem = await self._run(self._policy.drain)
        if problem:
            await self._give_up("drain", problem)
        else:
            self._is_drained = True

    async def _reboot(self, why: str) -> None:
        host = self._context.options.host
        if self._policy.reboot is None:
            await self._notice.say("dry-run", f"{host} would reboot now: {why}")
            await self._give_up("reboot", "dry run: nothing was done")
            return
        await self._lock.renew(self._holder)
        await self._notice.say("rebooting", f"{host} reboots now: {why}")
        if problem := await self._run(self._policy.reboot):
            await self._give_up("reboot", problem)
            return
        self._context.status.note("state", "rebooting")
        if await self._stops_within(self._policy.reboot.timeout_s):
            return
        await self._give_up(
            "reboot", f"the host is still up {self._policy.reboot.timeout_s:g} s after it was told to"
        )

    async def _release(self, why: str) -> None:
        if problem := await self._run(self._policy.undrain):
            self._fail()
            self._context.status.problem("undrain", problem)
            return
        self._context.status.healed("undrain")
        self._is_drained = False
        await self._lock.reboot_done(self._holder)
        await self._lock.release(self._holder, why=why)
        self._failures = 0
        await self._notice.say("released", f"{self._context.options.host} gave its permit back: {why}")

    async def _give_up(self, what: str, problem: str) -> None:
        """Let another host have its turn, and try again later."""
        self._fail()
        self._context.status.problem(what, problem)
        await self._notice.say("failed", f"{self._context.options.host} could not {what}: {problem}")
        if undrain := await self._run(self._policy.undrain):
            self._context.status.problem("undrain", undrain)
        self._is_drained = False
        try:
            await self._lock.release(self._holder, why=f"{what} failed: {problem}"[:200])
        except NotHeldError:
            return

    def _fail(self) -> None:
        self._failures += 1
        pause_s = min(_BACKOFF_S_MAX, self._policy.poll_s * 2**self._failures)
        self._not_before_s = asyncio.get_running_loop().time() + pause_s

    async def _run(self, command: Command | None) -> str:
        if command is None:
            return ""
        return (await run_process(command.argv, timeout_s=command.timeout_s)).problem

    async def _pause(self) -> None:
        changed = asyncio.create_task(self._lock.changed(within_s=self._policy.poll_s), name="lock watch")
        stopped = asyncio.create_task(self._context.stopping.wait(), name="lock stop")
        _, pending = await asyncio.wait({changed, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if not changed.cancelled() and changed.exception() is not None:
            # The store is away: the next turn says so; here only the pace is kept.
            await self._stops_within(min(1.0, self._policy.poll_s))

    async def _stops_within(self, within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                await self._context.stopping.wait()
        except TimeoutError:
            return False
        return True
