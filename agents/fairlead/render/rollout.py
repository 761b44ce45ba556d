"""One host after the other: slots in the store that a group of hosts shares.

    /fairlead/render/rollout/GROUP/slots/N      {"host", "revision", "since_s"}: who is changing
    /fairlead/render/rollout/GROUP/halt         {"host", "revision", "error", "since_s"}: who came to harm, by what
    /fairlead/render/rollout/GROUP/freeze       anything: an operator's word that nothing shall change
    /fairlead/render/rollout/GROUP/hosts/HOST   {"revision"}: a canary is well with all keys up to there

A slot is taken by one transaction that fails where the slot, a halt or a freeze is there already.  It does not
expire: a host that dies while it changes holds up the others, on purpose, until somebody has looked.  A halt
stands for keys up to its revision; a later change of the keys may be tried, by the canaries first.  No answer
from the store is a no.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from fairlead.client import Client, ClientError, Compare, op_delete, op_put
from fairlead.render.change import Outcome
from fairlead.render.change.actions import Acquire, Done, Failed, Release, Result
from fairlead.render.jsonio import INTEGER_MAX, integer, read_object

ROLLOUT_PREFIX = "/fairlead/render/rollout/"
_CANARY_PAUSE_S = 1.0


class RolloutGate:
    """Takes slots and gives them back, in the name of one host."""

    def __init__(self, client: Client, host: str, *, clock_s: Callable[[], float] = time.time) -> None:
        """Ask nothing yet.

        Args:
            client: the store.
            host: who we are among the hosts.
            clock_s: seconds since 1970, for people.
        """
        self._client = client
        self._host = host
        self._clock_s = clock_s

    async def acquire(self, action: Acquire) -> Result:
        """Try to get a slot; ``Done`` carries what has to be waited for, or nothing."""
        try:
            return await self._acquire(action)
        except ClientError as error:
            return Failed(problem=f"rollout {action.rollout.group}: {error}")

    async def release(self, action: Release) -> Result:
        """Give back what we hold; with an error, halt the rollout in the same transaction."""
        root = _root(action.rollout.group)
        try:
            board = await self._read(root)
            held = [op_delete(key) for key, slot in board.slots.items() if slot.get("host") == self._host]
            halt = [op_put(f"{root}halt", self._words(action.revision, error=action.error))]
            operations = [*held, *(halt if action.error else [])]
            if operations:
                await self._client.txn([], success=operations)
        except ClientError as error:
            return Failed(problem=f"rollout {action.rollout.group}: {error}")
        return Done()

    async def settled(self, group: str, revision: int) -> None:
        """Say, as a canary, that all is well with the keys up to ``revision``.

        Raises:
            ClientError: the store does not take it.
        """
        await self._client.put(f"{_root(group)}hosts/{self._host}", json.dumps({"revision": revision}))

    async def _acquire(self, action: Acquire) -> Result:
        rollout = action.rollout
        root = _root(rollout.group)
        board = await self._read(root)
        if any(slot.get("host") == self._host for slot in board.slots.values()):
            return Done(value="")
        if (refusal := _refusal(board, root, action)) is not None:
            return Failed(problem=f"rollout {rollout.group}: {refusal}")
        if (canary := _unproven(board, action, self._host)) is not None:
            return Done(value=f"the canary {canary} has to go first")
        free = [key for number in range(rollout.max) if (key := f"{root}slots/{number}") not in board.slots]
        if not free:
            holders = (str(slot.get("host") or f"somebody ({key})") for key, slot in board.slots.items())
            busy = ", ".join(sorted(holders))
            return Done(value=f"{busy} is changing")
        unchanged = [
            Compare.mod_revision(f"{root}{name}").equals(board.mod_revisions.get(f"{root}{name}", 0))
            for name in ("halt", "freeze")
        ]
        taken = await self._client.txn(
            [*unchanged, Compare.create_revision(free[0]).equals(0)],
            success=[op_put(free[0], self._words(action.revision))],
        )
        return Done(value="" if taken.succeeded else "another host was faster")

    async def _read(self, root: str) -> "_Board":
        result = await self._client.get(root, prefix=True)
        values = {pair.key.decode(errors="replace"): pair.value for pair in result.kvs}
        return _Board(
            {key: read_object(value) or {} for key, value in values.items()},
            {pair.key.decode(errors="replace"): pair.mod_revision for pair in result.kvs},
            root=root,
        )

    def _words(self, revision: int, **more: str) -> str:
        return json.dumps({"host": self._host, "revision": revision, "since_s": int(self._clock_s()), **more})


class Canary:
    """Tells the others that this host is well, for the rollouts in which it goes first."""

    def __init__(self, gate: RolloutGate, host: str) -> None:
        """Say nothing yet; ``run`` does."""
        self._gate = gate
        self._host = host
        self._ill: dict[str, set[str]] = {}
        self._told: dict[str, int] = {}
        self._revision = 0
        self._news = asyncio.Event()

    def note(self, outcome: Outcome) -> None:
        """Take note of how a group is."""
        rollout = outcome.resource.rollout
        if rollout is None or self._host not in rollout.canary:
            return
        ill = self._ill.setdefault(rollout.group, set())
        (ill.discard if outcome.error is None else ill.add)(outcome.resource.group)
        self._news.set()

    def settled(self, revision: int) -> None:
        """Nothing is under way, and the keys up to ``revision`` were taken in."""
        if revision > self._revision:
            self._revision = revision
            self._news.set()

    async def run(self) -> None:
        """Tell the store, at most once a second, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            revision = self._revision
            for group, ill in self._ill.items():
                if ill or self._told.get(group, 0) >= revision:
                    continue
                try:
                    await self._gate.settled(group, revision)
                    self._told[group] = revision
                except ClientError:
                    self._news.set()
            await asyncio.sleep(_CANARY_PAUSE_S)


class _Board:
    """All keys of one rollout, as of one revision."""

    def __init__(
        self, values: Mapping[str, dict[str, Any]], mod_revisions: Mapping[str, int], *, root: str
    ) -> None:
        self.values = values
        self.mod_revisions = mod_revisions
        self.slots = {key: value for key, value in values.items() if key.startswith(f"{root}slots/")}
        self.halt = values.get(f"{root}halt")
        self.freeze = values.get(f"{root}freeze")
        self.proven = {
            key.removeprefix(f"{root}hosts/"): _number(value.get("revision"))
            for key, value in values.items()
            if key.startswith(f"{root}hosts/")
        }


def _refusal(board: _Board, root: str, action: Acquire) -> str | None:
    if board.freeze is not None:
        return f"it is frozen; thaw it with: fairlead kv del {root}freeze"
    if board.halt is None:
        return None
    if "revision" not in board.halt:
        return f"it is halted by a value that cannot be read; go on with: fairlead kv del {root}halt"
    if action.revision <= _number(board.halt["revision"], otherwise=INTEGER_MAX):
        harm = f"{board.halt.get('host')} came to harm: {board.halt.get('error')}"
        return f"it is halted, {harm}; correct the keys, or go on with: fairlead kv del {root}halt"
    return None


def _unproven(board: _Board, action: Acquire, host: str) -> str | None:
    """Return the first canary that has not yet been seen to run on these keys."""
    if host in action.rollout.canary:
        return None
    for canary in action.rollout.canary:
        if board.proven.get(canary, 0) < action.revision:
            return canary
    return None


def _root(group: str) -> str:
    return f"{ROLLOUT_PREFIX}{group}/"


def _number(value: object, *, otherwise: int = 0) -> int:
    try:
        return integer(value)
    except ValueError:
        return otherwise
