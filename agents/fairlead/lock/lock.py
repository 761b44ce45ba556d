"""The lock in the store: reads a group, changes it by compare-and-swap, waits for a turn.

A change is tried again when somebody was faster, ``TRIES_MAX`` times with a pause drawn by lot.  What became of a
transaction whose answer was lost is read and not guessed: who is in is in.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

from fairlead.client import Client, Compare, GetResult, UnavailableError, op_delete, op_get, op_put
from fairlead.lock import keys, operations
from fairlead.lock.board import Board, Holder, Pair, read_board
from fairlead.lock.errors import ContentionError, FrozenError, FullError, LockError, OccupiedError
from fairlead.lock.operations import Change, Claim

TRIES_MAX = 30
_PAUSE_S_MAX = 0.5
_LOOK_AGAIN_S = 5.0
"""A wait is ended by a watch; by this too, because a holder may be gone without a write."""

Operation = Callable[[Board], Change | None]


class Lock:
    """One group's semaphore.

    Args:
        client: the store.
        group: which; locksmith's own when it is ``default``.
        clock_s: seconds since 1970, for people.
        rng: spreads the tries of many hosts.
    """

    def __init__(
        self,
        client: Client,
        group: str = keys.DEFAULT_GROUP,
        *,
        clock_s: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.group = group or keys.DEFAULT_GROUP
        self._client = client
        self._clock_s = clock_s
        self._rng = rng or random.Random()  # noqa: S311 - it spreads tries, it guards nothing

    @property
    def now_s(self) -> int:
        """Seconds since 1970."""
        return int(self._clock_s())

    async def read(self) -> Board:
        """Return the group as of one revision.

        Raises:
            BrokenSemaphoreError: its key holds something else.
            ClientError: the store does not answer.
        """
        answer = await self._client.txn(
            [],
            success=[
                op_get(keys.semaphore_key(self.group)),
                op_get(keys.root_of(self.group), prefix=True),
                op_get(keys.STATUS_PREFIX, prefix=True, keys_only=True),
            ],
        )
        semaphore, records, agents = (part for part in answer.responses if isinstance(part, GetResult))
        pairs = {
            pair.key.decode(errors="replace"): Pair(value=pair.value, mod_revision=pair.mod_revision)
            for pair in (*semaphore.kvs, *records.kvs)
        }
        # /fairlead/agents/KIND/HOST, and more where a host has several of a kind
        paths = [pair.key.decode(errors="replace").split("/") for pair in agents.kvs]
        hosts = frozenset(path[4] for path in paths if len(path) > 4)
        return read_board(self.group, pairs, hosts_alive=hosts, revision=answer.revision)

    async def acquire(self, claim: Claim, *, alive_lease: int = 0) -> int:
        """Get in, or be in already; return the fencing token.

        Raises:
            FullError, FrozenError, TwoHostsError, OccupiedError, ContentionError, BrokenSemaphoreError: see there.
            ClientError: the store does not answer; the holder may be in.
        """
        board, change = await self._change(
            lambda board: operations.acquire(board, claim), alive_lease=alive_lease
        )
        if change is not None:
            return change.token
        held = board.find(claim.holder)
        assert held is not None, "who need not change anything is in"
        return held.token

    async def acquire_within(self, claim: Claim, *, within_s: float, alive_lease: int = 0) -> int:
        """Get in as soon as there is a permit, and nobody has frozen the group; raise what ``acquire`` does then."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + within_s
        while True:
            try:
                return await self.acquire(claim, alive_lease=alive_lease)
            except (FullError, FrozenError, OccupiedError, ContentionError, UnavailableError):
                left_s = ends_s - loop.time()
                if left_s <= 0:
                    raise
            await self.changed(within_s=min(left_s, _LOOK_AGAIN_S))
            await asyncio.sleep(min(left_s, self._rng.uniform(0, _PAUSE_S_MAX)))

    async def renew(self, holder: str) -> None:
        """Have its whole time again, just before going down.

        Raises:
            NotHeldError: it is not in any more: it must not go down.
            UnknownGroupError, ContentionError, BrokenSemaphoreError, ClientError: see there.
        """
        await self._change(lambda board: operations.renew(board, holder))

    async def release(self, holder: str, *, why: str = "", owner: str = "") -> None:
        """Get out; where ``owner`` is given, only if it is that process that is in.

        Raises:
            NotHeldError: it is not in.
            UnknownGroupError, ContentionError, BrokenSemaphoreError, ClientError: see there.
        """
        await self._change(
            lambda board: operations.release(board, holder, why=why, at_s=self.now_s, owner=owner)
        )

    async def set_max(self, permits: int) -> None:
        """Set the maximum; make the group when it is not there."""
        await self._change(lambda board: operations.set_max(board, permits, at_s=self.now_s))

    async def freeze(self, *, reason: str, by: str) -> None:
        """Let nobody in."""
        await self._change(lambda board: operations.freeze(board, reason=reason, by=by, at_s=self.now_s))

    async def unfreeze(self, *, by: str) -> None:
        """Let hosts in again."""
        await self._change(lambda board: operations.unfreeze(board, by=by, at_s=self.now_s))

    async def set_policy(self, on_overdue: str) -> None:
        """Say what is to become of who is overdue."""
        await self._change(lambda board: operations.set_policy(board, on_overdue))

    async def tend(self, *, by: str) -> list[tuple[Holder, str]]:
        """Do what the policy asks about holders that are overdue or dead; return whom and what."""
        done: list[tuple[Holder, str]] = []
        while True:
            board = await self.read()
            work = operations.tend(board, by=by, at_s=self.now_s)
            if work is None or not await self._write(work[0]):
                return done
            done.append(work[1:])

    async def ask_reboot(self, holder: str, *, reason: str) -> None:
        """Ask the agent of a host to reboot it when its turn comes."""
        await self._client.put(keys.child(self.group, "need", holder), operations.encode({"reason": reason}))

    async def reboot_done(self, holder: str) -> None:
        """Take back what ``ask_reboot`` asked."""
        await self._client.delete(keys.child(self.group, "need", holder))

    async def groups(self) -> dict[str, int]:
        """Return the groups there are, each with the revision of its semaphore."""
        found = await self._client.get(f"{keys.LOCKSMITH_PREFIX}/", prefix=True)
        named = {keys.group_of(pair.key.decode(errors="replace")): pair.mod_revision for pair in found.kvs}
        return {group: revision for group, revision in sorted(named.items(), key=str) if group is not None}

    async def changed(self, *, within_s: float) -> None:
        """Return when the semaphore has been written, or after ``within_s``."""
        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(within_s),
                self._client.watch(keys.semaphore_key(self.group)) as watch,
            ):
                async for batch in watch:
                    if batch.events:
                        return

    async def _change(self, operation: Operation, *, alive_lease: int = 0) -> tuple[Board, Change | None]:
        """Return the board that ``operation`` was done to, and what it wrote."""
        for number in range(TRIES_MAX):
            board = await self.read()
            change = operation(board)
            if change is None or await self._write(change, alive_lease=alive_lease):
                return board, change
            await asyncio.sleep(self._rng.uniform(0, min(_PAUSE_S_MAX, 0.01 * 2**number)))
        raise ContentionError(TRIES_MAX)

    async def _write(self, change: Change, *, alive_lease: int = 0) -> bool:
        compares = [Compare.mod_revision(keys.semaphore_key(change.group)).equals(change.mod_revision)]
        if change.is_thawed:
            compares.append(Compare.create_revision(f"{keys.root_of(change.group)}freeze").equals(0))
        success = [op_put(key, value) for key, value in change.puts.items()]
        success += [op_delete(key) for key in change.deletes]
        due_lease = 0
        if change.due is not None:
            due_lease, _ = await self._client.grant(change.due[1])
            success.append(op_put(change.due[0], b"", lease=due_lease))
        if change.alive:
            assert alive_lease, "who promises to live keeps a lease"
            success.append(op_put(change.alive, b"", lease=alive_lease))
        answer = await self._client.txn(compares, success=success)
        if due_lease and not answer.succeeded:
            await self._client.revoke(due_lease)
        return answer.succeeded


__all__ = ["Lock", "LockError"]
