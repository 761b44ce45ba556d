"""What each host says of each of its groups, in the store: the rows of ``fairlead render status``.

The keys hang on one lease, so that a host that dies is gone from the table by itself.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from fairlead.agent import one_line
from fairlead.client import Client, ClientError, Lease, op_put
from fairlead.render.change import Memory, Outcome, Phase
from fairlead.render.errors import (
    CheckFailedError,
    GuardError,
    QuarantinedError,
    RollbackFailedError,
    RolledBackError,
    RolloutError,
    TemplateError,
)

STATUS_PREFIX = "/fairlead/render/status/"
_LEASE_TTL_S = 15
_PAUSE_S = 1.0
_WRITE_INTERVAL_S = 0.5
"""Between two transactions, for a host whose groups change all the time."""
_ROWS_PER_TXN = 100
"""etcd takes 128 operations in one transaction."""
_STATES: dict[type[Exception], str] = {
    CheckFailedError: "check failed",
    GuardError: "guarded",
    QuarantinedError: "quarantined",
    RolledBackError: "rolled back",
    RollbackFailedError: "broken",
    RolloutError: "held back",
    TemplateError: "not rendered",
}


def describe(host: str, outcome: Outcome, memory: Memory, *, now_s: float) -> dict[str, Any]:
    """Return the row of one group after an attempt.

    Args:
        host: whose.
        outcome: of the attempt.
        memory: what the journal says of the group.
        now_s: seconds since 1970.
    """
    state = "ok" if outcome.error is None else _STATES.get(type(outcome.error), "failed")
    if memory.phase is Phase.PENDING and outcome.error is not None:
        state = "reload owed"
    if outcome.error is None and outcome.change is not None and outcome.change.hold:
        state = "taken back"
    in_force = [entry for entry in memory.history if entry.kind == "done"]
    last = in_force[-1] if in_force else None
    return {
        "host": host,
        "group": outcome.resource.group,
        "revision": 0 if last is None else last.change.revision,
        "output": "" if last is None else last.change.output[:12],
        "state": state,
        "since_s": int(now_s),
        "error": "" if outcome.error is None else one_line(str(outcome.error)),
    }


class FleetKeys:
    """Keeps this host's rows in the store."""

    def __init__(self, client: Client, host: str, *, clock_s: Callable[[], float] = time.time) -> None:
        """Write nothing yet; ``run`` does.

        Args:
            client: the store.
            host: the name of this host.
            clock_s: seconds since 1970.
        """
        self._client = client
        self._host = host
        self._clock_s = clock_s
        self._rows: dict[str, dict[str, Any]] = {}
        self._unwritten: set[str] = set()
        self._news = asyncio.Event()

    def note(self, outcome: Outcome, memory: Memory) -> None:
        """Have the group's row written, if it says something new."""
        group = outcome.resource.group
        row = describe(self._host, outcome, memory, now_s=self._clock_s())
        before = self._rows.get(group, {})
        if {**before, "since_s": 0} == {**row, "since_s": 0}:
            return
        if before.get("state") == row["state"] and before.get("output") == row["output"]:
            row["since_s"] = before["since_s"]
        self._rows[group] = row
        self._unwritten.add(group)
        self._news.set()

    async def run(self) -> None:
        """Keep the rows, until cancelled; a store that is away gets them when it is back."""
        while True:
            # Who follows the store, or the status key, has told of it already.
            with contextlib.suppress(ClientError):
                async with self._client.lease(_LEASE_TTL_S) as lease:
                    self._unwritten = set(self._rows)
                    await self._keep(lease)
            await asyncio.sleep(_PAUSE_S)

    async def _keep(self, lease: Lease) -> None:
        lost = asyncio.create_task(lease.wait_lost(), name="fleet lease")
        try:
            while not lost.done():
                self._news.clear()
                while batch := sorted(self._unwritten)[:_ROWS_PER_TXN]:
                    self._unwritten.difference_update(batch)
                    puts = [
                        op_put(
                            f"{STATUS_PREFIX}{self._host}/{group}",
                            json.dumps(self._rows[group]),
                            lease=lease.lease_id,
                        )
                        for group in batch
                    ]
                    await self._client.txn([], success=puts)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(lost), _WRITE_INTERVAL_S)
                news = asyncio.create_task(self._news.wait(), name="fleet news")
                await asyncio.wait({lost, news}, return_when=asyncio.FIRST_COMPLETED)
                news.cancel()
        finally:
            lost.cancel()
